/* The gate's state as bytes, see docs/formats.md: what admitted rows made of it, then strikes and the last verdicts. */
#include <string.h>
#include "lifecycle/gate_inner.h"

enum { SAVE_VERSION = 1, SAVE_COLUMNS = 1 << 24 };

static void save_stat(lt_put *w, const lt_gate_stat *s) {
  lt_put_f64(w, s->mean);
  lt_put_f64(w, s->var);
  lt_put_f64(w, s->dev);
  lt_put_f64(w, s->a);
  lt_put_f64(w, s->b);
  lt_put_f64(w, s->mode);
  lt_put_f64(w, s->share);
  lt_put_f64(w, s->extra);
  lt_put_u32(w, (uint32_t)s->n | (uint32_t)s->distinct << 16 | (uint32_t)s->has_extra << 18);
}

static void save_labels(lt_put *w, const lt_gate_labels *l) {
  lt_put_u64(w, l->n);
  for (uint64_t k = 0; k < l->n; k++) lt_put_u64(w, l->hash[k]);
}

static void save_slots(lt_put *w, const lt_gate_column *c) {
  uint64_t alone = 0;
  for (int64_t k = 0; k < c->width; k++) alone += (c->strike[k] & GATE_ALONE) != 0;
  lt_put_u32(w, (uint32_t)c->top);
  lt_put_raw(w, c->slot, (uint64_t)c->width * sizeof *c->slot); /* little-endian, as everything that leat runs on */
  lt_put_u64(w, alone);
  for (int64_t k = 0; k < c->width; k++)
    if (c->strike[k] & GATE_ALONE) lt_put_u32(w, (uint32_t)k);
}

static void save_core(const lt_gate *g, lt_put *w) {
  lt_put_u64(w, g->n_columns);
  for (uint64_t i = 0; i < g->n_columns; i++) {
    const lt_gate_column *c = g->column[i];
    lt_put_text(w, c->name);
    lt_put_u8(w, (uint8_t)c->type);
    lt_put_f64(w, c->low);
    lt_put_f64(w, c->high);
    lt_put_u64(w, c->shown);
    lt_put_u64(w, (uint64_t)c->width);
    for (int64_t k = 0; c->type == GATE_NUMBERS && k < c->width; k++) save_stat(w, &c->stat[k]);
    if (c->type == GATE_SPARSE) save_slots(w, c);
    if (c->type == GATE_CATEGORY) save_labels(w, &c->labels);
  }
  lt_put_i64(w, g->newest);
  lt_put_i64(w, g->most_classes);
  save_labels(w, &g->classes);
}

static uint8_t *column_strikes(const lt_gate_column *c, int64_t k) {
  return c->type == GATE_NUMBERS ? &c->stat[k].strikes : &c->strike[k];
}

void lt_gate_save(const lt_gate *g, lt_put *w) {
  uint64_t at = w->size + 4, strikes = 0, size;
  lt_put_u32(w, SAVE_VERSION);
  lt_put_u64(w, 0);
  save_core(g, w);
  size = w->size - at - 8;
  for (int i = 0; i < 8 && !w->failed; i++) w->data[at + (uint64_t)i] = (uint8_t)(size >> 8 * i);
  for (uint64_t i = 0; i < g->n_columns; i++)
    for (int64_t k = 0; k < g->column[i]->width; k++) strikes += (*column_strikes(g->column[i], k) & 127) != 0;
  lt_put_u64(w, strikes);
  for (uint64_t i = 0; i < g->n_columns; i++)
    for (int64_t k = 0; k < g->column[i]->width; k++) {
      uint8_t s = *column_strikes(g->column[i], k) & 127;
      if (!s) continue;
      lt_put_u32(w, (uint32_t)i);
      lt_put_u32(w, (uint32_t)k);
      lt_put_u8(w, s);
    }
  lt_put_u32(w, (uint32_t)g->ring_n);
  lt_put_u32(w, (uint32_t)g->ring_at);
  lt_put_raw(w, g->ring, GATE_RING);
}

/* ---------------------------------------------------------------------------------------------- and back */

static void load_labels(lt_gate *g, lt_get *r, lt_gate_labels *l, leat_error *err, leat_status *st) {
  uint64_t n = lt_get_count(r, 8, GATE_LABELS);
  if (*st || r->failed) return;
  *st = lt_gate_labels_room(g->rt, l, n, err);
  for (uint64_t k = 0; k < n && !*st; k++) lt_gate_labels_add(l, lt_get_u64(r));
  if (!*st && l->n != n) lt_get_fail(r, LEAT_E_FORMAT); /* one is doubled */
}

static void load_gate_stats(lt_get *r, lt_gate_column *c) {
  for (int64_t k = 0; k < c->width && !r->failed; k++) {
    lt_gate_stat *s = &c->stat[k];
    s->mean = lt_get_f64(r);
    s->var = lt_get_f64(r);
    s->dev = lt_get_f64(r);
    s->a = lt_get_f64(r);
    s->b = lt_get_f64(r);
    s->mode = lt_get_f64(r);
    s->share = lt_get_f64(r);
    s->extra = lt_get_f64(r);
    uint32_t bits = lt_get_u32(r);
    s->n = (uint16_t)bits;
    s->distinct = bits >> 16 & 3;
    s->has_extra = bits >> 18 & 1;
    if (bits >> 19 || s->n > GATE_WINDOW) lt_get_fail(r, LEAT_E_FORMAT);
  }
}

