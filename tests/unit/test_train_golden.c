/* The package of the online family and the checkpoints of both trainers in format version 1, read for ever: what they must
 * answer, and that damage to them is refused; the same of the online family with a network, and with settings of the encoder
 * (edges of buckets in the middle of being fitted), whose packages are of version 2.
 * Written once: --write-golden FOLDER writes the seven files and prints the numbers below. The rows are made of integers alone, so that they are the same on every machine. */
#include "base/number.h"
#include "base/sealed.h"
#include "data/store.h"
#include "model/predictor.h"
#include "online_help.h"

enum { ROWS = 300, MORE = 100, ASKED = 4, NUMBERS = 12 };
static const char model_file[] = "model-online-v1.leat", online_file[] = "trainer-online-v1.ckpt",
                  linear_file[] = "trainer-linear-v1.ckpt", mlp_file[] = "model-online-mlp-v2.leat",
                  net_file[] = "trainer-online-mlp-v1.ckpt", encoder_file[] = "model-online-encoder-v2.leat",
                  cells_file[] = "trainer-online-encoder-v1.ckpt";
static const double asked[ASKED][4] = {{12, 1.5, 0, 1}, {NAN, -3.25, 1, 0}, {31, NAN, 2, -1}, {3, 7.5, -1, 1}};
static int shapes; /* rows have a second category, for crosses */

/* What a file holds is expected to 1e-9, what comes of learning on from it to 1e-6: kernels differ in a sum's last bits. */
static const double model_want[ASKED] = {
    0.06080146509303952, 0.92423568014036916, 0.88465615438077794, 0.0023989748191748355,
};
static const double online_want[NUMBERS] = {
    300, 0.38794508346190587, 0.82333333333333336, 0.87387387387387383,
    0.06080146509303952, 0.92423568014036916, 0.88465615438077794, 0.0023989748191748355,
    400, 0.36151074084878032, 0.53884711779448624, 0.51879699248120303,
};
static const double mlp_want[ASKED] = {
    0.063870433885283032, 0.92162328746420574, 0.88153445320345258, 0.0024681130968293974,
};
static const double net_want[NUMBERS] = {
    300, 0.39016297505570846, 0.82333333333333336, 0.87387387387387383,
    0.063870433885283032, 0.92162328746420574, 0.88153445320345258, 0.0024681130968293974,
    400, 0.3628766248443121, 0.53884711779448624, 0.51879699248120303,
};
static const double encoder_want[ASKED] = {
    0.028460620638846586, 0.97823971175422575, 0.91976289028585445, 0.0066475703646475129,
};
static const double cells_want[NUMBERS] = {
    300, 0.43777898083938915, 0.80000000000000004, 0.87187187187187187,
    0.028460620638846586, 0.97823971175422575, 0.91976289028585445, 0.0066475703646475129,
    400, 0.41321076852087546, 0.53884711779448624, 0.51879699248120303,
};
static const double linear_want[NUMBERS] = {
    3, 1200, 0.31061073317555932, 0.85999999999999999,
    4, 0.30207808154655641, 0.29865816627790326, 0.043090021300381975,
    0.9198298578801567, 0.8317827663928351, 0.0012662572627982129, 0,
};

