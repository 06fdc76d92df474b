/* A whole device plug-in: one device with memory of its own that multiplies matrices and knows two activations. What it
 * lacks (other ops, events, maps) leat does on the CPU, and counts. backend.h is all it sees; it does not link libleat:
 *   cc -std=c99 -O2 -shared -fPIC -Iinclude examples/plugin/tiny_device.c -o libleat-tiny.so -lm
 * Beside the leat program, or in its lib/leat, `leat devices` lists it as tiny:0. Whether it keeps the contract:
 * docs/plugins.md tells how the conformance suite is run on it. */
#include <math.h>
#include <string.h>

#include "leat/backend.h"

struct leat_b_device { leat_b_instance *self; };
struct leat_b_queue { leat_b_instance *self; };
struct leat_b_kernel { int64_t (*allowed)(const leat_b_op *op); };
struct leat_b_instance { const leat_b_host *host; leat_b_device device; leat_b_queue queue; leat_b_kernel kernel; };
struct leat_b_buffer { leat_b_instance *self; char *data; uint64_t size; };

/* Every failure has a status and a sentence. */
static leat_status fail(leat_error *err, leat_status status, const char *sentence) {
  err->code = status;
  strncpy(err->message, sentence, sizeof err->message - 1);
  return status;
}

/* ---- instance and device: there is one, always open. Memory comes from leat's table and goes back with its size. */
static void tiny_close(leat_b_instance *self) { self->host->release(self->host->ctx, self, sizeof *self, 64); }
static leat_status tiny_count(leat_b_instance *self, int64_t *count, leat_error *err) {
  (void)self, (void)err, *count = 1;
  return LEAT_OK;
}
static leat_status tiny_props(leat_b_instance *self, int64_t index, leat_device_props *props, leat_error *err) {
  (void)self, (void)index, (void)err;
  props->name = "tiny", props->vendor = "Example", props->kind = LEAT_OTHER, props->dtype_mask = 1 << LEAT_F32;
  return LEAT_OK;
}
static leat_status tiny_open(leat_b_instance *self, int64_t index, leat_b_device **out, leat_error *err) {
  *out = &self->device;
  return index ? fail(err, LEAT_E_NOT_FOUND, "there is one device, 0") : LEAT_OK;
}
static void tiny_device_close(leat_b_device *dev) { (void)dev; }

/* ---- buffers and copies. The device's memory is here the host's; a real one would ask its driver. */
static leat_status tiny_alloc(leat_b_device *dev, int64_t kind, uint64_t size, uint64_t align, leat_b_buffer **out,
                              leat_error *err) {
  const leat_b_host *host = dev->self->host;
  (void)align;
  if (kind) return fail(err, LEAT_E_UNSUPPORTED, "only buffers of kind 0");
  if (!(*out = host->alloc(host->ctx, sizeof **out, 64))) return fail(err, LEAT_E_MEMORY, "no memory for a buffer");
  **out = (leat_b_buffer){dev->self, host->alloc(host->ctx, size, 64), size};
  if ((*out)->data) return LEAT_OK;
  host->release(host->ctx, *out, sizeof **out, 64);
  return fail(err, LEAT_E_MEMORY, "the device has not as much memory");
}
static void tiny_free(leat_b_buffer *b) {
  const leat_b_host *host = b->self->host;
  host->release(host->ctx, b->data, b->size, 64);
  host->release(host->ctx, b, sizeof *b, 64);
}
static int outside(const leat_b_buffer *b, uint64_t at, uint64_t size) {
  return b && (at > b->size || size > b->size - at);
}
static char *end_of(leat_b_buffer *b, uint64_t at, void *host) { return b ? b->data + at : host; }
static leat_status tiny_copy(leat_b_queue *q, const leat_b_copy *c, leat_b_event **done, leat_error *err) {
  (void)q, (void)done;
  if ((!c->dst && !c->src) || ((!c->dst || !c->src) && !c->host && c->size))
    return fail(err, LEAT_E_ARG, "a copy has two ends, one of them a buffer");
  if (outside(c->dst, c->dst_offset, c->size) || outside(c->src, c->src_offset, c->size))
    return fail(err, LEAT_E_RANGE, "a copy reaches outside its buffer");
  if (c->size) memmove(end_of(c->dst, c->dst_offset, c->host), end_of(c->src, c->src_offset, c->host), c->size);
  return LEAT_OK;
}

/* ---- a queue whose work is done when a call returns */
static leat_status tiny_queue(leat_b_device *dev, uint64_t flags, leat_b_queue **out, leat_error *err) {
  *out = &dev->self->queue;
  return flags ? fail(err, LEAT_E_UNSUPPORTED, "only queues without flags") : LEAT_OK;
}
static void tiny_queue_free(leat_b_queue *q) { (void)q; }
static leat_status tiny_finish(leat_b_queue *q, leat_error *err) { return (void)q, (void)err, LEAT_OK; }

