/* leat train: labelled rows in, one package out. */
#include "cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SHOWN_COLUMNS = 40, COUNTED_CELLS = 2000000 };

typedef struct train_run {
  const cli_args *a;
  leat_runtime *rt;
  const leat_device *dev;
  leat_params *params, *reader;
  cli_data all, valid_data;
  leat_schema *schema;
  leat_dataset *train, *valid;      /* views of `all`, or all.set and valid_data.set themselves */
  leat_dataset *train_own, *valid_own;
  leat_trainer *t;
  leat_model *m;
  int64_t rows, valid_rows, n_columns, *missing;
  int64_t iterations, rows_seen;
  int resumed;
  double seconds;
} train_run;

/* ---- parameters */

static int family_params(train_run *r) {
  const cli_args *a = r->a;
  const char *family = a->model ? a->model : "linear", *names[64];
  leat_error err;
  int64_t n = 0, have = 0;
  cli_error_init(&err);
  char *spec = cli_text("model/%s", family);
  leat_status e = leat_params_create(r->rt, spec, &r->params, &err);
  free(spec);
  if (e == LEAT_OK) return 0;
  if (e != LEAT_E_NOT_FOUND) return cli_fail_error(&err);
  leat_spec_count(r->rt, &n, NULL);
  char *list = cli_text("%s", "");
  for (int64_t i = 0; i < n && have < 64; i++) {
    const char *name;
    if (leat_spec_name(r->rt, i, &name, NULL) || strncmp(name, "model/", 6) != 0) continue;
    names[have++] = name + 6;
    char *longer = cli_text("%s%s%s", list, list[0] ? ", " : "", name + 6);
    free(list);
    list = longer;
  }
  const char *near = cli_nearest(family, names, have);
  int status = near ? cli_wrong("--model %s: unknown model family: did you mean '%s'?", family, near)
                    : cli_wrong("--model %s: unknown model family: expected one of %s", family, list);
  free(list);
  return status;
}

static int parameters(train_run *r) {
  const cli_args *a = r->a;
  int status = family_params(r);
  if (!status) status = cli_reader(a, r->rt, a->files[0], 1, &r->reader);
  if (status) return status;
  leat_params_set_i64(r->params, "seed", a->seed, NULL); /* families without chance have none */
  leat_params *const sets[] = { r->params, r->reader };
  return cli_apply_sets(a, sets, 2);
}

/* ---- data */

