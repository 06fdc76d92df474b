/* Dataset files: what was written is read in every way there is, with every damage noticed; files that lie behind right
 * checksums get an error. `test_data_ldat make` writes the golden file. */
#include <unistd.h>

#include "base/sealed_inner.h"
#include "data_kit.h"
#include "data/ldat.h"

enum { ROWS = 203 };
static leat_runtime *rt;
static const char *golden = "tests/golden/dataset-v1.ldat";

#define OK(call)                                                              \
  do {                                                                        \
    leat_error e_ = {.struct_size = sizeof e_};                               \
    leat_error *err = &e_;                                                    \
    if (call) fail_msg("%s:%d: %s", __FILE__, __LINE__, e_.message);          \
  } while (0)

static const char *temp(const char *name) {
  static char path[4][256];
  static int at;
  const char *folder = getenv("TMPDIR");
  at = (at + 1) % 4;
  snprintf(path[at], sizeof path[at], "%s/leat-ldat-%ld-%s", folder ? folder : "/tmp", (long)getpid(), name);
  return path[at];
}

/* Every kind and role of column, with missing fields. */
static char *mixed_csv(int rows) {
  char *text = malloc((size_t)rows * 200 + 200), *p = text;
  p += sprintf(p, "id,num,cat,flag,when,words,w,y\n");
  for (int i = 0; i < rows; i++) {
    p += sprintf(p, "k%04d,", i);
    p += i % 11 == 3 ? sprintf(p, ",") : sprintf(p, "%.17g,", i * 0.1 - 7);
    p += i % 13 == 5 ? sprintf(p, ",") : sprintf(p, "label-%d,", i % 5);
    p += i % 17 == 6 ? sprintf(p, ",") : sprintf(p, "%s,", i % 3 ? "true" : "false");
    p += i % 19 == 7 ? sprintf(p, ",") : sprintf(p, "2024-01-%02d 10:%02d:00,", i % 28 + 1, i % 60);
    p += i % 23 == 8 ? sprintf(p, ",") : sprintf(p, "some words here number %d and more of %d,", i, i * i);
    p += sprintf(p, "%d.5,%s\n", i % 4 + 1, i % 7 < 3 ? "yes" : "no");
  }
  return text;
}

static leat_dataset *mixed(int rows) {
  char *text = mixed_csv(rows);
  leat_dataset *d = kit_good(rt, "target=y key=id weight=w text=words", text);
  free(text);
  return d;
}

static leat_dataset *sparse(int rows) {
  char *text = malloc((size_t)rows * 100 + 1), *p = text;
  for (int i = 0; i < rows; i++) {
    p += sprintf(p, "%d", i % 3 ? 1 : -1);
    for (int k = 1; k <= i % 6; k++) p += sprintf(p, " %d:%g", k * (i % 9 + 1), k % 2 ? 1.0 : 0.25 * i);
    p += sprintf(p, "\n");
  }
  leat_error e;
  leat_dataset *d = kit_read_bytes(rt, NULL, "reader/svmlight", NULL, text, strlen(text), &e);
  if (!d) fail_msg("%s", e.message);
  free(text);
  return d;
}

static void save(leat_dataset *d, const char *path, const char *set) {
  leat_params *p = kit_params(rt, "dataset/save", set);
  int64_t rows = 0;
  OK(leat_dataset_rewind(d, err));
  OK(leat_dataset_save(d, path, p, &rows, err));
  assert_int_equal(rows, lt_dataset_rows(d));
  leat_params_free(p);
}

static leat_dataset *reopen(const leat_schema *s, const char *path, const char *set) {
  leat_params *p = kit_params(rt, "reader/ldat", set);
  leat_dataset *d = NULL;
  OK(leat_dataset_open(rt, s, path, p, &d, err));
  leat_params_free(p);
  return d;
}

static uint8_t *load(const char *path, uint64_t *size) {
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  fseek(f, 0, SEEK_END);
  *size = (uint64_t)ftell(f);
  rewind(f);
  uint8_t *data = malloc(*size + 1);
  assert_int_equal(fread(data, 1, *size, f), *size);
  fclose(f);
  return data;
}

