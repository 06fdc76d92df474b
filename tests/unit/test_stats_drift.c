/* The limit of psi holds what it states, whatever is compared: numbers, heavy tails, ties, zeros, missing values, labels of which
 * most are rare; with small windows and large ones, small references and large ones. And drift is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "base_files_help.h"
#include "stats/drift.h"

static mem_host host;
static leat_runtime *rt;
static lt_rng g;
static int start(void **state) {
  (void)state;
  return (rt = host_start(&host)) == NULL;
}
static int stop(void **state) { (void)state; return host_stop(&host, rt) != 0; }

enum { NORMAL, HEAVY, ZEROS, TIES, FEW, MISSING, SELDOM, NUMBERS, ZIPF = NUMBERS, SQUARE, EVEN, LONG, KINDS, LABELS = 3000, MOST = 20000 };
static const char *const kind_name[] = {"normal", "heavy tail", "zero-inflated", "ties", "few values", "a tenth missing", "seldom missing",
                                        "60 labels", "80 labels, steep", "200 labels alike", "3000 labels"};
static const int kind_labels[] = {60, 80, 200, LABELS};
static double cumulated[4][LABELS], sample[MOST];
static char label_text[LABELS][8];
static const char *label_names[LABELS];

static void labels_begin(void) {
  for (int k = 0; k < 4; k++) {
    double sum = 0;
    for (int i = 0; i < kind_labels[k]; i++) cumulated[k][i] = sum += k == 2 ? 1 : pow(i + 1, k == 1 ? -2 : -1);
    for (int i = 0; i < kind_labels[k]; i++) cumulated[k][i] /= sum;
  }
  for (int i = 0; i < LABELS; i++) {
    snprintf(label_text[i], sizeof label_text[i], "L%d", i);
    label_names[i] = label_text[i];
  }
}
static int draw_label(int kind) {
  double u = lt_rng_unit(&g);
  int low = 0, high = kind_labels[kind - ZIPF] - 1;
  while (low < high) {
    int mid = (low + high) / 2;
    if (cumulated[kind - ZIPF][mid] < u) low = mid + 1;
    else high = mid;
  }
  return low;
}
static double draw_number(int kind) {
  double u = lt_rng_unit(&g), v;
  switch (kind) {
  case HEAVY: return tan(3.14159265358979 * (u - 0.5)); /* Cauchy */
  case ZEROS: return u < 0.7 ? 0 : -log(1 - lt_rng_unit(&g));
  case TIES: return floor(20 * (u + lt_rng_unit(&g) + lt_rng_unit(&g)) / 3);
  case FEW: return floor(u * u * 5);
  case MISSING: return u < 0.1 ? (double)NAN : lt_rng_normal(&g);
  case SELDOM: v = lt_rng_normal(&g); return u < 0.001 ? (double)NAN : v;
  default: return lt_rng_normal(&g);
  }
}
static lt_profile *draw_reference(int kind, int64_t n) {
  lt_profile *p = NULL;
  int64_t count[LABELS] = {0};
  if (kind < NUMBERS) {
    for (int64_t i = 0; i < n; i++) sample[i] = draw_number(kind);
    assert_int_equal(lt_profile_number(rt, "x", sample, n, &p, NULL), LEAT_OK);
    return p;
  }
  for (int64_t i = 0; i < n; i++) count[draw_label(kind)]++;
  int64_t seen = 0;
  const char *names[LABELS];
  for (int i = 0; i < LABELS; i++)
    if (count[i]) {
      names[seen] = label_names[i];
      count[seen++] = count[i];
    }
  assert_int_equal(lt_profile_category(rt, "x", names, count, seen, 0, &p, NULL), LEAT_OK);
  return p;
}
static lt_profile *draw_window(int kind, const lt_profile *reference, int64_t m) {
  lt_profile *p = NULL;
  lt_put w;
  lt_get r;
  lt_put_init(&w, rt);
  lt_profile_save(reference, &w);
  lt_get_init(&r, rt, w.data, w.size);
  assert_int_equal(lt_profile_load(rt, &r, &p, NULL), LEAT_OK);
  lt_put_free(&w);
  lt_profile_clear(p);
  for (int64_t i = 0; i < m; i++) {
    if (kind < NUMBERS) sample[i] = draw_number(kind);
    else {
      const char *label = label_names[draw_label(kind)];
      lt_profile_add_label(p, label, strlen(label), 1);
    }
  }
  if (kind < NUMBERS) lt_profile_add_many(p, sample, m);
  return p;
}

/* Largest number that is no surprise (1 in 1000 tests) when `expected` are expected (Poisson). */
static int at_most(double expected) {
  double p = exp(-expected), sum = p;
  int k = 0;
  while (sum < 0.999) sum += p *= expected / ++k;
  return k;
}

