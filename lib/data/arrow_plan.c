/* What the columns of Arrow arrays are for: a schema from the arrays, or the columns of a given one. Types are believed:
 * only texts are looked at, and integers that merely count the rows. */
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "data/arrow.h"

enum { LOOK_ROWS = 10000 };

static const lt_param_def arrow_defs[] = {
    {"target", LEAT_PARAM_TEXT, "", 0, 0, NULL, "target column, by name, or by number (1 the first, -1 the last)", LT_SINCE_0_1},
    {"task", LEAT_PARAM_CHOICE, "auto", 0, 0, "auto|binary|multiclass|regression",
     "what the target is; auto: text or at most 20 distinct integers are classes", LT_SINCE_0_1},
    {"key", LEAT_PARAM_TEXT, "", 0, 0, NULL, "column that names a row", LT_SINCE_0_1},
    {"weight", LEAT_PARAM_TEXT, "", 0, 0, NULL, "column of row weights", LT_SINCE_0_1},
    {"time", LEAT_PARAM_TEXT, "", 0, 0, NULL, "column of the row's time", LT_SINCE_0_1},
    {"group", LEAT_PARAM_TEXT, "", 0, 0, NULL, "column that groups rows", LT_SINCE_0_1},
    {"ignore", LEAT_PARAM_TEXT, "", 0, 0, NULL, "columns to leave out, separated by commas", LT_SINCE_0_1},
    {"categorical", LEAT_PARAM_TEXT, "", 0, 0, NULL, "columns that are categories, separated by commas", LT_SINCE_0_1},
    {"text", LEAT_PARAM_TEXT, "", 0, 0, NULL, "columns of free text, separated by commas", LT_SINCE_0_1},
    {"number", LEAT_PARAM_TEXT, "", 0, 0, NULL, "columns that are numbers, separated by commas", LT_SINCE_0_1},
    {"source", LEAT_PARAM_TEXT, "", 0, 255, NULL,
     "name of where the rows come from: a learner takes each position of it once; empty: no positions", LT_SINCE_0_1},
    {"stream", LEAT_PARAM_BOOL, "false", 0, 0, NULL, "pull one array after the other instead of holding all", LT_SINCE_0_1},
    {"chunk_rows", LEAT_PARAM_I64, "10000", 1, 100000000, NULL,
     "kinds and labels of a stream are learned from its first rows, at least so many", LT_SINCE_0_1}};
const lt_spec lt_spec_arrow = {"reader/arrow", "Arrow arrays and streams (C data interface).", arrow_defs,
                               (int64_t)(sizeof arrow_defs / sizeof arrow_defs[0])};

typedef struct arrow_look {
  leat_runtime *rt;
  const lt_arrow_table *t;
  const struct ArrowArray *arrays;
  int64_t n;
  const char *name;
} arrow_look;

static leat_status not_taken(const char *where, const lt_arrow_field *f, const char *as, leat_error *err) {
  return lt_fail(err, LEAT_E_DTYPE, "%s: column '%s': Arrow type '%.24s' is not taken as %s; convert it, or ignore the column",
                 where, f->name, f->format, as);
}

/* ---- kinds */

/* Do the first rows of an integer column count up by one? Then it numbers the rows. */
static leat_status counts_rows(const arrow_look *k, const lt_arrow_field *f, int *counts, leat_error *err) {
  int64_t seen = 0, last = 0;
  *counts = 1;
  for (int64_t i = 0; i < k->n && *counts && seen < LOOK_ROWS; i++) {
    lt_arrow_column c;
    leat_status st = lt_arrow_column_of(f, &k->arrays[i], &c, err);
    if (st) return st;
    for (int64_t r = 0; r < c.cells.n && *counts && seen < LOOK_ROWS; r++, seen++) {
      int64_t row = r;
      const lt_arrow_cells *cell = lt_arrow_cell(&c, &row);
      if (!cell) *counts = 0;
      else if (seen && (last == INT64_MAX || lt_arrow_integer(cell, row) != last + 1)) *counts = 0;
      else last = lt_arrow_integer(cell, row);
    }
  }
  *counts &= seen >= 100;
  return LEAT_OK;
}

