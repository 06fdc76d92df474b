/* Rows of tables, histograms and largest elements of the reference. */
#include "device/reference.h"

#include <string.h>

LT_REF(gather) {
  const lt_view *table = &a->in[0], *index = &a->in[1], *y = &a->out[0];
  uint64_t bytes = (uint64_t)(table->shape[1] * table->size);
  (void)self, (void)err;
  for (int64_t i = 0; i < index->shape[0]; i++)
    for (int64_t j = 0; j < index->shape[1]; j++) {
      int64_t row = lt_ref_ints(index)[i * index->stride[0] + j];
      char *to = (char *)lt_view_out(y) + (i * y->stride[0] + j * table->shape[1]) * y->size;
      if (row < 0 || row >= table->shape[0]) memset(to, 0, bytes);
      else memcpy(to, (const char *)table->data + row * table->stride[0] * table->size, bytes);
    }
  return LEAT_OK;
}

enum { TABLE_STRIP = 8 }; /* columns that are summed at once */

static void scatter_strip(const lt_op_args *a, int64_t col, int64_t cols, double *sum) {
  const lt_view *d = &a->in[0], *index = &a->in[1], *table = &a->out[0];
  int64_t v = table->shape[0], w = table->shape[1];
  memset(sum, 0, (uint64_t)v * TABLE_STRIP * sizeof *sum);
  for (int64_t i = 0; i < index->shape[0] && a->f[0] != 0; i++)
    for (int64_t j = 0; j < index->shape[1]; j++) {
      int64_t row = lt_ref_ints(index)[i * index->stride[0] + j];
      for (int64_t c = 0; c < cols && row >= 0 && row < v; c++)
        sum[row * TABLE_STRIP + c] += lt_ref_at(d, i, j * w + col + c);
    }
  for (int64_t r = 0; r < v; r++)
    for (int64_t c = 0; c < cols; c++) {
      float *out = &lt_ref_row(table, r)[col + c];
      *out = (float)((a->f[0] == 0 ? 0 : a->f[0] * sum[r * TABLE_STRIP + c]) + lt_ref_rest(a->f[1], *out));
    }
}

LT_REF(scatter_add) {
  const leat_b_host *host = self->host;
  int64_t w = a->out[0].shape[1];
  uint64_t bytes = (uint64_t)a->out[0].shape[0] * TABLE_STRIP * sizeof(double);
  double *sum = host->alloc(host->ctx, bytes, 64);
  if (!sum) return lt_fail_memory(err, bytes, "sums of scatter_add");
  for (int64_t c = 0; c < w; c += TABLE_STRIP) scatter_strip(a, c, w - c < TABLE_STRIP ? w - c : TABLE_STRIP, sum);
  host->release(host->ctx, sum, bytes, 64);
  return LEAT_OK;
}

LT_REF(histogram) {
  const lt_view *code = &a->in[0], *hist = &a->out[0];
  const float *g = a->in[1].data, *h = a->in[2].data;
  int64_t bins = hist->shape[1], used = bins < 256 ? bins : 256; /* a code has 8 bits */
  double sum[2 * 256];
  (void)self, (void)err;
  for (int64_t j = 0; j < hist->shape[0]; j++) {
    float *out = lt_ref_floats(hist) + j * bins * 2;
    memset(sum, 0, sizeof sum);
    for (int64_t i = 0; i < code->shape[0]; i++) {
      int64_t b = ((const uint8_t *)code->data)[i * code->stride[0] + j];
      if (b < used) sum[2 * b] += (double)g[i], sum[2 * b + 1] += (double)h[i];
    }
    for (int64_t b = 0; b < 2 * bins; b++)
      out[b] = (float)((b < 2 * used ? sum[b] : 0) + lt_ref_rest(a->f[0], out[b]));
  }
  return LEAT_OK;
}

/* x at j comes before x at `than`: larger, or the same and first; a NaN is smaller than every number. */
static int comes_before(const float *x, int64_t j, int64_t than) {
  if (x[j] != x[j] || x[than] != x[than]) return x[j] == x[j] || (x[than] != x[than] && j < than);
  return x[j] > x[than] || (x[j] == x[than] && j < than);
}

/* The first of all that come behind `after` (-1: of all). */
static int64_t next_largest(const float *x, int64_t n, int64_t after) {
  int64_t best = -1;
  for (int64_t j = 0; j < n; j++)
    if (j != after && (after < 0 || comes_before(x, after, j)) && (best < 0 || comes_before(x, j, best))) best = j;
  return best;
}

LT_REF(argmax) {
  (void)self, (void)err;
  for (int64_t i = 0; i < a->in[0].shape[0]; i++)
    ((int32_t *)lt_view_out(&a->out[0]))[i] = (int32_t)next_largest(lt_ref_row(&a->in[0], i), a->in[0].shape[1], -1);
  return LEAT_OK;
}

LT_REF(top_k) {
  (void)self, (void)err;
  for (int64_t i = 0; i < a->in[0].shape[0]; i++) {
    const float *x = lt_ref_row(&a->in[0], i);
    int64_t at = -1;
    for (int64_t k = 0; k < a->out[0].shape[1]; k++) {
      at = next_largest(x, a->in[0].shape[1], at);
      lt_ref_row(&a->out[0], i)[k] = x[at];
      ((int32_t *)lt_view_out(&a->out[1]))[i * a->out[1].stride[0] + k] = (int32_t)at;
    }
  }
  return LEAT_OK;
}
