/* The durable learner's life: create, open, free, what it tells. */
#include "lifecycle/learner_inner.h"
#include <math.h>
#include <string.h>

static const lt_param_def learner_defs[] = {
    {"chunk", LEAT_PARAM_I64, "1", 1, 1000000, NULL, "Records that are predicted before the first of them is learned.", 1},
    {"label_delay", LEAT_PARAM_I64, "0", 0, 1000000000, NULL, "A record is learned so many records after it was predicted.", 1},
    {"label_ttl", LEAT_PARAM_F64, "604800", 0, 1e10, NULL, "Seconds that a prediction waits for its label by key; 0: for ever.", 1},
    {"pending_records", LEAT_PARAM_I64, "1000000", 1, 4000000000.0, NULL, "The most predictions that wait for their labels.", 1},
    {"pending_bytes", LEAT_PARAM_I64, "268435456", 1024, 1e15, NULL, "The most bytes that they take.", 1},
    {"snapshot_rows", LEAT_PARAM_I64, "10000", 1, 1000000000000.0, NULL,
     "Learned records from one snapshot to the next, behind those at 500, 1000, 2000, 4000 and 8000.", 1},
    {"checkpoint_bytes", LEAT_PARAM_I64, "268435456", 4096, 1e15, NULL, "Journal from one checkpoint to the next, in bytes.", 1},
    {"promote", LEAT_PARAM_CHOICE, "testing", 0, 0, "manual|testing|auto",
     "Where a certified snapshot goes: nowhere, to stage testing, or to testing and production.", 1},
    {"quarantine_bytes", LEAT_PARAM_I64, "268435456", 1024, 1e15, NULL, "The most bytes of held records.", 1},
    {"quarantine_records", LEAT_PARAM_I64, "1000000", 1, 1e12, NULL, "The most held records.", 1},
    {"quarantine_reason_share", LEAT_PARAM_F64, "0.25", 0, 1, NULL, "The most of that which one reason may take.", 1},
    {"race", LEAT_PARAM_TEXT, "", 0, 0, NULL,
     "Learners that race with the model's own: NAME=VALUE,... of the model for each, ';' between them.", 1},
    {"race_bytes", LEAT_PARAM_I64, "1073741824", 1024, 1e15, NULL, "The most memory of those that race beside the live model.", 1},
    {"monitor", LEAT_PARAM_BOOL, "true", 0, 0, NULL, "Features, label and predictions are watched for drift.", 1},
    {"monitor_reference", LEAT_PARAM_I64, "10000", 500, 1000000000, NULL, "Admitted records that the others are compared with.", 1},
    {"monitor_window", LEAT_PARAM_I64, "10000", 500, 1000000000, NULL, "Records that are compared at a time.", 1},
    {"monitor_seconds", LEAT_PARAM_F64, "3600", 0, 1e9, NULL, "Or those of so many seconds, when they are 500 or more; 0: no such window.", 1},
    {"monitor_warn", LEAT_PARAM_F64, "0.02", 0, 1e6, NULL, "psi of a warning, where the number of records does not ask for more.", 1},
    {"monitor_alert", LEAT_PARAM_F64, "0.25", 0, 1e6, NULL, "psi of an alert, likewise.", 1},
    {"alert_silence", LEAT_PARAM_F64, "3600", 0, 1e10, NULL, "Seconds that predictions wait without any label before an alert; 0: none.", 1},
    {"alert_age", LEAT_PARAM_F64, "86400", 0, 1e10, NULL, "Seconds that nothing is learned before an alert; 0: none.", 1},
    LT_GATE_PARAMS,
    LT_GUARD_PARAMS,
};
const lt_spec lt_spec_learner = {"learner", "The durable learner: gate, guard, snapshots, journal.", learner_defs,
                                 (int64_t)(sizeof learner_defs / sizeof learner_defs[0])};
enum { SEGMENT = 16 << 20 };

/* ---------------------------------------------------------------------------------------------- parts */

