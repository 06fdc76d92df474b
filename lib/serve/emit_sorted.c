/* The sorted layout: blocks of keys in order. A block:
 *   u32 bytes of its keys' part unpacked (highest bit: it is packed), u32 bytes as it is stored (highest bit: the values are
 *   packed), the keys' part, the values [rows, n]; each part is packed (a zstd frame) when that saves something
 * The keys' part:
 *   u16 rows, u16 bytes that all its keys begin with (common), u32 bytes of suffixes
 *   for every 16th row: the first 4 bytes of its suffix as a number (u32)
 *   for every 16th row: where its suffix begins (u16, or u32 when keys may be longer than 255)
 *   for each row: bytes behind common that it shares with the row before, 0 for every 16th (u8, or u16)
 *   for each row: bytes of its suffix (u8, or u16; absent when all keys of the table have one length)
 *   the common bytes, the suffixes */
#include <zdict.h>
#include <zstd.h>
#include "serve/table_inner.h"

enum { PACK_FIRST = 512, PACK_LATER = 64, PACK_TASKS = 8, PACK_DICT = 16384, PACK_LEVEL = 1, PACK_MATCH = 6, PACK_SAMPLES = 64 };

typedef struct sorted_emit {
  leat_runtime *rt;
  lt_frame *f;
  lt_table_meta *m;
  const lt_emit_opts *o;
  lt_spool *offsets, *rows, *ends, *blob, *filter;
  /* the block that grows */
  lt_put keys, values;      /* keys: u16 length, bytes */
  uint64_t n, size, first;  /* size: about what it will have; first: length of its first key */
  uint64_t blob_size;
  uint8_t *last;            /* key */
  uint64_t last_size;
  uint32_t *hashes;         /* of its keys' hashes the upper halves, with the lower ones: 2 a key */
  uint64_t hash_cap;
  /* blocks that wait for packing, one behind the other: keys' parts, and values */
  lt_put raw, raw_values;
  uint64_t raw_at[PACK_FIRST + 1], values_at[PACK_FIRST + 1], raw_n, raw_most;
  uint8_t *packed;          /* [raw_most, packed_each]: the keys' part, the values */
  uint64_t packed_each, packed_keys, packed_room, packed_size[PACK_FIRST], packed_values[PACK_FIRST];
  int32_t trained;
  ZSTD_CCtx *ctx[PACK_TASKS], *plain[PACK_TASKS];
  uint8_t *dict;
  uint64_t dict_size;
  lt_put line, whole;       /* whole: beginnings of the keys that are stored whole */
} sorted_emit;

/* Bytes when packed, or 0 when that is not worth it: below 1 in 16. */
static uint64_t sorted_pack(ZSTD_CCtx *ctx, uint8_t *to, uint64_t room, const uint8_t *from, uint64_t size) {
  size_t got = ZSTD_compress2(ctx, to, room, from, size);
  return ZSTD_isError(got) || got > size - size / 16 ? 0 : got;
}

static void sorted_pack_task(void *arg, int64_t index) {
  sorted_emit *e = arg;
  for (uint64_t i = (uint64_t)index; i < e->raw_n; i += PACK_TASKS) {
    uint8_t *to = e->packed + i * e->packed_each;
    e->packed_size[i] = sorted_pack(e->ctx[index], to, e->packed_keys, e->raw.data + e->raw_at[i], e->raw_at[i + 1] - e->raw_at[i]);
    e->packed_values[i] = sorted_pack(e->plain[index], to + e->packed_keys, e->packed_each - e->packed_keys,
                                      e->raw_values.data + e->values_at[i], e->values_at[i + 1] - e->values_at[i]);
  }
}

/* The first blocks teach the dictionary. Data without anything in common gives none. */
static leat_status sorted_train(sorted_emit *e, leat_error *err) {
  e->trained = 1;
  if (!e->o->dictionary || e->raw_n < PACK_SAMPLES) return LEAT_OK;
  size_t sizes[PACK_FIRST];
  for (uint64_t i = 0; i < e->raw_n; i++) sizes[i] = e->raw_at[i + 1] - e->raw_at[i];
  e->dict = lt_alloc(e->rt, PACK_DICT);
  if (!e->dict) return lt_fail_memory(err, PACK_DICT, "a dictionary");
  size_t got = ZDICT_trainFromBuffer(e->dict, PACK_DICT, e->raw.data, sizes, (unsigned)e->raw_n);
  if (!ZDICT_isError(got)) e->dict_size = got;
  return LEAT_OK;
}

