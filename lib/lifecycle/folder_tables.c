/* Published tables of a store, as records of the MANIFEST and as files: which generation of a name is the current one, going
 * back to the one before, verifying, removing what nothing names. Publishing itself is in publish.c. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "lifecycle/folder_inner.h"
#include "lifecycle/tables.h"

/* ---- records */

const lt_table_line *lt_manifest_table(const lt_manifest *m, const char *name) {
  for (uint64_t i = 0; i < m->n_tables; i++)
    if (strcmp(m->table[i].name, name) == 0) return &m->table[i];
  return NULL;
}

void lt_manifest_put_table(lt_put *w, const lt_table_entry *e) {
  lt_put_i64(w, e->number);
  lt_put_i64(w, e->rows);
  lt_put_i64(w, e->bytes);
  lt_put_i64(w, e->time_ns);
  lt_put_f64(w, e->psi);
  lt_put_u64(w, e->flags);
  lt_put_text(w, e->checksum);
  lt_put_text(w, e->model);
}

static void table_get(lt_get *r, lt_table_entry *e) {
  memset(e, 0, sizeof *e);
  e->number = lt_get_i64(r);
  e->rows = lt_get_i64(r);
  e->bytes = lt_get_i64(r);
  e->time_ns = lt_get_i64(r);
  e->psi = lt_get_f64(r);
  e->flags = lt_get_u64(r);
  lt_manifest_word(r, e->checksum, sizeof e->checksum);
  lt_manifest_word(r, e->model, sizeof e->model);
  if (e->number < 1 || e->rows < 0 || e->bytes < 0) lt_get_fail(r, LEAT_E_FORMAT);
}

void lt_manifest_tables(const lt_manifest *m, lt_put *w) {
  lt_manifest_head(m, w, 0, m->time_ns);
  lt_put_u64(w, m->n_tables);
  for (uint64_t i = 0; i < m->n_tables; i++) {
    const lt_table_line *l = &m->table[i];
    lt_put_text(w, l->name);
    lt_put_i64(w, l->newest);
    lt_put_u64(w, (uint64_t)l->n);
    for (int64_t k = 0; k < l->n; k++) lt_manifest_put_table(w, &l->entry[k]);
  }
}

static leat_status table_line(lt_manifest *m, const char name[64], lt_table_line **out, leat_error *err) {
  void *p = m->table;
  leat_status st = lt_grow(m->rt, &p, &m->table_cap, m->n_tables + 1, sizeof *m->table, err);
  m->table = p;
  if (st) return st;
  *out = &m->table[m->n_tables++];
  memset(*out, 0, sizeof **out);
  memcpy((*out)->name, name, sizeof (*out)->name);
  return LEAT_OK;
}

static leat_status apply_publish(lt_manifest *m, const char name[64], lt_get *r, leat_error *err) {
  lt_table_entry e;
  lt_table_line *l = (lt_table_line *)(uintptr_t)lt_manifest_table(m, name);
  leat_status st = LEAT_OK;
  table_get(r, &e);
  uint64_t keep = lt_get_u64(r);
  if (e.number != (l ? l->newest + 1 : 1) || keep < 1 || keep > LT_TABLE_STEPS || (!l && m->n_tables >= LT_TABLES_MOST))
    lt_get_fail(r, LEAT_E_FORMAT);
  if (r->failed) return LEAT_OK;
  if (!l) st = table_line(m, name, &l, err);
  if (st) return st;
  int64_t stay = l->n < (int64_t)keep - 1 ? l->n : (int64_t)keep - 1;
  memmove(l->entry, l->entry + l->n - stay, (size_t)stay * sizeof *l->entry);
  l->entry[stay] = e;
  l->n = stay + 1;
  l->newest = e.number;
  leat_event told = lt_manifest_now(m, LEAT_EVENT_TABLE, 0);
  told.row = e.number;
  told.value = (double)e.rows;
  told.threshold = e.psi;
  memcpy(told.name, name, sizeof told.name);
  return lt_manifest_tell(m, &told, err);
}

static leat_status apply_back(lt_manifest *m, const char name[64], lt_get *r, leat_error *err) {
  lt_table_line *l = (lt_table_line *)(uintptr_t)lt_manifest_table(m, name);
  int64_t number = lt_get_i64(r);
  if (!l || l->n < 2 || l->entry[l->n - 2].number != number) lt_get_fail(r, LEAT_E_FORMAT);
  if (r->failed) return LEAT_OK;
  l->n--;
  leat_event told = lt_manifest_now(m, LEAT_EVENT_TABLE_BACK, 0);
  told.row = number;
  told.value = (double)l->entry[l->n - 1].rows;
  memcpy(told.name, name, sizeof told.name);
  return lt_manifest_tell(m, &told, err);
}

