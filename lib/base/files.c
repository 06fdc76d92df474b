/* Files through the host's table: whole reads and writes, sentences for errors, atomic replacement. */
#include "base/inside.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct lt_file {
  leat_runtime *rt;
  void *host;
  char path[]; /* for messages */
};

/* The end of a long path, so that the reason behind it fits into a message. */
static const char *file_shown(const char *path) {
  uint64_t n = strlen(path);
  const char *p = path;
  if (n <= 240) return path;
  p += n - 240;
  while (((unsigned char)*p & 0xC0u) == 0x80u) p++;
  return p;
}

static leat_status file_fail(int32_t code, const char *path, leat_error *err) {
  return lt_fail_os(err, code == ENOMEM ? LEAT_E_MEMORY : LEAT_E_IO, code, "%s", file_shown(path));
}

leat_status lt_file_open(leat_runtime *rt, const char *path, uint64_t mode, lt_file **out, leat_error *err) {
  uint64_t n = strlen(path) + 1;
  lt_file *f;
  int32_t rc;
  *out = NULL;
  f = lt_alloc(rt, sizeof *f + n);
  if (!f) return lt_fail_memory(err, sizeof *f + n, "file");
  f->rt = rt;
  f->host = NULL;
  memcpy(f->path, path, n);
  rc = rt->files.open(rt->files.user, path, mode, &f->host);
  if (rc) {
    lt_free(rt, f);
    if (rc == ENOENT && !(mode & LEAT_FILE_CREATE))
      return lt_fail_os(err, LEAT_E_NOT_FOUND, rc, "%s", file_shown(path));
    return file_fail(rc, path, err);
  }
  *out = f;
  return LEAT_OK;
}

leat_status lt_file_close(lt_file *f, leat_error *err) {
  leat_status st = LEAT_OK;
  int32_t rc;
  if (!f) return LEAT_OK;
  rc = f->rt->files.close(f->rt->files.user, f->host);
  if (rc) st = file_fail(rc, f->path, err);
  lt_free(f->rt, f);
  return st;
}

leat_status lt_file_size(lt_file *f, uint64_t *size, leat_error *err) {
  int32_t rc;
  *size = 0;
  rc = f->rt->files.size(f->rt->files.user, f->host, size);
  if (!rc) return LEAT_OK;
  *size = 0;
  return file_fail(rc, f->path, err);
}

leat_status lt_file_read_some(lt_file *f, uint64_t offset, void *buf, uint64_t size, uint64_t *done, leat_error *err) {
  const leat_file_system *t = &f->rt->files;
  uint64_t total = 0;
  *done = 0;
  while (total < size) {
    uint64_t got = 0;
    int32_t rc = t->read_at(t->user, f->host, offset + total, (uint8_t *)buf + total, size - total, &got);
    if (rc == EINTR) continue;
    if (rc) return file_fail(rc, f->path, err);
    if (got > size - total)
      return lt_fail(err, LEAT_E_IO, "%s: read_at of the file table says that it read %llu bytes of %llu",
                     file_shown(f->path), (unsigned long long)got, (unsigned long long)(size - total));
    if (!got) break;
    total += got;
  }
  *done = total;
  return LEAT_OK;
}

leat_status lt_file_read(lt_file *f, uint64_t offset, void *buf, uint64_t size, leat_error *err) {
  uint64_t done = 0;
  leat_status st = lt_file_read_some(f, offset, buf, size, &done, err);
  if (st || done == size) return st;
  return lt_fail(err, LEAT_E_FORMAT, "%s: the file is cut: it ends at byte %llu, %llu more are missing",
                 file_shown(f->path), (unsigned long long)(offset + done), (unsigned long long)(size - done));
}

