/* Elementwise ops of the reference, copies between types, dropout and reductions. */
#include "base/rng.h"
#include "device/reference.h"

#include <math.h>
#include <string.h>

double lt_f_value(int64_t f, double x) {
  switch (f) {
  case LT_F_RELU: return x < 0 ? 0 : x; /* a NaN stays one */
  case LT_F_GELU: return x * 0.5 * erfc(-x * 0.70710678118654752440); /* 1 + erf(z) without loss where z is far below 0 */
  case LT_F_TANH: return tanh(x);
  case LT_F_SIGMOID: return 1 / (1 + exp(-x));
  case LT_F_EXP: return exp(x);
  case LT_F_LOG1P: return log1p(x);
  case LT_F_SQUARE: return x * x;
  case LT_F_SQRT: return sqrt(x);
  case LT_F_RECIPROCAL: return 1 / x;
  default: return x;
  }
}

double lt_f_slope(int64_t f, double s) {
  switch (f) {
  case LT_F_RELU: return s > 0 ? 1 : 0;
  case LT_F_GELU:
    return 0.5 * erfc(-s * 0.70710678118654752440) + s * 0.39894228040143267794 * exp(-0.5 * s * s);
  case LT_F_TANH: return (1 - s) * (1 + s);
  case LT_F_SIGMOID: return s * (1 - s);
  case LT_F_EXP: return s;
  case LT_F_LOG1P: return 1 / (1 + s);
  case LT_F_SQUARE: return 2 * s;
  case LT_F_SQRT: return 0.5 / s;
  case LT_F_RECIPROCAL: return -1 / (s * s);
  default: return 1;
  }
}

LT_REF(map) {
  (void)self, (void)err;
  for (int64_t i = 0; i < a->out[0].shape[0]; i++)
    for (int64_t j = 0; j < a->out[0].shape[1]; j++)
      lt_ref_row(&a->out[0], i)[j] = (float)lt_f_value(a->i[0], lt_ref_at(&a->in[0], i, j));
  return LEAT_OK;
}

LT_REF(map_grad) {
  (void)self, (void)err;
  for (int64_t i = 0; i < a->out[0].shape[0]; i++)
    for (int64_t j = 0; j < a->out[0].shape[1]; j++)
      lt_ref_row(&a->out[0], i)[j] =
          (float)(lt_ref_at(&a->in[0], i, j) * lt_f_slope(a->i[0], lt_ref_at(&a->in[1], i, j)));
  return LEAT_OK;
}

static double combine(int64_t which, double x, double y) {
  switch (which) {
  case LT_ADD: return x + y;
  case LT_SUBTRACT: return x - y;
  case LT_MULTIPLY: return x * y;
  case LT_DIVIDE: return x / y;
  case LT_MAX: return x > y || x != x ? x : y;
  default: return x < y || x != x ? x : y;
  }
}

LT_REF(binary) {
  int64_t row = a->in[1].rank == 1;
  (void)self, (void)err;
  for (int64_t i = 0; i < a->out[0].shape[0]; i++)
    for (int64_t j = 0; j < a->out[0].shape[1]; j++) {
      double y = row ? (double)lt_ref_floats(&a->in[1])[j] : lt_ref_at(&a->in[1], i, j);
      lt_ref_row(&a->out[0], i)[j] = (float)combine(a->i[0], a->f[0] * lt_ref_at(&a->in[0], i, j), a->f[1] * y);
    }
  return LEAT_OK;
}

LT_REF(fill) {
  (void)self, (void)err;
  for (int64_t i = 0; i < a->out[0].shape[0]; i++)
    for (int64_t j = 0; j < a->out[0].shape[1]; j++) lt_ref_row(&a->out[0], i)[j] = (float)a->f[0];
  return LEAT_OK;
}

/* ---- copies between types; IEEE 754 binary16 and the upper half of a float, rounded to nearest even */
float lt_f16_value(uint16_t h) {
  double v = (double)(h & 0x3ff);
  int e = h >> 10 & 31;
  if (e == 31) v = h & 0x3ff ? (double)NAN : (double)INFINITY;
  else v = e ? ldexp(v + 1024, e - 25) : ldexp(v, -24);
  return (float)(h & 0x8000 ? -v : v);
}

