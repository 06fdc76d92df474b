/* Dense layers from packed weights: panels of 16 columns, each k deep, one behind the other. */
#include "device/dense.h"
#include "device/kern.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* Rows at once: their part of x stays in the second cache while the panels go by. Depth at once: a panel's part stays in
 * the first. */
enum { DENSE_ROWS = 64, DENSE_DEPTH = 400, Q8_DEPTH = 4096, Q8_MAX_DEPTH = 131072 };

static int64_t dense_panels(const lt_dense *d) { return (d->n + LT_PANEL - 1) / LT_PANEL; }
/* Elements of a panel. */
static int64_t dense_step(const lt_dense *d) {
  return (d->kind == LT_DENSE_Q8 ? (d->k + 3) / 4 * 4 : d->k) * LT_PANEL;
}

uint64_t lt_dense_size(const lt_dense *d) {
  uint64_t size, each = d->kind == LT_DENSE_Q8 ? 1 : sizeof(float);
  if (d->k < 1 || d->n < 1 || d->k > INT64_C(1) << 40 || d->n > INT64_C(1) << 40) return 0;
  if (d->kind == LT_DENSE_Q8 && d->k > Q8_MAX_DEPTH) return 0;
  uint64_t columns = (uint64_t)dense_panels(d) * LT_PANEL;
  if (__builtin_mul_overflow((uint64_t)dense_step(d) * each, (uint64_t)dense_panels(d), &size) ||
      __builtin_add_overflow(size, 2 * columns * sizeof(float), &size))
    return 0;
  return size;
}

/* One column to bytes; returns its factor. */
static float q8_column(const float *w, int64_t rs, int64_t k, int8_t *panel) {
  float top = 0;
  for (int64_t i = 0; i < k; i++) top = fabsf(w[i * rs]) > top ? fabsf(w[i * rs]) : top;
  for (int64_t i = 0; i < k && top > 0; i++)
    panel[i / 4 * 4 * LT_PANEL + i % 4] = (int8_t)rint((double)w[i * rs] / (double)top * 127);
  return (float)((double)top / 127);
}

void lt_dense_pack(lt_dense *d, const float *w, int64_t w_rs, int64_t w_cs, const float *bias, void *block) {
  int64_t panels = dense_panels(d), step = dense_step(d), each = d->kind == LT_DENSE_Q8 ? 1 : (int64_t)sizeof(float);
  float *scale = (float *)(void *)((char *)block + panels * step * each), *own_bias = scale + panels * LT_PANEL;
  const lt_kern *kern = lt_kern_get();
  memset(block, 0, lt_dense_size(d));
  if (d->kind == LT_DENSE_Q8) {
    for (int64_t j = 0; j < d->n; j++)
      scale[j] = q8_column(w + j * w_cs, w_rs, d->k, (int8_t *)block + j / LT_PANEL * step + j % LT_PANEL * 4);
  } else {
    for (int64_t p = 0; p < panels; p++) {
      int64_t cols = d->n - p * LT_PANEL < LT_PANEL ? d->n - p * LT_PANEL : LT_PANEL;
      kern->pack(w + p * LT_PANEL * w_cs, w_rs, w_cs, d->k, cols, (float *)block + p * step);
    }
  }
  if (bias) memcpy(own_bias, bias, (size_t)d->n * sizeof *bias);
  d->panels = block;
  d->scale = scale;
  d->bias = own_bias;
}

/* ---- float */
static void f32_row(const lt_dense *d, const lt_kern *kern, const float *x, float *out) {
  int64_t step = dense_step(d), whole = d->n / LT_PANEL, left = d->n % LT_PANEL;
  const float *panels = d->panels;
  kern->row(x, panels, d->k, step, whole, out);
  if (left) {
    float part[LT_PANEL];
    kern->row(x, panels + whole * step, d->k, step, 1, part);
    memcpy(out + whole * LT_PANEL, part, (size_t)left * sizeof *part);
  }
  kern->end(out, 0, 1, d->n, d->bias, d->act);
}

