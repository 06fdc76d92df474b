/* Chapter 19 of leat.h: tables of predictions. */
#include "api/api.h"
#include "data/dataset.h"
#include "data/store.h"
#include "serve/table.h"
#include <string.h>

LEAT_API leat_status leat_table_writer_create(leat_runtime *rt, const char *path, const leat_params *p,
                                              const leat_model *m, leat_table_writer **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(path, "path", err)) != 0) return st;
  st = lt_table_writer_create(rt, path, p, m, out, err);
  return st ? st : lt_ok(err);
}

LEAT_API void leat_table_writer_free(leat_table_writer *w) { lt_table_writer_free(w); }

LEAT_API leat_status leat_table_writer_add(leat_table_writer *w, const void *key, uint64_t key_size, const float *value,
                                           uint64_t n, leat_error *err) {
  leat_status st;
  if (!w || !key || !value) return lt_fail(err, LEAT_E_ARG, "%s is NULL", !w ? "w" : !key ? "key" : "value");
  if ((st = lt_owner_enter(lt_table_writer_owner(w), "table writer", err)) != 0) return st;
  st = lt_table_writer_add(w, key, key_size, value, n, err);
  lt_owner_leave(lt_table_writer_owner(w));
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_table_writer_score(leat_table_writer *w, leat_dataset *rows, const leat_device *dev,
                                             leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(w, "w", err);
  if (st || (st = lt_need(rows, "rows", err)) != 0) return st;
  if ((st = lt_owner_enter(lt_table_writer_owner(w), "table writer", err)) != 0) return st;
  if ((st = lt_owner_enter(&rows->owner, "dataset", err)) == 0) {
    lt_fpenv_enter(&env);
    st = lt_table_writer_score(w, rows, dev, err);
    lt_fpenv_leave(&env);
    lt_owner_leave(&rows->owner);
  }
  lt_owner_leave(lt_table_writer_owner(w));
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_table_writer_finish(leat_table_writer *w, leat_error *err) {
  leat_status st = lt_need(w, "w", err);
  if (st || (st = lt_owner_enter(lt_table_writer_owner(w), "table writer", err)) != 0) return st;
  st = lt_table_writer_finish(w, err);
  lt_owner_leave(lt_table_writer_owner(w));
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_table_open(leat_runtime *rt, const char *path, const leat_params *p, leat_table **out,
                                     leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(path, "path", err)) != 0) return st;
  st = lt_table_open(rt, path, p, out, err);
  return st ? st : lt_ok(err);
}

LEAT_API void leat_table_free(leat_table *t) { lt_table_free(t); }

LEAT_API leat_status leat_table_get_info(const leat_table *t, leat_table_info *info, leat_error *err) {
  leat_status st = lt_need(t, "t", err);
  if (st || (st = lt_need(info, "info", err)) != 0 || (st = lt_table_info(t, info, err)) != 0) return st;
  return lt_ok(err);
}

/* lt_ok without a call: between look-ups that wait for memory every instruction counts. */
static inline leat_status table_ok(leat_error *err) {
  if (!err || err->struct_size != sizeof *err) return lt_ok(err);
  err->code = 0;
  err->os_code = 0;
  memset(err->detail, 0, sizeof err->detail);
  err->message[0] = 0;
  return LEAT_OK;
}

/* The hot call: a handful of compares. */
LEAT_API leat_status leat_table_get(const leat_table *t, const void *key, uint64_t key_size, float *value, uint64_t cap,
                                    int64_t *found, leat_error *err) {
  if (!t || !key || !value || !found) {
    if (found) *found = 0;
    return lt_fail(err, LEAT_E_ARG, "%s is NULL", !t ? "t" : !key ? "key" : !value ? "value" : "found");
  }
  leat_status st = lt_table_get(t, key, key_size, value, cap, found, err);
  return st ? st : table_ok(err);
}

LEAT_API leat_status leat_table_get_many(const leat_table *t, const void *keys, const uint64_t *key_ends, uint64_t n,
                                         leat_matrix *values, int64_t *found, leat_error *err) {
  leat_status st = lt_need(t, "t", err);
  if (st || (st = lt_need(values, "values", err)) != 0) return st;
  if (n && ((st = lt_need(keys, "keys", err)) != 0 || (st = lt_need(found, "found", err)) != 0)) return st;
  st = lt_table_get_many(t, keys, key_ends, n, values, found, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_table_reader_create(const leat_table *t, uint64_t cache_bytes, leat_table_reader **out,
                                              leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(t, "t", err)) != 0) return st;
  st = lt_table_reader_create(t, cache_bytes, out, err);
  return st ? st : lt_ok(err);
}

LEAT_API void leat_table_reader_free(leat_table_reader *r) { lt_table_reader_free(r); }

LEAT_API leat_status leat_table_reader_get(leat_table_reader *r, const void *key, uint64_t key_size, float *value,
                                           uint64_t cap, int64_t *found, leat_error *err) {
  leat_status st;
  if (!r || !key || !value || !found) {
    if (found) *found = 0;
    return lt_fail(err, LEAT_E_ARG, "%s is NULL", !r ? "r" : !key ? "key" : !value ? "value" : "found");
  }
  if ((st = lt_owner_enter(lt_table_reader_owner(r), "table reader", err)) != 0) return st;
  st = lt_table_reader_get(r, key, key_size, value, cap, found, err);
  lt_owner_leave(lt_table_reader_owner(r));
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_table_reader_get_rows(leat_table_reader *r, const leat_batch *rows, leat_predictor *live,
                                                leat_matrix *values, int64_t *found, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(r, "r", err);
  if (st || (st = lt_need(rows, "rows", err)) != 0 || (st = lt_need(values, "values", err)) != 0 ||
      (st = lt_need(found, "found", err)) != 0)
    return st;
  if ((st = lt_owner_enter(lt_table_reader_owner(r), "table reader", err)) != 0) return st;
  if (!live || (st = lt_owner_enter(&lt_predictor_gate_of(live)->owner, "predictor", err)) == 0) {
    lt_fpenv_enter(&env);
    st = lt_table_reader_get_rows(r, rows, live, values, found, err);
    lt_fpenv_leave(&env);
    if (live) lt_owner_leave(&lt_predictor_gate_of(live)->owner);
  }
  lt_owner_leave(lt_table_reader_owner(r));
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_table_reader_seek(leat_table_reader *r, const void *from, uint64_t from_size, leat_error *err) {
  leat_status st = lt_need(r, "r", err);
  if (st || (from_size && (st = lt_need(from, "from", err)) != 0)) return st;
  if ((st = lt_owner_enter(lt_table_reader_owner(r), "table reader", err)) != 0) return st;
  st = lt_table_reader_seek(r, from, from_size, err);
  lt_owner_leave(lt_table_reader_owner(r));
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_table_reader_next(leat_table_reader *r, void *key, uint64_t cap, uint64_t *needed, float *value,
                                            uint64_t n, leat_error *err) {
  leat_status st;
  if (needed) *needed = 0;
  if (!r || !key || !needed) return lt_fail(err, LEAT_E_ARG, "%s is NULL", !r ? "r" : !key ? "key" : "needed");
  if ((st = lt_owner_enter(lt_table_reader_owner(r), "table reader", err)) != 0) return st;
  st = lt_table_reader_next(r, key, cap, needed, value, n, err);
  lt_owner_leave(lt_table_reader_owner(r));
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_table_merge(leat_runtime *rt, const char *const *paths, uint64_t n, const char *to,
                                      const leat_params *p, leat_error *err) {
  leat_status st = lt_need(rt, "rt", err);
  if (st || (st = lt_need(paths, "paths", err)) != 0 || (st = lt_need(to, "to", err)) != 0) return st;
  for (uint64_t i = 0; i < n; i++)
    if (!paths[i]) return lt_fail(err, LEAT_E_ARG, "paths[%llu] is NULL", (unsigned long long)i);
  st = lt_table_merge(rt, paths, n, to, p, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_table_diff(const leat_table *a, const leat_table *b, double tolerance,
                                     void (*each)(void *user, int64_t what, const void *key, uint64_t key_size,
                                                  const float *a_value, const float *b_value),
                                     void *user, leat_table_changes *out, leat_error *err) {
  leat_status st = lt_need(a, "a", err);
  if (st || (st = lt_need(b, "b", err)) != 0 || (st = lt_need(out, "out", err)) != 0) return st;
  st = lt_table_diff(a, b, tolerance, each, user, out, err);
  return st ? st : lt_ok(err);
}
