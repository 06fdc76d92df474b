#include "train/dual.h"
#include "base/rng.h"
#include <math.h>
#include <string.h>

enum { HINGE = 1, SQUARED_HINGE, SQUARED, HUBER, QUANTILE, LOGISTIC };
enum { LANES = 2, ROUND_WORK = 1 << 13, SERIAL_WORK = 1 << 21, WAVE_WORK = 1 << 21, STRIPE = 4096, TASKS = 32 };
static const double IN_ITERATION = 12; /* the most passes over all rows (or as many visits) of one iteration */

typedef struct lane {
  double *r, *copy, b;     /* r: its copy of the round, or the solution itself */
  int32_t *order;          /* [n] its rows; a complement marks one to be shrunk */
  int64_t n, active, from, to;
  double high, low, rise;  /* projected gradients of the epoch; gain of the separable part in the round */
} lane;

struct lt_dual {
  leat_runtime *rt;
  lt_objective *o;
  const lt_design *d;
  int32_t kind;
  double shape, spread;
  /* rows: dense[n, ld] times unit_dense, and compressed ones times unit_sparse from slot `first` on */
  const float *dense, *value;
  const int64_t *start;
  const int32_t *index;
  int64_t ld, n_dense, first;
  double unit_dense, unit_sparse;
  float *own_dense, *own_value; /* copies, or NULL */
  int64_t *own_start;
  int32_t *own_index;
  double *root;            /* [n_slots] 1 / sqrt(penalty) */
  double *r, *delta;       /* [n_slots] */
  double b, wide;          /* wide: 1 / rho of the intercept, 0 without one */
  double *beta, *next, *kept, *to; /* [n]; next: the round's; to: where it goes, next or beta */
  double *square;          /* [n] |x|^2 / penalty + wide */
  int64_t n_lanes, round, rounds, epoch, visited, iterations;
  int serial;              /* this epoch: one lane after the other, on the solution itself */
  double row_work;
  lane *lanes;
  double high, low, top, bottom; /* what shrinking compares with; the last epoch's */
  double limit, scaled;
  double kept_limit;       /* as at the last commit, with kept_iterations */
  int64_t kept_iterations;
  double *stripe;          /* [2 * stripes] */
};

int lt_dual_takes(const lt_loss *loss) {
  static const char *const names[] = {"hinge", "squared_hinge", "squared", "huber", "quantile", "logistic"};
  for (int32_t k = 0; k < 6; k++) {
    if (strcmp(names[k], loss->name) == 0) return k + 1;
  }
  return 0;
}

void lt_dual_free(lt_dual *s) {
  if (!s) return;
  leat_runtime *rt = s->rt;
  for (int64_t k = 0; s->lanes && k < s->n_lanes; k++) {
    lt_free(rt, s->lanes[k].copy);
    lt_free(rt, s->lanes[k].order);
  }
  void *const own[] = {s->own_dense, s->own_value, s->own_start, s->own_index, s->root, s->r, s->delta, s->beta, s->kept, s->next,
                       s->square,                       s->lanes, s->stripe};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) lt_free(rt, own[i]);
  lt_free(rt, s);
}

/* ---- rows as the sweeps want them */

/* The dense rows without their zeros. */
static leat_status compress(lt_dual *s, int64_t nnz, leat_error *err) {
  const lt_design *d = s->d;
  s->own_start = lt_zarray(s->rt, (uint64_t)d->n + 1, sizeof *s->own_start);
  s->own_index = lt_array(s->rt, (uint64_t)nnz, sizeof *s->own_index);
  s->own_value = lt_array(s->rt, (uint64_t)nnz, sizeof *s->own_value);
  if (!s->own_start || !s->own_index || !s->own_value) return lt_fail_memory(err, (uint64_t)nnz * 8, "a solver's rows");
  int64_t at = 0;
  for (int64_t i = 0; i < d->n; i++) {
    const float *x = d->x + i * d->ld;
    for (int64_t j = 0; j < d->n_dense; j++) {
      if (x[j] == 0) continue;
      s->own_index[at] = (int32_t)j;
      s->own_value[at++] = (float)((double)x[j] * s->root[j]);
    }
    s->own_start[i + 1] = at;
  }
  s->start = s->own_start;
  s->index = s->own_index;
  s->value = s->own_value;
  s->unit_sparse = 1;
  s->n_dense = s->first = 0;
  return LEAT_OK;
}

