/* The online family: its settings, its state and its bytes. Rows and predictions are in online_rows.c, learning is in
 * train/. */
#include "model/online_copy.h"
#include "model/online_net.h"
#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------- slots */

/* Lines of four floats are read and written at once: what a learner needs for a prediction comes first, and what it
 * updates together stands together. learn_steps.c and online_rows.c know these places. */
static const lt_online_layout layout_mixed = {4, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}};
static const lt_online_layout layout_adagrad = {2, {0, 1, 2, 3, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}};
static const lt_online_layout layout_coin = {3, {0, 1, -1, -1, 2, 4, 5, 6, 3, -1, -1, -1, -1, -1, -1}};
static const lt_online_layout layout_ons = {3, {4, 5, -1, -1, -1, -1, -1, -1, -1, 1, 2, 3, -1, -1, -1}};
static const lt_online_layout layout_alma = {2, {0, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, -1, -1}};
static const lt_online_layout layout_gauss = {2, {0, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 3}};

static const lt_online_layout layout_net = {2, {0, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}};

static const lt_online_layout *online_layout(uint32_t learners) {
  switch (learners) {
    case LT_LEARNER(LT_NET): return &layout_net;
    case LT_LEARNER(LT_ADAGRAD): return &layout_adagrad;
    case LT_LEARNER(LT_COIN):
    case LT_LEARNER(LT_FTRL): return &layout_coin;
    case LT_LEARNER(LT_ONS): return &layout_ons;
    case LT_LEARNER(LT_ALMA): return &layout_alma;
    case LT_LEARNER(LT_GAUSS): return &layout_gauss;
    default: return &layout_mixed;
  }
}

uint64_t lt_online_cell_bytes(const lt_online *m) {
  return (uint64_t)(m->n_slots + LT_ONLINE_PAD) * sizeof(float) << m->layout->bits;
}

uint64_t lt_online_model_bytes(const lt_online *m) { return lt_online_cell_bytes(m) + lt_online_net_bytes(m); }

int lt_online_same_kind(const lt_online *a, const lt_online *b) {
  return a->learners == b->learners && a->n_hidden == b->n_hidden && a->regression == b->regression;
}

void lt_online_numbers_of(const lt_online *m, int64_t model, int64_t slot, float v[LT_SLOT_NUMBERS]) {
  const float *s = lt_online_at(m, model, slot);
  for (int i = 0; i < LT_SLOT_NUMBERS; i++) v[i] = m->layout->at[i] >= 0 ? s[m->layout->at[i]] : 0;
}

int lt_online_set_numbers(lt_online *m, int64_t model, int64_t slot, const float v[LT_SLOT_NUMBERS]) {
  static const uint32_t positive = 1u << LT_SLOT_N | 1u << LT_SLOT_SQUARE | 1u << LT_SLOT_ADA_G | 1u << LT_SLOT_COIN_L |
                                   1u << LT_SLOT_COIN_G | 1u << LT_SLOT_COIN_R | 1u << LT_SLOT_ONS_A | 1u << LT_SLOT_GAUSS_Q;
  float *s = lt_online_at(m, model, slot);
  int good = 1;
  for (int i = 0; i < LT_SLOT_NUMBERS; i++) {
    good &= isfinite(v[i]) && !((positive >> i & 1) && v[i] < 0) && !(i == LT_SLOT_ONS_WEALTH && v[i] < -1);
    if (m->layout->at[i] >= 0) s[m->layout->at[i]] = v[i];
    else good &= v[i] == 0;
  }
  return good;
}

static float *online_cells(const lt_online *m) {
  return lt_zarray(m->rt, lt_online_cell_bytes(m) / sizeof(float), sizeof(float));
}

/* ---------------------------------------------------------------------------------------------- life */

void lt_online_free(lt_online *m) {
  if (!m) return;
  leat_runtime *rt = m->rt;
  for (int64_t k = 0; m->cell && k < m->n_models; k++) lt_free(rt, m->cell[k]);
  for (int64_t k = 0; m->net && k < m->n_models; k++) lt_free(rt, m->net[k]);
  for (int64_t k = 0; m->head && k < m->n_models; k++) lt_free(rt, m->head[k]);
  lt_free(rt, m->net);
  lt_free(rt, m->head);
  lt_free(rt, m->cell);
  lt_free(rt, m->one);
  lt_free(rt, m->moment);
  lt_free(rt, m);
  lt_runtime_unref(rt);
}

