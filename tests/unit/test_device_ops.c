/* The table of ops: small numbers that are known from elsewhere, what is refused and with which words, ops in place on a
 * device with memory of its own, fallbacks, and many callers. The conformance suite does the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "device/ops.h"

static leat_runtime *runtime(int64_t threads) {
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = threads};
  leat_runtime *rt = NULL;
  leat_error err = {.struct_size = sizeof err};
  if (leat_runtime_create(&opts, &rt, &err)) fail_msg("%s", err.message);
  return rt;
}

static const leat_device *device(leat_runtime *rt, const char *name) {
  const leat_device *dev = NULL;
  assert_int_equal(leat_device_find(rt, name, &dev, NULL), LEAT_OK);
  return dev;
}

static lt_view ints(const int32_t *data, int64_t n) {
  return (lt_view){.data = data, .rank = 1, .shape = {n}, .stride = {1}, .dtype = LEAT_I32};
}

static lt_view int_matrix(const int32_t *data, int64_t m, int64_t n) {
  return (lt_view){.data = data, .rank = 2, .shape = {m, n}, .stride = {n, 1}, .dtype = LEAT_I32};
}

static void run(const leat_device *dev, const char *name, const lt_op_args *a) {
  leat_error err = {.struct_size = sizeof err};
  if (lt_device_run(dev, name, a, &err)) fail_msg("%s on %s: %s", name, lt_device_name(dev), err.message);
}

static void near(float got, double want) {
  if (!(fabs((double)got - want) <= 4e-7 * (1 + fabs(want)))) fail_msg("%.9g, not %.9g", (double)got, want);
}

/* ---- numbers from papers and tables */
static void known_products(const leat_device *dev) {
  float a[6] = {1, 2, 3, 4, 5, 6}, b[6] = {1, 0, 2, 1, 0, 3}, bias[2] = {-20, 1}, c[4];
  lt_gemm g = {2, 2, 3, 1, 0, a, b, c, 3, 1, 2, 1, 2, 1, bias, LT_F_RELU};
  assert_int_equal(lt_device_gemm(dev, &g, NULL), LEAT_OK);
  assert_true(c[0] == 0 && c[1] == 12 && c[2] == 0 && c[3] == 24);
  int32_t start[3] = {0, 2, 3}, index[3] = {2, 0, 1}; /* [[b, 0, a], [0, c, 0]] */
  float value[3] = {10, 1, 100}, out[4];
  const double f[2] = {1, 0};
  lt_op_args s = {.n_in = 4, .n_out = 1, .f = f, .n_f = 2};
  s.in[0] = ints(start, 3), s.in[1] = ints(index, 3), s.in[2] = lt_view_vector(value, 3);
  s.in[3] = lt_view_matrix(b, 3, 2), s.out[0] = lt_view_matrix(out, 2, 2);
  run(dev, "csr_gemm", &s);
  assert_true(out[0] == 1 && out[1] == 30 && out[2] == 200 && out[3] == 100);
  float d[4] = {1, 2, 3, 4}, t[6];
  s.in[3] = lt_view_matrix(d, 2, 2), s.out[0] = lt_view_matrix(t, 3, 2);
  run(dev, "csr_gemm_t", &s);
  assert_true(t[0] == 1 && t[1] == 2 && t[2] == 300 && t[3] == 400 && t[4] == 10 && t[5] == 20);
}

static void known_losses(const leat_device *dev) {
  float x[4] = {0, 0, 0, logf(3)}, loss[2], dx[4], w[2] = {1, 2};
  int32_t label[2] = {1, 0};
  const double scale = 0.5;
  lt_op_args a = {.n_in = 3, .n_out = 2, .f = &scale, .n_f = 1};
  a.in[0] = lt_view_matrix(x, 2, 2), a.in[1] = ints(label, 2), a.in[2] = lt_view_vector(w, 2);
  a.out[0] = lt_view_vector(loss, 2), a.out[1] = lt_view_matrix(dx, 2, 2);
  run(dev, "softmax_xent", &a);
  near(loss[0], 0.69314718055994531), near(loss[1], 2 * 1.3862943611198906); /* log 2, 2 log 4 */
  near(dx[0], 0.25), near(dx[1], -0.25), near(dx[2], -0.75), near(dx[3], 0.75);
  /* Huber with delta 1 at 0.5 and 3; from the definition in Huber 1964 */
  float f[2] = {1.5f, 4}, y[2] = {1, 1}, df[2];
  const double numbers[3] = {1, 1, 0};
  const int64_t which = LT_LOSS_HUBER;
  lt_op_args h = {.n_in = 2, .n_out = 2, .f = numbers, .n_f = 3, .i = &which, .n_i = 1};
  h.in[0] = lt_view_vector(f, 2), h.in[1] = lt_view_vector(y, 2);
  h.out[0] = lt_view_vector(loss, 2), h.out[1] = lt_view_vector(df, 2);
  run(dev, "loss", &h);
  near(loss[0], 0.125), near(loss[1], 2.5), near(df[0], 0.5), near(df[1], 1);
}

