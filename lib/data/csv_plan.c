/* From the file's columns to a schema, and what to do with each field. */
#include <stdio.h>

#include "base/number.h"
#include "data/csv.h"

enum { INFER_ROWS = 10000, LATE_ROWS = 1000000 };

typedef struct csv_plan {
  lt_csv *c;
  const leat_params *p;
  lt_want *want;
  lt_infer *seen;
} csv_plan;

/* ---- looking at the first rows */

typedef struct csv_walk { const char *all; lt_csv_text t; int64_t row, line; const char *counted; } csv_walk;

static lt_place walk_place(const lt_csv *c, csv_walk *w, const char *record, int64_t i) {
  for (const char *q = w->counted; q < record; q++) w->line += *q == '\n';
  w->counted = record;
  lt_place at = {.file = c->name, .row = w->row, .line = w->line, .column = i + 1};
  at.name = i >= 0 ? lt_dict_text(c->names, i, NULL) : NULL;
  return at;
}

static leat_status walk_value(csv_plan *q, lt_infer *v, csv_walk *w, const char *record, int64_t i, const lt_field *f,
                              int words, leat_error *err) {
  lt_csv *c = q->c;
  if (lt_is_missing(&c->missing, f->s, f->len)) {
    v->missing += !words;
    return LEAT_OK;
  }
  if (words) return lt_infer_needs_words(v) ? lt_infer_words(c->rt, v, f->s, f->len, err) : LEAT_OK;
  int first = !v->junk_row;
  leat_status st = lt_infer_value(c->rt, v, f->s, f->len, w->row, 0, err);
  if (first && v->junk_row) v->junk_line = walk_place(c, w, record, i).line;
  return st;
}

/* The same of a record of ndjson, which is a line. What is broken in it is skipped, or the parser says it better. */
static leat_status walk_object(csv_plan *q, csv_walk *w, const char *record, int words, int late, int *end,
                               leat_error *err) {
  lt_csv *c = q->c;
  const char *newline = memchr(record, '\n', (uint64_t)(w->all - record)), *to = newline ? newline : w->all;
  leat_status st = LEAT_OK;
  if (to - record > LT_RECORD_MOST || !lt_json_whole(c, record, to)) {
    w->t.p = newline ? newline + 1 : w->all;
    *end = !c->keep;
    return LEAT_OK;
  }
  w->t.p = record;
  w->t.end = to;
  int more = lt_json_open(&w->t), nested;
  for (int64_t hint = 0; !st && more == LT_FIELD_MORE;) {
    lt_field key, f;
    more = lt_json_field(&w->t, &key, &f, &nested);
    if (more == LT_FIELD_MEMORY) st = lt_fail_memory(err, w->t.scratch_cap, "a string");
    int64_t i = more < 0 ? -1 : lt_json_column(c, &key, hint);
    if (i < 0) continue;
    hint = i + 1;
    lt_infer *v = &q->seen[i];
    v->seen_row = w->row;
    if (nested || (late && v->values)) continue;
    st = walk_value(q, v, w, record, i, &f, words, err);
  }
  for (int64_t i = 0; i < c->n && !words; i++) q->seen[i].missing += q->seen[i].seen_row != w->row;
  w->t.p = newline ? newline + 1 : w->all;
  w->t.end = w->all;
  return st;
}

/* One record through `see`; *end tells that there is none left. */
static leat_status walk_record(csv_plan *q, csv_walk *w, int words, int late, int *end, leat_error *err) {
  lt_csv *c = q->c;
  int more = LT_FIELD_MORE;
  int64_t i = 0;
  w->t.p = lt_csv_skip_blank(w->t.p, w->t.end, c->delim);
  *end = w->t.p >= w->t.end;
  if (*end) return LEAT_OK;
  w->row++;
  const char *record = w->t.p;
  if (c->json) return walk_object(q, w, record, words, late, end, err);
  if (c->keep) { /* a record that cannot be read says nothing */
    w->t.end = lt_csv_record_end(c, record, w->all, 1);
    if (w->t.end - record > LT_RECORD_MOST || lt_csv_count(c, record, w->t.end) != c->n) {
      w->t.p = w->t.end;
      w->t.end = w->all;
      return LEAT_OK;
    }
  }
  for (; more == LT_FIELD_MORE; i++) {
    lt_field f;
    more = lt_csv_field(&w->t, &f);
    if (more == LT_FIELD_MEMORY) return lt_fail_memory(err, w->t.scratch_cap, "a quoted field");
    if (more < 0) { /* the parser says it better */
      *end = 1;
      return LEAT_OK;
    }
    if (i >= c->n) continue;
    lt_infer *v = &q->seen[i];
    if (late && v->values) continue;
    leat_status st = walk_value(q, v, w, record, i, &f, words, err);
    if (st) return st;
  }
  w->t.end = w->all;
  if (i == c->n) return LEAT_OK;
  char why[128];
  lt_place at = walk_place(c, w, record, -1);
  snprintf(why, sizeof why, "%lld fields, expected %lld as in the %s", (long long)i, (long long)c->n,
           c->has_header ? "header" : "first row");
  return lt_fail_place(err, &at, why);
}

