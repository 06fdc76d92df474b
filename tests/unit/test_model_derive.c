/* Features made of others: word pairs, logarithms, buckets, indicators of missing numbers, crosses. What the encoder makes of
 * rows, their names, bytes and back, and that one row gives what a data set gives. */
#include "data_kit.h"
#include "model/encoding.h"
#include "model/model.h"

static leat_runtime *rt;
#define OK(call)                                                        \
  do {                                                                  \
    leat_error e_ = {.struct_size = sizeof e_};                         \
    leat_error *err = &e_;                                              \
    if (call) fail_msg("%s:%d: %s", __FILE__, __LINE__, e_.message);    \
  } while (0)

static leat_dataset *rows_of(int n, int texts) {
  char *text = malloc((size_t)n * 96 + 96), *p = text;
  p += sprintf(p, "amount,age,region,plan%s,y\n", texts ? ",note" : "");
  for (int i = 0; i < n; i++) {
    static const char *const region[] = {"north", "south", "west", ""}, *const plan[] = {"a", "b"};
    int r = i % 4, q = i / 4 % 2;
    if (i % 10 == 3) p += sprintf(p, ",");
    else p += sprintf(p, "%d,", i * i - 50);
    p += sprintf(p, "%d,%s,%s", i % 60, region[r], plan[q]);
    if (texts) p += sprintf(p, ",%s of the long kind that is no %d", i % 3 ? "good news" : "news good", i);
    p += sprintf(p, ",%s\n", (r == 1) != (q == 1) || i % 60 > 40 ? "yes" : "no");
  }
  leat_dataset *d = kit_good(rt, texts ? "target=y text=note" : "target=y", text);
  free(text);
  return d;
}

static void name_is(const lt_encoder *e, const char *name, int wanted) {
  int found = 0;
  for (int64_t j = 0; j < lt_encoder_slots(e); j++) {
    lt_put w;
    lt_put_init(&w, rt);
    OK(lt_encoder_slot_name(e, j, &w, err));
    found += w.size == strlen(name) && memcmp(w.data, name, w.size) == 0;
    lt_put_free(&w);
  }
  if (found != wanted) fail_msg("'%s' is the name of %d slots, expected %d", name, found, wanted);
}

static void test_encoded(void **state) {
  (void)state;
  leat_dataset *d = rows_of(240, 0);
  leat_params *p = kit_params(rt, "model/linear", "log=amount buckets=age:4 missing=yes cross=region*plan");
  lt_encoder *e = NULL, *copy = NULL;
  lt_encode *bind = NULL;
  leat_batch *scratch = NULL;
  OK(lt_encoder_fit(rt, d, p, &e, err));
  OK(lt_encoder_copy(e, &copy, err));
  assert_int_equal(lt_encoder_dense(e), 2);
  assert_int_equal(lt_encoder_slots(e), 2 + 4 + 3 + 5 + 2 + 12);
  assert_int_equal(lt_encoder_slots(copy), lt_encoder_slots(e));
  static const char *const names[] = {"log(amount)", "age", "age in [-inf,15)", "age in [45,inf)", "age=(missing)", "amount=(missing)",
                                      "amount=(present)", "region=south*plan=b", "region=(unseen)*plan=(unseen)"};
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
    name_is(e, names[k], 1);
    name_is(copy, names[k], 1);
  }
  for (int which = 0; which < 2; which++) {
    OK(lt_encode_create(which ? copy : e, d->schema, &bind, err));
    OK(lt_batch_create(rt, d->schema, &scratch, err));
    lt_rows rows;
    OK(lt_dataset_view(d, 0, 240, scratch, &rows, err));
    double sum = 0;
    for (int64_t r = 0; r < 240; r++) {
      float dense[2], value[16];
      int32_t index[16];
      assert_true(lt_encode_room(bind, &rows, r) <= 16);
      assert_int_equal(lt_encode_row(bind, &rows, r, dense, index, value), 5);
      for (int k = 1; k < 5; k++) assert_true(index[k] > index[k - 1] && value[k] == 1);
      int64_t age = r % 60, region = r % 4 == 3 ? 3 : r % 4, plan = r / 4 % 2;
      assert_int_equal(index[2] - 9, age / 15);                   /* four cells of equal mass */
      assert_int_equal(index[3] - 14, r % 10 == 3);               /* missing */
      assert_int_equal(index[4] - 16, region * 3 + plan);
      double x = (double)(r * r - 50), logged = copysign(log1p(fabs(x)), x);
      if (r % 10 == 3) assert_true(dense[0] == 0);
      else assert_true(fabs(dense[0] - (logged - e->mean[0]) * e->inverse[0]) < 1e-5);
      sum += (double)dense[0];
    }
    assert_true(fabs(sum) < 1e-3);
    lt_batch_free(scratch);
    lt_encode_free(bind);
  }
  lt_encoder_free(e);
  lt_encoder_free(copy);
  lt_params_free(p);
  lt_dataset_free(d);
}

