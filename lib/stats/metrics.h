/* Running metrics, weighted.
 *   rows      rows whose target is not NaN           loss   classes: log-loss, probabilities clipped to [1e-15, 1-1e-15];
 *   accuracy  share of right classes: the largest           numbers: mean squared error
 *             prediction, the first of equal ones;   auc    two classes: see auc.h
 *             two classes: class 1 when p > 1/2      f1     two classes: of class 1
 *   brier     two classes: mean (p - y)^2; more: mean over rows of the sum over classes of (p_k - [y = k])^2
 *   ece       expected calibration error in 15 cells of equal width; two classes: of p against y, more: of the largest
 *             prediction against being right         kappa  Cohen's, of predicted against true class
 *   rmse mae r2   numbers; r2 against the weighted mean of the targets
 *   calibration   two classes: sum of P(class 1) over the number of rows of class 1; numbers: sum of predictions over
 *             sum of targets; 1 is right, NaN for more classes
 * A task's name stands for all that it has: "binary", "multiclass:K", "regression". A list of metrics tells the task
 * itself; "loss" and "rows" alone mean classes when predictions have more than one number, else numbers. */
#ifndef LEAT_STATS_METRICS_H
#define LEAT_STATS_METRICS_H
#include "base/bytes.h"
leat_status lt_metrics_create(leat_runtime *rt, const char *names, leat_metrics **out, leat_error *err);
void lt_metrics_free(leat_metrics *k);
/* One row: pred[n_out] as a predictor gives it (two classes: P(class 1), or both), target, weight. n_out fixed by the
 * first call. Rows whose target is NaN are skipped. The sums are kept so that the order of rows and merges does not
 * change what is printed to 12 digits. Errors: SHAPE, UNSUPPORTED (a metric of two classes for more), DATA (a target
 * that is no class, a weight that is negative or not finite), MEMORY; then nothing was added. */
leat_status lt_metrics_add(leat_metrics *k, const double *pred, int64_t n_out, double y, double w, leat_error *err);
/* One row of two classes into n objects without auc and ece, each with its weight; nothing is checked: their room is
 * reserved, truth is 0 or 1, the weights are what lt_metrics_check wants. */
void lt_metrics_add_binary(leat_metrics *const *k, const double *w, int n, double p, int64_t truth);
/* Makes sure that the next n rows of n_out numbers each cannot fail but by what lt_metrics_check says. */
leat_status lt_metrics_reserve(leat_metrics *k, int64_t n_out, int64_t n, leat_error *err);
leat_status lt_metrics_check(const leat_metrics *k, double y, double w, leat_error *err);
leat_status lt_metrics_merge(leat_metrics *k, const leat_metrics *other, leat_error *err);
void lt_metrics_reset(leat_metrics *k);
/* For progressive metrics, without auc, ece and f1: more classes than before (what was seen stays, the new classes had
 * probability 0), all weights times `factor` (finite, > 0), bytes and back into an object of the same names. */
leat_status lt_metrics_grow(leat_metrics *k, int64_t classes, leat_error *err);
void lt_metrics_scale(leat_metrics *k, double factor);
void lt_metrics_save(const leat_metrics *k, lt_put *w);
leat_status lt_metrics_restore(leat_metrics *k, lt_get *r, leat_error *err);
int64_t lt_metrics_count(const leat_metrics *k);
const char *lt_metrics_name(const leat_metrics *k, int64_t index); /* NULL outside [0, count) */
leat_status lt_metrics_value(const leat_metrics *k, const char *name, double *value, leat_error *err);
/* 95 % confidence interval of loss, accuracy, rmse, mae and auc; NaN for others and while it is undefined. Rows count as
 * independent, a row of whatever weight as one. */
leat_status lt_metrics_interval(const leat_metrics *k, const char *name, double *low, double *high, leat_error *err);
void lt_metrics_effective(leat_metrics *k, double rows); /* so many rows' worth is in it at most: weights fade */
lt_owner *lt_metrics_owner(const leat_metrics *k); /* for the api floor */
leat_runtime *lt_metrics_runtime(const leat_metrics *k);
#endif