static leat_status dual_rows(lt_dual *s, leat_error *err) {
  const lt_design *d = s->d;
  int uneven = 0;
  int64_t nnz = 0;
  for (int64_t j = 0; j < d->n_slots; j++) s->root[j] = 1 / sqrt(s->o->pen[j]);
  s->start = d->row_start;
  s->index = d->index;
  s->value = d->value;
  s->first = d->n_dense;
  s->unit_sparse = d->n_dense < d->n_slots ? s->root[d->n_dense] : 1;
  s->n_dense = d->n_dense;
  s->dense = d->x;
  s->ld = d->ld;
  s->unit_dense = d->n_dense ? s->root[0] : 1;
  for (int64_t j = 1; j < d->n_dense; j++) uneven |= s->root[j] != s->root[0];
  if (!d->row_start) {
    for (int64_t i = 0; i < d->n; i++) {
      const float *x = d->x + i * d->ld;
      for (int64_t j = 0; j < d->n_dense; j++) nnz += x[j] != 0;
    }
    if (nnz <= d->n * d->n_dense / 4) return compress(s, nnz, err);
  }
  if (!uneven) return LEAT_OK;
  s->own_dense = lt_array(s->rt, (uint64_t)(d->n * d->n_dense), sizeof *s->own_dense);
  if (!s->own_dense) return lt_fail_memory(err, (uint64_t)(d->n * d->n_dense) * 4, "a solver's rows");
  for (int64_t i = 0; i < d->n; i++) {
    for (int64_t j = 0; j < d->n_dense; j++) s->own_dense[i * d->n_dense + j] = (float)((double)d->x[i * d->ld + j] * s->root[j]);
  }
  s->dense = s->own_dense;
  s->ld = d->n_dense;
  s->unit_dense = 1;
  return LEAT_OK;
}

static double weight_of(const lt_dual *s, int64_t i) { return s->d->weight ? s->d->weight[i] : 1; }

static void square_task(void *arg, int64_t task) {
  lt_dual *s = arg;
  for (int64_t i = task * s->d->n / TASKS; i < (task + 1) * s->d->n / TASKS; i++) {
    double dense = 0, sparse = 0;
    const float *x = s->dense + i * s->ld;
    for (int64_t j = 0; j < s->n_dense; j++) dense += (double)x[j] * (double)x[j];
    for (int64_t k = s->start ? s->start[i] : 0; s->start && k < s->start[i + 1]; k++)
      sparse += s->value ? (double)s->value[k] * (double)s->value[k] : 1;
    s->square[i] = dense * s->unit_dense * s->unit_dense + sparse * s->unit_sparse * s->unit_sparse;
  }
}

/* A round of a lane: long beside the copies that it needs. */
static double round_work(const lt_dual *s) { return fmax(ROUND_WORK, 4 * (double)s->d->n_slots); }

static int parallel_pays(const lt_dual *s, int64_t rows) { return (double)rows * s->row_work > fmax(SERIAL_WORK, 2 * LANES * round_work(s)); }

