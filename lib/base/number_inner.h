/* What the number files share: powers of five, 64x64 multiplication, and a big integer of fixed size. */
#ifndef LEAT_BASE_NUMBER_INNER_H
#define LEAT_BASE_NUMBER_INNER_H
#include <stdint.h>
#include <string.h>
#include "base/number.h"
enum { LT_POW_MIN = -342, LT_POW_MAX = 324 };
extern const uint64_t lt_powers5[LT_POW_MAX - LT_POW_MIN + 1][2]; /* leading 128 bits, truncated; [0] the upper ones */
extern const double lt_tens_f64[23];                              /* 10^0 .. 10^22, all exact */
extern const uint64_t lt_tens_u64[20];                            /* 10^0 .. 10^19 */

static inline uint64_t lt_mul64(uint64_t a, uint64_t b, uint64_t *high) {
#if defined(__SIZEOF_INT128__)
  __extension__ typedef unsigned __int128 wide;
  wide p = (wide)a * b;
  *high = (uint64_t)(p >> 64);
  return (uint64_t)p;
#else
  uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
  uint64_t low = a0 * b0, mid = a1 * b0 + (low >> 32), cross = a0 * b1 + (uint32_t)mid;
  *high = a1 * b1 + (mid >> 32) + (cross >> 32);
  return (cross << 32) | (uint32_t)low;
#endif
}
static inline double lt_bits_f64(uint64_t bits) { double v; memcpy(&v, &bits, 8); return v; }
static inline uint64_t lt_f64_bits(double v) { uint64_t bits; memcpy(&bits, &v, 8); return bits; }

/* 4096 bits: enough for 771 digits against any double, and for any double with 800 digits behind the point. */
enum { LT_BIG_LIMBS = 64 };
typedef struct lt_big { uint64_t limb[LT_BIG_LIMBS]; int32_t n; } lt_big; /* limb[n - 1] != 0; n == 0 is zero */
void lt_big_set(lt_big *b, uint64_t v);
void lt_big_mul_add(lt_big *b, uint64_t factor, uint64_t add);
void lt_big_mul_pow5(lt_big *b, uint32_t power);
void lt_big_shift_left(lt_big *b, uint32_t bits);
void lt_big_shift_right_even(lt_big *b, uint32_t bits); /* divides by 2^bits, rounding halves to even */
uint64_t lt_big_divide(lt_big *b, uint64_t divisor);     /* b /= divisor (< 2^63); returns the remainder */
int lt_big_compare(const lt_big *a, const lt_big *b);
#endif
