/* JSON (RFC 8259), read in place: no tree is built, so that a body of 64 MiB costs 64 MiB. */
#include "serve.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int serve_json_fail(serve_json *j, const char *fmt, ...) {
  va_list a;
  if (j->why[0]) return 0;
  va_start(a, fmt);
  vsnprintf(j->why, sizeof j->why, fmt, a);
  va_end(a);
  return 0;
}

/* Lengths by the first byte; the ranges of the second byte keep out long forms, surrogates and what is above U+10FFFF. */
int serve_utf8(const char *s, size_t n) {
  const unsigned char *p = (const unsigned char *)s, *end = p + n;
  while (p < end) {
    unsigned c = *p++, low = 0x80, high = 0xbf;
    int more;
    if (c < 0x80) continue;
    if (c < 0xc2 || c > 0xf4) return 0;
    more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    if (c == 0xe0) low = 0xa0;
    if (c == 0xed) high = 0x9f;
    if (c == 0xf0) low = 0x90;
    if (c == 0xf4) high = 0x8f;
    for (; more; more--, p++) {
      if (p >= end || *p < low || *p > high) return 0;
      low = 0x80;
      high = 0xbf;
    }
  }
  return 1;
}

static int hex4(const char *s, const char *end, unsigned *v) {
  *v = 0;
  for (int i = 0; i < 4; i++, s++) {
    if (s >= end) return 0;
    unsigned c = (unsigned char)*s, d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' &&
        c <= 'F' ? c - 'A' + 10 : 99;
    if (d > 15) return 0;
    *v = *v << 4 | d;
  }
  return 1;
}

static size_t put_utf8(unsigned c, char out[4]) {
  if (c < 0x80) return (void)(out[0] = (char)c), (size_t)1;
  if (c < 0x800) {
    out[0] = (char)(0xc0 | c >> 6);
    out[1] = (char)(0x80 | (c & 63));
    return 2;
  }
  if (c < 0x10000) {
    out[0] = (char)(0xe0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 63));
    out[2] = (char)(0x80 | (c & 63));
    return 3;
  }
  out[0] = (char)(0xf0 | c >> 18);
  out[1] = (char)(0x80 | (c >> 12 & 63));
  out[2] = (char)(0x80 | (c >> 6 & 63));
  out[3] = (char)(0x80 | (c & 63));
  return 4;
}

/* One escape behind the backslash; how many bytes of the request it takes, 0 when it is none. */
static size_t unescape(const char *s, const char *end, char out[4], size_t *n) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  const char *k = s < end && *s ? strchr(from, *s) : NULL;
  unsigned c, low;
  *n = 1;
  if (k) return (void)(out[0] = to[k - from]), (size_t)1;
  if (s >= end || *s != 'u' || !hex4(s + 1, end, &c)) return 0;
  size_t used = 5;
  if (c >= 0xdc00 && c < 0xe000) return 0;
  if (c >= 0xd800 && c < 0xdc00) {
    if (end - s < 11 || s[5] != '\\' || s[6] != 'u' || !hex4(s + 7, end, &low) || low < 0xdc00 || low > 0xdfff) return 0;
    c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    used = 11;
  }
  *n = put_utf8(c, out);
  return used;
}

/* The first byte that is a quote, a backslash, a control character or no ASCII; eight at a time (Lamport 1975: bytes of
 * a word that are below n are those that borrow). */
static const char *plain_end(const char *s, const char *end) {
  const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
  for (; end - s >= 8; s += 8) {
    uint64_t v;
    memcpy(&v, s, 8);
    uint64_t quote = v ^ ones * '"', slash = v ^ ones * '\\';
    uint64_t found = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | (v - ones * 0x20) | v;
    if ((found &= high) == 0) continue;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return s + (__builtin_ctzll(found) >> 3); /* the first one is told rightly; behind it borrows may err */
#else
    break;
#endif
  }
  while (s < end && *s != '"' && *s != '\\' && (unsigned char)*s >= 0x20 && (unsigned char)*s < 0x80) s++;
  return s;
}

