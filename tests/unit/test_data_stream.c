#include "data_kit.h"
#include <zstd.h>

static char *table(int rows, uint64_t *size) {
  char *t = malloc((uint64_t)rows * 64 + 100);
  uint64_t n = (uint64_t)sprintf(t, "n,c,s,y\n");
  for (int i = 0; i < rows; i++)
    n += (uint64_t)sprintf(t + n, "%d.25,L%d,\"text of\n%d words\",%s\n", i, i % 5, i, i % 3 ? "no" : "yes");
  *size = n;
  return t;
}

static leat_dataset *stream_of(leat_runtime *rt, const leat_schema *s, const char *spec, const char *set, kit_text *t) {
  leat_error e = {.struct_size = sizeof e};
  leat_params *p = kit_params(rt, spec, set);
  leat_dataset *d = NULL;
  if (leat_dataset_from_reader(rt, s, p, "stream", kit_pull, t, &d, &e)) fail_msg("%s", e.message);
  leat_params_free(p);
  return d;
}

/* All rows of a stream in one batch. */
static leat_batch *drain(leat_dataset *d, int64_t step) {
  leat_error e = {.struct_size = sizeof e};
  leat_batch *all = NULL, *b = NULL;
  int64_t got = 1;
  lt_batch_create(d->rt, d->schema, &all, &e);
  lt_batch_create(d->rt, d->schema, &b, &e);
  while (got) {
    if (leat_dataset_next(d, step, b, &got, &e)) fail_msg("%s", e.message);
    lt_rows rows;
    lt_batch_rows(b, &rows);
    assert_int_equal(rows.n, got);
    if (lt_batch_append(all, &rows, 0, got, &e)) fail_msg("%s", e.message);
  }
  lt_batch_free(b);
  return all;
}

static void equals_the_whole_read(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e = {.struct_size = sizeof e};
  uint64_t size;
  char *t = table(120000, &size);
  leat_dataset *whole = kit_read_bytes(rt, NULL, "reader/csv", "target=y text=s", t, size, &e);
  if (!whole) fail_msg("%s", e.message);
  static const uint64_t steps[] = {0, 1000003, 4097};
  for (int k = 0; k < 3; k++) {
    kit_text text = {t, size, 0, steps[k]};
    leat_dataset *d = stream_of(rt, NULL, "reader/csv", "target=y text=s stream=1", &text), *all = NULL;
    int64_t rows = 0;
    assert_true(lt_dataset_streams(d));
    leat_dataset_shape(d, &rows, NULL, &e);
    assert_int_equal(rows, -1);
    leat_batch *b = drain(d, 7001);
    leat_dataset_shape(d, &rows, NULL, &e);
    assert_int_equal(rows, 120000);
    assert_int_equal(lt_dataset_of(b, &all, &e), 0);
    assert_true(kit_sum(all) == kit_sum(whole));
    leat_dataset *s = NULL;
    assert_int_equal(leat_dataset_slice(d, 0, 1, &s, &e), LEAT_E_UNSUPPORTED);
    assert_int_equal(leat_dataset_rewind(d, &e), LEAT_E_UNSUPPORTED);
    leat_dataset_free(all);
    leat_dataset_free(d);
  }
  free(t);
  leat_dataset_free(whole);
  kit_balanced(rt);
}

static void unseen_later(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e = {.struct_size = sizeof e};
  char *t = malloc(8 << 20);
  uint64_t n = (uint64_t)sprintf(t, "c,y\n");
  for (int i = 0; i < 400000; i++) n += (uint64_t)sprintf(t + n, i < 399999 ? "L%d,%d         \n" : "new%d,%d\n", i % 5, i % 2);
  kit_text text = {t, n, 0, 0};
  leat_dataset *d = stream_of(rt, NULL, "reader/csv", "target=y stream=1 chunk_rows=50", &text);
  assert_int_equal(lt_schema_classes(d->schema), 2);
  leat_batch *all = drain(d, 100000);
  lt_rows rows;
  lt_batch_rows(all, &rows);
  assert_int_equal(rows.n, 400000);
  assert_true(lt_col_number(&d->schema->col[0], &rows.col[0], 399999, 0) == LT_UNSEEN);
  assert_true(lt_rows_target(&rows, 1, 399999) == 1);
  lt_batch_free(all);
  leat_dataset_free(d);
  /* an error far behind the window comes from next, with its row */
  n += (uint64_t)sprintf(t + n, "L1\n");
  text = (kit_text){t, n, 0, 0};
  d = stream_of(rt, NULL, "reader/csv", "target=y stream=1", &text);
  leat_batch *b = NULL;
  int64_t got = 1;
  leat_status st = 0;
  lt_batch_create(rt, d->schema, &b, &e);
  while (!st && got) st = leat_dataset_next(d, 50000, b, &got, &e);
  assert_int_equal(st, LEAT_E_DATA);
  assert_int_equal(e.detail[0], 400001);
  assert_non_null(strstr(e.message, "row 400001 (line 400002)"));
  lt_batch_free(b);
  leat_dataset_free(d);
  free(t);
  kit_balanced(rt);
}

