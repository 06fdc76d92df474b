/* What the files with kernels for x86-64 with AVX2 and FMA share. Only the functions marked AVX2 use those instructions;
 * the rest of the library is built for the baseline. */
#ifndef LEAT_DEVICE_AVX2_H
#define LEAT_DEVICE_AVX2_H
#include <stdint.h>
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))
#define AVX2_INLINE __attribute__((target("avx2,fma"), always_inline)) static inline

/* Loading 8 (or 4) lanes from &tail_mask[8 - n] gives a mask whose first n lanes are set. */
static const int32_t tail_mask[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

AVX2_INLINE __m256i mask8(int64_t n) { return _mm256_loadu_si256((const __m256i *)(const void *)(tail_mask + 8 - n)); }
AVX2_INLINE __m128i mask4(int64_t n) { return _mm_loadu_si128((const __m128i *)(const void *)(tail_mask + 8 - n)); }
AVX2_INLINE __m256i mask4d(int64_t n) { return _mm256_cvtepi32_epi64(mask4(n)); }

/* Lanes as ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)): the order that hadd gives eight rows at once in gemv_ff. */
AVX2_INLINE float sum8(__m256 v) {
  __m256 h = _mm256_hadd_ps(v, v);
  h = _mm256_hadd_ps(h, h);
  return _mm_cvtss_f32(_mm_add_ss(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1)));
}

AVX2_INLINE float max8(__m256 v) {
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_shuffle_ps(m, m, 1)));
}

/* exp: z = k ln 2 + r, |r| <= ln 2 / 2; Taylor series to r^7 (its rest is below 6e-9 of exp r), then times 2^k in two
 * steps so that denormals and the last binade come out right. ln 2 in two parts (Cody and Waite). */
AVX2_INLINE __m256 exp8(__m256 z) {
  z = _mm256_min_ps(_mm256_set1_ps(89.0f), _mm256_max_ps(_mm256_set1_ps(-104.0f), z)); /* NaN passes as 2nd operand */
  __m256 k = _mm256_round_ps(_mm256_mul_ps(z, _mm256_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(k, _mm256_set1_ps(0x1.62e4p-1f), z);
  r = _mm256_fnmadd_ps(k, _mm256_set1_ps(0x1.7f7d1cp-20f), r);
  __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(1.0f / 5040), r, _mm256_set1_ps(1.0f / 720));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 120));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 24));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 6));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5f));
  p = _mm256_fmadd_ps(_mm256_mul_ps(r, r), p, r);
  p = _mm256_add_ps(p, _mm256_set1_ps(1.0f));
  __m256i e = _mm256_cvtps_epi32(k), e1 = _mm256_srai_epi32(e, 1), e2 = _mm256_sub_epi32(e, e1);
  __m256i bias = _mm256_set1_epi32(127);
  p = _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(e1, bias), 23)));
  return _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(e2, bias), 23)));
}

/* log(1 + z): y = 1 + z = 2^k m, m in [sqrt(1/2), sqrt 2), s = (m - 1) / (m + 1), log m = 2 atanh s as a series to s^9
 * (|s| < 0.172: the rest is below 3e-9 of it); what rounding took from y comes back as c / y. For small z, z itself
 * stands for m - 1. */
AVX2_INLINE __m256 log1p8(__m256 z) {
  __m256 one = _mm256_set1_ps(1.0f), y = _mm256_add_ps(one, z);
  __m256i bits = _mm256_castps_si256(y);
  __m256i e = _mm256_srai_epi32(_mm256_sub_epi32(bits, _mm256_set1_epi32(0x3f3504f3)), 23);
  __m256 k = _mm256_cvtepi32_ps(e);
  __m256 f = _mm256_sub_ps(_mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(e, 23))), one);
  __m256 c = _mm256_blendv_ps(_mm256_sub_ps(one, _mm256_sub_ps(y, z)), _mm256_sub_ps(z, _mm256_sub_ps(y, one)),
                              _mm256_cmp_ps(one, z, _CMP_GT_OQ));
  c = _mm256_div_ps(c, y);
  __m256 small = _mm256_castsi256_ps(_mm256_cmpeq_epi32(e, _mm256_setzero_si256()));
  f = _mm256_blendv_ps(f, z, small);
  c = _mm256_andnot_ps(small, c);
  __m256 s = _mm256_div_ps(f, _mm256_add_ps(_mm256_set1_ps(2.0f), f)), q = _mm256_mul_ps(s, s);
  __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(1.0f / 9), q, _mm256_set1_ps(1.0f / 7));
  p = _mm256_fmadd_ps(p, q, _mm256_set1_ps(1.0f / 5));
  p = _mm256_fmadd_ps(p, q, _mm256_set1_ps(1.0f / 3));
  __m256 s2 = _mm256_add_ps(s, s);
  p = _mm256_fmadd_ps(_mm256_mul_ps(s2, q), p, _mm256_fmadd_ps(k, _mm256_set1_ps(0x1.7f7d1cp-20f), c));
  p = _mm256_add_ps(_mm256_fmadd_ps(k, _mm256_set1_ps(0x1.62e4p-1f), s2), p);
  p = _mm256_blendv_ps(p, z, _mm256_cmp_ps(z, _mm256_set1_ps(3.4e38f), _CMP_NLE_UQ)); /* inf and NaN */
  p = _mm256_blendv_ps(p, _mm256_set1_ps(-__builtin_inff()), _mm256_cmp_ps(z, _mm256_set1_ps(-1.0f), _CMP_EQ_OQ));
  return _mm256_blendv_ps(p, _mm256_set1_ps(__builtin_nanf("")), _mm256_cmp_ps(z, _mm256_set1_ps(-1.0f), _CMP_LT_OQ));
}

AVX2_INLINE __m256 negative_abs(__m256 z) { return _mm256_or_ps(z, _mm256_set1_ps(-0.0f)); }

AVX2_INLINE __m256 sigmoid8(__m256 z) {
  __m256 e = exp8(negative_abs(z)), one = _mm256_set1_ps(1.0f);
  return _mm256_div_ps(_mm256_blendv_ps(one, e, z), _mm256_add_ps(one, e)); /* by the sign bit of z */
}
#endif
#endif
