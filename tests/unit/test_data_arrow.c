/* Arrow in: what lies right is used where it lies, types and missing values, slices, dictionaries, given schemas. */
#include "arrow_help.h"

static const lt_col *column_view(const leat_dataset *d, const char *name) {
  int64_t i = 0;
  if (lt_schema_find(d->schema, name, &i, NULL)) fail_msg("no column %s", name);
  return &d->base->col[i];
}

static void numbers_stay_where_they_are(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  struct ArrowSchema s;
  struct ArrowArray a;
  static const char *const format[10] = {"g", "f", "c", "C", "s", "S", "i", "I", "l", "L"};
  static const int64_t size[10] = {8, 4, 1, 1, 2, 2, 4, 4, 8, 8};
  unsigned char raw[64];
  for (int k = 0; k < 64; k++) raw[k] = (unsigned char)(k * 37 + 1);
  double d[5] = {1.5, -2, 0, 1e300, 4};
  float f[5] = {1.5f, -2, 0, 1e30f, 4};
  const char *text[5] = {"one", "", "three", "four", "five"};
  made_schema(&s, "+s", "", 12);
  made_array(&a, 5, 0, 1, 12);
  for (int k = 0; k < 10; k++) {
    char name[2] = {(char)('a' + k), 0};
    made_schema(s.children[k], format[k], name, 0);
    made_plain(a.children[k], 5, 0, NULL, k == 0 ? (void *)d : k == 1 ? (void *)f : (void *)raw, (uint64_t)size[k]);
  }
  made_schema(s.children[10], "tsn:", "t", 0);
  made_plain(a.children[10], 5, 0, NULL, raw, 8);
  made_schema(s.children[11], "U", "key", 0);
  made_texts(a.children[11], 5, 0, text, 1);
  const void *buffer[12];
  for (int k = 0; k < 12; k++) buffer[k] = a.children[k]->buffers[1];
  const void *bytes = a.children[11]->buffers[2];
  leat_dataset *ds = made_good(rt, "key=key", &s, &a);
  for (int k = 0; k < 10; k++) {
    char name[2] = {(char)('a' + k), 0};
    assert_ptr_equal(column_view(ds, name)->data, buffer[k]);
    assert_int_equal(kit_column(ds, name)->kind, LEAT_NUMBER);
    for (int r = 0; r < 5; r++) {
      leat_matrix m = {.data = (void *)(uintptr_t)buffer[k], .row_stride = 1, .dtype = column_view(ds, name)->dtype};
      assert_true(kit_number(ds, r, name, 0) == lt_matrix_get(&m, r, 0));
    }
  }
  assert_ptr_equal(column_view(ds, "t")->data, buffer[10]);
  assert_ptr_equal(column_view(ds, "key")->text_end, (const uint64_t *)buffer[11] + 1);
  assert_ptr_equal(column_view(ds, "key")->text, bytes);
  assert_string_equal(kit_field(ds, 2, "key"), "three");
  assert_string_equal(kit_field(ds, 1, "key"), "");
  assert_int_equal(made_live, 13); /* the array, until the last dataset goes */
  leat_dataset *part = NULL;
  assert_int_equal(leat_dataset_slice(ds, 1, 3, &part, NULL), 0);
  leat_dataset_free(ds);
  assert_int_equal(made_live, 13);
  assert_true(kit_number(part, 0, "a", 0) == -2);
  leat_dataset_free(part);
  assert_int_equal(made_live, 0);
  kit_balanced(rt);
}

/* Buffers need not be aligned: those that are not are copied. */
static void unaligned(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  struct ArrowSchema s;
  struct ArrowArray a;
  char raw[8 * 4 + 1];
  double d[4] = {1, 2, 3, 4};
  memcpy(raw + 1, d, sizeof d);
  made_one(&s, &a, "g", 4);
  made_array(a.children[0], 4, 0, 2, 0);
  made_buffer(a.children[0], 1, raw, sizeof raw);
  a.children[0]->buffers[1] = (const char *)a.children[0]->buffers[1] + 1;
  leat_dataset *ds = made_good(rt, "target=y", &s, &a);
  for (int r = 0; r < 4; r++) assert_true(kit_number(ds, r, "x", 0) == d[r]);
  leat_dataset_free(ds);
  assert_int_equal(made_live, 0);
  kit_balanced(rt);
}

