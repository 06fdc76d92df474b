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

/* Takes note of an outlier; 1: it is a strike, being what holds the row. */
static int row_far(const lt_gate *g, lt_verdict *v, int64_t column, int32_t pardon, int *tell) {
  int held = v->action >= LT_HOLD && v->reason != LEAT_REASON_OUTLIER;
  *tell = gate_find(g, v, LEAT_REASON_OUTLIER, column, pardon);
  return !held && v->action >= LT_HOLD && v->reason == LEAT_REASON_OUTLIER && pardon != LEAT_REASON_OUTLIER;
}

/* Something is wrong with element j, or its statistics have to be asked. */
static void look_odd(lt_gate *g, const lt_gate_part *p, int64_t j, double *x, int32_t pardon, lt_verdict *v) {
  lt_gate_stat *s = p->c ? &p->c->stat[j] : NULL;
  if (!lt_online_usable(*x)) {
    if (p->feature && gate_find(g, v, LEAT_REASON_NON_FINITE, p->column, pardon)) lt_gate_tell_value(v, *x);
    *x = NAN; /* whatever becomes of the row: the model leaves it out, so do the statistics */
    return;
  }
  if (!s || s->n < GATE_WARM || !lt_gate_is_far(s, *x)) return;
  if (p->width > 1 && (s->distinct <= 2 || lt_gate_still(s)) && lt_gate_in_block(p->c, *x)) return;
  int tell, strike = row_far(g, v, p->column, pardon, &tell);
  if (tell) lt_gate_tell_far(v, *x, s, p->width > 1 ? j : -1);
  if (!strike || ++s->strikes < GATE_STRIKES) return;
  *s = (lt_gate_stat){0};
  v->regime = p->column;
}

/* One number of its own column: nearly always it is well within what came before. */
static int look_number(lt_gate *g, const lt_col *col, int64_t r, const lt_gate_part *p, int32_t pardon, lt_verdict *v) {
  double *x = g->x + p->at;
  const lt_gate_stat *s = p->c->stat;
  *x = col->dtype == LEAT_F64 ? ((const double *)col->data)[r * col->row_stride]
                              : (double)((const float *)col->data)[r * col->row_stride];
  if (fabs(*x - s->mean) <= 3 * s->dev && lt_online_usable(*x)) return p->feature;
  if (isnan(*x)) return 0;
  look_odd(g, p, 0, x, pardon, v);
  return p->feature;
}

static int look_numbers(lt_gate *g, const lt_rows *rows, int64_t r, const lt_gate_part *p, int32_t pardon, lt_verdict *v) {
  const lt_col *col = &rows->col[p->column];
  if (p->c && p->width == 1 && col->data && (col->dtype == LEAT_F64 || col->dtype == LEAT_F32))
    return look_number(g, col, r, p, pardon, v);
  double *x = g->x + p->at;
  int any = 0, bytes = fetch_numbers(&rows->schema->col[p->column], col, r, p->width, x);
  const lt_gate_stat *s = p->c ? p->c->stat : NULL;
  for (int64_t j = 0; j < p->width; j++) {
    if (isnan(x[j])) continue;
    any = 1;
    if (bytes) x[j] = NAN; /* no statistics */
    else if (!s || !(fabs(x[j] - s[j].mean) <= 3 * s[j].dev && lt_online_usable(x[j]))) look_odd(g, p, j, &x[j], pardon, v);
  }
  return any && p->feature;
}

/* Could anything be wrong with the entries? An index that has shown little is compared with its block. */
static inline int sparse_odd(const uint16_t *slots, const int32_t *index, const float *value, int64_t n, int64_t width,
                             int direct, uint32_t most) {
  uint32_t odd = 0;
  for (int64_t k = 0; k < n; k++) {
    uint32_t e = value ? lt_gate_exponent(value[k]) : 127, at = direct ? (uint32_t)index[k] : lt_gate_place(index[k]);
    uint32_t slot = direct || at < width ? slots[at] : 0, top = (slot & 255) < GATE_WARM ? most : slot >> 8;
    odd |= (uint32_t)(e >= top + GATE_TIMES) | (uint32_t)(e >= GATE_HUGE);
  }
  return odd != 0;
}

