/* Tables for tests: keys that are made from numbers, values from keys. */
#ifndef LEAT_TESTS_SERVE_HELP_H
#define LEAT_TESTS_SERVE_HELP_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "leat/leat.h"

static leat_error help_err = {.struct_size = sizeof help_err};
#define OK(call)                                                                     \
  do {                                                                               \
    leat_status ok_status = (call);                                                  \
    if (ok_status != LEAT_OK) {                                                      \
      fprintf(stderr, "%s:%d: %s: %d %s\n", __FILE__, __LINE__, #call, ok_status, help_err.message); \
      fail();                                                                        \
    }                                                                                \
  } while (0)

static inline uint64_t help_mix(uint64_t x) { /* splitmix64 */
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}
/* Kinds of keys: 0 16 bytes of hex, 1 text of 1 to 40 bytes, 2 a shared long beginning, 3 up to 700 bytes, 4 raw bytes */
enum { HELP_KINDS = 5 };
static inline uint64_t help_key(int kind, uint64_t i, char *buf) {
  uint64_t m = help_mix(i);
  if (kind == 0) return (uint64_t)sprintf(buf, "%016llx", (unsigned long long)m);
  if (kind == 1) return (uint64_t)sprintf(buf, "%llu%.*s", (unsigned long long)i, (int)(m % 22), "abcdefghijklmnopqrstuvwxyz");
  if (kind == 2) return (uint64_t)sprintf(buf, "https://example.org/customers/by-region/%llu/%llu", (unsigned long long)(m % 3), (unsigned long long)i);
  if (kind == 3) { /* needs a buffer of 1024 bytes, as do the callers' */
    uint64_t n = (uint64_t)sprintf(buf, "%05llu", (unsigned long long)(i / 3));
    memset(buf + n, (int)('a' + i % 3), 300 + m % 400);
    return n + 300 + m % 400;
  }
  memcpy(buf, &m, 8);
  memcpy(buf + 8, &i, 4);
  return 9 + i % 4;
}
static inline float help_value(uint64_t i, uint64_t k) { return (float)(help_mix(i * 31 + k) >> 40) / 16777216.0f; }

static inline leat_runtime *help_runtime(int64_t threads) {
  leat_runtime *rt;
  leat_runtime_opts o = {.struct_size = sizeof o, .n_threads = threads};
  OK(leat_runtime_create(&o, &rt, &help_err));
  return rt;
}
static inline leat_params *help_params(leat_runtime *rt, const char *spec, const char *const *pairs) {
  leat_params *p;
  OK(leat_params_create(rt, spec, &p, &help_err));
  for (; pairs && pairs[0]; pairs += 2) OK(leat_params_set_text(p, pairs[0], pairs[1], &help_err));
  return p;
}
/* Adds keys [from, to) of a kind, in a scattered order when step is odd and large. */
static inline void help_add(leat_table_writer *w, int kind, uint64_t from, uint64_t to, uint64_t n_values, uint64_t salt) {
  char key[1024];
  float v[64];
  uint64_t n = to - from;
  for (uint64_t j = 0; j < n; j++) {
    uint64_t i = from + j * 7919 % n;
    if (n % 7919 == 0) i = from + j;
    uint64_t size = help_key(kind, i, key);
    for (uint64_t k = 0; k < n_values; k++) v[k] = help_value(i + salt, k);
    OK(leat_table_writer_add(w, key, size, v, n_values, &help_err));
  }
}
static inline void help_build(leat_runtime *rt, const char *path, const char *const *pairs, int kind, uint64_t n,
                              uint64_t n_values) {
  leat_params *p = help_params(rt, "table/write", pairs);
  leat_table_writer *w;
  OK(leat_params_set_i64(p, "values", (int64_t)n_values, &help_err));
  OK(leat_params_set_i64(p, "created_ns", 1000, &help_err));
  OK(leat_table_writer_create(rt, path, p, NULL, &w, &help_err));
  help_add(w, kind, 0, n, n_values, 0);
  OK(leat_table_writer_finish(w, &help_err));
  leat_table_writer_free(w);
  leat_params_free(p);
}
static inline void *help_file(const char *path, uint64_t *size) {
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  fseek(f, 0, SEEK_END);
  *size = (uint64_t)ftell(f);
  rewind(f);
  void *p = malloc(*size + 1);
  assert_int_equal(fread(p, 1, *size, f), *size);
  fclose(f);
  return p;
}
static inline void help_same_files(const char *a, const char *b) {
  uint64_t n, m;
  void *p = help_file(a, &n), *q = help_file(b, &m);
  assert_int_equal(n, m);
  assert_memory_equal(p, q, n);
  free(p);
  free(q);
}
static inline const char *help_path(const char *name) {
  static char paths[8][256];
  static int next;
  char *p = paths[next++ % 8];
  snprintf(p, 256, "/tmp/leat-serve-%ld-%s.ltab", (long)getpid(), name);
  return p;
}
#endif
