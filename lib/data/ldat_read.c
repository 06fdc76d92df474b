/* reader/ldat: dataset files. The small sections are checked and parsed at opening; a block is checked when it is looked
 * at: its sum first, then every count and value that a consumer relies on. */
#include <math.h>
#include <string.h>
#include <zstd.h>

#include "base/sealed_inner.h"
#include "data/ldat.h"

static const lt_param_def ldat_defs[] = {
    LT_READER_PARAMS("the column to predict; empty: as in the file"),
    {"weight", LEAT_PARAM_TEXT, "", 0, 0, NULL, "column of weights; empty: as in the file", LT_SINCE_0_1},
    {"ignore", LEAT_PARAM_TEXT, "", 0, 0, NULL, "columns that are not used, beside those of the file", LT_SINCE_0_1},
    {"grow", LEAT_PARAM_BOOL, "false", 0, 0, NULL,
     "with a schema: labels that only the file has are added to it, else they are unseen", LT_SINCE_0_1},
};
const lt_spec lt_spec_ldat = {"reader/ldat", "dataset files that leat wrote; stream=1 fetches rows from the file when they "
                              "are looked at", ldat_defs, sizeof ldat_defs / sizeof *ldat_defs};

typedef struct entry { uint64_t offset, stored, raw, sum; int64_t rows; uint32_t codec; } entry;

typedef struct ldat {
  leat_runtime *rt;
  lt_ref ref;              /* of the dataset, and of every block that was fetched */
  lt_source *src;
  const char *name;
  const uint8_t *bytes;    /* the file's, or NULL: it is read */
  lt_file *file;
  uint64_t data_at;
  entry *index;
  int64_t blocks, rows, each;
  uint8_t *checked;        /* bytes only: 1 for blocks that were good */
  leat_schema *stored, *schema;
  int64_t *from;           /* of each column of schema: the stored one, or -1 */
  int32_t **map;           /* stored code -> code; NULL: the same */
} ldat;

/* What a fetched batch's columns point into. */
typedef struct block {
  ldat *x;
  void *buf, *raw;         /* as stored, unpacked */
  uint64_t buf_cap, raw_cap;
  void **own;              /* [columns] codes that were mapped, sparse rows that were cut */
  uint64_t *own_cap;
  int64_t n_own;
  ZSTD_DCtx *zstd;
} block;

static void ldat_unref(ldat *x) {
  if (!x || !lt_ref_drop(&x->ref)) return;
  leat_runtime *rt = x->rt;
  for (int64_t i = 0; x->map && i < x->schema->n; i++) lt_free(rt, x->map[i]);
  lt_free(rt, x->map);
  lt_free(rt, x->from);
  lt_free(rt, x->index);
  lt_free(rt, x->checked);
  lt_schema_free(x->stored);
  lt_schema_free(x->schema);
  lt_source_free(x->src);
  lt_free(rt, x);
}

static void ldat_release(void *self) { ldat_unref(self); }

static leat_status damage(const ldat *x, uint64_t at, const char *what, leat_error *err) {
  leat_status st = lt_fail(err, LEAT_E_FORMAT, "%s is damaged: %s at byte %llu; restore it from a copy, or convert the data again",
                           x->name, what, (unsigned long long)at);
  if (err && err->struct_size >= offsetof(leat_error, message)) err->detail[2] = (int64_t)at;
  return st;
}

static uint64_t load64(const uint8_t *p) {
  uint64_t v = 0;
  for (int i = 0; i < 8; i++) v |= (uint64_t)p[i] << (8 * i);
  return v;
}

static uint32_t load32(const uint8_t *p) { return (uint32_t)(p[0] | p[1] << 8 | p[2] << 16) | (uint32_t)p[3] << 24; }

static int all_zero(const uint8_t *p, uint64_t n) {
  uint8_t any = 0;
  for (uint64_t i = 0; i < n; i++) any |= p[i];
  return !any;
}

/* ---- opening */

typedef struct section { uint64_t at, size, sum[2]; } section;

