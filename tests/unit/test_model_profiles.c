/* Reference profiles and golden rows of a data set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base_files_help.h"
#include "model_make.h"

static leat_runtime *rt;
static int start(void **state) { (void)state; return (rt = new_runtime(1)) == NULL; }
static int stop(void **state) { (void)state; lt_runtime_unref(rt); return 0; }

static int64_t cells_sum(const lt_profile *p) {
  int64_t sum = 0;
  for (int64_t i = 0; i < lt_profile_cells(p); i++) {
    const char *label;
    double low, high;
    int64_t count = -1;
    OK(lt_profile_cell(p, i, &label, &low, &high, &count, &error_of));
    assert_true(count >= 0);
    sum += count;
  }
  return sum;
}

static void test_mixed(void **state) {
  (void)state;
  static const char *const names[] = {"tenure", "contract", "charges", "senior", "since", "city", "churn"};
  static const int types[] = {LT_PROFILE_NUMBER, LT_PROFILE_CATEGORY, LT_PROFILE_NUMBER, LT_PROFILE_NUMBER,
                              LT_PROFILE_NUMBER, LT_PROFILE_CATEGORY, LT_PROFILE_CATEGORY};
  leat_dataset *d = mixed_dataset(rt, 3, 1, 1000, 8);
  lt_profile **p = NULL;
  int64_t n = 0;
  OK(lt_profiles_fit(rt, d, &p, &n, &error_of));
  assert_int_equal(n, 7);
  for (int i = 0; i < 7; i++) {
    assert_string_equal(lt_profile_name(p[i]), names[i]);
    assert_int_equal(lt_profile_type(p[i]), types[i]);
    assert_int_equal(lt_profile_rows(p[i]), 1000);
    assert_int_equal(cells_sum(p[i]), 1000);
  }
  /* the labels' counts are those of the rows */
  leat_batch *scratch = NULL;
  lt_rows rows;
  int64_t count[4] = {0};
  OK(lt_batch_create(rt, lt_dataset_schema(d), &scratch, &error_of));
  OK(lt_dataset_view(d, 0, 1000, scratch, &rows, &error_of));
  for (int i = 0; i < 1000; i++) {
    double v = lt_col_number(&rows.schema->col[1], &rows.col[1], i, 0);
    count[isnan(v) ? 3 : (int)v]++;
  }
  int found = 0;
  for (int64_t i = 0; i < lt_profile_cells(p[1]); i++) {
    const char *label;
    double low, high;
    int64_t c;
    OK(lt_profile_cell(p[1], i, &label, &low, &high, &c, &error_of));
    if (strcmp(label, "Month-to-month") == 0) assert_int_equal(c, count[0]), found++;
    if (strcmp(label, "One year") == 0) assert_int_equal(c, count[1]), found++;
    if (strcmp(label, "Two year") == 0) assert_int_equal(c, count[2]), found++;
  }
  assert_int_equal(found, 3);
  lt_batch_free(scratch);
  lt_profiles_free(rt, p, n);
  lt_dataset_free(d);
}

/* The same bytes at any number of threads, also when cells come from a sample. */
static void test_threads(void **state) {
  (void)state;
  lt_put first, w;
  lt_put_init(&first, rt);
  for (int threads = 1; threads <= 7; threads += 3) {
    leat_runtime *on = new_runtime(threads);
    leat_dataset *d = dense_dataset(on, 50000, 5, 2);
    lt_profile **p = NULL;
    int64_t n = 0;
    OK(lt_profiles_fit(on, d, &p, &n, &error_of));
    assert_int_equal(n, 6);
    assert_string_equal(lt_profile_name(p[2]), "x[2]");
    lt_put_init(&w, threads == 1 ? rt : on);
    for (int64_t i = 0; i < n; i++) {
      assert_int_equal(lt_profile_rows(p[i]), 50000);
      lt_profile_save(p[i], &w);
    }
    if (threads == 1) {
      first = w;
    } else {
      assert_int_equal(w.size, first.size);
      assert_memory_equal(w.data, first.data, w.size);
      lt_put_free(&w);
    }
    /* equal masses: 2 to 13 % in each of the ten cells, from a sample of 20 000 */
    for (int64_t i = 0; i < lt_profile_cells(p[0]); i++) {
      const char *label;
      double low, high;
      int64_t c;
      OK(lt_profile_cell(p[0], i, &label, &low, &high, &c, &error_of));
      assert_true(c < 6500);
    }
    lt_profiles_free(on, p, n);
    lt_dataset_free(d);
    lt_runtime_unref(on);
  }
  lt_put_free(&first);
}

