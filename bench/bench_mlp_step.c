/* The time of an epoch of a perceptron 784-512-10 on 60 000 rows in batches of 64, made of the CPU device's ops alone: no
 * reading, no shuffling, no bookkeeping of a trainer. Build with -DLEAT_BENCH=ON, run alone:
 *   bench_mlp_step [THREADS [RUNS]]     1 and 5 by default; the median and the best by time of day */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "device/ops.h"

enum { BATCH = 64, IN = 784, HIDDEN = 512, OUT = 10, STEPS = 938, LD_HIDDEN = 528, LD_OUT = 16, MAX_RUNS = 99 };

static double seconds(void) { return bench_clock(CLOCK_MONOTONIC); }

static const leat_device *device;

static void run(const char *name, lt_op_args *a) {
  leat_error err = {.struct_size = sizeof err};
  if (!lt_device_run(device, name, a, &err)) return;
  fprintf(stderr, "bench_mlp_step: %s: %s\n", name, err.message);
  exit(1);
}

static lt_view part(const float *p, int64_t rows, int64_t cols, int64_t rs, int64_t cs) {
  return (lt_view){.data = p, .rank = 2, .shape = {rows, cols}, .stride = {rs, cs}, .dtype = LEAT_F32};
}
static lt_view dense(const float *p, int64_t n) {
  return (lt_view){.data = p, .rank = 1, .shape = {n}, .stride = {1}, .dtype = LEAT_F32};
}

static float *block(int64_t n) {
  float *p = aligned_alloc(64, ((uint64_t)n * sizeof *p + 63) / 64 * 64);
  if (!p) exit(1);
  memset(p, 0, (uint64_t)n * sizeof *p);
  return p;
}

typedef struct layer {
  int64_t in, out, ld; /* w [in, out] in rows of ld */
  float *w, *b, *gw, *gb, *uw, *ub, *vw, *vb;
} layer;

static layer make(int64_t in, int64_t out, int64_t ld) {
  layer l = {in, out, ld, block(in * ld), block(out), block(in * ld), block(out), block(in * ld), block(out), block(in * ld),
             block(out)};
  for (int64_t i = 0; i < in; i++)
    for (int64_t j = 0; j < out; j++) l.w[i * ld + j] = (float)((i * 31 + j * 17) % 101 - 50) * 1e-3f;
  return l;
}

static void gemm(lt_view a, lt_view b, const float *bias, int64_t act, lt_view c) {
  double f[2] = {1, 0};
  lt_op_args args;
  args.n_in = bias ? 3 : 2, args.n_out = 1, args.f = f, args.i = &act, args.n_f = 2, args.n_i = 1;
  args.in[0] = a, args.in[1] = b, args.in[2] = dense(bias, c.shape[1]), args.out[0] = c;
  run("gemm", &args);
}

static void bias_gradient(lt_view d, float *gb) {
  double f[2] = {1, 0};
  int64_t i[2] = {LT_SUM, 0};
  lt_op_args args = {.n_in = 1, .n_out = 1, .in = {d}, .out = {dense(gb, d.shape[1])}, .f = f, .i = i, .n_f = 2, .n_i = 2};
  run("reduce", &args);
}

static void update(int adam, int64_t t, lt_view g, float *w, float *u, float *v) {
  double sgd[5] = {0.05, 0, 0, 1, 0}, f[9] = {1e-3, 0.9, 0.999, 1e-8, 0, 1, 0, 1 - 0.5 / (double)t, 1 - 0.9 / (double)t};
  int64_t flag = 0;
  lt_view at[3] = {g, g, g};
  at[0].data = w, at[1].data = u, at[2].data = v;
  lt_op_args args = {.n_in = 1, .n_out = adam ? 3 : 1, .in = {g}, .out = {at[0], at[1], at[2]}, .f = adam ? f : sgd,
                     .i = &flag, .n_f = adam ? 9 : 5, .n_i = 1};
  run(adam ? "adam" : "sgd", &args);
}

typedef struct net { layer one, two; float *x, *h, *z, *dz, *dh, *loss; int32_t label[BATCH]; } net;

