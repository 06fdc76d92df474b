/* Predictors through the public calls: every way to give a row gives the same bits; nothing is allocated after reserve;
 * any number of threads on one model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include "base_files_help.h"
#include "model_make.h"

/* The C library's allocator can be told to fail, for the whole process. Not under a sanitizer: it has its own. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__has_feature)
#define INTERPOSE 1
#elif defined(__has_feature)
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer) && !__has_feature(memory_sanitizer)
#define INTERPOSE 1
#endif
#endif
#ifdef INTERPOSE
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);
static volatile int refuse_memory;
static volatile int64_t memory_refused;
static int refused(void) {
  if (refuse_memory) memory_refused++;
  return refuse_memory;
}
void *malloc(size_t n) { return refused() ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return refused() ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return refused() ? NULL : __libc_realloc(p, n); }
void *aligned_alloc(size_t align, size_t n) { return refused() ? NULL : __libc_memalign(align, n); }
int posix_memalign(void **p, size_t align, size_t n) {
  *p = refused() ? NULL : __libc_memalign(align, n);
  return *p ? 0 : ENOMEM;
}
#else
static volatile int refuse_memory;
static volatile int64_t memory_refused;
#endif

static leat_runtime *rt;
static int start(void **state) { (void)state; return (rt = new_runtime(3)) == NULL; }
static int stop(void **state) { (void)state; lt_runtime_unref(rt); return 0; }

/* Strings, codes as f32 and f64, a matrix, a batch, a batch of another schema, a data set: one answer. */
static void check_same_bits(int64_t n_classes, int text) {
  enum { ROWS = 5000 };
  leat_model *m = mixed_model(rt, n_classes, text);
  leat_predictor *q = NULL;
  leat_schema *s = mixed_schema(rt, n_classes, text), *model_schema = NULL;
  leat_batch *b = mixed_batch(rt, s, n_classes, text, ROWS, 99), *other = NULL;
  leat_dataset *d = NULL;
  lt_rows rows;
  int64_t in_cols, k, n_feature = text ? 8 : 7;
  OK(leat_predictor_create(m, NULL, NULL, &q, &error_of));
  OK(leat_predictor_shape(q, &in_cols, &k, &error_of));
  assert_int_equal(in_cols, 6);
  assert_int_equal(k, n_classes > 2 ? n_classes : 1);
  double *want = calloc((size_t)(ROWS * k), sizeof *want), *got = calloc((size_t)(ROWS * k), sizeof *got);
  double *x = calloc(ROWS * 6, sizeof *x), one[8];
  float *wantf = calloc((size_t)(ROWS * k), sizeof *wantf), onef[8], *xf = calloc(ROWS * 6, sizeof *xf);
  leat_matrix out = matrix_of(want, ROWS, k, LEAT_F64), out2 = matrix_of(got, ROWS, k, LEAT_F64);
  leat_matrix outf = matrix_of(wantf, ROWS, k, LEAT_F32);
  size_t bytes = (size_t)(ROWS * k) * sizeof *want;
  OK(leat_predictor_run_batch(q, b, &out, &error_of));
  OK(leat_predictor_run_batch(q, b, &outf, &error_of));
  for (int64_t i = 0; i < ROWS * k; i++) assert_true(wantf[i] == (float)want[i]);
  /* a copy of the model's schema */
  OK(leat_model_schema(m, &model_schema, &error_of));
  OK(leat_batch_create(rt, model_schema, &other, &error_of));
  lt_batch_rows(b, &rows);
  lt_rng r;
  lt_rng_init(&r, 99, 0);
  for (int64_t i = 0; i < ROWS; i++) { /* the same rows again, as strings */
    mixed_row row;
    make_row(&r, n_classes, text, &row);
    OK(leat_batch_add_text(other, row.list, (uint64_t)row.n, &error_of));
    OK(leat_predictor_one_text(q, row.list, (uint64_t)n_feature, onef, 8, &error_of));
    for (int64_t j = 0; j < k; j++) assert_memory_equal(&onef[j], &wantf[i * k + j], sizeof *onef);
    for (int64_t j = 0; j < 6; j++) {
      x[i * 6 + j] = lt_col_number(&rows.schema->col[j], &rows.col[j], i, 0);
      xf[i * 6 + j] = (float)x[i * 6 + j];
    }
  }
  OK(leat_predictor_run_batch(q, other, &out2, &error_of));
  assert_memory_equal(want, got, bytes);
  memset(got, 0, bytes);
  OK(lt_dataset_of(b, &d, &error_of));
  OK(leat_predictor_run_dataset(q, d, &out2, &error_of));
  assert_memory_equal(want, got, bytes);
  leat_matrix mx = matrix_of(x, ROWS, 6, LEAT_F64), mf = matrix_of(xf, ROWS, 6, LEAT_F32);
  if (text) {
    FAILS(LEAT_E_UNSUPPORTED, "'note' is text", leat_predictor_run(q, &mx, &out2, &error_of));
    FAILS(LEAT_E_UNSUPPORTED, "'note' is text", leat_predictor_one_f32(q, xf, 6, onef, 8, &error_of));
    FAILS(LEAT_E_UNSUPPORTED, "'note' is text", leat_predictor_one_f64(q, x, 6, one, 8, &error_of));
  } else {
    memset(got, 0, bytes);
    OK(leat_predictor_run(q, &mx, &out2, &error_of));
    assert_memory_equal(want, got, bytes);
    double *column = calloc(ROWS * 6, sizeof *column); /* column by column, backwards */
    for (int64_t i = 0; i < ROWS; i++)
      for (int64_t j = 0; j < 6; j++) column[(5 - j) * ROWS + (ROWS - 1 - i)] = x[i * 6 + j];
    leat_matrix strange = matrix_of(column + 5 * ROWS + ROWS - 1, ROWS, 6, LEAT_F64);
    strange.row_stride = -1;
    strange.col_stride = -ROWS;
    memset(got, 0, bytes);
    OK(leat_predictor_run(q, &strange, &out2, &error_of));
    assert_memory_equal(want, got, bytes);
    free(column);
    double *narrow = calloc((size_t)(ROWS * k), sizeof *narrow);
    leat_matrix out3 = matrix_of(narrow, ROWS, k, LEAT_F64);
    OK(leat_predictor_run(q, &mf, &out3, &error_of));
    for (int64_t i = 0; i < ROWS; i++) {
      OK(leat_predictor_one_f64(q, x + i * 6, 6, one, 8, &error_of));
      assert_memory_equal(one, want + i * k, (size_t)k * sizeof *one);
      OK(leat_predictor_one_f32(q, xf + i * 6, 6, onef, 8, &error_of));
      int exact = 1;
      for (int64_t j = 0; j < 6; j++) exact &= isnan(x[i * 6 + j]) || (double)xf[i * 6 + j] == x[i * 6 + j];
      for (int64_t j = 0; j < k; j++) {
        assert_true(onef[j] == (float)narrow[i * k + j]);
        if (exact) assert_memory_equal(&narrow[i * k + j], &want[i * k + j], sizeof *want);
      }
    }
    free(narrow);
  }
  free(x);
  free(xf);
  free(want);
  free(wantf);
  free(got);
  leat_batch_free(other);
  leat_schema_free(model_schema);
  lt_dataset_free(d);
  lt_schema_free(s);
  leat_model_free(m);
  leat_predictor_free(q); /* children keep their parents */
}

