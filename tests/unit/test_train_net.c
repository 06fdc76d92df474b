/* Networks: gradients of every layer and loss by finite differences, the same bytes at any number of threads and after any
 * break, what they learn, packages and predictors, what is refused. */
#include "data_kit.h"
#include "train_help.h"
#include "model/model_inner.h"
#include "model/predictor.h"

static leat_trainer *net_trainer(leat_runtime *rt, const char *settings, const char *device, const leat_dataset *d,
                                 const leat_dataset *valid) {
  leat_params *p = kit_params(rt, "model/mlp", settings);
  const leat_device *dev = NULL;
  leat_trainer *t = NULL;
  leat_error e = tr_error();
  if (device) TR_OK(lt_devices_find(rt, device, &dev, &e), &e);
  TR_OK(lt_trainer_create(rt, p, NULL, dev, &t, &e), &e);
  lt_params_free(p);
  if (d) TR_OK(lt_trainer_set_data(t, d, valid, &e), &e);
  return t;
}

/* Rows with numbers, a missing one, two categories, a text; the target as asked. */
static leat_dataset *mixed(leat_runtime *rt, int64_t n, int64_t classes, int text) {
  static const char *const towns[] = {"Ulm", "Bonn", "Trier", "Kiel", "Jena"}, *const words[] = {"late", "good", "slow bus", "rain"};
  char *csv = malloc((size_t)n * 100 + 100), *p = csv;
  lt_rng r;
  lt_rng_init(&r, 3, 1);
  p += sprintf(p, "a,b,town,kind%s,y\n", text ? ",words" : "");
  for (int64_t i = 0; i < n; i++) {
    double a = lt_rng_normal(&r), b = lt_rng_normal(&r);
    int64_t town = (int64_t)lt_rng_below(&r, 5), kind = (int64_t)lt_rng_below(&r, 3), word = (int64_t)lt_rng_below(&r, 4);
    double z = a * b + (town == 2) - (kind == 1) * a + 0.5 * (double)(word == 3);
    p += sprintf(p, i % 17 ? "%.4f," : ",", a);
    p += sprintf(p, "%.4f,%s,k%d", b, towns[town], (int)kind);
    if (text) p += sprintf(p, ",%s and %s", words[word], words[(word + 1) % 4]);
    if (classes == 0) p += sprintf(p, ",%.4f\n", 50 + 7 * z);
    else p += sprintf(p, ",c%d\n", classes == 2 ? z > 0.2 : z < -0.3 ? 0 : z < 0.7 ? 1 : 2);
  }
  leat_dataset *d = kit_good(rt, text ? "target=y text=words" : "target=y", csv);
  free(csv);
  return d;
}

/* ---- gradients: one step of plain SGD on all rows moves the parameters by rate * gradient, and tells the loss before it */

static double step_loss(leat_trainer *t, const float *v, float *after) {
  leat_error e = tr_error();
  double sum;
  int64_t rows;
  int end;
  lt_net *n = t->net;
  TR_OK(lt_net_put(n, 0, v, &e), &e);
  n->steps = n->epoch_rows = n->loss_rows = 0;
  n->loss_sum = 0;
  TR_OK(lt_net_rows(n, 0, n->train.n, &rows, &end, &e), &e);
  assert_int_equal(rows, n->train.n);
  TR_OK(lt_net_loss(n, &sum, &e), &e);
  if (after) TR_OK(lt_net_get(n, 0, after, &e), &e);
  return sum / t->x->weight_sum;
}

