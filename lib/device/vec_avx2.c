/* The kernels for x86-64 with AVX2 and FMA. Only the functions marked AVX2 use those instructions; the rest of the
 * library is built for the baseline. */
#include "device/avx2.h"
#include "device/vec_shared.h"

#include <stddef.h>

#if defined(__x86_64__) && defined(__GNUC__)
/* ------------------------------------------------------------------------------------------------ dots in double
 * One body for both element types and with or without filling, so that the order of sums is one: number i goes by FMA
 * to sum i mod 16 (4 vectors of 4), those are added as (0 + 1) + (2 + 3), lanes as (0 + 2) + (1 + 3). */
AVX2_INLINE __m256d dot_load(const void *x, int is_f32, int64_t i) {
  return is_f32 ? _mm256_cvtps_pd(_mm_loadu_ps((const float *)x + i)) : _mm256_loadu_pd((const double *)x + i);
}

AVX2_INLINE __m256d dot_load_tail(const void *x, int is_f32, int64_t i, int64_t left) {
  return is_f32 ? _mm256_cvtps_pd(_mm_maskload_ps((const float *)x + i, mask4(left)))
                : _mm256_maskload_pd((const double *)x + i, mask4d(left));
}

AVX2_INLINE __m256d dot_fill(__m256d v, const double *fill, int64_t i) {
  return fill ? _mm256_blendv_pd(v, _mm256_loadu_pd(fill + i), _mm256_cmp_pd(v, v, _CMP_UNORD_Q)) : v;
}

AVX2_INLINE double dot_any(const void *x, int is_f32, const double *w, const double *fill, int64_t n) {
  __m256d s0 = _mm256_setzero_pd(), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    s0 = _mm256_fmadd_pd(dot_fill(dot_load(x, is_f32, i), fill, i), _mm256_loadu_pd(w + i), s0);
    s1 = _mm256_fmadd_pd(dot_fill(dot_load(x, is_f32, i + 4), fill, i + 4), _mm256_loadu_pd(w + i + 4), s1);
    s2 = _mm256_fmadd_pd(dot_fill(dot_load(x, is_f32, i + 8), fill, i + 8), _mm256_loadu_pd(w + i + 8), s2);
    s3 = _mm256_fmadd_pd(dot_fill(dot_load(x, is_f32, i + 12), fill, i + 12), _mm256_loadu_pd(w + i + 12), s3);
  }
  if (i + 8 <= n) {
    s0 = _mm256_fmadd_pd(dot_fill(dot_load(x, is_f32, i), fill, i), _mm256_loadu_pd(w + i), s0);
    s1 = _mm256_fmadd_pd(dot_fill(dot_load(x, is_f32, i + 4), fill, i + 4), _mm256_loadu_pd(w + i + 4), s1);
    i += 8;
    __m256d t = s0; /* what is left belongs to sums 8 to 15: swap the pairs, and back below by symmetry of the end */
    s0 = s2, s2 = t, t = s1, s1 = s3, s3 = t;
  }
  if (i + 4 <= n) {
    s0 = _mm256_fmadd_pd(dot_fill(dot_load(x, is_f32, i), fill, i), _mm256_loadu_pd(w + i), s0);
    i += 4;
    __m256d t = s0;
    s0 = s1, s1 = t;
  }
  if (i < n) {
    __m256i m = mask4d(n - i);
    __m256d v = dot_load_tail(x, is_f32, i, n - i);
    if (fill) v = _mm256_blendv_pd(v, _mm256_maskload_pd(fill + i, m), _mm256_cmp_pd(v, v, _CMP_UNORD_Q));
    s0 = _mm256_fmadd_pd(v, _mm256_maskload_pd(w + i, m), s0);
  }
  __m256d s = _mm256_add_pd(_mm256_add_pd(s0, s1), _mm256_add_pd(s2, s3));
  __m128d p = _mm_add_pd(_mm256_castpd256_pd128(s), _mm256_extractf128_pd(s, 1));
  return _mm_cvtsd_f64(_mm_add_sd(p, _mm_unpackhi_pd(p, p)));
}

AVX2 static double avx2_dot_f64(const double *x, const double *w, const double *fill, int64_t n) {
  return fill ? dot_any(x, 0, w, fill, n) : dot_any(x, 0, w, NULL, n);
}

