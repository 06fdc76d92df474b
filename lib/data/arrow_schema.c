/* A schema as Arrow's. */
#include <stdio.h>
#include <string.h>

#include "data/arrow.h"

typedef struct schema_node { leat_runtime *rt; char *format, *name; struct ArrowSchema *child; struct ArrowSchema **list; } schema_node;

static void schema_release(struct ArrowSchema *s) {
  schema_node *x = s->private_data;
  leat_runtime *rt = x->rt;
  for (int64_t i = 0; i < s->n_children; i++) /* those that were not moved away */
    if (s->children[i]->release) s->children[i]->release(s->children[i]);
  if (s->dictionary && s->dictionary->release) s->dictionary->release(s->dictionary);
  lt_free(rt, x->format);
  lt_free(rt, x->name);
  lt_free(rt, x->child);
  lt_free(rt, x->list);
  lt_free(rt, x);
  s->release = NULL;
  lt_runtime_unref(rt);
}

/* A node with room for children, or for a dictionary (children -1). */
static leat_status schema_make(leat_runtime *rt, const char *format, const char *name, int64_t children,
                             struct ArrowSchema *out, leat_error *err) {
  uint64_t n = children < 0 ? 1 : (uint64_t)children;
  memset(out, 0, sizeof *out);
  schema_node *x = lt_zalloc(rt, sizeof *x);
  char *f = lt_strdup(rt, format), *title = lt_strdup(rt, name);
  struct ArrowSchema *child = n ? lt_zarray(rt, n, sizeof *child) : NULL;
  struct ArrowSchema **list = n ? lt_zarray(rt, n, sizeof(struct ArrowSchema *)) : NULL;
  if (!x || !f || !title || (n && (!child || !list))) {
    lt_free(rt, x);
    lt_free(rt, f);
    lt_free(rt, title);
    lt_free(rt, child);
    lt_free(rt, list);
    return lt_fail_memory(err, n * sizeof *child, "an Arrow schema");
  }
  *x = (schema_node){rt, f, title, child, list};
  lt_runtime_ref(rt);
  for (uint64_t i = 0; i < n; i++) list[i] = &child[i];
  *out = (struct ArrowSchema){.format = f, .name = title, .flags = ARROW_FLAG_NULLABLE, .release = schema_release, .private_data = x};
  if (children < 0) {
    out->dictionary = child;
  } else {
    out->n_children = children;
    out->children = list;
  }
  return LEAT_OK;
}

static const char *format_of_numbers(int32_t dtype) {
  switch (dtype) {
    case LEAT_F32: return "f";
    case LEAT_I8: return "c";
    case LEAT_U8: return "C";
    case LEAT_I16: return "s";
    case LEAT_U16: return "S";
    case LEAT_I32: return "i";
    case LEAT_U32: return "I";
    case LEAT_I64: return "l";
    case LEAT_U64: return "L";
    default: return "g";
  }
}

static leat_status schema_column(leat_runtime *rt, const lt_column *c, int32_t dtype, struct ArrowSchema *out,
                              leat_error *err) {
  char width[32];
  if (lt_column_is_text(c)) return schema_make(rt, "U", c->name, 0, out, err);
  if (c->sparse) {
    leat_status st = schema_make(rt, "+L", c->name, 1, out, err);
    if (!st) st = schema_make(rt, "+s", "entry", 2, out->children[0], err);
    if (!st) st = schema_make(rt, "i", "index", 0, out->children[0]->children[0], err);
    if (!st) st = schema_make(rt, "f", "value", 0, out->children[0]->children[1], err);
    return st;
  }
  if (c->width > 1) {
    snprintf(width, sizeof width, "+w:%lld", (long long)c->width);
    leat_status st = schema_make(rt, width, c->name, 1, out, err);
    return st ? st : schema_make(rt, format_of_numbers(dtype), "item", 0, out->children[0], err);
  }
  if (c->kind == LEAT_CATEGORY) {
    leat_status st = schema_make(rt, "i", c->name, -1, out, err);
    return st ? st : schema_make(rt, "u", "", 0, out->dictionary, err);
  }
  const char *format = c->kind == LEAT_BOOL ? "b" : c->kind == LEAT_TIME ? "tsn:UTC" : format_of_numbers(dtype);
  return schema_make(rt, format, c->name, 0, out, err);
}

leat_status lt_arrow_put_schema(leat_runtime *rt, const leat_schema *s, const int32_t *dtype, struct ArrowSchema *out,
                                leat_error *err) {
  int64_t n = 0;
  for (int64_t i = 0; i < s->n; i++) n += dtype[i] != 0;
  leat_status st = schema_make(rt, "+s", "", n, out, err);
  for (int64_t i = 0, k = 0; i < s->n && !st; i++)
    if (dtype[i]) st = schema_column(rt, &s->col[i], dtype[i], out->children[k++], err);
  if (st && out->release) out->release(out);
  return st;
}
