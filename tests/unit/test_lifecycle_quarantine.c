/* The quarantine: records with their rows, caps, marks, purging, readers beside the writer. */
#include "hosts.h"
#include "crash_host.h"
#include "lifecycle/quarantine_inner.h"

static leat_runtime *rt;
static int start(void **state) {
  leat_runtime_opts opts = {.struct_size = sizeof opts};
  (void)state;
  rt = host_runtime(&opts);
  return rt == NULL;
}
static int stop(void **state) {
  (void)state;
  lt_runtime_unref(rt);
  return 0;
}

static void ok(leat_status st, const leat_error *err) {
  if (st) fail_msg("%d: %s", (int)st, err->message);
}

/* number, label, text, flag, target */
static leat_batch *some_rows(leat_runtime *of, int64_t n) {
  leat_error err = {.struct_size = sizeof err};
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  ok(lt_schema_create(of, &s, &err), &err);
  ok(lt_schema_add(s, "x", LEAT_NUMBER, LEAT_ROLE_FEATURE, 1, 0, &err), &err);
  ok(lt_schema_add(s, "colour", LEAT_CATEGORY, LEAT_ROLE_FEATURE, 1, 0, &err), &err);
  ok(lt_schema_add(s, "note", LEAT_TEXT, LEAT_ROLE_FEATURE, 1, 0, &err), &err);
  ok(lt_schema_add(s, "flag", LEAT_BOOL, LEAT_ROLE_FEATURE, 1, 0, &err), &err);
  ok(lt_schema_add(s, "class", LEAT_CATEGORY, LEAT_ROLE_TARGET, 1, 0, &err), &err);
  static const char *const colours[] = {"red", "green", "blue, dark"};
  for (int i = 0; i < 3; i++) {
    int64_t code;
    ok(lt_dict_add(s->col[1].labels, colours[i], strlen(colours[i]), &code, &err), &err);
    if (i < 2) ok(lt_dict_add(s->col[4].labels, i ? "yes" : "no", i ? 3 : 2, &code, &err), &err);
  }
  ok(lt_batch_create(of, s, &b, &err), &err);
  for (int64_t i = 0; i < n; i++) {
    char x[32], note[64];
    snprintf(x, sizeof x, "%lld.5", (long long)i);
    snprintf(note, sizeof note, "secret-%lld \"%c\"", (long long)i, (char)('a' + i % 26));
    const char *fields[] = {i % 7 == 6 ? "" : x, i % 5 == 4 ? "" : colours[i % 3], note, i % 2 ? "true" : "false", i % 3 ? "no" : "yes"};
    ok(lt_batch_add_text(b, fields, 5, &err), &err);
  }
  lt_schema_free(s);
  return b;
}

static lt_held held(int64_t id, int32_t reason) {
  return (lt_held){.id = id, .reason = reason, .column = 0, .position = id * 10, .time_ns = 5, .row = id, .source = "elec2.csv",
                   .column_name = "x", .detail = "x = 1000, 61 deviations from 0.058"};
}

static void check_row(lt_quarantine *look, int64_t i, const lt_rows *rows) {
  leat_error err = {.struct_size = sizeof err};
  leat_batch *one;
  lt_rows back;
  ok(lt_quarantine_row(look, i, &one, &err), &err);
  lt_batch_rows(one, &back);
  assert_int_equal(back.n, 1);
  lt_put t, u;
  lt_put_init(&t, rt);
  lt_put_init(&u, rt);
  for (int64_t c = 0; c < 5; c++) {
    t.size = u.size = 0;
    ok(lt_rows_text(rows, i, c, &t, &err), &err);
    ok(lt_rows_text(&back, 0, c, &u, &err), &err);
    assert_int_equal(t.size, u.size);
    if (t.size) assert_memory_equal(t.data, u.data, t.size);
  }
  lt_put_free(&t);
  lt_put_free(&u);
  lt_batch_free(one);
}

/* Records 1 .. 30 as test_round_trip holds them: all that there is to see of each. */
static void check_held(lt_quarantine *look, const lt_rows *rows) {
  leat_error err = {.struct_size = sizeof err};
  leat_batch *one;
  leat_held_info info = {.struct_size = sizeof info};
  int64_t cursor = 0;
  for (int64_t i = 1; i <= 30; i++) {
    char raw[200], want[200];
    uint64_t needed;
    ok(lt_quarantine_next(look, 0, &cursor, &info, &err), &err);
    assert_int_equal(info.id, i);
    assert_int_equal(info.position, i * 10);
    assert_int_equal(info.state, LEAT_HELD);
    assert_string_equal(info.source, "elec2.csv");
    assert_string_equal(info.column_name, "x");
    assert_string_equal(info.detail, "x = 1000, 61 deviations from 0.058");
    ok(lt_quarantine_raw(look, i, raw, sizeof raw, &needed, &err), &err);
    raw[needed] = 0;
    assert_int_equal(needed, info.raw_bytes);
    assert_int_equal(lt_quarantine_raw(look, i, raw, 3, &needed, &err), LEAT_E_CAPACITY);
    if (i % 3 == 0) {
      assert_memory_equal(raw, "a,\"b", 4);
      assert_int_equal(lt_quarantine_row(look, i, &one, &err), LEAT_E_UNSUPPORTED);
      continue;
    }
    char x[32] = "";
    if (i % 7 != 6) snprintf(x, sizeof x, "%lld.5", (long long)i);
    static const char *const colours[] = {"red", "green", "\"blue, dark\""};
    snprintf(want, sizeof want, "%s,%s,\"secret-%lld \"\"%c\"\"\",%s,%s", x, i % 5 == 4 ? "" : colours[i % 3], (long long)i,
             (char)('a' + i % 26), i % 2 ? "true" : "false", i % 3 ? "no" : "yes");
    raw[info.raw_bytes] = 0;
    assert_string_equal(raw, want);
    check_row(look, i, rows);
  }
  assert_int_equal(lt_quarantine_next(look, 0, &cursor, &info, &err), LEAT_E_NOT_FOUND);
}

