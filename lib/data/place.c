/* Errors that name a file, a row, a column and a value. */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "data/reader.h"

leat_status lt_fail_copy(leat_error *err, const leat_error *from) {
  if (from->os_code) return lt_fail_os(err, from->code, from->os_code, "%s", from->message);
  return lt_fail_at(err, from->code, from->detail[0], from->detail[1], "%s", from->message);
}

/* A value as it may stand in a message: short, printable. */
static void show(const char *s, uint64_t len, char out[64]) {
  uint64_t n = 0;
  for (; n < len && n < 48; n++) out[n] = (unsigned char)s[n] < 32 || s[n] == 127 ? '?' : s[n];
  if (n < len) {
    while (n && ((unsigned char)s[n] & 0xc0) == 0x80) n--; /* not inside a UTF-8 character */
    memcpy(out + n, "...", 3);
    n += 3;
  }
  out[n] = 0;
}

static leat_status fail_at_place(leat_error *err, const lt_place *at, const char *text) {
  char where[96] = "", column[160] = "";
  if (at->row > 0) snprintf(where, sizeof where, ": row %lld (line %lld)", (long long)at->row, (long long)at->line);
  else if (at->line > 0) snprintf(where, sizeof where, ": line %lld", (long long)at->line);
  if (at->name) {
    char name[64];
    show(at->name, strlen(at->name), name);
    snprintf(column, sizeof column, ", column '%s'", name);
  }
  return lt_fail_at(err, LEAT_E_DATA, at->row, at->column, "%s%s%s: %s", at->file, where, column, text);
}

leat_status lt_fail_place(leat_error *err, const lt_place *at, const char *why) { return fail_at_place(err, at, why); }

leat_status lt_fail_value(leat_error *err, const lt_place *at, const char *s, uint64_t len, const char *why) {
  char value[64], text[256];
  show(s, len, value);
  snprintf(text, sizeof text, "'%s' %s", value, why);
  return fail_at_place(err, at, text);
}

/* "1,234,567" -> "1234567", "1,5" -> "1.5", "$ 5" -> no idea. */
static int without_commas(const char *s, uint64_t len, char out[48]) {
  uint64_t n = 0, commas = 0, last = 0;
  int groups = 1;
  if (len >= 40) return 0;
  for (uint64_t i = 0; i < len; i++) {
    if (s[i] != ',') {
      out[n++] = s[i];
      continue;
    }
    if (commas && i - last != 4) groups = 0;
    commas++;
    last = i;
  }
  if (!commas) return 0;
  uint64_t behind = 0;
  while (last + 1 + behind < len && s[last + 1 + behind] >= '0' && s[last + 1 + behind] <= '9') behind++;
  if (behind != 3) groups = 0;
  double v;
  if (groups) {
    out[n] = 0;
    return lt_parse_f64(out, out + n, &v);
  }
  if (commas != 1) return 0;
  memcpy(out, s, len);
  out[last] = '.';
  out[len] = 0;
  return lt_parse_f64(out, out + len, &v);
}

leat_status lt_fail_number(leat_error *err, const lt_place *at, const char *s, uint64_t len) {
  char fixed[48], why[160];
  if (without_commas(s, len, fixed))
    snprintf(why, sizeof why, "is not a number; write %s, or declare the column with --categorical", fixed);
  else
    snprintf(why, sizeof why,
             "is not a number; declare the column with --categorical, or the value as missing (missing=...)");
  return lt_fail_value(err, at, s, len, why);
}
