/* The learner's checkpoints: sealed files learner/c-SEQUENCE.leat of kind "LRNR". See docs/formats.md. */
#include "lifecycle/learner_inner.h"
#include <stdio.h>
#include <string.h>

enum { STATE_VERSION = 1 };
static const char *const sections[] = {"settings", "schemas", "learner", "gate", "guard", "pending"};
enum { AT_SETTINGS, AT_SCHEMAS, AT_LEARNER, AT_GATE, AT_GUARD, AT_PENDING, N_SECTIONS };

/* ---------------------------------------------------------------------------------------------- the learner's own numbers */

/* Every plain number of the state, in the order of the file. */
static int64_t *const *state_numbers(leat_learner *l, int64_t *to[32], int *n) {
  int64_t *all[] = {&l->mode, &l->seen, &l->duplicate, &l->counted, &l->unmatched, &l->expired, &l->replaced, &l->dropped,
                    &l->held, &l->events, &l->snapshots, &l->swaps, &l->rollbacks, &l->live_version, &l->good_version,
                    &l->live_row, &l->swap_row, &l->next_snapshot, &l->learned_ns, &l->suspect_until, &l->n_candidates};
  *n = (int)(sizeof all / sizeof all[0]);
  memcpy(to, all, sizeof all);
  return to;
}

static void put_learner(leat_learner *l, lt_put *w) {
  int64_t *number[32];
  int n;
  state_numbers(l, number, &n);
  lt_put_u64(w, l->applied);
  for (int i = 0; i < n; i++) lt_put_i64(w, *number[i]);
  for (int i = 0; i < LT_LN_CANDIDATES; i++) {
    lt_put_i64(w, i < l->n_candidates ? l->candidate[i] : 0);
    lt_put_i64(w, i < l->n_candidates ? l->candidate_row[i] : 0);
  }
  lt_put_f64(w, l->spike_loss);
  lt_put_f64(w, l->spike_n);
  lt_put_i64(w, lt_dict_count(l->sources));
  for (int64_t k = 0; k < lt_dict_count(l->sources); k++) {
    lt_put_text(w, lt_dict_text(l->sources, k, NULL));
    lt_put_i64(w, l->next[k]);
  }
  lt_put_u64(w, l->n_runs);
  for (uint64_t i = 0; i < l->n_runs; i++) {
    lt_put_i64(w, l->run[i].learned);
    lt_put_i64(w, l->run[i].n);
    lt_put_u64(w, l->run[i].sequence);
    lt_put_i64(w, l->run[i].index);
    lt_put_i64(w, l->run[i].step);
  }
  lt_ln_queue_save(l, w);
}

static leat_status get_sources(leat_learner *l, lt_get *g, leat_error *err) {
  uint64_t n = lt_get_count(g, 16, UINT32_MAX);
  leat_status st = LEAT_OK;
  for (uint64_t k = 0; k < n && !st && !g->failed; k++) {
    char *name = lt_get_text(g);
    int64_t next = lt_get_i64(g);
    if (next < 0) lt_get_fail(g, LEAT_E_FORMAT);
    if (name && !g->failed) st = lt_ln_advance(l, name, next, err);
    lt_free(l->rt, name);
  }
  return st;
}

