/* Histograms of latency: the stated error, sums over threads and processes, no clock while it is off, no memory while it is on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/latency.h"
#include "base/rng.h"

static int64_t clock_now, clock_asked, clock_step;
static int64_t ask(void *user) {
  (void)user;
  __atomic_fetch_add(&clock_asked, 1, __ATOMIC_RELAXED);
  return __atomic_fetch_add(&clock_now, clock_step, __ATOMIC_RELAXED);
}
static leat_runtime *timed(void) {
  leat_runtime *rt = NULL;
  leat_clock c = {.struct_size = sizeof c, .now_ns = ask, .monotonic_ns = ask};
  leat_runtime_opts o = {.struct_size = sizeof o, .clock = &c};
  clock_now = 1000;
  clock_asked = 0;
  clock_step = 0;
  assert_int_equal(leat_runtime_create(&o, &rt, NULL), LEAT_OK);
  return rt;
}

/* Every value lies in its bucket, and no bucket is wider than 1/32 of what it holds. */
static void test_buckets(void **state) {
  (void)state;
  lt_rng g;
  lt_rng_init(&g, 1, 1);
  assert_int_equal(lt_latency_bucket(-5), 0);
  assert_int_equal(lt_latency_bucket(INT64_MAX), LT_LATENCY_BUCKETS - 1);
  assert_int_equal(lt_latency_bucket(((int64_t)1 << 40) - 1), LT_LATENCY_BUCKETS - 1);
  assert_int_equal(lt_latency_upper(LT_LATENCY_BUCKETS - 1), ((int64_t)1 << 40) - 1);
  for (int64_t b = 0; b + 1 < LT_LATENCY_BUCKETS; b++) {
    int64_t upper = lt_latency_upper(b), low = b ? lt_latency_upper(b - 1) + 1 : 0;
    assert_true(lt_latency_bucket(upper) == b && lt_latency_bucket(upper + 1) == b + 1 && lt_latency_bucket(low) == b);
    assert_true((double)(upper - low) <= (double)low / 32);
  }
  for (int i = 0; i < 100000; i++) {
    int64_t v = (int64_t)exp(lt_rng_unit(&g) * 27);
    int64_t b = lt_latency_bucket(v);
    assert_true(v <= lt_latency_upper(b) && (b == 0 || v > lt_latency_upper(b - 1)));
  }
}

static int ascending(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}
/* Quantiles beside those of the sorted values: never below, at most 1/32 above. */
static void test_quantiles(void **state) {
  enum { N = 20000 };
  static int64_t v[N];
  leat_runtime *rt = timed();
  leat_latency l = {.struct_size = sizeof l};
  lt_rng g;
  int64_t sum = 0;
  (void)state;
  lt_rng_init(&g, 2, 2);
  assert_int_equal(leat_runtime_latency(rt, LEAT_LATENCY_ONE, &l, NULL), LEAT_OK);
  assert_true(l.count == 0 && l.p99_ns == 0);
  assert_int_equal(leat_runtime_latency_add(rt, LEAT_LATENCY_HOST, 1, 1, NULL), LEAT_E_STATE);
  assert_int_equal(leat_runtime_set_latency(rt, -1, NULL), LEAT_E_ARG);
  assert_int_equal(leat_runtime_set_latency(rt, 1, NULL), LEAT_OK);
  for (int i = 0; i < N; i++) {
    v[i] = (int64_t)exp(8 + 1.5 * lt_rng_normal(&g));
    sum += v[i];
    assert_int_equal(leat_runtime_latency_add(rt, LEAT_LATENCY_HOST, v[i], 1, NULL), LEAT_OK);
  }
  qsort(v, N, sizeof *v, ascending);
  assert_int_equal(leat_runtime_latency(rt, LEAT_LATENCY_HOST, &l, NULL), LEAT_OK);
  assert_true(l.count == N && l.sum_ns == sum && l.max_ns == v[N - 1]);
  const int64_t got[] = {l.p50_ns, l.p90_ns, l.p99_ns, l.p999_ns}, at[] = {N / 2 - 1, N * 9 / 10 - 1, N / 100 * 99 - 1, N / 1000 * 999 - 1};
  for (int i = 0; i < 4; i++) assert_true(got[i] >= v[at[i]] && (double)(got[i] - v[at[i]]) <= (double)v[at[i]] / 32);
  /* another process' buckets, one after the other: the same histogram */
  static int64_t upper[LT_LATENCY_BUCKETS], count[LT_LATENCY_BUCKETS];
  int64_t needed = 0, again = 0;
  assert_int_equal(leat_runtime_latency_buckets(rt, LEAT_LATENCY_HOST, upper, count, 10, &needed, NULL), LEAT_E_CAPACITY);
  assert_true(needed > 10);
  assert_int_equal(leat_runtime_latency_buckets(rt, LEAT_LATENCY_HOST, upper, count, LT_LATENCY_BUCKETS, &needed, NULL), LEAT_OK);
  for (int64_t i = 0; i < needed; i++)
    assert_int_equal(leat_runtime_latency_add(rt, LEAT_LATENCY_HOST + 1, upper[i], count[i], NULL), LEAT_OK);
  leat_latency m = {.struct_size = sizeof m};
  assert_int_equal(leat_runtime_latency(rt, LEAT_LATENCY_HOST + 1, &m, NULL), LEAT_OK);
  assert_true(m.count == l.count && m.p50_ns == l.p50_ns && m.p99_ns == l.p99_ns && m.p999_ns == l.p999_ns);
  assert_int_equal(leat_runtime_latency_buckets(rt, LEAT_LATENCY_HOST + 1, NULL, NULL, 0, &again, NULL), LEAT_E_CAPACITY);
  assert_int_equal(again, needed);
  assert_int_equal(leat_runtime_latency(rt, LEAT_LATENCY_OPS, &l, NULL), LEAT_E_ARG);
  assert_int_equal(leat_runtime_latency_add(rt, 8, -1, 1, NULL), LEAT_E_ARG);
  assert_int_equal(leat_runtime_latency_add(rt, 8, INT64_MAX / 2, 3, NULL), LEAT_E_ARG);
  leat_runtime_free(rt);
}

