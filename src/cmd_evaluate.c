/* leat evaluate: metrics on labelled rows, beside what the majority class (or the mean) would have reached. */
#include "cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 4096 };

typedef struct label_code { char *label; int64_t code; } label_code;

typedef struct evaluation {
  const cli_args *a;
  leat_runtime *rt;
  leat_model *m;
  leat_schema *schema;
  leat_params *reader;
  leat_predictor *q;
  leat_metrics *metrics;
  const leat_device *dev;
  int64_t n_classes, n_out;
  label_code *labels;      /* sorted by label */
  double *pred, *y, *w;
  int64_t rows, unlabelled; /* rows that count, rows without a label */
  double *class_weight, sum_w, sum_y, sum_yy;
  cli_progress progress;
  double begun;
  char *text;
  uint64_t text_cap;
} evaluation;

static int by_label(const void *a, const void *b) {
  return strcmp(((const label_code *)a)->label, ((const label_code *)b)->label);
}

/* A field of the batch as text in e->text. */
static int field(evaluation *e, const leat_batch *b, int64_t row, int64_t column) {
  leat_error err;
  uint64_t needed;
  cli_error_init(&err);
  leat_status s = leat_batch_text(b, row, column, e->text, e->text_cap, &needed, &err);
  if (s == LEAT_E_CAPACITY) {
    e->text_cap = needed;
    e->text = cli_grow(e->text, e->text_cap);
    s = leat_batch_text(b, row, column, e->text, e->text_cap, &needed, &err);
  }
  return s ? cli_fail_error(&err) : 0;
}

static double target_number(const evaluation *e) {
  if (!e->text[0]) return NAN;
  if (!e->n_classes) return strtod(e->text, NULL);
  label_code want = { e->text, 0 };
  const label_code *hit = bsearch(&want, e->labels, (size_t)e->n_classes, sizeof want, by_label);
  return hit ? (double)hit->code : NAN;
}

/* Predicts a batch and adds the rows that have a label. */
static int add_batch(evaluation *e, const leat_batch *b, int64_t n, int64_t target, int64_t weight) {
  leat_error err;
  leat_matrix out = { .struct_size = sizeof out, .data = e->pred, .rows = n, .cols = e->n_out, .dtype = LEAT_F64 };
  cli_error_init(&err);
  if (leat_predictor_run_batch(e->q, b, &out, &err)) return cli_fail_error(&err);
  int64_t kept = 0;
  for (int64_t i = 0; i < n; i++) {
    int status = field(e, b, i, target);
    if (status) return status;
    double y = target_number(e), w = 1;
    if (weight >= 0 && (status = field(e, b, i, weight)) != 0) return status;
    if (weight >= 0) w = e->text[0] ? strtod(e->text, NULL) : 1;
    if (isnan(y)) {
      e->unlabelled++;
      continue;
    }
    memmove(e->pred + kept * e->n_out, e->pred + i * e->n_out, (size_t)e->n_out * sizeof *e->pred);
    e->y[kept] = y;
    e->w[kept++] = w;
    if (e->n_classes) e->class_weight[(int64_t)y] += w;
    e->sum_w += w;
    e->sum_y += w * y;
    e->sum_yy += w * y * y;
  }
  if (!kept) return 0;
  out.rows = kept;
  leat_matrix y = { .struct_size = sizeof y, .data = e->y, .rows = kept, .cols = 1, .dtype = LEAT_F64 };
  leat_matrix w = { .struct_size = sizeof w, .data = e->w, .rows = kept, .cols = 1, .dtype = LEAT_F64 };
  if (leat_metrics_update(e->metrics, &out, &y, weight >= 0 ? &w : NULL, &err)) return cli_fail_error(&err);
  e->rows += kept;
  return 0;
}

