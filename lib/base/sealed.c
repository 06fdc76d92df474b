/* Sealed files, the reading side: nothing is believed before its checksum and its place in the file are right. The
 * bytes are described in docs/formats.md. */
#include "base/sealed.h"
#include <string.h>
#include "base/hash.h"
#include "base/sealed_inner.h"
#include <zstd.h>

typedef struct seal_entry {
  char name[LT_SEAL_NAME];
  int32_t codec;
  uint64_t offset, stored, raw, sum[2];
  void *bytes; /* decompressed, or NULL */
} seal_entry;
struct lt_sealed {
  leat_runtime *rt;
  char *name;          /* of the file, for messages */
  void *own;           /* the file's bytes when we loaded them */
  const uint8_t *data;
  uint64_t size, budget, used;
  char kind[5];
  uint32_t version;
  int64_t n;
  seal_entry *entry;
  uint64_t checksum[2];
};

static leat_status sealed_damage(const lt_sealed *s, uint64_t at, const char *what, leat_error *err) {
  leat_status st = lt_fail(err, LEAT_E_FORMAT, "%s is damaged: %s at byte %llu of %llu; restore it from a copy", s->name,
                           what, (unsigned long long)at, (unsigned long long)s->size);
  if (err && err->struct_size >= offsetof(leat_error, message)) err->detail[2] = (int64_t)at;
  return st;
}

static leat_status sealed_budget(const lt_sealed *s, uint64_t need, leat_error *err) {
  return lt_fail(err, LEAT_E_MEMORY, "%s needs %llu bytes of memory, the budget leaves %llu: raise load_budget_bytes",
                 s->name, (unsigned long long)need, (unsigned long long)(s->budget - s->used));
}

static int seal_all_zero(const uint8_t *p, uint64_t n) {
  uint8_t any = 0;
  for (uint64_t i = 0; i < n; i++) any |= p[i];
  return !any;
}

static int seal_name_ok(const char *name) {
  uint64_t n = 0;
  while (n < LT_SEAL_NAME && name[n] > ' ' && name[n] <= '~') n++;
  return n > 0 && n < LT_SEAL_NAME && seal_all_zero((const uint8_t *)name + n, LT_SEAL_NAME - n);
}

/* The 64 bytes of the header against the size that the file has; *count: its sections. */
static leat_status sealed_header(lt_sealed *s, const uint8_t *head, uint64_t size, const char *kind, uint32_t reader,
                                 uint32_t *count, leat_error *err) {
  lt_get r;
  s->size = size;
  if (size < LT_SEAL_HEAD || memcmp(head, lt_seal_magic, 8) != 0)
    return lt_fail(err, LEAT_E_FORMAT, "%s is not a leat file, or its beginning is damaged (%llu bytes)", s->name,
                   (unsigned long long)size);
  lt_get_init(&r, s->rt, head + 8, LT_SEAL_HEAD - 8);
  memcpy(s->kind, lt_get_raw(&r, 4), 4);
  s->version = lt_get_u32(&r);
  uint32_t min_reader = lt_get_u32(&r), layout = lt_get_u32(&r);
  *count = lt_get_u32(&r);
  uint32_t zero = lt_get_u32(&r);
  uint64_t said = lt_get_u64(&r);
  if (layout > LT_SEAL_LAYOUT)
    return lt_fail(err, LEAT_E_VERSION, "%s has file layout %u, this library reads up to %u: take a newer leat", s->name,
                   layout, (unsigned)LT_SEAL_LAYOUT);
  if (layout != LT_SEAL_LAYOUT || zero || lt_get_u64(&r) || lt_get_u64(&r))
    return sealed_damage(s, 20, "a reserved field is not zero", err);
  if (said != size)
    return lt_fail(err, LEAT_E_FORMAT, "%s is cut or has grown: it has %llu bytes and should have %llu", s->name,
                   (unsigned long long)size, (unsigned long long)said);
  if (*count > LT_SEAL_SECTIONS || *count > (size - LT_SEAL_HEAD) / LT_SEAL_ENTRY)
    return sealed_damage(s, 24, "an impossible number of sections", err);
  /* Kind and version are named before the checksum is known to be right, but only after it they are judged. */
  uint64_t table = (uint64_t)*count * LT_SEAL_ENTRY, sum;
  if (s->data) {
    uint64_t parts[2] = {lt_hash64(head, LT_SEAL_HEAD - 8, 0), lt_hash64(s->data + LT_SEAL_HEAD, table, 0)};
    uint8_t both[16];
    lt_seal_store(both, parts[0]);
    lt_seal_store(both + 8, parts[1]);
    sum = lt_hash64(both, 16, 0);
    if (lt_get_u64(&r) != sum) return sealed_damage(s, 56, "the header's checksum is wrong", err);
    if (min_reader > s->version) return sealed_damage(s, 16, "versions that contradict each other", err);
    if (kind[0] && memcmp(kind, s->kind, 4) != 0)
      return lt_fail(err, LEAT_E_FORMAT, "%s is a leat file of kind '%.4s', one of kind '%.4s' is needed here", s->name,
                     s->kind, kind);
    if (min_reader > reader)
      return lt_fail(err, LEAT_E_VERSION, "%s needs a reader of version %u, this library is one of version %u: take a "
                     "newer leat", s->name, min_reader, reader);
  }
  return LEAT_OK;
}

