/* Every loss of the linear family at its optimum: the conditions of optimality, judged in double and in the plainest way;
 * calibrations in packages; what does not fit is refused. */
#include "train_help.h"
#include "model/model_inner.h"
#include "model/predictor.h"

enum { ROWS = 1500, COLS = 9 };

typedef struct judged { double value, worst; int64_t zeros; } judged;

/* Objective and the largest breach of 0 in subgradient(weights, intercept), in units of the sum of weight * |x|. */
static judged judge(const tr_rows *t, const lt_linear *m, const lt_loss_args *args, double l2, double l1) {
  judged got = {0, 0, 0};
  double g[COLS + 1] = {0}, size[COLS + 1] = {0};
  for (int64_t i = 0; i < t->n; i++) {
    const float *x = t->x + i * t->cols;
    double f = m->intercept[0], d;
    for (int64_t j = 0; j < t->cols; j++) f += m->weight[j] * (double)x[j];
    got.value += m->loss->eval(&f, 1, t->y[i], args, &d, NULL);
    for (int64_t j = 0; j <= t->cols; j++) {
      double v = j < t->cols ? (double)x[j] : 1;
      g[j] += d * v;
      size[j] += fabs(v);
    }
  }
  for (int64_t j = 0; j <= t->cols; j++) {
    double w = j < t->cols ? m->weight[j] : 0, p = j < t->cols ? l1 : 0, v = g[j] + (j < t->cols ? l2 * w : 0);
    v = w > 0 ? v + p : w < 0 ? v - p : fmax(fabs(v) - p, 0);
    got.worst = fmax(got.worst, fabs(v) / size[j]);
    got.value += j < t->cols ? 0.5 * l2 * w * w + l1 * fabs(w) : 0;
    got.zeros += j < t->cols && w == 0;
  }
  return got;
}

static void make_target(tr_rows *t, const char *loss) {
  for (int64_t i = 0; i < t->n && strcmp(loss, "poisson") == 0; i++) t->y[i] = floor(exp(fmin(0.5 * t->y[i], 4)));
}

static judged fit_and_judge(const char *loss, const char *more, int64_t classes, lt_loss_args args, double l2, double l1) {
  leat_runtime *rt = tr_runtime(2);
  tr_rows r = tr_make(ROWS, COLS, classes, 5, 0.5, 0.8);
  char settings[200];
  make_target(&r, loss);
  leat_dataset *d = tr_dense(rt, &r, 0);
  leat_error e = tr_error();
  void *params = NULL;
  snprintf(settings, sizeof settings, "loss=%s standardize=no l2=%g l1=%g %s", loss, l2, l1, more);
  leat_trainer *t = tr_trainer(rt, settings, d, NULL);
  if (strcmp(loss, "huber") == 0) args.shape *= t->o->args.shape; /* of the target's deviation */
  tr_fit(t);
  TR_OK(lt_trainer_params(t, &params, &e), &e);
  judged got = judge(&r, params, &args, l2, l1);
  t->family->release(params);
  lt_trainer_free(t);
  lt_dataset_free(d);
  tr_drop(&r);
  lt_runtime_unref(rt);
  return got;
}

static void smooth_losses(void **state) {
  (void)state;
  static const struct { const char *loss; int64_t classes; double shape; } cases[] = {
      {"squared", 0, 0}, {"huber", 0, 1}, {"poisson", 0, 0}, {"logistic", 2, 0}, {"squared_hinge", 2, 0}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    lt_loss_args args = {cases[k].shape, 0};
    for (int way = 0; way < 4; way++) {
      const char *solver = way == 0 ? "solver=newton" : way == 1 ? "solver=tron" : way == 2 ? "solver=lbfgs" : "solver=cd";
      judged got = fit_and_judge(cases[k].loss, solver, cases[k].classes, args, 2, 0);
      if (!(got.worst < 1e-5)) print_error("%s %s: %.3g from optimal\n", cases[k].loss, solver, got.worst);
      assert_true(got.worst < 1e-5 && got.zeros == 0);
    }
    judged got = fit_and_judge(cases[k].loss, "", cases[k].classes, args, 3, 60);
    if (!(got.worst < 1e-5)) print_error("%s with l1: %.3g from optimal\n", cases[k].loss, got.worst);
    assert_true(got.worst < 1e-5);
    got = fit_and_judge(cases[k].loss, "", cases[k].classes, args, 0, 1e9);
    assert_true(got.zeros == COLS && got.worst < 1e-5); /* nothing but the intercept */
  }
}

