/* An encoder bound to rows of one schema: columns are found by name, labels are remapped by text, once; then rows. */
#include "model/encoding.h"
#include "base/number.h"
#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------- binding */

static const char *bind_kind(const lt_column *c) {
  static const char *const names[] = {"?", "number", "category", "text", "bool", "time", "id"};
  if (c->sparse) return "sparse block";
  return c->kind >= LEAT_NUMBER && c->kind <= LEAT_ID ? names[c->kind] : names[0];
}

static leat_status bind_mismatch(const lt_column *want, const lt_column *got, leat_error *err) {
  return lt_fail(err, LEAT_E_UNSUPPORTED, "column '%s' is %s (width %lld) here and %s (width %lld) in the model", got->name,
                 bind_kind(got), (long long)got->width, bind_kind(want), (long long)want->width);
}

static int bind_same_labels(const lt_dict *a, const lt_dict *b) {
  int64_t n = lt_dict_count(a);
  if (a == b) return 1;
  if (n != lt_dict_count(b)) return 0;
  for (int64_t i = 0; i < n; i++) {
    uint64_t na = 0, nb = 0;
    const char *ta = lt_dict_text(a, i, &na), *tb = lt_dict_text(b, i, &nb);
    if (na != nb || memcmp(ta, tb, na) != 0) return 0;
  }
  return 1;
}

/* category -> category: their code to ours by the label's text. */
static leat_status bind_codes(leat_runtime *rt, lt_bound *b, const lt_column *want, const lt_column *got, leat_error *err) {
  int64_t unseen = lt_dict_count(want->labels);
  b->how = LT_HOW_CODE;
  b->n = lt_dict_count(got->labels);
  if (bind_same_labels(want->labels, got->labels)) return LEAT_OK;
  b->map = lt_array(rt, (uint64_t)b->n, sizeof *b->map);
  if (!b->map) return lt_fail_memory(err, (uint64_t)b->n * sizeof *b->map, "labels of a column");
  for (int64_t i = 0; i < b->n; i++) {
    uint64_t n = 0;
    const char *label = lt_dict_text(got->labels, i, &n);
    int64_t code = lt_dict_find(want->labels, label, n);
    b->map[i] = (int32_t)(code < 0 ? unseen : code);
  }
  return LEAT_OK;
}

/* category -> number: every label must be a number. */
static leat_status bind_label_numbers(leat_runtime *rt, lt_bound *b, const lt_column *got, leat_error *err) {
  b->how = LT_HOW_LABEL_NUMBER;
  b->n = lt_dict_count(got->labels);
  b->number = lt_array(rt, (uint64_t)b->n, sizeof *b->number);
  if (!b->number) return lt_fail_memory(err, (uint64_t)b->n * sizeof *b->number, "labels of a column");
  for (int64_t i = 0; i < b->n; i++) {
    uint64_t n = 0;
    const char *label = lt_dict_text(got->labels, i, &n);
    if (!lt_parse_f64(label, label + n, &b->number[i]))
      return lt_fail(err, LEAT_E_UNSUPPORTED,
                     "column '%s' is a number in the model and a category here; its label '%.40s' is not a number", got->name,
                     label);
  }
  return LEAT_OK;
}

static void bind_sort_values(lt_label_number *v, int64_t n) { /* shell sort: a few hundred labels, no memory */
  for (int64_t gap = n / 2; gap > 0; gap /= 2)
    for (int64_t i = gap; i < n; i++) {
      lt_label_number x = v[i];
      int64_t j = i;
      for (; j >= gap && v[j - gap].value > x.value; j -= gap) v[j] = v[j - gap];
      v[j] = x;
    }
}

