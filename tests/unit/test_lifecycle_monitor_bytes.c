/* A monitor's state as bytes: every version is read for ever. With --write PATH (--write-clock PATH) it writes the golden file of
 * the present one by rows (by the clock, which is the test's: six seconds between two calls). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "leat/leat.h"

static leat_runtime *rt;
static int64_t now;
static int64_t tell(void *user) {
  (void)user;
  return now;
}
static leat_error e = {.struct_size = sizeof e};
#define OK(call)                                       \
  do {                                                 \
    if ((call) != LEAT_OK) fail_msg("%s", e.message);  \
  } while (0)
enum { BYTES = 1 << 20, ROWS = 250, TIMES = 9 };

static leat_model *load_model(void) {
  leat_model *m = NULL;
  OK(leat_model_load(rt, "tests/golden/model-linear-v2.leat", &m, &e));
  return m;
}
/* The same for ever: numbers that wander, row after row. */
static void count(leat_monitor *w, const leat_model *m, int from, int to) {
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  OK(leat_model_schema(m, &s, &e));
  OK(leat_batch_create(rt, s, &b, &e));
  for (int t = from; t < to; t++) {
    double x[3 * ROWS], y[ROWS];
    now = 1700000000000000000 + t * INT64_C(6000000000);
    for (int i = 0; i < ROWS; i++) {
      int r = t * ROWS + i;
      x[3 * i] = ((r * 37) % 101 - 50) / 32.0 + (t >= 4 ? 1.5 : 0);
      x[3 * i + 1] = ((r * 53) % 97 - 48) / 32.0;
      x[3 * i + 2] = ((r * 71) % 89 - 44) / 32.0;
      y[i] = r % 3 == 0;
    }
    leat_matrix mx = {.struct_size = sizeof mx, .data = x, .rows = ROWS, .cols = 3, .dtype = LEAT_F64};
    leat_matrix my = {.struct_size = sizeof my, .data = y, .rows = ROWS, .cols = 1, .dtype = LEAT_F64};
    OK(leat_batch_set_dense(b, &mx, &e));
    OK(leat_batch_set_labels(b, &my, NULL, &e));
    OK(leat_monitor_update(w, b, &e));
  }
  leat_batch_free(b);
  leat_schema_free(s);
}
static leat_monitor *make(const leat_model *m, double seconds) {
  leat_params *p = NULL;
  leat_monitor *w = NULL;
  OK(leat_params_create(rt, "monitor", &p, &e));
  OK(leat_params_set_i64(p, "window", seconds > 0 ? 0 : 600, &e));
  OK(leat_params_set_f64(p, "window_seconds", seconds, &e));
  OK(leat_params_set_i64(p, "min_rows", 100, &e));
  OK(leat_monitor_create(m, p, &w, &e));
  leat_params_free(p);
  return w;
}
static int near(double a, double b) { return a == b || fabs(a - b) <= 1e-12 * fabs(a) || (isnan(a) && isnan(b)); }
static void same(const leat_monitor *a, const leat_monitor *b) {
  int64_t n = 0, k = 0;
  OK(leat_monitor_count(a, &n, &e));
  OK(leat_monitor_count(b, &k, &e));
  assert_int_equal(n, k);
  for (k = 0; k < n; k++) {
    leat_drift_info i = {.struct_size = sizeof i}, j = {.struct_size = sizeof j};
    OK(leat_monitor_at(a, k, &i, &e));
    OK(leat_monitor_at(b, k, &j, &e));
    assert_string_equal(i.name, j.name);
    assert_string_equal(i.worst_cell, j.worst_cell);
    assert_true(i.state == j.state && i.rows == j.rows && i.windows == j.windows && near(i.value, j.value) && near(i.warn, j.warn) &&
                near(i.alert, j.alert) && near(i.share, j.share) && near(i.reference_share, j.reference_share) && near(i.js, j.js) &&
                near(i.ks, j.ks) && near(i.linf, j.linf));
  }
}