static void test_round_trip(void **state) {
  (void)state;
  char folder[256];
  leat_error err = {.struct_size = sizeof err};
  lt_quarantine *q, *reader;
  leat_batch *b = some_rows(rt, 40), *one;
  lt_rows rows;
  leat_held_info info = {.struct_size = sizeof info};
  int64_t cursor = 0;
  host_folder(rt, folder);
  lt_batch_rows(b, &rows);
  ok(lt_quarantine_open(rt, folder, 1, NULL, &q, &err), &err);
  ok(lt_quarantine_open(rt, folder, 0, NULL, &reader, &err), &err);
  for (int64_t i = 1; i <= 30; i++) {
    lt_held h = held(i, i % 3 ? LEAT_REASON_OUTLIER : LEAT_REASON_PARSE);
    if (i % 3 == 0) h.raw = "a,\"b", h.raw_size = 4;
    ok(lt_quarantine_add(q, &h, i % 3 ? &rows : NULL, i, &err), &err);
    ok(lt_quarantine_add(q, &h, i % 3 ? &rows : NULL, i, &err), &err); /* ignored */
  }
  assert_int_equal(lt_quarantine_last_id(q), 30);
  assert_int_equal(lt_quarantine_count(q, 0), 30);
  assert_int_equal(lt_quarantine_count(q, LEAT_REASON_OUTLIER), 20);
  assert_int_equal(lt_quarantine_count(reader, 0), 0);
  ok(lt_quarantine_sync(q, &err), &err);
  ok(lt_quarantine_refresh(reader, &err), &err);
  assert_int_equal(lt_quarantine_count(reader, LEAT_REASON_PARSE), 10);
  for (int pass = 0; pass < 3; pass++) {
    lt_quarantine *look = pass ? q : reader;
    if (pass == 2) {
      lt_quarantine_close(q);
      ok(lt_quarantine_open(rt, folder, 1, NULL, &q, &err), &err);
      look = q;
    }
    check_held(look, &rows);
  }
  ok(lt_quarantine_mark(q, 4, 1, 7, &err), &err);
  ok(lt_quarantine_mark(q, 4, 1, 7, &err), &err);
  ok(lt_quarantine_mark(q, 5, 0, 7, &err), &err);
  ok(lt_quarantine_mark(q, 5, 0, 7, &err), &err);
  ok(lt_quarantine_mark(q, 5, 0, 8, &err), &err);
  ok(lt_quarantine_cut(q, 28, &err), &err);
  assert_int_equal(lt_quarantine_last_id(q), 28);
  int64_t purge[] = {7, 9, 8}, purged;
  ok(lt_quarantine_sync(q, &err), &err);
  ok(lt_quarantine_purge(q, purge, 3, &purged, &err), &err);
  assert_int_equal(purged, 3);
  for (int pass = 0; pass < 3; pass++) {
    lt_quarantine *look = pass ? q : reader;
    if (pass == 2) {
      lt_quarantine_close(q);
      ok(lt_quarantine_open(rt, folder, 1, NULL, &q, &err), &err);
      look = q;
    }
    ok(lt_quarantine_refresh(look, &err), &err);
    assert_int_equal(lt_quarantine_count(look, 0), 24);
    assert_int_equal(lt_quarantine_state(look, 4), LEAT_HELD_RELEASED);
    assert_int_equal(lt_quarantine_state(look, 7), 0);
    assert_int_equal(lt_quarantine_last_id(look), 28);
    cursor = 4;
    ok(lt_quarantine_next(look, 0, &cursor, &info, &err), &err);
    assert_int_equal(info.id, 5);
    assert_int_equal(info.replays, 2);
    assert_int_equal(lt_quarantine_row(look, 9, &one, &err), LEAT_E_NOT_FOUND);
  }
  lt_quarantine_close(reader);
  lt_quarantine_close(q);
  lt_batch_free(b);
  host_folder_end(rt, folder);
}

