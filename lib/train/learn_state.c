/* What an online trainer gives and keeps: snapshots and checkpoints. */
#include "train/learn.h"
#include "base/sealed.h"
#include <string.h>

/* The trainer's schema with the classes that have come up since. */
leat_status lt_online_schema(const lt_online_trainer *o, leat_schema **out, leat_error *err) {
  leat_schema *s = NULL;
  *out = NULL;
  leat_status st = lt_schema_copy(o->schema, &s, err);
  lt_dict *labels = st ? NULL : s->col[lt_schema_role(s, LEAT_ROLE_TARGET)].labels;
  for (int64_t k = labels ? lt_dict_count(labels) : 0; !st && labels && k < o->m->n_classes; k++) {
    uint64_t n = 0;
    int64_t code;
    const char *text = lt_dict_text(o->labels, k, &n);
    st = lt_dict_add(labels, text, n, &code, err);
  }
  if (st) lt_schema_free(s);
  else *out = s;
  return st;
}

/* The golden rows as rows of another schema that differs in the target's labels only. */
static leat_status golden_of(const lt_online_trainer *o, leat_schema *s, leat_batch **out, leat_error *err) {
  lt_rows v;
  lt_batch_rows(o->golden, &v);
  v.schema = s;
  leat_status st = lt_batch_create(o->rt, s, out, err);
  if (!st) st = lt_batch_append(*out, &v, 0, v.n, err);
  return st;
}

leat_status lt_online_snapshot(const lt_online_trainer *o, const char *lineage, leat_model **out, leat_error *err) {
  leat_schema *s = NULL;
  leat_batch *golden = NULL;
  lt_encoder *e = NULL;
  *out = NULL;
  if (!o->m || o->learned == 0) return lt_fail(err, LEAT_E_STATE, "the trainer has learned no row yet: there is no model");
  if (!o->m->regression && o->m->n_classes < 2)
    return lt_fail(err, LEAT_E_STATE, "one class has come up so far: a model needs two");
  leat_status st = lt_online_schema(o, &s, err);
  if (!st) st = golden_of(o, s, &golden, err);
  if (!st) st = lt_encoder_copy_for(o->encoder, s, &e, err);
  if (!st) {
    lt_model_parts parts = {0};
    parts.schema = s;
    parts.encoder = e;
    parts.family = &lt_family_online;
    parts.params = o->m;
    parts.settings = o->settings;
    parts.golden = golden;
    parts.profiles = o->profiles;
    parts.n_profiles = o->profiles ? o->n_profiles : 0;
    parts.rows_trained = parts.iterations = o->learned;
    parts.lineage = lineage;
    st = lt_model_create(o->rt, &parts, out, err);
  }
  lt_encoder_free(e);
  lt_batch_free(golden);
  lt_schema_free(s);
  return st;
}

/* ---------------------------------------------------------------------------------------------- checkpoints */

static void put_progress(const lt_online_trainer *o, lt_put *w) {
  lt_put_i64(w, o->learned);
  lt_put_i64(w, o->golden_seen);
  lt_progressive_save(o->progress, w);
}

static void put_golden(const lt_online_trainer *o, lt_put *w) {
  lt_rows v;
  lt_batch_rows(o->golden, &v);
  lt_put_i64(w, v.n);
  if (v.n > 0) lt_rows_save(&v, w);
}

leat_status lt_online_put(const lt_online_trainer *o, struct lt_seal *seal, leat_error *err) {
  static const char *const names[] = {"schema", "labels", "online", "progress", "golden", "edges"};
  leat_schema *now = NULL;
  leat_status st = LEAT_OK;
  for (size_t i = 0; i < sizeof names / sizeof *names && !st; i++) {
    lt_put w;
    lt_put_init(&w, o->rt);
    switch (i) {
      case 0: lt_schema_save(o->schema, &w); break;
      case 1: /* a schema again: the one of a snapshot */
        st = lt_online_schema(o, &now, err);
        if (!st) lt_schema_save(now, &w);
        break;
      case 2: lt_online_save(o->m, &w); break;
      case 3: put_progress(o, &w); break;
      case 4: put_golden(o, &w); break;
      default: lt_derive_put_edges(o->encoder, &w);
    }
    if (!st && i == 5 && w.size == 0) st = lt_put_status(&w, err); /* no buckets */
    else if (!st) st = lt_seal_add_put(seal, names[i], LT_SEAL_ZSTD, &w, err);
    lt_put_free(&w);
  }
  lt_schema_free(now);
  return st;
}

static leat_status online_section(const lt_online_trainer *o, struct lt_sealed *f, const char *name, lt_get *g,
                                  leat_error *err) {
  const void *data = NULL;
  uint64_t size = 0;
  leat_status st = lt_sealed_section(f, name, &data, &size, err);
  if (st == LEAT_E_NOT_FOUND) st = lt_fail(err, LEAT_E_FORMAT, "the checkpoint has no section '%s'", name);
  lt_get_init(g, o->rt, data, st ? 0 : size);
  return st;
}

