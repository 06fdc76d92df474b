/* The kernels of loop.h for AVX2 and FMA. */
#include "device/loop.h"
#include "device/map_avx2.h"
#include "device/ops.h"

#include <math.h>
#include <stddef.h>

#if defined(__x86_64__) && defined(__GNUC__)
/* Eight numbers, or what is left of them: the others are 0, and stay what they are. */
AVX2_INLINE __m256 load8(const float *p, int64_t left) {
  return left >= 8 ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, mask8(left));
}

AVX2_INLINE void store8(float *p, int64_t left, __m256 v) {
  if (left >= 8) _mm256_storeu_ps(p, v);
  else _mm256_maskstore_ps(p, mask8(left), v);
}

AVX2_INLINE __m256 all8(float v) { return _mm256_set1_ps(v); }

/* ------------------------------------------------------------------------------------------------ maps */
AVX2_INLINE __m256 value8(int64_t f, __m256 x) {
  switch (f) {
    case LT_F_RELU: return relu8(x);
    case LT_F_GELU: return gelu8(x);
    case LT_F_TANH: return tanh8(x);
    case LT_F_SIGMOID: return sigmoid8(x);
    case LT_F_EXP: return exp8(x);
    case LT_F_LOG1P: return log1p8(x);
    case LT_F_SQUARE: return _mm256_mul_ps(x, x);
    case LT_F_SQRT: return _mm256_sqrt_ps(x);
    case LT_F_RECIPROCAL: return _mm256_div_ps(all8(1), x);
    default: return x;
  }
}

/* P(X <= x) + x times the normal density: beyond 30 it is 0 or 1 to the last place. */
AVX2_INLINE __m256 gelu_slope8(__m256 s) {
  __m256 x = _mm256_max_ps(all8(-30), _mm256_min_ps(all8(30), s)), tail = normal_tail8(magnitude8(x)); /* NaN passes */
  __m256 p = _mm256_blendv_ps(_mm256_sub_ps(all8(1), tail), tail, x);
  __m256 density = _mm256_mul_ps(exp8(_mm256_mul_ps(_mm256_mul_ps(x, x), all8(-0.5f))), all8(0.39894228f));
  return _mm256_fmadd_ps(x, density, p);
}

AVX2_INLINE __m256 slope8(int64_t f, __m256 s) {
  __m256 one = all8(1);
  switch (f) {
    case LT_F_RELU: return _mm256_and_ps(one, _mm256_cmp_ps(s, _mm256_setzero_ps(), _CMP_GT_OQ));
    case LT_F_GELU: return gelu_slope8(s);
    case LT_F_TANH: return _mm256_mul_ps(_mm256_sub_ps(one, s), _mm256_add_ps(one, s));
    case LT_F_SIGMOID: return _mm256_mul_ps(s, _mm256_sub_ps(one, s));
    case LT_F_EXP: return s;
    case LT_F_LOG1P: return _mm256_div_ps(one, _mm256_add_ps(one, s));
    case LT_F_SQUARE: return _mm256_add_ps(s, s);
    case LT_F_SQRT: return _mm256_div_ps(all8(0.5f), s);
    case LT_F_RECIPROCAL: return _mm256_div_ps(all8(-1), _mm256_mul_ps(s, s));
    default: return one;
  }
}

#define LT_MAP(f) \
  case f:         \
    for (int64_t i = 0; i < n; i += 8) store8(y + i, n - i, value8(f, load8(x + i, n - i))); \
    return;
AVX2 static void avx2_map(int64_t f, const float *x, float *y, int64_t n) {
  switch (f) {
    LT_MAP(LT_F_RELU)
    LT_MAP(LT_F_GELU)
    LT_MAP(LT_F_TANH)
    LT_MAP(LT_F_SIGMOID)
    LT_MAP(LT_F_EXP)
    LT_MAP(LT_F_LOG1P)
    LT_MAP(LT_F_SQUARE)
    LT_MAP(LT_F_SQRT)
    LT_MAP(LT_F_RECIPROCAL)
    LT_MAP(LT_F_NONE)
  }
}
#undef LT_MAP

#define LT_GRAD(f) \
  case f:          \
    for (int64_t i = 0; i < n; i += 8) \
      store8(dx + i, n - i, _mm256_mul_ps(load8(d + i, n - i), slope8(f, load8(s + i, n - i)))); \
    return;
