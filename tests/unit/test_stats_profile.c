/* Reference profiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base_files_help.h"
#include "stats/profile.h"

static mem_host host;
static leat_runtime *rt;
static int start(void **state) { (void)state; return (rt = host_start(&host)) == NULL; }
static int stop(void **state) { (void)state; return host_stop(&host, rt) != 0; }
static uint64_t seed = 1;

static int64_t cell(const lt_profile *p, int64_t i, double *low, double *high, const char **label) {
  int64_t count;
  double l, h;
  const char *t;
  assert_int_equal(lt_profile_cell(p, i, &t, &l, &h, &count, NULL), LEAT_OK);
  if (low) *low = l;
  if (high) *high = h;
  if (label) *label = t;
  return count;
}
static lt_profile *of(const double *v, int64_t n) {
  lt_profile *p;
  assert_int_equal(lt_profile_number(rt, "x", v, n, &p, NULL), LEAT_OK);
  assert_int_equal(lt_profile_rows(p), n);
  return p;
}

static void test_equal_mass(void **state) {
  (void)state;
  static double v[10007];
  for (int i = 0; i < 10007; i++) v[i] = (double)(i * 7919 % 10007) / 64;
  lt_profile *p = of(v, 10007);
  assert_int_equal(lt_profile_cells(p), 14);
  double low, high, before = 0;
  for (int i = 0; i < 10; i++) {
    int64_t n = cell(p, i, &low, &high, NULL);
    assert_true(n == 1000 || n == 1001);
    assert_true(low < high && (i == 0 || low == before));
    before = high;
  }
  assert_true(before == 10006.0 / 64);
  assert_int_equal(lt_profile_type(p), LT_PROFILE_NUMBER);
  assert_string_equal(lt_profile_name(p), "x");
  lt_profile_clear(p);
  assert_int_equal(lt_profile_rows(p), 0);
  lt_profile_add(p, NAN);
  lt_profile_add(p, INFINITY);
  lt_profile_add(p, -INFINITY);
  lt_profile_add(p, -0.5);
  lt_profile_add(p, 1e9);
  lt_profile_add(p, 0);
  lt_profile_add(p, 10006.0 / 64);
  const char *label;
  static const struct { const char *label; int64_t n; double low, high; } special[] = {
      {"missing", 1, NAN, NAN}, {"non-finite", 2, NAN, NAN}, {"below", 1, -INFINITY, 0}, {"above", 1, 10006.0 / 64, INFINITY}};
  for (int i = 0; i < 4; i++) {
    assert_int_equal(cell(p, 10 + i, &low, &high, &label), special[i].n);
    assert_string_equal(label, special[i].label);
    assert_true(isnan(special[i].low) ? isnan(low) : low == special[i].low && high == special[i].high);
  }
  assert_int_equal(cell(p, 0, NULL, NULL, &label), 1);
  assert_null(label);
  assert_int_equal(cell(p, 9, NULL, NULL, NULL), 1);
  int64_t count = 1;
  assert_int_equal(lt_profile_cell(p, 14, &label, &low, &high, &count, NULL), LEAT_E_NOT_FOUND);
  assert_int_equal(lt_profile_cell(p, -1, &label, &low, &high, &count, NULL), LEAT_E_NOT_FOUND);
  lt_profile_free(p);
}

/* Numbers of few values: a cell each, however rare. */
static void test_few_values(void **state) {
  (void)state;
  static double v[1000];
  for (int i = 0; i < 1000; i++) v[i] = i < 3 ? 1 : 0;
  lt_profile *p = of(v, 1000);
  assert_int_equal(lt_profile_cells(p), 6);
  assert_int_equal(cell(p, 0, NULL, NULL, NULL), 997);
  assert_int_equal(cell(p, 1, NULL, NULL, NULL), 3);
  lt_profile_add(p, 0.5);
  assert_int_equal(cell(p, 0, NULL, NULL, NULL), 998);
  lt_profile_free(p);
  for (int i = 0; i < 1000; i++) v[i] = i % 10;
  p = of(v, 1000);
  assert_int_equal(lt_profile_cells(p), 14);
  for (int i = 0; i < 10; i++) assert_int_equal(cell(p, i, NULL, NULL, NULL), 100);
  lt_profile_free(p);
  v[0] = 5;
  p = of(v, 1);
  double low, high;
  assert_int_equal(lt_profile_cells(p), 5);
  assert_int_equal(cell(p, 0, &low, &high, NULL), 1);
  assert_true(low == 5 && high == 5);
  lt_profile_free(p);
  for (int i = 0; i < 1000; i++) v[i] = i % 2 ? 0.0 : -0.0; /* one value */
  p = of(v, 1000);
  assert_int_equal(lt_profile_cells(p), 5);
  lt_profile_free(p);
}