AVX2 static double avx2_dot_f32(const float *x, const double *w, const double *fill, int64_t n) {
  return fill ? dot_any(x, 1, w, fill, n) : dot_any(x, 1, w, NULL, n);
}

/* ------------------------------------------------------------------------------------------------ sparse
 * Four loads a step instead of a gather instruction, which is no faster and has been slow after microcode updates. */
AVX2_INLINE double sparse_end(__m256d s, double tail[4]) {
  double lane[4];
  _mm256_storeu_pd(lane, s);
  return ((lane[0] + tail[0]) + (lane[1] + tail[1])) + ((lane[2] + tail[2]) + (lane[3] + tail[3]));
}

AVX2 static double avx2_dot_sparse(const int32_t *index, const float *value, const float *w, int64_t nnz) {
  __m256d s = _mm256_setzero_pd();
  double tail[4] = {0, 0, 0, 0};
  int64_t k = 0;
  for (; k + 4 <= nnz; k += 4) {
    const int32_t *at = index + k;
    __m256d v = _mm256_cvtps_pd(_mm_set_ps(w[at[3]], w[at[2]], w[at[1]], w[at[0]]));
    s = value ? _mm256_fmadd_pd(_mm256_cvtps_pd(_mm_loadu_ps(value + k)), v, s) : _mm256_add_pd(s, v);
  }
  for (; k < nnz; k++) tail[k & 3] = (value ? (double)value[k] : 1.0) * (double)w[index[k]];
  return sparse_end(s, tail);
}

AVX2 static double avx2_dot_sparse_f64(const int32_t *index, const float *value, const double *w, int64_t nnz) {
  __m256d s = _mm256_setzero_pd();
  double tail[4] = {0, 0, 0, 0};
  int64_t k = 0;
  for (; k + 4 <= nnz; k += 4) {
    const int32_t *at = index + k;
    __m256d v = _mm256_set_pd(w[at[3]], w[at[2]], w[at[1]], w[at[0]]);
    s = value ? _mm256_fmadd_pd(_mm256_cvtps_pd(_mm_loadu_ps(value + k)), v, s) : _mm256_add_pd(s, v);
  }
  for (; k < nnz; k++) tail[k & 3] = (value ? (double)value[k] : 1.0) * w[index[k]];
  return sparse_end(s, tail);
}

/* ------------------------------------------------------------------------------------------------ float, dense */
AVX2 static float avx2_dot_ff(const float *x, const float *w, int64_t n) {
  __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    s0 = _mm256_fmadd_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(w + i), s0);
    s1 = _mm256_fmadd_ps(_mm256_loadu_ps(x + i + 8), _mm256_loadu_ps(w + i + 8), s1);
    s2 = _mm256_fmadd_ps(_mm256_loadu_ps(x + i + 16), _mm256_loadu_ps(w + i + 16), s2);
    s3 = _mm256_fmadd_ps(_mm256_loadu_ps(x + i + 24), _mm256_loadu_ps(w + i + 24), s3);
  }
  for (; i + 8 <= n; i += 8) s0 = _mm256_fmadd_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(w + i), s0);
  if (i < n) {
    __m256i m = mask8(n - i);
    s1 = _mm256_fmadd_ps(_mm256_maskload_ps(x + i, m), _mm256_maskload_ps(w + i, m), s1);
  }
  return sum8(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
}

AVX2 static void avx2_axpy_f64(double a, const double *x, double *y, int64_t n) {
  __m256d va = _mm256_set1_pd(a);
  int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    _mm256_storeu_pd(y + i, _mm256_fmadd_pd(va, _mm256_loadu_pd(x + i), _mm256_loadu_pd(y + i)));
  if (i < n) {
    __m256i m = mask4d(n - i);
    _mm256_maskstore_pd(y + i, m, _mm256_fmadd_pd(va, _mm256_maskload_pd(x + i, m), _mm256_maskload_pd(y + i, m)));
  }
}