static leat_status online_whole(lt_get *g, const char *what, leat_error *err) {
  if (!g->failed && lt_get_left(g) != 0) lt_get_fail(g, LEAT_E_FORMAT);
  return lt_get_status(g, what, err);
}

static leat_status get_labels(lt_online_trainer *o, lt_get *g, leat_error *err) {
  leat_schema *now = NULL;
  leat_status st = lt_schema_load(o->rt, g, &now, err);
  int64_t target = st ? -1 : lt_schema_role(now, LEAT_ROLE_TARGET);
  const lt_dict *labels = target < 0 ? NULL : now->col[target].labels;
  if (!st && (target < 0 || !labels != !o->labels)) lt_get_fail(g, LEAT_E_FORMAT);
  for (int64_t k = 0; !st && !g->failed && labels && k < lt_dict_count(labels); k++) {
    uint64_t n = 0;
    int64_t code = -1;
    const char *text = lt_dict_text(labels, k, &n);
    st = lt_dict_add(o->labels, text, n, &code, err);
    if (!st && code != k) lt_get_fail(g, LEAT_E_FORMAT);
  }
  lt_schema_free(now);
  return st ? st : online_whole(g, "the checkpoint's labels", err);
}

static leat_status get_learned(lt_online_trainer *o, lt_get *g, leat_error *err) {
  lt_online *m = NULL;
  leat_status st = lt_online_load(o->rt, g, &m, err);
  if (st) return st;
  int64_t labels = o->labels ? lt_dict_count(o->labels) : m->n_classes;
  if (!lt_online_same_kind(m, o->m) || !lt_online_fits(m, o->encoder) ||
      m->n_classes > labels || m->n_classes < o->m->n_classes)
    lt_get_fail(g, LEAT_E_FORMAT);
  st = online_whole(g, "the checkpoint's online model", err);
  if (st) {
    lt_online_free(m);
    return st;
  }
  lt_online_free(o->m);
  o->m = m;
  return LEAT_OK;
}

static leat_status get_progress(lt_online_trainer *o, lt_get *g, leat_error *err) {
  o->learned = lt_get_i64(g);
  o->golden_seen = lt_get_i64(g);
  if (o->learned < 0 || o->golden_seen < 0) lt_get_fail(g, LEAT_E_FORMAT);
  leat_status st = g->failed ? LEAT_OK : lt_progressive_restore(o->progress, g, err);
  /* the scores' classes are the model's, or one more where memory failed between the two */
  if (!st && !g->failed) st = lt_progressive_grow(o->progress, o->m->regression ? 0 : o->m->n_classes, err);
  if (!st && !g->failed && (lt_progressive_outputs(o->progress) < o->m->n_models || lt_progressive_outputs(o->progress) > LT_ONLINE_CLASSES)) lt_get_fail(g, LEAT_E_FORMAT);
  return st ? st : online_whole(g, "the checkpoint's progress", err);
}

static leat_status get_golden(lt_online_trainer *o, lt_get *g, leat_error *err) {
  int64_t n = lt_get_i64(g);
  leat_batch *rows = NULL;
  lt_rows v;
  leat_status st = LEAT_OK;
  if (n < 0 || n > LT_ONLINE_GOLDEN) lt_get_fail(g, LEAT_E_FORMAT);
  if (!g->failed && n > 0) st = lt_rows_load(o->rt, o->schema, g, &rows, err);
  if (rows) {
    lt_batch_rows(rows, &v);
    if (v.n != n) lt_get_fail(g, LEAT_E_FORMAT);
  }
  if (!st) st = online_whole(g, "the checkpoint's golden rows", err);
  if (!st && rows) {
    lt_batch_free(o->golden);
    o->golden = rows;
    o->n_golden = n;
  } else {
    lt_batch_free(rows);
  }
  return st;
}

leat_status lt_online_get(lt_online_trainer *o, struct lt_sealed *f, leat_error *err) {
  lt_get g;
  leat_schema *s = NULL;
  leat_status st = online_section(o, f, "schema", &g, err);
  if (!st) st = lt_schema_load(o->rt, &g, &s, err);
  if (!st) st = lt_online_begin(o, s, err);
  lt_schema_free(s);
  if (!st) st = online_section(o, f, "labels", &g, err);
  if (!st) st = get_labels(o, &g, err);
  if (!st) st = online_section(o, f, "online", &g, err);
  if (!st) st = get_learned(o, &g, err);
  if (!st) st = online_section(o, f, "progress", &g, err);
  if (!st) st = get_progress(o, &g, err);
  if (!st) st = online_section(o, f, "golden", &g, err);
  if (!st) st = get_golden(o, &g, err);
  if (st || !lt_encoder_is_online(o->encoder)) return st;
  const void *data = NULL;
  uint64_t size = 0;
  st = lt_sealed_section(f, "edges", &data, &size, err);
  if (st && st != LEAT_E_NOT_FOUND) return st;
  lt_get_init(&g, o->rt, data, st ? 0 : size); /* nothing where there are no buckets */
  lt_derive_get_edges(o->encoder, &g);
  st = online_whole(&g, "the checkpoint's edges", err);
  return st;
}