/* The sum of all that the rows hold, read by next in steps. */
static uint64_t walk(leat_dataset *d, int64_t step, int64_t *rows) {
  leat_batch *b = NULL;
  int64_t got = 1;
  uint64_t h = 0;
  lt_put w;
  lt_put_init(&w, rt);
  *rows = 0;
  OK(lt_batch_create(rt, d->schema, &b, err));
  while (got) {
    OK(leat_dataset_next(d, step, b, &got, err));
    lt_rows view;
    lt_batch_rows(b, &view);
    assert_int_equal(view.n, got);
    for (int64_t r = 0; r < got; r++)
      for (int64_t i = 0; i < d->schema->n; i++) {
        w.size = 0;
        if (d->schema->col[i].sparse) {
          for (int64_t k = view.col[i].row_start[r]; k < view.col[i].row_start[r + 1]; k++) {
            lt_put_u32(&w, (uint32_t)view.col[i].index[k]);
            lt_put_f32(&w, view.col[i].value ? view.col[i].value[k] : 1.0f);
          }
        } else {
          OK(lt_rows_text(&view, r, i, &w, err));
        }
        h = lt_hash64(w.data, w.size, h + 1);
      }
    *rows += got;
  }
  lt_put_free(&w);
  lt_batch_free(b);
  return h;
}

static void same(leat_dataset *want, leat_dataset *got) {
  int64_t n, m;
  assert_true(lt_schema_equal(want->schema, got->schema));
  assert_int_equal(lt_dataset_rows(want), lt_dataset_rows(got));
  assert_int_equal(kit_sum(want), kit_sum(got));
  OK(leat_dataset_rewind(want, err));
  uint64_t h = walk(want, 100, &n);
  static const int64_t steps[] = {1, 3, 16, 64, 1000};
  for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
    OK(leat_dataset_rewind(got, err));
    assert_int_equal(walk(got, steps[k], &m), h);
    assert_int_equal(m, n);
  }
}

static void test_round_trip(void **state) {
  (void)state;
  static const char *const how[] = {NULL, "codec=zstd", "block_rows=16", "block_rows=7 codec=zstd", "block_rows=203"};
  static const char *const ways[] = {NULL, "map=1", "stream=1", "stream=1 map=1"};
  const char *path = temp("trip.ldat");
  for (int kind = 0; kind < 2; kind++) {
    leat_dataset *d = kind ? sparse(ROWS) : mixed(ROWS);
    for (size_t h = 0; h < sizeof how / sizeof *how; h++) {
      save(d, path, how[h]);
      for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        leat_dataset *r = reopen(NULL, path, ways[w]);
        same(d, r);
        leat_dataset_free(r);
      }
      uint64_t size;
      uint8_t *bytes = load(path, &size);
      leat_error e;
      leat_dataset *r = kit_read_bytes(rt, NULL, "reader/ldat", "stream=1", (char *)bytes, size, &e);
      assert_non_null(r);
      same(d, r);
      leat_dataset_free(r);
      free(bytes);
    }
    leat_dataset_free(d);
  }
  remove(path);
}

static void test_parts(void **state) {
  (void)state;
  static const int64_t pick[] = {202, 0, 17, 16, 15, 101, 101, 3, 202};
  const char *path = temp("parts.ldat");
  for (int kind = 0; kind < 2; kind++) {
    leat_dataset *d = kind ? sparse(ROWS) : mixed(ROWS), *a, *b;
    save(d, path, "block_rows=16");
    leat_dataset *r = reopen(NULL, path, "stream=1");
    OK(leat_dataset_slice(d, 13, 100, &a, err));
    OK(leat_dataset_slice(r, 13, 100, &b, err));
    same(a, b);
    leat_dataset_free(a);
    leat_dataset_free(b);
    OK(leat_dataset_take(d, pick, 9, &a, err));
    OK(leat_dataset_take(r, pick, 9, &b, err));
    leat_dataset_free(r); /* its parts keep what they need */
    same(a, b);
    leat_dataset_free(a);
    leat_dataset_free(b);
    leat_dataset_free(d);
  }
  remove(path);
}

