/* Arrow schemas: format strings, structs taken apart into columns. */
#include <string.h>

#include "base/number.h"
#include "data/arrow.h"

int32_t lt_arrow_dtype(int32_t type) {
  static const int32_t same[] = {[LT_AR_I8] = LEAT_I8,   [LT_AR_U8] = LEAT_U8,   [LT_AR_I16] = LEAT_I16,
                                 [LT_AR_U16] = LEAT_U16, [LT_AR_I32] = LEAT_I32, [LT_AR_U32] = LEAT_U32,
                                 [LT_AR_I64] = LEAT_I64, [LT_AR_U64] = LEAT_U64, [LT_AR_F32] = LEAT_F32,
                                 [LT_AR_F64] = LEAT_F64};
  return type >= 0 && type < (int32_t)(sizeof same / sizeof same[0]) ? same[type] : 0;
}

static int64_t unit_of(char c) {
  return c == 's' ? 1 : c == 'm' ? 1000 : c == 'u' ? 1000000 : c == 'n' ? 1000000000 : 0;
}

/* "10,2" or "10,2,256" */
static int decimal_of(const char *s, lt_arrow_type *t) {
  int64_t part[3] = {0, 0, 128};
  int n = 0;
  for (const char *p = s; n < 3; n++) {
    const char *comma = strchr(p, ','), *end = comma ? comma : p + strlen(p);
    if (!lt_parse_i64(p, end, &part[n])) return 0;
    if (!comma) {
      n++;
      break;
    }
    p = comma + 1;
  }
  if (n < 2 || part[0] < 1 || part[0] > 76 || part[1] < -76 || part[1] > 76) return 0;
  if (part[2] != 32 && part[2] != 64 && part[2] != 128 && part[2] != 256) return 0;
  t->type = LT_AR_DECIMAL;
  t->bits = (int32_t)part[2];
  t->scale = (int32_t)part[1];
  return 1;
}

static void type_of_time(const char *f, lt_arrow_type *t) {
  if (!strcmp(f, "tdD") || !strcmp(f, "tdm")) {
    t->type = f[2] == 'D' ? LT_AR_DATE_DAYS : LT_AR_DATE_MS;
    return;
  }
  t->per_second = f[1] && f[2] ? unit_of(f[2]) : 0;
  if (!t->per_second) return;
  if (f[1] == 's' && f[3] == ':') t->type = LT_AR_TIMESTAMP;
  else if (f[1] == 'D' && !f[3]) t->type = LT_AR_DURATION;
  else if (f[1] == 't' && !f[3]) t->type = LT_AR_TIME_OF_DAY;
  t->bits = t->per_second <= 1000 ? 32 : 64;
}

