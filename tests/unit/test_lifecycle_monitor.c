/* The monitor: its limits hold on clean windows, it finds what has moved, and it does so on real data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "base_files_help.h"
#include "lifecycle/monitor.h"
#include "stats/drift.h"

static mem_host host;
static leat_runtime *rt;
static lt_rng random_numbers;
static int start(void **state) {
  (void)state;
  lt_rng_init(&random_numbers, 11, 1);
  return (rt = host_start(&host)) == NULL;
}
static int stop(void **state) { (void)state; return host_stop(&host, rt) != 0; }

/* scipy 1.11: stats.chi2.isf(upper, k) */
static void test_chi2(void **state) {
  (void)state;
  const double k[] = {1, 9, 9, 13, 101, 3}, upper[] = {0.05, 0.01, 0.0001, 0.001 / 30, 0.001, 1e-8};
  const double right[] = {3.841458820694124, 21.665994333461924, 33.71994843854967, 43.783258715718006, 150.66705566784537, 40.12999901768822};
  for (int i = 0; i < 6; i++) assert_true(fabs(lt_chi2_quantile(k[i], upper[i]) - right[i]) < 1e-9 * right[i]);
  for (int i = 0; i < 6; i++) { /* the other way round: the tail of what comes back */
    double x = lt_chi2_quantile(k[i], upper[i]);
    assert_true(lt_chi2_quantile(k[i], upper[i] * 1.0001) < x && lt_chi2_quantile(k[i], upper[i] * 0.9999) > x);
  }
  assert_true(lt_chi2_quantile(0, 0.1) == 0);
}

static leat_model *train(const leat_matrix *x, const leat_matrix *y) {
  leat_dataset *d = NULL;
  leat_params *p = NULL;
  leat_trainer *t = NULL;
  leat_model *m = NULL;
  assert_int_equal(leat_dataset_from_dense(rt, NULL, x, y, NULL, &d, NULL), LEAT_OK);
  assert_int_equal(leat_params_create(rt, "model/linear", &p, NULL), LEAT_OK);
  assert_int_equal(leat_params_set_i64(p, "max_iterations", 3, NULL), LEAT_OK);
  assert_int_equal(leat_trainer_create(rt, p, NULL, NULL, &t, NULL), LEAT_OK);
  assert_int_equal(leat_trainer_set_data(t, d, NULL, NULL), LEAT_OK);
  assert_int_equal(leat_trainer_fit(t, NULL), LEAT_OK);
  assert_int_equal(leat_trainer_snapshot(t, &m, NULL), LEAT_OK);
  leat_trainer_free(t);
  leat_params_free(p);
  leat_dataset_free(d);
  return m;
}

enum { REFERENCE = 10000, FEATURES = 8 };
static double X[REFERENCE * FEATURES], Y[REFERENCE];

