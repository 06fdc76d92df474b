/* One thread's reader of a table: unpacked blocks in a cache, a place for going from key to key, and rows of data whose
 * keys are looked up, with a live model for those that are not there. */
#include <math.h>
#include <zstd.h>
#include "data/batch.h"
#include "serve/table_inner.h"

enum { READER_WAYS = 4 };
/* block -1: free. values: unpacked in the slot behind the keys, or where they are stored; NULL: not unpacked yet. */
typedef struct reader_slot { int64_t block; uint64_t used; const uint8_t *keys, *values; uint64_t keys_raw; } reader_slot;
struct leat_table_reader {
  lt_owner owner;
  const leat_table *t;
  ZSTD_DCtx *ctx;
  /* the cache: sets of READER_WAYS slots of block_max bytes */
  uint8_t *cache;
  reader_slot *slot;
  uint64_t sets, clock;
  /* the place: the next row */
  int64_t block;         /* or bucket; -1 before any */
  uint64_t row, rows;    /* in it */
  lt_block_view view;
  const uint8_t *values;
  uint8_t *own;          /* a packed block, unpacked; not in the cache, where it could be replaced */
  uint64_t at, key_size;
  uint8_t *key;          /* [key_max] */
  const uint8_t *bucket_end, *bucket_at;
  const uint8_t *lens;
  leat_batch *missing;   /* rows for the live model */
};

leat_status lt_table_reader_create(const leat_table *t, uint64_t cache_bytes, leat_table_reader **out, leat_error *err) {
  leat_runtime *rt = t->rt;
  leat_status st = LEAT_OK;
  uint64_t each = t->meta.block_max + 1, most = (t->meta.blocks + READER_WAYS - 1) / READER_WAYS;
  *out = NULL;
  leat_table_reader *r = lt_zalloc(rt, sizeof *r);
  if (!r) return lt_fail_memory(err, sizeof *r, "a reader");
  lt_table_ref(t);
  r->t = t;
  r->block = -1;
  r->key = lt_alloc(rt, t->meta.key_max + 1);
  if (!r->key) st = lt_fail_memory(err, t->meta.key_max, "a reader");
  if (!st && t->meta.layout == LT_LAYOUT_SORTED) {
    r->sets = cache_bytes / each / READER_WAYS;
    if (r->sets > most) r->sets = most;
    if (!r->sets) r->sets = 1;
    r->cache = lt_array(rt, r->sets * READER_WAYS, each);
    r->slot = lt_array(rt, r->sets * READER_WAYS, sizeof *r->slot);
    r->ctx = ZSTD_createDCtx();
    if (!r->cache || !r->slot || !r->ctx) st = lt_fail_memory(err, r->sets * READER_WAYS * each, "a reader's cache");
    for (uint64_t i = 0; !st && i < r->sets * READER_WAYS; i++) r->slot[i] = (reader_slot){-1, 0, NULL, NULL, 0};
  }
  if (st) lt_table_reader_free(r);
  else *out = r;
  return st;
}

void lt_table_reader_free(leat_table_reader *r) {
  if (!r) return;
  const leat_table *t = r->t;
  ZSTD_freeDCtx(r->ctx);
  lt_batch_free(r->missing);
  lt_free(t->rt, r->cache);
  lt_free(t->rt, r->slot);
  lt_free(t->rt, r->own);
  lt_free(t->rt, r->key);
  lt_free(t->rt, r);
  lt_table_free(t);
}

lt_owner *lt_table_reader_owner(leat_table_reader *r) { return &r->owner; }

/* ---- blocks */
/* ---- blocks */
static leat_status reader_unpack(leat_table_reader *r, const uint8_t *data, uint64_t size, uint64_t raw, uint8_t *to,
                                 int with_dictionary, leat_error *err) {
  const leat_table *t = r->t;
  size_t got = with_dictionary && t->ddict ? ZSTD_decompress_usingDDict(r->ctx, to, raw, data, size, t->ddict)
                                           : ZSTD_decompressDCtx(r->ctx, to, raw, data, size);
  if (ZSTD_isError(got) || got != raw)
    return lt_table_damage(t, (uint64_t)(data - t->bytes), "a block that cannot be unpacked", err);
  return LEAT_OK;
}

