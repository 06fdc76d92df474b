/* Prints what the vector kernels take: ns of processor time a call, and GFLOP/s. Build with -DLEAT_BENCH=ON, run alone:
 *   bench_vec            every kernel of both sets */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "device/vec.h"

static double now(void) { return bench_clock(CLOCK_PROCESS_CPUTIME_ID); }

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

enum { ROWS = 4096, WIDTH = 1 << 18 };
typedef struct arena {
  float *x, *w, *v, *y, *value;
  double *wd, *xd, *h;
  int32_t *index;
} arena;
static volatile double sink;

typedef struct job {
  const lt_vec *v;
  arena *a;
  int64_t n;
} job;

static void run_dot_f64(const job *j, int64_t reps) {
  for (int64_t i = 0; i < reps; i++) sink = j->v->dot_f64(j->a->xd, j->a->wd, NULL, j->n);
}
static void run_dot_f32(const job *j, int64_t reps) {
  for (int64_t i = 0; i < reps; i++) sink = j->v->dot_f32(j->a->x + (i & 1023) * j->n, j->a->wd, NULL, j->n);
}
static void run_dot_f32_fill(const job *j, int64_t reps) {
  for (int64_t i = 0; i < reps; i++) sink = j->v->dot_f32(j->a->x, j->a->wd, j->a->xd, j->n);
}
static void run_dot_ff(const job *j, int64_t reps) {
  for (int64_t i = 0; i < reps; i++) sink = (double)j->v->dot_ff(j->a->x, j->a->w, j->n);
}
static void run_gemv(const job *j, int64_t reps) {
  for (int64_t i = 0; i < reps; i += 256) j->v->gemv_ff(j->a->x, j->n, j->a->w, 1, j->a->y, 256, j->n);
}
static void run_gemv_t(const job *j, int64_t reps) {
  for (int64_t i = 0; i < reps; i += 256) j->v->gemv_t_ff(j->a->x, j->n, j->a->v, j->a->y, 256, j->n);
}
static void run_gram(const job *j, int64_t reps) {
  for (int64_t i = 0; i < reps; i += 1024) j->v->gram_ff(j->a->x, j->n, j->a->v, j->a->h, j->n, 1024, j->n);
}
static void run_sparse(const job *j, int64_t reps) {
  for (int64_t i = 0; i < reps; i++)
    sink = j->v->dot_sparse(j->a->index + (i & 511) * j->n, j->a->value, j->a->w, j->n);
}
static void run_sparse_f64(const job *j, int64_t reps) {
  for (int64_t i = 0; i < reps; i++)
    sink = j->v->dot_sparse_f64(j->a->index + (i & 511) * j->n, j->a->value, j->a->wd, j->n);
}
static void run_axpy_sparse(const job *j, int64_t reps) {
  for (int64_t i = 0; i < reps; i++)
    j->v->axpy_sparse(1e-9, j->a->index + (i & 511) * j->n, j->a->value, j->a->h, j->n);
}
static void run_sigmoid_ff(const job *j, int64_t reps) {
  for (int64_t i = 0; i < reps; i++) j->v->sigmoid_ff(j->a->y, j->n);
}
static void run_exp_ff(const job *j, int64_t reps) {
  for (int64_t i = 0; i < reps; i++) j->v->exp_ff(j->a->y, j->n), j->a->y[0] = 0;
}
static void run_softmax(const job *j, int64_t reps) {
  for (int64_t i = 0; i < reps; i++) j->v->softmax_ff(j->a->y, 16, 16, j->n);
}
static void run_logistic(const job *j, int64_t reps) {
  for (int64_t i = 0; i < reps; i++)
    sink = j->v->logistic_ff(j->a->x, j->a->w, NULL, j->a->y, j->a->v + 8192, j->n);
}
static void run_sigmoid(const job *j, int64_t reps) {
  for (int64_t i = 0; i < reps; i++) sink = j->v->sigmoid((double)j->a->x[i & 1023]);
}

