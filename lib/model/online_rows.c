/* Rows of the online family: raw columns -> slots and z, and predictions from them. Trainer and predictor both come
 * through here, which is why a snapshot repeats its trainer's bits. */
#include "model/online.h"
#include "base/number.h"
#include "model/online_lanes.h"
#include "model/online_net.h"
#include <math.h>
#include <string.h>

#if defined(__GNUC__)
#define FETCH(p) __builtin_prefetch(p)
#else
#define FETCH(p) (void)(p)
#endif

static void feed_push(lt_online_feed *f, uint32_t slot, float v) {
  if (f->n == f->cap && f->use) f->use(f->user);
  f->slot[f->n] = slot;
  f->raw[f->n++] = v;
}

/* A slot that could not be foreseen. */
static void feed_hashed(lt_online_feed *f, uint32_t slot, float v) {
  FETCH(lt_online_at(f->m, 0, slot));
  feed_push(f, slot, v);
}

static void feed_done(lt_online_feed *f, uint32_t slot, float z) {
  feed_push(f, slot, z);
  f->n_done = f->n;
}

static uint32_t hashed_slot(const lt_online *m, uint32_t h) {
  return (uint32_t)(1 + m->n_dense) + (h & (uint32_t)(m->n_hashed - 1));
}

/* Indices keep their places while they fit: no collisions among the features of a narrow block. */
static uint32_t index_slot(const lt_online *m, int32_t index) {
  uint32_t i = (uint32_t)index;
  return hashed_slot(m, i < (uint32_t)m->n_hashed ? i : lt_mix32(i));
}

static uint64_t label_hash(int64_t column, const char *label, uint64_t n) { return lt_hash64(label, n, (uint64_t)column + 1); }
static uint32_t hash_slot(const lt_online *m, uint64_t h) { return hashed_slot(m, (uint32_t)(h ^ h >> 32)); }

/* Two labels together. */
static uint32_t cross_slot(const lt_online *m, uint64_t a, uint64_t b) {
  unsigned char both[16];
  for (int i = 0; i < 8; i++) {
    both[i] = (unsigned char)(a >> 8 * i);
    both[8 + i] = (unsigned char)(b >> 8 * i);
  }
  return hash_slot(m, lt_hash64(both, sizeof both, 3));
}

/* Mean and deviation are Welford's ("Note on a method for calculating corrected sums of squares and products", 1962),
 * with x as the next value. */
static float dense_z(const lt_online_moment *t, double x) {
  double n = t->n + 1, d = x - t->mean, mean = t->mean + d / n, rest = x - mean, m2 = t->m2 + d * rest;
  if (!(m2 > 0)) return 0;
  double z = rest / sqrt(m2 / n);
  return z > LT_ONLINE_CLIP ? LT_ONLINE_CLIP : z < -LT_ONLINE_CLIP ? -LT_ONLINE_CLIP : (float)z;
}

static void feed_number(lt_online_feed *f, int64_t slot, double x) {
  if (lt_online_usable(x)) feed_done(f, (uint32_t)(1 + slot), dense_z(&f->m->moment[slot], x));
}

void lt_online_refill(lt_online_feed *f, const double *x, const float *raw) {
  f->counted = 0;
  memcpy(f->raw, raw, (size_t)f->n * sizeof *raw);
  for (int64_t i = 1; i < f->n_done; i++) f->raw[i] = dense_z(&f->m->moment[f->slot[i] - 1], x[f->slot[i] - 1]);
}

/* A number's cell: by its place, so that what was learned of a cell stays while its edges are fitted. */
static void feed_cell(lt_online_feed *f, const lt_encoder *e, int64_t k, double v) {
  const lt_part *p = &e->part[k];
  int64_t code = isfinite(v) ? lt_bucket_of(p->edge, p->n_edges, v) + 1 : 0;
  if (p->cells || !code) feed_hashed(f, hashed_slot(f->m, lt_mix32(lt_mix32((uint32_t)k + 0x62636b74U) + (uint32_t)code)), 1);
}

