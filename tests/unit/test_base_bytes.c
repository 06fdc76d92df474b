/* Byte strings and hashing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include "base/bytes.h"
#include "base/hash.h"
#include "base_files_help.h"

static mem_host host;
static leat_runtime *rt;
static int start(void **state) { (void)state; return (rt = host_start(&host)) == NULL; }
static int stop(void **state) { (void)state; return host_stop(&host, rt) != 0; }

static void write_all(lt_put *w) {
  static const double f64s[] = {1, -2.5, 1e300};
  static const float f32s[] = {0.5f, -3};
  static const int64_t i64s[] = {INT64_MIN, -1, INT64_MAX};
  lt_put_u8(w, 200);
  lt_put_u32(w, 0x01020304);
  lt_put_u64(w, 0x0102030405060708);
  lt_put_i64(w, -2);
  lt_put_f64(w, -0.0);
  lt_put_f32(w, 1.5f);
  lt_put_text(w, "text");
  lt_put_text(w, NULL);
  lt_put_raw(w, "raw", 3);
  lt_put_f64s(w, f64s, 3);
  lt_put_f32s(w, f32s, 2);
  lt_put_i64s(w, i64s, 3);
  lt_put_f64s(w, NULL, 0);
}

/* 0 when all was read as it was written. */
static int read_all(lt_get *r) {
  uint64_t n;
  int bad = lt_get_u8(r) != 200;
  bad |= lt_get_u32(r) != 0x01020304;
  bad |= lt_get_u64(r) != 0x0102030405060708;
  bad |= lt_get_i64(r) != -2;
  double zero = lt_get_f64(r);
  bad |= zero != 0 || !signbit(zero);
  bad |= lt_get_f32(r) != 1.5f;
  char *s = lt_get_text(r), *empty = lt_get_text(r);
  bad |= !s || strcmp(s, "text") != 0 || !empty || empty[0];
  lt_free(rt, s);
  lt_free(rt, empty);
  const void *raw = lt_get_raw(r, 3);
  bad |= !raw || memcmp(raw, "raw", 3) != 0;
  double *f64s = lt_get_f64s(r, &n);
  bad |= n != 3 || f64s[1] != -2.5;
  lt_free(rt, f64s);
  float *f32s = lt_get_f32s(r, &n);
  bad |= n != 2 || f32s[0] != 0.5f;
  lt_free(rt, f32s);
  int64_t *i64s = lt_get_i64s(r, &n);
  bad |= n != 3 || i64s[0] != INT64_MIN;
  lt_free(rt, i64s);
  f64s = lt_get_f64s(r, &n);
  bad |= n != 0 || !f64s;
  lt_free(rt, f64s);
  return bad || lt_get_left(r) != 0;
}

static void test_bytes(void **state) {
  (void)state;
  lt_put w;
  lt_get r;
  int64_t before = host.blocks;
  lt_put_init(&w, rt);
  write_all(&w);
  assert_int_equal(lt_put_status(&w, NULL), LEAT_OK);
  assert_memory_equal(w.data, "\xc8\4\3\2\1\x08\7\6\5\4\3\2\1", 13); /* little-endian on every machine */
  for (uint64_t size = 0; size <= w.size; size++) {
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, w.data, size);
    lt_get_init(&r, rt, copy, size);
    assert_int_equal(read_all(&r) == 0, size == w.size);
    assert_int_equal(lt_get_status(&r, "bytes", NULL), size == w.size ? LEAT_OK : LEAT_E_FORMAT);
    if (size < w.size) { /* sticky */
      assert_int_equal(lt_get_left(&r), 0);
      assert_int_equal(lt_get_u8(&r), 0);
    }
    free(copy);
  }
  lt_put_free(&w);
  assert_int_equal(host.blocks, before);
}

static void test_counts(void **state) {
  (void)state;
  static const uint64_t lies[] = {4, 5, UINT64_MAX, UINT64_MAX / 8 + 1, (uint64_t)1 << 61, (uint64_t)1 << 62};
  for (uint64_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    uint8_t bytes[32] = {0};
    uint64_t n = 7;
    lt_get r;
    for (int k = 0; k < 8; k++) bytes[k] = (uint8_t)(lies[i] >> (8 * k));
    lt_get_init(&r, rt, bytes, 8 + 24);
    assert_null(lt_get_f64s(&r, &n));
    assert_int_equal(n, 0);
    assert_int_equal(lt_get_status(&r, "x", NULL), LEAT_E_FORMAT);
    lt_get_init(&r, rt, bytes, 8 + 24);
    char *s = lt_get_text(&r); /* 4 or 5 zero bytes: NULs are refused */
    assert_null(s);
    assert_int_equal(lt_get_status(&r, "x", NULL), LEAT_E_FORMAT);
  }
  uint8_t bytes[16] = {3, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3};
  lt_get r;
  lt_get_init(&r, rt, bytes, 11);
  assert_int_equal(lt_get_count(&r, 1, 3), 3);
  lt_get_init(&r, rt, bytes, 11);
  assert_int_equal(lt_get_count(&r, 1, 2), 0);
  assert_int_equal(lt_get_status(&r, "x", NULL), LEAT_E_FORMAT);
  lt_get_init(&r, rt, NULL, 99);
  assert_int_equal(lt_get_left(&r), 0);
  lt_get_fail(&r, LEAT_E_VERSION);
  lt_get_fail(&r, LEAT_E_FORMAT);
  assert_int_equal(lt_get_status(&r, "x", NULL), LEAT_E_VERSION); /* the first reason stays */
}