/* Category, text or id: by its first values. */
static leat_status kind_of_text(const arrow_look *k, const lt_arrow_field *f, int32_t *kind, leat_error *err) {
  lt_infer seen = {0};
  leat_status st = LEAT_OK;
  int64_t rows = 0;
  for (int64_t i = 0; i < k->n && !st && rows < LOOK_ROWS; i++) {
    lt_arrow_column c;
    st = lt_arrow_column_of(f, &k->arrays[i], &c, err);
    for (int64_t r = 0; !st && r < c.cells.n && rows < LOOK_ROWS; r++, rows++) {
      char buf[LT_AR_TEXT_ROOM];
      uint64_t len = 0;
      int64_t row = r;
      const lt_arrow_cells *cell = lt_arrow_cell(&c, &row);
      const char *text = cell ? lt_arrow_text(cell, row, buf, &len) : "";
      seen.values += len > 0;
      if (len) st = lt_infer_words(k->rt, &seen, text, len, err);
    }
  }
  *kind = seen.values ? lt_infer_kind(&seen) : LEAT_CATEGORY;
  lt_infer_free(k->rt, &seen);
  return st;
}

static int32_t plain_kind(const lt_arrow_field *f) {
  int32_t t = f->type.type;
  if (f->index.type != LT_AR_NULL) return LEAT_CATEGORY;
  if (t == LT_AR_BOOL) return LEAT_BOOL;
  if (lt_arrow_is_time(t)) return LEAT_TIME;
  return lt_arrow_is_text(t) || t == LT_AR_OTHER ? LEAT_TEXT : LEAT_NUMBER;
}

static leat_status kind_of_target(const arrow_look *k, const lt_arrow_field *f, int task, int32_t *kind, leat_error *err) {
  if (*kind == LEAT_TEXT)
    return lt_fail(err, LEAT_E_ARG, "%s: column '%s' is the target, it cannot be declared as text", k->name, f->name);
  if (lt_arrow_is_time(f->type.type) || f->type.type == LT_AR_LIST || lt_arrow_is_sparse(f->type.type))
    return not_taken(k->name, f, "a target", err);
  if (*kind) return LEAT_OK;
  int number = f->index.type == LT_AR_NULL && lt_arrow_is_number(f->type.type);
  *kind = number ? LEAT_NUMBER : LEAT_CATEGORY;
  if (!number && task == LT_TASK_REGRESSION)
    return lt_fail(err, LEAT_E_DATA, "%s: column '%s' holds no numbers, and the task is regression", k->name, f->name);
  return LEAT_OK;
}

/* Kind and role of a column as Arrow declares it. */
static leat_status arrow_decide(const arrow_look *k, const lt_arrow_field *f, int task, const lt_want *want, int32_t *kind,
                          int32_t *role, leat_error *err) {
  int32_t plain = plain_kind(f);
  int counts = 0;
  *role = want->role ? want->role : LEAT_ROLE_FEATURE;
  *kind = want->kind;
  switch (*role) {
    case LEAT_ROLE_TARGET: return kind_of_target(k, f, task, kind, err);
    case LEAT_ROLE_IGNORE: *kind = *kind ? *kind : plain; return LEAT_OK;
    case LEAT_ROLE_KEY: *kind = LEAT_ID; return LEAT_OK;
    case LEAT_ROLE_WEIGHT: *kind = LEAT_NUMBER; return LEAT_OK;
    case LEAT_ROLE_TIME: *kind = *kind ? *kind : plain == LEAT_NUMBER ? LEAT_NUMBER : LEAT_TIME; return LEAT_OK;
    case LEAT_ROLE_GROUP: *kind = *kind ? *kind : plain == LEAT_NUMBER ? LEAT_NUMBER : LEAT_CATEGORY; return LEAT_OK;
    default: break;
  }
  if (*kind) return LEAT_OK;
  leat_status st = LEAT_OK;
  *kind = plain;
  if (plain == LEAT_TEXT && lt_arrow_is_text(f->type.type)) st = kind_of_text(k, f, kind, err);
  else if (lt_arrow_is_integer(f->type.type) && plain == LEAT_NUMBER) st = counts_rows(k, f, &counts, err);
  if (counts) *kind = LEAT_ID;
  if (*kind == LEAT_ID) *role = LEAT_ROLE_IGNORE; /* names a row; nothing can be learned from it */
  return st;
}

