/* The table of ops, and what every op does alike: checks, arguments, launches. */
#include <stddef.h>
#include <string.h>

#include "ocl_board.h"

static const ocl_op *const families[] = {ocl_ops_matrix, ocl_ops_element, ocl_ops_rows, ocl_ops_norm,
                                         ocl_ops_step, ocl_ops_index, ocl_ops_sparse};

/* ---- shapes */
int64_t ocl_size(int64_t dtype) {
  switch (dtype) {
  case LEAT_F32:
  case LEAT_I32: return 4;
  case LEAT_F16:
  case LEAT_BF16: return 2;
  case LEAT_I8:
  case LEAT_U8: return 1;
  default: return 0;
  }
}

int64_t ocl_count(const leat_b_tensor *t) {
  int64_t n = 1;
  for (int64_t i = 0; i < t->rank; i++) n *= t->shape[i];
  return n;
}

int ocl_is(const leat_b_tensor *t, int64_t dtype, int64_t rank) { return t->dtype == dtype && t->rank == rank; }

int ocl_dense(const leat_b_tensor *t) {
  int64_t last = t->rank - 1;
  if (t->rank < 1) return 0;
  if (t->shape[last] > 1 && t->stride[last] != 1) return 0;
  return t->rank < 2 || t->shape[0] < 2 || t->stride[0] >= t->shape[1];
}

int ocl_matrix(const leat_b_tensor *t) { return ocl_is(t, LEAT_F32, 2) && ocl_dense(t); }
int ocl_vector(const leat_b_tensor *t) { return ocl_is(t, LEAT_F32, 1) && ocl_dense(t); }

int ocl_same(const leat_b_tensor *a, const leat_b_tensor *b) {
  if (a->rank != b->rank) return 0;
  for (int64_t i = 0; i < a->rank; i++)
    if (a->shape[i] != b->shape[i]) return 0;
  return 1;
}

int64_t ocl_row(const leat_b_tensor *t) { return t->rank < 2 || t->shape[0] < 2 ? 0 : t->stride[0]; }

void ocl_flat(const leat_b_tensor *const *t, int n, int64_t *rows, int64_t *cols) {
  int flat = 1;
  *rows = t[0]->rank < 2 ? 1 : t[0]->shape[0];
  *cols = t[0]->shape[t[0]->rank - 1];
  for (int i = 0; i < n; i++) flat = flat && (*rows < 2 || t[i]->stride[0] == *cols);
  if (flat) *cols *= *rows, *rows = 1;
}

double ocl_f(const leat_b_op *op, int64_t i, double fallback) { return i < op->n_attr_f ? op->attr_f[i] : fallback; }
int64_t ocl_i(const leat_b_op *op, int64_t i, int64_t fallback) { return i < op->n_attr_i ? op->attr_i[i] : fallback; }

int64_t ocl_power2(int64_t v) {
  int64_t p = 1;
  while (p < v) p *= 2;
  return p;
}

/* ---- arguments and launches */
leat_status ocl_kernel_make(leat_b_kernel *k, int which, int source, const char *options, const char *name,
                            leat_error *err) {
  cl_program program;
  cl_int code;
  leat_status st = ocl_program_get(k->device, source, options, &program, err);
  if (st) return st;
  k->kernel[which] = clCreateKernel(program, name, &code);
  if (code == CL_SUCCESS) return LEAT_OK;
  k->kernel[which] = NULL;
  return ocl_fail_cl(err, code, "clCreateKernel");
}

void ocl_begin(ocl_run *r, int which) {
  r->kernel = r->prepared->kernel[which];
  r->n_arg = 0;
}

static void set_arg(ocl_run *r, size_t size, const void *value) {
  if (r->code != CL_SUCCESS) return;
  r->code = clSetKernelArg(r->kernel, r->n_arg++, size, value);
  r->call = "clSetKernelArg";
}

