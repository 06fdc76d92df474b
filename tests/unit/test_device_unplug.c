/* Plug-ins that come and go: reloaded 1000 times, two runtimes with the same one, and libraries of another minor, another
 * major, or none. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "device/device.h"

static leat_runtime *runtime(void) {
  leat_runtime *rt = NULL;
  leat_error err = {.struct_size = sizeof err};
  if (leat_runtime_create(NULL, &rt, &err)) fail_msg("%s", err.message);
  return rt;
}

static const leat_device *plugged(leat_runtime *rt, const char *path, const char *name) {
  leat_error err = {.struct_size = sizeof err};
  const leat_device *dev = NULL;
  if (leat_runtime_load_backend(rt, path, &err) || leat_device_find(rt, name, &dev, &err)) fail_msg("%s", err.message);
  return dev;
}

/* One product on the device itself, and one op that it lacks. */
static int multiplies(leat_runtime *rt, const leat_device *dev) {
  float a[6] = {1, 2, 3, 4, 5, 6}, b[6] = {1, 0, 2, 1, 0, 3}, c[4] = {0, 0, 0, 0}, x[3] = {1, 1, 1}, y[2] = {0, 0};
  lt_gemm g = {2, 2, 3, 1, 0, a, b, c, 3, 1, 2, 1, 2, 1, NULL, 0};
  lt_gemv v = {2, 3, 1, 0, a, x, y, 3, 1, 1, 1};
  int64_t before = 0, between = 0, after = 0;
  leat_runtime_stat(rt, "fallback_ops", &before, NULL);
  if (lt_device_gemm(dev, &g, NULL)) return 0;
  leat_runtime_stat(rt, "fallback_ops", &between, NULL);
  if (lt_device_gemv(dev, &v, NULL)) return 0;
  leat_runtime_stat(rt, "fallback_ops", &after, NULL);
  return c[0] == 5 && c[1] == 11 && c[2] == 14 && c[3] == 23 && y[0] == 6 && y[1] == 15 && between == before &&
         after == between + 1;
}

static void reload(const char *path, const char *name) {
  for (int i = 0; i < 1000; i++) {
    leat_runtime *rt = runtime();
    assert_true(multiplies(rt, plugged(rt, path, name)));
    leat_runtime_free(rt);
    assert_null(dlopen(path, RTLD_NOW | RTLD_NOLOAD)); /* it is really gone */
  }
}

static void test_reload(void **unused) {
  (void)unused;
  reload(LEAT_TOY_PLUGIN, "toy:0");
  reload(LEAT_TINY_PLUGIN, "tiny:0");
}

static void test_two_runtimes(void **unused) {
  (void)unused;
  leat_runtime *one = runtime(), *two = runtime();
  const leat_device *first = plugged(one, LEAT_TINY_PLUGIN, "tiny:0"), *second = plugged(two, LEAT_TINY_PLUGIN, "tiny:0");
  assert_ptr_not_equal(first, second);
  for (int i = 0; i < 10; i++) assert_true(multiplies(one, first) && multiplies(two, second));
  leat_runtime_free(one); /* the library stays for the other one */
  for (int i = 0; i < 10; i++) assert_true(multiplies(two, second));
  one = runtime();
  assert_true(multiplies(one, plugged(one, LEAT_TINY_PLUGIN, "tiny:0")));
  leat_runtime_free(two);
  leat_runtime_free(one);
  assert_null(dlopen(LEAT_TINY_PLUGIN, RTLD_NOW | RTLD_NOLOAD));
}

static void *own_runtime(void *bad) {
  for (int i = 0; i < 10; i++) {
    leat_runtime *rt = NULL;
    const leat_device *dev = NULL;
    if (leat_runtime_create(NULL, &rt, NULL) || leat_runtime_load_backend(rt, LEAT_TINY_PLUGIN, NULL) ||
        leat_device_find(rt, "tiny:0", &dev, NULL))
      *(int *)bad = 1;
    for (int k = 0; k < 20 && dev; k++) *(int *)bad |= !multiplies(rt, dev);
    leat_runtime_free(rt);
  }
  return NULL;
}

static void test_two_runtimes_at_once(void **unused) {
  (void)unused;
#ifdef __SANITIZE_THREAD__
  skip(); /* the linker's own lock is not seen by it: it takes dlopen beside dlclose for a race */
#endif
  pthread_t threads[2];
  int bad[2] = {0, 0};
  for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, own_runtime, &bad[i]), 0);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  assert_false(bad[0] || bad[1]);
}

static void refused(const char *file, leat_status status, const char *says) {
  leat_runtime *rt = runtime();
  leat_error err = {.struct_size = sizeof err};
  char path[4096];
  int64_t count = 0;
  snprintf(path, sizeof path, "%s%s%s", LEAT_PLUGINS, *file ? "/libtoy_" : "", file);
  if (*file) snprintf(path + strlen(path), sizeof path - strlen(path), ".so");
  leat_status st = leat_runtime_load_backend(rt, path, &err);
  if (st != status || !strstr(err.message, says) || !strstr(err.message, path))
    fail_msg("%s: %d %s", path, (int)st, err.message);
  assert_int_equal(leat_device_count(rt, &count, NULL), LEAT_OK);
  assert_int_equal(count, 2);
  assert_null(dlopen(path, RTLD_NOW | RTLD_NOLOAD));
  assert_true(multiplies(rt, plugged(rt, LEAT_TOY_PLUGIN, "toy:0"))); /* a good one after it */
  leat_runtime_free(rt);
}

static void test_other_versions(void **unused) {
  (void)unused;
  refused("newer", LEAT_E_VERSION, "it is built for a newer leat");
  refused("minor", LEAT_E_VERSION, "needs plug-in interface 1.1, this leat has 1.0");
  refused("major", LEAT_E_VERSION, "the toy speaks another interface");
  refused("v2", LEAT_E_VERSION, "speaks plug-in interface 2, this leat speaks 1");
  refused("entry", LEAT_E_BACKEND, "does not export leat_backend_query_v1");
  refused("", LEAT_E_BACKEND, "it is a folder");
  leat_runtime *rt = runtime(); /* an older minor, with a shorter table, works */
  assert_true(multiplies(rt, plugged(rt, LEAT_PLUGINS "/libtoy_older.so", "toy:0")));
  leat_runtime_free(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_reload), cmocka_unit_test(test_two_runtimes),
                                     cmocka_unit_test(test_two_runtimes_at_once), cmocka_unit_test(test_other_versions)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
