/* Number text against the C library. Quick: 10^6 texts; with LEAT_SOAK set in the environment 10^8,
 * with LEAT_QUICK (the quick tier under sanitizers) a fifth. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "base/number.h"
#include "base/number_inner.h"

static uint64_t seed = 0x9e3779b97f4a7c15u;
static uint64_t next_random(void) { /* SplitMix64 */
  uint64_t z = seed += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}
static int64_t rounds(int64_t quick) { return getenv("LEAT_SOAK") ? quick * 100 : getenv("LEAT_QUICK") ? quick / 5 : quick; }

/* The text ends where the next page, which nobody may read, begins. */
static char *page_end;
static int guard_page(void **state) {
  (void)state;
  long page = sysconf(_SC_PAGESIZE);
  char *p = mmap(NULL, (size_t)page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED || mprotect(p + page, (size_t)page, PROT_NONE)) return -1;
  page_end = p + page;
  return 0;
}
static const char *at_edge(const char *text) {
  size_t n = strlen(text);
  return memcpy(page_end - n, text, n);
}

static void same_as_strtod(const char *text) {
  const char *s = at_edge(text);
  double got, want = strtod(text, NULL);
  if (!lt_parse_f64(s, page_end, &got)) fail_msg("refused: %s", text);
  if (memcmp(&got, &want, 8) != 0) fail_msg("%s: %.17g (%a), strtod %.17g (%a)", text, got, got, want, want);
}

static void test_powers(void **state) {
  (void)state;
  /* 5^q as a big integer, its leading 128 bits; for q < 0 the quotient 2^b / 5^-q by long division. */
  for (int32_t q = LT_POW_MIN; q <= LT_POW_MAX; q++) {
    lt_big b;
    uint64_t want[2];
    lt_big_set(&b, 1);
    lt_big_mul_pow5(&b, (uint32_t)(q < 0 ? -q : q));
    if (q >= 0) {
      lt_big_shift_left(&b, 128);
      int32_t top = b.n - 1;
      int z = __builtin_clzll(b.limb[top]);
      uint64_t l0 = b.limb[top], l1 = b.limb[top - 1], l2 = b.limb[top - 2];
      want[0] = z ? l0 << z | l1 >> (64 - z) : l0;
      want[1] = z ? l1 << z | l2 >> (64 - z) : l1;
    } else {
      lt_big rest;
      lt_big_set(&rest, 1);
      while (lt_big_compare(&rest, &b) < 0) lt_big_shift_left(&rest, 1);
      want[0] = want[1] = 0;
      for (int bit = 0; bit < 128; bit++) {
        want[0] = want[0] << 1 | want[1] >> 63;
        want[1] <<= 1;
        if (lt_big_compare(&rest, &b) >= 0) {
          want[1] |= 1;
          uint64_t borrow = 0;
          for (int32_t i = 0; i < rest.n; i++) {
            uint64_t y = i < b.n ? b.limb[i] : 0, x = rest.limb[i], d = x - y - borrow;
            borrow = x < y || (x == y && borrow);
            rest.limb[i] = d;
          }
          while (rest.n && !rest.limb[rest.n - 1]) rest.n--;
        }
        lt_big_shift_left(&rest, 1);
      }
    }
    assert_true(want[0] == lt_powers5[q - LT_POW_MIN][0]);
    assert_true(want[1] == lt_powers5[q - LT_POW_MIN][1]);
  }
}

