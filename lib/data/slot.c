/* The memory of a batch's columns. */
#include <string.h>

#include "data/store.h"

int64_t lt_dtype_size(int32_t dtype) {
  switch (dtype) {
    case LEAT_U8: case LEAT_I8: return 1;
    case LEAT_U16: case LEAT_I16: return 2;
    case LEAT_F32: case LEAT_I32: case LEAT_U32: return 4;
    default: return 8;
  }
}

int32_t lt_column_dtype(const lt_column *c) {
  switch (c->kind) {
    case LEAT_CATEGORY: return LEAT_I32;
    case LEAT_BOOL: return LEAT_U8;
    case LEAT_TIME: return LEAT_I64;
    default: return LEAT_F64;
  }
}

static void put_missing(const lt_column *c, lt_slot *s, int64_t from, int64_t to) {
  for (int64_t k = from * c->width; k < to * c->width; k++) {
    switch (s->dtype) {
      case LEAT_F64: ((double *)s->data)[k] = (double)__builtin_nanf(""); break;
      case LEAT_F32: ((float *)s->data)[k] = __builtin_nanf(""); break;
      case LEAT_I32: ((int32_t *)s->data)[k] = LT_MISSING; break;
      case LEAT_I64: ((int64_t *)s->data)[k] = INT64_MIN; break;
      default: ((uint8_t *)s->data)[k] = c->kind == LEAT_BOOL ? 255 : 0; break;
    }
  }
}

/* Memory for n rows of elements of `size` bytes, growing by doubling from what is there. */
static leat_status grow_dense(leat_batch *b, int64_t i, int64_t size, int64_t n, leat_error *err) {
  lt_slot *s = &b->slot[i];
  const lt_column *c = &b->schema->col[i];
  if (n && c->width > INT64_MAX / 16 / n / size)
    return lt_fail(err, LEAT_E_MEMORY, "column '%s': %lld rows of width %lld do not fit into memory", c->name,
                   (long long)n, (long long)c->width);
  return lt_grow(b->rt, &s->data, &s->cap, (uint64_t)(n * c->width * size) + 1, 1, err);
}

/* The numbers become doubles: two dtypes meet in one column. */
static leat_status widen(leat_batch *b, int64_t i, leat_error *err) {
  lt_slot *s = &b->slot[i];
  leat_status st = grow_dense(b, i, 8, b->n, err);
  if (st) return st;
  int64_t count = b->n * b->schema->col[i].width;
  double *out = s->data;
  for (int64_t k = count - 1; k >= 0; k--) {
    double v;
    if (s->dtype == LEAT_F32) {
      float f;
      memcpy(&f, (const float *)s->data + k, sizeof f);
      v = f;
    } else {
      v = ((const uint8_t *)s->data)[k];
    }
    memcpy(out + k, &v, sizeof v);
  }
  s->dtype = LEAT_F64;
  return LEAT_OK;
}

leat_status lt_batch_slot_dense(leat_batch *b, int64_t i, int32_t dtype, int64_t n, leat_error *err) {
  lt_slot *s = &b->slot[i];
  const lt_column *c = &b->schema->col[i];
  leat_status st = LEAT_OK;
  if (!s->present) s->dtype = c->kind == LEAT_NUMBER ? dtype : lt_column_dtype(c);
  else if (s->dtype != dtype && s->dtype != LEAT_F64 && c->kind == LEAT_NUMBER) st = widen(b, i, err);
  if (!st) st = grow_dense(b, i, lt_dtype_size(s->dtype), n, err);
  if (st) return st;
  if (!s->present && b->n) {
    if (c->kind == LEAT_NUMBER && s->dtype == LEAT_U8) { /* bytes have no missing value */
      s->dtype = LEAT_F64;
      st = grow_dense(b, i, 8, n, err);
      if (st) return st;
    }
    put_missing(c, s, 0, b->n);
  }
  s->present = 1;
  return LEAT_OK;
}

leat_status lt_batch_slot_sparse(leat_batch *b, int64_t i, int64_t n, int64_t nnz, int has_value, leat_error *err) {
  lt_slot *s = &b->slot[i];
  if (!s->csr) {
    s->csr = lt_zalloc(b->rt, sizeof *s->csr);
    if (!s->csr) return lt_fail_memory(err, sizeof *s->csr, "a sparse block");
  }
  lt_slot_csr *c = s->csr;
  leat_status st = lt_grow(b->rt, (void **)&c->row_start, &c->row_cap, (uint64_t)n + 1, sizeof *c->row_start, err);
  if (!st) st = lt_grow(b->rt, (void **)&c->index, &c->index_cap, (uint64_t)nnz + 1, sizeof *c->index, err);
  if (!st && (has_value || (s->present && c->has_value)))
    st = lt_grow(b->rt, (void **)&c->value, &c->value_cap, (uint64_t)nnz + 1, sizeof *c->value, err);
  if (st) return st;
  if (!s->present) {
    c->has_value = has_value;
    for (int64_t r = 0; r <= b->n; r++) c->row_start[r] = 0;
  } else if (has_value && !c->has_value) {
    for (int64_t k = 0; k < c->row_start[b->n]; k++) c->value[k] = 1.0f;
    c->has_value = 1;
  }
  s->present = 1;
  return LEAT_OK;
}