static void test_bytes_no_memory(void **state) {
  (void)state;
  int64_t before = host.blocks;
  int done = 0;
  for (int64_t nth = 1; !done; nth++) {
    lt_put w;
    lt_put_init(&w, rt);
    host.fail_alloc = nth;
    write_all(&w);
    leat_status st = lt_put_status(&w, NULL);
    done = host.fail_alloc > 0;
    host.fail_alloc = 0;
    assert_int_equal(st, done ? LEAT_OK : LEAT_E_MEMORY);
    if (done) {
      lt_get r;
      lt_get_init(&r, rt, w.data, w.size);
      host.fail_alloc = 1;
      (void)lt_get_raw(&r, 33);
      char *s = lt_get_text(&r);
      host.fail_alloc = 0;
      assert_null(s);
      assert_int_equal(lt_get_status(&r, "x", NULL), LEAT_E_MEMORY);
    }
    lt_put_free(&w);
    assert_int_equal(host.blocks, before);
  }
}

static void test_hashes(void **state) {
  (void)state;
  uint64_t whole[2], parts[2];
  char hex[33];
  static uint8_t data[5000];
  for (int i = 0; i < 5000; i++) data[i] = (uint8_t)(i * 31);
  lt_hash128("", 0, whole); /* the published value of XXH3-128 of nothing, seed 0 */
  lt_hex128(whole, hex);
  assert_string_equal(hex, "99aa06d3014798d86001c324468d497f");
  assert_true(lt_hash64("", 0, 0) == 0x2d06800538d394c2u);
  for (uint64_t cut = 0; cut <= 5000; cut += 499) {
    lt_hasher *h = lt_hasher_create(rt);
    assert_non_null(h);
    lt_hasher_add(h, data, cut);
    lt_hasher_add(h, data + cut, 5000 - cut);
    lt_hasher_end(h, parts);
    lt_hasher_free(rt, h);
    lt_hash128(data, 5000, whole);
    assert_memory_equal(whole, parts, 16);
  }
}

static void test_dict(void **state) {
  (void)state;
  enum { N = 50000 };
  lt_dict *d, *copy;
  int64_t code, *moved = malloc(N * sizeof *moved);
  char text[32];
  uint64_t n;
  assert_non_null(moved);
  assert_int_equal(lt_dict_create(rt, &d, NULL), LEAT_OK);
  assert_int_equal(lt_dict_find(d, "", 0), -1);
  const char *first = NULL;
  for (int i = 0; i < N; i++) {
    int len = snprintf(text, sizeof text, "%d", i * 7 % N - 100);
    assert_int_equal(lt_dict_add(d, text, (uint64_t)len, &code, NULL), LEAT_OK);
    assert_int_equal(code, i);
    if (i == 0) first = lt_dict_text(d, 0, NULL);
    memset(text, 'z', sizeof text);
  }
  assert_ptr_equal(first, lt_dict_text(d, 0, NULL)); /* texts never move */
  int64_t blocks = host.blocks;
  int64_t allocations, later;
  assert_int_equal(lt_runtime_stat(rt, "allocations", &allocations, NULL), LEAT_OK);
  for (int i = 0; i < N; i++) {
    int len = snprintf(text, sizeof text, "%d", i * 7 % N - 100);
    assert_int_equal(lt_dict_find(d, text, (uint64_t)len), i);
    assert_int_equal(lt_dict_find(d, text, (uint64_t)len - 1) == i, 0);
    assert_int_equal(lt_dict_add(d, text, (uint64_t)len, &code, NULL), LEAT_OK);
    assert_int_equal(code, i);
  }
  assert_int_equal(lt_runtime_stat(rt, "allocations", &later, NULL), LEAT_OK);
  assert_int_equal(later, allocations);
  assert_int_equal(host.blocks, blocks);
  assert_int_equal(lt_dict_count(d), N);
  assert_int_equal(lt_dict_copy(d, &copy, NULL), LEAT_OK);
  assert_int_equal(lt_dict_sort(copy, moved, NULL), LEAT_OK);
  for (int64_t i = 0; i < N; i++) { /* -100, -99, ...: by number, not by letter */
    const char *s = lt_dict_text(copy, i, &n);
    assert_int_equal(atoi(s), i - 100);
    assert_int_equal(n, strlen(s));
    assert_int_equal(lt_dict_find(copy, s, n), i);
    assert_int_equal(moved[lt_dict_find(d, s, n)], i);
  }
  assert_null(lt_dict_text(d, N, &n));
  assert_null(lt_dict_text(d, -1, NULL));
  lt_dict_free(d);
  lt_dict_free(copy);
  lt_dict_free(NULL);
  free(moved);
}

