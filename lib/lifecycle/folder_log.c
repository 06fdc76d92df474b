/* The MANIFEST as a log that many processes write: every change takes the lock, reads what the others wrote, appends one
 * record and syncs. Compaction puts a new file in its place, which the first bytes of the path tell: each file has a first
 * sequence number of its own. */
#include <stdio.h>
#include <string.h>
#include "lifecycle/folder_inner.h"

enum { COMPACT_BYTES = 1 << 20 };
static const char *const folder_parts[] = {"models", "learner", "journal", "quarantine", "tables"};
enum { N_PARTS = (int)(sizeof folder_parts / sizeof folder_parts[0]) };

/* ---- locks between processes */

leat_status lt_folder_wait(const leat_store *s, const char *name, int64_t kind, lt_file **out, leat_error *err) {
  char *path = lt_folder_file(s, name);
  leat_status st = LEAT_OK;
  *out = NULL;
  if (!path) return lt_fail_memory(err, strlen(s->path) + strlen(name) + 2, "a path");
  /* Opened anew for each change: a lock belongs to the open file, which a forked child would share. */
  st = lt_file_open(s->rt, path, LEAT_FILE_READ | LEAT_FILE_WRITE | LEAT_FILE_CREATE, out, err);
  int64_t waited = 0, step = 200000;
  while (!st) {
    st = lt_file_lock(*out, kind, err);
    if (st != LEAT_E_BUSY) break;
    if (waited > 15000000000) {
      lt_fail(err, LEAT_E_BUSY, "%s has been locked by another process for 15 seconds: is one of them stopped?", path);
      break;
    }
    lt_sleep_ns(step);
    waited += step;
    step = step * 2 > 20000000 ? 20000000 : step * 2;
    st = LEAT_OK;
  }
  if (st) {
    (void)lt_file_close(*out, NULL);
    *out = NULL;
  }
  lt_free(s->rt, path);
  return st;
}

/* ---- reading */

static leat_status folder_head(const leat_store *s, uint8_t head[LT_MANIFEST_HEAD], leat_error *err) {
  lt_file *f = NULL;
  leat_status st = lt_file_open(s->rt, s->manifest, LEAT_FILE_READ, &f, err);
  if (st) return st;
  st = lt_file_read(f, 0, head, LT_MANIFEST_HEAD, err);
  (void)lt_file_close(f, NULL);
  return st;
}

static uint64_t folder_first_sequence(const uint8_t head[LT_MANIFEST_HEAD]) {
  uint64_t v = 0;
  for (int i = 7; i >= 0; i--) v = v << 8 | head[16 + i];
  return v;
}

static leat_status folder_follow(lt_reclog *l, lt_manifest *m, uint64_t *next, int32_t *torn, leat_error *err) {
  leat_status st = LEAT_OK;
  int32_t got = 1;
  while (!st && got) {
    lt_record rec;
    st = lt_reclog_next(l, &rec, &got, torn, err);
    if (st || !got) break;
    st = lt_manifest_apply(m, &rec, err);
    *next = rec.sequence + 1;
  }
  if (!st && m->events_due)
    st = lt_fail(err, LEAT_E_FORMAT, "%s is damaged: %llu events of its history are missing at the end; restore it from a copy",
                 m->path, (unsigned long long)m->events_due);
  return st;
}

static void folder_forget_writer(leat_store *s) {
  (void)lt_reclog_close(s->writer, NULL);
  s->writer = NULL;
}

static leat_status folder_reload(leat_store *s, const uint8_t head[LT_MANIFEST_HEAD], leat_error *err) {
  lt_manifest fresh;
  lt_reclog *l = NULL;
  uint64_t next = folder_first_sequence(head);
  int32_t torn = 0;
  lt_manifest_init(&fresh, s->rt, s->manifest);
  leat_status st = lt_reclog_read_open(s->rt, s->manifest, LT_MANIFEST_KIND, LT_MANIFEST_VERSION, &l, err);
  if (!st) st = folder_follow(l, &fresh, &next, &torn, err);
  if (st) {
    (void)lt_reclog_close(l, NULL);
    lt_manifest_free(&fresh);
    return st;
  }
  folder_forget_writer(s);
  (void)lt_reclog_close(s->reader, NULL);
  lt_manifest_free(&s->now);
  s->reader = l;
  s->now = fresh;
  s->next = next;
  s->torn = torn;
  s->stale = 0;
  memcpy(s->head, head, LT_MANIFEST_HEAD);
  return LEAT_OK;
}

