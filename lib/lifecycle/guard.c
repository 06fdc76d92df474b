/* The guard's life and its loop over rows. */
#include "lifecycle/guard.h"
#include <math.h>
#include <string.h>
#include "lifecycle/guard_inner.h"

static int64_t guard_blocks(int64_t rows) { return (rows + LT_GUARD_BLOCK - 1) / LT_GUARD_BLOCK * LT_GUARD_BLOCK; }

leat_status lt_guard_create(lt_online_trainer *o, const leat_params *settings, lt_guard **out, leat_error *err) {
  *out = NULL;
  lt_guard *g = lt_zalloc(o->rt, sizeof *g);
  if (!g) return lt_fail_memory(err, sizeof *g, "a guard");
  g->o = o;
  g->rt = o->rt;
  lt_runtime_ref(g->rt);
  g->on = settings && lt_param_int(settings, "guard");
  g->window = guard_blocks(settings ? lt_param_int(settings, "guard_window") : 1000);
  g->revive = g->window < guard_blocks(1000) ? g->window : guard_blocks(1000);
  if (g->on) {
    g->warning = lt_param_real(settings, "drift_warning");
    g->alarm = lt_param_real(settings, "drift_alarm");
    g->evidence = lt_param_real(settings, "evidence");
    g->freeze_after = lt_param_int(settings, "freeze_after");
  }
  g->begun = g->who[GUARD_LIVE].row = g->who[GUARD_LIVE].origin = o->learned;
  g->suspect_from = -1;
  lt_contest_init(&g->contest, g->rt);
  lt_adwin_init(&g->adwin, 1, 1);
  lt_adwin_init(&g->plain, 1, 1);
  lt_guard_disturbed(g);
  leat_status st = g->on ? lt_guard_policy_open(g, settings, err) : LEAT_OK;
  if (st) lt_guard_free(g);
  else *out = g;
  return st;
}

void lt_guard_free(lt_guard *g) {
  if (!g) return;
  leat_runtime *rt = g->rt;
  for (int i = 0; i < GUARD_MODELS; i++) lt_online_free(g->who[i].m);
  while (g->n_spare > 0) lt_online_free(g->spare[--g->n_spare]);
  lt_guard_policy_close(g);
  lt_contest_free(&g->contest);
  lt_free(rt, g->stamp);
  lt_free(rt, g->page);
  lt_free(rt, g->list);
  lt_free(rt, g);
  lt_runtime_unref(rt);
}

int lt_guard_event_next(lt_guard *g, lt_guard_event *out) {
  if (g->next_event >= g->n_events) return 0;
  *out = g->event[g->next_event++];
  return 1;
}

int lt_guard_suspect(const lt_guard *g) { return g->o->learned < g->suspect_until; }
int64_t lt_guard_good_row(const lt_guard *g) { return g->who[GUARD_GOOD].m ? g->who[GUARD_GOOD].row : -1; }
int lt_guard_window_end(const lt_guard *g) { return g->window_end; }

int64_t lt_guard_need_row(const lt_guard *g) {
  if (!g->on) return g->o->learned;
  if (!g->who[GUARD_GOOD].m) return g->begun;
  int64_t row = g->who[GUARD_GOOD].row;
  for (int i = GUARD_BACK; i <= GUARD_PINNED; i += GUARD_PINNED - GUARD_BACK) /* revived from an older one */
    if (g->who[i].m && g->who[i].origin < row) row = g->who[i].origin;
  return g->who[GUARD_PIN].m && g->who[GUARD_PIN].row < row ? g->who[GUARD_PIN].row : row;
}

leat_status lt_guard_good(const lt_guard *g, const lt_online **out) {
  *out = g->who[GUARD_GOOD].m;
  return *out ? LEAT_OK : LEAT_E_NOT_FOUND;
}

void lt_guard_disturbed(lt_guard *g) { lt_guard_strange(g, GUARD_LIVE); }

leat_status lt_guard_rollback(lt_guard *g, const lt_online *m, leat_error *err) {
  lt_online *live = g->o->m, *grown = NULL;
  leat_status st = LEAT_OK;
  if (!m) {
    if (!g->who[GUARD_GOOD].m) return lt_fail(err, LEAT_E_NOT_FOUND, "there is no certified last-good model yet");
    (void)lt_guard_copy(g, GUARD_LIVE, GUARD_GOOD);
    g->who[GUARD_LIVE].origin = g->who[GUARD_GOOD].row;
  } else {
    if (!lt_online_same_kind(m, live) || m->n_dense != live->n_dense ||
        m->n_slots != live->n_slots || m->hash_bits != live->hash_bits || m->n_classes > live->n_classes)
      return lt_fail(err, LEAT_E_ARG, "the model is of another shape than the live one: learner, columns, hash_bits or classes differ");
    st = lt_online_copy(m, &grown, err);
    while (!st && grown->n_classes < live->n_classes) st = lt_online_add_class(grown, err);
    if (!st) lt_online_assign(live, grown);
    lt_online_free(grown);
    if (st) return st;
    lt_guard_disturbed(g);
    g->who[GUARD_LIVE].origin = g->o->learned;
  }
  g->who[GUARD_LIVE].row = g->o->learned;
  g->bad = g->warned = 0;
  lt_adwin_init(&g->adwin, 1, 1);
  lt_adwin_init(&g->plain, 1, 1);
  lt_guard_policy_calm(g);
  lt_guard_drop(g, GUARD_NEXT);
  lt_guard_drop(g, GUARD_FRESH);
  lt_guard_drop(g, GUARD_DEPOSED);
  lt_guard_reset_evidence(g);
  return LEAT_OK;
}

/* ---------------------------------------------------------------------------------------------- rows */

