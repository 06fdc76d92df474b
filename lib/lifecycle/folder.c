/* A store as its users see it: opening, versions, stages, history. */
#include "lifecycle/folder_inner.h"
#include "base/latency.h"
#include <stdio.h>
#include <string.h>

enum { SINCE = 0 << 16 | 1 << 8 };
static const lt_param_def store_defs[] = {
  { "create", LEAT_PARAM_BOOL, "true", 0, 0, NULL, "Make the store when it is not there; complete one that a crash left half made.",
    SINCE },
  { "read_only", LEAT_PARAM_BOOL, "false", 0, 0, NULL, "Change nothing and take no lock.", SINCE },
  { "keep_recent", LEAT_PARAM_I64, "8", 1, 1000000, NULL, "Snapshots to keep, the newest ones.", SINCE },
  { "keep_hourly", LEAT_PARAM_I64, "24", 0, 1000000, NULL, "Hours of which to keep the last snapshot.", SINCE },
  { "keep_daily", LEAT_PARAM_I64, "7", 0, 1000000, NULL, "Days (UTC) of which to keep the last snapshot.", SINCE },
  { "keep_tables", LEAT_PARAM_I64, "2", 2, LT_TABLE_STEPS, NULL, "Generations of a published table to keep, the current one among them.",
    SINCE },
};
const lt_spec lt_spec_store = { "store", "A folder with one model's versions, stages and history.", store_defs,
                                (int64_t)(sizeof store_defs / sizeof store_defs[0]) };

/* ---- life */

static leat_status folder_take_params(leat_store *s, const leat_params *given, int *create, leat_error *err) {
  leat_params *own = NULL;
  const leat_params *p = given;
  if (p && lt_params_spec(p) != &lt_spec_store)
    return lt_fail(err, LEAT_E_ARG, "the parameters are of '%s', a store takes those of 'store'", lt_params_spec(p)->name);
  if (!p) {
    leat_status st = lt_params_create(s->rt, &lt_spec_store, &own, err);
    if (st) return st;
    p = own;
  }
  *create = (int)lt_param_int(p, "create");
  s->read_only = (int)lt_param_int(p, "read_only");
  s->keep_recent = lt_param_int(p, "keep_recent");
  s->keep_hourly = lt_param_int(p, "keep_hourly");
  s->keep_daily = lt_param_int(p, "keep_daily");
  s->keep_tables = lt_param_int(p, "keep_tables");
  lt_params_free(own);
  return LEAT_OK;
}

leat_status lt_folder_open(leat_runtime *rt, const char *path, const leat_params *p, leat_store **out, leat_error *err) {
  int create = 0;
  *out = NULL;
  if (!path[0]) return lt_fail(err, LEAT_E_ARG, "path is empty; it must name a folder");
  leat_store *s = lt_zalloc(rt, sizeof *s);
  if (!s) return lt_fail_memory(err, sizeof *s, "a store");
  lt_ref_init(&s->refs);
  s->rt = rt;
  lt_runtime_ref(rt);
  if (lt_mutex_init(&s->lock)) {
    lt_runtime_unref(rt);
    lt_free(rt, s);
    return lt_fail(err, LEAT_E_MEMORY, "no memory for a lock");
  }
  leat_status st = LEAT_OK;
  uint64_t n = strlen(path);
  while (n > 1 && path[n - 1] == '/') n--;
  s->path = lt_strndup(rt, path, n);
  s->manifest = s->path ? lt_folder_file(s, "MANIFEST") : NULL;
  if (!s->manifest) st = lt_fail_memory(err, n + 16, "a path");
  if (!st) st = folder_take_params(s, p, &create, err);
  if (!st) st = lt_folder_complete(s, create, err);
  if (!st) {
    lt_manifest_init(&s->now, rt, s->manifest);
    st = lt_folder_enter(s, err);
    if (!st) lt_folder_leave(s);
  }
  if (st) lt_folder_free(s);
  else *out = s;
  return st;
}

void lt_folder_ref(leat_store *s) { lt_ref_add(&s->refs); }

