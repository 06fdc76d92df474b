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

int64_t lt_tblock_find(const leat_table *t, const uint8_t *key, uint64_t size) {
  uint64_t n = t->meta.blocks, c = t->common_size;
  if (!n) return -1;
  if (c) {
    int order = memcmp(key, t->common, size < c ? size : c);
    if (order < 0 || (!order && size < c)) return -1;
    if (order > 0) return (int64_t)n - 1;
  }
  uint64_t v = lt_t_prefix(key + c, size - c), high = block_count(t->prefix, n, v, 1);
  if (!high) return -1;
  if (t->prefix[high - 1] != v) return (int64_t)high - 1;
  uint64_t low = block_count(t->prefix, high, v, 0); /* first keys with the same 8 bytes: [low, high) */
  while (low < high) {
    uint64_t mid = low + (high - low) / 2, k;
    const uint8_t *first;
    lt_tblock_first_key(t, mid, &first, &k);
    if (lt_t_compare(first, k, key, size) <= 0) low = mid + 1;
    else high = mid;
  }
  return (int64_t)low - 1;
}

int lt_tblock_may_have(const leat_table *t, uint64_t b, const uint8_t *key, uint64_t size) {
  uint64_t hash = lt_hash64(key, size, 0), lines = t->lines[b + 1] - t->lines[b];
  const uint8_t *p = t->filter + (t->lines[b] + ((hash >> 32) * lines >> 32)) * LT_TABLE_LINE;
  uint32_t missing = 0;
  for (int k = 0; k < 8; k++) missing |= ~lt_t_load32(p + 4 * k) & lt_t_filter_bit((uint32_t)hash, k);
  return !missing;
}

leat_status lt_tblock_bytes(const leat_table *t, uint64_t b, const uint8_t **data, uint64_t *size, uint64_t *raw,
                           int32_t *packed, leat_error *err) {
  uint64_t at = lt_t_load64(t->block_at + 8 * b), place = (uint64_t)(t->data - t->bytes) + at;
  uint64_t end = b + 1 < t->meta.blocks ? lt_t_load64(t->block_at + 8 * b + 8) : t->data_size;
  if (lt_t_unchecked(t, at, end) && lt_table_chunks_wrong(t, at, end))
    return lt_table_damage(t, place, "rows with the wrong checksum", err);
  if (end - at < 5) return lt_table_damage(t, place, "a block that is too short", err);
  uint32_t head = lt_t_load32(t->data + at);
  *packed = (int32_t)(head >> 31);
  *raw = head & 0x7fffffff;
  *data = t->data + at + 4;
  *size = end - at - 4;
  if (*raw > t->meta.block_max || (!*packed && *raw != *size))
    return lt_table_damage(t, place, "a block of an impossible size", err);
  return LEAT_OK;
}

int lt_tblock_open(const leat_table *t, uint64_t b, const uint8_t *data, uint64_t size, lt_tblock_view *v) {
  uint64_t share = t->share_bytes, len = t->len_bytes, restarts, need;
  if (size < 8) return 0;
  v->n = lt_t_load16(data);
  v->common_size = lt_t_load16(data + 2);
  v->suffix_bytes = lt_t_load32(data + 4);
  restarts = ((uint64_t)v->n + LT_TABLE_RESTART - 1) / LT_TABLE_RESTART;
  need = 8 + restarts * 2 * share + v->n * (share + len) + v->common_size + v->suffix_bytes + v->n * t->value_bytes;
  if (need != size || !v->n || v->n != lt_t_load32(t->block_rows + 4 * b) || v->common_size > t->meta.key_max) return 0;
  v->restart = data + 8;
  v->shared = v->restart + restarts * 2 * share;
  v->lens = v->shared + v->n * share;
  v->common = v->lens + v->n * len;
  v->suffix = v->common + v->common_size;
  v->values = v->suffix + v->suffix_bytes;
  return 1;
}

static inline uint64_t block_number(const uint8_t *p, uint64_t i, uint64_t bytes) {
  return bytes == 1 ? p[i] : bytes == 2 ? lt_t_load16(p + 2 * i) : lt_t_load32(p + 4 * i);
}

int lt_tblock_search(const leat_table *t, const lt_tblock_view *v, const uint8_t *key, uint64_t size, const uint8_t **value) {
  uint64_t share = t->share_bytes, whole = t->meta.key_max - v->common_size;
  uint64_t c = v->common_size;
  if (size < c || memcmp(key, v->common, c) != 0) return 0;
  key += c;
  size -= c;
  /* the last whole key that is not above the one that is looked for */
  uint64_t low = 0, high = (v->n + LT_TABLE_RESTART - 1) / LT_TABLE_RESTART;
  while (high - low > 1) {
    uint64_t mid = (low + high) / 2, at = block_number(v->restart, mid, 2 * share);
    uint64_t k = t->len_bytes ? block_number(v->lens, mid * LT_TABLE_RESTART, t->len_bytes) : whole;
    if (at > v->suffix_bytes || k > v->suffix_bytes - at) return -1;
    if (lt_t_compare(v->suffix + at, k, key, size) <= 0) low = mid;
    else high = mid;
  }
  uint64_t at = block_number(v->restart, low, 2 * share), i = low * LT_TABLE_RESTART, match = 0;
  uint64_t end = i + LT_TABLE_RESTART < v->n ? i + LT_TABLE_RESTART : v->n;
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
          *value = v->values + i * t->value_bytes;
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
