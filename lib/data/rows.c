#include "data/rows.h"

#include <math.h>
#include <string.h>

#include "base/number.h"
#include "data/store.h"

static double sparse_at(const lt_col *v, int64_t r, int64_t j) {
  int64_t lo = v->row_start[r], hi = v->row_start[r + 1];
  while (lo < hi) {
    int64_t mid = lo + (hi - lo) / 2;
    if (v->index[mid] < j) lo = mid + 1;
    else hi = mid;
  }
  if (lo >= v->row_start[r + 1] || v->index[lo] != j) return 0.0;
  return v->value ? v->value[lo] : 1.0;
}

int32_t lt_col_kept(const lt_column *c, const lt_col *v) {
  if (c->kind != LEAT_NUMBER || v->dtype == LEAT_F32 || v->dtype == LEAT_U8) return v->dtype;
  return LEAT_F64;
}

double lt_col_number(const lt_column *c, const lt_col *v, int64_t r, int64_t j) {
  if (v->row_start) return sparse_at(v, r, j);
  if (!v->data) return NAN;
  int64_t i = r * v->row_stride + j * v->col_stride;
  switch (v->dtype) {
    case LEAT_F64: return ((const double *)v->data)[i];
    case LEAT_F32: return ((const float *)v->data)[i];
    case LEAT_U8: {
      uint8_t u = ((const uint8_t *)v->data)[i];
      return c->kind == LEAT_BOOL && u == 255 ? (double)NAN : (double)u;
    }
    case LEAT_I32: {
      int32_t code = ((const int32_t *)v->data)[i];
      return code == LT_MISSING && c->kind != LEAT_NUMBER ? (double)NAN : (double)code;
    }
    case LEAT_I64: {
      int64_t t = ((const int64_t *)v->data)[i];
      return t == INT64_MIN && c->kind != LEAT_NUMBER ? NAN : (double)t;
    }
    case LEAT_I8: return ((const int8_t *)v->data)[i];
    case LEAT_I16: return ((const int16_t *)v->data)[i];
    case LEAT_U16: return ((const uint16_t *)v->data)[i];
    case LEAT_U32: return ((const uint32_t *)v->data)[i];
    case LEAT_U64: return (double)((const uint64_t *)v->data)[i];
    default: return NAN;
  }
}

double lt_rows_target(const lt_rows *rows, int64_t column, int64_t r) {
  const lt_column *c = &rows->schema->col[column];
  double y = lt_col_number(c, &rows->col[column], r, 0);
  return c->kind == LEAT_CATEGORY && y < 0 ? NAN : y;
}

const char *lt_col_text(const lt_col *v, int64_t r, uint64_t *n) {
  if (!v->text_end) {
    if (n) *n = 0;
    return "";
  }
  uint64_t from = v->text_end[r - 1], to = v->text_end[r];
  if (n) *n = to - from;
  return v->text ? v->text + from : "";
}

leat_status lt_rows_text(const lt_rows *rows, int64_t r, int64_t column, lt_put *w, leat_error *err) {
  if (column < 0 || column >= rows->schema->n)
    return lt_fail(err, LEAT_E_NOT_FOUND, "column %lld is outside [0, %lld)", (long long)column,
                   (long long)rows->schema->n);
  if (r < 0 || r >= rows->n)
    return lt_fail(err, LEAT_E_NOT_FOUND, "row %lld is outside [0, %lld)", (long long)r, (long long)rows->n);
  const lt_column *c = &rows->schema->col[column];
  const lt_col *v = &rows->col[column];
  if (c->width != 1 || c->sparse)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "block '%s': only a column of one value a row has a text", c->name);
  if (lt_column_is_text(c)) {
    uint64_t n;
    const char *t = lt_col_text(v, r, &n);
    lt_put_raw(w, t, n);
    return lt_put_status(w, err);
  }
  double x = lt_col_number(c, v, r, 0);
  if (isnan(x)) return LEAT_OK;
  char buf[40];
  int len = 0;
  if (c->kind == LEAT_CATEGORY) {
    if (x < 0 || x >= (double)lt_dict_count(c->labels)) return LEAT_OK;
    uint64_t n;
    const char *t = lt_dict_text(c->labels, (int64_t)x, &n);
    lt_put_raw(w, t, n);
    return lt_put_status(w, err);
  }
  if (c->kind == LEAT_BOOL) {
    lt_put_raw(w, x != 0 ? "true" : "false", x != 0 ? 4 : 5);
    return lt_put_status(w, err);
  }
  if (c->kind == LEAT_TIME) len = lt_time_text(((const int64_t *)v->data)[r * v->row_stride], buf);
  else if (v->dtype == LEAT_F32) len = lt_f32_text((float)x, buf);
  else len = lt_f64_text(x, buf);
  lt_put_raw(w, buf, (uint64_t)len);
  return lt_put_status(w, err);
}

