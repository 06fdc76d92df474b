/* Number text: any bytes. What is taken as a number is what strtod takes, and the value is strtod's; what is printed
 * reads back. */
#include "check.h"
#include "base/number.h"

size_t leat_fuzz_seed(size_t which, uint8_t *buf, size_t cap) {
  static const char *const seeds[] = {"1.5", "-12345678.12345678e-300", "inf", "-nan", "9007199254740993", "2.4703282292062328e-324",
                                      "0.000000000000000000000000123456789012345678901234567890e25", "1e999", "2021-03-04T05:06:07.25+01:30",
                                      "123456789012345678901234567890123456789012345678901234567890.5", "-9223372036854775808"};
  if (which >= (sizeof seeds / sizeof *seeds)) return 0;
  size_t n = strlen(seeds[which]);
  if (n > cap) return 0;
  memcpy(buf, seeds[which], n);
  return n;
}

static void check_text(double v) {
  char buf[32], fixed[64];
  double back;
  int n = lt_f64_text(v, buf);
  FUZZ_REQUIRE(n > 0 && n < 32 && buf[n] == 0);
  FUZZ_REQUIRE(lt_parse_f64(buf, buf + n, &back));
  FUZZ_REQUIRE(memcmp(&v, &back, 8) == 0 || v != v);
  n = lt_fixed_text(v, 3, fixed, sizeof fixed);
  FUZZ_REQUIRE(n > 0 && n < 64 && fixed[n] == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *s = (const char *)data, *end = s + size;
  double v = 0;
  int64_t i, ns;
  char time[40];
  const char *stop = lt_scan_f64(s, end, &v);
  FUZZ_REQUIRE(!stop || (stop > s && stop <= end));
  int whole = lt_parse_f64(s, end, &v);
  FUZZ_REQUIRE(whole == (stop == end && stop != NULL));
  if (stop) {
    char *text = malloc((size_t)(stop - s) + 1), *strtod_stop;
    if (!text) return 0;
    memcpy(text, s, (size_t)(stop - s));
    text[stop - s] = 0;
    double got = 0, want = strtod(text, &strtod_stop);
    FUZZ_REQUIRE(lt_parse_f64(s, stop, &got)); /* the prefix is a number by itself */
    FUZZ_REQUIRE(*strtod_stop == 0);
    FUZZ_REQUIRE((got != got && want != want) || memcmp(&got, &want, 8) == 0);
    check_text(got);
    free(text);
  }
  if (lt_parse_i64(s, end, &i)) FUZZ_REQUIRE(whole);
  if (lt_parse_time(s, end, &ns)) {
    int n = lt_time_text(ns, time);
    int64_t again;
    FUZZ_REQUIRE(n < 40 && lt_parse_time(time, time + n, &again) && again == ns);
  }
  if (size >= 8) {
    double d;
    float f;
    char buf[32], back[32];
    memcpy(&d, data, 8);
    memcpy(&f, data, 4);
    check_text(d);
    int n = lt_f32_text(f, buf);
    FUZZ_REQUIRE(lt_parse_f64(buf, buf + n, &d));
    if (d == d) {
      (void)lt_f32_text((float)d, back);
      FUZZ_REQUIRE(strcmp(buf, back) == 0);
    }
  }
  return 0;
}