AVX2 static void avx2_axpy_ff(float a, const float *x, float *y, int64_t n) {
  __m256 va = _mm256_set1_ps(a);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(y + i, _mm256_fmadd_ps(va, _mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
  if (i < n) {
    __m256i m = mask8(n - i);
    _mm256_maskstore_ps(y + i, m, _mm256_fmadd_ps(va, _mm256_maskload_ps(x + i, m), _mm256_maskload_ps(y + i, m)));
  }
}

AVX2_INLINE float gemv_row(const float *x, const float *w, int64_t n) {
  __m256 s = _mm256_setzero_ps();
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) s = _mm256_fmadd_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(w + i), s);
  if (i < n) {
    __m256i m = mask8(n - i);
    s = _mm256_fmadd_ps(_mm256_maskload_ps(x + i, m), _mm256_maskload_ps(w + i, m), s);
  }
  return sum8(s);
}

AVX2 static void avx2_gemv_ff(const float *x, int64_t ld, const float *w, float c, float *y, int64_t rows, int64_t n) {
  int64_t r = 0;
  for (; r + 8 <= rows; r += 8) {
    const float *x0 = x + r * ld, *x4 = x0 + 4 * ld;
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
      __m256 v = _mm256_loadu_ps(w + i);
      s0 = _mm256_fmadd_ps(_mm256_loadu_ps(x0 + i), v, s0);
      s1 = _mm256_fmadd_ps(_mm256_loadu_ps(x0 + ld + i), v, s1);
      s2 = _mm256_fmadd_ps(_mm256_loadu_ps(x0 + 2 * ld + i), v, s2);
      s3 = _mm256_fmadd_ps(_mm256_loadu_ps(x0 + 3 * ld + i), v, s3);
      s4 = _mm256_fmadd_ps(_mm256_loadu_ps(x4 + i), v, s4);
      s5 = _mm256_fmadd_ps(_mm256_loadu_ps(x4 + ld + i), v, s5);
      s6 = _mm256_fmadd_ps(_mm256_loadu_ps(x4 + 2 * ld + i), v, s6);
      s7 = _mm256_fmadd_ps(_mm256_loadu_ps(x4 + 3 * ld + i), v, s7);
    }
    if (i < n) {
      __m256i m = mask8(n - i);
      __m256 v = _mm256_maskload_ps(w + i, m);
      s0 = _mm256_fmadd_ps(_mm256_maskload_ps(x0 + i, m), v, s0);
      s1 = _mm256_fmadd_ps(_mm256_maskload_ps(x0 + ld + i, m), v, s1);
      s2 = _mm256_fmadd_ps(_mm256_maskload_ps(x0 + 2 * ld + i, m), v, s2);
      s3 = _mm256_fmadd_ps(_mm256_maskload_ps(x0 + 3 * ld + i, m), v, s3);
      s4 = _mm256_fmadd_ps(_mm256_maskload_ps(x4 + i, m), v, s4);
      s5 = _mm256_fmadd_ps(_mm256_maskload_ps(x4 + ld + i, m), v, s5);
      s6 = _mm256_fmadd_ps(_mm256_maskload_ps(x4 + 2 * ld + i, m), v, s6);
      s7 = _mm256_fmadd_ps(_mm256_maskload_ps(x4 + 3 * ld + i, m), v, s7);
    }
    __m256 a = _mm256_hadd_ps(_mm256_hadd_ps(s0, s1), _mm256_hadd_ps(s2, s3));
    __m256 b = _mm256_hadd_ps(_mm256_hadd_ps(s4, s5), _mm256_hadd_ps(s6, s7));
    __m256 s = _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
    _mm256_storeu_ps(y + r, _mm256_add_ps(s, _mm256_set1_ps(c)));
  }
  for (; r < rows; r++) y[r] = gemv_row(x + r * ld, w, n) + c;
}

/* Up to 32 columns: their sums stay in registers over all rows. m: masks of the four vectors, all set but in the last
 * block of columns. */