static void svmlight(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e = {.struct_size = sizeof e};
  char *t = malloc(8 << 20);
  uint64_t n = 0;
  for (int i = 0; i < 200000; i++) n += (uint64_t)sprintf(t + n, "%d %d:1.5 %d:2\n", i % 2, 1 + i % 7, 10 + i % 90);
  leat_dataset *whole = kit_read_bytes(rt, NULL, "reader/svmlight", "", t, n, &e), *all = NULL;
  kit_text text = {t, n, 0, 65537};
  leat_dataset *d = stream_of(rt, NULL, "reader/svmlight", "stream=1", &text);
  leat_batch *b = drain(d, 999);
  assert_int_equal(lt_dataset_of(b, &all, &e), 0);
  assert_true(kit_sum(all) == kit_sum(whole));
  leat_dataset_free(all);
  leat_dataset_free(d);
  leat_dataset_free(whole);
  n += (uint64_t)sprintf(t + n, "1 500:1\n");
  text = (kit_text){t, n, 0, 0};
  d = stream_of(rt, NULL, "reader/svmlight", "stream=1", &text);
  int64_t got = 1;
  leat_status st = 0;
  lt_batch_create(rt, d->schema, &b, &e);
  while (!st && got) st = leat_dataset_next(d, 50000, b, &got, &e);
  assert_int_equal(st, LEAT_E_DATA);
  assert_non_null(strstr(e.message, "index above 99"));
  lt_batch_free(b);
  leat_dataset_free(d);
  free(t);
  kit_balanced(rt);
}

static void put_file(const char *path, const void *data, uint64_t size) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(data, 1, size, f), size);
  fclose(f);
}

static leat_dataset *opened(leat_runtime *rt, const char *path, const char *set, leat_error *e) {
  leat_params *p = kit_params(rt, "reader/csv", set);
  leat_dataset *d = NULL;
  leat_dataset_open(rt, NULL, path, p, &d, e);
  leat_params_free(p);
  return d;
}

static void files(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  leat_error e = {.struct_size = sizeof e};
  uint64_t size, packed;
  char *t = table(60000, &size), *z = malloc(ZSTD_compressBound(size));
  packed = ZSTD_compress(z, ZSTD_compressBound(size), t, size / 2, 1);
  packed += ZSTD_compress(z + packed, ZSTD_compressBound(size) - packed, t + size / 2, size - size / 2, 1); /* two frames */
  const char *plain = "build_test_stream.csv", *zst = "build_test_stream.csv.zst";
  put_file(plain, t, size);
  put_file(zst, z, packed);
  leat_dataset *whole = opened(rt, plain, "target=y text=s", &e), *all = NULL;
  if (!whole) fail_msg("%s", e.message);
  static const char *const ways[] = {"target=y text=s map=1", "target=y text=s stream=1", "target=y text=s"};
  for (int k = 0; k < 6; k++) {
    leat_dataset *d = opened(rt, k % 2 ? zst : plain, ways[k / 2], &e);
    if (!d) fail_msg("%s", e.message);
    for (int pass = 0; pass < 2; pass++) {
      leat_batch *b = drain(d, 10000);
      assert_int_equal(lt_dataset_of(b, &all, &e), 0);
      assert_true(kit_sum(all) == kit_sum(whole));
      leat_dataset_free(all);
      assert_int_equal(leat_dataset_rewind(d, &e), 0);
    }
    leat_dataset_free(d);
  }
  static const double parts[] = {0.001, 0.3, 0.7, 0.999};
  for (int k = 0; k < 4; k++) { /* a cut file is an error, however it is read */
    put_file(zst, z, (uint64_t)((double)packed * parts[k]));
    assert_null(opened(rt, zst, "target=y text=s", &e));
    assert_int_equal(e.code, LEAT_E_FORMAT);
  }
  z[packed / 3] ^= 0x40;
  put_file(zst, z, packed);
  leat_dataset *d = opened(rt, zst, "target=y text=s", &e);
  leat_dataset_free(d); /* damage that zstd cannot see may only change the text */
  put_file(plain, "\x1f\x8b\x08", 3);
  assert_null(opened(rt, plain, "", &e));
  assert_non_null(strstr(e.message, "gzip"));
  assert_null(opened(rt, "no_such_file.csv", "", &e));
  assert_int_equal(e.code, LEAT_E_NOT_FOUND);
  assert_int_equal(leat_dataset_open(rt, NULL, "no_such_format.xyz", NULL, &d, &e), LEAT_E_ARG);
  remove(plain);
  remove(zst);
  leat_dataset_free(whole);
  free(t);
  free(z);
  kit_balanced(rt);
}

