/* The gate's life, and what it knows of a schema. The rows are in gate_row.c. */
#include <string.h>
#include "lifecycle/gate_inner.h"

leat_status lt_gate_create(leat_runtime *rt, const leat_params *settings, lt_gate **out, leat_error *err) {
  *out = NULL;
  lt_gate *g = lt_zalloc(rt, sizeof *g);
  if (!g) return lt_fail_memory(err, sizeof *g, "a gate");
  g->rt = rt;
  lt_runtime_ref(rt);
  g->newest = INT64_MIN;
  g->target = g->weight = g->time = -1;
  leat_status st = lt_dict_create(rt, &g->names, err);
  if (!st) st = lt_gate_settings(g, settings, err);
  if (st) {
    lt_gate_free(g);
    return st;
  }
  *out = g;
  return LEAT_OK;
}

static void gate_unbind(lt_gate *g) {
  lt_schema_free(g->bound);
  g->bound = NULL;
  g->n_parts = 0;
}

static void column_free(leat_runtime *rt, lt_gate_column *c) {
  if (!c) return;
  lt_gate_labels_free(rt, &c->labels);
  lt_free(rt, c->stat);
  lt_free(rt, c->slot);
  lt_free(rt, c->strike);
  lt_free(rt, c->name);
  lt_free(rt, c);
}

void lt_gate_free(lt_gate *g) {
  if (!g) return;
  leat_runtime *rt = g->rt;
  gate_unbind(g);
  for (uint64_t i = 0; i < g->n_columns; i++) column_free(rt, g->column[i]);
  for (uint64_t i = 0; i < g->n_ranges; i++) lt_free(rt, g->range[i].name);
  for (uint64_t i = 0; i < g->n_required; i++) lt_free(rt, g->required[i].name);
  void *all[] = {g->column, g->range, g->required, g->part, g->x, g->seen};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) lt_free(rt, all[i]);
  lt_gate_labels_free(rt, &g->classes);
  lt_dict_free(g->names);
  lt_free(rt, g);
  lt_runtime_unref(rt);
}

/* More elements or slots; the new ones have seen nothing. */
static leat_status column_widen(lt_gate *g, lt_gate_column *c, int64_t width, leat_error *err) {
  uint64_t size = c->type == GATE_NUMBERS ? sizeof *c->stat : sizeof *c->slot, old = (uint64_t)c->width;
  if (c->type == GATE_SPARSE && width > GATE_SLOTS) width = GATE_SLOTS;
  if (width <= c->width) return LEAT_OK;
  void *p = lt_zarray(g->rt, (uint64_t)width, size), *before = c->type == GATE_NUMBERS ? (void *)c->stat : (void *)c->slot;
  uint8_t *strike = p && c->type == GATE_SPARSE ? lt_zalloc(g->rt, (uint64_t)width) : NULL;
  if (!p || (c->type == GATE_SPARSE && !strike)) {
    lt_free(g->rt, p);
    return lt_fail_memory(err, (uint64_t)width * (size + 1), "statistics of the gate");
  }
  if (old) memcpy(p, before, old * size);
  if (old && strike) memcpy(strike, c->strike, old);
  lt_free(g->rt, before);
  lt_free(g->rt, c->strike);
  c->strike = strike;
  if (c->type == GATE_NUMBERS) c->stat = p;
  else c->slot = p;
  c->width = width;
  return LEAT_OK;
}

leat_status lt_gate_column_get(lt_gate *g, int32_t type, const char *name, int64_t width, lt_gate_column **out,
                               leat_error *err) {
  uint64_t n = strlen(name);
  char *key = lt_alloc(g->rt, n + 2);
  int64_t at = -1;
  if (!key) return lt_fail_memory(err, n + 2, "a column of the gate");
  key[0] = (char)type;
  memcpy(key + 1, name, n + 1);
  at = lt_dict_find(g->names, key, n + 1);
  leat_status st = LEAT_OK;
  if (at < 0) {
    void *p = g->column;
    lt_gate_column *c = lt_zalloc(g->rt, sizeof *c);
    if (!c) st = lt_fail_memory(err, sizeof *c, "a column of the gate");
    if (!st) {
      c->type = type;
      c->low = INFINITY;
      c->high = -INFINITY;
      c->name = lt_strndup(g->rt, name, n);
      if (!c->name) st = lt_fail_memory(err, n, "a column of the gate");
    }
    if (!st) st = lt_grow(g->rt, &p, &g->column_cap, g->n_columns + 1, sizeof *g->column, err);
    g->column = p;
    if (!st) st = lt_dict_add(g->names, key, n + 1, &at, err);
    if (st) column_free(g->rt, c);
    else g->column[g->n_columns++] = c;
  }
  lt_free(g->rt, key);
  if (st) return st;
  *out = g->column[at];
  return type == GATE_CATEGORY ? LEAT_OK : column_widen(g, *out, width, err);
}

/* A column that a parameter names. */
static leat_status bind_named(const leat_schema *s, const char *what, const char *name, int32_t *column, leat_error *err) {
  leat_error e = {.struct_size = sizeof e};
  int64_t i = -1;
  leat_status st = lt_schema_find(s, name, &i, &e);
  *column = (int32_t)i;
  if (st == LEAT_E_MEMORY) return lt_fail(err, st, "%s", e.message);
  return st ? lt_fail(err, LEAT_E_ARG, "%s: %.400s", what, e.message) : LEAT_OK;
}

