/* A candidate beside what an endpoint serves: loans for keys, notes, labels, and the steps. The gates are in trial.c, the labels in
 * scores.c. Who predicts takes no lock: the candidate is a cell like the current one, and who answers a key is a comparison of
 * its hash with the share. */
#include "base/hash.h"
#include "base/number.h"
#include "lifecycle/endpoint_inner.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static int trial_runs(const leat_endpoint *e) {
  return e->trial_told.phase == LEAT_TRIAL_SHADOW || e->trial_told.phase == LEAT_TRIAL_CANARY;
}

static uint64_t part_of_hashes(double share) {
  return share >= 1 ? UINT64_MAX : (uint64_t)(share * 18446744073709551616.0);
}

static int hash_is_below(uint64_t hash, uint64_t limit) { return hash < limit || limit == UINT64_MAX; }

/* ---------------------------------------------------------------------------------------------- loans */

static void cell_leave(leat_endpoint *e, int64_t at) { __atomic_fetch_sub(&e->cell[at].users, 1, __ATOMIC_SEQ_CST); }

leat_status lt_endpoint_acquire_key(leat_endpoint *e, const void *key, uint64_t key_size, leat_lease *served, leat_lease *beside,
                                    leat_error *err) {
  memset(beside, 0, sizeof *beside);
  int64_t c = lt_endpoint_enter(e, &e->candidate);
  if (c < 0) return lt_endpoint_acquire(e, served, err);
  uint64_t salt = (uint64_t)e->cell[c].version;
  int answers = hash_is_below(lt_hash64(key, key_size, salt), __atomic_load_n(&e->share, __ATOMIC_RELAXED));
  int both = hash_is_below(lt_hash64(key, key_size, ~salt), __atomic_load_n(&e->sample, __ATOMIC_RELAXED));
  int64_t p = lt_endpoint_enter(e, &e->current);
  leat_status st = LEAT_OK;
  if (p < 0 || p == c || (!answers && !both)) { /* p is c: it has just been promoted */
    cell_leave(e, c);
    if (p >= 0) return lt_endpoint_lend(e, p, served, err);
    memset(served, 0, sizeof *served);
    return lt_fail(err, LEAT_E_STATE, "there is nothing to serve yet: the store %.300s shows no version that loads",
                   lt_folder_path(e->s));
  }
  if (answers && !both) cell_leave(e, p);
  st = lt_endpoint_lend(e, answers ? c : p, served, err);
  if (!both) {
    if (!st) served->flags = LEAT_LEASE_CANDIDATE;
    return st;
  }
  if (st) cell_leave(e, answers ? p : c);
  else if ((st = lt_endpoint_lend(e, answers ? p : c, beside, err)) != 0) {
    lt_endpoint_release(e, served);
    memset(served, 0, sizeof *served);
  }
  if (!st) *(answers ? &served->flags : &beside->flags) = LEAT_LEASE_CANDIDATE;
  return st;
}

/* ---------------------------------------------------------------------------------------------- notes and labels */

static int all_finite(const double *p, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!isfinite(p[i])) return 0;
  return 1;
}

void lt_endpoint_note(leat_endpoint *e, const leat_noted *note) {
  const leat_lease *lease[2] = {note->served, note->beside && note->beside->predictor ? note->beside : NULL};
  lt_note n = {.p = {note->p, note->q}, .candidate = -1};
  int bad = 0;
  if (__atomic_load_n(&e->candidate, __ATOMIC_RELAXED) < 0 && !lt_param_int(e->settings, "scores")) return;
  for (int i = 0; i < 2 && lease[i]; i++) {
    int64_t outs = lt_model_outputs(lease[i]->model);
    int fine = n.p[i] && all_finite(n.p[i], outs);
    n.version[i] = lease[i]->version;
    n.n[i] = fine ? outs : 0;
    if (!(lease[i]->flags & LEAT_LEASE_CANDIDATE)) continue;
    n.candidate = i;
    bad |= !fine;
  }
  if (bad) { /* from now on it answers nobody; the next refresh ends the trial */
    __atomic_store_n(&e->trial_bad, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&e->share, 0, __ATOMIC_RELAXED);
  }
  lt_hash128(note->key, note->key_size, n.key);
  n.time_ns = lt_now_ns(e->rt);
  (void)lt_scores_note(e->scores, &n);
}

