/* Publishing a table: verified, copied into the store, compared with the generation before, then named by one record. A
 * process that dies on the way leaves a file that nothing names; the generation before goes on answering. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/number.h"
#include "lifecycle/folder_inner.h"
#include "lifecycle/tables.h"
#include "model/profiles.h"
#include "stats/drift.h"

enum { SINCE_0_1 = 1 << 8, COPY_BYTES = 1 << 20, SAMPLE_ROWS = 65536, SAMPLE_NUMBERS = 1 << 20, COUNT_ROWS = 256, TRIES = 10 };
static const lt_param_def publish_defs[] = {
    {"force", LEAT_PARAM_BOOL, "false", 0, 0, NULL, "publish whatever the comparison with the generation before says", SINCE_0_1},
    {"max_row_drop", LEAT_PARAM_F64, "0.1", 0, 1, NULL, "refuse when a larger share of the rows is gone", SINCE_0_1},
    {"max_psi", LEAT_PARAM_F64, "0.25", 0, 1e6, NULL,
     "refuse when the psi of any value against the generation before is above, where the number of rows does not ask for more",
     SINCE_0_1},
    {"alpha", LEAT_PARAM_F64, "0.001", 1e-12, 0.5, NULL,
     "chance that a table of few rows from the same predictions is refused for its psi, over all values", SINCE_0_1},
};
const lt_spec lt_table_publish_spec = {"table/publish", "Publishing a table of predictions in a store.", publish_defs,
                                       (int64_t)(sizeof publish_defs / sizeof publish_defs[0])};

typedef struct publish_run {
  leat_store *s;
  const char *name;
  leat_params *settings, *read;
  leat_table *t;                    /* the new one */
  leat_table_info info;
  char *temporary;
  lt_file *lock;                    /* tables/LOCK: keeps gc away from the temporary */
  leat_publish_report report;
} publish_run;

/* ---- the comparison */

typedef struct publish_scan { leat_table_reader *r; leat_table_info info; uint8_t *key; float *value; } publish_scan;

static leat_status scan_begin(leat_runtime *rt, leat_table *t, publish_scan *c, leat_error *err) {
  memset(c, 0, sizeof *c);
  c->info.struct_size = sizeof c->info;
  leat_status st = lt_table_info(t, &c->info, err);
  if (st) return st;
  c->key = lt_alloc(rt, (uint64_t)c->info.key_bytes + 8);
  c->value = lt_array(rt, (uint64_t)c->info.values, sizeof *c->value);
  if (!c->key || !c->value) return lt_fail_memory(err, (uint64_t)c->info.values * sizeof *c->value, "a comparison");
  return lt_table_reader_create(t, 0, &c->r, err);
}

static void scan_end(leat_runtime *rt, publish_scan *c) {
  lt_table_reader_free(c->r);
  lt_free(rt, c->key);
  lt_free(rt, c->value);
}

static leat_status scan_next(publish_scan *c, int32_t *got, leat_error *err) {
  uint64_t needed;
  leat_status st = lt_table_reader_next(c->r, c->key, (uint64_t)c->info.key_bytes + 8, &needed, c->value, (uint64_t)c->info.values, err);
  *got = st == LEAT_OK;
  return st == LEAT_E_NOT_FOUND ? LEAT_OK : st;
}

/* A reference profile of each value, with cells from a sample of the rows, evenly spread. */
static leat_status profiles_make(leat_runtime *rt, leat_table *t, lt_profile **profile, leat_error *err) {
  publish_scan c;
  double *sample = NULL;
  int32_t got = 1;
  leat_status st = scan_begin(rt, t, &c, err);
  int64_t k = c.info.values, most = k ? SAMPLE_NUMBERS / k : 0, n = 0;
  most = most < 256 ? 256 : most > SAMPLE_ROWS ? SAMPLE_ROWS : most;
  if (!st && !(sample = lt_array(rt, (uint64_t)(most * k), sizeof *sample)))
    st = lt_fail_memory(err, (uint64_t)(most * k) * sizeof *sample, "a comparison");
  int64_t step = (c.info.rows + most - 1) / most;
  for (int64_t row = 0; !st && row < c.info.rows; row++) {
    st = scan_next(&c, &got, err);
    if (st || !got || row % step) continue;
    for (int64_t i = 0; i < k; i++) sample[i * most + n] = (double)c.value[i];
    n++;
  }
  for (int64_t i = 0; i < k && !st; i++) {
    st = lt_profile_number(rt, c.info.value_names[i], sample + i * most, n, &profile[i], err);
    if (!st) lt_profile_clear(profile[i]);
  }
  lt_free(rt, sample);
  scan_end(rt, &c);
  return st;
}

