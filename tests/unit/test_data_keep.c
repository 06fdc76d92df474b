#define _POSIX_C_SOURCE 200809L /* posix_memalign */
/* Reader parameters errors=keep, raw and grow. */
#include "data_kit.h"

typedef struct kept { leat_dataset *d; leat_batch *all; lt_rows rows; } kept;

/* All rows in one batch, through leat_dataset_next. */
static kept read_kept(leat_runtime *rt, const char *spec, const char *set, const char *text, uint64_t size, int64_t step) {
  leat_error e = {.struct_size = sizeof e};
  kept k = {0};
  leat_params *p = kit_params(rt, spec, set);
  kit_text t = {text, size, 0, 997};
  leat_batch *b = NULL;
  if (leat_dataset_from_reader(rt, NULL, p, "k", kit_pull, &t, &k.d, &e)) fail_msg("%s: %s", set, e.message);
  leat_params_free(p);
  lt_batch_create(rt, k.d->schema, &k.all, &e);
  lt_batch_create(rt, k.d->schema, &b, &e);
  for (int64_t got = 1; got;) {
    if (leat_dataset_next(k.d, step, b, &got, &e)) fail_msg("%s: %s", set, e.message);
    lt_rows part;
    lt_batch_rows(b, &part);
    assert_int_equal(part.n, got);
    if (lt_batch_take_schema(k.all, b->schema, &e) || lt_batch_append(k.all, &part, 0, got, &e)) fail_msg("%s", e.message);
  }
  lt_batch_free(b);
  lt_batch_rows(k.all, &k.rows);
  return k;
}

static void drop(kept *k) {
  leat_dataset_free(k->d);
  lt_batch_free(k->all);
}

static int32_t reason_of(const kept *k, int64_t r) { return k->rows.side && k->rows.side->reason ? k->rows.side->reason[r] : 0; }
static int32_t column_of(const kept *k, int64_t r) { return k->rows.side && k->rows.side->column ? k->rows.side->column[r] : -1; }

static void same_text(const char *a, uint64_t n, const char *b, uint64_t m, int64_t r) {
  if (n != m || (n && memcmp(a, b, n))) fail_msg("row %lld: '%.*s', wanted '%.*s'", (long long)r, (int)n, a, (int)m, b);
}

static void raw_is(const kept *k, int64_t r, const char *want) {
  uint64_t n = 0;
  const char *s = "";
  if (k->rows.side && k->rows.side->raw_end) {
    uint64_t from = k->rows.side->raw_end[r - 1];
    n = k->rows.side->raw_end[r] - from;
    s = k->rows.side->raw + from;
  }
  same_text(s, n, want, strlen(want), r);
}

/* The same rows with the same things beside them. */
static void same_kept(const kept *a, const kept *b) {
  assert_int_equal(a->rows.n, b->rows.n);
  for (int64_t r = 0; r < a->rows.n; r++) {
    assert_int_equal(reason_of(a, r), reason_of(b, r));
    assert_int_equal(column_of(a, r), column_of(b, r));
    int ra = a->rows.side && a->rows.side->raw_end, rb = b->rows.side && b->rows.side->raw_end;
    assert_int_equal(ra, rb);
    if (ra)
      same_text(a->rows.side->raw + a->rows.side->raw_end[r - 1], a->rows.side->raw_end[r] - a->rows.side->raw_end[r - 1],
                b->rows.side->raw + b->rows.side->raw_end[r - 1], b->rows.side->raw_end[r] - b->rows.side->raw_end[r - 1], r);
  }
  leat_dataset *x = NULL, *y = NULL;
  leat_error e = {.struct_size = sizeof e};
  leat_batch *c = NULL, *d = NULL;
  lt_batch_create(a->all->rt, a->all->schema, &c, &e);
  lt_batch_create(b->all->rt, b->all->schema, &d, &e);
  lt_batch_append(c, &a->rows, 0, a->rows.n, &e);
  lt_batch_append(d, &b->rows, 0, b->rows.n, &e);
  assert_int_equal(lt_dataset_of(c, &x, &e), 0);
  assert_int_equal(lt_dataset_of(d, &y, &e), 0);
  assert_true(kit_sum(x) == kit_sum(y));
  leat_dataset_free(x);
  leat_dataset_free(y);
}

