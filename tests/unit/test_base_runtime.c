/* lib/base/runtime.c and memory.c: tables, struct sizes, blocks, accounting, owners; every allocation failing once. */
#include "hosts.h"
#include "base/params.h"

static void test_defaults(void **state) {
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = host_runtime(NULL);
  int64_t v = -1;
  (void)state;
  assert_int_equal(lt_runtime_threads(rt), 1);
  assert_int_equal(lt_runtime_load_budget(rt), (uint64_t)4 << 30);
  assert_null(lt_runtime_cache_folder(rt));
  assert_true(host_stat(rt, "bytes_in_use") > 65536);
  assert_int_equal(host_stat(rt, "log_lost"), 0);
  lt_runtime_count_fallback(rt, 3);
  assert_int_equal(host_stat(rt, "fallback_ops"), 3);
  assert_int_equal(lt_runtime_stat(rt, "byte_in_use", &v, &err), LEAT_E_NOT_FOUND);
  assert_non_null(strstr(err.message, "did you mean 'bytes_in_use'"));
  assert_int_equal(v, 0);
  assert_true(lt_now_ns(rt) > (int64_t)1600000000 * 1000000000);
  int64_t t = lt_monotonic_ns(rt);
  assert_true(lt_monotonic_ns(rt) >= t);
  lt_runtime_ref(rt);
  lt_runtime_unref(rt);
  assert_int_equal(host_stat(rt, "threads"), 1);
  lt_runtime_unref(rt);
  lt_runtime_unref(NULL);
}

static leat_status run_noop(void *user, int64_t n, void (*task)(void *arg, int64_t index), void *arg) {
  (void)user;
  for (int64_t i = 0; i < n; i++) task(arg, i);
  return 0;
}
static void write_noop(void *user, int64_t level, const char *text, uint64_t size) {
  (void)user;
  (void)level;
  (void)text;
  (void)size;
}
static int64_t fixed_clock(void *user) { return *(int64_t *)user; }

typedef struct all_tables {
  leat_allocator allocator;
  leat_file_system files;
  leat_clock clock;
  leat_executor executor;
  leat_log_sink log;
  leat_runtime_opts opts;
} all_tables;
static void tables_fill(all_tables *t, host_memory *m, host_files *h, int64_t *now) {
  t->allocator = host_allocator(m, 1);
  t->files = host_file_system(h);
  t->clock = (leat_clock){sizeof t->clock, now, fixed_clock, fixed_clock};
  t->executor = (leat_executor){sizeof t->executor, NULL, 5, run_noop};
  t->log = (leat_log_sink){sizeof t->log, NULL, write_noop};
  t->opts = (leat_runtime_opts){.struct_size = sizeof t->opts, .allocator = &t->allocator, .files = &t->files,
                                .clock = &t->clock, .executor = &t->executor, .log = &t->log,
                                .cache_folder = "somewhere"};
}

static void expect_refused(const leat_runtime_opts *opts, leat_status want, const char *word) {
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = (leat_runtime *)(void *)&err;
  assert_int_equal(lt_runtime_create(opts, &rt, &err), want);
  assert_null(rt);
  if (!strstr(err.message, word)) fail_msg("'%s' is not in: %s", word, err.message);
}

