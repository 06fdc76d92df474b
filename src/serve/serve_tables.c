/* Look-ups in tables of predictions. A table's file may be replaced while it is read: the new one is opened beside the old, and
 * every worker changes its reader at its next look-up. */
#include "serve.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LOOKUP_KEYS = 65536, LOOKUP_BODY = 8 << 20, READER_BYTES = 1 << 20 };

static int stamp_of(const char *path, int64_t stamp[3]) {
  struct stat st;
  if (stat(path, &st)) return 0;
  stamp[0] = st.st_size;
  stamp[1] = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
  stamp[2] = (int64_t)st.st_ino;
  return 1;
}

static leat_status table_open(serve_server *s, serve_table *t, leat_error *err) {
  leat_table *fresh = NULL, *old;
  leat_table_info info = { .struct_size = sizeof info };
  int64_t stamp[3] = { 0 };
  (void)stamp_of(t->path, stamp);
  leat_status st = leat_table_open(s->rt, t->path, NULL, &fresh, err);
  memcpy(t->stamp, stamp, sizeof stamp); /* also of a damaged one: it is not read again and again */
  if (!st) st = leat_table_get_info(fresh, &info, err);
  if (st) {
    leat_table_free(fresh);
    return st;
  }
  pthread_mutex_lock(&t->lock);
  old = t->table;
  t->table = fresh;
  t->values = info.values;
  t->serial++;
  pthread_mutex_unlock(&t->lock);
  leat_table_free(old); /* readers keep it until they change */
  return st;
}

static int table_add(serve_server *s, const char *name, size_t n, const char *path, int must) {
  leat_error err = { .struct_size = sizeof err };
  if (s->n_tables == SERVE_TABLES) return serve_fail("there are more than %d tables", SERVE_TABLES);
  serve_table *t = &s->table[s->n_tables++];
  t->name = strndup(name, n);
  t->path = strdup(path);
  pthread_mutex_init(&t->lock, NULL);
  leat_status st = table_open(s, t, &err);
  if (st && must) return serve_fail("%s", err.message);
  if (st) serve_note("table %s is not served: %s", t->name, err.message);
  return 0;
}

int serve_tables_open(serve_server *s) {
  char folder[4096];
  for (int i = 0; i < s->o.n_tables; i++) {
    const char *path = strchr(s->o.table[i], '=');
    int status = table_add(s, s->o.table[i], (size_t)(path - s->o.table[i]), path + 1, 1);
    if (status) return status;
  }
  snprintf(folder, sizeof folder, "%s/tables", s->o.store);
  DIR *d = opendir(folder);
  for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
    char path[8192];
    size_t n = strlen(e->d_name);
    if (n < 6 || strcmp(e->d_name + n - 5, ".ltab") != 0) continue;
    snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    if (s->n_tables < SERVE_TABLES) (void)table_add(s, e->d_name, n - 5, path, 0);
  }
  if (d) closedir(d);
  return 0;
}

void serve_tables_follow(serve_server *s) {
  for (int i = 0; i < s->n_tables; i++) {
    serve_table *t = &s->table[i];
    leat_error err = { .struct_size = sizeof err };
    int64_t stamp[3];
    if (!stamp_of(t->path, stamp) || memcmp(stamp, t->stamp, sizeof stamp) == 0) continue;
    if (table_open(s, t, &err)) serve_note("table %s: the new file is not taken: %s", t->name, err.message);
  }
}

void serve_tables_close(serve_server *s) {
  for (int i = 0; i < s->n_tables; i++) {
    serve_table *t = &s->table[i];
    leat_table_free(t->table);
    free(t->name);
    free(t->path);
    pthread_mutex_destroy(&t->lock);
  }
  s->n_tables = 0;
}

void serve_tables_worker_free(serve_worker *w) {
  for (int i = 0; i < SERVE_TABLES; i++) leat_table_reader_free(w->reader[i]);
}

