/* The frame of a table: a sealed file (docs/formats.md) that is written front to back in bounded memory and whose large
 * sections are checked piece by piece, not at opening. */
#include <stdio.h>
#include "base/os.h"
#include "base/sealed_inner.h"
#include "serve/table_inner.h"

enum { FRAME_BUFFER = 1 << 20, SPOOL_MEMORY = 8 << 20, FRAME_SECTIONS = 8 };
_Static_assert(FRAME_BUFFER % LT_TABLE_CHUNK == 0, "whole chunks leave the buffer");
#define FRAME_ERRNO_EXIST 17

leat_status lt_table_temporary(leat_runtime *rt, const char *path, char **name, lt_file **out, leat_error *err) {
  static int64_t number;
  uint64_t cap = strlen(path) + 64;
  leat_status st = LEAT_OK;
  leat_error first = {.struct_size = sizeof first};
  *out = NULL;
  *name = lt_alloc(rt, cap);
  if (!*name) return lt_fail_memory(err, cap, "a file name");
  for (int tries = 0; tries < 100; tries++) { /* a name may be taken by a process that died */
    snprintf(*name, cap, "%s.tmp-%lld-t%lld", path, (long long)lt_os_process(),
             (long long)__atomic_add_fetch(&number, 1, __ATOMIC_RELAXED));
    st = lt_file_open(rt, *name, LEAT_FILE_READ | LEAT_FILE_WRITE | LEAT_FILE_CREATE | LEAT_FILE_EXCLUSIVE, out, &first);
    if (!st) return LEAT_OK;
    if (first.os_code != FRAME_ERRNO_EXIST) break;
  }
  lt_free(rt, *name);
  *name = NULL;
  return lt_fail_os(err, st, first.os_code, "%s", path);
}

/* ---- spool */
struct lt_spool { leat_runtime *rt; const char *path; char *name; lt_file *file; uint64_t in_file; lt_put mem; };

leat_status lt_spool_create(leat_runtime *rt, const char *path, lt_spool **out, leat_error *err) {
  lt_spool *s = lt_zalloc(rt, sizeof *s);
  *out = s;
  if (!s) return lt_fail_memory(err, sizeof *s, "a spool");
  s->rt = rt;
  s->path = path;
  lt_put_init(&s->mem, rt);
  return LEAT_OK;
}

void lt_spool_free(lt_spool *s) {
  if (!s) return;
  lt_put_free(&s->mem);
  (void)lt_file_close(s->file, NULL);
  if (s->name) (void)lt_path_remove(s->rt, s->name, NULL);
  lt_free(s->rt, s->name);
  lt_free(s->rt, s);
}

leat_status lt_spool_put(lt_spool *s, const void *p, uint64_t n, leat_error *err) {
  if (s->mem.size >= SPOOL_MEMORY) {
    leat_status st = s->file ? LEAT_OK : lt_table_temporary(s->rt, s->path, &s->name, &s->file, err);
    if (!st) st = lt_file_write(s->file, s->in_file, s->mem.data, s->mem.size, err);
    if (st) return st;
    s->in_file += s->mem.size;
    s->mem.size = 0;
  }
  lt_put_raw(&s->mem, p, n);
  return s->mem.failed ? lt_put_status(&s->mem, err) : LEAT_OK;
}

leat_status lt_spool_copy(lt_spool *s, lt_frame *f, leat_error *err) {
  leat_status st = LEAT_OK;
  uint64_t piece = 1 << 18;
  uint8_t *buf = s->in_file ? lt_alloc(s->rt, piece) : NULL;
  if (s->in_file && !buf) return lt_fail_memory(err, piece, "a buffer");
  for (uint64_t at = 0; at < s->in_file && !st; at += piece) {
    uint64_t n = s->in_file - at < piece ? s->in_file - at : piece;
    st = lt_file_read(s->file, at, buf, n, err);
    if (!st) st = lt_frame_put(f, buf, n, err);
  }
  lt_free(s->rt, buf);
  if (!st && s->mem.size) st = lt_frame_put(f, s->mem.data, s->mem.size, err);
  return st;
}

