/* leat learn: a stream of records, each predicted before it is learned; everything in a store, which goes on after a crash. */
#include "cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 4096, SOURCE_BYTES = 255 };

typedef struct learn_run {
  const cli_args *a;
  leat_runtime *rt;
  leat_params *model, *settings, *reader, *place;
  leat_store *store;
  leat_learner *l;
  leat_model *from;
  leat_schema *schema;          /* to read with; NULL: found out */
  cli_data data;
  leat_batch *rows;
  char source[SOURCE_BYTES + 1];
  int64_t at;                   /* position of the next record of DATA */
  int64_t begun_at, done;       /* records taken in this run */
  int resumed;
  double seconds, committed;
  cli_progress line;
} learn_run;

/* ---- parameters */

static int set_i64(leat_params *p, const char *option, const char *name, int64_t value) {
  leat_error err;
  cli_error_init(&err);
  return leat_params_set_i64(p, name, value, &err) ? cli_wrong("--%s: %s", option, err.message) : 0;
}

/* --race: the list itself, or a file with one learner a line. */
static int set_race(learn_run *r) {
  const char *list = r->a->race;
  char *text = NULL, line[1024];
  leat_error err;
  cli_error_init(&err);
  if (!strchr(list, '=')) {
    FILE *f = fopen(list, "r");
    if (!f) return cli_fail("--race %s: cannot be opened: expected a file, or NAME=VALUE,...;NAME=VALUE,...", list);
    text = cli_text("%s", "");
    while (fgets(line, sizeof line, f)) {
      line[strcspn(line, "\r\n")] = 0;
      if (!line[0] || line[0] == '#') continue;
      char *longer = cli_text("%s%s%s", text, text[0] ? ";" : "", line);
      free(text);
      text = longer;
    }
    fclose(f);
  }
  int status = leat_params_set_text(r->settings, "race", text ? text : list, &err) ? cli_wrong("--race: %s", err.message) : 0;
  free(text);
  return status;
}

static int learn_params(learn_run *r) {
  const cli_args *a = r->a;
  leat_error err;
  cli_error_init(&err);
  int net = a->model && (strcmp(a->model, "mlp") == 0 || strcmp(a->model, "online/mlp") == 0);
  if (leat_params_create(r->rt, net ? "online/mlp" : "online/linear", &r->model, &err) || leat_params_create(r->rt, "learner", &r->settings, &err) ||
      leat_params_create(r->rt, "store", &r->place, &err))
    return cli_fail_error(&err);
  if (a->model && !net && strcmp(a->model, "linear") != 0 && strcmp(a->model, "online/linear") != 0 &&
      leat_params_set_text(r->model, "learner", a->model, &err))
    return cli_wrong("--model %s: %s", a->model, err.message);
  int status = a->chunk ? set_i64(r->settings, "chunk", "chunk", a->chunk) : 0;
  if (!status && a->label_delay) status = set_i64(r->settings, "label-delay", "label_delay", a->label_delay);
  if (!status && a->race) status = set_race(r);
  if (!status) status = cli_reader(a, r->rt, a->files[0], 1, &r->reader);
  /* a record that cannot be read goes to quarantine with its bytes; labels may come up at any time */
  static const char *const wanted[][2] = { { "errors", "keep" }, { "raw", "true" }, { "grow", "true" } };
  for (size_t i = 0; !status && i < sizeof wanted / sizeof wanted[0]; i++)
    if (cli_params_have(r->reader, wanted[i][0]) && leat_params_set_text(r->reader, wanted[i][0], wanted[i][1], &err))
      status = cli_fail_error(&err);
  leat_params *const sets[] = { r->settings, r->model, r->reader, r->place };
  return status ? status : cli_apply_sets(a, sets, 4);
}

/* What DATA is called in the store: the argument as it was given, several of them joined. */
static void name_source(learn_run *r) {
  char *all = cli_text("%s", r->a->files[0]);
  for (int i = 1; i < r->a->n_files; i++) {
    char *longer = cli_text("%s+%s", all, r->a->files[i]);
    free(all);
    all = longer;
  }
  size_t n = strlen(all);
  memcpy(r->source, n > SOURCE_BYTES ? all + n - SOURCE_BYTES : all, (n > SOURCE_BYTES ? SOURCE_BYTES : n) + 1);
  free(all);
}

