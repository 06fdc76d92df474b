/* An endpoint's cells, its loans, and the swap. */
#include "lifecycle/endpoint_inner.h"
#include "base/latency.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const lt_param_def endpoint_defs[] = {
    {"stages", LEAT_PARAM_TEXT, "production,testing,newest", 0, 512, NULL,
     "What is served: the first of these stages that shows a version; newest: the newest version of all.", 1},
    {"predictors", LEAT_PARAM_I64, "16", 1, 4096, NULL,
     "Predictors made with each version, which is how many loans at a time cost no allocation.", 1},
    {"max_rows", LEAT_PARAM_I64, "256", 1, 16777216, NULL, "Rows of one call for which predictors have room.", 1},
    {"keep_previous", LEAT_PARAM_BOOL, "true", 0, 0, NULL,
     "Keep the version before in memory, so that going back loads nothing.", 1},
    {"scores", LEAT_PARAM_BOOL, "false", 0, 0, NULL,
     "Predictions that are noted under a key wait for their labels also while no trial is running.", 1},
    {"score_notes", LEAT_PARAM_I64, "8192", 64, 1048576, NULL, "Notes that have room between two refreshes.", 1},
    {"score_waiting", LEAT_PARAM_I64, "1000000", 1, 100000000, NULL,
     "Predictions that wait for labels at most (and 256 MiB).", 1},
    {"score_delay", LEAT_PARAM_F64, "604800", 0.001, 1e9, NULL, "Seconds that they wait at most.", 1},
};
const lt_spec lt_spec_endpoint = {"endpoint", "Serving a store's version.", endpoint_defs,
                                  (int64_t)(sizeof endpoint_defs / sizeof endpoint_defs[0])};

/* ---------------------------------------------------------------------------------------------- life */

static leat_status endpoint_stages(leat_endpoint *e, const char *text, leat_error *err) {
  while (*text) {
    size_t n = strcspn(text, ",");
    if (n == 0 || n >= sizeof e->stage[0] || e->n_stages == ENDPOINT_STAGES)
      return lt_fail(err, LEAT_E_ARG,
                     "stages is '%.200s': it takes up to %d names of up to 63 characters with commas between",
                     lt_param_str(e->settings, "stages"), ENDPOINT_STAGES);
    memcpy(e->stage[e->n_stages++], text, n);
    text += n + (text[n] == ',');
  }
  if (e->n_stages == 0) return lt_fail(err, LEAT_E_ARG, "stages is empty: name a stage to serve, for instance production");
  return LEAT_OK;
}

static void cell_empty(leat_endpoint *e, endpoint_cell *c) {
  for (int64_t i = 0; c->predictor && i < e->n_predictors; i++) lt_predictor_free(c->predictor[i]);
  lt_free(e->rt, c->predictor);
  lt_free(e->rt, c->busy);
  lt_model_free(c->model);
  c->predictor = NULL;
  c->busy = NULL;
  c->model = NULL;
  c->version = c->serial = 0;
}

