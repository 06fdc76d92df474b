/* Writing a dataset file: front to back in the memory of one block, and into place when it is whole. */
#include <stdio.h>
#include <string.h>
#include <zstd.h>

#include "base/os.h"
#include "base/sealed_inner.h"
#include "data/ldat.h"

enum { BLOCK_ROWS = 4096, BLOCK_LEAST = 64, BLOCK_BYTES = 4 << 20, OS_EXISTS = 17 };

const char lt_ldat_kind[4] = {'D', 'A', 'T', 'A'};
const char *const lt_ldat_section[LT_LDAT_SECTIONS] = {"data", "index", "schema", "meta"};

static const lt_param_def ldat_write_defs[] = {
    {"codec", LEAT_PARAM_CHOICE, "none", 0, 0, "none|zstd",
     "none: rows are mapped and read as they lie; zstd: every block is packed, smaller and slower", LT_SINCE_0_1},
    {"block_rows", LEAT_PARAM_I64, "0", 0, 1048576, NULL,
     "rows of a block, what is checked and fetched at once; 0: 4096, fewer when they are more than 4 MiB", LT_SINCE_0_1},
};
const lt_spec lt_spec_ldat_write = {"dataset/save", "dataset files (.ldat)", ldat_write_defs,
                                    sizeof ldat_write_defs / sizeof *ldat_write_defs};

typedef struct writer {
  leat_runtime *rt;
  const char *path;
  char *name;        /* of the temporary file */
  lt_file *file;
  uint64_t at;       /* bytes written */
  uint64_t offset[LT_LDAT_SECTIONS], size[LT_LDAT_SECTIONS], sum[LT_LDAT_SECTIONS][2];
  lt_hasher *hasher; /* of the section that is being written */
  lt_put index, block;
  void *packed;
  uint64_t packed_cap;
  ZSTD_CCtx *zstd;   /* NULL: no packing */
  int64_t rows, blocks, each;
} writer;

static void writer_free(writer *w) {
  (void)lt_file_close(w->file, NULL);
  if (w->name) (void)lt_path_remove(w->rt, w->name, NULL);
  lt_free(w->rt, w->name);
  lt_hasher_free(w->rt, w->hasher);
  lt_put_free(&w->index);
  lt_put_free(&w->block);
  lt_free(w->rt, w->packed);
  ZSTD_freeCCtx(w->zstd);
}

static leat_status open_temporary(writer *w, leat_error *err) {
  static int64_t number;
  uint64_t cap = strlen(w->path) + 64;
  leat_error first = {.struct_size = sizeof first};
  leat_status st = LEAT_OK;
  w->name = lt_alloc(w->rt, cap);
  if (!w->name) return lt_fail_memory(err, cap, "a file name");
  for (int tries = 0; tries < 100; tries++) { /* a name may be taken by a process that died */
    snprintf(w->name, cap, "%s.tmp-%lld-d%lld", w->path, (long long)lt_os_process(),
             (long long)__atomic_add_fetch(&number, 1, __ATOMIC_RELAXED));
    st = lt_file_open(w->rt, w->name, LEAT_FILE_READ | LEAT_FILE_WRITE | LEAT_FILE_CREATE | LEAT_FILE_EXCLUSIVE, &w->file,
                      &first);
    if (!st) return LEAT_OK;
    if (first.os_code != OS_EXISTS) break;
  }
  lt_free(w->rt, w->name);
  w->name = NULL;
  return lt_fail_os(err, st, first.os_code, "%s", w->path);
}

static leat_status put(writer *w, const void *p, uint64_t n, leat_error *err) {
  leat_status st = n ? lt_file_write(w->file, w->at, p, n, err) : LEAT_OK;
  if (w->hasher) lt_hasher_add(w->hasher, p, n);
  w->at += n;
  return st;
}

static leat_status pad(writer *w, leat_error *err) {
  static const uint8_t zero[LT_LDAT_ALIGN];
  return put(w, zero, lt_ldat_up(w->at) - w->at, err);
}

static leat_status begin(writer *w, int section, leat_error *err) {
  leat_status st = pad(w, err);
  if (st) return st;
  w->hasher = lt_hasher_create(w->rt);
  if (!w->hasher) return lt_fail_memory(err, 1024, "a checksum");
  w->offset[section] = w->at;
  return LEAT_OK;
}

