/* gather, scatter_add, histogram. */
#include <stddef.h>

#include "ocl.h"

/* Work items that share one column's rows. Each goes through all indices; the sums do not depend on how many there are. */
static int64_t parts_of(const leat_b_device *dev, int64_t lanes, int64_t rows) {
  int64_t want = dev->slot->props.kind == LEAT_CPU ? 4 : 4096 / ocl_power2(lanes > 0 ? lanes : 1);
  if (want < 1) want = 1;
  return want < rows ? want : rows > 0 ? rows : 1;
}

static int is_index(const leat_b_tensor *t) { return ocl_is(t, LEAT_I32, 2) && ocl_dense(t); }

static int gather_can(const leat_b_op *op) {
  const leat_b_tensor *table = op->in, *index = op->in + 1, *y = op->out;
  if (op->n_in != 2 || op->n_out != 1 || !is_index(index)) return 0;
  if (!(ocl_matrix(table) && ocl_matrix(y)) && !(is_index(table) && is_index(y))) return 0;
  return y->shape[0] == index->shape[0] && y->shape[1] == index->shape[1] * table->shape[1];
}
static leat_status gather_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_INDEX, "", "gather", err);
}
static leat_status gather_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  const leat_b_tensor *t[3] = {op->in, op->in + 1, op->out};
  ocl_begin(r, 0);
  for (int i = 0; i < 3; i++) {
    ocl_tensor(r, t[i]);
    ocl_long(r, ocl_row(t[i]));
  }
  ocl_long(r, op->in->shape[0]);
  ocl_long(r, op->in->shape[1]);
  ocl_long(r, op->in[1].shape[1]);
  int64_t width = r->prepared->device->slot->vector;
  ocl_go(r, (op->in->shape[1] + width - 1) / width, op->in[1].shape[0] * op->in[1].shape[1], 1, 16, 1);
  return ocl_end(r, err);
}

static int scatter_can(const leat_b_op *op) {
  const leat_b_tensor *d = op->in, *index = op->in + 1, *table = op->out;
  return op->n_in == 2 && op->n_out == 1 && op->n_attr_f == 2 && ocl_matrix(d) && is_index(index) && ocl_matrix(table) &&
         d->shape[0] == index->shape[0] && d->shape[1] == index->shape[1] * table->shape[1];
}
static leat_status scatter_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_INDEX, "", "scatter_add", err);
}
static leat_status scatter_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  const leat_b_tensor *t[3] = {op->in, op->in + 1, op->out};
  int64_t v = op->out->shape[0], w = op->out->shape[1], parts = parts_of(r->queue->device, w, v);
  ocl_begin(r, 0);
  for (int i = 0; i < 3; i++) {
    ocl_tensor(r, t[i]);
    ocl_long(r, ocl_row(t[i]));
  }
  ocl_long(r, op->in[1].shape[0]);
  ocl_long(r, op->in[1].shape[1]);
  ocl_long(r, v);
  ocl_long(r, w);
  ocl_float(r, op->attr_f[0]);
  ocl_float(r, op->attr_f[1]);
  ocl_int(r, parts);
  ocl_go(r, w, parts, 1, 16, 1);
  return ocl_end(r, err);
}

static int histogram_can(const leat_b_op *op) {
  const leat_b_tensor *code = op->in, *hist = op->out;
  if (op->n_in != 3 || op->n_out != 1 || op->n_attr_f != 1 || !ocl_is(code, LEAT_U8, 2) || !ocl_dense(code)) return 0;
  for (int i = 1; i < 3; i++)
    if (!ocl_vector(op->in + i) || op->in[i].shape[0] != code->shape[0]) return 0;
  return ocl_is(hist, LEAT_F32, 3) && hist->shape[0] == code->shape[1] && hist->shape[2] == 2 && hist->stride[2] == 1 &&
         (hist->shape[1] < 2 || hist->stride[1] >= 2);
}
static leat_status histogram_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_INDEX, "", "histogram", err);
}
static leat_status histogram_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  const leat_b_tensor *code = op->in, *hist = op->out;
  int64_t f = code->shape[1], bins = hist->shape[1], parts = parts_of(r->queue->device, f, bins);
  if (bins == 0) return LEAT_OK;
  ocl_begin(r, 0);
  ocl_tensor(r, code);
  ocl_long(r, ocl_row(code));
  ocl_tensor(r, op->in + 1);
  ocl_tensor(r, op->in + 2);
  ocl_tensor(r, hist);
  ocl_long(r, hist->stride[0]);
  ocl_long(r, hist->stride[1]);
  ocl_long(r, code->shape[0]);
  ocl_long(r, f);
  ocl_int(r, bins);
  ocl_float(r, op->attr_f[0]);
  ocl_int(r, parts);
  ocl_go(r, f, parts, 1, 16, 1);
  return ocl_end(r, err);
}

const ocl_op ocl_ops_index[] = {
    {"gather", 0, 0, 0, 0, gather_can, gather_prepare, gather_run},
    {"scatter_add", 2, 2, 0, 0, scatter_can, scatter_prepare, scatter_run},
    {"histogram", 1, 1, 0, 0, histogram_can, histogram_prepare, histogram_run},
    {.name = NULL}};
