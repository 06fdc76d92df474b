/* Fails the k-th allocation of a model's whole life, for one k after the other: once alone, once with every later one.
 * Each life must end in success or in an error with a text, give all memory back with the sizes it was taken with, and
 * leave either the old package or the same bytes anew. */
#include "faults.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 160 };
typedef struct torture {
  pthread_mutex_t lock;
  int64_t asked, fail_at, live_blocks, wrong;
  uint64_t live_bytes;
  int sticky;
} torture;
typedef struct block { /* in front of what the library gets */
  void *start;
  uint64_t size, align;
} block;

static void *torture_alloc(void *user, uint64_t size, uint64_t align) {
  torture *t = user;
  pthread_mutex_lock(&t->lock);
  const int64_t k = ++t->asked;
  const int fail = t->fail_at > 0 && (t->sticky ? k >= t->fail_at : k == t->fail_at);
  if (align < 16 || (align & (align - 1)) != 0) t->wrong++;
  pthread_mutex_unlock(&t->lock);
  if (fail || size > ((uint64_t)1 << 40)) return NULL;
  char *start = malloc((size_t)(size + align + sizeof(block)));
  if (start == NULL) return NULL;
  char *p = start + sizeof(block);
  p += (align - (uint64_t)(uintptr_t)p % align) % align;
  block b = {start, size, align};
  memcpy(p - sizeof b, &b, sizeof b);
  pthread_mutex_lock(&t->lock);
  t->live_blocks++;
  t->live_bytes += size;
  pthread_mutex_unlock(&t->lock);
  return p;
}
static void torture_release(void *user, void *p, uint64_t size, uint64_t align) {
  torture *t = user;
  if (p == NULL) return;
  block b;
  memcpy(&b, (char *)p - sizeof b, sizeof b);
  pthread_mutex_lock(&t->lock);
  if (b.size != size || b.align != align) t->wrong++;
  t->live_blocks--;
  t->live_bytes -= b.size;
  pthread_mutex_unlock(&t->lock);
  free(b.start);
}

static void one_life(torture *t, const char *folder, const char *good, int64_t k, int sticky, int64_t threads) {
  leat_allocator table = {sizeof table, t, torture_alloc, NULL, torture_release};
  leat_runtime_opts opts = {.struct_size = sizeof opts, .allocator = &table, .n_threads = threads};
  leat_error err = {.struct_size = sizeof err};
  const char *what = "";
  char package[4096];
  uint64_t sum = 0;
  join_path(package, sizeof package, folder, "model.leat");
  t->asked = 0;
  t->fail_at = k;
  t->sticky = sticky;
  const leat_status status = live(&opts, folder, &sum, &what, &err);
  const long long at = (long long)k;
  check_that(t->live_blocks == 0, "allocation %lld%s: %lld blocks, %llu bytes leaked (%s)", at, sticky ? "+" : "",
             (long long)t->live_blocks, (unsigned long long)t->live_bytes, what);
  check_that(t->wrong == 0, "allocation %lld: %lld blocks with another size or alignment", at, (long long)t->wrong);
  t->live_blocks = 0;
  t->live_bytes = 0;
  t->wrong = 0;
  if (status != LEAT_OK) {
    check_that(status == LEAT_E_MEMORY, "allocation %lld: %s says %s: %s; LEAT_E_MEMORY is right", at, what,
               leat_status_name(status), err.message);
    check_that(err.code == status && err.message[0] != 0, "allocation %lld: %s without a text", at, what);
  }
  check_that(same_files(package, good), "allocation %lld: the package is neither old nor new (%s)", at, what);
  check_that(count_files(folder) <= 4, "allocation %lld: a temporary file was left", at);
}

/* All lives of a family; 1 when there is nothing to begin with. */
static int family(const char *spec) {
  const int soak = getenv("LEAT_SOAK") != NULL;
  live_spec = spec;
  torture t = {.lock = PTHREAD_MUTEX_INITIALIZER};
  char folder[4000], package[4096], good[4096], csv[4096];
  make_folder(folder, sizeof folder);
  join_path(package, sizeof package, folder, "model.leat");
  join_path(good, sizeof good, folder, "good.leat");
  join_path(csv, sizeof csv, folder, "data.csv");
  leat_allocator table = {sizeof table, &t, torture_alloc, NULL, torture_release};
  leat_runtime_opts opts = {.struct_size = sizeof opts, .allocator = &table, .n_threads = 1};
  leat_error err = {.struct_size = sizeof err};
  const char *what = "";
  if (write_csv(csv, ROWS, 1) != 0) return 1;
  const leat_status status = live(&opts, folder, NULL, &what, &err);
  if (!check_that(status == LEAT_OK, "%s without a fault: %s: %s", spec, what, err.message)) return 1;
  check_that(t.live_blocks == 0, "without a fault: %lld blocks leaked", (long long)t.live_blocks);
  long size = 0;
  unsigned char *bytes = read_file(package, &size);
  FILE *f = fopen(good, "wb");
  if (bytes == NULL || f == NULL || fwrite(bytes, 1, (size_t)size, f) != (size_t)size || fclose(f) != 0) return 1;
  free(bytes);
  const int64_t n = t.asked;
  int64_t step = soak ? 1 : 7;
  if (!soak && n / step > 1500) step = n / 1500; /* keeps the quick tier quick */
  printf("%lld allocations in a life; every %lldth fails\n", (long long)n, (long long)step);
  int64_t lives = 0;
  for (int64_t k = 1; k <= n; k += k < 200 && !soak ? (step < 3 ? step : 3) : step) {
    one_life(&t, folder, good, k, 0, 1);
    one_life(&t, folder, good, k, 1, 1);
    lives += 2;
  }
  for (int64_t k = 1; k <= n; k += step * 8 + 1) { /* the order differs from run to run: not a leak, not a crash */
    one_life(&t, folder, good, k, 1, 3);
    lives++;
  }
  one_life(&t, folder, good, 0, 0, 1);
  printf("%s: %lld lives\n", spec, (long long)lives);
  remove_folder(folder);
  return 0;
}

int main(void) {
  if (family("model/linear") || family("model/mlp")) check_that(0, "a life without a fault did not go well");
  return finish_faults();
}