static void fill(int64_t n, double shift) {
  for (int64_t r = 0; r < n; r++) {
    for (int j = 0; j < FEATURES; j++) {
      double v = lt_rng_normal(&random_numbers);
      if (j == 3) v = floor(lt_rng_unit(&random_numbers) * 4);
      if (j == 5) v = exp(v);
      if (j == 6 && lt_rng_unit(&random_numbers) < 0.1) v = NAN;
      X[r * FEATURES + j] = j == 1 ? v + shift : v;
    }
    Y[r] = lt_rng_unit(&random_numbers) < 0.3;
  }
}
static leat_matrix matrix(double *v, int64_t rows, int64_t cols) {
  return (leat_matrix){.struct_size = sizeof(leat_matrix), .data = v, .rows = rows, .cols = cols, .dtype = LEAT_F64};
}
static leat_model *reference(void) {
  fill(REFERENCE, 0);
  leat_matrix x = matrix(X, REFERENCE, FEATURES), y = matrix(Y, REFERENCE, 1);
  return train(&x, &y);
}
static leat_monitor *watch(const leat_model *m, const char *name, double value) {
  leat_params *p = NULL;
  leat_monitor *w = NULL;
  assert_int_equal(leat_params_create(rt, "monitor", &p, NULL), LEAT_OK);
  if (name) assert_int_equal(leat_params_set_f64(p, name, value, NULL), LEAT_OK);
  assert_int_equal(leat_monitor_create(m, p, &w, NULL), LEAT_OK);
  leat_params_free(p);
  return w;
}
static leat_batch *rows_of(const leat_model *m, int64_t n, double shift) {
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  fill(n, shift);
  leat_matrix x = matrix(X, n, FEATURES), y = matrix(Y, n, 1);
  assert_int_equal(leat_model_schema(m, &s, NULL), LEAT_OK);
  assert_int_equal(leat_batch_create(rt, s, &b, NULL), LEAT_OK);
  assert_int_equal(leat_batch_set_dense(b, &x, NULL), LEAT_OK);
  assert_int_equal(leat_batch_set_labels(b, &y, NULL, NULL), LEAT_OK);
  leat_schema_free(s);
  return b;
}
static leat_drift_info look(const leat_monitor *w, const char *name) {
  int64_t n = 0;
  assert_int_equal(leat_monitor_count(w, &n, NULL), LEAT_OK);
  for (int64_t i = 0; i < n; i++) {
    leat_drift_info info = {.struct_size = sizeof info};
    assert_int_equal(leat_monitor_at(w, i, &info, NULL), LEAT_OK);
    if (strcmp(info.name, name) == 0) return info;
  }
  fail_msg("no feature %s", name);
  return (leat_drift_info){0};
}

/* Windows without drift: no more of them raise anything than alpha says; the same limits without the floors, so that it is
 * the formula that is looked at. */
static void clean_windows(int64_t rows, int windows) {
  leat_model *m = NULL; /* a new one now and then: its own chance is a part of the limit */
  leat_params *p = NULL;
  int warned = 0;
  assert_int_equal(leat_params_create(rt, "monitor", &p, NULL), LEAT_OK);
  assert_int_equal(leat_params_set_i64(p, "min_rows", 1, NULL), LEAT_OK);
  assert_int_equal(leat_params_set_f64(p, "warn", 0, NULL), LEAT_OK);
  assert_int_equal(leat_params_set_f64(p, "alert", 0, NULL), LEAT_OK);
  assert_int_equal(leat_params_set_f64(p, "alpha", 0.02, NULL), LEAT_OK);
  for (int i = 0; i < windows; i++) {
    leat_monitor *w = NULL;
    int64_t worst = 0;
    if (i % 10 == 0) {
      leat_model_free(m);
      m = reference();
    }
    leat_batch *b = rows_of(m, rows, 0);
    assert_int_equal(leat_monitor_create(m, p, &w, NULL), LEAT_OK);
    assert_int_equal(leat_monitor_update(w, b, NULL), LEAT_OK);
    assert_int_equal(leat_monitor_state(w, &worst, NULL, NULL), LEAT_OK);
    warned += worst >= LEAT_DRIFT_WARN;
    leat_monitor_free(w);
    leat_batch_free(b);
  }
  print_message("%lld rows: %d of %d clean windows beyond a limit of alpha .02\n", (long long)rows, warned, windows);
  assert_true(warned <= windows * 0.02 + 4 * sqrt(windows * 0.02));
  leat_params_free(p);
  leat_model_free(m);
}
static void test_clean_windows(void **state) {
  (void)state;
  const int windows = getenv("LEAT_SOAK") ? 1000 : 300;
  clean_windows(50, windows);
  clean_windows(100, windows);
  clean_windows(500, windows);
  clean_windows(5000, windows / 2);
}