static void test_same_bits(void **state) {
  (void)state;
  for (int64_t k = 0; k < 5; k++)
    for (int text = 0; text < 2 && k != 1; text++) check_same_bits(k, text);
}

static void test_sparse_rows(void **state) {
  (void)state;
  enum { ROWS = 300, NNZ = 20 };
  leat_model *m = sparse_model(rt, 5000);
  leat_dataset *d = sparse_dataset(rt, 8000, ROWS, NNZ, 2); /* wider than the model: the rest is unseen */
  leat_predictor *q = NULL;
  leat_batch *scratch = NULL;
  lt_rows rows;
  float want[ROWS], one;
  double x[2];
  leat_matrix out = matrix_of(want, ROWS, 1, LEAT_F32), mx = matrix_of(x, 1, 2, LEAT_F64);
  OK(leat_predictor_create(m, NULL, NULL, &q, &error_of));
  OK(leat_predictor_run_dataset(q, d, &out, &error_of));
  OK(lt_batch_create(rt, lt_dataset_schema(d), &scratch, &error_of));
  OK(lt_dataset_view(d, 0, ROWS, scratch, &rows, &error_of));
  for (int64_t i = 0; i < ROWS; i++) {
    int64_t from = rows.col[0].row_start[i];
    OK(leat_predictor_one_sparse(q, rows.col[0].index + from, rows.col[0].value + from, NNZ, &one, 1, &error_of));
    assert_memory_equal(&one, &want[i], sizeof one);
  }
  OK(leat_predictor_one_sparse(q, NULL, NULL, 0, &one, 1, &error_of));
  FAILS(LEAT_E_UNSUPPORTED, "sparse block", leat_predictor_run(q, &mx, &out, &error_of));
  FAILS(LEAT_E_CAPACITY, "1 numbers", leat_predictor_one_sparse(q, NULL, NULL, 0, &one, 0, &error_of));
  const char *field = "1";
  FAILS(LEAT_E_UNSUPPORTED, "block 'x'", leat_predictor_one_text(q, &field, 1, &one, 1, &error_of));
  lt_batch_free(scratch);
  lt_dataset_free(d);
  leat_predictor_free(q);
  leat_model_free(m);
}

