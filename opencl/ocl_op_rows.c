/* reduce, softmax, softmax_xent, loss, argmax, top_k. */
#include <stddef.h>

#include "ocl.h"

enum { ROWS_GROUP = 64, REDUCE_ITEMS = 1024, REDUCE_PARTS = 64 };

/* Work items for a row of n: one for short rows, many rows a group; else a whole group a row. */
static int64_t row_lanes(int64_t n) { return n <= 32 ? 1 : ROWS_GROUP; }

static void rows_go(ocl_run *r, int64_t m, int64_t n) {
  int64_t lanes = row_lanes(n);
  ocl_go(r, lanes, m, 1, lanes, ROWS_GROUP / lanes);
}

/* ---- reduce */
static int reduce_can(const leat_b_op *op) {
  const leat_b_tensor *x = op->in, *y = op->out;
  int64_t what = ocl_i(op, 0, -1), axis = ocl_i(op, 1, -1);
  if (op->n_in != 1 || op->n_out != 1 || op->n_attr_f != 2 || op->n_attr_i != 2 || what < 0 || what > 2) return 0;
  if (axis < 0 || axis > 2 || !ocl_matrix(x) || !ocl_vector(y)) return 0;
  return y->shape[0] == (axis == 0 ? x->shape[1] : axis == 1 ? x->shape[0] : 1);
}

static leat_status reduce_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  static const char *const names[3] = {"reduce_rows", "reduce_columns", "reduce_all"};
  leat_status st = ocl_kernel_make(k, 0, OCL_ROWS, "", names[op->attr_i[1]], err);
  if (!st && op->attr_i[1] == 2) st = ocl_kernel_make(k, 1, OCL_ROWS, "", "reduce_columns", err);
  if (!st && op->attr_i[1] == 0) st = ocl_kernel_make(k, 1, OCL_ROWS, "", "reduce_rows", err);
  return st;
}

static void reduce_over_columns(ocl_run *r, int which, cl_mem mem, const leat_b_tensor *x, int64_t m, int64_t n,
                                int64_t what, const leat_b_op *op) {
  ocl_begin(r, which);
  if (mem) {
    ocl_mem(r, mem);
    ocl_long(r, 0);
  } else {
    ocl_tensor(r, x);
  }
  ocl_long(r, mem ? n : ocl_row(x));
  ocl_tensor(r, op->out);
  ocl_long(r, m);
  ocl_long(r, n);
  ocl_int(r, what);
  ocl_float(r, op->attr_f[0]);
  ocl_float(r, op->attr_f[1]);
  ocl_local(r, ROWS_GROUP * sizeof(float));
  rows_go(r, m, n);
}

static leat_status reduce_all_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  int64_t rows, cols, what = op->attr_i[0];
  cl_mem parts;
  ocl_flat((const leat_b_tensor *[]){op->in}, 1, &rows, &cols);
  leat_status st = ocl_queue_scratch(r->queue, 0, REDUCE_ITEMS * sizeof(float), &parts, err);
  if (st) return st;
  ocl_begin(r, 0);
  ocl_tensor(r, op->in);
  ocl_long(r, ocl_row(op->in));
  ocl_mem(r, parts);
  ocl_long(r, rows);
  ocl_long(r, cols);
  ocl_int(r, what);
  ocl_go(r, REDUCE_ITEMS, 1, 1, ROWS_GROUP, 1);
  reduce_over_columns(r, 1, parts, NULL, 1, REDUCE_ITEMS, what == 1 ? 0 : what, op);
  return ocl_end(r, err);
}

static void reduce_over_rows(ocl_run *r, int which, cl_mem from, cl_mem to, int64_t m, int64_t each, int64_t what,
                             const leat_b_op *op) {
  int64_t n = op->out->shape[0], parts = (m + each - 1) / each;
  ocl_begin(r, which);
  if (from) {
    ocl_mem(r, from);
    ocl_long(r, 0);
  } else {
    ocl_tensor(r, op->in);
  }
  ocl_long(r, from ? n : ocl_row(op->in));
  if (to) {
    ocl_mem(r, to);
    ocl_long(r, 0);
  } else {
    ocl_tensor(r, op->out);
  }
  ocl_long(r, n);
  ocl_long(r, m);
  ocl_long(r, n);
  ocl_long(r, each);
  ocl_int(r, what);
  ocl_float(r, to ? 1 : op->attr_f[0]);
  ocl_float(r, to ? 0 : op->attr_f[1]);
  int64_t width = r->prepared->device->slot->vector;
  ocl_go(r, (n + width - 1) / width, parts > 0 ? parts : 1, 1, 16, 1);
}

