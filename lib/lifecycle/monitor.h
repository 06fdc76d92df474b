/* Data against reference profiles: those that a model carries, or a learner's. */
#ifndef LEAT_LIFECYCLE_MONITOR_H
#define LEAT_LIFECYCLE_MONITOR_H
#include "data/batch.h"
#include "model/model.h"
extern const lt_spec lt_spec_monitor;
leat_status lt_monitor_create(const leat_model *m, const leat_params *p, leat_monitor **out, leat_error *err);
/* The reference is a sample of rows, and shown [rows->n]: a number that was predicted for each (NULL: predictions are not
 * watched). Beside the features it then watches "(prediction)" and "(calibration)". */
leat_status lt_monitor_of(const lt_rows *rows, const double *shown, const leat_params *p, leat_monitor **out, leat_error *err);
/* Of lt_monitor_of, when the sample shall give the cells only: the reference's counts begin anew, and rows are added to them
 * (shown: as there, begins with row `from`) before the first is compared. */
void lt_monitor_refer_begin(leat_monitor *w);
leat_status lt_monitor_refer(leat_monitor *w, const lt_rows *rows, int64_t from, int64_t n, const double *shown, leat_error *err);
void lt_monitor_free(leat_monitor *w);
lt_owner *lt_monitor_owner(leat_monitor *w);
const leat_model *lt_monitor_model(const leat_monitor *w);
/* Its reference of the features and the target, as lt_profiles_fit gives them; borrowed. */
lt_profile *const *lt_monitor_reference(const leat_monitor *w, int64_t *n);
leat_status lt_monitor_update(leat_monitor *w, const leat_batch *rows, leat_error *err);
/* What was predicted for rows: a number; a probability and whether (1, 0, NaN unknown) it came true, NULL for numbers. */
typedef struct lt_monitor_shown { const double *value, *sure, *right; } lt_monitor_shown;
/* Rows [from, from + n) up to a window's end; they came at `now` (ns since 1970; looked at by windows with a clock only); shown
 * (NULL: nothing was predicted) begins with row `from`. *done rows were counted; *closed: a window ended, lt_monitor_change
 * tells what is new. A window whose time is up ends before any is counted. */
leat_status lt_monitor_rows(leat_monitor *w, const lt_rows *rows, int64_t from, int64_t n, int64_t now, const lt_monitor_shown *shown,
                            int64_t *done, int *closed, leat_error *err);
/* The state before the last window's, and how many rows there were when the present one began. */
void lt_monitor_change(const leat_monitor *w, int64_t index, int64_t *before, int64_t *since);
leat_status lt_monitor_merge(leat_monitor *w, const leat_monitor *other, leat_error *err);
int64_t lt_monitor_room(const leat_monitor *w); /* rows to the end of the window; INT64_MAX when there is none */
int64_t lt_monitor_count(const leat_monitor *w);
leat_status lt_monitor_at(const leat_monitor *w, int64_t index, leat_drift_info *info, leat_error *err);
leat_status lt_monitor_state(const leat_monitor *w, int64_t *state, int64_t *rows, leat_error *err);
void lt_monitor_save(const leat_monitor *w, lt_put *to);
/* m: the model it was made for, NULL: of lt_monitor_of. */
leat_status lt_monitor_load(leat_runtime *rt, const leat_model *m, lt_get *g, leat_monitor **out, leat_error *err);
/* The same in one piece: "LMON", u32 version, the model's checksum, the state, XXH3-64 of all before it. */
leat_status lt_monitor_save_bytes(const leat_monitor *w, void *buf, uint64_t cap, uint64_t *needed, leat_error *err);
leat_status lt_monitor_load_bytes(const leat_model *m, const void *data, uint64_t size, leat_monitor **out, leat_error *err);
#endif
