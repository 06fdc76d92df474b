/* One row: looked at, then (when it is going to be learned) taken into the statistics. */
#include <string.h>
#include "lifecycle/gate_inner.h"
#include "model/online.h"

/* The reason counts when its action weighs more than what was found before. 1: it does. */
static int gate_find(const lt_gate *g, lt_verdict *v, int32_t reason, int64_t column, int32_t pardon) {
  int32_t action = g->action[lt_gate_reason_index(reason)];
  if (reason == pardon && !lt_gate_unlearnable(reason)) return 0;
  if (action <= v->action) return 0;
  v->action = action;
  v->reason = reason;
  v->column = (int32_t)column;
  return 1;
}

/* ---------------------------------------------------------------------------------------------- fetching numbers */

/* Numbers of row r into x, NaN missing, times in seconds. 1: bytes, of which none is far outside. */
static int fetch_numbers(const lt_column *c, const lt_col *v, int64_t r, int64_t n, double *x) {
  int64_t at = r * v->row_stride, step = v->col_stride;
  if (!v->data) {
    for (int64_t j = 0; j < n; j++) x[j] = NAN;
    return 1;
  }
  switch (v->dtype) {
    case LEAT_F64:
      for (int64_t j = 0; j < n; j++) x[j] = ((const double *)v->data)[at + j * step];
      return 0;
    case LEAT_F32:
      for (int64_t j = 0; j < n; j++) x[j] = ((const float *)v->data)[at + j * step];
      return 0;
    case LEAT_I64:
      for (int64_t j = 0; j < n; j++) {
        int64_t t = ((const int64_t *)v->data)[at + j * step];
        x[j] = t == INT64_MIN ? NAN : (double)t * 1e-9;
      }
      return 0;
    default:
      for (int64_t j = 0; j < n; j++) x[j] = lt_col_number(c, v, r, j);
      return 1;
  }
}

/* ---------------------------------------------------------------------------------------------- looking */

static void row_strike(lt_gate_stat *s, int32_t column, int32_t held_before, lt_verdict *v) {
  if (v->action < LT_HOLD || held_before) return; /* it is admitted, or something else held it */
  if (lt_gate_strike(s)) v->regime = column;
}

/* held: the row was held for another reason than an outlier already. */
static int row_held(const lt_verdict *v) { return v->action >= LT_HOLD && v->reason != LEAT_REASON_OUTLIER; }

static int look_numbers(lt_gate *g, const lt_rows *rows, int64_t r, const lt_gate_part *p, int32_t pardon, lt_verdict *v) {
  double *x = g->x + p->at;
  int any = 0, bytes = fetch_numbers(&rows->schema->col[p->column], &rows->col[p->column], r, p->width, x);
  lt_gate_stat *s = bytes || !p->c ? NULL : p->c->stat;
  for (int64_t j = 0; j < p->width; j++) {
    if (isnan(x[j])) continue;
    any = 1;
    if (!lt_online_usable(x[j])) {
      if (p->feature && gate_find(g, v, LEAT_REASON_NON_FINITE, p->column, pardon)) lt_gate_tell_value(v, x[j]);
      x[j] = NAN; /* whatever becomes of the row: the model leaves it out, so do the statistics */
    } else if (s && s[j].n >= GATE_WARM && lt_gate_is_far(&s[j], x[j])) {
      if (p->width > 1 && s[j].distinct <= 2 && lt_gate_in_block(p->c, x[j])) continue;
      int held = row_held(v);
      if (gate_find(g, v, LEAT_REASON_OUTLIER, p->column, pardon))
        lt_gate_tell_far(v, x[j], &s[j], p->width > 1 ? j : -1);
      if (v->reason == LEAT_REASON_OUTLIER) row_strike(&s[j], p->column, held, v);
    }
  }
  if (bytes)
    for (int64_t j = 0; j < p->width; j++) x[j] = NAN;
  return any && p->feature;
}

/* Ones alone, and the block has shown nothing else: there is nothing to look up. */
static int sparse_plain(const lt_gate_column *c, const lt_col *v, int64_t from, int64_t to) {
  if (c->mixed) return 0;
  if (!v->value) return 1;
  for (int64_t k = from; k < to; k++)
    if (v->value[k] != 1) return 0;
  return 1;
}