typedef struct gradient_case { int64_t classes; int text; const char *settings; } gradient_case;
static const gradient_case gradient_cases[] = {
    {0, 0, "layers=5 activation=tanh"},
    {0, 0, "layers= loss=squared"},
    {0, 0, "layers=4 activation=gelu loss=huber huber_delta=0.5"},
    {0, 0, "layers=4 activation=sigmoid loss=quantile quantile=0.7"},
    {0, 0, "layers=4 activation=tanh loss=poisson"},
    {2, 0, "layers=6,4 activation=gelu"},
    {2, 0, "layers=6 activation=relu class_weights=balanced"},
    {2, 0, "layers=6 activation=tanh loss=squared_hinge"},
    {2, 0, "layers=6 activation=tanh loss=hinge"},
    {3, 0, "layers=6,5 activation=tanh norm=layer"},
    {3, 0, "layers=6,5 activation=gelu norm=layer"},
    {3, 0, "layers=6,5 activation=sigmoid norm=batch"},
    {3, 0, "layers=6 activation=gelu norm=batch dropout=0.3"},
    {3, 0, "layers=8,6 activation=tanh dropout=0.4 input_dropout=0.2"},
    {2, 0, "layers=5 activation=tanh embedding=3 embedding_from=3"},
    {3, 0, "layers=5 activation=tanh embedding=2 embedding_from=6 input_dropout=0.3"},
    {2, 1, "layers=5 activation=tanh hash_bits=11"},
    {3, 1, "layers=5 activation=tanh hash_bits=11 embedding=2 embedding_from=3 words=2"},
    {2, 1, "layers= hash_bits=11"},
};

/* Every parameter of few; of many some, and the first of those that move. */
static void check_gradient(const gradient_case *c) {
  leat_runtime *rt = tr_runtime(1);
  leat_dataset *d = mixed(rt, 60, c->classes, c->text);
  char settings[300];
  const double rate = 0.01;
  snprintf(settings, sizeof settings, "optimizer=sgd momentum=0 batch_size=60 learning_rate=%g %s", rate, c->settings);
  leat_trainer *t = net_trainer(rt, settings, "reference", d, NULL);
  leat_error e = tr_error();
  int64_t size = t->net->m->shape.n_learned, all = t->net->m->shape.n, checked = 0;
  float *v = malloc((size_t)all * 4), *after = malloc((size_t)all * 4);
  TR_OK(lt_net_get(t->net, 0, v, &e), &e);
  step_loss(t, v, after);
  int64_t moved = 0;
  for (int64_t k = 0; k < size; k++) {
    moved += v[k] != after[k];
    if (size > 600 && k % 997 != 0 && (v[k] == after[k] || moved > 80)) continue;
    double g = ((double)v[k] - (double)after[k]) / rate, h = strstr(c->settings, "relu") ? 5e-4 : 4e-3; /* corners */
    float was = v[k];
    v[k] = (float)((double)was + h);
    double up = step_loss(t, v, NULL);
    v[k] = (float)((double)was - h);
    double down = step_loss(t, v, NULL), slope = (up - down) / (2 * h);
    v[k] = was;
    if (fabs(g - slope) > 4e-3 + 2e-2 * fabs(slope))
      fail_msg("%s: parameter %d of %d: gradient %g, slope %g", c->settings, (int)k, (int)size, g, slope);
    checked += fabs(slope) > 1e-4;
  }
  if (checked < 4) fail_msg("%s: %d slopes are not zero", c->settings, (int)checked);
  free(v);
  free(after);
  lt_trainer_free(t);
  lt_dataset_free(d);
  lt_runtime_unref(rt);
}

static void test_gradients(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof gradient_cases / sizeof *gradient_cases; k++) check_gradient(&gradient_cases[k]);
}

/* ---- the same bytes */

static const char *const byte_settings[] = {
    "layers=24,16 max_iterations=3 batch_size=50 dropout=0.2 norm=batch clip_norm=1 schedule=cosine warmup=0.5",
    "layers=40 max_iterations=3 optimizer=sgd nesterov=true weight_decay=1e-3 activation=gelu",
    "layers=16 max_iterations=4 optimizer=adamw weight_decay=1e-2 embedding=3 embedding_from=3 norm=layer activation=tanh",
};

