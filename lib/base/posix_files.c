/* POSIX: the default file system. A file is its descriptor + 1 in a pointer: opening allocates nothing. */
#define _GNU_SOURCE
#include "base/os.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define POSIX_IO_MAX (1ull << 30) /* Linux moves at most 2 GiB a call */

static int posix_fd(void *file) { return (int)((intptr_t)file - 1); }

static int32_t posix_open(void *user, const char *path, uint64_t mode, void **file) {
  int flags = O_CLOEXEC, fd, reads = (mode & LEAT_FILE_READ) != 0, writes = (mode & LEAT_FILE_WRITE) != 0;
  struct stat st;
  (void)user;
  *file = NULL;
  flags |= writes ? (reads ? O_RDWR : O_WRONLY) : O_RDONLY;
  if (mode & LEAT_FILE_CREATE) flags |= O_CREAT;
  if (mode & LEAT_FILE_TRUNCATE) flags |= O_TRUNC;
  if (mode & LEAT_FILE_EXCLUSIVE) flags |= O_EXCL;
  do fd = open(path, flags, 0666);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return errno;
  if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) { /* else only the first read would say so */
    close(fd);
    return EISDIR;
  }
  *file = (void *)((intptr_t)fd + 1);
  return 0;
}

/* After EINTR the descriptor is gone on Linux: closing again could close somebody else's. */
static int32_t posix_close(void *user, void *file) {
  (void)user;
  return close(posix_fd(file)) && errno != EINTR ? errno : 0;
}

static int32_t posix_size(void *user, void *file, uint64_t *size) {
  struct stat st;
  (void)user;
  *size = 0;
  if (fstat(posix_fd(file), &st)) return errno;
  *size = st.st_size > 0 ? (uint64_t)st.st_size : 0;
  return 0;
}

static int32_t posix_read_at(void *user, void *file, uint64_t offset, void *buf, uint64_t size, uint64_t *done) {
  size_t n = (size_t)(size < POSIX_IO_MAX ? size : POSIX_IO_MAX);
  ssize_t got;
  (void)user;
  *done = 0;
  if (offset > INT64_MAX) return EINVAL;
  do {
    got = pread(posix_fd(file), buf, n, (off_t)offset);
    if (got < 0 && errno == ESPIPE) got = read(posix_fd(file), buf, n); /* a pipe: only ever read in order */
  } while (got < 0 && errno == EINTR);
  if (got < 0) return errno;
  *done = (uint64_t)got;
  return 0;
}

static int32_t posix_write_at(void *user, void *file, uint64_t offset, const void *buf, uint64_t size,
                              uint64_t *done) {
  size_t n = (size_t)(size < POSIX_IO_MAX ? size : POSIX_IO_MAX);
  ssize_t put;
  (void)user;
  *done = 0;
  if (offset > INT64_MAX) return EFBIG;
  do {
    put = pwrite(posix_fd(file), buf, n, (off_t)offset);
    if (put < 0 && errno == ESPIPE) put = write(posix_fd(file), buf, n);
  } while (put < 0 && errno == EINTR);
  if (put < 0) return errno;
  *done = (uint64_t)put;
  return 0;
}

static int32_t posix_truncate(void *user, void *file, uint64_t size) {
  int rc;
  (void)user;
  if (size > INT64_MAX) return EFBIG;
  do rc = ftruncate(posix_fd(file), (off_t)size);
  while (rc && errno == EINTR);
  return rc ? errno : 0;
}

static int32_t posix_sync_fd(int fd) {
  int rc;
  do rc = fsync(fd);
  while (rc && errno == EINTR);
  return rc ? errno : 0;
}
static int32_t posix_sync(void *user, void *file) {
  (void)user;
  return posix_sync_fd(posix_fd(file));
}

static int32_t posix_sync_folder(void *user, const char *path) {
  int fd;
  int32_t rc;
  (void)user;
  do fd = open(path[0] ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return errno;
  rc = posix_sync_fd(fd);
  close(fd);
  return rc == EINVAL || rc == ENOTSUP ? 0 : rc; /* file systems without folder sync */
}

/* A symbolic link stays, what it points to is replaced; devices and pipes (a result sent to /dev/null by root) are not
 * replaced by files; a file keeps the permissions of the one that it replaces (a private model stays private). */
static int32_t posix_rename(void *user, const char *from, const char *to) {
  struct stat st;
  char real[PATH_MAX];
  char *slash;
  if (stat(to, &st) == 0) {
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) return EPERM;
    if (S_ISREG(st.st_mode)) (void)chmod(from, st.st_mode & 07777);
  }
  if (lstat(to, &st) || !S_ISLNK(st.st_mode) || !realpath(to, real)) return rename(from, to) ? errno : 0;
  if (rename(from, real)) return errno;
  slash = strrchr(real, '/');
  if (slash) slash[slash == real] = 0;
  return posix_sync_folder(user, real);
}

