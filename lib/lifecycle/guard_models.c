/* The guard's models: copies of each other that differ in few slots. All of them learn the same rows, so one table of when a
 * slot was touched last serves all: two models differ at most in the slots touched since the one was the other's copy. */
#include <string.h>
#include "lifecycle/guard_inner.h"

enum { GUARD_WHOLE = 4096 }; /* slots up to which copies are whole */

static void guard_forget(lt_guard *g) {
  for (int i = 0; i < GUARD_MODELS; i++)
    for (int j = 0; j < GUARD_MODELS; j++) g->since[i][j] = -1;
}

leat_status lt_guard_tracks(lt_guard *g, leat_error *err) {
  int64_t n = g->o->m->n_slots;
  if (!g->on || n <= GUARD_WHOLE || g->n_stamp == n) return LEAT_OK;
  uint32_t *stamp = lt_zarray(g->rt, (uint64_t)n, sizeof *stamp), *list = lt_array(g->rt, (uint64_t)n, sizeof *list);
  uint32_t *page = lt_zarray(g->rt, (uint64_t)(n / GUARD_PAGE + 1), sizeof *page);
  if (!stamp || !page || !list) {
    lt_free(g->rt, stamp);
    lt_free(g->rt, page);
    lt_free(g->rt, list);
    return lt_fail_memory(err, (uint64_t)n * 8, "the guard's slots");
  }
  lt_free(g->rt, g->stamp);
  lt_free(g->rt, g->page);
  lt_free(g->rt, g->list);
  g->stamp = stamp;
  g->page = page;
  g->list = list;
  g->n_stamp = n;
  g->clock = 0;
  guard_forget(g);
  return LEAT_OK;
}

void lt_guard_touched(lt_guard *g) {
  const lt_contest *c = &g->contest;
  if (!g->stamp) return;
  if (g->clock == UINT32_MAX) {
    memset(g->stamp, 0, (size_t)g->n_stamp * sizeof *g->stamp);
    memset(g->page, 0, (size_t)(g->n_stamp / GUARD_PAGE + 1) * sizeof *g->page);
    g->clock = 0;
    guard_forget(g);
  }
  uint32_t now = ++g->clock;
  for (int64_t i = 0; i < c->start[c->n]; i++) {
    g->stamp[c->slot[i]] = now;
    if (g->page[c->slot[i] / GUARD_PAGE] != now) g->page[c->slot[i] / GUARD_PAGE] = now;
  }
}

/* The slots touched since; dense ones always. -1: too many to list. */
static int64_t guard_list(const lt_guard *g, int64_t since) {
  int64_t n = 0;
  if (!g->stamp || since < 0) return -1;
  for (int64_t p = 0; p <= (g->n_stamp - 1) / GUARD_PAGE; p++) {
    if (g->page[p] < since) continue;
    int64_t end = (p + 1) * GUARD_PAGE < g->n_stamp ? (p + 1) * GUARD_PAGE : g->n_stamp;
    for (int64_t i = p * GUARD_PAGE; i < end; i++) {
      g->list[n] = (uint32_t)i;
      n += g->stamp[i] >= since;
    }
  }
  return n;
}

/* Long lists are worked off in pieces, side by side. */
enum { GUARD_PIECE = 4096 };
typedef struct guard_work {
  lt_online *dst;
  const lt_online *src;
  const uint32_t *list;
  int64_t n;
  int32_t unsound;
} guard_work;

static void guard_piece(void *arg, int64_t index) {
  guard_work *w = arg;
  int64_t at = index * GUARD_PIECE, n = w->n - at < GUARD_PIECE ? w->n - at : GUARD_PIECE;
  if (!lt_online_copy_slots(w->dst, w->src, w->list + at, n)) __atomic_store_n(&w->unsound, 1, __ATOMIC_RELAXED);
}

/* The host's executor may have failed: then again, one after the other. Both may be done twice. */
static void guard_pieces(lt_guard *g, guard_work *w) {
  int64_t pieces = (w->n + GUARD_PIECE - 1) / GUARD_PIECE;
  if (lt_parallel_for(g->rt, pieces, guard_piece, w) == LEAT_OK) return;
  for (int64_t i = 0; i < pieces; i++) guard_piece(w, i);
}

