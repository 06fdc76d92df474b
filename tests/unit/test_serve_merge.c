/* Whole tables: convert, merge (newer wins, shards), diff; rows with a live model; many readers at once; scoring. */
#include "serve_help.h"
#include <pthread.h>

static void build_with(leat_runtime *rt, const char *path, const char *const *pairs, uint64_t from, uint64_t to, uint64_t salt, int64_t created) {
  leat_params *p = help_params(rt, "table/write", pairs);
  leat_table_writer *w;
  OK(leat_params_set_i64(p, "created_ns", created, &help_err));
  OK(leat_table_writer_create(rt, path, p, NULL, &w, &help_err));
  help_add(w, 0, from, to, 1, salt);
  OK(leat_table_writer_finish(w, &help_err));
  leat_table_writer_free(w);
  leat_params_free(p);
}

static void test_convert(void **state) {
  (void)state;
  leat_runtime *rt = help_runtime(2);
  const char *s = help_path("c-s"), *h = help_path("c-h"), *back = help_path("c-b"), *direct = help_path("c-d");
  static const char *const sorted[] = {"layout", "sorted", NULL}, *const hash[] = {"layout", "hash", "memory_bytes", "1048576", NULL};
  leat_params *ps = help_params(rt, "table/write", sorted), *ph = help_params(rt, "table/write", hash);
  for (int kind = 0; kind < HELP_KINDS; kind++) {
    uint64_t n = kind == 3 ? 2000 : 40000;
    help_build(rt, s, sorted, kind, n, 2);
    help_build(rt, direct, hash, kind, n, 2);
    OK(leat_table_merge(rt, &s, 1, h, ph, &help_err));
    help_same_files(h, direct);
    OK(leat_table_merge(rt, &h, 1, back, ps, &help_err));
    help_same_files(s, back);
    OK(leat_table_merge(rt, &h, 1, h, NULL, &help_err)); /* onto itself, as it is */
    help_same_files(h, direct);
  }
  leat_params_free(ps);
  leat_params_free(ph);
  remove(s), remove(h), remove(back), remove(direct);
  leat_runtime_free(rt);
}

static void test_shards(void **state) {
  (void)state;
  leat_runtime *rt = help_runtime(2);
  static const char *const layouts[] = {"sorted", "hash"};
  for (int l = 0; l < 2; l++) {
    const char *whole = help_path("whole"), *merged = help_path("merged"), *part[5];
    const char *const pairs[] = {"layout", layouts[l], NULL};
    build_with(rt, whole, pairs, 0, 30000, 0, 7);
    for (int i = 0; i < 5; i++) {
      char number[8], name[16];
      snprintf(number, sizeof number, "%d", i);
      snprintf(name, sizeof name, "part%d", i);
      part[4 - i] = help_path(name);
      const char *const own[] = {"layout", layouts[l], "shard", number, "shards", "5", NULL};
      build_with(rt, part[4 - i], own, 0, 30000, 0, 7);
    }
    leat_params *p = help_params(rt, "table/write", pairs);
    OK(leat_table_merge(rt, part, 5, merged, p, &help_err));
    help_same_files(whole, merged);
    leat_params_free(p);
    remove(whole), remove(merged);
    for (int i = 0; i < 5; i++) remove(part[i]);
  }
  leat_runtime_free(rt);
}

typedef struct told { int64_t n[4]; } told;
static void tell(void *user, int64_t what, const void *key, uint64_t size, const float *a, const float *b) {
  told *t = user;
  assert_int_equal(size, 16);
  assert_non_null(key);
  assert_true((a != NULL) == (what != LEAT_TABLE_ADDED) && (b != NULL) == (what != LEAT_TABLE_REMOVED));
  if (a && b) assert_true(*a != *b);
  t->n[what]++;
}