/* At a corner the gradient does not tell: the value must not be bettered by a search around the solution, nor by the
 * other solvers. */
static void losses_with_corners(void **state) {
  (void)state;
  static const struct { const char *loss, *more; int64_t classes; double shape; } cases[] = {
      {"quantile", "quantile=0.5", 0, 0.5}, {"quantile", "quantile=0.9", 0, 0.9}, {"hinge", "", 2, 0}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    lt_loss_args args = {cases[k].shape, 0};
    double least = INFINITY, most = -INFINITY;
    for (int way = 0; way < 4; way++) {
      char more[100];
      snprintf(more, sizeof more, "solver=%s %s", way == 0 ? "newton" : way == 1 ? "tron" : way == 2 ? "lbfgs" : "cd",
               cases[k].more);
      judged got = fit_and_judge(cases[k].loss, more, cases[k].classes, args, 0.5, 0);
      least = fmin(least, got.value);
      most = fmax(most, got.value);
    }
    if (!(most <= least * (1 + 1e-4))) print_error("%s: %.9g to %.9g\n", cases[k].loss, least, most);
    assert_true(most <= least * (1 + 1e-4));
  }
}

/* The two forms of coordinate descent, over the whole Hessian and over rows, and the sparse layout, find one optimum. */
static void sparse_l1(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(2);
  tr_rows r = tr_make(4000, 12, 2, 8, 0, 1);
  leat_error e = tr_error();
  void *params = NULL;
  leat_dataset *d = tr_sparse(rt, &r, 4000);
  leat_trainer *t = tr_trainer(rt, "l1=3 l2=0.1", d, NULL);
  assert_int_equal(t->solver->kind, LT_SOLVER_CD_ROWS);
  tr_fit(t);
  TR_OK(lt_trainer_params(t, &params, &e), &e);
  const lt_linear *m = params;
  int64_t zeros = 0;
  double value = 0, g[4000] = {0}, worst = 0, slope = 0;
  for (int64_t i = 0; i < r.n; i++) {
    double f = m->intercept[0], v;
    int64_t at[12];
    for (int64_t j = 0; j < 12; j++) {
      at[j] = j * 4000 / 12 + (i * 7 + j) % 5;
      f += m->weight[at[j]] * (double)r.x[i * 12 + j];
    }
    value += m->loss->eval(&f, 1, r.y[i], NULL, &v, NULL);
    slope += v;
    for (int64_t j = 0; j < 12; j++) g[at[j]] += v * (double)r.x[i * 12 + j];
  }
  for (int64_t j = 0; j < 4000; j++) {
    double w = m->weight[j], v = g[j] + 0.1 * w;
    v = w > 0 ? v + 3 : w < 0 ? v - 3 : fmax(fabs(v) - 3, 0);
    worst = fmax(worst, fabs(v));
    zeros += w == 0;
  }
  assert_true(worst < 1e-2 && fabs(slope) < 1e-2 && zeros > 3000 && zeros < 3999 && value > 0);
  t->family->release(params);
  lt_trainer_free(t);
  lt_dataset_free(d);
  tr_drop(&r);
  lt_runtime_unref(rt);
}

