/* What travels beside rows, and rows to bytes and back. */
#include "data_kit.h"

static leat_schema *mixed(leat_runtime *rt) {
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = NULL;
  lt_schema_create(rt, &s, &e);
  lt_schema_add(s, "y", LEAT_CATEGORY, LEAT_ROLE_TARGET, 1, 0, &e);
  lt_dict_add(s->col[0].labels, "no", 2, NULL, &e);
  lt_dict_add(s->col[0].labels, "yes", 3, NULL, &e);
  lt_schema_add(s, "n", LEAT_NUMBER, LEAT_ROLE_FEATURE, 1, 0, &e);
  lt_schema_add(s, "b", LEAT_BOOL, LEAT_ROLE_FEATURE, 1, 0, &e);
  lt_schema_add(s, "t", LEAT_TIME, LEAT_ROLE_TIME, 1, 0, &e);
  lt_schema_add(s, "txt", LEAT_TEXT, LEAT_ROLE_FEATURE, 1, 0, &e);
  lt_schema_add(s, "key", LEAT_ID, LEAT_ROLE_KEY, 1, 0, &e);
  lt_schema_add(s, "w", LEAT_NUMBER, LEAT_ROLE_WEIGHT, 1, 0, &e);
  return s;
}

static void put(leat_batch *b, const char *y, const char *n) {
  leat_error e = {.struct_size = sizeof e};
  const char *f[7] = {y, n, "true", "2020-01-02", "some words", "k1", "2"};
  if (lt_batch_add_text(b, f, 7, &e)) fail_msg("%s", e.message);
}

static void same_rows(const lt_rows *a, const lt_rows *b) {
  assert_int_equal(a->n, b->n);
  for (int64_t i = 0; i < a->schema->n; i++) {
    const lt_column *c = &a->schema->col[i];
    for (int64_t r = 0; r < a->n; r++) {
      for (int64_t j = 0; j < c->width && j < 1000 && !lt_column_is_text(c); j++) {
        double x = lt_col_number(c, &a->col[i], r, j), y = lt_col_number(c, &b->col[i], r, j);
        if (!(x == y || (isnan(x) && isnan(y)))) fail_msg("column %s row %lld: %g, %g", c->name, (long long)r, x, y);
      }
      uint64_t n, m;
      const char *s = lt_col_text(&a->col[i], r, &n), *t = lt_col_text(&b->col[i], r, &m);
      assert_int_equal(n, m);
      assert_memory_equal(s, t, n);
    }
  }
}

static void raw_is(const lt_side *s, int64_t r, const char *want) {
  assert_int_equal(s->raw_end[r] - s->raw_end[r - 1], strlen(want));
  if (*want) assert_memory_equal(s->raw + s->raw_end[r - 1], want, strlen(want));
}

