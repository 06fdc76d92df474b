/* What a learner does when it is told: snapshot, rollback, thaw, release. */
#include "lifecycle/learner_inner.h"
#include <stdio.h>
#include <string.h>

static leat_status hand_append(leat_learner *l, uint32_t type, int8_t *taken, leat_error *err) {
  uint64_t sequence;
  leat_status st = lt_ln_append(l, type, &sequence, err);
  if (!st) st = lt_ln_sync(l, err);
  return st ? st : lt_learner_apply(l, type, sequence, l->put.data, l->put.size, NULL, taken, err);
}

leat_status lt_learner_snapshot(leat_learner *l, int64_t *version, leat_error *err) {
  leat_model *m = NULL;
  *version = 0;
  leat_status st = lt_ln_usable(l, err);
  if (!st) st = lt_online_snapshot(l->o, l->lineage, &m, err); /* says what is missing, before anything is journalled */
  lt_model_free(m);
  lt_ln_put_begin(l);
  if (!st) st = hand_append(l, LT_J_SNAPSHOT, NULL, err);
  if (!st) *version = l->live_version;
  return st;
}

/* ---------------------------------------------------------------------------------------------- rollback */

/* The model's own bytes go into the record: a replay needs no package, which may have been removed by then. */
static leat_status rollback_model(leat_learner *l, int64_t version, const leat_model *m, leat_error *err) {
  const lt_online_trainer *o = l->o;
  const leat_schema *s = lt_model_schema(m);
  if (lt_model_family(m) != &lt_family_online)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "version %lld is of the family '%.60s', the learner is online", (long long)version,
                   lt_model_family(m)->name);
  const lt_online *from = lt_model_params(m);
  int64_t target = lt_schema_role(s, LEAT_ROLE_TARGET);
  const lt_dict *labels = target < 0 ? NULL : s->col[target].labels;
  if (!lt_online_same_kind(from, o->m) || !lt_online_fits(from, o->encoder) || !lt_encoder_same_plan(lt_model_encoder(m), o->encoder) ||
      from->n_classes > o->m->n_classes || !labels != !o->labels)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "version %lld is not of this learner's columns, parameters or classes", (long long)version);
  for (int64_t k = 0; labels && k < from->n_classes; k++) {
    uint64_t a = 0, b = 0;
    const char *x = lt_dict_text(labels, k, &a), *y = lt_dict_text(o->labels, k, &b);
    if (a != b || memcmp(x, y, a) != 0)
      return lt_fail(err, LEAT_E_UNSUPPORTED, "version %lld has the class '%.60s' where the learner has '%.60s'", (long long)version, x, y);
  }
  lt_put_u8(&l->put, 1);
  lt_online_save(from, &l->put);
  return LEAT_OK;
}

leat_status lt_learner_rollback(leat_learner *l, int64_t version, leat_error *err) {
  leat_model *m = NULL;
  const lt_online *good = NULL;
  leat_status st = lt_ln_usable(l, err);
  if (!st && !l->o->m) st = lt_fail(err, LEAT_E_STATE, "nothing has been learned yet: there is nothing to roll back");
  if (!st && version >= 0) st = lt_folder_load(l->store, version, &m, err);
  else if (!st && lt_guard_good(l->guard, &good))
    st = lt_fail(err, LEAT_E_NOT_FOUND, "no model is certified as last-good yet: name a version");
  lt_ln_put_begin(l);
  lt_put_i64(&l->put, version >= 0 ? version : l->good_version);
  if (!st && m) st = rollback_model(l, version, m, err);
  else lt_put_u8(&l->put, 0);
  lt_model_free(m);
  return st ? st : hand_append(l, LT_J_ROLLBACK, NULL, err);
}