/* Softmax with l1: the conditions of optimality in double, on the Hessian (few dense slots) and class by class (sparse). */
static void softmax_l1(void **state) {
  (void)state;
  enum { K = 4, C = 8, N = 3000, W = 4000 };
  static const struct { int64_t width; const char *settings; double l1, l2; int32_t kind; } cases[] = {
      {0, "l1=8 l2=0 standardize=no", 8, 0, LT_SOLVER_CD}, {0, "l1=5 l2=3 standardize=no", 5, 3, LT_SOLVER_CD},
      {W, "l1=2 l2=0", 2, 0, LT_SOLVER_CD_ROWS}, {W, "l1=2 l2=1 solver=cd", 2, 1, LT_SOLVER_CD_ROWS}};
  leat_runtime *rt = tr_runtime(2);
  tr_rows r = tr_make(N, C, K, 17, 0, 0.9);
  for (size_t q = 0; q < sizeof cases / sizeof *cases; q++) {
    leat_error e = tr_error();
    void *params = NULL;
    int64_t slots = cases[q].width ? W : C, zeros = 0;
    leat_dataset *d = cases[q].width ? tr_sparse(rt, &r, W) : tr_dense(rt, &r, 0);
    leat_trainer *t = tr_trainer(rt, cases[q].settings, d, NULL);
    assert_int_equal(t->solver->kind, cases[q].kind);
    tr_fit(t);
    TR_OK(lt_trainer_params(t, &params, &e), &e);
    const lt_linear *m = params;
    double *g = calloc((size_t)(K * slots), sizeof *g), sum[K] = {0}, worst = 0;
    for (int64_t i = 0; i < N; i++) {
      double f[K], v[K];
      int64_t at[C];
      for (int64_t j = 0; j < C; j++) at[j] = cases[q].width ? j * W / C + (i * 7 + j) % 5 : j;
      for (int64_t k = 0; k < K; k++) {
        f[k] = m->intercept[k];
        for (int64_t j = 0; j < C; j++) f[k] += m->weight[k * slots + at[j]] * (double)r.x[i * C + j];
      }
      (void)m->loss->eval(f, K, r.y[i], NULL, v, NULL);
      for (int64_t k = 0; k < K; k++) {
        sum[k] += v[k];
        for (int64_t j = 0; j < C; j++) g[k * slots + at[j]] += v[k] * (double)r.x[i * C + j];
      }
    }
    for (int64_t j = 0; j < K * slots; j++) {
      double w = m->weight[j], v = g[j] + cases[q].l2 * w, p = cases[q].l1;
      v = w > 0 ? v + p : w < 0 ? v - p : fmax(fabs(v) - p, 0);
      worst = fmax(worst, fabs(v));
      zeros += w == 0;
    }
    for (int64_t k = 0; k < K; k++) worst = fmax(worst, fabs(sum[k]));
    if (!(worst < 1e-2) || !zeros || zeros >= K * slots)
      print_error("%s: %.3g from optimal, %lld of %lld are 0\n", cases[q].settings, worst, (long long)zeros, (long long)(K * slots));
    assert_true(worst < 1e-2 && zeros > 0 && zeros < K * slots);
    free(g);
    t->family->release(params);
    lt_trainer_free(t);
    lt_dataset_free(d);
  }
  tr_drop(&r);
  lt_runtime_unref(rt);
}

/* Slow L-BFGS hands over to TRON; where it is quick it does not. */
static void hands_over(void **state) {
  (void)state;
  static const struct { const char *settings; int32_t last; } cases[] = {{"l2=1e-3", LT_SOLVER_TRON}, {"l2=30", LT_SOLVER_LBFGS}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    leat_runtime *rt = tr_runtime(2);
    tr_rows r = tr_make(3000, 10, 2, 31, 0, k ? 1 : 3);
    leat_dataset *d = tr_sparse(rt, &r, 20000);
    leat_trainer *t = tr_trainer(rt, cases[k].settings, d, NULL);
    assert_true(t->solver->kind == LT_SOLVER_LBFGS && t->solver->second == LT_SOLVER_TRON);
    tr_fit(t);
    assert_int_equal(t->solver->kind, cases[k].last);
    assert_true(lt_solver_gradient(t->solver) <= 1e-6 * t->solver->g0);
    lt_trainer_free(t);
    lt_dataset_free(d);
    tr_drop(&r);
    lt_runtime_unref(rt);
  }
}

static void refused(leat_runtime *rt, const leat_dataset *d, const char *settings, leat_status want, const char *says) {
  leat_error e = tr_error();
  leat_trainer *t = tr_trainer(rt, settings, NULL, NULL);
  leat_status st = lt_trainer_set_data(t, d, NULL, &e);
  if (st != want || !strstr(e.message, says)) print_error("%s: %d %s\n", settings, st, e.message);
  assert_true(st == want && strstr(e.message, says) != NULL);
  lt_trainer_free(t);
}

