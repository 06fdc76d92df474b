/* Progressive metrics against the same sums in the plainest way. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"
#include "stats/progressive.h"

static leat_runtime *rt;
static void ok(leat_status st) {
  if (st) fail_msg("status %d", st);
}
static double value(const lt_progressive *p, int64_t set, const char *name) {
  leat_metrics *k = NULL;
  double v = NAN;
  ok(lt_progressive_metrics(p, set, &k, NULL));
  ok(lt_metrics_value(k, name, &v, NULL));
  lt_metrics_free(k);
  return v;
}
#define NEAR(a, b) near_to(a, b, __LINE__)
static void near_to(double a, double b, int line) {
  if (!(fabs(a - b) <= 1e-11 * (1 + fabs(b)))) fail_msg("line %d: %.17g is not %.17g", line, a, b);
}
static lt_progressive *make(int numbers, int64_t window, int64_t half_life) {
  lt_progressive *p = NULL;
  ok(lt_progressive_create(rt, numbers, window, half_life, &p, NULL));
  return p;
}

enum { N = 3000 };
static double y[N], w[N], guess[N];
static void rows_of_two(void) {
  lt_rng r;
  lt_rng_init(&r, 1, 1);
  for (int i = 0; i < N; i++) {
    y[i] = (double)(lt_rng_unit(&r) < (i > 0 && y[i - 1] > 0 ? 0.7 : 0.2));
    w[i] = 0.5 * (double)(1 + lt_rng_below(&r, 4));
    guess[i] = 0.05 + 0.9 * lt_rng_unit(&r);
  }
}

static void two_classes(void **state) {
  (void)state;
  rows_of_two();
  lt_progressive *p = make(0, 100, 50);
  assert_true(isnan(lt_progressive_loss(p, 0)));
  double all = 0, right = 0, weight = 0, faded = 0, faded_loss = 0, recent = 0, recent_weight = 0, same = 0, common = 0;
  double base_weight = 0, ones = 0, total = 0;
  for (int i = 0; i < N; i++) {
    double loss = -log(y[i] > 0 ? guess[i] : 1 - guess[i]);
    lt_progressive_add(p, &guess[i], y[i], w[i]);
    all += w[i] * loss;
    weight += w[i];
    right += w[i] * ((guess[i] > 0.5) == (y[i] > 0));
    double f = exp2(-(double)(N - 1 - i) / 50);
    faded += w[i] * f;
    faded_loss += w[i] * f * loss;
    if (i >= N - 100) {
      recent += w[i] * loss;
      recent_weight += w[i];
    }
    if (i > 0) {
      same += w[i] * (y[i] == y[i - 1]);
      common += w[i] * (((ones + 1) / (total + 2) > 0.5) == (y[i] > 0));
      base_weight += w[i];
    }
    ones += w[i] * y[i];
    total += w[i];
  }
  NEAR(value(p, 0, "loss"), all / weight);
  NEAR(lt_progressive_loss(p, LT_PROGRESS_ALL), all / weight);
  NEAR(value(p, 0, "accuracy"), right / weight);
  NEAR(value(p, 1, "loss"), faded_loss / faded);
  NEAR(value(p, 2, "loss"), recent / recent_weight);
  NEAR(value(p, 2, "rows"), 100);
  NEAR(value(p, 3, "accuracy"), same / base_weight);
  NEAR(value(p, 4, "accuracy"), common / base_weight);
  NEAR(value(p, 3, "rows"), N - 1);
  assert_true(value(p, 3, "loss") < 0.7 && value(p, 4, "loss") < 0.7);
  leat_metrics *k = NULL;
  assert_int_equal(lt_progressive_metrics(p, 5, &k, NULL), LEAT_E_ARG);
  assert_int_equal(lt_progressive_metrics(p, -1, &k, NULL), LEAT_E_ARG);
  lt_progressive_free(p);
}

/* The weight of the faded sums doubles with every row here: it is brought back many times. */
static void fades_for_long(void **state) {
  (void)state;
  lt_progressive *p = make(1, 1, 1);
  ok(lt_progressive_grow(p, 0, NULL));
  for (int i = 0; i < 20000; i++) {
    double v = i % 3, at = i % 7;
    lt_progressive_add(p, &v, at, 1);
  }
  double sum = 0, weight = 0;
  for (int i = 19999; i > 19900; i--) {
    double f = exp2((double)(i - 19999)), d = i % 3 - i % 7;
    sum += f * d * d;
    weight += f;
  }
  NEAR(value(p, 1, "loss"), sum / weight);
  NEAR(value(p, 0, "rows"), 20000);
  assert_true(value(p, 3, "rmse") > value(p, 4, "rmse"));
  lt_progressive_free(p);
}

