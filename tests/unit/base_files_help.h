/* For the tests of files: a runtime whose memory can be told to fail, and whose files live in memory, where a crash can
 * be played: every sector of 512 bytes that was written since the last sync survives or not, as a seed says. */
#ifndef LEAT_TESTS_BASE_FILES_HELP_H
#define LEAT_TESTS_BASE_FILES_HELP_H
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/runtime.h"

typedef struct mem_file { char name[96]; uint8_t *now, *disk; uint64_t size, disk_size; int present; } mem_file;
typedef struct mem_host {
  mem_file file[64];
  int64_t fail_alloc;  /* the n-th allocation from now fails, and all behind it; 0: none */
  int64_t fail_write;  /* the same for writes (ENOSPC, half written) */
  int64_t fail_sync;
  int64_t blocks;      /* live allocations */
  leat_allocator allocator;
  leat_file_system files;
} mem_host;
#define MEM_FILE_MAX ((uint64_t)1 << 22)

static int host_countdown(int64_t *n) {
  if (*n <= 0) return *n < 0;
  if (--*n) return 0;
  *n = -1;
  return 1;
}
static void *host_alloc(void *user, uint64_t size, uint64_t align) {
  mem_host *h = user;
  if (host_countdown(&h->fail_alloc)) return NULL;
  void *p = NULL;
  uint64_t whole = (size + align - 1) / align * align;
  p = aligned_alloc(align, whole ? whole : align);
  if (p) memset(p, 0xa5, size), h->blocks++;
  return p;
}
static void host_release(void *user, void *p, uint64_t size, uint64_t align) {
  mem_host *h = user;
  (void)size;
  (void)align;
  h->blocks--;
  free(p);
}
static mem_file *host_find(mem_host *h, const char *path, int make) {
  for (int i = 0; i < 64; i++)
    if (h->file[i].present && strcmp(h->file[i].name, path) == 0) return &h->file[i];
  for (int i = 0; make && i < 64; i++) {
    mem_file *f = &h->file[i];
    if (f->present) continue;
    if (!f->now) f->now = calloc(1, MEM_FILE_MAX), f->disk = calloc(1, MEM_FILE_MAX);
    if (!f->now || !f->disk) return NULL;
    memset(f->now, 0, f->size);
    memset(f->disk, 0, f->disk_size);
    f->size = f->disk_size = 0;
    f->present = 1;
    strncpy(f->name, path, sizeof f->name - 1);
    return f;
  }
  return NULL;
}
static int32_t host_open(void *user, const char *path, uint64_t mode, void **file) {
  mem_file *f = host_find(user, path, 0);
  if (f && mode & LEAT_FILE_EXCLUSIVE) return EEXIST;
  if (!f && !(mode & LEAT_FILE_CREATE)) return ENOENT;
  if (!f) f = host_find(user, path, 1);
  *file = f;
  return f ? 0 : ENOSPC;
}
static int32_t host_close(void *user, void *file) { (void)user; (void)file; return 0; }
static int32_t host_size(void *user, void *file, uint64_t *size) {
  (void)user;
  *size = ((mem_file *)file)->size;
  return 0;
}
static int32_t host_read(void *user, void *file, uint64_t offset, void *buf, uint64_t size, uint64_t *done) {
  mem_file *f = file;
  (void)user;
  *done = offset >= f->size ? 0 : f->size - offset < size ? f->size - offset : size;
  if (*done) memcpy(buf, f->now + offset, *done);
  return 0;
}
static int32_t host_write(void *user, void *file, uint64_t offset, const void *buf, uint64_t size, uint64_t *done) {
  mem_host *h = user;
  mem_file *f = file;
  int fails = host_countdown(&h->fail_write);
  if (fails) size /= 2;
  if (offset + size > MEM_FILE_MAX) return ENOSPC;
  memcpy(f->now + offset, buf, size);
  if (offset + size > f->size) f->size = offset + size;
  *done = size;
  return fails ? ENOSPC : 0;
}
static int32_t host_truncate(void *user, void *file, uint64_t size) {
  mem_file *f = file;
  (void)user;
  if (size < f->size) memset(f->now + size, 0, f->size - size);
  f->size = size;
  return 0;
}
static int32_t host_sync(void *user, void *file) {
  mem_host *h = user;
  mem_file *f = file;
  if (host_countdown(&h->fail_sync)) return EIO;
  memcpy(f->disk, f->now, f->size); /* bytes behind disk_size are never looked at */
  if (f->disk_size > f->size) memset(f->disk + f->size, 0, f->disk_size - f->size);
  f->disk_size = f->size;
  return 0;
}
static int32_t host_rename(void *user, const char *from, const char *to) {
  mem_file *f = host_find(user, from, 0), *old = host_find(user, to, 0);
  if (!f) return ENOENT;
  if (old) old->present = 0;
  memset(f->name, 0, sizeof f->name);
  strncpy(f->name, to, sizeof f->name - 1);
  return 0;
}
static int32_t host_remove(void *user, const char *path) {
  mem_file *f = host_find(user, path, 0);
  if (!f) return ENOENT;
  f->present = 0;
  return 0;
}
static int32_t host_folder(void *user, const char *path) { (void)user; (void)path; return 0; }
static int32_t host_list(void *user, const char *path, void (*each)(void *arg, const char *name), void *arg) {
  (void)user; (void)path; (void)each; (void)arg;
  return 0;
}
static int32_t host_lock(void *user, void *file, int64_t kind) { (void)user; (void)file; (void)kind; return 0; }