void ocl_mem(ocl_run *r, cl_mem mem) { set_arg(r, sizeof mem, mem ? &mem : NULL); }
void ocl_long(ocl_run *r, int64_t v) {
  cl_long x = v;
  set_arg(r, sizeof x, &x);
}
void ocl_int(ocl_run *r, int64_t v) {
  cl_int x = (cl_int)v;
  set_arg(r, sizeof x, &x);
}
void ocl_float(ocl_run *r, double v) {
  cl_float x = (cl_float)v;
  set_arg(r, sizeof x, &x);
}
void ocl_local(ocl_run *r, uint64_t bytes) { set_arg(r, bytes, NULL); }

void ocl_tensor(ocl_run *r, const leat_b_tensor *t) {
  int there = t && t->buffer;
  ocl_mem(r, there ? t->buffer->mem : NULL);
  ocl_long(r, there ? (int64_t)t->offset / ocl_size(t->dtype) : 0);
}

void ocl_go(ocl_run *r, int64_t g0, int64_t g1, int64_t planes, int64_t l0, int64_t l1) {
  size_t local[3] = {(size_t)l0, (size_t)l1, 1};
  size_t global[3] = {(size_t)((g0 + l0 - 1) / l0 * l0), (size_t)((g1 + l1 - 1) / l1 * l1), (size_t)planes};
  if (r->code != CL_SUCCESS || global[0] == 0 || global[1] == 0 || global[2] == 0) return;
  cl_event event = NULL;
  cl_uint dims = planes > 1 ? 3 : global[1] > 1 ? 2 : 1;
  r->code = clEnqueueNDRangeKernel(r->queue->queue, r->kernel, dims, NULL, global, local, r->n_wait,
                                   r->n_wait ? r->wait : NULL, r->want_event ? &event : NULL);
  r->call = "clEnqueueNDRangeKernel";
  if (r->code != CL_SUCCESS) return;
  r->n_wait = 0; /* in order: what follows waits by itself */
  r->enqueued = 1;
  if (event) {
    if (r->last) clReleaseEvent(r->last);
    r->last = event;
  }
}

leat_status ocl_end(ocl_run *r, leat_error *err) {
  return r->code == CL_SUCCESS ? LEAT_OK : ocl_fail_cl(err, r->code, r->call);
}

/* ---- slots */
static const ocl_op *op_find(const leat_b_op *op) {
  for (size_t f = 0; f < sizeof families / sizeof *families; f++)
    for (const ocl_op *o = families[f]; o->name; o++)
      if (!strcmp(o->name, op->name)) return o;
  return NULL;
}

/* Numbers that every op wants to be there, before its own check looks at shapes. */
static int tensors_sane(const leat_b_tensor *t, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (t[i].rank < 0 || t[i].rank > 4 || !ocl_size(t[i].dtype)) return 0;
    for (int64_t d = 0; d < t[i].rank; d++)
      if (t[i].shape[d] < 0 || t[i].shape[d] > INT64_C(0x7fffffff)) return 0;
  }
  return 1;
}

static int op_can(const ocl_op *o, const leat_b_op *op) {
  return o && op->flags == 0 && op->n_attr_f >= o->least_f && op->n_attr_f <= o->most_f && op->n_attr_i >= o->least_i &&
         op->n_attr_i <= o->most_i && tensors_sane(op->in, op->n_in) && tensors_sane(op->out, op->n_out) && o->can(op);
}

leat_status ocl_op_score(leat_b_device *dev, const leat_b_op *op, int64_t *score, leat_error *err) {
  (void)err;
  *score = op_can(op_find(op), op) && (!dev->board || ocl_board_can(dev, op)) ? 100 : 0;
  return LEAT_OK;
}

