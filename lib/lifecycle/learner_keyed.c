/* Rows that are predicted now and labelled later, by key. Part of the replay but for the functions of leat.h.
 *
 * A label's record in the journal has the joined rows in it (columns of the prediction, label and weight of the label), with
 * what was served: what is learned from it can be read there alone, whatever has become of the prediction's own record.
 * Matched labels are cut into records of one schema and one count of classes; labels that match nothing go along. */
#include "lifecycle/learner_inner.h"
#include "lifecycle/scores.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------- checks */

static leat_status keyed_check(const lt_rows *v, int64_t skip, int need_label, leat_error *err) {
  int64_t key = lt_schema_role(v->schema, LEAT_ROLE_KEY);
  if (key < 0) return lt_fail(err, LEAT_E_DATA, "the rows have no key column: one column must have the role KEY");
  if (need_label && lt_schema_role(v->schema, LEAT_ROLE_TARGET) < 0)
    return lt_fail(err, LEAT_E_DATA, "the labels have no target column: one column must have the role TARGET");
  for (int64_t r = skip; r < v->n; r++) {
    uint64_t n = 0;
    if (v->side && v->side->reason && v->side->reason[r]) continue;
    if (v->col[key].text_end) lt_col_text(&v->col[key], r, &n);
    if (n == 0)
      return lt_fail_at(err, LEAT_E_DATA, r + 1, key + 1, "the key '%.100s' is empty at row %lld: a label could not find it",
                        v->schema->col[key].name, (long long)(r + 1));
  }
  return LEAT_OK;
}

static int unreadable(const lt_rows *v, int64_t r) { return v->side && v->side->reason && v->side->reason[r] != 0; }

/* ---------------------------------------------------------------------------------------------- predict */

static leat_status hold_unreadable(leat_learner *l, const lt_rows *v, int64_t r, int32_t reason, const char *detail, leat_error *err) {
  lt_held h = {0};
  h.reason = reason;
  h.column = v->side && v->side->column && unreadable(v, r) ? v->side->column[r] : -1;
  h.position = v->side ? v->side->position + r : -1;
  h.source = v->side && v->side->source ? v->side->source : "";
  h.column_name = h.column >= 0 && h.column < v->schema->n ? v->schema->col[h.column].name : "";
  h.detail = detail;
  if (v->side && v->side->raw) {
    h.raw = v->side->raw + v->side->raw_end[r - 1];
    h.raw_size = v->side->raw_end[r] - v->side->raw_end[r - 1];
  }
  return lt_ln_hold(l, &h, unreadable(v, r) ? NULL : v, r, err);
}

/* One row waits for its label. one: a batch for it, with nothing else in it. */
static leat_status wait_one(leat_learner *l, uint32_t schema, const lt_rows *v, int64_t r, int64_t now, leat_batch *one,
                            leat_error *err) {
  lt_online_trainer *o = l->o;
  int64_t key = l->schema[schema].key, dropped = 0;
  int32_t replaced = 0;
  lt_waiting w = {0};
  lt_rows row;
  lt_put put;
  lt_put_init(&put, l->rt);
  lt_batch_clear(one);
  leat_status st = lt_batch_append(one, v, r, 1, err);
  if (!st) {
    lt_batch_rows(one, &row);
    row.side = NULL;
    lt_rows_save(&row, &put);
    st = lt_put_status(&put, err);
  }
  if (!st) {
    w.key = lt_col_text(&v->col[key], r, &w.key_size);
    w.time_ns = now;
    w.schema = schema;
    w.row = put.data;
    w.row_size = put.size;
    w.served = o->shown;
    w.n_served = o->m->n_models;
    st = lt_pending_add(l->pending, &w, &replaced, &dropped, err);
    l->replaced += replaced;
    l->dropped += dropped;
  }
  lt_put_free(&put);
  return st;
}