static leat_status folder_catch_up(leat_store *s, leat_error *err) {
  uint8_t head[LT_MANIFEST_HEAD];
  leat_status st = folder_head(s, head, err);
  if (st == LEAT_E_NOT_FOUND && s->reader)
    return lt_fail(err, LEAT_E_FORMAT, "%s has gone: the folder was removed, or moved away", s->manifest);
  if (st) return st;
  if (!s->reader || s->stale || memcmp(head, s->head, sizeof head) != 0) return folder_reload(s, head, err);
  st = folder_follow(s->reader, &s->now, &s->next, &s->torn, err);
  if (st) s->stale = 1; /* a part of it may have been applied */
  return st;
}

leat_status lt_folder_manifest_read(const leat_store *s, leat_error *err) {
  lt_manifest fresh;
  lt_reclog *l = NULL;
  uint64_t next;
  int32_t torn;
  lt_manifest_init(&fresh, s->rt, s->manifest);
  leat_status st = lt_reclog_read_open(s->rt, s->manifest, LT_MANIFEST_KIND, LT_MANIFEST_VERSION, &l, err);
  if (!st) st = folder_follow(l, &fresh, &next, &torn, err);
  (void)lt_reclog_close(l, NULL);
  lt_manifest_free(&fresh);
  return st;
}

leat_status lt_folder_enter(leat_store *s, leat_error *err) {
  lt_mutex_lock(&s->lock);
  leat_status st = folder_catch_up(s, err);
  if (st) lt_mutex_unlock(&s->lock);
  return st;
}

void lt_folder_leave(leat_store *s) { lt_mutex_unlock(&s->lock); }

/* ---- changing */

leat_status lt_folder_begin(leat_store *s, lt_change *c, leat_error *err) {
  c->lock = NULL;
  if (s->read_only) return lt_fail(err, LEAT_E_STATE, "%s was opened read only: nothing in it can be changed", s->path);
  /* The lock first: threads that only read this handle need not wait for other processes. */
  leat_status st = lt_folder_wait(s, "MANIFEST.lock", 2, &c->lock, err);
  if (st) return st;
  st = lt_folder_enter(s, err);
  if (!st && s->rewrite && (st = lt_folder_compact(s, err)) != 0) lt_folder_leave(s);
  if (st) {
    (void)lt_file_close(c->lock, NULL);
    c->lock = NULL;
  }
  return st;
}

void lt_folder_end(leat_store *s, lt_change *c) {
  if (!c->lock) return;
  lt_folder_leave(s);
  (void)lt_file_lock(c->lock, 0, NULL);
  (void)lt_file_close(c->lock, NULL);
  c->lock = NULL;
}

/* A writer that stands where the reader stands. */
static leat_status folder_writer(leat_store *s, leat_error *err) {
  uint64_t torn = 0;
  if (s->writer && !s->torn && lt_reclog_next_sequence(s->writer) == s->next) return LEAT_OK;
  folder_forget_writer(s);
  leat_status st = lt_reclog_append_open(s->rt, s->manifest, LT_MANIFEST_KIND, LT_MANIFEST_VERSION, &s->writer, &torn, err);
  if (st) return st;
  if (torn)
    lt_log(s->rt, LEAT_LOG_WARN, "%s: %llu bytes of a change that was not finished were cut off", s->manifest,
           (unsigned long long)torn);
  if (lt_reclog_next_sequence(s->writer) == s->next) return LEAT_OK;
  folder_forget_writer(s);
  s->stale = 1;
  return lt_fail(err, LEAT_E_STATE, "%s was changed by somebody who did not hold its lock", s->manifest);
}