/* One row of the table; *at: where its bytes must begin, then where they end. */
static leat_status sealed_entry(lt_sealed *s, int64_t index, uint64_t *at, leat_error *err) {
  seal_entry *e = &s->entry[index];
  uint64_t row = LT_SEAL_HEAD + (uint64_t)index * LT_SEAL_ENTRY;
  lt_get r;
  lt_get_init(&r, s->rt, s->data + row, LT_SEAL_ENTRY);
  memcpy(e->name, lt_get_raw(&r, LT_SEAL_NAME), LT_SEAL_NAME);
  uint32_t codec = lt_get_u32(&r), zero = lt_get_u32(&r);
  e->offset = lt_get_u64(&r);
  e->stored = lt_get_u64(&r);
  e->raw = lt_get_u64(&r);
  e->sum[0] = lt_get_u64(&r);
  e->sum[1] = lt_get_u64(&r);
  e->codec = (int32_t)codec;
  if (!seal_name_ok(e->name)) return sealed_damage(s, row, "an impossible section name", err);
  for (int64_t i = 0; i < index; i++)
    if (memcmp(e->name, s->entry[i].name, LT_SEAL_NAME) == 0)
      return sealed_damage(s, row, "two sections of one name", err);
  if (codec > LT_SEAL_ZSTD) return sealed_damage(s, row + 16, "an unknown codec", err);
  if (zero) return sealed_damage(s, row + 20, "a reserved field is not zero", err);
  uint64_t start = (*at + LT_SEAL_ALIGN - 1) / LT_SEAL_ALIGN * LT_SEAL_ALIGN;
  if (e->offset != start || start > s->size || e->stored > s->size - start)
    return sealed_damage(s, row + 24, "a section that does not lie where it should", err);
  if (!seal_all_zero(s->data + *at, start - *at)) return sealed_damage(s, *at, "padding that is not zero", err);
  if (e->codec == LT_SEAL_RAW && e->raw != e->stored) return sealed_damage(s, row + 40, "sizes that differ", err);
  *at = start + e->stored;
  uint64_t sum[2];
  lt_hash128(s->data + start, e->stored, sum);
  if (sum[0] != e->sum[0] || sum[1] != e->sum[1]) {
    char what[64] = "the wrong checksum of section ";
    strncat(what, e->name, LT_SEAL_NAME);
    return sealed_damage(s, start, what, err);
  }
  return LEAT_OK;
}

