/* Chapter 10 of leat.h: datasets. */
#include "api/api.h"
#include "data/dataset.h"
#include "data/store.h"

LEAT_API leat_status leat_dataset_from_dense(leat_runtime *rt, const leat_schema *s, const leat_matrix *x,
                                             const leat_matrix *y, const leat_matrix *w, leat_dataset **out,
                                             leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(x, "x", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_dataset_from_dense(rt, s, x, y, w, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_dataset_from_csr(leat_runtime *rt, const leat_schema *s, const leat_csr *x,
                                           const leat_matrix *y, const leat_matrix *w, leat_dataset **out,
                                           leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(x, "x", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_dataset_from_csr(rt, s, x, y, w, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_dataset_open(leat_runtime *rt, const leat_schema *s, const char *path,
                                       const leat_params *reader, leat_dataset **out, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(path, "path", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_dataset_open(rt, s, path, reader, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_dataset_from_reader(leat_runtime *rt, const leat_schema *s, const leat_params *reader,
                                              const char *name, int64_t (*pull)(void *user, void *buf, uint64_t cap),
                                              void *user, leat_dataset **out, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(name, "name", err)) != 0) return st;
  if (!pull) return lt_fail(err, LEAT_E_ARG, "pull is NULL");
  lt_fpenv_enter(&env);
  st = lt_dataset_from_reader(rt, s, reader, name, pull, user, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_dataset_slice(const leat_dataset *d, int64_t first, int64_t count, leat_dataset **out,
                                        leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(d, "d", err)) != 0 || (st = lt_dataset_slice(d, first, count, out, err)) != 0) return st;
  return lt_ok(err);
}

LEAT_API leat_status leat_dataset_take(const leat_dataset *d, const int64_t *rows, uint64_t n, leat_dataset **out,
                                       leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(d, "d", err)) != 0 || (n && (st = lt_need(rows, "rows", err)) != 0) ||
      (st = lt_dataset_take(d, rows, n, out, err)) != 0)
    return st;
  return lt_ok(err);
}

LEAT_API leat_status leat_dataset_shape(const leat_dataset *d, int64_t *rows, int64_t *cols, leat_error *err) {
  if (rows) *rows = 0;
  if (cols) *cols = 0;
  leat_status st = lt_need(d, "d", err);
  if (st) return st;
  if (rows) *rows = lt_dataset_rows(d);
  if (cols) *cols = lt_schema_numbers(lt_dataset_schema(d));
  return lt_ok(err);
}

LEAT_API leat_status leat_dataset_schema(const leat_dataset *d, leat_schema **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(d, "d", err)) != 0 || (st = lt_schema_copy(lt_dataset_schema(d), out, err)) != 0) return st;
  return lt_ok(err);
}

LEAT_API leat_status leat_dataset_next(leat_dataset *d, int64_t max_rows, leat_batch *rows, int64_t *got,
                                       leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(got, "got", err);
  if (st) return st;
  *got = 0;
  if ((st = lt_need(d, "d", err)) != 0 || (st = lt_need(rows, "rows", err)) != 0) return st;
  if ((st = lt_owner_enter(&d->owner, "dataset", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_dataset_next(d, max_rows, rows, got, err);
  lt_fpenv_leave(&env);
  lt_owner_leave(&d->owner);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_dataset_rewind(leat_dataset *d, leat_error *err) {
  leat_status st = lt_need(d, "d", err);
  if (st || (st = lt_owner_enter(&d->owner, "dataset", err)) != 0) return st;
  st = lt_dataset_rewind(d, err);
  lt_owner_leave(&d->owner);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_dataset_save(leat_dataset *d, const char *path, const leat_params *settings, int64_t *rows,
                                       leat_error *err) {
  lt_fpenv env;
  if (rows) *rows = 0;
  leat_status st = lt_need(d, "d", err);
  if (st || (st = lt_need(path, "path", err)) != 0 || (st = lt_owner_enter(&d->owner, "dataset", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_dataset_save(d, path, settings, rows, err);
  lt_fpenv_leave(&env);
  lt_owner_leave(&d->owner);
  return st ? st : lt_ok(err);
}

LEAT_API void leat_dataset_free(leat_dataset *d) { lt_dataset_free(d); }