/* At once and as a stream, by one thread and three, in pieces of any size: the same. */
static kept read_all_ways(leat_runtime *rt, leat_runtime *three, const char *spec, const char *set, const char *text,
                          uint64_t size) {
  kept first = read_kept(rt, spec, set, text, size, 1 << 20);
  static const char *const ways[] = {"piece_bytes=1024", "piece_bytes=7", "stream=1", "stream=1 piece_bytes=512 chunk_rows=1000000",
                                     "stream=1 piece_bytes=33 chunk_rows=1000000"};
  for (int w = 0; w < 5; w++) {
    char all[512];
    snprintf(all, sizeof all, "%s %s", set, ways[w]);
    kept k = read_kept(w & 1 ? rt : three, spec, all, text, size, w & 1 ? 3 : 1000);
    same_kept(&first, &k);
    drop(&k);
  }
  return first;
}

typedef struct want { int32_t reason, column; const char *raw; } want;

static void check_rows(const kept *k, const want *w, int64_t n) {
  assert_int_equal(k->rows.n, n);
  for (int64_t r = 0; r < n; r++) {
    if (reason_of(k, r) != w[r].reason || column_of(k, r) != (w[r].reason ? w[r].column : -1))
      fail_msg("row %lld: reason %d column %d, wanted %d, %d", (long long)r, reason_of(k, r), column_of(k, r), w[r].reason,
               w[r].column);
    raw_is(k, r, w[r].raw);
    for (int64_t i = 0; w[r].reason && i < k->rows.schema->n; i++) {
      uint64_t len = 0;
      lt_col_text(&k->rows.col[i], r, &len);
      assert_true(!len);
      if (!lt_column_is_text(&k->rows.schema->col[i]) && !k->rows.schema->col[i].sparse)
        assert_true(isnan(lt_col_number(&k->rows.schema->col[i], &k->rows.col[i], r, 0)));
    }
  }
}

static void csv_reasons(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1), *three = kit_runtime(3);
  char text[8192];
  int n = sprintf(text, "n,c,b,t,w,s,y\n");
  for (int i = 0; i < 30; i++) n += sprintf(text + n, "%d.5,L%d,true,2020-01-%02d,1,text %d is here,%d.25\n", i, i % 3, 1 + i % 28, i, i);
  static const want w[] = {
      {202, 0, "x,L0,true,2020-01-01,1,t,1"},
      {300, 0, "inf,L0,true,2020-01-01,1,t,1"},
      {300, 0, "-1e999,L0,true,2020-01-01,1,t,1"},
      {0, 0, "nan,,,,1,,"}, /* missing is missing */
      {202, 2, "1,new label,maybe,2020-01-01,1,t,1"},
      {202, 3, "1,L0,true,yesterday,1,t,1"},
      {500, 4, "1,L0,true,2020-01-01,-1,t,1"},
      {500, 4, "1,L0,true,2020-01-01,,t,1"},
      {500, 4, "1,L0,true,2020-01-01,x,t,1"},
      {402, 6, "1,L0,true,2020-01-01,1,t,high"},
      {402, 6, "1,L0,true,2020-01-01,1,t,inf"},
      {100, -1, "1,L0"},
      {100, -1, "1,L0,true,2020-01-01,1,t,1,2"},
      {100, -1, "\"1,L0,true,2020-01-01,1,t,1"},
      {100, -1, "1,\"L0\" x,true,2020-01-01,1,t,1"},
      {0, 0, "1,\"L,0\",true,2020-01-01,1,\"two \"\"\nlines\",1"},
      {202, 0, "z,L9,true,2020-01-01,1,\"two\nlines\",1"},
      {100, -1, "  1,\"L0,true,2020-01-01,1,t,1  "},
      {0, 0, "2,L0,true,2020-01-01,1,\"t\",1"},
  };
  int64_t m = sizeof w / sizeof *w;
  for (int64_t i = 0; i < m; i++) n += sprintf(text + n, "%s%s", w[i].raw, i % 2 ? "\n\n" : "\r\n");
  for (int raw = 0; raw < 2; raw++) {
    kept k = read_all_ways(rt, three, "reader/csv", raw ? "target=y weight=w text=s errors=keep raw=1" : "target=y weight=w text=s errors=keep",
                           text, (uint64_t)n);
    want all[64];
    char lines[30][80];
    for (int i = 0; i < 30; i++) {
      snprintf(lines[i], sizeof lines[i], "%d.5,L%d,true,2020-01-%02d,1,text %d is here,%d.25", i, i % 3, 1 + i % 28, i, i);
      all[i] = (want){0, -1, raw ? lines[i] : ""};
    }
    for (int64_t i = 0; i < m; i++) all[30 + i] = (want){w[i].reason, w[i].column, raw || w[i].reason ? w[i].raw : ""};
    check_rows(&k, all, 30 + m);
    int64_t c = 1;
    assert_int_equal(lt_dict_count(k.rows.schema->col[c].labels), 4); /* none of bad records, but "L,0" */
    assert_true(k.rows.schema->col[0].kind == LEAT_NUMBER && k.rows.schema->col[6].kind == LEAT_NUMBER);
    assert_string_equal(k.rows.side->source, "k");
    assert_int_equal(k.rows.side->position, 0);
    uint64_t len;
    const char *t = lt_col_text(&k.rows.col[5], 45, &len);
    same_text(t, len, "two \"\nlines", 11, 45);
    t = lt_col_text(&k.rows.col[5], 48, &len);
    same_text(t, len, "t", 1, 48);
    drop(&k);
  }
  /* without errors=keep all of it is what it was */
  leat_error e;
  assert_null(kit_read_bytes(rt, NULL, "reader/csv", "target=y", text, (uint64_t)n, &e));
  assert_int_equal(e.code, LEAT_E_DATA);
  leat_runtime_free(three);
  kit_balanced(rt);
}

