/* Numbers to text. The shortest digits come from Raffaello Giulietti's Schubfach ("The Schubfach way to render doubles",
 * 2020): the scaled bounds of the rounding interval are computed with 126 good bits and rounded to odd, which decides
 * exactly which of at most four candidates lies inside and nearest. */
#include "base/number_inner.h"
#include <math.h>

static const char two_digits[201] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/* hi64(g * cp) of a 128-bit g, with the last bit set when anything was cut off. */
static uint64_t round_to_odd(uint64_t g_high, uint64_t g_low, uint64_t cp) {
  uint64_t x, y, high;
  (void)lt_mul64(g_low, cp, &x);
  y = lt_mul64(g_high, cp, &high);
  y += x;
  high += y < x;
  return high | (y > 1);
}

/* The decimal digits * 10^(*k) nearest to c * 2^q among the shortest that round to it. closer: the lower neighbour is
 * at half distance (a power of two). */
static uint64_t shortest_digits(uint64_t c, int32_t q, int closer, int32_t *exponent) {
  int32_t k = (q * 1262611 - (closer ? 524031 : 0)) >> 22; /* floor(log10(2^q)), or of 3/4 of it */
  int32_t h = q + ((-k * 1741647) >> 19) + 1;              /* q + floor(log2(10^-k)) + 1 */
  const uint64_t *five = lt_powers5[-k - LT_POW_MIN];
  uint64_t g_low = five[1] + (-k < 0 || -k > 55), g_high = five[0] + (g_low < five[1]); /* rounded up unless exact */
  uint64_t odd = c & 1;
  uint64_t lower = round_to_odd(g_high, g_low, (4 * c - 2 + (uint64_t)closer) << h) + odd;
  uint64_t vb = round_to_odd(g_high, g_low, (4 * c) << h);
  uint64_t upper = round_to_odd(g_high, g_low, (4 * c + 2) << h) - odd;
  uint64_t s = vb / 4;
  if (s >= 10) {
    uint64_t tens = s / 10;
    int down = lower <= 40 * tens, up = 40 * tens + 40 <= upper;
    if (down != up) {
      *exponent = k + 1;
      return tens + (uint64_t)up;
    }
  }
  *exponent = k;
  int down = lower <= 4 * s, up = 4 * s + 4 <= upper;
  if (down != up) return s + (uint64_t)up;
  uint64_t mid = 4 * s + 2;
  return s + (vb > mid || (vb == mid && (s & 1)));
}

static int count_digits(uint64_t v) {
  int n = 1;
  while (n < 20 && v >= lt_tens_u64[n]) n++;
  return n;
}

/* Writes v as exactly n digits. */
static void put_digits(char *p, uint64_t v, int n) {
  while (n >= 2) {
    n -= 2;
    memcpy(p + n, two_digits + 2 * (v % 100), 2);
    v /= 100;
  }
  if (n) p[0] = (char)('0' + v % 10);
}

static int put_word(char *buf, int negative, const char *word) {
  int n = 0;
  if (negative) buf[n++] = '-';
  while (*word) buf[n++] = *word++;
  buf[n] = 0;
  return n;
}

/* digits * 10^e as plain text when the point lies within or near the digits, else in scientific form. */
static int put_decimal(char *buf, int negative, uint64_t digits, int32_t e) {
  char *p = buf;
  if (negative) *p++ = '-';
  while (digits % 100 == 0) digits /= 100, e += 2;
  if (digits % 10 == 0) digits /= 10, e++;
  int n = count_digits(digits);
  int32_t point = n + e; /* the point stands before digit `point` */
  if (point > 17 || point < -4) {
    put_digits(p + 1, digits, n);
    p[0] = p[1];
    p[1] = '.';
    p += n == 1 ? 1 : n + 1;
    *p++ = 'e';
    int32_t x = point - 1;
    if (x < 0) *p++ = '-', x = -x;
    int w = x >= 100 ? 3 : x >= 10 ? 2 : 1;
    put_digits(p, (uint64_t)x, w);
    p += w;
  } else if (point <= 0) {
    memcpy(p, "0.0000", 6);
    p += 2 - point;
    put_digits(p, digits, n);
    p += n;
  } else if (e >= 0) {
    put_digits(p, digits, n);
    p += n;
    while (e--) *p++ = '0';
  } else {
    put_digits(p + 1, digits, n);
    memmove(p, p + 1, (size_t)point);
    p[point] = '.';
    p += n + 1;
  }
  *p = 0;
  return (int)(p - buf);
}

static int text_of(char *buf, int negative, uint64_t fraction, int32_t exponent, int32_t bias, int32_t bits) {
  uint64_t c = fraction;
  int32_t q = 1 - bias - bits;
  if (exponent) {
    c |= (uint64_t)1 << bits;
    q = exponent - bias - bits;
    if (q <= 0 && q > -bits - 1 && !(c & (((uint64_t)1 << -q) - 1))) return put_decimal(buf, negative, c >> -q, 0);
  } else if (!c) {
    return put_word(buf, negative, "0");
  }
  int32_t e;
  uint64_t digits = shortest_digits(c, q, fraction == 0 && exponent > 1, &e);
  return put_decimal(buf, negative, digits, e);
}

