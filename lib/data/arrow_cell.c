/* Arrow arrays: checked, then read cell by cell. Buffers need not be aligned, so elements are read by memcpy. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "data/arrow.h"

enum { MOST_BUFFERS = 1 << 20 };
static const int64_t most_rows = (int64_t)1 << 56;

static leat_status rejected(const char *name, const char *what, leat_error *err) {
  return lt_fail(err, LEAT_E_FORMAT, "the Arrow array breaks the rules of the C data interface: column '%s': %s", name,
                 what);
}

/* ---- checks */

static leat_status check_array(const char *name, const struct ArrowArray *a, leat_error *err) {
  if (!a) return rejected(name, "a child is NULL", err);
  if (!a->release) return rejected(name, "it was released already", err);
  if (a->length < 0 || a->offset < 0 || a->length > most_rows || a->offset > most_rows)
    return rejected(name, "its length or offset is negative or absurd", err);
  if (a->n_buffers < 0 || a->n_buffers > MOST_BUFFERS || (a->n_buffers && !a->buffers))
    return rejected(name, "its buffers are missing", err);
  if (a->n_children < 0 || (a->n_children && !a->children)) return rejected(name, "its children are missing", err);
  return LEAT_OK;
}

static int bit(const uint8_t *bits, int64_t i) { return bits[i >> 3] >> (i & 7) & 1; }

static int64_t zeros(const uint8_t *bits, int64_t from, int64_t n) {
  int64_t found = 0, i = from, to = from + n;
  for (; i < to && (i & 7); i++) found += !bit(bits, i);
  for (; i + 8 <= to; i += 8) found += 8 - __builtin_popcount(bits[i >> 3]);
  for (; i < to; i++) found += !bit(bits, i);
  return found;
}

/* Takes note of a's bitmap when one of the elements [at, at + n) is missing. */
static leat_status add_valid(const char *name, const struct ArrowArray *a, int64_t at, int64_t n, lt_arrow_cells *out,
                             leat_error *err) {
  if (!a->n_buffers || !a->null_count || !n) return LEAT_OK;
  const uint8_t *bits = a->buffers[0];
  if (!bits && a->null_count > 0) return rejected(name, "it says that values are missing, but not which", err);
  if (!bits || !zeros(bits, at, n)) return LEAT_OK;
  if (out->n_valid > LT_AR_DEEPEST) return rejected(name, "it is nested too deep", err);
  out->valid[out->n_valid++] = (lt_arrow_bits){bits, at};
  return LEAT_OK;
}

static int64_t offset_at(const void *p, int large, int64_t i) {
  int32_t small;
  int64_t v;
  if (large) {
    memcpy(&v, (const char *)p + i * 8, 8);
    return v;
  }
  memcpy(&small, (const char *)p + i * 4, 4);
  return small;
}

/* Offsets [at, at + n] ascend from 0 or above; *last: where the last one ends. */
static leat_status check_offsets(const char *name, const struct ArrowArray *a, int large, int64_t at, int64_t n,
                                 int64_t *last, leat_error *err) {
  *last = 0;
  if (!n) return LEAT_OK;
  const void *p = a->buffers[1];
  if (!p) return rejected(name, "its offsets are missing", err);
  int64_t before = offset_at(p, large, at), bad = before < 0;
  for (int64_t i = 1; i <= n; i++) {
    int64_t v = offset_at(p, large, at + i);
    bad |= v < before;
    before = v;
  }
  if (bad || before > most_rows) return rejected(name, "its offsets do not ascend from 0", err);
  *last = before;
  return LEAT_OK;
}

typedef struct text_view { int32_t size; char head[4]; int32_t buffer, offset; } text_view;

