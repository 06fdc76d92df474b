/* The encoder's settings in the online trainer: pairs of words, crosses, logarithms, buckets, missing values. */
#include "online_help.h"
#include "data/store.h"
#include "model/encoding.h"
#include "model/online.h"

enum { ROWS = 3000 };
typedef struct en_rule { const char *name, *settings; } en_rule;
enum { CROSS, BUCKETS, LOG, MISSING, PAIRS, RULES };
static const en_rule rules[RULES] = {{"cross", "cross=left*right"},
                                     {"buckets", "buckets=a:8"},
                                     {"log", "log=b"},
                                     {"missing", "missing=yes"},
                                     {"words", "words=2"}};
static const char *const all_settings =
    "hash_bits=12 words=2 log=b buckets=a:6,b missing=yes cross=left*right";

static leat_schema *en_schema(leat_runtime *rt, int text, int64_t classes) {
  static const char *const label[] = {"no", "yes", "so"};
  leat_schema *s = NULL;
  leat_error e = tr_error();
  TR_OK(leat_schema_create(rt, &s, &e), &e);
  TR_OK(leat_schema_add_column(s, "a", LEAT_NUMBER, LEAT_ROLE_FEATURE, &e), &e);
  TR_OK(leat_schema_add_column(s, "b", LEAT_NUMBER, LEAT_ROLE_FEATURE, &e), &e);
  TR_OK(leat_schema_add_column(s, "left", LEAT_CATEGORY, LEAT_ROLE_FEATURE, &e), &e);
  TR_OK(leat_schema_add_column(s, "right", LEAT_CATEGORY, LEAT_ROLE_FEATURE, &e), &e);
  if (text) TR_OK(leat_schema_add_column(s, "note", LEAT_TEXT, LEAT_ROLE_FEATURE, &e), &e);
  TR_OK(leat_schema_add_column(s, "y", classes ? LEAT_CATEGORY : LEAT_NUMBER, LEAT_ROLE_TARGET, &e), &e);
  for (int64_t side = 2; side < 4; side++)
    for (int k = 0; k < 3; k++) TR_OK(leat_schema_add_category(s, side, (const char *[]){"u", "v", "w"}[k], &e), &e);
  for (int64_t k = 0; k < classes; k++) TR_OK(leat_schema_add_category(s, text ? 5 : 4, label[k], &e), &e);
  return s;
}

/* The label follows one of the rules (-1: all of them, by turns), turned round in one of twenty rows. */
static leat_dataset *en_rows(leat_runtime *rt, int text, int64_t classes, int rule, int64_t n, uint64_t seed) {
  leat_schema *s = en_schema(rt, text, classes);
  leat_batch *rows = NULL;
  leat_dataset *d = NULL;
  leat_error e = tr_error();
  lt_rng r;
  TR_OK(leat_batch_create(rt, s, &rows, &e), &e);
  lt_rng_init(&r, seed, 17);
  for (int64_t i = 0; i < n; i++) {
    static const char *const side[] = {"u", "v", "w"};
    double a = lt_rng_normal(&r), g = lt_rng_normal(&r);
    int gone = lt_rng_below(&r, 3) == 0, left = (int)lt_rng_below(&r, 3), right = (int)lt_rng_below(&r, 3);
    int first = lt_rng_below(&r, 2) == 0, which = rule < 0 ? (int)(i % RULES) : rule;
    int hit = which == CROSS     ? left == right
              : which == BUCKETS ? fabs(a) < 0.67
              : which == LOG     ? g > 0
              : which == MISSING ? gone
                                 : first;
    if (lt_rng_below(&r, 20) == 0) hit = !hit;
    char x[32], z[32], y[32];
    snprintf(x, sizeof x, "%.17g", a);
    snprintf(z, sizeof z, "%.17g", copysign(expm1(4 * fabs(g)), g));
    if (which == MISSING || rule < 0) x[gone ? 0 : sizeof x - 1] = 0;
    if (classes) snprintf(y, sizeof y, "%s", (const char *[]){"no", "yes", "so"}[hit && classes > 2 && i % 2 ? 2 : hit]);
    else snprintf(y, sizeof y, "%.17g", 3 * hit + 0.1 * a);
    const char *field[] = {x, z, side[left], side[right], first ? "gladly never" : "never gladly", y};
    if (!text) field[4] = y;
    TR_OK(leat_batch_add_text(rows, field, text ? 6 : 5, &e), &e);
  }
  TR_OK(lt_dataset_of(rows, &d, &e), &e);
  leat_schema_free(s);
  return d;
}

