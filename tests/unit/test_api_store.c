/* lib/api/api_store.c: arguments, struct sizes, outs that are zero on failure. */
#include "folder_help.h"

static void test_arguments(void **state) {
  (void)state;
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = new_runtime(1);
  leat_store *s = (leat_store *)(uintptr_t)1;
  leat_model *m = little_model(rt, 1), *out = m;
  int64_t v = 7, g = 7, cursor = 0;
  leat_version_info info = {.struct_size = sizeof info};
  leat_event e = {.struct_size = sizeof e};
  assert_int_equal(leat_store_open(rt, NULL, NULL, &s, &err), LEAT_E_ARG);
  assert_null(s);
  assert_int_equal(leat_store_open(NULL, "x", NULL, &s, &err), LEAT_E_ARG);
  assert_int_equal(leat_store_open(rt, "x", NULL, NULL, &err), LEAT_E_ARG);
  OK(leat_store_open(rt, at_place("api"), NULL, &s, &error_of));
  assert_int_equal(leat_store_generation(NULL, &g, &err), LEAT_E_ARG);
  assert_int_equal(g, 0);
  assert_int_equal(leat_store_generation(s, NULL, &err), LEAT_E_ARG);
  assert_int_equal(leat_store_count(s, NULL, &err), LEAT_E_ARG);
  assert_int_equal(leat_store_add(s, NULL, "train", &v, &err), LEAT_E_ARG);
  assert_int_equal(v, 0);
  assert_int_equal(leat_store_add(s, m, NULL, &v, &err), LEAT_E_ARG);
  assert_int_equal(leat_store_add(NULL, m, "train", &v, &err), LEAT_E_ARG);
  OK(leat_store_add(s, m, "train", &v, &error_of));
  OK(leat_store_add(s, m, "train", &v, &error_of));
  assert_int_equal(v, 2);
  OK(leat_store_count(s, &g, &err));
  assert_int_equal(g, 2);
  info.struct_size = 4;
  assert_int_equal(leat_store_at(s, 0, &info, &err), LEAT_E_ARG);
  info.struct_size = 24; /* an older caller: nothing behind is touched */
  info.created_ns = -5;
  OK(leat_store_at(s, 1, &info, &err));
  assert_true(info.version == 2 && info.created_ns == -5 && info.struct_size == 24);
  info.struct_size = sizeof info;
  OK(leat_store_at(s, 0, &info, &err));
  assert_int_equal(leat_store_at(s, 2, &info, &err), LEAT_E_NOT_FOUND);
  assert_int_equal(leat_store_at(s, 0, NULL, &err), LEAT_E_ARG);
  v = 9;
  assert_int_equal(leat_store_stage(s, "production", &v, &err), LEAT_E_NOT_FOUND);
  assert_int_equal(v, 0);
  assert_int_equal(leat_store_stage(s, NULL, &v, &err), LEAT_E_ARG);
  assert_int_equal(leat_store_promote(s, 1, NULL, -1, &g, &err), LEAT_E_ARG);
  assert_int_equal(g, 0);
  OK(leat_store_promote(s, 1, "production", 2, &g, &error_of));
  assert_int_equal(g, 3);
  OK(leat_store_promote(s, 2, "production", -1, NULL, &error_of));
  OK(leat_store_rollback(s, "production", 4, &g, &error_of));
  assert_int_equal(g, 5);
  assert_int_equal(leat_store_rollback(s, NULL, -1, &g, &err), LEAT_E_ARG);
  assert_int_equal(leat_store_pin(s, 1, 2, &err), LEAT_E_ARG);
  assert_int_equal(leat_store_pin(NULL, 1, 1, &err), LEAT_E_ARG);
  OK(leat_store_pin(s, 1, 1, &error_of));
  assert_int_equal(leat_store_load(s, 3, &out, &err), LEAT_E_NOT_FOUND);
  assert_null(out);
  assert_int_equal(leat_store_load(s, 1, NULL, &err), LEAT_E_ARG);
  OK(leat_store_load(s, 1, &out, &error_of));
  leat_model_free(out);
  assert_int_equal(leat_store_export(s, 1, NULL, &err), LEAT_E_ARG);
  OK(leat_store_export(s, 1, at_place("api.leat"), &error_of));
  assert_int_equal(leat_store_history(s, NULL, &e, &err), LEAT_E_ARG);
  assert_int_equal(leat_store_history(s, &cursor, NULL, &err), LEAT_E_ARG);
  while (leat_store_history(s, &cursor, &e, &err) == LEAT_OK) {
  }
  assert_int_equal(err.code, LEAT_E_NOT_FOUND);
  assert_int_equal(cursor, 6);
  assert_int_equal(e.kind, LEAT_EVENT_PIN);
  OK(leat_store_verify(s, &err));
  assert_int_equal(err.code, 0);
  assert_int_equal(leat_store_verify(NULL, &err), LEAT_E_ARG);
  OK(leat_store_gc(s, NULL, &err));
  assert_int_equal(leat_store_gc(NULL, &g, &err), LEAT_E_ARG);
  leat_model_free(m);
  lt_runtime_unref(rt); /* the store keeps it */
  OK(leat_store_generation(s, &g, &err));
  leat_store_free(s);
  leat_store_free(NULL);
}

static int start(void **state) { (void)state; return place_start(); }
static int stop(void **state) { (void)state; wipe(place); return 0; }
int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_arguments)};
  return cmocka_run_group_tests(tests, start, stop);
}