leat_status lt_ln_parts(leat_learner *l, leat_error *err) {
  const leat_params *p = l->settings;
  lt_quarantine_limits limits = {lt_param_int(p, "quarantine_bytes"), lt_param_int(p, "quarantine_records"),
                                 lt_param_real(p, "quarantine_reason_share")};
  l->chunk = lt_param_int(p, "chunk");
  l->delay = lt_param_int(p, "label_delay");
  l->snapshot_rows = lt_param_int(p, "snapshot_rows");
  l->checkpoint_bytes = lt_param_int(p, "checkpoint_bytes");
  l->max_classes = lt_param_int(l->model, "max_classes");
  l->ttl_ns = (int64_t)(lt_param_real(p, "label_ttl") * 1e9 < 9e18 ? lt_param_real(p, "label_ttl") * 1e9 : 9e18);
  leat_status st = lt_online_open(l->rt, l->model, NULL, &l->o, err);
  if (!st) st = lt_guard_create(l->o, p, &l->guard, err);
  if (!st) st = lt_gate_create(l->rt, p, &l->gate, err);
  if (!st) st = lt_gate_classes(l->gate, l->max_classes, NULL, err);
  if (!st) st = lt_pending_create(l->rt, lt_param_int(p, "pending_records"), lt_param_int(p, "pending_bytes"), &l->pending, err);
  if (!st && !l->quarantine) {
    char *folder = lt_folder_file(l->store, "quarantine");
    st = folder ? lt_quarantine_open(l->rt, folder, 1, &limits, &l->quarantine, err) : lt_fail_memory(err, 64, "a path");
    lt_free(l->rt, folder);
  }
  if (!st) st = lt_ln_watch_open(l, err);
  if (!st) st = lt_ln_race_open(l, err);
  if (!st && !l->series) st = lt_series_open(l->store, &l->series, err);
  return st;
}

/* Back to before any state, for another try: the newest checkpoint was damaged. */
void lt_ln_parts_free(leat_learner *l) {
  lt_ln_watch_free(l);
  lt_ln_race_free(l);
  lt_guard_free(l->guard);
  lt_online_close(l->o);
  lt_gate_free(l->gate);
  lt_pending_free(l->pending);
  lt_ln_queue_free(l);
  lt_ln_schemas_free(l);
  lt_schema_free(l->seen_schema);
  lt_dict_free(l->sources);
  lt_free(l->rt, l->next);
  lt_free(l->rt, l->run);
  lt_free(l->rt, l->lineage);
  lt_params_free(l->model);
  lt_params_free(l->settings);
  l->guard = NULL;
  l->o = NULL;
  l->gate = NULL;
  l->pending = NULL;
  l->seen_schema = NULL;
  l->sources = NULL;
  l->next = NULL;
  l->run = NULL;
  l->lineage = NULL;
  l->model = l->settings = NULL;
  l->n_runs = l->run_cap = l->next_cap = 0;
  l->queued = l->chunk_fill = 0;
}

static leat_status state_fresh(leat_learner *l, leat_error *err) {
  int64_t known_events = l->known_events, known_snapshots = l->known_snapshots;
  l->mode = LEAT_LEARNING;
  l->seen = l->duplicate = l->counted = l->unmatched = l->expired = l->replaced = l->dropped = 0;
  l->held = l->events = l->snapshots = l->swaps = l->rollbacks = 0;
  l->live_version = l->good_version = l->live_row = l->swap_row = l->next_snapshot = 0;
  l->learned_ns = l->suspect_until = l->n_candidates = 0;
  l->spike_loss = l->spike_n = 0;
  l->applied = 0;
  l->known_events = known_events;
  l->known_snapshots = known_snapshots;
  return l->sources ? LEAT_OK : lt_dict_create(l->rt, &l->sources, err);
}

static leat_status learner_alloc(leat_store *s, leat_learner **out, leat_error *err) {
  leat_runtime *rt = lt_folder_runtime(s);
  leat_learner *l = lt_zalloc(rt, sizeof *l);
  *out = NULL;
  if (!l) return lt_fail_memory(err, sizeof *l, "a learner");
  lt_runtime_ref(rt);
  lt_folder_ref(s);
  l->rt = rt;
  l->store = s;
  lt_put_init(&l->put, rt);
  leat_status st = LEAT_OK;
  if (lt_mutex_init(&l->lock)) st = lt_fail(err, LEAT_E_MEMORY, "no lock for a learner");
  else l->has_lock = 1;
  if (!st) st = lt_folder_lock_learner(s, err);
  if (!st) l->locked = 1;
  if (!st) st = state_fresh(l, err);
  if (!st) lt_folder_ordinals(s, &l->known_snapshots, &l->known_events);
  *out = l;
  return st;
}