/* Can a column of this type be of that kind? */
static leat_status check_kind(const char *where, const lt_arrow_field *f, const lt_column *c, leat_error *err) {
  static const char *const kinds[] = {"", "a number", "a category", "a text", "a boolean", "a time", "an id"};
  int32_t t = f->type.type;
  int block = t == LT_AR_LIST || lt_arrow_is_sparse(t), good;
  if (c->sparse || c->width > 1) {
    if (c->sparse ? lt_arrow_is_sparse(t) : t == LT_AR_LIST && f->type.per_second == c->width) return LEAT_OK;
    return lt_fail(err, LEAT_E_DTYPE, "%s: column '%s': Arrow type '%.24s' is not the %s block of %lld numbers", where, f->name,
                   f->format, c->sparse ? "sparse" : "dense", (long long)c->width);
  }
  if (t == LT_AR_NULL) return LEAT_OK;
  if (block && !(t == LT_AR_LIST && f->type.per_second == 1 && c->kind == LEAT_NUMBER)) t = LT_AR_OTHER;
  if (lt_arrow_is_text(t) && f->type.binary && c->role != LEAT_ROLE_KEY && c->kind != LEAT_ID) t = LT_AR_OTHER;
  switch (c->kind) {
    case LEAT_NUMBER: good = !lt_arrow_is_time(t); break;
    case LEAT_BOOL: good = t == LT_AR_BOOL || (lt_arrow_is_number(t) && t != LT_AR_DECIMAL) || lt_arrow_is_text(t); break;
    case LEAT_TIME: good = lt_arrow_is_time(t) || lt_arrow_is_text(t); break;
    default: good = 1; break;
  }
  if (t == LT_AR_OTHER || !good) return not_taken(where, f, kinds[c->kind], err);
  return LEAT_OK;
}

/* ---- what all rows must be known for */

static int same_as_is(const lt_arrow_field *f, int32_t dtype) {
  return f->index.type == LT_AR_NULL && lt_arrow_dtype(f->type.type == LT_AR_LIST ? f->item[0].type : f->type.type) == dtype;
}

/* The type that all chunks of a number column can have: its own, unless integers are missing. */
static leat_status number_type(const arrow_look *k, const lt_arrow_field *f, int32_t *dtype, leat_error *err) {
  int32_t type = f->type.type == LT_AR_LIST ? f->item[0].type : f->type.type;
  *dtype = f->index.type == LT_AR_NULL ? lt_arrow_dtype(type) : 0;
  if (!*dtype) *dtype = type == LT_AR_F16 && f->index.type == LT_AR_NULL ? LEAT_F32 : LEAT_F64;
  for (int64_t i = 0; i < k->n && *dtype != LEAT_F32 && *dtype != LEAT_F64 && same_as_is(f, *dtype); i++) {
    lt_arrow_column c;
    leat_status st = lt_arrow_column_of(f, &k->arrays[i], &c, err);
    if (st) return st;
    if (c.cells.n_valid || c.value.n_valid) *dtype = LEAT_F64;
  }
  return LEAT_OK;
}