/* Hash of a label by its text, however the rows hold it: labels that the model's schema has never listed are features too. */
static uint64_t row_label(const lt_encode *bind, int64_t k, const lt_rows *rows, int64_t r) {
  const lt_bound *u = &bind->part[k];
  const lt_column *c = &bind->schema->col[u->column];
  const lt_col *v = &rows->col[u->column];
  int64_t column = bind->e->part[k].column;
  const char *text = NULL;
  char number[32];
  uint64_t n = 0;
  if (c->kind == LEAT_CATEGORY) {
    int32_t code = v->data ? ((const int32_t *)v->data)[r * v->row_stride] : LT_MISSING;
    if (code >= 0 && code < lt_dict_count(c->labels)) text = lt_dict_text(c->labels, code, &n);
  } else if (u->how == LT_HOW_TEXT_CODE) {
    text = lt_col_text(v, r, &n);
  } else {
    double x = lt_col_number(c, v, r, 0);
    if (!isnan(x)) {
      n = (uint64_t)lt_f64_text(x, number);
      text = number;
    }
  }
  return label_hash(column, text && n ? text : "", text && n ? n : 0);
}

/* BUCKETS or CROSS. */
static void feed_derived(lt_online_feed *f, const lt_encode *bind, int64_t k, const lt_rows *rows, int64_t r) {
  const lt_part *p = &bind->e->part[k];
  if (p->type == LT_PART_BUCKETS) feed_cell(f, bind->e, k, lt_encode_number(bind, p->source, rows, r));
  else feed_hashed(f, cross_slot(f->m, row_label(bind, p->source, rows, r), row_label(bind, p->other, rows, r)), 1);
}

static void feed_text(lt_online_feed *f, const lt_encode *bind, int64_t k, const lt_rows *rows, int64_t r, int32_t *index,
                      float *value) {
  uint64_t n = 0;
  uint32_t own = lt_mix32((uint32_t)bind->e->part[k].column + 1); /* words of two columns are two features */
  const char *text = lt_encode_text(bind, k, rows, r, &n);
  int pairs = bind->e->part[k].hashed == LT_PART_PAIRS;
  int64_t words = lt_text_slots(text, n, f->m->hash_bits, pairs, index, value);
  for (int64_t i = 0; i < words; i++) feed_hashed(f, hashed_slot(f->m, (uint32_t)index[i] ^ own), value[i]);
}

static void feed_entry(lt_online_feed *f, int32_t index, float x) {
  if (index >= 0 && lt_online_usable_f(x) && x != 0) feed_push(f, index_slot(f->m, index), x);
}

void lt_online_entries(lt_online_feed *f, const int32_t *index, const float *value, int64_t n) {
  int64_t i = 0;
#if defined(__SSE2__) /* four that need no second look at once */
  const __m128i base = _mm_set1_epi32((int)(1 + f->m->n_dense)), none = _mm_set1_epi32(-1);
  const __m128i end = _mm_set1_epi32((int)f->m->n_hashed);
  const __m128 most = _mm_set1_ps(1e15f), zero = _mm_setzero_ps();
  for (; n - i >= 4; i += 4) {
    __m128i at = _mm_loadu_si128((const __m128i *)(const void *)(index + i));
    __m128 x = value ? _mm_loadu_ps(value + i) : _mm_set1_ps(1);
    __m128i in = _mm_and_si128(_mm_cmpgt_epi32(at, none), _mm_cmpgt_epi32(end, at));
    __m128 good = _mm_and_ps(_mm_cmplt_ps(x4_abs(x), most), _mm_cmpneq_ps(x, zero));
    if (_mm_movemask_ps(_mm_and_ps(good, _mm_castsi128_ps(in))) == 15 && f->cap - f->n >= 4) {
      _mm_storeu_si128((__m128i *)(void *)(f->slot + f->n), _mm_add_epi32(at, base));
      _mm_storeu_ps(f->raw + f->n, x);
      f->n += 4;
      continue;
    }
    for (int64_t k = i; k < i + 4; k++) feed_entry(f, index[k], value ? value[k] : 1.0f);
  }
#endif
  for (; i < n; i++) feed_entry(f, index[i], value ? value[i] : 1.0f);
}

