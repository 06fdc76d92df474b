/* A device plug-in for the tests: two devices with memory of their own, which only multiply matrices, slowly. It is
 * loaded as a shared library and is also linked into a test that makes it break its contract. It sees backend.h alone. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leat/backend.h"

struct leat_b_instance { const leat_b_host *host; };
struct leat_b_device { int64_t index; };
struct leat_b_buffer { char *data; uint64_t size; };
struct leat_b_queue { leat_b_device *device; };
struct leat_b_kernel { int64_t m, n, k; };

/* What a test turns and reads. */
typedef struct toy_knobs {
  const char *fail;  /* the slot of this name fails */
  const char *flaw;  /* the query breaks the contract in this way */
  const char *why;   /* device_state */
  int64_t alive;     /* objects made and not freed */
  int64_t gemms, opened, closed;
} toy_knobs;
#ifndef TOY_FLAW
#define TOY_FLAW NULL
#endif
static toy_knobs toy = {.flaw = TOY_FLAW};

static leat_status toy_fail(leat_error *err, leat_status status, const char *text) {
  err->code = status;
  snprintf(err->message, sizeof err->message, "%s", text);
  return status;
}
static int toy_is(const char *knob, const char *name) { return knob && !strcmp(knob, name); }
#define TOY_MAY_FAIL(slot) \
  if (toy_is(toy.fail, slot)) return toy_fail(err, LEAT_E_DEVICE, "the toy broke in " slot)

static void toy_close(leat_b_instance *self) {
  toy.alive--, toy.closed++;
  self->host->release(self->host->ctx, self, sizeof *self, 4096);
}
static leat_status toy_device_count(leat_b_instance *self, int64_t *count, leat_error *err) {
  (void)self;
  TOY_MAY_FAIL("device_count");
  *count = toy_is(toy.flaw, "count") ? -1 : 2;
  return LEAT_OK;
}
static leat_status toy_device_props(leat_b_instance *self, int64_t index, leat_device_props *props, leat_error *err) {
  (void)self;
  if (index == 1) TOY_MAY_FAIL("device_props");
  props->name = index ? "second toy" : "first toy";
  props->vendor = "Toys";
  props->kind = LEAT_OTHER;
  props->mem_total = 1 << 20;
  return LEAT_OK;
}
static leat_status toy_device_state(leat_b_instance *self, int64_t index, char *why, uint64_t cap, uint64_t *needed,
                                    leat_error *err) {
  (void)self, (void)index;
  TOY_MAY_FAIL("device_state");
  *needed = 1 + (toy.why ? strlen(toy.why) : 0);
  snprintf(why, cap, "%s", toy.why ? toy.why : "");
  return LEAT_OK;
}
static leat_status toy_device_open(leat_b_instance *self, int64_t index, leat_b_device **out, leat_error *err) {
  (void)self;
  TOY_MAY_FAIL("device_open");
  *out = malloc(sizeof **out);
  if (!*out) return toy_fail(err, LEAT_E_MEMORY, "no memory");
  (*out)->index = index;
  toy.alive++, toy.opened++;
  return LEAT_OK;
}
static void toy_device_close(leat_b_device *dev) {
  toy.alive--;
  free(dev);
}
static leat_status toy_buffer_alloc(leat_b_device *dev, int64_t kind, uint64_t size, uint64_t align,
                                    leat_b_buffer **out, leat_error *err) {
  (void)dev, (void)kind, (void)align;
  TOY_MAY_FAIL("buffer_alloc");
  leat_b_buffer *b = malloc(sizeof *b);
  if (b) b->data = malloc(size), b->size = size;
  if (!b || !b->data) {
    free(b);
    return toy_fail(err, LEAT_E_MEMORY, "no memory");
  }
  *out = b;
  toy.alive++;
  return LEAT_OK;
}
static leat_status toy_buffer_wrap(leat_b_device *dev, void *host, uint64_t size, leat_b_buffer **out,
                                   leat_error *err) {
  (void)dev, (void)host, (void)size, (void)out;
  return toy_fail(err, LEAT_E_UNSUPPORTED, "the toy has memory of its own"); /* leat must copy then */
}
static void toy_buffer_free(leat_b_buffer *b) {
  toy.alive--;
  free(b->data);
  free(b);
}
static leat_status toy_queue_create(leat_b_device *dev, uint64_t flags, leat_b_queue **out, leat_error *err) {
  (void)flags;
  TOY_MAY_FAIL("queue_create");
  *out = malloc(sizeof **out);
  if (!*out) return toy_fail(err, LEAT_E_MEMORY, "no memory");
  (*out)->device = dev;
  toy.alive++;
  return LEAT_OK;
}
static void toy_queue_free(leat_b_queue *q) {
  toy.alive--;
  free(q);
}
static leat_status toy_queue_copy(leat_b_queue *q, const leat_b_copy *c, leat_b_event **done, leat_error *err) {
  (void)q, (void)done;
  TOY_MAY_FAIL("queue_copy");
  char *to = c->dst ? c->dst->data + c->dst_offset : c->host;
  const char *from = c->src ? c->src->data + c->src_offset : c->host;
  memcpy(to, from, c->size);
  return LEAT_OK;
}
static leat_status toy_queue_finish(leat_b_queue *q, leat_error *err) {
  (void)q;
  TOY_MAY_FAIL("queue_finish");
  return LEAT_OK;
}
static leat_status toy_op_score(leat_b_device *dev, const leat_b_op *op, int64_t *score, leat_error *err) {
  (void)dev;
  TOY_MAY_FAIL("op_score");
  int plain = op->n_in == 2 && op->n_attr_i == 0; /* no bias, no activation */
  *score = !strcmp(op->name, "gemm") && plain && !toy_is(toy.flaw, "no gemm") ? 1 : 0;
  return LEAT_OK;
}
static leat_status toy_op_prepare(leat_b_device *dev, const leat_b_op *op, leat_b_kernel **out, leat_error *err) {
  (void)dev;
  TOY_MAY_FAIL("op_prepare");
  leat_b_kernel *k = malloc(sizeof *k);
  if (!k) return toy_fail(err, LEAT_E_MEMORY, "no memory");
  *k = (leat_b_kernel){op->out[0].shape[0], op->out[0].shape[1], op->in[0].shape[1]};
  *out = k;
  toy.alive++;
  return LEAT_OK;
}
static float *toy_at(const leat_b_tensor *t, int64_t i, int64_t j) {
  return (float *)(void *)(t->buffer->data + t->offset) + i * t->stride[0] + j * t->stride[1];
}
static leat_status toy_op_enqueue(leat_b_queue *q, leat_b_kernel *k, const leat_b_op *op, leat_b_event *const *wait,
                                  int64_t n_wait, leat_b_event **done, leat_error *err) {
  (void)q, (void)wait, (void)n_wait, (void)done;
  TOY_MAY_FAIL("op_enqueue");
  for (int64_t i = 0; i < k->m; i++)
    for (int64_t j = 0; j < k->n; j++) {
      double sum = 0;
      for (int64_t p = 0; p < k->k; p++) sum += (double)*toy_at(&op->in[0], i, p) * (double)*toy_at(&op->in[1], p, j);
      float *c = toy_at(&op->out[0], i, j);
      *c = (float)(op->attr_f[0] * sum + (op->attr_f[1] != 0 ? op->attr_f[1] * (double)*c : 0));
    }
  toy.gemms++;
  return LEAT_OK;
}
static void toy_op_free(leat_b_kernel *k) {
  toy.alive--;
  free(k);
}