/* number -> category: the label that reads as that number. */
static leat_status bind_number_codes(leat_runtime *rt, lt_bound *b, const lt_column *want, leat_error *err) {
  int64_t n_labels = lt_dict_count(want->labels);
  b->how = LT_HOW_NUMBER_CODE;
  b->value = lt_array(rt, (uint64_t)n_labels, sizeof *b->value);
  if (!b->value) return lt_fail_memory(err, (uint64_t)n_labels * sizeof *b->value, "labels of a column");
  for (int64_t i = 0; i < n_labels; i++) {
    uint64_t n = 0;
    double v = 0.0;
    const char *label = lt_dict_text(want->labels, i, &n);
    if (!lt_parse_f64(label, label + n, &v) || isnan(v)) continue;
    b->value[b->n].value = v;
    b->value[b->n++].code = (int32_t)i;
  }
  bind_sort_values(b->value, b->n);
  return LEAT_OK;
}

static leat_status bind_column(leat_runtime *rt, const lt_part *p, const lt_column *want, const lt_column *got,
                               lt_bound *b, leat_error *err) {
  int number_like = !got->sparse && (got->kind == LEAT_NUMBER || got->kind == LEAT_BOOL || got->kind == LEAT_TIME);
  int text_like = got->kind == LEAT_TEXT || got->kind == LEAT_ID;
  if (got->role == LEAT_ROLE_IGNORE)
    return lt_fail(err, LEAT_E_NOT_FOUND, "column '%s' is a feature of the model and ignored here", got->name);
  switch (p->type) {
  case LT_PART_NUMBERS:
    if (number_like && got->width == want->width) {
      b->how = LT_HOW_NUMBER;
      return LEAT_OK;
    }
    if (got->kind == LEAT_CATEGORY && want->width == 1) return bind_label_numbers(rt, b, got, err);
    break;
  case LT_PART_CATEGORY:
    if (got->kind == LEAT_CATEGORY) return bind_codes(rt, b, want, got, err);
    if (number_like && got->width == 1) return bind_number_codes(rt, b, want, err);
    if (text_like) {
      b->how = LT_HOW_TEXT_CODE;
      return LEAT_OK;
    }
    break;
  case LT_PART_TEXT:
    if (text_like || got->kind == LEAT_CATEGORY) {
      b->how = text_like ? LT_HOW_TEXT : LT_HOW_LABEL_TEXT;
      b->n = text_like ? 0 : lt_dict_count(got->labels);
      return LEAT_OK;
    }
    break;
  default:
    if (got->sparse) {
      b->how = LT_HOW_SPARSE;
      return LEAT_OK;
    }
    break;
  }
  return bind_mismatch(want, got, err);
}

leat_status lt_encode_create(const lt_encoder *e, const leat_schema *schema, lt_encode **out, leat_error *err) {
  leat_status st = LEAT_OK;
  int64_t hint = 0;
  *out = NULL;
  lt_encode *b = lt_zalloc(e->rt, sizeof *b);
  if (!b) return lt_fail_memory(err, sizeof *b, "an encoder's binding");
  b->e = e;
  b->part = lt_zarray(e->rt, (uint64_t)e->n_parts, sizeof *b->part);
  if (!b->part) {
    lt_free(e->rt, b);
    return lt_fail_memory(err, (uint64_t)e->n_parts * sizeof *b->part, "an encoder's binding");
  }
  b->n_parts = e->n_parts;
  b->schema = (leat_schema *)(uintptr_t)schema;
  lt_schema_ref(b->schema);
  for (int64_t k = 0; k < e->n_parts && !st; k++) {
    if (lt_part_is_derived(&e->part[k])) continue;
    const lt_column *want = &e->schema->col[e->part[k].column];
    /* the same order is the usual case: look at the same place, then behind the last one, then everywhere */
    int64_t at = schema == e->schema ? e->part[k].column : hint;
    if (at >= schema->n || strcmp(schema->col[at].name, want->name) != 0) {
      at = e->part[k].column;
      if (at >= schema->n || strcmp(schema->col[at].name, want->name) != 0) st = lt_schema_find(schema, want->name, &at, err);
    }
    if (st) break;
    hint = at + 1;
    b->part[k].column = at;
    st = bind_column(e->rt, &e->part[k], want, &schema->col[at], &b->part[k], err);
  }
  if (st) lt_encode_free(b);
  else *out = b;
  return st;
}