static void online_start(const lt_online *m, lt_online_one *o) {
  int n = 0;
  memset(o, 0, sizeof *o);
  o->alma_scale = o->alma_k = 1;
  o->platt_a = 1;
  o->noise = 1;
  for (int i = 0; i < LT_LEARNERS; i++) n += i != LT_FTRL && (m->learners & LT_LEARNER(i));
  for (int i = 0; i < n; i++) {
    o->mix_w[i] = 1.0 / n;
    o->mix_p[i * LT_MIXED + i] = 0.1;
  }
}

/* Everything but the values. */
static leat_status online_make(leat_runtime *rt, const lt_online *like, lt_online **out, leat_error *err) {
  *out = NULL;
  lt_online *m = lt_zalloc(rt, sizeof *m);
  if (!m) return lt_fail_memory(err, sizeof *m, "an online model");
  *m = *like;
  lt_runtime_ref(rt);
  m->rt = rt;
  m->layout = online_layout(m->learners);
  m->cell = lt_zarray(rt, (uint64_t)m->n_models, sizeof *m->cell);
  m->one = lt_zarray(rt, (uint64_t)m->n_models, sizeof *m->one);
  m->moment = lt_zarray(rt, (uint64_t)m->n_dense, sizeof *m->moment);
  m->net = m->n_hidden ? lt_zarray(rt, (uint64_t)m->n_models, sizeof *m->net) : NULL;
  m->head = m->n_hidden ? lt_zarray(rt, (uint64_t)m->n_models, sizeof *m->head) : NULL;
  int whole = m->cell && m->one && m->moment && (!m->n_hidden || (m->net && m->head));
  for (int64_t k = 0; whole && k < m->n_models; k++) {
    m->cell[k] = online_cells(m);
    whole = m->cell[k] != NULL;
    online_start(m, &m->one[k]);
    if (!whole || !m->n_hidden) continue;
    lt_online_net_make(m, &m->net[k], &m->head[k]);
    whole = m->net[k] && m->head[k];
  }
  if (!whole) {
    uint64_t bytes = (uint64_t)m->n_models * lt_online_model_bytes(m);
    lt_online_free(m);
    return lt_fail_memory(err, bytes, "an online model");
  }
  *out = m;
  return LEAT_OK;
}

static lt_online online_shape(uint32_t learners, int64_t hidden, int64_t n_classes, const lt_encoder *e) {
  lt_online like = {0};
  like.learners = learners;
  like.n_hidden = learners & LT_LEARNER(LT_NET) ? hidden : 0;
  like.regression = n_classes < 0;
  like.n_classes = n_classes < 0 ? 0 : n_classes;
  like.n_models = n_classes > 2 ? n_classes : 1;
  like.n_dense = e->n_dense;
  like.hash_bits = e->hash_bits;
  like.n_hashed = e->n_slots > e->n_dense ? (int64_t)1 << e->hash_bits : 0;
  like.n_slots = 1 + like.n_dense + like.n_hashed;
  like.layout = online_layout(learners);
  return like;
}

uint64_t lt_online_bytes(uint32_t learners, int64_t hidden, const lt_encoder *e) {
  const lt_online like = online_shape(learners, hidden, 2, e);
  return lt_online_model_bytes(&like);
}

leat_status lt_online_create(leat_runtime *rt, uint32_t learners, int64_t hidden, int64_t n_classes, const lt_encoder *e,
                             lt_online **out, leat_error *err) {
  const lt_online like = online_shape(learners, hidden, n_classes, e);
  if (like.n_slots > LT_MAX_SLOTS)
    return lt_fail(err, LEAT_E_RANGE, "%lld numbers a row are too many for an online model", (long long)e->n_dense);
  return online_make(rt, &like, out, err);
}

leat_status lt_online_copy(const lt_online *m, lt_online **out, leat_error *err) {
  leat_status st = online_make(m->rt, m, out, err);
  if (!st) lt_online_assign(*out, m);
  return st;
}

