#include "data/batch.h"

#include <math.h>
#include <string.h>

#include "base/number.h"
#include "data/store.h"

leat_status lt_batch_create(leat_runtime *rt, leat_schema *s, leat_batch **out, leat_error *err) {
  *out = NULL;
  leat_batch *b = lt_zalloc(rt, sizeof *b);
  if (!b) return lt_fail_memory(err, sizeof *b, "a batch");
  b->slot = lt_zarray(rt, (uint64_t)s->n, sizeof *b->slot);
  b->col = lt_zarray(rt, (uint64_t)s->n, sizeof *b->col);
  if (!b->slot || !b->col) {
    lt_free(rt, b->slot);
    lt_free(rt, b->col);
    lt_free(rt, b);
    return lt_fail_memory(err, (uint64_t)s->n * (sizeof *b->slot + sizeof *b->col), "a batch");
  }
  b->rt = rt;
  b->schema = s;
  lt_ref_init(&b->ref);
  lt_runtime_ref(rt);
  lt_schema_ref(s);
  lt_batch_sync(b);
  *out = b;
  return LEAT_OK;
}

void lt_batch_free(leat_batch *b) {
  if (!b || !lt_ref_drop(&b->ref)) return;
  leat_runtime *rt = b->rt;
  for (int64_t i = 0; i < b->schema->n; i++) {
    lt_slot *s = &b->slot[i];
    if (s->cap) lt_free(rt, s->data);
    if (s->text) {
      lt_free(rt, s->text->text);
      lt_free(rt, s->text->end);
      lt_free(rt, s->text);
    }
    if (s->csr) {
      lt_free(rt, s->csr->row_start);
      lt_free(rt, s->csr->index);
      lt_free(rt, s->csr->value);
      lt_free(rt, s->csr);
    }
  }
  if (b->held) b->held_free(rt, b->held);
  lt_batch_free(b->pin);
  lt_beside_free(b);
  lt_free(rt, b->slot);
  lt_free(rt, b->col);
  lt_free(rt, b->window);
  lt_free(rt, b->arena);
  lt_schema_free(b->schema);
  lt_free(rt, b);
  lt_runtime_unref(rt);
}

void lt_batch_clear(leat_batch *b) {
  b->n = 0;
  b->lent = 0;
  lt_beside_clear(b);
  for (int64_t i = 0; i < b->schema->n; i++) b->slot[i].present = 0;
  lt_batch_sync(b);
}

leat_status lt_batch_own(leat_batch *b, leat_error *err) {
  if (!b->lent) return LEAT_OK;
  lt_rows rows = {.schema = b->schema, .n = b->n};
  lt_col *col = lt_array(b->rt, (uint64_t)b->schema->n, sizeof *col);
  if (!col) return lt_fail_memory(err, (uint64_t)b->schema->n * sizeof *col, "rows of a batch");
  memcpy(col, b->col, (uint64_t)b->schema->n * sizeof *col);
  rows.col = col;
  int has_source = b->beside && b->beside->has_source;
  lt_batch_clear(b);
  leat_status st = lt_batch_append(b, &rows, 0, rows.n, err);
  if (!st && has_source) b->beside->has_source = 1;
  lt_beside_sync(b);
  lt_free(b->rt, col);
  return st;
}

leat_runtime *lt_batch_runtime(const leat_batch *b) { return b->rt; }
leat_schema *lt_batch_schema(const leat_batch *b) { return b->schema; }

leat_status lt_batch_take_schema(leat_batch *b, leat_schema *s, leat_error *err) {
  if (b->schema == s) return LEAT_OK;
  if (!lt_schema_extends(s, b->schema))
    return lt_fail(err, LEAT_E_ARG, "the batch is of another schema than the rows");
  lt_schema_ref(s);
  lt_schema_free(b->schema);
  b->schema = s;
  return LEAT_OK;
}

void lt_batch_rows(const leat_batch *b, lt_rows *out) {
  out->schema = b->schema;
  out->n = b->n;
  out->first = 0;
  out->col = b->col;
  out->side = lt_beside_view(b);
}

/* ---- numbers from a matrix */

static int takes_dense(const lt_column *c) {
  return c->role == LEAT_ROLE_FEATURE && !lt_column_is_text(c) && !c->sparse;
}

