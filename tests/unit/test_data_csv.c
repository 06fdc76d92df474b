#include "data_kit.h"

static void reads_kinds(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_dataset *d = kit_good(rt, "target=y",
                             "a,b ,flag,when,y\n1,red,true,2020-01-02,yes\n -2.5 , green ,FALSE,2020-01-03 04:05:06,no\n"
                             "\n   \nNA,,,, yes\r\n+3e2,\"red\",true,2020-01-02,no\n");
  assert_int_equal(lt_dataset_rows(d), 4);
  assert_int_equal(kit_column(d, "a")->kind, LEAT_NUMBER);
  assert_int_equal(kit_column(d, "b")->kind, LEAT_CATEGORY);
  assert_int_equal(kit_column(d, "flag")->kind, LEAT_BOOL);
  assert_int_equal(kit_column(d, "when")->kind, LEAT_TIME);
  assert_int_equal(kit_column(d, "y")->kind, LEAT_CATEGORY);
  assert_int_equal(kit_column(d, "y")->role, LEAT_ROLE_TARGET);
  assert_string_equal(kit_field(d, 1, "a"), "-2.5");
  assert_string_equal(kit_field(d, 1, "b"), "green");
  assert_string_equal(kit_field(d, 1, "flag"), "false");
  assert_string_equal(kit_field(d, 2, "a"), "");
  assert_string_equal(kit_field(d, 2, "b"), "");
  assert_string_equal(kit_field(d, 2, "when"), "");
  assert_string_equal(kit_field(d, 2, "y"), "yes");
  assert_string_equal(kit_field(d, 3, "a"), "300");
  assert_int_equal((int)kit_number(d, 0, "b", 0), 1); /* green, red */
  assert_int_equal(lt_schema_classes(d->schema), 2);
  assert_string_equal(lt_dict_text(kit_column(d, "y")->labels, 0, NULL), "no");
  leat_dataset_free(d);
  kit_balanced(rt);
}

static void quotes(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_dataset *d = kit_good(rt, "categorical=s",
                             "\xef\xbb\xbfn,s\r\n1,\"a,b\"\r\n2,\"two\nlines\"\r\n3, \"say \"\"hi\"\"\" \r\n4,in\"side\r\n5,\"\"\r\n6,\"\"\"\"");
  assert_int_equal(lt_dataset_rows(d), 6);
  assert_string_equal(kit_field(d, 0, "s"), "a,b");
  assert_string_equal(kit_field(d, 1, "s"), "two\nlines");
  assert_string_equal(kit_field(d, 2, "s"), "say \"hi\"");
  assert_string_equal(kit_field(d, 3, "s"), "in\"side");
  assert_string_equal(kit_field(d, 4, "s"), "");
  assert_string_equal(kit_field(d, 5, "s"), "\"");
  leat_dataset_free(d);
  kit_bad(rt, "", "n,s\n1,\"a\n2,b\n", LEAT_E_DATA, "row 1 (line 2), column 's': the quoted field that begins here is never");
  kit_bad(rt, "", "n,s\n1,\"a\"b\n2,b\n", LEAT_E_DATA, "row 1 (line 2), column 's': there is text behind a closing");
  kit_bad(rt, "", "n,s\n1,\"x\ny\"\n2\n", LEAT_E_DATA, "row 2 (line 4): 1 fields, expected 2 as in the header");
  kit_balanced(rt);
}

