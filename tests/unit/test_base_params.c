/* lib/base/params.c: setting, bounds, near misses, saving. */
#include "hosts.h"
#include <math.h>
#include "base/params.h"

static const lt_param_def defs[] = {
    {"learning_rate", LEAT_PARAM_F64, "0.1", 0, 1, NULL, "Step size.", 0x100},
    {"max_iterations", LEAT_PARAM_I64, "1e3", 1, 1e9, NULL, "Most iterations.", 0x100},
    {"seed", LEAT_PARAM_I64, "0", 0, 0, NULL, "Any number.", 0x100},
    {"c", LEAT_PARAM_F64, "1", 1e-300, INFINITY, NULL, "Inverse penalty.", 0x100},
    {"solver", LEAT_PARAM_CHOICE, "auto", 0, 0, "auto|lbfgs|newton", "Which solver.", 0x100},
    {"standardize", LEAT_PARAM_BOOL, "true", 0, 0, NULL, "Scale columns.", 0x100},
    {"target", LEAT_PARAM_TEXT, "", 0, 0, NULL, "Target column.", 0x100},
    {"tag", LEAT_PARAM_TEXT, "none", 0, 8, NULL, "A short text.", 0x100}};
static const lt_spec spec = {"model/test", "For tests.", defs, 8};

static leat_params *fresh(leat_runtime *rt) {
  leat_error err = {.struct_size = sizeof err};
  leat_params *p = NULL;
  if (lt_params_create(rt, &spec, &p, &err)) fail_msg("%s", err.message);
  return p;
}
static void expect_text(const leat_params *p, const char *name, const char *want) {
  char buf[5000];
  uint64_t needed = 0;
  assert_int_equal(lt_params_get_text(p, name, buf, sizeof buf, &needed, NULL), LEAT_OK);
  assert_string_equal(buf, want);
  assert_int_equal(needed, strlen(want) + 1);
}

static void test_set_and_get(void **state) {
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = host_runtime(NULL);
  leat_params *p = fresh(rt);
  int64_t i = -1;
  double f = -1;
  (void)state;
  assert_int_equal(lt_param_int(p, "max_iterations"), 1000);
  assert_true(lt_param_real(p, "learning_rate") == 0.1);
  assert_int_equal(lt_param_int(p, "standardize"), 1);
  assert_true(lt_param_is(p, "solver", "auto"));
  assert_string_equal(lt_param_str(p, "target"), "");
  assert_int_equal(lt_param_int(p, "no_such"), 0);
  assert_string_equal(lt_param_str(p, "no_such"), "");
  assert_int_equal(lt_params_set_text(p, "max_iterations", "1e6", &err), LEAT_OK);
  assert_int_equal(lt_params_get_i64(p, "max_iterations", &i, &err), LEAT_OK);
  assert_int_equal(i, 1000000);
  assert_int_equal(lt_params_get_f64(p, "max_iterations", &f, &err), LEAT_OK);
  assert_true(f == 1e6);
  assert_int_equal(lt_params_set_text(p, "seed", "-9223372036854775808", &err), LEAT_OK);
  assert_int_equal(lt_param_int(p, "seed"), INT64_MIN);
  assert_int_equal(lt_params_set_i64(p, "seed", INT64_MAX, &err), LEAT_OK);
  expect_text(p, "seed", "9223372036854775807");
  assert_int_equal(lt_params_set_i64(p, "c", 10, &err), LEAT_OK);
  assert_true(lt_param_real(p, "c") == 10);
  assert_int_equal(lt_params_set_text(p, "c", "inf", &err), LEAT_OK);
  assert_int_equal(lt_params_set_f64(p, "max_iterations", 5, &err), LEAT_OK);
  assert_int_equal(lt_params_set_text(p, "solver", "lbfgs", &err), LEAT_OK);
  assert_true(lt_param_is(p, "solver", "lbfgs"));
  expect_text(p, "learning_rate", "0.1");
  expect_text(p, "standardize", "true");
  const struct { const char *text; int64_t value; } bools[] = {{"no", 0}, {"YES", 1}, {"0", 0}, {"1", 1}, {"False", 0},
                                                               {"true", 1}, {"off", 0}, {"on", 1}};
  for (uint64_t k = 0; k < 8; k++) {
    assert_int_equal(lt_params_set_text(p, "standardize", bools[k].text, &err), LEAT_OK);
    assert_int_equal(lt_param_int(p, "standardize"), bools[k].value);
  }
  assert_int_equal(lt_params_reset(p, "solver", &err), LEAT_OK);
  expect_text(p, "solver", "auto");
  expect_text(p, "max_iterations", "5");
  assert_int_equal(lt_params_reset(p, NULL, &err), LEAT_OK);
  expect_text(p, "max_iterations", "1000");
  lt_params_free(p);
  lt_params_free(NULL);
  lt_runtime_unref(rt);
}

static void expect_fail(leat_status st, leat_status want, const leat_error *err, const char *word) {
  assert_int_equal(st, want);
  if (!strstr(err->message, word)) fail_msg("'%s' is not in: %s", word, err->message);
}

