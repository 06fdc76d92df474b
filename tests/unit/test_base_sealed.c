/* Sealed files: round trip, golden bytes, every bit flipped, every cut, lies behind right checksums, failing memory.
 * With --write-golden PATH it writes the golden file instead (done once for each format version). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/hash.h"
#include "base/sealed.h"
#include "base/sealed_inner.h"
#include "base_files_help.h"

static mem_host host;
static leat_runtime *rt;
static int start(void **state) { (void)state; return (rt = host_start(&host)) == NULL; }
static int stop(void **state) { (void)state; return host_stop(&host, rt) != 0; }

static uint8_t numbers[1000];
static leat_status build(lt_seal **s, leat_error *err) {
  for (int i = 0; i < 1000; i++) numbers[i] = (uint8_t)(i / 10);
  leat_status st = lt_seal_create(rt, "TEST", 3, 2, s, err);
  if (st == LEAT_OK) st = lt_seal_add(*s, "hello", LT_SEAL_RAW, "hello, world", 12, err);
  if (st == LEAT_OK) st = lt_seal_add(*s, "numbers", LT_SEAL_ZSTD, numbers, 1000, err);
  if (st == LEAT_OK) st = lt_seal_add(*s, "empty", LT_SEAL_RAW, NULL, 0, err);
  if (st == LEAT_OK) st = lt_seal_add(*s, "empty.zstd", LT_SEAL_ZSTD, NULL, 0, err);
  if (st == LEAT_OK) st = lt_seal_add(*s, "fifteen-letters", LT_SEAL_RAW, numbers, 65, err);
  return st;
}

static void check_contents(lt_sealed *f) {
  static const struct { const char *name; uint64_t size; int32_t codec; } want[] = {
      {"hello", 12, 0}, {"numbers", 1000, 1}, {"empty", 0, 0}, {"empty.zstd", 0, 1}, {"fifteen-letters", 65, 0}};
  char kind[5];
  const void *data;
  uint64_t size, raw;
  const char *name;
  int32_t codec;
  lt_sealed_kind(f, kind);
  assert_string_equal(kind, "TEST");
  assert_int_equal(lt_sealed_version(f), 3);
  assert_int_equal(lt_sealed_count(f), 5);
  for (int64_t i = 0; i < 5; i++) {
    assert_int_equal(lt_sealed_info(f, i, &name, NULL, &raw, &codec, NULL), LEAT_OK);
    assert_string_equal(name, want[i].name);
    assert_int_equal(raw, want[i].size);
    assert_int_equal(codec, want[i].codec);
  }
  assert_int_equal(lt_sealed_info(f, 5, &name, NULL, NULL, NULL, NULL), LEAT_E_NOT_FOUND);
  assert_null(name);
  for (int twice = 0; twice < 2; twice++) {
    assert_int_equal(lt_sealed_section(f, "hello", &data, &size, NULL), LEAT_OK);
    assert_int_equal(size, 12);
    assert_memory_equal(data, "hello, world", 12);
    assert_int_equal(lt_sealed_section(f, "numbers", &data, &size, NULL), LEAT_OK);
    assert_int_equal(size, 1000);
    for (int i = 0; i < 1000; i++) assert_int_equal(((const uint8_t *)data)[i], i / 10);
    assert_int_equal(lt_sealed_section(f, "empty.zstd", &data, &size, NULL), LEAT_OK);
    assert_non_null(data);
    assert_int_equal(size, 0);
  }
  assert_int_equal(lt_sealed_section(f, "Hello", &data, &size, NULL), LEAT_E_NOT_FOUND);
  assert_null(data);
}

static void test_round_trip(void **state) {
  (void)state;
  lt_seal *s, *again;
  lt_sealed *f;
  const void *a, *b;
  uint64_t n, m;
  char first[33], second[33];
  assert_int_equal(build(&s, NULL), LEAT_OK);
  assert_int_equal(build(&again, NULL), LEAT_OK);
  assert_int_equal(lt_seal_bytes(s, &a, &n, NULL), LEAT_OK);
  assert_int_equal(lt_seal_bytes(again, &b, &m, NULL), LEAT_OK);
  assert_int_equal(n, m);
  assert_memory_equal(a, b, n);
  assert_int_equal(lt_sealed_open_bytes(rt, a, n, "memory", "TEST", 3, 0, &f, NULL), LEAT_OK);
  check_contents(f);
  lt_sealed_checksum(f, first);
  lt_sealed_free(f);
  assert_int_equal(lt_seal_write(s, "folder/file", NULL), LEAT_OK);
  assert_int_equal(lt_sealed_open(rt, "folder/file", "", 2, 0, &f, NULL), LEAT_OK);
  check_contents(f);
  lt_sealed_checksum(f, second);
  assert_string_equal(first, second);
  assert_int_equal(strlen(first), 32);
  lt_sealed_free(f);
  assert_int_equal(lt_seal_add(s, "late", LT_SEAL_RAW, "x", 1, NULL), LEAT_E_INTERNAL);
  lt_seal_free(s);
  lt_seal_free(again);
  lt_seal_free(NULL);
  lt_sealed_free(NULL);
}

static void test_refusals(void **state) {
  (void)state;
  lt_seal *s;
  lt_sealed *f = (void *)1;
  const void *data;
  uint64_t n;
  leat_error err = {.struct_size = sizeof err};
  assert_int_equal(lt_seal_create(rt, "TEST", 1, 2, &s, NULL), LEAT_E_INTERNAL);
  assert_null(s);
  assert_int_equal(build(&s, NULL), LEAT_OK);
  assert_int_equal(lt_seal_add(s, "hello", LT_SEAL_RAW, "x", 1, NULL), LEAT_E_INTERNAL);
  assert_int_equal(lt_seal_add(s, "", LT_SEAL_RAW, "x", 1, NULL), LEAT_E_INTERNAL);
  assert_int_equal(lt_seal_add(s, "sixteen-letters!", LT_SEAL_RAW, "x", 1, NULL), LEAT_E_INTERNAL);
  assert_int_equal(lt_seal_add(s, "a b", LT_SEAL_RAW, "x", 1, NULL), LEAT_E_INTERNAL);
  assert_int_equal(lt_seal_add(s, "codec", 2, "x", 1, NULL), LEAT_E_INTERNAL);
  assert_int_equal(lt_seal_bytes(s, &data, &n, NULL), LEAT_OK);
  assert_int_equal(lt_sealed_open_bytes(rt, data, n, "m", "OTHR", 3, 0, &f, &err), LEAT_E_FORMAT);
  assert_null(f);
  assert_non_null(strstr(err.message, "'TEST'"));
  assert_int_equal(lt_sealed_open_bytes(rt, data, n, "m", "TEST", 1, 0, &f, &err), LEAT_E_VERSION);
  assert_int_equal(lt_sealed_open_bytes(rt, NULL, 0, "m", "TEST", 1, 0, &f, &err), LEAT_E_FORMAT);
  assert_int_equal(lt_sealed_open(rt, "nowhere", "TEST", 3, 0, &f, &err), LEAT_E_NOT_FOUND);
  assert_int_equal(lt_seal_write(s, "small", NULL), LEAT_OK);
  assert_int_equal(lt_sealed_open(rt, "small", "TEST", 3, n - 1, &f, &err), LEAT_E_MEMORY);
  assert_int_equal(lt_sealed_open(rt, "small", "TEST", 3, n + 999, &f, &err), LEAT_OK); /* but not all of it */
  assert_int_equal(lt_sealed_section(f, "numbers", &data, &n, &err), LEAT_E_MEMORY);
  assert_null(data);
  lt_sealed_free(f);
  lt_seal_free(s);
}