void lt_encode_free(lt_encode *b) {
  if (!b) return;
  leat_runtime *rt = b->e->rt;
  for (int64_t k = 0; k < b->n_parts; k++) {
    lt_free(rt, b->part[k].map);
    lt_free(rt, b->part[k].number);
    lt_free(rt, b->part[k].value);
  }
  lt_free(rt, b->part);
  lt_schema_free(b->schema);
  lt_free(rt, b);
}

/* ---------------------------------------------------------------------------------------------- numbers */

#define LOAD_NUMBERS(type, convert)                                                        \
  do {                                                                                     \
    const type *data = (const type *)v->data + from * v->row_stride;                       \
    for (int64_t r = 0; width == 1 && r < n; r++) {                                        \
      type raw = data[r * v->row_stride];                                                  \
      x[r * ld] = (convert);                                                               \
    }                                                                                      \
    for (int64_t r = 0; width > 1 && r < n; r++)                                           \
      for (int64_t j = 0; j < width; j++) {                                                \
        type raw = data[r * v->row_stride + j * v->col_stride];                            \
        x[r * ld + j] = (convert);                                                         \
      }                                                                                    \
  } while (0)

/* width numbers of rows [from, from + n) of a number-like column; NaN when missing. */
void lt_column_numbers(const lt_column *c, const lt_col *v, int64_t width, int64_t from, int64_t n, double *x,
                       int64_t ld) {
  if (!v->data) {
    for (int64_t r = 0; r < n; r++)
      for (int64_t j = 0; j < width; j++) x[r * ld + j] = NAN;
    return;
  }
  switch (v->dtype) {
  case LEAT_F32: LOAD_NUMBERS(float, (double)raw); break;
  case LEAT_F64: LOAD_NUMBERS(double, raw); break;
  case LEAT_U8:
    if (c->kind == LEAT_BOOL) LOAD_NUMBERS(uint8_t, raw == 255 ? (double)NAN : (double)raw);
    else LOAD_NUMBERS(uint8_t, (double)raw);
    break;
  case LEAT_I32:
    if (c->kind == LEAT_NUMBER) LOAD_NUMBERS(int32_t, (double)raw);
    else LOAD_NUMBERS(int32_t, raw == LT_MISSING ? (double)NAN : (double)raw);
    break;
  case LEAT_I64:
    if (c->kind == LEAT_NUMBER) LOAD_NUMBERS(int64_t, (double)raw);
    else LOAD_NUMBERS(int64_t, raw == INT64_MIN ? (double)NAN : (double)raw);
    break;
  default:
    for (int64_t r = 0; r < n; r++)
      for (int64_t j = 0; j < width; j++) x[r * ld + j] = lt_col_number(c, v, from + r, j);
  }
}

static double label_number(const lt_bound *b, const lt_col *v, int64_t r) {
  if (!v->data) return (double)NAN;
  int32_t code = ((const int32_t *)v->data)[r * v->row_stride];
  return code >= 0 && code < b->n ? b->number[code] : (double)NAN;
}

void lt_encode_numbers(const lt_encode *b, const lt_rows *rows, int64_t from, int64_t n, double *x, int64_t ld) {
  for (int64_t k = 0; k < b->e->n_parts; k++) {
    const lt_part *p = &b->e->part[k];
    if (p->type != LT_PART_NUMBERS) continue;
    const lt_bound *u = &b->part[k];
    const lt_col *v = &rows->col[u->column];
    if (u->how == LT_HOW_NUMBER) {
      lt_column_numbers(&b->schema->col[u->column], v, p->width, from, n, x + p->slot, ld);
    } else {
      for (int64_t r = 0; r < n; r++) x[r * ld + p->slot] = label_number(u, v, from + r);
    }
    for (int64_t r = 0; p->hashed && r < n; r++)
      for (int64_t j = 0; j < p->width; j++) x[r * ld + p->slot + j] = lt_signed_log(x[r * ld + p->slot + j]);
  }
}

