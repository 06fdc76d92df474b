/* GET /metrics in Prometheus' text format 0.0.4, and the same numbers as JSON for the page. Base units, histograms, no
 * summaries: what several servers say can be added up. */
#include "serve.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_counts(serve_counts *to, const serve_counts *from) {
  const uint64_t *f = (const uint64_t *)(const void *)from;
  uint64_t *t = (uint64_t *)(void *)to;
  size_t plain = offsetof(serve_counts, phase) / sizeof *t;
  for (size_t i = 0; i < plain; i++) t[i] += __atomic_load_n(&f[i], __ATOMIC_RELAXED);
  for (int p = 0; p < SERVE_PHASES; p++) {
    double sum;
    for (int b = 0; b < SERVE_BUCKETS; b++)
      to->phase[p].bucket[b] += __atomic_load_n(&from->phase[p].bucket[b], __ATOMIC_RELAXED);
    to->phase[p].count += __atomic_load_n(&from->phase[p].count, __ATOMIC_RELAXED);
    __atomic_load(&from->phase[p].sum, &sum, __ATOMIC_RELAXED);
    to->phase[p].sum += sum;
  }
}

void serve_totals(serve_server *s, serve_counts *out) {
  memset(out, 0, sizeof *out);
  for (int i = 0; i < s->n_workers; i++) add_counts(out, &s->worker[i]->counts);
  if (s->admin) add_counts(out, &s->admin->counts);
}

/* ---- text */

typedef struct text { struct evbuffer *b; char model[600]; } text;

/* A label's value: backslash, quote and newline are escaped. */
static void label_text(const char *s, char *out, size_t cap) {
  size_t n = 0;
  for (; *s && n + 3 < cap; s++) {
    if (*s == '\\' || *s == '"' || *s == '\n') out[n++] = '\\';
    out[n++] = *s == '\n' ? 'n' : *s;
  }
  out[n] = 0;
}

static void head(text *t, const char *name, const char *type, const char *help) {
  evbuffer_add_printf(t->b, "# HELP leat_%s %s\n# TYPE leat_%s %s\n", name, help, name, type);
}

static void value(text *t, const char *name, const char *labels, double v) {
  evbuffer_add_printf(t->b, "leat_%s{model=\"%s\"%s%s} ", name, t->model, *labels ? "," : "", labels);
  if (isnan(v)) evbuffer_add(t->b, "NaN\n", 4);
  else if (isinf(v)) evbuffer_add_printf(t->b, "%sInf\n", v < 0 ? "-" : "+");
  else evbuffer_add_printf(t->b, "%.15g\n", v);
}

static void one(text *t, const char *name, const char *type, const char *help, double v) {
  head(t, name, type, help);
  value(t, name, "", v);
}

static void put_requests(text *t, const serve_counts *all) {
  char labels[64];
  head(t, "inference_requests_total", "counter", "Requests to predict, by HTTP status.");
  for (int i = 0; i < SERVE_CODES; i++) {
    snprintf(labels, sizeof labels, serve_codes[i] ? "code=\"%d\"" : "code=\"other\"", serve_codes[i]);
    value(t, "inference_requests_total", labels, (double)all->infer[i]);
  }
  head(t, "http_requests_total", "counter", "All requests, by HTTP status.");
  for (int i = 0; i < SERVE_CODES; i++) {
    snprintf(labels, sizeof labels, serve_codes[i] ? "code=\"%d\"" : "code=\"other\"", serve_codes[i]);
    value(t, "http_requests_total", labels, (double)all->http[i]);
  }
  one(t, "inference_rows_total", "counter", "Rows predicted.", (double)all->rows);
  one(t, "inference_not_finite_total", "counter", "Answers withheld because a prediction was not finite.",
      (double)all->not_finite);
  one(t, "requests_refused_total", "counter", "Requests refused because too many were waiting.", (double)all->refused);
  one(t, "connections_ended_total", "counter", "Connections ended for being too slow, too large or idle.",
      (double)all->timeouts);
}