/* Many rows in two stages: parts of rows side by side, then the parts. */
static leat_status reduce_rows_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  int64_t m = op->in->shape[0], n = op->in->shape[1], what = op->attr_i[0];
  if (m < 2 * REDUCE_PARTS) {
    reduce_over_rows(r, 0, NULL, NULL, m, m > 0 ? m : 1, what, op);
    return ocl_end(r, err);
  }
  int64_t each = (m + REDUCE_PARTS - 1) / REDUCE_PARTS, parts = (m + each - 1) / each;
  cl_mem mem;
  leat_status st = ocl_queue_scratch(r->queue, 0, (uint64_t)(parts * n) * sizeof(float) + 4, &mem, err);
  if (st) return st;
  reduce_over_rows(r, 0, NULL, mem, m, each, what, op);
  reduce_over_rows(r, 1, mem, NULL, parts, parts, what == 1 ? 0 : what, op);
  return ocl_end(r, err);
}

static leat_status reduce_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  if (op->attr_i[1] == 2) return reduce_all_run(r, op, err);
  if (op->attr_i[1] == 0) return reduce_rows_run(r, op, err);
  reduce_over_columns(r, 0, NULL, op->in, op->in->shape[0], op->in->shape[1], op->attr_i[0], op);
  return ocl_end(r, err);
}

/* ---- softmax */
static int softmax_can(const leat_b_op *op) {
  return op->n_in == 1 && op->n_out == 1 && ocl_matrix(op->in) && ocl_matrix(op->out) && ocl_same(op->in, op->out);
}
static leat_status softmax_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_ROWS, "", "softmax", err);
}
static leat_status softmax_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  int64_t m = op->in->shape[0], n = op->in->shape[1];
  if (n == 0) return LEAT_OK;
  ocl_begin(r, 0);
  ocl_tensor(r, op->in);
  ocl_long(r, ocl_row(op->in));
  ocl_tensor(r, op->out);
  ocl_long(r, ocl_row(op->out));
  ocl_long(r, m);
  ocl_long(r, n);
  ocl_local(r, ROWS_GROUP * sizeof(float));
  rows_go(r, m, n);
  return ocl_end(r, err);
}

static int xent_can(const leat_b_op *op) {
  const leat_b_tensor *x = op->in, *y = op->in + 1, *loss = op->out;
  if (op->n_in < 2 || op->n_in > 3 || op->n_out < 1 || op->n_out > 2 || op->n_attr_f != 1) return 0;
  if (!ocl_matrix(x) || !ocl_is(y, LEAT_I32, 1) || !ocl_dense(y) || !ocl_vector(loss)) return 0;
  if (y->shape[0] != x->shape[0] || loss->shape[0] != x->shape[0]) return 0;
  if (op->n_in == 3 && (!ocl_vector(op->in + 2) || op->in[2].shape[0] != x->shape[0])) return 0;
  return op->n_out == 1 || (ocl_matrix(op->out + 1) && ocl_same(x, op->out + 1));
}
static leat_status xent_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_ROWS, "", "softmax_xent", err);
}
static leat_status xent_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  const leat_b_tensor *w = op->n_in > 2 ? op->in + 2 : NULL, *dx = op->n_out > 1 ? op->out + 1 : NULL;
  int64_t m = op->in->shape[0], n = op->in->shape[1];
  ocl_begin(r, 0);
  ocl_tensor(r, op->in);
  ocl_long(r, ocl_row(op->in));
  ocl_tensor(r, op->in + 1);
  ocl_tensor(r, w);
  ocl_int(r, w != NULL);
  ocl_tensor(r, op->out);
  ocl_tensor(r, dx);
  ocl_long(r, dx ? ocl_row(dx) : 0);
  ocl_int(r, dx != NULL);
  ocl_long(r, m);
  ocl_long(r, n);
  ocl_float(r, op->attr_f[0]);
  ocl_local(r, ROWS_GROUP * sizeof(float));
  rows_go(r, m, n);
  return ocl_end(r, err);
}

