/* Packages: round trip, the golden file of every version, every byte changed, every cut, lies behind right checksums,
 * budgets, a full disk. With --write-golden PATH it writes the golden file (done once for each format version). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/sealed.h"
#include "base_files_help.h"
#include "device/vec.h"
#include "model_make.h"

static leat_runtime *rt;
static int start(void **state) { (void)state; return (rt = new_runtime(2)) == NULL; }
static int stop(void **state) { (void)state; lt_runtime_unref(rt); return 0; }

static uint8_t *bytes_of(const leat_model *m, uint64_t *size) {
  uint64_t needed = 0;
  FAILS(LEAT_E_CAPACITY, "bytes", leat_model_save_bytes(m, NULL, 0, size, &error_of));
  uint8_t *data = malloc(*size);
  assert_int_equal(leat_model_save_bytes(m, data, *size - 1, &needed, NULL), LEAT_E_CAPACITY);
  OK(leat_model_save_bytes(m, data, *size, &needed, &error_of));
  assert_int_equal(needed, *size);
  return data;
}

static double predict_one(const leat_model *m) {
  leat_predictor *q = NULL;
  double x[6] = {12, 1, 50.5, 1, NAN, 7}, y[8] = {0};
  float f[8];
  int64_t n, k;
  const char *row[8] = {"12", "One year", "50.5", "true", "", "city 7", "slow hotline", "x"};
  OK(leat_predictor_create(m, NULL, NULL, &q, &error_of));
  OK(leat_predictor_shape(q, &n, &k, &error_of));
  if (leat_predictor_one_f64(q, x, 6, y, 8, NULL)) {
    OK(leat_predictor_one_text(q, row, 8, f, 8, &error_of));
    y[0] = (double)f[0];
  }
  leat_predictor_free(q);
  return y[0];
}

static void expect_text(const leat_model *m, const char *name, const char *want) {
  char buf[128];
  uint64_t needed = 0;
  OK(leat_model_get_text(m, name, buf, sizeof buf, &needed, &error_of));
  assert_string_equal(buf, want);
  assert_int_equal(needed, strlen(want) + 1);
}

static void expect_int(const leat_model *m, const char *name, int64_t want) {
  int64_t v = -1;
  OK(leat_model_get_i64(m, name, &v, &error_of));
  assert_int_equal(v, want);
}

static void test_round_trip(void **state) {
  (void)state;
  for (int64_t k = 0; k < 5; k++)
    for (int text = 0; text < 2 && k != 1; text++) {
      leat_model *m = mixed_model(rt, k, text), *again = mixed_model(rt, k, text), *back = NULL;
      uint64_t n, n2, n3;
      uint8_t *a = bytes_of(m, &n), *b = bytes_of(again, &n2), *c;
      assert_int_equal(n, n2);
      assert_memory_equal(a, b, n); /* the same parts give the same bytes */
      OK(leat_model_load_bytes(rt, a, n, &back, &error_of));
      c = bytes_of(back, &n3);
      assert_int_equal(n, n3);
      assert_memory_equal(a, c, n);
      double p = predict_one(m), q = predict_one(back);
      assert_memory_equal(&p, &q, sizeof p);
      char one[64], two[64];
      OK(leat_model_get_text(m, "checksum", one, sizeof one, &n, &error_of));
      OK(leat_model_get_text(back, "checksum", two, sizeof two, &n, &error_of));
      assert_string_equal(one, two);
      assert_int_equal(strlen(one), 32);
      free(a);
      free(b);
      free(c);
      leat_model_free(m);
      leat_model_free(again);
      leat_model_free(back);
    }
}