/* The slots of the next row's entries are asked for while this row is worked on. Always in line: gcc takes a call of a
 * function that only prefetches for one without effect. */
LT_INLINE void fetch_entries(const lt_online *m, const int32_t *index, int64_t n) {
  enum { MODELS = 4 };
  for (int64_t k = 0; k < m->n_models && k < MODELS; k++) {
    const float *cell = lt_online_at(m, k, 1 + m->n_dense);
    int bits = m->layout->bits;
    uint32_t mask = (uint32_t)(m->n_hashed - 1);
    for (int64_t i = 0; i < n; i++) FETCH(cell + ((uint64_t)((uint32_t)index[i] & mask) << bits));
    for (int64_t i = 0; m->n_hidden && i < n; i++) {
      const float *w = lt_online_net_at(m, k, 1 + m->n_dense + (int64_t)((uint32_t)index[i] & mask));
      for (int64_t j = 0; j <= m->n_hidden; j += 16) FETCH(w + j);
    }
  }
}

static void feed_begin(lt_online_feed *f) {
  f->n = f->n_done = 0;
  f->counted = 0;
  feed_done(f, 0, 1);
}

void lt_online_row(lt_online_feed *f, const lt_encode *bind, const lt_rows *rows, int64_t r, double *x, int32_t *index,
                   float *value) {
  const lt_encoder *e = bind->e;
  feed_begin(f);
  if (f->m->n_dense > 0) lt_encode_numbers(bind, rows, r, 1, x, f->m->n_dense);
  for (int64_t j = 0; j < f->m->n_dense; j++) feed_number(f, j, x[j]);
  for (int64_t k = 0; k < e->n_parts; k++) {
    const lt_col *v = &rows->col[bind->part[k].column];
    if (lt_part_is_derived(&e->part[k])) feed_derived(f, bind, k, rows, r);
    if (e->part[k].type == LT_PART_CATEGORY) feed_hashed(f, hash_slot(f->m, row_label(bind, k, rows, r)), 1);
    if (e->part[k].type == LT_PART_TEXT) feed_text(f, bind, k, rows, r, index, value);
    if (e->part[k].type != LT_PART_SPARSE || !v->row_start) continue;
    const int64_t *at = v->row_start + r;
    if (r + 1 < rows->n) fetch_entries(f->m, v->index + at[1], at[2] - at[1]);
    lt_online_entries(f, v->index + at[0], v->value ? v->value + at[0] : NULL, at[1] - at[0]);
  }
}

/* Hash of the label whose code stands among the numbers. */
static uint64_t code_label(const lt_encoder *e, int64_t k, const double *x) {
  const lt_part *p = &e->part[k];
  double code = x[p->number];
  uint64_t n = 0;
  const char *text = "";
  if (code >= 0 && code < (double)p->n_labels) text = lt_dict_text(e->schema->col[p->column].labels, (int64_t)code, &n);
  return label_hash(p->column, text, n);
}

void lt_online_numbers(lt_online_feed *f, const lt_encoder *e, const double *x) {
  feed_begin(f);
  for (int64_t k = 0; k < e->n_parts; k++) {
    const lt_part *p = &e->part[k];
    for (int64_t j = 0; p->type == LT_PART_NUMBERS && j < p->numbers; j++)
      feed_number(f, p->slot + j, p->hashed == LT_PART_LOG ? lt_signed_log(x[p->number + j]) : x[p->number + j]);
  }
  for (int64_t k = 0; k < e->n_parts; k++) {
    const lt_part *p = &e->part[k];
    if (p->type == LT_PART_CATEGORY) feed_hashed(f, hash_slot(f->m, code_label(e, k, x)), 1);
    if (p->type == LT_PART_BUCKETS) feed_cell(f, e, k, x[e->part[p->source].number]);
    if (p->type == LT_PART_CROSS) feed_hashed(f, cross_slot(f->m, code_label(e, p->source, x), code_label(e, p->other, x)), 1);
  }
}