leat_status lt_endpoint_label(leat_endpoint *e, const void *key, uint64_t key_size, const char *label, uint64_t size,
                              int64_t *matched, leat_error *err) {
  uint64_t hash[2];
  lt_hash128(key, key_size, hash);
  lt_mutex_lock(&e->score_lock);
  const int64_t pair[2] = {e->trial_told.version, e->trial_told.against};
  leat_status st = lt_scores_label(e->scores, hash, label, size, trial_runs(e) ? &e->trial : NULL, pair, matched, err);
  lt_mutex_unlock(&e->score_lock);
  return st;
}

void lt_endpoint_get_scores(leat_endpoint *e, leat_score_state *out) {
  lt_mutex_lock(&e->score_lock);
  (void)lt_scores_drain(e->scores, NULL);
  lt_scores_get_state(e->scores, out);
  lt_mutex_unlock(&e->score_lock);
}

void lt_endpoint_get_trial(leat_endpoint *e, leat_trial_state *out) {
  const lt_trial *t = &e->trial;
  lt_mutex_lock(&e->score_lock);
  *out = e->trial_told;
  if (out->phase) {
    double n = t->labels > 0 ? (double)t->labels : NAN;
    out->step = t->step;
    out->steps = t->steps;
    out->automatic = t->automatic;
    out->share = trial_runs(e) ? lt_trial_share(t) : 0;
    out->labels = t->labels;
    out->step_labels = t->step_labels;
    out->answered = t->answered;
    out->loss = t->loss / n;
    out->against_loss = t->against_loss / n;
    out->no_worse = lt_evidence_wealth(&t->better);
    out->worse = lt_evidence_wealth(&t->worse);
    out->evidence = t->evidence;
    out->caution = t->caution;
    out->alarm = t->alarm;
  }
  lt_mutex_unlock(&e->score_lock);
}

leat_status lt_endpoint_known(leat_endpoint *e, const endpoint_cell *c, leat_error *err) {
  lt_mutex_lock(&e->score_lock);
  leat_status st = lt_scores_know(e->scores, c->model, c->version, lt_model_outputs(c->model), err);
  lt_mutex_unlock(&e->score_lock);
  return st;
}

/* ---------------------------------------------------------------------------------------------- steps */

/* What happened goes into the store's history, and into the state. A store that cannot be written does not keep a trial from
 * ending. */
static void trial_say(leat_endpoint *e, const char *name, const char *text) {
  leat_event event = {.struct_size = sizeof event, .kind = LEAT_EVENT_TRIAL, .version = e->trial_told.version};
  leat_error why = {.struct_size = sizeof why};
  event.row = e->trial.labels;
  event.value = trial_runs(e) ? lt_trial_share(&e->trial) : e->trial_told.phase == LEAT_TRIAL_PROMOTED;
  snprintf(event.name, sizeof event.name, "%s", name);
  snprintf(event.text, sizeof event.text, "%s", text);
  lt_mutex_lock(&e->score_lock);
  snprintf(e->trial_told.text, sizeof e->trial_told.text, "%s: %.240s", name, text);
  lt_mutex_unlock(&e->score_lock);
  lt_log(e->rt, LEAT_LOG_INFO, "trial of version %lld: %s: %.300s", (long long)event.version, name, text);
  if (lt_folder_read_only(e->s) || lt_folder_note(e->s, &event, &why) == LEAT_OK) return;
  lt_log(e->rt, LEAT_LOG_WARN, "trial of version %lld: not in the history: %.300s", (long long)event.version, why.message);
}

static void trial_finish(leat_endpoint *e, leat_trial_phase phase, const char *text) {
  __atomic_store_n(&e->candidate, -1, __ATOMIC_SEQ_CST);
  __atomic_store_n(&e->share, 0, __ATOMIC_RELAXED);
  lt_mutex_lock(&e->score_lock);
  e->trial_told.phase = phase;
  lt_mutex_unlock(&e->score_lock);
  trial_say(e, phase == LEAT_TRIAL_PROMOTED ? "promoted" : "aborted", text);
}

static void trial_move(leat_endpoint *e, lt_trial_verdict v, const char *text) {
  lt_mutex_lock(&e->score_lock);
  lt_trial_step(&e->trial, v);
  e->trial_told.phase = e->trial.step ? LEAT_TRIAL_CANARY : LEAT_TRIAL_SHADOW;
  double share = lt_trial_share(&e->trial);
  lt_mutex_unlock(&e->score_lock);
  if (!__atomic_load_n(&e->trial_bad, __ATOMIC_RELAXED)) __atomic_store_n(&e->share, part_of_hashes(share), __ATOMIC_RELAXED);
  trial_say(e, v == LT_TRIAL_FORWARD ? "forward" : "back", text);
}