leat_status lt_batch_check_dense(const leat_schema *s, const leat_matrix *x, leat_matrix *m, leat_error *err) {
  int64_t numbers = 0, sparse = 0;
  for (int64_t i = 0; i < s->n; i++) {
    if (takes_dense(&s->col[i])) numbers += s->col[i].width;
    else if (s->col[i].sparse) sparse = s->col[i].width;
  }
  if (!numbers && sparse)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "the schema's features are a sparse block: give the rows as CSR");
  return lt_matrix_check(x, -1, numbers, 1u << LEAT_F32 | 1u << LEAT_F64 | 1u << LEAT_U8, "x", m, err);
}

static int32_t code_of(double v, int64_t labels) {
  if (isnan(v) || v < 0) return LT_MISSING;
  return v >= (double)labels ? LT_UNSEEN : (int32_t)v;
}

static void put_number(const lt_column *c, lt_slot *s, int64_t r, double v) {
  if (c->kind == LEAT_CATEGORY) {
    ((int32_t *)s->data)[r] = code_of(v, lt_dict_count(c->labels));
  } else if (c->kind == LEAT_BOOL) {
    ((uint8_t *)s->data)[r] = isnan(v) ? 255 : v != 0;
  } else if (c->kind == LEAT_TIME) {
    int64_t t = INT64_MIN;
    if (v >= 9223372036854775808.0) t = INT64_MAX;
    else if (v > -9223372036854775808.0) t = (int64_t)v;
    ((int64_t *)s->data)[r] = t;
  } else if (s->dtype == LEAT_F64) {
    ((double *)s->data)[r] = v;
  } else if (s->dtype == LEAT_F32) {
    ((float *)s->data)[r] = (float)v;
  } else {
    ((uint8_t *)s->data)[r] = (uint8_t)v;
  }
}

static void copy_block(const lt_column *c, lt_slot *s, const leat_matrix *m, int64_t at, int64_t from, int64_t to) {
  uint64_t size = (uint64_t)lt_dtype_size(s->dtype), w = (uint64_t)c->width;
  for (int64_t r = from; r < to; r++) {
    if (s->dtype == m->dtype && m->col_stride == 1) {
      memcpy((char *)s->data + (uint64_t)r * w * size, (const char *)m->data + (r * m->row_stride + at) * (int64_t)size,
             w * size);
    } else {
      for (int64_t j = 0; j < c->width; j++) put_number(c, s, r * c->width + j, lt_matrix_get(m, r, at + j));
    }
  }
}

void lt_batch_copy_dense(leat_batch *b, const leat_matrix *x, int64_t from, int64_t to) {
  enum { TILE = 256 }; /* rows that stay in the cache while their columns are taken one by one */
  for (int64_t t = from; t < to; t += TILE) {
    int64_t end = t + TILE < to ? t + TILE : to, at = 0;
    for (int64_t i = 0; i < b->schema->n; i++) {
      const lt_column *c = &b->schema->col[i];
      lt_slot *s = &b->slot[i];
      if (!takes_dense(c)) continue;
      if (c->width > 1) {
        copy_block(c, s, x, at, t, end);
      } else if (c->kind == LEAT_NUMBER && x->dtype == LEAT_F64 && s->dtype == LEAT_F64) {
        const double *in = (const double *)x->data + at * x->col_stride;
        double *out = s->data;
        for (int64_t r = t; r < end; r++) out[r] = in[r * x->row_stride];
      } else if (c->kind == LEAT_NUMBER && x->dtype == LEAT_F32 && s->dtype == LEAT_F32) {
        const float *in = (const float *)x->data + at * x->col_stride;
        float *out = s->data;
        for (int64_t r = t; r < end; r++) out[r] = in[r * x->row_stride];
      } else {
        for (int64_t r = t; r < end; r++) put_number(c, s, r, lt_matrix_get(x, r, at));
      }
      at += c->width;
    }
  }
}

/* A batch is filled part by part; the parts must agree on the number of rows. */
static leat_status same_rows(const leat_batch *b, int64_t rows, const char *what, leat_error *err) {
  if (b->n && b->n != rows)
    return lt_fail(err, LEAT_E_SHAPE, "%s has %lld rows, the batch has %lld; clear it first to refill it", what,
                   (long long)rows, (long long)b->n);
  return LEAT_OK;
}

