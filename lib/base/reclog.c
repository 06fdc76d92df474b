/* Record logs. A log is opened either for appending or for reading; both find records with record_at, which trusts
 * nothing but the checksum, the place and the number of a record. */
#include "base/reclog.h"
#include <string.h>
#include "base/hash.h"

enum {
  LOG_HEAD = 32, RECORD_HEAD = 32, RECORD_TYPES = 0xffff,
  LOG_WINDOW = 1 << 18,     /* bytes read at once */
  LOG_BUFFER = 1 << 16      /* bytes of records gathered before they are written */
};
static const uint64_t record_max = (uint64_t)1 << 31;
static const uint8_t log_magic[8] = {0x89, 'L', 'L', 'O', 'G', '\r', '\n', 0x1a};
static const uint8_t log_magic_2[8] = {0x89, 'L', 'L', 'O', '2', '\r', '\n', 0x1a}; /* heads have a check of their own */

struct lt_reclog {
  leat_runtime *rt;
  char *path;
  lt_file *file;
  int32_t writing, failed, checked;
  uint64_t first_sequence;
  uint64_t next_sequence;  /* of the next record; reading after a seek: 0 = any */
  int32_t any_sequence;
  uint64_t size;           /* writing: bytes in the file; reading: as last asked */
  uint64_t durable;        /* writing: bytes known to be on the disk; reading: the largest claim so far */
  uint64_t at;             /* reading: offset of the next record */
  lt_put pending;          /* writing: records not yet in the file */
  uint8_t *window;         /* reading: file bytes [window_at, window_at + window_size) */
  uint64_t window_at, window_size, window_cap;
};

static leat_status log_damage(const lt_reclog *l, uint64_t at, const char *what, leat_error *err) {
  leat_status st = lt_fail(err, LEAT_E_FORMAT, "%s is damaged: %s at byte %llu; restore it from a copy", l->path, what,
                           (unsigned long long)at);
  if (err && err->struct_size >= offsetof(leat_error, message)) err->detail[2] = (int64_t)at;
  return st;
}

static leat_status log_start(leat_runtime *rt, const char *path, lt_reclog **out, leat_error *err) {
  *out = NULL;
  lt_reclog *l = lt_zalloc(rt, sizeof *l);
  if (!l) return lt_fail_memory(err, sizeof *l, "a record log");
  l->rt = rt;
  lt_put_init(&l->pending, rt);
  l->path = lt_strdup(rt, path);
  if (!l->path) {
    (void)lt_reclog_close(l, NULL);
    return lt_fail_memory(err, strlen(path), "a path");
  }
  *out = l;
  return LEAT_OK;
}

static leat_status log_discard(lt_reclog **l, leat_status st) {
  (void)lt_reclog_close(*l, NULL);
  *l = NULL;
  return st;
}

leat_status lt_reclog_create(leat_runtime *rt, const char *path, const char kind[4], uint32_t version,
                             uint64_t first_sequence, lt_reclog **out, leat_error *err) {
  leat_error quiet = {.struct_size = sizeof quiet};
  leat_status st = log_start(rt, path, out, err);
  if (st != LEAT_OK) return st;
  lt_reclog *l = *out;
  st = lt_file_open(rt, path, LEAT_FILE_READ, &l->file, &quiet);
  if (st == LEAT_OK) return log_discard(out, lt_fail(err, LEAT_E_STATE, "%s is there already", path));
  if (st != LEAT_E_NOT_FOUND) return log_discard(out, lt_fail(err, st, "%s", quiet.message));
  lt_put head;
  lt_put_init(&head, rt);
  lt_put_raw(&head, log_magic_2, 8);
  lt_put_raw(&head, kind, 4);
  lt_put_u32(&head, version);
  lt_put_u64(&head, first_sequence);
  if (!head.failed) lt_put_u64(&head, lt_hash64(head.data, head.size, 0));
  st = lt_put_status(&head, err);
  if (st == LEAT_OK) st = lt_file_replace(rt, path, head.data, head.size, err); /* whole or not at all */
  lt_put_free(&head);
  if (st == LEAT_OK) st = lt_file_open(rt, path, LEAT_FILE_READ | LEAT_FILE_WRITE, &l->file, err);
  if (st != LEAT_OK) return log_discard(out, st);
  l->writing = l->checked = 1;
  l->first_sequence = l->next_sequence = first_sequence;
  l->size = l->durable = LOG_HEAD;
  return LEAT_OK;
}

/* `size` bytes at `offset` in memory, from the window or by reading a new one. The range lies in the file as it was
 * last measured; *p is NULL when the file has become shorter since. */