/* Each function that a table must have, taken away in turn. */
static void test_missing_functions(void **state) {
  host_memory m = {0};
  host_files h = {0};
  int64_t now = 5;
  all_tables t;
  (void)state;
#define REFUSED(table, field) \
  tables_fill(&t, &m, &h, &now); \
  t.table.field = NULL; \
  expect_refused(&t.opts, LEAT_E_ARG, "." #field)
  REFUSED(allocator, alloc);
  REFUSED(allocator, release);
  REFUSED(files, open);
  REFUSED(files, close);
  REFUSED(files, size);
  REFUSED(files, read_at);
  REFUSED(files, write_at);
  REFUSED(files, truncate);
  REFUSED(files, sync);
  REFUSED(files, rename);
  REFUSED(files, remove);
  REFUSED(files, make_folder);
  REFUSED(files, sync_folder);
  REFUSED(files, list);
  REFUSED(files, lock);
  REFUSED(clock, now_ns);
  REFUSED(clock, monotonic_ns);
  REFUSED(executor, run);
  REFUSED(log, write);
#undef REFUSED
  tables_fill(&t, &m, &h, &now);
  t.files.map = lt_os_files()->map;
  expect_refused(&t.opts, LEAT_E_ARG, ".unmap");
  assert_int_equal(m.calls, 0);
  tables_fill(&t, &m, &h, &now);
  leat_runtime *rt = host_runtime(&t.opts);
  assert_int_equal(lt_now_ns(rt), 5);
  assert_int_equal(lt_runtime_threads(rt), 5);
  assert_string_equal(lt_runtime_cache_folder(rt), "somewhere");
  memset(&t, 0, sizeof t); /* tables are copied */
  assert_int_equal(lt_now_ns(rt), 5);
  lt_runtime_unref(rt);
  assert_int_equal(m.blocks, 0);
  assert_int_equal(m.bytes, 0);
  assert_int_equal(m.wrong, 0);
}

static void test_hostile_sizes_and_numbers(void **state) {
  const uint64_t sizes[] = {0, 1, 7, 1 << 20, (uint64_t)1 << 40, UINT64_MAX, (uint64_t)INT64_MIN};
  host_memory m = {0};
  host_files h = {0};
  int64_t now = 5;
  all_tables t;
  (void)state;
  for (uint64_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    for (int which = 0; which < 6; which++) {
      tables_fill(&t, &m, &h, &now);
      uint64_t *at[] = {&t.opts.struct_size, &t.allocator.struct_size, &t.files.struct_size,
                        &t.clock.struct_size, &t.executor.struct_size, &t.log.struct_size};
      *at[which] = sizes[i];
      expect_refused(&t.opts, LEAT_E_ARG, "struct_size");
    }
  struct { leat_runtime_opts opts; uint64_t later; } newer = {{.struct_size = sizeof newer}, 0};
  leat_runtime *rt = host_runtime(&newer.opts); /* a newer caller that does not use what is new */
  lt_runtime_unref(rt);
  newer.later = 1;
  expect_refused(&newer.opts, LEAT_E_VERSION, "leat_runtime_opts");
  leat_runtime_opts older = {.struct_size = 8, .n_threads = 9}; /* an older caller without any field */
  rt = host_runtime(&older);
  assert_int_equal(lt_runtime_threads(rt), 1);
  lt_runtime_unref(rt);
  const struct { leat_runtime_opts opts; const char *word; } bad[] = {
      {{.struct_size = sizeof older, .n_threads = -1}, "n_threads"},
      {{.struct_size = sizeof older, .n_threads = 100000}, "n_threads"},
      {{.struct_size = sizeof older, .log_level = 9}, "log_level"},
      {{.struct_size = sizeof older, .log_bytes = 3}, "log_bytes"},
      {{.struct_size = sizeof older, .log_bytes = INT64_MAX}, "log_bytes"},
      {{.struct_size = sizeof older, .load_budget_bytes = -5}, "load_budget_bytes"},
      {{.struct_size = sizeof older, .flags = 1}, "flags"}};
  for (uint64_t i = 0; i < sizeof bad / sizeof bad[0]; i++) expect_refused(&bad[i].opts, LEAT_E_ARG, bad[i].word);
}

static void fill_pattern(uint8_t *p, uint64_t from, uint64_t to) {
  for (uint64_t i = from; i < to; i++) p[i] = (uint8_t)(i * 7 + i / 4096);
}
static void expect_pattern(const uint8_t *p, uint64_t n) {
  for (uint64_t i = 0; i < n; i++)
    if (p[i] != (uint8_t)(i * 7 + i / 4096)) fail_msg("byte %llu of %llu", (unsigned long long)i, (unsigned long long)n);
}

/* Blocks of every size class, grown and shrunk across the bounds between malloc and mapped memory. */
static void blocks_of(leat_runtime *rt) {
  const uint64_t sizes[] = {0, 1, 63, 64, 65, 4095, 1 << 16, (4 << 20) - 65, (4 << 20) - 64, (4 << 20) - 63, 5 << 20,
                            (6 << 20) + 1, 33 << 20, 9 << 20, (4 << 20) - 64, 100, 7 << 20, 1, 12 << 20, 2 << 20, 0};
  int64_t before = host_stat(rt, "bytes_in_use");
  uint8_t *p = NULL, *z;
  uint64_t old = 0;
  for (uint64_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    uint64_t n = sizes[i], keep = old < n ? old : n;
    p = lt_realloc(rt, p, n);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 64, 0);
    expect_pattern(p, keep);
    fill_pattern(p, keep, n);
    old = n;
    z = lt_zalloc(rt, n);
    assert_non_null(z);
    assert_int_equal((uintptr_t)z % 64, 0);
    for (uint64_t k = 0; k < n; k++)
      if (z[k]) fail_msg("zalloc byte %llu", (unsigned long long)k);
    memset(z, 0xFF, n);
    assert_true(host_stat(rt, "bytes_in_use") >= before + (int64_t)(2 * n));
    lt_free(rt, z);
  }
  lt_free(rt, p);
  assert_int_equal(host_stat(rt, "bytes_in_use"), before);
  assert_true(host_stat(rt, "bytes_peak") >= before + (66 << 20));
  assert_null(lt_alloc(rt, UINT64_MAX));
  assert_null(lt_alloc(rt, UINT64_MAX - 64));
  assert_null(lt_zalloc(rt, INT64_MAX));
  assert_null(lt_array(rt, (uint64_t)1 << 33, (uint64_t)1 << 33));
  assert_null(lt_zarray(rt, UINT64_MAX, 2));
  assert_null(lt_strndup(rt, "x", UINT64_MAX));
  p = lt_alloc(rt, 10);
  assert_null(lt_realloc(rt, p, UINT64_MAX));
  assert_null(lt_realloc(rt, p, (uint64_t)1 << 62)); /* no allocator has that; p stays */
  memset(p, 1, 10);
  lt_free(rt, p);
  lt_free(rt, NULL);
  assert_int_equal(host_stat(rt, "bytes_in_use"), before);
}

static void test_blocks(void **state) {
  (void)state;
  leat_runtime *rt = host_runtime(NULL);
  blocks_of(rt);
  lt_runtime_unref(rt);
  for (int with_resize = 0; with_resize < 2; with_resize++) {
    host_memory m = {0};
    leat_allocator a = host_allocator(&m, with_resize);
    leat_runtime_opts opts = {.struct_size = sizeof opts, .allocator = &a};
    rt = host_runtime(&opts);
    blocks_of(rt);
    assert_int_equal(host_stat(rt, "bytes_in_use"), m.bytes);
    lt_runtime_unref(rt);
    assert_int_equal(m.blocks, 0);
    assert_int_equal(m.bytes, 0);
    assert_int_equal(m.wrong, 0);
  }
}

static void churn(void *arg, int64_t index) {
  leat_runtime *rt = arg;
  for (uint64_t i = 1; i < 60; i++) {
    uint8_t *p = lt_zalloc(rt, i * 100);
    if (!p) return;
    memset(p, (int)index, i * 100);
    uint8_t *q = lt_realloc(rt, p, i * 150);
    lt_free(rt, q ? q : p);
  }
  lt_log(rt, LEAT_LOG_ERROR, "task %lld", (long long)index);
}
/* Memory and log from many threads: the sums are right in the end. */
static void test_blocks_of_threads(void **state) {
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = 4, .log_bytes = 1 << 20};
  leat_runtime *rt = host_runtime(&opts);
  char buf[64];
  uint64_t needed = 1;
  int64_t messages = -1;
  (void)state;
  lt_parallel_for(rt, 2, churn, rt); /* starts the pool */
  int64_t before = host_stat(rt, "bytes_in_use"), count = host_stat(rt, "allocations");
  lt_parallel_for(rt, 200, churn, rt);
  assert_int_equal(host_stat(rt, "bytes_in_use"), before);
  assert_int_equal(host_stat(rt, "allocations") - count, 200 * 59 * 2);
  assert_true(host_stat(rt, "bytes_peak") >= before + 59 * 150);
  for (; needed; messages++) assert_int_equal(lt_log_read(rt, NULL, NULL, buf, sizeof buf, &needed), LEAT_OK);
  assert_int_equal(messages, 202);
  lt_runtime_unref(rt);
}