leat_status ocl_op_prepare(leat_b_device *dev, const leat_b_op *op, leat_b_kernel **out, leat_error *err) {
  const ocl_op *o = op_find(op);
  *out = NULL;
  if (!op_can(o, op) || (dev->board && !ocl_board_can(dev, op))) return ocl_fail(err, LEAT_E_UNSUPPORTED, "this device has no such op: %s", op->name);
  leat_b_kernel *k = ocl_zalloc(dev->self->host, sizeof *k);
  if (!k) return ocl_fail(err, LEAT_E_MEMORY, "no memory for a kernel");
  k->device = dev;
  k->op = o;
  leat_status st = dev->board ? LEAT_OK : o->prepare(k, op, err);
  if (st) ocl_op_free(k);
  else *out = k;
  return st;
}

/* A tensor must lie inside its buffer, whole elements from its start. */
static leat_status tensor_inside(const leat_b_tensor *t, leat_error *err) {
  int64_t low = 0, high = 0, size = ocl_size(t->dtype), step;
  if (ocl_count(t) == 0) return LEAT_OK;
  if (!t->buffer) return ocl_fail(err, LEAT_E_ARG, "a tensor has elements but no buffer");
  for (int64_t d = 0; d < t->rank; d++) {
    if (t->shape[d] < 2) continue;
    if (__builtin_mul_overflow(t->stride[d], t->shape[d] - 1, &step) || step > INT64_MAX / 64 || step < -INT64_MAX / 64)
      return ocl_fail(err, LEAT_E_SHAPE, "a tensor spans more than memory holds");
    if (step < 0) low += step;
    else high += step;
  }
  if (t->offset % (uint64_t)size || t->offset > t->buffer->size || low * size < -(int64_t)t->offset ||
      (uint64_t)((high + 1) * size) > t->buffer->size - t->offset)
    return ocl_fail(err, LEAT_E_RANGE, "a tensor reaches outside its buffer of %llu bytes",
                    (unsigned long long)t->buffer->size);
  return LEAT_OK;
}

static leat_status run_event(ocl_run *r, leat_b_event **done, leat_error *err) {
  if (!r->enqueued && (done || r->n_wait)) { /* nothing to compute: over when everything before it is */
    cl_int code = clEnqueueMarkerWithWaitList(r->queue->queue, r->n_wait, r->n_wait ? r->wait : NULL,
                                              done ? &r->last : NULL);
    if (code != CL_SUCCESS) return ocl_fail_cl(err, code, "clEnqueueMarkerWithWaitList");
  }
  if (!done) return LEAT_OK;
  leat_status st = ocl_event_make(r->queue->device, r->last, done, err);
  r->last = NULL;
  return st;
}

leat_status ocl_op_enqueue(leat_b_queue *q, leat_b_kernel *k, const leat_b_op *op, leat_b_event *const *wait,
                           int64_t n_wait, leat_b_event **done, leat_error *err) {
  cl_event list[OCL_WAITS];
  if (strcmp(op->name, k->op->name) || !op_can(k->op, op))
    return ocl_fail(err, LEAT_E_ARG, "the op is not what the kernel was prepared for");
  leat_status st = ocl_waits(wait, n_wait, list, err);
  for (int64_t i = 0; i < op->n_in && !st; i++) st = tensor_inside(&op->in[i], err);
  for (int64_t i = 0; i < op->n_out && !st; i++) st = tensor_inside(&op->out[i], err);
  if (!st && q->device->board) {
    st = ocl_board_run(q->device, op, err);
    return !st && done ? ocl_event_make(q->device, NULL, done, err) : st;
  }
  if (st) return st;
  ocl_run r = {.queue = q, .prepared = k, .op = op, .wait = list, .n_wait = (cl_uint)n_wait, .want_event = done != NULL};
  st = k->op->run(&r, op, err);
  if (!st) st = run_event(&r, done, err);
  if (r.last) clReleaseEvent(r.last);
  /* An op that could not be enqueued whole has not been promised to anybody: what was enqueued may finish. */
  return st;
}

void ocl_op_free(leat_b_kernel *k) {
  if (!k) return;
  for (int i = 0; i < OCL_KERNELS; i++)
    if (k->kernel[i]) clReleaseKernel(k->kernel[i]);
  ocl_release(k->device->self->host, k, sizeof *k);
}
