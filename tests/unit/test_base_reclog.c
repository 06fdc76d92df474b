/* Record logs: round trip, golden bytes, torn tails against damage, crashes that keep any sectors, failing writes.
 * With --write-golden PATH it writes the golden file instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/hash.h"
#include "base/reclog.h"
#include "base_files_help.h"

static mem_host host;
static leat_runtime *rt;
static int start(void **state) { (void)state; return (rt = host_start(&host)) == NULL; }
static int stop(void **state) { (void)state; return host_stop(&host, rt) != 0; }
static uint64_t seed = 11;

/* The payload of record `sequence` is a function of its number, so any prefix can be checked. */
static uint64_t payload(uint64_t sequence, uint8_t *out) {
  uint64_t state = sequence * 77, size = host_random(&state) % 8 == 0 ? host_random(&state) % 3000 : host_random(&state) % 90;
  for (uint64_t i = 0; i < size; i++) out[i] = (uint8_t)(sequence + i * 7);
  return size;
}
static leat_status append(lt_reclog *l, uint64_t *sequence) {
  uint8_t data[4096];
  uint64_t want = lt_reclog_next_sequence(l), size = payload(want, data);
  leat_status st = lt_reclog_append(l, (uint32_t)(want % 5), data, size, sequence, NULL);
  if (st == LEAT_OK) assert_int_equal(*sequence, want);
  return st;
}
/* Reads from the beginning; every record is right. Returns the number after the last, or -1 for damage. */
static int64_t read_all(const char *path, uint64_t first, int32_t *torn) {
  lt_reclog *l;
  uint8_t data[4096];
  leat_status st = lt_reclog_read_open(rt, path, "TEST", 1, &l, NULL);
  if (st != LEAT_OK) {
    assert_int_equal(st, LEAT_E_FORMAT);
    return -1;
  }
  for (;;) {
    lt_record r;
    int32_t got;
    st = lt_reclog_next(l, &r, &got, torn, NULL);
    if (st != LEAT_OK) {
      assert_int_equal(st, LEAT_E_FORMAT);
      assert_int_equal(got, 0);
      assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
      return -1;
    }
    if (!got) break;
    assert_int_equal(r.sequence, first);
    assert_int_equal(r.type, first % 5);
    assert_int_equal(r.size, payload(first, data));
    if (r.size) assert_memory_equal(r.data, data, r.size);
    first++;
  }
  assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
  return (int64_t)first;
}
static lt_reclog *create(const char *path, uint64_t first) {
  lt_reclog *l;
  (void)host_remove(&host, path);
  assert_int_equal(lt_reclog_create(rt, path, "TEST", 1, first, &l, NULL), LEAT_OK);
  return l;
}

static void test_round_trip(void **state) {
  (void)state;
  uint64_t sequence, torn;
  int32_t tail;
  lt_reclog *l = create("log", 100), *again;
  assert_int_equal(lt_reclog_create(rt, "log", "TEST", 1, 0, &again, NULL), LEAT_E_STATE);
  assert_null(again);
  assert_int_equal(read_all("log", 100, &tail), 100);
  for (int i = 0; i < 1000; i++) {
    assert_int_equal(append(l, &sequence), LEAT_OK);
    if (i % 100 == 0) assert_int_equal(lt_reclog_sync(l, NULL), LEAT_OK);
  }
  assert_int_equal(lt_reclog_flush(l, NULL), LEAT_OK);
  assert_int_equal(lt_reclog_size(l), host_find(&host, "log", 0)->size);
  assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
  assert_int_equal(read_all("log", 100, &tail), 1100);
  assert_int_equal(tail, 0);
  assert_int_equal(lt_reclog_append_open(rt, "log", "TEST", 1, &l, &torn, NULL), LEAT_OK);
  assert_int_equal(torn, 0);
  assert_int_equal(lt_reclog_next_sequence(l), 1100);
  for (int i = 0; i < 50; i++) assert_int_equal(append(l, &sequence), LEAT_OK);
  assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK); /* flushes */
  assert_int_equal(read_all("log", 100, &tail), 1150);
  assert_int_equal(lt_reclog_append_open(rt, "log", "OTHR", 1, &l, &torn, NULL), LEAT_E_FORMAT);
  assert_int_equal(lt_reclog_append_open(rt, "log", "TEST", 0, &l, &torn, NULL), LEAT_E_VERSION);
  assert_int_equal(lt_reclog_append_open(rt, "no log", "TEST", 1, &l, &torn, NULL), LEAT_E_NOT_FOUND);
  assert_null(l);
  assert_int_equal(lt_reclog_close(NULL, NULL), LEAT_OK);
}