/* m <= DENSE_ROWS rows. */
static void f32_block(const lt_dense *d, const lt_kern *kern, const float *x, int64_t x_rs, int64_t m, float *out,
                      int64_t out_rs) {
  _Alignas(64) float part[DENSE_ROWS * LT_PANEL];
  for (int64_t j = 0; j < d->n; j += LT_PANEL) {
    const float *panel = (const float *)d->panels + j * d->k;
    int64_t cols = d->n - j < LT_PANEL ? d->n - j : LT_PANEL, ld = cols < LT_PANEL ? LT_PANEL : out_rs;
    float *to = cols < LT_PANEL ? part : out + j;
    for (int64_t k = 0; k < d->k; k += DENSE_DEPTH) {
      int64_t depth = d->k - k < DENSE_DEPTH ? d->k - k : DENSE_DEPTH;
      for (int64_t i = 0, rows; i < m; i += rows) {
        rows = lt_tile_rows(m - i);
        kern->tile(x + i * x_rs + k, x_rs, 1, panel + k * LT_PANEL, LT_PANEL, 0, 1, depth, rows, to + i * ld, ld, k > 0);
      }
    }
    kern->end(to, ld, m, cols, d->bias + j, d->act);
    if (to == part)
      for (int64_t i = 0; i < m; i++) memcpy(out + i * out_rs + j, part + i * LT_PANEL, (size_t)cols * sizeof *part);
  }
}

/* ---- 8 bits */
typedef struct q8_rows {
  int64_t m, x_rs, ldq;
  const float *x;
  float factor[LT_Q8_ROWS], inverse[LT_Q8_ROWS];
  int8_t q[LT_Q8_ROWS * Q8_DEPTH];
} q8_rows;

static int q8_slice(const lt_kern *kern, q8_rows *r, int64_t k, int64_t depth) {
  int below = 0;
  r->ldq = (depth + 3) / 4 * 4;
  for (int64_t i = 0; i < r->m; i++)
    below |= kern->q8_round(r->x + i * r->x_rs + k, depth, r->inverse[i], r->q + i * r->ldq);
  return below;
}

static void q8_store(const lt_dense *d, const q8_rows *r, int64_t j, const int32_t *sum, int64_t panels, float *out,
                     int64_t out_rs) {
  int64_t cols = d->n - j < panels * LT_PANEL ? d->n - j : panels * LT_PANEL;
  for (int64_t i = 0; i < r->m; i++) /* one of m and panels is 1 */
    for (int64_t c = 0; c < cols; c++)
      out[i * out_rs + j + c] = (float)sum[i * LT_PANEL + c] * (r->factor[i] * d->scale[j + c]);
}

/* m <= LT_Q8_ROWS rows. Rows longer than Q8_DEPTH are rounded slice by slice, again for each panel. */
static void q8_block(const lt_dense *d, const lt_kern *kern, const float *x, int64_t x_rs, int64_t m, float *out,
                     int64_t out_rs) {
  q8_rows r;
  int32_t sum[LT_Q8_ROWS * LT_PANEL];
  int64_t step = dense_step(d), count = dense_panels(d), at_once = m > 1 ? 1 : LT_Q8_PANELS;
  int below = 1;
  r.m = m, r.x_rs = x_rs, r.x = x;
  for (int64_t i = 0; i < m; i++) {
    float top = kern->q8_top(x + i * x_rs, d->k);
    r.factor[i] = top / 127;
    r.inverse[i] = top == 0 ? 0 : 127 / top;
  }
  if (d->k <= Q8_DEPTH) below = q8_slice(kern, &r, 0, d->k);
  for (int64_t p = 0; p < count; p += at_once) {
    int64_t panels = count - p < at_once ? count - p : at_once;
    for (int64_t k = 0; k < d->k; k += Q8_DEPTH) {
      int64_t depth = d->k - k < Q8_DEPTH ? d->k - k : Q8_DEPTH;
      if (d->k > Q8_DEPTH) below = q8_slice(kern, &r, k, depth);
      kern->q8_tile(r.q, r.ldq, m, (const int8_t *)d->panels + p * step + k * LT_PANEL, step, panels, r.ldq, sum, k > 0,
                    !below);
    }
    q8_store(d, &r, p * LT_PANEL, sum, panels, out, out_rs);
  }
  kern->end(out, out_rs, m, d->n, d->bias, d->act);
}

void lt_dense_rows(const lt_dense *d, const float *x, int64_t x_rs, int64_t m, float *out, int64_t out_rs) {
  const lt_kern *kern = lt_kern_get();
  int64_t block = d->kind == LT_DENSE_Q8 ? LT_Q8_ROWS : DENSE_ROWS;
  for (int64_t i = 0, rows; i < m; i += rows) {
    rows = m - i < block ? m - i : block;
    if (d->kind == LT_DENSE_Q8) q8_block(d, kern, x + i * x_rs, x_rs, rows, out + i * out_rs, out_rs);
    else if (rows == 1) f32_row(d, kern, x + i * x_rs, out + i * out_rs);
    else f32_block(d, kern, x + i * x_rs, x_rs, rows, out + i * out_rs, out_rs);
  }
}
