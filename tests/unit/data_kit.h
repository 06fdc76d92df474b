/* What the tests of the data room share. */
#ifndef LEAT_TESTS_DATA_KIT_H
#define LEAT_TESTS_DATA_KIT_H
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "data/store.h"
#include "leat/leat.h"

static inline leat_runtime *kit_runtime(int64_t threads) {
  leat_runtime_opts o = {.struct_size = sizeof o, .n_threads = threads};
  leat_runtime *rt = NULL;
  leat_error e = {.struct_size = sizeof e};
  if (leat_runtime_create(&o, &rt, &e)) fail_msg("runtime: %s", e.message);
  return rt;
}

static inline leat_params *kit_params(leat_runtime *rt, const char *spec, const char *set) {
  leat_params *p = NULL;
  leat_error e = {.struct_size = sizeof e};
  if (leat_params_create(rt, spec, &p, &e)) fail_msg("%s", e.message);
  char text[1024]; /* name=value pairs, separated by blanks; '~' stands for a blank */
  snprintf(text, sizeof text, "%s", set ? set : "");
  for (char *w = strtok(text, " "); w; w = strtok(NULL, " ")) {
    char *eq = strchr(w, '=');
    *eq = 0;
    for (char *c = eq + 1; *c; c++)
      if (*c == '~') *c = ' ';
    if (leat_params_set_text(p, w, eq + 1, &e)) fail_msg("%s", e.message);
  }
  return p;
}

typedef struct kit_text { const char *data; uint64_t size, at, step; } kit_text;
static inline int64_t kit_pull(void *user, void *buf, uint64_t cap) {
  kit_text *t = user;
  uint64_t n = t->size - t->at;
  if (n > cap) n = cap;
  if (t->step && n > t->step) n = t->step;
  memcpy(buf, t->data + t->at, n);
  t->at += n;
  return (int64_t)n;
}

/* A dataset from text; NULL with the error in e. */
static inline leat_dataset *kit_read_bytes(leat_runtime *rt, const leat_schema *s, const char *spec, const char *set,
                                           const char *data, uint64_t size, leat_error *e) {
  leat_params *p = kit_params(rt, spec, set);
  kit_text t = {data, size, 0, 0};
  leat_dataset *d = NULL;
  memset(e, 0, sizeof *e);
  e->struct_size = sizeof *e;
  leat_status st = leat_dataset_from_reader(rt, s, p, "t.csv", kit_pull, &t, &d, e);
  assert_int_equal(st, e->code);
  assert_true((st == 0) == (d != NULL));
  leat_params_free(p);
  return d;
}
static inline leat_dataset *kit_csv(leat_runtime *rt, const char *set, const char *text, leat_error *e) {
  return kit_read_bytes(rt, NULL, "reader/csv", set, text, strlen(text), e);
}
static inline leat_dataset *kit_good(leat_runtime *rt, const char *set, const char *text) {
  leat_error e;
  leat_dataset *d = kit_csv(rt, set, text, &e);
  if (!d) fail_msg("%s", e.message);
  return d;
}
static inline void kit_bad(leat_runtime *rt, const char *set, const char *text, leat_status code, const char *part) {
  leat_error e;
  leat_dataset *d = kit_csv(rt, set, text, &e);
  if (d) fail_msg("read: %.60s", text);
  if (e.code != code || !strstr(e.message, part)) fail_msg("got %d '%s', wanted %d '%s'", e.code, e.message, code, part);
}

/* A field as text. */
static inline const char *kit_field(const leat_dataset *d, int64_t row, const char *column) {
  static char buf[512];
  leat_error e = {.struct_size = sizeof e};
  int64_t i = 0;
  leat_batch *b = NULL;
  lt_rows rows;
  lt_put w;
  if (lt_schema_find(d->schema, column, &i, &e)) fail_msg("%s", e.message);
  if (lt_batch_create(d->rt, d->schema, &b, &e)) fail_msg("%s", e.message);
  if (lt_dataset_view(d, row, 1, b, &rows, &e)) fail_msg("%s", e.message);
  lt_put_init(&w, d->rt);
  if (lt_rows_text(&rows, 0, i, &w, &e)) fail_msg("%s", e.message);
  snprintf(buf, sizeof buf, "%.*s", (int)w.size, w.data ? (const char *)w.data : "");
  lt_put_free(&w);
  lt_batch_free(b);
  return buf;
}
static inline double kit_number(const leat_dataset *d, int64_t row, const char *column, int64_t j) {
  leat_error e = {.struct_size = sizeof e};
  int64_t i = 0;
  leat_batch *b = NULL;
  lt_rows rows;
  if (lt_schema_find(d->schema, column, &i, &e)) fail_msg("%s", e.message);
  if (lt_batch_create(d->rt, d->schema, &b, &e)) fail_msg("%s", e.message);
  if (lt_dataset_view(d, row, 1, b, &rows, &e)) fail_msg("%s", e.message);
  double v = lt_col_number(&d->schema->col[i], &rows.col[i], 0, j);
  lt_batch_free(b);
  return v;
}
static inline uint64_t kit_sum(const leat_dataset *d) {
  leat_error e = {.struct_size = sizeof e};
  uint64_t sum = 0;
  if (lt_dataset_checksum(d, &sum, &e)) fail_msg("%s", e.message);
  return sum;
}
static inline const lt_column *kit_column(const leat_dataset *d, const char *name) {
  int64_t i = 0;
  leat_error e = {.struct_size = sizeof e};
  if (lt_schema_find(d->schema, name, &i, &e)) fail_msg("%s", e.message);
  return &d->schema->col[i];
}
static inline void kit_balanced(leat_runtime *rt) { /* nothing but the runtime itself is left */
  int64_t after = -1, empty = -1;
  leat_error e = {.struct_size = sizeof e};
  leat_runtime *fresh = kit_runtime(lt_runtime_threads(rt));
  if (leat_runtime_stat(fresh, "bytes_in_use", &empty, &e)) fail_msg("%s", e.message);
  if (leat_runtime_stat(rt, "bytes_in_use", &after, &e)) fail_msg("%s", e.message);
  if (after > empty + 4096) fail_msg("%lld bytes are not given back", (long long)(after - empty));
  leat_runtime_free(fresh);
  leat_runtime_free(rt);
}
#endif