/* ---- writing */
typedef struct frame_entry { char name[LT_SEAL_NAME]; uint64_t offset, size, sum[2]; } frame_entry;
struct lt_frame {
  leat_runtime *rt;
  char *path, *name;
  lt_file *file;
  uint32_t sections, begun;
  frame_entry entry[FRAME_SECTIONS];
  lt_hasher *hasher; /* of the open section, or NULL */
  lt_spool *sums;
  uint8_t *buf;
  uint64_t used, at; /* at: of buf in the file */
};

leat_status lt_frame_create(leat_runtime *rt, const char *path, uint32_t sections, lt_frame **out, leat_error *err) {
  lt_frame *f = lt_zalloc(rt, sizeof *f);
  leat_status st;
  *out = NULL;
  if (!f) return lt_fail_memory(err, sizeof *f, "a table");
  f->rt = rt;
  f->sections = sections;
  f->at = LT_SEAL_HEAD + (uint64_t)sections * LT_SEAL_ENTRY;
  f->buf = lt_alloc(rt, FRAME_BUFFER);
  f->path = lt_strdup(rt, path);
  if (!f->buf || !f->path) st = lt_fail_memory(err, FRAME_BUFFER, "a table");
  else st = lt_table_temporary(rt, path, &f->name, &f->file, err);
  if (st) lt_frame_free(f);
  else *out = f;
  return st;
}

void lt_frame_free(lt_frame *f) {
  if (!f) return;
  (void)lt_file_close(f->file, NULL);
  if (f->name) (void)lt_path_remove(f->rt, f->name, NULL);
  lt_hasher_free(f->rt, f->hasher);
  lt_free(f->rt, f->name);
  lt_free(f->rt, f->path);
  lt_free(f->rt, f->buf);
  lt_free(f->rt, f);
}

static leat_status frame_flush(lt_frame *f, leat_error *err) {
  leat_status st = LEAT_OK;
  if (!f->used) return LEAT_OK;
  lt_hasher_add(f->hasher, f->buf, f->used);
  for (uint64_t i = 0; f->sums && i < f->used && !st; i += LT_TABLE_CHUNK) {
    uint8_t sum[8];
    lt_t_store64(sum, lt_hash64(f->buf + i, f->used - i < LT_TABLE_CHUNK ? f->used - i : LT_TABLE_CHUNK, 0));
    st = lt_spool_put(f->sums, sum, 8, err);
  }
  if (!st) st = lt_file_write(f->file, f->at, f->buf, f->used, err);
  f->at += f->used;
  f->entry[f->begun - 1].size += f->used;
  f->used = 0;
  return st;
}

static leat_status frame_end(lt_frame *f, leat_error *err) {
  leat_status st;
  if (!f->hasher) return LEAT_OK;
  st = frame_flush(f, err);
  lt_hasher_end(f->hasher, f->entry[f->begun - 1].sum);
  lt_hasher_free(f->rt, f->hasher);
  f->hasher = NULL;
  f->sums = NULL;
  return st;
}

leat_status lt_frame_begin(lt_frame *f, const char *name, lt_spool *sums, leat_error *err) {
  static const uint8_t zero[LT_SEAL_ALIGN] = {0};
  leat_status st = frame_end(f, err);
  uint64_t gap = (LT_SEAL_ALIGN - f->at % LT_SEAL_ALIGN) % LT_SEAL_ALIGN;
  if (st) return st;
  if (gap && (st = lt_file_write(f->file, f->at, zero, gap, err)) != 0) return st;
  f->at += gap;
  f->hasher = lt_hasher_create(f->rt);
  if (!f->hasher) return lt_fail_memory(err, 1024, "a checksum");
  f->sums = sums;
  frame_entry *e = &f->entry[f->begun++];
  memcpy(e->name, name, strlen(name));
  e->offset = f->at;
  return LEAT_OK;
}

leat_status lt_frame_put(lt_frame *f, const void *p, uint64_t n, leat_error *err) {
  const uint8_t *from = p;
  while (n) {
    uint64_t room = FRAME_BUFFER - f->used, k = n < room ? n : room;
    memcpy(f->buf + f->used, from, k);
    f->used += k;
    from += k;
    n -= k;
    if (f->used == FRAME_BUFFER) {
      leat_status st = frame_flush(f, err);
      if (st) return st;
    }
  }
  return LEAT_OK;
}

