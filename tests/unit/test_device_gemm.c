/* gemm and gemv of both built-in devices against sums in double: odd shapes, every stride, alpha and beta, threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"

static uint64_t state = 88172645463325252u;
static float uniform(void) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (float)(state >> 40) * 0x1p-23f - 1.0f;
}

static leat_runtime *runtime(int64_t threads) {
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = threads};
  leat_runtime *rt = NULL;
  leat_error err = {.struct_size = sizeof err};
  if (leat_runtime_create(&opts, &rt, &err)) fail_msg("%s", err.message);
  return rt;
}

static const leat_device *device(leat_runtime *rt, const char *name) {
  const leat_device *dev = NULL;
  assert_int_equal(leat_device_find(rt, name, &dev, NULL), LEAT_OK);
  return dev;
}

/* How a matrix lies: its elements and strides, in a block of its own. */
enum { ROWS, COLUMNS, GAPS, BACKWARDS, SPREAD, LAYOUTS };
typedef struct matrix { float *block, *at; int64_t rows, cols, rs, cs, size; } matrix;

static matrix make(int layout, int64_t rows, int64_t cols) {
  matrix m = {NULL, NULL, rows, cols, 0, 0, 0};
  int64_t r = rows ? rows : 1, c = cols ? cols : 1;
  switch (layout) {
    case ROWS: m.rs = c, m.cs = 1; break;
    case COLUMNS: m.rs = 1, m.cs = r; break;
    case GAPS: m.rs = c + 3, m.cs = 1; break;
    case BACKWARDS: m.rs = -c, m.cs = -1; break;
    default: m.rs = 2, m.cs = 2 * r + 5; break;
  }
  m.size = 1 + llabs(m.rs) * (r - 1) + llabs(m.cs) * (c - 1);
  m.block = malloc((size_t)m.size * sizeof *m.block);
  assert_non_null(m.block);
  for (int64_t i = 0; i < m.size; i++) m.block[i] = uniform();
  m.at = layout == BACKWARDS ? m.block + m.size - 1 : m.block;
  return m;
}

static float get(const matrix *m, int64_t i, int64_t j) { return m->at[i * m->rs + j * m->cs]; }

/* C = alpha A B + beta C on the device against the same in double; elements that are not C's must stay. */
static void gemm_case(const leat_device *dev, const int64_t shape[3], const int layout[3], float alpha, float beta) {
  int64_t m = shape[0], n = shape[1], k = shape[2];
  matrix a = make(layout[0], m, k), b = make(layout[1], k, n), c = make(layout[2], m, n);
  if (beta == 0)
    for (int64_t i = 0; i < m; i++) /* what is not read may be NaN */
      for (int64_t j = 0; j < n; j++) c.at[i * c.rs + j * c.cs] = NAN;
  float *before = malloc((size_t)c.size * sizeof *before);
  assert_non_null(before);
  memcpy(before, c.block, (size_t)c.size * sizeof *before);
  lt_gemm g = {m, n, k, alpha, beta, a.at, b.at, c.at, a.rs, a.cs, b.rs, b.cs, c.rs, c.cs, NULL, 0};
  leat_error err = {.struct_size = sizeof err};
  if (lt_device_gemm(dev, &g, &err)) fail_msg("%s", err.message);
  matrix old = c;
  old.at = before + (c.at - c.block);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = 0, mass = 0;
      for (int64_t q = 0; q < k; q++) {
        double term = (double)get(&a, i, q) * (double)get(&b, q, j);
        sum += term, mass += fabs(term);
      }
      double rest = beta == 0 ? 0 : (double)beta * (double)get(&old, i, j);
      double want = (double)alpha * sum + rest, bound = ((double)k + 8) * 0x1p-24 * (fabs((double)alpha) * mass + fabs(rest));
      if (!(fabs((double)get(&c, i, j) - want) <= bound))
        fail_msg("%s %lld x %lld x %lld at (%lld, %lld): %a, not %a", lt_device_name(dev), (long long)m, (long long)n,
                 (long long)k, (long long)i, (long long)j, (double)get(&c, i, j), want);
      c.at[i * c.rs + j * c.cs] = get(&old, i, j);
    }
  assert_memory_equal(c.block, before, (size_t)c.size * sizeof *before);
  free(a.block), free(b.block), free(c.block), free(before);
}