static leat_schema *golden_schema(leat_runtime *rt) {
  static const char *const colours[] = {"red", "green", "bl\xc3\xa5"};
  leat_schema *s = NULL;
  leat_error e = tr_error();
  TR_OK(leat_schema_create(rt, &s, &e), &e);
  TR_OK(leat_schema_add_column(s, "size", LEAT_NUMBER, LEAT_ROLE_FEATURE, &e), &e);
  TR_OK(leat_schema_add_column(s, "heat", LEAT_NUMBER, LEAT_ROLE_FEATURE, &e), &e);
  TR_OK(leat_schema_add_column(s, "colour", LEAT_CATEGORY, LEAT_ROLE_FEATURE, &e), &e);
  if (shapes) TR_OK(leat_schema_add_column(s, "shape", LEAT_CATEGORY, LEAT_ROLE_FEATURE, &e), &e);
  TR_OK(leat_schema_add_column(s, "answer", LEAT_CATEGORY, LEAT_ROLE_TARGET, &e), &e);
  for (int k = 0; k < 3; k++) TR_OK(leat_schema_add_category(s, 2, colours[k], &e), &e);
  if (shapes) TR_OK(leat_schema_add_category(s, 3, "round", &e), &e);
  if (shapes) TR_OK(leat_schema_add_category(s, 3, "square", &e), &e);
  TR_OK(leat_schema_add_category(s, shapes ? 4 : 3, "no", &e), &e);
  TR_OK(leat_schema_add_category(s, shapes ? 4 : 3, "yes", &e), &e);
  return s;
}

static leat_batch *golden_rows(leat_runtime *rt, uint64_t seed, int n) {
  static const char *const colours[] = {"red", "green", "bl\xc3\xa5"};
  leat_schema *s = golden_schema(rt);
  leat_batch *b = NULL;
  leat_error e = tr_error();
  lt_rng r;
  TR_OK(leat_batch_create(rt, s, &b, &e), &e);
  lt_rng_init(&r, seed, 1);
  for (int i = 0; i < n; i++) {
    char size[32], heat[32];
    int64_t a = (int64_t)lt_rng_below(&r, 40), h = (int64_t)lt_rng_below(&r, 80) - 40, c = (int64_t)lt_rng_below(&r, 3);
    int yes = 2 * a - h + 30 * (c == 1) + (int64_t)lt_rng_below(&r, 60) > 80;
    lt_i64_text(a, size);
    lt_f64_text((double)h / 4, heat);
    const char *answer = yes ? "yes" : "no";
    const char *field[] = {i % 17 == 5 ? "" : size, i % 23 == 7 ? "" : heat, colours[c], shapes ? i % 3 ? "round" : "square" : answer, answer};
    TR_OK(leat_batch_add_text(b, field, shapes ? 5 : 4, &e), &e);
  }
  leat_schema_free(s);
  return b;
}

static void teach(leat_runtime *rt, leat_trainer *t, uint64_t seed, int n) {
  leat_error e = tr_error();
  leat_batch *b = golden_rows(rt, seed, n);
  TR_OK(leat_trainer_test_then_train(t, b, 1, NULL, &e), &e);
  leat_batch_free(b);
}

static leat_dataset *golden_data(leat_runtime *rt) {
  leat_dataset *d = NULL;
  leat_error e = tr_error();
  TR_OK(lt_dataset_of(golden_rows(rt, 2026, ROWS), &d, &e), &e);
  return d;
}

static void model_answers(const leat_model *m, double out[ASKED]) {
  leat_predictor *q = NULL;
  leat_error e = tr_error();
  TR_OK(leat_predictor_create(m, NULL, NULL, &q, &e), &e);
  for (int i = 0; i < ASKED; i++) TR_OK(leat_predictor_one_f64(q, asked[i], shapes ? 4 : 3, out + i, 1, &e), &e);
  leat_predictor_free(q);
}

static void trainer_answers(leat_trainer *t, double out[ASKED]) {
  leat_model *m = on_snapshot(t);
  model_answers(m, out);
  leat_model_free(m);
}

/* The state as it is in the file (as many numbers as it returns), and what comes of it when learning goes on. */
static int online_numbers(leat_runtime *rt, leat_trainer *t, double out[NUMBERS]) {
  leat_progress p = {.struct_size = sizeof p};
  leat_error e = tr_error();
  TR_OK(leat_trainer_progress(t, &p, &e), &e);
  out[0] = (double)p.rows_seen;
  out[1] = p.loss;
  out[2] = on_metric(t, 0, "accuracy");
  out[3] = on_metric(t, 2, "auc");
  trainer_answers(t, out + 4);
  teach(rt, t, 7, MORE);
  TR_OK(leat_trainer_progress(t, &p, &e), &e);
  out[8] = (double)p.rows_seen;
  out[9] = p.loss;
  out[10] = on_metric(t, 3, "accuracy");
  out[11] = on_metric(t, 4, "accuracy");
  return 9;
}

