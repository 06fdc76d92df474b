/* The journal: segments, group commit, readers beside the writer, drops, torn tails, crashes at every operation. */
#include "hosts.h"
#include "lifecycle/journal.h"

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

static uint64_t body(uint64_t sequence, uint8_t *out) {
  uint64_t n = sequence * 37 % 300;
  for (uint64_t i = 0; i < n; i++) out[i] = (uint8_t)(sequence * 3 + i);
  return n;
}
static void append(lt_journal *j, uint64_t n) {
  uint8_t data[512];
  leat_error err = {.struct_size = sizeof err};
  for (uint64_t i = 0; i < n; i++) {
    uint64_t want = lt_journal_next(j), got, size = body(want, data);
    if (lt_journal_append(j, (uint32_t)(want % 7 + 1), data, size, &got, &err)) fail_msg("%s", err.message);
    assert_int_equal(got, want);
  }
}
/* Reads [from, ...); returns the number behind the last. */
static uint64_t read_from(const char *folder, uint64_t from) {
  lt_journal_reader *r;
  uint8_t data[512];
  leat_error err = {.struct_size = sizeof err};
  if (lt_journal_read(rt, folder, from, &r, &err)) fail_msg("%s", err.message);
  for (;;) {
    lt_record rec;
    int32_t got;
    if (lt_journal_next_record(r, &rec, &got, &err)) fail_msg("%s", err.message);
    if (!got) break;
    assert_int_equal(rec.sequence, from);
    assert_int_equal(rec.type, from % 7 + 1);
    assert_int_equal(rec.size, body(from, data));
    if (rec.size) assert_memory_equal(rec.data, data, rec.size);
    from++;
  }
  lt_journal_read_close(r);
  return from;
}

static void test_round_trip(void **state) {
  (void)state;
  char folder[256];
  lt_journal *j, *other;
  lt_journal_reader *r;
  uint64_t torn;
  host_folder(rt, folder);
  assert_int_equal(lt_journal_open(rt, folder, 4096, &j, &torn, NULL), LEAT_E_NOT_FOUND);
  assert_int_equal(lt_journal_create(rt, folder, 4096, &j, NULL), LEAT_OK);
  assert_int_equal(lt_journal_create(rt, folder, 4096, &other, NULL), LEAT_E_STATE);
  assert_int_equal(lt_journal_next(j), 1);
  assert_int_equal(read_from(folder, 1), 1);
  append(j, 100);
  assert_int_equal(read_from(folder, 1), 101);
  assert_int_equal(read_from(folder, 57), 101);
  assert_true(lt_journal_synced(j) < 100);
  assert_int_equal(lt_journal_sync(j, NULL), LEAT_OK);
  assert_int_equal(lt_journal_synced(j), 100);
  assert_int_equal(lt_journal_read(rt, folder, 90, &r, NULL), LEAT_OK); /* sees nothing of what comes later */
  append(j, 300);
  int64_t bytes = lt_journal_bytes(j);
  lt_record rec;
  int32_t got;
  for (uint64_t i = 90; i < 101; i++) {
    assert_int_equal(lt_journal_next_record(r, &rec, &got, NULL), LEAT_OK);
    assert_true(got && rec.sequence == i);
  }
  assert_int_equal(lt_journal_next_record(r, &rec, &got, NULL), LEAT_OK);
  assert_int_equal(got, 0);
  lt_journal_read_close(r);
  lt_journal_close(j);
  assert_int_equal(lt_journal_open(rt, folder, 4096, &j, &torn, NULL), LEAT_OK);
  assert_int_equal(torn, 0);
  assert_int_equal(lt_journal_next(j), 401);
  assert_int_equal(lt_journal_synced(j), 400);
  assert_int_equal(lt_journal_bytes(j), bytes);
  append(j, 50);
  assert_int_equal(read_from(folder, 3), 451);
  assert_int_equal(lt_journal_drop(j, 200, NULL), LEAT_OK);
  assert_true(lt_journal_bytes(j) < bytes);
  assert_true(lt_journal_first(j) <= 200 && lt_journal_first(j) > 150);
  assert_int_equal(read_from(folder, 200), 451);
  assert_int_equal(lt_journal_read(rt, folder, 1, &r, NULL), LEAT_E_NOT_FOUND);
  assert_int_equal(lt_journal_drop(j, 1000, NULL), LEAT_OK); /* the last one stays */
  assert_int_equal(lt_journal_next(j), 451);
  append(j, 1);
  lt_journal_close(j);
  host_folder_end(rt, folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip)};
  return cmocka_run_group_tests(tests, start, stop);
}