leat_status lt_online_fresh(const lt_online *m, lt_online **out, leat_error *err) {
  leat_status st = online_make(m->rt, m, out, err);
  if (!st) (*out)->target = (lt_online_moment){0, 0, 0};
  return st;
}

void lt_online_clear(lt_online *m) {
  m->target = (lt_online_moment){0, 0, 0};
  memset(m->moment, 0, (size_t)m->n_dense * sizeof *m->moment);
  for (int64_t k = 0; k < m->n_models; k++) {
    online_start(m, &m->one[k]);
    memset(m->cell[k], 0, lt_online_cell_bytes(m));
    if (m->n_hidden) lt_online_net_start(m, m->net[k], m->head[k]);
  }
}

/* The model of class 0 against class 1 from the one of class 1 against class 0: every weight's sign is turned. The one of
 * class 0 takes the statistics of the values over. */
static void online_mirror(const lt_online *m, float *from, float *to, const lt_online_one *one, lt_online_one *mirror) {
  static const int turned[] = {LT_SLOT_ADA_W, LT_SLOT_COIN_W, LT_SLOT_COIN_TH, LT_SLOT_ONS_B, LT_SLOT_ALMA_W, LT_SLOT_GAUSS_W};
  const int8_t *at = m->layout->at;
  int64_t n = (int64_t)(lt_online_cell_bytes(m) / sizeof(float)), step = (int64_t)1 << m->layout->bits;
  *mirror = *one;
  mirror->platt_b = -one->platt_b;
  memcpy(to, from, (size_t)n * sizeof *to);
  for (int64_t i = 0; i < n; i += step) {
    for (size_t j = 0; j < sizeof turned / sizeof *turned; j++)
      if (at[turned[j]] >= 0) to[i + at[turned[j]]] = -from[i + at[turned[j]]];
    from[i + at[LT_SLOT_N]] = from[i + at[LT_SLOT_SQUARE]] = 0;
  }
}

/* What one more class needs, before anything is changed. */
typedef struct online_more {
  float **cell, **net;
  double **head;
  lt_online_one *one;
} online_more;

static void online_more_free(const lt_online *m, online_more *a, int64_t from, int64_t n) {
  for (int64_t k = from; k < n; k++) {
    if (a->cell) lt_free(m->rt, a->cell[k]);
    if (a->net) lt_free(m->rt, a->net[k]);
    if (a->head) lt_free(m->rt, a->head[k]);
  }
  lt_free(m->rt, a->cell);
  lt_free(m->rt, a->net);
  lt_free(m->rt, a->head);
  lt_free(m->rt, a->one);
}

static int online_more_make(const lt_online *m, online_more *a, int64_t n) {
  a->cell = lt_zarray(m->rt, (uint64_t)n, sizeof *a->cell);
  a->one = lt_zarray(m->rt, (uint64_t)n, sizeof *a->one);
  a->net = m->n_hidden ? lt_zarray(m->rt, (uint64_t)n, sizeof *a->net) : NULL;
  a->head = m->n_hidden ? lt_zarray(m->rt, (uint64_t)n, sizeof *a->head) : NULL;
  int whole = a->cell && a->one && (!m->n_hidden || (a->net && a->head));
  for (int64_t k = m->n_models; whole && k < n; k++) {
    a->cell[k] = online_cells(m);
    whole = a->cell[k] != NULL;
    if (!whole || !m->n_hidden) continue;
    lt_online_net_make(m, &a->net[k], &a->head[k]);
    whole = a->net[k] && a->head[k];
  }
  if (!whole) online_more_free(m, a, m->n_models, n);
  return whole;
}

