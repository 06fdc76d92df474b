/* The CPU device's products in the shapes of neural networks: the own kernels beside plain BLIS in one call, on one
 * thread, taking turns. Build with -DLEAT_BENCH=ON, run alone:
 *   bench_mlp_ops [TRIES]     31 by default; medians by processor time, the own's best, the median of the tries' ratios */
#define _POSIX_C_SOURCE 200809L
#include <blis.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "device/host_device.h"
#include "device/registry.h"

static double seconds(void) { return bench_clock(CLOCK_PROCESS_CPUTIME_ID); }

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

enum { MAX_TRIES = 99, SIZE = 4096 * 2048 };
static int tries = 31;

static void blis_gemm(const lt_gemm *g) {
  rntm_t one_thread = BLIS_RNTM_INITIALIZER;
  float alpha = g->alpha, beta = g->beta;
  bli_rntm_set_num_threads(1, &one_thread);
  bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, g->m, g->n, g->k, &alpha, (float *)(uintptr_t)g->a, g->a_rs,
               g->a_cs, (float *)(uintptr_t)g->b, g->b_rs, g->b_cs, &beta, g->c, g->c_rs, g->c_cs, NULL, &one_thread);
}

static void compare(const char *what, const leat_b_host *host, const lt_gemm *g) {
  double times[2][MAX_TRIES], ratios[MAX_TRIES], work = 2.0 * (double)g->m * (double)g->n * (double)g->k;
  int reps = 1 + (int)(1e8 / work);
  for (int i = 0; i < tries; i++)
    for (int who = 0; who < 2; who++) {
      double t = seconds();
      for (int r = 0; r < reps; r++) {
        if (who) blis_gemm(g);
        else lt_own_gemm(host, g, NULL);
      }
      times[who][i] = (seconds() - t) / reps;
    }
  for (int i = 0; i < tries; i++) ratios[i] = times[1][i] / times[0][i];
  qsort(ratios, (size_t)tries, sizeof(double), ascending);
  for (int who = 0; who < 2; who++) qsort(times[who], (size_t)tries, sizeof(double), ascending);
  double own = times[0][tries / 2], blis = times[1][tries / 2];
  printf("%-10s %6lld %6lld %6lld %6lld %10.1f %10.1f %10.1f %10.1f %8.2f\n", what, (long long)g->m, (long long)g->n,
         (long long)g->k, (long long)(g->b_rs > g->b_cs ? g->b_rs : g->b_cs), own * 1e6, work / own * 1e-9,
         work / times[0][0] * 1e-9, work / blis * 1e-9, ratios[tries / 2]);
}

/* A layer of k inputs and n outputs with `batch` rows: x [batch, k], w [k, n], d [batch, n], with rows of `pad` more. */
static void layer(const leat_b_host *host, float *p[3], int64_t batch, int64_t k, int64_t n, int64_t pad) {
  int64_t lx = k + (k > 16 ? pad : 0), lw = n + (n > 16 ? pad : 0);
  lt_gemm forward = {batch, n, k, 1, 0, p[0], p[1], p[2], lx, 1, lw, 1, lw, 1, NULL, 0};
  lt_gemm dw = {k, n, batch, 1, 0, p[0], p[1], p[2], 1, lx, lw, 1, lw, 1, NULL, 0};
  lt_gemm dx = {batch, k, n, 1, 0, p[0], p[1], p[2], lw, 1, 1, lw, lx, 1, NULL, 0};
  compare("forward", host, &forward);
  compare("dw", host, &dw);
  compare("dx", host, &dx);
}

int main(int argc, char **argv) {
  static const int64_t layers[][4] = {{64, 784, 512, 0}, {64, 784, 512, 16}, {64, 512, 10, 0},  {64, 512, 10, 16},
                                      {64, 30, 64, 0},   {64, 64, 64, 0},    {32, 784, 512, 16}, {128, 784, 512, 16},
                                      {256, 784, 512, 16}, {256, 512, 10, 16}, {256, 1024, 1024, 16}};
  static const int64_t squares[] = {128, 256, 512, 1024, 2048};
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = 1};
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = NULL;
  float *p[3];
  if (argc > 1) tries = atoi(argv[1]);
  if (tries < 1 || tries > MAX_TRIES) return 2;
  for (int i = 0; i < 3; i++)
    if (!(p[i] = aligned_alloc(64, sizeof(float) * SIZE))) return 1;
  if (leat_runtime_create(&opts, &rt, &err)) {
    fprintf(stderr, "bench_mlp_ops: %s\n", err.message);
    return 1;
  }
  const leat_b_host *host = lt_devices_cpu(rt)->backend->table.self->host;
  for (int i = 0; i < SIZE; i++) p[0][i] = p[1][i] = (float)(i % 1000) * 1e-3f, p[2][i] = 0;
  printf("%-10s %6s %6s %6s %6s %10s %10s %10s %10s %8s\n", "form", "m", "n", "k", "stride", "own us", "GFLOP/s",
         "best", "BLIS", "ratio");
  for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
    layer(host, p, layers[i][0], layers[i][1], layers[i][2], layers[i][3]);
  for (size_t i = 0; i < sizeof squares / sizeof *squares; i++) {
    int64_t n = squares[i];
    lt_gemm g = {n, n, n, 1, 0, p[0], p[1], p[2], n, 1, n, 1, n, 1, NULL, 0};
    compare("square", host, &g);
    g.a_rs = 1, g.a_cs = n, g.b_rs = 1, g.b_cs = n;
    compare("square t", host, &g);
  }
  leat_runtime_free(rt);
  for (int i = 0; i < 3; i++) free(p[i]);
  return 0;
}
