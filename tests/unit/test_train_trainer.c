/* The trainer: states, bad data, weights, early stopping, warm starts, progress, metrics. */
#include "train_help.h"

static leat_status try_data(leat_runtime *rt, const char *settings, const leat_dataset *d, const leat_dataset *valid,
                            leat_error *e) {
  leat_trainer *t = tr_trainer(rt, settings, NULL, NULL);
  *e = tr_error();
  leat_status st = lt_trainer_set_data(t, d, valid, e);
  if (st) { /* a failed set_data leaves nothing behind: the trainer still has no data */
    assert_int_equal(lt_trainer_fit(t, NULL), LEAT_E_STATE);
  }
  lt_trainer_free(t);
  return st;
}

static void refuse(leat_runtime *rt, const tr_rows *r, int weighted, const char *settings, leat_status want, const char *text) {
  leat_dataset *d = tr_dense(rt, r, weighted);
  leat_error e;
  leat_status st = try_data(rt, settings, d, NULL, &e);
  if (st != want || !strstr(e.message, text)) print_error("%s: status %d: %s\n", settings, st, e.message);
  assert_int_equal(st, want);
  assert_non_null(strstr(e.message, text));
  lt_dataset_free(d);
}

static void bad_data(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(2);
  tr_rows r = tr_make(3000, 3, 2, 1, 0, 1);
  refuse(rt, &r, 0, "loss=squared", LEAT_E_ARG, "loss=squared");
  refuse(rt, &r, 0, "solver=tron class_weights=class0=2,other=1", LEAT_E_ARG, "no label 'other'");
  refuse(rt, &r, 0, "class_weights=heavy", LEAT_E_ARG, "class_weights 'heavy'");
  refuse(rt, &r, 0, "class_weights=class0=-1", LEAT_E_ARG, "class_weights");
  refuse(rt, &r, 0, "class_weights=class0=0,class1=0", LEAT_E_DATA, "all weights are zero");
  double y = r.y[2500];
  r.y[2500] = NAN;
  refuse(rt, &r, 0, "", LEAT_E_DATA, "row 2501");
  r.y[2500] = y;
  for (int64_t i = 0; i < r.n; i++) r.w[i] = 0;
  refuse(rt, &r, 1, "", LEAT_E_DATA, "all weights are zero");
  for (int64_t i = 0; i < r.n; i++) r.y[i] = 1;
  refuse(rt, &r, 0, "", LEAT_E_DATA, "target 'y' has one class only ('class1'): two are needed");
  leat_dataset *all = tr_dense(rt, &r, 0), *none = NULL;
  leat_error e = tr_error();
  if (lt_dataset_slice(all, 7, 0, &none, &e) == LEAT_OK) {
    assert_int_equal(try_data(rt, "", none, NULL, &e), LEAT_E_DATA);
    assert_non_null(strstr(e.message, "no rows"));
    lt_dataset_free(none);
  }
  lt_dataset_free(all);
  r.classes = 0;
  r.y[7] = INFINITY;
  refuse(rt, &r, 0, "", LEAT_E_DATA, "row 8");
  r.y[7] = 0;
  refuse(rt, &r, 0, "class_weights=balanced", LEAT_E_ARG, "is a number");
  tr_drop(&r);
  tr_rows wide = tr_make(50, 3, 3, 2, 0, 1);
  refuse(rt, &wide, 0, "solver=tron", LEAT_E_UNSUPPORTED, "softmax");
  tr_drop(&wide);
  /* no feature */
  leat_schema *s = NULL;
  leat_dataset *d = NULL;
  double one[4] = {0, 1, 0, 1};
  TR_OK(lt_schema_create(rt, &s, &e), &e);
  TR_OK(lt_schema_add(s, "x", LEAT_NUMBER, LEAT_ROLE_IGNORE, 1, 0, &e), &e);
  TR_OK(lt_schema_add(s, "y", LEAT_NUMBER, LEAT_ROLE_TARGET, 1, 0, &e), &e);
  leat_matrix x = tr_matrix(one, 4, 0, LEAT_F64), my = tr_matrix(one, 4, 1, LEAT_F64);
  if (lt_dataset_from_dense(rt, s, &x, &my, NULL, &d, &e) == LEAT_OK) {
    assert_int_equal(try_data(rt, "", d, NULL, &e), LEAT_E_DATA);
    assert_non_null(strstr(e.message, "feature"));
    lt_dataset_free(d);
  }
  lt_schema_free(s);
  lt_runtime_unref(rt);
}