int lt_f64_text(double v, char buf[32]) {
  uint64_t bits = lt_f64_bits(v), fraction = bits & 0xfffffffffffffu;
  int negative = (int)(bits >> 63);
  int32_t exponent = (int32_t)(bits >> 52 & 2047);
  if (exponent == 2047) return put_word(buf, fraction ? 0 : negative, fraction ? "nan" : "inf");
  return text_of(buf, negative, fraction, exponent, 1023, 52);
}

int lt_f32_text(float v, char buf[32]) {
  uint32_t bits;
  memcpy(&bits, &v, 4);
  uint32_t fraction = bits & 0x7fffffu;
  int negative = (int)(bits >> 31);
  int32_t exponent = (int32_t)(bits >> 23 & 255);
  if (exponent == 255) return put_word(buf, fraction ? 0 : negative, fraction ? "nan" : "inf");
  return text_of(buf, negative, fraction, exponent, 127, 23);
}

int lt_i64_text(int64_t v, char buf[32]) {
  uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
  int n = count_digits(u), sign = v < 0;
  if (sign) buf[0] = '-';
  put_digits(buf + sign, u, n);
  buf[sign + n] = 0;
  return sign + n;
}

/* The point goes before the last `digits` of the n digits at p (which has room for one character more). */
static int place_point(char *buf, char *p, int n, int digits) {
  if (digits) {
    memmove(p + n - digits + 1, p + n - digits, (size_t)digits);
    p[n - digits] = '.';
    n++;
  }
  p[n] = 0;
  return (int)(p - buf) + n;
}

/* c * 2^q scaled by 10^digits and rounded to an integer, when all of that fits 127 and 63 bits. */
static int fixed_small(uint64_t c, int32_t q, int digits, uint64_t *out) {
  if (digits > 19 || q > 0 || q <= -127) return 0;
  uint64_t high, low = lt_mul64(c, lt_tens_u64[digits], &high), whole, half, below;
  int32_t s = -q;
  if (s == 0) {
    whole = low, half = 0, below = 0;
    if (high) return 0;
  } else if (s <= 64) {
    if (s < 64 && high >> s) return 0;
    whole = s == 64 ? high : high << (64 - s) | low >> s;
    half = low >> (s - 1) & 1;
    below = low & (((uint64_t)1 << (s - 1)) - 1);
  } else {
    whole = high >> (s - 64);
    half = high >> (s - 65) & 1;
    below = (high & (((uint64_t)1 << (s - 65)) - 1)) | low;
  }
  if (whole >> 63) return 0;
  *out = whole + (half && (below || (whole & 1)));
  return 1;
}

int lt_fixed_text(double v, int digits, char *buf, uint64_t cap) {
  uint64_t bits = lt_f64_bits(v), c = bits & 0xfffffffffffffu, scaled;
  int32_t exponent = (int32_t)(bits >> 52 & 2047), q = exponent ? exponent - 1075 : -1074;
  int negative = (int)(bits >> 63);
  if (digits < 0) digits = 0;
  if (exponent == 2047 || digits > 800) return lt_f64_text(v, buf);
  if (exponent) c |= (uint64_t)1 << 52;
  char *p = buf;
  if (fixed_small(c, q, digits, &scaled)) {
    int n = count_digits(scaled);
    if (n <= digits) n = digits + 1;
    if ((uint64_t)n + 3 > cap) return lt_f64_text(v, buf);
    if (negative) *p++ = '-';
    put_digits(p, scaled, n);
    return place_point(buf, p, n, digits);
  }
  lt_big big;
  lt_big_set(&big, c);
  lt_big_mul_pow5(&big, (uint32_t)digits);
  q += digits;
  if (q >= 0) lt_big_shift_left(&big, (uint32_t)q);
  else lt_big_shift_right_even(&big, (uint32_t)-q);
  uint64_t chunk[72];
  int32_t chunks = 0;
  while (big.n) chunk[chunks++] = lt_big_divide(&big, lt_tens_u64[18]);
  if (!chunks) chunk[chunks++] = 0;
  int top = count_digits(chunk[chunks - 1]), n = top + 18 * (chunks - 1), pad = n <= digits ? digits + 1 - n : 0;
  if ((uint64_t)n + (uint64_t)pad + 3 > cap) return lt_f64_text(v, buf);
  if (negative) *p++ = '-';
  char *d = p;
  memset(d, '0', (size_t)pad);
  d += pad;
  put_digits(d, chunk[chunks - 1], top);
  d += top;
  for (int32_t i = chunks - 1; i-- > 0; d += 18) put_digits(d, chunk[i], 18);
  return place_point(buf, p, n + pad, digits);
}

const char *lt_few_digits(double v, char buf[32]) {
  double scale = v != 0 && isfinite(v) ? pow(10, 3 - floor(log10(fabs(v)))) : 1;
  buf[lt_f64_text(isfinite(scale) && scale > 0 ? round(v * scale) / scale : v, buf)] = 0;
  return buf;
}
