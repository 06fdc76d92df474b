/* leat store: versions, stages and history of a store. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct store_job { const cli_args *a; leat_runtime *rt; leat_store *s; json_t *root; const char *stage; } store_job;
typedef struct store_verb { const char *name, *word; int write, create; int (*run)(store_job *j, const char *word); } store_verb;

const char *cli_event_name(int64_t kind) {
  static const struct { int64_t kind; const char *name; } names[] = {
    { LEAT_EVENT_VERSION, "version" }, { LEAT_EVENT_STAGE, "stage" }, { LEAT_EVENT_STAGE_BACK, "stage_back" },
    { LEAT_EVENT_PIN, "pin" }, { LEAT_EVENT_REMOVED, "removed" }, { LEAT_EVENT_WARNING, "warning" },
    { LEAT_EVENT_ALARM, "alarm" }, { LEAT_EVENT_CERTIFIED, "certified" }, { LEAT_EVENT_ROLLBACK, "rollback" },
    { LEAT_EVENT_RESTART, "restart" }, { LEAT_EVENT_PIN_BACK, "pin_back" }, { LEAT_EVENT_UNDO, "undo" },
    { LEAT_EVENT_ROLLBACK_BY_HAND, "rollback_by_hand" }, { LEAT_EVENT_NON_FINITE, "non_finite" },
    { LEAT_EVENT_FROZEN, "frozen" }, { LEAT_EVENT_THAWED, "thawed" }, { LEAT_EVENT_HELD, "held" },
    { LEAT_EVENT_GATE, "gate" }, { LEAT_EVENT_MONITORED, "monitored" }, { LEAT_EVENT_REFRESH_DUE, "refresh_due" },
    { LEAT_EVENT_REFRESH, "refresh" }, { LEAT_EVENT_DRIFT, "drift" }, { LEAT_EVENT_DRIFT_OVER, "drift_over" },
    { LEAT_EVENT_ALERT, "alert" }, { LEAT_EVENT_ALERT_OVER, "alert_over" },
    { LEAT_EVENT_RACE, "race" }, { LEAT_EVENT_TRIAL, "trial" },
    { LEAT_EVENT_TABLE, "table" }, { LEAT_EVENT_TABLE_BACK, "table_back" } };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (names[i].kind == kind) return names[i].name;
  return "unknown";
}

const char *cli_time(int64_t ns, char buf[32]) {
  time_t seconds = (time_t)(ns / 1000000000 - (ns % 1000000000 < 0));
  struct tm t;
  if (!gmtime_r(&seconds, &t) || !strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &t)) strcpy(buf, "-");
  return buf;
}

/* ---- status */