/* Every bit flipped, every length but the right one: never taken, and the error is a plain one. */
static void test_damage(void **state) {
  (void)state;
  lt_seal *s;
  lt_sealed *f;
  const void *data;
  uint64_t n;
  assert_int_equal(build(&s, NULL), LEAT_OK);
  assert_int_equal(lt_seal_bytes(s, &data, &n, NULL), LEAT_OK);
  assert_true(n < 1000);
  for (uint64_t bit = 0; bit < n * 8; bit++) {
    uint8_t *copy = malloc(n);
    assert_non_null(copy);
    memcpy(copy, data, n);
    copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
    leat_status st = lt_sealed_open_bytes(rt, copy, n, "m", "TEST", 3, 0, &f, NULL);
    if (st != LEAT_E_FORMAT && st != LEAT_E_VERSION) fail_msg("bit %llu: %d", (unsigned long long)bit, (int)st);
    assert_null(f);
    free(copy);
  }
  for (uint64_t size = 0; size < n; size++) {
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    assert_int_equal(lt_sealed_open_bytes(rt, copy, size, "m", "TEST", 3, 0, &f, NULL), LEAT_E_FORMAT);
    free(copy);
    mem_file *cut = host_find(&host, "cut", 1);
    memcpy(cut->now, data, size);
    cut->size = size;
    assert_int_equal(lt_sealed_open(rt, "cut", "TEST", 3, 0, &f, NULL), LEAT_E_FORMAT);
  }
  uint8_t *longer = malloc(n + 1);
  assert_non_null(longer);
  memcpy(longer, data, n);
  longer[n] = 0;
  assert_int_equal(lt_sealed_open_bytes(rt, longer, n + 1, "m", "TEST", 3, 0, &f, NULL), LEAT_E_FORMAT);
  free(longer);
  lt_seal_free(s);
}