int64_t lt_online_room(const lt_online *m, const lt_encode *bind, const lt_rows *rows, int64_t r) {
  return 1 + m->n_dense + lt_encode_room(bind, rows, r);
}

/* z of four entries from the i-th on, kept in f->z too. */
LT_INLINE lt_x4 scale_four(lt_online_feed *f, int64_t i, lt_x4 v, lt_x4 n, lt_x4 square) {
  lt_x4 all = x4_add(square, x4_mul(v, v)), z = x4_clip(x4_mul(v, x4_sqrt(x4_div(x4_add(n, x4_all(1)), all))));
  if (i < f->n_done) z = x4_before(f->n_done - i, v, z);
  if (i + 4 <= f->n) {
    x4_store(f->z + i, z);
  } else {
    float each[4];
    z = x4_before(f->n - i, z, x4_all(0));
    x4_store(each, z);
    for (int64_t k = i; k < f->n; k++) f->z[k] = each[k - i];
  }
  return z;
}

void lt_online_scale(lt_online_feed *f) {
  const float *cell = f->m->cell[0] + f->m->layout->at[LT_SLOT_N];
  const int bits = f->m->layout->bits;
  lt_x4 n, square;
#define LINE(i, slot, v)                        \
  x4_pairs(cell, slot, bits, &n, &square);      \
  scale_four(f, i, v, n, square)
  LT_FOURS(0, f->raw, 1, LINE);
#undef LINE
  f->n_done = f->n;
}

/* ---- predictions. Sums over the entries are in their order, and in double. */

enum { GAUSS_PRECISION = 10 }; /* 1 / .1 */

LT_INLINE lt_x4 gauss_var(lt_x4 z, lt_x4 q) { return x4_div(x4_mul(z, z), x4_add(x4_all(GAUSS_PRECISION), q)); }
LT_INLINE lt_x4 ons_bet(lt_x4 b, lt_x4 wealth, lt_x4 z) {
  return x4_mul(x4_mul(b, x4_add(x4_all(1), wealth)), x4_outcome(z));
}

/* All of the race in one sweep over the slots. raw: v is what f->raw says, z is still to come. */
LT_INLINE void dots_race_four(const float *s, lt_online_feed *f, int64_t i, const uint32_t *slot, lt_x4 v, int raw, lt_x2 sum[4]) {
  lt_x4 a[4], c[4], o[4], g[4];
  x4_gather(s, slot, 4, 0, a);
  x4_gather(s, slot, 4, 4, c);
  x4_gather(s, slot, 4, 8, o);
  x4_gather(s, slot, 4, 12, g);
  lt_x4 z = raw ? scale_four(f, i, v, a[0], a[1]) : v;
  sum[0] = x2_sum(sum[0], x4_mul(a[2], z), x4_mul(c[0], z));
  sum[1] = x2_sum(sum[1], ons_bet(o[3], o[1], z), x4_mul(g[0], z));
  sum[2] = x2_sum(sum[2], x4_mul(g[1], z), gauss_var(z, g[2]));
  sum[3] = x2_sum(sum[3], x4_mul(z, z), x4_all(0));
}

LT_INLINE void dots_race(const float *s, lt_online_feed *f, int raw, lt_online_dot *d) {
  lt_x2 sum[4] = {x2_of(d->dot[LT_ADAGRAD], d->dot[LT_COIN]), x2_of(d->dot[LT_ONS], d->dot[LT_ALMA]),
                  x2_of(d->dot[LT_GAUSS], d->var), x2_of(d->zz, 0)};
#define LINE(i, slot, v) dots_race_four(s, f, i, slot, v, raw, sum)
  if (raw) LT_FOURS(0, f->raw, 1, LINE);
  else LT_FOURS(0, f->z, 0, LINE);
#undef LINE
  d->dot[LT_ADAGRAD] = x2_first(sum[0]);
  d->dot[LT_COIN] = x2_second(sum[0]);
  d->dot[LT_ONS] = x2_first(sum[1]);
  d->dot[LT_ALMA] = x2_second(sum[1]);
  d->dot[LT_GAUSS] = x2_first(sum[2]);
  d->var = x2_second(sum[2]);
  d->zz = x2_first(sum[3]);
}

