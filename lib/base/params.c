/* Parameter sets: values for a static spec, checked when they are set. */
#include "base/params.h"
#include "base/number.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PARAM_TEXT_MAX = 4096, PARAM_LIST_MAX = 200 };
typedef struct lt_param_value {
  int64_t i;   /* I64, BOOL */
  double f;    /* F64 */
  char *text;  /* TEXT, CHOICE: NULL while it is the default */
} lt_param_value;
struct leat_params {
  leat_runtime *rt;
  const lt_spec *spec;
  lt_param_value value[];
};

static int64_t params_index(const lt_spec *spec, const char *name) {
  for (int64_t i = 0; i < spec->count; i++)
    if (!strcmp(spec->defs[i].name, name)) return i;
  return -1;
}

/* Appends to a bounded list for a message; full lists end in "...". */
static void params_list_add(char *list, uint64_t cap, const char *word, uint64_t n) {
  uint64_t used = strlen(list);
  if (used && list[used - 1] == '.') return;
  if (used + n + 8 > cap) {
    memcpy(list + used, used ? ", ..." : "...", used ? 6 : 4);
    return;
  }
  if (used) {
    memcpy(list + used, ", ", 2);
    used += 2;
  }
  memcpy(list + used, word, n);
  list[used + n] = 0;
}

static leat_status params_unknown(const lt_spec *spec, const char *name, leat_error *err) {
  const char *names[256], *near;
  char list[PARAM_LIST_MAX] = "";
  int64_t n = spec->count < 256 ? spec->count : 256;
  for (int64_t i = 0; i < n; i++) {
    names[i] = spec->defs[i].name;
    params_list_add(list, sizeof list, names[i], strlen(names[i]));
  }
  near = lt_nearest(name, names, n);
  if (near)
    return lt_fail(err, LEAT_E_NOT_FOUND, "unknown parameter '%.100s' of %s: did you mean '%s'?", name, spec->name, near);
  return lt_fail(err, LEAT_E_NOT_FOUND, "unknown parameter '%.100s' of %s; it has %s", name, spec->name,
                 list[0] ? list : "none");
}

static leat_status params_find(const leat_params *p, const char *name, int64_t *index, leat_error *err) {
  *index = params_index(p->spec, name);
  return *index < 0 ? params_unknown(p->spec, name, err) : LEAT_OK;
}

static const char *params_type_name(int32_t type) {
  switch (type) {
    case LEAT_PARAM_I64: return "a whole number";
    case LEAT_PARAM_F64: return "a number";
    case LEAT_PARAM_TEXT: return "a text";
    case LEAT_PARAM_CHOICE: return "one of its choices, as text";
    case LEAT_PARAM_BOOL: return "true or false";
    default: return "another type";
  }
}

static leat_status params_type_fail(const leat_params *p, const lt_param_def *d, leat_error *err) {
  return lt_fail(err, LEAT_E_ARG, "%s of %s takes %s", d->name, p->spec->name, params_type_name(d->type));
}

static leat_status params_check_bounds(const leat_params *p, const lt_param_def *d, double v, leat_error *err) {
  char value[32], low[32], high[32];
  int open_low = d->min <= -1.7e308, open_high = d->max >= 1.7e308;
  if (isnan(v)) return lt_fail(err, LEAT_E_RANGE, "%s of %s is nan; it must be a number", d->name, p->spec->name);
  if ((d->min == 0 && d->max == 0) || (v >= d->min && v <= d->max)) return LEAT_OK;
  lt_f64_text(v, value);
  lt_f64_text(d->min, low);
  lt_f64_text(d->max, high);
  if (open_high && !open_low)
    return lt_fail(err, LEAT_E_RANGE, "%s of %s is %s; it must be at least %s", d->name, p->spec->name, value, low);
  if (open_low && !open_high)
    return lt_fail(err, LEAT_E_RANGE, "%s of %s is %s; it must be at most %s", d->name, p->spec->name, value, high);
  return lt_fail(err, LEAT_E_RANGE, "%s of %s is %s; it must be from %s to %s", d->name, p->spec->name, value, low, high);
}

/* A double that is a whole number of int64. */
static int params_whole(double v, int64_t *i) {
  if (!(v >= -9223372036854775808.0 && v < 9223372036854775808.0) || v != floor(v)) return 0;
  *i = (int64_t)v;
  return 1;
}

