/* The kernels for AVX2 and FMA: products. Maps are in map_avx2.h. */
#include "device/avx2.h"
#include "device/kern.h"

#include <stddef.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include "device/map_avx2.h"

/* ------------------------------------------------------------------------------------------------ tile
 * 6 rows x 16 columns: 12 sums, 2 numbers of b and one of a in 15 of the 16 registers; 12 multiply-adds hide the latency
 * of each other. LT_KEEP makes a pointer opaque: else the compiler invents a variable for each of its sums and spills. */
#define LT_KEEP(p) __asm__("" : "+r"(p))

AVX2_INLINE void tile_step(const float *a, const float *a3, int64_t rs, const float *b, int rows,
                           __m256 c[LT_TILE_ROWS][2]) {
  __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 6
  for (int i = 0; i < rows; i++) {
    __m256 v = _mm256_broadcast_ss(i < 3 ? a + i * rs : a3 + (i - 3) * rs);
    c[i][0] = _mm256_fmadd_ps(v, b0, c[i][0]);
    c[i][1] = _mm256_fmadd_ps(v, b1, c[i][1]);
  }
}

AVX2_INLINE void tile_panel(const float *a, int64_t rs, int64_t cs, const float *b, int64_t ldb, int64_t depth, int rows,
                            float *out, int64_t ldo, int add) {
  const float *a3 = a + 3 * rs;
  __m256 c[LT_TILE_ROWS][2];
#pragma GCC unroll 6
  for (int i = 0; i < rows; i++) {
    c[i][0] = add ? _mm256_loadu_ps(out + i * ldo) : _mm256_setzero_ps();
    c[i][1] = add ? _mm256_loadu_ps(out + i * ldo + 8) : _mm256_setzero_ps();
  }
  for (; depth >= 4; depth -= 4) {
#pragma GCC unroll 4
    for (int q = 0; q < 4; q++) {
      tile_step(a, a3, rs, b, rows, c);
      a += cs, a3 += cs, b += ldb;
      if (cs != 1 || q == 3) {
        LT_KEEP(a);
        if (rs == 1) a3 = a + 3;
        else LT_KEEP(a3);
      }
      if (ldb != LT_PANEL || q == 3) LT_KEEP(b);
    }
  }
  for (; depth > 0; depth--, a += cs, a3 += cs, b += ldb) tile_step(a, a3, rs, b, rows, c);
#pragma GCC unroll 6
  for (int i = 0; i < rows; i++) {
    _mm256_storeu_ps(out + i * ldo, c[i][0]);
    _mm256_storeu_ps(out + i * ldo + 8, c[i][1]);
  }
}

/* By how a and b lie: a in rows, in columns (its transpose in rows), or with any strides; b in panels or in a matrix. */
#define LT_PANELS(rs, cs, ldb, rows) \
  for (; panels > 0; panels--, b += step, out += LT_PANEL) tile_panel(a, rs, cs, b, ldb, depth, rows, out, ldo, add)
#define LT_TILES(rows)                                                                                                 \
  AVX2 static void avx2_tile_##rows(const float *a, int64_t rs, int64_t cs, const float *b, int64_t ldb, int64_t step, \
                                    int64_t panels, int64_t depth, float *out, int64_t ldo, int add) {                 \
    if (cs == 1 && ldb == LT_PANEL) LT_PANELS(rs, 1, LT_PANEL, rows);                                                  \
    else if (cs == 1) LT_PANELS(rs, 1, ldb, rows);                                                                     \
    else if (rs == 1 && ldb == LT_PANEL) LT_PANELS(1, cs, LT_PANEL, rows);                                             \
    else if (rs == 1) LT_PANELS(1, cs, ldb, rows);                                                                     \
    else LT_PANELS(rs, cs, ldb, rows);                                                                                 \
  }
LT_TILES(1)
LT_TILES(2)
LT_TILES(3)
LT_TILES(4)
LT_TILES(5)
LT_TILES(6)
#undef LT_TILES