leat_status lt_ln_apply_predict(leat_learner *l, uint64_t sequence, lt_get *g, const leat_matrix *pred, leat_error *err) {
  uint32_t schema = lt_get_u32(g);
  int64_t now = lt_get_i64(g), shift = lt_get_i64(g);
  leat_batch *rows = NULL, *one = NULL;
  lt_rows v = {0};
  (void)sequence;
  if (schema >= l->n_schemas || l->schema[schema].key < 0) lt_get_fail(g, LEAT_E_FORMAT);
  leat_status st = lt_get_status(g, "predictions in the journal", err);
  if (!st) st = lt_batch_load(l->rt, l->schema[schema].s, g, &rows, err);
  if (!st) lt_batch_rows(rows, &v);
  if (!st && (!v.side || !v.side->source)) st = lt_fail(err, LEAT_E_FORMAT, "predictions in the journal have no source");
  if (!st) st = lt_ln_begin(l, l->schema[schema].s, err);
  if (!st) st = lt_online_bind(l->o, l->schema[schema].s, 0, err);
  if (!st) st = lt_online_reserve(l->o, &v, err);
  if (!st) st = lt_batch_create(l->rt, l->schema[schema].s, &one, err);
  for (int64_t r = 0; r < v.n && !st; r++) {
    if (unreadable(&v, r)) {
      lt_ln_show_none(pred, r + shift);
      st = hold_unreadable(l, &v, r, v.side->reason[r], "a row to predict that could not be read", err);
      continue;
    }
    lt_online_look(l->o, &v, r);
    lt_online_link(l->o->m, l->o->mixed, l->o->shown);
    lt_ln_show(pred, r + shift, l->o->shown, l->o->m->n_models);
    st = wait_one(l, schema, &v, r, now, one, err);
  }
  if (!st) st = lt_ln_advance(l, v.side->source, v.side->position + v.n, err);
  lt_batch_free(one);
  lt_batch_free(rows);
  return st;
}

/* Rows [skip, n) of v in a batch of their own, which keeps their side. */
static leat_status rows_from(leat_learner *l, leat_schema *s, const lt_rows *v, int64_t skip, leat_batch **out, leat_error *err) {
  lt_rows own = *v;
  own.schema = s;
  leat_status st = lt_batch_create(l->rt, s, out, err);
  if (!st) st = lt_batch_append(*out, &own, skip, v->n - skip, err);
  if (!st) st = lt_batch_set_source(*out, v->side->source, v->side->position + skip, err);
  return st;
}

static leat_status predict_only(leat_learner *l, const leat_batch *rows, const leat_matrix *pred, leat_error *err) {
  return lt_online_predict(l->o, rows, pred, err);
}

leat_status lt_learner_predict(leat_learner *l, const leat_batch *rows, leat_matrix *pred, leat_error *err) {
  lt_rows v, own;
  lt_side side;
  leat_matrix out;
  leat_batch *fresh = NULL;
  int64_t skip = 0;
  uint32_t schema;
  uint64_t sequence;
  if (l->stopped) return predict_only(l, rows, pred, err); /* the disk is gone; nothing waits for a label */
  leat_status st = lt_ln_arrive(l, rows, &v, &side, &skip, err);
  if (!st) st = keyed_check(&v, skip, 0, err);
  if (st || v.n == 0) return st;
  st = lt_ln_number(l, lt_batch_schema(rows), 0, &schema, err);
  if (!st) st = lt_matrix_check(pred, v.n, -1, 1u << LEAT_F32 | 1u << LEAT_F64, "pred", &out, err);
  if (!st && !(l->o->m->regression ? out.cols == 1 : out.cols == 1 ? l->o->m->n_classes <= 2 : out.cols >= l->o->m->n_classes))
    st = lt_fail(err, LEAT_E_SHAPE, "pred has %lld columns; %lld are needed", (long long)out.cols,
                 (long long)(l->o->m->regression || l->o->m->n_classes <= 2 ? 1 : l->o->m->n_classes));
  if (!st && skip > 0) { /* asked again: an answer, but they wait already */
    st = predict_only(l, rows, pred, err);
    l->duplicate_unsaved += st ? 0 : skip;
  }
  if (st || skip == v.n) return st;
  st = lt_ln_clock(l, err);
  if (!st) st = rows_from(l, l->schema[schema].s, &v, skip, &fresh, err);
  lt_ln_put_begin(l);
  if (!st) {
    lt_batch_rows(fresh, &own);
    lt_put_u32(&l->put, schema);
    lt_put_i64(&l->put, lt_now_ns(l->rt));
    lt_put_i64(&l->put, skip);
    lt_batch_save(&own, &l->put);
    st = lt_ln_append(l, LT_J_PREDICT, &sequence, err);
  }
  lt_batch_free(fresh);
  return st ? st : lt_learner_apply(l, LT_J_PREDICT, sequence, l->put.data, l->put.size, &out, NULL, err);
}

