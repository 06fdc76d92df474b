/* The online trainer: rows in, predictions and scores out. */
#include "train/learn.h"
#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------- life */

lt_online_rates lt_online_rates_of(const leat_params *settings) {
  return (lt_online_rates){(float)lt_param_real(settings, "adagrad_rate"), lt_param_real(settings, "ftrl_alpha"),
                           lt_param_real(settings, "ftrl_beta"), lt_param_real(settings, "ftrl_l1"),
                           (float)lt_param_real(settings, "net_rate")};
}

leat_status lt_online_open(leat_runtime *rt, const leat_params *settings, const leat_schema *schema,
                           lt_online_trainer **out, leat_error *err) {
  *out = NULL;
  lt_online_trainer *o = lt_zalloc(rt, sizeof *o);
  if (!o) return lt_fail_memory(err, sizeof *o, "an online trainer");
  lt_runtime_ref(rt);
  o->rt = rt;
  o->settings = settings;
  o->rates = lt_online_rates_of(settings);
  o->dot = lt_zarray(rt, LT_ONLINE_CLASSES, sizeof *o->dot);
  o->mixed = lt_zarray(rt, LT_ONLINE_CLASSES, sizeof *o->mixed);
  o->shown = lt_zarray(rt, LT_ONLINE_CLASSES, sizeof *o->shown);
  o->expert = lt_zarray(rt, LT_ONLINE_CLASSES, sizeof *o->expert);
  leat_status st = LEAT_OK;
  leat_schema *copy = NULL;
  if (!o->dot || !o->mixed || !o->shown || !o->expert)
    st = lt_fail_memory(err, LT_ONLINE_CLASSES * sizeof *o->dot, "an online trainer");
  if (!st && schema) st = lt_schema_copy(schema, &copy, err);
  if (!st && copy) st = lt_online_begin(o, copy, err);
  lt_schema_free(copy);
  if (st) lt_online_close(o);
  else *out = o;
  return st;
}

static void online_unbind(lt_online_trainer *o) {
  lt_encode_free(o->bind);
  lt_schema_free(o->bound);
  lt_free(o->rt, o->map);
  o->bind = NULL;
  o->bound = NULL;
  o->map = NULL;
}

/* Back to before the first row. */
static void online_forget(lt_online_trainer *o) {
  online_unbind(o);
  lt_batch_free(o->golden);
  lt_progressive_free(o->progress);
  lt_dict_free(o->labels);
  lt_online_free(o->m);
  lt_encoder_free(o->encoder);
  lt_schema_free(o->schema);
  lt_free(o->rt, o->x);
  lt_free(o->rt, o->unit);
  o->unit = NULL;
  o->golden = NULL;
  o->progress = NULL;
  o->labels = NULL;
  o->m = NULL;
  o->encoder = NULL;
  o->schema = NULL;
  o->x = NULL;
}

void lt_online_close(lt_online_trainer *o) {
  if (!o) return;
  leat_runtime *rt = o->rt;
  online_forget(o);
  void *all[] = {o->feed.slot, o->feed.z, o->feed.raw, o->value, o->index, o->dot, o->mixed, o->shown, o->expert};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) lt_free(rt, all[i]);
  lt_free(rt, o);
  lt_runtime_unref(rt);
}

/* A schema's target -> number of classes; -1: a number. */
static leat_status online_target(const leat_params *settings, const leat_schema *s, int64_t *classes, leat_error *err) {
  int64_t at = lt_schema_role(s, LEAT_ROLE_TARGET);
  *classes = 0;
  if (at < 0) return lt_fail(err, LEAT_E_DATA, "the rows have no target column: one column must have the role TARGET");
  const lt_column *c = &s->col[at];
  if (c->kind == LEAT_NUMBER) *classes = -1;
  else if (c->kind == LEAT_BOOL) *classes = 2;
  else if (c->kind == LEAT_CATEGORY) *classes = lt_dict_count(c->labels);
  else return lt_fail(err, LEAT_E_UNSUPPORTED, "the target '%.100s' must be a number, a category or a bool", c->name);
  lt_task task;
  return lt_family_online.task(*classes < 0 ? 0 : *classes ? *classes : 2, settings, &task, err);
}

