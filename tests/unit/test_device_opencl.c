/* The OpenCL plug-in over whatever driver is there (PoCL in the tests): every op against the reference device, buffers,
 * the cache of programs, errors. Skipped where the plug-in is not built or finds no device. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "device/op.h"
#include "device/registry.h"

#ifndef LEAT_OPENCL_PLUGIN
#define LEAT_OPENCL_PLUGIN ""
#endif
/* What the driver and its compiler keep to the end is theirs; leaks of the plug-in and of leat are still found. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libpocl\nleak:libLLVM\nleak:libOpenCL\nleak:libclang\n"; }

static leat_runtime *rt;
static const leat_device *device, *reference;
static uint32_t seed = 1;
static int small, slow; /* LEAT_OPENCL_SMALL: few and small shapes, for slow drivers (Oclgrind); LEAT_QUICK: shapes alone */

static leat_error fresh(void) {
  leat_error err;
  memset(&err, 0, sizeof err);
  err.struct_size = sizeof err;
  return err;
}

static leat_runtime *loaded(const char *cache) {
  leat_runtime_opts o;
  leat_runtime *made = NULL;
  leat_error err = fresh();
  memset(&o, 0, sizeof o);
  o.struct_size = sizeof o;
  o.n_threads = 2;
  o.cache_folder = cache;
  if (leat_runtime_create(&o, &made, &err)) fail_msg("%s", err.message);
  if (leat_runtime_load_backend(made, LEAT_OPENCL_PLUGIN, &err)) fail_msg("%s", err.message);
  return made;
}

static int find_device(void **state) {
  (void)state;
  if (!LEAT_OPENCL_PLUGIN[0]) return 0;
  rt = loaded(NULL);
  leat_error err = fresh();
  if (leat_device_find(rt, "opencl:0", &device, NULL)) device = NULL;
  return leat_device_find(rt, "reference", &reference, &err);
}

static int drop_device(void **state) {
  (void)state;
  leat_runtime_free(rt);
  return 0;
}

static float number(void) { /* in [-1, 1), of 16 bits */
  seed = seed * 1664525u + 1013904223u;
  return (float)(int32_t)(seed >> 16) / 32768.0f - 1.0f;
}

/* ---- one op on both devices */
typedef struct both { /* views of the reference's arrays, the same of the device's */
  lt_op_args ours, theirs;
  void *block[2 * LT_OP_TENSORS * 2];
  int n_blocks;
} both;

static lt_view *both_view(both *b, int out, int64_t i, int mine) {
  lt_op_args *a = mine ? &b->theirs : &b->ours;
  return out ? &a->out[i] : &a->in[i];
}

/* Adds an array of the given shape and type; `gap` elements between rows. Filled with numbers times scale plus shift. */
static void both_add(both *b, int out, int64_t dtype, int64_t rank, const int64_t *shape, int64_t gap, float scale,
                     float shift) {
  int64_t n = 1, i = out ? b->ours.n_out++ : b->ours.n_in++;
  lt_view v;
  memset(&v, 0, sizeof v);
  v.dtype = dtype;
  v.rank = rank;
  for (int64_t d = rank - 1; d >= 0; d--) {
    v.shape[d] = shape[d];
    v.stride[d] = n;
    n *= shape[d] + (d == rank - 1 && rank > 1 ? gap : 0);
  }
  int64_t bytes = n * lt_op_dtype_size(dtype);
  for (int mine = 0; mine < 2; mine++) {
    char *block = calloc(1, (size_t)bytes + 64);
    assert_non_null(block);
    b->block[b->n_blocks++] = block;
    if (mine) {
      memcpy(block, b->block[b->n_blocks - 2], (size_t)bytes);
    } else {
      for (int64_t e = 0; e < n; e++) {
        float x = number() * scale + shift;
        if (dtype == LEAT_F32) ((float *)(void *)block)[e] = x;
        else if (dtype == LEAT_I32) ((int32_t *)(void *)block)[e] = (int32_t)floorf(x);
        else block[e] = (char)(int)x;
      }
    }
    v.data = block;
    *both_view(b, out, i, mine) = v;
  }
  if (out) b->theirs.n_out++;
  else b->theirs.n_in++;
}
static void both_matrix(both *b, int out, int64_t m, int64_t n) {
  both_add(b, out, LEAT_F32, 2, (int64_t[]){m, n}, n % 3, 1, 0);
}
static void both_vector(both *b, int out, int64_t n) { both_add(b, out, LEAT_F32, 1, &n, 0, 1, 0); }

