/* Four entries of a row at a time. Every operation rounds as the one on a single float does, so that the results are the
 * same with the processor's vectors and without. */
#ifndef LEAT_MODEL_ONLINE_LANES_H
#define LEAT_MODEL_ONLINE_LANES_H
#include <math.h>
#include <stdint.h>
#include "model/online.h"
#if defined(__GNUC__)
#define LT_INLINE static inline __attribute__((always_inline))
#else
#define LT_INLINE static inline
#endif
#if defined(__SSE2__)
#include <emmintrin.h>
typedef __m128 lt_x4;
LT_INLINE lt_x4 x4_load(const float *p) { return _mm_loadu_ps(p); }
LT_INLINE void x4_store(float *p, lt_x4 a) { _mm_storeu_ps(p, a); }
LT_INLINE lt_x4 x4_all(float v) { return _mm_set1_ps(v); }
LT_INLINE lt_x4 x4_add(lt_x4 a, lt_x4 b) { return _mm_add_ps(a, b); }
LT_INLINE lt_x4 x4_sub(lt_x4 a, lt_x4 b) { return _mm_sub_ps(a, b); }
LT_INLINE lt_x4 x4_mul(lt_x4 a, lt_x4 b) { return _mm_mul_ps(a, b); }
LT_INLINE lt_x4 x4_div(lt_x4 a, lt_x4 b) { return _mm_div_ps(a, b); }
LT_INLINE lt_x4 x4_sqrt(lt_x4 a) { return _mm_sqrt_ps(a); }
LT_INLINE lt_x4 x4_abs(lt_x4 a) { return _mm_andnot_ps(_mm_set1_ps(-0.0f), a); }
/* a < b ? a : b and a > b ? a : b: b when one of them is NaN. */
LT_INLINE lt_x4 x4_less(lt_x4 a, lt_x4 b) { return _mm_min_ps(a, b); }
LT_INLINE lt_x4 x4_more(lt_x4 a, lt_x4 b) { return _mm_max_ps(a, b); }
/* a > b ? v : 0 */
LT_INLINE lt_x4 x4_where(lt_x4 a, lt_x4 b, lt_x4 v) { return _mm_and_ps(_mm_cmpgt_ps(a, b), v); }
/* Four lines of four floats to four columns, and back. */
LT_INLINE void x4_turn(lt_x4 v[4]) {
  lt_x4 a = _mm_unpacklo_ps(v[0], v[1]), b = _mm_unpackhi_ps(v[0], v[1]);
  lt_x4 c = _mm_unpacklo_ps(v[2], v[3]), d = _mm_unpackhi_ps(v[2], v[3]);
  v[0] = _mm_movelh_ps(a, c);
  v[1] = _mm_movehl_ps(c, a);
  v[2] = _mm_movelh_ps(b, d);
  v[3] = _mm_movehl_ps(d, b);
}
/* Lanes before the n-th from a, the others from b. */
LT_INLINE lt_x4 x4_before(int64_t n, lt_x4 a, lt_x4 b) {
  __m128 m = _mm_cmplt_ps(_mm_set_ps(3, 2, 1, 0), _mm_set1_ps((float)n));
  return _mm_or_ps(_mm_and_ps(m, a), _mm_andnot_ps(m, b));
}
/* Two neighbours of each of four slots. */
LT_INLINE void x4_pairs(const float *cell, const uint32_t *slot, int bits, lt_x4 *first, lt_x4 *second) {
  const float *p[4];
  for (int k = 0; k < 4; k++) p[k] = cell + ((uint64_t)slot[k] << bits);
  __m128 a = _mm_loadl_pi(_mm_setzero_ps(), (const __m64 *)(const void *)p[0]);
  __m128 b = _mm_loadl_pi(_mm_setzero_ps(), (const __m64 *)(const void *)p[2]);
  a = _mm_loadh_pi(a, (const __m64 *)(const void *)p[1]);
  b = _mm_loadh_pi(b, (const __m64 *)(const void *)p[3]);
  *first = _mm_shuffle_ps(a, b, 0x88);
  *second = _mm_shuffle_ps(a, b, 0xdd);
}
/* Two sums, of the a's and of the b's, each in the order of the entries. */
typedef __m128d lt_x2;
LT_INLINE lt_x2 x2_of(double a, double b) { return _mm_set_pd(b, a); }
LT_INLINE double x2_first(lt_x2 s) { return _mm_cvtsd_f64(s); }
LT_INLINE double x2_second(lt_x2 s) { return _mm_cvtsd_f64(_mm_unpackhi_pd(s, s)); }
LT_INLINE lt_x2 x2_sum(lt_x2 s, lt_x4 a, lt_x4 b) {
  lt_x4 low = _mm_unpacklo_ps(a, b), high = _mm_unpackhi_ps(a, b);
  s = _mm_add_pd(s, _mm_cvtps_pd(low));
  s = _mm_add_pd(s, _mm_cvtps_pd(_mm_movehl_ps(low, low)));
  s = _mm_add_pd(s, _mm_cvtps_pd(high));
  return _mm_add_pd(s, _mm_cvtps_pd(_mm_movehl_ps(high, high)));
}
LT_INLINE lt_x2 x2_load(const double *p) { return _mm_loadu_pd(p); }
LT_INLINE void x2_store(double *p, lt_x2 a) { _mm_storeu_pd(p, a); }
LT_INLINE lt_x2 x2_add(lt_x2 a, lt_x2 b) { return _mm_add_pd(a, b); }
LT_INLINE lt_x2 x2_sub(lt_x2 a, lt_x2 b) { return _mm_sub_pd(a, b); }
LT_INLINE lt_x2 x2_mul(lt_x2 a, lt_x2 b) { return _mm_mul_pd(a, b); }
/* Are the four slots four different ones? */
LT_INLINE int x4_apart(const uint32_t *slot) {
  __m128i v = _mm_loadu_si128((const __m128i *)(const void *)slot);
  __m128i one = _mm_shuffle_epi32(v, 0x39), two = _mm_shuffle_epi32(v, 0x4e);
  return _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi32(v, one), _mm_cmpeq_epi32(v, two))) == 0;
}
#else
typedef struct lt_x4 { float v[4]; } lt_x4;
#define X4_EACH(expr)                                  \
  lt_x4 r;                                             \
  for (int k = 0; k < 4; k++) r.v[k] = (expr);         \
  return r
