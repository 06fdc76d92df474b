/* Progressive validation of the online learners: quality and rows/s.
 *   bench_online LEARNER                     a synthetic sparse stream of 1 000 000 rows, 30 of 2^18 features
 *   bench_online LEARNER FILE [NAME=VALUE...] any file that leat reads, in passes (reader parameter stream=1)
 * NAME: threads (1); store=FOLDER (it must not be there): a durable learner instead of the bare loop, with commit_rows=N
 *   (65536) rows a commit and parameters of "learner" (guard, ...); or a parameter of the reader.
 * The last line is for programs: rows, seconds of processor time and of the wall from opening the file to the end of the last
 *   commit, and the loss. bench_online.py runs it beside Vowpal Wabbit. */
#include <leat/leat.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/rng.h"

enum { FEATURES = 1 << 18, ENTRIES = 30, BATCH = 1000, FILE_BATCH = 4096, ROWS = 1000000 };

typedef struct run {
  leat_runtime *rt;
  leat_params *model, *settings, *reader;
  leat_trainer *trainer;
  leat_store *store;
  leat_learner *learner;
  const char *folder;
  int64_t threads, commit_rows, rows;
  double learning;
} run;

static void check(leat_status st, const leat_error *e) {
  if (!st) return;
  fprintf(stderr, "%s: %s\n", leat_status_name(st), e->message);
  exit(1);
}

static double wall(void) {
  struct timespec t;
  timespec_get(&t, TIME_UTC);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
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

static void show(leat_metrics *k, const char *set) {
  leat_error e = {0};
  e.struct_size = sizeof e;
  int64_t n = 0;
  check(leat_metrics_count(k, &n, &e), &e);
  printf("%-10s", set);
  for (int64_t i = 0; i < n; i++) {
    const char *name = NULL;
    double v = 0;
    check(leat_metrics_name(k, i, &name, &e), &e);
    check(leat_metrics_value(k, name, &v, &e), &e);
    printf(" %s %.5g", name, v);
  }
  printf("\n");
}

static void report(run *r, double cpu, double time) {
  static const char *const sets[] = {"all", "faded", "window", "no-change", "majority"};
  leat_error e = {0};
  double loss = 0;
  e.struct_size = sizeof e;
  for (int64_t set = 0; set < 5; set++) {
    leat_metrics *k = NULL;
    check(r->learner ? leat_learner_metrics(r->learner, set, &k, &e) : leat_trainer_metrics(r->trainer, set, &k, &e), &e);
    show(k, sets[set]);
    if (set == 0) check(leat_metrics_value(k, "loss", &loss, &e), &e);
    leat_metrics_free(k);
  }
  printf("learning %.0f rows/s, with reading %.0f rows/s\n", (double)r->rows / r->learning, (double)r->rows / cpu);
  printf("result rows %lld cpu %.4f wall %.4f loss %.6f\n", (long long)r->rows, cpu, time, loss);
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

/* threads, store and commit_rows are the bench's own; the rest is whose name it is. */
static void take_option(run *r, char *option) {
  leat_error e = {0};
  e.struct_size = sizeof e;
  char *value = strchr(option, '=');
  if (!value) {
    fprintf(stderr, "%s: not NAME=VALUE\n", option);
    exit(2);
  }
  *value++ = 0;
  if (strcmp(option, "threads") == 0) r->threads = atoll(value);
  else if (strcmp(option, "commit_rows") == 0) r->commit_rows = atoll(value);
  else if (strcmp(option, "store") == 0) r->folder = value;
  else if (leat_params_set_text(r->settings, option, value, NULL) && leat_params_set_text(r->model, option, value, NULL))
    check(leat_params_set_text(r->reader, option, value, &e), &e);
}

/* Parameters are made before the runtime of the run is: threads is one of the options. */
static void begin(run *r, int n, char **args) {
  leat_runtime *rt = NULL;
  leat_runtime_opts o = {0};
  leat_error e = {0};
  e.struct_size = sizeof e;
  o.struct_size = sizeof o;
  r->threads = 1;
  r->commit_rows = 65536;
  for (int i = 3; i < n; i++)
    if (strncmp(args[i], "threads=", 8) == 0) r->threads = atoll(args[i] + 8);
  o.n_threads = r->threads;
  check(leat_runtime_create(&o, &rt, &e), &e);
  r->rt = rt;
  check(leat_params_create(rt, "online/linear", &r->model, &e), &e);
  check(leat_params_create(rt, "learner", &r->settings, &e), &e);
  if (n > 2) check(leat_params_create(rt, strstr(args[2], "svm") ? "reader/svmlight" : "reader/csv", &r->reader, &e), &e);
  if (n > 1) check(leat_params_set_text(r->model, "learner", args[1], &e), &e);
  if (n > 2) check(leat_params_set_i64(r->reader, "stream", 1, &e), &e);
  for (int i = 3; i < n; i++) take_option(r, args[i]);
}

static void make_learner(run *r, leat_schema *s) {
  leat_error e = {0};
  leat_params *p = NULL;
  e.struct_size = sizeof e;
  check(leat_params_create(r->rt, "store", &p, &e), &e);
  check(leat_params_set_i64(p, "create", 1, &e), &e);
  check(leat_store_open(r->rt, r->folder, p, &r->store, &e), &e);
  check(leat_learner_create(r->store, r->model, r->settings, s, NULL, &r->learner, &e), &e);
  leat_params_free(p);
}

static void run_file(run *r, const char *file) {
  leat_error e = {0};
  leat_dataset *d = NULL;
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  int64_t waiting = 0;
  e.struct_size = sizeof e;
  check(leat_dataset_open(r->rt, NULL, file, r->reader, &d, &e), &e);
  check(leat_dataset_schema(d, &s, &e), &e);
  check(leat_batch_create(r->rt, s, &b, &e), &e);
  if (r->folder) make_learner(r, s);
  else check(leat_trainer_create(r->rt, r->model, NULL, NULL, &r->trainer, &e), &e);
  for (int64_t got = 1; got > 0; r->rows += got) {
    check(leat_dataset_next(d, r->folder ? FILE_BATCH : BATCH, b, &got, &e), &e);
    double begun = seconds();
    if (!r->folder) check(leat_trainer_test_then_train(r->trainer, b, 1, NULL, &e), &e);
    else if (got > 0) check(leat_learner_feed(r->learner, b, NULL, &e), &e);
    waiting += got;
    if (r->folder && (waiting >= r->commit_rows || got == 0)) {
      check(leat_learner_commit(r->learner, &e), &e);
      waiting = 0;
    }
    r->learning += seconds() - begun;
  }
  leat_batch_free(b);
  leat_schema_free(s);
  leat_dataset_free(d);
}

int main(int n, char **args) {
  run r = {0};
  leat_error e = {0};
  e.struct_size = sizeof e;
  begin(&r, n, args);
  double cpu = seconds(), time = wall();
  if (n > 2) {
    run_file(&r, args[2]);
  } else {
    check(leat_trainer_create(r.rt, r.model, NULL, NULL, &r.trainer, &e), &e);
    r.learning = run_stream(r.rt, r.trainer);
    r.rows = ROWS;
  }
  report(&r, seconds() - cpu, wall() - time);
  leat_learner_free(r.learner);
  leat_store_free(r.store);
  leat_trainer_free(r.trainer);
  leat_params_free(r.model);
  leat_params_free(r.settings);
  leat_params_free(r.reader);
  leat_runtime_free(r.rt);
  return 0;
}