static void bad_files(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e;
  kit_bad(rt, "", "", LEAT_E_DATA, "t.csv: the file is empty");
  kit_bad(rt, "", "\n \n\r\n", LEAT_E_DATA, "only blank lines");
  kit_bad(rt, "", "a,b,c\n", LEAT_E_DATA, "there are no rows");
  kit_bad(rt, "", "a,b,c\n\n\n", LEAT_E_DATA, "there are no rows");
  kit_bad(rt, "", "a,b\n1,2\n3\n", LEAT_E_DATA, "row 2 (line 3): 1 fields, expected 2 as in the header");
  kit_bad(rt, "", "a,b\n1,2\n\n3,4,5\n", LEAT_E_DATA, "row 2 (line 4): 3 fields, expected 2 as in the header");
  kit_bad(rt, "", "1,2\n3\n", LEAT_E_DATA, "row 2 (line 2): 1 fields, expected 2 as in the first row");
  kit_bad(rt, "", "a,b,a\n1,2,3\n", LEAT_E_DATA, "column 3 of the header has the name of another");
  kit_bad(rt, "target=Chrun", "Churn,b\nyes,2\n", LEAT_E_NOT_FOUND, "did you mean 'Churn'?");
  kit_bad(rt, "target=3", "Churn,b\nyes,2\n", LEAT_E_NOT_FOUND, "there is no column 3, it has 2");
  kit_bad(rt, "target=b", "a,b\nx,1\ny,\n", LEAT_E_DATA, "row 2 (line 3), column 'b': the target is missing");
  kit_bad(rt, "target=b task=regression", "a,b\nx,1\ny,no\n", LEAT_E_DATA, "regression");
  kit_bad(rt, "target=b key=b", "a,b\nx,1\n", LEAT_E_ARG, "two roles");
  kit_bad(rt, "weight=b", "a,b\nx,1\ny,-1\n", LEAT_E_DATA, "'-1' is no weight");
  kit_bad(rt, "weight=b", "a,b\nx,1\ny,NA\n", LEAT_E_DATA, "the weight is missing");
  assert_null(kit_read_bytes(rt, NULL, "reader/csv", "", "a,b\n1,2\n3,\0\n", 12, &e));
  assert_int_equal(e.code, LEAT_E_FORMAT);
  assert_null(kit_read_bytes(rt, NULL, "reader/csv", "", "\x7f" "ELF\1\1\1", 7, &e));
  assert_int_equal(e.code, LEAT_E_FORMAT);
  assert_null(kit_read_bytes(rt, NULL, "reader/csv", "", "\xff\xfe" "a\0b\0", 6, &e));
  assert_non_null(strstr(e.message, "UTF-16"));
  kit_balanced(rt);
}

static void junk_numbers(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  char text[4096] = "id,TotalCharges\n";
  for (int i = 0; i < 20; i++) sprintf(text + strlen(text), "%d,%d.5\n", 7 * i % 11, i);
  char junk[4200];
  snprintf(junk, sizeof junk, "%s3,\"1,234\"\n", text);
  kit_bad(rt, "", junk, LEAT_E_DATA,
          "t.csv: row 21 (line 22), column 'TotalCharges': '1,234' is not a number; write 1234, or declare the column "
          "with --categorical");
  snprintf(junk, sizeof junk, "%s3,\"1,2\"\n", text);
  kit_bad(rt, "", junk, LEAT_E_DATA, "write 1.2,");
  snprintf(junk, sizeof junk, "%s3,abc\n", text);
  kit_bad(rt, "", junk, LEAT_E_DATA, "'abc' is not a number; declare the column with --categorical");
  leat_dataset *d = kit_good(rt, "missing=abc,x", junk);
  assert_true(isnan(kit_number(d, 20, "TotalCharges", 0)));
  leat_dataset_free(d);
  d = kit_good(rt, "categorical=TotalCharges", junk);
  assert_string_equal(kit_field(d, 20, "TotalCharges"), "abc");
  leat_dataset_free(d);
  d = kit_good(rt, "", "a,b\n1,\n2,NA\n3,?\n"); /* nothing in the column */
  assert_int_equal(kit_column(d, "b")->kind, LEAT_NUMBER);
  assert_true(isnan(kit_number(d, 1, "b", 0)));
  leat_dataset_free(d);
  d = kit_good(rt, "", "a,b\n1,inf\n2,-Infinity\n3,1e400\n");
  assert_true(isinf(kit_number(d, 1, "b", 0)));
  leat_dataset_free(d);
  kit_balanced(rt);
}

static void junk_behind_the_window(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(3);
  uint64_t cap = 1 << 20, n = 0;
  char *text = malloc(cap);
  n += (uint64_t)sprintf(text, "a,b,t\n");
  for (int i = 0; i < 12000; i++) n += (uint64_t)sprintf(text + n, "%d.5,,2020-01-01\n", i % 77);
  sprintf(text + n, "junk,7,2020-01-01\n");
  kit_bad(rt, "", text, LEAT_E_DATA, "row 12001 (line 12002), column 'a': 'junk' is not a number");
  sprintf(text + n, "1,blue,2020-01-01\n"); /* the only value of b says what it is */
  leat_dataset *d = kit_good(rt, "", text);
  assert_int_equal(kit_column(d, "b")->kind, LEAT_CATEGORY);
  assert_string_equal(kit_field(d, 12000, "b"), "blue");
  leat_dataset_free(d);
  sprintf(text + n, "1,blue,yesterday\n");
  kit_bad(rt, "", text, LEAT_E_DATA, "column 't': 'yesterday' is not a time");
  free(text);
  kit_balanced(rt);
}