AVX2 static void avx2_tile(const float *a, int64_t rs, int64_t cs, const float *b, int64_t ldb, int64_t step, int64_t panels,
                           int64_t depth, int64_t rows, float *out, int64_t ldo, int add) {
  switch (rows) {
    case 1: avx2_tile_1(a, rs, cs, b, ldb, step, panels, depth, out, ldo, add); return;
    case 2: avx2_tile_2(a, rs, cs, b, ldb, step, panels, depth, out, ldo, add); return;
    case 3: avx2_tile_3(a, rs, cs, b, ldb, step, panels, depth, out, ldo, add); return;
    case 4: avx2_tile_4(a, rs, cs, b, ldb, step, panels, depth, out, ldo, add); return;
    case 5: avx2_tile_5(a, rs, cs, b, ldb, step, panels, depth, out, ldo, add); return;
    default: avx2_tile_6(a, rs, cs, b, ldb, step, panels, depth, out, ldo, add); return;
  }
}

AVX2 static void avx2_blend(const float *tile, int64_t rows, int64_t n, float alpha, float beta, float *c, int64_t ld) {
  __m256 va = _mm256_set1_ps(alpha), vb = _mm256_set1_ps(beta);
  for (int64_t i = 0; i < rows; i++, tile += LT_PANEL, c += ld)
    for (int64_t j = 0; j < n; j += 8) {
      __m256i m = mask8(n - j < 8 ? n - j : 8);
      __m256 v = _mm256_mul_ps(va, _mm256_loadu_ps(tile + j));
      if (beta != 0) v = _mm256_fmadd_ps(vb, _mm256_maskload_ps(c + j, m), v); /* NaN is not 0 */
      _mm256_maskstore_ps(c + j, m, v);
    }
}

/* ------------------------------------------------------------------------------------------------ one row
 * Four panels at once: memory is read in four streams, and eight sums hide the latency. */
AVX2_INLINE void row_panels(const float *x, const float *b, int64_t depth, int64_t step, int panels, float *out) {
  __m256 c[4][2];
#pragma GCC unroll 4
  for (int p = 0; p < panels; p++) c[p][0] = c[p][1] = _mm256_setzero_ps();
  for (int64_t k = 0; k < depth; k++, b += LT_PANEL) {
    __m256 v = _mm256_broadcast_ss(x + k);
#pragma GCC unroll 4
    for (int p = 0; p < panels; p++) {
      c[p][0] = _mm256_fmadd_ps(v, _mm256_load_ps(b + p * step), c[p][0]);
      c[p][1] = _mm256_fmadd_ps(v, _mm256_load_ps(b + p * step + 8), c[p][1]);
    }
  }
#pragma GCC unroll 4
  for (int p = 0; p < panels; p++) {
    _mm256_storeu_ps(out + p * LT_PANEL, c[p][0]);
    _mm256_storeu_ps(out + p * LT_PANEL + 8, c[p][1]);
  }
}

AVX2 static void avx2_row(const float *x, const float *panels, int64_t depth, int64_t step, int64_t count, float *out) {
  int64_t p = 0;
  for (; p + 4 <= count; p += 4) row_panels(x, panels + p * step, depth, step, 4, out + p * LT_PANEL);
  for (; p + 2 <= count; p += 2) row_panels(x, panels + p * step, depth, step, 2, out + p * LT_PANEL);
  if (p < count) row_panels(x, panels + p * step, depth, step, 1, out + p * LT_PANEL);
}