static void test_known(void **state) {
  (void)state;
  static const char *const texts[] = {
      "0", "-0", "+0.0", "1", "-1", "+1", "1.", ".5", "-.5", "5.e3", "00001.5000", "1e0", "1E+5", "1e-5", "123456789",
      "9007199254740993", "9007199254740992.5", "9007199254740993.0000000000000000000000000000000000001",
      "18446744073709551615", "18446744073709551616", "99999999999999999999", "1e22", "1e23", "8.5e22", "-1e-22",
      "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "1e308", "1e309", "1e999", "-1e999",
      "179769313486231580793728971405301199e273", "4.9e-324", "2.4703282292062327e-324", "2.4703282292062328e-324",
      "2.5e-324", "1e-323", "1e-400", "0e999999999999999999999", "1e-999999999999999999999", "1e99999999999999999999",
      "2.2250738585072014e-308", "2.2250738585072011e-308", "2.2250738585072012e-308", "2.225073858507201e-308",
      "0.1", "0.2", "0.3", "3.14159265358979323846264338327950288", "6.631236871469758276785396630275967242e-4",
      "7.2057594037927933e16", "0.000000000000000000000000000000000000000000000000000000000001e60",
      "1.00000005960464477539062499999999999999999999999", "0.500000000000000166533453693773481063544750213623046875",
      "inf", "-INF", "Infinity", "+infinity", "12345678", "1234567.12345678", "0.12345678", "0.123456789012345678",
      "1448997445238699", "10000000000000000000000000000000000000000000000000000000000000000000000e-70"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) same_as_strtod(texts[i]);
  double v;
  assert_true(lt_parse_f64(at_edge("NaN"), page_end, &v) && v != v);
  assert_true(lt_parse_f64(at_edge("-nan"), page_end, &v) && v != v);
}

static void test_refused(void **state) {
  (void)state;
  static const char *const texts[] = {"", "+", "-", ".", "-.", "e5", ".e5", "1e", "1e+", "1e-", "--1", "+-1", "1..2", "1.2.3",
                                      "1,5", " 1", "1 ", "1x", "0x10", "1e5.5", "in", "infi", "infinit", "na", "nano",
                                      "infinityy", "1_000", "12345678x", "1234567/", "1234567:", "\xff", "1\xb0", "1\x01",
                                      "12345678\x80", "nan(1)", "1d5", "\t1", "1e 5"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    double v = 7;
    if (lt_parse_f64(at_edge(texts[i]), page_end, &v)) fail_msg("taken: %s", texts[i]);
    assert_true(v == 7);
  }
  static const char zero_inside[] = "1\0002";
  double v = 7;
  assert_false(lt_parse_f64(zero_inside, zero_inside + 3, &v));
  assert_false(lt_parse_f64(NULL, NULL, &v));
  for (int c = 0; c < 256; c++) { /* every byte at every place among eight digits */
    for (int at = 0; at < 8; at++) {
      char text[9] = "11111111";
      text[at] = (char)c;
      char *stop;
      double want = c == 0 ? 0 : strtod(text, &stop);
      int whole = c != 0 && *stop == 0 && c != 'x' && c != 'X' && c != ' ' && c != '\t' && c != '\n' && c != '\v' &&
                  c != '\f' && c != '\r';
      memcpy(page_end - 8, text, 8);
      int got = lt_parse_f64(page_end - 8, page_end, &v);
      if (got != whole) fail_msg("byte %d at %d: %d", c, at, got);
      if (got) assert_true(v == want);
    }
  }
}

