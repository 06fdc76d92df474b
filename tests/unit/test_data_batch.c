#include "data_kit.h"

static leat_schema *mixed(leat_runtime *rt) {
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = NULL;
  lt_schema_create(rt, &s, &e);
  lt_schema_add(s, "key", LEAT_ID, LEAT_ROLE_KEY, 1, 0, &e);
  lt_schema_add(s, "n", LEAT_NUMBER, LEAT_ROLE_FEATURE, 1, 0, &e);
  lt_schema_add(s, "c", LEAT_CATEGORY, LEAT_ROLE_FEATURE, 1, 0, &e);
  lt_schema_add(s, "flag", LEAT_BOOL, LEAT_ROLE_FEATURE, 1, 0, &e);
  lt_schema_add(s, "when", LEAT_TIME, LEAT_ROLE_FEATURE, 1, 0, &e);
  lt_schema_add(s, "note", LEAT_TEXT, LEAT_ROLE_FEATURE, 1, 0, &e);
  lt_schema_add(s, "junk", LEAT_TEXT, LEAT_ROLE_IGNORE, 1, 0, &e);
  lt_schema_add(s, "y", LEAT_CATEGORY, LEAT_ROLE_TARGET, 1, 0, &e);
  lt_schema_add(s, "w", LEAT_NUMBER, LEAT_ROLE_WEIGHT, 1, 0, &e);
  lt_dict_add(s->col[2].labels, "blue", 4, NULL, &e);
  lt_dict_add(s->col[2].labels, "red", 3, NULL, &e);
  lt_dict_add(s->col[7].labels, "-1", 2, NULL, &e);
  lt_dict_add(s->col[7].labels, "1", 1, NULL, &e);
  return s;
}

static const char *text_of(const leat_batch *b, int64_t row, int64_t column) {
  static char buf[256];
  uint64_t needed;
  leat_error e = {.struct_size = sizeof e};
  if (leat_batch_text(b, row, column, buf, sizeof buf, &needed, &e)) fail_msg("%s", e.message);
  assert_int_equal(needed, strlen(buf) + 1);
  return buf;
}

static void rows_of_text(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = mixed(rt);
  leat_batch *b = NULL;
  int64_t n = 0;
  assert_int_equal(leat_batch_create(rt, s, &b, &e), 0);
  const char *one[] = {"k1", " 2.5 ", "red", "true", "2020-01-02", "some words", "+1", "0.5"};
  const char *two[] = {NULL, NULL, "green", "", NULL, "", "", "1"};
  for (int pass = 0; pass < 2; pass++) { /* refilled after clear */
    assert_int_equal(leat_batch_add_text(b, one, 8, &e), 0);
    assert_int_equal(leat_batch_add_text(b, two, 8, &e), 0);
    assert_int_equal(leat_batch_add_text(b, one, 7, &e), LEAT_E_SHAPE);
    const char *junk[] = {"k", "1,5", "red", "true", "2020-01-02", "w", "1", "1"};
    assert_int_equal(leat_batch_add_text(b, junk, 8, &e), LEAT_E_DATA);
    assert_int_equal(e.detail[0], 3);
    assert_int_equal(e.detail[1], 2);
    junk[1] = "1";
    junk[6] = "2";
    assert_int_equal(leat_batch_add_text(b, junk, 8, &e), LEAT_E_DATA); /* a label that the target does not have */
    leat_batch_rows(b, &n, &e);
    assert_int_equal(n, 2);
    assert_string_equal(text_of(b, 0, 0), "k1");
    assert_string_equal(text_of(b, 0, 1), "2.5");
    assert_string_equal(text_of(b, 0, 2), "red");
    assert_string_equal(text_of(b, 0, 3), "true");
    assert_string_equal(text_of(b, 0, 5), "some words");
    assert_string_equal(text_of(b, 0, 7), "1");
    for (int i = 0; i < 8; i++) assert_string_equal(text_of(b, 1, i), "");
    lt_rows rows;
    lt_batch_rows(b, &rows);
    assert_true(isnan(lt_col_number(&s->col[1], &rows.col[1], 1, 0)));
    assert_true(lt_col_number(&s->col[2], &rows.col[2], 1, 0) == LT_UNSEEN);
    assert_true(lt_rows_target(&rows, 7, 0) == 1);
    assert_true(isnan(lt_rows_target(&rows, 7, 1)));
    char small[2];
    uint64_t needed;
    assert_int_equal(leat_batch_text(b, 0, 2, small, 2, &needed, &e), LEAT_E_CAPACITY);
    assert_int_equal(needed, 4);
    assert_int_equal(leat_batch_text(b, 2, 2, small, 2, &needed, &e), LEAT_E_NOT_FOUND);
    leat_batch_clear(b, &e);
  }
  leat_batch_free(b);
  leat_schema_free(s);
  kit_balanced(rt);
}