leat_status lt_online_suits(leat_runtime *rt, const leat_params *settings, leat_schema *s, uint64_t *bytes, leat_error *err) {
  int64_t classes;
  lt_encoder *e = NULL;
  leat_status st = online_target(settings, s, &classes, err);
  if (!st) st = lt_encoder_unfitted(rt, s, settings, &e, err);
  *bytes = st ? 0
              : lt_online_bytes(lt_online_learners(lt_param_str(settings, "learner"), classes < 0), lt_param_int(settings, "hidden"), e);
  lt_encoder_free(e);
  return st;
}

leat_status lt_online_begin(lt_online_trainer *o, leat_schema *s, leat_error *err) {
  int64_t classes;
  leat_status st = online_target(o->settings, s, &classes, err);
  if (st) return st;
  lt_schema_ref(s);
  o->schema = s;
  const lt_column *c = &s->col[lt_schema_role(s, LEAT_ROLE_TARGET)];
  if (c->labels) st = lt_dict_copy(c->labels, &o->labels, err);
  if (!st) st = lt_encoder_unfitted(o->rt, s, o->settings, &o->encoder, err);
  if (!st)
    st = lt_online_create(o->rt, lt_online_learners(lt_param_str(o->settings, "learner"), classes < 0),
                          lt_param_int(o->settings, "hidden"), classes, o->encoder, &o->m, err);
  if (!st)
    st = lt_progressive_create(o->rt, classes < 0, lt_param_int(o->settings, "window"), lt_param_int(o->settings, "half_life"),
                               &o->progress, err);
  if (!st) st = lt_progressive_grow(o->progress, classes > 2 ? classes : classes < 0 ? 0 : 2, err);
  if (!st) st = lt_batch_create(o->rt, s, &o->golden, err);
  if (!st) {
    o->x = lt_zarray(o->rt, (uint64_t)o->encoder->n_dense, sizeof *o->x);
    o->unit = lt_zarray(o->rt, (uint64_t)(2 * LT_ONLINE_CLASSES * o->m->n_hidden), sizeof *o->unit);
    if (!o->x || !o->unit) st = lt_fail_memory(err, (uint64_t)o->encoder->n_dense * sizeof *o->x, "an online trainer");
    for (int64_t k = 0; !st && k < LT_ONLINE_CLASSES; k++) o->dot[k].unit = o->unit + 2 * k * o->m->n_hidden;
  }
  if (st) online_forget(o);
  return st;
}

leat_status lt_online_from_model(lt_online_trainer *o, const leat_model *model, leat_error *err) {
  const lt_online *from = lt_model_params(model);
  const lt_encoder *encoder = lt_model_encoder(model);
  lt_online *m = NULL;
  lt_encoder *e = NULL;
  leat_status st = lt_online_begin(o, lt_model_schema(model), err);
  if (!st && (!lt_online_same_kind(o->m, from) || !lt_online_fits(from, o->encoder) || !lt_encoder_same_plan(encoder, o->encoder)))
    st = lt_fail(err, LEAT_E_ARG,
                 "the model was learned with another learner or other hash_bits, hidden, words, log, buckets, missing or cross: "
                 "leave the parameters out");
  if (!st) st = lt_encoder_copy_for(encoder, o->schema, &e, err); /* with its edges */
  if (!st) st = lt_online_copy(from, &m, err);
  if (st) {
    lt_encoder_free(e);
    return st;
  }
  online_unbind(o);
  lt_encoder_free(o->encoder);
  o->encoder = e;
  lt_online_free(o->m);
  o->m = m;
  return LEAT_OK;
}

/* ---------------------------------------------------------------------------------------------- rows of a schema */

static leat_status online_map(lt_online_trainer *o, const lt_column *c, leat_error *err) {
  o->n_map = c->labels ? lt_dict_count(c->labels) : 0;
  o->map = lt_array(o->rt, (uint64_t)o->n_map, sizeof *o->map);
  if (!o->map) return lt_fail_memory(err, (uint64_t)o->n_map * sizeof *o->map, "labels of the target");
  for (int64_t k = 0; k < o->n_map; k++) {
    uint64_t n = 0;
    const char *text = lt_dict_text(c->labels, k, &n);
    o->map[k] = (int32_t)lt_dict_find(o->labels, text, n);
  }
  return LEAT_OK;
}

