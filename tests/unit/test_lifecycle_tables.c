/* Published tables: what is refused and what is forced, going back, what is kept, followers in this process, in its threads
 * and in others, compaction, damage. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include "folder_help.h"

static leat_runtime *rt;
static int start(void **state) {
  (void)state;
  rt = new_runtime(1);
  return !rt || place_start();
}
static int stop(void **state) {
  (void)state;
  lt_runtime_unref(rt);
  wipe(place);
  return 0;
}
static const char *make(const char *name, const char *layout, int64_t n, float at, float each) {
  const char *path = at_place(name);
  OK(little_table(rt, path, layout, n, at, each));
  return path;
}
static leat_status publish(leat_store *s, const char *path, const char *param, double value, leat_publish_report *r) {
  leat_params *p = NULL;
  OK(lt_params_create(rt, &lt_table_publish_spec, &p, &error_of));
  if (param) OK(lt_params_set_f64(p, param, value, &error_of));
  leat_status st = lt_tables_publish(s, "churn", path, p, r, &error_of);
  lt_params_free(p);
  return st;
}

static void test_publish(void **state) {
  (void)state;
  leat_store *s = open_store(rt, at_place("publish"));
  leat_publish_report r;
  leat_published_info i;
  int64_t n, g;
  OK(lt_tables_count(s, &n, &error_of));
  assert_int_equal(n, 0);
  FAILS(LEAT_E_NOT_FOUND, "none is published", lt_tables_rollback(s, "churn", &g, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "index 0", lt_tables_at(s, 0, &i, &error_of));
  OK(publish(s, make("a.ltab", "hash", 1000, 0, .001f), NULL, 0, &r));
  assert_true(r.generation == 1 && r.rows == 1000 && !r.previous_generation && isnan(r.psi));
  OK(publish(s, make("b.ltab", "sorted", 950, 0, .001f), NULL, 0, &r));
  assert_true(r.generation == 2 && r.previous_generation == 1 && r.previous_rows == 1000 && r.psi < r.psi_limit);
  assert_float_equal(r.psi_limit, .25, 1e-9); /* enough rows: the plain limit */
  OK(lt_tables_at(s, 0, &i, &error_of));
  assert_true(i.generation == 2 && i.previous == 1 && i.newest == 2 && i.rows == 950 && !i.flags && i.published_ns > 0);
  assert_string_equal(i.name, "churn");
  assert_float_equal(published_says(s, "churn"), .001f, 0);
  OK(lt_tables_rollback(s, "churn", &g, &error_of));
  assert_int_equal(g, 1);
  FAILS(LEAT_E_NOT_FOUND, "nothing to go back to", lt_tables_rollback(s, "churn", &g, &error_of));
  assert_true(is_there(at_place("publish/tables/churn-2.ltab")));
  OK(publish(s, at_place("a.ltab"), NULL, 0, &r)); /* never a number twice */
  assert_int_equal(r.generation, 3);
  assert_false(is_there(at_place("publish/tables/churn-2.ltab")));
  assert_true(is_there(at_place("publish/tables/churn-1.ltab")));
  FAILS(LEAT_E_NOT_FOUND, "did you mean 'churn'", lt_tables_rollback(s, "chrn", &g, &error_of));
  FAILS(LEAT_E_ARG, "letters", lt_tables_publish(s, "a/b", at_place("a.ltab"), NULL, NULL, &error_of));
  FAILS(LEAT_E_ARG, "temporary", lt_tables_publish(s, "a.tmp-1", at_place("a.ltab"), NULL, NULL, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "nowhere.ltab", lt_tables_publish(s, "churn", at_place("nowhere.ltab"), NULL, NULL, &error_of));
  OK(lt_tables_publish(s, "churn-3", at_place("a.ltab"), NULL, &r, &error_of)); /* a name that looks like a generation */
  assert_int_equal(r.generation, 1);
  OK(lt_folder_verify(s, &error_of));
  OK(lt_folder_gc(s, NULL, &error_of));
  assert_true(is_there(at_place("publish/tables/churn-3-1.ltab")) && is_there(at_place("publish/tables/churn-3.ltab")));
  lt_folder_free(s);
  s = open_store(rt, at_place("publish")); /* gc has compacted the MANIFEST */
  OK(lt_tables_count(s, &n, &error_of));
  assert_int_equal(n, 2);
  OK(lt_tables_at(s, 0, &i, &error_of));
  assert_true(i.generation == 3 && i.previous == 1 && i.newest == 3);
  assert_float_equal(published_says(s, "churn-3"), .001f, 0);
  lt_folder_free(s);
  s = open_with(rt, at_place("publish"), "read_only", 1);
  FAILS(LEAT_E_STATE, "read only", lt_tables_publish(s, "churn", at_place("a.ltab"), NULL, NULL, &error_of));
  FAILS(LEAT_E_STATE, "read only", lt_tables_rollback(s, "churn", &g, &error_of));
  assert_float_equal(published_says(s, "churn"), .001f, 0);
  lt_folder_free(s);
}