void lt_encode_dense(const lt_encode *b, const lt_rows *rows, int64_t from, int64_t n, float *dense, int64_t ld) {
  enum { BLOCK = 512 };
  double x[BLOCK];
  const lt_encoder *e = b->e;
  for (int64_t k = 0; k < e->n_parts; k++) {
    const lt_part *p = &e->part[k];
    if (p->type != LT_PART_NUMBERS) continue;
    const lt_bound *u = &b->part[k];
    const lt_col *v = &rows->col[u->column];
    for (int64_t j0 = 0; j0 < p->width; j0 += BLOCK) {
      int64_t w = p->width - j0 < BLOCK ? p->width - j0 : BLOCK, strip = BLOCK / w;
      for (int64_t r0 = 0; r0 < n; r0 += strip) {
        int64_t m = n - r0 < strip ? n - r0 : strip;
        if (u->how == LT_HOW_NUMBER) {
          lt_col part = *v; /* the block's columns from j0 */
          if (v->data) part.data = (const char *)v->data + j0 * v->col_stride * lt_dtype_size(v->dtype);
          lt_column_numbers(&b->schema->col[u->column], &part, w, from + r0, m, x, w);
        } else {
          for (int64_t r = 0; r < m; r++) x[r] = label_number(u, v, from + r0 + r);
        }
        for (int64_t r = 0; r < m; r++)
          for (int64_t j = 0; j < w; j++) {
            int64_t slot = p->slot + j0 + j;
            double raw = x[r * w + j];
            if (p->hashed) raw = lt_signed_log(raw);
            if (!isfinite(raw)) raw = e->mean[slot];
            if (e->standardize) raw = (raw - e->mean[slot]) * e->inverse[slot];
            dense[(r0 + r) * ld + slot] = (float)raw;
          }
      }
    }
  }
}

/* ---------------------------------------------------------------------------------------------- categories, text */

static int64_t number_code(const lt_bound *b, double v, int64_t unseen) {
  int64_t low = 0, high = b->n;
  while (low < high) {
    int64_t mid = low + (high - low) / 2;
    if (b->value[mid].value < v) low = mid + 1;
    else high = mid;
  }
  return low < b->n && b->value[low].value == v ? b->value[low].code : unseen;
}

double lt_encode_number(const lt_encode *b, int64_t k, const lt_rows *rows, int64_t r) {
  const lt_bound *u = &b->part[k];
  const lt_col *v = &rows->col[u->column];
  double x = NAN;
  if (u->how != LT_HOW_NUMBER) return label_number(u, v, r);
  lt_column_numbers(&b->schema->col[u->column], v, 1, r, 1, &x, 1);
  return x;
}

int64_t lt_encode_code(const lt_encode *b, int64_t k, const lt_rows *rows, int64_t r) {
  const lt_part *p = &b->e->part[k];
  if (p->type == LT_PART_BUCKETS) return lt_bucket_of(p->edge, p->n_edges, lt_encode_number(b, p->source, rows, r));
  if (p->type == LT_PART_CROSS)
    return lt_encode_code(b, p->source, rows, r) * (b->e->part[p->other].n_labels + 1) + lt_encode_code(b, p->other, rows, r);
  const lt_bound *u = &b->part[k];
  const lt_col *v = &rows->col[u->column];
  int64_t unseen = p->n_labels;
  if (u->how == LT_HOW_CODE) {
    if (!v->data) return unseen;
    int32_t code = ((const int32_t *)v->data)[r * v->row_stride];
    if (code < 0 || code >= u->n) return unseen;
    return u->map ? u->map[code] : code;
  }
  if (u->how == LT_HOW_NUMBER_CODE) {
    double x = NAN;
    lt_column_numbers(&b->schema->col[u->column], v, 1, r, 1, &x, 1);
    return isnan(x) ? unseen : number_code(u, x, unseen);
  }
  if (!v->text) return unseen;
  uint64_t n = 0;
  const char *text = lt_col_text(v, r, &n);
  int64_t code = n > 0 ? lt_dict_find(b->e->schema->col[p->column].labels, text, n) : -1;
  return code < 0 ? unseen : code;
}