static leat_status profiles_count(leat_runtime *rt, leat_table *t, lt_profile **profile, leat_error *err) {
  publish_scan c;
  int32_t got = 1;
  int64_t n = 0;
  leat_status st = scan_begin(rt, t, &c, err);
  double *wait = st ? NULL : lt_array(rt, (uint64_t)c.info.values * COUNT_ROWS, sizeof *wait);
  if (!st && !wait) st = lt_fail_memory(err, (uint64_t)c.info.values * COUNT_ROWS * sizeof *wait, "a comparison");
  while (!st && got) {
    st = scan_next(&c, &got, err);
    for (int64_t i = 0; !st && got && i < c.info.values; i++) wait[i * COUNT_ROWS + n] = (double)c.value[i];
    n += got;
    if (!st && (n == COUNT_ROWS || !got)) {
      for (int64_t i = 0; i < c.info.values; i++) lt_profile_add_many(profile[i], wait + i * COUNT_ROWS, n);
      n = 0;
    }
  }
  lt_free(rt, wait);
  scan_end(rt, &c);
  return st;
}

/* The value whose psi is furthest above its limit, into the report. */
static leat_status profiles_judge(publish_run *p, lt_profile *const *old, lt_profile *const *now, int64_t n, leat_error *err) {
  double worst = -1;
  for (int64_t i = 0; i < n; i++) {
    lt_drift d;
    leat_status st = lt_profile_drift(old[i], now[i], lt_param_real(p->settings, "alpha") / (double)n, &d, err);
    if (st) return st;
    double floor = lt_param_real(p->settings, "max_psi"), limit = d.limit > floor ? d.limit : floor;
    if (!(d.psi / (limit + 1e-9) > worst)) continue;
    worst = d.psi / (limit + 1e-9);
    p->report.psi = d.psi;
    p->report.psi_limit = limit;
    snprintf(p->report.value, sizeof p->report.value, "%s", lt_profile_name(old[i]));
  }
  return LEAT_OK;
}

static leat_status publish_psi(publish_run *p, leat_table *old, leat_error *err) {
  leat_runtime *rt = p->s->rt;
  int64_t n = p->info.values;
  lt_profile **a = lt_zarray(rt, (uint64_t)n, sizeof(lt_profile *)), **b = lt_zarray(rt, (uint64_t)n, sizeof(lt_profile *));
  leat_status st = a && b ? LEAT_OK : lt_fail_memory(err, (uint64_t)n * sizeof *a, "a comparison");
  if (!st) st = profiles_make(rt, old, a, err);
  for (int64_t i = 0; i < n && !st; i++) st = lt_profile_clone(rt, a[i], 0, &b[i], err);
  if (!st) st = profiles_count(rt, old, a, err);
  if (!st) st = profiles_count(rt, p->t, b, err);
  if (!st) st = profiles_judge(p, a, b, n, err);
  for (int64_t i = 0; i < n; i++) {
    if (a) lt_profile_free(a[i]);
    if (b) lt_profile_free(b[i]);
  }
  lt_free(rt, a);
  lt_free(rt, b);
  return st;
}

/* To three decimals. */
static const char *publish_text(double v, char buf[40]) {
  int n = lt_f64_text(floor(v * 1000 + 0.5) / 1000, buf);
  buf[n] = 0;
  return buf;
}

/* Is the new table one that may take the old one's place? */
static leat_status publish_judge(publish_run *p, const lt_table_entry *before, leat_error *err) {
  leat_publish_report *r = &p->report;
  leat_table *old = NULL;
  leat_table_info info = {.struct_size = sizeof info};
  char a[40], b[40];
  int force = (int)lt_param_int(p->settings, "force");
  r->previous_generation = before->number;
  r->previous_rows = before->rows;
  leat_status st = lt_tables_open(p->s, p->name, before, p->read, &old, err);
  if (!st) st = lt_table_info(old, &info, err);
  if (!st && (strcmp(info.key_type, p->info.key_type) != 0 || info.values != p->info.values))
    st = lt_fail(err, LEAT_E_SHAPE, "table '%s' has keys of type %s and %lld values a key, the new one %s and %lld: readers would not "
                 "understand it; publish it under another name, or by force", p->name, info.key_type, (long long)info.values,
                 p->info.key_type, (long long)p->info.values);
  else if (!st && info.rows && p->info.rows) st = publish_psi(p, old, err);
  lt_table_free(old);
  if (st) return force && st != LEAT_E_MEMORY ? LEAT_OK : st; /* whatever is wrong with the old one */
  double drop = lt_param_real(p->settings, "max_row_drop");
  if (!force && (double)p->info.rows < (double)info.rows * (1 - drop))
    return lt_fail(err, LEAT_E_STATE, "table '%s': refused: it has %lld rows, the generation before has %lld: more than %s %% are gone; "
                   "publish it by force if that is right", p->name, (long long)p->info.rows, (long long)info.rows,
                   publish_text(100 * drop, a));
  if (!force && r->psi > r->psi_limit)
    return lt_fail(err, LEAT_E_STATE, "table '%s': refused: the predictions '%s' have moved: psi %s against the generation before, the "
                   "limit is %s; publish it by force if that is right", p->name, r->value, publish_text(r->psi, a),
                   publish_text(r->psi_limit, b));
  return LEAT_OK;
}

