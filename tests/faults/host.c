/* Hosts with habits: a rounding mode of their own, a locale with a decimal comma, fork, several runtimes at once, other
 * executors. None of it may change a bit of a model or of a prediction. */
#include "faults.h"
#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS = 300 };
static char folder[4000], package[4096], expected[4096];
static uint64_t expected_sum;

/* One life in `where` with n threads; its package and predictions must be the expected ones. */
static void same_life(const char *where, int64_t threads, const char *how) {
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = threads};
  leat_error err = {.struct_size = sizeof err};
  const char *what = "";
  char path[4096];
  uint64_t sum = 0;
  join_path(path, sizeof path, where, "model.leat");
  const leat_status status = live(&opts, where, &sum, &what, &err);
  check_that(status == LEAT_OK, "%s: %s: %s", how, what, err.message);
  check_that(sum == expected_sum, "%s: other predictions", how);
  check_that(same_files(path, expected), "%s: another package", how);
}

static void rounding_modes(void) {
  static const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  static const char *const names[] = {"rounding up", "rounding down", "rounding to zero"};
  for (int i = 0; i < 3; i++) {
    fesetround(modes[i]);
    same_life(folder, 2, names[i]);
    check_that(fegetround() == modes[i], "%s: the caller's mode was not restored", names[i]);
    fesetround(FE_TONEAREST);
  }
  same_life(folder, 2, "after the rounding modes");
}

/* A locale with a decimal comma, made here: Debian's own are not on a bare system. The file is glibc's LC_NUMERIC:
 * magic, number of fields, their offsets, the fields (point, separator, grouping, both as wide characters, codeset). */
static int comma_locale(void) {
  char path[4200], file[4300];
  join_path(path, sizeof path, folder, "locale");
  mkdir(path, 0777);
  join_path(path, sizeof path, folder, "locale/xx_XX");
  mkdir(path, 0777);
  join_path(file, sizeof file, path, "LC_NUMERIC");
  const uint32_t head[8] = {0x20031115u ^ LC_NUMERIC, 6, 32, 34, 36, 40, 44, 48};
  char body[32] = {',', 0, '.', 0, 3, 3, 0, 0, ',', 0, 0, 0, '.', 0, 0, 0, 'U', 'T', 'F', '-', '8', 0};
  FILE *f = fopen(file, "wb");
  if (f == NULL) return 0;
  fwrite(head, sizeof head, 1, f);
  fwrite(body, sizeof body, 1, f);
  fclose(f);
  join_path(path, sizeof path, folder, "locale");
  setenv("LOCPATH", path, 1);
  const int there = setlocale(LC_NUMERIC, "xx_XX") != NULL && strcmp(localeconv()->decimal_point, ",") == 0;
  unlink(file);
  join_path(path, sizeof path, folder, "locale/xx_XX");
  rmdir(path);
  join_path(path, sizeof path, folder, "locale");
  rmdir(path);
  return there;
}

static void locales(void) {
  if (!comma_locale()) {
    printf("skip: no locale with a decimal comma can be made here\n");
    faults_skipped++;
    return;
  }
  char text[64];
  snprintf(text, sizeof text, "%.1f", 1.5);
  check_that(strcmp(text, "1,5") == 0, "the locale is not in force: %s", text);
  same_life(folder, 1, "decimal comma");
  check_that(strcmp(localeconv()->decimal_point, ",") == 0, "the caller's locale was changed");
  leat_runtime *rt = NULL;
  leat_params *p = NULL;
  leat_error err = {.struct_size = sizeof err};
  uint64_t needed = 0;
  double v = 0;
  if (check_that(leat_runtime_create(NULL, &rt, &err) == LEAT_OK, "runtime")) {
    check_that(leat_params_create(rt, "model/linear", &p, &err) == LEAT_OK, "%s", err.message);
    check_that(leat_params_set_text(p, "l2", "0.25", &err) == LEAT_OK, "decimal comma: %s", err.message);
    check_that(leat_params_get_f64(p, "l2", &v, &err) == LEAT_OK && v == 0.25, "decimal comma: 0.25 reads as %g", v);
    check_that(leat_params_get_text(p, "l2", text, sizeof text, &needed, &err) == LEAT_OK &&
               strcmp(text, "0.25") == 0, "decimal comma: 0.25 prints as %s", text);
    check_that(leat_params_set_text(p, "l2", "0,25", &err) < 0, "decimal comma: 0,25 was taken");
  }
  leat_params_free(p);
  leat_runtime_free(rt);
  setlocale(LC_NUMERIC, "C");
}