leat_status lt_online_add_class(lt_online *m, leat_error *err) {
  if (m->n_classes < 2) {
    m->n_classes++;
    return LEAT_OK;
  }
  int64_t n = m->n_classes + 1, had = m->n_models;
  online_more a = {0};
  if (!online_more_make(m, &a, n)) return lt_fail_memory(err, lt_online_model_bytes(m), "one more class of an online model");
  memcpy(a.cell, m->cell, (size_t)had * sizeof *a.cell);
  memcpy(a.one, m->one, (size_t)had * sizeof *a.one);
  if (m->n_hidden) {
    memcpy(a.net, m->net, (size_t)had * sizeof *a.net);
    memcpy(a.head, m->head, (size_t)had * sizeof *a.head);
  }
  if (had == 1) { /* what has been class 1 against class 0 becomes both */
    float *cells = a.cell[1];
    a.one[1] = a.one[0];
    online_mirror(m, m->cell[0], cells, &a.one[1], &a.one[0]);
    a.cell[1] = a.cell[0];
    a.cell[0] = cells;
  }
  if (had == 1 && m->n_hidden) {
    double *head = a.head[1];
    memcpy(a.net[1], a.net[0], (size_t)lt_online_net_bytes(m));
    lt_online_net_mirror(m, a.head[0], head);
    a.head[1] = a.head[0];
    a.head[0] = head;
  }
  online_start(m, &a.one[n - 1]);
  lt_free(m->rt, m->cell);
  lt_free(m->rt, m->net);
  lt_free(m->rt, m->head);
  lt_free(m->rt, m->one);
  m->cell = a.cell;
  m->net = a.net;
  m->head = a.head;
  m->one = a.one;
  m->n_classes = m->n_models = n;
  return LEAT_OK;
}

int lt_online_fits(const lt_online *m, const lt_encoder *e) {
  return lt_encoder_online_fits(e) && m->n_dense == e->n_dense && m->hash_bits == e->hash_bits && (m->n_hashed > 0) == (e->n_slots > e->n_dense);
}

/* ---------------------------------------------------------------------------------------------- bytes */

static void put_moment(lt_put *w, const lt_online_moment *t) {
  lt_put_f64(w, t->n);
  lt_put_f64(w, t->mean);
  lt_put_f64(w, t->m2);
}

/* What stands in a file for one model's numbers; the mixer's are as many as a race has, or one more with the network. */
void lt_online_put_one(const lt_online *m, int64_t model, lt_put *w) {
  const lt_online_one *o = &m->one[model];
  const double v[] = {o->alma_scale, o->alma_square, o->alma_k, o->platt_a, o->platt_b, o->noise};
  const int n = m->n_hidden ? LT_MIXED : LT_RACE;
  for (size_t i = 0; i < sizeof v / sizeof *v; i++) lt_put_f64(w, v[i]);
  for (int i = 0; i < n; i++) lt_put_f64(w, o->mix_w[i]);
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) lt_put_f64(w, o->mix_p[i * LT_MIXED + j]);
  if (m->n_hidden) lt_online_net_put_head(m, model, w);
}

uint64_t lt_online_slot_bytes(const lt_online *m) {
  return 4 + (uint64_t)m->n_models * 4 * (LT_SLOT_NUMBERS + (m->n_hidden ? (uint64_t)m->n_hidden + 1 : 0));
}

void lt_online_put_slot(const lt_online *m, int64_t slot, lt_put *w) {
  lt_put_u32(w, (uint32_t)slot);
  for (int64_t k = 0; k < m->n_models; k++) {
    float v[LT_SLOT_NUMBERS];
    lt_online_numbers_of(m, k, slot, v);
    lt_put_floats(w, v, LT_SLOT_NUMBERS);
    if (m->n_hidden) lt_online_net_put_slot(m, k, slot, w);
  }
}

/* Slots that have been learned, all models together. */
void lt_online_save(const lt_online *m, lt_put *w) {
  uint64_t used = 0;
  lt_put_u32(w, m->learners);
  lt_put_i64(w, m->regression ? -1 : m->n_classes);
  lt_put_i64(w, m->n_dense);
  lt_put_i64(w, m->hash_bits);
  lt_put_u8(w, m->n_hashed > 0);
  if (m->n_hidden) lt_put_i64(w, m->n_hidden);
  put_moment(w, &m->target);
  for (int64_t k = 0; k < m->n_models; k++) lt_online_put_one(m, k, w);
  for (int64_t j = 0; j < m->n_dense; j++) put_moment(w, &m->moment[j]);
  const int8_t at = m->layout->at[LT_SLOT_N];
  for (int64_t i = 0; i < m->n_slots; i++) used += lt_online_at(m, 0, i)[at] > 0;
  lt_put_u64(w, used);
  lt_put_reserve(w, used * lt_online_slot_bytes(m));
  for (int64_t i = 0; i < m->n_slots; i++)
    if (lt_online_at(m, 0, i)[at] > 0) lt_online_put_slot(m, i, w);
}