static const int64_t shapes[][3] = {{1, 1, 1},   {1, 7, 5},    {7, 1, 5},   {2, 3, 4},    {8, 8, 8},    {7, 100, 33},
                                    {100, 7, 33}, {33, 65, 1},  {17, 31, 300}, {40, 40, 40}, {33, 33, 33}, {65, 129, 31},
                                    {5, 5, 1000}, {130, 90, 70}, {0, 5, 3},   {5, 0, 3},    {4, 6, 0},    {70, 70, 0}};

static void test_gemm_shapes(void **unused) {
  (void)unused;
  leat_runtime *rt = runtime(2);
  static const char *const names[] = {"cpu", "reference"};
  static const float scale[][2] = {{1, 0}, {1, 1}, {-0.5f, 2}, {0, 0.5f}, {0, 0}};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
    for (int la = 0; la < LAYOUTS; la++)
      for (int lb = 0; lb < LAYOUTS; lb++) {
        int layout[3] = {la, lb, (la + 2 * lb + (int)s) % LAYOUTS};
        const float *ab = scale[(s + (size_t)la + (size_t)lb) % 5];
        for (int d = 0; d < 2; d++) gemm_case(device(rt, names[d]), shapes[s], layout, ab[0], ab[1]);
      }
  for (int lc = 0; lc < LAYOUTS; lc++)
    for (int i = 0; i < 5; i++) gemm_case(device(rt, "cpu"), shapes[13], (int[]){0, 1, lc}, scale[i][0], scale[i][1]);
  leat_runtime_free(rt);
}

static void gemv_case(const leat_device *dev, int64_t m, int64_t n, int la, int64_t x_s, int64_t y_s, float alpha,
                      float beta) {
  matrix a = make(la, m, n), x = make(ROWS, n, llabs(x_s)), y = make(ROWS, m, llabs(y_s));
  float *xs = x_s < 0 ? x.block + (n - 1) * -x_s : x.block, *ys = y_s < 0 ? y.block + (m - 1) * -y_s : y.block;
  if (beta == 0)
    for (int64_t i = 0; i < m; i++) ys[i * y_s] = NAN;
  float *before = malloc((size_t)y.size * sizeof *before);
  assert_non_null(before);
  memcpy(before, y.block, (size_t)y.size * sizeof *before);
  lt_gemv g = {m, n, alpha, beta, a.at, xs, ys, a.rs, a.cs, x_s, y_s};
  assert_int_equal(lt_device_gemv(dev, &g, NULL), LEAT_OK);
  for (int64_t i = 0; i < m; i++) {
    double sum = 0, mass = 0, old = (double)before[ys - y.block + i * y_s];
    for (int64_t j = 0; j < n; j++) {
      double term = (double)get(&a, i, j) * (double)xs[j * x_s];
      sum += term, mass += fabs(term);
    }
    double rest = beta == 0 ? 0 : (double)beta * old, want = (double)alpha * sum + rest;
    assert_true(fabs((double)ys[i * y_s] - want) <= ((double)n + 8) * 0x1p-24 * (fabs((double)alpha) * mass + fabs(rest)));
    ys[i * y_s] = before[ys - y.block + i * y_s];
  }
  assert_memory_equal(y.block, before, (size_t)y.size * sizeof *before);
  free(a.block), free(x.block), free(y.block), free(before);
}

static void test_gemv_shapes(void **unused) {
  (void)unused;
  leat_runtime *rt = runtime(2);
  static const int64_t sizes[][2] = {{1, 1}, {3, 5}, {100, 33}, {33, 700}, {2000, 40}, {5, 3000}, {64, 1}, {1, 64}, {9, 0}};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int la = 0; la < LAYOUTS; la++)
      for (int d = 0; d < 2; d++) {
        const leat_device *dev = device(rt, d ? "reference" : "cpu");
        gemv_case(dev, sizes[s][0], sizes[s][1], la, 1, 1, 1, 0);
        gemv_case(dev, sizes[s][0], sizes[s][1], la, 3, 2, -0.5f, 1.5f);
        gemv_case(dev, sizes[s][0], sizes[s][1], la, -2, -1, 2, 1);
        gemv_case(dev, sizes[s][0], sizes[s][1], la, 1, 1, 0, 0);
      }
  leat_runtime_free(rt);
}

