/* Limited-memory BFGS: the two-loop recursion (Nocedal, Wright: Numerical Optimization, 2nd ed., algorithm 7.4) in the
 * metric of the Hessian's diagonal at zero, with the bracketing line search for the weak Wolfe conditions of Lewis and
 * Overton ("Nonsmooth optimization via quasi-Newton methods", 2013), which a step of 1 passes almost always. */
#include "train/solver.h"
#include <math.h>
#include <string.h>

static void trial(lt_solver *s) {
  for (int64_t i = 0; i < s->n; i++) s->point[i] = s->base[i] + s->step_len * s->dir[i];
}

int lt_lbfgs_begin(lt_solver *s) {
  int64_t n = s->n, m = s->memory;
  double *q = s->dir, *alpha = s->alpha;
  for (int64_t i = 0; i < n; i++) q[i] = -s->g[i];
  for (int64_t k = 0; k < s->count; k++) {
    int64_t at = (s->head - 1 - k + 2 * m) % m;
    const double *y = s->y + at * n;
    alpha[at] = s->rho[at] * lt_dot(s->s + at * n, q, n);
    for (int64_t i = 0; i < n; i++) q[i] -= alpha[at] * y[i];
  }
  double gamma = 1;
  if (s->count > 0) {
    int64_t at = (s->head - 1 + m) % m;
    const double *y = s->y + at * n;
    double yy = 0;
    for (int64_t i = 0; i < n; i++) yy += s->metric[i] > 0 ? y[i] * y[i] / s->metric[i] : 0;
    if (yy > 0) gamma = 1 / (s->rho[at] * yy);
  }
  for (int64_t i = 0; i < n; i++) q[i] = s->metric[i] > 0 ? q[i] * gamma / s->metric[i] : 0;
  for (int64_t k = s->count - 1; k >= 0; k--) {
    int64_t at = (s->head - 1 - k + 2 * m) % m;
    const double *sk = s->s + at * n;
    double beta = s->rho[at] * lt_dot(s->y + at * n, q, n);
    for (int64_t i = 0; i < n; i++) q[i] += sk[i] * (alpha[at] - beta);
  }
  s->slope = lt_dot(q, s->g, n);
  if (!(s->slope < 0) || !isfinite(s->slope)) {
    s->count = s->head = 0; /* rounding has spoilt the history */
    for (int64_t i = 0; i < n; i++) q[i] = s->metric[i] > 0 ? -s->g[i] / s->metric[i] : 0;
    s->slope = lt_dot(q, s->g, n);
    if (!(s->slope < 0) || !isfinite(s->slope)) return LT_STUCK;
  }
  s->step_len = 1;
  s->low = 0;
  s->high = INFINITY;
  s->tries = 0;
  trial(s);
  s->next_point = s->point;
  s->next_want = LT_WANT_LOSS | LT_WANT_GRAD;
  return LT_MORE;
}

int lt_lbfgs_after(lt_solver *s) {
  double f = s->o->f, gain = s->step_len * s->slope, noise = lt_solver_noise(s) * fabs(s->f);
  double slope = lt_dot(s->dir, s->o->g, s->n);
  int finite = isfinite(f) && isfinite(slope);
  /* near the end the value is lost in rounding: then the slope decides (Hager and Zhang's approximate condition) */
  int falls = finite && (f <= s->f + 1e-4 * gain || (f <= s->f + noise && slope <= -0.8 * s->slope));
  if (falls && slope >= 0.9 * s->slope) return LT_ACCEPT;
  if (++s->tries > 30) {
    if (finite && f < s->f) return LT_ACCEPT; /* lower, if not as low as it might be */
    if (s->count == 0) return LT_STUCK;
    s->count = s->head = 0;
    return lt_lbfgs_begin(s);
  }
  if (!falls) {
    s->high = s->step_len;
    double t = finite ? -0.5 * gain * s->step_len / (f - s->f - gain) : 0; /* the parabola through f, slope, f(step) */
    double from = s->low, width = s->high - s->low;
    s->step_len = s->low == 0 && t > 0.1 * s->high && t < 0.9 * s->high ? t : from + (finite ? 0.5 : 0.1) * width;
  } else {
    s->low = s->step_len;
    s->step_len = s->high < INFINITY ? 0.5 * (s->low + s->high) : 2 * s->low;
  }
  trial(s);
  return LT_MORE;
}

void lt_lbfgs_commit(lt_solver *s) {
  int64_t n = s->n, at = s->head;
  double *sk = s->s + at * n, *yk = s->y + at * n;
  for (int64_t i = 0; i < n; i++) {
    sk[i] = s->point[i] - s->base[i];
    yk[i] = s->o->g[i] - s->g[i];
  }
  double sy = lt_dot(sk, yk, n);
  if (!(sy > 1e-12 * lt_norm(sk, n) * lt_norm(yk, n))) return; /* no curvature to learn from */
  s->rho[at] = 1 / sy;
  s->head = (at + 1) % s->memory;
  if (s->count < s->memory) s->count++;
}
