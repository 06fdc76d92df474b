/* Memory that is larger than memory. With --memory, and for very large DATA, what the library allocates lies in scratch files
 * without a name that are mapped, and so does DATA. Of all of it only so many chunks can be touched at a time as the limit
 * leaves room for: the others are protected, a fault on one lets it in, and the one that came in first goes. Nothing else
 * takes pages in, so the limit is a bound and no aim: it does not depend on how fast pages come or how busy the machine is.
 * What lies outside of chunks (small blocks, stacks, BLIS's and zstd's own memory) is measured while chunks come in, and
 * leaves less room for them; when too little is left, allocations fail. Bytes stay in their files: nothing of the computation
 * changes. Room is reserved in the file system before a block is given out: a full disk is "no memory", not a signal. Linux
 * only (/proc). */
#define _GNU_SOURCE
#include "cli.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Blocks below SMALL come from malloc; up to LARGE from regions, cut into sizes of which four are between powers of two;
 * others have a mapping of their own. LEAST_CHUNKS: what one instruction can touch, with room. MEASURED: chunks that come in
 * between two looks at the rest of the process. */
enum { SMALL = 4096, LARGE = 1 << 20, REGION = 64 << 20, CLASSES = 64, LEAST_CHUNKS = 64, MEASURED = 16, MOST_IDLE = 1 << 20 };
static const int64_t large_data = (int64_t)1 << 30, default_limit = (int64_t)512 << 20, least_limit = (int64_t)64 << 20;

typedef struct area { /* mapped by a scratch file or DATA */
  uint8_t *at;
  uint64_t size;
  uint8_t *here; /* of each chunk: can it be touched? */
  int access;
} area;
typedef struct stack { void **p; size_t n, cap; } stack;

static struct {
  char busy;          /* a lock that signal handlers may take; who holds it touches no area */
  int on;
  uint64_t chunk;
  int64_t limit, files, anonymous; /* files: of programs and libraries */
  int64_t small, small_then;       /* bytes of small blocks: now, when the rest was measured */
  int since, idle;
  int64_t refused;                 /* a limit that would have been enough, when an allocation failed for want of it */
  char *folder;
  area *area; /* by address */
  size_t n, cap;
  uint8_t **ring; /* chunks that are in, in the order in which they came */
  size_t head, count, ring_cap;
  uint64_t present; /* their bytes */
  uint8_t *region;
  uint64_t region_left;
  stack free[CLASSES];
  leat_file_system base;
} pager;

/* ---- lock: against other threads and against signals, as handlers may touch what is not in */

static void lock(void) {
  while (__atomic_test_and_set(&pager.busy, __ATOMIC_ACQUIRE)) sched_yield();
}
static void unlock(void) { __atomic_clear(&pager.busy, __ATOMIC_RELEASE); }

static void enter(sigset_t *old) {
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, SIGSEGV);
  pthread_sigmask(SIG_BLOCK, &all, old);
  lock();
}
static void leave(const sigset_t *old) {
  unlock();
  pthread_sigmask(SIG_SETMASK, old, NULL);
}

/* ---- how much is where */

/* Resident bytes of the process: in all, and of mapped files. By system calls only: a handler asks too. */
static int resident(int64_t *all, int64_t *shared) {
  char buf[128];
  uint64_t v[3] = { 0 };
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC), k = 0;
  ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf);
  if (fd >= 0) close(fd);
  for (ssize_t i = 0; i < n && k < 3; i++)
    if (buf[i] >= '0' && buf[i] <= '9') v[k] = v[k] * 10 + (uint64_t)(buf[i] - '0');
    else k++;
  *all = (int64_t)v[1] * 4096;
  *shared = (int64_t)v[2] * 4096;
  return k == 3;
}

static void measure(void) {
  int64_t all, shared;
  pager.since = 0;
  if (!resident(&all, &shared)) return;
  pager.anonymous = all - shared;
  pager.small_then = __atomic_load_n(&pager.small, __ATOMIC_RELAXED);
  if (shared - (int64_t)pager.present > pager.files) pager.files = shared - (int64_t)pager.present;
}

/* What chunks may take. Beside what is counted there is a reserve for what grows until the next look. */
static int64_t room(void) {
  int64_t grown = __atomic_load_n(&pager.small, __ATOMIC_RELAXED) - pager.small_then;
  return pager.limit - pager.files - pager.anonymous - (grown > 0 ? grown : 0) - (pager.limit / 32 + (2 << 20));
}

/* ---- chunks */