/* Equal but for the labels of the target. */
static int online_alike(const leat_schema *a, const leat_schema *b) {
  if (a == b) return 1;
  if (a->n != b->n) return 0;
  for (int64_t i = 0; i < a->n; i++) {
    const lt_column *x = &a->col[i], *y = &b->col[i];
    if (x->kind != y->kind || x->role != y->role || x->width != y->width || x->sparse != y->sparse ||
        strcmp(x->name, y->name) != 0)
      return 0;
    if (x->role == LEAT_ROLE_TARGET || !x->labels) continue;
    if (lt_dict_count(x->labels) != lt_dict_count(y->labels)) return 0;
    for (int64_t k = 0; k < lt_dict_count(x->labels); k++)
      if (strcmp(lt_dict_text(x->labels, k, NULL), lt_dict_text(y->labels, k, NULL)) != 0) return 0;
  }
  return 1;
}

/* need_target: rows to be predicted may have none. */
leat_status lt_online_bind(lt_online_trainer *o, leat_schema *s, int need_target, leat_error *err) {
  leat_status st = LEAT_OK;
  if (!o->schema) st = lt_online_begin(o, s, err);
  if (st) return st;
  int64_t target = lt_schema_role(s, LEAT_ROLE_TARGET);
  if (need_target && target < 0) {
    int64_t classes;
    return online_target(o->settings, s, &classes, err);
  }
  const lt_column *c = target >= 0 ? &s->col[target] : NULL;
  const lt_column *own = &o->schema->col[lt_schema_role(o->schema, LEAT_ROLE_TARGET)];
  if (c && c->kind != own->kind) {
    if (need_target)
      return lt_fail(err, LEAT_E_DATA, "the target '%.100s' is of another kind than in the rows before", c->name);
    c = NULL;
  }
  if (s == o->bound) return LEAT_OK;
  online_unbind(o);
  st = lt_encode_create(o->encoder, s, &o->bind, err);
  if (!st && c) st = online_map(o, c, err);
  if (st) {
    online_unbind(o);
    return st;
  }
  lt_schema_ref(s);
  o->bound = s;
  o->target = c ? target : -1;
  o->weight = lt_schema_role(s, LEAT_ROLE_WEIGHT);
  o->alike = online_alike(o->schema, s);
  return LEAT_OK;
}

/* Room for the longest of the rows, so that nothing fails later. */
leat_status lt_online_reserve(lt_online_trainer *o, const lt_rows *v, leat_error *err) {
  int64_t most = 0;
  for (int64_t r = 0; r < v->n; r++) {
    int64_t room = lt_online_room(o->m, o->bind, v, r);
    if (room > most) most = room;
  }
  uint64_t n = (uint64_t)most;
  void *p[] = {o->feed.slot, o->feed.z, o->feed.raw, o->index, o->value};
  uint64_t *cap[] = {&o->slot_cap, &o->z_cap, &o->raw_cap, &o->index_cap, &o->value_cap};
  leat_status st = LEAT_OK;
  for (int i = 0; i < 5 && !st; i++) st = lt_grow(o->rt, &p[i], cap[i], n, 4, err);
  o->feed.slot = p[0];
  o->feed.z = p[1];
  o->feed.raw = p[2];
  o->index = p[3];
  o->value = p[4];
  o->feed.cap = (int64_t)o->slot_cap;
  return st;
}

double lt_online_weight(const lt_online_trainer *o, const lt_rows *v, int64_t r) {
  return o->weight < 0 || !v->col[o->weight].data ? 1 : lt_col_number(&v->schema->col[o->weight], &v->col[o->weight], r, 0);
}

double lt_online_label(const lt_online_trainer *o, const lt_rows *v, int64_t r) {
  return v->col[o->target].data ? lt_rows_target(v, o->target, r) : (double)NAN;
}