static void types_and_missing_values(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  struct ArrowSchema s;
  struct ArrowArray a;
  static const char *const format[] = {"b", "g", "f", "i", "e", "d:5,2", "d:20,0,256", "tdD", "tdm", "tss:", "ttm", "tDu", "n", "vu"};
  static const char *const name[] = {"bool", "f64", "f32", "i32", "f16", "dec", "big", "date", "date_ms", "stamp", "clock", "span", "none", "view"};
  enum { N = 14 };
  uint8_t bits = 0x5; /* 1 0 1 0 */
  double f64[4] = {1, 2, 3, 4};
  float f32[4] = {1, 2, 3, 4};
  int32_t i32[4] = {10, -20, 30, 40}, days[4] = {0, 1, 18262, 4}, clock[4] = {1500, 2, 3, 4};
  uint16_t f16[4] = {0x3c00, 0xc100, 0x0001, 0x7c00}; /* 1, -2.5, 2^-24, inf */
  int64_t dec[4][2] = {{12345, 0}, {-5, -1}, {0, 0}, {7, 0}};
  uint64_t big[4][4] = {{~0ull, ~0ull, ~0ull, ~0ull}, {1000000000000000000ull, 0, 0, 0}, {0, 1, 0, 0}, {1, 0, 0, 0}};
  int64_t ms[4] = {86400000, 1, 2, 3}, sec[4] = {1, 2, 3, 4}, us[4] = {1500000, 2, 3, 4};
  char views[64] = {0};
  const char *tail = "a text of more than twelve bytes";
  int32_t sizes[4] = {3, (int32_t)strlen(tail), 0, 12};
  for (int r = 0; r < 4; r++) memcpy(views + 16 * r, &sizes[r], 4);
  memcpy(views + 4, "abc", 3);
  memcpy(views + 20, tail, 4);
  memcpy(views + 52, "twelve bytes", 12);
  const void *data[N] = {&bits, f64, f32, i32, f16, dec, big, days, ms, sec, clock, us, NULL, views};
  uint64_t size[N] = {1, 32, 16, 16, 8, 64, 128, 16, 32, 32, 16, 32, 0, 64};
  made_schema(&s, "+s", "", N);
  made_array(&a, 4, 0, 1, N);
  for (int k = 0; k < N; k++) {
    made_schema(s.children[k], format[k], name[k], 0);
    made_array(a.children[k], 4, 0, k == 12 ? 0 : k == 13 ? 4 : 2, 0);
    if (k != 12) made_valid(a.children[k], "1110");
    if (k != 12) made_buffer(a.children[k], 1, data[k], size[k]);
  }
  int64_t one_size = (int64_t)strlen(tail);
  made_buffer(a.children[13], 2, tail, strlen(tail));
  made_buffer(a.children[13], 3, &one_size, 8);
  leat_dataset *d = made_good(rt, "categorical=view", &s, &a);
  static const char *const want[N][3] = {
      {"true", "false", "true"}, {"1", "2", "3"}, {"1", "2", "3"}, {"10", "-20", "30"}, {"1", "-2.5", NULL},
      {"123.45", "-0.05", "0"}, {"-1", "1e18", NULL}, {"1970-01-01", "1970-01-02", "2020-01-01"},
      {"1970-01-02", NULL, NULL}, {"1970-01-01", NULL, NULL}, {"1.5", "0.002", "0.003"}, {"1.5", NULL, NULL},
      {"", "", ""}, {"abc", "a text of more than twelve bytes", ""}};
  for (int k = 0; k < N; k++) {
    for (int r = 0; r < 3; r++)
      if (want[k][r] && strncmp(kit_field(d, r, name[k]), want[k][r], strlen(want[k][r])) != 0)
        fail_msg("%s row %d is '%s', not '%s'", name[k], r, kit_field(d, r, name[k]), want[k][r]);
    assert_string_equal(kit_field(d, 3, name[k]), ""); /* missing */
  }
  assert_true(kit_number(d, 2, "f16", 0) == 5.9604644775390625e-08);
  assert_true(kit_number(d, 2, "big", 0) == 18446744073709551616.0);
  assert_int_equal(kit_column(d, "bool")->kind, LEAT_BOOL);
  assert_int_equal(kit_column(d, "stamp")->kind, LEAT_TIME);
  assert_int_equal(kit_column(d, "view")->kind, LEAT_CATEGORY);
  leat_dataset_free(d);
  assert_int_equal(made_live, 0);
  kit_balanced(rt);
}

