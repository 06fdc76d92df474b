/* The linear family: tasks, parameters and their bytes, and its plan against plain sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <float.h>
#include "model_make.h"

static leat_runtime *rt;
static int start(void **state) { (void)state; return (rt = new_runtime(1)) == NULL; }
static int stop(void **state) { (void)state; lt_runtime_unref(rt); return 0; }
static const lt_family *const family = &lt_family_linear;

static void test_tasks(void **state) {
  (void)state;
  static const struct { const char *loss; int64_t k; leat_status st; int64_t n_out; const char *text; } want[] = {
      {"auto", 0, LEAT_OK, 1, ""},        {"squared", 0, LEAT_OK, 1, ""},  {"logistic", 0, LEAT_E_ARG, 0, "loss=squared"},
      {"auto", 2, LEAT_OK, 1, ""},        {"logistic", 2, LEAT_OK, 1, ""}, {"softmax", 2, LEAT_E_ARG, 0, "loss=logistic"},
      {"auto", 7, LEAT_OK, 7, ""},        {"softmax", 3, LEAT_OK, 3, ""},  {"squared", 3, LEAT_E_ARG, 0, "loss=softmax"},
      {"auto", 1, LEAT_E_DATA, 0, "one class"}, {"logistic", 4, LEAT_E_ARG, 0, "4 classes"}};
  for (unsigned i = 0; i < sizeof want / sizeof want[0]; i++) {
    leat_params *p = linear_settings(rt, "loss", want[i].loss);
    lt_task t;
    leat_status st = family->task(want[i].k, p, &t, &error_of);
    assert_int_equal(st, want[i].st);
    if (st) assert_non_null(strstr(error_of.message, want[i].text));
    else assert_true(t.n_classes == want[i].k && t.n_out == want[i].n_out);
    assert_int_equal(lt_task_outputs(&t), st ? 1 : want[i].k > 2 ? want[i].k : 1);
    lt_params_free(p);
  }
  int64_t n = 0;
  assert_ptr_equal(lt_family_all(&n)[0], family);
  assert_ptr_equal(lt_family_find("linear"), family);
  assert_null(lt_family_find("mpl"));
}

static void test_parameters(void **state) {
  (void)state;
  leat_params *p = linear_settings(rt, NULL, NULL);
  for (int64_t k = 0; k < 5; k++) {
    if (k == 1) continue;
    lt_linear *m = random_linear(rt, p, k, 17, 3);
    void *copy = NULL, *back = NULL;
    const double *v;
    uint64_t n;
    lt_task task;
    lt_put w;
    lt_get r;
    int64_t count = 0;
    OK(family->copy(m, &copy, &error_of));
    lt_put_init(&w, rt);
    family->save(copy, &w);
    lt_get_init(&r, rt, w.data, w.size);
    OK(family->load(rt, 17, &r, &back, &task, &error_of));
    assert_int_equal(lt_get_left(&r), 0);
    assert_true(task.n_classes == k && task.n_out == (k > 2 ? k : 1));
    OK(family->array(back, "weights", &v, &n, &error_of));
    assert_int_equal(n, task.n_out * 17);
    assert_memory_equal(v, m->weight, n * sizeof *v);
    OK(family->array(back, "intercept", &v, &n, &error_of));
    assert_int_equal(n, task.n_out);
    assert_memory_equal(v, m->intercept, n * sizeof *v);
    FAILS(LEAT_E_NOT_FOUND, "did you mean 'weights'", family->array(back, "weigths", &v, &n, &error_of));
    family->describe(back, &task, &count);
    assert_int_equal(count, task.n_out * 18);
    family->release(back);
    lt_get_init(&r, rt, w.data, w.size);
    assert_int_equal(family->load(rt, 16, &r, &back, &task, &error_of), LEAT_E_FORMAT);
    for (uint64_t cut = 0; cut < w.size; cut++) {
      lt_get_init(&r, rt, w.data, cut);
      assert_int_equal(family->load(rt, 17, &r, &back, &task, NULL), LEAT_E_FORMAT);
      assert_null(back);
    }
    for (uint64_t i = 0; i < w.size * 8; i++) {
      w.data[i / 8] ^= (uint8_t)(1 << i % 8);
      lt_get_init(&r, rt, w.data, w.size);
      if (family->load(rt, 17, &r, &back, &task, NULL) == LEAT_OK) family->release(back);
      w.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    lt_put_free(&w);
    family->release(copy);
    family->release(m);
  }
  lt_params_free(p);
}

/* The margins by the definition: encode the row, multiply, add; in long double. */
static void plain_margins(const lt_linear *m, const lt_encode *b, const lt_rows *rows, int64_t r, long double *f) {
  const lt_encoder *e = b->e;
  double *x = malloc((size_t)(e->n_dense + 1) * sizeof *x);
  int32_t index[256];
  float value[256];
  lt_encode_numbers(b, rows, r, 1, x, e->n_dense);
  int64_t n = lt_encode_sparse(b, rows, r, index, value);
  for (int64_t o = 0; o < m->n_out; o++) {
    const double *w = m->weight + o * m->n_slots;
    f[o] = m->intercept[o];
    for (int64_t j = 0; j < e->n_dense; j++) {
      double v = isfinite(x[j]) ? x[j] : e->mean[j];
      f[o] += (long double)w[j] * (e->standardize ? ((long double)v - e->mean[j]) / e->scale[j] : v);
    }
    for (int64_t i = 0; i < n; i++) f[o] += (long double)w[index[i]] * (long double)value[i];
  }
  free(x);
}