static void end(writer *w, int section) {
  lt_hasher_end(w->hasher, w->sum[section]);
  lt_hasher_free(w->rt, w->hasher);
  w->hasher = NULL;
  w->size[section] = w->at - w->offset[section];
}

/* ---- a block: its directory, then the arrays of each column */

static void pad_block(lt_put *b) {
  static const uint8_t zero[LT_LDAT_ALIGN];
  lt_put_raw(b, zero, lt_ldat_up(b->size) - b->size);
}

static int tag_of(const lt_col *v) {
  return v->row_start ? LT_LDAT_SPARSE : v->text_end ? LT_LDAT_TEXT : v->data ? LT_LDAT_NUMBERS : LT_LDAT_NONE;
}

static void put_directory(lt_put *b, const lt_rows *rows, int64_t from, int64_t n) {
  lt_put_u32(b, (uint32_t)n);
  lt_put_u32(b, (uint32_t)rows->schema->n);
  for (int64_t i = 0; i < rows->schema->n; i++) {
    const lt_col *v = &rows->col[i];
    int tag = tag_of(v);
    uint64_t count = 0;
    if (tag == LT_LDAT_SPARSE) count = (uint64_t)(v->row_start[from + n] - v->row_start[from]);
    if (tag == LT_LDAT_TEXT) count = v->text_end[from + n - 1] - v->text_end[from - 1];
    lt_put_u8(b, (uint8_t)tag);
    lt_put_u8(b, (uint8_t)(tag == LT_LDAT_NUMBERS ? lt_col_kept(&rows->schema->col[i], v) : 0));
    lt_put_u8(b, tag == LT_LDAT_SPARSE && v->value);
    lt_put_u8(b, 0);
    lt_put_u32(b, 0);
    lt_put_u64(b, count);
  }
  pad_block(b);
}

static void put_numbers(lt_put *b, const lt_column *c, const lt_col *v, int64_t from, int64_t n) {
  uint64_t size = (uint64_t)lt_dtype_size(v->dtype);
  if (lt_col_kept(c, v) != v->dtype) { /* integers of another owner */
    for (int64_t r = from; r < from + n; r++)
      for (int64_t j = 0; j < c->width; j++) lt_put_f64(b, lt_col_number(c, v, r, j));
  } else if (v->col_stride == 1 && v->row_stride == c->width) {
    lt_put_raw(b, (const char *)v->data + (uint64_t)(from * c->width) * size, (uint64_t)(n * c->width) * size);
  } else {
    for (int64_t r = from; r < from + n; r++)
      for (int64_t j = 0; j < c->width; j++)
        lt_put_raw(b, (const char *)v->data + (r * v->row_stride + j * v->col_stride) * (int64_t)size, size);
  }
}

static void put_column(lt_put *b, const lt_column *c, const lt_col *v, int64_t from, int64_t n) {
  int tag = tag_of(v);
  if (tag == LT_LDAT_NUMBERS) {
    put_numbers(b, c, v, from, n);
  } else if (tag == LT_LDAT_SPARSE) {
    int64_t base = v->row_start[from], m = v->row_start[from + n] - base;
    for (int64_t r = 0; r <= n; r++) lt_put_i64(b, v->row_start[from + r] - base);
    pad_block(b);
    lt_put_raw(b, v->index + base, (uint64_t)m * sizeof *v->index);
    if (v->value) {
      pad_block(b);
      lt_put_raw(b, v->value + base, (uint64_t)m * sizeof *v->value);
    }
  } else if (tag == LT_LDAT_TEXT) {
    uint64_t base = v->text_end[from - 1];
    for (int64_t r = -1; r < n; r++) lt_put_u64(b, v->text_end[from + r] - base);
    pad_block(b);
    lt_put_raw(b, v->text + base, v->text_end[from + n - 1] - base);
  }
  pad_block(b);
}

/* What b holds into w->packed; *size: how much it became. */
static leat_status pack(writer *w, const lt_put *b, uint64_t *size, leat_error *err) {
  uint64_t most = ZSTD_compressBound(b->size);
  leat_status st = lt_grow(w->rt, &w->packed, &w->packed_cap, most, 1, err);
  if (st) return st;
  size_t got = ZSTD_compress2(w->zstd, w->packed, w->packed_cap, b->data, b->size);
  if (ZSTD_isError(got)) return lt_fail(err, LEAT_E_MEMORY, "a block could not be packed: %s", ZSTD_getErrorName(got));
  *size = got;
  return LEAT_OK;
}