uint16_t lt_f16_of(float f) {
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  bits &= 0x7fffffff;
  if (bits > 0x7f800000) return (uint16_t)(sign | 0x7e00);
  if (bits >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* 65520 and more round to infinity */
  if (bits < 0x38800000) {                                    /* below 2^-14: steps of 2^-24 */
    double steps = rint(ldexp(fabs((double)f), 24));
    return (uint16_t)(sign | (uint16_t)steps);
  }
  bits += 0xfff + (bits >> 13 & 1); /* half of the last place, less where it is even */
  return (uint16_t)(sign | (uint16_t)((bits - 0x38000000) >> 13));
}

float lt_bf16_value(uint16_t h) {
  uint32_t bits = (uint32_t)h << 16;
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

uint16_t lt_bf16_of(float f) {
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float read_float(const lt_view *v, int64_t at) {
  switch (v->dtype) {
  case LEAT_F16: return lt_f16_value(((const uint16_t *)v->data)[at]);
  case LEAT_BF16: return lt_bf16_value(((const uint16_t *)v->data)[at]);
  case LEAT_U8: return (float)((const uint8_t *)v->data)[at];
  default: return ((const float *)v->data)[at];
  }
}

static void copy_row(const lt_view *x, const lt_view *y, int64_t i) {
  int64_t n = y->shape[1], from = i * x->stride[0], to = i * y->stride[0];
  if (x->dtype == y->dtype) {
    memmove((char *)lt_view_out(y) + to * y->size, (const char *)x->data + from * x->size, (uint64_t)(n * y->size));
    return;
  }
  for (int64_t j = 0; j < n; j++) {
    float v = read_float(x, from + j);
    if (y->dtype == LEAT_F32) ((float *)lt_view_out(y))[to + j] = v;
    else ((uint16_t *)lt_view_out(y))[to + j] = y->dtype == LEAT_F16 ? lt_f16_of(v) : lt_bf16_of(v);
  }
}

LT_REF(copy) {
  (void)self, (void)err;
  for (int64_t i = 0; i < a->out[0].shape[0]; i++) copy_row(&a->in[0], &a->out[0], i);
  return LEAT_OK;
}

LT_REF(dropout) {
  uint64_t limit = (uint64_t)(a->f[0] * 4294967296.0), block = UINT64_MAX; /* no element is in that block */
  uint32_t word[4] = {0};
  int64_t n = a->out[0].shape[1];
  (void)self, (void)err;
  for (int64_t i = 0; i < a->out[0].shape[0]; i++)
    for (int64_t j = 0; j < n; j++) {
      uint64_t e = (uint64_t)i * (uint64_t)n + (uint64_t)j;
      if (e / 4 != block) lt_philox((uint64_t)a->i[0], (uint64_t)a->i[1], block = e / 4, word);
      double kept = word[e % 4] >= limit ? lt_ref_at(&a->in[0], i, j) / (1 - a->f[0]) : 0;
      lt_ref_row(&a->out[0], i)[j] = (float)kept;
    }
  return LEAT_OK;
}

/* ---- reductions */
static double gather_in(int64_t what, double so_far, double x) {
  if (what == LT_LARGEST) return x > so_far || x != x ? x : so_far;
  return so_far + (what == LT_SUM ? x : x * x);
}

LT_REF(reduce) {
  const lt_view *x = &a->in[0];
  int64_t axis = a->i[1], m = x->shape[0], n = x->shape[1];
  (void)self, (void)err;
  for (int64_t q = 0; q < a->out[0].shape[0]; q++) {
    double r = a->i[0] == LT_LARGEST ? -(double)INFINITY : 0;
    for (int64_t i = axis == 1 ? q : 0; i < (axis == 1 ? q + 1 : m); i++)
      for (int64_t j = axis == 0 ? q : 0; j < (axis == 0 ? q + 1 : n); j++) r = gather_in(a->i[0], r, lt_ref_at(x, i, j));
    float *out = &lt_ref_floats(&a->out[0])[q];
    *out = (float)(a->f[0] * r + lt_ref_rest(a->f[1], *out));
  }
  return LEAT_OK;
}
