/* Dual coordinate ascent: the optimum that other solvers find, with its gap; lanes; what it refuses; its golden checkpoint.
 * --write-golden FOLDER writes that file and prints the numbers below. */
#include "train_help.h"
#include <unistd.h>

typedef struct solved { double f, gap; int64_t iterations; int32_t kind; } solved;

static solved solve(leat_runtime *rt, const leat_dataset *d, const char *settings) {
  leat_trainer *t = tr_trainer(rt, settings, d, NULL);
  tr_fit(t);
  solved s = {t->last_loss * t->x->weight_sum, lt_solver_gradient(t->solver), t->iterations, t->solver->kind};
  lt_trainer_free(t);
  return s;
}

/* The gap is a true bound: never below what another solver finds less, and as small as was asked. */
static void compare(const tr_rows *r, int64_t width, int weighted, const char *loss, const char *more) {
  leat_runtime *rt = tr_runtime(2);
  leat_dataset *d = width ? tr_sparse(rt, r, width) : tr_dense(rt, r, weighted);
  char settings[300];
  snprintf(settings, sizeof settings, "loss=%s solver=dual tolerance=1e-7 %s", loss, more);
  solved dual = solve(rt, d, settings);
  snprintf(settings, sizeof settings, "loss=%s solver=tron tolerance=1e-7 %s", loss, more);
  solved other = solve(rt, d, settings);
  int corner = strcmp(loss, "hinge") == 0 || strcmp(loss, "quantile") == 0; /* where tron gives up above the optimum */
  int close = dual.f >= other.f * (1 - (corner ? 1e-3 : 1e-6)) && dual.f <= other.f * (1 + 2e-7);
  if (!close || !(dual.gap <= 1e-7))
    print_error("%s %s, %lld slots: dual %.12g (gap %.3g, %lld iterations), tron %.12g\n", loss, more, (long long)width, dual.f, dual.gap,
                (long long)dual.iterations, other.f);
  assert_int_equal(dual.kind, LT_SOLVER_DUAL);
  assert_true(dual.gap <= 1e-7 && close); /* nobody is below the bound */
  lt_dataset_free(d);
  lt_runtime_unref(rt);
}

static void same_optimum(void **state) {
  (void)state;
  static const struct { const char *loss; int64_t classes; } cases[] = {{"hinge", 2}, {"squared_hinge", 2}, {"logistic", 2},
                                                                        {"squared", 0}, {"huber", 0}, {"quantile", 0}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    tr_rows r = tr_make(1200, 7, cases[k].classes, 61, 0.5, 0.9);
    const char *loss = cases[k].loss;
    compare(&r, 0, 0, loss, "l2=2");
    compare(&r, 0, 1, loss, "l2=0.5 standardize=no"); /* weights of rows; unequal penalties of slots */
    compare(&r, 0, 1, loss, "l2=2 intercept=no");
    compare(&r, 3000, 0, loss, "l2=1");
    if (cases[k].classes) compare(&r, 3000, 0, loss, "l2=1 class_weights=balanced");
    tr_drop(&r);
  }
}

/* Sorted by class, and one class rare: the intercept is far from 0. */
static void uneven_classes(void **state) {
  (void)state;
  tr_rows r = tr_make(2000, 6, 2, 71, 0, 1);
  for (int64_t i = 0; i < r.n; i++) r.y[i] = i >= 1900;
  for (int64_t i = 1900; i < r.n; i++) r.x[i * r.cols] += 2;
  compare(&r, 0, 0, "hinge", "l2=1");
  compare(&r, 0, 0, "squared_hinge", "l2=1 class_weights=balanced");
  compare(&r, 2000, 0, "hinge", "l2=1");
  tr_drop(&r);
}

/* Large data go through lanes; the optimum is the same, and each iteration raises the dual value. */
static void lanes(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(2);
  tr_rows r = tr_make(180000, 14, 2, 81, 0, 1);
  leat_dataset *d = tr_sparse(rt, &r, 5000);
  leat_trainer *t = tr_trainer(rt, "loss=hinge tolerance=1e-3", d, NULL);
  leat_error e = tr_error();
  leat_progress p = {0};
  p.struct_size = sizeof p;
  double last = -INFINITY;
  assert_int_equal(t->solver->kind, LT_SOLVER_DUAL); /* by itself */
  assert_true(lt_dual_lanes(t->solver->dual) > 1);
  do {
    TR_OK(lt_trainer_step(t, 0, &p, &e), &e);
    double bound = t->solver->f - t->solver->gap;
    assert_true(bound >= last - 2e-3 * fabs(last)); /* scaling to a sum of 0 may cost a little */
    last = bound;
  } while (p.state == LEAT_TRAIN_RUNNING);
  assert_true(lt_solver_gradient(t->solver) <= 1e-3);
  /* the weights are the sum of beta times row: what makes the gap a bound */
  const double *beta = lt_dual_beta(t->solver->dual);
  double *sum = calloc((size_t)t->x->n_slots, sizeof *sum), all = 0;
  for (int64_t i = 0; i < r.n; i++) {
    all += beta[i];
    assert_true(r.y[i] > 0.5 ? beta[i] >= 0 && beta[i] <= 1 : beta[i] <= 0 && beta[i] >= -1);
    for (int64_t k = t->x->row_start[i]; k < t->x->row_start[i + 1]; k++) sum[t->x->index[k]] += beta[i] * (double)t->x->value[k];
  }
  for (int64_t j = 0; j < t->x->n_slots; j++) assert_true(fabs(sum[j] - t->solver->base[j]) < 1e-8);
  assert_true(fabs(all) < 30);
  free(sum);
  lt_trainer_free(t);
  lt_dataset_free(d);
  tr_drop(&r);
  lt_runtime_unref(rt);
}

