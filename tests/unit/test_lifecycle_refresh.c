/* Refresh: due for what reasons, and that only a model which is no worse takes production's place. */
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
#include "folder_help.h"
#include "lifecycle/refresh.h"

enum { N = 2000, COLS = 3 };
static leat_error error_here;
static double x[N * COLS], y[N];

/* y = 1 with probability sigmoid(w0 x0 + w1 x1); noise 0..1: share of labels drawn by a coin */
static leat_dataset *data(leat_runtime *rt, uint64_t seed, double w0, double w1, int64_t n) {
  lt_rng g;
  leat_dataset *d = NULL;
  lt_rng_init(&g, seed, 7);
  for (int64_t i = 0; i < n; i++) {
    for (int k = 0; k < COLS; k++) x[i * COLS + k] = lt_rng_normal(&g);
    y[i] = lt_rng_unit(&g) < 1 / (1 + exp(-(w0 * x[i * COLS] + w1 * x[i * COLS + 1])));
  }
  leat_matrix mx = {.struct_size = sizeof mx, .data = x, .rows = n, .cols = COLS, .dtype = LEAT_F64};
  leat_matrix my = {.struct_size = sizeof my, .data = y, .rows = n, .cols = 1, .dtype = LEAT_F64};
  assert_int_equal(leat_dataset_from_dense(rt, NULL, &mx, &my, NULL, &d, NULL), LEAT_OK);
  return d;
}

static leat_model *fit(leat_runtime *rt, const leat_dataset *d) {
  leat_params *p = NULL;
  leat_trainer *t = NULL;
  leat_model *m = NULL;
  assert_int_equal(leat_params_create(rt, "model/linear", &p, NULL), LEAT_OK);
  assert_int_equal(leat_trainer_create(rt, p, NULL, NULL, &t, NULL), LEAT_OK);
  assert_int_equal(leat_trainer_set_data(t, d, NULL, NULL), LEAT_OK);
  assert_int_equal(leat_trainer_fit(t, NULL), LEAT_OK);
  assert_int_equal(leat_trainer_snapshot(t, &m, NULL), LEAT_OK);
  leat_trainer_free(t);
  leat_params_free(p);
  return m;
}

static leat_challenge_info try(leat_store *s, const leat_model *m, const leat_dataset *d, leat_status want) {
  leat_challenge_info c = {.struct_size = sizeof c};
  error_here.struct_size = sizeof error_here;
  assert_int_equal(leat_store_challenge(s, m, d, NULL, &c, &error_here), want);
  return c;
}

static void test_quantile(void **state) {
  (void)state; /* scipy 1.11: stats.norm.ppf */
  assert_true(fabs(lt_normal_quantile(0.95) - 1.6448536269514722) < 1e-12);
  assert_true(fabs(lt_normal_quantile(0.5)) < 1e-12 && fabs(lt_normal_quantile(0.999999) - 4.753424308822899) < 1e-9);
}