static int32_t posix_remove(void *user, const char *path) {
  (void)user;
  return remove(path) ? errno : 0;
}

static int32_t posix_make_folder(void *user, const char *path) {
  (void)user;
  return mkdir(path, 0777) ? errno : 0;
}

static int32_t posix_list(void *user, const char *path, void (*each)(void *arg, const char *name), void *arg) {
  DIR *folder = opendir(path[0] ? path : ".");
  struct dirent *entry;
  int32_t rc;
  (void)user;
  if (!folder) return errno;
  for (;;) {
    errno = 0;
    entry = readdir(folder);
    rc = errno;
    if (!entry) break;
    if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) each(arg, entry->d_name);
  }
  closedir(folder);
  return rc;
}

static int32_t posix_lock(void *user, void *file, int64_t kind) {
  int rc, op = kind == 2 ? LOCK_EX | LOCK_NB : kind == 1 ? LOCK_SH | LOCK_NB : LOCK_UN;
  (void)user;
  do rc = flock(posix_fd(file), op);
  while (rc && errno == EINTR);
  return rc ? errno : 0;
}

static const char posix_nothing[1];
static int32_t posix_map_file(void *user, void *file, uint64_t size, const void **data) {
  void *p;
  (void)user;
  *data = posix_nothing;
  if (!size) return 0;
  *data = NULL;
  p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, posix_fd(file), 0);
  if (p == MAP_FAILED) return errno;
  (void)madvise(p, size, MADV_WILLNEED);
  *data = p;
  return 0;
}

static int32_t posix_unmap_file(void *user, const void *data, uint64_t size) {
  (void)user;
  if (!size || data == posix_nothing) return 0;
  return munmap((void *)(uintptr_t)data, size) ? errno : 0;
}

static const leat_file_system posix_file_table = {
    sizeof(leat_file_system), NULL, posix_open, posix_close, posix_size, posix_read_at, posix_write_at,
    posix_truncate, posix_sync, posix_rename, posix_remove, posix_make_folder, posix_sync_folder, posix_list,
    posix_lock, posix_map_file, posix_unmap_file};
const leat_file_system *lt_os_files(void) { return &posix_file_table; }

/* strerror is not thread-safe and speaks the locale's language. */
const char *lt_os_error_text(int32_t code) {
  static const struct { int32_t code; const char *text; } texts[] = {
      {ENOENT, "No such file or directory"}, {EACCES, "Permission denied"}, {EPERM, "Operation not permitted"},
      {EEXIST, "File exists"}, {EISDIR, "Is a directory, not a file"}, {ENOTDIR, "Not a directory"},
      {ENOSPC, "No space left on device"}, {EDQUOT, "Disk quota exceeded"}, {EFBIG, "File too large"},
      {EROFS, "Read-only file system"}, {EIO, "Input/output error"}, {EMFILE, "Too many open files in this process"},
      {ENFILE, "Too many open files in the system"}, {ENOMEM, "Cannot allocate memory"}, {EINVAL, "Invalid argument"},
      {EBADF, "Bad file descriptor"}, {ENAMETOOLONG, "File name too long"}, {ELOOP, "Too many symbolic links"},
      {EBUSY, "Device or resource busy"}, {EWOULDBLOCK, "Locked by another process"}, {EXDEV, "On another file system"},
      {ENOTEMPTY, "Directory not empty"}, {ENODEV, "No such device"}, {ENXIO, "No such device or address"},
      {ESPIPE, "A pipe cannot be read at a position"}, {EPIPE, "Broken pipe"}, {ETXTBSY, "Text file busy"},
      {ESTALE, "Stale file handle"}, {ENOSYS, "Function not implemented"}, {ENOTSUP, "Operation not supported"},
      {EOVERFLOW, "Value too large"}, {EINTR, "Interrupted"}, {ETIMEDOUT, "Timed out"}, {ENOLCK, "No locks available"}};
  for (uint64_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    if (texts[i].code == code) return texts[i].text;
  return NULL;
}
