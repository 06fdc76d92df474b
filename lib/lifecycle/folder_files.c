/* The files of a store as files: listing, verifying each by its kind, removing what nothing needs. */
#include "lifecycle/folder_inner.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/sealed.h"
#include "lifecycle/segment.h"

/* ---- listing */

typedef struct names_list { lt_put text; uint64_t n; } names_list;

static void names_add(void *arg, const char *name) {
  names_list *l = arg;
  lt_put_raw(&l->text, name, strlen(name) + 1);
  l->n++;
}

static int names_compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

leat_status lt_folder_names(const leat_store *s, const char *name, char ***names, uint64_t *n, leat_error *err) {
  names_list l = {.n = 0};
  *names = NULL;
  *n = 0;
  lt_put_init(&l.text, s->rt);
  char *path = name[0] ? lt_folder_file(s, name) : lt_strdup(s->rt, s->path);
  if (!path) return lt_fail_memory(err, strlen(s->path) + strlen(name) + 2, "a path");
  leat_status st = lt_path_list(s->rt, path, names_add, &l, err);
  if (!st) st = lt_put_status(&l.text, err);
  else if (st == LEAT_E_NOT_FOUND) st = LEAT_OK, l.n = 0;
  lt_free(s->rt, path);
  uint64_t heads = l.n * sizeof(char *);
  char **list = st ? NULL : lt_alloc(s->rt, heads + l.text.size);
  if (!st && !list) st = lt_fail_memory(err, heads + l.text.size, "a list of files");
  if (!st) {
    char *text = (char *)list + heads;
    if (l.text.size) memcpy(text, l.text.data, l.text.size);
    for (uint64_t i = 0; i < l.n; i++) {
      list[i] = text;
      text += strlen(text) + 1;
    }
    if (l.n) qsort(list, l.n, sizeof *list, names_compare);
    *names = list;
    *n = l.n;
  }
  lt_put_free(&l.text);
  return st;
}

/* What lt_file_replace leaves when it is killed. */
static int is_temporary(const char *name) { return strstr(name, ".tmp-") != NULL; }

/* ---- verifying */

static leat_status verify_versions(leat_store *s, leat_error *err) {
  leat_status st = LEAT_OK;
  for (int64_t v = 1; !st; v++) {
    leat_version_info info;
    leat_model *m = NULL;
    st = lt_folder_version(s, v, &info, err);
    if (st == LEAT_E_NOT_FOUND) return LEAT_OK;
    if (!st && info.flags & LEAT_VERSION_REMOVED) continue;
    if (!st) st = lt_folder_load(s, v, &m, err);
    lt_model_free(m);
    if (st == LEAT_E_NOT_FOUND) st = LEAT_OK; /* the ring went on meanwhile */
  }
  return st;
}

static leat_status verify_sealed(leat_runtime *rt, const char *path, leat_error *err) {
  static const char any_kind[4] = {0};
  lt_sealed *f = NULL;
  leat_status st = lt_sealed_open(rt, path, any_kind, UINT32_MAX, 0, &f, err);
  for (int64_t i = 0; !st && i < lt_sealed_count(f); i++) {
    const char *name;
    const void *data;
    uint64_t stored, raw, size;
    int32_t codec;
    st = lt_sealed_info(f, i, &name, &stored, &raw, &codec, err);
    if (!st) st = lt_sealed_section(f, name, &data, &size, err);
  }
  lt_sealed_free(f);
  return st;
}

static leat_status verify_log(leat_runtime *rt, const char *path, const char kind[4], int may_be_torn, leat_error *err) {
  lt_reclog *l = NULL;
  lt_record rec;
  int32_t got = 1, torn = 0;
  leat_status st = lt_reclog_read_open(rt, path, kind, UINT32_MAX, &l, err);
  while (!st && got) st = lt_reclog_next(l, &rec, &got, &torn, err);
  if (!st && torn && !may_be_torn)
    st = lt_fail(err, LEAT_E_FORMAT, "%s is damaged: it ends in the middle of a record; restore it from a copy", path);
  (void)lt_reclog_close(l, NULL);
  return st;
}

/* Is it a log? Its kind then stands at head + 8. */
static int is_log(const uint8_t head[12]) { return memcmp(head + 1, "LLOG\r\n\x1a", 7) == 0; }