static void test_scan(void **state) {
  (void)state;
  static const struct { const char *text; int n; double v; } cases[] = {
      {"1.5,2", 3, 1.5},  {"12\n", 2, 12},    {"1e,", 1, 1},      {"1e+", 1, 1},         {"1.e5x", 4, 1e5}, {"7.x", 2, 7},
      {"infinit", 3, INFINITY}, {"-inf;", 4, -INFINITY}, {"12345678,", 8, 12345678}, {"123456789 ", 9, 123456789}, {"0x1", 1, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double v;
    const char *s = at_edge(cases[i].text), *stop = lt_scan_f64(s, page_end, &v);
    assert_true(stop == s + cases[i].n);
    assert_true(v == cases[i].v);
  }
  double v;
  assert_null(lt_scan_f64(at_edge(","), page_end, &v));
}

static void test_random(void **state) {
  (void)state;
  static char text[1200], padded[1300];
  int64_t n = rounds(1000000);
  for (int64_t i = 0; i < n; i++) {
    uint64_t r = next_random();
    double v = lt_bits_f64(r);
    switch (i % 8) {
      case 0: case 1: /* all doubles alike */
        if (isnan(v)) v = 1;
        snprintf(text, sizeof text, "%.*g", (int)(next_random() % 4) + 15, v);
        break;
      case 2: /* short decimals */
        snprintf(text, sizeof text, "%s%llu.%0*llu", r & 1 ? "-" : "", (unsigned long long)(r >> 40 & 0xffff),
                 (int)(r >> 60), (unsigned long long)(r >> 32 & 0xff));
        break;
      case 3: /* up to 19 digits with any exponent */
        snprintf(text, sizeof text, "%llue%d", (unsigned long long)(r >> (next_random() % 64)),
                 (int)(next_random() % 700) - 360);
        break;
      case 4: /* subnormals */
        snprintf(text, sizeof text, "%.*g", (int)(r >> 59), lt_bits_f64(r >> (12 + r % 40)));
        break;
      case 5: { /* halfway between two doubles, exactly, then a little beside it */
        if (i % 16 == 5) r = (r & 0x800fffffffffffffu) | (uint64_t)(1023 - 60 + next_random() % 120) << 52;
        r &= 0x7fffffffffffffffu;
        if (r >= 0x7fe0000000000000u) r = 1;
        lt_big b;
        uint64_t e = r >> 52, m = r & 0xfffffffffffffu;
        int32_t e2 = e ? (int32_t)e - 1076 : -1075, e10 = 0;
        if (e) m |= (uint64_t)1 << 52;
        lt_big_set(&b, 2 * m + 1);
        if (e2 >= 0) lt_big_shift_left(&b, (uint32_t)e2);
        else lt_big_mul_pow5(&b, (uint32_t)-e2), e10 = e2;
        char digits[1200];
        int at = 1199;
        digits[at] = 0;
        while (b.n) digits[--at] = (char)('0' + lt_big_divide(&b, 10));
        if (next_random() % 3 == 0) digits[1198] ^= 1;
        snprintf(text, sizeof text, "%s%se%d", digits + at, next_random() % 3 ? "" : "000000000000000001",
                 e10);
        if (strlen(text) > 18 && strstr(text, "000000000000000001e"))
          snprintf(text, sizeof text, "%s000000000000000001e%d", digits + at, e10 - 18);
        break;
      }
      case 6: { /* long digit strings with a point somewhere */
        int len = 1 + (int)(r % 800), point = (int)(next_random() % (uint64_t)(len + 1));
        if (i % 64) len = 1 + len / 20, point %= len + 1;
        char *p = text;
        for (int k = 0; k < len; k++) {
          if (k == point) *p++ = '.';
          *p++ = (char)('0' + next_random() % 10);
        }
        snprintf(p, 32, "e%d", (int)(next_random() % 700) - 350 - (i % 128 ? 0 : len));
        break;
      }
      default: /* near integers and powers of ten */
        snprintf(text, sizeof text, "%.*e", (int)(r % 25), (double)(r >> 11) * pow(10, (double)(next_random() % 60) - 30));
    }
    same_as_strtod(text);
    if (i % 97 == 0 && text[0] != '-' && text[0] != 'i') { /* zeros in front change nothing */
      snprintf(padded, sizeof padded, "%0*d%s", 1 + (int)(r % 40), 0, text);
      same_as_strtod(padded);
    }
  }
}

static void test_shortest(void **state) {
  (void)state;
  static const struct { double v; const char *text; } known[] = {
      {0, "0"}, {-0.0, "-0"}, {0.1, "0.1"}, {1, "1"}, {-1.5, "-1.5"}, {1e-300, "1e-300"}, {5e-324, "5e-324"}, {1e23, "1e23"},
      {100, "100"}, {1e16, "10000000000000000"}, {1e17, "1e17"}, {123456789012345680, "1.2345678901234568e17"},
      {0.00001, "0.00001"}, {0.000001, "1e-6"}, {1.7976931348623157e308, "1.7976931348623157e308"}, {INFINITY, "inf"},
      {-INFINITY, "-inf"}, {2.2250738585072014e-308, "2.2250738585072014e-308"}, {9007199254740993.0, "9007199254740992"},
      {0.30000000000000004, "0.30000000000000004"}, {2e-44, "2e-44"}, {123.456, "123.456"}, {2251799813685249.5, "2251799813685249.5"}};
  char buf[32], print[64];
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    int n = lt_f64_text(known[i].v, buf);
    assert_string_equal(buf, known[i].text);
    assert_int_equal(n, strlen(buf));
  }
  lt_f64_text(-NAN, buf);
  assert_string_equal(buf, "nan");
  int64_t count = rounds(300000);
  for (int64_t i = 0; i < count; i++) {
    uint64_t r = next_random();
    double v = lt_bits_f64(r), back;
    if (i % 4 == 1) v = (double)(int64_t)(r >> 40) / 1000;
    if (i % 4 == 2) v = lt_bits_f64(r & 0xfff0000000000000u); /* powers of two: the near lower neighbour */
    if (i % 4 == 3 && i % 8 == 3) v = lt_bits_f64(r >> (12 + r % 50));
    if (!isfinite(v)) continue;
    int n = lt_f64_text(v, buf);
    assert_true(n < 32 && (size_t)n == strlen(buf));
    back = strtod(buf, NULL);
    if (memcmp(&v, &back, 8) != 0) fail_msg("%a as %s", v, buf);
    /* no shorter text reads back as v, and among the shortest it is the nearest: what printf gives with as many digits */
    int digits = 0;
    for (const char *p = buf; *p && *p != 'e'; p++) digits += *p >= '0' && *p <= '9' && (digits || *p != '0');
    for (const char *p = buf; !strchr(buf, '.') && !strchr(buf, 'e') && *p; p++) (void)p;
    if (!strchr(buf, '.') && !strchr(buf, 'e'))
      for (int k = n - 1; k > 0 && buf[k] == '0'; k--) digits--;
    if (digits > 1) {
      snprintf(print, sizeof print, "%.*e", digits - 2, v);
      if (strtod(print, NULL) == v) fail_msg("%s could be %s", buf, print);
    }
    if (digits > 0) {
      snprintf(print, sizeof print, "%.*e", digits - 1, v);
      if (strtod(print, NULL) == v) {
        double d;
        assert_true(lt_parse_f64(print, print + strlen(print), &d));
        char again[32];
        lt_f64_text(d, again);
        assert_string_equal(again, buf);
        /* the same digits as printf's, which is the nearest */
        char a[40] = "", b[40] = "";
        int na = 0, nb = 0;
        for (const char *p = buf; *p && *p != 'e'; p++)
          if (*p >= '0' && *p <= '9' && (na || *p != '0')) a[na++] = *p;
        for (const char *p = print; *p && *p != 'e'; p++)
          if (*p >= '0' && *p <= '9' && (nb || *p != '0')) b[nb++] = *p;
        while (na && a[na - 1] == '0') na--;
        while (nb && b[nb - 1] == '0') nb--;
        a[na] = b[nb] = 0;
        if (strcmp(a, b) != 0) fail_msg("%a: %s, nearest %s", v, buf, print);
      }
    }
  }
}