static leat_status reader_block(leat_table_reader *r, uint64_t b, reader_slot **out, leat_error *err) {
  const leat_table *t = r->t;
  reader_slot *set = r->slot + b % r->sets * READER_WAYS, *s = set;
  lt_block_parts p;
  for (uint64_t i = 0; i < READER_WAYS; i++) {
    if (set[i].block == (int64_t)b) {
      *out = &set[i];
      return LEAT_OK;
    }
    if (set[i].used < s->used) s = &set[i];
  }
  leat_status st = lt_tblock_parts(t, b, &p, err);
  if (st) return st;
  s->block = -1;
  s->keys = p.keys;
  s->keys_raw = p.keys_raw;
  s->values = p.values_packed ? NULL : p.values;
  if (p.keys_packed) {
    uint8_t *to = r->cache + (uint64_t)(s - r->slot) * (t->meta.block_max + 1);
    st = reader_unpack(r, p.keys, p.keys_size, p.keys_raw, to, 1, err);
    s->keys = to;
  }
  if (!st) s->block = (int64_t)b;
  *out = s;
  return st;
}

static leat_status reader_values(leat_table_reader *r, reader_slot *s, leat_error *err) {
  lt_block_parts p;
  leat_status st = lt_tblock_parts(r->t, (uint64_t)s->block, &p, err);
  if (st) return st;
  uint8_t *to = r->cache + (uint64_t)(s - r->slot) * (r->t->meta.block_max + 1) + p.keys_raw;
  st = reader_unpack(r, p.values, p.values_size, p.values_raw, to, 0, err);
  if (!st) s->values = to;
  return st;
}

leat_status lt_table_reader_find(leat_table_reader *r, const uint8_t *key, uint64_t size, const uint8_t **value,
                                 int32_t *hit, leat_error *err) {
  const leat_table *t = r->t;
  lt_block_view v;
  reader_slot *s;
  uint64_t row = 0;
  *hit = 0;
  int64_t b = lt_tblock_find(t, key, size);
  if (b < 0) return LEAT_OK;
  __builtin_prefetch(r->slot + (uint64_t)b % r->sets * READER_WAYS);
  if (!lt_tblock_may_have(t, (uint64_t)b, key, size)) return LEAT_OK;
  leat_status st = reader_block(r, (uint64_t)b, &s, err);
  if (st) return st;
  s->used = ++r->clock;
  int found = lt_tblock_open(t, (uint64_t)b, s->keys, s->keys_raw, &v) ? lt_tblock_search(t, &v, key, size, &row) : -1;
  if (found < 0)
    return lt_table_damage(t, (uint64_t)(t->data - t->bytes) + t->place[b].at, "a block that contradicts itself", err);
  if (found && !s->values && (st = reader_values(r, s, err)) != 0) return st;
  if (found) *value = s->values + row * t->value_bytes;
  *hit = found;
  return LEAT_OK;
}

leat_status lt_table_reader_get(leat_table_reader *r, const void *key, uint64_t size, float *value, uint64_t cap,
                                int64_t *found, leat_error *err) {
  const leat_table *t = r->t;
  const uint8_t *k, *at = NULL;
  uint8_t room[8];
  int32_t hit;
  if (t->meta.layout == LT_LAYOUT_HASH) return lt_table_get(t, key, size, value, cap, found, err);
  *found = 0;
  leat_status st = lt_table_key(t->meta.key_type, key, size, room, &k, err);
  if (!st && cap < t->meta.n_values)
    st = lt_fail(err, LEAT_E_CAPACITY, "a key has %llu values, there is room for %llu", (unsigned long long)t->meta.n_values,
                 (unsigned long long)cap);
  if (!st) st = lt_table_reader_find(r, k, size, &at, &hit, err);
  if (st) return st;
  for (uint64_t i = 0; i < t->meta.n_values; i++)
    value[i] = hit ? lt_t_float(at + 4 * i) : t->meta.standard ? t->meta.standard[i] : NAN;
  *found = lt_table_status(t, hit, lt_table_now(t));
  return LEAT_OK;
}

/* ---- going through the table */
static leat_status reader_nonsense(const leat_table *t, leat_error *err) {
  return lt_table_damage(t, (uint64_t)(t->data - t->bytes), "rows that contradict themselves", err);
}

