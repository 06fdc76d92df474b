/* The journal's segments. A segment is synced whole before the next one begins, so only the last one can be torn, and
 * a last one that lacks its header never held anything. */
#include "lifecycle/journal.h"
#include "base/latency.h"
#include "lifecycle/segment.h"
#include <string.h>

enum { JOURNAL_VERSION = 1 };
static const char journal_kind[4] = {'J', 'R', 'N', 'L'};

typedef struct journal_part { uint64_t first, bytes; } journal_part; /* bytes: of those before the last */
struct lt_journal {
  leat_runtime *rt;
  char *folder;
  lt_reclog *tail;
  journal_part *part; /* all segments; the last one is `tail` */
  uint64_t n, cap;
  uint64_t segment_bytes;
  uint64_t synced;
  int32_t failed;
};

static leat_status journal_fail_path(leat_error *err) { return lt_fail_memory(err, 256, "a path"); }

static char *journal_path(leat_runtime *rt, const char *folder, uint64_t first) {
  return lt_segment_path(rt, folder, 'j', (lt_segment){first, 0}, "");
}

static leat_status journal_start(leat_runtime *rt, const char *folder, uint64_t segment_bytes, lt_journal **out,
                                 leat_error *err) {
  *out = NULL;
  lt_journal *j = lt_zalloc(rt, sizeof *j);
  if (!j) return lt_fail_memory(err, sizeof *j, "a journal");
  j->rt = rt;
  j->segment_bytes = segment_bytes;
  j->folder = lt_strdup(rt, folder);
  *out = j;
  if (j->folder) return LEAT_OK;
  lt_journal_close(j);
  *out = NULL;
  return journal_fail_path(err);
}

static leat_status journal_add_part(lt_journal *j, uint64_t first, uint64_t bytes, leat_error *err) {
  void *part = j->part;
  leat_status st = lt_grow(j->rt, &part, &j->cap, j->n + 1, sizeof *j->part, err);
  if (st) return st;
  j->part = part;
  j->part[j->n++] = (journal_part){first, bytes};
  return LEAT_OK;
}

/* A new last segment. The header and the folder's entry are on the disk when it returns. */
static leat_status journal_begin_part(lt_journal *j, uint64_t first, lt_reclog **out, leat_error *err) {
  char *path = journal_path(j->rt, j->folder, first);
  *out = NULL;
  if (!path) return journal_fail_path(err);
  leat_status st = journal_add_part(j, first, 0, err);
  if (!st) {
    st = lt_reclog_create(j->rt, path, journal_kind, JOURNAL_VERSION, first, out, err);
    if (st) {
      j->n--;
      /* without memory behind the rename the file is there, and empty; the next try makes it again */
      if (st == LEAT_E_MEMORY) (void)lt_path_remove(j->rt, path, NULL);
    }
  }
  lt_free(j->rt, path);
  return st;
}

leat_status lt_journal_create(leat_runtime *rt, const char *folder, uint64_t segment_bytes, lt_journal **out,
                              leat_error *err) {
  lt_segments found;
  *out = NULL;
  leat_status st = lt_segments_find(rt, folder, 'j', &found, err);
  if (st) return st;
  if (found.n) st = lt_fail(err, LEAT_E_STATE, "%s holds a journal already", folder);
  if (!st) st = lt_segments_tidy(&found, folder, err);
  lt_segments_free(&found);
  if (!st) st = journal_start(rt, folder, segment_bytes, out, err);
  if (!st) st = journal_begin_part(*out, 1, &(*out)->tail, err);
  if (st && *out) {
    lt_journal_close(*out);
    *out = NULL;
  }
  return st;
}

static leat_status file_bytes(leat_runtime *rt, const char *path, uint64_t *bytes, leat_error *err) {
  lt_file *f = NULL;
  *bytes = 0;
  leat_status st = lt_file_open(rt, path, LEAT_FILE_READ, &f, err);
  if (!st) st = lt_file_size(f, bytes, err);
  (void)lt_file_close(f, NULL);
  return st;
}