static void put_phases(text *t, const serve_counts *all) {
  static const char *const phase[] = { "total", "parse", "compute", "encode", "queue" };
  char labels[96];
  head(t, "inference_duration_seconds", "histogram", "Time a request to predict takes in the server, by phase.");
  for (int p = 0; p < SERVE_PHASES; p++) {
    const serve_histogram *h = &all->phase[p];
    uint64_t sum = 0;
    for (int b = 0; b < SERVE_BUCKETS; b++) {
      sum += h->bucket[b];
      if (b < SERVE_BUCKETS - 1) snprintf(labels, sizeof labels, "phase=\"%s\",le=\"%g\"", phase[p], serve_bounds[b]);
      else snprintf(labels, sizeof labels, "phase=\"%s\",le=\"+Inf\"", phase[p]);
      value(t, "inference_duration_seconds_bucket", labels, (double)sum);
    }
    snprintf(labels, sizeof labels, "phase=\"%s\"", phase[p]);
    value(t, "inference_duration_seconds_sum", labels, h->sum);
    value(t, "inference_duration_seconds_count", labels, (double)sum);
  }
}

/* What the library counts of its own operations. Its buckets end at powers of two of a nanosecond: every second one is given. */
static void put_operations(text *t, serve_server *s) {
  static const char *const operation[] = { "predict_one", "predict_rows", "learn", "journal_sync", "snapshot", "version_add", "version_swap" };
  int64_t upper[1200], count[1200];
  char labels[96];
  head(t, "operation_duration_seconds", "histogram", "Time the library's operations take.");
  for (int op = 0; op < 7; op++) {
    leat_latency l = { .struct_size = sizeof l };
    int64_t n = 0, at = 0, sum = 0;
    if (leat_runtime_latency(s->rt, op, &l, NULL) || !l.count || leat_runtime_latency_buckets(s->rt, op, upper, count, 1200, &n, NULL)) continue;
    for (int bit = 10; bit <= 36; bit += 2) {
      while (at < n && upper[at] < (int64_t)1 << bit) sum += count[at++];
      snprintf(labels, sizeof labels, "operation=\"%s\",le=\"%g\"", operation[op], (double)((int64_t)1 << bit) / 1e9);
      value(t, "operation_duration_seconds_bucket", labels, (double)sum);
    }
    while (at < n) sum += count[at++];
    snprintf(labels, sizeof labels, "operation=\"%s\",le=\"+Inf\"", operation[op]);
    value(t, "operation_duration_seconds_bucket", labels, (double)sum);
    snprintf(labels, sizeof labels, "operation=\"%s\"", operation[op]);
    value(t, "operation_duration_seconds_sum", labels, (double)l.sum_ns / 1e9);
    value(t, "operation_duration_seconds_count", labels, (double)sum);
  }
}

static void put_model(text *t, serve_server *s) {
  leat_endpoint_state e = { .struct_size = sizeof e };
  char labels[96];
  leat_endpoint_get_state(s->endpoint, &e, NULL);
  one(t, "model_ready", "gauge", "1 when a version is served.", e.version > 0);
  one(t, "model_version", "gauge", "The version that is served, 0 none.", (double)e.version);
  one(t, "store_generation", "gauge", "The store's generation when it was looked at last.", (double)e.generation);
  one(t, "model_swaps_total", "counter", "Versions that were swapped in.", (double)e.serial);
  one(t, "model_failures_total", "counter", "Versions that did not load or failed their self-test.", (double)e.failures);
  one(t, "model_fallback", "gauge", "1 while an older version is served because the one that should be does not load.",
      e.failed_version > 0);
  one(t, "model_load_seconds", "gauge", "What the last load, self-test and warm-up took.", (double)e.load_ns / 1e9);
  one(t, "model_since_seconds", "gauge", "For how long the version has been served.", e.since_ns
      ? (double)(serve_wall_ns() - e.since_ns) / 1e9 : 0);
  int64_t n = 0, cursor = 0, rollbacks[32] = { 0 };
  serve_staleness stale;
  serve_staleness_now(s, &stale);
  one(t, "model_age_seconds", "gauge",
      "Since the version that is served was made; of a learner's live model: since it learned.",
      stale.age);
  one(t, "model_staleness", "gauge", "0 fresh, 1 aging (half of a limit is used up), 2 stale.", stale.state);
  head(t, "model_staleness_used", "gauge", "How much of each limit of staleness is used up; 1: stale.");
  for (int i = 0; i < STALE_LIMITS; i++) {
    snprintf(labels, sizeof labels, "limit=\"%s\"", serve_limit_words[i]);
    value(t, "model_staleness_used", labels, stale.used[i]);
  }
  leat_store_count(s->store, &n, NULL);
  one(t, "store_versions", "gauge", "Versions in the store.", (double)n);
  leat_event event = { .struct_size = sizeof event };
  while (leat_store_history(s->store, &cursor, &event, NULL) == LEAT_OK)
    if (event.kind > 0 && event.kind < 32) rollbacks[event.kind]++;
  static const struct { int64_t kind; const char *trigger; } kinds[] = {
    { LEAT_EVENT_STAGE_BACK, "stage" }, { LEAT_EVENT_ROLLBACK, "evidence" }, { LEAT_EVENT_PIN_BACK, "pin" },
        { LEAT_EVENT_UNDO, "undo" },
    { LEAT_EVENT_ROLLBACK_BY_HAND, "hand" }, { LEAT_EVENT_NON_FINITE, "non_finite" }, { LEAT_EVENT_RESTART, "restart" },
  };
  head(t, "model_rollbacks_total", "counter", "Rollbacks and restarts in the store's life, by trigger.");
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    snprintf(labels, sizeof labels, "trigger=\"%s\"", kinds[i].trigger);
    value(t, "model_rollbacks_total", labels, (double)rollbacks[kinds[i].kind]);
  }
}

