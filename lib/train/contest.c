/* Models of one shape side by side: rows are encoded once, each model standardises, predicts and learns them by itself.
 * A model's way is the one of lt_online_rows, so that it comes out with the same bits. */
#include "train/learn.h"
#include <math.h>
#include <string.h>

void lt_contest_init(lt_contest *c, leat_runtime *rt) {
  memset(c, 0, sizeof *c);
  c->rt = rt;
}

static void contestant_free(leat_runtime *rt, lt_contestant *t) {
  void *all[] = {t->p, t->plain, t->z, t->raw, t->dot, t->unit, t->mixed, t->expert};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) lt_free(rt, all[i]);
}

void lt_contest_free(lt_contest *c) {
  void *all[] = {c->start, c->dense, c->slot, c->raw, c->x, c->y, c->w, c->index, c->value, c->blank.moment};
  if (!c->rt) return;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) lt_free(c->rt, all[i]);
  for (int i = 0; i < LT_CONTESTANTS; i++) contestant_free(c->rt, &c->who[i]);
  memset(c, 0, sizeof *c);
}

/* Grows a typed array of the contest. */
#define CONTEST_GROW(st, rt, p, cap, need, err)                                 \
  do {                                                                          \
    void *grown = p;                                                            \
    if (!(st)) st = lt_grow(rt, &grown, &cap, (uint64_t)(need), sizeof *p, err); \
    p = grown;                                                                  \
  } while (0)

static leat_status contest_room(lt_contest *c, const lt_online_trainer *o, const lt_rows *v, int64_t from, int64_t n,
                                leat_error *err) {
  const lt_online *m = o->m;
  int64_t entries = 0, most = 0;
  leat_status st = LEAT_OK;
  for (int64_t r = from; r < from + n; r++) {
    int64_t room = lt_online_room(m, o->bind, v, r);
    entries += room;
    if (room > most) most = room;
  }
  if (c->start_cap < (uint64_t)n + 1) {
    int64_t *start = lt_array(c->rt, (uint64_t)n + 1, sizeof *start), *dense = lt_array(c->rt, (uint64_t)n + 1, sizeof *dense);
    if (!start || !dense) {
      lt_free(c->rt, start);
      lt_free(c->rt, dense);
      return lt_fail_memory(err, (uint64_t)n * 16, "rows of a block");
    }
    lt_free(c->rt, c->start);
    lt_free(c->rt, c->dense);
    c->start = start;
    c->dense = dense;
    c->start_cap = (uint64_t)n + 1;
  }
  CONTEST_GROW(st, c->rt, c->slot, c->slot_cap, entries, err);
  CONTEST_GROW(st, c->rt, c->raw, c->raw_cap, entries, err);
  CONTEST_GROW(st, c->rt, c->x, c->x_cap, n * m->n_dense + 1, err);
  CONTEST_GROW(st, c->rt, c->y, c->y_cap, n, err);
  CONTEST_GROW(st, c->rt, c->w, c->w_cap, n, err);
  CONTEST_GROW(st, c->rt, c->index, c->index_cap, most, err);
  CONTEST_GROW(st, c->rt, c->value, c->value_cap, most, err);
  if (!st && c->n_blank < m->n_dense + 1) {
    lt_free(c->rt, c->blank.moment);
    c->n_blank = 0;
    c->blank.moment = lt_zarray(c->rt, (uint64_t)m->n_dense + 1, sizeof *c->blank.moment);
    if (!c->blank.moment) return lt_fail_memory(err, (uint64_t)m->n_dense * sizeof *c->blank.moment, "rows of a block");
    c->n_blank = m->n_dense + 1;
  }
  return st;
}

leat_status lt_contest_encode(lt_contest *c, const lt_online_trainer *o, const lt_rows *v, int64_t from, int64_t n,
                              leat_error *err) {
  c->n = 0;
  leat_status st = contest_room(c, o, v, from, n, err);
  if (st) return st;
  lt_online_moment *none = c->blank.moment;
  c->blank = *o->m; /* a model without statistics: its z are not wanted */
  c->blank.moment = none;
  lt_online_feed f = {0};
  f.m = &c->blank;
  c->start[0] = 0;
  for (int64_t i = 0; i < n; i++) {
    f.slot = c->slot + c->start[i];
    f.raw = c->raw + c->start[i];
    f.cap = (int64_t)(c->slot_cap < c->raw_cap ? c->slot_cap : c->raw_cap) - c->start[i];
    lt_online_row(&f, o->bind, v, from + i, c->x + i * o->m->n_dense, c->index, c->value);
    c->start[i + 1] = c->start[i] + f.n;
    c->dense[i] = f.n_done;
  }
  c->n = n;
  return LEAT_OK;
}

