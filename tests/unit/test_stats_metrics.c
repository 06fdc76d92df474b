/* Metrics against scikit-learn 1.9.1. The numbers were printed with %.17g by
 *   M.log_loss(y, clip(p, 1e-15, 1 - 1e-15)), M.roc_auc_score(y, p), M.accuracy_score(y, p > 0.5), M.brier_score_loss(y, p),
 *   M.cohen_kappa_score(y, p > 0.5), M.f1_score(y, p > 0.5), M.mean_squared_error(t, f), M.mean_absolute_error(t, f),
 *   M.r2_score(t, f), M.log_loss(Y, P), M.brier_score_loss(Y, P), each also with sample_weight=w,
 * where M is sklearn.metrics; ece by numpy: the sum over 15 cells of |sum w p - sum w y| over the sum of w. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base_files_help.h"
#include "stats/auc.h"
#include "stats/metrics.h"

static mem_host host;
static leat_runtime *rt;
static int start(void **state) { (void)state; return (rt = host_start(&host)) == NULL; }
static int stop(void **state) { (void)state; return host_stop(&host, rt) != 0; }

enum { ROWS = 500 };
static uint64_t lcg;
static int64_t draw(int64_t n) {
  lcg = lcg * 6364136223846793005u + 1442695040888963407u;
  return (int64_t)(lcg >> 33) % n;
}
static double P[ROWS][4], Y[ROWS], W[ROWS];

static void close_to(double got, double want, const char *what) {
  if (!(fabs(got - want) <= 1e-13 * fmax(1, fabs(want)))) fail_msg("%s: %.17g, not %.17g", what, got, want);
}
static void expect(const leat_metrics *k, const char *name, double want) {
  double v;
  assert_int_equal(lt_metrics_value(k, name, &v, NULL), LEAT_OK);
  close_to(v, want, name);
}
static leat_metrics *make(const char *names) {
  leat_metrics *k;
  assert_int_equal(lt_metrics_create(rt, names, &k, NULL), LEAT_OK);
  return k;
}
static leat_metrics *fill(const char *names, int n_out, int weighted, int from, int to) {
  leat_metrics *k = make(names);
  for (int i = from; i < to; i++)
    assert_int_equal(lt_metrics_add(k, P[i], n_out, Y[i], weighted ? W[i] : 1, NULL), LEAT_OK);
  return k;
}

static void make_binary(void) {
  lcg = 1;
  for (int i = 0; i < ROWS; i++) {
    int64_t a = draw(1000), b = draw(97), c = draw(7);
    P[i][0] = (double)(a / 10) / 100.0;
    Y[i] = (double)b / 97.0 < P[i][0] * 0.8 + 0.1;
    W[i] = (double)(c + 1) / 4.0;
  }
}
static void make_numbers(void) {
  lcg = 2;
  for (int i = 0; i < ROWS; i++) {
    Y[i] = 1e6 + (double)draw(1000) / 8.0;
    P[i][0] = Y[i] + (double)(draw(200) - 100) / 16.0;
    W[i] = (double)(draw(7) + 1) / 3.0;
  }
}
static void make_many(void) {
  lcg = 3;
  for (int i = 0; i < ROWS; i++) {
    double r[4], s = 0;
    int best = 0;
    for (int c = 0; c < 4; c++) s += r[c] = (double)(draw(50) + 1);
    for (int c = 0; c < 4; c++) P[i][c] = r[c] / s;
    for (int c = 1; c < 4; c++) best = r[c] > r[best] ? c : best;
    Y[i] = draw(3) ? best : (double)draw(4);
    W[i] = (double)draw(5) / 2.0;
  }
}

static void test_binary(void **state) {
  (void)state;
  static const struct { const char *name; double plain, weighted; } want[] = {
      {"loss", 0.65851151702509347, 0.71244052061287089},  {"auc", 0.76322990510633537, 0.75252004374643144},
      {"accuracy", 0.69, 0.68571428571428572},             {"brier", 0.20150579999999996, 0.20784867167919799},
      {"kappa", 0.38041636020594161, 0.37179933376423213}, {"f1", 0.68302658486707568, 0.68091603053435112},
      {"ece", 0.071299999999999988, 0.08268170426065162},  {"rows", 500, 500}};
  make_binary();
  leat_metrics *a = fill("binary", 1, 0, 0, ROWS), *b = fill("binary", 1, 1, 0, ROWS);
  assert_int_equal(lt_metrics_count(a), 9);
  for (int i = 0; i < 8; i++) {
    expect(a, want[i].name, want[i].plain);
    expect(b, want[i].name, want[i].weighted);
  }
  lt_metrics_free(a);
  for (int i = 0; i < ROWS; i++) P[i][1] = P[i][0], P[i][0] = 1 - P[i][1];
  a = fill("multiclass:2", 2, 1, 0, ROWS);
  for (int i = 0; i < 8; i++) expect(a, want[i].name, want[i].weighted);
  lt_metrics_free(a);
  lt_metrics_free(b);
}

static void test_numbers(void **state) {
  (void)state;
  make_numbers();
  leat_metrics *a = fill("regression", 1, 0, 0, ROWS), *b = fill("rmse,mae, r2 ,loss", 1, 1, 0, ROWS);
  expect(a, "loss", 12.8410625);
  expect(a, "rmse", 3.5834428277844759);
  expect(a, "mae", 3.0859999999999999);
  expect(a, "r2", 0.99092558847558077);
  expect(b, "loss", 13.076125738188976);
  expect(b, "rmse", 3.6160926064177303);
  expect(b, "mae", 3.1205093503937005);
  expect(b, "r2", 0.99069365518356556);
  assert_string_equal(lt_metrics_name(b, 2), "r2");
  assert_null(lt_metrics_name(b, 4));
  lt_metrics_free(a);
  lt_metrics_free(b);
  /* a mean 1e8 times the spread: the naive difference of squares has no digit left */
  a = make("r2");
  for (int i = 0; i < 1000; i++) {
    double d = (double)(i % 10) / 8, p = 1e8 + d + (i % 2 ? 0.125 : -0.125);
    assert_int_equal(lt_metrics_add(a, &p, 1, 1e8 + d, 0.1, NULL), LEAT_OK);
  }
  double spread = 0;
  for (int i = 0; i < 10; i++) spread += ((double)i - 4.5) * ((double)i - 4.5) / 64 / 10;
  expect(a, "r2", 1 - 0.125 * 0.125 / spread);
  lt_metrics_free(a);
}