/* SplitMix64's finaliser (Steele, Lea and Flood 2014) of a counter: the order of rows depends on the seed alone. */
static uint64_t split_draw(uint64_t seed, uint64_t i) {
  uint64_t z = seed * UINT64_C(0xd1342543de82ef95) + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* The first rows of a seeded permutation (Fisher and Yates) are held out; both parts keep the order of the file. */
static int hold_out(train_run *r) {
  leat_error err;
  cli_error_init(&err);
  int64_t n = r->rows, k = (int64_t)((double)n * r->a->holdout + 0.5);
  if (k < 1 || k >= n)
    return cli_fail("--holdout %.15g: of %lld rows that leaves none to %s: give more rows or --valid DATA",
                    r->a->holdout, (long long)n, k < 1 ? "validate on" : "train on");
  int64_t *order = cli_large_alloc((uint64_t)n * sizeof *order), at[2] = { 0, k };
  uint8_t *held = cli_large_alloc((uint64_t)n);
  for (int64_t i = 0; i < n; i++) order[i] = i;
  for (int64_t i = 0; i < k; i++) {
    int64_t j = i + (int64_t)(split_draw((uint64_t)r->a->seed, (uint64_t)i) % (uint64_t)(n - i)), t = order[i];
    order[i] = order[j];
    order[j] = t;
  }
  for (int64_t i = 0; i < n; i++) held[order[i]] = i < k;
  for (int64_t i = 0; i < n; i++) order[at[!held[i]]++] = i;
  leat_status e = leat_dataset_take(r->all.set, order, (uint64_t)k, &r->valid_own, &err);
  if (!e) e = leat_dataset_take(r->all.set, order + k, (uint64_t)(n - k), &r->train_own, &err);
  cli_large_free(order, (uint64_t)n * sizeof *order);
  cli_large_free(held, (uint64_t)n);
  if (e) return cli_fail_error(&err);
  r->train = r->train_own;
  r->valid = r->valid_own;
  r->valid_rows = k;
  r->rows = n - k;
  return 0;
}

/* Missing fields of each column, when the table is small enough to look at every cell. */
static void count_missing(train_run *r) {
  leat_batch *b = NULL;
  char buf[8];
  uint64_t needed;
  if (!r->n_columns || r->rows > COUNTED_CELLS / r->n_columns || leat_batch_create(r->rt, r->schema, &b, NULL)) return;
  r->missing = cli_alloc((size_t)r->n_columns * sizeof *r->missing);
  for (int64_t got = 1; got > 0;) {
    if (leat_dataset_next(r->all.set, 4096, b, &got, NULL)) break;
    for (int64_t i = 0; i < got; i++)
      for (int64_t c = 0; c < r->n_columns; c++) {
        leat_status e = leat_batch_text(b, i, c, buf, sizeof buf, &needed, NULL);
        r->missing[c] += e == LEAT_OK && buf[0] == 0;
      }
  }
  leat_dataset_rewind(r->all.set, NULL);
  leat_batch_free(b);
}

/* A key taken for the target would ask for a class a row. */
static int check_target(const train_run *r) {
  int64_t target = cli_schema_role(r->schema, LEAT_ROLE_TARGET);
  leat_column_info info = { .struct_size = sizeof info };
  if (target < 0) return cli_wrong("train: no target: name the column to predict with --target COL");
  if (leat_schema_column(r->schema, target, &info, NULL) || info.kind != LEAT_CATEGORY || info.n_categories <= 1000 ||
      info.n_categories <= r->rows / 2)
    return 0;
  return cli_fail("--target %s: it has %lld different labels in %lld rows: that is a key, not a class; choose another "
                  "column, or --task regression for numbers", info.name, (long long)info.n_categories,
                  (long long)r->rows);
}

static int read_data(train_run *r) {
  const cli_args *a = r->a;
  leat_error err;
  cli_error_init(&err);
  int status = cli_data_open(a, r->rt, NULL, r->reader, a->files, a->n_files, 0, &r->all);
  if (status) return status;
  if (leat_dataset_schema(r->all.set, &r->schema, &err) || leat_dataset_shape(r->all.set, &r->rows, NULL, &err) ||
      leat_schema_count(r->schema, &r->n_columns, &err))
    return cli_fail_error(&err);
  if ((status = check_target(r)) != 0) return status;
  if (!a->json && !a->quiet) count_missing(r);
  r->train = r->all.set;
  if (a->holdout > 0) return hold_out(r);
  if (!a->valid) return 0;
  const char *valid = a->valid;
  leat_params *reader;
  if ((status = cli_reader(a, r->rt, valid, 0, &reader)) != 0) return status;
  status = cli_data_open(a, r->rt, r->schema, reader, &valid, 1, 0, &r->valid_data);
  leat_params_free(reader);
  r->valid = r->valid_data.set;
  if (!status && leat_dataset_shape(r->valid, &r->valid_rows, NULL, &err)) status = cli_fail_error(&err);
  return status;
}

/* ---- what was read */

/* Numbers a row that are learned from; a text counts as one. */
static int64_t count_features(const train_run *r) {
  int64_t n = 0;
  for (int64_t i = 0; i < r->n_columns; i++) {
    leat_column_info info = { .struct_size = sizeof info };
    if (leat_schema_column(r->schema, i, &info, NULL) == LEAT_OK && info.role == LEAT_ROLE_FEATURE) n += info.width;
  }
  return n;
}

static const char *train_task(const train_run *r) {
  int64_t target = cli_schema_role(r->schema, LEAT_ROLE_TARGET);
  leat_column_info info = { .struct_size = sizeof info };
  if (leat_schema_column(r->schema, target, &info, NULL)) return "?";
  if (info.kind == LEAT_BOOL) return "binary";
  return info.kind != LEAT_CATEGORY ? "regression" : info.n_categories > 2 ? "multiclass" : "binary";
}

/* "no, yes" or "12 labels" */
static char *labels_text(const leat_schema *s, int64_t column, int64_t n) {
  char *text = cli_text("%s", "");
  for (int64_t k = 0; k < n && text; k++) {
    const char *label;
    if (leat_schema_category(s, column, k, &label, NULL)) break;
    char *longer = cli_text("%s%s%s", text, k ? ", " : "", label);
    free(text);
    text = longer;
    if (strlen(text) > 40) {
      free(text);
      return cli_text("%lld labels", (long long)n);
    }
  }
  return text;
}

static void show_columns(const train_run *r) {
  static const char *const heads[] = { "column", "kind", "role", "missing", "labels" };
  cli_table *t = cli_table_create("lllrl", heads);
  int64_t hidden = 0;
  for (int64_t i = 0; i < r->n_columns; i++) {
    leat_column_info info = { .struct_size = sizeof info };
    if (leat_schema_column(r->schema, i, &info, NULL)) continue;
    if (i >= SHOWN_COLUMNS && info.role == LEAT_ROLE_FEATURE) {
      hidden++;
      continue;
    }
    char *labels = info.kind == LEAT_CATEGORY ? labels_text(r->schema, i, info.n_categories)
                   : info.width > 1 ? cli_text("%lld numbers a row%s", (long long)info.width,
                                               info.flags & LEAT_COLUMN_SPARSE ? ", sparse" : "")
                                    : cli_text("%s", "");
    char *missing = r->missing && r->missing[i] && info.role != LEAT_ROLE_IGNORE ? cli_text("%lld", (long long)r->missing[i]) : cli_text("%s", "");
    const char *row[] = { info.name, cli_kind_name(info.kind), cli_role_name(info.role), missing, labels };
    cli_table_row(t, row);
    free(labels);
    free(missing);
  }
  cli_table_print(t, stdout, 0);
  if (hidden) printf("... and %lld more features\n", (long long)hidden);
  printf("\n%lld rows, %lld features, task %s", (long long)(r->rows + (r->a->holdout > 0 ? r->valid_rows : 0)),
         (long long)count_features(r), train_task(r));
  if (r->valid) printf("; %lld rows to train on, %lld to validate on", (long long)r->rows, (long long)r->valid_rows);
  puts("");
  fflush(stdout);
}

/* ---- training */

static int file_exists(const char *path) {
  struct stat st;
  return stat(path, &st) == 0;
}

static int make_trainer(train_run *r) {
  const cli_args *a = r->a;
  leat_error err;
  cli_error_init(&err);
  r->resumed = a->resume && file_exists(a->checkpoint);
  if (a->resume && !r->resumed) cli_note(a, "%s: no checkpoint there yet: training begins", a->checkpoint);
  leat_status e = r->resumed ? leat_trainer_load(r->rt, a->checkpoint, r->dev, &r->t, &err)
                             : leat_trainer_create(r->rt, r->params, r->schema, r->dev, &r->t, &err);
  if (!e) e = leat_trainer_set_data(r->t, r->train, r->valid, &err);
  if (e) return cli_fail_error(&err);
  leat_progress p = { .struct_size = sizeof p };
  if (r->resumed && !leat_trainer_progress(r->t, &p, NULL))
    cli_note(a, "%s: going on after iteration %lld, with the checkpoint's parameters", a->checkpoint,
             (long long)p.step);
  return 0;
}

static int save_checkpoint(train_run *r) {
  leat_error err;
  cli_error_init(&err);
  return leat_trainer_save(r->t, r->a->checkpoint, &err) ? cli_fail_error(&err) : 0;
}

static int stopped(train_run *r, const leat_progress *p) {
  const char *path = r->a->checkpoint;
  if (!path) return cli_fail("stopped by a signal at iteration %lld: nothing is written", (long long)p->step);
  int status = save_checkpoint(r);
  return status ? status : cli_fail("stopped by a signal at iteration %lld: add --resume to go on from %s",
                                    (long long)p->step, path);
}

/* One iteration after the other. Checkpoints are written after an iteration, so often that they take a tenth of the
 * time at most, and every two seconds at least. */
static int iterate(train_run *r) {
  leat_error err;
  leat_progress p = { .struct_size = sizeof p };
  cli_progress line;
  leat_status e = LEAT_OK;
  int status = 0;
  cli_error_init(&err);
  cli_progress_begin(&line, r->a);
  double begun = cli_seconds(), saved = begun, pause = 0;
  int64_t seen = -1;
  do {
    e = leat_trainer_step(r->t, 0, &p, &err);
    double now = cli_seconds();
    if (seen < 0) seen = r->resumed ? p.rows_seen : 0;
    cli_progress_show(&line, "iteration", (double)p.step, (double)p.steps,
                      (double)(p.rows_seen - seen) / (now - begun + 1e-9), p.loss);
    int done = p.state == LEAT_TRAIN_DONE;
    if (!e && r->a->checkpoint && (done || now - saved >= pause)) {
      status = save_checkpoint(r);
      saved = cli_seconds();
      pause = 10 * (saved - now) < 2 ? 10 * (saved - now) : 2;
    }
    if (done) break;
  } while (!e && !status && !cli_interrupted());
  r->seconds = cli_seconds() - begun;
  cli_progress_end(&line);
  r->iterations = p.step;
  r->rows_seen = p.rows_seen - seen;
  if (status) return status;
  if (e == LEAT_E_CANCELLED || (!e && p.state != LEAT_TRAIN_DONE)) {
    leat_trainer_progress(r->t, &p, NULL);
    return stopped(r, &p);
  }
  return e ? cli_fail_error(&err) : 0;
}

/* ---- the answer */

static json_t *metrics_json(leat_trainer *t, int64_t set, leat_metrics **keep) {
  json_t *o = json_object();
  int64_t n = 0;
  *keep = NULL;
  if (leat_trainer_metrics(t, set, keep, NULL)) return o;
  leat_metrics_count(*keep, &n, NULL);
  for (int64_t i = 0; i < n; i++) {
    const char *name;
    double v = NAN;
    if (leat_metrics_name(*keep, i, &name, NULL) || leat_metrics_value(*keep, name, &v, NULL)) continue;
    json_object_set_new(o, name, strcmp(name, "rows") == 0 ? json_integer((json_int_t)v) : cli_json_real(v));
  }
  return o;
}

static void show_metrics(const leat_metrics *train, const leat_metrics *valid) {
  static const char *const heads[] = { "metric", "train", "valid" };
  cli_table *t = cli_table_create(valid ? "lrr" : "lr", heads);
  int64_t n = 0;
  char a[32], b[32];
  leat_metrics_count(train, &n, NULL);
  for (int64_t i = 0; i < n; i++) {
    const char *name;
    double v = NAN, w = NAN;
    if (leat_metrics_name(train, i, &name, NULL) || strcmp(name, "rows") == 0) continue;
    leat_metrics_value(train, name, &v, NULL);
    if (valid) leat_metrics_value(valid, name, &w, NULL);
    const char *row[] = { name, cli_number(v, a), cli_number(w, b) };
    cli_table_row(t, row);
  }
  puts("");
  cli_table_print(t, stdout, 0);
}

static json_t *columns_json(const leat_schema *s, int64_t n) {
  json_t *list = json_array();
  for (int64_t i = 0; i < n && i < 10000; i++) {
    leat_column_info info = { .struct_size = sizeof info };
    if (leat_schema_column(s, i, &info, NULL)) continue;
    json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:I,s:I}", "name", info.name, "kind", cli_kind_name(info.kind),
                                          "role", cli_role_name(info.role), "width", (json_int_t)info.width, "labels",
                                          (json_int_t)info.n_categories));
  }
  return list;
}