leat_status lt_batch_set_dense(leat_batch *b, const leat_matrix *x, leat_error *err) {
  leat_matrix m;
  leat_status st = lt_batch_check_dense(b->schema, x, &m, err);
  if (!st) st = lt_batch_own(b, err);
  if (!st) st = same_rows(b, m.rows, "x", err);
  if (!st) st = lt_beside_rows(b, m.rows, err);
  for (int64_t i = 0; !st && i < b->schema->n; i++) {
    if (!takes_dense(&b->schema->col[i])) continue;
    int was = b->slot[i].present;
    if (b->schema->col[i].kind == LEAT_NUMBER) b->slot[i].present = 0; /* all rows are written: take x's dtype */
    st = lt_batch_slot_dense(b, i, (int32_t)m.dtype, m.rows, err);
    if (st) b->slot[i].present = was;
    else if (b->schema->col[i].kind == LEAT_NUMBER) b->slot[i].dtype = (int32_t)m.dtype;
  }
  if (st) {
    lt_batch_sync(b);
    return st;
  }
  lt_batch_copy_dense(b, &m, 0, m.rows);
  b->n = m.rows;
  lt_batch_sync(b);
  return LEAT_OK;
}

/* ---- a sparse block */

static leat_status check_csr(const leat_csr *x, int64_t width, leat_csr *m, leat_error *err) {
  if (!x) return lt_fail(err, LEAT_E_ARG, "x is NULL");
  leat_status st = lt_take_struct(m, sizeof *m, x, x->struct_size, "leat_csr", err);
  if (st) return st;
  if (m->value && m->dtype != LEAT_F32 && m->dtype != LEAT_F64)
    return lt_fail(err, LEAT_E_DTYPE, "x: dtype %lld is not taken here; it must be LEAT_F32 or LEAT_F64",
                   (long long)m->dtype);
  if (m->rows < 0 || m->cols < 0 || m->cols > width)
    return lt_fail(err, LEAT_E_SHAPE, "x is [%lld, %lld], it can have at most %lld columns", (long long)m->rows,
                   (long long)m->cols, (long long)width);
  if (m->rows && !m->row_start) return lt_fail(err, LEAT_E_ARG, "x.row_start is NULL");
  for (int64_t r = 0; r < m->rows; r++)
    if (m->row_start[r] < 0 || m->row_start[r + 1] < m->row_start[r])
      return lt_fail_at(err, LEAT_E_DATA, r + 1, 0, "x.row_start[%lld] is below the one before, or negative",
                        (long long)r + 1);
  int64_t nnz = m->rows ? m->row_start[m->rows] - m->row_start[0] : 0;
  if (nnz && !m->index) return lt_fail(err, LEAT_E_ARG, "x.index is NULL");
  for (int64_t r = 0; r < m->rows; r++) {
    int64_t last = -1;
    for (int64_t k = m->row_start[r]; k < m->row_start[r + 1]; k++) {
      if (m->index[k] <= last || m->index[k] >= m->cols)
        return lt_fail_at(err, LEAT_E_DATA, r + 1, 0,
                          "row %lld: index %d after %lld; indices ascend strictly and are below %lld", (long long)r + 1,
                          m->index[k], (long long)last, (long long)m->cols);
      last = m->index[k];
      double v = !m->value ? 1.0 : m->dtype == LEAT_F64 ? ((const double *)m->value)[k] : ((const float *)m->value)[k];
      if (!isfinite(v) || !isfinite((float)v))
        return lt_fail_at(err, LEAT_E_DATA, r + 1, 0,
                          "row %lld: the value at index %d is not a finite float; leave it out when it is missing",
                          (long long)r + 1, m->index[k]);
    }
  }
  return LEAT_OK;
}

leat_status lt_batch_set_csr(leat_batch *b, const leat_csr *x, leat_error *err) {
  int64_t i = 0;
  while (i < b->schema->n && !(b->schema->col[i].sparse && b->schema->col[i].role == LEAT_ROLE_FEATURE)) i++;
  if (i == b->schema->n) return lt_fail(err, LEAT_E_UNSUPPORTED, "the schema has no sparse block");
  leat_csr m;
  leat_status st = check_csr(x, b->schema->col[i].width, &m, err);
  if (!st) st = lt_batch_own(b, err);
  if (!st) st = same_rows(b, m.rows, "x", err);
  if (!st) st = lt_beside_rows(b, m.rows, err);
  if (st) return st;
  int64_t base = m.rows ? m.row_start[0] : 0, nnz = m.rows ? m.row_start[m.rows] - base : 0;
  int was = b->slot[i].present;
  b->slot[i].present = 0;
  st = lt_batch_slot_sparse(b, i, m.rows, nnz, m.value != NULL, err);
  if (st) {
    b->slot[i].present = was;
    lt_batch_sync(b);
    return st;
  }
  lt_slot_csr *s = b->slot[i].csr;
  s->row_start[0] = 0;
  for (int64_t r = 0; r < m.rows; r++) s->row_start[r + 1] = m.row_start[r + 1] - base;
  if (nnz) memcpy(s->index, m.index + base, (uint64_t)nnz * sizeof *s->index);
  for (int64_t k = 0; m.value && k < nnz; k++)
    s->value[k] = m.dtype == LEAT_F64 ? (float)((const double *)m.value)[base + k]
                                      : ((const float *)m.value)[base + k];
  b->n = m.rows;
  lt_batch_sync(b);
  return LEAT_OK;
}