/* A fifth of a deviation on 5000 rows is found with the defaults, and nothing else. */
static void test_shift(void **state) {
  (void)state;
  leat_model *m = reference();
  leat_monitor *w = watch(m, NULL, 0);
  leat_batch *b = rows_of(m, 5000, 0.2);
  assert_int_equal(leat_monitor_update(w, b, NULL), LEAT_OK);
  assert_int_equal(look(w, "x[1]").state, LEAT_DRIFT_WARN);
  assert_true(look(w, "x[1]").ks > 0.05);
  for (int j = 0; j < FEATURES; j++) {
    char name[8];
    snprintf(name, sizeof name, "x[%d]", j);
    if (j != 1) assert_int_equal(look(w, name).state, LEAT_DRIFT_OK);
  }
  leat_batch_free(b);
  leat_monitor_free(w);
  w = watch(m, NULL, 0);
  b = rows_of(m, 5000, 1);
  assert_int_equal(leat_monitor_update(w, b, NULL), LEAT_OK);
  leat_drift_info hit = look(w, "x[1]");
  assert_int_equal(hit.state, LEAT_DRIFT_ALERT);
  assert_true(hit.value > 0.25 && hit.js > 0.1 && hit.ks > 0.3 && hit.linf > 0.1 && hit.share > hit.reference_share);
  assert_int_equal(hit.rows, 5000);
  assert_int_equal(hit.reference_rows, REFERENCE);
  leat_batch_free(b);
  leat_monitor_free(w);
  leat_model_free(m);
}

static void test_few_rows(void **state) {
  (void)state;
  leat_model *m = reference();
  leat_monitor *w = watch(m, NULL, 0);
  leat_batch *b = rows_of(m, 499, 5);
  int64_t worst = 9, rows = 9;
  assert_int_equal(leat_monitor_state(w, &worst, &rows, NULL), LEAT_OK);
  assert_true(worst == LEAT_DRIFT_INSUFFICIENT && rows == 0);
  assert_int_equal(leat_monitor_update(w, b, NULL), LEAT_OK);
  assert_int_equal(leat_monitor_state(w, &worst, &rows, NULL), LEAT_OK);
  assert_true(worst == LEAT_DRIFT_INSUFFICIENT && rows == 499);
  leat_batch_free(b);
  b = rows_of(m, 1, 5);
  assert_int_equal(leat_monitor_update(w, b, NULL), LEAT_OK);
  assert_int_equal(leat_monitor_state(w, &worst, NULL, NULL), LEAT_OK);
  assert_int_equal(worst, LEAT_DRIFT_ALERT);
  leat_batch_free(b);
  leat_monitor_free(w);
  leat_model_free(m);
}

/* Two that counted half each say what one says that counted all. */
static void test_merge(void **state) {
  (void)state;
  leat_model *m = reference();
  leat_monitor *all = watch(m, NULL, 0), *a = watch(m, NULL, 0), *b = watch(m, NULL, 0), *windowed = watch(m, "window", 1000);
  for (int i = 0; i < 4; i++) {
    leat_batch *rows = rows_of(m, 700, 0.5);
    assert_int_equal(leat_monitor_update(all, rows, NULL), LEAT_OK);
    assert_int_equal(leat_monitor_update(i % 2 ? a : b, rows, NULL), LEAT_OK);
    leat_batch_free(rows);
  }
  assert_int_equal(leat_monitor_merge(a, b, NULL), LEAT_OK);
  int64_t n = 0;
  assert_int_equal(leat_monitor_count(all, &n, NULL), LEAT_OK);
  assert_int_equal(n, FEATURES + 1);
  for (int64_t i = 0; i < n; i++) {
    leat_drift_info x = {.struct_size = sizeof x}, y = {.struct_size = sizeof y};
    assert_int_equal(leat_monitor_at(all, i, &x, NULL), LEAT_OK);
    assert_int_equal(leat_monitor_at(a, i, &y, NULL), LEAT_OK);
    assert_memory_equal(&x.state, &y.state, sizeof x - sizeof x.struct_size);
  }
  assert_int_equal(leat_monitor_merge(a, windowed, NULL), LEAT_E_UNSUPPORTED);
  assert_int_equal(leat_monitor_merge(a, a, NULL), LEAT_E_ARG);
  leat_drift_info x = {.struct_size = sizeof x};
  assert_int_equal(leat_monitor_at(a, n, &x, NULL), LEAT_E_NOT_FOUND);
  leat_monitor_free(all);
  leat_monitor_free(a);
  leat_monitor_free(b);
  leat_monitor_free(windowed);
  leat_model_free(m);
}