static void test_settings(void **state) {
  (void)state;
  static const struct { const char *set, *part; leat_status code; } bad[] = {
      {"log=region", "no feature that is a number", LEAT_E_ARG},   {"log=amuont", "did you mean 'amount'", LEAT_E_NOT_FOUND},
      {"buckets=age:1", "from 2 to", LEAT_E_ARG},                  {"buckets=plan:3", "is a number", LEAT_E_ARG},
      {"buckets=age:9999", "from 2 to", LEAT_E_ARG},               {"cross=region", "a star between them", LEAT_E_ARG},
      {"cross=region*age", "is a category", LEAT_E_ARG},           {"cross=plan*plan", "nothing new", LEAT_E_ARG},
      {"cross=plan*regoin", "did you mean 'region'", LEAT_E_NOT_FOUND}};
  leat_dataset *d = rows_of(40, 0);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    leat_error e = {.struct_size = sizeof e};
    leat_params *p = kit_params(rt, "model/linear", bad[i].set);
    lt_encoder *enc = NULL;
    assert_int_equal(lt_encoder_fit(rt, d, p, &enc, &e), bad[i].code);
    if (!strstr(e.message, bad[i].part)) fail_msg("%s: '%s'", bad[i].set, e.message);
    lt_params_free(p);
  }
  lt_dataset_free(d);
}

static leat_model *train(const leat_dataset *d, const char *set, double *accuracy) {
  leat_trainer *t = NULL;
  leat_model *m = NULL;
  leat_metrics *k = NULL;
  leat_params *p = kit_params(rt, "model/linear", set);
  OK(leat_trainer_create(rt, p, d->schema, NULL, &t, err));
  OK(leat_trainer_set_data(t, d, NULL, err));
  OK(leat_trainer_fit(t, err));
  OK(leat_trainer_snapshot(t, &m, err));
  OK(leat_trainer_metrics(t, 0, &k, err));
  OK(leat_metrics_value(k, "accuracy", accuracy, err));
  leat_metrics_free(k);
  leat_trainer_free(t);
  leat_params_free(p);
  return m;
}

/* A package's predictions of a data set, and of its rows one by one as numbers. */
static void test_predictions(void **state) {
  (void)state;
  const char *path = "derive-test.leat", *all = "log=amount buckets=age:6 missing=yes cross=region*plan l2=0.01";
  leat_dataset *d = rows_of(240, 0);
  double plain, accuracy;
  leat_model_free(train(d, "l2=0.01", &plain));
  leat_model *m = train(d, all, &accuracy), *loaded = NULL;
  assert_true(accuracy > plain && accuracy > 0.99); /* the rule is a cross and a threshold */
  OK(leat_model_save(m, path, err));
  OK(leat_model_load(rt, path, &loaded, err));
  remove(path);
  leat_predictor *q = NULL;
  OK(leat_predictor_create(loaded, NULL, NULL, &q, err));
  double out[240];
  leat_matrix o = {.struct_size = sizeof o, .data = out, .rows = 240, .cols = 1, .dtype = LEAT_F64};
  OK(leat_predictor_run_dataset(q, d, &o, err));
  for (int64_t r = 0; r < 240; r++) {
    float f[4], one = -1;
    static const char *const column[] = {"amount", "age", "region", "plan"};
    for (int k = 0; k < 4; k++) f[k] = (float)kit_number(d, r, column[k], 0);
    leat_error e = {.struct_size = sizeof e};
    if (leat_predictor_one_f32(q, f, 4, &one, 1, &e)) fail_msg("%s", e.message);
    assert_true(fabs((double)one - out[r]) < 1e-6);
  }
  leat_predictor_free(q);
  leat_model_free(m);
  leat_model_free(loaded);
  lt_dataset_free(d);
}

static void test_pairs(void **state) {
  (void)state;
  int32_t index[64];
  float value[64];
  int64_t one = lt_text_slots("good news", 9, 18, 0, index, value), two = lt_text_slots("good news", 9, 18, 1, index, value);
  assert_true(one == 2 && two == 3);
  assert_true(lt_text_slots("a", 1, 18, 1, index, value) == 1 && lt_text_slots("", 0, 18, 1, index, value) == 0);
  assert_true(lt_text_slots("a b c d", 7, 18, 1, index, value) == 7 && lt_text_room(7, 1) >= 7);
  leat_dataset *d = rows_of(240, 1);
  double words, pairs;
  leat_model_free(train(d, "l2=0.001", &words));
  leat_model *m = train(d, "l2=0.001 words=2", &pairs);
  leat_predictor *q = NULL;
  double out[240];
  leat_matrix o = {.struct_size = sizeof o, .data = out, .rows = 240, .cols = 1, .dtype = LEAT_F64};
  OK(leat_predictor_create(m, NULL, NULL, &q, err));
  OK(leat_predictor_run_dataset(q, d, &o, err));
  int right = 0;
  for (int64_t r = 0; r < 240; r++) right += (out[r] > 0.5) == (strcmp(kit_field(d, r, "y"), "yes") == 0);
  assert_true(fabs(right / 240.0 - pairs) < 1e-9);
  leat_predictor_free(q);
  leat_model_free(m);
  lt_dataset_free(d);
}

