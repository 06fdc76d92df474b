/* Chapter 9 of leat.h: batches. */
#include "api/api.h"
#include "data/batch.h"

LEAT_API leat_status leat_batch_create(leat_runtime *rt, const leat_schema *s, leat_batch **out, leat_error *err) {
  leat_schema *copy = NULL; /* the caller may go on changing s */
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(s, "s", err)) != 0) return st;
  if ((st = lt_schema_copy(s, &copy, err)) != 0) return st;
  st = lt_batch_create(rt, copy, out, err);
  lt_schema_free(copy);
  return st ? st : lt_ok(err);
}

LEAT_API void leat_batch_free(leat_batch *b) { lt_batch_free(b); }

LEAT_API leat_status leat_batch_clear(leat_batch *b, leat_error *err) {
  leat_status st = lt_need(b, "b", err);
  if (st) return st;
  lt_batch_clear(b);
  return lt_ok(err);
}

LEAT_API leat_status leat_batch_set_dense(leat_batch *b, const leat_matrix *x, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(b, "b", err);
  if (st || (st = lt_need(x, "x", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_batch_set_dense(b, x, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_batch_set_csr(leat_batch *b, const leat_csr *x, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(b, "b", err);
  if (st || (st = lt_need(x, "x", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_batch_set_csr(b, x, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_batch_add_text(leat_batch *b, const char *const *fields, uint64_t n, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(b, "b", err);
  if (st || (st = lt_need(fields, "fields", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_batch_add_text(b, fields, n, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_batch_set_labels(leat_batch *b, const leat_matrix *y, const leat_matrix *w, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(b, "b", err);
  if (st) return st;
  lt_fpenv_enter(&env);
  st = lt_batch_set_labels(b, y, w, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_batch_set_source(leat_batch *b, const char *source, int64_t first, leat_error *err) {
  leat_status st = lt_need(b, "b", err);
  if (st || (st = lt_need(source, "source", err)) != 0) return st;
  if (!source[0]) return lt_fail(err, LEAT_E_RANGE, "source is empty, it must have 1 to 255 bytes"); /* a learner's word for none */
  st = lt_batch_set_source(b, source, first, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_batch_add_bad(leat_batch *b, leat_reason reason, int64_t column, const void *raw,
                                        uint64_t size, leat_error *err) {
  leat_status st = lt_need(b, "b", err);
  if (st || (size && (st = lt_need(raw, "raw", err)) != 0)) return st;
  st = lt_batch_add_bad(b, reason, column, raw, size, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_batch_rows(const leat_batch *b, int64_t *rows, leat_error *err) {
  lt_rows view;
  leat_status st = lt_need(rows, "rows", err);
  if (st) return st;
  *rows = 0;
  if ((st = lt_need(b, "b", err)) != 0) return st;
  lt_batch_rows(b, &view);
  *rows = view.n;
  return lt_ok(err);
}

LEAT_API leat_status leat_batch_text(const leat_batch *b, int64_t row, int64_t column, char *buf, uint64_t cap,
                                     uint64_t *needed, leat_error *err) {
  lt_rows view;
  lt_put w;
  if (needed) *needed = 0;
  leat_status st = lt_need(b, "b", err);
  if (st) return st;
  lt_batch_rows(b, &view);
  lt_put_init(&w, lt_batch_runtime(b));
  st = lt_rows_text(&view, row, column, &w, err);
  if (!st) st = lt_give_text(w.data ? (const char *)w.data : "", w.size, buf, cap, needed, err);
  lt_put_free(&w);
  return st ? st : lt_ok(err);
}
