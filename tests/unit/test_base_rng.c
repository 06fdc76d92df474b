/* lib/base/rng.c: Philox against the known answers that Random123 publishes; the shapes of what is made from it. */
#include "hosts.h"
#include <math.h>
#include "base/rng.h"

static void expect_philox(const uint32_t c[4], const uint32_t k[2], const uint32_t want[4]) {
  uint32_t out[4];
  lt_philox((uint64_t)k[1] << 32 | k[0], (uint64_t)c[3] << 32 | c[2], (uint64_t)c[1] << 32 | c[0], out);
  for (int i = 0; i < 4; i++) assert_int_equal(out[i], want[i]);
}

static void test_known_answers(void **state) {
  const uint32_t zero[4] = {0}, ones[4] = {~0u, ~0u, ~0u, ~0u};
  const uint32_t pi_c[4] = {0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, pi_k[2] = {0xa4093822u, 0x299f31d0u};
  (void)state;
  expect_philox(zero, zero, (uint32_t[]){0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
  expect_philox(ones, ones, (uint32_t[]){0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
  expect_philox(pi_c, pi_k, (uint32_t[]){0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u});
}

static void test_stream(void **state) {
  lt_rng a, b;
  uint32_t block[4];
  (void)state;
  lt_rng_init(&a, 42, 7);
  for (uint64_t n = 0; n < 5; n++) {
    lt_philox(42, 7, n, block);
    for (int i = 0; i < 4; i++) assert_int_equal(lt_rng_u32(&a), block[i]);
  }
  lt_rng_init(&a, 42, 7);
  lt_rng_init(&b, 42, 8);
  int same = 0;
  for (int i = 0; i < 1000; i++) same += lt_rng_u64(&a) == lt_rng_u64(&b);
  assert_int_equal(same, 0);
  b = a; /* a copy goes on alike */
  for (int i = 0; i < 10; i++) assert_int_equal(lt_rng_u64(&a), lt_rng_u64(&b));
}

static void test_distributions(void **state) {
  enum { N = 200000 };
  double sum = 0, squares = 0, mean = 0, fourth = 0;
  int64_t cells[7] = {0};
  lt_rng r;
  (void)state;
  lt_rng_init(&r, 1, 0);
  for (int i = 0; i < N; i++) {
    double u = lt_rng_unit(&r), z;
    assert_true(u >= 0 && u < 1);
    mean += u / N;
    z = lt_rng_normal(&r);
    assert_true(isfinite(z));
    sum += z / N;
    squares += z * z / N;
    fourth += z * z * z * z / N;
    cells[lt_rng_below(&r, 7)]++;
  }
  assert_true(fabs(mean - 0.5) < 0.005);
  assert_true(fabs(sum) < 0.015);
  assert_true(fabs(squares - 1) < 0.02);
  assert_true(fabs(fourth - 3) < 0.15);
  for (int i = 0; i < 7; i++) assert_true(fabs((double)cells[i] - N / 7.0) < 6 * sqrt(N / 7.0));
  for (int i = 0; i < 100; i++) assert_true(lt_rng_below(&r, (UINT64_MAX / 3) * 2) < (UINT64_MAX / 3) * 2);
  assert_int_equal(lt_rng_below(&r, 1), 0);
}

static void test_shuffle(void **state) {
  int64_t v[100], seen[100] = {0}, first[5] = {0};
  lt_rng r;
  (void)state;
  lt_rng_init(&r, 3, 3);
  for (int i = 0; i < 100; i++) v[i] = i;
  lt_rng_shuffle(&r, v, 100);
  int moved = 0;
  for (int i = 0; i < 100; i++) {
    seen[v[i]]++;
    moved += v[i] != i;
  }
  for (int i = 0; i < 100; i++) assert_int_equal(seen[i], 1);
  assert_true(moved > 80);
  for (int k = 0; k < 50000; k++) {
    int64_t w[5] = {0, 1, 2, 3, 4};
    lt_rng_shuffle(&r, w, 5);
    first[w[0]]++;
  }
  for (int i = 0; i < 5; i++) assert_true(first[i] > 9500 && first[i] < 10500);
  lt_rng_shuffle(&r, v, 0);
  lt_rng_shuffle(&r, v, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_answers), cmocka_unit_test(test_stream),
                                     cmocka_unit_test(test_distributions), cmocka_unit_test(test_shuffle)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
