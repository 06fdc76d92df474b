/* How far the counts of one profile lie from another's of the same cells. */
#ifndef LEAT_STATS_DRIFT_H
#define LEAT_STATS_DRIFT_H
#include "stats/profile.h"
typedef struct lt_drift {
  int64_t n, m;      /* rows of the reference, of the window */
  int64_t cells;     /* that psi is over: degrees of freedom + 1; see lt_profile_drift */
  double psi;        /* sum (p - q) ln(p / q), half a row added to every cell */
  double limit;      /* what psi exceeds with probability alpha at most when nothing has changed; 0 for a single cell */
  double js;         /* Jensen-Shannon distance, base 2, in [0, 1] */
  double ks;         /* largest distance of the cumulative shares (ordered cells); NaN for categories */
  double linf;       /* largest difference of a cell's shares */
  int64_t worst;     /* the cell that adds most to psi */
  double p, q;       /* its shares: window, reference */
} lt_drift;
/* alpha: of this one comparison; a feature's share of a family-wise rate is alpha / features (Bonferroni). Without drift psi is
 * distributed as (1/n + 1/m) chi2(cells - 1) (Yurdakul, "Statistical properties of population stability index", 2018): both
 * samples have their chance. For that the cells must not depend on which of the two is the reference, so psi is over cells
 * that are chosen by the counts of both together: cells that leave the smaller sample fewer than three rows are one; values
 * beyond the reference's range belong to its end cell as long as chance explains them; labels near the last place of a full
 * list belong to "other". js, ks and linf are over the profile's own cells. SHAPE when the cells differ. Of a sparse block's
 * two histograms the one that is further beyond its limit. */
leat_status lt_profile_drift(const lt_profile *reference, const lt_profile *window, double alpha, lt_drift *out, leat_error *err);
/* The number that a chi-squared variable of k degrees of freedom stays below with probability 1 - upper. */
double lt_chi2_quantile(double k, double upper);
#endif
