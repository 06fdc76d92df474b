/* leat inspect: what a leat file holds; every checksum is verified. */
#include "cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct coefficient { char *feature; const char *output; double weight; } coefficient;

static int by_size(const void *a, const void *b) {
  const coefficient *x = a, *y = b;
  double u = fabs(x->weight), v = fabs(y->weight);
  if (u != v) return u < v ? 1 : -1;
  int c = strcmp(x->feature, y->feature);
  return c ? c : strcmp(x->output, y->output);
}

static double *model_array(const leat_model *m, const char *name, uint64_t *n, leat_error *err) {
  *n = 0;
  leat_status e = leat_model_get_f64s(m, name, NULL, 0, n, err);
  if (e != LEAT_OK && e != LEAT_E_CAPACITY) return NULL;
  double *v = cli_alloc(*n * sizeof *v);
  if (leat_model_get_f64s(m, name, v, *n, n, err) == LEAT_OK) return v;
  free(v);
  return NULL;
}

/* The labels of a model's outputs: one with the positive class or the target's name, or one a class. */
static char **output_labels(const leat_model *m, uint64_t n_out) {
  char **label = cli_alloc((n_out + 1) * sizeof *label);
  int64_t classes = cli_model_i64(m, "n_classes");
  for (uint64_t k = 0; k < n_out; k++) {
    char *name = cli_text("class:%llu", (unsigned long long)(classes == 2 && n_out == 1 ? 1 : k));
    label[k] = classes ? cli_model_text(m, name) : cli_model_text(m, "target");
    free(name);
    if (!label[k]) label[k] = cli_text("%llu", (unsigned long long)k);
  }
  return label;
}

static void show_weights(const cli_args *a, coefficient *c, uint64_t n, const double *intercept, uint64_t n_out,
                         char *const *label, json_t *root) {
  json_t *list = json_array();
  char number[32];
  if (a->json) {
    for (uint64_t i = 0; i < n; i++)
      json_array_append_new(list, json_pack("{s:s,s:s,s:o}", "feature", c[i].feature, "output", c[i].output, "weight",
                                            cli_json_real(c[i].weight)));
    json_object_set_new(root, "weights", list);
    json_t *start = json_array();
    for (uint64_t k = 0; k < n_out; k++)
      json_array_append_new(start, json_pack("{s:s,s:o}", "output", label[k], "intercept",
                                             cli_json_real(intercept[k])));
    json_object_set_new(root, "intercept", start);
    return;
  }
  json_decref(list);
  static const char *const heads[] = { "feature", "for", "weight" };
  cli_table *t = cli_table_create("llr", heads);
  qsort(c, n, sizeof *c, by_size);
  for (uint64_t k = 0; k < n_out; k++) {
    const char *row[] = { "(intercept)", label[k], cli_number(intercept[k], number) };
    cli_table_row(t, row);
  }
  for (uint64_t i = 0; i < n; i++) {
    const char *row[] = { c[i].feature, c[i].output, cli_number(c[i].weight, number) };
    cli_table_row(t, row);
  }
  printf("\ncoefficients, in units of the encoded features, the largest first\n");
  cli_table_print(t, stdout, 2);
}

static int weights(const cli_args *a, const leat_model *m, json_t *root) {
  leat_error err;
  cli_error_init(&err);
  uint64_t n = 0, n_out = 0;
  double *w = model_array(m, "weights", &n, &err);
  double *b = w ? model_array(m, "intercept", &n_out, &err) : NULL;
  if (!b || !n_out) {
    free(w);
    free(b);
    return cli_fail("--weights: this model has no coefficients by name: %s", err.message);
  }
  uint64_t n_slots = n / n_out;
  char **label = output_labels(m, n_out);
  coefficient *c = cli_alloc((n + 1) * sizeof *c);
  uint64_t used = 0;
  char **feature = cli_alloc((n_slots + 1) * sizeof *feature);
  for (uint64_t j = 0; j < n_slots; j++) {
    int any = 0; /* hashed slots that no row touched are left out */
    for (uint64_t k = 0; k < n_out; k++) any |= w[k * n_slots + j] != 0;
    if (!any && n_slots > 4096) continue;
    char *name = cli_text("feature:%llu", (unsigned long long)j);
    feature[j] = cli_model_text(m, name);
    if (!feature[j]) feature[j] = cli_text("%llu", (unsigned long long)j);
    free(name);
    for (uint64_t k = 0; k < n_out; k++) {
      c[used].feature = feature[j];
      c[used].output = label[k];
      c[used++].weight = w[k * n_slots + j];
    }
  }
  show_weights(a, c, used, b, n_out, label, root);
  for (uint64_t j = 0; j < n_slots; j++) free(feature[j]);
  for (uint64_t k = 0; k < n_out; k++) free(label[k]);
  free(feature);
  free(label);
  free(c);
  free(w);
  free(b);
  return 0;
}

