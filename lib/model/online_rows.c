/* Rows of the online family: raw columns -> slots and z, and predictions from them. Trainer and predictor both come
 * through here, which is why a snapshot repeats its trainer's bits. */
#include "model/online.h"
#include "base/number.h"
#include <math.h>
#include <string.h>

static void feed_push(lt_online_feed *f, uint32_t slot, float v) {
  if (f->n == f->cap && f->use) f->use(f->user);
#if defined(__GNUC__)
  __builtin_prefetch(&f->m->slot[0][slot]);
#endif
  f->slot[f->n] = slot;
  f->z[f->n++] = v;
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

static uint32_t label_slot(const lt_online *m, int64_t column, const char *label, uint64_t n) {
  uint64_t h = lt_hash64(label, n, (uint64_t)column + 1);
  return hashed_slot(m, (uint32_t)(h ^ h >> 32));
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
  memcpy(f->z, raw, (size_t)f->n * sizeof *raw);
  for (int64_t i = 1; i < f->n_done; i++) f->z[i] = dense_z(&f->m->moment[f->slot[i] - 1], x[f->slot[i] - 1]);
}

/* A label by its text, however the rows hold it: labels that the model's schema has never listed are features too. */
static void feed_label(lt_online_feed *f, const lt_encode *bind, int64_t k, const lt_rows *rows, int64_t r) {
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
  feed_push(f, label_slot(f->m, column, text && n ? text : "", text && n ? n : 0), 1);
}

static void feed_text(lt_online_feed *f, const lt_encode *bind, int64_t k, const lt_rows *rows, int64_t r, int32_t *index,
                      float *value) {
  uint64_t n = 0;
  uint32_t own = lt_mix32((uint32_t)bind->e->part[k].column + 1); /* words of two columns are two features */
  const char *text = lt_encode_text(bind, k, rows, r, &n);
  int64_t words = lt_text_slots(text, n, f->m->hash_bits, index, value);
  for (int64_t i = 0; i < words; i++) feed_push(f, hashed_slot(f->m, (uint32_t)index[i] ^ own), value[i]);
}

void lt_online_entries(lt_online_feed *f, const int32_t *index, const float *value, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    float x = value ? value[i] : 1.0f;
    if (index[i] >= 0 && lt_online_usable_f(x) && x != 0) feed_push(f, index_slot(f->m, index[i]), x);
  }
}

static void feed_begin(lt_online_feed *f) {
  f->n = f->n_done = 0;
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
    if (e->part[k].type == LT_PART_CATEGORY) feed_label(f, bind, k, rows, r);
    if (e->part[k].type == LT_PART_TEXT) feed_text(f, bind, k, rows, r, index, value);
    if (e->part[k].type == LT_PART_SPARSE && v->row_start)
      lt_online_entries(f, v->index + v->row_start[r], v->value ? v->value + v->row_start[r] : NULL,
                        v->row_start[r + 1] - v->row_start[r]);
  }
}

void lt_online_numbers(lt_online_feed *f, const lt_encoder *e, const double *x) {
  feed_begin(f);
  for (int64_t k = 0; k < e->n_parts; k++) {
    const lt_part *p = &e->part[k];
    for (int64_t j = 0; p->type == LT_PART_NUMBERS && j < p->numbers; j++) feed_number(f, p->slot + j, x[p->number + j]);
  }
  for (int64_t k = 0; k < e->n_parts; k++) {
    const lt_part *p = &e->part[k];
    if (p->type != LT_PART_CATEGORY) continue;
    double code = x[p->number];
    uint64_t n = 0;
    const char *text = "";
    if (code >= 0 && code < (double)p->n_labels) text = lt_dict_text(e->schema->col[p->column].labels, (int64_t)code, &n);
    feed_push(f, label_slot(f->m, p->column, text, n), 1);
  }
}

int64_t lt_online_room(const lt_online *m, const lt_encode *bind, const lt_rows *rows, int64_t r) {
  return 1 + m->n_dense + lt_encode_room(bind, rows, r);
}