static leat_status part_wrong(const char *path, uint64_t has, uint64_t wants, leat_error *err) {
  return lt_fail(err, LEAT_E_FORMAT, "%s is damaged: its first record is number %llu, by its name and place it should be "
                 "%llu: a segment is missing or was renamed", path, (unsigned long long)has, (unsigned long long)wants);
}

/* The last segment for appending; one that lacks its header goes: it came to the disk before what was to be in it. */
static leat_status journal_open_tail(lt_journal *j, const lt_segments *found, uint64_t *torn, leat_error *err) {
  uint64_t k = found->n - 1, cut = UINT64_MAX;
  char *path = journal_path(j->rt, j->folder, found->at[k].number);
  int32_t hollow = 0;
  if (!path) return journal_fail_path(err);
  leat_status st = lt_segment_hollow(j->rt, path, &hollow, err);
  if (!st && hollow) {
    cut = found->at[k].number;
    st = lt_path_remove(j->rt, path, err);
    lt_free(j->rt, path);
    if (st) return st;
    if (!k) return journal_begin_part(j, cut, &j->tail, err);
    path = journal_path(j->rt, j->folder, found->at[--k].number);
    if (!path) return journal_fail_path(err);
  }
  if (!st) st = lt_reclog_append_open(j->rt, path, journal_kind, JOURNAL_VERSION, &j->tail, torn, err);
  if (!st && lt_reclog_first_sequence(j->tail) != found->at[k].number)
    st = part_wrong(path, lt_reclog_first_sequence(j->tail), found->at[k].number, err);
  if (!st && hollow && lt_reclog_next_sequence(j->tail) != cut)
    st = part_wrong(path, lt_reclog_next_sequence(j->tail), cut, err);
  lt_free(j->rt, path);
  for (uint64_t i = 0; !st && i < k; i++) {
    uint64_t bytes = 0;
    path = journal_path(j->rt, j->folder, found->at[i].number);
    st = path ? file_bytes(j->rt, path, &bytes, err) : journal_fail_path(err);
    if (!st) st = journal_add_part(j, found->at[i].number, bytes, err);
    lt_free(j->rt, path);
  }
  if (!st) st = journal_add_part(j, found->at[k].number, 0, err);
  return st;
}

leat_status lt_journal_open(leat_runtime *rt, const char *folder, uint64_t segment_bytes, lt_journal **out,
                            uint64_t *torn_bytes, leat_error *err) {
  lt_segments found;
  uint64_t torn = 0;
  *out = NULL;
  if (torn_bytes) *torn_bytes = 0;
  leat_status st = lt_segments_find(rt, folder, 'j', &found, err);
  if (st) return st;
  if (!found.n) st = lt_fail(err, LEAT_E_NOT_FOUND, "%s holds no journal", folder);
  for (uint64_t i = 0; !st && i < found.n; i++)
    if (found.at[i].generation || !found.at[i].number)
      st = lt_fail(err, LEAT_E_FORMAT, "%s holds a segment with a number that no journal has", folder);
  if (!st) st = lt_segments_tidy(&found, folder, err);
  if (!st) st = journal_start(rt, folder, segment_bytes, out, err);
  if (!st) st = journal_open_tail(*out, &found, &torn, err);
  /* a segment may be there whose entry was not synced before the crash */
  if (!st) st = lt_path_sync_folder(rt, folder, err);
  lt_segments_free(&found);
  if (st) {
    if (*out) lt_journal_close(*out);
    *out = NULL;
    return st;
  }
  (*out)->synced = lt_reclog_next_sequence((*out)->tail) - 1;
  if (torn_bytes) *torn_bytes = torn;
  return LEAT_OK;
}

static leat_status journal_usable(const lt_journal *j, leat_error *err) {
  if (j->failed)
    return lt_fail(err, LEAT_E_IO, "the journal in %s takes nothing more after a write failed: open it again", j->folder);
  return LEAT_OK;
}