/* Labels and weights of all rows, before the first one counts; *classes: how many there will be. */
leat_status lt_online_check(lt_online_trainer *o, const lt_rows *v, int64_t *classes, leat_error *err) {
  const lt_column *c = &v->schema->col[o->target];
  int64_t most = lt_param_int(o->settings, "max_classes");
  leat_status st = LEAT_OK;
  int64_t known = o->m->n_classes;
  uint8_t *fresh = lt_zalloc(o->rt, (uint64_t)o->n_map);
  if (!fresh) return lt_fail_memory(err, (uint64_t)o->n_map, "labels of the target");
  for (int64_t r = 0; r < v->n && !st; r++) {
    double y = lt_online_label(o, v, r), w = lt_online_weight(o, v, r);
    if (!(w >= 0) || isinf(w))
      st = lt_fail_at(err, LEAT_E_DATA, r + 1, o->weight + 1,
                      "the weight is negative, missing or not finite at row %lld: a finite number >= 0 is needed",
                      (long long)(r + 1));
    else if (isnan(y)) continue;
    else if (o->m->regression ? !lt_online_usable(y) : !(y >= 0))
      st = lt_fail_at(err, LEAT_E_DATA, r + 1, o->target + 1,
                      "the target '%.100s' is not a usable number at row %lld: take the row out", c->name, (long long)(r + 1));
    else if (o->labels && (int64_t)y < o->n_map && o->map[(int64_t)y] < 0 && !fresh[(int64_t)y]) {
      fresh[(int64_t)y] = 1;
      if (++known > most)
        st = lt_fail_at(err, LEAT_E_DATA, r + 1, o->target + 1,
                        "the target '%.100s' has a new label '%.60s' at row %lld: there are max_classes = %lld already", c->name,
                        lt_dict_text(c->labels, (int64_t)y, NULL), (long long)(r + 1), (long long)most);
    } else if (!o->m->regression && (o->labels ? (int64_t)y >= o->n_map : y > 1)) {
      st = lt_fail_at(err, LEAT_E_DATA, r + 1, o->target + 1, "the target '%.100s' has no such class at row %lld", c->name,
                      (long long)(r + 1));
    }
  }
  lt_free(o->rt, fresh);
  if (classes) *classes = known;
  return st;
}

int32_t lt_online_reason(const lt_online_trainer *o, const lt_rows *v, int64_t r) {
  double y = lt_online_label(o, v, r), w = lt_online_weight(o, v, r);
  if (!(w >= 0) || isinf(w)) return LEAT_REASON_WEIGHT;
  if (isnan(y)) return LEAT_REASON_LABEL_MISSING;
  if (o->m->regression) return lt_online_usable(y) ? 0 : LEAT_REASON_LABEL_INVALID;
  if (!(y >= 0) || (o->labels ? (int64_t)y >= o->n_map : y > 1)) return LEAT_REASON_LABEL_INVALID;
  return o->labels && o->map[(int64_t)y] < 0 && o->m->n_classes >= lt_param_int(o->settings, "max_classes")
             ? LEAT_REASON_LABEL_INVALID
             : 0;
}

leat_status lt_online_code(lt_online_trainer *o, double *y, leat_error *err) {
  if (!o->labels || isnan(*y)) return LEAT_OK;
  int64_t theirs = (int64_t)*y, code = o->map[theirs];
  leat_status st = LEAT_OK;
  if (code < 0) {
    uint64_t n = 0;
    const char *text = lt_dict_text(o->bound->col[o->target].labels, theirs, &n);
    st = lt_progressive_grow(o->progress, o->m->n_classes + 1 > 2 ? o->m->n_classes + 1 : 2, err);
    if (!st) st = lt_dict_add(o->labels, text, n, &code, err);
  }
  if (st) return st;
  o->map[theirs] = (int32_t)code;
  *y = (double)code;
  return LEAT_OK;
}