/* The worker's reader of the table as it is now; NULL: answered. */
static leat_table_reader *reader_of(serve_request *q, const char *name, int *index) {
  serve_server *s = q->s;
  leat_error err = { .struct_size = sizeof err };
  for (*index = 0; *index < s->n_tables; ++*index) {
    serve_table *t = &s->table[*index];
    if (strcmp(t->name, name) != 0) continue;
    leat_table_reader **r = &q->w->reader[*index];
    if (*r && __atomic_load_n(&t->serial, __ATOMIC_ACQUIRE) == q->w->reader_serial[*index]) return *r;
    leat_table_reader_free(*r);
    *r = NULL;
    pthread_mutex_lock(&t->lock);
    leat_status st = t->table ? leat_table_reader_create(t->table, READER_BYTES, r, &err) : LEAT_E_STATE;
    q->w->reader_serial[*index] = t->serial;
    pthread_mutex_unlock(&t->lock);
    if (st) serve_error(q, 503, "table '%.100s' cannot be read: %.300s", name, t->table ? err.message : "no file that loads is there");
    return *r;
  }
  serve_error(q, 404, "there is no table '%.100s': %d are served, see --table", name, s->n_tables);
  return NULL;
}

static const char *answer_word(int64_t found) {
  static const char *const words[] = { "", "MISS", "HIT", "DEFAULT", "FALLBACK", "STALE" };
  return found >= 1 && found <= 5 ? words[found] : "MISS";
}

static leat_status look_up(serve_request *q, leat_table_reader *r, int index, const char *key, size_t n, json_t **out, leat_error *err) {
  const serve_table *t = &q->s->table[index];
  float value[4096];
  int64_t found = LEAT_TABLE_MISS;
  leat_status st = n ? leat_table_reader_get(r, key, n, value, 4096, &found, err) : LEAT_OK;
  *out = NULL;
  if (st) return st;
  serve_count(&q->w->counts.lookups[index][found >= 1 && found <= 5 ? found : 0], 1);
  json_t *values = json_null();
  if (found != LEAT_TABLE_MISS) {
    values = json_array();
    for (int64_t k = 0; k < t->values && k < 4096; k++) json_array_append_new(values, isfinite(value[k]) ? json_real((double)value[k]) : json_null());
  }
  *out = json_pack("{s:s%,s:s,s:o}", "key", key, n, "status", answer_word(found), "value", values);
  if (!*out) json_decref(values);
  return LEAT_OK;
}

void serve_lookup(serve_request *q, const char *table, const char *key) {
  leat_error err = { .struct_size = sizeof err };
  int index;
  json_t *out;
  leat_table_reader *r = reader_of(q, table, &index);
  if (!r) return;
  leat_status st = look_up(q, r, index, key, strlen(key), &out, &err);
  if (st) serve_error(q, serve_code_of(st), "%.400s", err.message);
  else if (!out) serve_error(q, 400, "the key is not UTF-8");
  else serve_json_reply(q, 200, out);
}

void serve_lookup_many(serve_request *q, const char *table) {
  leat_error err = { .struct_size = sizeof err };
  leat_status st = LEAT_OK;
  int index;
  leat_table_reader *r = reader_of(q, table, &index);
  if (!r) return;
  json_t *body = serve_body_json(q, LOOKUP_BODY), *keys = json_object_get(body, "keys"), *all = json_array();
  if (body && (!json_is_array(keys) || json_array_size(keys) > LOOKUP_KEYS)) {
    serve_error(q, 400, "expected {\"keys\":[...]} with at most %d strings", LOOKUP_KEYS);
  } else if (body) {
    size_t i;
    json_t *key, *one;
    json_array_foreach(keys, i, key) {
      if (!json_is_string(key)) {
        serve_error(q, 400, "keys[%zu] is no string", i);
        break;
      }
      if ((st = look_up(q, r, index, json_string_value(key), json_string_length(key), &one, &err)) != 0) {
        serve_error(q, serve_code_of(st), "%.400s", err.message);
        break;
      }
      json_array_append_new(all, one);
    }
    if (i == json_array_size(keys)) {
      q->rows = (int64_t)i;
      serve_json_reply(q, 200, json_pack("{s:s,s:O}", "table", table, "results", all));
    }
  }
  json_decref(all);
  json_decref(body);
}
