/* Opening a table: everything but the rows is verified and checked here, once; look-ups then trust it. */
#include <stdio.h>
#include <zstd.h>
#include "base/number.h"
#include "serve/table_inner.h"

enum { SINCE_0_1 = 1 << 8 };
static const lt_param_def table_read_defs[] = {
    {"map", LEAT_PARAM_BOOL, "false", 0, 0, NULL,
     "map the file instead of reading it: processes share its pages, but get SIGBUS when another one cuts the file", SINCE_0_1},
    {"verify", LEAT_PARAM_BOOL, "false", 0, 0, NULL,
     "verify all rows when the table is opened, not each 64 KiB when they are first looked at", SINCE_0_1},
    {"poll_ms", LEAT_PARAM_I64, "200", 0, 3600000, NULL,
     "of a follower: how often its look-ups look for a new generation, milliseconds; 0: only when it is asked to", SINCE_0_1},
};
const lt_spec lt_table_read_spec = {"table/read", "Reading a table of predictions.", table_read_defs,
                                    (int64_t)(sizeof table_read_defs / sizeof table_read_defs[0])};

leat_status lt_table_damage(const leat_table *t, uint64_t at, const char *what, leat_error *err) {
  leat_status st = lt_fail(err, LEAT_E_FORMAT, "%s is damaged: %s at byte %llu; restore it from a copy, or build it again",
                           t->path, what, (unsigned long long)at);
  if (err && err->struct_size >= offsetof(leat_error, message)) err->detail[2] = (int64_t)at;
  return st;
}

static leat_status open_nonsense(const leat_table *t, const uint8_t *at, const char *what, leat_error *err) {
  return lt_table_damage(t, (uint64_t)(at - t->bytes), what, err);
}

int lt_table_chunks_wrong(const leat_table *t, uint64_t from, uint64_t to) {
  int wrong = 0;
  for (uint64_t c = from / LT_TABLE_CHUNK; c <= (to - 1) / LT_TABLE_CHUNK; c++) {
    uint8_t seen = __atomic_load_n(&t->seen[c], __ATOMIC_RELAXED);
    if (!seen) {
      uint64_t at = c * LT_TABLE_CHUNK, n = t->data_size - at < LT_TABLE_CHUNK ? t->data_size - at : LT_TABLE_CHUNK;
      seen = lt_hash64(t->data + at, n, 0) == lt_t_load64(t->sums + 8 * c) ? 1 : 2;
      __atomic_store_n(&t->seen[c], seen, __ATOMIC_RELAXED); /* who comes at the same time finds the same */
    }
    wrong |= seen != 1;
  }
  return wrong;
}

/* Every place is checked here, so that look-ups do not have to. */
static leat_status open_hash(leat_table *t, const lt_frame_section *index, leat_error *err) {
  const lt_table_meta *m = &t->meta;
  uint64_t rows = 0, wrong = 0, least = m->key_min + t->value_bytes + t->len_bytes;
  int32_t crowded = 0;
  if (!m->buckets || m->buckets > UINT32_MAX || index->size != LT_TABLE_ENTRY * (m->buckets + 1))
    return open_nonsense(t, index->data, "an index of another size", err);
  t->index = index->data;
  for (uint64_t b = 0; b < m->buckets; b++) {
    const uint8_t *e = t->index + LT_TABLE_ENTRY * b;
    uint64_t at = (uint64_t)lt_t_load32(e) << m->shift, end = (uint64_t)lt_t_load32(e + LT_TABLE_ENTRY) << m->shift, n = e[4];
    uint64_t extra = n <= LT_TABLE_INLINE ? 0 : n == 255 ? n - LT_TABLE_INLINE + 2 : n - LT_TABLE_INLINE;
    wrong |= end < at;
    wrong |= n * least + extra > end - at;
    crowded |= n == 255;
    rows += n;
  }
  const uint8_t *last = t->index + LT_TABLE_ENTRY * m->buckets;
  if (wrong || lt_t_load32(t->index) || (uint64_t)lt_t_load32(last) << m->shift != t->data_size || last[4] ||
      (crowded ? rows > m->rows : rows != m->rows))
    return open_nonsense(t, index->data, "an index that contradicts itself", err);
  return LEAT_OK;
}