static leat_status add_label(const arrow_look *k, const lt_arrow_field *f, lt_column *c, const lt_arrow_cells *cell,
                             int64_t row, int64_t number, leat_error *err) {
  char buf[LT_AR_TEXT_ROOM], small[32];
  uint64_t len = 0;
  int64_t code;
  const char *text = lt_arrow_text(cell, row, buf, &len);
  if (!len || (lt_arrow_is_number(cell->type->type) && isnan(lt_arrow_number(cell, row)))) return LEAT_OK;
  if (c->role == LEAT_ROLE_TARGET) text = lt_label_text(text, &len, small);
  if (memchr(text, 0, len))
    return lt_fail_at(err, LEAT_E_DATA, number + 1, 0, "%s: row %lld, column '%s': a label holds a NUL byte", k->name,
                      (long long)number + 1, f->name);
  if (lt_dict_count(c->labels) >= lt_label_limit(c) && lt_dict_find(c->labels, text, len) < 0) {
    if (c->role != LEAT_ROLE_TARGET) return LEAT_OK;
    return lt_fail(err, LEAT_E_DATA, "%s: the target '%s' has more than %lld classes; is it an identifier?", k->name, f->name,
                   (long long)lt_label_limit(c));
  }
  return lt_dict_add(c->labels, text, len, &code, err);
}

/* The labels that come up, sorted as those of a file. */
static leat_status collect_labels(const arrow_look *k, const lt_arrow_field *f, lt_column *c, leat_error *err) {
  leat_status st = LEAT_OK;
  int64_t number = 0;
  for (int64_t i = 0; i < k->n && !st; i++) {
    lt_arrow_column v;
    uint8_t *seen = NULL;
    st = lt_arrow_column_of(f, &k->arrays[i], &v, err);
    if (!st && f->index.type != LT_AR_NULL) {
      seen = lt_zarray(k->rt, (uint64_t)v.value.n, 1);
      if (!seen) st = lt_fail_memory(err, (uint64_t)v.value.n, "a dictionary");
    }
    for (int64_t r = 0; !st && r < v.cells.n; r++) {
      int64_t row = r;
      const lt_arrow_cells *cell = lt_arrow_cell(&v, &row);
      if (!cell || (seen && seen[row])) continue;
      st = add_label(k, f, c, cell, row, number + r, err);
      if (seen) seen[row] = 1;
    }
    number += k->arrays[i].length;
    lt_free(k->rt, seen);
  }
  return st ? st : lt_dict_sort(c->labels, NULL, err);
}

/* A target of numbers: classes, when the task or the numbers say so. */
static leat_status decide_classes(const arrow_look *k, const lt_arrow_field *f, int task, lt_column *c, leat_error *err) {
  int64_t rows = 0, at = 0;
  for (int64_t i = 0; i < k->n; i++) rows += k->arrays[i].length;
  double *y = lt_array(k->rt, (uint64_t)rows, sizeof *y), *values = NULL;
  lt_dict *labels = NULL;
  if (!y) return lt_fail_memory(err, (uint64_t)rows * sizeof *y, "the target");
  leat_status st = LEAT_OK;
  for (int64_t i = 0; i < k->n && !st; i++) {
    lt_arrow_column v;
    st = lt_arrow_column_of(f, &k->arrays[i], &v, err);
    for (int64_t r = 0; !st && r < v.cells.n; r++) {
      int64_t row = r;
      const lt_arrow_cells *cell = lt_arrow_cell(&v, &row);
      y[at++] = cell ? lt_arrow_number(cell, row) : (double)NAN;
    }
  }
  if (!st) st = lt_target_decide(k->rt, y, at, task, k->name, &labels, &values, err);
  if (labels) {
    c->kind = LEAT_CATEGORY;
    c->labels = labels;
  }
  lt_free(k->rt, values);
  lt_free(k->rt, y);
  return st;
}

