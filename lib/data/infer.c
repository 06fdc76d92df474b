/* What kind a column of text is of, from its first rows. */
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "data/reader.h"

leat_status lt_tokens_split(leat_runtime *rt, const char *list, lt_tokens *out, leat_error *err) {
  memset(out, 0, sizeof *out);
  out->rt = rt;
  if (!*list) return LEAT_OK;
  uint64_t most = 1;
  for (const char *p = list; *p; p++) most += *p == ',';
  out->text = lt_strdup(rt, list);
  out->token = lt_array(rt, most, sizeof *out->token);
  out->len = lt_array(rt, most, sizeof *out->len);
  if (!out->text || !out->token || !out->len) {
    lt_tokens_free(out);
    return lt_fail_memory(err, most * 16, "a list");
  }
  for (char *p = out->text; p;) {
    char *comma = strchr(p, ',');
    uint64_t n = comma ? (uint64_t)(comma - p) : strlen(p);
    char *next = comma ? comma + 1 : NULL;
    while (n && (*p == ' ' || *p == '\t')) p++, n--;
    while (n && (p[n - 1] == ' ' || p[n - 1] == '\t')) n--;
    p[n] = 0;
    if (n) {
      out->token[out->n] = p;
      out->len[out->n++] = n;
    }
    p = next;
  }
  return LEAT_OK;
}

void lt_tokens_free(lt_tokens *t) {
  lt_free(t->rt, t->text);
  lt_free(t->rt, t->token);
  lt_free(t->rt, t->len);
  memset(t, 0, sizeof *t);
}

int lt_is_missing(const lt_tokens *extra, const char *s, uint64_t n) {
  switch (n) {
    case 0: return 1;
    case 1:
      if (*s == '?') return 1;
      break;
    case 2:
      if (!memcmp(s, "NA", 2)) return 1;
      break;
    case 3:
      if (!memcmp(s, "N/A", 3) || !memcmp(s, "NaN", 3) || !memcmp(s, "nan", 3)) return 1;
      break;
    case 4:
      if (!memcmp(s, "null", 4) || !memcmp(s, "NULL", 4) || !memcmp(s, "None", 4)) return 1;
      break;
    default: break;
  }
  for (int64_t i = 0; extra && i < extra->n; i++)
    if (extra->len[i] == n && !memcmp(extra->token[i], s, n)) return 1;
  return 0;
}

leat_status lt_infer_value(leat_runtime *rt, lt_infer *c, const char *s, uint64_t len, int64_t row, int64_t line,
                           leat_error *err) {
  double v;
  int64_t ns;
  int64_t before = c->values++;
  if (lt_parse_f64(s, s + len, &v)) {
    if (floor(v) == v && !isinf(v) && !c->missing && c->wholes == before && (!before || v == c->last + 1)) c->wholes++;
    c->last = v;
    c->numbers++;
    return LEAT_OK;
  }
  /* a kind is only of interest while all values so far are of it */
  if ((c->lenient || c->bools == before) && lt_parse_bool(s, len) >= 0) c->bools++;
  else if ((c->lenient || c->times == before) && lt_parse_time(s, s + len, &ns)) c->times++;
  if (c->junk_row) return LEAT_OK;
  c->junk_row = row;
  c->junk_line = line;
  c->junk = lt_strndup(rt, s, len < 64 ? len : 64);
  return c->junk ? LEAT_OK : lt_fail_memory(err, len, "a value");
}

/* Are nearly all values of the sort that `count` is of? */
static int nearly(const lt_infer *c, int64_t count) {
  if (count == c->values) return 1;
  return c->lenient && count >= 10 && (double)count >= 0.9 * (double)c->values;
}

int lt_infer_numbers(const lt_infer *c) { return nearly(c, c->numbers); }

int lt_infer_needs_words(const lt_infer *c) {
  return c->values && !nearly(c, c->numbers) && !nearly(c, c->bools) && !nearly(c, c->times);
}

leat_status lt_infer_words(leat_runtime *rt, lt_infer *c, const char *s, uint64_t len, leat_error *err) {
  if (!c->dict) {
    leat_status st = lt_dict_create(rt, &c->dict, err);
    if (st) return st;
  }
  int in_word = 0;
  for (uint64_t i = 0; i < len; i++) {
    int space = s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r';
    c->words += !space && !in_word;
    in_word = !space;
  }
  int64_t code;
  leat_status st = lt_dict_add(c->dict, s, len, &code, err);
  c->distinct = lt_dict_count(c->dict);
  return st;
}

int32_t lt_infer_kind(const lt_infer *c) {
  double n = (double)c->values;
  if (nearly(c, c->numbers)) return c->wholes >= 100 && c->wholes == c->values && !c->missing ? LEAT_ID : LEAT_NUMBER;
  if (nearly(c, c->bools)) return LEAT_BOOL;
  if (nearly(c, c->times)) return LEAT_TIME;
  if (c->values >= 20 && (double)c->distinct > 0.9 * n && (double)c->words < 3 * n) return LEAT_ID;
  if ((double)c->words >= 3 * n && (double)c->distinct > 0.5 * n) return LEAT_TEXT;
  return LEAT_CATEGORY;
}