static void svm_reasons(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1), *three = kit_runtime(3);
  static const want w[] = {
      {0, 0, "1 1:2 3:1 # comment"},
      {402, 0, "good 1:1"},
      {402, 0, "inf 1:1"},
      {203, 2, "1 3:1 2:1"},
      {203, 2, "1 3:1 3:1"},
      {203, 2, "-1 99999999999:1"},
      {203, 2, "-1 0:1"},
      {202, 2, "1 2:x 3:1"},
      {300, 2, "1 2:inf"},
      {300, 2, "1 2:1e300"},
      {0, 0, "1 2:nan 7:1"},
      {100, -1, "1 2"},
      {100, -1, "1 a:1"},
      {202, 1, "1 qid:x 2:1"},
      {0, 0, "-1 qid:3 9:4"},
      {0, 0, "2:1 5:1"}, /* no label */
      {0, 0, "1"},
      {100, -1, "1 :1"},
      {0, 0, "-1 4:0.5"},
  };
  char text[4096];
  int n = 0;
  int64_t m = sizeof w / sizeof *w;
  for (int64_t i = 0; i < m; i++) n += sprintf(text + n, "%s%s", w[i].raw, i % 3 ? "\n" : "\n# nothing\n \n");
  for (int raw = 0; raw < 2; raw++) {
    want all[32];
    for (int64_t i = 0; i < m; i++) all[i] = (want){w[i].reason, w[i].column, raw || w[i].reason ? w[i].raw : ""};
    kept k = read_all_ways(rt, three, "reader/svmlight", raw ? "errors=keep raw=1 index=1" : "errors=keep index=1", text, (uint64_t)n);
    check_rows(&k, all, m);
    assert_int_equal(k.rows.schema->col[2].width, 9);
    static const int64_t entries[] = {2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 2, 0, 0, 1};
    for (int64_t r = 0; r < m; r++) assert_int_equal(k.rows.col[2].row_start[r + 1] - k.rows.col[2].row_start[r], entries[r]);
    assert_true(lt_col_number(&k.rows.schema->col[2], &k.rows.col[2], 18, 3) == 0.5);
    assert_true(isnan(lt_rows_target(&k.rows, 0, 15)) && lt_rows_target(&k.rows, 0, 18) == 0);
    drop(&k);
  }
  leat_runtime_free(three);
  kit_balanced(rt);
}

/* Every line of the text is a record: the raw bytes are the file's lines. */
static void raw_lines(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1), *three = kit_runtime(3);
  char *text = malloc(1 << 20);
  uint64_t n = (uint64_t)sprintf(text, "a,b,y\n"), head = n;
  for (int i = 0; i < 4000; i++)
    n += (uint64_t)sprintf(text + n, i % 97 == 5 ? "%d,\"open,%d\n" : i % 61 == 7 ? "%d;%d\n" : "%d.5,\"L%d\",1.5\n", i, i % 7);
  kept k = read_all_ways(rt, three, "reader/csv", "target=y errors=keep raw=1 header=yes", text, n);
  assert_int_equal(k.rows.n, 4000);
  const char *p = text + head;
  for (int64_t r = 0; r < 4000; r++) {
    const char *e = memchr(p, '\n', (uint64_t)(text + n - p));
    uint64_t from = k.rows.side->raw_end[r - 1];
    same_text(k.rows.side->raw + from, k.rows.side->raw_end[r] - from, p, (uint64_t)(e - p), r);
    assert_int_equal(reason_of(&k, r), r % 97 == 5 || r % 61 == 7 ? 100 : 0);
    p = e + 1;
  }
  drop(&k);
  free(text);
  leat_runtime_free(three);
  kit_balanced(rt);
}

