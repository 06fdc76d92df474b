/* TRON and L-BFGS against Newton on the same rows: one optimum, whatever the way and the layout. */
#include "train_help.h"

/* Objective at the solution, in the solver's own units (the same design for the same rows). */
static double solved(leat_runtime *rt, const leat_dataset *d, const char *settings, double *weights, int64_t *iterations) {
  leat_trainer *t = tr_trainer(rt, settings, d, NULL);
  leat_error e = tr_error();
  void *params = NULL;
  tr_fit(t);
  TR_OK(lt_trainer_params(t, &params, &e), &e);
  const lt_linear *m = params;
  for (int64_t i = 0; i < m->n_out * m->n_slots; i++) weights[i] = m->weight[i];
  *iterations = t->iterations;
  double f = t->last_loss * t->x->weight_sum;
  t->family->release(params);
  lt_trainer_free(t);
  return f;
}

static void agree(int64_t n, int64_t cols, int64_t classes, int64_t width, const char *base, const char *solver_a,
                  const char *solver_b, double within) {
  leat_runtime *rt = tr_runtime(2);
  tr_rows r = tr_make(n, cols, classes, 21, 0, 1);
  leat_dataset *d = width ? tr_sparse(rt, &r, width) : tr_dense(rt, &r, 1);
  int64_t slots = (width ? width : cols) * (classes > 2 ? classes : 1), ia, ib;
  double *wa = calloc((size_t)slots, 8), *wb = calloc((size_t)slots, 8);
  char sa[200], sb[200];
  snprintf(sa, sizeof sa, "%s solver=%s", base, solver_a);
  snprintf(sb, sizeof sb, "%s solver=%s", base, solver_b);
  double fa = solved(rt, d, sa, wa, &ia), fb = solved(rt, d, sb, wb, &ib), worst = 0;
  for (int64_t i = 0; i < slots; i++) worst = fmax(worst, fabs(wa[i] - wb[i]));
  if (!(fabs(fa - fb) <= within * fabs(fa)) || !(worst <= 1e-2))
    print_error("%s: %.12g (%lld iterations); %s: %.12g (%lld iterations); weights differ by %.3g\n", sa, fa, (long long)ia,
                sb, fb, (long long)ib, worst);
  assert_true(fabs(fa - fb) <= within * fabs(fa));
  assert_true(worst <= 1e-2);
  free(wa);
  free(wb);
  lt_dataset_free(d);
  tr_drop(&r);
  lt_runtime_unref(rt);
}

static void solvers_agree_dense(void **state) {
  (void)state;
  agree(3000, 12, 2, 0, "l2=1", "newton", "tron", 1e-9);
  agree(3000, 12, 2, 0, "l2=1", "newton", "lbfgs", 1e-9);
  agree(3000, 12, 0, 0, "l2=1", "newton", "tron", 1e-9);
  agree(3000, 12, 0, 0, "l2=1", "newton", "lbfgs", 1e-9);
  agree(3000, 12, 2, 0, "l2=0 intercept=no class_weights=balanced", "newton", "tron", 1e-9);
  agree(3000, 8, 5, 0, "l2=1", "newton", "lbfgs", 1e-9);
  agree(400000, 20, 2, 0, "l2=1", "newton", "tron", 1e-7);
  agree(400000, 20, 2, 0, "l2=1", "newton", "lbfgs", 1e-7);
}

static void solvers_agree_sparse(void **state) {
  (void)state;
  agree(20000, 15, 2, 600, "l2=1", "newton", "tron", 1e-9);    /* few slots: held dense */
  agree(20000, 15, 2, 3000, "l2=1", "tron", "lbfgs", 1e-8);
  agree(20000, 15, 0, 3000, "l2=1", "tron", "lbfgs", 1e-8);
  agree(20000, 15, 3, 3000, "l2=1", "lbfgs", "auto", 1e-12);
  agree(300000, 15, 2, 30000, "l2=1 intercept=no", "tron", "lbfgs", 1e-6);
}

/* Half sparse, half dense rows give what all-dense ones give. */
static void hybrid_layout(void **state) {
  (void)state;
  enum { N = 4000, WIDE = 2000 };
  leat_runtime *rt = tr_runtime(2);
  leat_error e = tr_error();
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  (void)b;
  TR_OK(lt_schema_create(rt, &s, &e), &e);
  TR_OK(lt_schema_add(s, "a", LEAT_NUMBER, LEAT_ROLE_FEATURE, 1, 0, &e), &e);
  TR_OK(lt_schema_add(s, "c", LEAT_CATEGORY, LEAT_ROLE_FEATURE, 1, 0, &e), &e);
  TR_OK(lt_schema_add(s, "y", LEAT_CATEGORY, LEAT_ROLE_TARGET, 1, 0, &e), &e);
  int64_t code;
  TR_OK(lt_dict_add(s->col[2].labels, "no", 2, &code, &e), &e);
  TR_OK(lt_dict_add(s->col[2].labels, "yes", 3, &code, &e), &e);
  for (int i = 0; i < WIDE; i++) {
    char name[16];
    int len = snprintf(name, sizeof name, "v%04d", i);
    TR_OK(lt_dict_add(s->col[1].labels, name, (uint64_t)len, &code, &e), &e);
  }
  double *x = malloc(sizeof *x * 2 * N), *y = malloc(sizeof *y * N);
  lt_rng g;
  lt_rng_init(&g, 9, 9);
  for (int i = 0; i < N; i++) {
    x[2 * i] = lt_rng_normal(&g);
    x[2 * i + 1] = (double)lt_rng_below(&g, WIDE / 4);
    y[i] = lt_rng_normal(&g) + x[2 * i] + (x[2 * i + 1] < WIDE / 8 ? 1 : -1) > 0;
  }
  leat_matrix mx = tr_matrix(x, N, 2, LEAT_F64), my = tr_matrix(y, N, 1, LEAT_F64);
  leat_dataset *d = NULL;
  TR_OK(lt_dataset_from_dense(rt, s, &mx, &my, NULL, &d, &e), &e);
  double f[3];
  static const char *const settings[] = {"solver=tron", "solver=lbfgs", "solver=tron standardize=no"};
  for (int i = 0; i < 3; i++) {
    leat_trainer *t = tr_trainer(rt, settings[i], d, NULL);
    tr_fit(t);
    assert_int_equal(t->x->n_dense, 1);
    assert_true(t->x->n_slots > WIDE);
    assert_int_equal(t->x->nnz, N);
    assert_null(t->x->value); /* all ones */
    f[i] = t->last_loss;
    lt_trainer_free(t);
  }
  assert_true(fabs(f[0] - f[1]) < 1e-8);
  assert_true(fabs(f[0] - f[2]) < 1e-2); /* the penalty is on another scale */
  free(x);
  free(y);
  lt_dataset_free(d);
  lt_schema_free(s);
  lt_runtime_unref(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(solvers_agree_dense),
      cmocka_unit_test(solvers_agree_sparse),
      cmocka_unit_test(hybrid_layout),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