static int sparse_suspicious(const lt_gate_part *p, const lt_col *v, int64_t from, int64_t to) {
  const lt_gate_column *c = p->c;
  uint32_t most = (uint32_t)(c->shown < GATE_WARM || !c->top ? 255 : c->top);
  const float *value = v->value ? v->value + from : NULL;
  if (p->width > c->width) return sparse_odd(c->slot, v->index + from, value, to - from, c->width, 0, most);
  if (!value) return sparse_odd(c->slot, v->index + from, NULL, to - from, c->width, 1, most);
  return sparse_odd(c->slot, v->index + from, value, to - from, c->width, 1, most);
}

static void look_entry(lt_gate *g, const lt_gate_part *p, int32_t index, float x, int32_t pardon, lt_verdict *v) {
  lt_gate_column *c = p->c;
  uint32_t at = lt_gate_place(index), e = lt_gate_exponent(x); /* below c->width: the schema's is */
  if (isnan(x) || e == 0) return;
  if (!lt_online_usable_f(x)) {
    if (gate_find(g, v, LEAT_REASON_NON_FINITE, p->column, pardon)) lt_gate_tell_value(v, x);
    return;
  }
  if (!c) return;
  int own = (c->slot[at] & 255) >= GATE_WARM, tell;
  int32_t top = own ? c->slot[at] >> 8 : c->top;
  if (!own && (c->strike[at] & GATE_ALONE || c->shown < GATE_WARM || !c->top)) return;
  if ((int32_t)e < top + GATE_TIMES) return;
  int strike = row_far(g, v, p->column, pardon, &tell);
  if (tell) lt_gate_tell_slot(v, x, top, own, index);
  if (!strike) return;
  int n = (c->strike[at] & 127) + 1;
  c->struck += n == 1;
  if (n < GATE_STRIKES) {
    c->strike[at]++;
    return;
  }
  c->slot[at] = 0;
  c->strike[at] = GATE_ALONE;
  c->struck--;
  v->regime = p->column;
}

/* What is kept for the next row's entries is asked for while this row is looked at. A macro: gcc takes the call of a function
 * that only prefetches for one without effect. */
#if defined(__GNUC__)
#define GATE_FETCH(c, col, from, to) \
  for (int64_t at = from; at < (to); at++) __builtin_prefetch(&(c)->slot[lt_gate_place((col)->index[at])], 1)
#else
#define GATE_FETCH(c, col, from, to) (void)(from)
#endif