/* What a format string says, for types without children. */
static void type_of(const char *f, lt_arrow_type *t) {
  static const struct { char c; int32_t type, binary; } plain[] = {
      {'n', LT_AR_NULL, 0}, {'b', LT_AR_BOOL, 0}, {'c', LT_AR_I8, 0},  {'C', LT_AR_U8, 0},   {'s', LT_AR_I16, 0},
      {'S', LT_AR_U16, 0},  {'i', LT_AR_I32, 0},  {'I', LT_AR_U32, 0}, {'l', LT_AR_I64, 0},  {'L', LT_AR_U64, 0},
      {'e', LT_AR_F16, 0},  {'f', LT_AR_F32, 0},  {'g', LT_AR_F64, 0}, {'u', LT_AR_TEXT, 0}, {'U', LT_AR_LARGE_TEXT, 0},
      {'z', LT_AR_TEXT, 1}, {'Z', LT_AR_LARGE_TEXT, 1}};
  *t = (lt_arrow_type){.type = LT_AR_OTHER};
  if (f[0] && !f[1]) {
    for (uint64_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
      if (plain[i].c == f[0]) {
        t->type = plain[i].type;
        t->binary = plain[i].binary;
      }
  } else if (!strcmp(f, "vu") || !strcmp(f, "vz")) {
    t->type = LT_AR_TEXT_VIEW;
    t->binary = f[1] == 'z';
  } else if (f[0] == 'w' && f[1] == ':') {
    int64_t width = 0;
    if (lt_parse_i64(f + 2, f + strlen(f), &width) && width > 0 && width <= INT32_MAX)
      *t = (lt_arrow_type){.type = LT_AR_FIXED_BYTES, .binary = 1, .per_second = width};
  } else if (f[0] == 'd' && f[1] == ':') {
    decimal_of(f + 2, t);
  } else if (f[0] == 't') {
    type_of_time(f, t);
  }
}

static leat_status broken(const char *name, const char *what, leat_error *err) {
  return lt_fail(err, LEAT_E_FORMAT, "the Arrow schema breaks the rules of the C data interface: column '%s': %s", name,
                 what);
}

static leat_status check_node(const struct ArrowSchema *s, const char *name, leat_error *err) {
  if (!s) return broken(name, "a child is NULL", err);
  if (!s->release) return broken(name, "it was released already", err);
  if (!s->format) return broken(name, "it has no format", err);
  if (s->n_children < 0 || s->n_children > INT32_MAX || (s->n_children && !s->children))
    return broken(name, "its children are missing", err);
  return LEAT_OK;
}

/* A list's children: numbers of a fixed width, or pairs of index and value. Leaves OTHER as it is when it is neither. */
static leat_status list_of(const struct ArrowSchema *s, lt_arrow_field *f, leat_error *err) {
  const char *format = s->format;
  int64_t width = 0;
  if (s->n_children != 1) return broken(f->name, "a list has one child", err);
  const struct ArrowSchema *c = s->children[0];
  leat_status st = check_node(c, f->name, err);
  if (st || c->dictionary) return st;
  if (!strncmp(format, "+w:", 3)) {
    type_of(c->format, &f->item[0]);
    if (!lt_parse_i64(format + 3, format + strlen(format), &width) || width < 1 || width > INT32_MAX) return LEAT_OK;
    if (lt_arrow_dtype(f->item[0].type)) f->type = (lt_arrow_type){.type = LT_AR_LIST, .per_second = width};
    return LEAT_OK;
  }
  if (strcmp(format, "+l") != 0 && strcmp(format, "+L") != 0 && strcmp(format, "+m") != 0) return LEAT_OK;
  if (strcmp(c->format, "+s") != 0 || c->n_children != 2) return LEAT_OK;
  for (int k = 0; k < 2 && !st; k++) {
    st = check_node(c->children[k], f->name, err);
    if (!st && c->children[k]->dictionary) return LEAT_OK;
    if (!st) type_of(c->children[k]->format, &f->item[k]);
  }
  if (!st && lt_arrow_is_integer(f->item[0].type) && lt_arrow_dtype(f->item[1].type))
    f->type.type = format[1] == 'L' ? LT_AR_LARGE_SPARSE : LT_AR_SPARSE;
  return st;
}

/* "outer.inner" */
static leat_status joined_name(lt_arrow_table *t, const char *outer, const char *name, char **out, leat_error *err) {
  uint64_t n = strlen(outer), m = strlen(name);
  char *s = lt_alloc(t->rt, n + m + 2);
  if (!s) return lt_fail_memory(err, n + m + 2, "a column's name");
  memcpy(s, outer, n);
  if (n) s[n++] = '.';
  memcpy(s + n, name, m + 1);
  *out = s;
  return LEAT_OK;
}

static leat_status add_field(lt_arrow_table *t, const struct ArrowSchema *s, const char *name, const int32_t *path,
                             int32_t depth, leat_error *err) {
  leat_status st = lt_grow(t->rt, (void **)&t->field, &t->cap, (uint64_t)t->n + 1, sizeof *t->field, err);
  if (st) return st;
  lt_arrow_field f = {.depth = depth};
  memcpy(f.path, path, (uint64_t)depth * sizeof *path);
  int64_t code = 0;
  if (lt_dict_find(t->names, name, strlen(name)) >= 0)
    return lt_fail(err, LEAT_E_DATA, "the Arrow schema has two columns '%s'; names must differ", name);
  st = lt_dict_add(t->names, name, strlen(name), &code, err);
  if (st) return st;
  f.name = lt_dict_text(t->names, code, NULL);
  type_of(s->format, &f.type);
  if (s->dictionary) {
    st = check_node(s->dictionary, name, err);
    if (st) return st;
    f.index = f.type;
    if (!lt_arrow_is_integer(f.index.type)) return broken(name, "a dictionary's indices are integers", err);
    type_of(s->dictionary->format, &f.type);
    if (s->dictionary->dictionary) f.type.type = LT_AR_OTHER;
  } else if (s->format[0] == '+' && s->format[1] && strchr("lLwm", s->format[1])) {
    st = list_of(s, &f, err);
    if (st) return st;
  }
  f.format = lt_strdup(t->rt, s->format);
  if (!f.format) return lt_fail_memory(err, strlen(s->format), "a column's type");
  t->field[t->n++] = f;
  return LEAT_OK;
}

static leat_status add_fields(lt_arrow_table *t, const struct ArrowSchema *s, const char *outer, int32_t *path,
                              int32_t depth, leat_error *err) {
  leat_status st = LEAT_OK;
  for (int64_t i = 0; !st && i < s->n_children; i++) {
    const struct ArrowSchema *c = s->children[i];
    st = check_node(c, *outer ? outer : "", err);
    if (st) break;
    char number[40] = "c", *name = NULL; /* columns without a name are c1, c2, ... as those of a file without a header */
    lt_i64_text(i + 1, number + 1);
    st = joined_name(t, outer, c->name && *c->name ? c->name : number, &name, err);
    if (st) break;
    path[depth] = (int32_t)i;
    if (strcmp(c->format, "+s") != 0) st = add_field(t, c, name, path, depth + 1, err);
    else if (depth + 1 < LT_AR_DEEPEST) st = add_fields(t, c, name, path, depth + 1, err);
    else st = lt_fail(err, LEAT_E_UNSUPPORTED, "column '%s': structs are nested more than %d deep", name, LT_AR_DEEPEST - 1);
    lt_free(t->rt, name);
  }
  return st;
}

leat_status lt_arrow_table_of(leat_runtime *rt, const struct ArrowSchema *s, lt_arrow_table *out, leat_error *err) {
  int32_t path[LT_AR_DEEPEST] = {0};
  memset(out, 0, sizeof *out);
  out->rt = rt;
  leat_status st = check_node(s, "", err);
  if (!st && strcmp(s->format, "+s") != 0)
    st = lt_fail(err, LEAT_E_DTYPE, "the Arrow schema is of type '%.20s', a table is a struct ('+s')", s->format);
  if (!st && s->n_children < 1) st = lt_fail(err, LEAT_E_DATA, "the Arrow schema has no columns");
  if (!st) st = lt_dict_create(rt, &out->names, err);
  if (!st) st = add_fields(out, s, "", path, 0, err);
  if (st) lt_arrow_table_free(out);
  return st;
}

void lt_arrow_table_free(lt_arrow_table *t) {
  for (int64_t i = 0; i < t->n; i++) lt_free(t->rt, t->field[i].format);
  lt_free(t->rt, t->field);
  lt_dict_free(t->names);
  t->field = NULL;
  t->names = NULL;
  t->n = 0;
}
