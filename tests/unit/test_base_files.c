/* lib/base/files.c and posix_files.c: whole reads and writes, sentences, atomic replacement under failures. */
#define _XOPEN_SOURCE 700
#include "hosts.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[256];
static leat_runtime *plain;

static int folder_begin(void **state) {
  (void)state;
  plain = host_runtime(NULL);
  host_folder(plain, folder);
  return 0;
}
static int folder_end(void **state) {
  (void)state;
  host_folder_end(plain, folder);
  lt_runtime_unref(plain);
  return 0;
}
static const char *in_folder(const char *name) {
  static char path[4][512];
  static int turn;
  char *p = path[turn++ & 3];
  snprintf(p, 512, "%s/%s", folder, name);
  return p;
}

static void test_read_write(void **state) {
  leat_error err = {.struct_size = sizeof err};
  const char *path = in_folder("rw");
  uint8_t data[10000], back[10000];
  uint64_t done = 0, size = 0;
  lt_file *f = NULL, *g = NULL;
  (void)state;
  for (uint64_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 13);
  for (uint64_t cut = 0; cut < 3; cut++) {
    host_files h = {.short_io = cut * 777, .fail_at = -1};
    leat_file_system table = host_file_system(&h);
    leat_runtime_opts opts = {.struct_size = sizeof opts, .files = &table};
    leat_runtime *rt = host_runtime(&opts);
    assert_int_equal(lt_file_open(rt, path, LEAT_FILE_READ | LEAT_FILE_WRITE | LEAT_FILE_CREATE | LEAT_FILE_TRUNCATE, &f,
                                  &err), LEAT_OK);
    assert_int_equal(lt_file_write(f, 0, data, sizeof data, &err), LEAT_OK);
    assert_int_equal(lt_file_sync(f, &err), LEAT_OK);
    assert_int_equal(lt_file_size(f, &size, &err), LEAT_OK);
    assert_int_equal(size, sizeof data);
    memset(back, 0, sizeof back);
    assert_int_equal(lt_file_read(f, 0, back, sizeof back, &err), LEAT_OK);
    assert_memory_equal(back, data, sizeof data);
    assert_int_equal(lt_file_read_some(f, 9000, back, sizeof back, &done, &err), LEAT_OK);
    assert_int_equal(done, 1000);
    assert_int_equal(lt_file_read(f, 9000, back, 1001, &err), LEAT_E_FORMAT);
    assert_non_null(strstr(err.message, "ends at byte 10000, 1 more"));
    assert_int_equal(lt_file_truncate(f, 10, &err), LEAT_OK);
    assert_int_equal(lt_file_size(f, &size, &err), LEAT_OK);
    assert_int_equal(size, 10);
    assert_int_equal(lt_file_lock(f, 2, &err), LEAT_OK);
    assert_int_equal(lt_file_open(rt, path, LEAT_FILE_READ, &g, &err), LEAT_OK);
    assert_int_equal(lt_file_lock(g, 1, &err), LEAT_E_BUSY);
    assert_int_equal(lt_file_lock(f, 0, &err), LEAT_OK);
    assert_int_equal(lt_file_lock(g, 1, &err), LEAT_OK);
    assert_int_equal(lt_file_close(g, &err), LEAT_OK);
    assert_int_equal(lt_file_close(f, &err), LEAT_OK);
    assert_int_equal(lt_file_close(NULL, &err), LEAT_OK);
    assert_int_equal(h.open_now, 0);
    lt_runtime_unref(rt);
  }
}