static void measure(const char *name, void (*run)(const job *, int64_t), const job *j, double flop) {
  enum { TRIES = 7 };
  double best[TRIES];
  int64_t reps = 1024;
  for (;; reps *= 4) {
    double t = now();
    run(j, reps);
    if (now() - t > 0.01) break;
  }
  for (int i = 0; i < TRIES; i++) {
    double t = now();
    run(j, reps);
    best[i] = (now() - t) / (double)reps;
  }
  qsort(best, TRIES, sizeof *best, by_value);
  printf("%-8s %-16s %6lld %12.2f %10.2f\n", j->v->name, name, (long long)j->n, best[TRIES / 2] * 1e9,
         flop / best[TRIES / 2] * 1e-9);
}

int main(void) {
  arena a = {.x = malloc(sizeof(float) * ROWS * 1024), .w = malloc(sizeof(float) * WIDTH),
             .v = malloc(sizeof(float) * 65536), .y = malloc(sizeof(float) * 65536),
             .value = malloc(sizeof(float) * 65536), .wd = malloc(sizeof(double) * WIDTH),
             .xd = malloc(sizeof(double) * 65536), .h = calloc(WIDTH > 1024 * 1024 ? WIDTH : 1024 * 1024, sizeof(double)),
             .index = malloc(sizeof(int32_t) * 512 * 1024)};
  if (!a.x || !a.w || !a.v || !a.y || !a.value || !a.wd || !a.xd || !a.h || !a.index) return 1;
  for (int64_t i = 0; i < (int64_t)ROWS * 1024; i++) a.x[i] = (float)(rand() % 2001 - 1000) * 1e-3f;
  for (int64_t i = 0; i < WIDTH; i++) a.w[i] = (float)(rand() % 2), a.wd[i] = 1e-3 * (rand() % 1000);
  for (int64_t i = 0; i < 65536; i++) a.v[i] = a.y[i] = a.value[i] = 1e-3f * (float)(rand() % 1000), a.xd[i] = a.wd[i];
  for (int64_t i = 0; i < 512 * 1024; i++) a.index[i] = (rand() << 10 ^ rand()) & (WIDTH - 1);
  printf("%-8s %-16s %6s %12s %10s\n", "set", "kernel (a row)", "n", "ns", "GFLOP/s");
  for (int set = 0; set < 2; set++) {
    job j = {set ? lt_vec_avx2() : lt_vec_generic(), &a, 0};
    if (!j.v) continue;
    static const int64_t sizes[] = {8, 30, 100, 500};
    for (int k = 0; k < 4; k++) {
      j.n = sizes[k];
      double n = (double)j.n;
      measure("dot_f64", run_dot_f64, &j, 2 * n);
      measure("dot_f32", run_dot_f32, &j, 2 * n);
      measure("dot_f32 filled", run_dot_f32_fill, &j, 2 * n);
      measure("dot_ff", run_dot_ff, &j, 2 * n);
      measure("gemv_ff", run_gemv, &j, 2 * n);
      measure("gemv_t_ff", run_gemv_t, &j, 2 * n);
      measure("gram_ff", run_gram, &j, n * (n + 1));
    }
    j.n = 100;
    measure("dot_sparse", run_sparse, &j, 200);
    measure("dot_sparse_f64", run_sparse_f64, &j, 200);
    measure("axpy_sparse", run_axpy_sparse, &j, 200);
    j.n = 10;
    measure("softmax_ff x16", run_softmax, &j, 160);
    j.n = 1024;
    measure("sigmoid_ff", run_sigmoid_ff, &j, 1024);
    measure("exp_ff", run_exp_ff, &j, 1024);
    measure("logistic_ff", run_logistic, &j, 1024);
    j.n = 1;
    measure("sigmoid", run_sigmoid, &j, 1);
  }
  return 0;
}
