/* Evidence and decisions. A contender bets on being better than the live model, row by row; its wealth is a restarted
 * e-process (stats/evidence.h): it bounds how often a swap without reason comes, not that none ever
 * does. Five bets side by side, their mean counts. */
#include <math.h>
#include <string.h>
#include "lifecycle/guard_inner.h"

#define GUARD_FRESH_MARGIN 0.02 /* a fresh one knows little yet */
#define GUARD_UNIT 2.0 /* of the detector: losses beyond it are rare, and a bound for 3 would find less */

double lt_guard_wealth(const lt_guard_who *c) { return lt_evidence_wealth(&c->better); }

void lt_guard_reset_evidence(lt_guard *g) {
  for (int i = 0; i < GUARD_MODELS; i++) memset(&g->who[i].better, 0, sizeof g->who[i].better);
}

lt_guard_event *lt_guard_tell(lt_guard *g, int32_t kind, const char *name, double value, double threshold) {
  if (g->n_events == GUARD_EVENTS) return &g->event[GUARD_EVENTS - 1];
  lt_guard_event *e = &g->event[g->n_events++];
  memset(e, 0, sizeof *e);
  e->kind = kind;
  e->row = e->since = e->taken = g->o->learned;
  e->value = value;
  e->threshold = threshold;
  size_t n = strlen(name);
  memcpy(e->name, name, n < sizeof e->name ? n : sizeof e->name - 1);
  return e;
}

/* ---------------------------------------------------------------------------------------------- rows */

static double guard_loss(const lt_contestant *t, const double *all, int64_t r, double y, double unit) {
  const double *p = all + r * t->m->n_models;
  if (t->m->regression) return lt_evidence_number_loss(y - *p, unit);
  return lt_evidence_log_loss(t->m->n_models > 1 ? p[(int64_t)y] : y == 1 ? p[0] : 1 - p[0]);
}

void lt_guard_rows(lt_guard *g) {
  const lt_contest *c = &g->contest;
  for (int64_t r = 0; r < c->n; r++) {
    double y = c->y[r], unit = 1;
    if (!(c->w[r] > 0)) continue;
    const lt_contestant *own = &c->who[0];
    if (own->m->regression) unit = lt_evidence_unit_of(&g->unit, y - own->p[r]);
    double live = guard_loss(own, own->p, r, y, unit);
    lt_adwin_add(&g->adwin, live / GUARD_UNIT);
    lt_guard_policy_add(g, 0, live, LT_EVIDENCE_CLIP);
    if (own->wants) {
      double plain = guard_loss(own, own->plain, r, y, unit);
      lt_adwin_add(&g->plain, plain / GUARD_UNIT);
      lt_guard_policy_add(g, 1, plain, LT_EVIDENCE_CLIP);
    }
    for (int64_t k = 1; k < c->n_who; k++) {
      const lt_contestant *t = &c->who[k];
      lt_guard_who *who = &g->who[g->seat[k]];
      double loss = guard_loss(t, t->p, r, y, unit);
      who->loss += (loss - who->loss) / 128;
      lt_evidence_race(&who->better, loss, live, g->seat[k] == GUARD_FRESH ? GUARD_FRESH_MARGIN : LT_EVIDENCE_MARGIN);
    }
  }
}

/* ---------------------------------------------------------------------------------------------- swaps */

static int guard_busy(const lt_guard *g) { return g->o->learned < g->busy_until; }

static void guard_calm(lt_guard *g) {
  g->busy_until = g->o->learned + GUARD_BUSY_WINDOWS * g->window;
  lt_adwin_init(&g->adwin, 1, 1);
  lt_adwin_init(&g->plain, 1, 1);
  lt_guard_policy_calm(g);
  g->warned = 0;
  lt_guard_drop(g, GUARD_NEXT);
  lt_guard_reset_evidence(g);
}

/* A suspect period: nothing is certified, last-good is pinned. Another one inside it does not make it longer. `began`: the
 * record at which the loss began to differ; a window before it is suspect too, for that record is an estimate. One period
 * after the other, with nothing certified and nothing rolled back in between, are about the same beginning. */
