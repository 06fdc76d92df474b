/* The encoder: statistics, layout, names, bytes, binding to other schemas, rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base_files_help.h"
#include "model_help.h"

static leat_runtime *rt;
static int start(void **state) { (void)state; return (rt = new_runtime(1)) == NULL; }
static int stop(void **state) { (void)state; lt_runtime_unref(rt); return 0; }

static leat_dataset *dense_data(leat_runtime *on, const double *x, int64_t rows, int64_t cols) {
  leat_dataset *d = NULL;
  double *y = calloc((size_t)rows, sizeof *y);
  for (int64_t i = 0; i < rows; i++) y[i] = (double)(i % 2);
  leat_matrix mx = {.struct_size = sizeof mx, .data = (void *)(uintptr_t)x, .rows = rows, .cols = cols, .dtype = LEAT_F64};
  leat_matrix my = {.struct_size = sizeof my, .data = y, .rows = rows, .cols = 1, .dtype = LEAT_F64};
  OK(lt_dataset_from_dense(on, NULL, &mx, &my, NULL, &d, &error_of));
  free(y);
  return d;
}

/* Means and deviations keep their digits far from zero; constant and empty columns do not fail. */
static void test_statistics(void **state) {
  (void)state;
  enum { ROWS = 10000, COLS = 6 };
  double *x = malloc(ROWS * COLS * sizeof *x), sum = 0, square = 0;
  lt_rng r;
  lt_rng_init(&r, 1, 1);
  for (int i = 0; i < ROWS; i++) {
    double v = lt_rng_normal(&r);
    x[i * COLS] = 1e9 + v;
    x[i * COLS + 1] = 0.1 + 0.2;      /* constant, not exact in binary */
    x[i * COLS + 2] = NAN;            /* nothing */
    x[i * COLS + 3] = i % 3 ? (double)(i % 7) : i % 2 ? INFINITY : NAN;
    x[i * COLS + 4] = i == 5000 ? 1e300 : 0;
    x[i * COLS + 5] = i < 5000 ? NAN : (double)(i % 2);
    sum += v;
  }
  for (int i = 0; i < ROWS; i++) square += pow(x[i * COLS] - 1e9 - sum / ROWS, 2);
  leat_dataset *d = dense_data(rt, x, ROWS, COLS);
  leat_params *p = linear_settings(rt, NULL, NULL);
  lt_encoder *e = NULL;
  OK(lt_encoder_fit(rt, d, p, &e, &error_of));
  assert_int_equal(lt_encoder_slots(e), COLS);
  assert_int_equal(lt_encoder_dense(e), COLS);
  assert_true(fabs(e->mean[0] - 1e9 - sum / ROWS) < 1e-6);
  assert_true(fabs(e->scale[0] / sqrt(square / ROWS) - 1) < 1e-6);
  assert_true(e->mean[1] == 0.1 + 0.2 && e->scale[1] == 1);
  assert_true(e->mean[2] == 0 && e->scale[2] == 1);
  double m3 = 0, n3 = 0, q3 = 0;
  for (int i = 0; i < ROWS; i++)
    if (i % 3) m3 += i % 7, n3 += 1;
  for (int i = 0; i < ROWS; i++)
    if (i % 3) q3 += pow(i % 7 - m3 / n3, 2);
  assert_true(fabs(e->mean[3] - m3 / n3) < 1e-12 && fabs(e->scale[3] - sqrt(q3 / n3)) < 1e-12);
  assert_true(isfinite(e->mean[4]) && isfinite(e->scale[4]) && isfinite(e->inverse[4]));
  assert_true(e->mean[5] == 0.5 && e->scale[5] == 0.5);
  /* encoded: the constant and the empty column are 0, a missing number is the mean, which is 0 */
  lt_encode *b = NULL;
  lt_rows rows;
  leat_batch *scratch = NULL;
  float *dense = malloc(ROWS * COLS * sizeof *dense), one[COLS];
  OK(lt_encode_create(e, lt_dataset_schema(d), &b, &error_of));
  OK(lt_batch_create(rt, lt_dataset_schema(d), &scratch, &error_of));
  OK(lt_dataset_view(d, 0, ROWS, scratch, &rows, &error_of));
  lt_encode_dense(b, &rows, 0, ROWS, dense, COLS);
  for (int i = 0; i < ROWS; i++) {
    assert_true(fabs(dense[i * COLS] - (x[i * COLS] - e->mean[0]) / e->scale[0]) < 1e-5);
    assert_true(dense[i * COLS + 1] == 0 && dense[i * COLS + 2] == 0);
    if (i % 3 == 0) assert_true(dense[i * COLS + 3] == 0);
    assert_int_equal(lt_encode_row(b, &rows, i, one, NULL, NULL), 0);
    assert_memory_equal(one, dense + i * COLS, sizeof one);
  }
  lt_encode_free(b);
  lt_encoder_free(e);
  OK(lt_params_set_text(p, "standardize", "no", &error_of)); /* then: as it is, the mean where it is missing */
  OK(lt_encoder_fit(rt, d, p, &e, &error_of));
  OK(lt_encode_create(e, lt_dataset_schema(d), &b, &error_of));
  lt_encode_dense(b, &rows, 0, 4, dense, COLS);
  assert_true(dense[0] == (float)x[0] && dense[2] == 0 && dense[1 * COLS + 3] == 1);
  assert_true(dense[3] == (float)e->mean[3] && dense[5] == 0.5f);
  lt_encode_free(b);
  lt_encoder_free(e);
  lt_batch_free(scratch);
  lt_dataset_free(d);
  lt_params_free(p);
  free(dense);
  free(x);
}

