/* The inputs of a request to the rows that a version takes, and their predictions. */
#include "serve_infer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEEP_BYTES = 8 << 20 }; /* what a worker's scratch keeps from one request to the next */

void *infer_room(void *p, size_t *cap, size_t bytes) {
  if (bytes <= *cap) return p;
  *cap = bytes + bytes / 2;
  return serve_grow(p, *cap);
}

void infer_rows_free(infer_rows *e) {
  free(e->x);
  free(e->index);
  free(e->value);
  free(e->count);
  free(e->cells.text);
  free(e->cells.at);
  memset(e, 0, sizeof *e);
}

void infer_rows_rest(infer_rows *e) {
  if (e->cap_x > KEEP_BYTES || e->cap_index > KEEP_BYTES || e->cap_count > KEEP_BYTES || e->cells.cap > KEEP_BYTES ||
      e->cells.cap_at > KEEP_BYTES)
    infer_rows_free(e);
}

/* ---- shapes and names */

static int name_length(const infer_input *in) { return in->name_size > 60 ? 60 : (int)in->name_size; }

static int shape_of(const infer_input *in, int64_t rows, int64_t width, serve_json *j) {
  int64_t got = 1;
  int s = name_length(in);
  for (int k = 1; k < in->n_dims; k++) {
    if (in->dim[k] > INT32_MAX || got > INT32_MAX)
      return serve_json_fail(j, "input \"%.*s\" has too large a shape", s, in->name);
    got *= in->dim[k];
  }
  if (in->dim[0] != rows)
    return serve_json_fail(j, "input \"%.*s\" has %lld rows, the first one has %lld", s, in->name, (long long)in->dim[0],
                           (long long)rows);
  if (got != width)
    return serve_json_fail(j, "input \"%.*s\" has %lld numbers a row: expected %lld", s, in->name, (long long)got,
                           (long long)width);
  return 1;
}

static int unknown_input(const infer_input *in, const serve_plan *p, serve_json *j) {
  return serve_json_fail(j,
                         "there is no input \"%.*s\": the model's metadata names its %lld inputs, the first is \"%.60s\"",
                         name_length(in), in->name, (long long)p->n_columns, p->n_columns ? p->column[0].name : "");
}

static int missing_input(const infer_scratch *t, const serve_plan *p, const uint8_t *seen, serve_json *j) {
  for (int64_t i = 0; i < p->n_columns && !t->allow_missing; i++)
    if (!seen[i])
      return serve_json_fail(j,
                             "input \"%.60s\" is missing "
                             "(parameters {\"allow_missing\":true} takes its values for missing)",
                             p->column[i].name);
  return 1;
}

static int too_many(serve_json *j, int64_t rows) { return serve_json_fail(j, "%lld rows are too many for one request",
                                                                          (long long)rows); }

/* Flags, one a column: on the stack unless there are many. */
typedef struct flags { uint8_t few[256], *at; } flags;
static uint8_t *flags_take(flags *f, int64_t n) {
  f->at = n < (int64_t)sizeof f->few ? f->few : serve_alloc((size_t)n + 1);
  if (f->at == f->few) memset(f->few, 0, (size_t)n + 1);
  return f->at;
}
static void flags_free(flags *f) {
  if (f->at != f->few) free(f->at);
}

/* The column of input i: most come in the schema's order. */
static int64_t column_of(const infer_input *in, const serve_plan *p, int64_t i) {
  if (i < p->n_columns && p->column[i].name_size == in->name_size && memcmp(p->column[i].name, in->name,
                                                                            in->name_size) == 0) return i;
  return serve_plan_find(p, in->name, in->name_size);
}

/* ---- rows */