static leat_status file_begins(leat_runtime *rt, const char *path, uint8_t head[12], leat_error *err) {
  uint64_t done = 0;
  lt_file *f = NULL;
  memset(head, 0, 12);
  leat_status st = lt_file_open(rt, path, LEAT_FILE_READ, &f, err);
  if (!st) st = lt_file_read_some(f, 0, head, 12, &done, err);
  (void)lt_file_close(f, NULL);
  return st;
}

/* Logs of the learner: the newest writing of each segment; only the last one may be torn, or not begun. */
static leat_status verify_segments(leat_store *s, const char *part, char prefix, leat_error *err) {
  lt_segments list;
  uint8_t head[12];
  char *folder = lt_folder_file(s, part);
  if (!folder) return lt_fail_memory(err, strlen(s->path) + 16, "a path");
  leat_status st = lt_segments_find(s->rt, folder, prefix, &list, err);
  if (st == LEAT_E_NOT_FOUND) st = LEAT_OK;
  for (uint64_t i = 0; i < list.n && !st; i++) {
    int32_t hollow = 0;
    int last = i + 1 == list.n;
    if (!last && list.at[i + 1].number == list.at[i].number) continue;
    char *path = lt_segment_path(s->rt, folder, prefix, list.at[i], "");
    if (!path) st = lt_fail_memory(err, strlen(folder) + 64, "a path");
    if (!st && last) st = lt_segment_hollow(s->rt, path, &hollow, err);
    if (!st && !hollow) st = file_begins(s->rt, path, head, err);
    if (!st && !hollow) st = verify_log(s->rt, path, (const char *)head + 8, last, err);
    if (st == LEAT_E_NOT_FOUND) st = LEAT_OK; /* removed since it was listed */
    lt_free(s->rt, path);
  }
  lt_segments_free(&list);
  lt_free(s->rt, folder);
  return st;
}

/* Tables by their first bytes; a file of no kind of ours is somebody else's. */
static leat_status verify_tables(leat_store *s, leat_error *err) {
  char **names, name[300];
  uint64_t n;
  uint8_t head[12];
  leat_status st = lt_folder_names(s, "tables", &names, &n, err);
  for (uint64_t i = 0; i < n && !st; i++) {
    if (is_temporary(names[i]) || strlen(names[i]) > 255) continue;
    snprintf(name, sizeof name, "tables/%s", names[i]);
    char *path = lt_folder_file(s, name);
    if (!path) st = lt_fail_memory(err, strlen(s->path) + sizeof name, "a path");
    if (!st) st = file_begins(s->rt, path, head, err);
    if (!st && memcmp(head + 1, "LEAT\r\n\x1a", 7) == 0) st = verify_sealed(s->rt, path, err);
    else if (!st && is_log(head)) st = verify_log(s->rt, path, (const char *)head + 8, 0, err);
    if (st == LEAT_E_NOT_FOUND) st = LEAT_OK;
    lt_free(s->rt, path);
  }
  lt_free(s->rt, names);
  return st;
}

static leat_status verify_checkpoints(leat_store *s, leat_error *err) {
  leat_status st = LEAT_OK;
  for (int64_t i = 0; i < 2 && !st; i++) {
    lt_checkpoint c, again;
    st = lt_folder_checkpoint_at(s, i, &c, NULL);
    if (st == LEAT_E_NOT_FOUND) return LEAT_OK;
    if (st) return lt_folder_checkpoint_at(s, i, &c, err);
    char name[96];
    snprintf(name, sizeof name, "learner/%s", c.name);
    char *path = lt_folder_file(s, name);
    if (!path) return lt_fail_memory(err, strlen(s->path) + sizeof name, "a path");
    st = verify_sealed(s->rt, path, err);
    if (st == LEAT_E_NOT_FOUND) { /* a learner at work may have gone on since */
      st = lt_folder_checkpoint_at(s, i, &again, err);
      if (!st && strcmp(again.name, c.name) == 0)
        st = lt_fail(err, LEAT_E_FORMAT, "%s is missing: it is a checkpoint of the learner; restore it from a copy", path);
    }
    lt_free(s->rt, path);
  }
  return st;
}

leat_status lt_folder_verify(leat_store *s, leat_error *err) {
  leat_status st = lt_folder_manifest_read(s, err);
  if (!st) st = verify_versions(s, err);
  if (!st) st = verify_checkpoints(s, err);
  if (!st) st = verify_segments(s, "journal", 'j', err);
  if (!st) st = verify_segments(s, "quarantine", 'q', err);
  if (!st) st = verify_tables(s, err);
  if (!st) st = lt_folder_verify_tables(s, err);
  return st;
}