static void test_sparse_and_wide(void **state) {
  (void)state;
  leat_dataset *d = sparse_dataset(rt, 5000, 300, 20, 2), *wide = dense_dataset(rt, 20, 6000, 2);
  lt_profile **p = NULL;
  int64_t n = 0;
  OK(lt_profiles_fit(rt, d, &p, &n, &error_of));
  assert_int_equal(n, 2);
  assert_int_equal(lt_profile_type(p[0]), LT_PROFILE_SPARSE);
  assert_int_equal(lt_profile_rows(p[0]), 300);
  lt_profiles_free(rt, p, n);
  OK(lt_profiles_fit(rt, wide, &p, &n, &error_of));
  assert_int_equal(n, LT_MAX_PROFILES + 1);
  assert_string_equal(lt_profile_name(p[LT_MAX_PROFILES]), "y");
  lt_profiles_free(rt, p, n);
  lt_profiles_free(rt, NULL, 0);
  lt_dataset_free(d);
  lt_dataset_free(wide);
}

/* Many at once: the counts of one by one. */
static void test_add_many(void **state) {
  (void)state;
  enum { N = 1000 };
  static const double odd[] = {NAN, INFINITY, -INFINITY, 1.7976931348623157e308, -1.7976931348623157e308, 0, -0.0, 5e-324};
  double x[N];
  lt_rng r;
  lt_rng_init(&r, 3, 3);
  for (int round = 0; round < 60; round++) {
    lt_profile *one = NULL, *many = NULL;
    int kind = round % 4; /* spread, few values, one value, nothing finite */
    for (int i = 0; i < N; i++) {
      x[i] = kind == 0 ? lt_rng_normal(&r) : kind == 1 ? (double)lt_rng_below(&r, 4) : kind == 2 ? 7 : NAN;
      if (lt_rng_below(&r, 20) == 0) x[i] = odd[lt_rng_below(&r, kind == 3 ? 3 : 8)];
    }
    OK(lt_profile_number(rt, "x", x, N / 2, &one, &error_of));
    OK(lt_profile_number(rt, "x", x, N / 2, &many, &error_of));
    if (round % 2) x[5] = 1e9, x[6] = -1e9;
    int n = (int)lt_rng_below(&r, N);
    for (int i = 0; i < n; i++) lt_profile_add(one, x[N - 1 - i]);
    lt_profile_add_many(many, x + N - n, n);
    lt_put a, b;
    lt_put_init(&a, rt);
    lt_put_init(&b, rt);
    lt_profile_save(one, &a);
    lt_profile_save(many, &b);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    lt_put_free(&a);
    lt_put_free(&b);
    lt_profile_free(one);
    lt_profile_free(many);
  }
}

static void test_golden_rows(void **state) {
  (void)state;
  for (int64_t rows = 1; rows < 200; rows += rows < 20 ? 1 : 41) {
    leat_dataset *d = mixed_dataset(rt, 2, 1, rows, 8);
    leat_batch *b = NULL, *scratch = NULL;
    lt_rows all, got;
    OK(lt_golden_pick(rt, d, &b, &error_of));
    OK(lt_batch_create(rt, lt_dataset_schema(d), &scratch, &error_of));
    OK(lt_dataset_view(d, 0, rows, scratch, &all, &error_of));
    lt_batch_rows(b, &got);
    assert_int_equal(got.n, rows < 16 ? rows : 16);
    for (int end = 0; end < 2; end++)
      for (int64_t c = 0; c < got.schema->n; c++) {
        lt_put x, y;
        lt_put_init(&x, rt);
        lt_put_init(&y, rt);
        OK(lt_rows_text(&got, end ? got.n - 1 : 0, c, &x, &error_of));
        OK(lt_rows_text(&all, end ? rows - 1 : 0, c, &y, &error_of));
        assert_int_equal(x.size, y.size);
        if (x.size) assert_memory_equal(x.data, y.data, x.size);
        lt_put_free(&x);
        lt_put_free(&y);
      }
    lt_batch_free(b);
    lt_batch_free(scratch);
    lt_dataset_free(d);
  }
}

static void test_memory(void **state) {
  (void)state;
  static mem_host host;
  leat_runtime *on = host_start(&host);
  leat_dataset *d = mixed_dataset(on, 3, 1, 100, 4);
  int64_t before = host.blocks, k = 1;
  leat_status st;
  do {
    lt_profile **p = NULL;
    int64_t n = 0;
    leat_batch *b = NULL;
    host.fail_alloc = k++;
    st = lt_profiles_fit(on, d, &p, &n, &error_of);
    if (!st) st = lt_golden_pick(on, d, &b, &error_of);
    host.fail_alloc = 0;
    lt_profiles_free(on, p, n);
    lt_batch_free(b);
    assert_true(st == LEAT_OK || st == LEAT_E_MEMORY);
    assert_int_equal(host.blocks, before);
  } while (st);
  assert_true(k > 10);
  lt_dataset_free(d);
  assert_int_equal(host_stop(&host, on), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_mixed),       cmocka_unit_test(test_threads), cmocka_unit_test(test_sparse_and_wide),
      cmocka_unit_test(test_add_many), cmocka_unit_test(test_golden_rows), cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