static leat_status look_at_rows(csv_plan *q, const char *from, const char *to, int64_t line, leat_error *err) {
  lt_csv *c = q->c;
  leat_status st = LEAT_OK;
  int end = 0, words = 0;
  csv_walk w = {.line = line, .counted = from, .all = to};
  for (int64_t i = 0; i < c->n; i++) q->seen[i].lenient = c->keep;
  w.t = lt_csv_cursor(c, from, to);
  while (!st && !end && w.row < INFER_ROWS) st = walk_record(q, &w, 0, 0, &end, err);
  for (int64_t i = 0; i < c->n && !words; i++) words = lt_infer_needs_words(&q->seen[i]);
  csv_walk again = {.line = line, .counted = from, .all = to, .t = w.t};
  again.t.p = from;
  again.t.end = to;
  int stop = 0;
  while (!st && words && !stop && again.row < w.row) st = walk_record(q, &again, 1, 0, &stop, err);
  w.t.scratch = again.t.scratch; /* one block, handed on */
  w.t.scratch_cap = again.t.scratch_cap;
  w.t.name = again.t.name;
  w.t.name_cap = again.t.name_cap;
  /* columns without any value yet: what is their first one? */
  for (int64_t empty = 1; !st && !end && empty && w.row < LATE_ROWS;) {
    empty = 0;
    for (int64_t i = 0; i < c->n; i++) empty += !q->seen[i].values && q->want[i].role != LEAT_ROLE_IGNORE;
    for (int k = 0; empty && k < 1000 && !st && !end; k++) st = walk_record(q, &w, 0, 1, &end, err);
  }
  lt_free(c->rt, w.t.scratch);
  lt_free(c->rt, w.t.name);
  return st;
}

/* ---- deciding */

static leat_status dirty(csv_plan *q, int64_t i, leat_error *err) {
  const lt_infer *v = &q->seen[i];
  lt_place at = {q->c->name, v->junk_row, v->junk_line, i + 1, lt_dict_text(q->c->names, i, NULL)};
  return lt_fail_number(err, &at, v->junk, strlen(v->junk));
}

static leat_status decide_target(csv_plan *q, int64_t i, int32_t *kind, leat_error *err) {
  const lt_infer *v = &q->seen[i];
  if (*kind == LEAT_TEXT)
    return lt_fail(err, LEAT_E_ARG, "%s: column '%s' is the target, it cannot be declared as text", q->c->name,
                   lt_dict_text(q->c->names, i, NULL));
  if (*kind) return LEAT_OK;
  *kind = lt_infer_numbers(v) ? LEAT_NUMBER : LEAT_CATEGORY;
  if (*kind == LEAT_NUMBER) return LEAT_OK;
  if (lt_infer_is_dirty_number(v)) return dirty(q, i, err);
  if (q->c->task != LT_TASK_REGRESSION) return LEAT_OK;
  lt_place at = {q->c->name, v->junk_row, v->junk_line, i + 1, lt_dict_text(q->c->names, i, NULL)};
  return lt_fail_value(err, &at, v->junk, strlen(v->junk), "is not a number, and the task is regression");
}

/* Kind and role of column i. */
static leat_status decide(csv_plan *q, int64_t i, int32_t *kind, int32_t *role, leat_error *err) {
  const lt_infer *v = &q->seen[i];
  *role = q->want[i].role ? q->want[i].role : LEAT_ROLE_FEATURE;
  *kind = q->want[i].kind;
  switch (*role) {
    case LEAT_ROLE_TARGET: return decide_target(q, i, kind, err);
    case LEAT_ROLE_IGNORE:
      if (!*kind) *kind = lt_infer_numbers(v) ? LEAT_NUMBER : LEAT_TEXT;
      return LEAT_OK;
    case LEAT_ROLE_KEY: *kind = LEAT_ID; return LEAT_OK;
    case LEAT_ROLE_WEIGHT: *kind = LEAT_NUMBER; return LEAT_OK;
    case LEAT_ROLE_TIME:
      if (!*kind) *kind = lt_infer_numbers(v) ? LEAT_NUMBER : LEAT_TIME;
      return LEAT_OK;
    case LEAT_ROLE_GROUP:
      if (!*kind) *kind = lt_infer_numbers(v) ? LEAT_NUMBER : LEAT_CATEGORY;
      return LEAT_OK;
    default: break;
  }
  if (*kind) return LEAT_OK;
  if (lt_infer_is_dirty_number(v)) return dirty(q, i, err);
  /* a stream may bring anything yet, and whatever it is can be a label */
  *kind = q->c->grow && !v->values ? LEAT_CATEGORY : lt_infer_kind(v);
  if (*kind == LEAT_ID) *role = LEAT_ROLE_IGNORE; /* names a row; nothing can be learned from it */
  return LEAT_OK;
}

