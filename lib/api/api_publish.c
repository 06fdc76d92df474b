/* Chapter 19 of leat.h: tables in stores, and followers. */
#include "api/api.h"
#include "lifecycle/tables.h"

LEAT_API leat_status leat_table_publish(leat_store *s, const char *name, const char *path, const leat_params *p,
                                        leat_publish_report *report, leat_error *err) {
  leat_publish_report full;
  leat_status st = lt_need(s, "s", err);
  if (!st) st = lt_need(name, "name", err);
  if (!st) st = lt_need(path, "path", err);
  if (!st && report) st = lt_take_struct(&full, sizeof full, report, report->struct_size, "leat_publish_report", err);
  if (st) return st;
  st = lt_tables_publish(s, name, path, p, &full, err);
  if (report) lt_give_struct(report, report->struct_size, &full, sizeof full);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_table_rollback(leat_store *s, const char *name, int64_t *generation, leat_error *err) {
  int64_t made;
  if (generation) *generation = 0;
  leat_status st = lt_need(s, "s", err);
  if (!st) st = lt_need(name, "name", err);
  if (st || (st = lt_tables_rollback(s, name, &made, err)) != 0) return st;
  if (generation) *generation = made;
  return lt_ok(err);
}

LEAT_API leat_status leat_published_count(leat_store *s, int64_t *count, leat_error *err) {
  leat_status st = lt_need(count, "count", err);
  if (st) return st;
  *count = 0;
  if ((st = lt_need(s, "s", err)) != 0 || (st = lt_tables_count(s, count, err)) != 0) return st;
  return lt_ok(err);
}

LEAT_API leat_status leat_published_at(leat_store *s, int64_t index, leat_published_info *info, leat_error *err) {
  leat_published_info full;
  leat_status st = lt_need(info, "info", err);
  if (!st) st = lt_need(s, "s", err);
  if (!st) st = lt_take_struct(&full, sizeof full, info, info->struct_size, "leat_published_info", err);
  if (!st) st = lt_tables_at(s, index, &full, err);
  if (st) return st;
  lt_give_struct(info, info->struct_size, &full, sizeof full);
  return lt_ok(err);
}

LEAT_API leat_status leat_follower_create(leat_store *s, const char *name, const leat_params *p, leat_follower **out,
                                          leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(s, "s", err)) != 0 || (st = lt_need(name, "name", err)) != 0) return st;
  st = lt_follower_create(s, name, p, out, err);
  return st ? st : lt_ok(err);
}

LEAT_API void leat_follower_free(leat_follower *f) { lt_follower_free(f); }

LEAT_API leat_status leat_follower_poll(leat_follower *f, int64_t *generation, leat_error *err) {
  if (generation) *generation = 0;
  leat_status st = lt_need(f, "f", err);
  if (st || (st = lt_follower_poll(f, generation, err)) != 0) return st;
  return lt_ok(err);
}

LEAT_API leat_status leat_follower_table(leat_follower *f, leat_table **out, int64_t *generation, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if (generation) *generation = 0;
  if ((st = lt_need(f, "f", err)) != 0) return st;
  lt_follower_table(f, out, generation);
  return lt_ok(err);
}

LEAT_API leat_status leat_follower_get(leat_follower *f, const void *key, uint64_t key_size, float *value, uint64_t cap,
                                       int64_t *found, leat_error *err) {
  if (!f || !key || !value || !found) {
    if (found) *found = 0;
    return lt_fail(err, LEAT_E_ARG, "%s is NULL", !f ? "f" : !key ? "key" : !value ? "value" : "found");
  }
  leat_status st = lt_follower_get(f, key, key_size, value, cap, found, err);
  return st ? st : lt_ok(err);
}
