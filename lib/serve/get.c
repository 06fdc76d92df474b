/* Look-ups by many threads: no locks, nothing allocated but for packed blocks. */
#include <math.h>
#include "data/batch.h"
#include "serve/table_inner.h"

enum { MANY = 32 };

int64_t lt_table_now(const leat_table *t) { return t->meta.valid_until ? lt_now_ns(t->rt) : 0; }

int64_t lt_table_status(const leat_table *t, int hit, int64_t now) {
  if (!hit) return t->meta.standard ? LEAT_TABLE_DEFAULT : LEAT_TABLE_MISS;
  return now > t->meta.valid_until ? LEAT_TABLE_STALE : LEAT_TABLE_HIT; /* 0 > 0 where there is no end */
}

static leat_status get_damaged(const leat_table *t, uint64_t at, leat_error *err) {
  return lt_table_damage(t, (uint64_t)(t->data - t->bytes) + at, "rows with the wrong checksum, or that contradict themselves", err);
}

/* ---- the hash layout */
/* Where a byte of x equals that of a repeated byte: 0x80 there, perhaps also above it (Mycroft's test). */
static inline uint64_t get_matches(uint64_t x, uint64_t repeated) {
  x ^= repeated;
  return (x - 0x0101010101010101u) & ~x & 0x8080808080808080u;
}

/* 1 found, 0 not there, -1 damaged. The bucket lies in [at, end) of data, verified. */
static inline int hash_search(const leat_table *t, uint64_t at, uint64_t end, uint64_t hash, const uint8_t *key,
                              uint64_t size, const uint8_t **value) {
  const uint8_t *p = t->data + at;
  uint64_t room = end - at, n, each = 1 + (uint64_t)t->len_bytes, value_bytes = t->value_bytes;
  if (at == end) return 0;
  n = room < 2 ? 0 : lt_t_load16(p);
  if (!n || 2 + n * each > room) return -1;
  const uint8_t *fp = p + 2, *lens = fp + n, *rows = p + 2 + n * each;
  uint64_t left = room - 2 - n * each, repeated = (hash & 255) * 0x0101010101010101u;
  if (!t->len_bytes) { /* all keys have one length */
    uint64_t stride = t->meta.key_max + value_bytes;
    if (n * stride > left) return -1;
    if (size != t->meta.key_max) return 0;
    for (uint64_t i = 0; i < n; i += 8) { /* reads at most 7 bytes behind: other sections follow */
      uint64_t hits = get_matches(lt_t_load64(fp + i), repeated);
      if (n - i < 8) hits &= ((uint64_t)1 << (8 * (n - i))) - 1;
      for (; hits; hits &= hits - 1) {
        const uint8_t *row = rows + (i + (uint64_t)__builtin_ctzll(hits) / 8) * stride;
        if (memcmp(row, key, size) == 0) {
          *value = row + size;
          return 1;
        }
      }
    }
    return 0;
  }
  for (uint64_t i = 0; i < n; i++) {
    uint64_t k = t->len_bytes == 1 ? lens[i] : lt_t_load16(lens + 2 * i);
    if (k + value_bytes > left) return -1;
    if (fp[i] == (uint8_t)hash && k == size && memcmp(rows, key, size) == 0) {
      *value = rows + k;
      return 1;
    }
    rows += k + value_bytes;
    left -= k + value_bytes;
  }
  return 0;
}

static inline void hash_place(const leat_table *t, uint64_t bucket, uint64_t *at, uint64_t *end) {
  *at = (uint64_t)lt_t_load32(t->index + 4 * bucket) << t->meta.shift;
  *end = (uint64_t)lt_t_load32(t->index + 4 * bucket + 4) << t->meta.shift;
}

static int hash_find(const leat_table *t, const uint8_t *key, uint64_t size, const uint8_t **value, uint64_t *where) {
  uint64_t hash = lt_hash64(key, size, 0), at, end;
  hash_place(t, lt_t_bucket(hash, t->meta.buckets), &at, &end);
  *where = at;
  for (uint64_t i = 64; i < 256; i += 64) /* the row is in another line than the bucket's head: fetch both at once */
    __builtin_prefetch(t->data + at + i);
  if (at != end && lt_t_unchecked(t, at, end) && lt_table_chunks_wrong(t, at, end)) return -1;
  return hash_search(t, at, end, hash, key, size, value);
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
  const uint8_t *data;
  uint64_t bytes, raw;
  int32_t packed;
  lt_tblock_view v;
  int64_t b = lt_tblock_find(t, key, size);
  *where = 0;
  if (b < 0 || !lt_tblock_may_have(t, (uint64_t)b, key, size)) return 0;
  *where = lt_t_load64(t->block_at + 8 * b);
  if (lt_tblock_bytes(t, (uint64_t)b, &data, &bytes, &raw, &packed, NULL)) return -1;
  if (packed) return -2;
  if (!lt_tblock_open(t, (uint64_t)b, data, bytes, &v)) return -1;
  return lt_tblock_search(t, &v, key, size, value);
}

leat_status lt_table_get(const leat_table *t, const void *key, uint64_t size, float *value, uint64_t cap, int64_t *found,
                         leat_error *err) {
  const uint8_t *at = NULL, *k;
  uint8_t room[8];
  uint64_t where;
  *found = 0;
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
  uint64_t hash[MANY], at[MANY], end[MANY], size[MANY];
  uint8_t room[MANY][8];
  const uint8_t *key[MANY];
  for (uint64_t j = 0; j < n; j++) {
    uint64_t i = from + j, begin = r->ends ? (i ? r->ends[i - 1] : 0) : i * r->each;
    size[j] = r->ends ? r->ends[i] - begin : r->each;
    leat_status st = r->ends && r->ends[i] < begin
                         ? lt_fail(err, LEAT_E_ARG, "key_ends[%llu] is less than the one before", (unsigned long long)i)
                         : lt_table_key(t->meta.key_type, r->keys + begin, size[j], room[j], &key[j], err);
    if (st) return st;
    hash[j] = lt_hash64(key[j], size[j], 0);
    __builtin_prefetch(t->index + 4 * lt_t_bucket(hash[j], t->meta.buckets));
  }
  for (uint64_t j = 0; j < n; j++) {
    hash_place(t, lt_t_bucket(hash[j], t->meta.buckets), &at[j], &end[j]);
    for (uint64_t p = at[j]; p < end[j] && p < at[j] + 256; p += 64) __builtin_prefetch(t->data + p);
  }
  for (uint64_t j = 0; j < n; j++) {
    const uint8_t *value = NULL;
    int hit = at[j] != end[j] && lt_t_unchecked(t, at[j], end[j]) && lt_table_chunks_wrong(t, at[j], end[j])
                  ? -1
                  : hash_search(t, at[j], end[j], hash[j], key[j], size[j], &value);
    if (hit < 0) return get_damaged(t, at[j], err);
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