static leat_status make_lanes(lt_dual *s, leat_error *err) {
  const lt_design *d = s->d;
  int64_t work = s->start ? s->start[d->n] + d->n * s->n_dense : d->n * s->n_dense;
  s->row_work = (double)work / (double)d->n + 1;
  s->n_lanes = parallel_pays(s, d->n) ? LANES : 1;
  s->lanes = lt_zarray(s->rt, (uint64_t)s->n_lanes, sizeof *s->lanes);
  s->stripe = lt_zarray(s->rt, 2 * (uint64_t)(d->n_slots / STRIPE + 1), sizeof *s->stripe);
  s->delta = s->n_lanes > 1 ? lt_zarray(s->rt, (uint64_t)d->n_slots, sizeof *s->delta) : NULL;
  s->next = s->n_lanes > 1 ? lt_zarray(s->rt, (uint64_t)d->n, sizeof *s->next) : NULL;
  int ok = s->lanes && s->stripe && ((s->next && s->delta) || s->n_lanes == 1);
  for (int64_t k = 0; ok && k < s->n_lanes; k++) {
    lane *l = &s->lanes[k];
    l->copy = s->n_lanes > 1 ? lt_zarray(s->rt, (uint64_t)d->n_slots, sizeof *l->copy) : NULL;
    l->order = lt_array(s->rt, (uint64_t)(d->n / s->n_lanes + 1), sizeof *l->order);
    ok = (l->copy || s->n_lanes == 1) && l->order;
  }
  return ok ? LEAT_OK : lt_fail_memory(err, (uint64_t)(d->n + d->n_slots * s->n_lanes) * 8, "a solver's lanes");
}

leat_status lt_dual_create(lt_objective *o, double spread, lt_dual **out, leat_error *err) {
  *out = NULL;
  const lt_design *d = o->d;
  leat_runtime *rt = d->rt;
  if (d->n > INT32_MAX)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "solver dual takes up to %lld rows, here are %lld", (long long)INT32_MAX, (long long)d->n);
  lt_dual *s = lt_zalloc(rt, sizeof *s);
  if (!s) return lt_fail_memory(err, sizeof *s, "a solver");
  s->rt = rt;
  s->o = o;
  s->d = d;
  s->kind = lt_dual_takes(o->loss);
  s->shape = o->args.shape;
  s->kept_limit = s->spread = spread;
  s->root = lt_zarray(rt, (uint64_t)d->n_slots, sizeof *s->root);
  s->r = lt_zarray(rt, (uint64_t)d->n_slots, sizeof *s->r);
  s->beta = lt_zarray(rt, (uint64_t)d->n, sizeof *s->beta);
  s->kept = lt_zarray(rt, (uint64_t)d->n, sizeof *s->kept);
  s->square = lt_zarray(rt, (uint64_t)d->n, sizeof *s->square);
  leat_status st = LEAT_OK;
  if (!s->root || !s->r || !s->beta || !s->kept || !s->square)
    st = lt_fail_memory(err, (uint64_t)(3 * d->n + 2 * d->n_slots) * 8, "a solver's vectors");
  if (!st) st = dual_rows(s, err);
  if (!st) st = make_lanes(s, err);
  if (!st) {
    st = lt_parallel_for(rt, TASKS, square_task, s);
    if (st) lt_fail(err, st, "the threads failed while rows were measured");
  }
  double sum = 0, count = 0;
  for (int64_t i = 0; i < d->n && !st && o->intercept; i++) {
    sum += weight_of(s, i) > 0 ? s->square[i] : 0;
    count += weight_of(s, i) > 0;
  }
  if (o->intercept && !st) s->wide = sum > 0 ? sum / count : 1;
  for (int64_t i = 0; i < d->n && !st; i++) s->square[i] += s->wide;
  if (st) lt_dual_free(s);
  else *out = s;
  return st;
}

/* ---- sweeps */

/* h(beta) = t beta - c beta^2 / 2 on [lo, hi]: the negative conjugate of the row's weighted loss. */
typedef struct box { double t, c, lo, hi; } box;

