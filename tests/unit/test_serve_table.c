/* Tables: every key answers with its value, no other key does; ranges, readers, duplicates, defaults, staleness, the same
 * bytes whatever the order, memory and threads. */
#include "serve_help.h"

static void check_all(const leat_table *t, leat_table_reader *r, int kind, uint64_t n, uint64_t n_values) {
  char key[1024];
  float v[64], u[64];
  int64_t found;
  for (uint64_t i = 0; i < n + n / 4 + 3; i++) {
    uint64_t size = help_key(kind, i, key);
    OK(leat_table_reader_get(r, key, size, v, 64, &found, &help_err));
    assert_int_equal(found, i < n ? LEAT_TABLE_HIT : LEAT_TABLE_MISS);
    for (uint64_t k = 0; k < n_values; k++)
      if (i < n) assert_true(v[k] == help_value(i, k));
      else assert_true(isnan(v[k]));
    if (i % 37) continue; /* without a reader a packed block is slow */
    OK(leat_table_get(t, key, size, u, 64, &found, &help_err));
    assert_int_equal(found, i < n ? LEAT_TABLE_HIT : LEAT_TABLE_MISS);
    if (i < n) assert_memory_equal(u, v, n_values * sizeof *v);
    size--; /* a beginning of a key is another key */
    if (size && kind != 4 && kind != 1) {
      OK(leat_table_reader_get(r, key, size, v, 64, &found, &help_err));
      if (kind == 0) assert_int_equal(found, LEAT_TABLE_MISS);
    }
  }
}

static void check_many(const leat_table *t, int kind, uint64_t n, uint64_t n_values) {
  uint64_t m = n + 77, used = 0;
  char *keys = malloc(m * 1024);
  uint64_t *ends = malloc(m * sizeof *ends);
  float *v = malloc(m * n_values * sizeof *v);
  int64_t *found = malloc(m * sizeof *found);
  for (uint64_t i = 0; i < m; i++) {
    used += help_key(kind, i, keys + used);
    ends[i] = used;
  }
  leat_matrix out = {sizeof out, v, (int64_t)m, (int64_t)n_values, 1, (int64_t)m, LEAT_F32, 0}; /* by columns */
  OK(leat_table_get_many(t, keys, ends, m, &out, found, &help_err));
  for (uint64_t i = 0; i < m; i++) {
    assert_int_equal(found[i], i < n ? LEAT_TABLE_HIT : LEAT_TABLE_MISS);
    for (uint64_t k = 0; k < n_values && i < n; k++) assert_true(v[k * m + i] == help_value(i, k));
  }
  free(keys);
  free(ends);
  free(v);
  free(found);
}

static int key_before(const void *a, uint64_t an, const void *b, uint64_t bn) {
  int c = memcmp(a, b, an < bn ? an : bn);
  return c < 0 || (!c && an < bn);
}

/* The order of the keys, and that a range begins where it should: from every key, and from between them. */
static void check_scan(leat_table_reader *r, uint64_t n, uint64_t n_values) {
  char (*keys)[1024] = malloc((n + 1) * sizeof *keys);
  uint64_t *sizes = malloc((n + 1) * sizeof *sizes), got = 0, needed;
  float v[64];
  leat_status st;
  OK(leat_table_reader_seek(r, NULL, 0, &help_err));
  while ((st = leat_table_reader_next(r, keys[got], 1024, &sizes[got], v, 64, &help_err)) == LEAT_OK) {
    if (got) assert_true(key_before(keys[got - 1], sizes[got - 1], keys[got], sizes[got]));
    got++;
    assert_true(got <= n);
  }
  assert_int_equal(st, LEAT_E_NOT_FOUND);
  assert_int_equal(got, n);
  (void)n_values;
  char from[1100], key[1100];
  for (uint64_t i = 0; i < n; i += 1 + n / 300) {
    for (int how = 0; how < 3; how++) {
      uint64_t size = sizes[i], at = i;
      memcpy(from, keys[i], size);
      if (how == 1) from[size++] = 0; /* just above */
      if (how == 2) {
        if (size < 2) continue;
        size--; /* below */
      }
      while (at && !key_before(keys[at - 1], sizes[at - 1], from, size)) at--;
      while (at < n && key_before(keys[at], sizes[at], from, size)) at++;
      OK(leat_table_reader_seek(r, from, size, &help_err));
      for (uint64_t j = at; j < at + 40; j++) {
        st = leat_table_reader_next(r, key, 1100, &needed, v, 64, &help_err);
        if (j >= n) {
          assert_int_equal(st, LEAT_E_NOT_FOUND);
          break;
        }
        assert_int_equal(st, LEAT_OK);
        assert_int_equal(needed, sizes[j]);
        assert_memory_equal(key, keys[j], needed);
      }
    }
  }
  free(keys);
  free(sizes);
}