static leat_status check_text_views(const char *name, const struct ArrowArray *a, lt_arrow_cells *c, leat_error *err) {
  int64_t size;
  c->views = (int32_t)(a->n_buffers - 3);
  if (c->n && !a->buffers[1]) return rejected(name, "its views are missing", err);
  if (c->views && !a->buffers[a->n_buffers - 1]) return rejected(name, "the sizes of its buffers are missing", err);
  for (int64_t r = 0; r < c->n; r++) {
    text_view v;
    if (lt_arrow_missing(c, r)) continue;
    memcpy(&v, (const char *)a->buffers[1] + (c->at + r) * 16, 16);
    if (v.size < 0) return rejected(name, "a text has a negative size", err);
    if (v.size <= 12) continue;
    if (v.buffer < 0 || v.buffer >= c->views || v.offset < 0 || !a->buffers[2 + v.buffer])
      return rejected(name, "a text lies in a buffer that is not there", err);
    memcpy(&size, (const char *)a->buffers[a->n_buffers - 1] + (int64_t)v.buffer * 8, 8);
    if ((int64_t)v.offset + v.size > size) return rejected(name, "a text ends behind its buffer", err);
  }
  return LEAT_OK;
}

/* Elements [at, at + n) of a, as they lie in its buffers; c may have bitmaps already. */
static leat_status cells_of(const char *name, const lt_arrow_type *t, const struct ArrowArray *a, int64_t at, int64_t n,
                            lt_arrow_cells *c, leat_error *err) {
  int64_t last = 0;
  int large = t->type == LT_AR_LARGE_TEXT || t->type == LT_AR_LARGE_SPARSE;
  int texts = t->type == LT_AR_TEXT || t->type == LT_AR_LARGE_TEXT;
  int64_t wanted = t->type == LT_AR_NULL ? 0 : t->type == LT_AR_LIST ? 1 : texts ? 3 : 2;
  int fits = t->type == LT_AR_TEXT_VIEW ? a->n_buffers >= 3 : a->n_buffers == wanted;
  c->type = t;
  c->n = n;
  c->at = at;
  c->buffer = a->buffers;
  if (!fits) return rejected(name, "it has another number of buffers than its type", err);
  leat_status st = t->type == LT_AR_NULL ? LEAT_OK : add_valid(name, a, at, n, c, err);
  if (st || !wanted || wanted == 1) return st;
  if (t->type == LT_AR_TEXT_VIEW) return check_text_views(name, a, c, err);
  if (texts || lt_arrow_is_sparse(t->type)) st = check_offsets(name, a, large, at, n, &last, err);
  else if (n && !a->buffers[1]) st = rejected(name, "its values are missing", err);
  if (!st && texts && last && !a->buffers[2]) st = rejected(name, "its bytes are missing", err);
  return st;
}

static leat_status check_numbers(const lt_arrow_field *f, const struct ArrowArray *a, int64_t at, int64_t n,
                                 lt_arrow_column *out, leat_error *err) {
  int64_t width = f->type.per_second;
  if (a->n_children != 1) return rejected(f->name, "a list has one child", err);
  const struct ArrowArray *c = a->children[0];
  leat_status st = check_array(f->name, c, err);
  if (st) return st;
  if (at + n > most_rows / width || c->length < (at + n) * width)
    return rejected(f->name, "its numbers are fewer than its length says", err);
  return cells_of(f->name, &f->item[0], c, c->offset + at * width, n * width, &out->value, err);
}

static leat_status check_pairs(const lt_arrow_field *f, const struct ArrowArray *a, lt_arrow_column *out,
                               leat_error *err) {
  int large = f->type.type == LT_AR_LARGE_SPARSE;
  if (a->n_children != 1) return rejected(f->name, "a list has one child", err);
  const struct ArrowArray *s = a->children[0];
  leat_status st = check_array(f->name, s, err);
  if (st) return st;
  int64_t last = out->cells.n ? offset_at(a->buffers[1], large, out->cells.at + out->cells.n) : 0;
  if (s->n_children != 2 || s->length < last) return rejected(f->name, "its entries are fewer than its offsets say", err);
  for (int k = 0; k < 2 && !st; k++) {
    const struct ArrowArray *c = s->children[k];
    lt_arrow_cells *cells = k ? &out->value : &out->index;
    st = check_array(f->name, c, err);
    if (!st && c->length < s->offset + last) st = rejected(f->name, "its entries are fewer than its offsets say", err);
    if (!st) st = add_valid(f->name, s, s->offset, last, cells, err);
    if (!st) st = cells_of(f->name, &f->item[k], c, c->offset + s->offset, last, cells, err);
  }
  if (!st && (out->index.n_valid || out->value.n_valid))
    st = lt_fail(err, LEAT_E_DATA, "column '%s': an entry of its lists has no index or no value; leave it out instead",
                 f->name);
  return st;
}