/* Facts of a model: texts and integers that leat_model_get_* name. */
static void model_facts(const cli_args *a, const leat_model *m, json_t *root) {
  static const char *const texts[] = { "family", "task", "target", "lineage", "kernels" };
  static const char *const ints[] = { "n_classes", "in_cols", "n_parameters", "rows_trained", "iterations" };
  static const char *const titles[] = { "classes", "feature numbers a row", "parameters", "rows trained on",
                                        "iterations" };
  json_t *facts = json_object();
  cli_table *t = cli_table_create("ll", NULL);
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    char *v = cli_model_text(m, texts[i]);
    json_object_set_new(facts, texts[i], json_string(v ? v : ""));
    const char *row[] = { texts[i], v };
    if (v && v[0]) cli_table_row(t, row);
    free(v);
  }
  for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++) {
    int64_t v = cli_model_i64(m, ints[i]);
    json_object_set_new(facts, ints[i], json_integer(v));
    char *text = cli_text("%lld", (long long)v);
    const char *row[] = { titles[i], text };
    if (v || i > 0) cli_table_row(t, row);
    free(text);
  }
  json_t *classes = json_array();
  int64_t n = cli_model_i64(m, "n_classes");
  for (int64_t k = 0; k < n; k++) {
    char *name = cli_text("class:%lld", (long long)k);
    char *label = cli_model_text(m, name);
    json_array_append_new(classes, json_string(label ? label : ""));
    free(name);
    free(label);
  }
  json_object_set_new(facts, "classes", classes);
  if (!a->json) putchar('\n');
  cli_table_print(t, a->json ? NULL : stdout, 0);
  json_object_set_new(root, "model", facts);
}

static void sections(const cli_args *a, const leat_inspection *in, json_t *root) {
  static const char *const heads[] = { "section", "stored", "unpacked", "packed by", "checksum" };
  cli_table *t = cli_table_create("lrrll", heads);
  json_t *list = json_array();
  int64_t n = 0;
  char stored[32], raw[32];
  leat_inspection_get_i64(in, "sections", &n, NULL);
  for (int64_t i = 0; i < n; i++) {
    leat_section_info s = { .struct_size = sizeof s };
    if (leat_inspection_section(in, i, &s, NULL)) continue;
    snprintf(stored, sizeof stored, "%lld", (long long)s.stored_bytes);
    snprintf(raw, sizeof raw, "%lld", (long long)s.raw_bytes);
    const char *row[] = { s.name, stored, raw, s.codec, "ok" };
    cli_table_row(t, row);
    json_array_append_new(list, json_pack("{s:s,s:I,s:I,s:s,s:b}", "name", s.name, "stored_bytes",
                                          (json_int_t)s.stored_bytes, "raw_bytes", (json_int_t)s.raw_bytes, "codec",
                                          s.codec, "checksum_ok", 1));
  }
  cli_table_print(t, a->json ? NULL : stdout, 0);
  json_object_set_new(root, "sections", list);
}

static char *inspection_text(const leat_inspection *in, const char *name) {
  char buf[128];
  uint64_t needed;
  return cli_text("%s", leat_inspection_get_text(in, name, buf, sizeof buf, &needed, NULL) ? "?" : buf);
}

int cmd_inspect(const cli_args *a) {
  leat_runtime *rt;
  leat_inspection *in = NULL;
  leat_model *m = NULL;
  leat_error err;
  int status = cli_runtime(a, &rt);
  if (status) return status;
  cli_error_init(&err);
  const char *path = a->files[0];
  if (leat_inspection_open(rt, path, &in, &err)) {
    status = cli_fail_error(&err);
    leat_runtime_free(rt);
    return status;
  }
  int64_t version = 0;
  leat_inspection_get_i64(in, "version", &version, NULL);
  char *format = inspection_text(in, "format"), *sum = inspection_text(in, "checksum");
  json_t *root = json_pack("{s:s,s:s,s:I,s:s}", "file", path, "format", format, "version", (json_int_t)version,
                           "checksum", sum);
  if (!a->json) printf("%s: %s, format version %lld, checksum %s\n\n", path, format, (long long)version, sum);
  sections(a, in, root);
  if (strcmp(format, "model") == 0) {
    status = cli_model_load(rt, path, &m);
    if (!status) model_facts(a, m, root);
  }
  if (!status && a->weights)
    status = m ? weights(a, m, root) : cli_fail("--weights: %s: is a %s: expected a model package", path, format);
  int printed = status ? 0 : a->json ? cli_json_print(root) : cli_flush();
  if (status || !a->json) json_decref(root);
  leat_model_free(m);
  leat_inspection_free(in);
  leat_runtime_free(rt);
  free(format);
  free(sum);
  return status ? status : printed;
}