static void test_refusals(void **state) {
  (void)state;
  leat_store *s = open_store(rt, at_place("refusals"));
  leat_publish_report r;
  leat_params *p;
  leat_table_writer *w;
  float two[2] = {1, 2};
  OK(publish(s, make("a.ltab", "hash", 5000, 0, .0002f), NULL, 0, &r));
  FAILS(LEAT_E_STATE, "4499 rows", publish(s, make("few.ltab", "hash", 4499, 0, .0002f * 5000 / 4499), NULL, 0, &r));
  assert_true(r.generation == 0 && r.rows == 4499 && r.previous_rows == 5000 && r.psi < .25);
  OK(publish(s, at_place("few.ltab"), "max_row_drop", .11, &r));
  FAILS(LEAT_E_STATE, "psi", publish(s, make("moved.ltab", "hash", 5000, .5f, .0002f), NULL, 0, &r));
  assert_true(r.psi > r.psi_limit && r.value[0]);
  OK(publish(s, at_place("moved.ltab"), "max_psi", 100, &r));
  OK(publish(s, at_place("a.ltab"), "force", 1, &r));
  assert_true(r.generation == 4 && r.psi > r.psi_limit);
  leat_published_info i;
  OK(lt_tables_at(s, 0, &i, &error_of));
  assert_true(i.flags & LEAT_PUBLISHED_FORCED && i.psi > .25);
  OK(lt_params_create(rt, &lt_table_write_spec, &p, &error_of));
  OK(lt_params_set_i64(p, "values", 2, &error_of));
  OK(lt_table_writer_create(rt, at_place("two.ltab"), p, NULL, &w, &error_of));
  OK(lt_table_writer_add(w, "k1", 2, two, 2, &error_of));
  OK(lt_table_writer_finish(w, &error_of));
  lt_table_writer_free(w);
  lt_params_free(p);
  FAILS(LEAT_E_SHAPE, "another name", publish(s, at_place("two.ltab"), NULL, 0, &r));
  OK(publish(s, at_place("two.ltab"), "force", 1, &r));
  assert_int_equal(r.generation, 5);
  /* few rows of the same kind differ by chance alone: that is no reason */
  OK(lt_tables_publish(s, "small", make("s1.ltab", "sorted", 12, .3f, .05f), NULL, &r, &error_of));
  OK(lt_tables_publish(s, "small", make("s2.ltab", "sorted", 12, .37f, .04f), NULL, &r, &error_of));
  assert_true(r.psi <= r.psi_limit);
  FAILS(LEAT_E_STATE, "psi", lt_tables_publish(s, "small", make("s3.ltab", "sorted", 40, 9, .05f), NULL, &r, &error_of));
  assert_true(r.psi > r.psi_limit && r.psi_limit > .25); /* forty rows that lie elsewhere are one */
  OK(lt_tables_publish(s, "none", make("e.ltab", "sorted", 0, 0, 0), NULL, &r, &error_of)); /* an empty one is a table, too */
  OK(lt_tables_publish(s, "none", at_place("a.ltab"), NULL, &r, &error_of));
  FAILS(LEAT_E_STATE, "0 rows", lt_tables_publish(s, "none", at_place("e.ltab"), NULL, &r, &error_of));
  OK(lt_folder_verify(s, &error_of));
  lt_folder_free(s);
}

