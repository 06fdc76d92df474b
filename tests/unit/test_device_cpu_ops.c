/* Every op that the CPU device has a kernel of, against the reference device: odd shapes, rows with gaps, in place, the same
 * bits for 1, 2, 3 and 7 threads; and the two sets of kernels against each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/kern.h"
#include "device/loop.h"
#include "device/ops.h"

static uint64_t state = 88172645463325252u;
static float uniform(void) { /* xorshift: [-1, 1) */
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (float)((double)(state >> 11) * 0x1p-52 - 1.0);
}

enum { SETUPS = 5 }; /* the reference, then the CPU with 1, 2, 3 and 7 threads */
static leat_runtime *runtimes[SETUPS];
static const leat_device *devices[SETUPS];

static int open_devices(void **unused) {
  static const int64_t threads[SETUPS] = {1, 1, 2, 3, 7};
  (void)unused;
  for (int i = 0; i < SETUPS; i++) {
    leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = threads[i]};
    if (leat_runtime_create(&opts, &runtimes[i], NULL)) return -1;
    if (lt_devices_find(runtimes[i], i ? "cpu" : "reference", &devices[i], NULL)) return -1;
  }
  return 0;
}

static int close_devices(void **unused) {
  (void)unused;
  for (int i = 0; i < SETUPS; i++) leat_runtime_free(runtimes[i]);
  return 0;
}

/* A tensor in a block of its own with a copy of how it began; gap: numbers between rows that nobody may write. */
typedef struct tensor {
  lt_view view;
  int64_t bytes;
  char *at, *first;
} tensor;

static tensor make(int64_t dtype, int64_t rank, int64_t m, int64_t n, int64_t gap) {
  tensor t;
  int64_t stride = rank == 2 ? n + gap : 1, size = lt_op_dtype_size(dtype), count = rank == 2 ? m * stride : m;
  memset(&t, 0, sizeof t);
  t.view = (lt_view){.rank = rank, .shape = {m, n}, .stride = {stride, 1}, .dtype = dtype};
  t.bytes = count * size;
  t.at = malloc((size_t)t.bytes + 1), t.first = malloc((size_t)t.bytes + 1);
  assert_non_null(t.at);
  assert_non_null(t.first);
  t.view.data = t.at;
  memset(t.first, 0, (size_t)t.bytes + 1);
  for (int64_t i = 0; i < count && dtype == LEAT_F32; i++) ((float *)(void *)t.first)[i] = 2 * uniform();
  for (int64_t i = 0; i < count && dtype == LEAT_U8; i++) t.first[i] = (char)(i * 37);
  return t;
}

static tensor matrix(int64_t m, int64_t n, int64_t gap) { return make(LEAT_F32, 2, m, n, gap); }
static tensor vector(int64_t n) { return make(LEAT_F32, 1, n, 1, 0); }
static tensor indices(int64_t m, int64_t below) {
  tensor t = make(LEAT_I32, 1, m, 1, 0);
  for (int64_t i = 0; i < m; i++) ((int32_t *)(void *)t.first)[i] = (int32_t)((i * 7919 + 3) % (below + 2)) - 1;
  return t;
}
static void positive(tensor *t) {
  for (int64_t i = 0; i < t->bytes / 4; i++) ((float *)(void *)t->first)[i] = 0.01f + fabsf(((float *)(void *)t->first)[i]);
}

/* How far an element may be from the reference's: e (times |value| + floor), e = 2^-24. */
typedef struct bound { double times, floor; } bound;

typedef struct trial {
  const char *name;
  tensor in[8], out[8];
  int64_t n_in, n_out, n_f, n_i;
  double f[10];
  int64_t i[3];
  bound within[8];
  int64_t same; /* 1 + the input that output 0 lies on; 0 none */
} trial;

static void run_on(const trial *t, int setup) {
  lt_op_args a;
  a.n_in = t->n_in, a.n_out = t->n_out, a.f = t->f, a.i = t->i, a.n_f = t->n_f, a.n_i = t->n_i;
  for (int64_t k = 0; k < t->n_in; k++) a.in[k] = t->in[k].view, memcpy(t->in[k].at, t->in[k].first, (size_t)t->in[k].bytes);
  for (int64_t k = 0; k < t->n_out; k++) {
    a.out[k] = t->out[k].view;
    if (k == 0 && t->same) a.out[k].data = t->in[t->same - 1].at, memcpy(a.out[k].stride, a.in[t->same - 1].stride, 32);
    else memcpy(t->out[k].at, t->out[k].first, (size_t)t->out[k].bytes);
  }
  leat_error err = {.struct_size = sizeof err};
  if (lt_device_run(devices[setup], t->name, &a, &err)) fail_msg("%s: %s", t->name, err.message);
}