static int evaluate_file(evaluation *e, const char *path) {
  cli_data d;
  leat_batch *b = NULL;
  leat_schema *s = NULL;
  leat_error err;
  cli_error_init(&err);
  int status = cli_data_open(e->a, e->rt, e->schema, e->reader, &path, 1, 1, &d);
  if (status) return status;
  if (leat_dataset_schema(d.set, &s, &err) || leat_batch_create(e->rt, s, &b, &err)) status = cli_fail_error(&err);
  int64_t target = s ? cli_schema_role(s, LEAT_ROLE_TARGET) : -1, weight = s ? cli_schema_role(s, LEAT_ROLE_WEIGHT) : -1;
  for (int64_t got = 1; !status && got > 0;) {
    if (leat_dataset_next(d.set, BATCH_ROWS, b, &got, &err)) status = cli_data_failed(&d, &err);
    if (!status && got) status = add_batch(e, b, got, target, weight);
    if (!status && cli_interrupted()) status = cli_fail("stopped by a signal after %lld rows", (long long)e->rows);
    cli_progress_show(&e->progress, "row", (double)e->rows, 0, (double)e->rows / (cli_seconds() - e->begun + 1e-9), NAN);
  }
  leat_batch_free(b);
  leat_schema_free(s);
  cli_data_close(&d);
  return status;
}

static int prepare(evaluation *e) {
  const cli_args *a = e->a;
  leat_error err;
  int64_t in_cols;
  leat_params *p = NULL;
  cli_error_init(&err);
  int status = cli_reader(a, e->rt, a->files[1], 0, &e->reader);
  if (status) return status;
  if (leat_params_create(e->rt, "predictor", &p, &err)) return cli_fail_error(&err);
  leat_params *const sets[] = { p, e->reader };
  status = cli_apply_sets(a, sets, 2);
  if (!status)
    if (leat_predictor_create(e->m, p, e->dev, &e->q, &err) || leat_predictor_reserve(e->q, BATCH_ROWS, &err) ||
        leat_predictor_shape(e->q, &in_cols, &e->n_out, &err) || leat_model_schema(e->m, &e->schema, &err))
      status = cli_fail_error(&err);
  leat_params_free(p);
  if (!status && a->weight) status = cli_schema_set_weight(e->schema, a->weight);
  if (status) return status;
  e->n_classes = cli_model_i64(e->m, "n_classes");
  double threshold = 0.5;
  cli_model_numbers(e->m, "threshold", &threshold, 1);
  char *names = e->n_classes > 2    ? cli_text("multiclass:%lld", (long long)e->n_classes)
                : e->n_classes == 2 ? cli_text(threshold == 0.5 ? "binary" : "binary:%.17g", threshold)
                                    : cli_text("regression");
  if (leat_metrics_create(e->rt, names, &e->metrics, &err)) status = cli_fail_error(&err);
  free(names);
  e->labels = cli_alloc((size_t)(e->n_classes + 1) * sizeof *e->labels);
  for (int64_t k = 0; k < e->n_classes; k++) {
    char *name = cli_text("class:%lld", (long long)k);
    e->labels[k].label = cli_model_text(e->m, name);
    if (!e->labels[k].label) e->labels[k].label = cli_text("%lld", (long long)k);
    e->labels[k].code = k;
    free(name);
  }
  qsort(e->labels, (size_t)e->n_classes, sizeof *e->labels, by_label);
  e->class_weight = cli_alloc((size_t)(e->n_classes + 1) * sizeof *e->class_weight);
  e->pred = cli_alloc((size_t)(BATCH_ROWS * e->n_out) * sizeof *e->pred);
  e->y = cli_alloc(BATCH_ROWS * sizeof *e->y);
  e->w = cli_alloc(BATCH_ROWS * sizeof *e->w);
  return status;
}