/* What an enemy does: changes a field and makes the checksums right again. */
static void reseal(uint8_t *p) {
  uint8_t both[16];
  uint64_t count = p[24];
  lt_seal_store(both, lt_hash64(p, 56, 0));
  lt_seal_store(both + 8, lt_hash64(p + 64, count * 64, 0));
  lt_seal_store(p + 56, lt_hash64(both, 16, 0));
}
static void test_lies(void **state) {
  (void)state;
  lt_seal *s;
  const void *data;
  uint64_t n, taken = 0;
  uint64_t seed = 5;
  assert_int_equal(build(&s, NULL), LEAT_OK);
  assert_int_equal(lt_seal_bytes(s, &data, &n, NULL), LEAT_OK);
  uint8_t *copy = malloc(n);
  assert_non_null(copy);
  for (int round = 0; round < 60000; round++) {
    uint64_t at = host_random(&seed) % (64 + 5 * 64);
    memcpy(copy, data, n);
    if (round % 2) copy[at] ^= (uint8_t)(1u << host_random(&seed) % 8);
    else copy[at] = (uint8_t)(host_random(&seed) >> 7);
    if (round % 3 == 0) { /* the section's bytes too, with their checksum right */
      uint64_t row = 64 + host_random(&seed) % 5 * 64, offset = 0, stored = 0, sum[2];
      for (int i = 8; i-- > 0;) offset = offset << 8 | copy[row + 24 + (uint64_t)i], stored = stored << 8 | copy[row + 32 + (uint64_t)i];
      if (offset < n && stored && stored <= n - offset) {
        copy[offset + host_random(&seed) % stored] = (uint8_t)host_random(&seed);
        lt_hash128(copy + offset, stored, sum);
        lt_seal_store(copy + row + 48, sum[0]);
        lt_seal_store(copy + row + 56, sum[1]);
      }
    }
    reseal(copy);
    lt_sealed *f;
    leat_status st = lt_sealed_open_bytes(rt, copy, n, "m", "", 3, 1 << 20, &f, NULL);
    if (st != LEAT_OK) {
      assert_true(st == LEAT_E_FORMAT || st == LEAT_E_VERSION);
      continue;
    }
    taken++;
    for (int64_t i = 0; i < lt_sealed_count(f); i++) {
      const char *name;
      const void *bytes;
      uint64_t size;
      assert_int_equal(lt_sealed_info(f, i, &name, NULL, NULL, NULL, NULL), LEAT_OK);
      st = lt_sealed_section(f, name, &bytes, &size, NULL);
      assert_true(st == LEAT_OK || st == LEAT_E_FORMAT || st == LEAT_E_MEMORY);
      uint64_t sum[2];
      if (st == LEAT_OK) lt_hash128(bytes, size, sum); /* every byte that is given out can be read */
    }
    lt_sealed_free(f);
  }
  assert_true(taken > 100); /* names, versions, kinds may be anything */
  free(copy);
  lt_seal_free(s);
}

