/* Drift answered by policy, and every detector in the guard's place of ADWIN. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "guard_help.h"
#include "stats/detector.h"

enum { COLS = 6, N = 6000 };
static leat_runtime *rt;
static leat_schema *schema;
static int start(void **state) {
  (void)state;
  rt = tr_runtime(2);
  schema = tr_schema(rt, COLS, 2, 0);
  return 0;
}
static int stop(void **state) {
  (void)state;
  lt_schema_free(schema);
  lt_runtime_unref(rt);
  return 0;
}

/* N rows of one concept, N of another, with some noise: the mean log-loss over the second ones. */
static double learn(gd_run *u, const char *model, const char *settings) {
  leat_batch *a = gd_dense(rt, schema, N, COLS, 1, 0.1, 0, 3), *b = gd_dense(rt, schema, N, COLS, 2, 0.1, 0, 4);
  leat_error e = tr_error();
  leat_metrics *k = NULL;
  double first = 0, all = 0;
  gd_open(u, rt, model, settings);
  gd_learn(u, a, 1000);
  TR_OK(lt_online_metrics(u->o, LT_PROGRESS_ALL, &k, &e), &e);
  TR_OK(lt_metrics_value(k, "loss", &first, &e), &e);
  lt_metrics_free(k);
  gd_learn(u, b, 1000);
  TR_OK(lt_online_metrics(u->o, LT_PROGRESS_ALL, &k, &e), &e);
  TR_OK(lt_metrics_value(k, "loss", &all, &e), &e);
  lt_metrics_free(k);
  lt_batch_free(a);
  lt_batch_free(b);
  return 2 * all - first;
}

static void test_policies(void **state) {
  static const char *const learners[] = {"learner=race", "learner=adagrad adagrad_rate=.1", "learner=ftrl", "learner=coin", "learner=gauss"};
  (void)state;
  for (int i = 0; i < 5; i++) {
    gd_run u, v, w;
    double alert = learn(&u, learners[i], "drift_response=alert"), reset = learn(&v, learners[i], "drift_response=reset"),
           faster = learn(&w, learners[i], "drift_response=faster");
    print_message("%s: alert %.4f, reset %.4f, faster %.4f\n", learners[i], alert, reset, faster);
    assert_true(gd_count(&u, LEAT_EVENT_ALARM, N, 2 * N) >= 1 && gd_count(&u, LEAT_EVENT_ALARM, 0, N) == 0);
    assert_int_equal(gd_count(&u, 0, 0, 3 * N), 0); /* nothing but the event */
    assert_int_equal(gd_count(&v, LEAT_EVENT_RESTART, N, 2 * N), gd_count(&v, LEAT_EVENT_ALARM, N, 2 * N) > 0 ? gd_count(&v, LEAT_EVENT_RESTART, 0, 2 * N) : -1);
    assert_int_equal(gd_count(&w, 0, 0, 3 * N), 0);
    assert_true(gd_count(&w, LEAT_EVENT_ALARM, N, 2 * N) >= 1);
    assert_true(gd_count(&w, LEAT_EVENT_CERTIFIED, 0, 2 * N) >= 1); /* certification goes on */
    if (i > 0) assert_true(reset < alert); /* the race tracks by itself */
    if (i > 0) assert_true(faster < alert);
    gd_close(&u);
    gd_close(&v);
    gd_close(&w);
  }
}

static void test_detectors(void **state) {
  int64_t n = 0;
  const lt_detector_kind *const *kinds = lt_detector_kinds(&n);
  (void)state;
  assert_int_equal(n, 8);
  for (int64_t k = 0; k < n; k++) {
    char settings[96];
    gd_run u, v;
    snprintf(settings, sizeof settings, "detector=%s drift_response=reset", kinds[k]->spec->name + strlen("detector/"));
    double loss = learn(&u, "learner=adagrad adagrad_rate=.1", settings), same = learn(&v, "learner=adagrad adagrad_rate=.1", settings);
    int64_t found = gd_count(&u, LEAT_EVENT_ALARM, N, N + 2000), early = gd_count(&u, LEAT_EVENT_ALARM, 0, N);
    print_message("%-28s loss %.4f, %lld alarms within 2000 rows, %lld before\n", settings, loss, (long long)found, (long long)early);
    assert_true(found >= 1);
    for (int64_t i = 0; i < u.n_events; i++)
      if (u.event[i].kind == LEAT_EVENT_ALARM) assert_string_equal(u.event[i].name, kinds[k]->spec->name + strlen("detector/"));
    assert_true(loss == same);
    gd_close(&u);
    gd_close(&v);
    snprintf(settings, sizeof settings, "detector=%s", kinds[k]->spec->name + strlen("detector/")); /* contenders, told by another one */
    (void)learn(&u, "learner=adagrad adagrad_rate=.1", settings);
    assert_true(gd_count(&u, 0, N, 2 * N) >= 1);
    gd_close(&u);
  }
}

/* Saved and restored again and again: the bytes of one that never was. */
static void test_bytes(void **state) {
  static const char *const settings[] = {"drift_response=faster", "drift_response=reset detector=hddm_w", "detector=kswin",
                                         "drift_response=alert detector=ddm", "drift_response=faster detector=adwin"};
  (void)state;
  for (int i = 0; i < 5; i++) {
    gd_run a, b;
    leat_error e = tr_error();
    gd_open(&a, rt, "learner=cheap", settings[i]);
    gd_open(&b, rt, "learner=cheap", settings[i]);
    for (int part = 0; part < 8; part++) {
      leat_batch *rows = gd_dense(rt, schema, 1111, COLS, 1 + part / 3, 0.1, 0, (uint64_t)(20 + part));
      lt_guard *fresh = NULL;
      lt_put w;
      lt_get g;
      gd_learn(&a, rows, 1000);
      gd_learn(&b, rows, 130);
      lt_put_init(&w, rt);
      lt_guard_save(b.g, &w);
      TR_OK(lt_guard_create(b.o, b.settings, &fresh, &e), &e);
      lt_get_init(&g, rt, w.data, w.size);
      TR_OK(lt_guard_restore(fresh, &g, &e), &e);
      assert_int_equal(lt_get_left(&g), 0);
      lt_guard_free(b.g);
      b.g = fresh;
      lt_put_free(&w);
      lt_batch_free(rows);
    }
    gd_same(&a, &b, 1);
    gd_close(&a);
    gd_close(&b);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_policies), cmocka_unit_test(test_detectors), cmocka_unit_test(test_bytes)};
  return cmocka_run_group_tests_name("lifecycle/policy", tests, start, stop);
}