AVX2 static void avx2_map_grad(int64_t f, const float *d, const float *s, float *dx, int64_t n) {
  switch (f) {
    LT_GRAD(LT_F_RELU)
    LT_GRAD(LT_F_GELU)
    LT_GRAD(LT_F_TANH)
    LT_GRAD(LT_F_SIGMOID)
    LT_GRAD(LT_F_EXP)
    LT_GRAD(LT_F_LOG1P)
    LT_GRAD(LT_F_SQUARE)
    LT_GRAD(LT_F_SQRT)
    LT_GRAD(LT_F_RECIPROCAL)
  }
}
#undef LT_GRAD

AVX2_INLINE __m256 unordered8(__m256 x) { return _mm256_cmp_ps(x, x, _CMP_UNORD_Q); }

AVX2_INLINE __m256 combine8(int64_t which, __m256 x, __m256 y) {
  switch (which) {
    case LT_ADD: return _mm256_add_ps(x, y);
    case LT_SUBTRACT: return _mm256_sub_ps(x, y);
    case LT_MULTIPLY: return _mm256_mul_ps(x, y);
    case LT_DIVIDE: return _mm256_div_ps(x, y);
    case LT_MAX: return _mm256_blendv_ps(_mm256_max_ps(x, y), x, unordered8(x)); /* max gives y where one is NaN */
    default: return _mm256_blendv_ps(_mm256_min_ps(x, y), x, unordered8(x));
  }
}

#define LT_BINARY(which) \
  case which:            \
    for (int64_t i = 0; i < n; i += 8) \
      store8(c + i, n - i, combine8(which, _mm256_mul_ps(va, load8(a + i, n - i)), _mm256_mul_ps(vb, load8(b + i, n - i)))); \
    return;
AVX2 static void avx2_binary(int64_t which, float alpha, const float *a, float beta, const float *b, float *c, int64_t n) {
  __m256 va = all8(alpha), vb = all8(beta);
  switch (which) {
    LT_BINARY(LT_ADD)
    LT_BINARY(LT_SUBTRACT)
    LT_BINARY(LT_MULTIPLY)
    LT_BINARY(LT_DIVIDE)
    LT_BINARY(LT_MAX)
    LT_BINARY(LT_MIN)
  }
}
#undef LT_BINARY

/* ------------------------------------------------------------------------------------------------ dropout
 * Four blocks in the halves of 64-bit lanes: what is left above the low 32 bits is never looked at. Two such groups run
 * beside each other to hide the latency of the products. */
AVX2_INLINE void philox_store(const __m256i c[4], uint32_t *out) {
  __m256i low = _mm256_set1_epi64x(0xffffffff);
  __m256i p = _mm256_or_si256(_mm256_and_si256(c[0], low), _mm256_slli_epi64(c[1], 32));
  __m256i q = _mm256_or_si256(_mm256_and_si256(c[2], low), _mm256_slli_epi64(c[3], 32));
  __m256i even = _mm256_unpacklo_epi64(p, q), odd = _mm256_unpackhi_epi64(p, q);
  _mm256_storeu_si256((__m256i *)(void *)out, _mm256_permute2x128_si256(even, odd, 0x20));
  _mm256_storeu_si256((__m256i *)(void *)(out + 8), _mm256_permute2x128_si256(even, odd, 0x31));
}

AVX2_INLINE void philox_round(__m256i c[4], __m256i k0, __m256i k1) {
  __m256i p0 = _mm256_mul_epu32(c[0], _mm256_set1_epi64x(0xD2511F53));
  __m256i p1 = _mm256_mul_epu32(c[2], _mm256_set1_epi64x(0xCD9E8D57));
  c[0] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p1, 32), c[1]), k0);
  c[2] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p0, 32), c[3]), k1);
  c[1] = p1;
  c[3] = p0;
}