/* ---------------------------------------------------------------------------------------------- labels: the joined schema */

/* The columns of a prediction with target and weight of the labels. place: where those stand, -1 none. */
static leat_status joined_schema(leat_learner *l, const leat_schema *row, const leat_schema *label, leat_schema **out, int64_t *target,
                                 int64_t *weight, leat_error *err) {
  leat_schema *s = NULL;
  const lt_column *put[2] = {&label->col[lt_schema_role(label, LEAT_ROLE_TARGET)], NULL};
  int64_t w = lt_schema_role(label, LEAT_ROLE_WEIGHT), place[2] = {-1, -1};
  if (w >= 0) put[1] = &label->col[w];
  leat_status st = lt_schema_create(l->rt, &s, err);
  for (int k = 0; k < 2; k++) /* of the same name, or else of the same role */
    for (int64_t i = 0; put[k] && i < row->n && (place[k] < 0 || strcmp(row->col[place[k]].name, put[k]->name) != 0); i++)
      if (strcmp(row->col[i].name, put[k]->name) == 0 || (place[k] < 0 && row->col[i].role == put[k]->role)) place[k] = i;
  for (int64_t i = 0; i < row->n && !st; i++) {
    const lt_column *c = i == place[0] ? put[0] : i == place[1] ? put[1] : &row->col[i];
    int32_t role = c == &row->col[i] && (c->role == LEAT_ROLE_TARGET || (c->role == LEAT_ROLE_WEIGHT && put[1])) ? LEAT_ROLE_IGNORE : c->role;
    st = lt_schema_add(s, c->name, c->kind, role, c->width, c->sparse, err);
    if (!st && c->labels) {
      lt_dict_free(s->col[i].labels);
      s->col[i].labels = NULL;
      st = lt_dict_copy(c->labels, &s->col[i].labels, err);
    }
  }
  for (int k = 0; k < 2 && !st; k++) {
    if (!put[k] || place[k] >= 0) continue;
    place[k] = s->n;
    st = lt_schema_add(s, put[k]->name, put[k]->kind, put[k]->role, 1, 0, err);
    if (!st && put[k]->labels) {
      lt_dict_free(s->col[place[k]].labels);
      s->col[place[k]].labels = NULL;
      st = lt_dict_copy(put[k]->labels, &s->col[place[k]].labels, err);
    }
  }
  *target = place[0];
  *weight = place[1];
  if (st) lt_schema_free(s);
  else *out = s;
  return st;
}

/* ---------------------------------------------------------------------------------------------- labels: a run of one record */

typedef struct label_run {
  const lt_rows *v;            /* the labels */
  int64_t from, n;             /* the run */
  uint32_t rows, labels;       /* schemas: of the predictions, of the labels as they came */
  uint32_t joined;
  int64_t target, weight;      /* columns of the joined schema */
  int64_t n_served;
  leat_batch *batch, *late;
  lt_put keys, places, late_places, served;
  int64_t n_matched, n_late;
} label_run;