/* ---- setting, by the parameter's type */
static leat_status params_put_number(leat_params *p, int64_t index, double v, int is_whole, int64_t whole,
                                     leat_error *err) {
  const lt_param_def *d = &p->spec->defs[index];
  leat_status st;
  switch (d->type) {
    case LEAT_PARAM_BOOL:
      if (!is_whole || (whole != 0 && whole != 1)) return params_type_fail(p, d, err);
      p->value[index].i = whole;
      return LEAT_OK;
    case LEAT_PARAM_I64:
      if (!is_whole) return params_type_fail(p, d, err);
      st = params_check_bounds(p, d, v, err);
      if (!st) p->value[index].i = whole;
      return st;
    case LEAT_PARAM_F64:
      st = params_check_bounds(p, d, v, err);
      if (!st) p->value[index].f = v;
      return st;
    default: return params_type_fail(p, d, err);
  }
}

static leat_status params_check_choice(const leat_params *p, const lt_param_def *d, const char *text, leat_error *err) {
  char list[PARAM_LIST_MAX] = "", words[16][64];
  const char *names[16], *near;
  uint64_t len = strlen(text);
  int64_t n = 0;
  for (const char *at = d->choices; at && *at;) {
    uint64_t m = strcspn(at, "|");
    if (m == len && !memcmp(at, text, m)) return LEAT_OK;
    params_list_add(list, sizeof list, at, m);
    if (n < 16 && m < sizeof words[0]) {
      memcpy(words[n], at, m);
      words[n][m] = 0;
      names[n] = words[n];
      n++;
    }
    at += m;
    if (*at) at++;
  }
  near = lt_nearest(text, names, n);
  if (near)
    return lt_fail(err, LEAT_E_ARG, "'%.100s' is no choice of %s of %s: did you mean '%s'? It takes %s", text, d->name,
                   p->spec->name, near, list);
  return lt_fail(err, LEAT_E_ARG, "'%.100s' is no choice of %s of %s; it takes %s", text, d->name, p->spec->name, list);
}

static leat_status params_put_text(leat_params *p, int64_t index, const char *text, leat_error *err) {
  const lt_param_def *d = &p->spec->defs[index];
  uint64_t len = strlen(text), limit = d->max > 0 ? (uint64_t)d->max : PARAM_TEXT_MAX;
  leat_status st = LEAT_OK;
  char *copy = NULL;
  if (d->type == LEAT_PARAM_CHOICE) st = params_check_choice(p, d, text, err);
  else if (len > limit)
    st = lt_fail(err, LEAT_E_RANGE, "%s of %s has %llu bytes; at most %llu are taken", d->name, p->spec->name,
                 (unsigned long long)len, (unsigned long long)limit);
  if (st) return st;
  if (strcmp(text, d->default_text)) {
    copy = lt_strdup(p->rt, text);
    if (!copy) return lt_fail_memory(err, len + 1, "parameter text");
  }
  lt_free(p->rt, p->value[index].text);
  p->value[index].text = copy;
  return LEAT_OK;
}

static int params_bool_text(const char *text, int64_t *v) {
  static const char *const words[] = {"false", "true", "no", "yes", "0", "1", "off", "on"};
  for (int i = 0; i < 8; i++) {
    const char *a = text, *b = words[i];
    while (*a && *b && (*a | 0x20) == (*b | 0x20)) a++, b++;
    if (!*a && !*b) {
      *v = i & 1;
      return 1;
    }
  }
  return 0;
}

static leat_status params_parse(leat_params *p, int64_t index, const char *text, leat_error *err) {
  const lt_param_def *d = &p->spec->defs[index];
  const char *end = text + strlen(text);
  int64_t i = 0;
  double f = 0;
  switch (d->type) {
    case LEAT_PARAM_BOOL:
      if (params_bool_text(text, &i)) {
        p->value[index].i = i;
        return LEAT_OK;
      }
      break;
    case LEAT_PARAM_I64: /* "1e6" is a whole number too */
      if (lt_parse_i64(text, end, &i)) return params_put_number(p, index, (double)i, 1, i, err);
      if (lt_parse_f64(text, end, &f) && params_whole(f, &i)) return params_put_number(p, index, f, 1, i, err);
      break;
    case LEAT_PARAM_F64:
      if (lt_parse_f64(text, end, &f)) return params_put_number(p, index, f, 0, 0, err);
      break;
    default: return params_put_text(p, index, text, err);
  }
  return lt_fail(err, LEAT_E_ARG, "%s of %s is '%.100s'; it takes %s", d->name, p->spec->name, text,
                 params_type_name(d->type));
}

leat_status lt_params_set_i64(leat_params *p, const char *name, int64_t value, leat_error *err) {
  int64_t i;
  leat_status st = params_find(p, name, &i, err);
  return st ? st : params_put_number(p, i, (double)value, 1, value, err);
}

leat_status lt_params_set_f64(leat_params *p, const char *name, double value, leat_error *err) {
  int64_t i, whole = 0;
  leat_status st = params_find(p, name, &i, err);
  int is_whole = params_whole(value, &whole);
  return st ? st : params_put_number(p, i, value, is_whole, whole, err);
}

