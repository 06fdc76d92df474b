/* leat predict: one CSV line a row, in constant memory. */
#include "cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 4096 };

typedef struct predict_run {
  const cli_args *a;
  leat_runtime *rt;
  leat_model *m;
  leat_schema *schema;      /* the model's, with the key column if one is asked for */
  leat_params *reader;
  leat_predictor *q;
  const leat_device *dev;
  int headed;               /* the first line is out */
  int64_t key;              /* column, or -1: the row's number */
  int64_t n_classes, n_out, rows;
  double threshold;         /* two classes: from this probability on the second is the answer */
  double interval[3];       /* numbers: share, what to add for the ends; share 0: none */
  char **label;             /* of each class, quoted for CSV */
  double *out;              /* [BATCH_ROWS, n_out] */
  char *text;               /* a key */
  uint64_t text_cap;
  cli_output to;
  cli_progress progress;
  double begun;
} predict_run;

/* RFC 4180: quoted when it holds a comma, a quote or an end of line; inner quotes are doubled. */
static void put_field(FILE *to, const char *s) {
  if (!s[strcspn(s, ",\"\r\n")] && s[0] != ' ') {
    fputs(s, to);
    return;
  }
  putc('"', to);
  for (; *s; s++) {
    if (*s == '"') putc('"', to);
    putc(*s, to);
  }
  putc('"', to);
}

/* A probability of 1e-4 and more in as few digits as tell its float from the others: from six digits up, the first
 * decimal that rounds to it. Returns the text's start inside buf[32], or NULL when v is outside. */
static const char *short_decimal(float f, char buf[32]) {
  static const double scale[] = { 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12 };
  double v = (double)f;
  if (!(v >= 1e-4 && v < 0.999999)) return NULL;
  int zeros = v >= 0.1 ? 0 : v >= 0.01 ? 1 : v >= 0.001 ? 2 : 3;
  int64_t n = 0;
  int k = zeros;
  for (; k <= zeros + 3; k++) {
    n = (int64_t)(v * scale[k] + 0.5);
    if ((float)((double)n / scale[k]) == f) break;
  }
  int decimals = k > zeros + 3 ? zeros + 9 : k + 6;
  while (n % 10 == 0) { n /= 10; decimals--; }
  char *p = buf + 32;
  *--p = 0;
  for (; decimals > 0; decimals--) { *--p = (char)('0' + n % 10); n /= 10; }
  *--p = '.';
  *--p = '0';
  return p;
}

/* The shortest decimal that reads back as the same float: nine digits always do (Steele and White 1990). */
static void put_real(FILE *to, double v) {
  char buf[40];
  float f = (float)v;
  const char *text = short_decimal(f, buf);
  for (int digits = 6; !text && digits <= 9; digits++) {
    snprintf(buf, sizeof buf, "%.*g", digits, (double)f);
    if (digits == 9 || strtof(buf, NULL) == f) text = buf;
  }
  putc(',', to);
  fputs(text, to);
}

static void put_head(predict_run *r) {
  fputs(r->interval[0] > 0 ? "key,prediction,lower,upper" : "key,prediction", r->to.to);
  for (int64_t k = 0; k < r->n_classes; k++) {
    char *name = cli_text("p_%s", r->label[k]);
    putc(',', r->to.to);
    put_field(r->to.to, name);
    free(name);
  }
  putc('\n', r->to.to);
}

static int put_key(predict_run *r, const leat_batch *b, int64_t row) {
  leat_error err;
  uint64_t needed;
  if (r->key < 0) {
    fprintf(r->to.to, "%lld", (long long)(r->rows + row + 1));
    return 0;
  }
  cli_error_init(&err);
  leat_status e = leat_batch_text(b, row, r->key, r->text, r->text_cap, &needed, &err);
  if (e == LEAT_E_CAPACITY) {
    r->text_cap = needed;
    r->text = cli_grow(r->text, r->text_cap);
    e = leat_batch_text(b, row, r->key, r->text, r->text_cap, &needed, &err);
  }
  if (e) return cli_fail_error(&err);
  put_field(r->to.to, r->text);
  return 0;
}

static void put_prediction(predict_run *r, const double *p) {
  int64_t best = 0;
  if (!r->n_classes) {
    put_real(r->to.to, p[0]);
    for (int k = 1; k < 3 && r->interval[0] > 0; k++) put_real(r->to.to, p[0] + r->interval[k]);
    return;
  }
  if (r->n_out == 1) best = p[0] >= r->threshold;
  else
    for (int64_t k = 1; k < r->n_classes; k++) if (p[k] > p[best]) best = k;
  putc(',', r->to.to);
  put_field(r->to.to, r->label[best]);
  for (int64_t k = 0; k < r->n_classes; k++) put_real(r->to.to, r->n_out > 1 ? p[k] : k ? p[0] : 1 - p[0]);
}

static int predict_batch(predict_run *r, const leat_batch *b, int64_t n) {
  leat_error err;
  leat_matrix out = { .struct_size = sizeof out, .data = r->out, .rows = n, .cols = r->n_out, .dtype = LEAT_F64 };
  cli_error_init(&err);
  if (leat_predictor_run_batch(r->q, b, &out, &err)) return cli_fail_error(&err);
  for (int64_t i = 0; i < n; i++) {
    int status = put_key(r, b, i);
    if (status) return status;
    put_prediction(r, r->out + i * r->n_out);
    putc('\n', r->to.to);
  }
  return 0;
}

