#include "posix_files.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int number(void *file) { return (int)(intptr_t)file - 1; }

static int32_t fault(void *user, int writes) {
  faulty_files *s = user;
  if (s->writes_only && !writes) return 0;
  const int64_t k = ++s->calls;
  if (s->fail_at == 0 || (s->sticky ? k < s->fail_at : k != s->fail_at)) return 0;
  s->failed++;
  return s->error;
}

static int32_t f_open(void *user, const char *path, uint64_t mode, void **file) {
  const int32_t e = fault(user, (mode & LEAT_FILE_CREATE) != 0);
  if (e != 0) return e;
  int flags = O_CLOEXEC;
  if (mode & LEAT_FILE_WRITE) flags |= (mode & LEAT_FILE_READ) ? O_RDWR : O_WRONLY;
  if (mode & LEAT_FILE_CREATE) flags |= O_CREAT;
  if (mode & LEAT_FILE_TRUNCATE) flags |= O_TRUNC;
  if (mode & LEAT_FILE_EXCLUSIVE) flags |= O_EXCL;
  const int fd = open(path, flags, 0666);
  if (fd < 0) return errno;
  ((faulty_files *)user)->open_files++;
  *file = (void *)(intptr_t)(fd + 1);
  return 0;
}
static int32_t f_close(void *user, void *file) {
  ((faulty_files *)user)->open_files--;
  const int rc = close(number(file)) == 0 ? 0 : errno;
  const int32_t e = fault(user, 0);
  return e != 0 ? e : rc;
}
static int32_t f_size(void *user, void *file, uint64_t *size) {
  const int32_t e = fault(user, 0);
  struct stat st;
  if (e != 0) return e;
  if (fstat(number(file), &st) != 0) return errno;
  *size = (uint64_t)st.st_size;
  return 0;
}
static int32_t f_read(void *user, void *file, uint64_t offset, void *buf, uint64_t size, uint64_t *done) {
  const faulty_files *s = user;
  const int32_t e = fault(user, 0);
  *done = 0;
  if (e != 0) return e;
  if (s->short_io > 0 && size > (uint64_t)s->short_io) size = (uint64_t)s->short_io;
  const ssize_t n = pread(number(file), buf, (size_t)size, (off_t)offset);
  if (n < 0) return errno;
  *done = (uint64_t)n;
  return 0;
}
static int32_t f_write(void *user, void *file, uint64_t offset, const void *buf, uint64_t size, uint64_t *done) {
  const faulty_files *s = user;
  const int32_t e = fault(user, 1);
  *done = 0;
  if (e != 0) { /* a full disk takes a part */
    const ssize_t part = pwrite(number(file), buf, (size_t)(size / 2), (off_t)offset);
    *done = part > 0 ? (uint64_t)part : 0;
    return e;
  }
  if (s->short_io > 0 && size > (uint64_t)s->short_io) size = (uint64_t)s->short_io;
  const ssize_t n = pwrite(number(file), buf, (size_t)size, (off_t)offset);
  if (n < 0) return errno;
  *done = (uint64_t)n;
  return 0;
}
static int32_t f_truncate(void *user, void *file, uint64_t size) {
  const int32_t e = fault(user, 1);
  return e != 0 ? e : ftruncate(number(file), (off_t)size) == 0 ? 0 : errno;
}
static int32_t f_sync(void *user, void *file) {
  (void)file; /* the test asks for no power loss */
  return fault(user, 1);
}
static int32_t f_rename(void *user, const char *from, const char *to) {
  const int32_t e = fault(user, 1);
  return e != 0 ? e : rename(from, to) == 0 ? 0 : errno;
}
static int32_t f_remove(void *user, const char *path) {
  (void)user; /* removing is how the library cleans up: it always works here */
  return unlink(path) == 0 ? 0 : errno;
}
static int32_t f_make_folder(void *user, const char *path) {
  const int32_t e = fault(user, 1);
  return e != 0 ? e : mkdir(path, 0777) == 0 ? 0 : errno;
}
static int32_t f_sync_folder(void *user, const char *path) {
  (void)path;
  return fault(user, 1);
}
static int32_t f_list(void *user, const char *path, void (*each)(void *arg, const char *name), void *arg) {
  const int32_t e = fault(user, 0);
  if (e != 0) return e;
  DIR *d = opendir(path);
  if (d == NULL) return errno;
  for (struct dirent *entry = readdir(d); entry != NULL; entry = readdir(d))
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) each(arg, entry->d_name);
  closedir(d);
  return 0;
}
static int32_t f_lock(void *user, void *file, int64_t kind) {
  const int32_t e = fault(user, 0);
  const int how = kind == 2 ? LOCK_EX : kind == 1 ? LOCK_SH : LOCK_UN;
  return e != 0 ? e : flock(number(file), how | LOCK_NB) == 0 ? 0 : errno;
}

void faulty_table(leat_file_system *table, faulty_files *state) {
  memset(table, 0, sizeof *table);
  table->struct_size = sizeof *table;
  table->user = state;
  table->open = f_open;
  table->close = f_close;
  table->size = f_size;
  table->read_at = f_read;
  table->write_at = f_write;
  table->truncate = f_truncate;
  table->sync = f_sync;
  table->rename = f_rename;
  table->remove = f_remove;
  table->make_folder = f_make_folder;
  table->sync_folder = f_sync_folder;
  table->list = f_list;
  table->lock = f_lock;
}
