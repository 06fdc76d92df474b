/* Arrow arrays as batches: what has the right form is used where it lies, the rest is converted column by column. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "data/arrow.h"

enum { OWN_PARTS = 3 }; /* blocks of memory that a column may need */

typedef struct arrow_held { /* what the columns of a batch point into */
  struct ArrowArray array;
  void **own;
  int64_t n_own;
} arrow_held;

static void arrow_held_free(leat_runtime *rt, void *held) {
  arrow_held *h = held;
  if (h->array.release) h->array.release(&h->array);
  for (int64_t i = 0; i < h->n_own; i++) lt_free(rt, h->own[i]);
  lt_free(rt, h->own);
  lt_free(rt, h);
}

typedef struct arrow_job { /* one column of one array */
  const lt_arrow_bind *b;
  const struct ArrowArray *array;
  int64_t column, first_row;
  lt_col *col;
  void **own;
  leat_status status;
  leat_error error;
} arrow_job;

static leat_status bad_cell(arrow_job *j, int64_t r, const char *what) {
  const lt_arrow_bind *b = j->b;
  int64_t row = j->first_row + r + 1;
  return lt_fail_at(&j->error, LEAT_E_DATA, row, j->column + 1, "%s: row %lld, column '%s': %s", b->name, (long long)row,
                    b->table->field[b->field[j->column]].name, what);
}

static leat_status bad_text(arrow_job *j, int64_t r, const char *s, uint64_t n, const char *what) {
  char text[128];
  snprintf(text, sizeof text, "'%.*s' %s", (int)(n > 40 ? 40 : n), s, what);
  return bad_cell(j, r, text);
}

static void *own_block(arrow_job *j, int part, int64_t n, int64_t size) {
  void *p = lt_array(j->b->rt, (uint64_t)n + 1, (uint64_t)size);
  j->own[part] = p;
  if (!p) lt_fail_memory(&j->error, (uint64_t)n * (uint64_t)size, "a column of an Arrow array");
  return p;
}

static int aligned(const void *p, int64_t size) { return p && (uintptr_t)p % (uint64_t)size == 0; }

/* Elements of c where they lie, when they have the form that is wanted; else a copy of their bytes, NULL without memory. */
static const void *plain_elements(arrow_job *j, const lt_arrow_cells *c, int part, int64_t size) {
  const char *from = c->n ? (const char *)c->buffer[1] + c->at * size : NULL;
  if (aligned(from, size)) return from;
  void *to = own_block(j, part, c->n, size);
  if (to && c->n) memcpy(to, from, (uint64_t)(c->n * size));
  return to;
}

/* ---- numbers */

static leat_status number_cell(arrow_job *j, const lt_arrow_cells *cell, int64_t row, int64_t r, double *x) {
  if (!lt_arrow_is_text(cell->type->type)) {
    *x = lt_arrow_number(cell, row);
    return LEAT_OK;
  }
  char buf[LT_AR_TEXT_ROOM];
  uint64_t n = 0;
  const char *s = lt_arrow_text(cell, row, buf, &n);
  *x = NAN;
  return !n || lt_parse_f64(s, s + n, x) ? LEAT_OK : bad_text(j, r, s, n, "is not a number");
}

static leat_status convert_numbers(arrow_job *j, const lt_arrow_column *c, int32_t dtype) {
  int64_t n = c->cells.n;
  int32_t same = c->field->index.type == LT_AR_NULL ? lt_arrow_dtype(c->field->type.type) : 0;
  int64_t size = lt_dtype_size(dtype);
  leat_status st = LEAT_OK;
  j->col->dtype = dtype;
  if (same == dtype && !c->cells.n_valid) {
    j->col->data = plain_elements(j, &c->cells, 0, size);
    return j->col->data ? LEAT_OK : LEAT_E_MEMORY;
  }
  char *out = own_block(j, 0, n, size);
  if (!out) return LEAT_E_MEMORY;
  j->col->data = out;
  if (same == dtype && n) memcpy(out, (const char *)c->cells.buffer[1] + c->cells.at * size, (uint64_t)(n * size));
  for (int64_t r = 0; r < n && !st; r++) {
    double x = NAN;
    int64_t row = r;
    const lt_arrow_cells *cell = lt_arrow_cell(c, &row);
    if (same == dtype && cell) continue;
    if (cell) st = number_cell(j, cell, row, r, &x);
    if (dtype == LEAT_F32) ((float *)(void *)out)[r] = (float)x;
    else ((double *)(void *)out)[r] = x;
  }
  return st;
}

