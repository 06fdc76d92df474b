/* Sealed files, the writing side. Sections are kept as they will be stored; the file is put together at the end. */
#include <string.h>
#include "base/hash.h"
#include "base/sealed.h"
#include "base/sealed_inner.h"
#include <zstd.h>

/* 0x89 is no ASCII, CR LF and Ctrl-Z tell of transfers in text mode: the trick of PNG. */
const uint8_t lt_seal_magic[8] = {0x89, 'L', 'E', 'A', 'T', '\r', '\n', 0x1a};

typedef struct seal_part {
  char name[LT_SEAL_NAME];
  int32_t codec;
  uint64_t stored, raw, sum[2];
  void *bytes;
} seal_part;
struct lt_seal {
  leat_runtime *rt;
  char kind[4];
  uint32_t version, min_reader;
  seal_part *part;
  uint64_t n, cap;
  lt_put file;
  int32_t done;
};

leat_status lt_seal_create(leat_runtime *rt, const char kind[4], uint32_t version, uint32_t min_reader, lt_seal **out,
                           leat_error *err) {
  *out = NULL;
  if (memchr(kind, 0, 4) || min_reader > version)
    return lt_fail(err, LEAT_E_INTERNAL, "a sealed file of kind '%.4s', version %u, minimum %u", kind, version, min_reader);
  lt_seal *s = lt_zalloc(rt, sizeof *s);
  if (!s) return lt_fail_memory(err, sizeof *s, "a sealed file");
  s->rt = rt;
  memcpy(s->kind, kind, 4);
  s->version = version;
  s->min_reader = min_reader;
  lt_put_init(&s->file, rt);
  *out = s;
  return LEAT_OK;
}

void lt_seal_free(lt_seal *s) {
  if (!s) return;
  for (uint64_t i = 0; i < s->n; i++) lt_free(s->rt, s->part[i].bytes);
  lt_free(s->rt, s->part);
  lt_put_free(&s->file);
  lt_free(s->rt, s);
}

/* Would zstd save an eighth of a large section? Of floats it saves less, for more time than everything else that a learner does
 * with its checkpoints. Told by pieces of it, evenly spread: a function of the bytes alone. */
static int seal_worth_it(const uint8_t *data, uint64_t size) {
  enum { PIECES = 8, PIECE = 8192 };
  uint8_t some[PIECE], packed[PIECE + 512];
  uint64_t stored = 0;
  for (uint64_t i = 0; i < PIECES; i++) {
    memcpy(some, data + (size - PIECE) / (PIECES - 1) * i, PIECE);
    size_t got = ZSTD_compress(packed, sizeof packed, some, PIECE, LT_SEAL_LEVEL_LARGE);
    stored += ZSTD_isError(got) ? PIECE : got; /* without memory it is stored as it is, which is always right */
  }
  return stored <= PIECES * PIECE / 8 * 7;
}

/* One frame with its content size, no checksum of its own (XXH3 is over it), one thread. */
static leat_status seal_pack(lt_seal *s, seal_part *p, const void *data, uint64_t size, leat_error *err) {
  uint64_t room = ZSTD_compressBound(size);
  void *bytes = lt_alloc(s->rt, room);
  ZSTD_CCtx *c = ZSTD_createCCtx();
  leat_status st = LEAT_OK;
  if (!bytes || !c) {
    st = lt_fail_memory(err, room, "compressing a section");
    goto out;
  }
  (void)ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, size < LT_SEAL_LARGE ? LT_SEAL_LEVEL : LT_SEAL_LEVEL_LARGE);
  (void)ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 1);
  (void)ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 0);
  size_t got = ZSTD_compress2(c, bytes, room, data, size);
  if (ZSTD_isError(got)) {
    st = lt_fail(err, LEAT_E_MEMORY, "section '%s' could not be compressed: %s", p->name, ZSTD_getErrorName(got));
    goto out;
  }
  void *less = lt_realloc(s->rt, bytes, got);
  p->bytes = less ? less : bytes;
  p->stored = got;
  bytes = NULL;
out:
  ZSTD_freeCCtx(c);
  lt_free(s->rt, bytes);
  return st;
}

/* own: what data is the start of, to be kept when the section is stored as it is; may be NULL. */
static leat_status seal_add(lt_seal *s, const char *name, int32_t codec, const void *data, uint64_t size, lt_put *own,
                            leat_error *err) {
  uint64_t length = strlen(name);
  int bad = s->done || length == 0 || length >= LT_SEAL_NAME || s->n >= LT_SEAL_SECTIONS;
  for (uint64_t i = 0; i < length && !bad; i++) bad = name[i] <= ' ' || name[i] > '~';
  for (uint64_t i = 0; i < s->n && !bad; i++) bad = strcmp(s->part[i].name, name) == 0;
  if (bad || (codec != LT_SEAL_RAW && codec != LT_SEAL_ZSTD))
    return lt_fail(err, LEAT_E_INTERNAL, "section '%s' cannot be added: a name that is too long, taken, or not of plain "
                   "characters, or a file that is finished", name);
  void *parts = s->part;
  leat_status st = lt_grow(s->rt, &parts, &s->cap, s->n + 1, sizeof *s->part, err);
  if (st != LEAT_OK) return st;
  s->part = parts;
  seal_part *p = &s->part[s->n];
  memset(p, 0, sizeof *p);
  memcpy(p->name, name, length);
  p->codec = codec == LT_SEAL_ZSTD && size >= LT_SEAL_LARGE && !seal_worth_it(data, size) ? LT_SEAL_RAW : codec;
  p->raw = p->stored = size;
  if (p->codec == LT_SEAL_ZSTD) {
    st = seal_pack(s, p, data, size, err);
    if (st != LEAT_OK) return st;
  } else if (own && size) {
    p->bytes = own->data;
    lt_put_init(own, s->rt);
  } else {
    p->bytes = lt_alloc(s->rt, size);
    if (!p->bytes) return lt_fail_memory(err, size, "a section");
    if (size) memcpy(p->bytes, data, size);
  }
  lt_hash128(p->bytes, p->stored, p->sum);
  s->n++;
  return LEAT_OK;
}