leat_status lt_batch_set_labels(leat_batch *b, const leat_matrix *y, const leat_matrix *w, leat_error *err) {
  const uint32_t floats = 1u << LEAT_F32 | 1u << LEAT_F64;
  leat_matrix m[2];
  const leat_matrix *given[2] = {y, w};
  int64_t column[2] = {lt_schema_role(b->schema, LEAT_ROLE_TARGET), lt_schema_role(b->schema, LEAT_ROLE_WEIGHT)};
  if (!y && !w) return lt_fail(err, LEAT_E_ARG, "y and w are NULL");
  leat_status st = lt_batch_own(b, err);
  for (int k = 0; k < 2 && !st; k++) {
    if (!given[k]) continue;
    if (column[k] < 0)
      return lt_fail(err, LEAT_E_ARG, "%s is given, but the schema has no %s column", k ? "w" : "y",
                     k ? "WEIGHT" : "TARGET");
    st = lt_matrix_check(given[k], b->n, 1, floats, k ? "w" : "y", &m[k], err);
    if (!st) st = lt_batch_slot_dense(b, column[k], LEAT_F64, b->n, err);
  }
  for (int k = 0; k < 2 && !st; k++)
    for (int64_t r = 0; given[k] && r < b->n; r++)
      put_number(&b->schema->col[column[k]], &b->slot[column[k]], r, lt_matrix_get(&m[k], r, 0));
  lt_batch_sync(b);
  return st;
}

/* ---- rows of text */

leat_status lt_batch_put_field(leat_batch *b, int64_t i, const char *s, uint64_t len, leat_error *err) {
  const lt_column *c = &b->schema->col[i];
  lt_slot *slot = &b->slot[i];
  int64_t r = b->n;
  leat_status st;
  if (lt_column_is_text(c)) {
    uint64_t at = slot->present ? slot->text->end[r] : 0;
    st = lt_batch_slot_text(b, i, r + 1, at + len, err);
    if (st) return st;
    if (len) memcpy(slot->text->text + at, s, len);
    slot->text->end[r + 1] = at + len;
    return LEAT_OK;
  }
  st = lt_batch_slot_dense(b, i, lt_column_dtype(c), r + 1, err);
  if (st) return st;
  const char *wanted = NULL;
  if (c->kind == LEAT_NUMBER) {
    double v = NAN;
    if (len && !lt_parse_f64(s, s + len, &v)) wanted = "a number";
    else put_number(c, slot, r, v);
  } else if (c->kind == LEAT_CATEGORY) {
    int32_t code = lt_label_code(c, s, len);
    ((int32_t *)slot->data)[r] = code;
    if (code == LT_UNSEEN && c->role == LEAT_ROLE_TARGET) wanted = "a known label of the target";
  } else if (c->kind == LEAT_BOOL) {
    int v = len ? lt_parse_bool(s, len) : 255;
    if (v < 0) wanted = "true or false";
    else ((uint8_t *)slot->data)[r] = (uint8_t)v;
  } else {
    int64_t t = INT64_MIN;
    if (len && !lt_parse_time(s, s + len, &t)) wanted = "a time (YYYY-MM-DD HH:MM:SS)";
    else ((int64_t *)slot->data)[r] = t;
  }
  if (!wanted) return LEAT_OK;
  return lt_fail_at(err, LEAT_E_DATA, r + 1, i + 1, "row %lld, column '%s': '%.*s' is not %s", (long long)r + 1, c->name,
                    (int)(len > 40 ? 40 : len), s, wanted);
}

