/* Every kernel of both sets against long double, for n = 0..100, in blocks of exactly the size that the kernel may
 * touch (a sanitizer sees a read behind them), at odd addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/vec.h"

static uint64_t state = 88172645463325252u;
static double uniform(void) { /* xorshift: [-1, 1) */
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (double)(state >> 11) * 0x1p-52 - 1.0;
}

static int n_sets(void) { return lt_vec_avx2() ? 2 : 1; }
static const lt_vec *set_at(int i) { return i ? lt_vec_avx2() : lt_vec_generic(); }

/* A block that ends exactly at its last element and starts `skew` elements behind an aligned address. */
static void *block(size_t n, size_t size, size_t skew, void **base) {
  size_t bytes = (n + skew) * size;
  *base = malloc(bytes ? bytes : 1);
  assert_non_null(*base);
  return (char *)*base + skew * size;
}

static float *floats(size_t n, void **base) {
  float *p = block(n, sizeof *p, n % 3, base);
  for (size_t i = 0; i < n; i++) p[i] = (float)uniform();
  return p;
}

static double *doubles(size_t n, void **base) {
  double *p = block(n, sizeof *p, n % 3, base);
  for (size_t i = 0; i < n; i++) p[i] = uniform();
  return p;
}

static void test_dots(void **unused) {
  (void)unused;
  for (int set = 0; set < n_sets(); set++) {
    const lt_vec *v = set_at(set);
    for (size_t n = 0; n <= 100; n++) {
      void *b[5];
      float *x = floats(n, b);
      double *w = doubles(n, b + 1), *fill = doubles(n, b + 2), *wide = doubles(n, b + 3);
      for (int with_fill = 0; with_fill < 2; with_fill++) {
        long double sum = 0, mass = 0;
        for (size_t i = 0; i < n; i++) {
          if (with_fill && i % 5 == 2) x[i] = NAN;
          wide[i] = (double)x[i];
          long double term = (isnan(wide[i]) ? fill[i] : wide[i]) * (long double)w[i];
          sum += term, mass += fabsl(term);
        }
        const double *f = with_fill ? fill : NULL;
        double got = v->dot_f64(wide, w, f, (int64_t)n), same = v->dot_f32(x, w, f, (int64_t)n);
        assert_memory_equal(&got, &same, sizeof got);
        assert_true(fabsl(got - sum) <= ((long double)n / (set ? 16 : 4) + 20) * 0x1p-53L * mass);
      }
      float *p = floats(n, b + 4), *q = (float *)malloc(n * sizeof *q + 1);
      long double sum = 0, mass = 0;
      for (size_t i = 0; i < n; i++) {
        q[i] = (float)uniform();
        sum += (long double)p[i] * q[i], mass += fabsl((long double)p[i] * q[i]);
      }
      assert_true(fabsl(v->dot_ff(p, q, (int64_t)n) - sum) <= ((long double)n / (set ? 32 : 8) + 20) * 0x1p-24L * mass);
      free(q);
      for (int i = 0; i < 5; i++) free(b[i]);
    }
  }
}

static void test_dot_without_fill_keeps_nan(void **unused) {
  (void)unused;
  for (int set = 0; set < n_sets(); set++) {
    double x[5] = {1, 2, NAN, 4, 5}, w[5] = {1, 1, 1, 1, 1}, fill[5] = {0, 0, 0.5, 0, 0};
    assert_true(isnan(set_at(set)->dot_f64(x, w, NULL, 5)));
    assert_true(set_at(set)->dot_f64(x, w, fill, 5) == 12.5);
    x[2] = INFINITY;
    assert_true(set_at(set)->dot_f64(x, w, fill, 5) == INFINITY);
  }
}

static void test_axpy(void **unused) {
  (void)unused;
  for (int set = 0; set < n_sets(); set++)
    for (size_t n = 0; n <= 100; n++) {
      void *b[4];
      float *x = floats(n, b), *y = floats(n, b + 1);
      double *xd = doubles(n, b + 2), *yd = doubles(n, b + 3);
      double want[100];
      float want_f[100];
      for (size_t i = 0; i < n; i++) want[i] = yd[i] + 0.7 * xd[i], want_f[i] = y[i] + 0.7f * x[i];
      set_at(set)->axpy_f64(0.7, xd, yd, (int64_t)n);
      set_at(set)->axpy_ff(0.7f, x, y, (int64_t)n);
      for (size_t i = 0; i < n; i++) {
        assert_true(fabs(yd[i] - want[i]) <= 0x1p-52);
        assert_true(fabsf(y[i] - want_f[i]) <= 0x1p-23f);
      }
      for (int i = 0; i < 4; i++) free(b[i]);
    }
}