static void both_free(both *b) {
  for (int i = 0; i < b->n_blocks; i++) free(b->block[i]);
}

static double element(const lt_view *v, int64_t at) {
  if (v->dtype == LEAT_I32) return ((const int32_t *)v->data)[at];
  return (double)((const float *)v->data)[at];
}

/* Runs the op on both; outputs differ by at most `tolerance` times 2^-24 (absolute and relative), gaps are untouched. */
static void both_run(both *b, const char *name, const double *f, int64_t n_f, const int64_t *ints, int64_t n_i,
                     double tolerance) {
  leat_error err = fresh();
  int64_t before = 0, after = 0;
  b->ours.f = b->theirs.f = f;
  b->ours.n_f = b->theirs.n_f = n_f;
  b->ours.i = b->theirs.i = ints;
  b->ours.n_i = b->theirs.n_i = n_i;
  assert_int_equal(leat_runtime_stat(rt, "fallback_ops", &before, NULL), LEAT_OK);
  if (lt_device_run(reference, name, &b->ours, &err)) fail_msg("reference %s: %s", name, err.message);
  if (lt_device_run(device, name, &b->theirs, &err)) fail_msg("device %s: %s", name, err.message);
  assert_int_equal(leat_runtime_stat(rt, "fallback_ops", &after, NULL), LEAT_OK);
  if (before != after) fail_msg("%s fell back to the CPU", name);
  for (int64_t i = 0; i < b->ours.n_out; i++) {
    const lt_view *u = &b->ours.out[i], *v = &b->theirs.out[i];
    int64_t n = 1;
    for (int64_t d = 0; d < u->rank; d++) n = u->stride[d] * u->shape[d] > n ? u->stride[d] * u->shape[d] : n;
    if (u->rank == 2 && u->shape[0] == 1) n = u->shape[1];
    for (int64_t e = 0; e < n; e++) {
      double x = element(u, e), y = element(v, e), off = fabs(x - y);
      if (isnan(x) && isnan(y)) continue;
      if (!(off <= tolerance * 0x1p-24 * (1 + fabs(x))) && x != y)
        fail_msg("%s (%d, %d; %d in, rank %d of %d): output %d, element %d is %.9g, the reference has %.9g", name, n_i > 0 ? (int)ints[0] : -1,
                 n_i > 1 ? (int)ints[1] : -1, (int)b->ours.n_in, (int)u->rank, (int)u->shape[0], (int)i, (int)e, y, x);
    }
  }
  both_free(b);
  memset(b, 0, sizeof *b);
}

/* ---- ops */
static void need_device(void) {
  if (!device) skip();
}

static const int64_t shapes[][3] = {{1, 1, 1}, {3, 5, 7}, {6, 16, 16}, {7, 17, 33}, {64, 10, 100}, {50, 70, 1},
                                    {130, 129, 65}, {1, 40, 300}, {33, 1, 17}};

static void gemm_case(int64_t m, int64_t n, int64_t k, int turned, double alpha, double beta, int64_t act) {
  both b;
  memset(&b, 0, sizeof b);
  both_matrix(&b, 0, turned & 1 ? k : m, turned & 1 ? m : k);
  both_matrix(&b, 0, turned & 2 ? n : k, turned & 2 ? k : n);
  if (act >= 0) both_vector(&b, 0, n);
  both_matrix(&b, 1, m, n);
  for (int mine = 0; mine < 2; mine++)
    for (int i = 0; i < 2; i++) {
      lt_view *v = both_view(&b, 0, i, mine);
      if (!(turned >> i & 1)) continue;
      int64_t s = v->stride[0], d = v->shape[0];
      v->stride[0] = v->stride[1], v->shape[0] = v->shape[1];
      v->stride[1] = s, v->shape[1] = d;
    }
  both_run(&b, "gemm", (double[]){alpha, beta}, 2, (int64_t[]){act}, act >= 0, (double)k + 16);
}