/* A frame that promises a gigabyte is refused before memory is asked for. */
static void test_bomb(void **state) {
  (void)state;
  lt_seal *s;
  lt_sealed *f;
  const void *data;
  uint64_t n, size;
  int64_t peak;
  uint64_t length = (uint64_t)4 << 20;
  void *zeros = calloc(1, length);
  assert_non_null(zeros);
  assert_int_equal(lt_seal_create(rt, "TEST", 1, 1, &s, NULL), LEAT_OK);
  assert_int_equal(lt_seal_add(s, "zeros", LT_SEAL_ZSTD, zeros, length, NULL), LEAT_OK);
  assert_int_equal(lt_seal_bytes(s, &data, &n, NULL), LEAT_OK);
  assert_int_equal(lt_sealed_open_bytes(rt, data, n, "m", "TEST", 1, 1 << 20, &f, NULL), LEAT_OK);
  assert_int_equal(lt_runtime_stat(rt, "bytes_in_use", &peak, NULL), LEAT_OK);
  assert_int_equal(lt_sealed_section(f, "zeros", &data, &size, NULL), LEAT_E_MEMORY);
  int64_t now;
  assert_int_equal(lt_runtime_stat(rt, "bytes_in_use", &now, NULL), LEAT_OK);
  assert_int_equal(now, peak);
  lt_sealed_free(f);
  lt_seal_free(s);
  free(zeros);
}

static void test_no_memory(void **state) {
  (void)state;
  int64_t before = host.blocks;
  int done = 0;
  for (int64_t nth = 1; !done; nth++) {
    lt_seal *s = NULL;
    lt_sealed *f = NULL;
    const void *data;
    uint64_t size;
    host.fail_alloc = nth;
    leat_status st = build(&s, NULL);
    if (st == LEAT_OK) st = lt_seal_write(s, "memory", NULL);
    if (st == LEAT_OK) st = lt_sealed_open(rt, "memory", "TEST", 3, 0, &f, NULL);
    if (st == LEAT_OK) st = lt_sealed_section(f, "numbers", &data, &size, NULL);
    done = host.fail_alloc > 0;
    host.fail_alloc = 0;
    assert_int_equal(st, done ? LEAT_OK : LEAT_E_MEMORY);
    lt_sealed_free(f);
    lt_seal_free(s);
    assert_int_equal(host.blocks, before);
    assert_true(nth < 200);
  }
}

static void test_full_disk(void **state) {
  (void)state;
  lt_seal *s;
  lt_sealed *f;
  assert_int_equal(build(&s, NULL), LEAT_OK);
  assert_int_equal(lt_seal_write(s, "kept", NULL), LEAT_OK);
  host.fail_write = 1;
  leat_error err = {.struct_size = sizeof err};
  assert_int_equal(lt_seal_write(s, "kept", &err), LEAT_E_IO);
  assert_int_equal(err.os_code, ENOSPC);
  host.fail_write = 0;
  assert_int_equal(lt_sealed_open(rt, "kept", "TEST", 3, 0, &f, NULL), LEAT_OK);
  check_contents(f);
  lt_sealed_free(f);
  lt_seal_free(s);
}

