/* Rows with what travels beside them to bytes and back, for the journal: every row that a learner takes goes through
 * here, so arrays are written whole, and what can be left out is.
 *
 * u8 1; u64 rows; u64 columns; a column: u8 tag, then
 *   NUMBERS u8 dtype, the elements; CODES8 a byte a row, code + 2; SPARSE u8 flags, lengths, indices (16 or 32 bits),
 *   values unless all are 1; TEXT lengths, u64 bytes, the bytes; NONE nothing
 * rows zero bytes when no column is there, so that the number of rows is never above the number of bytes;
 * u8 flags of the side: SOURCE text, i64 position; RAW as TEXT; BAD u64 count, and each u64 row, u32 reason, u32 column.
 * Lengths: u8 form, then 0: a byte each, 1: a u64 each, 2: one u64, above 0, for all. */
#include <math.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "data/store.h"

enum { VERSION = 1 };
enum { COL_NONE = 0, COL_NUMBERS, COL_CODES8, COL_SPARSE, COL_TEXT };
enum { SPARSE_VALUES = 1, SPARSE_SHORT = 2 };
enum { SIDE_SOURCE = 1, SIDE_RAW = 2, SIDE_BAD = 4 };
enum { LEN_BYTES = 0, LEN_WORDS = 1, LEN_SAME = 2 };

/* ---- saving */

/* Lengths of rows that end at end[r], end[-1] being where the first one starts. */
static void put_lengths(lt_put *w, const uint64_t *end, int64_t n) {
  uint64_t most = 0, first = n ? end[0] - end[-1] : 0;
  int same = 1;
  for (int64_t r = 0; r < n; r++) {
    uint64_t m = end[r] - end[r - 1];
    same &= m == first;
    if (m > most) most = m;
  }
  if (same && first) {
    lt_put_u8(w, LEN_SAME);
    lt_put_u64(w, first);
    return;
  }
  lt_put_u8(w, most < 256 ? LEN_BYTES : LEN_WORDS);
  for (int64_t r = 0; r < n;) {
    uint8_t small[512];
    int64_t m = n - r < 512 ? n - r : 512;
    for (int64_t k = 0; k < m && most < 256; k++) small[k] = (uint8_t)(end[r + k] - end[r + k - 1]);
    if (most < 256) lt_put_raw(w, small, (uint64_t)m);
    for (int64_t k = 0; k < m && most >= 256; k++) lt_put_u64(w, end[r + k] - end[r + k - 1]);
    r += m;
  }
}

static void put_texts(lt_put *w, const char *text, const uint64_t *end, int64_t n) {
  put_lengths(w, end, n);
  uint64_t from = n ? end[-1] : 0, bytes = n ? end[n - 1] - from : 0;
  lt_put_u64(w, bytes);
  if (bytes) lt_put_raw(w, text + from, bytes);
}

static int all_ones(const float *v, int64_t n) {
  int64_t k = 0;
#if defined(__SSE2__)
  const __m128 one = _mm_set1_ps(1.0f);
  for (; k + 16 <= n; k += 16) {
    __m128 a = _mm_and_ps(_mm_cmpeq_ps(_mm_loadu_ps(v + k), one), _mm_cmpeq_ps(_mm_loadu_ps(v + k + 4), one));
    __m128 b = _mm_and_ps(_mm_cmpeq_ps(_mm_loadu_ps(v + k + 8), one), _mm_cmpeq_ps(_mm_loadu_ps(v + k + 12), one));
    if (_mm_movemask_ps(_mm_and_ps(a, b)) != 15) return 0;
  }
#endif
  for (; k < n; k++)
    if (v[k] != 1.0f) return 0;
  return 1;
}