static const tensor *result(const trial *t, int64_t k) { return k == 0 && t->same ? &t->in[t->same - 1] : &t->out[k]; }

static void compare(const trial *t, int64_t k, const char *want) {
  const tensor *r = result(t, k);
  if (r->view.dtype != LEAT_F32) {
    assert_memory_equal(r->at, want, (size_t)r->bytes);
    return;
  }
  for (int64_t e = 0; e < r->bytes / 4; e++) {
    double got = (double)((const float *)(const void *)r->at)[e], ref = (double)((const float *)(const void *)want)[e];
    if (got == ref || (isnan(got) && isnan(ref))) continue;
    if (!(fabs(got - ref) <= 0x1p-24 * (t->within[k].times * fabs(ref) + t->within[k].floor)))
      fail_msg("%s (%d) output %d [%d x %d], element %d: %.9g, the reference says %.9g", t->name, (int)t->i[0], (int)k,
               (int)r->view.shape[0], (int)r->view.shape[1], (int)e, got, ref);
  }
}

/* Runs it everywhere, compares, and frees the tensors. */
static void check(trial *t) {
  char *want[8], *first[8];
  int64_t counted;
  for (int setup = 0; setup < SETUPS; setup++) {
    run_on(t, setup);
    for (int64_t k = 0; k < t->n_out; k++) {
      const tensor *r = result(t, k);
      if (setup == 0 || setup == 1) {
        char *copy = malloc((size_t)r->bytes + 1);
        assert_non_null(copy);
        memcpy(copy, r->at, (size_t)r->bytes);
        *(setup ? &first[k] : &want[k]) = copy;
      }
      if (setup == 1) compare(t, k, want[k]);
      if (setup > 1) assert_memory_equal(r->at, first[k], (size_t)r->bytes);
    }
    assert_int_equal(leat_runtime_stat(runtimes[setup], "fallback_ops", &counted, NULL), LEAT_OK);
    assert_int_equal(counted, 0);
  }
  for (int64_t k = 0; k < t->n_out; k++) free(want[k]), free(first[k]), free(t->out[k].at), free(t->out[k].first);
  for (int64_t k = 0; k < t->n_in; k++) free(t->in[k].at), free(t->in[k].first);
}

static const int64_t shapes[][3] = {{1, 1, 0}, {1, 7, 0}, {3, 8, 2}, {5, 17, 0}, {64, 10, 6}, {7, 100, 3}, {2, 1, 4},
                                    {130, 33, 0}, {700, 200, 0}, {33, 4100, 5}}; /* rows, columns, gap */
#define EACH_SHAPE(m, n, gap) \
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) \
    for (int64_t m = shapes[s][0], n = shapes[s][1], gap = shapes[s][2], once = 1; once; once = 0)

static void test_map(void **unused) {
  (void)unused;
  EACH_SHAPE(m, n, gap)
    for (int64_t f = 0; f < LT_F_COUNT; f++) {
      trial t = {.name = "map", .in = {matrix(m, n, gap)}, .out = {matrix(m, n, (gap + 1) % 3)}, .n_in = 1, .n_out = 1,
                 .n_i = 1, .i = {f}, .within = {{16, 0}}, .same = s % 2};
      float *x = (float *)(void *)t.in[0].first;
      for (int64_t i = 0; i < t.in[0].bytes / 4; i++) x[i] *= i % 3 ? 1 : 6;
      if (f == LT_F_LOG1P || f == LT_F_SQRT) positive(&t.in[0]);
      if (f == LT_F_GELU) t.within[0].floor = 16 * 0x1p-20 * 12;
      if (f == LT_F_TANH || f == LT_F_SIGMOID) t.within[0].floor = 16 * 0x1p-10;
      check(&t);
    }
}

static void test_map_grad(void **unused) {
  (void)unused;
  EACH_SHAPE(m, n, gap)
    for (int64_t f = 1; f < LT_F_COUNT; f++) {
      trial t = {.name = "map_grad", .in = {matrix(m, n, gap), matrix(m, n, 1)}, .out = {matrix(m, n, 0)}, .n_in = 2,
                 .n_out = 1, .n_i = 1, .i = {f}, .within = {{32, 64}}, .same = s % 2};
      if (f >= LT_F_EXP) positive(&t.in[1]), t.within[0].floor = 0;
      check(&t);
    }
}