/* ---- the store and its learner */

static int open_store(learn_run *r) {
  leat_error err;
  int64_t versions = 0;
  cli_error_init(&err);
  leat_status st = leat_params_set_i64(r->place, "create", 1, &err);
  if (!st) st = leat_store_open(r->rt, r->a->store, r->place, &r->store, &err);
  if (st) return cli_fail_error(&err);
  if (r->a->resume) {
    st = leat_learner_open(r->store, &r->l, &err);
    if (st && st != LEAT_E_NOT_FOUND) return cli_fail_error(&err);
    r->resumed = !st;
    return 0;
  }
  if (leat_store_count(r->store, &versions, &err)) return cli_fail_error(&err);
  if (versions == 0) return 0;
  return cli_fail("%s: the store is not empty, it has %lld versions: add --resume to go on in it, or name another --store", r->a->store,
                  (long long)versions);
}

static int make_learner(learn_run *r) {
  leat_error err;
  cli_error_init(&err);
  if (r->l) return 0;
  leat_schema *s = NULL;
  leat_status st = leat_dataset_schema(r->data.set, &s, &err);
  if (!st) st = leat_learner_create(r->store, r->from && !r->a->model ? NULL : r->model, r->settings, s, r->from, &r->l, &err);
  leat_schema_free(s);
  if (st == LEAT_E_STATE)
    return cli_fail("%s: the store has a learner already: add --resume to go on with it, or name another --store", r->a->store);
  return st ? cli_fail_error(&err) : 0;
}

/* Whatever DATA looks like by itself, columns are the model's: --from, or a learner that has not seen this DATA yet. */
static int schema_to_read(learn_run *r) {
  leat_error err;
  leat_model *m = NULL;
  int64_t position = 0;
  cli_error_init(&err);
  if (r->a->from) {
    int status = cli_model_load(r->rt, r->a->from, &r->from);
    if (status) return status;
  }
  leat_status st = r->l ? leat_learner_position(r->l, r->source, &position, &err) : LEAT_OK;
  if (st) return cli_fail_error(&err);
  r->at = r->begun_at = position;
  if (r->l && position == 0) (void)leat_learner_live(r->l, &m, NULL);
  const leat_model *like = r->from && !r->l ? r->from : m;
  if (like) st = leat_model_schema(like, &r->schema, &err);
  leat_model_free(m);
  return st ? cli_fail_error(&err) : 0;
}

static int open_data(learn_run *r) {
  leat_error err;
  leat_schema *s = NULL;
  cli_error_init(&err);
  int status = cli_data_open(r->a, r->rt, r->schema, r->reader, r->a->files, r->a->n_files, 1, &r->data);
  if (status) return status;
  leat_status st = leat_dataset_schema(r->data.set, &s, &err);
  if (!st && cli_schema_role(s, LEAT_ROLE_TARGET) < 0) {
    leat_schema_free(s);
    return cli_wrong("learn: no target: name the column to predict with --target COL");
  }
  if (!st) st = leat_batch_create(r->rt, s, &r->rows, &err);
  leat_schema_free(s);
  return st ? cli_fail_error(&err) : 0;
}

/* ---- the loop */

static int skip_taken(learn_run *r) {
  leat_error err;
  cli_error_init(&err);
  for (int64_t at = 0, got = 1; at < r->at && got > 0; at += got) {
    int64_t want = r->at - at < BATCH_ROWS ? r->at - at : BATCH_ROWS;
    if (leat_dataset_next(r->data.set, want, r->rows, &got, &err)) return cli_data_failed(&r->data, &err);
    if (cli_interrupted()) return cli_fail("stopped by a signal before the first new record");
  }
  return 0;
}

static int commit(learn_run *r) {
  leat_error err;
  cli_error_init(&err);
  if (leat_learner_commit(r->l, &err)) return cli_fail_error(&err);
  r->committed = cli_seconds();
  if (!r->a->ack) return 0;
  printf(r->a->json ? "{\"ack\": %lld}\n" : "%lld\n", (long long)r->at);
  return cli_flush();
}

static double faded_loss(learn_run *r) {
  leat_metrics *k = NULL;
  double v = NAN;
  if (leat_learner_metrics(r->l, 1, &k, NULL) == LEAT_OK) leat_metrics_value(k, "loss", &v, NULL);
  leat_metrics_free(k);
  return v;
}