static uint8_t *trained(int64_t threads, const char *settings, int64_t step, uint64_t *size) {
  leat_runtime *rt = tr_runtime(threads);
  leat_dataset *all = mixed(rt, 700, 3, 0), *d = NULL, *valid = NULL;
  leat_error e = tr_error();
  TR_OK(lt_dataset_slice(all, 0, 520, &d, &e), &e);
  TR_OK(lt_dataset_slice(all, 520, 180, &valid, &e), &e);
  leat_trainer *t = net_trainer(rt, settings, NULL, d, valid);
  const char *path = "/tmp/leat_test_net.ckpt";
  char own[64];
  snprintf(own, sizeof own, "%s.%p", path, (void *)t);
  while (step && t->phase != PHASE_DONE) { /* saved, freed, loaded again after so many rows */
    TR_OK(lt_trainer_step(t, step, NULL, &e), &e);
    TR_OK(lt_trainer_save(t, own, &e), &e);
    lt_trainer_free(t);
    TR_OK(lt_trainer_load(rt, own, NULL, &t, &e), &e);
    TR_OK(lt_trainer_set_data(t, d, valid, &e), &e);
  }
  if (step) (void)remove(own);
  tr_fit(t);
  uint8_t *bytes = tr_bytes(t, size);
  lt_trainer_free(t);
  lt_dataset_free(all);
  lt_dataset_free(d);
  lt_dataset_free(valid);
  lt_runtime_unref(rt);
  return bytes;
}

static void test_same_bytes(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof byte_settings / sizeof *byte_settings; k++) {
    uint64_t want = 0, size = 0;
    uint8_t *one = trained(1, byte_settings[k], 0, &want);
    for (int64_t threads = 2; threads <= 7; threads += threads == 2 ? 1 : 4) {
      uint8_t *more = trained(threads, byte_settings[k], 0, &size);
      tr_same(one, want, more, size);
      free(more);
    }
    for (int64_t step = 64; step <= 520; step += 228) {
      uint8_t *resumed = trained(2, byte_settings[k], step, &size);
      tr_same(one, want, resumed, size);
      free(resumed);
    }
    free(one);
  }
}

/* ---- what it learns, and what its packages predict */

static double accuracy(leat_trainer *t, int64_t set) {
  leat_metrics *k = NULL;
  leat_error e = tr_error();
  double v = NAN;
  TR_OK(lt_trainer_metrics(t, set, &k, &e), &e);
  TR_OK(lt_metrics_value(k, "accuracy", &v, &e), &e);
  lt_metrics_free(k);
  return v;
}

static void predict(leat_runtime *rt, const leat_model *m, const char *device, const char *settings, const tr_rows *r,
                    double *out) {
  const leat_device *dev = NULL;
  leat_predictor *q = NULL;
  leat_error e = tr_error();
  leat_params *p = kit_params(rt, "predictor", settings);
  if (device) TR_OK(lt_devices_find(rt, device, &dev, &e), &e);
  TR_OK(lt_predictor_create(m, p, dev, &q, &e), &e);
  leat_matrix x = tr_matrix(r->x, r->n, r->cols, LEAT_F32), y = tr_matrix(out, r->n, 1, LEAT_F64);
  TR_OK(lt_predictor_run(q, &x, &y, &e), &e);
  for (int64_t i = 0; i < r->n && !(device && *settings); i += 97) { /* a single row is the same row */
    float one;
    TR_OK(lt_predictor_one_f32(q, r->x + i * r->cols, (uint64_t)r->cols, &one, 1, &e), &e);
    assert_true(fabs((double)one - out[i]) <= 1e-5);
  }
  lt_predictor_free(q);
  lt_params_free(p);
}