static void what_does_not_fit(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  tr_rows a = tr_make(100, 3, 0, 1, 0, 1), b = tr_make(100, 3, 2, 1, 0, 1), c = tr_make(100, 3, 3, 1, 0, 1);
  leat_dataset *number = tr_dense(rt, &a, 0), *two = tr_dense(rt, &b, 0), *three = tr_dense(rt, &c, 0);
  refused(rt, number, "loss=hinge", LEAT_E_ARG, "needs classes");
  refused(rt, number, "calibrate=platt", LEAT_E_ARG, "needs classes");
  refused(rt, number, "loss=poisson", LEAT_E_DATA, "negative at row");
  refused(rt, two, "loss=poisson", LEAT_E_ARG, "does not fit");
  refused(rt, two, "calibrate=platt", LEAT_E_STATE, "validation rows");
  refused(rt, two, "l1=1 solver=newton", LEAT_E_ARG, "has no l1");
  refused(rt, three, "loss=hinge", LEAT_E_ARG, "does not fit");
  lt_dataset_free(number);
  lt_dataset_free(two);
  lt_dataset_free(three);
  tr_drop(&a);
  tr_drop(&b);
  tr_drop(&c);
  lt_runtime_unref(rt);
}

/* What a predictor of the loaded package says is the loss's link of the trainer's margins, or its calibration. */
static void packages(void **state) {
  (void)state;
  static const struct { int64_t classes; const char *settings; int64_t version; } cases[] = {
      {0, "loss=poisson", 2},          {0, "loss=huber", 2},           {0, "loss=quantile", 2},
      {2, "loss=hinge", 2},            {2, "loss=squared_hinge", 2},   {2, "calibrate=platt", 2},
      {2, "calibrate=isotonic", 2},    {2, "calibrate=temperature", 2}, {2, "l1=1", 2},
      {2, "l2=3", 1},
      {4, "calibrate=platt", 2},       {4, "calibrate=isotonic", 2},   {4, "calibrate=temperature", 2}};
  leat_runtime *rt = tr_runtime(2);
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    tr_rows r = tr_make(1200, 5, cases[k].classes, 3, 0, 1);
    if (strstr(cases[k].settings, "poisson")) make_target(&r, "poisson");
    leat_dataset *all = tr_dense(rt, &r, 0), *d = NULL, *v = NULL;
    leat_error e = tr_error();
    TR_OK(lt_dataset_slice(all, 0, 800, &d, &e), &e);
    TR_OK(lt_dataset_slice(all, 800, 400, &v, &e), &e);
    char settings[100];
    snprintf(settings, sizeof settings, "standardize=no %s", cases[k].settings);
    leat_trainer *t = tr_trainer(rt, settings, d, v);
    leat_model *m = NULL;
    leat_predictor *p = NULL;
    void *params = NULL;
    tr_fit(t);
    uint64_t size;
    uint8_t *bytes = tr_bytes(t, &size);
    TR_OK(lt_model_load_bytes(rt, bytes, size, "the package", &m, &e), &e);
    TR_OK(lt_trainer_params(t, &params, &e), &e);
    const lt_linear *lin = params;
    const lt_calibration *c = lin->calibration;
    assert_int_equal(m->version, cases[k].version);
    assert_true((c != NULL) == (strstr(cases[k].settings, "calibrate") || strstr(cases[k].settings, "hinge")));
    TR_OK(lt_predictor_create(m, NULL, NULL, &p, &e), &e);
    for (int64_t i = 0; i < 50; i++) {
      double got[4], f[4] = {0}, want[4] = {0}, x[5];
      for (int j = 0; j < 5; j++) x[j] = (double)r.x[i * 5 + j];
      TR_OK(lt_predictor_one_f64(p, x, 5, got, 4, &e), &e);
      for (int64_t o = 0; o < lin->n_out; o++) {
        f[o] = lin->intercept[o];
        for (int64_t j = 0; j < 5; j++) f[o] += lin->weight[o * 5 + j] * x[j];
      }
      if (c) lt_calibration_apply(c, f, want);
      else lin->loss->link(f, lin->n_out);
      const double *w = c ? want : f;
      for (int64_t o = 0; o < lin->n_out; o++) {
        assert_true(fabs(got[o] - w[o]) <= 1e-9 * (1 + fabs(w[o])));
      }
    }
    t->family->release(params);
    lt_predictor_free(p);
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

/* The package of format version 2, read for ever: a hinge model with an isotonic calibration. Its rows are made of integers
 * alone. Written once: --write-golden FILE, run in the root of the tree. */
static const char golden_file[] = "tests/golden/model-linear-v2.leat";
static const double golden_want[4] = {0, 0.75, 0.35714285714285715, 1};

static void golden_answers(const leat_model *m, double out[4]) {
  leat_predictor *p = NULL;
  leat_error e = tr_error();
  TR_OK(lt_predictor_create(m, NULL, NULL, &p, &e), &e);
  for (int64_t i = 0; i < 4; i++) {
    double x[3] = {(double)(i * 5 % 7) - 3, (double)(i * 3 % 5) - 2, (double)i - 1.5};
    TR_OK(lt_predictor_one_f64(p, x, 3, out + i, 1, &e), &e);
  }
  lt_predictor_free(p);
}

static void write_golden(const char *path) {
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  leat_model *m = NULL;
  tr_rows r = tr_make(300, 3, 2, 1, 0, 1);
  lt_rng g;
  lt_rng_init(&g, 2027, 1);
  for (int64_t i = 0; i < r.n; i++) {
    int64_t sum = 0;
    for (int64_t j = 0; j < 3; j++) {
      int64_t v = (int64_t)lt_rng_below(&g, 9) - 4;
      r.x[i * 3 + j] = (float)v;
      sum += (j + 1) * v;
    }
    r.y[i] = sum + (int64_t)lt_rng_below(&g, 9) > 4;
  }
  leat_dataset *all = tr_dense(rt, &r, 0), *d = NULL, *v = NULL;
  TR_OK(lt_dataset_slice(all, 0, 200, &d, &e), &e);
  TR_OK(lt_dataset_slice(all, 200, 100, &v, &e), &e);
  leat_trainer *t = tr_trainer(rt, "loss=hinge l1=0.5 calibrate=isotonic", d, v);
  tr_fit(t);
  TR_OK(lt_trainer_snapshot(t, &m, &e), &e);
  double out[4];
  golden_answers(m, out);
  TR_OK(lt_model_save(m, path, &e), &e);
  for (int i = 0; i < 4; i++) printf("%.17g, ", out[i]);
  lt_model_free(m);
  lt_trainer_free(t);
  lt_dataset_free(all);
  lt_dataset_free(d);
  lt_dataset_free(v);
  tr_drop(&r);
  lt_runtime_unref(rt);
}

static void golden_v2(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  leat_model *m = NULL;
  double out[4];
  TR_OK(lt_model_load(rt, golden_file, &m, &e), &e);
  golden_answers(m, out);
  for (int i = 0; i < 4; i++) assert_true(fabs(out[i] - golden_want[i]) < 1e-12);
  const lt_linear *l = lt_model_params(m);
  assert_true(m->version == 2 && l->calibration && l->calibration->kind == LT_CALIBRATE_ISOTONIC);
  assert_string_equal(l->loss->name, "hinge");
  lt_model_free(m);
  lt_runtime_unref(rt);
}

/* Every byte of the calibration's section cut and changed: an error or a model, nothing else. */
static void damaged_calibrations(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  leat_model *m = NULL;
  lt_calibration *c = NULL;
  lt_put w;
  TR_OK(lt_model_load(rt, golden_file, &m, &e), &e);
  lt_put_init(&w, rt);
  lt_calibration_save(((const lt_linear *)lt_model_params(m))->calibration, &w);
  int good = 0, bad = 0;
  for (uint64_t i = 0; i < w.size; i++) {
    lt_get r;
    lt_get_init(&r, rt, w.data, i);
    assert_true(lt_calibration_load(rt, 1, &r, &c, &e) != LEAT_OK);
    for (int bit = 0; bit < 8; bit++) {
      w.data[i] ^= (uint8_t)(1 << bit);
      lt_get_init(&r, rt, w.data, w.size);
      leat_status st = lt_calibration_load(rt, 1, &r, &c, &e);
      st ? bad++ : good++;
      double z = 0.3, p = -1;
      if (!st) lt_calibration_apply(c, &z, &p);
      assert_true(st || (p >= 0 && p <= 1));
      if (!st) lt_calibration_free(c);
      w.data[i] ^= (uint8_t)(1 << bit);
    }
  }
  assert_true(bad > 200 && good > 0);
  lt_put_free(&w);
  lt_model_free(m);
  lt_runtime_unref(rt);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--write-golden") == 0) {
    write_golden(argv[2]);
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(smooth_losses), cmocka_unit_test(losses_with_corners), cmocka_unit_test(sparse_l1), cmocka_unit_test(softmax_l1),
      cmocka_unit_test(what_does_not_fit), cmocka_unit_test(packages), cmocka_unit_test(hands_over),
      cmocka_unit_test(golden_v2), cmocka_unit_test(damaged_calibrations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
