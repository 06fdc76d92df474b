/* Drift of what is served: rows go into a small buffer, from which the follower feeds a monitor of the version's own
 * reference. When more rows come than it can hold between two looks, the rest is left out: monitoring never slows an
 * answer. */
#include "serve.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRIFT_ROWS = 4096, DRIFT_WINDOW = 10000, DRIFT_SECONDS = 3600 };
typedef struct serve_drift {
  pthread_mutex_t lock;
  double *x;
  int64_t version, rows, cols, cap, lost;
  leat_monitor *monitor;
  leat_schema *schema;
  int64_t monitored;        /* version; 0 none */
  json_t *told;             /* under lock */
  json_t *series;           /* under lock: what the learner's monitors said last, by name */
  int64_t cursor;
  json_t *alerts;           /* under lock: those that are open in the store's history, by name */
  int64_t history;
  int stale[STALE_LIMITS];  /* what this server has raised */
} serve_drift;

void serve_drift_start(serve_server *s) {
  s->drift = serve_alloc(sizeof *s->drift);
  pthread_mutex_init(&s->drift->lock, NULL);
}

static void drift_forget(serve_drift *d) {
  leat_monitor_free(d->monitor);
  leat_schema_free(d->schema);
  d->monitor = NULL;
  d->schema = NULL;
}

void serve_drift_stop(serve_server *s) {
  if (!s->drift) return;
  drift_forget(s->drift);
  json_decref(s->drift->told);
  json_decref(s->drift->series);
  json_decref(s->drift->alerts);
  free(s->drift->x);
  pthread_mutex_destroy(&s->drift->lock);
  free(s->drift);
  s->drift = NULL;
}

void serve_drift_note(serve_server *s, int64_t version, const double *x, int64_t rows, int64_t cols) {
  serve_drift *d = s->drift;
  if (cols > 4096 || pthread_mutex_trylock(&d->lock)) return;
  if (d->version != version || d->cols != cols) {
    d->version = version;
    d->cols = cols;
    d->rows = 0;
  }
  int64_t n = rows < DRIFT_ROWS - d->rows ? rows : DRIFT_ROWS - d->rows;
  if (d->x && d->cap >= DRIFT_ROWS * cols && n > 0) {
    memcpy(d->x + d->rows * cols, x, (size_t)(n * cols) * sizeof *x);
    d->rows += n;
  } else n = 0;
  d->lost += rows - n;
  pthread_mutex_unlock(&d->lock);
}

static void drift_begin(serve_server *s, serve_drift *d) {
  leat_lease lease = { .struct_size = sizeof lease };
  leat_params *p = NULL;
  if (leat_endpoint_acquire(s->endpoint, &lease, NULL)) return;
  if (lease.version != d->monitored) {
    int64_t cols = 0, out;
    drift_forget(d);
    pthread_mutex_lock(&d->lock);
    json_decref(d->told); /* of another version */
    d->told = NULL;
    pthread_mutex_unlock(&d->lock);
    d->monitored = lease.version;
    if (leat_params_create(s->rt, "monitor", &p, NULL) == LEAT_OK && leat_params_set_i64(p, "window", DRIFT_WINDOW, NULL) == LEAT_OK &&
        leat_params_set_f64(p, "window_seconds", DRIFT_SECONDS, NULL) == LEAT_OK &&
        leat_monitor_create(lease.model, p, &d->monitor, NULL) == LEAT_OK && leat_model_schema(lease.model, &d->schema,
                                                                                               NULL) == LEAT_OK &&
        leat_predictor_shape(lease.predictor, &cols, &out, NULL) == LEAT_OK && cols <= 4096) {
      pthread_mutex_lock(&d->lock);
      if (d->cap < DRIFT_ROWS * cols) {
        d->x = serve_grow(d->x, (size_t)(DRIFT_ROWS * cols) * sizeof *d->x);
        d->cap = DRIFT_ROWS * cols;
        d->rows = 0;
      }
      pthread_mutex_unlock(&d->lock);
    } else drift_forget(d); /* no reference in the package: nothing to compare with */
    leat_params_free(p);
  }
  leat_endpoint_release(s->endpoint, &lease);
}

static json_t *drift_entry(const leat_drift_info *i) {
  static const char *const word[] = { "insufficient", "ok", "warn", "alert" };
  return json_pack("{s:s,s:s,s:I,s:I,s:o,s:o,s:o,s:s}", "name", i->name, "state", word[i->state >= 0 && i->state <= 3
                                                                                       ? i->state : 0],
                   "code", (json_int_t)i->state, "rows", (json_int_t)i->rows, "psi",
                   isfinite(i->value) ? json_real(i->value) : json_null(), "warn", isfinite(i->warn) ? json_real(i->warn)
                       : json_null(),
                   "alert", isfinite(i->alert) ? json_real(i->alert) : json_null(), "worst", i->worst_cell);
}

/* A model that was born online carries no reference: its learner compares what it learns with its own first rows, and
 * writes what it finds at each window's end into the store. */
static void series_follow(serve_server *s, serve_drift *d) {
  leat_drift_point p = { .struct_size = sizeof p };
  while (leat_store_drift(s->store, &d->cursor, &p, NULL) == LEAT_OK) {
    pthread_mutex_lock(&d->lock);
    if (!d->series) d->series = json_object();
    json_object_set_new(d->series, p.drift.name, drift_entry(&p.drift));
    pthread_mutex_unlock(&d->lock);
  }
}

