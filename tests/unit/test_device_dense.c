/* Dense layers from packed weights, against sums in double over odd shapes: both kinds of weights, every activation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/dense.h"
#include "device/ops.h"

static uint64_t state = 88172645463325252u;
static float uniform(void) { /* xorshift: [-1, 1) */
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (float)((double)(state >> 11) * 0x1p-52 - 1.0);
}

static float *floats(int64_t n) {
  float *p = malloc((size_t)(n + 1) * sizeof *p);
  assert_non_null(p);
  for (int64_t i = 0; i < n; i++) p[i] = uniform();
  return p;
}

typedef struct layer_case {
  lt_dense d;
  float *w, *bias;
  int64_t w_rs, w_cs;
  void *block;
} layer_case;

static void make(layer_case *c, int64_t kind, int64_t act, int64_t k, int64_t n, int transposed, int with_bias) {
  c->d = (lt_dense){.k = k, .n = n, .kind = kind, .act = act};
  c->w = floats(k * n), c->bias = with_bias ? floats(n) : NULL;
  c->w_rs = transposed ? 1 : n, c->w_cs = transposed ? k : 1;
  uint64_t size = lt_dense_size(&c->d);
  assert_true(size > 0);
  c->block = aligned_alloc(64, (size + 63) / 64 * 64);
  assert_non_null(c->block);
  lt_dense_pack(&c->d, c->w, c->w_rs, c->w_cs, c->bias, c->block);
}

static void drop(layer_case *c) {
  free(c->w), free(c->bias), free(c->block);
}

/* The product and how far from it the layer may be. */
static void expect(const layer_case *c, const float *x, int64_t j, double *value, double *bound) {
  double sum = 0, mass = 0, top_x = 0, top_w = 0, sum_w = 0, sum_x = 0;
  for (int64_t k = 0; k < c->d.k; k++) {
    double w = (double)c->w[k * c->w_rs + j * c->w_cs], v = (double)x[k];
    sum += w * v, mass += fabs(w * v), sum_w += fabs(w), sum_x += fabs(v);
    top_x = fmax(top_x, fabs(v)), top_w = fmax(top_w, fabs(w));
  }
  double bias = c->bias ? (double)c->bias[j] : 0;
  *value = sum + bias;
  *bound = ((double)c->d.k + 8) * 0x1p-24 * (mass + fabs(bias));
  if (c->d.kind == LT_DENSE_Q8) *bound += top_x / 254 * sum_w * 1.01 + top_w / 254 * sum_x * 1.01;
}

static void check_rows(const layer_case *c, int64_t m, int positive) {
  int64_t x_rs = c->d.k + 3, out_rs = c->d.n + 2;
  float *x = floats(m * x_rs), *out = floats(m * out_rs), *one = floats(c->d.n);
  for (int64_t i = 0; i < m * x_rs && positive; i++) x[i] = fabsf(x[i]);
  for (int64_t i = 0; i < m; i++) out[i * out_rs + c->d.n] = 7;
  lt_dense_rows(&c->d, x, x_rs, m, out, out_rs);
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < c->d.n; j++) {
      double value, bound, got = (double)out[i * out_rs + j];
      expect(c, x + i * x_rs, j, &value, &bound);
      double y = lt_f_value(c->d.act, value);
      if (!(fabs(got - y) <= 1.2 * bound + 16 * 0x1p-24 * (fabs(y) + 0x1p-10)))
        fail_msg("kind %d act %d k %d n %d m %d: y[%d, %d] = %g, not %g +- %g", (int)c->d.kind, (int)c->d.act,
                 (int)c->d.k, (int)c->d.n, (int)m, (int)i, (int)j, got, y, bound);
    }
    assert_true(out[i * out_rs + c->d.n] == 7);
    lt_dense_rows(&c->d, x + i * x_rs, x_rs, 1, one, 0); /* alone: the same bits */
    assert_memory_equal(one, out + i * out_rs, (size_t)c->d.n * sizeof *one);
  }
  free(x), free(out), free(one);
}

static void test_shapes(void **unused) {
  static const int64_t ks[] = {1, 2, 3, 4, 7, 33, 399, 401, 784}, ns[] = {1, 10, 15, 16, 17, 33, 64, 100};
  (void)unused;
  for (size_t a = 0; a < sizeof ks / sizeof *ks; a++)
    for (size_t b = 0; b < sizeof ns / sizeof *ns; b++)
      for (int64_t kind = LT_DENSE_F32; kind <= LT_DENSE_Q8; kind++) {
        layer_case c;
        make(&c, kind, (int64_t)(a + b) % 5, ks[a], ns[b], (int)(a + b) % 2, (int)a % 2);
        check_rows(&c, 1, 0);
        check_rows(&c, 1 + (int64_t)(a * 5 + b * 7) % 13, (int)b % 2);
        drop(&c);
      }
}

static void test_long(void **unused) {
  (void)unused;
  for (int64_t kind = LT_DENSE_F32; kind <= LT_DENSE_Q8; kind++) {
    layer_case c;
    make(&c, kind, LT_F_NONE, 9001, 20, 0, 1); /* above a slice of bytes */
    check_rows(&c, 6, 0);
    check_rows(&c, 131, 1); /* above a block of rows */
    drop(&c);
  }
}

static void test_extremes(void **unused) {
  (void)unused;
  float w[4] = {1, -2, 0, 0}, x[4] = {0, 0, NAN, 1}, out[4];
  _Alignas(64) char block[4096];
  for (int64_t kind = LT_DENSE_F32; kind <= LT_DENSE_Q8; kind++) {
    lt_dense d = {.k = 2, .n = 2, .kind = kind};
    assert_true(lt_dense_size(&d) <= sizeof block);
    lt_dense_pack(&d, w, 1, 2, NULL, block); /* column 0 is (1, -2), column 1 zeros */
    lt_dense_rows(&d, x, 2, 2, out, 2);
    assert_true(out[0] == 0 && out[1] == 0 && isnan(out[2]) && isnan(out[3]));
  }
}

static void test_sizes(void **unused) {
  (void)unused;
  assert_int_equal(lt_dense_size(&(lt_dense){.k = 784, .n = 10}), 4 * 784 * 16 + 8 * 16);
  assert_int_equal(lt_dense_size(&(lt_dense){.k = 0, .n = 10}), 0);
  assert_int_equal(lt_dense_size(&(lt_dense){.k = 10, .n = -1}), 0);
  assert_int_equal(lt_dense_size(&(lt_dense){.k = INT64_C(1) << 39, .n = INT64_C(1) << 39}), 0);
  assert_int_equal(lt_dense_size(&(lt_dense){.k = 131073, .n = 1, .kind = LT_DENSE_Q8}), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shapes),
      cmocka_unit_test(test_long),
      cmocka_unit_test(test_extremes),
      cmocka_unit_test(test_sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