static void test_answers(void **state) {
  static const char *const how[][7] = {{"layout", "hash", NULL}, {"layout", "sorted", NULL},
                                       {"layout", "sorted", "compression", "none", NULL},
                                       {"layout", "sorted", "dictionary", "false", "block_bytes", "300", NULL}};
  static const uint64_t sizes[] = {0, 1, 2, 17, 1000, 20000};
  (void)state;
  leat_runtime *rt = help_runtime(2);
  const char *path = help_path("answers");
  for (int kind = 0; kind < HELP_KINDS; kind++)
    for (size_t h = 0; h < 4; h++)
      for (size_t s = 0; s < 6; s++) {
        uint64_t n = kind == 3 && sizes[s] > 1000 ? 2000 : sizes[s], n_values = kind == 1 ? 3 : 1;
        leat_table *t;
        leat_table_reader *r;
        leat_table_info info = {.struct_size = sizeof info};
        static const char *const map[] = {"map", "true", NULL};
        leat_params *p = help_params(rt, "table/read", s % 2 ? map : NULL);
        help_build(rt, path, how[h], kind, n, n_values);
        OK(leat_table_open(rt, path, p, &t, &help_err));
        OK(leat_table_get_info(t, &info, &help_err));
        assert_int_equal(info.rows, n);
        assert_int_equal(info.values, n_values);
        assert_int_equal(info.created_ns, 1000);
        assert_string_equal(info.layout, how[h][1]);
        OK(leat_table_reader_create(t, 1 << 18, &r, &help_err));
        leat_table_free(t);
        check_all(t, r, kind, n, n_values);
        check_many(t, kind, n, n_values);
        if (h) check_scan(r, n, n_values);
        leat_table_reader_free(r);
        leat_params_free(p);
      }
  remove(path);
  leat_runtime_free(rt);
}

static void test_same_bytes(void **state) {
  (void)state;
  static const char *const layouts[] = {"sorted", "hash"};
  for (int l = 0; l < 2; l++)
    for (int kind = 0; kind < 3; kind++) {
      const char *a = help_path("same-a"), *b = help_path("same-b");
      const char *const one[] = {"layout", layouts[l], NULL}, *const small[] = {"layout", layouts[l], "memory_bytes", "1048576", NULL};
      leat_runtime *rt = help_runtime(1), *rt2 = help_runtime(3);
      help_build(rt, a, one, kind, 60000, 2);
      /* another order, runs on disk, other threads, keys that come twice (the last counts) */
      leat_params *p = help_params(rt2, "table/write", small);
      leat_table_writer *w;
      OK(leat_params_set_i64(p, "values", 2, &help_err));
      OK(leat_params_set_i64(p, "created_ns", 1000, &help_err));
      OK(leat_table_writer_create(rt2, b, p, NULL, &w, &help_err));
      help_add(w, kind, 20000, 50000, 2, 99); /* wrong values first */
      help_add(w, kind, 0, 25000, 2, 5);
      help_add(w, kind, 30000, 60000, 2, 0);
      help_add(w, kind, 0, 30000, 2, 0);
      OK(leat_table_writer_finish(w, &help_err));
      assert_int_equal(leat_table_writer_finish(w, &help_err), LEAT_E_STATE);
      leat_table_writer_free(w);
      leat_params_free(p);
      help_same_files(a, b);
      remove(a);
      remove(b);
      leat_runtime_free(rt);
      leat_runtime_free(rt2);
    }
}