void lt_folder_free(leat_store *s) {
  if (!s || !lt_ref_drop(&s->refs)) return;
  leat_runtime *rt = s->rt;
  lt_folder_unlock_learner(s);
  (void)lt_reclog_close(s->reader, NULL);
  (void)lt_reclog_close(s->writer, NULL);
  lt_manifest_free(&s->now);
  lt_mutex_destroy(&s->lock);
  lt_free(rt, s->manifest);
  lt_free(rt, s->path);
  lt_free(rt, s);
  lt_runtime_unref(rt);
}

leat_runtime *lt_folder_runtime(const leat_store *s) { return s->rt; }
const char *lt_folder_path(const leat_store *s) { return s->path; }
int lt_folder_read_only(const leat_store *s) { return s->read_only; }

char *lt_folder_file(const leat_store *s, const char *name) {
  uint64_t n = strlen(s->path), k = strlen(name);
  int slash = s->path[n - 1] != '/';
  char *path = lt_alloc(s->rt, n + k + 2);
  if (!path) return NULL;
  memcpy(path, s->path, n);
  if (slash) path[n++] = '/';
  memcpy(path + n, name, k + 1);
  return path;
}

/* ---- versions */

void lt_folder_package(int64_t version, char name[40]) { snprintf(name, 40, "models/v-%lld.leat", (long long)version); }

static void info_add_stage(leat_version_info *info, const char *name) {
  uint64_t used = strlen(info->stages), n = strlen(name);
  if (used + n + 2 > sizeof info->stages) return;
  if (used) info->stages[used++] = ',';
  memcpy(info->stages + used, name, n + 1);
}

static void folder_info(const lt_manifest *m, const lt_entry *e, leat_version_info *info) {
  memset(info, 0, sizeof *info);
  info->struct_size = sizeof *info;
  info->version = e->version;
  info->parent = e->parent;
  info->created_ns = e->created_ns;
  info->rows_learned = e->rows;
  info->row = e->row;
  info->bytes = e->bytes;
  info->flags = e->flags;
  info->loss = e->loss;
  memcpy(info->checksum, e->checksum, sizeof info->checksum);
  memcpy(info->origin, e->origin, sizeof info->origin);
  for (uint64_t i = 0; i < m->n_stages; i++)
    if (lt_manifest_staged(m, &m->stage[i], 0) == e->version) info_add_stage(info, m->stage[i].name);
  if (lt_manifest_staged(m, lt_manifest_stage(m, "production"), 1) == e->version) info_add_stage(info, "previous");
}

static leat_status folder_no_version(const lt_manifest *m, int64_t version, leat_error *err) {
  if (!m->n) return lt_fail(err, LEAT_E_NOT_FOUND, "there is no version %lld: the store has none yet", (long long)version);
  return lt_fail(err, LEAT_E_NOT_FOUND, "there is no version %lld: the store's versions go from 1 to %llu", (long long)version,
                 (unsigned long long)m->n);
}

leat_status lt_folder_generation(leat_store *s, int64_t *generation, leat_error *err) {
  *generation = 0;
  leat_status st = lt_folder_enter(s, err);
  if (st) return st;
  *generation = s->now.generation;
  lt_folder_leave(s);
  return LEAT_OK;
}

leat_status lt_folder_count(leat_store *s, int64_t *count, leat_error *err) {
  *count = 0;
  leat_status st = lt_folder_enter(s, err);
  if (st) return st;
  *count = (int64_t)s->now.n_live;
  lt_folder_leave(s);
  return LEAT_OK;
}

leat_status lt_folder_at(leat_store *s, int64_t index, leat_version_info *info, leat_error *err) {
  leat_status st = lt_folder_enter(s, err);
  if (st) return st;
  if (index < 0 || (uint64_t)index >= s->now.n_live)
    st = lt_fail(err, LEAT_E_NOT_FOUND, "there is no version at index %lld: the store has %llu", (long long)index,
                 (unsigned long long)s->now.n_live);
  else folder_info(&s->now, lt_manifest_entry(&s->now, s->now.live[index]), info);
  lt_folder_leave(s);
  return st;
}