static leat_status apply_all(lt_manifest *m, lt_get *r, leat_error *err) {
  uint64_t n = lt_get_count(r, 24, LT_TABLES_MOST);
  if (m->n_tables) lt_get_fail(r, LEAT_E_FORMAT);
  for (uint64_t i = 0; i < n && !r->failed; i++) {
    char name[64];
    lt_table_line *l;
    lt_manifest_word(r, name, sizeof name);
    int64_t newest = lt_get_i64(r);
    uint64_t k = lt_get_count(r, 64, LT_TABLE_STEPS);
    if (lt_tables_check_name(name, NULL) || lt_manifest_table(m, name) || !k) lt_get_fail(r, LEAT_E_FORMAT);
    if (r->failed) return LEAT_OK;
    leat_status st = table_line(m, name, &l, err);
    if (st) return st;
    l->newest = newest;
    for (; k; k--, l->n++) {
      table_get(r, &l->entry[l->n]);
      if (l->entry[l->n].number > newest || (l->n && l->entry[l->n].number <= l->entry[l->n - 1].number))
        lt_get_fail(r, LEAT_E_FORMAT);
    }
  }
  return LEAT_OK;
}

leat_status lt_manifest_apply_table(lt_manifest *m, uint32_t type, lt_get *r, leat_error *err) {
  char name[64];
  if (type == LT_M_TABLES) return apply_all(m, r, err);
  lt_manifest_word(r, name, sizeof name);
  if (lt_tables_check_name(name, NULL)) lt_get_fail(r, LEAT_E_FORMAT); /* it becomes part of a path */
  return type == LT_M_TABLE ? apply_publish(m, name, r, err) : apply_back(m, name, r, err);
}

/* ---- files */

void lt_folder_table_file(const char *name, int64_t number, char file[96]) {
  snprintf(file, 96, "tables/%.63s-%lld.ltab", name, (long long)number);
}

leat_status lt_tables_check_name(const char *name, leat_error *err) {
  leat_status st = lt_folder_check_word(name, "table", 1, err);
  if (!st && strstr(name, ".tmp-"))
    st = lt_fail(err, LEAT_E_ARG, "table '%s': a name with '.tmp-' in it would be taken for that of a temporary file", name);
  return st;
}

leat_status lt_tables_none(const leat_store *s, const char *name, leat_error *err) {
  const char *near = NULL;
  if (!s->now.n_tables) return lt_fail(err, LEAT_E_NOT_FOUND, "%s: no table '%s': none is published yet", s->path, name);
  const char **names = lt_array(s->rt, s->now.n_tables, sizeof *names);
  for (uint64_t i = 0; names && i < s->now.n_tables; i++) names[i] = s->now.table[i].name;
  if (names) near = lt_nearest(name, names, (int64_t)s->now.n_tables);
  leat_status st = near ? lt_fail(err, LEAT_E_NOT_FOUND, "%s: no table '%s' is published; did you mean '%s'?", s->path, name, near)
                        : lt_fail(err, LEAT_E_NOT_FOUND, "%s: no table '%s' is published", s->path, name);
  lt_free(s->rt, names);
  return st;
}

leat_status lt_tables_open_file(leat_runtime *rt, const char *path, const leat_params *p, leat_table **out, leat_error *err) {
  leat_status st = lt_table_open(rt, path, p, out, err);
  if (st != LEAT_E_UNSUPPORTED || !p || !lt_param_int(p, "map")) return st;
  leat_params *q = NULL; /* the host's files cannot be mapped: read */
  st = lt_params_copy(p, &q, err);
  if (!st) st = lt_params_set_i64(q, "map", 0, err);
  if (!st) st = lt_table_open(rt, path, q, out, err);
  lt_params_free(q);
  return st;
}

leat_status lt_tables_params(leat_runtime *rt, leat_params **out, leat_error *err) {
  leat_status st = lt_params_create(rt, &lt_table_read_spec, out, err);
  if (!st) st = lt_params_set_i64(*out, "map", 1, err);
  if (!st) st = lt_params_set_i64(*out, "verify", 1, err);
  return st;
}