/* ---- removing what nothing needs */

static leat_status gc_remove_path(leat_store *s, const char *path, int64_t *bytes, leat_error *err) {
  lt_file *f = NULL;
  uint64_t size = 0;
  if (lt_file_open(s->rt, path, LEAT_FILE_READ, &f, NULL) == LEAT_OK) (void)lt_file_size(f, &size, NULL);
  (void)lt_file_close(f, NULL);
  leat_status st = lt_path_remove(s->rt, path, err);
  if (!st) *bytes += (int64_t)size;
  return st;
}

leat_status lt_folder_gc_remove(leat_store *s, const char *folder, const char *name, int64_t *bytes, leat_error *err) {
  lt_put w;
  lt_put_init(&w, s->rt);
  lt_put_raw(&w, folder, strlen(folder));
  if (folder[0]) lt_put_raw(&w, "/", 1);
  lt_put_raw(&w, name, strlen(name) + 1);
  leat_status st = lt_put_status(&w, err);
  char *path = st ? NULL : lt_folder_file(s, (const char *)w.data);
  lt_put_free(&w);
  if (st) return st;
  if (!path) return lt_fail_memory(err, strlen(s->path) + strlen(name), "a path");
  st = gc_remove_path(s, path, bytes, err);
  lt_free(s->rt, path);
  return st;
}

/* "v-12.leat" -> 12, else 0 */
static int64_t gc_version(const char *name) {
  int64_t v = 0;
  if (strncmp(name, "v-", 2) != 0) return 0;
  const char *p = name + 2;
  for (; *p >= '0' && *p <= '9' && v < INT64_MAX / 10 - 1; p++) v = v * 10 + (*p - '0');
  return strcmp(p, ".leat") == 0 ? v : 0;
}

leat_status lt_folder_lock_file(const leat_store *s, const char *name, lt_file **out, leat_error *err) {
  *out = NULL;
  char *path = lt_folder_file(s, name);
  if (!path) return lt_fail_memory(err, strlen(s->path) + strlen(name) + 2, "a path");
  leat_status st = lt_file_open(s->rt, path, LEAT_FILE_READ | LEAT_FILE_WRITE | LEAT_FILE_CREATE, out, err);
  lt_free(s->rt, path);
  return st;
}

static leat_status gc_models(leat_store *s, int64_t *bytes, leat_error *err) {
  char **names;
  uint64_t n;
  lt_file *lock = NULL;
  leat_status st = lt_folder_lock_file(s, "models/LOCK", &lock, err);
  if (st) return st;
  int alone = lt_file_lock(lock, 2, NULL) == LEAT_OK; /* else somebody writes a package now */
  st = lt_folder_names(s, "models", &names, &n, err);
  for (uint64_t i = 0; i < n && !st; i++) {
    int64_t v = gc_version(names[i]);
    const lt_entry *e = lt_manifest_entry(&s->now, v);
    int gone = e && e->flags & LEAT_VERSION_REMOVED;
    int unknown = (v && !e) || strncmp(names[i], "new-", 4) == 0 || is_temporary(names[i]);
    if (gone || (alone && unknown)) st = lt_folder_gc_remove(s, "models", names[i], bytes, err);
  }
  lt_free(s->rt, names);
  if (alone) (void)lt_file_lock(lock, 0, NULL);
  (void)lt_file_close(lock, NULL);
  return st;
}

/* Segments whose records are all before what the two checkpoints need. */
static leat_status gc_journal(leat_store *s, int64_t *bytes, leat_error *err) {
  lt_segments list;
  uint64_t keep = 0;
  for (int64_t i = 0; i < s->now.n_checkpoints; i++)
    if (!i || s->now.checkpoint[i].keep < keep) keep = s->now.checkpoint[i].keep;
  char *folder = lt_folder_file(s, "journal");
  if (!folder) return lt_fail_memory(err, strlen(s->path) + 16, "a path");
  leat_status st = lt_segments_find(s->rt, folder, 'j', &list, err);
  if (st == LEAT_E_NOT_FOUND) st = LEAT_OK;
  for (uint64_t i = 0; i + 1 < list.n && !st && list.at[i + 1].number <= keep; i++) {
    char *path = lt_segment_path(s->rt, folder, 'j', list.at[i], "");
    if (!path) st = lt_fail_memory(err, strlen(folder) + 64, "a path");
    else st = gc_remove_path(s, path, bytes, err);
    if (!st) st = lt_path_sync_folder(s->rt, folder, err); /* each one before the next: a crash brings no hole back */
    lt_free(s->rt, path);
  }
  lt_segments_free(&list);
  lt_free(s->rt, folder);
  return st;
}