static void test_seek_and_follow(void **state) {
  (void)state;
  uint64_t sequence, offsets[40];
  lt_record r;
  int32_t got, torn;
  lt_reclog *w = create("log", 0), *l;
  assert_int_equal(lt_reclog_read_open(rt, "log", "TEST", 1, &l, NULL), LEAT_OK);
  for (int i = 0; i < 40; i++) { /* a reader beside the writer sees what was flushed */
    assert_int_equal(lt_reclog_next(l, &r, &got, &torn, NULL), LEAT_OK);
    assert_int_equal(got, 0);
    assert_int_equal(append(w, &sequence), LEAT_OK);
    assert_int_equal(lt_reclog_next(l, &r, &got, &torn, NULL), LEAT_OK);
    assert_int_equal(got, 0);
    assert_int_equal(lt_reclog_flush(w, NULL), LEAT_OK);
    assert_int_equal(lt_reclog_next(l, &r, &got, &torn, NULL), LEAT_OK);
    assert_int_equal(got, 1);
    assert_int_equal(r.sequence, i);
    offsets[i] = r.offset;
  }
  mem_file *f = host_find(&host, "log", 0);
  uint64_t whole = f->size;
  assert_int_equal(append(w, &sequence), LEAT_OK);
  assert_int_equal(lt_reclog_flush(w, NULL), LEAT_OK);
  uint64_t longer = f->size;
  f->size = whole + 20; /* the writer is half-way through the record */
  assert_int_equal(lt_reclog_next(l, &r, &got, &torn, NULL), LEAT_OK);
  assert_true(!got && torn);
  f->size = longer;
  assert_int_equal(lt_reclog_next(l, &r, &got, &torn, NULL), LEAT_OK);
  assert_true(got && !torn && r.sequence == 40);
  for (int i = 39; i >= 0; i -= 3) {
    assert_int_equal(lt_reclog_seek(l, offsets[i], NULL), LEAT_OK);
    assert_int_equal(lt_reclog_next(l, &r, &got, &torn, NULL), LEAT_OK);
    assert_true(got && r.sequence == (uint64_t)i);
    assert_int_equal(lt_reclog_next(l, &r, &got, &torn, NULL), LEAT_OK);
    assert_true(got && r.sequence == (uint64_t)i + 1);
  }
  assert_int_equal(lt_reclog_seek(l, 0, NULL), LEAT_OK);
  assert_int_equal(lt_reclog_next(l, &r, &got, &torn, NULL), LEAT_OK);
  assert_true(got && r.sequence == 0);
  assert_int_equal(lt_reclog_seek(l, offsets[3] + 4, NULL), LEAT_E_RANGE);
  assert_int_equal(lt_reclog_seek(l, longer + 8, NULL), LEAT_E_RANGE);
  assert_int_equal(lt_reclog_append(l, 0, "x", 1, NULL, NULL), LEAT_E_STATE);
  assert_int_equal(lt_reclog_next(w, &r, &got, &torn, NULL), LEAT_E_STATE);
  assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
  assert_int_equal(lt_reclog_close(w, NULL), LEAT_OK);
}