static leat_status log_bytes(lt_reclog *l, uint64_t offset, uint64_t size, const uint8_t **p, leat_error *err) {
  *p = NULL;
  if (offset < l->window_at || offset - l->window_at > l->window_size ||
      size > l->window_size - (offset - l->window_at)) {
    uint64_t want = size > LOG_WINDOW ? size : LOG_WINDOW, done = 0;
    void *window = l->window;
    leat_status st = lt_grow(l->rt, &window, &l->window_cap, want, 1, err);
    if (st != LEAT_OK) return st;
    l->window = window;
    l->window_size = 0;
    st = lt_file_read_some(l->file, offset, l->window, want, &done, err);
    if (st != LEAT_OK) return st;
    l->window_at = offset;
    l->window_size = done;
    if (done < size) return LEAT_OK;
  }
  *p = l->window + (offset - l->window_at);
  return LEAT_OK;
}

static uint64_t record_sum(const uint8_t *head, const void *data, uint64_t size) {
  return lt_hash64(data, size, lt_hash64(head, RECORD_HEAD - 8, 0));
}

/* Of a head by itself, in the upper half of the type: in the rows of a torn record many a number looks like a head, and
 * hashing all that each of them claims would take for ever. */
static uint32_t head_check(uint64_t size, uint32_t type, uint64_t sequence, uint64_t durable) {
  const uint64_t head[] = {size << 16 | type, sequence, durable};
  uint8_t bytes[sizeof head];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(head[i / 8] >> i % 8 * 8);
  return (uint32_t)(lt_hash64(bytes, sizeof bytes, 0) >> 48) << 16;
}

static uint64_t record_span(uint64_t size) { return RECORD_HEAD + (size + 7) / 8 * 8; }

/* A whole record at `at`? *good. Only facts of the file count here, not the reader's place in the sequence. *hashed
 * grows by the bytes that had to be hashed. */
static leat_status record_at(lt_reclog *l, uint64_t at, lt_record *rec, uint64_t *durable, int32_t *good,
                             uint64_t *hashed, leat_error *err) {
  const uint8_t *p;
  *good = 0;
  if (at > l->size || l->size - at < RECORD_HEAD) return LEAT_OK;
  leat_status st = log_bytes(l, at, RECORD_HEAD, &p, err);
  if (st != LEAT_OK || !p) return st;
  lt_get r;
  lt_get_init(&r, l->rt, p, RECORD_HEAD);
  uint64_t size = lt_get_u32(&r);
  rec->type = lt_get_u32(&r);
  rec->sequence = lt_get_u64(&r);
  *durable = lt_get_u64(&r);
  uint64_t sum = lt_get_u64(&r);
  if (size >= record_max || record_span(size) > l->size - at || *durable < LOG_HEAD || *durable > at) return LEAT_OK;
  if (l->checked) {
    uint32_t type = rec->type & RECORD_TYPES;
    if (rec->type != (head_check(size, type, rec->sequence, *durable) | type)) return LEAT_OK;
    rec->type = type;
  }
  /* a number that the place does not allow: no need to hash */
  if (rec->sequence < l->first_sequence || rec->sequence - l->first_sequence > (at - LOG_HEAD) / RECORD_HEAD) return LEAT_OK;
  st = log_bytes(l, at, record_span(size), &p, err);
  if (st != LEAT_OK || !p) return st;
  *hashed += size;
  if (record_sum(p, p + RECORD_HEAD, size) != sum) return LEAT_OK;
  for (uint64_t i = RECORD_HEAD + size; i < record_span(size); i++)
    if (p[i]) return LEAT_OK;
  rec->data = p + RECORD_HEAD;
  rec->size = size;
  rec->offset = at;
  *good = 1;
  return LEAT_OK;
}

/* There is no good record at `at`. Damage, if any record behind it was written when `at` was durable already. */
static leat_status judge_tail(lt_reclog *l, uint64_t at, leat_error *err) {
  lt_record rec;
  uint64_t durable, hashed = 0, limit = 16 * (l->size - at) + LOG_WINDOW;
  int32_t good;
  for (uint64_t o = at + 8; o < l->size; o += 8) {
    leat_status st = record_at(l, o, &rec, &durable, &good, &hashed, err);
    if (st != LEAT_OK) return st;
    if (good && durable > at) return log_damage(l, at, "a bad record with good ones behind it", err);
    if (good) o += record_span(rec.size) - 8;
    if (hashed > limit) return log_damage(l, at, "bytes made to look like records", err);
  }
  return LEAT_OK;
}