leat_status lt_seal_add(lt_seal *s, const char *name, int32_t codec, const void *data, uint64_t size, leat_error *err) {
  return seal_add(s, name, codec, data, size, NULL, err);
}

leat_status lt_seal_add_put(lt_seal *s, const char *name, int32_t codec, lt_put *w, leat_error *err) {
  leat_status st = lt_put_status(w, err);
  if (!st) st = seal_add(s, name, codec, w->data, w->size, w, err);
  lt_put_free(w);
  return st;
}

static void seal_pad(lt_put *w) {
  static const uint8_t zero[LT_SEAL_ALIGN] = {0};
  lt_put_raw(w, zero, (LT_SEAL_ALIGN - w->size % LT_SEAL_ALIGN) % LT_SEAL_ALIGN);
}

static void seal_table(lt_seal *s, lt_put *w) {
  uint64_t at = LT_SEAL_HEAD + s->n * LT_SEAL_ENTRY;
  for (uint64_t i = 0; i < s->n; i++) {
    const seal_part *p = &s->part[i];
    at = (at + LT_SEAL_ALIGN - 1) / LT_SEAL_ALIGN * LT_SEAL_ALIGN;
    lt_put_raw(w, p->name, LT_SEAL_NAME);
    lt_put_u32(w, (uint32_t)p->codec);
    lt_put_u32(w, 0);
    lt_put_u64(w, at);
    lt_put_u64(w, p->stored);
    lt_put_u64(w, p->raw);
    lt_put_u64(w, p->sum[0]);
    lt_put_u64(w, p->sum[1]);
    at += p->stored;
  }
}

leat_status lt_seal_bytes(lt_seal *s, const void **data, uint64_t *size, leat_error *err) {
  *data = NULL;
  *size = 0;
  lt_put *w = &s->file;
  if (!s->done) {
    uint64_t total = LT_SEAL_HEAD + s->n * LT_SEAL_ENTRY;
    for (uint64_t i = 0; i < s->n; i++)
      total = (total + LT_SEAL_ALIGN - 1) / LT_SEAL_ALIGN * LT_SEAL_ALIGN + s->part[i].stored;
    lt_put_free(w);
    lt_put_init(w, s->rt);
    lt_put_reserve(w, total);
    lt_put_raw(w, lt_seal_magic, 8);
    lt_put_raw(w, s->kind, 4);
    lt_put_u32(w, s->version);
    lt_put_u32(w, s->min_reader);
    lt_put_u32(w, LT_SEAL_LAYOUT);
    lt_put_u32(w, (uint32_t)s->n);
    lt_put_u32(w, 0);
    lt_put_u64(w, total);
    for (int i = 0; i < 3; i++) lt_put_u64(w, 0); /* two reserved words, and the checksum's place */
    seal_table(s, w);
    for (uint64_t i = 0; i < s->n; i++) {
      seal_pad(w);
      lt_put_raw(w, s->part[i].bytes, s->part[i].stored);
    }
    leat_status st = lt_put_status(w, err);
    if (st != LEAT_OK) return st;
    uint8_t both[16];
    lt_seal_store(both, lt_hash64(w->data, LT_SEAL_HEAD - 8, 0));
    lt_seal_store(both + 8, lt_hash64(w->data + LT_SEAL_HEAD, s->n * LT_SEAL_ENTRY, 0));
    lt_seal_store(w->data + LT_SEAL_HEAD - 8, lt_hash64(both, 16, 0));
    s->done = 1;
  }
  *data = w->data;
  *size = w->size;
  return LEAT_OK;
}

leat_status lt_seal_take(lt_seal *s, void **data, uint64_t *size, char checksum[33], leat_error *err) {
  const void *bytes = NULL;
  uint64_t sum[2];
  *data = NULL;
  leat_status st = lt_seal_bytes(s, &bytes, size, err);
  if (st != LEAT_OK) return st;
  lt_hash128(s->file.data + LT_SEAL_HEAD, s->n * LT_SEAL_ENTRY, sum);
  lt_hex128(sum, checksum);
  *data = s->file.data;
  lt_put_init(&s->file, s->rt);
  return LEAT_OK;
}

leat_status lt_seal_write(lt_seal *s, const char *path, leat_error *err) {
  const void *data;
  uint64_t size;
  leat_status st = lt_seal_bytes(s, &data, &size, err);
  return st == LEAT_OK ? lt_file_replace(s->rt, path, data, size, err) : st;
}