static void test_duplicates(void **state) {
  (void)state;
  leat_runtime *rt = help_runtime(1);
  const char *path = help_path("twice");
  static const char *const memory[] = {"268435456", "1048576"};
  for (int m = 0; m < 2; m++) {
    const char *const pairs[] = {"duplicates", "error", "memory_bytes", memory[m], NULL};
    leat_params *p = help_params(rt, "table/write", pairs);
    leat_table_writer *w;
    float v = 1;
    OK(leat_table_writer_create(rt, path, p, NULL, &w, &help_err));
    OK(leat_table_writer_add(w, "the same", 8, &v, 1, &help_err));
    help_add(w, 0, 0, 60000, 1, 0);
    OK(leat_table_writer_add(w, "the same", 8, &v, 1, &help_err));
    assert_int_equal(leat_table_writer_finish(w, &help_err), LEAT_E_DATA);
    assert_non_null(strstr(help_err.message, "the same"));
    leat_table_writer_free(w);
    leat_params_free(p);
    assert_int_equal(access(path, F_OK), -1);
  }
  /* very many of one key: every other sort would be quadratic */
  leat_table_writer *w;
  leat_table *t;
  int64_t found;
  float v = 0;
  OK(leat_table_writer_create(rt, path, NULL, NULL, &w, &help_err));
  for (int i = 0; i < 300000; i++) {
    v = (float)i;
    OK(leat_table_writer_add(w, "one and only, with a long name", 30, &v, 1, &help_err));
  }
  OK(leat_table_writer_finish(w, &help_err));
  leat_table_writer_free(w);
  OK(leat_table_open(rt, path, NULL, &t, &help_err));
  OK(leat_table_get(t, "one and only, with a long name", 30, &v, 1, &found, &help_err));
  assert_true(found == LEAT_TABLE_HIT && v == 299999);
  leat_table_free(t);
  remove(path);
  leat_runtime_free(rt);
}

static int64_t fake_time;
static int64_t fake_now(void *user) { (void)user; return fake_time; }

static void test_default_and_stale(void **state) {
  (void)state;
  leat_clock clock = {sizeof clock, NULL, fake_now, fake_now};
  leat_runtime_opts o = {.struct_size = sizeof o, .clock = &clock, .n_threads = 1};
  leat_runtime *rt;
  OK(leat_runtime_create(&o, &rt, &help_err));
  static const char *const layouts[] = {"sorted", "hash"};
  for (int l = 0; l < 2; l++) {
    const char *const pairs[] = {"layout", layouts[l], "default", "0.25,-1", "names", "stay,go", "values", "2", "valid_until_ns", "5000", NULL};
    leat_params *p = help_params(rt, "table/write", pairs);
    leat_table_writer *w;
    leat_table *t;
    const char *path = help_path("stale");
    float v[2] = {1, 2};
    int64_t found;
    leat_table_info info = {.struct_size = sizeof info};
    fake_time = 4000;
    OK(leat_table_writer_create(rt, path, p, NULL, &w, &help_err));
    OK(leat_table_writer_add(w, "k", 1, v, 2, &help_err));
    assert_int_equal(leat_table_writer_add(w, "k", 1, v, 1, &help_err), LEAT_E_SHAPE);
    assert_int_equal(leat_table_writer_add(w, "k", 0, v, 2, &help_err), LEAT_E_ARG);
    OK(leat_table_writer_finish(w, &help_err));
    leat_table_writer_free(w);
    OK(leat_table_open(rt, path, NULL, &t, &help_err));
    OK(leat_table_get_info(t, &info, &help_err));
    assert_int_equal(info.created_ns, 4000);
    assert_int_equal(info.valid_until_ns, 5000);
    assert_string_equal(info.value_names[0], "stay");
    assert_string_equal(info.value_names[1], "go");
    assert_true(info.default_values[1] == -1);
    OK(leat_table_get(t, "k", 1, v, 2, &found, &help_err));
    assert_int_equal(found, LEAT_TABLE_HIT);
    OK(leat_table_get(t, "other", 5, v, 2, &found, &help_err));
    assert_true(found == LEAT_TABLE_DEFAULT && v[0] == 0.25f && v[1] == -1);
    assert_int_equal(leat_table_get(t, "k", 1, v, 1, &found, &help_err), LEAT_E_CAPACITY);
    fake_time = 5001;
    OK(leat_table_get(t, "k", 1, v, 2, &found, &help_err));
    assert_true(found == LEAT_TABLE_STALE && v[0] == 1 && v[1] == 2);
    leat_table_free(t);
    leat_params_free(p);
    remove(path);
  }
  leat_runtime_free(rt);
}