/* Cut at every byte: the whole records before the cut, and the tail is cut off when it is opened for append. */
static void test_cuts(void **state) {
  (void)state;
  static uint8_t bytes[1 << 16];
  uint64_t sequence, torn, ends[40], n;
  lt_reclog *l = create("log", 5);
  for (int i = 0; i < 40; i++) {
    assert_int_equal(append(l, &sequence), LEAT_OK);
    ends[i] = lt_reclog_size(l);
  }
  assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
  mem_file *f = host_find(&host, "log", 0);
  n = f->size;
  assert_true(n < sizeof bytes);
  memcpy(bytes, f->now, n);
  for (uint64_t cut = 0; cut < n; cut++) {
    int32_t tail = 0;
    int whole = 0;
    memcpy(f->now, bytes, n);
    f->size = cut;
    while (whole < 40 && ends[whole] <= cut) whole++;
    uint64_t good = whole ? ends[whole - 1] : 32;
    int64_t next = read_all("log", 5, &tail);
    assert_int_equal(next, cut < 32 ? -1 : 5 + whole);
    if (cut < 32) continue;
    assert_int_equal(tail, cut > good);
    if (cut % 7 && cut > 500) continue;
    assert_int_equal(lt_reclog_append_open(rt, "log", "TEST", 1, &l, &torn, NULL), LEAT_OK);
    assert_int_equal(torn, cut - good);
    assert_int_equal(append(l, &sequence), LEAT_OK);
    assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
    assert_int_equal(read_all("log", 5, &tail), 5 + whole + 1);
    assert_int_equal(tail, 0);
  }
}