static void learner_close(leat_learner *l) {
  leat_runtime *rt = l->rt;
  lt_ln_parts_free(l);
  lt_journal_close(l->journal);
  lt_quarantine_close(l->quarantine);
  lt_series_close(l->series);
  lt_model_free(l->published);
  lt_put_free(&l->put);
  lt_free(rt, l->out);
  if (l->has_lock) lt_mutex_destroy(&l->lock);
  if (l->locked) lt_folder_unlock_learner(l->store);
  lt_folder_free(l->store);
  lt_free(rt, l);
  lt_runtime_unref(rt);
}

void lt_learner_free(leat_learner *l) {
  if (!l) return;
  /* What is not committed may be lost; but what a replay would take long to learn again is worth a checkpoint. */
  if (!l->stopped && l->journal && l->o && l->bytes_since > l->checkpoint_bytes / 4) (void)lt_ln_checkpoint(l, NULL);
  if (!l->stopped && l->series && l->o) (void)lt_series_add_latency(l->series, l->o->learned, NULL);
  learner_close(l);
}

/* ---------------------------------------------------------------------------------------------- the first record */

static leat_status begin_put(leat_learner *l, const leat_params *model, const leat_params *settings, const leat_schema *schema,
                             const leat_model *from, leat_error *err) {
  lt_put *w = &l->put;
  char hex[40] = "";
  uint64_t needed = 0;
  leat_status st = from ? lt_model_get_text(from, "checksum", hex, sizeof hex, &needed, err) : LEAT_OK;
  lt_ln_put_begin(l);
  lt_params_save(model, w);
  lt_params_save(settings, w);
  lt_put_text(w, hex);
  lt_put_u8(w, schema != NULL);
  if (schema) lt_schema_save(schema, w);
  if (!st && from) st = lt_model_save_bytes(from, NULL, 0, &needed, NULL) == LEAT_E_CAPACITY || needed ? LEAT_OK : LEAT_E_MEMORY;
  if (st || !from) {
    lt_put_u64(w, 0);
    return st;
  }
  void *bytes = lt_alloc(l->rt, needed);
  if (!bytes) return lt_fail_memory(err, needed, "a package");
  st = lt_model_save_bytes(from, bytes, needed, &needed, err);
  lt_put_u64(w, needed);
  lt_put_raw(w, bytes, needed);
  lt_free(l->rt, bytes);
  return st;
}

/* The state before the first row, from the journal's first record. */
static leat_status begin_apply(leat_learner *l, const void *data, uint64_t size, leat_error *err) {
  lt_get g;
  leat_schema *s = NULL;
  leat_model *from = NULL;
  lt_get_init(&g, l->rt, data, size);
  leat_status st = lt_params_create(l->rt, lt_family_online.spec, &l->model, err);
  if (!st) st = lt_params_create(l->rt, &lt_spec_learner, &l->settings, err);
  if (!st) st = lt_params_load(l->model, &g, err);
  if (!st) st = lt_params_load(l->settings, &g, err);
  if (st) return st;
  l->lineage = lt_get_text(&g);
  if (lt_get_u8(&g)) st = lt_schema_load(l->rt, &g, &s, err);
  uint64_t n = st ? 0 : lt_get_count(&g, 1, UINT32_MAX);
  const void *package = n ? lt_get_raw(&g, n) : NULL;
  if (!st) st = lt_get_status(&g, "the journal's first record", err);
  if (!st) st = lt_ln_parts(l, err);
  if (!st && package) st = lt_model_load_bytes(l->rt, package, n, "the journal's first record", &from, err);
  if (!st && from && lt_model_family(from) != &lt_family_online)
    st = lt_fail(err, LEAT_E_UNSUPPORTED, "the model is of the family '%.60s': a learner starts from an online one", lt_model_family(from)->name);
  if (!st && from) {
    st = lt_online_from_model(l->o, from, err);
    if (!st) lt_guard_disturbed(l->guard);
  } else if (!st && s) {
    st = lt_gate_bind(l->gate, s, err);
    if (!st) st = lt_online_begin(l->o, s, err);
  }
  if (!st && l->o->m) st = lt_gate_classes(l->gate, l->max_classes, l->o->labels, err);
  lt_model_free(from);
  lt_schema_free(s);
  l->applied = 1;
  return st;
}