static void put_sparse(lt_put *w, const lt_column *c, const lt_col *v, int64_t n) {
  int64_t from = n ? v->row_start[0] : 0, m = n ? v->row_start[n] - from : 0;
  int values = v->value && !all_ones(v->value + from, m), small = c->width <= 65536;
  lt_put_u8(w, (uint8_t)((values ? SPARSE_VALUES : 0) | (small ? SPARSE_SHORT : 0)));
  /* row_start is of rows, ends are of what is behind them: the same array */
  put_lengths(w, (const uint64_t *)v->row_start + 1, n);
  if (!m) return;
  if (!small) lt_put_raw(w, v->index + from, (uint64_t)m * sizeof *v->index);
  for (int64_t k = 0; small && k < m;) {
    uint16_t x[1024];
    int64_t step = m - k < 1024 ? m - k : 1024;
    for (int64_t q = 0; q < step; q++) x[q] = (uint16_t)v->index[from + k + q];
    lt_put_raw(w, x, (uint64_t)step * sizeof *x);
    k += step;
  }
  if (values) lt_put_raw(w, v->value + from, (uint64_t)m * sizeof *v->value);
}

static void put_numbers(lt_put *w, const lt_column *c, const lt_col *v, int64_t n) {
  uint64_t size = (uint64_t)lt_dtype_size(v->dtype);
  int packed = v->col_stride == 1 && v->row_stride == c->width;
  if (v->dtype == LEAT_I32 && packed && c->width == 1) {
    const int32_t *code = v->data;
    int32_t least = 0, most = 0;
    for (int64_t r = 0; r < n; r++) {
      least = code[r] < least ? code[r] : least;
      most = code[r] > most ? code[r] : most;
    }
    if (least >= LT_UNSEEN && most <= 253) {
      lt_put_u8(w, COL_CODES8);
      for (int64_t r = 0; r < n;) {
        uint8_t x[1024];
        int64_t step = n - r < 1024 ? n - r : 1024;
        for (int64_t k = 0; k < step; k++) x[k] = (uint8_t)(code[r + k] + 2);
        lt_put_raw(w, x, (uint64_t)step);
        r += step;
      }
      return;
    }
  }
  lt_put_u8(w, COL_NUMBERS);
  lt_put_u8(w, (uint8_t)v->dtype);
  if (packed) lt_put_raw(w, v->data, (uint64_t)n * (uint64_t)c->width * size);
  for (int64_t r = 0; !packed && r < n; r++)
    for (int64_t j = 0; j < c->width; j++)
      lt_put_raw(w, (const char *)v->data + (r * v->row_stride + j * v->col_stride) * (int64_t)size, size);
}

static void put_side(lt_put *w, const lt_side *s, int64_t n) {
  uint64_t bad = 0;
  for (int64_t r = 0; s && s->reason && r < n; r++) bad += s->reason[r] != 0;
  int raw = s && s->raw_end && n && s->raw_end[n - 1] != s->raw_end[-1];
  lt_put_u8(w, (uint8_t)((s && s->source ? SIDE_SOURCE : 0) | (raw ? SIDE_RAW : 0) | (bad ? SIDE_BAD : 0)));
  if (s && s->source) {
    lt_put_text(w, s->source);
    lt_put_i64(w, s->position);
  }
  if (raw) put_texts(w, s->raw, s->raw_end, n);
  if (!bad) return;
  lt_put_u64(w, bad);
  for (int64_t r = 0; r < n; r++) {
    if (!s->reason[r]) continue;
    lt_put_u64(w, (uint64_t)r);
    lt_put_u32(w, (uint32_t)s->reason[r]);
    lt_put_u32(w, (uint32_t)(s->column ? s->column[r] : -1));
  }
}

void lt_batch_save(const lt_rows *rows, lt_put *w) {
  int any = 0;
  lt_put_u8(w, VERSION);
  lt_put_u64(w, (uint64_t)rows->n);
  lt_put_u64(w, (uint64_t)rows->schema->n);
  for (int64_t i = 0; i < rows->schema->n; i++) {
    const lt_col *v = &rows->col[i];
    const lt_column *c = &rows->schema->col[i];
    int there = v->row_start || v->text_end || v->data;
    any |= there;
    if (v->row_start) {
      lt_put_u8(w, COL_SPARSE);
      put_sparse(w, c, v, rows->n);
    } else if (v->text_end) {
      lt_put_u8(w, COL_TEXT);
      put_texts(w, v->text, v->text_end, rows->n);
    } else if (v->data) {
      put_numbers(w, c, v, rows->n);
    } else {
      lt_put_u8(w, COL_NONE);
    }
  }
  for (int64_t r = 0; !any && r < rows->n; r++) lt_put_u8(w, 0);
  put_side(w, rows->side, rows->n);
}

