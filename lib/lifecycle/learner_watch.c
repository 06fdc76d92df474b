/* The learner's monitors: drift of every feature, of the label and of the predictions against the first rows that were admitted,
 * and calibration. Part of the replay: a function of the records alone. Of the first half of `monitor_reference` rows one is
 * drawn from each of 500 equal stretches: they set the cells. The rows of the second half are counted in them; then the
 * reference is frozen, and all rows behind are compared with it, window by window. (500 rows alone could not tell a shift of a
 * fifth of a deviation from chance.) A reference of up to 1000 rows is the sample itself. */
#include "lifecycle/learner_inner.h"
#include "base/number.h"
#include "base/rng.h"
#include "data/store.h"
#include "lifecycle/monitor.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WATCH_SAMPLE = 500, WATCH_LISTED = 256 };
enum { WATCH_NOTHING, WATCH_WHOLE, WATCH_MONITOR, WATCH_CELLS, WATCH_GROWS }; /* in checkpoints */

struct lt_ln_watch {
  leat_params *settings;      /* of a monitor */
  int64_t stride;             /* a row is drawn from so many; 0: nothing is watched */
  int64_t rows;               /* of the reference */
  int32_t whole;              /* the sample is the reference (a short one; or begun so by an older leat) */
  int64_t seen;               /* admitted rows before the reference was frozen */
  leat_batch *sample;
  uint32_t schema;            /* the sample's */
  int64_t n_sample;
  double shown[WATCH_SAMPLE];
  leat_monitor *m;            /* once it is frozen */
  double *room;               /* of a stretch: values, probabilities, outcomes */
  uint64_t room_cap;
  lt_col *col;
  uint64_t col_cap;
};

/* ---------------------------------------------------------------------------------------------- life */

static void watch_plan(lt_ln_watch *w, int64_t reference, int whole) {
  int64_t stride = (whole ? reference : reference / 2) / WATCH_SAMPLE;
  w->whole = whole;
  w->stride = stride > 0 ? stride : 1;
  w->rows = whole ? WATCH_SAMPLE * w->stride : reference;
}
static int watch_grows(const lt_ln_watch *w) { return w->m && w->seen < w->rows; }

leat_status lt_ln_watch_open(leat_learner *l, leat_error *err) {
  const leat_params *p = l->settings;
  lt_ln_watch *w = lt_zalloc(l->rt, sizeof *w);
  if (!w) return lt_fail_memory(err, sizeof *w, "monitors");
  l->watch = w;
  int64_t reference = lt_param_int(p, "monitor_reference");
  if (lt_param_int(p, "monitor")) watch_plan(w, reference, reference <= 2 * WATCH_SAMPLE);
  leat_status st = lt_params_create(l->rt, &lt_spec_monitor, &w->settings, err);
  if (!st) st = lt_params_set_i64(w->settings, "window", lt_param_int(p, "monitor_window"), err);
  if (!st) st = lt_params_set_f64(w->settings, "window_seconds", lt_param_real(p, "monitor_seconds"), err);
  if (!st) st = lt_params_set_f64(w->settings, "warn", lt_param_real(p, "monitor_warn"), err);
  if (!st) st = lt_params_set_f64(w->settings, "alert", lt_param_real(p, "monitor_alert"), err);
  return st;
}

void lt_ln_watch_free(leat_learner *l) {
  lt_ln_watch *w = l->watch;
  if (!w) return;
  if (l->o) l->o->profiles = NULL;
  lt_params_free(w->settings);
  lt_batch_free(w->sample);
  lt_monitor_free(w->m);
  lt_free(l->rt, w->room);
  lt_free(l->rt, w->col);
  lt_free(l->rt, w);
  l->watch = NULL;
}

int lt_ln_watches(const leat_learner *l) { return l->watch && l->watch->stride > 0; }

int64_t lt_ln_watch_room(const leat_learner *l) {
  const lt_ln_watch *w = l->watch;
  int64_t n = watch_grows(w) ? w->rows - w->seen : w->m ? lt_monitor_room(w->m) : WATCH_SAMPLE * w->stride - w->seen;
  return n > 0 ? n : 1;
}

/* ---------------------------------------------------------------------------------------------- the reference */

/* Snapshots carry it from here on, so that `leat monitor` can compare with them. */
static void watch_show(leat_learner *l) {
  l->o->profiles = lt_monitor_reference(l->watch->m, &l->o->n_profiles);
}

static leat_status watch_freeze(leat_learner *l, leat_error *err) {
  lt_ln_watch *w = l->watch;
  lt_rows v;
  lt_batch_rows(w->sample, &v);
  leat_status st = lt_monitor_of(&v, w->shown, w->settings, &w->m, err);
  if (st) return st;
  lt_batch_free(w->sample);
  w->sample = NULL;
  w->n_sample = 0;
  if (w->whole) watch_show(l);
  else lt_monitor_refer_begin(w->m);
  return LEAT_OK;
}

