#include "train/solver.h"
#include <math.h>
#include <string.h>

double lt_dot(const double *a, const double *b, int64_t n) {
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (; i < n; i++) s0 += a[i] * b[i];
  return (s0 + s1) + (s2 + s3);
}

double lt_norm(const double *v, int64_t n) { return sqrt(lt_dot(v, v, n)); }

uint32_t lt_solver_wants(int32_t kind) {
  uint32_t want = LT_WANT_LOSS | LT_WANT_GRAD;
  if (kind == LT_SOLVER_NEWTON) return want | LT_WANT_HESS;
  if (kind == LT_SOLVER_CD) return want | LT_WANT_HESS;
  if (kind == LT_SOLVER_CD_ROWS) return want | LT_WANT_DIAG | LT_WANT_CURVE;
  if (kind == LT_SOLVER_LBFGS) return want | LT_WANT_DIAG;
  if (kind == LT_SOLVER_DUAL) return LT_WANT_LOSS | LT_WANT_CURVE | LT_WANT_HV;
  return want | LT_WANT_DIAG | LT_WANT_CURVE | LT_WANT_HV;
}

uint32_t lt_solver_base_want(const lt_solver *s) {
  uint32_t want = LT_WANT_LOSS | LT_WANT_GRAD;
  if (s->kind == LT_SOLVER_DUAL) return LT_WANT_LOSS;
  if (s->kind == LT_SOLVER_NEWTON || s->kind == LT_SOLVER_CD) return want | LT_WANT_HESS;
  if (s->kind == LT_SOLVER_TRON || s->kind == LT_SOLVER_CD_ROWS) return want | LT_WANT_DIAG | LT_WANT_CURVE;
  return s->g0 < 0 ? want | LT_WANT_DIAG : want;
}

double lt_solver_noise(const lt_solver *s) { return s->o->wide ? 1e-13 : 3e-8; }

void lt_solver_free(lt_solver *s) {
  if (!s) return;
  leat_runtime *rt = s->rt;
  double *const own[] = {s->base, s->s, s->y, s->rho, s->metric, s->g, s->point, s->dir, s->diag, s->r, s->hd, s->z, s->step,
                         s->factor, s->alpha, s->hv_dir};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) lt_free(rt, own[i]);
  lt_columns_free(s->columns);
  lt_dual_free(s->dual);
  lt_free(rt, s);
}

static int solver_room(lt_solver *s, int32_t kind) {
  leat_runtime *rt = s->rt;
  uint64_t un = (uint64_t)s->n, um = (uint64_t)s->memory;
  if (kind == LT_SOLVER_LBFGS)
    return (s->s = lt_zarray(rt, un * um, 8)) && (s->y = lt_zarray(rt, un * um, 8)) && (s->rho = lt_zarray(rt, um, 8)) &&
           (s->metric = lt_zarray(rt, un, 8)) && (s->alpha = lt_zarray(rt, um, 8));
  if (kind == LT_SOLVER_NEWTON) return (s->factor = lt_array(rt, un * un, 8)) && (s->z = lt_zarray(rt, un, 8));
  if (kind == LT_SOLVER_TRON)
    return (s->diag = lt_zarray(rt, un, 8)) && (s->r = lt_zarray(rt, un, 8)) && (s->hd = lt_zarray(rt, un, 8)) &&
           (s->z = lt_zarray(rt, un, 8)) && (s->step = lt_zarray(rt, un, 8));
  if (kind == LT_SOLVER_CD) return (s->hv_dir = lt_zarray(rt, un, 8)) != NULL;
  if (kind == LT_SOLVER_DUAL) return 1;
  return (s->diag = lt_zarray(rt, un, 8)) != NULL; /* CD_ROWS */
}

leat_status lt_solver_create(leat_runtime *rt, int32_t kind, int64_t n, int64_t memory, double tolerance, lt_solver **out,
                             leat_error *err) {
  *out = NULL;
  lt_solver *s = lt_zalloc(rt, sizeof *s);
  if (!s) return lt_fail_memory(err, sizeof *s, "a solver");
  s->rt = rt;
  s->kind = kind;
  s->n = n;
  s->memory = memory;
  s->tolerance = tolerance;
  s->g0 = s->radius = s->radius_base = -1;
  if (kind == LT_SOLVER_DUAL) s->gap = INFINITY;
  uint64_t un = (uint64_t)n, um = (uint64_t)memory;
  int ok = (s->base = lt_zarray(rt, un, 8)) && (s->g = lt_zarray(rt, un, 8)) && (s->point = lt_zarray(rt, un, 8)) &&
           (s->dir = lt_zarray(rt, un, 8));
  if (!ok || !solver_room(s, kind)) {
    lt_solver_free(s);
    return lt_fail_memory(err, un * 8 * (4 + 2 * um), "a solver's vectors");
  }
  *out = s;
  return LEAT_OK;
}

leat_status lt_solver_second(lt_solver *s, int32_t kind, leat_error *err) {
  s->second = kind;
  return solver_room(s, kind) ? LEAT_OK : lt_fail_memory(err, (uint64_t)s->n * 40, "a solver's vectors");
}