static void test_errors(void **state) {
  (void)state;
  leat_model *m = mixed_model(rt, 3, 0), *dense = dense_model(rt, 4, 2);
  leat_predictor *q = NULL, *qd = NULL;
  leat_params *p = NULL, *wrong = linear_settings(rt, NULL, NULL);
  float x[6] = {0}, out[3];
  double y[3];
  int64_t in, n;
  FAILS(LEAT_E_ARG, "'predictor'", leat_predictor_create(m, wrong, NULL, &q, &error_of));
  assert_null(q);
  FAILS(LEAT_E_ARG, "m", leat_predictor_create(NULL, NULL, NULL, &q, &error_of));
  assert_int_equal(leat_predictor_create(m, NULL, NULL, NULL, NULL), LEAT_E_ARG);
  OK(lt_params_create(rt, &lt_predictor_spec, &p, &error_of));
  OK(leat_params_set_i64(p, "max_text_bytes", 100, &error_of));
  OK(leat_predictor_create(m, p, NULL, &q, &error_of));
  OK(leat_predictor_create(dense, NULL, NULL, &qd, &error_of));
  FAILS(LEAT_E_RANGE, "max_rows", leat_predictor_reserve(q, 0, &error_of));
  FAILS(LEAT_E_SHAPE, "5 numbers, the model takes 6", leat_predictor_one_f32(q, x, 5, out, 3, &error_of));
  FAILS(LEAT_E_CAPACITY, "3 numbers", leat_predictor_one_f32(q, x, 6, out, 2, &error_of));
  FAILS(LEAT_E_CAPACITY, "3 numbers", leat_predictor_one_f64(q, y, 6, y, 2, &error_of));
  FAILS(LEAT_E_UNSUPPORTED, "no sparse block", leat_predictor_one_sparse(q, NULL, NULL, 0, out, 3, &error_of));
  FAILS(LEAT_E_ARG, "x", leat_predictor_one_f32(q, NULL, 6, out, 3, &error_of));
  FAILS(LEAT_E_ARG, "out", leat_predictor_one_f32(q, x, 6, NULL, 3, &error_of));
  FAILS(LEAT_E_ARG, "q", leat_predictor_one_f32(NULL, x, 6, out, 3, &error_of));
  assert_int_equal(leat_predictor_shape(NULL, &in, &n, NULL), LEAT_E_ARG);
  assert_true(in == 0 && n == 0);
  leat_matrix mx = matrix_of(x, 1, 6, LEAT_F32), mo = matrix_of(y, 1, 3, LEAT_F64), odd = mx;
  OK(leat_predictor_run(q, &mx, &mo, &error_of));
  odd.dtype = LEAT_I64;
  FAILS(LEAT_E_DTYPE, "x", leat_predictor_run(q, &odd, &mo, &error_of));
  odd = mo;
  odd.rows = 2;
  FAILS(LEAT_E_SHAPE, "out", leat_predictor_run(q, &mx, &odd, &error_of));
  odd = mx;
  odd.cols = 5;
  FAILS(LEAT_E_SHAPE, "x", leat_predictor_run(q, &odd, &mo, &error_of));
  const char *row[] = {"1,5", "One year", "2", "true", "", "", ""}, *short_row[] = {"1"};
  FAILS(LEAT_E_DATA, "'tenure'", leat_predictor_one_text(q, row, 7, out, 3, &error_of));
  assert_int_equal(error_of.detail[1], 1);
  row[0] = "1";
  row[2] = "many";
  FAILS(LEAT_E_DATA, "'charges'", leat_predictor_one_text(q, row, 7, out, 3, &error_of));
  assert_int_equal(error_of.detail[1], 3);
  row[2] = "2";
  OK(leat_predictor_one_text(q, row, 7, out, 3, &error_of));
  FAILS(LEAT_E_SHAPE, "7 feature columns", leat_predictor_one_text(q, short_row, 1, out, 3, &error_of));
  const char *block[] = {"1"};
  FAILS(LEAT_E_UNSUPPORTED, "block 'x'", leat_predictor_one_text(qd, block, 1, out, 3, &error_of));
  leat_dataset *d = dense_dataset(rt, 10, 5, 2);
  double ten[30];
  leat_matrix m10 = matrix_of(ten, 10, 3, LEAT_F64), m1 = matrix_of(ten, 10, 1, LEAT_F64);
  FAILS(LEAT_E_NOT_FOUND, "tenure", leat_predictor_run_dataset(q, d, &m10, &error_of));
  FAILS(LEAT_E_UNSUPPORTED, "width 5", leat_predictor_run_dataset(qd, d, &m1, &error_of));
  /* another thread is inside */
  OK(lt_owner_enter(&lt_predictor_gate_of(q)->owner, "predictor", &error_of));
  FAILS(LEAT_E_BUSY, "predictor", leat_predictor_one_f32(q, x, 6, out, 3, &error_of));
  FAILS(LEAT_E_BUSY, "predictor", leat_predictor_reserve(q, 1, &error_of));
  lt_owner_leave(&lt_predictor_gate_of(q)->owner);
  OK(leat_predictor_one_f32(q, x, 6, out, 3, &error_of));
  lt_dataset_free(d);
  lt_params_free(p);
  lt_params_free(wrong);
  leat_predictor_free(q);
  leat_predictor_free(qd);
  leat_predictor_free(NULL);
  leat_model_free(m);
  leat_model_free(dense);
}