static void dense(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = mixed(rt);
  leat_batch *b = NULL;
  assert_int_equal(leat_batch_create(rt, s, &b, &e), 0);
  double x[2][4] = {{1.5, 1, 1, 1e9}, {NAN, -3, NAN, NAN}};
  leat_matrix m = {.struct_size = sizeof m, .data = x, .rows = 2, .cols = 4, .dtype = LEAT_F64};
  assert_int_equal(leat_batch_set_dense(b, &m, &e), 0);
  assert_string_equal(text_of(b, 0, 1), "1.5");
  assert_string_equal(text_of(b, 0, 2), "red");
  assert_string_equal(text_of(b, 1, 2), "");
  assert_string_equal(text_of(b, 0, 4), "1970-01-01T00:00:01Z");
  m.cols = 3;
  assert_int_equal(leat_batch_set_dense(b, &m, &e), LEAT_E_SHAPE);
  m.cols = 4;
  m.rows = 1;
  assert_int_equal(leat_batch_set_dense(b, &m, &e), LEAT_E_SHAPE); /* the batch has two rows */
  m.dtype = LEAT_F16;
  assert_int_equal(leat_batch_set_dense(b, &m, &e), LEAT_E_DTYPE);
  float yv[2] = {1, 0}, wv[2] = {2, 3};
  leat_matrix y = {.struct_size = sizeof y, .data = yv, .rows = 2, .cols = 1, .dtype = LEAT_F32};
  leat_matrix w = {.struct_size = sizeof w, .data = wv, .rows = 2, .cols = 1, .dtype = LEAT_F32};
  assert_int_equal(leat_batch_set_labels(b, &y, &w, &e), 0);
  assert_string_equal(text_of(b, 0, 7), "1");
  assert_string_equal(text_of(b, 1, 8), "3");
  y.rows = 1;
  assert_int_equal(leat_batch_set_labels(b, &y, NULL, &e), LEAT_E_SHAPE);
  leat_batch_clear(b, &e);
  /* columns backwards, as floats */
  float f[4] = {4e9f, 0, 0, -7};
  leat_matrix back = {.struct_size = sizeof back, .data = f + 3, .rows = 1, .cols = 4, .row_stride = 4,
                      .col_stride = -1, .dtype = LEAT_F32};
  assert_int_equal(leat_batch_set_dense(b, &back, &e), 0);
  assert_string_equal(text_of(b, 0, 1), "-7");
  assert_string_equal(text_of(b, 0, 2), "blue");
  leat_matrix csr_like = {.struct_size = 4};
  assert_int_equal(leat_batch_set_dense(b, &csr_like, &e), LEAT_E_ARG);
  leat_csr none = {.struct_size = sizeof none};
  assert_int_equal(leat_batch_set_csr(b, &none, &e), LEAT_E_UNSUPPORTED);
  leat_batch_free(b);
  leat_schema_free(s);
  kit_balanced(rt);
}