static int answer(train_run *r) {
  const cli_args *a = r->a;
  leat_metrics *train = NULL, *valid = NULL;
  int64_t peak = 0;
  char size[32], stays[32], rate[32], seconds[32];
  json_t *train_metrics = metrics_json(r->t, 0, &train);
  json_t *valid_metrics = r->valid ? metrics_json(r->t, 1, &valid) : json_object();
  leat_runtime_stat(r->rt, "bytes_peak", &peak, NULL);
  double speed = (double)r->rows_seen / (r->seconds + 1e-9);
  char *sum = cli_model_text(r->m, "checksum");
  int status;
  if (a->json) {
    status = cli_json_print(json_pack(
        "{s:I,s:I,s:s,s:s,s:I,s:o,s:o,s:I,s:I,s:o,s:o,s:s,s:s,s:b,s:o,s:I}", "rows", (json_int_t)r->rows, "features",
        (json_int_t)count_features(r), "task", train_task(r), "model", a->model ? a->model : "linear", "iterations",
        (json_int_t)r->iterations, "seconds", cli_json_real(r->seconds), "rows_per_second", cli_json_real(speed),
        "peak_bytes", (json_int_t)peak, "resident_peak_bytes", (json_int_t)cli_resident_peak(), "train", train_metrics, "valid", valid_metrics, "file", a->output, "checksum",
        sum ? sum : "", "resumed", r->resumed, "columns", columns_json(r->schema, r->n_columns),
        "fallback_ops", cli_fallbacks(r->rt)));
  } else {
    json_decref(train_metrics);
    json_decref(valid_metrics);
    if (train) show_metrics(train, valid);
    printf("\n%lld iterations in %s s, %s rows/s, at most %s of memory (%s resident)\n%s: checksum %s\n", (long long)r->iterations,
           cli_number(r->seconds, seconds), cli_count(speed, rate), cli_bytes(peak, size), cli_bytes(cli_resident_peak(), stays), a->output,
           sum ? sum : "");
    if (cli_fallbacks(r->rt) > 0)
      printf("%lld operations ran on the CPU in the device's place\n", (long long)cli_fallbacks(r->rt));
    status = cli_flush();
  }
  free(sum);
  leat_metrics_free(train);
  leat_metrics_free(valid);
  return status;
}

