/* Look-ups by many threads: no locks, nothing allocated but for packed blocks. */
#define XXH_INLINE_ALL /* the hash of a short key is some twenty instructions: a call costs more. Not for its seeds */
#include <xxhash.h>
#include <math.h>
#include "data/batch.h"
#include "serve/table_inner.h"

enum { MANY = 32 };

static leat_status get_damaged(const leat_table *t, uint64_t at, leat_error *err) {
  return lt_table_damage(t, (uint64_t)(t->data - t->bytes) + at, "rows with the wrong checksum, or that contradict themselves", err);
}

/* ---- the hash layout */
/* Where a byte of x equals that of a repeated byte: 0x80 there, perhaps also above it (Mycroft's test). */
static inline uint64_t get_matches(uint64_t x, uint64_t repeated) {
  x ^= repeated;
  return (x - 0x0101010101010101u) & ~x & 0x8080808080808080u;
}

static inline uint64_t get_low_bytes(uint64_t x, uint64_t n) { return n >= 8 ? x : x & (((uint64_t)1 << (8 * n)) - 1); }

/* 1: the key of this hash is not there. No branch depends on how many rows the bucket has: the processor could not guess it,
 * and would wait for the entry's line of memory instead of going on to the next look-up. Fingerprints that no row has are 0;
 * who comes by one is sorted out by hash_candidates. */
static inline int hash_is_absent(const uint8_t *e, uint64_t hash) {
  uint64_t repeated = (hash & 255) * 0x0101010101010101u, first = lt_t_load64(e);
  uint64_t any = get_matches(lt_t_load64(e + 8), repeated) | (get_matches(first >> 40, repeated) & 0x808080);
  return !(any | ((first >> 32 & 255) > LT_TABLE_INLINE));
}

/* A bit (of each byte the highest) for each row of the entry whose fingerprint may be the one: rows 0 to 7, and 8 to 10. */
static inline uint64_t hash_candidates(const uint8_t *e, uint64_t hash, uint64_t *more) {
  uint64_t repeated = (hash & 255) * 0x0101010101010101u, n = e[4];
  *more = n > 8 ? get_low_bytes(get_matches(lt_t_load64(e) >> 40, repeated), n > LT_TABLE_INLINE ? 3 : n - 8) : 0;
  return get_low_bytes(get_matches(lt_t_load64(e + 8), repeated), n);
}

/* All rows of a bucket, with every bound checked: for keys of different lengths, and crowded buckets.
 * 1 found, 0 not there, -1 damaged. */
static int hash_walk(const leat_table *t, const uint8_t *e, uint64_t hash, const uint8_t *key, uint64_t size,
                     const uint8_t **value) {
  uint64_t at = (uint64_t)lt_t_load32(e) << t->meta.shift, end = (uint64_t)lt_t_load32(e + LT_TABLE_ENTRY) << t->meta.shift;
  uint64_t n = e[4], len_bytes = t->len_bytes;
  if (at == end) return n ? -1 : 0;
  if (lt_t_unchecked(t, at, end) && lt_table_chunks_wrong(t, at, end)) return -1;
  const uint8_t *p = t->data + at, *stop = t->data + end;
  if (n == 255) {
    if (stop - p < 2) return -1;
    n = lt_t_load16(p);
    p += 2;
  }
  const uint8_t *more = p;
  uint64_t extra = n > LT_TABLE_INLINE ? n - LT_TABLE_INLINE : 0;
  if (n < e[4] || extra + n * len_bytes > (uint64_t)(stop - p)) return -1;
  const uint8_t *lens = p + extra, *row = lens + n * len_bytes;
  for (uint64_t i = 0; i < n; i++) {
    uint64_t k = !len_bytes ? t->meta.key_max : len_bytes == 1 ? lens[i] : lt_t_load16(lens + 2 * i);
    uint8_t fp = i < 8 ? e[8 + i] : i < LT_TABLE_INLINE ? e[i - 3] : more[i - LT_TABLE_INLINE];
    if (k + t->value_bytes > (uint64_t)(stop - row)) return -1;
    if (fp == (uint8_t)hash && k == size && memcmp(row, key, size) == 0) {
      *value = row + k;
      return 1;
    }
    row += k + t->value_bytes;
  }
  return 0;
}

