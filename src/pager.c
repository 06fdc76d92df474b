/* Memory that is larger than memory. With --memory, and for very large DATA, what the library allocates lies in scratch files
 * without a name that are mapped, and a thread takes their pages out of the process when too many of them are resident. Their
 * bytes stay in the files, so nothing of the computation changes: a page that is touched again comes back. Room is reserved in
 * the file system before a block is given out: a full disk is "no memory", not a signal. Linux only (/proc). */
#define _GNU_SOURCE
#include "cli.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Blocks below SMALL come from malloc; up to LARGE from regions, cut into sizes of which four are between powers of two;
 * others have a mapping of their own. */
enum { SMALL = 2048, LARGE = 1 << 20, REGION = 64 << 20, CLASSES = 64, MOST_FILES = 64 };
static const int64_t large_data = (int64_t)1 << 30, default_limit = (int64_t)512 << 20, least_limit = (int64_t)64 << 20;

typedef struct mapping { uint8_t *at; uint64_t size; } mapping;
typedef struct free_block { struct free_block *next; } free_block;
static struct {
  pthread_mutex_t lock;
  pthread_t thread;
  int on, stop;
  int64_t limit;
  char *folder;
  mapping *map;
  size_t n, cap;
  uint8_t *region;
  uint64_t region_left;
  free_block *free[CLASSES];
  char *file[MOST_FILES]; /* DATA, which the library maps by itself */
  int n_files;
} pager = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- scratch */

static int scratch_file(uint64_t size) {
  int fd = -1;
#ifdef O_TMPFILE
  fd = open(pager.folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
#endif
  if (fd < 0) {
    char *name = cli_text("%s/.leat-scratch-XXXXXX", pager.folder);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0) unlink(name);
    free(name);
  }
  if (fd >= 0 && posix_fallocate(fd, 0, (off_t)size) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

static void *scratch_map(uint64_t size) {
  int fd = scratch_file(size);
  if (fd < 0) return NULL;
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  return p == MAP_FAILED ? NULL : p;
}

static uint64_t pages(uint64_t size) { return (size + 4095) & ~(uint64_t)4095; }

static int remember(void *p, uint64_t size) {
  if (pager.n == pager.cap) {
    size_t cap = pager.cap * 2 + 64;
    mapping *m = realloc(pager.map, cap * sizeof *m);
    if (!m) return 0;
    pager.map = m;
    pager.cap = cap;
  }
  pager.map[pager.n++] = (mapping){ p, size };
  return 1;
}

/* ---- the library's allocator */

/* SMALL, SMALL * 5/4, * 6/4, * 7/4, SMALL * 2 ...: the first that is large enough. */
static int class_of(uint64_t size, uint64_t *room) {
  uint64_t base = SMALL;
  for (int i = 0;; i += 4, base *= 2)
    for (int k = 0; k < 4; k++)
      if (base + base / 4 * (uint64_t)k >= size) {
        *room = base + base / 4 * (uint64_t)k;
        return i + k;
      }
}

static void *alloc_middle(uint64_t size) {
  uint64_t room;
  int k = class_of(size, &room);
  void *p = pager.free[k];
  if (p) {
    pager.free[k] = pager.free[k]->next;
    return p;
  }
  room = (room + 63) & ~(uint64_t)63;
  if (pager.region_left < room) { /* the thread below must not wait for the file system */
    pthread_mutex_unlock(&pager.lock);
    uint8_t *r = scratch_map(REGION);
    pthread_mutex_lock(&pager.lock);
    if (!r) return NULL;
    if (!remember(r, REGION)) {
      munmap(r, REGION);
      return NULL;
    }
    pager.region = r;
    pager.region_left = REGION;
  }
  p = pager.region;
  pager.region += room;
  pager.region_left -= room;
  return p;
}

static void *alloc_large(uint64_t size) {
  void *p = size > (uint64_t)1 << 46 ? NULL : scratch_map(pages(size));
  if (!p) return NULL;
  pthread_mutex_lock(&pager.lock);
  int kept = remember(p, pages(size));
  pthread_mutex_unlock(&pager.lock);
  if (!kept) munmap(p, pages(size));
  return kept ? p : NULL;
}

static void *pager_alloc(void *user, uint64_t size, uint64_t align) {
  void *p = NULL;
  (void)user;
  if (size > LARGE) return align <= 4096 ? alloc_large(size) : NULL;
  if (size < SMALL || align > 64) return posix_memalign(&p, align < sizeof p ? sizeof p : align, size ? size : 1) ? NULL : p;
  pthread_mutex_lock(&pager.lock);
  p = alloc_middle(size);
  pthread_mutex_unlock(&pager.lock);
  return p;
}

static void pager_release(void *user, void *p, uint64_t size, uint64_t align) {
  (void)user;
  if (size <= LARGE && (size < SMALL || align > 64)) {
    free(p);
    return;
  }
  pthread_mutex_lock(&pager.lock);
  if (size > LARGE) {
    for (size_t i = pager.n; i-- > 0;)
      if (pager.map[i].at == p) {
        pager.map[i] = pager.map[--pager.n];
        break;
      }
  } else {
    uint64_t room;
    int k = class_of(size, &room);
    free_block *b = p;
    b->next = pager.free[k];
    pager.free[k] = b;
  }
  pthread_mutex_unlock(&pager.lock);
  if (size > LARGE) munmap(p, pages(size)); /* the file goes with it, which takes its time */
}

/* ---- the thread that keeps the process small */

static int64_t resident(void) {
  char buf[128];
  long long all, here;
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf - 1);
  if (fd >= 0) close(fd);
  if (n <= 0) return 0;
  buf[n] = 0;
  return sscanf(buf, "%lld %lld", &all, &here) == 2 ? (int64_t)here * sysconf(_SC_PAGESIZE) : 0;
}

static int is_data(const char *path) {
  for (int i = 0; i < pager.n_files; i++)
    if (strcmp(path, pager.file[i]) == 0) return 1;
  return 0;
}

/* Read-only mappings of DATA files: their pages can always be read again. */
static void drop_data(void) {
  char line[PATH_MAX + 256];
  FILE *f = fopen("/proc/self/maps", "re");
  while (f && fgets(line, sizeof line, f)) {
    unsigned long from, to;
    char flags[8];
    char *path = strchr(line, '/');
    if (!path || sscanf(line, "%lx-%lx %7s", &from, &to, flags) != 3 || flags[0] != 'r' || flags[1] != '-') continue;
    path[strcspn(path, "\n")] = 0;
    if (is_data(path)) (void)madvise((void *)from, to - from, MADV_DONTNEED); /* NOLINT: an address that the kernel printed */
  }
  if (f) fclose(f);
}

static void sweep(void) {
  pthread_mutex_lock(&pager.lock);
  for (size_t i = 0; i < pager.n; i++) (void)madvise(pager.map[i].at, pager.map[i].size, MADV_DONTNEED);
  pthread_mutex_unlock(&pager.lock);
  if (pager.n_files) drop_data();
}

static void *pager_main(void *arg) {
  const struct timespec nap = { 0, 1000000 };
  (void)arg;
  (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), -10); /* where that is allowed: a busy machine must not hold it up */
  while (!__atomic_load_n(&pager.stop, __ATOMIC_RELAXED)) {
    nanosleep(&nap, NULL);
    if (resident() >= pager.limit / 4) sweep();
  }
  return NULL;
}