static leat_status check_dictionary(const lt_arrow_field *f, const struct ArrowArray *a, lt_arrow_column *out,
                                    leat_error *err) {
  const struct ArrowArray *d = a->dictionary;
  leat_status st = check_array(f->name, d, err);
  if (!st) st = cells_of(f->name, &f->type, d, d->offset, d->length, &out->value, err);
  for (int64_t r = 0; !st && r < out->cells.n; r++) {
    if (lt_arrow_missing(&out->cells, r)) continue;
    int64_t i = lt_arrow_integer(&out->cells, r);
    if (i < 0 || i >= d->length)
      st = lt_fail_at(err, LEAT_E_FORMAT, r + 1, 0, "row %lld, column '%s': index %lld is outside of its dictionary of %lld",
                      (long long)r + 1, f->name, (long long)i, (long long)d->length);
  }
  return st;
}

leat_status lt_arrow_check_rows(const struct ArrowArray *a, const struct ArrowSchema *s, leat_error *err) {
  leat_status st = check_array("", a, err);
  if (!st && a->n_children != s->n_children)
    st = lt_fail(err, LEAT_E_FORMAT, "the Arrow array has %lld columns, its schema says %lld", (long long)a->n_children,
                 (long long)s->n_children);
  if (!st && a->n_buffers != 1) st = rejected("", "a table has one buffer, its bitmap or NULL", err);
  return st;
}

leat_status lt_arrow_column_of(const lt_arrow_field *f, const struct ArrowArray *a, lt_arrow_column *out,
                               leat_error *err) {
  memset(out, 0, sizeof *out);
  out->field = f;
  int64_t n = a->length, at = a->offset;
  leat_status st = add_valid(f->name, a, at, n, &out->cells, err);
  for (int32_t k = 0; !st && k < f->depth; k++) {
    if (f->path[k] >= a->n_children) return rejected(f->name, "the column is not there", err);
    a = a->children[f->path[k]];
    st = check_array(f->name, a, err);
    if (st) break;
    if (a->length < at + n) /* at: where the rows begin in the struct around it */
      return lt_fail(err, LEAT_E_FORMAT, "column '%s' of the Arrow array has %lld values for %lld rows", f->name,
                     (long long)a->length, (long long)(at + n));
    at += a->offset;
    if (k + 1 == f->depth) break;
    if (a->n_buffers != 1) return rejected(f->name, "a struct has one buffer, its bitmap or NULL", err);
    st = add_valid(f->name, a, at, n, &out->cells, err);
  }
  if (st || f->type.type == LT_AR_OTHER) return st;
  const lt_arrow_type *t = f->index.type != LT_AR_NULL ? &f->index : &f->type;
  st = cells_of(f->name, t, a, at, n, &out->cells, err);
  if (!st && t == &f->index) st = check_dictionary(f, a, out, err);
  else if (!st && t->type == LT_AR_LIST) st = check_numbers(f, a, at, n, out, err);
  else if (!st && lt_arrow_is_sparse(t->type)) st = check_pairs(f, a, out, err);
  return st;
}

/* ---- reading */

int lt_arrow_missing(const lt_arrow_cells *c, int64_t r) {
  if (c->type->type == LT_AR_NULL) return 1;
  for (int32_t k = 0; k < c->n_valid; k++)
    if (!bit(c->valid[k].bits, c->valid[k].at + r)) return 1;
  return 0;
}

int64_t lt_arrow_missing_count(const lt_arrow_cells *c) {
  if (c->type->type == LT_AR_NULL) return c->n;
  int64_t n = 0;
  for (int64_t r = 0; c->n_valid && r < c->n; r++) n += lt_arrow_missing(c, r);
  return n;
}