/* Numbers that are not finite are missing; predictions are finite whatever comes. */
static void test_odd_numbers(void **state) {
  (void)state;
  leat_model *m = dense_model(rt, 5, 0);
  leat_predictor *q = NULL;
  OK(leat_predictor_create(m, NULL, NULL, &q, &error_of));
  const double odd[] = {NAN, INFINITY, -INFINITY, 1.7e308, -1.7e308, 5e-324, -0.0};
  for (int i = 0; i < 7; i++)
    for (int j = 0; j < 7; j++) {
      double x[5] = {odd[i], odd[j], odd[i], odd[j], odd[i]}, y[5], a, b;
      float f;
      OK(leat_predictor_one_f64(q, x, 5, &a, 1, &error_of));
      assert_true(isfinite(a));
      for (int k = 0; k < 5; k++) y[k] = isfinite(x[k]) ? x[k] : NAN;
      OK(leat_predictor_one_f64(q, y, 5, &b, 1, &error_of));
      assert_memory_equal(&a, &b, sizeof a);
      float xf[5];
      for (int k = 0; k < 5; k++) xf[k] = (float)(x[k] > 3e38 ? 3e38 : x[k] < -3e38 && isfinite(x[k]) ? -3e38 : x[k]);
      OK(leat_predictor_one_f32(q, xf, 5, &f, 1, &error_of));
      assert_true(isfinite(f));
    }
  leat_predictor_free(q);
  leat_model_free(m);
}

