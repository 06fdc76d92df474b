/* What the gate holds back of real streams: next to nothing of clean ones, and all that was planted. Without LEAT_DATA_DIR
 * only the streams that are made here. */
#include <time.h>
#include "base/rng.h"
#include "gate_help.h"

typedef struct gd_set { const char *file, *spec, *settings; } gd_set;
static const gd_set sets[] = {
    {"elec2.csv.zst", "reader/csv", "target=class"},
    {"sea_50k.csv.zst", "reader/csv", "target=class"},
    {"phishing_11k.csv.zst", "reader/csv", "target=target"},
    {"airlines_allyears2k.csv.zst", "reader/csv", "target=IsArrDelayed"},
    {"spam_assassin_stream.libsvm.zst", "reader/svmlight", ""},
    {"bike_hour.csv.zst", "reader/csv", "target=cnt ignore=casual,registered"},
    {"bike_day.csv.zst", "reader/csv", "target=cnt ignore=casual,registered"},
    {"covtype_first20k.csv.zst", "reader/csv", "target=55"},
    {"telco_churn.csv.zst", "reader/csv", "target=Churn ignore=customerID"},
    {"higgs7k_train.tsv.zst", "reader/csv", "target=1"},
    {"nyc_taxi_trips_6k.csv.zst", "reader/csv", "target=fare"},
    {"nab_nyc_taxi.csv.zst", "reader/csv", "target=value"},
    {"a9a.libsvm.zst", "reader/svmlight", ""},
    {"lambdarank_rank_train.libsvm.zst", "reader/svmlight", ""},
};

typedef struct gd_result { int64_t rows, held, counted, regimes; double seconds; } gd_result;

static double gd_now(void) { return (double)clock() / CLOCKS_PER_SEC; } /* of the processor */

static leat_dataset *gd_open(leat_runtime *rt, const char *folder, const gd_set *s) {
  char path[512];
  leat_error e = {.struct_size = sizeof e};
  leat_dataset *d = NULL;
  leat_params *p = kit_params(rt, s->spec, s->settings);
  snprintf(path, sizeof path, "%s/%s", folder, s->file);
  if (lt_dataset_open(rt, NULL, path, p, &d, &e)) fail_msg("%s: %s", s->file, e.message);
  leat_params_free(p);
  return d;
}

static gd_result gd_run(leat_runtime *rt, const leat_dataset *d, const char *settings, int tell) {
  gd_result out = {.rows = lt_dataset_rows(d)};
  lt_gate *g = gate_good(rt, settings);
  leat_batch *scratch = NULL;
  leat_error e = {.struct_size = sizeof e};
  if (lt_batch_create(rt, lt_dataset_schema(d), &scratch, &e)) fail_msg("%s", e.message);
  for (int64_t r = 0; r < out.rows;) {
    lt_rows v;
    lt_verdict w;
    if (lt_dataset_view(d, r, out.rows - r < 1000 ? out.rows - r : 1000, scratch, &v, &e)) fail_msg("%s", e.message);
    double t = gd_now();
    if (lt_gate_bind(g, lt_dataset_schema(d), &e)) fail_msg("%s", e.message);
    for (int64_t i = 0; i < v.n; i++) {
      lt_gate_row(g, &v, i, 0, &w);
      out.held += w.action >= LT_HOLD;
      out.counted += w.action == LT_COUNT;
      out.regimes += w.regime >= 0;
      if (tell && w.action >= LT_HOLD && out.held <= tell)
        print_message("  row %lld reason %d %s: %s\n", (long long)(r + i), w.reason,
                      w.column >= 0 ? v.schema->col[w.column].name : "", w.detail);
      if (tell && w.regime >= 0) print_message("  row %lld: %s begins anew\n", (long long)(r + i), v.schema->col[w.regime].name);
    }
    out.seconds += gd_now() - t;
    r += v.n;
  }
  lt_batch_free(scratch);
  lt_gate_free(g);
  return out;
}

static void clean_sets(void **state) {
  (void)state;
  const char *folder = getenv("LEAT_DATA_DIR");
  if (!folder) skip();
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    leat_runtime *rt = kit_runtime(1);
    leat_dataset *d = gd_open(rt, folder, &sets[i]);
    gd_result k = gd_run(rt, d, "", 0);
    print_message("%s: %lld rows, %lld held back, %lld counted, %lld new regimes; %.1f M rows/s\n", sets[i].file,
                  (long long)k.rows, (long long)k.held, (long long)k.counted, (long long)k.regimes, (double)k.rows / k.seconds * 1e-6);
    if (!((double)k.held < 0.001 * (double)k.rows)) fail_msg("%s", sets[i].file);
    lt_dataset_free(d);
    leat_runtime_free(rt);
  }
}

