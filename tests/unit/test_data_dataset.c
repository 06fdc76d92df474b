#include "data_kit.h"

enum { ROWS = 20011 };

static leat_dataset *plain(leat_runtime *rt, int32_t dtype, const double *y) {
  leat_error e = {.struct_size = sizeof e};
  double *d = malloc(ROWS * 3 * sizeof *d);
  float *f = malloc(ROWS * 3 * sizeof *f);
  for (int i = 0; i < ROWS * 3; i++) f[i] = (float)(d[i] = i * 0.25);
  leat_matrix x = {.struct_size = sizeof x, .data = dtype == LEAT_F64 ? (void *)d : (void *)f, .rows = ROWS, .cols = 3,
                   .dtype = dtype};
  leat_matrix my = {.struct_size = sizeof my, .data = (void *)(uintptr_t)y, .rows = ROWS, .cols = 1, .dtype = LEAT_F64};
  leat_dataset *out = NULL;
  if (leat_dataset_from_dense(rt, NULL, &x, y ? &my : NULL, NULL, &out, &e)) fail_msg("%s", e.message);
  free(d);
  free(f);
  return out;
}

static void slices_and_takes(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e = {.struct_size = sizeof e};
  leat_dataset *d = plain(rt, LEAT_F64, NULL), *s = NULL, *t = NULL, *u = NULL, *v = NULL;
  int64_t rows, cols;
  assert_int_equal(leat_dataset_shape(d, &rows, &cols, &e), 0);
  assert_int_equal(rows, ROWS);
  assert_int_equal(cols, 3);
  assert_int_equal(leat_dataset_slice(d, 100, 1000, &s, &e), 0);
  int64_t pick[4] = {999, 0, 999, 5};
  assert_int_equal(leat_dataset_take(s, pick, 4, &t, &e), 0);
  assert_int_equal(leat_dataset_slice(t, 1, 3, &u, &e), 0);
  int64_t again[2] = {2, 1};
  assert_int_equal(leat_dataset_take(u, again, 2, &v, &e), 0);
  leat_dataset_free(d); /* the others live on */
  leat_dataset_free(t);
  assert_true(kit_number(s, 0, "x", 0) == 300 * 0.25);
  assert_true(kit_number(u, 0, "x", 1) == 301 * 0.25);
  assert_true(kit_number(v, 0, "x", 2) == (105 * 3 + 2) * 0.25);
  assert_true(kit_number(v, 1, "x", 2) == (1099 * 3 + 2) * 0.25);
  assert_int_equal(leat_dataset_slice(s, 999, 2, &t, &e), LEAT_E_RANGE);
  assert_null(t);
  assert_int_equal(leat_dataset_slice(s, -1, 2, &t, &e), LEAT_E_RANGE);
  assert_int_equal(leat_dataset_slice(s, 1, INT64_MAX, &t, &e), LEAT_E_RANGE);
  pick[0] = 1000;
  assert_int_equal(leat_dataset_take(s, pick, 1, &t, &e), LEAT_E_RANGE);
  leat_dataset_free(s);
  leat_dataset_free(u);
  leat_dataset_free(v);
  kit_balanced(rt);
}

static void checksums(void **state) {
  (void)state;
  uint64_t sum[3];
  for (int k = 0; k < 3; k++) {
    leat_runtime *rt = kit_runtime(k ? 2 * k + 1 : 1);
    leat_error e = {.struct_size = sizeof e};
    leat_dataset *d = plain(rt, LEAT_F64, NULL), *t = NULL, *s = NULL;
    sum[k] = kit_sum(d);
    assert_true(sum[k] == sum[0]);
    int64_t *all = malloc(ROWS * sizeof *all);
    for (int i = 0; i < ROWS; i++) all[i] = i;
    leat_dataset_take(d, all, ROWS, &t, &e); /* the same rows, another way */
    assert_true(kit_sum(t) == sum[0]);
    all[7] = 8;
    leat_dataset_free(t);
    leat_dataset_take(d, all, ROWS, &t, &e);
    assert_true(kit_sum(t) != sum[0]);
    leat_dataset_slice(d, 0, ROWS - 1, &s, &e);
    assert_true(kit_sum(s) != sum[0]);
    free(all);
    leat_dataset_free(s);
    leat_dataset_free(t);
    leat_dataset_free(d);
    kit_balanced(rt);
  }
}

static void next_and_rewind(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  leat_dataset *d = plain(rt, LEAT_F32, NULL), *t = NULL;
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  int64_t pick[5] = {4, 3, 2, 1, 0}, got;
  leat_dataset_take(d, pick, 5, &t, &e);
  leat_dataset_schema(d, &s, &e);
  leat_batch_create(rt, s, &b, &e);
  for (int pass = 0; pass < 2; pass++) {
    int64_t total = 0;
    while (!leat_dataset_next(d, 3000, b, &got, &e) && got) total += got;
    assert_int_equal(total, ROWS);
    assert_int_equal(leat_dataset_next(t, 3, b, &got, &e), 0);
    assert_int_equal(got, 3);
    char buf[32];
    lt_rows rows;
    lt_batch_rows(b, &rows);
    assert_true(lt_col_number(&s->col[0], &rows.col[0], 0, 0) == 3.0);
    assert_int_equal(leat_batch_text(b, 0, 0, buf, 32, NULL, &e), LEAT_E_UNSUPPORTED);
    assert_int_equal(leat_dataset_next(t, 3, b, &got, &e), 0);
    assert_int_equal(got, 2);
    assert_int_equal(leat_dataset_next(t, 3, b, &got, &e), 0);
    assert_int_equal(got, 0);
    assert_int_equal(leat_dataset_rewind(d, &e), 0);
    assert_int_equal(leat_dataset_rewind(t, &e), 0);
  }
  assert_int_equal(leat_dataset_next(t, 0, b, &got, &e), LEAT_E_ARG);
  leat_batch_free(b);
  leat_schema_free(s);
  leat_dataset_free(d);
  leat_dataset_free(t);
  kit_balanced(rt);
}