static void test_numbers_as_keys(void **state) {
  (void)state;
  leat_runtime *rt = help_runtime(2);
  static const char *const layouts[] = {"sorted", "hash"};
  for (int l = 0; l < 2; l++) {
    const char *const pairs[] = {"layout", layouts[l], "key_type", "u64", NULL};
    leat_params *p = help_params(rt, "table/write", pairs);
    leat_table_writer *w;
    leat_table *t;
    leat_table_reader *r;
    const char *path = help_path("u64");
    OK(leat_table_writer_create(rt, path, p, NULL, &w, &help_err));
    for (uint64_t i = 5000; i-- > 0;) {
      uint64_t key = i * i * i;
      float v = help_value(i, 0);
      OK(leat_table_writer_add(w, &key, 8, &v, 1, &help_err));
    }
    assert_int_equal(leat_table_writer_add(w, "abc", 3, &(float){0}, 1, &help_err), LEAT_E_ARG);
    OK(leat_table_writer_finish(w, &help_err));
    leat_table_writer_free(w);
    OK(leat_table_open(rt, path, NULL, &t, &help_err));
    OK(leat_table_reader_create(t, 0, &r, &help_err));
    uint64_t keys[5001], got, needed;
    float v[5001];
    int64_t found[5001];
    for (uint64_t i = 0; i < 5001; i++) keys[i] = i * i * i;
    leat_matrix out = {sizeof out, v, 5001, 1, 0, 0, LEAT_F32, 0};
    OK(leat_table_get_many(t, keys, NULL, 5001, &out, found, &help_err));
    for (uint64_t i = 0; i < 5000; i++) assert_true(found[i] == LEAT_TABLE_HIT && v[i] == help_value(i, 0));
    assert_int_equal(found[5000], LEAT_TABLE_MISS);
    if (!l) { /* the order is that of numbers */
      uint64_t from = 28;
      OK(leat_table_reader_seek(r, &from, 8, &help_err));
      for (uint64_t i = 4; i < 5000; i++) {
        OK(leat_table_reader_next(r, &got, 8, &needed, v, 1, &help_err));
        assert_true(got == i * i * i && needed == 8 && v[0] == help_value(i, 0));
      }
      assert_int_equal(leat_table_reader_next(r, &got, 8, &needed, v, 1, &help_err), LEAT_E_NOT_FOUND);
    } else
      assert_int_equal(leat_table_reader_seek(r, keys, 8, &help_err), LEAT_E_UNSUPPORTED);
    leat_table_reader_free(r);
    leat_table_free(t);
    leat_params_free(p);
    remove(path);
  }
  leat_runtime_free(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_answers),        cmocka_unit_test(test_same_bytes),
      cmocka_unit_test(test_duplicates),     cmocka_unit_test(test_default_and_stale),
      cmocka_unit_test(test_numbers_as_keys),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