/* Zero strides say one row again and again; they may be read but not written. */
static void test_repeated_rows(void **unused) {
  (void)unused;
  leat_runtime *rt = runtime(1);
  float a[64], b[64], c[64 * 64], want = 0;
  for (int i = 0; i < 64; i++) a[i] = uniform(), b[i] = uniform(), want += a[i] * b[i];
  lt_gemm g = {64, 64, 64, 1, 0, a, b, c, 0, 1, 1, 0, 64, 1, NULL, 0};
  assert_int_equal(lt_device_gemm(device(rt, "cpu"), &g, NULL), LEAT_OK);
  for (int i = 0; i < 64 * 64; i++) assert_true(fabsf(c[i] - want) < 1e-4f);
  g.c_rs = 0;
  assert_int_equal(lt_device_gemm(device(rt, "cpu"), &g, NULL), LEAT_E_SHAPE);
  leat_runtime_free(rt);
}

static void test_refused(void **unused) {
  (void)unused;
  leat_runtime *rt = runtime(1);
  float v[16] = {0};
  static const char *const names[] = {"cpu", "reference"};
  for (int d = 0; d < 2; d++) {
    const leat_device *dev = device(rt, names[d]);
    lt_gemm good = {2, 2, 2, 1, 0, v, v + 4, v + 8, 2, 1, 2, 1, 2, 1, NULL, 0}, g = good;
    leat_error err = {.struct_size = sizeof err};
    assert_int_equal(lt_device_gemm(dev, &g, &err), LEAT_OK);
    g.m = -1;
    assert_int_equal(lt_device_gemm(dev, &g, &err), LEAT_E_SHAPE);
    g = good, g.k = -5;
    assert_int_equal(lt_device_gemm(dev, &g, &err), LEAT_E_SHAPE);
    g = good, g.a = NULL;
    assert_int_equal(lt_device_gemm(dev, &g, &err), LEAT_E_ARG);
    assert_non_null(strstr(err.message, "a is NULL"));
    g = good, g.a_rs = INT64_MAX;
    assert_int_equal(lt_device_gemm(dev, &g, &err), LEAT_E_SHAPE);
    g = good, g.b_cs = INT64_MIN;
    assert_int_equal(lt_device_gemm(dev, &g, &err), LEAT_E_SHAPE);
    g = good, g.m = INT64_MAX / 2;
    assert_int_equal(lt_device_gemm(dev, &g, &err), LEAT_E_SHAPE);
    g = good, g.c_rs = 1; /* rows of C lie on each other */
    assert_int_equal(lt_device_gemm(dev, &g, &err), LEAT_E_SHAPE);
    lt_gemv y = {4, 4, 1, 0, v, v, v, 4, 1, 1, 0};
    assert_int_equal(lt_device_gemv(dev, &y, &err), LEAT_E_SHAPE);
  }
  double w[4] = {0};
  lt_gemm64 h = {2, -2, 2, 1, 0, w, w, w, 2, 1, 2, 1, 2, 1};
  assert_int_equal(lt_cpu_gemm64(rt, &h, NULL), LEAT_E_SHAPE);
  leat_runtime_free(rt);
}

