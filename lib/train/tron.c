/* Trust-region Newton with preconditioned conjugate gradients: Lin, Weng, Keerthi: "Trust region Newton method for
 * large-scale logistic regression", JMLR 9 (2008); the diagonal preconditioner, blended with the penalty, from Hsia,
 * Chiang, Lin: "Preconditioned conjugate gradient methods in truncated Newton frameworks", ACML 2018. The radius is
 * measured in the preconditioner's norm, in which the inner iterations' points only move outward (Steihaug 1983). */
#include "train/solver.h"
#include <math.h>
#include <string.h>

static double precondition(const lt_solver *s, int64_t i) {
  double m = 0.01 * s->diag[i] + 0.99 * s->o->pen[i];
  return m > 0 ? m : 1;
}

static double metric_dot(const lt_solver *s, const double *a, const double *b) {
  double v = 0;
  for (int64_t i = 0; i < s->n; i++) v += precondition(s, i) * a[i] * b[i];
  return v;
}

/* Starts conjugate gradients at step 0. */
static int cg_begin(lt_solver *s) {
  double rz = 0;
  for (int64_t i = 0; i < s->n; i++) {
    s->step[i] = 0;
    s->r[i] = -s->g[i];
    s->z[i] = s->r[i] / precondition(s, i);
    s->dir[i] = s->z[i];
    rz += s->r[i] * s->z[i];
  }
  if (!(rz > 0) || !isfinite(rz)) return LT_STUCK;
  if (s->radius < 0) s->radius = sqrt(rz);
  double rel = lt_norm(s->g, s->n) / s->g0;
  s->gz = rz;
  s->cg_goal = fmin(0.1, sqrt(rel)) * sqrt(rz);
  s->cg = 0;
  s->hv = 1;
  s->next_point = s->dir;
  s->next_want = LT_WANT_HV;
  return LT_MORE;
}

static int try_step(lt_solver *s) {
  for (int64_t i = 0; i < s->n; i++) s->point[i] = s->base[i] + s->step[i];
  s->hv = 0;
  s->next_point = s->point;
  s->next_want = LT_WANT_LOSS | LT_WANT_GRAD | LT_WANT_DIAG | LT_WANT_CURVE;
  return LT_MORE;
}

int lt_tron_begin(lt_solver *s) {
  s->tries = 0;
  return cg_begin(s);
}

/* The pass gave H dir: one iteration of conjugate gradients. */
static int cg_after(lt_solver *s) {
  const double *hd = s->o->g;
  double curve = lt_dot(s->dir, hd, s->n);
  double ss = metric_dot(s, s->step, s->step), sd = metric_dot(s, s->step, s->dir), dd = metric_dot(s, s->dir, s->dir);
  double alpha = curve > 0 ? s->gz / curve : INFINITY, room = s->radius * s->radius;
  int boundary = !isfinite(alpha) || ss + alpha * (2 * sd + alpha * dd) > room;
  if (boundary) { /* to the edge along dir: the positive root of |step + alpha dir|^2 = radius^2 */
    double root = sqrt(fmax(sd * sd + dd * (room - ss), 0));
    alpha = sd >= 0 ? (room - ss) / (sd + root) : (root - sd) / dd;
    if (!isfinite(alpha)) alpha = 0;
  }
  double rz = 0;
  for (int64_t i = 0; i < s->n; i++) {
    s->step[i] += alpha * s->dir[i];
    s->r[i] -= alpha * hd[i];
    s->z[i] = s->r[i] / precondition(s, i);
    rz += s->r[i] * s->z[i];
  }
  s->cg++;
  if (boundary || !(sqrt(rz) > s->cg_goal) || s->cg >= 500) return try_step(s);
  double beta = rz / s->gz;
  s->gz = rz;
  for (int64_t i = 0; i < s->n; i++) s->dir[i] = s->z[i] + beta * s->dir[i];
  return LT_MORE;
}

int lt_tron_after(lt_solver *s) {
  if (s->hv) return cg_after(s);
  double gs = lt_dot(s->g, s->step, s->n), f = s->o->f;
  double predicted = -0.5 * (gs - lt_dot(s->step, s->r, s->n)), actual = s->f - f;
  double norm = sqrt(metric_dot(s, s->step, s->step)), noise = lt_solver_noise(s) * fabs(s->f);
  if (!(predicted > 0) || !(norm > 0)) return LT_STUCK;
  if (isfinite(f) && predicted <= noise) {
    double g = lt_norm(s->o->g, s->n);
    return isfinite(g) && g < lt_norm(s->g, s->n) ? LT_ACCEPT : LT_STUCK;
  }
  if (!isfinite(f)) {
    s->radius = 0.1 * norm;
  } else {
    double ratio = actual / predicted;
    /* the step that the parabola through both values calls best */
    double alpha = -actual - gs <= 0 ? 4 : fmax(0.25, -0.5 * gs / (-actual - gs));
    if (ratio < 1e-4) {
      s->radius = fmin(fmax(alpha, 0.25) * norm, 0.5 * s->radius);
    } else if (ratio < 0.25) {
      s->radius = fmax(0.25 * s->radius, fmin(alpha * norm, 0.5 * s->radius));
    } else if (ratio < 0.75) {
      s->radius = fmax(0.25 * s->radius, fmin(alpha * norm, 4 * s->radius));
    } else {
      s->radius = fmax(s->radius, fmin(alpha * norm, 4 * s->radius));
    }
    if (ratio > 1e-4) return LT_ACCEPT;
  }
  if (++s->tries > 40) return LT_STUCK;
  return cg_begin(s);
}