LT_INLINE lt_x4 x4_load(const float *p) { X4_EACH(p[k]); }
LT_INLINE void x4_store(float *p, lt_x4 a) {
  for (int k = 0; k < 4; k++) p[k] = a.v[k];
}
LT_INLINE lt_x4 x4_all(float v) { X4_EACH(v); }
LT_INLINE lt_x4 x4_add(lt_x4 a, lt_x4 b) { X4_EACH(a.v[k] + b.v[k]); }
LT_INLINE lt_x4 x4_sub(lt_x4 a, lt_x4 b) { X4_EACH(a.v[k] - b.v[k]); }
LT_INLINE lt_x4 x4_mul(lt_x4 a, lt_x4 b) { X4_EACH(a.v[k] * b.v[k]); }
LT_INLINE lt_x4 x4_div(lt_x4 a, lt_x4 b) { X4_EACH(a.v[k] / b.v[k]); }
LT_INLINE lt_x4 x4_sqrt(lt_x4 a) { X4_EACH(sqrtf(a.v[k])); }
LT_INLINE lt_x4 x4_abs(lt_x4 a) { X4_EACH(fabsf(a.v[k])); }
LT_INLINE lt_x4 x4_less(lt_x4 a, lt_x4 b) { X4_EACH(a.v[k] < b.v[k] ? a.v[k] : b.v[k]); }
LT_INLINE lt_x4 x4_more(lt_x4 a, lt_x4 b) { X4_EACH(a.v[k] > b.v[k] ? a.v[k] : b.v[k]); }
LT_INLINE lt_x4 x4_where(lt_x4 a, lt_x4 b, lt_x4 v) { X4_EACH(a.v[k] > b.v[k] ? v.v[k] : 0); }
LT_INLINE void x4_turn(lt_x4 v[4]) {
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < i; j++) {
      float t = v[i].v[j];
      v[i].v[j] = v[j].v[i];
      v[j].v[i] = t;
    }
}
LT_INLINE lt_x4 x4_before(int64_t n, lt_x4 a, lt_x4 b) { X4_EACH(k < n ? a.v[k] : b.v[k]); }
LT_INLINE void x4_pairs(const float *cell, const uint32_t *slot, int bits, lt_x4 *first, lt_x4 *second) {
  for (int k = 0; k < 4; k++) {
    first->v[k] = cell[(uint64_t)slot[k] << bits];
    second->v[k] = cell[((uint64_t)slot[k] << bits) + 1];
  }
}
typedef struct lt_x2 { double a, b; } lt_x2;
LT_INLINE lt_x2 x2_of(double a, double b) { return (lt_x2){a, b}; }
LT_INLINE double x2_first(lt_x2 s) { return s.a; }
LT_INLINE double x2_second(lt_x2 s) { return s.b; }
LT_INLINE lt_x2 x2_sum(lt_x2 s, lt_x4 a, lt_x4 b) {
  for (int k = 0; k < 4; k++) {
    s.a += (double)a.v[k];
    s.b += (double)b.v[k];
  }
  return s;
}
LT_INLINE lt_x2 x2_load(const double *p) { return (lt_x2){p[0], p[1]}; }
LT_INLINE void x2_store(double *p, lt_x2 a) {
  p[0] = a.a;
  p[1] = a.b;
}
LT_INLINE lt_x2 x2_add(lt_x2 a, lt_x2 b) { return (lt_x2){a.a + b.a, a.b + b.b}; }
LT_INLINE lt_x2 x2_sub(lt_x2 a, lt_x2 b) { return (lt_x2){a.a - b.a, a.b - b.b}; }
LT_INLINE lt_x2 x2_mul(lt_x2 a, lt_x2 b) { return (lt_x2){a.a * b.a, a.b * b.b}; }
LT_INLINE int x4_apart(const uint32_t *s) {
  return s[0] != s[1] && s[0] != s[2] && s[0] != s[3] && s[1] != s[2] && s[1] != s[3] && s[2] != s[3];
}
#endif
/* line(i, slot, value) for every four entries of f from the i-th on (a multiple of 4), with their values. */
#define LT_FOURS(from, values, fill, line)                     \
  do {                                                         \
    int64_t i = from;                                          \
    for (; i + 4 <= f->n; i += 4) {                            \
      line(i, f->slot + i, x4_load((values) + i));             \
    }                                                          \
    if (i < f->n) {                                            \
      lt_four four;                                            \
      x4_pad(f, values, i, fill, &four);                       \
      line(i, four.slot, x4_load(four.v));                     \
    }                                                          \
  } while (0)