/* `size` bytes at `at` as *out: inside x->bytes, or read into *own. */
static leat_status look_at(const ldat *x, uint64_t at, uint64_t size, const uint8_t **out, void **own, leat_error *err) {
  *own = NULL;
  if (x->bytes) {
    *out = x->bytes + at;
    return LEAT_OK;
  }
  if (size > lt_runtime_load_budget(x->rt))
    return lt_fail(err, LEAT_E_MEMORY, "%s needs %llu bytes of memory: raise load_budget_bytes", x->name, (unsigned long long)size);
  *own = lt_alloc(x->rt, size);
  *out = *own;
  return *own ? lt_file_read(x->file, at, *own, size, err) : lt_fail_memory(err, size, "a dataset file");
}

static leat_status check_head(const ldat *x, const uint8_t *head, uint64_t size, leat_error *err) {
  const uint8_t *table = head + LT_SEAL_HEAD;
  uint8_t both[16];
  if (memcmp(head + 8, lt_ldat_kind, 4) != 0)
    return lt_fail(err, LEAT_E_FORMAT, "%s is a leat file of kind '%.4s', a dataset (DATA) is needed here", x->name,
                   (const char *)head + 8);
  if (load32(head + 20) > LT_SEAL_LAYOUT || load32(head + 16) > LT_LDAT_VERSION)
    return lt_fail(err, LEAT_E_VERSION, "%s needs a reader of version %u, this library is one of version %d: take a newer leat",
                   x->name, load32(head + 16), LT_LDAT_VERSION);
  if (load64(head + 32) != size)
    return lt_fail(err, LEAT_E_FORMAT, "%s is cut or has grown: it has %llu bytes and should have %llu", x->name,
                   (unsigned long long)size, (unsigned long long)load64(head + 32));
  lt_seal_store(both, lt_hash64(head, LT_SEAL_HEAD - 8, 0));
  lt_seal_store(both + 8, lt_hash64(table, (uint64_t)LT_LDAT_SECTIONS * LT_SEAL_ENTRY, 0));
  if (load32(head + 24) != LT_LDAT_SECTIONS || load64(head + 56) != lt_hash64(both, 16, 0))
    return damage(x, 56, "the header's checksum is wrong", err);
  if (load32(head + 16) > load32(head + 12) || load32(head + 20) != LT_SEAL_LAYOUT || !all_zero(head + 28, 4) ||
      !all_zero(head + 40, 16))
    return damage(x, 12, "a header that contradicts itself", err);
  return LEAT_OK;
}

static leat_status read_head(const ldat *x, uint64_t size, section *s, leat_error *err) {
  const uint64_t whole = LT_SEAL_HEAD + LT_LDAT_SECTIONS * LT_SEAL_ENTRY;
  const uint8_t *head;
  void *own = NULL;
  if (size < whole) return lt_fail(err, LEAT_E_FORMAT, "%s is not a leat file, or it is cut (%llu bytes)", x->name, (unsigned long long)size);
  leat_status st = look_at(x, 0, whole, &head, &own, err);
  if (!st && memcmp(head, lt_seal_magic, 8) != 0)
    st = lt_fail(err, LEAT_E_FORMAT, "%s is not a leat file, or its beginning is damaged", x->name);
  if (!st) st = check_head(x, head, size, err);
  uint64_t at = whole;
  for (int i = 0; i < LT_LDAT_SECTIONS && !st; i++) {
    const uint8_t *row = head + LT_SEAL_HEAD + i * LT_SEAL_ENTRY;
    uint64_t k = strlen(lt_ldat_section[i]);
    s[i] = (section){load64(row + 24), load64(row + 32), {load64(row + 48), load64(row + 56)}};
    if (memcmp(row, lt_ldat_section[i], k) != 0 || !all_zero(row + k, 24 - k) || s[i].at != lt_ldat_up(at) ||
        s[i].at > size || s[i].size > size - s[i].at || load64(row + 40) != s[i].size)
      st = damage(x, (uint64_t)(row - head), "a section that is not what it should be", err);
    const uint8_t *gap;
    void *own_gap = NULL;
    if (!st) st = look_at(x, at, s[i].at - at, &gap, &own_gap, err);
    if (!st && !all_zero(gap, s[i].at - at)) st = damage(x, at, "padding that is not zero", err);
    lt_free(x->rt, own_gap);
    at = s[i].at + s[i].size;
  }
  if (!st && at != size) st = damage(x, at, "bytes behind the last section", err);
  lt_free(x->rt, own);
  return st;
}