static void test_binary(void **unused) {
  (void)unused;
  EACH_SHAPE(m, n, gap)
    for (int64_t which = 0; which < LT_BINARY_COUNT; which++)
      for (int row = 0; row < 2; row++) {
        trial t = {.name = "binary", .in = {matrix(m, n, gap), row ? vector(n) : matrix(m, n, 2)}, .out = {matrix(m, n, 0)},
                   .n_in = 2, .n_out = 1, .n_f = 2, .f = {1.5, -0.5}, .n_i = 1, .i = {which},
                   .within = {{4, which < LT_MULTIPLY ? 16 : 0}}, .same = s % 2};
        check(&t);
      }
}

static void test_fill_copy_dropout(void **unused) {
  (void)unused;
  EACH_SHAPE(m, n, gap) {
    trial fill = {.name = "fill", .out = {matrix(m, n, gap)}, .n_out = 1, .n_f = 1, .f = {0.3}};
    check(&fill);
    trial copy = {.name = "copy", .in = {matrix(m, n, gap)}, .out = {matrix(m, n, 1)}, .n_in = 1, .n_out = 1};
    check(&copy);
    trial bytes = {.name = "copy", .in = {make(LEAT_U8, 2, m, n, gap)}, .out = {matrix(m, n, 1)}, .n_in = 1, .n_out = 1};
    check(&bytes);
    trial half = {.name = "copy", .in = {matrix(m, n, gap)}, .out = {make(LEAT_F16, 2, m, n, 0)}, .n_in = 1, .n_out = 1};
    check(&half);
    trial wide = {.name = "copy", .in = {make(LEAT_BF16, 2, m, n, 0)}, .out = {matrix(m, n, 1)}, .n_in = 1, .n_out = 1};
    check(&wide);
    for (int k = 0; k < 3; k++) {
      trial drop = {.name = "dropout", .in = {matrix(m, n, gap)}, .out = {matrix(m, n, 0)}, .n_in = 1, .n_out = 1, .n_f = 1,
                    .f = {0.3 * k + 0.1 * (k == 2)}, .n_i = 2, .i = {INT64_C(0x7123456789abcdef), INT64_C(-5)},
                    .within = {{4, 0}}, .same = s % 2};
      check(&drop);
    }
  }
}

static void test_reduce(void **unused) {
  (void)unused;
  EACH_SHAPE(m, n, gap)
    for (int64_t what = 0; what < LT_REDUCE_COUNT; what++)
      for (int64_t axis = 0; axis < 3; axis++) {
        int64_t terms = axis == 0 ? m : axis == 1 ? n : m * n;
        trial t = {.name = "reduce", .in = {matrix(m, n, gap)}, .out = {vector(axis == 0 ? n : axis == 1 ? m : 1)}, .n_in = 1,
                   .n_out = 1, .n_f = 2, .f = {0.5, s % 2 ? 2 : 0}, .n_i = 2, .i = {what, axis},
                   .within = {{4, what == LT_LARGEST ? 4 : ((double)terms + 8) * ((double)terms * 2 + 4)}}};
        check(&t);
      }
  trial none = {.name = "reduce", .in = {matrix(0, 5, 0)}, .out = {vector(5)}, .n_in = 1, .n_out = 1, .n_f = 2,
                .f = {1, 0}, .n_i = 2, .i = {LT_LARGEST, 0}};
  check(&none);
}

static void test_softmax_argmax(void **unused) {
  (void)unused;
  EACH_SHAPE(m, n, gap) {
    double per = (double)n + 16;
    trial soft = {.name = "softmax", .in = {matrix(m, n, gap)}, .out = {matrix(m, n, 0)}, .n_in = 1, .n_out = 1,
                  .within = {{0, per}}, .same = s % 2};
    check(&soft);
    for (int k = 0; k < 4; k++) {
      trial t = {.name = "softmax_xent", .in = {matrix(m, n, gap), indices(m, n), vector(m)},
                 .out = {vector(m), matrix(m, n, 1)}, .n_in = 2 + k % 2, .n_out = 1 + k / 2, .n_f = 1, .f = {0.25},
                 .within = {{per * 2, per * 6}, {0, per * 0.5}}};
      if (k % 2 == 0) free(t.in[2].at), free(t.in[2].first);
      if (k / 2 == 0) free(t.out[1].at), free(t.out[1].first);
      check(&t);
    }
    trial most = {.name = "argmax", .in = {matrix(m, n, gap)}, .out = {make(LEAT_I32, 1, m, 1, 0)}, .n_in = 1, .n_out = 1};
    float *x = (float *)(void *)most.in[0].first;
    for (int64_t i = 0; i < most.in[0].bytes / 4; i++)
      x[i] = i % 11 == 5 || i < n ? NAN : floorf(x[i] * 4); /* equal ones, and a row of NaN alone */
    check(&most);
  }
}