/* One learner: w, the weight's place in the line at `at`; for gauss q follows it, for ons the wealth is two before. raw:
 * as above; the line begins with the statistics then. */
LT_INLINE lt_x2 dots_one_four(const float *s, lt_online_feed *f, int64_t i, const uint32_t *slot, lt_x4 z, int raw, int bits,
                              int at, int w, int learner, lt_x2 sum) {
  lt_x4 v[4];
  x4_gather(s, slot, bits, at, v);
  if (raw) z = scale_four(f, i, z, v[0], v[1]);
  return x2_sum(sum, learner == LT_ONS ? ons_bet(v[w], v[w >= 2 ? w - 2 : 0], z) : x4_mul(v[w], z),
                learner == LT_GAUSS ? gauss_var(z, v[w < 3 ? w + 1 : 3]) : x4_mul(z, z));
}

LT_INLINE void dots_one(const float *s, lt_online_feed *f, int raw, int bits, int at, int w, int learner, lt_online_dot *d) {
  lt_x2 sum = x2_of(d->dot[learner], learner == LT_GAUSS ? d->var : d->zz);
#define LINE(i, slot, v) sum = dots_one_four(s, f, i, slot, v, raw, bits, at, w, learner, sum)
  if (raw) LT_FOURS(0, f->raw, 1, LINE);
  else LT_FOURS(0, f->z, 0, LINE);
#undef LINE
  d->dot[learner] = x2_first(sum);
  if (learner == LT_GAUSS) d->var = x2_second(sum);
  if (learner == LT_ALMA) d->zz = x2_second(sum);
}

static void dots_mixed(const lt_online *m, const float *s, lt_online_feed *f, lt_online_dot *d) {
  uint32_t learners = m->learners;
  if ((learners & ~LT_LEARNER(LT_NET)) == LT_LEARNER(LT_RACE) - 1) {
    dots_race(s, f, 0, d);
    return;
  }
  if (learners & LT_LEARNER(LT_ADAGRAD)) dots_one(s, f, 0, 4, 0, 2, LT_ADAGRAD, d);
  if (learners & LT_LEARNER(LT_COIN)) dots_one(s, f, 0, 4, 4, 0, LT_COIN, d);
  if (learners & LT_LEARNER(LT_ONS)) dots_one(s, f, 0, 4, 8, 3, LT_ONS, d);
  if (learners & LT_LEARNER(LT_ALMA)) dots_one(s, f, 0, 4, 12, 0, LT_ALMA, d);
  if (learners & LT_LEARNER(LT_GAUSS)) dots_one(s, f, 0, 4, 12, 1, LT_GAUSS, d);
}

static void dots_linear(const lt_online *m, int64_t model, lt_online_feed *f, lt_online_dot *d) {
  const float *s = m->cell[model];
  switch (m->layout->bits == 4 ? 0 : m->learners) {
    case LT_LEARNER(LT_ADAGRAD): dots_one(s, f, 0, 2, 0, 2, LT_ADAGRAD, d); return;
    case LT_LEARNER(LT_COIN): dots_one(s, f, 0, 3, 0, 2, LT_COIN, d); return;
    case LT_LEARNER(LT_FTRL): dots_one(s, f, 0, 3, 0, 2, LT_FTRL, d); return;
    case LT_LEARNER(LT_ONS): dots_one(s, f, 0, 3, 0, 3, LT_ONS, d); return;
    case LT_LEARNER(LT_ALMA): dots_one(s, f, 0, 2, 0, 2, LT_ALMA, d); return;
    case LT_LEARNER(LT_GAUSS): dots_one(s, f, 0, 2, 0, 2, LT_GAUSS, d); return;
    case LT_LEARNER(LT_NET): return;
    default: dots_mixed(m, s, f, d);
  }
}