static void test_special_numbers(void **unused) {
  (void)unused;
  leat_runtime *rt = runtime(1);
  for (int64_t n = 3; n <= 48; n += 45) {
    size_t size = (size_t)(n * n);
    float *a = malloc(size * sizeof *a), *b = malloc(size * sizeof *b), *c = malloc(size * sizeof *c);
    assert_true(a && b && c);
    for (size_t i = 0; i < size; i++) a[i] = b[i] = 1, c[i] = 1;
    a[1] = NAN, b[size - 1] = INFINITY;
    lt_gemm g = {n, n, n, 1, NAN, a, b, c, n, 1, n, 1, n, 1, NULL, 0};
    assert_int_equal(lt_device_gemm(device(rt, "cpu"), &g, NULL), LEAT_OK);
    for (size_t i = 0; i < size; i++) assert_true(isnan(c[i])); /* beta NaN */
    g.beta = 0, g.alpha = NAN;
    assert_int_equal(lt_device_gemm(device(rt, "cpu"), &g, NULL), LEAT_OK);
    for (size_t i = 0; i < size; i++) assert_true(isnan(c[i])); /* alpha NaN */
    g.alpha = 1;
    assert_int_equal(lt_device_gemm(device(rt, "cpu"), &g, NULL), LEAT_OK);
    assert_true(isnan(c[0]) && c[n] == (float)n && isinf(c[size - 1]));
    g.alpha = 0;
    assert_int_equal(lt_device_gemm(device(rt, "cpu"), &g, NULL), LEAT_OK); /* alpha 0: a and b are not read */
    for (size_t i = 0; i < size; i++) assert_true(c[i] == 0);
    free(a), free(b), free(c);
  }
  leat_runtime_free(rt);
}

static void test_double(void **unused) {
  (void)unused;
  leat_runtime *rt = runtime(2);
  static const int64_t sizes[][3] = {{3, 4, 5}, {31, 31, 200}, {100, 60, 90}, {9, 9, 0}, {400, 300, 50}};
  for (size_t s = 0; s < 5; s++) {
    int64_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2];
    double *a = malloc(sizeof(double) * (size_t)(m * k + 1)), *b = malloc(sizeof(double) * (size_t)(k * n + 1));
    double *c = malloc(sizeof(double) * (size_t)(m * n));
    assert_true(a && b && c);
    for (int64_t i = 0; i < m * k; i++) a[i] = (double)uniform();
    for (int64_t i = 0; i < k * n; i++) b[i] = (double)uniform();
    for (int64_t i = 0; i < m * n; i++) c[i] = 1;
    lt_gemm64 g = {m, n, k, 2, -1, a, b, c, 1, m, 1, k, n, 1}; /* a and b in columns */
    assert_int_equal(lt_cpu_gemm64(rt, &g, NULL), LEAT_OK);
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < n; j++) {
        double sum = 0;
        for (int64_t q = 0; q < k; q++) sum += a[q * m + i] * b[j * k + q];
        assert_true(fabs(c[i * n + j] - (2 * sum - 1)) < 1e-12);
      }
    free(a), free(b), free(c);
  }
  leat_runtime_free(rt);
}

/* The same bits whatever the number of threads: cut by shape alone. */
static void test_threads(void **unused) {
  (void)unused;
  static const int64_t threads[] = {1, 2, 3, 7};
  static const int64_t sizes[][3] = {{300, 400, 500}, {64, 512, 784}, {784, 512, 64}, {1000, 10, 300}, {6, 5000, 200}, {1, 700, 900}};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    int64_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2];
    matrix a = make(ROWS, m, k), b = make(ROWS, k, n), c = make(ROWS, m, n), first = make(ROWS, m, n);
    for (int t = 0; t < 4; t++) {
      leat_runtime *rt = runtime(threads[t]);
      for (int again = 0; again < 3; again++) {
        lt_gemm g = {m, n, k, 1.5f, 0, a.at, b.at, c.at, k, 1, n, 1, n, 1, NULL, 0};
        assert_int_equal(lt_device_gemm(device(rt, "cpu"), &g, NULL), LEAT_OK);
        if (t == 0 && again == 0) memcpy(first.block, c.block, (size_t)c.size * sizeof(float));
        assert_memory_equal(first.block, c.block, (size_t)c.size * sizeof(float));
      }
      leat_runtime_free(rt);
    }
    free(a.block), free(b.block), free(c.block), free(first.block);
  }
}

/* Many callers of one runtime: more than it has threads, and than may be inside BLIS; all get the same bits. */
typedef struct caller { const leat_device *dev; const float *a, *b, *want; float *c; int32_t wrong; } caller;
static void *call(void *arg) {
  caller *k = arg;
  for (int i = 0; i < 10; i++) {
    lt_gemm g = {200, 210, 220, 1, 0, k->a, k->b, k->c, 220, 1, 210, 1, 210, 1, NULL, 0};
    if (lt_device_gemm(k->dev, &g, NULL) || memcmp(k->c, k->want, 200 * 210 * sizeof(float))) k->wrong++;
  }
  return NULL;
}

