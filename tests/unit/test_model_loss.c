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

/* Away from the corners, where the second derivative jumps. */
static void test_differences_of_the_others(void **state) {
  (void)state;
  static const char *const names[] = {"huber", "poisson", "quantile", "hinge", "squared_hinge"};
  lt_rng r;
  lt_rng_init(&r, 9, 1);
  for (int round = 0; round < 500; round++) {
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
      const lt_loss *l = lt_loss_find(names[k]);
      double y = l->target == LT_TARGET_NUMBER ? 3 * lt_rng_unit(&r) : round % 2, f = 1.5 * lt_rng_normal(&r);
      double d = k == 0 ? fabs(f - y) - args_of.shape : k == 2 ? fabs(y - f) - args_of.width
                 : k == 3 ? fabs(1 - (y > 0.5 ? f : -f)) - args_of.width : k == 4 ? 1 - (y > 0.5 ? f : -f) : 1;
      if (fabs(d) > 1e-3) check_differences(l, 1, &f, y);
    }
  }
}

/* Known values, and the bounds that a smoothing keeps: above the loss itself by no more than width / 4. */
static void test_corners(void **state) {
  (void)state;
  static const lt_loss_args sharp = {0.7, 0}, wide = {0.7, 0.4};
  const lt_loss *q = lt_loss_find("quantile"), *h = lt_loss_find("hinge"), *p = lt_loss_find("poisson");
  double f = 1, g, c;
  assert_true(fabs(q->eval(&f, 1, 3, &sharp, &g, &c) - 1.4) < 1e-15 && g == -0.7 && c == 0);
  assert_true(fabs(q->eval(&f, 1, -1, &sharp, &g, &c) - 0.6) < 1e-15 && fabs(g - 0.3) < 1e-15);
  f = -0.5;
  assert_true(h->eval(&f, 1, 1, &sharp, &g, &c) == 1.5 && g == -1 && h->eval(&f, 1, 0, &sharp, &g, &c) == 0.5 && g == 1);
  assert_true(lt_loss_find("squared_hinge")->eval(&f, 1, 1, &sharp, &g, &c) == 2.25 && g == -3 && c == 2);
  f = 2;
  assert_true(lt_loss_find("huber")->eval(&f, 1, 0, &sharp, &g, &c) == 0.7 * (2 - 0.35) && g == 0.7 && c == 0);
  f = log(4);
  assert_true(fabs(p->eval(&f, 1, 4, &sharp, &g, &c)) < 1e-14 && fabs(g) < 1e-14 && fabs(c - 4) < 1e-14);
  for (double at = -2; at <= 2; at += 0.01) {
    for (int y = 0; y < 2; y++) {
      double a = h->eval(&at, 1, y, &sharp, NULL, NULL), b = h->eval(&at, 1, y, &wide, NULL, NULL);
      assert_true(b >= a - 1e-15 && b <= a + 0.1 + 1e-15 && h->gap(at, y, &wide) >= 0 && h->gap(at, y, &sharp) == 0);
      a = q->eval(&at, 1, y, &sharp, NULL, NULL);
      b = q->eval(&at, 1, y, &wide, NULL, NULL);
      assert_true(b >= a - 1e-15 && b <= a + 0.1 + 1e-15 && q->gap(at, y, &wide) >= 0);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_differences_of_the_others),
      cmocka_unit_test(test_corners),
      cmocka_unit_test(test_finite_differences),
      cmocka_unit_test(test_known_values),
      cmocka_unit_test(test_extremes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
