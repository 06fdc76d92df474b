/* Dense layers from packed weights: a perceptron 784-512-10 on some rows at once, on one thread, beside the time that reading
 * its weights takes. Build with -DLEAT_BENCH=ON, run alone:
 *   bench_dense [ROUNDS]     25 by default; for each number of rows the median and the best, in microseconds a call */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "device/dense.h"
#include "device/loop.h"

enum { IN = 784, HIDDEN = 512, OUT = 10, ROWS = 256, MAX_ROUNDS = 999, SIZES = 5 };
static const int sizes[SIZES] = {1, 4, 32, 64, 256};

static double seconds(void) { return bench_clock(CLOCK_MONOTONIC); }

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static float *block(uint64_t bytes) {
  float *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (!p) exit(1);
  memset(p, 0, bytes);
  return p;
}

typedef struct net { lt_dense one, two; } net;

static net make(int64_t kind, const float *w) {
  net p = {{.k = IN, .n = HIDDEN, .kind = kind, .act = 1}, {.k = HIDDEN, .n = OUT, .kind = kind}};
  lt_dense_pack(&p.one, w, HIDDEN, 1, NULL, block(lt_dense_size(&p.one)));
  lt_dense_pack(&p.two, w, OUT, 1, NULL, block(lt_dense_size(&p.two)));
  return p;
}

static void report(const char *what, int rows, double *times, int rounds) {
  qsort(times, (size_t)rounds, sizeof *times, ascending);
  printf("%-12s %4d rows: median %9.2f us, best %9.2f us, %8.0f rows/s\n", what, rows, times[rounds / 2] * 1e6,
         times[0] * 1e6, rows / times[rounds / 2]);
}

static volatile double keep; /* what is computed is used */

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 25;
  static double times[2 * SIZES + 1][MAX_ROUNDS];
  float *w = block(IN * HIDDEN * 4), *x = block(ROWS * IN * 4), *h = block(ROWS * HIDDEN * 4), *y = block(ROWS * OUT * 4);
  if (rounds < 1 || rounds > MAX_ROUNDS) return 2;
  for (int i = 0; i < IN * HIDDEN; i++) w[i] = (float)(i % 211 - 105) * 1e-3f;
  for (int i = 0; i < ROWS * IN; i++) x[i] = (float)(i % 256) / 256;
  net nets[2] = {make(LT_DENSE_F32, w), make(LT_DENSE_Q8, w)};
  for (int r = 0; r < rounds; r++) {
    double t = seconds();
    for (int i = 0; i < 100; i++)
      keep += lt_loop_get()->line(0, nets[0].one.panels, IN * HIDDEN) + lt_loop_get()->line(0, nets[0].two.panels, HIDDEN * 16);
    times[0][r] = (seconds() - t) / 100;
    for (int k = 0; k < 2 * SIZES; k++) {
      int rows = sizes[k / 2], calls = 1 + 256 / rows;
      const net *p = &nets[k % 2];
      t = seconds();
      for (int i = 0; i < calls; i++) {
        lt_dense_rows(&p->one, x, IN, rows, h, HIDDEN);
        lt_dense_rows(&p->two, h, HIDDEN, rows, y, OUT);
      }
      times[1 + k][r] = (seconds() - t) / calls;
    }
  }
  report("read weights", 0, times[0], rounds);
  for (int k = 0; k < 2 * SIZES; k++) report(k % 2 ? "8 bits" : "f32", sizes[k / 2], times[1 + k], rounds);
  return 0;
}