static void put_learner(text *t, serve_server *s) {
  leat_learner_state l = { .struct_size = sizeof l };
  if (!serve_learn_state(s, &l)) return;
  head(t, "learn_rows_total", "counter", "Records of the learner's life, by what became of them.");
  value(t, "learn_rows_total", "result=\"learned\"", (double)l.rows_learned);
  value(t, "learn_rows_total", "result=\"quarantined\"", (double)l.rows_quarantined);
  value(t, "learn_rows_total", "result=\"duplicate\"", (double)l.rows_duplicate);
  one(t, "learn_mode", "gauge", "1 learning, 2 frozen, 3 stopped.", (double)l.mode);
  one(t, "learn_labels_pending", "gauge", "Predictions that wait for their labels.", (double)l.labels_pending);
  one(t, "learn_labels_unmatched_total", "counter", "Labels whose prediction was not waiting.", (double)l.labels_unmatched);
  one(t, "learn_labels_expired_total", "counter", "Predictions whose labels never came.", (double)l.labels_expired);
  one(t, "learn_journal_bytes", "gauge", "Bytes of the journal.", (double)l.journal_bytes);
  one(t, "learn_seconds_since_last", "gauge", "Since the last record was learned, when the learner last answered.",
      (double)l.model_age_ns / 1e9);
  one(t, "learn_suspect", "gauge", "1 while a suspect period is open.", (double)l.suspect);
  json_t *o = json_object(), *sets;
  serve_learn_metrics(s, o);
  sets = json_object_get(o, "metrics");
  const char *set, *name;
  json_t *metrics, *v;
  head(t, "learn_metric", "gauge", "Progressive metrics and their baselines.");
  json_object_foreach(sets, set, metrics) json_object_foreach(metrics, name, v) {
    char labels[128];
    snprintf(labels, sizeof labels, "set=\"%s\",metric=\"%s\"", set, name);
    if (json_is_number(v)) value(t, "learn_metric", labels, json_number_value(v));
  }
  json_decref(o);
}

/* Labels by how long their predictions have waited; 0.1 s to a week. */
static void put_delays(text *t, const int64_t *delay, double seconds) {
  static const char *const bound[] = { "0.1", "1", "10", "60", "300", "1800", "3600", "21600", "86400", "259200",
    "604800", "+Inf" };
  int64_t n = 0;
  head(t, "label_delay_seconds", "histogram", "How long predictions have waited for their labels.");
  for (int b = 0; b < LEAT_DELAY_BUCKETS; b++) {
    char labels[32];
    snprintf(labels, sizeof labels, "le=\"%s\"", bound[b]);
    value(t, "label_delay_seconds_bucket", labels, (double)(n += delay[b]));
  }
  value(t, "label_delay_seconds_sum", "", seconds);
  value(t, "label_delay_seconds_count", "", (double)n);
}