/* Rows as a matrix, on another device, with weights of 8 bits. */
static void check_ways(leat_runtime *rt, leat_trainer *t, const tr_rows *r) {
  leat_model *m = NULL;
  leat_error e = tr_error();
  double *plain = malloc((size_t)r->n * 8), *other = malloc((size_t)r->n * 8), mean = 0;
  TR_OK(lt_trainer_snapshot(t, &m, &e), &e);
  predict(rt, m, NULL, "", r, plain);
  predict(rt, m, "reference", "", r, other);
  for (int64_t i = 0; i < r->n; i++) assert_true(fabs(plain[i] - other[i]) <= 1e-5);
  predict(rt, m, NULL, "precision=int8", r, other);
  for (int64_t i = 0; i < r->n; i++) mean += fabs(plain[i] - other[i]) / (double)r->n;
  assert_true(mean > 0 && mean < 0.02);
  predict(rt, m, "reference", "precision=int8", r, other);
  mean = 0;
  for (int64_t i = 0; i < r->n; i++) mean += fabs(plain[i] - other[i]) / (double)r->n;
  assert_true(mean > 0 && mean < 0.02);
  free(plain);
  free(other);
  lt_model_free(m);
}

/* Two classes that no straight line divides: inside and outside of a ring. */
static void test_ring(void **state) {
  (void)state;
  static const char *const settings[] = {
      "layers=32 max_iterations=60 learning_rate=0.01", "layers=16,8 activation=tanh norm=layer max_iterations=40 learning_rate=0.01",
      "layers=32 norm=batch optimizer=sgd learning_rate=0.1 max_iterations=40 schedule=cosine",
      "layers=32 activation=gelu optimizer=adamw weight_decay=0.01 max_iterations=80 learning_rate=0.01 schedule=cosine"};
  leat_runtime *rt = tr_runtime(2);
  tr_rows r = tr_make(2000, 2, 2, 9, 0, 1);
  for (int64_t i = 0; i < r.n; i++) {
    double d = hypot((double)r.x[2 * i], (double)r.x[2 * i + 1]);
    r.y[i] = d > 0.7 && d < 1.5;
  }
  leat_dataset *d = tr_dense(rt, &r, 0);
  leat_trainer *linear = tr_trainer(rt, "", d, NULL);
  tr_fit(linear);
  assert_true(accuracy(linear, 0) < 0.7);
  lt_trainer_free(linear);
  for (size_t k = 0; k < sizeof settings / sizeof *settings; k++) {
    leat_trainer *t = net_trainer(rt, settings[k], NULL, d, NULL);
    tr_fit(t);
    if (accuracy(t, 0) < 0.95) fail_msg("%s: accuracy %g", settings[k], accuracy(t, 0));
    check_ways(rt, t, &r);
    lt_trainer_free(t);
  }
  lt_dataset_free(d);
  tr_drop(&r);
  lt_runtime_unref(rt);
}

/* One row, a batch, a package that was read again: the same predictions as the trainer's own metrics saw. */
static void check_predictions(int64_t classes, int text, const char *settings) {
  leat_runtime *rt = tr_runtime(2);
  leat_dataset *d = mixed(rt, 300, classes, text);
  leat_trainer *t = net_trainer(rt, settings, NULL, d, NULL);
  leat_error e = tr_error();
  leat_model *m = NULL, *again = NULL;
  uint64_t size = 0;
  tr_fit(t);
  double *margins = NULL, *rows;
  TR_OK(lt_trainer_margins(t, 0, &margins, &e), &e);
  TR_OK(lt_trainer_snapshot(t, &m, &e), &e);
  uint8_t *bytes = tr_bytes(t, &size);
  TR_OK(lt_model_load_bytes(rt, bytes, size, "net", &again, &e), &e);
  int64_t n_out = classes > 2 ? classes : 1;
  rows = malloc((size_t)(300 * n_out) * sizeof *rows);
  leat_predictor *q = NULL;
  TR_OK(lt_predictor_create(again, NULL, NULL, &q, &e), &e);
  leat_matrix out = tr_matrix(rows, 300, n_out, LEAT_F64);
  TR_OK(lt_predictor_run_dataset(q, d, &out, &e), &e);
  for (int64_t r = 0; r < 300; r++) {
    double *f = margins + r * n_out;
    t->loss->link(f, n_out);
    for (int64_t o = 0; o < n_out; o++)
      if (fabs(f[o] - rows[r * n_out + o]) > 1e-5 * (1 + fabs(f[o])))
        fail_msg("%s: row %d: %.9g and %.9g", settings, (int)r, f[o], rows[r * n_out + o]);
  }
  lt_predictor_free(q);
  lt_model_free(m);
  lt_model_free(again);
  free(bytes);
  free(rows);
  lt_free(rt, margins);
  lt_trainer_free(t);
  lt_dataset_free(d);
  lt_runtime_unref(rt);
}

