/* Coordinate descent on Newton's quadratic model of the loss, for L1 penalties: Yuan, Ho, Lin: "An improved GLMNET for
 * L1-regularized logistic regression", JMLR 13 (2012); Friedman, Hastie, Tibshirani: "Regularization paths for generalized
 * linear models via coordinate descent", J. Stat. Software 33 (2010), for the form with the whole Hessian. The direction is
 * the model's least point, found column by column in their order (nothing random), then a backtracking line search. Softmax: on
 * the whole Hessian of all classes, or class by class on a bound of it. */
#include "train/solver.h"
#include <math.h>
#include <string.h>

enum { SWEEPS_HESSIAN = 2000, SWEEPS_ROWS = 200 };

double lt_cd_penalty(const lt_solver *s, const double *point) {
  double v = 0;
  for (int64_t j = 0; s->l1 && j < s->n; j++) v += s->l1[j] * fabs(point[j]);
  return v;
}

double lt_cd_gradient(const lt_solver *s, const double *point, const double *g) {
  double sum = 0;
  for (int64_t j = 0; j < s->n; j++) {
    double l1 = s->l1[j], v = g[j];
    if (point[j] > 0) v += l1;
    else if (point[j] < 0) v -= l1;
    else v = fmax(fabs(v) - l1, 0);
    sum += v * v;
  }
  return sqrt(sum);
}

void lt_columns_free(lt_columns *c) {
  if (!c) return;
  leat_runtime *rt = c->rt;
  lt_free(rt, c->dense);
  lt_free(rt, c->start);
  lt_free(rt, c->row);
  lt_free(rt, c->value);
  lt_free(rt, c->moved);
  lt_free(rt, c);
}

/* Counting sort of the compressed rows by column: each column's rows ascend. */
static leat_status sparse_columns(const lt_design *d, lt_columns *c, leat_error *err) {
  int64_t n = d->n_slots - d->n_dense;
  c->start = lt_zarray(d->rt, (uint64_t)n + 2, sizeof *c->start);
  c->row = lt_array(d->rt, (uint64_t)d->nnz, sizeof *c->row);
  c->value = d->value ? lt_array(d->rt, (uint64_t)d->nnz, sizeof *c->value) : NULL;
  if (!c->start || !c->row || (d->value && !c->value))
    return lt_fail_memory(err, (uint64_t)d->nnz * 8, "the columns of sparse rows");
  int64_t *at = c->start + 1; /* at[j]: where column j goes on; at the end where j + 1 starts */
  for (int64_t k = 0; k < d->nnz; k++) at[d->index[k] + 1]++;
  for (int64_t j = 1; j <= n; j++) at[j] += at[j - 1];
  for (int64_t r = 0; r < d->n; r++) {
    for (int64_t k = d->row_start[r]; k < d->row_start[r + 1]; k++) {
      int64_t to = at[d->index[k]]++;
      c->row[to] = (int32_t)r;
      if (c->value) c->value[to] = d->value[k];
    }
  }
  return LEAT_OK;
}

leat_status lt_columns_create(const lt_design *d, int64_t n_out, lt_columns **out, leat_error *err) {
  *out = NULL;
  if (d->n > INT32_MAX)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "solver cd takes up to %lld sparse rows, here are %lld", (long long)INT32_MAX,
                   (long long)d->n);
  lt_columns *c = lt_zalloc(d->rt, sizeof *c);
  if (!c) return lt_fail_memory(err, sizeof *c, "a solver's columns");
  c->rt = d->rt;
  c->dense = lt_array(d->rt, (uint64_t)(d->n * d->n_dense), sizeof *c->dense);
  c->moved = lt_array(d->rt, (uint64_t)(d->n * n_out), sizeof *c->moved);
  leat_status st = LEAT_OK;
  if (!c->dense || !c->moved) st = lt_fail_memory(err, (uint64_t)(d->n * d->n_dense) * 4, "a solver's columns");
  for (int64_t r = 0; !st && r < d->n; r++) {
    for (int64_t j = 0; j < d->n_dense; j++) c->dense[j * d->n + r] = d->x[r * d->ld + j];
  }
  if (!st && d->row_start) st = sparse_columns(d, c, err);
  if (st) lt_columns_free(c);
  else *out = c;
  return st;
}

