/* Fails the k-th call into the file system, one k after the other, as ENOSPC and as EIO, once and for good: what was on
 * disk stays readable, nothing temporary is left, the error names the system's number. And files that are read and
 * written in crumbs. */
#include "faults.h"
#include "posix_files.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 160 };
typedef struct place {
  char folder[4000], package[4096], csv[4096], old[4096], new[4096];
} place;

static int copy_file(const char *from, const char *to) {
  long size = 0;
  unsigned char *bytes = read_file(from, &size);
  FILE *f = fopen(to, "wb");
  const int ok = bytes != NULL && f != NULL && fwrite(bytes, 1, (size_t)size, f) == (size_t)size;
  if (f != NULL && fclose(f) != 0) return -1;
  free(bytes);
  return ok ? 0 : -1;
}

/* One life with data that gives the new package, over a folder that holds the old one. */
static void one_life(const place *at, faulty_files *state, const char *how) {
  leat_file_system table;
  faulty_table(&table, state);
  leat_runtime_opts opts = {.struct_size = sizeof opts, .files = &table, .n_threads = 1};
  leat_error err = {.struct_size = sizeof err};
  const char *what = "";
  char checkpoint[4096];
  join_path(checkpoint, sizeof checkpoint, at->folder, "train.ckpt");
  if (copy_file(at->old, at->package) != 0 || copy_file(at->old, checkpoint) != 0) exit(1);
  const leat_status status = live(&opts, at->folder, NULL, &what, &err);
  const long long k = (long long)state->fail_at;
  const int is_old = same_files(at->package, at->old), is_new = same_files(at->package, at->new);
  check_that(is_old || is_new, "%s at call %lld: the package is neither the old nor the new (%s)", how, k, what);
  check_that(state->open_files == 0, "%s at call %lld: %lld files are open (%s)", how, k, (long long)state->open_files,
             what);
  check_that(count_files(at->folder) == 5, "%s at call %lld: %d files in the folder, 5 are right (%s)", how, k,
             count_files(at->folder), what);
  if (status == LEAT_OK) {
    check_that(is_new, "%s at call %lld: success, but the old package is there", how, k);
  } else {
    check_that(status == LEAT_E_IO, "%s at call %lld: %s says %s: %s; LEAT_E_IO is right", how, k, what,
               leat_status_name(status), err.message);
    check_that(err.os_code == state->error, "%s at call %lld: %s: os_code %d, %d is right", how, k, what, err.os_code,
               state->error);
    check_that(err.message[0] != 0, "%s at call %lld: %s: no text", how, k, what);
    check_that(state->failed > 0, "%s at call %lld: %s failed without a fault: %s", how, k, what, err.message);
  }
  /* and a host with a whole disk reads what is there */
  leat_runtime *rt = NULL;
  if (check_that(leat_runtime_create(NULL, &rt, &err) == LEAT_OK, "runtime")) {
    leat_model *model = NULL;
    check_that(leat_model_load(rt, at->package, &model, &err) == LEAT_OK, "%s at call %lld: the package: %s", how, k,
               err.message);
    leat_model_free(model);
  }
  leat_runtime_free(rt);
}

static void sweep(const place *at, int32_t error, int sticky, int writes_only, const char *how, int64_t step) {
  faulty_files count = {.writes_only = writes_only};
  one_life(at, &count, "no fault");
  for (int64_t k = 1; k <= count.calls; k += step) {
    faulty_files state = {.fail_at = k, .error = error, .sticky = sticky, .writes_only = writes_only};
    one_life(at, &state, how);
  }
  printf("%s: %lld calls\n", how, (long long)count.calls);
}

int main(void) {
  const int64_t step = getenv("LEAT_SOAK") != NULL ? 1 : 3;
  static place at;
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = 1};
  leat_error err = {.struct_size = sizeof err};
  const char *what = "";
  make_folder(at.folder, sizeof at.folder);
  join_path(at.package, sizeof at.package, at.folder, "model.leat");
  join_path(at.csv, sizeof at.csv, at.folder, "data.csv");
  join_path(at.old, sizeof at.old, at.folder, "old.leat");
  join_path(at.new, sizeof at.new, at.folder, "new.leat");
  for (int seed = 1; seed <= 2; seed++) {
    if (write_csv(at.csv, ROWS, seed) != 0) return 1;
    if (!check_that(live(&opts, at.folder, NULL, &what, &err) == LEAT_OK, "without a fault: %s: %s", what, err.message))
      return finish_faults();
    if (copy_file(at.package, seed == 1 ? at.old : at.new) != 0) return 1;
  }
  check_that(!same_files(at.old, at.new), "two data sets gave one package");
  sweep(&at, ENOSPC, 1, 1, "a full disk", 1);
  sweep(&at, ENOSPC, 0, 1, "one failed write", 1);
  sweep(&at, EIO, 0, 0, "one failed call", step);
  sweep(&at, EIO, 1, 0, "a dead disk", step);
  faulty_files crumbs = {.short_io = 7};
  one_life(&at, &crumbs, "seven bytes a call");
  check_that(same_files(at.package, at.new), "seven bytes a call: another package");
  remove_folder(at.folder);
  return finish_faults();
}