/* All texts of ten different words: sqrt(10) long, or as long as is asked, also in the package; length 1 is what packages of
 * before say by saying nothing. */
static void test_text_length(void **state) {
  (void)state;
  static const struct { const char *set; double length; } cases[] = {
      {"hash_bits=22", 3.1622776601683795}, {"text_length=1", 1}, {"text_length=2.5", 2.5}, {"hash_bits=22 words=2", 4.358898943540674}};
  leat_dataset *d = rows_of(240, 1);
  uint64_t plain = 0;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    leat_params *p = kit_params(rt, "model/linear", cases[i].set);
    lt_encoder *e = NULL, *copy = NULL;
    lt_encode *bind = NULL;
    leat_batch *scratch = NULL;
    lt_rows rows;
    lt_put w;
    OK(lt_encoder_fit(rt, d, p, &e, err));
    OK(lt_encoder_copy(e, &copy, err));
    OK(lt_encode_create(copy, d->schema, &bind, err));
    OK(lt_batch_create(rt, d->schema, &scratch, err));
    OK(lt_dataset_view(d, 0, 240, scratch, &rows, err));
    for (int64_t r = 0; r < 240; r++) {
      int32_t index[64];
      float value[64];
      double square = 0;
      int64_t n = lt_encode_sparse(bind, &rows, r, index, value);
      for (int64_t k = 0; k < n; k++)
        if (index[k] >= (int32_t)(copy->n_slots - ((int64_t)1 << copy->hash_bits))) /* the last column */
          square += (double)value[k] * (double)value[k];
      assert_true(fabs(sqrt(square) - cases[i].length) < 1e-5 * cases[i].length);
    }
    lt_put_init(&w, rt);
    lt_encoder_save(e, &w);
    assert_int_equal(w.data[8] & 4, cases[i].length == 1 ? 0 : 4);
    if (cases[i].length == 1) plain = w.size;
    if (i == 2) assert_int_equal(w.size, plain + 8);
    if (i == 2) { /* a length that is none */
      lt_get g;
      lt_encoder *bad = NULL;
      memset(w.data + w.size - 8, 0, 8);
      lt_get_init(&g, rt, w.data, w.size);
      assert_int_equal(lt_encoder_load(rt, d->schema, &g, &bad, NULL), LEAT_E_FORMAT);
    }
    lt_put_free(&w);
    lt_batch_free(scratch);
    lt_encode_free(bind);
    lt_encoder_free(e);
    lt_encoder_free(copy);
    lt_params_free(p);
  }
  lt_dataset_free(d);
}

/* Encoders whose derived parts lie get an error. */
static void test_lies(void **state) {
  (void)state;
  leat_dataset *d = rows_of(60, 0);
  leat_params *p = kit_params(rt, "model/linear", "buckets=age:4 missing=yes cross=region*plan");
  lt_encoder *e = NULL;
  OK(lt_encoder_fit(rt, d, p, &e, err));
  lt_put w;
  lt_put_init(&w, rt);
  lt_encoder_save(e, &w);
  int good = 0;
  for (uint64_t i = 0; i < w.size; i++) {
    for (int k = 0; k < 4; k++) {
      static const uint8_t flip[] = {1, 0x80, 0xff, 6};
      lt_encoder *r = NULL;
      lt_get g;
      w.data[i] ^= flip[k];
      lt_get_init(&g, rt, w.data, w.size);
      if (!lt_encoder_load(rt, d->schema, &g, &r, NULL)) good++;
      lt_encoder_free(r);
      w.data[i] ^= flip[k];
    }
    lt_encoder *r = NULL;
    lt_get g;
    lt_get_init(&g, rt, w.data, i);
    assert_true(lt_encoder_load(rt, d->schema, &g, &r, NULL) != 0);
  }
  assert_true(good > 0); /* other numbers are other numbers */
  lt_put_free(&w);
  lt_encoder_free(e);
  lt_params_free(p);
  lt_dataset_free(d);
}

int main(void) {
  rt = kit_runtime(2);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_encoded), cmocka_unit_test(test_settings),
                                     cmocka_unit_test(test_predictions), cmocka_unit_test(test_pairs),
                                     cmocka_unit_test(test_text_length), cmocka_unit_test(test_lies)};
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  kit_balanced(rt);
  return failed;
}