uint64_t lt_frame_at(const lt_frame *f) { return f->entry[f->begun - 1].size + f->used; }

/* The header's checksum: of the pair of checksums of its own 56 bytes and of the table. */
static uint64_t frame_head_sum(const uint8_t *head, const uint8_t *table, uint64_t table_size) {
  uint8_t both[16];
  lt_t_store64(both, lt_hash64(head, LT_SEAL_HEAD - 8, 0));
  lt_t_store64(both + 8, lt_hash64(table, table_size, 0));
  return lt_hash64(both, 16, 0);
}

static leat_status frame_head(lt_frame *f, leat_error *err) {
  uint8_t bytes[LT_SEAL_HEAD + FRAME_SECTIONS * LT_SEAL_ENTRY] = {0}, *table = bytes + LT_SEAL_HEAD;
  uint64_t table_size = (uint64_t)f->sections * LT_SEAL_ENTRY;
  memcpy(bytes, lt_seal_magic, 8);
  memcpy(bytes + 8, "LTAB", 4);
  lt_t_store32(bytes + 12, LT_TABLE_VERSION);
  lt_t_store32(bytes + 16, LT_TABLE_VERSION);
  lt_t_store32(bytes + 20, LT_SEAL_LAYOUT);
  lt_t_store32(bytes + 24, f->sections);
  lt_t_store64(bytes + 32, f->at);
  for (uint32_t i = 0; i < f->sections; i++) {
    uint8_t *row = table + i * LT_SEAL_ENTRY;
    const frame_entry *e = &f->entry[i];
    memcpy(row, e->name, LT_SEAL_NAME);
    lt_t_store64(row + 24, e->offset);
    lt_t_store64(row + 32, e->size);
    lt_t_store64(row + 40, e->size);
    lt_t_store64(row + 48, e->sum[0]);
    lt_t_store64(row + 56, e->sum[1]);
  }
  lt_t_store64(bytes + 56, frame_head_sum(bytes, table, table_size));
  return lt_file_write(f->file, 0, bytes, LT_SEAL_HEAD + table_size, err);
}

/* Errors of the temporary file are told of the path that was asked for. */
leat_status lt_frame_finish(lt_frame *f, leat_error *err) {
  leat_status st = frame_end(f, err);
  if (!st && f->begun != f->sections) st = lt_fail(err, LEAT_E_INTERNAL, "a table lacks a section");
  if (!st) st = frame_head(f, err);
  if (!st) st = lt_file_sync(f->file, err);
  if (st) return st;
  lt_file *file = f->file;
  f->file = NULL;
  st = lt_file_close(file, err);
  if (!st) st = lt_path_rename(f->rt, f->name, f->path, err);
  if (st) return st;
  lt_free(f->rt, f->name);
  f->name = NULL;
  char *slash = strrchr(f->path, '/');
  if (slash) slash[slash == f->path] = 0;
  return lt_path_sync_folder(f->rt, slash ? f->path : ".", err);
}

/* ---- reading */
static leat_status frame_damage(const char *name, uint64_t at, const char *what, leat_error *err) {
  leat_status st = lt_fail(err, LEAT_E_FORMAT, "%s is damaged: %s at byte %llu; restore it from a copy, or build it again",
                           name, what, (unsigned long long)at);
  if (err && err->struct_size >= offsetof(leat_error, message)) err->detail[2] = (int64_t)at;
  return st;
}

static int frame_all_zero(const uint8_t *p, uint64_t n) {
  uint8_t any = 0;
  for (uint64_t i = 0; i < n; i++) any |= p[i];
  return !any;
}

