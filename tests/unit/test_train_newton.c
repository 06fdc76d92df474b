/* Newton: the optimum of squared, logistic and softmax loss, judged in plain double arithmetic. */
#include "train_help.h"

typedef struct newton_case {
  int64_t n, cols, classes;
  double offset, spread;
  const char *settings;
  double l2;
  int intercept, weighted;
  double grad; /* the largest part of the gradient that may be left, per weight and number */
} newton_case;

static void check_optimum(const newton_case *c) {
  leat_runtime *rt = tr_runtime(2);
  tr_rows r = tr_make(c->n, c->cols, c->classes, 11, c->offset, c->spread);
  leat_dataset *d = tr_dense(rt, &r, c->weighted);
  leat_trainer *t = tr_trainer(rt, c->settings, d, NULL);
  leat_error e = tr_error();
  tr_fit(t);
  void *params = NULL;
  TR_OK(lt_trainer_params(t, &params, &e), &e);
  const lt_linear *m = params;
  double grad = 0, f = tr_judge(&r, m->weight, c->intercept ? m->intercept : NULL, c->l2, c->weighted, &grad);
  double told = t->last_loss * t->x->weight_sum;
  if (!(grad <= c->grad) || fabs(f - told) > 1e-6 * fabs(f))
    print_error("%lld x %lld, %s: gradient %.3g, objective %.12g, told %.12g, %lld iterations\n", (long long)c->n,
                (long long)c->cols, c->settings, grad, f, told, (long long)t->iterations);
  assert_true(grad <= c->grad);
  assert_true(fabs(f - told) <= 1e-6 * fabs(f));
  t->family->release(params);
  lt_trainer_free(t);
  lt_dataset_free(d);
  tr_drop(&r);
  lt_runtime_unref(rt);
}

static void newton_optimum(void **state) {
  (void)state;
  static const newton_case cases[] = {
      {300, 5, 0, 0, 1, "standardize=no l2=1 tolerance=1e-8", 1, 1, 0, 1e-9},
      {300, 5, 0, 0, 1, "standardize=no l2=0.1 intercept=no tolerance=1e-8", 0.1, 0, 1, 1e-9},
      {2000, 20, 0, 5, 1, "standardize=no l2=3 tolerance=1e-8", 3, 1, 1, 1e-9},
      {2000, 4, 0, 2000, 10, "standardize=no l2=1 tolerance=1e-8", 1, 1, 0, 1e-8},
      {300, 5, 2, 0, 1, "standardize=no l2=1 solver=newton tolerance=1e-8", 1, 1, 0, 1e-9},
      {2000, 30, 2, 0, 1, "standardize=no l2=1 intercept=no tolerance=1e-8", 1, 0, 1, 1e-9},
      {2000, 6, 2, 100, 5, "standardize=no l2=0.01 tolerance=1e-8", 0.01, 1, 1, 1e-9},
      {300000, 30, 2, 0, 1, "standardize=no l2=1", 1, 1, 0, 5e-7},
      {300000, 20, 2, 3, 1, "standardize=no l2=1", 1, 1, 1, 5e-7},
      {1500, 7, 4, 0, 1, "standardize=no l2=1 tolerance=1e-8", 1, 1, 1, 1e-9},
      {60000, 20, 5, 1, 1, "standardize=no l2=1", 1, 1, 0, 5e-7},
      {200000, 15, 0, 1, 1, "standardize=no l2=1", 1, 1, 1, 5e-7},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_optimum(&cases[i]);
}

static void cholesky_solves(void **state) {
  (void)state;
  enum { N = 40 };
  static double a[N * N], l[N * N], x[N], b[N];
  lt_rng r;
  lt_rng_init(&r, 3, 1);
  for (int i = 0; i < N * N; i++) l[i] = lt_rng_normal(&r);
  for (int i = 0; i < N; i++) {
    x[i] = lt_rng_normal(&r);
    for (int j = 0; j < N; j++) {
      a[i * N + j] = i == j ? 0.5 : 0;
      for (int k = 0; k < N; k++) a[i * N + j] += l[i * N + k] * l[j * N + k];
    }
  }
  for (int i = 0; i < N; i++) {
    b[i] = 0;
    for (int j = 0; j < N; j++) b[i] += a[i * N + j] * x[j];
  }
  assert_true(lt_cholesky(lt_vec_get(), a, N));
  lt_cholesky_solve(lt_vec_get(), a, N, b);
  for (int i = 0; i < N; i++) assert_true(fabs(b[i] - x[i]) < 1e-9);
  double bad[4] = {1, 2, 2, 1};
  assert_false(lt_cholesky(lt_vec_get(), bad, 2));
}

/* Without a penalty a separable problem has no optimum: training must end, finite, and say so. */
static void separable_ends(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  tr_rows r = tr_make(200, 3, 2, 5, 0, 1);
  for (int64_t i = 0; i < r.n; i++) r.y[i] = r.x[i * 3] > 0;
  leat_dataset *d = tr_dense(rt, &r, 0);
  static const char *const settings[] = {"l2=0 solver=newton tolerance=0", "l2=0 solver=lbfgs tolerance=0",
                                         "l2=0 solver=tron tolerance=0"};
  for (size_t i = 0; i < 3; i++) {
    leat_trainer *t = tr_trainer(rt, settings[i], d, NULL);
    tr_fit(t);
    for (int64_t j = 0; j < t->o->n; j++) assert_true(isfinite(t->solver->base[j]));
    assert_true(t->last_loss >= 0 && t->last_loss < 1e-3);
    lt_trainer_free(t);
  }
  lt_dataset_free(d);
  tr_drop(&r);
  lt_runtime_unref(rt);
}

/* Columns that repeat each other, are constant or zero, and no penalty: singular, and solved all the same. */
static void singular_columns(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  tr_rows r = tr_make(500, 6, 0, 8, 0, 1);
  for (int64_t i = 0; i < r.n; i++) {
    float *x = r.x + i * 6;
    x[1] = x[0];
    x[2] = 3;
    x[3] = 0;
  }
  leat_dataset *d = tr_dense(rt, &r, 0);
  leat_trainer *t = tr_trainer(rt, "l2=0 standardize=no", d, NULL);
  leat_error e = tr_error();
  void *params = NULL;
  double grad;
  tr_fit(t);
  TR_OK(lt_trainer_params(t, &params, &e), &e);
  const lt_linear *m = params;
  for (int64_t j = 0; j < 6; j++) assert_true(isfinite(m->weight[j]) && fabs(m->weight[j]) < 1e3);
  (void)tr_judge(&r, m->weight, m->intercept, 0, 0, &grad);
  for (int64_t i = 0; i < r.n; i++) r.x[i * 6 + 3] = 1; /* (no division by 0 in the judge's scale) */
  assert_true(isnan(grad) || grad < 1e-7);
  t->family->release(params);
  lt_trainer_free(t);
  lt_dataset_free(d);
  tr_drop(&r);
  lt_runtime_unref(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(newton_optimum),
      cmocka_unit_test(cholesky_solves),
      cmocka_unit_test(separable_ends),
      cmocka_unit_test(singular_columns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