/* A sparse block, a column of times, a key, a target that is a number. */
static void test_sparse(void **state) {
  (void)state;
  char folder[256], raw[200];
  leat_error err = {.struct_size = sizeof err};
  lt_quarantine *q;
  leat_schema *s = NULL;
  leat_batch *b = NULL, *one;
  lt_rows rows, back;
  uint64_t needed;
  int64_t start_at[] = {0, 2, 2, 5};
  int32_t index[] = {1, 7, 0, 3, 99};
  float value[] = {.5f, -2, 1, 3, 4e-3f}, y[] = {1.5f, 2, -7};
  leat_csr x = {.struct_size = sizeof x, .rows = 3, .cols = 100, .row_start = start_at, .index = index, .value = value, .dtype = LEAT_F32};
  leat_matrix labels = {.struct_size = sizeof labels, .data = y, .dtype = LEAT_F32, .rows = 3, .cols = 1};
  host_folder(rt, folder);
  ok(lt_schema_create(rt, &s, &err), &err);
  ok(lt_schema_add(s, "f", LEAT_NUMBER, LEAT_ROLE_FEATURE, 100, 1, &err), &err);
  ok(lt_schema_add(s, "y", LEAT_NUMBER, LEAT_ROLE_TARGET, 1, 0, &err), &err);
  ok(lt_batch_create(rt, s, &b, &err), &err);
  ok(lt_batch_set_csr(b, &x, &err), &err);
  ok(lt_batch_set_labels(b, &labels, NULL, &err), &err);
  lt_batch_rows(b, &rows);
  ok(lt_quarantine_open(rt, folder, 1, NULL, &q, &err), &err);
  static const char *const want[] = {"1:0.5 7:-2,1.5", ",2", "0:1 3:3 99:0.004,-7"};
  for (int64_t i = 0; i < 3; i++) {
    lt_held h = held(i + 1, LEAT_REASON_OUTLIER);
    ok(lt_quarantine_add(q, &h, &rows, i, &err), &err);
    ok(lt_quarantine_raw(q, i + 1, raw, sizeof raw, &needed, &err), &err);
    raw[needed] = 0;
    assert_string_equal(raw, want[i]);
    ok(lt_quarantine_row(q, i + 1, &one, &err), &err);
    lt_batch_rows(one, &back);
    for (int64_t k = 0; k < 100; k++)
      assert_true(lt_col_number(&s->col[0], &rows.col[0], i, k) == lt_col_number(&s->col[0], &back.col[0], 0, k));
    assert_true(lt_col_number(&s->col[1], &back.col[1], 0, 0) == (double)y[i]);
    lt_batch_free(one);
  }
  assert_int_equal(q->segment[0].n_schemas, 1);
  lt_quarantine_close(q);
  lt_batch_free(b);
  lt_schema_free(s);
  host_folder_end(rt, folder);
}

static void test_reasons(void **state) {
  (void)state;
  assert_string_equal(lt_reason_name(LEAT_REASON_ROLLBACK_SUSPECT), "rollback_suspect");
  assert_string_equal(lt_reason_name(1), "unknown");
  assert_int_equal(lt_reason_find("outlier"), LEAT_REASON_OUTLIER);
  assert_int_equal(lt_reason_find("nothing"), 0);
  int64_t n = 0;
  while (lt_reason_at(n)) {
    assert_int_equal(lt_reason_find(lt_reason_name(lt_reason_at(n))), lt_reason_at(n));
    n++;
  }
  assert_int_equal(n, 18);
}


/* ---- limits */
static int64_t present(lt_quarantine *q, int32_t reason, int64_t *first) {
  leat_held_info info = {.struct_size = sizeof info};
  int64_t cursor = 0, n = 0;
  *first = 0;
  while (lt_quarantine_next(q, reason, &cursor, &info, NULL) == LEAT_OK) {
    if (!n++) *first = info.id;
  }
  assert_int_equal(n, lt_quarantine_count(q, reason));
  return n;
}

static void test_limits(void **state) {
  (void)state;
  char folder[256];
  leat_error err = {.struct_size = sizeof err};
  lt_quarantine *q;
  int64_t first;
  lt_quarantine_limits limits = {.bytes = 1 << 20, .records = 100, .reason_share = .25};
  host_folder(rt, folder);
  ok(lt_quarantine_open(rt, folder, 1, &limits, &q, &err), &err);
  int64_t id = 0;
  for (int i = 0; i < 40; i++) { /* more than 25 of a hundred */
    lt_held h = held(++id, LEAT_REASON_OUTLIER);
    h.raw = "raw", h.raw_size = 3;
    ok(lt_quarantine_add(q, &h, NULL, 0, &err), &err);
  }
  assert_int_equal(present(q, 0, &first), 25);
  assert_int_equal(first, 16);
  assert_int_equal(lt_quarantine_dropped(q), 15);
  static const int32_t reasons[] = {LEAT_REASON_PARSE, LEAT_REASON_TYPE, LEAT_REASON_USER, LEAT_REASON_WEIGHT};
  for (int i = 0; i < 100; i++) { /* 100 more: all are full, and the one that holds most makes room */
    lt_held h = held(++id, reasons[i % 4]);
    h.raw = "raw", h.raw_size = 3;
    ok(lt_quarantine_add(q, &h, NULL, 0, &err), &err);
  }
  assert_int_equal(lt_quarantine_count(q, 0), 100);
  for (int i = 0; i < 4; i++) assert_in_range(lt_quarantine_count(q, reasons[i]), 18, 25);
  assert_int_equal(present(q, LEAT_REASON_OUTLIER, &first), 20);
  assert_int_equal(first, 21);
  ok(lt_quarantine_mark(q, 30, 1, 1, &err), &err); /* what was released goes first */
  lt_held h = held(++id, LEAT_REASON_RANGE);
  ok(lt_quarantine_add(q, &h, NULL, 0, &err), &err);
  assert_int_equal(lt_quarantine_state(q, 30), 0);
  assert_int_equal(lt_quarantine_state(q, 21), LEAT_HELD);
  int64_t dropped = lt_quarantine_dropped(q), n = lt_quarantine_count(q, 0);
  lt_quarantine_close(q);
  ok(lt_quarantine_open(rt, folder, 1, &limits, &q, &err), &err);
  assert_int_equal(lt_quarantine_dropped(q), dropped);
  assert_int_equal(lt_quarantine_count(q, 0), n);
  assert_int_equal(lt_quarantine_last_id(q), id);
  /* bytes: a record that alone is over its share is kept without its bytes; a long one is cut */
  static uint8_t much[3 << 20];
  leat_held_info info = {.struct_size = sizeof info};
  h = held(++id, LEAT_REASON_MISSING);
  h.raw = much, h.raw_size = sizeof much;
  ok(lt_quarantine_add(q, &h, NULL, 0, &err), &err);
  int64_t cursor = id - 1;
  ok(lt_quarantine_next(q, 0, &cursor, &info, &err), &err);
  assert_int_equal(info.raw_bytes, 0);
  assert_non_null(strstr(info.detail, "0.058; 0 of 3145728 raw bytes are kept"));
  lt_quarantine_close(q);
  ok(lt_quarantine_open(rt, folder, 1, NULL, &q, &err), &err);
  h.id = ++id;
  h.detail = NULL;
  ok(lt_quarantine_add(q, &h, NULL, 0, &err), &err);
  ok(lt_quarantine_next(q, 0, &cursor, &info, &err), &err);
  assert_int_equal(info.raw_bytes, 1 << 20);
  assert_string_equal(info.detail, "1048576 of 3145728 raw bytes are kept");
  lt_quarantine_close(q);
  host_folder_end(rt, folder);
}

