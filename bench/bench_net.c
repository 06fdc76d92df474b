/* What a network's prediction costs through the public calls, beside the time that reading its weights takes.
 * Usage: bench_net MODEL [SECONDS for each line]; one line of JSON. The model takes rows of numbers. */
#define _POSIX_C_SOURCE 200809L
#include "clock.h"
#include <leat/leat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static leat_error err = {.struct_size = sizeof err};
static double seconds = 0.5;
static float sink;

static void must(leat_status st, const char *what) {
  if (st == LEAT_OK) return;
  fprintf(stderr, "%s: %s\n", what, err.message);
  exit(1);
}

static double now(void) { return bench_clock(CLOCK_MONOTONIC); }

typedef struct bench { leat_predictor *q; const float *x; float *y; const float *weights; int64_t n_weights, cols, outs, rows; } bench;

static void one(bench *b) { must(leat_predictor_one_f32(b->q, b->x, (uint64_t)b->cols, b->y, (uint64_t)b->outs, &err), "one"); }

static void batch(bench *b) {
  leat_matrix x = {.struct_size = sizeof x, .data = (void *)(uintptr_t)b->x, .rows = b->rows, .cols = b->cols, .dtype = LEAT_F32};
  leat_matrix y = {.struct_size = sizeof y, .data = b->y, .rows = b->rows, .cols = b->outs, .dtype = LEAT_F32};
  must(leat_predictor_run(b->q, &x, &y, &err), "run");
}

/* As many bytes as the weights have, summed in eight chains of vectors: memory is the limit. */
typedef float floats __attribute__((vector_size(16)));
static void read_weights(bench *b) {
  floats s[8] = {{0}};
  const floats *w = (const floats *)(const void *)b->weights;
  for (int64_t i = 0; i + 8 <= b->n_weights / 4; i += 8)
    for (int k = 0; k < 8; k++) s[k] += w[i + k];
  for (int k = 0; k < 8; k++) sink += s[k][0] + s[k][3];
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Median of rounds, in microseconds a call. */
static double measure(void (*what)(bench *), bench *b) {
  enum { ROUNDS = 41 };
  double t[ROUNDS], begun = now();
  int64_t calls = 0;
  do {
    what(b);
    calls++;
  } while (now() - begun < seconds / 10);
  calls = calls * 10 / ROUNDS + 1;
  for (int r = 0; r < ROUNDS; r++) {
    begun = now();
    for (int64_t k = 0; k < calls; k++) what(b);
    t[r] = 1e6 * (now() - begun) / (double)calls;
  }
  qsort(t, ROUNDS, sizeof *t, by_value);
  return t[ROUNDS / 2];
}

static leat_predictor *predictor(leat_runtime *rt, const leat_model *m, const char *precision) {
  leat_predictor *q = NULL;
  leat_params *p = NULL;
  must(leat_params_create(rt, "predictor", &p, &err), "parameters");
  must(leat_params_set_text(p, "precision", precision, &err), "precision");
  must(leat_predictor_create(m, p, NULL, &q, &err), "predictor");
  must(leat_predictor_reserve(q, 256, &err), "reserve");
  leat_params_free(p);
  return q;
}

int main(int argc, char **argv) {
  leat_runtime *rt = NULL;
  leat_model *m = NULL;
  bench b = {0};
  if (argc < 2) {
    fprintf(stderr, "usage: bench_net MODEL [SECONDS]\n");
    return 2;
  }
  if (argc > 2) seconds = atof(argv[2]);
  must(leat_runtime_create(NULL, &rt, &err), "runtime");
  must(leat_model_load(rt, argv[1], &m, &err), "model");
  must(leat_model_get_i64(m, "n_parameters", &b.n_weights, &err), "n_parameters");
  leat_predictor *f32 = predictor(rt, m, "f32"), *int8 = predictor(rt, m, "int8");
  must(leat_predictor_shape(f32, &b.cols, &b.outs, &err), "shape");
  float *x = malloc((size_t)(256 * b.cols) * sizeof *x), *weights = aligned_alloc(64, ((size_t)b.n_weights * 4 + 63) / 64 * 64);
  b.y = malloc((size_t)(256 * b.outs) * sizeof *b.y);
  for (int64_t i = 0; i < 256 * b.cols; i++) x[i] = (float)(rand() % 256);
  for (int64_t i = 0; i < b.n_weights; i++) weights[i] = 1; /* pages of its own */
  b.x = x;
  b.weights = weights;
  b.q = f32;
  printf("{\"read_weights_us\": %.2f, \"one_f32_us\": %.2f", measure(read_weights, &b), measure(one, &b));
  b.q = int8;
  printf(", \"one_int8_us\": %.2f", measure(one, &b));
  for (b.rows = 32; b.rows <= 256; b.rows *= 8) {
    b.q = f32;
    double us = measure(batch, &b);
    b.q = int8;
    printf(", \"batch_%d_rows_per_s\": %.0f, \"batch_%d_int8_rows_per_s\": %.0f", (int)b.rows, 1e6 * (double)b.rows / us, (int)b.rows,
           1e6 * (double)b.rows / measure(batch, &b));
  }
  printf("}\n");
  if (sink == 0.5f) fprintf(stderr, "\n"); /* it is used */
  leat_predictor_free(f32);
  leat_predictor_free(int8);
  leat_model_free(m);
  leat_runtime_free(rt);
  free(x);
  free(weights);
  free(b.y);
  return 0;
}
