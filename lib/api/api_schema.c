/* Chapter 8 of leat.h: schemas. */
#include <string.h>

#include "api/api.h"
#include "data/schema.h"

LEAT_API leat_status leat_schema_create(leat_runtime *rt, leat_schema **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_schema_create(rt, out, err)) != 0) return st;
  return lt_ok(err);
}

LEAT_API void leat_schema_free(leat_schema *s) { lt_schema_free(s); }

LEAT_API leat_status leat_schema_add_column(leat_schema *s, const char *name, leat_kind kind, leat_role role,
                                            leat_error *err) {
  leat_status st = lt_need(s, "s", err);
  if (st || (st = lt_need(name, "name", err)) != 0 || (st = lt_schema_add(s, name, kind, role, 1, 0, err)) != 0)
    return st;
  return lt_ok(err);
}

LEAT_API leat_status leat_schema_add_block(leat_schema *s, const char *name, int64_t width, int64_t sparse,
                                           leat_error *err) {
  leat_status st = lt_need(s, "s", err);
  if (st || (st = lt_need(name, "name", err)) != 0) return st;
  if (sparse != 0 && sparse != 1)
    return lt_fail(err, LEAT_E_ARG, "sparse is %lld, it must be 0 or 1", (long long)sparse);
  st = lt_schema_add(s, name, LEAT_NUMBER, LEAT_ROLE_FEATURE, width, (int32_t)sparse, err);
  return st ? st : lt_ok(err);
}

/* Column `column` of s, which must be a CATEGORY. */
static leat_status category_of(const leat_schema *s, int64_t column, lt_dict **labels, leat_error *err) {
  if (column < 0 || column >= s->n)
    return lt_fail(err, LEAT_E_NOT_FOUND, "column %lld is outside [0, %lld)", (long long)column, (long long)s->n);
  if (!s->col[column].labels)
    return lt_fail(err, LEAT_E_ARG, "column '%s' is not a CATEGORY, it has no labels", s->col[column].name);
  *labels = s->col[column].labels;
  return LEAT_OK;
}

LEAT_API leat_status leat_schema_add_category(leat_schema *s, int64_t column, const char *label, leat_error *err) {
  lt_dict *labels = NULL;
  leat_status st = lt_need(s, "s", err);
  if (st || (st = lt_need(label, "label", err)) != 0 || (st = category_of(s, column, &labels, err)) != 0) return st;
  uint64_t n = strlen(label);
  if (!n) return lt_fail(err, LEAT_E_ARG, "a label cannot be empty: an empty field is a missing value");
  if (lt_dict_find(labels, label, n) >= 0)
    return lt_fail(err, LEAT_E_ARG, "column '%s' has the label '%s' already", s->col[column].name, label);
  st = lt_dict_add(labels, label, n, NULL, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_schema_set_role(leat_schema *s, int64_t column, leat_role role, leat_error *err) {
  leat_status st = lt_need(s, "s", err);
  if (st || (st = lt_schema_set_role(s, column, role, err)) != 0) return st;
  return lt_ok(err);
}

LEAT_API leat_status leat_schema_count(const leat_schema *s, int64_t *count, leat_error *err) {
  leat_status st = lt_need(count, "count", err);
  if (st) return st;
  *count = 0;
  if ((st = lt_need(s, "s", err)) != 0) return st;
  *count = s->n;
  return lt_ok(err);
}

LEAT_API leat_status leat_schema_column(const leat_schema *s, int64_t index, leat_column_info *info, leat_error *err) {
  leat_status st = lt_need(s, "s", err);
  leat_column_info mine;
  if (st || (st = lt_need(info, "info", err)) != 0) return st;
  uint64_t given = info->struct_size;
  if ((st = lt_take_struct(&mine, sizeof mine, info, given, "leat_column_info", err)) != 0) return st;
  memset(&mine, 0, sizeof mine);
  mine.struct_size = sizeof mine;
  if (index < 0 || index >= s->n) {
    lt_give_struct(info, given, &mine, sizeof mine);
    return lt_fail(err, LEAT_E_NOT_FOUND, "column %lld is outside [0, %lld)", (long long)index, (long long)s->n);
  }
  const lt_column *c = &s->col[index];
  mine.name = c->name;
  mine.kind = c->kind;
  mine.role = c->role;
  mine.width = c->width;
  mine.n_categories = c->labels ? lt_dict_count(c->labels) : 0;
  mine.flags = c->sparse ? LEAT_COLUMN_SPARSE : 0;
  lt_give_struct(info, given, &mine, sizeof mine);
  return lt_ok(err);
}

LEAT_API leat_status leat_schema_find(const leat_schema *s, const char *name, int64_t *index, leat_error *err) {
  leat_status st = lt_need(index, "index", err);
  if (st) return st;
  *index = 0;
  if ((st = lt_need(s, "s", err)) != 0 || (st = lt_need(name, "name", err)) != 0 ||
      (st = lt_schema_find(s, name, index, err)) != 0)
    return st;
  return lt_ok(err);
}

LEAT_API leat_status leat_schema_category(const leat_schema *s, int64_t column, int64_t index, const char **label,
                                          leat_error *err) {
  lt_dict *labels = NULL;
  leat_status st = lt_need(label, "label", err);
  if (st) return st;
  *label = NULL;
  if ((st = lt_need(s, "s", err)) != 0 || (st = category_of(s, column, &labels, err)) != 0) return st;
  if (index < 0 || index >= lt_dict_count(labels))
    return lt_fail(err, LEAT_E_NOT_FOUND, "column '%s': label %lld is outside [0, %lld)", s->col[column].name,
                   (long long)index, (long long)lt_dict_count(labels));
  *label = lt_dict_text(labels, index, NULL);
  return lt_ok(err);
}