static void test_getters(void **state) {
  (void)state;
  leat_model *made = mixed_model(rt, 3, 1), *m = NULL;
  uint64_t n, needed;
  uint8_t *data = bytes_of(made, &n);
  OK(leat_model_load_bytes(rt, data, n, &m, &error_of));
  leat_model_free(made);
  expect_text(m, "family", "linear");
  expect_text(m, "task", "multiclass");
  expect_text(m, "target", "churn");
  expect_text(m, "kernels", lt_vec_get()->name);
  expect_text(m, "lineage", "");
  expect_text(m, "library", leat_version_text());
  expect_text(m, "data", "000000001234abcd");
  expect_text(m, "class:0", "class 0");
  expect_text(m, "class:2", "class 2");
  expect_text(m, "feature:0", "tenure");
  expect_text(m, "feature:5", "contract=One year");
  expect_text(m, "feature:7", "contract=(unseen)");
  expect_text(m, "param:hash_bits", "6");
  int64_t slots = 4 + 4 + 41 + 64;
  expect_int(m, "n_classes", 3);
  expect_int(m, "in_cols", 6);
  expect_int(m, "out_cols", 3);
  expect_int(m, "n_features", slots);
  expect_int(m, "n_parameters", 3 * (slots + 1));
  expect_int(m, "rows_trained", 400);
  expect_int(m, "iterations", 7);
  expect_int(m, "format_version", 1);
  char buf[4];
  double w[4 * 200];
  int64_t v;
  FAILS(LEAT_E_NOT_FOUND, "no class '3'", leat_model_get_text(m, "class:3", buf, 4, &needed, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "no class 'x'", leat_model_get_text(m, "class:x", buf, 4, &needed, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "113", leat_model_get_text(m, "feature:113", buf, 4, &needed, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "did you mean 'family'", leat_model_get_text(m, "famly", buf, 4, &needed, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "did you mean 'iterations'", leat_model_get_i64(m, "iteratons", &v, &error_of));
  assert_int_equal(v, 0);
  FAILS(LEAT_E_CAPACITY, "", leat_model_get_text(m, "family", buf, 4, &needed, &error_of));
  assert_int_equal(needed, 7);
  FAILS(LEAT_E_CAPACITY, "weights", leat_model_get_f64s(m, "weights", w, 5, &needed, &error_of));
  assert_int_equal(needed, 3 * slots);
  OK(leat_model_get_f64s(m, "weights", w, 800, &needed, &error_of));
  assert_memory_equal(w, ((const lt_linear *)lt_model_params(m))->weight, needed * sizeof *w);
  OK(leat_model_get_f64s(m, "intercept", w, 800, &needed, &error_of));
  assert_int_equal(needed, 3);
  FAILS(LEAT_E_NOT_FOUND, "no array 'bias'", leat_model_get_f64s(m, "bias", w, 800, &needed, &error_of));
  leat_schema *s = NULL;
  OK(leat_model_schema(m, &s, &error_of));
  assert_true(lt_schema_equal(s, lt_model_schema(m)) && s != lt_model_schema(m));
  leat_schema_free(s);
  assert_int_equal(leat_model_save(NULL, "x", NULL), LEAT_E_ARG);
  assert_int_equal(leat_model_get_i64(NULL, "x", &v, NULL), LEAT_E_ARG);
  leat_model_free(NULL);
  leat_model_ref(NULL);
  leat_model_free(m);
  free(data);
}

/* Any change of the file is found by a checksum, whatever it hits; a cut too. */
static void test_damage(void **state) {
  (void)state;
  leat_model *m = mixed_model(rt, 2, 0), *back = NULL;
  uint64_t n;
  uint8_t *data = bytes_of(m, &n);
  for (uint64_t i = 0; i < n; i++) {
    uint8_t keep = data[i];
    data[i] ^= (uint8_t)(1 << i % 8);
    leat_status st = leat_model_load_bytes(rt, data, n, &back, &error_of);
    assert_true(st == LEAT_E_FORMAT || st == LEAT_E_VERSION);
    assert_null(back);
    data[i] = (uint8_t)~keep;
    assert_int_not_equal(leat_model_load_bytes(rt, data, n, &back, NULL), LEAT_OK);
    data[i] = keep;
  }
  for (uint64_t cut = 0; cut < n; cut++) {
    uint8_t *part = malloc(cut ? cut : 1); /* its own block: a sanitizer sees a read behind it */
    memcpy(part, data, cut);
    assert_int_equal(leat_model_load_bytes(rt, part, cut, &back, NULL), LEAT_E_FORMAT);
    free(part);
  }
  uint8_t *more = malloc(n + 1);
  memcpy(more, data, n);
  more[n] = 0;
  assert_int_equal(leat_model_load_bytes(rt, more, n + 1, &back, NULL), LEAT_E_FORMAT);
  OK(leat_model_load_bytes(rt, data, n, &back, &error_of));
  leat_model_free(back);
  leat_model_free(m);
  free(more);
  free(data);
}

/* A package again, with section `name` replaced (data NULL: left out), and one more section when `extra`. */
static void reseal(const uint8_t *data, uint64_t size, const char *name, const void *with, uint64_t n, int extra,
                   uint32_t version, uint32_t min_reader, lt_seal **out) {
  lt_sealed *s = NULL;
  OK(lt_sealed_open_bytes(rt, data, size, "x", "MODL", 1, 0, &s, &error_of));
  OK(lt_seal_create(rt, "MODL", version, min_reader, out, &error_of));
  for (int64_t i = 0; i < lt_sealed_count(s); i++) {
    const char *section = NULL;
    const void *raw = NULL;
    uint64_t stored, raw_size = 0;
    int32_t codec;
    OK(lt_sealed_info(s, i, &section, &stored, &raw_size, &codec, &error_of));
    OK(lt_sealed_section(s, section, &raw, &raw_size, &error_of));
    int hit = strcmp(section, name) == 0;
    if (hit && !with) continue;
    OK(lt_seal_add(*out, section, codec, hit ? with : raw, hit ? n : raw_size, &error_of));
  }
  if (extra) OK(lt_seal_add(*out, "later", LT_SEAL_RAW, "?", 1, &error_of));
  lt_sealed_free(s);
}

static leat_status load_seal(lt_seal *s, leat_model **m) {
  const void *data = NULL;
  uint64_t n = 0;
  OK(lt_seal_bytes(s, &data, &n, &error_of));
  return leat_model_load_bytes(rt, data, n, m, &error_of);
}

static const char *const sections[] = {"manifest", "schema", "encoder", "params", "settings", "profile", "golden"};

/* Every bit of every section's contents, the checksums made right again: an error, or a model that works. */
static void test_lies(void **state) {
  (void)state;
  leat_model *m = mixed_model(rt, 3, 1), *back = NULL;
  uint64_t n;
  uint8_t *data = bytes_of(m, &n);
  int64_t good = 0, bad = 0, cuts = 0;
  for (int k = 0; k < 7; k++) {
    lt_sealed *s = NULL;
    const void *raw = NULL;
    uint64_t size = 0;
    OK(lt_sealed_open_bytes(rt, data, n, "x", "MODL", 1, 0, &s, &error_of));
    OK(lt_sealed_section(s, sections[k], &raw, &size, &error_of));
    uint8_t *part = malloc(size);
    uint64_t step = size > 600 ? size / 600 : 1;
    for (uint64_t i = 0; i < size; i += i < 200 ? 1 : step) {
      lt_seal *seal = NULL;
      memcpy(part, raw, size);
      part[i] ^= (uint8_t)(1 << i % 8);
      reseal(data, n, sections[k], part, size, 0, 1, 1, &seal);
      if (load_seal(seal, &back) == LEAT_OK) {
        good++;
        assert_true(isfinite(predict_one(back)));
      } else {
        bad++;
        assert_true(error_of.message[0] != 0);
      }
      leat_model_free(back);
      back = NULL;
      lt_seal_free(seal);
    }
    for (uint64_t cut = 0; cut < size; cut += cut < 200 ? 1 : 37, cuts++) {
      lt_seal *seal = NULL;
      reseal(data, n, sections[k], raw, cut, 0, 1, 1, &seal);
      leat_status st = load_seal(seal, &back);
      assert_true(st == LEAT_E_FORMAT || st == LEAT_E_VERSION);
      assert_null(back);
      lt_seal_free(seal);
    }
    lt_seal *seal = NULL;
    reseal(data, n, sections[k], NULL, 0, 0, 1, 1, &seal);
    FAILS(LEAT_E_FORMAT, sections[k], load_seal(seal, &back));
    lt_seal_free(seal);
    free(part);
    lt_sealed_free(s);
  }
  assert_true(bad > good && cuts > 700);
  free(data);
  leat_model_free(m);
}

static void test_versions(void **state) {
  (void)state;
  leat_model *m = mixed_model(rt, 2, 0), *back = NULL;
  uint64_t n;
  uint8_t *data = bytes_of(m, &n);
  lt_seal *s = NULL;
  reseal(data, n, "", NULL, 0, 1, 3, 1, &s); /* newer, with a section that may be skipped */
  OK(load_seal(s, &back));
  expect_int(back, "format_version", 3);
  leat_model_free(back);
  lt_seal_free(s);
  reseal(data, n, "", NULL, 0, 1, 3, 3, &s); /* newer, and it may not */
  FAILS(LEAT_E_VERSION, "", load_seal(s, &back));
  lt_seal_free(s);
  OK(lt_seal_create(rt, "CKPT", 1, 1, &s, &error_of));
  assert_int_equal(load_seal(s, &back), LEAT_E_FORMAT);
  lt_seal_free(s);
  lt_put w; /* a family of the future */
  const char *const pairs[][2] = {{"family", "oracle"}, {"task", "binary"},     {"library", "9"}, {"kernels", "avx9"},
                                  {"rows", "1"},        {"iterations", "1"}, {"lineage", ""},     {"data", "0"}};
  lt_put_init(&w, rt);
  lt_put_u64(&w, 8);
  for (int i = 0; i < 8; i++) {
    lt_put_text(&w, pairs[i][0]);
    lt_put_text(&w, pairs[i][1]);
  }
  reseal(data, n, "manifest", w.data, w.size, 0, 1, 1, &s);
  FAILS(LEAT_E_VERSION, "family", load_seal(s, &back));
  lt_seal_free(s);
  lt_put_free(&w);
  free(data);
  leat_model_free(m);
}

/* A package whose golden predictions are not the model's. */
static void test_self_test(void **state) {
  (void)state;
  leat_model *m = mixed_model(rt, 0, 0), *back = NULL;
  uint64_t n, size = 0;
  uint8_t *data = bytes_of(m, &n);
  lt_sealed *s = NULL;
  lt_seal *seal = NULL;
  const void *raw = NULL;
  OK(lt_sealed_open_bytes(rt, data, n, "x", "MODL", 1, 0, &s, &error_of));
  OK(lt_sealed_section(s, "golden", &raw, &size, &error_of));
  uint8_t *part = malloc(size);
  memcpy(part, raw, size);
  part[size - 8] ^= 1; /* the last bit of the last prediction */
  reseal(data, n, "golden", part, size, 0, 1, 1, &seal);
  FAILS(LEAT_E_FORMAT, "self-test failed", load_seal(seal, &back));
  lt_seal_free(seal);
  /* made by other kernels: only what they may differ in is forgiven */
  OK(lt_sealed_section(s, "manifest", &raw, &size, &error_of));
  uint8_t *manifest = malloc(size + 64);
  memcpy(manifest, raw, size);
  uint64_t len = strlen(lt_vec_get()->name);
  for (uint64_t i = 0; i + len <= size; i++)
    if (memcmp(manifest + i, lt_vec_get()->name, len) == 0) memset(manifest + i, 'z', len);
  lt_seal *other = NULL;
  const void *bytes = NULL;
  uint64_t n_bytes = 0;
  reseal(data, n, "manifest", manifest, size, 0, 1, 1, &other);
  OK(lt_seal_bytes(other, &bytes, &n_bytes, &error_of));
  OK(leat_model_load_bytes(rt, bytes, n_bytes, &back, &error_of));
  leat_model_free(back);
  OK(lt_sealed_section(s, "golden", &raw, &size, &error_of));
  reseal(bytes, n_bytes, "golden", part, size, 0, 1, 1, &seal);
  OK(load_seal(seal, &back));
  leat_model_free(back);
  back = NULL;
  lt_seal_free(seal);
  part[size - 3] ^= 1;
  reseal(bytes, n_bytes, "golden", part, size, 0, 1, 1, &seal);
  FAILS(LEAT_E_FORMAT, "self-test failed", load_seal(seal, &back));
  lt_seal_free(seal);
  lt_seal_free(other);
  lt_sealed_free(s);
  free(part);
  free(manifest);
  free(data);
  leat_model_free(m);
}

/* Keys and targets of the data do not travel. */
static void test_golden_rows_are_features(void **state) {
  (void)state;
  leat_model *m = mixed_model(rt, 2, 0);
  assert_int_equal(m->n_golden, 16);
  assert_int_equal(m->features->n, 7);
  assert_true(lt_schema_role(m->features, LEAT_ROLE_TARGET) < 0);
  leat_model_free(m);
}

static leat_model *wide_model(void) { /* many columns with short names and labels: the most memory for a byte of file */
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  leat_dataset *d = NULL;
  int64_t code;
  enum { COLUMNS = 3000 };
  static const char *row[COLUMNS];
  OK(lt_schema_create(rt, &s, &error_of));
  for (int i = 0; i < COLUMNS; i++) {
    char name[32];
    lt_i64_text(i, name);
    row[i] = i == 0 ? "1" : i % 2 ? "a" : "3";
    OK(lt_schema_add(s, name, i % 2 ? LEAT_CATEGORY : LEAT_NUMBER, i ? LEAT_ROLE_FEATURE : LEAT_ROLE_TARGET, 1, 0, &error_of));
    for (char label[2] = "a"; i % 2 && label[0] < 'd'; label[0]++) OK(lt_dict_add(s->col[i].labels, label, 1, &code, &error_of));
  }
  OK(lt_batch_create(rt, s, &b, &error_of));
  OK(lt_batch_add_text(b, row, COLUMNS, &error_of));
  OK(lt_dataset_of(b, &d, &error_of));
  leat_params *p = linear_settings(rt, NULL, NULL);
  leat_model *m = model_of(rt, d, p, 0, 5);
  lt_params_free(p);
  lt_dataset_free(d);
  lt_schema_free(s);
  return m;
}

/* Loading stays inside the budget, and says what it wants. */
static void check_budget(leat_model *m) {
  leat_model *back = NULL;
  uint64_t n;
  uint8_t *data = bytes_of(m, &n);
  int loaded = 0;
  for (int64_t budget = 64; budget < 1 << 26; budget += budget / 4) {
    leat_runtime *on = NULL;
    leat_runtime_opts opts = {.struct_size = sizeof opts, .load_budget_bytes = budget};
    int64_t before = 0, peak = 0;
    OK(lt_runtime_create(&opts, &on, &error_of));
    OK(lt_runtime_stat(on, "bytes_in_use", &before, &error_of));
    leat_status st = leat_model_load_bytes(on, data, n, &back, &error_of);
    if (st) {
      assert_int_equal(st, LEAT_E_MEMORY);
      assert_non_null(strstr(error_of.message, "budget"));
      assert_int_equal(loaded, 0);
    }
    OK(lt_runtime_stat(on, "bytes_peak", &peak, &error_of));
    if (peak - before > budget + 4096) print_error("%lld bytes of a budget of %lld\n", (long long)(peak - before), (long long)budget);
    assert_true(peak - before <= budget + 4096); /* the model itself, before the file is looked at */
    leat_model_free(back);
    back = NULL;
    lt_runtime_unref(on);
    loaded += st == LEAT_OK;
    if (loaded == 2) break;
  }
  assert_int_equal(loaded, 2);
  free(data);
  leat_model_free(m);
}

static void test_budget(void **state) {
  (void)state;
  check_budget(mixed_model(rt, 3, 1));
  check_budget(dense_model(rt, 2000, 2));
  check_budget(sparse_model(rt, 200000));
  check_budget(wide_model());
}

/* A full disk, at each write and at the sync: the old package stays, whole. */
static void test_full_disk(void **state) {
  (void)state;
  static mem_host host;
  leat_runtime *on = host_start(&host);
  leat_model *old = mixed_model(on, 2, 0), *new = mixed_model(on, 3, 0), *back = NULL;
  uint64_t n;
  uint8_t *data = bytes_of(old, &n);
  OK(leat_model_save(old, "m.leat", &error_of));
  for (int k = 1; k < 20; k++) {
    if (k < 19) host.fail_write = k;
    else host.fail_sync = 1;
    leat_status st = leat_model_save(new, "m.leat", &error_of);
    int32_t os_code = error_of.os_code;
    host.fail_write = host.fail_sync = 0;
    OK(leat_model_load(on, "m.leat", &back, &error_of));
    uint64_t n2;
    uint8_t *now = bytes_of(back, &n2);
    leat_model_free(back);
    if (st) {
      assert_int_equal(st, LEAT_E_IO);
      if (k < 19) assert_int_equal(os_code, ENOSPC);
      assert_int_equal(n, n2);
      assert_memory_equal(data, now, n);
    } else {
      assert_true(k > 1);
      OK(leat_model_save(old, "m.leat", &error_of));
    }
    free(now);
    int files = 0;
    for (int i = 0; i < 64; i++) files += host.file[i].present;
    assert_int_equal(files, 1); /* nothing left behind */
  }
  FAILS(LEAT_E_NOT_FOUND, "none.leat", leat_model_load(on, "none.leat", &back, &error_of));
  assert_null(back);
  free(data);
  leat_model_free(old);
  leat_model_free(new);
  assert_int_equal(host_stop(&host, on), 0);
}

/* Memory fails at every allocation of making, saving and loading. */
static void test_memory(void **state) {
  (void)state;
  static mem_host host;
  leat_runtime *on = host_start(&host);
  leat_model *m = mixed_model(on, 2, 1);
  uint64_t n;
  uint8_t *data = bytes_of(m, &n);
  lt_model_parts parts = {.schema = m->schema, .encoder = m->encoder, .family = m->family, .params = m->params,
                          .settings = m->settings, .profiles = m->profile, .n_profiles = m->n_profiles,
                          .rows_trained = 3, .lineage = "x"};
  int64_t before = host.blocks, k = 1;
  leat_status st;
  do {
    leat_model *a = NULL, *b = NULL;
    host.fail_alloc = k++;
    st = leat_model_load_bytes(on, data, n, &a, &error_of);
    if (!st) st = lt_model_create(on, &parts, &b, &error_of);
    host.fail_alloc = 0;
    leat_model_free(a);
    leat_model_free(b);
    if (st && st != LEAT_E_MEMORY) print_error("%d %s\n", (int)k, error_of.message);
    assert_true(st == LEAT_OK || st == LEAT_E_MEMORY);
    assert_int_equal(host.blocks, before);
  } while (st);
  assert_true(k > 100);
  free(data);
  leat_model_free(m);
  assert_int_equal(host_stop(&host, on), 0);
}

/* The package of format version 1, read for ever: what it must answer. Written once by --write-golden. */
static const double golden_x[4][4] = {{12, 1, 50.5, 2}, {NAN, 0, 99.25, 0}, {71, 7, NAN, -1}, {0, 2, 18, 1}};
static const double golden_want[4] = {0.59059743407869048, 0.67332741638137084, 0.68245486884434536, 0.49693744243928906};

static leat_model *golden_model(void) {
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  leat_dataset *d = NULL;
  int64_t code;
  static const char *const plans[] = {"basic", "gold", "k\xc3\xa4se"}, *const pay[] = {"card", "cash"};
  lt_rng r;
  OK(lt_schema_create(rt, &s, &error_of));
  OK(lt_schema_add(s, "tenure", LEAT_NUMBER, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(s, "plan", LEAT_CATEGORY, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(s, "charges", LEAT_NUMBER, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(s, "pay", LEAT_CATEGORY, LEAT_ROLE_FEATURE, 1, 0, &error_of));
  OK(lt_schema_add(s, "churn", LEAT_CATEGORY, LEAT_ROLE_TARGET, 1, 0, &error_of));
  for (int i = 0; i < 3; i++) OK(lt_dict_add(s->col[1].labels, plans[i], strlen(plans[i]), &code, &error_of));
  for (int i = 0; i < 2; i++) OK(lt_dict_add(s->col[3].labels, pay[i], 4, &code, &error_of));
  OK(lt_dict_add(s->col[4].labels, "No", 2, &code, &error_of));
  OK(lt_dict_add(s->col[4].labels, "Yes", 3, &code, &error_of));
  OK(lt_batch_create(rt, s, &b, &error_of));
  lt_rng_init(&r, 2026, 1);
  for (int i = 0; i < 100; i++) {
    char tenure[32], charges[32];
    lt_i64_text((int64_t)lt_rng_below(&r, 72), tenure);
    lt_f64_text((double)lt_rng_below(&r, 12000) / 100, charges);
    const char *row[] = {i % 9 ? tenure : "", plans[lt_rng_below(&r, 3)], charges, pay[lt_rng_below(&r, 2)], i % 4 ? "No" : "Yes"};
    OK(lt_batch_add_text(b, row, 5, &error_of));
  }
  OK(lt_dataset_of(b, &d, &error_of));
  leat_params *p = linear_settings(rt, "l2", "0.5");
  leat_model *m = model_of(rt, d, p, 1, 5);
  lt_params_free(p);
  lt_dataset_free(d);
  lt_schema_free(s);
  return m;
}

static void golden_answers(const leat_model *m, double *out) {
  leat_predictor *q = NULL;
  OK(leat_predictor_create(m, NULL, NULL, &q, &error_of));
  for (int i = 0; i < 4; i++) OK(leat_predictor_one_f64(q, golden_x[i], 4, out + i, 1, &error_of));
  leat_predictor_free(q);
}

static void test_golden_v1(void **state) {
  (void)state;
  leat_model *m = NULL;
  double out[4];
  float f;
  char name[64];
  OK(leat_model_load(rt, "tests/golden/model-linear-v1.leat", &m, &error_of));
  golden_answers(m, out);
  for (int i = 0; i < 4; i++) assert_true(fabs(out[i] - golden_want[i]) < 1e-12);
  expect_int(m, "format_version", 1);
  expect_int(m, "n_features", 2 + 4 + 3);
  expect_int(m, "rows_trained", 100);
  expect_text(m, "class:1", "Yes");
  expect_text(m, "feature:4", "plan=k\xc3\xa4se");
  expect_text(m, "param:l2", "0.5");
  assert_int_equal(m->n_profiles, 5);
  assert_int_equal(m->n_golden, 16);
  leat_predictor *q = NULL;
  const char *row[] = {"12", "gold", "50.5", "nothing seen"};
  OK(leat_predictor_create(m, NULL, NULL, &q, &error_of));
  OK(leat_predictor_one_text(q, row, 4, &f, 1, &error_of));
  assert_true(f == (float)out[0]);
  leat_predictor_free(q);
  lt_i64_text(m->n_parameters, name);
  assert_string_equal(name, "10");
  leat_model_free(m);
}

static int write_golden(const char *path) {
  double out[4];
  rt = new_runtime(1);
  leat_model *m = golden_model();
  golden_answers(m, out);
  for (int i = 0; i < 4; i++) printf("%.17g, ", out[i]);
  printf("\n");
  leat_status st = leat_model_save(m, path, &error_of);
  if (st) printf("%s\n", error_of.message);
  leat_model_free(m);
  lt_runtime_unref(rt);
  return st != 0;
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip), cmocka_unit_test(test_getters),   cmocka_unit_test(test_damage),
      cmocka_unit_test(test_lies),       cmocka_unit_test(test_versions),  cmocka_unit_test(test_self_test),
      cmocka_unit_test(test_golden_rows_are_features), cmocka_unit_test(test_budget),
      cmocka_unit_test(test_full_disk),  cmocka_unit_test(test_memory),    cmocka_unit_test(test_golden_v1),
  };
  if (argc == 3 && strcmp(argv[1], "--write-golden") == 0) return write_golden(argv[2]);
  return cmocka_run_group_tests(tests, start, stop);
}