const lt_arrow_cells *lt_arrow_cell(const lt_arrow_column *c, int64_t *r) {
  if (lt_arrow_missing(&c->cells, *r)) return NULL;
  if (c->field->index.type == LT_AR_NULL) return &c->cells;
  *r = lt_arrow_integer(&c->cells, *r);
  return lt_arrow_missing(&c->value, *r) ? NULL : &c->value;
}

#define READ_ELEMENT(type, p, i, to)                    \
  do {                                                  \
    type element;                                       \
    memcpy(&element, (const char *)(p) + (i) * (int64_t)sizeof element, sizeof element); \
    to = element;                                       \
  } while (0)

int64_t lt_arrow_integer(const lt_arrow_cells *c, int64_t r) {
  const void *p = c->buffer[1];
  int64_t i = c->at + r, v = 0;
  uint64_t u = 0;
  switch (c->type->type) {
    case LT_AR_I8: READ_ELEMENT(int8_t, p, i, v); break;
    case LT_AR_U8: READ_ELEMENT(uint8_t, p, i, v); break;
    case LT_AR_I16: READ_ELEMENT(int16_t, p, i, v); break;
    case LT_AR_U16: READ_ELEMENT(uint16_t, p, i, v); break;
    case LT_AR_I32: case LT_AR_DATE_DAYS: READ_ELEMENT(int32_t, p, i, v); break;
    case LT_AR_U32: READ_ELEMENT(uint32_t, p, i, v); break;
    case LT_AR_U64: READ_ELEMENT(uint64_t, p, i, u); return u > INT64_MAX ? INT64_MAX : (int64_t)u;
    case LT_AR_BOOL: return bit(p, i);
    case LT_AR_TIME_OF_DAY:
      if (c->type->bits == 32) READ_ELEMENT(int32_t, p, i, v);
      else READ_ELEMENT(int64_t, p, i, v);
      break;
    default: READ_ELEMENT(int64_t, p, i, v); break; /* I64, DATE_MS, TIMESTAMP, DURATION */
  }
  return v;
}

/* IEEE 754 binary16. */
static double half(uint16_t h) {
  int exponent = h >> 10 & 31;
  double m = h & 1023, v;
  if (exponent == 31) v = m != 0 ? (double)NAN : (double)INFINITY;
  else if (!exponent) v = ldexp(m, -24);
  else v = ldexp(m + 1024, exponent - 25);
  return h >> 15 ? -v : v;
}

/* The digits of a decimal: at most 78 and as many zeros, a sign and a point. */
static uint64_t decimal_text(const lt_arrow_cells *c, int64_t r, char buf[LT_AR_TEXT_ROOM]) {
  uint32_t limb[8] = {0};
  char digit[96];
  int words = c->type->bits / 32, n = 0, scale = c->type->scale;
  memcpy(limb, (const char *)c->buffer[1] + (c->at + r) * words * 4, (uint64_t)words * 4);
  int negative = (int)(limb[words - 1] >> 31);
  uint64_t carry = 1;
  for (int k = 0; negative && k < words; k++) {
    carry += (uint32_t)~limb[k];
    limb[k] = (uint32_t)carry;
    carry >>= 32;
  }
  for (int more = 1; more;) {
    uint64_t left = 0;
    more = 0;
    for (int k = words - 1; k >= 0; k--) {
      left = left << 32 | limb[k];
      limb[k] = (uint32_t)(left / 10);
      left %= 10;
      more |= limb[k] != 0;
    }
    digit[n++] = (char)('0' + left);
  }
  while (n <= scale) digit[n++] = '0';
  uint64_t at = 0;
  if (negative) buf[at++] = '-';
  for (int k = n - 1; k >= 0; k--) {
    buf[at++] = digit[k];
    if (k == scale && k) buf[at++] = '.';
  }
  for (int k = scale; k < 0; k++) buf[at++] = '0';
  buf[at] = 0;
  return at;
}

