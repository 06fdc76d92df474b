#include "data_kit.h"

static uint64_t npy(char *out, const char *header, const void *data, uint64_t size) {
  uint64_t n = strlen(header);
  memcpy(out, "\x93NUMPY\1\0", 8);
  out[8] = (char)n;
  out[9] = 0;
  memcpy(out + 10, header, n);
  memcpy(out + 10 + n, data, size);
  return 10 + n + size;
}

static void orders_and_types(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e;
  char b[512];
  double d[6] = {1, 2, 3, 4, 5, NAN};
  uint64_t n = npy(b, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }   \n", d, sizeof d);
  leat_dataset *x = kit_read_bytes(rt, NULL, "reader/npy", "", b, n, &e);
  if (!x) fail_msg("%s", e.message);
  assert_true(kit_number(x, 1, "x", 0) == 4);
  assert_true(isnan(kit_number(x, 1, "x", 2)));
  leat_dataset_free(x);
  n = npy(b, "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }\n", d, sizeof d);
  x = kit_read_bytes(rt, NULL, "reader/npy", "", b, n, &e);
  assert_true(kit_number(x, 1, "x", 0) == 2);
  assert_true(kit_number(x, 0, "x", 2) == 5);
  leat_dataset_free(x);
  int16_t i[3] = {-5, 6, 700};
  n = npy(b, "{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }\n", i, sizeof i);
  x = kit_read_bytes(rt, NULL, "reader/npy", "", b, n, &e);
  assert_int_equal(lt_dataset_rows(x), 3);
  assert_true(kit_number(x, 2, "x", 0) == 700);
  leat_dataset_free(x);
  unsigned char be[4] = {0xc0, 0x20, 0, 0};
  n = npy(b, "{'descr': '>f4', 'fortran_order': False, 'shape': (1, 1)}", be, sizeof be);
  x = kit_read_bytes(rt, NULL, "reader/npy", "", b, n, &e);
  assert_true(kit_number(x, 0, "x", 0) == -2.5);
  leat_dataset_free(x);
  unsigned char u[4] = {1, 0, 255, 3};
  n = npy(b, "{'shape': (2, 2, 1), 'fortran_order': False, 'descr': '|u1'}", u, sizeof u);
  x = kit_read_bytes(rt, NULL, "reader/npy", "", b, n, &e);
  assert_int_equal(x->base->col[0].dtype, LEAT_U8);
  assert_true(kit_number(x, 1, "x", 0) == 255);
  leat_dataset_free(x);
  kit_balanced(rt);
}

static void damaged(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e;
  char b[512];
  double d[6] = {1, 2, 3, 4, 5, 6};
  uint64_t n = npy(b, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", d, sizeof d);
  for (uint64_t cut = 0; cut < n; cut++) {
    char *copy = malloc(cut + 1); /* so that a sanitizer sees a byte too many */
    memcpy(copy, b, cut);
    assert_null(kit_read_bytes(rt, NULL, "reader/npy", "", copy, cut, &e));
    free(copy);
  }
  for (uint64_t i = 0; i < (n - sizeof d) * 8; i++) {
    b[i / 8] ^= (char)(1 << i % 8);
    leat_dataset_free(kit_read_bytes(rt, NULL, "reader/npy", "", b, n, &e));
    b[i / 8] ^= (char)(1 << i % 8);
  }
  n = npy(b, "{'descr': '<c8', 'fortran_order': False, 'shape': (2, 3), }", d, sizeof d);
  assert_null(kit_read_bytes(rt, NULL, "reader/npy", "", b, n, &e));
  assert_int_equal(e.code, LEAT_E_DTYPE);
  n = npy(b, "{'descr': '<f8', 'fortran_order': False, 'shape': (), }", d, 8);
  assert_null(kit_read_bytes(rt, NULL, "reader/npy", "", b, n, &e));
  n = npy(b, "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999, 3), }", d, 8);
  assert_null(kit_read_bytes(rt, NULL, "reader/npy", "", b, n, &e));
  n = npy(b, "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }", d, 0);
  assert_null(kit_read_bytes(rt, NULL, "reader/npy", "", b, n, &e));
  assert_int_equal(e.code, LEAT_E_DATA);
  kit_balanced(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(orders_and_types), cmocka_unit_test(damaged)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