static void test_challenge(void **state) {
  (void)state;
  leat_runtime *rt = NULL;
  assert_int_equal(leat_runtime_create(NULL, &rt, NULL), LEAT_OK);
  leat_dataset *before = data(rt, 1, 1, -1, N), *after = data(rt, 2, -1, 1, N), *shown = data(rt, 3, -1, 1, N), *few = data(rt, 4, -1, 1, 50);
  leat_model *old = fit(rt, before), *fresh = fit(rt, after);
  leat_store *s = open_with(rt, at_place("refresh"), "create", 1);
  int64_t v = 0;
  assert_int_equal(try(s, fresh, shown, LEAT_E_NOT_FOUND).version, 0); /* no production */
  assert_int_equal(leat_store_add(s, old, "train", &v, NULL), LEAT_OK);
  assert_int_equal(leat_store_promote(s, 1, "production", -1, NULL, NULL), LEAT_OK);
  assert_int_equal(try(s, fresh, few, LEAT_E_DATA).version, 0);
  assert_non_null(strstr(error_here.message, "50 labelled rows"));
  leat_challenge_info c = try(s, old, shown, LEAT_OK); /* production itself */
  assert_true(c.version == 1 && c.against == 1 && !c.promoted && c.loss == c.against_loss);
  c = try(s, fresh, shown, LEAT_OK);
  assert_true(c.version == 2 && c.against == 1 && c.promoted && c.rows == N && c.upper < 0 && c.loss < c.against_loss);
  c = try(s, old, shown, LEAT_OK); /* back: it is worse now */
  assert_true(c.version == 3 && c.against == 2 && !c.promoted && c.upper > 0);
  assert_int_equal(stage_of(s, "production"), 2);
  leat_event e = {.struct_size = sizeof e};
  int64_t cursor = 0, promoted = 0, kept = 0;
  while (leat_store_history(s, &cursor, &e, NULL) == LEAT_OK)
    if (e.kind == LEAT_EVENT_REFRESH) promoted += !strcmp(e.name, "promoted"), kept += !strcmp(e.name, "kept");
  assert_true(promoted == 1 && kept == 2);
  assert_int_equal(leat_store_gc(s, NULL, NULL), LEAT_OK); /* the compacted history has them too */
  cursor = promoted = 0;
  while (leat_store_history(s, &cursor, &e, NULL) == LEAT_OK) promoted += e.kind == LEAT_EVENT_REFRESH;
  assert_int_equal(promoted, 3);
  leat_store_free(s);
  leat_model_free(old);
  leat_model_free(fresh);
  leat_dataset_free(before);
  leat_dataset_free(after);
  leat_dataset_free(shown);
  leat_dataset_free(few);
  leat_runtime_free(rt);
}

/* Two models of one stream, both as good: with a margin of 0 one of them passes in about 5 % of the cases where it is no better. */
static void test_no_evidence(void **state) {
  (void)state;
  leat_runtime *rt = NULL;
  assert_int_equal(leat_runtime_create(NULL, &rt, NULL), LEAT_OK);
  leat_dataset *a = data(rt, 11, 1, -1, N), *b = data(rt, 12, 1, -1, N / 20);
  leat_model *good = fit(rt, a), *poor = fit(rt, b); /* the second has seen a twentieth */
  leat_store *s = open_with(rt, at_place("evidence"), "create", 1);
  leat_params *p = NULL;
  int64_t v = 0, passed = 0;
  assert_int_equal(leat_params_create(rt, "refresh", &p, NULL), LEAT_OK);
  assert_int_equal(leat_params_set_f64(p, "margin", 0, NULL), LEAT_OK);
  assert_int_equal(leat_store_add(s, good, "train", &v, NULL), LEAT_OK);
  assert_int_equal(leat_store_promote(s, 1, "production", -1, NULL, NULL), LEAT_OK);
  for (uint64_t k = 0; k < 60; k++) {
    leat_dataset *d = data(rt, 100 + k, 1, -1, 200);
    leat_challenge_info c = {.struct_size = sizeof c};
    assert_int_equal(leat_store_challenge(s, poor, d, p, &c, NULL), LEAT_OK);
    passed += c.promoted;
    if (c.promoted) assert_int_equal(leat_store_rollback(s, "production", -1, NULL, NULL), LEAT_OK);
    leat_dataset_free(d);
  }
  print_message("a slightly worse model passed %lld of 60 times\n", (long long)passed);
  assert_true(passed <= 4);
  leat_params_free(p);
  leat_store_free(s);
  leat_model_free(good);
  leat_model_free(poor);
  leat_dataset_free(a);
  leat_dataset_free(b);
  leat_runtime_free(rt);
}