/* Begins a block: unpacked to the reader's own room. */
static leat_status reader_enter_block(leat_table_reader *r, uint64_t b, leat_error *err) {
  const leat_table *t = r->t;
  lt_block_parts p;
  leat_status st = lt_tblock_parts(t, b, &p, err);
  if (st) return st;
  if ((p.keys_packed || p.values_packed) && !r->own && !(r->own = lt_alloc(t->rt, t->meta.block_max + 1)))
    return lt_fail_memory(err, t->meta.block_max, "a reader");
  const uint8_t *keys = p.keys_packed ? r->own : p.keys;
  r->values = p.values_packed ? r->own + p.keys_raw : p.values;
  if (p.keys_packed) st = reader_unpack(r, p.keys, p.keys_size, p.keys_raw, r->own, 1, err);
  if (!st && p.values_packed) st = reader_unpack(r, p.values, p.values_size, p.values_raw, r->own + p.keys_raw, 0, err);
  if (st) return st;
  if (!lt_tblock_open(t, b, keys, p.keys_raw, &r->view)) return reader_nonsense(t, err);
  r->block = (int64_t)b;
  r->row = r->at = 0;
  r->rows = r->view.n;
  memcpy(r->key, r->view.common, r->view.common_size);
  r->key_size = r->view.common_size;
  return LEAT_OK;
}

static leat_status reader_enter_bucket(leat_table_reader *r, uint64_t b, leat_error *err) {
  const leat_table *t = r->t;
  const uint8_t *e = t->index + LT_TABLE_ENTRY * b;
  uint64_t at = (uint64_t)lt_t_load32(e) << t->meta.shift, n = e[4];
  uint64_t end = (uint64_t)lt_t_load32(e + LT_TABLE_ENTRY) << t->meta.shift;
  r->block = (int64_t)b;
  r->row = r->rows = 0;
  if (at == end) return n ? reader_nonsense(t, err) : LEAT_OK;
  if (lt_t_unchecked(t, at, end) && lt_table_chunks_wrong(t, at, end))
    return lt_table_damage(t, (uint64_t)(t->data - t->bytes) + at, "rows with the wrong checksum", err);
  const uint8_t *p = t->data + at, *stop = t->data + end;
  if (n == 255) {
    if (stop - p < 2) return reader_nonsense(t, err);
    n = lt_t_load16(p);
    p += 2;
  }
  uint64_t extra = n > LT_TABLE_INLINE ? n - LT_TABLE_INLINE : 0;
  if (!n || n < e[4] || extra + n * t->len_bytes > (uint64_t)(stop - p)) return reader_nonsense(t, err);
  r->rows = n;
  r->lens = p + extra;
  r->bucket_at = r->lens + n * t->len_bytes;
  r->bucket_end = stop;
  return LEAT_OK;
}

static leat_status reader_block_row(leat_table_reader *r, lt_table_row *row, leat_error *err) {
  const leat_table *t = r->t;
  const lt_block_view *v = &r->view;
  uint64_t share = t->share_bytes, c = v->common_size, i = r->row++;
  uint64_t s = share == 1 ? v->shared[i] : lt_t_load16(v->shared + 2 * i);
  if (s > r->key_size - c || (!t->len_bytes && c + s > t->meta.key_max)) return reader_nonsense(t, err);
  uint64_t k = !t->len_bytes ? t->meta.key_max - c - s : t->len_bytes == 1 ? v->lens[i] : lt_t_load16(v->lens + 2 * i);
  if (k > v->suffix_bytes - r->at || c + s + k > t->meta.key_max || c + s + k < t->meta.key_min || c + s + k == 0)
    return reader_nonsense(t, err);
  memcpy(r->key + c + s, v->suffix + r->at, k);
  r->at += k;
  r->key_size = c + s + k;
  *row = (lt_table_row){lt_t_prefix(r->key, r->key_size), r->key, r->key_size, r->values + i * t->value_bytes};
  return LEAT_OK;
}

static leat_status reader_bucket_row(leat_table_reader *r, lt_table_row *row, leat_error *err) {
  const leat_table *t = r->t;
  uint64_t i = r->row++;
  uint64_t k = !t->len_bytes ? t->meta.key_max : t->len_bytes == 1 ? r->lens[i] : lt_t_load16(r->lens + 2 * i);
  if (k + t->value_bytes > (uint64_t)(r->bucket_end - r->bucket_at) || k < t->meta.key_min || k > t->meta.key_max)
    return reader_nonsense(t, err);
  *row = (lt_table_row){lt_hash64(r->bucket_at, k, 0), r->bucket_at, k, r->bucket_at + k};
  if (lt_t_bucket(row->order, t->meta.buckets) != (uint64_t)r->block) return reader_nonsense(t, err);
  r->bucket_at += k + t->value_bytes;
  return LEAT_OK;
}

