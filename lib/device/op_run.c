/* Running an op on a device: the arrays become tensors in wrapped or copied buffers, the device computes, results come
 * back. What a device cannot do is done by the CPU and counted. */
#include "device/host_device.h"
#include "device/ops.h"
#include "device/registry.h"

#include <stddef.h>
#include <string.h>

enum { RUN_TENSORS = 2 * LT_OP_TENSORS };
typedef struct run_state {
  const leat_b_backend *t;
  leat_b_device *device;
  leat_b_op op;
  int64_t n; /* tensors: inputs, then outputs */
  leat_b_tensor tensor[RUN_TENSORS];
  const lt_view *view[RUN_TENSORS];
  leat_b_buffer *buffer[RUN_TENSORS];
  int32_t copied[RUN_TENSORS];
  leat_b_queue *queue;
  leat_b_kernel *kernel;
} run_state;

leat_status lt_device_failed(const leat_device *dev, const char *slot, leat_status st, leat_error *said, leat_error *err) {
  said->message[sizeof said->message - 1] = 0;
  return lt_fail_os(err, st < 0 ? st : LEAT_E_BACKEND, said->os_code, "device %s: %s failed: %s", dev->name, slot,
                    said->message[0] ? said->message : "no reason given");
}

static int run_has_slots(const leat_b_backend *t) {
  int memory = t->buffer_wrap || (t->buffer_alloc && t->queue_copy);
  return memory && t->device_open && t->buffer_free && t->queue_create && t->queue_free && t->queue_finish &&
         t->op_score && t->op_prepare && t->op_enqueue && t->op_free;
}

/* In place: an output that lies where an input does is the same buffer. -1: none. */
static int64_t run_same(const run_state *s, int64_t i) {
  const lt_view *v = s->view[i];
  for (int64_t k = 0; k < s->op.n_in && v->written && v->high; k++)
    if (s->view[k]->data == v->data && s->view[k]->low == v->low && s->view[k]->high == v->high) return k;
  return -1;
}

/* Buffer i around the bytes of view i: the host's own memory where the device takes it, else memory of the device. */
static leat_status run_buffer(run_state *s, int64_t i, leat_error *err) {
  const leat_b_backend *t = s->t;
  const lt_view *v = s->view[i];
  int64_t same = run_same(s, i);
  uint64_t size = (uint64_t)(v->high - v->low);
  char *base = (char *)(uintptr_t)v->data + v->low;
  leat_status st = LEAT_E_UNSUPPORTED;
  s->tensor[i].offset = (uint64_t)-v->low;
  if (size == 0) return LEAT_OK;
  if (same >= 0) {
    s->tensor[i].buffer = s->tensor[same].buffer;
    return LEAT_OK;
  }
  if (t->buffer_wrap) st = t->buffer_wrap(s->device, base, size, &s->buffer[i], err);
  if (st == LEAT_E_UNSUPPORTED && t->buffer_alloc && t->queue_copy) {
    s->buffer[i] = NULL;
    st = t->buffer_alloc(s->device, 0, size, 64, &s->buffer[i], err);
    if (st) return st;
    s->copied[i] = 1;
    leat_b_copy copy = {sizeof copy, s->buffer[i], NULL, base, 0, 0, size, NULL, 0};
    st = t->queue_copy(s->queue, &copy, NULL, err);
  }
  s->tensor[i].buffer = s->buffer[i];
  return st;
}

static leat_status run_back(run_state *s, int64_t i, leat_error *err) {
  const lt_view *v = s->view[i];
  int64_t same = run_same(s, i);
  leat_b_copy copy = {sizeof copy, NULL, s->tensor[i].buffer, (char *)(uintptr_t)v->data + v->low, 0, 0,
                      (uint64_t)(v->high - v->low), NULL, 0};
  return s->copied[same >= 0 ? same : i] && v->written && v->high ? s->t->queue_copy(s->queue, &copy, NULL, err) : LEAT_OK;
}