static void test_refusals(void **state) {
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = host_runtime(NULL);
  leat_params *p = fresh(rt);
  char longest[5000];
  int64_t i = 7;
  double f = 7;
  uint64_t needed = 7;
  (void)state;
  expect_fail(lt_params_set_text(p, "lerning_rate", "1", &err), LEAT_E_NOT_FOUND, &err,
              "unknown parameter 'lerning_rate' of model/test: did you mean 'learning_rate'?");
  expect_fail(lt_params_set_text(p, "zzzzzzzz", "1", &err), LEAT_E_NOT_FOUND, &err, "it has learning_rate, max_");
  expect_fail(lt_params_set_f64(p, "learning_rate", 1.5, &err), LEAT_E_RANGE, &err, "is 1.5; it must be from 0 to 1");
  expect_fail(lt_params_set_f64(p, "learning_rate", NAN, &err), LEAT_E_RANGE, &err, "nan");
  expect_fail(lt_params_set_text(p, "learning_rate", "nan", &err), LEAT_E_RANGE, &err, "nan");
  expect_fail(lt_params_set_f64(p, "learning_rate", INFINITY, &err), LEAT_E_RANGE, &err, "inf");
  expect_fail(lt_params_set_f64(p, "c", 0, &err), LEAT_E_RANGE, &err, "at least 1e-300");
  expect_fail(lt_params_set_text(p, "max_iterations", "0", &err), LEAT_E_RANGE, &err, "from 1 to");
  expect_fail(lt_params_set_text(p, "max_iterations", "1.5", &err), LEAT_E_ARG, &err, "whole number");
  expect_fail(lt_params_set_text(p, "max_iterations", "1e30", &err), LEAT_E_ARG, &err, "whole number");
  expect_fail(lt_params_set_text(p, "max_iterations", "12x", &err), LEAT_E_ARG, &err, "'12x'");
  expect_fail(lt_params_set_text(p, "max_iterations", "", &err), LEAT_E_ARG, &err, "whole number");
  expect_fail(lt_params_set_f64(p, "max_iterations", 1.5, &err), LEAT_E_ARG, &err, "whole number");
  expect_fail(lt_params_set_f64(p, "seed", 9.3e18, &err), LEAT_E_ARG, &err, "whole number");
  expect_fail(lt_params_set_i64(p, "standardize", 2, &err), LEAT_E_ARG, &err, "true or false");
  expect_fail(lt_params_set_text(p, "standardize", "maybe", &err), LEAT_E_ARG, &err, "true or false");
  expect_fail(lt_params_set_i64(p, "solver", 1, &err), LEAT_E_ARG, &err, "choices");
  expect_fail(lt_params_set_text(p, "solver", "lbgfs", &err), LEAT_E_ARG, &err, "did you mean 'lbfgs'? It takes auto, ");
  expect_fail(lt_params_set_text(p, "solver", "auto|lbfgs", &err), LEAT_E_ARG, &err, "no choice");
  expect_fail(lt_params_set_text(p, "solver", "", &err), LEAT_E_ARG, &err, "it takes auto, lbfgs, newton");
  expect_fail(lt_params_set_f64(p, "target", 1, &err), LEAT_E_ARG, &err, "a text");
  memset(longest, 'k', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  expect_fail(lt_params_set_text(p, "target", longest, &err), LEAT_E_RANGE, &err, "at most 4096");
  longest[4096] = 0;
  assert_int_equal(lt_params_set_text(p, "target", longest, &err), LEAT_OK);
  expect_fail(lt_params_set_text(p, "tag", "123456789", &err), LEAT_E_RANGE, &err, "at most 8");
  expect_fail(lt_params_get_i64(p, "c", &i, &err), LEAT_E_ARG, &err, "c of model/test takes a number");
  assert_int_equal(i, 0);
  expect_fail(lt_params_get_f64(p, "tag", &f, &err), LEAT_E_ARG, &err, "a text");
  assert_true(f == 0);
  expect_fail(lt_params_get_text(p, "Tag", NULL, 0, &needed, &err), LEAT_E_NOT_FOUND, &err, "did you mean 'tag'?");
  assert_int_equal(needed, 0);
  expect_fail(lt_params_reset(p, "sead", &err), LEAT_E_NOT_FOUND, &err, "'seed'");
  assert_int_equal(lt_param_int(p, "max_iterations"), 1000); /* nothing that was refused has changed anything */
  assert_true(lt_param_real(p, "learning_rate") == 0.1);
  lt_params_free(p);
  lt_runtime_unref(rt);
}

static void test_info(void **state) {
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = host_runtime(NULL);
  leat_params *p = fresh(rt);
  leat_param_info info = {.struct_size = sizeof info};
  (void)state;
  assert_int_equal(lt_params_info(p, 0, &info, &err), LEAT_OK);
  assert_string_equal(info.name, "learning_rate");
  assert_true(info.min == 0 && info.max == 1);
  assert_null(info.choices);
  assert_int_equal(lt_params_info(p, 2, &info, &err), LEAT_OK);
  assert_true(isinf(info.min) && isinf(info.max));
  assert_int_equal(lt_params_info(p, 4, &info, &err), LEAT_OK);
  assert_string_equal(info.choices, "auto|lbfgs|newton");
  assert_int_equal(lt_params_info(p, 8, &info, &err), LEAT_E_NOT_FOUND);
  assert_int_equal(lt_params_info(p, -1, &info, &err), LEAT_E_NOT_FOUND);
  info.struct_size = 0;
  assert_int_equal(lt_params_info(p, 0, &info, &err), LEAT_E_ARG);
  lt_params_free(p);
  lt_runtime_unref(rt);
}

static void test_save_and_load(void **state) {
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = host_runtime(NULL);
  leat_params *p = fresh(rt), *q = fresh(rt), *copy = NULL;
  lt_put w, none;
  lt_get r;
  (void)state;
  lt_put_init(&none, rt);
  lt_params_save(p, &none);
  assert_int_equal(none.size, 8); /* a count of nothing */
  lt_params_set_text(p, "target", "Churn", &err);
  lt_params_set_f64(p, "learning_rate", 0.30000000000000004, &err);
  lt_params_set_text(p, "solver", "newton", &err);
  lt_params_set_text(p, "standardize", "no", &err);
  lt_params_set_text(p, "seed", "9007199254740993", &err);
  assert_int_equal(lt_params_copy(p, &copy, &err), LEAT_OK);
  lt_params_free(p);
  lt_put_init(&w, rt);
  lt_params_save(copy, &w);
  assert_int_equal(lt_put_status(&w, &err), LEAT_OK);
  lt_params_set_text(q, "tag", "gone", &err); /* loading sets what was not saved to the default */
  lt_get_init(&r, rt, w.data, w.size);
  assert_int_equal(lt_params_load(q, &r, &err), LEAT_OK);
  assert_int_equal(lt_get_left(&r), 0);
  expect_text(q, "target", "Churn");
  expect_text(q, "learning_rate", "0.30000000000000004");
  expect_text(q, "solver", "newton");
  expect_text(q, "standardize", "false");
  expect_text(q, "seed", "9007199254740993");
  expect_text(q, "tag", "none");
  expect_text(q, "c", "1");
  lt_params_set_text(q, "tag", "kept", &err);
  for (uint64_t cut = 0; cut < w.size; cut++) { /* cut anywhere: refused, q as it was */
    lt_get_init(&r, rt, w.data, cut);
    assert_int_equal(lt_params_load(q, &r, &err), LEAT_E_FORMAT);
    expect_text(q, "tag", "kept");
  }
  uint8_t *bytes = lt_alloc(rt, w.size);
  for (uint64_t bit = 0; bit < w.size * 8; bit++) { /* mutated anywhere: an error or a valid set */
    memcpy(bytes, w.data, w.size);
    bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    lt_get_init(&r, rt, bytes, w.size);
    leat_status st = lt_params_load(q, &r, &err);
    assert_true(st == LEAT_OK || st == LEAT_E_FORMAT);
    assert_true(lt_param_real(q, "learning_rate") >= 0 && lt_param_real(q, "learning_rate") <= 1);
  }
  lt_free(rt, bytes);
  lt_put_free(&w);
  lt_put_init(&w, rt);
  lt_put_u64(&w, 1);
  lt_put_text(&w, "of_a_later_version");
  lt_put_text(&w, "1");
  lt_get_init(&r, rt, w.data, w.size);
  expect_fail(lt_params_load(q, &r, &err), LEAT_E_FORMAT, &err, "of_a_later_version");
  lt_put_free(&w);
  lt_put_free(&none);
  lt_params_free(copy);
  lt_params_free(q);
  lt_runtime_unref(rt);
}

/* The handle keeps its runtime. */
static void test_outlives(void **state) {
  host_memory m = {0};
  leat_allocator a = host_allocator(&m, 1);
  leat_runtime_opts opts = {.struct_size = sizeof opts, .allocator = &a};
  leat_runtime *rt = host_runtime(&opts);
  leat_params *p = fresh(rt);
  (void)state;
  lt_runtime_unref(rt);
  assert_int_equal(lt_params_set_text(p, "target", "y", NULL), LEAT_OK);
  lt_params_free(p);
  assert_int_equal(m.blocks, 0);
}

static void test_bad_table(void **state) {
  static const lt_param_def bad[] = {{"x", LEAT_PARAM_I64, "7", 10, 20, NULL, "", 0}};
  static const lt_spec bad_spec = {"model/bad", "", bad, 1};
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = host_runtime(NULL);
  leat_params *p = (leat_params *)(void *)rt;
  (void)state;
  expect_fail(lt_params_create(rt, &bad_spec, &p, &err), LEAT_E_INTERNAL, &err, "from 10 to 20");
  assert_null(p);
  lt_runtime_unref(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_set_and_get), cmocka_unit_test(test_refusals), cmocka_unit_test(test_info),
      cmocka_unit_test(test_save_and_load), cmocka_unit_test(test_outlives), cmocka_unit_test(test_bad_table)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
