/* Where readers get their bytes from. */
#include <string.h>
#include <zstd.h>

#include "data/reader.h"

enum { RAW_BYTES = 1 << 17, LOAD_PIECE = 1 << 23 };

struct lt_source {
  leat_runtime *rt;
  char *name;
  lt_file *file;
  uint64_t file_size, offset;
  int map;
  lt_pull_fn pull;
  void *user;
  int ended;               /* the raw bytes */
  char *raw;               /* read ahead: raw bytes [raw_at, raw_size) are not given out yet */
  uint64_t raw_at, raw_size;
  int packed;              /* zstd */
  ZSTD_DStream *zstd;
  uint64_t frame_left;     /* zstd's hint: not 0 inside a frame */
  char *all;
  const void *mapped;
  uint64_t all_size;
};

void lt_source_free(lt_source *s) {
  if (!s) return;
  leat_runtime *rt = s->rt;
  if (s->mapped) lt_file_unmap(s->file, s->mapped, s->all_size);
  lt_file_close(s->file, NULL);
  ZSTD_freeDStream(s->zstd);
  lt_free(rt, s->all);
  lt_free(rt, s->raw);
  lt_free(rt, s->name);
  lt_free(rt, s);
}

lt_file *lt_source_file(const lt_source *s, uint64_t *size) {
  *size = s->file_size;
  return s->packed ? NULL : s->file;
}

const char *lt_source_name(const lt_source *s) { return s->name; }

/* Raw bytes as they are stored. */
static leat_status raw_read(lt_source *s, void *buf, uint64_t cap, uint64_t *got, leat_error *err) {
  *got = 0;
  if (s->raw_at < s->raw_size) {
    uint64_t n = s->raw_size - s->raw_at < cap ? s->raw_size - s->raw_at : cap;
    memcpy(buf, s->raw + s->raw_at, n);
    s->raw_at += n;
    *got = n;
    return LEAT_OK;
  }
  if (s->ended) return LEAT_OK;
  if (s->file) {
    leat_status st = lt_file_read_some(s->file, s->offset, buf, cap, got, err);
    if (st) return st;
    s->offset += *got;
  } else {
    int64_t n = s->pull(s->user, buf, cap);
    if (n < 0 || (uint64_t)n > cap)
      return lt_fail(err, LEAT_E_IO, "%s: the pull callback failed (%lld)", s->name, (long long)n);
    *got = (uint64_t)n;
  }
  if (!*got) s->ended = 1;
  return LEAT_OK;
}

/* Reads ahead to see what the bytes are. */
static leat_status look(lt_source *s, leat_error *err) {
  s->raw = lt_alloc(s->rt, RAW_BYTES);
  if (!s->raw) return lt_fail_memory(err, RAW_BYTES, "a read buffer");
  uint64_t size = 0;
  while (size < 4 && !s->ended) {
    uint64_t got = 0;
    leat_status st = raw_read(s, s->raw + size, RAW_BYTES - size, &got, err);
    if (st) return st;
    size += got;
  }
  s->raw_size = size;
  const unsigned char *m = (const unsigned char *)s->raw;
  if (size >= 2 && m[0] == 0x1f && m[1] == 0x8b)
    return lt_fail(err, LEAT_E_FORMAT,
                   "%s: gzip-compressed; decompress it and hand the bytes to leat_dataset_from_reader, or use zstd",
                   s->name);
  s->packed = size >= 4 && m[0] == 0x28 && m[1] == 0xb5 && m[2] == 0x2f && m[3] == 0xfd;
  if (!s->packed) return LEAT_OK;
  s->zstd = ZSTD_createDStream();
  if (!s->zstd) return lt_fail_memory(err, 1 << 17, "a zstd decoder");
  ZSTD_initDStream(s->zstd);
  return LEAT_OK;
}

static leat_status start(leat_runtime *rt, const char *name, lt_source **out, leat_error *err) {
  lt_source *s = lt_zalloc(rt, sizeof *s);
  if (!s) return lt_fail_memory(err, sizeof *s, "a source");
  s->rt = rt;
  s->name = lt_strdup(rt, name);
  if (!s->name) {
    lt_free(rt, s);
    return lt_fail_memory(err, strlen(name), "a name");
  }
  *out = s;
  return LEAT_OK;
}

leat_status lt_source_open(leat_runtime *rt, const char *path, int map, lt_source **out, leat_error *err) {
  *out = NULL;
  lt_source *s = NULL;
  leat_status st = start(rt, path, &s, err);
  if (st) return st;
  s->map = map;
  st = lt_file_open(rt, path, LEAT_FILE_READ, &s->file, err);
  if (!st) st = lt_file_size(s->file, &s->file_size, err);
  if (!st) st = look(s, err);
  if (st) {
    lt_source_free(s);
    return st;
  }
  *out = s;
  return LEAT_OK;
}

leat_status lt_source_from_pull(leat_runtime *rt, const char *name, lt_pull_fn pull, void *user, lt_source **out,
                                leat_error *err) {
  *out = NULL;
  lt_source *s = NULL;
  leat_status st = start(rt, name, &s, err);
  if (st) return st;
  s->pull = pull;
  s->user = user;
  st = look(s, err);
  if (st) {
    lt_source_free(s);
    return st;
  }
  *out = s;
  return LEAT_OK;
}