/* ---------------------------------------------------------------------------------------------- create */

static leat_status create_params(leat_learner *l, const leat_params *model, const leat_params *settings, const leat_schema *schema,
                                 const leat_model *from, leat_error *err) {
  leat_params *m = NULL, *k = NULL;
  leat_status st = LEAT_OK;
  if (model && !lt_online_is_spec(lt_params_spec(model)))
    return lt_fail(err, LEAT_E_UNSUPPORTED, "a learner's model has parameters of \"online/linear\" or \"online/mlp\", these are of \"%.60s\"", lt_params_spec(model)->name);
  if (settings && lt_params_spec(settings) != &lt_spec_learner)
    return lt_fail(err, LEAT_E_ARG, "a learner's settings are of \"learner\", these are of \"%.60s\"", lt_params_spec(settings)->name);
  if (from && lt_model_family(from) != &lt_family_online)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "the model is of the family '%.60s': a learner starts from an online one", lt_model_family(from)->name);
  if (!model && from) model = lt_model_settings(from);
  st = model ? lt_online_settings(l->rt, model, &m, err) : lt_params_create(l->rt, lt_family_online.spec, &m, err);
  if (!st && !settings) st = lt_params_create(l->rt, &lt_spec_learner, &k, err);
  if (!st) st = begin_put(l, m, settings ? settings : k, schema, from, err);
  if (!st) st = lt_put_status(&l->put, err);
  if (!st) st = begin_apply(l, l->put.data, l->put.size, err);
  if (!st && l->o->schema) st = lt_ln_race_check(l, err);
  lt_params_free(m);
  lt_params_free(k);
  return st;
}

static uint64_t segment_bytes(const leat_learner *l) {
  int64_t n = l->checkpoint_bytes / 4;
  return (uint64_t)(n < SEGMENT ? n : SEGMENT);
}

/* The journal with its first record. A crash may have left one without any record: it is completed. */
static leat_status create_journal(leat_learner *l, leat_error *err) {
  uint64_t torn, sequence = 0;
  char *folder = lt_folder_file(l->store, "journal");
  if (!folder) return lt_fail_memory(err, 64, "a path");
  leat_status st = lt_path_make_folder(l->rt, folder, err);
  if (!st) st = lt_journal_open(l->rt, folder, segment_bytes(l), &l->journal, &torn, err);
  if (st == LEAT_E_NOT_FOUND) st = lt_journal_create(l->rt, folder, segment_bytes(l), &l->journal, err);
  if (!st && lt_journal_next(l->journal) != 1)
    st = lt_fail(err, LEAT_E_STATE, "%s has a learner already: open it", lt_folder_path(l->store));
  if (!st) st = lt_journal_append(l->journal, LT_J_BEGIN, l->put.data, l->put.size, &sequence, err);
  if (!st) st = lt_journal_sync(l->journal, err);
  lt_free(l->rt, folder);
  return st;
}

static leat_status learner_exists(const leat_learner *l, int *exists, leat_error *err) {
  uint64_t torn;
  lt_journal *j = NULL;
  lt_checkpoint c;
  *exists = lt_folder_checkpoint_at(l->store, 0, &c, NULL) == LEAT_OK;
  if (*exists) return LEAT_OK;
  char *folder = lt_folder_file(l->store, "journal");
  if (!folder) return lt_fail_memory(err, 64, "a path");
  leat_status st = lt_journal_open(l->rt, folder, SEGMENT, &j, &torn, err);
  lt_free(l->rt, folder);
  if (!st) *exists = lt_journal_next(j) > 1;
  lt_journal_close(j);
  return st == LEAT_E_NOT_FOUND ? LEAT_OK : st;
}