static void check_plan(int64_t n_classes, int text, const char *standardize) {
  enum { ROWS = 700 };
  leat_dataset *d = mixed_dataset(rt, n_classes, text, ROWS, 11);
  leat_params *p = linear_settings(rt, "standardize", standardize);
  lt_encoder *e = NULL;
  lt_encode *b = NULL;
  lt_plan *plan = NULL, *fork = NULL;
  leat_batch *scratch = NULL;
  lt_rows rows;
  OK(lt_params_set_text(p, "hash_bits", "9", &error_of));
  OK(lt_params_set_text(p, "max_onehot", "30", &error_of));
  OK(lt_encoder_fit(rt, d, p, &e, &error_of));
  OK(lt_encode_create(e, lt_dataset_schema(d), &b, &error_of));
  OK(lt_batch_create(rt, lt_dataset_schema(d), &scratch, &error_of));
  OK(lt_dataset_view(d, 0, ROWS, scratch, &rows, &error_of));
  lt_linear *m = random_linear(rt, p, n_classes, e->n_slots, 3);
  OK(family->plan_create(m, e, &plan, &error_of));
  OK(family->plan_fork(plan, &fork, &error_of));
  int64_t n_user = n_classes > 2 ? n_classes : 1;
  double *out = calloc((size_t)(ROWS * n_user), sizeof *out), *one = calloc((size_t)n_user, sizeof *one), x[8];
  float xf[8];
  OK(family->plan_rows(plan, b, &rows, 0, ROWS, out, &error_of));
  for (int64_t r = 0; r < ROWS; r++) {
    long double f[8];
    plain_margins(m, b, &rows, r, f);
    long double sum = 0, top = f[0];
    for (int64_t o = 1; o < m->n_out; o++) top = fmaxl(top, f[o]);
    for (int64_t o = 0; o < m->n_out; o++) sum += expl(f[o] - top);
    for (int64_t o = 0; o < n_user; o++) {
      long double want = n_classes == 0 ? f[0] : n_classes == 2 ? 1 / (1 + expl(-f[0])) : expl(f[o] - top) / sum;
      assert_true(fabsl(want - out[r * n_user + o]) < 1e-9 * (1 + fabsl(want)) + (text ? 2e-6 : 0)); /* words: float weights */
    }
    /* one by one, in a fork: the same bits */
    OK(family->plan_rows(fork, b, &rows, r, 1, one, &error_of));
    assert_memory_equal(one, out + r * n_user, (size_t)n_user * sizeof *one);
    int exact = 1;
    for (int64_t i = 0; i < 6; i++) {
      const lt_column *c = &rows.schema->col[i];
      x[i] = lt_col_number(c, &rows.col[i], r, 0);
      xf[i] = (float)x[i];
      if (!isnan(x[i]) && (double)xf[i] != x[i]) exact = 0;
    }
    if (text) {
      assert_int_equal(family->plan_one_f64(fork, x, one), LEAT_E_UNSUPPORTED);
      assert_int_equal(family->plan_one_f32(fork, xf, one), LEAT_E_UNSUPPORTED);
      continue;
    }
    OK(family->plan_one_f64(fork, x, one));
    assert_memory_equal(one, out + r * n_user, (size_t)n_user * sizeof *one);
    OK(family->plan_one_f32(fork, xf, one));
    if (exact) assert_memory_equal(one, out + r * n_user, (size_t)n_user * sizeof *one);
  }
  assert_int_equal(family->plan_one_sparse(fork, NULL, NULL, 0, one), LEAT_E_UNSUPPORTED);
  family->plan_free(plan); /* the fork lives on */
  OK(family->plan_rows(fork, b, &rows, 0, 1, one, &error_of));
  family->plan_free(fork);
  family->release(m);
  free(out);
  free(one);
  lt_batch_free(scratch);
  lt_encode_free(b);
  lt_encoder_free(e);
  lt_params_free(p);
  lt_dataset_free(d);
}