/* One odd window raises nothing, two do; it takes three good ones to clear. Batches end anywhere. */
static void test_hysteresis(void **state) {
  (void)state;
  leat_model *m = reference();
  leat_monitor *w = watch(m, "window", 1000);
  const double shift[] = {0, 0, 2, 0, 2, 2, 0, 0, 0, 0};
  const int64_t right[] = {LEAT_DRIFT_OK, LEAT_DRIFT_OK, LEAT_DRIFT_OK, LEAT_DRIFT_OK, LEAT_DRIFT_OK,
                           LEAT_DRIFT_ALERT, LEAT_DRIFT_ALERT, LEAT_DRIFT_ALERT, LEAT_DRIFT_OK, LEAT_DRIFT_OK};
  for (int i = 0; i < 10; i++) {
    for (int part = 0; part < 2; part++) {
      leat_batch *b = rows_of(m, part ? 377 : 623, shift[i]);
      assert_int_equal(leat_monitor_update(w, b, NULL), LEAT_OK);
      leat_batch_free(b);
    }
    assert_int_equal(look(w, "x[1]").state, right[i]);
  }
  leat_batch *b = rows_of(m, 3500, 2); /* three windows and a half in one batch */
  assert_int_equal(leat_monitor_update(w, b, NULL), LEAT_OK);
  assert_int_equal(look(w, "x[1]").state, LEAT_DRIFT_ALERT);
  assert_int_equal(look(w, "x[1]").windows, 2);
  leat_batch_free(b);
  leat_monitor_free(w);
  leat_model_free(m);
}

static leat_dataset *open_rows(const char *name, const char *target, const char *ignore, int header) {
  char path[4096];
  leat_params *p = NULL;
  leat_dataset *d = NULL;
  leat_error err = {.struct_size = sizeof err};
  snprintf(path, sizeof path, "%s/%s", getenv("LEAT_DATA_DIR"), name);
  assert_int_equal(leat_params_create(rt, "reader/csv", &p, NULL), LEAT_OK);
  assert_int_equal(leat_params_set_text(p, "target", target, NULL), LEAT_OK);
  assert_int_equal(leat_params_set_text(p, "ignore", ignore, NULL), LEAT_OK);
  if (!header) assert_int_equal(leat_params_set_text(p, "header", "no", NULL), LEAT_OK);
  if (leat_dataset_open(rt, NULL, path, p, &d, &err)) fail_msg("%s", err.message);
  leat_params_free(p);
  return d;
}
/* A model of the first rows, and a monitor that has seen the others. */
static leat_monitor *split(leat_dataset *d, int64_t first, leat_model **m) {
  leat_dataset *a = NULL, *b = NULL;
  leat_params *p = NULL;
  leat_trainer *t = NULL;
  leat_schema *s = NULL;
  leat_batch *rows = NULL;
  int64_t n = 0, cols, got = 1;
  assert_int_equal(leat_dataset_shape(d, &n, &cols, NULL), LEAT_OK);
  assert_int_equal(leat_dataset_slice(d, 0, first, &a, NULL), LEAT_OK);
  assert_int_equal(leat_dataset_slice(d, first, n - first, &b, NULL), LEAT_OK);
  assert_int_equal(leat_params_create(rt, "model/linear", &p, NULL), LEAT_OK);
  assert_int_equal(leat_params_set_i64(p, "max_iterations", 2, NULL), LEAT_OK);
  assert_int_equal(leat_trainer_create(rt, p, NULL, NULL, &t, NULL), LEAT_OK);
  assert_int_equal(leat_trainer_set_data(t, a, NULL, NULL), LEAT_OK);
  assert_int_equal(leat_trainer_fit(t, NULL), LEAT_OK);
  assert_int_equal(leat_trainer_snapshot(t, m, NULL), LEAT_OK);
  leat_monitor *w = watch(*m, NULL, 0);
  assert_int_equal(leat_dataset_schema(b, &s, NULL), LEAT_OK);
  assert_int_equal(leat_batch_create(rt, s, &rows, NULL), LEAT_OK);
  while (got) {
    assert_int_equal(leat_dataset_next(b, 1000, rows, &got, NULL), LEAT_OK);
    assert_int_equal(leat_monitor_update(w, rows, NULL), LEAT_OK);
  }
  leat_batch_free(rows);
  leat_schema_free(s);
  leat_trainer_free(t);
  leat_params_free(p);
  leat_dataset_free(a);
  leat_dataset_free(b);
  return w;
}

