#include "model/decision.h"
#include "base/number.h"
#include "stats/sums.h"
#include <math.h>

enum { FORMAT = 1 };

int lt_decision_is_none(const lt_decision *d) { return d->threshold == 0.5 && d->interval[0] == 0; }

/* Rows as (key, weight) in ascending order. sign: NULL, or the weight is negative where the class is 1. */
static leat_status sorted_rows(leat_runtime *rt, const double *key, const double *w, const double *y, int64_t n,
                               lt_scored **out, leat_error *err) {
  lt_scored *v = lt_array(rt, (uint64_t)n, sizeof *v), *room = lt_array(rt, (uint64_t)n, sizeof *room);
  leat_status st = v && room ? LEAT_OK : lt_fail_memory(err, (uint64_t)n * sizeof *v, "sorted predictions");
  for (int64_t i = 0; i < n && !st; i++) {
    double weight = w ? w[i] : 1.0;
    v[i] = (lt_scored){key[i], y && y[i] > 0.5 ? -weight : weight};
  }
  if (!st) lt_sort_scored(v, room, (uint64_t)n);
  lt_free(rt, room);
  if (st) lt_free(rt, v);
  else *out = v;
  return st;
}

leat_status lt_decision_threshold(leat_runtime *rt, const double *p, const double *y, const double *w, int64_t n,
                                  double positive, double negative, double *threshold, leat_error *err) {
  lt_scored *v = NULL;
  leat_status st = sorted_rows(rt, p, w, y, n, &v, err);
  if (st) return st;
  double ideal = positive / (positive + negative), cost = 0, best, at = 0;
  for (int64_t i = 0; i < n; i++) cost += v[i].weight > 0 ? positive * v[i].weight : 0; /* all are answered class 1 */
  best = cost;
  for (int64_t i = 0; i < n;) {
    double here = v[i].key;
    for (; i < n && !(v[i].key > here); i++)
      cost -= v[i].weight > 0 ? positive * v[i].weight : negative * v[i].weight; /* answered class 0 from here on */
    double next = i < n ? v[i].key : 1, lowest = nextafter(here, 2), middle = 0.5 * (here + next);
    if (i == n && !(here < 1)) break; /* nothing above 1 can be asked for */
    middle = fmax(middle, lowest);
    double slack = 1e-12 * (fabs(cost) + fabs(best));
    if (cost < best - slack || (cost <= best + slack && fabs(middle - ideal) < fabs(at - ideal))) {
      best = cost;
      at = middle;
    }
  }
  *threshold = at;
  lt_free(rt, v);
  return LEAT_OK;
}

leat_status lt_decision_interval(leat_runtime *rt, const double *residual, const double *w, int64_t n, double share,
                                 double interval[3], leat_error *err) {
  lt_scored *v = NULL;
  double total = 0, half = 0.5 * (1 - share);
  leat_status st = sorted_rows(rt, residual, w, NULL, n, &v, err);
  if (st) return st;
  for (int64_t i = 0; i < n; i++) total += v[i].weight;
  /* the new row counts as one more of mean weight, and lies beyond all others */
  double miss = half * (total + total / (double)n) * (1 + 1e-12), low = 0, high = 0;
  int64_t a = 0, b = n - 1;
  while (a < n && low + v[a].weight <= miss) low += v[a++].weight;
  while (b >= 0 && high + v[b].weight <= miss) high += v[b--].weight;
  /* v[a - 1] is the outermost that is still allowed as an end */
  if (a < 1 || b > n - 2) {
    char text[32];
    lt_f64_text(share, text);
    st = lt_fail(err, LEAT_E_DATA,
                 "interval=%s needs at least %lld validation rows, here are %lld: give more, or a smaller share", text,
                 (long long)ceil(1 / half - 1e-9) - 1, (long long)n);
  }
  interval[0] = st ? 0 : share;
  interval[1] = st ? 0 : v[a - 1].key;
  interval[2] = st ? 0 : v[b + 1].key;
  lt_free(rt, v);
  return st;
}

void lt_decision_save(const lt_decision *d, lt_put *w) {
  lt_put_u32(w, FORMAT);
  lt_put_f64(w, d->threshold);
  for (int k = 0; k < 3; k++) lt_put_f64(w, d->interval[k]);
}

void lt_decision_load(lt_decision *d, lt_get *r) {
  uint32_t format = lt_get_u32(r);
  d->threshold = lt_get_f64(r);
  for (int k = 0; k < 3; k++) d->interval[k] = lt_get_f64(r);
  int good = format == FORMAT && d->threshold >= 0 && d->threshold <= 1 && d->interval[0] >= 0 && d->interval[0] < 1 &&
             isfinite(d->interval[1]) && isfinite(d->interval[2]) && d->interval[1] <= d->interval[2];
  if (!r->failed && !good) lt_get_fail(r, LEAT_E_FORMAT);
}