/* A runtime with threads is used, the process forks, and both sides go on with it. */
static void forks(void) {
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = 3};
  leat_error err = {.struct_size = sizeof err};
  const char *what = "";
  leat_runtime *rt = NULL;
  uint64_t before = 0, child = 0, after = 0;
  if (!check_that(leat_runtime_create(&opts, &rt, &err) == LEAT_OK, "runtime: %s", err.message)) return;
  check_that(relive(rt, folder, &before, &what, &err) == LEAT_OK, "before fork: %s: %s", what, err.message);
  int pipes[2];
  if (pipe(pipes) != 0) return;
  fflush(stdout);
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(60); /* a pool that waits for threads which fork did not copy would hang */
    uint64_t sum = 0;
    const leat_status status = relive(rt, folder, &sum, &what, &err);
    leat_runtime_free(rt);
    if (status != LEAT_OK) fprintf(stderr, "in the child: %s: %s\n", what, err.message);
    const ssize_t n = write(pipes[1], &sum, sizeof sum);
    _exit(status == LEAT_OK && n == sizeof sum ? 0 : 1);
  }
  check_that(relive(rt, folder, &after, &what, &err) == LEAT_OK, "after fork: %s: %s", what, err.message);
  int state = 0;
  waitpid(pid, &state, 0);
  check_that(WIFEXITED(state) && WEXITSTATUS(state) == 0, "the child ended with state %d", state);
  if (!WIFEXITED(state) || read(pipes[0], &child, sizeof child) != sizeof child) child = 0;
  check_that(before == expected_sum && after == before && child == before, "parent and child predict differently");
  close(pipes[0]);
  close(pipes[1]);
  leat_runtime_free(rt);
}

typedef struct worker {
  pthread_t thread;
  char folder[4096];
  int index;
} worker;
static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;
static void *work(void *arg) {
  const worker *w = arg;
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = 1 + w->index % 3};
  leat_error err = {.struct_size = sizeof err};
  const char *what = "";
  char path[4200];
  join_path(path, sizeof path, w->folder, "model.leat");
  for (int i = 0; i < 3; i++) {
    uint64_t sum = 0;
    const leat_status status = live(&opts, w->folder, &sum, &what, &err);
    pthread_mutex_lock(&count_lock);
    check_that(status == LEAT_OK && sum == expected_sum && same_files(path, expected), "runtime %d of four: %s: %s",
               w->index, what, err.message);
    pthread_mutex_unlock(&count_lock);
  }
  return NULL;
}
/* Four lives at once, each with a runtime of its own. */
static void runtimes(void) {
  static worker w[4];
  for (int i = 0; i < 4; i++) {
    char csv[4200];
    w[i].index = i;
    make_folder(w[i].folder, sizeof w[i].folder);
    join_path(csv, sizeof csv, w[i].folder, "data.csv");
    if (write_csv(csv, ROWS, 7) != 0) return;
  }
  for (int i = 0; i < 4; i++) pthread_create(&w[i].thread, NULL, work, &w[i]);
  for (int i = 0; i < 4; i++) {
    pthread_join(w[i].thread, NULL);
    remove_folder(w[i].folder);
  }
}

/* A host's executor: runs the tasks backwards, on the calling thread. Results must not depend on it. */
static int64_t runs;
static leat_status run_backwards(void *user, int64_t n, void (*task)(void *arg, int64_t index), void *arg) {
  ++*(int64_t *)user;
  for (int64_t i = n - 1; i >= 0; i--) task(arg, i);
  return LEAT_OK;
}
static void executors(void) {
  leat_executor table = {sizeof table, &runs, 8, run_backwards};
  leat_runtime_opts opts = {.struct_size = sizeof opts, .executor = &table};
  leat_error err = {.struct_size = sizeof err};
  const char *what = "";
  uint64_t sum = 0;
  check_that(live(&opts, folder, &sum, &what, &err) == LEAT_OK, "executor: %s: %s", what, err.message);
  check_that(sum == expected_sum && same_files(package, expected), "a host's executor changed the result");
  check_that(runs > 0, "the host's executor was never asked");
}

/* No file descriptor is left open by all of this. */
static int open_descriptors(void) {
  int n = 0;
  for (int fd = 0; fd < 256; fd++) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

int main(void) {
  char csv[4096];
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = 1};
  leat_error err = {.struct_size = sizeof err};
  const char *what = "";
  make_folder(folder, sizeof folder);
  join_path(package, sizeof package, folder, "model.leat");
  join_path(expected, sizeof expected, folder, "expected.leat");
  join_path(csv, sizeof csv, folder, "data.csv");
  if (write_csv(csv, ROWS, 7) != 0) return 1;
  const int descriptors = open_descriptors();
  if (!check_that(live(&opts, folder, &expected_sum, &what, &err) == LEAT_OK, "%s: %s", what, err.message))
    return finish_faults();
  if (rename(package, expected) != 0) return 1;
  for (int64_t threads = 2; threads <= 7; threads += threads == 3 ? 4 : 1) same_life(folder, threads, "threads");
  rounding_modes();
  locales();
  forks();
  runtimes();
  executors();
  check_that(open_descriptors() == descriptors, "%d file descriptors were open, %d are", descriptors,
             open_descriptors());
  remove_folder(folder);
  return finish_faults();
}