static leat_status run_steps(run_state *s, const char **slot, leat_error *said) {
  leat_status st;
  *slot = "queue_create";
  if ((st = s->t->queue_create(s->device, 0, &s->queue, said)) != 0) return st;
  *slot = "a buffer";
  for (int64_t i = 0; i < s->n; i++)
    if ((st = run_buffer(s, i, said)) != 0) return st;
  *slot = "op_prepare";
  if ((st = s->t->op_prepare(s->device, &s->op, &s->kernel, said)) != 0) return st;
  *slot = "op_enqueue";
  if ((st = s->t->op_enqueue(s->queue, s->kernel, &s->op, NULL, 0, NULL, said)) != 0) return st;
  *slot = "queue_copy";
  for (int64_t i = 0; i < s->n; i++)
    if ((st = run_back(s, i, said)) != 0) return st;
  *slot = "queue_finish";
  return s->t->queue_finish(s->queue, said);
}

/* *done 0: the device cannot do it. The lock is for plug-ins; the built-in devices are safe without. */
static leat_status run_on(leat_device *dev, run_state *s, int *done, leat_error *err) {
  leat_error said;
  const char *slot = "op_score";
  int64_t score = 0;
  int alone = !dev->backend->built_in;
  memset(&said, 0, sizeof said);
  said.struct_size = sizeof said;
  *done = 0;
  leat_status st = lt_device_ready(dev, err);
  if (st) return st;
  s->device = dev->open;
  if (alone) lt_mutex_lock(&dev->lock);
  if (alone) st = s->t->op_score(s->device, &s->op, &score, &said);
  else score = 1; /* the built-in ones have every op */
  if (!st && score > 0) {
    st = run_steps(s, &slot, &said);
    *done = st != LEAT_E_UNSUPPORTED; /* said late: nothing is written yet, the CPU can do it */
  }
  if (s->kernel) s->t->op_free(s->kernel);
  for (int64_t i = 0; i < s->n; i++)
    if (s->buffer[i]) s->t->buffer_free(s->buffer[i]);
  if (s->queue) s->t->queue_free(s->queue);
  if (alone) lt_mutex_unlock(&dev->lock);
  return st && st != LEAT_E_UNSUPPORTED ? lt_device_failed(dev, slot, st, &said, err) : LEAT_OK;
}

static void run_fill(run_state *s, const char *name, const lt_op_args *a) {
  s->n = a->n_in + a->n_out;
  s->op = (leat_b_op){sizeof s->op, name, a->n_in, a->n_out, s->tensor, s->tensor + a->n_in, a->f, a->i, a->n_f, a->n_i, 0};
  for (int64_t i = 0; i < s->n; i++) {
    const lt_view *v = i < a->n_in ? &a->in[i] : &a->out[i - a->n_in];
    s->view[i] = v;
    s->tensor[i] = (leat_b_tensor){sizeof s->tensor[i], NULL, 0, v->dtype, v->rank, {0}, {0}};
    memcpy(s->tensor[i].shape, v->shape, sizeof v->shape);
    memcpy(s->tensor[i].stride, v->stride, sizeof v->stride);
    s->buffer[i] = NULL;
    s->copied[i] = 0;
  }
  s->queue = NULL;
  s->kernel = NULL;
}

static leat_status run_checked(const leat_device *dev, const char *name, const lt_op_args *a, leat_error *err) {
  run_state s;
  int done = 0;
  for (int turn = 0; turn < 2 && !done; turn++) {
    leat_device *on = (leat_device *)(uintptr_t)(turn ? lt_devices_cpu(dev->backend->rt) : dev);
    s.t = &on->backend->table;
    run_fill(&s, name, a);
    if (turn) lt_runtime_count_fallback(on->backend->rt, 1);
    if (!run_has_slots(s.t)) continue;
    leat_status st = run_on(on, &s, &done, err);
    if (st) return st;
  }
  return done ? LEAT_OK : lt_fail(err, LEAT_E_INTERNAL, "the CPU has no op %s", name);
}