/* A dictionary with values that do not come up, one twice, missing indices and a missing value. */
static void dictionaries(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  struct ArrowSchema s;
  struct ArrowArray a;
  int8_t index[6] = {3, 0, 5, 1, 0, 4};
  const char *label[6] = {"red", "blue", "never", "green", NULL, "red"};
  made_one(&s, &a, "c", 6);
  s.children[0]->dictionary = calloc(1, sizeof(struct ArrowSchema));
  made_schema(s.children[0]->dictionary, "u", "", 0);
  made_plain(a.children[0], 6, 0, "110111", index, 1);
  a.children[0]->dictionary = calloc(1, sizeof(struct ArrowArray));
  made_texts(a.children[0]->dictionary, 6, 0, label, 0);
  leat_dataset *d = made_good(rt, "target=y", &s, &a);
  const lt_column *c = kit_column(d, "x");
  assert_int_equal(c->kind, LEAT_CATEGORY);
  assert_int_equal(lt_dict_count(c->labels), 3); /* sorted, as those of a file */
  assert_string_equal(lt_dict_text(c->labels, 0, NULL), "blue");
  static const char *const want[6] = {"green", "red", "", "blue", "red", ""};
  for (int r = 0; r < 6; r++) assert_string_equal(kit_field(d, r, "x"), want[r]);
  leat_dataset_free(d);
  assert_int_equal(made_live, 0);
  kit_balanced(rt);
}

/* Rows [3, 7) of a table whose columns are slices themselves, with structs of which some are missing. */
static void slices_and_structs(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  struct ArrowSchema s;
  struct ArrowArray a;
  double d[12];
  const char *text[12] = {"t0", "t1", "t2", "t3", NULL, "t5", "t6", "t7", "t8", "t9", "t10", "t11"};
  uint8_t bits[2] = {0xaa, 0xaa}; /* element i is true when i is odd */
  for (int k = 0; k < 12; k++) d[k] = k;
  made_schema(&s, "+s", "", 3);
  made_schema(s.children[0], "g", "a", 0);
  made_schema(s.children[1], "+s", "in", 2);
  made_schema(s.children[1]->children[0], "g", "b", 0);
  made_schema(s.children[1]->children[1], "b", "c", 0);
  made_schema(s.children[2], "u", "t", 0);
  made_array(&a, 4, 3, 1, 3);
  made_plain(a.children[0], 8, 2, NULL, d, 8);             /* row r: element 2 + 3 + r */
  made_array(a.children[1], 8, 1, 1, 2);
  made_valid(a.children[1], "111110111");                   /* row 1 of ours is element 1 + 3 + 1 = 5 */
  made_plain(a.children[1]->children[0], 10, 2, "111111110111", d, 8); /* element 2 + 4 + r; r 2 is missing */
  made_array(a.children[1]->children[1], 10, 1, 2, 0);      /* element 1 + 4 + r */
  made_buffer(a.children[1]->children[1], 1, bits, 2);
  made_texts(a.children[2], 8, 1, text, 0);                 /* element 1 + 3 + r */
  const char *at = (const char *)a.children[0]->buffers[1];
  leat_dataset *ds = made_good(rt, "key=t", &s, &a);
  assert_ptr_equal(column_view(ds, "a")->data, at + 5 * 8);
  static const char *const b[4] = {"6", "", "", "9"}, *const c[4] = {"true", "", "true", "false"}, *const t[4] = {"", "t5", "t6", "t7"};
  for (int r = 0; r < 4; r++) {
    assert_true(kit_number(ds, r, "a", 0) == 5 + r);
    assert_string_equal(kit_field(ds, r, "in.b"), b[r]);
    assert_string_equal(kit_field(ds, r, "in.c"), c[r]);
    assert_string_equal(kit_field(ds, r, "t"), t[r]);
  }
  leat_dataset_free(ds);
  assert_int_equal(made_live, 0);
  kit_balanced(rt);
}