static void look_entry(lt_gate *g, const lt_gate_part *p, int32_t index, float x, int32_t pardon, lt_verdict *v) {
  lt_gate_column *c = p->c;
  lt_gate_slot *slot = c && index >= 0 && lt_gate_place(index) < c->width ? &c->slot[lt_gate_place(index)] : NULL;
  lt_gate_stat s;
  int own, held = row_held(v);
  if (isnan(x) || x == 0) return;
  if (!lt_online_usable_f(x)) {
    if (gate_find(g, v, LEAT_REASON_NON_FINITE, p->column, pardon)) lt_gate_tell_value(v, x);
    return;
  }
  if (!slot) return;
  lt_gate_open(slot, &s);
  own = s.n >= GATE_WARM;
  if (own ? !lt_gate_is_far(&s, x) : s.alone || c->shown < GATE_WARM) return;
  if ((!own || s.distinct <= 2) && lt_gate_in_block(c, x)) return;
  if (gate_find(g, v, LEAT_REASON_OUTLIER, p->column, pardon)) {
    if (own) lt_gate_tell_far(v, x, &s, index);
    else lt_gate_tell_block(v, x, c->low, c->high, index);
  }
  if (v->reason != LEAT_REASON_OUTLIER) return;
  int before = s.strikes != 0;
  row_strike(&s, p->column, held, v);
  c->struck += (s.strikes != 0) - before;
  lt_gate_close(&s, slot);
}

static void look_sparse(lt_gate *g, const lt_rows *rows, int64_t r, const lt_gate_part *p, int32_t pardon, lt_verdict *v) {
  const lt_col *col = &rows->col[p->column];
  if (!col->row_start) return;
  int64_t from = col->row_start[r], to = col->row_start[r + 1];
  if (p->c && sparse_plain(p->c, col, from, to)) return;
  if (!p->c && !col->value) return;
#if defined(__GNUC__)
  if (p->c)
    for (int64_t k = from; k < to; k++)
      if (lt_gate_place(col->index[k]) < p->c->width) __builtin_prefetch(&p->c->slot[lt_gate_place(col->index[k])], 1);
#endif
  for (int64_t k = from; k < to; k++)
    look_entry(g, p, col->index[k], col->value ? col->value[k] : 1, pardon, v);
}

/* A code's label was learned before? */
static int label_known(const lt_gate_labels *l, const lt_dict *d, uint8_t *seen, int32_t code) {
  if (seen[code]) return 1;
  if (!lt_gate_labels_has(l, lt_gate_hash(d, code))) return 0;
  seen[code] = 1;
  return 1;
}

static int32_t row_code(const lt_rows *rows, int64_t column, int64_t r) {
  const lt_col *v = &rows->col[column];
  return v->data && v->dtype == LEAT_I32 ? ((const int32_t *)v->data)[r * v->row_stride] : LT_MISSING;
}

static int look_category(lt_gate *g, const lt_rows *rows, int64_t r, const lt_gate_part *p, int32_t pardon, lt_verdict *v) {
  int32_t code = row_code(rows, p->column, r);
  lt_gate_labels *l = &p->c->labels;
  if (code == LT_MISSING) return 0;
  int known = code >= 0 && code < lt_dict_count(p->labels);
  if (known && (p->c->shown < GATE_WARM || l->n >= GATE_LABELS || label_known(l, p->labels, p->seen, code))) return 1;
  if (gate_find(g, v, LEAT_REASON_UNSEEN_CATEGORY, p->column, pardon))
    lt_gate_tell_label(v, known ? p->labels : NULL, code, p->c->shown);
  return 1;
}

static void look_ranges(lt_gate *g, const lt_rows *rows, int64_t r, int32_t pardon, lt_verdict *v) {
  for (uint64_t i = 0; i < g->n_ranges; i++) {
    const lt_gate_range *b = &g->range[i];
    const lt_column *c = &rows->schema->col[b->column];
    const lt_col *col = &rows->col[b->column];
    int64_t n = col->row_start ? col->row_start[r + 1] - col->row_start[r] : col->data ? c->width : 0;
    for (int64_t j = 0; j < n; j++) {
      double x = !col->row_start ? lt_col_number(c, col, r, j) : col->value ? (double)col->value[col->row_start[r] + j] : 1;
      if (isnan(x) || isinf(x) || (x >= b->low && x <= b->high)) continue;
      if (gate_find(g, v, LEAT_REASON_RANGE, b->column, pardon)) lt_gate_tell_range(v, x, b->low, b->high);
      break;
    }
  }
}

static int field_missing(const lt_rows *rows, int64_t r, int64_t i) {
  const lt_column *c = &rows->schema->col[i];
  const lt_col *v = &rows->col[i];
  uint64_t n = 0;
  if (v->row_start) return v->row_start[r] == v->row_start[r + 1];
  if (lt_column_is_text(c)) {
    lt_col_text(v, r, &n);
    return n == 0;
  }
  for (int64_t j = 0; j < c->width; j++)
    if (!isnan(lt_col_number(c, v, r, j))) return 0;
  return 1;
}