/* The code of label row r's target in the joined schema. */
static int32_t joined_code(const leat_learner *l, const label_run *run, int64_t r) {
  const lt_column *c = &run->v->schema->col[lt_schema_role(run->v->schema, LEAT_ROLE_TARGET)];
  double y = lt_rows_target(run->v, lt_schema_role(run->v->schema, LEAT_ROLE_TARGET), r);
  if (!(y >= 0) || y >= (double)lt_dict_count(c->labels)) return LT_MISSING;
  uint64_t n = 0;
  const char *text = lt_dict_text(c->labels, (int64_t)y, &n);
  return (int32_t)lt_dict_find(l->schema[run->joined].s->col[run->target].labels, text, n);
}

/* Column `from` of label row r as the only value of a joined column. */
static void joined_column(const lt_rows *v, int64_t from, int64_t r, lt_col *out) {
  const lt_col *c = &v->col[from];
  int64_t size = c->dtype == LEAT_F64 || c->dtype == LEAT_I64 ? 8 : c->dtype == LEAT_U8 ? 1 : 4;
  *out = *c;
  if (c->data) out->data = (const char *)c->data + r * c->row_stride * size;
}

static leat_status join_one(leat_learner *l, label_run *run, int64_t r, const lt_waiting *w, leat_error *err) {
  lt_get g;
  lt_rows one, all = {0};
  leat_batch *row = NULL;
  const leat_schema *s = l->schema[run->joined].s;
  int32_t code;
  lt_col *col = lt_zarray(l->rt, (uint64_t)s->n, sizeof *col);
  if (!col) return lt_fail_memory(err, (uint64_t)s->n * sizeof *col, "columns of a view");
  lt_get_init(&g, l->rt, w->row, w->row_size);
  leat_status st = lt_rows_load(l->rt, l->schema[w->schema].s, &g, &row, err);
  if (!st) {
    lt_batch_rows(row, &one);
    for (int64_t i = 0; i < one.schema->n; i++) col[i] = one.col[i];
    int64_t target = lt_schema_role(run->v->schema, LEAT_ROLE_TARGET), weight = lt_schema_role(run->v->schema, LEAT_ROLE_WEIGHT);
    joined_column(run->v, target, r, &col[run->target]);
    if (s->col[run->target].labels) {
      code = joined_code(l, run, r);
      col[run->target].data = &code;
    }
    if (weight >= 0) joined_column(run->v, weight, r, &col[run->weight]);
    for (int64_t i = 0; i < s->n; i++) /* a target of the prediction's own is not looked at any more */
      if (s->col[i].role == LEAT_ROLE_IGNORE && i < one.schema->n && one.schema->col[i].role != LEAT_ROLE_IGNORE) col[i] = (lt_col){0};
    all.schema = s;
    all.n = 1;
    all.col = col;
    st = lt_batch_append(run->batch, &all, 0, 1, err);
  }
  lt_put_u64(&run->keys, w->key_size);
  lt_put_raw(&run->keys, w->key, w->key_size);
  lt_put_i64(&run->places, run->v->side->position + r);
  for (int64_t k = 0; k < w->n_served; k++) lt_put_f64(&run->served, w->served[k]);
  run->n_matched++;
  int64_t waited = lt_now_ns(l->rt) - w->time_ns;
  l->label_delay[lt_delay_bucket(waited)]++;
  l->label_delay_seconds += waited > 0 ? (double)waited / 1e9 : 0;
  lt_batch_free(row);
  lt_free(l->rt, col);
  return st;
}