static int learn_all(learn_run *r) {
  leat_error err;
  int status = 0;
  double begun = cli_seconds();
  cli_error_init(&err);
  cli_progress_begin(&r->line, r->a);
  r->committed = begun;
  while (!cli_interrupted()) {
    int64_t got = 0;
    if (leat_dataset_next(r->data.set, BATCH_ROWS, r->rows, &got, &err)) {
      status = cli_data_failed(&r->data, &err);
      break;
    }
    if (got == 0) break;
    leat_status st = leat_batch_set_source(r->rows, r->source, r->at, &err);
    if (!st) st = leat_learner_feed(r->l, r->rows, NULL, &err);
    if (st) {
      status = cli_fail_error(&err);
      break;
    }
    r->at += got;
    r->done += got;
    double now = cli_seconds();
    if ((now - r->committed) * 1000 >= (double)r->a->commit_ms && (status = commit(r)) != 0) break;
    if (r->line.on) cli_progress_show(&r->line, "records", (double)r->done, 0, (double)r->done / (now - begun + 1e-9), faded_loss(r));
  }
  if (!status) status = commit(r);
  r->seconds = cli_seconds() - begun;
  cli_progress_end(&r->line);
  return status;
}

/* ---- the answer */

static json_t *metrics_json(const leat_metrics *k) {
  json_t *o = json_object(), *interval = json_object();
  int64_t n = 0;
  leat_metrics_count(k, &n, NULL);
  for (int64_t i = 0; i < n; i++) {
    const char *name;
    double v = NAN, low, high;
    if (leat_metrics_name(k, i, &name, NULL) || leat_metrics_value(k, name, &v, NULL)) continue;
    json_object_set_new(o, name, strcmp(name, "rows") == 0 ? json_integer((json_int_t)v) : cli_json_real(v));
    if (!leat_metrics_interval(k, name, &low, &high, NULL) && !isnan(low))
      json_object_set_new(interval, name, json_pack("[o,o]", cli_json_real(low), cli_json_real(high)));
  }
  json_object_set_new(o, "interval", interval);
  return o;
}

typedef struct learn_events { json_t *alerts, *swaps, *rollbacks; } learn_events;

/* Swaps say "from version 12 to 13" in their texts. */
static void add_swap(learn_events *o, const leat_event *e) {
  long long from = 0, to = (long long)e->version;
  (void)sscanf(e->text, "from version %lld to %lld", &from, &to);
  if (e->kind != LEAT_EVENT_ROLLBACK_BY_HAND)
    json_array_append_new(o->swaps, json_pack("{s:I,s:s,s:I,s:I,s:o}", "row", (json_int_t)e->row, "kind", cli_event_name(e->kind), "from",
                                              (json_int_t)from, "to", (json_int_t)to, "evidence", cli_json_real(e->value)));
  if (e->kind == LEAT_EVENT_ROLLBACK || e->kind == LEAT_EVENT_ROLLBACK_BY_HAND || e->kind == LEAT_EVENT_NON_FINITE)
    json_array_append_new(o->rollbacks, json_pack("{s:I,s:I,s:I,s:s}", "row", (json_int_t)e->row, "from", (json_int_t)from, "to",
                                                  (json_int_t)to, "reason", e->kind == LEAT_EVENT_ROLLBACK ? e->text : cli_event_name(e->kind)));
}

static void read_events(learn_run *r, learn_events *o) {
  leat_event e = { .struct_size = sizeof e };
  o->alerts = json_array();
  o->swaps = json_array();
  o->rollbacks = json_array();
  for (int64_t cursor = 0; leat_learner_next_event(r->l, &cursor, &e, NULL) == LEAT_OK;) {
    switch (e.kind) {
    case LEAT_EVENT_ROLLBACK: case LEAT_EVENT_RESTART: case LEAT_EVENT_PIN_BACK: case LEAT_EVENT_UNDO: case LEAT_EVENT_NON_FINITE:
    case LEAT_EVENT_ROLLBACK_BY_HAND: add_swap(o, &e); break;
    case LEAT_EVENT_WARNING: case LEAT_EVENT_ALARM: case LEAT_EVENT_GATE: case LEAT_EVENT_FROZEN: case LEAT_EVENT_HELD:
    case LEAT_EVENT_DRIFT: case LEAT_EVENT_DRIFT_OVER: case LEAT_EVENT_RACE: case LEAT_EVENT_ALERT: case LEAT_EVENT_ALERT_OVER:
      json_array_append_new(o->alerts, json_pack("{s:I,s:s,s:s,s:o,s:o}", "row", (json_int_t)e.row, "kind", cli_event_name(e.kind), "name",
                                                 e.name, "value", cli_json_real(e.value), "threshold", cli_json_real(e.threshold)));
      break;
    default: break;
    }
  }
}

