/* A version as requests see it: its feature columns by name, labels to codes, classes as JSON. */
#include "serve.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t hash_text(const char *s, size_t n) { /* FNV-1a (Fowler, Noll, Vo), with a last mix for the low bits */
  uint64_t h = 0xcbf29ce484222325u;
  for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
  return h ^ h >> 29;
}

static void column_labels(const leat_schema *s, int64_t column, serve_column *c) {
  c->slots = 8;
  while (c->slots < 2 * c->n_labels) c->slots *= 2;
  c->slot = serve_alloc((size_t)c->slots * sizeof *c->slot);
  c->label = serve_alloc((size_t)(c->n_labels + 1) * sizeof *c->label);
  for (int64_t i = 0; i < c->slots; i++) c->slot[i] = -1;
  for (int64_t k = 0; k < c->n_labels; k++) {
    if (leat_schema_category(s, column, k, &c->label[k], NULL)) c->label[k] = "";
    uint64_t h = hash_text(c->label[k], strlen(c->label[k]));
    while (c->slot[h & (uint64_t)(c->slots - 1)] >= 0) h++;
    c->slot[h & (uint64_t)(c->slots - 1)] = k;
  }
}

int64_t serve_label_code(const serve_column *c, const char *s, size_t n) {
  if (!c->slots) return c->n_labels;
  for (uint64_t h = hash_text(s, n);; h++) {
    int64_t k = c->slot[h & (uint64_t)(c->slots - 1)];
    if (k < 0) return c->n_labels;
    if (strlen(c->label[k]) == n && memcmp(c->label[k], s, n) == 0) return k;
  }
}

static leat_status plan_columns(serve_plan *p, leat_error *err) {
  int64_t n = 0;
  leat_status st = leat_schema_count(p->schema, &n, err);
  if (st) return st;
  p->column = serve_alloc((size_t)(n + 1) * sizeof *p->column);
  p->key_name = "key";
  p->target_name = "label";
  for (int64_t i = 0; i < n; i++) {
    leat_column_info info = { .struct_size = sizeof info };
    if ((st = leat_schema_column(p->schema, i, &info, err)) != 0) return st;
    if (info.role == LEAT_ROLE_KEY) p->key_name = info.name;
    if (info.role == LEAT_ROLE_TARGET) p->target_name = info.name;
    if (info.role != LEAT_ROLE_FEATURE) continue;
    serve_column *c = &p->column[p->n_columns++];
    c->name = info.name;
    c->name_size = strlen(info.name);
    c->kind = info.kind;
    c->width = info.width;
    c->sparse = (info.flags & LEAT_COLUMN_SPARSE) != 0;
    c->offset = -1;
    if (c->sparse) p->sparse = 1;
    else if (info.kind == LEAT_TEXT || info.kind == LEAT_ID) p->as_text = 1;
    else {
      c->offset = p->numbers;
      p->numbers += info.width;
    }
    if (info.kind == LEAT_CATEGORY) {
      c->n_labels = info.n_categories;
      column_labels(p->schema, i, c);
    }
  }
  return LEAT_OK;
}

static leat_status plan_classes(serve_plan *p, const leat_model *m, leat_error *err) {
  leat_status st = leat_model_get_i64(m, "n_classes", &p->n_classes, err);
  if (!st) st = leat_model_get_i64(m, "out_cols", &p->out_cols, err);
  if (st) return st;
  p->class_name = serve_alloc((size_t)(p->n_classes + 1) * sizeof *p->class_name);
  for (int64_t k = 0; k < p->n_classes && !st; k++) {
    char name[32], *text;
    uint64_t needed = 0;
    snprintf(name, sizeof name, "class:%lld", (long long)k);
    (void)leat_model_get_text(m, name, NULL, 0, &needed, NULL);
    text = serve_alloc((size_t)needed + 1);
    st = leat_model_get_text(m, name, text, needed, &needed, err);
    json_t *s = json_string(text);
    char *quoted = s ? json_dumps(s, JSON_ENCODE_ANY) : NULL;
    p->class_name[k] = quoted ? quoted : strdup("\"\"");
    json_decref(s);
    free(text);
  }
  return st;
}

serve_plan *serve_plan_make(const leat_model *m, int64_t version, leat_error *err) {
  uint64_t needed;
  serve_plan *p = serve_alloc(sizeof *p);
  p->version = version;
  p->refs = 1;
  leat_status st = leat_model_schema(m, &p->schema, err);
  if (!st) st = plan_columns(p, err);
  if (!st) st = plan_classes(p, m, err);
  if (!st) st = leat_model_get_text(m, "family", p->family, sizeof p->family, &needed, err);
  if (!st) st = leat_model_get_text(m, "checksum", p->checksum, sizeof p->checksum, &needed, err);
  if (!st) return p;
  serve_plan_free(p);
  return NULL;
}

void serve_plan_free(serve_plan *p) {
  if (!p) return;
  for (int64_t i = 0; i < p->n_columns; i++) {
    free(p->column[i].slot);
    free(p->column[i].label);
  }
  for (int64_t k = 0; p->class_name && k < p->n_classes; k++) free((char *)(uintptr_t)p->class_name[k]);
  free(p->class_name);
  free(p->column);
  leat_schema_free(p->schema);
  free(p);
}

int64_t serve_plan_find(const serve_plan *p, const char *name, size_t n) {
  for (int64_t i = 0; i < p->n_columns; i++)
    if (p->column[i].name_size == n && memcmp(p->column[i].name, name, n) == 0) return i;
  return -1;
}

const char *serve_datatype(const serve_plan *p, const serve_column *c) {
  switch (c->kind) {
    case LEAT_BOOL: return "BOOL";
    case LEAT_TIME: return p->as_text ? "BYTES" : "INT64";
    case LEAT_NUMBER: return c->width > 1 ? "FP32" : "FP64";
    default: return "BYTES";
  }
}