static void bad_rows(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = mixed(rt);
  leat_batch *b = NULL, *c = NULL;
  lt_rows rows, to;
  lt_batch_create(rt, s, &b, &e);
  lt_batch_create(rt, s, &c, &e);
  put(b, "yes", "1.5");
  lt_batch_rows(b, &rows);
  assert_null(rows.side); /* nothing beside, nothing told */
  assert_int_equal(leat_batch_add_bad(b, LEAT_REASON_TYPE, 1, "no,x1", 5, &e), 0);
  put(b, "no", "3");
  assert_int_equal(leat_batch_add_bad(b, LEAT_REASON_PARSE, -1, NULL, 0, &e), 0);
  lt_batch_rows(b, &rows);
  assert_int_equal(rows.n, 4);
  assert_non_null(rows.side);
  assert_null(rows.side->source);
  static const int32_t reason[] = {0, LEAT_REASON_TYPE, 0, LEAT_REASON_PARSE}, column[] = {-1, 1, -1, -1};
  assert_memory_equal(rows.side->reason, reason, sizeof reason);
  assert_memory_equal(rows.side->column, column, sizeof column);
  static const char *const raw[] = {"", "no,x1", "", ""};
  for (int r = 0; r < 4; r++) raw_is(rows.side, r, raw[r]);
  for (int64_t i = 0; i < 7; i++) {
    uint64_t n;
    if (lt_column_is_text(&s->col[i])) assert_true((lt_col_text(&rows.col[i], 1, &n), n == 0));
    else assert_true(isnan(lt_col_number(&s->col[i], &rows.col[i], 1, 0)));
    if (!lt_column_is_text(&s->col[i])) assert_true(!isnan(lt_col_number(&s->col[i], &rows.col[i], 2, 0)));
  }
  assert_true(isnan(lt_rows_target(&rows, 0, 1)));
  /* rows of others */
  put(c, "yes", "9");
  assert_int_equal(lt_batch_append(c, &rows, 1, 3, &e), 0);
  int64_t pick[] = {3, 0, 1};
  assert_int_equal(lt_batch_gather(c, &rows, pick, 3, &e), 0);
  put(c, "no", "9");
  lt_batch_rows(c, &to);
  static const int32_t joined[] = {0, 202, 0, 100, 100, 0, 202, 0};
  static const char *const texts[] = {"", "no,x1", "", "", "", "", "no,x1", ""};
  assert_int_equal(to.n, 8);
  assert_memory_equal(to.side->reason, joined, sizeof joined);
  for (int r = 0; r < 8; r++) raw_is(to.side, r, texts[r]);
  lt_side shifted;
  lt_side_shift(to.side, 6, &shifted);
  raw_is(&shifted, 0, "no,x1");
  assert_int_equal(shifted.reason[0], LEAT_REASON_TYPE);
  lt_batch_clear(c);
  put(c, "no", "9");
  lt_batch_rows(c, &to);
  assert_null(to.side);
  /* only bad rows, and what is refused */
  lt_batch_clear(c);
  assert_int_equal(leat_batch_add_bad(c, LEAT_REASON_TOO_LONG, -1, "zz", 2, &e), 0);
  lt_batch_rows(c, &to);
  assert_int_equal(to.n, 1);
  raw_is(to.side, 0, "zz");
  put(c, "yes", "4");
  lt_batch_rows(c, &to);
  assert_true(isnan(lt_col_number(&s->col[1], &to.col[1], 0, 0)) && lt_col_number(&s->col[1], &to.col[1], 1, 0) == 4);
  assert_int_equal(leat_batch_add_bad(c, 0, -1, NULL, 0, &e), LEAT_E_RANGE);
  assert_int_equal(leat_batch_add_bad(c, LEAT_REASON_TYPE, 7, NULL, 0, &e), LEAT_E_RANGE);
  assert_int_equal(leat_batch_add_bad(c, LEAT_REASON_TYPE, 0, NULL, 1, &e), LEAT_E_ARG);
  assert_int_equal(leat_batch_add_bad(NULL, LEAT_REASON_TYPE, 0, NULL, 0, &e), LEAT_E_ARG);
  lt_batch_free(b);
  lt_batch_free(c);
  lt_schema_free(s);
  kit_balanced(rt);
}

static void blocks_and_bytes(void **state) { /* a dense block of bytes has no missing value, a sparse one has no entries */
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  lt_rows rows;
  lt_schema_create(rt, &s, &e);
  lt_schema_add(s, "x", LEAT_NUMBER, LEAT_ROLE_FEATURE, 10, 1, &e);
  lt_schema_add(s, "p", LEAT_NUMBER, LEAT_ROLE_FEATURE, 2, 0, &e);
  lt_batch_create(rt, s, &b, &e);
  int64_t start[] = {0, 2, 3};
  int32_t index[] = {1, 9, 0};
  uint8_t u[4] = {1, 2, 3, 255};
  leat_csr sp = {sizeof sp, start, index, NULL, 2, 10, LEAT_F32, 0};
  leat_matrix mu = {.struct_size = sizeof mu, .data = u, .rows = 2, .cols = 2, .dtype = LEAT_U8};
  assert_int_equal(leat_batch_set_csr(b, &sp, &e), 0);
  assert_int_equal(leat_batch_set_dense(b, &mu, &e), 0);
  assert_int_equal(leat_batch_add_bad(b, LEAT_REASON_SHAPE, 0, "1 11:1", 6, &e), 0);
  lt_batch_rows(b, &rows);
  assert_int_equal(rows.col[0].row_start[3], 3);
  assert_true(isnan(lt_col_number(&s->col[1], &rows.col[1], 2, 1)) && lt_col_number(&s->col[1], &rows.col[1], 1, 1) == 255);
  lt_batch_free(b);
  lt_schema_free(s);
  kit_balanced(rt);
}