/* Every bit of a synced log with synced records behind it: never another record, never a record lost in silence. */
static void test_damage(void **state) {
  (void)state;
  uint64_t sequence, torn, safe;
  int32_t tail;
  lt_reclog *l = create("log", 0);
  for (int i = 0; i < 30; i++) assert_int_equal(append(l, &sequence), LEAT_OK);
  assert_int_equal(lt_reclog_sync(l, NULL), LEAT_OK);
  safe = lt_reclog_size(l); /* what comes behind proves that all before it was on the disk */
  for (int i = 0; i < 2; i++) assert_int_equal(append(l, &sequence), LEAT_OK);
  assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
  mem_file *f = host_find(&host, "log", 0);
  for (uint64_t bit = 0; bit < f->size * 8; bit++) {
    if (bit / 8 >= 400 && bit % 5) continue;
    f->now[bit / 8] ^= (uint8_t)(1u << bit % 8);
    if (bit / 8 >= 8 && bit / 8 < 16) { /* kind and version: judged after the checksum */
      assert_int_equal(lt_reclog_read_open(rt, "log", "TEST", 1, &l, NULL), LEAT_E_FORMAT);
    } else if (bit / 8 < safe) {
      uint64_t size = f->size;
      assert_int_equal(read_all("log", 0, &tail), -1);
      assert_int_equal(lt_reclog_append_open(rt, "log", "TEST", 1, &l, &torn, NULL), LEAT_E_FORMAT);
      assert_null(l);
      assert_int_equal(f->size, size); /* nothing was cut off */
    } else {
      int64_t next = read_all("log", 0, &tail);
      assert_true(next == 30 || next == 31);
      assert_int_equal(tail, 1);
    }
    f->now[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
  assert_int_equal(read_all("log", 0, &tail), 32);
}

/* Power fails at random moments; whatever sectors survive, all synced records are there, in order, and the log goes on. */
static void test_crashes(void **state) {
  (void)state;
  int rounds = getenv("LEAT_SOAK") ? 20000 : 600;
  int64_t torn_seen = 0;
  for (int round = 0; round < rounds; round++) {
    uint64_t first = host_random(&seed) % 1000, synced = first, sequence, torn;
    lt_reclog *l = create("log", first);
    for (int lives = 0; lives < 4; lives++) {
      int n = (int)(host_random(&seed) % 60);
      for (int i = 0; i < n; i++) {
        assert_int_equal(append(l, &sequence), LEAT_OK);
        uint64_t r = host_random(&seed) % 12;
        if (r == 0) {
          assert_int_equal(lt_reclog_sync(l, NULL), LEAT_OK);
          synced = sequence + 1;
        } else if (r < 4) {
          assert_int_equal(lt_reclog_flush(l, NULL), LEAT_OK);
        }
      }
      if (host_random(&seed) % 2) assert_int_equal(lt_reclog_flush(l, NULL), LEAT_OK);
      if (host_random(&seed) % 3) {
        host_crash(&host, host_random(&seed));
        mem_file *f = host_find(&host, "log", 0), now = *f;
        uint8_t *kept = malloc(now.size + 1);
        assert_non_null(kept);
        memcpy(kept, f->now, now.size);
        assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK); /* writes: put back what the crash left */
        memset(f->now, 0, f->size);
        memcpy(f->now, kept, now.size);
        f->size = now.size;
        free(kept);
      } else { /* only the process died */
        assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
      }
      int32_t tail = 0;
      int64_t next = read_all("log", first, &tail);
      if (next < (int64_t)synced) fail_msg("round %d: %lld records, %llu were synced", round, (long long)next, (unsigned long long)synced);
      assert_int_equal(lt_reclog_append_open(rt, "log", "TEST", 1, &l, &torn, NULL), LEAT_OK);
      assert_int_equal(lt_reclog_next_sequence(l), next);
      assert_int_equal(torn != 0, tail != 0);
      torn_seen += torn != 0;
      synced = (uint64_t)next;
      host_crash(&host, host_random(&seed)); /* what opening found is durable */
      assert_int_equal(read_all("log", first, &tail), next);
      assert_int_equal(tail, 0);
    }
    assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
  }
  assert_true(torn_seen > rounds / 4);
}

static void test_failing_disk(void **state) {
  (void)state;
  uint64_t sequence;
  int32_t tail;
  leat_error err = {.struct_size = sizeof err};
  for (int what = 0; what < 2; what++) {
    lt_reclog *l = create("log", 0);
    for (int i = 0; i < 10; i++) assert_int_equal(append(l, &sequence), LEAT_OK);
    assert_int_equal(lt_reclog_sync(l, NULL), LEAT_OK);
    assert_int_equal(append(l, &sequence), LEAT_OK);
    if (what) host.fail_sync = 1;
    else host.fail_write = 1;
    assert_int_equal(lt_reclog_sync(l, &err), LEAT_E_IO);
    assert_int_equal(err.os_code, what ? EIO : ENOSPC);
    host.fail_sync = host.fail_write = 0;
    uint64_t size = host_find(&host, "log", 0)->size;
    assert_int_equal(append(l, &sequence), LEAT_E_IO); /* never written again */
    assert_int_equal(lt_reclog_flush(l, NULL), LEAT_E_IO);
    assert_int_equal(lt_reclog_sync(l, NULL), LEAT_E_IO);
    assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
    assert_int_equal(host_find(&host, "log", 0)->size, size);
    assert_true(read_all("log", 0, &tail) >= 10);
  }
  host.fail_sync = 1; /* creating: whole or not at all */
  lt_reclog *l;
  (void)host_remove(&host, "log");
  assert_int_equal(lt_reclog_create(rt, "log", "TEST", 1, 0, &l, &err), LEAT_E_IO);
  host.fail_sync = 0;
  assert_null(l);
  assert_null(host_find(&host, "log", 0));
}

static void test_no_memory(void **state) {
  (void)state;
  int64_t before = host.blocks;
  int done = 0;
  for (int64_t nth = 1; !done; nth++) {
    lt_reclog *l = NULL;
    uint64_t sequence, torn;
    lt_record r;
    int32_t got = 0, tail;
    (void)host_remove(&host, "memory");
    host.fail_alloc = nth;
    leat_status st = lt_reclog_create(rt, "memory", "TEST", 1, 0, &l, NULL);
    if (st == LEAT_OK) st = lt_reclog_append(l, 1, "abc", 3, &sequence, NULL);
    leat_status closed = lt_reclog_close(l, NULL);
    if (st == LEAT_OK) st = closed;
    l = NULL;
    if (st == LEAT_OK) st = lt_reclog_append_open(rt, "memory", "TEST", 1, &l, &torn, NULL);
    if (st == LEAT_OK) st = lt_reclog_close(l, NULL);
    l = NULL;
    if (st == LEAT_OK) st = lt_reclog_read_open(rt, "memory", "TEST", 1, &l, NULL);
    if (st == LEAT_OK) st = lt_reclog_next(l, &r, &got, &tail, NULL);
    (void)lt_reclog_close(l, NULL);
    done = host.fail_alloc > 0;
    host.fail_alloc = 0;
    assert_int_equal(st, done ? LEAT_OK : LEAT_E_MEMORY);
    if (done) assert_int_equal(got, 1);
    assert_int_equal(host.blocks, before);
  }
}

/* An enemy's records: right checksums, wrong numbers, durable claims, sizes. Errors or a prefix, nothing else. */
static void test_lies(void **state) {
  (void)state;
  uint64_t sequence, torn;
  int32_t tail;
  lt_reclog *l = create("log", 3);
  for (int i = 0; i < 20; i++) assert_int_equal(append(l, &sequence), LEAT_OK);
  assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
  mem_file *f = host_find(&host, "log", 0);
  uint8_t *good = malloc(f->size);
  assert_non_null(good);
  memcpy(good, f->now, f->size);
  uint64_t n = f->size, at[20], o = 32;
  for (int i = 0; i < 20; i++) {
    at[i] = o;
    o += 32 + ((uint64_t)(good[o] | good[o + 1] << 8) + 7) / 8 * 8;
  }
  assert_int_equal(o, n);
  for (int round = 0; round < 4000; round++) {
    memcpy(f->now, good, n);
    f->size = n;
    uint64_t r = at[host_random(&seed) % 20];
    f->now[r + host_random(&seed) % 24] ^= (uint8_t)(1u << host_random(&seed) % 8);
    uint64_t size = (uint64_t)(f->now[r] | f->now[r + 1] << 8 | f->now[r + 2] << 16) | (uint64_t)f->now[r + 3] << 24;
    if (size <= n - r - 32) {
      uint64_t sum = lt_hash64(f->now + r + 32, size, lt_hash64(f->now + r, 24, 0));
      for (int i = 0; i < 8; i++) f->now[r + 24 + (uint64_t)i] = (uint8_t)(sum >> (8 * i));
    }
    lt_record rec;
    int32_t got = 1;
    assert_int_equal(lt_reclog_read_open(rt, "log", "TEST", 1, &l, NULL), LEAT_OK);
    while (got && lt_reclog_next(l, &rec, &got, &tail, NULL) == LEAT_OK) {
      uint64_t sum = got ? lt_hash64(rec.data, rec.size, 0) : 0;
      (void)sum;
    }
    assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
    leat_status st = lt_reclog_append_open(rt, "log", "TEST", 1, &l, &torn, NULL);
    assert_true(st == LEAT_OK || st == LEAT_E_FORMAT);
    (void)lt_reclog_close(l, NULL);
  }
  free(good);
}

static void golden(lt_reclog *l) {
  uint64_t sequence;
  assert_int_equal(lt_reclog_append(l, 1, "first", 5, &sequence, NULL), LEAT_OK);
  assert_int_equal(lt_reclog_append(l, 2, NULL, 0, &sequence, NULL), LEAT_OK);
  assert_int_equal(lt_reclog_sync(l, NULL), LEAT_OK);
  assert_int_equal(lt_reclog_append(l, 1, "12345678", 8, &sequence, NULL), LEAT_OK);
  assert_int_equal(lt_reclog_sync(l, NULL), LEAT_OK);
}

/* Logs that earlier versions of leat wrote are read for ever, and those of the newest are written the same today. */
static void read_golden(const char *path, int newest) {
  static uint8_t bytes[4096];
  static const struct { uint32_t type; const char *text; } want[] = {{1, "first"}, {2, ""}, {1, "12345678"}};
  FILE *in = fopen(path, "rb");
  if (!in) fail_msg("%s cannot be opened: run from the repository's root", path);
  size_t n = fread(bytes, 1, sizeof bytes, in);
  fclose(in);
  lt_reclog *l = create("log", 42);
  golden(l);
  assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
  mem_file *f = host_find(&host, "log", 0);
  assert_int_equal(f->size, n);
  if (newest) assert_memory_equal(f->now, bytes, n);
  assert_memory_equal(bytes, newest ? "\x89LLO2\r\n\x1aTEST\1\0\0\0\x2a\0\0\0\0\0\0\0"
                                    : "\x89LLOG\r\n\x1aTEST\1\0\0\0\x2a\0\0\0\0\0\0\0", 24);
  memcpy(f->now, bytes, n);
  assert_int_equal(lt_reclog_read_open(rt, "log", "TEST", 1, &l, NULL), LEAT_OK);
  for (uint64_t i = 0; i < 4; i++) {
    lt_record r;
    int32_t got, torn;
    assert_int_equal(lt_reclog_next(l, &r, &got, &torn, NULL), LEAT_OK);
    assert_int_equal(got, i < 3);
    if (i == 3) break;
    assert_int_equal(r.sequence, 42 + i);
    assert_int_equal(r.type, want[i].type);
    assert_int_equal(r.size, strlen(want[i].text));
    if (r.size) assert_memory_equal(r.data, want[i].text, r.size);
  }
  assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
  lt_record r; /* and continued in their own way */
  int32_t got = 1, torn;
  assert_int_equal(lt_reclog_append_open(rt, "log", "TEST", 1, &l, NULL, NULL), LEAT_OK);
  assert_int_equal(lt_reclog_append(l, 0x10000, "x", 1, NULL, NULL), LEAT_E_RANGE);
  assert_int_equal(lt_reclog_append(l, 9, "later", 5, NULL, NULL), LEAT_OK);
  assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
  assert_int_equal(lt_reclog_read_open(rt, "log", "TEST", 1, &l, NULL), LEAT_OK);
  for (int i = 0; i < 4; i++) assert_int_equal(lt_reclog_next(l, &r, &got, &torn, NULL), LEAT_OK);
  assert_true(got && r.sequence == 45 && r.type == 9 && r.size == 5);
  assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
}

static void test_golden(void **state) {
  (void)state;
  read_golden("tests/golden/reclog-v1.bin", 0);
  read_golden("tests/golden/reclog-v2.bin", 1);
}

/* A torn record full of numbers that could be heads, as the positions of rows are: no damage, and no endless search. */
static void test_torn_numbers(void **state) {
  (void)state;
  enum { NUMBERS = 100000 };
  uint64_t *numbers = malloc(NUMBERS * sizeof *numbers), torn = 0;
  for (uint64_t i = 0; i < NUMBERS; i++) numbers[i] = 1000 + i % 1000;
  lt_reclog *l = create("log", 1);
  for (int i = 0; i < 5000; i++) assert_int_equal(lt_reclog_append(l, 1, "12345678", 8, NULL, NULL), LEAT_OK);
  assert_int_equal(lt_reclog_sync(l, NULL), LEAT_OK);
  assert_int_equal(lt_reclog_append(l, 2, numbers, NUMBERS * sizeof *numbers, NULL, NULL), LEAT_OK);
  assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
  host_find(&host, "log", 0)->size -= 8;
  assert_int_equal(lt_reclog_append_open(rt, "log", "TEST", 1, &l, &torn, NULL), LEAT_OK);
  assert_int_equal(torn, 32 + NUMBERS * sizeof *numbers - 8);
  assert_int_equal(lt_reclog_next_sequence(l), 5001);
  assert_int_equal(lt_reclog_close(l, NULL), LEAT_OK);
  free(numbers);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--write-golden") == 0) {
    FILE *out = fopen(argv[2], "wb");
    if (start(NULL) || !out) return 1;
    lt_reclog *l = create("log", 42);
    golden(l);
    mem_file *f = host_find(&host, "log", 0);
    return fwrite(f->now, 1, f->size, out) != f->size || fclose(out) != 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip), cmocka_unit_test(test_seek_and_follow), cmocka_unit_test(test_cuts),
      cmocka_unit_test(test_damage),     cmocka_unit_test(test_crashes),         cmocka_unit_test(test_failing_disk),
      cmocka_unit_test(test_no_memory),  cmocka_unit_test(test_lies),            cmocka_unit_test(test_golden), cmocka_unit_test(test_torn_numbers)};
  return cmocka_run_group_tests(tests, start, stop);
}