/* A dense block: `width` numbers a row, none of an absent row there. */
static leat_status convert_block(arrow_job *j, const lt_arrow_column *c, int32_t dtype) {
  int64_t width = c->field->type.per_second, n = c->cells.n * width, size = lt_dtype_size(dtype);
  j->col->dtype = dtype;
  j->col->row_stride = width;
  if (lt_arrow_dtype(c->field->item[0].type) == dtype && !c->cells.n_valid && !c->value.n_valid) {
    j->col->data = plain_elements(j, &c->value, 0, size);
    return j->col->data ? LEAT_OK : LEAT_E_MEMORY;
  }
  void *out = own_block(j, 0, n, size);
  if (!out) return LEAT_E_MEMORY;
  j->col->data = out;
  for (int64_t k = 0; k < n; k++) {
    int missing = lt_arrow_missing(&c->cells, k / width) || lt_arrow_missing(&c->value, k);
    double x = missing ? (double)NAN : lt_arrow_number(&c->value, k);
    if (dtype == LEAT_F32) ((float *)out)[k] = (float)x;
    else ((double *)out)[k] = x;
  }
  return LEAT_OK;
}

/* ---- a sparse block */

/* Where row r - 1 ends in a column of lists or texts. */
static int64_t entry_end(const lt_arrow_column *c, int64_t r) {
  int32_t small;
  int64_t at;
  const char *p = c->cells.buffer[1];
  if (c->field->type.type == LT_AR_LARGE_SPARSE || c->field->type.type == LT_AR_LARGE_TEXT) {
    memcpy(&at, p + (c->cells.at + r) * 8, 8);
    return at;
  }
  memcpy(&small, p + (c->cells.at + r) * 4, 4);
  return small;
}

static leat_status convert_sparse(arrow_job *j, const lt_arrow_column *c) {
  const lt_column *col = &j->b->schema->col[j->column];
  int64_t n = c->cells.n, m = n ? entry_end(c, n) - entry_end(c, 0) : 0, at = 0, first = n ? entry_end(c, 0) : 0;
  int same = c->index.type->type == LT_AR_I32 && c->value.type->type == LT_AR_F32;
  int64_t *start = own_block(j, 0, n, sizeof *start);
  int32_t *index = start ? own_block(j, 1, m, sizeof *index) : NULL;
  float *value = index ? own_block(j, 2, m, sizeof *value) : NULL;
  if (!value) return LEAT_E_MEMORY;
  start[0] = 0;
  for (int64_t r = 0; r < n; r++) {
    int64_t last = -1, from = entry_end(c, r), to = entry_end(c, r + 1);
    if (lt_arrow_missing(&c->cells, r)) to = from;
    for (int64_t k = from; k < to; k++) {
      int64_t i = lt_arrow_integer(&c->index, k);
      float v = (float)lt_arrow_number(&c->value, k);
      if (i <= last) return bad_cell(j, r, "its indices are negative or do not ascend strictly");
      if (!isfinite(v)) return bad_cell(j, r, "a value is not a finite float; leave it out when it is missing");
      last = i;
      if (i >= col->width) {
        if (j->b->fresh) return bad_cell(j, r, "an index is above 2147483646");
        continue; /* a feature that the schema has never seen */
      }
      index[at] = (int32_t)i;
      value[at++] = v;
    }
    start[r + 1] = at;
  }
  j->col->dtype = LEAT_F32;
  j->col->row_start = start;
  j->col->index = index;
  j->col->value = value;
  const char *i0 = m ? (const char *)c->index.buffer[1] + (c->index.at + first) * 4 : NULL;
  const char *v0 = m ? (const char *)c->value.buffer[1] + (c->value.at + first) * 4 : NULL;
  if (same && at == m && aligned(i0, 4) && aligned(v0, 4)) { /* nothing was left out: the entries can stay where they are */
    j->col->index = (const int32_t *)(const void *)i0;
    j->col->value = (const float *)(const void *)v0;
    for (int k = 1; k < 3; k++) {
      lt_free(j->b->rt, j->own[k]);
      j->own[k] = NULL;
    }
  }
  return LEAT_OK;
}

