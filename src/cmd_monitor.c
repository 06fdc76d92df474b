/* leat monitor: has the data drifted away from what the model was trained on? */
#include "cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MONITOR_BATCH = 4096, SHOWN_FEATURES = 40 };

static const char *state_name(int64_t state) {
  static const char *const names[] = { "insufficient", "ok", "warn", "alert" };
  return state >= 0 && state < 4 ? names[state] : "?";
}

static int by_excess(const void *a, const void *b) { /* the furthest beyond its limit first */
  const leat_drift_info *x = a, *y = b;
  double u = x->value / x->alert, v = y->value / y->alert;
  return u < v ? 1 : u > v ? -1 : strcmp(x->name, y->name);
}

static int print_json(const leat_drift_info *f, int64_t n, int64_t state, int64_t rows) {
  json_t *list = json_array();
  for (int64_t i = 0; i < n; i++)
    json_array_append_new(list, json_pack("{s:s,s:s,s:o,s:o,s:o,s:s,s:o,s:o,s:o,s:s,s:o,s:o,s:I,s:I}", "name", f[i].name, "stat", "psi",
                                          "value", cli_json_real(f[i].value), "warn", cli_json_real(f[i].warn), "alert",
                                          cli_json_real(f[i].alert), "state", state_name(f[i].state), "js",
                                          cli_json_real(f[i].js), "ks", cli_json_real(f[i].ks), "linf",
                                          cli_json_real(f[i].linf), "worst_cell", f[i].worst_cell, "share",
                                          cli_json_real(f[i].share), "reference_share", cli_json_real(f[i].reference_share),
                                          "rows", (json_int_t)f[i].rows, "reference_rows", (json_int_t)f[i].reference_rows));
  return cli_json_print(json_pack("{s:s,s:I,s:o}", "state", state_name(state), "rows", (json_int_t)rows, "features", list));
}

static int print_table(const leat_drift_info *f, int64_t n, int64_t state, int64_t rows) {
  static const char *const heads[] = { "feature", "state", "psi", "warn", "alert", "ks", "worst cell", "share", "before" };
  cli_table *t = cli_table_create("llrrrrlrr", heads);
  int64_t over = 0, alert = 0, shown = n < SHOWN_FEATURES ? n : SHOWN_FEATURES;
  char v[6][32];
  for (int64_t i = 0; i < n; i++) {
    over += f[i].state >= LEAT_DRIFT_WARN;
    alert += f[i].state == LEAT_DRIFT_ALERT;
  }
  if (over > shown) shown = over;
  for (int64_t i = 0; i < shown; i++) {
    const char *row[] = { f[i].name, state_name(f[i].state), cli_number(f[i].value, v[0]), cli_number(f[i].warn, v[1]),
                          cli_number(f[i].alert, v[2]), isnan(f[i].ks) ? "" : cli_number(f[i].ks, v[3]), f[i].worst_cell,
                          cli_number(f[i].share, v[4]), cli_number(f[i].reference_share, v[5]) };
    cli_table_row(t, row);
  }
  printf("%lld rows against the %lld that the model was trained on: %s", (long long)rows, n ? (long long)f[0].reference_rows : 0LL,
         state_name(state));
  if (alert) printf(", %lld of %lld features have drifted", (long long)alert, (long long)n);
  if (over > alert) printf(", %lld near their limits", (long long)(over - alert));
  puts("\n");
  cli_table_print(t, stdout, 0);
  if (shown < n) printf("and %lld more, none beyond its limits\n", (long long)(n - shown));
  return cli_flush();
}

static int count_rows(const cli_args *a, leat_runtime *rt, const leat_schema *schema, const leat_params *reader, leat_monitor *w) {
  cli_data d;
  leat_batch *b = NULL;
  leat_schema *s = NULL;
  leat_error err;
  cli_error_init(&err);
  int status = cli_data_open(a, rt, schema, reader, a->files + 1, a->n_files - 1, 1, &d);
  if (status) return status;
  if (leat_dataset_schema(d.set, &s, &err) || leat_batch_create(rt, s, &b, &err)) status = cli_fail_error(&err);
  for (int64_t got = 1; !status && got > 0;) {
    if (leat_dataset_next(d.set, MONITOR_BATCH, b, &got, &err)) status = cli_data_failed(&d, &err);
    if (!status && got && leat_monitor_update(w, b, &err)) status = cli_fail_error(&err);
    if (!status && cli_interrupted()) status = cli_fail("stopped by a signal");
  }
  leat_batch_free(b);
  leat_schema_free(s);
  cli_data_close(&d);
  return status;
}

/* MODEL may be a store's folder: its production model is meant, and the history is told. */
static int monitored_model(const cli_args *a, leat_runtime *rt, leat_store **s, leat_model **m) {
  struct stat st;
  leat_error err;
  int64_t version = 0;
  cli_error_init(&err);
  if (stat(a->files[0], &st) != 0 || !S_ISDIR(st.st_mode)) return cli_model_load(rt, a->files[0], m);
  leat_params *p = NULL;
  int status = leat_params_create(rt, "store", &p, &err) || leat_params_set_i64(p, "create", 0, &err) ||
                       leat_store_open(rt, a->files[0], p, s, &err) || leat_store_stage(*s, "production", &version, &err) ||
                       leat_store_load(*s, version, m, &err)
                   ? cli_fail_error(&err) : 0;
  leat_params_free(p);
  return status;
}

int cmd_monitor(const cli_args *a) {
  leat_runtime *rt = NULL;
  leat_store *store = NULL;
  leat_model *m = NULL;
  leat_schema *schema = NULL;
  leat_params *reader = NULL, *p = NULL;
  leat_monitor *w = NULL;
  leat_drift_info *f = NULL;
  leat_error err;
  int64_t n = 0, state = 0, rows = 0;
  cli_error_init(&err);
  int status = cli_runtime(a, &rt);
  if (!status) status = monitored_model(a, rt, &store, &m);
  if (!status) status = cli_reader(a, rt, a->files[1], 0, &reader);
  if (!status && (leat_params_create(rt, "monitor", &p, &err) || leat_model_schema(m, &schema, &err))) status = cli_fail_error(&err);
  if (!status) {
    leat_params *const sets[] = { p, reader };
    status = cli_apply_sets(a, sets, 2);
  }
  if (!status && leat_monitor_create(m, p, &w, &err)) status = cli_fail_error(&err);
  if (!status) {
    cli_catch_signals(NULL);
    status = count_rows(a, rt, schema, reader, w);
  }
  if (!status && (leat_monitor_state(w, &state, &rows, &err) || leat_monitor_count(w, &n, &err))) status = cli_fail_error(&err);
  if (!status && store && leat_store_monitored(store, w, &err)) status = cli_fail_error(&err);
  if (!status) f = cli_alloc((size_t)(n + 1) * sizeof *f);
  for (int64_t i = 0; i < n && !status; i++) {
    f[i] = (leat_drift_info){ .struct_size = sizeof *f };
    if (leat_monitor_at(w, i, &f[i], &err)) status = cli_fail_error(&err);
  }
  if (!status) {
    qsort(f, (size_t)n, sizeof *f, by_excess);
    status = a->json ? print_json(f, n, state, rows) : print_table(f, n, state, rows);
  }
  free(f);
  leat_monitor_free(w);
  leat_params_free(p);
  leat_params_free(reader);
  leat_schema_free(schema);
  leat_model_free(m);
  leat_store_free(store);
  leat_runtime_free(rt);
  return status;
}
