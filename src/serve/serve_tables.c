/* Look-ups in tables of predictions. A table's file may be replaced while it is read: the new one is opened beside the
 * old, and every worker changes its reader at its next look-up. */
#include "serve.h"
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

/* Takes over fresh; readers keep the old one until they change. */
static leat_status table_swap(serve_table *t, leat_table *fresh, leat_error *err) {
  leat_table_info info = { .struct_size = sizeof info };
  leat_table *old = fresh;
  leat_status st = leat_table_get_info(fresh, &info, err);
  if (!st) {
    pthread_mutex_lock(&t->lock);
    old = t->table;
    t->table = fresh;
    t->values = info.values;
    __atomic_store_n(&t->serial, t->serial + 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&t->lock);
  }
  leat_table_free(old);
  return st;
}

/* A file that may be replaced at any time. */
static leat_status file_look(serve_server *s, serve_table *t, leat_error *err) {
  leat_table *fresh = NULL;
  int64_t stamp[3] = { 0 };
  if (!stamp_of(t->path, stamp) && t->table) return LEAT_OK; /* being replaced, or gone: what is open goes on */
  if (t->table && memcmp(stamp, t->stamp, sizeof stamp) == 0) return LEAT_OK;
  memcpy(t->stamp, stamp, sizeof stamp); /* also of a damaged one: it is not read again and again */
  leat_status st = leat_table_open(s->rt, t->path, NULL, &fresh, err);
  return st ? st : table_swap(t, fresh, err);
}

/* A published table: its current generation. */
static leat_status published_look(serve_table *t, leat_error *err) {
  leat_table *fresh = NULL;
  int64_t generation = 0;
  leat_status st = leat_follower_poll(t->follower, &generation, err);
  if (st || generation == t->stamp[0]) return st;
  st = leat_follower_table(t->follower, &fresh, &generation, err);
  t->stamp[0] = generation;
  return st ? st : table_swap(t, fresh, err);
}

static serve_table *table_find(serve_server *s, const char *name, int *index) {
  int n = __atomic_load_n(&s->n_tables, __ATOMIC_ACQUIRE);
  for (*index = 0; *index < n; ++*index)
    if (strcmp(s->table[*index].name, name) == 0) return &s->table[*index];
  return NULL;
}

/* The workers see it when it is whole. */
static leat_status table_add(serve_server *s, const char *name, size_t n, const char *path, leat_error *err) {
  leat_params *p = NULL;
  serve_table *t = &s->table[s->n_tables];
  memset(t, 0, sizeof *t);
  t->name = strndup(name, n);
  t->path = path ? strdup(path) : NULL;
  pthread_mutex_init(&t->lock, NULL);
  leat_status st = LEAT_OK;
  if (path) st = file_look(s, t, err);
  else {
    st = leat_params_create(s->rt, "table/read", &p, err);
    if (!st) st = leat_params_set_i64(p, "poll_ms", 0, err); /* the server looks itself */
    if (!st) st = leat_follower_create(s->store, t->name, p, &t->follower, err);
    if (!st) st = published_look(t, err);
    leat_params_free(p);
  }
  if (!st) {
    __atomic_store_n(&s->n_tables, s->n_tables + 1, __ATOMIC_RELEASE);
    return st;
  }
  leat_follower_free(t->follower);
  free(t->name);
  free(t->path);
  pthread_mutex_destroy(&t->lock);
  return st;
}

static void published_tables(serve_server *s) {
  leat_error err = { .struct_size = sizeof err };
  leat_published_info info = { .struct_size = sizeof info };
  int64_t n = 0;
  int index;
  if (leat_published_count(s->store, &n, NULL)) return;
  for (int64_t i = 0; i < n && s->n_tables < SERVE_TABLES; i++) {
    static int64_t told;
    if (leat_published_at(s->store, i, &info, NULL) || table_find(s, info.name, &index)) continue;
    if (!table_add(s, info.name, strlen(info.name), NULL, &err) || serve_now_ns() - told < 10000000000ll) continue;
    serve_note("table %s is not served: %s", info.name, err.message);
    told = serve_now_ns();
  }
}

int serve_tables_open(serve_server *s) {
  leat_error err = { .struct_size = sizeof err };
  int index;
  for (int i = 0; i < s->o.n_tables; i++) {
    const char *path = strchr(s->o.table[i], '=');
    if (table_add(s, s->o.table[i], (size_t)(path - s->o.table[i]), path + 1, &err)) return serve_fail("%s", err.message);
    if (table_find(s, s->table[s->n_tables - 1].name, &index) != &s->table[s->n_tables - 1])
      return serve_wrong("--table %s: the name is given twice", s->o.table[i]);
  }
  published_tables(s);
  return 0;
}

void serve_tables_follow(serve_server *s) {
  for (int i = 0; i < s->n_tables; i++) {
    serve_table *t = &s->table[i];
    leat_error err = { .struct_size = sizeof err };
    if (t->follower ? published_look(t, &err) : file_look(s, t, &err))
      serve_note("table %s: the new one is not taken: %s", t->name, err.message);
  }
  published_tables(s);
}

void serve_tables_close(serve_server *s) {
  for (int i = 0; i < s->n_tables; i++) {
    serve_table *t = &s->table[i];
    leat_table_free(t->table);
    leat_follower_free(t->follower);
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
  serve_table *t = table_find(s, name, index);
  if (!t) {
    serve_error(q, 404, "there is no table '%.100s': %d are served, see --table and `leat table publish`", name,
                s->n_tables);
    return NULL;
  }
  leat_table_reader **r = &q->w->reader[*index];
  if (*r && __atomic_load_n(&t->serial, __ATOMIC_ACQUIRE) == q->w->reader_serial[*index]) return *r;
  leat_table_reader_free(*r);
  *r = NULL;
  pthread_mutex_lock(&t->lock);
  leat_status st = leat_table_reader_create(t->table, READER_BYTES, r, &err);
  q->w->reader_serial[*index] = t->serial;
  pthread_mutex_unlock(&t->lock);
  if (st) serve_error(q, 503, "table '%.100s' cannot be read: %.300s", name, err.message);
  return *r;
}

static const char *answer_word(int64_t found) {
  static const char *const words[] = { "", "MISS", "HIT", "DEFAULT", "FALLBACK", "STALE" };
  return found >= 1 && found <= 5 ? words[found] : "MISS";
}

static leat_status look_up(serve_request *q, leat_table_reader *r, int index, const char *key, size_t n, json_t **out,
                           leat_error *err) {
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
    for (int64_t k = 0; k < t->values && k < 4096; k++)
      json_array_append_new(values, isfinite(value[k]) ? json_real((double)value[k]) : json_null());
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