double lt_arrow_number(const lt_arrow_cells *c, int64_t r) {
  const void *p = c->buffer[1];
  int64_t i = c->at + r;
  double v = 0;
  switch (c->type->type) {
    case LT_AR_F64: READ_ELEMENT(double, p, i, v); return v;
    case LT_AR_F32: {
      float f = 0;
      READ_ELEMENT(float, p, i, f);
      return f;
    }
    case LT_AR_F16: {
      uint16_t h = 0;
      READ_ELEMENT(uint16_t, p, i, h);
      return half(h);
    }
    case LT_AR_U64: {
      uint64_t u = 0;
      READ_ELEMENT(uint64_t, p, i, u);
      return (double)u;
    }
    case LT_AR_DECIMAL: {
      char buf[LT_AR_TEXT_ROOM];
      uint64_t n = decimal_text(c, r, buf);
      lt_parse_f64(buf, buf + n, &v);
      return v;
    }
    case LT_AR_TIME_OF_DAY:
    case LT_AR_DURATION: return (double)lt_arrow_integer(c, r) / (double)c->type->per_second;
    default: return (double)lt_arrow_integer(c, r);
  }
}

int lt_arrow_time(const lt_arrow_cells *c, int64_t r, int64_t *ns) {
  int64_t v = lt_arrow_integer(c, r), unit = 0;
  switch (c->type->type) {
    case LT_AR_DATE_DAYS: unit = 86400000000000; break;
    case LT_AR_DATE_MS: unit = 1000000; break;
    default: unit = 1000000000 / c->type->per_second; break;
  }
  return !__builtin_mul_overflow(v, unit, ns) && *ns != INT64_MIN;
}

static const char *bytes_at(const lt_arrow_cells *c, int64_t r, uint64_t *n) {
  int64_t i = c->at + r;
  if (c->type->type == LT_AR_TEXT_VIEW) {
    text_view v;
    const char *p = (const char *)c->buffer[1] + i * 16;
    memcpy(&v, p, 16);
    *n = (uint64_t)v.size;
    return v.size <= 12 ? p + 4 : (const char *)c->buffer[2 + v.buffer] + v.offset;
  }
  if (c->type->type == LT_AR_FIXED_BYTES) {
    *n = (uint64_t)c->type->per_second;
    return (const char *)c->buffer[1] + i * c->type->per_second;
  }
  int large = c->type->type == LT_AR_LARGE_TEXT;
  int64_t from = offset_at(c->buffer[1], large, i);
  *n = (uint64_t)(offset_at(c->buffer[1], large, i + 1) - from);
  return *n ? (const char *)c->buffer[2] + from : "";
}

const char *lt_arrow_text(const lt_arrow_cells *c, int64_t r, char buf[LT_AR_TEXT_ROOM], uint64_t *n) {
  int32_t type = c->type->type;
  int64_t ns = 0;
  int len = 0;
  if (lt_arrow_is_text(type)) return bytes_at(c, r, n);
  if (type == LT_AR_BOOL) {
    *n = lt_arrow_integer(c, r) ? 4 : 5;
    return *n == 4 ? "true" : "false";
  }
  if (type == LT_AR_DECIMAL) {
    *n = decimal_text(c, r, buf);
    return buf;
  }
  if (lt_arrow_is_time(type)) {
    if (lt_arrow_time(c, r, &ns)) len = lt_time_text(ns, buf);
    else len = lt_i64_text(lt_arrow_integer(c, r), buf);
  } else if (type == LT_AR_U64) {
    uint64_t u = 0;
    READ_ELEMENT(uint64_t, c->buffer[1], c->at + r, u);
    len = snprintf(buf, LT_AR_TEXT_ROOM, "%llu", (unsigned long long)u);
  } else if (lt_arrow_is_integer(type)) {
    len = lt_i64_text(lt_arrow_integer(c, r), buf);
  } else if (type == LT_AR_F32) {
    len = lt_f32_text((float)lt_arrow_number(c, r), buf);
  } else {
    len = lt_f64_text(lt_arrow_number(c, r), buf);
  }
  *n = (uint64_t)len;
  return buf;
}