static int64_t bytes_of(lt_quarantine *q) {
  int64_t n = 0;
  for (uint64_t i = 0; i < q->n_segments; i++) n += (int64_t)q->segment[i].size;
  return n;
}

/* Segments roll, what made room is given back, purging all leaves nothing. */
static void test_segments(void **state) {
  (void)state;
  char folder[256];
  leat_error err = {.struct_size = sizeof err};
  lt_quarantine *q, *reader;
  static uint8_t raw[100000];
  lt_quarantine_limits limits = {.bytes = 40 << 20, .records = 100000, .reason_share = .5};
  host_folder(rt, folder);
  ok(lt_quarantine_open(rt, folder, 1, &limits, &q, &err), &err);
  ok(lt_quarantine_open(rt, folder, 0, NULL, &reader, &err), &err);
  for (int64_t id = 1; id <= 1500; id++) { /* 150 MB */
    lt_held h = held(id, id % 10 ? LEAT_REASON_OUTLIER : LEAT_REASON_TYPE);
    memset(raw, (int)id, sizeof raw);
    h.raw = raw, h.raw_size = sizeof raw;
    ok(lt_quarantine_add(q, &h, NULL, 0, &err), &err);
    assert_true(bytes_of(q) < (90 << 20));
    if (id % 100 == 0) {
      ok(lt_quarantine_sync(q, &err), &err);
      ok(lt_quarantine_refresh(reader, &err), &err);
      assert_int_equal(lt_quarantine_count(reader, 0), lt_quarantine_count(q, 0));
      assert_int_equal(lt_quarantine_dropped(reader), lt_quarantine_dropped(q));
    }
  }
  assert_true(q->bytes <= (40u << 20) && q->bytes > (30u << 20));
  assert_int_equal(lt_quarantine_count(q, LEAT_REASON_TYPE), 150); /* 15 MB: within its share */
  for (int64_t id = 10; id <= 1500; id += 10) {
    uint64_t needed;
    ok(lt_quarantine_raw(reader, id, raw, sizeof raw, &needed, &err), &err);
    assert_int_equal(needed, sizeof raw);
    assert_true(raw[0] == (uint8_t)id && raw[sizeof raw - 1] == (uint8_t)id);
  }
  int64_t purged;
  ok(lt_quarantine_purge(q, NULL, 0, &purged, &err), &err);
  assert_true(purged > 300);
  assert_int_equal(lt_quarantine_count(q, 0), 0);
  assert_true(bytes_of(q) < 1000);
  ok(lt_quarantine_refresh(reader, &err), &err);
  assert_int_equal(lt_quarantine_count(reader, 0), 0);
  assert_int_equal(lt_quarantine_last_id(reader), 1500);
  lt_quarantine_close(q);
  ok(lt_quarantine_open(rt, folder, 1, &limits, &q, &err), &err);
  assert_int_equal(lt_quarantine_last_id(q), 1500);
  lt_held h = held(1500, LEAT_REASON_TYPE);
  ok(lt_quarantine_add(q, &h, NULL, 0, &err), &err);
  assert_int_equal(lt_quarantine_count(q, 0), 0);
  lt_quarantine_close(q);
  lt_quarantine_close(reader);
  host_folder_end(rt, folder);
}

/* ---- crashes */
static crash_host disk;
static leat_runtime *crash_runtime(host_memory *m) {
  leat_allocator a = host_allocator(m, 1);
  leat_runtime_opts opts = {.struct_size = sizeof opts, .files = &disk.table, .allocator = m ? &a : NULL};
  return host_runtime(&opts);
}
static const lt_quarantine_limits small = {.bytes = 1 << 20, .records = 40, .reason_share = .5};
enum { IDS = 90 };

static void secret_of(int64_t id, char out[32]) { snprintf(out, 32, "<secret %06lld>", (long long)id * 7919); }

/* What a learner does: adds ids 1.. in order (those that are there are ignored), marks at certain ones, commits. Segments are
 * made to roll early. *synced: last id that must survive. */
static leat_status work(leat_runtime *of, const lt_rows *rows, lt_quarantine **out, int64_t *synced, int64_t to) {
  lt_quarantine *q = NULL;
  leat_status st = lt_quarantine_open(of, "f", 1, &small, &q, NULL);
  for (int64_t id = 1; !st && id <= to; id++) {
    char secret[32];
    secret_of(id, secret);
    lt_held h = held(id, id % 3 ? LEAT_REASON_OUTLIER : LEAT_REASON_PARSE);
    h.raw = secret;
    h.raw_size = strlen(secret);
    if (id > q->last_id && id % 17 == 0) st = lt_held_begin_segment(q, NULL);
    if (!st && id > q->last_id && id % 17 == 0) st = lt_held_reclaim(q, NULL);
    if (!st) st = lt_quarantine_add(q, &h, id % 3 ? rows : NULL, id % 20, NULL);
    if (!st && id % 11 == 0) st = lt_quarantine_mark(q, id - 5, 1, (uint64_t)id, NULL);
    if (!st && id % 13 == 0) st = lt_quarantine_mark(q, id - 7, 0, (uint64_t)id, NULL);
    if (!st && id % 10 == 0) {
      st = lt_quarantine_sync(q, NULL);
      if (!st && id > *synced) *synced = id;
    }
  }
  if (st) {
    lt_quarantine_close(q);
    q = NULL;
  }
  *out = q;
  return st;
}