/* Rows that a batch was lent are copied before they are changed, and stay when the dataset goes. */
static void test_lent(void **state) {
  (void)state;
  const char *path = temp("lent.ldat");
  leat_dataset *d = mixed(ROWS);
  save(d, path, "block_rows=50");
  leat_dataset *r = reopen(NULL, path, "stream=1");
  leat_batch *b = NULL;
  int64_t got, rows;
  char buf[64];
  uint64_t needed;
  OK(lt_batch_create(rt, r->schema, &b, err));
  OK(leat_dataset_next(r, 50, b, &got, err));
  assert_true(got == 50 && b->lent);
  lt_rows view;
  lt_batch_rows(b, &view);
  assert_non_null(view.side);
  assert_int_equal(view.side->position, 0);
  leat_dataset_free(r);
  OK(leat_batch_add_bad(b, LEAT_REASON_PARSE, -1, "junk", 4, err));
  OK(leat_batch_rows(b, &rows, err));
  assert_true(rows == 51 && !b->lent);
  OK(leat_batch_text(b, 49, 0, buf, sizeof buf, &needed, err));
  assert_string_equal(buf, "k0049");
  OK(leat_batch_text(b, 50, 1, buf, sizeof buf, &needed, err));
  assert_string_equal(buf, "");
  OK(leat_batch_text(b, 2, 1, buf, sizeof buf, &needed, err));
  assert_string_equal(buf, kit_field(d, 2, "num"));
  lt_batch_free(b);
  leat_dataset_free(d);
  remove(path);
}

/* A model's schema: other labels, other order, columns that are not there. */
static void test_schema(void **state) {
  (void)state;
  const char *path = temp("schema.ldat");
  leat_dataset *d = kit_good(rt, "target=y", "x,c,y\n1,red,no\n2,blue,yes\n3,green,no\n4,red,yes\n");
  leat_dataset *m = kit_good(rt, "target=y", "c,y,x\nblue,yes,1\nred,no,2\nviolet,maybe,3\n");
  leat_dataset *n = kit_good(rt, "target=y", "c,z,y\nblue,1,yes\nred,2,no\n");
  leat_dataset *k = kit_good(rt, "target=y", "x,c,y\n1,10,yes\n2,20,no\n");
  save(d, path, NULL);
  leat_dataset *r = reopen(m->schema, path, NULL);
  assert_true(lt_schema_equal(r->schema, m->schema));
  static const char *const c[] = {"red", "blue", "", "red"}, *const y[] = {"no", "yes", "no", "yes"};
  for (int i = 0; i < 4; i++) {
    assert_string_equal(kit_field(r, i, "c"), c[i]); /* green is unseen: shown as nothing */
    assert_string_equal(kit_field(r, i, "y"), y[i]);
  }
  leat_dataset_free(r);
  r = reopen(m->schema, path, "grow=1 stream=1");
  assert_true(lt_schema_extends(r->schema, m->schema));
  assert_string_equal(kit_field(r, 2, "c"), "green");
  leat_dataset_free(r);
  leat_error e = {.struct_size = sizeof e};
  r = NULL;
  assert_int_equal(leat_dataset_open(rt, n->schema, path, NULL, &r, &e), LEAT_E_NOT_FOUND);
  assert_non_null(strstr(e.message, "'z'"));
  assert_int_equal(leat_dataset_open(rt, k->schema, path, NULL, &r, &e), LEAT_E_UNSUPPORTED);
  assert_non_null(strstr(e.message, "column 'c' is a category"));
  /* roles by parameters */
  r = reopen(NULL, path, "target=x ignore=c");
  assert_int_equal(kit_column(r, "x")->role, LEAT_ROLE_TARGET);
  assert_int_equal(kit_column(r, "y")->role, LEAT_ROLE_IGNORE);
  assert_int_equal(kit_column(r, "c")->role, LEAT_ROLE_IGNORE);
  leat_dataset_free(r);
  leat_params *p = kit_params(rt, "reader/ldat", "target=yy");
  assert_int_equal(leat_dataset_open(rt, NULL, path, p, &r, &e), LEAT_E_NOT_FOUND);
  leat_params_free(p);
  leat_dataset_free(d);
  leat_dataset_free(m);
  leat_dataset_free(n);
  leat_dataset_free(k);
  remove(path);
}

/* A sparse block that is wider than the model's loses what the model does not have. */
static void test_narrow(void **state) {
  (void)state;
  const char *path = temp("narrow.ldat");
  leat_error e;
  const char *wide = "1 1:2 5:3 9:4\n-1 2:1\n1 9:9\n", *small = "1 1:1\n-1 5:1\n";
  leat_dataset *d = kit_read_bytes(rt, NULL, "reader/svmlight", NULL, wide, strlen(wide), &e);
  leat_dataset *m = kit_read_bytes(rt, NULL, "reader/svmlight", NULL, small, strlen(small), &e);
  leat_dataset *want = kit_read_bytes(rt, m->schema, "reader/svmlight", NULL, wide, strlen(wide), &e);
  save(d, path, NULL);
  leat_dataset *r = reopen(m->schema, path, NULL);
  int64_t rows = 0, more = 0;
  uint64_t sum = walk(r, 10, &rows);
  assert_int_equal(rows, 3);
  assert_true(sum == walk(want, 10, &more));
  leat_dataset_free(want);
  leat_dataset_free(r);
  leat_dataset_free(d);
  leat_dataset_free(m);
  remove(path);
}