/* What always saying the most frequent class of these rows (or their mean) gives. */
static json_t *baseline(const evaluation *e, double *accuracy, double *loss, double *rmse) {
  *accuracy = *loss = *rmse = NAN;
  if (!e->n_classes) {
    double mean = e->sum_y / e->sum_w, var = e->sum_yy / e->sum_w - mean * mean;
    *rmse = sqrt(var > 0 ? var : 0);
    return json_pack("{s:o,s:o}", "prediction", cli_json_real(mean), "rmse", cli_json_real(*rmse));
  }
  int64_t best = 0;
  *loss = 0;
  for (int64_t k = 0; k < e->n_classes; k++) {
    double p = e->class_weight[k] / e->sum_w;
    if (e->class_weight[k] > e->class_weight[best]) best = k;
    if (p > 0) *loss -= p * log(p);
  }
  *accuracy = e->class_weight[best] / e->sum_w;
  const char *label = "";
  for (int64_t k = 0; k < e->n_classes; k++) if (e->labels[k].code == best) label = e->labels[k].label;
  return json_pack("{s:s,s:o,s:o}", "prediction", label, "accuracy", cli_json_real(*accuracy), "loss",
                   cli_json_real(*loss));
}

static int report(const evaluation *e) {
  double accuracy, loss, rmse;
  char a[32], b[32];
  int64_t n = 0;
  json_t *metrics = json_object(), *majority = baseline(e, &accuracy, &loss, &rmse);
  static const char *const heads[] = { "metric", "model", "majority" };
  static const char *const mean_heads[] = { "metric", "model", "mean" };
  cli_table *t = cli_table_create("lrr", e->n_classes ? heads : mean_heads);
  leat_metrics_count(e->metrics, &n, NULL);
  for (int64_t i = 0; i < n; i++) {
    const char *name;
    double v = NAN;
    if (leat_metrics_name(e->metrics, i, &name, NULL) || leat_metrics_value(e->metrics, name, &v, NULL)) continue;
    if (strcmp(name, "rows") == 0) continue;
    json_object_set_new(metrics, name, cli_json_real(v));
    double base = strcmp(name, "accuracy") == 0 ? accuracy : strcmp(name, "loss") == 0 ? loss
                  : strcmp(name, "rmse") == 0 ? rmse : NAN;
    const char *row[] = { name, cli_number(v, a), isnan(base) ? "" : cli_number(base, b) };
    cli_table_row(t, row);
  }
  if (e->a->json) {
    cli_table_print(t, NULL, 0);
    return cli_json_print(json_pack("{s:I,s:I,s:o,s:{s:o},s:I}", "rows", (json_int_t)e->rows, "rows_without_label",
                                    (json_int_t)e->unlabelled, "metrics", metrics, "baselines", "majority", majority, "fallback_ops",
                                    cli_fallbacks(e->rt)));
  }
  json_decref(metrics);
  json_decref(majority);
  printf("%lld rows", (long long)e->rows);
  if (e->unlabelled) printf(" (and %lld without a known label, left out)", (long long)e->unlabelled);
  puts("\n");
  cli_table_print(t, stdout, 0);
  return cli_flush();
}

int cmd_evaluate(const cli_args *a) {
  evaluation e = { .a = a };
  e.text = cli_alloc(e.text_cap = 256);
  int status = cli_runtime(a, &e.rt);
  if (!status) status = cli_device(a, e.rt, &e.dev);
  if (!status) status = cli_model_load(e.rt, a->files[0], &e.m);
  if (!status) status = prepare(&e);
  if (!status) {
    cli_catch_signals(NULL);
    cli_progress_begin(&e.progress, a);
    e.begun = cli_seconds();
    for (int i = 1; !status && i < a->n_files; i++) status = evaluate_file(&e, a->files[i]);
    cli_progress_end(&e.progress);
  }
  if (!status && !e.rows) {
    char *name = cli_model_text(e.m, "target");
    status = cli_fail("%s: evaluate needs labelled rows, and no row has a label in '%s' that the model knows: name the "
                      "column with --target COL", a->files[1], a->target ? a->target : name ? name : "");
    free(name);
  }
  if (!status) status = report(&e);
  for (int64_t k = 0; e.labels && k < e.n_classes; k++) free(e.labels[k].label);
  free(e.labels);
  free(e.class_weight);
  free(e.pred);
  free(e.y);
  free(e.w);
  free(e.text);
  leat_metrics_free(e.metrics);
  leat_predictor_free(e.q);
  leat_params_free(e.reader);
  leat_schema_free(e.schema);
  leat_model_free(e.m);
  leat_runtime_free(e.rt);
  return status;
}
