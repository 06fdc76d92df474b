/* Flat JSON objects, one a line (RFC 8259, strict): the fields of a record as the CSV reader takes them. */
#include <stdio.h>
#include <string.h>

#include "data/csv.h"

static const char *skip_white(const char *p, const char *end) {
  while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++;
  return p;
}

static int hex4(const char *p, const char *end, uint32_t *out) {
  *out = 0;
  if (end - p < 4) return 0;
  for (int i = 0; i < 4; i++) {
    char c = p[i];
    uint32_t d = c >= '0' && c <= '9' ? (uint32_t)(c - '0') : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                 : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10) : 16;
    if (d > 15) return 0;
    *out = *out << 4 | d;
  }
  return 1;
}

static char *put_utf8(char *out, uint32_t c) {
  if (c < 0x80) {
    *out++ = (char)c;
  } else if (c < 0x800) {
    *out++ = (char)(0xc0 | c >> 6);
    *out++ = (char)(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    *out++ = (char)(0xe0 | c >> 12);
    *out++ = (char)(0x80 | (c >> 6 & 0x3f));
    *out++ = (char)(0x80 | (c & 0x3f));
  } else {
    *out++ = (char)(0xf0 | c >> 18);
    *out++ = (char)(0x80 | (c >> 12 & 0x3f));
    *out++ = (char)(0x80 | (c >> 6 & 0x3f));
    *out++ = (char)(0x80 | (c & 0x3f));
  }
  return out;
}

/* The escape behind the backslash at *at, into *out: never longer than the escape itself. */
static int unescape(const char **at, const char *end, char **out) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  const char *p = *at + 1;
  if (p >= end) return 0;
  if (*p != 'u') {
    const char *k = *p ? strchr(from, *p) : NULL;
    if (!k) return 0;
    *(*out)++ = to[k - from];
    *at = p + 1;
    return 1;
  }
  uint32_t c, low;
  if (!hex4(p + 1, end, &c) || !c || (c >= 0xdc00 && c < 0xe000)) return 0; /* no NUL, no lone surrogate */
  p += 5;
  if (c >= 0xd800 && c < 0xdc00) {
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u' || !hex4(p + 2, end, &low) || low < 0xdc00 || low > 0xdfff) return 0;
    c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    p += 6;
  }
  *out = put_utf8(*out, c);
  *at = p;
  return 1;
}

/* The string whose opening quote is at *at; unescaped into *scratch when it has to be. */
static int json_string(lt_csv_text *t, const char **at, char **scratch, uint64_t *cap, lt_field *out) {
  const char *start = *at + 1, *p = start;
  while (p < t->end && *p != '"' && *p != '\\' && (unsigned char)*p >= 32) p++;
  if (p < t->end && *p == '"') {
    *out = (lt_field){start, (uint64_t)(p - start)};
    *at = p + 1;
    return LT_FIELD_MORE;
  }
  if (p == t->end || *p != '\\') return LT_FIELD_JUNK;
  const char *e = p; /* how long can it be? */
  while (e < t->end && *e != '"') e += *e == '\\' ? 2 : 1;
  if (e >= t->end) return LT_FIELD_JUNK;
  if (t->skim) { /* only looked at */
    char sink[8], *none = sink;
    for (; *p != '"'; none = sink)
      if ((unsigned char)*p < 32 || (*p == '\\' && !unescape(&p, e, &none))) return LT_FIELD_JUNK;
      else if (none == sink) p++;
    *out = (lt_field){start, (uint64_t)(p - start)};
    *at = p + 1;
    return LT_FIELD_MORE;
  }
  if (lt_grow(t->rt, (void **)scratch, cap, (uint64_t)(e - start) + 1, 1, NULL)) return LT_FIELD_MEMORY;
  char *to = *scratch + (p - start);
  memcpy(*scratch, start, (uint64_t)(p - start));
  while (*p != '"') {
    if ((unsigned char)*p < 32) return LT_FIELD_JUNK;
    if (*p != '\\') *to++ = *p++;
    else if (!unescape(&p, e, &to)) return LT_FIELD_JUNK;
  }
  *out = (lt_field){*scratch, (uint64_t)(to - *scratch)};
  *at = p + 1;
  return LT_FIELD_MORE;
}

static const char *digits(const char *p, const char *end) {
  while (p < end && *p >= '0' && *p <= '9') p++;
  return p;
}

/* Behind the number at p, or NULL. */
static const char *json_number(const char *p, const char *end) {
  const char *q;
  if (p < end && *p == '-') p++;
  q = digits(p, end);
  if (q == p || (*p == '0' && q - p > 1)) return NULL;
  p = q;
  if (p < end && *p == '.') {
    q = digits(p + 1, end);
    if (q == p + 1) return NULL;
    p = q;
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    p++;
    if (p < end && (*p == '+' || *p == '-')) p++;
    q = digits(p, end);
    if (q == p) return NULL;
    p = q;
  }
  return p;
}

/* Behind the object or array at p, by its brackets alone; NULL when it does not end. */
static const char *skip_nested(const char *p, const char *end) {
  int64_t depth = 0;
  for (; p < end; p++) {
    if (*p == '"') {
      for (p++; p < end && *p != '"'; p++) p += *p == '\\';
      if (p >= end) return NULL;
    } else if (*p == '{' || *p == '[') {
      depth++;
    } else if ((*p == '}' || *p == ']') && --depth == 0) {
      return p + 1;
    }
  }
  return NULL;
}

