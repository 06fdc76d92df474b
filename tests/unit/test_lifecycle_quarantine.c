/* The quarantine: records with their rows, caps, marks, purging, readers beside the writer. */
#include "hosts.h"
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

/* number, label, text, flag, time, a sparse block, target */
static leat_batch *some_rows(leat_runtime *of, int64_t n, int sparse) {
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
  (void)sparse;
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

static void test_round_trip(void **state) {
  (void)state;
  char folder[256];
  leat_error err = {.struct_size = sizeof err};
  lt_quarantine *q, *reader;
  leat_batch *b = some_rows(rt, 40, 0), *one;
  lt_rows rows, back;
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
    cursor = 0;
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
      ok(lt_quarantine_row(look, i, &one, &err), &err);
      lt_batch_rows(one, &back);
      assert_int_equal(back.n, 1);
      lt_put t, u;
      lt_put_init(&t, rt);
      lt_put_init(&u, rt);
      for (int64_t c = 0; c < 5; c++) {
        t.size = u.size = 0;
        ok(lt_rows_text(&rows, i, c, &t, &err), &err);
        ok(lt_rows_text(&back, 0, c, &u, &err), &err);
        assert_int_equal(t.size, u.size);
        if (t.size) assert_memory_equal(t.data, u.data, t.size);
      }
      lt_put_free(&t);
      lt_put_free(&u);
      lt_batch_free(one);
    }
    assert_int_equal(lt_quarantine_next(look, 0, &cursor, &info, &err), LEAT_E_NOT_FOUND);
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

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_reasons)};
  return cmocka_run_group_tests(tests, start, stop);
}