/* The same bytes at any number of threads and through any view of the same rows. */
static void test_threads(void **state) {
  (void)state;
  enum { ROWS = 30000, COLS = 9 };
  double *x = malloc(ROWS * COLS * sizeof *x);
  lt_put first;
  lt_rng r;
  lt_rng_init(&r, 5, 5);
  for (int i = 0; i < ROWS * COLS; i++) x[i] = i % 97 ? 1e3 * lt_rng_normal(&r) + i % COLS : NAN;
  for (int threads = 1; threads <= 7; threads += 2) {
    leat_runtime *on = new_runtime(threads);
    leat_params *p = linear_settings(on, NULL, NULL);
    leat_dataset *d = dense_data(on, x, ROWS, COLS), *part = NULL;
    int64_t *pick = malloc(ROWS * sizeof *pick);
    for (int64_t i = 0; i < ROWS; i++) pick[i] = i;
    OK(lt_dataset_take(d, pick, ROWS, &part, &error_of));
    for (int k = 0; k < 2; k++) {
      lt_encoder *e = NULL;
      lt_put w;
      OK(lt_encoder_fit(on, k ? part : d, p, &e, &error_of));
      lt_put_init(&w, k || threads > 1 ? on : rt);
      lt_encoder_save(e, &w);
      if (threads == 1 && k == 0) {
        first = w;
      } else {
        assert_int_equal(w.size, first.size);
        assert_memory_equal(w.data, first.data, w.size);
        lt_put_free(&w);
      }
      lt_encoder_free(e);
    }
    lt_dataset_free(part);
    lt_dataset_free(d);
    lt_params_free(p);
    lt_runtime_unref(on);
    free(pick);
  }
  lt_put_free(&first);
  free(x);
}

static void expect_name(const lt_encoder *e, int64_t slot, const char *name) {
  lt_put w;
  lt_put_init(&w, rt);
  OK(lt_encoder_slot_name(e, slot, &w, &error_of));
  lt_put_u8(&w, 0);
  assert_string_equal((const char *)w.data, name);
  lt_put_free(&w);
}

