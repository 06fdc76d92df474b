/* What happens to a learner: events, snapshots, swaps, suspects. Part of the replay. */
#include "lifecycle/learner_inner.h"
#include "base/latency.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

leat_status lt_ln_event(leat_learner *l, leat_event *e, leat_error *err) {
  l->events++;
  if (l->events <= l->known_events) return LEAT_OK; /* the journal is read again */
  e->struct_size = sizeof *e;
  e->time_ns = lt_now_ns(l->rt);
  e->row = l->o->learned;
  leat_status st = lt_ln_sync(l, err);
  if (!st) st = lt_folder_event(l->store, l->events, e, err);
  if (!st) l->known_events = l->events;
  return st;
}

leat_status lt_ln_freeze(leat_learner *l, const char *name, double value, double threshold, const char *text, leat_error *err) {
  if (l->mode == LEAT_FROZEN) return LEAT_OK;
  leat_event e = {0};
  l->mode = LEAT_FROZEN;
  e.kind = LEAT_EVENT_FROZEN;
  e.value = value;
  e.threshold = threshold;
  snprintf(e.name, sizeof e.name, "%s", name);
  snprintf(e.text, sizeof e.text, "%s", text);
  return lt_ln_event(l, &e, err);
}

/* ---------------------------------------------------------------------------------------------- snapshots */

static void publish(leat_learner *l, leat_model *m) {
  lt_mutex_lock(&l->lock);
  leat_model *old = l->published;
  l->published = m;
  lt_mutex_unlock(&l->lock);
  lt_model_free(old);
}

/* Slots that the model has used. */
static int64_t slots_used(const lt_online *m) {
  const int at = m->layout->at[LT_SLOT_N];
  int64_t n = 0;
  for (int64_t j = 0; j < m->n_slots; j++) n += lt_online_at(m, 0, j)[at] > 0;
  return n * m->n_models;
}

/* Learned records at which the next snapshot is due: 500, 1000, ... 8000, then every snapshot_rows; a model of many slots is
 * not written again before as many records have come as would pay for it. */
static void next_snapshot(leat_learner *l) {
  int64_t learned = l->o->learned, at = 500;
  while (at <= learned && at < 8000) at *= 2;
  if (at > 8000 || at <= learned) at = (learned / l->snapshot_rows + 1) * l->snapshot_rows;
  int64_t gap = l->o->m && l->live_row > 0 ? 2 * slots_used(l->o->m) : 0;
  if (at - l->live_row < gap) at = l->live_row + gap;
  l->next_snapshot = at;
}

static void candidate_add(leat_learner *l, int64_t version) {
  if (version <= 0 || (l->guard && lt_guard_suspect(l->guard))) return;
  if (l->n_candidates == LT_LN_CANDIDATES) {
    memmove(l->candidate, l->candidate + 1, sizeof l->candidate - sizeof l->candidate[0]);
    memmove(l->candidate_row, l->candidate_row + 1, sizeof l->candidate_row - sizeof l->candidate_row[0]);
    l->n_candidates--;
  }
  l->candidate[l->n_candidates] = version;
  l->candidate_row[l->n_candidates++] = l->o->learned;
}

static leat_status snapshot_write(leat_learner *l, int64_t *version, leat_error *err) {
  leat_model *m = NULL;
  int64_t protect[LT_LN_CANDIDATES + 2], n = 0;
  lt_snapshot at = {l->snapshots, l->o->learned, lt_now_ns(l->rt), lt_progressive_loss(l->o->progress, LT_PROGRESS_FADED),
                    lt_journal_next(l->journal) - 1};
  for (int64_t i = 0; i < l->n_candidates; i++) protect[n++] = l->candidate[i];
  if (l->good_version > 0) protect[n++] = l->good_version;
  leat_status st = lt_online_snapshot(l->o, l->lineage, &m, err);
  if (!st) st = lt_ln_sync(l, err);
  if (!st) st = lt_folder_snapshot(l->store, m, &at, protect, n, version, err);
  if (st) lt_model_free(m);
  else {
    l->known_snapshots = l->snapshots;
    publish(l, m);
  }
  return st;
}

leat_status lt_ln_snapshot(leat_learner *l, int64_t *version, leat_error *err) {
  const lt_online_trainer *o = l->o;
  leat_status st = LEAT_OK;
  *version = 0;
  if (!o->m || o->learned == 0 || (!o->m->regression && o->m->n_classes < 2)) return LEAT_OK;
  l->snapshots++;
  if (l->snapshots <= l->known_snapshots) *version = lt_folder_snapshot_version(l->store, l->snapshots);
  else {
    const lt_timing *t = lt_runtime_timing(l->rt);
    int64_t begun = lt_timing_begin(t);
    st = snapshot_write(l, version, err);
    if (!st) lt_timing_end(t, LEAT_LATENCY_SNAPSHOT, begun);
  }
  if (st) return st;
  l->live_version = *version;
  l->live_row = o->learned;
  candidate_add(l, *version);
  next_snapshot(l);
  return LEAT_OK;
}

