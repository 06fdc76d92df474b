/* csr_gemm, csr_gemm_t. */
#include <stddef.h>

#include "ocl.h"

static int ints(const leat_b_tensor *t) { return ocl_is(t, LEAT_I32, 1) && ocl_dense(t); }

static int csr_can(const leat_b_op *op, int transposed) {
  if ((op->n_in != 4 && op->n_in != 5) || op->n_out != 1 || op->n_attr_f != 2) return 0;
  const leat_b_tensor *t = op->in, *dense = op->in + 3, *c = op->out;
  if (!ints(t) || t->shape[0] < 1 || !ints(t + 1) || !ocl_vector(t + 2) || t[1].shape[0] != t[2].shape[0]) return 0;
  if (!ocl_matrix(dense) || !ocl_matrix(c) || dense->shape[1] != c->shape[1]) return 0;
  int64_t m = transposed ? dense->shape[0] : c->shape[0];
  return op->n_in == 5 ? ints(t + 4) && t[4].shape[0] == m : t->shape[0] - 1 == m;
}
static int gemm_can_csr(const leat_b_op *op) { return csr_can(op, 0); }
static int gemm_t_can_csr(const leat_b_op *op) { return csr_can(op, 1); }

static void csr_tensors(ocl_run *r, const leat_b_op *op) {
  ocl_begin(r, 0);
  for (int i = 0; i < 4; i++) ocl_tensor(r, op->in + i);
  ocl_long(r, ocl_row(op->in + 3));
  ocl_tensor(r, op->n_in > 4 ? op->in + 4 : NULL);
  ocl_int(r, op->n_in > 4);
  ocl_tensor(r, op->out);
  ocl_long(r, ocl_row(op->out));
  ocl_long(r, op->in[0].shape[0] - 1);
  ocl_long(r, op->in[1].shape[0]);
}

static leat_status csr_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_SPARSE, "", "csr_gemm", err);
}
static leat_status csr_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  csr_tensors(r, op);
  ocl_long(r, op->in[3].shape[0]);
  ocl_long(r, op->out->shape[1]);
  ocl_float(r, op->attr_f[0]);
  ocl_float(r, op->attr_f[1]);
  ocl_go(r, op->out->shape[1], op->out->shape[0], 1, 32, 1);
  return ocl_end(r, err);
}

static leat_status csr_t_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_SPARSE, "", "csr_gemm_t", err);
}
static leat_status csr_t_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  int64_t k = op->out->shape[0], n = op->out->shape[1];
  int64_t parts = r->queue->device->slot->props.kind == LEAT_CPU ? 4 : 64;
  csr_tensors(r, op);
  ocl_long(r, k);
  ocl_long(r, op->in[3].shape[0]);
  ocl_long(r, n);
  ocl_float(r, op->attr_f[0]);
  ocl_float(r, op->attr_f[1]);
  ocl_int(r, parts);
  ocl_go(r, n, parts, 1, 32, 1);
  return ocl_end(r, err);
}

const ocl_op ocl_ops_sparse[] = {{"csr_gemm", 2, 2, 0, 0, gemm_can_csr, csr_prepare, csr_run},
                                 {"csr_gemm_t", 2, 2, 0, 0, gemm_t_can_csr, csr_t_prepare, csr_t_run},
                                 {.name = NULL}};