/* The stage that is served; where that is "newest" or a way out, production, when it is among those that are followed. */
static const char *trial_stage(const leat_endpoint *e) {
  for (int64_t i = 0; i < e->n_stages; i++)
    if (strcmp(e->stage[i], e->told.stage) == 0 && strcmp(e->told.stage, "newest") != 0) return e->stage[i];
  for (int64_t i = 0; i < e->n_stages; i++)
    if (strcmp(e->stage[i], "production") == 0) return e->stage[i];
  return NULL;
}

/* One record in the store, and the endpoint's own swap, which finds the version in its cell. */
static leat_status trial_promote(leat_endpoint *e, const char *text, int64_t *swapped, leat_error *err) {
  const char *stage = trial_stage(e);
  if (!stage)
    return lt_fail(err, LEAT_E_STATE, "nothing can be promoted: this endpoint serves neither a stage nor production");
  leat_status st = lt_endpoint_follow(e, swapped, err);
  if (!st && e->told.version != e->trial_told.against)
    st = lt_fail(err, LEAT_E_STATE, "version %lld is served now, and the trial was against version %lld", (long long)e->told.version,
                 (long long)e->trial_told.against);
  if (!st) st = lt_folder_promote(e->s, e->trial_told.version, stage, e->generation, NULL, err);
  if (!st) st = lt_endpoint_follow(e, swapped, err);
  if (!st && e->told.version == e->trial_told.version) trial_finish(e, LEAT_TRIAL_PROMOTED, text);
  return st;
}

/* A promotion that cannot be made is not tried again and again. */
static leat_status trial_promote_itself(leat_endpoint *e, const char *text, int64_t *swapped, leat_error *err) {
  leat_error why = {.struct_size = sizeof why};
  int64_t generation = e->generation;
  leat_status st = trial_promote(e, text, swapped, &why);
  if (!st) return LEAT_OK;
  if (st == LEAT_E_STATE && !lt_folder_read_only(e->s) && lt_endpoint_follow(e, swapped, NULL) == LEAT_OK && e->generation != generation)
    return LEAT_OK; /* the store has changed in between: the next refresh sees to what */
  lt_mutex_lock(&e->score_lock);
  e->trial.automatic = 0;
  snprintf(e->trial_told.text, sizeof e->trial_told.text, "not promoted: %.230s", why.message);
  lt_mutex_unlock(&e->score_lock);
  return lt_fail(err, st, "%.450s", why.message);
}

leat_status lt_endpoint_trial_follow(leat_endpoint *e, int64_t *swapped, leat_error *err) {
  char text[256] = "";
  lt_mutex_lock(&e->score_lock);
  leat_status st = lt_scores_drain(e->scores, err);
  lt_trial_verdict v = LT_TRIAL_STAY;
  int runs = trial_runs(e);
  if (runs) {
    e->trial.bad |= __atomic_load_n(&e->trial_bad, __ATOMIC_RELAXED);
    v = lt_trial_decide(&e->trial, text, sizeof text);
  }
  lt_mutex_unlock(&e->score_lock);
  if (!runs) return st;
  if (e->told.version == e->trial_told.version) {
    trial_finish(e, LEAT_TRIAL_PROMOTED, "it was promoted from outside");
  } else if (e->told.version != e->trial_told.against) {
    snprintf(text, sizeof text, "version %lld is served now", (long long)e->told.version);
    trial_finish(e, LEAT_TRIAL_ABORTED, text);
  } else if (v == LT_TRIAL_ABORT) {
    trial_finish(e, LEAT_TRIAL_ABORTED, text);
  } else if (v == LT_TRIAL_PROMOTE) {
    leat_status did = trial_promote_itself(e, text, swapped, err);
    st = st ? st : did;
  } else if (v != LT_TRIAL_STAY) {
    trial_move(e, v, text);
  }
  return st;
}

/* ---------------------------------------------------------------------------------------------- by hand */

static leat_status trial_fits(const leat_endpoint *e, const endpoint_cell *c, leat_error *err) {
  const endpoint_cell *now = &e->cell[e->current];
  int64_t classes[2];
  leat_status st = lt_model_get_i64(c->model, "n_classes", &classes[0], err);
  if (!st) st = lt_model_get_i64(now->model, "n_classes", &classes[1], err);
  if (!st && !classes[0] != !classes[1])
    st = lt_fail(err, LEAT_E_UNSUPPORTED, "version %lld predicts %s, version %lld %s: their losses cannot be compared",
                 (long long)c->version, classes[0] ? "classes" : "numbers", (long long)now->version,
                 classes[1] ? "classes" : "numbers");
  return st;
}

