/* How a learner fared over time: one point a window, in learner/series.log (a record log), for reports. A point that is
 * brought again by a replay is known by its ordinal. */
#ifndef LEAT_LIFECYCLE_SERIES_H
#define LEAT_LIFECYCLE_SERIES_H
#include "base/reclog.h"
#include "lifecycle/folder.h"
typedef struct lt_series lt_series;
/* The one writer's; made when it is not there. A torn tail is cut. */
leat_status lt_series_open(leat_store *s, lt_series **out, leat_error *err);
void lt_series_close(lt_series *x);
/* ordinal: grows with every point; one that is there already is not added again. */
int lt_series_has(const lt_series *x, int64_t ordinal);
leat_status lt_series_add(lt_series *x, int64_t ordinal, const leat_point *point, leat_error *err);
/* What a window's monitors say, one after the other; then the end, after which it has them. */
int lt_series_has_drift(const lt_series *x, int64_t ordinal);
leat_status lt_series_add_drift(lt_series *x, int64_t row, int64_t time_ns, int64_t since, const leat_drift_info *i, leat_error *err);
leat_status lt_series_drift_end(lt_series *x, int64_t ordinal, leat_error *err);
leat_status lt_series_next_drift(leat_store *s, int64_t *cursor, leat_drift_point *out, leat_error *err);
/* Where the writer's runtime is timed: what its operations took since it began. The last that was noted of one, or NOT_FOUND. */
leat_status lt_series_add_latency(lt_series *x, int64_t ordinal, leat_error *err);
leat_status lt_series_latency(leat_store *s, int64_t op, leat_latency *out, leat_error *err);
leat_status lt_series_sync(lt_series *x, leat_error *err);
/* The next point behind *cursor; NOT_FOUND when there is no more now. */
leat_status lt_series_next(leat_store *s, int64_t *cursor, leat_point *out, leat_error *err);
#endif