/* Row r into the sample: numbers and labels, no text and no raw bytes. */
static leat_status watch_keep(leat_learner *l, const lt_ln_stretch *s, int64_t r, double shown, leat_error *err) {
  lt_ln_watch *w = l->watch;
  leat_schema *own = l->schema[s->schema].s;
  lt_rows v = *s->rows;
  leat_status st = LEAT_OK;
  if (!w->sample) {
    w->schema = s->schema;
    st = lt_batch_create(l->rt, own, &w->sample, err);
  }
  if (st || w->schema != s->schema) return st; /* rows of other columns are no sample of these */
  st = lt_batch_take_schema(w->sample, own, err);
  if (!st) st = lt_grow(l->rt, (void **)&w->col, &w->col_cap, (uint64_t)own->n, sizeof *w->col, err);
  if (st) return st;
  for (int64_t i = 0; i < own->n; i++) {
    w->col[i] = v.col[i];
    if (lt_column_is_text(&own->col[i])) memset(&w->col[i], 0, sizeof w->col[i]);
  }
  v.schema = own;
  v.col = w->col;
  v.side = NULL;
  st = lt_batch_append(w->sample, &v, r, 1, err);
  if (!st) w->shown[w->n_sample++] = shown;
  return st;
}

/* ---------------------------------------------------------------------------------------------- windows */

static leat_status watch_tell(leat_learner *l, const leat_drift_info *i, int over, int64_t since, leat_error *err) {
  leat_event e = {0};
  char a[40], b[40];
  e.kind = over ? LEAT_EVENT_DRIFT_OVER : LEAT_EVENT_DRIFT;
  e.version = l->live_version;
  e.value = i->value;
  e.threshold = i->alert;
  snprintf(e.name, sizeof e.name, "%.63s", i->name);
  snprintf(e.text, sizeof e.text, "%s %.63s: %s of the rows, %s before; since row %lld of those that are compared", over ? "worst cell now" : "worst cell",
           i->worst_cell, lt_few_digits(i->share, a), lt_few_digits(i->reference_share, b), (long long)since);
  return lt_ln_event(l, &e, err);
}

static leat_status watch_closed(leat_learner *l, leat_error *err) {
  lt_ln_watch *w = l->watch;
  leat_status st = LEAT_OK;
  int fresh = !lt_series_has_drift(l->series, l->o->learned);
  for (int64_t k = 0; k < lt_monitor_count(w->m) && !st; k++) {
    leat_drift_info i = {.struct_size = sizeof i};
    int64_t before, since;
    st = lt_monitor_at(w->m, k, &i, err);
    if (st) break;
    lt_monitor_change(w->m, k, &before, &since);
    if (i.state == LEAT_DRIFT_ALERT && before != LEAT_DRIFT_ALERT) st = watch_tell(l, &i, 0, since, err);
    if (i.state != LEAT_DRIFT_ALERT && before == LEAT_DRIFT_ALERT) st = watch_tell(l, &i, 1, since, err);
    if (!st && fresh && (k < WATCH_LISTED || i.state > LEAT_DRIFT_OK)) st = lt_series_add_drift(l->series, l->o->learned, l->learned_ns, since, &i, err);
  }
  return st || !fresh ? st : lt_series_drift_end(l->series, l->o->learned, err);
}

/* ---------------------------------------------------------------------------------------------- rows */

/* What was predicted: the number, P(class 1), or the class that is most likely, and its probability. */
static void watch_shown(leat_learner *l, const lt_ln_stretch *s, int64_t n, const double *p, int64_t outs, double *room) {
  double *value = room, *sure = room + n, *right = room + 2 * n;
  for (int64_t i = 0; i < n; i++) {
    const double *q = p + i * outs;
    int64_t best = 0;
    for (int64_t k = 1; k < outs; k++)
      if (q[k] > q[best]) best = k;
    double y = lt_ln_own_label(l, &l->schema[s->schema], s->rows, s->from + i);
    value[i] = outs > 1 ? (double)best : q[0];
    sure[i] = q[best];
    right[i] = isnan(y) ? (double)NAN : outs > 1 ? y == (double)best : y == 1;
  }
}

leat_status lt_ln_watch_rows(leat_learner *l, const lt_ln_stretch *s, int64_t n, const double *p, int64_t outs, leat_error *err) {
  lt_ln_watch *w = l->watch;
  int64_t at = 0;
  leat_status st = lt_grow(l->rt, (void **)&w->room, &w->room_cap, 3 * (uint64_t)n, sizeof *w->room, err);
  if (st) return st;
  watch_shown(l, s, n, p, outs, w->room);
  for (; at < n && !w->m && !st; at++) {
    uint32_t draw[4];
    lt_philox(3, 1, (uint64_t)(w->seen / w->stride), draw);
    if (w->seen % w->stride == (int64_t)(draw[0] % (uint64_t)w->stride) && w->n_sample < WATCH_SAMPLE) st = watch_keep(l, s, s->from + at, w->room[at], err);
    w->seen++;
    if (!st && w->seen >= WATCH_SAMPLE * w->stride && w->n_sample > 0) st = watch_freeze(l, err);
  }
  if (at < n && !st && watch_grows(w)) {
    int64_t rows = w->rows - w->seen < n - at ? w->rows - w->seen : n - at;
    st = lt_monitor_refer(w->m, s->rows, s->from + at, rows, w->room + at, err);
    if (st) return st;
    w->seen += rows;
    at += rows;
    if (!watch_grows(w)) watch_show(l);
  }
  while (at < n && !st) {
    lt_monitor_shown shown = {w->room + at, l->o->m->regression ? NULL : w->room + n + at, w->room + 2 * n + at};
    int64_t done = 0;
    int closed = 0;
    st = lt_monitor_rows(w->m, s->rows, s->from + at, n - at, l->learned_ns, &shown, &done, &closed, err);
    at += done;
    if (!st && closed) st = watch_closed(l, err);
  }
  return st;
}