/* Blocks follow each other, all of the same number of rows but the last. */
static leat_status parse_index(ldat *x, const uint8_t *p, const section *s, leat_error *err) {
  uint64_t at = 0, most = lt_runtime_load_budget(x->rt);
  x->index = lt_array(x->rt, (uint64_t)x->blocks, sizeof *x->index);
  if (!x->index) return lt_fail_memory(err, (uint64_t)x->blocks * sizeof *x->index, "the index of a dataset file");
  for (int64_t i = 0; i < x->blocks; i++, p += LT_LDAT_ENTRY) {
    entry *e = &x->index[i];
    *e = (entry){load64(p), load64(p + 8), load64(p + 16), load64(p + 40), (int64_t)load64(p + 24), load32(p + 32)};
    int64_t rows = i + 1 < x->blocks ? x->each : x->rows - i * x->each;
    if (e->offset != at || e->stored > s->size - at || lt_ldat_up(e->stored) > s->size - at || e->rows != rows ||
        e->codec > LT_LDAT_ZSTD || (e->codec == LT_LDAT_RAW && e->raw != e->stored) || load32(p + 36))
      return damage(x, s->at, "an index that contradicts itself", err);
    if (e->raw > most || e->stored > most)
      return lt_fail(err, LEAT_E_MEMORY, "%s has blocks of %llu bytes: raise load_budget_bytes", x->name,
                     (unsigned long long)(e->raw > e->stored ? e->raw : e->stored));
    at += lt_ldat_up(e->stored);
  }
  return at == s->size ? LEAT_OK : damage(x, s->at, "an index that does not cover the data", err);
}

static leat_status parse_small(ldat *x, int i, const section *s, const uint8_t *p, leat_error *err) {
  lt_get g;
  if (i == 3) {
    if (s[3].size != LT_LDAT_META) return damage(x, s[3].at, "a section of another size", err);
    x->rows = (int64_t)load64(p);
    x->blocks = (int64_t)load64(p + 8);
    x->each = (int64_t)load64(p + 16);
    if (x->rows < 1 || x->each < 1 || x->rows > INT64_MAX / 2 || x->each > INT64_MAX / 4 ||
        x->blocks != (x->rows - 1) / x->each + 1 || s[1].size % LT_LDAT_ENTRY || (uint64_t)x->blocks != s[1].size / LT_LDAT_ENTRY)
      return damage(x, s[3].at, "numbers of rows that contradict each other", err);
    return LEAT_OK;
  }
  if (i == 1) return parse_index(x, p, &s[0], err);
  lt_get_init(&g, x->rt, p, s[2].size);
  leat_status st = lt_schema_load(x->rt, &g, &x->stored, err);
  if (!st && lt_get_left(&g)) st = damage(x, s[2].at, "bytes behind the schema", err);
  return st;
}

static leat_status read_small(ldat *x, uint64_t size, leat_error *err) {
  section s[LT_LDAT_SECTIONS];
  leat_status st = read_head(x, size, s, err);
  static const int order[3] = {3, 1, 2};
  for (int k = 0; k < 3 && !st; k++) {
    int i = order[k];
    const uint8_t *p;
    void *own;
    uint64_t sum[2];
    st = look_at(x, s[i].at, s[i].size, &p, &own, err);
    if (!st) lt_hash128(p, s[i].size, sum);
    if (!st && (sum[0] != s[i].sum[0] || sum[1] != s[i].sum[1])) st = damage(x, s[i].at, "the wrong checksum of a section", err);
    if (!st) st = parse_small(x, i, s, p, err);
    lt_free(x->rt, own);
  }
  if (!st) x->data_at = s[0].at;
  if (!st && x->bytes) {
    x->checked = lt_zalloc(x->rt, (uint64_t)x->blocks);
    if (!x->checked) st = lt_fail_memory(err, (uint64_t)x->blocks, "a dataset file");
  }
  return st;
}