leat_status lt_ln_snapshot_due(leat_learner *l, leat_error *err) {
  int64_t version;
  if (l->next_snapshot <= 0) next_snapshot(l);
  if (l->o->learned < l->next_snapshot) return LEAT_OK;
  leat_status st = lt_ln_snapshot(l, &version, err);
  if (!st && l->live_row != l->o->learned) next_snapshot(l); /* there was no model to take */
  return st;
}

/* Of one row's loss, from the interval of the mean. */
static leat_status loss_deviation(const leat_metrics *k, double rows, leat_point *p, leat_error *err) {
  double low, high;
  leat_status st = lt_metrics_interval(k, "loss", &low, &high, err);
  if (!st && rows > 1) p->loss_deviation = (high - p->loss) / 1.959963984540054 * sqrt(rows - 1);
  return st;
}

leat_status lt_ln_point(leat_learner *l, leat_error *err) {
  leat_point p = {.struct_size = sizeof p, .time_ns = l->learned_ns, .row = l->o->learned, .quarantined = l->held};
  static const int64_t sets[] = {LT_PROGRESS_ALL, LT_PROGRESS_NO_CHANGE, LT_PROGRESS_MAJORITY};
  double *const loss[] = {&p.loss, &p.no_change_loss, &p.majority_loss};
  double *const score[] = {&p.score, &p.no_change_score, &p.majority_score};
  leat_status st = LEAT_OK;
  if (lt_series_has(l->series, p.row)) return LEAT_OK;
  p.rows = lt_progressive_rows(l->o->progress);
  p.loss_deviation = NAN;
  for (int i = 0; i < 3 && !st; i++) {
    leat_metrics *k = NULL;
    st = lt_online_metrics(l->o, sets[i], &k, err);
    if (!st) st = lt_metrics_value(k, "loss", loss[i], err);
    if (!st) st = lt_metrics_value(k, l->o->m->regression ? "rmse" : "accuracy", score[i], err);
    if (!st && i == 0) st = loss_deviation(k, (double)p.rows, &p, err);
    lt_metrics_free(k);
  }
  if (l->o->m->regression) p.flags |= LEAT_POINT_NUMBERS;
  if (!st) st = lt_series_add(l->series, p.row, &p, err);
  return st ? st : lt_series_add_latency(l->series, p.row, err);
}

/* ---------------------------------------------------------------------------------------------- where learned rows lie */

static leat_status run_add(leat_learner *l, int64_t learned, int64_t n, uint64_t sequence, int64_t index, leat_error *err) {
  lt_ln_run *last = l->n_runs ? &l->run[l->n_runs - 1] : NULL;
  if (last && last->learned + last->n == learned) {
    if (last->step == 0 && last->sequence == sequence && last->index + last->n == index) {
      last->n += n;
      return LEAT_OK;
    }
    if (n == 1 && index == 0 && last->index == 0 && (last->step == 1 || last->n == 1) &&
        last->sequence + (uint64_t)last->n == sequence) {
      last->step = 1;
      last->n++;
      return LEAT_OK;
    }
  }
  leat_status st = lt_grow(l->rt, (void **)&l->run, &l->run_cap, l->n_runs + 1, sizeof *l->run, err);
  if (!st) l->run[l->n_runs++] = (lt_ln_run){learned, n, sequence, index, 0};
  return st;
}

leat_status lt_ln_ran(leat_learner *l, const lt_ln_stretch *s, int64_t learned, int64_t n, leat_error *err) {
  if (!s->index) return run_add(l, learned, n, s->sequence, s->from, err);
  leat_status st = LEAT_OK;
  for (int64_t i = 0; i < n && !st; i++) st = run_add(l, learned + i, 1, s->sequences[i], s->index[i], err);
  return st;
}

void lt_ln_prune(leat_learner *l) {
  int64_t need = l->guard ? lt_guard_need_row(l->guard) : l->o->learned;
  uint64_t k = 0;
  if (need < l->suspect_until) need = l->suspect_until;
  while (k < l->n_runs && l->run[k].learned + l->run[k].n <= need) k++;
  if (k == 0) return;
  l->n_runs -= k;
  memmove(l->run, l->run + k, (size_t)l->n_runs * sizeof *l->run);
}