static void sparse(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = NULL;
  leat_batch *b = NULL, *c = NULL;
  leat_schema_create(rt, &s, &e);
  leat_schema_add_column(s, "n", LEAT_NUMBER, LEAT_ROLE_FEATURE, &e);
  leat_schema_add_block(s, "sp", 10, 1, &e);
  leat_batch_create(rt, s, &b, &e);
  leat_batch_create(rt, s, &c, &e);
  int64_t start[] = {0, 2, 2, 3};
  int32_t index[] = {1, 9, 0};
  double value[] = {0.5, -1, 2};
  leat_csr x = {sizeof x, start, index, value, 3, 10, LEAT_F64, 0};
  assert_int_equal(leat_batch_set_csr(b, &x, &e), 0);
  double d[3] = {1, 2, 3};
  leat_matrix m = {.struct_size = sizeof m, .data = d, .rows = 3, .cols = 1, .dtype = LEAT_F64};
  assert_int_equal(leat_batch_set_dense(b, &m, &e), 0);
  lt_rows rows;
  lt_batch_rows(b, &rows);
  assert_true(lt_col_number(&s->col[1], &rows.col[1], 0, 9) == -1);
  assert_true(lt_col_number(&s->col[1], &rows.col[1], 1, 9) == 0);
  /* ones, then values behind them */
  x.value = NULL;
  leat_batch_set_csr(c, &x, &e);
  lt_batch_rows(c, &rows);
  assert_null(rows.col[1].value);
  lt_rows from;
  lt_batch_rows(b, &from);
  assert_int_equal(lt_batch_append(c, &from, 1, 2, &e), 0);
  lt_batch_rows(c, &rows);
  assert_int_equal(rows.n, 5);
  assert_true(lt_col_number(&s->col[1], &rows.col[1], 0, 1) == 1);
  assert_true(lt_col_number(&s->col[1], &rows.col[1], 4, 0) == 2);
  assert_true(isnan(lt_col_number(&s->col[0], &rows.col[0], 0, 0))); /* c had no numbers */
  assert_true(lt_col_number(&s->col[0], &rows.col[0], 4, 0) == 3);
  leat_batch_clear(b, &e);
  x.value = value;
  index[1] = 1;
  assert_int_equal(leat_batch_set_csr(b, &x, &e), LEAT_E_DATA);
  index[1] = 10;
  assert_int_equal(leat_batch_set_csr(b, &x, &e), LEAT_E_DATA);
  index[1] = 9;
  value[1] = NAN;
  assert_int_equal(leat_batch_set_csr(b, &x, &e), LEAT_E_DATA);
  value[1] = 1e300; /* no float */
  assert_int_equal(leat_batch_set_csr(b, &x, &e), LEAT_E_DATA);
  x.cols = 11;
  assert_int_equal(leat_batch_set_csr(b, &x, &e), LEAT_E_SHAPE);
  start[1] = 5;
  x.cols = 10;
  assert_int_equal(leat_batch_set_csr(b, &x, &e), LEAT_E_DATA);
  leat_batch_free(b);
  leat_batch_free(c);
  leat_schema_free(s);
  kit_balanced(rt);
}