static void known_steps(const leat_device *dev) {
  float g[2] = {0.25f, -8}, w[2] = {1, 1}, u[2] = {0, 0}, v[2] = {0, 0};
  const double numbers[9] = {0.1, 0.9, 0.999, 1e-8, 0, 1, 0, 1 - 0.9, 1 - 0.999};
  const int64_t no = 0;
  lt_op_args a = {.n_in = 1, .n_out = 3, .f = numbers, .n_f = 9, .i = &no, .n_i = 1};
  a.in[0] = lt_view_matrix(g, 1, 2), a.out[0] = lt_view_matrix(w, 1, 2);
  a.out[1] = lt_view_matrix(u, 1, 2), a.out[2] = lt_view_matrix(v, 1, 2);
  run(dev, "adam", &a); /* the first step is the rate, whatever the gradient (Kingma and Ba, section 2.1) */
  near(w[0], 0.9), near(w[1], 1.1), near(u[0], 0.025), near(v[1], 0.064);
  /* Philox4x32-10 of a zero key and counter is 6627e8d5 e169c58d bc57ac4c 9b00dbd8 (Random123's known answers) */
  float x[4] = {1, 1, 1, 1}, y[4];
  const double half = 0.5;
  const int64_t zeros[2] = {0, 0};
  lt_op_args d = {.n_in = 1, .n_out = 1, .f = &half, .n_f = 1, .i = zeros, .n_i = 2};
  d.in[0] = lt_view_matrix(x, 2, 2), d.out[0] = lt_view_matrix(y, 2, 2);
  run(dev, "dropout", &d);
  assert_true(y[0] == 0 && y[1] == 2 && y[2] == 2 && y[3] == 2);
}

static void known_tables(const leat_device *dev) {
  float x[5] = {3, NAN, 7, 7, -1}, value[3];
  int32_t index[3], best[1];
  lt_op_args a = {.n_in = 1, .n_out = 2};
  a.in[0] = lt_view_matrix(x, 1, 5), a.out[0] = lt_view_matrix(value, 1, 3), a.out[1] = int_matrix(index, 1, 3);
  run(dev, "top_k", &a);
  assert_true(index[0] == 2 && index[1] == 3 && index[2] == 0 && value[2] == 3);
  a.n_out = 1, a.out[0] = ints(best, 1);
  run(dev, "argmax", &a);
  assert_int_equal(best[0], 2);
  float d[3] = {1, 2, 4}, table[2] = {100, 100};
  int32_t row[3] = {1, 5, 1};
  const double f[2] = {1, 1};
  lt_op_args s = {.n_in = 2, .n_out = 1, .f = f, .n_f = 2};
  s.in[0] = lt_view_matrix(d, 3, 1), s.in[1] = int_matrix(row, 3, 1), s.out[0] = lt_view_matrix(table, 2, 1);
  run(dev, "scatter_add", &s);
  assert_true(table[0] == 100 && table[1] == 105);
  float n[2] = {1, 3}, one[2] = {1, 1}, zero[2] = {0, 0}, y[2], mean = 0, rstd = 0;
  const double eps = 0;
  lt_op_args l = {.n_in = 3, .n_out = 3, .f = &eps, .n_f = 1};
  l.in[0] = lt_view_matrix(n, 1, 2), l.in[1] = lt_view_vector(one, 2), l.in[2] = lt_view_vector(zero, 2);
  l.out[0] = lt_view_matrix(y, 1, 2), l.out[1] = lt_view_vector(&mean, 1), l.out[2] = lt_view_vector(&rstd, 1);
  run(dev, "layer_norm", &l);
  near(y[0], -1), near(y[1], 1), near(mean, 2), near(rstd, 1);
}

