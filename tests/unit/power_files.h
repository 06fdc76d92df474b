/* A file system in memory that can be stopped between any two operations, and whose power can fail. Strict: nothing lasts
 * but what was synced, a file's bytes by sync, its name by sync_folder; whatever else may be there afterwards or not, in
 * sectors of 512 bytes and in names one by one. One thread. */
#ifndef LEAT_TESTS_POWER_FILES_H
#define LEAT_TESTS_POWER_FILES_H
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "leat/leat.h"

enum { POWER_FOLDER = -1, POWER_NODES = 4096, POWER_NAMES = 2048, POWER_PENDING = 4096 };
typedef struct power_node { uint8_t *now, *disk; uint64_t size, disk_size, cap; void *exclusive; int64_t shared; } power_node;
typedef struct power_name { char path[120]; int node; } power_name;
typedef struct power_list { power_name name[POWER_NAMES]; int n; } power_list;
typedef struct power_change { char from[120], to[120]; int node; } power_change; /* to "": removed; from "": made */
typedef struct power_handle { int node, held; } power_handle;
typedef struct power_disk {
  power_node node[POWER_NODES];
  int n_nodes;
  power_list now, disk;
  power_change pending[POWER_PENDING];
  int n_pending;
  int64_t calls;      /* operations that change something */
  int64_t stop_at;    /* from this one on nothing happens any more, everything says EIO; 0 never */
  int64_t full_at;    /* writes from this operation on are half done and say ENOSPC; 0 never */
  int64_t sync_at;    /* this sync says EIO */
  int stopped;
} power_disk;