static area *find(const uint8_t *p) {
  size_t from = 0, to = pager.n;
  while (from < to) {
    size_t mid = (from + to) / 2;
    if (pager.area[mid].at <= p) from = mid + 1;
    else to = mid;
  }
  area *a = from ? &pager.area[from - 1] : NULL;
  return a && p < a->at + a->size ? a : NULL;
}

static uint64_t chunk_size(const area *a, uint64_t k) {
  uint64_t left = a->size - k * pager.chunk;
  return left < pager.chunk ? left : pager.chunk;
}

static void put_out(uint8_t *at) {
  area *a = find(at);
  uint64_t k = (uint64_t)(at - a->at) / pager.chunk, size = chunk_size(a, k);
  (void)mprotect(at, size, PROT_NONE);
  (void)madvise(at, size, MADV_DONTNEED);
  a->here[k] = 0;
  pager.present -= size;
}

static void make_room(uint64_t size) {
  if (++pager.since >= MEASURED) measure();
  int64_t most = room(), least = (int64_t)(LEAST_CHUNKS * pager.chunk);
  if (most < least) most = least;
  while (pager.count && (pager.count == pager.ring_cap || (int64_t)(pager.present + size) > most)) {
    put_out(pager.ring[pager.head]);
    pager.head = (pager.head + 1) % pager.ring_cap;
    pager.count--;
  }
}

static int take_in(uint8_t *p) {
  area *a = find(p);
  if (!a) return 0;
  uint64_t k = (uint64_t)(p - a->at) / pager.chunk, size = chunk_size(a, k);
  if (a->here[k]) return ++pager.idle < MOST_IDLE; /* another thread was faster; or somebody writes into DATA for ever */
  pager.idle = 0;
  make_room(size);
  if (mprotect(a->at + k * pager.chunk, size, a->access)) return 0;
  a->here[k] = 1;
  pager.ring[(pager.head + pager.count++) % pager.ring_cap] = a->at + k * pager.chunk;
  pager.present += size;
  return 1;
}

static void on_fault(int sig, siginfo_t *info, void *context) {
  int saved = errno;
  (void)context;
  lock();
  int ours = take_in(info->si_addr);
  unlock();
  if (!ours) signal(sig, SIG_DFL); /* the instruction comes again, and ends the program as ever */
  errno = saved;
}

/* ---- areas */

/* [p, p + size) from now on: nothing of it is in. */
static int remember(uint8_t *p, uint64_t size, int access) {
  uint8_t *here = calloc((size + pager.chunk - 1) / pager.chunk, 1);
  sigset_t old;
  if (!here || mprotect(p, size, PROT_NONE)) {
    free(here);
    return 0;
  }
  enter(&old);
  if (pager.n == pager.cap) {
    size_t cap = pager.cap * 2 + 64;
    area *more = realloc(pager.area, cap * sizeof *more);
    if (!more) {
      leave(&old);
      free(here);
      return 0;
    }
    pager.area = more;
    pager.cap = cap;
  }
  size_t i = pager.n++;
  for (; i > 0 && pager.area[i - 1].at > p; i--) pager.area[i] = pager.area[i - 1];
  pager.area[i] = (area){ p, size, here, access };
  leave(&old);
  return 1;
}

static void forget(const uint8_t *p) {
  sigset_t old;
  enter(&old);
  area *a = find(p);
  uint8_t *here = a ? a->here : NULL;
  if (a) {
    size_t kept = 0;
    for (size_t i = 0; i < pager.count; i++) {
      uint8_t *at = pager.ring[(pager.head + i) % pager.ring_cap];
      if (at < a->at || at >= a->at + a->size) pager.ring[(pager.head + kept++) % pager.ring_cap] = at;
      else pager.present -= chunk_size(a, (uint64_t)(at - a->at) / pager.chunk);
    }
    pager.count = kept;
    memmove(a, a + 1, (size_t)(pager.area + --pager.n - a) * sizeof *a);
  }
  leave(&old);
  free(here);
}

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
  int rc = fd < 0 ? 0 : posix_fallocate(fd, 0, (off_t)size);
  if (rc) {
    close(fd);
    errno = rc;
    return -1;
  }
  return fd;
}

static void *scratch_map(uint64_t size) {
  int fd = scratch_file(size);
  if (fd < 0) return NULL;
  void *p = mmap(NULL, size, PROT_NONE, MAP_SHARED, fd, 0);
  close(fd);
  if (p == MAP_FAILED) return NULL;
  if (remember(p, size, PROT_READ | PROT_WRITE)) return p;
  munmap(p, size);
  return NULL;
}