static int json_value(lt_csv_text *t, const char **at, lt_field *out) {
  static const char *const words[] = {"true", "false", "null"};
  const char *p = *at;
  if (p == t->end) return LT_FIELD_JUNK;
  if (*p == '"') return json_string(t, at, &t->scratch, &t->scratch_cap, out);
  if (*p == '{' || *p == '[') {
    const char *behind = skip_nested(p, t->end);
    if (!behind) return LT_FIELD_JUNK;
    *out = (lt_field){p, (uint64_t)(behind - p)};
    *at = behind;
    return LT_FIELD_NESTED;
  }
  for (int k = 0; k < 3; k++) {
    uint64_t n = strlen(words[k]);
    if ((uint64_t)(t->end - p) < n || memcmp(p, words[k], n) != 0) continue;
    *out = (lt_field){p, k == 2 ? 0 : n};
    *at = p + n;
    return LT_FIELD_MORE;
  }
  const char *behind = json_number(p, t->end);
  if (!behind) return LT_FIELD_JUNK;
  *out = (lt_field){p, (uint64_t)(behind - p)};
  *at = behind;
  return LT_FIELD_MORE;
}

int lt_json_open(lt_csv_text *t) {
  const char *p = skip_white(t->p, t->end);
  if (p == t->end || *p != '{') return LT_FIELD_JUNK;
  p = skip_white(p + 1, t->end);
  if (p < t->end && *p == '}') {
    t->p = p + 1;
    return skip_white(t->p, t->end) == t->end ? LT_FIELD_LAST : LT_FIELD_JUNK;
  }
  t->p = p;
  return LT_FIELD_MORE;
}

int lt_json_field(lt_csv_text *t, lt_field *key, lt_field *value, int *nested) {
  const char *p = skip_white(t->p, t->end);
  *nested = 0;
  if (p == t->end || *p != '"') return LT_FIELD_JUNK;
  int st = json_string(t, &p, &t->name, &t->name_cap, key);
  if (st < 0) return st;
  p = skip_white(p, t->end);
  if (p == t->end || *p != ':') return LT_FIELD_JUNK;
  p = skip_white(p + 1, t->end);
  st = json_value(t, &p, value);
  if (st == LT_FIELD_NESTED) *nested = 1;
  else if (st < 0) return st;
  t->p = p = skip_white(p, t->end);
  if (p == t->end) return LT_FIELD_JUNK;
  if (*p == ',') {
    t->p = p + 1;
    return LT_FIELD_MORE;
  }
  if (*p != '}') return LT_FIELD_JUNK;
  t->p = p + 1;
  return skip_white(t->p, t->end) == t->end ? LT_FIELD_LAST : LT_FIELD_JUNK;
}

/* Is all of [p, end) an object? */
static int is_object(lt_csv_text *t, const char *p, const char *end) {
  lt_field key, value;
  int nested;
  t->p = p;
  t->end = end;
  t->skim = 1;
  int more = lt_json_open(t);
  while (more == LT_FIELD_MORE) more = lt_json_field(t, &key, &value, &nested);
  t->skim = 0;
  return more == LT_FIELD_LAST;
}

leat_status lt_json_fail(leat_error *err, const lt_place *at, const char *from, const char *to, const char *p) {
  char why[160];
  snprintf(why, sizeof why, "is no JSON object {\"name\": value, ...} in one line, with each name once: it can be read up to byte %lld",
           (long long)(p > from ? p - from : 0));
  return lt_fail_value(err, at, from, (uint64_t)(to - from), why);
}

int lt_json_whole(const lt_csv *c, const char *p, const char *end) {
  lt_csv_text t = lt_csv_cursor(c, p, end);
  return is_object(&t, p, end);
}

int64_t lt_json_column(const lt_csv *c, const lt_field *key, int64_t hint) {
  uint64_t len = 0;
  const char *name = hint < c->n ? lt_dict_text(c->names, hint, &len) : NULL;
  if (name && len == key->len && !memcmp(name, key->s, len)) return hint;
  return lt_dict_find(c->names, key->s, key->len);
}

enum { NAME_ROWS = 10000, NAMES_MOST = 65536 };

/* The keys of the first records, in the order in which they come up, are the columns. */
leat_status lt_json_names(lt_csv *c, const char *from, const char *end, leat_error *err) {
  lt_csv_text t = lt_csv_cursor(c, from, end);
  leat_status st = LEAT_OK;
  int64_t line = 1;
  const char *p = from;
  for (int64_t row = 1; !st && row <= NAME_ROWS; row++) {
    const char *record = lt_csv_skip_blank(p, end, c->delim);
    for (; p < record; p++) line += *p == '\n';
    if (p == end) break;
    const char *newline = memchr(p, '\n', (uint64_t)(end - p)), *to = newline ? newline : end;
    if (is_object(&t, p, to)) {
      lt_field key, value;
      int nested;
      t.p = p;
      int more = lt_json_open(&t);
      while (!st && more == LT_FIELD_MORE) {
        more = lt_json_field(&t, &key, &value, &nested);
        if (more == LT_FIELD_MEMORY) st = lt_fail_memory(err, t.scratch_cap, "a string");
        if (more < 0 || !key.len || nested) continue;
        st = lt_dict_add(c->names, key.s, key.len, NULL, err);
        if (!st && lt_dict_count(c->names) > NAMES_MOST)
          st = lt_fail(err, LEAT_E_DATA, "%s: more than %d different keys in the first records", c->name, (int)NAMES_MOST);
      }
    } else if (!c->keep) {
      lt_place at = {.file = c->name, .row = row, .line = line};
      st = lt_json_fail(err, &at, p, to, t.p);
    }
    p = to;
  }
  lt_free(c->rt, t.scratch);
  lt_free(c->rt, t.name);
  return st;
}