/* The first keys ascend, so that searching them is right. */
static leat_status open_keys(leat_table *t, const lt_frame_section *index, leat_error *err) {
  uint64_t n = t->meta.blocks, blob = index->size - 16 * n, before = 0, lines = 0, rows = 0, at = 0, last_size = 0;
  const uint8_t *offsets = index->data, *block_rows = offsets + 8 * n, *last = NULL;
  for (uint64_t b = 0; b < n; b++) {
    uint64_t end = lt_t_load32(t->key_ends + 4 * b), place = lt_t_load64(offsets + 8 * b);
    uint32_t r = lt_t_load32(block_rows + 4 * b);
    const uint8_t *key = t->key_blob + before;
    if (end <= before || end > blob || end - before > t->meta.key_max || end - before < t->meta.key_min)
      return open_nonsense(t, t->key_ends + 4 * b, "an index that contradicts itself", err);
    if ((b ? place <= at : place != 0) || place >= t->data_size || !r || r > 65535)
      return open_nonsense(t, offsets + 8 * b, "an index that contradicts itself", err);
    if (last && lt_t_compare(last, last_size, key, end - before) >= 0)
      return open_nonsense(t, key, "keys that are not in order", err);
    t->place[b] = (lt_block_place){place, (uint32_t)lines, r};
    lines += lt_t_filter_lines(r);
    rows += r;
    at = place;
    last = key;
    last_size = end - before;
    before = end;
  }
  t->place[n] = (lt_block_place){t->data_size, (uint32_t)lines, 0};
  if (rows != t->meta.rows || before != blob || lines > UINT32_MAX || (n == 0) != (t->data_size == 0))
    return open_nonsense(t, index->data, "an index that contradicts itself", err);
  return LEAT_OK;
}

static leat_status open_sorted(leat_table *t, const lt_frame_section *s, leat_error *err) {
  uint64_t n = t->meta.blocks;
  if (n > s[1].size / 16 || (n && !t->meta.block_max)) return open_nonsense(t, s[1].data, "an index of another size", err);
  t->key_ends = s[1].data + 12 * n;
  t->key_blob = t->key_ends + 4 * n;
  t->filter = s[2].data;
  t->dict = s[3].data;
  t->dict_size = s[3].size;
  t->prefix = lt_array(t->rt, n, sizeof *t->prefix);
  t->top = lt_array(t->rt, n / 64 + 1, sizeof *t->top);
  t->place = lt_array(t->rt, n + 1, sizeof *t->place);
  if (!t->prefix || !t->top || !t->place) return lt_fail_memory(err, n * 24, "a table's index");
  leat_status st = open_keys(t, &s[1], err);
  if (st) return st;
  if ((uint64_t)t->place[n].line * LT_TABLE_LINE != s[2].size) return open_nonsense(t, s[2].data, "a filter of another size", err);
  if (n) {
    const uint8_t *first, *last;
    uint64_t a, b, i = 0;
    lt_tblock_first_key(t, 0, &first, &a);
    lt_tblock_first_key(t, n - 1, &last, &b);
    while (i < a && i < b && first[i] == last[i]) i++;
    t->common = first;
    t->common_size = i;
  }
  for (uint64_t b = 0; b < n; b++) {
    const uint8_t *key;
    uint64_t size;
    lt_tblock_first_key(t, b, &key, &size);
    t->prefix[b] = lt_t_prefix(key + t->common_size, size - t->common_size);
    if (b % 64 == 0) t->top[b / 64] = t->prefix[b];
  }
  if (!t->dict_size) return LEAT_OK;
  t->ddict = ZSTD_createDDict(t->dict, t->dict_size);
  return t->ddict ? LEAT_OK : open_nonsense(t, t->dict, "a dictionary that zstd does not take", err);
}

static leat_status open_parse(leat_table *t, int verify, leat_error *err) {
  static const char *const hash_sections[] = {"data", "index", "sums", "meta"};
  static const char *const sorted_sections[] = {"data", "index", "filter", "dict", "sums", "meta"};
  lt_frame_section s[6];
  int sorted = t->size >= 28 && lt_t_load32(t->bytes + 24) == 6;
  uint32_t n = sorted ? 6 : 4;
  leat_status st = lt_frame_parse(t->rt, t->bytes, t->size, t->path, sorted ? sorted_sections : hash_sections, n,
                                  verify ? 0 : 1, s, t->checksum, err);
  if (!st) st = lt_table_meta_load(t->rt, s[n - 1].data, s[n - 1].size, &t->meta, err);
  if (st) return st;
  if ((t->meta.layout == LT_LAYOUT_SORTED) != sorted) return open_nonsense(t, s[n - 1].data, "a layout that its sections are not of", err);
  t->data = s[0].data;
  t->data_size = s[0].size;
  t->sums = s[n - 2].data;
  t->chunks = (t->data_size + LT_TABLE_CHUNK - 1) / LT_TABLE_CHUNK;
  t->value_bytes = 4 * t->meta.n_values;
  t->len_bytes = lt_t_len_bytes(&t->meta);
  t->share_bytes = lt_t_share_bytes(&t->meta);
  if (s[n - 2].size != 8 * t->chunks) return open_nonsense(t, t->sums, "checksums of another number", err);
  t->seen = lt_zalloc(t->rt, t->chunks);
  if (!t->seen) return lt_fail_memory(err, t->chunks, "a table");
  st = sorted ? open_sorted(t, s, err) : open_hash(t, &s[1], err);
  if (!st && verify && t->data_size && lt_table_chunks_wrong(t, 0, t->data_size))
    st = open_nonsense(t, t->sums, "checksums that contradict each other", err);
  return st;
}