/* How many of the k rows from `from` go together: none without a label, no new class; their labels and weights. 0: the first
 * is one of those. */
static int64_t guard_alike(lt_guard *g, const lt_rows *v, int64_t from, int64_t k) {
  const lt_online_trainer *o = g->o;
  for (int64_t i = 0; i < k; i++) {
    double y = lt_online_label(o, v, from + i);
    if (!isnan(y) && o->labels) y = (double)o->map[(int64_t)y];
    if (isnan(y) || (!o->m->regression && (y < 0 || y >= (double)o->m->n_classes))) return i;
  }
  return k;
}

static void guard_show(const lt_guard_call *c, int64_t row, const double *p, int64_t n) {
  if (c->pred) lt_online_show(p, n, c->pred + row * c->pred_stride, c->pred_stride);
}

/* Rows [at, at + k) of the call, all of known classes. shown: their predictions were made already. */
static leat_status guard_rows(lt_guard *g, const lt_guard_call *c, int64_t at, int64_t k, const double *shown, int64_t n_shown,
                              leat_error *err) {
  lt_online_trainer *o = g->o;
  lt_contest *t = &g->contest;
  leat_status st = lt_guard_tracks(g, err);
  if (!st) st = lt_contest_encode(t, o, c->rows, c->from + at, k, err);
  if (st) return st;
  for (int64_t i = 0; i < k; i++) {
    t->y[i] = lt_online_label(o, c->rows, c->from + at + i);
    if (o->labels) t->y[i] = (double)o->map[(int64_t)t->y[i]];
    t->w[i] = lt_online_weight(o, c->rows, c->from + at + i);
  }
  t->n_who = 0;
  for (int i = GUARD_LIVE; i <= GUARD_DEPOSED; i++) {
    if (!guard_model(g, i) || (i != GUARD_LIVE && (!g->on || g->who[i].resting))) continue;
    g->seat[t->n_who] = i;
    t->who[t->n_who].m = guard_model(g, i);
    t->who[t->n_who].wants = g->on && i == GUARD_LIVE && (o->m->learners & (o->m->learners - 1));
    t->who[t->n_who++].rates = i == GUARD_LIVE ? &o->rates : &g->who[i].rates;
  }
  st = lt_contest_ready(t, err);
  if (!st) st = lt_contest_run(t, err);
  if (st) return st;
  int64_t outs = o->m->n_models;
  for (int64_t i = 0; i < k; i++) {
    const double *p = t->who[0].p + i * outs;
    if (!shown) guard_show(c, at + i, p, outs);
    if (c->served) lt_online_score(o, c->served + (at + i) * c->n_served, c->n_served, t->y[i], t->w[i]);
    else lt_online_score(o, shown ? shown : p, shown ? n_shown : outs, t->y[i], t->w[i]);
    lt_online_golden(o, c->rows, c->from + at + i);
    if (t->w[i] > 0) lt_derive_observe(o->encoder, o->bind, c->rows, c->from + at + i);
    o->learned++;
  }
  if (!g->on) return LEAT_OK;
  lt_guard_touched(g);
  lt_guard_rows(g);
  for (int64_t i = 0; i < t->n_who; i++) {
    if (t->who[i].rescaled) lt_guard_strange(g, g->seat[i]);
    if (!t->who[i].bad) continue;
    if (i == 0) g->bad = 1;
    else lt_guard_drop(g, g->seat[i]);
  }
  return LEAT_OK;
}

/* A row that has no label, or one of a new class. */
static leat_status guard_odd(lt_guard *g, const lt_guard_call *c, int64_t at, leat_error *err) {
  lt_online_trainer *o = g->o;
  double y = lt_online_label(o, c->rows, c->from + at);
  leat_status st = lt_online_reserve(o, c->rows, err);
  if (st) return st;
  int64_t outs = o->m->n_models;
  double *p = lt_array(g->rt, (uint64_t)outs, sizeof *p);
  if (!p) return lt_fail_memory(err, (uint64_t)outs * sizeof *p, "a prediction");
  lt_online_look(o, c->rows, c->from + at);
  lt_online_link(o->m, o->mixed, p);
  guard_show(c, at, p, outs);
  if (!isnan(y)) {
    st = lt_online_code(o, &y, err);
    if (!st) st = lt_guard_add_classes(g, (int64_t)y + 1, err);
    if (!st) st = guard_rows(g, c, at, 1, p, outs, err);
  }
  lt_free(g->rt, p);
  return st;
}

leat_status lt_guard_learn(lt_guard *g, const lt_guard_call *c, int64_t *done, leat_error *err) {
  lt_online_trainer *o = g->o;
  leat_status st = LEAT_OK;
  *done = 0;
  g->n_events = g->next_event = 0;
  g->window_end = 0;
  if (g->due) { /* memory failed in the last call */
    st = lt_guard_decide(g, err);
    if (st || g->n_events || g->window_end) return st;
  }
  while (*done < c->n) {
    int64_t left = LT_GUARD_BLOCK - o->learned % LT_GUARD_BLOCK, k = c->n - *done < left ? c->n - *done : left;
    int64_t before = o->learned, fit = lt_derive_until(o->encoder);
    if (k > fit) k = fit; /* the rows behind it are encoded in another way */
    k = guard_alike(g, c->rows, c->from + *done, k);
    st = k ? guard_rows(g, c, *done, k, NULL, 0, err) : guard_odd(g, c, *done, err);
    if (st) return st;
    *done += k ? k : 1;
    if (o->learned == before || o->learned % LT_GUARD_BLOCK) continue;
    g->due = 1;
    st = lt_guard_decide(g, err);
    if (st || g->n_events || g->window_end) return st;
  }
  return LEAT_OK;
}