/* How many labels from `from` on go into one record, and what their predictions are of. */
static leat_status run_measure(leat_learner *l, label_run *run, leat_error *err) {
  int64_t key = lt_schema_role(run->v->schema, LEAT_ROLE_KEY), r = run->from;
  lt_dict *met = NULL;
  leat_status st = lt_dict_create(l->rt, &met, err);
  run->rows = UINT32_MAX;
  for (; r < run->v->n && !st; r++) {
    lt_waiting w;
    uint64_t n = 0;
    int64_t code, before = lt_dict_count(met);
    if (unreadable(run->v, r)) continue;
    const char *text = lt_col_text(&run->v->col[key], r, &n);
    if (!lt_pending_find(l->pending, text, n, &w)) continue;
    if (run->rows == UINT32_MAX) {
      run->rows = w.schema;
      run->n_served = w.n_served;
    } else if (run->rows != w.schema || run->n_served != w.n_served) {
      break;
    }
    st = lt_dict_add(met, text, n, &code, err);
    if (!st && code < before) break; /* a second label for it: it waits no longer then */
  }
  lt_dict_free(met);
  run->n = r - run->from;
  return st;
}

static void run_init(leat_learner *l, label_run *run, const lt_rows *v, int64_t from) {
  memset(run, 0, sizeof *run);
  run->v = v;
  run->from = from;
  run->weight = run->target = -1;
  lt_put_init(&run->keys, l->rt);
  lt_put_init(&run->places, l->rt);
  lt_put_init(&run->late_places, l->rt);
  lt_put_init(&run->served, l->rt);
}

static void run_free(label_run *run) {
  lt_batch_free(run->batch);
  lt_batch_free(run->late);
  lt_put_free(&run->keys);
  lt_put_free(&run->places);
  lt_put_free(&run->late_places);
  lt_put_free(&run->served);
}

static leat_status run_fill(leat_learner *l, label_run *run, leat_error *err) {
  int64_t key = lt_schema_role(run->v->schema, LEAT_ROLE_KEY);
  lt_rows late = *run->v;
  leat_status st = LEAT_OK;
  late.schema = l->schema[run->labels].s;
  if (run->rows != UINT32_MAX) {
    leat_schema *s = NULL;
    st = joined_schema(l, l->schema[run->rows].s, run->v->schema, &s, &run->target, &run->weight, err);
    if (!st) st = lt_ln_number_joined(l, s, &run->joined, err);
    lt_schema_free(s);
    if (!st) st = lt_batch_create(l->rt, l->schema[run->joined].s, &run->batch, err);
  }
  if (!st) st = lt_batch_create(l->rt, l->schema[run->labels].s, &run->late, err);
  for (int64_t r = run->from; r < run->from + run->n && !st; r++) {
    lt_waiting w;
    uint64_t n = 0;
    const char *text = unreadable(run->v, r) ? NULL : lt_col_text(&run->v->col[key], r, &n);
    if (text && lt_pending_find(l->pending, text, n, &w)) {
      st = join_one(l, run, r, &w, err);
      continue;
    }
    st = lt_batch_append(run->late, &late, r, 1, err);
    lt_put_i64(&run->late_places, run->v->side->position + r);
    run->n_late++;
  }
  return st;
}

/* schema of the joined rows, size of the head, the head, joined rows; then the labels that matched nothing. */
static leat_status run_put(leat_learner *l, label_run *run, int64_t duplicates, leat_error *err) {
  lt_put head, *w = &l->put;
  lt_rows v;
  lt_put_init(&head, l->rt);
  lt_put_i64(&head, lt_now_ns(l->rt));
  lt_put_i64(&head, duplicates);
  lt_put_text(&head, run->v->side->source);
  lt_put_i64(&head, run->v->side->position + run->from + run->n);
  lt_put_i64(&head, run->n_matched);
  lt_put_i64(&head, run->n_served);
  lt_put_i64(&head, run->n_late);
  lt_put_u32(&head, run->labels);
  lt_put_raw(&head, run->keys.data, run->keys.size);
  lt_put_raw(&head, run->places.data, run->places.size);
  lt_put_raw(&head, run->late_places.data, run->late_places.size);
  lt_put_raw(&head, run->served.data, run->served.size);
  head.failed |= run->keys.failed | run->places.failed | run->late_places.failed | run->served.failed;
  lt_ln_put_begin(l);
  lt_put_u32(w, run->joined);
  lt_put_u64(w, head.size);
  lt_put_raw(w, head.data, head.size);
  if (run->n_matched > 0) {
    lt_batch_rows(run->batch, &v);
    lt_batch_save(&v, w);
  }
  if (run->n_late > 0) {
    lt_batch_rows(run->late, &v);
    lt_batch_save(&v, w);
  }
  leat_status st = lt_put_status(&head, err);
  lt_put_free(&head);
  return st;
}