AVX2_INLINE void gemv_t_block(const float *x, int64_t ld, const float *v, float *g, int64_t rows, int64_t n,
                              const int masked) {
  __m256i m0 = mask8(n < 8 ? n : 8), m1 = mask8(n < 8 ? 0 : n < 16 ? n - 8 : 8);
  __m256i m2 = mask8(n < 16 ? 0 : n < 24 ? n - 16 : 8), m3 = mask8(n < 24 ? 0 : n - 24);
#define LT_LOAD(p, k) (masked ? _mm256_maskload_ps((p) + 8 * (k), m##k) : _mm256_loadu_ps((p) + 8 * (k)))
  __m256 a0 = LT_LOAD(g, 0), a1 = LT_LOAD(g, 1), a2 = LT_LOAD(g, 2), a3 = LT_LOAD(g, 3);
  __m256 b0 = _mm256_setzero_ps(), b1 = b0, b2 = b0, b3 = b0;
  int64_t r = 0;
  for (; r + 2 <= rows; r += 2) {
    const float *p = x + r * ld, *q = p + ld;
    __m256 s = _mm256_broadcast_ss(v + r), t = _mm256_broadcast_ss(v + r + 1);
    a0 = _mm256_fmadd_ps(s, LT_LOAD(p, 0), a0), b0 = _mm256_fmadd_ps(t, LT_LOAD(q, 0), b0);
    a1 = _mm256_fmadd_ps(s, LT_LOAD(p, 1), a1), b1 = _mm256_fmadd_ps(t, LT_LOAD(q, 1), b1);
    a2 = _mm256_fmadd_ps(s, LT_LOAD(p, 2), a2), b2 = _mm256_fmadd_ps(t, LT_LOAD(q, 2), b2);
    a3 = _mm256_fmadd_ps(s, LT_LOAD(p, 3), a3), b3 = _mm256_fmadd_ps(t, LT_LOAD(q, 3), b3);
  }
  if (r < rows) {
    const float *p = x + r * ld;
    __m256 s = _mm256_broadcast_ss(v + r);
    a0 = _mm256_fmadd_ps(s, LT_LOAD(p, 0), a0), a1 = _mm256_fmadd_ps(s, LT_LOAD(p, 1), a1);
    a2 = _mm256_fmadd_ps(s, LT_LOAD(p, 2), a2), a3 = _mm256_fmadd_ps(s, LT_LOAD(p, 3), a3);
  }
#undef LT_LOAD
  _mm256_maskstore_ps(g, m0, _mm256_add_ps(a0, b0));
  if (n > 8) _mm256_maskstore_ps(g + 8, m1, _mm256_add_ps(a1, b1));
  if (n > 16) _mm256_maskstore_ps(g + 16, m2, _mm256_add_ps(a2, b2));
  if (n > 24) _mm256_maskstore_ps(g + 24, m3, _mm256_add_ps(a3, b3));
}

AVX2 static void avx2_gemv_t_ff(const float *x, int64_t ld, const float *v, float *g, int64_t rows, int64_t n) {
  int64_t j = 0;
  for (; j + 32 <= n; j += 32) gemv_t_block(x + j, ld, v, g + j, rows, 32, 0);
  if (j < n) gemv_t_block(x + j, ld, v, g + j, rows, n - j, 1);
}

/* ------------------------------------------------------------------------------------------------ Gram matrix
 * Panels of 16 columns of one tile of rows are packed side by side (zeros behind the last column), up to four as they are
 * and one times d; a block of 6 x 16 sums then stays in 12 registers over the rows, as in a matrix product. A pair of
 * panels fits into the first cache. */
enum { GRAM_GROUP = 4 };
typedef struct gram_panel { float v[LT_GRAM_ROWS][16]; } gram_panel;

AVX2_INLINE void gram_pack(const float *x, int64_t ld, const float *d, int64_t rows, int64_t width, gram_panel *p) {
  __m256i m0 = mask8(width < 8 ? width : 8), m1 = mask8(width < 8 ? 0 : width - 8);
  for (int64_t r = 0; r < rows; r++) {
    __m256 a = _mm256_maskload_ps(x + r * ld, m0), b = _mm256_maskload_ps(x + r * ld + 8, m1);
    if (d) {
      __m256 s = _mm256_broadcast_ss(d + r);
      a = _mm256_mul_ps(a, s), b = _mm256_mul_ps(b, s);
    }
    _mm256_store_ps(p->v[r], a);
    _mm256_store_ps(p->v[r] + 8, b);
  }
}

AVX2_INLINE void gram_step(const float *s, __m256 b0, __m256 b1, __m256 *c0, __m256 *c1) {
  __m256 v = _mm256_broadcast_ss(s);
  *c0 = _mm256_fmadd_ps(v, b0, *c0);
  *c1 = _mm256_fmadd_ps(v, b1, *c1);
}