static void test_many(void **state) {
  (void)state;
  static const struct { const char *name; double plain, weighted; } want[] = {
      {"loss", 1.1900449791796646, 1.1629338654843424}, {"accuracy", 0.746, 0.768993839835729},
      {"kappa", 0.66090109526276164, 0.69105214261647752}, {"brier", 0.62644105735250777, 0.61386775796189186},
      {"ece", 0.33668310723075212, 0.35535006500917737}};
  make_many();
  leat_metrics *a = fill("multiclass:4", 4, 0, 0, ROWS), *b = fill("multiclass:4", 4, 1, 0, ROWS);
  for (int i = 0; i < 5; i++) {
    expect(a, want[i].name, want[i].plain);
    expect(b, want[i].name, want[i].weighted);
  }
  double v;
  assert_int_equal(lt_metrics_value(a, "auc", &v, NULL), LEAT_E_NOT_FOUND);
  lt_metrics_free(a);
  lt_metrics_free(b);
}

/* Any cutting and any order: the same to 12 digits. */
static void test_merge(void **state) {
  (void)state;
  static const char *const names[] = {"binary", "regression", "multiclass:4"};
  for (int task = 0; task < 3; task++) {
    if (task == 0) make_binary();
    else if (task == 1) make_numbers();
    else make_many();
    int n_out = task == 2 ? 4 : 1;
    for (int i = 0; i < ROWS; i++) W[i] = 0.1 * (double)(i % 13);
    leat_metrics *whole = fill(names[task], n_out, 1, 0, ROWS), *sum = make(names[task]);
    for (int from = ROWS; from > 0;) {
      int step = 1 + (from * 7) % 61;
      leat_metrics *part = fill(names[task], n_out, 1, from > step ? from - step : 0, from);
      assert_int_equal(lt_metrics_merge(sum, part, NULL), LEAT_OK);
      lt_metrics_free(part);
      from = from > step ? from - step : 0;
    }
    for (int64_t m = 0; m < lt_metrics_count(whole); m++) {
      double a, b;
      assert_int_equal(lt_metrics_value(whole, lt_metrics_name(whole, m), &a, NULL), LEAT_OK);
      assert_int_equal(lt_metrics_value(sum, lt_metrics_name(whole, m), &b, NULL), LEAT_OK);
      if (fabs(a - b) > 1e-14 * fabs(a)) fail_msg("%s: %.17g and %.17g", lt_metrics_name(whole, m), a, b);
    }
    leat_metrics *empty = make(names[task]);
    assert_int_equal(lt_metrics_merge(sum, empty, NULL), LEAT_OK);
    assert_int_equal(lt_metrics_merge(sum, sum, NULL), LEAT_E_ARG);
    lt_metrics_free(empty);
    lt_metrics_free(whole);
    lt_metrics_free(sum);
  }
  leat_metrics *a = make("binary"), *b = make("regression");
  assert_int_equal(lt_metrics_merge(a, b, NULL), LEAT_E_SHAPE);
  lt_metrics_free(a);
  lt_metrics_free(b);
}