static leat_status open_new(leat_runtime *rt, const char *path, leat_table **out, leat_error *err) {
  leat_table *t = lt_zalloc(rt, sizeof *t);
  *out = NULL;
  if (!t) return lt_fail_memory(err, sizeof *t, "a table");
  t->rt = rt;
  lt_ref_init(&t->refs);
  lt_runtime_ref(rt);
  t->path = lt_strdup(rt, path);
  if (!t->path) {
    lt_table_free(t);
    return lt_fail_memory(err, strlen(path), "a path");
  }
  *out = t;
  return LEAT_OK;
}

leat_status lt_table_open_bytes(leat_runtime *rt, const void *data, uint64_t size, const char *name, int verify,
                                leat_table **out, leat_error *err) {
  leat_table *t;
  leat_status st = open_new(rt, name, &t, err);
  *out = NULL;
  if (st) return st;
  t->bytes = data;
  t->size = size;
  st = open_parse(t, verify, err);
  if (st) lt_table_free(t);
  else *out = t;
  return st;
}

leat_status lt_table_open(leat_runtime *rt, const char *path, const leat_params *p, leat_table **out, leat_error *err) {
  leat_table *t;
  *out = NULL;
  if (p && lt_params_spec(p) != &lt_table_read_spec)
    return lt_fail(err, LEAT_E_ARG, "the parameters are of '%s', an open table takes those of 'table/read'",
                   lt_params_spec(p)->name);
  leat_status st = open_new(rt, path, &t, err);
  if (st) return st;
  if (p && lt_param_int(p, "map")) {
    st = lt_file_open(rt, path, LEAT_FILE_READ, &t->file, err);
    if (!st) st = lt_file_size(t->file, &t->size, err);
    if (!st) st = lt_file_map(t->file, t->size, &t->mapped, err);
    t->bytes = t->mapped;
  } else {
    st = lt_file_load(rt, path, lt_runtime_load_budget(rt), &t->own, &t->size, err);
    t->bytes = t->own;
  }
  if (!st) st = open_parse(t, p && lt_param_int(p, "verify"), err);
  if (st) lt_table_free(t);
  else *out = t;
  return st;
}

void lt_table_ref(const leat_table *t) { lt_ref_add(&((leat_table *)(uintptr_t)t)->refs); }

void lt_table_free(const leat_table *shared) {
  leat_table *t = (leat_table *)(uintptr_t)shared;
  if (!t || !lt_ref_drop(&t->refs)) return;
  leat_runtime *rt = t->rt;
  ZSTD_freeDDict(t->ddict);
  lt_table_meta_free(rt, &t->meta);
  lt_free(rt, t->prefix);
  lt_free(rt, t->top);
  lt_free(rt, t->place);
  lt_free(rt, t->seen);
  if (t->mapped) lt_file_unmap(t->file, t->mapped, t->size);
  (void)lt_file_close(t->file, NULL);
  lt_free(rt, t->own);
  lt_free(rt, t->path);
  lt_free(rt, t);
  lt_runtime_unref(rt);
}

leat_status lt_table_info(const leat_table *t, leat_table_info *info, leat_error *err) {
  leat_table_info given, full;
  const lt_table_meta *m = &t->meta;
  leat_status st = lt_take_struct(&given, sizeof given, info, info->struct_size, "leat_table_info", err);
  if (st) return st;
  memset(&full, 0, sizeof full);
  full.struct_size = info->struct_size;
  full.layout = m->layout == LT_LAYOUT_HASH ? "hash" : "sorted";
  full.key_type = m->key_type == LT_KEYS_U64 ? "u64" : "bytes";
  full.model_checksum = m->model;
  full.checksum = t->checksum;
  full.value_names = (const char *const *)m->name;
  full.default_values = m->standard;
  full.rows = (int64_t)m->rows;
  full.values = (int64_t)m->n_values;
  full.bytes = (int64_t)t->size;
  full.key_bytes = (int64_t)m->key_max;
  full.created_ns = m->created;
  full.valid_until_ns = m->valid_until;
  lt_give_struct(info, info->struct_size, &full, sizeof full);
  return LEAT_OK;
}