leat_status lt_folder_version(leat_store *s, int64_t version, leat_version_info *info, leat_error *err) {
  leat_status st = lt_folder_enter(s, err);
  if (st) return st;
  const lt_entry *e = lt_manifest_entry(&s->now, version);
  if (e) folder_info(&s->now, e, info);
  else st = folder_no_version(&s->now, version, err);
  lt_folder_leave(s);
  return st;
}

leat_status lt_folder_removed(const leat_store *s, int64_t version, leat_error *err) {
  const lt_entry *e = lt_manifest_entry(&s->now, version);
  if (!e) return folder_no_version(&s->now, version, err);
  if (e->flags & LEAT_VERSION_REMOVED)
    return lt_fail(err, LEAT_E_NOT_FOUND, "version %lld was removed: only its entry is left", (long long)version);
  return LEAT_OK;
}

/* A version whose package is there, and its path. */
static leat_status folder_package_of(leat_store *s, int64_t version, leat_version_info *info, char **path, leat_error *err) {
  char name[40];
  *path = NULL;
  leat_status st = lt_folder_enter(s, err);
  if (st) return st;
  st = lt_folder_removed(s, version, err);
  if (!st) folder_info(&s->now, lt_manifest_entry(&s->now, version), info);
  lt_folder_leave(s);
  if (st) return st;
  lt_folder_package(version, name);
  *path = lt_folder_file(s, name);
  return *path ? LEAT_OK : lt_fail_memory(err, strlen(s->path) + sizeof name, "a path");
}

/* Why a package could not be read: it was removed meanwhile, or it should be there. */
static leat_status folder_package_failed(leat_store *s, int64_t version, const char *path, leat_status st, leat_error *err) {
  if (st != LEAT_E_NOT_FOUND) return st;
  if (lt_folder_enter(s, NULL) == LEAT_OK) {
    st = lt_folder_removed(s, version, err);
    lt_folder_leave(s);
    if (st) return st;
  }
  return lt_fail(err, LEAT_E_FORMAT, "%s is missing; the store has version %lld: restore it from a copy", path,
                 (long long)version);
}

static leat_status folder_check_sum(const leat_version_info *info, const char *path, const char *sum, leat_error *err) {
  if (strcmp(info->checksum, sum) == 0) return LEAT_OK;
  return lt_fail(err, LEAT_E_FORMAT, "%s is not the package of version %lld: its checksum is %s, it should be %s", path,
                 (long long)info->version, sum, info->checksum);
}

leat_status lt_folder_load(leat_store *s, int64_t version, leat_model **out, leat_error *err) {
  leat_version_info info;
  char *path, sum[40] = "";
  uint64_t needed;
  *out = NULL;
  leat_status st = folder_package_of(s, version, &info, &path, err);
  if (st) return st;
  st = lt_model_load(s->rt, path, out, err);
  if (!st) st = lt_model_get_text(*out, "checksum", sum, sizeof sum, &needed, err);
  if (!st) st = folder_check_sum(&info, path, sum, err);
  if (st) {
    lt_model_free(*out);
    *out = NULL;
    st = folder_package_failed(s, version, path, st, err);
  }
  lt_free(s->rt, path);
  return st;
}

leat_status lt_folder_export(leat_store *s, int64_t version, const char *to, leat_error *err) {
  leat_version_info info;
  leat_model *m = NULL;
  char *path;
  leat_status st = folder_package_of(s, version, &info, &path, err);
  if (st) return st;
  lt_free(s->rt, path);
  st = lt_folder_load(s, version, &m, err); /* its bytes are those of the file */
  if (!st) st = lt_model_save(m, to, err);
  lt_model_free(m);
  return st;
}

/* ---- adding */

