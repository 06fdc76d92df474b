/* Plug-ins from shared libraries: the toy of tests/plugin, and everything that is no plug-in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "device/device.h"

static leat_runtime *runtime(void) {
  leat_runtime *rt = NULL;
  leat_error err = {.struct_size = sizeof err};
  if (leat_runtime_create(NULL, &rt, &err)) fail_msg("%s", err.message);
  return rt;
}

static void refused(const char *path, leat_status status, const char *says) {
  leat_runtime *rt = runtime();
  leat_error err = {.struct_size = sizeof err};
  int64_t count = 0;
  leat_status st = leat_runtime_load_backend(rt, path, &err);
  if (st != status || !strstr(err.message, says)) fail_msg("%s: %d %s", path ? path : "NULL", (int)st, err.message);
  assert_int_equal(leat_device_count(rt, &count, NULL), LEAT_OK);
  assert_int_equal(count, 2);
  leat_runtime_free(rt);
}

static void write_file(const char *path, const char *bytes, size_t size) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, size, f), size);
  assert_int_equal(fclose(f), 0);
}

static void test_refused(void **unused) {
  (void)unused;
  static const char *const junk = "./device_loader_junk.so";
  refused(NULL, LEAT_E_ARG, "path is NULL");
  refused("", LEAT_E_ARG, "no '/'");
  refused("libtoy.so", LEAT_E_ARG, "no '/'");
  refused("./no/such/libtoy.so", LEAT_E_NOT_FOUND, "./no/such/libtoy.so");
  refused("./include", LEAT_E_BACKEND, "a folder");
  refused("/dev/null", LEAT_E_BACKEND, "no regular file");
  write_file(junk, "", 0);
  refused(junk, LEAT_E_BACKEND, "cannot load");
  write_file(junk, "this is text, not a library", 27);
  refused(junk, LEAT_E_BACKEND, "cannot load");
  write_file(junk, "\177ELF\2\1\1", 7);
  refused(junk, LEAT_E_BACKEND, "cannot load");
  remove(junk);
  refused("./README.md/libtoy.so", LEAT_E_NOT_FOUND, "cannot load");
}

static void test_no_plug_in(void **unused) {
  (void)unused;
  /* a library that is there on every Linux of this kind */
  FILE *f = fopen("/lib/x86_64-linux-gnu/libm.so.6", "rb");
  if (!f) skip();
  fclose(f);
  refused("/lib/x86_64-linux-gnu/libm.so.6", LEAT_E_BACKEND, "does not export leat_backend_query_v1");
}

static void test_toy(void **unused) {
  (void)unused;
  for (int turn = 0; turn < 2; turn++) { /* load, unload, load again */
    leat_runtime *rt = runtime();
    leat_error err = {.struct_size = sizeof err};
    const leat_device *dev = NULL;
    if (leat_runtime_load_backend(rt, LEAT_TOY_PLUGIN, &err)) fail_msg("%s", err.message);
    assert_int_equal(leat_device_find(rt, "toy:0", &dev, &err), LEAT_OK);
    float a[4] = {1, 2, 3, 4}, b[4] = {1, 1, 0, 1}, c[4] = {0, 0, 0, 0}, x[2] = {1, 1}, y[2] = {0, 0};
    lt_gemm g = {2, 2, 2, 1, 0, a, b, c, 2, 1, 2, 1, 2, 1, NULL, 0};
    assert_int_equal(lt_device_gemm(dev, &g, &err), LEAT_OK);
    assert_true(c[0] == 1 && c[1] == 3 && c[2] == 3 && c[3] == 7);
    lt_gemv v = {2, 2, 1, 0, a, x, y, 2, 1, 1, 1};
    int64_t fallbacks = 0;
    assert_int_equal(lt_device_gemv(dev, &v, &err), LEAT_OK);
    assert_int_equal(leat_runtime_stat(rt, "fallback_ops", &fallbacks, &err), LEAT_OK);
    assert_int_equal(fallbacks, 1);
    assert_int_equal(leat_runtime_load_backend(rt, LEAT_TOY_PLUGIN, &err), LEAT_E_BACKEND);
    assert_non_null(strstr(err.message, "toy is there already"));
    assert_int_equal(lt_device_gemm(dev, &g, &err), LEAT_OK);
    leat_runtime_free(rt);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused), cmocka_unit_test(test_no_plug_in),
                                     cmocka_unit_test(test_toy)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