static int linear_numbers(leat_runtime *rt, leat_trainer *t, double out[NUMBERS]) {
  leat_progress p = {.struct_size = sizeof p};
  leat_error e = tr_error();
  leat_dataset *d = golden_data(rt);
  leat_model *m = NULL;
  TR_OK(leat_trainer_set_data(t, d, NULL, &e), &e);
  TR_OK(leat_trainer_progress(t, &p, &e), &e);
  out[0] = (double)p.step;
  out[1] = (double)p.rows_seen;
  out[2] = on_metric(t, 0, "loss");
  out[3] = on_metric(t, 0, "accuracy");
  TR_OK(leat_trainer_step(t, 0, &p, &e), &e);
  out[4] = (double)p.step;
  out[5] = on_metric(t, 0, "loss");
  TR_OK(leat_trainer_fit(t, &e), &e);
  out[6] = on_metric(t, 0, "loss");
  TR_OK(leat_trainer_snapshot(t, &m, &e), &e);
  model_answers(m, out + 7);
  out[11] = 0;
  leat_model_free(m);
  lt_dataset_free(d);
  return 4;
}

static void expect_numbers(const double *got, const double *want, int n, double rel) {
  for (int i = 0; i < n; i++) {
    int same = fabs(got[i] - want[i]) <= rel * fabs(want[i]);
    if (!same) print_error("number %d: %.17g, not %.17g\n", i, got[i], want[i]);
    assert_true(same);
  }
}

static void model_file_read(const char *file, const char *checkpoint, const double *want, int64_t version, const char *learner) {
  leat_runtime *rt = tr_runtime(1);
  leat_model *m = NULL;
  leat_error e = tr_error();
  double out[ASKED];
  int64_t v = 0;
  char text[64], path[64];
  uint64_t needed = 0;
  snprintf(path, sizeof path, "tests/golden/%s", file);
  TR_OK(leat_model_load(rt, path, &m, &e), &e); /* with its self-test */
  model_answers(m, out);
  expect_numbers(out, want, ASKED, 1e-9);
  TR_OK(leat_model_get_i64(m, "format_version", &v, &e), &e);
  assert_int_equal(v, version);
  TR_OK(leat_model_get_i64(m, "rows_trained", &v, &e), &e);
  assert_int_equal(v, ROWS);
  TR_OK(leat_model_get_text(m, "family", text, sizeof text, &needed, &e), &e);
  assert_string_equal(text, "online");
  TR_OK(leat_model_get_text(m, "class:1", text, sizeof text, &needed, &e), &e);
  assert_string_equal(text, "yes");
  TR_OK(leat_model_get_text(m, "param:hash_bits", text, sizeof text, &needed, &e), &e);
  assert_string_equal(text, "8");
  TR_OK(leat_model_get_text(m, "param:learner", text, sizeof text, &needed, &e), &e);
  assert_string_equal(text, learner);
  /* learning goes on from it as from the checkpoint of the same trainer */
  leat_trainer *t = NULL, *other = NULL;
  double from_model[ASKED], from_checkpoint[ASKED];
  TR_OK(leat_trainer_from_model(m, NULL, NULL, &t, &e), &e);
  snprintf(path, sizeof path, "tests/golden/%s", checkpoint);
  TR_OK(leat_trainer_load(rt, path, NULL, &other, &e), &e);
  teach(rt, t, 7, MORE);
  teach(rt, other, 7, MORE);
  trainer_answers(t, from_model);
  trainer_answers(other, from_checkpoint);
  assert_memory_equal(from_model, from_checkpoint, sizeof from_model);
  leat_trainer_free(t);
  leat_trainer_free(other);
  leat_model_free(m);
  leat_runtime_free(rt);
}