static void gemm_all(void) {
  for (size_t s = small ? 1 : 0; s < (small ? 2 : sizeof shapes / sizeof *shapes); s++) {
    for (int turned = 0; turned < 4; turned++)
      gemm_case(shapes[s][0], shapes[s][1], shapes[s][2], turned, 1.0, turned & 1 ? 0.5 : 0.0, -1);
    for (int64_t act = 0; act < 5; act++) gemm_case(shapes[s][0], shapes[s][1], shapes[s][2], 0, 0.7, 0.0, act);
  }
  gemm_case(5, 4, 3, 0, 0.0, 2.0, 1);
  gemm_case(5, 4, 0, 0, 1.0, 2.0, 1);
}

static void set_variant(int64_t variant) {
  void *fn = NULL;
  void (*set)(leat_b_instance *, int64_t);
  const leat_b_backend *t = &device->backend->table;
  assert_int_equal(t->proc(t->self, "set_gemm_variant", &fn), LEAT_OK);
  memcpy(&set, &fn, sizeof set);
  set(t->self, variant);
}

static void test_gemm(void **unused) {
  (void)unused;
  need_device();
  for (int64_t variant = 0; variant < 3; variant++) {
    set_variant(variant);
    gemm_all();
  }
  for (int64_t choice = 2; choice < 5 && !small; choice++) { /* the larger tiles, of which these shapes are edges */
    set_variant(2 + 10 * choice);
    gemm_all();
  }
  set_variant(0);
}

/* The same bits whichever kernel computes, with whichever tiles. */
static void test_gemm_variants(void **unused) {
  (void)unused;
  need_device();
  int64_t m = small ? 35 : 150, n = small ? 37 : 170, k = small ? 18 : 190, all = 0;
  float *a = calloc((size_t)(m * k), 4), *w = calloc((size_t)(k * n), 4), *c = calloc((size_t)(m * n), 4);
  float *first = calloc((size_t)(m * n), 4);
  for (int64_t i = 0; i < m * k; i++) a[i] = number();
  for (int64_t i = 0; i < k * n; i++) w[i] = number();
  for (int variant = 0; variant < 3; variant++)
    for (int choice = 0; choice < (variant ? 5 : 1); choice++) {
      lt_gemm g = {m, n, k, 1, 0, a, w, c, k, 1, n, 1, n, 1, NULL, 0};
      leat_error err = fresh();
      set_variant(variant + 10 * choice);
      if (lt_device_gemm(device, &g, &err)) fail_msg("%s", err.message);
      if (all++ == 0) memcpy(first, c, (size_t)(m * n) * 4);
      assert_memory_equal(first, c, (size_t)(m * n) * 4);
    }
  set_variant(0);
  free(a);
  free(w);
  free(c);
  free(first);
}

static void test_products(void **unused) {
  (void)unused;
  need_device();
  both b;
  memset(&b, 0, sizeof b);
  for (int turn = 0; turn < (small ? 2 : 3); turn++) {
    int64_t m = 5 + turn * 40 / (1 + small), n = 7 + turn * 45;
    both_matrix(&b, 0, m, n);
    both_vector(&b, 0, n);
    both_vector(&b, 1, m);
    both_run(&b, "gemv", (double[]){0.5, turn * 0.25}, 2, NULL, 0, (double)n + 8);
    for (int i = 0; i < 2; i++) both_add(&b, 0, LEAT_F32, 3, (int64_t[]){3, i ? 9 : m, i ? n : 9}, 0, 1, 0);
    both_add(&b, 1, LEAT_F32, 3, (int64_t[]){3, m, n}, 0, 1, 0);
    both_run(&b, "gemm_batched", (double[]){1, turn * 0.5}, 2, NULL, 0, 32);
    both_matrix(&b, 0, m, n);
    both_add(&b, 0, LEAT_I8, 2, (int64_t[]){m + 1, n}, 0, 127, 0);
    both_vector(&b, 0, m + 1);
    both_vector(&b, 0, m + 1);
    both_matrix(&b, 1, m, m + 1);
    both_run(&b, "gemm_q8", NULL, 0, (int64_t[]){turn}, 1, 127 * (double)n);
  }
}

