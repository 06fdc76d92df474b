#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/sealed.h"

static leat_runtime *rt;
static char path[] = "test_api_inspect_XXXXXX";

static int setup(void **state) {
  (void)state;
  int fd = mkstemp(path);
  if (fd < 0) return -1;
  close(fd);
  return leat_runtime_create(NULL, &rt, NULL);
}

static int teardown(void **state) {
  (void)state;
  leat_runtime_free(rt);
  unlink(path);
  return 0;
}

static void write_file(const char *kind) {
  lt_seal *s;
  char zeros[5000] = { 0 };
  char four[4];
  memcpy(four, kind, 4);
  assert_int_equal(lt_seal_create(rt, four, 3, 1, &s, NULL), LEAT_OK);
  assert_int_equal(lt_seal_add(s, "head", LT_SEAL_RAW, "hello", 5, NULL), LEAT_OK);
  assert_int_equal(lt_seal_add(s, "zeros", LT_SEAL_ZSTD, zeros, sizeof zeros, NULL), LEAT_OK);
  assert_int_equal(lt_seal_write(s, path, NULL), LEAT_OK);
  lt_seal_free(s);
}

static void test_whole(void **state) {
  (void)state;
  leat_inspection *in;
  leat_error err = { .struct_size = sizeof err };
  char buf[64];
  uint64_t needed;
  int64_t v;
  write_file("MODL");
  assert_int_equal(leat_inspection_open(rt, path, &in, &err), LEAT_OK);
  assert_int_equal(leat_inspection_get_i64(in, "version", &v, &err), LEAT_OK);
  assert_int_equal(v, 3);
  assert_int_equal(leat_inspection_get_i64(in, "sections", &v, &err), LEAT_OK);
  assert_int_equal(v, 2);
  assert_int_equal(leat_inspection_get_text(in, "format", buf, sizeof buf, &needed, &err), LEAT_OK);
  assert_string_equal(buf, "model");
  assert_int_equal(leat_inspection_get_text(in, "checksum", buf, sizeof buf, &needed, &err), LEAT_OK);
  assert_int_equal(strlen(buf), 32);
  assert_int_equal(leat_inspection_get_text(in, "checksum", buf, 8, &needed, &err), LEAT_E_CAPACITY);
  assert_int_equal(needed, 33);
  leat_section_info s = { .struct_size = sizeof s };
  assert_int_equal(leat_inspection_section(in, 1, &s, &err), LEAT_OK);
  assert_string_equal(s.name, "zeros");
  assert_string_equal(s.codec, "zstd");
  assert_int_equal(s.raw_bytes, 5000);
  assert_true(s.stored_bytes < 5000);
  assert_int_equal(leat_inspection_section(in, 2, &s, &err), LEAT_E_NOT_FOUND);
  assert_int_equal(leat_inspection_section(in, -1, &s, &err), LEAT_E_NOT_FOUND);
  assert_int_equal(leat_inspection_get_i64(in, "secions", &v, &err), LEAT_E_NOT_FOUND);
  assert_non_null(strstr(err.message, "sections"));
  leat_inspection_free(in);
  write_file("XYZW");
  assert_int_equal(leat_inspection_open(rt, path, &in, &err), LEAT_OK);
  assert_int_equal(leat_inspection_get_text(in, "format", buf, sizeof buf, &needed, &err), LEAT_OK);
  assert_string_equal(buf, "XYZW");
  leat_inspection_free(in);
}

/* Every single flipped byte is seen. */
static void test_flips(void **state) {
  (void)state;
  unsigned char whole[8192];
  write_file("MODL");
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  size_t n = fread(whole, 1, sizeof whole, f);
  fclose(f);
  for (size_t i = 0; i < n; i++) {
    f = fopen(path, "wb");
    assert_non_null(f);
    whole[i] ^= 0x10;
    fwrite(whole, 1, n, f);
    fclose(f);
    whole[i] ^= 0x10;
    leat_inspection *in;
    leat_status e = leat_inspection_open(rt, path, &in, NULL);
    if (e != LEAT_E_FORMAT && e != LEAT_E_VERSION) fail_msg("byte %zu: status %d", i, e);
    assert_null(in);
  }
}

static void test_arguments(void **state) {
  (void)state;
  leat_inspection *in = (leat_inspection *)path;
  leat_error err = { .struct_size = sizeof err };
  assert_int_equal(leat_inspection_open(rt, "no/such/file", &in, &err), LEAT_E_NOT_FOUND);
  assert_null(in);
  assert_int_equal(leat_inspection_open(NULL, path, &in, &err), LEAT_E_ARG);
  assert_int_equal(leat_inspection_open(rt, path, NULL, &err), LEAT_E_ARG);
  assert_int_equal(leat_inspection_section(NULL, 0, NULL, &err), LEAT_E_ARG);
  leat_inspection_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_whole),
    cmocka_unit_test(test_flips),
    cmocka_unit_test(test_arguments),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