leat_status lt_learner_label(leat_learner *l, const leat_batch *labels, leat_error *err) {
  lt_rows v;
  lt_side side;
  int64_t skip = 0;
  leat_status st = lt_ln_usable(l, err);
  if (!st) st = lt_ln_arrive(l, labels, &v, &side, &skip, err);
  if (!st) st = keyed_check(&v, skip, 1, err);
  if (st || v.n == 0) return st;
  l->duplicate_unsaved += skip;
  if (skip == v.n) return LEAT_OK;
  st = lt_ln_clock(l, err);
  for (int64_t r = skip; r < v.n && !st;) {
    label_run run;
    uint64_t sequence;
    run_init(l, &run, &v, r);
    st = lt_ln_number_labels(l, lt_batch_schema(labels), &run.labels, err);
    if (!st) st = run_measure(l, &run, err);
    if (!st) st = run_fill(l, &run, err);
    if (!st) st = run_put(l, &run, l->duplicate_unsaved, err);
    l->waiting_since = 0; /* one has come */
    if (!st) st = lt_ln_append(l, LT_J_LABEL, &sequence, err);
    if (!st) {
      l->duplicate_unsaved = 0;
      st = lt_learner_apply(l, LT_J_LABEL, sequence, l->put.data, l->put.size, NULL, NULL, err);
    }
    r += run.n;
    run_free(&run);
  }
  if (!st && l->bytes_since >= l->checkpoint_bytes) st = lt_ln_checkpoint(l, err);
  return st;
}

/* ---------------------------------------------------------------------------------------------- labels: the record */

typedef struct label_head {
  int64_t now, duplicates, next, n_matched, n_served, n_late;
  uint32_t labels;
  char *source;
  int64_t *places, *late_places;
  double *served;
} label_head;

static leat_status head_array(leat_learner *l, lt_get *g, int64_t n, void **out, leat_error *err) {
  const void *raw = lt_get_raw(g, (uint64_t)n * 8);
  if (!raw && n > 0) return LEAT_OK; /* the reader knows */
  *out = lt_array(l->rt, (uint64_t)n, 8);
  if (!*out) return lt_fail_memory(err, (uint64_t)n * 8, "labels");
  if (n > 0) memcpy(*out, raw, (size_t)n * 8);
  return LEAT_OK;
}

static leat_status head_get(leat_learner *l, lt_get *g, label_head *h, leat_error *err) {
  leat_status st = LEAT_OK;
  h->now = lt_get_i64(g);
  h->duplicates = lt_get_i64(g);
  h->source = lt_get_text(g);
  h->next = lt_get_i64(g);
  h->n_matched = lt_get_i64(g);
  h->n_served = lt_get_i64(g);
  h->n_late = lt_get_i64(g);
  h->labels = lt_get_u32(g);
  if (h->n_matched < 0 || h->n_late < 0 || h->n_served < 0 || h->n_served > LT_ONLINE_CLASSES || h->labels >= l->n_schemas ||
      (uint64_t)h->n_matched > lt_get_left(g) / 8 || (uint64_t)h->n_late > lt_get_left(g) / 8)
    lt_get_fail(g, LEAT_E_FORMAT);
  for (int64_t i = 0; i < h->n_matched && !g->failed; i++) {
    uint64_t n = lt_get_count(g, 1, UINT32_MAX);
    const void *key = lt_get_raw(g, n);
    if (key) lt_pending_remove(l->pending, key, n);
  }
  if (!g->failed) st = head_array(l, g, h->n_matched, (void **)&h->places, err);
  if (!st && !g->failed) st = head_array(l, g, h->n_late, (void **)&h->late_places, err);
  if (!st && !g->failed) st = head_array(l, g, h->n_matched * h->n_served, (void **)&h->served, err);
  return st ? st : lt_get_status(g, "labels in the journal", err);
}

