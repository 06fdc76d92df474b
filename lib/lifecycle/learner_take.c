/* Rows on their way through the learner: gate, predict, score, learn. Part of the replay: see learner_inner.h. */
#include "lifecycle/learner_inner.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SPIKE_FACTOR = 20, SPIKE_WARM = 1000 };

/* ---------------------------------------------------------------------------------------------- predictions for the caller */

void lt_ln_show(const leat_matrix *pred, int64_t row, const double *p, int64_t n) {
  if (!pred) return;
  for (int64_t c = 0; c < pred->cols; c++) {
    double v = c < n ? p[c] : 0;
    if (n == 1 && pred->cols > 1) v = c == 0 ? 1 - p[0] : c == 1 ? p[0] : 0;
    lt_matrix_set(pred, row, c, v);
  }
}

void lt_ln_show_none(const leat_matrix *pred, int64_t row) {
  for (int64_t c = 0; pred && c < pred->cols; c++) lt_matrix_set(pred, row, c, (double)NAN);
}

leat_status lt_ln_out(leat_learner *l, int64_t rows, int64_t outs, leat_error *err) {
  return lt_grow(l->rt, (void **)&l->out, &l->out_cap, (uint64_t)(rows * outs), sizeof *l->out, err);
}

/* Numbers a prediction may have while rows of a schema are learned: every label of it that is new may come up. */
static int64_t outs_most(leat_learner *l, lt_ln_schema *sc) {
  int64_t n = l->o->labels ? lt_dict_count(l->o->labels) : 0;
  if (l->o->m->n_classes > n) n = l->o->m->n_classes;
  for (int64_t k = 0; l->o->labels && k < sc->n_labels && n < l->max_classes; k++) n += lt_ln_code(l, sc, k) < 0;
  return n > 2 ? n : 1;
}

/* ---------------------------------------------------------------------------------------------- held records */

leat_status lt_ln_hold(leat_learner *l, const lt_held *h, const lt_rows *rows, int64_t r, leat_error *err) {
  lt_held held = *h;
  held.id = ++l->held;
  held.row = l->o->learned;
  held.time_ns = lt_now_ns(l->rt);
  if (lt_quarantine_last_id(l->quarantine) >= held.id) return LEAT_OK; /* the journal is read again */
  return lt_quarantine_add(l->quarantine, &held, rows, r, err);
}

static int readable(const lt_rows *v, int64_t r) { return !v->side || !v->side->reason || v->side->reason[r] == 0; }

static leat_status take_hold(leat_learner *l, const lt_ln_take *t, int64_t r, const lt_verdict *v, leat_error *err) {
  const lt_rows *rows = &t->rows;
  const lt_side *side = rows->side;
  lt_held h = {0};
  if (t->ids) return lt_quarantine_mark(l->quarantine, t->ids[r], 0, t->sequence, err);
  h.reason = v->reason;
  h.column = v->column;
  h.position = t->position ? t->position[r] : side ? side->position + r : -1;
  h.source = t->source ? t->source : side && side->source ? side->source : "";
  h.column_name = v->column >= 0 && v->column < rows->schema->n ? rows->schema->col[v->column].name : "";
  h.detail = v->detail;
  if (side && side->raw) {
    h.raw = side->raw + side->raw_end[r - 1];
    h.raw_size = side->raw_end[r] - side->raw_end[r - 1];
  }
  return lt_ln_hold(l, &h, readable(rows, r) ? rows : NULL, r, err);
}

/* ---------------------------------------------------------------------------------------------- what the gate says */

enum { TAKE_LEARN, TAKE_PREDICT, TAKE_HOLD, TAKE_STOP };
static int take_look(leat_learner *l, const lt_ln_take *t, int64_t r, lt_verdict *v) {
  lt_gate_row(l->gate, &t->rows, r, t->pardon ? t->pardon[r] : 0, v);
  if (v->action == LT_HOLD) return TAKE_HOLD;
  if (v->action == LT_STOP) return TAKE_STOP;
  if (v->action == LT_COUNT && v->reason) l->counted++;
  return lt_online_reason(l->o, &t->rows, r) == 0 ? TAKE_LEARN : t->ids ? TAKE_HOLD : TAKE_PREDICT;
}

/* ---------------------------------------------------------------------------------------------- the way of the rows */