static leat_status get_learner(leat_learner *l, lt_get *g, leat_error *err) {
  int64_t *number[32];
  int n;
  state_numbers(l, number, &n);
  l->applied = lt_get_u64(g);
  for (int i = 0; i < n; i++) *number[i] = lt_get_i64(g);
  for (int i = 0; i < LT_LN_CANDIDATES; i++) {
    l->candidate[i] = lt_get_i64(g);
    l->candidate_row[i] = lt_get_i64(g);
  }
  l->spike_loss = lt_get_f64(g);
  l->spike_n = lt_get_f64(g);
  if ((l->mode != LEAT_LEARNING && l->mode != LEAT_FROZEN) || l->n_candidates < 0 || l->n_candidates > LT_LN_CANDIDATES)
    lt_get_fail(g, LEAT_E_FORMAT);
  leat_status st = g->failed ? LEAT_OK : get_sources(l, g, err);
  uint64_t runs = st ? 0 : lt_get_count(g, 40, UINT32_MAX);
  if (!st && !g->failed) st = lt_grow(l->rt, (void **)&l->run, &l->run_cap, runs + 1, sizeof *l->run, err);
  for (uint64_t i = 0; i < runs && !st && !g->failed; i++) {
    lt_ln_run *r = &l->run[i];
    r->learned = lt_get_i64(g);
    r->n = lt_get_i64(g);
    r->sequence = lt_get_u64(g);
    r->index = lt_get_i64(g);
    r->step = lt_get_i64(g);
    if (r->learned < 0 || r->n < 1 || r->n > INT64_MAX - r->learned || r->index < 0 || r->step < 0 || r->step > 1)
      lt_get_fail(g, LEAT_E_FORMAT);
    l->n_runs = i + 1;
  }
  return st || g->failed ? st : lt_ln_queue_restore(l, g, err);
}

/* ---------------------------------------------------------------------------------------------- the others' */

static void put_settings(const leat_learner *l, lt_put *w) {
  lt_params_save(l->model, w);
  lt_params_save(l->settings, w);
  lt_put_text(w, l->lineage);
}

static leat_status get_settings(leat_learner *l, lt_get *g, leat_error *err) {
  leat_status st = lt_params_create(l->rt, lt_family_online.spec, &l->model, err);
  if (!st) st = lt_params_create(l->rt, &lt_spec_learner, &l->settings, err);
  if (!st) st = lt_params_load(l->model, g, err);
  if (!st) st = lt_params_load(l->settings, g, err);
  if (st) return st;
  l->lineage = lt_get_text(g);
  return g->failed ? LEAT_OK : lt_ln_parts(l, err);
}

static void put_schemas(const leat_learner *l, lt_put *w) {
  lt_put_u64(w, l->n_schemas);
  for (uint64_t i = 0; i < l->n_schemas; i++) lt_schema_save(l->schema[i].s, w);
}

static leat_status get_schemas(leat_learner *l, lt_get *g, leat_error *err) {
  uint64_t n = lt_get_count(g, 1, UINT32_MAX);
  leat_status st = LEAT_OK;
  for (uint64_t i = 0; i < n && !st && !g->failed; i++) {
    leat_schema *s = NULL;
    st = lt_schema_load(l->rt, g, &s, err);
    if (!st) st = lt_ln_schema_add(l, s, err);
    lt_schema_free(s);
  }
  return st;
}

static leat_status section_put(leat_learner *l, int which, lt_seal *seal, leat_error *err) {
  lt_put w;
  lt_put_init(&w, l->rt);
  switch (which) {
    case AT_SETTINGS: put_settings(l, &w); break;
    case AT_SCHEMAS: put_schemas(l, &w); break;
    case AT_LEARNER: put_learner(l, &w); break;
    case AT_GATE: lt_gate_save(l->gate, &w); break;
    case AT_GUARD: lt_guard_save(l->guard, &w); break;
    default: lt_pending_save(l->pending, &w);
  }
  return lt_seal_add_put(seal, sections[which], LT_SEAL_ZSTD, &w, err);
}

static leat_status section_get(leat_learner *l, int which, lt_sealed *f, leat_error *err) {
  const void *data = NULL;
  uint64_t size = 0;
  char what[64];
  lt_get g;
  leat_status st = lt_sealed_section(f, sections[which], &data, &size, err);
  if (st == LEAT_E_NOT_FOUND) st = lt_fail(err, LEAT_E_FORMAT, "the learner's checkpoint has no section '%s'", sections[which]);
  if (st) return st;
  lt_get_init(&g, l->rt, data, size);
  switch (which) {
    case AT_SETTINGS: st = get_settings(l, &g, err); break;
    case AT_SCHEMAS: st = get_schemas(l, &g, err); break;
    case AT_LEARNER: st = get_learner(l, &g, err); break;
    case AT_GATE: st = lt_gate_restore(l->gate, &g, err); break;
    case AT_GUARD: st = lt_guard_restore(l->guard, &g, err); break;
    default: st = lt_pending_restore(l->pending, &g, err);
  }
  if (st) return st;
  if (!g.failed && lt_get_left(&g) != 0) lt_get_fail(&g, LEAT_E_FORMAT);
  snprintf(what, sizeof what, "the learner's checkpoint, section '%s'", sections[which]);
  return lt_get_status(&g, what, err);
}