leat_status lt_batch_slot_text(leat_batch *b, int64_t i, int64_t n, uint64_t bytes, leat_error *err) {
  lt_slot *s = &b->slot[i];
  if (!s->text) {
    s->text = lt_zalloc(b->rt, sizeof *s->text);
    if (!s->text) return lt_fail_memory(err, sizeof *s->text, "a text column");
  }
  lt_slot_text *t = s->text;
  leat_status st = lt_grow(b->rt, (void **)&t->end, &t->end_cap, (uint64_t)n + 1, sizeof *t->end, err);
  if (!st) st = lt_grow(b->rt, (void **)&t->text, &t->text_cap, bytes + 1, 1, err);
  if (st) return st;
  if (!s->present)
    for (int64_t r = 0; r <= b->n; r++) t->end[r] = 0;
  s->present = 1;
  return LEAT_OK;
}

leat_status lt_batch_put_missing(leat_batch *b, int64_t i, leat_error *err) {
  const lt_column *c = &b->schema->col[i];
  lt_slot *s = &b->slot[i];
  leat_status st = LEAT_OK;
  int64_t n = b->n;
  if (!s->present) return LEAT_OK;
  if (lt_column_is_text(c)) {
    uint64_t at = s->text->end[n];
    st = lt_batch_slot_text(b, i, n + 1, at, err);
    if (!st) s->text->end[n + 1] = at;
  } else if (c->sparse) {
    int64_t at = s->csr->row_start[n];
    st = lt_batch_slot_sparse(b, i, n + 1, at, 0, err);
    if (!st) s->csr->row_start[n + 1] = at;
  } else {
    /* bytes have no missing value: they become doubles */
    st = lt_batch_slot_dense(b, i, c->kind == LEAT_NUMBER && s->dtype == LEAT_U8 ? LEAT_F64 : s->dtype, n + 1, err);
    if (!st) put_missing(c, s, n, n + 1);
  }
  return st;
}

leat_status lt_batch_arena(leat_batch *b, const uint8_t *want, int64_t n, leat_error *err) {
  uint64_t total = 64;
  for (int pass = 0; pass < 2; pass++) {
    uint64_t at = 0;
    for (int64_t i = 0; i < b->schema->n; i++) {
      if (!want[i]) continue;
      lt_slot *s = &b->slot[i];
      uint64_t size = (uint64_t)(lt_dtype_size(lt_column_dtype(&b->schema->col[i])) * n);
      /* an odd number of cache lines, so that writing a row does not hit one cache set again and again */
      uint64_t lines = (size + 63) / 64 | 1u;
      if (n < 64) lines = (size + 63) / 64;
      if (at > UINT64_MAX / 4) return lt_fail_memory(err, at, "a dataset");
      if (pass) {
        s->data = (char *)b->arena + at;
        s->cap = 0;
        s->dtype = lt_column_dtype(&b->schema->col[i]);
        s->present = 1;
      }
      at += lines * 64;
    }
    if (pass) continue;
    total += at;
    b->arena = lt_alloc(b->rt, total);
    if (!b->arena) return lt_fail_memory(err, total, "a dataset");
  }
  return LEAT_OK;
}

void lt_batch_sync(leat_batch *b) {
  lt_beside_sync(b);
  if (b->lent) return;
  for (int64_t i = 0; i < b->schema->n; i++) {
    const lt_slot *s = &b->slot[i];
    lt_col *v = &b->col[i];
    memset(v, 0, sizeof *v);
    v->dtype = s->present ? s->dtype : lt_column_dtype(&b->schema->col[i]);
    v->row_stride = b->schema->col[i].width;
    v->col_stride = 1;
    if (!s->present) continue;
    if (lt_column_is_text(&b->schema->col[i])) {
      v->text = s->text->text;
      v->text_end = s->text->end + 1;
    } else if (b->schema->col[i].sparse) {
      v->row_start = s->csr->row_start;
      v->index = s->csr->index;
      v->value = s->csr->has_value ? s->csr->value : NULL;
      v->dtype = LEAT_F32;
    } else {
      v->data = s->data;
    }
  }
}
