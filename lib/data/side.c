/* What travels beside a batch's rows: where they come from, their bytes as they came, and why some could not be read. */
#include <string.h>

#include "data/store.h"

static leat_status have_beside(leat_batch *b, leat_error *err) {
  if (b->beside) return LEAT_OK;
  b->beside = lt_zalloc(b->rt, sizeof *b->beside);
  return b->beside ? LEAT_OK : lt_fail_memory(err, sizeof *b->beside, "what travels beside rows");
}

void lt_beside_free(leat_batch *b) {
  lt_beside *x = b->beside;
  if (!x) return;
  lt_free(b->rt, x->raw);
  lt_free(b->rt, x->end);
  lt_free(b->rt, x->reason);
  lt_free(b->rt, x->column);
  lt_free(b->rt, x);
}

void lt_beside_clear(leat_batch *b) {
  if (b->beside) b->beside->has_source = b->beside->has_raw = b->beside->has_bad = 0;
}

const lt_side *lt_beside_view(const leat_batch *b) {
  lt_beside *x = b->beside;
  return x && (x->has_source || x->has_raw || x->has_bad) ? &x->view : NULL;
}

void lt_beside_sync(leat_batch *b) {
  lt_beside *x = b->beside;
  if (!x) return;
  memset(&x->view, 0, sizeof x->view);
  if (x->has_source) {
    x->view.source = x->source;
    x->view.position = x->position;
  }
  if (x->has_raw) {
    x->view.raw = x->raw;
    x->view.raw_end = x->end + 1;
  }
  if (x->has_bad) {
    x->view.reason = x->reason;
    x->view.column = x->column;
  }
}

/* Room for the raw bytes of n rows; rows [0, b->n) have none yet when they were not kept. */
static leat_status raw_room(leat_batch *b, int64_t n, uint64_t bytes, leat_error *err) {
  lt_beside *x = b->beside;
  leat_status st = lt_grow(b->rt, (void **)&x->end, &x->end_cap, (uint64_t)n + 1, sizeof *x->end, err);
  if (!st) st = lt_grow(b->rt, (void **)&x->raw, &x->raw_cap, bytes + 1, 1, err);
  if (!st && !x->has_raw) memset(x->end, 0, ((uint64_t)b->n + 1) * sizeof *x->end);
  if (!st) x->has_raw = 1;
  return st;
}

static leat_status bad_room(leat_batch *b, int64_t n, leat_error *err) {
  lt_beside *x = b->beside;
  leat_status st = lt_grow(b->rt, (void **)&x->reason, &x->reason_cap, (uint64_t)n + 1, sizeof *x->reason, err);
  if (!st) st = lt_grow(b->rt, (void **)&x->column, &x->column_cap, (uint64_t)n + 1, sizeof *x->column, err);
  for (int64_t r = 0; !st && !x->has_bad && r < b->n; r++) {
    x->reason[r] = 0;
    x->column[r] = -1;
  }
  if (!st) x->has_bad = 1;
  return st;
}

leat_status lt_beside_rows(leat_batch *b, int64_t n, leat_error *err) {
  lt_beside *x = b->beside;
  leat_status st = LEAT_OK;
  if (!x || n <= b->n) return LEAT_OK;
  if (x->has_raw) {
    st = raw_room(b, n, x->end[b->n], err);
    for (int64_t r = b->n; !st && r < n; r++) x->end[r + 1] = x->end[b->n];
  }
  if (!st && x->has_bad) {
    st = bad_room(b, n, err);
    for (int64_t r = b->n; !st && r < n; r++) {
      x->reason[r] = 0;
      x->column[r] = -1;
    }
  }
  return st;
}

leat_status lt_batch_set_source(leat_batch *b, const char *source, int64_t first, leat_error *err) {
  if (!source) {
    if (b->beside) b->beside->has_source = 0;
    lt_beside_sync(b);
    return LEAT_OK;
  }
  uint64_t n = strlen(source);
  if (n >= sizeof b->beside->source)
    return lt_fail(err, LEAT_E_RANGE, "source has %llu bytes, it must have 1 to %d", (unsigned long long)n,
                   (int)sizeof b->beside->source - 1);
  if (first < 0 || first > INT64_MAX / 2)
    return lt_fail(err, LEAT_E_RANGE, "first is %lld, positions count from 0", (long long)first);
  leat_status st = have_beside(b, err);
  if (st) return st;
  memcpy(b->beside->source, source, n + 1);
  b->beside->position = first;
  b->beside->has_source = 1;
  lt_beside_sync(b);
  return LEAT_OK;
}

leat_status lt_batch_name_source(leat_batch *b, const char *name, int64_t first, leat_error *err) {
  uint64_t n = strlen(name), most = sizeof b->beside->source - 1;
  return lt_batch_set_source(b, n ? n > most ? name + (n - most) : name : "?", first, err);
}

/* Rows that follow each other in one source have a source; others have none. A caller's word for an empty batch stands. */
static void join_source(leat_batch *b, const lt_side *s, int64_t from, int whole, int64_t n) {
  lt_beside *x = b->beside;
  if (!n || !s || !s->source) return;
  if (!x->has_source) {
    if (b->n || !whole || strlen(s->source) >= sizeof x->source) return;
    memcpy(x->source, s->source, strlen(s->source) + 1);
    x->position = s->position + from;
    x->has_source = 1;
  } else if (b->n && (!whole || strcmp(x->source, s->source) != 0 || x->position + b->n != s->position + from)) {
    x->has_source = 0;
  }
}