/* Bytes of a column: tag 0 no data, 1 numbers (dtype, row-major), 2 sparse, 3 text. */
enum { TAG_NONE = 0, TAG_NUMBERS = 1, TAG_SPARSE = 2, TAG_TEXT = 3 };

static void save_numbers(const lt_column *c, const lt_col *v, int64_t n, lt_put *w) {
  uint64_t size = (uint64_t)lt_dtype_size(v->dtype);
  int32_t kept = lt_col_kept(c, v);
  lt_put_u8(w, TAG_NUMBERS);
  lt_put_u8(w, (uint8_t)kept);
  for (int64_t r = 0; kept != v->dtype && r < n; r++)
    for (int64_t j = 0; j < c->width; j++) lt_put_f64(w, lt_col_number(c, v, r, j));
  if (kept != v->dtype) return;
  for (int64_t r = 0; r < n; r++)
    for (int64_t j = 0; j < c->width; j++)
      lt_put_raw(w, (const char *)v->data + (uint64_t)(r * v->row_stride + j * v->col_stride) * size, size);
}

static void save_sparse(const lt_col *v, int64_t n, lt_put *w) {
  lt_put_u8(w, TAG_SPARSE);
  lt_put_u8(w, v->value ? 1 : 0);
  for (int64_t r = 0; r < n; r++) {
    int64_t from = v->row_start[r], to = v->row_start[r + 1];
    lt_put_u64(w, (uint64_t)(to - from));
    for (int64_t k = from; k < to; k++) lt_put_u32(w, (uint32_t)v->index[k]);
    if (!v->value) continue;
    for (int64_t k = from; k < to; k++) lt_put_f32(w, v->value[k]);
  }
}

static void save_text(const lt_col *v, int64_t n, lt_put *w) {
  lt_put_u8(w, TAG_TEXT);
  for (int64_t r = 0; r < n; r++) {
    uint64_t len;
    const char *t = lt_col_text(v, r, &len);
    lt_put_u64(w, len);
    lt_put_raw(w, t, len);
  }
}

/* Numbers are written in the machine's byte order, which is little-endian wherever leat builds (bytes.h says the same
 * of its arrays). */
void lt_rows_save(const lt_rows *rows, lt_put *w) {
  lt_put_u64(w, (uint64_t)rows->n);
  lt_put_u64(w, (uint64_t)rows->schema->n);
  for (int64_t i = 0; i < rows->schema->n; i++) {
    const lt_col *v = &rows->col[i];
    if (v->row_start) save_sparse(v, rows->n, w);
    else if (v->text_end) save_text(v, rows->n, w);
    else if (v->data) save_numbers(&rows->schema->col[i], v, rows->n, w);
    else lt_put_u8(w, TAG_NONE);
  }
}

static leat_status load_numbers(leat_batch *b, int64_t i, int64_t n, lt_get *r, leat_error *err) {
  const lt_column *c = &b->schema->col[i];
  int32_t dtype = lt_get_u8(r);
  leat_status st = lt_get_status(r, "rows", err);
  if (st) return st;
  int plain = c->kind == LEAT_NUMBER && (dtype == LEAT_F32 || dtype == LEAT_F64 || dtype == LEAT_U8);
  if (lt_column_is_text(c) || c->sparse || (!plain && dtype != lt_column_dtype(c)))
    return lt_fail(err, LEAT_E_FORMAT, "rows: column '%s' is stored as another type", c->name);
  int64_t size = lt_dtype_size(dtype);
  uint64_t count = (uint64_t)n * (uint64_t)c->width;
  if (count > lt_get_left(r) / (uint64_t)size) return lt_fail(err, LEAT_E_FORMAT, "rows: cut in column '%s'", c->name);
  const void *p = lt_get_raw(r, count * (uint64_t)size);
  if (!p && count) return lt_get_status(r, "rows", err);
  st = lt_batch_slot_dense(b, i, dtype, n, err);
  if (st) return st;
  if (count) memcpy(b->slot[i].data, p, count * (uint64_t)size);
  if (dtype != LEAT_I32) return LEAT_OK;
  int64_t labels = c->labels ? lt_dict_count(c->labels) : 0;
  const int32_t *code = b->slot[i].data;
  for (int64_t k = 0; k < n; k++)
    if (code[k] < LT_UNSEEN || code[k] >= labels)
      return lt_fail(err, LEAT_E_FORMAT, "rows: column '%s' has no label %d", c->name, code[k]);
  return LEAT_OK;
}