/* What became of the predictions with keys: of the learner's, where there is one, else of the endpoint's. */
static void put_scores(text *t, serve_server *s) {
  leat_score_state c = { .struct_size = sizeof c };
  leat_learner_state l = { .struct_size = sizeof l };
  leat_endpoint_get_scores(s->endpoint, &c, NULL);
  if (serve_learn_state(s, &l)) {
    put_delays(t, l.label_delay, l.label_delay_seconds);
    json_t *of_learner = serve_drift_calibration(s);
    if (of_learner)
      one(t, "calibration_error", "gauge", "Expected calibration error over the learner's last window.",
          json_number_value(of_learner));
    json_decref(of_learner);
    return;
  }
  put_delays(t, c.delay, c.delay_seconds);
  one(t, "calibration_error", "gauge", "Expected calibration error over some 10000 labels; NaN: no labels.",
      c.calibration_error);
  one(t, "calibration_ratio", "gauge", "Predicted over happened; 1 is right on average; NaN: no labels.",
      c.calibration_ratio);
  one(t, "served_loss", "gauge", "Loss of what was answered, faded over 1000 labels; NaN: no labels.", c.loss);
  one(t, "predictions_noted_total", "counter", "Predictions with a key.", (double)c.noted);
  one(t, "predictions_dropped_total", "counter", "Predictions with a key for which there was no room.", (double)c.dropped);
  one(t, "predictions_expired_total", "counter", "Predictions whose labels never came.", (double)c.expired);
  one(t, "predictions_waiting", "gauge", "Predictions that wait for their labels.", (double)c.waiting);
  one(t, "labels_scored_total", "counter", "Labels for which a prediction waited.", (double)c.scored);
  one(t, "labels_unmatched_total", "counter", "Labels for which none did.", (double)c.unmatched);
}

static void put_trial(text *t, serve_server *s, const serve_counts *all) {
  leat_trial_state r = { .struct_size = sizeof r };
  leat_endpoint_get_trial(s->endpoint, &r, NULL);
  one(t, "trial_phase", "gauge", "0 none, 1 shadow, 2 canary, 3 promoted, 4 aborted.", (double)r.phase);
  one(t, "trial_rows_total", "counter", "Rows that a trial's candidate has answered.", (double)all->candidate_rows);
  if (!r.phase) return;
  one(t, "trial_version", "gauge", "The candidate of the trial, or of the last one.", (double)r.version);
  one(t, "trial_share", "gauge", "The share of the keys that it answers.", r.share);
  one(t, "trial_step", "gauge", "The step; 0 is shadow.", (double)r.step);
  one(t, "trial_labels", "gauge", "Labelled rows that both have predicted.", (double)r.labels);
  head(t, "trial_loss", "gauge", "Mean loss over them, by version.");
  value(t, "trial_loss", "of=\"candidate\"", r.loss);
  value(t, "trial_loss", "of=\"served\"", r.against_loss);
  head(t, "trial_evidence", "gauge", "Evidence that the candidate is no worse (of this step), and that it is worse.");
  value(t, "trial_evidence", "that=\"no_worse\"", r.no_worse);
  value(t, "trial_evidence", "that=\"worse\"", r.worse);
  head(t, "trial_evidence_limit", "gauge", "Evidence at which a step is taken.");
  value(t, "trial_evidence_limit", "step=\"forward\"", r.evidence);
  value(t, "trial_evidence_limit", "step=\"back\"", r.caution);
  value(t, "trial_evidence_limit", "step=\"abort\"", r.alarm);
}

static void put_alerts(text *t, serve_server *s) {
  static const char *const metric[] = { "alert", "alert_threshold", "alert_since_seconds" };
  static const char *const key[] = { "value", "threshold", "since" };
  static const char *const help[] = { "An alert that is open, of a monitor or by the clock: its value when it was raised.", "Its limit.",
                                      "When it was raised, in seconds since 1970." };
  json_t *all = serve_alerts_json(s), *a;
  for (int i = 0; i < 3 && json_object_size(all); i++) {
    const char *name;
    head(t, metric[i], "gauge", help[i]);
    json_object_foreach(all, name, a) {
      char words[300], labels[340];
      label_text(name, words, sizeof words);
      snprintf(labels, sizeof labels, "name=\"%s\"", words);
      value(t, metric[i], labels, json_number_value(json_object_get(a, key[i])));
    }
  }
  json_decref(all);
}