static leat_status apply_late(leat_learner *l, const label_head *h, lt_get *g, leat_error *err) {
  leat_batch *late = NULL;
  lt_rows v = {0};
  leat_status st = lt_batch_load(l->rt, l->schema[h->labels].s, g, &late, err);
  if (!st) lt_batch_rows(late, &v);
  if (!st && v.n != h->n_late) st = lt_fail(err, LEAT_E_FORMAT, "labels in the journal: their number is wrong");
  for (int64_t r = 0; r < v.n && !st; r++) {
    lt_side side = v.side ? *v.side : (lt_side){0};
    lt_rows one = v;
    int bad = unreadable(&v, r);
    side.source = h->source;
    side.position = h->late_places[r] - r;
    one.side = &side;
    l->seen++;
    if (!bad) l->unmatched++;
    int32_t reason = bad ? v.side->reason[r] : LEAT_REASON_LABEL_LATE;
    int32_t action = lt_gate_action(l->gate, reason);
    if (action == LT_COUNT) l->counted++;
    if (action < LT_HOLD) continue;
    st = hold_unreadable(l, &one, r, reason, bad ? "a label that could not be read" : "no prediction waits for this label (any more)", err);
    if (!st && action == LT_STOP) st = lt_ln_freeze(l, lt_reason_name(reason), 1, 0, "the gate's action for such labels is stop", err);
  }
  lt_batch_free(late);
  return st;
}

leat_status lt_ln_apply_label(leat_learner *l, uint64_t sequence, lt_get *g, leat_error *err) {
  label_head h = {0};
  lt_ln_take t = {0};
  leat_batch *rows = NULL;
  t.schema = lt_get_u32(g);
  uint64_t size = lt_get_count(g, 1, UINT32_MAX);
  lt_get head;
  lt_get_init(&head, l->rt, lt_get_raw(g, size), g->failed ? 0 : size);
  leat_status st = head_get(l, &head, &h, err);
  if (!st && h.n_matched > 0 && t.schema >= l->n_schemas) st = lt_fail(err, LEAT_E_FORMAT, "labels in the journal have no schema");
  if (!st && h.n_matched > 0) st = lt_batch_load(l->rt, l->schema[t.schema].s, g, &rows, err);
  if (!st) {
    l->duplicate += h.duplicates;
    l->learned_ns = h.now;
  }
  if (!st && rows) {
    lt_batch_rows(rows, &t.rows);
    if (t.rows.n != h.n_matched) st = lt_fail(err, LEAT_E_FORMAT, "labels in the journal: their number is wrong");
    t.sequence = sequence;
    t.source = h.source;
    t.position = h.places;
    t.served = h.served;
    t.n_served = h.n_served;
    if (!st) st = lt_ln_begin(l, l->schema[t.schema].s, err);
    if (!st) st = lt_ln_take_rows(l, &t, err);
  }
  if (!st && h.n_late > 0) st = apply_late(l, &h, g, err);
  if (!st) st = lt_ln_advance(l, h.source, h.next, err);
  lt_batch_free(rows);
  lt_free(l->rt, h.source);
  lt_free(l->rt, h.places);
  lt_free(l->rt, h.late_places);
  lt_free(l->rt, h.served);
  return st;
}