static void test_layout_and_names(void **state) {
  (void)state;
  lt_put w;
  leat_dataset *d = mixed_dataset(rt, 2, 1, 500, 3);
  leat_params *p = linear_settings(rt, "hash_bits", "6");
  lt_encoder *e = NULL;
  OK(lt_params_set_text(p, "max_onehot", "20", &error_of));
  OK(lt_encoder_fit(rt, d, p, &e, &error_of));
  assert_int_equal(lt_encoder_dense(e), 4);
  assert_int_equal(lt_encoder_slots(e), 4 + 4 + 65 + 64);
  expect_name(e, 0, "tenure");
  expect_name(e, 1, "charges");
  expect_name(e, 3, "since");
  expect_name(e, 4, "contract=Month-to-month");
  expect_name(e, 6, "contract=Two year");
  expect_name(e, 7, "contract=(unseen)");
  expect_name(e, 8, "city#0");
  expect_name(e, 72, "city=(unseen)");
  expect_name(e, 73, "note#0");
  lt_put_init(&w, rt);
  FAILS(LEAT_E_NOT_FOUND, "137", lt_encoder_slot_name(e, 137, &w, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "-1", lt_encoder_slot_name(e, -1, &w, &error_of));
  lt_put_free(&w);
  lt_encoder_free(e);
  lt_params_free(p);
  lt_dataset_free(d);
}

static void test_one_row(void **state) {
  (void)state;
  leat_schema *s = mixed_schema(rt, 2, 1);
  leat_batch *b = NULL;
  leat_dataset *d = mixed_dataset(rt, 2, 1, 300, 3);
  leat_params *p = linear_settings(rt, "hash_bits", "10");
  lt_encoder *e = NULL;
  lt_encode *bind = NULL;
  lt_rows rows;
  float dense[4], value[64];
  int32_t index[64];
  const char *seen[] = {"12", "One year", "50.5", "true", "2020-01-01", "city 7", "Slow, slow hotline's price", "x", "class 1"};
  const char *unseen[] = {"", "Ten years", NULL, NULL, "", "", "  ", "", ""};
  OK(lt_encoder_fit(rt, d, p, &e, &error_of));
  OK(lt_batch_create(rt, s, &b, &error_of));
  OK(lt_batch_add_text(b, seen, 9, &error_of));
  OK(lt_batch_add_text(b, unseen, 9, &error_of));
  lt_batch_rows(b, &rows);
  OK(lt_encode_create(e, s, &bind, &error_of));
  assert_true(lt_encode_room(bind, &rows, 0) <= 64);
  int64_t n = lt_encode_row(bind, &rows, 0, dense, index, value);
  assert_int_equal(n, 2 + 3); /* slow twice, hotline's, price */
  assert_true(fabs(dense[0] - (12 - e->mean[0]) / e->scale[0]) < 1e-6);
  assert_int_equal(index[0], 4 + 1);
  assert_int_equal(index[1], 8 + 7);
  double norm = 0, top = 0;
  for (int i = 2; i < 5; i++) {
    assert_true(index[i] > index[i - 1]);
    norm += (double)value[i] * value[i];
    top = fmax(top, value[i]);
  }
  double length = 0; /* of all texts, as training has found it */
  for (int64_t k = 0; k < e->n_parts; k++)
    if (e->part[k].type == LT_PART_TEXT) length = e->part[k].length;
  assert_true(length > 1 && fabs(sqrt(norm) - length) < 1e-6 * length && fabs(top - length * 2 / sqrt(6)) < 1e-6 * length);
  n = lt_encode_row(bind, &rows, 1, dense, index, value);
  assert_int_equal(n, 2);
  assert_int_equal(index[0], 4 + 3);  /* unseen */
  assert_int_equal(index[1], 8 + 40); /* missing */
  for (int i = 0; i < 4; i++) assert_true(dense[i] == 0);
  lt_encode_free(bind);
  lt_encoder_free(e);
  lt_batch_free(b);
  lt_schema_free(s);
  lt_params_free(p);
  lt_dataset_free(d);
}

static void test_words(void **state) {
  (void)state;
  enum { LONG = 65536 };
  int32_t a[LONG], b[LONG];
  static float va[LONG], vb[LONG];
  static char text[LONG + 1];
  const char *same[] = {"Don't call", "don't CALL", "  don't,call!", "call don't", "don't\ncall\t"};
  int64_t n = lt_text_slots(same[0], strlen(same[0]), 18, 0, a, va);
  assert_int_equal(n, 2);
  for (int i = 1; i < 5; i++) {
    assert_int_equal(lt_text_slots(same[i], strlen(same[i]), 18, 0, b, vb), 2);
    assert_memory_equal(a, b, 2 * sizeof *a);
  }
  assert_int_equal(lt_text_slots("...", 3, 18, 0, a, va), 0);
  assert_int_equal(lt_text_slots("", 0, 18, 0, a, va), 0);
  assert_int_equal(lt_text_slots("k\xc3\xa4se", 5, 18, 0, a, va), 1);
  /* the worst text there is: a word of one byte at every other place */
  for (int i = 0; i < LONG; i++) text[i] = i % 2 ? ' ' : (char)('a' + i / 2 % 26);
  n = lt_text_slots(text, LONG, 18, 0, a, va);
  assert_int_equal(n, 26);
  for (int i = 0; i < LONG; i++) text[i] = i % 5 == 4 ? ' ' : (char)('a' + (i * 7919 / 5 + i % 5 * 31) % 26);
  n = lt_text_slots(text, LONG, 18, 0, a, va);
  for (int64_t i = 1; i < n; i++) assert_true(a[i] > a[i - 1]);
  memset(text, 'q', LONG); /* one word of 64 KiB is not the word of 64 bytes */
  assert_int_equal(lt_text_slots(text, LONG, 24, 0, a, va), 1);
  assert_int_equal(lt_text_slots(text, 64, 24, 0, b, vb), 1);
  assert_int_not_equal(a[0], b[0]);
}

static void test_slot_order(void **state) {
  (void)state;
  enum { N = 1000 };
  int32_t index[N];
  float value[N];
  double sum[50] = {0};
  lt_rng r;
  lt_rng_init(&r, 2, 2);
  for (int n = 0; n <= N; n += n < 60 ? 1 : 235) {
    memset(sum, 0, sizeof sum);
    for (int i = 0; i < n; i++) {
      index[i] = (int32_t)lt_rng_below(&r, 50);
      value[i] = (float)lt_rng_below(&r, 100);
      sum[index[i]] += value[i];
    }
    int64_t kept = lt_sort_slots(index, value, n);
    for (int64_t i = 0; i < kept; i++) {
      assert_true(i == 0 || index[i] > index[i - 1]);
      assert_true(sum[index[i]] == value[i]);
      sum[index[i]] = 0;
    }
    for (int i = 0; i < 50; i++) assert_true(sum[i] == 0);
  }
}

/* Another schema: other order, other codes, other kinds. */
static void test_binding(void **state) {
  (void)state;
  leat_dataset *d = mixed_dataset(rt, 2, 1, 300, 3);
  leat_params *p = linear_settings(rt, "hash_bits", "10");
  lt_encoder *e = NULL;
  lt_encode *bind = NULL, *own = NULL;
  leat_schema *o = NULL, *s = lt_dataset_schema(d);
  leat_batch *b = NULL, *mine = NULL;
  lt_rows rows, want;
  int64_t code;
  float x[4], y[4], v[64], u[64];
  int32_t i[64], j[64];
  OK(lt_encoder_fit(rt, d, p, &e, &error_of));
  OK(lt_schema_create(rt, &o, &error_of));
  OK(lt_schema_add(o, "city", LEAT_TEXT, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(o, "charges", LEAT_CATEGORY, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(o, "extra", LEAT_NUMBER, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(o, "note", LEAT_CATEGORY, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(o, "since", LEAT_TIME, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(o, "senior", LEAT_NUMBER, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(o, "contract", LEAT_CATEGORY, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(o, "tenure", LEAT_NUMBER, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_dict_add(o->col[1].labels, "50.5", 4, &code, &error_of));
  OK(lt_dict_add(o->col[1].labels, "7", 1, &code, &error_of));
  OK(lt_dict_add(o->col[3].labels, "Slow hotline", 12, &code, &error_of));
  OK(lt_dict_add(o->col[6].labels, "Ten years", 9, &code, &error_of));
  OK(lt_dict_add(o->col[6].labels, "Two year", 8, &code, &error_of));
  const char *theirs[2][8] = {{"city 7", "50.5", "3", "Slow hotline", "2020-01-01", "1", "Two year", "12"},
                              {"city 99", "", "", "", "", "", "Ten years", ""}};
  const char *ours[2][9] = {{"12", "Two year", "50.5", "true", "2020-01-01", "city 7", "Slow hotline", "", "class 0"},
                            {"", "Ten years", "", "", "", "city 99", "", "", "class 0"}};
  OK(lt_batch_create(rt, o, &b, &error_of));
  OK(lt_batch_create(rt, s, &mine, &error_of));
  for (int k = 0; k < 2; k++) {
    OK(lt_batch_add_text(b, theirs[k], 8, &error_of));
    OK(lt_batch_add_text(mine, ours[k], 9, &error_of));
  }
  lt_batch_rows(b, &rows);
  lt_batch_rows(mine, &want);
  FAILS(LEAT_E_NOT_FOUND, "customer2", lt_schema_find(o, "customer2", &code, &error_of));
  OK(lt_encode_create(e, o, &bind, &error_of));
  OK(lt_encode_create(e, s, &own, &error_of));
  for (int k = 0; k < 2; k++) {
    int64_t n = lt_encode_row(bind, &rows, k, x, i, v), m = lt_encode_row(own, &want, k, y, j, u);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, sizeof x);
    assert_memory_equal(i, j, (size_t)n * sizeof *i);
    assert_memory_equal(v, u, (size_t)n * sizeof *v);
  }
  lt_encode_free(bind);
  lt_encode_free(own);
  lt_batch_free(b);
  lt_batch_free(mine);
  lt_schema_free(o);
  lt_encoder_free(e);
  lt_params_free(p);
  lt_dataset_free(d);
}

static leat_schema *one_column(const char *name, int32_t kind, int32_t role, int64_t width, int32_t sparse,
                               const char *label) {
  leat_schema *s = NULL;
  int64_t code;
  OK(lt_schema_create(rt, &s, &error_of));
  OK(lt_schema_add(s, name, kind, role, width, sparse, &error_of));
  if (label) OK(lt_dict_add(s->col[0].labels, label, strlen(label), &code, &error_of));
  return s;
}

static lt_encoder *plain_encoder(leat_schema *s) {
  lt_put w;
  lt_get r;
  lt_encoder *e = lt_zalloc(rt, sizeof *e), *out = NULL;
  lt_runtime_ref(rt);
  e->rt = rt;
  e->schema = s;
  e->hash_bits = 8;
  lt_schema_ref(s);
  OK(lt_encoder_plan(e, 1000, 1000, &error_of));
  OK(lt_encoder_alloc_stats(e, &error_of));
  lt_put_init(&w, rt);
  lt_encoder_save(e, &w);
  lt_get_init(&r, rt, w.data, w.size);
  OK(lt_encoder_load(rt, s, &r, &out, &error_of));
  assert_int_equal(lt_get_left(&r), 0);
  lt_put_free(&w);
  lt_encoder_free(e);
  return out;
}

static void expect_binding(leat_schema *model, leat_schema *rows, leat_status status, const char *text) {
  lt_encoder *e = plain_encoder(model);
  lt_encode *b = NULL;
  leat_status st = lt_encode_create(e, rows, &b, &error_of);
  assert_int_equal(st, status);
  if (st) assert_non_null(strstr(error_of.message, text));
  lt_encode_free(b);
  lt_encoder_free(e);
  lt_schema_free(model);
  lt_schema_free(rows);
}

static void test_binding_errors(void **state) {
  (void)state;
  const int32_t f = LEAT_ROLE_FEATURE;
  expect_binding(one_column("tenure", LEAT_NUMBER, f, 1, 0, NULL), one_column("tenur", LEAT_NUMBER, f, 1, 0, NULL),
                 LEAT_E_NOT_FOUND, "did you mean 'tenur'");
  expect_binding(one_column("x", LEAT_NUMBER, f, 1, 0, NULL), one_column("x", LEAT_TEXT, f, 1, 0, NULL), LEAT_E_UNSUPPORTED,
                 "column 'x' is text");
  expect_binding(one_column("x", LEAT_NUMBER, f, 3, 0, NULL), one_column("x", LEAT_NUMBER, f, 2, 0, NULL),
                 LEAT_E_UNSUPPORTED, "width 3");
  expect_binding(one_column("x", LEAT_NUMBER, f, 3, 1, NULL), one_column("x", LEAT_NUMBER, f, 3, 0, NULL),
                 LEAT_E_UNSUPPORTED, "sparse block");
  expect_binding(one_column("x", LEAT_NUMBER, f, 3, 0, NULL), one_column("x", LEAT_NUMBER, f, 3, 1, NULL),
                 LEAT_E_UNSUPPORTED, "sparse block");
  expect_binding(one_column("x", LEAT_NUMBER, f, 1, 0, NULL), one_column("x", LEAT_CATEGORY, f, 1, 0, "many"),
                 LEAT_E_UNSUPPORTED, "'many' is not a number");
  expect_binding(one_column("x", LEAT_NUMBER, f, 1, 0, NULL), one_column("x", LEAT_NUMBER, LEAT_ROLE_IGNORE, 1, 0, NULL),
                 LEAT_E_NOT_FOUND, "ignored");
  expect_binding(one_column("x", LEAT_TEXT, f, 1, 0, NULL), one_column("x", LEAT_NUMBER, f, 1, 0, NULL),
                 LEAT_E_UNSUPPORTED, "is number");
  expect_binding(one_column("x", LEAT_NUMBER, f, 1, 0, NULL), one_column("x", LEAT_BOOL, f, 1, 0, NULL), LEAT_OK, "");
  expect_binding(one_column("x", LEAT_NUMBER, f, 5, 1, NULL), one_column("x", LEAT_NUMBER, f, 9, 1, NULL), LEAT_OK, "");
}

/* A category whose labels are numbers meets numbers: by value, not by spelling. */
static void test_number_codes(void **state) {
  (void)state;
  leat_schema *m = one_column("x", LEAT_CATEGORY, LEAT_ROLE_FEATURE, 1, 0, "10"), *o = NULL;
  int64_t code;
  OK(lt_dict_add(m->col[0].labels, "2.50", 4, &code, &error_of));
  OK(lt_dict_add(m->col[0].labels, "other", 5, &code, &error_of));
  OK(lt_dict_add(m->col[0].labels, "-1", 2, &code, &error_of));
  lt_encoder *e = plain_encoder(m);
  lt_encode *b = NULL;
  leat_batch *batch = NULL;
  lt_rows rows;
  o = one_column("x", LEAT_NUMBER, LEAT_ROLE_FEATURE, 1, 0, NULL);
  double x[] = {10, 2.5, -1, 3, NAN, INFINITY};
  const int64_t want[] = {0, 1, 3, 4, 4, 4};
  leat_matrix mx = {.struct_size = sizeof mx, .data = x, .rows = 6, .cols = 1, .dtype = LEAT_F64};
  OK(lt_batch_create(rt, o, &batch, &error_of));
  OK(lt_batch_set_dense(batch, &mx, &error_of));
  lt_batch_rows(batch, &rows);
  OK(lt_encode_create(e, o, &b, &error_of));
  for (int i = 0; i < 6; i++) assert_int_equal(lt_encode_code(b, 0, &rows, i), want[i]);
  lt_encode_free(b);
  lt_batch_free(batch);
  lt_encoder_free(e);
  lt_schema_free(o);
  lt_schema_free(m);
}

static leat_dataset *sparse_data(int64_t width) {
  int64_t start[4] = {0, 2, 2, 5};
  int32_t index[5] = {0, 3, 1, 3, 4};
  float value[5] = {2, 4, 6, 8, 10};
  double y[3] = {0, 1, 0};
  leat_csr x = {.struct_size = sizeof x, .row_start = start, .index = index, .value = value, .rows = 3, .cols = width,
                .dtype = LEAT_F32};
  leat_matrix my = {.struct_size = sizeof my, .data = y, .rows = 3, .cols = 1, .dtype = LEAT_F64};
  leat_dataset *d = NULL;
  OK(lt_dataset_from_csr(rt, NULL, &x, &my, NULL, &d, &error_of));
  return d;
}

static void test_sparse_block(void **state) {
  (void)state;
  for (int mode = 0; mode < 3; mode++) { /* as it is, scaled, hashed */
    leat_dataset *d = sparse_data(mode == 2 ? 1000000 : 5);
    leat_params *p = linear_settings(rt, "hash_bits", "3");
    lt_encoder *e = NULL;
    lt_encode *b = NULL;
    leat_batch *scratch = NULL;
    lt_rows rows;
    int32_t index[8];
    float value[8];
    if (mode == 1) OK(lt_params_set_text(p, "standardize", "yes", &error_of));
    if (mode == 2) OK(lt_params_set_text(p, "max_width", "1000", &error_of));
    OK(lt_encoder_fit(rt, d, p, &e, &error_of));
    assert_int_equal(lt_encoder_slots(e), mode == 2 ? 8 : 5);
    assert_int_equal(lt_encoder_dense(e), 0);
    OK(lt_encode_create(e, lt_dataset_schema(d), &b, &error_of));
    OK(lt_batch_create(rt, lt_dataset_schema(d), &scratch, &error_of));
    OK(lt_dataset_view(d, 0, 3, scratch, &rows, &error_of));
    assert_int_equal(lt_encode_row(b, &rows, 1, NULL, index, value), 0);
    int64_t n = lt_encode_row(b, &rows, 2, NULL, index, value);
    if (mode < 2) {
      assert_int_equal(n, 3);
      assert_true(index[0] == 1 && index[1] == 3 && index[2] == 4);
    }
    if (mode == 0) assert_true(value[0] == 6 && value[1] == 8 && value[2] == 10);
    if (mode == 1) { /* column 3: 4, 0, 8 */
      assert_true(fabs(value[1] - 8 / sqrt(80.0 / 3 - 16)) < 1e-6);
      assert_true(e->sparse_scale[2] == 1);
    }
    if (mode == 2) {
      double sum = 0;
      for (int64_t i = 0; i < n; i++) {
        sum += value[i];
        assert_true(index[i] >= 0 && index[i] < 8 && (i == 0 || index[i] > index[i - 1]));
      }
      assert_true(sum == 24);
    }
    lt_encode_free(b);
    lt_batch_free(scratch);
    lt_encoder_free(e);
    lt_params_free(p);
    lt_dataset_free(d);
  }
}

/* Bytes: a copy is the same; every changed byte and every cut is an error or an encoder that works. */
static void test_bytes(void **state) {
  (void)state;
  leat_dataset *d = mixed_dataset(rt, 2, 1, 300, 3);
  leat_params *p = linear_settings(rt, "hash_bits", "10");
  lt_encoder *e = NULL, *c = NULL;
  lt_put w, v;
  lt_get r;
  OK(lt_encoder_fit(rt, d, p, &e, &error_of));
  OK(lt_encoder_copy(e, &c, &error_of));
  lt_put_init(&w, rt);
  lt_put_init(&v, rt);
  lt_encoder_save(e, &w);
  lt_encoder_save(c, &v);
  assert_int_equal(w.size, v.size);
  assert_memory_equal(w.data, v.data, w.size);
  lt_encoder_free(c);
  for (uint64_t cut = 0; cut < w.size; cut++) {
    lt_get_init(&r, rt, w.data, cut);
    assert_int_equal(lt_encoder_load(rt, e->schema, &r, &c, &error_of), LEAT_E_FORMAT);
    assert_null(c);
  }
  for (uint64_t at = 0; at < w.size; at++)
    for (int bit = 0; bit < 8; bit++) {
      v.data[at] = (uint8_t)(w.data[at] ^ 1 << bit);
      lt_get_init(&r, rt, v.data, v.size);
      if (lt_encoder_load(rt, e->schema, &r, &c, NULL) == LEAT_OK) {
        lt_encode *b = NULL;
        float dense[4], value[64];
        int32_t index[64];
        leat_batch *scratch = NULL;
        lt_rows rows;
        OK(lt_encode_create(c, lt_dataset_schema(d), &b, &error_of));
        OK(lt_batch_create(rt, lt_dataset_schema(d), &scratch, &error_of));
        OK(lt_dataset_view(d, 0, 1, scratch, &rows, &error_of));
        int64_t n = lt_encode_row(b, &rows, 0, dense, index, value);
        for (int64_t i = 0; i < n; i++) assert_true(index[i] >= 4 && index[i] < lt_encoder_slots(c));
        lt_encode_free(b);
        lt_batch_free(scratch);
      }
      lt_encoder_free(c);
      c = NULL;
      v.data[at] = w.data[at];
    }
  lt_put_free(&w);
  lt_put_free(&v);
  lt_encoder_free(e);
  lt_params_free(p);
  lt_dataset_free(d);
}

static void test_fit_errors(void **state) {
  (void)state;
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  leat_dataset *d = NULL, *none = NULL;
  lt_encoder *e = NULL;
  leat_params *p = linear_settings(rt, NULL, NULL);
  const char *row[] = {"a", "1"};
  OK(lt_schema_create(rt, &s, &error_of));
  OK(lt_schema_add(s, "id", LEAT_ID, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(s, "y", LEAT_NUMBER, LEAT_ROLE_TARGET, 1, 0, &error_of));
  OK(lt_batch_create(rt, s, &b, &error_of));
  OK(lt_batch_add_text(b, row, 2, &error_of));
  OK(lt_dataset_of(b, &d, &error_of));
  FAILS(LEAT_E_DATA, "no feature column", lt_encoder_fit(rt, d, p, &e, &error_of));
  assert_null(e);
  OK(lt_dataset_slice(d, 0, 0, &none, &error_of));
  FAILS(LEAT_E_DATA, "no rows", lt_encoder_fit(rt, none, p, &e, &error_of));
  lt_dataset_free(none);
  lt_dataset_free(d);
  lt_schema_free(s);
  lt_params_free(p);
}

/* Every allocation on the way fails once: a clean error and nothing kept. */
static void test_memory(void **state) {
  (void)state;
  static mem_host host;
  leat_runtime *keep = rt;
  rt = host_start(&host);
  leat_dataset *d = mixed_dataset(rt, 2, 1, 50, 3);
  leat_params *p = linear_settings(rt, "hash_bits", "6");
  int64_t before = host.blocks, n = 1;
  leat_status st;
  do {
    lt_encoder *e = NULL, *c = NULL;
    lt_encode *b = NULL;
    host.fail_alloc = n++;
    st = lt_encoder_fit(rt, d, p, &e, &error_of);
    if (!st) st = lt_encoder_copy(e, &c, &error_of);
    if (!st) st = lt_encode_create(c, lt_dataset_schema(d), &b, &error_of);
    host.fail_alloc = 0;
    lt_encode_free(b);
    lt_encoder_free(c);
    lt_encoder_free(e);
    assert_true(st == LEAT_OK || st == LEAT_E_MEMORY);
    assert_int_equal(host.blocks, before);
  } while (st);
  assert_true(n > 10);
  lt_params_free(p);
  lt_dataset_free(d);
  assert_int_equal(host_stop(&host, rt), 0);
  rt = keep;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_statistics),    cmocka_unit_test(test_threads),
      cmocka_unit_test(test_layout_and_names), cmocka_unit_test(test_one_row),
      cmocka_unit_test(test_words),         cmocka_unit_test(test_slot_order),
      cmocka_unit_test(test_binding),       cmocka_unit_test(test_binding_errors),
      cmocka_unit_test(test_number_codes),  cmocka_unit_test(test_sparse_block),
      cmocka_unit_test(test_bytes),         cmocka_unit_test(test_fit_errors),
      cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