static double get_finite(lt_get *r, double low) {
  double v = lt_get_f64(r);
  if (!isfinite(v) || v < low) lt_get_fail(r, LEAT_E_FORMAT);
  return v;
}

static void get_moment(lt_get *r, lt_online_moment *t) {
  t->n = get_finite(r, 0);
  t->mean = get_finite(r, -1e300);
  t->m2 = get_finite(r, 0);
}

void lt_online_get_one(lt_online *m, int64_t model, lt_get *r) {
  const double any = -1e300;
  lt_online_one *o = &m->one[model];
  const int n = m->n_hidden ? LT_MIXED : LT_RACE;
  o->alma_scale = get_finite(r, 1e-300);
  o->alma_square = get_finite(r, 0);
  o->alma_k = get_finite(r, 1);
  o->platt_a = get_finite(r, any);
  o->platt_b = get_finite(r, any);
  o->noise = get_finite(r, 0);
  for (int i = 0; i < n; i++) o->mix_w[i] = get_finite(r, any);
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) o->mix_p[i * LT_MIXED + j] = get_finite(r, any);
  if (m->n_hidden) lt_online_net_get_head(m, model, r);
}

void lt_online_get_slots(lt_online *m, int touched, lt_get *r) {
  uint64_t used = lt_get_count(r, lt_online_slot_bytes(m), (uint64_t)m->n_slots);
  int64_t last = -1;
  for (uint64_t u = 0; u < used && !r->failed; u++) {
    int64_t i = lt_get_u32(r);
    if (i <= last || i >= m->n_slots) {
      lt_get_fail(r, LEAT_E_FORMAT);
      return;
    }
    last = i;
    for (int64_t k = 0; k < m->n_models; k++) {
      float v[LT_SLOT_NUMBERS];
      for (int j = 0; j < LT_SLOT_NUMBERS; j++) v[j] = lt_get_f32(r);
      if (!lt_online_set_numbers(m, k, i, v) || (touched && k == 0 && !(v[LT_SLOT_N] > 0))) lt_get_fail(r, LEAT_E_FORMAT);
      if (m->n_hidden) lt_online_net_get_slot(m, k, i, r);
    }
  }
}

/* Learners that one setting can stand for. */
static int online_known(uint32_t learners, int regression) {
  static const char *const all[] = {"race", "cheap", "adagrad", "ftrl", "coin", "ons", "alma", "gauss", "mlp", "net"};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (learners && lt_online_learners(all[i], regression) == learners) return 1;
  return 0;
}

leat_status lt_online_load(leat_runtime *rt, lt_get *r, lt_online **out, leat_error *err) {
  lt_online like = {0}, *m = NULL;
  *out = NULL;
  like.learners = lt_get_u32(r);
  like.n_classes = lt_get_i64(r);
  like.n_dense = lt_get_i64(r);
  like.hash_bits = lt_get_i64(r);
  uint8_t hashed = lt_get_u8(r);
  if (like.n_classes < -1 || like.n_classes > LT_ONLINE_CLASSES || like.n_dense < 0 || like.n_dense > LT_MAX_SLOTS / 2 ||
      like.hash_bits < 1 || like.hash_bits > 24 || hashed > 1 || !online_known(like.learners, like.n_classes < 0) ||
      (uint64_t)like.n_dense > lt_get_left(r) / 24)
    lt_get_fail(r, LEAT_E_FORMAT);
  if (like.learners & LT_LEARNER(LT_NET)) like.n_hidden = lt_get_i64(r);
  if (like.n_hidden < (like.learners & LT_LEARNER(LT_NET) ? 4 : 0) || like.n_hidden > LT_ONLINE_NET_HIDDEN ||
      like.n_hidden % 4)
    lt_get_fail(r, LEAT_E_FORMAT);
  if (r->failed) return lt_get_status(r, "the online model", err);
  like.regression = like.n_classes < 0;
  if (like.regression) like.n_classes = 0;
  like.n_models = like.n_classes > 2 ? like.n_classes : 1;
  like.n_hashed = hashed ? (int64_t)1 << like.hash_bits : 0;
  like.n_slots = 1 + like.n_dense + like.n_hashed;
  like.layout = online_layout(like.learners);
  uint64_t bytes = (uint64_t)like.n_models * lt_online_model_bytes(&like);
  if (bytes > lt_runtime_load_budget(rt))
    return lt_fail(err, LEAT_E_MEMORY, "an online model of %llu bytes, the budget is %llu: raise load_budget_bytes",
                   (unsigned long long)bytes, (unsigned long long)lt_runtime_load_budget(rt));
  leat_status st = online_make(rt, &like, &m, err);
  if (st) return st;
  get_moment(r, &m->target);
  for (int64_t k = 0; k < m->n_models && !r->failed; k++) lt_online_get_one(m, k, r);
  for (int64_t j = 0; j < m->n_dense && !r->failed; j++) get_moment(r, &m->moment[j]);
  if (!r->failed) lt_online_get_slots(m, 1, r);
  st = lt_get_status(r, "the online model", err);
  if (st) lt_online_free(m);
  else *out = m;
  return st;
}