static void guard_suspend(lt_guard *g, int64_t began) {
  int64_t now = g->o->learned;
  if (!lt_guard_suspect(g)) g->suspect_until = now + GUARD_SUSPECT_WINDOWS * g->window;
  if (g->suspect_from < 0) g->suspect_from = began > g->window ? began - g->window : 0;
  if (g->who[GUARD_GOOD].m && g->pin_until <= now) g->pin_until = now + GUARD_PIN_WINDOWS * g->window;
  lt_guard_drop(g, GUARD_NEXT);
}

/* Rollbacks that were pages, in the last windows. */
static int64_t guard_recent(lt_guard *g) {
  int64_t kept = 0;
  for (int64_t i = 0; i < g->n_rollbacks; i++)
    if (g->o->learned - g->rollback[i] < g->freeze_after * g->window) g->rollback[kept++] = g->rollback[i];
  return g->n_rollbacks = kept;
}

/* Every rollback inside a suspect period makes the next one dearer: one that was right needs no second one soon. */
static double guard_price(lt_guard *g, int who) {
  double price = g->evidence;
  int64_t n = (who == GUARD_BACK || who == GUARD_PINNED) && lt_guard_suspect(g) ? guard_recent(g) : 0;
  for (int64_t i = 0; i < n && i < 8; i++) price *= 100;
  return price;
}

static void guard_rolled_back(lt_guard *g) {
  int64_t n = guard_recent(g);
  g->rollback[n++] = g->o->learned;
  g->n_rollbacks = n;
  if (n < g->freeze_after) return;
  lt_guard_tell(g, LEAT_EVENT_FROZEN, "rollbacks", (double)n, (double)g->freeze_after);
  g->n_rollbacks = 0;
}

static void guard_fresh(lt_guard *g, int64_t life) {
  int64_t most = GUARD_FRESH_WINDOWS * g->window;
  lt_guard_begin(g, GUARD_FRESH);
  memset(&g->who[GUARD_FRESH].better, 0, sizeof g->who[GUARD_FRESH].better);
  g->who[GUARD_FRESH].loss = LT_EVIDENCE_CLIP / 4;
  g->fresh_life = life < most ? life : most;
}

static void guard_swap(lt_guard *g, int who) {
  static const int32_t kind[] = {0, LEAT_EVENT_ROLLBACK, LEAT_EVENT_RESTART, LEAT_EVENT_PIN_BACK, LEAT_EVENT_UNDO};
  static const char *const name[] = {"", "rollback", "restart", "pin", "undo"};
  lt_guard_who *c = &g->who[who];
  int back = who == GUARD_BACK || who == GUARD_PINNED;
  lt_guard_event *e = lt_guard_tell(g, kind[who], name[who], lt_guard_wealth(c), guard_price(g, who));
  e->suspects = back && lt_guard_suspect(g);
  e->since = e->suspects && g->suspect_from > c->origin ? g->suspect_from : c->origin;
  e->taken = c->row;
  if (who == GUARD_FRESH && !g->who[GUARD_GOOD].m) g->begun = c->row;
  lt_guard_trade(g, GUARD_LIVE, who); /* who is the old live model now */
  if (who != GUARD_DEPOSED) {
    lt_guard_trade(g, who, GUARD_DEPOSED);
    lt_guard_drop(g, who);
  }
  g->who[GUARD_DEPOSED].row = g->o->learned;
  g->who[GUARD_DEPOSED].loss = LT_EVIDENCE_CLIP / 4;
  g->undo_life = (who == GUARD_FRESH ? GUARD_FRESH_WINDOWS : 1) * g->window;
  guard_calm(g);
  if (!g->who[GUARD_FRESH].m) guard_fresh(g, g->window / 2);
  if (e->suspects) {
    g->suspect_from = -1;
    guard_rolled_back(g);
  }
  if (who == GUARD_FRESH) guard_suspend(g, e->taken); /* as good as an alarm, and perhaps damage that will end */
}