/* The oldest journal record that the state still needs rows of. */
uint64_t lt_ln_keep(const leat_learner *l) {
  uint64_t keep = l->applied + 1;
  for (uint64_t i = 0; i < l->n_runs; i++)
    if (l->run[i].sequence < keep) keep = l->run[i].sequence;
  for (uint64_t i = 0; i < l->n_blocks; i++) {
    lt_rows v;
    lt_batch_rows(l->block[i].rows, &v);
    for (int64_t r = l->block[i].from; r < v.n; r++)
      if (l->block[i].sequence[r] < keep) keep = l->block[i].sequence[r];
  }
  return keep;
}

/* ---------------------------------------------------------------------------------------------- suspects */

typedef struct suspect_walk {
  lt_journal_reader *reader;
  uint64_t at;               /* the record that is loaded, 0 none */
  leat_batch *rows;
} suspect_walk;

static leat_status suspect_load(leat_learner *l, suspect_walk *w, uint64_t sequence, leat_error *err) {
  leat_status st = LEAT_OK;
  if (w->at == sequence) return LEAT_OK;
  if (w->reader && w->at > sequence) {
    lt_journal_read_close(w->reader);
    w->reader = NULL;
  }
  if (!w->reader) {
    char *folder = lt_folder_file(l->store, "journal");
    if (!folder) return lt_fail_memory(err, 64, "a path");
    st = lt_journal_read(l->rt, folder, sequence, &w->reader, err);
    lt_free(l->rt, folder);
  }
  lt_record rec = {0};
  int32_t got = 1;
  while (!st && got && rec.sequence != sequence) st = lt_journal_next_record(w->reader, &rec, &got, err);
  if (!st && !got) st = lt_fail(err, LEAT_E_FORMAT, "the journal has no record %llu, whose rows are suspect", (unsigned long long)sequence);
  lt_batch_free(w->rows);
  w->rows = NULL;
  w->at = 0;
  if (!st) st = lt_ln_record_rows(l, &rec, &w->rows, err);
  if (!st) w->at = sequence;
  return st;
}

static leat_status suspect_hold(leat_learner *l, const suspect_walk *w, int64_t r, int again, leat_error *err) {
  lt_rows v;
  lt_held h = {0};
  lt_batch_rows(w->rows, &v);
  if (r < 0 || r >= v.n) return lt_fail(err, LEAT_E_FORMAT, "the journal's record %llu has no row %lld", (unsigned long long)w->at, (long long)r);
  h.reason = LEAT_REASON_ROLLBACK_SUSPECT;
  h.column = -1;
  h.position = v.side ? v.side->position + r : -1;
  h.source = v.side && v.side->source ? v.side->source : "";
  h.column_name = "";
  h.detail = again ? "learned while the model went wrong, which was rolled back; the model that came back has learned it too"
                   : "learned while the model went wrong, which was rolled back";
  if (v.side && v.side->raw) {
    h.raw = v.side->raw + v.side->raw_end[r - 1];
    h.raw_size = v.side->raw_end[r] - v.side->raw_end[r - 1];
  }
  return lt_ln_hold(l, &h, &v, r, err);
}

/* What was learned since `since` goes to quarantine, from the journal; what went there before does not go twice. */
static leat_status suspects(leat_learner *l, int64_t since, int64_t taken, leat_error *err) {
  suspect_walk w = {0};
  int64_t count = 0, from = since > l->suspect_until ? since : l->suspect_until;
  leat_status st = LEAT_OK;
  for (uint64_t i = 0; i < l->n_runs; i++) {
    int64_t end = l->run[i].learned + l->run[i].n, begin = l->run[i].learned > from ? l->run[i].learned : from;
    if (end > begin) count += end - begin;
  }
  l->suspect_until = l->o->learned;
  if (lt_quarantine_last_id(l->quarantine) >= l->held + count) l->held += count; /* the journal is read again */
  else
    for (uint64_t i = 0; i < l->n_runs && !st; i++) {
      const lt_ln_run *run = &l->run[i];
      int64_t k = run->learned > from ? 0 : from - run->learned;
      for (; k < run->n && !st; k++) {
        st = suspect_load(l, &w, run->step ? run->sequence + (uint64_t)k : run->sequence, err);
        if (!st) st = suspect_hold(l, &w, run->step ? 0 : run->index + k, run->learned + k >= taken, err);
      }
    }
  lt_journal_read_close(w.reader);
  lt_batch_free(w.rows);
  if (st || count == 0) return st;
  leat_event e = {0};
  e.kind = LEAT_EVENT_HELD;
  e.value = (double)count;
  snprintf(e.name, sizeof e.name, "%s", lt_reason_name(LEAT_REASON_ROLLBACK_SUSPECT));
  snprintf(e.text, sizeof e.text, "%lld records, learned since record %lld, went to quarantine", (long long)count, (long long)since);
  return lt_ln_event(l, &e, err);
}