/* Which are there, and in which state, as one text; everything that is there is whole. */
static void describe(lt_quarantine *q, char *out) {
  char *p = out;
  for (int64_t id = 1; id <= IDS + 10; id++) {
    int64_t state = lt_quarantine_state(q, id);
    leat_error err = {.struct_size = sizeof err};
    char raw[64], want[32];
    uint64_t needed;
    *p++ = (char)('0' + state);
    if (!state) continue;
    const lt_held_item *it = lt_held_find(q, id);
    *p++ = (char)('a' + it->tries);
    ok(lt_quarantine_raw(q, id, raw, sizeof raw, &needed, &err), &err);
    secret_of(id, want);
    assert_int_equal(needed, strlen(want));
    assert_memory_equal(raw, want, needed);
    if (id % 3 == 0) continue;
    leat_batch *one;
    lt_rows back;
    lt_put t;
    char note[64];
    ok(lt_quarantine_row(q, id, &one, &err), &err);
    lt_batch_rows(one, &back);
    lt_put_init(&t, rt);
    ok(lt_rows_text(&back, 0, 2, &t, &err), &err);
    int n = snprintf(note, sizeof note, "secret-%lld \"%c\"", (long long)(id % 20), (char)('a' + id % 20 % 26));
    assert_int_equal(t.size, n);
    assert_memory_equal(t.data, note, t.size);
    lt_put_free(&t);
    lt_batch_free(one);
  }
  snprintf(p, 64, " %lld %lld", (long long)lt_quarantine_last_id(q), (long long)lt_quarantine_dropped(q));
}

static void check_synced(const char *now, int64_t synced, lt_quarantine *q) {
  (void)now;
  if (lt_quarantine_last_id(q) < synced)
    fail_msg("id %lld was synced, %lld is the last", (long long)synced, (long long)lt_quarantine_last_id(q));
}

/* A crash at every operation; the learner then does the same again, and the end is the same as without. */
static void test_crashes(void **state) {
  (void)state;
  static char calm[600], now[600];
  leat_batch *b = some_rows(rt, 20);
  lt_rows rows;
  lt_quarantine *q;
  int64_t synced = 0;
  lt_batch_rows(b, &rows);
  crash_start(&disk);
  leat_runtime *of = crash_runtime(NULL);
  assert_int_equal(work(of, &rows, &q, &synced, IDS), LEAT_OK);
  describe(q, calm);
  assert_true(lt_quarantine_dropped(q) > 20);
  int64_t points = disk.calls;
  lt_quarantine_close(q);
  lt_runtime_unref(of);
  crash_end(&disk);
  assert_true(points > 60);
  for (int64_t k = 1; k <= points; k++)
    for (uint64_t seed = 0; seed < (getenv("LEAT_SOAK") ? 200u : 5u); seed++) {
      uint64_t dice = seed * 1000 + (uint64_t)k;
      leat_error err = {.struct_size = sizeof err};
      synced = 0;
      crash_start(&disk);
      of = crash_runtime(NULL);
      for (int life = 0; life < 2; life++) {
        disk.calls = 0;
        disk.die_at = life ? (int64_t)(crash_random(&dice) % 50 + 1) : k;
        if (work(of, &rows, &q, &synced, IDS) == LEAT_OK) lt_quarantine_close(q);
        if (seed % 3 == 0) crash_kill(&disk);
        else crash_power(&disk, crash_random(&dice));
        if (seed % 2) { /* a reader sees the same as the writer behind it */
          static char read[600];
          ok(lt_quarantine_open(of, "f", 0, NULL, &q, &err), &err);
          describe(q, read);
          lt_quarantine_close(q);
          ok(lt_quarantine_open(of, "f", 1, &small, &q, &err), &err);
          describe(q, now);
          assert_string_equal(read, now);
          check_synced(now, synced, q);
          lt_quarantine_close(q);
          crash_power(&disk, crash_random(&dice)); /* what was found is durable */
        }
        ok(lt_quarantine_open(of, "f", 1, &small, &q, &err), &err);
        check_synced(now, synced, q);
        lt_quarantine_close(q);
      }
      ok(work(of, &rows, &q, &synced, IDS), &err);
      describe(q, now);
      assert_string_equal(calm, now);
      lt_quarantine_close(q);
      lt_runtime_unref(of);
      crash_end(&disk);
    }
  lt_batch_free(b);
}

