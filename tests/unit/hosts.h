/* Host tables for tests: an allocator that counts, checks and fails on demand, a file system that fails on demand. */
#ifndef LEAT_TESTS_HOSTS_H
#define LEAT_TESTS_HOSTS_H
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/os.h"
#include "base/runtime.h"

/* ---- memory. Fails call number fail_at (from 1; 0 never). `wrong` counts releases whose size or align is not the
 * block's. */
typedef struct host_memory { int64_t calls, fail_at, blocks, bytes, wrong; } host_memory;
typedef struct host_block { uint64_t size, align; void *raw; } host_block;

static inline void *host_alloc(void *user, uint64_t size, uint64_t align) {
  host_memory *m = user;
  host_block *b;
  uint8_t *raw, *p;
  if (__atomic_add_fetch(&m->calls, 1, __ATOMIC_RELAXED) == m->fail_at) return NULL;
  if (size > (uint64_t)1 << 40) return NULL; /* the sanitizers' malloc ends the process there */
  raw = malloc(size + align + sizeof *b);
  if (!raw) return NULL;
  p = raw + sizeof *b;
  p += (align - ((uintptr_t)p & (align - 1))) & (align - 1);
  b = (host_block *)(void *)(p - sizeof *b);
  b->size = size;
  b->align = align;
  b->raw = raw;
  memset(p, 0xA5, size);
  __atomic_add_fetch(&m->blocks, 1, __ATOMIC_RELAXED);
  __atomic_add_fetch(&m->bytes, (int64_t)size, __ATOMIC_RELAXED);
  return p;
}
static inline void host_release(void *user, void *p, uint64_t size, uint64_t align) {
  host_memory *m = user;
  host_block *b = (host_block *)(void *)((uint8_t *)p - sizeof *b);
  if (b->size != size || b->align != align) __atomic_add_fetch(&m->wrong, 1, __ATOMIC_RELAXED);
  __atomic_sub_fetch(&m->blocks, 1, __ATOMIC_RELAXED);
  __atomic_sub_fetch(&m->bytes, (int64_t)b->size, __ATOMIC_RELAXED);
  free(b->raw);
}
static inline void *host_resize(void *user, void *p, uint64_t old_size, uint64_t new_size, uint64_t align) {
  void *q = host_alloc(user, new_size, align);
  if (!q) return NULL;
  memcpy(q, p, old_size < new_size ? old_size : new_size);
  host_release(user, p, old_size, align);
  return q;
}
static inline leat_allocator host_allocator(host_memory *m, int with_resize) {
  leat_allocator a = {sizeof a, m, host_alloc, with_resize ? host_resize : NULL, host_release};
  return a;
}

/* ---- files: the default table behind a counter. Call number fail_at gets `code`. `kind` (a letter of
 * o c s r w t y n x m f l k) restricts counting to one function, 0 counts all. short_io: at most that many bytes a
 * read or write. */