/* What a failure leaves behind it: only MEMORY and RANGE are as if the call had not been made. */
static leat_status journal_judge(lt_journal *j, leat_status st) {
  if (st && st != LEAT_E_MEMORY && st != LEAT_E_RANGE) j->failed = 1;
  return st;
}

static leat_status journal_roll(lt_journal *j, leat_error *err) {
  lt_reclog *next = NULL;
  uint64_t first = lt_reclog_next_sequence(j->tail);
  leat_status st = lt_journal_sync(j, err);
  if (st) return st;
  uint64_t bytes = lt_reclog_size(j->tail);
  st = journal_begin_part(j, first, &next, err);
  if (st) return journal_judge(j, st);
  j->part[j->n - 2].bytes = bytes;
  st = lt_reclog_close(j->tail, err);
  j->tail = next;
  return journal_judge(j, st);
}

leat_status lt_journal_append(lt_journal *j, uint32_t type, const void *data, uint64_t size, uint64_t *sequence,
                              leat_error *err) {
  uint64_t number = 0;
  if (sequence) *sequence = 0;
  leat_status st = journal_usable(j, err);
  if (!st && lt_reclog_size(j->tail) >= j->segment_bytes &&
      lt_reclog_next_sequence(j->tail) > lt_reclog_first_sequence(j->tail))
    st = journal_roll(j, err);
  if (!st) st = lt_reclog_append(j->tail, type, data, size, &number, err);
  if (!st) st = lt_reclog_flush(j->tail, err);
  if (!st && sequence) *sequence = number;
  return journal_judge(j, st);
}

leat_status lt_journal_sync(lt_journal *j, leat_error *err) {
  leat_status st = journal_usable(j, err);
  if (st || j->synced == lt_reclog_next_sequence(j->tail) - 1) return st;
  const lt_timing *t = lt_runtime_timing(j->rt);
  int64_t begun = lt_timing_begin(t);
  st = lt_reclog_sync(j->tail, err);
  if (!st) lt_timing_end(t, LEAT_LATENCY_JOURNAL, begun);
  if (!st) j->synced = lt_reclog_next_sequence(j->tail) - 1;
  else j->failed = 1;
  return st;
}

uint64_t lt_journal_next(const lt_journal *j) { return lt_reclog_next_sequence(j->tail); }
uint64_t lt_journal_first(const lt_journal *j) { return j->part[0].first; }
uint64_t lt_journal_synced(const lt_journal *j) { return j->synced; }

int64_t lt_journal_bytes(const lt_journal *j) {
  uint64_t bytes = lt_reclog_size(j->tail);
  for (uint64_t i = 0; i + 1 < j->n; i++) bytes += j->part[i].bytes;
  return (int64_t)bytes;
}

/* Oldest first, and each removal is on the disk before the next one: whatever a crash brings back, there is no hole. */
leat_status lt_journal_drop(lt_journal *j, uint64_t keep, leat_error *err) {
  leat_status st = journal_usable(j, err);
  uint64_t gone = 0;
  while (!st && gone + 1 < j->n && j->part[gone + 1].first <= keep) {
    char *path = journal_path(j->rt, j->folder, j->part[gone].first);
    if (!path) {
      st = journal_fail_path(err);
      break;
    }
    st = lt_path_remove(j->rt, path, err);
    lt_free(j->rt, path);
    if (!st) gone++;
    if (!st) st = lt_path_sync_folder(j->rt, j->folder, err);
  }
  if (gone) memmove(j->part, j->part + gone, (j->n - gone) * sizeof *j->part);
  j->n -= gone;
  return st; /* a file that cannot be removed does no harm: the next call tries again */
}

void lt_journal_close(lt_journal *j) {
  if (!j) return;
  if (j->tail) (void)lt_reclog_close(j->tail, NULL);
  lt_free(j->rt, j->part);
  lt_free(j->rt, j->folder);
  lt_free(j->rt, j);
}

/* ---- reading */
struct lt_journal_reader {
  leat_runtime *rt;
  char *folder;
  lt_segments found; /* as they were when it was opened */
  uint64_t k;        /* the segment that is being read */
  uint64_t from, next;
  uint64_t limit;    /* bytes of the last segment that count */
  lt_reclog *log;
};

