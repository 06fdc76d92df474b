/* Compensated sums: Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", 1974. With the
 * exact products of lt_sum_product they carry twice the digits of a double, so that the order of adding and of merging
 * is not seen in the twelve digits that are printed. */
#ifndef LEAT_STATS_SUMS_H
#define LEAT_STATS_SUMS_H
#include <math.h>
#include "base/bytes.h"
typedef struct lt_sum { double sum, rest; } lt_sum;
static inline void lt_sum_add(lt_sum *s, double v) {
  double t = s->sum + v;
  if (isfinite(t)) s->rest += fabs(s->sum) >= fabs(v) ? (s->sum - t) + v : (v - t) + s->sum;
  s->sum = t;
}
/* Adds a * b without rounding the product. */
static inline void lt_sum_product(lt_sum *s, double a, double b) {
  double p = a * b;
  lt_sum_add(s, p);
  if (a != 1 && isfinite(p)) s->rest += fma(a, b, -p);
}
static inline void lt_sum_merge(lt_sum *s, const lt_sum *other) {
  lt_sum_add(s, other->sum);
  s->rest += other->rest;
}
static inline double lt_sum_value(const lt_sum *s) { return s->sum + s->rest; }

/* Sorts by key, ascending, stable; -0 and 0 are one key, NaN comes last. `room`: as many items again. */
typedef struct lt_scored { double key, weight; } lt_scored;
void lt_sort_scored(lt_scored *v, lt_scored *room, uint64_t n);
#endif