static void headers_and_delimiters(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_dataset *d = kit_good(rt, "target=-1", "1.5;2;x\n2,5;3;y\n");
  assert_int_equal(lt_dataset_rows(d), 2);
  assert_int_equal(d->schema->n, 3);
  assert_string_equal(d->schema->col[2].name, "c3");
  assert_int_equal(d->schema->col[2].role, LEAT_ROLE_TARGET);
  leat_dataset_free(d);
  d = kit_good(rt, "", "ham\tGo, there\nspam\tWin, now, it\nham\tOk\n");
  assert_int_equal(lt_dataset_rows(d), 3);
  assert_int_equal(d->schema->n, 2);
  leat_dataset_free(d);
  d = kit_good(rt, "", "a|b\n1|2\n");
  assert_string_equal(d->schema->col[1].name, "b");
  leat_dataset_free(d);
  d = kit_good(rt, "header=yes", "2019,2020\n1,2\n");
  assert_string_equal(d->schema->col[1].name, "2020");
  assert_string_equal(kit_field(d, 0, "2020"), "2");
  leat_dataset_free(d);
  d = kit_good(rt, "header=no", "a,b\nc,d\n");
  assert_int_equal(lt_dataset_rows(d), 2);
  leat_dataset_free(d);
  d = kit_good(rt, "", ",a\n0,1\n1,2\n");
  assert_string_equal(d->schema->col[0].name, "c1");
  leat_dataset_free(d);
  d = kit_good(rt, "delimiter=comma", "a;b\n1\n");
  assert_int_equal(d->schema->n, 1);
  leat_dataset_free(d);
  kit_balanced(rt);
}

static void targets(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_dataset *d = kit_good(rt, "target=y", "x,y\n1,+1\n2,-1\n3,1\n4,1.0\n");
  assert_int_equal(lt_schema_classes(d->schema), 2);
  assert_string_equal(lt_dict_text(kit_column(d, "y")->labels, 0, NULL), "-1");
  assert_string_equal(kit_field(d, 0, "y"), "1");
  assert_string_equal(kit_field(d, 3, "y"), "1");
  leat_dataset_free(d);
  d = kit_good(rt, "target=y task=regression", "x,y\n1,+1\n2,-1\n");
  assert_int_equal(kit_column(d, "y")->kind, LEAT_NUMBER);
  leat_dataset_free(d);
  d = kit_good(rt, "target=y categorical=y", "x,y\n1,10\n2,9\n3,+10\n");
  assert_int_equal(lt_schema_classes(d->schema), 2);
  assert_string_equal(lt_dict_text(kit_column(d, "y")->labels, 0, NULL), "9");
  leat_dataset_free(d);
  d = kit_good(rt, "target=y", "x,y\n1,0.5\n2,1\n");
  assert_int_equal(kit_column(d, "y")->kind, LEAT_NUMBER);
  leat_dataset_free(d);
  char text[512] = "y\n";
  for (int i = 0; i < 21; i++) sprintf(text + strlen(text), "%d\n", i * 3);
  d = kit_good(rt, "target=y", text);
  assert_int_equal(kit_column(d, "y")->kind, LEAT_NUMBER);
  leat_dataset_free(d);
  d = kit_good(rt, "target=y task=multiclass", text);
  assert_int_equal(lt_schema_classes(d->schema), 21);
  leat_dataset_free(d);
  kit_bad(rt, "target=y task=binary", text, LEAT_E_DATA, "21 classes, task binary needs two");
  d = kit_good(rt, "target=y", "x,y\n1,TRUE\n2,FALSE\n");
  assert_int_equal(kit_column(d, "y")->kind, LEAT_CATEGORY);
  leat_dataset_free(d);
  kit_balanced(rt);
}

/* Rows that exercise everything, as long as wanted. */
static char *long_text(int rows, uint64_t *size) {
  char *t = malloc((uint64_t)rows * 200 + 100);
  uint64_t n = (uint64_t)sprintf(t, "num,cat,words,id,flag,y\n");
  uint32_t h = 1;
  for (int i = 0; i < rows; i++) {
    h = h * 1664525u + 1013904223u;
    n += (uint64_t)sprintf(t + n, "%s%d.%05u,", h & 256 ? "-" : "", (int)(h >> 24), (h >> 3) % 100000);
    n += (uint64_t)sprintf(t + n, "L%u,", (h >> 10) % 300);
    n += (uint64_t)sprintf(t + n, h % 7 ? "the row %d has words," : "\"a \"\"quoted\"\"\n\n, text, %d\",", i);
    n += (uint64_t)sprintf(t + n, "k%d,%s,%u%s", i, h % 11 ? "true" : "", (h >> 13) % 3, h % 13 ? "\n" : "\r\n\n");
  }
  *size = n;
  return t;
}

