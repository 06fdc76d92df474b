/* Failing memory and files while tables are written, read, merged: an error, nothing leaks, the old table stays; and
 * kill -9 at any time. */
#define _GNU_SOURCE
#include "hosts.h"
#include "serve_help.h"
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum { ROWS = 3000 };
static char folder[200], path[256], other[256];

static int leftovers(void) { /* files beside the two tables */
  int n = 0;
  DIR *d = opendir(folder);
  assert_non_null(d);
  for (struct dirent *e; (e = readdir(d)) != NULL;) n += strstr(e->d_name, ".tmp-") != NULL;
  closedir(d);
  return n;
}

static leat_status write_it(leat_runtime *rt, const char *layout, const char *memory, uint64_t n) {
  leat_params *p = NULL;
  leat_table_writer *w = NULL;
  leat_status st = leat_params_create(rt, "table/write", &p, NULL);
  char key[1024];
  if (!st) st = leat_params_set_text(p, "layout", layout, NULL);
  if (!st) st = leat_params_set_text(p, "memory_bytes", memory, NULL);
  if (!st) st = leat_params_set_text(p, "created_ns", "5", NULL);
  if (!st) st = leat_table_writer_create(rt, path, p, NULL, &w, NULL);
  for (uint64_t i = 0; i < n && !st; i++) {
    float v = help_value(i, 0);
    uint64_t size = help_key(0, i, key);
    st = leat_table_writer_add(w, key, size, &v, 1, NULL);
  }
  if (!st) st = leat_table_writer_finish(w, NULL);
  leat_table_writer_free(w);
  leat_params_free(p);
  return st;
}

static leat_status read_it(leat_runtime *rt, const char *from) {
  leat_table *t = NULL;
  leat_table_reader *r = NULL;
  float v;
  int64_t found;
  uint64_t needed;
  char key[1024];
  leat_table_changes c = {.struct_size = sizeof c};
  leat_status st = leat_table_open(rt, from, NULL, &t, NULL);
  if (!st) st = leat_table_reader_create(t, 1 << 20, &r, NULL);
  for (uint64_t i = 0; i < 20 && !st; i++) {
    uint64_t size = help_key(0, i, key);
    st = i & 1 ? leat_table_get(t, key, size, &v, 1, &found, NULL) : leat_table_reader_get(r, key, size, &v, 1, &found, NULL);
    if (!st) assert_true(found == LEAT_TABLE_HIT && v == help_value(i, 0));
  }
  if (!st) st = leat_table_reader_next(r, key, 64, &needed, &v, 1, NULL);
  if (!st) st = leat_table_diff(t, t, 0, NULL, NULL, &c, NULL);
  leat_table_reader_free(r);
  leat_table_free(t);
  return st;
}

static leat_status merge_it(leat_runtime *rt, const char *layout) {
  const char *const paths[] = {path, path};
  leat_params *p = NULL;
  leat_status st = leat_params_create(rt, "table/write", &p, NULL);
  if (!st) st = leat_params_set_text(p, "layout", layout, NULL);
  if (!st) st = leat_table_merge(rt, paths, 2, other, p, NULL);
  leat_params_free(p);
  return st;
}

static leat_status all_of_it(leat_runtime *rt, const char *layout, const char *memory, uint64_t n) {
  leat_status st = write_it(rt, layout, memory, n);
  if (!st) st = read_it(rt, path);
  if (!st) st = merge_it(rt, "hash");
  if (!st) st = merge_it(rt, "sorted");
  return st;
}

static void test_memory(void **state) {
  (void)state;
  static const char *const layouts[] = {"sorted", "hash"};
  for (int l = 0; l < 2; l++) {
    int64_t calls = 0;
    for (int64_t k = 0;; k += k < 120 || getenv("LEAT_SOAK") ? 1 : 7) {
      host_memory m = {0};
      leat_allocator a = host_allocator(&m, k & 1);
      leat_runtime_opts o = {.struct_size = sizeof o, .allocator = &a, .n_threads = 1};
      leat_runtime *rt;
      OK(leat_runtime_create(&o, &rt, &help_err));
      m.fail_at = k ? m.calls + k : 0;
      leat_status st = all_of_it(rt, layouts[l], "268435456", ROWS);
      if (k && m.calls < m.fail_at) calls = m.calls; /* all were tried */
      else if (k) assert_true(st == LEAT_E_MEMORY || st == LEAT_OK); /* OK: growing by less was enough, and all was right */
      if (!k) assert_int_equal(st, LEAT_OK);
      leat_runtime_free(rt);
      assert_true(m.blocks == 0 && m.wrong == 0);
      assert_int_equal(leftovers(), 0);
      if (calls) break;
    }
  }
  remove(path), remove(other);
}