/* The table, with the flaw that a test asks for. */
static void toy_fill(leat_b_backend *out, leat_b_instance *self) {
  out->name = toy_is(toy.flaw, "name") ? "Not A Name" : toy_is(toy.flaw, "cpu") ? "cpu" : "toy";
  out->self = self;
  out->close = toy_close;
  out->device_count = toy_is(toy.flaw, "device_count") ? NULL : toy_device_count;
  out->device_props = toy_is(toy.flaw, "device_props") ? NULL : toy_device_props;
  out->device_state = toy_device_state;
  out->device_open = toy_device_open;
  out->device_close = toy_device_close;
  out->buffer_alloc = toy_buffer_alloc;
  out->buffer_wrap = toy_buffer_wrap;
  out->buffer_free = toy_buffer_free;
  out->queue_create = toy_queue_create;
  out->queue_free = toy_queue_free;
  out->queue_copy = toy_is(toy.flaw, "queue_copy") ? NULL : toy_queue_copy;
  out->queue_finish = toy_queue_finish;
  out->op_score = toy_op_score;
  out->op_prepare = toy_op_prepare;
  out->op_enqueue = toy_op_enqueue;
  out->op_free = toy_op_free;
  if (toy_is(toy.flaw, "newer table")) out->struct_size += 8;
  if (toy_is(toy.flaw, "short table")) out->struct_size = 40;
  if (toy_is(toy.flaw, "no size")) out->struct_size = 0;
  if (toy_is(toy.flaw, "older table")) out->struct_size = offsetof(leat_b_backend, proc); /* of a minor without proc */
  if (toy_is(toy.flaw, "minor")) out->abi_minor_min = LEAT_BACKEND_ABI_MINOR + 1;
}

leat_status leat_backend_query_v1(uint32_t abi_major, const leat_b_host *host, leat_b_backend *out, leat_error *err);
leat_status leat_backend_query_v1(uint32_t abi_major, const leat_b_host *host, leat_b_backend *out, leat_error *err) {
  if (abi_major != LEAT_BACKEND_ABI_MAJOR || toy_is(toy.flaw, "major")) return toy_fail(err, LEAT_E_VERSION, "the toy speaks another interface");
  if (toy_is(toy.flaw, "refuse")) return toy_fail(err, LEAT_E_UNSUPPORTED, "no toy is plugged in");
  if (toy_is(toy.flaw, "silent")) return LEAT_E_UNSUPPORTED;
  if (toy_is(toy.flaw, "positive")) return 7;
  if (toy_is(toy.flaw, "nothing")) return LEAT_OK; /* a table of NULL */
  if (toy_is(toy.flaw, "newer table") || toy_is(toy.flaw, "short table") || toy_is(toy.flaw, "no size")) {
    toy_fill(out, NULL); /* leat must not call into such a table, not even to close it */
    return LEAT_OK;
  }
  leat_b_instance *self = host->alloc(host->ctx, sizeof *self, 4096);
  if (!self) return toy_fail(err, LEAT_E_MEMORY, "no memory");
  self->host = host;
  toy.alive++;
  toy_fill(out, self);
  return LEAT_OK;
}