AVX2 static void avx2_philox(uint64_t seed, uint64_t stream, uint64_t first, uint32_t word[32]) {
  __m256i a[4], b[4], step = _mm256_set_epi64x(3, 2, 1, 0);
  __m256i at_a = _mm256_add_epi64(_mm256_set1_epi64x((int64_t)first), step);
  __m256i at_b = _mm256_add_epi64(at_a, _mm256_set1_epi64x(4));
  __m256i k0 = _mm256_set1_epi32((int32_t)(uint32_t)seed), k1 = _mm256_set1_epi32((int32_t)(uint32_t)(seed >> 32));
  a[0] = at_a, a[1] = _mm256_srli_epi64(at_a, 32);
  b[0] = at_b, b[1] = _mm256_srli_epi64(at_b, 32);
  a[2] = b[2] = _mm256_set1_epi64x((int64_t)(stream & 0xffffffff));
  a[3] = b[3] = _mm256_set1_epi64x((int64_t)(stream >> 32));
  for (int round = 0; round < 10; round++) {
    philox_round(a, k0, k1);
    philox_round(b, k0, k1);
    k0 = _mm256_add_epi32(k0, _mm256_set1_epi32((int32_t)0x9E3779B9u));
    k1 = _mm256_add_epi32(k1, _mm256_set1_epi32((int32_t)0xBB67AE85u));
  }
  philox_store(a, word);
  philox_store(b, word + 16);
}

AVX2 static void avx2_keep(const float *x, const uint32_t *word, uint32_t limit, float factor, float *y, int64_t n) {
  __m256i sign = _mm256_set1_epi32(INT32_MIN), l = _mm256_xor_si256(sign, _mm256_set1_epi32((int32_t)limit));
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    __m256i w = _mm256_xor_si256(sign, _mm256_loadu_si256((const __m256i *)(const void *)(word + i)));
    __m256 v = _mm256_mul_ps(all8(factor), _mm256_loadu_ps(x + i));
    _mm256_storeu_ps(y + i, _mm256_andnot_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(l, w)), v));
  }
  for (; i < n; i++) y[i] = word[i] < limit ? 0 : factor * x[i];
}

/* ------------------------------------------------------------------------------------------------ reductions */
AVX2_INLINE __m256 gather8(int64_t what, __m256 so_far, __m256 x) {
  if (what == LT_SUM) return _mm256_add_ps(so_far, x);
  if (what == LT_SUM_SQUARES) return _mm256_fmadd_ps(x, x, so_far);
  return _mm256_blendv_ps(_mm256_max_ps(x, so_far), x, unordered8(x)); /* a NaN so far stays: the 2nd operand */
}

AVX2_INLINE void column_sums(int64_t what, const float *x, int64_t ld, int64_t rows, int64_t n, float *out) {
  __m256 none = what == LT_LARGEST ? all8(-INFINITY) : _mm256_setzero_ps();
  int64_t j = 0;
  for (; j + 32 <= n; j += 32) {
    __m256 s[4] = {none, none, none, none};
    for (int64_t i = 0; i < rows; i++)
#pragma GCC unroll 4
      for (int q = 0; q < 4; q++) s[q] = gather8(what, s[q], _mm256_loadu_ps(x + i * ld + j + 8 * q));
#pragma GCC unroll 4
    for (int q = 0; q < 4; q++) _mm256_storeu_ps(out + j + 8 * q, s[q]);
  }
  for (; j < n; j += 8) {
    __m256 s = none;
    for (int64_t i = 0; i < rows; i++) s = gather8(what, s, load8(x + i * ld + j, n - j));
    store8(out + j, n - j, s);
  }
}

AVX2 static void avx2_columns(int64_t what, const float *x, int64_t ld, int64_t rows, int64_t n, float *out) {
  if (what == LT_SUM) column_sums(LT_SUM, x, ld, rows, n, out);
  else if (what == LT_SUM_SQUARES) column_sums(LT_SUM_SQUARES, x, ld, rows, n, out);
  else column_sums(LT_LARGEST, x, ld, rows, n, out);
}

AVX2_INLINE float line_end(int64_t what, const __m256 s[4]) {
  __m256 v = gather8(what == LT_LARGEST ? what : LT_SUM, gather8(what == LT_LARGEST ? what : LT_SUM, s[0], s[1]),
                     gather8(what == LT_LARGEST ? what : LT_SUM, s[2], s[3]));
  if (what != LT_LARGEST) return sum8(v);
  return _mm256_movemask_ps(unordered8(v)) ? __builtin_nanf("") : max8(v);
}