static void targets(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e = {.struct_size = sizeof e};
  double *y = malloc(ROWS * sizeof *y);
  for (int i = 0; i < ROWS; i++) y[i] = i % 2 ? 1 : -1;
  leat_dataset *d = plain(rt, LEAT_F32, y);
  assert_int_equal(lt_schema_classes(d->schema), 2);
  assert_string_equal(kit_field(d, 0, "y"), "-1");
  assert_string_equal(kit_field(d, ROWS - 2, "y"), "1");
  leat_dataset_free(d);
  for (int i = 0; i < ROWS; i++) y[i] = i % 21;
  d = plain(rt, LEAT_F32, y);
  assert_int_equal(lt_schema_classes(d->schema), 0);
  leat_dataset_free(d);
  y[17] = NAN;
  double x1[1] = {1};
  leat_matrix x = {.struct_size = sizeof x, .data = x1, .rows = 1, .cols = 1, .dtype = LEAT_F64};
  leat_matrix m = {.struct_size = sizeof m, .data = y + 17, .rows = 1, .cols = 1, .dtype = LEAT_F64};
  assert_int_equal(leat_dataset_from_dense(rt, NULL, &x, &m, NULL, &d, &e), LEAT_E_DATA);
  assert_int_equal(e.detail[0], 1);
  m.data = y;
  leat_matrix w = m;
  double minus = -1;
  w.data = &minus;
  assert_int_equal(leat_dataset_from_dense(rt, NULL, &x, &m, &w, &d, &e), LEAT_E_DATA);
  m.rows = 2;
  assert_int_equal(leat_dataset_from_dense(rt, NULL, &x, &m, NULL, &d, &e), LEAT_E_SHAPE);
  int64_t big[1] = {5};
  m.rows = 1;
  m.data = big;
  m.dtype = LEAT_I64;
  assert_int_equal(leat_dataset_from_dense(rt, NULL, &x, &m, NULL, &d, &e), 0);
  assert_string_equal(kit_field(d, 0, "y"), "5");
  leat_dataset_free(d);
  free(y);
  kit_balanced(rt);
}

static void sparse_rows(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e = {.struct_size = sizeof e};
  int64_t start[] = {0, 2, 2, 3};
  int32_t index[] = {1, 9, 0};
  float value[] = {1, 1, 1};
  double y[] = {1, 0, 1};
  leat_csr x = {sizeof x, start, index, value, 3, 10, LEAT_F32, 0};
  leat_matrix m = {.struct_size = sizeof m, .data = y, .rows = 3, .cols = 1, .dtype = LEAT_F64};
  leat_dataset *d = NULL, *ones = NULL, *s = NULL;
  assert_int_equal(leat_dataset_from_csr(rt, NULL, &x, &m, NULL, &d, &e), 0);
  x.value = NULL;
  assert_int_equal(leat_dataset_from_csr(rt, NULL, &x, &m, NULL, &ones, &e), 0);
  assert_true(kit_sum(d) == kit_sum(ones));
  assert_int_equal(leat_dataset_slice(d, 2, 1, &s, &e), 0);
  assert_true(kit_number(s, 0, "x", 0) == 1);
  assert_true(kit_number(s, 0, "x", 9) == 0);
  leat_dataset_free(s);
  leat_dataset_free(d);
  leat_dataset_free(ones);
  kit_balanced(rt);
}

static void with_a_schema(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = NULL;
  leat_schema_create(rt, &s, &e);
  leat_schema_add_column(s, "a", LEAT_NUMBER, LEAT_ROLE_FEATURE, &e);
  leat_schema_add_column(s, "note", LEAT_TEXT, LEAT_ROLE_FEATURE, &e);
  leat_schema_add_column(s, "c", LEAT_CATEGORY, LEAT_ROLE_FEATURE, &e);
  leat_schema_add_category(s, 2, "u", &e);
  leat_schema_add_category(s, 2, "v", &e);
  float x[6] = {1, 1, 2, 0, 3, 9};
  leat_matrix m = {.struct_size = sizeof m, .data = x, .rows = 3, .cols = 2, .dtype = LEAT_F32};
  leat_dataset *d = NULL;
  assert_int_equal(leat_dataset_from_dense(rt, s, &m, NULL, NULL, &d, &e), 0);
  assert_string_equal(kit_field(d, 0, "c"), "v");
  assert_string_equal(kit_field(d, 2, "c"), "");
  assert_true(kit_number(d, 2, "c", 0) == LT_UNSEEN);
  assert_string_equal(kit_field(d, 2, "note"), "");
  leat_dataset *none = NULL;
  assert_int_equal(leat_dataset_from_dense(rt, s, &m, &m, NULL, &none, &e), LEAT_E_SHAPE);
  m.rows = 0;
  assert_int_equal(leat_dataset_from_dense(rt, s, &m, NULL, NULL, &none, &e), LEAT_E_SHAPE);
  leat_dataset_free(d);
  leat_schema_free(s);
  kit_balanced(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(slices_and_takes), cmocka_unit_test(checksums),   cmocka_unit_test(next_and_rewind),
      cmocka_unit_test(targets),          cmocka_unit_test(sparse_rows), cmocka_unit_test(with_a_schema),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