/* ---- times, booleans, labels */

static leat_status convert_times(arrow_job *j, const lt_arrow_column *c) {
  int64_t n = c->cells.n;
  const lt_arrow_type *t = &c->field->type;
  j->col->dtype = LEAT_I64;
  if (t->type == LT_AR_TIMESTAMP && t->per_second == 1000000000 && c->field->index.type == LT_AR_NULL && !c->cells.n_valid) {
    j->col->data = plain_elements(j, &c->cells, 0, 8);
    return j->col->data ? LEAT_OK : LEAT_E_MEMORY;
  }
  int64_t *out = own_block(j, 0, n, sizeof *out);
  if (!out) return LEAT_E_MEMORY;
  j->col->data = out;
  for (int64_t r = 0; r < n; r++) {
    char buf[LT_AR_TEXT_ROOM];
    uint64_t len = 0;
    int64_t row = r;
    const lt_arrow_cells *cell = lt_arrow_cell(c, &row);
    out[r] = INT64_MIN;
    if (!cell) continue;
    const char *s = lt_arrow_is_text(cell->type->type) ? lt_arrow_text(cell, row, buf, &len) : NULL;
    if (s && len && !lt_parse_time(s, s + len, &out[r])) return bad_text(j, r, s, len, "is not a time (YYYY-MM-DD HH:MM:SS)");
    if (!s && !lt_arrow_time(cell, row, &out[r])) return bad_cell(j, r, "the time is outside of the years 1677 to 2262");
  }
  return LEAT_OK;
}

static leat_status convert_bools(arrow_job *j, const lt_arrow_column *c) {
  uint8_t *out = own_block(j, 0, c->cells.n, 1);
  if (!out) return LEAT_E_MEMORY;
  j->col->dtype = LEAT_U8;
  j->col->data = out;
  for (int64_t r = 0; r < c->cells.n; r++) {
    char buf[LT_AR_TEXT_ROOM];
    uint64_t len = 0;
    int64_t row = r;
    const lt_arrow_cells *cell = lt_arrow_cell(c, &row);
    int v = 255;
    if (cell && lt_arrow_is_text(cell->type->type)) {
      const char *s = lt_arrow_text(cell, row, buf, &len);
      if (len) v = lt_parse_bool(s, len);
      if (v < 0) return bad_text(j, r, s, len, "is neither true nor false");
    } else if (cell) {
      double x = lt_arrow_number(cell, row);
      v = isnan(x) ? 255 : x != 0;
      if (x != 0 && x != 1 && !isnan(x)) return bad_cell(j, r, "is neither 0 nor 1");
    }
    out[r] = (uint8_t)v;
  }
  return LEAT_OK;
}

static int32_t code_of_cell(const lt_column *col, const lt_arrow_cells *cell, int64_t row) {
  char buf[LT_AR_TEXT_ROOM];
  uint64_t n = 0;
  if (lt_arrow_is_number(cell->type->type) && isnan(lt_arrow_number(cell, row))) return LT_MISSING;
  const char *s = lt_arrow_text(cell, row, buf, &n);
  return lt_label_code(col, s, n);
}

static leat_status convert_codes(arrow_job *j, const lt_arrow_column *c) {
  enum { NOT_LOOKED = -9 };
  const lt_column *col = &j->b->schema->col[j->column];
  int dictionary = c->field->index.type != LT_AR_NULL, number = lt_arrow_is_number(c->field->type.type) && !dictionary;
  int32_t *out = own_block(j, 0, c->cells.n, sizeof *out), *map = NULL, last_code = LT_MISSING;
  double last = NAN;
  if (out && dictionary) map = own_block(j, 1, c->value.n, sizeof *map);
  if (!out || (dictionary && !map)) return LEAT_E_MEMORY;
  for (int64_t i = 0; map && i < c->value.n; i++) map[i] = NOT_LOOKED;
  for (int64_t r = 0; r < c->cells.n; r++) {
    int64_t row = r;
    const lt_arrow_cells *cell = lt_arrow_cell(c, &row);
    if (!cell) {
      out[r] = LT_MISSING;
    } else if (map) {
      if (map[row] == NOT_LOOKED) map[row] = code_of_cell(col, cell, row);
      out[r] = map[row];
    } else if (number) { /* runs of one number are common */
      double x = lt_arrow_number(cell, row);
      if (x != last) last_code = code_of_cell(col, cell, row);
      last = x;
      out[r] = last_code;
    } else {
      out[r] = code_of_cell(col, cell, row);
    }
  }
  lt_free(j->b->rt, map);
  j->own[1] = NULL;
  j->col->dtype = LEAT_I32;
  j->col->data = out;
  return LEAT_OK;
}