/* Their code -> ours; a new label becomes a class. */
static leat_status online_class(lt_online_trainer *o, double *y, int64_t row, leat_error *err) {
  leat_status st = lt_online_code(o, y, err);
  while (!st && o->labels && !isnan(*y) && (int64_t)*y >= o->m->n_classes) st = lt_online_add_class(o->m, err);
  if (st && err && err->struct_size >= sizeof *err) err->detail[0] = row + 1; /* the rows before it are learned */
  return st;
}

/* ---------------------------------------------------------------------------------------------- one row */

/* Row r's entries, and every model's learners and mixture on it. */
void lt_online_look(lt_online_trainer *o, const lt_rows *v, int64_t r) {
  o->feed.m = o->m;
  lt_online_row(&o->feed, o->bind, v, r, o->x, o->index, o->value);
  for (int64_t k = 0; k < o->m->n_models; k++) {
    lt_online_dot_clear(o->m, &o->dot[k]);
    if (k == 0) lt_online_see(&o->feed, &o->dot[k]);
    else lt_online_dots(o->m, k, &o->feed, &o->dot[k]);
    o->mixed[k] = lt_online_mix(o->m, k, &o->dot[k], o->expert[k]);
  }
}

static void online_learn(lt_online_trainer *o, double y, double w) {
  lt_online *m = o->m;
  if (m->regression) {
    lt_online_welford(&m->target, y);
    double dev = lt_online_deviation(&m->target);
    y = dev > 0 ? (y - m->target.mean) / dev : 0;
    y = y > LT_ONLINE_CLIP ? LT_ONLINE_CLIP : y < -LT_ONLINE_CLIP ? -LT_ONLINE_CLIP : y;
  }
  for (int64_t k = 0; k < m->n_models; k++) {
    double yk = m->regression ? y : m->n_models == 1 ? y == 1 : (int64_t)y == k;
    lt_online_step(m, k, &o->feed, &o->dot[k], o->expert[k], o->mixed[k], yk, w, &o->rates);
  }
  lt_online_count(m, &o->feed, o->x);
}

/* Rows 0 to 7 and then those whose number is a power of two: early and late ones, without a second look. */
void lt_online_golden(lt_online_trainer *o, const lt_rows *v, int64_t r) {
  int64_t i = o->golden_seen;
  if (!o->alike || o->n_golden >= LT_ONLINE_GOLDEN) return;
  o->golden_seen++;
  if (i >= 8 && (i & (i - 1)) != 0) return;
  lt_rows one = *v;
  one.schema = o->schema; /* equal but for labels of the target, which no golden row keeps */
  if (lt_batch_append(o->golden, &one, r, 1, NULL) == LEAT_OK) o->n_golden++;
}

void lt_online_show(const double *p, int64_t n, double *out, int64_t cols) {
  for (int64_t c = 0; c < cols; c++) out[c] = c < n ? p[c] : 0;
  if (n > 1 || cols < 2) return;
  out[0] = 1 - p[0];
  out[1] = p[0];
}

static void online_show(const leat_matrix *pred, int64_t row, const double *p, int64_t n) {
  for (int64_t c = 0; c < pred->cols; c++) {
    double v = c < n ? p[c] : 0;
    if (n == 1 && pred->cols > 1) v = c == 0 ? 1 - p[0] : c == 1 ? p[0] : 0;
    lt_matrix_set(pred, row, c, v);
  }
}

static leat_status online_pred(const lt_online_trainer *o, const leat_matrix *pred, int64_t rows, int64_t classes,
                               leat_matrix *out, leat_error *err) {
  leat_status st = lt_matrix_check(pred, rows, -1, 1u << LEAT_F32 | 1u << LEAT_F64, "pred", out, err);
  if (st) return st;
  if (o->m->regression ? out->cols == 1 : out->cols == 1 ? classes <= 2 : out->cols >= classes) return LEAT_OK;
  return lt_fail(err, LEAT_E_SHAPE, "pred has %lld columns; %lld are needed", (long long)out->cols,
                 (long long)(o->m->regression || classes <= 2 ? 1 : classes));
}

void lt_online_score(lt_online_trainer *o, const double *p, int64_t n, double y, double w) {
  int64_t now = lt_progressive_outputs(o->progress);
  if (n == now) {
    lt_progressive_add(o->progress, p, y, w);
    return;
  }
  lt_online_show(p, n, o->shown, now);
  lt_progressive_add(o->progress, o->shown, y, w);
}

