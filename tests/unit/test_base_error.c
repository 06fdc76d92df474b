/* lib/base/error.c: errors of callers of every version, struct sizes, near misses. */
#include "hosts.h"

static void test_fill_and_clear(void **state) {
  leat_error err = {.struct_size = sizeof err};
  (void)state;
  assert_int_equal(lt_fail_at(&err, LEAT_E_DATA, 7, 3, "row %d: '%s'", 7, "x"), LEAT_E_DATA);
  assert_int_equal(err.code, LEAT_E_DATA);
  assert_int_equal(err.detail[0], 7);
  assert_int_equal(err.detail[1], 3);
  assert_string_equal(err.message, "row 7: 'x'");
  assert_int_equal(lt_fail(&err, LEAT_E_IO, "outer: %s", err.message), LEAT_E_IO); /* wraps itself */
  assert_string_equal(err.message, "outer: row 7: 'x'");
  assert_int_equal(err.detail[0], 0);
  lt_fail_os(&err, LEAT_E_IO, ENOSPC, "a/b");
  assert_string_equal(err.message, "a/b: No space left on device");
  assert_int_equal(err.os_code, ENOSPC);
  lt_fail_os(&err, LEAT_E_IO, 987654, "a/b");
  assert_string_equal(err.message, "a/b: system error 987654");
  lt_fail_memory(&err, 123, "rows");
  assert_int_equal(err.detail[3], 123);
  assert_string_equal(err.message, "no memory for 123 bytes of rows");
  assert_int_equal(lt_ok(&err), LEAT_OK);
  assert_int_equal(err.code, 0);
  assert_int_equal(err.detail[3], 0);
  assert_string_equal(err.message, "");
  assert_int_equal(err.struct_size, sizeof err);
  assert_int_equal(lt_fail(NULL, LEAT_E_ARG, "x"), LEAT_E_ARG);
  assert_int_equal(lt_ok(NULL), LEAT_OK);
}

/* An error of any size is filled as far as it goes, and not a byte further. */
static void test_struct_size(void **state) {
  unsigned char room[sizeof(leat_error) + 64], *bytes = room;
  char longer[2000];
  (void)state;
  memset(longer, 'y', sizeof longer - 1);
  longer[sizeof longer - 1] = 0;
  for (uint64_t size = 0; size <= sizeof room; size++) {
    leat_error *err = (leat_error *)(void *)bytes;
    memset(room, 0xEE, sizeof room);
    err->struct_size = size;
    lt_fail_memory(err, 5, longer);
    lt_fail_os(err, LEAT_E_IO, ENOENT, "%s", longer);
    assert_int_equal(err->struct_size, size);
    uint64_t end = size < sizeof *err ? size : sizeof *err;
    for (uint64_t i = end < 8 ? 8 : end; i < sizeof room; i++) assert_int_equal(room[i], 0xEE);
    if (size >= 12) assert_int_equal(err->code, LEAT_E_IO);
    if (size > offsetof(leat_error, message)) {
      uint64_t cap = end - offsetof(leat_error, message);
      assert_non_null(memchr(err->message, 0, cap));
      if (cap >= 8) assert_non_null(strstr(err->message, "y..."));
    }
    lt_ok(err);
    for (uint64_t i = end < 8 ? 8 : end; i < sizeof room; i++) assert_int_equal(room[i], 0xEE);
    if (size >= 12) assert_int_equal(err->code, 0);
  }
}

static void test_cut_at_a_character(void **state) {
  leat_error err = {.struct_size = sizeof err};
  char text[1200];
  (void)state;
  for (int shift = 0; shift < 3; shift++) {
    uint64_t n = 0;
    while (n < (uint64_t)shift) text[n++] = 'a';
    while (n + 3 < sizeof text) {
      memcpy(text + n, "\xE2\x82\xAC", 3); /* the euro sign */
      n += 3;
    }
    text[n] = 0;
    lt_fail(&err, LEAT_E_ARG, "%s", text);
    uint64_t len = strlen(err.message);
    assert_true(len < sizeof err.message);
    assert_string_equal(err.message + len - 3, "...");
    assert_int_equal((len - 3 - (uint64_t)shift) % 3, 0);
  }
}