/* The same rows and the same model, whether a file or Arrow brings them. */
static void as_a_file_would_be(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  struct ArrowSchema s;
  struct ArrowArray a;
  char csv[4096] = "a,i,s,y\n", line[64];
  static const char *const word[3] = {"red", "green", "blue"};
  for (int r = 0; r < 60; r++) {
    snprintf(line, sizeof line, "%g,%d,%s,%d\n", r / 4.0, 7 * r % 11, word[r % 3], r % 2);
    strcat(csv, line);
  }
  made_table_schema(&s);
  made_table_array(&a, 0, 60);
  leat_dataset *x = made_good(rt, "target=y", &s, &a), *f = kit_good(rt, "target=y", csv);
  assert_true(lt_schema_equal(x->schema, f->schema));
  for (int r = 0; r < 60; r++)
    for (int k = 0; k < 4; k++) {
      char one[64];
      snprintf(one, sizeof one, "%s", kit_field(x, r, x->schema->col[k].name));
      assert_string_equal(one, kit_field(f, r, x->schema->col[k].name));
    }
  assert_true(kit_sum(x) == kit_sum(f));
  leat_dataset_free(x);
  leat_dataset_free(f);
  assert_int_equal(made_live, 0);
  kit_balanced(rt);
}

static void what_columns_are_for(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  struct ArrowSchema s;
  struct ArrowArray a;
  double w[4] = {1, 2, -1, 3};
  const char *junk[4] = {"1", "2", "x3", "4"};
  int64_t late[4] = {0, INT64_MAX / 1000, 1, 2};
  made_one(&s, &a, "g", 4);
  made_plain(a.children[0], 4, 0, NULL, w, 8);
  made_bad(rt, "weight=x target=y", &s, &a, LEAT_E_DATA, "row 3, column 'x': the weight");
  made_one(&s, &a, "g", 4);
  made_plain(a.children[0], 4, 0, "1101", w, 8);
  made_bad(rt, "target=x", &s, &a, LEAT_E_DATA, "row 3, column 'x': the target is missing");
  made_one(&s, &a, "u", 4);
  made_texts(a.children[0], 4, 0, junk, 0);
  made_bad(rt, "number=x target=y", &s, &a, LEAT_E_DATA, "row 3, column 'x': 'x3' is not a number");
  made_one(&s, &a, "tss:", 4);
  made_plain(a.children[0], 4, 0, NULL, late, 8);
  made_bad(rt, "target=y", &s, &a, LEAT_E_DATA, "row 2, column 'x': the time is outside");
  made_one(&s, &a, "tss:", 4);
  made_plain(a.children[0], 4, 0, NULL, late, 8);
  made_bad(rt, "target=x", &s, &a, LEAT_E_DTYPE, "a target");
  made_one(&s, &a, "g", 4);
  made_plain(a.children[0], 4, 0, NULL, w, 8);
  made_bad(rt, "target=z", &s, &a, LEAT_E_NOT_FOUND, "no column 'z'");
  made_one(&s, &a, "z", 4);
  made_texts(a.children[0], 4, 0, junk, 0);
  made_bad(rt, "target=y", &s, &a, LEAT_E_DTYPE, "Arrow type 'z' is not taken");
  made_one(&s, &a, "z", 4); /* but as a key */
  made_texts(a.children[0], 4, 0, junk, 0);
  leat_dataset *d = made_good(rt, "key=x target=y", &s, &a);
  assert_string_equal(kit_field(d, 2, "x"), "x3");
  leat_dataset_free(d);
  static const char *const odd[] = {"+us:0,1", "+r", "tin", "d:5", "w:0", "?", "+vl", "+ud:0"};
  for (uint64_t k = 0; k < sizeof odd / sizeof odd[0]; k++) {
    made_one(&s, &a, odd[k], 4);
    made_plain(a.children[0], 4, 0, NULL, w, 8);
    leat_error e;
    assert_null(made_dataset(rt, "target=y", &s, &a, &e));
    assert_int_equal(e.code, LEAT_E_DTYPE);
    assert_non_null(strstr(e.message, "column 'x'"));
    d = made_good(rt, "target=y ignore=x", &s, &a);
    leat_dataset_free(d);
  }
  assert_int_equal(made_live, 0);
  kit_balanced(rt);
}

