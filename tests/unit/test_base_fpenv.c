/* lib/base/fpenv.c: a host in a strange floating-point environment gets its own back, and leat computes in the default. */
#include "hosts.h"
#include <fenv.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

static volatile double one = 1.0, three = 3.0, tiny = 0x1p-1060;

static void test_rounding(void **state) {
  const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  const double third = one / three;
  (void)state;
  for (int i = 0; i < 4; i++) {
    lt_fpenv env;
    double got;
    int inside;
    fesetround(modes[i]);
    lt_fpenv_enter(&env);
    got = one / three;
    inside = fegetround();
    lt_fpenv_leave(&env);
    int after = fegetround();
    fesetround(FE_TONEAREST);
    assert_int_equal(inside, FE_TONEAREST);
    assert_int_equal(after, modes[i]);
    assert_true(got == third);
    assert_int_equal(env.changed != 0, modes[i] != FE_TONEAREST || env.changed != 0);
  }
}

#if defined(__x86_64__)
static void test_flush_to_zero(void **state) {
  const unsigned before = _mm_getcsr();
  lt_fpenv env;
  double half, zero;
  unsigned after;
  (void)state;
  _mm_setcsr(before | 0x8040u); /* flush to zero, denormals are zero */
  zero = tiny / 2;
  lt_fpenv_enter(&env);
  half = tiny / 2;
  lt_fpenv_leave(&env);
  after = _mm_getcsr();
  _mm_setcsr(before);
  assert_true(zero == 0);
  assert_true(half == 0x1p-1061);
  assert_int_equal(after & 0x8040u, 0x8040u);
  assert_int_equal(env.changed, 1);
}

static void test_traps(void **state) {
  const unsigned before = _mm_getcsr();
  lt_fpenv env;
  volatile double zero = 0, inf;
  (void)state;
  _mm_setcsr((before & ~0x3Fu) & ~0x200u); /* division by zero traps */
  lt_fpenv_enter(&env);
  inf = one / zero;
  _mm_setcsr(_mm_getcsr() & ~0x3Fu);
  lt_fpenv_leave(&env);
  unsigned after = _mm_getcsr();
  _mm_setcsr(before);
  assert_true(inf > 1);
  assert_int_equal(after & 0x200u, 0);
}

/* x87 precision control, as some hosts set it for single precision. */
static void test_x87(void **state) {
  uint16_t before, single, inside, after;
  lt_fpenv env;
  (void)state;
  __asm__ __volatile__("fnstcw %0" : "=m"(before));
  single = (uint16_t)(before & ~0x300u);
  __asm__ __volatile__("fldcw %0" : : "m"(single));
  lt_fpenv_enter(&env);
  __asm__ __volatile__("fnstcw %0" : "=m"(inside));
  lt_fpenv_leave(&env);
  __asm__ __volatile__("fnstcw %0" : "=m"(after));
  __asm__ __volatile__("fldcw %0" : : "m"(before));
  assert_int_equal(inside & 0x300, 0x300);
  assert_int_equal(after, single);
}

/* Sticky flags of earlier sums are not a setting: the usual case must stay the cheap one. */
static void test_flags_are_no_change(void **state) {
  lt_fpenv env;
  (void)state;
  feraiseexcept(FE_INEXACT | FE_OVERFLOW);
  lt_fpenv_enter(&env);
  lt_fpenv_leave(&env);
  feclearexcept(FE_ALL_EXCEPT);
  assert_int_equal(env.changed, 0);
}
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rounding),
#if defined(__x86_64__)
      cmocka_unit_test(test_flush_to_zero), cmocka_unit_test(test_traps), cmocka_unit_test(test_x87),
      cmocka_unit_test(test_flags_are_no_change)
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