AVX2_INLINE void gram_store(float *sum, __m256 c0, __m256 c1) {
  _mm256_store_ps(sum, c0);
  _mm256_store_ps(sum + 8, c1);
}

/* sum[i][0..15] for columns i of s in [at, at + 6), or + 4 for the last block. */
AVX2_INLINE void gram_block(const float *s, const float *b, int64_t rows, int64_t at, int six, float *sum) {
  __m256 c00 = _mm256_setzero_ps(), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  __m256 c40 = c00, c41 = c00, c50 = c00, c51 = c00;
  for (int64_t r = 0; r < rows; r++) {
    const float *v = s + 16 * r + at;
    __m256 b0 = _mm256_load_ps(b + 16 * r), b1 = _mm256_load_ps(b + 16 * r + 8);
    gram_step(v, b0, b1, &c00, &c01);
    gram_step(v + 1, b0, b1, &c10, &c11);
    gram_step(v + 2, b0, b1, &c20, &c21);
    gram_step(v + 3, b0, b1, &c30, &c31);
    if (six) {
      gram_step(v + 4, b0, b1, &c40, &c41);
      gram_step(v + 5, b0, b1, &c50, &c51);
    }
  }
  gram_store(sum + 16 * at, c00, c01);
  gram_store(sum + 16 * (at + 1), c10, c11);
  gram_store(sum + 16 * (at + 2), c20, c21);
  gram_store(sum + 16 * (at + 3), c30, c31);
  if (six) {
    gram_store(sum + 16 * (at + 4), c40, c41);
    gram_store(sum + 16 * (at + 5), c50, c51);
  }
}

/* h[from..width) += sum[from..width) */
AVX2_INLINE void gram_flush(const float *sum, double *h, int64_t from, int64_t width) {
  int64_t j = from;
  for (; j < width && (j & 3); j++) h[j] += (double)sum[j];
  for (; j + 4 <= width; j += 4)
    _mm256_storeu_pd(h + j, _mm256_add_pd(_mm256_loadu_pd(h + j), _mm256_cvtps_pd(_mm_load_ps(sum + j))));
  for (; j < width; j++) h[j] += (double)sum[j];
}

AVX2 static void avx2_panel_ff(const float *a, const float *b, int64_t rows, int64_t m, float *sum) {
  gram_block(a, b, rows, 0, 1, sum);
  if (m > 6) gram_block(a, b, rows, 6, 1, sum);
  if (m > 12) gram_block(a, b, rows, 12, 0, sum);
}

/* One tile of rows: panels [from, from + GRAM_GROUP) of columns against all panels up to them. */
AVX2_INLINE void gram_group(const float *x, int64_t ld, const float *d, double *h, int64_t ldh, int64_t rows, int64_t n,
                            int64_t from) {
  _Alignas(64) gram_panel s, b[GRAM_GROUP];
  _Alignas(32) float sum[16][16];
  int64_t end = n - from < GRAM_GROUP * 16 ? n : from + GRAM_GROUP * 16;
  for (int64_t j = from; j < end; j += 16)
    gram_pack(x + j, ld, NULL, rows, n - j < 16 ? n - j : 16, &b[(j - from) / 16]);
  for (int64_t i = 0; i < end; i += 16) {
    int64_t height = n - i < 16 ? n - i : 16;
    if (d) gram_pack(x + i, ld, d, rows, height, &s);
    else gram_pack(x + i, ld, NULL, rows, height, &s);
    for (int64_t j = i > from ? i : from; j < end; j += 16) {
      avx2_panel_ff(s.v[0], b[(j - from) / 16].v[0], rows, height, sum[0]);
      for (int64_t q = 0; q < height; q++)
        gram_flush(sum[q], h + (i + q) * ldh + j, i == j ? q : 0, n - j < 16 ? n - j : 16);
    }
  }
}

AVX2 static void avx2_gram_ff(const float *x, int64_t ld, const float *d, double *h, int64_t ldh, int64_t rows,
                              int64_t n) {
  for (int64_t r = 0; r < rows; r += LT_GRAM_ROWS)
    for (int64_t from = 0; from < n; from += GRAM_GROUP * 16)
      gram_group(x + r * ld, ld, d ? d + r : NULL, h, ldh, rows - r < LT_GRAM_ROWS ? rows - r : LT_GRAM_ROWS, n, from);
}