/* Reads all of it in both ways; the first error. */
static leat_status use(leat_runtime *host, const uint8_t *data, uint64_t size, uint64_t *sum) {
  leat_params *p = kit_params(host, "reader/ldat", NULL);
  kit_text t = {(const char *)data, size, 0, 0};
  leat_dataset *d = NULL;
  leat_batch *b = NULL;
  int64_t got = 1;
  leat_status st = leat_dataset_from_reader(host, NULL, p, "lies.ldat", kit_pull, &t, &d, NULL);
  leat_params_free(p);
  if (st) return st;
  st = lt_dataset_checksum(d, sum, NULL);
  if (!st) st = lt_batch_create(host, d->schema, &b, NULL);
  while (!st && got) {
    st = lt_dataset_next(d, 37, b, &got, NULL);
    lt_rows rows;
    lt_put w;
    lt_put_init(&w, host);
    lt_batch_rows(b, &rows);
    for (int64_t r = 0; !st && r < rows.n; r++)
      for (int64_t i = 0; i < d->schema->n; i++)
        if (d->schema->col[i].width == 1 && !d->schema->col[i].sparse) (void)lt_rows_text(&rows, r, i, &w, NULL);
    lt_put_free(&w);
  }
  lt_batch_free(b);
  leat_dataset_free(d);
  return st;
}

static void test_damage(void **state) {
  (void)state;
  const char *path = temp("damage.ldat");
  for (int kind = 0; kind < 4; kind++) {
    leat_dataset *d = kind % 2 ? sparse(40) : mixed(40);
    save(d, path, kind < 2 ? "block_rows=16" : "block_rows=16 codec=zstd");
    uint64_t size, sum = 0;
    uint8_t *data = load(path, &size);
    assert_int_equal(use(rt, data, size, &sum), 0);
    assert_int_equal(sum, kit_sum(d));
    for (uint64_t i = 0; i < size; i++) { /* every byte is covered */
      data[i] ^= (uint8_t)(1u << i % 8);
      if (use(rt, data, size, &sum) == 0) fail_msg("kind %d: a change of byte %llu of %llu is not noticed", kind, (unsigned long long)i, (unsigned long long)size);
      data[i] ^= (uint8_t)(1u << i % 8);
    }
    for (uint64_t i = 0; i < size; i += 3) assert_true(use(rt, data, i, &sum) != 0);
    free(data);
    leat_dataset_free(d);
  }
  remove(path);
}

static uint64_t get64(const uint8_t *p) {
  uint64_t v = 0;
  for (int i = 8; i-- > 0;) v = v << 8 | p[i];
  return v;
}

/* All checksums made right again, so that only the parsers stand between a lie and its reader. */
static void seal_again(uint8_t *p, uint64_t size) {
  uint64_t at[4], n[4];
  uint8_t both[16];
  for (int i = 0; i < 4; i++) {
    at[i] = get64(p + 64 + 64 * i + 24);
    n[i] = get64(p + 64 + 64 * i + 32);
    if (at[i] > size || n[i] > size - at[i]) return;
  }
  for (uint64_t k = 0; k + 1 <= n[1] / LT_LDAT_ENTRY; k++) {
    uint8_t *e = p + at[1] + k * LT_LDAT_ENTRY;
    uint64_t from = get64(e), stored = get64(e + 8);
    if (from <= n[0] && stored <= n[0] - from) lt_seal_store(e + 40, lt_ldat_sum(p + at[0] + from, stored, (int64_t)k));
  }
  for (int i = 0; i < 4; i++) {
    uint64_t sum[2];
    lt_hash128(p + at[i], n[i], sum);
    lt_seal_store(p + 64 + 64 * i + 48, sum[0]);
    lt_seal_store(p + 64 + 64 * i + 56, sum[1]);
  }
  lt_seal_store(both, lt_hash64(p, 56, 0));
  lt_seal_store(both + 8, lt_hash64(p + 64, 256, 0));
  lt_seal_store(p + 56, lt_hash64(both, 16, 0));
}