AVX2_INLINE float line_sum(int64_t what, const float *x, int64_t n) {
  __m256 none = what == LT_LARGEST ? all8(-INFINITY) : _mm256_setzero_ps(), s[4] = {none, none, none, none};
  int64_t i = 0;
  for (; i + 32 <= n; i += 32)
#pragma GCC unroll 4
    for (int q = 0; q < 4; q++) s[q] = gather8(what, s[q], _mm256_loadu_ps(x + i + 8 * q));
  for (int q = 0; i < n; i += 8, q++) {
    __m256 v = load8(x + i, n - i);
    if (n - i < 8) v = _mm256_blendv_ps(none, v, _mm256_castsi256_ps(mask8(n - i)));
    s[q] = gather8(what, s[q], v);
  }
  return line_end(what, s);
}

AVX2 static double avx2_line(int64_t what, const float *x, int64_t n) {
  double total = 0;
  if (what == LT_LARGEST) return (double)line_sum(LT_LARGEST, x, n);
  for (int64_t i = 0; i < n; i += 4096) {
    int64_t part = n - i < 4096 ? n - i : 4096;
    total += (double)(what == LT_SUM ? line_sum(LT_SUM, x + i, part) : line_sum(LT_SUM_SQUARES, x + i, part));
  }
  return total;
}

/* ------------------------------------------------------------------------------------------------ loss */
AVX2 static float avx2_xent(const float *x, int64_t n, int64_t label, float factor, float *dx) {
  __m256 none = all8(-INFINITY), top = none, sum = _mm256_setzero_ps();
  float at = x[label];
  for (int64_t j = 0; j < n; j += 8) {
    __m256 v = load8(x + j, n - j);
    if (n - j < 8) v = _mm256_blendv_ps(none, v, _mm256_castsi256_ps(mask8(n - j)));
    top = _mm256_max_ps(top, v); /* a NaN may be lost here; exp brings it back */
  }
  float high = max8(top);
  top = all8(high);
  for (int64_t j = 0; j < n; j += 8) {
    __m256 e = exp8(_mm256_sub_ps(load8(x + j, n - j), top));
    if (n - j < 8) e = _mm256_and_ps(e, _mm256_castsi256_ps(mask8(n - j)));
    sum = _mm256_add_ps(sum, e);
    if (dx) store8(dx + j, n - j, e);
  }
  float total = sum8(sum);
  if (dx) {
    float at_label = factor * (dx[label] / total - 1.0f);
    __m256 f = all8(factor / total);
    for (int64_t j = 0; j < n; j += 8) store8(dx + j, n - j, _mm256_mul_ps(f, load8(dx + j, n - j)));
    dx[label] = at_label;
  }
  return logf(total) - (at - high);
}

/* ------------------------------------------------------------------------------------------------ steps */
AVX2_INLINE void sgd_rows(const lt_sgd_step *s, const float *g, float *w, float *v, int64_t n, int nesterov) {
  __m256 rate = all8(s->rate), momentum = all8(s->momentum), decay = all8(s->decay), factor = all8(s->factor);
  for (int64_t i = 0; i < n; i += 8) {
    int64_t left = n - i;
    __m256 at = load8(w + i, left), d = _mm256_fmadd_ps(decay, at, _mm256_mul_ps(factor, load8(g + i, left))), step = d;
    if (v) {
      step = _mm256_fmadd_ps(momentum, load8(v + i, left), d);
      store8(v + i, left, step);
      if (nesterov) step = _mm256_fmadd_ps(momentum, step, d);
    }
    store8(w + i, left, _mm256_fnmadd_ps(rate, step, at));
  }
}

AVX2 static void avx2_sgd(const lt_sgd_step *s, const float *g, float *w, float *v, int64_t n) {
  if (!v) sgd_rows(s, g, w, NULL, n, 0);
  else if (s->nesterov) sgd_rows(s, g, w, v, n, 1);
  else sgd_rows(s, g, w, v, n, 0);
}