static leat_status log_header(lt_reclog *l, const char kind[4], uint32_t reader, leat_error *err) {
  const uint8_t *p = NULL;
  leat_status st = lt_file_size(l->file, &l->size, err);
  if (st == LEAT_OK && l->size >= LOG_HEAD) st = log_bytes(l, 0, LOG_HEAD, &p, err);
  if (st != LEAT_OK) return st;
  l->checked = p && memcmp(p, log_magic_2, 8) == 0;
  if (!p || (!l->checked && memcmp(p, log_magic, 8) != 0))
    return lt_fail(err, LEAT_E_FORMAT, "%s is not a leat record log, or its beginning is damaged", l->path);
  lt_get r;
  lt_get_init(&r, l->rt, p + 8, LOG_HEAD - 8);
  const char *has = lt_get_raw(&r, 4);
  uint32_t version = lt_get_u32(&r);
  l->first_sequence = lt_get_u64(&r);
  if (lt_get_u64(&r) != lt_hash64(p, LOG_HEAD - 8, 0)) return log_damage(l, 24, "the header's checksum is wrong", err);
  if (memcmp(has, kind, 4) != 0)
    return lt_fail(err, LEAT_E_FORMAT, "%s is a record log of kind '%.4s', one of kind '%.4s' is needed here", l->path, has,
                   kind);
  if (version > reader)
    return lt_fail(err, LEAT_E_VERSION, "%s has version %u, this library reads up to %u: take a newer leat", l->path,
                   version, reader);
  l->next_sequence = l->first_sequence;
  l->at = LOG_HEAD;
  l->durable = LOG_HEAD;
  return LEAT_OK;
}

leat_status lt_reclog_read_open(leat_runtime *rt, const char *path, const char kind[4], uint32_t reader_version,
                                lt_reclog **out, leat_error *err) {
  leat_status st = log_start(rt, path, out, err);
  if (st != LEAT_OK) return st;
  st = lt_file_open(rt, path, LEAT_FILE_READ, &(*out)->file, err);
  if (st == LEAT_OK) st = log_header(*out, kind, reader_version, err);
  return st == LEAT_OK ? st : log_discard(out, st);
}

leat_status lt_reclog_append_open(leat_runtime *rt, const char *path, const char kind[4], uint32_t reader_version,
                                  lt_reclog **out, uint64_t *torn_bytes, leat_error *err) {
  if (torn_bytes) *torn_bytes = 0;
  leat_status st = log_start(rt, path, out, err);
  if (st != LEAT_OK) return st;
  lt_reclog *l = *out;
  st = lt_file_open(rt, path, LEAT_FILE_READ | LEAT_FILE_WRITE, &l->file, err);
  if (st == LEAT_OK) st = log_header(l, kind, reader_version, err);
  int32_t got = 1, torn = 0;
  lt_record rec;
  while (st == LEAT_OK && got) st = lt_reclog_next(l, &rec, &got, &torn, err);
  if (st == LEAT_OK && l->at < l->size) {
    st = lt_file_truncate(l->file, l->at, err);
    if (st == LEAT_OK && torn_bytes) *torn_bytes = l->size - l->at;
  }
  /* What a killed process had not synced is in the file, but perhaps not yet on the disk. */
  if (st == LEAT_OK) st = lt_file_sync(l->file, err);
  if (st != LEAT_OK) {
    if (torn_bytes) *torn_bytes = 0;
    return log_discard(out, st);
  }
  l->size = l->durable = l->at;
  l->writing = 1;
  lt_free(rt, l->window);
  l->window = NULL;
  l->window_size = l->window_cap = 0;
  return LEAT_OK;
}

static leat_status log_usable(const lt_reclog *l, int32_t writing, leat_error *err) {
  if (l->writing != writing)
    return lt_fail(err, LEAT_E_STATE, "%s is open for %s", l->path, l->writing ? "appending" : "reading");
  if (l->failed)
    return lt_fail(err, LEAT_E_IO, "%s took no more records after a write failed: open it again", l->path);
  return LEAT_OK;
}

leat_status lt_reclog_flush(lt_reclog *l, leat_error *err) {
  leat_status st = log_usable(l, 1, err);
  if (st != LEAT_OK || !l->pending.size) return st;
  st = lt_file_write(l->file, l->size, l->pending.data, l->pending.size, err);
  if (st != LEAT_OK) {
    l->failed = 1;
    return st;
  }
  l->size += l->pending.size;
  l->pending.size = 0;
  return LEAT_OK;
}

