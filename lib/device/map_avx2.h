/* Activations on eight numbers. Only for files with AVX2 kernels. */
#ifndef LEAT_DEVICE_MAP_AVX2_H
#define LEAT_DEVICE_MAP_AVX2_H
#include "device/avx2.h"
#if defined(__x86_64__) && defined(__GNUC__)

AVX2_INLINE __m256 magnitude8(__m256 x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }

/* |x| < 0.625: x + x^3 p(x^2), the polynomial of the Cephes library's tanhf; else 1 - 2 / (exp 2|x| + 1) with x's sign. */
AVX2_INLINE __m256 tanh8(__m256 x) {
  __m256 m = magnitude8(x), q = _mm256_mul_ps(x, x), one = _mm256_set1_ps(1.0f), two = _mm256_set1_ps(2.0f);
  __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(-5.70498872745e-3f), q, _mm256_set1_ps(2.06390887954e-2f));
  p = _mm256_fmadd_ps(p, q, _mm256_set1_ps(-5.37397155531e-2f));
  p = _mm256_fmadd_ps(p, q, _mm256_set1_ps(1.33314422036e-1f));
  p = _mm256_fmadd_ps(p, q, _mm256_set1_ps(-3.33332819422e-1f));
  p = _mm256_fmadd_ps(_mm256_mul_ps(p, q), x, x);
  __m256 e = _mm256_add_ps(exp8(_mm256_add_ps(m, m)), one);
  __m256 big = _mm256_sub_ps(one, _mm256_div_ps(two, e));
  big = _mm256_or_ps(big, _mm256_and_ps(x, _mm256_set1_ps(-0.0f)));
  return _mm256_blendv_ps(big, p, _mm256_cmp_ps(m, _mm256_set1_ps(0.625f), _CMP_LT_OQ));
}

/* The standard normal's upper tail, P(X > m) for m >= 0, to some units of 1e-7 of itself: erfc(z) as t exp(-z^2 + p(t)),
 * t = 1 / (1 + z / 2) (Press et al., Numerical Recipes, 6.2: Chebyshev fit, error 1.2e-7 of the value), with z^2 = m^2 / 2
 * and what rounding took from m^2 put back. */
AVX2_INLINE __m256 normal_tail8(__m256 m) {
  __m256 z = _mm256_mul_ps(m, _mm256_set1_ps(0.70710678f)), one = _mm256_set1_ps(1.0f), half = _mm256_set1_ps(0.5f);
  __m256 t = _mm256_div_ps(one, _mm256_fmadd_ps(z, half, one));
  __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(0.17087277f), t, _mm256_set1_ps(-0.82215223f));
  p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(1.48851587f));
  p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(-1.13520398f));
  p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(0.27886807f));
  p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(-0.18628806f));
  p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(0.09678418f));
  p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(0.37409196f));
  p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(1.00002368f));
  p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(-1.26551223f));
  __m256 square = _mm256_mul_ps(m, m), rest = _mm256_fmsub_ps(m, m, square);
  __m256 e = exp8(_mm256_mul_ps(square, _mm256_set1_ps(-0.5f)));
  e = _mm256_mul_ps(e, exp8(_mm256_fnmadd_ps(rest, half, p)));
  return _mm256_mul_ps(_mm256_mul_ps(half, t), e);
}

/* x P(X <= x). Infinities: m is held below 30, where the tail is 0 and the factor is right. */
AVX2_INLINE __m256 gelu8(__m256 x) {
  __m256 m = _mm256_min_ps(_mm256_set1_ps(30.0f), magnitude8(x)); /* NaN passes as 2nd operand */
  __m256 tail = normal_tail8(m), held = _mm256_max_ps(_mm256_set1_ps(-30.0f), x);
  __m256 p = _mm256_blendv_ps(_mm256_sub_ps(_mm256_set1_ps(1.0f), tail), tail, x);
  return _mm256_mul_ps(held, p);
}

AVX2_INLINE __m256 relu8(__m256 x) { return _mm256_max_ps(_mm256_setzero_ps(), x); } /* NaN passes as 2nd operand */

AVX2_INLINE __m256 act8(__m256 x, int act) {
  return act == 1 ? relu8(x) : act == 2 ? gelu8(x) : act == 3 ? tanh8(x) : act == 4 ? sigmoid8(x) : x;
}

AVX2_INLINE void end_rows(float *x, int64_t ld, int64_t rows, int64_t n, const float *bias, int act) {
  for (int64_t i = 0; i < rows; i++, x += ld) {
    int64_t j = 0;
    for (; j + 8 <= n; j += 8) {
      __m256 v = _mm256_loadu_ps(x + j);
      if (bias) v = _mm256_add_ps(v, _mm256_loadu_ps(bias + j));
      _mm256_storeu_ps(x + j, act8(v, act));
    }
    if (j < n) {
      __m256i m = mask8(n - j);
      __m256 v = _mm256_maskload_ps(x + j, m);
      if (bias) v = _mm256_add_ps(v, _mm256_maskload_ps(bias + j, m));
      _mm256_maskstore_ps(x + j, m, act8(v, act));
    }
  }
}
#endif
#endif
