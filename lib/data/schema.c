#include "data/schema.h"

#include <string.h>

enum { LT_MAX_WIDTH = 2147483647 };

leat_status lt_schema_create(leat_runtime *rt, leat_schema **out, leat_error *err) {
  *out = NULL;
  leat_schema *s = lt_zalloc(rt, sizeof *s);
  if (!s) return lt_fail_memory(err, sizeof *s, "a schema");
  s->rt = rt;
  lt_ref_init(&s->ref);
  leat_status st = lt_dict_create(rt, &s->names, err);
  if (st) {
    lt_free(rt, s);
    return st;
  }
  lt_runtime_ref(rt);
  *out = s;
  return LEAT_OK;
}

void lt_schema_ref(leat_schema *s) { lt_ref_add(&s->ref); }

void lt_schema_free(leat_schema *s) {
  if (!s || !lt_ref_drop(&s->ref)) return;
  leat_runtime *rt = s->rt;
  for (int64_t i = 0; i < s->n; i++) {
    lt_free(rt, s->col[i].name);
    lt_dict_free(s->col[i].labels);
  }
  lt_free(rt, s->col);
  lt_dict_free(s->names);
  lt_free(rt, s);
  lt_runtime_unref(rt);
}

/* Roles that only one column can have: consumers ask for "the" column of the role. */
static int role_is_single(int32_t role) {
  return role == LEAT_ROLE_TARGET || role == LEAT_ROLE_WEIGHT || role == LEAT_ROLE_KEY || role == LEAT_ROLE_TIME ||
         role == LEAT_ROLE_GROUP;
}

static leat_status check_role(const leat_schema *s, int64_t self, const char *name, int32_t kind, int32_t role,
                              leat_error *err) {
  if (role < LEAT_ROLE_FEATURE || role > LEAT_ROLE_IGNORE)
    return lt_fail(err, LEAT_E_ARG, "column '%s': role %d is not one of LEAT_ROLE_FEATURE ... LEAT_ROLE_IGNORE (1 to 7)",
                   name, (int)role);
  if (role == LEAT_ROLE_WEIGHT && kind != LEAT_NUMBER)
    return lt_fail(err, LEAT_E_ARG, "column '%s': a weight must be of kind NUMBER", name);
  if (role == LEAT_ROLE_TARGET && (kind == LEAT_TEXT || kind == LEAT_ID || kind == LEAT_TIME))
    return lt_fail(err, LEAT_E_ARG, "column '%s': a target must be of kind NUMBER, CATEGORY or BOOL", name);
  int64_t other = role_is_single(role) ? lt_schema_role(s, role) : -1;
  if (other >= 0 && other != self)
    return lt_fail(err, LEAT_E_ARG, "column '%s': column '%s' has this role already, only one can have it", name,
                   s->col[other].name);
  return LEAT_OK;
}

leat_status lt_schema_add(leat_schema *s, const char *name, int32_t kind, int32_t role, int64_t width, int32_t sparse,
                          leat_error *err) {
  if (!name || !*name) return lt_fail(err, LEAT_E_ARG, "a column needs a name");
  if (kind < LEAT_NUMBER || kind > LEAT_ID)
    return lt_fail(err, LEAT_E_ARG, "column '%s': kind %d is not one of LEAT_NUMBER ... LEAT_ID (1 to 6)", name,
                   (int)kind);
  if (width < 1 || width > LT_MAX_WIDTH)
    return lt_fail(err, LEAT_E_RANGE, "block '%s': width %lld is outside [1, 2147483647]", name, (long long)width);
  if ((width > 1 || sparse) && (kind != LEAT_NUMBER || (role != LEAT_ROLE_FEATURE && role != LEAT_ROLE_IGNORE)))
    return lt_fail(err, LEAT_E_ARG, "block '%s': a block holds NUMBER features", name);
  if (sparse) {
    for (int64_t i = 0; i < s->n; i++)
      if (s->col[i].sparse)
        return lt_fail(err, LEAT_E_ARG, "block '%s': '%s' is a sparse block already, a schema has at most one", name,
                       s->col[i].name);
  }
  leat_status st = check_role(s, -1, name, kind, role, err);
  if (st) return st;
  if (lt_dict_find(s->names, name, strlen(name)) >= 0)
    return lt_fail(err, LEAT_E_ARG, "there is a column '%s' already", name);
  st = lt_grow(s->rt, (void **)&s->col, &s->cap, (uint64_t)s->n + 1, sizeof *s->col, err);
  if (st) return st;
  lt_column c = {.kind = kind, .role = role, .width = width, .sparse = sparse ? 1 : 0};
  c.name = lt_strdup(s->rt, name);
  if (!c.name) return lt_fail_memory(err, strlen(name) + 1, "a column's name");
  if (kind == LEAT_CATEGORY) st = lt_dict_create(s->rt, &c.labels, err);
  int64_t code = 0;
  if (!st) st = lt_dict_add(s->names, name, strlen(name), &code, err);
  if (st) {
    lt_free(s->rt, c.name);
    lt_dict_free(c.labels);
    return st;
  }
  s->col[s->n++] = c;
  return LEAT_OK;
}