static leat_status run_data(const lt_view *given, lt_view *checked, int64_t n, leat_error *err) {
  for (int64_t i = 0; i < n; i++) {
    checked[i].data = given[i].data;
    if (!given[i].data && checked[i].high) return lt_fail(err, LEAT_E_ARG, "%s is NULL", checked[i].name);
  }
  return LEAT_OK;
}

leat_status lt_device_run(const leat_device *dev, const char *name, const lt_op_args *a, leat_error *err) {
  const lt_op_def *def = lt_op_find(name);
  run_state s;
  lt_op_args checked; /* filled as far as there are tensors */
  if (!def) return lt_fail(err, LEAT_E_NOT_FOUND, "there is no op %s", name);
  if (a->n_in < 0 || a->n_in > LT_OP_TENSORS || a->n_out < 0 || a->n_out > LT_OP_TENSORS)
    return lt_fail(err, LEAT_E_ARG, "%s: %lld inputs, %lld outputs", name, (long long)a->n_in, (long long)a->n_out);
  run_fill(&s, name, a);
  leat_status st = lt_op_take(def, &s.op, &checked, err);
  if (st || (st = run_data(a->in, checked.in, a->n_in, err)) != 0 ||
      (st = run_data(a->out, checked.out, a->n_out, err)) != 0 || lt_op_empty(&checked))
    return st;
  return run_checked(dev, name, &checked, err);
}

/* ---- products */
static lt_view strided(const float *data, int64_t rows, int64_t cols, int64_t rs, int64_t cs) {
  return (lt_view){.data = data, .rank = 2, .shape = {rows, cols}, .stride = {rs, cs}, .dtype = LEAT_F32};
}

leat_status lt_device_gemm(const leat_device *dev, const lt_gemm *g, leat_error *err) {
  double attr[2] = {(double)g->alpha, (double)g->beta};
  int64_t act = g->act;
  lt_op_args a;
  a.n_in = g->bias ? 3 : 2, a.n_out = 1;
  a.in[0] = strided(g->a, g->m, g->k, g->a_rs, g->a_cs);
  a.in[1] = strided(g->b, g->k, g->n, g->b_rs, g->b_cs);
  a.in[2] = lt_view_vector(g->bias, g->n);
  a.out[0] = strided(g->c, g->m, g->n, g->c_rs, g->c_cs);
  a.f = attr, a.i = &act, a.n_f = 2, a.n_i = act ? 1 : 0;
  return lt_device_run(dev, "gemm", &a, err);
}

leat_status lt_device_gemv(const leat_device *dev, const lt_gemv *g, leat_error *err) {
  double attr[2] = {(double)g->alpha, (double)g->beta};
  lt_op_args a;
  a.n_in = 2, a.n_out = 1;
  a.in[0] = strided(g->a, g->m, g->n, g->a_rs, g->a_cs);
  a.in[1] = lt_view_vector(g->x, g->n);
  a.in[1].stride[0] = g->x_s;
  a.out[0] = lt_view_vector(g->y, g->m);
  a.out[0].stride[0] = g->y_s;
  a.f = attr, a.i = NULL, a.n_f = 2, a.n_i = 0;
  return lt_device_run(dev, "gemv", &a, err);
}

leat_status lt_cpu_gemm64(leat_runtime *rt, const lt_gemm64 *g, leat_error *err) {
  lt_view v[3] = {{.name = "a", .data = g->a, .shape = {g->m, g->k}, .stride = {g->a_rs, g->a_cs}},
                  {.name = "b", .data = g->b, .shape = {g->k, g->n}, .stride = {g->b_rs, g->b_cs}},
                  {.name = "c", .data = g->c, .shape = {g->m, g->n}, .stride = {g->c_rs, g->c_cs}, .written = 1}};
  leat_status st = LEAT_OK;
  for (int i = 0; i < 3 && !st; i++) {
    v[i].rank = 2, v[i].size = (int64_t)sizeof(double);
    st = lt_view_span(&v[i], err);
    if (!st && v[i].high && !v[i].data) st = lt_fail(err, LEAT_E_ARG, "%s is NULL", v[i].name);
  }
  return st ? st : lt_cpu_dgemm(lt_devices_cpu(rt)->backend->table.self, g, err);
}