static void step(net *p, int adam, int64_t t) {
  double scale = 1.0 / BATCH;
  lt_view x = part(p->x + (t % 16) * BATCH * IN, BATCH, IN, IN, 1), h = part(p->h, BATCH, HIDDEN, LD_HIDDEN, 1);
  lt_view z = part(p->z, BATCH, OUT, LD_OUT, 1), dz = z, dh = h;
  lt_view w1 = part(p->one.w, IN, HIDDEN, LD_HIDDEN, 1), w2 = part(p->two.w, HIDDEN, OUT, LD_OUT, 1), g1 = w1, g2 = w2;
  dz.data = p->dz, dh.data = p->dh, g1.data = p->one.gw, g2.data = p->two.gw;
  gemm(x, w1, p->one.b, LT_F_RELU, h);
  gemm(h, w2, p->two.b, LT_F_NONE, z);
  lt_view label = {.data = p->label, .rank = 1, .shape = {BATCH}, .stride = {1}, .dtype = LEAT_I32};
  lt_op_args xent = {.n_in = 2, .n_out = 2, .in = {z, label}, .out = {dense(p->loss, BATCH), dz}, .f = &scale, .n_f = 1};
  run("softmax_xent", &xent);
  gemm(part(p->h, HIDDEN, BATCH, 1, LD_HIDDEN), dz, NULL, 0, g2);
  bias_gradient(dz, p->two.gb);
  gemm(dz, part(p->two.w, OUT, HIDDEN, 1, LD_OUT), NULL, 0, dh);
  int64_t relu = LT_F_RELU;
  lt_op_args slope = {.n_in = 2, .n_out = 1, .in = {dh, h}, .out = {dh}, .i = &relu, .n_i = 1};
  run("map_grad", &slope);
  gemm(part(x.data, IN, BATCH, 1, IN), dh, NULL, 0, g1);
  bias_gradient(dh, p->one.gb);
  update(adam, t, g1, p->one.w, p->one.uw, p->one.vw);
  update(adam, t, part(p->one.gb, 1, HIDDEN, HIDDEN, 1), p->one.b, p->one.ub, p->one.vb);
  update(adam, t, g2, p->two.w, p->two.uw, p->two.vw);
  update(adam, t, part(p->two.gb, 1, OUT, OUT, 1), p->two.b, p->two.ub, p->two.vb);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = argc > 1 ? atoi(argv[1]) : 1};
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = NULL;
  int runs = argc > 2 ? atoi(argv[2]) : 5;
  double times[2][MAX_RUNS];
  if (runs < 1 || runs > MAX_RUNS) return 2;
  if (leat_runtime_create(&opts, &rt, &err)) {
    fprintf(stderr, "bench_mlp_step: %s\n", err.message);
    return 1;
  }
  device = lt_devices_cpu(rt);
  net p = {make(IN, HIDDEN, LD_HIDDEN), make(HIDDEN, OUT, LD_OUT), block(16 * BATCH * IN), block(BATCH * LD_HIDDEN),
           block(BATCH * LD_OUT), block(BATCH * LD_OUT), block(BATCH * LD_HIDDEN), block(BATCH), {0}};
  for (int i = 0; i < 16 * BATCH * IN; i++) p.x[i] = (float)(i % 251) / 251;
  for (int i = 0; i < BATCH; i++) p.label[i] = i % OUT;
  for (int r = 0; r < runs; r++)
    for (int adam = 0; adam < 2; adam++) {
      double t = seconds();
      for (int64_t s = 1; s <= STEPS; s++) step(&p, adam, s);
      times[adam][r] = seconds() - t;
    }
  for (int adam = 0; adam < 2; adam++) {
    qsort(times[adam], (size_t)runs, sizeof(double), ascending);
    printf("%s, %d thread(s): epoch of 98.2 GFLOP, median %.3f s, best %.3f s of %d (last loss %.3f)\n",
           adam ? "Adam" : "SGD", (int)opts.n_threads, times[adam][runs / 2], times[adam][0], runs, (double)p.loss[0]);
  }
  leat_runtime_free(rt);
  return 0;
}
