#include "data_kit.h"

static void columns(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = NULL;
  int64_t i = 0, n = 0;
  assert_int_equal(leat_schema_create(rt, &s, &e), 0);
  assert_int_equal(leat_schema_add_column(s, "age", LEAT_NUMBER, LEAT_ROLE_FEATURE, &e), 0);
  assert_int_equal(leat_schema_add_column(s, "plan", LEAT_CATEGORY, LEAT_ROLE_FEATURE, &e), 0);
  assert_int_equal(leat_schema_add_column(s, "y", LEAT_CATEGORY, LEAT_ROLE_TARGET, &e), 0);
  assert_int_equal(leat_schema_add_block(s, "px", 784, 0, &e), 0);
  assert_int_equal(leat_schema_add_block(s, "sp", 1 << 18, 1, &e), 0);
  assert_int_equal(leat_schema_add_column(s, "age", LEAT_NUMBER, LEAT_ROLE_FEATURE, &e), LEAT_E_ARG);
  assert_int_equal(leat_schema_add_column(s, "", LEAT_NUMBER, LEAT_ROLE_FEATURE, &e), LEAT_E_ARG);
  assert_int_equal(leat_schema_add_column(s, "q", 77, LEAT_ROLE_FEATURE, &e), LEAT_E_ARG);
  assert_int_equal(leat_schema_add_column(s, "q", LEAT_NUMBER, 0, &e), LEAT_E_ARG);
  assert_int_equal(leat_schema_add_column(s, "q", LEAT_NUMBER, LEAT_ROLE_TARGET, &e), LEAT_E_ARG); /* the second one */
  assert_int_equal(leat_schema_add_column(s, "q", LEAT_TEXT, LEAT_ROLE_WEIGHT, &e), LEAT_E_ARG);
  assert_int_equal(leat_schema_add_block(s, "sp2", 10, 1, &e), LEAT_E_ARG);
  assert_int_equal(leat_schema_add_block(s, "b", 0, 0, &e), LEAT_E_RANGE);
  assert_int_equal(leat_schema_add_block(s, "b", INT64_C(1) << 31, 0, &e), LEAT_E_RANGE);
  assert_int_equal(leat_schema_add_category(s, 1, "basic", &e), 0);
  assert_int_equal(leat_schema_add_category(s, 1, "basic", &e), LEAT_E_ARG);
  assert_int_equal(leat_schema_add_category(s, 1, "", &e), LEAT_E_ARG);
  assert_int_equal(leat_schema_add_category(s, 0, "x", &e), LEAT_E_ARG);
  assert_int_equal(leat_schema_add_category(s, 9, "x", &e), LEAT_E_NOT_FOUND);
  assert_int_equal(leat_schema_find(s, "plan", &i, &e), 0);
  assert_int_equal(i, 1);
  assert_int_equal(leat_schema_find(s, "Plna", &i, &e), LEAT_E_NOT_FOUND);
  assert_non_null(strstr(e.message, "did you mean 'plan'?"));
  leat_column_info info = {.struct_size = sizeof info};
  assert_int_equal(leat_schema_column(s, 4, &info, &e), 0);
  assert_int_equal(info.width, 1 << 18);
  assert_int_equal(info.flags, LEAT_COLUMN_SPARSE);
  assert_int_equal(leat_schema_column(s, 5, &info, &e), LEAT_E_NOT_FOUND);
  assert_int_equal(leat_schema_set_role(s, 0, LEAT_ROLE_TARGET, &e), LEAT_E_ARG);
  assert_int_equal(leat_schema_set_role(s, 0, LEAT_ROLE_IGNORE, &e), 0);
  const char *label;
  assert_int_equal(leat_schema_category(s, 1, 0, &label, &e), 0);
  assert_string_equal(label, "basic");
  assert_int_equal(leat_schema_category(s, 1, 1, &label, &e), LEAT_E_NOT_FOUND);
  assert_null(label);
  assert_int_equal(leat_schema_count(s, &n, &e), 0);
  assert_int_equal(n, 5);
  assert_int_equal(lt_schema_numbers(s), 1 + 784 + (1 << 18));
  leat_schema_free(s);
  kit_balanced(rt);
}

static leat_schema *sample(leat_runtime *rt) {
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = NULL;
  assert_int_equal(lt_schema_create(rt, &s, &e), 0);
  assert_int_equal(lt_schema_add(s, "n", LEAT_NUMBER, LEAT_ROLE_FEATURE, 1, 0, &e), 0);
  assert_int_equal(lt_schema_add(s, "c", LEAT_CATEGORY, LEAT_ROLE_TARGET, 1, 0, &e), 0);
  assert_int_equal(lt_dict_add(s->col[1].labels, "no", 2, NULL, &e), 0);
  assert_int_equal(lt_dict_add(s->col[1].labels, "yes", 3, NULL, &e), 0);
  assert_int_equal(lt_schema_add(s, "b", LEAT_NUMBER, LEAT_ROLE_FEATURE, 9, 1, &e), 0);
  return s;
}

static void saves_and_compares(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = sample(rt), *copy = NULL, *back = NULL;
  lt_put w;
  lt_get r;
  assert_int_equal(lt_schema_copy(s, &copy, &e), 0);
  assert_true(lt_schema_equal(s, copy));
  lt_put_init(&w, rt);
  lt_schema_save(s, &w);
  assert_int_equal(lt_put_status(&w, &e), 0);
  lt_get_init(&r, rt, w.data, w.size);
  assert_int_equal(lt_schema_load(rt, &r, &back, &e), 0);
  assert_int_equal(lt_get_left(&r), 0);
  assert_true(lt_schema_equal(s, back));
  lt_dict_add(copy->col[1].labels, "maybe", 5, NULL, &e);
  assert_false(lt_schema_equal(s, copy));
  lt_schema_free(back);
  for (uint64_t cut = 0; cut < w.size; cut++) { /* every cut is an error, every flipped byte an error or a schema */
    lt_get_init(&r, rt, w.data, cut);
    assert_int_not_equal(lt_schema_load(rt, &r, &back, &e), 0);
    assert_null(back);
    for (int bit = 0; bit < 8; bit++) {
      w.data[cut] ^= (uint8_t)(1 << bit);
      lt_get_init(&r, rt, w.data, w.size);
      if (!lt_schema_load(rt, &r, &back, &e)) lt_schema_free(back);
      w.data[cut] ^= (uint8_t)(1 << bit);
    }
  }
  lt_put_free(&w);
  lt_schema_free(copy);
  lt_schema_free(s);
  kit_balanced(rt);
}

static void goes_in_any_order(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  leat_schema *s = sample(rt);
  leat_batch *b = NULL;
  assert_int_equal(leat_batch_create(rt, s, &b, &e), 0);
  leat_schema_free(s);
  leat_runtime_free(rt);
  leat_batch_free(b);
  leat_batch_free(NULL);
  leat_schema_free(NULL);
  leat_dataset_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(columns), cmocka_unit_test(saves_and_compares),
                                     cmocka_unit_test(goes_in_any_order)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