static void look_sparse(lt_gate *g, const lt_rows *rows, int64_t r, const lt_gate_part *p, int32_t pardon, lt_verdict *v) {
  const lt_col *col = &rows->col[p->column];
  if (!col->row_start) return;
  int64_t from = col->row_start[r], to = col->row_start[r + 1];
  if (p->c && p->c->width == GATE_SLOTS && r + 1 < rows->n) GATE_FETCH(p->c, col, to, col->row_start[r + 2]);
  if (p->c ? !sparse_suspicious(p, col, from, to) : !col->value) return;
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

enum { ROW_LEARN = 1, ROW_NO_LABEL = 2 };
/* ROW_LEARN: there is a label and a weight above 0, so the row is going to be learned when it is admitted. */
static int look_label(lt_gate *g, const lt_rows *rows, int64_t r, int32_t pardon, lt_verdict *v) {
  double w = 1;
  const lt_col *col = g->weight >= 0 ? &rows->col[g->weight] : NULL;
  if (col && col->data) w = lt_col_number(&rows->schema->col[g->weight], col, r, 0);
  if ((!(w >= 0) || isinf(w)) && gate_find(g, v, LEAT_REASON_WEIGHT, g->weight, pardon)) lt_gate_tell_value(v, w);
  if (g->target < 0) return ROW_LEARN * (w > 0);
  const lt_column *c = &rows->schema->col[g->target];
  if (c->kind == LEAT_CATEGORY) {
    int32_t code = row_code(rows, g->target, r);
    if (code == LT_MISSING) return ROW_NO_LABEL;
    int outside = code < 0 || code >= lt_dict_count(c->labels);
    const lt_dict *labels = outside ? NULL : c->labels;
    if (!outside && g->most_classes > 0 && g->classes.n >= (uint64_t)g->most_classes)
      outside = !label_known(&g->classes, c->labels, g->class_seen, code);
    if (outside && gate_find(g, v, LEAT_REASON_LABEL_INVALID, g->target, pardon)) lt_gate_tell_label(v, labels, code, 0);
    return ROW_LEARN * (!outside && w > 0);
  }
  double y = lt_col_number(c, &rows->col[g->target], r, 0);
  if (isnan(y)) return ROW_NO_LABEL;
  int bad = c->kind == LEAT_BOOL ? !(y == 0 || y == 1) : !lt_online_usable(y);
  if (bad && gate_find(g, v, LEAT_REASON_LABEL_INVALID, g->target, pardon)) lt_gate_tell_value(v, y);
  return ROW_LEARN * (!bad && w > 0);
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

static void take_numbers(const lt_gate *g, const lt_gate_part *p, int learn) {
  const double *x = g->x + p->at;
  lt_gate_column *c = p->c;
  for (int64_t j = 0; j < p->width; j++) {
    if (isnan(x[j])) continue;
    if (c->stat[j].strikes) c->stat[j].strikes--;
    if (!learn) continue;
    lt_gate_count(&c->stat[j], x[j]);
    if (p->width == 1) return;
    if (x[j] < c->low) c->low = x[j];
    if (x[j] > c->high) c->high = x[j];
  }
}

/* The largest exponent. Unusable numbers do not count; with them a row comes here only when it was admitted by wish. */
static inline uint32_t sparse_count(uint16_t *slots, const int32_t *index, const float *value, int64_t n, int direct,
                                    uint32_t most) {
  for (int64_t k = 0; k < n; k++) {
    uint32_t e = value ? lt_gate_exponent(value[k]) : 127, at = direct ? (uint32_t)index[k] : lt_gate_place(index[k]);
    if (e == 0 || (e >= GATE_HUGE && !lt_online_usable_f(value[k]))) continue;
    uint32_t slot = slots[at], shown = slot & 255, top = slot >> 8;
    most = e > most ? e : most;
    shown += shown < GATE_WARM;
    top = e > top ? e : top;
    slots[at] = (uint16_t)(shown | top << 8);
  }
  return most;
}

static void take_sparse(const lt_rows *rows, int64_t r, const lt_gate_part *p, int learn) {
  const lt_col *v = &rows->col[p->column];
  lt_gate_column *c = p->c;
  if (!v->row_start) return;
  int64_t from = v->row_start[r], n = v->row_start[r + 1] - from;
  const int32_t *index = v->index + from;
  const float *value = v->value ? v->value + from : NULL;
  for (int64_t k = 0; c->struck && k < n; k++) {
    uint8_t *strike = &c->strike[lt_gate_place(index[k])];
    if (*strike & 127 && !(value && (isnan(value[k]) || lt_gate_exponent(value[k]) == 0)))
      c->struck -= (--*strike & 127) == 0;
  }
  if (!learn) return;
  c->shown++;
  uint32_t most = (uint32_t)c->top;
  if (p->width > c->width) most = sparse_count(c->slot, index, value, n, 0, most);
  else if (!value) most = sparse_count(c->slot, index, NULL, n, 1, most);
  else most = sparse_count(c->slot, index, value, n, 1, most);
  c->top = (int32_t)most;
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
  g->ring_at = g->ring_at + 1 < GATE_RING ? g->ring_at + 1 : 0;
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
  int label = look_label(g, rows, r, pardon, v);
  if (g->on) look_all(g, rows, r, pardon, v);
  if (label & ROW_NO_LABEL && gate_find(g, v, LEAT_REASON_LABEL_MISSING, g->target, pardon)) lt_gate_tell(rows, v);
  int held = v->action >= LT_HOLD;
  if (!held) take_row(g, rows, r, label & ROW_LEARN);
  ring_add(g, held);
}
