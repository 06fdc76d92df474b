/* The learner's schemas: what the rows in its journal are of. */
#include "lifecycle/learner_inner.h"
#include <string.h>

static void schema_close(leat_learner *l, lt_ln_schema *sc) {
  lt_schema_free(sc->s);
  lt_free(l->rt, sc->code);
  memset(sc, 0, sizeof *sc);
}

void lt_ln_schemas_free(leat_learner *l) {
  for (uint64_t i = 0; i < l->n_schemas; i++) schema_close(l, &l->schema[i]);
  lt_free(l->rt, l->schema);
  l->schema = NULL;
  l->n_schemas = l->schema_cap = 0;
}

/* Fills sc for s, of which it takes a reference. */
static leat_status schema_fill(leat_learner *l, leat_schema *s, lt_ln_schema *sc, leat_error *err) {
  memset(sc, 0, sizeof *sc);
  sc->target = lt_schema_role(s, LEAT_ROLE_TARGET);
  sc->weight = lt_schema_role(s, LEAT_ROLE_WEIGHT);
  sc->key = lt_schema_role(s, LEAT_ROLE_KEY);
  const lt_dict *labels = sc->target < 0 ? NULL : s->col[sc->target].labels;
  sc->n_labels = labels ? lt_dict_count(labels) : 0;
  sc->code = lt_array(l->rt, (uint64_t)sc->n_labels, sizeof *sc->code);
  if (!sc->code) return lt_fail_memory(err, (uint64_t)sc->n_labels * sizeof *sc->code, "labels of the target");
  for (int64_t k = 0; k < sc->n_labels; k++) sc->code[k] = -1;
  lt_schema_ref(s);
  sc->s = s;
  return LEAT_OK;
}

leat_status lt_ln_schema_add(leat_learner *l, leat_schema *s, leat_error *err) {
  lt_ln_schema sc;
  leat_status st = lt_grow(l->rt, (void **)&l->schema, &l->schema_cap, l->n_schemas + 1, sizeof *l->schema, err);
  if (!st) st = schema_fill(l, s, &sc, err);
  if (!st) l->schema[l->n_schemas++] = sc;
  return st;
}

int32_t lt_ln_code(leat_learner *l, lt_ln_schema *sc, int64_t theirs) {
  if (!l->o->labels || theirs < 0 || theirs >= sc->n_labels) return -1;
  if (sc->code[theirs] < 0) {
    uint64_t n = 0;
    const char *text = lt_dict_text(sc->s->col[sc->target].labels, theirs, &n);
    sc->code[theirs] = (int32_t)lt_dict_find(l->o->labels, text, n);
  }
  return sc->code[theirs];
}

/* ---------------------------------------------------------------------------------------------- which one is it? */

/* One of the two is the beginning of the other. */
static int labels_agree(const lt_dict *a, const lt_dict *b) {
  int64_t na = lt_dict_count(a), nb = lt_dict_count(b), n = na < nb ? na : nb;
  for (int64_t k = 0; k < n; k++) {
    uint64_t x = 0, y = 0;
    const char *s = lt_dict_text(a, k, &x), *t = lt_dict_text(b, k, &y);
    if (x != y || memcmp(s, t, x) != 0) return 0;
  }
  return 1;
}

static int schemas_agree(const leat_schema *a, const leat_schema *b, int joined) {
  if (a == b) return 1;
  if (a->n != b->n) return 0;
  for (int64_t i = 0; i < a->n; i++) {
    const lt_column *x = &a->col[i], *y = &b->col[i];
    if (x->kind != y->kind || x->role != y->role || x->width != y->width || x->sparse != y->sparse ||
        strcmp(x->name, y->name) != 0)
      return 0;
  }
  for (int64_t i = 0; i < a->n; i++) {
    const lt_column *x = &a->col[i], *y = &b->col[i];
    if (x->labels && !(joined && x->role == LEAT_ROLE_TARGET) && !labels_agree(x->labels, y->labels)) return 0;
  }
  return 1;
}

static int64_t schema_find(const leat_learner *l, const leat_schema *s, int joined) {
  for (uint64_t i = l->n_schemas; i-- > 0;)
    if (schemas_agree(l->schema[i].s, s, joined)) return (int64_t)i;
  return -1;
}

static int64_t labels_total(const leat_schema *s) {
  int64_t n = 0;
  for (int64_t i = 0; i < s->n; i++) n += s->col[i].labels ? lt_dict_count(s->col[i].labels) : 0;
  return n;
}

/* ---------------------------------------------------------------------------------------------- labels that came */

/* Labels of column i that `of` lacks and s has; in joined columns wherever they stand. Writes them; how many. */
static uint64_t labels_missing(const lt_dict *of, const lt_dict *s, int anywhere, lt_put *w) {
  uint64_t n = 0;
  for (int64_t k = anywhere ? 0 : lt_dict_count(of); k < lt_dict_count(s); k++) {
    uint64_t size = 0;
    const char *text = lt_dict_text(s, k, &size);
    if (anywhere && lt_dict_find(of, text, size) >= 0) continue;
    if (w) lt_put_text(w, text);
    n++;
  }
  return n;
}

/* The record of the labels that schema `number` lacks; 0 when it lacks none. */
static int labels_put(leat_learner *l, uint32_t number, const leat_schema *s, int joined) {
  const leat_schema *own = l->schema[number].s;
  uint32_t columns = 0;
  lt_ln_put_begin(l);
  lt_put_u32(&l->put, number);
  for (int64_t i = 0; i < s->n; i++) {
    int anywhere = joined && s->col[i].role == LEAT_ROLE_TARGET;
    uint64_t n = s->col[i].labels ? labels_missing(own->col[i].labels, s->col[i].labels, anywhere, NULL) : 0;
    if (n == 0) continue;
    lt_put_i64(&l->put, i);
    lt_put_u64(&l->put, n);
    labels_missing(own->col[i].labels, s->col[i].labels, anywhere, &l->put);
    columns++;
  }
  return columns > 0;
}