leat_status lt_folder_commit(leat_store *s, uint32_t type, lt_put *payload, leat_error *err) {
  leat_status st = lt_put_status(payload, err);
  if (!st) st = folder_writer(s, err);
  if (st) return st;
  st = lt_reclog_append(s->writer, type, payload->data, payload->size, NULL, err);
  if (st) return st;
  st = lt_reclog_flush(s->writer, err);
  if (!st && (st = lt_reclog_sync(s->writer, err)) != 0) s->rewrite = 1; /* a file is not written again after that */
  if (st) {
    folder_forget_writer(s);
    return st;
  }
  /* Not synced: it need not last, but where it does it turns a lost change into damage that is seen. */
  if (lt_reclog_append(s->writer, LT_M_WITNESS, "", 0, NULL, NULL) || lt_reclog_flush(s->writer, NULL))
    folder_forget_writer(s);
  uint64_t bytes = s->writer ? lt_reclog_size(s->writer) : 0;
  if (folder_catch_up(s, NULL)) s->stale = 1; /* it is made all the same */
  else if (bytes > COMPACT_BYTES && bytes / 4 > s->now.base_bytes && bytes / 2 > s->tried_bytes) {
    if (lt_folder_compact(s, NULL)) s->tried_bytes = bytes; /* it works without; not again at once */
  }
  return LEAT_OK;
}

/* The state as a new log beside the old one. */
static leat_status folder_write_base(leat_store *s, const char *path, leat_error *err) {
  lt_reclog *l = NULL;
  lt_put w;
  lt_put_init(&w, s->rt);
  leat_status st = lt_reclog_create(s->rt, path, LT_MANIFEST_KIND, LT_MANIFEST_VERSION, s->next, &l, err);
  if (st) return st;
  lt_manifest_base(&s->now, &w);
  st = lt_put_status(&w, err);
  if (!st) st = lt_reclog_append(l, LT_M_BASE, w.data, w.size, NULL, err);
  if (!st && s->now.n_tables) { /* before the events: a file that is cut lacks some of those, too */
    w.size = 0;
    lt_manifest_tables(&s->now, &w);
    st = lt_put_status(&w, err);
    if (!st) st = lt_reclog_append(l, LT_M_TABLES, w.data, w.size, NULL, err);
  }
  for (uint64_t at = 0; !st && at < s->now.n_events;) {
    w.size = 0;
    at = lt_manifest_events(&s->now, at, &w);
    st = lt_put_status(&w, err);
    if (!st) st = lt_reclog_append(l, LT_M_EVENTS, w.data, w.size, NULL, err);
  }
  if (!st) st = lt_reclog_sync(l, err);
  if (!st) st = lt_reclog_append(l, LT_M_WITNESS, "", 0, NULL, err);
  if (!st) st = lt_reclog_sync(l, err);
  leat_status closed = lt_reclog_close(l, st ? NULL : err);
  lt_put_free(&w);
  return st ? st : closed;
}

leat_status lt_folder_compact(leat_store *s, leat_error *err) {
  if (s->next == folder_first_sequence(s->head)) return LEAT_OK; /* nothing in it */
  char *path = lt_folder_file(s, "MANIFEST.new");
  if (!path) return lt_fail_memory(err, strlen(s->path) + 16, "a path");
  (void)lt_path_remove(s->rt, path, NULL); /* of somebody who did not get to the end */
  leat_status st = folder_write_base(s, path, err);
  if (!st) st = lt_path_rename(s->rt, path, s->manifest, err);
  if (st) (void)lt_path_remove(s->rt, path, NULL);
  if (!st) {
    s->tried_bytes = 0;
    s->rewrite = 0;
    folder_forget_writer(s);
    st = lt_path_sync_folder(s->rt, s->path, err);
    if (st) s->rewrite = 1;
    leat_status read = folder_catch_up(s, st ? NULL : err);
    if (read) s->stale = 1;
    if (!st) st = read;
  }
  lt_free(s->rt, path);
  return st;
}

/* ---- the folder itself */

typedef struct folder_look { char foreign[64]; } folder_look;

static void folder_look_at(void *arg, const char *name) {
  folder_look *l = arg;
  if (strncmp(name, "MANIFEST", 8) == 0 || strcmp(name, "lost+found") == 0) return;
  for (int i = 0; i < N_PARTS; i++)
    if (strcmp(name, folder_parts[i]) == 0) return;
  snprintf(l->foreign, sizeof l->foreign, "%s", name);
}