leat_status lt_params_set_text(leat_params *p, const char *name, const char *value, leat_error *err) {
  int64_t i;
  leat_status st = params_find(p, name, &i, err);
  return st ? st : params_parse(p, i, value, err);
}

leat_status lt_params_reset(leat_params *p, const char *name, leat_error *err) {
  int64_t first = 0, last = p->spec->count;
  leat_status st = LEAT_OK;
  if (name) {
    st = params_find(p, name, &first, err);
    last = first + 1;
  }
  for (int64_t i = first; i < last && !st; i++) st = params_parse(p, i, p->spec->defs[i].default_text, err);
  return st;
}

/* ---- life */
leat_status lt_params_create(leat_runtime *rt, const lt_spec *spec, leat_params **out, leat_error *err) {
  uint64_t bytes = sizeof(leat_params) + (uint64_t)spec->count * sizeof(lt_param_value);
  leat_error why = {.struct_size = sizeof why};
  leat_params *p;
  *out = NULL;
  p = lt_zalloc(rt, bytes);
  if (!p) return lt_fail_memory(err, bytes, "parameter set");
  p->rt = rt;
  p->spec = spec;
  lt_runtime_ref(rt);
  if (lt_params_reset(p, NULL, &why)) {
    lt_params_free(p);
    return lt_fail(err, LEAT_E_INTERNAL, "the table of %s has a default that it refuses: %s", spec->name, why.message);
  }
  *out = p;
  return LEAT_OK;
}

void lt_params_free(leat_params *p) {
  leat_runtime *rt;
  if (!p) return;
  rt = p->rt;
  for (int64_t i = 0; i < p->spec->count; i++) lt_free(rt, p->value[i].text);
  lt_free(rt, p);
  lt_runtime_unref(rt);
}

leat_status lt_params_copy(const leat_params *p, leat_params **out, leat_error *err) {
  leat_params *q = NULL;
  leat_status st = lt_params_create(p->rt, p->spec, &q, err);
  *out = NULL;
  if (st) return st;
  for (int64_t i = 0; i < p->spec->count; i++) {
    const lt_param_value *v = &p->value[i];
    q->value[i].i = v->i;
    q->value[i].f = v->f;
    if (!v->text) continue;
    q->value[i].text = lt_strdup(p->rt, v->text);
    if (!q->value[i].text) {
      lt_params_free(q);
      return lt_fail_memory(err, strlen(v->text) + 1, "parameter text");
    }
  }
  *out = q;
  return LEAT_OK;
}

const lt_spec *lt_params_spec(const leat_params *p) { return p->spec; }

leat_status lt_params_info(const leat_params *p, int64_t index, leat_param_info *info, leat_error *err) {
  leat_param_info full, seen;
  leat_status st = lt_take_struct(&seen, sizeof seen, info, info->struct_size, "leat_param_info", err);
  const lt_param_def *d;
  if (st) return st;
  if (index < 0 || index >= p->spec->count)
    return lt_fail(err, LEAT_E_NOT_FOUND, "parameter %lld of %s: it has %lld, counted from 0", (long long)index,
                   p->spec->name, (long long)p->spec->count);
  d = &p->spec->defs[index];
  memset(&full, 0, sizeof full);
  full.name = d->name;
  full.doc = d->doc;
  full.default_text = d->default_text;
  full.choices = d->type == LEAT_PARAM_CHOICE ? d->choices : NULL;
  full.type = d->type;
  if (d->type == LEAT_PARAM_I64 || d->type == LEAT_PARAM_F64) {
    int unbounded = d->min == 0 && d->max == 0;
    full.min = unbounded ? -INFINITY : d->min;
    full.max = unbounded ? INFINITY : d->max;
  }
  full.since = d->since;
  lt_give_struct(info, info->struct_size, &full, sizeof full);
  return LEAT_OK;
}

/* ---- reading */
static const char *params_text(const leat_params *p, int64_t index) {
  return p->value[index].text ? p->value[index].text : p->spec->defs[index].default_text;
}

leat_status lt_params_get_i64(const leat_params *p, const char *name, int64_t *value, leat_error *err) {
  int64_t i;
  leat_status st = params_find(p, name, &i, err);
  *value = 0;
  if (st) return st;
  if (p->spec->defs[i].type != LEAT_PARAM_I64 && p->spec->defs[i].type != LEAT_PARAM_BOOL)
    return params_type_fail(p, &p->spec->defs[i], err);
  *value = p->value[i].i;
  return LEAT_OK;
}