/* What was planted must not get through: every 37th row one value of 1e3 or 1e6 in turn, columns in turn. */
static void planted(void **state) {
  (void)state;
  const char *folder = getenv("LEAT_DATA_DIR");
  if (!folder) skip();
  leat_runtime *rt = kit_runtime(1);
  leat_dataset *d = gd_open(rt, folder, &sets[0]);
  int64_t n = lt_dataset_rows(d), planted_rows = 0, caught = 0, held = 0;
  leat_batch *scratch = NULL;
  leat_error e = {.struct_size = sizeof e};
  lt_rows v;
  lt_verdict w;
  lt_gate *g = gate_good(rt, ""), *clean = gate_good(rt, "");
  if (lt_batch_create(rt, lt_dataset_schema(d), &scratch, &e)) fail_msg("%s", e.message);
  if (lt_dataset_view(d, 0, n, scratch, &v, &e)) fail_msg("%s", e.message);
  if (lt_gate_bind(g, lt_dataset_schema(d), &e) || lt_gate_bind(clean, lt_dataset_schema(d), &e)) fail_msg("%s", e.message);
  lt_col *col = malloc((size_t)v.schema->n * sizeof *col);
  memcpy(col, v.col, (size_t)v.schema->n * sizeof *col);
  for (int64_t r = 0; r < n; r++) {
    if (r >= 300 && r % 37 == 0) { /* a copy of row r with one value that is wrong */
      lt_rows one = v;
      double bad[2];
      int64_t c = r / 37 % (v.schema->n - 1);
      if (v.col[c].dtype == LEAT_F64) {
        bad[0] = 0;
        bad[1] = r / 37 % 2 ? 1e3 : 1e6;
        col[c].data = bad;
        col[c].row_stride = 1;
        one.col = col;
        for (int64_t i = 0; i < v.schema->n; i++)
          if (i != c) col[i].data = v.col[i].data ? (const char *)v.col[i].data + (r - 1) * v.col[i].row_stride * lt_dtype_size(v.col[i].dtype) : NULL;
        one.n = 2;
        lt_gate_row(g, &one, 1, 0, &w);
        planted_rows++;
        if (w.action == LT_HOLD && w.reason == LEAT_REASON_OUTLIER && w.column == c) caught++;
        else print_message("row %lld, %s: %s %s\n", (long long)r, v.schema->col[c].name, bad[1] > 1e3 ? "1e6" : "1e3", w.detail);
        col[c] = v.col[c];
      }
    }
    lt_gate_row(g, &v, r, 0, &w);
    held += w.action >= LT_HOLD;
    lt_gate_row(clean, &v, r, 0, &w);
  }
  print_message("elec2: %lld planted, %lld caught, %lld others held\n", (long long)planted_rows, (long long)caught, (long long)held);
  assert_true(planted_rows > 1000);
  assert_int_equal(caught, planted_rows);
  gate_same(rt, g, clean, 0);
  free(col);
  lt_gate_free(g);
  lt_gate_free(clean);
  lt_batch_free(scratch);
  lt_dataset_free(d);
  leat_runtime_free(rt);
}

/* Sparse rows as of hashed text or clicks: 30 skewed indices of 2^bits, all ones or normal numbers. What is planted at any
 * index, seldom or often seen, is caught; else nothing is held. */
static void sparse_planted(void **state) {
  (void)state;
  enum { N = 20000, K = 30 };
  static int32_t index[N * K];
  static float value[N * K];
  static int64_t start[N + 1];
  leat_runtime *rt = kit_runtime(1);
  leat_error e = {.struct_size = sizeof e};
  for (int kind = 0; kind < 4; kind++) {
    int64_t width = INT64_C(1) << (kind & 2 ? 20 : 18), caught = 0, planted_rows = 0, others = 0;
    leat_schema *s = NULL;
    lt_rng rng;
    lt_verdict w;
    lt_rng_init(&rng, 11, (uint64_t)kind);
    if (lt_schema_create(rt, &s, &e) || lt_schema_add(s, "x", LEAT_NUMBER, LEAT_ROLE_FEATURE, width, 1, &e)) fail_msg("%s", e.message);
    for (int64_t r = 0; r < N; r++) {
      for (int64_t k = 0; k < K; k++) {
        double u = ((double)k + lt_rng_unit(&rng)) / K;
        index[r * K + k] = (int32_t)((double)width * u * u * u);
        if (k && index[r * K + k] <= index[r * K + k - 1]) index[r * K + k] = index[r * K + k - 1] + 1;
        value[r * K + k] = kind & 1 ? (float)lt_rng_normal(&rng) : 1;
      }
      start[r + 1] = start[r] + K;
    }
    lt_col col = {.dtype = LEAT_F32, .row_start = start, .index = index, .value = value};
    lt_rows v = {s, N, 0, &col, NULL};
    lt_gate *g = gate_good(rt, ""), *clean = gate_good(rt, "");
    if (lt_gate_bind(g, s, &e) || lt_gate_bind(clean, s, &e)) fail_msg("%s", e.message);
    for (int64_t r = 0; r < N; r++) {
      if (r >= 300 && r % 10 == 0) {
        float *x = &value[r * K + (int64_t)lt_rng_below(&rng, K)], old = *x;
        *x = r % 20 ? 1e3f : -1e6f;
        lt_gate_row(g, &v, r, 0, &w);
        *x = old;
        planted_rows++;
        caught += w.action == LT_HOLD && w.reason == LEAT_REASON_OUTLIER;
      }
      lt_gate_row(g, &v, r, 0, &w);
      others += w.action != LT_ADMIT;
      lt_gate_row(clean, &v, r, 0, &w);
    }
    assert_int_equal(caught, planted_rows);
    assert_int_equal(others, 0);
    gate_same(rt, g, clean, 0);
    lt_gate_free(g);
    lt_gate_free(clean);
    lt_schema_free(s);
  }
  leat_runtime_free(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(clean_sets), cmocka_unit_test(planted), cmocka_unit_test(sparse_planted)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