/* The area by its definition, pair by pair. */
static double pairs(int n) {
  double won = 0, all = 0;
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++)
      if (Y[i] > Y[j]) {
        all += W[i] * W[j];
        won += W[i] * W[j] * (P[i][0] > P[j][0] ? 1 : P[i][0] == P[j][0] ? 0.5 : 0);
      }
  return won / all;
}
static void test_auc(void **state) {
  (void)state;
  lcg = 9;
  for (int round = 0; round < 200; round++) {
    int n = 2 + (int)draw(40);
    for (int i = 0; i < n; i++) {
      P[i][0] = (double)(draw(21) - 10) * (round % 3 ? 0.1 : 1e-300);
      if (draw(9) == 0) P[i][0] = draw(2) ? -0.0 : 0.0;
      Y[i] = (double)draw(2);
      W[i] = (double)draw(4);
    }
    Y[0] = W[0] = W[1] = 1;
    Y[1] = 0;
    leat_metrics *k = fill("auc", 1, 1, 0, n);
    expect(k, "auc", pairs(n));
    lt_metrics_free(k);
  }
  leat_metrics *k = make("auc,f1,kappa");
  double v, nan = NAN, p = 0.5;
  assert_int_equal(lt_metrics_value(k, "auc", &v, NULL), LEAT_OK);
  assert_true(isnan(v));
  assert_int_equal(lt_metrics_add(k, &p, 1, 1, 1, NULL), LEAT_OK);
  assert_int_equal(lt_metrics_value(k, "auc", &v, NULL), LEAT_OK);
  assert_true(isnan(v)); /* one class */
  assert_int_equal(lt_metrics_add(k, &nan, 1, 0, 1, NULL), LEAT_OK);
  assert_int_equal(lt_metrics_value(k, "auc", &v, NULL), LEAT_OK);
  assert_true(isnan(v)); /* a score that is no number */
  lt_metrics_free(k);
}

