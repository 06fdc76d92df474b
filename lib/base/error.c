/* Status, caller-owned errors, struct sizes, near-miss names. */
#include "base/error.h"
#include "base/os.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Cuts a text that did not fit at a whole UTF-8 character and marks the cut. */
static void error_mark_cut(char *text, uint64_t cap) {
  if (cap < 5) return;
  uint64_t n = cap - 4;
  while (n && ((unsigned char)text[n] & 0xC0u) == 0x80u) n--;
  memcpy(text + n, "...", 4);
}

static void error_store(leat_error *err, const leat_error *full) {
  const uint64_t at = offsetof(leat_error, message);
  uint64_t given = err->struct_size;
  lt_give_struct(err, given, full, sizeof *full);
  if (given > at && given < sizeof *full) {
    uint64_t cap = given - at;
    if (strlen(full->message) >= cap) {
      err->message[cap - 1] = 0;
      error_mark_cut(err->message, cap);
    }
  }
}

static leat_status error_fill(leat_error *err, leat_status code, int32_t os_code, int64_t row, int64_t column,
                              const char *fmt, va_list args) {
  leat_error full;
  int n;
  if (!err) return code;
  memset(&full, 0, sizeof full);
  full.code = code;
  full.os_code = os_code;
  full.detail[0] = row;
  full.detail[1] = column;
  n = vsnprintf(full.message, sizeof full.message, fmt, args);
  if (n < 0) full.message[0] = 0;
  else if ((uint64_t)n >= sizeof full.message) error_mark_cut(full.message, sizeof full.message);
  else if (os_code) {
    const char *why = lt_os_error_text(os_code);
    uint64_t left = sizeof full.message - (uint64_t)n;
    int m = why ? snprintf(full.message + n, left, ": %s", why)
                : snprintf(full.message + n, left, ": system error %ld", (long)os_code);
    if (m > 0 && (uint64_t)m >= left) error_mark_cut(full.message, sizeof full.message);
  }
  error_store(err, &full);
  return code;
}

leat_status lt_fail(leat_error *err, leat_status code, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  error_fill(err, code, 0, 0, 0, fmt, args);
  va_end(args);
  return code;
}

leat_status lt_fail_os(leat_error *err, leat_status code, int32_t os_code, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  error_fill(err, code, os_code, 0, 0, fmt, args);
  va_end(args);
  return code;
}

leat_status lt_fail_at(leat_error *err, leat_status code, int64_t row, int64_t column, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  error_fill(err, code, 0, row, column, fmt, args);
  va_end(args);
  return code;
}

leat_status lt_fail_memory(leat_error *err, uint64_t bytes, const char *what) {
  lt_fail(err, LEAT_E_MEMORY, "no memory for %llu bytes of %s", (unsigned long long)bytes, what);
  if (err && err->struct_size >= offsetof(leat_error, message))
    err->detail[3] = bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes;
  return LEAT_E_MEMORY;
}

leat_status lt_ok(leat_error *err) {
  if (err) {
    uint64_t given = err->struct_size, first = offsetof(leat_error, code), fixed = offsetof(leat_error, message);
    if (given > first) {
      uint64_t end = given < fixed ? given : fixed;
      memset((char *)err + first, 0, end - first);
      if (given > fixed) err->message[0] = 0;
    }
  }
  return LEAT_OK;
}

/* ---- near misses */
enum { NEAR_MAX = 96 };
static unsigned char near_fold(char c) {
  if (c >= 'A' && c <= 'Z') return (unsigned char)(c - 'A' + 'a');
  return (unsigned char)(c == '-' || c == ' ' ? '_' : c);
}