static inline box box_of(const lt_dual *s, int64_t i) {
  double w = weight_of(s, i), y = s->d->y[i], q = s->shape;
  switch (s->kind) {
    case HINGE: return y > 0.5 ? (box){1, 0, 0, w} : (box){-1, 0, -w, 0};
    case SQUARED_HINGE: return y > 0.5 ? (box){1, 0.5 / w, 0, INFINITY} : (box){-1, 0.5 / w, -INFINITY, 0};
    case SQUARED: return (box){y, 1 / w, -INFINITY, INFINITY};
    case HUBER: return (box){y, 1 / w, -q * w, q * w};
    case QUANTILE: return (box){y, 0, (q - 1) * w, q * w};
    default: return y > 0.5 ? (box){0, 0, 0, w} : (box){0, 0, -w, 0};
  }
}

static double entropy(double a, double w) { /* of logistic: -(a log a + (w - a) log(w - a) - w log w) */
  return (a > 0 ? a * log(w / a) : 0) + (w - a > 0 ? (w - a) * log(w / (w - a)) : 0);
}

static double value_of(const lt_dual *s, const box *x, double beta) {
  return s->kind == LOGISTIC ? entropy(fabs(beta), x->hi - x->lo) : beta * (x->t - 0.5 * x->c * beta);
}

/* logistic: the a in (0, w) with sign z + q (a - a0) + log(a / (w - a)) = 0, by Newton's steps on the smaller of a and w - a. */
static double logistic_best(double a0, double w, double m, double q) {
  double g0 = m - q * a0, mid = g0 + 0.5 * q * w; /* the derivative at w / 2 */
  int flip = mid < 0;
  double k = flip ? -(g0 + q * w) : g0, a = flip ? w - a0 : a0; /* k + q a + log(a / (w - a)) = 0 with a <= w / 2 */
  if (!(a > 0) || a > 0.5 * w) a = fmax(fmin(0.5 * w, w * exp(-fabs(m))), 1e-290 * w);
  double lo = 0, hi = 0.5 * w;
  for (int n = 0; n < 60; n++) {
    double f = k + q * a + log(a / (w - a)), step = f / (q + w / (a * (w - a)));
    if (f > 0) hi = a;
    else lo = a;
    double to = a - step;
    if (!(to > lo)) to = lo > 0 ? 0.5 * (lo + a) : 0.1 * a;
    if (to > hi) to = 0.5 * (hi + a);
    if (fabs(to - a) <= 1e-13 * a) break;
    a = to;
  }
  return flip ? w - a : a;
}

static inline double margin_of(const lt_dual *s, const lane *l, int64_t i) {
  double z = l->b;
  if (s->n_dense) z += s->unit_dense * s->o->vec->dot_f32(s->dense + i * s->ld, l->r, NULL, s->n_dense);
  if (s->start) {
    int64_t at = s->start[i];
    z += s->unit_sparse * s->o->vec->dot_sparse_f64(s->index + at, s->value ? s->value + at : NULL, l->r + s->first, s->start[i + 1] - at);
  }
  return z;
}

static inline void move_row(const lt_dual *s, lane *l, int64_t i, double by) {
  if (s->n_dense) {
    const float *restrict x = s->dense + i * s->ld;
    double *restrict r = l->r, a = by * s->unit_dense;
    for (int64_t j = 0; j < s->n_dense; j++) r[j] += a * (double)x[j];
  }
  if (s->start) {
    int64_t at = s->start[i];
    s->o->vec->axpy_sparse(by * s->unit_sparse, s->index + at, s->value ? s->value + at : NULL, l->r + s->first, s->start[i + 1] - at);
  }
  l->b += s->wide * by;
}