/* More rows than are kept: cells. */
static void test_auc_cells(void **state) {
  (void)state;
  enum { N = LT_AUC_EXACT + 5000 };
  static lt_scored v[N], room[N];
  lt_auc whole, first, second;
  double got, merged, exact = 0, pos = 0, neg = 0;
  lt_auc_init(&whole, rt);
  lt_auc_init(&first, rt);
  lt_auc_init(&second, rt);
  lcg = 4;
  for (int i = 0; i < N; i++) {
    double u = (double)draw(1 << 30) / (1 << 30), s = (double)draw(1 << 30) / (1 << 30);
    double p = i % 2 ? s : s * s * s * 0.01; /* scores near 0 are many */
    int y = u < 0.1 + p * 0.5;
    v[i] = (lt_scored){p, y ? 1 : -1};
    lt_auc *half = i < N / 2 ? &first : &second;
    assert_int_equal(lt_auc_reserve(&whole, 1, NULL), LEAT_OK);
    assert_int_equal(lt_auc_reserve(half, 1, NULL), LEAT_OK);
    lt_auc_add(&whole, p, y, 1);
    lt_auc_add(half, p, y, 1);
  }
  lt_sort_scored(v, room, N);
  for (int i = 0; i < N;) {
    double p = 0, q = 0;
    int j = i;
    for (; j < N && v[j].key == v[i].key; j++) v[j].weight > 0 ? (p += 1) : (q += 1);
    exact += p * neg + 0.5 * p * q;
    pos += p;
    neg += q;
    i = j;
  }
  exact /= pos * neg;
  assert_non_null(whole.cell);
  assert_null(first.cell);
  assert_int_equal(lt_auc_value(&whole, &got, NULL), LEAT_OK);
  if (fabs(got - exact) > 1e-5) fail_msg("%.12g, exactly %.12g", got, exact);
  assert_int_equal(lt_auc_merge(&first, &second, NULL), LEAT_OK);
  assert_int_equal(lt_auc_value(&first, &merged, NULL), LEAT_OK);
  close_to(merged, got, "merged");
  lt_auc_free(&whole);
  lt_auc_free(&first);
  lt_auc_free(&second);
}

static void test_edges(void **state) {
  (void)state;
  double v, one = 1, zero = 0, many[3] = {0.2, 0.3, 0.5};
  leat_error err = {.struct_size = sizeof err};
  leat_metrics *k = make("binary");
  assert_int_equal(lt_metrics_add(k, &zero, 1, 1, 1, NULL), LEAT_OK); /* as wrong as can be: clipped */
  expect(k, "loss", 34.538776394910684);
  assert_int_equal(lt_metrics_add(k, &one, 1, NAN, 1, NULL), LEAT_OK);
  expect(k, "rows", 1);
  assert_int_equal(lt_metrics_add(k, &one, 1, 2, 1, &err), LEAT_E_DATA);
  assert_int_equal(lt_metrics_add(k, &one, 1, 0.5, 1, NULL), LEAT_E_DATA);
  assert_int_equal(lt_metrics_add(k, &one, 1, -1, 1, NULL), LEAT_E_DATA);
  assert_int_equal(lt_metrics_add(k, &one, 1, INFINITY, 1, NULL), LEAT_E_DATA);
  assert_int_equal(lt_metrics_add(k, &one, 1, 1, -1, NULL), LEAT_E_DATA);
  assert_int_equal(lt_metrics_add(k, &one, 1, 1, NAN, NULL), LEAT_E_DATA);
  assert_int_equal(lt_metrics_add(k, &one, 1, 1, INFINITY, NULL), LEAT_E_DATA);
  assert_int_equal(lt_metrics_add(k, many, 3, 1, 1, NULL), LEAT_E_SHAPE);
  expect(k, "rows", 1);
  lt_metrics_reset(k);
  assert_int_equal(lt_metrics_value(k, "loss", &v, NULL), LEAT_OK);
  assert_true(isnan(v));
  expect(k, "rows", 0);
  lt_metrics_free(k);
  assert_int_equal(lt_metrics_create(rt, "acuracy", &k, &err), LEAT_E_NOT_FOUND);
  assert_non_null(strstr(err.message, "'accuracy'"));
  assert_null(k);
  assert_int_equal(lt_metrics_create(rt, "", &k, NULL), LEAT_E_NOT_FOUND);
  assert_int_equal(lt_metrics_create(rt, "loss,", &k, NULL), LEAT_E_NOT_FOUND);
  assert_int_equal(lt_metrics_create(rt, "multiclass:1", &k, NULL), LEAT_E_ARG);
  assert_int_equal(lt_metrics_create(rt, "multiclass:x", &k, NULL), LEAT_E_ARG);
  assert_int_equal(lt_metrics_create(rt, "auc,rmse", &k, NULL), LEAT_E_ARG);
  k = make("auc");
  assert_int_equal(lt_metrics_add(k, many, 3, 1, 1, NULL), LEAT_E_UNSUPPORTED);
  lt_metrics_free(k);
  k = make("loss,rows"); /* the task is what the predictions are */
  assert_int_equal(lt_metrics_add(k, many, 3, 2, 1, NULL), LEAT_OK);
  expect(k, "loss", -log(0.5));
  lt_metrics_reset(k);
  assert_int_equal(lt_metrics_add(k, many, 1, 2, 1, NULL), LEAT_OK);
  expect(k, "loss", 1.8 * 1.8);
  lt_metrics_free(k);
}