static void test_predictions(void **state) {
  (void)state;
  check_predictions(0, 0, "layers=12 max_iterations=3");
  check_predictions(2, 0, "layers=12,6 max_iterations=3 activation=gelu norm=batch");
  check_predictions(3, 0, "layers=12,6 max_iterations=3 activation=sigmoid norm=layer embedding=2 embedding_from=3");
  check_predictions(3, 1, "layers=12 max_iterations=2 hash_bits=12 embedding=2 embedding_from=3 missing=true buckets=a:4 cross=town*kind");
  check_predictions(2, 1, "layers= max_iterations=2 hash_bits=12");
}

/* ---- what is refused */

static void refused(const char *settings, leat_status code, const char *part) {
  leat_runtime *rt = tr_runtime(1);
  leat_dataset *d = mixed(rt, 40, 2, 0);
  leat_trainer *t = net_trainer(rt, settings, NULL, NULL, NULL);
  leat_error e = tr_error();
  leat_status st = lt_trainer_set_data(t, d, NULL, &e);
  if (!st) st = lt_trainer_fit(t, &e);
  if (st != code || !strstr(e.message, part)) fail_msg("%s: status %d: %s", settings, st, e.message);
  lt_trainer_free(t);
  lt_dataset_free(d);
  lt_runtime_unref(rt);
}

static void test_refused(void **state) {
  (void)state;
  refused("layers=12,", LEAT_E_ARG, "behind the last comma");
  refused("layers=12,x", LEAT_E_ARG, "'x' is no width");
  refused("layers=0", LEAT_E_ARG, "is no width");
  refused("layers=1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", LEAT_E_ARG, "more than 16");
  refused("layers=65536,65536,65536", LEAT_E_RANGE, "narrower layers");
  refused("loss=squared", LEAT_E_ARG, "does not fit a target of 2 classes");
  refused("calibrate=platt", LEAT_E_STATE, "needs validation rows");
  refused("optimizer=sgd learning_rate=1e6 layers=32 max_iterations=30", LEAT_E_NUMERIC, "smaller learning_rate");
}

/* ---- golden files: written once (--write-golden), read for ever */

static const char golden_model[] = "tests/golden/model-mlp-v2.leat", golden_trainer[] = "tests/golden/trainer-mlp-v1.ckpt";
static const char golden_settings[] = "layers=6,4 activation=gelu norm=batch embedding=2 embedding_from=3 dropout=0.25 max_iterations=4 "
                                      "batch_size=32 learning_rate=0.01 clip_norm=1";
enum { GOLDEN = 3 };
static const double golden_want[GOLDEN + 2] = {0.56976584931696117, 0.42930833289287496, 0.5430487312572202, 4, 0.67994233503937718};

/* Rows of whole numbers and labels: the same on every machine. */
static leat_dataset *golden_rows(leat_runtime *rt) {
  char csv[12000], *p = csv;
  lt_rng r;
  lt_rng_init(&r, 11, 1);
  p += sprintf(p, "a,b,town,y\n");
  for (int i = 0; i < 300; i++) {
    int a = (int)lt_rng_below(&r, 21) - 10, b = (int)lt_rng_below(&r, 21) - 10, town = (int)lt_rng_below(&r, 4);
    p += sprintf(p, "%d,%d,t%d,%s\n", a, b, town, (a * b > 0) != (town == 2) ? "yes" : "no");
  }
  return kit_good(rt, "target=y", csv);
}

