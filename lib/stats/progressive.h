/* Progressive validation: every prediction is scored before its row is learned.
 *   cumulative  all rows                          rows loss accuracy brier kappa calibration | rows loss rmse mae r2 calibration
 *   faded       a row counts half after half_life more rows                  the same
 *   window      the last `window` rows            all metrics of the task, auc among them
 *   no-change   what the label before would have given. Its probability for loss: how often labels repeat so far
 *   majority    what the commonest label so far (numbers: their mean) would have given, with its share for loss
 * Baselines begin with the second row. The class set may grow: classes that were not there had probability 0. */
#ifndef LEAT_STATS_PROGRESSIVE_H
#define LEAT_STATS_PROGRESSIVE_H
#include "stats/metrics.h"
enum { LT_PROGRESS_ALL = 0, LT_PROGRESS_FADED, LT_PROGRESS_WINDOW, LT_PROGRESS_NO_CHANGE, LT_PROGRESS_MAJORITY, LT_PROGRESS_SETS };
typedef struct lt_progressive lt_progressive;
/* classes 0: numbers. */
leat_status lt_progressive_create(leat_runtime *rt, int numbers, int64_t window, int64_t half_life, lt_progressive **out,
                                  leat_error *err);
void lt_progressive_free(lt_progressive *p);
/* Makes room for `classes` classes (0 for numbers), at least as many as before; then adding cannot fail. */
leat_status lt_progressive_grow(lt_progressive *p, int64_t classes, leat_error *err);
/* pred: the number; P(class 1) when there are up to two classes; else one probability for each class. y: code or number,
 * finite; w: finite and not negative. */
void lt_progressive_add(lt_progressive *p, const double *pred, double y, double w);
int64_t lt_progressive_outputs(const lt_progressive *p); /* numbers a prediction has */
int64_t lt_progressive_rows(const lt_progressive *p);
/* One of LT_PROGRESS_*, as metrics of their own. */
leat_status lt_progressive_metrics(const lt_progressive *p, int64_t set, leat_metrics **out, leat_error *err);
/* Mean loss of a set; NaN without rows. */
double lt_progressive_loss(const lt_progressive *p, int64_t set);
void lt_progressive_save(const lt_progressive *p, lt_put *w);
leat_status lt_progressive_restore(lt_progressive *p, lt_get *r, leat_error *err); /* into a fresh one */
#endif
