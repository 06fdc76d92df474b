#include "stats/drift.h"
#include <math.h>
#include <string.h>

enum { DRIFT_CELLS = 128 };

/* P(chi2_k > x): the upper incomplete gamma function Q(k / 2, x / 2), by its series below a + 1 and by Lentz's continued
 * fraction above (Abramowitz and Stegun 6.5.29 and 6.5.31). */
static double gamma_upper(double a, double x) {
  if (!(x > 0)) return 1;
  double scale = exp(a * log(x) - x - lgamma(a));
  if (x < a + 1) {
    double sum = 1 / a, term = sum;
    for (int i = 1; i < 1000 && term > sum * 1e-16; i++) sum += term *= x / (a + i);
    return 1 - scale * sum;
  }
  double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
  for (int i = 1; i < 1000; i++) {
    double an = -i * (i - a), step;
    b += 2;
    d = 1 / (an * d + b);
    c = b + an / c;
    h *= step = d * c;
    if (fabs(step - 1) < 1e-15) break;
  }
  return scale * h;
}

double lt_chi2_quantile(double k, double upper) {
  double low = 0, high = k + 10;
  if (!(k > 0)) return 0;
  while (gamma_upper(k / 2, high / 2) > upper && high < 1e12) high *= 2;
  for (int i = 0; i < 100; i++) {
    double mid = (low + high) / 2;
    if (gamma_upper(k / 2, mid / 2) > upper) low = mid;
    else high = mid;
  }
  return (low + high) / 2;
}

double lt_psi_limit(const lt_drift *d, double floor, double alpha, int64_t features) {
  if (d->n < 1 || d->m < 1 || d->cells < 2) return floor;
  double t = (1.0 / (double)d->n + 1.0 / (double)d->m) *
             lt_chi2_quantile((double)(d->cells - 1), alpha / (double)(features > 0 ? features : 1));
  return t > floor ? t : floor;
}

/* Cells [from, to) of both. order: where the ordered cells' cumulative shares are taken (below, cells, above). */
static void histogram(const int64_t *q, const int64_t *p, int64_t from, int64_t to, int ordered, lt_drift *d) {
  double n = 0, m = 0, used = 0, most = -1, rise = 0;
  int64_t cells = to - from;
  memset(d, 0, sizeof *d);
  for (int64_t i = from; i < to; i++) {
    n += (double)q[i];
    m += (double)p[i];
    used += q[i] + p[i] > 0;
  }
  d->n = (int64_t)n;
  d->m = (int64_t)m;
  d->cells = (int64_t)used;
  d->worst = from;
  d->ks = ordered ? 0 : (double)NAN;
  if (!(n > 0) || !(m > 0)) return;
  for (int64_t k = 0; k < cells; k++) {
    /* the last four are missing, non-finite, below, above: below comes first in the order, missing and non-finite never */
    int64_t i = from + (ordered ? k == 0 ? cells - 2 : k <= cells - 4 ? k - 1 : k == cells - 3 ? cells - 1 : k == cells - 2 ? cells - 4 : cells - 3 : k);
    if (q[i] + p[i] == 0) continue;
    double a = ((double)p[i] + 0.5) / (m + 0.5 * used), b = ((double)q[i] + 0.5) / (n + 0.5 * used);
    double add = (a - b) * log(a / b), mid = ((double)p[i] / m + (double)q[i] / n) / 2;
    d->psi += add;
    if (p[i]) d->js += (double)p[i] / m * log2((double)p[i] / m / mid) / 2;
    if (q[i]) d->js += (double)q[i] / n * log2((double)q[i] / n / mid) / 2;
    double gap = (double)p[i] / m - (double)q[i] / n;
    if (fabs(gap) > d->linf) d->linf = fabs(gap);
    if (ordered && k < cells - 2) {
      rise += gap;
      if (fabs(rise) > d->ks) d->ks = fabs(rise);
    }
    if (add > most) {
      most = add;
      d->worst = i;
      d->p = (double)p[i] / m;
      d->q = (double)q[i] / n;
    }
  }
  d->js = d->js > 0 ? sqrt(d->js) : 0;
}

leat_status lt_profile_drift(const lt_profile *reference, const lt_profile *window, lt_drift *out, leat_error *err) {
  int64_t q[DRIFT_CELLS], p[DRIFT_CELLS], cells = lt_profile_cells(reference), second = 0;
  memset(out, 0, sizeof *out);
  if (lt_profile_cells(window) != cells || lt_profile_type(window) != lt_profile_type(reference) || cells > DRIFT_CELLS)
    return lt_fail(err, LEAT_E_SHAPE, "profiles of '%s' and '%s' have other cells and cannot be compared",
                   lt_profile_name(reference), lt_profile_name(window));
  for (int64_t i = 0; i < cells; i++) {
    const char *label = NULL;
    double low, high;
    leat_status st = lt_profile_cell(reference, i, &label, &low, &high, &q[i], err);
    if (!st && lt_profile_type(reference) == LT_PROFILE_SPARSE && label && !strcmp(label, "above") && !second) second = i + 1;
    if (!st) st = lt_profile_cell(window, i, &label, &low, &high, &p[i], err);
    if (st) return st;
  }
  if (lt_profile_type(reference) != LT_PROFILE_SPARSE) {
    histogram(q, p, 0, cells, lt_profile_type(reference) == LT_PROFILE_NUMBER, out);
    return LEAT_OK;
  }
  lt_drift norm;
  histogram(q, p, 0, second, 1, out);
  histogram(q, p, second, cells, 1, &norm);
  if (norm.psi > out->psi) *out = norm;
  return LEAT_OK;
}