/* Contexts, once the dictionary is known. Short matches are left alone: they save little, and unpacking is what counts. */
static leat_status sorted_contexts(sorted_emit *e, leat_error *err) {
  for (int i = 0; i < PACK_TASKS; i++) {
    if (e->ctx[i]) continue;
    e->ctx[i] = ZSTD_createCCtx();
    e->plain[i] = ZSTD_createCCtx();
    ZSTD_CCtx *both[] = {e->ctx[i], e->plain[i]};
    for (int k = 0; k < 2; k++) {
      if (!both[k]) return lt_fail_memory(err, 1 << 18, "packing blocks");
      (void)ZSTD_CCtx_setParameter(both[k], ZSTD_c_compressionLevel, PACK_LEVEL);
      (void)ZSTD_CCtx_setParameter(both[k], ZSTD_c_minMatch, PACK_MATCH);
      (void)ZSTD_CCtx_setParameter(both[k], ZSTD_c_contentSizeFlag, 0);
      (void)ZSTD_CCtx_setParameter(both[k], ZSTD_c_dictIDFlag, 0);
    }
    if (e->dict_size && ZSTD_isError(ZSTD_CCtx_loadDictionary(e->ctx[i], e->dict, e->dict_size)))
      return lt_fail_memory(err, e->dict_size, "a dictionary");
  }
  return LEAT_OK;
}

static leat_status sorted_write_block(sorted_emit *e, uint64_t i, leat_error *err) {
  uint64_t size = e->raw_at[i + 1] - e->raw_at[i], values = e->values_at[i + 1] - e->values_at[i];
  uint64_t packed = e->o->compress ? e->packed_size[i] : 0, packed_values = e->o->compress ? e->packed_values[i] : 0;
  const uint8_t *room = e->packed + i * e->packed_each;
  uint8_t place[8], head[8];
  lt_t_store64(place, lt_frame_at(e->f));
  lt_t_store32(head, (uint32_t)size | (packed ? 0x80000000u : 0));
  lt_t_store32(head + 4, (uint32_t)(packed ? packed : size) | (packed_values ? 0x80000000u : 0));
  leat_status st = lt_spool_put(e->offsets, place, 8, err);
  if (!st) st = lt_frame_put(e->f, head, 8, err);
  if (!st) st = packed ? lt_frame_put(e->f, room, packed, err) : lt_frame_put(e->f, e->raw.data + e->raw_at[i], size, err);
  if (st) return st;
  return packed_values ? lt_frame_put(e->f, room + e->packed_keys, packed_values, err)
                       : lt_frame_put(e->f, e->raw_values.data + e->values_at[i], values, err);
}

static leat_status sorted_flush(sorted_emit *e, leat_error *err) {
  leat_status st = LEAT_OK;
  if (!e->raw_n) return LEAT_OK;
  if (e->raw.failed || e->raw_values.failed) return lt_fail_memory(err, e->raw.size, "blocks");
  if (e->o->compress) {
    if (!e->trained) st = sorted_train(e, err);
    e->packed_keys = ZSTD_compressBound(e->m->block_max);
    e->packed_each = 2 * e->packed_keys;
    if (!st && e->packed_each * e->raw_n > e->packed_room) {
      lt_free(e->rt, e->packed);
      e->packed_room = e->packed_each * e->raw_n;
      e->packed = lt_alloc(e->rt, e->packed_room);
      if (!e->packed) {
        st = lt_fail_memory(err, e->packed_room, "packing blocks");
        e->packed_room = 0;
      }
    }
    if (!st) st = sorted_contexts(e, err);
    if (!st && (st = lt_parallel_for(e->rt, PACK_TASKS, sorted_pack_task, e)) != 0)
      lt_fail(err, st, "the host's executor failed");
  }
  for (uint64_t i = 0; i < e->raw_n && !st; i++) st = sorted_write_block(e, i, err);
  e->raw.size = e->raw_values.size = e->raw_n = 0;
  e->raw_most = PACK_LATER;
  return st;
}

static uint64_t sorted_shared(const uint8_t *a, uint64_t an, const uint8_t *b, uint64_t bn) {
  uint64_t n = an < bn ? an : bn, i = 0;
  while (i < n && a[i] == b[i]) i++;
  return i;
}

static void sorted_put_size(lt_put *w, uint64_t v, uint32_t bytes) {
  uint8_t b[4];
  lt_t_store32(b, (uint32_t)v);
  lt_put_raw(w, b, bytes);
}

