/* The journal: segments, group commit, readers beside the writer, drops, torn tails, crashes at every operation. */
#include "hosts.h"
#include "crash_host.h"
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
static uint64_t read_from_of(leat_runtime *of, const char *folder, uint64_t from);
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
static uint64_t read_from(const char *folder, uint64_t from) { return read_from_of(rt, folder, from); }
static uint64_t read_from_of(leat_runtime *of, const char *folder, uint64_t from) {
  lt_journal_reader *r;
  uint8_t data[512];
  leat_error err = {.struct_size = sizeof err};
  if (lt_journal_read(of, folder, from, &r, &err)) fail_msg("%s", err.message);
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


/* ---- crashes */
static crash_host disk;
static leat_runtime *crash_runtime(host_memory *m) {
  leat_allocator a = host_allocator(m, 1);
  leat_runtime_opts opts = {.struct_size = sizeof opts, .files = &disk.table, .allocator = m ? &a : NULL};
  return host_runtime(&opts);
}

/* A life of a journal; stops at the first failure. *synced: what must survive; *kept: the drop that was asked for. */
static leat_status live(leat_runtime *of, uint64_t *synced, uint64_t *kept, uint64_t *last, uint64_t salt) {
  lt_journal *j = NULL;
  uint8_t data[512];
  uint64_t torn, state = salt, sequence;
  leat_status st = lt_journal_open(of, "f", 1500, &j, &torn, NULL);
  if (st == LEAT_E_NOT_FOUND && *synced == 0) st = lt_journal_create(of, "f", 1500, &j, NULL);
  for (int i = 0; !st && i < 40; i++) {
    uint64_t want = lt_journal_next(j), size = body(want, data);
    st = lt_journal_append(j, (uint32_t)(want % 7 + 1), data, size, &sequence, NULL);
    if (!st) *last = sequence;
    if (!st && crash_random(&state) % 6 == 0) {
      st = lt_journal_sync(j, NULL);
      if (!st) *synced = sequence;
    }
    if (!st && i % 13 == 12) {
      if (lt_journal_synced(j) > 12) *kept = lt_journal_synced(j) - 12;
      st = lt_journal_drop(j, *kept, NULL);
    }
  }
  if (st && j) /* nothing is taken behind a failed write */
    assert_true(st == LEAT_E_MEMORY || lt_journal_append(j, 1, "x", 1, &sequence, NULL) == LEAT_E_IO);
  if (j) {
    if (lt_journal_synced(j) > *synced) *synced = lt_journal_synced(j);
    lt_journal_close(j);
  }
  return st;
}

static void check_life(leat_runtime *of, uint64_t synced, uint64_t kept, uint64_t last) {
  leat_error err = {.struct_size = sizeof err};
  lt_journal *j = NULL;
  uint64_t torn;
  leat_status st = lt_journal_open(of, "f", 1500, &j, &torn, &err);
  if (st == LEAT_E_NOT_FOUND && synced == 0) return;
  if (st) fail_msg("%s", err.message);
  if (lt_journal_next(j) <= synced || lt_journal_next(j) > last + 2)
    fail_msg("next %llu, synced %llu, last %llu", (unsigned long long)lt_journal_next(j), (unsigned long long)synced,
             (unsigned long long)last);
  assert_true(lt_journal_first(j) <= (kept ? kept : 1));
  assert_int_equal(read_from_of(of, "f", lt_journal_first(j)), lt_journal_next(j));
  lt_journal_close(j);
}

static void test_crashes(void **state) {
  (void)state;
  uint64_t checked = 0, none[3] = {0};
  crash_start(&disk);
  leat_runtime *calm = crash_runtime(NULL);
  assert_int_equal(live(calm, &none[0], &none[1], &none[2], 5), LEAT_OK);
  int64_t points = disk.calls;
  lt_runtime_unref(calm);
  crash_end(&disk);
  for (int64_t k = 1; k <= points; k++)
    for (uint64_t seed = 0; seed < (getenv("LEAT_SOAK") ? 200u : 6u); seed++) {
      uint64_t synced = 0, kept = 0, last = 0, dice = seed * 31 + (uint64_t)k;
      crash_start(&disk);
      leat_runtime *of = crash_runtime(NULL);
      for (int life = 0; life < 3; life++) {
        disk.calls = 0;
        disk.die_at = life ? (int64_t)(crash_random(&dice) % 60 + 1) : k;
        leat_status st = live(of, &synced, &kept, &last, (uint64_t)life + 5);
        if (!life) assert_int_equal(st, LEAT_E_IO);
        if (seed % 3 == 0) crash_kill(&disk);
        else crash_power(&disk, seed * 1000 + (uint64_t)k * 10 + (uint64_t)life);
        if (life == 1) { /* what one opening found, the next one finds */
          check_life(of, synced, kept, last);
          crash_power(&disk, seed + 77);
        }
        check_life(of, synced, kept, last);
        checked++;
      }
      lt_runtime_unref(of);
      crash_end(&disk);
    }
  if (points < 60 || checked < 1000) fail_msg("%lld points, %llu checks", (long long)points, (unsigned long long)checked);
}

static void test_full_disk(void **state) {
  (void)state;
  for (int64_t k = 1; k < 70; k++) {
    uint64_t synced = 0, kept = 0, last = 0;
    crash_start(&disk);
    leat_runtime *of = crash_runtime(NULL);
    disk.full_at = k;
    leat_status st = live(of, &synced, &kept, &last, 3);
    assert_true(st == LEAT_OK || st == LEAT_E_IO);
    disk.full_at = 0;
    check_life(of, synced, kept, last); /* and the disk has room again: it goes on */
    if (st) assert_int_equal(live(of, &synced, &kept, &last, 4), LEAT_OK);
    check_life(of, synced, kept, last);
    lt_runtime_unref(of);
    crash_end(&disk);
  }
}

static void test_no_memory(void **state) {
  (void)state;
  int done = 0;
  for (int64_t k = 1; !done; k++) {
    uint64_t synced = 0, kept = 0, last = 0;
    host_memory m = {0};
    crash_start(&disk);
    leat_runtime *of = crash_runtime(&m);
    int64_t blocks = m.blocks;
    m.calls = 0;
    m.fail_at = k;
    leat_status st = live(of, &synced, &kept, &last, 3);
    done = m.calls < k;
    m.fail_at = 0;
    assert_true(st == LEAT_OK || (st == LEAT_E_MEMORY && !done)); /* growing tries again with less */
    assert_int_equal(m.blocks, blocks);
    check_life(of, synced, kept, last);
    assert_int_equal(m.blocks, blocks);
    lt_runtime_unref(of);
    assert_int_equal(m.blocks + m.wrong, 0);
    crash_end(&disk);
  }
}

/* Without memory for one call, the journal itself goes on. */
static void test_memory_comes_back(void **state) {
  (void)state;
  for (int64_t k = 1; k < 40; k++) {
    host_memory m = {0};
    lt_journal *j;
    uint8_t data[512];
    crash_start(&disk);
    leat_runtime *of = crash_runtime(&m);
    assert_int_equal(lt_journal_create(of, "f", 700, &j, NULL), LEAT_OK);
    m.calls = 0;
    m.fail_at = k;
    for (int i = 0; i < 60; i++) {
      uint64_t want = lt_journal_next(j), got, size = body(want, data);
      leat_status st = lt_journal_append(j, (uint32_t)(want % 7 + 1), data, size, &got, NULL);
      if (st == LEAT_E_MEMORY) {
        assert_int_equal(lt_journal_next(j), want);
        st = lt_journal_append(j, (uint32_t)(want % 7 + 1), data, size, &got, NULL);
      }
      assert_int_equal(st, LEAT_OK);
    }
    assert_int_equal(read_from_of(of, "f", 1), 61);
    lt_journal_close(j);
    lt_runtime_unref(of);
    crash_end(&disk);
  }
}

/* Any changed byte: the same records up to somewhere, or an error that names the file. */
static void test_damage(void **state) {
  (void)state;
  uint64_t synced = 0, kept = 0, last = 0, random = 9;
  crash_start(&disk);
  leat_runtime *of = crash_runtime(NULL);
  assert_int_equal(live(of, &synced, &kept, &last, 3), LEAT_OK);
  int refused = 0, cut = 0;
  for (int round = 0; round < 3000; round++) {
    crash_entry *e = &disk.now[crash_random(&random) % (uint64_t)disk.n_now];
    crash_bytes *b = &e->inode->now;
    uint64_t at = crash_random(&random) % b->size, size = b->size, from = 1, next = 0, data_size;
    uint8_t old = b->p[at], data[512];
    leat_error err = {.struct_size = sizeof err};
    lt_journal_reader *r = NULL;
    lt_record rec;
    int32_t got = 1;
    if (round % 4) b->p[at] ^= (uint8_t)(1u << crash_random(&random) % 8);
    else b->size = at;
    while (lt_journal_read(of, "f", from, &r, &err) == LEAT_E_NOT_FOUND && from < 100) from++;
    leat_status st = r ? LEAT_OK : LEAT_E_FORMAT;
    while (!st && got) {
      st = lt_journal_next_record(r, &rec, &got, &err);
      if (st || !got) break;
      assert_int_equal(rec.size, body(rec.sequence, data));
      if (rec.size) assert_memory_equal(rec.data, data, rec.size);
      next = rec.sequence + 1;
      data_size = rec.size;
      (void)data_size;
    }
    if (st) {
      assert_int_equal(st, LEAT_E_FORMAT);
      refused++;
    } else if (next <= last) {
      cut++;
    }
    lt_journal_read_close(r);
    b->size = size;
    b->p[at] = old;
  }
  assert_true(refused > 100 && cut > 10);
  (void)cut;
  /* a segment that is missing in the middle */
  for (int i = 0; i < disk.n_now; i++) {
    crash_entry lost = disk.now[i];
    lt_journal_reader *r;
    leat_status st;
    lt_record rec;
    int32_t got = 1;
    disk.now[i] = disk.now[--disk.n_now];
    st = lt_journal_read(of, "f", kept, &r, NULL);
    while (!st && got) st = lt_journal_next_record(r, &rec, &got, NULL);
    if (!st) assert_true(rec.sequence == 0);
    lt_journal_read_close(st == LEAT_E_NOT_FOUND ? NULL : r);
    disk.now[disk.n_now++] = disk.now[i];
    disk.now[i] = lost;
  }
  lt_runtime_unref(of);
  crash_end(&disk);
}

static void write_golden(leat_runtime *of, const char *folder) {
  lt_journal *j;
  uint64_t sequence;
  assert_int_equal(lt_journal_create(of, folder, 1 << 20, &j, NULL), LEAT_OK);
  assert_int_equal(lt_journal_append(j, LT_J_BEGIN, "begin", 5, &sequence, NULL), LEAT_OK);
  assert_int_equal(lt_journal_append(j, LT_J_ROWS, "rows of the first call", 22, &sequence, NULL), LEAT_OK);
  assert_int_equal(lt_journal_sync(j, NULL), LEAT_OK);
  assert_int_equal(lt_journal_append(j, LT_J_CLOCK, "12345678", 8, &sequence, NULL), LEAT_OK);
  assert_int_equal(lt_journal_sync(j, NULL), LEAT_OK);
  lt_journal_close(j);
}

/* A journal that an earlier version wrote is read for ever. */
/* Journals that earlier versions of leat wrote are read for ever; those of the newest are written the same today. */
static void read_golden(const char *path, int newest) {
  static uint8_t bytes[4096];
  FILE *in = fopen(path, "rb");
  if (!in) fail_msg("%s cannot be opened: run from the repository's root", path);
  size_t n = fread(bytes, 1, sizeof bytes, in);
  fclose(in);
  crash_start(&disk);
  leat_runtime *of = crash_runtime(NULL);
  write_golden(of, "f");
  crash_entry *e = crash_find(disk.now, disk.n_now, "f/j-0000000000000001.log");
  assert_non_null(e);
  assert_int_equal(e->inode->now.size, n);
  if (newest) assert_memory_equal(e->inode->now.p, bytes, n);
  else memcpy(e->inode->now.p, bytes, n);
  lt_journal_reader *r;
  lt_record rec;
  int32_t got;
  assert_int_equal(lt_journal_read(of, "f", 2, &r, NULL), LEAT_OK);
  assert_int_equal(lt_journal_next_record(r, &rec, &got, NULL), LEAT_OK);
  assert_true(got && rec.type == LT_J_ROWS && rec.sequence == 2 && rec.size == 22);
  assert_memory_equal(rec.data, "rows of the first call", 22);
  lt_journal_read_close(r);
  lt_runtime_unref(of);
  crash_end(&disk);
}

static void test_golden(void **state) {
  (void)state;
  read_golden("tests/golden/journal-v1.log", 0);
  read_golden("tests/golden/journal-v2.log", 1);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--write-golden") == 0) {
    leat_runtime_opts opts = {.struct_size = sizeof opts};
    write_golden(host_runtime(&opts), argv[2]);
    return 0;
  }
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_crashes),
                                     cmocka_unit_test(test_full_disk),  cmocka_unit_test(test_no_memory),
                                     cmocka_unit_test(test_memory_comes_back), cmocka_unit_test(test_damage),
                                     cmocka_unit_test(test_golden)};
  return cmocka_run_group_tests(tests, start, stop);
}
