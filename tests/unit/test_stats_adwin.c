/* ADWIN: false alarms and delays on streams of errors (MOA's with the same bound: 0 false alarms in 10 000 values, a step
 * from .2 to .35 found after 207 in the median, to .25 after 1519), the histogram's sums, bytes. */
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
#include "stats/adwin.h"

enum { SEEDS = 100, CALM = 10000, ALL = 15000 };

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Alarms in the calm part of all seeds; how many found the step, the median delay of those. */
static void runs(double after, int one_sided, int64_t *false_alarms, int64_t *found, double *median) {
  double delay[SEEDS];
  *false_alarms = *found = 0;
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    lt_adwin a;
    lt_rng r;
    lt_adwin_init(&a, one_sided, 32);
    lt_rng_init(&r, seed, 17);
    for (int64_t i = 0; i < ALL; i++) {
      lt_adwin_add(&a, lt_rng_unit(&r) < (i < CALM ? 0.2 : after));
      if (!lt_adwin_changed(&a, 0.002, NULL)) continue;
      lt_adwin_cut(&a, 0.002);
      *false_alarms += i < CALM;
      if (i < CALM) continue;
      delay[(*found)++] = (double)(i - CALM + 1);
      break;
    }
  }
  qsort(delay, (size_t)*found, sizeof *delay, by_value);
  *median = *found ? delay[*found / 2] : NAN;
}

static void as_moa(void **state) {
  (void)state;
  int64_t false_alarms, found;
  double median;
  runs(0.35, 0, &false_alarms, &found, &median);
  assert_true(false_alarms <= 2);
  assert_int_equal(found, SEEDS);
  assert_true(median > 150 && median < 270);
  runs(0.25, 0, &false_alarms, &found, &median);
  assert_true(false_alarms <= 2 && found >= 98);
  assert_true(median > 1100 && median < 1900);
  runs(0.35, 1, &false_alarms, &found, &median);
  assert_true(false_alarms <= 2 && found == SEEDS && median < 270);
  runs(0.05, 1, &false_alarms, &found, &median); /* a decrease is nobody's business */
  assert_int_equal(found, 0);
}

static void sums(void **state) {
  (void)state;
  lt_adwin a;
  lt_rng r;
  double sum = 0, squares = 0;
  lt_adwin_init(&a, 1, 1);
  lt_rng_init(&r, 1, 2);
  for (int i = 1; i <= 5000; i++) {
    double x = lt_rng_unit(&r);
    sum += x;
    squares += x * x;
    lt_adwin_add(&a, x);
    assert_int_equal(a.n, i);
    if (i % 500) continue;
    assert_true(fabs(lt_adwin_mean(&a) - sum / i) < 1e-12);
    assert_true(fabs(a.m2 - (squares - sum * sum / i)) < 1e-8 * squares);
    double bucket = 0;
    int64_t n = 0;
    for (int l = 0; l < a.levels; l++) {
      assert_true(a.count[l] <= LT_ADWIN_BUCKETS);
      n += (int64_t)a.count[l] << l;
      for (int b = 0; b < a.count[l]; b++) bucket += a.bucket_sum[l][b];
    }
    assert_int_equal(n, i);
    assert_true(fabs(bucket - sum) < 1e-9 * sum);
  }
}

static void cut_keeps_the_new(void **state) {
  (void)state;
  lt_adwin a;
  double gap = 0;
  lt_adwin_init(&a, 1, 1);
  for (int i = 0; i < 4000; i++) lt_adwin_add(&a, i % 10 == 0);
  assert_false(lt_adwin_changed(&a, 0.002, &gap));
  for (int i = 0; i < 1000; i++) lt_adwin_add(&a, i % 2 == 0);
  assert_true(lt_adwin_changed(&a, 0.002, &gap) && gap > 1);
  lt_adwin_cut(&a, 0.002);
  assert_false(lt_adwin_changed(&a, 0.002, NULL));
  assert_true(a.n >= 1000 && a.n < 2000);
  assert_true(lt_adwin_mean(&a) > 0.35);
}

static void bytes(void **state) {
  (void)state;
  leat_runtime *rt = NULL;
  assert_int_equal(lt_runtime_create(NULL, &rt, NULL), LEAT_OK);
  lt_adwin a, b;
  lt_rng r;
  lt_adwin_init(&a, 1, 32);
  lt_rng_init(&r, 3, 2);
  for (int i = 0; i < 1234; i++) lt_adwin_add(&a, lt_rng_unit(&r));
  lt_put w, v;
  lt_get g;
  lt_put_init(&w, rt);
  lt_adwin_save(&a, &w);
  lt_adwin_init(&b, 1, 32);
  lt_get_init(&g, rt, w.data, w.size);
  lt_adwin_load(&b, &g);
  assert_int_equal(lt_get_status(&g, "", NULL), LEAT_OK);
  assert_int_equal(lt_get_left(&g), 0);
  for (int i = 0; i < 777; i++) {
    double x = lt_rng_unit(&r);
    lt_adwin_add(&a, x);
    lt_adwin_add(&b, x);
  }
  lt_put_init(&v, rt);
  lt_put_free(&w);
  lt_adwin_save(&a, &w);
  lt_adwin_save(&b, &v);
  assert_int_equal(w.size, v.size);
  assert_memory_equal(w.data, v.data, w.size);
  for (uint64_t cut = 0; cut < w.size; cut++) { /* cut short, and with a byte turned: an error or some detector */
    lt_get_init(&g, rt, w.data, cut);
    lt_adwin_load(&b, &g);
    assert_int_not_equal(lt_get_status(&g, "x", NULL), LEAT_OK);
    w.data[cut] ^= 0x5a;
    lt_get_init(&g, rt, w.data, w.size);
    lt_adwin_load(&b, &g);
    if (!lt_get_status(&g, "x", NULL))
      for (int i = 0; i < 40; i++) lt_adwin_add(&b, 1);
    w.data[cut] ^= 0x5a;
  }
  lt_put_free(&w);
  lt_put_free(&v);
  lt_runtime_unref(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_moa),
      cmocka_unit_test(sums),
      cmocka_unit_test(cut_keeps_the_new),
      cmocka_unit_test(bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