static const char *mode_name(int64_t mode) {
  return mode == LEAT_LEARNING ? "learning" : mode == LEAT_FROZEN ? "frozen" : mode == LEAT_STOPPED ? "stopped" : "unknown";
}

/* Held records by their reasons: "outlier 12, parse 3" */
static char *held_text(learn_run *r) {
  char *text = cli_text("%s", "");
  leat_quarantine *q = NULL;
  if (leat_quarantine_open(r->store, &q, NULL)) return text;
  for (int64_t reason = 1; reason < 1000; reason++) {
    int64_t n = 0;
    if (leat_quarantine_count(q, reason, &n, NULL) || n == 0) continue;
    char *longer = cli_text("%s%s%s %lld", text, text[0] ? ", " : "", leat_reason_name((leat_reason)reason), (long long)n);
    free(text);
    text = longer;
  }
  leat_quarantine_free(q);
  return text;
}

static void show_metrics(leat_metrics *const k[5]) {
  static const char *const heads[] = { "metric", "all", "95 %", "of late", "window", "no change", "majority" };
  cli_table *t = cli_table_create("lrlrrrr", heads);
  int64_t n = 0;
  char buf[5][32], ends[2][32], interval[72];
  leat_metrics_count(k[2], &n, NULL);
  for (int64_t i = 0; i < n; i++) {
    const char *name, *row[7];
    double low, high;
    if (leat_metrics_name(k[2], i, &name, NULL) || strcmp(name, "rows") == 0) continue;
    row[0] = name;
    for (int s = 0; s < 5; s++) {
      double v = NAN;
      if (leat_metrics_value(k[s], name, &v, NULL)) v = NAN;
      row[s > 0 ? s + 2 : 1] = cli_number(v, buf[s]);
    }
    row[2] = "";
    if (!leat_metrics_interval(k[0], name, &low, &high, NULL) && !isnan(low)) {
      snprintf(interval, sizeof interval, "%s-%s", cli_number(low, ends[0]), cli_number(high, ends[1]));
      row[2] = interval;
    }
    cli_table_row(t, row);
  }
  cli_table_print(t, stdout, 0);
}

static void show_list(const char *what, const json_t *list) {
  size_t n = json_array_size(list);
  if (n) printf("%s:", what);
  for (size_t i = n > 12 ? n - 12 : 0; i < n; i++) {
    const json_t *e = json_array_get(list, i), *kind = json_object_get(e, "kind");
    printf("%s %s at %lld", i > (n > 12 ? n - 12 : 0) ? "," : n > 12 ? " ..." : "", kind ? json_string_value(kind) : "version",
           (long long)json_integer_value(json_object_get(e, "row")));
  }
  if (n) puts("");
}

static int show(learn_run *r, const leat_learner_state *s, leat_metrics *const k[5], const learn_events *o, const char *task, const char *sum) {
  char rate[32], seconds[32];
  char *held = held_text(r);
  printf("task %s; %lld records seen, %lld learned, %lld in quarantine%s%s%s\n%s\n", task, (long long)s->rows_seen, (long long)s->rows_learned,
         (long long)s->rows_quarantined, held[0] ? " (" : "", held, held[0] ? ")" : "",
         strstr(held, "rollback_suspect") ? "  rollback_suspect: learned before a rollback; look at them, then release or purge them\n" : "");
  if (k[4]) show_metrics(k);
  puts("");
  show_list("swaps", o->swaps);
  show_list("alerts", o->alerts);
  printf("%s: %s, %lld snapshots, live version %lld, certified version %lld%s%s\n", r->a->store, mode_name(s->mode), (long long)s->snapshots,
         (long long)s->live_version, (long long)s->good_version, sum ? ", checksum " : "", sum ? sum : "");
  printf("%lld records in %s s, %s records/s\n", (long long)r->done, cli_number(r->seconds, seconds),
         cli_count((double)r->done / (r->seconds + 1e-9), rate));
  free(held);
  return cli_flush();
}