static void load_slots(lt_get *r, lt_gate_column *c) {
  c->top = (int32_t)lt_get_u32(r);
  const void *slots = lt_get_raw(r, (uint64_t)c->width * sizeof *c->slot);
  if (slots && c->width) memcpy(c->slot, slots, (uint64_t)c->width * sizeof *c->slot);
  uint64_t alone = lt_get_count(r, 4, (uint64_t)c->width);
  for (uint64_t i = 0; i < alone && !r->failed; i++) {
    uint32_t k = lt_get_u32(r);
    if (k >= c->width) lt_get_fail(r, LEAT_E_FORMAT);
    else c->strike[k] = GATE_ALONE;
  }
  for (int64_t k = 0; k < c->width; k++)
    if ((c->slot[k] & 255) > GATE_WARM) lt_get_fail(r, LEAT_E_FORMAT);
  if (c->top < 0 || c->top > 255) lt_get_fail(r, LEAT_E_FORMAT);
}

static leat_status load_gate_column(lt_gate *g, lt_get *r, leat_error *err) {
  lt_gate_column *c = NULL;
  leat_status st = LEAT_OK;
  char *name = lt_get_text(r);
  int32_t type = lt_get_u8(r);
  double low = lt_get_f64(r), high = lt_get_f64(r);
  uint64_t shown = lt_get_u64(r), before = g->n_columns;
  uint64_t width = type == GATE_NUMBERS ? lt_get_count(r, 68, INT32_MAX) : lt_get_count(r, 2, type == GATE_SPARSE ? GATE_SLOTS : 0);
  if (type != GATE_NUMBERS && type != GATE_SPARSE && type != GATE_CATEGORY) lt_get_fail(r, LEAT_E_FORMAT);
  if (!r->failed && !st) st = lt_gate_column_get(g, type, name, (int64_t)width, &c, err);
  if (c && g->n_columns == before) lt_get_fail(r, LEAT_E_FORMAT); /* it was there already */
  if (c && !r->failed) {
    c->low = low;
    c->high = high;
    c->shown = shown;
    if (type == GATE_NUMBERS) load_gate_stats(r, c);
    if (type == GATE_SPARSE) load_slots(r, c);
    if (type == GATE_CATEGORY) load_labels(g, r, &c->labels, err, &st);
  }
  lt_free(g->rt, name);
  return st;
}

static void load_strikes(lt_gate *g, lt_get *r) {
  uint64_t n = lt_get_count(r, 9, UINT32_MAX);
  for (uint64_t i = 0; i < n && !r->failed; i++) {
    uint32_t at = lt_get_u32(r), k = lt_get_u32(r);
    uint8_t s = lt_get_u8(r);
    lt_gate_column *c = at < g->n_columns ? g->column[at] : NULL;
    if (!c || k >= (uint64_t)c->width || s < 1 || s >= GATE_STRIKES || *column_strikes(c, k) & 127) lt_get_fail(r, LEAT_E_FORMAT);
    else *column_strikes(c, k) |= s;
    if (!r->failed) c->struck++;
  }
}

static void load_ring(lt_gate *g, lt_get *r) {
  uint32_t n = lt_get_u32(r), at = lt_get_u32(r);
  const uint8_t *ring = lt_get_raw(r, GATE_RING);
  if (n > GATE_RING || at >= GATE_RING || (n < GATE_RING && at != n)) lt_get_fail(r, LEAT_E_FORMAT);
  if (!ring || r->failed) return;
  memcpy(g->ring, ring, GATE_RING);
  g->ring_n = (int32_t)n;
  g->ring_at = (int32_t)at;
  for (uint32_t i = 0; i < GATE_RING; i++) {
    if (ring[i] > (i < n)) lt_get_fail(r, LEAT_E_FORMAT);
    g->ring_held += ring[i];
  }
}

leat_status lt_gate_restore(lt_gate *g, lt_get *r, leat_error *err) {
  leat_status st = LEAT_OK;
  if (lt_get_u32(r) != SAVE_VERSION) lt_get_fail(r, LEAT_E_VERSION);
  uint64_t size = lt_get_u64(r), from = r->at;
  uint64_t n = lt_get_count(r, 41, SAVE_COLUMNS);
  for (uint64_t i = 0; i < n && !st && !r->failed; i++) st = load_gate_column(g, r, err);
  g->newest = lt_get_i64(r);
  g->most_classes = lt_get_i64(r);
  load_labels(g, r, &g->classes, err, &st);
  if (r->at - from != size) lt_get_fail(r, LEAT_E_FORMAT);
  if (!st) load_strikes(g, r);
  if (!st) load_ring(g, r);
  if (!st) st = lt_get_status(r, "the gate", err);
  return st;
}