/* ---- loading */

static leat_status damaged(const lt_column *c, const char *what, leat_error *err) {
  return lt_fail(err, LEAT_E_FORMAT, "rows: column '%s': %s", c->name, what);
}

/* end[r] for n rows, from 0; every row's length, and so their sum, is at most what is left. */
static leat_status get_lengths(lt_get *g, int64_t n, uint64_t *end, leat_error *err) {
  int form = lt_get_u8(g);
  uint64_t at = 0, most = lt_get_left(g);
  if (form == LEN_SAME) {
    uint64_t m = lt_get_u64(g);
    if (!m || (n && m > most / (uint64_t)n)) lt_get_fail(g, LEAT_E_FORMAT);
    for (int64_t r = 0; !g->failed && r < n; r++) end[r] = at += m;
  } else if (form == LEN_BYTES) {
    const uint8_t *p = lt_get_raw(g, (uint64_t)n);
    for (int64_t r = 0; p && r < n; r++) end[r] = at += p[r];
  } else if (form == LEN_WORDS && (uint64_t)n <= most / 8) {
    for (int64_t r = 0; r < n; r++) {
      uint64_t m = lt_get_u64(g);
      if (m > most - at) {
        lt_get_fail(g, LEAT_E_FORMAT);
        break;
      }
      end[r] = at += m;
    }
  } else {
    lt_get_fail(g, LEAT_E_FORMAT);
  }
  return lt_get_status(g, "rows", err);
}

/* How many places k have index[k] <= index[k - 1]; *outside: an index is not in [0, width). */
static int64_t count_descents(const int32_t *index, int64_t n, int32_t width, int *outside) {
  int64_t k = 1, descents = 0;
  int32_t sign = n ? index[0] | (int32_t)((uint32_t)(width - 1) - (uint32_t)index[0]) : 0;
#if defined(__SSE2__)
  __m128i signs = _mm_setzero_si128(), last = _mm_set1_epi32(width - 1);
  while (k + 4 <= n) {
    __m128i sum = _mm_setzero_si128();
    for (int step = 0; step < 1 << 20 && k + 4 <= n; step++, k += 4) {
      __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(index + k));
      __m128i before = _mm_loadu_si128((const __m128i *)(const void *)(index + k - 1));
      sum = _mm_add_epi32(sum, _mm_cmpgt_epi32(x, before)); /* -1 where it ascends */
      signs = _mm_or_si128(signs, _mm_or_si128(x, _mm_sub_epi32(last, x)));
      descents += 4;
    }
    int32_t up[4];
    memcpy(up, &sum, sizeof up);
    descents += (int64_t)up[0] + up[1] + up[2] + up[3];
  }
  if (_mm_movemask_ps(_mm_castsi128_ps(signs))) sign = -1;
#endif
  for (; k < n; k++) {
    descents += index[k] <= index[k - 1];
    sign |= index[k] | (int32_t)((uint32_t)(width - 1) - (uint32_t)index[k]);
  }
  *outside = sign < 0;
  return descents;
}

int lt_indices_ascend(const int64_t *row_start, const int32_t *index, int64_t n, int64_t width) {
  int outside = 0;
  int64_t between = 0, m = row_start[n];
  int64_t descents = count_descents(index, m, (int32_t)width, &outside);
  for (int64_t r = 1; r < n; r++) { /* where a row begins an index may be anything */
    int64_t k = row_start[r];
    if (k > 0 && k < row_start[r + 1]) between += index[k] <= index[k - 1];
  }
  return !outside && descents == between;
}

