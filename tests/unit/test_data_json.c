/* reader/ndjson. */
#include "data_kit.h"

static leat_dataset *json(leat_runtime *rt, const char *set, const char *text, leat_error *e) {
  return kit_read_bytes(rt, NULL, "reader/ndjson", set, text, strlen(text), e);
}

static void fields(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e;
  leat_dataset *d = json(rt, "target=y text=t",
                         "{\"a\": 1.5, \"c\": \"red\", \"t\": \"one two\", \"y\": \"no\", \"b\": true}\n"
                         "\n"
                         "{\"y\":\"yes\",\"c\":\"bl\\u00fce \\ud83d\\ude00\\n\\\"\\\\\\/\",\"b\":false,\"late\":-1e3}\r\n"
                         "  { \"a\" : null , \"y\" : \"no\", \"t\": \"\" }  \n"
                         "{\"a\":\"2.5\",\"y\":\"no\",\"\":1}",
                         &e);
  if (!d) fail_msg("%s", e.message);
  assert_int_equal(d->n, 4);
  assert_int_equal(d->schema->n, 6);
  assert_int_equal(kit_column(d, "a")->kind, LEAT_NUMBER);
  assert_int_equal(kit_column(d, "b")->kind, LEAT_BOOL);
  assert_int_equal(kit_column(d, "c")->kind, LEAT_CATEGORY);
  assert_string_equal(kit_field(d, 0, "a"), "1.5");
  assert_string_equal(kit_field(d, 1, "a"), "");
  assert_string_equal(kit_field(d, 3, "a"), "2.5");
  assert_string_equal(kit_field(d, 1, "c"), "bl\xc3\xbc" "e \xf0\x9f\x98\x80\n\"\\/");
  assert_string_equal(kit_field(d, 1, "late"), "-1000");
  assert_string_equal(kit_field(d, 0, "late"), "");
  assert_string_equal(kit_field(d, 0, "t"), "one two");
  assert_string_equal(kit_field(d, 2, "t"), "");
  assert_string_equal(kit_field(d, 1, "y"), "yes");
  /* with its own schema: keys may be absent altogether, others are nothing to it */
  leat_schema *s = NULL;
  assert_int_equal(leat_dataset_schema(d, &s, &e), 0);
  static const char some[] = "{\"c\":\"red\",\"new\":{\"x\":[1,\"}\"]}}\n{\"c\":\"green\"}\n";
  leat_dataset *p = kit_read_bytes(rt, s, "reader/ndjson", "", some, sizeof some - 1, &e);
  if (!p) fail_msg("%s", e.message);
  assert_string_equal(kit_field(p, 0, "c"), "red");
  assert_string_equal(kit_field(p, 1, "c"), "");
  assert_string_equal(kit_field(p, 1, "a"), "");
  leat_dataset_free(p);
  leat_schema_free(s);
  leat_dataset_free(d);
  kit_balanced(rt);
}

static void refused(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  static const char *const bad[] = {
      "[1]", "1", "{", "{}x", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,\"a\":1}", "{\"a\":01}", "{\"a\":1.}", "{\"a\":.5}",
      "{\"a\":+1}", "{\"a\":1e}", "{\"a\":tru}", "{\"a\":True}", "{\"a\":NaN}", "{\"a\":'x'}", "{'a':1}", "{a:1}",
      "{\"a\":\"x}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\u0000\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\ud800\\u0041\"}",
      "{\"a\":\"\\udc00\"}", "{\"a\":\"tab\there\"}", "{\"a\":1 \"b\":2}", "{\"a\":1}{\"a\":2}", "{\"a\":1,\"a\":2}", "{\"a\":\"\\", "{\"a\":\"\\\"}",
      "{\"a\":-}", "{\"a\":[1}", "{\"a\":\"x\"", "{\"a\":\"\\uD83D\\u"};
  char text[512];
  for (uint64_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    leat_error e;
    int n = snprintf(text, sizeof text, "{\"a\":1,\"y\":1}\n%s\n{\"a\":3,\"y\":4}\n", bad[i]);
    leat_dataset *d = json(rt, "target=y task=regression", text, &e);
    if (d) fail_msg("read: %s", bad[i]);
    assert_int_equal(e.code, LEAT_E_DATA);
    if (!strstr(e.message, "row 2 (line 2)")) fail_msg("%s: %s", bad[i], e.message);
    for (int w = 0; w < 2; w++) { /* kept, as a bad row */
      leat_batch *b = NULL;
      lt_rows rows;
      int64_t got = 0;
      d = kit_read_bytes(rt, NULL, "reader/ndjson", w ? "target=y task=regression errors=keep stream=1" : "target=y task=regression errors=keep piece_bytes=3", text,
                         (uint64_t)n, &e);
      if (!d) fail_msg("%s", e.message);
      lt_batch_create(rt, d->schema, &b, &e);
      assert_int_equal(leat_dataset_next(d, 10, b, &got, &e), 0);
      lt_batch_rows(b, &rows);
      assert_int_equal(got, 3);
      assert_true(rows.side->reason[0] == 0 && rows.side->reason[2] == 0);
      int nested = strstr(bad[i], "[1}") != NULL;
      if (rows.side->reason[1] != LEAT_REASON_PARSE && !nested) fail_msg("%s: %d", bad[i], rows.side->reason[1]);
      assert_int_equal(rows.side->raw_end[1] - rows.side->raw_end[0], strlen(bad[i]));
      assert_memory_equal(rows.side->raw + rows.side->raw_end[0], bad[i], strlen(bad[i]));
      assert_true(lt_rows_target(&rows, 1, 2) == 4);
      lt_batch_free(b);
      leat_dataset_free(d);
    }
  }
  leat_error e;
  assert_null(json(rt, "", "", &e));
  assert_null(json(rt, "", "\n \n", &e));
  assert_null(json(rt, "", "{}\n{}\n", &e));
  assert_null(json(rt, "errors=keep", "x\n{}\n", &e));
  assert_null(json(rt, "target=z", "{\"a\":1}\n", &e));
  assert_int_equal(e.code, LEAT_E_NOT_FOUND);
  assert_null(json(rt, "target=y", "{\"a\":1,\"y\":2}\n{\"a\":2}\n", &e));
  assert_non_null(strstr(e.message, "the target is missing"));
  assert_null(json(rt, "target=y", "{\"a\":1,\"y\":2}\n{\"a\":[],\"y\":3}\n", &e));
  assert_non_null(strstr(e.message, "row 2 (line 2), column 'a': the value is an object or array"));
  kit_balanced(rt);
}