static void test_steps(void **unused) {
  (void)unused;
  EACH_SHAPE(m, n, gap)
    for (int k = 0; k < 8; k++) {
      int64_t flag = k & 1, clip = k >> 1 & 1, speed = k >> 2;
      trial sgd = {.name = "sgd", .in = {matrix(m, n, gap), vector(1)}, .out = {matrix(m, n, 1), matrix(m, n, 0)},
                   .n_in = 1 + clip, .n_out = 1 + speed, .n_f = 5, .f = {0.1, 0.9, 0.01, 0.5, 0.3}, .n_i = 1, .i = {flag},
                   .within = {{16, 32}, {16, 64}}};
      positive(&sgd.in[1]);
      if (!clip) free(sgd.in[1].at), free(sgd.in[1].first);
      if (!speed) free(sgd.out[1].at), free(sgd.out[1].first);
      check(&sgd);
      if (speed) continue;
      trial adam = {.name = "adam", .in = {matrix(m, n, gap), vector(1)},
                    .out = {matrix(m, n, 1), matrix(m, n, 0), matrix(m, n, 2)}, .n_in = 1 + clip, .n_out = 3, .n_f = 9,
                    .f = {0.001, 0.9, 0.999, 1e-8, 0.01, 0.5, 0.3, 0.1, 0.001}, .n_i = 1, .i = {flag},
                    .within = {{16, 64}, {16, 32}, {16, 32}}};
      positive(&adam.in[1]), positive(&adam.out[2]);
      if (!clip) free(adam.in[1].at), free(adam.in[1].first);
      check(&adam);
    }
}

static void test_norms(void **unused) {
  (void)unused;
  EACH_SHAPE(m, n, gap) {
    double x = 64 * 2;
    trial layer = {.name = "layer_norm", .in = {matrix(m, n, gap), vector(n), vector(n)},
                   .out = {matrix(m, n, 1), vector(m), vector(m)}, .n_in = 3, .n_out = 3, .n_f = 1, .f = {1e-3},
                   .within = {{4, ((double)n + 32) * x}, {4, (double)n + 32}, {(double)n + 32, 0}}};
    check(&layer);
    trial layer_grad = {.name = "layer_norm_grad",
                        .in = {matrix(m, n, gap), matrix(m, n, 2), vector(n), vector(m), vector(m)},
                        .out = {matrix(m, n, 1), vector(n), vector(n)}, .n_in = 5, .n_out = 3, .same = s % 2,
                        .within = {{4, ((double)n + 64) * 256}, {4, ((double)m + 64) * 8 * (double)m},
                                   {4, ((double)m + 64) * 2 * (double)m}}};
    check(&layer_grad);
    trial batch = {.name = "batch_norm", .in = {matrix(m, n, gap), vector(n), vector(n)},
                   .out = {matrix(m, n, 1), vector(n), vector(n), vector(n), vector(n)}, .n_in = 3, .n_out = 5, .n_f = 2,
                   .f = {1e-3, 0.1},
                   .within = {{4, ((double)m + 32) * x}, {4, (double)m + 32}, {(double)m + 32, 0}, {4, (double)m + 32},
                              {4, ((double)m + 32) * 4}}};
    check(&batch);
    trial batch_grad = {.name = "batch_norm_grad",
                        .in = {matrix(m, n, gap), matrix(m, n, 2), vector(n), vector(n), vector(n)},
                        .out = {matrix(m, n, 1), vector(n), vector(n)}, .n_in = 5, .n_out = 3, .same = s % 2,
                        .within = {{4, ((double)m + 64) * 256}, {4, ((double)m + 64) * 8 * (double)m},
                                   {4, ((double)m + 64) * 2 * (double)m}}};
    check(&batch_grad);
    trial apply = {.name = "batch_norm_apply", .in = {matrix(m, n, gap), vector(n), vector(n), vector(n), vector(n)},
                   .out = {matrix(m, n, 0)}, .n_in = 5, .n_out = 1, .n_f = 1, .f = {1e-3}, .same = s % 2,
                   .within = {{4, 32 * x * 2}}};
    positive(&apply.in[4]);
    check(&apply);
  }
}

