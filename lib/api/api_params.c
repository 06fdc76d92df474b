/* Chapter 7 of leat.h: parameters. */
#include "api/api.h"

LEAT_API leat_status leat_spec_count(const leat_runtime *rt, int64_t *count, leat_error *err) {
  leat_status st = lt_need(count, "count", err);
  if (st) return st;
  *count = 0;
  if ((st = lt_need(rt, "rt", err)) != 0) return st;
  *count = lt_specs_count();
  return lt_ok(err);
}

LEAT_API leat_status leat_spec_name(const leat_runtime *rt, int64_t index, const char **name, leat_error *err) {
  leat_status st = lt_need(name, "name", err);
  const lt_spec *s;
  if (st) return st;
  *name = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0) return st;
  s = lt_specs_at(index);
  if (!s)
    return lt_fail(err, LEAT_E_NOT_FOUND, "spec %lld: there are %lld, counted from 0", (long long)index,
                   (long long)lt_specs_count());
  *name = s->name;
  return lt_ok(err);
}

LEAT_API leat_status leat_params_create(leat_runtime *rt, const char *spec, leat_params **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  const lt_spec *s;
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(spec, "spec", err)) != 0) return st;
  if ((st = lt_specs_find(spec, &s, err)) != 0) return st;
  lt_fpenv env;
  lt_fpenv_enter(&env); /* defaults are parsed from their text: the rounding mode decides about the last bit */
  st = lt_params_create(rt, s, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API void leat_params_free(leat_params *p) { lt_params_free(p); }

LEAT_API leat_status leat_params_copy(const leat_params *p, leat_params **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(p, "p", err)) != 0 || (st = lt_params_copy(p, out, err)) != 0) return st;
  return lt_ok(err);
}

LEAT_API leat_status leat_params_count(const leat_params *p, int64_t *count, leat_error *err) {
  leat_status st = lt_need(count, "count", err);
  if (st) return st;
  *count = 0;
  if ((st = lt_need(p, "p", err)) != 0) return st;
  *count = lt_params_spec(p)->count;
  return lt_ok(err);
}

LEAT_API leat_status leat_params_info(const leat_params *p, int64_t index, leat_param_info *info, leat_error *err) {
  leat_status st = lt_need(p, "p", err);
  if (st || (st = lt_need(info, "info", err)) != 0 || (st = lt_params_info(p, index, info, err)) != 0) return st;
  return lt_ok(err);
}

LEAT_API leat_status leat_params_set_i64(leat_params *p, const char *name, int64_t value, leat_error *err) {
  leat_status st = lt_need(p, "p", err);
  if (st || (st = lt_need(name, "name", err)) != 0 || (st = lt_params_set_i64(p, name, value, err)) != 0) return st;
  return lt_ok(err);
}

LEAT_API leat_status leat_params_set_f64(leat_params *p, const char *name, double value, leat_error *err) {
  leat_status st = lt_need(p, "p", err);
  if (st || (st = lt_need(name, "name", err)) != 0 || (st = lt_params_set_f64(p, name, value, err)) != 0) return st;
  return lt_ok(err);
}

LEAT_API leat_status leat_params_set_text(leat_params *p, const char *name, const char *value, leat_error *err) {
  leat_status st = lt_need(p, "p", err);
  if (st || (st = lt_need(name, "name", err)) != 0 || (st = lt_need(value, "value", err)) != 0) return st;
  lt_fpenv env;
  lt_fpenv_enter(&env);
  st = lt_params_set_text(p, name, value, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_params_get_i64(const leat_params *p, const char *name, int64_t *value, leat_error *err) {
  leat_status st = lt_need(value, "value", err);
  if (st) return st;
  *value = 0;
  if ((st = lt_need(p, "p", err)) != 0 || (st = lt_need(name, "name", err)) != 0) return st;
  st = lt_params_get_i64(p, name, value, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_params_get_f64(const leat_params *p, const char *name, double *value, leat_error *err) {
  leat_status st = lt_need(value, "value", err);
  if (st) return st;
  *value = 0;
  if ((st = lt_need(p, "p", err)) != 0 || (st = lt_need(name, "name", err)) != 0) return st;
  st = lt_params_get_f64(p, name, value, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_params_get_text(const leat_params *p, const char *name, char *buf, uint64_t cap,
                                          uint64_t *needed, leat_error *err) {
  leat_status st;
  if (needed) *needed = 0;
  if ((st = lt_need(p, "p", err)) != 0 || (st = lt_need(name, "name", err)) != 0) return st;
  st = lt_params_get_text(p, name, buf, cap, needed, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_params_reset(leat_params *p, const char *name, leat_error *err) {
  leat_status st = lt_need(p, "p", err);
  if (st) return st;
  lt_fpenv env;
  lt_fpenv_enter(&env);
  st = lt_params_reset(p, name, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}