static uint64_t host_random(uint64_t *state) { /* SplitMix64 */
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}
/* Power fails: of each file stays what was synced, and any of the later sectors; the size may be the old or any later. */
__attribute__((unused)) static void host_crash(mem_host *h, uint64_t seed) {
  for (int i = 0; i < 64; i++) {
    mem_file *f = &h->file[i];
    if (!f->present) continue;
    uint64_t low = f->disk_size < f->size ? f->disk_size : f->size, high = f->disk_size < f->size ? f->size : f->disk_size;
    uint64_t size = low + (high > low ? host_random(&seed) % (high - low + 1) : 0);
    if (host_random(&seed) % 2) size = high;
    uint64_t keep = host_random(&seed) % 4; /* none, few, half, nearly all of the sectors */
    for (uint64_t s = 0; s < high; s += 512)
      if (host_random(&seed) % 16 < (uint64_t[]){0, 3, 8, 15}[keep]) memcpy(f->disk + s, f->now + s, 512);
    memset(f->disk + size, 0, (high + 511) / 512 * 512 - size);
    memcpy(f->now, f->disk, (high + 511) / 512 * 512);
    f->size = f->disk_size = size;
  }
}

static leat_runtime *host_start(mem_host *h) {
  leat_runtime *rt = NULL;
  leat_runtime_opts opts = {.struct_size = sizeof opts, .allocator = &h->allocator, .files = &h->files};
  memset(h, 0, sizeof *h);
  h->allocator = (leat_allocator){.struct_size = sizeof h->allocator, .user = h, .alloc = host_alloc, .release = host_release};
  h->files = (leat_file_system){.struct_size = sizeof h->files, .user = h, .open = host_open, .close = host_close,
    .size = host_size, .read_at = host_read, .write_at = host_write, .truncate = host_truncate, .sync = host_sync,
    .rename = host_rename, .remove = host_remove, .make_folder = host_folder, .sync_folder = host_folder, .list = host_list,
    .lock = host_lock};
  return lt_runtime_create(&opts, &rt, NULL) == LEAT_OK ? rt : NULL;
}
/* 0 when every block was given back. */
static int64_t host_stop(mem_host *h, leat_runtime *rt) {
  lt_runtime_unref(rt);
  for (int i = 0; i < 64; i++) {
    free(h->file[i].now);
    free(h->file[i].disk);
  }
  return h->blocks;
}
#endif