static leat_status take_bind(leat_learner *l, const lt_rows *v, leat_schema *s, leat_error *err) {
  leat_status st = lt_online_bind(l->o, s, 1, err);
  if (!st) st = lt_online_reserve(l->o, v, err);
  return st;
}

static leat_status take_predict(leat_learner *l, const lt_ln_take *t, int64_t r, leat_error *err) {
  if (!t->pred) return LEAT_OK;
  leat_status st = take_bind(l, &t->rows, l->schema[t->schema].s, err);
  if (st) return st;
  lt_online_look(l->o, &t->rows, r);
  lt_online_link(l->o->m, l->o->mixed, l->o->shown);
  lt_ln_show(t->pred, t->pred_first + r, l->o->shown, l->o->m->n_models);
  return LEAT_OK;
}

/* Rows [a, b), all admitted. */
static leat_status take_stretch(leat_learner *l, const lt_ln_take *t, int64_t a, int64_t b, leat_error *err) {
  if (a >= b) return LEAT_OK;
  if (t->queue) return lt_ln_queue(l, t, a, b - a, err);
  lt_ln_stretch s = {&t->rows, t->schema, a, b - a, t->served ? t->served + a * t->n_served : NULL, t->n_served, t->sequence,
                     NULL, NULL, t->pred, t->pred_first};
  return lt_ln_learn(l, &s, err);
}

static leat_status take_regime(leat_learner *l, const lt_ln_take *t, const lt_verdict *v, leat_error *err) {
  leat_event e = {0};
  e.kind = LEAT_EVENT_GATE;
  if (v->regime < t->rows.schema->n) snprintf(e.name, sizeof e.name, "%s", t->rows.schema->col[v->regime].name);
  snprintf(e.text, sizeof e.text, "%.60s: so many outliers that they are taken for a change; its statistics begin anew", e.name);
  return lt_ln_event(l, &e, err);
}

static leat_status take_held(leat_learner *l, const lt_ln_take *t, int64_t r, const lt_verdict *v, int stop, leat_error *err) {
  lt_ln_show_none(t->pred, t->pred_first + r);
  leat_status st = take_hold(l, t, r, v, err);
  if (!st && stop) {
    char text[256];
    snprintf(text, sizeof text, "the gate's action for %s is stop: %.180s", lt_reason_name(v->reason), v->detail);
    st = lt_ln_freeze(l, lt_reason_name(v->reason), 1, 0, text, err);
  }
  if (!st && !t->ids && lt_gate_flooded(l->gate))
    st = lt_ln_freeze(l, "quarantine_share", lt_param_real(l->settings, "stop_share"), lt_param_real(l->settings, "stop_share"),
                      "more than stop_share of the last 1000 records were held back: look at the quarantine, then thaw", err);
  return st;
}

/* Records whose positions were taken before, when they are to be held. */
static leat_status take_duplicates(leat_learner *l, const lt_ln_take *t, leat_error *err) {
  leat_status st = LEAT_OK;
  for (int64_t r = 0; r < t->from && !st; r++) {
    lt_verdict v = {0};
    v.reason = LEAT_REASON_DUPLICATE;
    v.column = v.regime = -1;
    snprintf(v.detail, sizeof v.detail, "position %lld of its source was taken before",
             (long long)(t->rows.side ? t->rows.side->position + r : r));
    lt_ln_show_none(t->pred, t->pred_first + r);
    st = take_hold(l, t, r, &v, err);
  }
  l->duplicate += t->from;
  return st;
}

leat_status lt_ln_take_rows(leat_learner *l, const lt_ln_take *t, leat_error *err) {
  lt_ln_schema *sc = &l->schema[t->schema];
  int64_t a = t->from;
  leat_status st = take_bind(l, &t->rows, sc->s, err);
  if (!st) st = lt_gate_bind(l->gate, sc->s, err);
  if (!st) st = take_duplicates(l, t, err);
  for (int64_t r = t->from; r < t->rows.n && !st; r++) {
    lt_verdict v;
    int what = take_look(l, t, r, &v);
    if (!t->ids) l->seen++;
    if (v.regime >= 0) {
      st = take_stretch(l, t, a, r, err);
      a = r;
      if (!st) st = take_regime(l, t, &v, err);
    }
    if (st) break;
    if (what == TAKE_LEARN) {
      if (!t->ids) continue;
      if (t->taken) t->taken[r] = 1;
      st = lt_quarantine_mark(l->quarantine, t->ids[r], 1, t->sequence, err);
      continue;
    }
    st = take_stretch(l, t, a, r, err);
    a = r + 1;
    if (st) break;
    st = what == TAKE_PREDICT ? take_predict(l, t, r, err) : take_held(l, t, r, &v, what == TAKE_STOP, err);
    if (!st) st = lt_online_bind(l->o, sc->s, 1, err); /* the labels of rows to come are read through it */
  }
  return st ? st : take_stretch(l, t, a, t->rows.n, err);
}