/* Predicts rows [from, from + n), then scores and learns each. p: room for their predictions. */
static leat_status online_chunk(lt_online_trainer *o, const lt_rows *v, int64_t from, int64_t n, double *p,
                                const leat_matrix *pred, leat_error *err) {
  int64_t outs = o->m->n_models;
  for (int64_t i = 0; p && i < n; i++) {
    lt_online_look(o, v, from + i);
    lt_online_link(o->m, o->mixed, p + i * outs);
    if (pred) online_show(pred, from + i, p + i * outs, outs);
  }
  for (int64_t r = from; r < from + n; r++) {
    double y = lt_online_label(o, v, r), w = lt_online_weight(o, v, r);
    int64_t before = o->m->n_models;
    leat_status st = online_class(o, &y, r, err);
    if (st) return st;
    if (isnan(y)) continue; /* predicted, but there is nothing to score or to learn */
    if (p) lt_online_score(o, p + (r - from) * outs, outs, y, w);
    lt_online_golden(o, v, r);
    o->learned++;
    if (!(w > 0)) continue;
    if (!p || n > 1 || o->m->n_models != before) lt_online_look(o, v, r);
    online_learn(o, y, w);
    lt_derive_observe(o->encoder, o->bind, v, r);
  }
  return LEAT_OK;
}

leat_status lt_online_rows(lt_online_trainer *o, const leat_batch *rows, int64_t chunk_rows, const leat_matrix *pred,
                           leat_error *err) {
  lt_rows v;
  leat_matrix out;
  int64_t classes;
  if (chunk_rows < 0)
    return lt_fail(err, LEAT_E_RANGE, "chunk_rows is %lld, it must be 1 or more", (long long)chunk_rows);
  lt_batch_rows(rows, &v);
  leat_status st = lt_online_bind(o, lt_batch_schema(rows), 1, err);
  if (!st) st = lt_online_check(o, &v, &classes, err);
  if (!st && pred) st = online_pred(o, pred, v.n, classes, &out, err);
  if (!st) st = lt_online_reserve(o, &v, err);
  if (st) return st;
  int64_t chunk = chunk_rows < 1 || chunk_rows > v.n ? v.n : chunk_rows;
  double *p = NULL;
  if (chunk_rows && v.n > 0) {
    p = lt_array(o->rt, (uint64_t)(chunk * (classes > 2 ? classes : 1)), sizeof *p);
    if (!p) return lt_fail_memory(err, (uint64_t)chunk * sizeof *p, "predictions of a chunk");
  }
  for (int64_t r = 0; r < v.n && !st; r += chunk)
    st = online_chunk(o, &v, r, v.n - r < chunk ? v.n - r : chunk, p, pred ? &out : NULL, err);
  lt_free(o->rt, p);
  return st;
}

leat_status lt_online_predict(lt_online_trainer *o, const leat_batch *rows, const leat_matrix *pred, leat_error *err) {
  lt_rows v;
  leat_matrix out;
  if (!o->schema) return lt_fail(err, LEAT_E_STATE, "the trainer has seen no row and was given no schema: learn first");
  lt_batch_rows(rows, &v);
  leat_status st = lt_online_bind(o, lt_batch_schema(rows), 0, err);
  if (!st) st = online_pred(o, pred, v.n, o->m->n_classes, &out, err);
  if (!st) st = lt_online_reserve(o, &v, err);
  for (int64_t r = 0; r < v.n && !st; r++) {
    lt_online_look(o, &v, r);
    lt_online_link(o->m, o->mixed, o->shown);
    online_show(&out, r, o->shown, o->m->n_models);
  }
  return st;
}

leat_status lt_online_metrics(const lt_online_trainer *o, int64_t set, leat_metrics **out, leat_error *err) {
  *out = NULL;
  if (!o->progress) return lt_fail(err, LEAT_E_STATE, "the trainer has seen no row and was given no schema: learn first");
  return lt_progressive_metrics(o->progress, set, out, err);
}