/* Each setting lets the learner see what it cannot see without it. */
static void seen(void **state) {
  leat_runtime *rt = tr_runtime(1);
  (void)state;
  for (int k = 0; k < RULES; k++) {
    leat_dataset *d = en_rows(rt, 1, 2, k, ROWS, 7);
    leat_trainer *without = on_trainer(rt, "hash_bits=12 window=1000", NULL);
    char set[96];
    snprintf(set, sizeof set, "hash_bits=12 window=1000 %s", rules[k].settings);
    leat_trainer *with = on_trainer(rt, set, NULL);
    on_run(without, d, 0, ROWS, 500, 1, NULL, 1);
    on_run(with, d, 0, ROWS, 500, 1, NULL, 1);
    double a = on_metric(without, 2, "accuracy"), b = on_metric(with, 2, "accuracy");
    print_message("%s: the last thousand rows %.3f without, %.3f with %s\n", rules[k].name, a, b, rules[k].settings);
    assert_true(b >= 0.88 && a <= b - 0.2);
    leat_trainer_free(with);
    leat_trainer_free(without);
    lt_dataset_free(d);
  }
  leat_runtime_free(rt);
}

/* However calls are cut, and wherever a trainer is saved and loaded or handed on as a model: the same bits. The edges of the
 * buckets are fitted at 64, 128, ... 1024 values, so that the places are before, between and after. */
static void same_bits(void **state) {
  static const int64_t at[] = {30, 100, 700, 2000};
  leat_runtime *rt = tr_runtime(1);
  char path[64];
  (void)state;
  snprintf(path, sizeof path, "/tmp/leat-encoder-%p.ckpt", (void *)rt);
  for (int64_t classes = 0; classes < 4; classes += classes ? 1 : 2) {
    leat_dataset *d = en_rows(rt, 1, classes, -1, ROWS, 3);
    leat_error e = tr_error();
    int64_t cols = classes > 2 ? classes : 1;
    double *p = malloc((size_t)(ROWS * cols) * sizeof *p), *q = malloc((size_t)(ROWS * cols) * sizeof *q);
    leat_trainer *a = on_trainer(rt, all_settings, NULL), *b = on_trainer(rt, all_settings, NULL);
    on_run(a, d, 0, ROWS, ROWS, 1, p, cols);
    on_run(b, d, 0, ROWS, 61, 1, q, cols);
    assert_memory_equal(p, q, (size_t)(ROWS * cols) * sizeof *p);
    on_same_state(rt, a, b);
    leat_trainer_free(b);
    for (int i = 0; i < 4; i++) {
      leat_trainer *c = on_trainer(rt, all_settings, NULL), *loaded = NULL, *grown = NULL;
      on_run(c, d, 0, at[i], 50, 1, NULL, cols);
      TR_OK(leat_trainer_save(c, path, &e), &e);
      leat_model *m = on_snapshot(c);
      TR_OK(leat_trainer_from_model(m, NULL, NULL, &grown, &e), &e);
      TR_OK(leat_trainer_load(rt, path, NULL, &loaded, &e), &e);
      leat_model_free(m);
      leat_trainer_free(c);
      on_run(loaded, d, at[i], ROWS, 333, 1, NULL, cols);
      on_run(grown, d, at[i], ROWS, 77, 1, NULL, cols);
      on_same_state(rt, a, loaded);
      on_predict(a, d, 0, ROWS, p, cols);
      on_predict(grown, d, 0, ROWS, q, cols);
      assert_memory_equal(p, q, (size_t)(ROWS * cols) * sizeof *p);
      leat_trainer_free(loaded);
      leat_trainer_free(grown);
    }
    leat_trainer_free(a);
    lt_dataset_free(d);
    free(p);
    free(q);
  }
  remove(path);
  leat_runtime_free(rt);
}

