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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_map),
      cmocka_unit_test(test_map_grad),
      cmocka_unit_test(test_binary),
      cmocka_unit_test(test_fill_copy_dropout),
      cmocka_unit_test(test_reduce),
      cmocka_unit_test(test_softmax_argmax),
      cmocka_unit_test(test_steps),
  };
  return cmocka_run_group_tests(tests, open_devices, close_devices);
}