void lt_online_dots(const lt_online *m, int64_t model, lt_online_feed *f, lt_online_dot *d) {
  dots_linear(m, model, f, d);
  if (m->n_hidden) lt_online_net_sums(m, model, f, d);
}

void lt_online_dot_clear(const lt_online *m, lt_online_dot *d) {
  float *unit = d->unit;
  memset(d, 0, sizeof *d);
  d->unit = unit;
  if (m->n_hidden) memset(unit, 0, (size_t)m->n_hidden * sizeof *unit);
}

void lt_online_see(lt_online_feed *f, lt_online_dot *d) {
  const lt_online *m = f->m;
  const float *s = m->cell[0];
  switch (m->learners & ~LT_LEARNER(LT_NET)) {
    case LT_LEARNER(LT_ADAGRAD): dots_one(s, f, 1, 2, 0, 2, LT_ADAGRAD, d); break;
    case LT_LEARNER(LT_COIN): dots_one(s, f, 1, 3, 0, 2, LT_COIN, d); break;
    case LT_LEARNER(LT_FTRL): dots_one(s, f, 1, 3, 0, 2, LT_FTRL, d); break;
    case LT_LEARNER(LT_ALMA): dots_one(s, f, 1, 2, 0, 2, LT_ALMA, d); break;
    case LT_LEARNER(LT_GAUSS): dots_one(s, f, 1, 2, 0, 2, LT_GAUSS, d); break;
    case LT_LEARNER(LT_RACE) - 1: dots_race(s, f, 1, d); break;
    default:
      lt_online_scale(f);
      dots_linear(m, 0, f, d);
  }
  if (m->n_hidden) lt_online_net_sums(m, 0, f, d);
  f->n_done = f->n;
}

double lt_online_sigmoid(double v) { return v >= 0 ? 1 / (1 + exp(-v)) : exp(v) / (1 + exp(v)); }

static double bounded(double v, double limit) { return v > limit ? limit : v > -limit ? v : v <= -limit ? -limit : 0; }

double lt_online_mix(const lt_online *m, int64_t model, const lt_online_dot *d, double expert[LT_LEARNERS]) {
  const lt_online_one *o = &m->one[model];
  double mixed = 0, limit = m->regression ? 1e6 : 20;
  int k = 0;
  for (int i = 0; i < LT_LEARNERS; i++) {
    if (!(m->learners & LT_LEARNER(i))) continue;
    double v = i == LT_NET ? lt_online_net_output(m, model, d) : d->dot[i];
    if (i == LT_GAUSS && !m->regression) v /= sqrt(1 + 0.39269908169872414 * d->var); /* pi / 8 */
    if (i == LT_ALMA) v = o->platt_a * (o->alma_scale * v * sqrt(o->alma_k / (d->zz > 0 ? d->zz : 1))) + o->platt_b;
    expert[i] = bounded(v, limit);
    if (m->learners == LT_LEARNER(i)) mixed = expert[i];
    else if (k < LT_MIXED) mixed += o->mix_w[k++] * expert[i];
  }
  return bounded(mixed, m->regression ? 1e6 : 30);
}

double lt_online_deviation(const lt_online_moment *t) { return t->n > 1 && t->m2 > 0 ? sqrt(t->m2 / t->n) : 0; }

void lt_online_link(const lt_online *m, const double *mixed, double *out) {
  if (m->regression) {
    out[0] = m->target.mean + lt_online_deviation(&m->target) * mixed[0];
    return;
  }
  double sum = 0;
  for (int64_t k = 0; k < m->n_models; k++) sum += out[k] = lt_online_sigmoid(mixed[k]);
  for (int64_t k = 0; m->n_models > 1 && k < m->n_models; k++) out[k] /= sum;
}