static void test_known(void **unused) {
  (void)unused;
  leat_runtime *rt = runtime(2);
  static const char *const names[] = {"reference", "cpu"};
  for (int i = 0; i < 2; i++) {
    const leat_device *dev = device(rt, names[i]);
    known_products(dev), known_losses(dev), known_steps(dev), known_tables(dev);
  }
  leat_runtime_free(rt);
}

/* ---- what is refused */
static void refused(const leat_device *dev, const char *name, const lt_op_args *a, leat_status status, const char *says) {
  leat_error err = {.struct_size = sizeof err};
  leat_status st = lt_device_run(dev, name, a, &err);
  if (st != status || !strstr(err.message, says)) fail_msg("%s: %d %s", name, (int)st, err.message);
}

static void test_refused(void **unused) {
  (void)unused;
  leat_runtime *rt = runtime(1);
  const leat_device *dev = device(rt, "cpu");
  float x[64] = {0}, y[64] = {7};
  const double f[2] = {1, 0};
  int64_t i[2] = {1, 0};
  lt_op_args good = {.n_in = 1, .n_out = 1, .i = i, .n_i = 1}, a = good;
  good.in[0] = lt_view_matrix(x, 4, 5), good.out[0] = lt_view_matrix(y, 4, 5);
  a = good;
  refused(dev, "no_such_op", &a, LEAT_E_NOT_FOUND, "no op no_such_op");
  a.n_in = 9;
  refused(dev, "map", &a, LEAT_E_ARG, "9 inputs");
  a = good, a.n_i = 0;
  refused(dev, "map", &a, LEAT_E_ARG, "map has 0 integers; it takes 1 to 1");
  a = good, a.f = f, a.n_f = 2;
  refused(dev, "map", &a, LEAT_E_ARG, "map has 2 numbers; it takes 0 to 0");
  a = good, a.in[0].shape[1] = 4;
  refused(dev, "map", &a, LEAT_E_SHAPE, "map: y has rank 2 and shape [4, 5], which does not fit; the op takes x [m, n] "
          "and gives y [m, n]");
  a = good, a.in[0].rank = 1;
  refused(dev, "map", &a, LEAT_E_SHAPE, "x has rank 1 and shape [4]");
  a = good, a.in[0].stride[0] = 4;
  refused(dev, "map", &a, LEAT_E_SHAPE, "the strides of x are not those of rows");
  a = good, a.out[0].stride[1] = 2;
  refused(dev, "map", &a, LEAT_E_SHAPE, "strides of y");
  a = good, a.in[0].shape[0] = a.out[0].shape[0] = -1;
  refused(dev, "map", &a, LEAT_E_SHAPE, "dimension 0 of x is -1");
  a = good, a.in[0].dtype = LEAT_F64;
  refused(dev, "map", &a, LEAT_E_DTYPE, "x has the type 2");
  a = good, a.in[0].data = NULL;
  refused(dev, "map", &a, LEAT_E_ARG, "x is NULL");
  i[0] = 10;
  refused(dev, "map", &good, LEAT_E_RANGE, "f is 10; it must be from 0 to 9");
  i[0] = 0;
  refused(dev, "map_grad", &good, LEAT_E_ARG, "map_grad has 1 inputs; it takes 2 to 2");
  a = good, a.in[0].shape[0] = a.out[0].shape[0] = 0, a.in[0].data = a.out[0].data = NULL;
  assert_int_equal(lt_device_run(dev, "map", &a, NULL), LEAT_OK); /* nothing to do needs no memory */
  for (int k = 1; k < 64; k++) assert_true(y[k] == 0);
  assert_true(y[0] == 7);
  leat_runtime_free(rt);
}