static void quotes(void **state) { /* a quoted field over many lines is one; one that does not end takes its line with it */
  (void)state;
  leat_runtime *rt = kit_runtime(1), *three = kit_runtime(3);
  char *text = malloc(1 << 20);
  for (int k = 0; k < 4; k++) {
    int lines = k == 0 ? 500 : k == 1 ? 4000 : 20000; /* 20000 lines of 5 bytes: beyond the bound */
    uint64_t n = (uint64_t)sprintf(text, "a,b,y\n1,x,2\n2,\"");
    uint64_t start = n - 3;
    for (int i = 0; i < lines; i++) n += (uint64_t)sprintf(text + n, k == 3 && i % 2 ? "\n\n\n\n\n" : "q\"\"q\n");
    uint64_t behind = n;
    n += (uint64_t)sprintf(text + n, "\",7\n3,y,4\n4,z,5\n");
    kept r = read_all_ways(rt, three, "reader/csv", "target=y task=regression text=b errors=keep raw=1 header=yes delimiter=comma", text, n);
    if (k < 2) {
      assert_int_equal(r.rows.n, 4);
      uint64_t len, from = r.rows.side->raw_end[0];
      lt_col_text(&r.rows.col[1], 1, &len);
      assert_int_equal(len, (uint64_t)lines * 4);
      same_text(r.rows.side->raw + from, r.rows.side->raw_end[1] - from, text + start, behind + 3 - start, 1);
    } else {
      assert_int_equal(reason_of(&r, 1), LEAT_REASON_PARSE);
      raw_is(&r, 1, "2,\"q\"\"q");
      assert_int_equal(reason_of(&r, 2), LEAT_REASON_PARSE);
      assert_int_equal(r.rows.n, 1 + (k == 3 ? lines / 2 : lines) + 3);
      assert_int_equal(reason_of(&r, r.rows.n - 1), 0);
      assert_true(lt_rows_target(&r.rows, 2, r.rows.n - 1) == 5);
    }
    drop(&r);
  }
  free(text);
  leat_runtime_free(three);
  kit_balanced(rt);
}

static void edges(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1), *three = kit_runtime(3);
  leat_error e;
  assert_null(kit_csv(rt, "errors=keep", "", &e));
  assert_int_equal(e.code, LEAT_E_DATA);
  assert_null(kit_csv(rt, "errors=keep stream=1", "", &e));
  assert_null(kit_read_bytes(rt, NULL, "reader/svmlight", "errors=keep", "", 0, &e));
  /* only bad records */
  static const char bad[] = "a,b\n1\n\"2\n3,4,5\n";
  kept k = read_all_ways(rt, three, "reader/csv", "errors=keep header=yes", bad, sizeof bad - 1);
  check_rows(&k, (want[]){{100, -1, "1"}, {100, -1, "\"2"}, {100, -1, "3,4,5"}}, 3);
  drop(&k);
  k = read_all_ways(rt, three, "reader/svmlight", "errors=keep", "x\ny 1\n", 6);
  check_rows(&k, (want[]){{402, 0, "x"}, {402, 0, "y 1"}}, 2);
  drop(&k);
  /* a bad first one: too few fields, a broken quote */
  static const char first[] = "1,2\n3,4,5\n6,7,8\n9,10,11\n";
  k = read_all_ways(rt, three, "reader/csv", "errors=keep header=no target=-1 task=regression", first, sizeof first - 1);
  check_rows(&k, (want[]){{100, -1, "1,2"}, {0, 0, ""}, {0, 0, ""}, {0, 0, ""}}, 4);
  assert_int_equal(k.rows.schema->n, 3);
  drop(&k);
  static const char open[] = "\"1,2,3\n3,4,5\n6,7,8\n";
  k = read_all_ways(rt, three, "reader/csv", "errors=keep target=-1 task=regression delimiter=comma", open, sizeof open - 1);
  check_rows(&k, (want[]){{100, -1, "\"1,2,3"}, {0, 0, ""}, {0, 0, ""}}, 3);
  drop(&k);
  /* junk does not change what a column is, a NUL is a bad record */
  char text[4096];
  int n = sprintf(text, "n,b,y\n");
  for (int i = 0; i < 40; i++) n += sprintf(text + n, i == 11 ? "o%d,true,%d\n" : i == 22 ? "%d,no,%d\n" : i == 33 ? "%d,true,x%d\n" : "%d.5,false,%d.5\n", i, i);
  n += (int)(memcpy(text + n, "1,tr\0ue,1\n2,true,2\n", 19), 19);
  k = read_all_ways(rt, three, "reader/csv", "errors=keep target=y", text, (uint64_t)n);
  assert_true(k.rows.schema->col[0].kind == LEAT_NUMBER && k.rows.schema->col[1].kind == LEAT_BOOL &&
              k.rows.schema->col[2].kind == LEAT_NUMBER);
  assert_int_equal(reason_of(&k, 11), 202);
  assert_int_equal(reason_of(&k, 22), 202);
  assert_int_equal(reason_of(&k, 33), 402);
  assert_int_equal(reason_of(&k, 40), 100);
  assert_int_equal(reason_of(&k, 41), 0);
  drop(&k);
  leat_runtime_free(three);
  kit_balanced(rt);
}