int serve_json_string(serve_json *j, char *buf, size_t cap, const char **text, size_t *n) {
  if (!serve_json_take(j, '"')) return serve_json_fail(j, "expected a string");
  const char *from = j->at;
  size_t used = 0;
  int escaped = 0;
  j->at = plain_end(from, j->end);
  if (j->at < j->end && *j->at == '"') { /* as most are */
    *text = from;
    *n = (size_t)(j->at++ - from);
    return 1;
  }
  for (j->at = from;; j->at++) {
    char four[4], *into = four;
    size_t k = 1, took = 1;
    if (j->at >= j->end) return serve_json_fail(j, "a string does not end");
    if (*j->at == '"') break;
    if ((unsigned char)*j->at < 0x20)
      return serve_json_fail(j, "a control character in a string: write it as \\u%04x", (unsigned char)*j->at);
    if (*j->at == '\\') {
      if (!escaped && buf) {
        used = (size_t)(j->at - from);
        if (used > cap) return serve_json_fail(j, "a string is too long");
        memcpy(buf, from, used);
      }
      escaped = 1;
      took = unescape(j->at + 1, j->end, into, &k);
      if (!took) return serve_json_fail(j, "a string has a wrong escape");
      j->at += took;
    } else four[0] = *j->at;
    if (!escaped || !buf) continue;
    if (used + k > cap) return serve_json_fail(j, "a string is too long: at most %zu bytes here", cap);
    memcpy(buf + used, into, k);
    used += k;
  }
  *text = escaped && buf ? buf : from;
  *n = escaped && buf ? used : (size_t)(j->at - from);
  if (!serve_utf8(from, (size_t)(j->at - from))) return serve_json_fail(j, "a string is not UTF-8");
  j->at++;
  return 1;
}

static int digits(serve_json *j) {
  const char *from = j->at;
  while (j->at < j->end && *j->at >= '0' && *j->at <= '9') j->at++;
  return j->at > from;
}