static void test_gemv(void **unused) {
  (void)unused;
  for (int set = 0; set < n_sets(); set++)
    for (size_t n = 0; n <= 100; n++) {
      const lt_vec *v = set_at(set);
      size_t rows = (n * 7 + 3) % 29, ld = n + n % 4, size = rows ? (rows - 1) * ld + n : 0;
      void *b[6];
      float *x = floats(size, b), *w = floats(n, b + 1), *y = floats(rows, b + 2);
      v->gemv_ff(x, (int64_t)ld, w, 0.25f, y, (int64_t)rows, (int64_t)n);
      for (size_t r = 0; r < rows; r++) {
        long double sum = 0.25L, mass = 0.25L;
        for (size_t j = 0; j < n; j++) sum += (long double)x[r * ld + j] * w[j], mass += fabsl((long double)x[r * ld + j] * w[j]);
        assert_true(fabsl(y[r] - sum) <= ((long double)n / 8 + 8) * 0x1p-24L * mass);
        float alone; /* the same bits for one row alone */
        v->gemv_ff(x + r * ld, (int64_t)ld, w, 0.25f, &alone, 1, (int64_t)n);
        assert_memory_equal(&alone, y + r, sizeof alone);
      }
      float *t = floats(rows, b + 3), *g = floats(n, b + 4), *before = floats(n, b + 5);
      memcpy(before, g, n * sizeof *g);
      v->gemv_t_ff(x, (int64_t)ld, t, g, (int64_t)rows, (int64_t)n);
      for (size_t j = 0; j < n; j++) {
        long double sum = before[j], mass = fabsf(before[j]);
        for (size_t r = 0; r < rows; r++) sum += (long double)t[r] * x[r * ld + j], mass += fabsl((long double)t[r] * x[r * ld + j]);
        assert_true(fabsl(g[j] - sum) <= ((long double)rows + 4) * 0x1p-24L * mass);
      }
      for (int i = 0; i < 6; i++) free(b[i]);
    }
}

static void gram_case(const lt_vec *v, size_t rows, size_t n, size_t ld, int weighted) {
  void *b[2];
  size_t size = rows ? (rows - 1) * ld + n : 0, ldh = n + 1;
  float *x = floats(size, b), *d = floats(rows, b + 1);
  double *h = calloc(n * ldh + 1, sizeof *h), *cut = calloc(n * ldh + 1, sizeof *cut);
  assert_non_null(h);
  assert_non_null(cut);
  for (size_t i = 0; i < n * ldh; i++) h[i] = cut[i] = 3.0;
  v->gram_ff(x, (int64_t)ld, weighted ? d : NULL, h, (int64_t)ldh, (int64_t)rows, (int64_t)n);
  for (size_t r = 0; r < rows; r += LT_GRAM_ROWS) {
    size_t m = rows - r < LT_GRAM_ROWS ? rows - r : LT_GRAM_ROWS;
    v->gram_ff(x + r * ld, (int64_t)ld, weighted ? d + r : NULL, cut, (int64_t)ldh, (int64_t)m, (int64_t)n);
  }
  assert_memory_equal(h, cut, n * ldh * sizeof *h);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < ldh; j++) {
      long double sum = 3, mass = 3;
      for (size_t r = 0; r < rows && j >= i && j < n; r++) {
        long double term = (weighted ? (long double)d[r] : 1) * x[r * ld + i] * x[r * ld + j];
        sum += term, mass += fabsl(term);
      }
      assert_true(fabsl(h[i * ldh + j] - sum) <= 132 * 0x1p-24L * mass);
      if (j < i || j >= n) assert_true(h[i * ldh + j] == 3.0); /* the lower triangle and the gap stay */
    }
  free(h), free(cut), free(b[0]), free(b[1]);
}

static void test_gram(void **unused) {
  (void)unused;
  for (int set = 0; set < n_sets(); set++) {
    for (size_t n = 0; n <= 100; n++) gram_case(set_at(set), (n * 11 + 1) % 40, n, n + n % 3, n % 2 == 0);
    gram_case(set_at(set), 1000, 30, 30, 1);
    gram_case(set_at(set), 513, 50, 51, 1);
    gram_case(set_at(set), 256, 17, 17, 0);
  }
}

