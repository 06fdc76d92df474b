/* lib/api/api_version.c, api_runtime.c: what a host sees of versions and runtimes, hostile calls among them. */
#define _POSIX_C_SOURCE 200809L
#include "hosts.h"
#include <pthread.h>

static void test_version(void **state) {
  char text[32];
  uint32_t v = leat_version();
  int64_t value = 7;
  (void)state;
  snprintf(text, sizeof text, "%u.%u.%u", v >> 16, v >> 8 & 255, v & 255);
  assert_string_equal(leat_version_text(), text);
  const char *const known[] = {"avx2", "blis", "zstd", "xxhash", "threads", "opencl", "arrow"};
  for (int i = 0; i < 7; i++) assert_int_equal(leat_feature(known[i], &value), LEAT_OK);
  assert_int_equal(leat_feature("blis", &value), LEAT_OK);
  assert_true(value != 0);
  assert_int_equal(leat_feature("opencl", &value), LEAT_OK);
  assert_int_equal(value, 0);
  assert_int_equal(leat_feature("warp-drive", &value), LEAT_E_NOT_FOUND);
  assert_int_equal(leat_feature(NULL, &value), LEAT_E_ARG);
  assert_int_equal(leat_feature("blis", NULL), LEAT_E_ARG);
}

static void test_statuses(void **state) {
  (void)state;
  for (leat_status a = 0; a >= LEAT_E_INTERNAL; a--) {
    assert_int_equal(strncmp(leat_status_name(a), "LEAT_", 5), 0);
    assert_true(strlen(leat_status_text(a)) >= 7);
    for (leat_status b = 0; b > a; b--) assert_string_not_equal(leat_status_name(a), leat_status_name(b));
  }
  assert_string_equal(leat_status_name(LEAT_E_ARG), "LEAT_E_ARG");
  assert_string_equal(leat_status_name(LEAT_E_SHAPE), "LEAT_E_SHAPE");
  assert_string_equal(leat_status_name(LEAT_E_CANCELLED), "LEAT_E_CANCELLED");
  assert_string_equal(leat_status_name(LEAT_E_INTERNAL), "LEAT_E_INTERNAL");
  const leat_status unknown[] = {1, -20, INT32_MAX, INT32_MIN};
  for (int i = 0; i < 4; i++) {
    assert_string_equal(leat_status_name(unknown[i]), "LEAT_E_UNKNOWN");
    assert_non_null(leat_status_text(unknown[i]));
  }
}

static void test_null_arguments(void **state) {
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = NULL;
  int64_t v = 7, level = 7, time_ns = 7;
  uint64_t needed = 7;
  char buf[8];
  (void)state;
  assert_int_equal(leat_runtime_create(NULL, NULL, &err), LEAT_E_ARG);
  assert_string_equal(err.message, "out is NULL");
  assert_int_equal(leat_runtime_create(NULL, &rt, &err), LEAT_OK);
  assert_int_equal(err.code, 0);
  assert_int_equal(leat_runtime_stat(NULL, "threads", &v, &err), LEAT_E_ARG);
  assert_int_equal(v, 0);
  assert_int_equal(leat_runtime_stat(rt, NULL, &v, &err), LEAT_E_ARG);
  assert_int_equal(leat_runtime_stat(rt, "threads", NULL, &err), LEAT_E_ARG);
  assert_int_equal(leat_runtime_stat(rt, "threads", &v, NULL), LEAT_OK);
  assert_int_equal(v, 1);
  assert_int_equal(leat_runtime_log_read(NULL, &level, &time_ns, buf, 8, &needed), LEAT_E_ARG);
  assert_true(level == 0 && time_ns == 0 && needed == 0);
  assert_int_equal(leat_runtime_log_read(rt, NULL, NULL, buf, 8, NULL), LEAT_E_ARG);
  assert_int_equal(leat_runtime_log_read(rt, NULL, NULL, NULL, 8, &needed), LEAT_E_ARG);
  assert_int_equal(leat_runtime_log_read(rt, NULL, NULL, buf, 8, &needed), LEAT_OK);
  assert_int_equal(needed, 0);
  assert_int_equal(leat_runtime_load_backend(NULL, "/x", &err), LEAT_E_ARG);
  assert_int_equal(leat_runtime_load_backend(rt, NULL, &err), LEAT_E_ARG);
  assert_true(leat_runtime_load_backend(rt, "/no/such/plugin.so", &err) < 0);
  assert_true(strlen(err.message) > 10);
  leat_runtime_free(rt);
  leat_runtime_free(NULL);
}

/* Creating with its devices: every allocation fails once, nothing is left behind. */
static void test_create_fails_each_allocation(void **state) {
  int64_t k = 0, worked = 0;
  (void)state;
  while (!worked) {
    leat_error err = {.struct_size = sizeof err};
    host_memory m = {.fail_at = ++k};
    leat_allocator a = host_allocator(&m, 0);
    leat_runtime_opts opts = {.struct_size = sizeof opts, .allocator = &a, .n_threads = 2, .cache_folder = "x"};
    leat_runtime *rt = (leat_runtime *)(void *)&m;
    leat_status st = leat_runtime_create(&opts, &rt, &err);
    worked = m.calls < k;
    if (st) {
      assert_int_equal(st, LEAT_E_MEMORY);
      assert_null(rt);
    } else {
      leat_runtime_free(rt);
    }
    if (worked) assert_int_equal(st, LEAT_OK);
    assert_int_equal(m.blocks, 0);
    assert_int_equal(m.bytes, 0);
    assert_int_equal(m.wrong, 0);
    assert_true(k < 1000);
  }
  assert_true(k > 4);
}

static void *runtime_lives(void *arg) {
  for (int i = 0; i < 20; i++) {
    leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = 2};
    leat_runtime *rt = NULL;
    int64_t v = 0;
    if (leat_runtime_create(&opts, &rt, NULL)) return arg;
    if (leat_runtime_stat(rt, "bytes_in_use", &v, NULL) || v <= 0) return arg;
    leat_runtime_free(rt);
  }
  return NULL;
}
static void test_many_runtimes(void **state) {
  pthread_t t[4];
  void *bad;
  (void)state;
  for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&t[i], NULL, runtime_lives, t), 0);
  for (int i = 0; i < 4; i++) {
    pthread_join(t[i], &bad);
    assert_null(bad);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_version), cmocka_unit_test(test_statuses), cmocka_unit_test(test_null_arguments),
      cmocka_unit_test(test_create_fails_each_allocation), cmocka_unit_test(test_many_runtimes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