static void test_sentences(void **state) {
  leat_error err = {.struct_size = sizeof err};
  char longest[6000];
  lt_file *f = (lt_file *)(void *)&err;
  void *data;
  uint64_t size;
  (void)state;
  assert_int_equal(lt_file_open(plain, in_folder("nothing"), LEAT_FILE_READ, &f, &err), LEAT_E_NOT_FOUND);
  assert_null(f);
  assert_int_equal(err.os_code, ENOENT);
  assert_non_null(strstr(err.message, "nothing: No such file or directory"));
  assert_int_equal(lt_file_open(plain, folder, LEAT_FILE_READ, &f, &err), LEAT_E_IO);
  assert_non_null(strstr(err.message, "Is a directory"));
  assert_int_equal(lt_file_load(plain, folder, 1000, &data, &size, &err), LEAT_E_IO);
  assert_int_equal(lt_file_open(plain, in_folder("no/such"), LEAT_FILE_WRITE | LEAT_FILE_CREATE, &f, &err), LEAT_E_IO);
  assert_int_equal(lt_file_open(plain, "", LEAT_FILE_READ, &f, &err), LEAT_E_NOT_FOUND);
  memset(longest, 'q', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  assert_int_equal(lt_file_open(plain, longest, LEAT_FILE_READ, &f, &err), LEAT_E_IO);
  assert_non_null(strstr(err.message, ": File name too long")); /* the reason is there behind any path */
  assert_int_equal(lt_path_list(plain, in_folder("nothing"), host_name_add, NULL, &err), LEAT_E_NOT_FOUND);
  assert_int_equal(lt_path_remove(plain, in_folder("nothing"), &err), LEAT_E_IO);
  assert_int_equal(lt_path_rename(plain, in_folder("nothing"), in_folder("b"), &err), LEAT_E_IO);
}

static void put_file(const char *path, const char *text) {
  assert_int_equal(lt_file_replace(plain, path, text, strlen(text), NULL), LEAT_OK);
}
static void expect_file(const char *path, const char *text) {
  void *data = NULL;
  uint64_t size = 0;
  assert_int_equal(lt_file_load(plain, path, 1 << 24, &data, &size, NULL), LEAT_OK);
  assert_int_equal(size, strlen(text));
  assert_memory_equal(data, text, size);
  lt_free(plain, data);
}

static void test_load(void **state) {
  leat_error err = {.struct_size = sizeof err};
  void *data = NULL;
  uint64_t size = 0;
  (void)state;
  put_file(in_folder("load"), "0123456789");
  for (uint64_t limit = 0; limit < 10; limit++) {
    assert_int_equal(lt_file_load(plain, in_folder("load"), limit, &data, &size, &err), LEAT_E_MEMORY);
    assert_null(data);
  }
  assert_int_equal(lt_file_load(plain, in_folder("load"), 10, &data, &size, &err), LEAT_OK);
  assert_int_equal(size, 10);
  lt_free(plain, data);
  put_file(in_folder("empty"), "");
  assert_int_equal(lt_file_load(plain, in_folder("empty"), 0, &data, &size, &err), LEAT_OK);
  assert_int_equal(size, 0);
  assert_non_null(data);
  lt_free(plain, data);
  if (lt_file_load(plain, "/proc/self/status", UINT64_MAX, &data, &size, NULL) == LEAT_OK) { /* says that it has 0 bytes */
    assert_true(size > 20);
    lt_free(plain, data);
    assert_int_equal(lt_file_load(plain, "/proc/self/status", 20, &data, &size, NULL), LEAT_E_MEMORY);
  }
  uint8_t *big = lt_alloc(plain, 300001);
  for (uint64_t i = 0; i < 300001; i++) big[i] = (uint8_t)(i % 251);
  assert_int_equal(lt_file_replace(plain, in_folder("big"), big, 300001, &err), LEAT_OK);
  assert_int_equal(lt_file_load(plain, in_folder("big"), 300001, &data, &size, &err), LEAT_OK);
  assert_int_equal(size, 300001);
  assert_memory_equal(data, big, size);
  lt_free(plain, data);
  lt_free(plain, big);
}

static void test_pipe(void **state) {
  const char *path = in_folder("pipe");
  uint64_t size = 0;
  void *data = NULL;
  pid_t pid;
  (void)state;
  if (mkfifo(path, 0600)) skip();
  pid = fork();
  if (pid == 0) {
    lt_file *f;
    uint8_t bytes[200000];
    memset(bytes, 'p', sizeof bytes);
    _exit(lt_file_open(plain, path, LEAT_FILE_WRITE, &f, NULL) || lt_file_write(f, 0, bytes, sizeof bytes, NULL));
  }
  assert_int_equal(lt_file_load(plain, path, 1 << 20, &data, &size, NULL), LEAT_OK);
  assert_int_equal(size, 200000);
  lt_free(plain, data);
  waitpid(pid, NULL, 0);
  assert_int_equal(lt_file_replace(plain, path, "x", 1, NULL), LEAT_E_IO); /* a pipe is not replaced by a file */
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  assert_true(S_ISFIFO(st.st_mode));
}

static void test_map(void **state) {
  leat_error err = {.struct_size = sizeof err};
  const void *data = NULL;
  lt_file *f;
  (void)state;
  put_file(in_folder("map"), "mapped");
  assert_int_equal(lt_file_open(plain, in_folder("map"), LEAT_FILE_READ, &f, &err), LEAT_OK);
  assert_int_equal(lt_file_map(f, 6, &data, &err), LEAT_OK);
  assert_memory_equal(data, "mapped", 6);
  lt_file_unmap(f, data, 6);
  assert_int_equal(lt_file_map(f, 0, &data, &err), LEAT_OK);
  lt_file_unmap(f, data, 0);
  lt_file_unmap(f, NULL, 0);
  lt_file_close(f, NULL);
  host_files h = {.fail_at = -1};
  leat_file_system table = host_file_system(&h);
  leat_runtime_opts opts = {.struct_size = sizeof opts, .files = &table};
  leat_runtime *rt = host_runtime(&opts);
  assert_int_equal(lt_file_open(rt, in_folder("map"), LEAT_FILE_READ, &f, &err), LEAT_OK);
  assert_int_equal(lt_file_map(f, 6, &data, &err), LEAT_E_UNSUPPORTED);
  assert_null(data);
  lt_file_close(f, NULL);
  lt_runtime_unref(rt);
}

static int64_t temporaries(void) {
  host_names names = {0};
  int64_t n = 0;
  assert_int_equal(lt_path_list(plain, folder, host_name_add, &names, NULL), LEAT_OK);
  for (int64_t i = 0; i < names.n; i++) n += strstr(names.name[i], ".tmp-") != NULL;
  return n;
}

/* Every call that replacing makes fails once, with every reason: the file is the old one or the new one, and no
 * temporary stays. Only the folder's sync comes after the point where the new one stands. */
static void test_replace_fails_each_call(void **state) {
  const int32_t codes[] = {ENOSPC, EIO, EACCES, EDQUOT};
  const char *path = in_folder("target");
  (void)state;
  for (int c = 0; c < 4; c++) {
    for (int64_t k = 1;; k++) {
      leat_error err = {.struct_size = sizeof err};
      host_files h = {.fail_at = k, .code = codes[c], .short_io = 4};
      leat_file_system table = host_file_system(&h);
      leat_runtime_opts opts = {.struct_size = sizeof opts, .files = &table};
      put_file(path, "old");
      leat_runtime *rt = host_runtime(&opts);
      leat_status st = lt_file_replace(rt, path, "new contents", 12, &err);
      lt_runtime_unref(rt);
      assert_int_equal(h.open_now, 0);
      assert_int_equal(temporaries(), 0);
      if (st) {
        assert_int_equal(st, LEAT_E_IO);
        assert_int_equal(err.os_code, codes[c]);
        assert_non_null(strstr(err.message, lt_os_error_text(codes[c])));
        assert_non_null(strstr(err.message, folder));
        assert_null(strstr(err.message, ".tmp-"));
      }
      if (h.calls < k) {
        assert_int_equal(st, LEAT_OK);
        expect_file(path, "new contents");
        assert_true(k >= 8);
        break;
      }
      assert_int_equal(st, LEAT_E_IO);
      if (k <= 7) expect_file(path, "old"); /* open, 3 writes, sync, close, rename */
      else expect_file(path, "new contents");
    }
  }
}

/* A temporary that cannot even be removed does not hide the reason. */
static void test_replace_keeps_the_reason(void **state) {
  leat_error err = {.struct_size = sizeof err};
  (void)state;
  for (int64_t n = 1; n <= 3; n++) { /* the disk is full at the n-th write */
    host_files h = {.fail_at = n, .code = ENOSPC, .kind = 'w', .short_io = 3};
    leat_file_system table = host_file_system(&h);
    leat_runtime_opts opts = {.struct_size = sizeof opts, .files = &table};
    leat_runtime *rt = host_runtime(&opts);
    put_file(in_folder("full"), "old");
    assert_int_equal(lt_file_replace(rt, in_folder("full"), "123456789", 9, &err), LEAT_E_IO);
    assert_non_null(strstr(err.message, "full: No space left on device"));
    expect_file(in_folder("full"), "old");
    assert_int_equal(temporaries(), 0);
    lt_runtime_unref(rt);
  }
}

/* The same with a real limit: a file may not grow over 64 KiB in this process. */
static void test_real_limit(void **state) {
  int status = -1;
  pid_t pid;
  (void)state;
  put_file(in_folder("limited"), "old");
  pid = fork();
  if (pid == 0) {
    leat_error err = {.struct_size = sizeof err};
    struct rlimit r = {65536, 65536};
    static uint8_t bytes[200000];
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &r)) _exit(9);
    if (lt_file_replace(plain, in_folder("limited"), bytes, sizeof bytes, &err) != LEAT_E_IO) _exit(1);
    _exit(err.os_code == EFBIG && strstr(err.message, "File too large") ? 0 : 2);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
  expect_file(in_folder("limited"), "old");
  assert_int_equal(temporaries(), 0);
}