leat_status lt_ln_apply_rollback(leat_learner *l, lt_get *g, leat_error *err) {
  lt_online *m = NULL;
  int64_t version = lt_get_i64(g), from = l->live_version, to = 0;
  leat_status st = LEAT_OK;
  if (lt_get_u8(g)) st = lt_online_load(l->rt, g, &m, err);
  if (!st) st = lt_get_status(g, "a rollback in the journal", err);
  if (!st && !l->o->m) st = lt_fail(err, LEAT_E_FORMAT, "a rollback in the journal comes before the first row");
  if (!st) st = lt_guard_rollback(l->guard, m, err);
  lt_online_free(m);
  if (st) return st;
  leat_event e = {0};
  l->swaps++;
  l->rollbacks++;
  l->n_candidates = 0;
  l->swap_row = l->o->learned;
  st = lt_ln_snapshot(l, &to, err);
  e.kind = LEAT_EVENT_ROLLBACK_BY_HAND;
  e.version = to;
  e.value = (double)version;
  snprintf(e.name, sizeof e.name, "rollback_by_hand");
  if (version > 0) snprintf(e.text, sizeof e.text, "from version %lld to %lld, a copy of version %lld", (long long)from, (long long)to, (long long)version);
  else snprintf(e.text, sizeof e.text, "from version %lld to %lld, last-good", (long long)from, (long long)to);
  return st ? st : lt_ln_event(l, &e, err);
}

/* ---------------------------------------------------------------------------------------------- thaw */

leat_status lt_learner_thaw(leat_learner *l, leat_error *err) {
  leat_status st = lt_ln_usable(l, err);
  if (!st && l->mode != LEAT_FROZEN) st = lt_fail(err, LEAT_E_STATE, "the learner is not frozen: it learns");
  lt_ln_put_begin(l);
  return st ? st : hand_append(l, LT_J_THAW, NULL, err);
}

leat_status lt_ln_apply_thaw(leat_learner *l, leat_error *err) {
  leat_event e = {0};
  l->mode = LEAT_LEARNING;
  lt_gate_forgive(l->gate);
  e.kind = LEAT_EVENT_THAWED;
  snprintf(e.name, sizeof e.name, "thaw");
  snprintf(e.text, sizeof e.text, "learning goes on");
  return lt_ln_event(l, &e, err);
}

/* ---------------------------------------------------------------------------------------------- release */

static leat_status held_reason(leat_learner *l, int64_t id, int32_t *reason, leat_error *err) {
  leat_held_info info = {0};
  int64_t cursor = id - 1;
  info.struct_size = sizeof info;
  leat_status st = lt_quarantine_next(l->quarantine, 0, &cursor, &info, err);
  if (!st && info.id != id) st = lt_fail(err, LEAT_E_NOT_FOUND, "the quarantine holds no record %lld", (long long)id);
  *reason = (int32_t)info.reason;
  return st;
}

/* Held records ids[0 .. n), rows of one schema, in one journal record. */
typedef struct release_run { leat_batch *rows; uint32_t schema; int64_t *id; int64_t *reason; int64_t n; int8_t *taken; } release_run;

static leat_status release_flush(leat_learner *l, release_run *run, leat_error *err) {
  lt_rows v;
  if (run->n == 0) return LEAT_OK;
  lt_put *w = &l->put;
  lt_ln_put_begin(l);
  lt_put_u32(w, run->schema);
  lt_put_u64(w, 8 * (2 + 2 * (uint64_t)run->n));
  lt_put_i64(w, lt_now_ns(l->rt));
  lt_put_i64(w, run->n);
  lt_put_raw(w, run->id, (uint64_t)run->n * 8);
  lt_put_raw(w, run->reason, (uint64_t)run->n * 8);
  leat_status st = lt_batch_set_source(run->rows, "release", run->id[0], err);
  lt_batch_rows(run->rows, &v);
  lt_batch_save(&v, w);
  return st ? st : hand_append(l, LT_J_RELEASE, run->taken, err);
}

/* Adds held record `id` to the run when its rows are of the same schema; else the run is flushed first. */
static leat_status release_one(leat_learner *l, release_run *run, int64_t id, int8_t *taken, int *added, leat_error *err) {
  leat_batch *row = NULL;
  lt_rows v;
  uint32_t schema = 0;
  int32_t reason = 0;
  *added = 0;
  leat_status st = held_reason(l, id, &reason, err);
  if (!st) st = lt_quarantine_row(l->quarantine, id, &row, err);
  if (st == LEAT_E_UNSUPPORTED) return LEAT_OK; /* it could not be read: it stays */
  if (!st) st = lt_ln_number(l, lt_batch_schema(row), 1, &schema, err);
  if (!st && run->rows && (run->schema != schema || lt_batch_schema(run->rows) != l->schema[schema].s)) {
    st = release_flush(l, run, err);
    lt_batch_free(run->rows);
    run->rows = NULL;
    run->n = 0;
  }
  if (!st && !run->rows) {
    run->schema = schema;
    run->taken = taken;
    st = lt_batch_create(l->rt, l->schema[schema].s, &run->rows, err);
  }
  if (!st) {
    lt_batch_rows(row, &v);
    v.schema = l->schema[schema].s;
    v.side = NULL;
    st = lt_batch_append(run->rows, &v, 0, 1, err);
  }
  if (!st) {
    run->id[run->n] = id;
    run->reason[run->n++] = reason;
    *added = 1;
  }
  lt_batch_free(row);
  return st;
}