/* One row. 0: it rests at a bound and is to be left out. */
static inline int visit(const lt_dual *s, lane *l, int64_t i) {
  box x = box_of(s, i);
  double z = margin_of(s, l, i), old = s->beta[i], to, pull;
  s->to[i] = old;
  if (s->kind == LOGISTIC) {
    double sign = x.hi > 0 ? 1 : -1, w = x.hi - x.lo, a = logistic_best(fabs(old), w, sign * z, s->square[i]);
    to = sign * a;
    pull = (a - fabs(old)) * s->square[i];
  } else {
    double g = z - x.t + x.c * old;
    pull = g;
    if (old <= x.lo) {
      if (g > s->high) return 0;
      pull = fmin(g, 0);
    } else if (old >= x.hi) {
      if (g < s->low) return 0;
      pull = fmax(g, 0);
    }
    to = fmin(fmax(old - g / (s->square[i] + x.c), x.lo), x.hi);
  }
  l->high = fmax(l->high, pull);
  l->low = fmin(l->low, pull);
  if (!(fabs(pull) > 1e-12 * s->spread) || to == old || isnan(to)) return 1;
  if (!s->serial) l->rise += value_of(s, &x, to) - value_of(s, &x, old);
  s->to[i] = to;
  move_row(s, l, i, to - old);
  return 1;
}

/* Rows come in a random order: what they need is asked for some rows ahead, and their numbers when it is known where they lie. */
static inline void fetch(const lt_dual *s, const lane *l, int64_t p) {
  enum { FAR = 12, NEAR = 4 };
  if (p + FAR < l->to) {
    int64_t i = l->order[p + FAR];
    if (s->start) __builtin_prefetch(s->start + i);
    __builtin_prefetch(s->beta + i);
    __builtin_prefetch(s->square + i);
    __builtin_prefetch(s->d->y + i);
    if (!s->serial) __builtin_prefetch(s->next + i, 1);
  }
  if (p + NEAR >= l->to) return;
  int64_t i = l->order[p + NEAR];
  for (int64_t at = 0; at < s->n_dense; at += 16) __builtin_prefetch(s->dense + i * s->ld + at);
  for (int64_t at = s->start ? s->start[i] : 0; s->start && at < s->start[i + 1]; at += 16) {
    __builtin_prefetch(s->index + at);
    if (s->value) __builtin_prefetch(s->value + at);
  }
}

static void lane_task(void *arg, int64_t k) {
  lt_dual *s = arg;
  lane *l = &s->lanes[k];
  if (s->round == 0) { /* an epoch begins: rows in another order */
    lt_rng g;
    lt_rng_init(&g, 0x6475616c, ((uint64_t)s->iterations << 40) + ((uint64_t)s->epoch << 8) + (uint64_t)k);
    for (int64_t p = 0; p < l->active; p++) {
      int64_t q = p + (int64_t)lt_rng_below(&g, (uint64_t)(l->active - p));
      int32_t row = l->order[p];
      l->order[p] = l->order[q];
      l->order[q] = row;
    }
    l->high = -INFINITY;
    l->low = INFINITY;
  }
  l->from = l->active * s->round / s->rounds;
  l->to = l->active * (s->round + 1) / s->rounds;
  l->rise = 0;
  l->b = s->b;
  l->r = s->serial ? s->r : l->copy;
  if (!s->serial) memcpy(l->r, s->r, (size_t)s->d->n_slots * sizeof *l->r);
  for (int64_t p = l->from; p < l->to; p++) {
    int32_t i = l->order[p];
    fetch(s, l, p);
    if (!visit(s, l, i)) l->order[p] = ~i;
  }
}

typedef struct merge { lt_dual *s; double step; } merge;

static void change_task(void *arg, int64_t t) {
  lt_dual *s = ((merge *)arg)->s;
  int64_t to = (t + 1) * STRIPE < s->d->n_slots ? (t + 1) * STRIPE : s->d->n_slots;
  double along = 0, square = 0;
  for (int64_t j = t * STRIPE; j < to; j++) {
    double sum = 0, r = s->r[j];
    for (int64_t k = 0; k < s->n_lanes; k++) sum += s->lanes[k].r[j] - r;
    s->delta[j] = sum;
    along += r * sum;
    square += sum * sum;
  }
  s->stripe[2 * t] = along;
  s->stripe[2 * t + 1] = square;
}

