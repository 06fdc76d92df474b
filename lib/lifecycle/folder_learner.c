/* The learner's side of a store: its lock, snapshots and their ring, events, checkpoints. What a replay brings a second
 * time has a number that is known, and nothing is written. */
#include "lifecycle/folder_inner.h"
#include <stdio.h>
#include <string.h>

static const int64_t hour_ns = (int64_t)3600 * 1000000000;

leat_status lt_folder_lock_learner(leat_store *s, leat_error *err) {
  if (s->read_only) return lt_fail(err, LEAT_E_STATE, "%s was opened read only: nothing in it can be changed", s->path);
  char *path = lt_folder_file(s, "learner/LOCK");
  lt_file *f = NULL;
  if (!path) return lt_fail_memory(err, strlen(s->path) + 16, "a path");
  lt_mutex_lock(&s->lock);
  leat_status st = s->learner ? LEAT_E_BUSY : LEAT_OK;
  if (!st) {
    st = lt_file_open(s->rt, path, LEAT_FILE_READ | LEAT_FILE_WRITE | LEAT_FILE_CREATE, &f, err);
    if (!st) st = lt_file_lock(f, 2, err);
    if (st) (void)lt_file_close(f, NULL);
    else s->learner = f;
  }
  if (st == LEAT_E_BUSY)
    lt_fail(err, st, "%s has a learner at work already: one at a time learns, free it first", s->path);
  lt_mutex_unlock(&s->lock);
  lt_free(s->rt, path);
  if (st) return st;
  st = lt_folder_enter(s, err); /* what the learner before did */
  if (st) lt_folder_unlock_learner(s);
  else lt_folder_leave(s);
  return st;
}

void lt_folder_unlock_learner(leat_store *s) {
  lt_mutex_lock(&s->lock);
  lt_file *f = s->learner;
  s->learner = NULL;
  lt_mutex_unlock(&s->lock);
  if (f) (void)lt_file_lock(f, 0, NULL);
  (void)lt_file_close(f, NULL);
}

/* ---- snapshots */

static int64_t folder_find_snapshot(const lt_manifest *m, int64_t ordinal) {
  for (uint64_t i = m->n; i-- > 0 && ordinal > 0;)
    if (m->entry[i].ordinal == ordinal) return m->entry[i].version;
  return 0;
}

int64_t lt_folder_snapshot_version(leat_store *s, int64_t ordinal) {
  lt_mutex_lock(&s->lock);
  int64_t version = folder_find_snapshot(&s->now, ordinal);
  lt_mutex_unlock(&s->lock);
  return version;
}

void lt_folder_ordinals(leat_store *s, int64_t *snapshot, int64_t *event) {
  lt_mutex_lock(&s->lock);
  *snapshot = s->now.snapshot_ordinal;
  *event = s->now.event_ordinal;
  lt_mutex_unlock(&s->lock);
}

/* A place among the last `keep` spans of time, when walking from the newest on: the last one of each span has it. */
typedef struct ring_span { int64_t length, keep, last; int begun; } ring_span;
static int span_keeps(ring_span *g, int64_t time_ns) {
  int64_t which = time_ns / g->length - (time_ns % g->length < 0);
  if (g->begun && which == g->last) return 0;
  g->begun = 1;
  g->last = which;
  return g->keep-- > 0;
}

/* The snapshots that leave the ring when `fresh` comes, oldest first. */
static leat_status ring_leave(const leat_store *s, const lt_entry *fresh, const int64_t *protect, int64_t n, lt_put *w,
                              uint64_t *n_gone, int64_t **gone, leat_error *err) {
  const lt_manifest *m = &s->now;
  ring_span hours = {hour_ns, s->keep_hourly, 0, 0}, days = {24 * hour_ns, s->keep_daily, 0, 0};
  int64_t recent = s->keep_recent - 1, certified = 0;
  uint64_t most = m->n_live, k = most;
  *n_gone = 0;
  *gone = lt_array(s->rt, most, sizeof **gone);
  if (!*gone) return lt_fail_memory(err, most * sizeof **gone, "a list of versions");
  (void)span_keeps(&hours, fresh->taken_ns);
  (void)span_keeps(&days, fresh->taken_ns);
  for (uint64_t i = m->n_live; i-- > 0;) {
    const lt_entry *e = lt_manifest_entry(m, m->live[i]);
    if (!(e->flags & LEAT_VERSION_SNAPSHOT)) continue;
    int keep = recent-- > 0;
    keep |= span_keeps(&hours, e->taken_ns);
    keep |= span_keeps(&days, e->taken_ns);
    if (!certified && e->flags & LEAT_VERSION_CERTIFIED) keep = 1, certified = 1;
    keep |= (e->flags & LEAT_VERSION_PINNED) != 0;
    for (int64_t j = 0; j < n && !keep; j++) keep = protect[j] == e->version;
    if (!keep && !lt_manifest_needed(m, e->version)) (*gone)[--k] = e->version;
  }
  *n_gone = most - k;
  memmove(*gone, *gone + k, (size_t)(most - k) * sizeof **gone);
  lt_put_i64s(w, *gone, *n_gone);
  return LEAT_OK;
}