leat_status lt_tables_open(leat_store *s, const char *name, const lt_table_entry *e, const leat_params *p, leat_table **out,
                           leat_error *err) {
  char file[96];
  leat_table_info info = {.struct_size = sizeof info};
  *out = NULL;
  lt_folder_table_file(name, e->number, file);
  char *path = lt_folder_file(s, file);
  if (!path) return lt_fail_memory(err, strlen(s->path) + sizeof file, "a path");
  leat_status st = lt_tables_open_file(s->rt, path, p, out, err);
  if (!st) st = lt_table_info(*out, &info, err);
  if (!st && strcmp(info.checksum, e->checksum) != 0)
    st = lt_fail(err, LEAT_E_FORMAT, "%s is not the table that was published: its checksum is %s, it should be %s; restore it "
                 "from a copy, or publish again", path, info.checksum, e->checksum);
  if (st) {
    lt_table_free(*out);
    *out = NULL;
  }
  lt_free(s->rt, path);
  return st;
}

leat_status lt_tables_count(leat_store *s, int64_t *count, leat_error *err) {
  *count = 0;
  leat_status st = lt_folder_enter(s, err);
  if (st) return st;
  *count = (int64_t)s->now.n_tables;
  lt_folder_leave(s);
  return LEAT_OK;
}

leat_status lt_tables_at(leat_store *s, int64_t index, leat_published_info *info, leat_error *err) {
  memset(info, 0, sizeof *info);
  info->struct_size = sizeof *info;
  leat_status st = lt_folder_enter(s, err);
  if (st) return st;
  if (index < 0 || (uint64_t)index >= s->now.n_tables)
    st = lt_fail(err, LEAT_E_NOT_FOUND, "there is no table at index %lld: %llu are published", (long long)index,
                 (unsigned long long)s->now.n_tables);
  else {
    const lt_table_line *l = &s->now.table[index];
    const lt_table_entry *e = &l->entry[l->n - 1];
    info->generation = e->number;
    info->previous = l->n > 1 ? l->entry[l->n - 2].number : 0;
    info->newest = l->newest;
    info->published_ns = e->time_ns;
    info->rows = e->rows;
    info->bytes = e->bytes;
    info->psi = e->psi;
    info->flags = e->flags;
    memcpy(info->name, l->name, sizeof info->name);
    memcpy(info->checksum, e->checksum, sizeof info->checksum);
    memcpy(info->model_checksum, e->model, sizeof info->model_checksum);
  }
  lt_folder_leave(s);
  return st;
}

/* "NAME-12.ltab" -> 12 and the line of NAME, else 0 */
static int64_t table_number(const lt_manifest *m, const char *file, const lt_table_line **line) {
  const char *dash = strrchr(file, '-');
  int64_t v = 0;
  char name[64];
  *line = NULL;
  if (!dash || dash == file || dash - file > 63) return 0;
  const char *p = dash + 1;
  for (; *p >= '0' && *p <= '9' && v < INT64_MAX / 10 - 1; p++) v = v * 10 + (*p - '0');
  if (strcmp(p, ".ltab") != 0) return 0;
  memcpy(name, file, (size_t)(dash - file));
  name[dash - file] = 0;
  *line = lt_manifest_table(m, name);
  return v;
}

/* Is it a generation of `name` (NULL: of any published table) that no record names any more? */
static int table_is_gone(const lt_manifest *m, const char *file, const char *name) {
  const lt_table_line *l;
  int64_t v = table_number(m, file, &l);
  if (!v || !l || (name && strcmp(l->name, name) != 0)) return 0;
  for (int64_t i = 0; i < l->n; i++)
    if (l->entry[i].number == v) return 0;
  return 1;
}

void lt_tables_tidy(leat_store *s, const char *name) {
  char **names;
  uint64_t n;
  int64_t bytes = 0;
  if (lt_folder_names(s, "tables", &names, &n, NULL)) return;
  for (uint64_t i = 0; i < n; i++)
    if (table_is_gone(&s->now, names[i], name)) (void)lt_folder_gc_remove(s, "tables", names[i], &bytes, NULL);
  lt_free(s->rt, names);
}