static void apply_task(void *arg, int64_t t) {
  const merge *m = arg;
  lt_dual *s = m->s;
  if (t < s->n_lanes) {
    const lane *l = &s->lanes[t];
    for (int64_t p = l->from; p < l->to; p++) {
      int64_t i = l->order[p] < 0 ? ~l->order[p] : l->order[p];
      s->beta[i] = m->step == 1 ? s->next[i] : s->beta[i] + m->step * (s->next[i] - s->beta[i]);
    }
    return;
  }
  t -= s->n_lanes;
  int64_t to = (t + 1) * STRIPE < s->d->n_slots ? (t + 1) * STRIPE : s->d->n_slots;
  for (int64_t j = t * STRIPE; j < to; j++) s->r[j] += m->step * s->delta[j];
}

static leat_status add_lanes(lt_dual *s) {
  merge m = {s, 1};
  int64_t stripes = (s->d->n_slots + STRIPE - 1) / STRIPE;
  leat_status st = lt_parallel_for(s->rt, stripes, change_task, &m);
  if (st) return st;
  double rise = 0, square = 0, b = 0;
  for (int64_t k = 0; k < s->n_lanes; k++) {
    rise += s->lanes[k].rise;
    b += s->lanes[k].b - s->b;
  }
  for (int64_t t = 0; t < stripes; t++) {
    rise -= s->stripe[2 * t];
    square += s->stripe[2 * t + 1];
  }
  if (s->wide > 0) {
    rise -= s->b * b / s->wide;
    square += b * b / s->wide;
  }
  if (rise < square) m.step = fmax(rise / square, 0);
  s->b += m.step * b;
  return lt_parallel_for(s->rt, stripes + s->n_lanes, apply_task, &m);
}

static void end_epoch(lt_dual *s) {
  s->top = -INFINITY;
  s->bottom = INFINITY;
  for (int64_t k = 0; k < s->n_lanes; k++) {
    lane *l = &s->lanes[k];
    s->visited += l->active;
    s->top = fmax(s->top, l->high);
    s->bottom = fmin(s->bottom, l->low);
    for (int64_t p = 0; p < l->active;) { /* those that rest go behind the others */
      int32_t row = l->order[p];
      if (row >= 0) {
        p++;
      } else {
        l->order[p] = l->order[--l->active];
        l->order[l->active] = ~row;
      }
    }
  }
  s->high = s->top > 0 ? s->top : INFINITY;
  s->low = s->bottom < 0 ? s->bottom : -INFINITY;
  s->round = 0;
  s->epoch++;
}

static double sum_beta(const lt_dual *s) {
  double sum = 0;
  for (int64_t i = 0; i < s->d->n; i++) sum += s->beta[i];
  return sum;
}

void lt_dual_begin(lt_dual *s, const double *base) {
  const lt_design *d = s->d;
  memcpy(s->beta, s->kept, (size_t)d->n * sizeof *s->beta);
  s->limit = s->kept_limit;
  s->iterations = s->kept_iterations;
  for (int64_t j = 0; j < d->n_slots; j++) s->r[j] = base[j] / s->root[j];
  s->b = s->wide > 0 ? base[d->n_slots] + s->wide * sum_beta(s) : 0;
  for (int64_t k = 0; k < s->n_lanes; k++) s->lanes[k].n = 0;
  for (int64_t i = 0; i < d->n; i++) {
    lane *l = &s->lanes[i % s->n_lanes];
    if (weight_of(s, i) > 0) l->order[l->n++] = (int32_t)i;
  }
  for (int64_t k = 0; k < s->n_lanes; k++) s->lanes[k].active = s->lanes[k].n;
  s->high = INFINITY;
  s->low = -INFINITY;
  s->round = s->epoch = s->visited = 0;
}

