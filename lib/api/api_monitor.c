/* Chapter 20 of leat.h: monitors. */
#include "api/api.h"
#include "lifecycle/monitor.h"
#include <string.h>

static leat_status monitor_enter(leat_monitor *w, lt_fpenv *env, leat_error *err) {
  leat_status st = lt_need(w, "w", err);
  if (!st) st = lt_owner_enter(lt_monitor_owner(w), "the monitor", err);
  if (!st) lt_fpenv_enter(env);
  return st;
}
static leat_status monitor_leave(leat_monitor *w, const lt_fpenv *env, leat_status st, leat_error *err) {
  lt_fpenv_leave(env);
  lt_owner_leave(lt_monitor_owner(w));
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_monitor_create(const leat_model *m, const leat_params *p, leat_monitor **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(m, "m", err)) != 0) return st;
  st = lt_monitor_create(m, p, out, err);
  return st ? st : lt_ok(err);
}

LEAT_API void leat_monitor_free(leat_monitor *w) { lt_monitor_free(w); }

LEAT_API leat_status leat_monitor_update(leat_monitor *w, const leat_batch *rows, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(rows, "rows", err);
  if (!st) st = monitor_enter(w, &env, err);
  if (st) return st;
  return monitor_leave(w, &env, lt_monitor_update(w, rows, err), err);
}

LEAT_API leat_status leat_monitor_merge(leat_monitor *w, const leat_monitor *other, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(other, "other", err);
  if (!st && w == other) st = lt_fail(err, LEAT_E_ARG, "a monitor cannot be merged with itself");
  if (!st) st = monitor_enter(w, &env, err);
  if (st) return st;
  return monitor_leave(w, &env, lt_monitor_merge(w, other, err), err);
}

LEAT_API leat_status leat_monitor_save(leat_monitor *w, void *buf, uint64_t cap, uint64_t *needed, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(needed, "needed", err);
  if (!st && cap > 0) st = lt_need(buf, "buf", err);
  if (needed) *needed = 0;
  if (!st) st = monitor_enter(w, &env, err);
  if (st) return st;
  return monitor_leave(w, &env, lt_monitor_save_bytes(w, buf, cap, needed, err), err);
}

LEAT_API leat_status leat_monitor_load(const leat_model *m, const void *data, uint64_t size, leat_monitor **out, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(m, "m", err)) != 0 || (st = lt_need(data, "data", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_monitor_load_bytes(m, data, size, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_monitor_count(const leat_monitor *w, int64_t *count, leat_error *err) {
  leat_status st = lt_need(count, "count", err);
  if (st) return st;
  *count = 0;
  if ((st = lt_need(w, "w", err)) != 0) return st;
  *count = lt_monitor_count(w);
  return lt_ok(err);
}

LEAT_API leat_status leat_monitor_at(const leat_monitor *w, int64_t index, leat_drift_info *info, leat_error *err) {
  leat_drift_info mine;
  lt_fpenv env;
  leat_status st = lt_need(w, "w", err);
  if (st || (st = lt_need(info, "info", err)) != 0) return st;
  uint64_t given = info->struct_size;
  if ((st = lt_take_struct(&mine, sizeof mine, info, given, "leat_drift_info", err)) != 0) return st;
  memset(&mine, 0, sizeof mine);
  mine.struct_size = sizeof mine;
  lt_fpenv_enter(&env);
  st = lt_monitor_at(w, index, &mine, err);
  lt_fpenv_leave(&env);
  lt_give_struct(info, given, &mine, sizeof mine);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_monitor_state(const leat_monitor *w, int64_t *state, int64_t *rows, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(state, "state", err);
  if (rows) *rows = 0;
  if (st) return st;
  *state = 0;
  if ((st = lt_need(w, "w", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_monitor_state(w, state, rows, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}
