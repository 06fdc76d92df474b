/* lib/api/api_params.c, specs.c: every spec of this build is listed, documented and takes its own defaults. */
#include "hosts.h"

static leat_runtime *api_runtime(void) {
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = NULL;
  if (leat_runtime_create(NULL, &rt, &err)) fail_msg("%s", err.message);
  return rt;
}

static void expect_spec(leat_runtime *rt, const char *name) {
  leat_error err = {.struct_size = sizeof err};
  leat_params *p = NULL, *q = NULL;
  int64_t n = 0;
  if (leat_params_create(rt, name, &p, &err)) fail_msg("%s", err.message);
  assert_int_equal(leat_params_count(p, &n, &err), LEAT_OK);
  for (int64_t i = 0; i < n; i++) {
    leat_param_info info = {.struct_size = sizeof info}, other = {.struct_size = sizeof other};
    char text[5000];
    uint64_t needed;
    assert_int_equal(leat_params_info(p, i, &info, &err), LEAT_OK);
    if (!info.doc || strlen(info.doc) < 8) fail_msg("%s of %s has no doc", info.name, name);
    if (info.since <= 0) fail_msg("%s of %s does not say since when", info.name, name);
    for (const char *c = info.name; *c; c++)
      if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_')) fail_msg("name %s of %s", info.name, name);
    for (int64_t k = 0; k < i; k++) {
      assert_int_equal(leat_params_info(p, k, &other, &err), LEAT_OK);
      if (!strcmp(other.name, info.name)) fail_msg("%s is twice in %s", info.name, name);
    }
    if (leat_params_set_text(p, info.name, info.default_text, &err)) fail_msg("%s", err.message);
    assert_int_equal(leat_params_get_text(p, info.name, text, sizeof text, &needed, &err), LEAT_OK);
    if (leat_params_set_text(p, info.name, text, &err)) fail_msg("%s", err.message); /* what it shows, it takes */
    if (info.type == LEAT_PARAM_CHOICE)
      for (const char *at = info.choices; *at;) {
        uint64_t m = strcspn(at, "|");
        snprintf(text, sizeof text, "%.*s", (int)m, at);
        if (leat_params_set_text(p, info.name, text, &err)) fail_msg("%s", err.message);
        at += m + (at[m] == '|');
      }
    else assert_null(info.choices);
  }
  leat_param_info none = {.struct_size = sizeof none};
  assert_int_equal(leat_params_info(p, n, &none, &err), LEAT_E_NOT_FOUND);
  assert_int_equal(leat_params_copy(p, &q, &err), LEAT_OK);
  leat_params_free(p);
  assert_int_equal(leat_params_reset(q, NULL, &err), LEAT_OK);
  leat_params_free(q);
}

static void test_all_specs(void **state) {
  const char *const must[] = {"model/linear", "reader/csv", "reader/svmlight", "reader/idx", "reader/npy", "predictor"};
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = api_runtime();
  int64_t n = 0, found = 0;
  const char *name = NULL, *other;
  (void)state;
  assert_int_equal(leat_spec_count(rt, &n, &err), LEAT_OK);
  for (int64_t i = 0; i < n; i++) {
    assert_int_equal(leat_spec_name(rt, i, &name, &err), LEAT_OK);
    for (int64_t k = 0; k < i; k++) {
      assert_int_equal(leat_spec_name(rt, k, &other, &err), LEAT_OK);
      assert_string_not_equal(other, name);
    }
    for (int k = 0; k < 6; k++) found += !strcmp(name, must[k]);
    expect_spec(rt, name);
  }
  assert_int_equal(found, 6);
  assert_int_equal(leat_spec_name(rt, n, &name, &err), LEAT_E_NOT_FOUND);
  assert_null(name);
  assert_int_equal(leat_spec_name(rt, -1, &name, &err), LEAT_E_NOT_FOUND);
  leat_runtime_free(rt);
}

static void test_misuse(void **state) {
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = api_runtime();
  leat_params *p = (leat_params *)(void *)rt, *q = p;
  leat_param_info info = {.struct_size = 8};
  int64_t i = 7;
  double f = 7;
  uint64_t needed = 7;
  (void)state;
  assert_int_equal(leat_params_create(rt, "model/lineal", &p, &err), LEAT_E_NOT_FOUND);
  assert_non_null(strstr(err.message, "did you mean 'model/linear'?"));
  assert_null(p);
  assert_int_equal(leat_params_create(rt, NULL, &p, &err), LEAT_E_ARG);
  assert_int_equal(leat_params_create(NULL, "predictor", &p, &err), LEAT_E_ARG);
  assert_int_equal(leat_params_create(rt, "predictor", NULL, &err), LEAT_E_ARG);
  assert_int_equal(leat_params_create(rt, "model/linear", &p, NULL), LEAT_OK);
  assert_int_equal(leat_params_copy(NULL, &q, &err), LEAT_E_ARG);
  assert_null(q);
  assert_int_equal(leat_params_count(NULL, &i, &err), LEAT_E_ARG);
  assert_int_equal(i, 0);
  assert_int_equal(leat_params_count(p, NULL, &err), LEAT_E_ARG);
  assert_int_equal(leat_params_info(p, 0, NULL, &err), LEAT_E_ARG);
  assert_int_equal(leat_params_info(p, 0, &info, &err), LEAT_OK); /* room for nothing: nothing is written */
  assert_null(info.name);
  assert_int_equal(leat_params_set_i64(p, NULL, 1, &err), LEAT_E_ARG);
  assert_int_equal(leat_params_set_f64(NULL, "l2", 1, &err), LEAT_E_ARG);
  assert_int_equal(leat_params_set_text(p, "l2", NULL, &err), LEAT_E_ARG);
  assert_int_equal(leat_params_get_i64(p, "no such", &i, &err), LEAT_E_NOT_FOUND);
  assert_int_equal(leat_params_get_f64(p, NULL, &f, &err), LEAT_E_ARG);
  assert_true(f == 0);
  assert_int_equal(leat_params_get_text(NULL, "l2", NULL, 0, &needed, &err), LEAT_E_ARG);
  assert_int_equal(needed, 0);
  assert_int_equal(leat_params_reset(NULL, NULL, &err), LEAT_E_ARG);
  leat_runtime_free(rt); /* any order */
  leat_params_free(p);
  leat_params_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_specs), cmocka_unit_test(test_misuse)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