static void begin_epoch(lt_dual *s) {
  int64_t active = 0;
  for (int64_t k = 0; k < s->n_lanes; k++) active += s->lanes[k].active;
  double work = (double)active * s->row_work;
  s->serial = s->n_lanes == 1 || !parallel_pays(s, active);
  s->to = s->serial ? s->beta : s->next;
  s->rounds = (int64_t)(work / (s->serial ? WAVE_WORK : (double)s->n_lanes * round_work(s))) + 1;
}

/* A round, or some of them. */
leat_status lt_dual_wave(lt_dual *s, int64_t *rows, int *done, leat_error *err) {
  leat_status st = LEAT_OK;
  if (s->round == 0) begin_epoch(s);
  if (!s->serial) st = lt_parallel_for(s->rt, s->n_lanes, lane_task, s);
  for (int64_t k = 0; s->serial && k < s->n_lanes; k++) {
    lane_task(s, k);
    s->b = s->lanes[k].b;
  }
  *rows = 0;
  *done = 0;
  for (int64_t k = 0; k < s->n_lanes; k++) *rows += s->lanes[k].to - s->lanes[k].from;
  if (!s->serial && !st) st = add_lanes(s);
  if (st) return lt_fail(err, st, "the threads failed in a pass over the rows");
  if (++s->round < s->rounds) return LEAT_OK;
  end_epoch(s);
  int settled = !(s->top - s->bottom > s->limit);
  *done = settled || (double)s->visited + (double)s->epoch * 8 > IN_ITERATION * (double)s->d->n;
  if (settled) s->limit *= 0.3;
  return LEAT_OK;
}

void lt_dual_point(const lt_dual *s, double *point) {
  for (int64_t j = 0; j < s->d->n_slots; j++) point[j] = s->r[j] * s->root[j];
  if (s->wide > 0) point[s->d->n_slots] = s->b;
}

int lt_dual_prepare(lt_dual *s) {
  double up = 0, down = 0;
  for (int64_t i = 0; i < s->d->n; i++) {
    if (s->beta[i] > 0) up += s->beta[i];
    else down -= s->beta[i];
  }
  s->scaled = 1;
  if (!(s->wide > 0) || up == down) return 0;
  s->scaled = up > down ? down / up : -up / down; /* its sign tells the side */
  for (int64_t i = 0; i < s->d->n; i++) s->o->curve[i] = (float)fmax(up > down ? s->beta[i] : -s->beta[i], 0);
  return 1;
}

double lt_dual_value(lt_dual *s, const double *g) {
  double v = 0, square = 0, cut = 0, keep = fabs(s->scaled);
  int up = !signbit(s->scaled);
  for (int64_t i = 0; i < s->d->n; i++) {
    double beta = s->beta[i];
    if (beta == 0) continue;
    box x = box_of(s, i);
    v += value_of(s, &x, (beta > 0) == up ? keep * beta : beta);
  }
  for (int64_t j = 0; j < s->d->n_slots; j++) {
    cut = g ? (up ? 1 : -1) * (1 - keep) * g[j] * s->root[j] : 0;
    square += (s->r[j] - cut) * (s->r[j] - cut);
  }
  return v - 0.5 * square;
}

void lt_dual_commit(lt_dual *s) {
  memcpy(s->kept, s->beta, (size_t)s->d->n * sizeof *s->kept);
  s->kept_limit = s->limit;
  s->kept_iterations++;
}

int lt_dual_stuck(const lt_dual *s) { return s->kept_limit < 1e-13 * s->spread; }

double *lt_dual_beta(lt_dual *s) { return s->kept; }

void lt_dual_state(lt_dual *s, double **limit, int64_t **iterations) {
  *limit = &s->kept_limit;
  *iterations = &s->kept_iterations;
}

int64_t lt_dual_lanes(const lt_dual *s) { return s->n_lanes; }
