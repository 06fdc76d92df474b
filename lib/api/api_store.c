/* Chapter 16 of leat.h: the store. */
#include "api/api.h"
#include "lifecycle/alerts.h"
#include "lifecycle/folder.h"
#include "lifecycle/refresh.h"
#include "lifecycle/series.h"
#include <string.h>

LEAT_API leat_status leat_store_open(leat_runtime *rt, const char *path, const leat_params *p, leat_store **out,
                                     leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(path, "path", err)) != 0) return st;
  st = lt_folder_open(rt, path, p, out, err);
  return st ? st : lt_ok(err);
}

LEAT_API void leat_store_free(leat_store *s) { lt_folder_free(s); }

LEAT_API leat_status leat_store_generation(leat_store *s, int64_t *generation, leat_error *err) {
  leat_status st = lt_need(generation, "generation", err);
  if (st) return st;
  *generation = 0;
  if ((st = lt_need(s, "s", err)) != 0 || (st = lt_folder_generation(s, generation, err)) != 0) return st;
  return lt_ok(err);
}

LEAT_API leat_status leat_store_count(leat_store *s, int64_t *count, leat_error *err) {
  leat_status st = lt_need(count, "count", err);
  if (st) return st;
  *count = 0;
  if ((st = lt_need(s, "s", err)) != 0 || (st = lt_folder_count(s, count, err)) != 0) return st;
  return lt_ok(err);
}

LEAT_API leat_status leat_store_at(leat_store *s, int64_t index, leat_version_info *info, leat_error *err) {
  leat_version_info full;
  leat_status st = lt_need(info, "info", err);
  if (!st) st = lt_need(s, "s", err);
  if (!st) st = lt_take_struct(&full, sizeof full, info, info->struct_size, "leat_version_info", err);
  if (!st) st = lt_folder_at(s, index, &full, err);
  if (st) return st;
  lt_give_struct(info, info->struct_size, &full, sizeof full);
  return lt_ok(err);
}

