/* A follower answers from the current generation of a published table. Who looks up when it is time looks for a new
 * generation, opens it and swaps it in; all others go on with the old one meanwhile. */
#include <string.h>
#include "base/os.h"
#include "lifecycle/folder_inner.h"
#include "lifecycle/tables.h"

enum { TRIES = 10 };
struct leat_follower {
  leat_store *s;
  char name[64];
  leat_params *read;
  int64_t poll_ns, next_ns;  /* next_ns: atomic */
  lt_mutex polling;          /* one looks at a time */
  lt_mutex lock;             /* the two below */
  leat_table *t;
  int64_t generation;
};

/* Under f->polling. The table may be gone before it is open, when two more have been published: then again. */
static leat_status follower_look(leat_follower *f, leat_error *err) {
  for (int tries = 0;; tries++) {
    lt_table_entry now;
    leat_table *t, *old;
    leat_status st = lt_tables_current(f->s, f->name, 0, &now, err);
    if (st || now.number == f->generation) return st;
    st = lt_tables_open(f->s, f->name, &now, f->read, &t, err);
    if (st == LEAT_E_NOT_FOUND && tries < TRIES && !lt_tables_still(f->s, f->name, now.number)) continue;
    if (st == LEAT_E_NOT_FOUND)
      return lt_fail(err, LEAT_E_FORMAT, "%s: generation %lld of the table '%s' is missing: restore it from a copy, or publish again",
                     lt_folder_path(f->s), (long long)now.number, f->name);
    if (st) return st;
    lt_mutex_lock(&f->lock);
    old = f->t;
    f->t = t;
    f->generation = now.number;
    lt_mutex_unlock(&f->lock);
    lt_table_free(old);
    return LEAT_OK;
  }
}

leat_status lt_follower_poll(leat_follower *f, int64_t *generation, leat_error *err) {
  lt_mutex_lock(&f->polling);
  __atomic_store_n(&f->next_ns, lt_monotonic_ns(f->s->rt) + f->poll_ns, __ATOMIC_RELAXED);
  leat_status st = follower_look(f, err);
  if (generation) *generation = f->generation;
  lt_mutex_unlock(&f->polling);
  return st;
}

/* Looks when it is time; of several threads the first one that sees it. */
static void follower_time(leat_follower *f) {
  if (!f->poll_ns) return;
  int64_t now = lt_monotonic_ns(f->s->rt), due = __atomic_load_n(&f->next_ns, __ATOMIC_RELAXED);
  if (now < due || !__atomic_compare_exchange_n(&f->next_ns, &due, now + f->poll_ns, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return;
  leat_error why = {.struct_size = sizeof why};
  if (lt_follower_poll(f, NULL, &why))
    lt_log(f->s->rt, LEAT_LOG_WARN, "table '%s': its old generation goes on answering: %s", f->name, why.message);
}

void lt_follower_table(leat_follower *f, leat_table **out, int64_t *generation) {
  follower_time(f);
  lt_mutex_lock(&f->lock);
  *out = f->t;
  lt_table_ref(f->t);
  if (generation) *generation = f->generation;
  lt_mutex_unlock(&f->lock);
}

leat_status lt_follower_get(leat_follower *f, const void *key, uint64_t size, float *value, uint64_t cap, int64_t *found,
                            leat_error *err) {
  leat_table *t;
  lt_follower_table(f, &t, NULL);
  leat_status st = lt_table_get(t, key, size, value, cap, found, err);
  lt_table_free(t);
  return st;
}

leat_status lt_follower_create(leat_store *s, const char *name, const leat_params *p, leat_follower **out, leat_error *err) {
  *out = NULL;
  leat_status st = lt_tables_check_name(name, err);
  if (!st && p && lt_params_spec(p) != &lt_table_read_spec)
    st = lt_fail(err, LEAT_E_ARG, "the parameters are of '%s', a follower takes those of 'table/read'", lt_params_spec(p)->name);
  if (st) return st;
  leat_follower *f = lt_zalloc(s->rt, sizeof *f);
  if (!f) return lt_fail_memory(err, sizeof *f, "a follower");
  if (lt_mutex_init(&f->lock)) goto no_lock;
  if (lt_mutex_init(&f->polling)) {
    lt_mutex_destroy(&f->lock);
    goto no_lock;
  }
  lt_folder_ref(s);
  f->s = s;
  memcpy(f->name, name, strlen(name));
  st = p ? lt_params_copy(p, &f->read, err) : lt_params_create(s->rt, &lt_table_read_spec, &f->read, err);
  if (!st) {
    f->poll_ns = lt_param_int(f->read, "poll_ms") * 1000000;
    st = lt_follower_poll(f, NULL, err);
  }
  if (st) lt_follower_free(f);
  else *out = f;
  return st;
no_lock:
  lt_free(s->rt, f);
  return lt_fail(err, LEAT_E_MEMORY, "no memory for a lock");
}

void lt_follower_free(leat_follower *f) {
  if (!f) return;
  leat_store *s = f->s;
  lt_table_free(f->t);
  lt_mutex_destroy(&f->lock);
  lt_mutex_destroy(&f->polling);
  lt_params_free(f->read);
  lt_free(s->rt, f);
  lt_folder_free(s);
}