/* A value that holds most of the mass has its own cell, the others share the rest. */
static void test_heavy_value(void **state) {
  (void)state;
  static double v[10000];
  for (int i = 0; i < 10000; i++) v[i] = i < 9100 ? 0 : i - 9099;
  lt_profile *p = of(v, 10000);
  assert_int_equal(lt_profile_cells(p), 14);
  assert_int_equal(cell(p, 0, NULL, NULL, NULL), 9100);
  for (int i = 1; i < 10; i++) assert_int_equal(cell(p, i, NULL, NULL, NULL), 100);
  lt_profile_free(p);
  for (int i = 0; i < 10000; i++) v[i] = i < 6000 ? 50.5 : (i - 6000) % 4000 / 40.0; /* in the middle */
  p = of(v, 10000);
  int alone = 0, cells = (int)lt_profile_cells(p) - 4;
  double low, high;
  assert_int_equal(cells, 10);
  for (int i = 0; i < cells; i++) alone |= cell(p, i, &low, &high, NULL) >= 6000 && low == 50.5 && high < 51;
  assert_true(alone);
  lt_profile_free(p);
}

static void test_nothing(void **state) {
  (void)state;
  double v[3] = {NAN, INFINITY, NAN};
  lt_profile *p = of(v, 3);
  assert_int_equal(lt_profile_cells(p), 4);
  assert_int_equal(cell(p, 0, NULL, NULL, NULL), 2);
  assert_int_equal(cell(p, 1, NULL, NULL, NULL), 1);
  lt_profile_add(p, 7);
  assert_int_equal(cell(p, 3, NULL, NULL, NULL), 1);
  lt_profile_free(p);
  p = of(v, 0);
  lt_profile_free(p);
}

/* Whatever the values: cells ascend, hold every row of the sample, none is empty; edges do not know the order. */
static void test_random_samples(void **state) {
  (void)state;
  static double v[500], u[500];
  for (int round = 0; round < 3000; round++) {
    int n = 1 + (int)(host_random(&seed) % 500), kinds = 1 + (int)(host_random(&seed) % 40);
    for (int i = 0; i < n; i++) {
      uint64_t r = host_random(&seed);
      v[i] = round % 4 ? (double)(r % (uint64_t)kinds) * (round % 3 ? 1 : -1e300) : ldexp((double)(int64_t)r, (int)(r % 1000) - 500);
      if (r >> 60 == 0) v[i] = NAN;
    }
    for (int i = 0; i < n; i++) u[i] = v[n - 1 - i];
    lt_profile *p = of(v, n), *q = of(u, n);
    int64_t cells = lt_profile_cells(p), sum = 0;
    assert_int_equal(lt_profile_cells(q), cells);
    double end = -INFINITY, low, high, other;
    assert_true(cells <= 14);
    for (int64_t i = 0; i < cells - 4; i++) {
      int64_t count = cell(p, i, &low, &high, NULL);
      assert_true(count > 0);
      assert_int_equal(cell(q, i, &other, NULL, NULL), count);
      assert_true(other == low && (i ? low == end : 1) && high >= low);
      end = high;
      sum += count;
    }
    assert_int_equal(sum + cell(p, cells - 4, NULL, NULL, NULL), n);
    lt_profile_free(p);
    lt_profile_free(q);
  }
}

