/* What a prediction costs through the public calls: ns a row (median of rounds), and rows a second in batches.
 * Usage: bench_predict [SECONDS for each line] */
#define _POSIX_C_SOURCE 200809L
#include <leat/leat.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "clock.h"
#include "model/model.h"
#include "data/store.h"

static leat_error err = {.struct_size = sizeof err};
static leat_runtime *rt;
static double seconds = 0.3;
static volatile double sink;

static void must(leat_status st, const char *what) {
  if (st == LEAT_OK) return;
  fprintf(stderr, "%s: %s\n", what, err.message);
  exit(1);
}

static double now(void) { return bench_clock(CLOCK_MONOTONIC); }

static uint64_t state = 1;
static double unit(void) { /* splitmix64 */
  uint64_t z = (state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* A model with made-up weights for the rows of d. */
static leat_model *model_for(leat_dataset *d) {
  leat_params *p = NULL;
  lt_encoder *e = NULL;
  lt_task task;
  void *params = NULL;
  leat_model *m = NULL;
  leat_schema *s = NULL;
  must(leat_params_create(rt, "model/linear", &p, &err), "params");
  must(lt_encoder_fit(rt, d, p, &e, &err), "encoder");
  s = lt_dataset_schema(d);
  must(lt_family_linear.task(lt_schema_classes(s), p, &task, &err), "task");
  must(lt_family_linear.create(rt, &task, lt_encoder_slots(e), p, &params, &err), "parameters");
  lt_linear *w = params;
  for (int64_t i = 0; i < w->n_out * w->n_slots; i++) w->weight[i] = unit() - 0.5;
  lt_model_parts parts = {.schema = s, .encoder = e, .family = &lt_family_linear, .params = params, .settings = p, .lineage = ""};
  must(lt_model_create(rt, &parts, &m, &err), "model");
  lt_family_linear.release(params);
  lt_encoder_free(e);
  leat_params_free(p);
  return m;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

typedef void (*round_fn)(void *arg, int64_t from, int64_t n);

/* Median over rounds of n calls. */
static double ns_of(round_fn f, void *arg, int64_t n) {
  double t[400];
  int k = 0;
  double end = now() + seconds;
  f(arg, 0, n);
  do {
    double a = now();
    f(arg, k * n, n);
    t[k++] = (now() - a) * 1e9 / (double)n;
  } while (k < 400 && now() < end);
  qsort(t, (size_t)k, sizeof *t, by_size);
  return t[k / 2];
}

typedef struct job {
  leat_predictor *q;
  float *x;
  double *xd;
  int32_t *index;
  const char *(*row)[8];
  leat_batch *batch;
  leat_dataset *d;
  leat_matrix in, out;
  int64_t rows, width;
} job;

static void one_f32(void *arg, int64_t from, int64_t n) {
  job *j = arg;
  float y[16], sum = 0;
  for (int64_t i = 0; i < n; i++) {
    leat_predictor_one_f32(j->q, j->x + (from + i) % j->rows * j->width, (uint64_t)j->width, y, 16, NULL);
    sum += y[0];
  }
  sink = (double)sum;
}
static void one_f64(void *arg, int64_t from, int64_t n) {
  job *j = arg;
  double y[16], sum = 0;
  for (int64_t i = 0; i < n; i++) {
    leat_predictor_one_f64(j->q, j->xd + (from + i) % j->rows * j->width, (uint64_t)j->width, y, 16, NULL);
    sum += y[0];
  }
  sink = sum;
}
static void one_sparse(void *arg, int64_t from, int64_t n) {
  job *j = arg;
  float y, sum = 0;
  for (int64_t i = 0; i < n; i++) {
    int64_t r = (from + i) % j->rows * j->width;
    leat_predictor_one_sparse(j->q, j->index + r, j->x + r, (uint64_t)j->width, &y, 1, NULL);
    sum += y;
  }
  sink = (double)sum;
}
static void one_text(void *arg, int64_t from, int64_t n) {
  job *j = arg;
  float y, sum = 0;
  for (int64_t i = 0; i < n; i++) {
    leat_predictor_one_text(j->q, j->row[(from + i) % j->rows], 8, &y, 1, NULL);
    sum += y;
  }
  sink = (double)sum;
}
static void run_dense(void *arg, int64_t from, int64_t n) {
  job *j = arg;
  (void)from;
  (void)n;
  must(leat_predictor_run(j->q, &j->in, &j->out, &err), "run");
}
static void run_batch(void *arg, int64_t from, int64_t n) {
  job *j = arg;
  (void)from;
  (void)n;
  must(leat_predictor_run_batch(j->q, j->batch, &j->out, &err), "run_batch");
}
static void run_dataset(void *arg, int64_t from, int64_t n) {
  job *j = arg;
  (void)from;
  (void)n;
  must(leat_predictor_run_dataset(j->q, j->d, &j->out, &err), "run_dataset");
}

static void line(const char *what, double ns, const char *limit) {
  printf("%-52s %9.1f ns/row %14.0f rows/s  %s\n", what, ns, 1e9 / ns, limit);
}

static leat_dataset *dense_rows(job *j, int64_t rows, int64_t width, int64_t classes) {
  leat_dataset *d = NULL;
  float *y = malloc((size_t)rows * sizeof *y);
  j->rows = rows;
  j->width = width;
  j->x = malloc((size_t)(rows * width) * sizeof *j->x);
  j->xd = malloc((size_t)(rows * width) * sizeof *j->xd);
  for (int64_t i = 0; i < rows * width; i++) j->xd[i] = (double)(j->x[i] = (float)(unit() - 0.5));
  for (int64_t i = 0; i < rows; i++) y[i] = (float)(i % classes);
  leat_matrix mx = {.struct_size = sizeof mx, .data = j->x, .rows = rows, .cols = width, .dtype = LEAT_F32};
  leat_matrix my = {.struct_size = sizeof my, .data = y, .rows = rows, .cols = 1, .dtype = LEAT_F32};
  must(leat_dataset_from_dense(rt, NULL, &mx, &my, NULL, &d, &err), "dataset");
  free(y);
  j->in = mx;
  j->out = (leat_matrix){.struct_size = sizeof j->out, .data = calloc((size_t)(rows * classes), sizeof(float)),
                         .rows = rows, .cols = classes > 2 ? classes : 1, .dtype = LEAT_F32};
  return d;
}

static void bench_dense(int64_t width, int64_t classes) {
  job j = {0};
  char what[80];
  leat_dataset *d = dense_rows(&j, 20000, width, classes);
  leat_model *m = model_for(d);
  must(leat_predictor_create(m, NULL, NULL, &j.q, &err), "predictor");
  j.d = d;
  must(leat_predictor_reserve(j.q, 1, &err), "reserve");
  j.rows = 64; /* one row at a time: from the cache, as a server's request is */
  snprintf(what, sizeof what, "one_f32, %d numbers, %d classes", (int)width, (int)classes);
  line(what, ns_of(one_f32, &j, 20000), width == 30 && classes == 2 ? "(goal 60)" : "");
  snprintf(what, sizeof what, "one_f64, %d numbers, %d classes", (int)width, (int)classes);
  line(what, ns_of(one_f64, &j, 20000), "");
  j.rows = 20000;
  snprintf(what, sizeof what, "run, %d numbers, %d classes", (int)width, (int)classes);
  line(what, ns_of(run_dense, &j, 1) / 20000, "");
  snprintf(what, sizeof what, "run_dataset, %d numbers, %d classes, all threads", (int)width, (int)classes);
  line(what, ns_of(run_dataset, &j, 1) / 20000, "");
  leat_predictor_free(j.q);
  leat_model_free(m);
  leat_dataset_free(d);
  free(j.x);
  free(j.xd);
  free(j.out.data);
}

static int by_index(const void *a, const void *b) { return *(const int32_t *)a - *(const int32_t *)b; }

static void bench_sparse(void) {
  enum { ROWS = 2000, NNZ = 100, WIDTH = 1 << 18 };
  job j = {0};
  int64_t *start = malloc((ROWS + 1) * sizeof *start);
  double *y = malloc(ROWS * sizeof *y);
  j.index = malloc(ROWS * NNZ * sizeof *j.index);
  j.x = malloc(ROWS * NNZ * sizeof *j.x);
  for (int64_t i = 0; i < ROWS * NNZ; i++) {
    j.index[i] = (int32_t)(unit() * (WIDTH / NNZ)) + (int32_t)(i % NNZ) * (WIDTH / NNZ);
    j.x[i] = (float)(unit() + 0.1);
  }
  for (int64_t i = 0; i <= ROWS; i++) start[i] = i * NNZ;
  for (int64_t i = 0; i < ROWS; i++) {
    y[i] = (double)(i % 2);
    qsort(j.index + i * NNZ, NNZ, sizeof *j.index, by_index);
  }
  leat_csr csr = {.struct_size = sizeof csr, .row_start = start, .index = j.index, .value = j.x, .rows = ROWS, .cols = WIDTH,
                  .dtype = LEAT_F32};
  leat_matrix my = {.struct_size = sizeof my, .data = y, .rows = ROWS, .cols = 1, .dtype = LEAT_F64};
  must(leat_dataset_from_csr(rt, NULL, &csr, &my, NULL, &j.d, &err), "dataset");
  leat_model *m = model_for(j.d);
  must(leat_predictor_create(m, NULL, NULL, &j.q, &err), "predictor");
  j.rows = ROWS;
  j.width = NNZ;
  line("one_sparse, 100 of 2^18", ns_of(one_sparse, &j, ROWS), "(goal 350)");
  j.out = (leat_matrix){.struct_size = sizeof j.out, .data = calloc(ROWS, sizeof(float)), .rows = ROWS, .cols = 1,
                        .dtype = LEAT_F32};
  line("run_dataset, 100 of 2^18, all threads", ns_of(run_dataset, &j, 1) / ROWS, "");
  leat_predictor_free(j.q);
  leat_model_free(m);
  leat_dataset_free(j.d);
  free(start);
  free(y);
  free(j.index);
  free(j.x);
  free(j.out.data);
}

/* Rows as a telecom's customers are: numbers, flags, contracts. */
static void bench_mixed(void) {
  enum { ROWS = 5000 };
  static const char *const names[] = {"tenure", "contract", "monthly", "internet", "total", "payment", "senior", "partner"};
  static const char *const contracts[] = {"Month-to-month", "One year", "Two year"}, *const nets[] = {"DSL", "Fiber optic", "No"};
  static const char *const pays[] = {"Electronic check", "Mailed check", "Bank transfer (automatic)", "Credit card (automatic)"};
  static char number[ROWS][3][16];
  static const char *row[ROWS][8];
  job j = {.row = row, .rows = ROWS};
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  must(leat_schema_create(rt, &s, &err), "schema");
  for (int i = 0; i < 8; i++)
    must(leat_schema_add_column(s, names[i], i == 0 || i == 2 || i == 4 ? LEAT_NUMBER : LEAT_CATEGORY, LEAT_ROLE_FEATURE, &err), "column");
  must(leat_schema_add_column(s, "churn", LEAT_CATEGORY, LEAT_ROLE_TARGET, &err), "column");
  for (int i = 0; i < 3; i++) must(leat_schema_add_category(s, 1, contracts[i], &err), "label");
  for (int i = 0; i < 3; i++) must(leat_schema_add_category(s, 3, nets[i], &err), "label");
  for (int i = 0; i < 4; i++) must(leat_schema_add_category(s, 5, pays[i], &err), "label");
  for (int c = 6; c < 9; c++) {
    must(leat_schema_add_category(s, c, "No", &err), "label");
    must(leat_schema_add_category(s, c, "Yes", &err), "label");
  }
  must(leat_batch_create(rt, s, &b, &err), "batch");
  for (int i = 0; i < ROWS; i++) {
    snprintf(number[i][0], 16, "%d", (int)(unit() * 72));
    snprintf(number[i][1], 16, "%d.%02d", (int)(unit() * 120), (int)(unit() * 100));
    snprintf(number[i][2], 16, "%d.%02d", (int)(unit() * 8000), (int)(unit() * 100));
    const char *f[9] = {number[i][0], contracts[(int)(unit() * 3)], number[i][1], nets[(int)(unit() * 3)], number[i][2],
                        pays[(int)(unit() * 4)], unit() < 0.2 ? "Yes" : "No", unit() < 0.5 ? "Yes" : "No", i % 4 ? "No" : "Yes"};
    memcpy(row[i], f, sizeof row[i]);
    must(leat_batch_add_text(b, f, 9, &err), "row");
  }
  must(lt_dataset_of(b, &j.d, &err), "dataset");
  j.batch = b;
  leat_model *m = model_for(j.d);
  must(leat_predictor_create(m, NULL, NULL, &j.q, &err), "predictor");
  must(leat_predictor_reserve(j.q, 1, &err), "reserve");
  line("one_text, 3 numbers + 5 categories", ns_of(one_text, &j, ROWS), "");
  j.width = 8;
  j.xd = malloc(ROWS * 8 * sizeof *j.xd);
  for (int i = 0; i < ROWS * 8; i++) j.xd[i] = i % 8 == 0 || i % 8 == 2 || i % 8 == 4 ? unit() * 72 : (double)(int)(unit() * 2);
  line("one_f64, 3 numbers + 5 codes", ns_of(one_f64, &j, ROWS), "");
  j.out = (leat_matrix){.struct_size = sizeof j.out, .data = calloc(ROWS, sizeof(float)), .rows = ROWS, .cols = 1,
                        .dtype = LEAT_F32};
  line("run_batch, 3 numbers + 5 categories", ns_of(run_batch, &j, 1) / ROWS, "");
  leat_predictor_free(j.q);
  leat_model_free(m);
  leat_dataset_free(j.d);
  leat_schema_free(s);
  free(j.xd);
  free(j.out.data);
}

int main(int argc, char **argv) {
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = 2};
  if (argc > 1) seconds = atof(argv[1]);
  must(leat_runtime_create(&opts, &rt, &err), "runtime");
  bench_dense(30, 2);
  bench_dense(30, 7);
  bench_dense(784, 10);
  bench_sparse();
  bench_mixed();
  leat_runtime_free(rt);
  return 0;
}