static void sources(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = mixed(rt);
  leat_batch *b = NULL, *c = NULL;
  lt_rows rows, to;
  lt_batch_create(rt, s, &b, &e);
  lt_batch_create(rt, s, &c, &e);
  for (int i = 0; i < 6; i++) put(b, "yes", "1");
  assert_int_equal(leat_batch_set_source(b, "topic/3", 100, &e), 0);
  lt_batch_rows(b, &rows);
  assert_string_equal(rows.side->source, "topic/3");
  assert_int_equal(rows.side->position, 100);
  assert_int_equal(lt_batch_append(c, &rows, 2, 2, &e), 0); /* an empty batch takes it on */
  assert_int_equal(lt_batch_append(c, &rows, 4, 2, &e), 0); /* and keeps it while rows follow each other */
  lt_batch_rows(c, &to);
  assert_string_equal(to.side->source, "topic/3");
  assert_int_equal(to.side->position, 102);
  assert_int_equal(lt_batch_append(c, &rows, 0, 1, &e), 0);
  lt_batch_rows(c, &to);
  assert_null(to.side);
  lt_batch_clear(c);
  int64_t pick[] = {0, 1};
  assert_int_equal(lt_batch_gather(c, &rows, pick, 2, &e), 0);
  lt_batch_rows(c, &to);
  assert_null(to.side);
  lt_batch_clear(c);
  assert_int_equal(leat_batch_set_source(c, "mine", 7, &e), 0); /* what the caller says stands */
  assert_int_equal(lt_batch_append(c, &rows, 0, 3, &e), 0);
  lt_batch_rows(c, &to);
  assert_string_equal(to.side->source, "mine");
  char longer[257];
  memset(longer, 'a', 256);
  longer[256] = 0;
  assert_int_equal(leat_batch_set_source(c, longer, 0, &e), LEAT_E_RANGE);
  assert_int_equal(leat_batch_set_source(c, "", 0, &e), LEAT_E_RANGE);
  assert_int_equal(leat_batch_set_source(c, "a", -1, &e), LEAT_E_RANGE);
  assert_int_equal(leat_batch_set_source(c, NULL, 0, &e), LEAT_E_ARG);
  assert_int_equal(leat_batch_set_source(c, longer + 1, 0, &e), 0);
  lt_batch_free(b);
  lt_batch_free(c);
  /* datasets: the record's number in its source */
  leat_dataset *d = kit_good(rt, "target=y", "a,y\n1,x\n2,z\n3,x\n4,z\n"), *part = NULL;
  int64_t got = 0;
  lt_batch_create(rt, d->schema, &b, &e);
  assert_int_equal(leat_dataset_next(d, 3, b, &got, &e), 0);
  assert_int_equal(leat_dataset_next(d, 3, b, &got, &e), 0);
  lt_batch_rows(b, &rows);
  assert_string_equal(rows.side->source, "t.csv");
  assert_int_equal(rows.side->position, 3);
  assert_int_equal(leat_dataset_slice(d, 1, 3, &part, &e), 0);
  assert_int_equal(leat_dataset_next(part, 2, b, &got, &e), 0);
  assert_int_equal(leat_dataset_next(part, 2, b, &got, &e), 0);
  lt_batch_rows(b, &rows);
  assert_int_equal(rows.side->position, 3);
  assert_int_equal(lt_dataset_view(part, 1, 2, b, &rows, &e), 0);
  assert_int_equal(rows.side->position, 2);
  leat_dataset_free(part);
  int64_t take[] = {2, 0};
  assert_int_equal(leat_dataset_take(d, take, 2, &part, &e), 0);
  assert_int_equal(leat_dataset_next(part, 2, b, &got, &e), 0);
  lt_batch_rows(b, &rows);
  assert_null(rows.side);
  leat_dataset_free(part);
  leat_dataset_free(d);
  lt_batch_free(b);
  d = kit_read_bytes(rt, NULL, "reader/csv", "target=y stream=1 piece_bytes=4 chunk_rows=2", "a,y\n1,x\n2,z\n3,x\n4,z\n5,x\n", 24, &e);
  if (!d) fail_msg("%s", e.message);
  lt_batch_create(rt, d->schema, &b, &e);
  for (int64_t at = 0; at < 5; at += got) {
    assert_int_equal(leat_dataset_next(d, 2, b, &got, &e), 0);
    lt_batch_rows(b, &rows);
    assert_int_equal(rows.side->position, at);
    assert_true(got > 0);
  }
  lt_batch_free(b);
  leat_dataset_free(d);
  lt_schema_free(s);
  kit_balanced(rt);
}