static void test_nearest(void **state) {
  const char *const names[] = {"learning_rate", "max_iterations", "l2", "solver", "n"};
  (void)state;
  assert_string_equal(lt_nearest("lerning_rate", names, 5), "learning_rate");
  assert_string_equal(lt_nearest("LEARNING-RATE", names, 5), "learning_rate");
  assert_string_equal(lt_nearest("max_iteratoins", names, 5), "max_iterations");
  assert_string_equal(lt_nearest("sovler", names, 5), "solver");
  assert_string_equal(lt_nearest("l1", names, 5), "l2");
  assert_null(lt_nearest("batch", names, 5));
  assert_null(lt_nearest("", names, 5));
  assert_null(lt_nearest(NULL, names, 5));
  assert_null(lt_nearest("x", names, 5)); /* everything is one edit from "n" */
  char big[4000];
  memset(big, 'z', sizeof big - 1);
  big[sizeof big - 1] = 0;
  assert_null(lt_nearest(big, names, 5));
  const char *const far[] = {big, NULL, "zz"};
  assert_string_equal(lt_nearest("zzz", far, 3), "zz");
}

typedef struct small_struct { uint64_t struct_size; int64_t a, b; } small_struct;
static void test_take_struct(void **state) {
  leat_error err = {.struct_size = sizeof err};
  struct { small_struct s; unsigned char tail[64]; } given;
  small_struct got;
  (void)state;
  memset(&given, 0, sizeof given);
  given.s = (small_struct){sizeof given.s, 5, 6};
  assert_int_equal(lt_take_struct(&got, sizeof got, &given, sizeof got, "s", &err), LEAT_OK);
  assert_int_equal(got.b, 6);
  assert_int_equal(lt_take_struct(&got, sizeof got, &given, 16, "s", &err), LEAT_OK); /* an older caller */
  assert_int_equal(got.a, 5);
  assert_int_equal(got.b, 0);
  assert_int_equal(got.struct_size, sizeof got);
  assert_int_equal(lt_take_struct(&got, sizeof got, &given, sizeof got + 64, "s", &err), LEAT_OK); /* newer, unused */
  assert_int_equal(got.b, 6);
  given.tail[63] = 1;
  assert_int_equal(lt_take_struct(&got, sizeof got, &given, sizeof got + 64, "s", &err), LEAT_E_VERSION);
  assert_non_null(strstr(err.message, "byte 87"));
  const uint64_t hostile[] = {0, 1, 7, 1 << 20, (uint64_t)1 << 40, UINT64_MAX, UINT64_MAX - 7, (uint64_t)INT64_MIN};
  for (uint64_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
    assert_int_equal(lt_take_struct(&got, sizeof got, &given, hostile[i], "s", &err), LEAT_E_ARG);
}

static void test_give(void **state) {
  leat_error err = {.struct_size = sizeof err};
  small_struct from = {sizeof from, 1, 2}, to = {16, -1, -1};
  uint64_t needed = 0;
  char buf[4] = "zzz";
  (void)state;
  lt_give_struct(&to, to.struct_size, &from, sizeof from);
  assert_int_equal(to.struct_size, 16);
  assert_int_equal(to.a, 1);
  assert_int_equal(to.b, -1);
  assert_int_equal(lt_give_text("abc", 3, buf, 4, &needed, &err), LEAT_OK);
  assert_string_equal(buf, "abc");
  assert_int_equal(needed, 4);
  assert_int_equal(lt_give_text("abc", 3, buf, 3, &needed, &err), LEAT_E_CAPACITY);
  assert_int_equal(needed, 4);
  assert_int_equal(err.detail[3], 4);
  assert_string_equal(buf, "");
  assert_int_equal(lt_give_text("abc", 3, NULL, 0, &needed, &err), LEAT_E_CAPACITY);
  assert_int_equal(needed, 4);
  assert_int_equal(lt_give_text("abc", 3, NULL, 9, &needed, &err), LEAT_E_ARG);
  assert_int_equal(lt_give_text("", 0, buf, 1, NULL, &err), LEAT_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fill_and_clear), cmocka_unit_test(test_struct_size),
      cmocka_unit_test(test_cut_at_a_character), cmocka_unit_test(test_nearest),
      cmocka_unit_test(test_take_struct), cmocka_unit_test(test_give)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
