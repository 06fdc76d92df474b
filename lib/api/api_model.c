/* Chapter 12 of leat.h: models. */
#include "api/api.h"
#include "model/model.h"

LEAT_API leat_status leat_model_load(leat_runtime *rt, const char *path, leat_model **out, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(path, "path", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_model_load(rt, path, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_model_load_bytes(leat_runtime *rt, const void *data, uint64_t size, leat_model **out,
                                           leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(data, "data", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_model_load_bytes(rt, data, size, "(memory)", out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_model_save(const leat_model *m, const char *path, leat_error *err) {
  leat_status st = lt_need(m, "m", err);
  if (st || (st = lt_need(path, "path", err)) != 0 || (st = lt_model_save(m, path, err)) != 0) return st;
  return lt_ok(err);
}

/* A buffer may be NULL when it has no room: asking for `needed`. */
static leat_status model_need_buffer(const leat_model *m, const void *buf, uint64_t cap, uint64_t *needed,
                                     leat_error *err) {
  leat_status st = lt_need(needed, "needed", err);
  if (st) return st;
  *needed = 0;
  if ((st = lt_need(m, "m", err)) != 0) return st;
  return cap > 0 ? lt_need(buf, "buf", err) : LEAT_OK;
}

LEAT_API leat_status leat_model_save_bytes(const leat_model *m, void *buf, uint64_t cap, uint64_t *needed,
                                           leat_error *err) {
  leat_status st = model_need_buffer(m, buf, cap, needed, err);
  if (st || (st = lt_model_save_bytes(m, buf, cap, needed, err)) != 0) return st;
  return lt_ok(err);
}

LEAT_API leat_status leat_model_get_i64(const leat_model *m, const char *name, int64_t *value, leat_error *err) {
  leat_status st = lt_need(value, "value", err);
  if (st) return st;
  *value = 0;
  if ((st = lt_need(m, "m", err)) != 0 || (st = lt_need(name, "name", err)) != 0) return st;
  st = lt_model_get_i64(m, name, value, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_model_get_text(const leat_model *m, const char *name, char *buf, uint64_t cap,
                                         uint64_t *needed, leat_error *err) {
  leat_status st = model_need_buffer(m, buf, cap, needed, err);
  if (st || (st = lt_need(name, "name", err)) != 0) return st;
  st = lt_model_get_text(m, name, buf, cap, needed, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_model_get_f64s(const leat_model *m, const char *name, double *buf, uint64_t cap,
                                         uint64_t *needed, leat_error *err) {
  leat_status st = model_need_buffer(m, buf, cap, needed, err);
  if (st || (st = lt_need(name, "name", err)) != 0) return st;
  st = lt_model_get_f64s(m, name, buf, cap, needed, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_model_schema(const leat_model *m, leat_schema **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(m, "m", err)) != 0 || (st = lt_schema_copy(lt_model_schema(m), out, err)) != 0) return st;
  return lt_ok(err);
}

LEAT_API void leat_model_ref(const leat_model *m) {
  if (m) lt_model_ref(m);
}

LEAT_API void leat_model_free(const leat_model *m) { lt_model_free(m); }