/* ---------------------------------------------------------------------------------------------- plan */

typedef struct online_plan {
  const lt_online *m;
  const lt_encoder *e;
  double *x;               /* [numbers] */
  int32_t *index;          /* [text_room] words of a text, entries to be sorted */
  float *value;
  uint64_t index_cap, value_cap;
  lt_online_dot *dot;      /* [n_models] */
  float *unit;             /* of the dots, [n_models, 2, n_hidden] */
  double *mixed;
  lt_online_feed feed;
  uint32_t slot[LT_ONLINE_BLOCK];
  float raw[LT_ONLINE_BLOCK], z[LT_ONLINE_BLOCK];
} online_plan;

static void online_plan_use(void *user) {
  online_plan *p = user;
  lt_online_see(&p->feed, &p->dot[0]);
  for (int64_t k = 1; k < p->m->n_models; k++) lt_online_dots(p->m, k, &p->feed, &p->dot[k]);
  p->feed.n = p->feed.n_done = 0;
}

static void online_plan_free(lt_plan *plan) {
  online_plan *p = (online_plan *)plan;
  if (!p) return;
  leat_runtime *rt = p->m->rt;
  lt_free(rt, p->x);
  lt_free(rt, p->index);
  lt_free(rt, p->value);
  lt_free(rt, p->dot);
  lt_free(rt, p->unit);
  lt_free(rt, p->mixed);
  lt_free(rt, p);
}

static leat_status online_plan_create(const void *params, const lt_encoder *e, lt_plan **out, leat_error *err) {
  const lt_online *m = params;
  *out = NULL;
  if (!lt_online_fits(m, e))
    return lt_fail(err, LEAT_E_FORMAT, "the online model's state is not of its columns: the file is damaged");
  online_plan *p = lt_zalloc(m->rt, sizeof *p);
  if (!p) return lt_fail_memory(err, sizeof *p, "a plan of predictions");
  p->m = m;
  p->e = e;
  p->x = lt_zarray(m->rt, (uint64_t)(m->n_dense + e->n_parts), sizeof *p->x);
  p->dot = lt_zarray(m->rt, (uint64_t)m->n_models, sizeof *p->dot);
  p->mixed = lt_zarray(m->rt, (uint64_t)m->n_models, sizeof *p->mixed);
  p->unit = lt_zarray(m->rt, (uint64_t)(2 * m->n_models * m->n_hidden), sizeof *p->unit);
  p->feed = (lt_online_feed){m, 0, 0, LT_ONLINE_BLOCK, p->slot, p->raw, p->z, 0, online_plan_use, p};
  if (!p->x || !p->dot || !p->mixed || !p->unit) {
    online_plan_free((lt_plan *)p);
    return lt_fail_memory(err, (uint64_t)(m->n_dense + m->n_models) * sizeof *p->x, "a plan of predictions");
  }
  for (int64_t k = 0; m->n_hidden && k < m->n_models; k++) p->dot[k].unit = p->unit + 2 * k * m->n_hidden;
  *out = (lt_plan *)p;
  return LEAT_OK;
}