static inline int power_find(const power_list *l, const char *path) {
  for (int i = 0; i < l->n; i++)
    if (strcmp(l->name[i].path, path) == 0) return i;
  return -1;
}
static inline void power_set(power_list *l, const char *path, int node) {
  int i = power_find(l, path);
  if (i < 0) i = l->n++;
  if (l->n > POWER_NAMES) abort();
  snprintf(l->name[i].path, sizeof l->name[i].path, "%s", path);
  l->name[i].node = node;
}
static inline void power_unset(power_list *l, const char *path) {
  int i = power_find(l, path);
  if (i >= 0) l->name[i] = l->name[--l->n];
}
/* Is `path` right inside `folder`? */
static inline int power_inside(const char *folder, const char *path) {
  size_t n = strlen(folder);
  return strncmp(folder, path, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/');
}
static inline int power_folder_there(const power_list *l, const char *path) {
  char up[120];
  snprintf(up, sizeof up, "%s", path);
  char *slash = strrchr(up, '/');
  if (!slash) return 1; /* the root */
  *slash = 0;
  int i = power_find(l, up);
  return i >= 0 && l->name[i].node == POWER_FOLDER;
}
static inline void power_apply(power_list *l, const power_change *c) {
  if (c->from[0]) power_unset(l, c->from);
  if (c->to[0] && power_folder_there(l, c->to)) power_set(l, c->to, c->node);
}
static inline void power_note(power_disk *d, const char *from, const char *to, int node) {
  if (d->n_pending == POWER_PENDING) abort();
  power_change *c = &d->pending[d->n_pending++];
  snprintf(c->from, sizeof c->from, "%s", from);
  snprintf(c->to, sizeof c->to, "%s", to);
  c->node = node;
  power_apply(&d->now, c);
}
/* 1: the machine has stopped, 2: right now. */
static inline int power_stopped(power_disk *d, int changes) {
  if (d->stopped) return 1;
  if (!changes || ++d->calls != d->stop_at) return 0;
  d->stopped = 1;
  return 2;
}

static inline int32_t pf_open(void *user, const char *path, uint64_t mode, void **file) {
  power_disk *d = user;
  int i = power_find(&d->now, path);
  *file = NULL;
  if (power_stopped(d, i < 0 && (mode & LEAT_FILE_CREATE))) return EIO;
  if (i >= 0 && d->now.name[i].node == POWER_FOLDER) return EISDIR;
  if (i >= 0 && mode & LEAT_FILE_EXCLUSIVE) return EEXIST;
  if (i < 0 && !(mode & LEAT_FILE_CREATE)) return ENOENT;
  if (i < 0) {
    if (!power_folder_there(&d->now, path)) return ENOENT;
    if (d->n_nodes == POWER_NODES) abort();
    memset(&d->node[d->n_nodes], 0, sizeof d->node[0]);
    power_note(d, "", path, d->n_nodes++);
    i = power_find(&d->now, path);
  }
  power_handle *h = calloc(1, sizeof *h);
  if (!h) return ENOMEM;
  h->node = d->now.name[i].node;
  if (mode & LEAT_FILE_TRUNCATE) d->node[h->node].size = 0;
  *file = h;
  return 0;
}
static inline int32_t pf_lock(void *user, void *file, int64_t kind) {
  power_disk *d = user;
  power_handle *h = file;
  power_node *n = &d->node[h->node];
  if (power_stopped(d, 0)) return EIO;
  if (h->held == 2) n->exclusive = NULL;
  if (h->held == 1) n->shared--;
  h->held = 0;
  if (kind == 0) return 0;
  if (n->exclusive || (kind == 2 && n->shared)) return EWOULDBLOCK;
  if (kind == 2) n->exclusive = h;
  else n->shared++;
  h->held = (int)kind;
  return 0;
}
static inline int32_t pf_close(void *user, void *file) {
  power_disk *d = user;
  power_node *n = &d->node[((power_handle *)file)->node];
  if (((power_handle *)file)->held == 2) n->exclusive = NULL;
  if (((power_handle *)file)->held == 1) n->shared--;
  free(file);
  return 0;
}
static inline int32_t pf_size(void *user, void *file, uint64_t *size) {
  power_disk *d = user;
  if (power_stopped(d, 0)) return EIO;
  *size = d->node[((power_handle *)file)->node].size;
  return 0;
}
static inline int32_t pf_read(void *user, void *file, uint64_t offset, void *buf, uint64_t size, uint64_t *done) {
  power_disk *d = user;
  const power_node *n = &d->node[((power_handle *)file)->node];
  *done = 0;
  if (power_stopped(d, 0)) return EIO;
  *done = offset >= n->size ? 0 : n->size - offset < size ? n->size - offset : size;
  if (*done) memcpy(buf, n->now + offset, *done);
  return 0;
}
static inline void power_room(power_node *n, uint64_t size) {
  if (size <= n->cap) return;
  uint64_t cap = (size * 2 + 4095) / 512 * 512;
  n->now = realloc(n->now, cap);
  n->disk = realloc(n->disk, cap);
  if (!n->now || !n->disk) abort();
  memset(n->now + n->cap, 0, cap - n->cap);
  memset(n->disk + n->cap, 0, cap - n->cap);
  n->cap = cap;
}
static inline int32_t pf_write(void *user, void *file, uint64_t offset, const void *buf, uint64_t size, uint64_t *done) {
  power_disk *d = user;
  power_node *n = &d->node[((power_handle *)file)->node];
  int stopped = power_stopped(d, 1);
  *done = 0;
  if (stopped == 1) return EIO;
  int full = d->full_at && d->calls >= d->full_at;
  if (stopped || full) size /= 2; /* stopped in the middle of it */
  power_room(n, offset + size);
  if (size) memcpy(n->now + offset, buf, size);
  if (size && offset + size > n->size) n->size = offset + size;
  *done = size;
  return stopped ? EIO : full ? ENOSPC : 0;
}
static inline int32_t pf_truncate(void *user, void *file, uint64_t size) {
  power_disk *d = user;
  power_node *n = &d->node[((power_handle *)file)->node];
  if (power_stopped(d, 1)) return EIO;
  power_room(n, size);
  if (size < n->size) memset(n->now + size, 0, n->size - size);
  n->size = size;
  return 0;
}
static inline int32_t pf_sync(void *user, void *file) {
  power_disk *d = user;
  power_node *n = &d->node[((power_handle *)file)->node];
  if (power_stopped(d, 1)) return EIO;
  if (d->sync_at && d->calls >= d->sync_at) {
    d->sync_at = 0;
    return EIO;
  }
  if (n->cap) memcpy(n->disk, n->now, n->cap);
  n->disk_size = n->size;
  return 0;
}
static inline int32_t pf_rename(void *user, const char *from, const char *to) {
  power_disk *d = user;
  int i = power_find(&d->now, from);
  if (power_stopped(d, 1)) return EIO;
  if (i < 0 || !power_folder_there(&d->now, to)) return ENOENT;
  power_note(d, from, to, d->now.name[i].node);
  return 0;
}
static inline int32_t pf_remove(void *user, const char *path) {
  power_disk *d = user;
  if (power_stopped(d, 1)) return EIO;
  if (power_find(&d->now, path) < 0) return ENOENT;
  power_note(d, path, "", 0);
  return 0;
}
static inline int32_t pf_make_folder(void *user, const char *path) {
  power_disk *d = user;
  if (power_stopped(d, 1)) return EIO;
  if (power_find(&d->now, path) >= 0) return EEXIST;
  if (!power_folder_there(&d->now, path)) return ENOENT;
  power_note(d, "", path, POWER_FOLDER);
  return 0;
}
/* "." is the folder that holds the paths without a slash. */
static inline int32_t pf_sync_folder(void *user, const char *path) {
  power_disk *d = user;
  int kept = 0;
  if (power_stopped(d, 1)) return EIO;
  for (int i = 0; i < d->n_pending; i++) {
    power_change c = d->pending[i];
    const char *where = c.to[0] ? c.to : c.from;
    int here = strcmp(path, ".") == 0 ? !strchr(where, '/') : power_inside(path, where);
    if (here) power_apply(&d->disk, &c);
    else d->pending[kept++] = c;
  }
  d->n_pending = kept;
  return 0;
}
static inline int32_t pf_list(void *user, const char *path, void (*each)(void *arg, const char *name), void *arg) {
  power_disk *d = user;
  int f = power_find(&d->now, path);
  if (power_stopped(d, 0)) return EIO;
  if (f < 0) return ENOENT;
  if (d->now.name[f].node != POWER_FOLDER) return ENOTDIR;
  for (int i = 0; i < d->now.n; i++)
    if (power_inside(path, d->now.name[i].path)) each(arg, d->now.name[i].path + strlen(path) + 1);
  return 0;
}
static inline leat_file_system power_table(power_disk *d) {
  leat_file_system t = {sizeof t, d, pf_open, pf_close, pf_size, pf_read, pf_write, pf_truncate, pf_sync, pf_rename,
                        pf_remove, pf_make_folder, pf_sync_folder, pf_list, pf_lock, NULL, NULL};
  return t;
}

static inline uint64_t power_random(uint64_t *state) { /* SplitMix64 */
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}
/* The machine goes on after a stop: with all that was written (the process was killed), or, with a seed above 0, after the
 * power had failed. Handles must be closed. */
static inline void power_on(power_disk *d, uint64_t seed) {
  d->stop_at = d->full_at = d->sync_at = 0;
  d->stopped = 0;
  if (!seed) return;
  uint64_t keep = power_random(&seed) % 4; /* how much of what was not synced survives */
  static const uint64_t share[4] = {0, 3, 8, 15};
  for (int i = 0; i < d->n_pending; i++)
    if (power_random(&seed) % 16 < share[keep]) power_apply(&d->disk, &d->pending[i]);
  d->n_pending = 0;
  d->now = d->disk;
  keep = power_random(&seed) % 4;
  for (int i = 0; i < d->n_nodes; i++) {
    power_node *n = &d->node[i];
    uint64_t low = n->disk_size < n->size ? n->disk_size : n->size, high = n->disk_size < n->size ? n->size : n->disk_size;
    uint64_t size = low + (high > low ? power_random(&seed) % (high - low + 1) : 0);
    if (power_random(&seed) % 2) size = high;
    for (uint64_t s = 0; s < high; s += 512)
      if (power_random(&seed) % 16 < share[keep]) memcpy(n->disk + s, n->now + s, 512);
    if (n->cap) memset(n->disk + size, 0, n->cap - size);
    if (n->cap) memcpy(n->now, n->disk, n->cap);
    n->size = n->disk_size = size;
    n->exclusive = NULL;
    n->shared = 0;
  }
}
static inline void power_free(power_disk *d) {
  for (int i = 0; i < d->n_nodes; i++) {
    free(d->node[i].now);
    free(d->node[i].disk);
  }
  memset(d, 0, sizeof *d);
}
#endif
