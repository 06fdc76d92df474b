/* Thresholds against the cost of every other one; intervals by their ranks and by what they hold of new rows; both in
 * packages and metrics. */
#include "train_help.h"
#include "model/model_inner.h"

static double cost_at(const double *p, const double *y, const double *w, int n, double t, double fp, double fn) {
  double cost = 0;
  for (int i = 0; i < n; i++) {
    int answer = p[i] >= t, truth = y[i] > 0.5;
    cost += answer == truth ? 0 : (w ? w[i] : 1) * (truth ? fn : fp);
  }
  return cost;
}

static void thresholds(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  lt_rng r;
  lt_rng_init(&r, 3, 1);
  for (int round = 0; round < 300; round++) {
    double p[40], y[40], w[40], fp = 0.5 + lt_rng_unit(&r), fn = 4 * lt_rng_unit(&r) + 0.1, t = -1, least = INFINITY;
    int n = 1 + (int)lt_rng_below(&r, 40), cells = 1 + (int)lt_rng_below(&r, 40);
    for (int i = 0; i < n; i++) { /* few cells: many rows of one prediction; 0 and 1 among them */
      p[i] = (double)lt_rng_below(&r, (uint32_t)cells + 1) / cells;
      y[i] = lt_rng_unit(&r) < p[i];
      w[i] = round % 3 ? 1 : (double)lt_rng_below(&r, 4);
    }
    const double *ws = round % 3 ? NULL : w;
    TR_OK(lt_decision_threshold(rt, p, y, ws, n, fp, fn, &t, &e), &e);
    assert_true(t >= 0 && t <= 1);
    for (int i = -1; i < n; i++) least = fmin(least, cost_at(p, y, ws, n, i < 0 ? 0 : nextafter(p[i], 2), fp, fn));
    double got = cost_at(p, y, ws, n, t, fp, fn);
    int all_one = 1; /* answering 0 to a prediction of 1 would take a threshold above 1 */
    for (int i = 0; i < n; i++) all_one &= p[i] < 1;
    if (all_one) assert_true(got <= least + 1e-9);
  }
  lt_runtime_unref(rt);
}

static void intervals(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  double v[100], w[100], got[3];
  for (int i = 0; i < 100; i++) {
    v[i] = (i * 37) % 100; /* 0..99, shuffled */
    w[i] = 2;
  }
  TR_OK(lt_decision_interval(rt, v, NULL, 99, 0.9, got, &e), &e); /* without the one that is 63: ranks 5 and 95 of 99 */
  assert_true(got[0] == 0.9 && got[1] == 4 && got[2] == 95);
  TR_OK(lt_decision_interval(rt, v, w, 99, 0.9, got, &e), &e);
  assert_true(got[1] == 4 && got[2] == 95);
  for (int i = 0; i < 19; i++) v[i] = i;
  TR_OK(lt_decision_interval(rt, v, NULL, 19, 0.9, got, &e), &e);
  assert_true(got[1] == 0 && got[2] == 18);
  assert_int_equal(lt_decision_interval(rt, v, NULL, 18, 0.9, got, &e), LEAT_E_DATA);
  assert_non_null(strstr(e.message, "at least 19 validation rows"));
  /* what it promises, over many samples of 39 and one more */
  lt_rng r;
  lt_rng_init(&r, 11, 1);
  int inside = 0, rounds = 20000;
  for (int k = 0; k < rounds; k++) {
    for (int i = 0; i < 40; i++) v[i] = exp(lt_rng_normal(&r));
    TR_OK(lt_decision_interval(rt, v, NULL, 39, 0.8, got, &e), &e);
    inside += v[39] >= got[1] && v[39] <= got[2];
  }
  assert_true(fabs((double)inside / rounds - 0.8) < 0.01);
  lt_runtime_unref(rt);
}

static void damaged(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  lt_decision d = {0.25, {0.9, -3, 4}}, back;
  lt_put w;
  lt_get g;
  lt_put_init(&w, rt);
  lt_decision_save(&d, &w);
  for (uint64_t i = 0; i <= w.size; i++) {
    lt_get_init(&g, rt, w.data, i);
    lt_decision_load(&back, &g);
    assert_int_equal(g.failed != 0, i < w.size);
  }
  assert_memory_equal(&d, &back, sizeof d);
  static const lt_decision bad[] = {{1.5, {0, 0, 0}}, {NAN, {0, 0, 0}}, {0.5, {1, 0, 0}}, {0.5, {0.9, 1, 0}}, {0.5, {0.9, NAN, 1}}};
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
    lt_put_free(&w);
    lt_put_init(&w, rt);
    lt_decision_save(&bad[k], &w);
    lt_get_init(&g, rt, w.data, w.size);
    lt_decision_load(&back, &g);
    assert_true(g.failed);
  }
  lt_put_free(&w);
  lt_runtime_unref(rt);
}