int lt_infer_is_dirty_number(const lt_infer *c) {
  return !c->lenient && c->numbers != c->values && c->numbers >= 10 && (double)c->numbers >= 0.9 * (double)c->values;
}

void lt_infer_free(leat_runtime *rt, lt_infer *c) {
  lt_free(rt, c->junk);
  lt_dict_free(c->dict);
  c->junk = NULL;
  c->dict = NULL;
}

/* ---- which columns the parameters mean */

leat_status lt_column_ref(leat_runtime *rt, const char *file, const lt_dict *names, const char *ref, int64_t *index, leat_error *err) {
  int64_t n = lt_dict_count(names), k = 0;
  *index = lt_dict_find(names, ref, strlen(ref));
  if (*index >= 0) return LEAT_OK;
  *index = 0;
  if (lt_parse_i64(ref, ref + strlen(ref), &k)) {
    if (k >= 1 && k <= n) *index = k - 1;
    else if (k <= -1 && k >= -n) *index = n + k;
    else
      return lt_fail(err, LEAT_E_NOT_FOUND, "%s: there is no column %s, it has %lld (numbered from 1, or -1 for the last)",
                     file, ref, (long long)n);
    return LEAT_OK;
  }
  const char *near = NULL;
  const char **all = lt_array(rt, (uint64_t)n, sizeof *all);
  for (int64_t i = 0; all && i < n; i++) all[i] = lt_dict_text(names, i, NULL);
  if (all) near = lt_nearest(ref, all, n); /* without memory: no suggestion */
  lt_free(rt, all);
  if (near) return lt_fail(err, LEAT_E_NOT_FOUND, "%s: there is no column '%s'; did you mean '%s'?", file, ref, near);
  return lt_fail(err, LEAT_E_NOT_FOUND, "%s: there is no column '%s'; its columns are %s%s%s%s%s%s", file, ref,
                 n > 0 ? lt_dict_text(names, 0, NULL) : "", n > 1 ? ", " : "", n > 1 ? lt_dict_text(names, 1, NULL) : "",
                 n > 2 ? ", " : "", n > 2 ? lt_dict_text(names, 2, NULL) : "", n > 3 ? ", ..." : "");
}

typedef struct want_rule { const char *param; int32_t role, kind; } want_rule;

leat_status lt_table_wants(leat_runtime *rt, const char *file, const lt_dict *names, const leat_params *p,
                           lt_want *want, leat_error *err) {
  static const want_rule rules[] = {
      {"target", LEAT_ROLE_TARGET, 0},          {"key", LEAT_ROLE_KEY, LEAT_ID},
      {"weight", LEAT_ROLE_WEIGHT, LEAT_NUMBER}, {"time", LEAT_ROLE_TIME, 0},
      {"group", LEAT_ROLE_GROUP, 0},            {"ignore", LEAT_ROLE_IGNORE, 0},
      {"categorical", 0, LEAT_CATEGORY},        {"text", 0, LEAT_TEXT},
      {"number", 0, LEAT_NUMBER}};
  for (uint64_t r = 0; r < sizeof rules / sizeof rules[0]; r++) {
    lt_tokens list = {.rt = rt};
    int many = rules[r].role == LEAT_ROLE_IGNORE || !rules[r].role;
    const char *value = lt_param_str(p, rules[r].param);
    if (!*value) continue;
    const char *one[1] = {value};
    const char *const *refs = one;
    int64_t n = 1;
    /* a single column's name may hold a comma, a list is cut at them */
    leat_status st = many ? lt_tokens_split(rt, value, &list, err) : LEAT_OK;
    if (many) refs = list.token, n = list.n;
    for (int64_t k = 0; !st && k < n; k++) {
      int64_t i = 0;
      st = lt_column_ref(rt, file, names, refs[k], &i, err);
      if (st) break;
      if (rules[r].role && want[i].role && want[i].role != rules[r].role)
        st = lt_fail(err, LEAT_E_ARG, "%s: column '%s' is given two roles, the second by %s", file,
                     lt_dict_text(names, i, NULL), rules[r].param);
      else if (!rules[r].role && want[i].kind && want[i].kind != rules[r].kind)
        st = lt_fail(err, LEAT_E_ARG, "%s: column '%s' is given two kinds, the second by %s", file,
                     lt_dict_text(names, i, NULL), rules[r].param);
      if (rules[r].role) want[i].role = rules[r].role;
      if (rules[r].kind) want[i].kind = rules[r].kind;
    }
    lt_tokens_free(&list);
    if (st) return st;
  }
  return LEAT_OK;
}
