/* lib/base/log.c: the ring and the sink. */
#include "hosts.h"

static void test_levels_and_order(void **state) {
  leat_runtime_opts opts = {.struct_size = sizeof opts, .log_level = LEAT_LOG_INFO};
  leat_runtime *rt = host_runtime(&opts);
  char buf[2000];
  int64_t level = -1, time_ns = -1;
  uint64_t needed = 99;
  (void)state;
  assert_int_equal(lt_log_read(rt, &level, &time_ns, buf, sizeof buf, &needed), LEAT_OK);
  assert_int_equal(needed, 0);
  lt_log(rt, LEAT_LOG_INFO, "first %d", 1);
  lt_log(rt, LEAT_LOG_DEBUG, "not this one");
  lt_log(rt, LEAT_LOG_ERROR, "second %s", "2");
  assert_int_equal(lt_log_read(rt, &level, &time_ns, buf, 7, &needed), LEAT_E_CAPACITY);
  assert_int_equal(needed, 8);
  assert_int_equal(lt_log_read(rt, NULL, NULL, NULL, 0, &needed), LEAT_E_CAPACITY);
  assert_int_equal(lt_log_read(rt, &level, &time_ns, buf, 8, &needed), LEAT_OK); /* it stayed */
  assert_string_equal(buf, "first 1");
  assert_int_equal(level, LEAT_LOG_INFO);
  assert_true(time_ns > (int64_t)1600000000 * 1000000000);
  assert_int_equal(lt_log_read(rt, &level, NULL, buf, sizeof buf, &needed), LEAT_OK);
  assert_string_equal(buf, "second 2");
  assert_int_equal(level, LEAT_LOG_ERROR);
  memset(buf, 'x', sizeof buf - 1);
  buf[sizeof buf - 1] = 0;
  lt_log(rt, LEAT_LOG_ERROR, "%s", buf); /* longer than a line of the log */
  lt_log(rt, LEAT_LOG_ERROR, "%s", "");
  assert_int_equal(lt_log_read(rt, NULL, NULL, buf, sizeof buf, &needed), LEAT_OK);
  assert_true(strlen(buf) < 1100 && strlen(buf) > 900);
  assert_string_equal(buf + strlen(buf) - 4, "x...");
  assert_int_equal(lt_log_read(rt, NULL, NULL, buf, sizeof buf, &needed), LEAT_OK);
  assert_int_equal(needed, 1); /* an empty message is a message */
  assert_int_equal(lt_log_read(rt, NULL, NULL, buf, sizeof buf, &needed), LEAT_OK);
  assert_int_equal(needed, 0);
  lt_runtime_unref(rt);
}

/* A full ring drops the oldest and counts them; what is left is whole and in order, at any ring size. */
static void test_overflow(void **state) {
  (void)state;
  for (int64_t cap = 256; cap < 400; cap += 7) {
    leat_runtime_opts opts = {.struct_size = sizeof opts, .log_bytes = cap};
    leat_runtime *rt = host_runtime(&opts);
    char buf[1200], want[300];
    uint64_t needed;
    int last = -1, read = 0;
    for (int i = 0; i < 200; i++) lt_log(rt, LEAT_LOG_ERROR, "%d %.*s", i, i % 90, "0123456789012345678901234567890123456789"
                                         "01234567890123456789012345678901234567890123456789");
    for (;;) {
      assert_int_equal(lt_log_read(rt, NULL, NULL, buf, sizeof buf, &needed), LEAT_OK);
      if (!needed) break;
      int i = atoi(buf);
      if (last >= 0) assert_int_equal(i, last + 1);
      snprintf(want, sizeof want, "%d %.*s", i, i % 90, "0123456789012345678901234567890123456789"
               "01234567890123456789012345678901234567890123456789");
      assert_string_equal(buf, want);
      last = i;
      read++;
    }
    assert_int_equal(last, 199);
    assert_true(read >= 1);
    assert_int_equal(host_stat(rt, "log_lost"), 200 - read);
    memset(buf, 'y', sizeof buf - 1);
    buf[sizeof buf - 1] = 0;
    lt_log(rt, LEAT_LOG_ERROR, "%s", buf); /* more than the whole ring */
    assert_int_equal(lt_log_read(rt, NULL, NULL, buf, sizeof buf, &needed), LEAT_OK);
    assert_true(needed > 200 && needed <= (uint64_t)cap);
    lt_runtime_unref(rt);
  }
}

typedef struct sink_seen { int64_t n, foreign, inner; char text[64][64]; leat_runtime *rt; const void *thread; } sink_seen;
static _Thread_local char sink_here;
static void sink_write(void *user, int64_t level, const char *text, uint64_t size) {
  sink_seen *s = user;
  (void)level;
  if (&sink_here != s->thread) __atomic_add_fetch(&s->foreign, 1, __ATOMIC_RELAXED);
  if (s->n < 64) snprintf(s->text[s->n], 64, "%.*s", (int)size, text);
  s->n++;
  if (s->rt && !s->inner) { /* the sink may read the ring */
    char buf[100];
    uint64_t needed;
    s->inner = 1;
    lt_log_read(s->rt, NULL, NULL, buf, sizeof buf, &needed);
  }
}

typedef struct log_task { leat_runtime *rt; } log_task;
static void log_one(void *arg, int64_t index) { lt_log(((log_task *)arg)->rt, LEAT_LOG_WARN, "task %d", (int)index); }

/* What workers log reaches the sink too, but on the thread that called in. */
static void test_sink(void **state) {
  sink_seen seen = {.thread = &sink_here};
  leat_log_sink sink = {sizeof sink, &seen, sink_write};
  leat_runtime_opts opts = {.struct_size = sizeof opts, .log = &sink, .n_threads = 4};
  leat_runtime *rt = host_runtime(&opts);
  log_task arg = {rt};
  int64_t found = 0;
  (void)state;
  seen.rt = rt;
  lt_log(rt, LEAT_LOG_ERROR, "hello %s", "sink");
  assert_int_equal(seen.n, 1);
  assert_string_equal(seen.text[0], "hello sink");
  lt_log(rt, LEAT_LOG_INFO, "below the level");
  assert_int_equal(seen.n, 1);
  for (int round = 0; round < 20; round++) {
    seen.n = 0;
    assert_int_equal(lt_parallel_for(rt, 50, log_one, &arg), LEAT_OK);
    assert_int_equal(seen.n, 50);
    for (int i = 0; i < 50; i++) found += 1ll << (atoi(seen.text[i] + 5) % 50);
    assert_int_equal(found, (1ll << 50) - 1);
    found = 0;
  }
  assert_int_equal(seen.foreign, 0);
  lt_runtime_unref(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_levels_and_order), cmocka_unit_test(test_overflow),
                                     cmocka_unit_test(test_sink)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
