/* Newton's method with a full Hessian (for logistic loss: iteratively reweighted least squares) and step halving. For
 * squared loss the first step is the ridge solution, and what follows refines it with the exact gradient. */
#include "train/solver.h"
#include <math.h>
#include <string.h>

int lt_cholesky(const lt_vec *vec, double *a, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j <= i; j++) {
      double v = a[i * n + j] - vec->dot_f64(a + i * n, a + j * n, NULL, j);
      if (j < i) {
        a[i * n + j] = v / a[j * n + j];
        continue;
      }
      if (!(v > 0) || !isfinite(v)) return 0;
      a[i * n + i] = sqrt(v);
    }
  }
  return 1;
}

void lt_cholesky_solve(const lt_vec *vec, const double *a, int64_t n, double *b) {
  for (int64_t i = 0; i < n; i++) b[i] = (b[i] - vec->dot_f64(a + i * n, b, NULL, i)) / a[i * n + i];
  for (int64_t i = n - 1; i >= 0; i--) {
    b[i] /= a[i * n + i];
    vec->axpy_f64(-b[i], a + i * n, b, i);
  }
}

/* Factors the Hessian, scaled to a unit diagonal so that the shift means the same for every column. Flat directions (a
 * penalty of 0, the class that softmax has one too many of) get the least shift that makes it positive definite. */
static int factor(lt_solver *s, double *jitter) {
  int64_t n = s->n;
  const double *h = s->o->h;
  double *l = s->factor, *scale = s->z;
  for (int64_t i = 0; i < n; i++) {
    double d = h[i * n + i];
    if (!isfinite(d)) return 0;
    scale[i] = d > 0 ? 1 / sqrt(d) : 0; /* a column of zeros: its weight stays */
  }
  for (double shift = *jitter; shift < 10; shift = shift > 0 ? shift * 100 : 1e-12) {
    for (int64_t i = 0; i < n; i++) {
      for (int64_t j = 0; j < i; j++) l[i * n + j] = h[i * n + j] * scale[i] * scale[j];
      l[i * n + i] = 1 + shift;
    }
    if (lt_cholesky(s->o->vec, l, n)) {
      *jitter = shift;
      return 1;
    }
  }
  return 0;
}

int lt_newton_begin(lt_solver *s) {
  int64_t n = s->n;
  const double *scale = s->z;
  int ok = 1;
  double jitter = s->o->n_out > 1 ? 1e-11 : 0;
  for (int tries = 0; ok; tries++) {
    ok = tries < 6 && factor(s, &jitter);
    if (!ok) break;
    for (int64_t i = 0; i < n; i++) s->dir[i] = -s->g[i] * scale[i];
    lt_cholesky_solve(s->o->vec, s->factor, n, s->dir);
    for (int64_t i = 0; i < n; i++) s->dir[i] *= scale[i];
    s->slope = lt_dot(s->dir, s->g, n);
    if (s->slope < 0 && isfinite(s->slope)) break;
    jitter = jitter > 0 ? jitter * 100 : 1e-12;
  }
  if (!ok) { /* steepest descent is always there */
    for (int64_t i = 0; i < n; i++) s->dir[i] = -s->g[i] / fmax(s->o->h[i * n + i], 1e-300);
    s->slope = lt_dot(s->dir, s->g, n);
    if (!(s->slope < 0) || !isfinite(s->slope)) return LT_STUCK;
  }
  s->step_len = 1;
  s->tries = 0;
  for (int64_t i = 0; i < n; i++) s->point[i] = s->base[i] + s->dir[i];
  s->next_point = s->point;
  s->next_want = LT_WANT_LOSS | LT_WANT_GRAD | LT_WANT_HESS;
  /* Newton converges quadratically: where the next point is the last one, its Hessian is not needed. (When it turns out
   * to be, the pass is made again.) */
  double rel = lt_norm(s->g, n) / s->g0;
  if (s->o->squared || 10 * rel * rel <= s->tolerance) s->next_want &= ~(uint32_t)LT_WANT_HESS;
  return LT_MORE;
}

int lt_newton_after(lt_solver *s) {
  double f = s->o->f, noise = lt_solver_noise(s) * fabs(s->f), gain = s->step_len * s->slope;
  if (isfinite(f) && f <= s->f + 1e-4 * gain && f < s->f) return LT_ACCEPT;
  if (-gain <= noise) { /* too near to tell by the value: the gradient tells */
    double g = lt_norm(s->o->g, s->n);
    return isfinite(g) && g < lt_norm(s->g, s->n) ? LT_ACCEPT : LT_STUCK;
  }
  if (++s->tries > 40) return LT_STUCK;
  s->step_len *= isfinite(f) ? 0.5 : 0.1;
  for (int64_t i = 0; i < s->n; i++) s->point[i] = s->base[i] + s->step_len * s->dir[i];
  s->next_want |= LT_WANT_HESS;
  return LT_MORE;
}