/* ---------------------------------------------------------------------------------------------- learning */

/* Loss of one prediction. y: the trainer's code, or the number; a class that was not there had probability 0. */
static double one_loss(const leat_learner *l, const double *p, int64_t n, double y) {
  if (l->o->m->regression) return (p[0] - y) * (p[0] - y);
  double q = n == 1 ? y == 1 ? p[0] : y == 0 ? 1 - p[0] : 0 : y < (double)n ? p[(int64_t)y] : 0;
  return -log(q > 1e-15 ? q : 1e-15);
}

/* The row's label in the trainer's codes; NaN when it has not learned it yet. */
double lt_ln_own_label(leat_learner *l, lt_ln_schema *sc, const lt_rows *v, int64_t r) {
  double y = lt_online_label(l->o, v, r);
  if (!l->o->labels || isnan(y)) return y;
  int32_t code = lt_ln_code(l, sc, (int64_t)y);
  return code < 0 ? (double)NAN : (double)code;
}

/* Is it far above the losses before? They fade by half in 1000 rows. */
static int loss_spikes(leat_learner *l, double loss) {
  int spike = l->spike_n >= SPIKE_WARM && loss > SPIKE_FACTOR * l->spike_loss;
  l->spike_n++;
  double k = 1 / (l->spike_n < 1443 ? l->spike_n : 1443);
  l->spike_loss += (loss - l->spike_loss) * k;
  return spike;
}

/* Frozen: predicted and scored, nothing more. */
static leat_status learn_score(leat_learner *l, const lt_ln_stretch *s, leat_error *err) {
  lt_ln_schema *sc = &l->schema[s->schema];
  lt_online_trainer *o = l->o;
  leat_status st = take_bind(l, s->rows, sc->s, err);
  for (int64_t i = 0; i < s->n && !st; i++) {
    int64_t r = s->from + i, n = s->served ? s->n_served : o->m->n_models;
    const double *p = s->served ? s->served + i * n : o->expert[0];
    double room[LT_ONLINE_CLASSES];
    if (!s->served) {
      lt_online_look(o, s->rows, r);
      lt_online_link(o->m, o->mixed, room);
      p = room;
    }
    lt_ln_show(s->pred, s->pred_first + r, p, n);
    double y = lt_ln_own_label(l, sc, s->rows, r);
    if (!isnan(y)) lt_online_score(o, p, n, y, lt_online_weight(o, s->rows, r));
  }
  return st;
}

/* A record whose loss spikes is held, not learned, when that is the action: row by row. */
static leat_status learn_spikes(leat_learner *l, const lt_ln_stretch *s, int64_t *done, int *held, leat_error *err) {
  lt_ln_schema *sc = &l->schema[s->schema];
  lt_online_trainer *o = l->o;
  double room[LT_ONLINE_CLASSES];
  int64_t n = s->served ? s->n_served : o->m->n_models;
  const double *p = s->served ? s->served : room;
  leat_status st = take_bind(l, s->rows, sc->s, err);
  *done = *held = 0;
  if (st) return st;
  if (!s->served) {
    lt_online_look(o, s->rows, s->from);
    lt_online_link(o->m, o->mixed, room);
  }
  double y = lt_ln_own_label(l, sc, s->rows, s->from);
  if (!isnan(y) && loss_spikes(l, one_loss(l, p, n, y))) {
    lt_verdict v = {LT_HOLD, LEAT_REASON_LOSS_SPIKE, -1, -1, "the loss is more than 20 times the loss of late"};
    lt_ln_take t = {0};
    t.rows = *s->rows;
    *done = *held = 1;
    lt_ln_show_none(s->pred, s->pred_first + s->from);
    st = take_hold(l, &t, s->from, &v, err);
    if (!st && lt_gate_action(l->gate, LEAT_REASON_LOSS_SPIKE) == LT_STOP)
      st = lt_ln_freeze(l, "loss_spike", 1, 0, "the gate's action for loss_spike is stop", err);
    return st;
  }
  lt_guard_call c = {s->rows, s->from, 1, p, n, NULL, 0};
  st = s->served ? LEAT_OK : lt_ln_out(l, 1, n, err);
  if (st) return st;
  if (!s->served) memcpy(l->out, room, (size_t)n * sizeof *room);
  lt_ln_show(s->pred, s->pred_first + s->from, p, n);
  return lt_guard_learn(l->guard, &c, done, err);
}