leat_status lt_reclog_append(lt_reclog *l, uint32_t type, const void *data, uint64_t size, uint64_t *sequence,
                             leat_error *err) {
  static const uint8_t zero[8] = {0};
  if (sequence) *sequence = 0;
  leat_status st = log_usable(l, 1, err);
  if (st != LEAT_OK) return st;
  if (type > RECORD_TYPES) return lt_fail(err, LEAT_E_RANGE, "%s: a record of type %u, %d is the highest", l->path, type, (int)RECORD_TYPES);
  if (size >= record_max)
    return lt_fail(err, LEAT_E_RANGE, "%s: a record of %llu bytes, less than 2 GiB is possible", l->path,
                   (unsigned long long)size);
  lt_put *w = &l->pending;
  uint64_t before = w->size;
  lt_put_u32(w, (uint32_t)size);
  lt_put_u32(w, l->checked ? head_check(size, type, l->next_sequence, l->durable) | type : type);
  lt_put_u64(w, l->next_sequence);
  lt_put_u64(w, l->durable);
  if (!w->failed) lt_put_u64(w, record_sum(w->data + before, data, size));
  lt_put_raw(w, data, size);
  lt_put_raw(w, zero, (8 - size % 8) % 8);
  if (w->failed) { /* as if the call had not been made */
    w->failed = 0;
    w->size = before;
    return lt_fail_memory(err, size, "a record");
  }
  if (w->size >= LOG_BUFFER) {
    st = lt_reclog_flush(l, err);
    if (st != LEAT_OK) return st;
  }
  if (sequence) *sequence = l->next_sequence;
  l->next_sequence++;
  return LEAT_OK;
}

leat_status lt_reclog_sync(lt_reclog *l, leat_error *err) {
  leat_status st = lt_reclog_flush(l, err);
  if (st != LEAT_OK) return st;
  st = lt_file_sync(l->file, err);
  if (st != LEAT_OK) l->failed = 1;
  else l->durable = l->size;
  return st;
}

uint64_t lt_reclog_size(const lt_reclog *l) { return l->size + l->pending.size; }
uint64_t lt_reclog_next_sequence(const lt_reclog *l) { return l->next_sequence; }
uint64_t lt_reclog_first_sequence(const lt_reclog *l) { return l->first_sequence; }

leat_status lt_reclog_seek(lt_reclog *l, uint64_t offset, leat_error *err) {
  leat_status st = log_usable(l, 0, err);
  if (st != LEAT_OK) return st;
  if (offset == 0) offset = LOG_HEAD;
  st = lt_file_size(l->file, &l->size, err);
  if (st != LEAT_OK) return st;
  if (offset < LOG_HEAD || offset % 8 || offset > l->size)
    return lt_fail(err, LEAT_E_RANGE, "%s has no record at byte %llu: it has %llu bytes", l->path,
                   (unsigned long long)offset, (unsigned long long)l->size);
  l->at = offset;
  l->durable = LOG_HEAD;
  l->any_sequence = offset != LOG_HEAD;
  l->next_sequence = l->first_sequence;
  return LEAT_OK;
}

leat_status lt_reclog_next(lt_reclog *l, lt_record *out, int32_t *got, int32_t *torn, leat_error *err) {
  uint64_t durable = 0, hashed = 0;
  int32_t good = 0;
  lt_record rec = {0};
  memset(out, 0, sizeof *out);
  *got = 0;
  if (torn) *torn = 0;
  leat_status st = log_usable(l, 0, err);
  if (st != LEAT_OK) return st;
  for (int tries = 0; tries < 2 && !good; tries++) {
    if (tries || l->size - l->at < RECORD_HEAD) { /* it may have grown, and a writer may have been half-way */
      uint64_t size;
      st = lt_file_size(l->file, &size, err);
      if (st != LEAT_OK) return st;
      if (size < l->at) return log_damage(l, size, "it has become shorter than what was read of it, a cut", err);
      l->size = size;
      l->window_size = 0;
    }
    if (l->at == l->size) return LEAT_OK;
    st = record_at(l, l->at, &rec, &durable, &good, &hashed, err);
    if (st != LEAT_OK) return st;
  }
  if (!good) {
    st = judge_tail(l, l->at, err);
    l->window_size = 0;
    if (st == LEAT_OK && torn) *torn = 1;
    return st;
  }
  if (!l->any_sequence && rec.sequence != l->next_sequence)
    return log_damage(l, l->at, "a record whose number does not follow", err);
  if (durable < l->durable) return log_damage(l, l->at, "a record that contradicts the one before it", err);
  l->any_sequence = 0;
  l->next_sequence = rec.sequence + 1;
  l->durable = durable;
  l->at += record_span(rec.size);
  *out = rec;
  *got = 1;
  return LEAT_OK;
}

leat_status lt_reclog_close(lt_reclog *l, leat_error *err) {
  if (!l) return LEAT_OK;
  leat_status st = LEAT_OK;
  if (l->writing && !l->failed) st = lt_reclog_flush(l, err);
  leat_status closed = lt_file_close(l->file, st == LEAT_OK ? err : NULL);
  lt_put_free(&l->pending);
  lt_free(l->rt, l->window);
  lt_free(l->rt, l->path);
  lt_free(l->rt, l);
  return st == LEAT_OK ? closed : st;
}