/* Width of a sparse block: the largest index of all. */
static leat_status sparse_width(const arrow_look *k, const lt_arrow_field *f, int64_t *width, leat_error *err) {
  *width = 1;
  for (int64_t i = 0; i < k->n; i++) {
    lt_arrow_column v;
    leat_status st = lt_arrow_column_of(f, &k->arrays[i], &v, err);
    if (st) return st;
    for (int64_t q = 0; q < v.index.n; q++) {
      int64_t at = lt_arrow_integer(&v.index, q);
      if (at >= *width && at < INT32_MAX) *width = at + 1;
    }
  }
  return LEAT_OK;
}

/* ---- a schema from the arrays */

static leat_status fresh_column(const arrow_look *k, int64_t i, const lt_want *want, int task, lt_arrow_bind *out,
                                leat_error *err) {
  const lt_arrow_field *f = &k->t->field[i];
  int32_t kind = 0, role = 0;
  int64_t width = 1;
  leat_status st = arrow_decide(k, f, task, want, &kind, &role, err);
  int block = !st && role == LEAT_ROLE_FEATURE && kind == LEAT_NUMBER;
  int sparse = block && lt_arrow_is_sparse(f->type.type);
  if (sparse) st = sparse_width(k, f, &width, err);
  else if (block && f->type.type == LT_AR_LIST) width = f->type.per_second;
  if (!st) st = lt_schema_add(out->schema, f->name, kind, role, width, sparse, err);
  if (st) return st;
  lt_column *c = &out->schema->col[out->schema->n - 1];
  if (role == LEAT_ROLE_IGNORE) return LEAT_OK;
  out->field[i] = i;
  st = check_kind(k->name, f, c, err);
  /* declared a number: not classes, unless the task says so */
  if (task == LT_TASK_AUTO && want->kind == LEAT_NUMBER) task = LT_TASK_REGRESSION;
  if (!st && role == LEAT_ROLE_TARGET && kind == LEAT_NUMBER && lt_arrow_is_number(f->type.type))
    st = decide_classes(k, f, task, c, err);
  else if (!st && c->kind == LEAT_CATEGORY) st = collect_labels(k, f, c, err);
  if (!st && role == LEAT_ROLE_TARGET && c->kind == LEAT_CATEGORY)
    st = lt_target_check_classes(lt_dict_count(c->labels), task == LT_TASK_REGRESSION ? LT_TASK_AUTO : task, k->name, err);
  if (!st && c->kind == LEAT_NUMBER && !c->sparse) st = number_type(k, f, &out->dtype[i], err);
  return st;
}

static leat_status arrow_plan_fresh(const arrow_look *k, const leat_params *p, lt_arrow_bind *out, leat_error *err) {
  lt_want *want = lt_zarray(k->rt, (uint64_t)k->t->n, sizeof *want);
  if (!want) return lt_fail_memory(err, (uint64_t)k->t->n * sizeof *want, "the columns");
  leat_status st = lt_table_wants(k->rt, k->name, k->t->names, p, want, err);
  if (!st) st = lt_schema_create(k->rt, &out->schema, err);
  int task = lt_reader_task(p);
  for (int64_t i = 0; i < k->t->n && !st; i++) st = fresh_column(k, i, &want[i], task, out, err);
  out->fresh = !lt_param_int(p, "stream");
  lt_free(k->rt, want);
  return st;
}

/* ---- a given schema */

static leat_status no_such_column(const arrow_look *k, const char *name, leat_error *err) {
  const char *near = NULL;
  const char **all = lt_array(k->rt, (uint64_t)k->t->n, sizeof *all);
  for (int64_t i = 0; all && i < k->t->n; i++) all[i] = k->t->field[i].name;
  if (all) near = lt_nearest(name, all, k->t->n);
  leat_status st = lt_fail(err, LEAT_E_NOT_FOUND, "%s: the schema needs column '%s'%s%s%s", k->name, name,
                           near ? "; is it '" : ", which is not there", near ? near : "", near ? "'?" : "");
  lt_free(k->rt, all);
  return st;
}