static void test_no_memory(void **state) {
  (void)state;
  int64_t before = host.blocks;
  make_binary();
  int done = 0;
  for (int64_t nth = 1; !done; nth++) {
    leat_metrics *k = NULL;
    double v;
    host.fail_alloc = nth;
    leat_status st = lt_metrics_create(rt, "binary", &k, NULL);
    for (int i = 0; i < 100 && st == LEAT_OK; i++) st = lt_metrics_add(k, P[i], 1, Y[i], 1, NULL);
    if (st == LEAT_OK) st = lt_metrics_value(k, "auc", &v, NULL);
    done = host.fail_alloc > 0;
    host.fail_alloc = 0;
    assert_int_equal(st, done ? LEAT_OK : LEAT_E_MEMORY);
    lt_metrics_free(k);
    assert_int_equal(host.blocks, before);
  }
}

/* The exported face: strides, types, nothing half done. */
static void test_api(void **state) {
  (void)state;
  leat_metrics *k;
  float p[4] = {0.25f, 0.75f, 0.5f, 1};
  double y[8] = {0, 9, 1, 9, 1, 9, 7, 9}, v;
  leat_error err = {.struct_size = sizeof err};
  leat_matrix mp = {.struct_size = sizeof mp, .data = p, .rows = 4, .cols = 1, .dtype = LEAT_F32};
  leat_matrix my = {.struct_size = sizeof my, .data = y, .rows = 4, .cols = 1, .row_stride = 2, .col_stride = 1, .dtype = LEAT_F64};
  assert_int_equal(leat_metrics_create(rt, "accuracy", &k, &err), LEAT_OK);
  assert_int_equal(leat_metrics_update(k, &mp, &my, NULL, &err), LEAT_E_DATA);
  assert_int_equal(err.detail[0], 4);
  assert_int_equal(leat_metrics_value(k, "accuracy", &v, &err), LEAT_OK);
  assert_true(isnan(v));
  y[6] = 1;
  assert_int_equal(leat_metrics_update(k, &mp, &my, NULL, &err), LEAT_OK);
  assert_int_equal(leat_metrics_value(k, "accuracy", &v, &err), LEAT_OK);
  assert_true(v == 0.75); /* p == 1/2 is class 0 */
  mp.data = p + 3; /* backwards */
  mp.row_stride = -1;
  mp.col_stride = 1;
  assert_int_equal(leat_metrics_update(k, &mp, &my, &my, &err), LEAT_OK);
  my.rows = 3;
  assert_int_equal(leat_metrics_update(k, &mp, &my, NULL, &err), LEAT_E_SHAPE);
  mp.dtype = LEAT_I32;
  assert_int_equal(leat_metrics_update(k, &mp, &my, NULL, &err), LEAT_E_DTYPE);
  assert_int_equal(leat_metrics_update(NULL, &mp, &my, NULL, &err), LEAT_E_ARG);
  assert_int_equal(leat_metrics_value(k, "auc", &v, &err), LEAT_E_NOT_FOUND);
  assert_true(v == 0);
  int64_t count;
  const char *name;
  assert_int_equal(leat_metrics_count(k, &count, &err), LEAT_OK);
  assert_int_equal(count, 1);
  assert_int_equal(leat_metrics_name(k, 0, &name, &err), LEAT_OK);
  assert_string_equal(name, "accuracy");
  assert_int_equal(leat_metrics_name(k, 1, &name, &err), LEAT_E_NOT_FOUND);
  assert_int_equal(leat_metrics_reset(k, &err), LEAT_OK);
  leat_metrics_free(k);
  leat_metrics_free(NULL);
}