static leat_status snapshot_commit(leat_store *s, lt_package *pack, const lt_snapshot *at, const int64_t *protect, int64_t n,
                                   int64_t *version, uint64_t *n_gone, int64_t **gone, leat_error *err) {
  lt_put w;
  lt_entry e = {.version = (int64_t)s->now.n + 1, .parent = folder_find_snapshot(&s->now, s->now.snapshot_ordinal),
                .created_ns = at->time_ns ? at->time_ns : lt_now_ns(s->rt), .rows = pack->rows, .row = at->row,
                .bytes = pack->bytes, .flags = LEAT_VERSION_SNAPSHOT, .loss = at->loss, .ordinal = at->ordinal,
                .taken_ns = at->time_ns, .journal = at->journal, .origin = "snapshot"};
  memcpy(e.checksum, pack->checksum, sizeof e.checksum);
  lt_put_init(&w, s->rt);
  lt_manifest_head(&s->now, &w, 1, e.created_ns);
  lt_manifest_put_entry(&w, &e);
  leat_status st = ring_leave(s, &e, protect, n, &w, n_gone, gone, err);
  if (!st) st = lt_folder_name_package(s, pack, e.version, err);
  if (!st) st = lt_folder_commit(s, LT_M_VERSION, &w, err);
  if (!st) *version = e.version;
  lt_put_free(&w);
  return st;
}

leat_status lt_folder_snapshot(leat_store *s, const leat_model *m, const lt_snapshot *at, const int64_t *protect, int64_t n,
                               int64_t *version, leat_error *err) {
  lt_package pack = {0};
  lt_change c = {0};
  int64_t *gone = NULL;
  uint64_t n_gone = 0;
  *version = 0;
  if (at->ordinal < 1 || at->row < 0)
    return lt_fail(err, LEAT_E_ARG, "a snapshot has ordinal %lld and row %lld; they count from 1 and from 0",
                   (long long)at->ordinal, (long long)at->row);
  if ((*version = lt_folder_snapshot_version(s, at->ordinal)) != 0) return LEAT_OK;
  if (s->read_only) return lt_folder_begin(s, &c, err);
  leat_status st = lt_folder_put_package(s, m, &pack, err);
  if (!st) st = lt_folder_begin(s, &c, err);
  if (!st && at->ordinal <= s->now.snapshot_ordinal) {
    *version = folder_find_snapshot(&s->now, at->ordinal);
    if (!*version)
      st = lt_fail(err, LEAT_E_STATE, "snapshot %lld comes behind snapshot %lld, which is there already", (long long)at->ordinal,
                   (long long)s->now.snapshot_ordinal);
  } else if (!st) {
    st = snapshot_commit(s, &pack, at, protect, n, version, &n_gone, &gone, err);
  }
  for (uint64_t i = 0; i < n_gone && !st; i++) { /* committed: a file that stays is a leftover, which gc removes */
    char name[40];
    lt_folder_package(gone[i], name);
    char *path = lt_folder_file(s, name);
    if (path) (void)lt_path_remove(s->rt, path, NULL);
    lt_free(s->rt, path);
  }
  lt_folder_end(s, &c);
  lt_folder_end_package(s, &pack);
  lt_free(s->rt, gone);
  return st;
}

/* ---- events and checkpoints */