static void put_drift(text *t, serve_server *s) {
  json_t *all = serve_drift_json(s), *f;
  size_t i;
  if (json_array_size(all)) {
    for (int what = 0; what < 2; what++) {
      if (what == 0)
        head(t, "drift_score", "gauge", "Population stability index of a feature over the served rows of its last window.");
      else head(t, "drift_state", "gauge", "0 too few rows, 1 ok, 2 warn, 3 alert.");
      json_array_foreach(all, i, f) {
        char name[300], labels[340];
        json_t *v = json_object_get(f, what ? "code" : "psi");
        if (!json_is_number(v)) continue;
        label_text(json_string_value(json_object_get(f, "name")), name, sizeof name);
        snprintf(labels, sizeof labels, "feature=\"%s\"", name);
        value(t, what ? "drift_state" : "drift_score", labels, json_number_value(v));
      }
    }
  }
  json_decref(all);
  one(t, "drift_rows_total", "counter", "Served rows that were compared with the reference.",
      (double)__atomic_load_n(&s->drifted_rows, __ATOMIC_RELAXED));
}

static void put_quarantine(text *t, serve_server *s) {
  leat_quarantine *q = NULL;
  if (leat_quarantine_open(s->store, &q, NULL)) return;
  head(t, "quarantine_records", "gauge", "Records held back, by reason.");
  for (int reason = 100; reason <= 900; reason++) {
    int64_t n = 0;
    char labels[96];
    const char *name = leat_reason_name(reason);
    if (strcmp(name, "unknown") == 0 || leat_quarantine_count(q, reason, &n, NULL)) continue;
    snprintf(labels, sizeof labels, "reason=\"%s\"", name);
    value(t, "quarantine_records", labels, (double)n);
  }
  leat_quarantine_free(q);
}

static void put_tables(text *t, serve_server *s, const serve_counts *all) {
  static const char *const word[] = { "", "miss", "hit", "default", "fallback", "stale" };
  char name[300], labels[400];
  if (!s->n_tables) return;
  head(t, "table_lookups_total", "counter", "Look-ups in tables of predictions, by result.");
  for (int i = 0; i < s->n_tables; i++)
    for (int k = 1; k < 6; k++) {
      label_text(s->table[i].name, name, sizeof name);
      snprintf(labels, sizeof labels, "table=\"%s\",result=\"%s\"", name, word[k]);
      value(t, "table_lookups_total", labels, (double)all->lookups[i][k]);
    }
}

void serve_metrics(serve_request *q) {
  serve_server *s = q->s;
  serve_counts all;
  text t = { evbuffer_new(), "" };
  if (!t.b) {
    serve_error(q, 503, "no memory for the metrics");
    return;
  }
  serve_totals(s, &all);
  label_text(s->name, t.model, sizeof t.model);
  put_requests(&t, &all);
  put_phases(&t, &all);
  put_operations(&t, s);
  one(&t, "pending_requests", "gauge", "Requests that are coming in or at work.", (double)__atomic_load_n(&s->pending,
      __ATOMIC_RELAXED));
  one(&t, "held_bytes", "gauge", "Bytes of request bodies in memory.", (double)__atomic_load_n(&s->held_bytes,
                                                                                               __ATOMIC_RELAXED));
  one(&t, "uptime_seconds", "gauge", "Since the server started.", (double)(serve_now_ns() - s->started_ns) / 1e9);
  put_model(&t, s);
  put_learner(&t, s);
  put_scores(&t, s);
  put_trial(&t, s, &all);
  put_alerts(&t, s);
  put_drift(&t, s);
  put_quarantine(&t, s);
  put_tables(&t, s, &all);
  serve_reply(q, 200, "text/plain; version=0.0.4; charset=utf-8", t.b);
}

/* ---- JSON for the page */

static json_t *versions_json(serve_server *s) {
  json_t *all = json_array();
  int64_t n = 0;
  leat_store_count(s->store, &n, NULL);
  for (int64_t i = n > 20 ? n - 20 : 0; i < n; i++) {
    leat_version_info v = { .struct_size = sizeof v };
    if (leat_store_at(s->store, i, &v, NULL)) continue;
    json_array_append_new(all, json_pack("{s:I,s:I,s:s,s:s,s:f,s:o}", "version", (json_int_t)v.version, "rows",
                                         (json_int_t)v.rows_learned, "origin", v.origin,
                                         "stages", v.stages, "created", (double)v.created_ns / 1e9, "loss",
                                         isfinite(v.loss) ? json_real(v.loss) : json_null()));
  }
  return all;
}

static json_t *finite_or_null(double v) { return isfinite(v) ? json_real(v) : json_null(); }