static void set_op(lt_csv *c, int64_t i, int64_t column) {
  const lt_column *col = &c->schema->col[column];
  lt_csv_op *op = &c->op[i];
  memset(op, 0, sizeof *op);
  op->column = (int32_t)column;
  if (col->role == LEAT_ROLE_IGNORE) return;
  op->weight = col->role == LEAT_ROLE_WEIGHT;
  op->numbers = (uint8_t)(col->role == LEAT_ROLE_TARGET && c->number_labels);
  if (lt_column_is_text(col)) {
    op->op = LT_CSV_TEXT;
    op->slot = (int32_t)c->n_texts++;
  } else if (col->kind == LEAT_CATEGORY) {
    op->op = LT_CSV_LABEL;
    op->slot = (int32_t)c->n_labels++;
  } else {
    op->op = col->kind == LEAT_BOOL ? LT_CSV_BOOL : col->kind == LEAT_TIME ? LT_CSV_TIME : LT_CSV_NUMBER;
  }
}

static leat_status plan_fresh(csv_plan *q, const char *from, const char *to, int64_t line, leat_error *err) {
  lt_csv *c = q->c;
  leat_status st = lt_table_wants(c->rt, c->name, c->names, q->p, q->want, err);
  if (!st) st = look_at_rows(q, from, to, line, err);
  if (!st) st = lt_schema_create(c->rt, &c->schema, err);
  for (int64_t i = 0; !st && i < c->n; i++) {
    int32_t kind = 0, role = 0;
    st = decide(q, i, &kind, &role, err);
    if (!st) st = lt_schema_add(c->schema, lt_dict_text(c->names, i, NULL), kind, role, 1, 0, err);
    if (st) break;
    set_op(c, i, i);
    c->op[i].required = role == LEAT_ROLE_TARGET;
    /* declared a number: not classes, unless the task says so */
    if (role == LEAT_ROLE_TARGET && q->want[i].kind == LEAT_NUMBER && c->task == LT_TASK_AUTO)
      c->task = LT_TASK_REGRESSION;
  }
  return st;
}

/* ---- a model's schema */

static int must_be_there(const lt_column *c) { return c->role == LEAT_ROLE_FEATURE && c->kind != LEAT_ID; }

/* The key that the caller names, as a column of the schema. */
static leat_status plan_key(csv_plan *q, leat_error *err) {
  lt_csv *c = q->c;
  const char *ref = lt_param_str(q->p, "key");
  int64_t i = 0, k = lt_schema_role(c->schema, LEAT_ROLE_KEY);
  if (!*ref) return LEAT_OK;
  leat_status st = lt_column_ref(c->rt, c->name, c->names, ref, &i, err);
  if (st) return st;
  const char *name = lt_dict_text(c->names, i, NULL);
  int64_t there = lt_dict_find(c->schema->names, name, strlen(name));
  if (there >= 0 && there == k) return LEAT_OK;
  if (there >= 0 && c->schema->col[there].role != LEAT_ROLE_IGNORE)
    return lt_fail(err, LEAT_E_ARG, "%s: column '%s' is used by the model, it cannot be the key too", c->name, name);
  if (k >= 0) st = lt_schema_set_role(c->schema, k, LEAT_ROLE_IGNORE, err);
  if (!st && there >= 0) st = lt_schema_set_role(c->schema, there, LEAT_ROLE_KEY, err);
  else if (!st) st = lt_schema_add(c->schema, name, LEAT_ID, LEAT_ROLE_KEY, 1, 0, err);
  return st;
}

/* Which field of the file is column k of the schema? -1: none. skip: the target is not in the file. */
static int64_t field_of(const csv_plan *q, int64_t k, int by_position, int64_t skip, int64_t target) {
  const lt_csv *c = q->c;
  const lt_column *col = &c->schema->col[k];
  if (col->role == LEAT_ROLE_TARGET && target >= 0) return target;
  if (!by_position) return lt_dict_find(c->names, col->name, strlen(col->name));
  if (k == skip) return -1;
  return skip >= 0 && k > skip ? k - 1 : k;
}