const char *lt_encode_text(const lt_encode *b, int64_t k, const lt_rows *rows, int64_t r, uint64_t *n) {
  const lt_bound *u = &b->part[k];
  const lt_col *v = &rows->col[u->column];
  *n = 0;
  if (u->how == LT_HOW_LABEL_TEXT) {
    int32_t code = v->data ? ((const int32_t *)v->data)[r * v->row_stride] : LT_MISSING;
    if (code < 0 || code >= u->n) return "";
    return lt_dict_text(b->schema->col[u->column].labels, code, n);
  }
  return v->text ? lt_col_text(v, r, n) : "";
}

/* ---------------------------------------------------------------------------------------------- rows */

int64_t lt_encode_room(const lt_encode *b, const lt_rows *rows, int64_t r) {
  int64_t room = 0;
  for (int64_t k = 0; k < b->e->n_parts; k++) {
    const lt_part *p = &b->e->part[k];
    if (lt_part_has_code(p)) {
      room += 1;
      continue;
    }
    const lt_col *v = &rows->col[b->part[k].column];
    uint64_t n = 0;
    if (p->type == LT_PART_TEXT) {
      lt_encode_text(b, k, rows, r, &n);
      room += (int64_t)lt_text_room(n, p->hashed == LT_PART_PAIRS);
    }
    if (p->type == LT_PART_SPARSE && v->row_start) room += v->row_start[r + 1] - v->row_start[r];
  }
  return room;
}

static int64_t encode_block(const lt_encoder *e, const lt_part *p, const lt_col *v, int64_t r, int32_t *index,
                            float *value) {
  int64_t n = 0;
  if (!v->row_start) return 0;
  for (int64_t k = v->row_start[r]; k < v->row_start[r + 1]; k++) {
    int32_t j = p->hashed ? lt_hash_index(v->index[k], e->hash_bits) : v->index[k];
    float x = v->value ? v->value[k] : 1.0f;
    if (j < 0 || j >= p->width || !isfinite(x)) continue; /* an index the model has never seen; a missing value */
    index[n] = j;
    value[n++] = e->sparse_scale ? (float)((double)x * e->sparse_scale[j]) : x;
  }
  return lt_sort_slots(index, value, n);
}

int64_t lt_encode_sparse(const lt_encode *b, const lt_rows *rows, int64_t r, int32_t *index, float *value) {
  const lt_encoder *e = b->e;
  int64_t n = 0;
  for (int64_t k = 0; k < e->n_parts; k++) {
    const lt_part *p = &e->part[k];
    int64_t got = 0;
    if (p->type == LT_PART_NUMBERS) continue;
    if (lt_part_has_code(p)) {
      index[n] = p->slot_of[lt_encode_code(b, k, rows, r)];
      value[n] = 1.0f;
      got = 1;
    } else if (p->type == LT_PART_TEXT) {
      uint64_t len = 0;
      const char *text = lt_encode_text(b, k, rows, r, &len);
      got = lt_text_slots(text, len, e->hash_bits, p->hashed == LT_PART_PAIRS, index + n, value + n);
      lt_text_stretch(value + n, got, p->length);
    } else {
      got = encode_block(e, p, &rows->col[b->part[k].column], r, index + n, value + n);
    }
    for (int64_t i = n; i < n + got; i++) index[i] += (int32_t)p->slot;
    n += got;
  }
  return n;
}

int64_t lt_encode_row(const lt_encode *b, const lt_rows *rows, int64_t r, float *dense, int32_t *index, float *value) {
  if (b->e->n_dense > 0) lt_encode_dense(b, rows, r, 1, dense, b->e->n_dense);
  return lt_encode_sparse(b, rows, r, index, value);
}