static void flip(const char *path, long from_end) {
  FILE *f = fopen(path, "r+b");
  assert_non_null(f);
  fseek(f, -from_end, SEEK_END);
  int c = fgetc(f);
  fseek(f, -from_end, SEEK_END);
  fputc(c ^ 1, f);
  fclose(f);
}

static void test_damage(void **state) {
  (void)state;
  leat_store *s = open_store(rt, at_place("damage"));
  leat_publish_report r;
  leat_follower *f;
  int64_t g, found;
  float v;
  OK(publish(s, make("a.ltab", "sorted", 3000, 0, .0002f), NULL, 0, &r));
  make("bad.ltab", "sorted", 3000, 0, .0002f);
  flip(at_place("bad.ltab"), 9000);
  FAILS(LEAT_E_FORMAT, "bad.ltab is damaged", publish(s, at_place("bad.ltab"), NULL, 0, &r));
  FAILS(LEAT_E_FORMAT, "bad.ltab is damaged", publish(s, at_place("bad.ltab"), "force", 1, &r));
  OK(lt_follower_create(s, "churn", NULL, &f, &error_of));
  OK(publish(s, make("b.ltab", "sorted", 3000, .0001f, .0002f), NULL, 0, &r));
  flip(at_place("damage/tables/churn-2.ltab"), 40); /* in what is verified at opening */
  FAILS(LEAT_E_FORMAT, "churn-2.ltab", lt_follower_poll(f, &g, &error_of)); /* the old one goes on */
  assert_int_equal(g, 1);
  OK(lt_follower_get(f, "k1", 2, &v, 1, &found, &error_of));
  assert_true(found == LEAT_TABLE_HIT && v == .0002f);
  FAILS(LEAT_E_FORMAT, "churn-2.ltab", lt_folder_verify(s, &error_of));
  FAILS(LEAT_E_FORMAT, "churn-2.ltab", publish(s, at_place("a.ltab"), NULL, 0, &r)); /* nothing to compare with */
  OK(publish(s, at_place("b.ltab"), "force", 1, &r));
  OK(lt_follower_poll(f, &g, &error_of));
  assert_int_equal(g, 3);
  OK(lt_follower_get(f, "k1", 2, &v, 1, &found, &error_of));
  assert_true(v == .0001f + .0002f);
  FAILS(LEAT_E_FORMAT, "churn-2.ltab", lt_tables_rollback(s, "churn", &g, &error_of)); /* never to a damaged one */
  make("other.ltab", "sorted", 3000, .3f, .0002f); /* whole, but not what was published */
  assert_int_equal(rename(at_place("other.ltab"), at_place("damage/tables/churn-3.ltab")), 0);
  lt_follower_free(f);
  FAILS(LEAT_E_FORMAT, "is not the table", lt_follower_create(s, "churn", NULL, &f, &error_of));
  remove(at_place("damage/tables/churn-2.ltab"));
  FAILS(LEAT_E_FORMAT, "is missing", lt_folder_verify(s, &error_of));
  OK(publish(s, at_place("b.ltab"), "force", 1, &r));
  FAILS(LEAT_E_FORMAT, "is not the table", lt_folder_verify(s, &error_of));
  remove(at_place("damage/tables/churn-3.ltab"));
  remove(at_place("damage/tables/churn-4.ltab"));
  FAILS(LEAT_E_FORMAT, "is missing", lt_follower_create(s, "churn", NULL, &f, &error_of));
  FAILS(LEAT_E_NOT_FOUND, "did you mean", lt_follower_create(s, "chrun", NULL, &f, &error_of));
  lt_follower_free(NULL);
  lt_folder_free(s);
}

/* ---- followers: key k1 of generation g says g; no look-up fails, none goes back, none gives a mixture */

enum { ROWS = 2000 };
typedef struct watch { int64_t lookups, failed, backwards, seen, slowest_ns; } watch;
typedef struct board { volatile int64_t told[128], last; watch w[4]; } board; /* told[g]: when generation g was published */