static void golden_answers(leat_runtime *rt, const leat_model *m, double out[GOLDEN]) {
  static const double asked[GOLDEN][3] = {{7, 8, 0}, {-6, 5, 1}, {NAN, -9, 7}};
  leat_predictor *q = NULL;
  leat_error e = tr_error();
  (void)rt;
  TR_OK(lt_predictor_create(m, NULL, NULL, &q, &e), &e);
  for (int i = 0; i < GOLDEN; i++) TR_OK(lt_predictor_one_f64(q, asked[i], 3, out + i, 1, &e), &e);
  lt_predictor_free(q);
}

static void golden_goes_on(leat_runtime *rt, leat_trainer *t, double out[2]) {
  leat_error e = tr_error();
  leat_dataset *d = golden_rows(rt);
  TR_OK(lt_trainer_set_data(t, d, NULL, &e), &e);
  tr_fit(t);
  out[0] = (double)t->iterations;
  out[1] = t->last_loss;
  lt_dataset_free(d);
}

static int write_golden(void) {
  leat_runtime *rt = tr_runtime(1);
  leat_dataset *d = golden_rows(rt);
  leat_trainer *t = net_trainer(rt, golden_settings, NULL, d, NULL);
  leat_error e = tr_error();
  leat_model *m = NULL;
  double got[GOLDEN + 2];
  TR_OK(lt_trainer_step(t, 420, NULL, &e), &e); /* amid the second epoch */
  TR_OK(lt_trainer_save(t, golden_trainer, &e), &e);
  tr_fit(t);
  TR_OK(lt_trainer_snapshot(t, &m, &e), &e);
  TR_OK(lt_model_save(m, golden_model, &e), &e);
  golden_answers(rt, m, got);
  got[GOLDEN] = (double)t->iterations;
  got[GOLDEN + 1] = t->last_loss;
  for (int i = 0; i < GOLDEN + 2; i++) printf("%.17g, ", got[i]);
  printf("\n");
  lt_model_free(m);
  lt_trainer_free(t);
  lt_dataset_free(d);
  lt_runtime_unref(rt);
  return 0;
}

static void test_golden(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(2);
  leat_model *m = NULL;
  leat_trainer *t = NULL;
  leat_error e = tr_error();
  double got[GOLDEN + 2];
  TR_OK(lt_model_load(rt, golden_model, &m, &e), &e);
  golden_answers(rt, m, got);
  TR_OK(lt_trainer_load(rt, golden_trainer, NULL, &t, &e), &e);
  golden_goes_on(rt, t, got + GOLDEN);
  for (int i = 0; i < GOLDEN + 2; i++)
    if (fabs(got[i] - golden_want[i]) > 1e-3) fail_msg("number %d is %.9g, it was %.9g", i, got[i], golden_want[i]);
  lt_trainer_free(t);
  lt_model_free(m);
  lt_runtime_unref(rt);
}

/* Damage anywhere in either file is refused. */
static void test_damage(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  FILE *f = fopen(golden_model, "rb");
  assert_non_null(f);
  uint8_t data[20000];
  size_t size = fread(data, 1, sizeof data, f);
  fclose(f);
  for (size_t i = 0; i < size; i += 7) {
    leat_model *m = NULL;
    data[i] ^= 0x10;
    assert_int_not_equal(lt_model_load_bytes(rt, data, size, "damaged", &m, NULL), 0);
    assert_null(m);
    data[i] ^= 0x10;
    assert_int_not_equal(lt_model_load_bytes(rt, data, i, "cut", &m, NULL), 0);
  }
  lt_runtime_unref(rt);
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--write-golden") == 0) return write_golden();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gradients), cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_ring),
      cmocka_unit_test(test_predictions), cmocka_unit_test(test_refused), cmocka_unit_test(test_golden),
      cmocka_unit_test(test_damage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