/* The gradient five steps ago is the present one without the changes that the pairs remember: nothing more needs to be kept
 * (nor to be in a checkpoint) to tell how fast it falls. */
int lt_solver_change(lt_solver *s) {
  enum { STEPS = 5 };
  static const double enough = 0.35;
  if (s->kind != LT_SOLVER_LBFGS || !s->second || s->count < STEPS) return 0;
  double before = 0;
  for (int64_t i = 0; i < s->n; i++) {
    double g = s->g[i];
    for (int64_t k = 1; k <= STEPS; k++) g -= s->y[(s->head - k + s->memory) % s->memory * s->n + i];
    before += g * g;
  }
  if (lt_norm(s->g, s->n) <= enough * sqrt(before)) return 0;
  lt_solver_forget(s);
  s->kind = s->second;
  return 1;
}

void lt_solver_at_base(lt_solver *s) {
  s->f = s->o->f + lt_cd_penalty(s, s->o->point);
  if (s->kind == LT_SOLVER_DUAL) {
    s->g0 = 1; /* what is asked of the solution is the gap */
    return;
  }
  s->gap = s->o->gap;
  memcpy(s->g, s->o->g, (size_t)s->n * sizeof *s->g);
  s->has_h = (s->o->want & LT_WANT_HESS) != 0;
  s->radius_base = s->radius;
  if (s->kind == LT_SOLVER_TRON || s->kind == LT_SOLVER_CD_ROWS) {
    memcpy(s->diag, s->o->diag, (size_t)s->n * sizeof *s->diag);
    lt_objective_keep_curve(s->o);
  }
  if (s->kind == LT_SOLVER_LBFGS && s->o->want & LT_WANT_DIAG) {
    double top = 0;
    for (int64_t i = 0; i < s->n; i++) top = fmax(top, s->o->diag[i]);
    for (int64_t i = 0; i < s->n; i++) s->metric[i] = fmax(s->o->diag[i], 1e-6 * top);
  }
}

double lt_solver_gradient(const lt_solver *s) {
  if (s->kind == LT_SOLVER_DUAL) return s->gap / fmax(fabs(s->f), 1e-300);
  return s->l1 ? lt_cd_gradient(s, s->base, s->g) : lt_norm(s->g, s->n);
}

int lt_solver_converged(const lt_solver *s, double tolerance) { return lt_solver_gradient(s) <= tolerance * s->g0; }

/* What the curvature of the last smoothing taught says little of the next. */
void lt_solver_forget(lt_solver *s) {
  s->count = s->head = 0;
  s->radius = s->radius_base = -1;
}

/* ---- the dual */

static int dual_begin(lt_solver *s) {
  if (lt_dual_stuck(s->dual)) return LT_STUCK;
  lt_dual_begin(s->dual, s->base);
  s->ascending = 1;
  return LT_MORE;
}

leat_status lt_solver_ascend(lt_solver *s, int64_t *rows, leat_error *err) {
  int done = 0;
  leat_status st = lt_dual_wave(s->dual, rows, &done, err);
  if (st || !done) return st;
  s->ascending = 0;
  lt_dual_point(s->dual, s->point);
  s->hv = lt_dual_prepare(s->dual);
  s->next_point = s->point;
  s->next_want = LT_WANT_LOSS;
  if (!s->hv) {
    s->low = lt_dual_value(s->dual, NULL);
  } else {
    memset(s->dir, 0, (size_t)s->n * sizeof *s->dir);
    s->dir[s->n - 1] = 1;
    s->next_point = s->dir;
    s->next_want = LT_WANT_HV;
  }
  return LEAT_OK;
}

static int dual_after(lt_solver *s) {
  if (s->hv) {
    s->hv = 0;
    s->next_point = s->point;
    s->next_want = LT_WANT_LOSS;
    s->low = lt_dual_value(s->dual, s->o->g);
    return LT_MORE;
  }
  return LT_ACCEPT;
}

int lt_solver_begin(lt_solver *s) {
  if (s->kind == LT_SOLVER_DUAL) return dual_begin(s);
  if (s->kind == LT_SOLVER_NEWTON) return lt_newton_begin(s);
  if (s->kind == LT_SOLVER_CD || s->kind == LT_SOLVER_CD_ROWS) return lt_cd_begin(s);
  return s->kind == LT_SOLVER_LBFGS ? lt_lbfgs_begin(s) : lt_tron_begin(s);
}

int lt_solver_after(lt_solver *s) {
  if (s->kind == LT_SOLVER_DUAL) return dual_after(s);
  if (s->kind == LT_SOLVER_NEWTON) return lt_newton_after(s);
  if (s->kind == LT_SOLVER_CD || s->kind == LT_SOLVER_CD_ROWS) return lt_cd_after(s);
  return s->kind == LT_SOLVER_LBFGS ? lt_lbfgs_after(s) : lt_tron_after(s);
}

void lt_solver_commit(lt_solver *s) {
  if (s->kind == LT_SOLVER_LBFGS) lt_lbfgs_commit(s);
  if (s->kind == LT_SOLVER_DUAL) {
    lt_dual_commit(s->dual);
    s->gap = s->o->f - s->low;
  }
  memcpy(s->base, s->point, (size_t)s->n * sizeof *s->base);
  lt_solver_at_base(s);
}