/* ---- on a device with memory of its own */
static void test_plug_in(void **unused) {
  (void)unused;
  leat_runtime *rt = runtime(1);
  leat_error err = {.struct_size = sizeof err};
  if (leat_runtime_load_backend(rt, LEAT_TINY_PLUGIN, &err)) fail_msg("%s", err.message);
  const leat_device *dev = device(rt, "tiny:0");
  float x[6] = {-1, 0.5f, 9, 9, 2, -3}; /* rows of two, three apart: what is between stays */
  int64_t f = LT_F_TANH, fallbacks = -1;
  lt_op_args a = {.n_in = 1, .n_out = 1, .i = &f, .n_i = 1};
  a.in[0] = lt_view_matrix(x, 2, 2), a.in[0].stride[0] = 4, a.out[0] = a.in[0];
  run(dev, "map", &a);
  near(x[0], tanh(-1)), near(x[1], tanh(0.5)), near(x[4], tanh(2)), near(x[5], tanh(-3));
  assert_true(x[2] == 9 && x[3] == 9);
  assert_int_equal(leat_runtime_stat(rt, "fallback_ops", &fallbacks, NULL), LEAT_OK);
  assert_int_equal(fallbacks, 0);
  known_products(dev); /* a bias and an activation, csr_gemm, csr_gemm_t: none is the plug-in's */
  assert_int_equal(leat_runtime_stat(rt, "fallback_ops", &fallbacks, NULL), LEAT_OK);
  assert_int_equal(fallbacks, 3);
  leat_runtime_free(rt);
}

/* ---- many callers of one device */
typedef struct caller { const leat_device *dev; float x[40 * 33], want[40 * 33]; int bad; } caller;

static void softmax(const leat_device *dev, const float *x, float *y) {
  lt_op_args a = {.n_in = 1, .n_out = 1};
  a.in[0] = lt_view_matrix(x, 40, 33), a.out[0] = lt_view_matrix(y, 40, 33);
  run(dev, "softmax", &a);
}

static void *call_often(void *arg) {
  caller *c = arg;
  float y[40 * 33];
  for (int i = 0; i < 200; i++) {
    softmax(c->dev, c->x, y);
    c->bad |= memcmp(y, c->want, sizeof y) != 0;
  }
  return NULL;
}

static void test_many_callers(void **unused) {
  (void)unused;
  leat_runtime *rt = runtime(3);
  static caller callers[4];
  pthread_t threads[4];
  for (int k = 0; k < 4; k++) {
    callers[k].dev = device(rt, k % 2 ? "cpu" : "reference");
    for (int i = 0; i < 40 * 33; i++) callers[k].x[i] = (float)((i * 37 + k * 11) % 101) / 10;
    softmax(callers[k].dev, callers[k].x, callers[k].want);
  }
  for (int k = 0; k < 4; k++) assert_int_equal(pthread_create(&threads[k], NULL, call_often, &callers[k]), 0);
  for (int k = 0; k < 4; k++) pthread_join(threads[k], NULL);
  for (int k = 0; k < 4; k++) assert_false(callers[k].bad);
  leat_runtime_free(rt);
}

/* ---- the table itself */
static void test_table(void **unused) {
  (void)unused;
  for (int64_t i = 0; i < LT_OP_COUNT; i++) {
    const lt_op_def *def = lt_op_at(i);
    assert_ptr_equal(lt_op_find(def->name), def);
    assert_true(def->in_min <= def->in_max && def->out_min <= def->out_max && def->out_min > 0);
    for (int k = 0; k < def->in_max; k++) assert_true(def->in[k].role && def->in[k].dims[0]);
    for (int k = 0; k < def->out_max; k++) assert_true(def->out[k].role && def->out[k].dims[0]);
  }
  assert_null(lt_op_at(LT_OP_COUNT));
  assert_null(lt_op_at(-1));
  assert_null(lt_op_find(""));
  assert_null(lt_op_find("gemmm"));
  for (uint32_t h = 0; h < 0x10000; h++) { /* every half is what its own value rounds to, NaN stays one */
    float v = lt_f16_value((uint16_t)h), b = lt_bf16_value((uint16_t)h);
    if (isnan(v)) assert_true(isnan(lt_f16_value(lt_f16_of(v))));
    else assert_int_equal(lt_f16_of(v), h);
    if (isnan(b)) assert_true(isnan(lt_bf16_value(lt_bf16_of(b))));
    else assert_int_equal(lt_bf16_of(b), h);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_known), cmocka_unit_test(test_refused),
                                     cmocka_unit_test(test_plug_in), cmocka_unit_test(test_many_callers),
                                     cmocka_unit_test(test_table)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
