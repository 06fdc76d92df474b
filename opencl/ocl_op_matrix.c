/* gemm (its ways are in ocl_gemm.c), gemv, small products in a batch, products with weights of 8 bits. */
#include <stddef.h>

#include "ocl.h"

static int gemm_can(const leat_b_op *op) {
  const leat_b_tensor *a = op->in, *b = op->in + 1, *c = op->out;
  int64_t act = ocl_i(op, 0, 0);
  if ((op->n_in != 2 && op->n_in != 3) || op->n_out != 1 || op->n_attr_f != 2 || op->n_attr_i > 1) return 0;
  if (!ocl_is(a, LEAT_F32, 2) || !ocl_is(b, LEAT_F32, 2) || !ocl_is(c, LEAT_F32, 2)) return 0;
  if (a->shape[0] != c->shape[0] || b->shape[1] != c->shape[1] || a->shape[1] != b->shape[0]) return 0;
  if (op->n_in == 3 && (!ocl_vector(&op->in[2]) || op->in[2].shape[0] != c->shape[1])) return 0;
  return act >= 0 && act <= 4;
}

static int gemv_can(const leat_b_op *op) {
  const leat_b_tensor *a = op->in, *x = op->in + 1, *y = op->out;
  return op->n_in == 2 && op->n_out == 1 && op->n_attr_f == 2 && ocl_is(a, LEAT_F32, 2) && ocl_is(x, LEAT_F32, 1) &&
         ocl_is(y, LEAT_F32, 1) && a->shape[0] == y->shape[0] && a->shape[1] == x->shape[0];
}

static leat_status gemv_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_MATRIX, "", "gemv", err);
}

static leat_status gemv_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  const leat_b_tensor *a = op->in, *x = op->in + 1, *y = op->out;
  int64_t m = a->shape[0], n = op->attr_f[0] == 0 ? 0 : a->shape[1];
  int64_t lanes = n <= 32 || a->stride[0] == 1 ? 1 : 16, rows = 64 / lanes;
  ocl_begin(r, 0);
  ocl_tensor(r, a);
  ocl_long(r, a->stride[0]);
  ocl_long(r, a->stride[1]);
  ocl_tensor(r, x);
  ocl_long(r, x->stride[0]);
  ocl_tensor(r, y);
  ocl_long(r, y->stride[0]);
  ocl_int(r, m);
  ocl_int(r, n);
  ocl_float(r, op->attr_f[0]);
  ocl_float(r, op->attr_f[1]);
  ocl_local(r, 64 * sizeof(float));
  ocl_go(r, lanes, m, 1, lanes, rows);
  return ocl_end(r, err);
}

static int batched_can(const leat_b_op *op) {
  const leat_b_tensor *a = op->in, *b = op->in + 1, *c = op->out;
  return op->n_in == 2 && op->n_out == 1 && op->n_attr_f == 2 && ocl_is(a, LEAT_F32, 3) && ocl_is(b, LEAT_F32, 3) &&
         ocl_is(c, LEAT_F32, 3) && a->shape[0] == c->shape[0] && b->shape[0] == c->shape[0] &&
         a->shape[1] == c->shape[1] && b->shape[2] == c->shape[2] && a->shape[2] == b->shape[1];
}

static leat_status batched_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_MATRIX, "", "gemm_batched", err);
}

static leat_status batched_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  const leat_b_tensor *t[3] = {op->in, op->in + 1, op->out};
  ocl_begin(r, 0);
  for (int i = 0; i < 3; i++) {
    ocl_tensor(r, t[i]);
    for (int d = 0; d < 3; d++) ocl_long(r, t[i]->stride[d]);
  }
  ocl_int(r, t[2]->shape[1]);
  ocl_int(r, t[2]->shape[2]);
  ocl_int(r, op->attr_f[0] == 0 ? 0 : t[0]->shape[2]);
  ocl_float(r, op->attr_f[0]);
  ocl_float(r, op->attr_f[1]);
  ocl_go(r, t[2]->shape[2], t[2]->shape[1], t[2]->shape[0], 16, 4);
  return ocl_end(r, err);
}

static int q8_can(const leat_b_op *op) {
  const leat_b_tensor *a = op->in, *w = op->in + 1, *scale = op->in + 2, *bias = op->in + 3, *c = op->out;
  int64_t act = ocl_i(op, 0, 0);
  return op->n_in == 4 && op->n_out == 1 && op->n_attr_f == 0 && op->n_attr_i <= 1 && act >= 0 &&
         act <= 4 && ocl_matrix(a) && ocl_is(w, LEAT_I8, 2) &&
         ocl_dense(w) && ocl_vector(scale) && ocl_vector(bias) && ocl_matrix(c) && a->shape[0] == c->shape[0] &&
         a->shape[1] == w->shape[1] && w->shape[0] == c->shape[1] && scale->shape[0] == c->shape[1] &&
         bias->shape[0] == c->shape[1];
}

static leat_status q8_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_MATRIX, "", "gemm_q8", err);
}

static leat_status q8_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  ocl_begin(r, 0);
  ocl_tensor(r, op->in);
  ocl_long(r, ocl_row(op->in));
  ocl_tensor(r, op->in + 1);
  ocl_long(r, ocl_row(op->in + 1));
  ocl_tensor(r, op->in + 2);
  ocl_tensor(r, op->in + 3);
  ocl_tensor(r, op->out);
  ocl_long(r, ocl_row(op->out));
  ocl_int(r, op->out->shape[0]);
  ocl_int(r, op->out->shape[1]);
  ocl_int(r, op->in->shape[1]);
  ocl_int(r, ocl_i(op, 0, 0));
  ocl_go(r, op->out->shape[1], op->out->shape[0], 1, 16, 4);
  return ocl_end(r, err);
}

const ocl_op ocl_ops_matrix[] = {
    {"gemm", 2, 2, 0, 1, gemm_can, ocl_gemm_prepare, ocl_gemm_run},
    {"gemv", 2, 2, 0, 0, gemv_can, gemv_prepare, gemv_run},
    {"gemm_batched", 2, 2, 0, 0, batched_can, batched_prepare, batched_run},
    {"gemm_q8", 0, 0, 1, 1, q8_can, q8_prepare, q8_run},
    {.name = NULL}};
