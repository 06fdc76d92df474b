/* The reference device: plain loops that sum in double and round once. Slow on purpose: what others are compared with. */
#include "device/host_device.h"

static leat_status reference_gemm(leat_b_instance *self, const lt_gemm *g, leat_error *err) {
  (void)self, (void)err;
  for (int64_t i = 0; i < g->m; i++)
    for (int64_t j = 0; j < g->n; j++) {
      float *out = g->c + i * g->c_rs + j * g->c_cs;
      double sum = 0;
      for (int64_t k = 0; k < g->k && g->alpha != 0; k++)
        sum += (double)g->a[i * g->a_rs + k * g->a_cs] * (double)g->b[k * g->b_rs + j * g->b_cs];
      sum *= (double)g->alpha;
      *out = (float)(g->beta == 0 ? sum : sum + (double)g->beta * (double)*out);
    }
  return LEAT_OK;
}

static leat_status reference_gemv(leat_b_instance *self, const lt_gemv *g, leat_error *err) {
  lt_gemm as_gemm = {g->m, 1, g->n, g->alpha, g->beta, g->a, g->x, g->y, g->a_rs, g->a_cs, g->x_s, 1, g->y_s, 1};
  return reference_gemm(self, &as_gemm, err);
}

leat_status lt_reference_query(uint32_t abi_major, const leat_b_host *host, leat_b_backend *out, leat_error *err) {
  static const lt_host_ops ops = {"reference", "leat", "plain C, sums in double", reference_gemm, reference_gemv};
  return lt_host_backend(abi_major, host, &ops, out, err);
}