/* Edits behind right checksums: an error or rows that can be used, within the budget; mutations of counts mostly. */
static void test_lies(void **state) {
  (void)state;
  leat_runtime_opts o = {.struct_size = sizeof o, .n_threads = 1, .load_budget_bytes = 1 << 20};
  leat_runtime *host = NULL;
  OK(leat_runtime_create(&o, &host, err));
  const char *path = temp("lies.ldat");
  const char *more = getenv("LEAT_SOAK");
  int tries = more ? 200000 : 4000, good = 0, bad = 0;
  uint64_t random = 88172645463325252ull;
  for (int kind = 0; kind < 4; kind++) {
    leat_dataset *d = kind % 2 ? sparse(40) : mixed(40);
    save(d, path, kind < 2 ? "block_rows=16" : "block_rows=16 codec=zstd");
    uint64_t size, sum;
    uint8_t *data = load(path, &size), *copy = malloc(size);
    for (int t = 0; t < tries; t++) {
      memcpy(copy, data, size);
      for (int k = 0; k < 1 + t % 3; k++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        uint64_t section = random % 4, at = get64(data + 64 + 64 * section + 24), n = get64(data + 64 + 64 * section + 32);
        uint64_t i = at + (random >> 8) % n;
        static const uint8_t values[] = {0, 1, 2, 127, 128, 255};
        copy[i] = random >> 40 & 1 ? values[(random >> 41) % 6] : (uint8_t)(random >> 44);
        if (random >> 52 & 1) memset(copy + (i & ~7ull), random >> 53 & 1 ? 255 : 0, i + 8 < size ? 8 : 1);
      }
      seal_again(copy, size);
      if (use(host, copy, size, &sum)) bad++;
      else good++;
    }
    free(data);
    free(copy);
    leat_dataset_free(d);
  }
  int64_t peak = 0;
  OK(leat_runtime_stat(host, "bytes_peak", &peak, err));
  assert_true(peak < 8 << 20);
  assert_true(good > 0 && bad > 0);
  kit_balanced(host);
  remove(path);
}

static void test_refused(void **state) {
  (void)state;
  leat_error e = {.struct_size = sizeof e};
  leat_dataset *d = mixed(ROWS), *r = NULL;
  const char *path = temp("refused.ldat");
  assert_int_equal(leat_dataset_save(d, "/nowhere/at/all.ldat", NULL, NULL, &e), LEAT_E_IO);
  save(d, path, NULL);
  uint64_t sum = kit_sum(d);
  int64_t got = 1, rows = 7;
  leat_batch *b = NULL;
  OK(lt_batch_create(rt, d->schema, &b, err));
  OK(leat_dataset_rewind(d, err));
  while (got) OK(leat_dataset_next(d, 1000, b, &got, err));
  lt_batch_free(b);
  assert_int_equal(leat_dataset_save(d, path, NULL, &rows, &e), LEAT_E_DATA); /* no rows are left: the old file stays */
  assert_int_equal(rows, 0);
  r = reopen(NULL, path, NULL);
  assert_int_equal(kit_sum(r), sum);
  leat_dataset_free(r);
  leat_params *p = kit_params(rt, "reader/ldat", NULL);
  assert_int_equal(leat_dataset_save(d, path, p, NULL, &e), LEAT_E_ARG);
  leat_params_free(p);
  assert_int_equal(leat_dataset_open(rt, NULL, "tests/golden/model-linear-v1.leat", p = kit_params(rt, "reader/ldat", NULL), &r, &e), LEAT_E_FORMAT);
  assert_non_null(strstr(e.message, "kind 'MODL'"));
  leat_params_free(p);
  leat_dataset_free(d);
  remove(path);
}

static void test_golden(void **state) {
  (void)state;
  leat_dataset *d = mixed(60), *r = NULL;
  OK(leat_dataset_open(rt, NULL, golden, NULL, &r, err));
  same(d, r);
  leat_dataset_free(r);
  leat_dataset_free(d);
}

int main(int argc, char **argv) {
  rt = kit_runtime(2);
  if (argc > 1 && strcmp(argv[1], "make") == 0) {
    leat_dataset *d = mixed(60);
    save(d, golden, "block_rows=16 codec=zstd");
    leat_dataset_free(d);
    kit_balanced(rt);
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip), cmocka_unit_test(test_parts),  cmocka_unit_test(test_lent),
      cmocka_unit_test(test_schema),     cmocka_unit_test(test_narrow), cmocka_unit_test(test_damage),
      cmocka_unit_test(test_lies),       cmocka_unit_test(test_refused), cmocka_unit_test(test_golden),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  kit_balanced(rt);
  return failed;
}