static leat_status get_sparse(leat_batch *b, int64_t i, int64_t n, lt_get *g, leat_error *err) {
  const lt_column *c = &b->schema->col[i];
  int flags = lt_get_u8(g);
  if (!c->sparse || flags > 3) return damaged(c, "a sparse block is none of its kinds", err);
  int values = flags & SPARSE_VALUES, small = flags & SPARSE_SHORT;
  leat_status st = lt_batch_slot_sparse(b, i, n, 0, values, err);
  if (st) return st;
  lt_slot_csr *x = b->slot[i].csr;
  x->row_start[0] = 0;
  st = get_lengths(g, n, (uint64_t *)x->row_start + 1, err);
  if (st) return st;
  uint64_t m = (uint64_t)x->row_start[n], each = (small ? 2 : 4) + (values ? 4u : 0u);
  if (m > lt_get_left(g) / each) return damaged(c, "the rows are cut", err);
  const void *index = lt_get_raw(g, m * (small ? 2 : 4)), *value = values ? lt_get_raw(g, m * 4) : NULL;
  st = lt_batch_slot_sparse(b, i, n, (int64_t)m, values, err);
  if (st || !m) return st;
  if (!small) memcpy(x->index, index, m * sizeof *x->index);
  for (uint64_t k = 0; small && k < m; k++) {
    uint16_t v;
    memcpy(&v, (const char *)index + 2 * k, sizeof v);
    x->index[k] = v;
  }
  if (values) memcpy(x->value, value, m * sizeof *x->value);
  for (uint64_t k = 0; values && k < m; k++)
    if (!isfinite(x->value[k])) return damaged(c, "a value is not finite", err);
  if (lt_indices_ascend(x->row_start, x->index, n, c->width)) return LEAT_OK;
  return damaged(c, "indices do not ascend below its width", err);
}

static leat_status get_numbers(leat_batch *b, int64_t i, int64_t n, int tag, lt_get *g, leat_error *err) {
  const lt_column *c = &b->schema->col[i];
  int32_t dtype = tag == COL_CODES8 ? LEAT_I32 : lt_get_u8(g);
  int plain = c->kind == LEAT_NUMBER && (dtype == LEAT_F32 || dtype == LEAT_F64 || dtype == LEAT_U8);
  if (lt_column_is_text(c) || c->sparse || (!plain && dtype != lt_column_dtype(c)))
    return damaged(c, "it is stored as another type", err);
  uint64_t size = tag == COL_CODES8 ? 1 : (uint64_t)lt_dtype_size(dtype), count = (uint64_t)n * (uint64_t)c->width;
  if (n && count / (uint64_t)n != (uint64_t)c->width) return damaged(c, "the rows are cut", err);
  if (count > lt_get_left(g) / size) return damaged(c, "the rows are cut", err);
  const uint8_t *p = lt_get_raw(g, count * size);
  leat_status st = lt_batch_slot_dense(b, i, dtype, n, err);
  if (st || !count) return st;
  int32_t *code = b->slot[i].data;
  if (tag == COL_NUMBERS) memcpy(b->slot[i].data, p, count * size);
  for (int64_t r = 0; tag == COL_CODES8 && r < n; r++) code[r] = (int32_t)p[r] - 2;
  if (dtype == LEAT_U8 && c->kind == LEAT_BOOL)
    for (int64_t r = 0; r < n; r++)
      if (p[r] > 1 && p[r] != 255) return damaged(c, "a value is neither true nor false", err);
  int64_t labels = c->labels ? lt_dict_count(c->labels) : 0;
  for (int64_t r = 0; dtype == LEAT_I32 && r < n; r++)
    if (code[r] < LT_UNSEEN || code[r] >= labels) return damaged(c, "there is no such label", err);
  return LEAT_OK;
}

static leat_status get_text(leat_batch *b, int64_t i, int64_t n, lt_get *g, leat_error *err) {
  const lt_column *c = &b->schema->col[i];
  if (!lt_column_is_text(c)) return damaged(c, "it holds no text", err);
  leat_status st = lt_batch_slot_text(b, i, n, 0, err);
  if (!st) st = get_lengths(g, n, b->slot[i].text->end + 1, err);
  if (st) return st;
  uint64_t bytes = lt_get_u64(g);
  const void *p = lt_get_raw(g, bytes);
  b->slot[i].text->end[0] = 0;
  if (g->failed || bytes != b->slot[i].text->end[n]) return damaged(c, "the rows are cut", err);
  st = lt_batch_slot_text(b, i, n, bytes, err);
  if (!st && bytes) memcpy(b->slot[i].text->text, p, bytes);
  return st;
}