static leat_status frame_check_head(const uint8_t *data, uint64_t size, const char *name, uint32_t n, leat_error *err) {
  if (size < LT_SEAL_HEAD || memcmp(data, lt_seal_magic, 8) != 0)
    return lt_fail(err, LEAT_E_FORMAT, "%s is not a leat file, or its beginning is damaged (%llu bytes)", name,
                   (unsigned long long)size);
  if (lt_t_load32(data + 20) > LT_SEAL_LAYOUT)
    return lt_fail(err, LEAT_E_VERSION, "%s has file layout %u, this library reads up to %u: take a newer leat", name,
                   lt_t_load32(data + 20), (unsigned)LT_SEAL_LAYOUT);
  if (lt_t_load64(data + 32) != size)
    return lt_fail(err, LEAT_E_FORMAT, "%s is cut or has grown: it has %llu bytes and should have %llu", name,
                   (unsigned long long)size, (unsigned long long)lt_t_load64(data + 32));
  uint64_t count = lt_t_load32(data + 24);
  if (count > (size - LT_SEAL_HEAD) / LT_SEAL_ENTRY)
    return frame_damage(name, 24, "an impossible number of sections", err);
  if (lt_t_load64(data + 56) != frame_head_sum(data, data + LT_SEAL_HEAD, count * LT_SEAL_ENTRY))
    return frame_damage(name, 56, "the header's checksum is wrong", err);
  if (memcmp(data + 8, "LTAB", 4) != 0)
    return lt_fail(err, LEAT_E_FORMAT, "%s is a leat file of kind '%.4s', a table (LTAB) is needed here", name,
                   (const char *)data + 8);
  if (lt_t_load32(data + 16) > LT_TABLE_VERSION)
    return lt_fail(err, LEAT_E_VERSION, "%s needs a reader of version %u, this library is one of version %u: take a newer leat",
                   name, lt_t_load32(data + 16), (unsigned)LT_TABLE_VERSION);
  if (lt_t_load32(data + 16) > lt_t_load32(data + 12) || lt_t_load32(data + 20) != LT_SEAL_LAYOUT || count != n ||
      !frame_all_zero(data + 28, 4) || !frame_all_zero(data + 40, 16))
    return frame_damage(name, 12, "a header that contradicts itself", err);
  return LEAT_OK;
}

leat_status lt_frame_parse(leat_runtime *rt, const uint8_t *data, uint64_t size, const char *name,
                           const char *const *sections, uint32_t n, uint32_t later, lt_frame_section *out,
                           char checksum[33], leat_error *err) {
  uint64_t at = LT_SEAL_HEAD + (uint64_t)n * LT_SEAL_ENTRY, sum[2];
  leat_status st = frame_check_head(data, size, name, n, err);
  (void)rt;
  if (st) return st;
  lt_hash128(data + LT_SEAL_HEAD, (uint64_t)n * LT_SEAL_ENTRY, sum);
  lt_hex128(sum, checksum);
  for (uint32_t i = 0; i < n; i++) {
    const uint8_t *row = data + LT_SEAL_HEAD + (uint64_t)i * LT_SEAL_ENTRY;
    uint64_t k = strlen(sections[i]), start = (at + LT_SEAL_ALIGN - 1) / LT_SEAL_ALIGN * LT_SEAL_ALIGN;
    lt_frame_section *s = &out[i];
    s->size = lt_t_load64(row + 32);
    s->sum[0] = lt_t_load64(row + 48);
    s->sum[1] = lt_t_load64(row + 56);
    if (memcmp(row, sections[i], k) != 0 || !frame_all_zero(row + k, 24 - k) || lt_t_load64(row + 24) != start ||
        start > size || s->size > size - start || lt_t_load64(row + 40) != s->size)
      return frame_damage(name, (uint64_t)(row - data), "a section that is not what it should be", err);
    if (!frame_all_zero(data + at, start - at)) return frame_damage(name, at, "padding that is not zero", err);
    s->data = data + start;
    at = start + s->size;
    if (later >> i & 1) continue;
    lt_hash128(s->data, s->size, sum);
    if (sum[0] != s->sum[0] || sum[1] != s->sum[1]) {
      char what[64];
      snprintf(what, sizeof what, "the wrong checksum of section %s", sections[i]);
      return frame_damage(name, start, what, err);
    }
  }
  return at == size ? LEAT_OK : frame_damage(name, at, "bytes behind the last section", err);
}