leat_status lt_endpoint_open(leat_store *s, const leat_params *p, leat_endpoint **out, leat_error *err) {
  leat_runtime *rt = lt_folder_runtime(s);
  int64_t swapped;
  *out = NULL;
  if (p && lt_params_spec(p) != &lt_spec_endpoint)
    return lt_fail(err, LEAT_E_ARG, "parameters of '%.60s' are not an endpoint's: make them for \"endpoint\"",
                   lt_params_spec(p)->name);
  leat_endpoint *e = lt_zalloc(rt, sizeof *e);
  if (!e) return lt_fail_memory(err, sizeof *e, "an endpoint");
  int no_lock = lt_mutex_init(&e->lock), no_score_lock = lt_mutex_init(&e->score_lock);
  if (no_lock || no_score_lock) {
    if (!no_lock) lt_mutex_destroy(&e->lock);
    if (!no_score_lock) lt_mutex_destroy(&e->score_lock);
    lt_free(rt, e);
    return lt_fail(err, LEAT_E_MEMORY, "no mutex for an endpoint");
  }
  lt_folder_ref(s);
  e->rt = rt;
  e->s = s;
  e->candidate = e->current = e->previous = e->generation = e->failed_generation = -1;
  e->told.struct_size = sizeof e->told;
  e->trial_told.struct_size = sizeof e->trial_told;
  leat_status st = p ? lt_params_copy(p, &e->settings, err) : lt_params_create(rt, &lt_spec_endpoint, &e->settings, err);
  if (!st) st = endpoint_stages(e, lt_param_str(e->settings, "stages"), err);
  if (!st) e->n_predictors = lt_param_int(e->settings, "predictors");
  if (!st)
    st = lt_scores_create(rt, lt_param_int(e->settings, "score_waiting"),
                          (int64_t)(lt_param_real(e->settings, "score_delay") * 1e9),
                          lt_param_int(e->settings, "score_notes"), &e->scores, err);
  if (!st) {
    st = lt_endpoint_refresh(e, &swapped, err);
    if (st && e->told.failed_version) st = LEAT_OK; /* nothing fit to serve yet: the state says why */
  }
  if (st) lt_endpoint_free(e);
  else *out = e;
  return st;
}

void lt_endpoint_free(leat_endpoint *e) {
  if (!e) return;
  leat_runtime *rt = e->rt;
  leat_store *s = e->s;
  for (int i = 0; i < ENDPOINT_CELLS; i++) cell_empty(e, &e->cell[i]);
  lt_params_free(e->settings);
  lt_scores_free(e->scores);
  lt_mutex_destroy(&e->score_lock);
  lt_mutex_destroy(&e->lock);
  lt_free(rt, e);
  lt_folder_free(s); /* last: it holds the runtime */
}

/* ---------------------------------------------------------------------------------------------- loans */