static leat_status no_column(csv_plan *q, const lt_column *col, leat_error *err) {
  const lt_csv *c = q->c;
  if (!c->has_header)
    return lt_fail(err, LEAT_E_NOT_FOUND,
                   "%s: the file has no header and %lld columns, which are not the model's; it needs column '%s'",
                   c->name, (long long)c->n, col->name);
  const char *near = NULL;
  const char **all = lt_array(c->rt, (uint64_t)c->n, sizeof *all);
  for (int64_t i = 0; all && i < c->n; i++) all[i] = lt_dict_text(c->names, i, NULL);
  if (all) near = lt_nearest(col->name, all, c->n);
  leat_status st = lt_fail(err, LEAT_E_NOT_FOUND, "%s: the model needs column '%s'%s%s%s", c->name, col->name,
                           near ? "; is it '" : ", which is not there", near ? near : "", near ? "'?" : "");
  lt_free(c->rt, all);
  return st;
}

static leat_status plan_known(csv_plan *q, const leat_schema *s, leat_error *err) {
  lt_csv *c = q->c;
  leat_status st = lt_schema_copy(s, &c->schema, err);
  if (!st) lt_csv_settle(c);
  int64_t given = s->n, target = -1, t = lt_schema_role(s, LEAT_ROLE_TARGET);
  c->fixed = 1;
  const char *ref = lt_param_str(q->p, "target");
  if (!st && *ref) st = lt_column_ref(c->rt, c->name, c->names, ref, &target, err);
  if (!st) st = plan_key(q, err);
  int by_position = !c->has_header && (c->n == given || (t >= 0 && c->n == given - 1));
  int64_t skip = by_position && c->n == given - 1 ? t : -1;
  for (int64_t k = 0; !st && k < c->schema->n; k++) {
    const lt_column *col = &c->schema->col[k];
    if (col->role == LEAT_ROLE_IGNORE) continue;
    int64_t i = field_of(q, k, by_position && k < given, skip, target);
    if (i < 0 && must_be_there(col)) st = no_column(q, col, err);
    if (!st && i >= 0 && (col->width > 1 || col->sparse))
      st = lt_fail(err, LEAT_E_UNSUPPORTED, "%s: the model's block '%s' of %lld numbers cannot be read from columns",
                   c->name, col->name, (long long)col->width);
    if (!st && i >= 0) set_op(c, i, k);
  }
  return st;
}

void lt_csv_settle(lt_csv *c) {
  c->fixed = 1;
  int64_t t = lt_schema_role(c->schema, LEAT_ROLE_TARGET);
  const lt_dict *d = t >= 0 ? c->schema->col[t].labels : NULL;
  int64_t n = d ? lt_dict_count(d) : 0;
  int numbers = n > 0;
  for (int64_t i = 0; i < n && numbers; i++) {
    uint64_t len;
    double v;
    const char *label = lt_dict_text(d, i, &len);
    numbers = lt_parse_f64(label, label + len, &v);
  }
  c->number_labels = numbers;
  for (int64_t i = 0; i < c->n; i++)
    if (c->op[i].op && c->op[i].column == t) c->op[i].numbers = (uint8_t)numbers;
}

leat_status lt_csv_plan(lt_csv *c, const leat_params *p, const leat_schema *s, const char *from, const char *to,
                        int64_t line, leat_error *err) {
  csv_plan q = {.c = c, .p = p};
  leat_status st = LEAT_OK;
  if (lt_csv_skip_blank(from, to, c->delim) == to) return lt_fail(err, LEAT_E_DATA, "%s: there are no rows", c->name);
  if (c->n > INT32_MAX) return lt_fail(err, LEAT_E_DATA, "%s: too many columns", c->name);
  c->op = lt_zarray(c->rt, (uint64_t)c->n, sizeof *c->op);
  q.want = lt_zarray(c->rt, (uint64_t)c->n, sizeof *q.want);
  q.seen = s ? NULL : lt_zarray(c->rt, (uint64_t)c->n, sizeof *q.seen);
  if (!c->op || !q.want || (!s && !q.seen)) st = lt_fail_memory(err, (uint64_t)c->n * sizeof *q.seen, "the columns");
  if (!st) st = s ? plan_known(&q, s, err) : plan_fresh(&q, from, to, line, err);
  for (int64_t i = 0; q.seen && i < c->n; i++) lt_infer_free(c->rt, &q.seen[i]);
  lt_free(c->rt, q.seen);
  lt_free(c->rt, q.want);
  return st;
}

leat_status lt_csv_finish_target(lt_csv *c, leat_batch *b, leat_error *err) {
  int64_t t = lt_schema_role(c->schema, LEAT_ROLE_TARGET);
  if (c->fixed || t < 0 || c->schema->col[t].kind != LEAT_NUMBER) return LEAT_OK;
  char where[160];
  snprintf(where, sizeof where, "%.80s, column '%.60s'", c->name, c->schema->col[t].name);
  return lt_target_to_classes(b, t, c->task, where, err);
}
