/* map, map_grad, binary, fill, copy, dropout. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "ocl.h"

enum { ELEMENT_GROUP = 64 };

static leat_status element_kernel(leat_b_kernel *k, const char *family, int64_t which, leat_error *err) {
  char name[32];
  snprintf(name, sizeof name, "%s_%lld", family, (long long)which);
  return ocl_kernel_make(k, 0, OCL_ELEMENT, "", name, err);
}

static void tensor_row(ocl_run *r, const leat_b_tensor *t) {
  ocl_tensor(r, t);
  ocl_long(r, ocl_row(t));
}

/* All of the tensors have one shape. */
static void element_go(ocl_run *r, int64_t rows, int64_t cols) {
  int64_t width = r->prepared->device->slot->vector;
  ocl_go(r, (cols + width - 1) / width, rows, 1, ELEMENT_GROUP, 1);
}

static int map_can(const leat_b_op *op) {
  int64_t f = ocl_i(op, 0, -1);
  return op->n_in == 1 && op->n_out == 1 && f >= 0 && f <= 9 && ocl_matrix(op->in) && ocl_matrix(op->out) &&
         ocl_same(op->in, op->out);
}
static leat_status map_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  return element_kernel(k, "map", op->attr_i[0], err);
}
static leat_status map_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  int64_t rows, cols;
  ocl_flat((const leat_b_tensor *[]){op->in, op->out}, 2, &rows, &cols);
  ocl_begin(r, 0);
  tensor_row(r, op->in);
  tensor_row(r, op->out);
  ocl_long(r, cols);
  element_go(r, rows, cols);
  return ocl_end(r, err);
}

static int grad_can(const leat_b_op *op) {
  int64_t f = ocl_i(op, 0, -1);
  return op->n_in == 2 && op->n_out == 1 && f >= 1 && f <= 9 && ocl_matrix(op->in) && ocl_matrix(op->in + 1) &&
         ocl_matrix(op->out) && ocl_same(op->in, op->out) && ocl_same(op->in, op->in + 1);
}
static leat_status grad_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  return element_kernel(k, "grad", op->attr_i[0], err);
}
static leat_status grad_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  int64_t rows, cols;
  ocl_flat((const leat_b_tensor *[]){op->in, op->in + 1, op->out}, 3, &rows, &cols);
  ocl_begin(r, 0);
  tensor_row(r, op->in);
  tensor_row(r, op->in + 1);
  tensor_row(r, op->out);
  ocl_long(r, cols);
  element_go(r, rows, cols);
  return ocl_end(r, err);
}

static int binary_can(const leat_b_op *op) {
  const leat_b_tensor *a = op->in, *b = op->in + 1, *c = op->out;
  int64_t which = ocl_i(op, 0, -1);
  if (op->n_in != 2 || op->n_out != 1 || op->n_attr_f != 2 || which < 0 || which > 5) return 0;
  if (!ocl_matrix(a) || !ocl_matrix(c) || !ocl_same(a, c)) return 0;
  return ocl_matrix(b) ? ocl_same(a, b) : ocl_vector(b) && b->shape[0] == a->shape[1];
}
static leat_status binary_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  return element_kernel(k, "binary", op->attr_i[0], err);
}
static leat_status binary_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  int64_t rows = op->out->shape[0], cols = op->out->shape[1];
  if (op->in[1].rank == 2) ocl_flat((const leat_b_tensor *[]){op->in, op->in + 1, op->out}, 3, &rows, &cols);
  ocl_begin(r, 0);
  tensor_row(r, op->in);
  tensor_row(r, op->in + 1);
  tensor_row(r, op->out);
  ocl_long(r, cols);
  ocl_float(r, op->attr_f[0]);
  ocl_float(r, op->attr_f[1]);
  element_go(r, rows, cols);
  return ocl_end(r, err);
}