static void refused(leat_runtime *rt, const leat_dataset *d, const char *settings, const char *says) {
  leat_error e = tr_error();
  leat_trainer *t = tr_trainer(rt, settings, NULL, NULL);
  leat_status st = lt_trainer_set_data(t, d, NULL, &e);
  if (!st || !strstr(e.message, says)) print_error("%s: %d %s\n", settings, st, e.message);
  assert_true(st != LEAT_OK && strstr(e.message, says));
  lt_trainer_free(t);
}

static void what_does_not_fit(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  tr_rows r = tr_make(100, 4, 2, 5, 0, 1), many = tr_make(100, 4, 3, 5, 0, 1), count = tr_make(100, 4, 0, 5, 0, 1);
  for (int64_t i = 0; i < 100; i++) count.y[i] = fabs(floor(count.y[i]));
  leat_dataset *d = tr_dense(rt, &r, 0), *m = tr_dense(rt, &many, 0), *c = tr_dense(rt, &count, 0);
  refused(rt, d, "loss=hinge solver=dual l2=0", "l2 above 0");
  refused(rt, d, "loss=hinge solver=dual l1=1", "no l1");
  refused(rt, m, "solver=dual", "softmax");
  refused(rt, c, "loss=poisson solver=dual", "poisson");
  lt_dataset_free(d);
  lt_dataset_free(m);
  lt_dataset_free(c);
  tr_drop(&r);
  tr_drop(&many);
  tr_drop(&count);
  lt_runtime_unref(rt);
}

/* ---- golden: saved after the first iteration by an older library, goes on to the same end */

static const char golden_file[] = "tests/golden/trainer-dual-v2.ckpt";
static const double golden_want[3] = {1, 0.41487987968263496, 0.29562166393953415};

static leat_dataset *golden_rows(leat_runtime *rt, tr_rows *r) {
  *r = tr_make(400, 20, 2, 5, 0, 1);
  uint64_t v = 12345;
  for (int64_t i = 0; i < r->n; i++) { /* of integers alone: the same on every machine */
    int64_t sum = 0;
    for (int64_t j = 0; j < r->cols; j++) {
      v = v * 6364136223846793005u + 1442695040888963407u;
      int64_t x = (int64_t)(v >> 60) - 7;
      r->x[i * r->cols + j] = (float)x / 8;
      sum += j % 3 ? x : -x;
    }
    v = v * 6364136223846793005u + 1442695040888963407u;
    r->y[i] = sum + (int64_t)(v >> 59) > 20;
  }
  return tr_dense(rt, r, 0);
}

static void golden_numbers(leat_trainer *t, const leat_dataset *d, double out[3]) {
  leat_error e = tr_error();
  TR_OK(lt_trainer_set_data(t, d, NULL, &e), &e);
  out[0] = (double)t->iterations;
  out[1] = t->last_loss;
  tr_fit(t);
  assert_int_equal(t->solver->kind, LT_SOLVER_DUAL);
  out[2] = t->last_loss;
}

static void golden(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(2);
  leat_error e = tr_error();
  leat_trainer *t = NULL;
  tr_rows r;
  leat_dataset *d = golden_rows(rt, &r);
  double out[3];
  TR_OK(lt_trainer_load(rt, golden_file, NULL, &t, &e), &e);
  golden_numbers(t, d, out);
  for (int i = 0; i < 3; i++) {
    if (!(fabs(out[i] - golden_want[i]) <= (i == 2 ? 2e-6 : 1e-12))) print_error("%d: %.17g\n", i, out[i]);
    assert_true(fabs(out[i] - golden_want[i]) <= (i == 2 ? 2e-6 : 1e-12));
  }
  lt_trainer_free(t);
  lt_dataset_free(d);
  tr_drop(&r);
  lt_runtime_unref(rt);
}

static void write_golden(const char *folder) {
  leat_runtime *rt = tr_runtime(2);
  leat_error e = tr_error();
  leat_trainer *t = NULL;
  tr_rows r;
  leat_dataset *d = golden_rows(rt, &r);
  char path[400];
  double out[3];
  snprintf(path, sizeof path, "%s/trainer-dual-v2.ckpt", folder);
  t = tr_trainer(rt, "loss=hinge l2=0.5", d, NULL);
  TR_OK(lt_trainer_step(t, 0, NULL, &e), &e);
  TR_OK(lt_trainer_save(t, path, &e), &e);
  lt_trainer_free(t);
  TR_OK(lt_trainer_load(rt, path, NULL, &t, &e), &e);
  golden_numbers(t, d, out);
  printf("%.17g, %.17g, %.17g\n", out[0], out[1], out[2]);
  lt_trainer_free(t);
  lt_dataset_free(d);
  tr_drop(&r);
  lt_runtime_unref(rt);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--write-golden") == 0) {
    write_golden(argv[2]);
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_optimum),      cmocka_unit_test(uneven_classes), cmocka_unit_test(lanes),
      cmocka_unit_test(what_does_not_fit), cmocka_unit_test(golden),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