/* The step from u that makes g step + h step^2 / 2 + l1 |u + step| least. */
static double best_step(double u, double g, double h, double l1) {
  double a = h * u - g;
  return (a > l1 ? (a - l1) / h : a < -l1 ? (a + l1) / h : 0) - u;
}

/* One way through the columns (active: those that are not 0 now). Returns the square of how far the model's gradient was
 * from where it should be. */
static double sweep_hessian(lt_solver *s, int active) {
  const double *hess = s->o->h;
  double far = 0;
  for (int64_t j = 0; j < s->n; j++) {
    double u = s->base[j] + s->dir[j], h = hess[j * s->n + j];
    if (!(h > 0) || (active && u == 0 && s->l1[j] > 0)) continue;
    double step = best_step(u, s->g[j] + s->hv_dir[j], h, s->l1[j]);
    if (step == 0 || !isfinite(step)) continue;
    s->dir[j] = u + step == 0 ? -s->base[j] : s->dir[j] + step;
    s->o->vec->axpy_f64(step, hess + j * s->n, s->hv_dir, s->n);
    far += step * h * (step * h);
  }
  return far;
}

/* Columns of output k: its own curvature and its own X direction. */
typedef struct block { const float *curve; double *moved; int64_t k; } block;

static double column_slope(const lt_solver *s, const block *b, int64_t j) {
  const lt_columns *c = s->columns;
  const lt_design *d = s->o->d;
  const float *curve = b->curve;
  const double *moved = b->moved;
  double sum = 0;
  if (j >= d->n_slots) {
    for (int64_t i = 0; i < d->n; i++) sum += (double)curve[i] * moved[i];
  } else if (j < d->n_dense) {
    const float *x = c->dense + j * d->n;
    for (int64_t i = 0; i < d->n; i++) sum += (double)curve[i] * moved[i] * (double)x[i];
  } else {
    for (int64_t k = c->start[j - d->n_dense]; k < c->start[j - d->n_dense + 1]; k++) {
      double v = (double)curve[c->row[k]] * moved[c->row[k]];
      sum += c->value ? v * (double)c->value[k] : v;
    }
  }
  return sum;
}

static void column_move(const lt_solver *s, const block *b, int64_t j, double step) {
  const lt_columns *c = s->columns;
  const lt_design *d = s->o->d;
  double *moved = b->moved;
  if (j >= d->n_slots) {
    for (int64_t i = 0; i < d->n; i++) moved[i] += step;
  } else if (j < d->n_dense) {
    const float *x = c->dense + j * d->n;
    for (int64_t i = 0; i < d->n; i++) moved[i] += step * (double)x[i];
  } else {
    for (int64_t k = c->start[j - d->n_dense]; k < c->start[j - d->n_dense + 1]; k++)
      moved[c->row[k]] += c->value ? step * (double)c->value[k] : step;
  }
}

/* More than one output: twice the curvature of each alone bounds that of all together, for
 * sum p v^2 - (sum p v)^2 = sum over pairs of p_k p_m (v_k - v_m)^2 / 2 <= 2 sum p_k (1 - p_k) v_k^2. */
static double sweep_rows(lt_solver *s, const block *b, int active) {
  int64_t n_par = s->o->n_par, first = b->k * n_par;
  double far = 0, bound = s->o->n_out > 1 ? 2 : 1;
  for (int64_t j = 0; j < n_par; j++) {
    int64_t at = first + j;
    double u = s->base[at] + s->dir[at], pen = s->o->pen[j], h = bound * (s->diag[at] - pen) + pen;
    if (!(h > 0) || (active && u == 0 && s->l1[at] > 0)) continue;
    double g = s->g[at] + pen * s->dir[at] + bound * column_slope(s, b, j);
    double step = best_step(u, g, h, s->l1[at]);
    if (step == 0 || !isfinite(step)) continue;
    s->dir[at] = u + step == 0 ? -s->base[at] : s->dir[at] + step;
    column_move(s, b, j, step);
    far += step * h * (step * h);
  }
  return far;
}