static leat_status bind_settings(lt_gate *g, const leat_schema *s, leat_error *err) {
  leat_status st = LEAT_OK;
  for (uint64_t i = 0; i < g->n_ranges && !st; i++) {
    lt_gate_range *r = &g->range[i];
    st = bind_named(s, "ranges", r->name, &r->column, err);
    if (!st && s->col[r->column].kind != LEAT_NUMBER)
      st = lt_fail(err, LEAT_E_ARG, "ranges: '%.100s' is no number column, only such have bounds", r->name);
  }
  for (uint64_t i = 0; i < g->n_required && !st; i++)
    st = bind_named(s, "required", g->required[i].name, &g->required[i].column, err);
  return st;
}

/* What of a column is looked at; type 0: nothing. */
static lt_gate_part bind_part(const lt_gate *g, const leat_schema *s, int64_t i) {
  const lt_column *c = &s->col[i];
  lt_gate_part p = {.type = 0, .column = (int32_t)i, .width = c->width, .feature = c->role == LEAT_ROLE_FEATURE};
  int aged = c->role == LEAT_ROLE_TIME && c->kind == LEAT_TIME && g->max_age > 0;
  if (p.feature ? c->kind == LEAT_ID : !aged && (c->role != LEAT_ROLE_TARGET || c->kind != LEAT_NUMBER)) return p;
  if (lt_column_is_text(c)) p.type = GATE_TEXT;
  else if (c->kind == LEAT_CATEGORY) p.type = GATE_CATEGORY;
  else p.type = c->sparse ? GATE_SPARSE : GATE_NUMBERS;
  p.labels = c->labels;
  return p;
}

static leat_status bind_parts(lt_gate *g, const leat_schema *s, leat_error *err) {
  uint64_t numbers = 0, codes = 0;
  void *p = g->part;
  leat_status st = lt_grow(g->rt, &p, &g->part_cap, (uint64_t)s->n, sizeof *g->part, err);
  g->part = p;
  for (int64_t i = 0; i < s->n && !st && g->on; i++) {
    lt_gate_part part = bind_part(g, s, i);
    if (!part.type) continue;
    if (part.type == GATE_NUMBERS) {
      part.at = (int64_t)numbers;
      numbers += (uint64_t)part.width;
    }
    int numeric = part.type == GATE_NUMBERS || part.type == GATE_SPARSE;
    if (part.type == GATE_CATEGORY || (numeric && g->outlier && s->col[i].kind != LEAT_BOOL))
      st = lt_gate_column_get(g, part.type, s->col[i].name, part.width, &part.c, err);
    if (part.type == GATE_CATEGORY) {
      codes += (uint64_t)lt_dict_count(part.labels);
      if (!st) st = lt_gate_labels_room(g->rt, &part.c->labels, (uint64_t)lt_dict_count(part.labels), err);
    }
    g->part[g->n_parts++] = part;
  }
  const lt_dict *classes = g->target >= 0 ? s->col[g->target].labels : NULL;
  if (!st && classes) st = lt_gate_labels_room(g->rt, &g->classes, (uint64_t)lt_dict_count(classes), err);
  if (classes) codes += (uint64_t)lt_dict_count(classes);
  p = g->x;
  if (!st) st = lt_grow(g->rt, &p, &g->x_cap, numbers, sizeof *g->x, err);
  g->x = p;
  p = g->seen;
  if (!st) st = lt_grow(g->rt, &p, &g->seen_cap, codes + 1, 1, err);
  g->seen = p;
  if (st) return st;
  memset(g->seen, 0, codes + 1);
  codes = 0;
  for (uint64_t k = 0; k < g->n_parts; k++) {
    if (g->part[k].type != GATE_CATEGORY) continue;
    g->part[k].seen = g->seen + codes;
    codes += (uint64_t)lt_dict_count(g->part[k].labels);
  }
  g->class_seen = g->seen + codes;
  return LEAT_OK;
}

leat_status lt_gate_bind(lt_gate *g, leat_schema *s, leat_error *err) {
  if (s == g->bound) return LEAT_OK;
  gate_unbind(g);
  g->target = (int32_t)lt_schema_role(s, LEAT_ROLE_TARGET);
  g->weight = (int32_t)lt_schema_role(s, LEAT_ROLE_WEIGHT);
  g->time = (int32_t)lt_schema_role(s, LEAT_ROLE_TIME);
  if (g->time >= 0 && s->col[g->time].kind != LEAT_TIME) g->time = -1;
  leat_status st = g->on ? bind_settings(g, s, err) : LEAT_OK;
  if (!st) st = bind_parts(g, s, err);
  if (st) {
    g->n_parts = 0;
    return st;
  }
  lt_schema_ref(s); /* so that its address tells it */
  g->bound = s;
  return LEAT_OK;
}

leat_status lt_gate_classes(lt_gate *g, int64_t most, const lt_dict *known, leat_error *err) {
  uint64_t n = known ? (uint64_t)lt_dict_count(known) : 0;
  leat_status st = lt_gate_labels_room(g->rt, &g->classes, n, err);
  if (st) return st;
  g->most_classes = most;
  for (uint64_t k = 0; k < n; k++) lt_gate_labels_add(&g->classes, lt_gate_hash(known, (int64_t)k));
  gate_unbind(g); /* the next one makes room for new labels again */
  return LEAT_OK;
}

int32_t lt_gate_action(const lt_gate *g, int32_t reason) {
  int i = lt_gate_reason_index(reason);
  return i < 0 ? LT_HOLD : g->action[i];
}

int lt_gate_flooded(const lt_gate *g) {
  return g->ring_n >= GATE_RING_LEAST && (double)g->ring_held > g->stop_share * (double)g->ring_n;
}

void lt_gate_forgive(lt_gate *g) {
  memset(g->ring, 0, sizeof g->ring);
  g->ring_n = g->ring_at = g->ring_held = 0;
}