/* ---- ops: gemm without bias and activation, map with relu and tanh */
static int matrix(const leat_b_tensor *t, int64_t rows, int64_t cols) {
  return t->dtype == LEAT_F32 && t->rank == 2 && t->shape[0] == rows && t->shape[1] == cols && rows >= 0 && cols >= 0;
}
static int64_t gemm_allowed(const leat_b_op *op) {
  if (op->n_in != 2 || op->n_out != 1 || op->n_attr_f != 2 || op->n_attr_i != 0) return 0;
  int64_t m = op->out[0].shape[0], n = op->out[0].shape[1], k = op->in[0].shape[1];
  return matrix(&op->in[0], m, k) && matrix(&op->in[1], k, n) && matrix(&op->out[0], m, n);
}
static int64_t map_allowed(const leat_b_op *op) {
  if (op->n_in != 1 || op->n_out != 1 || op->n_attr_f != 0 || op->n_attr_i != 1) return 0;
  return (op->attr_i[0] == 1 || op->attr_i[0] == 3) && matrix(&op->in[0], op->out[0].shape[0], op->out[0].shape[1]) &&
         matrix(&op->out[0], op->out[0].shape[0], op->out[0].shape[1]);
}
static int64_t tiny_allowed(const leat_b_op *op) {
  return !op->flags && ((!strcmp(op->name, "gemm") && gemm_allowed(op)) || (!strcmp(op->name, "map") && map_allowed(op)));
}
static leat_status tiny_score(leat_b_device *dev, const leat_b_op *op, int64_t *score, leat_error *err) {
  (void)dev, (void)err, *score = tiny_allowed(op);
  return LEAT_OK;
}
static leat_status tiny_prepare(leat_b_device *dev, const leat_b_op *op, leat_b_kernel **out, leat_error *err) {
  *out = &dev->self->kernel;
  return tiny_allowed(op) ? LEAT_OK : fail(err, LEAT_E_UNSUPPORTED, "no such op here, or not with these shapes");
}
static void tiny_op_free(leat_b_kernel *k) { (void)k; }

/* Does the tensor lie in its buffer? Strides may be negative or 0; an empty tensor needs no buffer. */
static int inside(const leat_b_tensor *t) {
  int64_t low = 0, high = 0, most = INT64_C(1) << 30;
  for (int i = 0; i < 2; i++) {
    if (t->shape[i] > most || (t->shape[i] > 1 && (t->stride[i] > most || t->stride[i] < -most))) return 0;
    int64_t reach = t->shape[i] > 1 ? (t->shape[i] - 1) * t->stride[i] : 0;
    if (reach < 0) low += reach;
    else high += reach;
  }
  if (!t->shape[0] || !t->shape[1]) return 1;
  if (!t->buffer || t->offset > t->buffer->size || t->offset % 4) return 0;
  return -4 * low <= (int64_t)t->offset && 4 * (uint64_t)(high + 1) <= t->buffer->size - t->offset;
}
static float *at(const leat_b_tensor *t, int64_t i, int64_t j) {
  return (float *)(void *)(t->buffer->data + t->offset) + i * t->stride[0] + j * t->stride[1];
}
static float gemm_element(const leat_b_op *op, int64_t i, int64_t j) {
  double sum = 0, alpha = op->attr_f[0], beta = op->attr_f[1];
  for (int64_t k = 0; k < op->in[0].shape[1] && alpha != 0; k++)
    sum += (double)*at(&op->in[0], i, k) * (double)*at(&op->in[1], k, j);
  if (alpha != 0) sum *= alpha; /* and where it is 0, a and b are not read */
  return (float)(beta != 0 ? sum + beta * (double)*at(&op->out[0], i, j) : sum);
}
static leat_status tiny_enqueue(leat_b_queue *q, leat_b_kernel *k, const leat_b_op *op, leat_b_event *const *wait,
                                int64_t n_wait, leat_b_event **done, leat_error *err) {
  (void)q, (void)k, (void)wait, (void)n_wait, (void)done;
  if (!tiny_allowed(op)) return fail(err, LEAT_E_UNSUPPORTED, "no such op here, or not with these shapes");
  if (!inside(&op->in[0]) || (op->n_in > 1 && !inside(&op->in[1])) || !inside(&op->out[0]))
    return fail(err, LEAT_E_RANGE, "a tensor reaches outside its buffer");
  for (int64_t i = 0; i < op->out[0].shape[0]; i++)
    for (int64_t j = 0; j < op->out[0].shape[1]; j++) {
      if (op->n_in == 2) *at(&op->out[0], i, j) = gemm_element(op, i, j);
      else if (op->attr_i[0] == 3) *at(&op->out[0], i, j) = tanhf(*at(&op->in[0], i, j));
      else *at(&op->out[0], i, j) = *at(&op->in[0], i, j) < 0 ? 0 : *at(&op->in[0], i, j); /* a NaN stays one */
    }
  return LEAT_OK;
}

/* ---- the one function that a plug-in exports */
LEAT_API leat_status leat_backend_query_v1(uint32_t abi_major, const leat_b_host *host, leat_b_backend *out,
                                           leat_error *err);
leat_status leat_backend_query_v1(uint32_t abi_major, const leat_b_host *host, leat_b_backend *out, leat_error *err) {
  if (abi_major != LEAT_BACKEND_ABI_MAJOR) return fail(err, LEAT_E_VERSION, "this plug-in is built for interface 1");
  leat_b_instance *self = host->alloc(host->ctx, sizeof *self, 64);
  if (!self) return fail(err, LEAT_E_MEMORY, "no memory for the plug-in");
  *self = (leat_b_instance){.host = host, .device = {self}, .queue = {self}};
  out->name = "tiny", out->self = self, out->close = tiny_close;
  out->device_count = tiny_count, out->device_props = tiny_props, out->device_open = tiny_open;
  out->device_close = tiny_device_close, out->buffer_alloc = tiny_alloc, out->buffer_free = tiny_free;
  out->queue_create = tiny_queue, out->queue_free = tiny_queue_free, out->queue_copy = tiny_copy;
  out->queue_finish = tiny_finish, out->op_score = tiny_score, out->op_prepare = tiny_prepare;
  out->op_enqueue = tiny_enqueue, out->op_free = tiny_op_free;
  return LEAT_OK;
}