static void test_sparse(void **unused) {
  enum { ROWS = 41, INNER = 30 };
  static const int64_t widths[] = {1, 8, 33, 64, 100, 520};
  (void)unused;
  for (int k = 0; k < 24; k++) {
    int64_t n = widths[k % 6], given = k / 6 % 2, m = given ? 17 : ROWS, nnz = 230;
    double beta = k / 12 ? 0.5 : 0, far = 300 * 600;
    for (int t = 0; t < 2; t++) {
      trial c = {.name = t ? "csr_gemm_t" : "csr_gemm",
                 .in = {make(LEAT_I32, 1, ROWS + 1, 1, 0), indices(nnz, INNER), vector(nnz),
                        matrix(t ? m : INNER, n, k % 3), indices(m, ROWS)},
                 .out = {matrix(t ? INNER : m, n, k % 2)}, .n_in = 4 + given, .n_out = 1, .n_f = 2, .f = {1.5, beta},
                 .within = {{4, far}}};
      for (int64_t i = 0; i <= ROWS; i++) ((int32_t *)(void *)c.in[0].first)[i] = (int32_t)(2 + i * 5 + i % 3);
      if (!given) free(c.in[4].at), free(c.in[4].first);
      check(&c);
    }
  }
}

static void test_tables(void **unused) {
  (void)unused;
  for (int k = 0; k < 12; k++) {
    int64_t v = 13 + k, d = 1 + 3 * k, m = 1 + 11 * k, f = 1 + k % 4;
    trial g = {.name = "gather", .in = {matrix(v, d, k % 2), indices(m * f, v)}, .out = {matrix(m, f * d, k % 3)}, .n_in = 2,
               .n_out = 1};
    g.in[1].view = (lt_view){.data = g.in[1].at, .rank = 2, .shape = {m, f}, .stride = {f, 1}, .dtype = LEAT_I32};
    check(&g);
    trial sc = {.name = "scatter_add", .in = {matrix(m, f * d, k % 3), indices(m * f, v)}, .out = {matrix(v, d, k % 2)},
                .n_in = 2, .n_out = 1, .n_f = 2, .f = {0.5, k % 2 ? 1 : 0}, .within = {{4, 60 * 60}}};
    sc.in[1].view = (lt_view){.data = sc.in[1].at, .rank = 2, .shape = {m, f}, .stride = {f, 1}, .dtype = LEAT_I32};
    check(&sc);
  }
}

static void test_batched_and_bytes(void **unused) {
  (void)unused;
  EACH_SHAPE(m, n, gap) {
    int64_t k = 1 + (int64_t)s * 7, p = 5;
    trial t = {.name = "gemm_batched", .in = {matrix(p * m, k, 0), matrix(p * k, n, gap)}, .out = {matrix(p * m, n, 0)},
               .n_in = 2, .n_out = 1, .n_f = 2, .f = {1.5, s % 2 ? 0.5 : 0},
               .within = {{4, ((double)k + 8) * 6 * (double)k + 8}}};
    tensor *all[3] = {&t.in[0], &t.in[1], &t.out[0]};
    for (int i = 0; i < 3; i++) {
      lt_view *v = &all[i]->view;
      *v = (lt_view){.data = v->data, .rank = 3, .shape = {p, v->shape[0] / p, v->shape[1]},
                     .stride = {v->shape[0] / p * v->stride[0], v->stride[0], 1}, .dtype = LEAT_F32};
    }
    check(&t);
    int64_t deep = s == 7 ? 9000 : 3 + (int64_t)s * 50;
    trial q = {.name = "gemm_q8", .in = {matrix(m, deep, gap), make(LEAT_I8, 2, n, deep, 1), vector(n), vector(n)},
               .out = {matrix(m, n, 0)}, .n_in = 4, .n_out = 1, .n_i = 1, .i = {(int64_t)s % 5},
               .within = {{(double)deep + 8, 2.0 / 250 * 2 * 128 * (double)deep * 0x1p24}}};
    for (int64_t i = 0; i < q.in[1].bytes; i++) q.in[1].first[i] = (char)(int8_t)(i * 37 % 256 - 128);
    check(&q);
  }
}