/* Each of the comma-separated stages: into the array, and as stages{NAME: version}. */
static void split_stages(const leat_version_info *info, json_t *list, json_t *stages) {
  char text[sizeof info->stages + 1], *rest = text;
  memcpy(text, info->stages, sizeof info->stages);
  text[sizeof info->stages] = 0;
  for (char *name = strtok_r(text, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
    json_array_append_new(list, json_string(name));
    json_object_set_new(stages, name, json_integer((json_int_t)info->version));
  }
}

static json_t *version_json(const leat_version_info *v, json_t *stages) {
  char when[32];
  json_t *list = json_array();
  split_stages(v, list, stages);
  return json_pack("{s:I,s:I,s:s,s:I,s:I,s:o,s:I,s:s,s:s,s:o,s:b,s:b,s:b}", "version", (json_int_t)v->version, "parent",
                   (json_int_t)v->parent, "created", cli_time(v->created_ns, when), "rows", (json_int_t)v->rows_learned, "row",
                   (json_int_t)v->row, "loss", cli_json_real(v->loss), "bytes", (json_int_t)v->bytes, "checksum", v->checksum,
                   "origin", v->origin, "stages", list, "pinned", (v->flags & LEAT_VERSION_PINNED) != 0, "certified",
                   (v->flags & LEAT_VERSION_CERTIFIED) != 0, "snapshot", (v->flags & LEAT_VERSION_SNAPSHOT) != 0);
}

static void version_row(cli_table *t, const leat_version_info *v) {
  char number[32], parent[32], rows[32], loss[32], bytes[32], when[32];
  snprintf(number, sizeof number, "%lld", (long long)v->version);
  snprintf(parent, sizeof parent, v->parent ? "%lld" : "-", (long long)v->parent);
  snprintf(rows, sizeof rows, "%lld", (long long)v->rows_learned);
  char *marks = cli_text("%s%s%s", v->flags & LEAT_VERSION_PINNED ? "pinned" : "",
                         v->flags & LEAT_VERSION_PINNED && v->flags & LEAT_VERSION_CERTIFIED ? ", " : "",
                         v->flags & LEAT_VERSION_CERTIFIED ? "certified" : "");
  const char *row[] = { number, cli_time(v->created_ns, when), v->origin, parent, rows, cli_number(v->loss, loss),
                        cli_bytes(v->bytes, bytes), v->stages, marks };
  cli_table_row(t, row);
  free(marks);
}

/* generation, stages{} and versions[] into j->root; with `print`, as tables too. */
static int add_state(store_job *j, int print) {
  static const char *const heads[] = { "version", "created", "origin", "parent", "rows", "loss", "size", "stages", "" };
  static const char *const stage_heads[] = { "stage", "version" };
  cli_table *t = cli_table_create("rllrrrrll", heads), *st = cli_table_create("lr", stage_heads);
  json_t *stages = json_object(), *versions = json_array(), *value;
  const char *name;
  int64_t generation = 0, n = 0;
  leat_error err;
  cli_error_init(&err);
  leat_status status = leat_store_generation(j->s, &generation, &err);
  if (!status) status = leat_store_count(j->s, &n, &err);
  for (int64_t i = 0; i < n && !status; i++) {
    leat_version_info v = { .struct_size = sizeof v };
    status = leat_store_at(j->s, i, &v, &err);
    if (status == LEAT_E_NOT_FOUND) { /* a learner at work has removed one */
      status = 0;
      break;
    }
    if (status) break;
    json_array_append_new(versions, version_json(&v, stages));
    version_row(t, &v);
  }
  json_object_foreach(stages, name, value) {
    char number[32];
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    const char *row[] = { name, number };
    cli_table_row(st, row);
  }
  print = print && !status && !j->a->json;
  if (print) printf("%s: generation %lld, %lld version%s\n", j->a->files[0], (long long)generation, (long long)n, n == 1 ? "" : "s");
  if (print && json_object_size(stages)) puts("");
  cli_table_print(st, print && json_object_size(stages) ? stdout : NULL, 2);
  if (print && n) puts("");
  cli_table_print(t, print && n ? stdout : NULL, 2);
  json_object_set_new(j->root, "generation", json_integer((json_int_t)generation));
  json_object_set_new(j->root, "stages", stages);
  json_object_set_new(j->root, "versions", versions);
  return status ? cli_fail_error(&err) : 0;
}

/* Alerts of monitors that are open: what has drifted, since when. The newest event of each name counts. */
static json_t *open_alerts(store_job *j) {
  json_t *open = json_object(), *list = json_array(), *value;
  const char *name;
  int64_t cursor = 0;
  for (;;) {
    leat_event e = { .struct_size = sizeof e };
    char when[32];
    if (leat_store_history(j->s, &cursor, &e, NULL)) break;
    if (e.kind == LEAT_EVENT_DRIFT || e.kind == LEAT_EVENT_ALERT)
      json_object_set_new(open, e.name, json_pack("{s:s,s:o,s:o,s:I,s:s,s:s}", "name", e.name, "value", cli_json_real(e.value), "threshold",
                                                  cli_json_real(e.threshold), "row", (json_int_t)e.row, "time", cli_time(e.time_ns, when), "text", e.text));
    else if (e.kind == LEAT_EVENT_DRIFT_OVER || e.kind == LEAT_EVENT_ALERT_OVER) json_object_del(open, e.name);
  }
  json_object_foreach(open, name, value) json_array_append(list, value);
  json_decref(open);
  return list;
}

/* How long the learner's operations took, as it noted last. */
static json_t *latencies(store_job *j, cli_table *t) {
  static const char *const operation[] = { "predict_one", "predict_rows", "learn", "journal_sync", "snapshot", "version_add", "version_swap" };
  json_t *all = json_object();
  for (int op = 0; op < 7; op++) {
    leat_latency l = { .struct_size = sizeof l };
    char v[6][32];
    if (leat_store_latency(j->s, op, &l, NULL) || !l.count) continue;
    const int64_t ns[] = { l.sum_ns / l.count, l.p50_ns, l.p90_ns, l.p99_ns, l.max_ns };
    for (int i = 0; i < 5; i++) cli_number((double)ns[i] / 1e6, v[i]);
    snprintf(v[5], sizeof v[5], "%lld", (long long)l.count);
    const char *row[] = { operation[op], v[5], v[0], v[1], v[2], v[3], v[4] };
    cli_table_row(t, row);
    json_object_set_new(all, operation[op], json_pack("{s:I,s:f,s:f,s:f,s:f,s:f,s:f}", "count", (json_int_t)l.count, "sum_seconds", (double)l.sum_ns / 1e9,
                                                      "p50_seconds", (double)l.p50_ns / 1e9, "p90_seconds", (double)l.p90_ns / 1e9, "p99_seconds",
                                                      (double)l.p99_ns / 1e9, "p999_seconds", (double)l.p999_ns / 1e9, "max_seconds", (double)l.max_ns / 1e9));
  }
  return all;
}

static const char *staleness(double seconds) { return seconds < 86400 ? "fresh" : seconds < 7 * 86400.0 ? "aging" : "stale"; }

/* How old the newest version is, and what monitors say. */
static int store_status(store_job *j, const char *word) {
  static const char *const heads[] = { "alert", "value", "limit", "record", "" };
  leat_version_info v = { .struct_size = sizeof v };
  int64_t n = 0, row = 0;
  char a[32], b[32], number[32];
  (void)word;
  int status = add_state(j, 1);
  if (status) return status;
  json_t *alerts = open_alerts(j), *e;
  size_t i;
  double age = NAN;
  if (!leat_store_count(j->s, &n, NULL) && n > 0 && !leat_store_at(j->s, n - 1, &v, NULL)) age = (double)time(NULL) - (double)v.created_ns / 1e9;
  if (age < 0) age = 0;
  cli_table *t = cli_table_create("lrrrl", heads);
  json_array_foreach(alerts, i, e) {
    row = json_integer_value(json_object_get(e, "row"));
    snprintf(number, sizeof number, "%lld", (long long)row);
    const char *cells[] = { json_string_value(json_object_get(e, "name")), cli_number(json_real_value(json_object_get(e, "value")), a),
                            cli_number(json_real_value(json_object_get(e, "threshold")), b), number, json_string_value(json_object_get(e, "text")) };
    cli_table_row(t, cells);
  }
  if (!j->a->json && isfinite(age)) printf("\nthe newest version is %s (%s hours old)\n", staleness(age), cli_number(age / 3600, a));
  if (!j->a->json && json_array_size(alerts)) puts("");
  cli_table_print(t, !j->a->json && json_array_size(alerts) ? stdout : NULL, 2);
  static const char *const took[] = { "milliseconds", "times", "mean", "p50", "p90", "p99", "longest" };
  cli_table *l = cli_table_create("lrrrrrr", took);
  json_t *latency = latencies(j, l);
  if (!j->a->json && json_object_size(latency)) puts("");
  cli_table_print(l, !j->a->json && json_object_size(latency) ? stdout : NULL, 2);
  json_object_set_new(j->root, "latency", latency);
  json_object_set_new(j->root, "age_seconds", cli_json_real(age));
  json_object_set_new(j->root, "staleness", json_string(isfinite(age) ? staleness(age) : "none"));
  json_object_set_new(j->root, "alerts", alerts);
  return 0;
}

/* ---- log */

static int store_log(store_job *j, const char *word) {
  static const char *const heads[] = { "generation", "time", "event", "version", "row", "name", "" };
  cli_table *t = cli_table_create("rllrrll", heads);
  json_t *events = json_array();
  int64_t cursor = 0;
  leat_error err;
  leat_status status;
  (void)word;
  cli_error_init(&err);
  for (;;) {
    leat_event e = { .struct_size = sizeof e };
    char generation[32], version[32], row[32], when[32], value[32], threshold[32];
    status = leat_store_history(j->s, &cursor, &e, &err);
    if (status) break;
    json_array_append_new(events, json_pack("{s:I,s:s,s:s,s:I,s:I,s:s,s:o,s:o,s:s}", "generation", (json_int_t)e.generation,
                                            "time", cli_time(e.time_ns, when), "kind", cli_event_name(e.kind), "version",
                                            (json_int_t)e.version, "row", (json_int_t)e.row, "name", e.name, "value",
                                            cli_json_real(e.value), "threshold", cli_json_real(e.threshold), "text", e.text));
    snprintf(generation, sizeof generation, "%lld", (long long)e.generation);
    snprintf(version, sizeof version, e.version ? "%lld" : "-", (long long)e.version);
    snprintf(row, sizeof row, e.row ? "%lld" : "-", (long long)e.row);
    char *text = e.text[0]                       ? cli_text("%s", e.text)
                 : e.kind == LEAT_EVENT_STAGE || e.kind == LEAT_EVENT_STAGE_BACK
                     ? cli_text("%s%s", e.value > 0 ? "before: " : "", e.value > 0 ? cli_number(e.value, value) : "")
                 : e.kind == LEAT_EVENT_PIN      ? cli_text("%s", e.value > 0 ? "kept" : "no longer kept")
                 : e.kind == LEAT_EVENT_VERSION  ? cli_text("%s rows", cli_number(e.value, value))
                 : e.threshold > 0               ? cli_text("%s, threshold %s", cli_number(e.value, value),
                                                            cli_number(e.threshold, threshold))
                                                 : cli_text("%s", "");
    const char *cells[] = { generation, when, cli_event_name(e.kind), version, row, e.name, text };
    cli_table_row(t, cells);
    free(text);
  }
  int done = status == LEAT_E_NOT_FOUND;
  cli_table_print(t, done && !j->a->json && json_array_size(events) ? stdout : NULL, 0);
  json_object_set_new(j->root, "events", events);
  return done ? add_state(j, 0) : cli_fail_error(&err);
}

/* ---- changes */

static int store_add(store_job *j, const char *word) {
  leat_model *m = NULL;
  int64_t version = 0, generation = 0;
  leat_error err;
  cli_error_init(&err);
  int status = cli_model_load(j->rt, word, &m);
  if (status) return status;
  leat_status st = leat_store_add(j->s, m, "train", &version, &err);
  if (!st && j->stage) st = leat_store_promote(j->s, version, j->stage, -1, &generation, &err);
  leat_model_free(m);
  if (st) return cli_fail_error(&err);
  json_object_set_new(j->root, "version", json_integer((json_int_t)version));
  if (!j->a->json) printf(j->stage ? "version %lld is on stage %s\n" : "version %lld\n", (long long)version, j->stage);
  return add_state(j, 0);
}

static int store_export(store_job *j, const char *word) {
  int64_t version = 0;
  leat_error err;
  cli_error_init(&err);
  (void)cli_parse_i64(word, &version);
  if (cli_output_check("-o", j->a->output)) return CLI_FAILED;
  if (leat_store_export(j->s, version, j->a->output, &err)) return cli_fail_error(&err);
  json_object_set_new(j->root, "version", json_integer((json_int_t)version));
  if (!j->a->json) printf("version %lld is in %s\n", (long long)version, j->a->output);
  return add_state(j, 0);
}

static int moved(store_job *j) {
  int64_t version = 0;
  leat_error err;
  cli_error_init(&err);
  if (leat_store_stage(j->s, j->stage, &version, &err)) return cli_fail_error(&err);
  json_object_set_new(j->root, "version", json_integer((json_int_t)version));
  if (!j->a->json) printf("stage %s is version %lld\n", j->stage, (long long)version);
  return add_state(j, 0);
}

static int store_promote(store_job *j, const char *word) {
  int64_t version = 0;
  leat_error err;
  cli_error_init(&err);
  (void)cli_parse_i64(word, &version);
  if (leat_store_promote(j->s, version, j->stage, -1, NULL, &err)) return cli_fail_error(&err);
  return moved(j);
}

/* The learner's own rollback: it opens as it was, goes back, and is stored again. */
static int learner_rollback(store_job *j) {
  leat_learner *l = NULL;
  leat_learner_state now = { .struct_size = sizeof now };
  leat_error err;
  cli_error_init(&err);
  leat_status st = leat_learner_open(j->s, &l, &err);
  if (!st) st = leat_learner_rollback(l, j->a->to ? j->a->to : -1, &err);
  if (!st) st = leat_learner_commit(l, &err);
  if (!st) st = leat_learner_get_state(l, &now, &err);
  leat_learner_free(l);
  if (st) return cli_fail_error(&err);
  json_object_set_new(j->root, "version", json_integer((json_int_t)now.live_version));
  if (!j->a->json) {
    if (j->a->to) printf("the learner goes on from version %lld", (long long)j->a->to);
    else printf("the learner goes on from last-good");
    printf(", which is version %lld now\n", (long long)now.live_version);
  }
  return add_state(j, 0);
}

static int store_rollback(store_job *j, const char *word) {
  leat_error err;
  (void)word;
  cli_error_init(&err);
  if (j->a->learner) return learner_rollback(j);
  if (!j->stage) j->stage = "production";
  leat_status st = j->a->to ? leat_store_promote(j->s, j->a->to, j->stage, -1, NULL, &err)
                            : leat_store_rollback(j->s, j->stage, -1, NULL, &err);
  return st ? cli_fail_error(&err) : moved(j);
}

static int store_verify(store_job *j, const char *word) {
  leat_error err;
  (void)word;
  cli_error_init(&err);
  if (leat_store_verify(j->s, &err)) return cli_fail_error(&err);
  if (!j->a->json) puts("every file is whole");
  return add_state(j, 0);
}

static int store_gc(store_job *j, const char *word) {
  int64_t bytes = 0;
  char text[32];
  leat_error err;
  (void)word;
  cli_error_init(&err);
  if (leat_store_gc(j->s, &bytes, &err)) return cli_fail_error(&err);
  json_object_set_new(j->root, "bytes_freed", json_integer((json_int_t)bytes));
  if (!j->a->json) printf("%s freed\n", cli_bytes(bytes, text));
  return add_state(j, 0);
}

/* ---- the command */

static const store_verb verbs[] = {
  { "status", NULL, 0, 0, store_status },     { "log", NULL, 0, 0, store_log },
  { "add", "MODEL", 1, 1, store_add },        { "export", "VERSION", 0, 0, store_export },
  { "promote", "VERSION", 1, 0, store_promote }, { "rollback", NULL, 1, 0, store_rollback },
  { "verify", NULL, 0, 0, store_verify },     { "gc", NULL, 1, 0, store_gc },
};
enum { N_VERBS = (int)(sizeof verbs / sizeof verbs[0]) };

static int find_verb(const char *word, const store_verb **out) {
  const char *names[N_VERBS];
  for (int i = 0; i < N_VERBS; i++) {
    names[i] = verbs[i].name;
    if (strcmp(word, names[i]) != 0) continue;
    *out = &verbs[i];
    return 0;
  }
  const char *near = cli_nearest(word, names, N_VERBS);
  if (near) return cli_wrong("leat store has no '%s': did you mean '%s'?", word, near);
  return cli_wrong("leat store has no '%s': expected status, log, add, export, promote, rollback, verify or gc", word);
}

static int check_words(const cli_args *a, const store_verb *v) {
  int64_t number;
  int n = a->n_files - 2;
  if (v->word && !n) return cli_wrong("too few arguments: expected `leat store DIR %s %s`", v->name, v->word);
  if (n > (v->word != NULL))
    return cli_wrong("too many arguments: '%s': expected `leat store DIR %s%s%s`", a->files[v->word ? 3 : 2], v->name,
                     v->word ? " " : "", v->word ? v->word : "");
  if (v->word && strcmp(v->word, "VERSION") == 0 && (!cli_parse_i64(a->files[2], &number) || number < 1))
    return cli_wrong("version '%s': expected a number from 1; `leat store DIR status` lists them", a->files[2]);
  if (a->to && strcmp(v->name, "rollback") != 0) return cli_wrong("--to is not for `leat store DIR %s`: it goes with rollback", v->name);
  if (a->learner && strcmp(v->name, "rollback") != 0)
    return cli_wrong("--learner is not for `leat store DIR %s`: it goes with rollback", v->name);
  if (a->learner && a->stage) return cli_wrong("--learner and --stage: take one of the two");
  if (a->output && strcmp(v->name, "export") != 0) return cli_wrong("-o is not for `leat store DIR %s`: it goes with export", v->name);
  if (a->stage && strcmp(v->name, "add") != 0 && strcmp(v->name, "promote") != 0 && strcmp(v->name, "rollback") != 0)
    return cli_wrong("--stage is not for `leat store DIR %s`: it goes with add, promote and rollback", v->name);
  if (!a->output && strcmp(v->name, "export") == 0) return cli_wrong("no output: expected -o FILE, where the package goes");
  if (!a->stage && strcmp(v->name, "promote") == 0)
    return cli_wrong("no stage: expected --stage STAGE (testing, production, or a word of yours)");
  if (a->stage && strcmp(a->stage, "previous") == 0)
    return cli_wrong("--stage previous: it follows production by itself: expected another stage");
  return 0;
}

int cli_store_open(const cli_args *a, leat_runtime *rt, const char *path, int write, int create, leat_store **out) {
  leat_params *p = NULL;
  leat_error err;
  cli_error_init(&err);
  *out = NULL;
  leat_status st = leat_params_create(rt, "store", &p, &err);
  if (!st) st = leat_params_set_i64(p, "create", create, &err);
  if (!st) st = leat_params_set_i64(p, "read_only", !write, &err);
  int status = st ? cli_fail_error(&err) : cli_apply_sets(a, &p, 1);
  if (!status && leat_store_open(rt, path, p, out, &err)) status = cli_fail_error(&err);
  leat_params_free(p);
  return status;
}

int cmd_store(const cli_args *a) {
  const store_verb *v = NULL;
  store_job j = { .a = a, .stage = a->stage };
  int status = find_verb(a->files[1], &v);
  if (!status) status = check_words(a, v);
  if (!status) status = cli_runtime(a, &j.rt);
  if (status) return status;
  j.root = json_object();
  status = cli_store_open(a, j.rt, a->files[0], v->write, v->create, &j.s);
  if (!status) status = v->run(&j, a->n_files > 2 ? a->files[2] : NULL);
  if (!status && a->json) status = cli_json_print(json_incref(j.root));
  else if (!status) status = cli_flush();
  json_decref(j.root);
  leat_store_free(j.s);
  leat_runtime_free(j.rt);
  return status;
}
