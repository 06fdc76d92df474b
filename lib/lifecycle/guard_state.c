/* The guard to bytes and back: numbers, then each model by what is different from the one it came from. */
#include <math.h>
#include <string.h>
#include "lifecycle/guard_inner.h"

/* Written in this order, each beside one that is known by then. -1: beside a fresh model. */
static const int guard_order[] = {GUARD_GOOD, GUARD_NEXT, GUARD_PIN, GUARD_BACK, GUARD_PINNED, GUARD_DEPOSED, GUARD_FRESH};
static int guard_base(const lt_guard *g, int who) {
  switch (who) {
    case GUARD_PIN:
    case GUARD_BACK: return g->who[GUARD_GOOD].m ? GUARD_GOOD : GUARD_LIVE;
    case GUARD_PINNED: return g->who[GUARD_PIN].m ? GUARD_PIN : GUARD_LIVE;
    default: return GUARD_LIVE;
  }
}

void lt_guard_save(const lt_guard *g, lt_put *w) {
  lt_put_u8(w, (uint8_t)g->on);
  lt_put_i64(w, g->window);
  lt_put_i64(w, g->begun);
  lt_put_i64(w, g->who[GUARD_LIVE].row);
  lt_put_i64(w, g->who[GUARD_LIVE].origin);
  lt_put_u8(w, (uint8_t)g->due);
  if (!g->on) return;
  lt_put_i64(w, g->suspect_from);
  lt_put_i64(w, g->suspect_until);
  lt_put_i64(w, g->pin_until);
  lt_put_i64(w, g->busy_until);
  lt_put_i64(w, g->fresh_life);
  lt_put_i64(w, g->undo_life);
  lt_put_u8(w, (uint8_t)g->warned);
  lt_put_u8(w, (uint8_t)g->next_clean);
  lt_put_u8(w, (uint8_t)g->bad);
  lt_put_f64(w, g->unit.square);
  lt_put_f64(w, g->unit.squares);
  lt_put_i64s(w, g->rollback, (uint64_t)g->n_rollbacks);
  lt_adwin_save(&g->adwin, w);
  lt_adwin_save(&g->plain, w);
  lt_guard_policy_save(g, w);
  for (size_t i = 0; i < sizeof guard_order / sizeof *guard_order; i++) {
    const lt_guard_who *c = &g->who[guard_order[i]];
    lt_put_u8(w, c->m != NULL);
    if (!c->m) continue;
    lt_put_i64(w, c->row);
    lt_put_i64(w, c->origin);
    lt_put_u8(w, (uint8_t)c->resting);
    lt_put_f64(w, c->loss);
    lt_evidence_save(&c->better, w);
    lt_online_save_beside(c->m, guard_model(g, guard_base(g, guard_order[i])), w);
  }
}

static int get_flag(lt_get *r) {
  uint8_t v = lt_get_u8(r);
  if (v > 1) lt_get_fail(r, LEAT_E_FORMAT);
  return v == 1;
}

static leat_status guard_load_model(lt_guard *g, int who, lt_get *r, leat_error *err) {
  lt_guard_who *c = &g->who[who];
  if (!get_flag(r) || r->failed) return LEAT_OK;
  c->row = lt_get_i64(r);
  c->origin = lt_get_i64(r);
  c->resting = get_flag(r);
  c->loss = lt_get_f64(r);
  if (!isfinite(c->loss)) lt_get_fail(r, LEAT_E_FORMAT);
  if (c->origin < 0 || c->origin > g->o->learned || c->row > g->o->learned) lt_get_fail(r, LEAT_E_FORMAT);
  lt_evidence_load(&c->better, r);
  c->rates = g->o->rates;
  if (r->failed) return LEAT_OK;
  leat_status st = lt_online_copy(guard_model(g, guard_base(g, who)), &c->m, err);
  if (!st) lt_online_load_beside(c->m, r);
  return st;
}

static void guard_load_numbers(lt_guard *g, lt_get *r) {
  uint64_t n = 0;
  g->suspect_from = lt_get_i64(r);
  g->suspect_until = lt_get_i64(r);
  g->pin_until = lt_get_i64(r);
  g->busy_until = lt_get_i64(r);
  g->fresh_life = lt_get_i64(r);
  g->undo_life = lt_get_i64(r);
  if (g->fresh_life < 0 || g->fresh_life > GUARD_FRESH_WINDOWS * g->window) lt_get_fail(r, LEAT_E_FORMAT);
  g->warned = get_flag(r);
  g->next_clean = get_flag(r);
  g->bad = get_flag(r);
  g->unit.square = lt_get_f64(r);
  g->unit.squares = lt_get_f64(r);
  int64_t *rollback = lt_get_i64s(r, &n);
  if (n > LT_GUARD_ROLLBACKS - 1 || !(g->unit.square >= 0) || !(g->unit.squares >= 0) || isinf(g->unit.square) ||
      isinf(g->unit.squares))
    lt_get_fail(r, LEAT_E_FORMAT);
  if (!r->failed && n > 0) memcpy(g->rollback, rollback, (size_t)n * sizeof *rollback);
  g->n_rollbacks = r->failed ? 0 : (int64_t)n;
  lt_free(g->rt, rollback);
  lt_adwin_load(&g->adwin, r);
  lt_adwin_load(&g->plain, r);
}

leat_status lt_guard_restore(lt_guard *g, lt_get *r, leat_error *err) {
  leat_status st = LEAT_OK;
  int on = get_flag(r);
  int64_t window = lt_get_i64(r);
  g->begun = lt_get_i64(r);
  g->who[GUARD_LIVE].row = lt_get_i64(r);
  g->who[GUARD_LIVE].origin = lt_get_i64(r);
  g->due = get_flag(r);
  if (on != g->on || window != g->window || g->begun < 0 || g->begun > g->o->learned || (on && !g->o->m)) lt_get_fail(r, LEAT_E_FORMAT);
  if (on && !r->failed) guard_load_numbers(g, r);
  if (on && !r->failed) st = lt_guard_policy_restore(g, r, err);
  for (size_t i = 0; on && i < sizeof guard_order / sizeof *guard_order && !st && !r->failed; i++)
    st = guard_load_model(g, guard_order[i], r, err);
  if (!st) st = lt_get_status(r, "the guard", err);
  return st;
}