static void between(const leat_metrics *k, const char *name, double low, double high) {
  double a, b;
  assert_int_equal(leat_metrics_interval(k, name, &a, &b, NULL), LEAT_OK);
  if (fabs(a - low) > 5e-5 || fabs(b - high) > 5e-5) fail_msg("%s: %.6f to %.6f, not %.4f to %.4f", name, a, b, low, high);
}

/* 80 right of 100: Wilson's interval is [.7112, .8666] (binom.test of R's binom package, "wilson"). The others from their formulas,
 * calculated with Python's statistics module. */
static void test_intervals(void **state) {
  (void)state;
  leat_metrics *k;
  double low, high, v;
  assert_int_equal(lt_metrics_create(rt, "loss,accuracy,calibration,brier", &k, NULL), LEAT_OK);
  assert_int_equal(lt_metrics_interval(k, "loss", &low, &high, NULL), LEAT_OK);
  assert_true(isnan(low) && isnan(high));
  for (int i = 0; i < 100; i++) assert_int_equal(lt_metrics_add(k, (double[]){0.8}, 1, i % 5 != 0, 1, NULL), LEAT_OK);
  between(k, "accuracy", 0.7112, 0.8666);
  /* losses .22314 (80 times) and 1.60944 (20): mean .50040, deviation .55730 */
  between(k, "loss", 0.5004024 - 0.1092287, 0.5004024 + 0.1092287);
  assert_int_equal(lt_metrics_interval(k, "brier", &low, &high, NULL), LEAT_OK);
  assert_true(isnan(low) && isnan(high));
  assert_int_equal(lt_metrics_interval(k, "f1", &low, &high, NULL), LEAT_E_NOT_FOUND);
  assert_int_equal(lt_metrics_value(k, "calibration", &v, NULL), LEAT_OK);
  assert_true(fabs(v - 1) < 1e-12);
  lt_metrics_free(k);
  assert_int_equal(lt_metrics_create(rt, "regression", &k, NULL), LEAT_OK);
  for (int i = 0; i < 10; i++) assert_int_equal(lt_metrics_add(k, (double[]){i}, 1, i + (i % 2 ? 1 : 3), 1, NULL), LEAT_OK);
  between(k, "mae", 2 - 0.653321, 2 + 0.653321);          /* errors 3 and 1, five each */
  between(k, "rmse", sqrt(5 - 2.613286), sqrt(5 + 2.613286)); /* squares 9 and 1 */
  assert_int_equal(lt_metrics_value(k, "calibration", &v, NULL), LEAT_OK);
  assert_true(fabs(v - 45.0 / 65) < 1e-12);
  lt_metrics_free(k);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_intervals), cmocka_unit_test(test_binary), cmocka_unit_test(test_numbers), cmocka_unit_test(test_many),
                                     cmocka_unit_test(test_merge),  cmocka_unit_test(test_auc),     cmocka_unit_test(test_auc_cells),
                                     cmocka_unit_test(test_edges),  cmocka_unit_test(test_no_memory), cmocka_unit_test(test_api)};
  return cmocka_run_group_tests(tests, start, stop);
}