static void test_elements(void **unused) {
  (void)unused;
  need_device();
  both b;
  memset(&b, 0, sizeof b);
  for (int64_t f = 0; f < 10; f++) {
    both_add(&b, 0, LEAT_F32, 2, (int64_t[]){9, 40}, f % 2, f < 6 ? 6 : 2, f < 6 ? 0 : 2.5f);
    both_matrix(&b, 1, 9, 40);
    both_run(&b, "map", NULL, 0, &f, 1, 16);
    if (f == 0) continue;
    both_matrix(&b, 0, 9, 40);
    both_add(&b, 0, LEAT_F32, 2, (int64_t[]){9, 40}, f % 2, f == 2 ? 4 : 0.4f, f == 2 ? 0 : 0.5f);
    both_matrix(&b, 1, 9, 40);
    both_run(&b, "map_grad", NULL, 0, &f, 1, 3200);
  }
  for (int64_t which = 0; which < 12; which++) {
    both_matrix(&b, 0, 9, 40);
    if (which < 6) both_add(&b, 0, LEAT_F32, 2, (int64_t[]){9, 40}, 1, 0.5f, 1);
    else both_add(&b, 0, LEAT_F32, 1, (int64_t[]){40}, 0, 0.5f, 1);
    both_matrix(&b, 1, 9, 40);
    both_run(&b, "binary", (double[]){0.5, 2}, 2, (int64_t[]){which % 6}, 1, 8);
  }
  both_matrix(&b, 1, 3, 50);
  both_run(&b, "fill", (double[]){2.5}, 1, NULL, 0, 0);
  both_matrix(&b, 0, 3, 50);
  both_matrix(&b, 1, 3, 50);
  both_run(&b, "copy", NULL, 0, NULL, 0, 0);
  both_add(&b, 0, LEAT_U8, 2, (int64_t[]){3, 50}, 3, 127, 0);
  both_matrix(&b, 1, 3, 50);
  both_run(&b, "copy", NULL, 0, NULL, 0, 0);
  for (int64_t n = 1; n < 200; n += 61) {
    both_matrix(&b, 0, 7, n);
    both_matrix(&b, 1, 7, n);
    both_run(&b, "dropout", (double[]){0.3}, 1, (int64_t[]){INT64_C(0x123456789abcdef), 77 + n}, 2, 4);
  }
}

static void test_rows(void **unused) {
  (void)unused;
  need_device();
  both b;
  memset(&b, 0, sizeof b);
  static const int64_t sizes[][2] = {{1, 1}, {3, 10}, {70, 10}, {5, 33}, {9, 200}, {300, 70}};
  for (size_t s = small ? 1 : 0; s < (small ? 4 : sizeof sizes / sizeof *sizes); s += 1 + (size_t)small) {
    int64_t m = sizes[s][0], n = sizes[s][1];
    for (int64_t what = 0; what < 3; what++)
      for (int64_t axis = 0; axis < 3; axis++) {
        both_matrix(&b, 0, m, n);
        both_vector(&b, 1, axis == 0 ? n : axis == 1 ? m : 1);
        both_run(&b, "reduce", (double[]){0.5, what == 1 ? 0.5 : 0}, 2, (int64_t[]){what, axis}, 2, (double)(m * n + 8));
      }
    both_add(&b, 0, LEAT_F32, 2, (int64_t[]){m, n}, 1, 8, 0);
    both_matrix(&b, 1, m, n);
    both_run(&b, "softmax", NULL, 0, NULL, 0, (double)n + 16);
    for (int outs = 1; outs < 3; outs++) {
      both_add(&b, 0, LEAT_F32, 2, (int64_t[]){m, n}, 1, 8, 0);
      both_add(&b, 0, LEAT_I32, 1, &m, 0, 0.6f * (float)n, 0.5f * (float)n); /* some outside */
      if (outs > 1) both_vector(&b, 0, m);
      both_vector(&b, 1, m);
      if (outs > 1) both_matrix(&b, 1, m, n);
      both_run(&b, "softmax_xent", (double[]){0.25}, 1, NULL, 0, 16 * ((double)n + 16));
    }
    both_add(&b, 0, LEAT_F32, 2, (int64_t[]){m, n}, 1, 2, 0);
    both_add(&b, 1, LEAT_I32, 1, &m, 0, 1, 0);
    both_run(&b, "argmax", NULL, 0, NULL, 0, 0);
    both_matrix(&b, 0, m, n);
    both_matrix(&b, 1, m, (n + 1) / 2);
    both_add(&b, 1, LEAT_I32, 2, (int64_t[]){m, (n + 1) / 2}, 2, 1, 0);
    both_run(&b, "top_k", NULL, 0, NULL, 0, 0);
    both_matrix(&b, 0, m, n);
    both_vector(&b, 0, n);
    both_vector(&b, 0, n);
    both_matrix(&b, 1, m, n);
    both_vector(&b, 1, m);
    both_vector(&b, 1, m);
    both_run(&b, "layer_norm", (double[]){0.1}, 1, NULL, 0, 4 * ((double)n + 32));
    both_matrix(&b, 0, m, n);
    both_vector(&b, 0, n);
    both_vector(&b, 0, n);
    both_matrix(&b, 1, m, n);
    for (int i = 0; i < 4; i++) both_vector(&b, 1, n);
    both_run(&b, "batch_norm", (double[]){0.1, 0.1}, 2, NULL, 0, 4 * ((double)m + 32));
    for (int layer = 0; layer < 2; layer++) {
      both_matrix(&b, 0, m, n);
      both_matrix(&b, 0, m, n);
      both_vector(&b, 0, n);
      for (int i = 0; i < 2; i++) both_vector(&b, 0, layer ? m : n);
      both_matrix(&b, 1, m, n);
      both_vector(&b, 1, n);
      both_vector(&b, 1, n);
      both_run(&b, layer ? "layer_norm_grad" : "batch_norm_grad", NULL, 0, NULL, 0, 4 * ((double)(m + n) + 64));
    }
    both_matrix(&b, 0, m, n);
    for (int i = 0; i < 3; i++) both_vector(&b, 0, n);
    both_add(&b, 0, LEAT_F32, 1, &n, 0, 0.5f, 1);
    both_matrix(&b, 1, m, n);
    both_run(&b, "batch_norm_apply", (double[]){0.1}, 1, NULL, 0, 128);
  }
}