static leat_status online_plan_fork(const lt_plan *plan, lt_plan **out, leat_error *err) {
  const online_plan *p = (const online_plan *)plan;
  return online_plan_create(p->m, p->e, out, err);
}

static leat_status online_plan_entries(online_plan *p, uint64_t n, leat_error *err) {
  void *index = p->index, *value = p->value;
  leat_status st = lt_grow(p->m->rt, &index, &p->index_cap, n, sizeof *p->index, err);
  p->index = index;
  if (!st) st = lt_grow(p->m->rt, &value, &p->value_cap, n, sizeof *p->value, err);
  p->value = value;
  return st;
}

static leat_status online_plan_reserve(lt_plan *plan, uint64_t text_bytes, leat_error *err) {
  const lt_encoder *e = ((online_plan *)plan)->e;
  int pairs = 0;
  for (int64_t k = 0; k < e->n_parts; k++) pairs |= e->part[k].type == LT_PART_TEXT && e->part[k].hashed == LT_PART_PAIRS;
  return online_plan_entries((online_plan *)plan, lt_text_room(text_bytes, pairs), err);
}

static void online_plan_end(online_plan *p, double *out) {
  double expert[LT_LEARNERS];
  online_plan_use(p);
  for (int64_t k = 0; k < p->m->n_models; k++) p->mixed[k] = lt_online_mix(p->m, k, &p->dot[k], expert);
  lt_online_link(p->m, p->mixed, out);
  for (int64_t k = 0; k < p->m->n_models; k++) lt_online_dot_clear(p->m, &p->dot[k]);
}

static leat_status online_plan_rows(lt_plan *plan, const lt_encode *bind, const lt_rows *rows, int64_t from, int64_t n,
                                    double *out, leat_error *err) {
  online_plan *p = (online_plan *)plan;
  for (int64_t r = from; r < from + n; r++, out += p->m->n_models) {
    for (int64_t k = 0; k < p->e->n_parts; k++) {
      if (p->e->part[k].type != LT_PART_TEXT) continue;
      uint64_t bytes = 0;
      lt_encode_text(bind, k, rows, r, &bytes);
      leat_status st = online_plan_entries(p, lt_text_room(bytes, p->e->part[k].hashed == LT_PART_PAIRS), err);
      if (st) return st;
    }
    lt_online_row(&p->feed, bind, rows, r, p->x, p->index, p->value);
    online_plan_end(p, out);
  }
  return LEAT_OK;
}

static int online_numbers_only(const lt_encoder *e) {
  for (int64_t k = 0; k < e->n_parts; k++)
    if (e->part[k].type == LT_PART_TEXT || e->part[k].type == LT_PART_SPARSE) return 0;
  return 1;
}

static leat_status online_one_f64(lt_plan *plan, const double *x, double *out) {
  online_plan *p = (online_plan *)plan;
  if (!online_numbers_only(p->e)) return LEAT_E_UNSUPPORTED;
  lt_online_numbers(&p->feed, p->e, x);
  online_plan_end(p, out);
  return LEAT_OK;
}

static leat_status online_one_f32(lt_plan *plan, const float *x, double *out) {
  online_plan *p = (online_plan *)plan;
  if (!online_numbers_only(p->e)) return LEAT_E_UNSUPPORTED;
  for (int64_t j = 0; j < p->e->n_numbers; j++) p->x[j] = (double)x[j];
  return online_one_f64(plan, p->x, out);
}

static leat_status online_one_sparse(lt_plan *plan, const int32_t *index, const float *value, uint64_t nnz, double *out) {
  online_plan *p = (online_plan *)plan;
  int64_t n = (int64_t)nnz;
  if (p->e->n_parts != 1 || p->e->sparse_part != 0) return LEAT_E_UNSUPPORTED;
  for (uint64_t i = 1; i < nnz; i++) {
    if (index[i - 1] < index[i]) continue;
    if (online_plan_entries(p, nnz, NULL)) return LEAT_E_MEMORY;
    memcpy(p->index, index, nnz * sizeof *index);
    for (uint64_t j = 0; j < nnz; j++) p->value[j] = value ? value[j] : 1.0f;
    n = lt_sort_slots(p->index, p->value, n);
    index = p->index;
    value = p->value;
    break;
  }
  lt_online_numbers(&p->feed, p->e, NULL); /* begins with the bias: there are no numbers */
  lt_online_entries(&p->feed, index, value, n);
  online_plan_end(p, out);
  return LEAT_OK;
}