/* ---- loss */
static int loss_can(const leat_b_op *op) {
  int64_t which = ocl_i(op, 0, -1), m = op->n_in > 0 ? op->in->shape[0] : 0;
  if (op->n_in < 2 || op->n_in > 3 || op->n_out < 1 || op->n_out > 2 || which < 0 || which > 6) return 0;
  for (int64_t i = 0; i < op->n_in; i++)
    if (!ocl_vector(op->in + i) || op->in[i].shape[0] != m) return 0;
  for (int64_t i = 0; i < op->n_out; i++)
    if (!ocl_vector(op->out + i) || op->out[i].shape[0] != m) return 0;
  return 1;
}
static leat_status loss_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_LOSS, "", "loss", err);
}
static leat_status loss_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  const leat_b_tensor *w = op->n_in > 2 ? op->in + 2 : NULL, *df = op->n_out > 1 ? op->out + 1 : NULL;
  ocl_begin(r, 0);
  ocl_tensor(r, op->in);
  ocl_tensor(r, op->in + 1);
  ocl_tensor(r, w);
  ocl_int(r, w != NULL);
  ocl_tensor(r, op->out);
  ocl_tensor(r, df);
  ocl_int(r, df != NULL);
  ocl_long(r, op->in->shape[0]);
  ocl_float(r, ocl_f(op, 0, 1));
  ocl_float(r, ocl_f(op, 1, 0));
  ocl_int(r, op->attr_i[0]);
  ocl_go(r, op->in->shape[0], 1, 1, ROWS_GROUP, 1);
  return ocl_end(r, err);
}

/* ---- argmax, top_k */
static int argmax_can(const leat_b_op *op) {
  return op->n_in == 1 && op->n_out == 1 && ocl_matrix(op->in) && ocl_is(op->out, LEAT_I32, 1) && ocl_dense(op->out) &&
         op->in->shape[1] > 0 && op->out->shape[0] == op->in->shape[0];
}
static leat_status argmax_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_ROWS, "", "argmax", err);
}
static leat_status argmax_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  int64_t m = op->in->shape[0], n = op->in->shape[1];
  ocl_begin(r, 0);
  ocl_tensor(r, op->in);
  ocl_long(r, ocl_row(op->in));
  ocl_tensor(r, op->out);
  ocl_long(r, m);
  ocl_long(r, n);
  ocl_local(r, ROWS_GROUP * sizeof(float));
  ocl_local(r, ROWS_GROUP * sizeof(cl_int));
  rows_go(r, m, n);
  return ocl_end(r, err);
}

static int top_k_can(const leat_b_op *op) {
  const leat_b_tensor *x = op->in, *value = op->out, *index = op->out + 1;
  return op->n_in == 1 && op->n_out == 2 && ocl_matrix(x) && ocl_matrix(value) && ocl_is(index, LEAT_I32, 2) &&
         ocl_dense(index) && ocl_same(value, index) && value->shape[0] == x->shape[0] && value->shape[1] <= x->shape[1];
}
static leat_status top_k_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_ROWS, "", "top_k", err);
}
static leat_status top_k_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  const leat_b_tensor *t[3] = {op->in, op->out, op->out + 1};
  ocl_begin(r, 0);
  for (int i = 0; i < 3; i++) {
    ocl_tensor(r, t[i]);
    ocl_long(r, ocl_row(t[i]));
  }
  ocl_long(r, op->in->shape[0]);
  ocl_long(r, op->in->shape[1]);
  ocl_long(r, op->out->shape[1]);
  ocl_go(r, op->in->shape[0], 1, 1, ROWS_GROUP, 1);
  return ocl_end(r, err);
}

const ocl_op ocl_ops_rows[] = {
    {"reduce", 2, 2, 2, 2, reduce_can, reduce_prepare, reduce_run},
    {"softmax", 0, 0, 0, 0, softmax_can, softmax_prepare, softmax_run},
    {"softmax_xent", 1, 1, 0, 0, xent_can, xent_prepare, xent_run},
    {"loss", 3, 3, 1, 1, loss_can, loss_prepare, loss_run},
    {"argmax", 0, 0, 0, 0, argmax_can, argmax_prepare, argmax_run},
    {"top_k", 0, 0, 0, 0, top_k_can, top_k_prepare, top_k_run},
    {.name = NULL}};