/* After reserve: 10^6 rows while the process has no memory to give. */
static void test_no_allocation(void **state) {
  (void)state;
  static mem_host host;
  leat_runtime *on = host_start(&host);
  leat_model *mixed = mixed_model(on, 2, 1), *sparse = sparse_model(on, 5000), *codes = mixed_model(on, 3, 0);
  leat_predictor *q[3] = {NULL, NULL, NULL};
  leat_batch *batch[2];
  const char *row[] = {"12", "One year", "50.5", "true", "2020-01-01", "city 7", NULL, "customer-1"};
  static char text[65537];
  for (int i = 0; i < 65536; i++) text[i] = i % 7 == 6 ? ' ' : (char)('a' + i * 31 % 26);
  OK(leat_predictor_create(mixed, NULL, NULL, &q[0], &error_of));
  OK(leat_predictor_create(sparse, NULL, NULL, &q[1], &error_of));
  OK(leat_predictor_create(codes, NULL, NULL, &q[2], &error_of));
  for (int i = 0; i < 3; i++) OK(leat_predictor_reserve(q[i], 1000, &error_of));
  leat_schema *s = mixed_schema(on, 2, 1), *s3 = mixed_schema(on, 3, 0);
  batch[0] = mixed_batch(on, s, 2, 1, 1000, 5);
  batch[1] = mixed_batch(on, s3, 3, 0, 1000, 5);
  float out[3000], one[3], xf[6] = {1, 2, 3, 1, NAN, 5};
  double xd[6] = {1, 2, 3, 1, NAN, 5}, oned[3];
  const int32_t index[4] = {3, 77, 4999, 100000};
  leat_matrix o1 = matrix_of(out, 1000, 1, LEAT_F32), o3 = matrix_of(out, 1000, 3, LEAT_F32);
  leat_matrix x6 = matrix_of(xd, 1, 6, LEAT_F64), o13 = matrix_of(oned, 1, 3, LEAT_F64);
  int bad = 0;
  host.fail_alloc = 1;
  refuse_memory = 1;
  for (int i = 0; i < 1000000; i++) {
    bad |= leat_predictor_one_f32(q[2], xf, 6, one, 3, NULL);
    bad |= leat_predictor_one_sparse(q[1], index, NULL, 4, one, 1, NULL);
    if (i % 16 == 0) {
      row[6] = i % 4096 == 0 ? text : "slow hotline, don't call";
      bad |= leat_predictor_one_f64(q[2], xd, 6, oned, 3, NULL);
      bad |= leat_predictor_one_text(q[0], row, 8, one, 1, NULL);
      bad |= leat_predictor_run(q[2], &x6, &o13, NULL);
    }
    if (i % 10000 == 0) {
      bad |= leat_predictor_run_batch(q[0], batch[0], &o1, NULL);
      bad |= leat_predictor_run_batch(q[2], batch[1], &o3, NULL);
    }
  }
  refuse_memory = 0;
  assert_int_equal(bad, 0);
  assert_int_equal(host.fail_alloc, 1); /* nobody asked */
  assert_int_equal(memory_refused, 0);
  host.fail_alloc = 0;
#ifdef INTERPOSE /* and it would have been noticed */
  leat_predictor *none = NULL;
  refuse_memory = 1;
  bad = leat_predictor_create(mixed, NULL, NULL, &none, NULL);
  refuse_memory = 0;
  assert_int_equal(bad, LEAT_E_MEMORY);
  assert_true(memory_refused > 0);
#endif
  for (int i = 0; i < 3; i++) leat_predictor_free(q[i]);
  lt_batch_free(batch[0]);
  lt_batch_free(batch[1]);
  lt_schema_free(s);
  lt_schema_free(s3);
  leat_model_free(mixed);
  leat_model_free(sparse);
  leat_model_free(codes);
  assert_int_equal(host_stop(&host, on), 0);
}

/* Sixteen threads, each with its own predictor on the one model. */
typedef struct thread_job { const leat_model *m; leat_dataset *d; const double *want; int64_t rows; int failed; } thread_job;
static void *thread_predict(void *arg) {
  thread_job *j = arg;
  leat_predictor *q = NULL;
  double *got = calloc((size_t)j->rows * 3, sizeof *got), x[6] = {1, 2, 3, 0, 5, 6}, one[3];
  leat_matrix out = matrix_of(got, j->rows, 3, LEAT_F64);
  const char *row[] = {"12", "One year", "50.5", "true", "2020-01-01", "city 7", "x"};
  float f[3];
  for (int round = 0; round < 5 && !j->failed; round++) {
    leat_model_ref(j->m);
    j->failed |= leat_predictor_create(j->m, NULL, NULL, &q, NULL);
    j->failed |= leat_predictor_reserve(q, 10, NULL);
    j->failed |= leat_predictor_run_dataset(q, j->d, &out, NULL);
    j->failed |= memcmp(got, j->want, (size_t)j->rows * 3 * sizeof *got) != 0;
    for (int i = 0; i < 200; i++) {
      j->failed |= leat_predictor_one_f64(q, x, 6, one, 3, NULL);
      j->failed |= leat_predictor_one_text(q, row, 7, f, 3, NULL);
    }
    leat_model_free(j->m);
    leat_predictor_free(q);
    q = NULL;
  }
  free(got);
  return NULL;
}