static int64_t failing_pull(void *user, void *buf, uint64_t cap) {
  (void)buf, (void)cap;
  return ++*(int *)user > 2 ? -1 : (int64_t)(memcpy(buf, "a,b\n", 4), 4);
}

static void pull_fails(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  leat_dataset *d = NULL;
  int calls = 0;
  assert_int_equal(leat_dataset_from_reader(rt, NULL, NULL, "x.csv", failing_pull, &calls, &d, &e), LEAT_E_IO);
  assert_null(d);
  kit_balanced(rt);
}

typedef struct real_set { const char *file, *spec, *set; int64_t rows, columns, classes; } real_set;

static void real_data(void **state) {
  (void)state;
  static const real_set sets[] = {
      {"elec2.csv.zst", "reader/csv", "target=class", 45312, 9, 2},
      {"covtype_first20k.csv.zst", "reader/csv", "target=-1", 20000, 55, 7},
      {"sea_50k.csv.zst", "reader/csv", "target=class", 50000, 4, 2},
      {"phishing_11k.csv.zst", "reader/csv", "target=target", 11055, 47, 2},
      {"nab_nyc_taxi.csv.zst", "reader/csv", "target=value", 10320, 2, 0},
      {"telco_churn.csv.zst", "reader/csv", "target=Churn", 7043, 21, 2},
      {"higgs7k_train.tsv.zst", "reader/csv", "target=1", 7000, 29, 2},
      {"higgs7k_test.tsv.zst", "reader/csv", "target=1", 500, 29, 2},
      {"lgb_multiclass_train.tsv.zst", "reader/csv", "target=1", 7000, 29, 5},
      {"lgb_multiclass_test.tsv.zst", "reader/csv", "target=1", 500, 29, 5},
      {"bike_hour.csv.zst", "reader/csv", "target=cnt", 17379, 17, 0},
      {"bike_day.csv.zst", "reader/csv", "target=cnt", 731, 16, 0},
      {"airlines_allyears2k.csv.zst", "reader/csv", "target=IsArrDelayed", 43978, 31, 2},
      {"nyc_taxi_trips_6k.csv.zst", "reader/csv", "target=fare", 6433, 14, 0},
      {"sms_spam.tsv.zst", "reader/csv", "target=1", 5574, 2, 2},
      {"spam_assassin_stream.libsvm.zst", "reader/svmlight", "", 9324, 39917, 2},
      {"lambdarank_rank_train.libsvm.zst", "reader/svmlight", "", 3005, 301, 5},
      {"agaricus.train.libsvm.zst", "reader/svmlight", "index=0", 6513, 128, 2},
      {"agaricus.test.libsvm.zst", "reader/svmlight", "index=0", 1611, 128, 2},
      {"a9a.libsvm.zst", "reader/svmlight", "", 32561, 124, 2},
      {"fashion-t10k-images-idx3-ubyte.zst", "reader/idx", "", 10000, 784, 0},
  };
  const char *folder = getenv("LEAT_DATA_DIR");
  if (!folder || !*folder) skip();
  for (uint64_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
    leat_runtime *rt = kit_runtime(2);
    leat_error e = {.struct_size = sizeof e};
    leat_params *p = kit_params(rt, sets[i].spec, sets[i].set);
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, sets[i].file);
    leat_dataset *d = NULL;
    if (leat_dataset_open(rt, NULL, path, p, &d, &e)) fail_msg("%s", e.message);
    int64_t columns = 0;
    for (int64_t k = 0; k < d->schema->n; k++) columns += d->schema->col[k].width;
    if (lt_dataset_rows(d) != sets[i].rows || columns != sets[i].columns ||
        lt_schema_classes(d->schema) != sets[i].classes)
      fail_msg("%s: %lld rows, %lld columns, %lld classes", sets[i].file, (long long)lt_dataset_rows(d),
               (long long)columns, (long long)lt_schema_classes(d->schema));
    leat_dataset_free(d);
    leat_params_free(p);
    kit_balanced(rt);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(equals_the_whole_read), cmocka_unit_test(unseen_later), cmocka_unit_test(svmlight),
      cmocka_unit_test(files),                 cmocka_unit_test(pull_fails),   cmocka_unit_test(real_data),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