/* e: the key's entry of the index. Keys of one length: only the row that is looked at is touched, and verified. */
static int hash_search(const leat_table *t, const uint8_t *e, uint64_t hash, const uint8_t *key, uint64_t size,
                              const uint8_t **value) {
  uint64_t more, hits = hash_candidates(e, hash, &more);
  if (e[4] > LT_TABLE_INLINE) return hash_walk(t, e, hash, key, size, value);
  if (!(hits | more)) return 0;
  if (t->len_bytes) return hash_walk(t, e, hash, key, size, value);
  if (size != t->meta.key_max) return 0;
  uint64_t stride = size + t->value_bytes, at = (uint64_t)lt_t_load32(e) << t->meta.shift;
  for (uint64_t first = 0;; first = 8, hits = more, more = 0) {
    for (; hits; hits &= hits - 1) {
      uint64_t where = at + (first + (uint64_t)__builtin_ctzll(hits) / 8) * stride;
      const uint8_t *row = t->data + where;
      if (lt_t_unchecked(t, where, where + stride) && lt_table_chunks_wrong(t, where, where + stride)) return -1;
      if (memcmp(row, key, size) == 0) {
        *value = row + size;
        return 1;
      }
    }
    if (!more) return 0;
  }
}

static inline const uint8_t *hash_entry(const leat_table *t, uint64_t hash) {
  return t->index + LT_TABLE_ENTRY * lt_t_bucket(hash, t->meta.buckets);
}

static inline int hash_find(const leat_table *t, const uint8_t *key, uint64_t size, const uint8_t **value, uint64_t *where) {
  uint64_t hash = XXH3_64bits(key, size);
  const uint8_t *e = hash_entry(t, hash);
  if (hash_is_absent(e, hash)) return 0;
  *where = (uint64_t)lt_t_load32(e) << t->meta.shift;
  return hash_search(t, e, hash, key, size, value);
}

leat_status lt_table_find_hash(const leat_table *t, const uint8_t *key, uint64_t size, const uint8_t **value, int32_t *hit,
                               leat_error *err) {
  uint64_t where;
  int found = hash_find(t, key, size, value, &where);
  *hit = found > 0;
  return found < 0 ? get_damaged(t, where, err) : LEAT_OK;
}

/* ---- one key */
static void get_give(const leat_table *t, const uint8_t *value, float *out) {
  if (value) {
    for (uint64_t k = 0; k < t->meta.n_values; k++) out[k] = lt_t_float(value + 4 * k);
  } else {
    for (uint64_t k = 0; k < t->meta.n_values; k++) out[k] = t->meta.standard ? t->meta.standard[k] : NAN;
  }
}

static leat_status get_room(const leat_table *t, uint64_t cap, leat_error *err) {
  return lt_fail(err, LEAT_E_CAPACITY, "a key has %llu values, there is room for %llu", (unsigned long long)t->meta.n_values,
                 (unsigned long long)cap);
}

/* A packed table without a reader: one for this call. */
static leat_status get_packed(const leat_table *t, const void *key, uint64_t size, float *value, uint64_t cap,
                              int64_t *found, leat_error *err) {
  leat_table_reader *r;
  leat_status st = lt_table_reader_create(t, 1, &r, err);
  if (st) return st;
  st = lt_table_reader_get(r, key, size, value, cap, found, err);
  lt_table_reader_free(r);
  return st;
}