static void online_file_read(const char *file, const double *want) {
  leat_runtime *rt = tr_runtime(1);
  leat_trainer *t = NULL;
  leat_error e = tr_error();
  double out[NUMBERS];
  char path[64];
  snprintf(path, sizeof path, "tests/golden/%s", file);
  TR_OK(leat_trainer_load(rt, path, NULL, &t, &e), &e);
  int held = online_numbers(rt, t, out);
  expect_numbers(out, want, held, 1e-9);
  expect_numbers(out + held, want + held, NUMBERS - held, 1e-6);
  leat_trainer_free(t);
  leat_runtime_free(rt);
}

static void model_v1(void **state) {
  (void)state;
  model_file_read(model_file, online_file, model_want, 1, "race");
}

static void model_mlp_v2(void **state) {
  (void)state;
  model_file_read(mlp_file, net_file, mlp_want, 2, "mlp");
}

static void model_encoder_v2(void **state) {
  (void)state;
  shapes = 1;
  model_file_read(encoder_file, cells_file, encoder_want, 2, "cheap");
  shapes = 0;
}

static void online_v1(void **state) {
  (void)state;
  online_file_read(online_file, online_want);
}

static void online_mlp_v1(void **state) {
  (void)state;
  online_file_read(net_file, net_want);
}

static void online_encoder_v1(void **state) {
  (void)state;
  shapes = 1;
  online_file_read(cells_file, cells_want);
  shapes = 0;
}

static void linear_v1(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(2);
  leat_trainer *t = NULL;
  leat_error e = tr_error();
  double out[NUMBERS];
  TR_OK(leat_trainer_load(rt, "tests/golden/trainer-linear-v1.ckpt", NULL, &t, &e), &e);
  int held = linear_numbers(rt, t, out);
  expect_numbers(out, linear_want, held, 1e-9);
  expect_numbers(out + held, linear_want + held, NUMBERS - held, 1e-6);
  leat_trainer_free(t);
  leat_runtime_free(rt);
}

static void refused(leat_runtime *rt, int is_model, const uint8_t *data, uint64_t n, const char *path) {
  leat_error e = tr_error();
  leat_model *m = NULL;
  leat_trainer *t = NULL;
  leat_status st;
  if (is_model) {
    st = leat_model_load_bytes(rt, data, n, &m, &e);
  } else {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    fclose(f);
    st = leat_trainer_load(rt, path, NULL, &t, &e);
  }
  assert_true(st == LEAT_E_FORMAT || st == LEAT_E_VERSION);
  assert_true(e.message[0] != 0);
  assert_null(m);
  assert_null(t);
}

/* A byte of every section flipped (a stride below the smallest section's size), and 50 cuts. */
static void damage(void **state) {
  (void)state;
  static const char *const files[] = {model_file, online_file, linear_file, mlp_file, net_file, cells_file, encoder_file};
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  char path[128], broken[128];
  snprintf(broken, sizeof broken, "/tmp/leat-golden-%p.ckpt", (void *)rt);
  for (int i = 0; i < 7; i++) {
    void *raw = NULL;
    uint64_t n = 0, stride = 31;
    lt_sealed *s = NULL;
    snprintf(path, sizeof path, "tests/golden/%s", files[i]);
    TR_OK(lt_file_load(rt, path, 1u << 20, &raw, &n, &e), &e);
    assert_true(n > 500 && n < 32768);
    TR_OK(lt_sealed_open_bytes(rt, raw, n, path, "", i % 3 == 0 && i > 0 ? 2 : 1, 0, &s, &e), &e);
    for (int64_t k = 0; k < lt_sealed_count(s); k++) {
      const char *name = NULL;
      uint64_t stored = 0, size = 0;
      int32_t codec = 0;
      TR_OK(lt_sealed_info(s, k, &name, &stored, &size, &codec, &e), &e);
      if (stored && stored < stride) stride = stored;
    }
    lt_sealed_free(s);
    for (uint64_t at = 0; at < n; at += stride) {
      uint8_t *copy = malloc(n);
      memcpy(copy, raw, n);
      copy[at] ^= (uint8_t)(1 << at % 8);
      refused(rt, i % 3 == 0, copy, n, broken);
      free(copy);
    }
    for (uint64_t cut = 0; cut < 50; cut++) {
      uint64_t size = n * cut / 50;
      uint8_t *copy = malloc(size + !size); /* its own block: a sanitizer sees a read behind it */
      memcpy(copy, raw, size);
      refused(rt, i % 3 == 0, copy, size, broken);
      free(copy);
    }
    lt_free(rt, raw);
  }
  (void)remove(broken);
  leat_runtime_free(rt);
}