/* Read, it goes on like the one that was never written: the last window was the old library's, those that follow are ours. */
static void golden(const char *path, double seconds, int present) {
  leat_model *m = load_model();
  leat_monitor *w = NULL, *own = make(m, seconds);
  uint8_t *buf = malloc(BYTES), *again = malloc(BYTES);
  uint64_t needed = 0;
  FILE *f = fopen(path, "rb");
  if (!f) fail_msg("%s cannot be opened: run from the repository's root", path);
  uint64_t n = fread(buf, 1, BYTES, f);
  fclose(f);
  OK(leat_monitor_load(m, buf, n, &w, &e));
  count(own, m, 0, TIMES);
  int64_t state = 0, rows = 0;
  OK(leat_monitor_state(w, &state, &rows, &e));
  assert_true(rows == ROWS * TIMES && state == LEAT_DRIFT_ALERT);
  same(w, own);
  if (present) {
    OK(leat_monitor_save(w, again, BYTES, &needed, &e));
    assert_int_equal(needed, n);
    assert_memory_equal(buf, again, n);
  }
  count(w, m, TIMES, TIMES + 5); /* two windows more */
  count(own, m, TIMES, TIMES + 5);
  same(w, own);
  for (uint64_t cut = 0; cut < n; cut += 7) {
    leat_monitor *none = NULL;
    assert_int_equal(leat_monitor_load(m, buf, cut, &none, NULL), LEAT_E_FORMAT);
    assert_null(none);
  }
  free(buf);
  free(again);
  leat_monitor_free(w);
  leat_monitor_free(own);
  leat_model_free(m);
}
static void test_golden(void **state) {
  (void)state;
  golden("tests/golden/monitor-v1.bin", 0, 0);
  golden("tests/golden/monitor-v2.bin", 0, 1);
  golden("tests/golden/monitor-v3.bin", 10, 1);
}

/* 250 rows each six seconds: of windows of ten seconds each third call ends one, of 500 rows. Never one of too few. */
static void test_clock(void **state) {
  (void)state;
  leat_model *m = load_model();
  leat_monitor *w = make(m, 10);
  leat_drift_info i = {.struct_size = sizeof i};
  count(w, m, 0, 2);
  OK(leat_monitor_at(w, 0, &i, &e));
  assert_int_equal(i.state, LEAT_DRIFT_INSUFFICIENT);
  count(w, m, 2, 3);
  OK(leat_monitor_at(w, 0, &i, &e));
  assert_true(i.state == LEAT_DRIFT_OK && i.rows == 2 * ROWS && i.windows == 1);
  count(w, m, 3, 9);
  OK(leat_monitor_at(w, 0, &i, &e));
  assert_true(i.state == LEAT_DRIFT_ALERT && i.rows == 2 * ROWS);
  count(w, m, 20, 21); /* an hour later, in its terms: one window, whatever the time that has passed */
  OK(leat_monitor_at(w, 0, &i, &e));
  assert_true(i.state == LEAT_DRIFT_ALERT && i.rows == ROWS);
  count(w, m, 1, 2); /* the clock is set back: the window goes on, its time anew */
  OK(leat_monitor_at(w, 0, &i, &e));
  assert_int_equal(i.rows, ROWS);
  count(w, m, 4, 5);
  OK(leat_monitor_at(w, 0, &i, &e));
  assert_int_equal(i.rows, 2 * ROWS);
  leat_monitor *one = make(m, 10);
  assert_int_equal(leat_monitor_merge(w, one, NULL), LEAT_E_UNSUPPORTED);
  leat_monitor_free(one);
  leat_monitor_free(w);
  leat_model_free(m);
}

int main(int argc, char **argv) {
  leat_clock clock = {.struct_size = sizeof clock, .now_ns = tell, .monotonic_ns = tell};
  leat_runtime_opts opts = {.struct_size = sizeof opts, .clock = &clock};
  if (leat_runtime_create(&opts, &rt, NULL) != LEAT_OK) return 1;
  int bad = 0;
  if (argc == 3 && !strncmp(argv[1], "--write", 7)) {
    leat_model *m = load_model();
    leat_monitor *w = make(m, strcmp(argv[1], "--write") ? 10 : 0);
    uint8_t *buf = malloc(BYTES);
    uint64_t n = 0;
    count(w, m, 0, TIMES);
    OK(leat_monitor_save(w, buf, BYTES, &n, &e));
    FILE *f = fopen(argv[2], "wb");
    bad = !f || fwrite(buf, 1, n, f) != n || fclose(f);
    free(buf);
    leat_monitor_free(w);
    leat_model_free(m);
  } else {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_clock)};
    bad = cmocka_run_group_tests_name("lifecycle/monitor_bytes", tests, NULL, NULL);
  }
  leat_runtime_free(rt);
  return bad;
}