static void too_long(void **state) { /* a line of 9 MB, held in part only */
  (void)state;
  leat_runtime *rt = kit_runtime(1), *three = kit_runtime(3);
  uint64_t n = 0;
  char *text = malloc(24 << 20);
  for (int svm = 0; svm < 2; svm++) {
    n = (uint64_t)sprintf(text, svm ? "1 1:1\n0 2:1\n" : "a,y\n1,2\n3,4\n");
    uint64_t start = n;
    n += (uint64_t)sprintf(text + n, svm ? "1 " : "1,");
    memset(text + n, svm ? ' ' : '7', 9 << 20);
    n += 9 << 20;
    n += (uint64_t)sprintf(text + n, svm ? "\n1 2:1\n" : "\n5,6\n");
    uint64_t second = n;
    memset(text + n, svm ? '3' : '"', (1 << 20) + 1);
    n += (1 << 20) + 1;
    for (int last = 0; last < 2; last++) {
      uint64_t size = n;
      if (!last) text[size++] = '\n';
      kept all = read_kept(three, svm ? "reader/svmlight" : "reader/csv", "errors=keep", text, size, 100);
      for (int w = 0; w < 2; w++) {
        kept k = read_kept(w ? three : rt, svm ? "reader/svmlight" : "reader/csv",
                           w ? "errors=keep stream=1 piece_bytes=1000" : "errors=keep stream=1", text, size, 2);
        same_kept(&all, &k);
        drop(&k);
      }
      assert_int_equal(all.rows.n, 5);
      assert_int_equal(reason_of(&all, 2), LEAT_REASON_TOO_LONG);
      assert_int_equal(reason_of(&all, 3), 0);
      assert_int_equal(reason_of(&all, 4), LEAT_REASON_TOO_LONG);
      uint64_t from = all.rows.side->raw_end[1];
      assert_int_equal(all.rows.side->raw_end[2] - from, 1 << 16);
      assert_memory_equal(all.rows.side->raw + from, text + start, 1 << 16);
      assert_memory_equal(all.rows.side->raw + all.rows.side->raw_end[3], text + second, 1 << 16);
      drop(&all);
    }
  }
  free(text);
  leat_runtime_free(three);
  kit_balanced(rt);
}

/* ---- growing labels */

