#include "data_kit.h"

static void put_file(const char *path, const void *data, uint64_t size) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(data, 1, size, f), size);
  fclose(f);
}

static const unsigned char pixels[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3,
                                       1, 2, 3, 4, 5, 255, 7, 8, 9, 10, 11, 12};
static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 9, 3};

static void images(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e = {.struct_size = sizeof e};
  const char *path = "build_test_labels.idx";
  char set[64];
  put_file(path, labels, sizeof labels);
  snprintf(set, sizeof set, "labels=%s", path);
  leat_dataset *d = kit_read_bytes(rt, NULL, "reader/idx", set, (const char *)pixels, sizeof pixels, &e);
  if (!d) fail_msg("%s", e.message);
  assert_int_equal(kit_column(d, "pixels")->width, 6);
  assert_int_equal(d->base->col[0].dtype, LEAT_U8);
  assert_true(kit_number(d, 0, "pixels", 5) == 255);
  assert_true(kit_number(d, 1, "pixels", 0) == 7);
  assert_int_equal(lt_schema_classes(d->schema), 2);
  assert_string_equal(kit_field(d, 0, "label"), "9");
  leat_schema *s = NULL;
  leat_dataset_schema(d, &s, &e);
  unsigned char other[] = {0, 0, 8, 1, 0, 0, 0, 2, 3, 4}; /* codes go by the label: 3 is code 0, 4 unseen */
  put_file(path, other, sizeof other);
  leat_dataset *x = kit_read_bytes(rt, s, "reader/idx", set, (const char *)pixels, sizeof pixels, &e);
  if (!x) fail_msg("%s", e.message);
  assert_true(kit_number(x, 0, "label", 0) == 0);
  assert_true(kit_number(x, 1, "label", 0) == LT_UNSEEN);
  leat_dataset_free(x);
  other[7] = 1;
  put_file(path, other, sizeof other - 1);
  assert_null(kit_read_bytes(rt, NULL, "reader/idx", set, (const char *)pixels, sizeof pixels, &e));
  assert_int_equal(e.code, LEAT_E_SHAPE);
  remove(path);
  assert_null(kit_read_bytes(rt, NULL, "reader/idx", set, (const char *)pixels, sizeof pixels, &e));
  assert_true(e.code == LEAT_E_NOT_FOUND || e.code == LEAT_E_IO);
  leat_schema_free(s);
  leat_dataset_free(d);
  kit_balanced(rt);
}

static void damaged(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e;
  unsigned char bytes[sizeof pixels + 1];
  memcpy(bytes, pixels, sizeof pixels);
  bytes[sizeof pixels] = 0;
  for (uint64_t cut = 0; cut < sizeof pixels; cut++)
    assert_null(kit_read_bytes(rt, NULL, "reader/idx", "", (const char *)pixels, cut, &e));
  assert_null(kit_read_bytes(rt, NULL, "reader/idx", "", (const char *)bytes, sizeof bytes, &e));
  for (uint64_t i = 0; i < 16 * 8; i++) {
    bytes[i / 8] ^= (unsigned char)(1 << i % 8);
    leat_dataset *d = kit_read_bytes(rt, NULL, "reader/idx", "", (const char *)bytes, sizeof pixels, &e);
    leat_dataset_free(d);
    bytes[i / 8] ^= (unsigned char)(1 << i % 8);
  }
  kit_balanced(rt);
}

static void big_endian(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e;
  const unsigned char f[] = {0, 0, 0x0d, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0};
  const unsigned char s[] = {0, 0, 0x0b, 1, 0, 0, 0, 2, 0xff, 0xfe, 1, 0};
  leat_dataset *d = kit_read_bytes(rt, NULL, "reader/idx", "", (const char *)f, sizeof f, &e);
  assert_true(kit_number(d, 0, "pixels", 0) == 1 && kit_number(d, 0, "pixels", 1) == -2.5);
  leat_dataset_free(d);
  d = kit_read_bytes(rt, NULL, "reader/idx", "", (const char *)s, sizeof s, &e);
  assert_true(kit_number(d, 0, "pixels", 0) == -2 && kit_number(d, 1, "pixels", 0) == 256);
  leat_dataset_free(d);
  kit_balanced(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(images), cmocka_unit_test(damaged), cmocka_unit_test(big_endian)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