/* A snapshot's predictor says what its trainer says: rows of a batch, a package that was written and read, and rows as
 * numbers, one by one. */
static void predictors(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  (void)state;
  for (int text = 0; text < 2; text++)
    for (int64_t rows = 50; rows <= 1500; rows += 1450) {
      enum { ASK = 200 };
      leat_dataset *d = en_rows(rt, text, 2, -1, rows + ASK, 5);
      leat_trainer *t = on_trainer(rt, all_settings, NULL);
      double p[ASK], q[ASK], one;
      on_run(t, d, 0, rows, 100, 1, NULL, 1);
      on_predict(t, d, rows, ASK, p, 1);
      leat_model *m = on_snapshot(t), *again = NULL;
      uint64_t size = 0;
      leat_model_save_bytes(m, NULL, 0, &size, NULL);
      void *bytes = malloc(size);
      TR_OK(leat_model_save_bytes(m, bytes, size, &size, &e), &e);
      TR_OK(leat_model_load_bytes(rt, bytes, size, &again, &e), &e);
      int64_t version = 0;
      TR_OK(leat_model_get_i64(again, "format_version", &version, &e), &e);
      assert_int_equal(version, 2);
      leat_predictor *k = NULL;
      TR_OK(leat_predictor_create(again, NULL, NULL, &k, &e), &e);
      leat_batch *b = on_rows(d, rows, ASK);
      leat_matrix out = tr_matrix(q, ASK, 1, LEAT_F64);
      TR_OK(leat_predictor_run_batch(k, b, &out, &e), &e);
      assert_memory_equal(p, q, sizeof p);
      lt_rows v;
      lt_batch_rows(b, &v);
      for (int64_t r = 0; !text && r < ASK; r++) {
        double x[4];
        for (int j = 0; j < 2; j++) x[j] = lt_col_number(&v.schema->col[j], &v.col[j], r, 0);
        for (int j = 2; j < 4; j++) x[j] = ((const int32_t *)v.col[j].data)[r * v.col[j].row_stride];
        TR_OK(leat_predictor_one_f64(k, x, 4, &one, 1, &e), &e);
        assert_memory_equal(&one, &p[r], sizeof one);
      }
      lt_batch_free(b);
      leat_predictor_free(k);
      leat_model_free(m);
      leat_model_free(again);
      free(bytes);
      leat_trainer_free(t);
      lt_dataset_free(d);
    }
  leat_runtime_free(rt);
}

/* Labels that no row had before are learned from their first row on, in crosses too. */
static void unseen(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  leat_schema *s = en_schema(rt, 0, 2);
  leat_trainer *t = on_trainer(rt, "hash_bits=12 cross=left*right", s);
  (void)state;
  for (int64_t i = 0; i < 400; i++) { /* a schema of its own for each row, as a stream's that has grown */
    leat_schema *grown = NULL;
    leat_batch *b = NULL;
    const char *left = i % 2 ? "new" : "newer", *right = i / 2 % 2 ? "new" : "newer";
    TR_OK(lt_schema_copy(s, &grown, &e), &e);
    for (int64_t side = 2; side < 4; side++)
      for (int k = 0; k < 2; k++) TR_OK(leat_schema_add_category(grown, side, k ? "newer" : "new", &e), &e);
    TR_OK(leat_batch_create(rt, grown, &b, &e), &e);
    const char *field[] = {"1", "1", left, right, left == right ? "yes" : "no"};
    TR_OK(leat_batch_add_text(b, field, 5, &e), &e);
    TR_OK(leat_trainer_test_then_train(t, b, 1, NULL, &e), &e);
    lt_batch_free(b);
    leat_schema_free(grown);
  }
  assert_true(on_metric(t, 1, "accuracy") > 0.95);
  leat_trainer_free(t);
  leat_schema_free(s);
  leat_runtime_free(rt);
}