leat_status lt_contest_ready(lt_contest *c, leat_error *err) {
  int64_t most = 0;
  leat_status st = LEAT_OK;
  for (int64_t i = 0; i < c->n; i++)
    if (c->start[i + 1] - c->start[i] > most) most = c->start[i + 1] - c->start[i];
  for (int64_t k = 0; k < c->n_who && !st; k++) {
    lt_contestant *t = &c->who[k];
    int64_t models = t->m->n_models;
    t->bad = t->rescaled = 0;
    CONTEST_GROW(st, c->rt, t->p, t->p_cap, c->n * models, err);
    if (t->wants) CONTEST_GROW(st, c->rt, t->plain, t->plain_cap, c->n * models, err);
    CONTEST_GROW(st, c->rt, t->z, t->z_cap, most, err);
    CONTEST_GROW(st, c->rt, t->raw, t->raw_cap, most, err);
    int64_t units = 2 * models * t->m->n_hidden;
    if (st || (t->cap_models >= models && t->cap_units >= units)) continue;
    lt_free(c->rt, t->dot);
    lt_free(c->rt, t->unit);
    lt_free(c->rt, t->mixed);
    lt_free(c->rt, t->expert);
    t->cap_models = t->cap_units = 0;
    t->unit = lt_zarray(c->rt, (uint64_t)units, sizeof *t->unit);
    t->dot = lt_array(c->rt, (uint64_t)models, sizeof *t->dot);
    t->mixed = lt_array(c->rt, (uint64_t)models, sizeof *t->mixed);
    t->expert = lt_array(c->rt, (uint64_t)models, sizeof *t->expert);
    if (!t->dot || !t->unit || !t->mixed || !t->expert) {
      st = lt_fail_memory(err, (uint64_t)models * (sizeof *t->dot + sizeof *t->expert), "a contestant");
    } else {
      t->cap_models = models;
      t->cap_units = units;
    }
  }
  return st;
}

/* The slots of a row that comes soon: at 2^18 slots a model waits for memory more than it computes. A macro: gcc takes the
 * call of a function that only prefetches for one without effect. */
#if defined(__GNUC__)
#define CONTEST_FETCH(c, m, row)                                                             \
  for (int64_t fetch = (c)->start[row] + (c)->dense[row]; fetch < (c)->start[row + 1]; fetch++) \
  __builtin_prefetch(lt_online_at(m, 0, (c)->slot[fetch]))
#else
#define CONTEST_FETCH(c, m, row) (void)(row)
#endif

static double contest_target(lt_online *m, double y) {
  lt_online_welford(&m->target, y);
  double dev = lt_online_deviation(&m->target);
  y = dev > 0 ? (y - m->target.mean) / dev : 0;
  return y > LT_ONLINE_CLIP ? LT_ONLINE_CLIP : y < -LT_ONLINE_CLIP ? -LT_ONLINE_CLIP : y;
}

/* Signed weights can hide from the mixture that all learners have gone wrong; their mean cannot. */
static void contest_plain(lt_contestant *t, int64_t row) {
  const lt_online *m = t->m;
  double *out = t->plain + row * m->n_models;
  for (int64_t k = 0; k < m->n_models; k++) {
    double sum = 0, n = 0;
    for (int i = 0; i < LT_LEARNERS; i++) {
      if (!(m->learners & LT_LEARNER(i))) continue;
      sum += t->expert[k][i];
      n += 1;
    }
    out[k] = sum / n;
  }
  lt_online_link(m, out, out);
}

/* 0, or NaN when a unit's sum or an output weight is not finite: the prediction would hide it. */
static double contest_units(const lt_online *m, int64_t model, const lt_online_dot *d) {
  double sum = 0;
  for (int64_t j = 0; j < m->n_hidden; j++) sum += (double)(d->unit[j] * 0) + m->head[model][j] * 0;
  return sum + m->head[model][m->n_hidden] * 0;
}

static void contest_task(void *arg, int64_t who) {
  lt_contest *c = arg;
  lt_contestant *t = &c->who[who];
  lt_online *m = t->m;
  lt_online_feed f = {0};
  double finite = 0;
  f.m = m;
  f.raw = t->raw;
  f.z = t->z;
  for (int64_t r = 0; r < c->n; r++) {
    const double *x = c->x + r * m->n_dense;
    f.slot = c->slot + c->start[r];
    f.n = f.cap = c->start[r + 1] - c->start[r];
    f.n_done = c->dense[r];
    if (r + 1 < c->n) CONTEST_FETCH(c, m, r + 1);
    lt_online_refill(&f, x, c->raw + c->start[r]);
    for (int64_t k = 0; k < m->n_models; k++) {
      lt_online_dot *d = &t->dot[k];
      d->unit = t->unit + 2 * k * m->n_hidden;
      lt_online_dot_clear(m, d);
      if (k == 0) lt_online_see(&f, d);
      else lt_online_dots(m, k, &f, d);
      t->mixed[k] = lt_online_mix(m, k, d, t->expert[k]);
      if (m->n_hidden) finite += contest_units(m, k, d);
      finite += (d->dot[0] + d->dot[1] + d->dot[2] + d->dot[3] + d->dot[4] + d->dot[5] + d->var + d->zz) * 0;
    }
    lt_online_link(m, t->mixed, t->p + r * m->n_models);
    if (t->wants) contest_plain(t, r);
    if (!(c->w[r] > 0)) continue;
    double y = m->regression ? contest_target(m, c->y[r]) : c->y[r];
    for (int64_t k = 0; k < m->n_models; k++) {
      double yk = m->regression ? y : m->n_models == 1 ? y == 1 : (int64_t)y == k;
      double scale = m->one[k].alma_scale;
      lt_online_step(m, k, &f, &t->dot[k], t->expert[k], t->mixed[k], yk, c->w[r], t->rates);
      if (m->one[k].alma_scale > scale) t->rescaled = 1;
    }
    lt_online_count(m, &f, x);
  }
  if (!(finite == 0)) t->bad = 1;
}

leat_status lt_contest_run(lt_contest *c, leat_error *err) {
  leat_status st = lt_parallel_for(c->rt, c->n_who, contest_task, c);
  return st ? lt_fail(err, st, "the host's executor has failed") : LEAT_OK;
}