static leat_batch *again(leat_runtime *rt, leat_schema *s, const lt_rows *rows, lt_put *w) {
  leat_error e = {.struct_size = sizeof e};
  leat_batch *back = NULL;
  lt_get g;
  lt_put_init(w, rt);
  lt_batch_save(rows, w);
  assert_int_equal(lt_put_status(w, &e), 0);
  lt_get_init(&g, rt, w->data, w->size);
  if (lt_batch_load(rt, s, &g, &back, &e)) fail_msg("%s", e.message);
  assert_int_equal(lt_get_left(&g), 0);
  return back;
}

static void hurt(leat_runtime *rt, leat_schema *s, lt_put *w) {
  leat_error e = {.struct_size = sizeof e};
  leat_batch *back = NULL;
  lt_get g;
  for (uint64_t cut = 0; cut < w->size; cut++) {
    lt_get_init(&g, rt, w->data, cut);
    assert_int_equal(lt_batch_load(rt, s, &g, &back, &e), LEAT_E_FORMAT);
    assert_null(back);
    for (int bit = 0; bit < 8; bit++) {
      w->data[cut] ^= (uint8_t)(1 << bit);
      lt_get_init(&g, rt, w->data, w->size);
      if (!lt_batch_load(rt, s, &g, &back, &e)) lt_batch_free(back);
      w->data[cut] ^= (uint8_t)(1 << bit);
    }
  }
}

static void bytes_and_back(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = mixed(rt);
  leat_batch *b = NULL, *back;
  lt_rows rows, got;
  lt_put w;
  lt_batch_create(rt, s, &b, &e);
  for (int pass = 0; pass < 3; pass++) { /* no rows; rows; rows with something beside them */
    for (int i = 0; pass && i < 5; i++) put(b, i & 1 ? "yes" : "", i == 3 ? "" : "1.25");
    if (pass == 2) {
      assert_int_equal(lt_batch_add_bad(b, LEAT_REASON_PARSE, 3, "raw \0 bytes", 11, &e), 0);
      assert_int_equal(lt_batch_set_source(b, "s", 5, &e), 0);
    }
    lt_batch_rows(b, &rows);
    back = again(rt, s, &rows, &w);
    lt_batch_rows(back, &got);
    same_rows(&rows, &got);
    assert_true((rows.side == NULL) == (got.side == NULL));
    if (pass == 2) {
      assert_string_equal(got.side->source, "s");
      assert_int_equal(got.side->position, 5);
      assert_int_equal(got.side->raw_end[10], 11);
      assert_memory_equal(got.side->raw, "raw \0 bytes", 11);
      assert_memory_equal(got.side->reason, rows.side->reason, (uint64_t)rows.n * 4);
      assert_memory_equal(got.side->column, rows.side->column, (uint64_t)rows.n * 4);
    }
    hurt(rt, s, &w);
    lt_put_free(&w);
    lt_batch_free(back);
  }
  /* only bad rows: no column is there */
  lt_batch_clear(b);
  for (int i = 0; i < 300; i++) lt_batch_add_bad(b, LEAT_REASON_TYPE, 1, "x", 1, &e);
  lt_batch_rows(b, &rows);
  back = again(rt, s, &rows, &w);
  lt_batch_rows(back, &got);
  assert_int_equal(got.n, 300);
  assert_int_equal(got.side->reason[299], LEAT_REASON_TYPE);
  raw_is(got.side, 299, "x");
  lt_batch_free(back);
  lt_put_free(&w);
  lt_batch_free(b);
  lt_schema_free(s);
  kit_balanced(rt);
}