static uint64_t pages(uint64_t size) { return (size + 4095) & ~(uint64_t)4095; }

/* ---- the library's allocator */

static int is_small(uint64_t size, uint64_t align) { return size < SMALL || (size <= LARGE && align > 64); }

static void *alloc_small(uint64_t size, uint64_t align) {
  void *p = NULL;
  int64_t least = (int64_t)(LEAST_CHUNKS * pager.chunk);
  __atomic_add_fetch(&pager.small, (int64_t)size + 16, __ATOMIC_RELAXED);
  if (room() < least) { /* what was measured may be gone by now */
    sigset_t old;
    enter(&old);
    measure();
    int64_t missing = least - room();
    if (missing > 0 && !pager.refused) pager.refused = (pager.limit + missing) / 31 * 32;
    leave(&old);
    if (missing > 0) {
      __atomic_sub_fetch(&pager.small, (int64_t)size + 16, __ATOMIC_RELAXED);
      return NULL;
    }
  }
  return posix_memalign(&p, align < sizeof p ? sizeof p : align, size ? size : 1) ? NULL : p;
}

/* SMALL, SMALL * 5/4, * 6/4, * 7/4, SMALL * 2 ...: the first that is large enough. */
static int class_of(uint64_t size, uint64_t *bytes) {
  uint64_t base = SMALL;
  for (int i = 0;; i += 4, base *= 2)
    for (int k = 0; k < 4; k++)
      if (base + base / 4 * (uint64_t)k >= size) {
        *bytes = base + base / 4 * (uint64_t)k;
        return i + k;
      }
}

static void *alloc_middle(uint64_t size) {
  uint64_t bytes;
  uint8_t *p = NULL;
  sigset_t old;
  stack *s = &pager.free[class_of(size, &bytes)];
  for (;;) {
    enter(&old);
    if (s->n) p = s->p[--s->n];
    else if (pager.region_left >= bytes) {
      p = pager.region;
      pager.region += bytes;
      pager.region_left -= bytes;
    }
    leave(&old);
    if (p) return p;
    uint8_t *r = scratch_map(REGION);
    if (!r) return NULL;
    enter(&old);
    pager.region = r;
    pager.region_left = REGION;
    leave(&old);
  }
}

static void *pager_alloc(void *user, uint64_t size, uint64_t align) {
  (void)user;
  if (is_small(size, align)) return alloc_small(size, align);
  if (size <= LARGE) return alloc_middle(size);
  return align <= 4096 && size <= (uint64_t)1 << 46 ? scratch_map(pages(size)) : NULL;
}

static void release_middle(void *p, uint64_t size) {
  uint64_t bytes;
  sigset_t old;
  stack *s = &pager.free[class_of(size, &bytes)];
  enter(&old);
  if (s->n == s->cap) {
    size_t cap = s->cap * 2 + 64;
    void **more = realloc(s->p, cap * sizeof *more);
    if (more) {
      s->p = more;
      s->cap = cap;
    }
  }
  if (s->n < s->cap) s->p[s->n++] = p; /* else the block stays unused */
  leave(&old);
}

static void pager_release(void *user, void *p, uint64_t size, uint64_t align) {
  (void)user;
  if (is_small(size, align)) {
    free(p);
    __atomic_sub_fetch(&pager.small, (int64_t)size + 16, __ATOMIC_RELAXED);
  } else if (size <= LARGE) release_middle(p, size);
  else {
    forget(p);
    munmap(p, pages(size)); /* the file goes with it, which takes its time */
  }
}

/* ---- files: the kernel does not let chunks in when it is to read or write them (EFAULT); DATA that is mapped is an area */

static int32_t pager_read_at(void *user, void *file, uint64_t offset, void *buf, uint64_t size, uint64_t *done) {
  int32_t rc = pager.base.read_at(user, file, offset, buf, size, done);
  if (rc != EFAULT) return rc;
  uint8_t piece[1 << 16];
  rc = pager.base.read_at(user, file, offset, piece, size < sizeof piece ? size : sizeof piece, done);
  if (!rc) memcpy(buf, piece, *done);
  return rc;
}

static int32_t pager_write_at(void *user, void *file, uint64_t offset, const void *buf, uint64_t size, uint64_t *done) {
  int32_t rc = pager.base.write_at(user, file, offset, buf, size, done);
  if (rc != EFAULT) return rc;
  uint8_t piece[1 << 16];
  uint64_t n = size < sizeof piece ? size : sizeof piece;
  memcpy(piece, buf, n);
  return pager.base.write_at(user, file, offset, piece, n, done);
}

