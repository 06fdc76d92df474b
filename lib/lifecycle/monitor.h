/* Data against the reference profiles that a model carries. */
#ifndef LEAT_LIFECYCLE_MONITOR_H
#define LEAT_LIFECYCLE_MONITOR_H
#include "data/batch.h"
#include "model/model.h"
extern const lt_spec lt_spec_monitor;
leat_status lt_monitor_create(const leat_model *m, const leat_params *p, leat_monitor **out, leat_error *err);
void lt_monitor_free(leat_monitor *w);
const leat_model *lt_monitor_model(const leat_monitor *w);
lt_owner *lt_monitor_owner(leat_monitor *w);
leat_status lt_monitor_update(leat_monitor *w, const leat_batch *rows, leat_error *err);
leat_status lt_monitor_merge(leat_monitor *w, const leat_monitor *other, leat_error *err);
int64_t lt_monitor_count(const leat_monitor *w);
leat_status lt_monitor_at(const leat_monitor *w, int64_t index, leat_drift_info *info, leat_error *err);
leat_status lt_monitor_state(const leat_monitor *w, int64_t *state, int64_t *rows, leat_error *err);
#endif