static leat_status get_side(leat_batch *b, int64_t n, lt_get *g, leat_error *err) {
  int flags = lt_get_u8(g);
  leat_status st = flags > 7 ? lt_fail(err, LEAT_E_FORMAT, "rows: what is beside them makes no sense") : LEAT_OK;
  if (!st && flags & SIDE_SOURCE) {
    char *source = lt_get_text(g);
    int64_t position = lt_get_i64(g);
    st = lt_get_status(g, "rows", err);
    if (!st) st = lt_batch_set_source(b, source, position, err);
    if (st == LEAT_E_RANGE) st = lt_fail(err, LEAT_E_FORMAT, "rows: their source makes no sense");
    lt_free(b->rt, source);
  }
  if (!st && flags & SIDE_RAW) {
    uint64_t *end = lt_array(b->rt, (uint64_t)n + 1, sizeof *end), bytes = 0;
    const void *p = NULL;
    char *raw = NULL;
    if (!end) return lt_fail_memory(err, (uint64_t)n * sizeof *end, "raw rows");
    end[0] = 0;
    st = get_lengths(g, n, end + 1, err);
    if (!st) bytes = lt_get_u64(g);
    if (!st) p = lt_get_raw(g, bytes);
    if (!st && (g->failed || bytes != end[n])) st = lt_fail(err, LEAT_E_FORMAT, "rows: the raw bytes are cut");
    if (!st && !(raw = lt_alloc(b->rt, bytes + 1))) st = lt_fail_memory(err, bytes, "raw rows");
    if (!st && bytes) memcpy(raw, p, bytes);
    if (st) lt_free(b->rt, end);
    else st = lt_beside_put_raw(b, raw, end, n, err);
  }
  uint64_t bad = !st && flags & SIDE_BAD ? lt_get_count(g, 16, (uint64_t)n) : 0;
  int64_t before = -1;
  for (uint64_t k = 0; !st && k < bad; k++) {
    int64_t row = lt_get_i64(g);
    int32_t reason = (int32_t)lt_get_u32(g), column = (int32_t)lt_get_u32(g);
    if (row <= before || row >= n || reason < 1 || column < -1 || column >= b->schema->n)
      return lt_fail(err, LEAT_E_FORMAT, "rows: a row that could not be read makes no sense");
    st = lt_beside_put_bad(b, n, row, reason, column, err);
    before = row;
  }
  return st ? st : lt_get_status(g, "rows", err);
}

leat_status lt_batch_load(leat_runtime *rt, leat_schema *s, lt_get *g, leat_batch **out, leat_error *err) {
  *out = NULL;
  leat_batch *b = NULL;
  uint8_t version = lt_get_u8(g);
  uint64_t n = lt_get_u64(g), cols = lt_get_u64(g);
  leat_status st = lt_get_status(g, "rows", err);
  if (st) return st;
  if (version != VERSION || cols != (uint64_t)s->n || n > lt_get_left(g))
    return lt_fail(err, LEAT_E_FORMAT, "rows: the number of rows or columns makes no sense");
  st = lt_batch_create(rt, s, &b, err);
  int any = 0;
  for (int64_t i = 0; !st && i < s->n; i++) {
    int tag = lt_get_u8(g);
    any |= tag != COL_NONE;
    if (tag == COL_NUMBERS || tag == COL_CODES8) st = get_numbers(b, i, (int64_t)n, tag, g, err);
    else if (tag == COL_SPARSE) st = get_sparse(b, i, (int64_t)n, g, err);
    else if (tag == COL_TEXT) st = get_text(b, i, (int64_t)n, g, err);
    else if (tag != COL_NONE) st = lt_fail(err, LEAT_E_FORMAT, "rows: a column of unknown tag %d", tag);
    if (!st) st = lt_get_status(g, "rows", err);
  }
  if (!st && !any) lt_get_raw(g, n);
  if (!st) st = get_side(b, (int64_t)n, g, err);
  if (st) {
    lt_batch_free(b);
    return st;
  }
  b->n = (int64_t)n;
  lt_batch_sync(b);
  *out = b;
  return LEAT_OK;
}