/* ---------------------------------------------------------------------------------------------- family */

static leat_status online_task(int64_t n_classes, const leat_params *settings, lt_task *task, leat_error *err) {
  task->n_classes = n_classes;
  task->n_out = n_classes > 2 ? n_classes : 1;
  if (!lt_online_learners(lt_param_str(settings, "learner"), n_classes == 0))
    return lt_fail(err, LEAT_E_ARG, "learner=%s does not learn numbers: use race, cheap, mlp, net, adagrad, ftrl, coin or gauss",
                   lt_param_str(settings, "learner"));
  if (lt_param_int(settings, "hidden") % 4)
    return lt_fail(err, LEAT_E_ARG, "hidden=%lld is not a multiple of 4", (long long)lt_param_int(settings, "hidden"));
  if (n_classes > lt_param_int(settings, "max_classes"))
    return lt_fail(err, LEAT_E_DATA, "the target has %lld classes, max_classes is %lld", (long long)n_classes,
                   (long long)lt_param_int(settings, "max_classes"));
  return LEAT_OK;
}

static leat_status online_create(leat_runtime *rt, const lt_task *task, int64_t n_slots, const leat_params *settings,
                                 void **params, leat_error *err) {
  (void)rt, (void)task, (void)n_slots, (void)settings;
  *params = NULL;
  return lt_fail(err, LEAT_E_UNSUPPORTED, "an online model is made by learning rows: leat_trainer_learn");
}

static leat_status online_copy(const void *params, void **out, leat_error *err) {
  lt_online *m = NULL;
  leat_status st = lt_online_copy(params, &m, err);
  *out = m;
  return st;
}

static void online_release(void *params) { lt_online_free(params); }
static void online_save(const void *params, lt_put *w) { lt_online_save(params, w); }

static void online_describe(const void *params, lt_task *task, int64_t *n_parameters) {
  const lt_online *m = params;
  task->n_classes = m->n_classes;
  task->n_out = m->n_models;
  *n_parameters = m->n_models * m->n_slots;
  if (m->n_hidden) *n_parameters += m->n_models * (m->n_slots * m->n_hidden + m->n_hidden + 1);
}

static leat_status online_load(leat_runtime *rt, int64_t n_slots, lt_get *r, void **params, lt_task *task,
                               leat_error *err) {
  lt_online *m = NULL;
  int64_t n_parameters;
  (void)n_slots; /* plan_create compares them */
  *params = NULL;
  leat_status st = lt_online_load(rt, r, &m, err);
  if (st) return st;
  online_describe(m, task, &n_parameters);
  *params = m;
  return LEAT_OK;
}

static leat_status online_array(const void *params, const char *name, const double **v, uint64_t *n, leat_error *err) {
  (void)params;
  *v = NULL;
  *n = 0;
  return lt_fail(err, LEAT_E_UNSUPPORTED, "an online model mixes learners and has no single '%.60s'", name);
}

/* Readers of version 1 know no network and no settings of the encoder. */
static int64_t online_format(const void *params, const leat_params *settings) {
  return ((const lt_online *)params)->n_hidden || lt_online_encodes(settings) ? 2 : 1;
}

const lt_family lt_family_online = {
    .name = "online",
    .spec = &lt_online_spec,
    .task = online_task,
    .create = online_create,
    .copy = online_copy,
    .release = online_release,
    .save = online_save,
    .load = online_load,
    .array = online_array,
    .describe = online_describe,
    .format = online_format,
    .plan_create = online_plan_create,
    .plan_fork = online_plan_fork,
    .plan_free = online_plan_free,
    .plan_reserve = online_plan_reserve,
    .plan_rows = online_plan_rows,
    .plan_one_f32 = online_one_f32,
    .plan_one_f64 = online_one_f64,
    .plan_one_sparse = online_one_sparse,
};