static void test_category(void **state) {
  (void)state;
  enum { N = 300 };
  static char text[N][400];
  const char *labels[N], *label;
  int64_t counts[N];
  for (int i = 0; i < N; i++) {
    snprintf(text[i], sizeof text[i], "label %03d", i * 7 % N);
    if (i == 5) memset(text[i], 'x', 300);
    labels[i] = text[i];
    counts[i] = i < 10 ? 1000 - i : 10;
  }
  lt_profile *p;
  assert_int_equal(lt_profile_category(rt, "city", labels, counts, N, 17, &p, NULL), LEAT_OK);
  assert_int_equal(lt_profile_cells(p), 102);
  assert_int_equal(cell(p, 0, NULL, NULL, &label), 1000);
  assert_string_equal(label, "label 000");
  assert_int_equal(cell(p, 5, NULL, NULL, &label), 995);
  assert_int_equal(strlen(label), 24); /* shortened, but known by all of it */
  assert_int_equal(cell(p, 10, NULL, NULL, &label), 10);
  assert_string_equal(label, "label 001"); /* ties by label */
  assert_int_equal(cell(p, 100, NULL, NULL, &label), 200 * 10);
  assert_string_equal(label, "(other)");
  assert_int_equal(cell(p, 101, NULL, NULL, &label), 17);
  assert_string_equal(label, "(missing)");
  lt_profile_clear(p);
  for (int i = 0; i < N; i++) lt_profile_add_label(p, labels[i], strlen(labels[i]), counts[i]);
  lt_profile_add_label(p, NULL, 0, 17);
  assert_int_equal(cell(p, 5, NULL, NULL, NULL), 995);
  assert_int_equal(cell(p, 100, NULL, NULL, NULL), 2000);
  assert_int_equal(lt_profile_rows(p), 9955 + 2900 + 17);
  lt_profile_free(p);
  assert_int_equal(lt_profile_category(rt, "none", NULL, NULL, 0, 0, &p, NULL), LEAT_OK);
  assert_int_equal(lt_profile_cells(p), 2);
  lt_profile_add_label(p, "a", 1, 1);
  assert_int_equal(cell(p, 0, NULL, NULL, NULL), 1);
  lt_profile_free(p);
}

static void check_same(const lt_profile *a, const lt_profile *b) {
  assert_int_equal(lt_profile_cells(a), lt_profile_cells(b));
  for (int64_t i = 0; i < lt_profile_cells(a); i++) {
    double la, lb, ha, hb;
    const char *ta, *tb;
    assert_int_equal(cell(a, i, &la, &ha, &ta), cell(b, i, &lb, &hb, &tb));
    assert_true((isnan(la) && isnan(lb)) || (la == lb && ha == hb));
    assert_true(ta && tb ? !strcmp(ta, tb) : ta == tb);
  }
}

static lt_profile *make(int kind) {
  static double a[2000], b[2000];
  static char text[200][64];
  const char *labels[200];
  int64_t counts[200];
  lt_profile *p;
  for (int i = 0; i < 2000; i++) a[i] = i % 37, b[i] = sqrt(i);
  for (int i = 0; i < 200; i++) {
    snprintf(text[i], sizeof text[i], "a label that is longer than others %d", i);
    labels[i] = text[i];
    counts[i] = 500 + i;
  }
  leat_status st = kind == 1   ? lt_profile_number(rt, "a number", a, 2000, &p, NULL)
                   : kind == 2 ? lt_profile_category(rt, "a category", labels, counts, 200, 3, &p, NULL)
                               : lt_profile_sparse(rt, "a block", a, b, 2000, &p, NULL);
  assert_int_equal(st, LEAT_OK);
  return p;
}