/* A line of four floats, the one at `at`, of each of four slots, as columns. */
LT_INLINE void x4_gather(const float *cell, const uint32_t *slot, int bits, int at, lt_x4 v[4]) {
  for (int k = 0; k < 4; k++) v[k] = x4_load(cell + (((uint64_t)slot[k] << bits) + (uint64_t)at));
  x4_turn(v);
}
LT_INLINE void x4_scatter(float *cell, const uint32_t *slot, int bits, int at, lt_x4 v[4]) {
  x4_turn(v);
  for (int k = 0; k < 4; k++) x4_store(cell + (((uint64_t)slot[k] << bits) + (uint64_t)at), v[k]);
}
/* Entries i to i + 3 of a row, or as many of them as there are and, for the rest, slots behind the last one with the
 * value `pad`. */
typedef struct lt_four { uint32_t slot[4]; float v[4]; } lt_four;
LT_INLINE void x4_pad(const lt_online_feed *f, const float *v, int64_t i, float pad, lt_four *out) {
  for (int k = 0; k < 4; k++) {
    int there = i + k < f->n;
    out->slot[k] = there ? f->slot[i + k] : (uint32_t)(f->m->n_slots + k);
    out->v[k] = there ? v[i + k] : pad;
  }
}
/* tanh by Lambert's continued fraction cut behind x^6; from 4.97 on, where that is 1, the one of 4.97. */
LT_INLINE lt_x4 x4_tanh(lt_x4 x) {
  x = x4_more(x4_all(-4.97f), x4_less(x4_all(4.97f), x));
  lt_x4 s = x4_mul(x, x);
  lt_x4 up = x4_add(x4_all(135135), x4_mul(s, x4_add(x4_all(17325), x4_mul(s, x4_add(x4_all(378), s)))));
  lt_x4 low = x4_add(x4_all(62370), x4_mul(s, x4_add(x4_all(3150), x4_mul(s, x4_all(28)))));
  return x4_div(x4_mul(x, up), x4_add(x4_all(135135), x4_mul(s, low)));
}
/* |z| limited to 8. */
LT_INLINE lt_x4 x4_clip(lt_x4 z) {
  return x4_more(x4_all(-LT_ONLINE_CLIP), x4_less(x4_all(LT_ONLINE_CLIP), z));
}
/* ons: z as a bet's outcome, from -1 to 1. */
LT_INLINE lt_x4 x4_outcome(lt_x4 z) {
  return x4_div(x4_more(x4_all(-3), x4_less(x4_all(3), z)), x4_all(3));
}
#endif