/* ---------------------------------------------------------------------------------------------- by the clock */

void lt_learner_look(leat_learner *l) {
  leat_error e = {.struct_size = sizeof e};
  int64_t now = lt_now_ns(l->rt);
  if (l->stopped || !l->o || (l->looked_ns && now >= l->looked_ns && now - l->looked_ns < 1000000000)) return;
  l->looked_ns = now;
  if (lt_pending_count(l->pending) == 0) l->waiting_since = 0;
  else if (!l->waiting_since) l->waiting_since = now;
  double silent = l->waiting_since ? (double)(now - l->waiting_since) / 1e9 : 0, age = l->learned_ns ? (double)(now - l->learned_ns) / 1e9 : 0;
  leat_status st = lt_alert_step(&l->silent, l->store, "(labels)", silent, lt_param_real(l->settings, "alert_silence"), l->o->learned,
                                 "seconds that predictions wait and no label has come", &e);
  if (!st) st = lt_alert_step(&l->old, l->store, "(age)", age, lt_param_real(l->settings, "alert_age"), l->o->learned,
                              "seconds since the last record was learned", &e);
  if (st) lt_log(l->rt, LEAT_LOG_WARN, "%s: an alert cannot be noted: %s", lt_folder_path(l->store), e.message);
}

/* ---------------------------------------------------------------------------------------------- to bytes and back */

void lt_ln_watch_save(const leat_learner *l, lt_put *to) {
  const lt_ln_watch *w = l->watch;
  lt_put_i64(to, w->seen);
  lt_put_u8(to, watch_grows(w) ? WATCH_GROWS : w->m ? WATCH_MONITOR : !w->sample ? WATCH_NOTHING : w->whole ? WATCH_WHOLE : WATCH_CELLS);
  if (w->m) lt_monitor_save(w->m, to);
  else if (w->sample) {
    lt_rows v;
    lt_batch_rows(w->sample, &v);
    lt_put_u32(to, w->schema);
    lt_put_f64s(to, w->shown, (uint64_t)w->n_sample);
    lt_rows_save(&v, to);
  }
}

static leat_status restore_sample(leat_learner *l, lt_get *g, leat_error *err) {
  lt_ln_watch *w = l->watch;
  uint64_t n = 0;
  w->schema = lt_get_u32(g);
  double *shown = lt_get_f64s(g, &n);
  if (w->schema >= l->n_schemas || n < 1 || n > WATCH_SAMPLE || !shown) lt_get_fail(g, LEAT_E_FORMAT);
  if (!g->failed) memcpy(w->shown, shown, (size_t)n * sizeof *shown);
  lt_free(l->rt, shown);
  if (g->failed) return LEAT_OK;
  w->n_sample = (int64_t)n;
  leat_status st = lt_rows_load(l->rt, l->schema[w->schema].s, g, &w->sample, err);
  lt_rows v;
  if (!st) lt_batch_rows(w->sample, &v);
  if (!st && v.n != w->n_sample) lt_get_fail(g, LEAT_E_FORMAT);
  return st;
}

leat_status lt_ln_watch_restore(leat_learner *l, lt_get *g, leat_error *err) {
  lt_ln_watch *w = l->watch;
  w->seen = lt_get_i64(g);
  uint8_t what = lt_get_u8(g);
  if (w->seen < 0 || what > WATCH_GROWS) lt_get_fail(g, LEAT_E_FORMAT);
  if (g->failed || what == WATCH_NOTHING) return LEAT_OK;
  if (w->stride > 0 && what == WATCH_WHOLE && !w->whole) watch_plan(w, lt_param_int(l->settings, "monitor_reference"), 1);
  if (what == WATCH_WHOLE || what == WATCH_CELLS) return restore_sample(l, g, err);
  leat_status st = lt_monitor_load(l->rt, NULL, g, &w->m, err);
  if (st) return st;
  if (what == WATCH_MONITOR) w->rows = w->seen < w->rows ? w->seen : w->rows; /* an older leat's stretches may have ended earlier */
  if (watch_grows(w) != (what == WATCH_GROWS)) lt_get_fail(g, LEAT_E_FORMAT);
  if (!g->failed && what == WATCH_MONITOR) watch_show(l);
  return LEAT_OK;
}