static int answer(learn_run *r) {
  leat_error err;
  leat_learner_state s = { .struct_size = sizeof s };
  leat_metrics *k[5] = { NULL };
  leat_model *m = NULL;
  learn_events o;
  int status = 0;
  cli_error_init(&err);
  if (leat_learner_get_state(r->l, &s, &err)) return cli_fail_error(&err);
  for (int i = 0; i < 5; i++) (void)leat_learner_metrics(r->l, i, &k[i], NULL);
  (void)leat_learner_live(r->l, &m, NULL);
  char *sum = m ? cli_model_text(m, "checksum") : NULL, *task = m ? cli_model_text(m, "task") : NULL;
  read_events(r, &o);
  if (r->a->json) {
    json_t *sets[5];
    for (int i = 0; i < 5; i++) sets[i] = k[i] ? metrics_json(k[i]) : json_object();
    status = cli_json_print(json_pack(
        "{s:I,s:I,s:I,s:I,s:s,s:s,s:{s:o,s:o,s:o},s:{s:o,s:o},s:O,s:O,s:O,s:I,s:I,s:I,s:s,s:{s:I,s:o,s:o,s:b}}", "rows",
        (json_int_t)s.rows_seen, "learned", (json_int_t)s.rows_learned, "quarantined", (json_int_t)s.rows_quarantined, "duplicate",
        (json_int_t)s.rows_duplicate, "task", task ? task : "", "mode", mode_name(s.mode), "metrics", "cumulative", sets[0], "faded", sets[1],
        "window", sets[2], "baselines", "no_change", sets[3], "majority", sets[4], "alerts", o.alerts, "swaps", o.swaps, "rollbacks",
        o.rollbacks, "snapshots", (json_int_t)s.snapshots, "live_version", (json_int_t)s.live_version, "good_version",
        (json_int_t)s.good_version, "model_checksum", sum ? sum : "", "run", "rows", (json_int_t)r->done,
        "rows_per_second", cli_json_real((double)r->done / (r->seconds + 1e-9)), "seconds", cli_json_real(r->seconds), "resumed", r->resumed));
  } else {
    status = show(r, &s, k, &o, task ? task : "unknown (too few records)", sum);
  }
  json_decref(o.alerts);
  json_decref(o.swaps);
  json_decref(o.rollbacks);
  for (int i = 0; i < 5; i++) leat_metrics_free(k[i]);
  leat_model_free(m);
  free(sum);
  free(task);
  return status;
}

static int check_usage(const cli_args *a) {
  if (!a->store) return cli_wrong("learn: no store: name the folder to learn in with --store DIR");
  return 0;
}

int cmd_learn(const cli_args *a) {
  learn_run r = { .a = a };
  int status = check_usage(a);
  name_source(&r);
  if (!status) status = cli_runtime(a, &r.rt);
  if (!status && leat_runtime_set_latency(r.rt, 1, NULL)) status = cli_fail("out of memory");
  if (!status) status = learn_params(&r);
  if (!status && a->resume) status = open_store(&r); /* its learner knows the columns */
  if (!status) status = schema_to_read(&r);
  if (!status) status = open_data(&r);
  if (!status && !a->resume) status = open_store(&r);
  if (!status) status = make_learner(&r);
  if (!status) {
    if (r.resumed) cli_note(a, "%s: going on behind record %lld of %s, with the store's parameters", a->store, (long long)r.at, r.source);
    cli_catch_signals(NULL);
    status = skip_taken(&r);
    if (!status) status = learn_all(&r);
    if (!status && cli_interrupted()) cli_note(a, "stopped by a signal: all up to record %lld is safe, --resume goes on behind it", (long long)r.at);
    cli_catch_signals(NULL);
  }
  if (!status) status = answer(&r);
  leat_learner_free(r.l);
  leat_store_free(r.store);
  leat_batch_free(r.rows);
  cli_data_close(&r.data);
  leat_schema_free(r.schema);
  leat_model_free(r.from);
  leat_params_free(r.model);
  leat_params_free(r.settings);
  leat_params_free(r.reader);
  leat_params_free(r.place);
  leat_runtime_free(r.rt);
  return status;
}