/* Files that earlier versions of leat wrote are read for ever. */
/* What zstd cannot make smaller is stored as it is, when it is large; the file changes hands with the checksum it opens with. */
static void test_large(void **state) {
  enum { LARGE = 2 << 20 };
  static const struct { const char *name; uint64_t size; int noise; int32_t codec; } want[] = {
      {"noise", LARGE, 1, LT_SEAL_RAW}, {"order", LARGE, 0, LT_SEAL_ZSTD}, {"little", 5000, 1, LT_SEAL_ZSTD}, {"none", 0, 0, LT_SEAL_ZSTD}};
  leat_error e = {.struct_size = sizeof e};
  lt_seal *s = NULL;
  lt_sealed *f = NULL;
  void *data = NULL;
  uint64_t size = 0;
  char checksum[33], again[33];
  (void)state;
  assert_int_equal(lt_seal_create(rt, "TEST", 1, 1, &s, &e), LEAT_OK);
  for (int i = 0; i < 4; i++) {
    lt_put w;
    lt_put_init(&w, rt);
    for (uint64_t k = 0; k < want[i].size; k++) lt_put_u8(&w, want[i].noise ? (uint8_t)lt_hash64(&k, 8, 0) : (uint8_t)(k / 5000));
    assert_int_equal(lt_seal_add_put(s, want[i].name, LT_SEAL_ZSTD, &w, &e), LEAT_OK);
    assert_null(w.data);
  }
  assert_int_equal(lt_seal_take(s, &data, &size, checksum, &e), LEAT_OK);
  lt_seal_free(s);
  assert_int_equal(lt_sealed_open_bytes(rt, data, size, "large", "TEST", 1, 0, &f, &e), LEAT_OK);
  lt_sealed_checksum(f, again);
  assert_string_equal(again, checksum);
  for (int i = 0; i < 4; i++) {
    const void *bytes;
    uint64_t n;
    int32_t codec;
    assert_int_equal(lt_sealed_info(f, i, NULL, NULL, NULL, &codec, &e), LEAT_OK);
    assert_int_equal(codec, want[i].codec);
    assert_int_equal(lt_sealed_section(f, want[i].name, &bytes, &n, &e), LEAT_OK);
    assert_int_equal(n, want[i].size);
    uint64_t wrong = 0;
    for (uint64_t k = 0; k < n; k++)
      wrong += ((const uint8_t *)bytes)[k] != (want[i].noise ? (uint8_t)lt_hash64(&k, 8, 0) : (uint8_t)(k / 5000));
    assert_int_equal(wrong, 0);
  }
  lt_sealed_free(f);
  lt_free(rt, data);
}

static void test_golden(void **state) {
  (void)state;
  static uint8_t bytes[4096];
  FILE *in = fopen("tests/golden/sealed-v1.bin", "rb");
  if (!in) fail_msg("tests/golden/sealed-v1.bin cannot be opened: run from the repository's root");
  size_t n = fread(bytes, 1, sizeof bytes, in);
  fclose(in);
  lt_sealed *f;
  char hex[33];
  assert_int_equal(lt_sealed_open_bytes(rt, bytes, n, "golden", "TEST", 3, 0, &f, NULL), LEAT_OK);
  check_contents(f);
  lt_sealed_checksum(f, hex);
  lt_sealed_free(f);
  assert_memory_equal(bytes, "\x89LEAT\r\n\x1aTEST\3\0\0\0\2\0\0\0\1\0\0\0\5\0\0\0\0\0\0\0", 32);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--write-golden") == 0) {
    lt_seal *s;
    const void *data;
    uint64_t n;
    FILE *out = fopen(argv[2], "wb");
    if (start(NULL) || !out || build(&s, NULL) != LEAT_OK || lt_seal_bytes(s, &data, &n, NULL) != LEAT_OK) return 1;
    return fwrite(data, 1, n, out) != n || fclose(out) != 0;
  }
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refusals),
                                     cmocka_unit_test(test_damage),     cmocka_unit_test(test_lies),
                                     cmocka_unit_test(test_bomb),       cmocka_unit_test(test_no_memory),
                                     cmocka_unit_test(test_full_disk),  cmocka_unit_test(test_golden),
                                     cmocka_unit_test(test_large)};
  return cmocka_run_group_tests(tests, start, stop);
}