static void test_newer_wins_and_diff(void **state) {
  (void)state;
  leat_runtime *rt = help_runtime(1);
  static const char *const sorted[] = {"layout", "sorted", NULL}, *const hash[] = {"layout", "hash", NULL};
  const char *const *how[] = {sorted, hash};
  for (int l = 0; l < 4; l++) {
    const char *old = help_path("old"), *fresh = help_path("new"), *both = help_path("both");
    build_with(rt, old, how[l & 1], 0, 6000, 0, 100);
    build_with(rt, fresh, how[l >> 1], 4000, 9000, 50, 200);
    const char *const paths[] = {fresh, old}; /* the time decides, not the order */
    for (int out = 0; out < 2; out++) {
      leat_params *p = help_params(rt, "table/write", how[out]);
      OK(leat_table_merge(rt, paths, 2, both, p, &help_err));
      leat_params_free(p);
      leat_table *t;
      leat_table_reader *r;
      OK(leat_table_open(rt, both, NULL, &t, &help_err));
      OK(leat_table_reader_create(t, 1 << 20, &r, &help_err));
      leat_table_info info = {.struct_size = sizeof info};
      OK(leat_table_get_info(t, &info, &help_err));
      assert_true(info.rows == 9000 && info.created_ns == 200);
      for (uint64_t i = 0; i < 9500; i++) {
        char key[1024];
        float v;
        int64_t found;
        uint64_t size = help_key(0, i, key);
        OK(leat_table_reader_get(r, key, size, &v, 1, &found, &help_err));
        assert_int_equal(found, i < 9000 ? LEAT_TABLE_HIT : LEAT_TABLE_MISS);
        if (i < 9000) assert_true(v == help_value(i < 4000 ? i : i + 50, 0));
      }
      leat_table_reader_free(r);
      leat_table_free(t);
    }
    leat_table *a, *b;
    leat_table_changes c = {.struct_size = sizeof c};
    told all = {{0}};
    OK(leat_table_open(rt, old, NULL, &a, &help_err));
    OK(leat_table_open(rt, fresh, NULL, &b, &help_err));
    OK(leat_table_diff(a, b, 0, tell, &all, &c, &help_err));
    assert_true(c.same == 0 && c.changed == 2000 && c.added == 3000 && c.removed == 4000);
    assert_true(all.n[LEAT_TABLE_CHANGED] == 2000 && all.n[LEAT_TABLE_ADDED] == 3000 && all.n[LEAT_TABLE_REMOVED] == 4000);
    double most = 0;
    for (uint64_t i = 4000; i < 6000; i++) {
      double d = fabs((double)help_value(i, 0) - (double)help_value(i + 50, 0));
      if (d > most) most = d;
    }
    assert_true(c.max_difference == most);
    OK(leat_table_diff(a, b, 2, NULL, NULL, &c, &help_err));
    assert_true(c.same == 2000 && c.changed == 0);
    OK(leat_table_diff(a, a, 0, NULL, NULL, &c, &help_err));
    assert_true(c.same == 6000 && c.changed + c.added + c.removed == 0);
    leat_table_free(a);
    leat_table_free(b);
    remove(old), remove(fresh), remove(both);
  }
  leat_runtime_free(rt);
}

/* ---- a model: scoring, and asking it for what the table does not have */
static const char csv_head[] = "id,age,charge,plan,churn\n";
static uint64_t csv_rows, csv_at, csv_row;
static char csv_line[256];
static int64_t csv_pull(void *user, void *buf, uint64_t cap) {
  (void)user;
  uint64_t used = 0;
  for (;;) {
    uint64_t n = strlen(csv_line + csv_at);
    if (n > cap - used) n = cap - used;
    memcpy((char *)buf + used, csv_line + csv_at, n);
    used += n;
    csv_at += n;
    if (csv_line[csv_at] || csv_row == csv_rows) return (int64_t)used;
    uint64_t m = help_mix(csv_row);
    snprintf(csv_line, sizeof csv_line, "c%llu,%llu,%.2f,%s,%s\n", (unsigned long long)csv_row, (unsigned long long)(m % 60 + 18),
             (double)(m >> 8 & 1023) / 10, m >> 20 & 1 ? "basic" : "full", (m % 60 + (m >> 40) % 40) > 50 ? "yes" : "no");
    csv_row++;
    csv_at = 0;
  }
}
static leat_dataset *csv_data(leat_runtime *rt, const leat_schema *s, uint64_t rows) {
  static const char *const pairs[] = {"target", "churn", "key", "id", "stream", "false", NULL};
  leat_params *p = help_params(rt, "reader/csv", pairs);
  leat_dataset *d;
  csv_rows = rows;
  csv_at = csv_row = 0;
  snprintf(csv_line, sizeof csv_line, "%s", csv_head);
  OK(leat_dataset_from_reader(rt, s, p, "rows", csv_pull, NULL, &d, &help_err));
  leat_params_free(p);
  return d;
}

