/* Running metrics. */
#ifndef LEAT_STATS_METRICS_H
#define LEAT_STATS_METRICS_H
#include "base/bytes.h"
leat_status lt_metrics_create(leat_runtime *rt, const char *names, leat_metrics **out, leat_error *err);
void lt_metrics_free(leat_metrics *k);
/* One row: pred[n_out] as a predictor gives it, target, weight. n_out fixed by the first call. Rows whose target is NaN
 * are skipped. The sums are kept so that the order of rows and merges does not change what is printed to 12 digits. */
leat_status lt_metrics_add(leat_metrics *k, const double *pred, int64_t n_out, double y, double w, leat_error *err);
leat_status lt_metrics_merge(leat_metrics *k, const leat_metrics *other, leat_error *err);
void lt_metrics_reset(leat_metrics *k);
int64_t lt_metrics_count(const leat_metrics *k);
const char *lt_metrics_name(const leat_metrics *k, int64_t index);
leat_status lt_metrics_value(const leat_metrics *k, const char *name, double *value, leat_error *err);
#endif