/* Features in a state of at least `state`, as many as there are; their names are printed. */
static int64_t raised(const leat_monitor *w, int64_t state) {
  int64_t n = 0, many = 0;
  assert_int_equal(leat_monitor_count(w, &n, NULL), LEAT_OK);
  for (int64_t i = 0; i < n; i++) {
    leat_drift_info info = {.struct_size = sizeof info};
    assert_int_equal(leat_monitor_at(w, i, &info, NULL), LEAT_OK);
    if (info.state < state) continue;
    print_message(" %s %.2f", info.name, info.value);
    many++;
  }
  print_message(": %lld of %lld\n", (long long)many, (long long)n);
  return many;
}

static void test_real_data(void **state) {
  (void)state;
  if (!getenv("LEAT_DATA_DIR")) skip();
  leat_runtime *memory = rt; /* whose files are in memory */
  assert_int_equal(leat_runtime_create(NULL, &rt, NULL), LEAT_OK);
  leat_model *m = NULL;
  leat_dataset *d = open_rows("bike_hour.csv.zst", "cnt", "casual,registered,instant,dteday", 1);
  leat_monitor *w = split(d, 8645, &m); /* 2011, then 2012: the weather is alike, the year is not, more are riding */
  assert_int_equal(look(w, "cnt").state, LEAT_DRIFT_ALERT);
  assert_int_equal(look(w, "yr").state, LEAT_DRIFT_ALERT);
  assert_int_equal(raised(w, LEAT_DRIFT_ALERT), 2);
  assert_int_equal(raised(w, LEAT_DRIFT_WARN), 5); /* 2012 was warmer and drier: temp, atemp, hum */
  assert_int_equal(look(w, "hum").state, LEAT_DRIFT_WARN);
  const char *const calendar[] = {"season", "mnth", "hr", "holiday", "weekday", "workingday", "windspeed"};
  for (int i = 0; i < 7; i++) assert_int_equal(look(w, calendar[i]).state, LEAT_DRIFT_OK);
  leat_monitor_free(w);
  leat_model_free(m);
  leat_dataset_free(d);
  d = open_rows("covtype_first20k.csv.zst", "-1", "", 0);
  w = split(d, 15120, &m); /* the first rows are balanced by class, the others are not */
  assert_int_equal(look(w, "c55").state, LEAT_DRIFT_ALERT);
  assert_int_equal(look(w, "c1").state, LEAT_DRIFT_ALERT);
  assert_int_equal(look(w, "c10").state, LEAT_DRIFT_ALERT);
  assert_int_equal(look(w, "c11").state, LEAT_DRIFT_ALERT);
  raised(w, LEAT_DRIFT_WARN);
  leat_monitor_free(w);
  leat_model_free(m);
  leat_dataset_free(d);
  d = open_rows("airlines_allyears2k.csv.zst", "IsArrDelayed", "", 1);
  w = split(d, 21989, &m); /* the first eleven years against the last eleven */
  assert_int_equal(look(w, "Year").state, LEAT_DRIFT_ALERT);
  assert_int_equal(look(w, "UniqueCarrier").state, LEAT_DRIFT_ALERT);
  raised(w, LEAT_DRIFT_WARN);
  leat_monitor_free(w);
  leat_model_free(m);
  leat_dataset_free(d);
  leat_runtime_free(rt);
  rt = memory;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_chi2), cmocka_unit_test(test_clean_windows), cmocka_unit_test(test_shift), cmocka_unit_test(test_few_rows),
      cmocka_unit_test(test_merge), cmocka_unit_test(test_hysteresis), cmocka_unit_test(test_real_data),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