static void grown_labels(void **state) {
  (void)state;
  leat_runtime *rt = kit_runtime(1), *three = kit_runtime(3);
  leat_error e = {.struct_size = sizeof e};
  char *text = malloc(16 << 20);
  uint64_t n = (uint64_t)sprintf(text, "c,n,d,y\n");
  for (int i = 0; i < 150000; i++) {
    if (i % 5000 == 4999) n += (uint64_t)sprintf(text + n, "bad%d,junk,K1,worse%d\n", i, i);
    else
      n += (uint64_t)sprintf(text + n, "L%d,%d.5,\"K\"\"%d\",%s\n", i < 110000 ? 9 - i % 4 : 20 - i / 3000 % 19, i,
                             i > 120000 ? i / 10000 : 0, i == 140001 ? "side" : i % 2 ? "up" : "down");
  }
  kept k = read_kept(rt, "reader/csv", "target=y stream=1 grow=1 errors=keep chunk_rows=100", text, n, 50000);
  const leat_schema *s = k.rows.schema;
  assert_int_equal(k.rows.n, 150000);
  assert_int_equal(lt_schema_classes(s), 3);
  assert_string_equal(lt_dict_text(s->col[3].labels, 0, NULL), "down"); /* the window's, sorted */
  assert_string_equal(lt_dict_text(s->col[3].labels, 2, NULL), "side");
  assert_string_equal(lt_dict_text(s->col[0].labels, 0, NULL), "L6");
  for (int64_t i = 0; i < lt_dict_count(s->col[0].labels); i++) assert_true(lt_dict_text(s->col[0].labels, i, NULL)[0] == 'L');
  for (int64_t r = 0; r < 150000; r++) { /* every label is what the file says */
    int bad = r % 5000 == 4999;
    assert_int_equal(reason_of(&k, r), bad ? LEAT_REASON_TYPE : 0);
    if (bad) continue;
    char label[32];
    snprintf(label, sizeof label, "L%lld", (long long)(r < 110000 ? 9 - r % 4 : 20 - r / 3000 % 19));
    double code = lt_col_number(&s->col[0], &k.rows.col[0], r, 0);
    if (!(code >= 0)) fail_msg("row %lld: code %g", (long long)r, code);
    assert_string_equal(lt_dict_text(s->col[0].labels, (int64_t)code, NULL), label);
    snprintf(label, sizeof label, "K\"%lld", (long long)(r > 120000 ? r / 10000 : 0));
    assert_string_equal(lt_dict_text(s->col[2].labels, (int64_t)lt_col_number(&s->col[2], &k.rows.col[2], r, 0), NULL), label);
  }
  /* any threads, pieces, steps: the same codes */
  static const char *const ways[] = {"piece_bytes=4096", "piece_bytes=100000", "raw=1"};
  for (int w = 0; w < 3; w++) {
    char set[256];
    snprintf(set, sizeof set, "target=y stream=1 grow=1 errors=keep chunk_rows=100 %s", ways[w]);
    kept o = read_kept(three, "reader/csv", set, text, n, 777);
    if (w < 2) same_kept(&k, &o);
    else assert_true(lt_schema_equal(o.rows.schema, k.rows.schema));
    drop(&o);
  }
  drop(&k);
  /* a batch of the first schema takes on what has come up; one that knows nothing of it is refused by none */
  kit_text t = {text, n, 0, 0};
  leat_params *p = kit_params(rt, "reader/csv", "target=y stream=1 grow=1 errors=keep chunk_rows=100");
  leat_dataset *d = NULL;
  leat_schema *first = NULL, *now = NULL;
  leat_batch *a = NULL, *b = NULL;
  int64_t got = 1, before = 0;
  assert_int_equal(leat_dataset_from_reader(rt, NULL, p, "g", kit_pull, &t, &d, &e), 0);
  assert_int_equal(leat_dataset_schema(d, &first, &e), 0);
  assert_int_equal(leat_batch_create(rt, first, &a, &e), 0);
  assert_int_equal(leat_batch_create(rt, first, &b, &e), 0);
  for (int i = 0; got; i++) {
    leat_batch *x = i % 2 ? a : b;
    assert_int_equal(leat_dataset_next(d, 20000, x, &got, &e), 0);
    assert_true(lt_dict_count(lt_batch_schema(x)->col[0].labels) >= before);
    before = lt_dict_count(lt_batch_schema(x)->col[0].labels);
    if (!got) break;
    assert_int_equal(leat_dataset_schema(d, &now, &e), 0);
    assert_true(lt_schema_equal(now, lt_batch_schema(x)));
    assert_true(lt_schema_extends(now, first));
    leat_schema_free(now);
  }
  leat_schema_free(first);
  leat_batch_free(a);
  leat_batch_free(b);
  leat_dataset_free(d);
  leat_params_free(p);
  free(text);
  leat_runtime_free(three);
  kit_balanced(rt);
}