static int check_usage(const cli_args *a) {
  if (!a->output) return cli_wrong("train: no output: name the package with -o MODEL, e.g. -o model.leat");
  if (a->holdout > 0 && a->valid) return cli_wrong("--holdout and --valid: take one of the two");
  if (a->resume && !a->checkpoint) return cli_wrong("--resume: go on from what: name it with --checkpoint PATH");
  int status = cli_output_check("-o", a->output);
  if (!status && a->checkpoint) status = cli_output_check("--checkpoint", a->checkpoint);
  return status;
}

int cmd_train(const cli_args *a) {
  train_run r = { .a = a };
  leat_error err;
  cli_error_init(&err);
  int status = check_usage(a);
  if (!status) status = cli_runtime(a, &r.rt);
  if (!status) status = cli_device(a, r.rt, &r.dev);
  if (!status) status = parameters(&r);
  if (!status) status = read_data(&r);
  if (!status && !a->json && !a->quiet) show_columns(&r);
  if (!status) status = make_trainer(&r);
  if (!status) {
    cli_catch_signals(r.t);
    status = iterate(&r);
    cli_catch_signals(NULL);
  }
  if (!status && (leat_trainer_snapshot(r.t, &r.m, &err) || leat_model_save(r.m, a->output, &err)))
    status = cli_fail_error(&err);
  if (!status) status = answer(&r);
  leat_model_free(r.m);
  leat_trainer_free(r.t);
  leat_dataset_free(r.train_own);
  leat_dataset_free(r.valid_own);
  cli_data_close(&r.valid_data);
  cli_data_close(&r.all);
  leat_schema_free(r.schema);
  leat_params_free(r.reader);
  leat_params_free(r.params);
  leat_runtime_free(r.rt);
  free(r.missing);
  return status;
}