leat_status lt_learner_create(leat_store *s, const leat_params *model, const leat_params *settings, const leat_schema *schema,
                              const leat_model *from, leat_learner **out, leat_error *err) {
  leat_learner *l = NULL;
  int exists = 0;
  *out = NULL;
  leat_status st = learner_alloc(s, &l, err);
  if (!st) st = learner_exists(l, &exists, err);
  if (!st && exists) st = lt_fail(err, LEAT_E_STATE, "%s has a learner already: open it", lt_folder_path(s));
  if (!st) st = create_params(l, model, settings, schema, from, err);
  if (!st) st = create_journal(l, err);
  if (st && l) learner_close(l);
  if (!st) *out = l;
  return st;
}

/* ---------------------------------------------------------------------------------------------- open */

static leat_status open_begin(leat_learner *l, leat_error *err) {
  lt_journal_reader *r = NULL;
  lt_record rec = {0};
  int32_t got = 0;
  char *folder = lt_folder_file(l->store, "journal");
  if (!folder) return lt_fail_memory(err, 64, "a path");
  leat_status st = lt_journal_read(l->rt, folder, 1, &r, err);
  lt_free(l->rt, folder);
  if (!st) st = lt_journal_next_record(r, &rec, &got, err);
  if (!st && (!got || rec.type != LT_J_BEGIN || rec.sequence != 1))
    st = lt_fail(err, LEAT_E_FORMAT, "the learner's journal does not begin with its parameters, and no checkpoint can be read");
  if (!st) st = state_fresh(l, err);
  if (!st) st = begin_apply(l, rec.data, rec.size, err);
  lt_journal_read_close(r);
  return st;
}

/* The newest checkpoint that can be read, or else the journal's first record. */
static leat_status open_state(leat_learner *l, leat_error *err) {
  lt_checkpoint c;
  leat_error first = {0};
  int any = 0;
  first.struct_size = sizeof first;
  for (int64_t i = 0; lt_folder_checkpoint_at(l->store, i, &c, NULL) == LEAT_OK; i++) {
    leat_status st = state_fresh(l, err);
    if (!st) st = lt_ln_checkpoint_load(l, c.name, any ? NULL : &first);
    if (!st && l->applied >= lt_journal_next(l->journal))
      st = lt_fail(any ? NULL : &first, LEAT_E_FORMAT, "the checkpoint %s is of a longer journal: records are missing", c.name);
    if (!st) return LEAT_OK;
    lt_log(l->rt, LEAT_LOG_WARN, "%s: the checkpoint %s cannot be used: %s", lt_folder_path(l->store), c.name, first.message);
    lt_ln_parts_free(l);
    if (st == LEAT_E_MEMORY || st == LEAT_E_VERSION) return lt_fail(err, st, "%s", first.message);
    any = 1;
  }
  leat_status st = open_begin(l, err);
  return st == LEAT_E_NOT_FOUND && any ? lt_fail(err, LEAT_E_FORMAT, "%s", first.message) : st;
}

static leat_status open_journal(leat_learner *l, uint64_t segment, leat_error *err) {
  uint64_t torn = 0;
  char *folder = lt_folder_file(l->store, "journal");
  if (!folder) return lt_fail_memory(err, 64, "a path");
  lt_journal_close(l->journal);
  l->journal = NULL;
  leat_status st = lt_journal_open(l->rt, folder, segment, &l->journal, &torn, err);
  lt_free(l->rt, folder);
  if (!st && lt_journal_next(l->journal) == 1) st = LEAT_E_NOT_FOUND;
  if (st == LEAT_E_NOT_FOUND) st = lt_fail(err, st, "%s has no learner yet: create one", lt_folder_path(l->store));
  if (torn) lt_log(l->rt, LEAT_LOG_INFO, "%s: %llu bytes of a torn record were cut off the journal", lt_folder_path(l->store), (unsigned long long)torn);
  return st;
}