leat_status lt_batch_add_text(leat_batch *b, const char *const *fields, uint64_t n, leat_error *err) {
  uint64_t wanted = 0, k = 0;
  for (int64_t i = 0; i < b->schema->n; i++) {
    const lt_column *c = &b->schema->col[i];
    if (c->role == LEAT_ROLE_IGNORE) continue;
    wanted++;
    if (c->width > 1 || c->sparse)
      return lt_fail(err, LEAT_E_SHAPE, "block '%s' cannot be given as text; use set_dense or set_csr", c->name);
  }
  if (n != wanted)
    return lt_fail(err, LEAT_E_SHAPE, "%llu fields, the schema has %llu columns that are not IGNORE",
                   (unsigned long long)n, (unsigned long long)wanted);
  leat_status st = lt_batch_own(b, err);
  for (int64_t i = 0; !st && i < b->schema->n; i++) {
    if (b->schema->col[i].role == LEAT_ROLE_IGNORE) continue;
    const char *s = fields[k++];
    if (!s) s = "";
    uint64_t len = strlen(s);
    while (len && (*s == ' ' || *s == '\t')) s++, len--;
    while (len && (s[len - 1] == ' ' || s[len - 1] == '\t')) len--;
    st = lt_batch_put_field(b, i, s, len, err);
  }
  if (!st) st = lt_beside_rows(b, b->n + 1, err);
  if (!st) b->n++;
  lt_batch_sync(b); /* after a failure too: memory may have moved */
  return st;
}

/* ---- rows of other batches and datasets */

static leat_status gather_sparse(leat_batch *b, int64_t i, const lt_col *v, const int64_t *pick, int64_t from, int64_t n,
                                 leat_error *err) {
  lt_slot *s = &b->slot[i];
  int64_t at = s->present ? s->csr->row_start[b->n] : 0, nnz = at;
  if (!pick && n) nnz += v->row_start[from + n] - v->row_start[from];
  for (int64_t k = 0; pick && k < n; k++) {
    int64_t r = pick[k];
    nnz += v->row_start[r + 1] - v->row_start[r];
  }
  leat_status st = lt_batch_slot_sparse(b, i, b->n + n, nnz, v->value != NULL, err);
  if (st) return st;
  if (!pick && n && nnz > at && (v->value || !s->csr->has_value)) { /* rows that lie together */
    int64_t lo = v->row_start[from];
    memcpy(s->csr->index + at, v->index + lo, (uint64_t)(nnz - at) * sizeof(int32_t));
    if (v->value) memcpy(s->csr->value + at, v->value + lo, (uint64_t)(nnz - at) * sizeof(float));
    for (int64_t k = 0; k < n; k++) s->csr->row_start[b->n + k + 1] = at + v->row_start[from + k + 1] - lo;
    return LEAT_OK;
  }
  for (int64_t k = 0; k < n; k++) {
    int64_t r = pick ? pick[k] : from + k, lo = v->row_start[r], m = v->row_start[r + 1] - lo;
    if (m) memcpy(s->csr->index + at, v->index + lo, (uint64_t)m * sizeof(int32_t));
    if (m && v->value) memcpy(s->csr->value + at, v->value + lo, (uint64_t)m * sizeof(float));
    else if (s->csr->has_value)
      for (int64_t q = 0; q < m; q++) s->csr->value[at + q] = 1.0f;
    at += m;
    s->csr->row_start[b->n + k + 1] = at;
  }
  return LEAT_OK;
}

static leat_status gather_text(leat_batch *b, int64_t i, const lt_col *v, const int64_t *pick, int64_t from, int64_t n,
                               leat_error *err) {
  lt_slot *s = &b->slot[i];
  uint64_t at = s->present ? s->text->end[b->n] : 0, bytes = at;
  for (int64_t k = 0; k < n; k++) {
    int64_t r = pick ? pick[k] : from + k;
    bytes += v->text_end[r] - v->text_end[r - 1];
  }
  leat_status st = lt_batch_slot_text(b, i, b->n + n, bytes, err);
  if (st) return st;
  for (int64_t k = 0; k < n; k++) {
    uint64_t len;
    const char *t = lt_col_text(v, pick ? pick[k] : from + k, &len);
    if (len) memcpy(s->text->text + at, t, len);
    at += len;
    s->text->end[b->n + k + 1] = at;
  }
  return LEAT_OK;
}

