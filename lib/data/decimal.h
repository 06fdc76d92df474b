/* Short decimals, fast and exact: the inner loop of the text readers. lt_scan_f64 stands behind it. */
#ifndef LEAT_DATA_DECIMAL_H
#define LEAT_DATA_DECIMAL_H
#include <stdint.h>
#include <string.h>
enum { LT_DECIMAL_ROOM = 40 }; /* bytes that must be readable */

static const double lt_tens[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
static const uint64_t lt_whole_tens[9] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};

/* The digits of x, eight bytes less '0' each with the last digit on top and zeros below, as a number: pairs, fours, all. */
static inline uint64_t lt_join_digits(uint64_t x) {
  x = (x * 10 + (x >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
  x = (x * 100 + (x >> 16)) & UINT64_C(0x0000ffff0000ffff);
  return (x * 10000 + (x >> 32)) & UINT64_C(0x00000000ffffffff);
}

/* Which of eight bytes less '0' are no digits: the top bit of each. */
static inline uint64_t lt_no_digits(uint64_t x) {
  return (((x & UINT64_C(0x7f7f7f7f7f7f7f7f)) + UINT64_C(0x7676767676767676)) | x) & UINT64_C(0x8080808080808080);
}

/* The commonest number, digits.digits that ends within eight bytes, in one step: where the next one starts depends on one
 * load only, which is what limits a reader of text. NULL: it is another one. */
static inline const char *lt_word_decimal(const char *p, double *out) {
  uint64_t x, next, negative = *p == '-';
  memcpy(&x, p, 8);
  memcpy(&next, p + 1, 8);
  x ^= (x ^ next) & (0 - negative); /* both words are loaded: the sign does not delay the load */
  x ^= UINT64_C(0x3030303030303030);
  uint64_t other = lt_no_digits(x), rest = other & (other - 1);
  if (!rest) return NULL;
  unsigned point = (unsigned)__builtin_ctzll(other) & 56u, end = (unsigned)__builtin_ctzll(rest) & 56u; /* bits */
  if ((uint8_t)(x >> point) != ('.' ^ '0') || end <= 8) return NULL;
  uint64_t low = (UINT64_C(1) << point) - 1, sign = negative << 63, bits;
  x = ((x & low) | ((x >> 8) & ~low)) << (72 - end); /* without the point; leading zeros */
  double v = (double)(int64_t)lt_join_digits(x) / lt_tens[(end - point) / 8 - 1];
  memcpy(&bits, &v, 8);
  bits |= sign;
  memcpy(out, &bits, 8);
  return p + negative + end / 8;
}

/* How many of the eight bytes at p are digits from the front, and their value. Little-endian. */
static inline unsigned lt_eight_digits(const char *p, uint64_t *value) {
#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
  *value = 0;
  return (void)p, 0;
#endif
  uint64_t x;
  memcpy(&x, p, 8);
  x ^= UINT64_C(0x3030303030303030);
  uint64_t other = lt_no_digits(x);
  unsigned n = other ? (unsigned)__builtin_ctzll(other) / 8 : 8;
  if (!n) {
    *value = 0;
    return 0;
  }
  *value = lt_join_digits(x << (64 - 8 * n)); /* leading zeros */
  return n;
}

/* A plain decimal [-]digits[.digits] of at most 15 digits on each side: exact, as both the digits and the power of ten
 * are doubles, and one division rounds once (Clinger: "How to read floating point numbers accurately", 1990). Returns
 * what is behind it, or NULL: look closer. */
static inline const char *lt_decimal(const char *p, double *out) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  const char *end = lt_word_decimal(p, out);
  if (end) return end;
  int negative = *p == '-';
  p += negative;
  uint64_t m, f;
  unsigned n = lt_eight_digits(p, &m), behind = 0;
  p += n;
  if (n == 8) {
    unsigned k = lt_eight_digits(p, &f);
    if (k == 8) return NULL;
    m = m * lt_whole_tens[k] + f;
    p += k;
    n += k;
  }
  if (*p == '.') {
    behind = lt_eight_digits(++p, &f);
    m = m * lt_whole_tens[behind] + f;
    p += behind;
    if (behind == 8) {
      unsigned k = lt_eight_digits(p, &f);
      if (k == 8) return NULL;
      m = m * lt_whole_tens[k] + f;
      p += k;
      behind += k;
    }
    n += behind;
  }
  if (!n || n > 19 || m > UINT64_C(1) << 53) return NULL;
  double v = (double)m;
  if (behind) v /= lt_tens[behind];
  *out = negative ? -v : v;
  return p;
#else
  (void)p, (void)out;
  return NULL;
#endif
}
#endif
