/* Results of others on the same rows (tests/parity/peers.py makes them again). Without LEAT_DATA_DIR all are skipped. */
#define _POSIX_C_SOURCE 200809L
#include "train_help.h"

static const char *data_folder(void) {
  const char *d = getenv("LEAT_DATA_DIR");
  if (!d || !*d) skip();
  return d;
}

/* "name=value;name=value" */
static leat_params *reader_params(leat_runtime *rt, const char *spec, const char *text) {
  leat_params *p = NULL;
  leat_error e = tr_error();
  TR_OK(leat_params_create(rt, spec, &p, &e), &e);
  while (*text) {
    char name[64], value[600];
    size_t n = strcspn(text, "=");
    memcpy(name, text, n);
    name[n] = 0;
    text += n + 1;
    n = strcspn(text, ";");
    memcpy(value, text, n);
    value[n] = 0;
    text += n + (text[n] == ';');
    TR_OK(leat_params_set_text(p, name, value, &e), &e);
  }
  return p;
}

static leat_dataset *open_file(leat_runtime *rt, const char *file, const char *spec, const char *reader,
                               const leat_dataset *like) {
  char path[600];
  leat_dataset *d = NULL;
  leat_schema *s = NULL;
  leat_error e = tr_error();
  snprintf(path, sizeof path, "%s/%s", data_folder(), file);
  leat_params *p = reader_params(rt, spec, reader);
  if (like) TR_OK(leat_dataset_schema(like, &s, &e), &e);
  TR_OK(leat_dataset_open(rt, s, path, p, &d, &e), &e);
  leat_params_free(p);
  leat_schema_free(s);
  return d;
}

/* Fits; metrics of the model on other rows through a predictor. Returns sum of weight * loss + penalty. */
static double fit_and_score(const leat_dataset *train, const leat_dataset *test, const char *settings, const char *names,
                            leat_metrics **out) {
  leat_runtime *rt = lt_dataset_runtime(train);
  leat_error e = tr_error();
  leat_trainer *t = tr_trainer(rt, settings, train, NULL);
  leat_model *m = NULL;
  leat_predictor *q = NULL;
  tr_fit(t);
  double f = t->last_loss * t->x->weight_sum;
  TR_OK(leat_trainer_snapshot(t, &m, &e), &e);
  TR_OK(leat_predictor_create(m, NULL, NULL, &q, &e), &e);
  int64_t in, cols, n = lt_dataset_rows(test);
  TR_OK(leat_predictor_shape(q, &in, &cols, &e), &e);
  double *p = malloc((size_t)(n * cols) * sizeof *p);
  leat_matrix pm = tr_matrix(p, n, cols, LEAT_F64);
  TR_OK(leat_predictor_run_dataset(q, test, &pm, &e), &e);
  TR_OK(leat_metrics_create(rt, names, out, &e), &e);
  leat_batch *gather = NULL;
  TR_OK(lt_batch_create(rt, lt_dataset_schema(test), &gather, &e), &e);
  lt_rows rows;
  int64_t target = lt_schema_role(lt_dataset_schema(test), LEAT_ROLE_TARGET);
  for (int64_t r = 0; r < n; r++) {
    TR_OK(lt_dataset_view(test, r, 1, gather, &rows, &e), &e);
    TR_OK(lt_metrics_add(*out, p + r * cols, cols, lt_rows_target(&rows, target, 0), 1, &e), &e);
  }
  lt_batch_free(gather);
  free(p);
  leat_predictor_free(q);
  leat_model_free(m);
  lt_trainer_free(t);
  return f;
}

static double metric(leat_metrics *k, const char *name) {
  double v = NAN;
  leat_error e = tr_error();
  TR_OK(leat_metrics_value(k, name, &v, &e), &e);
  return v;
}

static void check(const char *what, double got, double want, double within) {
  print_message("  %s: %.8g (peer %.8g, within %.2g)\n", what, got, want, within);
  assert_true(fabs(got - want) <= within);
}