static int fill_can(const leat_b_op *op) {
  return op->n_in == 0 && op->n_out == 1 && op->n_attr_f == 1 && (ocl_matrix(op->out) || ocl_vector(op->out));
}
static leat_status fill_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_ELEMENT, "", "fill", err);
}
static leat_status fill_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  int64_t rows, cols;
  ocl_flat((const leat_b_tensor *[]){op->out}, 1, &rows, &cols);
  ocl_begin(r, 0);
  tensor_row(r, op->out);
  ocl_long(r, cols);
  ocl_float(r, op->attr_f[0]);
  element_go(r, rows, cols);
  return ocl_end(r, err);
}

static int is_float(int64_t dtype) { return dtype == LEAT_F32 || dtype == LEAT_F16 || dtype == LEAT_BF16; }

static int copy_can(const leat_b_op *op) {
  const leat_b_tensor *x = op->in, *y = op->out;
  if (op->n_in != 1 || op->n_out != 1 || (x->rank != 1 && x->rank != 2) || !ocl_same(x, y)) return 0;
  if (!ocl_dense(x) || !ocl_dense(y)) return 0;
  return (is_float(x->dtype) && is_float(y->dtype)) || (x->dtype == LEAT_I32 && y->dtype == LEAT_I32) ||
         (x->dtype == LEAT_U8 && y->dtype == LEAT_F32);
}
static leat_status copy_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  k->choice[0] = op->in->dtype != op->out->dtype || ocl_size(op->in->dtype) != 4;
  return ocl_kernel_make(k, 0, OCL_ELEMENT, "", k->choice[0] ? "copy_types" : "copy_32", err);
}
static leat_status copy_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  int64_t rows, cols;
  ocl_flat((const leat_b_tensor *[]){op->in, op->out}, 2, &rows, &cols);
  ocl_begin(r, 0);
  tensor_row(r, op->in);
  if (r->prepared->choice[0]) ocl_int(r, op->in->dtype);
  tensor_row(r, op->out);
  if (r->prepared->choice[0]) ocl_int(r, op->out->dtype);
  ocl_long(r, cols);
  if (r->prepared->choice[0]) ocl_go(r, cols, rows, 1, ELEMENT_GROUP, 1);
  else element_go(r, rows, cols);
  return ocl_end(r, err);
}

static int dropout_can(const leat_b_op *op) {
  return op->n_in == 1 && op->n_out == 1 && op->n_attr_f == 1 && op->n_attr_i == 2 && op->attr_f[0] >= 0 &&
         op->attr_f[0] < 1 && ocl_matrix(op->in) && ocl_matrix(op->out) && ocl_same(op->in, op->out);
}
static leat_status dropout_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_ELEMENT, "", "dropout", err);
}
static leat_status dropout_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  int64_t rows, cols;
  ocl_flat((const leat_b_tensor *[]){op->in, op->out}, 2, &rows, &cols);
  ocl_begin(r, 0);
  tensor_row(r, op->in);
  tensor_row(r, op->out);
  ocl_long(r, rows);
  ocl_long(r, cols);
  ocl_int(r, (int64_t)(uint32_t)floor(op->attr_f[0] * 4294967296.0));
  ocl_float(r, 1.0 / (1.0 - op->attr_f[0]));
  ocl_long(r, op->attr_i[0]);
  ocl_long(r, op->attr_i[1]);
  ocl_go(r, (rows * cols + 3) / 4, 1, 1, 64, 1);
  return ocl_end(r, err);
}

const ocl_op ocl_ops_element[] = {
    {"map", 0, 0, 1, 1, map_can, map_prepare, map_run},
    {"map_grad", 0, 0, 1, 1, grad_can, grad_prepare, grad_run},
    {"binary", 2, 2, 1, 1, binary_can, binary_prepare, binary_run},
    {"fill", 1, 1, 0, 0, fill_can, fill_prepare, fill_run},
    {"copy", 0, 0, 0, 0, copy_can, copy_prepare, copy_run},
    {"dropout", 1, 1, 2, 2, dropout_can, dropout_prepare, dropout_run},
    {.name = NULL}};