/* Integers that count the rows say nothing; declared numbers they are numbers. */
static void row_numbers(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  for (int k = 0; k < 2; k++) {
    struct ArrowSchema s;
    struct ArrowArray a;
    int64_t id[120], y[120];
    for (int r = 0; r < 120; r++) {
      id[r] = 1000 + r;
      y[r] = r & 1;
    }
    made_one(&s, &a, "l", 120);
    made_plain(a.children[0], 120, 0, NULL, id, 8);
    a.children[1]->release(a.children[1]);
    made_plain(a.children[1], 120, 0, NULL, y, 8);
    leat_dataset *d = made_good(rt, k ? "target=y number=x" : "target=y", &s, &a);
    assert_int_equal(kit_column(d, "x")->kind, k ? LEAT_NUMBER : LEAT_ID);
    assert_int_equal(kit_column(d, "x")->role, k ? LEAT_ROLE_FEATURE : LEAT_ROLE_IGNORE);
    leat_dataset_free(d);
  }
  assert_int_equal(made_live, 0);
  kit_balanced(rt);
}

static void given_schema(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  struct ArrowSchema s;
  struct ArrowArray a;
  made_table_schema(&s);
  made_table_array(&a, 0, 20);
  leat_dataset *d = made_good(rt, "target=y", &s, &a), *g = NULL;
  leat_schema *known = NULL;
  assert_int_equal(leat_dataset_schema(d, &known, &e), 0);
  /* columns in another order, one that is not known, an unseen label, no target, ids as text for numbers */
  const char *text[3] = {"blue", "violet", NULL}, *number[3] = {"1.5", "2", ""};
  int16_t small[3] = {1, 2, 3};
  made_schema(&s, "+s", "", 4);
  made_schema(s.children[0], "U", "s", 0);
  made_schema(s.children[1], "g", "other", 0);
  made_schema(s.children[2], "s", "i", 0);
  made_schema(s.children[3], "u", "a", 0);
  made_array(&a, 3, 0, 1, 4);
  made_texts(a.children[0], 3, 0, text, 1);
  made_plain(a.children[1], 3, 0, NULL, "123456781234567812345678", 8);
  made_plain(a.children[2], 3, 0, NULL, small, 2);
  made_texts(a.children[3], 3, 0, number, 0);
  if (leat_dataset_from_arrow(rt, known, NULL, &s, &a, &g, &e)) fail_msg("%s", e.message);
  assert_string_equal(kit_field(g, 0, "s"), "blue");
  assert_true(kit_number(g, 1, "s", 0) == LT_UNSEEN);
  assert_true(isnan(kit_number(g, 2, "s", 0)));
  assert_true(kit_number(g, 0, "a", 0) == 1.5 && isnan(kit_number(g, 2, "a", 0)));
  assert_true(kit_number(g, 2, "i", 0) == 3);
  assert_true(isnan(kit_number(g, 0, "y", 0)));
  leat_dataset_free(g);
  made_schema(&s, "+s", "", 2); /* a feature is not there */
  made_schema(s.children[0], "g", "a", 0);
  made_schema(s.children[1], "g", "ii", 0);
  made_array(&a, 3, 0, 1, 2);
  made_plain(a.children[0], 3, 0, NULL, "123456781234567812345678", 8);
  made_plain(a.children[1], 3, 0, NULL, "123456781234567812345678", 8);
  assert_int_equal(leat_dataset_from_arrow(rt, known, NULL, &s, &a, &g, &e), LEAT_E_NOT_FOUND);
  assert_non_null(strstr(e.message, "is it 'ii'?"));
  assert_non_null(s.release);
  s.release(&s);
  a.release(&a);
  leat_schema_free(known);
  leat_dataset_free(d);
  assert_int_equal(made_live, 0);
  kit_balanced(rt);
}