static void test_shortest_f32(void **state) {
  (void)state;
  char buf[32], print[64];
  int64_t count = rounds(300000);
  for (int64_t i = 0; i < count; i++) {
    uint32_t r = (uint32_t)next_random();
    if (i < 600) r = (uint32_t)i << 23;
    float f, back;
    memcpy(&f, &r, 4);
    if (!isfinite(f)) continue;
    lt_f32_text(f, buf);
    back = strtof(buf, NULL);
    if (memcmp(&f, &back, 4) != 0) fail_msg("%a as %s", (double)f, buf);
    int n = 0;
    for (n = 1; n < 10; n++) {
      snprintf(print, sizeof print, "%.*e", n - 1, (double)f);
      if (strtof(print, NULL) == f) break;
    }
    int digits = 0;
    for (const char *p = buf; *p && *p != 'e'; p++) digits += *p >= '0' && *p <= '9' && (digits || *p != '0');
    if (!strchr(buf, '.') && !strchr(buf, 'e'))
      for (size_t k = strlen(buf) - 1; k > 0 && buf[k] == '0'; k--) digits--;
    if (f != 0 && digits > n) fail_msg("%s could be %s", buf, print);
  }
  lt_f32_text(0.1f, buf);
  assert_string_equal(buf, "0.1");
  lt_f32_text(16777216.0f, buf);
  assert_string_equal(buf, "16777216");
}

