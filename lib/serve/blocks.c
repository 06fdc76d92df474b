/* Blocks of the sorted layout: which one a key would be in, and where in it. Their bytes may be anything whose checksums
 * are right: every length is compared with what is there. */
#include "serve/table_inner.h"

void lt_tblock_first_key(const leat_table *t, uint64_t b, const uint8_t **key, uint64_t *size) {
  uint64_t from = b ? lt_t_load32(t->key_ends + 4 * (b - 1)) : 0;
  *key = t->key_blob + from;
  *size = lt_t_load32(t->key_ends + 4 * b) - from;
}

/* How many of p[0, n) are below v (or equal, with `equal`). */
static uint64_t block_count(const uint64_t *p, uint64_t n, uint64_t v, int equal) {
  const uint64_t *base = p;
  while (n > 1) {
    uint64_t half = n / 2;
    base += (equal ? base[half - 1] <= v : base[half - 1] < v) ? half : 0;
    n -= half;
  }
  return (uint64_t)(base - p) + (n && (equal ? *base <= v : *base < v));
}

enum { BLOCK_GROUP = 64 };

int64_t lt_tblock_find(const leat_table *t, const uint8_t *key, uint64_t size) {
  uint64_t n = t->meta.blocks, c = t->common_size;
  if (!n) return -1;
  if (c) {
    int order = memcmp(key, t->common, size < c ? size : c);
    if (order < 0 || (!order && size < c)) return -1;
    if (order > 0) return (int64_t)n - 1;
  }
  uint64_t v = lt_t_prefix(key + c, size - c), high = block_count(t->top, (n + BLOCK_GROUP - 1) / BLOCK_GROUP, v, 1);
  if (!high) return -1;
  uint64_t first = (high - 1) * BLOCK_GROUP, most = n - first < BLOCK_GROUP ? n - first : BLOCK_GROUP;
  for (uint64_t i = 0; i < most; i += 8) __builtin_prefetch(t->prefix + first + i);
  high = first + block_count(t->prefix + first, most, v, 1);
  if (t->prefix[high - 1] != v) return (int64_t)high - 1;
  uint64_t low = block_count(t->prefix, high, v, 0); /* first keys with the same 8 bytes: [low, high) */
  while (low < high) {
    uint64_t mid = low + (high - low) / 2, k;
    const uint8_t *at;
    lt_tblock_first_key(t, mid, &at, &k);
    if (lt_t_compare(at, k, key, size) <= 0) low = mid + 1;
    else high = mid;
  }
  return (int64_t)low - 1;
}

int lt_tblock_may_have(const leat_table *t, uint64_t b, const uint8_t *key, uint64_t size) {
  const lt_block_place *at = &t->place[b];
  uint64_t hash = lt_hash64(key, size, 0), lines = at[1].line - at->line;
  const uint8_t *p = t->filter + (at->line + ((hash >> 32) * lines >> 32)) * LT_TABLE_LINE;
  uint32_t missing = 0;
  for (int k = 0; k < 8; k++) missing |= ~lt_t_load32(p + 4 * k) & lt_t_filter_bit((uint32_t)hash, k);
  return !missing;
}

leat_status lt_tblock_parts(const leat_table *t, uint64_t b, lt_block_parts *p, leat_error *err) {
  uint64_t at = t->place[b].at, end = t->place[b + 1].at, where = (uint64_t)(t->data - t->bytes) + at;
  if (lt_t_unchecked(t, at, end) && lt_table_chunks_wrong(t, at, end))
    return lt_table_damage(t, where, "rows with the wrong checksum", err);
  if (end - at < 8) return lt_table_damage(t, where, "a block that is too short", err);
  const uint8_t *data = t->data + at;
  uint32_t raw = lt_t_load32(data), stored = lt_t_load32(data + 4);
  p->keys_packed = (int32_t)(raw >> 31);
  p->values_packed = (int32_t)(stored >> 31);
  p->keys_raw = raw & 0x7fffffff;
  p->keys_size = stored & 0x7fffffff;
  p->values_raw = t->place[b].rows * t->value_bytes;
  p->keys = data + 8;
  if (p->keys_size > end - at - 8) return lt_table_damage(t, where, "a block of an impossible size", err);
  p->values = p->keys + p->keys_size;
  p->values_size = end - at - 8 - p->keys_size;
  if (p->keys_raw + p->values_raw > t->meta.block_max || (!p->keys_packed && p->keys_raw != p->keys_size) ||
      (!p->values_packed && p->values_raw != p->values_size))
    return lt_table_damage(t, where, "a block of an impossible size", err);
  return LEAT_OK;
}