/* ---- the two sets */
static float *floats(int64_t n) {
  float *p = malloc((size_t)(n + 1) * sizeof *p);
  assert_non_null(p);
  for (int64_t i = 0; i < n; i++) p[i] = uniform();
  return p;
}

static void test_tiles_of_both_sets(void **unused) {
  const lt_kern *plain = lt_kern_generic(), *fast = lt_kern_avx2();
  (void)unused;
  if (!fast) skip();
  enum { DEEP = 37, LD = 70, PANELS = 3 };
  float *a = floats(LD * DEEP), *b = floats(LD * DEEP + 64), *c = floats(6 * LD), *d = floats(6 * LD), *e = floats(6 * LD);
  for (int64_t rows = 1; rows <= 6; rows++)
    for (int64_t depth = 0; depth <= DEEP; depth++)
      for (int lies = 0; lies < 3; lies++)
        for (int add = 0; add < 2; add++) {
          int64_t rs = lies == 0 ? LD : lies == 1 ? 1 : 5, cs = lies == 0 ? 1 : lies == 1 ? LD : 7, half = depth / 2;
          memcpy(d, c, 6 * LD * sizeof *c), memcpy(e, c, 6 * LD * sizeof *c);
          plain->tile(a, rs, cs, b, LD, LT_PANEL, PANELS, depth, rows, d, LD, add);
          fast->tile(a, rs, cs, b, LD, LT_PANEL, PANELS, depth, rows, e, LD, add);
          for (int64_t i = 0; i < 6 * LD; i++) {
            int inside = i / LD < rows && i % LD < PANELS * LT_PANEL;
            assert_true(inside ? fabsf(d[i] - e[i]) <= 0x1p-23f * (float)(depth * depth + 1) : e[i] == c[i]);
          }
          memcpy(d, c, 6 * LD * sizeof *c); /* cut in two: the same bits, row by row as well */
          for (int64_t i = 0; i < rows; i++) {
            fast->tile(a + i * rs, rs, cs, b, LD, LT_PANEL, PANELS, half, 1, d + i * LD, LD, add);
            fast->tile(a + i * rs + half * cs, rs, cs, b + half * LD, LD, LT_PANEL, PANELS, depth - half, 1, d + i * LD, LD, 1);
          }
          assert_memory_equal(d, e, 6 * LD * sizeof *d);
        }
  free(a), free(b), free(c), free(d), free(e);
}

static void test_packs_and_bytes_of_both_sets(void **unused) {
  const lt_kern *plain = lt_kern_generic(), *fast = lt_kern_avx2();
  (void)unused;
  if (!fast) skip();
  _Alignas(64) float one[40 * LT_PANEL], two[40 * LT_PANEL];
  float *b = floats(40 * 40 * 3);
  int8_t q[40], r[40], w[40];
  for (int64_t depth = 0; depth <= 40; depth++)
    for (int64_t cols = 1; cols <= LT_PANEL; cols++)
      for (int lies = 0; lies < 3; lies++) {
        int64_t rs = lies == 0 ? 40 : lies == 1 ? 1 : 3, cs = lies == 0 ? 1 : lies == 1 ? 40 : 60;
        plain->pack(b, rs, cs, depth, cols, one);
        fast->pack(b, rs, cs, depth, cols, two);
        assert_memory_equal(one, two, (size_t)(depth * LT_PANEL) * sizeof *one);
      }
  for (int64_t n = 0; n <= 36; n++) {
    memset(q, 99, sizeof q), memset(r, 99, sizeof r);
    float top = plain->q8_top(b, n), inverse = n ? 127 / top : 0;
    assert_true(top == fast->q8_top(b, n));
    assert_int_equal(plain->q8_round(b, n, inverse, q), fast->q8_round(b, n, inverse, r));
    assert_memory_equal(q, r, sizeof q);
    for (int64_t i = 0; i < n; i++) w[i] = (int8_t)(i % 3 ? i * 7 - 120 : -128);
    assert_int_equal(plain->q8_dot(q, w, n), fast->q8_dot(q, w, n));
  }
  free(b);
}