/* One thread works, and looks between two pieces of work: pages do not come faster than they go. The thread above is for long
 * pieces. */
static leat_status pager_run(void *user, int64_t n_tasks, void (*task)(void *arg, int64_t index), void *arg) {
  (void)user;
  for (int64_t i = 0; i < n_tasks; i++) {
    task(arg, i);
    if (resident() >= pager.limit / 4) sweep();
  }
  return LEAT_OK;
}

/* ---- when */

static int64_t data_bytes(const cli_args *a) {
  int64_t bytes = 0;
  for (int i = 0; i < a->n_files; i++) {
    struct stat st;
    int regular;
    if (strcmp(a->files[i], "-") == 0 || stat(a->files[i], &st) || !S_ISREG(st.st_mode)) continue;
    bytes += (int64_t)st.st_size * (cli_source_packing(a->files[i], &regular) > CLI_PLAIN ? 8 : 1);
  }
  return bytes;
}

/* The scratch files are unlinked, so they are gone with the process. */
static char *scratch_folder(const cli_args *a) {
  const char *slash = a->output ? strrchr(a->output, '/') : NULL;
  if (a->output) return slash ? cli_text("%.*s", slash == a->output ? 1 : (int)(slash - a->output), a->output) : cli_text(".");
  const char *folder = getenv("TMPDIR");
  return cli_text("%s", folder && folder[0] ? folder : "/tmp");
}

int cli_pager_start(const cli_args *a, leat_allocator *out, leat_executor *work) {
  int wanted = a->memory > 0;
  memset(out, 0, sizeof *out);
  if (pager.on) return 0;
  if (!wanted && (strcmp(a->command, "train") != 0 || data_bytes(a) <= large_data)) return 0;
  if (wanted && a->memory < least_limit)
    return -cli_wrong("--memory %lld: a program needs some: give at least 64M", (long long)a->memory);
  pager.limit = wanted ? a->memory : default_limit;
  pager.folder = scratch_folder(a);
  for (int i = 0; i < a->n_files && pager.n_files < MOST_FILES; i++) {
    char *full = realpath(a->files[i], NULL);
    if (full) pager.file[pager.n_files++] = full;
  }
  int fd = resident() > 0 ? scratch_file(4096) : -1;
  if (fd < 0 || pthread_create(&pager.thread, NULL, pager_main, NULL)) {
    if (fd >= 0) close(fd);
    if (!wanted) return 0;
    return -cli_fail("--memory: no scratch file can be made in '%s': %s", pager.folder, strerror(errno));
  }
  close(fd);
  pthread_detach(pager.thread);
  pager.on = 1;
  cli_note(a, "at most about %lld MB are kept in memory, the rest in scratch files in '%s'",
           (long long)(pager.limit >> 20), pager.folder);
  *work = (leat_executor){ .struct_size = sizeof *work, .width = 1, .run = pager_run };
  *out = (leat_allocator){ .struct_size = sizeof *out, .alloc = pager_alloc, .release = pager_release };
  return 1;
}