static void test_files(void **state) {
  (void)state;
  static const char *const layouts[] = {"sorted", "hash"}; /* the second with runs on disk */
  static const int32_t codes[] = {ENOSPC, EIO};
  for (int l = 0; l < 2; l++) {
    leat_runtime *plain = help_runtime(1);
    assert_int_equal(write_it(plain, layouts[l], "1048576", 10), LEAT_OK);
    leat_runtime_free(plain);
    uint64_t old_size, size;
    void *old = help_file(path, &old_size), *now;
    for (int64_t k = 1;; k += getenv("LEAT_SOAK") || k < 60 ? 1 : 5) {
      host_files h = {.fail_at = k, .code = codes[k & 1]};
      leat_file_system f = host_file_system(&h);
      leat_runtime_opts o = {.struct_size = sizeof o, .files = &f, .n_threads = 1};
      leat_runtime *rt;
      OK(leat_runtime_create(&o, &rt, &help_err));
      leat_status st = write_it(rt, layouts[l], "1048576", l ? 60000 : ROWS);
      int done = h.calls < k;
      leat_runtime_free(rt);
      assert_int_equal(h.open_now, 0);
      now = help_file(path, &size);
      if (done) assert_int_equal(st, LEAT_OK);
      else if (st) { /* the old one, or, when only what follows the rename failed, the new one */
        assert_int_equal(st, LEAT_E_IO);
        if (size == old_size) assert_memory_equal(now, old, size);
        else {
          leat_runtime *check = help_runtime(1);
          assert_int_equal(read_it(check, path), LEAT_OK);
          leat_runtime_free(check);
        }
      }
      free(now);
      if (done) break;
      FILE *back = fopen(path, "wb");
      assert_int_equal(fwrite(old, 1, old_size, back), old_size);
      fclose(back);
    }
    free(old);
    /* reading: every call */
    for (int64_t k = 1;; k++) {
      host_files h = {.fail_at = k, .code = EIO};
      leat_file_system f = host_file_system(&h);
      leat_runtime_opts o = {.struct_size = sizeof o, .files = &f, .n_threads = 1};
      leat_runtime *rt;
      OK(leat_runtime_create(&o, &rt, &help_err));
      leat_status st = read_it(rt, path);
      int done = h.calls < k;
      leat_runtime_free(rt);
      assert_int_equal(h.open_now, 0);
      if (done) {
        assert_int_equal(st, LEAT_OK);
        break;
      }
      assert_true(st == LEAT_E_IO || st == LEAT_OK); /* a failing close loses nothing */
    }
  }
  remove(path), remove(other);
}

/* Another process writes tables over and over, and is killed: the path always holds a whole one. */
static void test_kill(void **state) {
  (void)state;
  int rounds = getenv("LEAT_SOAK") ? 200 : 12;
  leat_runtime *rt = help_runtime(1);
  assert_int_equal(write_it(rt, "hash", "1048576", 5000), LEAT_OK);
  for (int i = 0; i < rounds; i++) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
      leat_runtime *mine = NULL;
      leat_runtime_opts o = {.struct_size = sizeof o, .n_threads = 1};
      if (leat_runtime_create(&o, &mine, NULL)) _exit(1);
      for (uint64_t n = 20000;; n += 20000) {
        if (write_it(mine, n % 40000 ? "sorted" : "hash", "1048576", 20000 + n % 60000)) _exit(1);
        if (merge_it(mine, n % 40000 ? "hash" : "sorted")) _exit(1);
      }
    }
    struct timespec nap = {0, (long)(help_mix((uint64_t)i) % 120) * 1000000};
    nanosleep(&nap, NULL);
    kill(child, SIGKILL);
    int how;
    waitpid(child, &how, 0);
    assert_true(WIFSIGNALED(how));
    assert_int_equal(read_it(rt, path), LEAT_OK);
    if (access(other, F_OK) == 0) assert_int_equal(read_it(rt, other), LEAT_OK);
  }
  leat_runtime_free(rt);
}

static int begin(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/leat-serve-faults-%ld", (long)getpid());
  snprintf(path, sizeof path, "%s/t.ltab", folder);
  snprintf(other, sizeof other, "%s/u.ltab", folder);
  leat_runtime *rt = help_runtime(1);
  leat_status st = lt_path_make_folder(rt, folder, NULL);
  leat_runtime_free(rt);
  return st;
}
static int end(void **state) {
  (void)state;
  leat_runtime *rt = help_runtime(1);
  host_folder_end(rt, folder);
  leat_runtime_free(rt);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory), cmocka_unit_test(test_files), cmocka_unit_test(test_kill)};
  return cmocka_run_group_tests(tests, begin, end);
}