static void test_fixed(void **state) {
  (void)state;
  static char got[2048], want[2048];
  int64_t count = rounds(200000);
  for (int64_t i = 0; i < count; i++) {
    uint64_t r = next_random();
    double v = lt_bits_f64(r);
    int digits = (int)(next_random() % 12);
    if (i % 4 == 1) v = (double)(int64_t)(r >> 20) / 1024 * (r & 1 ? 1 : -1); /* halves are many */
    if (i % 4 == 2) v = (double)(r >> 11) * 0x1p-53 * 100;
    if (i % 64 == 0) digits = (int)(next_random() % 700);
    if (!isfinite(v)) continue;
    int n = lt_fixed_text(v, digits, got, sizeof got);
    int m = snprintf(want, sizeof want, "%.*f", digits, v);
    if (n != m || strcmp(got, want) != 0) fail_msg("%a, %d digits: %s, printf %s", v, digits, got, want);
  }
  static const double few[] = {0, -0.0, 0.5, 1.5, 2.5, 0.125, 999.9995, 1e15, 1e22, 0.05, 5e-324, 9.995, 99.5};
  for (size_t i = 0; i < sizeof few / sizeof *few; i++) {
    for (int digits = 0; digits < 25; digits++) {
      lt_fixed_text(few[i], digits, got, sizeof got);
      snprintf(want, sizeof want, "%.*f", digits, few[i]);
      assert_string_equal(got, want);
    }
  }
  char *small = malloc(64); /* too long for the buffer: the shortest text instead */
  assert_non_null(small);
  assert_int_equal(lt_fixed_text(1e300, 2, small, 64), 5);
  assert_string_equal(small, "1e300");
  lt_fixed_text(1.5, 60, small, 64);
  assert_int_equal(strlen(small), 62);
  lt_fixed_text(1.5, 62, small, 64);
  assert_string_equal(small, "1.5");
  lt_fixed_text(INFINITY, 2, small, 64);
  assert_string_equal(small, "inf");
  free(small);
}

static void test_integers(void **state) {
  (void)state;
  static const char *const good[] = {"0", "-0", "+5", "9223372036854775807", "-9223372036854775808", "000000000000000000000012"};
  static const char *const bad[] = {"", "-", "1.0", "9223372036854775808", "-9223372036854775809", "99999999999999999999", " 1", "1e3"};
  int64_t v;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    assert_true(lt_parse_i64(at_edge(good[i]), page_end, &v));
    assert_true(v == strtoll(good[i], NULL, 10));
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(lt_parse_i64(at_edge(bad[i]), page_end, &v));
  char got[32], want[32];
  for (int i = 0; i < 20000; i++) {
    int64_t x = (int64_t)(next_random() >> (i % 64)) * (i & 1 ? -1 : 1);
    if (i == 0) x = INT64_MIN;
    snprintf(want, sizeof want, "%lld", (long long)x);
    assert_int_equal(lt_i64_text(x, got), strlen(want));
    assert_string_equal(got, want);
    assert_true(lt_parse_i64(got, got + strlen(got), &v) && v == x);
  }
}