static void test_words_of_both_sets(void **unused) {
  const lt_loop *plain = lt_loop_generic(), *fast = lt_loop_avx2();
  uint32_t one[32], two[32];
  (void)unused;
  if (!fast) skip();
  for (uint64_t i = 0; i < 200; i++) {
    uint64_t first = i * UINT64_C(0x123456789abcd) - 4;
    plain->philox(i * 77777777777777u, ~i, first, one);
    fast->philox(i * 77777777777777u, ~i, first, two);
    assert_memory_equal(one, two, sizeof one);
  }
}

/* n numbers of both sets: within `times` units of the last place of the larger of them and `floor`. */
static void near(const char *what, const float *a, const float *b, int64_t n, double times, double floor) {
  for (int64_t i = 0; i < n; i++) {
    double x = (double)a[i], y = (double)b[i];
    if (!(x == y || fabs(x - y) <= times * 0x1p-24 * (fabs(x) + floor)))
      fail_msg("%s, number %d of %d: %.9g in plain C, %.9g by AVX2", what, (int)i, (int)n, x, y);
  }
}

typedef struct two_sets {
  int64_t n;
  float *in[6], *a[3], *b[3]; /* inputs, and outputs of both that begin as the same numbers */
} two_sets;

static two_sets two_make(int64_t n) {
  two_sets t = {.n = n};
  for (int i = 0; i < 6; i++) t.in[i] = floats(n);
  for (int i = 0; i < 3; i++) {
    t.a[i] = floats(n), t.b[i] = floats(n);
    for (int64_t j = 0; j < n; j++) t.b[i][j] = t.a[i][j] = 0.1f + fabsf(t.a[i][j]);
  }
  return t;
}

static void two_free(two_sets *t) {
  for (int i = 0; i < 6; i++) free(t->in[i]);
  for (int i = 0; i < 3; i++) free(t->a[i]), free(t->b[i]);
}

static void compare_maps(const lt_loop *plain, const lt_loop *fast, two_sets *t) {
  float *positive_numbers = t->in[5];
  for (int64_t j = 0; j < t->n; j++) positive_numbers[j] = 0.01f + fabsf(positive_numbers[j]);
  for (int64_t f = 0; f < LT_F_COUNT; f++) {
    const float *x = f == LT_F_LOG1P || f == LT_F_SQRT ? positive_numbers : t->in[0];
    plain->map(f, x, t->a[0], t->n), fast->map(f, x, t->b[0], t->n);
    near("map", t->a[0], t->b[0], t->n, 16, 0x1p-10);
    if (f == 0) continue;
    plain->map_grad(f, t->in[1], positive_numbers, t->a[0], t->n);
    fast->map_grad(f, t->in[1], positive_numbers, t->b[0], t->n);
    near("map_grad", t->a[0], t->b[0], t->n, 32, 1);
  }
  for (int64_t which = 0; which < LT_BINARY_COUNT; which++) {
    plain->binary(which, 1.5f, t->in[0], -0.5f, t->in[1], t->a[0], t->n);
    fast->binary(which, 1.5f, t->in[0], -0.5f, t->in[1], t->b[0], t->n);
    near("binary", t->a[0], t->b[0], t->n, 0, 0); /* both round each product once */
  }
}

static void compare_steps(const lt_loop *plain, const lt_loop *fast, two_sets *t) {
  lt_sgd_step s = {0.1f, 0.9f, 0.01f, 0.5f, 0};
  lt_adam_step adam = {0.9f, 0.1f, 0.999f, 0.001f, 0.01f, 100, 1e-8f, 0.01f, 0.001f, 0.5f};
  for (s.nesterov = 0; s.nesterov < 2; s.nesterov++) {
    plain->sgd(&s, t->in[0], t->a[0], s.nesterov ? t->a[1] : NULL, t->n);
    fast->sgd(&s, t->in[0], t->b[0], s.nesterov ? t->b[1] : NULL, t->n);
  }
  plain->adam(&adam, t->in[0], t->a[0], t->a[1], t->a[2], t->n);
  fast->adam(&adam, t->in[0], t->b[0], t->b[1], t->b[2], t->n);
  for (int k = 0; k < 3; k++) near("steps", t->a[k], t->b[k], t->n, 64, 1);
}