/* Edit distance with neighbours swapped counting as one (optimal string alignment), three rows of the table. */
static uint64_t near_distance(const char *a, uint64_t n, const char *b, uint64_t m) {
  uint64_t rows[3][NEAR_MAX + 1], *last = rows[0], *row = rows[1], *before = rows[2];
  for (uint64_t j = 0; j <= m; j++) last[j] = j;
  memset(before, 0, sizeof rows[2]);
  for (uint64_t i = 1; i <= n; i++) {
    row[0] = i;
    for (uint64_t j = 1; j <= m; j++) {
      unsigned char x = near_fold(a[i - 1]), y = near_fold(b[j - 1]);
      uint64_t best = last[j - 1] + (x != y);
      if (last[j] + 1 < best) best = last[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      if (i > 1 && j > 1 && x == near_fold(b[j - 2]) && y == near_fold(a[i - 2]) && before[j - 2] + 1 < best)
        best = before[j - 2] + 1;
      row[j] = best;
    }
    uint64_t *spare = before;
    before = last;
    last = row;
    row = spare;
  }
  return last[m];
}

const char *lt_nearest(const char *name, const char *const *candidates, int64_t n) {
  uint64_t len = name ? strlen(name) : 0, limit = len / 3 > 1 ? len / 3 : 1, best = UINT64_MAX;
  const char *found = NULL;
  if (!len || len > NEAR_MAX) return NULL;
  for (int64_t i = 0; i < n; i++) {
    uint64_t m = candidates[i] ? strlen(candidates[i]) : 0, d;
    if (!m || m > NEAR_MAX) continue;
    d = near_distance(name, len, candidates[i], m);
    if (d <= limit && d < best && d < (len > m ? len : m)) {
      best = d;
      found = candidates[i];
    }
  }
  return found;
}

/* ---- struct sizes */
leat_status lt_take_struct(void *dst, uint64_t known, const void *src, uint64_t given, const char *what,
                           leat_error *err) {
  const unsigned char *bytes = src;
  memset(dst, 0, known);
  if (given < sizeof(uint64_t))
    return lt_fail(err, LEAT_E_ARG, "%s: struct_size is %llu; set it to sizeof the struct", what,
                   (unsigned long long)given);
  /* A struct of another version is a little larger, never pages larger: such a size was never set. */
  if (given > known + 4096)
    return lt_fail(err, LEAT_E_ARG, "%s: struct_size is %llu, which no version has; set it to sizeof the struct (%llu)",
                   what, (unsigned long long)given, (unsigned long long)known);
  for (uint64_t i = known; i < given; i++)
    if (bytes[i])
      return lt_fail(err, LEAT_E_VERSION,
                     "%s: byte %llu is set, but this version of leat knows only %llu bytes of the struct", what,
                     (unsigned long long)i, (unsigned long long)known);
  memcpy(dst, src, given < known ? given : known);
  memcpy(dst, &known, sizeof known);
  return LEAT_OK;
}

void lt_give_struct(void *dst, uint64_t given, const void *src, uint64_t known) {
  uint64_t n = given < known ? given : known;
  if (n > sizeof(uint64_t))
    memcpy((char *)dst + sizeof(uint64_t), (const char *)src + sizeof(uint64_t), n - sizeof(uint64_t));
}

leat_status lt_give_text(const char *text, uint64_t len, char *buf, uint64_t cap, uint64_t *needed, leat_error *err) {
  if (needed) *needed = len + 1;
  if (buf && cap > len) {
    memcpy(buf, text, len);
    buf[len] = 0;
    return LEAT_OK;
  }
  if (!buf && cap) {
    if (needed) *needed = 0;
    return lt_fail(err, LEAT_E_ARG, "buf is NULL, but cap is %llu", (unsigned long long)cap);
  }
  if (cap) buf[0] = 0;
  lt_fail(err, LEAT_E_CAPACITY, "the text takes %llu bytes with its final NUL, the buffer has %llu",
          (unsigned long long)(len + 1), (unsigned long long)cap);
  if (err && err->struct_size >= offsetof(leat_error, message)) err->detail[3] = (int64_t)(len + 1);
  return LEAT_E_CAPACITY;
}
