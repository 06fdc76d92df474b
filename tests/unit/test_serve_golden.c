/* Tables of format version 1 are read for ever. Made by this test's `make` word: test_serve_golden make. */
#include "serve_help.h"

static const struct { const char *path, *pairs[9]; int kind; uint64_t n, n_values; } golden[] = {
    {"tests/golden/table-hash-v1.ltab", {"layout", "hash", "default", "0.5,0.25", "names", "a,b", NULL}, 1, 300, 2},
    {"tests/golden/table-sorted-v1.ltab", {"block_bytes", "256", "valid_until_ns", "9000000000000000000", NULL}, 0, 1200, 1},
};

static void test_read(void **state) {
  (void)state;
  leat_runtime *rt = help_runtime(1);
  for (size_t g = 0; g < sizeof golden / sizeof golden[0]; g++) {
    static const char *const verify[] = {"verify", "true", NULL};
    leat_params *p = help_params(rt, "table/read", verify);
    leat_table *t;
    leat_table_reader *r;
    leat_table_info info = {.struct_size = sizeof info};
    OK(leat_table_open(rt, golden[g].path, p, &t, &help_err));
    OK(leat_table_get_info(t, &info, &help_err));
    OK(leat_table_reader_create(t, 0, &r, &help_err));
    assert_true(info.created_ns == 1000 && info.rows == (int64_t)golden[g].n && info.values == (int64_t)golden[g].n_values);
    assert_string_equal(info.layout, g ? "sorted" : "hash");
    if (!g) assert_true(info.default_values[1] == 0.25f && strcmp(info.value_names[1], "b") == 0);
    if (g) assert_true(info.valid_until_ns == 9000000000000000000);
    for (uint64_t i = 0; i < golden[g].n + 50; i++) {
      char key[1024];
      float v[2];
      int64_t found;
      uint64_t size = help_key(golden[g].kind, i, key);
      OK(leat_table_reader_get(r, key, size, v, 2, &found, &help_err));
      assert_int_equal(found, i < golden[g].n ? LEAT_TABLE_HIT : g ? LEAT_TABLE_MISS : LEAT_TABLE_DEFAULT);
      for (uint64_t k = 0; k < golden[g].n_values && i < golden[g].n; k++) assert_true(v[k] == help_value(i, k));
    }
    leat_table_reader_free(r);
    leat_table_free(t);
    leat_params_free(p);
  }
  leat_runtime_free(rt);
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "make") == 0) {
    leat_runtime *rt = help_runtime(1);
    for (size_t g = 0; g < sizeof golden / sizeof golden[0]; g++)
      help_build(rt, golden[g].path, golden[g].pairs, golden[g].kind, golden[g].n, golden[g].n_values);
    leat_runtime_free(rt);
    return 0;
  }
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_read)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