/* A crash at every operation of a purge: all of the ids or none, and once they are gone their bytes are nowhere. */
static void test_purge_crashes(void **state) {
  (void)state;
  static char before[600], after[600], now[600];
  int64_t ids[7] = {0}, points = 1;
  leat_batch *b = some_rows(rt, 20);
  lt_rows rows;
  lt_batch_rows(b, &rows);
  for (int all = 0; all < 2; all++) {
    points = 1;
    for (int64_t k = 0; k <= points; k++)
      for (uint64_t seed = 0; seed < (k ? 4u : 1u); seed++) {
        leat_error err = {.struct_size = sizeof err};
        lt_quarantine *q;
        int64_t synced = 0, purged = 0;
        uint64_t dice = seed * 99 + (uint64_t)k;
        crash_start(&disk);
        leat_runtime *of = crash_runtime(NULL);
        ok(work(of, &rows, &q, &synced, IDS), &err);
        int64_t want = all ? q->present : 7;
        for (int64_t id = 1, i = 0, seen = 0; i < 7; id++)
          if (lt_quarantine_state(q, id) && seen++ % 5 == 1) ids[i++] = id;
        if (!k) describe(q, before);
        disk.calls = 0;
        disk.die_at = k;
        leat_status st = lt_quarantine_purge(q, all ? NULL : ids, all ? 0 : 7, &purged, &err);
        if (!k) {
          ok(st, &err);
          assert_int_equal(purged, want);
          points = disk.calls;
          describe(q, after);
        } else {
          assert_int_equal(st, LEAT_E_IO);
        }
        lt_quarantine_close(q);
        if (!k) crash_kill(&disk);
        else if (seed == 0) crash_kill(&disk);
        else crash_power(&disk, crash_random(&dice));
        ok(lt_quarantine_open(of, "f", 0, NULL, &q, &err), &err);
        describe(q, now);
        int done = strcmp(now, after) == 0;
        if (!done) assert_string_equal(now, before);
        lt_quarantine_close(q);
        ok(lt_quarantine_open(of, "f", 1, &small, &q, &err), &err); /* finishes what was begun */
        describe(q, now);
        assert_string_equal(now, done ? after : before);
        for (int64_t id = 1; id <= IDS && done; id++) {
          char secret[32];
          secret_of(id, secret);
          if (!lt_quarantine_state(q, id)) {
            int listed = all;
            for (int i = 0; i < 7; i++) listed |= ids[i] == id;
            if (listed && crash_holds(&disk, secret, strlen(secret)))
              fail_msg("id %lld, call %lld: its bytes are still there", (long long)id, (long long)k);
          }
        }
        lt_held h = held(IDS + 1, LEAT_REASON_USER); /* it goes on */
        ok(lt_quarantine_add(q, &h, NULL, 0, &err), &err);
        ok(lt_quarantine_sync(q, &err), &err);
        lt_quarantine_close(q);
        ok(lt_quarantine_open(of, "f", 1, &small, &q, &err), &err);
        assert_int_equal(lt_quarantine_last_id(q), IDS + 1);
        lt_quarantine_close(q);
        lt_runtime_unref(of);
        crash_end(&disk);
      }
  }
  lt_batch_free(b);
}

/* The journal lost what the quarantine kept: ids are used again. */
static void test_cut(void **state) {
  (void)state;
  static char calm[600], now[600];
  leat_batch *b = some_rows(rt, 20);
  lt_rows rows;
  leat_error err = {.struct_size = sizeof err};
  lt_quarantine *q;
  int64_t synced = 0, purged;
  lt_batch_rows(b, &rows);
  crash_start(&disk);
  leat_runtime *of = crash_runtime(NULL);
  ok(work(of, &rows, &q, &synced, 30), &err);
  describe(q, calm);
  for (int64_t id = 31; id <= 37; id++) { /* of a future that the journal lost */
    lt_held h = held(id, LEAT_REASON_USER);
    if (id == 34) ok(lt_held_begin_segment(q, &err), &err);
    ok(lt_quarantine_add(q, &h, NULL, 0, &err), &err);
  }
  ok(lt_quarantine_cut(q, 30, &err), &err);
  for (int pass = 0; pass < 3; pass++) {
    describe(q, now);
    assert_string_equal(calm, now);
    if (pass == 1) {
      int64_t one = 7;
      ok(lt_quarantine_purge(q, &one, 1, &purged, &err), &err);
      describe(q, calm);
      ok(lt_held_rewrite(q, 0, &err), &err); /* the cut stays in force wherever it lies */
      ok(lt_held_rewrite(q, q->n_segments - 1, &err), &err);
    }
    lt_quarantine_close(q);
    ok(lt_quarantine_open(of, "f", 1, &small, &q, &err), &err);
  }
  lt_held h = held(31, LEAT_REASON_TYPE);
  ok(lt_quarantine_add(q, &h, NULL, 0, &err), &err);
  assert_int_equal(lt_quarantine_state(q, 31), LEAT_HELD);
  assert_int_equal(lt_quarantine_count(q, LEAT_REASON_TYPE), 1);
  lt_quarantine_close(q);
  ok(lt_quarantine_open(of, "f", 1, &small, &q, &err), &err);
  assert_int_equal(lt_quarantine_count(q, LEAT_REASON_TYPE), 1);
  assert_int_equal(lt_quarantine_count(q, LEAT_REASON_USER), 0);
  lt_quarantine_close(q);
  lt_runtime_unref(of);
  crash_end(&disk);
  lt_batch_free(b);
}

/* The journal lost the release, the quarantine kept its mark. */
static void test_unmark(void **state) {
  (void)state;
  leat_error err = {.struct_size = sizeof err};
  lt_quarantine *q;
  crash_start(&disk);
  leat_runtime *of = crash_runtime(NULL);
  ok(lt_quarantine_open(of, "f", 1, &small, &q, &err), &err);
  for (int64_t id = 1; id <= 4; id++) {
    lt_held h = held(id, LEAT_REASON_USER);
    ok(lt_quarantine_add(q, &h, NULL, 0, &err), &err);
  }
  ok(lt_quarantine_mark(q, 1, 1, 50, &err), &err);
  ok(lt_quarantine_mark(q, 2, 1, 60, &err), &err);
  ok(lt_quarantine_mark(q, 3, 0, 61, &err), &err);
  ok(lt_quarantine_unmark(q, 55, &err), &err);
  for (int pass = 0; pass < 2; pass++) {
    assert_int_equal(lt_quarantine_state(q, 1), LEAT_HELD_RELEASED);
    assert_int_equal(lt_quarantine_state(q, 2), LEAT_HELD);
    assert_int_equal(lt_quarantine_count(q, 0), 3);
    assert_int_equal(lt_held_find(q, 3)->tries, 0);
    lt_quarantine_close(q);
    ok(lt_quarantine_open(of, "f", 1, &small, &q, &err), &err);
  }
  ok(lt_quarantine_mark(q, 2, 1, 56, &err), &err);
  assert_int_equal(lt_quarantine_state(q, 2), LEAT_HELD_RELEASED);
  lt_quarantine_close(q);
  lt_runtime_unref(of);
  crash_end(&disk);
}

