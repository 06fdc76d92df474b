/* When a static model should be trained again, and whether the new one may take its place. */
#ifndef LEAT_LIFECYCLE_REFRESH_H
#define LEAT_LIFECYCLE_REFRESH_H
#include "data/dataset.h"
#include "lifecycle/folder.h"
#include "lifecycle/monitor.h"
extern const lt_spec lt_spec_refresh;
/* What leat.h says of leat_store_monitored, due and challenge. */
leat_status lt_refresh_monitored(leat_store *s, const leat_monitor *w, leat_error *err);
leat_status lt_refresh_due(leat_store *s, const leat_params *p, leat_due_info *info, leat_error *err);
leat_status lt_refresh_challenge(leat_store *s, const leat_model *m, const leat_dataset *d, const leat_params *p,
                                 leat_challenge_info *info, leat_error *err);
/* The one-sided bound that a standard normal variable stays below with probability p in (0, 1). */
double lt_normal_quantile(double p);
#endif
