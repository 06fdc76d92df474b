/* Big integers of a fixed size, for the rare numbers whose rounding 128 bits cannot decide. Callers keep their values
 * below 4096 bits; a limb beyond that would be dropped, never written. */
#include "base/number_inner.h"

void lt_big_set(lt_big *b, uint64_t v) {
  b->limb[0] = v;
  b->n = v != 0;
}

static void big_push(lt_big *b, uint64_t limb) {
  if (limb && b->n < LT_BIG_LIMBS) b->limb[b->n++] = limb;
}

void lt_big_mul_add(lt_big *b, uint64_t factor, uint64_t add) {
  uint64_t carry = add;
  for (int32_t i = 0; i < b->n; i++) {
    uint64_t high, low = lt_mul64(b->limb[i], factor, &high);
    b->limb[i] = low + carry;
    carry = high + (b->limb[i] < low);
  }
  big_push(b, carry);
}

void lt_big_mul_pow5(lt_big *b, uint32_t power) {
  static const uint64_t five27 = 7450580596923828125u; /* 5^27, the largest power of five below 2^64 */
  for (; power >= 27; power -= 27) lt_big_mul_add(b, five27, 0);
  uint64_t rest = 1;
  while (power--) rest *= 5;
  lt_big_mul_add(b, rest, 0);
}

void lt_big_shift_left(lt_big *b, uint32_t bits) {
  if (!b->n) return;
  int32_t words = (int32_t)(bits / 64);
  uint32_t rest = bits % 64;
  if (rest) {
    uint64_t carry = 0;
    for (int32_t i = 0; i < b->n; i++) {
      uint64_t v = b->limb[i];
      b->limb[i] = v << rest | carry;
      carry = v >> (64 - rest);
    }
    big_push(b, carry);
  }
  if (words) {
    if (b->n + words > LT_BIG_LIMBS) words = LT_BIG_LIMBS - b->n;
    memmove(b->limb + words, b->limb, (size_t)b->n * 8);
    memset(b->limb, 0, (size_t)words * 8);
    b->n += words;
  }
}

void lt_big_shift_right_even(lt_big *b, uint32_t bits) {
  if (!bits || !b->n) return;
  int32_t words = (int32_t)(bits / 64);
  uint32_t rest = bits % 64;
  if (words > b->n) { /* less than 2^-64 of a unit is left: rounds to zero */
    b->n = 0;
    return;
  }
  uint32_t top = bits - 1; /* the bit worth one half, and whether anything lies below it */
  uint64_t half = (int32_t)(top / 64) < b->n ? b->limb[top / 64] >> (top % 64) & 1 : 0;
  uint64_t below = 0;
  for (uint32_t i = 0; i < top / 64; i++) below |= b->limb[i];
  if ((int32_t)(top / 64) < b->n && top % 64) below |= b->limb[top / 64] << (64 - top % 64);
  int32_t n = b->n - words;
  for (int32_t i = 0; i < n; i++) {
    uint64_t v = b->limb[i + words] >> rest;
    if (rest && i + words + 1 < b->n) v |= b->limb[i + words + 1] << (64 - rest);
    b->limb[i] = v;
  }
  while (n && !b->limb[n - 1]) n--;
  b->n = n;
  if (!half || (!below && !(n && (b->limb[0] & 1)))) return;
  for (int32_t i = 0; i < n; i++)
    if (++b->limb[i]) return;
  big_push(b, 1);
}

uint64_t lt_big_divide(lt_big *b, uint64_t divisor) {
  uint64_t rest = 0;
  for (int32_t i = b->n; i-- > 0;) {
#if defined(__SIZEOF_INT128__)
    __extension__ typedef unsigned __int128 wide;
    wide v = (wide)rest << 64 | b->limb[i];
    b->limb[i] = (uint64_t)(v / divisor);
    rest = (uint64_t)(v % divisor);
#else
    uint64_t v = b->limb[i], q = 0;
    for (int32_t bit = 63; bit >= 0; bit--) {
      rest = rest << 1 | (v >> bit & 1);
      q <<= 1;
      if (rest >= divisor) {
        rest -= divisor;
        q |= 1;
      }
    }
    b->limb[i] = q;
#endif
  }
  while (b->n && !b->limb[b->n - 1]) b->n--;
  return rest;
}

int lt_big_compare(const lt_big *a, const lt_big *b) {
  if (a->n != b->n) return a->n < b->n ? -1 : 1;
  for (int32_t i = a->n; i-- > 0;)
    if (a->limb[i] != b->limb[i]) return a->limb[i] < b->limb[i] ? -1 : 1;
  return 0;
}