/* ---- blocks */

static leat_status bad_block(const ldat *x, int64_t i, const lt_column *c, const char *what, leat_error *err) {
  return lt_fail(err, LEAT_E_FORMAT, "%s: rows from %lld, column '%s': %s; convert the data again", x->name,
                 (long long)(i * x->each + 1), c ? c->name : "", what);
}

/* Offsets of n rows: from 0, ascending, to the last, `most`. */
static int offsets_ascend(const uint64_t *end, int64_t n, uint64_t most) {
  int bad = end[0] != 0 || end[n] != most;
  for (int64_t r = 0; r < n; r++) bad |= end[r] > end[r + 1];
  return !bad;
}

static const char *check_numbers(const lt_column *c, const lt_col *v, int64_t n) {
  if (v->dtype == LEAT_I32) {
    const int32_t *code = v->data;
    int32_t least = 0, most = -1, labels = (int32_t)lt_dict_count(c->labels);
    for (int64_t r = 0; r < n; r++) {
      least = code[r] < least ? code[r] : least;
      most = code[r] > most ? code[r] : most;
    }
    return least < LT_UNSEEN || most >= labels ? "there is no such label" : NULL;
  }
  if (c->kind != LEAT_BOOL) return NULL;
  const uint8_t *p = v->data;
  int bad = 0;
  for (int64_t r = 0; r < n; r++) bad |= p[r] > 1 && p[r] != 255;
  return bad ? "a value is neither true nor false" : NULL;
}

static const char *check_sparse(const lt_column *c, const lt_col *v, int64_t n, uint64_t m) {
  if (!offsets_ascend((const uint64_t *)(const void *)v->row_start, n, m)) return "its rows make no sense";
  if (!lt_indices_ascend(v->row_start, v->index, n, c->width)) return "indices do not ascend below its width";
  int bad = 0;
  for (uint64_t k = 0; v->value && k < m; k++) {
    uint32_t bits;
    memcpy(&bits, v->value + k, sizeof bits);
    bad |= (bits & 0x7f800000u) == 0x7f800000u;
  }
  return bad ? "a value is not finite" : NULL;
}

typedef struct cursor { const uint8_t *p; uint64_t at, size; } cursor;

/* The next array of n elements of `each` bytes, or NULL when the block has no room for it. */
static const void *take(cursor *c, uint64_t n, uint64_t each) {
  uint64_t left = c->size - c->at;
  if (n > left / each || lt_ldat_up(n * each) > left) return NULL;
  const void *p = c->p + c->at;
  c->at += lt_ldat_up(n * each);
  return p;
}