static void test_links_and_devices(void **state) {
  struct stat st;
  (void)state;
  put_file(in_folder("real"), "old");
  assert_int_equal(symlink("real", in_folder("link")), 0);
  put_file(in_folder("link"), "through the link");
  assert_int_equal(lstat(in_folder("link"), &st), 0);
  assert_true(S_ISLNK(st.st_mode)); /* the link stays */
  expect_file(in_folder("real"), "through the link");
  assert_int_equal(chmod(in_folder("real"), 0600), 0);
  put_file(in_folder("real"), "still private");
  assert_int_equal(stat(in_folder("real"), &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  assert_int_equal(lt_file_replace(plain, "/dev/null", "x", 1, NULL), LEAT_E_IO);
  assert_int_equal(stat("/dev/null", &st), 0);
  assert_true(S_ISCHR(st.st_mode));
  assert_int_equal(symlink("/dev/null", in_folder("null")), 0);
  assert_int_equal(lt_file_replace(plain, in_folder("null"), "x", 1, NULL), LEAT_E_IO);
  assert_int_equal(temporaries(), 0);
  assert_int_equal(lt_file_replace(plain, folder, "x", 1, NULL), LEAT_E_IO); /* a folder is not replaced either */
}

static void test_folders(void **state) {
  leat_error err = {.struct_size = sizeof err};
  (void)state;
  const char *sub = in_folder("sub");
  assert_int_equal(lt_path_make_folder(plain, sub, &err), LEAT_OK);
  assert_int_equal(lt_path_make_folder(plain, sub, &err), LEAT_OK);
  put_file(in_folder("plainfile"), "x");
  assert_int_equal(lt_path_make_folder(plain, in_folder("plainfile"), &err), LEAT_E_IO);
  assert_int_equal(err.os_code, EEXIST);
  assert_int_equal(lt_path_sync_folder(plain, sub, &err), LEAT_OK);
  assert_int_equal(lt_path_remove(plain, sub, &err), LEAT_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_read_write), cmocka_unit_test(test_sentences), cmocka_unit_test(test_load),
      cmocka_unit_test(test_pipe), cmocka_unit_test(test_map), cmocka_unit_test(test_replace_fails_each_call),
      cmocka_unit_test(test_replace_keeps_the_reason), cmocka_unit_test(test_real_limit),
      cmocka_unit_test(test_links_and_devices), cmocka_unit_test(test_folders)};
  return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