static void test_score_and_ask(void **state) {
  (void)state;
  enum { ALL = 3000, KNOWN = 2000 };
  leat_runtime *rt = help_runtime(2);
  leat_dataset *all = csv_data(rt, NULL, ALL), *known;
  leat_params *mp;
  leat_trainer *tr;
  leat_model *m;
  leat_predictor *q;
  OK(leat_params_create(rt, "model/linear", &mp, &help_err));
  OK(leat_trainer_create(rt, mp, NULL, NULL, &tr, &help_err));
  OK(leat_trainer_set_data(tr, all, NULL, &help_err));
  OK(leat_trainer_fit(tr, &help_err));
  OK(leat_trainer_snapshot(tr, &m, &help_err));
  OK(leat_predictor_create(m, NULL, NULL, &q, &help_err));
  OK(leat_dataset_slice(all, 0, KNOWN, &known, &help_err));
  static float want[ALL], got[ALL];
  static int64_t found[ALL];
  leat_matrix out = {sizeof out, want, ALL, 1, 0, 0, LEAT_F32, 0};
  OK(leat_predictor_run_dataset(q, all, &out, &help_err));
  static const char *const layouts[] = {"sorted", "hash"};
  for (int l = 0; l < 2; l++) {
    const char *path = help_path("scored");
    const char *const pairs[] = {"layout", layouts[l], "default", "0.5", NULL};
    leat_params *p = help_params(rt, "table/write", pairs);
    leat_table_writer *w;
    leat_table *t;
    leat_table_reader *r;
    leat_schema *s;
    leat_batch *b;
    int64_t n;
    char checksum[64];
    uint64_t needed;
    OK(leat_table_writer_create(rt, path, p, m, &w, &help_err));
    OK(leat_dataset_rewind(known, &help_err));
    OK(leat_table_writer_score(w, known, NULL, &help_err));
    OK(leat_table_writer_finish(w, &help_err));
    leat_table_writer_free(w);
    OK(leat_table_open(rt, path, NULL, &t, &help_err));
    leat_table_info info = {.struct_size = sizeof info};
    OK(leat_table_get_info(t, &info, &help_err));
    OK(leat_model_get_text(m, "checksum", checksum, sizeof checksum, &needed, &help_err));
    assert_string_equal(info.model_checksum, checksum);
    assert_string_equal(info.value_names[0], "yes");
    assert_int_equal(info.rows, KNOWN);
    OK(leat_table_reader_create(t, 0, &r, &help_err));
    OK(leat_dataset_schema(all, &s, &help_err));
    OK(leat_batch_create(rt, s, &b, &help_err));
    OK(leat_dataset_rewind(all, &help_err));
    OK(leat_dataset_next(all, ALL, b, &n, &help_err));
    assert_int_equal(n, ALL);
    leat_matrix values = {sizeof values, got, ALL, 1, 0, 0, LEAT_F32, 0};
    OK(leat_table_reader_get_rows(r, b, q, &values, found, &help_err));
    for (int i = 0; i < ALL; i++) {
      assert_int_equal(found[i], i < KNOWN ? LEAT_TABLE_HIT : LEAT_TABLE_FALLBACK);
      assert_true(got[i] == want[i]);
    }
    OK(leat_table_reader_get_rows(r, b, NULL, &values, found, &help_err));
    for (int i = 0; i < ALL; i++) {
      assert_int_equal(found[i], i < KNOWN ? LEAT_TABLE_HIT : LEAT_TABLE_DEFAULT);
      assert_true(got[i] == (i < KNOWN ? want[i] : 0.5f));
    }
    leat_batch_free(b);
    leat_schema_free(s);
    leat_table_reader_free(r);
    leat_table_free(t);
    leat_params_free(p);
    remove(path);
  }
  leat_table_writer *w;
  OK(leat_table_writer_create(rt, help_path("none"), NULL, NULL, &w, &help_err));
  assert_int_equal(leat_table_writer_score(w, all, NULL, &help_err), LEAT_E_STATE);
  leat_table_writer_free(w);
  leat_predictor_free(q);
  leat_model_free(m);
  leat_trainer_free(tr);
  leat_params_free(mp);
  leat_dataset_free(known);
  leat_dataset_free(all);
  leat_runtime_free(rt);
}

/* ---- threads: all read one table, whose chunks nobody has verified yet */
static leat_table *shared;
static void *read_all(void *arg) {
  leat_table_reader *r = NULL;
  uint64_t wrong = 0, salt = (uint64_t)(uintptr_t)arg;
  if (leat_table_reader_create(shared, 1 << 16, &r, NULL)) return (void *)1;
  for (uint64_t k = 0; k < 20000; k++) {
    uint64_t i = help_mix(k + salt * 1000003) % 25000;
    char key[1024];
    float v;
    int64_t found;
    uint64_t size = help_key(0, i, key);
    leat_status st = k & 1 ? leat_table_get(shared, key, size, &v, 1, &found, NULL) : leat_table_reader_get(r, key, size, &v, 1, &found, NULL);
    wrong += st || found != (i < 20000 ? LEAT_TABLE_HIT : LEAT_TABLE_MISS) || (i < 20000 && v != help_value(i, 0));
  }
  leat_table_reader_free(r);
  return (void *)(uintptr_t)wrong;
}

static void test_many_readers(void **state) {
  (void)state;
  leat_runtime *rt = help_runtime(1);
  static const char *const hash[] = {"layout", "hash", NULL}, *const plain[] = {"compression", "none", NULL};
  const char *const *how[] = {hash, plain};
  for (int l = 0; l < 2; l++) {
    const char *path = help_path("shared");
    pthread_t thread[6];
    help_build(rt, path, how[l], 0, 20000, 1);
    OK(leat_table_open(rt, path, NULL, &shared, &help_err));
    for (uintptr_t i = 0; i < 6; i++) assert_int_equal(pthread_create(&thread[i], NULL, read_all, (void *)i), 0);
    for (int i = 0; i < 6; i++) {
      void *wrong;
      pthread_join(thread[i], &wrong);
      assert_null(wrong);
    }
    leat_table_free(shared);
    remove(path);
  }
  leat_runtime_free(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_convert),       cmocka_unit_test(test_shards),       cmocka_unit_test(test_newer_wins_and_diff),
      cmocka_unit_test(test_score_and_ask), cmocka_unit_test(test_many_readers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