static void test_plan(void **state) {
  (void)state;
  for (int64_t k = 0; k < 5; k++)
    for (int text = 0; text < 2 && k != 1; text++) {
      check_plan(k, text, "auto");
      check_plan(k, text, "no");
    }
}

/* Dense blocks of any width and type; numbers that are not finite; sums that overflow. */
static void test_dense_block(void **state) {
  (void)state;
  enum { ROWS = 300 };
  for (int64_t cols = 1; cols <= 70; cols += cols < 20 ? 1 : 13) {
    float *x = malloc((size_t)(ROWS * cols) * sizeof *x), y[ROWS];
    double out[ROWS], one, xd[80];
    lt_rng r;
    lt_rng_init(&r, 4, (uint64_t)cols);
    for (int64_t i = 0; i < ROWS * cols; i++) x[i] = (float)lt_rng_normal(&r);
    for (int i = 0; i < ROWS; i++) y[i] = (float)(i % 2);
    x[5 * cols] = NAN;
    x[6 * cols + cols - 1] = INFINITY;
    x[7 * cols + cols / 2] = -INFINITY;
    leat_matrix mx = {.struct_size = sizeof mx, .data = x, .rows = ROWS, .cols = cols, .dtype = LEAT_F32};
    leat_matrix my = {.struct_size = sizeof my, .data = y, .rows = ROWS, .cols = 1, .dtype = LEAT_F32};
    leat_dataset *d = NULL;
    leat_params *p = linear_settings(rt, NULL, NULL);
    lt_encoder *e = NULL;
    lt_encode *b = NULL;
    lt_plan *plan = NULL;
    leat_batch *scratch = NULL;
    lt_rows rows;
    OK(lt_dataset_from_dense(rt, NULL, &mx, &my, NULL, &d, &error_of));
    OK(lt_encoder_fit(rt, d, p, &e, &error_of));
    OK(lt_encode_create(e, lt_dataset_schema(d), &b, &error_of));
    lt_linear *m = random_linear(rt, p, 2, e->n_slots, 9);
    OK(family->plan_create(m, e, &plan, &error_of));
    OK(lt_batch_create(rt, lt_dataset_schema(d), &scratch, &error_of));
    OK(lt_dataset_view(d, 0, ROWS, scratch, &rows, &error_of));
    OK(family->plan_rows(plan, b, &rows, 0, ROWS, out, &error_of));
    for (int64_t i = 0; i < ROWS; i++) {
      long double f;
      plain_margins(m, b, &rows, i, &f);
      assert_true(fabsl(1 / (1 + expl(-f)) - out[i]) < 1e-12);
      OK(family->plan_one_f32(plan, x + i * cols, &one));
      assert_memory_equal(&one, &out[i], sizeof one);
      for (int64_t j = 0; j < cols; j++) xd[j] = (double)x[i * cols + j];
      OK(family->plan_one_f64(plan, xd, &one));
      assert_memory_equal(&one, &out[i], sizeof one);
    }
    for (int64_t j = 0; j < cols; j++) xd[j] = j % 2 ? DBL_MAX : -DBL_MAX;
    OK(family->plan_one_f64(plan, xd, &one));
    assert_true(one >= 0 && one <= 1);
    for (int64_t j = 0; j < cols; j++) xd[j] = NAN; /* all missing: the row of means */
    OK(family->plan_one_f64(plan, xd, &one));
    assert_true(fabs(one - 1 / (1 + exp(-m->intercept[0]))) < 1e-12);
    family->plan_free(plan);
    family->release(m);
    lt_batch_free(scratch);
    lt_encode_free(b);
    lt_encoder_free(e);
    lt_params_free(p);
    lt_dataset_free(d);
    free(x);
  }
}

