/* Copies of online models, whole or slot by slot, and what they have in common: the guard keeps several models of one
 * family side by side. All that knows how a slot is laid out and is not on the way of every row. */
#include "model/online_copy.h"
#include <math.h>
#include <string.h>
#include "model/online_net.h"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

int lt_online_alike(const lt_online *a, const lt_online *b) {
  return lt_online_same_kind(a, b) && a->n_classes == b->n_classes &&
         a->n_models == b->n_models && a->n_dense == b->n_dense && a->hash_bits == b->hash_bits && a->n_slots == b->n_slots;
}

void lt_online_copy_rest(lt_online *dst, const lt_online *src) {
  dst->target = src->target;
  memcpy(dst->one, src->one, (size_t)src->n_models * sizeof *src->one);
  memcpy(dst->moment, src->moment, (size_t)src->n_dense * sizeof *src->moment);
  for (int64_t k = 0; src->n_hidden && k < src->n_models; k++)
    memcpy(dst->head[k], src->head[k], (size_t)lt_online_net_head_size(src) * sizeof *src->head[k]);
}

void lt_online_assign(lt_online *dst, const lt_online *src) {
  lt_online_copy_rest(dst, src);
  for (int64_t k = 0; k < src->n_models; k++) memcpy(dst->cell[k], src->cell[k], lt_online_cell_bytes(src));
  for (int64_t k = 0; src->n_hidden && k < src->n_models; k++) lt_online_net_assign(dst, src, k);
}

/* 0, or NaN when one of n numbers (a multiple of four) is not finite; four at a time. */
static inline float not_finite(const float *v, int n) {
  float sum[4] = {0, 0, 0, 0};
  for (int j = 0; j < n; j += 4)
    for (int lane = 0; lane < 4; lane++) sum[lane] += v[j + lane] * 0;
  return sum[0] + sum[1] + (sum[2] + sum[3]);
}

enum { LINE = 4 }; /* bits of a slot of sixteen numbers */

#if defined(__SSE2__)
/* Such a slot is a line of the cache: written around it, for it need not be read first and is not needed again soon, and what
 * the live model has there may stay. NaN in *sum: a number is not finite. */
static inline void copy_line(float *to, const float *from, __m128 *sum) {
  const __m128 zero = _mm_setzero_ps();
  __m128 a = _mm_loadu_ps(from), b = _mm_loadu_ps(from + 4), c = _mm_loadu_ps(from + 8), d = _mm_loadu_ps(from + 12);
  _mm_stream_ps(to, a);
  _mm_stream_ps(to + 4, b);
  _mm_stream_ps(to + 8, c);
  _mm_stream_ps(to + 12, d);
  a = _mm_add_ps(_mm_mul_ps(a, zero), _mm_mul_ps(b, zero));
  b = _mm_add_ps(_mm_mul_ps(c, zero), _mm_mul_ps(d, zero));
  *sum = _mm_add_ps(*sum, _mm_add_ps(a, b));
}

static int copy_lines(float *dst, const float *src, const uint32_t *slot, int64_t n) {
  enum { AHEAD = 16 }; /* slots to ask for before they are needed */
  __m128 sum = _mm_setzero_ps();
  for (int64_t i = 0; i < n; i++) {
    if (i + AHEAD < n) _mm_prefetch((const char *)(src + ((uint64_t)slot[i + AHEAD] << LINE)), _MM_HINT_NTA);
    copy_line(dst + ((uint64_t)slot[i] << LINE), src + ((uint64_t)slot[i] << LINE), &sum);
  }
  _mm_sfence(); /* other threads may learn on from the copy */
  return _mm_movemask_ps(_mm_cmpneq_ps(sum, _mm_setzero_ps())) == 0;
}
#endif

/* The network's numbers of slots. */
static int copy_net(lt_online *dst, const lt_online *src, const uint32_t *slot, int64_t n) {
  enum { AHEAD = 8 };
  int sound = 1;
  for (int64_t k = 0; src->n_hidden && k < src->n_models; k++)
    for (int64_t i = 0; i < n; i++) {
#if defined(__GNUC__)
      for (int64_t j = 0; i + AHEAD < n && j <= src->n_hidden; j += 16)
        __builtin_prefetch(lt_online_net_at(src, k, slot[i + AHEAD]) + j);
#endif
      memcpy(lt_online_net_at(dst, k, slot[i]), lt_online_net_at(src, k, slot[i]), (size_t)(src->n_hidden + 1) * sizeof(float));
      sound &= lt_online_net_slot_finite(src, k, slot[i]);
    }
  return sound;
}