leat_status lt_folder_event(leat_store *s, int64_t ordinal, const leat_event *event, leat_error *err) {
  lt_change c = {0};
  int64_t snapshot, known;
  if (ordinal < 1) return lt_fail(err, LEAT_E_ARG, "an event has ordinal %lld; they count from 1", (long long)ordinal);
  lt_folder_ordinals(s, &snapshot, &known);
  if (ordinal <= known) return LEAT_OK;
  leat_status st = lt_folder_begin(s, &c, err);
  if (!st && ordinal > s->now.event_ordinal) {
    lt_put w;
    leat_event e = *event;
    e.name[sizeof e.name - 1] = 0;
    e.text[sizeof e.text - 1] = 0;
    e.generation = s->now.generation + 1;
    lt_put_init(&w, s->rt);
    lt_manifest_head(&s->now, &w, 1, e.time_ns ? e.time_ns : lt_now_ns(s->rt));
    lt_put_i64(&w, ordinal);
    lt_manifest_put_event(&w, &e);
    st = lt_folder_commit(s, LT_M_EVENT, &w, err);
    lt_put_free(&w);
  }
  lt_folder_end(s, &c);
  return st;
}

leat_status lt_folder_note(leat_store *s, const leat_event *event, leat_error *err) {
  lt_change c = {0};
  leat_status st = lt_folder_begin(s, &c, err);
  if (!st) {
    lt_put w;
    leat_event e = *event;
    e.name[sizeof e.name - 1] = 0;
    e.text[sizeof e.text - 1] = 0;
    e.generation = s->now.generation + 1;
    if (!e.time_ns) e.time_ns = lt_now_ns(s->rt);
    lt_put_init(&w, s->rt);
    lt_manifest_head(&s->now, &w, 1, e.time_ns);
    lt_manifest_put_event(&w, &e);
    st = lt_folder_commit(s, LT_M_NOTE, &w, err);
    lt_put_free(&w);
  }
  lt_folder_end(s, &c);
  return st;
}

/* Checkpoints that no record names any more, and what a crash left of unfinished ones: nobody else writes there. */
static void checkpoint_tidy(leat_store *s) {
  char **names = NULL;
  uint64_t n = 0;
  if (lt_folder_names(s, "learner", &names, &n, NULL)) return;
  for (uint64_t i = 0; i < n; i++) {
    int64_t k = 0;
    char name[300];
    while (k < s->now.n_checkpoints && strcmp(names[i], s->now.checkpoint[k].name) != 0) k++;
    if (k < s->now.n_checkpoints || strncmp(names[i], "c-", 2) != 0 || strlen(names[i]) > 250) continue;
    snprintf(name, sizeof name, "learner/%s", names[i]);
    char *path = lt_folder_file(s, name);
    if (path) (void)lt_path_remove(s->rt, path, NULL);
    lt_free(s->rt, path);
  }
  lt_free(s->rt, names);
}

leat_status lt_folder_checkpoint(leat_store *s, const char *name, uint64_t journal, uint64_t keep, leat_error *err) {
  lt_change c = {0};
  if (!name[0] || strlen(name) > 63 || strchr(name, '/'))
    return lt_fail(err, LEAT_E_ARG, "checkpoint '%.80s': it must be a file's name of 1 to 63 bytes", name);
  leat_status st = lt_folder_begin(s, &c, err);
  if (st) return st;
  lt_put w;
  lt_put_init(&w, s->rt);
  lt_manifest_head(&s->now, &w, 0, lt_now_ns(s->rt));
  lt_put_text(&w, name);
  lt_put_u64(&w, journal);
  lt_put_u64(&w, keep);
  st = lt_folder_commit(s, LT_M_CHECKPOINT, &w, err);
  lt_put_free(&w);
  if (!st && s->learner && !s->stale) checkpoint_tidy(s);
  lt_folder_end(s, &c);
  return st;
}

leat_status lt_folder_checkpoint_at(leat_store *s, int64_t index, lt_checkpoint *out, leat_error *err) {
  memset(out, 0, sizeof *out);
  leat_status st = lt_folder_enter(s, err);
  if (st) return st;
  if (index < 0 || index >= s->now.n_checkpoints)
    st = lt_fail(err, LEAT_E_NOT_FOUND, "the store has %lld checkpoints of a learner", (long long)s->now.n_checkpoints);
  else *out = s->now.checkpoint[index];
  lt_folder_leave(s);
  return st;
}
