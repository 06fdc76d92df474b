/* Prints GFLOP/s of the CPU device's gemm and gemv, beside plain BLIS in one call on one thread. Build with
 * -DLEAT_BENCH=ON, run alone:
 *   bench_gemm [THREADS]     1 by default: processor time then, which other programs disturb less; else time of day */
#define _POSIX_C_SOURCE 200809L
#include <blis.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "device/device.h"

static clockid_t clock_used;
static double seconds(void) { return bench_clock(clock_used); }

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

enum { TRIES = 7, SIZE = 4096 * 2048 };

static void blis_gemm(const lt_gemm *g) {
  rntm_t one_thread = BLIS_RNTM_INITIALIZER;
  float alpha = g->alpha, beta = g->beta;
  bli_rntm_set_num_threads(1, &one_thread);
  bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, g->m, g->n, g->k, &alpha, (float *)(uintptr_t)g->a, g->a_rs,
               g->a_cs, (float *)(uintptr_t)g->b, g->b_rs, g->b_cs, &beta, g->c, g->c_rs, g->c_cs, NULL, &one_thread);
}

/* Medians of tries that take turns: leat, then BLIS. */
static void compare(const leat_device *dev, const lt_gemm *g) {
  double times[2][TRIES], work = 2.0 * (double)g->m * (double)g->n * (double)g->k;
  int reps = 1 + (int)(1e8 / work);
  for (int i = 0; i < TRIES; i++)
    for (int who = 0; who < 2; who++) {
      double t = seconds();
      for (int r = 0; r < reps; r++) {
        if (who) blis_gemm(g);
        else lt_device_gemm(dev, g, NULL);
      }
      times[who][i] = (seconds() - t) / reps;
    }
  for (int who = 0; who < 2; who++) qsort(times[who], TRIES, sizeof(double), ascending);
  printf("%6lld %6lld %6lld %12.1f %10.1f %10.1f\n", (long long)g->m, (long long)g->n, (long long)g->k,
         times[0][TRIES / 2] * 1e6, work / times[0][TRIES / 2] * 1e-9, work / times[1][TRIES / 2] * 1e-9);
}

int main(int argc, char **argv) {
  static const int64_t shapes[][3] = {{256, 256, 256}, {1024, 1024, 1024}, {2048, 2048, 2048}, {32, 512, 784},
                                      {64, 512, 784},  {784, 512, 64},     {64, 784, 512},     {64, 10, 512},
                                      {512, 10, 64},   {64, 512, 10},      {256, 10, 512},     {4, 512, 784},
                                      {7, 64, 64},     {16, 16, 100},      {31, 31, 31},       {1, 512, 784},
                                      {512, 1, 784},   {30, 30, 4096}};
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = argc > 1 ? atoi(argv[1]) : 1};
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = NULL;
  clock_used = argc > 1 && atoi(argv[1]) > 1 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID;
  float *a = malloc(sizeof(float) * SIZE), *b = malloc(sizeof(float) * SIZE), *c = malloc(sizeof(float) * SIZE);
  if (!a || !b || !c || leat_runtime_create(&opts, &rt, &err)) {
    fprintf(stderr, "bench_gemm: %s\n", err.message);
    return 1;
  }
  for (int i = 0; i < SIZE; i++) a[i] = b[i] = (float)(i % 1000) * 1e-3f, c[i] = 0;
  printf("%6s %6s %6s %12s %10s %10s\n", "m", "n", "k", "us", "GFLOP/s", "BLIS, 1");
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    int64_t m = shapes[i][0], n = shapes[i][1], k = shapes[i][2];
    lt_gemm g = {m, n, k, 1, 0, a, b, c, k, 1, n, 1, n, 1, NULL, 0};
    compare(lt_devices_cpu(rt), &g);
  }
  leat_runtime_free(rt);
  free(a), free(b), free(c);
  return 0;
}