void lt_online_scale(lt_online_feed *f) {
  const lt_online_slot *s = f->m->slot[0];
  for (int64_t i = f->n_done; i < f->n; i++) {
    const lt_online_slot *t = &s[f->slot[i]];
    float v = f->z[i], z = v * sqrtf((t->n + 1) / (t->square + v * v));
    f->z[i] = z > LT_ONLINE_CLIP ? LT_ONLINE_CLIP : z < -LT_ONLINE_CLIP ? -LT_ONLINE_CLIP : z;
  }
  f->n_done = f->n;
}

/* ---- predictions */

enum { GAUSS_PRECISION = 10 }; /* 1 / .1 */

#define DOT(bit, expr)                                                          \
  for (int64_t i = 0; (learners & LT_LEARNER(bit)) && i < f->n; i++) {          \
    const lt_online_slot *t = &s[f->slot[i]];                                   \
    d->dot[bit] += (double)((expr) * f->z[i]);                                  \
  }

/* All of the race in one sweep over the slots. */
static void dots_race(const lt_online_slot *s, const lt_online_feed *f, lt_online_dot *d) {
  double a = d->dot[LT_ADAGRAD], c = d->dot[LT_COIN], o = d->dot[LT_ONS], l = d->dot[LT_ALMA], g = d->dot[LT_GAUSS];
  double var = d->var;
  for (int64_t i = 0; i < f->n; i++) {
    const lt_online_slot *t = &s[f->slot[i]];
    float z = f->z[i], x = z > 3 ? 1 : z < -3 ? -1 : z / 3;
    a += (double)(t->ada_w * z);
    c += (double)(t->coin_w * z);
    o += (double)(t->ons_b * (1 + t->ons_wealth) * x);
    l += (double)(t->alma_w * z);
    g += (double)(t->gauss_w * z);
    var += (double)(z * z / (GAUSS_PRECISION + t->gauss_q));
  }
  d->dot[LT_ADAGRAD] = a;
  d->dot[LT_COIN] = c;
  d->dot[LT_ONS] = o;
  d->dot[LT_ALMA] = l;
  d->dot[LT_GAUSS] = g;
  d->var = var;
}

void lt_online_dots(const lt_online *m, int64_t model, const lt_online_feed *f, lt_online_dot *d) {
  const lt_online_slot *s = m->slot[model];
  uint32_t learners = m->learners;
  for (int64_t i = 0; i < f->n; i++) d->zz += (double)(f->z[i] * f->z[i]);
  if (learners == (1u << LT_MIXED) - 1) {
    dots_race(s, f, d);
    return;
  }
  DOT(LT_ADAGRAD, t->ada_w)
  DOT(LT_COIN, t->coin_w)
  DOT(LT_FTRL, t->coin_w)
  DOT(LT_ALMA, t->alma_w)
  DOT(LT_GAUSS, t->gauss_w)
  for (int64_t i = 0; (learners & LT_LEARNER(LT_GAUSS)) && i < f->n; i++) {
    float z = f->z[i];
    d->var += (double)(z * z / (GAUSS_PRECISION + s[f->slot[i]].gauss_q));
  }
  for (int64_t i = 0; (learners & LT_LEARNER(LT_ONS)) && i < f->n; i++) {
    const lt_online_slot *t = &s[f->slot[i]];
    float z = f->z[i], x = z > 3 ? 1 : z < -3 ? -1 : z / 3;
    d->dot[LT_ONS] += (double)(t->ons_b * (1 + t->ons_wealth) * x);
  }
}

double lt_online_sigmoid(double v) { return v >= 0 ? 1 / (1 + exp(-v)) : exp(v) / (1 + exp(v)); }

static double bounded(double v, double limit) { return v > limit ? limit : v > -limit ? v : v <= -limit ? -limit : 0; }

double lt_online_mix(const lt_online *m, int64_t model, const lt_online_dot *d, double expert[LT_LEARNERS]) {
  const lt_online_one *o = &m->one[model];
  double mixed = 0, limit = m->regression ? 1e6 : 20;
  int k = 0;
  for (int i = 0; i < LT_LEARNERS; i++) {
    if (!(m->learners & LT_LEARNER(i))) continue;
    double v = d->dot[i];
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