static void test_sparse(void **unused) {
  (void)unused;
  for (int set = 0; set < n_sets(); set++)
    for (size_t n = 0; n <= 100; n++) {
      const lt_vec *v = set_at(set);
      enum { WIDTH = 37 };
      void *b[6];
      float *value = floats(n, b), *w = floats(WIDTH, b + 1), *gf = floats(WIDTH, b + 2);
      double *wd = doubles(WIDTH, b + 3), *g = doubles(WIDTH, b + 4), want[WIDTH], want_f[WIDTH];
      int32_t *index = block(n, sizeof *index, 1, b + 5);
      for (size_t k = 0; k < n; k++) index[k] = (int32_t)(fabs(uniform()) * WIDTH);
      for (int ones = 0; ones < 2; ones++) {
        const float *val = ones ? NULL : value;
        long double sum = 0, sum_d = 0;
        for (size_t j = 0; j < WIDTH; j++) want[j] = g[j], want_f[j] = (double)gf[j];
        for (size_t k = 0; k < n; k++) {
          long double x = ones ? 1 : value[k];
          sum += x * w[index[k]], sum_d += x * wd[index[k]];
          want[index[k]] += (double)(0.3L * x), want_f[index[k]] += (double)(0.3f * (float)x);
        }
        assert_true(fabsl(v->dot_sparse(index, val, w, (int64_t)n) - sum) < 1e-13L);
        assert_true(fabsl(v->dot_sparse_f64(index, val, wd, (int64_t)n) - sum_d) < 1e-13L);
        v->axpy_sparse(0.3, index, val, g, (int64_t)n);
        v->axpy_sparse_ff(0.3f, index, val, gf, (int64_t)n);
        for (size_t j = 0; j < WIDTH; j++) {
          assert_true(fabs(g[j] - want[j]) < 1e-13);
          assert_true(fabs((double)gf[j] - want_f[j]) < 1e-4);
        }
      }
      for (int i = 0; i < 6; i++) free(b[i]);
    }
}

/* Distance in ulp of float, of `want` rounded down to the denormals. */
static long double ulps(float got, long double want) {
  if (isnan(want)) return isnan(got) ? 0 : INFINITY;
  if (fabsl(want) >= 0x1.ffffffp127L) return isinf(got) && (got > 0) == (want > 0) ? 0 : INFINITY;
  int e;
  frexpl(want, &e);
  return fabsl(got - want) / ldexpl(1, (e < -125 ? -125 : e) - 24);
}

static void unary_case(void (*f)(float *, int64_t), long double (*exact)(long double), const float *z, size_t n,
                       long double bound) {
  for (size_t from = 0; from < n; from += 97) {
    size_t m = n - from < 97 ? n - from : 97;
    void *base;
    float *p = block(m, sizeof *p, 1, &base);
    memcpy(p, z + from, m * sizeof *p);
    f(p, (int64_t)m);
    for (size_t i = 0; i < m; i++) {
      long double off = ulps(p[i], exact((long double)z[from + i]));
      if (!(off <= bound)) fail_msg("at %a: %a, off by %Lg ulp", (double)z[from + i], (double)p[i], off);
    }
    free(base);
  }
}

static long double sigmoid_exact(long double z) { return z >= 0 ? 1 / (1 + expl(-z)) : expl(z) / (1 + expl(z)); }

static void test_functions(void **unused) {
  (void)unused;
  enum { N = 400000 };
  float *z = malloc(N * sizeof *z);
  assert_non_null(z);
  static const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 88.72f, 88.73f, -87.4f, -103.9f, -104.1f, 1e30f,
                                  -1e30f, -1.0f, -0x1.fffffep-1f, 1e-38f, 1e-42f, 3.4e38f, -2.0f, 16777216.0f, 0.41421354f,
                                  0.41421360f, -0.29289320f, -0.29289325f};
  for (size_t i = 0; i < N; i++) { /* all magnitudes from 2^-40 to 2^8 */
    z[i] = ldexpf((float)uniform(), (int)(i % 48) - 39);
    if (i < sizeof special / sizeof *special) z[i] = special[i];
  }
  for (int set = 0; set < n_sets(); set++) {
    unary_case(set_at(set)->exp_ff, expl, z, N, 2);
    unary_case(set_at(set)->sigmoid_ff, sigmoid_exact, z, N, 4);
    unary_case(set_at(set)->log1p_ff, log1pl, z, N, 4);
  }
  free(z);
  for (int i = -80000; i <= 80000; i++) {
    double x = i * 0.01, got = lt_vec_get()->sigmoid(x);
    long double want = sigmoid_exact(x);
    assert_true(fabsl(got - want) <= 4e-16L * want + 1e-323L);
  }
  assert_true(isnan(lt_vec_get()->sigmoid(NAN)));
}

