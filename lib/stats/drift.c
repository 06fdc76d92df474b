#include "stats/drift.h"
#include <math.h>
#include <string.h>

enum { DRIFT_CELLS = 128 };
_Static_assert(LT_PROFILE_LABELS + 2 <= DRIFT_CELLS, "a category has room");

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

/* Newton's steps on the tail's logarithm, kept between bounds; Wilson and Hilferty's cube begins. */
double lt_chi2_quantile(double k, double upper) {
  if (!(k > 0) || upper >= 1) return 0;
  double low = 0, high = INFINITY, t = sqrt(-2 * log(upper < 0.5 ? upper : 0.5)), h = 2 / (9 * k), w = 1 - h + (t - 0.8) * sqrt(h);
  double x = w > 0 ? k * w * w * w : k / 2;
  for (int i = 0; i < 200; i++) {
    double tail = gamma_upper(k / 2, x / 2), density = exp((k / 2 - 1) * log(x / 2) - x / 2 - lgamma(k / 2)) / 2;
    if (tail > upper) low = x;
    else high = x;
    double next = tail > 0 && density > 0 ? x + log(tail / upper) * tail / density : x;
    if (!(next > low) || !(next < high)) next = isfinite(high) ? (low + high) / 2 : 2 * x;
    if (fabs(next - x) <= 1e-13 * x) return next;
    x = next;
  }
  return x;
}

/* Where two samples are told apart, a cell is what pooled counts make it, never the reference's counts alone: then the cells
 * are the same whichever of the two was drawn first, and without drift psi is (1/n + 1/m) chi2(cells - 1) on them. The profile's
 * own cells are not like that: a label is listed because the reference happened to have many of it, and the reference has
 * nothing above its own maximum. */
enum { GROUP_NONE = 255 };
#define FEW_EXPECTED 3.0   /* rows a cell needs of the smaller sample */
#define EDGE_DEVIATIONS 4.0 /* how far from the last place of the listed labels counts are no matter of luck */
typedef struct grouping {
  const int64_t *q, *p; /* [cells] reference, window */
  int64_t cells;
  double n, m;
  uint8_t of[DRIFT_CELLS]; /* the group of each cell */
  double gq[DRIFT_CELLS], gp[DRIFT_CELLS];
  int64_t groups;
} grouping;

static void group_add(grouping *g, int64_t cell, int64_t group) {
  g->of[cell] = (uint8_t)group;
  g->gq[group] += (double)g->q[cell];
  g->gp[group] += (double)g->p[cell];
}

/* Cells of too few rows are one together. */
static int group_few(const grouping *g, double rows) { return rows * (g->n < g->m ? g->n : g->m) / (g->n + g->m) < FEW_EXPECTED; }

/* The first cells - 4 in order, then missing, non-finite, below, above. k rows beyond every one of the reference's n happen with
 * a probability of at most (m / (n + m))^k, whatever the distribution; as long as that is likely they belong to the end
 * cell, whose outer edge is a matter of luck. */
static void group_ordered(grouping *g, double alpha) {
  int64_t last = g->cells - 4, few = -1, end[] = {0, last - 1};
  double extra[2] = {0, 0};
  int merged[2];
  for (int s = 0; s < 2; s++) {
    int64_t at = last + 2 + s;
    merged[s] = last > 0 && g->q[at] == 0 && (double)g->p[at] * log(g->m / (g->n + g->m)) >= log(alpha / 2);
    if (merged[s]) extra[s] = (double)g->p[at];
  }
  for (int64_t i = 0; i < g->cells; i++) {
    if (i >= last + 2 && merged[i - last - 2]) continue;
    double rows = (double)(g->q[i] + g->p[i]) + (i == end[0] ? extra[0] : 0) + (i == end[1] ? extra[1] : 0);
    if (!(rows > 0)) continue;
    if (!group_few(g, rows)) group_add(g, i, g->groups++);
    else group_add(g, i, few < 0 ? (few = g->groups++) : few);
  }
  for (int s = 0; s < 2; s++)
    if (merged[s] && extra[s] > 0 && g->of[end[s]] != GROUP_NONE) group_add(g, last + 2 + s, g->of[end[s]]);
}

/* Labels, other, missing. Other is where the few go; and, when the list is full, the labels near its last place, which are on it
 * or not by luck. */
