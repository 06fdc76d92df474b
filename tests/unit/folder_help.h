/* For the tests of stores: temporary folders, models that differ, a store's whole state as text. */
#ifndef LEAT_TESTS_FOLDER_HELP_H
#define LEAT_TESTS_FOLDER_HELP_H
#include "hosts.h"
#include "lifecycle/folder_inner.h"
#include "lifecycle/tables.h"
#include "model_make.h"
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

HELP char place[256]; /* the test program's own folder */
HELP int place_start(void) {
  const char *base = getenv("TMPDIR");
  snprintf(place, sizeof place, "%s/leat-store-%ld", base ? base : "/tmp", (long)getpid());
  return mkdir(place, 0777);
}
HELP void wipe(const char *path) {
  char command[600];
  snprintf(command, sizeof command, "rm -rf '%s'", path);
  if (system(command)) print_error("cannot remove %s\n", path);
}
HELP const char *at_place(const char *name) { /* four at a time */
  static char text[4][512];
  static int k;
  k = (k + 1) % 4;
  snprintf(text[k], sizeof text[k], "%s/%s", place, name);
  return text[k];
}

HELP leat_model *little_model(leat_runtime *rt, uint64_t seed) {
  leat_dataset *d = dense_dataset(rt, 40, 3, 2);
  leat_params *p = linear_settings(rt, NULL, NULL);
  leat_model *m = model_of(rt, d, p, 0, seed);
  lt_params_free(p);
  lt_dataset_free(d);
  return m;
}

HELP leat_store *open_store(leat_runtime *rt, const char *path) {
  leat_store *s = NULL;
  OK(lt_folder_open(rt, path, NULL, &s, &error_of));
  return s;
}
HELP leat_store *open_with(leat_runtime *rt, const char *path, const char *name, int64_t value) {
  leat_store *s = NULL;
  leat_params *p;
  OK(lt_params_create(rt, &lt_spec_store, &p, &error_of));
  OK(lt_params_set_i64(p, name, value, &error_of));
  OK(lt_folder_open(rt, path, p, &s, &error_of));
  lt_params_free(p);
  return s;
}
HELP int64_t generation_of(leat_store *s) {
  int64_t g;
  OK(lt_folder_generation(s, &g, &error_of));
  return g;
}
HELP int64_t stage_of(leat_store *s, const char *stage) { /* 0: nothing there */
  int64_t v;
  leat_status st = lt_folder_stage(s, stage, &v, &error_of);
  if (st) assert_int_equal(st, LEAT_E_NOT_FOUND);
  return v;
}

/* A table of n keys k0, k1, ... whose values are at, at + step, ... */
HELP leat_status little_table(leat_runtime *rt, const char *path, const char *layout, int64_t n, float at, float each) {
  leat_params *p = NULL;
  leat_table_writer *w = NULL;
  char key[24];
  leat_status st = lt_params_create(rt, &lt_table_write_spec, &p, &error_of); /* there may be no memory: a test of that */
  if (!st) st = lt_params_set_text(p, "layout", layout, &error_of);
  if (!st) st = lt_params_set_i64(p, "created_ns", 1, &error_of);
  if (!st) st = lt_table_writer_create(rt, path, p, NULL, &w, &error_of);
  for (int64_t i = 0; i < n && !st; i++) {
    float v = at + each * (float)i;
    st = lt_table_writer_add(w, key, (uint64_t)snprintf(key, sizeof key, "k%lld", (long long)i), &v, 1, &error_of);
  }
  if (!st) st = lt_table_writer_finish(w, &error_of);
  lt_table_writer_free(w);
  lt_params_free(p);
  return st;
}
/* What the current generation of a published table says of key k1; the status where it is damaged. */
HELP float published_says(leat_store *s, const char *name) {
  leat_follower *f;
  float v = NAN;
  int64_t found;
  leat_status st = lt_follower_create(s, name, NULL, &f, &error_of);
  if (st == LEAT_E_FORMAT) return (float)st; /* the test's own doing */
  OK(st);
  OK(lt_follower_get(f, "k1", 2, &v, 1, &found, &error_of));
  assert_int_equal(found, LEAT_TABLE_HIT);
  lt_follower_free(f);
  return v;
}

/* Everything that a store's users can ask for, but times, as text (malloc): equal text, equal state. */
HELP char *state_text(leat_store *s) {
  size_t cap = 1 << 20, n = 0;
  char *t = malloc(cap);
  int64_t count, cursor = 0, a, b;
  leat_event e;
  n += (size_t)snprintf(t + n, cap - n, "generation %lld\n", (long long)generation_of(s));
  OK(lt_folder_count(s, &count, &error_of));
  for (int64_t v = 1;; v++) {
    leat_version_info i;
    if (lt_folder_version(s, v, &i, NULL)) break;
    n += (size_t)snprintf(t + n, cap - n, "%lld parent %lld rows %lld row %lld bytes %lld flags %llu loss %d %s %s [%s]\n",
                          (long long)i.version, (long long)i.parent, (long long)i.rows_learned, (long long)i.row,
                          (long long)i.bytes, (unsigned long long)i.flags, isnan(i.loss) ? -1 : (int)(i.loss * 1000),
                          i.checksum, i.origin, i.stages);
    if (!(i.flags & LEAT_VERSION_REMOVED)) count--;
  }
  assert_int_equal(count, 0);
  while (lt_folder_history(s, &cursor, &e, NULL) == LEAT_OK)
    n += (size_t)snprintf(t + n, cap - n, "event %lld kind %lld version %lld row %lld value %d %s %s\n", (long long)e.generation,
                          (long long)e.kind, (long long)e.version, (long long)e.row, (int)(e.value * 1000), e.name, e.text);
  OK(lt_tables_count(s, &count, &error_of));
  for (int64_t i = 0; i < count; i++) {
    leat_published_info p;
    OK(lt_tables_at(s, i, &p, &error_of));
    n += (size_t)snprintf(t + n, cap - n, "table %s %lld before %lld newest %lld rows %lld flags %llu psi %d %s: %g\n", p.name,
                          (long long)p.generation, (long long)p.previous, (long long)p.newest, (long long)p.rows,
                          (unsigned long long)p.flags, isnan(p.psi) ? -1 : (int)(p.psi * 1000), p.checksum,
                          (double)published_says(s, p.name));
  }
  lt_folder_ordinals(s, &a, &b);
  n += (size_t)snprintf(t + n, cap - n, "ordinals %lld %lld\n", (long long)a, (long long)b);
  for (int64_t i = 0; i < 3; i++) {
    lt_checkpoint c;
    if (lt_folder_checkpoint_at(s, i, &c, NULL)) break;
    n += (size_t)snprintf(t + n, cap - n, "checkpoint %s %llu %llu\n", c.name, (unsigned long long)c.journal,
                          (unsigned long long)c.keep);
  }
  assert_true(n < cap);
  return t;
}
HELP void same_state(leat_store *a, leat_store *b) {
  char *x = state_text(a), *y = state_text(b);
  assert_string_equal(x, y);
  free(x);
  free(y);
}
HELP void put_file(const char *path, const char *text) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
}
HELP int is_there(const char *path) { return access(path, F_OK) == 0; }
#endif