leat_status lt_table_reader_step(leat_table_reader *r, lt_table_row *row, int32_t *got, leat_error *err) {
  const leat_table *t = r->t;
  int hash = t->meta.layout == LT_LAYOUT_HASH;
  uint64_t n = hash ? t->meta.buckets : t->meta.blocks;
  *got = 0;
  while (r->block < 0 || r->row == r->rows) {
    if (r->block + 1 >= (int64_t)n) return LEAT_OK;
    leat_status st = hash ? reader_enter_bucket(r, (uint64_t)(r->block + 1), err) : reader_enter_block(r, (uint64_t)(r->block + 1), err);
    if (st) return st;
  }
  leat_status st = hash ? reader_bucket_row(r, row, err) : reader_block_row(r, row, err);
  *got = !st;
  return st;
}

/* Before the first row, or before the first that is not below `from`. */
leat_status lt_table_reader_seek(leat_table_reader *r, const void *from, uint64_t size, leat_error *err) {
  const leat_table *t = r->t;
  uint8_t room[8];
  const uint8_t *key;
  leat_status st;
  r->block = -1;
  r->row = r->rows = 0;
  if (!size) return LEAT_OK;
  if (t->meta.layout == LT_LAYOUT_HASH)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "%s is in the order of hashes: ranges need the layout 'sorted' (leat table convert)",
                   t->path);
  st = lt_table_key(t->meta.key_type, from, size, room, &key, err);
  if (st) return st;
  int64_t b = lt_tblock_find(t, key, size);
  if (b < 0) return LEAT_OK;
  st = reader_enter_block(r, (uint64_t)b, err);
  while (!st && r->row < r->rows) {
    lt_block_view *v = &r->view;
    uint64_t before = r->at, before_size = r->key_size;
    lt_table_row row;
    st = reader_block_row(r, &row, err);
    if (st || lt_t_compare(row.key, row.size, key, size) < 0) continue;
    /* one step back: what is shared with the row before is still in r->key */
    uint64_t i = --r->row, s = t->share_bytes == 1 ? v->shared[i] : lt_t_load16(v->shared + 2 * i);
    r->at = before;
    r->key_size = before_size > v->common_size + s ? before_size : v->common_size + s;
    break;
  }
  if (st) r->block = -1, r->row = r->rows = 0;
  return st;
}

leat_status lt_table_reader_next(leat_table_reader *r, void *key, uint64_t cap, uint64_t *needed, float *value, uint64_t n,
                                 leat_error *err) {
  const leat_table *t = r->t;
  lt_table_row row;
  int32_t got;
  *needed = 0;
  if (n < t->meta.n_values && value)
    return lt_fail(err, LEAT_E_CAPACITY, "a key has %llu values, there is room for %llu", (unsigned long long)t->meta.n_values,
                   (unsigned long long)n);
  if (cap < t->meta.key_max) { /* said before the place moves on */
    *needed = t->meta.key_max;
    return lt_fail(err, LEAT_E_CAPACITY, "the table's keys have up to %u bytes, there is room for %llu", t->meta.key_max,
                   (unsigned long long)cap);
  }
  leat_status st = lt_table_reader_step(r, &row, &got, err);
  if (st) return st;
  if (!got) return lt_fail(err, LEAT_E_NOT_FOUND, "the table has no more keys");
  *needed = row.size;
  if (t->meta.key_type == LT_KEYS_U64) {
    uint64_t v = lt_t_prefix(row.key, 8);
    memcpy(key, &v, 8);
  } else
    memcpy(key, row.key, row.size);
  for (uint64_t i = 0; value && i < t->meta.n_values; i++) value[i] = lt_t_float(row.value + 4 * i);
  return LEAT_OK;
}

/* ---- rows of data */
static leat_status rows_key(const leat_table *t, const lt_col *col, int64_t r, uint8_t room[8], const uint8_t **key,
                            uint64_t *size, leat_error *err) {
  const char *text = lt_col_text(col, r, size);
  if (t->meta.key_type == LT_KEYS_BYTES && *size >= 1 && *size <= LT_TABLE_KEY_MAX) {
    *key = (const uint8_t *)text;
    return LEAT_OK;
  }
  uint64_t v = 0, i = 0;
  for (; t->meta.key_type == LT_KEYS_U64 && i < *size; i++) {
    uint64_t digit = (uint64_t)(text[i] - '0');
    if (text[i] < '0' || text[i] > '9' || v > (UINT64_MAX - digit) / 10) break;
    v = v * 10 + digit;
  }
  if (!*size || i < *size)
    return lt_fail_at(err, LEAT_E_DATA, r + 1, 0, "row %lld: '%.*s' is no key of this table", (long long)r + 1,
                      (int)(*size < 40 ? *size : 40), text);
  *size = 8;
  return lt_table_key(LT_KEYS_U64, &v, 8, room, key, err);
}

