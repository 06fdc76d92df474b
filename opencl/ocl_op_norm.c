/* Layer and batch norm, and their gradients. */
#include <stddef.h>

#include "ocl.h"

enum { NORM_GROUP = 64 };

/* Tensors [m, n] or [n] or [m], as `kinds` says by a letter each: M, c (columns), r (rows). */
static int shapes_are(const leat_b_tensor *t, int64_t n_t, const char *kinds, int64_t m, int64_t n) {
  for (int64_t i = 0; i < n_t; i++) {
    if (kinds[i] == 'M' && (!ocl_matrix(t + i) || t[i].shape[0] != m || t[i].shape[1] != n)) return 0;
    if (kinds[i] == 'c' && (!ocl_vector(t + i) || t[i].shape[0] != n)) return 0;
    if (kinds[i] == 'r' && (!ocl_vector(t + i) || t[i].shape[0] != m)) return 0;
  }
  return 1;
}

static int norm_can(const leat_b_op *op, const char *in, int64_t n_in, const char *out, int64_t n_out, int64_t n_f) {
  if (op->n_in != n_in || op->n_out != n_out || op->n_attr_f != n_f || op->in->rank != 2) return 0;
  int64_t m = op->in->shape[0], n = op->in->shape[1];
  return shapes_are(op->in, n_in, in, m, n) && shapes_are(op->out, n_out, out, m, n);
}

static int layer_can(const leat_b_op *op) { return norm_can(op, "Mcc", 3, "Mrr", 3, 1) && op->in->shape[1] > 0; }
static int layer_grad_can(const leat_b_op *op) { return norm_can(op, "MMcrr", 5, "Mcc", 3, 0) && op->in->shape[1] > 0; }
static int batch_can(const leat_b_op *op) { return norm_can(op, "Mcc", 3, "Mcccc", 5, 2) && op->in->shape[0] > 0; }
static int batch_grad_can(const leat_b_op *op) { return norm_can(op, "MMccc", 5, "Mcc", 3, 0) && op->in->shape[0] > 0; }
static int batch_apply_can(const leat_b_op *op) { return norm_can(op, "Mcccc", 5, "M", 1, 1); }

/* All tensors in order: matrices with their rows' stride. */
static void norm_args(ocl_run *r, const leat_b_tensor *t, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    ocl_tensor(r, t + i);
    if (t[i].rank == 2) ocl_long(r, ocl_row(t + i));
  }
}

static void layer_go(ocl_run *r, int64_t m, int64_t n) {
  int64_t lanes = n <= 32 ? 1 : NORM_GROUP;
  ocl_local(r, NORM_GROUP * sizeof(float));
  ocl_go(r, lanes, m, 1, lanes, NORM_GROUP / lanes);
}

static leat_status layer_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_NORM, "", "layer_norm", err);
}
static leat_status layer_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  ocl_begin(r, 0);
  norm_args(r, op->in, 3);
  norm_args(r, op->out, 3);
  ocl_long(r, op->in->shape[0]);
  ocl_long(r, op->in->shape[1]);
  ocl_float(r, op->attr_f[0]);
  layer_go(r, op->in->shape[0], op->in->shape[1]);
  return ocl_end(r, err);
}

static leat_status layer_grad_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  leat_status st = ocl_kernel_make(k, 0, OCL_NORM, "", "layer_norm_columns", err);
  return st ? st : ocl_kernel_make(k, 1, OCL_NORM, "", "layer_norm_dx", err);
}
static leat_status layer_grad_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  int64_t m = op->in->shape[0], n = op->in->shape[1];
  ocl_begin(r, 0);
  norm_args(r, op->in, 2);
  norm_args(r, op->in + 3, 2);
  norm_args(r, op->out + 1, 2);
  ocl_long(r, m);
  ocl_long(r, n);
  ocl_go(r, n, 1, 1, NORM_GROUP, 1);
  ocl_begin(r, 1);
  norm_args(r, op->in, 5);
  norm_args(r, op->out, 1);
  ocl_long(r, m);
  ocl_long(r, n);
  layer_go(r, m, n);
  return ocl_end(r, err);
}

static leat_status batch_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_NORM, "", "batch_norm", err);
}
static leat_status batch_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  ocl_begin(r, 0);
  norm_args(r, op->in, 3);
  norm_args(r, op->out, 5);
  ocl_long(r, op->in->shape[0]);
  ocl_long(r, op->in->shape[1]);
  ocl_float(r, op->attr_f[0]);
  ocl_float(r, op->attr_f[1]);
  ocl_go(r, op->in->shape[1], 1, 1, NORM_GROUP, 1);
  return ocl_end(r, err);
}

static leat_status batch_grad_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_NORM, "", "batch_norm_grad", err);
}
static leat_status batch_grad_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  ocl_begin(r, 0);
  norm_args(r, op->in, 5);
  norm_args(r, op->out, 3);
  ocl_long(r, op->in->shape[0]);
  ocl_long(r, op->in->shape[1]);
  ocl_go(r, op->in->shape[1], 1, 1, NORM_GROUP, 1);
  return ocl_end(r, err);
}

static leat_status batch_apply_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_NORM, "", "batch_norm_apply", err);
}
static leat_status batch_apply_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  ocl_begin(r, 0);
  norm_args(r, op->in, 5);
  norm_args(r, op->out, 1);
  ocl_long(r, op->in->shape[1]);
  ocl_float(r, op->attr_f[0]);
  ocl_go(r, op->in->shape[1], op->in->shape[0], 1, NORM_GROUP, 1);
  return ocl_end(r, err);
}

const ocl_op ocl_ops_norm[] = {
    {"layer_norm", 1, 1, 0, 0, layer_can, layer_prepare, layer_run},
    {"layer_norm_grad", 0, 0, 0, 0, layer_grad_can, layer_grad_prepare, layer_grad_run},
    {"batch_norm", 2, 2, 0, 0, batch_can, batch_prepare, batch_run},
    {"batch_norm_grad", 0, 0, 0, 0, batch_grad_can, batch_grad_prepare, batch_grad_run},
    {"batch_norm_apply", 1, 1, 0, 0, batch_apply_can, batch_apply_prepare, batch_apply_run},
    {.name = NULL}};