static leat_status learn_some(leat_learner *l, const lt_ln_stretch *s, int64_t *done, leat_error *err) {
  int64_t outs = s->served ? s->n_served : outs_most(l, &l->schema[s->schema]);
  int spikes = lt_gate_action(l->gate, LEAT_REASON_LOSS_SPIKE) == LT_COUNT;
  leat_status st = lt_ln_out(l, s->n, outs, err);
  if (!st) st = lt_online_bind(l->o, l->schema[s->schema].s, 1, err);
  if (st) return st;
  lt_guard_call c = {s->rows, s->from, s->n, s->served, s->n_served, s->served && !lt_ln_races(l) ? NULL : l->out, outs};
  if (!s->pred && !spikes && !lt_ln_watches(l) && !lt_ln_races(l)) c.pred = NULL;
  st = lt_guard_learn(l->guard, &c, done, err);
  if (st || (!s->pred && !spikes)) return st;
  for (int64_t i = 0; i < *done; i++) {
    const double *p = s->served ? s->served + i * outs : l->out + i * outs;
    lt_ln_show(s->pred, s->pred_first + s->from + i, p, outs);
    double y = spikes ? lt_ln_own_label(l, &l->schema[s->schema], s->rows, s->from + i) : (double)NAN;
    if (!isnan(y) && loss_spikes(l, one_loss(l, p, outs, y))) l->counted++;
  }
  return st;
}

leat_status lt_ln_learn(leat_learner *l, const lt_ln_stretch *all, leat_error *err) {
  lt_ln_stretch s = *all;
  int hold_spikes = lt_gate_action(l->gate, LEAT_REASON_LOSS_SPIKE) >= LT_HOLD;
  leat_status st = lt_ln_snapshot_due(l, err); /* says when the next one is due */
  while (s.n > 0 && !st) {
    if (l->mode == LEAT_FROZEN) return learn_score(l, &s, err);
    lt_ln_stretch part = s;
    int64_t before = l->o->learned, room = l->next_snapshot - before, done = 0;
    int held = 0;
    if (room > 0 && part.n > room) part.n = room;
    if (lt_ln_watches(l) && part.n > lt_ln_watch_room(l)) part.n = lt_ln_watch_room(l); /* so that a window ends with a call */
    int64_t outs = part.served ? part.n_served : hold_spikes ? l->o->m->n_models : outs_most(l, &l->schema[s.schema]);
    st = hold_spikes ? learn_spikes(l, &part, &done, &held, err) : learn_some(l, &part, &done, err);
    if (!st && done <= 0) st = lt_fail(err, LEAT_E_INTERNAL, "the guard has learned none of %lld rows", (long long)part.n);
    if (st) return st;
    if (!held) st = lt_ln_ran(l, &part, before, done, err);
    if (!st && !held && lt_ln_watches(l)) st = lt_ln_watch_rows(l, &part, done, part.served ? part.served : l->out, outs, err);
    if (!st && !held && lt_ln_races(l)) st = lt_ln_race_rows(l, &part, done, l->out, outs, err);
    int window = lt_guard_window_end(l->guard);
    if (!st) st = lt_ln_guard_events(l, err);
    if (!st && window) st = lt_ln_point(l, err);
    if (!st && window && lt_ln_races(l) && !lt_guard_suspect(l->guard)) st = lt_ln_race_decide(l, err);
    if (!st) st = lt_ln_snapshot_due(l, err);
    s.from += done;
    s.n -= done;
    if (s.served) s.served += done * s.n_served;
    if (s.index) {
      s.index += done;
      s.sequences += done;
    }
  }
  return st;
}