static void test_losses_and_steps(void **unused) {
  (void)unused;
  need_device();
  both b;
  memset(&b, 0, sizeof b);
  for (int64_t which = 0; which < 7; which++) {
    int64_t m = 100;
    both_add(&b, 0, LEAT_F32, 1, &m, 0, 3, 0);
    both_add(&b, 0, LEAT_F32, 1, &m, 0, 0.5f, 0.5f);
    both_vector(&b, 0, m);
    both_vector(&b, 1, m);
    both_vector(&b, 1, m);
    both_run(&b, "loss", (double[]){0.5, 0.3, 0}, 3, &which, 1, 32 * 8);
  }
  for (int turn = 0; turn < 8; turn++) {
    both_matrix(&b, 0, 5, 33);
    if (turn & 1) both_add(&b, 0, LEAT_F32, 1, (int64_t[]){1}, 0, 1, 9);
    both_matrix(&b, 1, 5, 33);
    if (turn & 2) both_matrix(&b, 1, 5, 33);
    both_run(&b, "sgd", (double[]){0.1, 0.9, 0.01, 0.5, 0.7}, 5, (int64_t[]){turn >> 2}, 1, 16);
    both_matrix(&b, 0, 5, 33);
    if (turn & 1) both_add(&b, 0, LEAT_F32, 1, (int64_t[]){1}, 0, 1, 9);
    both_matrix(&b, 1, 5, 33);
    both_matrix(&b, 1, 5, 33);
    both_add(&b, 1, LEAT_F32, 2, (int64_t[]){5, 33}, 0, 0.5f, 0.6f);
    both_run(&b, "adam", (double[]){0.1, 0.9, 0.999, 1e-3, 0.01, 0.5, 0.7, 0.5, 0.3}, 9, (int64_t[]){turn >> 2}, 1, 64);
  }
}