static leat_status reader_open_part(lt_journal_reader *r, leat_error *err) {
  uint64_t first = r->found.at[r->k].number;
  char *path = journal_path(r->rt, r->folder, first);
  if (!path) return journal_fail_path(err);
  leat_status st = lt_reclog_read_open(r->rt, path, journal_kind, JOURNAL_VERSION, &r->log, err);
  if (!st && lt_reclog_first_sequence(r->log) != first) st = part_wrong(path, lt_reclog_first_sequence(r->log), first, err);
  lt_free(r->rt, path);
  return st;
}

leat_status lt_journal_read(leat_runtime *rt, const char *folder, uint64_t from, lt_journal_reader **out,
                            leat_error *err) {
  int32_t hollow = 0;
  char *path = NULL;
  *out = NULL;
  lt_journal_reader *r = lt_zalloc(rt, sizeof *r);
  if (!r) return lt_fail_memory(err, sizeof *r, "a reader of the journal");
  r->rt = rt;
  r->from = from;
  r->folder = lt_strdup(rt, folder);
  leat_status st = r->folder ? lt_segments_find(rt, folder, 'j', &r->found, err) : journal_fail_path(err);
  if (!st && r->found.n) { /* a last one without a header: a crash, or the writer is at it */
    path = journal_path(rt, folder, r->found.at[r->found.n - 1].number);
    st = path ? lt_segment_hollow(rt, path, &hollow, err) : journal_fail_path(err);
    if (!st && hollow && r->found.n > 1) {
      r->found.n--;
      lt_free(rt, path);
      path = journal_path(rt, folder, r->found.at[r->found.n - 1].number);
      if (!path) st = journal_fail_path(err);
      hollow = 0;
    }
    if (!st && !hollow) st = file_bytes(rt, path, &r->limit, err);
  }
  if (!st && (!r->found.n || hollow || r->found.at[0].number > from))
    st = lt_fail(err, LEAT_E_NOT_FOUND, "the journal in %s does not reach back to record %llu", folder,
                 (unsigned long long)from);
  while (!st && r->k + 1 < r->found.n && r->found.at[r->k + 1].number <= from) r->k++;
  if (!st) {
    r->next = r->found.at[r->k].number;
    st = reader_open_part(r, err);
  }
  lt_free(rt, path);
  if (st) {
    lt_journal_read_close(r);
    return st;
  }
  *out = r;
  return LEAT_OK;
}

leat_status lt_journal_next_record(lt_journal_reader *r, lt_record *out, int32_t *got, leat_error *err) {
  int32_t torn = 0;
  memset(out, 0, sizeof *out);
  *got = 0;
  for (;;) {
    int last = r->k + 1 == r->found.n;
    leat_status st = lt_reclog_next(r->log, out, got, &torn, err);
    if (st) return st;
    if (*got && last && out->offset >= r->limit) *got = 0; /* came later */
    if (*got) {
      r->next = out->sequence + 1;
      if (out->sequence >= r->from) return LEAT_OK;
      continue;
    }
    if (last) {
      memset(out, 0, sizeof *out);
      return LEAT_OK;
    }
    uint64_t follows = r->found.at[r->k + 1].number;
    if (torn || r->next != follows)
      return lt_fail(err, LEAT_E_FORMAT, "the journal in %s is damaged: segment %016llx ends before record %llu, the next "
                     "one begins with %llu", r->folder, (unsigned long long)r->found.at[r->k].number,
                     (unsigned long long)r->next, (unsigned long long)follows);
    (void)lt_reclog_close(r->log, NULL);
    r->log = NULL;
    r->k++;
    st = reader_open_part(r, err);
    if (st) return st;
  }
}

void lt_journal_read_close(lt_journal_reader *r) {
  if (!r) return;
  if (r->log) (void)lt_reclog_close(r->log, NULL);
  lt_segments_free(&r->found);
  lt_free(r->rt, r->folder);
  lt_free(r->rt, r);
}