leat_status lt_file_write(lt_file *f, uint64_t offset, const void *buf, uint64_t size, leat_error *err) {
  const leat_file_system *t = &f->rt->files;
  uint64_t total = 0;
  while (total < size) {
    uint64_t put = 0;
    int32_t rc = t->write_at(t->user, f->host, offset + total, (const uint8_t *)buf + total, size - total, &put);
    if (rc == EINTR) continue;
    if (!rc && (!put || put > size - total)) rc = EIO; /* no progress and no reason */
    if (rc) return file_fail(rc, f->path, err);
    total += put;
  }
  return LEAT_OK;
}

leat_status lt_file_truncate(lt_file *f, uint64_t size, leat_error *err) {
  int32_t rc = f->rt->files.truncate(f->rt->files.user, f->host, size);
  return rc ? file_fail(rc, f->path, err) : LEAT_OK;
}

leat_status lt_file_sync(lt_file *f, leat_error *err) {
  int32_t rc = f->rt->files.sync(f->rt->files.user, f->host);
  return rc ? file_fail(rc, f->path, err) : LEAT_OK;
}

leat_status lt_file_lock(lt_file *f, int64_t kind, leat_error *err) {
  int32_t rc = f->rt->files.lock(f->rt->files.user, f->host, kind);
  if (rc == EWOULDBLOCK) return lt_fail_os(err, LEAT_E_BUSY, rc, "%s", file_shown(f->path));
  return rc ? file_fail(rc, f->path, err) : LEAT_OK;
}

leat_status lt_file_map(lt_file *f, uint64_t size, const void **data, leat_error *err) {
  const leat_file_system *t = &f->rt->files;
  int32_t rc;
  *data = NULL;
  if (!t->map) return lt_fail(err, LEAT_E_UNSUPPORTED, "%s: the file table cannot map files", file_shown(f->path));
  rc = t->map(t->user, f->host, size, data);
  if (!rc) return LEAT_OK;
  *data = NULL;
  return file_fail(rc, f->path, err);
}

void lt_file_unmap(lt_file *f, const void *data, uint64_t size) {
  if (data) (void)f->rt->files.unmap(f->rt->files.user, data, size);
}

/* The size is a hint: pipes and kernel files say 0, and a file may grow while it is read. */
leat_status lt_file_load(leat_runtime *rt, const char *path, uint64_t limit, void **data, uint64_t *size,
                         leat_error *err) {
  uint8_t *bytes = NULL, *more;
  uint64_t known = 0, cap, used = 0, got = 0;
  lt_file *f = NULL;
  leat_status st;
  *data = NULL;
  *size = 0;
  st = lt_file_open(rt, path, LEAT_FILE_READ, &f, err);
  if (st) return st;
  st = lt_file_size(f, &known, err);
  if (st) goto out;
  cap = known < 65536 ? 65536 : known + 1;
  for (;;) {
    if (cap - 1 > limit) cap = limit + 1; /* one byte more tells that the file is too large */
    if (known > limit || used > limit) {
      st = lt_fail(err, LEAT_E_MEMORY, "%s: the file is larger than the %llu bytes that are allowed", file_shown(path),
                   (unsigned long long)limit);
      goto out;
    }
    more = lt_realloc(rt, bytes, cap);
    if (!more) {
      st = lt_fail_memory(err, cap, "the bytes of a file");
      goto out;
    }
    bytes = more;
    st = lt_file_read_some(f, used, bytes + used, cap - used, &got, err);
    if (st) goto out;
    used += got;
    if (used < cap) break;
    cap = cap > UINT64_MAX / 2 ? UINT64_MAX : cap * 2;
  }
  if (cap - used > 4096 && (more = lt_realloc(rt, bytes, used ? used : 1)) != NULL) bytes = more;
  *data = bytes;
  *size = used;
out:
  (void)lt_file_close(f, NULL);
  if (st) lt_free(rt, bytes);
  return st;
}

/* ---- paths */
leat_status lt_path_rename(leat_runtime *rt, const char *from, const char *to, leat_error *err) {
  int32_t rc = rt->files.rename(rt->files.user, from, to);
  return rc ? file_fail(rc, to, err) : LEAT_OK;
}