static const double ten[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
  1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

/* Exact when the digits fit into 53 bits and the power of ten into a double (Clinger 1990); else the C library. */
int serve_json_number(serve_json *j, double *v, int *whole) {
  serve_json_peek(j);
  const char *from = j->at, *point = NULL, *last;
  if (j->at < j->end && *j->at == '-') j->at++;
  const char *first = j->at;
  if (!digits(j) || (*first == '0' && j->at - first > 1))
    return serve_json_fail(j, "expected a number (NaN and Infinity are none; null is a missing value)");
  if (j->at < j->end && *j->at == '.') {
    point = j->at++;
    if (!digits(j)) return serve_json_fail(j, "a number ends behind its point");
  }
  last = j->at;
  int exponent = j->at < j->end && (*j->at == 'e' || *j->at == 'E');
  if (exponent) {
    j->at++;
    if (j->at < j->end && (*j->at == '+' || *j->at == '-')) j->at++;
    if (!digits(j)) return serve_json_fail(j, "a number ends behind its exponent's sign");
  }
  if (whole) *whole = !point && !exponent;
  int fraction = point ? (int)(last - point - 1) : 0;
  if (!exponent && last - first <= 16 && fraction <= 22) {
    uint64_t m = 0;
    for (const char *p = first; p < last; p++)
      if (*p != '.') m = m * 10 + (uint64_t)(*p - '0');
    if (m < (uint64_t)1 << 53) {
      *v = (double)m / ten[fraction];
      if (*from == '-') *v = -*v;
      return 1;
    }
  }
  char text[512];
  size_t n = (size_t)(j->at - from);
  if (n >= sizeof text) return serve_json_fail(j, "a number has more than 500 characters");
  memcpy(text, from, n);
  text[n] = 0;
  *v = strtod(text, NULL); /* the program stays in the C locale */
  if (!isfinite(*v)) return serve_json_fail(j, "the number %.40s is beyond a double", text);
  return 1;
}

int serve_json_i64(serve_json *j, int64_t *v) {
  double d;
  int whole;
  if (!serve_json_number(j, &d, &whole)) return 0;
  if (!whole || fabs(d) > 9007199254740992.0) return serve_json_fail(j, "expected an integer within 2^53");
  *v = (int64_t)d;
  return 1;
}

static int word(serve_json *j, const char *w) {
  size_t n = strlen(w);
  if ((size_t)(j->end - j->at) < n || memcmp(j->at, w, n) != 0) return 0;
  j->at += n;
  return 1;
}

int serve_json_bool(serve_json *j, int *v) {
  serve_json_peek(j);
  if (word(j, "true")) return (void)(*v = 1), 1;
  if (word(j, "false")) return (void)(*v = 0), 1;
  return serve_json_fail(j, "expected true or false");
}

int serve_json_skip(serve_json *j, int depth) {
  const char *text;
  size_t n;
  double v;
  char c = serve_json_peek(j);
  if (c == '"') return serve_json_string(j, NULL, 0, &text, &n);
  if (c == '-' || (c >= '0' && c <= '9')) return serve_json_number(j, &v, NULL);
  if (c == 't' || c == 'f' || c == 'n')
    return word(j, "true") || word(j, "false") || word(j, "null") || serve_json_fail(j, "an unknown word");
  if (c == 'N' || c == 'I')
    return serve_json_fail(j, "expected a value: NaN and Infinity are no JSON numbers, null is a missing value");
  if (c != '{' && c != '[')
    return serve_json_fail(j, c ? "'%c' is where a value should be" : "the text ends where a value should be%c", c ? c
                           : ' ');
  if (depth >= SERVE_DEPTH) return serve_json_fail(j, "nested deeper than %d", SERVE_DEPTH);
  char close = c == '{' ? '}' : ']';
  j->at++;
  if (serve_json_take(j, close)) return 1;
  do {
    if (c == '{') {
      if (!serve_json_string(j, NULL, 0, &text, &n)) return 0;
      if (!serve_json_take(j, ':')) return serve_json_fail(j, "a ':' is missing");
    }
    if (!serve_json_skip(j, depth + 1)) return 0;
  } while (serve_json_take(j, ','));
  return serve_json_take(j, close) || serve_json_fail(j, "a '%c' or ',' is missing", close);
}

/* ---- text of an answer */

void serve_text_add(serve_text *t, const void *s, size_t n) {
  if (t->n + n > t->cap) {
    t->cap = 2 * (t->n + n) + 1024;
    t->s = serve_grow(t->s, t->cap);
  }
  memcpy(t->s + t->n, s, n);
  t->n += n;
}

void serve_text_string(serve_text *t, const char *s) { serve_text_add(t, s, strlen(s)); }

void serve_text_rest(serve_text *t, size_t most) {
  if (t->cap <= most) return;
  free(t->s);
  *t = (serve_text){ NULL, 0, 0 };
}

void serve_text_escaped(serve_text *t, const char *s, size_t n) {
  size_t from = 0;
  for (size_t i = 0; i <= n; i++) {
    unsigned char c = i < n ? (unsigned char)s[i] : 0;
    char text[8];
    if (i < n && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
    if (i > from) serve_text_add(t, s + from, i - from);
    from = i + 1;
    if (i == n) break;
    if (c == '"' || c == '\\') serve_text_add(t, c == '"' ? "\\\"" : "\\\\", 2);
    else serve_text_add(t, text, (size_t)snprintf(text, sizeof text, "\\u%04x", c));
  }
}

void serve_text_i64(serve_text *t, int64_t v) {
  char text[24];
  int i = (int)sizeof text;
  uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
  do text[--i] = (char)('0' + u % 10);
  while ((u /= 10) > 0);
  if (v < 0) text[--i] = '-';
  serve_text_add(t, text + i, sizeof text - (size_t)i);
}

/* The shortest of 6 to 9 digits that reads back as f, for 1e-4 <= f < 1; 0: not one of these. */
static int unit_text(float f, char out[32]) {
  static const double power[] = { 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12 };
  if (!(f >= 1e-4f && f < 1)) return 0;
  int from = f >= .1f ? 0 : f >= .01f ? 1 : f >= .001f ? 2 : 3;
  for (int k = from; k <= from + 3; k++) {
    uint64_t u = (uint64_t)((double)f * power[k] + .5);
    if ((double)u >= power[k]) return 0;
    if ((float)((double)u / power[k]) != f) continue;
    int digits = k + 6;
    while (u % 10 == 0) u /= 10, digits--;
    for (int i = digits; i > 0; i--, u /= 10) out[1 + i] = (char)('0' + u % 10);
    out[0] = '0';
    out[1] = '.';
    return 2 + digits;
  }
  return 0;
}

void serve_text_f32(serve_text *t, float f) {
  char text[32];
  int n = unit_text(f, text);
  for (int digits = 7; !n && digits <= 9; digits++) {
    int k = snprintf(text, sizeof text, "%.*g", digits, (double)f);
    if (digits == 9 || strtof(text, NULL) == f) n = k;
  }
  serve_text_add(t, text, (size_t)n);
}

/* The shortest of 15 to 17 digits that reads back as v. */
static int f64_text(double v, char text[40]) {
  int n = 0;
  for (int kept = 15; kept <= 17; kept++) {
    n = snprintf(text, 40, "%.*g", kept, v);
    if (kept == 17 || strtod(text, NULL) == v) break;
  }
  return n;
}

void serve_text_f64(serve_text *t, double v) {
  char text[40];
  if (isfinite(v)) serve_text_add(t, text, (size_t)f64_text(v, text));
  else serve_text_add(t, "null", 4);
}

void serve_put_text(struct evbuffer *to, const char *s, size_t n) {
  serve_text t = { NULL, 0, 0 };
  serve_text_escaped(&t, s, n);
  evbuffer_add(to, t.s, t.n);
  serve_text_rest(&t, 0);
}

void serve_put_f64(struct evbuffer *to, double v) {
  char text[40];
  if (isfinite(v)) evbuffer_add(to, text, (size_t)f64_text(v, text));
  else evbuffer_add(to, "null", 4);
}
