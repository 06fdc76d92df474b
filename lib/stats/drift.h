/* How far the counts of one profile lie from another's of the same cells. */
#ifndef LEAT_STATS_DRIFT_H
#define LEAT_STATS_DRIFT_H
#include "stats/profile.h"
typedef struct lt_drift {
  int64_t n, m;      /* rows of the reference, of the window */
  int64_t cells;     /* that hold a row of either: degrees of freedom + 1 */
  double psi;        /* sum (p - q) ln(p / q), half a row added to every cell */
  double js;         /* Jensen-Shannon distance, base 2, in [0, 1] */
  double ks;         /* largest distance of the cumulative shares (ordered cells); NaN for categories */
  double linf;       /* largest difference of a cell's shares */
  int64_t worst;     /* the cell that adds most to psi */
  double p, q;       /* its shares: window, reference */
} lt_drift;
/* SHAPE when the cells differ. Of a sparse block's two histograms the worse one by psi. */
leat_status lt_profile_drift(const lt_profile *reference, const lt_profile *window, lt_drift *out, leat_error *err);
/* Without drift, psi is distributed as (1/n + 1/m) chi2(cells - 1) (Yurdakul, "Statistical properties of population stability
 * index", 2018): the psi that one of `features` features exceeds with probability `alpha`, and at least `floor`. */
double lt_psi_limit(const lt_drift *d, double floor, double alpha, int64_t features);
/* The number that a chi-squared variable of k degrees of freedom stays below with probability 1 - upper. */
double lt_chi2_quantile(double k, double upper);
#endif