static void test_save(void **state) {
  (void)state;
  for (int kind = 1; kind <= 3; kind++) {
    lt_profile *p = make(kind), *q;
    lt_put w, again;
    lt_get r;
    lt_put_init(&w, rt);
    lt_put_init(&again, rt);
    lt_profile_save(p, &w);
    assert_int_equal(lt_put_status(&w, NULL), LEAT_OK);
    assert_true(w.size < 5000);
    lt_get_init(&r, rt, w.data, w.size);
    assert_int_equal(lt_profile_load(rt, &r, &q, NULL), LEAT_OK);
    assert_int_equal(lt_get_left(&r), 0);
    check_same(p, q);
    lt_profile_save(q, &again);
    assert_int_equal(again.size, w.size);
    assert_memory_equal(again.data, w.data, w.size);
    assert_int_equal(lt_profile_merge(p, q, NULL), LEAT_OK);
    assert_int_equal(lt_profile_rows(p), 2 * lt_profile_rows(q));
    lt_profile *other = make(kind % 3 + 1);
    assert_int_equal(lt_profile_merge(p, other, NULL), LEAT_E_SHAPE);
    lt_profile_free(other);
    lt_profile_free(p);
    lt_profile_free(q);
    for (uint64_t size = 0; size < w.size; size++) { /* cut */
      uint8_t *copy = malloc(size ? size : 1);
      assert_non_null(copy);
      memcpy(copy, w.data, size);
      lt_get_init(&r, rt, copy, size);
      assert_int_equal(lt_profile_load(rt, &r, &q, NULL), LEAT_E_FORMAT);
      assert_null(q);
      free(copy);
    }
    for (int round = 0; round < 20000; round++) { /* damaged: refused, or a profile that works */
      uint64_t at = host_random(&seed) % w.size;
      uint8_t old = w.data[at];
      w.data[at] = (uint8_t)host_random(&seed);
      lt_get_init(&r, rt, w.data, w.size);
      leat_status st = lt_profile_load(rt, &r, &q, NULL);
      if (st == LEAT_OK) {
        lt_profile_add(q, 3);
        lt_profile_add_sparse(q, 1, 1);
        lt_profile_add_label(q, "x", 1, 1);
        for (int64_t i = 0; i < lt_profile_cells(q); i++) (void)cell(q, i, NULL, NULL, NULL);
        (void)lt_profile_rows(q);
      }
      lt_profile_free(q);
      w.data[at] = old;
    }
    lt_put_free(&w);
    lt_put_free(&again);
  }
}

static void test_no_memory(void **state) {
  (void)state;
  int64_t before = host.blocks;
  static const char *const labels[] = {"a", "b"};
  static const int64_t counts[] = {1, 2};
  double v[4] = {1, 2, 3, 4};
  for (int kind = 1; kind <= 3; kind++) {
    int done = 0;
    for (int64_t nth = 1; !done; nth++) {
      lt_profile *p = NULL;
      host.fail_alloc = nth;
      leat_status st = kind == 1   ? lt_profile_number(rt, "n", v, 4, &p, NULL)
                       : kind == 2 ? lt_profile_category(rt, "c", labels, counts, 2, 0, &p, NULL)
                                   : lt_profile_sparse(rt, "s", v, v, 4, &p, NULL);
      done = host.fail_alloc > 0;
      host.fail_alloc = 0;
      assert_int_equal(st, done ? LEAT_OK : LEAT_E_MEMORY);
      if (!done) assert_null(p);
      lt_profile_free(p);
      assert_int_equal(host.blocks, before);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_equal_mass),   cmocka_unit_test(test_few_values),
                                     cmocka_unit_test(test_heavy_value),  cmocka_unit_test(test_nothing),
                                     cmocka_unit_test(test_random_samples), cmocka_unit_test(test_category),
                                     cmocka_unit_test(test_save),         cmocka_unit_test(test_no_memory)};
  return cmocka_run_group_tests(tests, start, stop);
}