leat_status lt_folder_put_package(leat_store *s, const leat_model *m, lt_package *out, leat_error *err) {
  static int64_t number;
  uint64_t size = 0, needed;
  char name[96];
  lt_file *f = NULL;
  memset(out, 0, sizeof *out);
  leat_status st = lt_model_get_text(m, "checksum", out->checksum, sizeof out->checksum, &needed, err);
  if (!st) st = lt_model_get_i64(m, "rows_trained", &out->rows, err);
  if (st) return st;
  const void *bytes = lt_model_package(m, &size);
  out->bytes = (int64_t)size;
  st = lt_folder_wait(s, "models/LOCK", 1, &out->lock, err);
  snprintf(name, sizeof name, "models/new-%lld-%lld-%lld.leat", (long long)lt_os_process(), (long long)lt_now_ns(s->rt),
           (long long)__atomic_add_fetch(&number, 1, __ATOMIC_RELAXED));
  if (!st && !(out->path = lt_folder_file(s, name))) st = lt_fail_memory(err, strlen(s->path) + sizeof name, "a path");
  if (!st) st = lt_file_open(s->rt, out->path, LEAT_FILE_WRITE | LEAT_FILE_CREATE | LEAT_FILE_EXCLUSIVE, &f, err);
  if (!st) {
    st = lt_file_write(f, 0, bytes, size, err);
    if (!st) st = lt_file_sync(f, err);
    leat_status closed = lt_file_close(f, st ? NULL : err);
    if (!st) st = closed;
  }
  if (st) lt_folder_end_package(s, out);
  return st;
}

leat_status lt_folder_name_package(leat_store *s, lt_package *p, int64_t version, leat_error *err) {
  char name[40];
  lt_folder_package(version, name);
  char *path = lt_folder_file(s, name), *folder = lt_folder_file(s, "models");
  leat_status st = path && folder ? LEAT_OK : lt_fail_memory(err, strlen(s->path) + sizeof name, "a path");
  if (!st) st = lt_path_rename(s->rt, p->path, path, err); /* over what a crash may have left there */
  if (!st) {
    lt_free(s->rt, p->path);
    p->path = NULL;
    st = lt_path_sync_folder(s->rt, folder, err);
  }
  lt_free(s->rt, path);
  lt_free(s->rt, folder);
  return st;
}

void lt_folder_end_package(leat_store *s, lt_package *p) {
  if (p->path) (void)lt_path_remove(s->rt, p->path, NULL);
  lt_free(s->rt, p->path);
  if (p->lock) (void)lt_file_lock(p->lock, 0, NULL);
  (void)lt_file_close(p->lock, NULL);
  memset(p, 0, sizeof *p);
}

/* A word that fits into 63 bytes and disturbs no table. */
leat_status lt_folder_check_word(const char *word, const char *what, int name, leat_error *err) {
  uint64_t n = strlen(word);
  int good = n >= 1 && n <= 63;
  for (uint64_t i = 0; i < n && good; i++) {
    unsigned char c = (unsigned char)word[i];
    int plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("._-", c) != NULL;
    good = name ? plain : c >= 32 && c != 127;
  }
  if (good) return LEAT_OK;
  if (name)
    return lt_fail(err, LEAT_E_ARG, "%s '%.70s': it must be 1 to 63 letters, digits, '.', '_' or '-'", what, word);
  return lt_fail(err, LEAT_E_ARG, "%s '%.70s': it must be 1 to 63 bytes without control characters", what, word);
}

/* The version that a model of this lineage came from; 0 when it is not of this store. */
static int64_t folder_parent(const lt_manifest *m, const char *lineage) {
  for (uint64_t i = m->n; i-- > 0 && lineage[0];)
    if (strcmp(m->entry[i].checksum, lineage) == 0) return m->entry[i].version;
  return 0;
}

