/* One call of an op: its buffers, running it, and what has come of it. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "suite.h"

/* ---- making one */
void cf_case_begin(cf_case *c, cf_suite *s, const char *op) {
  memset(c, 0, sizeof *c);
  c->s = s;
  c->op = op;
  c->mark = s->arena.used;
}

void cf_case_end(cf_case *c) { c->s->arena.used = c->mark; }

cf_tensor *cf_input(cf_case *c, cf_tensor t) {
  c->in[c->n_in] = t;
  return &c->in[c->n_in++];
}

cf_tensor *cf_output(cf_case *c, cf_tensor t) {
  t.same = -1;
  c->out[c->n_out] = t;
  return &c->out[c->n_out++];
}

cf_tensor *cf_in_place(cf_case *c, int64_t input) {
  c->out[c->n_out] = c->in[input];
  c->out[c->n_out].same = input;
  return &c->out[c->n_out++];
}

void cf_double(cf_case *c, double v) { c->f[c->n_f++] = v; }
void cf_integer(cf_case *c, int64_t v) { c->i[c->n_i++] = v; }

void cf_expect(cf_case *c) {
  for (int64_t o = 0; o < c->n_out; o++) {
    uint64_t bytes = (uint64_t)cf_count(&c->out[o]) * sizeof(double);
    c->want[o] = cf_take(c->s, bytes);
    c->tol[o] = cf_take(c->s, bytes);
  }
}

void cf_want(cf_case *c, int64_t output, int64_t k, double want, double tol) {
  if (c->s->broken) return;
  c->want[output][k] = want;
  c->tol[output][k] = tol;
}

void cf_label(cf_case *c, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  vsnprintf(c->what, sizeof c->what, fmt, args);
  va_end(args);
}

/* ---- on the device */
static const cf_tensor *tensor_at(const cf_case *c, int64_t i) { return i < c->n_in ? &c->in[i] : &c->out[i - c->n_in]; }
static uint64_t block_bytes(const cf_tensor *t) { return (uint64_t)(t->n * cf_size(t->dtype)); }

void cf_live_op(cf_case *c, cf_live *l) {
  memset(l, 0, sizeof *l);
  l->op = (leat_b_op){sizeof l->op, c->op, c->n_in, c->n_out, l->tensor, l->tensor + c->n_in, c->f, c->i, c->n_f, c->n_i,
                      0};
  for (int64_t i = 0; i < c->n_in + c->n_out; i++) {
    const cf_tensor *t = tensor_at(c, i);
    l->tensor[i] = (leat_b_tensor){sizeof l->tensor[i], NULL, (uint64_t)(t->first * cf_size(t->dtype)), t->dtype, t->rank,
                                   {0}, {0}};
    memcpy(l->tensor[i].shape, t->shape, sizeof t->shape);
    memcpy(l->tensor[i].stride, t->stride, sizeof t->stride);
  }
}

static leat_status transfer(cf_suite *s, leat_b_buffer *b, uint64_t at, void *host, uint64_t size, int in,
                            leat_error *err) {
  leat_b_copy copy = {sizeof copy, in ? b : NULL, in ? NULL : b, host, in ? at : 0, in ? 0 : at, size, NULL, 0};
  void *mapped = NULL;
  if (size == 0) return LEAT_OK;
  if (s->t.queue_copy) {
    leat_status st = s->t.queue_copy(s->queue, &copy, NULL, err);
    return st ? st : s->t.queue_finish(s->queue, err);
  }
  leat_status st = s->t.buffer_map(b, at, size, 0, &mapped, err);
  if (st) return st;
  if (in) memcpy(mapped, host, size);
  else memcpy(host, mapped, size);
  return s->t.buffer_unmap ? s->t.buffer_unmap(b, mapped, err) : LEAT_OK;
}

/* Memory for one tensor's block. A device may refuse to wrap: then it has memory of its own. */
static leat_status place_block(cf_case *c, cf_live *l, int64_t i, int memory, leat_error *err) {
  cf_suite *s = c->s;
  cf_place *p = &l->place[i];
  const cf_tensor *t = tensor_at(c, i);
  leat_status st = LEAT_E_UNSUPPORTED;
  p->size = block_bytes(t);
  if (memory == CF_WRAPPED && s->t.buffer_wrap) {
    void *host = NULL;
    if (posix_memalign(&host, 4096, (p->size + 63) / 64 * 64)) return cf_refuse(err, LEAT_E_MEMORY, "no memory");
    memcpy(host, t->data, p->size);
    st = s->t.buffer_wrap(s->device, host, p->size, &p->buffer, err);
    if (!st) s->wraps = 1;
    if (st) free(host), p->buffer = NULL;
    else p->host = host;
  }
  if (st != LEAT_E_UNSUPPORTED || !s->t.buffer_alloc) return st;
  st = s->t.buffer_alloc(s->device, 0, p->size, 64, &p->buffer, err);
  return st ? st : transfer(s, p->buffer, 0, t->data, p->size, 1, err);
}