/* Rows of numbers [rows, p->numbers]. */
static int rows_of_numbers(infer_scratch *t, infer_rows *e, const serve_plan *p, int64_t rows, serve_json *j) {
  int64_t inputs = t->n_inputs - (t->key >= 0);
  const infer_input *one = &t->input[t->key == 0 && t->n_inputs > 1];
  flags f;
  int ok = 1;
  if ((double)rows * (double)p->numbers > 1e9) return too_many(j, rows);
  e->x = infer_room(e->x, &e->cap_x, (size_t)(rows * p->numbers + 1) * sizeof *e->x);
  if (inputs == 1 && one->n_dims == 2 && one->dim[1] == p->numbers && serve_plan_find(p, one->name, one->name_size) < 0 &&
      ((one->name_size == 1 && *one->name == 'x') || (one->name_size == 5 && memcmp(one->name, "input", 5) == 0)))
    return one->dim[0] == rows ? infer_numbers(one, NULL, rows, p->numbers, e->x, p->numbers, j)
        : shape_of(one, rows, p->numbers, j);
  uint8_t *seen = flags_take(&f, p->n_columns);
  if (inputs < p->n_columns)
    for (int64_t i = 0; i < rows * p->numbers; i++) e->x[i] = NAN;
  for (int64_t i = 0; i < t->n_inputs && ok; i++) {
    const infer_input *in = &t->input[i];
    if (i == t->key) continue;
    int64_t c = column_of(in, p, t->key >= 0 && i > t->key ? i - 1 : i);
    if (c < 0) ok = unknown_input(in, p, j);
    else if (seen[c]) ok = serve_json_fail(j, "input \"%.60s\" is there twice", p->column[c].name);
    else ok = shape_of(in, rows, p->column[c].width, j) &&
              infer_numbers(in, &p->column[c], rows, p->column[c].width, e->x + p->column[c].offset, p->numbers, j);
    if (ok) seen[c] = 1;
  }
  ok = ok && missing_input(t, p, seen, j);
  flags_free(&f);
  return ok;
}

static void cells_begin(serve_cells *c, int64_t rows, int64_t columns) {
  c->rows = rows;
  c->columns = columns;
  c->used = 0;
  c->at = infer_room(c->at, &c->cap_at, (size_t)(rows * columns + 1) * sizeof *c->at);
  memset(c->at, 0, (size_t)(rows * columns + 1) * sizeof *c->at);
}

static int key_is_there(const serve_cells *c, int64_t column, serve_json *j) {
  for (int64_t r = 0; r < c->rows; r++)
    if (!serve_cell(c, r, column)) return serve_json_fail(j, "the key of row %lld is empty", (long long)r);
  return 1;
}

/* Rows of strings; the last column is the key. */
static int rows_of_strings(infer_scratch *t, infer_rows *e, const serve_plan *p, int64_t rows, serve_json *j) {
  serve_cells *c = &e->cells;
  flags f;
  int ok = 1;
  if ((double)rows * (double)(p->n_columns + 1) > 1e8) return too_many(j, rows);
  uint8_t *seen = flags_take(&f, p->n_columns + 1);
  cells_begin(c, rows, p->n_columns + 1);
  for (int64_t i = 0; i < t->n_inputs && ok; i++) {
    const infer_input *in = &t->input[i];
    int64_t k = i == t->key ? p->n_columns : serve_plan_find(p, in->name, in->name_size);
    if (k < 0) ok = unknown_input(in, p, j);
    else if (seen[k]) ok = serve_json_fail(j, "input %lld is there twice", (long long)i + 1);
    else if (i != t->key && p->column[k].width != 1)
      ok = serve_json_fail(j, "input \"%.60s\" is a block: rows with keys or texts take single columns", p->column[k].name);
    else
      ok = shape_of(in, rows, 1, j) &&
           infer_cells(in, i == t->key ? "key" : p->column[k].name, i == t->key ? LEAT_ID : p->column[k].kind, c, k, j);
    if (ok) seen[k] = 1;
  }
  ok = ok && missing_input(t, p, seen, j) && (t->key < 0 || key_is_there(c, p->n_columns, j));
  flags_free(&f);
  return ok;
}

/* Entries that are there move to the front of their row. */
static int sparse_entries(infer_rows *e, int64_t rows, serve_json *j) {
  for (int64_t r = 0; r < rows; r++) {
    int64_t n = 0;
    for (int64_t i = r * e->most; i < (r + 1) * e->most; i++) {
      double at = e->x[i];
      if (!(at >= -1 && at < 2147483647.0 && at == floor(at)))
        return serve_json_fail(j, "index %lld is no whole number from -1 on", (long long)i);
      if (at < 0) continue;
      e->index[r * e->most + n] = (int32_t)at;
      e->value[r * e->most + n++] = (float)(i - r * e->most); /* for the moment: where its value stands */
    }
    e->count[r] = n;
  }
  return 1;
}