/* A limit of staleness that is used up is an alert in the store's history; it is over below half of it. A learner has its own. */
static void stale_follow(serve_server *s, serve_drift *d) {
  static const char *const name[STALE_LIMITS] = { "(served age)", "(served rows)", "(served labels)" };
  static const char *const text[STALE_LIMITS] = { "seconds since the served version was made", "rows predicted since it was swapped in",
                                                  "seconds that predictions wait and no label has come" };
  const double limit[STALE_LIMITS] = { (double)s->o.max_age, (double)s->o.max_rows, (double)s->o.max_silence };
  serve_staleness now;
  if (s->o.learn) return;
  serve_staleness_now(s, &now);
  for (int i = 0; i < STALE_LIMITS; i++) {
    int raised = d->stale[i] ? now.used[i] >= 0.5 : now.used[i] >= 1;
    if (raised == d->stale[i]) continue;
    d->stale[i] = raised;
    leat_store_alert(s->store, name[i], raised, now.used[i] * limit[i], limit[i], text[i], NULL);
  }
}

static void alerts_follow(serve_server *s, serve_drift *d) {
  leat_event e = { .struct_size = sizeof e };
  stale_follow(s, d);
  pthread_mutex_lock(&d->lock);
  if (!d->alerts) d->alerts = json_object();
  while (leat_store_history(s->store, &d->history, &e, NULL) == LEAT_OK) {
    if (e.kind == LEAT_EVENT_DRIFT || e.kind == LEAT_EVENT_ALERT)
      json_object_set_new(d->alerts, e.name, json_pack("{s:f,s:f,s:I}", "value", isfinite(e.value) ? e.value : 0, "threshold",
                                                       isfinite(e.threshold) ? e.threshold : 0, "since", (json_int_t)(e.time_ns / 1000000000)));
    else if (e.kind == LEAT_EVENT_DRIFT_OVER || e.kind == LEAT_EVENT_ALERT_OVER) json_object_del(d->alerts, e.name);
  }
  pthread_mutex_unlock(&d->lock);
}

json_t *serve_alerts_json(serve_server *s) {
  pthread_mutex_lock(&s->drift->lock);
  json_t *copy = s->drift->alerts ? json_deep_copy(s->drift->alerts) : json_object();
  pthread_mutex_unlock(&s->drift->lock);
  return copy;
}

json_t *serve_drift_calibration(serve_server *s) {
  pthread_mutex_lock(&s->drift->lock);
  json_t *v = json_object_get(json_object_get(s->drift->series, "(calibration)"), "psi");
  v = json_is_number(v) ? json_deep_copy(v) : NULL;
  pthread_mutex_unlock(&s->drift->lock);
  return v;
}

static json_t *drift_told(const serve_drift *d) {
  json_t *all = json_array();
  int64_t n = 0;
  leat_monitor_count(d->monitor, &n, NULL);
  for (int64_t i = 0; i < n && i < 200; i++) {
    leat_drift_info info = { .struct_size = sizeof info };
    if (leat_monitor_at(d->monitor, i, &info, NULL)) continue;
    json_array_append_new(all, drift_entry(&info));
  }
  return all;
}

void serve_drift_follow(serve_server *s) {
  serve_drift *d = s->drift;
  double *x = NULL;
  int64_t rows = 0, cols = 0;
  drift_begin(s, d);
  series_follow(s, d);
  alerts_follow(s, d);
  pthread_mutex_lock(&d->lock);
  if (d->monitor && d->rows && d->version == d->monitored) {
    rows = d->rows;
    cols = d->cols;
    x = malloc((size_t)(rows * cols) * sizeof *x);
    if (x) memcpy(x, d->x, (size_t)(rows * cols) * sizeof *x);
  }
  d->rows = 0;
  pthread_mutex_unlock(&d->lock);
  if (!x) return;
  leat_batch *b = NULL;
  leat_matrix m = { .struct_size = sizeof m, .data = x, .rows = rows, .cols = cols, .dtype = LEAT_F64 };
  if (leat_batch_create(s->rt, d->schema, &b, NULL) == LEAT_OK && leat_batch_set_dense(b, &m, NULL) == LEAT_OK &&
      leat_monitor_update(d->monitor, b, NULL) == LEAT_OK) {
    json_t *told = drift_told(d);
    __atomic_fetch_add(&s->drifted_rows, rows, __ATOMIC_RELAXED);
    pthread_mutex_lock(&d->lock);
    json_decref(d->told);
    d->told = told;
    pthread_mutex_unlock(&d->lock);
  }
  leat_batch_free(b);
  free(x);
}

/* What is served against the package's reference; what the learner's monitors said of the rest. */
json_t *serve_drift_json(serve_server *s) {
  const char *name;
  json_t *entry;
  pthread_mutex_lock(&s->drift->lock);
  json_t *copy = s->drift->told ? json_deep_copy(s->drift->told) : json_array();
  size_t own = json_array_size(copy);
  json_object_foreach(s->drift->series, name, entry) {
    int there = 0;
    for (size_t i = 0; i < own && !there; i++)
      there = strcmp(json_string_value(json_object_get(json_array_get(copy, i), "name")), name) == 0;
    if (!there && strcmp(name, "(calibration)") != 0 && json_array_size(copy) < 200)
      json_array_append_new(copy, json_deep_copy(entry));
  }
  pthread_mutex_unlock(&s->drift->lock);
  return copy;
}