static void test_softmax(void **unused) {
  (void)unused;
  for (int set = 0; set < n_sets(); set++)
    for (size_t n = 0; n <= 100; n++) {
      size_t rows = 3, ld = n + 2;
      void *b[2];
      float *z = floats(2 * ld + n, b), *old = floats(2 * ld + n, b + 1);
      for (size_t i = 0; i < 2 * ld + n; i++) old[i] = z[i] *= n % 2 ? 3.0f : 50.0f;
      set_at(set)->softmax_ff(z, (int64_t)ld, (int64_t)rows, (int64_t)n);
      for (size_t r = 0; r < rows; r++) {
        long double top = -INFINITY, sum = 0;
        for (size_t j = 0; j < n; j++) top = fmaxl(top, old[r * ld + j]);
        for (size_t j = 0; j < n; j++) sum += expl(old[r * ld + j] - top);
        for (size_t j = 0; j < n; j++) {
          /* the subtraction z - top rounds by half an ulp of up to 128 */
          long double want = expl(old[r * ld + j] - top) / sum, rel = ((long double)n / 8 + 8) * 0x1p-23L + 128 * 0x1p-24L;
          assert_true(fabsl(z[r * ld + j] - want) <= rel * want + 1e-44L);
        }
        for (size_t j = n; j < ld && r + 1 < rows; j++) assert_true(z[r * ld + j] == old[r * ld + j]);
      }
      if (n) {
        z[n / 2] = NAN;
        set_at(set)->softmax_ff(z, (int64_t)ld, 1, (int64_t)n);
        for (size_t j = 0; j < n; j++) assert_true(isnan(z[j]));
      }
      free(b[0]), free(b[1]);
    }
}

static void test_logistic(void **unused) {
  (void)unused;
  for (int set = 0; set < n_sets(); set++)
    for (size_t n = 0; n <= 100; n++) {
      void *b[5];
      float *z = floats(n, b), *y = floats(n, b + 1), *w = floats(n, b + 2), *g = floats(n, b + 3), *h = floats(n, b + 4);
      for (size_t i = 0; i < n; i++) {
        z[i] = ldexpf(z[i], (int)(i % 7)), y[i] = y[i] > 0 ? 1.0f : 0.0f, w[i] = fabsf(w[i]);
      }
      for (int weighted = 0; weighted < 2; weighted++) {
        double loss = set_at(set)->logistic_ff(z, y, weighted ? w : NULL, g, h, (int64_t)n);
        long double want = 0;
        for (size_t i = 0; i < n; i++) {
          long double s = 2 * (long double)y[i] - 1, t = s * z[i], wt = weighted ? (long double)w[i] : 1;
          long double p = sigmoid_exact(-t);
          want += wt * (log1pl(expl(-fabsl(t))) + (t < 0 ? -t : 0));
          assert_true(ulps(g[i], -s * wt * p) <= 8);
          assert_true(ulps(h[i], wt * p * sigmoid_exact(t)) <= 8);
        }
        assert_true(fabsl(loss - want) <= 6 * 0x1p-23L * want);
        assert_true(set_at(set)->logistic_ff(z, y, weighted ? w : NULL, NULL, NULL, (int64_t)n) == loss);
      }
      double loss = set_at(set)->logistic_ff(z, y, NULL, g, h, (int64_t)n);
      assert_true(set_at(set)->logistic_ff(z, y, NULL, z, y, (int64_t)n) == loss); /* in place */
      assert_memory_equal(z, g, n * sizeof *g);
      assert_memory_equal(y, h, n * sizeof *h);
      for (int i = 0; i < 5; i++) free(b[i]);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dots), cmocka_unit_test(test_dot_without_fill_keeps_nan), cmocka_unit_test(test_axpy),
      cmocka_unit_test(test_gemv), cmocka_unit_test(test_gram), cmocka_unit_test(test_sparse),
      cmocka_unit_test(test_functions), cmocka_unit_test(test_softmax), cmocka_unit_test(test_logistic)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