static void guard_non_finite(lt_guard *g) {
  lt_guard_event *e = lt_guard_tell(g, LEAT_EVENT_NON_FINITE, "non_finite", 0, 0);
  e->suspects = 1;
  e->since = lt_guard_need_row(g);
  if (g->who[GUARD_GOOD].m) {
    e->since = g->who[GUARD_GOOD].row;
    (void)lt_guard_copy(g, GUARD_LIVE, GUARD_GOOD);
    g->who[GUARD_LIVE].origin = e->since;
  } else {
    g->who[GUARD_LIVE].m = g->o->m;
    lt_guard_begin(g, GUARD_LIVE);
    g->who[GUARD_LIVE].m = NULL;
    g->o->rates = g->who[GUARD_LIVE].rates;
    g->begun = g->o->learned;
  }
  g->bad = 0;
  lt_guard_drop(g, GUARD_FRESH);
  lt_guard_drop(g, GUARD_DEPOSED);
  guard_calm(g);
  guard_rolled_back(g);
}

/* ---------------------------------------------------------------------------------------------- at a block's end */

static void guard_detect(lt_guard *g) {
  int64_t now = g->o->learned;
  int64_t newer = 0;
  int warned;
  if (lt_guard_alarms(g, &warned, &newer) > 0) {
    g->busy_until = now + GUARD_BUSY_WINDOWS * g->window;
    guard_suspend(g, now - newer);
  }
  if (warned && !g->warned) {
    g->busy_until = now + GUARD_BUSY_WINDOWS * g->window;
    for (int i = GUARD_BACK; i <= GUARD_PINNED; i += GUARD_PINNED - GUARD_BACK)
      if (g->who[i].m && lt_guard_wealth(&g->who[i]) < GUARD_PROMISING)
        g->who[i].row = now - GUARD_QUIET * g->revive; /* due */
    if (!g->who[GUARD_FRESH].m || lt_guard_wealth(&g->who[GUARD_FRESH]) < GUARD_PROMISING)
      guard_fresh(g, g->window / 2);
  }
  g->warned = warned;
}

static void guard_window(lt_guard *g) {
  int64_t now = g->o->learned;
  if (g->who[GUARD_NEXT].m && g->next_clean && !lt_guard_suspect(g)) {
    if (g->who[GUARD_GOOD].m && now < g->pin_until && !g->who[GUARD_PIN].m) lt_guard_trade(g, GUARD_GOOD, GUARD_PIN);
    lt_guard_trade(g, GUARD_GOOD, GUARD_NEXT);
    g->suspect_from = -1;
    lt_guard_event *e = lt_guard_tell(g, LEAT_EVENT_CERTIFIED, "window", (double)g->who[GUARD_GOOD].row, 0);
    e->since = e->taken = g->who[GUARD_GOOD].row;
    if (g->who[GUARD_BACK].m && lt_guard_wealth(&g->who[GUARD_BACK]) < GUARD_PROMISING)
      g->who[GUARD_BACK].row = now - GUARD_QUIET * g->revive;
  }
  if (lt_guard_suspect(g)) return;
  g->next_clean = lt_guard_copy(g, GUARD_NEXT, GUARD_LIVE);
  g->who[GUARD_NEXT].origin = now;
  g->bad = !g->next_clean; /* the end of the next block mends it */
}

static void guard_revive(lt_guard *g, int who, int from) {
  lt_guard_who *c = &g->who[who];
  if (!g->who[from].m) {
    if (c->m) lt_guard_drop(g, who);
    return;
  }
  int64_t age = g->o->learned - c->row;
  if (c->m && (age < g->revive || lt_guard_wealth(c) >= GUARD_PROMISING)) return;
  if (c->m && !guard_busy(g) && age < GUARD_QUIET * g->revive) {
    c->resting = 1;
    return;
  }
  if (!c->m) memset(&c->better, 0, sizeof c->better);
  if (!c->m) c->loss = LT_EVIDENCE_CLIP / 4;
  c->resting = 0;
  (void)lt_guard_copy(g, who, from);
  c->origin = g->who[from].row;
}