static leat_status load_sparse(leat_batch *b, int64_t i, int64_t n, lt_get *r, leat_error *err) {
  const lt_column *c = &b->schema->col[i];
  if (!c->sparse) return lt_fail(err, LEAT_E_FORMAT, "rows: column '%s' is not sparse", c->name);
  int has_value = lt_get_u8(r);
  leat_status st = LEAT_OK;
  int64_t at = 0;
  for (int64_t k = 0; !st && k < n; k++) {
    uint64_t m = lt_get_count(r, has_value ? 8 : 4, (uint64_t)c->width);
    st = lt_get_status(r, "rows", err);
    if (!st) st = lt_batch_slot_sparse(b, i, n, at + (int64_t)m, has_value, err);
    if (st) break;
    lt_slot_csr *s = b->slot[i].csr;
    int64_t last = -1;
    for (uint64_t q = 0; q < m; q++) {
      uint32_t x = lt_get_u32(r);
      if (x >= (uint64_t)c->width || (int64_t)x <= last)
        return lt_fail(err, LEAT_E_FORMAT, "rows: indices of '%s' do not ascend below its width", c->name);
      s->index[at + (int64_t)q] = (int32_t)x;
      last = x;
    }
    for (uint64_t q = 0; has_value && q < m; q++) s->value[at + (int64_t)q] = lt_get_f32(r);
    at += (int64_t)m;
    s->row_start[k + 1] = at;
  }
  if (!st && !n) st = lt_batch_slot_sparse(b, i, 0, 0, has_value, err);
  return st ? st : lt_get_status(r, "rows", err);
}

static leat_status load_text(leat_batch *b, int64_t i, int64_t n, lt_get *r, leat_error *err) {
  const lt_column *c = &b->schema->col[i];
  if (!lt_column_is_text(c)) return lt_fail(err, LEAT_E_FORMAT, "rows: column '%s' holds no text", c->name);
  leat_status st = lt_batch_slot_text(b, i, n, 0, err);
  uint64_t at = 0;
  for (int64_t k = 0; !st && k < n; k++) {
    uint64_t len = lt_get_count(r, 1, UINT64_MAX);
    const void *p = lt_get_raw(r, len);
    st = lt_get_status(r, "rows", err);
    if (!st) st = lt_batch_slot_text(b, i, n, at + len, err);
    if (st) break;
    if (len) memcpy(b->slot[i].text->text + at, p, len);
    at += len;
    b->slot[i].text->end[k + 1] = at;
  }
  return st;
}

leat_status lt_rows_load(leat_runtime *rt, const leat_schema *s, lt_get *r, leat_batch **out, leat_error *err) {
  *out = NULL;
  leat_schema *copy = NULL;
  leat_batch *b = NULL;
  leat_status st = lt_schema_copy(s, &copy, err);
  if (!st) st = lt_batch_create(rt, copy, &b, err);
  lt_schema_free(copy);
  if (st) return st;
  uint64_t n = lt_get_u64(r), cols = lt_get_u64(r);
  st = lt_get_status(r, "rows", err);
  /* every present column takes at least a byte a row, and rows without any column are pointless */
  if (!st && (cols != (uint64_t)s->n || n > lt_get_left(r)))
    st = lt_fail(err, LEAT_E_FORMAT, "rows: the number of rows or columns makes no sense");
  for (int64_t i = 0; !st && i < s->n; i++) {
    int tag = lt_get_u8(r);
    st = lt_get_status(r, "rows", err);
    if (st || tag == TAG_NONE) continue;
    if (tag == TAG_NUMBERS) st = load_numbers(b, i, (int64_t)n, r, err);
    else if (tag == TAG_SPARSE) st = load_sparse(b, i, (int64_t)n, r, err);
    else if (tag == TAG_TEXT) st = load_text(b, i, (int64_t)n, r, err);
    else st = lt_fail(err, LEAT_E_FORMAT, "rows: a column of unknown tag %d", tag);
  }
  if (st) {
    lt_batch_free(b);
    return st;
  }
  b->n = (int64_t)n;
  lt_batch_sync(b);
  *out = b;
  return LEAT_OK;
}