leat_status lt_ln_apply_labels(leat_learner *l, lt_get *g, leat_error *err) {
  uint32_t number = lt_get_u32(g);
  leat_schema *s = NULL;
  lt_ln_schema sc;
  if (number >= l->n_schemas) lt_get_fail(g, LEAT_E_FORMAT);
  if (g->failed) return lt_get_status(g, "labels in the journal", err);
  leat_status st = lt_schema_copy(l->schema[number].s, &s, err);
  while (!st && !g->failed && lt_get_left(g) > 0) {
    int64_t column = lt_get_i64(g);
    uint64_t n = lt_get_count(g, 8, UINT32_MAX);
    if (g->failed || column < 0 || column >= s->n || !s->col[column].labels) {
      lt_get_fail(g, LEAT_E_FORMAT);
      break;
    }
    for (uint64_t k = 0; k < n && !st && !g->failed; k++) {
      char *text = lt_get_text(g);
      int64_t code;
      if (text) st = lt_dict_add(s->col[column].labels, text, strlen(text), &code, err);
      lt_free(l->rt, text);
    }
  }
  if (!st) st = lt_get_status(g, "labels in the journal", err);
  if (!st) st = schema_fill(l, s, &sc, err);
  lt_schema_free(s);
  if (st) return st;
  schema_close(l, &l->schema[number]);
  l->schema[number] = sc;
  return LEAT_OK;
}

leat_status lt_ln_apply_schema(leat_learner *l, lt_get *g, leat_error *err) {
  leat_schema *s = NULL;
  leat_status st = lt_schema_load(l->rt, g, &s, err);
  if (!st) st = lt_get_status(g, "a schema in the journal", err);
  if (!st) st = lt_ln_schema_add(l, s, err);
  lt_schema_free(s);
  return st;
}

/* ---------------------------------------------------------------------------------------------- a caller's schema */

leat_status lt_ln_begin(leat_learner *l, leat_schema *s, leat_error *err) {
  if (l->o->m) return LEAT_OK;
  leat_status st = lt_online_begin(l->o, s, err);
  return st ? st : lt_gate_classes(l->gate, l->max_classes, l->o->labels, err);
}

enum { NEED_NOTHING, NEED_FEATURES, NEED_TARGET };
/* Everything that can be wrong with it, before it is in the journal. */
static leat_status schema_check(leat_learner *l, leat_schema *s, int need, leat_error *err) {
  leat_status st = LEAT_OK;
  if (need == NEED_NOTHING) return LEAT_OK;
  if (!l->o->m && lt_schema_role(s, LEAT_ROLE_TARGET) < 0)
    return lt_fail(err, LEAT_E_DATA,
                   "the first rows have no target column: one column must have the role TARGET, or create the learner with a schema");
  if (need == NEED_TARGET) st = lt_gate_bind(l->gate, s, err);
  if (!st) st = lt_ln_begin(l, s, err);
  if (!st) st = lt_online_bind(l->o, s, need == NEED_TARGET, err);
  return st;
}

static leat_status schema_number(leat_learner *l, leat_schema *s, int need, int joined, uint32_t *number,
                                 leat_error *err) {
  int64_t i = schema_find(l, s, joined);
  uint64_t sequence;
  leat_status st = LEAT_OK;
  if (i < 0) {
    leat_schema *copy = NULL;
    st = lt_schema_copy(s, &copy, err);
    if (!st) st = schema_check(l, copy, need, err);
    lt_ln_put_begin(l);
    if (!st) lt_schema_save(copy, &l->put);
    if (!st) st = lt_ln_append(l, LT_J_SCHEMA, &sequence, err);
    if (!st) st = lt_ln_broken(l, lt_ln_schema_add(l, copy, err));
    if (!st) l->applied = sequence;
    lt_schema_free(copy);
    *number = (uint32_t)(l->n_schemas - 1);
    return st;
  }
  st = schema_check(l, l->schema[i].s, need, err);
  if (!st && labels_put(l, (uint32_t)i, s, joined)) {
    st = lt_ln_append(l, LT_J_LABELS, &sequence, err);
    if (!st) {
      lt_get g;
      lt_get_init(&g, l->rt, l->put.data, l->put.size);
      st = lt_ln_broken(l, lt_ln_apply_labels(l, &g, err));
      if (!st) l->applied = sequence;
    }
  }
  *number = (uint32_t)i;
  return st;
}

leat_status lt_ln_number(leat_learner *l, leat_schema *s, int need_target, uint32_t *number, leat_error *err) {
  int64_t total = labels_total(s);
  if (s == l->seen_schema && total == l->seen_labels) {
    *number = l->seen_number;
    return lt_online_bind(l->o, l->schema[*number].s, need_target, err);
  }
  leat_status st = schema_number(l, s, need_target ? NEED_TARGET : NEED_FEATURES, 0, number, err);
  if (st) return st;
  lt_schema_ref(s);
  lt_schema_free(l->seen_schema);
  l->seen_schema = s;
  l->seen_labels = total;
  l->seen_number = *number;
  return LEAT_OK;
}

leat_status lt_ln_number_joined(leat_learner *l, leat_schema *s, uint32_t *number, leat_error *err) {
  return schema_number(l, s, NEED_TARGET, 1, number, err);
}

leat_status lt_ln_number_labels(leat_learner *l, leat_schema *s, uint32_t *number, leat_error *err) {
  return schema_number(l, s, NEED_NOTHING, 0, number, err);
}