static const char *read_column(const lt_column *c, const uint8_t *d, int64_t n, cursor *in, int check, lt_col *v) {
  int tag = d[0], dtype = d[1], flag = d[2];
  uint64_t count = load64(d + 8);
  memset(v, 0, sizeof *v);
  v->row_stride = c->width;
  v->col_stride = 1;
  v->dtype = lt_column_dtype(c);
  if (d[3] || load32(d + 4) || (tag != LT_LDAT_SPARSE && flag) || (tag != LT_LDAT_NUMBERS && dtype)) return "its directory makes no sense";
  if (tag == LT_LDAT_NONE) return NULL;
  if (tag == LT_LDAT_NUMBERS) {
    int plain = c->kind == LEAT_NUMBER && (dtype == LEAT_F32 || dtype == LEAT_F64 || dtype == LEAT_U8);
    if (lt_column_is_text(c) || c->sparse || (!plain && dtype != v->dtype)) return "it is stored as another type";
    v->dtype = dtype;
    if ((uint64_t)c->width > (in->size + 1) / (uint64_t)n) return "the rows are cut";
    v->data = take(in, (uint64_t)n * (uint64_t)c->width, (uint64_t)lt_dtype_size(dtype));
    return !v->data ? "the rows are cut" : check ? check_numbers(c, v, n) : NULL;
  }
  const void *start = take(in, (uint64_t)n + 1, 8);
  if (!start) return "the rows are cut";
  if (tag == LT_LDAT_SPARSE) {
    if (!c->sparse || flag > 1) return "it is stored as another type";
    v->dtype = LEAT_F32;
    v->row_start = start;
    v->index = take(in, count, 4);
    if (flag) v->value = take(in, count, 4);
    if (!v->index || (flag && !v->value)) return "the rows are cut";
    return check ? check_sparse(c, v, n, count) : NULL;
  }
  if (tag != LT_LDAT_TEXT || !lt_column_is_text(c)) return "it is stored as another type";
  v->text_end = (const uint64_t *)start + 1;
  v->text = take(in, count, 1);
  if (!v->text) return "the rows are cut";
  return check && !offsets_ascend(start, n, count) ? "its texts make no sense" : NULL;
}

static leat_status own_room(block *k, int64_t i, uint64_t bytes, leat_error *err) {
  return lt_grow(k->x->rt, &k->own[i], &k->own_cap[i], bytes + 1, 1, err);
}

/* Codes of the schema for those of the file. */
static leat_status map_codes(block *k, int64_t i, int64_t n, lt_col *v, leat_error *err) {
  const int32_t *code = v->data, *map = k->x->map[i];
  leat_status st = own_room(k, i, (uint64_t)n * sizeof *code, err);
  if (st) return st;
  int32_t *out = k->own[i];
  for (int64_t r = 0; r < n; r++) out[r] = code[r] < 0 ? code[r] : map[code[r]];
  v->data = out;
  return LEAT_OK;
}

/* Without the indices that the schema does not have. */
static leat_status cut_sparse(block *k, int64_t i, int64_t n, lt_col *v, leat_error *err) {
  int64_t m = v->row_start[n], width = k->x->schema->col[i].width, at = 0;
  uint64_t rows = lt_ldat_up(((uint64_t)n + 1) * 8), index = lt_ldat_up((uint64_t)m * 4);
  leat_status st = own_room(k, i, rows + 2 * index, err);
  if (st) return st;
  int64_t *start = k->own[i];
  int32_t *to = (int32_t *)(void *)((char *)k->own[i] + rows);
  float *value = v->value ? (float *)(void *)((char *)to + index) : NULL;
  start[0] = 0;
  for (int64_t r = 0; r < n; r++) {
    for (int64_t q = v->row_start[r]; q < v->row_start[r + 1] && v->index[q] < width; q++) {
      to[at] = v->index[q];
      if (value) value[at] = v->value[q];
      at++;
    }
    start[r + 1] = at;
  }
  v->row_start = start;
  v->index = to;
  v->value = value;
  return LEAT_OK;
}

