#include "data_kit.h"

static leat_dataset *svm(leat_runtime *rt, const leat_schema *s, const char *set, const char *text, leat_error *e) {
  return kit_read_bytes(rt, s, "reader/svmlight", set, text, strlen(text), e);
}
static void svm_bad(leat_runtime *rt, const char *set, const char *text, leat_status code, const char *part) {
  leat_error e;
  leat_dataset *d = svm(rt, NULL, set, text, &e);
  if (d) fail_msg("read: %.60s", text);
  if (e.code != code || !strstr(e.message, part)) fail_msg("got %d '%s', wanted %d '%s'", e.code, e.message, code, part);
}

static void rows(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e;
  leat_dataset *d = svm(rt, NULL, "", "# a comment\n+1 1:0.5 3:-2e-1 # 9:9\n\n-1 qid:7 2:1\r\n \t\n1\n-1 3:1.25 ", &e);
  if (!d) fail_msg("%s", e.message);
  assert_int_equal(lt_dataset_rows(d), 4);
  assert_int_equal(lt_schema_classes(d->schema), 2);
  assert_int_equal(kit_column(d, "x")->width, 3);
  assert_int_equal(kit_column(d, "qid")->role, LEAT_ROLE_GROUP);
  assert_string_equal(kit_field(d, 0, "label"), "1");
  assert_string_equal(kit_field(d, 1, "label"), "-1");
  assert_string_equal(kit_field(d, 1, "qid"), "7");
  assert_string_equal(kit_field(d, 0, "qid"), "");
  assert_true(kit_number(d, 0, "x", 0) == 0.5);
  assert_true(kit_number(d, 0, "x", 2) == (double)-0.2f);
  assert_true(kit_number(d, 1, "x", 1) == 1);
  assert_true(kit_number(d, 2, "x", 0) == 0);
  assert_true(kit_number(d, 3, "x", 2) == 1.25);
  leat_dataset_free(d);
  d = svm(rt, NULL, "", "0.5 0:1 2:1\n1.5 1:1\n", &e); /* counts from 0, and all ones */
  assert_int_equal(kit_column(d, "x0")->width, 3);
  assert_int_equal(kit_column(d, "label")->kind, LEAT_NUMBER);
  assert_null(d->base->col[1].value);
  assert_true(kit_number(d, 0, "x0", 2) == 1);
  assert_true(kit_number(d, 1, "x0", 1) == 1);
  leat_dataset_free(d);
  d = svm(rt, NULL, "index=0", "0.5 1:1\n", &e);
  assert_int_equal(kit_column(d, "x0")->width, 2);
  leat_dataset_free(d);
  kit_balanced(rt);
}

static void bad(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e;
  svm_bad(rt, "", "", LEAT_E_DATA, "the file is empty");
  svm_bad(rt, "", "# nothing\n\n", LEAT_E_DATA, "no rows");
  svm_bad(rt, "", "1\n0\n", LEAT_E_DATA, "no row has a feature");
  svm_bad(rt, "", "1 1:2\n1 3:1 2:1\n", LEAT_E_DATA, "row 2 (line 2): '2:1' has a smaller index");
  svm_bad(rt, "", "\n1 1:2 1:3\n", LEAT_E_DATA, "row 1 (line 2): '1:3' has the index of the entry before");
  svm_bad(rt, "", "1 1:abc\n", LEAT_E_DATA, "'1:abc' is not index:value");
  svm_bad(rt, "", "1 1:\n", LEAT_E_DATA, "'1:' is not index:value");
  svm_bad(rt, "", "1 -1:5\n", LEAT_E_DATA, "'-1:5' is not index:value");
  svm_bad(rt, "", "1 1:2:3\n", LEAT_E_DATA, "'1:2:3' is not index:value");
  svm_bad(rt, "", "1 3000000000:5\n", LEAT_E_DATA, "index above");
  svm_bad(rt, "", "1 30000000000000000000000:5\n", LEAT_E_DATA, "is not index:value");
  svm_bad(rt, "", "1 1:nan\n", LEAT_E_DATA, "not a finite float");
  svm_bad(rt, "", "1 1:1e39\n", LEAT_E_DATA, "not a finite float");
  svm_bad(rt, "", "yes 1:1\n", LEAT_E_DATA, "'yes' is not a label");
  svm_bad(rt, "", "nan 1:1\n", LEAT_E_DATA, "'nan' is no label");
  svm_bad(rt, "", "1:1 2:2\n", LEAT_E_DATA, "'1:1' stands where the label should be");
  svm_bad(rt, "", "1 qid:x 1:1\n", LEAT_E_DATA, "'qid:x' is not a group");
  svm_bad(rt, "index=1", "1 0:1\n", LEAT_E_DATA, "index 0");
  svm_bad(rt, "target=y", "1 0:1\n", LEAT_E_NOT_FOUND, "called label");
  assert_null(kit_read_bytes(rt, NULL, "reader/svmlight", "", "1 1:1\n\0\0\n", 9, &e));
  assert_int_equal(e.code, LEAT_E_FORMAT);
  kit_balanced(rt);
}