leat_status lt_learner_open(leat_store *s, leat_learner **out, leat_error *err) {
  leat_learner *l = NULL;
  *out = NULL;
  leat_status st = learner_alloc(s, &l, err);
  if (!st) st = open_journal(l, SEGMENT, err);
  if (!st) st = open_state(l, err);
  if (!st && segment_bytes(l) != SEGMENT) st = open_journal(l, segment_bytes(l), err);
  if (!st) st = lt_ln_replay(l, l->applied + 1, err);
  if (!st) st = lt_quarantine_cut(l->quarantine, l->held, err);
  if (!st) st = lt_quarantine_unmark(l->quarantine, lt_journal_next(l->journal) - 1, err);
  if (!st && !l->published && l->live_version > 0) (void)lt_folder_load(s, l->live_version, &l->published, NULL);
  if (!st && !l->published && l->live_version > 0) (void)lt_online_snapshot(l->o, l->lineage, &l->published, NULL);
  if (st && l) learner_close(l);
  if (!st) *out = l;
  return st;
}

/* ---------------------------------------------------------------------------------------------- what it tells */

lt_owner *lt_learner_owner(leat_learner *l) { return &l->owner; }
leat_store *lt_learner_store(const leat_learner *l) { return l->store; }
lt_quarantine *lt_learner_quarantine(leat_learner *l) { return l->quarantine; }

leat_status lt_learner_position(const leat_learner *l, const char *source, int64_t *position, leat_error *err) {
  (void)err;
  *position = lt_ln_next_position(l, source);
  return LEAT_OK;
}

leat_status lt_learner_commit(leat_learner *l, leat_error *err) {
  if (l->stopped)
    return lt_fail(err, LEAT_E_IO, "learning has stopped, because the disk failed or memory ran out: what was not committed before may be lost");
  leat_status st = lt_ln_sync(l, err);
  if (!st) st = lt_ln_broken(l, lt_quarantine_sync(l->quarantine, err));
  if (!st && l->bytes_since >= l->checkpoint_bytes) st = lt_ln_checkpoint(l, err);
  return st;
}

leat_status lt_learner_model(const leat_learner *l, leat_model **out, leat_error *err) {
  lt_mutex *lock = (lt_mutex *)(uintptr_t)&l->lock; /* guards `published`, not what is said to be constant */
  lt_mutex_lock(lock);
  *out = l->published;
  if (*out) lt_model_ref(*out);
  lt_mutex_unlock(lock);
  return *out ? LEAT_OK : lt_fail(err, LEAT_E_STATE, "no model has been published yet: the first snapshot comes with record 500");
}

leat_status lt_learner_live(leat_learner *l, leat_model **out, leat_error *err) { return lt_online_snapshot(l->o, l->lineage, out, err); }

leat_status lt_learner_get_state(const leat_learner *l, leat_learner_state *out, leat_error *err) {
  (void)err;
  uint64_t size = out->struct_size;
  memset(out, 0, sizeof *out);
  out->struct_size = size;
  out->mode = l->stopped ? LEAT_STOPPED : l->mode;
  out->rows_seen = l->seen;
  out->rows_learned = l->o->learned;
  out->rows_quarantined = l->held;
  out->rows_duplicate = l->duplicate + l->duplicate_unsaved;
  out->rows_counted = l->counted;
  out->labels_pending = lt_pending_count(l->pending);
  out->labels_unmatched = l->unmatched;
  out->labels_expired = l->expired + l->dropped;
  memcpy(out->label_delay, l->label_delay, sizeof out->label_delay);
  out->label_delay_seconds = l->label_delay_seconds;
  out->live_version = l->live_version;
  out->good_version = l->good_version;
  out->swaps = l->swaps;
  out->rollbacks = l->rollbacks;
  out->snapshots = l->snapshots;
  out->suspect = lt_guard_suspect(l->guard);
  out->model_age_ns = l->learned_ns ? lt_now_ns(l->rt) - l->learned_ns : 0;
  out->journal_bytes = lt_journal_bytes(l->journal);
  return LEAT_OK;
}

leat_status lt_learner_metrics(const leat_learner *l, int64_t set, leat_metrics **out, leat_error *err) {
  return lt_online_metrics(l->o, set, out, err);
}

leat_status lt_learner_next_event(leat_learner *l, int64_t *cursor, leat_event *out, leat_error *err) {
  leat_status st;
  do st = lt_folder_history(l->store, cursor, out, err);
  while (!st && (out->kind < LEAT_EVENT_WARNING || (out->kind >= LEAT_EVENT_MONITORED && out->kind <= LEAT_EVENT_REFRESH))); /* others' */
  return st;
}