/* 1, 0, -1 as above; -2: the block is packed. */
static int sorted_find(const leat_table *t, const uint8_t *key, uint64_t size, const uint8_t **value, uint64_t *where) {
  lt_block_parts p;
  lt_block_view v;
  uint64_t row = 0;
  int64_t b = lt_tblock_find(t, key, size);
  *where = 0;
  if (b < 0) return 0;
  *where = t->place[b].at;
  for (uint64_t i = 0; i < 192; i += 64) __builtin_prefetch(t->data + *where + i); /* beside the filter's line */
  if (!lt_tblock_may_have(t, (uint64_t)b, key, size)) return 0;
  if (lt_tblock_parts(t, (uint64_t)b, &p, NULL)) return -1;
  if (p.keys_packed || p.values_packed) return -2;
  if (!lt_tblock_open(t, (uint64_t)b, p.keys, p.keys_size, &v)) return -1;
  int hit = lt_tblock_search(t, &v, key, size, &row);
  *value = p.values + row * t->value_bytes;
  return hit;
}

/* Everything but bytes in the hash layout. */
static leat_status get_other(const leat_table *t, const void *key, uint64_t size, float *value, uint64_t cap, int64_t *found,
                             leat_error *err) {
  const uint8_t *at = NULL, *k;
  uint8_t room[8];
  uint64_t where = 0;
  leat_status st = lt_table_key(t->meta.key_type, key, size, room, &k, err);
  if (st) return st;
  if (cap < t->meta.n_values) return get_room(t, cap, err);
  int hit = t->meta.layout == LT_LAYOUT_HASH ? hash_find(t, k, size, &at, &where) : sorted_find(t, k, size, &at, &where);
  if (hit == -2) return get_packed(t, key, size, value, cap, found, err);
  if (hit < 0) return get_damaged(t, where, err);
  get_give(t, hit ? at : NULL, value);
  *found = lt_table_status(t, hit, lt_table_now(t));
  return LEAT_OK;
}

leat_status lt_table_get(const leat_table *t, const void *key, uint64_t size, float *value, uint64_t cap, int64_t *found,
                         leat_error *err) {
  const uint8_t *at = NULL;
  uint64_t where = 0;
  *found = 0;
  if (t->meta.layout != LT_LAYOUT_HASH || t->meta.key_type != LT_KEYS_BYTES || size - 1 >= LT_TABLE_KEY_MAX || cap < t->meta.n_values)
    return get_other(t, key, size, value, cap, found, err);
  int hit = hash_find(t, key, size, &at, &where);
  if (!hit && !t->meta.standard) { /* as little as there can be: the next look-up begins while this one waits for memory */
    for (uint64_t k = 0; k < t->meta.n_values; k++) value[k] = NAN;
    *found = LEAT_TABLE_MISS;
    return LEAT_OK;
  }
  if (hit < 0) return get_damaged(t, where, err);
  get_give(t, hit ? at : NULL, value);
  *found = lt_table_status(t, hit, lt_table_now(t));
  return LEAT_OK;
}

/* ---- many keys: the memory of all of a group is under way before the first is looked at */
typedef struct many_run {
  const leat_table *t;
  const uint8_t *keys;
  const uint64_t *ends;
  uint64_t each;       /* bytes a key where ends is NULL */
  const leat_matrix *out;
  int64_t *found;
  int64_t now;
} many_run;

static void many_give(const many_run *r, uint64_t i, int hit, const uint8_t *at) {
  const leat_table *t = r->t;
  float *to = (float *)r->out->data + (int64_t)i * r->out->row_stride;
  for (uint64_t k = 0; k < t->meta.n_values; k++, to += r->out->col_stride)
    *to = hit ? lt_t_float(at + 4 * k) : t->meta.standard ? t->meta.standard[k] : NAN;
  r->found[i] = lt_table_status(t, hit, r->now);
}