static leat_status read_block(block *k, int64_t i, const uint8_t *p, uint64_t size, int check, leat_batch *b, leat_error *err) {
  const ldat *x = k->x;
  int64_t n = x->index[i].rows, cols = x->stored->n;
  cursor in = {p, 8 + 16 * (uint64_t)cols, size};
  if (size < in.at || load32(p) != (uint64_t)n || load32(p + 4) != (uint64_t)cols || lt_ldat_up(in.at) > size)
    return bad_block(x, i, NULL, "the block is of another shape", err);
  in.at = lt_ldat_up(in.at);
  lt_col *all = k->own[x->schema->n]; /* the stored columns */
  for (int64_t c = 0; c < cols; c++) {
    const char *why = read_column(&x->stored->col[c], p + 8 + 16 * c, n, &in, check, &all[c]);
    if (why) return bad_block(x, i, &x->stored->col[c], why, err);
  }
  if (in.at != size) return bad_block(x, i, NULL, "there are bytes behind its columns", err);
  for (int64_t c = 0; c < x->schema->n; c++) {
    leat_status st = LEAT_OK;
    if (x->from[c] < 0) {
      memset(&b->col[c], 0, sizeof b->col[c]);
      b->col[c].dtype = lt_column_dtype(&x->schema->col[c]);
      b->col[c].row_stride = x->schema->col[c].width;
      b->col[c].col_stride = 1;
      continue;
    }
    b->col[c] = all[x->from[c]];
    if (x->map[c] && b->col[c].data) st = map_codes(k, c, n, &b->col[c], err);
    if (b->col[c].row_start && x->schema->col[c].width < x->stored->col[x->from[c]].width)
      st = cut_sparse(k, c, n, &b->col[c], err);
    if (st) return st;
  }
  b->n = n;
  return lt_batch_name_source(b, x->name, i * x->each, err);
}

static leat_status unpack(block *k, const entry *e, const uint8_t **p, leat_error *err) {
  const ldat *x = k->x;
  if (ZSTD_getFrameContentSize(*p, e->stored) != e->raw) return damage(x, x->data_at + e->offset, "a block of another size", err);
  if (!k->zstd && !(k->zstd = ZSTD_createDCtx())) return lt_fail_memory(err, 1 << 17, "a zstd decoder");
  leat_status st = lt_grow(x->rt, &k->raw, &k->raw_cap, e->raw + 1, 1, err);
  if (st) return st;
  if (ZSTD_decompressDCtx(k->zstd, k->raw, e->raw, *p, e->stored) != e->raw)
    return damage(x, x->data_at + e->offset, "a block that does not unpack", err);
  *p = k->raw;
  return LEAT_OK;
}

static void block_free(leat_runtime *rt, void *held) {
  block *k = held;
  ldat *x = k->x;
  for (int64_t i = 0; i < k->n_own; i++) lt_free(rt, k->own[i]);
  lt_free(rt, k->own);
  lt_free(rt, k->own_cap);
  lt_free(rt, k->buf);
  lt_free(rt, k->raw);
  ZSTD_freeDCtx(k->zstd);
  lt_free(rt, k);
  ldat_unref(x);
}

static leat_status block_create(ldat *x, leat_batch **out, leat_error *err) {
  uint64_t n = (uint64_t)x->schema->n + 1; /* one more: the stored columns */
  block *k = lt_zalloc(x->rt, sizeof *k);
  if (!k) return lt_fail_memory(err, sizeof *k, "a block of rows");
  k->x = x;
  lt_ref_add(&x->ref);
  k->own = lt_zarray(x->rt, n, sizeof *k->own);
  k->own_cap = lt_zarray(x->rt, n, sizeof *k->own_cap);
  leat_status st = k->own && k->own_cap ? LEAT_OK : lt_fail_memory(err, n * 16, "a block of rows");
  k->n_own = st ? 0 : (int64_t)n;
  if (!st) st = own_room(k, x->schema->n, (uint64_t)x->stored->n * sizeof(lt_col), err);
  if (!st) st = lt_batch_create(x->rt, x->schema, out, err);
  if (st) {
    block_free(x->rt, k);
    return st;
  }
  (*out)->held = k;
  (*out)->held_free = block_free;
  return LEAT_OK;
}

