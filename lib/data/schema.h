/* Schema: columns with kind, role, width and labels. */
#ifndef LEAT_DATA_SCHEMA_H
#define LEAT_DATA_SCHEMA_H
#include "base/bytes.h"
#include "base/hash.h"
typedef struct lt_column {
  char *name;
  int32_t kind, role;
  int64_t width;     /* numbers a row; > 1 only for blocks */
  int32_t sparse;    /* a block given as CSR */
  lt_dict *labels;   /* CATEGORY: never NULL; else NULL */
} lt_column;
struct leat_schema { leat_runtime *rt; lt_ref ref; lt_column *col; int64_t n; uint64_t cap; lt_dict *names; };
/* Columns whose rows are text (lt_col.text), not numbers. */
static inline int lt_column_is_text(const lt_column *c) {
  return c->kind == LEAT_TEXT || c->kind == LEAT_ID || c->role == LEAT_ROLE_KEY;
}
/* Label codes in column data. */
enum { LT_MISSING = -1, LT_UNSEEN = -2 };
leat_status lt_schema_create(leat_runtime *rt, leat_schema **out, leat_error *err);
void lt_schema_ref(leat_schema *s);   /* frozen schemas are shared by reference */
void lt_schema_free(leat_schema *s);  /* drops a reference; NULL is fine */
leat_status lt_schema_copy(const leat_schema *s, leat_schema **out, leat_error *err);
leat_status lt_schema_add(leat_schema *s, const char *name, int32_t kind, int32_t role, int64_t width, int32_t sparse,
                          leat_error *err);
leat_status lt_schema_set_role(leat_schema *s, int64_t column, int32_t role, leat_error *err);
leat_status lt_schema_find(const leat_schema *s, const char *name, int64_t *index, leat_error *err);
int64_t lt_schema_role(const leat_schema *s, int32_t role); /* first column of the role, or -1 */
/* Feature numbers a row: the sum of the widths of FEATURE columns but TEXT and ID (which have none). */
int64_t lt_schema_numbers(const leat_schema *s);
/* Is `wide` the schema `s` with no, or more labels behind those of its columns? */
int lt_schema_extends(const leat_schema *wide, const leat_schema *s);
int lt_schema_equal(const leat_schema *a, const leat_schema *b); /* names, kinds, roles, widths, labels */
void lt_schema_save(const leat_schema *s, lt_put *w);
leat_status lt_schema_load(leat_runtime *rt, lt_get *r, leat_schema **out, leat_error *err);
/* 0 none, else the number of classes of the target (its labels); regression: target of kind NUMBER gives 0 */
int64_t lt_schema_classes(const leat_schema *s);
#endif