leat_status lt_path_remove(leat_runtime *rt, const char *path, leat_error *err) {
  int32_t rc = rt->files.remove(rt->files.user, path);
  return rc ? file_fail(rc, path, err) : LEAT_OK;
}

static void file_list_nothing(void *arg, const char *name) {
  (void)arg;
  (void)name;
}
leat_status lt_path_make_folder(leat_runtime *rt, const char *path, leat_error *err) {
  int32_t rc = rt->files.make_folder(rt->files.user, path);
  if (rc == EEXIST && rt->files.list(rt->files.user, path, file_list_nothing, NULL) == 0) return LEAT_OK;
  return rc ? file_fail(rc, path, err) : LEAT_OK;
}

leat_status lt_path_sync_folder(leat_runtime *rt, const char *path, leat_error *err) {
  int32_t rc = rt->files.sync_folder(rt->files.user, path);
  return rc ? file_fail(rc, path, err) : LEAT_OK;
}

leat_status lt_path_list(leat_runtime *rt, const char *path, void (*each)(void *arg, const char *name), void *arg,
                         leat_error *err) {
  int32_t rc = rt->files.list(rt->files.user, path, each, arg);
  if (rc == ENOENT) return lt_fail_os(err, LEAT_E_NOT_FOUND, rc, "%s", file_shown(path));
  return rc ? file_fail(rc, path, err) : LEAT_OK;
}

/* ---- atomic replacement */
/* "PATH.tmp-PROCESS-NUMBER", a new file. A name may be taken by a process that died, or by one of another container. */
static leat_status file_open_beside(leat_runtime *rt, const char *path, char *name, uint64_t cap, lt_file **out,
                                    leat_error *err) {
  static int64_t number;
  leat_error first = {.struct_size = sizeof first};
  leat_status st = LEAT_OK;
  for (int tries = 0; tries < 100; tries++) {
    long long n = (long long)__atomic_add_fetch(&number, 1, __ATOMIC_RELAXED);
    snprintf(name, cap, "%s.tmp-%lld-%lld", path, (long long)lt_os_process(), n);
    st = lt_file_open(rt, name, LEAT_FILE_WRITE | LEAT_FILE_CREATE | LEAT_FILE_EXCLUSIVE, out, &first);
    if (!st) return LEAT_OK;
    if (first.os_code != EEXIST) break;
  }
  if (st == LEAT_E_MEMORY) return lt_fail(err, st, "%s", first.message);
  return file_fail(first.os_code, path, err);
}

static leat_status file_sync_parent(leat_runtime *rt, const char *path, char *room, leat_error *err) {
  char *slash;
  memcpy(room, path, strlen(path) + 1);
  slash = strrchr(room, '/');
  if (!slash) memcpy(room, ".", 2);
  else slash[slash == room] = 0;
  return lt_path_sync_folder(rt, room, err);
}

leat_status lt_file_replace(leat_runtime *rt, const char *path, const void *data, uint64_t size, leat_error *err) {
  uint64_t cap = strlen(path) + 64;
  char *name = lt_alloc(rt, cap);
  lt_file *f = NULL;
  leat_status st, closed;
  int32_t rc;
  if (!name) return lt_fail_memory(err, cap, "file name");
  st = file_open_beside(rt, path, name, cap, &f, err);
  if (st) goto out;
  rc = 0;
  {
    leat_error why = {.struct_size = sizeof why};
    st = lt_file_write(f, 0, data, size, &why);
    if (!st) st = lt_file_sync(f, &why);
    closed = lt_file_close(f, st ? NULL : &why);
    if (!st) st = closed;
    if (st) rc = why.os_code;
  }
  if (!st && (rc = rt->files.rename(rt->files.user, name, path)) != 0) st = LEAT_E_IO;
  if (st) {
    (void)rt->files.remove(rt->files.user, name);
    st = file_fail(rc, path, err); /* the path that was asked for, not the temporary's */
    goto out;
  }
  st = file_sync_parent(rt, path, name, err);
out:
  lt_free(rt, name);
  return st;
}
