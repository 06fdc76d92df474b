/* How fast a device is: usual shapes, data on the device, many calls in the queue before it is finished. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <time.h>

#include "suite.h"

enum { PERF_RUNS = 5 };
static const double perf_run_s = 0.06; /* a run is at least this long */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static cf_tensor shaped(int64_t dtype, int64_t rank, int64_t a, int64_t b, int64_t c) {
  cf_tensor t = {.dtype = dtype, .rank = rank, .shape = {a, b, c}, .same = -1};
  int64_t step = 1;
  for (int64_t i = rank; i-- > 0; step *= t.shape[i]) t.stride[i] = step;
  t.n = step;
  return t;
}

static cf_tensor mat(int64_t m, int64_t n) { return shaped(LEAT_F32, 2, m, n, 0); }
static cf_tensor vec(int64_t n) { return shaped(LEAT_F32, 1, n, 0, 0); }

/* Numbers that no op minds: floats from 0.25 to 1, indices from 0 to 63, rising starts. */
static leat_status fill_buffer(cf_suite *s, leat_b_buffer *b, const cf_tensor *t, int rising, leat_error *err) {
  uint64_t bytes = (uint64_t)(t->n * cf_size(t->dtype));
  unsigned char *host = malloc(bytes ? bytes : 1);
  leat_b_copy copy = {sizeof copy, b, NULL, host, 0, 0, bytes, NULL, 0};
  if (!host) return cf_refuse(err, LEAT_E_MEMORY, "no memory");
  for (int64_t k = 0; k < t->n; k++) {
    float f = (float)cf_between(s, 0.25, 1);
    int32_t i = rising ? (int32_t)(32 * k) : (int32_t)cf_below(s, 64);
    if (t->dtype == LEAT_F32) memcpy(host + 4 * k, &f, 4);
    else if (t->dtype == LEAT_I32) memcpy(host + 4 * k, &i, 4);
    else if (cf_size(t->dtype) == 1) host[k] = (unsigned char)cf_below(s, 64);
    else memset(host + 2 * k, 0x30, 2);
  }
  leat_status st = s->t.queue_copy(s->queue, &copy, NULL, err);
  if (!st) st = s->t.queue_finish(s->queue, err);
  free(host);
  return st;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Seconds a call: the median of some runs of as many calls as make a run long enough. */
static leat_status time_calls(cf_suite *s, cf_live *l, double *seconds, leat_error *err) {
  double runs[PERF_RUNS];
  int64_t calls = 1;
  leat_status st = LEAT_OK;
  for (int r = -1; r < PERF_RUNS && !st;) {
    double begin = now();
    for (int64_t k = 0; k < calls && !st; k++) st = s->t.op_enqueue(s->queue, l->kernel, &l->op, NULL, 0, NULL, err);
    if (!st) st = s->t.queue_finish(s->queue, err);
    double took = now() - begin;
    if (r < 0) { /* the first is for warming up, and for how many calls a run takes */
      if (took < perf_run_s / 2 && calls < 1 << 20) {
        calls *= took < perf_run_s / 32 ? 8 : 2;
        continue;
      }
    } else {
      runs[r] = took / (double)calls;
    }
    r++;
  }
  if (st) return st;
  qsort(runs, PERF_RUNS, sizeof *runs, by_size);
  *seconds = runs[PERF_RUNS / 2];
  return LEAT_OK;
}

/* flops a call, 0: then bytes are counted. */
static void measure(cf_case *c, double flops) {
  cf_suite *s = c->s;
  cf_live l;
  leat_error said = cf_error();
  int64_t score = 0;
  double seconds = 0, bytes = 0;
  if (s->broken || (s->opts.op && strcmp(s->opts.op, c->op))) return;
  cf_live_op(c, &l);
  if (s->t.op_score(s->device, &l.op, &score, &said) || score <= 0) {
    cf_message(s, LEAT_CONFORMANCE_SKIPPED, "%s %s: not offered", c->op, c->what);
    return;
  }
  leat_status st = s->t.op_prepare(s->device, &l.op, &l.kernel, &said);
  if (st) l.kernel = NULL;
  for (int64_t i = 0; i < c->n_in + c->n_out && !st; i++) {
    const cf_tensor *t = i < c->n_in ? &c->in[i] : &c->out[i - c->n_in];
    bytes += (double)(t->n * cf_size(t->dtype));
    st = s->t.buffer_alloc(s->device, 0, (uint64_t)(t->n * cf_size(t->dtype)), 64, &l.place[i].buffer, &said);
    if (!st) st = fill_buffer(s, l.place[i].buffer, t, c->op[0] == 'c' && c->op[1] == 's' && i == 0, &said);
    l.tensor[i].buffer = l.place[i].buffer;
  }
  if (!st) st = time_calls(s, &l, &seconds, &said);
  if (st) cf_message(s, LEAT_CONFORMANCE_SKIPPED, "%s %s: status %d %s", c->op, c->what, (int)st, said.message);
  else cf_message(s, LEAT_CONFORMANCE_FIGURE, "%-16s %-34s %10.2f us  %8.2f %s", c->op, c->what, seconds * 1e6,
                  (flops > 0 ? flops : bytes) / seconds * 1e-9, flops > 0 ? "GFLOP/s" : "GB/s");
  cf_live_free(c, &l);
}

static void begin(cf_case *c, cf_suite *s, const char *op, int64_t m, int64_t n, int64_t k) {
  cf_case_begin(c, s, op);
  if (k) cf_label(c, "%lld x %lld x %lld", (long long)m, (long long)n, (long long)k);
  else cf_label(c, "%lld x %lld", (long long)m, (long long)n);
}

static void products(cf_suite *s) {
  static const int64_t sizes[][3] = {{64, 64, 64}, {256, 256, 256}, {512, 512, 512}, {1024, 1024, 1024}, {2048, 2048, 2048},
                                     {4096, 4096, 4096}, {64, 512, 784}, {784, 512, 64}, {256, 512, 784}, {64, 10, 512},
                                     {512, 10, 64}, {1, 512, 784}};
  cf_case c;
  for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
    for (int v = 0; v < 3; v++) { /* plain, a transposed, with bias and relu */
      int64_t m = sizes[z][0], n = sizes[z][1], k = sizes[z][2];
      if (v && (m != 64 && m != 256 && m != 1024)) continue;
      begin(&c, s, "gemm", m, n, k);
      cf_tensor *a = cf_input(&c, mat(m, k));
      if (v == 1) a->stride[0] = 1, a->stride[1] = m;
      cf_input(&c, mat(k, n));
      if (v == 2) cf_input(&c, vec(n)), cf_integer(&c, 1);
      cf_output(&c, mat(m, n));
      cf_double(&c, 1), cf_double(&c, 0);
      if (v) strcat(c.what, v == 1 ? ", a transposed" : ", bias, relu");
      measure(&c, 2.0 * (double)m * (double)n * (double)k);
    }
  for (int64_t n = 512; n <= 4096; n *= 4) {
    begin(&c, s, "gemv", n, n, 0);
    cf_input(&c, mat(n, n)), cf_input(&c, vec(n)), cf_output(&c, vec(n));
    cf_double(&c, 1), cf_double(&c, 0);
    measure(&c, 0);
  }
  begin(&c, s, "gemm_batched", 1024, 16, 16);
  cf_input(&c, shaped(LEAT_F32, 3, 1024, 16, 16)), cf_input(&c, shaped(LEAT_F32, 3, 1024, 16, 16));
  cf_output(&c, shaped(LEAT_F32, 3, 1024, 16, 16));
  cf_double(&c, 1), cf_double(&c, 0);
  measure(&c, 2.0 * 1024 * 16 * 16 * 16);
  for (int64_t m = 1; m <= 256; m *= 256) {
    begin(&c, s, "gemm_q8", m, 512, 784);
    cf_input(&c, mat(m, 784)), cf_input(&c, shaped(LEAT_I8, 2, 512, 784, 0));
    cf_input(&c, vec(512)), cf_input(&c, vec(512));
    cf_output(&c, mat(m, 512));
    cf_integer(&c, 1);
    measure(&c, 2.0 * (double)m * 512 * 784);
  }
  for (int t = 0; t < 2; t++) {
    begin(&c, s, t ? "csr_gemm_t" : "csr_gemm", 256, 64, 64);
    cf_input(&c, shaped(LEAT_I32, 1, 257, 0, 0)), cf_input(&c, shaped(LEAT_I32, 1, 256 * 32, 0, 0));
    cf_input(&c, vec(256 * 32)), cf_input(&c, mat(t ? 256 : 64, 64)), cf_output(&c, mat(t ? 64 : 256, 64));
    cf_double(&c, 1), cf_double(&c, 0);
    measure(&c, 2.0 * 256 * 32 * 64);
  }
}

static void elementwise(cf_suite *s, int64_t m, int64_t n) {
  static const char *const names[] = {"none", "relu", "gelu", "tanh", "sigmoid", "exp"};
  cf_case c;
  for (int64_t f = 1; f < 6; f++) {
    begin(&c, s, "map", m, n, 0);
    strcat(strcat(c.what, ", "), names[f]);
    cf_input(&c, mat(m, n)), cf_output(&c, mat(m, n)), cf_integer(&c, f);
    measure(&c, 0);
  }
  begin(&c, s, "map_grad", m, n, 0);
  cf_input(&c, mat(m, n)), cf_input(&c, mat(m, n)), cf_output(&c, mat(m, n)), cf_integer(&c, 1);
  measure(&c, 0);
  begin(&c, s, "binary", m, n, 0);
  cf_input(&c, mat(m, n)), cf_input(&c, mat(m, n)), cf_output(&c, mat(m, n));
  cf_double(&c, 1), cf_double(&c, 1), cf_integer(&c, 0);
  measure(&c, 0);
  begin(&c, s, "copy", m, n, 0);
  cf_input(&c, mat(m, n)), cf_output(&c, mat(m, n));
  measure(&c, 0);
  begin(&c, s, "dropout", m, n, 0);
  cf_input(&c, mat(m, n)), cf_output(&c, mat(m, n)), cf_double(&c, 0.5), cf_integer(&c, 1), cf_integer(&c, 2);
  measure(&c, 0);
  for (int64_t axis = 0; axis < 3; axis++) {
    begin(&c, s, "reduce", m, n, 0);
    strcat(c.what, axis == 0 ? ", over the rows" : axis == 1 ? ", over the columns" : ", over all");
    cf_input(&c, mat(m, n)), cf_output(&c, vec(axis == 0 ? n : axis == 1 ? m : 1));
    cf_double(&c, 1), cf_double(&c, 0), cf_integer(&c, 0), cf_integer(&c, axis);
    measure(&c, 0);
  }
  begin(&c, s, "softmax", m, n, 0);
  cf_input(&c, mat(m, n)), cf_output(&c, mat(m, n));
  measure(&c, 0);
}

static void training(cf_suite *s, int64_t m, int64_t n) {
  cf_case c;
  begin(&c, s, "softmax_xent", m, 10, 0);
  cf_input(&c, mat(m, 64)), cf_input(&c, shaped(LEAT_I32, 1, m, 0, 0)), cf_output(&c, vec(m)), cf_output(&c, mat(m, 64));
  cf_double(&c, 1);
  cf_label(&c, "%lld x 64", (long long)m);
  measure(&c, 0);
  begin(&c, s, "layer_norm", m, n, 0);
  cf_input(&c, mat(m, n)), cf_input(&c, vec(n)), cf_input(&c, vec(n));
  cf_output(&c, mat(m, n)), cf_output(&c, vec(m)), cf_output(&c, vec(m)), cf_double(&c, 1e-5);
  measure(&c, 0);
  begin(&c, s, "batch_norm", m, n, 0);
  cf_input(&c, mat(m, n)), cf_input(&c, vec(n)), cf_input(&c, vec(n)), cf_output(&c, mat(m, n));
  for (int i = 0; i < 4; i++) cf_output(&c, vec(n));
  cf_double(&c, 1e-5), cf_double(&c, 0.1);
  measure(&c, 0);
  begin(&c, s, "sgd", 784, 512, 0);
  cf_input(&c, mat(784, 512)), cf_output(&c, mat(784, 512)), cf_output(&c, mat(784, 512)), cf_integer(&c, 0);
  for (int i = 0; i < 5; i++) cf_double(&c, i == 3 ? 1 : 0.01);
  measure(&c, 0);
  begin(&c, s, "adam", 784, 512, 0);
  cf_input(&c, mat(784, 512)), cf_integer(&c, 0);
  for (int i = 0; i < 3; i++) cf_output(&c, mat(784, 512));
  for (int i = 0; i < 9; i++) cf_double(&c, i == 0 || i == 3 ? 1e-3 : 0.9);
  measure(&c, 0);
  begin(&c, s, "gather", 64, 32, 0);
  cf_input(&c, mat(64, 32)), cf_input(&c, shaped(LEAT_I32, 2, m, 8, 0)), cf_output(&c, mat(m, 256));
  measure(&c, 0);
  begin(&c, s, "scatter_add", 64, 32, 0);
  cf_input(&c, mat(m, 256)), cf_input(&c, shaped(LEAT_I32, 2, m, 8, 0)), cf_output(&c, mat(64, 32));
  cf_double(&c, 1), cf_double(&c, 0);
  measure(&c, 0);
  begin(&c, s, "histogram", 65536, 16, 64);
  cf_input(&c, shaped(LEAT_U8, 2, 65536, 16, 0)), cf_input(&c, vec(65536)), cf_input(&c, vec(65536));
  cf_output(&c, shaped(LEAT_F32, 3, 16, 64, 2)), cf_double(&c, 0);
  measure(&c, 0);
}

leat_status cf_performance(cf_suite *s) {
  if (!s->t.buffer_alloc || !s->t.queue_copy) {
    cf_break(s, LEAT_E_UNSUPPORTED, "the performance mode needs buffer_alloc and queue_copy");
    return s->broken;
  }
  products(s);
  elementwise(s, 64, 512);
  elementwise(s, 4096, 1024);
  training(s, 64, 512);
  training(s, 4096, 1024);
  return s->broken;
}
