/* A file system in memory on which a machine can die. Call number die_at (of all calls that change something) fails, and
 * with it every call behind it. crash_power then leaves what a power loss may leave: of each file what was synced and any
 * of the 512-byte sectors written since, a size between; of the folder's entries that were not synced any, in order or
 * not. crash_kill leaves everything (kill -9). full_at: from that write on the disk is full, until it is set to 0. */
#ifndef LEAT_TESTS_CRASH_HOST_H
#define LEAT_TESTS_CRASH_HOST_H
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/runtime.h"

typedef struct crash_bytes { uint8_t *p; uint64_t size, cap; } crash_bytes;
typedef struct crash_inode { crash_bytes now, disk; } crash_inode;
typedef struct crash_entry { char path[160]; crash_inode *inode; } crash_entry;
typedef struct crash_op { char from[160], to[160]; crash_inode *inode; } crash_op; /* from "": created; to "": removed */
enum { CRASH_MAX = 512 };
typedef struct crash_host {
  crash_inode *inode[4096];
  int n_inodes;
  crash_entry now[CRASH_MAX], disk[CRASH_MAX];
  int n_now, n_disk;
  crash_op op[CRASH_MAX]; /* of folders, not yet synced */
  int n_ops;
  int64_t calls, die_at, full_at, writes;
  int dead;
  leat_file_system table;
} crash_host;