/* What cannot be meant is refused before the first row. */
static void refused(void **state) {
  static const struct { const char *name, *value, *said; } bad[] = {
      {"log", "bb", "'b'"},         {"log", "left", "no feature that is a number"},
      {"buckets", "a:1", "from 2"}, {"buckets", "a:2000", "from 2"},
      {"buckets", "note", "a number"}, {"cross", "left", "star"},
      {"cross", "left*left", "itself"}, {"cross", "left*a", "a category"}, {"cross", "left*rigt", "'right'"}};
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = en_schema(rt, 1, 2);
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    leat_error e = tr_error();
    leat_trainer *t = NULL;
    leat_params *p = on_params(rt, "");
    TR_OK(leat_params_set_text(p, bad[i].name, bad[i].value, &e), &e);
    leat_status st = leat_trainer_create(rt, p, s, NULL, &t, &e);
    if (!st || t || !strstr(e.message, bad[i].said)) fail_msg("%s=%s: %d %s", bad[i].name, bad[i].value, (int)st, e.message);
    leat_params_free(p);
  }
  leat_error e = tr_error(); /* a model of other settings is no beginning */
  leat_dataset *d = en_rows(rt, 1, 2, -1, 50, 1);
  leat_trainer *t = on_trainer(rt, all_settings, NULL), *u = NULL;
  on_run(t, d, 0, 50, 50, 1, NULL, 1);
  leat_model *m = on_snapshot(t);
  leat_params *p = on_params(rt, "hash_bits=12 words=2");
  assert_int_equal(leat_trainer_from_model(m, p, NULL, &u, &e), LEAT_E_ARG);
  assert_non_null(strstr(e.message, "buckets"));
  assert_null(u);
  leat_params_free(p);
  leat_model_free(m);
  leat_trainer_free(t);
  lt_dataset_free(d);
  leat_schema_free(s);
  leat_runtime_free(rt);
}

/* An encoder that is damaged, behind its checksum: an error, never worse. */
static void damaged(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  leat_schema *s = en_schema(rt, 1, 2);
  leat_dataset *d = en_rows(rt, 1, 2, -1, 300, 1);
  leat_params *p = on_params(rt, all_settings);
  lt_encoder *made = NULL, *c = NULL;
  lt_encode *bind = NULL;
  lt_put w;
  int64_t good = 0;
  (void)state;
  TR_OK(lt_encoder_unfitted(rt, s, p, &made, &e), &e);
  TR_OK(lt_encode_create(made, lt_dataset_schema(d), &bind, &e), &e);
  leat_batch *b = on_rows(d, 0, 300);
  lt_rows v;
  lt_batch_rows(b, &v);
  for (int64_t r = 0; r < 300; r++) {
    assert_true(lt_derive_until(made) >= 1);
    lt_derive_observe(made, bind, &v, r);
  }
  lt_put_init(&w, rt);
  lt_encoder_save(made, &w);
  for (uint64_t at = 0; at < w.size; at++)
    for (int bit = 0; bit < 8; bit += 3) {
      lt_get g;
      uint8_t *copy = malloc(w.size);
      memcpy(copy, w.data, w.size);
      copy[at] ^= (uint8_t)(1 << bit);
      lt_get_init(&g, rt, copy, w.size);
      if (!lt_encoder_load(rt, s, &g, &c, NULL)) {
        good++;
        (void)lt_derive_until(c);
        for (int64_t r = 0; r < 300 && lt_encoder_online_fits(c); r++) { /* it can be used */
          lt_encode *again = NULL;
          if (r % 100 == 0 && !lt_encode_create(c, v.schema, &again, NULL)) lt_derive_observe(c, again, &v, r);
          lt_encode_free(again);
        }
        lt_encoder_free(c);
      }
      free(copy);
    }
  assert_true(good > 0); /* numbers of the sample, say */
  for (uint64_t cut = 0; cut < w.size; cut++) {
    lt_get g;
    lt_get_init(&g, rt, w.data, cut);
    assert_true(lt_encoder_load(rt, s, &g, &c, NULL) != 0);
  }
  lt_put_free(&w);
  lt_encode_free(bind);
  lt_encoder_free(made);
  lt_batch_free(b);
  leat_params_free(p);
  lt_dataset_free(d);
  leat_schema_free(s);
  leat_runtime_free(rt);
}