static int64_t clock_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
static void watch_one(leat_follower *f, board *b, watch *w) {
  float v[2] = {0, 0};
  int64_t found[2], before = w->seen, asked = clock_now();
  leat_table *t;
  int64_t g;
  lt_follower_table(f, &t, &g);
  for (int k = 0; k < 2; k++) {
    const char *key = k ? "k1999" : "k1";
    if (lt_table_get(t, key, strlen(key), &v[k], 1, &found[k], NULL) || found[k] != LEAT_TABLE_HIT) w->failed++;
  }
  if (lt_follower_get(f, "k7", 2, v + 1, 1, &found[1], NULL) || found[1] != LEAT_TABLE_HIT) w->failed++;
  lt_table_free(t);
  w->lookups += 3;
  int64_t says = (int64_t)v[0];
  if (says != g || (float)says != v[0]) w->failed++;
  if (g < before) w->backwards++;
  w->seen = g;
  for (int64_t k = before + 1; k <= g && k < 128; k++) /* how long after it was published this one came to be seen */
    if (b->told[k] && asked - b->told[k] > w->slowest_ns) w->slowest_ns = asked - b->told[k];
}
static void watch_all(leat_follower *f, board *b, watch *w) {
  while (w->seen < b->last) {
    watch_one(f, b, w);
    lt_sleep_ns(200000);
  }
}
/* Publishes generations 1 .. n; the first before anybody looks. */
static void publish_many(leat_store *s, const char *file, board *b, int64_t from, int64_t n) {
  for (int64_t g = from; g <= n; g++) {
    OK(little_table(rt, file, g % 2 ? "hash" : "sorted", ROWS, (float)g, 0));
    OK(publish(s, file, "force", 1, NULL));
    b->told[g] = clock_now();
  }
}

static void test_processes(void **state) {
  (void)state;
  enum { N = 3 };
  const char *path = at_place("processes"), *file = at_place("p.ltab");
  board *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t child[N];
  leat_store *s = open_store(rt, path);
  b->last = 100;
  publish_many(s, file, b, 1, 1);
  for (int i = 0; i < N; i++)
    if ((child[i] = fork()) == 0) {
      leat_runtime *r = new_runtime(1);
      leat_params *p = NULL;
      leat_store *mine = open_with(r, path, "read_only", 1);
      leat_follower *f = NULL;
      int bad = lt_params_create(r, &lt_table_read_spec, &p, NULL) || lt_params_set_i64(p, "map", i % 2, NULL) ||
                lt_follower_create(mine, "churn", p, &f, &error_of);
      if (!bad) watch_all(f, b, &b->w[i]);
      _exit(bad);
    }
  publish_many(s, file, b, 2, b->last);
  for (int i = 0; i < N; i++) {
    int how;
    assert_int_equal(waitpid(child[i], &how, 0), child[i]); /* they end when they have seen the last one */
    assert_int_equal(how, 0);
    print_message("follower %d: %lld look-ups in 100 publishes; at most %.0f ms behind\n", i, (long long)b->w[i].lookups,
                  1e-6 * (double)b->w[i].slowest_ns);
    assert_int_equal(b->w[i].failed, 0);
    assert_int_equal(b->w[i].backwards, 0);
    assert_true(b->w[i].lookups > 100);
  }
  OK(lt_folder_verify(s, &error_of));
  lt_folder_free(s);
  munmap(b, sizeof *b);
}