static leat_status join_raw(leat_batch *b, const lt_side *s, const int64_t *pick, int64_t from, int64_t n,
                            leat_error *err) {
  lt_beside *x = b->beside;
  uint64_t at = x->has_raw ? x->end[b->n] : 0, bytes = at;
  if (!pick && n) bytes += s->raw_end[from + n - 1] - s->raw_end[from - 1];
  for (int64_t k = 0; pick && k < n; k++) bytes += s->raw_end[pick[k]] - s->raw_end[pick[k] - 1];
  leat_status st = raw_room(b, b->n + n, bytes, err);
  if (st) return st;
  uint64_t *end = x->end + b->n + 1;
  if (!pick && n) {
    uint64_t base = s->raw_end[from - 1];
    if (bytes > at) memcpy(x->raw + at, s->raw + base, bytes - at);
    for (int64_t k = 0; k < n; k++) end[k] = at + (s->raw_end[from + k] - base);
  }
  for (int64_t k = 0; pick && k < n; k++) {
    uint64_t start = s->raw_end[pick[k] - 1], len = s->raw_end[pick[k]] - start;
    if (len) memcpy(x->raw + at, s->raw + start, len);
    at += len;
    end[k] = at;
  }
  return LEAT_OK;
}

leat_status lt_beside_gather(leat_batch *b, const lt_side *s, const int64_t *pick, int64_t from, int64_t n,
                             leat_error *err) {
  if (!n || (!s && !b->beside)) return LEAT_OK;
  leat_status st = have_beside(b, err);
  lt_beside *x = b->beside;
  if (!st) join_source(b, s, from, pick == NULL, n);
  if (!st && s && s->raw_end) st = join_raw(b, s, pick, from, n, err);
  if (!st && s && s->reason) {
    st = bad_room(b, b->n + n, err);
    for (int64_t k = 0; !st && k < n; k++) {
      int64_t r = pick ? pick[k] : from + k;
      x->reason[b->n + k] = s->reason[r];
      x->column[b->n + k] = s->reason[r] && s->column ? s->column[r] : -1;
    }
  }
  /* what these rows lack and the rows before them have */
  int raw = x && x->has_raw, bad = x && x->has_bad;
  if (!st && raw && !(s && s->raw_end)) {
    st = raw_room(b, b->n + n, x->end[b->n], err);
    for (int64_t k = 0; !st && k < n; k++) x->end[b->n + k + 1] = x->end[b->n];
  }
  if (!st && bad && !(s && s->reason)) {
    st = bad_room(b, b->n + n, err);
    for (int64_t k = 0; !st && k < n; k++) {
      x->reason[b->n + k] = 0;
      x->column[b->n + k] = -1;
    }
  }
  return st;
}

leat_status lt_beside_put_raw(leat_batch *b, char *raw, uint64_t *end, int64_t n, leat_error *err) {
  leat_status st = have_beside(b, err);
  if (st) {
    lt_free(b->rt, raw);
    lt_free(b->rt, end);
    return st;
  }
  lt_free(b->rt, b->beside->raw);
  lt_free(b->rt, b->beside->end);
  b->beside->raw = raw;
  b->beside->raw_cap = end[n] + 1;
  b->beside->end = end;
  b->beside->end_cap = (uint64_t)n + 1;
  b->beside->has_raw = 1;
  return LEAT_OK;
}

leat_status lt_beside_put_bad(leat_batch *b, int64_t n, int64_t row, int32_t reason, int32_t column, leat_error *err) {
  leat_status st = have_beside(b, err);
  lt_beside *x = b->beside;
  if (!st && !x->has_bad) {
    int64_t was = b->n; /* all rows are written below */
    b->n = 0;
    st = bad_room(b, n, err);
    b->n = was;
    for (int64_t r = 0; !st && r < n; r++) {
      x->reason[r] = 0;
      x->column[r] = -1;
    }
  }
  if (st) return st;
  x->reason[row] = reason;
  x->column[row] = column;
  return LEAT_OK;
}

void lt_side_shift(const lt_side *s, int64_t first, lt_side *out) {
  *out = *s;
  if (s->source) out->position += first;
  if (s->raw_end) out->raw_end += first;
  if (s->reason) out->reason += first;
  if (s->column) out->column += first;
}

leat_status lt_batch_add_bad(leat_batch *b, int32_t reason, int64_t column, const void *raw, uint64_t size,
                             leat_error *err) {
  if (reason < 1 || reason > 9999)
    return lt_fail(err, LEAT_E_RANGE, "reason is %d, it must be one of LEAT_REASON_*", (int)reason);
  if (column < -1 || column >= b->schema->n)
    return lt_fail(err, LEAT_E_RANGE, "column is %lld, it must be in [-1, %lld)", (long long)column,
                   (long long)b->schema->n);
  int64_t r = b->n;
  leat_status st = lt_batch_own(b, err);
  if (!st) st = have_beside(b, err);
  for (int64_t i = 0; !st && i < b->schema->n; i++) st = lt_batch_put_missing(b, i, err);
  if (!st) st = lt_beside_rows(b, r + 1, err);
  if (!st && (size || b->beside->has_raw)) {
    uint64_t at = b->beside->has_raw ? b->beside->end[r] : 0;
    st = raw_room(b, r + 1, at + size, err);
    if (!st && size) memcpy(b->beside->raw + at, raw, size);
    if (!st) b->beside->end[r + 1] = at + size;
  }
  if (!st) st = bad_room(b, r + 1, err);
  if (!st) {
    b->beside->reason[r] = reason;
    b->beside->column[r] = (int32_t)column;
    b->n++;
  }
  lt_batch_sync(b); /* after a failure too: memory may have moved */
  return st;
}