/* 1: there is a label and a weight above 0, so the row is going to be learned when it is admitted. */
static int look_label(lt_gate *g, const lt_rows *rows, int64_t r, int32_t pardon, lt_verdict *v) {
  double w = 1;
  const lt_col *col = g->weight >= 0 ? &rows->col[g->weight] : NULL;
  if (col && col->data) w = lt_col_number(&rows->schema->col[g->weight], col, r, 0);
  if ((!(w >= 0) || isinf(w)) && gate_find(g, v, LEAT_REASON_WEIGHT, g->weight, pardon)) lt_gate_tell_value(v, w);
  if (g->target < 0) return w > 0;
  const lt_column *c = &rows->schema->col[g->target];
  if (c->kind == LEAT_CATEGORY) {
    int32_t code = row_code(rows, g->target, r);
    if (code == LT_MISSING) return 0;
    int outside = code < 0 || code >= lt_dict_count(c->labels);
    if (!outside && g->most_classes > 0 && g->classes.n >= (uint64_t)g->most_classes)
      outside = !label_known(&g->classes, c->labels, g->class_seen, code);
    if (outside && gate_find(g, v, LEAT_REASON_LABEL_INVALID, g->target, pardon))
      lt_gate_tell_label(v, code >= 0 && code < lt_dict_count(c->labels) ? c->labels : NULL, code, 0);
    return !outside && w > 0;
  }
  double y = lt_col_number(c, &rows->col[g->target], r, 0);
  if (isnan(y)) return 0;
  int bad = c->kind == LEAT_BOOL ? !(y == 0 || y == 1) : !lt_online_usable(y);
  if (bad && gate_find(g, v, LEAT_REASON_LABEL_INVALID, g->target, pardon)) lt_gate_tell_value(v, y);
  return !bad && w > 0;
}

static int label_missing(const lt_gate *g, const lt_rows *rows, int64_t r) {
  if (g->target < 0) return 0;
  const lt_column *c = &rows->schema->col[g->target];
  if (c->kind == LEAT_CATEGORY) return row_code(rows, g->target, r) == LT_MISSING;
  return isnan(lt_col_number(c, &rows->col[g->target], r, 0));
}

static int64_t row_time(const lt_gate *g, const lt_rows *rows, int64_t r) {
  if (g->time < 0 || !rows->col[g->time].data || rows->col[g->time].dtype != LEAT_I64) return INT64_MIN;
  return ((const int64_t *)rows->col[g->time].data)[r * rows->col[g->time].row_stride];
}

/* What the switch `gate` turns on. */
static void look_all(lt_gate *g, const lt_rows *rows, int64_t r, int32_t pardon, lt_verdict *v) {
  int any = 0, could = 0;
  for (uint64_t i = 0; i < g->n_required; i++)
    if (field_missing(rows, r, g->required[i].column) &&
        gate_find(g, v, LEAT_REASON_MISSING, g->required[i].column, pardon))
      lt_gate_tell(rows, v);
  if (g->n_ranges) look_ranges(g, rows, r, pardon, v);
  if (g->max_age > 0 && g->newest != INT64_MIN) {
    int64_t t = row_time(g, rows, r);
    if (t != INT64_MIN && ((double)g->newest - (double)t) * 1e-9 > g->max_age &&
        gate_find(g, v, LEAT_REASON_TOO_OLD, g->time, pardon))
      lt_gate_tell_old(v, t, g->newest, g->max_age);
  }
  for (uint64_t k = 0; k < g->n_parts; k++) {
    const lt_gate_part *p = &g->part[k];
    could |= p->feature;
    if (p->type == GATE_NUMBERS) any |= look_numbers(g, rows, r, p, pardon, v);
    if (p->type == GATE_CATEGORY) any |= look_category(g, rows, r, p, pardon, v);
    if (p->type == GATE_TEXT) any |= !field_missing(rows, r, p->column);
    if (p->type == GATE_SPARSE) {
      any |= rows->col[p->column].row_start != NULL; /* no entries: zeros */
      look_sparse(g, rows, r, p, pardon, v);
    }
  }
  if (could && !any && gate_find(g, v, LEAT_REASON_MISSING, -1, pardon)) lt_gate_tell(rows, v);
}

/* ---------------------------------------------------------------------------------------------- taking */

static void stat_pass(lt_gate_stat *s) {
  if (s->strikes) s->strikes--;
}