static leat_status place_shared(cf_case *c, cf_live *l, leat_error *err) {
  cf_suite *s = c->s;
  int64_t n = c->n_in + c->n_out;
  for (int64_t i = 0; i < n; i++)
    if (tensor_at(c, i)->same < 0) {
      l->place[i].base = l->shared_size;
      l->place[i].size = block_bytes(tensor_at(c, i));
      l->shared_size += (l->place[i].size + 63) / 64 * 64;
    }
  leat_status st = s->t.buffer_alloc(s->device, 0, l->shared_size, 64, &l->shared, err);
  for (int64_t i = 0; i < n && !st; i++)
    if (tensor_at(c, i)->same < 0) {
      l->place[i].buffer = l->shared;
      st = transfer(s, l->shared, l->place[i].base, tensor_at(c, i)->data, l->place[i].size, 1, err);
    }
  return st;
}

leat_status cf_live_buffers(cf_case *c, cf_live *l, int memory, leat_error *err) {
  leat_status st = LEAT_OK;
  int64_t n = c->n_in + c->n_out;
  if (memory == CF_SHARED && c->s->t.buffer_alloc) st = place_shared(c, l, err);
  else
    for (int64_t i = 0; i < n && !st; i++)
      if (tensor_at(c, i)->same < 0) st = place_block(c, l, i, memory, err);
  for (int64_t i = 0; i < n && !st; i++) {
    const cf_tensor *t = tensor_at(c, i);
    const cf_place *p = &l->place[t->same >= 0 ? t->same : i];
    l->tensor[i].buffer = cf_count(t) ? p->buffer : NULL; /* an empty tensor may have no memory */
    l->tensor[i].offset = (uint64_t)(t->first * cf_size(t->dtype)) + p->base;
  }
  return st;
}

leat_status cf_live_enqueue(cf_case *c, cf_live *l, int with_event, leat_error *err) {
  cf_suite *s = c->s;
  leat_b_event *done = NULL;
  with_event = with_event && s->t.event_wait && s->t.event_free;
  leat_status st = s->t.op_enqueue(s->queue, l->kernel, &l->op, NULL, 0, with_event ? &done : NULL, err);
  if (st || !with_event) return st;
  if (!done) return cf_refuse(err, LEAT_E_BACKEND, "op_enqueue was asked for an event and gave none");
  st = s->t.event_wait(done, -1, err);
  s->t.event_free(done);
  return st;
}

leat_status cf_live_fetch(cf_case *c, cf_live *l, leat_error *err) {
  cf_suite *s = c->s;
  leat_status st = s->t.queue_finish(s->queue, err);
  for (int64_t i = 0; i < c->n_in + c->n_out && !st; i++) {
    const cf_tensor *t = tensor_at(c, i);
    const cf_place *p = &l->place[i];
    if (t->same >= 0) continue;
    if (p->host) memcpy(t->after, p->host, p->size); /* wrapped: there when the queue is finished */
    else st = transfer(s, p->buffer, p->base, t->after, p->size, 0, err);
  }
  return st;
}

void cf_live_free(cf_case *c, cf_live *l) {
  if (l->kernel) c->s->t.op_free(l->kernel);
  for (int64_t i = 0; i < 2 * CF_TENSORS; i++) {
    if (l->place[i].buffer && l->place[i].buffer != l->shared) c->s->t.buffer_free(l->place[i].buffer);
    free(l->place[i].host);
  }
  if (l->shared) c->s->t.buffer_free(l->shared);
  l->shared = NULL;
  memset(l->place, 0, sizeof l->place);
  l->kernel = NULL;
}

/* ---- what has come of it */
/* Elements of any output of this block. */
static void mark_elements(const cf_case *c, const cf_tensor *block, unsigned char *mark) {
  for (int64_t o = 0; o < c->n_out; o++)
    if (c->out[o].data == block->data)
      for (int64_t k = 0; k < cf_count(&c->out[o]); k++) mark[cf_at(&c->out[o], k)] = 1;
}

int cf_untouched(cf_case *c, int64_t i) {
  const cf_tensor *t = tensor_at(c, i);
  uint64_t used = c->s->arena.used;
  int64_t size = cf_size(t->dtype), at = -1;
  unsigned char *mark = cf_take(c->s, (uint64_t)t->n);
  if (!mark || t->same >= 0) return -1;
  mark_elements(c, t, mark);
  for (int64_t k = 0; k < t->n && at < 0; k++)
    if (!mark[k] && memcmp(t->data + k * size, t->after + k * size, (size_t)size)) at = k;
  c->s->arena.used = used;
  return (int)at;
}

/* A float holds it to within tol. Results below the normal range may have lost their last two places, or all when the
 * device flushes them. */
static int is_near(const cf_suite *s, double got, double want, double tol, int64_t dtype) {
  if (isnan(want)) return isnan(got);
  if (isinf(want)) return got == want;
  if (isnan(got)) return 0;
  if (isinf(got)) return fabs(want) + tol > 3.4e38 && signbit(got) == signbit(want);
  return fabs(got - want) <= tol + (dtype != LEAT_F32 ? 0 : s->flushes ? 0x1p-126 : 0x1p-148);
}