/* sms_spam as a stream, each message predicted before it is learned, against a model trained on the first half: both judged
 * on the second half. */
static void sms(void **state) {
  const char *folder = getenv("LEAT_DATA_DIR");
  (void)state;
  if (!folder) skip();
  leat_runtime *rt = tr_runtime(2);
  leat_error e = tr_error();
  leat_params *p = NULL;
  leat_dataset *d = NULL;
  char path[512];
  snprintf(path, sizeof path, "%s/sms_spam.tsv.zst", folder);
  TR_OK(leat_params_create(rt, "reader/csv", &p, &e), &e);
  TR_OK(leat_params_set_text(p, "target", "1", &e), &e);
  TR_OK(leat_params_set_text(p, "header", "no", &e), &e);
  TR_OK(leat_params_set_text(p, "text", "c2", &e), &e);
  TR_OK(leat_dataset_open(rt, NULL, path, p, &d, &e), &e);
  leat_params_free(p);
  int64_t n = lt_dataset_rows(d), half = n / 2;
  for (int words = 1; words <= 2; words++) {
    char set[32];
    snprintf(set, sizeof set, "words=%d", words);
    leat_trainer *t = on_trainer(rt, set, NULL), *fit = NULL;
    double *out = malloc((size_t)n * sizeof *out), *still = malloc((size_t)n * sizeof *still);
    on_run(t, d, 0, n, 500, 1, out, 1);
    leat_dataset *first = NULL;
    TR_OK(lt_dataset_of(on_rows(d, 0, half), &first, &e), &e);
    TR_OK(leat_params_create(rt, "model/linear", &p, &e), &e);
    TR_OK(leat_params_set_i64(p, "words", words, &e), &e);
    TR_OK(leat_params_set_f64(p, "l2", 0.1, &e), &e);
    TR_OK(leat_trainer_create(rt, p, lt_dataset_schema(first), NULL, &fit, &e), &e);
    TR_OK(leat_trainer_set_data(fit, first, NULL, &e), &e);
    TR_OK(leat_trainer_fit(fit, &e), &e);
    leat_model *m = on_snapshot(fit);
    leat_predictor *k = NULL;
    TR_OK(leat_predictor_create(m, NULL, NULL, &k, &e), &e);
    leat_batch *rest = on_rows(d, half, n - half);
    leat_matrix q = tr_matrix(still, n - half, 1, LEAT_F64);
    TR_OK(leat_predictor_run_batch(k, rest, &q, &e), &e);
    lt_rows v;
    lt_batch_rows(rest, &v);
    double online = 0, offline = 0;
    for (int64_t r = 0; r < n - half; r++) {
      double y = lt_rows_target(&v, lt_schema_role(v.schema, LEAT_ROLE_TARGET), r);
      online += (out[half + r] > 0.5) == (y == 1);
      offline += (still[r] > 0.5) == (y == 1);
    }
    online /= (double)(n - half);
    offline /= (double)(n - half);
    print_message("sms_spam, words=%d, second half: stream %.4f, trained on the first half %.4f\n", words, online, offline);
    assert_true(online >= 0.98 && offline >= 0.97 && online >= offline - 0.003);
    lt_batch_free(rest);
    leat_predictor_free(k);
    leat_model_free(m);
    leat_trainer_free(fit);
    leat_params_free(p);
    lt_dataset_free(first);
    leat_trainer_free(t);
    free(out);
    free(still);
  }
  leat_dataset_free(d);
  leat_runtime_free(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(seen),    cmocka_unit_test(same_bits), cmocka_unit_test(predictors),
                                     cmocka_unit_test(unseen),  cmocka_unit_test(refused),   cmocka_unit_test(damaged),
                                     cmocka_unit_test(sms)};
  return cmocka_run_group_tests_name("train/online_encoder", tests, NULL, NULL);
}