/* ---- texts */

/* The bytes of a text column where they lie: it has no dictionary, and what is missing has no bytes. */
static int texts_in_place(const lt_arrow_column *c) {
  int32_t t = c->field->type.type;
  if (c->field->index.type != LT_AR_NULL || (t != LT_AR_TEXT && t != LT_AR_LARGE_TEXT)) return 0;
  for (int64_t r = 0; c->cells.n_valid && r < c->cells.n; r++) {
    char buf[LT_AR_TEXT_ROOM];
    uint64_t n = 0;
    lt_arrow_text(&c->cells, r, buf, &n);
    if (n && lt_arrow_missing(&c->cells, r)) return 0;
  }
  return 1;
}

static leat_status convert_texts(arrow_job *j, const lt_arrow_column *c) {
  int64_t n = c->cells.n;
  int in_place = texts_in_place(c) && n;
  if (in_place && c->field->type.type == LT_AR_LARGE_TEXT && aligned(c->cells.buffer[1], 8)) {
    j->col->text = c->cells.buffer[2] ? c->cells.buffer[2] : "";
    j->col->text_end = (const uint64_t *)c->cells.buffer[1] + c->cells.at + 1;
    return LEAT_OK;
  }
  uint64_t *end = own_block(j, 0, n + 1, sizeof *end), bytes = 0;
  if (!end) return LEAT_E_MEMORY;
  j->col->text_end = end + 1;
  end[0] = 0;
  for (int pass = 0; pass < 2; pass++) {
    char *text = pass ? own_block(j, 1, (int64_t)bytes, 1) : NULL;
    if (pass && !text) return LEAT_E_MEMORY;
    for (int64_t r = 0; r < n; r++) {
      char buf[LT_AR_TEXT_ROOM];
      uint64_t len = 0;
      int64_t row = r;
      const lt_arrow_cells *cell = lt_arrow_cell(c, &row);
      const char *s = cell ? lt_arrow_text(cell, row, buf, &len) : "";
      if (pass && len) memcpy(text + end[r], s, len);
      if (!pass) end[r + 1] = bytes += len;
    }
    j->col->text = text;
    if (!pass && in_place) { /* offsets of 32 bits were widened, the bytes stay */
      uint64_t first = (uint64_t)entry_end(c, 0);
      for (int64_t r = 0; r <= n; r++) end[r] += first;
      j->col->text = c->cells.buffer[2] ? c->cells.buffer[2] : "";
      return LEAT_OK;
    }
  }
  return LEAT_OK;
}

/* ---- a column */

/* What a target must have, and a weight. */
static leat_status check_labels(arrow_job *j, const lt_arrow_column *c, const lt_column *col) {
  if (col->role == LEAT_ROLE_WEIGHT)
    for (int64_t r = 0; r < c->cells.n; r++) {
      double w = lt_col_number(col, j->col, r, 0);
      if (!(w >= 0 && isfinite(w))) return bad_cell(j, r, "the weight is missing, negative or not finite");
    }
  if (col->role != LEAT_ROLE_TARGET || !j->b->fresh) return LEAT_OK;
  for (int64_t r = 0; r < c->cells.n; r++)
    if (isnan(lt_col_number(col, j->col, r, 0))) return bad_cell(j, r, "the target is missing");
  return LEAT_OK;
}