int lt_tblock_open(const leat_table *t, uint64_t b, const uint8_t *data, uint64_t size, lt_block_view *v) {
  uint64_t share = t->share_bytes, len = t->len_bytes, need;
  if (size < 8) return 0;
  v->n = lt_t_load16(data);
  v->common_size = lt_t_load16(data + 2);
  v->suffix_bytes = lt_t_load32(data + 4);
  v->restarts = (v->n + LT_TABLE_RESTART - 1) / LT_TABLE_RESTART;
  need = 8 + v->restarts * (4 + 2 * share) + v->n * (share + len) + v->common_size + v->suffix_bytes;
  if (need != size || !v->n || v->n != t->place[b].rows || v->common_size > t->meta.key_max) return 0;
  v->whole = data + 8;
  v->restart = v->whole + 4 * v->restarts;
  v->shared = v->restart + v->restarts * 2 * share;
  v->lens = v->shared + v->n * share;
  v->common = v->lens + v->n * len;
  v->suffix = v->common + v->common_size;
  return 1;
}

static inline uint64_t block_number(const uint8_t *p, uint64_t i, uint64_t bytes) {
  return bytes == 1 ? p[i] : bytes == 2 ? lt_t_load16(p + 2 * i) : lt_t_load32(p + 4 * i);
}

/* The last key of those that are stored whole that is not above the one that is looked for (both behind common).
 * -1: none; -2: nonsense. */
static int64_t block_restart(const leat_table *t, const lt_block_view *v, const uint8_t *key, uint64_t size) {
  uint32_t begin = (uint32_t)(lt_t_prefix(key, size) >> 32);
  uint64_t low = 0, high = v->restarts, share = t->share_bytes;
  while (high - low > 24) { /* far more keys than usual */
    uint64_t mid = (low + high) / 2;
    if (lt_t_load32(v->whole + 4 * mid) < begin) low = mid;
    else high = mid;
  }
  while (low < v->restarts && lt_t_load32(v->whole + 4 * low) < begin) low++;
  for (high = low; high < v->restarts && lt_t_load32(v->whole + 4 * high) == begin;) high++;
  while (low < high) { /* the same 4 bytes: the whole keys decide */
    uint64_t mid = low + (high - low) / 2, at = block_number(v->restart, mid, 2 * share);
    uint64_t k = t->len_bytes ? block_number(v->lens, mid * LT_TABLE_RESTART, t->len_bytes) : t->meta.key_max - v->common_size;
    if (at > v->suffix_bytes || k > v->suffix_bytes - at) return -2;
    if (lt_t_compare(v->suffix + at, k, key, size) <= 0) low = mid + 1;
    else high = mid;
  }
  return (int64_t)low - 1;
}

int lt_tblock_search(const leat_table *t, const lt_block_view *v, const uint8_t *key, uint64_t size, uint64_t *row) {
  uint64_t share = t->share_bytes, whole = t->meta.key_max - v->common_size, c = v->common_size, match = 0;
  if (size < c || memcmp(key, v->common, c) != 0) return 0;
  key += c;
  size -= c;
  int64_t low = block_restart(t, v, key, size);
  if (low < 0) return low < -1 ? -1 : 0;
  uint64_t at = block_number(v->restart, (uint64_t)low, 2 * share), i = (uint64_t)low * LT_TABLE_RESTART;
  uint64_t end = i + LT_TABLE_RESTART < v->n ? i + LT_TABLE_RESTART : v->n;
  __builtin_prefetch(v->shared + i * share);
  for (uint64_t k = 0; k < 4; k++) __builtin_prefetch(v->suffix + at + 64 * k);
  for (; i < end; i++) { /* match: bytes in which the key before agrees with the one that is looked for, and is below it */
    uint64_t s = block_number(v->shared, i, share);
    if (!t->len_bytes && s > whole) return -1;
    uint64_t k = t->len_bytes ? block_number(v->lens, i, t->len_bytes) : whole - s;
    if (at > v->suffix_bytes || k > v->suffix_bytes - at) return -1;
    if (s < match) return 0; /* it leaves the common way earlier, upwards */
    if (s == match) {
      const uint8_t *p = v->suffix + at;
      uint64_t most = k < size - s ? k : size - s, j = 0;
      while (j < most && p[j] == key[s + j]) j++;
      match = s + j;
      if (j == most) {
        if (k == size - s) {
          *row = i;
          return 1;
        }
        if (k > size - s) return 0; /* it goes on where ours ends */
      } else if (p[j] > key[match])
        return 0;
    }
    at += k;
  }
  return 0;
}