static leat_status ldat_fetch(void *self, int64_t i, leat_batch **pin, leat_error *err) {
  ldat *x = self;
  const entry *e = &x->index[i];
  leat_status st = *pin ? LEAT_OK : block_create(x, pin, err);
  if (st) return st;
  block *k = (*pin)->held;
  (*pin)->n = 0;
  const uint8_t *p = x->bytes ? x->bytes + x->data_at + e->offset : NULL;
  uint64_t whole = lt_ldat_up(e->stored);
  int check = !x->checked || !__atomic_load_n(&x->checked[i], __ATOMIC_ACQUIRE);
  if (!p) {
    st = lt_grow(x->rt, &k->buf, &k->buf_cap, whole + 1, 1, err);
    if (!st) st = lt_file_read(x->file, x->data_at + e->offset, k->buf, whole, err);
    p = k->buf;
  }
  if (!st && check && (lt_ldat_sum(p, e->stored, i) != e->sum || !all_zero(p + e->stored, whole - e->stored)))
    st = damage(x, x->data_at + e->offset, "the wrong checksum of a block", err);
  if (!st && e->codec == LT_LDAT_ZSTD) st = unpack(k, e, &p, err);
  if (!st) st = read_block(k, i, p, e->raw, check, *pin, err);
  if (!st && x->checked) __atomic_store_n(&x->checked[i], 1, __ATOMIC_RELEASE);
  return st;
}

/* ---- the schema that the rows are given in */

static const char *kind_word(const lt_column *c) {
  static const char *const word[] = {"?", "a number", "a category", "text", "a boolean", "a time", "an id"};
  return c->sparse ? "a sparse block" : c->role == LEAT_ROLE_KEY ? "a key" : word[c->kind];
}

/* Column i of the caller's schema is stored column `at`. */
static leat_status join_column(ldat *x, int64_t i, int64_t at, int grow, leat_error *err) {
  lt_column *want = &x->schema->col[i];
  const lt_column *got = &x->stored->col[at];
  int texts = lt_column_is_text(want) && lt_column_is_text(got);
  if (!texts && (want->kind != got->kind || lt_column_is_text(want) || lt_column_is_text(got) || want->sparse != got->sparse ||
                 (!want->sparse && want->width != got->width)))
    return lt_fail(err, LEAT_E_UNSUPPORTED, "%s: column '%s' is %s of width %lld here and %s of width %lld in the model; convert "
                   "the data as the model wants it", x->name, got->name, kind_word(got), (long long)got->width,
                   kind_word(want), (long long)want->width);
  x->from[i] = at;
  if (!want->labels || !got->labels) return LEAT_OK;
  int64_t n = lt_dict_count(got->labels), other = 0;
  int32_t *map = lt_array(x->rt, (uint64_t)n, sizeof *map);
  if (!map) return lt_fail_memory(err, (uint64_t)n * sizeof *map, "labels of a column");
  leat_status st = LEAT_OK;
  for (int64_t k = 0; k < n && !st; k++) {
    uint64_t len;
    const char *label = lt_dict_text(got->labels, k, &len);
    int64_t code = lt_dict_find(want->labels, label, len);
    if (code < 0 && grow && lt_dict_count(want->labels) < lt_label_limit(want))
      st = lt_dict_add(want->labels, label, len, &code, err);
    map[k] = code < 0 ? LT_UNSEEN : (int32_t)code;
    other |= map[k] != k;
  }
  if (st || !other) lt_free(x->rt, map);
  else x->map[i] = map;
  return st;
}

static leat_status join_schema(ldat *x, const leat_schema *s, int grow, leat_error *err) {
  leat_status st = lt_schema_copy(s, &x->schema, err);
  if (!st) {
    x->from = lt_array(x->rt, (uint64_t)s->n, sizeof *x->from);
    x->map = lt_zarray(x->rt, (uint64_t)s->n, sizeof *x->map);
    if (!x->from || !x->map) st = lt_fail_memory(err, (uint64_t)s->n * 16, "a dataset file");
  }
  for (int64_t i = 0; !st && i < s->n; i++) {
    const lt_column *c = &s->col[i];
    int64_t at = lt_dict_find(x->stored->names, c->name, strlen(c->name));
    x->from[i] = -1;
    if (c->role == LEAT_ROLE_IGNORE) continue;
    if (at >= 0) st = join_column(x, i, at, grow, err);
    else if (c->role == LEAT_ROLE_FEATURE) st = lt_schema_find(x->stored, c->name, &at, err);
  }
  return st;
}