/* Through trainer, package and metrics. */
static void packages(void **state) {
  (void)state;
  static const struct { int64_t classes; const char *settings, *array; uint64_t n; } cases[] = {
      {2, "false_positive_cost=1 false_negative_cost=5", "threshold", 1}, {2, "threshold=0.125", "threshold", 1},
      {2, "calibrate=isotonic false_positive_cost=4 false_negative_cost=1", "threshold", 1}, {0, "interval=0.9", "interval", 3}};
  leat_runtime *rt = tr_runtime(2);
  leat_error e = tr_error();
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    tr_rows r = tr_make(2000, 4, cases[k].classes, 17, 0, 1);
    leat_dataset *all = tr_dense(rt, &r, 0), *d = NULL, *v = NULL;
    TR_OK(lt_dataset_slice(all, 0, 1000, &d, &e), &e);
    TR_OK(lt_dataset_slice(all, 1000, 1000, &v, &e), &e);
    leat_trainer *t = tr_trainer(rt, cases[k].settings, d, v);
    leat_model *m = NULL;
    leat_metrics *got = NULL;
    tr_fit(t);
    uint64_t size, n = 0;
    uint8_t *bytes = tr_bytes(t, &size);
    double a[3] = {0}, accuracy;
    TR_OK(lt_model_load_bytes(rt, bytes, size, "the package", &m, &e), &e);
    TR_OK(lt_model_get_f64s(m, cases[k].array, a, 3, &n, &e), &e);
    assert_int_equal(n, cases[k].n);
    assert_int_equal(m->version, 2);
    if (k == 0) assert_true(a[0] > 0.08 && a[0] < 0.3);  /* 1/6 for perfect probabilities */
    if (k == 1) assert_true(a[0] == 0.125);
    if (k == 2) assert_true(a[0] > 0.65 && a[0] < 0.95); /* 4/5 */
    if (k == 3) assert_true(a[0] == 0.9 && a[1] < -1.2 && a[1] > -2.2 && a[2] > 1.2 && a[2] < 2.2); /* +-1.645 */
    if (cases[k].classes == 2) { /* the metrics' guesses are the threshold's */
      leat_metrics *plain = NULL;
      double half;
      assert_int_equal(lt_model_get_f64s(m, "interval", a, 3, &n, &e), LEAT_E_NOT_FOUND);
      TR_OK(lt_trainer_metrics(t, 1, &got, &e), &e);
      TR_OK(lt_metrics_value(got, "accuracy", &accuracy, &e), &e);
      char none[100];
      snprintf(none, sizeof none, "threshold=0.5 %s", strstr(cases[k].settings, "isotonic") ? "calibrate=isotonic" : "");
      leat_trainer *u = tr_trainer(rt, none, d, v);
      tr_fit(u);
      TR_OK(lt_trainer_metrics(u, 1, &plain, &e), &e);
      TR_OK(lt_metrics_value(plain, "accuracy", &half, &e), &e);
      assert_true(accuracy < half - 0.005);
      lt_metrics_free(plain);
      lt_trainer_free(u);
    }
    lt_metrics_free(got);
    lt_model_free(m);
    free(bytes);
    lt_trainer_free(t);
    lt_dataset_free(all);
    lt_dataset_free(d);
    lt_dataset_free(v);
    tr_drop(&r);
  }
  lt_runtime_unref(rt);
}

static void refused(void **state) {
  (void)state;
  static const struct { int64_t classes; const char *settings, *says; leat_status st; } cases[] = {
      {0, "threshold=0.4", "are for two classes", LEAT_E_ARG}, {3, "false_positive_cost=1", "are for two classes", LEAT_E_ARG},
      {2, "false_positive_cost=1", "needs both", LEAT_E_ARG},  {2, "interval=0.5", "is for numbers", LEAT_E_ARG},
      {0, "interval=0.5", "validation rows", LEAT_E_STATE},
      {2, "false_positive_cost=1 false_negative_cost=2", "validation rows", LEAT_E_STATE}};
  leat_runtime *rt = tr_runtime(1);
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    leat_error e = tr_error();
    tr_rows r = tr_make(100, 3, cases[k].classes, 1, 0, 1);
    leat_dataset *d = tr_dense(rt, &r, 0);
    leat_trainer *t = tr_trainer(rt, cases[k].settings, NULL, NULL);
    assert_int_equal(lt_trainer_set_data(t, d, NULL, &e), cases[k].st);
    assert_non_null(strstr(e.message, cases[k].says));
    lt_trainer_free(t);
    lt_dataset_free(d);
    tr_drop(&r);
  }
  lt_runtime_unref(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(thresholds), cmocka_unit_test(intervals), cmocka_unit_test(damaged),
                                     cmocka_unit_test(packages), cmocka_unit_test(refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