/* The learner's series, thinned to 200 points. */
static json_t *series_json(serve_server *s) {
  leat_point p = { .struct_size = sizeof p };
  json_t *all = json_array();
  int64_t cursor = 0, n = 0, step = 1;
  for (int pass = 0; pass < 2; pass++) {
    cursor = 0;
    for (int64_t i = 0; leat_store_series(s->store, &cursor, &p, NULL) == LEAT_OK; i++) {
      if (pass == 0) n++;
      else if ((n - 1 - i) % step == 0)
        json_array_append_new(all, json_pack("[I,o,o,o]", (json_int_t)p.row, finite_or_null(p.loss),
                                             finite_or_null(p.no_change_loss), finite_or_null(p.majority_loss)));
    }
    step = n / 200 + 1;
  }
  return all;
}

static json_t *quarantine_json(serve_server *s) {
  leat_quarantine *q = NULL;
  json_t *o = json_object();
  if (leat_quarantine_open(s->store, &q, NULL)) return o;
  for (int reason = 100; reason <= 900; reason++) {
    int64_t n = 0;
    const char *name = leat_reason_name(reason);
    if (strcmp(name, "unknown") != 0 && leat_quarantine_count(q, reason, &n, NULL) == LEAT_OK && n)
      json_object_set_new(o, name, json_integer((json_int_t)n));
  }
  leat_quarantine_free(q);
  return o;
}

json_t *serve_stats(serve_server *s) {
  serve_counts all;
  leat_endpoint_state e = { .struct_size = sizeof e };
  leat_learner_state l = { .struct_size = sizeof l };
  json_t *buckets = json_array(), *bounds = json_array();
  uint64_t errors = 0;
  serve_totals(s, &all);
  leat_endpoint_get_state(s->endpoint, &e, NULL);
  for (int i = 1; i < SERVE_CODES; i++) errors += all.infer[i];
  for (int b = 0; b < SERVE_BUCKETS; b++)
    json_array_append_new(buckets, json_integer((json_int_t)all.phase[PHASE_TOTAL].bucket[b]));
  for (int b = 0; b < SERVE_BUCKETS - 1; b++) json_array_append_new(bounds, json_real(serve_bounds[b]));
  json_t *o = json_pack("{s:s,s:f,s:I,s:I,s:I,s:o,s:o,s:I,s:{s:I,s:I,s:s,s:I,s:I,s:f,s:I,s:s}}", "model", s->name, "uptime",
                        (double)(serve_now_ns() - s->started_ns) / 1e9, "requests", (json_int_t)all.infer[0], "errors",
                            (json_int_t)errors, "rows",
                        (json_int_t)all.rows, "latency", buckets, "bounds", bounds, "pending",
                            (json_int_t)__atomic_load_n(&s->pending, __ATOMIC_RELAXED),
                        "endpoint", "version", (json_int_t)e.version, "previous", (json_int_t)e.previous_version, "stage",
                        e.stage, "generation",
                        (json_int_t)e.generation, "swaps", (json_int_t)e.serial, "since", (double)e.since_ns / 1e9,
                            "failed", (json_int_t)e.failed_version,
                        "failure", e.failure);
  json_object_set_new(o, "versions", versions_json(s));
  json_object_set_new(o, "series", series_json(s));
  json_object_set_new(o, "quarantine", quarantine_json(s));
  json_object_set_new(o, "drift", serve_drift_json(s));
  json_object_set_new(o, "trial", serve_trial_json(s));
  serve_staleness stale;
  serve_staleness_now(s, &stale);
  json_object_set_new(o, "staleness", json_pack("{s:s,s:s,s:f,s:f}", "state", serve_stale_words[stale.state], "limit",
                                                serve_limit_words[stale.worst], "used", stale.used[stale.worst], "age",
                                                    stale.age));
  json_object_set_new(o, "draining", json_boolean(__atomic_load_n(&s->draining, __ATOMIC_RELAXED)));
  if (serve_learn_state(s, &l)) {
    json_t *learner = json_pack("{s:I,s:I,s:I,s:I,s:I}", "mode", (json_int_t)l.mode, "learned",
                                (json_int_t)l.rows_learned, "quarantined",
                                (json_int_t)l.rows_quarantined, "pending", (json_int_t)l.labels_pending, "good",
                                    (json_int_t)l.good_version);
    serve_learn_metrics(s, learner);
    json_object_set_new(o, "learner", learner);
  }
  return o;
}