static void states(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  tr_rows r = tr_make(5000, 4, 2, 3, 0, 1);
  leat_dataset *d = tr_dense(rt, &r, 0);
  leat_trainer *t = tr_trainer(rt, "solver=lbfgs", NULL, NULL);
  leat_model *m = NULL;
  leat_metrics *k = NULL;
  leat_progress p = {0};
  leat_error e = tr_error();
  p.struct_size = sizeof p;
  assert_int_equal(lt_trainer_step(t, 0, &p, &e), LEAT_E_STATE);
  assert_int_equal(lt_trainer_snapshot(t, &m, &e), LEAT_E_STATE);
  assert_int_equal(lt_trainer_metrics(t, 0, &k, &e), LEAT_E_STATE);
  assert_int_equal(lt_trainer_save(t, "/nonexistent/x", &e), LEAT_E_STATE);
  TR_OK(lt_trainer_progress(t, &p, &e), &e);
  assert_int_equal(p.state, LEAT_TRAIN_NEW);
  TR_OK(lt_trainer_set_data(t, d, NULL, &e), &e);
  assert_int_equal(lt_trainer_set_data(t, d, NULL, &e), LEAT_E_STATE);
  int64_t steps = 0, last = 0;
  double loss = INFINITY;
  do { /* one iteration at a time */
    TR_OK(lt_trainer_step(t, 0, &p, &e), &e);
    assert_true(p.step <= last + 1);
    assert_true(p.loss <= loss || p.state == LEAT_TRAIN_DONE);
    loss = p.loss;
    last = p.step;
    steps++;
  } while (p.state == LEAT_TRAIN_RUNNING && steps < 1000);
  assert_int_equal(p.state, LEAT_TRAIN_DONE);
  assert_true(p.step >= 3 && p.rows_seen >= 5000 * p.step && isnan(p.score) && p.bytes_in_use > 0 && p.elapsed_ns > 0);
  TR_OK(lt_trainer_step(t, 0, &p, &e), &e);
  assert_int_equal(p.state, LEAT_TRAIN_DONE);
  assert_int_equal(lt_trainer_metrics(t, 1, &k, &e), LEAT_E_STATE);
  lt_trainer_free(t);
  /* a cancelled fit goes on */
  t = tr_trainer(rt, "solver=lbfgs", d, NULL);
  lt_trainer_cancel(t);
  assert_int_equal(lt_trainer_fit(t, &e), LEAT_E_CANCELLED);
  TR_OK(lt_trainer_progress(t, &p, &e), &e);
  assert_int_equal(p.state, LEAT_TRAIN_CANCELLED);
  TR_OK(lt_trainer_fit(t, &e), &e);
  assert_true(t->last_loss == loss);
  TR_OK(lt_trainer_metrics(t, 0, &k, &e), &e);
  double told = 0;
  TR_OK(lt_metrics_value(k, "loss", &told, &e), &e);
  double norm = 0;
  for (int64_t j = 0; j < 4; j++) norm += t->solver->base[j] * t->solver->base[j];
  assert_true(fabs(told + 0.5 * norm / 5000 - loss) < 1e-9);
  lt_metrics_free(k);
  lt_trainer_free(t);
  lt_dataset_free(d);
  tr_drop(&r);
  lt_runtime_unref(rt);
}

static double weight0(leat_runtime *rt, const leat_dataset *d, const char *settings) {
  leat_trainer *t = tr_trainer(rt, settings, d, NULL);
  tr_fit(t);
  double w = t->solver->base[0];
  lt_trainer_free(t);
  return w;
}

/* A weight of 2 is a row twice, and class weights are weights. */
static void weights_are_repeats(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  tr_rows r = tr_make(1000, 3, 2, 4, 0, 1);
  for (int64_t i = 0; i < r.n; i++) r.w[i] = r.y[i] > 0 ? 2 : 1;
  leat_dataset *weighted = tr_dense(rt, &r, 1), *plain = tr_dense(rt, &r, 0);
  int64_t pick[2000], n = 0;
  for (int64_t i = 0; i < r.n; i++) {
    pick[n++] = i;
    if (r.y[i] > 0) pick[n++] = i;
  }
  leat_dataset *twice = NULL;
  leat_error e = tr_error();
  TR_OK(lt_dataset_take(plain, pick, (uint64_t)n, &twice, &e), &e);
  static const char *const solver[] = {"newton", "tron", "lbfgs"};
  for (int i = 0; i < 3; i++) {
    char s[120], c[160];
    snprintf(s, sizeof s, "standardize=no tolerance=1e-9 solver=%s", solver[i]);
    snprintf(c, sizeof c, "%s class_weights=class1=2,class0=1", s);
    double a = weight0(rt, weighted, s), b = weight0(rt, twice, s), k = weight0(rt, plain, c), p = weight0(rt, plain, s);
    assert_true(fabs(a - b) < 1e-6 && fabs(a - k) < 1e-6 && fabs(a - p) > 1e-4);
  }
  lt_dataset_free(weighted);
  lt_dataset_free(plain);
  lt_dataset_free(twice);
  tr_drop(&r);
  lt_runtime_unref(rt);
}