int lt_online_copy_slots(lt_online *dst, const lt_online *src, const uint32_t *slot, int64_t n) {
  enum { AHEAD = 12 };
#if defined(__SSE2__)
  int aligned = src->layout->bits == LINE, sound = copy_net(dst, src, slot, n);
  for (int64_t k = 0; k < src->n_models; k++) aligned &= ((uintptr_t)dst->cell[k] & 15) == 0;
  for (int64_t k = 0; aligned && k < src->n_models; k++) sound &= copy_lines(dst->cell[k], src->cell[k], slot, n);
  if (aligned) return sound;
#else
  int sound = copy_net(dst, src, slot, n);
#endif
  int bits = src->layout->bits;
  float sum = 0;
  for (int64_t k = 0; k < src->n_models; k++)
    for (int64_t i = 0; i < n; i++) {
      float *to = lt_online_at(dst, k, slot[i]);
      const float *from = lt_online_at(src, k, slot[i]);
#if defined(__GNUC__)
      if (i + AHEAD < n) {
        __builtin_prefetch(lt_online_at(dst, k, slot[i + AHEAD]), 1);
        __builtin_prefetch(lt_online_at(src, k, slot[i + AHEAD]));
      }
#endif
      if (bits == LINE) { /* of a known size: no calls */
        sum += not_finite(from, 1 << LINE);
        memcpy(to, from, sizeof(float) << LINE);
      } else {
        sum += not_finite(from, 1 << bits);
        memcpy(to, from, sizeof(float) << bits);
      }
    }
  return sound && sum == 0;
}

static int one_finite(const lt_online_one *o) {
  double sum = o->alma_scale + o->alma_square + o->alma_k + o->platt_a + o->platt_b + o->noise;
  for (int i = 0; i < LT_MIXED; i++) sum += o->mix_w[i];
  for (int i = 0; i < LT_MIXED * LT_MIXED; i++) sum += o->mix_p[i];
  return isfinite(sum) && o->alma_scale > 0;
}

int lt_online_finite(const lt_online *m, const uint32_t *slot, int64_t n) {
  if (!isfinite(m->target.n + m->target.mean + m->target.m2)) return 0;
  for (int64_t j = 0; j < m->n_dense; j++)
    if (!isfinite(m->moment[j].n + m->moment[j].mean + m->moment[j].m2)) return 0;
  for (int64_t k = 0; k < m->n_models; k++) {
    if (!one_finite(&m->one[k]) || (m->n_hidden && !lt_online_net_finite(m, k))) return 0;
    for (int64_t i = 0; i < (slot ? n : m->n_slots); i++) {
      const float *v = lt_online_at(m, k, slot ? slot[i] : i);
      if (!(not_finite(v, 1 << m->layout->bits) == 0)) return 0;
      if (m->n_hidden && !lt_online_net_slot_finite(m, k, slot ? slot[i] : i)) return 0;
    }
  }
  return 1;
}

/* ---- bytes: what differs from a base */

static void put_number(lt_put *w, double v) { lt_put_f64(w, v); }

static void put_moments(const lt_online *m, lt_put *w) {
  put_number(w, m->target.n);
  put_number(w, m->target.mean);
  put_number(w, m->target.m2);
  for (int64_t j = 0; j < m->n_dense; j++) {
    put_number(w, m->moment[j].n);
    put_number(w, m->moment[j].mean);
    put_number(w, m->moment[j].m2);
  }
}

static int slot_same(const lt_online *m, const lt_online *base, int64_t i) {
  for (int64_t k = 0; k < m->n_models; k++)
    if (memcmp(lt_online_at(m, k, i), lt_online_at(base, k, i), sizeof(float) << m->layout->bits) != 0 ||
        (m->n_hidden &&
         memcmp(lt_online_net_at(m, k, i), lt_online_net_at(base, k, i), (size_t)(m->n_hidden + 1) * sizeof(float)) != 0))
      return 0;
  return 1;
}

void lt_online_save_beside(const lt_online *m, const lt_online *base, lt_put *w) {
  uint64_t differ = 0;
  put_moments(m, w);
  for (int64_t k = 0; k < m->n_models; k++) lt_online_put_one(m, k, w);
  for (int64_t i = 0; i < m->n_slots; i++) differ += !slot_same(m, base, i);
  lt_put_u64(w, differ);
  lt_put_reserve(w, differ * lt_online_slot_bytes(m));
  for (int64_t i = 0; i < m->n_slots; i++)
    if (!slot_same(m, base, i)) lt_online_put_slot(m, i, w);
}

static double get_number(lt_get *r, double low) {
  double v = lt_get_f64(r);
  if (!isfinite(v) || v < low) lt_get_fail(r, LEAT_E_FORMAT);
  return v;
}

static void get_moments(lt_get *r, lt_online_moment *t) {
  t->n = get_number(r, 0);
  t->mean = get_number(r, -1e300);
  t->m2 = get_number(r, 0);
}

void lt_online_load_beside(lt_online *m, lt_get *r) {
  get_moments(r, &m->target);
  for (int64_t j = 0; j < m->n_dense && !r->failed; j++) get_moments(r, &m->moment[j]);
  for (int64_t k = 0; k < m->n_models && !r->failed; k++) lt_online_get_one(m, k, r);
  if (!r->failed) lt_online_get_slots(m, 0, r);
}
