/* ISO 8601 dates and times. Days from the civil calendar and back: Howard Hinnant, "chrono-compatible low-level date
 * algorithms" (years are counted from 1 March, so that the leap day is the last of its year). */
#include "base/number_inner.h"

#define DAY_NS ((int64_t)86400 * 1000000000)
#define IS_DIGIT(c) ((unsigned)((c) - '0') < 10u)

static int64_t days_from_civil(int64_t y, int64_t m, int64_t d) {
  y -= m <= 2;
  int64_t era = (y >= 0 ? y : y - 399) / 400, year = y - era * 400;
  int64_t day = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  return era * 146097 + year * 365 + year / 4 - year / 100 + day - 719468;
}

/* `n` digits at *p as a number, or -1. */
static int64_t take_number(const char **p, const char *end, int n) {
  int64_t v = 0;
  if (end - *p < n) return -1;
  for (int i = 0; i < n; i++) {
    if (!IS_DIGIT((*p)[i])) return -1;
    v = v * 10 + ((*p)[i] - '0');
  }
  *p += n;
  return v;
}

static int take_char(const char **p, const char *end, char c) {
  if (*p >= end || **p != c) return 0;
  ++*p;
  return 1;
}

/* [Z | (+|-)HH:MM] to the end. */
static int take_zone(const char **p, const char *end, int64_t *seconds) {
  *seconds = 0;
  if (*p == end || take_char(p, end, 'Z') || take_char(p, end, 'z')) return *p == end;
  int64_t sign = **p == '-' ? -1 : 1;
  if (!take_char(p, end, '-') && !take_char(p, end, '+')) return 0;
  int64_t h = take_number(p, end, 2);
  (void)take_char(p, end, ':');
  int64_t m = take_number(p, end, 2);
  if (h < 0 || h > 23 || m < 0 || m > 59) return 0;
  *seconds = sign * (h * 3600 + m * 60);
  return *p == end;
}

static int take_clock(const char **p, const char *end, int64_t *seconds, int64_t *ns) {
  int64_t h = take_number(p, end, 2), s = 0;
  if (h < 0 || h > 23 || !take_char(p, end, ':')) return 0;
  int64_t m = take_number(p, end, 2);
  if (m < 0 || m > 59) return 0;
  *ns = 0;
  if (take_char(p, end, ':')) {
    s = take_number(p, end, 2);
    if (s < 0 || s > 60) return 0; /* 60: a leap second counts as the first of the next minute */
    if (take_char(p, end, '.') || take_char(p, end, ',')) {
      int64_t unit = 100000000;
      if (*p >= end || !IS_DIGIT(**p)) return 0;
      for (; *p < end && IS_DIGIT(**p); ++*p, unit /= 10) *ns += unit * (**p - '0');
    }
  }
  *seconds = h * 3600 + m * 60 + s;
  return 1;
}

int lt_parse_time(const char *s, const char *end, int64_t *ns) {
  static const int8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (!s || end - s < 10) return 0;
  const char *p = s;
  int64_t y = take_number(&p, end, 4), seconds = 0, fraction = 0, zone = 0;
  char between = *p;
  if (y < 0 || (between != '-' && between != '/')) return 0;
  p++;
  int64_t m = take_number(&p, end, 2);
  if (m < 1 || m > 12 || !take_char(&p, end, between)) return 0;
  int64_t d = take_number(&p, end, 2), leap = m == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
  if (d < 1 || d > month_days[m - 1] + leap) return 0;
  if (p < end) {
    if (!take_char(&p, end, 'T') && !take_char(&p, end, ' ') && !take_char(&p, end, 't')) return 0;
    if (!take_clock(&p, end, &seconds, &fraction) || !take_zone(&p, end, &zone)) return 0;
  }
  int64_t total = days_from_civil(y, m, d) * 86400 + seconds - zone;
  /* int64 nanoseconds end in 1677 and 2262; the lowest value means missing elsewhere */
  if (total > INT64_MAX / 1000000000 - 1 || total < INT64_MIN / 1000000000 + 1) return 0;
  *ns = total * 1000000000 + fraction;
  return 1;
}

static char *put_padded(char *p, int64_t v, int n) {
  for (int i = n; i-- > 0; v /= 10) p[i] = (char)('0' + v % 10);
  return p + n;
}

int lt_time_text(int64_t ns, char buf[40]) {
  int64_t days = ns / DAY_NS, rest = ns % DAY_NS;
  if (rest < 0) rest += DAY_NS, days--;
  int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
  int64_t year = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  int64_t doy = doe - (365 * year + year / 4 - year / 100), mp = (5 * doy + 2) / 153;
  int64_t d = doy - (153 * mp + 2) / 5 + 1, m = mp < 10 ? mp + 3 : mp - 9, y = year + era * 400 + (m <= 2);
  char *p = put_padded(buf, y, 4);
  *p++ = '-';
  p = put_padded(p, m, 2);
  *p++ = '-';
  p = put_padded(p, d, 2);
  *p++ = 'T';
  int64_t seconds = rest / 1000000000, fraction = rest % 1000000000;
  p = put_padded(p, seconds / 3600, 2);
  *p++ = ':';
  p = put_padded(p, seconds / 60 % 60, 2);
  *p++ = ':';
  p = put_padded(p, seconds % 60, 2);
  if (fraction) {
    int digits = fraction % 1000000 == 0 ? 3 : fraction % 1000 == 0 ? 6 : 9;
    *p++ = '.';
    p = put_padded(p, digits == 3 ? fraction / 1000000 : digits == 6 ? fraction / 1000 : fraction, digits);
  }
  *p++ = 'Z';
  *p = 0;
  return (int)(p - buf);
}