AVX2 static void avx2_adam(const lt_adam_step *s, const float *g, float *w, float *u, float *v, int64_t n) {
  __m256 beta1 = all8(s->beta1), rest1 = all8(s->rest1), beta2 = all8(s->beta2), rest2 = all8(s->rest2);
  __m256 rate = all8(s->step), root = all8(s->root), eps = all8(s->eps), decay = all8(s->decay), fade = all8(s->fade);
  __m256 factor = all8(s->factor);
  for (int64_t i = 0; i < n; i += 8) {
    int64_t left = n - i;
    __m256 at = load8(w + i, left), d = _mm256_fmadd_ps(decay, at, _mm256_mul_ps(factor, load8(g + i, left)));
    __m256 first = _mm256_fmadd_ps(beta1, load8(u + i, left), _mm256_mul_ps(rest1, d));
    __m256 second = _mm256_fmadd_ps(beta2, load8(v + i, left), _mm256_mul_ps(_mm256_mul_ps(rest2, d), d));
    __m256 below = _mm256_add_ps(_mm256_sqrt_ps(_mm256_mul_ps(second, root)), eps);
    __m256 step = _mm256_div_ps(_mm256_mul_ps(rate, first), below);
    store8(u + i, left, first);
    store8(v + i, left, second);
    store8(w + i, left, _mm256_sub_ps(at, _mm256_fmadd_ps(fade, at, step)));
  }
}

/* ------------------------------------------------------------------------------------------------ tables */
AVX2_INLINE void sparse_strip(const int32_t *index, const float *value, int64_t count, const float *b, int64_t rows,
                              int64_t ld, int64_t n, int parts, float *sum) {
  __m256 s[8];
#pragma GCC unroll 8
  for (int q = 0; q < parts; q++) s[q] = load8(sum + 8 * q, n - 8 * q);
  for (int64_t p = 0; p < count; p++) {
    if (index[p] < 0 || index[p] >= rows) continue;
    const float *at = b + index[p] * ld;
    __m256 v = all8(value[p]);
#pragma GCC unroll 8
    for (int q = 0; q < parts; q++) s[q] = _mm256_fmadd_ps(v, load8(at + 8 * q, n - 8 * q), s[q]);
  }
#pragma GCC unroll 8
  for (int q = 0; q < parts; q++) store8(sum + 8 * q, n - 8 * q, s[q]);
}

AVX2 static void avx2_sparse_rows(const int32_t *index, const float *value, int64_t count, const float *b, int64_t rows,
                                  int64_t ld, int64_t n, float *sum) {
  if (n == LT_STRIP) sparse_strip(index, value, count, b, rows, ld, LT_STRIP, 8, sum);
  else
    for (int64_t c = 0; c < n; c += 8)
      sparse_strip(index, value, count, b + c, rows, ld, n - c < 8 ? n - c : 8, 1, sum + c);
}

/* ------------------------------------------------------------------------------------------------ norms */
AVX2 static void avx2_normal(const float *x, float mean, float rstd, const float *gamma, const float *beta, float *y,
                             int64_t n) {
  for (int64_t i = 0; i < n; i += 8) {
    __m256 h = _mm256_mul_ps(_mm256_sub_ps(load8(x + i, n - i), all8(mean)), all8(rstd));
    store8(y + i, n - i, _mm256_fmadd_ps(h, load8(gamma + i, n - i), load8(beta + i, n - i)));
  }
}

AVX2 static double avx2_spread(const float *x, float mean, int64_t n) {
  double total = 0;
  for (int64_t from = 0; from < n; from += 4096) {
    int64_t end = n - from < 4096 ? n : from + 4096;
    __m256 s = _mm256_setzero_ps();
    for (int64_t i = from; i < end; i += 8) {
      __m256 c = _mm256_sub_ps(load8(x + i, end - i), all8(mean));
      if (end - i < 8) c = _mm256_and_ps(c, _mm256_castsi256_ps(mask8(end - i)));
      s = _mm256_fmadd_ps(c, c, s);
    }
    total += (double)sum8(s);
  }
  return total;
}

