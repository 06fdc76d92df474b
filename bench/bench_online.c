/* Progressive validation of the online learners: quality and rows/s from batches.
 *   bench_online LEARNER                     a synthetic sparse stream of 1 000 000 rows, 30 of 2^18 features
 *   bench_online LEARNER FILE [READER=VALUE...] any file that leat reads */
#include <leat/leat.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/rng.h"

enum { FEATURES = 1 << 18, ENTRIES = 30, BATCH = 1000, ROWS = 1000000 };

static void check(leat_status st, const leat_error *e) {
  if (!st) return;
  fprintf(stderr, "%s: %s\n", leat_status_name(st), e->message);
  exit(1);
}

static double seconds(void) { return (double)clock() / CLOCKS_PER_SEC; } /* of the processor: machines are shared */

static int ascending(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

/* The stream: ids floor(2^18 u^3), values normal, weights 2 normal for one id in 8, intercept -.5, 5 % labels flipped. */
static int stream_batch(lt_rng *r, const float *w, int64_t *start, int32_t *index, float *value, double *y) {
  for (int i = 0; i < BATCH; i++) {
    int32_t *id = index + i * ENTRIES;
    double m = -0.5;
    for (int k = 0; k < ENTRIES;) {
      double u = lt_rng_unit(r);
      int32_t t = (int32_t)(FEATURES * u * u * u);
      int twice = 0;
      for (int j = 0; j < k; j++) twice |= id[j] == t;
      if (!twice) id[k++] = t;
    }
    qsort(id, ENTRIES, sizeof *id, ascending);
    for (int k = 0; k < ENTRIES; k++) {
      value[i * ENTRIES + k] = (float)lt_rng_normal(r);
      m += (double)(w[id[k]] * value[i * ENTRIES + k]);
    }
    double p = 1 / (1 + exp(-m));
    y[i] = lt_rng_unit(r) < p * 0.95 + (1 - p) * 0.05;
    start[i + 1] = start[i] + ENTRIES;
  }
  return BATCH;
}

static void report(leat_trainer *t, double time, double all, int64_t rows) {
  static const char *const sets[] = {"all", "faded", "window", "no-change", "majority"};
  leat_error e = {0};
  e.struct_size = sizeof e;
  for (int64_t set = 0; set < 5; set++) {
    leat_metrics *k = NULL;
    int64_t n = 0;
    check(leat_trainer_metrics(t, set, &k, &e), &e);
    check(leat_metrics_count(k, &n, &e), &e);
    printf("%-10s", sets[set]);
    for (int64_t i = 0; i < n; i++) {
      const char *name = NULL;
      double v = 0;
      check(leat_metrics_name(k, i, &name, &e), &e);
      check(leat_metrics_value(k, name, &v, &e), &e);
      printf(" %s %.5g", name, v);
    }
    printf("\n");
    leat_metrics_free(k);
  }
  printf("learning %.0f rows/s, with reading %.0f rows/s\n", (double)rows / time, (double)rows / all);
}

static double run_stream(leat_runtime *rt, leat_trainer *t) {
  leat_error e = {0};
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  lt_rng r;
  e.struct_size = sizeof e;
  check(leat_schema_create(rt, &s, &e), &e);
  check(leat_schema_add_block(s, "x", FEATURES, 1, &e), &e);
  check(leat_schema_add_column(s, "y", LEAT_CATEGORY, LEAT_ROLE_TARGET, &e), &e);
  check(leat_schema_add_category(s, 1, "-1", &e), &e);
  check(leat_schema_add_category(s, 1, "1", &e), &e);
  check(leat_batch_create(rt, s, &b, &e), &e);
  float *w = malloc(FEATURES * sizeof *w), *value = malloc(sizeof *value * BATCH * ENTRIES);
  int32_t *index = malloc(sizeof *index * BATCH * ENTRIES);
  int64_t start[BATCH + 1] = {0};
  double y[BATCH], time = 0;
  if (!w || !value || !index) exit(1);
  lt_rng_init(&r, 1, 2);
  for (int i = 0; i < FEATURES; i++) {
    double a = lt_rng_normal(&r);
    w[i] = lt_rng_unit(&r) < 0.125 ? (float)(2 * a) : 0;
  }
  for (int64_t row = 0; row < ROWS; row += BATCH) {
    stream_batch(&r, w, start, index, value, y);
    leat_csr x = {0};
    leat_matrix labels = {0};
    x.struct_size = sizeof x;
    x.row_start = start;
    x.index = index;
    x.value = value;
    x.rows = BATCH;
    x.cols = FEATURES;
    x.dtype = LEAT_F32;
    labels.struct_size = sizeof labels;
    labels.data = y;
    labels.rows = BATCH;
    labels.cols = 1;
    labels.dtype = LEAT_F64;
    check(leat_batch_clear(b, &e), &e);
    check(leat_batch_set_csr(b, &x, &e), &e);
    check(leat_batch_set_labels(b, &labels, NULL, &e), &e);
    double begun = seconds();
    check(leat_trainer_test_then_train(t, b, 1, NULL, &e), &e);
    time += seconds() - begun;
  }
  free(w);
  free(value);
  free(index);
  leat_batch_free(b);
  leat_schema_free(s);
  return time;
}

static double run_file(leat_runtime *rt, leat_trainer *t, int n, char **args, int64_t *rows) {
  leat_error e = {0};
  leat_params *reader = NULL;
  leat_dataset *d = NULL;
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  double time = 0;
  e.struct_size = sizeof e;
  const char *spec = strstr(args[0], "svm") ? "reader/svmlight" : "reader/csv";
  check(leat_params_create(rt, spec, &reader, &e), &e);
  for (int i = 1; i < n; i++) {
    char *value = strchr(args[i], '=');
    if (!value) exit(2);
    *value++ = 0;
    check(leat_params_set_text(reader, args[i], value, &e), &e);
  }
  check(leat_dataset_open(rt, NULL, args[0], reader, &d, &e), &e);
  check(leat_dataset_schema(d, &s, &e), &e);
  check(leat_batch_create(rt, s, &b, &e), &e);
  for (int64_t got = 1; got > 0; *rows += got) {
    check(leat_dataset_next(d, BATCH, b, &got, &e), &e);
    double begun = seconds();
    check(leat_trainer_test_then_train(t, b, 1, NULL, &e), &e);
    time += seconds() - begun;
  }
  leat_batch_free(b);
  leat_schema_free(s);
  leat_dataset_free(d);
  leat_params_free(reader);
  return time;
}

int main(int n, char **args) {
  leat_runtime *rt = NULL;
  leat_params *p = NULL;
  leat_trainer *t = NULL;
  leat_error e = {0};
  int64_t rows = 0;
  e.struct_size = sizeof e;
  check(leat_runtime_create(NULL, &rt, &e), &e);
  check(leat_params_create(rt, "online/linear", &p, &e), &e);
  if (n > 1) check(leat_params_set_text(p, "learner", args[1], &e), &e);
  check(leat_trainer_create(rt, p, NULL, NULL, &t, &e), &e);
  double begun = seconds(), time = n > 2 ? run_file(rt, t, n - 2, args + 2, &rows) : run_stream(rt, t);
  report(t, time, seconds() - begun, n > 2 ? rows : ROWS);
  leat_trainer_free(t);
  leat_params_free(p);
  leat_runtime_free(rt);
  return 0;
}