leat_status lt_folder_gc_tables(leat_store *s, int64_t *bytes, leat_error *err) {
  char **names;
  uint64_t n;
  lt_file *lock = NULL;
  leat_status st = lt_folder_lock_file(s, "tables/LOCK", &lock, err);
  if (st) return st;
  int alone = lt_file_lock(lock, 2, NULL) == LEAT_OK; /* else somebody copies a table into the store now */
  st = lt_folder_names(s, "tables", &names, &n, err);
  for (uint64_t i = 0; i < n && !st; i++)
    if (table_is_gone(&s->now, names[i], NULL) || (alone && strstr(names[i], ".tmp-")))
      st = lt_folder_gc_remove(s, "tables", names[i], bytes, err);
  lt_free(s->rt, names);
  if (alone) (void)lt_file_lock(lock, 0, NULL);
  (void)lt_file_close(lock, NULL);
  return st;
}

/* Every generation that is kept is there, and is what was published; its rows are verified with the other files. */
leat_status lt_folder_verify_tables(leat_store *s, leat_error *err) {
  lt_table_line line;
  for (uint64_t i = 0;; i++) {
    leat_status st = lt_folder_enter(s, err);
    if (st) return st;
    int more = i < s->now.n_tables;
    if (more) line = s->now.table[i];
    lt_folder_leave(s);
    if (!more) return LEAT_OK;
    for (int64_t k = 0; k < line.n; k++) {
      leat_table *t = NULL;
      st = lt_tables_open(s, line.name, &line.entry[k], NULL, &t, err);
      lt_table_free(t);
      if (st) {
        int still = lt_tables_still(s, line.name, line.entry[k].number);
        if (st == LEAT_E_NOT_FOUND && !still) continue; /* somebody has published meanwhile */
        return st != LEAT_E_NOT_FOUND ? st : lt_fail(err, LEAT_E_FORMAT, "%s: generation %lld of the table '%s' is missing: restore "
                                                     "it from a copy, or publish again", s->path, (long long)line.entry[k].number, line.name);
      }
    }
  }
}

int lt_tables_still(leat_store *s, const char *name, int64_t number) {
  int found = 0;
  if (lt_folder_enter(s, NULL)) return 1;
  const lt_table_line *l = lt_manifest_table(&s->now, name);
  for (int64_t i = 0; l && i < l->n; i++) found |= l->entry[i].number == number;
  lt_folder_leave(s);
  return found;
}

leat_status lt_tables_current(leat_store *s, const char *name, int64_t steps, lt_table_entry *out, leat_error *err) {
  leat_status st = lt_folder_enter(s, err);
  if (st) return st;
  const lt_table_line *l = lt_manifest_table(&s->now, name);
  if (!l) st = lt_tables_none(s, name, err);
  else if (l->n <= steps)
    st = lt_fail(err, LEAT_E_NOT_FOUND, "table '%s' has no generation before %lld that is still there: there is nothing to go back to",
                 name, (long long)l->entry[l->n - 1].number);
  else *out = l->entry[l->n - 1 - steps];
  lt_folder_leave(s);
  return st;
}

leat_status lt_tables_rollback(leat_store *s, const char *name, int64_t *generation, leat_error *err) {
  lt_change c = {0};
  leat_params *p = NULL;
  *generation = 0;
  leat_status st = lt_tables_check_name(name, err);
  if (!st && s->read_only) return lt_folder_begin(s, &c, err);
  if (!st) st = lt_tables_params(s->rt, &p, err);
  for (int tries = 0; !st; tries++) { /* verified without the lock, so another process may come between */
    lt_table_entry to = {.number = 0};
    leat_table *t = NULL;
    st = lt_tables_current(s, name, 1, &to, err);
    if (!st) st = lt_tables_open(s, name, &to, p, &t, err);
    lt_table_free(t);
    if (st) {
      if (st == LEAT_E_NOT_FOUND && to.number && tries < 9 && !lt_tables_still(s, name, to.number)) st = LEAT_OK;
      continue;
    }
    st = lt_folder_begin(s, &c, err);
    if (st) break;
    const lt_table_line *l = lt_manifest_table(&s->now, name);
    if (l && l->n > 1 && l->entry[l->n - 2].number == to.number) {
      lt_put w;
      lt_put_init(&w, s->rt);
      lt_manifest_head(&s->now, &w, 1, lt_now_ns(s->rt));
      lt_put_text(&w, name);
      lt_put_i64(&w, to.number);
      st = lt_folder_commit(s, LT_M_TABLE_BACK, &w, err);
      lt_put_free(&w);
      if (!st) *generation = to.number;
      break;
    }
    lt_folder_end(s, &c);
    if (tries >= 9) st = lt_fail(err, LEAT_E_BUSY, "table '%s' keeps being changed by others", name);
  }
  lt_folder_end(s, &c);
  lt_params_free(p);
  return st;
}