/* ---- the copy */

static leat_status publish_copy(publish_run *p, const char *path, leat_error *err) {
  leat_runtime *rt = p->s->rt;
  lt_file *from = NULL, *to = NULL;
  uint64_t size = 0;
  char name[160];
  static int64_t number;
  void *buf = lt_alloc(rt, COPY_BYTES);
  leat_status st = buf ? LEAT_OK : lt_fail_memory(err, COPY_BYTES, "a copy");
  if (!st) st = lt_folder_wait(p->s, "tables/LOCK", 1, &p->lock, err);
  if (!st) st = lt_file_open(rt, path, LEAT_FILE_READ, &from, err);
  if (!st) st = lt_file_size(from, &size, err);
  snprintf(name, sizeof name, "tables/%.63s.tmp-%lld-%lld-%lld", p->name, (long long)lt_os_process(), (long long)lt_now_ns(rt),
           (long long)__atomic_add_fetch(&number, 1, __ATOMIC_RELAXED));
  if (!st && !(p->temporary = lt_folder_file(p->s, name))) st = lt_fail_memory(err, sizeof name, "a path");
  if (!st) st = lt_file_open(rt, p->temporary, LEAT_FILE_WRITE | LEAT_FILE_CREATE | LEAT_FILE_EXCLUSIVE, &to, err);
  for (uint64_t at = 0; at < size && !st; at += COPY_BYTES) {
    uint64_t n = size - at < COPY_BYTES ? size - at : COPY_BYTES;
    st = lt_file_read(from, at, buf, n, err);
    if (!st) st = lt_file_write(to, at, buf, n, err);
  }
  if (!st) st = lt_file_sync(to, err);
  leat_status closed = lt_file_close(to, st ? NULL : err);
  (void)lt_file_close(from, NULL);
  lt_free(rt, buf);
  return st ? st : closed;
}

/* The file is verified where it lies, so that damage is told by its name; the copy, because it is what will be read. */
static leat_status publish_take(publish_run *p, const char *path, leat_error *err) {
  leat_runtime *rt = p->s->rt;
  leat_table *given = NULL;
  leat_table_info info = {.struct_size = sizeof info};
  leat_status st = lt_tables_open_file(rt, path, p->read, &given, err);
  if (!st) st = lt_table_info(given, &info, err);
  if (!st) st = publish_copy(p, path, err);
  if (!st) st = lt_tables_open_file(rt, p->temporary, p->read, &p->t, err);
  p->info.struct_size = sizeof p->info;
  if (!st) st = lt_table_info(p->t, &p->info, err);
  if (!st && strcmp(info.checksum, p->info.checksum) != 0)
    st = lt_fail(err, LEAT_E_STATE, "%s was changed while it was copied: publish it again", path);
  if (!st) p->report.rows = p->info.rows;
  lt_table_free(given);
  return st;
}

/* ---- the record */

static leat_status publish_rename(publish_run *p, int64_t number, leat_error *err) {
  char file[96];
  leat_store *s = p->s;
  lt_folder_table_file(p->name, number, file);
  char *path = lt_folder_file(s, file), *folder = lt_folder_file(s, "tables");
  leat_status st = path && folder ? LEAT_OK : lt_fail_memory(err, strlen(s->path) + sizeof file, "a path");
  if (!st) st = lt_path_rename(s->rt, p->temporary, path, err); /* over what a crash may have left there */
  if (!st) {
    lt_free(s->rt, p->temporary);
    p->temporary = NULL;
    st = lt_path_sync_folder(s->rt, folder, err);
  }
  lt_free(s->rt, path);
  lt_free(s->rt, folder);
  return st;
}