static leat_status trial_candidate(leat_endpoint *e, int64_t *version, leat_error *err) {
  if (e->current < 0) return lt_fail(err, LEAT_E_STATE, "nothing is served yet that a version could be compared with");
  if (trial_runs(e))
    return lt_fail(err, LEAT_E_STATE, "a trial of version %lld is running: end it first", (long long)e->trial_told.version);
  if (*version == -1) {
    leat_status st = lt_folder_stage(e->s, "testing", version, err);
    if (st == LEAT_E_NOT_FOUND) return lt_fail(err, LEAT_E_STATE, "the stage testing shows no version: name one");
    if (st) return st;
  }
  if (*version == e->told.version)
    return lt_fail(err, LEAT_E_STATE, "version %lld is the one that is served", (long long)*version);
  return LEAT_OK;
}

static void trial_start(leat_endpoint *e, const lt_trial *t, int64_t at, int64_t version) {
  char text[96];
  lt_mutex_lock(&e->score_lock);
  e->trial = *t;
  e->trial_told = (leat_trial_state){.struct_size = sizeof e->trial_told, .version = version, .against = e->told.version,
                                     .since_ns = lt_now_ns(e->rt)};
  e->trial_told.phase = t->step ? LEAT_TRIAL_CANARY : LEAT_TRIAL_SHADOW;
  lt_mutex_unlock(&e->score_lock);
  __atomic_store_n(&e->trial_bad, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&e->sample, part_of_hashes(t->sample), __ATOMIC_RELAXED);
  __atomic_store_n(&e->share, part_of_hashes(lt_trial_share(t)), __ATOMIC_RELAXED);
  __atomic_store_n(&e->candidate, at, __ATOMIC_SEQ_CST);
  snprintf(text, sizeof text, "against version %lld", (long long)e->told.version);
  trial_say(e, "begun", text);
}

leat_status lt_endpoint_try(leat_endpoint *e, int64_t version, const leat_params *given, leat_error *err) {
  leat_params *p = NULL;
  lt_trial t;
  int64_t at = -1;
  if (given && lt_params_spec(given) != &lt_spec_trial)
    return lt_fail(err, LEAT_E_ARG, "parameters of '%.60s' are not a trial's: make them for \"trial\"", lt_params_spec(given)->name);
  leat_status st = given ? lt_params_copy(given, &p, err) : lt_params_create(e->rt, &lt_spec_trial, &p, err);
  if (!st) st = lt_trial_begin(&t, p, err);
  lt_params_free(p);
  if (st) return st;
  lt_mutex_lock(&e->lock);
  st = trial_candidate(e, &version, err);
  if (!st) st = lt_endpoint_cell_of(e, version, &at, err);
  if (!st) st = trial_fits(e, &e->cell[at], err);
  if (!st) {
    int64_t numbers = lt_model_outputs(e->cell[at].model) + lt_model_outputs(e->cell[e->current].model);
    lt_mutex_lock(&e->score_lock);
    for (int i = 0; i < 2 && !st; i++) {
      const endpoint_cell *c = &e->cell[i ? at : e->current];
      st = lt_scores_know(e->scores, c->model, c->version, numbers, err);
    }
    lt_mutex_unlock(&e->score_lock);
  }
  if (!st) trial_start(e, &t, at, version);
  lt_mutex_unlock(&e->lock);
  return st;
}

leat_status lt_endpoint_act(leat_endpoint *e, int64_t action, leat_error *err) {
  int64_t swapped = 0;
  leat_status st = LEAT_OK;
  lt_mutex_lock(&e->lock);
  const lt_trial *t = &e->trial;
  if (!trial_runs(e)) st = lt_fail(err, LEAT_E_STATE, "no trial is running");
  else if (action == LEAT_TRIAL_FORWARD && t->step < t->steps) trial_move(e, LT_TRIAL_FORWARD, "by hand");
  else if (action == LEAT_TRIAL_FORWARD) st = lt_fail(err, LEAT_E_STATE, "this is the last step: promote it");
  else if (action == LEAT_TRIAL_BACK && t->step > 0) trial_move(e, LT_TRIAL_BACK, "by hand");
  else if (action == LEAT_TRIAL_BACK) st = lt_fail(err, LEAT_E_STATE, "this is the first step: abort it");
  else if (action == LEAT_TRIAL_ABORT) trial_finish(e, LEAT_TRIAL_ABORTED, "by hand");
  else if (action == LEAT_TRIAL_PROMOTE) st = trial_promote(e, "by hand", &swapped, err);
  else st = lt_fail(err, LEAT_E_ARG, "action %lld: 1 forward, 2 back, 3 abort, 4 promote", (long long)action);
  lt_endpoint_show(e);
  lt_mutex_unlock(&e->lock);
  return st;
}