static void grown_classes(void **state) { /* classes that are numbers; junk is none of them */
  (void)state;
  leat_runtime *rt = kit_runtime(2);
  char *text = malloc(8 << 20);
  for (int svm = 0; svm < 2; svm++) {
    uint64_t n = svm ? 0 : (uint64_t)sprintf(text, "n,y\n");
    for (int i = 0; i < 300000; i++) {
      char y[16];
      snprintf(y, sizeof y, i == 299000 ? "+7" : i == 299500 ? "seven" : "%d", i % 2);
      n += (uint64_t)(svm ? sprintf(text + n, "%s %d:1.5\n", y, 1 + i % 90 + (i == 299999 ? 1000000 : 0)) : sprintf(text + n, "%d.25,%s\n", i, y));
    }
    kept k = read_kept(rt, svm ? "reader/svmlight" : "reader/csv", svm ? "stream=1 grow=1 errors=keep chunk_rows=10" : "target=y stream=1 grow=1 errors=keep chunk_rows=10",
                       text, n, 60000);
    int64_t c = svm ? 0 : 1;
    const lt_column *y = &k.rows.schema->col[c];
    assert_int_equal(lt_dict_count(y->labels), 3);
    assert_string_equal(lt_dict_text(y->labels, 2, NULL), "7");
    assert_true(lt_rows_target(&k.rows, c, 299000) == 2 && lt_rows_target(&k.rows, c, 299001) == 1);
    assert_int_equal(reason_of(&k, 299500), LEAT_REASON_LABEL_INVALID);
    assert_int_equal(column_of(&k, 299500), c);
    if (svm) {
      assert_int_equal(k.rows.schema->col[1].width, 2147483647);
      assert_true(lt_col_number(&k.rows.schema->col[1], &k.rows.col[1], 299999, 299999 % 90 + 1000000) == 1.5);
    }
    drop(&k);
    if (!svm) continue;
    k = read_kept(rt, "reader/svmlight", "stream=1 errors=keep chunk_rows=10", text, n, 60000); /* without grow */
    assert_int_equal(reason_of(&k, 299999), LEAT_REASON_SHAPE);
    assert_true(isnan(lt_rows_target(&k.rows, 0, 299000)));
    drop(&k);
  }
  free(text);
  kit_balanced(rt);
}

/* ---- memory runs out */

typedef struct scarce { int64_t left, live; } scarce; /* left: how many blocks are given yet; live: how many are out */

static void *scarce_alloc(void *user, uint64_t size, uint64_t align) {
  scarce *s = user;
  void *p = NULL;
  if (s->left-- <= 0 || posix_memalign(&p, align < 16 ? 16 : align, size ? size : 1)) return NULL;
  s->live++;
  return p;
}

static void scarce_release(void *user, void *p, uint64_t size, uint64_t align) {
  (void)size, (void)align;
  if (!p) return;
  ((scarce *)user)->live--;
  free(p);
}

static leat_status scarce_life(leat_runtime *rt, const char *spec, const char *const *set, const char *text, leat_error *e) {
  leat_params *p = NULL;
  leat_dataset *d = NULL;
  leat_schema *s = NULL;
  leat_batch *b = NULL, *back = NULL;
  kit_text t = {text, strlen(text), 0, 0};
  int64_t got = 1;
  lt_put w;
  lt_put_init(&w, rt);
  leat_status st = leat_params_create(rt, spec, &p, e);
  for (; !st && *set; set += 2) st = leat_params_set_text(p, set[0], set[1], e);
  if (!st) st = leat_dataset_from_reader(rt, NULL, p, "m", kit_pull, &t, &d, e);
  if (!st) st = leat_dataset_schema(d, &s, e);
  if (!st) st = leat_batch_create(rt, s, &b, e);
  while (!st && got) {
    st = leat_dataset_next(d, 7, b, &got, e);
    if (!st && got == 3) st = lt_batch_add_bad(b, LEAT_REASON_USER, 0, "x", 1, e);
    if (st || !got) break;
    lt_rows v;
    lt_get g;
    lt_batch_rows(b, &v);
    w.size = 0;
    lt_batch_save(&v, &w);
    st = lt_put_status(&w, e);
    lt_get_init(&g, rt, w.data, w.size);
    if (!st) st = lt_batch_load(rt, lt_batch_schema(b), &g, &back, e);
    leat_batch_free(back);
    back = NULL;
  }
  lt_put_free(&w);
  leat_batch_free(b);
  leat_schema_free(s);
  leat_dataset_free(d);
  leat_params_free(p);
  return st;
}