static void test_tables(void **unused) {
  (void)unused;
  need_device();
  both b;
  memset(&b, 0, sizeof b);
  for (int dtype = 0; dtype < 2; dtype++) {
    both_add(&b, 0, dtype ? LEAT_I32 : LEAT_F32, 2, (int64_t[]){11, 5}, 1, 100, 0);
    both_add(&b, 0, LEAT_I32, 2, (int64_t[]){20, 3}, 0, 7, 5.5f);
    both_add(&b, 1, dtype ? LEAT_I32 : LEAT_F32, 2, (int64_t[]){20, 15}, 2, 1, 0);
    both_run(&b, "gather", NULL, 0, NULL, 0, 0);
  }
  for (int turn = 0; turn < 2; turn++) {
    both_matrix(&b, 0, 20, 15);
    both_add(&b, 0, LEAT_I32, 2, (int64_t[]){20, 3}, 0, 7, 5.5f);
    both_matrix(&b, 1, 11, 5);
    both_run(&b, "scatter_add", (double[]){0.5, turn}, 2, NULL, 0, 64);
    both_add(&b, 0, LEAT_U8, 2, (int64_t[]){200, 3}, 1, 20, 21);
    both_vector(&b, 0, 200);
    both_vector(&b, 0, 200);
    both_add(&b, 1, LEAT_F32, 3, (int64_t[]){3, 32, 2}, 0, 1, 0);
    both_run(&b, "histogram", (double[]){turn}, 1, NULL, 0, 256);
  }
  for (int turn = 0; turn < 8; turn++) {
    int transposed = turn & 1, rows = turn >> 1 & 1, m = rows ? 9 : 20;
    both_add(&b, 0, LEAT_I32, 1, (int64_t[]){21}, 0, 0, 0);
    for (int mine = 0; mine < 2; mine++)
      for (int i = 0; i < 21; i++) ((int32_t *)lt_view_out(both_view(&b, 0, 0, mine)))[i] = i * 5;
    both_add(&b, 0, LEAT_I32, 1, (int64_t[]){100}, 0, 16, 15);
    both_vector(&b, 0, 100);
    both_matrix(&b, 0, transposed ? m : 30, 40);
    if (rows) both_add(&b, 0, LEAT_I32, 1, (int64_t[]){m}, 0, 11, 10);
    both_matrix(&b, 1, transposed ? 30 : m, 40);
    both_run(&b, transposed ? "csr_gemm_t" : "csr_gemm", (double[]){0.5, turn >> 2}, 2, NULL, 0, 64);
  }
}

/* ---- memory, cache, errors */
static void test_buffers(void **unused) {
  (void)unused;
  need_device();
  leat_device *dev = (leat_device *)(uintptr_t)device;
  const leat_b_backend *t = &dev->backend->table;
  leat_error err = fresh();
  leat_b_buffer *x = NULL, *y = NULL;
  leat_b_queue *q = NULL;
  leat_b_event *over = NULL;
  uint8_t from[100], to[100];
  void *map = NULL;
  for (int i = 0; i < 100; i++) from[i] = (uint8_t)(i * 7), to[i] = 0;
  assert_int_equal(lt_device_ready(dev, &err), LEAT_OK);
  assert_int_equal(t->buffer_alloc(dev->open, 0, 100, 64, &x, &err), LEAT_OK);
  assert_int_equal(t->buffer_alloc(dev->open, 0, 0, 64, &y, &err), LEAT_OK);
  t->buffer_free(y);
  assert_int_equal(t->buffer_alloc(dev->open, 0, 100, 64, &y, &err), LEAT_OK);
  assert_int_equal(t->queue_create(dev->open, 0, &q, &err), LEAT_OK);
  leat_b_copy up = {sizeof up, x, NULL, from, 0, 0, 100, NULL, 0};
  leat_b_copy over_there = {sizeof up, y, x, NULL, 10, 20, 50, NULL, 0};
  leat_b_copy down = {sizeof up, NULL, y, to, 0, 10, 50, NULL, 0};
  assert_int_equal(t->queue_copy(q, &up, &over, &err), LEAT_OK);
  over_there.wait = &over, over_there.n_wait = 1;
  assert_int_equal(t->queue_copy(q, &over_there, NULL, &err), LEAT_OK);
  assert_int_equal(t->queue_copy(q, &down, NULL, &err), LEAT_OK);
  assert_int_equal(t->queue_finish(q, &err), LEAT_OK);
  assert_memory_equal(to, from + 20, 50);
  assert_int_equal(t->event_wait(over, -1, &err), LEAT_OK);
  assert_int_equal(t->event_wait(over, 0, &err), LEAT_OK);
  t->event_free(over);
  assert_int_equal(t->buffer_map(y, 10, 50, 0, &map, &err), LEAT_OK);
  assert_memory_equal(map, from + 20, 50);
  memset(map, 9, 50);
  assert_int_equal(t->buffer_unmap(y, map, &err), LEAT_OK);
  assert_int_equal(t->queue_copy(q, &down, NULL, &err), LEAT_OK);
  assert_int_equal(t->queue_finish(q, &err), LEAT_OK);
  assert_int_equal(to[0], 9);
  assert_int_equal(t->buffer_map(y, 90, 11, 0, &map, &err), LEAT_E_RANGE);
  down.src_offset = 60;
  assert_int_equal(t->queue_copy(q, &down, NULL, &err), LEAT_E_RANGE);
  assert_int_equal(t->buffer_wrap(dev->open, from + 1, 50, &x, &err), LEAT_E_UNSUPPORTED);
  t->buffer_free(y);
  assert_int_equal(t->buffer_alloc(dev->open, 0, UINT64_C(1) << 60, 64, &y, &err), LEAT_E_MEMORY);
  if (!strstr(err.message, "at most")) fail_msg("%s", err.message);
  assert_int_equal(t->buffer_alloc(dev->open, 7, 100, 64, &y, &err), LEAT_E_UNSUPPORTED);
  t->buffer_free(x);
  t->queue_free(q);
}