/* A predictor of the cell that is free; threads begin to look at different places. */
static leat_predictor *cell_take(const leat_endpoint *e, endpoint_cell *c, int64_t *place) {
  int64_t n = e->n_predictors, from = (int64_t)(((uintptr_t)&place >> 12) * 0x9e3779b97f4a7c15u >> 40) % n;
  for (int64_t k = 0; k < n; k++) {
    int64_t i = (from + k) % n, free_one = 0;
    if (__atomic_load_n(&c->busy[i], __ATOMIC_RELAXED) == 0 &&
        __atomic_compare_exchange_n(&c->busy[i], &free_one, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
      *place = i;
      return c->predictor[i];
    }
  }
  return NULL;
}

int64_t lt_endpoint_enter(leat_endpoint *e, const int64_t *which) {
  for (;;) {
    int64_t at = __atomic_load_n(which, __ATOMIC_SEQ_CST);
    if (at < 0) return -1;
    __atomic_fetch_add(&e->cell[at].users, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(which, __ATOMIC_SEQ_CST) == at) return at;
    __atomic_fetch_sub(&e->cell[at].users, 1, __ATOMIC_SEQ_CST);
  }
}

leat_status lt_endpoint_acquire(leat_endpoint *e, leat_lease *out, leat_error *err) {
  int64_t at = lt_endpoint_enter(e, &e->current);
  memset(out, 0, sizeof *out);
  if (at < 0)
    return lt_fail(err, LEAT_E_STATE, "there is nothing to serve yet: the store %.300s shows no version that loads",
                   lt_folder_path(e->s));
  return lt_endpoint_lend(e, at, out, err);
}

leat_status lt_endpoint_lend(leat_endpoint *e, int64_t at, leat_lease *out, leat_error *err) {
  int64_t place = ENDPOINT_EXTRA;
  endpoint_cell *c = &e->cell[at];
  memset(out, 0, sizeof *out);
  out->predictor = cell_take(e, c, &place);
  if (!out->predictor) { /* more at a time than `predictors` */
    leat_status st = lt_predictor_create(c->model, NULL, NULL, &out->predictor, err);
    if (st) {
      __atomic_fetch_sub(&c->users, 1, __ATOMIC_SEQ_CST);
      memset(out, 0, sizeof *out);
      return st;
    }
  }
  out->struct_size = sizeof *out;
  out->model = c->model;
  out->version = c->version;
  out->serial = __atomic_load_n(&c->serial, __ATOMIC_RELAXED);
  out->place = at << 16 | place;
  return LEAT_OK;
}

void lt_endpoint_release(leat_endpoint *e, const leat_lease *lease) {
  if (!lease->predictor) return;
  endpoint_cell *c = &e->cell[(lease->place >> 16) & (ENDPOINT_CELLS - 1)];
  int64_t place = lease->place & ENDPOINT_EXTRA;
  if (place == ENDPOINT_EXTRA) lt_predictor_free(lease->predictor);
  else __atomic_store_n(&c->busy[place], 0, __ATOMIC_RELEASE);
  __atomic_fetch_sub(&c->users, 1, __ATOMIC_SEQ_CST);
}

/* ---------------------------------------------------------------------------------------------- a version */

/* The golden rows through every predictor: pages are touched, and what the package promised comes out here too. */
static leat_status cell_warm(const endpoint_cell *c, leat_predictor *q, leat_error *err) {
  int64_t in, n_out;
  const leat_batch *golden = lt_model_golden_rows(c->model);
  leat_status st = lt_predictor_shape(q, &in, &n_out, err);
  if (st || !golden) return st;
  lt_rows v;
  lt_batch_rows(golden, &v);
  leat_runtime *rt = lt_model_runtime(c->model);
  double *y = lt_array(rt, (uint64_t)(v.n * n_out), sizeof *y);
  if (!y) return lt_fail_memory(err, (uint64_t)(v.n * n_out) * sizeof *y, "the self-test");
  leat_matrix out = {.struct_size = sizeof out, .data = y, .rows = v.n, .cols = n_out, .dtype = LEAT_F64};
  st = lt_predictor_run_batch(q, golden, &out, err);
  for (int64_t i = 0; !st && i < v.n * n_out; i++)
    if (!isfinite(y[i])) st = lt_fail(err, LEAT_E_NUMERIC, "the self-test gave a number that is not finite at row %lld",
                                      (long long)(i / n_out + 1));
  lt_free(rt, y);
  return st;
}

static leat_status cell_fill(leat_endpoint *e, endpoint_cell *c, int64_t version, leat_error *err) {
  uint64_t n = (uint64_t)e->n_predictors;
  leat_status st = lt_folder_load(e->s, version, &c->model, err);
  if (st) return st;
  c->predictor = lt_zarray(e->rt, n, sizeof *c->predictor);
  c->busy = lt_zarray(e->rt, n, sizeof *c->busy);
  if (!c->predictor || !c->busy) st = lt_fail_memory(err, n * 16, "an endpoint's predictors");
  for (uint64_t i = 0; i < n && !st; i++) {
    st = lt_predictor_create(c->model, NULL, NULL, &c->predictor[i], err);
    if (!st) st = lt_predictor_reserve(c->predictor[i], lt_param_int(e->settings, "max_rows"), err);
    if (!st) st = cell_warm(c, c->predictor[i], err);
  }
  if (st) cell_empty(e, c);
  else c->version = version;
  return st;
}

/* Empties what nobody needs any more; the previous version stays when it is to be kept. */
static void endpoint_sweep(leat_endpoint *e) {
  for (int64_t i = 0; i < ENDPOINT_CELLS; i++) {
    endpoint_cell *c = &e->cell[i];
    if (!c->version || i == e->current || i == e->previous || i == e->candidate) continue;
    if (__atomic_load_n(&c->users, __ATOMIC_SEQ_CST) == 0) cell_empty(e, c);
  }
}

/* A cell with the version in it: one that has it still, or an empty one, filled. */
leat_status lt_endpoint_cell_of(leat_endpoint *e, int64_t version, int64_t *at, leat_error *err) {
  *at = -1;
  for (int64_t i = 0; i < ENDPOINT_CELLS; i++)
    if (e->cell[i].version == version) *at = i;
  if (*at >= 0) return LEAT_OK;
  endpoint_sweep(e);
  for (int64_t i = 0; i < ENDPOINT_CELLS; i++)
    if (!e->cell[i].version && i != e->current && i != e->candidate) *at = i;
  if (*at < 0)
    return lt_fail(err, LEAT_E_BUSY, "%d versions are on loan at once: give leases back, then refresh again",
                   ENDPOINT_CELLS);
  const lt_timing *t = lt_runtime_timing(e->rt);
  int64_t begun = lt_monotonic_ns(e->rt), timed = lt_timing_begin(t);
  leat_status st = cell_fill(e, &e->cell[*at], version, err);
  e->told.load_ns = lt_monotonic_ns(e->rt) - begun;
  if (!st) lt_timing_end(t, LEAT_LATENCY_SWAP, timed);
  return st;
}

static void endpoint_failed(leat_endpoint *e, int64_t version, leat_status st, const leat_error *why) {
  e->told.failures++;
  e->told.failed_version = version;
  e->failed_generation = e->generation;
  e->again = st == LEAT_E_IO || st == LEAT_E_MEMORY || st == LEAT_E_BUSY || st == LEAT_E_NOT_FOUND;
  snprintf(e->told.failure, sizeof e->told.failure, "version %lld: %.480s", (long long)version, why->message);
  lt_log(e->rt, LEAT_LOG_WARN, "endpoint: %s", e->told.failure);
}

/* Loads, tests, warms up, and then the one store that every later loan sees. */
static leat_status endpoint_swap(leat_endpoint *e, int64_t version, const char *stage, int64_t *swapped, leat_error *err) {
  leat_error why = {.struct_size = sizeof why};
  int64_t at, old = e->current;
  if (old >= 0 && e->cell[old].version == version) {
    snprintf(e->told.stage, sizeof e->told.stage, "%s", stage);
    e->told.failed_version = 0;
    e->told.failure[0] = 0;
    return LEAT_OK;
  }
  leat_status st = lt_endpoint_cell_of(e, version, &at, &why);
  if (!st && lt_param_int(e->settings, "scores")) st = lt_endpoint_known(e, &e->cell[at], &why);
  if (st) {
    endpoint_failed(e, version, st, &why);
    return lt_fail(err, st, "%.450s", why.message);
  }
  /* it may be on loan still, from the last time it was current */
  __atomic_store_n(&e->cell[at].serial, ++e->serial, __ATOMIC_RELAXED);
  __atomic_store_n(&e->current, at, __ATOMIC_SEQ_CST);
  e->previous = lt_param_int(e->settings, "keep_previous") ? old : -1;
  endpoint_sweep(e);
  snprintf(e->told.stage, sizeof e->told.stage, "%s", stage);
  e->told.previous_version = old >= 0 ? e->told.version : 0;
  e->told.version = version;
  e->told.serial = e->serial;
  e->told.since_ns = lt_now_ns(e->rt);
  e->told.failed_version = 0;
  e->told.failure[0] = 0;
  *swapped = 1;
  lt_log(e->rt, LEAT_LOG_INFO, "endpoint: version %lld (%s) is served", (long long)version, stage);
  return LEAT_OK;
}

/* ---------------------------------------------------------------------------------------------- following */

static leat_status newest_version(leat_endpoint *e, int64_t behind, int64_t *version, leat_error *err) {
  leat_version_info info;
  int64_t n = 0;
  leat_status st = lt_folder_count(e->s, &n, err);
  *version = 0;
  if (!st && n <= behind) return lt_fail(err, LEAT_E_NOT_FOUND, "the store has no such version");
  if (!st) st = lt_folder_at(e->s, n - 1 - behind, &info, err);
  if (!st) *version = info.version;
  return st;
}

static leat_status stage_version(leat_endpoint *e, const char *stage, int64_t *version, leat_error *err) {
  return strcmp(stage, "newest") == 0 ? newest_version(e, 0, version, err) : lt_folder_stage(e->s, stage, version, err);
}

/* Nothing is served and what should be does not load: the other stages, what production was before, older versions. */
static leat_status endpoint_anything(leat_endpoint *e, int64_t *swapped, leat_error *err) {
  int64_t version, tried[ENDPOINT_STAGES + 1 + ENDPOINT_TRIES], n = 0;
  char why[sizeof e->told.failure];
  int64_t failed = e->told.failed_version;
  memcpy(why, e->told.failure, sizeof why);
  for (int64_t i = 0; i < e->n_stages + 1 + ENDPOINT_TRIES; i++) {
    const char *stage = i < e->n_stages ? e->stage[i] : i == e->n_stages ? "previous" : "newest";
    leat_status st = i <= e->n_stages ? stage_version(e, stage, &version, NULL)
                                      : newest_version(e, i - e->n_stages - 1, &version, NULL);
    int seen = version == failed;
    for (int64_t k = 0; k < n; k++) seen |= tried[k] == version;
    if (st || seen) continue;
    tried[n++] = version;
    if (endpoint_swap(e, version, stage, swapped, NULL) == LEAT_OK) break;
  }
  e->told.failed_version = failed; /* what should be served is still this one */
  memcpy(e->told.failure, why, sizeof why);
  return *swapped ? LEAT_OK : lt_fail(err, LEAT_E_FORMAT, "no version can be served: %.400s", why);
}

leat_status lt_endpoint_follow(leat_endpoint *e, int64_t *swapped, leat_error *err) {
  int64_t generation = 0, version = 0;
  leat_status st = lt_folder_generation(e->s, &generation, err);
  if (st) return st;
  if (generation == e->generation && !(e->again && e->failed_generation == generation)) return LEAT_OK;
  e->generation = generation;
  e->told.generation = generation;
  for (int64_t i = 0; i < e->n_stages; i++) {
    st = stage_version(e, e->stage[i], &version, err);
    if (st == LEAT_E_NOT_FOUND) continue;
    if (st) e->generation = -1; /* the store could not be read: look again */
    else st = endpoint_swap(e, version, e->stage[i], swapped, err);
    break;
  }
  if (st == LEAT_E_NOT_FOUND && version == 0) return LEAT_OK; /* no stage shows anything: what is served stays */
  if (st && e->current < 0 && e->told.failed_version) return endpoint_anything(e, swapped, err);
  return st;
}

/* What get_state tells: looking must not wait for a version that is being loaded. */
void lt_endpoint_show(leat_endpoint *e) {
  int64_t resident = 0;
  for (int i = 0; i < ENDPOINT_CELLS; i++) resident += e->cell[i].version != 0;
  lt_mutex_lock(&e->score_lock);
  e->shown = e->told;
  e->shown.resident = resident;
  lt_mutex_unlock(&e->score_lock);
}

leat_status lt_endpoint_refresh(leat_endpoint *e, int64_t *swapped, leat_error *err) {
  *swapped = 0;
  lt_mutex_lock(&e->lock);
  leat_status st = lt_endpoint_follow(e, swapped, err);
  leat_status tried = lt_endpoint_trial_follow(e, swapped, st ? NULL : err);
  endpoint_sweep(e);
  lt_endpoint_show(e);
  lt_mutex_unlock(&e->lock);
  return st ? st : tried;
}

void lt_endpoint_get_state(leat_endpoint *e, leat_endpoint_state *out) {
  lt_mutex_lock(&e->score_lock);
  *out = e->shown;
  lt_mutex_unlock(&e->score_lock);
  out->leases = 0;
  for (int i = 0; i < ENDPOINT_CELLS; i++) out->leases += __atomic_load_n(&e->cell[i].users, __ATOMIC_RELAXED);
}