static void no_memory(void **state) {
  (void)state;
  static const char *const specs[] = {"reader/csv", "reader/svmlight", "reader/ndjson"};
  static const char *const keep[] = {"errors", "keep", "raw", "1", "stream", "1", "grow", "1", "piece_bytes", "40", NULL};
  static const char *const whole[] = {"errors", "keep", "piece_bytes", "40", NULL};
  static const char *const texts[] = {
      "c,n,y\nL1,1,a\nL2,2,b\n\"q\"\"q\",3,b\nL1,x,new\nL3,4,c\n\"open,4,c\nL4,5,a\nL4,5,a\nL4,5,a\nL5,5,a\n",
      "1 1:1\n-1 2:1 3:0.5\n1 3:1 2:1\nx 1:1\n-1 7:1\n1 8:nan 9:2\n-1 1:1\n-1 1:1\n1 1:1\n-1 1:1\n",
      "{\"c\":\"a\\u00e9\",\"n\":1}\n{\"n\":2,\"c\":\"b\"}\n{\"n\":x}\n{\"n\":[],\"c\":\"d\"}\n{\"c\":\"e\\n\"}\n{\"c\":\"f\"}\n{\"c\":\"g\"}\n"};
  for (int k = 0; k < 6; k++) {
    leat_error e = {.struct_size = sizeof e};
    scarce m = {INT64_MAX, 0};
    leat_allocator table = {sizeof table, &m, scarce_alloc, NULL, scarce_release};
    leat_runtime_opts o = {.struct_size = sizeof o, .allocator = &table, .n_threads = 1};
    leat_runtime *rt = NULL;
    assert_int_equal(leat_runtime_create(&o, &rt, &e), 0);
    int64_t at_rest = m.live, limit = 0;
    leat_status st = LEAT_E_MEMORY;
    for (; st && limit < 3000; limit++) {
      m.left = limit;
      st = scarce_life(rt, specs[k % 3], k < 3 ? keep : whole, texts[k % 3], &e);
      if (st && st != LEAT_E_MEMORY) fail_msg("%s, %lld blocks: %s", specs[k % 3], (long long)limit, e.message);
      if (m.live > at_rest) fail_msg("%s, %lld blocks: %lld are lost", specs[k % 3], (long long)limit, (long long)(m.live - at_rest));
    }
    if (st) fail_msg("%s", e.message);
    assert_true(limit > 20);
    m.left = INT64_MAX;
    leat_runtime_free(rt);
    assert_int_equal(m.live, 0);
  }
}

/* Clean data as a learner reads it: no row is lost, and every label has a code. */
static void real_streams(void **state) {
  (void)state;
  static const char *const sets[][3] = {{"elec2.csv.zst", "reader/csv", "target=class"},
                                        {"airlines_allyears2k.csv.zst", "reader/csv", "target=IsArrDelayed"},
                                        {"spam_assassin_stream.libsvm.zst", "reader/svmlight", ""},
                                        {"sea_50k.csv.zst", "reader/csv", "target=class"},
                                        {"phishing_11k.csv.zst", "reader/csv", "target=target"}};
  const char *folder = getenv("LEAT_DATA_DIR");
  if (!folder) skip();
  leat_runtime *rt = kit_runtime(2);
  for (uint64_t k = 0; k < sizeof sets / sizeof *sets; k++) {
    leat_error e = {.struct_size = sizeof e};
    char path[512], set[256];
    snprintf(path, sizeof path, "%s/%s", folder, sets[k][0]);
    snprintf(set, sizeof set, "%s stream=1 errors=keep raw=1 grow=1", sets[k][2]);
    leat_params *p = kit_params(rt, sets[k][1], set);
    leat_dataset *d = NULL;
    leat_batch *b = NULL;
    int64_t got = 1, unseen = 0;
    if (leat_dataset_open(rt, NULL, path, p, &d, &e)) fail_msg("%s", e.message);
    lt_batch_create(rt, d->schema, &b, &e);
    while (got) {
      if (leat_dataset_next(d, 5000, b, &got, &e)) fail_msg("%s", e.message);
      lt_rows v;
      lt_batch_rows(b, &v);
      for (int64_t r = 0; r < got; r++) {
        if (v.side->reason && v.side->reason[r]) fail_msg("%s: row %lld is lost", sets[k][0], (long long)(v.side->position + r));
        assert_true(v.side->raw_end[r] > v.side->raw_end[r - 1]);
        for (int64_t i = 0; i < v.schema->n; i++)
          if (v.schema->col[i].labels && v.col[i].data) unseen += lt_col_number(&v.schema->col[i], &v.col[i], r, 0) < 0;
      }
    }
    assert_int_equal(unseen, 0);
    lt_batch_free(b);
    leat_dataset_free(d);
    leat_params_free(p);
  }
  kit_balanced(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(csv_reasons), cmocka_unit_test(svm_reasons),  cmocka_unit_test(raw_lines),
      cmocka_unit_test(quotes),      cmocka_unit_test(edges),        cmocka_unit_test(too_long),
      cmocka_unit_test(grown_labels), cmocka_unit_test(grown_classes),
      cmocka_unit_test(no_memory),   cmocka_unit_test(real_streams),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