static void one_gemm(const char *cache) {
  leat_runtime *own = loaded(cache);
  const leat_device *dev;
  float a[6] = {1, 2, 3, 4, 5, 6}, w[6] = {1, 0, 0, 1, 1, 1}, c[4];
  lt_gemm g = {2, 2, 3, 1, 0, a, w, c, 3, 1, 2, 1, 2, 1, NULL, 0};
  leat_error err = fresh();
  assert_int_equal(leat_device_find(own, "opencl:0", &dev, &err), LEAT_OK);
  if (lt_device_gemm(dev, &g, &err)) fail_msg("%s", err.message);
  assert_true(c[0] == 4 && c[1] == 5 && c[2] == 10 && c[3] == 11);
  leat_runtime_free(own);
}

/* A damaged or cut entry is not given to the driver (PoCL would crash) but built anew. */
static void test_cache(void **unused) {
  (void)unused;
  need_device();
  char folder[] = "/tmp/leat-opencl-XXXXXX", path[512], command[600];
  assert_non_null(mkdtemp(folder));
  one_gemm(folder);
  DIR *d = opendir(folder);
  int entries = 0;
  for (struct dirent *e; (e = readdir(d)) != NULL;) {
    if (strncmp(e->d_name, "opencl-gemm", 11)) continue;
    snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    entries++;
  }
  closedir(d);
  assert_int_equal(entries, 1);
  one_gemm(folder); /* from the cache */
  for (int damage = 0; damage < 3; damage++) {
    FILE *f = fopen(path, damage == 2 ? "wb" : "r+b");
    assert_non_null(f);
    if (damage == 0) {
      fseek(f, 2000, SEEK_SET);
      int c = fgetc(f);
      fseek(f, 2000, SEEK_SET);
      fputc(c ^ 4, f);
    } else if (damage == 1) {
      fseek(f, 0, SEEK_SET);
      fputc('X', f);
    } else {
      fputs("short", f);
    }
    fclose(f);
    one_gemm(folder);
  }
  snprintf(command, sizeof command, "rm -rf %s", folder);
  assert_int_equal(system(command), 0);
}

/* Two runtimes with the same plug-in, and a thousand in turn. */
static void test_runtimes(void **unused) {
  (void)unused;
  need_device();
  leat_runtime *one = loaded(NULL), *two = loaded(NULL);
  leat_runtime_free(one);
  leat_runtime_free(two);
  for (int i = 0; i < (slow ? 20 : 1000); i++) leat_runtime_free(loaded(NULL));
}

int main(void) {
  char cache[] = "/tmp/leat-pocl-XXXXXX", command[64];
  slow = getenv("LEAT_OPENCL_SMALL") != NULL;
  small = slow || getenv("LEAT_QUICK") != NULL;
  if (mkdtemp(cache)) setenv("POCL_CACHE_DIR", cache, 1);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gemm),     cmocka_unit_test(test_gemm_variants), cmocka_unit_test(test_products),
      cmocka_unit_test(test_elements), cmocka_unit_test(test_rows),          cmocka_unit_test(test_losses_and_steps),
      cmocka_unit_test(test_tables),   cmocka_unit_test(test_buffers),       cmocka_unit_test(test_cache),
      cmocka_unit_test(test_runtimes),
  };
  int failed = cmocka_run_group_tests(tests, find_device, drop_device);
  snprintf(command, sizeof command, "rm -rf %s", cache);
  return system(command) ? 1 : failed;
}