static void sparse_bytes(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  static const int64_t widths[] = {700, 2147483647};
  for (int k = 0; k < 12; k++) {
    leat_schema *s = NULL;
    leat_batch *b = NULL;
    lt_rows rows, got;
    lt_put w;
    lt_schema_create(rt, &s, &e);
    lt_schema_add(s, "x", LEAT_NUMBER, LEAT_ROLE_FEATURE, widths[k & 1], 1, &e);
    lt_schema_add(s, "y", LEAT_NUMBER, LEAT_ROLE_TARGET, 1, 0, &e);
    lt_batch_create(rt, s, &b, &e);
    int64_t start[41] = {0}, cols = widths[k & 1];
    int32_t index[40 * 300];
    float value[40 * 300];
    for (int r = 0; r < 40; r++) {
      int m = k / 4 == 0 ? 3 : k / 4 == 1 ? r % 5 : r == 20 ? 300 : 1; /* all alike, some empty, one long */
      start[r + 1] = start[r] + m;
      for (int q = 0; q < m; q++) index[start[r] + q] = q == m - 1 ? (int32_t)(cols - 1) : (r * 7 + q) % 100 + q;
      for (int q = 0; q < m; q++) value[start[r] + q] = k & 2 && r == 39 ? 0.5f : 1;
    }
    leat_csr x = {sizeof x, start, index, k & 2 ? value : NULL, 40, cols, LEAT_F32, 0};
    if (k / 4 != 2 && (k & 1) == 0)
      for (int r = 0; r < 40; r++)
        for (int64_t q = start[r]; q < start[r + 1]; q++) index[q] = (int32_t)(q - start[r]) * 100 + r % 100;
    else
      for (int r = 0; r < 40; r++)
        for (int64_t q = start[r]; q + 1 < start[r + 1]; q++) index[q] = (int32_t)(q - start[r]) * 2 + r % 2;
    if (lt_batch_set_csr(b, &x, &e)) fail_msg("%s", e.message);
    lt_batch_rows(b, &rows);
    leat_batch *back = again(rt, s, &rows, &w);
    lt_batch_rows(back, &got);
    const lt_col *u = &rows.col[0], *v = &got.col[0];
    assert_memory_equal(u->row_start, v->row_start, 41 * sizeof(int64_t));
    assert_memory_equal(u->index, v->index, (uint64_t)start[40] * 4);
    assert_true((v->value != NULL) == ((k & 2) && value[start[40] - 1] == 0.5f && start[40] > start[39]));
    for (int64_t q = 0; q < start[40]; q++) assert_true((v->value ? v->value[q] : 1.0f) == (u->value ? u->value[q] : 1.0f));
    if (k < 8) hurt(rt, s, &w);
    lt_batch_free(back);
    /* rows of the middle: a view */
    lt_col col[2] = {rows.col[0], rows.col[1]};
    col[0].row_start += 10;
    lt_rows part = {.schema = s, .n = 20, .col = col};
    lt_put_free(&w);
    back = again(rt, s, &part, &w);
    lt_batch_rows(back, &got);
    same_rows(&part, &(lt_rows){.schema = got.schema, .n = got.n, .col = got.col});
    lt_batch_free(back);
    lt_put_free(&w);
    lt_batch_free(b);
    lt_schema_free(s);
  }
  kit_balanced(rt);
}

static void hostile_order(void **state) { /* indices that do not ascend, or are outside, wherever they stand */
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = NULL;
  leat_batch *b = NULL, *back = NULL;
  lt_rows rows;
  lt_put w;
  lt_get g;
  lt_schema_create(rt, &s, &e);
  lt_schema_add(s, "x", LEAT_NUMBER, LEAT_ROLE_FEATURE, 100000, 1, &e);
  lt_batch_create(rt, s, &b, &e);
  int64_t start[5] = {0, 13, 13, 26, 39};
  int32_t index[39];
  for (int k = 0; k < 39; k++) index[k] = k % 13 * 10 + k / 13;
  leat_csr x = {sizeof x, start, index, NULL, 4, 100000, LEAT_F32, 0};
  assert_int_equal(lt_batch_set_csr(b, &x, &e), 0);
  lt_batch_rows(b, &rows);
  for (int k = 0; k < 39; k++) {
    static const int32_t wrong[] = {-1, 100000, INT32_MIN, INT32_MAX};
    for (int q = 0; q < 6; q++) {
      int32_t was = b->slot[0].csr->index[k];
      if (q >= 4 && k % 13 == 0) continue;
      b->slot[0].csr->index[k] = q < 4 ? wrong[q] : b->slot[0].csr->index[k - 1] - (q - 4);
      lt_put_init(&w, rt);
      lt_batch_save(&rows, &w);
      lt_get_init(&g, rt, w.data, w.size);
      assert_int_equal(lt_batch_load(rt, s, &g, &back, &e), LEAT_E_FORMAT);
      lt_put_free(&w);
      b->slot[0].csr->index[k] = was;
    }
  }
  lt_batch_free(b);
  lt_schema_free(s);
  kit_balanced(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bad_rows),     cmocka_unit_test(blocks_and_bytes), cmocka_unit_test(sources),
      cmocka_unit_test(bytes_and_back), cmocka_unit_test(sparse_bytes),   cmocka_unit_test(hostile_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