typedef struct host_files { int64_t calls, fail_at; int32_t code; char kind; uint64_t short_io; int64_t open_now; } host_files;
static inline int host_fails(host_files *h, char kind) {
  if (h->kind && h->kind != kind) return 0;
  return ++h->calls == h->fail_at;
}
static inline int32_t hf_open(void *u, const char *path, uint64_t mode, void **file) {
  int32_t rc;
  *file = NULL;
  if (host_fails(u, 'o')) return ((host_files *)u)->code;
  rc = lt_os_files()->open(NULL, path, mode, file);
  if (!rc) ((host_files *)u)->open_now++;
  return rc;
}
static inline int32_t hf_close(void *u, void *file) {
  int32_t rc = lt_os_files()->close(NULL, file);
  ((host_files *)u)->open_now--;
  return host_fails(u, 'c') ? ((host_files *)u)->code : rc;
}
static inline int32_t hf_size(void *u, void *file, uint64_t *size) {
  return host_fails(u, 's') ? ((host_files *)u)->code : lt_os_files()->size(NULL, file, size);
}
static inline int32_t hf_read_at(void *u, void *file, uint64_t offset, void *buf, uint64_t size, uint64_t *done) {
  host_files *h = u;
  if (host_fails(u, 'r')) return h->code;
  if (h->short_io && size > h->short_io) size = h->short_io;
  return lt_os_files()->read_at(NULL, file, offset, buf, size, done);
}
static inline int32_t hf_write_at(void *u, void *file, uint64_t offset, const void *buf, uint64_t size, uint64_t *done) {
  host_files *h = u;
  if (host_fails(u, 'w')) return h->code;
  if (h->short_io && size > h->short_io) size = h->short_io;
  return lt_os_files()->write_at(NULL, file, offset, buf, size, done);
}
static inline int32_t hf_truncate(void *u, void *file, uint64_t size) {
  return host_fails(u, 't') ? ((host_files *)u)->code : lt_os_files()->truncate(NULL, file, size);
}
static inline int32_t hf_sync(void *u, void *file) {
  return host_fails(u, 'y') ? ((host_files *)u)->code : lt_os_files()->sync(NULL, file);
}
static inline int32_t hf_rename(void *u, const char *from, const char *to) {
  return host_fails(u, 'n') ? ((host_files *)u)->code : lt_os_files()->rename(NULL, from, to);
}
static inline int32_t hf_remove(void *u, const char *path) {
  return host_fails(u, 'x') ? ((host_files *)u)->code : lt_os_files()->remove(NULL, path);
}
static inline int32_t hf_make_folder(void *u, const char *path) {
  return host_fails(u, 'm') ? ((host_files *)u)->code : lt_os_files()->make_folder(NULL, path);
}
static inline int32_t hf_sync_folder(void *u, const char *path) {
  return host_fails(u, 'f') ? ((host_files *)u)->code : lt_os_files()->sync_folder(NULL, path);
}
static inline int32_t hf_list(void *u, const char *path, void (*each)(void *arg, const char *name), void *arg) {
  return host_fails(u, 'l') ? ((host_files *)u)->code : lt_os_files()->list(NULL, path, each, arg);
}
static inline int32_t hf_lock(void *u, void *file, int64_t kind) {
  return host_fails(u, 'k') ? ((host_files *)u)->code : lt_os_files()->lock(NULL, file, kind);
}
static inline leat_file_system host_file_system(host_files *h) {
  leat_file_system f = {sizeof f, h, hf_open, hf_close, hf_size, hf_read_at, hf_write_at, hf_truncate, hf_sync,
                        hf_rename, hf_remove, hf_make_folder, hf_sync_folder, hf_list, hf_lock, NULL, NULL};
  return f;
}

static inline leat_runtime *host_runtime(const leat_runtime_opts *opts) {
  leat_error err = {.struct_size = sizeof err};
  leat_runtime *rt = NULL;
  if (lt_runtime_create(opts, &rt, &err)) fail_msg("%s", err.message);
  return rt;
}
static inline int64_t host_stat(const leat_runtime *rt, const char *name) {
  int64_t v = -1;
  assert_int_equal(lt_runtime_stat(rt, name, &v, NULL), LEAT_OK);
  return v;
}

/* A fresh folder under the build's temporary place; host_folder_end removes it with its files. */
static inline void host_folder(leat_runtime *rt, char path[256]) {
  const char *base = getenv("TMPDIR");
  snprintf(path, 256, "%s/leat-test-%lld-%p", base ? base : "/tmp", (long long)lt_os_process(), (void *)path);
  assert_int_equal(lt_path_make_folder(rt, path, NULL), LEAT_OK);
}
typedef struct host_names { int64_t n; char name[64][200]; } host_names;
static inline void host_name_add(void *arg, const char *name) {
  host_names *l = arg;
  if (l->n < 64) snprintf(l->name[l->n++], 200, "%s", name);
}
static inline void host_folder_end(leat_runtime *rt, const char *path) {
  host_names names = {0};
  lt_path_list(rt, path, host_name_add, &names, NULL);
  for (int64_t i = 0; i < names.n; i++) {
    char file[512];
    snprintf(file, sizeof file, "%s/%s", path, names.name[i]);
    lt_path_remove(rt, file, NULL);
  }
  lt_path_remove(rt, path, NULL);
}
#endif