static void bytes_and_back(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = mixed(rt);
  lt_schema_add(s, "sp", LEAT_NUMBER, LEAT_ROLE_FEATURE, 10, 1, &e);
  leat_batch *b = NULL, *back = NULL;
  lt_batch_create(rt, s, &b, &e);
  double x[2][4] = {{1.5, 1, 1, 1e9}, {NAN, -3, NAN, NAN}};
  leat_matrix m = {.struct_size = sizeof m, .data = x, .rows = 2, .cols = 4, .dtype = LEAT_F64};
  int64_t start[] = {0, 2, 3};
  int32_t index[] = {1, 9, 0};
  float value[] = {0.5f, -1, 2};
  leat_csr sp = {sizeof sp, start, index, value, 2, 10, LEAT_F32, 0};
  lt_batch_set_dense(b, &m, &e);
  lt_batch_set_csr(b, &sp, &e);
  assert_int_equal(lt_batch_slot_text(b, 5, 2, 3, &e), 0);
  memcpy(b->slot[5].text->text, "abc", 3);
  b->slot[5].text->end[1] = 1;
  b->slot[5].text->end[2] = 3;
  lt_batch_sync(b);
  lt_rows rows, again;
  lt_put w;
  lt_get r;
  lt_batch_rows(b, &rows);
  lt_put_init(&w, rt);
  lt_rows_save(&rows, &w);
  lt_get_init(&r, rt, w.data, w.size);
  assert_int_equal(lt_rows_load(rt, s, &r, &back, &e), 0);
  lt_batch_rows(back, &again);
  assert_int_equal(again.n, 2);
  assert_true(lt_col_number(&s->col[1], &again.col[1], 0, 0) == 1.5);
  assert_true(lt_col_number(&s->col[9], &again.col[9], 0, 9) == -1);
  uint64_t len;
  assert_memory_equal(lt_col_text(&again.col[5], 1, &len), "bc", 2);
  assert_int_equal(len, 2);
  assert_null(again.col[7].data);
  lt_batch_free(back);
  for (uint64_t cut = 0; cut < w.size; cut++) {
    lt_get_init(&r, rt, w.data, cut);
    assert_int_not_equal(lt_rows_load(rt, s, &r, &back, &e), 0);
    for (int bit = 0; bit < 8; bit++) {
      w.data[cut] ^= (uint8_t)(1 << bit);
      lt_get_init(&r, rt, w.data, w.size);
      if (!lt_rows_load(rt, s, &r, &back, &e)) lt_batch_free(back);
      w.data[cut] ^= (uint8_t)(1 << bit);
    }
  }
  lt_put_free(&w);
  lt_batch_free(b);
  lt_schema_free(s);
  kit_balanced(rt);
}

static void two_dtypes(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = NULL;
  leat_batch *a = NULL, *b = NULL;
  lt_schema_create(rt, &s, &e);
  lt_schema_add(s, "px", LEAT_NUMBER, LEAT_ROLE_FEATURE, 3, 0, &e);
  lt_batch_create(rt, s, &a, &e);
  lt_batch_create(rt, s, &b, &e);
  uint8_t u[6] = {1, 2, 3, 4, 5, 255};
  double d[3] = {0.1, NAN, -2};
  leat_matrix mu = {.struct_size = sizeof mu, .data = u, .rows = 2, .cols = 3, .dtype = LEAT_U8};
  leat_matrix md = {.struct_size = sizeof md, .data = d, .rows = 1, .cols = 3, .dtype = LEAT_F64};
  lt_batch_set_dense(a, &mu, &e);
  lt_batch_set_dense(b, &md, &e);
  lt_rows from, to;
  lt_batch_rows(b, &from);
  assert_int_equal(lt_batch_append(a, &from, 0, 1, &e), 0);
  lt_batch_rows(a, &to);
  assert_int_equal(to.col[0].dtype, LEAT_F64);
  assert_true(lt_col_number(&s->col[0], &to.col[0], 1, 2) == 255);
  assert_true(lt_col_number(&s->col[0], &to.col[0], 2, 0) == 0.1);
  int64_t pick[3] = {2, 0, 2};
  lt_batch_clear(b);
  assert_int_equal(lt_batch_gather(b, &to, pick, 3, &e), 0);
  lt_batch_rows(b, &from);
  assert_true(lt_col_number(&s->col[0], &from.col[0], 1, 1) == 2);
  assert_true(lt_col_number(&s->col[0], &from.col[0], 2, 2) == -2);
  pick[0] = 3;
  assert_int_equal(lt_batch_gather(b, &to, pick, 3, &e), LEAT_E_RANGE);
  lt_batch_free(a);
  lt_batch_free(b);
  lt_schema_free(s);
  kit_balanced(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_of_text), cmocka_unit_test(dense),      cmocka_unit_test(sparse),
      cmocka_unit_test(bytes_and_back), cmocka_unit_test(two_dtypes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