static leat_status sealed_parse(lt_sealed *s, const char *kind, uint32_t reader, leat_error *err) {
  uint32_t count;
  leat_status st = sealed_header(s, s->data, s->size, kind, reader, &count, err);
  if (st != LEAT_OK) return st;
  uint64_t bytes = count * sizeof *s->entry, at = LT_SEAL_HEAD + (uint64_t)count * LT_SEAL_ENTRY;
  if (bytes > s->budget - s->used) return sealed_budget(s, bytes, err);
  s->entry = lt_zarray(s->rt, count ? count : 1, sizeof *s->entry);
  if (!s->entry) return lt_fail_memory(err, bytes, "a table of sections");
  s->used += bytes;
  s->n = count;
  for (int64_t i = 0; i < s->n; i++) {
    st = sealed_entry(s, i, &at, err);
    if (st != LEAT_OK) return st;
  }
  if (at != s->size) return sealed_damage(s, at, "bytes behind the last section", err);
  lt_hash128(s->data + LT_SEAL_HEAD, (uint64_t)count * LT_SEAL_ENTRY, s->checksum);
  return LEAT_OK;
}

static leat_status sealed_start(leat_runtime *rt, const char *name, uint64_t budget, lt_sealed **out, leat_error *err) {
  *out = NULL;
  lt_sealed *s = lt_zalloc(rt, sizeof *s);
  if (!s) return lt_fail_memory(err, sizeof *s, "a sealed file");
  s->rt = rt;
  s->budget = budget ? budget : lt_runtime_load_budget(rt);
  s->name = lt_strdup(rt, name && name[0] ? name : "a leat file");
  if (!s->name) {
    lt_sealed_free(s);
    return lt_fail_memory(err, strlen(name), "a name");
  }
  *out = s;
  return LEAT_OK;
}

leat_status lt_sealed_open_bytes(leat_runtime *rt, const void *data, uint64_t size, const char *name, const char *kind,
                                 uint32_t reader_version, uint64_t budget, lt_sealed **out, leat_error *err) {
  leat_status st = sealed_start(rt, name, budget, out, err);
  if (st != LEAT_OK) return st;
  lt_sealed *s = *out;
  static const uint8_t nothing[1] = {0};
  s->data = data ? data : nothing;
  s->size = data ? size : 0;
  st = sealed_parse(s, kind, reader_version, err);
  if (st != LEAT_OK) {
    lt_sealed_free(s);
    *out = NULL;
  }
  return st;
}

/* The header is judged alone first, so that no large stranger is read for nothing. */
static leat_status sealed_load(lt_sealed *s, const char *path, const char *kind, uint32_t reader, leat_error *err) {
  uint8_t head[LT_SEAL_HEAD];
  lt_file *f;
  uint64_t size = 0, done = 0;
  uint32_t count;
  leat_status st = lt_file_open(s->rt, path, LEAT_FILE_READ, &f, err);
  if (st != LEAT_OK) return st;
  st = lt_file_size(f, &size, err);
  if (st == LEAT_OK) st = lt_file_read_some(f, 0, head, sizeof head, &done, err);
  if (st == LEAT_OK) st = sealed_header(s, head, done < sizeof head ? done : size, kind, reader, &count, err);
  if (st == LEAT_OK && size > s->budget) st = sealed_budget(s, size, err);
  if (st != LEAT_OK) goto out;
  s->own = lt_alloc(s->rt, size);
  if (!s->own) {
    st = lt_fail_memory(err, size, path);
    goto out;
  }
  st = lt_file_read(f, 0, s->own, size, err);
  s->used = size;
out:
  if (st != LEAT_OK) (void)lt_file_close(f, NULL);
  else st = lt_file_close(f, err);
  return st;
}