/* liblinear -s 0 -c 1 -B -1 at tolerance 1e-9: objective 10529.562585, 13837 right; at its default tolerance 13838. */
static void a9a(void **state) {
  (void)state;
  (void)data_folder();
  leat_runtime *rt = tr_runtime(2);
  leat_dataset *a = open_file(rt, "a9a.libsvm.zst", "reader/svmlight", "", NULL);
  leat_dataset *b = open_file(rt, "a9a_t.libsvm.zst", "reader/svmlight", "", a);
  static const char *const settings[] = {
      "l2=1 intercept=no", "l2=1 intercept=no solver=tron", "l2=1 intercept=no solver=lbfgs"};
  for (int i = 0; i < 3; i++) {
    leat_metrics *k = NULL;
    double f = fit_and_score(a, b, settings[i], "accuracy,auc,loss", &k);
    check("a9a objective", f, 10529.562585, 10529.56 * (i == 0 ? 1e-9 : 1e-6));
    check("a9a right", metric(k, "accuracy") * 16281, 13838, 5.01);
    check("a9a auc", metric(k, "auc"), 0.9022, 0.0005);
    check("a9a log-loss", metric(k, "loss"), 0.3241, 0.0005);
    leat_metrics_free(k);
  }
  lt_dataset_free(a);
  lt_dataset_free(b);
  leat_runtime_free(rt);
}

/* Debian's liblinear 2.30: -s 6 -c 1 -B -1 -e 1e-6: 10558.723373421, 96 weights that are not 0 at that tolerance. */
static void a9a_l1(void **state) {
  (void)state;
  (void)data_folder();
  leat_runtime *rt = tr_runtime(2);
  leat_dataset *a = open_file(rt, "a9a.libsvm.zst", "reader/svmlight", "", NULL);
  leat_dataset *b = open_file(rt, "a9a_t.libsvm.zst", "reader/svmlight", "", a);
  leat_metrics *k = NULL;
  double f = fit_and_score(a, b, "l1=1 l2=0 intercept=no standardize=no", "accuracy", &k);
  check("a9a l1 objective", f, 10558.723373, 10558.72 * 1e-6);
  check("a9a l1 right", metric(k, "accuracy") * 16281, 13838, 15);
  leat_metrics_free(k);
  lt_dataset_free(a);
  lt_dataset_free(b);
  leat_runtime_free(rt);
}

/* The folds of scikit-learn's StratifiedKFold(5, shuffle=True, random_state=0), a digit a row. */
static void telco(void **state) {
  (void)state;
  (void)data_folder();
  leat_runtime *rt = tr_runtime(2);
  leat_dataset *d = open_file(rt, "telco_churn.csv.zst", "reader/csv", "target=Churn", NULL);
  int64_t n = lt_dataset_rows(d), *in = malloc((size_t)n * 8), *out = malloc((size_t)n * 8);
  assert_int_equal(n, 7043);
  char *fold = malloc((size_t)n);
  FILE *f = fopen("tests/parity/telco_folds.txt", "r");
  assert_non_null(f);
  for (int64_t r = 0; r < n;) {
    int c = fgetc(f);
    assert_true(c != EOF);
    if (c >= '0' && c <= '4') fold[r++] = (char)c;
  }
  fclose(f);
  double auc = 0, acc = 0, loss = 0;
  for (char k = '0'; k < '5'; k++) {
    uint64_t ni = 0, no = 0;
    for (int64_t r = 0; r < n; r++) {
      if (fold[r] == k) out[no++] = r;
      else in[ni++] = r;
    }
    leat_dataset *a = NULL, *b = NULL;
    leat_metrics *m = NULL;
    leat_error e = tr_error();
    TR_OK(leat_dataset_take(d, in, ni, &a, &e), &e);
    TR_OK(leat_dataset_take(d, out, no, &b, &e), &e);
    (void)fit_and_score(a, b, "l2=1", "auc,accuracy,loss", &m);
    auc += metric(m, "auc") / 5;
    acc += metric(m, "accuracy") / 5;
    loss += metric(m, "loss") / 5;
    leat_metrics_free(m);
    lt_dataset_free(a);
    lt_dataset_free(b);
  }
  check("telco auc", auc, 0.845317, 0.0005);
  check("telco accuracy", acc, 0.803920, 0.001);
  check("telco log-loss", loss, 0.417500, 0.0003);
  free(fold);
  free(in);
  free(out);
  lt_dataset_free(d);
  leat_runtime_free(rt);
}

