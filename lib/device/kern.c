/* The kernels in plain C. */
#include "device/kern.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static void kern_tile(const float *a, int64_t rs, int64_t cs, const float *b, int64_t ldb, int64_t step, int64_t panels,
                      int64_t depth, int64_t rows, float *out, int64_t ldo, int add) {
  for (int64_t p = 0; p < panels; p++, b += step, out += LT_PANEL)
    for (int64_t i = 0; i < rows; i++) {
      float sum[LT_PANEL] = {0};
      if (add) memcpy(sum, out + i * ldo, sizeof sum);
      for (int64_t k = 0; k < depth; k++)
        for (int64_t j = 0; j < LT_PANEL; j++) sum[j] += a[i * rs + k * cs] * b[k * ldb + j];
      memcpy(out + i * ldo, sum, sizeof sum);
    }
}

static void kern_row(const float *x, const float *panels, int64_t depth, int64_t step, int64_t count, float *out) {
  kern_tile(x, 0, 1, panels, LT_PANEL, step, count, depth, 1, out, 0, 0);
}

static void kern_blend(const float *tile, int64_t rows, int64_t n, float alpha, float beta, float *c, int64_t ld) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < n; j++) {
      float v = alpha * tile[i * LT_PANEL + j];
      c[i * ld + j] = beta == 0 ? v : v + beta * c[i * ld + j];
    }
}

static void kern_pack(const float *b, int64_t rs, int64_t cs, int64_t depth, int64_t cols, float *panel) {
  for (int64_t k = 0; k < depth; k++) {
    for (int64_t j = 0; j < cols; j++) panel[k * LT_PANEL + j] = b[k * rs + j * cs];
    for (int64_t j = cols; j < LT_PANEL; j++) panel[k * LT_PANEL + j] = 0;
  }
}

static float kern_act(float x, int64_t act) {
  switch (act) {
    case 1: return x > 0 || x != x ? x : 0;
    case 2: return (float)(0.5 * (double)x * erfc(-(double)x * 0.70710678118654752440));
    case 3: return tanhf(x);
    case 4: {
      float e = expf(-fabsf(x));
      return x >= 0 ? 1.0f / (1.0f + e) : e / (1.0f + e);
    }
    default: return x;
  }
}

static void kern_end(float *x, int64_t ld, int64_t rows, int64_t n, const float *bias, int64_t act) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < n; j++) x[i * ld + j] = kern_act(bias ? x[i * ld + j] + bias[j] : x[i * ld + j], act);
}

static int kern_q8_round(const float *x, int64_t n, float inverse, int8_t *q) {
  int below = 0;
  for (int64_t i = 0; i < n; i++) {
    float v = rintf(x[i] * inverse);
    q[i] = (int8_t)(v > 127 ? 127 : v >= -127 ? v : -127); /* NaN: -127, and the row's factor is NaN */
    below |= q[i] < 0;
  }
  for (int64_t i = n; i & 3; i++) q[i] = 0;
  return below;
}

static float kern_q8_top(const float *x, int64_t n) {
  float top = 0;
  for (int64_t i = 0; i < n; i++) {
    float v = fabsf(x[i]);
    if (!(v <= top)) top = v;
    if (v != v) return v;
  }
  return top;
}

static void kern_q8_tile(const int8_t *q, int64_t ldq, int64_t rows, const int8_t *panel, int64_t step, int64_t panels,
                         int64_t depth, int32_t *sum, int add, int positive) {
  (void)positive;
  if (!add) memset(sum, 0, sizeof *sum * (size_t)(rows * panels * LT_PANEL));
  for (int64_t r = 0; r < rows; r++)
    for (int64_t p = 0; p < panels; p++, sum += LT_PANEL)
      for (int64_t k = 0; k < depth; k++)
        for (int64_t j = 0; j < LT_PANEL; j++)
          sum[j] += q[r * ldq + k] * panel[p * step + (k / 4 * LT_PANEL + j) * 4 + k % 4];
}

static int32_t kern_q8_dot(const int8_t *q, const int8_t *w, int64_t n) {
  int32_t sum = 0;
  for (int64_t i = 0; i < n; i++) sum += q[i] * w[i];
  return sum;
}

static const lt_kern kern_generic = {
    .name = "generic",
    .tile = kern_tile,
    .blend = kern_blend,
    .row = kern_row,
    .pack = kern_pack,
    .end = kern_end,
    .q8_round = kern_q8_round,
    .q8_top = kern_q8_top,
    .q8_tile = kern_q8_tile,
    .q8_dot = kern_q8_dot,
};

const lt_kern *lt_kern_generic(void) { return &kern_generic; }

const lt_kern *lt_kern_get(void) {
  const lt_kern *best = lt_kern_avx2();
  return best ? best : &kern_generic;
}