/* ------------------------------------------------------------------------------------------------ exp and friends */
#define LT_IN_PLACE(name, op)                                                      \
  AVX2 static void name(float *z, int64_t n) {                                     \
    int64_t i = 0;                                                                 \
    for (; i + 8 <= n; i += 8) _mm256_storeu_ps(z + i, op(_mm256_loadu_ps(z + i))); \
    if (i < n) {                                                                   \
      __m256i m = mask8(n - i);                                                    \
      _mm256_maskstore_ps(z + i, m, op(_mm256_maskload_ps(z + i, m)));             \
    }                                                                              \
  }
LT_IN_PLACE(avx2_exp_ff, exp8)
LT_IN_PLACE(avx2_log1p_ff, log1p8)
LT_IN_PLACE(avx2_sigmoid_ff, sigmoid8)
#undef LT_IN_PLACE

AVX2 static void avx2_softmax_ff(float *z, int64_t ld, int64_t rows, int64_t n) {
  __m256i m = mask8(n & 7);
  __m256 none = _mm256_set1_ps(-__builtin_inff());
  for (int64_t r = 0; r < rows; r++) {
    float *row = z + r * ld;
    __m256 top = none, sum = _mm256_setzero_ps();
    int64_t j = 0;
    for (; j + 8 <= n; j += 8) top = _mm256_max_ps(top, _mm256_loadu_ps(row + j));
    if (j < n) top = _mm256_max_ps(top, _mm256_blendv_ps(none, _mm256_maskload_ps(row + j, m), _mm256_castsi256_ps(m)));
    top = _mm256_set1_ps(max8(top)); /* a NaN may be lost here; exp brings it back */
    for (j = 0; j + 8 <= n; j += 8) {
      __m256 e = exp8(_mm256_sub_ps(_mm256_loadu_ps(row + j), top));
      sum = _mm256_add_ps(sum, e);
      _mm256_storeu_ps(row + j, e);
    }
    if (j < n) {
      __m256 e = _mm256_and_ps(exp8(_mm256_sub_ps(_mm256_maskload_ps(row + j, m), top)), _mm256_castsi256_ps(m));
      sum = _mm256_add_ps(sum, e);
      _mm256_maskstore_ps(row + j, m, e);
    }
    __m256 total = _mm256_set1_ps(sum8(sum));
    for (j = 0; j + 8 <= n; j += 8) _mm256_storeu_ps(row + j, _mm256_div_ps(_mm256_loadu_ps(row + j), total));
    if (j < n) _mm256_maskstore_ps(row + j, m, _mm256_div_ps(_mm256_maskload_ps(row + j, m), total));
  }
}

/* log(1 + e) for e in [0, 1], as log1p8: above sqrt 2 - 1 half of 1 + e is taken, and ln 2 added. */
AVX2_INLINE __m256 log1p_unit8(__m256 e) {
  __m256 one = _mm256_set1_ps(1.0f), large = _mm256_cmp_ps(e, _mm256_set1_ps(0.41421356f), _CMP_GT_OQ);
  __m256 f = _mm256_blendv_ps(e, _mm256_mul_ps(_mm256_sub_ps(e, one), _mm256_set1_ps(0.5f)), large);
  __m256 s = _mm256_div_ps(f, _mm256_add_ps(_mm256_set1_ps(2.0f), f)), q = _mm256_mul_ps(s, s);
  __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(1.0f / 9), q, _mm256_set1_ps(1.0f / 7));
  p = _mm256_fmadd_ps(p, q, _mm256_set1_ps(1.0f / 5));
  p = _mm256_fmadd_ps(p, q, _mm256_set1_ps(1.0f / 3));
  __m256 s2 = _mm256_add_ps(s, s);
  p = _mm256_fmadd_ps(_mm256_mul_ps(s2, q), p, s2);
  return _mm256_add_ps(p, _mm256_and_ps(large, _mm256_set1_ps(0x1.62e43p-1f)));
}

typedef struct logistic8 { __m256 loss, g, h; } logistic8;