static leat_status refill(lt_source *s, leat_error *err) {
  uint64_t got = 0;
  s->raw_at = s->raw_size = 0;
  leat_status st = raw_read(s, s->raw, RAW_BYTES, &got, err);
  s->raw_size = got;
  return st;
}

leat_status lt_source_read(lt_source *s, void *buf, uint64_t cap, uint64_t *got, leat_error *err) {
  *got = 0;
  if (!s->packed) return raw_read(s, buf, cap, got, err);
  ZSTD_outBuffer out = {buf, cap, 0};
  while (!out.pos) {
    if (s->raw_at == s->raw_size && !s->ended) {
      leat_status st = refill(s, err);
      if (st) return st;
    }
    if (s->raw_at == s->raw_size && s->ended) {
      if (!s->frame_left) return LEAT_OK;
      /* the decoder may still hold output of what it has seen */
    }
    ZSTD_inBuffer in = {s->raw, s->raw_size, s->raw_at};
    size_t left = ZSTD_decompressStream(s->zstd, &out, &in);
    if (ZSTD_isError(left))
      return lt_fail(err, LEAT_E_FORMAT, "%s: the zstd data is damaged (%s)", s->name, ZSTD_getErrorName(left));
    int stuck = in.pos == s->raw_at && !out.pos;
    s->raw_at = in.pos;
    s->frame_left = left;
    if (stuck && s->ended)
      return lt_fail(err, LEAT_E_FORMAT, "%s: the zstd data is cut: a frame does not end", s->name);
  }
  *got = out.pos;
  return LEAT_OK;
}

leat_status lt_source_rewind(lt_source *s, leat_error *err) {
  if (!s->file) return lt_fail(err, LEAT_E_UNSUPPORTED, "%s: bytes from a callback come only once", s->name);
  s->offset = 0;
  s->ended = 0;
  s->raw_at = s->raw_size = 0;
  s->frame_left = 0;
  if (s->zstd) ZSTD_initDStream(s->zstd);
  return LEAT_OK;
}

static leat_status too_large(const lt_source *s, leat_error *err) {
  return lt_fail(err, LEAT_E_MEMORY,
                 "%s: more than the runtime's load budget of %llu bytes; stream it (stream=1) or raise the budget",
                 s->name, (unsigned long long)lt_runtime_load_budget(s->rt));
}

typedef struct load_job { lt_source *s; leat_status status; leat_error *errors; } load_job;

static void load_piece(void *arg, int64_t i) {
  load_job *job = arg;
  uint64_t from = (uint64_t)i * LOAD_PIECE, n = job->s->file_size - from;
  if (n > LOAD_PIECE) n = LOAD_PIECE;
  job->errors[i].struct_size = sizeof *job->errors;
  lt_file_read(job->s->file, from, job->s->all + from, n, &job->errors[i]);
}

/* The whole plain file, read in pieces by all threads: most of the time goes into touching the fresh memory. */
static leat_status load_file(lt_source *s, leat_error *err) {
  if (s->file_size > lt_runtime_load_budget(s->rt)) return too_large(s, err);
  int64_t n = (int64_t)((s->file_size + LOAD_PIECE - 1) / LOAD_PIECE);
  load_job job = {s, LEAT_OK, lt_zarray(s->rt, (uint64_t)n, sizeof(leat_error))};
  s->all = lt_alloc(s->rt, s->file_size + 1);
  leat_status st = LEAT_OK;
  if (!s->all || !job.errors) st = lt_fail_memory(err, s->file_size, "a file's bytes");
  if (!st) st = lt_parallel_for(s->rt, n, load_piece, &job);
  for (int64_t i = 0; !st && i < n; i++)
    if (job.errors[i].code) st = lt_fail_copy(err, &job.errors[i]);
  lt_free(s->rt, job.errors);
  s->all_size = s->file_size;
  return st;
}

leat_status lt_source_all(lt_source *s, const char **data, uint64_t *size, leat_error *err) {
  *data = "";
  *size = 0;
  leat_status st = LEAT_OK;
  if (s->file && !s->packed && s->file_size && s->map) {
    st = lt_file_map(s->file, s->file_size, &s->mapped, err);
    if (!st) {
      s->all_size = s->file_size;
      *data = s->mapped;
      *size = s->all_size;
      return LEAT_OK;
    }
    if (st != LEAT_E_UNSUPPORTED) return st;
  }
  if (s->file && !s->packed && s->file_size) {
    st = load_file(s, err);
  } else {
    void *all = NULL;
    uint64_t cap = 0, n = 0, got = 1;
    while (!st && got) {
      if (n == cap) st = lt_grow(s->rt, &all, &cap, cap ? cap * 2 : 1 << 16, 1, err);
      if (!st) st = lt_source_read(s, (char *)all + n, cap - n, &got, err);
      if (!st) n += got;
      if (!st && n > lt_runtime_load_budget(s->rt)) st = too_large(s, err);
    }
    s->all = all;
    s->all_size = n;
  }
  if (st) return st;
  *data = s->all;
  *size = s->all_size;
  return LEAT_OK;
}