/* ---------------------------------------------------------------------------------------------- whole files */

static leat_status state_seal(leat_learner *l, lt_seal **out, leat_error *err) {
  lt_seal *seal = NULL;
  leat_status st = lt_seal_create(l->rt, "LRNR", STATE_VERSION, STATE_VERSION, &seal, err);
  for (int i = 0; i < N_SECTIONS && !st; i++) st = section_put(l, i, seal, err);
  if (!st && l->o->m) st = lt_online_put(l->o, seal, err);
  if (st) lt_seal_free(seal);
  else *out = seal;
  return st;
}

/* Journal and quarantine first: the checkpoint says that everything up to `applied` has been done. */
leat_status lt_ln_checkpoint(leat_learner *l, leat_error *err) {
  lt_seal *seal = NULL;
  lt_checkpoint before = {0};
  char name[64], file[80], *path = NULL;
  if (l->applied == l->checkpoint_sequence) return LEAT_OK;
  lt_ln_prune(l);
  snprintf(name, sizeof name, "c-%016llx.leat", (unsigned long long)l->applied);
  snprintf(file, sizeof file, "learner/%s", name);
  leat_status st = lt_ln_sync(l, err);
  if (!st) st = lt_ln_broken(l, lt_quarantine_sync(l->quarantine, err));
  if (!st) st = lt_ln_broken(l, lt_series_sync(l->series, err)); /* points are not made again from before a checkpoint */
  if (!st) st = state_seal(l, &seal, err);
  if (!st && !(path = lt_folder_file(l->store, file))) st = lt_fail_memory(err, 64, "a path");
  uint64_t keep = lt_ln_keep(l);
  if (!st) st = lt_seal_write(seal, path, err);
  if (!st) st = lt_folder_checkpoint(l->store, name, l->applied, keep, err);
  lt_seal_free(seal);
  lt_free(l->rt, path);
  if (st == LEAT_E_IO) l->stopped = 1;
  if (st) return st;
  l->checkpoint_sequence = l->applied;
  l->bytes_since = 0;
  /* The one before must still be good for a replay, should the new one be damaged. */
  if (lt_folder_checkpoint_at(l->store, 1, &before, NULL)) return LEAT_OK;
  if (before.journal + 1 < keep) keep = before.journal + 1;
  if (before.keep < keep) keep = before.keep;
  return lt_ln_broken(l, lt_journal_drop(l->journal, keep, err));
}

static leat_status state_load(leat_learner *l, lt_sealed *f, leat_error *err) {
  const void *data;
  uint64_t size;
  leat_status st = section_get(l, AT_SETTINGS, f, err);
  int begun = lt_sealed_section(f, "online", &data, &size, NULL) == LEAT_OK;
  if (!st && begun) {
    lt_guard_free(l->guard);
    l->guard = NULL;
    st = lt_online_get(l->o, f, err);
    if (!st) st = lt_guard_create(l->o, l->settings, &l->guard, err);
  }
  for (int i = AT_SCHEMAS; i < N_SECTIONS && !st; i++) st = section_get(l, i, f, err);
  if (!st && begun) st = lt_gate_classes(l->gate, l->max_classes, l->o->labels, err);
  return st;
}

leat_status lt_ln_checkpoint_load(leat_learner *l, const char *name, leat_error *err) {
  char file[80];
  lt_sealed *f = NULL;
  snprintf(file, sizeof file, "learner/%s", name);
  char *path = lt_folder_file(l->store, file);
  if (!path) return lt_fail_memory(err, 64, "a path");
  leat_status st = lt_sealed_open(l->rt, path, "LRNR", STATE_VERSION, 0, &f, err);
  if (!st) st = state_load(l, f, err);
  if (!st) l->checkpoint_sequence = l->applied;
  lt_sealed_free(f);
  lt_free(l->rt, path);
  return st;
}
