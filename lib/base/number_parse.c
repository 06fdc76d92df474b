/* Text to numbers. Digits are taken eight at a time in a 64-bit word; then Clinger's exact case ("How to read floating
 * point numbers accurately", 1990), then the Eisel-Lemire product (Lemire, "Number parsing at a gigabyte per second",
 * 2021; that no fallback is needed for 19 digits: Mushtak and Lemire, "Fast number parsing without fallback", 2023),
 * and for longer texts whose first 19 digits do not decide an exact comparison with the halfway point. */
#include "base/number_inner.h"

const double lt_tens_f64[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
const uint64_t lt_tens_u64[20] = {
    1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u,
    100000000u, 1000000000u, 10000000000u, 100000000000u,
    1000000000000u, 10000000000000u, 100000000000000u,
    1000000000000000u, 10000000000000000u, 100000000000000000u,
    1000000000000000000u, 10000000000000000000u,
};

#define INF_BITS 0x7ff0000000000000u
#define NAN_BITS 0x7ff8000000000000u
#define IS_DIGIT(c) ((unsigned)((c) - '0') < 10u)

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && defined(__GNUC__)
#define LT_SWAR 1
#else
#define LT_SWAR 0
#endif

/* Adds the digits at p to *m (wrapping: the caller counts) and returns the first character behind them. */
static inline const char *take_digits(const char *p, const char *end, uint64_t *m) {
  uint64_t v = *m;
#if LT_SWAR
  while (end - p >= 8) {
    uint64_t w, bad;
    memcpy(&w, p, 8);
    w ^= 0x3030303030303030u; /* digits become 0..9; a byte is bad when it is 10 or more */
    bad = ((w + 0x7676767676767676u) | w) & 0x8080808080808080u;
    /* A carry out of a bad byte can only spoil later bytes: the first bad one is right. */
    unsigned k = bad ? (unsigned)__builtin_ctzll(bad) >> 3 : 8u;
    if (k == 0) break;
    w <<= 8 * (8 - k); /* the k digits go to the end, zeros before them */
    w = w * 10 + (w >> 8);
    w = ((w & 0x000000ff000000ffu) * 0x000f424000000064u + ((w >> 16) & 0x000000ff000000ffu) * 0x0000271000000001u) >> 32;
    v = v * lt_tens_u64[k] + w;
    p += k;
    if (k < 8) {
      *m = v;
      return p;
    }
  }
#endif
  while (p < end && IS_DIGIT(*p)) v = v * 10 + (uint64_t)(*p++ - '0');
  *m = v;
  return p;
}

/* w * 10^q, w != 0, correctly rounded to bits of a double (without sign). The steps are those of the paper. */
static uint64_t eisel_lemire(uint64_t w, int64_t q) {
  if (q < LT_POW_MIN) return 0;
  if (q > 308) return INF_BITS;
  int shift = __builtin_clzll(w);
  w <<= shift;
  const uint64_t *five = lt_powers5[q - LT_POW_MIN];
  uint64_t high, low = lt_mul64(w, five[0], &high);
  if ((high & 0x1ff) == 0x1ff) { /* the lower half of the power may still carry into the 55 bits that count */
    uint64_t more;
    (void)lt_mul64(w, five[1] + (q < 0 && q >= -27), &more); /* reciprocals that can be exact are rounded up */
    low += more;
    high += low < more;
  }
  int upper = (int)(high >> 63);
  uint64_t m = high >> (upper + 9);
  int64_t exponent = ((217706 * q) >> 16) + 63 + upper - shift + 1023; /* 217706 / 65536 = log2(10) for this range */
  if (exponent <= 0) {
    if (exponent <= -63) return 0;
    m >>= 1 - exponent;
    m += m & 1;
    m >>= 1;
    return m; /* 2^52 here is the smallest normal number: the bits are right as they are */
  }
  if (low <= 1 && q >= -4 && q <= 23 && (m & 3) == 1 && m << (upper + 9) == high)
    m &= ~(uint64_t)1; /* exactly halfway: to even */
  m += m & 1;
  m >>= 1;
  if (m >= (uint64_t)1 << 53) {
    m = (uint64_t)1 << 52;
    exponent++;
  }
  if (exponent >= 2047) return INF_BITS;
  return (m & 0xfffffffffffffu) | (uint64_t)exponent << 52;
}

/* The text is digits [. digits] in [s, end), its value digits * 10^e10 with all digits read as one integer. `low` is the
 * double below: decides between low and the next one by comparing with the point halfway, exactly. */
static uint64_t decide_halfway(const char *s, const char *end, int64_t e10, uint64_t low) {
  lt_big text, half;
  lt_big_set(&text, 0);
  int32_t taken = 0, sticky = 0;
  uint64_t chunk = 0;
  int32_t in_chunk = 0;
  for (; s < end; s++) {
    if (*s == '.') continue;
    if (!taken && *s == '0') continue;
    if (taken == 770) { /* no halfway point has more than 768 digits: what follows matters only as "more" */
      sticky |= *s != '0';
      e10++;
      continue;
    }
    chunk = chunk * 10 + (uint64_t)(*s - '0');
    taken++;
    if (++in_chunk == 19) {
      lt_big_mul_add(&text, lt_tens_u64[19], chunk);
      chunk = 0;
      in_chunk = 0;
    }
  }
  lt_big_mul_add(&text, lt_tens_u64[in_chunk], chunk);
  if (sticky) {
    lt_big_mul_add(&text, 10, 1);
    e10--;
  }
  uint64_t exponent = low >> 52, m = low & 0xfffffffffffffu;
  int64_t e2 = exponent ? (int64_t)exponent - 1075 : -1074;
  if (exponent) m |= (uint64_t)1 << 52;
  lt_big_set(&half, 2 * m + 1);
  e2--;
  if (e10 >= 0) lt_big_mul_pow5(&text, (uint32_t)e10);
  else lt_big_mul_pow5(&half, (uint32_t)-e10);
  e2 -= e10; /* now text against half * 2^e2 */
  if (e2 >= 0) lt_big_shift_left(&half, (uint32_t)e2);
  else lt_big_shift_left(&text, (uint32_t)-e2);
  int order = lt_big_compare(&text, &half);
  return low + (order > 0 || (order == 0 && (low & 1)));
}

/* More than 19 characters of digits: leading zeros do not count, and what lies behind the 19th digit is cut. */
static uint64_t parse_long(const char *s, const char *end, int64_t e10) {
  const char *p = s;
  while (p < end && (*p == '0' || *p == '.')) p++;
  uint64_t w = 0;
  int64_t taken = 0, cut = 0;
  int more = 0;
  for (; p < end; p++) {
    if (*p == '.') continue;
    if (taken < 19) {
      w = w * 10 + (uint64_t)(*p - '0');
      taken++;
    } else {
      cut++;
      more |= *p != '0';
    }
  }
  if (w == 0) return 0;
  uint64_t low = eisel_lemire(w, e10 + cut);
  if (!more) return low;
  uint64_t high = eisel_lemire(w + 1, e10 + cut);
  return low == high ? low : decide_halfway(s, end, e10, low);
}

static const char *scan_word(const char *p, const char *end, uint64_t *bits) {
  static const char inf[] = "infinity", nan[] = "nan";
  int64_t n = 0;
  while (n < 8 && p + n < end && (p[n] | 32) == inf[n]) n++;
  if (n >= 3) {
    *bits = INF_BITS;
    return p + (n == 8 ? 8 : 3);
  }
  n = 0;
  while (n < 3 && p + n < end && (p[n] | 32) == nan[n]) n++;
  if (n < 3) return NULL;
  *bits = NAN_BITS;
  return p + 3;
}

/* [e [+-] digits] at p; leaves p where it is when there is no whole exponent. Saturates. */
static const char *scan_exponent(const char *p, const char *end, int64_t *e10) {
  const char *q = p + 1;
  int negative = 0;
  int64_t e = 0;
  if (q < end && (*q == '-' || *q == '+')) negative = *q++ == '-';
  if (q >= end || !IS_DIGIT(*q)) return p;
  for (; q < end && IS_DIGIT(*q); q++)
    if (e < ((int64_t)1 << 56)) e = e * 10 + (*q - '0');
  *e10 += negative ? -e : e;
  return q;
}

const char *lt_scan_f64(const char *s, const char *end, double *out) {
  const char *p = s;
  uint64_t sign = 0, w = 0, bits = 0;
  if (p < end) { /* without a branch: signs of features are anybody's guess */
    int minus = *p == '-';
    sign = (uint64_t)minus << 63;
    p += minus | (*p == '+');
  }
  const char *first = p, *digits_end;
  /* Measured: before the point, where digits are few, one at a time is quicker than eight. */
  while (p < end && IS_DIGIT(*p)) w = w * 10 + (uint64_t)(*p++ - '0');
  int64_t n = p - first, e10 = 0;
  if (p < end && *p == '.') {
    const char *fraction = ++p;
    p = take_digits(p, end, &w);
    e10 = fraction - p;
    n -= e10;
  }
  digits_end = p;
  if (n == 0) {
    p = scan_word(first, end, &bits);
    if (p) *out = lt_bits_f64(bits | sign);
    return p;
  }
  if (p < end && (*p | 32) == 'e') p = scan_exponent(p, end, &e10);
  if (n <= 19) {
    if (w <= (uint64_t)1 << 53 && e10 >= -22 && e10 <= 22) {
      double v = (double)w; /* both operands exact: one rounding */
      v = e10 < 0 ? v / lt_tens_f64[-e10] : v * lt_tens_f64[e10];
      *out = lt_bits_f64(lt_f64_bits(v) | sign);
      return p;
    }
    if (w) bits = eisel_lemire(w, e10);
  } else {
    bits = parse_long(first, digits_end, e10);
  }
  *out = lt_bits_f64(bits | sign);
  return p;
}

int lt_parse_f64(const char *s, const char *end, double *out) {
  double v;
  if (!s || lt_scan_f64(s, end, &v) != end) return 0;
  *out = v;
  return 1;
}

int lt_parse_i64(const char *s, const char *end, int64_t *out) {
  if (!s) return 0;
  const char *p = s;
  uint64_t sign = 0, v = 0;
  if (p < end && (*p == '-' || *p == '+')) sign = *p++ == '-';
  if (p >= end) return 0;
  uint64_t limit = (uint64_t)INT64_MAX + sign;
  for (; p < end; p++) {
    if (!IS_DIGIT(*p)) return 0;
    uint64_t d = (uint64_t)(*p - '0');
    if (v > (limit - d) / 10) return 0;
    v = v * 10 + d;
  }
  *out = sign ? (int64_t)(0 - v) : (int64_t)v;
  return 1;
}