static int case_compare(cf_case *c) {
  for (int64_t i = 0; i < c->n_in + c->n_out; i++) {
    int at = cf_untouched(c, i);
    if (at >= 0) {
      cf_fail(c->s, "%s %s: element %d of the block of %s %lld was written; it is part of no output", c->op, c->what, at,
              i < c->n_in ? "input" : "output", (long long)(i < c->n_in ? i : i - c->n_in));
      return 0;
    }
  }
  for (int64_t o = 0; o < c->n_out; o++) {
    const cf_tensor *t = &c->out[o];
    const unsigned char *after = t->same >= 0 ? c->in[t->same].after : t->after;
    for (int64_t k = 0; k < cf_count(t); k++) {
      double got = cf_value(t, after, cf_at(t, k)), want = c->want[o][k], tol = c->tol[o][k];
      if (is_near(c->s, got, want, tol, t->dtype)) continue;
      cf_fail(c->s, "%s %s: output %lld, element %lld is %.9g; %.9g within %.3g is right", c->op, c->what, (long long)o,
              (long long)k, got, want, tol);
      return 0;
    }
  }
  return 1;
}

static int failed(cf_case *c, const char *slot, const leat_error *said, leat_status st) {
  if (st == LEAT_E_UNSUPPORTED) {
    cf_skip(c->s, "not offered for all shapes");
    return 0;
  }
  cf_fail(c->s, "%s %s: %s gave status %d: %s", c->op, c->what, slot, (int)st, said->message);
  if (st == LEAT_E_DEVICE) cf_break(c->s, st, "the device is lost: %s", said->message);
  return 0;
}

static int prepare(cf_case *c, cf_live *l) {
  cf_suite *s = c->s;
  leat_error said = cf_error();
  int64_t score = 0;
  cf_live_op(c, l);
  leat_status st = s->t.op_score(s->device, &l->op, &score, &said);
  if (st) return failed(c, "op_score", &said, st);
  if (score <= 0) {
    cf_skip(s, "not offered");
    return 0;
  }
  st = s->t.op_prepare(s->device, &l->op, &l->kernel, &said);
  if (st) l->kernel = NULL;
  else s->offers = 1;
  return st ? failed(c, "op_prepare", &said, st) : 1;
}

static int run(cf_case *c, cf_live *l, int memory, int with_event) {
  leat_error said = cf_error();
  const char *slot = "memory for the tensors";
  leat_b_kernel *kernel = l->kernel;
  leat_status st = cf_live_buffers(c, l, memory, &said);
  if (!st) slot = "op_enqueue", st = cf_live_enqueue(c, l, with_event, &said);
  if (!st) slot = "reading the results", st = cf_live_fetch(c, l, &said);
  l->kernel = NULL; /* it serves again, with other buffers */
  cf_live_free(c, l);
  l->kernel = kernel;
  return st ? failed(c, slot, &said, st) : 1;
}

int cf_run_once(cf_case *c) {
  cf_live l;
  if (c->s->broken || !prepare(c, &l)) return 0;
  int ok = run(c, &l, CF_OWN, 0);
  cf_live_free(c, &l);
  return ok;
}

static int same_bits(cf_case *c, unsigned char *const first[]) {
  for (int64_t o = 0; o < c->n_out; o++) {
    const cf_tensor *t = c->out[o].same >= 0 ? &c->in[c->out[o].same] : &c->out[o];
    if (first[o] && memcmp(first[o], t->after, block_bytes(t))) return 0;
  }
  return 1;
}

/* Elements alone: what lies between them is not the device's. FNV-1a (Fowler, Noll, Vo). */
static void digest_output(cf_case *c, int64_t o, const unsigned char *bits) {
  const cf_tensor *t = &c->out[o];
  int64_t size = cf_size(t->dtype);
  uint64_t h = c->s->result.digest ? c->s->result.digest : UINT64_C(14695981039346656037);
  for (int64_t k = 0; k < cf_count(t); k++)
    for (int64_t b = 0; b < size; b++) h = (h ^ bits[cf_at(t, k) * size + b]) * UINT64_C(1099511628211);
  c->s->result.digest = h;
}

void cf_check(cf_case *c) {
  cf_suite *s = c->s;
  unsigned char *first[CF_TENSORS] = {NULL};
  cf_live l;
  if (!s->broken && prepare(c, &l)) {
    int64_t turn = s->turn++;
    int ok = run(c, &l, (int)(turn % 3), turn % 2 == 0) && case_compare(c);
    for (int64_t o = 0; o < c->n_out && ok; o++) {
      const cf_tensor *t = c->out[o].same >= 0 ? &c->in[c->out[o].same] : &c->out[o];
      first[o] = cf_take(s, block_bytes(t));
      if (first[o]) memcpy(first[o], t->after, block_bytes(t)), digest_output(c, o, first[o]);
    }
    ok = ok && run(c, &l, (int)((turn + 1) % 3), turn % 2 == 1);
    if (ok && !same_bits(c, first)) {
      cf_fail(s, "%s %s: the same input gave other bits the second time", c->op, c->what);
      ok = 0;
    }
    if (ok) cf_pass(s);
    cf_live_free(c, &l);
  }
  cf_case_end(c);
}
