/* Losses: gradients and Hessians against finite differences, extremes, links. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include "base/rng.h"
#include "model/loss.h"

enum { K = 5 };
static const lt_loss_args args_of = {0.7, 0.4}, *const A = &args_of;

static void check_differences(const lt_loss *l, int64_t n_out, const double *f, double y) {
  double g[K], h[K * K], g2[K], up[K], down[K], moved[K];
  l->eval(f, n_out, y, A, g, h);
  for (int64_t i = 0; i < n_out; i++) {
    double e = 1e-5;
    for (int64_t j = 0; j < n_out; j++) moved[j] = f[j];
    moved[i] = f[i] + e;
    double a = l->eval(moved, n_out, y, A, up, NULL);
    moved[i] = f[i] - e;
    double b = l->eval(moved, n_out, y, A, down, NULL);
    assert_true(fabs((a - b) / (2 * e) - g[i]) < 1e-7 * (1 + fabs(g[i])) + 1e-9 * fabs(a));
    for (int64_t j = 0; j < n_out; j++)
      assert_true(fabs((up[j] - down[j]) / (2 * e) - h[j * n_out + i]) < 1e-6 * (1 + fabs(h[j * n_out + i])));
  }
  /* what is asked for does not change what is given */
  assert_true(l->eval(f, n_out, y, A, NULL, NULL) == l->eval(f, n_out, y, A, g2, NULL));
  for (int64_t i = 0; i < n_out; i++) assert_true(g[i] == g2[i]);
}

static void test_finite_differences(void **state) {
  (void)state;
  lt_rng r;
  lt_rng_init(&r, 7, 1);
  for (int round = 0; round < 500; round++) {
    double f[K];
    for (int j = 0; j < K; j++) f[j] = 3 * lt_rng_normal(&r);
    check_differences(lt_loss_find("squared"), 1, f, lt_rng_normal(&r));
    check_differences(lt_loss_find("logistic"), 1, f, round % 2);
    check_differences(lt_loss_find("softmax"), 2 + round % 4, f, round % 2);
  }
}

static void test_known_values(void **state) {
  (void)state;
  double f[3] = {0, 0, 0}, g[3], h[9];
  assert_true(fabs(lt_loss_find("logistic")->eval(f, 1, 1, A, g, h) - log(2)) < 1e-15);
  assert_true(g[0] == -0.5 && h[0] == 0.25);
  assert_true(fabs(lt_loss_find("softmax")->eval(f, 3, 2, A, g, h) - log(3)) < 1e-15);
  assert_true(fabs(g[2] + 2.0 / 3) < 1e-15 && fabs(h[0] - 2.0 / 9) < 1e-15 && fabs(h[1] + 1.0 / 9) < 1e-15);
  f[0] = 3;
  assert_true(lt_loss_find("squared")->eval(f, 1, 1, A, g, h) == 2.0 && g[0] == 2.0 && h[0] == 1.0);
  assert_null(lt_loss_find(NULL));
}

/* Far out nothing overflows, and small numbers keep their digits. */
static void test_extremes(void **state) {
  (void)state;
  const lt_loss *l = lt_loss_find("logistic"), *s = lt_loss_find("softmax");
  const double far[] = {-1e308, -1000, -745, -40, 40, 745, 1000, 1e308};
  double g[3], h[9];
  for (unsigned i = 0; i < sizeof far / sizeof far[0]; i++)
    for (int y = 0; y < 2; y++) {
      double f = far[i], v = l->eval(&f, 1, y, A, g, h);
      assert_true(isfinite(v) && v >= 0 && isfinite(g[0]) && fabs(g[0]) <= 1 && isfinite(h[0]) && h[0] >= 0);
      double three[3] = {f, -f / 2, 0};
      v = s->eval(three, 3, y, A, g, h);
      assert_true(v >= 0 && !isnan(v));
      for (int j = 0; j < 9; j++) assert_true(isfinite(h[j]) && isfinite(g[j % 3]));
      s->link(three, 3);
      assert_true(fabs(three[0] + three[1] + three[2] - 1) < 1e-12);
    }
  double f = 40;
  assert_true(fabs(l->eval(&f, 1, 1, A, g, h) / exp(-40) - 1) < 1e-9);
  assert_true(fabs(g[0] / -exp(-40) - 1) < 1e-9);
  assert_true(fabs(h[0] / exp(-40) - 1) < 1e-9);
  l->link(&f, 1);
  assert_true(f <= 1 && f > 0.999);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_finite_differences),
      cmocka_unit_test(test_known_values),
      cmocka_unit_test(test_extremes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