static uint64_t crash_random(uint64_t *state) { /* SplitMix64 */
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}
static int crash_dies(crash_host *h) {
  if (!h->dead && ++h->calls == h->die_at) h->dead = 1;
  return h->dead;
}
static void crash_resize(crash_bytes *b, uint64_t size) {
  if (size > b->cap) {
    b->cap = size * 2 + 4096;
    b->p = realloc(b->p, b->cap);
    if (!b->p) abort();
  }
  if (size > b->size) memset(b->p + b->size, 0, size - b->size);
  b->size = size;
}
static crash_entry *crash_find(crash_entry *e, int n, const char *path) {
  for (int i = 0; i < n; i++)
    if (strcmp(e[i].path, path) == 0) return &e[i];
  return NULL;
}
static void crash_apply(crash_entry *e, int *n, const crash_op *op) {
  crash_entry *from = op->from[0] ? crash_find(e, *n, op->from) : NULL;
  if (from) *from = e[--*n];
  if (!op->to[0]) return;
  crash_entry *to = crash_find(e, *n, op->to);
  if (!to) {
    if (*n == CRASH_MAX) abort();
    to = &e[(*n)++];
    snprintf(to->path, sizeof to->path, "%s", op->to);
  }
  to->inode = op->inode;
}
static int32_t crash_folder_op(crash_host *h, const char *from, const char *to, crash_inode *inode) {
  if (h->n_ops == CRASH_MAX) abort();
  crash_op *op = &h->op[h->n_ops++];
  snprintf(op->from, sizeof op->from, "%s", from);
  snprintf(op->to, sizeof op->to, "%s", to);
  op->inode = inode;
  crash_apply(h->now, &h->n_now, op);
  return 0;
}
static int32_t crash_open(void *user, const char *path, uint64_t mode, void **file) {
  crash_host *h = user;
  crash_entry *e = crash_find(h->now, h->n_now, path);
  *file = NULL;
  if (h->dead) return EIO;
  if (e && mode & LEAT_FILE_EXCLUSIVE) return EEXIST;
  if (!e && !(mode & LEAT_FILE_CREATE)) return ENOENT;
  if (!e) {
    if (crash_dies(h)) return EIO;
    if (h->full_at && h->writes + 1 >= h->full_at) return ENOSPC;
    if (h->n_inodes == 4096) abort();
    crash_inode *inode = calloc(1, sizeof *inode);
    if (!inode) abort();
    h->inode[h->n_inodes++] = inode;
    (void)crash_folder_op(h, "", path, inode);
    e = crash_find(h->now, h->n_now, path);
  }
  *file = e->inode;
  return 0;
}
static int32_t crash_close(void *user, void *file) { (void)user; (void)file; return 0; }
static int32_t crash_size(void *user, void *file, uint64_t *size) {
  *size = ((crash_inode *)file)->now.size;
  return ((crash_host *)user)->dead ? EIO : 0;
}
static int32_t crash_read(void *user, void *file, uint64_t offset, void *buf, uint64_t size, uint64_t *done) {
  const crash_bytes *b = &((crash_inode *)file)->now;
  *done = offset >= b->size ? 0 : b->size - offset < size ? b->size - offset : size;
  if (*done) memcpy(buf, b->p + offset, *done);
  return ((crash_host *)user)->dead ? EIO : 0;
}
static int32_t crash_write(void *user, void *file, uint64_t offset, const void *buf, uint64_t size, uint64_t *done) {
  crash_host *h = user;
  crash_bytes *b = &((crash_inode *)file)->now;
  int full = h->full_at && ++h->writes >= h->full_at;
  if (h->dead) return EIO;
  if (crash_dies(h) || full) size /= 2; /* half of it gets there */
  if (offset + size > b->size) crash_resize(b, offset + size);
  if (size) memcpy(b->p + offset, buf, size);
  *done = size;
  return h->dead ? EIO : full ? ENOSPC : 0;
}
static int32_t crash_truncate(void *user, void *file, uint64_t size) {
  if (crash_dies(user)) return EIO;
  crash_resize(&((crash_inode *)file)->now, size);
  return 0;
}
static int32_t crash_sync(void *user, void *file) {
  crash_inode *f = file;
  if (crash_dies(user)) return EIO;
  crash_resize(&f->disk, f->now.size);
  if (f->now.size) memcpy(f->disk.p, f->now.p, f->now.size);
  return 0;
}
static int32_t crash_rename(void *user, const char *from, const char *to) {
  crash_host *h = user;
  crash_entry *e = crash_find(h->now, h->n_now, from);
  if (h->dead) return EIO;
  if (!e) return ENOENT;
  if (crash_dies(h)) return EIO;
  return crash_folder_op(h, from, to, e->inode);
}
static int32_t crash_remove(void *user, const char *path) {
  crash_host *h = user;
  if (h->dead) return EIO;
  if (!crash_find(h->now, h->n_now, path)) return ENOENT;
  if (crash_dies(h)) return EIO;
  return crash_folder_op(h, path, "", NULL);
}
static int32_t crash_make_folder(void *user, const char *path) { (void)path; return ((crash_host *)user)->dead ? EIO : 0; }
static int crash_inside(const char *folder, const char *path) {
  size_t n = strlen(folder);
  return path[0] && strncmp(folder, path, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/');
}
static int32_t crash_sync_folder(void *user, const char *path) {
  crash_host *h = user;
  int kept = 0;
  if (crash_dies(h)) return EIO;
  for (int i = 0; i < h->n_ops; i++) {
    if (crash_inside(path, h->op[i].from) || crash_inside(path, h->op[i].to)) crash_apply(h->disk, &h->n_disk, &h->op[i]);
    else h->op[kept++] = h->op[i];
  }
  h->n_ops = kept;
  return 0;
}
static int32_t crash_list(void *user, const char *path, void (*each)(void *arg, const char *name), void *arg) {
  crash_host *h = user;
  if (h->dead) return EIO;
  for (int i = 0; i < h->n_now; i++)
    if (crash_inside(path, h->now[i].path)) each(arg, h->now[i].path + strlen(path) + 1);
  return 0;
}
static int32_t crash_lock(void *user, void *file, int64_t kind) { (void)user; (void)file; (void)kind; return 0; }

static void crash_start(crash_host *h) {
  memset(h, 0, sizeof *h);
  h->table = (leat_file_system){sizeof h->table, h, crash_open, crash_close, crash_size, crash_read, crash_write,
                                crash_truncate, crash_sync, crash_rename, crash_remove, crash_make_folder,
                                crash_sync_folder, crash_list, crash_lock, NULL, NULL};
}
static void crash_end(crash_host *h) {
  for (int i = 0; i < h->n_inodes; i++) {
    free(h->inode[i]->now.p);
    free(h->inode[i]->disk.p);
    free(h->inode[i]);
  }
  h->n_inodes = h->n_now = h->n_disk = h->n_ops = 0;
  h->calls = h->die_at = h->full_at = h->writes = 0;
  h->dead = 0;
}
__attribute__((unused)) static void crash_kill(crash_host *h) { h->dead = 0, h->die_at = 0; }
/* Handles that are still open must not be used behind it. */
__attribute__((unused)) static void crash_power(crash_host *h, uint64_t seed) {
  uint64_t mode = crash_random(&seed) % 3; /* entries: none, a beginning, any of them */
  int first = h->n_ops ? (int)(crash_random(&seed) % (uint64_t)(h->n_ops + 1)) : 0;
  for (int i = 0; i < h->n_ops; i++)
    if (mode == 1 ? i < first : mode == 2 && crash_random(&seed) % 2) crash_apply(h->disk, &h->n_disk, &h->op[i]);
  h->n_ops = 0;
  memcpy(h->now, h->disk, sizeof h->now);
  h->n_now = h->n_disk;
  for (int i = 0; i < h->n_inodes; i++) {
    crash_inode *f = h->inode[i];
    uint64_t low = f->disk.size < f->now.size ? f->disk.size : f->now.size;
    uint64_t high = f->disk.size < f->now.size ? f->now.size : f->disk.size;
    uint64_t size = low + (high > low ? crash_random(&seed) % (high - low + 1) : 0), keep = crash_random(&seed) % 4;
    if (crash_random(&seed) % 2) size = high;
    crash_resize(&f->disk, high);
    crash_resize(&f->now, high);
    for (uint64_t s = 0; s < high; s += 512)
      if (crash_random(&seed) % 16 < (uint64_t[]){0, 3, 8, 15}[keep])
        memcpy(f->disk.p + s, f->now.p + s, high - s < 512 ? high - s : 512);
    crash_resize(&f->disk, size);
    f->now.size = 0;
    crash_resize(&f->now, size);
    if (size) memcpy(f->now.p, f->disk.p, size);
  }
  h->dead = 0;
  h->die_at = 0;
}
/* Do the bytes lie anywhere, also in files that have no name any more? */
__attribute__((unused)) static int crash_holds(const crash_host *h, const void *what, uint64_t n) {
  for (int i = 0; i < h->n_inodes; i++)
    for (int k = 0; k < 2; k++) {
      const crash_bytes *b = k ? &h->inode[i]->disk : &h->inode[i]->now;
      for (uint64_t o = 0; o + n <= b->size; o++) {
        const uint8_t *p = memchr(b->p + o, *(const uint8_t *)what, b->size - n + 1 - o);
        if (!p) break;
        o = (uint64_t)(p - b->p);
        if (memcmp(p, what, n) == 0) return 1;
      }
    }
  return 0;
}
#endif