/* Inside a change. */
static leat_status publish_commit(publish_run *p, leat_error *err) {
  leat_store *s = p->s;
  const lt_table_line *l = lt_manifest_table(&s->now, p->name);
  lt_put w;
  lt_table_entry e = {.number = l ? l->newest + 1 : 1, .rows = p->info.rows, .bytes = p->info.bytes, .time_ns = lt_now_ns(s->rt),
                      .psi = p->report.psi, .flags = lt_param_int(p->settings, "force") ? LEAT_PUBLISHED_FORCED : 0};
  snprintf(e.checksum, sizeof e.checksum, "%s", p->info.checksum);
  snprintf(e.model, sizeof e.model, "%s", p->info.model_checksum);
  if (!l && s->now.n_tables >= LT_TABLES_MOST)
    return lt_fail(err, LEAT_E_STATE, "the store has %d published tables already, which is the most", LT_TABLES_MOST);
  leat_status st = publish_rename(p, e.number, err);
  if (st) return st;
  lt_put_init(&w, s->rt);
  lt_manifest_head(&s->now, &w, 1, e.time_ns);
  lt_put_text(&w, p->name);
  lt_manifest_put_table(&w, &e);
  lt_put_u64(&w, (uint64_t)s->keep_tables);
  st = lt_folder_commit(s, LT_M_TABLE, &w, err);
  lt_put_free(&w);
  if (st) return st;
  p->report.generation = e.number;
  if (!s->stale) lt_tables_tidy(s, p->name);
  return LEAT_OK;
}

static int64_t publish_now(leat_store *s, const char *name, lt_table_entry *e) { /* inside a change */
  const lt_table_line *l = lt_manifest_table(&s->now, name);
  if (!l) return 0;
  *e = l->entry[l->n - 1];
  return e->number;
}

/* Compared without the lock, so another process may publish meanwhile: then again. */
static leat_status publish_decide(publish_run *p, leat_error *err) {
  leat_store *s = p->s;
  leat_status st = LEAT_OK;
  for (int tries = 0; !st; tries++) {
    lt_change c = {0};
    lt_table_entry before = {.number = 0}, now;
    st = lt_folder_enter(s, err);
    if (st) return st;
    (void)publish_now(s, p->name, &before);
    lt_folder_leave(s);
    p->report.psi = p->report.psi_limit = NAN;
    p->report.previous_generation = p->report.previous_rows = 0;
    p->report.value[0] = 0;
    if (before.number && (st = publish_judge(p, &before, err)) != 0) {
      if (st != LEAT_E_NOT_FOUND || tries >= TRIES || lt_tables_still(s, p->name, before.number)) return st;
      st = LEAT_OK;
      continue;
    }
    st = lt_folder_begin(s, &c, err);
    if (st) return st;
    int same = publish_now(s, p->name, &now) == before.number;
    if (same) st = publish_commit(p, err);
    lt_folder_end(s, &c);
    if (same || st) return st;
    if (tries >= TRIES) return lt_fail(err, LEAT_E_BUSY, "table '%s' keeps being changed by others", p->name);
  }
  return st;
}

leat_status lt_tables_publish(leat_store *s, const char *name, const char *path, const leat_params *given,
                              leat_publish_report *report, leat_error *err) {
  publish_run p = {.s = s, .name = name};
  lt_change c = {0};
  p.report.struct_size = sizeof p.report;
  p.report.psi = p.report.psi_limit = NAN;
  if (report) *report = p.report;
  if (given && lt_params_spec(given) != &lt_table_publish_spec)
    return lt_fail(err, LEAT_E_ARG, "the parameters are of '%s', publishing takes those of 'table/publish'", lt_params_spec(given)->name);
  leat_status st = lt_tables_check_name(name, err);
  if (!st && s->read_only) return lt_folder_begin(s, &c, err);
  if (!st) st = given ? lt_params_copy(given, &p.settings, err) : lt_params_create(s->rt, &lt_table_publish_spec, &p.settings, err);
  if (!st) st = lt_tables_params(s->rt, &p.read, err);
  if (!st) st = publish_take(&p, path, err);
  if (!st) st = publish_decide(&p, err);
  lt_table_free(p.t);
  if (p.temporary) (void)lt_path_remove(s->rt, p.temporary, NULL);
  lt_free(s->rt, p.temporary);
  if (p.lock) (void)lt_file_lock(p.lock, 0, NULL);
  (void)lt_file_close(p.lock, NULL);
  lt_params_free(p.read);
  lt_params_free(p.settings);
  if (report) *report = p.report;
  return st;
}