static void early_stopping(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(2);
  tr_rows r = tr_make(400, 60, 2, 6, 0, 1); /* few rows, many columns, no penalty: it overfits */
  leat_dataset *all = tr_dense(rt, &r, 0), *a = NULL, *b = NULL;
  leat_error e = tr_error();
  TR_OK(lt_dataset_slice(all, 0, 150, &a, &e), &e);
  TR_OK(lt_dataset_slice(all, 150, 250, &b, &e), &e);
  leat_trainer *t = tr_trainer(rt, "l2=0 solver=lbfgs patience=4 max_iterations=500", a, b);
  double best = INFINITY;
  int64_t at = 0;
  leat_progress p = {0};
  p.struct_size = sizeof p;
  do {
    TR_OK(lt_trainer_step(t, 0, &p, &e), &e);
    assert_true(isfinite(p.score));
    if (p.score < best) {
      best = p.score;
      at = p.step;
    }
  } while (p.state == LEAT_TRAIN_RUNNING);
  assert_int_equal(p.step, at + 4);
  assert_true(p.step < 100 && p.score > best);
  assert_int_equal(t->best_iteration, at);
  leat_metrics *k = NULL;
  double loss = 0;
  TR_OK(lt_trainer_metrics(t, 1, &k, &e), &e); /* of the best, not of the last */
  TR_OK(lt_metrics_value(k, "loss", &loss, &e), &e);
  assert_true(fabs(loss - best) < 1e-9);
  lt_metrics_free(k);
  leat_model *m = NULL;
  int64_t iterations = 0;
  TR_OK(lt_trainer_snapshot(t, &m, &e), &e);
  TR_OK(lt_model_get_i64(m, "iterations", &iterations, &e), &e);
  assert_int_equal(iterations, at);
  lt_model_free(m);
  lt_trainer_free(t);
  lt_dataset_free(all);
  lt_dataset_free(a);
  lt_dataset_free(b);
  tr_drop(&r);
  lt_runtime_unref(rt);
}

static void warm_start(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  static const char *const settings[] = {"solver=newton", "solver=lbfgs", "solver=tron", "solver=newton standardize=no"};
  for (int i = 0; i < 4; i++) {
    tr_rows r = tr_make(4000, 5, 2, 7, i == 3 ? 50 : 0, i == 3 ? 3 : 1);
    leat_dataset *d = tr_dense(rt, &r, 0);
    leat_error e = tr_error();
    leat_trainer *t = tr_trainer(rt, settings[i], d, NULL), *u = NULL;
    leat_model *m = NULL, *m2 = NULL;
    tr_fit(t);
    TR_OK(lt_trainer_snapshot(t, &m, &e), &e);
    TR_OK(lt_trainer_from_model(m, NULL, NULL, &u, &e), &e);
    TR_OK(lt_trainer_set_data(u, d, NULL, &e), &e);
    tr_fit(u);
    if (u->iterations > 1) print_error("%s: %lld iterations\n", settings[i], (long long)u->iterations);
    assert_true(u->iterations <= 1); /* it starts where the other one stopped */
    assert_true(fabs(u->last_loss - t->last_loss) < 1e-9);
    TR_OK(lt_trainer_snapshot(u, &m2, &e), &e);
    char sum[64], lineage[64];
    uint64_t needed;
    TR_OK(lt_model_get_text(m, "checksum", sum, sizeof sum, &needed, &e), &e);
    TR_OK(lt_model_get_text(m2, "lineage", lineage, sizeof lineage, &needed, &e), &e);
    assert_string_equal(sum, lineage);
    lt_model_free(m);
    lt_model_free(m2);
    lt_trainer_free(t);
    lt_trainer_free(u);
    lt_dataset_free(d);
    tr_drop(&r);
  }
  lt_runtime_unref(rt);
}

/* A trainer gives all its memory back. (Failing allocations: test_train_faults.c) */
static void nothing_leaks(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  tr_rows r = tr_make(300, 3, 2, 9, 0, 1);
  leat_dataset *d = tr_dense(rt, &r, 0);
  int64_t before = 0, after = 0;
  TR_OK(lt_runtime_stat(rt, "bytes_in_use", &before, NULL), &(leat_error){0});
  for (int i = 0; i < 3; i++) {
    leat_trainer *t = tr_trainer(rt, i == 0 ? "solver=newton" : i == 1 ? "solver=tron" : "solver=lbfgs", d, d);
    tr_fit(t);
    uint64_t n;
    free(tr_bytes(t, &n));
    lt_trainer_free(t);
  }
  TR_OK(lt_runtime_stat(rt, "bytes_in_use", &after, NULL), &(leat_error){0});
  assert_int_equal(before, after);
  lt_dataset_free(d);
  tr_drop(&r);
  lt_runtime_unref(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bad_data),       cmocka_unit_test(states),     cmocka_unit_test(weights_are_repeats),
      cmocka_unit_test(early_stopping), cmocka_unit_test(warm_start), cmocka_unit_test(nothing_leaks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