static int32_t pager_map(void *user, void *file, uint64_t size, const void **data) {
  int32_t rc = pager.base.map(user, file, size, data);
  if (rc || !size || remember((uint8_t *)(uintptr_t)*data, pages(size), PROT_READ)) return rc;
  (void)pager.base.unmap(user, *data, size);
  *data = NULL;
  return ENOMEM;
}

static int32_t pager_unmap(void *user, const void *data, uint64_t size) {
  if (size) forget(data);
  return pager.base.unmap(user, data, size);
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

/* Code and constants of the program and its libraries, all of which may come in. */
static int64_t mapped_files(void) {
  char line[4096 + 256];
  int64_t bytes = 0;
  FILE *f = fopen("/proc/self/maps", "re");
  while (f && fgets(line, sizeof line, f)) {
    unsigned long from, to;
    char flags[8];
    if (strchr(line, '/') && sscanf(line, "%lx-%lx %7s", &from, &to, flags) == 3 && flags[0] == 'r' && flags[1] == '-')
      bytes += (int64_t)(to - from);
  }
  if (f) fclose(f);
  return bytes;
}

static int begin(void) {
  struct sigaction act = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
  leat_error err;
  cli_error_init(&err);
  pager.base.struct_size = sizeof pager.base;
  if (leat_files_default(&pager.base, &err)) return cli_fail_error(&err);
  for (pager.chunk = 1 << 16; (int64_t)(pager.chunk * 2048) < pager.limit; pager.chunk *= 2) {}
  pager.files = mapped_files();
  pager.ring_cap = (size_t)((uint64_t)pager.limit / pager.chunk) * 2 + 1024;
  pager.ring = cli_alloc(pager.ring_cap * sizeof *pager.ring);
  sigfillset(&act.sa_mask);
  if (sigaction(SIGSEGV, &act, NULL)) return cli_fail("--memory: %s", strerror(errno));
  measure();
  pager.on = 1;
  return 0;
}

int cli_pager_start(const cli_args *a, leat_allocator *memory, leat_file_system *files) {
  int64_t all, shared;
  struct statfs fs;
  int wanted = a->memory > 0, cpu = !a->device || strcmp(a->device, "cpu") == 0 || strcmp(a->device, "reference") == 0;
  if (pager.on) return 0;
  if (!wanted && (!cpu || strcmp(a->command, "train") != 0 || data_bytes(a) <= large_data)) return 0;
  if (wanted && a->memory < least_limit)
    return -cli_wrong("--memory %lld: a program needs some: give at least 64M", (long long)a->memory);
  if (!cpu) return -cli_wrong("--memory: a device's driver cannot read memory that comes and goes: leave out --device %s", a->device);
  pager.limit = wanted ? a->memory : default_limit;
  pager.folder = scratch_folder(a);
  int fd = resident(&all, &shared) ? scratch_file(4096) : -1;
  if (fd < 0) {
    if (!wanted) return 0;
    return -cli_fail("--memory: no scratch file can be made in '%s': %s", pager.folder, strerror(errno));
  }
  int in_memory = fstatfs(fd, &fs) == 0 && fs.f_type == 0x01021994; /* TMPFS_MAGIC */
  close(fd);
  int status = begin();
  if (status) return -status;
  cli_note(a, "at most %lld MB are kept in memory, the rest in scratch files in '%s'%s", (long long)(pager.limit >> 20), pager.folder,
           in_memory ? ", which is no disk but memory too (tmpfs)" : "");
  *files = pager.base;
  files->read_at = pager_read_at;
  files->write_at = pager_write_at;
  files->map = pager_map;
  files->unmap = pager_unmap;
  *memory = (leat_allocator){ .struct_size = sizeof *memory, .alloc = pager_alloc, .release = pager_release };
  return 1;
}

int64_t cli_pager_needs(void) { return pager.refused; }

void *cli_large_alloc(uint64_t bytes) {
  if (!pager.on) return cli_alloc(bytes);
  void *p = pager_alloc(NULL, bytes, 64);
  if (!p) exit(cli_fail("no memory: %llu bytes are too many for --memory, or for '%s'", (unsigned long long)bytes, pager.folder));
  memset(p, 0, bytes);
  return p;
}

void cli_large_free(void *p, uint64_t bytes) {
  if (pager.on) pager_release(NULL, p, bytes, 64);
  else free(p);
}

int64_t cli_resident_peak(void) {
  struct rusage u;
  return getrusage(RUSAGE_SELF, &u) ? 0 : (int64_t)u.ru_maxrss * 1024;
}