/* Lists of a fixed width are dense blocks, lists of pairs sparse ones. */
static void blocks(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  struct ArrowSchema s;
  struct ArrowArray a;
  float x[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, v[5] = {1, 2, 3, 4, 5};
  int32_t index[5] = {7, 0, 3, 9, 2};
  int64_t end[5] = {0, 1, 4, 4, 5};
  made_schema(&s, "+s", "", 2);
  made_schema(s.children[0], "+w:3", "d", 1);
  made_schema(s.children[0]->children[0], "f", "item", 0);
  made_schema(s.children[1], "+L", "p", 1);
  made_schema(s.children[1]->children[0], "+s", "", 2);
  made_schema(s.children[1]->children[0]->children[0], "i", "index", 0);
  made_schema(s.children[1]->children[0]->children[1], "f", "value", 0);
  made_array(&a, 3, 0, 1, 2);
  made_array(a.children[0], 3, 1, 1, 1);
  made_plain(a.children[0]->children[0], 12, 0, NULL, x, 4);
  made_array(a.children[1], 3, 1, 2, 1);
  made_buffer(a.children[1], 1, end, sizeof end);
  struct ArrowArray *pairs = a.children[1]->children[0];
  made_array(pairs, 5, 0, 1, 2);
  made_plain(pairs->children[0], 5, 0, NULL, index, 4);
  made_plain(pairs->children[1], 5, 0, NULL, v, 4);
  const char *lists = a.children[0]->children[0]->buffers[1];
  const char *at = pairs->children[0]->buffers[1];
  leat_dataset *d = made_good(rt, NULL, &s, &a);
  assert_int_equal(kit_column(d, "d")->width, 3);
  assert_ptr_equal(column_view(d, "d")->data, lists + 3 * 4);
  assert_int_equal(kit_column(d, "p")->width, 10);
  assert_int_equal(kit_column(d, "p")->sparse, 1);
  assert_ptr_equal(column_view(d, "p")->index, at + 4); /* the entries of the row before are not ours */
  for (int r = 0; r < 3; r++)
    for (int j = 0; j < 3; j++) assert_true(kit_number(d, r, "d", j) == 3 * (r + 1) + j);
  assert_true(kit_number(d, 0, "p", 0) == 2 && kit_number(d, 0, "p", 3) == 3 && kit_number(d, 0, "p", 9) == 4);
  assert_true(kit_number(d, 0, "p", 7) == 0 && kit_number(d, 1, "p", 2) == 0 && kit_number(d, 2, "p", 2) == 5);
  leat_dataset_free(d);
  assert_int_equal(made_live, 0);
  kit_balanced(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_stay_where_they_are), cmocka_unit_test(unaligned),
      cmocka_unit_test(types_and_missing_values),    cmocka_unit_test(dictionaries),
      cmocka_unit_test(slices_and_structs),          cmocka_unit_test(as_a_file_would_be),
      cmocka_unit_test(what_columns_are_for),        cmocka_unit_test(row_numbers),
      cmocka_unit_test(given_schema),                cmocka_unit_test(blocks)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
