/* Number text: nanoseconds a number, against the C library in the same run. Medians of nine rounds, peers alternating.
 * Usage: bench_number [ROUNDS] */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "clock.h"
#include "base/number.h"

enum { COUNT = 100000, MAX_ROUNDS = 101 };
static uint64_t state = 42;
static uint64_t bench_random(void) { /* SplitMix64 */
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}
static double bench_seconds(void) { return bench_clock(CLOCK_MONOTONIC); }
static double bench_unit(void) { return (double)(bench_random() >> 11) * 0x1p-53; }

/* One kind of column as it stands in CSV files. */
static int make_text(int kind, char *out) {
  double u = bench_unit();
  switch (kind) {
    case 0: return sprintf(out, "%d", (int)(u * 100));
    case 1: return sprintf(out, "%.2f", u * 100);
    case 2: return sprintf(out, "%.6f", u * 20 - 10);
    case 3: return sprintf(out, "%.8g", (u - 0.5) * 1e-3);
    case 4: return sprintf(out, "%.17g", u);
    case 5: return sprintf(out, "%lld", 1700000000000 + (long long)(u * 1e10));
    default: return sprintf(out, "%.17g", u * 1e200 * (u - 0.5));
  }
}
static const char *const kinds[] = {"0..99", "12.34", "-1.234567", "8 digits, e-5", "17 digits", "1700123456789", "17 digits, e+200"};

static char *text;
static uint32_t at[COUNT + 1];
static double numbers[COUNT];
static double sink;

static double parse_leat(void) {
  double v, start = bench_seconds();
  for (int i = 0; i < COUNT; i++) {
    const char *end = lt_scan_f64(text + at[i], text + at[COUNT], &v);
    sink += v + (double)(end - text);
  }
  return bench_seconds() - start;
}
static double parse_libc(void) {
  char *end;
  double start = bench_seconds();
  for (int i = 0; i < COUNT; i++) sink += strtod(text + at[i], &end) + (double)(end - text);
  return bench_seconds() - start;
}
static double print_leat(void) {
  char buf[32];
  double start = bench_seconds();
  for (int i = 0; i < COUNT; i++) sink += lt_f64_text(numbers[i], buf) + buf[0];
  return bench_seconds() - start;
}
static double print_libc(void) {
  char buf[32];
  double start = bench_seconds();
  for (int i = 0; i < COUNT; i++) sink += snprintf(buf, sizeof buf, "%.17g", numbers[i]) + buf[0];
  return bench_seconds() - start;
}
static double fixed_leat(void) {
  char buf[400];
  double start = bench_seconds();
  for (int i = 0; i < COUNT; i++) sink += lt_fixed_text(numbers[i], 6, buf, sizeof buf) + buf[0];
  return bench_seconds() - start;
}
static double fixed_libc(void) {
  char buf[400];
  double start = bench_seconds();
  for (int i = 0; i < COUNT; i++) sink += snprintf(buf, sizeof buf, "%.6f", numbers[i]) + buf[0];
  return bench_seconds() - start;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}
static void compare(const char *what, double (*ours)(void), double (*theirs)(void), int rounds, double bytes) {
  static double a[MAX_ROUNDS], b[MAX_ROUNDS];
  for (int r = 0; r < rounds; r++) {
    a[r] = ours();
    b[r] = theirs();
  }
  qsort(a, (size_t)rounds, sizeof *a, by_value);
  qsort(b, (size_t)rounds, sizeof *b, by_value);
  double x = a[rounds / 2] * 1e9 / COUNT, y = b[rounds / 2] * 1e9 / COUNT;
  printf("| %-30s | %6.1f | %6.1f | %5.1fx | %5.0f |\n", what, x, y, y / x, bytes / x * 1e3);
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 9;
  if (rounds < 1 || rounds > MAX_ROUNDS) rounds = 9;
  text = malloc((size_t)COUNT * 40);
  if (!text) return 1;
  printf("| what                           | leat ns | libc ns | ratio | MB/s |\n|---|---|---|---|---|\n");
  for (int kind = 0; kind < 7; kind++) {
    char what[64];
    uint32_t n = 0;
    for (int i = 0; i < COUNT; i++) {
      at[i] = n;
      n += (uint32_t)make_text(kind, text + n);
      text[n++] = i % 10 == 9 ? '\n' : ',';
    }
    at[COUNT] = n;
    text[n] = 0;
    for (int i = 0; i < COUNT; i++) (void)lt_scan_f64(text + at[i], text + n, &numbers[i]);
    snprintf(what, sizeof what, "read %s", kinds[kind]);
    compare(what, parse_leat, parse_libc, rounds, (double)n / COUNT);
    snprintf(what, sizeof what, "shortest %s", kinds[kind]);
    compare(what, print_leat, print_libc, rounds, 0);
    snprintf(what, sizeof what, "6 places %s", kinds[kind]);
    if (kind < 6) compare(what, fixed_leat, fixed_libc, rounds, 0);
  }
  free(text);
  return sink == 0.5;
}