static void test_dict_order(void **state) {
  (void)state;
  static const char *const in[] = {"b", "a", "10", "", "9", "ab", "nan", "\xc3\xa4", "1.0", "1"};
  static const char *const want[] = {"", "1", "1.0", "10", "9", "a", "ab", "b", "nan", "\xc3\xa4"};
  lt_dict *d;
  assert_int_equal(lt_dict_create(rt, &d, NULL), LEAT_OK);
  for (int i = 0; i < 10; i++) assert_int_equal(lt_dict_add(d, in[i], strlen(in[i]), NULL, NULL), LEAT_OK);
  assert_int_equal(lt_dict_sort(d, NULL, NULL), LEAT_OK);
  for (int i = 0; i < 10; i++) assert_string_equal(lt_dict_text(d, i, NULL), want[i]);
  /* bytes with NULs and long texts */
  static char big[200000];
  memset(big, 'q', sizeof big);
  assert_int_equal(lt_dict_add(d, big, sizeof big, NULL, NULL), LEAT_OK);
  assert_int_equal(lt_dict_add(d, "a\0b", 3, NULL, NULL), LEAT_OK);
  assert_int_equal(lt_dict_find(d, "a\0b", 3), 11);
  assert_int_equal(lt_dict_find(d, "a\0c", 3), -1);
  assert_int_equal(lt_dict_find(d, big, sizeof big), 10);
  lt_dict_free(d);
  assert_int_equal(lt_dict_create(rt, &d, NULL), LEAT_OK);
  static const char *const numbers[] = {"1e1", "9", "1.0", "1", "-inf", "inf", "01"};
  static const char *const sorted[] = {"-inf", "01", "1", "1.0", "9", "1e1", "inf"};
  for (int i = 0; i < 7; i++) assert_int_equal(lt_dict_add(d, numbers[i], strlen(numbers[i]), NULL, NULL), LEAT_OK);
  assert_int_equal(lt_dict_sort(d, NULL, NULL), LEAT_OK);
  for (int i = 0; i < 7; i++) assert_string_equal(lt_dict_text(d, i, NULL), sorted[i]);
  lt_dict_free(d);
  assert_int_equal(lt_dict_create(rt, &d, NULL), LEAT_OK);
  assert_int_equal(lt_dict_sort(d, NULL, NULL), LEAT_OK); /* empty */
  lt_dict_free(d);
}

static void test_dict_no_memory(void **state) {
  (void)state;
  int64_t before = host.blocks;
  int done = 0;
  for (int64_t nth = 1; !done; nth++) {
    lt_dict *d = NULL, *copy = NULL;
    char text[16];
    host.fail_alloc = nth;
    leat_status st = lt_dict_create(rt, &d, NULL);
    int64_t added = 0;
    for (int i = 0; i < 500 && st == LEAT_OK; i++) {
      int len = snprintf(text, sizeof text, "label %d", i);
      st = lt_dict_add(d, text, (uint64_t)len, NULL, NULL);
      added += st == LEAT_OK;
    }
    if (d) assert_int_equal(lt_dict_count(d), added);
    if (st == LEAT_OK) st = lt_dict_copy(d, &copy, NULL);
    if (st == LEAT_OK) st = lt_dict_sort(copy, NULL, NULL);
    done = host.fail_alloc > 0;
    host.fail_alloc = 0;
    assert_int_equal(st, done ? LEAT_OK : LEAT_E_MEMORY);
    for (int64_t i = 0; i < added; i++) { /* what is in stays findable after a failure */
      int len = snprintf(text, sizeof text, "label %d", (int)i);
      assert_int_equal(lt_dict_find(d, text, (uint64_t)len), i);
    }
    lt_dict_free(d);
    lt_dict_free(copy);
    assert_int_equal(host.blocks, before);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_bytes),  cmocka_unit_test(test_counts),
                                     cmocka_unit_test(test_bytes_no_memory), cmocka_unit_test(test_hashes),
                                     cmocka_unit_test(test_dict),   cmocka_unit_test(test_dict_order),
                                     cmocka_unit_test(test_dict_no_memory)};
  return cmocka_run_group_tests(tests, start, stop);
}