/* A mean of 1e15 deviations: the fold would leave three digits; what is kept apart keeps all of them. */
static void test_far_from_zero(void **state) {
  (void)state;
  enum { ROWS = 200 };
  double x[ROWS * 3], y[ROWS], out, one;
  for (int i = 0; i < ROWS; i++) {
    x[i * 3] = 1e15 + i;
    x[i * 3 + 1] = i % 5;
    x[i * 3 + 2] = -3e12 + 0.5 * (i % 11);
    y[i] = i * 0.25;
  }
  leat_matrix mx = {.struct_size = sizeof mx, .data = x, .rows = ROWS, .cols = 3, .dtype = LEAT_F64};
  leat_matrix my = {.struct_size = sizeof my, .data = y, .rows = ROWS, .cols = 1, .dtype = LEAT_F64};
  leat_dataset *d = NULL;
  leat_params *p = linear_settings(rt, NULL, NULL);
  lt_encoder *e = NULL;
  lt_encode *b = NULL;
  lt_plan *plan = NULL;
  leat_batch *scratch = NULL;
  lt_rows rows;
  OK(lt_dataset_from_dense(rt, NULL, &mx, &my, NULL, &d, &error_of));
  OK(lt_encoder_fit(rt, d, p, &e, &error_of));
  OK(lt_encode_create(e, lt_dataset_schema(d), &b, &error_of));
  lt_linear *m = random_linear(rt, p, 0, 3, 9);
  OK(family->plan_create(m, e, &plan, &error_of));
  OK(lt_batch_create(rt, lt_dataset_schema(d), &scratch, &error_of));
  OK(lt_dataset_view(d, 0, ROWS, scratch, &rows, &error_of));
  for (int64_t i = 0; i < ROWS; i++) {
    long double f;
    plain_margins(m, b, &rows, i, &f);
    OK(family->plan_rows(plan, b, &rows, i, 1, &out, &error_of));
    assert_true(fabsl(f - out) < 1e-13);
    OK(family->plan_one_f64(plan, x + i * 3, &one));
    assert_memory_equal(&one, &out, sizeof one);
  }
  const double odd[3] = {INFINITY, NAN, -INFINITY};
  OK(family->plan_one_f64(plan, odd, &one));
  assert_true(fabs(one - m->intercept[0]) < 1e-13);
  family->plan_free(plan);
  family->release(m);
  lt_batch_free(scratch);
  lt_encode_free(b);
  lt_encoder_free(e);
  lt_params_free(p);
  lt_dataset_free(d);
}