leat_status lt_folder_add(leat_store *s, const leat_model *m, const char *origin, int64_t *version, leat_error *err) {
  char lineage[64] = "";
  uint64_t needed;
  lt_package pack = {0};
  lt_change c = {0};
  *version = 0;
  leat_status st = lt_folder_check_word(origin, "origin", 0, err);
  if (st) return st;
  if (s->read_only) return lt_folder_begin(s, &c, err);
  const lt_timing *t = lt_runtime_timing(s->rt);
  int64_t begun = lt_timing_begin(t);
  if (lt_model_get_text(m, "lineage", lineage, sizeof lineage, &needed, NULL)) lineage[0] = 0;
  st = lt_folder_put_package(s, m, &pack, err);
  if (!st) st = lt_folder_begin(s, &c, err);
  if (!st) {
    lt_put w;
    lt_entry e = {.version = (int64_t)s->now.n + 1, .parent = folder_parent(&s->now, lineage), .created_ns = lt_now_ns(s->rt),
                  .rows = pack.rows, .bytes = pack.bytes, .loss = __builtin_nan("")};
    memcpy(e.checksum, pack.checksum, sizeof e.checksum);
    memcpy(e.origin, origin, strlen(origin));
    lt_put_init(&w, s->rt);
    lt_manifest_head(&s->now, &w, 1, e.created_ns);
    lt_manifest_put_entry(&w, &e);
    lt_put_u64(&w, 0); /* nothing is removed for it */
    st = lt_folder_name_package(s, &pack, e.version, err);
    if (!st) st = lt_folder_commit(s, LT_M_VERSION, &w, err);
    if (!st) *version = e.version;
    lt_put_free(&w);
  }
  lt_folder_end(s, &c);
  lt_folder_end_package(s, &pack);
  if (!st) lt_timing_end(t, LEAT_LATENCY_ADD, begun);
  return st;
}

/* ---- stages */

static leat_status folder_check_stage(const char *stage, int change, leat_error *err) {
  if (change && strcmp(stage, "previous") == 0)
    return lt_fail(err, LEAT_E_ARG, "stage 'previous' follows 'production' by itself: promote to 'production', or roll it back");
  return lt_folder_check_word(stage, "stage", 1, err);
}

static leat_status folder_no_stage(const lt_manifest *m, const char *stage, leat_error *err) {
  const char *names[LT_STAGES_MOST + 3] = {"production", "testing", "previous"}, *near;
  int64_t n = 3;
  for (uint64_t i = 0; i < m->n_stages; i++) names[n++] = m->stage[i].name;
  near = lt_nearest(stage, names, n);
  if (near && strcmp(near, stage) != 0)
    return lt_fail(err, LEAT_E_NOT_FOUND, "there is no version on stage '%s'; did you mean '%s'?", stage, near);
  return lt_fail(err, LEAT_E_NOT_FOUND, "there is no version on stage '%s'", stage);
}

leat_status lt_folder_stage(leat_store *s, const char *stage, int64_t *version, leat_error *err) {
  *version = 0;
  leat_status st = folder_check_stage(stage, 0, err);
  if (!st) st = lt_folder_enter(s, err);
  if (st) return st;
  int back = strcmp(stage, "previous") == 0;
  *version = lt_manifest_staged(&s->now, lt_manifest_stage(&s->now, back ? "production" : stage), back);
  if (!*version) st = folder_no_stage(&s->now, stage, err);
  lt_folder_leave(s);
  return st;
}

static leat_status folder_check_generation(const leat_store *s, int64_t expected, leat_error *err) {
  if (expected < 0 || expected == s->now.generation) return LEAT_OK;
  return lt_fail(err, LEAT_E_STATE, "the store has changed: its generation is %lld, not %lld: look again and decide again",
                 (long long)s->now.generation, (long long)expected);
}

static leat_status folder_write_stage(leat_store *s, uint32_t type, const char *stage, int64_t version, leat_error *err) {
  lt_put w;
  lt_put_init(&w, s->rt);
  lt_manifest_head(&s->now, &w, 1, lt_now_ns(s->rt));
  lt_put_text(&w, stage);
  lt_put_i64(&w, version);
  leat_status st = lt_folder_commit(s, type, &w, err);
  lt_put_free(&w);
  return st;
}

leat_status lt_folder_promote(leat_store *s, int64_t version, const char *stage, int64_t expected, int64_t *generation,
                              leat_error *err) {
  leat_model *m = NULL;
  lt_change c = {0};
  if (generation) *generation = 0;
  leat_status st = folder_check_stage(stage, 1, err);
  if (!st && s->read_only) return lt_folder_begin(s, &c, err);
  if (!st) st = lt_folder_load(s, version, &m, err);
  lt_model_free(m);
  if (!st) st = lt_folder_begin(s, &c, err);
  if (!st) st = lt_folder_removed(s, version, err);
  if (!st) st = folder_check_generation(s, expected, err);
  if (!st) {
    const lt_stage_line *line = lt_manifest_stage(&s->now, stage);
    int64_t made = s->now.generation;
    if (!line && s->now.n_stages >= LT_STAGES_MOST)
      st = lt_fail(err, LEAT_E_STATE, "the store has %d stages already, which is the most", LT_STAGES_MOST);
    else if (lt_manifest_staged(&s->now, line, 0) != version) { /* else: done before */
      st = folder_write_stage(s, LT_M_STAGE, stage, version, err);
      made++;
    }
    if (!st && generation) *generation = made;
  }
  lt_folder_end(s, &c);
  return st;
}