static leat_status gather_dense(leat_batch *b, int64_t i, const lt_col *v, const int64_t *pick, int64_t from, int64_t n,
                                leat_error *err) {
  const lt_column *c = &b->schema->col[i];
  lt_slot *s = &b->slot[i];
  leat_status st = lt_batch_slot_dense(b, i, lt_col_kept(c, v), b->n + n, err);
  if (st) return st;
  uint64_t size = (uint64_t)lt_dtype_size(v->dtype), w = (uint64_t)c->width;
  if (s->dtype == v->dtype && v->col_stride == 1 && v->row_stride == c->width && !pick) {
    if (n) memcpy((char *)s->data + (uint64_t)b->n * w * size, (const char *)v->data + (uint64_t)from * w * size,
                  (uint64_t)n * w * size);
    return LEAT_OK;
  }
  for (int64_t k = 0; k < n; k++) {
    int64_t r = pick ? pick[k] : from + k;
    if (s->dtype != v->dtype) {
      for (int64_t j = 0; j < c->width; j++) put_number(c, s, (b->n + k) * c->width + j, lt_col_number(c, v, r, j));
    } else if (c->width == 1 && size == 8) {
      ((uint64_t *)s->data)[b->n + k] = ((const uint64_t *)v->data)[r * v->row_stride];
    } else if (v->col_stride == 1) {
      memcpy((char *)s->data + (uint64_t)(b->n + k) * w * size,
             (const char *)v->data + r * v->row_stride * (int64_t)size, w * size);
    } else {
      for (int64_t j = 0; j < c->width; j++)
        memcpy((char *)s->data + ((uint64_t)(b->n + k) * w + (uint64_t)j) * size,
               (const char *)v->data + (r * v->row_stride + j * v->col_stride) * (int64_t)size, size);
    }
  }
  return LEAT_OK;
}

static leat_status add_rows(leat_batch *b, const lt_rows *rows, const int64_t *pick, int64_t from, int64_t n,
                            leat_error *err) {
  if (rows->schema != b->schema && !lt_schema_equal(rows->schema, b->schema))
    return lt_fail(err, LEAT_E_ARG, "the rows are of another schema than the batch");
  if (from < 0 || n < 0 || (!pick && n > rows->n - from))
    return lt_fail(err, LEAT_E_RANGE, "rows [%lld, %lld) of %lld", (long long)from, (long long)(from + n),
                   (long long)rows->n);
  leat_status st = lt_batch_own(b, err);
  for (int64_t i = 0; !st && i < b->schema->n; i++) {
    const lt_column *c = &b->schema->col[i];
    const lt_col *v = &rows->col[i];
    int absent = !v->data && !v->row_start && !v->text_end;
    if (absent && !b->slot[i].present) continue;
    lt_col empty = *v;
    double nan_value = NAN;
    int64_t none = INT64_MIN, zeros[2] = {0, 0};
    int32_t missing = LT_MISSING;
    uint8_t unknown = 255;
    if (absent) { /* one missing row, repeated */
      empty.row_stride = empty.col_stride = 0;
      empty.dtype = lt_column_dtype(c);
      empty.data = c->kind == LEAT_CATEGORY ? (const void *)&missing : c->kind == LEAT_BOOL ? (const void *)&unknown
                   : c->kind == LEAT_TIME ? (const void *)&none : (const void *)&nan_value;
    }
    if (lt_column_is_text(c) || c->sparse) {
      for (int64_t k = 0; absent && !st && k < n; k++) {
        lt_col one = {.row_start = zeros, .text = "", .text_end = (const uint64_t *)zeros + 1};
        int64_t n_was = b->n;
        b->n += k;
        st = c->sparse ? gather_sparse(b, i, &one, NULL, 0, 1, err) : gather_text(b, i, &one, NULL, 0, 1, err);
        b->n = n_was;
      }
      if (!absent) st = c->sparse ? gather_sparse(b, i, v, pick, from, n, err) : gather_text(b, i, v, pick, from, n, err);
    } else {
      st = gather_dense(b, i, &empty, pick, from, n, err);
    }
  }
  if (!st) st = lt_beside_gather(b, rows->side, pick, from, n, err);
  if (!st) b->n += n;
  lt_batch_sync(b);
  return st;
}

leat_status lt_batch_append(leat_batch *b, const lt_rows *rows, int64_t from, int64_t n, leat_error *err) {
  return add_rows(b, rows, NULL, from, n, err);
}

leat_status lt_batch_gather(leat_batch *b, const lt_rows *rows, const int64_t *pick, int64_t n, leat_error *err) {
  for (int64_t k = 0; k < n; k++)
    if (pick[k] < 0 || pick[k] >= rows->n)
      return lt_fail(err, LEAT_E_RANGE, "row %lld is outside [0, %lld)", (long long)pick[k], (long long)rows->n);
  return add_rows(b, rows, pick, 0, n, err);
}