/* ------------------------------------------------------------------------------------------------ pack */
AVX2_INLINE void transpose8(const float *b, int64_t ld, float *out, int64_t ldo) {
  __m256 r[8], s[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps(b + i * ld);
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    s[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    s[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(s[i], s[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(s[i], s[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    _mm256_storeu_ps(out + i * ldo, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    _mm256_storeu_ps(out + (i + 4) * ldo, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}

AVX2 static void avx2_pack(const float *b, int64_t rs, int64_t cs, int64_t depth, int64_t cols, float *panel) {
  int64_t k = 0;
  if (cs == 1 && cols == LT_PANEL) {
    for (; k < depth; k++) {
      _mm256_store_ps(panel + k * LT_PANEL, _mm256_loadu_ps(b + k * rs));
      _mm256_store_ps(panel + k * LT_PANEL + 8, _mm256_loadu_ps(b + k * rs + 8));
    }
    return;
  }
  if (cs == 1) {
    __m256i m0 = mask8(cols < 8 ? cols : 8), m1 = mask8(cols < 8 ? 0 : cols - 8);
    for (; k < depth; k++) {
      _mm256_store_ps(panel + k * LT_PANEL, _mm256_maskload_ps(b + k * rs, m0));
      _mm256_store_ps(panel + k * LT_PANEL + 8, _mm256_maskload_ps(b + k * rs + (cols < 8 ? 0 : 8), m1));
    }
    return;
  }
  if (rs == 1 && cols == LT_PANEL)
    for (; k + 8 <= depth; k += 8) {
      transpose8(b + k, cs, panel + k * LT_PANEL, LT_PANEL);
      transpose8(b + k + 8 * cs, cs, panel + k * LT_PANEL + 8, LT_PANEL);
    }
  for (; k < depth; k++) {
    for (int64_t j = 0; j < cols; j++) panel[k * LT_PANEL + j] = b[k * rs + j * cs];
    for (int64_t j = cols; j < LT_PANEL; j++) panel[k * LT_PANEL + j] = 0;
  }
}

/* ------------------------------------------------------------------------------------------------ 8 bits
 * maddubs multiplies unsigned by signed bytes and adds pairs in 16 bits: |q| <= 127 and |w| <= 127 do not saturate; the
 * sign of q goes to w. madd by ones adds pairs of those in 32 bits: the four numbers of one column. */
AVX2_INLINE __m256i q8_step(__m256i q, __m256i magnitude, const int8_t *w, int positive, __m256i sum) {
  __m256i v = _mm256_load_si256((const __m256i *)(const void *)w);
  if (!positive) v = _mm256_sign_epi8(v, q);
  v = _mm256_madd_epi16(_mm256_maddubs_epi16(magnitude, v), _mm256_set1_epi16(1));
  return _mm256_add_epi32(sum, v);
}

AVX2_INLINE void q8_block(const int8_t *q, int64_t ldq, int rows, const int8_t *w, int64_t step, int panels, int64_t depth,
                          int32_t *sum, int add, int positive) {
  __m256i c[LT_Q8_ROWS][2];
  int count = rows * panels;
#pragma GCC unroll 4
  for (int i = 0; i < count; i++)
    for (int h = 0; h < 2; h++)
      c[i][h] = add ? _mm256_loadu_si256((const __m256i *)(const void *)(sum + i * LT_PANEL + h * 8))
                    : _mm256_setzero_si256();
  for (int64_t k = 0; k < depth; k += 4, w += 4 * LT_PANEL) {
#pragma GCC unroll 4
    for (int i = 0; i < count; i++) {
      int64_t r = i / panels, p = i % panels;
      int32_t four;
      __builtin_memcpy(&four, q + r * ldq + k, 4);
      __m256i v = _mm256_set1_epi32(four), magnitude = positive ? v : _mm256_abs_epi8(v);
      c[i][0] = q8_step(v, magnitude, w + p * step, positive, c[i][0]);
      c[i][1] = q8_step(v, magnitude, w + p * step + 32, positive, c[i][1]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < count; i++)
    for (int h = 0; h < 2; h++)
      _mm256_storeu_si256((__m256i *)(void *)(sum + i * LT_PANEL + h * 8), c[i][h]);
}

#define LT_Q8_BLOCK(rows, panels)                                                                             \
  AVX2 static void avx2_q8_##rows##x##panels(const int8_t *q, int64_t ldq, const int8_t *w, int64_t step,     \
                                             int64_t depth, int32_t *sum, int add, int positive) {            \
    if (positive) q8_block(q, ldq, rows, w, step, panels, depth, sum, add, 1);                                \
    else q8_block(q, ldq, rows, w, step, panels, depth, sum, add, 0);                                         \
  }
LT_Q8_BLOCK(1, 1)
LT_Q8_BLOCK(1, 2)
LT_Q8_BLOCK(1, 3)
LT_Q8_BLOCK(1, 4)
LT_Q8_BLOCK(2, 1)
LT_Q8_BLOCK(3, 1)
LT_Q8_BLOCK(4, 1)
#undef LT_Q8_BLOCK

AVX2 static void avx2_q8_tile(const int8_t *q, int64_t ldq, int64_t rows, const int8_t *w, int64_t step, int64_t panels,
                              int64_t depth, int32_t *sum, int add, int positive) {
  switch (rows > 1 ? rows + 3 : panels) {
    case 1: avx2_q8_1x1(q, ldq, w, step, depth, sum, add, positive); return;
    case 2: avx2_q8_1x2(q, ldq, w, step, depth, sum, add, positive); return;
    case 3: avx2_q8_1x3(q, ldq, w, step, depth, sum, add, positive); return;
    case 4: avx2_q8_1x4(q, ldq, w, step, depth, sum, add, positive); return;
    case 5: avx2_q8_2x1(q, ldq, w, step, depth, sum, add, positive); return;
    case 6: avx2_q8_3x1(q, ldq, w, step, depth, sum, add, positive); return;
    default: avx2_q8_4x1(q, ldq, w, step, depth, sum, add, positive); return;
  }
}

/* |w| may be 128, which fits an unsigned byte; the sign of w goes to q, which has no -128. */
AVX2 static int32_t avx2_q8_dot(const int8_t *q, const int8_t *w, int64_t n) {
  __m256i sum = _mm256_setzero_si256(), one = _mm256_set1_epi16(1);
  int64_t i = 0;
  int32_t tail = 0;
  for (; i + 32 <= n; i += 32) {
    __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(q + i));
    __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(w + i));
    __m256i v = _mm256_maddubs_epi16(_mm256_abs_epi8(b), _mm256_sign_epi8(a, b));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(v, one));
  }
  for (; i < n; i++) tail += q[i] * w[i];
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
  return tail + _mm_cvtsi128_si32(s);
}

AVX2 static int avx2_q8_round(const float *x, int64_t n, float inverse, int8_t *q) {
  __m256 f = _mm256_set1_ps(inverse), low = _mm256_set1_ps(-127.0f), high = _mm256_set1_ps(127.0f);
  __m256i below = _mm256_setzero_si256();
  for (int64_t i = 0; i < n; i += 8) {
    int64_t left = n - i < 8 ? n - i : 8;
    __m256 v = left == 8 ? _mm256_loadu_ps(x + i) : _mm256_maskload_ps(x + i, mask8(left));
    v = _mm256_min_ps(high, _mm256_max_ps(_mm256_mul_ps(v, f), low)); /* a NaN becomes -127 */
    __m256i e = _mm256_cvtps_epi32(v);
    below = _mm256_or_si256(below, e);
    __m128i h = _mm_packs_epi32(_mm256_castsi256_si128(e), _mm256_extracti128_si256(e, 1));
    int64_t bytes = _mm_cvtsi128_si64(_mm_packs_epi16(h, h));
    __builtin_memcpy(q + i, &bytes, left == 8 ? 8 : (size_t)((left + 3) / 4 * 4));
  }
  return _mm256_movemask_ps(_mm256_castsi256_ps(below)) != 0;
}

AVX2 static float avx2_q8_top(const float *x, int64_t n) {
  __m256 top = _mm256_setzero_ps(), off = _mm256_set1_ps(-0.0f), odd = top;
  for (int64_t i = 0; i < n; i += 8) {
    __m256 v = n - i >= 8 ? _mm256_loadu_ps(x + i) : _mm256_maskload_ps(x + i, mask8(n - i));
    top = _mm256_max_ps(top, _mm256_andnot_ps(off, v));
    odd = _mm256_or_ps(odd, _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  }
  return _mm256_movemask_ps(odd) ? __builtin_nanf("") : max8(top);
}

AVX2 static void avx2_end(float *x, int64_t ld, int64_t rows, int64_t n, const float *bias, int64_t act) {
  switch (act) {
    case 1: end_rows(x, ld, rows, n, bias, 1); return;
    case 2: end_rows(x, ld, rows, n, bias, 2); return;
    case 3: end_rows(x, ld, rows, n, bias, 3); return;
    case 4: end_rows(x, ld, rows, n, bias, 4); return;
    default:
      if (bias) end_rows(x, ld, rows, n, bias, 0);
  }
}

static const lt_kern kern_avx2 = {
    .name = "avx2",
    .tile = avx2_tile,
    .blend = avx2_blend,
    .row = avx2_row,
    .pack = avx2_pack,
    .end = avx2_end,
    .q8_round = avx2_q8_round,
    .q8_top = avx2_q8_top,
    .q8_tile = avx2_q8_tile,
    .q8_dot = avx2_q8_dot,
};

const lt_kern *lt_kern_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kern_avx2 : NULL;
}
#else
const lt_kern *lt_kern_avx2(void) { return NULL; }
#endif