LEAT_API leat_status leat_store_add(leat_store *s, const leat_model *m, const char *origin, int64_t *version,
                                    leat_error *err) {
  leat_status st = lt_need(version, "version", err);
  if (st) return st;
  *version = 0;
  if ((st = lt_need(s, "s", err)) != 0 || (st = lt_need(m, "m", err)) != 0 || (st = lt_need(origin, "origin", err)) != 0)
    return st;
  st = lt_folder_add(s, m, origin, version, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_store_export(leat_store *s, int64_t version, const char *path, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(s, "s", err);
  if (st || (st = lt_need(path, "path", err)) != 0) return st;
  lt_fpenv_enter(&env); /* loading predicts the golden rows */
  st = lt_folder_export(s, version, path, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_store_load(leat_store *s, int64_t version, leat_model **out, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(s, "s", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_folder_load(s, version, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_store_stage(leat_store *s, const char *stage, int64_t *version, leat_error *err) {
  leat_status st = lt_need(version, "version", err);
  if (st) return st;
  *version = 0;
  if ((st = lt_need(s, "s", err)) != 0 || (st = lt_need(stage, "stage", err)) != 0) return st;
  st = lt_folder_stage(s, stage, version, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_store_promote(leat_store *s, int64_t version, const char *stage, int64_t expected_generation,
                                        int64_t *generation, leat_error *err) {
  lt_fpenv env;
  if (generation) *generation = 0;
  leat_status st = lt_need(s, "s", err);
  if (st || (st = lt_need(stage, "stage", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_folder_promote(s, version, stage, expected_generation, generation, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_store_rollback(leat_store *s, const char *stage, int64_t expected_generation,
                                         int64_t *generation, leat_error *err) {
  lt_fpenv env;
  if (generation) *generation = 0;
  leat_status st = lt_need(s, "s", err);
  if (st || (st = lt_need(stage, "stage", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_folder_rollback(s, stage, expected_generation, generation, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_store_pin(leat_store *s, int64_t version, int64_t pinned, leat_error *err) {
  leat_status st = lt_need(s, "s", err);
  if (st) return st;
  if (pinned != 0 && pinned != 1)
    return lt_fail(err, LEAT_E_ARG, "pinned is %lld; it is 1 (keep it) or 0 (no longer)", (long long)pinned);
  st = lt_folder_pin(s, version, pinned, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_store_history(leat_store *s, int64_t *cursor, leat_event *out, leat_error *err) {
  leat_event full;
  leat_status st = lt_need(out, "out", err);
  if (!st) st = lt_need(s, "s", err);
  if (!st) st = lt_need(cursor, "cursor", err);
  if (!st) st = lt_take_struct(&full, sizeof full, out, out->struct_size, "leat_event", err);
  if (!st) st = lt_folder_history(s, cursor, &full, err);
  if (st) return st;
  lt_give_struct(out, out->struct_size, &full, sizeof full);
  return lt_ok(err);
}

LEAT_API leat_status leat_store_series(leat_store *s, int64_t *cursor, leat_point *out, leat_error *err) {
  leat_point full;
  leat_status st = lt_need(out, "out", err);
  if (!st) st = lt_need(s, "s", err);
  if (!st) st = lt_need(cursor, "cursor", err);
  if (!st) st = lt_take_struct(&full, sizeof full, out, out->struct_size, "leat_point", err);
  if (!st) st = lt_series_next(s, cursor, &full, err);
  if (st) return st;
  lt_give_struct(out, out->struct_size, &full, sizeof full);
  return lt_ok(err);
}

LEAT_API leat_status leat_store_drift(leat_store *s, int64_t *cursor, leat_drift_point *out, leat_error *err) {
  leat_drift_point full;
  leat_status st = lt_need(out, "out", err);
  if (!st) st = lt_need(s, "s", err);
  if (!st) st = lt_need(cursor, "cursor", err);
  if (!st) st = lt_take_struct(&full, sizeof full, out, out->struct_size, "leat_drift_point", err);
  if (!st) st = lt_series_next_drift(s, cursor, &full, err);
  if (st) return st;
  lt_give_struct(out, out->struct_size, &full, sizeof full);
  return lt_ok(err);
}

LEAT_API leat_status leat_store_alert(leat_store *s, const char *name, int64_t raised, double value, double threshold,
                                      const char *text, leat_error *err) {
  leat_status st = lt_need(s, "s", err);
  if (!st) st = lt_need(name, "name", err);
  if (!st && (!*name || strlen(name) > 63)) st = lt_fail(err, LEAT_E_ARG, "an alert's name has 1 to 63 bytes, this one %llu", (unsigned long long)strlen(name));
  if (!st) st = lt_alert_note(s, name, raised != 0, value, threshold, 0, text ? text : "", err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_store_latency(leat_store *s, int64_t op, leat_latency *out, leat_error *err) {
  leat_latency full;
  leat_status st = lt_need(out, "out", err);
  if (!st) st = lt_need(s, "s", err);
  if (!st) st = lt_take_struct(&full, sizeof full, out, out->struct_size, "leat_latency", err);
  if (!st && (op < 0 || op >= LEAT_LATENCY_OPS))
    st = lt_fail(err, LEAT_E_ARG, "op is %lld: it is one of LEAT_LATENCY_*, 0 to %d", (long long)op, LEAT_LATENCY_OPS - 1);
  if (!st) st = lt_series_latency(s, op, &full, err);
  if (st) return st;
  lt_give_struct(out, out->struct_size, &full, sizeof full);
  return lt_ok(err);
}

LEAT_API leat_status leat_store_monitored(leat_store *s, const leat_monitor *w, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(s, "s", err);
  if (!st) st = lt_need(w, "w", err);
  if (st) return st;
  lt_fpenv_enter(&env);
  st = lt_refresh_monitored(s, w, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_store_due(leat_store *s, const leat_params *p, leat_due_info *info, leat_error *err) {
  leat_due_info full;
  lt_fpenv env;
  leat_status st = lt_need(info, "info", err);
  if (!st) st = lt_need(s, "s", err);
  if (!st) st = lt_take_struct(&full, sizeof full, info, info->struct_size, "leat_due_info", err);
  if (st) return st;
  memset(&full, 0, sizeof full);
  full.struct_size = sizeof full;
  lt_fpenv_enter(&env);
  st = lt_refresh_due(s, p, &full, err);
  lt_fpenv_leave(&env);
  if (st) return st;
  lt_give_struct(info, info->struct_size, &full, sizeof full);
  return lt_ok(err);
}

LEAT_API leat_status leat_store_challenge(leat_store *s, const leat_model *m, const leat_dataset *d, const leat_params *p,
                                          leat_challenge_info *info, leat_error *err) {
  leat_challenge_info full;
  lt_fpenv env;
  leat_status st = lt_need(info, "info", err);
  if (!st) st = lt_need(s, "s", err);
  if (!st) st = lt_need(m, "m", err);
  if (!st) st = lt_need(d, "d", err);
  if (!st) st = lt_take_struct(&full, sizeof full, info, info->struct_size, "leat_challenge_info", err);
  if (st) return st;
  memset(&full, 0, sizeof full);
  full.struct_size = sizeof full;
  lt_fpenv_enter(&env);
  st = lt_refresh_challenge(s, m, d, p, &full, err);
  lt_fpenv_leave(&env);
  if (st) return st;
  lt_give_struct(info, info->struct_size, &full, sizeof full);
  return lt_ok(err);
}

LEAT_API leat_status leat_store_verify(leat_store *s, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(s, "s", err);
  if (st) return st;
  lt_fpenv_enter(&env);
  st = lt_folder_verify(s, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_store_gc(leat_store *s, int64_t *bytes, leat_error *err) {
  if (bytes) *bytes = 0;
  leat_status st = lt_need(s, "s", err);
  if (st || (st = lt_folder_gc(s, bytes, err)) != 0) return st;
  return lt_ok(err);
}