static void same_for_all_threads(void **state) {
  (void)state;
  static const int threads[] = {1, 2, 3, 7};
  uint64_t size, sum = 0;
  char *text = long_text(70000, &size);
  for (int k = 0; k < 4; k++) {
    leat_runtime *rt = kit_runtime(threads[k]);
    leat_error e;
    leat_dataset *d = kit_read_bytes(rt, NULL, "reader/csv", "target=y key=id", text, size, &e);
    if (!d) fail_msg("%s", e.message);
    assert_int_equal(lt_dataset_rows(d), 70000);
    assert_int_equal(kit_column(d, "words")->kind, LEAT_TEXT);
    assert_int_equal(lt_dict_count(kit_column(d, "cat")->labels), 300);
    assert_string_equal(kit_field(d, 69999, "id"), "k69999");
    if (!k) sum = kit_sum(d);
    assert_true(sum == kit_sum(d));
    leat_dataset_free(d);
    kit_balanced(rt);
  }
  free(text);
}

static void with_a_schema(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e;
  leat_dataset *d = kit_good(rt, "target=y", "id,a,b,y\nk1,1,red,no\nk2,2,green,yes\n");
  leat_schema *s = NULL;
  assert_int_equal(leat_dataset_schema(d, &s, &e), 0);
  const char *other = "extra,b,key,a\n9,red,q1,5\n9,blue,q2,NA\n";
  leat_dataset *x = kit_read_bytes(rt, s, "reader/csv", "key=key", other, strlen(other), &e);
  if (x) fail_msg("column id is a feature of the schema here, and is not there");
  assert_int_equal(e.code, LEAT_E_NOT_FOUND);
  leat_schema_set_role(s, 0, LEAT_ROLE_IGNORE, &e);
  x = kit_read_bytes(rt, s, "reader/csv", "key=key", other, strlen(other), &e);
  if (!x) fail_msg("%s", e.message);
  assert_int_equal((int)kit_number(x, 0, "b", 0), 1);
  assert_int_equal((int)kit_number(x, 1, "b", 0), LT_UNSEEN);
  assert_int_equal((int)kit_number(x, 0, "a", 0), 5);
  assert_string_equal(kit_field(x, 1, "key"), "q2");
  assert_true(isnan(kit_number(x, 0, "y", 0)));
  leat_dataset_free(x);
  other = "id,A,b\n1,2,red\n";
  assert_null(kit_read_bytes(rt, s, "reader/csv", "", other, strlen(other), &e));
  assert_int_equal(e.code, LEAT_E_NOT_FOUND);
  assert_non_null(strstr(e.message, "is it 'A'?"));
  other = "k1,5,red\n"; /* by position: the target is not there */
  x = kit_read_bytes(rt, s, "reader/csv", "header=no", other, strlen(other), &e);
  if (!x) fail_msg("%s", e.message);
  assert_int_equal((int)kit_number(x, 0, "a", 0), 5);
  leat_dataset_free(x);
  other = "a,b,y\n1,red,\n2,red,maybe\n"; /* a missing and an unknown label */
  x = kit_read_bytes(rt, s, "reader/csv", "", other, strlen(other), &e);
  if (!x) fail_msg("%s", e.message);
  assert_true(isnan(kit_number(x, 0, "y", 0)));
  assert_int_equal((int)kit_number(x, 1, "y", 0), LT_UNSEEN);
  leat_dataset_free(x);
  leat_schema_free(s);
  leat_dataset_free(d);
  kit_balanced(rt);
}

static void wide(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  const int cols = 1000000;
  char *t = malloc(24u * 1000000u);
  uint64_t n = 0;
  for (int i = 0; i < cols; i++) n += (uint64_t)sprintf(t + n, "x%d,", i);
  t[n - 1] = '\n';
  for (int r = 0; r < 3; r++) {
    for (int i = 0; i < cols; i++) n += (uint64_t)sprintf(t + n, "%d,", (i + r) % 10);
    t[n - 1] = '\n';
  }
  leat_error e;
  leat_dataset *d = kit_read_bytes(rt, NULL, "reader/csv", "target=x5", t, n, &e);
  if (!d) fail_msg("%s", e.message);
  assert_int_equal(lt_dataset_rows(d), 3);
  assert_int_equal(lt_schema_numbers(d->schema), cols - 1);
  assert_string_equal(kit_field(d, 2, "x999999"), "1");
  leat_dataset_free(d);
  free(t);
  kit_balanced(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_kinds),          cmocka_unit_test(quotes),
      cmocka_unit_test(bad_files),            cmocka_unit_test(junk_numbers),
      cmocka_unit_test(junk_behind_the_window), cmocka_unit_test(headers_and_delimiters),
      cmocka_unit_test(targets),              cmocka_unit_test(same_for_all_threads),
      cmocka_unit_test(with_a_schema),        cmocka_unit_test(wide),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