static void test_grow(void **state) {
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = host_runtime(NULL);
  uint64_t cap = 0;
  int64_t *v = NULL, before = host_stat(rt, "allocations");
  (void)state;
  for (int64_t i = 0; i < 100000; i++) {
    assert_int_equal(lt_grow(rt, (void **)&v, &cap, (uint64_t)i + 1, sizeof *v, &err), LEAT_OK);
    v[i] = i;
  }
  for (int64_t i = 0; i < 100000; i++) assert_int_equal(v[i], i);
  assert_true(host_stat(rt, "allocations") - before < 20);
  assert_int_equal(lt_grow(rt, (void **)&v, &cap, UINT64_MAX / 4, sizeof *v, &err), LEAT_E_MEMORY);
  assert_int_equal(lt_grow(rt, (void **)&v, &cap, (uint64_t)1 << 58, sizeof *v, &err), LEAT_E_MEMORY);
  assert_int_equal(v[99999], 99999);
  lt_free(rt, v);
  char *s = lt_strdup(rt, "abc"), *t = lt_strndup(rt, "abcdef", 2), *e = lt_strndup(rt, NULL, 0);
  assert_string_equal(s, "abc");
  assert_string_equal(t, "ab");
  assert_string_equal(e, "");
  lt_free(rt, s);
  lt_free(rt, t);
  lt_free(rt, e);
  lt_runtime_unref(rt);
}