/* NAME.index [rows, most], -1 where a row has fewer, and NAME.value of the same shape. */
static int rows_of_pairs(infer_scratch *t, infer_rows *e, const serve_plan *p, int64_t rows, serve_json *j) {
  const infer_input *index = NULL, *value = NULL;
  if (p->n_columns != 1)
    return serve_json_fail(j,
                           "models with a sparse block and other columns are not served: score them with `leat predict`");
  size_t n = p->column[0].name_size;
  for (int64_t i = 0; i < t->n_inputs; i++) {
    const infer_input *in = &t->input[i];
    int ours = in->name_size == n + 6 && memcmp(in->name, p->column[0].name, n) == 0;
    if (i == t->key) continue;
    if (ours && memcmp(in->name + n, ".index", 6) == 0) index = in;
    else if (ours && memcmp(in->name + n, ".value", 6) == 0) value = in;
    else return unknown_input(in, p, j);
  }
  if (!index || index->n_dims != 2)
    return serve_json_fail(j, "input \"%.60s.index\" [rows, entries] is missing", p->column[0].name);
  e->most = index->dim[1];
  if ((double)rows * (double)e->most > 1e8) return too_many(j, rows);
  size_t all = (size_t)(rows * e->most), had = e->cap_index;
  e->x = infer_room(e->x, &e->cap_x, (all + 1) * sizeof *e->x);
  e->index = infer_room(e->index, &e->cap_index, (all + 1) * sizeof *e->index);
  e->count = infer_room(e->count, &e->cap_count, (size_t)(rows + 1) * sizeof *e->count);
  if (had != e->cap_index) e->value = serve_grow(e->value, e->cap_index);
  if (!shape_of(index, rows, e->most, j) || !infer_numbers(index, NULL, rows, e->most, e->x, e->most, j)) return 0;
  if (!sparse_entries(e, rows, j)) return 0;
  if (value && (!shape_of(value, rows, e->most, j) || !infer_numbers(value, NULL, rows, e->most, e->x, e->most, j)))
    return 0;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < e->count[r]; i++) {
      float *v = &e->value[r * e->most + i];
      double given = value ? e->x[r * e->most + (int64_t)*v] : 1;
      *v = isnan(given) ? 0 : (float)given;
    }
  return 1;
}

int infer_encode(infer_scratch *t, infer_rows *e, const serve_plan *p, int64_t rows, int strings, serve_json *j) {
  if (p->sparse) return rows_of_pairs(t, e, p, rows, j);
  if (strings || p->as_text) return rows_of_strings(t, e, p, rows, j);
  return rows_of_numbers(t, e, p, rows, j);
}

int infer_keys(infer_scratch *t, int64_t rows, serve_json *j) {
  if (rows > 100000000) return too_many(j, rows);
  cells_begin(&t->keys, rows, 1);
  return shape_of(&t->input[t->key], rows, 1, j) && infer_cells(&t->input[t->key], "key", LEAT_ID, &t->keys, 0, j) &&
         key_is_there(&t->keys, 0, j);
}

/* ---- predicting */

static leat_status run_strings(const infer_rows *e, const serve_plan *p, leat_predictor *pr, int64_t rows, double *y,
                               leat_error *err) {
  leat_status st = LEAT_OK;
  const char **field = serve_alloc((size_t)(p->n_columns + 1) * sizeof *field);
  float *one = serve_alloc((size_t)p->out_cols * sizeof *one);
  for (int64_t r = 0; r < rows && !st; r++) {
    for (int64_t c = 0; c < p->n_columns; c++) field[c] = serve_cell(&e->cells, r, c);
    st = leat_predictor_one_text(pr, field, (uint64_t)p->n_columns, one, (uint64_t)p->out_cols, err);
    for (int64_t k = 0; k < p->out_cols; k++) y[r * p->out_cols + k] = (double)one[k];
  }
  free(one);
  free(field);
  return st;
}

static leat_status run_pairs(const infer_rows *e, const serve_plan *p, leat_predictor *pr, int64_t rows, double *y,
                             leat_error *err) {
  leat_status st = LEAT_OK;
  float *one = serve_alloc((size_t)p->out_cols * sizeof *one);
  for (int64_t r = 0; r < rows && !st; r++) {
    st = leat_predictor_one_sparse(pr, e->index + r * e->most, e->value + r * e->most, (uint64_t)e->count[r], one,
                                   (uint64_t)p->out_cols, err);
    for (int64_t k = 0; k < p->out_cols; k++) y[r * p->out_cols + k] = (double)one[k];
  }
  free(one);
  return st;
}

leat_status infer_run(const infer_rows *e, const serve_plan *p, leat_predictor *pr, int64_t rows, double *y,
                      leat_error *err) {
  if (rows == 0) return LEAT_OK;
  if (p->sparse) return run_pairs(e, p, pr, rows, y, err);
  if (p->as_text) return run_strings(e, p, pr, rows, y, err);
  leat_matrix x = { .struct_size = sizeof x, .data = e->x, .rows = rows, .cols = p->numbers, .dtype = LEAT_F64 };
  leat_matrix out = { .struct_size = sizeof out, .data = y, .rows = rows, .cols = p->out_cols, .dtype = LEAT_F64 };
  return leat_predictor_run(pr, &x, &out, err);
}