enum { THREADS = 4, EACH = 20000 };
static void *adds(void *arg) {
  for (int i = 0; i < EACH; i++) (void)leat_runtime_latency_add(arg, LEAT_LATENCY_HOST, 100 + i % 1000, 1, NULL);
  return NULL;
}
/* Nothing is lost between threads. */
static void test_threads(void **state) {
  leat_runtime *rt = timed();
  pthread_t t[THREADS];
  leat_latency l = {.struct_size = sizeof l};
  (void)state;
  assert_int_equal(leat_runtime_set_latency(rt, 1, NULL), LEAT_OK);
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&t[i], NULL, adds, rt), 0);
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(t[i], NULL), 0);
  assert_int_equal(leat_runtime_latency(rt, LEAT_LATENCY_HOST, &l, NULL), LEAT_OK);
  assert_true(l.count == (int64_t)THREADS * EACH && l.max_ns == 1099 && l.sum_ns == (int64_t)THREADS * (EACH / 1000) * (100 * 1000 + 999 * 500));
  leat_runtime_free(rt);
}

/* One row in three by the host's clock; off again, the clock is not asked; in between no memory is. */
static void test_predictions(void **state) {
  leat_runtime *rt = timed();
  leat_model *m = NULL;
  leat_predictor *q = NULL;
  leat_latency l = {.struct_size = sizeof l};
  double x[3] = {1, 2, 3}, y[4];
  int64_t before = 0, after = 0, cols = 0, outs = 0;
  (void)state;
  assert_int_equal(leat_model_load(rt, "tests/golden/model-linear-v2.leat", &m, NULL), LEAT_OK);
  assert_int_equal(leat_predictor_create(m, NULL, NULL, &q, NULL), LEAT_OK);
  assert_int_equal(leat_predictor_shape(q, &cols, &outs, NULL), LEAT_OK);
  assert_int_equal(cols, 3);
  int64_t asked = clock_asked;
  for (int i = 0; i < 100; i++) assert_int_equal(leat_predictor_one_f64(q, x, 3, y, 4, NULL), LEAT_OK);
  assert_int_equal(clock_asked, asked);
  assert_int_equal(leat_runtime_set_latency(rt, 3, NULL), LEAT_OK);
  clock_step = 50;
  assert_int_equal(leat_runtime_stat(rt, "allocations", &before, NULL), LEAT_OK);
  for (int i = 0; i < 99; i++) assert_int_equal(leat_predictor_one_f64(q, x, 3, y, 4, NULL), LEAT_OK);
  assert_int_equal(leat_predictor_one_f64(q, x, 2, y, 4, NULL), LEAT_E_SHAPE); /* what fails is not counted */
  assert_int_equal(leat_runtime_stat(rt, "allocations", &after, NULL), LEAT_OK);
  assert_int_equal(before, after);
  assert_int_equal(leat_runtime_latency(rt, LEAT_LATENCY_ONE, &l, NULL), LEAT_OK);
  assert_true(l.count == 33 && l.sum_ns == 33 * 50 && l.p50_ns == 50 && l.max_ns == 50);
  leat_matrix in = {.struct_size = sizeof in, .data = x, .rows = 1, .cols = 3, .dtype = LEAT_F64}, out = {.struct_size = sizeof out, .data = y, .rows = 1, .cols = outs, .dtype = LEAT_F64};
  assert_int_equal(leat_predictor_run(q, &in, &out, NULL), LEAT_OK);
  assert_int_equal(leat_runtime_latency(rt, LEAT_LATENCY_ROWS, &l, NULL), LEAT_OK);
  assert_int_equal(l.count, 1);
  assert_int_equal(leat_runtime_set_latency(rt, 0, NULL), LEAT_OK);
  asked = clock_asked;
  for (int i = 0; i < 100; i++) assert_int_equal(leat_predictor_one_f64(q, x, 3, y, 4, NULL), LEAT_OK);
  assert_int_equal(clock_asked, asked);
  leat_predictor_free(q);
  leat_model_free(m);
  leat_runtime_free(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_buckets), cmocka_unit_test(test_quantiles), cmocka_unit_test(test_threads),
                                     cmocka_unit_test(test_predictions)};
  return cmocka_run_group_tests_name("base/latency", tests, NULL, NULL);
}