leat_status lt_sealed_open(leat_runtime *rt, const char *path, const char *kind, uint32_t reader_version, uint64_t budget,
                           lt_sealed **out, leat_error *err) {
  leat_status st = sealed_start(rt, path, budget, out, err);
  if (st != LEAT_OK) return st;
  lt_sealed *s = *out;
  st = sealed_load(s, path, kind, reader_version, err);
  if (st == LEAT_OK) {
    s->data = s->own;
    st = sealed_parse(s, kind, reader_version, err);
  }
  if (st != LEAT_OK) {
    lt_sealed_free(s);
    *out = NULL;
  }
  return st;
}

void lt_sealed_free(lt_sealed *s) {
  if (!s) return;
  for (int64_t i = 0; i < s->n; i++) lt_free(s->rt, s->entry[i].bytes);
  lt_free(s->rt, s->entry);
  lt_free(s->rt, s->own);
  lt_free(s->rt, s->name);
  lt_free(s->rt, s);
}

void lt_sealed_kind(const lt_sealed *s, char kind[5]) { memcpy(kind, s->kind, 5); }
uint32_t lt_sealed_version(const lt_sealed *s) { return s->version; }
int64_t lt_sealed_count(const lt_sealed *s) { return s->n; }
void lt_sealed_checksum(const lt_sealed *s, char hex[33]) { lt_hex128(s->checksum, hex); }

leat_status lt_sealed_info(const lt_sealed *s, int64_t index, const char **name, uint64_t *stored, uint64_t *raw,
                           int32_t *codec, leat_error *err) {
  static const seal_entry none;
  int there = index >= 0 && index < s->n;
  const seal_entry *e = there ? &s->entry[index] : &none;
  if (name) *name = there ? e->name : NULL;
  if (stored) *stored = e->stored;
  if (raw) *raw = e->raw;
  if (codec) *codec = e->codec;
  return there ? LEAT_OK
               : lt_fail(err, LEAT_E_NOT_FOUND, "%s has %lld sections, there is none at index %lld", s->name,
                         (long long)s->n, (long long)index);
}

/* The frame must announce the very size that the table has, before a byte is reserved for it. */
static leat_status sealed_unpack(lt_sealed *s, seal_entry *e, leat_error *err) {
  const uint8_t *from = s->data + e->offset;
  unsigned long long said = ZSTD_getFrameContentSize(from, e->stored);
  if (said != e->raw || ZSTD_findFrameCompressedSize(from, e->stored) != e->stored)
    return sealed_damage(s, e->offset, "a compressed section whose sizes contradict each other", err);
  /* a zstd block of 4 bytes or more gives at most 128 KiB: a larger promise is a lie */
  if (e->raw / 32768 > e->stored) return sealed_damage(s, e->offset, "a compressed section that promises too much", err);
  if (e->raw > s->budget - s->used) return sealed_budget(s, e->raw, err);
  void *bytes = lt_alloc(s->rt, e->raw);
  if (!bytes) return lt_fail_memory(err, e->raw, "a section");
  size_t got = ZSTD_decompress(bytes, e->raw, from, e->stored); /* its context is zstd's own memory, freed by it */
  if (ZSTD_isError(got) || got != e->raw) {
    lt_free(s->rt, bytes);
    return sealed_damage(s, e->offset, "a compressed section that does not unpack", err);
  }
  e->bytes = bytes;
  s->used += e->raw;
  return LEAT_OK;
}

leat_status lt_sealed_section(lt_sealed *s, const char *name, const void **data, uint64_t *size, leat_error *err) {
  *data = NULL;
  *size = 0;
  for (int64_t i = 0; i < s->n; i++) {
    seal_entry *e = &s->entry[i];
    if (strcmp(e->name, name) != 0) continue;
    leat_status st = e->codec == LT_SEAL_ZSTD && !e->bytes ? sealed_unpack(s, e, err) : LEAT_OK;
    if (st != LEAT_OK) return st;
    *data = e->codec == LT_SEAL_ZSTD ? e->bytes : s->data + e->offset;
    *size = e->raw;
    return LEAT_OK;
  }
  return lt_fail(err, LEAT_E_NOT_FOUND, "%s has no section '%s'", s->name, name);
}