typedef struct thread_arg { leat_follower *f; board *b; watch *w; } thread_arg;
static void *thread_run(void *arg) {
  thread_arg *a = arg;
  watch_all(a->f, a->b, a->w);
  return NULL;
}
static void test_threads(void **state) {
  (void)state;
  const char *file = at_place("t.ltab");
  static board b;
  pthread_t thread[4];
  thread_arg arg[4];
  leat_params *p;
  leat_follower *f;
  leat_store *s = open_store(rt, at_place("threads"));
  b.last = 30;
  publish_many(s, file, &b, 1, 1);
  OK(lt_params_create(rt, &lt_table_read_spec, &p, &error_of));
  OK(lt_params_set_i64(p, "poll_ms", 2, &error_of));
  OK(lt_follower_create(s, "churn", p, &f, &error_of));
  lt_params_free(p);
  for (int i = 0; i < 4; i++) {
    arg[i] = (thread_arg){f, &b, &b.w[i]};
    assert_int_equal(pthread_create(&thread[i], NULL, thread_run, &arg[i]), 0);
  }
  publish_many(s, file, &b, 2, b.last);
  for (int i = 0; i < 4; i++) {
    pthread_join(thread[i], NULL);
    assert_int_equal(b.w[i].failed, 0);
    assert_int_equal(b.w[i].backwards, 0);
  }
  lt_follower_free(f);
  lt_folder_free(s);
}

/* Publishers in two processes at once: each publishes, no number twice, the kept ones are there. */
static void test_publishers(void **state) {
  (void)state;
  enum { EACH = 15 };
  const char *path = at_place("publishers");
  leat_published_info i;
  leat_store *s = open_store(rt, path);
  pid_t child[2];
  for (int k = 0; k < 2; k++)
    if ((child[k] = fork()) == 0) {
      leat_runtime *r = new_runtime(1);
      leat_store *mine = open_store(r, path);
      const char *file = at_place(k ? "x.ltab" : "y.ltab");
      int bad = 0;
      for (int n = 0; n < EACH && !bad; n++) bad = little_table(r, file, "hash", 600, 0, .001f) || lt_tables_publish(mine, "churn", file, NULL, NULL, &error_of);
      if (bad) print_error("%s\n", error_of.message);
      _exit(bad);
    }
  for (int k = 0; k < 2; k++) {
    int how;
    assert_int_equal(waitpid(child[k], &how, 0), child[k]);
    assert_int_equal(how, 0);
  }
  OK(lt_tables_at(s, 0, &i, &error_of));
  assert_true(i.generation == 2 * EACH && i.newest == 2 * EACH && i.previous == 2 * EACH - 1);
  OK(lt_folder_verify(s, &error_of));
  lt_folder_free(s);
}

/* Publishers are killed at any moment: what answers is a whole generation, and the newest that was acknowledged or one more. */
static void test_killed(void **state) {
  (void)state;
  const char *path = at_place("killed"), *file = at_place("k.ltab");
  volatile int64_t *done = mmap(NULL, sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int rounds = getenv("LEAT_SOAK") ? 300 : 25;
  uint64_t seed = 11;
  leat_store *s = open_store(rt, path);
  OK(little_table(rt, file, "hash", ROWS, 0, .0005f));
  OK(publish(s, file, NULL, 0, NULL));
  *done = 1;
  for (int k = 0; k < rounds; k++) {
    leat_published_info i;
    pid_t child = fork();
    if (child == 0) {
      leat_runtime *r = new_runtime(1);
      leat_store *mine = open_store(r, path);
      for (;;) {
        leat_publish_report report;
        if (lt_tables_publish(mine, "churn", file, NULL, &report, &error_of)) _exit(1);
        *done = report.generation;
      }
    }
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    lt_sleep_ns((int64_t)(seed >> 40) % 40000000 + 3000000);
    kill(child, SIGKILL);
    int how;
    waitpid(child, &how, 0);
    assert_true(WIFSIGNALED(how));
    OK(lt_tables_at(s, 0, &i, &error_of));
    assert_true(i.generation >= *done && i.generation <= *done + 1);
    *done = i.generation;
    assert_float_equal(published_says(s, "churn"), .0005f, 0);
    if (k % 5 == 4) {
      OK(lt_folder_verify(s, &error_of));
      OK(lt_folder_gc(s, NULL, &error_of));
    }
  }
  lt_folder_free(s);
  munmap((void *)(uintptr_t)done, sizeof *done);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_publish), cmocka_unit_test(test_refusals), cmocka_unit_test(test_damage),
                                     cmocka_unit_test(test_processes), cmocka_unit_test(test_threads), cmocka_unit_test(test_publishers),
                                     cmocka_unit_test(test_killed)};
  return cmocka_run_group_tests(tests, start, stop);
}
