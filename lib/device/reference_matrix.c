/* Products of the reference: dense, of 8 bits, and with CSR. */
#include "device/reference.h"

#include <string.h>

typedef struct ref_product { /* one m x n x k product of strided floats */
  const float *a, *b;
  float *c;
  const float *bias;
  int64_t m, n, k, a_rs, a_cs, b_rs, b_cs, c_rs, c_cs, act;
} ref_product;

static void product(const ref_product *g, double alpha, double beta) {
  for (int64_t i = 0; i < g->m; i++)
    for (int64_t j = 0; j < g->n; j++) {
      float *out = g->c + i * g->c_rs + j * g->c_cs;
      double sum = 0;
      for (int64_t k = 0; k < g->k && alpha != 0; k++)
        sum += (double)g->a[i * g->a_rs + k * g->a_cs] * (double)g->b[k * g->b_rs + j * g->b_cs];
      sum = (alpha == 0 ? 0 : alpha * sum) + lt_ref_rest(beta, *out) + (g->bias ? (double)g->bias[j] : 0);
      *out = (float)lt_f_value(g->act, sum);
    }
}

LT_REF(gemm) {
  const lt_view *x = &a->in[0], *y = &a->in[1], *c = &a->out[0];
  ref_product g = {x->data, y->data, lt_view_out(c), a->n_in > 2 ? a->in[2].data : NULL, c->shape[0], c->shape[1],
                   x->shape[1], x->stride[0], x->stride[1], y->stride[0], y->stride[1], c->stride[0], c->stride[1],
                   a->n_i ? a->i[0] : 0};
  (void)self, (void)err;
  product(&g, a->f[0], a->f[1]);
  return LEAT_OK;
}

LT_REF(gemv) {
  const lt_view *x = &a->in[0], *y = &a->in[1], *c = &a->out[0];
  ref_product g = {x->data, y->data, lt_view_out(c), NULL, c->shape[0], 1, x->shape[1], x->stride[0], x->stride[1],
                   y->stride[0], 0, c->stride[0], 0, 0};
  (void)self, (void)err;
  product(&g, a->f[0], a->f[1]);
  return LEAT_OK;
}

LT_REF(gemm_batched) {
  const lt_view *x = &a->in[0], *y = &a->in[1], *c = &a->out[0];
  ref_product g = {x->data, y->data, lt_view_out(c), NULL, c->shape[1], c->shape[2], x->shape[2], x->stride[1],
                   x->stride[2], y->stride[1], y->stride[2], c->stride[1], c->stride[2], 0};
  (void)self, (void)err;
  for (int64_t q = 0; q < c->shape[0]; q++) {
    product(&g, a->f[0], a->f[1]);
    if (g.k) g.a += x->stride[0], g.b += y->stride[0];
    g.c += c->stride[0];
  }
  return LEAT_OK;
}

LT_REF(gemm_q8) {
  const float *scale = a->in[2].data, *bias = a->in[3].data;
  int64_t k = a->in[0].shape[1];
  (void)self, (void)err;
  for (int64_t i = 0; i < a->out[0].shape[0]; i++)
    for (int64_t j = 0; j < a->out[0].shape[1]; j++) {
      const int8_t *w = (const int8_t *)a->in[1].data + j * a->in[1].stride[0];
      double sum = 0;
      for (int64_t p = 0; p < k; p++) sum += lt_ref_at(&a->in[0], i, p) * (double)w[p];
      lt_ref_row(&a->out[0], i)[j] = (float)lt_f_value(a->i[0], (double)scale[j] * sum + (double)bias[j]);
    }
  return LEAT_OK;
}

/* The entries of row i of c or d: [*from, *to) of index and value, none when its row does not exist. */
static void csr_row(const lt_op_args *a, int64_t i, int64_t *from, int64_t *to) {
  int64_t rows = a->in[0].shape[0] - 1, nnz = a->in[1].shape[0], s = a->n_in > 4 ? lt_ref_ints(&a->in[4])[i] : i;
  const int32_t *start = a->in[0].data;
  *from = *to = 0;
  if (s < 0 || s >= rows) return;
  *from = start[s] > 0 ? start[s] : 0;
  *to = start[s + 1] < nnz ? start[s + 1] : nnz;
}

LT_REF(csr_gemm) {
  const int32_t *index = a->in[1].data;
  const float *value = a->in[2].data;
  int64_t k = a->in[3].shape[0], from, to;
  (void)self, (void)err;
  for (int64_t i = 0; i < a->out[0].shape[0]; i++) {
    csr_row(a, i, &from, &to);
    for (int64_t j = 0; j < a->out[0].shape[1]; j++) {
      float *out = &lt_ref_row(&a->out[0], i)[j];
      double sum = 0;
      for (int64_t p = from; p < to && a->f[0] != 0; p++)
        if (index[p] >= 0 && index[p] < k) sum += (double)value[p] * lt_ref_at(&a->in[3], index[p], j);
      *out = (float)((a->f[0] == 0 ? 0 : a->f[0] * sum) + lt_ref_rest(a->f[1], *out));
    }
  }
  return LEAT_OK;
}

enum { STRIP = 8 }; /* columns that are summed at once: sums in double take memory */

static void csr_t_strip(const lt_op_args *a, int64_t col, int64_t cols, double *sum) {
  const int32_t *index = a->in[1].data;
  const float *value = a->in[2].data;
  int64_t k = a->out[0].shape[0], from, to;
  memset(sum, 0, (uint64_t)k * STRIP * sizeof *sum);
  for (int64_t i = 0; i < a->in[3].shape[0] && a->f[0] != 0; i++) {
    csr_row(a, i, &from, &to);
    for (int64_t p = from; p < to; p++)
      for (int64_t j = 0; j < cols && index[p] >= 0 && index[p] < k; j++)
        sum[index[p] * STRIP + j] += (double)value[p] * lt_ref_at(&a->in[3], i, col + j);
  }
  for (int64_t r = 0; r < k; r++)
    for (int64_t j = 0; j < cols; j++) {
      float *out = &lt_ref_row(&a->out[0], r)[col + j];
      *out = (float)((a->f[0] == 0 ? 0 : a->f[0] * sum[r * STRIP + j]) + lt_ref_rest(a->f[1], *out));
    }
}

LT_REF(csr_gemm_t) {
  const leat_b_host *host = self->host;
  int64_t n = a->out[0].shape[1];
  uint64_t bytes = (uint64_t)a->out[0].shape[0] * STRIP * sizeof(double);
  double *sum = host->alloc(host->ctx, bytes, 64);
  if (!sum) return lt_fail_memory(err, bytes, "sums of csr_gemm_t");
  for (int64_t j = 0; j < n; j += STRIP) csr_t_strip(a, j, n - j < STRIP ? n - j : STRIP, sum);
  host->release(host->ctx, sum, bytes, 64);
  return LEAT_OK;
}