static void guard_lives(lt_guard *g) {
  int64_t now = g->o->learned;
  lt_guard_who *fresh = &g->who[GUARD_FRESH];
  if (fresh->m && now - fresh->row >= g->fresh_life && lt_guard_wealth(fresh) < GUARD_PROMISING) {
    if (guard_busy(g)) guard_fresh(g, 2 * g->fresh_life);
    else lt_guard_drop(g, GUARD_FRESH);
  }
  if (g->who[GUARD_DEPOSED].m && now - g->who[GUARD_DEPOSED].row >= g->undo_life) lt_guard_drop(g, GUARD_DEPOSED);
  if (now >= g->pin_until) lt_guard_drop(g, GUARD_PIN);
  guard_revive(g, GUARD_BACK, GUARD_GOOD);
  guard_revive(g, GUARD_PINNED, GUARD_PIN);
}

static int guard_winner(lt_guard *g) {
  int best = 0;
  for (int i = GUARD_BACK; i <= GUARD_DEPOSED; i++)
    if (g->who[i].m && lt_guard_wealth(&g->who[i]) >= guard_price(g, i) &&
        (!best || lt_guard_wealth(&g->who[i]) > lt_guard_wealth(&g->who[best])))
      best = i;
  /* a revived one that does as well goes first: it knows more than a fresh one, and has learned less of what went wrong than
   * the deposed one */
  int rival = best == GUARD_FRESH || best == GUARD_DEPOSED ? best : 0;
  for (int i = GUARD_BACK; rival && i <= GUARD_PINNED; i += GUARD_PINNED - GUARD_BACK)
    if (g->who[i].m && !g->who[i].resting && lt_guard_wealth(&g->who[i]) >= GUARD_PROMISING && guard_price(g, i) <= g->evidence &&
        g->who[i].loss <= g->who[rival].loss)
      return i;
  return best;
}

/* Models that may have to come into being now. */
static int64_t guard_need(const lt_guard *g, int window_end, int winner, int stir) {
  if (g->policy) return window_end && (!g->who[GUARD_NEXT].m || !g->who[GUARD_GOOD].m);
  int fresh = stir;
  int pin = g->who[GUARD_PIN].m || (window_end && g->o->learned < g->pin_until);
  int passed_on = !g->who[GUARD_NEXT].m || !g->who[GUARD_GOOD].m || (g->o->learned < g->pin_until && !g->who[GUARD_PIN].m);
  if (winner) fresh = 1;
  return (window_end && passed_on) + (winner == GUARD_BACK || winner == GUARD_PINNED) + (fresh && (!g->who[GUARD_FRESH].m || winner == GUARD_FRESH)) +
         ((g->who[GUARD_GOOD].m || window_end) && !g->who[GUARD_BACK].m) + (pin && !g->who[GUARD_PINNED].m);
}

leat_status lt_guard_decide(lt_guard *g, leat_error *err) {
  int window_end = g->o->learned > 0 && g->o->learned % g->window == 0;
  int look = window_end && (guard_busy(g) || !g->who[GUARD_GOOD].m || g->o->learned % (GUARD_QUIET * g->window) == 0);
  if (!g->on) {
    g->due = 0;
    g->window_end = window_end;
    return LEAT_OK;
  }
  int stir = lt_guard_stirred(g);
  int winner = guard_winner(g);
  leat_status st = lt_guard_spares(g, guard_need(g, look, winner, stir), err);
  if (st) return st;
  if (g->bad) guard_non_finite(g);
  else if (winner) guard_swap(g, winner);
  else if (g->policy) lt_guard_policy_act(g);
  else if (stir) guard_detect(g);
  else g->warned = 0;
  for (int i = GUARD_BACK; i <= GUARD_PINNED; i += GUARD_PINNED - GUARD_BACK)
    if (g->who[i].m && lt_guard_wealth(&g->who[i]) >= GUARD_PROMISING) g->next_clean = 0;
  if (look) guard_window(g);
  if (!g->policy) guard_lives(g);
  g->due = 0;
  g->window_end = window_end;
  return LEAT_OK;
}