/* What a rollback of the stage would lead to. */
static leat_status folder_back(const leat_store *s, const char *stage, int64_t *version, leat_error *err) {
  const lt_stage_line *line = lt_manifest_stage(&s->now, stage);
  *version = lt_manifest_staged(&s->now, line, 1);
  if (*version) return LEAT_OK;
  if (!lt_manifest_staged(&s->now, line, 0)) return folder_no_stage(&s->now, stage, err);
  return lt_fail(err, LEAT_E_NOT_FOUND, "stage '%s' had no version before that is still there: there is nothing to go back to",
                 stage);
}

leat_status lt_folder_rollback(leat_store *s, const char *stage, int64_t expected, int64_t *generation, leat_error *err) {
  lt_change c = {0};
  if (generation) *generation = 0;
  leat_status st = folder_check_stage(stage, 1, err);
  if (!st && s->read_only) return lt_folder_begin(s, &c, err);
  for (int tries = 0; !st; tries++) { /* verified without the lock, so another process may come between */
    int64_t target = 0, still = 0;
    leat_model *m = NULL;
    st = lt_folder_enter(s, err);
    if (st) break;
    st = folder_back(s, stage, &target, err);
    lt_folder_leave(s);
    if (!st) st = lt_folder_load(s, target, &m, err);
    lt_model_free(m);
    if (!st) st = lt_folder_begin(s, &c, err);
    if (!st) st = folder_check_generation(s, expected, err);
    if (!st) st = folder_back(s, stage, &still, err);
    if (!st && target == still) {
      st = folder_write_stage(s, LT_M_STAGE_BACK, stage, target, err);
      if (!st && generation) *generation = expected < 0 ? s->now.generation : expected + 1;
      break;
    }
    lt_folder_end(s, &c);
    if (!st && tries >= 9) st = lt_fail(err, LEAT_E_BUSY, "stage '%s' keeps being changed by others", stage);
  }
  lt_folder_end(s, &c);
  return st;
}

leat_status lt_folder_pin(leat_store *s, int64_t version, int64_t pinned, leat_error *err) {
  lt_change c = {0};
  leat_status st = lt_folder_begin(s, &c, err);
  if (st) return st;
  st = lt_folder_removed(s, version, err);
  uint64_t now = st ? 0 : lt_manifest_entry(&s->now, version)->flags & LEAT_VERSION_PINNED;
  if (!st && (now != 0) != (pinned != 0)) {
    lt_put w;
    lt_put_init(&w, s->rt);
    lt_manifest_head(&s->now, &w, 1, lt_now_ns(s->rt));
    lt_put_i64(&w, version);
    lt_put_u8(&w, pinned != 0);
    st = lt_folder_commit(s, LT_M_PIN, &w, err);
    lt_put_free(&w);
  }
  lt_folder_end(s, &c);
  return st;
}

leat_status lt_folder_history(leat_store *s, int64_t *cursor, leat_event *out, leat_error *err) {
  leat_status st = lt_folder_enter(s, err);
  if (st) return st;
  if (*cursor < 0 || (uint64_t)*cursor > s->now.n_events)
    st = lt_fail(err, LEAT_E_ARG, "the cursor is %lld; it begins with 0 and only this call moves it", (long long)*cursor);
  else if ((uint64_t)*cursor == s->now.n_events) st = lt_fail(err, LEAT_E_NOT_FOUND, "there are no more events now");
  else st = lt_manifest_event(&s->now, (uint64_t)*cursor, out, err);
  if (!st) ++*cursor;
  lt_folder_leave(s);
  return st;
}