static void test_full_disk(void **state) {
  (void)state;
  leat_batch *b = some_rows(rt, 20);
  lt_rows rows;
  lt_batch_rows(b, &rows);
  int failed = 0;
  for (int64_t k = 1; k < 60; k++) {
    leat_error err = {.struct_size = sizeof err};
    lt_quarantine *q;
    int64_t synced = 0;
    crash_start(&disk);
    leat_runtime *of = crash_runtime(NULL);
    disk.full_at = k;
    leat_status st = work(of, &rows, &q, &synced, IDS);
    assert_true(st == LEAT_OK || st == LEAT_E_IO);
    failed += st != LEAT_OK;
    if (!st) lt_quarantine_close(q);
    disk.full_at = 0;
    ok(work(of, &rows, &q, &synced, IDS), &err);
    lt_quarantine_close(q);
    lt_runtime_unref(of);
    crash_end(&disk);
  }
  assert_true(failed > 20);
  lt_batch_free(b);
}

static void test_no_memory(void **state) {
  (void)state;
  leat_batch *b = some_rows(rt, 20);
  lt_rows rows;
  static char calm[600], now[600];
  lt_batch_rows(b, &rows);
  int done = 0;
  for (int64_t k = 0; !done; k++) {
    leat_error err = {.struct_size = sizeof err};
    lt_quarantine *q, *reader;
    int64_t synced = 0, ids[] = {33, 70}, purged, cursor = 0;
    host_memory m = {0};
    crash_start(&disk);
    leat_runtime *of = crash_runtime(&m);
    int64_t blocks = m.blocks;
    m.calls = 0;
    m.fail_at = k;
    leat_status st = work(of, &rows, &q, &synced, 60);
    if (!st) st = lt_quarantine_purge(q, ids, 1, &purged, &err);
    if (st != LEAT_E_MEMORY && q) lt_quarantine_close(q);
    else if (q) lt_quarantine_close(q);
    if (!st) {
      leat_held_info info = {.struct_size = sizeof info};
      st = lt_quarantine_open(of, "f", 0, NULL, &reader, &err);
      while (!st && !(st = lt_quarantine_next(reader, 0, &cursor, &info, &err))) {
        leat_batch *one = NULL;
        st = lt_quarantine_row(reader, cursor, &one, &err);
        if (st == LEAT_E_UNSUPPORTED) st = LEAT_OK;
        lt_batch_free(one);
        if (st) break;
      }
      if (st == LEAT_E_NOT_FOUND) st = LEAT_OK;
      lt_quarantine_close(reader);
    }
    done = k && m.calls < k;
    m.fail_at = 0;
    assert_true(st == LEAT_OK || (k && st == LEAT_E_MEMORY));
    assert_int_equal(m.blocks, blocks);
    if (k % 5 == 0) { /* and all goes on from there */
      ok(work(of, &rows, &q, &synced, 60), &err);
      if (lt_quarantine_state(q, 33)) ok(lt_quarantine_purge(q, ids, 1, &purged, &err), &err);
      describe(q, k ? now : calm);
      if (k) assert_string_equal(calm, now);
      lt_quarantine_close(q);
    }
    lt_runtime_unref(of);
    assert_int_equal(m.blocks + m.wrong, 0);
    crash_end(&disk);
  }
  lt_batch_free(b);
}