/* The rows that the table does not know, or no longer: the live model is asked. */
static leat_status rows_ask(leat_table_reader *r, const lt_rows *v, leat_schema *s, leat_predictor *live, leat_matrix *out,
                            int64_t *found, leat_error *err) {
  leat_runtime *rt = r->t->rt;
  int64_t n = 0, cols = out->cols, *pick = lt_array(rt, (uint64_t)v->n, sizeof *pick);
  float *y = NULL;
  leat_status st = pick ? LEAT_OK : lt_fail_memory(err, (uint64_t)v->n * 8, "rows for the live model");
  for (int64_t i = 0; !st && i < v->n; i++)
    if (found[i] != LEAT_TABLE_HIT) pick[n++] = i;
  if (st || !n) goto out;
  if (!r->missing || lt_batch_schema(r->missing) != s) {
    lt_batch_free(r->missing);
    r->missing = NULL;
    st = lt_batch_create(rt, s, &r->missing, err);
  }
  if (st) goto out;
  lt_batch_clear(r->missing);
  st = lt_batch_gather(r->missing, v, pick, n, err);
  if (!st && !(y = lt_array(rt, (uint64_t)(n * cols), sizeof *y)))
    st = lt_fail_memory(err, (uint64_t)(n * cols) * sizeof *y, "predictions");
  leat_matrix got = {sizeof got, y, n, cols, 0, 0, LEAT_F32, 0};
  if (!st) st = lt_predictor_run_batch(live, r->missing, &got, err);
  for (int64_t i = 0; !st && i < n; i++) {
    for (int64_t k = 0; k < cols; k++)
      ((float *)out->data)[pick[i] * out->row_stride + k * out->col_stride] = y[i * cols + k];
    found[pick[i]] = LEAT_TABLE_FALLBACK;
  }
out:
  lt_free(rt, pick);
  lt_free(rt, y);
  return st;
}

leat_status lt_table_reader_get_rows(leat_table_reader *r, const leat_batch *rows, leat_predictor *live,
                                     leat_matrix *values, int64_t *found, leat_error *err) {
  const leat_table *t = r->t;
  leat_matrix out;
  lt_rows v;
  uint8_t room[8];
  lt_batch_rows(rows, &v);
  leat_status st = lt_matrix_check(values, v.n, (int64_t)t->meta.n_values, 1u << LEAT_F32, "values", &out, err);
  int64_t key_col = lt_schema_role(v.schema, LEAT_ROLE_KEY), in_cols, out_cols, now = lt_table_now(t);
  if (!st && key_col < 0) st = lt_fail(err, LEAT_E_DATA, "the rows have no KEY column to look up");
  if (!st && live) {
    st = lt_predictor_shape(live, &in_cols, &out_cols, err);
    if (!st && out_cols != (int64_t)t->meta.n_values)
      st = lt_fail(err, LEAT_E_SHAPE, "the live model gives %lld numbers a row, the table has %llu values a key",
                   (long long)out_cols, (unsigned long long)t->meta.n_values);
  }
  for (int64_t i = 0; !st && i < v.n; i++) {
    const uint8_t *key, *at = NULL;
    uint64_t size;
    int32_t hit = 0;
    st = rows_key(t, &v.col[key_col], i, room, &key, &size, err);
    float *to = (float *)out.data + i * out.row_stride;
    if (!st && t->meta.layout == LT_LAYOUT_HASH) {
      st = lt_table_find_hash(t, key, size, &at, &hit, err);
    } else if (!st)
      st = lt_table_reader_find(r, key, size, &at, &hit, err);
    for (uint64_t k = 0; !st && k < t->meta.n_values; k++)
      to[(int64_t)k * out.col_stride] = hit ? lt_t_float(at + 4 * k) : t->meta.standard ? t->meta.standard[k] : NAN;
    if (!st) found[i] = lt_table_status(t, hit, now);
  }
  if (!st && live && v.n) st = rows_ask(r, &v, lt_batch_schema(rows), live, &out, found, err);
  for (int64_t i = 0; st && i < v.n; i++) found[i] = 0;
  return st;
}