static leat_status many_hash(const many_run *r, uint64_t from, uint64_t n, leat_error *err) {
  const leat_table *t = r->t;
  uint64_t hash[MANY], size[MANY], stride = t->meta.key_max + t->value_bytes;
  uint8_t room[MANY][8];
  const uint8_t *key[MANY], *entry[MANY];
  for (uint64_t j = 0; j < n; j++) {
    uint64_t i = from + j, begin = r->ends ? (i ? r->ends[i - 1] : 0) : i * r->each;
    size[j] = r->ends ? r->ends[i] - begin : r->each;
    leat_status st = r->ends && r->ends[i] < begin
                         ? lt_fail(err, LEAT_E_ARG, "key_ends[%llu] is less than the one before", (unsigned long long)i)
                         : lt_table_key(t->meta.key_type, r->keys + begin, size[j], room[j], &key[j], err);
    if (st) return st;
    hash[j] = XXH3_64bits(key[j], size[j]);
    entry[j] = hash_entry(t, hash[j]);
    __builtin_prefetch(entry[j]);
  }
  for (uint64_t j = 0; j < n; j++) {
    if (hash_is_absent(entry[j], hash[j])) continue;
    uint64_t more, hits = hash_candidates(entry[j], hash[j], &more);
    uint64_t first = hits ? (uint64_t)__builtin_ctzll(hits) / 8 : more ? 8 + (uint64_t)__builtin_ctzll(more) / 8 : 0;
    const uint8_t *p = t->data + ((uint64_t)lt_t_load32(entry[j]) << t->meta.shift) + (t->len_bytes ? 0 : first * stride);
    __builtin_prefetch(p);
    __builtin_prefetch(p + (stride < 64 ? stride - 1 : 63)); /* most rows lie in one line, or two */
  }
  for (uint64_t j = 0; j < n; j++) {
    const uint8_t *value = NULL;
    int hit = hash_is_absent(entry[j], hash[j]) ? 0 : hash_search(t, entry[j], hash[j], key[j], size[j], &value);
    if (hit < 0) return get_damaged(t, (uint64_t)lt_t_load32(entry[j]) << t->meta.shift, err);
    many_give(r, from + j, hit, value);
  }
  return LEAT_OK;
}

static leat_status many_sorted(const many_run *r, uint64_t n, leat_error *err) {
  const leat_table *t = r->t;
  leat_table_reader *q;
  leat_status st = lt_table_reader_create(t, 1 << 20, &q, err);
  for (uint64_t i = 0; i < n && !st; i++) {
    uint64_t begin = r->ends ? (i ? r->ends[i - 1] : 0) : i * r->each, size = r->ends ? r->ends[i] - begin : r->each;
    const uint8_t *k, *value = NULL;
    uint8_t room[8];
    int32_t hit = 0;
    st = r->ends && r->ends[i] < begin
             ? lt_fail(err, LEAT_E_ARG, "key_ends[%llu] is less than the one before", (unsigned long long)i)
             : lt_table_key(t->meta.key_type, r->keys + begin, size, room, &k, err);
    if (!st) st = lt_table_reader_find(q, k, size, &value, &hit, err);
    if (!st) many_give(r, i, hit, value);
  }
  lt_table_reader_free(q);
  return st;
}

leat_status lt_table_get_many(const leat_table *t, const void *keys, const uint64_t *ends, uint64_t n,
                              leat_matrix *values, int64_t *found, leat_error *err) {
  leat_matrix out;
  many_run r = {t, keys, ends, t->meta.key_type == LT_KEYS_U64 ? 8 : t->meta.key_max, &out, found, lt_table_now(t)};
  if (n > INT64_MAX) return lt_fail(err, LEAT_E_RANGE, "n is %llu: more than there can be", (unsigned long long)n);
  leat_status st = lt_matrix_check(values, (int64_t)n, (int64_t)t->meta.n_values, 1u << LEAT_F32, "values", &out, err);
  if (st || !n) return st;
  if (!ends && t->len_bytes)
    return lt_fail(err, LEAT_E_ARG, "key_ends is NULL, but the table's keys have %u to %u bytes: say where each key ends",
                   t->meta.key_min, t->meta.key_max);
  if (!ends && !r.each) return lt_fail(err, LEAT_E_ARG, "key_ends is NULL, and the table has no key to take a length from");
  if (t->meta.layout != LT_LAYOUT_HASH) st = many_sorted(&r, n, err);
  else
    for (uint64_t i = 0; i < n && !st; i += MANY) st = many_hash(&r, i, n - i < MANY ? n - i : MANY, err);
  if (st)
    for (uint64_t i = 0; i < n; i++) found[i] = 0;
  return st;
}
