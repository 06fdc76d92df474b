/* TRON and L-BFGS against Newton on the same rows: one optimum, whatever the way and the layout. */
#include "train_help.h"
#include <unistd.h>

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

/* auto over sparse rows hands over from L-BFGS to TRON on these: the bytes are the same at any number of threads, and when
 * the trainer is saved and resumed after any one of its iterations, before, at and behind the change. */
static uint8_t *switched(int64_t threads, int64_t stop, int64_t *change, int64_t *last, uint64_t *size) {
  leat_runtime *rt = tr_runtime(threads);
  leat_error e = tr_error();
  tr_rows r = tr_make(3000, 10, 2, 31, 0, 3);
  leat_dataset *d = tr_sparse(rt, &r, 20000);
  leat_trainer *t = tr_trainer(rt, "l2=1e-3", d, NULL);
  leat_progress p = {0};
  char path[64];
  p.struct_size = sizeof p;
  snprintf(path, sizeof path, "/tmp/leat-switch-%ld.ckpt", (long)getpid());
  *change = -1;
  assert_int_equal(t->solver->kind, LT_SOLVER_LBFGS);
  do {
    if (t->iterations == stop) {
      int32_t kind = t->solver->kind;
      TR_OK(lt_trainer_save(t, path, &e), &e);
      lt_trainer_free(t);
      TR_OK(lt_trainer_load(rt, path, NULL, &t, &e), &e);
      TR_OK(lt_trainer_set_data(t, d, NULL, &e), &e);
      assert_int_equal(t->solver->kind, kind);
      stop = -1;
    }
    TR_OK(lt_trainer_step(t, 0, &p, &e), &e);
    if (t->solver->kind == LT_SOLVER_TRON && *change < 0) *change = t->iterations;
  } while (p.state == LEAT_TRAIN_RUNNING);
  (void)unlink(path);
  *last = t->iterations;
  assert_int_equal(t->solver->kind, LT_SOLVER_TRON);
  uint8_t *b = tr_bytes(t, size);
  lt_trainer_free(t);
  lt_dataset_free(d);
  tr_drop(&r);
  lt_runtime_unref(rt);
  return b;
}

static void hands_over_anywhere(void **state) {
  (void)state;
  static const int64_t threads[] = {2, 3, 7};
  int64_t change, last, at, to;
  uint64_t n0, n;
  uint8_t *whole = switched(1, -1, &change, &last, &n0), *b;
  assert_true(change >= 5 && change < last); /* L-BFGS had its steps, TRON has some */
  for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
    b = switched(threads[k], -1, &at, &to, &n);
    assert_true(at == change && to == last);
    tr_same(whole, n0, b, n);
    free(b);
  }
  for (int64_t stop = 0; stop < last; stop++) {
    b = switched(1 + stop % 3, stop, &at, &to, &n);
    assert_true(at == change && to == last);
    tr_same(whole, n0, b, n);
    free(b);
  }
  free(whole);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(solvers_agree_dense),
      cmocka_unit_test(solvers_agree_sparse),
      cmocka_unit_test(hybrid_layout),
      cmocka_unit_test(hands_over_anywhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