static void with_a_schema(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e;
  leat_schema *s = NULL;
  leat_dataset *d = svm(rt, NULL, "", "5 1:1 3:1\n7 2:1\n", &e), *x;
  leat_dataset_schema(d, &s, &e);
  x = svm(rt, s, "", "+7.0 1:2 4:1 9:1\n2:3\n6 3:1\n", &e); /* wider, without a label, an unknown label */
  if (!x) fail_msg("%s", e.message);
  assert_int_equal(lt_dataset_rows(x), 3);
  assert_string_equal(kit_field(x, 0, "label"), "7");
  assert_string_equal(kit_field(x, 1, "label"), "");
  assert_true(kit_number(x, 2, "label", 0) == LT_UNSEEN);
  assert_true(kit_number(x, 0, "x", 0) == 2);
  assert_int_equal(x->base->col[1].row_start[1], 1);
  assert_true(kit_number(x, 1, "x", 1) == 3);
  assert_true(kit_number(x, 2, "x", 2) == 1);
  leat_dataset_free(x);
  assert_null(svm(rt, s, "", "1 0:1\n", &e));
  assert_non_null(strstr(e.message, "count from 1"));
  leat_schema_free(s);
  leat_dataset_free(d);
  d = svm(rt, NULL, "", "5 0:1 3:1\n", &e);
  leat_dataset_schema(d, &s, &e);
  x = svm(rt, s, "", "5 1:1\n", &e); /* the block remembers that it counts from 0 */
  assert_true(kit_number(x, 0, "x0", 1) == 1);
  leat_dataset_free(x);
  leat_dataset_free(d);
  leat_schema_free(s);
  d = kit_good(rt, "", "a,b\n1,2\n");
  leat_dataset_schema(d, &s, &e);
  assert_null(svm(rt, s, "", "1 1:1\n", &e));
  assert_int_equal(e.code, LEAT_E_NOT_FOUND);
  leat_schema_free(s);
  leat_dataset_free(d);
  kit_balanced(rt);
}

static void same_for_all_threads(void **state) {
  (void)state;
  static const int threads[] = {1, 2, 3, 7};
  char *t = malloc(8 << 20);
  uint64_t n = 0, sum = 0;
  uint32_t h = 7;
  for (int r = 0; r < 40000; r++) {
    n += (uint64_t)sprintf(t + n, "%d", (int)(h >> 9) % 3);
    if (r % 1000 == 5) n += (uint64_t)sprintf(t + n, " qid:%d", r);
    for (int k = 0, i = 0; k < 10; k++) {
      h = h * 1664525u + 1013904223u;
      i += 1 + (int)(h >> 25);
      n += (uint64_t)sprintf(t + n, " %d:%d.%d", i, (int)(h >> 20) % 10, (int)(h >> 8) % 1000);
    }
    n += (uint64_t)sprintf(t + n, r % 77 ? "\n" : " # a: b:\n\n");
  }
  for (int k = 0; k < 4; k++) {
    leat_runtime *rt = kit_runtime(threads[k]);
    leat_error e;
    leat_dataset *d = kit_read_bytes(rt, NULL, "reader/svmlight", "", t, n, &e);
    if (!d) fail_msg("%s", e.message);
    assert_int_equal(lt_dataset_rows(d), 40000);
    if (!k) sum = kit_sum(d);
    assert_true(kit_sum(d) == sum);
    leat_dataset_free(d);
    kit_balanced(rt);
  }
  free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(bad), cmocka_unit_test(with_a_schema),
                                     cmocka_unit_test(same_for_all_threads)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