static void convert_column(void *arg, int64_t index) {
  arrow_job *j = (arrow_job *)arg + index;
  const lt_arrow_bind *b = j->b;
  const lt_column *col = &b->schema->col[j->column];
  lt_arrow_column c;
  int64_t f = b->field[j->column];
  *j->col = (lt_col){.dtype = lt_column_dtype(col), .row_stride = col->width, .col_stride = 1};
  if (f < 0) return;
  leat_status st = lt_arrow_column_of(&b->table->field[f], j->array, &c, &j->error);
  int32_t dtype = b->dtype[j->column];
  if (!st && !dtype) {
    int32_t own = lt_arrow_dtype(col->width > 1 ? c.field->item[0].type : c.field->type.type);
    int missing = c.cells.n_valid || c.value.n_valid || c.field->index.type != LT_AR_NULL;
    dtype = own && (!missing || own == LEAT_F32) ? own : LEAT_F64;
    if (c.field->index.type != LT_AR_NULL) dtype = LEAT_F64;
  }
  if (st || c.field->type.type == LT_AR_NULL) {
    j->status = st; /* a column of nothing is an absent one */
    return;
  }
  if (lt_column_is_text(col)) st = convert_texts(j, &c);
  else if (col->sparse) st = convert_sparse(j, &c);
  else if (c.field->type.type == LT_AR_LIST) st = convert_block(j, &c, dtype);
  else if (col->kind == LEAT_CATEGORY) st = convert_codes(j, &c);
  else if (col->kind == LEAT_BOOL) st = convert_bools(j, &c);
  else if (col->kind == LEAT_TIME) st = convert_times(j, &c);
  else st = convert_numbers(j, &c, dtype);
  j->status = st ? st : check_labels(j, &c, col);
}

/* ---- batches */

static leat_status make_batch(const lt_arrow_bind *b, int64_t rows, int64_t first_row, leat_batch **out,
                              leat_error *err) {
  int64_t n_own = b->schema->n * OWN_PARTS;
  leat_status st = lt_batch_create(b->rt, b->schema, out, err);
  if (st) return st;
  arrow_held *h = lt_zalloc(b->rt, sizeof *h);
  void **own = lt_zarray(b->rt, (uint64_t)n_own, sizeof *own);
  if (!h || !own) {
    lt_free(b->rt, h);
    lt_free(b->rt, own);
    return lt_fail_memory(err, (uint64_t)n_own * sizeof *own, "an Arrow array");
  }
  h->own = own;
  h->n_own = n_own;
  (*out)->held = h;
  (*out)->held_free = arrow_held_free;
  (*out)->n = rows;
  return b->source ? lt_batch_name_source(*out, b->source, first_row, err) : LEAT_OK;
}

leat_status lt_arrow_batches(const lt_arrow_bind *b, const struct ArrowArray *arrays, int64_t n, int64_t first_row,
                             leat_batch **out, leat_error *err) {
  int64_t cols = b->schema->n, jobs = n * cols, row = first_row;
  arrow_job *job = lt_zarray(b->rt, (uint64_t)jobs, sizeof *job);
  leat_status st = job ? LEAT_OK : lt_fail_memory(err, (uint64_t)jobs * sizeof *job, "Arrow arrays");
  for (int64_t i = 0; i < n; i++) out[i] = NULL;
  for (int64_t i = 0; i < n && !st; i++) {
    st = make_batch(b, arrays[i].length, row, &out[i], err);
    for (int64_t c = 0; c < cols && !st; c++) {
      arrow_job *j = &job[i * cols + c];
      arrow_held *h = out[i]->held;
      *j = (arrow_job){b, &arrays[i], c, row, &out[i]->col[c], h->own + c * OWN_PARTS, LEAT_OK, {.struct_size = sizeof j->error}};
    }
    row += arrays[i].length;
  }
  if (!st) st = lt_parallel_for(b->rt, jobs, convert_column, job);
  for (int64_t i = 0; i < jobs && !st; i++)
    if (job[i].status) st = lt_fail_copy(err, &job[i].error);
  for (int64_t i = 0; i < n && st; i++) {
    lt_batch_free(out[i]);
    out[i] = NULL;
  }
  lt_free(b->rt, job);
  return st;
}

void lt_arrow_take(leat_batch *b, struct ArrowArray *a) {
  ((arrow_held *)b->held)->array = *a;
  a->release = NULL;
}