leat_status lt_schema_set_role(leat_schema *s, int64_t column, int32_t role, leat_error *err) {
  if (column < 0 || column >= s->n)
    return lt_fail(err, LEAT_E_NOT_FOUND, "column %lld is outside [0, %lld)", (long long)column, (long long)s->n);
  lt_column *c = &s->col[column];
  leat_status st = check_role(s, column, c->name, c->kind, role, err);
  if (st) return st;
  if ((c->width > 1 || c->sparse) && role != LEAT_ROLE_FEATURE && role != LEAT_ROLE_IGNORE)
    return lt_fail(err, LEAT_E_ARG, "block '%s': a block can be a feature or ignored", c->name);
  c->role = role;
  return LEAT_OK;
}

leat_status lt_schema_copy(const leat_schema *s, leat_schema **out, leat_error *err) {
  *out = NULL;
  leat_schema *d = NULL;
  leat_status st = lt_schema_create(s->rt, &d, err);
  for (int64_t i = 0; !st && i < s->n; i++) {
    const lt_column *c = &s->col[i];
    st = lt_schema_add(d, c->name, c->kind, c->role, c->width, c->sparse, err);
    if (st || !c->labels) continue;
    lt_dict *labels = NULL;
    st = lt_dict_copy(c->labels, &labels, err);
    if (st) continue;
    lt_dict_free(d->col[i].labels);
    d->col[i].labels = labels;
  }
  if (st) {
    lt_schema_free(d);
    return st;
  }
  *out = d;
  return LEAT_OK;
}

leat_status lt_schema_find(const leat_schema *s, const char *name, int64_t *index, leat_error *err) {
  *index = 0;
  int64_t at = lt_dict_find(s->names, name, strlen(name));
  if (at >= 0) {
    *index = at;
    return LEAT_OK;
  }
  const char *near = NULL;
  const char **names = lt_array(s->rt, (uint64_t)s->n, sizeof *names);
  if (names) {
    for (int64_t i = 0; i < s->n; i++) names[i] = s->col[i].name;
    near = lt_nearest(name, names, s->n);
    lt_free(s->rt, names);
  }
  if (near) return lt_fail(err, LEAT_E_NOT_FOUND, "there is no column '%s'; did you mean '%s'?", name, near);
  return lt_fail(err, LEAT_E_NOT_FOUND, "there is no column '%s'", name);
}

int64_t lt_schema_role(const leat_schema *s, int32_t role) {
  for (int64_t i = 0; i < s->n; i++)
    if (s->col[i].role == role) return i;
  return -1;
}

int64_t lt_schema_numbers(const leat_schema *s) {
  int64_t n = 0;
  for (int64_t i = 0; i < s->n; i++)
    if (s->col[i].role == LEAT_ROLE_FEATURE && !lt_column_is_text(&s->col[i])) n += s->col[i].width;
  return n;
}

int64_t lt_schema_classes(const leat_schema *s) {
  int64_t t = lt_schema_role(s, LEAT_ROLE_TARGET);
  if (t < 0) return 0;
  if (s->col[t].kind == LEAT_BOOL) return 2;
  return s->col[t].kind == LEAT_CATEGORY ? lt_dict_count(s->col[t].labels) : 0;
}