void lt_guard_strange(lt_guard *g, int who) {
  for (int i = 0; i < GUARD_MODELS; i++) g->since[who][i] = g->since[i][who] = -1;
}

leat_status lt_guard_spares(lt_guard *g, int64_t n, leat_error *err) {
  leat_status st = LEAT_OK;
  while (!st && g->n_spare < n && g->n_spare < GUARD_MODELS) {
    st = lt_online_fresh(g->o->m, &g->spare[g->n_spare], err);
    if (!st) g->n_spare++;
  }
  return st;
}

int lt_guard_copy(lt_guard *g, int to, int from) {
  lt_guard_who *t = &g->who[to];
  int there = to == GUARD_LIVE || t->m != NULL;
  if (!there) t->m = g->spare[--g->n_spare];
  lt_online *dst = guard_model(g, to);
  const lt_online *src = guard_model(g, from);
  int sound = 1;
  int64_t n = there ? guard_list(g, g->since[to][from]) : -1;
  if (n >= 0) {
    guard_work work = {dst, src, g->list, n, 0};
    lt_online_copy_rest(dst, src);
    guard_pieces(g, &work);
    sound = !work.unsound && lt_online_finite(src, g->list, 0); /* of no slot: what it has once */
  } else {
    lt_online_assign(dst, src);
    sound = lt_online_finite(src, NULL, 0);
  }
  for (int i = 0; i < GUARD_MODELS; i++) g->since[to][i] = g->since[i][to] = g->since[from][i];
  g->since[to][from] = g->since[from][to] = (int64_t)g->clock + 1;
  const lt_online_rates *rates = from == GUARD_LIVE ? &g->o->rates : &g->who[from].rates;
  if (to == GUARD_LIVE) g->o->rates = *rates;
  t->rates = *rates;
  t->row = g->o->learned;
  return sound;
}

void lt_guard_begin(lt_guard *g, int who) {
  lt_guard_who *t = &g->who[who];
  if (!t->m) t->m = g->spare[--g->n_spare];
  lt_online_clear(t->m);
  lt_guard_strange(g, who);
  t->rates = lt_online_rates_of(g->o->settings);
  t->row = t->origin = g->o->learned;
}

void lt_guard_drop(lt_guard *g, int who) {
  if (g->who[who].m && g->n_spare < GUARD_MODELS) g->spare[g->n_spare++] = g->who[who].m;
  else lt_online_free(g->who[who].m);
  g->who[who].m = NULL;
  lt_guard_strange(g, who);
}

void lt_guard_trade(lt_guard *g, int a, int b) {
  lt_guard_who t = g->who[a];
  if (a == GUARD_LIVE) { /* o's own is the truth about the live model */
    t.m = g->o->m;
    t.rates = g->o->rates;
    g->o->m = g->who[b].m;
    g->o->rates = g->who[b].rates;
  }
  g->who[a] = g->who[b];
  g->who[b] = t;
  for (int i = 0; i < GUARD_MODELS; i++) {
    int64_t s = g->since[a][i];
    g->since[a][i] = g->since[b][i];
    g->since[b][i] = s;
  }
  for (int i = 0; i < GUARD_MODELS; i++) {
    int64_t s = g->since[i][a];
    g->since[i][a] = g->since[i][b];
    g->since[i][b] = s;
  }
  if (a == GUARD_LIVE) g->who[GUARD_LIVE].m = NULL;
}

/* Every model at the same row; live last, so that after a failure the rest is done again. */
leat_status lt_guard_add_classes(lt_guard *g, int64_t classes, leat_error *err) {
  leat_status st = LEAT_OK;
  while (g->n_spare > 0) lt_online_free(g->spare[--g->n_spare]);
  for (int i = GUARD_MODELS - 1; i >= 0; i--) {
    lt_online *m = guard_model(g, i);
    while (m && !st && m->n_classes < classes) st = lt_online_add_class(m, err);
  }
  return st;
}
