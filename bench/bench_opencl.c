/* Matrix products on a device beside the CPU device, in one interleaved run, operands staying on the device:
 *   build/bench_opencl [PLUGIN [DEVICE [LARGEST [RUNS]]]]      (build/libleat-opencl.so opencl:0 2048 5)
 * For every shape: GFLOP/s (medians) of the CPU device with all cores, of the device, and their ratio, also by processor
 * time (for devices that are processors); then what one enqueue costs the host, and bandwidths. On a GPU ask for 4096 or
 * 8192. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "device/op.h"
#include "device/registry.h"

static leat_runtime *rt;
static leat_device *dev;
static const leat_b_backend *table;
static leat_b_queue *queue;
static leat_error err;

static double now(void) { return bench_clock(CLOCK_MONOTONIC); }

/* Processor time of all threads: on a processor's device it says what a loaded machine's clock does not. */
static double used(void) { return bench_clock(CLOCK_PROCESS_CPUTIME_ID); }

static void check(leat_status st, const char *what) {
  if (!st) return;
  fprintf(stderr, "%s: %d %s\n", what, (int)st, err.message);
  exit(1);
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double median(double *v, int n) {
  qsort(v, (size_t)n, sizeof *v, by_size);
  return v[n / 2];
}

static leat_b_tensor tensor(int64_t m, int64_t n) {
  leat_b_tensor t = {sizeof t, NULL, 0, LEAT_F32, 2, {m, n, 0, 0}, {n, 1, 0, 0}};
  check(table->buffer_alloc(dev->open, 0, (uint64_t)(m * n) * 4, 64, &t.buffer, &err), "buffer_alloc");
  float *host = malloc((size_t)(m * n) * 4);
  for (int64_t i = 0; i < m * n; i++) host[i] = (float)(i % 17) / 17 - 0.4f;
  leat_b_copy up = {sizeof up, t.buffer, NULL, host, 0, 0, (uint64_t)(m * n) * 4, NULL, 0};
  check(table->queue_copy(queue, &up, NULL, &err), "queue_copy");
  check(table->queue_finish(queue, &err), "queue_finish");
  free(host);
  return t;
}

static void turn(leat_b_tensor *t) {
  int64_t n = t->shape[0], s = t->stride[0];
  t->shape[0] = t->shape[1], t->shape[1] = n;
  t->stride[0] = t->stride[1], t->stride[1] = s;
}

/* Seconds of one op when `times` are enqueued and then finished. */
static double device_time(const leat_b_op *op, leat_b_kernel *k, int times) {
  double begin = now();
  for (int i = 0; i < times; i++) check(table->op_enqueue(queue, k, op, NULL, 0, NULL, &err), "op_enqueue");
  check(table->queue_finish(queue, &err), "queue_finish");
  return (now() - begin) / times;
}

static void one_shape(const char *what, int64_t m, int64_t n, int64_t k, int turned, int runs) {
  leat_b_tensor in[2] = {turned & 1 ? tensor(k, m) : tensor(m, k), turned & 2 ? tensor(n, k) : tensor(k, n)};
  leat_b_tensor out = tensor(m, n);
  double attr[2] = {1, 0}, ours[64], theirs[64], share[64], flop = 2.0 * (double)m * (double)n * (double)k;
  if (turned & 1) turn(&in[0]);
  if (turned & 2) turn(&in[1]);
  leat_b_op op = {sizeof op, "gemm", 2, 1, in, &out, attr, NULL, 2, 0, 0};
  leat_b_kernel *kernel;
  check(table->op_prepare(dev->open, &op, &kernel, &err), "op_prepare");
  float *a = calloc((size_t)(m * k), 4), *b = calloc((size_t)(k * n), 4), *c = calloc((size_t)(m * n), 4);
  for (int64_t i = 0; i < m * k; i++) a[i] = (float)(i % 13) / 13;
  for (int64_t i = 0; i < k * n; i++) b[i] = (float)(i % 11) / 11;
  lt_gemm g = {m, n, k, 1, 0, a, b, c, turned & 1 ? 1 : k, turned & 1 ? m : 1, turned & 2 ? 1 : n, turned & 2 ? k : 1,
               n, 1, NULL, 0};
  int times = flop < 2e8 ? 20 : flop < 4e9 ? 4 : 1;
  device_time(&op, kernel, 1);
  for (int r = -1; r < runs; r++) {
    double begin = now(), a0 = used();
    for (int i = 0; i < times; i++) check(lt_device_gemm(lt_devices_cpu(rt), &g, &err), "cpu");
    double cpu = (now() - begin) / times, a1 = used(), device = device_time(&op, kernel, times), a2 = used();
    if (r >= 0) theirs[r] = cpu, ours[r] = device, share[r] = (a1 - a0) / (a2 - a1);
  }
  double x = median(theirs, runs), y = median(ours, runs);
  printf("%-22s %5lld %5lld %5lld  cpu %8.1f  device %8.1f GFLOP/s  ratio %5.2f, by processor time %5.2f  %9.1f us\n", what, (long long)m,
         (long long)n, (long long)k, flop / x * 1e-9, flop / y * 1e-9, x / y, median(share, runs), y * 1e6);
  table->op_free(kernel);
  for (int i = 0; i < 2; i++) table->buffer_free(in[i].buffer);
  table->buffer_free(out.buffer);
  free(a);
  free(b);
  free(c);
}

/* An elementwise op over n numbers: seconds, and the bytes that it moves a second. */
static void stream(const char *name, int64_t n_in, int64_t n_out, const double *f, int64_t n_f, const int64_t *ints,
                   int64_t n_i, int64_t m, int64_t n, int runs) {
  leat_b_tensor in[4], out[4];
  double times[64];
  for (int64_t i = 0; i < n_in; i++) in[i] = tensor(m, n);
  for (int64_t i = 0; i < n_out; i++) out[i] = tensor(m, n);
  leat_b_op op = {sizeof op, name, n_in, n_out, in, out, f, ints, n_f, n_i, 0};
  leat_b_kernel *k;
  check(table->op_prepare(dev->open, &op, &k, &err), name);
  device_time(&op, k, 1);
  for (int r = 0; r < runs; r++) times[r] = device_time(&op, k, 20);
  double t = median(times, runs), begin = now();
  for (int i = 0; i < 20; i++) check(table->op_enqueue(queue, k, &op, NULL, 0, NULL, &err), name);
  double enqueue = (now() - begin) / 20;
  check(table->queue_finish(queue, &err), "queue_finish");
  printf("%-22s %5lld x %-5lld %9.1f us  %7.1f GB/s  host %6.1f us a call\n", name, (long long)m, (long long)n, t * 1e6,
         (double)(n_in + n_out) * 4e-9 * (double)(m * n) / t, enqueue * 1e6);
  table->op_free(k);
  for (int64_t i = 0; i < n_in; i++) table->buffer_free(in[i].buffer);
  for (int64_t i = 0; i < n_out; i++) table->buffer_free(out[i].buffer);
}

int main(int argc, char **argv) {
  const char *plugin = argc > 1 ? argv[1] : "build/libleat-opencl.so", *name = argc > 2 ? argv[2] : "opencl:0";
  int64_t largest = argc > 3 ? atoll(argv[3]) : 2048;
  int runs = argc > 4 ? atoi(argv[4]) : 5;
  const leat_device *found;
  leat_runtime_opts o;
  char path[4096];
  if (runs < 1 || runs > 64) return 2;
  memset(&o, 0, sizeof o);
  o.struct_size = sizeof o;
  o.n_threads = sysconf(_SC_NPROCESSORS_ONLN);
  err.struct_size = sizeof err;
  snprintf(path, sizeof path, "%s%s", strchr(plugin, '/') ? "" : "./", plugin);
  check(leat_runtime_create(&o, &rt, &err), "runtime");
  check(leat_runtime_load_backend(rt, path, &err), "load");
  check(leat_device_find(rt, name, &found, &err), "device");
  dev = (leat_device *)(uintptr_t)found;
  table = &dev->backend->table;
  check(lt_device_ready(dev, &err), "open");
  check(table->queue_create(dev->open, 0, &queue, &err), "queue_create");
  printf("%s: %s, %s\n", dev->name, dev->vendor, dev->props.driver);
  for (int64_t n = 256; n <= largest; n *= 2) one_shape("square", n, n, n, 0, runs);
  for (int64_t batch = 64; batch <= 256; batch *= 4) {
    one_shape("784-512 forward", batch, 512, 784, 0, runs);
    one_shape("784-512 weights", 784, 512, batch, 1, runs);
    one_shape("784-512 inputs", batch, 784, 512, 2, runs);
    one_shape("512-10 forward", batch, 10, 512, 0, runs);
    one_shape("512-10 weights", 512, 10, batch, 1, runs);
    one_shape("512-10 inputs", batch, 512, 10, 2, runs);
  }
  double adam[9] = {1e-3, 0.9, 0.999, 1e-8, 0, 1, 0, 0.1, 0.001};
  int64_t relu = 1, decoupled = 1;
  stream("map", 1, 1, NULL, 0, &relu, 1, 64, 512, runs);
  stream("adam", 1, 3, adam, 9, &decoupled, 1, 784, 512, runs);
  stream("softmax", 1, 1, NULL, 0, NULL, 0, 256, 10, runs);
  stream("copy", 1, 1, NULL, 0, NULL, 0, 4096, 4096, runs);
  table->queue_free(queue);
  leat_runtime_free(rt);
  return 0;
}