AVX2 static void avx2_normal_grad(const float *d, const float *x, const float *gamma, float mean, float rstd, float *dx,
                                  float *dgamma, float *dbeta, int64_t n) {
  __m256 sum = _mm256_setzero_ps(), with_h = sum, m = all8(mean), r = all8(rstd);
  for (int64_t i = 0; i < n; i += 8) { /* what is behind the end is d = 0 */
    int64_t left = n - i;
    __m256 h = _mm256_mul_ps(_mm256_sub_ps(load8(x + i, left), m), r), v = load8(d + i, left);
    __m256 g = _mm256_mul_ps(v, load8(gamma + i, left));
    store8(dgamma + i, left, _mm256_fmadd_ps(v, h, load8(dgamma + i, left)));
    store8(dbeta + i, left, _mm256_add_ps(v, load8(dbeta + i, left)));
    sum = _mm256_add_ps(sum, g);
    if (left < 8) h = _mm256_and_ps(h, _mm256_castsi256_ps(mask8(left)));
    with_h = _mm256_fmadd_ps(g, h, with_h);
  }
  __m256 mean_g = all8(sum8(sum) / (float)n), mean_gh = all8(sum8(with_h) / (float)n);
  for (int64_t i = 0; i < n; i += 8) {
    int64_t left = n - i;
    __m256 h = _mm256_mul_ps(_mm256_sub_ps(load8(x + i, left), m), r);
    __m256 g = _mm256_mul_ps(load8(d + i, left), load8(gamma + i, left));
    store8(dx + i, left, _mm256_mul_ps(r, _mm256_fnmadd_ps(h, mean_gh, _mm256_sub_ps(g, mean_g))));
  }
}

AVX2_INLINE __m256 standard8(const float *x, const float *mean, const float *rstd, int64_t left) {
  return _mm256_mul_ps(_mm256_sub_ps(load8(x, left), load8(mean, left)), load8(rstd, left));
}

AVX2 static void avx2_spread_columns(const float *x, const float *mean, float *out, int64_t n) {
  for (int64_t j = 0; j < n; j += 8) {
    __m256 c = _mm256_sub_ps(load8(x + j, n - j), load8(mean + j, n - j));
    store8(out + j, n - j, _mm256_fmadd_ps(c, c, load8(out + j, n - j)));
  }
}

AVX2 static void avx2_dot_columns(const float *d, const float *x, const float *mean, const float *rstd, float *out,
                                  int64_t n) {
  for (int64_t j = 0; j < n; j += 8) {
    __m256 h = standard8(x + j, mean + j, rstd + j, n - j);
    store8(out + j, n - j, _mm256_fmadd_ps(load8(d + j, n - j), h, load8(out + j, n - j)));
  }
}

AVX2 static void avx2_normal_columns(const float *x, const float *mean, const float *rstd, const float *gamma,
                                     const float *beta, float *y, int64_t n) {
  for (int64_t j = 0; j < n; j += 8) {
    __m256 h = standard8(x + j, mean + j, rstd + j, n - j);
    store8(y + j, n - j, _mm256_fmadd_ps(h, load8(gamma + j, n - j), load8(beta + j, n - j)));
  }
}

AVX2 static void avx2_normal_columns_grad(const float *d, const float *x, const float *mean, const float *rstd,
                                          const float *gamma, const float *sum_d, const float *sum_dh, float share,
                                          float *dx, int64_t n) {
  for (int64_t j = 0; j < n; j += 8) {
    int64_t left = n - j;
    __m256 h = standard8(x + j, mean + j, rstd + j, left), part = all8(share);
    __m256 v = _mm256_fnmadd_ps(load8(sum_d + j, left), part, load8(d + j, left));
    v = _mm256_fnmadd_ps(h, _mm256_mul_ps(load8(sum_dh + j, left), part), v);
    store8(dx + j, left, _mm256_mul_ps(_mm256_mul_ps(load8(gamma + j, left), load8(rstd + j, left)), v));
  }
}

static const lt_loop loop_avx2 = {
    .name = "avx2",
    .map = avx2_map,
    .map_grad = avx2_map_grad,
    .binary = avx2_binary,
    .philox = avx2_philox,
    .keep = avx2_keep,
    .columns = avx2_columns,
    .line = avx2_line,
    .xent = avx2_xent,
    .sgd = avx2_sgd,
    .adam = avx2_adam,
    .sparse_rows = avx2_sparse_rows,
    .normal = avx2_normal,
    .spread = avx2_spread,
    .normal_grad = avx2_normal_grad,
    .spread_columns = avx2_spread_columns,
    .dot_columns = avx2_dot_columns,
    .normal_columns = avx2_normal_columns,
    .normal_columns_grad = avx2_normal_columns_grad,
};

const lt_loop *lt_loop_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &loop_avx2 : NULL;
}
#else
const lt_loop *lt_loop_avx2(void) { return NULL; }
#endif