/* Each window has eleven features, a new reference each time: of all its features together no more than alpha may raise. */
static void test_clean(void **state) {
  (void)state;
  const int64_t rows[] = {50, 100, 500, 5000}, reference_rows[] = {500, 2000, 10000};
  const double alpha[] = {0.02, 0.001};
  const int soak = getenv("LEAT_SOAK") != NULL, windows = soak ? 5000 : 1000;
  for (int s = soak ? 0 : 1; s < (soak ? 3 : 2); s++) {
    int raised[4][2] = {{0}}, of_kind[KINDS][2] = {{0}};
    lt_rng_init(&g, 5, (uint64_t)s);
    for (int i = 0; i < windows; i++) {
      int any[4][2] = {{0}};
      for (int kind = 0; kind < KINDS; kind++) {
        lt_profile *reference = draw_reference(kind, reference_rows[s]);
        for (int m = 0; m < 4; m++) {
          lt_profile *w = draw_window(kind, reference, rows[m]);
          for (int a = 0; a < 2; a++) {
            lt_drift d;
            assert_int_equal(lt_profile_drift(reference, w, alpha[a] / KINDS, &d, NULL), LEAT_OK);
            any[m][a] |= d.psi > d.limit;
            of_kind[kind][a] += d.psi > d.limit;
          }
          lt_profile_free(w);
        }
        lt_profile_free(reference);
      }
      for (int m = 0; m < 4; m++)
        for (int a = 0; a < 2; a++) raised[m][a] += any[m][a];
    }
    for (int m = 0; m < 4; m++)
      for (int a = 0; a < 2; a++) {
        print_message("reference %lld, window %lld, alpha %g: %d of %d clean windows raised\n", (long long)reference_rows[s], (long long)rows[m],
                      alpha[a], raised[m][a], windows);
        assert_true(raised[m][a] <= at_most(alpha[a] * windows));
      }
    for (int kind = 0; kind < KINDS; kind++) {
      print_message("  %s: %d of %d beyond %g / %d\n", kind_name[kind], of_kind[kind][0], 4 * windows, alpha[0], KINDS);
      assert_true(of_kind[kind][0] <= at_most(alpha[0] / KINDS * 4 * windows) + 4); /* the four windows share a reference */
    }
  }
}

/* A fifth of a deviation on 5000 rows; a label that is new; a tenth that is lost. */
static void test_found(void **state) {
  (void)state;
  const double alpha = 0.001 / 30;
  int found = 0;
  lt_drift d;
  lt_rng_init(&g, 6, 1);
  for (int i = 0; i < 200; i++) {
    lt_profile *reference = draw_reference(NORMAL, 10000), *w = draw_window(NORMAL, reference, 1);
    lt_profile_clear(w);
    for (int k = 0; k < 5000; k++) lt_profile_add(w, lt_rng_normal(&g) + 0.2);
    assert_int_equal(lt_profile_drift(reference, w, alpha, &d, NULL), LEAT_OK);
    found += d.psi > d.limit && d.psi > 0.02;
    lt_profile_free(w);
    lt_profile_free(reference);
  }
  print_message("a shift of 0.2 deviations on 5000 rows: found in %d of 200\n", found);
  assert_true(found >= 198);
  lt_profile *reference = draw_reference(SQUARE, 10000), *w = draw_window(SQUARE, reference, 450);
  lt_profile_add_label(w, "new", 3, 50);
  assert_int_equal(lt_profile_drift(reference, w, alpha, &d, NULL), LEAT_OK);
  assert_true(d.psi > d.limit && d.worst == lt_profile_cells(reference) - 2);
  lt_profile_free(w);
  lt_profile_free(reference);
  reference = draw_reference(NORMAL, 10000);
  w = draw_window(NORMAL, reference, 450);
  for (int k = 0; k < 50; k++) lt_profile_add(w, NAN);
  assert_int_equal(lt_profile_drift(reference, w, alpha, &d, NULL), LEAT_OK);
  assert_true(d.psi > d.limit && d.worst == lt_profile_cells(reference) - 4 && fabs(d.p - 0.1) < 1e-12 && d.q == 0);
  lt_profile_free(w);
  w = draw_window(NORMAL, reference, 450); /* beyond anything there was */
  for (int k = 0; k < 50; k++) lt_profile_add(w, 100);
  assert_int_equal(lt_profile_drift(reference, w, alpha, &d, NULL), LEAT_OK);
  assert_true(d.psi > d.limit && d.worst == lt_profile_cells(reference) - 1 && fabs(d.p - 0.1) < 1e-12);
  lt_profile_free(w);
  lt_profile_free(reference);
}

/* By hand: two cells of 60 and 40 of 100 rows against 30 and 70; half a row is added to each. */
static void test_by_hand(void **state) {
  (void)state;
  const char *const names[] = {"a", "b"};
  const int64_t before[] = {60, 40};
  lt_profile *q = NULL, *p = NULL;
  lt_drift d;
  assert_int_equal(lt_profile_category(rt, "x", names, before, 2, 0, &q, NULL), LEAT_OK);
  assert_int_equal(lt_profile_category(rt, "x", names, before, 2, 0, &p, NULL), LEAT_OK);
  lt_profile_clear(p);
  lt_profile_add_label(p, "a", 1, 30);
  lt_profile_add_label(p, "b", 1, 70);
  assert_int_equal(lt_profile_drift(q, p, 0.05, &d, NULL), LEAT_OK);
  double a = 30.5 / 101, b = 60.5 / 101;
  assert_true(fabs(d.psi - ((a - b) * log(a / b) + (b - a) * log((1 - a) / (1 - b)))) < 1e-12);
  assert_true(fabs(d.limit - 0.02 * 3.841458820694124) < 1e-9);
  assert_int_equal(d.cells, 2);
  assert_true(fabs(d.linf - 0.3) < 1e-12 && isnan(d.ks) && d.n == 100 && d.m == 100);
  lt_profile_clear(p);
  assert_int_equal(lt_profile_drift(q, p, 0.05, &d, NULL), LEAT_OK); /* nothing to compare */
  assert_true(d.psi == 0 && d.limit == 0 && d.m == 0);
  lt_profile_free(p);
  assert_int_equal(lt_profile_category(rt, "x", names, before, 1, 0, &p, NULL), LEAT_OK);
  assert_int_equal(lt_profile_drift(q, p, 0.05, &d, NULL), LEAT_E_SHAPE);
  lt_profile_free(p);
  lt_profile_free(q);
}

int main(void) {
  labels_begin();
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_by_hand), cmocka_unit_test(test_found), cmocka_unit_test(test_clean)};
  return cmocka_run_group_tests(tests, start, stop);
}