static void group_labels(grouping *g) {
  int64_t labels = g->cells - 2, pool = -1;
  double least = INFINITY, bound = 0;
  if (labels >= LT_PROFILE_LABELS && g->q[labels] > 0) {
    for (int64_t i = 0; i < labels; i++)
      if ((double)g->q[i] < least) least = (double)g->q[i];
    bound = (least + EDGE_DEVIATIONS * sqrt(least)) * (g->n + g->m) / g->n;
  }
  for (int64_t i = 0; i < g->cells; i++) {
    double rows = (double)(g->q[i] + g->p[i]);
    if (!(rows > 0)) continue;
    if (i != labels && !group_few(g, rows) && (i > labels || rows >= bound)) group_add(g, i, g->groups++);
    else group_add(g, i, pool < 0 ? (pool = g->groups++) : pool);
  }
}

static double psi_term(double p, double m, double q, double n, double cells) {
  double a = (p + 0.5) / (m + 0.5 * cells), b = (q + 0.5) / (n + 0.5 * cells);
  return (a - b) * log(a / b);
}

/* psi over the groups, and the one that adds most to it; in it the cell that adds most. */
static void group_psi(const grouping *g, lt_drift *d) {
  double most = -1, cells = (double)g->groups;
  int64_t group = 0;
  for (int64_t k = 0; k < g->groups; k++) {
    double add = psi_term(g->gp[k], g->m, g->gq[k], g->n, cells);
    d->psi += add;
    if (add > most) most = add, group = k;
  }
  most = -1;
  for (int64_t i = 0; i < g->cells; i++) {
    double add = g->of[i] == group ? psi_term((double)g->p[i], g->m, (double)g->q[i], g->n, cells) : -1;
    if (add <= most) continue;
    most = add;
    d->worst = i;
  }
  d->p = (double)g->p[d->worst] / g->m;
  d->q = (double)g->q[d->worst] / g->n;
}

/* The distances of the shares, cell by cell. */
static void distances(const grouping *g, int ordered, lt_drift *d) {
  double rise = 0;
  d->ks = ordered ? 0 : (double)NAN;
  for (int64_t k = 0; k < g->cells; k++) {
    int64_t i = k, last = g->cells - 4; /* in their order: below, the cells, above; missing and non-finite have none */
    if (ordered) i = k == 0 ? last + 2 : k <= last ? k - 1 : k == last + 1 ? last + 3 : k == last + 2 ? last : last + 1;
    double a = (double)g->p[i] / g->m, b = (double)g->q[i] / g->n, mid = (a + b) / 2;
    if (g->p[i]) d->js += a * log2(a / mid) / 2;
    if (g->q[i]) d->js += b * log2(b / mid) / 2;
    if (fabs(a - b) > d->linf) d->linf = fabs(a - b);
    if (ordered && k < last + 2) {
      rise += a - b;
      if (fabs(rise) > d->ks) d->ks = fabs(rise);
    }
  }
  d->js = d->js > 0 ? sqrt(d->js) : 0;
}

/* Half of alpha is for psi, half (a quarter each) for what lies below and above. */
static void histogram(const int64_t *q, const int64_t *p, int64_t cells, int ordered, double alpha, lt_drift *d) {
  grouping g = {.q = q, .p = p, .cells = cells};
  memset(d, 0, sizeof *d);
  memset(g.of, GROUP_NONE, sizeof g.of);
  for (int64_t i = 0; i < cells; i++) {
    g.n += (double)q[i];
    g.m += (double)p[i];
  }
  d->n = (int64_t)g.n;
  d->m = (int64_t)g.m;
  d->ks = ordered ? 0 : (double)NAN;
  if (!(g.n > 0) || !(g.m > 0)) return;
  if (ordered) group_ordered(&g, alpha / 2);
  else group_labels(&g);
  d->cells = g.groups;
  distances(&g, ordered, d);
  group_psi(&g, d);
  if (g.groups > 1) d->limit = (1 / g.n + 1 / g.m) * lt_chi2_quantile((double)(g.groups - 1), ordered ? alpha / 2 : alpha);
}

leat_status lt_profile_drift(const lt_profile *reference, const lt_profile *window, double alpha, lt_drift *out, leat_error *err) {
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
    histogram(q, p, cells, lt_profile_type(reference) == LT_PROFILE_NUMBER, alpha, out);
    return LEAT_OK;
  }
  lt_drift norm;
  histogram(q, p, second, 1, alpha / 2, out);
  histogram(q + second, p + second, cells - second, 1, alpha / 2, &norm);
  norm.worst += second;
  if (!(out->limit > 0) || norm.psi * out->limit > out->psi * norm.limit) *out = norm;
  return LEAT_OK;
}