leat_status lt_learner_release(leat_learner *l, const int64_t *ids, uint64_t n, int8_t *taken, leat_error *err) {
  release_run run = {0};
  leat_status st = lt_ln_usable(l, err);
  if (st) return st;
  memset(taken, 0, n);
  run.id = lt_array(l->rt, n, sizeof *run.id);
  run.reason = lt_array(l->rt, n, sizeof *run.reason);
  int8_t *took = lt_zalloc(l->rt, n);
  int64_t *place = lt_array(l->rt, n, sizeof *place);
  lt_dict *met = NULL;
  st = lt_dict_create(l->rt, &met, err);
  if (!run.id || !run.reason || !took || !place) st = lt_fail_memory(err, n * 24, "records to release");
  for (uint64_t i = 0; i < n && !st; i++)
    if (lt_quarantine_state(l->quarantine, ids[i]) == 0)
      st = lt_fail(err, LEAT_E_NOT_FOUND, "the quarantine holds no record %lld", (long long)ids[i]);
  int64_t k = 0;
  for (uint64_t i = 0; i < n && !st; i++) {
    if (lt_quarantine_state(l->quarantine, ids[i]) == LEAT_HELD_RELEASED) {
      taken[i] = 1;
      continue;
    }
    int64_t code, known = lt_dict_count(met);
    int added = 0;
    st = lt_dict_add(met, (const char *)&ids[i], sizeof ids[i], &code, err);
    if (st || code < known) continue;
    st = release_one(l, &run, ids[i], took + k, &added, err);
    if (added) place[k++] = (int64_t)i;
  }
  if (!st) st = release_flush(l, &run, err);
  for (int64_t i = 0; i < k; i++) taken[place[i]] = took[i];
  lt_dict_free(met);
  lt_batch_free(run.rows);
  lt_free(l->rt, run.id);
  lt_free(l->rt, run.reason);
  lt_free(l->rt, took);
  lt_free(l->rt, place);
  return st;
}

leat_status lt_ln_apply_release(leat_learner *l, uint64_t sequence, lt_get *g, int8_t *taken, leat_error *err) {
  lt_ln_take t = {0};
  leat_batch *rows = NULL;
  int64_t *ids = NULL;
  int32_t *pardon = NULL;
  t.schema = lt_get_u32(g);
  (void)lt_get_u64(g);
  int64_t now = lt_get_i64(g), n = lt_get_i64(g);
  if (t.schema >= l->n_schemas || n < 1 || (uint64_t)n > lt_get_left(g) / 16) lt_get_fail(g, LEAT_E_FORMAT);
  leat_status st = lt_get_status(g, "released records in the journal", err);
  if (st) return st;
  ids = lt_array(l->rt, (uint64_t)n, sizeof *ids);
  pardon = lt_array(l->rt, (uint64_t)n, sizeof *pardon);
  if (!ids || !pardon) st = lt_fail_memory(err, (uint64_t)n * 12, "released records");
  for (int64_t i = 0; i < n && !st; i++) ids[i] = lt_get_i64(g);
  for (int64_t i = 0; i < n && !st; i++) pardon[i] = (int32_t)lt_get_i64(g);
  if (!st) st = lt_batch_load(l->rt, l->schema[t.schema].s, g, &rows, err);
  if (!st) lt_batch_rows(rows, &t.rows);
  if (!st && t.rows.n != n) st = lt_fail(err, LEAT_E_FORMAT, "released records in the journal: their number is wrong");
  t.sequence = sequence;
  t.ids = ids;
  t.pardon = pardon;
  t.taken = taken;
  if (!st) {
    l->learned_ns = now;
    st = lt_ln_begin(l, l->schema[t.schema].s, err);
  }
  if (!st) st = lt_ln_take_rows(l, &t, err);
  lt_batch_free(rows);
  lt_free(l->rt, ids);
  lt_free(l->rt, pardon);
  return st;
}