static void test_sparse(void **state) {
  (void)state;
  for (int mode = 0; mode < 3; mode++) { /* as it is, hashed, scaled */
    enum { ROWS = 40, NNZ = 700 };
    int64_t k = mode == 0 ? 2 : 3, n_user = mode == 0 ? 1 : 3;
    leat_dataset *d = sparse_dataset(rt, 70000, ROWS, NNZ, k);
    leat_params *p = linear_settings(rt, "hash_bits", "12");
    lt_encoder *e = NULL;
    lt_encode *b = NULL;
    lt_plan *plan = NULL;
    leat_batch *scratch = NULL;
    lt_rows rows;
    double out[3], one[3];
    if (mode == 1) OK(lt_params_set_text(p, "max_width", "1000", &error_of));
    if (mode == 2) OK(lt_params_set_text(p, "standardize", "yes", &error_of));
    OK(lt_encoder_fit(rt, d, p, &e, &error_of));
    OK(lt_encode_create(e, lt_dataset_schema(d), &b, &error_of));
    lt_linear *m = random_linear(rt, p, k, e->n_slots, 9);
    OK(family->plan_create(m, e, &plan, &error_of));
    OK(lt_batch_create(rt, lt_dataset_schema(d), &scratch, &error_of));
    OK(lt_dataset_view(d, 0, ROWS, scratch, &rows, &error_of));
    const lt_col *c = &rows.col[0];
    for (int64_t i = 0; i < ROWS; i++) {
      int32_t index[NNZ];
      float value[NNZ];
      long double f[3];
      int64_t n = lt_encode_sparse(b, &rows, i, index, value), from = c->row_start[i];
      for (int64_t o = 0; o < m->n_out; o++) {
        f[o] = m->intercept[o];
        for (int64_t j = 0; j < n; j++) f[o] += (long double)m->weight[o * m->n_slots + index[j]] * (long double)value[j];
      }
      long double sum = 0;
      for (int64_t o = 0; o < m->n_out; o++) sum += expl(f[o]);
      OK(family->plan_rows(plan, b, &rows, i, 1, out, &error_of));
      OK(family->plan_one_sparse(plan, c->index + from, c->value + from, NNZ, one));
      assert_memory_equal(out, one, (size_t)n_user * sizeof *out);
      for (int64_t o = 0; o < n_user; o++) {
        long double want = k == 2 ? 1 / (1 + expl(-f[0])) : expl(f[o]) / sum;
        assert_true(fabsl(want - out[o]) < 1e-5);
      }
      /* unseen and absurd indices count for nothing, wherever they stand */
      memcpy(index, c->index + from, sizeof index);
      memcpy(value, c->value + from, sizeof value);
      if (mode != 1) {
        index[0] = 70000;
        index[300] = INT32_MAX;
        value[0] = value[300] = 5;
        OK(family->plan_one_sparse(plan, index, value, NNZ, one));
        value[0] = value[300] = 0;
        OK(family->plan_one_sparse(plan, index, value, NNZ, out));
        assert_memory_equal(out, one, (size_t)n_user * sizeof *out);
      }
      index[0] = -1;
      index[299] = INT32_MIN;
      value[7] = NAN;
      value[8] = INFINITY;
      OK(family->plan_one_sparse(plan, index, value, NNZ, one));
      for (int64_t o = 0; o < n_user; o++) assert_true(one[o] >= 0 && one[o] <= 1);
    }
    const int32_t twice[] = {5, 9, 5}, once[] = {5, 9};
    const float two[] = {1, 3, 1}, sum[] = {2, 3};
    OK(family->plan_one_sparse(plan, twice, two, 3, one)); /* any order, repeats add up */
    OK(family->plan_one_sparse(plan, once, sum, 2, out));
    assert_true(fabs(one[0] - out[0]) < 1e-12);
    const float ones[] = {1, 1};
    OK(family->plan_one_sparse(plan, once, NULL, 2, one));
    OK(family->plan_one_sparse(plan, once, ones, 2, out));
    assert_memory_equal(out, one, (size_t)n_user * sizeof *out);
    family->plan_free(plan);
    family->release(m);
    lt_batch_free(scratch);
    lt_encode_free(b);
    lt_encoder_free(e);
    lt_params_free(p);
    lt_dataset_free(d);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tasks),       cmocka_unit_test(test_parameters),   cmocka_unit_test(test_plan),
      cmocka_unit_test(test_dense_block), cmocka_unit_test(test_far_from_zero), cmocka_unit_test(test_sparse),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