/* The block's bytes behind e->raw, out of its keys. Three passes: what a column needs before another is known. */
static void sorted_encode(sorted_emit *e) {
  lt_put *w = &e->raw;
  uint32_t share = lt_t_share_bytes(e->m), len = lt_t_len_bytes(e->m);
  const uint8_t *key = e->keys.data, *first = key + 2;
  uint64_t common = sorted_shared(first, e->first, e->last, e->last_size), suffix = 0, restarts = 0;
  uint32_t *shared = e->hashes; /* the filter is made: its room is free, two numbers a key */
  const uint8_t *before = NULL;
  uint64_t before_size = 0;
  lt_put *rest = &e->line, *w4 = &e->whole;
  rest->size = w4->size = 0;
  for (uint64_t i = 0; i < e->n; i++) {
    uint64_t size = lt_t_load16(key);
    const uint8_t *p = key + 2 + common;
    uint64_t k = size - common, s = i % LT_TABLE_RESTART ? sorted_shared(before, before_size, p, k) : 0;
    shared[2 * i] = (uint32_t)s;
    shared[2 * i + 1] = (uint32_t)(k - s);
    lt_put_raw(rest, p + s, k - s);
    if (i % LT_TABLE_RESTART == 0) lt_put_u32(w4, (uint32_t)(lt_t_prefix(p, k) >> 32));
    suffix += k - s;
    before = p;
    before_size = k;
    key += 2 + size;
  }
  lt_put_u32(w, (uint32_t)(e->n | common << 16));
  lt_put_u32(w, (uint32_t)suffix);
  lt_put_raw(w, w4->data, w4->size);
  for (uint64_t i = 0; i < e->n; i++) {
    if (i % LT_TABLE_RESTART == 0) sorted_put_size(w, restarts, 2 * share);
    restarts += shared[2 * i + 1];
  }
  for (uint64_t i = 0; i < e->n; i++) sorted_put_size(w, shared[2 * i], share);
  for (uint64_t i = 0; len && i < e->n; i++) sorted_put_size(w, shared[2 * i + 1], len);
  lt_put_raw(w, first, common);
  lt_put_raw(w, rest->data, rest->size);
  lt_put_raw(&e->raw_values, e->values.data, e->values.size);
}

static leat_status sorted_filter(sorted_emit *e, leat_error *err) {
  uint64_t lines = lt_t_filter_lines(e->n);
  e->line.size = 0;
  for (uint64_t i = 0; i < lines * LT_TABLE_LINE / 8; i++) lt_put_u64(&e->line, 0);
  if (e->line.failed) return lt_put_status(&e->line, err);
  for (uint64_t i = 0; i < e->n; i++) {
    uint8_t *p = e->line.data + ((uint64_t)e->hashes[2 * i] * lines >> 32) * LT_TABLE_LINE;
    for (int k = 0; k < 8; k++) lt_t_store32(p + 4 * k, lt_t_load32(p + 4 * k) | lt_t_filter_bit(e->hashes[2 * i + 1], k));
  }
  return lt_spool_put(e->filter, e->line.data, e->line.size, err);
}

static leat_status sorted_close(sorted_emit *e, leat_error *err) {
  uint8_t number[4];
  if (!e->n) return LEAT_OK;
  if (e->keys.failed || e->values.failed) return lt_fail_memory(err, e->keys.size, "a block");
  leat_status st = sorted_filter(e, err);
  if (st) return st;
  e->blob_size += e->first;
  if (e->blob_size > UINT32_MAX)
    return lt_fail(err, LEAT_E_RANGE, "the index of a sorted table would be above 4 GiB: set a larger block_bytes");
  lt_t_store32(number, (uint32_t)e->n);
  st = lt_spool_put(e->rows, number, 4, err);
  lt_t_store32(number, (uint32_t)e->blob_size);
  if (!st) st = lt_spool_put(e->ends, number, 4, err);
  if (!st) st = lt_spool_put(e->blob, e->keys.data + 2, e->first, err);
  if (st) return st;
  sorted_encode(e);
  if (e->line.failed || e->raw.failed || e->raw_values.failed || e->whole.failed) return lt_fail_memory(err, e->size, "a block");
  uint64_t size = e->raw.size - e->raw_at[e->raw_n] + e->values.size;
  if (size > e->m->block_max) e->m->block_max = (uint32_t)size;
  e->raw_at[++e->raw_n] = e->raw.size;
  e->values_at[e->raw_n] = e->raw_values.size;
  e->m->blocks++;
  e->keys.size = e->values.size = e->n = e->size = 0;
  if (e->raw_n >= e->raw_most) {
    st = sorted_flush(e, err);
  }
  return st;
}