/* The same table as CSV gives the same rows, at once and as a stream that grows. */
static void as_csv(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(3);
  leat_error e;
  uint64_t n = 0, m = 0;
  char *j = malloc(32 << 20), *c = malloc(16 << 20);
  m += (uint64_t)sprintf(c, "n,c,s,y\n");
  for (int i = 0; i < 60000; i++) {
    const char *y = i % 3 ? "no" : "yes";
    if (i % 2) n += (uint64_t)sprintf(j + n, "{\"n\":%d.25,\"c\":\"L\\u00e9%d\",\"s\":\"text of %d\",\"y\":\"%s\"}\n", i, i / 1000, i, y);
    else n += (uint64_t)sprintf(j + n, "{\"n\": %d.25, \"y\": \"%s\", \"s\":\"text of %d\", \"c\":\"L\xc3\xa9%d\" }\n", i, y, i, i / 1000);
    m += (uint64_t)sprintf(c + m, "%d.25,L\xc3\xa9%d,text of %d,%s\n", i, i / 1000, i, y);
  }
  leat_dataset *a = kit_read_bytes(rt, NULL, "reader/csv", "target=y text=s", c, m, &e), *b;
  if (!a) fail_msg("%s", e.message);
  /* keys come up in the order of the first record */
  static const char first[] = "{\"n\":0.25,\"c\":\"L\xc3\xa9" "0\",\"s\":\"text of 0\",\"y\":\"yes\"}\n";
  char *line = memchr(j, '\n', n);
  uint64_t rest = n - (uint64_t)(line + 1 - j);
  char *k = malloc(n + 100);
  memcpy(k, first, sizeof first - 1);
  memcpy(k + sizeof first - 1, line + 1, rest);
  uint64_t size = sizeof first - 1 + rest;
  static const char *const ways[] = {"target=y text=s", "target=y text=s piece_bytes=777", "target=y text=s errors=keep raw=1"};
  for (int w = 0; w < 3; w++) {
    b = kit_read_bytes(rt, NULL, "reader/ndjson", ways[w], k, size, &e);
    if (!b) fail_msg("%s", e.message);
    assert_true(kit_sum(a) == kit_sum(b));
    leat_dataset_free(b);
  }
  kit_text t = {k, size, 0, 0};
  leat_params *p = kit_params(rt, "reader/ndjson", "target=y text=s stream=1 grow=1 chunk_rows=10 piece_bytes=5000");
  leat_batch *part = NULL;
  int64_t got = 1, seen = 0;
  if (leat_dataset_from_reader(rt, NULL, p, "j", kit_pull, &t, &b, &e)) fail_msg("%s", e.message);
  lt_batch_create(rt, b->schema, &part, &e);
  assert_true(lt_dict_count(kit_column(b, "c")->labels) < 60);
  for (; got; seen += got) {
    if (leat_dataset_next(b, 7000, part, &got, &e)) fail_msg("%s", e.message);
    lt_rows v;
    lt_batch_rows(part, &v);
    for (int64_t r = 0; r < got; r += 501) {
      char want[32];
      snprintf(want, sizeof want, "L\xc3\xa9%lld", (long long)(seen + r) / 1000);
      assert_string_equal(lt_dict_text(v.schema->col[1].labels, (int64_t)lt_col_number(&v.schema->col[1], &v.col[1], r, 0), NULL), want);
    }
  }
  assert_int_equal(seen, 60000);
  assert_int_equal(lt_dict_count(kit_column(b, "c")->labels), 60);
  leat_batch_free(part);
  leat_dataset_free(b);
  leat_params_free(p);
  leat_dataset_free(a);
  free(j);
  free(c);
  free(k);
  kit_balanced(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(fields), cmocka_unit_test(refused), cmocka_unit_test(as_csv)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