static void test_time(void **state) {
  (void)state;
  static const struct { const char *text; int64_t ns; const char *back; } good[] = {
      {"1970-01-01", 0, "1970-01-01T00:00:00Z"},
      {"2000-02-29T12:34:56", 951827696000000000, "2000-02-29T12:34:56Z"},
      {"2024/02/29 23:59", 1709251140000000000, "2024-02-29T23:59:00Z"},
      {"1969-12-31T23:59:59.999999999Z", -1, "1969-12-31T23:59:59.999999999Z"},
      {"2021-03-04T05:06:07.25+01:30", 1614828967250000000 , "2021-03-04T03:36:07.250Z"},
      {"2021-03-04t05:06:07,5z", 1614834367500000000, "2021-03-04T05:06:07.500Z"},
      {"2016-12-31T23:59:60Z", 1483228800000000000, "2017-01-01T00:00:00Z"},
      {"1677-09-22", -9223286400000000000, "1677-09-22T00:00:00Z"},
      {"2262-04-11T00:00:00-0000", 9223286400000000000, "2262-04-11T00:00:00Z"}};
  static const char *const bad[] = {"", "2021", "2021-1-1", "2021-13-01", "2021-00-10", "2021-02-29", "2021-04-31", "1900-02-29",
                                    "2021-01/02", "2021-01-02x", "2021-01-02T", "2021-01-02T24:00", "2021-01-02T10", "2021-01-02T10:60",
                                    "2021-01-02T10:10:61", "2021-01-02T10:10:10.", "2021-01-02T10:10+", "2021-01-02T10:10+1",
                                    "2021-01-02T10:10Z ", "9999-12-31", "0001-01-01", "20210102T1010", "2021-01-02T10:10+25:00"};
  int64_t ns;
  char buf[40];
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    if (!lt_parse_time(at_edge(good[i].text), page_end, &ns)) fail_msg("refused %s", good[i].text);
    if (ns != good[i].ns) fail_msg("%s: %lld", good[i].text, (long long)ns);
    int n = lt_time_text(ns, buf);
    assert_int_equal(n, strlen(buf));
    assert_string_equal(buf, good[i].back);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (lt_parse_time(at_edge(bad[i]), page_end, &ns)) fail_msg("taken: %s", bad[i]);
  for (int i = 0; i < 100000; i++) {
    int64_t v = (int64_t)(next_random() >> 1) % 9223000000000000000 * (i & 1 ? 1 : -1), again;
    struct tm tm;
    time_t t = (time_t)((v - (v % 1000000000 + 1000000000) % 1000000000) / 1000000000);
    lt_time_text(v, buf);
    assert_true(lt_parse_time(buf, buf + strlen(buf), &again) && again == v);
    char want[40];
    assert_non_null(gmtime_r(&t, &tm));
    strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", &tm);
    assert_memory_equal(buf, want, 19);
  }
  lt_time_text(INT64_MIN, buf);
  assert_string_equal(buf, "1677-09-21T00:12:43.145224192Z");
}

static void test_locale(void **state) {
  (void)state;
  if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "de_DE")) skip();
  double v;
  char buf[64];
  assert_true(lt_parse_f64(at_edge("1.5"), page_end, &v) && v == 1.5);
  lt_f64_text(1.5, buf);
  assert_string_equal(buf, "1.5");
  lt_fixed_text(1.5, 2, buf, sizeof buf);
  assert_string_equal(buf, "1.50");
  setlocale(LC_ALL, "C");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_powers),  cmocka_unit_test(test_known),    cmocka_unit_test(test_refused), cmocka_unit_test(test_scan),
      cmocka_unit_test(test_random),  cmocka_unit_test(test_shortest), cmocka_unit_test(test_shortest_f32), cmocka_unit_test(test_fixed),   cmocka_unit_test(test_integers),
      cmocka_unit_test(test_time),    cmocka_unit_test(test_locale)};
  return cmocka_run_group_tests(tests, guard_page, NULL);
}