/* Classes that come up: what was scored before counts as it did. */
static void classes_come_up(void **state) {
  (void)state;
  rows_of_two();
  lt_progressive *p = make(0, 100, 50), *q = make(0, 100, 50);
  ok(lt_progressive_grow(q, 4, NULL));
  for (int i = 0; i < 500; i++) {
    const double four[4] = {1 - guess[i], guess[i], 0, 0};
    if (i == 200) ok(lt_progressive_grow(p, 3, NULL));
    if (i == 300) ok(lt_progressive_grow(p, 4, NULL));
    lt_progressive_add(p, i < 200 ? &guess[i] : four, y[i], w[i]);
    lt_progressive_add(q, four, y[i], w[i]);
  }
  static const char *const names[] = {"rows", "loss", "accuracy", "brier", "kappa"};
  for (int set = 0; set < 3; set++)
    for (int i = 0; i < 5; i++) NEAR(value(p, set, names[i]), value(q, set, names[i]));
  NEAR(value(p, 3, "accuracy"), value(q, 3, "accuracy"));
  assert_int_equal(lt_progressive_outputs(p), 4);
  ok(lt_progressive_grow(p, 2, NULL)); /* never fewer */
  assert_int_equal(lt_progressive_outputs(p), 4);
  lt_progressive_free(p);
  lt_progressive_free(q);
}

static void bytes_and_back(void **state) {
  (void)state;
  rows_of_two();
  for (int numbers = 0; numbers < 2; numbers++) {
    lt_progressive *p = make(numbers, 70, 50), *q = make(numbers, 70, 50);
    lt_put a, b;
    lt_get g;
    for (int i = 0; i < 200; i++) lt_progressive_add(p, &guess[i], y[i], w[i]);
    lt_put_init(&a, rt);
    lt_progressive_save(p, &a);
    lt_get_init(&g, rt, a.data, a.size);
    ok(lt_progressive_restore(q, &g, NULL));
    assert_int_equal(g.failed, 0);
    assert_int_equal(lt_get_left(&g), 0);
    for (int i = 200; i < N; i++) {
      lt_progressive_add(p, &guess[i], y[i], w[i]);
      lt_progressive_add(q, &guess[i], y[i], w[i]);
    }
    lt_put_free(&a);
    lt_put_init(&a, rt);
    lt_put_init(&b, rt);
    lt_progressive_save(p, &a);
    lt_progressive_save(q, &b);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    for (uint64_t cut = 0; cut < a.size; cut += 41) { /* a cut state is refused */
      lt_progressive *z = make(numbers, 70, 50);
      lt_get_init(&g, rt, a.data, cut);
      (void)lt_progressive_restore(z, &g, NULL);
      assert_true(g.failed);
      lt_progressive_free(z);
    }
    lt_put_free(&a);
    lt_put_free(&b);
    lt_progressive_free(p);
    lt_progressive_free(q);
  }
}

static int begin(void **state) {
  leat_runtime_opts o = {0};
  (void)state;
  o.struct_size = sizeof o;
  return lt_runtime_create(&o, &rt, NULL);
}
static int end(void **state) {
  (void)state;
  lt_runtime_unref(rt);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_classes),
      cmocka_unit_test(fades_for_long),
      cmocka_unit_test(classes_come_up),
      cmocka_unit_test(bytes_and_back),
  };
  return cmocka_run_group_tests(tests, begin, end);
}
