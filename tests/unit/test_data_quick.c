/* The entries of sparse rows: what the processor's own way reads is what the plain way reads. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"
#include "data/quick.h"

enum { ROOM = 1 << 14, MOST = 2048 };
typedef struct line { char text[ROOM + 256]; int64_t size; } line;

static int64_t below(lt_rng *r, int64_t n) { return (int64_t)(lt_rng_unit(r) * (double)n); }

static void put(line *l, const char *text) {
  size_t n = strlen(text);
  memcpy(l->text + l->size, text, n);
  l->size += (int64_t)n;
}

/* A row; odd: one in so many entries is unusual. */
static void make(lt_rng *r, line *l, int64_t entries, int64_t odd) {
  static const char *const words[] = {"7:1e5 ",    "3:2 ",        "12:.5 ",      "9:5. ",  "5:-.25 ", " ",       "8:1.5\t", "99999999:1.0 ",
                                      "123456789:2.0 ", "4:nan ", "6:1234567890.5 ", "2:--3.0 ", "x:1.0 ", "1:1.2.3 ", ":1.0 ", "7: ", "7:0.00001234567 "};
  int64_t index = below(r, 3);
  l->size = 0;
  for (int64_t k = 0; k < entries && l->size < ROOM - 64; k++) {
    char text[64];
    index += 1 + below(r, below(r, 4) ? 20 : 20000);
    if (odd && below(r, odd) == 0) {
      put(l, words[below(r, (int64_t)(sizeof words / sizeof *words))]);
      continue;
    }
    int digits = (int)below(r, 8);
    snprintf(text, sizeof text, "%lld:%.*f ", (long long)index, digits, (lt_rng_unit(r) - 0.5) * (below(r, 2) ? 10 : 2000));
    if (below(r, 10) == 0) snprintf(text, sizeof text, "%lld:%d ", (long long)index, below(r, 2) ? 1 : -17);
    put(l, text);
  }
  l->text[l->size - 1] = '\n';
  memset(l->text + l->size, '5', 256); /* what follows is not this row's */
}

static void same(const line *l, int64_t from, int64_t shift, int64_t width) {
#if LT_QUICK_AVX2
  static int32_t index[2][MOST];
  static float value[2][MOST];
  lt_quick q[2];
  const char *end = l->text + l->size - 1, *stop[2];
  if (!LT_QUICK_HAS_AVX2()) skip();
  memset(index, 0x55, sizeof index);
  memset(value, 0x55, sizeof value);
  for (int k = 0; k < 2; k++) {
    q[k] = (lt_quick){.last = -1, .shift = shift, .width = width, .ones = 1, .index = index[k], .value = value[k]};
    const char *readable = l->text + l->size + 200;
    stop[k] = k ? lt_quick_entries_avx2(l->text + from, end, readable, &q[k]) : lt_quick_entries(l->text + from, end, readable, &q[k]);
  }
  assert_ptr_equal(stop[1], stop[0]);
  assert_int_equal(q[1].n, q[0].n);
  assert_int_equal(q[1].last, q[0].last);
  assert_int_equal(q[1].ones, q[0].ones);
  if (q[0].n) assert_int_equal(q[1].first, q[0].first);
  assert_memory_equal(index[1], index[0], (size_t)q[0].n * sizeof index[0][0]);
  assert_memory_equal(value[1], value[0], (size_t)q[0].n * sizeof value[0][0]);
  int32_t untouched;
  memset(&untouched, 0x55, sizeof untouched);
  if (stop[0] == end) assert_int_equal(index[1][q[1].n], untouched); /* the next row's place */
#else
  (void)l, (void)from, (void)shift, (void)width;
  skip();
#endif
}

static void usual_rows(void **state) {
  static line l;
  lt_rng r;
  (void)state;
  lt_rng_init(&r, 5, 1);
  for (int64_t k = 0; k < 3000; k++) {
    make(&r, &l, 1 + below(&r, 300), 0);
    same(&l, 0, k % 2, below(&r, 3) ? INT32_MAX : 1 + below(&r, 100000));
  }
}

static void unusual_rows(void **state) {
  static line l;
  lt_rng r;
  (void)state;
  lt_rng_init(&r, 6, 1);
  for (int64_t k = 0; k < 20000; k++) {
    make(&r, &l, 1 + below(&r, 60), 1 + below(&r, 60));
    same(&l, below(&r, 4) ? 0 : below(&r, l.size), k % 2, below(&r, 3) ? INT32_MAX : 1 + below(&r, 100000));
  }
}

static void ones(void **state) {
  static line l;
  (void)state;
  for (int k = 1; k < 200; k++) {
    l.size = 0;
    for (int i = 1; i <= k; i++) {
      char text[32];
      snprintf(text, sizeof text, "%d:1%s ", i, i == 117 && k % 3 == 0 ? ".5" : "");
      put(&l, text);
    }
    l.text[l.size - 1] = '\n';
    memset(l.text + l.size, ' ', 256);
    same(&l, 0, 1, INT32_MAX);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(usual_rows), cmocka_unit_test(unusual_rows), cmocka_unit_test(ones)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