static void compare_sums(const lt_loop *plain, const lt_loop *fast, two_sets *t) {
  double n = (double)t->n;
  for (int64_t what = 0; what < LT_REDUCE_COUNT; what++) {
    float x = (float)plain->line(what, t->in[0], t->n), y = (float)fast->line(what, t->in[0], t->n);
    near("line", &x, &y, 1, n + 8, n);
    int64_t rows = 3, cols = t->n / 3;
    plain->columns(what, t->in[0], cols, rows, cols, t->a[0]), fast->columns(what, t->in[0], cols, rows, cols, t->b[0]);
    near("columns", t->a[0], t->b[0], cols, 11, 3);
  }
  for (int64_t label = 0; label < t->n; label += 5) {
    float x = plain->xent(t->in[0], t->n, label, 0.5f, t->a[0]), y = fast->xent(t->in[0], t->n, label, 0.5f, t->b[0]);
    near("xent", &x, &y, 1, n + 16, 3);
    near("xent's slope", t->a[0], t->b[0], t->n, n + 16, 1);
  }
}

static void compare_norms(const lt_loop *plain, const lt_loop *fast, two_sets *t) {
  float x = (float)plain->spread(t->in[0], 0.2f, t->n), y = (float)fast->spread(t->in[0], 0.2f, t->n);
  double n = (double)t->n;
  near("spread", &x, &y, 1, n + 8, n);
  plain->normal(t->in[0], 0.2f, 1.5f, t->in[1], t->in[2], t->a[0], t->n);
  fast->normal(t->in[0], 0.2f, 1.5f, t->in[1], t->in[2], t->b[0], t->n);
  near("normal", t->a[0], t->b[0], t->n, 8, 2);
  plain->normal_grad(t->in[0], t->in[1], t->in[2], 0.2f, 1.5f, t->a[0], t->a[1], t->a[2], t->n);
  fast->normal_grad(t->in[0], t->in[1], t->in[2], 0.2f, 1.5f, t->b[0], t->b[1], t->b[2], t->n);
  for (int k = 0; k < 3; k++) near("normal_grad", t->a[k], t->b[k], t->n, n + 16, 4);
  plain->spread_columns(t->in[0], t->in[1], t->a[0], t->n), fast->spread_columns(t->in[0], t->in[1], t->b[0], t->n);
  plain->dot_columns(t->in[0], t->in[1], t->in[2], t->in[3], t->a[1], t->n);
  fast->dot_columns(t->in[0], t->in[1], t->in[2], t->in[3], t->b[1], t->n);
  plain->normal_columns(t->in[0], t->in[1], t->in[2], t->in[3], t->in[4], t->a[2], t->n);
  fast->normal_columns(t->in[0], t->in[1], t->in[2], t->in[3], t->in[4], t->b[2], t->n);
  for (int k = 0; k < 3; k++) near("columns of norms", t->a[k], t->b[k], t->n, 32, 4);
  plain->normal_columns_grad(t->in[0], t->in[1], t->in[2], t->in[3], t->in[4], t->in[5], t->in[1], 0.1f, t->a[0], t->n);
  fast->normal_columns_grad(t->in[0], t->in[1], t->in[2], t->in[3], t->in[4], t->in[5], t->in[1], 0.1f, t->b[0], t->n);
  near("normal_columns_grad", t->a[0], t->b[0], t->n, 32, 4);
}

static void test_loops_of_both_sets(void **unused) {
  const lt_loop *plain = lt_loop_generic(), *fast = lt_loop_avx2();
  static void (*const parts[])(const lt_loop *a, const lt_loop *b, two_sets *t) = {compare_maps, compare_steps, compare_sums,
                                                                                   compare_norms};
  (void)unused;
  if (!fast) skip();
  for (int64_t n = 1; n <= 70; n++)
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
      two_sets t = two_make(n);
      parts[k](plain, fast, &t);
      two_free(&t);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_map),
      cmocka_unit_test(test_map_grad),
      cmocka_unit_test(test_binary),
      cmocka_unit_test(test_fill_copy_dropout),
      cmocka_unit_test(test_reduce),
      cmocka_unit_test(test_softmax_argmax),
      cmocka_unit_test(test_steps),
      cmocka_unit_test(test_norms),
      cmocka_unit_test(test_sparse),
      cmocka_unit_test(test_tables),
      cmocka_unit_test(test_batched_and_bytes),
      cmocka_unit_test(test_tiles_of_both_sets),
      cmocka_unit_test(test_packs_and_bytes_of_both_sets),
      cmocka_unit_test(test_words_of_both_sets),
      cmocka_unit_test(test_loops_of_both_sets),
  };
  return cmocka_run_group_tests(tests, open_devices, close_devices);
}