static leat_status put_block(writer *w, const lt_rows *rows, int64_t from, int64_t n, leat_error *err) {
  lt_put *b = &w->block;
  b->size = 0;
  put_directory(b, rows, from, n);
  for (int64_t i = 0; i < rows->schema->n; i++) put_column(b, &rows->schema->col[i], &rows->col[i], from, n);
  leat_status st = lt_put_status(b, err);
  if (st) return st;
  const void *bytes = b->data;
  uint64_t stored = b->size;
  uint32_t codec = LT_LDAT_RAW;
  if (w->zstd) {
    uint64_t size = 0;
    st = pack(w, b, &size, err);
    if (st) return st;
    if (size < b->size) {
      bytes = w->packed;
      stored = size;
      codec = LT_LDAT_ZSTD;
    }
  }
  lt_put_u64(&w->index, w->at - w->offset[0]);
  lt_put_u64(&w->index, stored);
  lt_put_u64(&w->index, b->size);
  lt_put_u64(&w->index, (uint64_t)n);
  lt_put_u32(&w->index, codec);
  lt_put_u32(&w->index, 0);
  lt_put_u64(&w->index, lt_ldat_sum(bytes, stored, w->blocks));
  st = put(w, bytes, stored, err);
  if (!st) st = pad(w, err);
  w->rows += n;
  w->blocks++;
  return st;
}

/* ---- the file */

/* The header's checksum is of the pair of checksums of its own first 56 bytes and of the table. */
static leat_status put_head(writer *w, leat_error *err) {
  uint8_t bytes[LT_SEAL_HEAD + LT_LDAT_SECTIONS * LT_SEAL_ENTRY] = {0}, both[16];
  memcpy(bytes, lt_seal_magic, 8);
  memcpy(bytes + 8, lt_ldat_kind, 4);
  bytes[12] = bytes[16] = LT_LDAT_VERSION;
  bytes[20] = LT_SEAL_LAYOUT;
  bytes[24] = LT_LDAT_SECTIONS;
  lt_seal_store(bytes + 32, w->at);
  for (int i = 0; i < LT_LDAT_SECTIONS; i++) {
    uint8_t *row = bytes + LT_SEAL_HEAD + i * LT_SEAL_ENTRY;
    memcpy(row, lt_ldat_section[i], strlen(lt_ldat_section[i]));
    lt_seal_store(row + 24, w->offset[i]);
    lt_seal_store(row + 32, w->size[i]);
    lt_seal_store(row + 40, w->size[i]);
    lt_seal_store(row + 48, w->sum[i][0]);
    lt_seal_store(row + 56, w->sum[i][1]);
  }
  lt_seal_store(both, lt_hash64(bytes, LT_SEAL_HEAD - 8, 0));
  lt_seal_store(both + 8, lt_hash64(bytes + LT_SEAL_HEAD, sizeof bytes - LT_SEAL_HEAD, 0));
  lt_seal_store(bytes + 56, lt_hash64(both, 16, 0));
  return lt_file_write(w->file, 0, bytes, sizeof bytes, err);
}

static leat_status put_rest(writer *w, const leat_schema *s, leat_error *err) {
  lt_put schema, meta;
  lt_put_init(&schema, w->rt);
  lt_put_init(&meta, w->rt);
  lt_schema_save(s, &schema);
  lt_put_i64(&meta, w->rows);
  lt_put_i64(&meta, w->blocks);
  lt_put_i64(&meta, w->each);
  const lt_put *part[LT_LDAT_SECTIONS] = {NULL, &w->index, &schema, &meta};
  leat_status st = LEAT_OK;
  for (int i = 1; i < LT_LDAT_SECTIONS && !st; i++) {
    st = lt_put_status(part[i], err);
    if (!st) st = begin(w, i, err);
    if (!st) st = put(w, part[i]->data, part[i]->size, err);
    if (!st) end(w, i);
  }
  lt_put_free(&schema);
  lt_put_free(&meta);
  return st;
}

/* Onto the disk, then to its name: what stood there before stays until all of it is safe. */
static leat_status put_in_place(writer *w, leat_error *err) {
  leat_status st = lt_file_sync(w->file, err);
  if (st) return st;
  lt_file *file = w->file;
  w->file = NULL;
  st = lt_file_close(file, err);
  if (!st) st = lt_path_rename(w->rt, w->name, w->path, err);
  if (st) return st;
  lt_free(w->rt, w->name);
  w->name = NULL;
  char *folder = lt_strdup(w->rt, w->path);
  if (!folder) return lt_fail_memory(err, strlen(w->path), "a folder's name");
  char *slash = strrchr(folder, '/');
  if (slash) slash[slash == folder] = 0;
  st = lt_path_sync_folder(w->rt, slash ? folder : ".", err);
  lt_free(w->rt, folder);
  return st;
}