/* The columns that the parameters name take the place of the schema's target and key. */
static leat_status named_column(const arrow_look *k, const leat_params *p, const char *param, int32_t role,
                                leat_schema *s, int64_t *field, leat_error *err) {
  const char *ref = lt_param_str(p, param);
  *field = -1;
  if (!*ref) return LEAT_OK;
  leat_status st = lt_column_ref(k->rt, k->name, k->t->names, ref, field, err);
  if (st || role != LEAT_ROLE_KEY || lt_schema_role(s, role) >= 0) return st;
  const char *name = k->t->field[*field].name;
  int64_t there = lt_dict_find(s->names, name, strlen(name));
  if (there < 0) return lt_schema_add(s, name, LEAT_ID, role, 1, 0, err);
  if (s->col[there].role == LEAT_ROLE_IGNORE) return lt_schema_set_role(s, there, role, err);
  return lt_fail(err, LEAT_E_ARG, "%s: column '%s' is used by the schema, it cannot be the key too", k->name, name);
}

static leat_status arrow_plan_known(const arrow_look *k, const leat_schema *s, const leat_params *p, lt_arrow_bind *out,
                              leat_error *err) {
  int64_t named[2];
  leat_status st = lt_schema_copy(s, &out->schema, err);
  if (!st) st = named_column(k, p, "target", LEAT_ROLE_TARGET, out->schema, &named[0], err);
  if (!st) st = named_column(k, p, "key", LEAT_ROLE_KEY, out->schema, &named[1], err);
  for (int64_t i = 0; !st && i < out->schema->n; i++) {
    const lt_column *c = &out->schema->col[i];
    if (c->role == LEAT_ROLE_IGNORE) continue;
    int64_t f = lt_dict_find(k->t->names, c->name, strlen(c->name));
    if (c->role == LEAT_ROLE_TARGET && named[0] >= 0) f = named[0];
    if (c->role == LEAT_ROLE_KEY && named[1] >= 0) f = named[1];
    if (f < 0 && c->role == LEAT_ROLE_FEATURE && c->kind != LEAT_ID) st = no_such_column(k, c->name, err);
    out->field[i] = f;
    if (!st && f >= 0) st = check_kind(k->name, &k->t->field[f], c, err);
    if (!st && f >= 0 && c->kind == LEAT_NUMBER && !c->sparse) st = number_type(k, &k->t->field[f], &out->dtype[i], err);
  }
  return st;
}

leat_status lt_arrow_plan(leat_runtime *rt, const lt_arrow_table *t, const leat_schema *s, const leat_params *p,
                          const struct ArrowArray *arrays, int64_t n, lt_arrow_bind *out, leat_error *err) {
  const char *source = lt_param_str(p, "source");
  arrow_look k = {rt, t, arrays, n, *source ? source : "arrow"};
  int64_t most = (s ? s->n : t->n) + 1; /* a key may be added */
  memset(out, 0, sizeof *out);
  out->rt = rt;
  out->table = t;
  out->name = k.name;
  out->source = *source ? source : NULL;
  out->field = lt_array(rt, (uint64_t)most, sizeof *out->field);
  out->dtype = lt_zarray(rt, (uint64_t)most, sizeof *out->dtype);
  leat_status st = LEAT_OK;
  if (!out->field || !out->dtype) st = lt_fail_memory(err, (uint64_t)most * 12, "the columns");
  for (int64_t i = 0; !st && i < most; i++) out->field[i] = -1;
  if (!st) st = s ? arrow_plan_known(&k, s, p, out, err) : arrow_plan_fresh(&k, p, out, err);
  if (!st && lt_param_int(p, "stream")) memset(out->dtype, 0, (uint64_t)most * sizeof *out->dtype);
  if (st) lt_arrow_bind_free(out);
  return st;
}

void lt_arrow_bind_free(lt_arrow_bind *b) {
  lt_schema_free(b->schema);
  lt_free(b->rt, b->field);
  lt_free(b->rt, b->dtype);
  b->schema = NULL;
  b->field = NULL;
  b->dtype = NULL;
}