static void test_threads(void **state) {
  (void)state;
  enum { ROWS = 9000, THREADS = 16 };
  leat_model *m = mixed_model(rt, 3, 0);
  leat_dataset *d = mixed_dataset(rt, 3, 0, ROWS, 4);
  leat_predictor *q = NULL;
  double *want = calloc(ROWS * 3, sizeof *want);
  leat_matrix out = matrix_of(want, ROWS, 3, LEAT_F64);
  pthread_t thread[THREADS];
  thread_job job[THREADS];
  OK(leat_predictor_create(m, NULL, NULL, &q, &error_of));
  OK(leat_predictor_run_dataset(q, d, &out, &error_of));
  leat_predictor_free(q);
  for (int i = 0; i < THREADS; i++) {
    job[i] = (thread_job){m, d, want, ROWS, 0};
    assert_int_equal(pthread_create(&thread[i], NULL, thread_predict, &job[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(thread[i], NULL);
    assert_int_equal(job[i].failed, 0);
  }
  free(want);
  lt_dataset_free(d);
  leat_model_free(m);
}

/* Batches of changing schemas: each is bound anew, and found again. */
static void test_changing_schemas(void **state) {
  (void)state;
  leat_model *m = dense_model(rt, 4, 2);
  leat_predictor *q = NULL;
  float x[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, want[3], got[3];
  leat_matrix mx = matrix_of(x, 3, 4, LEAT_F32), ow = matrix_of(want, 3, 1, LEAT_F32), og = matrix_of(got, 3, 1, LEAT_F32);
  OK(leat_predictor_create(m, NULL, NULL, &q, &error_of));
  OK(leat_predictor_run(q, &mx, &ow, &error_of));
  for (int round = 0; round < 50; round++) {
    leat_schema *s = NULL;
    leat_batch *b = NULL;
    OK(lt_schema_create(rt, &s, &error_of));
    OK(lt_schema_add(s, "more", LEAT_TEXT, LEAT_ROLE_FEATURE, 1, 0, &error_of));
    OK(lt_schema_add(s, round % 3 == 2 ? "wrong" : "x", LEAT_NUMBER, LEAT_ROLE_FEATURE, 4, 0, &error_of));
    OK(lt_batch_create(rt, s, &b, &error_of));
    OK(lt_batch_set_dense(b, &mx, &error_of));
    for (int again = 0; again < 2; again++) {
      memset(got, 0, sizeof got);
      if (round % 3 == 2) FAILS(LEAT_E_NOT_FOUND, "'x'", leat_predictor_run_batch(q, b, &og, &error_of));
      else OK(leat_predictor_run_batch(q, b, &og, &error_of));
      if (round % 3 != 2) assert_memory_equal(want, got, sizeof got);
    }
    lt_batch_free(b);
    lt_schema_free(s);
  }
  leat_predictor_free(q);
  leat_model_free(m);
}

static void test_memory(void **state) {
  (void)state;
  static mem_host host;
  leat_runtime *on = host_start(&host);
  leat_model *m = mixed_model(on, 3, 1);
  leat_dataset *d = mixed_dataset(on, 3, 1, 5000, 4);
  double *y = calloc(5000 * 3, sizeof *y);
  leat_matrix out = matrix_of(y, 5000, 3, LEAT_F64);
  int64_t before = host.blocks, n = 1;
  leat_status st;
  do {
    leat_predictor *q = NULL;
    host.fail_alloc = n++;
    st = leat_predictor_create(m, NULL, NULL, &q, NULL);
    if (!st) st = leat_predictor_reserve(q, 10, NULL);
    if (!st) st = leat_predictor_run_dataset(q, d, &out, NULL);
    host.fail_alloc = 0;
    leat_predictor_free(q);
    assert_true(st == LEAT_OK || st == LEAT_E_MEMORY);
    assert_int_equal(host.blocks, before);
  } while (st);
  assert_true(n > 10);
  free(y);
  lt_dataset_free(d);
  leat_model_free(m);
  assert_int_equal(host_stop(&host, on), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same_bits),     cmocka_unit_test(test_sparse_rows), cmocka_unit_test(test_errors),
      cmocka_unit_test(test_odd_numbers),   cmocka_unit_test(test_no_allocation), cmocka_unit_test(test_threads),
      cmocka_unit_test(test_changing_schemas), cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