static void print_numbers(const char *name, const double *x, int n) {
  printf("%s:", name);
  for (int i = 0; i < n; i++) printf(" %.17g,", x[i]);
  printf("\n");
}

/* A package and a checkpoint of an online trainer. */
static leat_status write_online(leat_runtime *rt, const char *folder, const char *settings, const char *package,
                                const char *checkpoint, leat_error *e) {
  char path[300];
  double out[NUMBERS];
  leat_trainer *t = on_trainer(rt, settings, NULL);
  teach(rt, t, 2026, ROWS);
  leat_model *m = on_snapshot(t);
  model_answers(m, out);
  print_numbers(package, out, ASKED);
  snprintf(path, sizeof path, "%s/%s", folder, package);
  leat_status st = leat_model_save(m, path, e);
  leat_model_free(m);
  snprintf(path, sizeof path, "%s/%s", folder, checkpoint);
  if (!st) st = leat_trainer_save(t, path, e);
  (void)online_numbers(rt, t, out);
  print_numbers(checkpoint, out, NUMBERS);
  leat_trainer_free(t);
  return st;
}

static int write_golden(const char *folder) {
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  char path[300];
  double out[NUMBERS];
  leat_trainer *t = NULL;
  leat_status st = write_online(rt, folder, "learner=race hash_bits=8 window=64", model_file, online_file, &e);
  if (!st) st = write_online(rt, folder, "learner=mlp hidden=8 hash_bits=8 window=64", mlp_file, net_file, &e);
  shapes = 1;
  if (!st)
    st = write_online(rt, folder, "learner=cheap hash_bits=8 window=64 log=heat buckets=size:5,heat missing=yes cross=colour*shape words=2",
                      encoder_file, cells_file, &e);
  shapes = 0;
  leat_dataset *d = golden_data(rt);
  t = tr_trainer(rt, "solver=lbfgs l2=0.5 lbfgs_memory=3", d, NULL);
  for (int i = 0; i < 3 && !st; i++) st = leat_trainer_step(t, 0, NULL, &e);
  snprintf(path, sizeof path, "%s/%s", folder, linear_file);
  if (!st) st = leat_trainer_save(t, path, &e);
  leat_trainer_free(t);
  lt_dataset_free(d);
  if (!st) st = leat_trainer_load(rt, path, NULL, &t, &e);
  if (!st) {
    (void)linear_numbers(rt, t, out);
    print_numbers("linear", out, NUMBERS);
    leat_trainer_free(t);
  }
  if (st) printf("%s\n", e.message);
  leat_runtime_free(rt);
  return st != 0;
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(model_v1),
      cmocka_unit_test(online_v1),
      cmocka_unit_test(linear_v1),
      cmocka_unit_test(model_mlp_v2),
      cmocka_unit_test(online_mlp_v1),
      cmocka_unit_test(model_encoder_v2),
      cmocka_unit_test(online_encoder_v1),
      cmocka_unit_test(damage),
  };
  if (argc == 3 && strcmp(argv[1], "--write-golden") == 0) return write_golden(argv[2]);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