static leat_status sorted_take(sorted_emit *e, const lt_table_row *row, leat_error *err) {
  uint32_t per = lt_t_share_bytes(e->m) + lt_t_len_bytes(e->m);
  uint64_t shared = e->n ? sorted_shared(e->last, e->last_size, row->key, row->size) : 0;
  uint64_t more = row->size - shared + per + 4 * e->m->n_values;
  leat_status st = LEAT_OK;
  if (e->n && (e->size + more > e->o->block_bytes || e->n == 65535)) {
    st = sorted_close(e, err);
    more += shared;
  }
  void *hashes = e->hashes;
  if (!st && 2 * (e->n + 1) > e->hash_cap) st = lt_grow(e->rt, &hashes, &e->hash_cap, 2 * (e->n + 1), 4, err);
  e->hashes = hashes;
  if (st) return st;
  uint64_t hash = lt_hash64(row->key, row->size, 0);
  uint8_t size[2];
  e->hashes[2 * e->n] = (uint32_t)(hash >> 32);
  e->hashes[2 * e->n + 1] = (uint32_t)hash;
  if (!e->n) e->first = row->size;
  lt_t_store16(size, (uint32_t)row->size);
  lt_put_raw(&e->keys, size, 2);
  lt_put_raw(&e->keys, row->key, row->size);
  lt_put_raw(&e->values, row->value, 4 * e->m->n_values);
  memcpy(e->last, row->key, row->size);
  e->last_size = row->size;
  e->n++;
  e->size += more;
  e->m->rows++;
  e->m->key_bytes += row->size;
  return LEAT_OK;
}

static leat_status sorted_sections(sorted_emit *e, lt_spool *sums, leat_error *err) {
  lt_spool *const parts[] = {e->offsets, e->rows, e->ends, e->blob};
  leat_status st = lt_frame_begin(e->f, "index", NULL, err);
  for (int i = 0; i < 4 && !st; i++) st = lt_spool_copy(parts[i], e->f, err);
  if (!st) st = lt_frame_begin(e->f, "filter", NULL, err);
  if (!st) st = lt_spool_copy(e->filter, e->f, err);
  if (!st) st = lt_frame_begin(e->f, "dict", NULL, err);
  if (!st && e->dict_size) st = lt_frame_put(e->f, e->dict, e->dict_size, err);
  if (!st) st = lt_frame_begin(e->f, "sums", NULL, err);
  return st ? st : lt_spool_copy(sums, e->f, err);
}

static void sorted_free(sorted_emit *e) {
  lt_spool *const spools[] = {e->offsets, e->rows, e->ends, e->blob, e->filter};
  for (int i = 0; i < 5; i++) lt_spool_free(spools[i]);
  for (int i = 0; i < PACK_TASKS; i++) {
    ZSTD_freeCCtx(e->ctx[i]);
    ZSTD_freeCCtx(e->plain[i]);
  }
  lt_put_free(&e->keys);
  lt_put_free(&e->values);
  lt_put_free(&e->raw);
  lt_put_free(&e->raw_values);
  lt_put_free(&e->line);
  lt_put_free(&e->whole);
  lt_free(e->rt, e->last);
  lt_free(e->rt, e->hashes);
  lt_free(e->rt, e->packed);
  lt_free(e->rt, e->dict);
  lt_free(e->rt, e);
}

leat_status lt_emit_sorted(leat_runtime *rt, lt_frame *f, const char *path, lt_table_meta *m, const lt_emit_opts *o,
                           lt_row_source *src, leat_error *err) {
  lt_spool *sums = NULL;
  lt_table_row row;
  int32_t got = 1;
  sorted_emit *e = lt_zalloc(rt, sizeof *e);
  if (!e) return lt_fail_memory(err, sizeof *e, "a table");
  e->rt = rt;
  e->f = f;
  e->m = m;
  e->o = o;
  e->raw_most = PACK_FIRST;
  lt_spool **spools[] = {&e->offsets, &e->rows, &e->ends, &e->blob, &e->filter, &sums};
  lt_put *puts[] = {&e->keys, &e->values, &e->raw, &e->raw_values, &e->line, &e->whole};
  leat_status st = LEAT_OK;
  for (int i = 0; i < 6; i++) lt_put_init(puts[i], rt);
  for (int i = 0; i < 6 && !st; i++) st = lt_spool_create(rt, path, spools[i], err);
  e->last = lt_alloc(rt, LT_TABLE_KEY_MAX);
  if (!st && !e->last) st = lt_fail_memory(err, LT_TABLE_KEY_MAX, "a table");
  m->rows = m->key_bytes = 0;
  if (!st) st = lt_frame_begin(f, "data", sums, err);
  while (!st && got) {
    st = src->next(src->self, &row, &got, err);
    if (!st && got) st = sorted_take(e, &row, err);
  }
  if (!st) st = sorted_close(e, err);
  if (!st) st = sorted_flush(e, err);
  if (!st) st = sorted_sections(e, sums, err);
  lt_spool_free(sums);
  sorted_free(e);
  return st;
}
