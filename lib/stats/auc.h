/* Area under the ROC curve, weighted. Exact (ties count half, as scikit-learn's roc_auc_score) while at most 2^20 rows
 * were seen: they are kept. Beyond that the rows go into cells of fixed edges: 4096 an octave of min(p, 1 - p) down to
 * 2^-33, on both sides of 1/2. Then the area is wrong by at most half the sum over cells of the shares of the positives
 * and of the negatives that lie in the cell together, multiplied; for scores spread over one octave that is 1e-4, and
 * commonly far less, since such errors have both signs. Scores outside [0, 1] count as 0 or 1 there. */
#ifndef LEAT_STATS_AUC_H
#define LEAT_STATS_AUC_H
#include "stats/sums.h"
enum { LT_AUC_EXACT = 1 << 20, LT_AUC_CELLS = 2 * 33 * 4096 };
typedef struct lt_auc {
  leat_runtime *rt;
  lt_scored *row;      /* weight negative (or -0): a row of class 0 */
  uint64_t n, cap;
  double *cell;        /* [2][LT_AUC_CELLS] weights of class 0 and class 1, or NULL while exact */
} lt_auc;
void lt_auc_init(lt_auc *a, leat_runtime *rt);
void lt_auc_free(lt_auc *a);  /* back to empty */
/* Makes sure that the next `rows` rows need no memory. */
leat_status lt_auc_reserve(lt_auc *a, uint64_t rows, leat_error *err);
void lt_auc_add(lt_auc *a, double score, int positive, double w); /* after reserve */
leat_status lt_auc_merge(lt_auc *a, const lt_auc *other, leat_error *err);
/* NaN with one class only, or when a score was NaN. */
leat_status lt_auc_value(const lt_auc *a, double *value, leat_error *err);
#endif
