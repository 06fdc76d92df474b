/* Streams and short cuts for the tests of the online trainer. */
#ifndef LEAT_TESTS_ONLINE_HELP_H
#define LEAT_TESTS_ONLINE_HELP_H
#include "train_help.h"
static inline leat_params *on_params(leat_runtime *rt, const char *text) {
  leat_params *p = NULL;
  leat_error e = tr_error();
  TR_OK(leat_params_create(rt, "online/linear", &p, &e), &e);
  while (*text) {
    char name[64] = {0}, value[128] = {0};
    size_t n = strcspn(text, "=");
    memcpy(name, text, n);
    text += n + 1;
    n = strcspn(text, " ");
    memcpy(value, text, n);
    text += n;
    while (*text == ' ') text++;
    TR_OK(leat_params_set_text(p, name, value, &e), &e);
  }
  return p;
}
static inline leat_trainer *on_trainer(leat_runtime *rt, const char *settings, const leat_schema *s) {
  leat_params *p = on_params(rt, settings);
  leat_trainer *t = NULL;
  leat_error e = tr_error();
  TR_OK(leat_trainer_create(rt, p, s, NULL, &t, &e), &e);
  leat_params_free(p);
  return t;
}
/* Rows [from, from + n) of a dataset as a batch (lt_batch_free). */
static inline leat_batch *on_rows(const leat_dataset *d, int64_t from, int64_t n) {
  leat_batch *b = NULL, *scratch = NULL;
  lt_rows v;
  leat_error e = tr_error();
  TR_OK(lt_batch_create(lt_dataset_runtime(d), lt_dataset_schema(d), &b, &e), &e);
  TR_OK(lt_batch_create(lt_dataset_runtime(d), lt_dataset_schema(d), &scratch, &e), &e);
  while (n > 0) {
    TR_OK(lt_dataset_view(d, from, n, scratch, &v, &e), &e);
    if (v.n <= 0) fail();
    TR_OK(lt_batch_append(b, &v, 0, v.n, &e), &e);
    from += v.n;
    n -= v.n;
  }
  lt_batch_free(scratch);
  return b;
}
/* test_then_train over rows [from, to), `call` rows a call; pred [to - from, cols] may be NULL. */
static inline void on_run(leat_trainer *t, const leat_dataset *d, int64_t from, int64_t to, int64_t call, int64_t chunk,
                          double *pred, int64_t cols) {
  leat_error e = tr_error();
  for (int64_t r = from; r < to; r += call) {
    int64_t n = to - r < call ? to - r : call;
    leat_batch *b = on_rows(d, r, n);
    leat_matrix p = tr_matrix(pred ? pred + (r - from) * cols : NULL, n, cols, LEAT_F64);
    TR_OK(leat_trainer_test_then_train(t, b, chunk, pred ? &p : NULL, &e), &e);
    lt_batch_free(b);
  }
}
static inline void on_predict(leat_trainer *t, const leat_dataset *d, int64_t from, int64_t n, double *out, int64_t cols) {
  leat_error e = tr_error();
  leat_batch *b = on_rows(d, from, n);
  leat_matrix p = tr_matrix(out, n, cols, LEAT_F64);
  TR_OK(leat_trainer_predict(t, b, &p, &e), &e);
  lt_batch_free(b);
}
static inline double on_metric(leat_trainer *t, int64_t set, const char *name) {
  leat_metrics *k = NULL;
  double v = NAN;
  leat_error e = tr_error();
  TR_OK(leat_trainer_metrics(t, set, &k, &e), &e);
  TR_OK(leat_metrics_value(k, name, &v, &e), &e);
  leat_metrics_free(k);
  return v;
}
static inline leat_model *on_snapshot(leat_trainer *t) {
  leat_model *m = NULL;
  leat_error e = tr_error();
  TR_OK(leat_trainer_snapshot(t, &m, &e), &e);
  return m;
}
/* The checkpoint's bytes (lt_free). */
static inline void *on_saved(leat_runtime *rt, leat_trainer *t, const char *path, uint64_t *size) {
  void *data = NULL;
  leat_error e = tr_error();
  TR_OK(leat_trainer_save(t, path, &e), &e);
  TR_OK(lt_file_load(rt, path, 1u << 30, &data, size, &e), &e);
  return data;
}
static inline void on_same_state(leat_runtime *rt, leat_trainer *a, leat_trainer *b) {
  char path[64];
  uint64_t na, nb;
  snprintf(path, sizeof path, "/tmp/leat-online-%p.ckpt", (void *)a);
  void *x = on_saved(rt, a, path, &na), *y = on_saved(rt, b, path, &nb);
  remove(path);
  assert_int_equal(na, nb);
  assert_memory_equal(x, y, na);
  lt_free(rt, x);
  lt_free(rt, y);
}
/* Sparse rows of two labels: `entries` of `width` features, skewed to low ones. */
static inline leat_dataset *on_sparse(leat_runtime *rt, int64_t n, int64_t width, int64_t entries, uint64_t seed) {
  leat_schema *s = tr_schema(rt, width, 2, 1);
  int64_t *start = calloc((size_t)n + 1, sizeof *start);
  int32_t *index = malloc((size_t)(n * entries) * sizeof *index);
  float *value = malloc((size_t)(n * entries) * sizeof *value);
  double *y = malloc((size_t)n * sizeof *y);
  lt_rng r;
  lt_rng_init(&r, seed, 3);
  for (int64_t i = 0; i < n; i++) {
    double m = -0.3;
    int64_t at = 0;
    for (int64_t k = 0; k < entries; k++) { /* one from each of as many stretches that grow */
      double a = (double)k / (double)entries, b = (double)(k + 1) / (double)entries;
      int64_t low = (int64_t)((double)width * a * a), high = (int64_t)((double)width * b * b);
      at = low + (int64_t)lt_rng_below(&r, (uint64_t)(high > low ? high - low : 1));
      index[start[i] + k] = (int32_t)at;
      value[start[i] + k] = (float)lt_rng_normal(&r);
      m += (at % 3 == 0 ? 1.5 : at % 3 == 1 ? -1 : 0) * (double)value[start[i] + k];
    }
    start[i + 1] = start[i] + entries;
    y[i] = lt_rng_unit(&r) < 1 / (1 + exp(-m));
  }
  leat_csr x = {0};
  x.struct_size = sizeof x;
  x.row_start = start;
  x.index = index;
  x.value = value;
  x.rows = n;
  x.cols = width;
  x.dtype = LEAT_F32;
  leat_matrix labels = tr_matrix(y, n, 1, LEAT_F64);
  leat_dataset *d = NULL;
  leat_error e = tr_error();
  TR_OK(lt_dataset_from_csr(rt, s, &x, &labels, NULL, &d, &e), &e);
  lt_schema_free(s);
  free(start);
  free(index);
  free(value);
  free(y);
  return d;
}
/* Rows of a number, a category, a text and a target of `labels` labels, as strings. */
static inline leat_schema *on_mixed_schema(leat_runtime *rt, int64_t colours, int64_t labels) {
  static const char *const colour[] = {"red", "green", "blue", "grey"};
  static const char *const label[] = {"no", "yes", "perhaps", "later"};
  leat_schema *s = NULL;
  leat_error e = tr_error();
  TR_OK(leat_schema_create(rt, &s, &e), &e);
  TR_OK(leat_schema_add_column(s, "size", LEAT_NUMBER, LEAT_ROLE_FEATURE, &e), &e);
  TR_OK(leat_schema_add_column(s, "colour", LEAT_CATEGORY, LEAT_ROLE_FEATURE, &e), &e);
  TR_OK(leat_schema_add_column(s, "note", LEAT_TEXT, LEAT_ROLE_FEATURE, &e), &e);
  TR_OK(leat_schema_add_column(s, "answer", LEAT_CATEGORY, LEAT_ROLE_TARGET, &e), &e);
  for (int64_t k = 0; k < colours; k++) TR_OK(leat_schema_add_category(s, 1, colour[k], &e), &e);
  for (int64_t k = 0; k < labels; k++) TR_OK(leat_schema_add_category(s, 3, label[k], &e), &e);
  return s;
}
/* Label k has its own words and colour, more often than not. */
static inline leat_batch *on_mixed(leat_runtime *rt, const leat_schema *s, int64_t n, int64_t labels, uint64_t seed) {
  static const char *const colour[] = {"red", "green", "blue", "grey"};
  static const char *const label[] = {"no", "yes", "perhaps", "later"};
  static const char *const words[] = {"never mind", "of course, gladly", "who knows", "tomorrow or so"};
  leat_batch *b = NULL;
  lt_rng r;
  leat_error e = tr_error();
  TR_OK(leat_batch_create(rt, s, &b, &e), &e);
  lt_rng_init(&r, seed, 5);
  for (int64_t i = 0; i < n; i++) {
    uint64_t k = lt_rng_below(&r, (uint64_t)labels);
    char size[32], note[64];
    snprintf(size, sizeof size, "%d.%d", (int)k, (int)lt_rng_below(&r, 100));
    snprintf(note, sizeof note, "%s %s", words[lt_rng_unit(&r) < 0.8 ? k : 0], "and more words");
    const char *field[] = {i % 11 == 3 ? "" : size, lt_rng_unit(&r) < 0.6 ? colour[k] : i % 7 == 2 ? "" : "red", note, label[k]};
    TR_OK(leat_batch_add_text(b, field, 4, &e), &e);
  }
  return b;
}
#endif
