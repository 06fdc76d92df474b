/* Running an op on a device: the arrays become tensors in wrapped or copied buffers, the device computes, results come
 * back. What a device cannot do is done by the CPU and counted. */
#include "device/host_device.h"
#include "device/op.h"
#include "device/registry.h"

#include <stddef.h>
#include <string.h>

enum { RUN_TENSORS = 3 };
typedef struct run_state {
  const leat_b_backend *t;
  leat_b_device *device;
  leat_b_op op;
  leat_b_tensor tensor[RUN_TENSORS];
  lt_view view[RUN_TENSORS];
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

/* Buffer i around the bytes of view i: the host's own memory where the device takes it, else memory of the device. */
static leat_status run_buffer(run_state *s, int i, leat_error *err) {
  const leat_b_backend *t = s->t;
  const lt_view *v = &s->view[i];
  uint64_t size = (uint64_t)(v->high - v->low);
  char *base = (char *)(uintptr_t)v->data + v->low;
  leat_status st = LEAT_E_UNSUPPORTED;
  s->tensor[i].offset = (uint64_t)-v->low;
  if (size == 0) return LEAT_OK;
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

static leat_status run_back(run_state *s, int i, leat_error *err) {
  const lt_view *v = &s->view[i];
  leat_b_copy copy = {sizeof copy, NULL, s->buffer[i], (char *)(uintptr_t)v->data + v->low, 0, 0,
                      (uint64_t)(v->high - v->low), NULL, 0};
  return s->copied[i] && v->written ? s->t->queue_copy(s->queue, &copy, NULL, err) : LEAT_OK;
}

static leat_status run_steps(run_state *s, const char **slot, leat_error *said) {
  leat_status st;
  *slot = "queue_create";
  if ((st = s->t->queue_create(s->device, 0, &s->queue, said)) != 0) return st;
  *slot = "a buffer";
  for (int i = 0; i < RUN_TENSORS; i++)
    if ((st = run_buffer(s, i, said)) != 0) return st;
  *slot = "op_prepare";
  if ((st = s->t->op_prepare(s->device, &s->op, &s->kernel, said)) != 0) return st;
  *slot = "op_enqueue";
  if ((st = s->t->op_enqueue(s->queue, s->kernel, &s->op, NULL, 0, NULL, said)) != 0) return st;
  *slot = "queue_copy";
  for (int i = 0; i < RUN_TENSORS; i++)
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
  st = s->t->op_score(s->device, &s->op, &score, &said);
  if (!st && score > 0) {
    st = run_steps(s, &slot, &said);
    *done = st != LEAT_E_UNSUPPORTED; /* said late: nothing is written yet, the CPU can do it */
  }
  if (s->kernel) s->t->op_free(s->kernel);
  for (int i = 0; i < RUN_TENSORS; i++)
    if (s->buffer[i]) s->t->buffer_free(s->buffer[i]);
  if (s->queue) s->t->queue_free(s->queue);
  if (alone) lt_mutex_unlock(&dev->lock);
  return st && st != LEAT_E_UNSUPPORTED ? lt_device_failed(dev, slot, st, &said, err) : LEAT_OK;
}

/* An op of two inputs, one output and two numbers, on dev or on the CPU. */
static leat_status run_op(const leat_device *dev, const char *name, const lt_view v[RUN_TENSORS], const double attr[2],
                          leat_error *err) {
  run_state s;
  int done = 0;
  for (int turn = 0; turn < 2 && !done; turn++) {
    leat_device *on = (leat_device *)(uintptr_t)(turn ? lt_devices_cpu(dev->backend->rt) : dev);
    memset(&s, 0, sizeof s);
    s.t = &on->backend->table;
    s.op = (leat_b_op){sizeof s.op, name, 2, 1, s.tensor, s.tensor + 2, attr, NULL, 2, 0, 0};
    for (int i = 0; i < RUN_TENSORS; i++) {
      s.view[i] = v[i];
      s.tensor[i] = (leat_b_tensor){sizeof s.tensor[i], NULL, 0, LEAT_F32, v[i].rank, {0}, {0}};
      memcpy(s.tensor[i].shape, v[i].shape, sizeof v[i].shape);
      memcpy(s.tensor[i].stride, v[i].stride, sizeof v[i].stride);
    }
    if (turn) lt_runtime_count_fallback(on->backend->rt, 1);
    if (!run_has_slots(s.t)) continue;
    leat_status st = run_on(on, &s, &done, err);
    if (st) return st;
  }
  return done ? LEAT_OK : lt_fail(err, LEAT_E_INTERNAL, "the CPU has no op %s", name);
}

leat_status lt_device_gemm(const leat_device *dev, const lt_gemm *g, leat_error *err) {
  lt_view v[3];
  double attr[2] = {(double)g->alpha, (double)g->beta};
  leat_status st = lt_gemm_check(g, v, err);
  return st || lt_view_empty(&v[2]) ? st : run_op(dev, "gemm", v, attr, err);
}

leat_status lt_device_gemv(const leat_device *dev, const lt_gemv *g, leat_error *err) {
  lt_view v[3];
  double attr[2] = {(double)g->alpha, (double)g->beta};
  leat_status st = lt_gemv_check(g, v, err);
  return st || lt_view_empty(&v[2]) ? st : run_op(dev, "gemv", v, attr, err);
}

leat_status lt_cpu_gemm64(leat_runtime *rt, const lt_gemm64 *g, leat_error *err) {
  lt_view v[3];
  /* The same shapes as in float; only the element's size differs. */
  lt_gemm shape = {g->m, g->n, g->k, 0, 0, (const float *)(const void *)g->a, (const float *)(const void *)g->b,
                   (float *)(void *)g->c, g->a_rs, g->a_cs, g->b_rs, g->b_cs, g->c_rs, g->c_cs};
  leat_status st = lt_gemm_check(&shape, v, err);
  return st ? st : lt_cpu_dgemm(lt_devices_cpu(rt)->backend->table.self, g, err);
}