/* With t = s z and e = exp(-|t|): the loss is max(-t, 0) + log(1 + e), its slope -s / (1 + exp t). */
AVX2_INLINE logistic8 logistic_step(__m256 z, __m256 y, __m256 w) {
  __m256 one = _mm256_set1_ps(1.0f), minus = _mm256_set1_ps(-0.0f);
  __m256 s = _mm256_fmsub_ps(_mm256_set1_ps(2.0f), y, one), t = _mm256_mul_ps(s, z);
  __m256 e = exp8(negative_abs(t)), q = _mm256_div_ps(one, _mm256_add_ps(one, e)), eq = _mm256_mul_ps(e, q);
  logistic8 r;
  r.loss = _mm256_add_ps(_mm256_max_ps(_mm256_setzero_ps(), _mm256_xor_ps(t, minus)), log1p_unit8(e));
  r.g = _mm256_mul_ps(_mm256_mul_ps(_mm256_xor_ps(s, minus), _mm256_blendv_ps(eq, q, t)), w);
  r.h = _mm256_mul_ps(_mm256_mul_ps(eq, q), w);
  return r;
}

AVX2 static double avx2_logistic_ff(const float *z, const float *y, const float *w, float *g, float *h, int64_t n) {
  __m256d lo = _mm256_setzero_pd(), hi = lo;
  for (int64_t i = 0; i < n; i += 8) {
    __m256 weight = _mm256_set1_ps(1.0f);
    __m256i m = mask8(n - i < 8 ? n - i : 8);
    logistic8 r;
    if (n - i >= 8) { /* masked stores are slow: only at the end */
      if (w) weight = _mm256_loadu_ps(w + i);
      r = logistic_step(_mm256_loadu_ps(z + i), _mm256_loadu_ps(y + i), weight);
      if (g) _mm256_storeu_ps(g + i, r.g);
      if (h) _mm256_storeu_ps(h + i, r.h);
    } else {
      weight = w ? _mm256_maskload_ps(w + i, m) : _mm256_and_ps(weight, _mm256_castsi256_ps(m));
      r = logistic_step(_mm256_maskload_ps(z + i, m), _mm256_maskload_ps(y + i, m), weight);
      if (g) _mm256_maskstore_ps(g + i, m, r.g);
      if (h) _mm256_maskstore_ps(h + i, m, r.h);
    }
    lo = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(weight)),
                         _mm256_cvtps_pd(_mm256_castps256_ps128(r.loss)), lo);
    hi = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm256_extractf128_ps(weight, 1)),
                         _mm256_cvtps_pd(_mm256_extractf128_ps(r.loss, 1)), hi);
  }
  __m256d s = _mm256_add_pd(lo, hi);
  __m128d p = _mm_add_pd(_mm256_castpd256_pd128(s), _mm256_extractf128_pd(s, 1));
  return _mm_cvtsd_f64(_mm_add_sd(p, _mm_unpackhi_pd(p, p)));
}

static const lt_vec vec_avx2 = {
    .name = "avx2",
    .dot_f64 = avx2_dot_f64,
    .dot_f32 = avx2_dot_f32,
    .dot_ff = avx2_dot_ff,
    .axpy_f64 = avx2_axpy_f64,
    .axpy_ff = avx2_axpy_ff,
    .gemv_ff = avx2_gemv_ff,
    .gemv_t_ff = avx2_gemv_t_ff,
    .gram_ff = avx2_gram_ff,
    .panel_ff = avx2_panel_ff,
    .exp_ff = avx2_exp_ff,
    .log1p_ff = avx2_log1p_ff,
    .sigmoid_ff = avx2_sigmoid_ff,
    .softmax_ff = avx2_softmax_ff,
    .logistic_ff = avx2_logistic_ff,
    .dot_sparse = avx2_dot_sparse,
    .dot_sparse_f64 = avx2_dot_sparse_f64,
    .axpy_sparse = lt_vec_axpy_sparse,
    .axpy_sparse_ff = lt_vec_axpy_sparse_ff,
    .sigmoid = lt_vec_sigmoid,
};

const lt_vec *lt_vec_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &vec_avx2 : NULL;
}
#else
const lt_vec *lt_vec_avx2(void) { return NULL; }
#endif