/* ---------------------------------------------------------------------------------------------- the guard's events */

static leat_status stage_if(leat_learner *l, int64_t version, const char *stage, leat_error *err) {
  int64_t now = 0;
  leat_status st = lt_folder_stage(l->store, stage, &now, NULL);
  if (!st && now == version) return LEAT_OK;
  st = lt_folder_promote(l->store, version, stage, -1, NULL, err);
  return st == LEAT_E_NOT_FOUND ? LEAT_OK : st; /* its file has been removed */
}

/* A model that was live at learned record `good` is last-good now: so is the newest snapshot from before. */
static leat_status certified(leat_learner *l, const lt_guard_event *g, leat_error *err) {
  int64_t good = lt_guard_good_row(l->guard), k = l->n_candidates;
  while (k > 0 && l->candidate_row[k - 1] > good) k--;
  if (k == 0) return LEAT_OK;
  leat_event e = {0};
  e.kind = LEAT_EVENT_CERTIFIED;
  e.version = l->good_version = l->candidate[k - 1];
  e.value = g->value;
  e.threshold = g->threshold;
  snprintf(e.name, sizeof e.name, "%s", g->name);
  snprintf(e.text, sizeof e.text, "taken at record %lld, it has lived through a window without an alarm", (long long)l->candidate_row[k - 1]);
  l->n_candidates -= k;
  memmove(l->candidate, l->candidate + k, (size_t)l->n_candidates * sizeof l->candidate[0]);
  memmove(l->candidate_row, l->candidate_row + k, (size_t)l->n_candidates * sizeof l->candidate_row[0]);
  leat_status st = LEAT_OK;
  if (l->events + 1 > l->known_events && !lt_param_is(l->settings, "promote", "manual")) {
    st = lt_ln_sync(l, err);
    if (!st) st = stage_if(l, e.version, "testing", err);
    if (!st && lt_param_is(l->settings, "promote", "auto")) st = stage_if(l, e.version, "production", err);
  }
  return st ? st : lt_ln_event(l, &e, err);
}

static leat_status swapped(leat_learner *l, const lt_guard_event *g, leat_error *err) {
  leat_event e = {0};
  int64_t from = l->live_version, to = 0;
  l->swaps++;
  l->n_candidates = 0; /* none of them has led to what is live now */
  l->swap_row = l->o->learned;
  if (g->kind == LEAT_EVENT_ROLLBACK || g->kind == LEAT_EVENT_NON_FINITE) l->rollbacks++;
  leat_status st = lt_ln_snapshot(l, &to, err);
  if (st) return st;
  e.kind = g->kind;
  e.version = to;
  e.value = g->value;
  e.threshold = g->threshold;
  snprintf(e.name, sizeof e.name, "%s", g->name);
  int n = snprintf(e.text, sizeof e.text, "from version %lld to %lld", (long long)from, (long long)to);
  if (g->suspects)
    snprintf(e.text + n, sizeof e.text - (size_t)n, "; what was learned since record %lld is suspect", (long long)g->since);
  st = lt_ln_event(l, &e, err);
  return st || !g->suspects ? st : suspects(l, g->since, g->taken, err);
}

static leat_status guard_event(leat_learner *l, const lt_guard_event *g, leat_error *err) {
  switch (g->kind) {
    case LEAT_EVENT_CERTIFIED: return certified(l, g, err);
    case LEAT_EVENT_ROLLBACK:
    case LEAT_EVENT_RESTART:
    case LEAT_EVENT_PIN_BACK:
    case LEAT_EVENT_UNDO:
    case LEAT_EVENT_NON_FINITE: return swapped(l, g, err);
    case LEAT_EVENT_FROZEN:
      return lt_ln_freeze(l, g->name, g->value, g->threshold, "so many rollbacks in a few windows that learning stops: look at the data, then thaw", err);
    default: break;
  }
  leat_event e = {0};
  e.kind = g->kind;
  e.version = l->live_version;
  e.value = g->value;
  e.threshold = g->threshold;
  snprintf(e.name, sizeof e.name, "%s", g->name);
  if (g->kind == LEAT_EVENT_ALARM) l->n_candidates = 0; /* what was taken of late may be what went wrong */
  return lt_ln_event(l, &e, err);
}

leat_status lt_ln_guard_events(leat_learner *l, leat_error *err) {
  lt_guard_event g;
  leat_status st = LEAT_OK;
  int any = 0;
  while (!st && lt_guard_event_next(l->guard, &g)) {
    st = guard_event(l, &g, err);
    any = 1;
  }
  if (any || l->n_runs > 256) lt_ln_prune(l);
  return st;
}