/* Rows of a block, for rows that are like those of `rows`: a power of two below 4096 when that many are large. */
static int64_t block_rows(const lt_rows *rows) {
  uint64_t bytes = 0;
  for (int64_t i = 0; i < rows->schema->n; i++) {
    const lt_col *v = &rows->col[i];
    int tag = tag_of(v);
    if (tag == LT_LDAT_NUMBERS) bytes += (uint64_t)(rows->n * rows->schema->col[i].width * lt_dtype_size(v->dtype));
    if (tag == LT_LDAT_SPARSE) bytes += (uint64_t)(v->row_start[rows->n] - v->row_start[0]) * 8;
    if (tag == LT_LDAT_TEXT) bytes += v->text_end[rows->n - 1] - v->text_end[-1];
  }
  int64_t each = BLOCK_ROWS;
  while (each > BLOCK_LEAST && bytes / (uint64_t)rows->n * (uint64_t)each > BLOCK_BYTES) each /= 2;
  return each;
}

static leat_status put_rows(writer *w, leat_dataset *d, int64_t each, leat_error *err) {
  leat_batch *b = NULL;
  int64_t got = 0, at_once = each ? each : BLOCK_ROWS;
  leat_status st = lt_batch_create(w->rt, lt_dataset_schema(d), &b, err);
  w->each = each;
  while (!st) {
    st = lt_dataset_next(d, at_once, b, &got, err);
    if (st || !got) break;
    lt_rows rows;
    lt_batch_rows(b, &rows);
    if (rows.side && rows.side->reason)
      for (int64_t r = 0; r < got && !st; r++)
        if (rows.side->reason[r])
          st = lt_fail_at(err, LEAT_E_DATA, w->rows + r + 1, 0,
                          "row %lld could not be read; a dataset file holds whole rows: read with errors=fail",
                          (long long)(w->rows + r + 1));
    if (!w->each) w->each = block_rows(&rows);
    for (int64_t r = 0; r < got && !st; r += w->each)
      st = put_block(w, &rows, r, got - r < w->each ? got - r : w->each, err);
  }
  lt_batch_free(b);
  if (!st && !w->rows) st = lt_fail(err, LEAT_E_DATA, "%s: there are no rows to write", w->path);
  return st;
}

leat_status lt_dataset_save(leat_dataset *d, const char *path, const leat_params *settings, int64_t *rows,
                            leat_error *err) {
  leat_runtime *rt = lt_dataset_runtime(d);
  writer w = {.rt = rt, .path = path, .at = LT_SEAL_HEAD + LT_LDAT_SECTIONS * LT_SEAL_ENTRY};
  leat_params *own = NULL;
  leat_status st = LEAT_OK;
  lt_put_init(&w.index, rt);
  lt_put_init(&w.block, rt);
  if (!settings) st = lt_params_create(rt, &lt_spec_ldat_write, &own, err);
  const leat_params *p = own ? own : settings;
  if (!st && lt_params_spec(p) != &lt_spec_ldat_write)
    st = lt_fail(err, LEAT_E_ARG, "the parameter set '%s' is not 'dataset/save'", lt_params_spec(p)->name);
  if (!st && lt_param_is(p, "codec", "zstd")) {
    w.zstd = ZSTD_createCCtx();
    if (!w.zstd) st = lt_fail_memory(err, 1 << 20, "a zstd encoder");
    else (void)ZSTD_CCtx_setParameter(w.zstd, ZSTD_c_compressionLevel, 1);
  }
  if (!st) st = open_temporary(&w, err);
  if (!st) st = begin(&w, 0, err);
  if (!st) st = put_rows(&w, d, lt_param_int(p, "block_rows"), err);
  if (!st) {
    end(&w, 0);
    st = put_rest(&w, lt_dataset_schema(d), err);
  }
  if (!st) st = put_head(&w, err);
  if (!st) st = put_in_place(&w, err);
  if (!st && rows) *rows = w.rows;
  lt_params_free(own);
  writer_free(&w);
  return st;
}