static void test_due(void **state) {
  (void)state;
  leat_runtime *rt = NULL;
  assert_int_equal(leat_runtime_create(NULL, &rt, NULL), LEAT_OK);
  leat_dataset *d = data(rt, 5, 1, -1, N);
  leat_model *m = fit(rt, d), *other;
  leat_store *s = open_with(rt, at_place("due"), "create", 1), *look;
  leat_due_info due = {.struct_size = sizeof due};
  leat_params *p = NULL;
  leat_monitor *w = NULL;
  leat_batch *rows = NULL;
  leat_schema *schema = NULL;
  int64_t v = 0, got = 0, before, after;
  assert_int_equal(leat_store_due(s, NULL, &due, NULL), LEAT_E_NOT_FOUND);
  assert_int_equal(leat_store_add(s, m, "train", &v, NULL), LEAT_OK);
  assert_int_equal(leat_store_promote(s, 1, "production", -1, NULL, NULL), LEAT_OK);
  assert_int_equal(leat_store_due(s, NULL, &due, NULL), LEAT_OK);
  assert_true(due.reasons == 0 && due.version == 1 && due.rows == 0 && due.age_ns >= 0);
  assert_int_equal(leat_monitor_create(m, NULL, &w, NULL), LEAT_OK);
  assert_int_equal(leat_store_monitored(s, w, NULL), LEAT_E_STATE); /* no row yet */
  assert_int_equal(leat_dataset_schema(d, &schema, NULL), LEAT_OK);
  assert_int_equal(leat_batch_create(rt, schema, &rows, NULL), LEAT_OK);
  assert_int_equal(leat_dataset_next(d, N, rows, &got, NULL), LEAT_OK);
  assert_int_equal(leat_monitor_update(w, rows, NULL), LEAT_OK);
  assert_int_equal(leat_store_monitored(s, w, NULL), LEAT_OK);
  assert_int_equal(leat_store_due(s, NULL, &due, NULL), LEAT_OK);
  assert_true(due.reasons == 0 && due.rows == N && due.limit >= 0.25);
  assert_int_equal(leat_params_create(rt, "refresh", &p, NULL), LEAT_OK);
  assert_int_equal(leat_params_set_i64(p, "max_rows", N, NULL), LEAT_OK);
  look = open_with(rt, at_place("due"), "read_only", 1);
  generation_of(look);
  assert_int_equal(leat_store_due(look, p, &due, NULL), LEAT_OK); /* a reader may ask, and writes nothing */
  assert_int_equal(due.reasons, LEAT_DUE_ROWS);
  before = generation_of(s);
  assert_int_equal(leat_store_due(s, p, &due, NULL), LEAT_OK);
  assert_int_equal(leat_store_due(s, p, &due, NULL), LEAT_OK);
  after = generation_of(s);
  assert_int_equal(after - before, 1); /* told once */
  leat_dataset *e = data(rt, 6, 1, -1, N / 2);
  other = fit(rt, e);
  assert_int_equal(leat_store_add(s, other, "train", &v, NULL), LEAT_OK);
  assert_int_equal(leat_store_promote(s, v, "production", -1, NULL, NULL), LEAT_OK);
  assert_int_equal(leat_store_monitored(s, w, NULL), LEAT_E_STATE); /* of another model */
  assert_int_equal(leat_store_due(s, p, &due, NULL), LEAT_OK);
  assert_true(due.reasons == 0 && due.version == v && due.rows == 0);
  leat_batch_free(rows);
  leat_schema_free(schema);
  leat_monitor_free(w);
  leat_params_free(p);
  leat_store_free(look);
  leat_store_free(s);
  leat_model_free(m);
  leat_model_free(other);
  leat_dataset_free(d);
  leat_dataset_free(e);
  leat_runtime_free(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_quantile), cmocka_unit_test(test_challenge), cmocka_unit_test(test_no_evidence),
                                     cmocka_unit_test(test_due)};
  if (place_start()) return 1;
  int failed = cmocka_run_group_tests_name("lifecycle/refresh", tests, NULL, NULL);
  wipe(place);
  return failed;
}