static leat_status gc_temporaries(leat_store *s, const char *folder, int64_t *bytes, leat_error *err) {
  char **names;
  uint64_t n;
  leat_status st = lt_folder_names(s, folder, &names, &n, err);
  for (uint64_t i = 0; i < n && !st; i++)
    if (is_temporary(names[i])) st = lt_folder_gc_remove(s, folder, names[i], bytes, err);
  lt_free(s->rt, names);
  return st;
}

/* Temporaries there may hold bytes of purged records: they are overwritten. Older writings of segments it wipes itself when
 * it is opened. */
static leat_status gc_quarantine(leat_store *s, leat_error *err) {
  lt_segments list;
  char *folder = lt_folder_file(s, "quarantine");
  if (!folder) return lt_fail_memory(err, strlen(s->path) + 16, "a path");
  leat_status st = lt_segments_find(s->rt, folder, 'q', &list, err);
  if (!st) st = lt_segments_tidy(&list, folder, err);
  lt_segments_free(&list);
  lt_free(s->rt, folder);
  return st == LEAT_E_NOT_FOUND ? LEAT_OK : st;
}

/* What only the learner writes: left alone while one is at work, it tidies up itself. */
static leat_status gc_learner(leat_store *s, int64_t *bytes, leat_error *err) {
  char **names = NULL;
  uint64_t n = 0;
  lt_file *lock = NULL;
  if (s->learner) return LEAT_OK;
  leat_status st = lt_folder_lock_file(s, "learner/LOCK", &lock, err);
  if (st) return st;
  if (lt_file_lock(lock, 2, NULL) == LEAT_OK) {
    st = lt_folder_names(s, "learner", &names, &n, err);
    for (uint64_t i = 0; i < n && !st; i++) {
      int64_t k = 0;
      while (k < s->now.n_checkpoints && strcmp(names[i], s->now.checkpoint[k].name) != 0) k++;
      if (k == s->now.n_checkpoints && strncmp(names[i], "c-", 2) == 0) st = lt_folder_gc_remove(s, "learner", names[i], bytes, err);
    }
    lt_free(s->rt, names);
    if (!st) st = gc_journal(s, bytes, err);
    if (!st) st = gc_temporaries(s, "journal", bytes, err);
    if (!st) st = gc_quarantine(s, err);
    (void)lt_file_lock(lock, 0, NULL);
  }
  (void)lt_file_close(lock, NULL);
  return st;
}

static leat_status gc_manifest(leat_store *s, int64_t *bytes, leat_error *err) {
  char **names;
  uint64_t n, before = 0, after = 0;
  lt_file *f = NULL;
  leat_status st = lt_folder_names(s, "", &names, &n, err);
  for (uint64_t i = 0; i < n && !st; i++)
    if (strncmp(names[i], "MANIFEST.", 9) == 0 && strcmp(names[i], "MANIFEST.lock") != 0)
      st = lt_folder_gc_remove(s, "", names[i], bytes, err);
  lt_free(s->rt, names);
  if (!st) st = lt_file_open(s->rt, s->manifest, LEAT_FILE_READ, &f, err);
  if (!st) st = lt_file_size(f, &before, err);
  (void)lt_file_close(f, NULL);
  f = NULL;
  if (!st) st = lt_folder_compact(s, err);
  if (!st) st = lt_file_open(s->rt, s->manifest, LEAT_FILE_READ, &f, err);
  if (!st) st = lt_file_size(f, &after, err);
  (void)lt_file_close(f, NULL);
  if (!st && before > after) *bytes += (int64_t)(before - after);
  return st;
}

leat_status lt_folder_gc(leat_store *s, int64_t *bytes, leat_error *err) {
  lt_change c = {0};
  int64_t freed = 0;
  if (bytes) *bytes = 0;
  leat_status st = lt_folder_begin(s, &c, err);
  if (!st) st = gc_models(s, &freed, err);
  if (!st) st = gc_learner(s, &freed, err);
  if (!st) st = lt_folder_gc_tables(s, &freed, err);
  if (!st) st = gc_manifest(s, &freed, err);
  lt_folder_end(s, &c);
  if (!st && bytes) *bytes = freed;
  return st;
}