/* The first labels of b are those of a; more: it may have others behind them. */
static int same_labels(const lt_dict *a, const lt_dict *b, int more) {
  if (!a || !b) return a == b;
  int64_t n = lt_dict_count(a);
  if (n > lt_dict_count(b) || (!more && n != lt_dict_count(b))) return 0;
  for (int64_t i = 0; i < n; i++) {
    uint64_t la, lb;
    const char *ta = lt_dict_text(a, i, &la), *tb = lt_dict_text(b, i, &lb);
    if (la != lb || memcmp(ta, tb, la) != 0) return 0;
  }
  return 1;
}

static int same_schema(const leat_schema *a, const leat_schema *b, int more) {
  if (a == b) return 1;
  if (a->n != b->n) return 0;
  for (int64_t i = 0; i < a->n; i++) {
    const lt_column *x = &a->col[i], *y = &b->col[i];
    if (x->kind != y->kind || x->role != y->role || x->width != y->width || x->sparse != y->sparse ||
        strcmp(x->name, y->name) != 0 || !same_labels(x->labels, y->labels, more))
      return 0;
  }
  return 1;
}

int lt_schema_equal(const leat_schema *a, const leat_schema *b) { return same_schema(a, b, 0); }
int lt_schema_extends(const leat_schema *wide, const leat_schema *s) { return same_schema(s, wide, 1); }

void lt_schema_save(const leat_schema *s, lt_put *w) {
  lt_put_u64(w, (uint64_t)s->n);
  for (int64_t i = 0; i < s->n; i++) {
    const lt_column *c = &s->col[i];
    lt_put_text(w, c->name);
    lt_put_u8(w, (uint8_t)c->kind);
    lt_put_u8(w, (uint8_t)c->role);
    lt_put_u8(w, (uint8_t)c->sparse);
    lt_put_i64(w, c->width);
    int64_t n = c->labels ? lt_dict_count(c->labels) : 0;
    lt_put_u64(w, (uint64_t)n);
    for (int64_t k = 0; k < n; k++) lt_put_text(w, lt_dict_text(c->labels, k, NULL));
  }
}

static leat_status load_column(leat_schema *s, lt_get *r, leat_error *err) {
  char *name = lt_get_text(r);
  int32_t kind = lt_get_u8(r), role = lt_get_u8(r), sparse = lt_get_u8(r);
  int64_t width = lt_get_i64(r);
  uint64_t labels = lt_get_count(r, 8, LT_MAX_WIDTH);
  leat_status st = lt_get_status(r, "schema", err);
  if (!st && (sparse > 1 || (labels && kind != LEAT_CATEGORY)))
    st = lt_fail(err, LEAT_E_FORMAT, "schema: column '%s' makes no sense", name);
  if (!st) st = lt_schema_add(s, name, kind, role, width, sparse, err);
  if (st == LEAT_E_ARG || st == LEAT_E_RANGE)
    st = lt_fail(err, LEAT_E_FORMAT, "schema: column '%s' is doubled or makes no sense", name ? name : "");
  lt_free(r->rt, name);
  for (uint64_t k = 0; !st && k < labels; k++) {
    char *label = lt_get_text(r);
    st = lt_get_status(r, "schema", err);
    int64_t code = -1;
    if (!st) st = lt_dict_add(s->col[s->n - 1].labels, label, strlen(label), &code, err);
    if (!st && code != (int64_t)k) st = lt_fail(err, LEAT_E_FORMAT, "schema: label '%s' is doubled", label);
    lt_free(r->rt, label);
  }
  return st;
}

leat_status lt_schema_load(leat_runtime *rt, lt_get *r, leat_schema **out, leat_error *err) {
  *out = NULL;
  leat_schema *s = NULL;
  leat_status st = lt_schema_create(rt, &s, err);
  if (st) return st;
  uint64_t n = lt_get_count(r, 27, LT_MAX_WIDTH);
  st = lt_get_status(r, "schema", err);
  for (uint64_t i = 0; !st && i < n; i++) st = load_column(s, r, err);
  if (st) {
    lt_schema_free(s);
    return st;
  }
  *out = s;
  return LEAT_OK;
}