leat_status lt_params_get_f64(const leat_params *p, const char *name, double *value, leat_error *err) {
  int64_t i;
  leat_status st = params_find(p, name, &i, err);
  *value = 0;
  if (st) return st;
  if (p->spec->defs[i].type == LEAT_PARAM_F64) *value = p->value[i].f;
  else if (p->spec->defs[i].type == LEAT_PARAM_I64) *value = (double)p->value[i].i;
  else return params_type_fail(p, &p->spec->defs[i], err);
  return LEAT_OK;
}

/* The value as text: a pointer that lives with p, or into room. */
static const char *params_shown(const leat_params *p, int64_t index, char room[32]) {
  switch (p->spec->defs[index].type) {
    case LEAT_PARAM_I64: lt_i64_text(p->value[index].i, room); return room;
    case LEAT_PARAM_F64: lt_f64_text(p->value[index].f, room); return room;
    case LEAT_PARAM_BOOL: return p->value[index].i ? "true" : "false";
    default: return params_text(p, index);
  }
}

leat_status lt_params_get_text(const leat_params *p, const char *name, char *buf, uint64_t cap, uint64_t *needed,
                               leat_error *err) {
  char room[32];
  const char *text;
  int64_t i;
  leat_status st = params_find(p, name, &i, err);
  if (needed) *needed = 0;
  if (st) return st;
  text = params_shown(p, i, room);
  return lt_give_text(text, strlen(text), buf, cap, needed, err);
}

int64_t lt_param_int(const leat_params *p, const char *name) {
  int64_t i = params_index(p->spec, name);
  return i < 0 ? 0 : p->value[i].i;
}
double lt_param_real(const leat_params *p, const char *name) {
  int64_t i = params_index(p->spec, name);
  if (i < 0) return 0;
  return p->spec->defs[i].type == LEAT_PARAM_F64 ? p->value[i].f : (double)p->value[i].i;
}
const char *lt_param_str(const leat_params *p, const char *name) {
  int64_t i = params_index(p->spec, name);
  if (i < 0 || (p->spec->defs[i].type != LEAT_PARAM_TEXT && p->spec->defs[i].type != LEAT_PARAM_CHOICE)) return "";
  return params_text(p, i);
}
int lt_param_is(const leat_params *p, const char *name, const char *choice) {
  return !strcmp(lt_param_str(p, name), choice);
}

/* ---- packages and checkpoints */
static int params_is_default(const leat_params *p, const leat_params *fresh, int64_t i) {
  if (p->value[i].text) return 0;
  return p->value[i].i == fresh->value[i].i && p->value[i].f == fresh->value[i].f;
}

void lt_params_save(const leat_params *p, lt_put *w) {
  leat_params *fresh = NULL;
  const char *last = "", *next;
  uint64_t changed = 0;
  if (lt_params_create(p->rt, p->spec, &fresh, NULL)) {
    w->failed = 1;
    return;
  }
  for (int64_t i = 0; i < p->spec->count; i++) changed += !params_is_default(p, fresh, i);
  lt_put_u64(w, changed);
  for (; changed; changed--, last = next) { /* in the order of names: tables may be rearranged */
    char room[32];
    int64_t at = -1;
    for (int64_t i = 0; i < p->spec->count; i++) {
      if (params_is_default(p, fresh, i) || strcmp(p->spec->defs[i].name, last) <= 0) continue;
      if (at < 0 || strcmp(p->spec->defs[i].name, p->spec->defs[at].name) < 0) at = i;
    }
    next = p->spec->defs[at].name;
    lt_put_text(w, next);
    lt_put_text(w, params_shown(p, at, room));
  }
  lt_params_free(fresh);
}

leat_status lt_params_load(leat_params *p, lt_get *r, leat_error *err) {
  leat_error why = {.struct_size = sizeof why};
  leat_params *q = NULL;
  uint64_t n;
  leat_status st = lt_params_create(p->rt, p->spec, &q, err);
  if (st) return st;
  n = lt_get_count(r, 16, (uint64_t)p->spec->count);
  for (; n && !st; n--) {
    char *name = lt_get_text(r), *value = lt_get_text(r);
    if (name && value) st = lt_params_set_text(q, name, value, &why);
    lt_free(p->rt, name);
    lt_free(p->rt, value);
    if (!name || !value) break;
  }
  if (st == LEAT_E_MEMORY) st = lt_fail(err, st, "%s", why.message);
  else if (st) st = lt_fail(err, LEAT_E_FORMAT, "saved parameters: %s", why.message);
  else st = lt_get_status(r, "saved parameters", err);
  for (int64_t i = 0; i < p->spec->count && !st; i++) { /* only when all of them were good */
    char *old = p->value[i].text;
    p->value[i] = q->value[i];
    q->value[i].text = old;
  }
  lt_params_free(q);
  return st;
}