static void test_many_callers(void **unused) {
  (void)unused;
  enum { CALLERS = 5 };
  leat_runtime *rt = runtime(2);
  matrix a = make(ROWS, 200, 220), b = make(ROWS, 220, 210), want = make(ROWS, 200, 210), c[CALLERS];
  lt_gemm g = {200, 210, 220, 1, 0, a.at, b.at, want.at, 220, 1, 210, 1, 210, 1, NULL, 0};
  caller k[CALLERS];
  pthread_t threads[CALLERS];
  assert_int_equal(lt_device_gemm(device(rt, "cpu"), &g, NULL), LEAT_OK);
  for (int i = 0; i < CALLERS; i++) {
    c[i] = make(ROWS, 200, 210);
    k[i] = (caller){device(rt, "cpu"), a.at, b.at, want.at, c[i].at, 0};
    assert_int_equal(pthread_create(&threads[i], NULL, call, &k[i]), 0);
  }
  for (int i = 0; i < CALLERS; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(k[i].wrong, 0);
    free(c[i].block);
  }
  free(a.block), free(b.block), free(want.block);
  leat_runtime_free(rt);
}

/* Every allocation that a product needs fails once: MEMORY, nothing is lost, and the next try works. */
typedef struct failing { int64_t left, alive; } failing;
static void *failing_alloc(void *user, uint64_t size, uint64_t align) {
  failing *f = user;
  if (f->left-- == 0) return NULL;
  f->alive++;
  return aligned_alloc(align, (size + align - 1) / align * align);
}
static void failing_release(void *user, void *p, uint64_t size, uint64_t align) {
  (void)size, (void)align;
  ((failing *)user)->alive--;
  free(p);
}

static void test_memory_fails(void **unused) {
  (void)unused;
  failing f = {-1, 0};
  leat_allocator table = {sizeof table, &f, failing_alloc, NULL, failing_release};
  leat_runtime_opts opts = {.struct_size = sizeof opts, .allocator = &table};
  static float a[150 * 150 * 4], b[150 * 150 * 4], c[150 * 150 * 4];
  lt_gemm g = {150, 150, 150, 1, 1, a, b, c, 4, 600, 600, 4, 4, 600, NULL, 0}; /* for BLIS, which needs copies */
  lt_gemv v = {50, 50, 1, 0, a, b, c, 50, 1, 4, 4};
  for (int64_t n = 0;; n++) { /* making a runtime */
    leat_runtime *rt = NULL;
    f.left = n;
    leat_status st = leat_runtime_create(&opts, &rt, NULL);
    if (!st) {
      leat_runtime_free(rt);
      assert_int_equal(f.alive, 0);
      break;
    }
    assert_int_equal(st, LEAT_E_MEMORY);
    assert_null(rt);
    assert_int_equal(f.alive, 0);
  }
  leat_runtime *rt = NULL;
  f.left = -1;
  assert_int_equal(leat_runtime_create(&opts, &rt, NULL), LEAT_OK);
  int64_t alive = f.alive, failed = 0;
  for (int op = 0; op < 2; op++)
    for (int64_t n = 0, st = LEAT_E_MEMORY; st; n++, failed++) {
      f.left = n;
      st = op ? lt_device_gemv(device(rt, "cpu"), &v, NULL) : lt_device_gemm(device(rt, "cpu"), &g, NULL);
      assert_true(!st || st == LEAT_E_MEMORY);
      assert_int_equal(f.alive, alive);
    }
  assert_true(failed >= 10); /* three buffers each, three copies, one vector, and the successes */
  leat_runtime_free(rt);
  assert_int_equal(f.alive, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gemm_shapes), cmocka_unit_test(test_gemv_shapes), cmocka_unit_test(test_repeated_rows),
      cmocka_unit_test(test_refused), cmocka_unit_test(test_special_numbers), cmocka_unit_test(test_double),
      cmocka_unit_test(test_threads), cmocka_unit_test(test_memory_fails),
      cmocka_unit_test(test_many_callers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