static leat_status change_role(ldat *x, leat_schema *s, const char *ref, int32_t role, leat_error *err) {
  int64_t i = 0, old;
  leat_status st = lt_column_ref(x->rt, x->name, s->names, ref, &i, err);
  if (st) return st;
  if (s->col[i].role == role) return LEAT_OK;
  if (s->col[i].role == LEAT_ROLE_KEY)
    return lt_fail(err, LEAT_E_ARG, "%s: column '%s' is a key, and stored as text; convert the data again", x->name, s->col[i].name);
  old = role == LEAT_ROLE_IGNORE ? -1 : lt_schema_role(s, role);
  if (old >= 0) st = lt_schema_set_role(s, old, LEAT_ROLE_IGNORE, err);
  return st ? st : lt_schema_set_role(s, i, role, err);
}

/* The file's own schema, with the roles that the parameters give. */
static leat_status own_schema(ldat *x, const leat_params *p, leat_schema **out, leat_error *err) {
  leat_status st = lt_schema_copy(x->stored, out, err);
  leat_schema *s = *out;
  if (!st && lt_param_str(p, "target")[0]) st = change_role(x, s, lt_param_str(p, "target"), LEAT_ROLE_TARGET, err);
  if (!st && lt_param_str(p, "weight")[0]) st = change_role(x, s, lt_param_str(p, "weight"), LEAT_ROLE_WEIGHT, err);
  lt_tokens t = {0};
  if (!st) st = lt_tokens_split(x->rt, lt_param_str(p, "ignore"), &t, err);
  for (int64_t k = 0; !st && k < t.n; k++) st = change_role(x, s, t.token[k], LEAT_ROLE_IGNORE, err);
  lt_tokens_free(&t);
  int64_t target = st ? -1 : lt_schema_role(s, LEAT_ROLE_TARGET);
  int task = lt_reader_task(p);
  if (target >= 0 && task != LT_TASK_AUTO && (task == LT_TASK_REGRESSION) != (lt_schema_classes(s) == 0))
    st = lt_fail(err, LEAT_E_DATA, "%s: the target '%s' is stored as %s; convert the data again with the task you want", x->name,
                 s->col[target].name, lt_schema_classes(s) ? "classes" : "numbers");
  if (!st && target >= 0 && lt_schema_classes(s) && task != LT_TASK_AUTO)
    st = lt_target_check_classes(lt_schema_classes(s), task, x->name, err);
  return st;
}

static leat_status ldat_open(leat_runtime *rt, const leat_schema *s, lt_source *src, const leat_params *p,
                             leat_dataset **out, leat_error *err) {
  uint64_t size = 0;
  leat_schema *own = NULL;
  *out = NULL;
  ldat *x = lt_zalloc(rt, sizeof *x);
  if (!x) {
    lt_source_free(src);
    return lt_fail_memory(err, sizeof *x, "a dataset file");
  }
  x->rt = rt;
  lt_ref_init(&x->ref);
  x->src = src;
  x->name = lt_source_name(src);
  x->file = lt_param_int(p, "stream") ? lt_source_file(src, &size) : NULL;
  const char *bytes = NULL;
  leat_status st = x->file ? LEAT_OK : lt_source_all(src, &bytes, &size, err);
  x->bytes = (const uint8_t *)bytes;
  if (!st) st = read_small(x, size, err);
  if (!st && !s) st = own_schema(x, p, &own, err);
  if (!st) st = join_schema(x, s ? s : own, s && lt_param_int(p, "grow"), err);
  lt_schema_free(own);
  if (st) {
    ldat_unref(x);
    return st;
  }
  lt_chunks chunks = {.n = x->blocks, .each = x->each, .rows = x->rows, .self = x, .fetch = ldat_fetch, .release = ldat_release};
  return lt_dataset_of_fetched(rt, x->schema, &chunks, out, err);
}

const lt_reader lt_reader_ldat = {&lt_spec_ldat, ldat_open};