static int predict_file(predict_run *r, const char *path) {
  cli_data d;
  leat_batch *b = NULL;
  leat_schema *s = NULL;
  leat_error err;
  cli_error_init(&err);
  int status = cli_data_open(r->a, r->rt, r->schema, r->reader, &path, 1, 1, &d);
  if (status) return status;
  if (leat_dataset_schema(d.set, &s, &err) || leat_batch_create(r->rt, s, &b, &err)) status = cli_fail_error(&err);
  r->key = s ? cli_schema_role(s, LEAT_ROLE_KEY) : -1;
  if (!status && !r->headed) put_head(r);
  r->headed = 1;
  for (int64_t got = 1; !status && got > 0;) {
    if (leat_dataset_next(d.set, BATCH_ROWS, b, &got, &err)) status = cli_data_failed(&d, &err);
    if (!status && got) status = predict_batch(r, b, got);
    if (!status) r->rows += got;
    if (!status && ferror(r->to.to)) break;
    if (!status && cli_interrupted()) status = cli_fail("stopped by a signal after %lld rows", (long long)r->rows);
    cli_progress_show(&r->progress, "row", (double)r->rows, 0, (double)r->rows / (cli_seconds() - r->begun + 1e-9), NAN);
  }
  leat_batch_free(b);
  leat_schema_free(s);
  cli_data_close(&d);
  return status;
}

/* Predictor, its outputs and the names of the classes. */
static int prepare(predict_run *r) {
  const cli_args *a = r->a;
  leat_error err;
  int64_t in_cols;
  leat_params *p = NULL;
  cli_error_init(&err);
  int status = cli_reader(a, r->rt, a->files[1], 0, &r->reader);
  if (status) return status;
  if (leat_params_create(r->rt, "predictor", &p, &err)) return cli_fail_error(&err);
  leat_params *const sets[] = { p, r->reader };
  status = cli_apply_sets(a, sets, 2);
  if (!status)
    if (leat_predictor_create(r->m, p, r->dev, &r->q, &err) || leat_predictor_reserve(r->q, BATCH_ROWS, &err) ||
        leat_predictor_shape(r->q, &in_cols, &r->n_out, &err) || leat_model_schema(r->m, &r->schema, &err))
      status = cli_fail_error(&err);
  leat_params_free(p);
  if (status) return status;
  r->n_classes = cli_model_i64(r->m, "n_classes");
  r->threshold = 0.5;
  cli_model_numbers(r->m, "threshold", &r->threshold, 1);
  if (!cli_model_numbers(r->m, "interval", r->interval, 3)) r->interval[0] = 0;
  r->label = cli_alloc((size_t)(r->n_classes + 1) * sizeof *r->label);
  for (int64_t k = 0; k < r->n_classes; k++) {
    char *name = cli_text("class:%lld", (long long)k);
    r->label[k] = cli_model_text(r->m, name);
    if (!r->label[k]) r->label[k] = cli_text("%lld", (long long)k);
    free(name);
  }
  r->out = cli_alloc((size_t)(BATCH_ROWS * r->n_out) * sizeof *r->out);
  return status;
}

static int predict_all(predict_run *r) {
  const cli_args *a = r->a;
  int status = cli_output_open(&r->to, a->output);
  if (status) return status;
  cli_catch_signals(NULL);
  cli_progress_begin(&r->progress, a);
  r->begun = cli_seconds();
  for (int i = 1; !status && i < a->n_files; i++) status = predict_file(r, a->files[i]);
  cli_progress_end(&r->progress);
  if (status) {
    cli_output_abort(&r->to);
    return status;
  }
  status = cli_output_commit(&r->to);
  double seconds = cli_seconds() - r->begun, rate = (double)r->rows / (seconds + 1e-9);
  if (status || !a->output) return status;
  if (a->json)
    return cli_json_print(json_pack("{s:I,s:o,s:o,s:s,s:I,s:I}", "rows", (json_int_t)r->rows, "rows_per_second",
                                    cli_json_real(rate), "seconds", cli_json_real(seconds), "file", a->output,
                                    "fallback_ops", cli_fallbacks(r->rt), "resident_peak_bytes", (json_int_t)cli_resident_peak()));
  char number[32];
  cli_note(a, "%lld rows predicted to %s, %s rows/s", (long long)r->rows, a->output, cli_count(rate, number));
  return 0;
}

int cmd_predict(const cli_args *a) {
  predict_run r = { .a = a, .key = -1 };
  if (a->json && !a->output)
    return cli_wrong("predict: --json: the predictions themselves go to stdout: write them with -o FILE");
  int status = a->output ? cli_output_check("-o", a->output) : 0;
  if (!status) status = cli_runtime(a, &r.rt);
  if (!status) status = cli_device(a, r.rt, &r.dev);
  if (!status) status = cli_model_load(r.rt, a->files[0], &r.m);
  if (!status) status = prepare(&r);
  if (!status) status = predict_all(&r);
  for (int64_t k = 0; r.label && k < r.n_classes; k++) free(r.label[k]);
  free(r.label);
  free(r.out);
  free(r.text);
  leat_predictor_free(r.q);
  leat_params_free(r.reader);
  leat_schema_free(r.schema);
  leat_model_free(r.m);
  leat_runtime_free(r.rt);
  return status;
}