/* Ridge on the 12 columns as numbers, standardised: RMSE 169.229600. And unstandardised: 169.249804. */
static void bike(void **state) {
  (void)state;
  (void)data_folder();
  leat_runtime *rt = tr_runtime(1);
  leat_dataset *d = open_file(rt, "bike_hour.csv.zst", "reader/csv",
                              "target=cnt;task=regression;ignore=instant,dteday,casual,registered;"
                              "number=season,yr,mnth,hr,holiday,weekday,workingday,weathersit", NULL), *a = NULL, *b = NULL;
  leat_error e = tr_error();
  TR_OK(leat_dataset_slice(d, 0, 15211, &a, &e), &e);
  TR_OK(leat_dataset_slice(d, 15211, 2168, &b, &e), &e);
  leat_metrics *k = NULL;
  (void)fit_and_score(a, b, "l2=1", "rmse", &k);
  check("bike_hour rmse, standardised", metric(k, "rmse"), 169.229600, 1e-4);
  leat_metrics_free(k);
  static const char *const settings[] = {"l2=1 standardize=no", "l2=1 standardize=no solver=lbfgs", "l2=1 standardize=no solver=tron"};
  for (int i = 0; i < 3; i++) {
    (void)fit_and_score(a, b, settings[i], "rmse", &k);
    check("bike_hour rmse", metric(k, "rmse"), 169.249804, 1e-4);
    leat_metrics_free(k);
  }
  lt_dataset_free(d);
  lt_dataset_free(a);
  lt_dataset_free(b);
  leat_runtime_free(rt);
}

static int64_t pull_pipe(void *user, void *buf, uint64_t cap) {
  return (int64_t)fread(buf, 1, cap, user);
}

/* Softmax, C = 1, the first 74 369 of the 92 962 rows to train. */
static void covtype(void **state) {
  (void)state;
  char command[700];
  snprintf(command, sizeof command, "gzip -dc '%s/covtype_norm_93k.csv.gz'", data_folder());
  leat_runtime *rt = tr_runtime(2);
  leat_error e = tr_error();
  leat_dataset *d = NULL, *a = NULL, *b = NULL;
  FILE *f = popen(command, "r");
  assert_non_null(f);
  leat_params *p = reader_params(rt, "reader/csv", "target=Cover_Type;task=multiclass");
  leat_status st = leat_dataset_from_reader(rt, NULL, p, "covtype", pull_pipe, f, &d, &e);
  (void)pclose(f);
  TR_OK(st, &e);
  leat_params_free(p);
  assert_int_equal(lt_dataset_rows(d), 92962);
  TR_OK(leat_dataset_slice(d, 0, 74369, &a, &e), &e);
  TR_OK(leat_dataset_slice(d, 74369, 92962 - 74369, &b, &e), &e);
  static const char *const settings[] = {"l2=1 standardize=no", "l2=1 standardize=no solver=lbfgs max_iterations=1000"};
  for (int i = 0; i < 2; i++) {
    leat_metrics *k = NULL;
    (void)fit_and_score(a, b, settings[i], "accuracy,loss", &k);
    check("covtype accuracy", metric(k, "accuracy"), 0.720540, 0.0005);
    check("covtype log-loss", metric(k, "loss"), 0.636294, 0.0001);
    leat_metrics_free(k);
  }
  lt_dataset_free(d);
  lt_dataset_free(a);
  lt_dataset_free(b);
  leat_runtime_free(rt);
}

static void agaricus(void **state) {
  (void)state;
  (void)data_folder();
  leat_runtime *rt = tr_runtime(1);
  leat_dataset *a = open_file(rt, "agaricus.train.libsvm.zst", "reader/svmlight", "index=0", NULL);
  leat_dataset *b = open_file(rt, "agaricus.test.libsvm.zst", "reader/svmlight", "index=0", a);
  leat_metrics *k = NULL;
  (void)fit_and_score(a, b, "l2=1", "accuracy", &k);
  check("agaricus accuracy", metric(k, "accuracy"), 1, 0);
  leat_metrics_free(k);
  lt_dataset_free(a);
  lt_dataset_free(b);
  leat_runtime_free(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a9a), cmocka_unit_test(a9a_l1),     cmocka_unit_test(telco),    cmocka_unit_test(bike),
      cmocka_unit_test(covtype), cmocka_unit_test(agaricus),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