static void test_owner(void **state) {
  leat_error err = {.struct_size = sizeof err};
  lt_owner o = {0};
  (void)state;
  assert_int_equal(lt_owner_enter(&o, "trainer", &err), LEAT_OK);
  assert_int_equal(lt_owner_enter(&o, "trainer", &err), LEAT_E_BUSY);
  assert_non_null(strstr(err.message, "trainer"));
  lt_owner_leave(&o);
  assert_int_equal(lt_owner_enter(&o, "trainer", &err), LEAT_OK);
  lt_owner_leave(&o);
}

static int64_t released;
static void release_devices(void *registry) {
  lt_free((leat_runtime *)registry, NULL);
  released++;
}
static void test_devices_slot(void **state) {
  leat_runtime *rt = host_runtime(NULL);
  (void)state;
  assert_null(lt_runtime_devices(rt));
  lt_runtime_set_devices(rt, rt, release_devices);
  assert_ptr_equal(lt_runtime_devices(rt), rt);
  lt_runtime_unref(rt);
  assert_int_equal(released, 1);
}

/* A life with everything of this room in it. Returns the first failure. */
static const lt_param_def life_defs[] = {
    {"rate", LEAT_PARAM_F64, "0.1", 0, 1, NULL, "How fast.", 256},
    {"title", LEAT_PARAM_TEXT, "", 0, 0, NULL, "A text.", 256},
    {"kind", LEAT_PARAM_CHOICE, "a", 0, 0, "a|b", "Which.", 256}};
static const lt_spec life_spec = {"model/life", "A life.", life_defs, 3};

static void life_task(void *arg, int64_t index) { __atomic_add_fetch((int64_t *)arg, index, __ATOMIC_RELAXED); }
static leat_status life(const leat_runtime_opts *opts, const char *path, leat_error *err) {
  leat_params *p = NULL, *q = NULL;
  leat_runtime *rt = NULL;
  void *data = NULL;
  uint64_t size = 0;
  int64_t sum = 0;
  lt_put w = {0};
  lt_get r;
  leat_status st = lt_runtime_create(opts, &rt, err);
  if (st) return st;
  lt_put_init(&w, rt);
  if ((st = lt_params_create(rt, &life_spec, &p, err)) != 0) goto out;
  if ((st = lt_params_set_text(p, "title", "a longer title", err)) != 0) goto out;
  if ((st = lt_params_set_text(p, "kind", "b", err)) != 0) goto out;
  if ((st = lt_params_copy(p, &q, err)) != 0) goto out;
  lt_params_save(q, &w);
  if ((st = lt_put_status(&w, err)) != 0) goto out;
  if ((st = lt_file_replace(rt, path, w.data, w.size, err)) != 0) goto out;
  if ((st = lt_file_load(rt, path, 1 << 20, &data, &size, err)) != 0) goto out;
  lt_get_init(&r, rt, data, size);
  if ((st = lt_params_load(p, &r, err)) != 0) goto out;
  st = lt_parallel_for(rt, 100, life_task, &sum);
  assert_int_equal(sum, 4950); /* no memory for a pool only means no pool */
out:
  lt_free(rt, data);
  lt_put_free(&w);
  lt_params_free(q);
  lt_params_free(p);
  lt_runtime_unref(rt);
  return st;
}

static void test_each_allocation_fails(void **state) {
  leat_runtime *plain = host_runtime(NULL);
  char folder[256], path[300];
  (void)state;
  host_folder(plain, folder);
  snprintf(path, sizeof path, "%s/saved", folder);
  for (int with_resize = 0; with_resize < 2; with_resize++) {
    int64_t k = 0, worked = 0, failed = 0;
    while (!worked) {
      leat_error err = {.struct_size = sizeof err};
      host_memory m = {.fail_at = ++k};
      leat_allocator a = host_allocator(&m, with_resize);
      leat_runtime_opts opts = {.struct_size = sizeof opts, .allocator = &a, .n_threads = 3, .cache_folder = "c"};
      leat_status st = life(&opts, path, &err);
      assert_int_equal(m.blocks, 0);
      assert_int_equal(m.bytes, 0);
      assert_int_equal(m.wrong, 0);
      worked = m.calls < k;
      if (worked) assert_int_equal(st, LEAT_OK);
      if (st) {
        if (st != LEAT_E_MEMORY) fail_msg("allocation %lld: %d %s", (long long)k, st, err.message);
        failed++;
      }
      assert_true(k < 1000);
    }
    assert_true(failed > 12);
  }
  host_folder_end(plain, folder);
  lt_runtime_unref(plain);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults), cmocka_unit_test(test_missing_functions),
      cmocka_unit_test(test_hostile_sizes_and_numbers), cmocka_unit_test(test_blocks),
      cmocka_unit_test(test_blocks_of_threads), cmocka_unit_test(test_grow),
      cmocka_unit_test(test_owner), cmocka_unit_test(test_devices_slot),
      cmocka_unit_test(test_each_allocation_fails)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