/* Sweeps over all columns, and between them over those that are not 0 for as long as that moves them. b NULL: all the
 * outputs together, on the Hessian. */
static void sweeps(lt_solver *s, const block *b, double goal) {
  int most = b ? SWEEPS_ROWS : SWEEPS_HESSIAN;
  for (int used = 0; used < most;) {
    double far = b ? sweep_rows(s, b, 0) : sweep_hessian(s, 0);
    used++;
    if (!(sqrt(far) > goal)) break;
    while (used < most) {
      far = b ? sweep_rows(s, b, 1) : sweep_hessian(s, 1);
      used++;
      if (!(sqrt(far) > 0.5 * goal)) break;
    }
  }
}

typedef struct rows_args { lt_solver *s; double goal; } rows_args;

static void rows_task(void *arg, int64_t k) {
  const rows_args *a = arg;
  lt_solver *s = a->s;
  int64_t n = s->o->d->n, n_par = s->o->n_par;
  block b = {s->o->curve + k * n, s->columns->moved + k * n, k};
  memset(s->dir + k * n_par, 0, (size_t)n_par * sizeof *s->dir);
  memset(b.moved, 0, (size_t)n * sizeof *b.moved);
  sweeps(s, &b, a->goal);
}

/* The direction. Outputs are apart in the model that is swept by columns, so threads may take one each. */
static void inner(lt_solver *s, double goal) {
  if (s->kind == LT_SOLVER_CD_ROWS) {
    rows_args a = {s, goal / sqrt((double)s->o->n_out)};
    if (lt_parallel_for(s->rt, s->o->n_out, rows_task, &a)) {
      for (int64_t k = 0; k < s->o->n_out; k++) rows_task(&a, k);
    }
    return;
  }
  memset(s->dir, 0, (size_t)s->n * sizeof *s->dir);
  memset(s->hv_dir, 0, (size_t)s->n * sizeof *s->hv_dir);
  sweeps(s, NULL, goal);
}

static void trial(lt_solver *s) {
  for (int64_t j = 0; j < s->n; j++) s->point[j] = s->base[j] + s->step_len * s->dir[j];
}

int lt_cd_begin(lt_solver *s) {
  double now = lt_solver_gradient(s), rel = s->g0 > 0 ? fmin(now / s->g0, 1) : 1;
  inner(s, now * (s->kind == LT_SOLVER_CD ? 1e-3 : 1) * fmin(0.05, rel));
  s->step_len = 1;
  s->tries = 0;
  trial(s);
  s->slope = lt_dot(s->g, s->dir, s->n) + lt_cd_penalty(s, s->point) - lt_cd_penalty(s, s->base);
  if (!(s->slope < 0) || !isfinite(s->slope)) return LT_STUCK;
  s->next_point = s->point;
  s->next_want = lt_solver_base_want(s);
  return LT_MORE;
}

int lt_cd_after(lt_solver *s) {
  double f = s->o->f + lt_cd_penalty(s, s->point), noise = lt_solver_noise(s) * fabs(s->f), gain = s->step_len * s->slope;
  if (isfinite(f) && f <= s->f + 1e-4 * gain && f < s->f) return LT_ACCEPT;
  if (-gain <= noise) { /* as for Newton: the gradient tells */
    double g = lt_cd_gradient(s, s->point, s->o->g);
    return isfinite(g) && g < lt_solver_gradient(s) ? LT_ACCEPT : LT_STUCK;
  }
  if (++s->tries > 40) return LT_STUCK;
  s->step_len *= isfinite(f) ? 0.5 : 0.1;
  trial(s);
  return LT_MORE;
}