/* Changed bytes: an error that names the file, or records that are whole. */
static void test_damage(void **state) {
  (void)state;
  leat_batch *b = some_rows(rt, 20);
  lt_rows rows;
  leat_error err = {.struct_size = sizeof err};
  lt_quarantine *q;
  static char now[600];
  int64_t synced = 0;
  uint64_t random = 3;
  int refused = 0;
  lt_batch_rows(b, &rows);
  crash_start(&disk);
  leat_runtime *of = crash_runtime(NULL);
  ok(work(of, &rows, &q, &synced, IDS), &err);
  lt_quarantine_close(q);
  for (int round = 0; round < 4000; round++) {
    crash_entry *e = &disk.now[crash_random(&random) % (uint64_t)disk.n_now];
    crash_bytes *bytes = &e->inode->now;
    uint64_t at = crash_random(&random) % bytes->size, size = bytes->size;
    uint8_t old = bytes->p[at];
    if (round % 8) bytes->p[at] ^= (uint8_t)(1u << crash_random(&random) % 8);
    else bytes->size = at;
    if (round % 8 == 1 && at >= 32) { /* with a checksum that is right */
      uint64_t o = 32, n;
      for (;; o += 32 + (n + 7) / 8 * 8) {
        n = (uint64_t)bytes->p[o] | (uint64_t)bytes->p[o + 1] << 8 | (uint64_t)bytes->p[o + 2] << 16;
        if (at < o + 32 + (n + 7) / 8 * 8) break;
      }
      if (at >= o + 4 && o + 32 + n <= size) {
        uint64_t sum = lt_hash64(bytes->p + o + 32, n, lt_hash64(bytes->p + o, 24, 0));
        for (int i = 0; i < 8; i++) bytes->p[o + 24 + (uint64_t)i] = (uint8_t)(sum >> (8 * i));
        leat_status st = lt_quarantine_open(of, "f", 0, NULL, &q, &err);
        for (int64_t id = 1; !st && id <= IDS; id++) { /* anything but a crash */
          leat_batch *one = NULL;
          leat_held_info info = {.struct_size = sizeof info};
          int64_t cursor = id - 1;
          (void)lt_quarantine_row(q, id, &one, &err);
          lt_batch_free(one);
          (void)lt_quarantine_next(q, 0, &cursor, &info, &err);
        }
        if (!st) lt_quarantine_close(q);
        bytes->p[at] = old;
        sum = lt_hash64(bytes->p + o + 32, n, lt_hash64(bytes->p + o, 24, 0));
        for (int i = 0; i < 8; i++) bytes->p[o + 24 + (uint64_t)i] = (uint8_t)(sum >> (8 * i));
        continue;
      }
    }
    leat_status st = lt_quarantine_open(of, "f", 0, NULL, &q, &err);
    if (st) {
      assert_int_equal(st, LEAT_E_FORMAT);
      if (!strstr(err.message, "f/q-")) fail_msg("%s", err.message);
      refused++;
    } else {
      describe(q, now);
      lt_quarantine_close(q);
    }
    bytes->size = size;
    bytes->p[at] = old;
  }
  assert_true(refused > 500);
  lt_runtime_unref(of);
  crash_end(&disk);
  lt_batch_free(b);
}

/* ---- golden */
static void write_golden(leat_runtime *of, const char *folder) {
  leat_batch *b = some_rows(of, 5);
  lt_rows rows;
  lt_quarantine *q;
  leat_error err = {.struct_size = sizeof err};
  lt_batch_rows(b, &rows);
  ok(lt_quarantine_open(of, folder, 1, NULL, &q, &err), &err);
  lt_held h = held(1, LEAT_REASON_OUTLIER);
  ok(lt_quarantine_add(q, &h, &rows, 2, &err), &err);
  h = held(2, LEAT_REASON_PARSE);
  h.column = -1;
  h.raw = "1,2,\"3";
  h.raw_size = 6;
  ok(lt_quarantine_add(q, &h, NULL, 0, &err), &err);
  h = held(3, LEAT_REASON_UNSEEN_CATEGORY);
  ok(lt_quarantine_add(q, &h, &rows, 4, &err), &err);
  ok(lt_quarantine_mark(q, 1, 1, 9, &err), &err);
  ok(lt_quarantine_mark(q, 3, 0, 10, &err), &err);
  ok(lt_quarantine_sync(q, &err), &err);
  h = held(4, LEAT_REASON_USER);
  ok(lt_quarantine_add(q, &h, &rows, 0, &err), &err);
  ok(lt_quarantine_cut(q, 3, &err), &err);
  ok(lt_quarantine_sync(q, &err), &err);
  lt_quarantine_close(q);
  lt_batch_free(b);
}

static void read_golden(const char *golden, int newest) {
  static uint8_t bytes[8192];
  static const char path[] = "f/q-0000000000000001.log";
  leat_error err = {.struct_size = sizeof err};
  lt_quarantine *q;
  FILE *in = fopen(golden, "rb");
  if (!in) fail_msg("%s cannot be opened: run from the repository's root", golden);
  size_t n = fread(bytes, 1, sizeof bytes, in);
  fclose(in);
  crash_start(&disk);
  leat_runtime *of = crash_runtime(NULL);
  write_golden(of, "f");
  crash_entry *e = crash_find(disk.now, disk.n_now, path);
  assert_non_null(e);
  assert_int_equal(e->inode->now.size, n);
  if (newest) assert_memory_equal(e->inode->now.p, bytes, n);
  else memcpy(e->inode->now.p, bytes, n);
  ok(lt_quarantine_open(of, "f", 0, NULL, &q, &err), &err);
  assert_int_equal(lt_quarantine_count(q, 0), 2);
  assert_int_equal(lt_quarantine_state(q, 1), LEAT_HELD_RELEASED);
  assert_int_equal(lt_quarantine_last_id(q), 3);
  char raw[64];
  uint64_t needed;
  ok(lt_quarantine_raw(q, 1, raw, sizeof raw, &needed, &err), &err);
  raw[needed] = 0;
  assert_string_equal(raw, "2.5,\"blue, dark\",\"secret-2 \"\"c\"\"\",false,no");
  lt_quarantine_close(q);
  lt_runtime_unref(of);
  crash_end(&disk);
}

/* What earlier versions of leat wrote is read for ever; the newest is written the same today. */
static void test_golden(void **state) {
  (void)state;
  read_golden("tests/golden/quarantine-v1.log", 0);
  read_golden("tests/golden/quarantine-v2.log", 1);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--write-golden") == 0) {
    leat_runtime_opts opts = {.struct_size = sizeof opts};
    write_golden(host_runtime(&opts), argv[2]);
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_reasons),       cmocka_unit_test(test_limits),
      cmocka_unit_test(test_segments),      cmocka_unit_test(test_crashes),       cmocka_unit_test(test_purge_crashes),
      cmocka_unit_test(test_cut),           cmocka_unit_test(test_full_disk),     cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_damage),        cmocka_unit_test(test_golden),        cmocka_unit_test(test_unmark),
      cmocka_unit_test(test_sparse)};
  return cmocka_run_group_tests(tests, start, stop);
}