static void take_numbers(const lt_gate *g, const lt_gate_part *p, int learn) {
  const double *x = g->x + p->at;
  lt_gate_column *c = p->c;
  int any = 0;
  for (int64_t j = 0; j < p->width; j++) {
    if (isnan(x[j])) continue;
    stat_pass(&c->stat[j]);
    if (!learn) continue;
    lt_gate_count(&c->stat[j], x[j]);
    any = 1;
    if (x[j] < c->low) c->low = x[j];
    if (x[j] > c->high) c->high = x[j];
  }
  c->shown += (uint64_t)any;
}

static void take_sparse(const lt_rows *rows, int64_t r, const lt_gate_part *p, int learn) {
  const lt_col *v = &rows->col[p->column];
  lt_gate_column *c = p->c;
  if (!v->row_start) return;
  int64_t from = v->row_start[r], to = v->row_start[r + 1];
  c->shown += (uint64_t)learn;
  for (int64_t k = from; learn && k < to; k++) {
    float x = v->value ? v->value[k] : 1;
    if (x == 0 || !lt_online_usable_f(x)) continue;
    if (x < (float)c->low) c->low = x;
    if (x > (float)c->high) c->high = x;
    if (x != 1) c->mixed = 1;
  }
  if (!c->mixed && !c->struck) return; /* ones alone: nothing an index could differ in */
  for (int64_t k = from; k < to; k++) {
    float x = v->value ? v->value[k] : 1;
    if (x == 0 || !lt_online_usable_f(x) || v->index[k] < 0 || lt_gate_place(v->index[k]) >= c->width) continue;
    lt_gate_stat s;
    lt_gate_slot *slot = &c->slot[lt_gate_place(v->index[k])];
    lt_gate_open(slot, &s);
    c->struck -= s.strikes == 1;
    stat_pass(&s);
    if (learn && c->mixed) lt_gate_count(&s, x);
    lt_gate_close(&s, slot);
  }
}

static void take_row(lt_gate *g, const lt_rows *rows, int64_t r, int learn) {
  for (uint64_t k = 0; k < g->n_parts; k++) {
    const lt_gate_part *p = &g->part[k];
    if (p->type == GATE_NUMBERS && p->c) take_numbers(g, p, learn);
    if (p->type == GATE_SPARSE && p->c) take_sparse(rows, r, p, learn);
    if (p->type != GATE_CATEGORY || !learn) continue;
    int32_t code = row_code(rows, p->column, r);
    if (code == LT_MISSING) continue;
    p->c->shown++;
    if (code < 0 || code >= lt_dict_count(p->labels) || p->seen[code]) continue;
    lt_gate_labels_add(&p->c->labels, lt_gate_hash(p->labels, code));
    p->seen[code] = 1;
  }
  if (!learn) return;
  int64_t t = row_time(g, rows, r);
  if (t > g->newest) g->newest = t;
  if (g->target < 0 || rows->schema->col[g->target].kind != LEAT_CATEGORY) return;
  int32_t code = row_code(rows, g->target, r);
  if (g->class_seen[code]) return;
  lt_gate_labels_add(&g->classes, lt_gate_hash(rows->schema->col[g->target].labels, code));
  g->class_seen[code] = 1;
}

static void ring_add(lt_gate *g, int held) {
  g->ring_held += held - g->ring[g->ring_at];
  g->ring[g->ring_at] = (uint8_t)held;
  g->ring_at = (g->ring_at + 1) % GATE_RING;
  if (g->ring_n < GATE_RING) g->ring_n++;
}

void lt_gate_row(lt_gate *g, const lt_rows *rows, int64_t r, int32_t pardon, lt_verdict *v) {
  const lt_side *side = rows->side;
  v->action = LT_ADMIT;
  v->reason = 0;
  v->column = v->regime = -1;
  v->detail[0] = 0;
  if (side && side->reason && side->reason[r]) {
    int32_t why = side->reason[r];
    v->action = lt_gate_action(g, why);
    if (v->action < LT_HOLD) v->action = LT_HOLD;
    v->reason = why;
    v->column = side->column ? side->column[r] : -1;
    lt_gate_tell(rows, v);
    ring_add(g, 1);
    return;
  }
  int learn = look_label(g, rows, r, pardon, v);
  if (g->on) look_all(g, rows, r, pardon, v);
  if (label_missing(g, rows, r) && gate_find(g, v, LEAT_REASON_LABEL_MISSING, g->target, pardon)) lt_gate_tell(rows, v);
  int held = v->action >= LT_HOLD;
  if (!held) take_row(g, rows, r, learn);
  ring_add(g, held);
}
