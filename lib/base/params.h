/* Named, typed, listed parameters: a spec is a static table, a leat_params is a set of values for one. */
#ifndef LEAT_BASE_PARAMS_H
#define LEAT_BASE_PARAMS_H
#include "base/bytes.h"
typedef struct lt_param_def {
  const char *name;
  int32_t type;             /* LEAT_PARAM_* */
  const char *default_text; /* "" = empty text */
  double min, max;          /* numbers; both 0: unbounded. Text: max is the longest length, 0 = 4096 */
  const char *choices;      /* LEAT_PARAM_CHOICE: "a|b|c" */
  const char *doc;          /* one sentence, with the unit */
  int32_t since;            /* format: major << 16 | minor << 8 */
} lt_param_def;
typedef struct lt_spec {
  const char *name;         /* "model/linear" */
  const char *doc;
  const lt_param_def *defs;
  int64_t count;
} lt_spec;
leat_status lt_params_create(leat_runtime *rt, const lt_spec *spec, leat_params **out, leat_error *err);
void lt_params_free(leat_params *p);
leat_status lt_params_copy(const leat_params *p, leat_params **out, leat_error *err);
const lt_spec *lt_params_spec(const leat_params *p);
leat_status lt_params_info(const leat_params *p, int64_t index, leat_param_info *info, leat_error *err);
leat_status lt_params_set_i64(leat_params *p, const char *name, int64_t value, leat_error *err);
leat_status lt_params_set_f64(leat_params *p, const char *name, double value, leat_error *err);
leat_status lt_params_set_text(leat_params *p, const char *name, const char *value, leat_error *err);
leat_status lt_params_get_i64(const leat_params *p, const char *name, int64_t *value, leat_error *err);
leat_status lt_params_get_f64(const leat_params *p, const char *name, double *value, leat_error *err);
leat_status lt_params_get_text(const leat_params *p, const char *name, char *buf, uint64_t cap, uint64_t *needed,
                               leat_error *err);
leat_status lt_params_reset(leat_params *p, const char *name, leat_error *err);
/* For code that knows its own spec: a missing name is a bug and gives 0 / "" / the first choice. */
int64_t lt_param_int(const leat_params *p, const char *name);
double lt_param_real(const leat_params *p, const char *name);
const char *lt_param_str(const leat_params *p, const char *name); /* text and choices; lives as long as the value */
int lt_param_is(const leat_params *p, const char *name, const char *choice);
/* name=value pairs that differ from the defaults (names sorted), into a package or checkpoint and back. Unknown names
 * on reading are FORMAT. */
void lt_params_save(const leat_params *p, lt_put *w);
leat_status lt_params_load(leat_params *p, lt_get *r, leat_error *err);
#endif