static void folder_look_inside(void *arg, const char *name) {
  folder_look *l = arg;
  if (strcmp(name, "LOCK") != 0 && !strstr(name, ".tmp-") && strncmp(name, "new-", 4) != 0)
    snprintf(l->foreign, sizeof l->foreign, "%s", name);
}

/* Is the folder nobody else's? */
static leat_status folder_fit(const leat_store *s, leat_error *err) {
  folder_look look = {""};
  leat_status st = lt_path_list(s->rt, s->path, folder_look_at, &look, err);
  if (!st && look.foreign[0])
    st = lt_fail(err, LEAT_E_STATE, "%s holds other things ('%s'): a new store needs a folder that is empty, or not there yet",
                 s->path, look.foreign);
  return st;
}

/* Locked, without a MANIFEST: was there one before? */
static leat_status folder_is_new(const leat_store *s, leat_error *err) {
  folder_look look = {""};
  leat_status st = LEAT_OK;
  for (int i = 0; i < N_PARTS && !st; i++) {
    char *path = lt_folder_file(s, folder_parts[i]);
    if (!path) return lt_fail_memory(err, strlen(s->path) + 16, "a path");
    st = lt_path_list(s->rt, path, folder_look_inside, &look, err);
    if (st == LEAT_E_NOT_FOUND) st = LEAT_OK;
    if (!st && look.foreign[0])
      st = lt_fail(err, LEAT_E_FORMAT, "%s/MANIFEST is missing, but %s holds '%s': restore it from a copy", s->path,
                   folder_parts[i], look.foreign);
    lt_free(s->rt, path);
  }
  return st;
}

static leat_status folder_make_parts(const leat_store *s, leat_error *err) {
  leat_status st = LEAT_OK;
  for (int i = 0; i < N_PARTS && !st; i++) {
    char *path = lt_folder_file(s, folder_parts[i]);
    if (!path) return lt_fail_memory(err, strlen(s->path) + 16, "a path");
    st = lt_path_make_folder(s->rt, path, err);
    lt_free(s->rt, path);
  }
  return st;
}

static leat_status folder_make(leat_store *s, leat_error *err) {
  uint8_t head[LT_MANIFEST_HEAD];
  char *parent = lt_strdup(s->rt, s->path), *slash;
  lt_file *lock = NULL;
  lt_reclog *l = NULL;
  if (!parent) return lt_fail_memory(err, strlen(s->path), "a path");
  slash = strrchr(parent, '/');
  if (slash) slash[slash == parent] = 0;
  leat_status st = lt_path_make_folder(s->rt, s->path, err);
  if (!st) st = lt_path_sync_folder(s->rt, slash ? parent : ".", err);
  if (!st) st = folder_fit(s, err);
  if (!st) st = lt_folder_wait(s, "MANIFEST.lock", 2, &lock, err);
  if (st) goto out;
  st = folder_head(s, head, err);
  if (st != LEAT_E_NOT_FOUND) goto out; /* another process was faster */
  st = folder_is_new(s, err);
  if (!st) st = folder_make_parts(s, err); /* their names are synced with that of the MANIFEST */
  /* Numbered from the time on: a store that is removed and made again is seen to be another one. */
  int64_t now = lt_now_ns(s->rt);
  if (!st) st = lt_reclog_create(s->rt, s->manifest, LT_MANIFEST_KIND, LT_MANIFEST_VERSION, now > 0 ? (uint64_t)now : 1, &l, err);
  if (!st) st = lt_reclog_close(l, err);
out:
  (void)lt_file_close(lock, NULL);
  lt_free(s->rt, parent);
  return st;
}

leat_status lt_folder_complete(leat_store *s, int create, leat_error *err) {
  uint8_t head[LT_MANIFEST_HEAD];
  leat_status st = folder_head(s, head, err);
  if (!st) {
    if (!s->read_only) (void)folder_make_parts(s, NULL); /* copies lose empty folders; who needs one says so */
    return LEAT_OK;
  }
  if (st != LEAT_E_NOT_FOUND) return st;
  if (s->read_only || !create)
    return lt_fail(err, LEAT_E_NOT_FOUND, "%s: there is no store: it has no MANIFEST", s->path);
  return folder_make(s, err);
}
