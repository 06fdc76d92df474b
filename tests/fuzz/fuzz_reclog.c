/* Record logs in a file system of one file in memory. The bytes are tried as they are, then with every checksum that a
 * walk over the records finds made right. Reading and opening for append must agree, and a log that was opened for
 * append is whole afterwards. */
#include "check.h"
#include <errno.h>
#include "base/hash.h"
#include "base/reclog.h"

static uint8_t file_bytes[1 << 18];
static uint64_t file_size;
static int32_t f_open(void *user, const char *path, uint64_t mode, void **file) {
  (void)path, (void)mode;
  *file = user;
  return 0;
}
static int32_t f_close(void *user, void *file) { (void)user, (void)file; return 0; }
static int32_t f_size(void *user, void *file, uint64_t *size) { (void)user, (void)file; *size = file_size; return 0; }
static int32_t f_read(void *user, void *file, uint64_t offset, void *buf, uint64_t size, uint64_t *done) {
  (void)user, (void)file;
  *done = offset >= file_size ? 0 : file_size - offset < size ? file_size - offset : size;
  if (*done) memcpy(buf, file_bytes + offset, *done);
  return 0;
}
static int32_t f_write(void *user, void *file, uint64_t offset, const void *buf, uint64_t size, uint64_t *done) {
  (void)user, (void)file;
  if (offset + size > sizeof file_bytes) return ENOSPC;
  memcpy(file_bytes + offset, buf, size);
  if (offset + size > file_size) file_size = offset + size;
  *done = size;
  return 0;
}
static int32_t f_truncate(void *user, void *file, uint64_t size) { (void)user, (void)file; file_size = size; return 0; }
static int32_t f_sync(void *user, void *file) { (void)user, (void)file; return 0; }
static int32_t f_rename(void *user, const char *from, const char *to) { (void)user, (void)from, (void)to; return 0; }
static int32_t f_path(void *user, const char *path) { (void)user, (void)path; return 0; }
static int32_t f_list(void *user, const char *path, void (*each)(void *arg, const char *name), void *arg) {
  (void)user, (void)path, (void)each, (void)arg;
  return 0;
}
static int32_t f_lock(void *user, void *file, int64_t kind) { (void)user, (void)file, (void)kind; return 0; }

static leat_runtime *fuzz_runtime(void) {
  static leat_runtime *rt;
  static int user;
  leat_file_system files = {.struct_size = sizeof files, .user = &user, .open = f_open, .close = f_close, .size = f_size,
    .read_at = f_read, .write_at = f_write, .truncate = f_truncate, .sync = f_sync, .rename = f_rename, .remove = f_path,
    .make_folder = f_path, .sync_folder = f_path, .list = f_list, .lock = f_lock};
  leat_runtime_opts opts = {.struct_size = sizeof opts, .files = &files};
  if (!rt) FUZZ_REQUIRE(lt_runtime_create(&opts, &rt, NULL) == LEAT_OK);
  return rt;
}

static void store(uint8_t *p, uint64_t v) {
  for (int i = 0; i < 8; i++) p[i] = (uint8_t)(v >> (8 * i));
}

size_t leat_fuzz_seed(size_t which, uint8_t *buf, size_t cap) {
  static const uint8_t head[24] = {0x89, 'L', 'L', 'O', 'G', '\r', '\n', 0x1a, 'F', 'U', 'Z', 'Z', 1};
  lt_reclog *l;
  uint64_t torn, sequence;
  if (which > 2) return 0;
  memcpy(file_bytes, head, 24);
  file_bytes[16] = (uint8_t)which;
  store(file_bytes + 24, lt_hash64(file_bytes, 24, 0));
  file_size = 32;
  FUZZ_REQUIRE(lt_reclog_append_open(fuzz_runtime(), "f", "FUZZ", 1, &l, &torn, NULL) == LEAT_OK);
  for (int i = 0; i < 12 * (int)which; i++) {
    FUZZ_REQUIRE(lt_reclog_append(l, 1, head, (uint64_t)(i % 20), &sequence, NULL) == LEAT_OK);
    if (i % 5 == 4) FUZZ_REQUIRE(lt_reclog_sync(l, NULL) == LEAT_OK);
  }
  FUZZ_REQUIRE(lt_reclog_close(l, NULL) == LEAT_OK);
  FUZZ_REQUIRE(file_size <= cap);
  memcpy(buf, file_bytes, file_size);
  return (size_t)file_size;
}

static leat_status walk(uint64_t *next, int32_t *torn) {
  lt_reclog *l;
  lt_record r;
  int32_t got = 1;
  uint64_t sum = 0;
  leat_status st = lt_reclog_read_open(fuzz_runtime(), "f", "FUZZ", 1, &l, NULL);
  if (st != LEAT_OK) return st;
  while (st == LEAT_OK && got) {
    st = lt_reclog_next(l, &r, &got, torn, NULL);
    if (got) sum += lt_hash64(r.data, r.size, 0);
  }
  *next = lt_reclog_next_sequence(l) + (sum & 0);
  FUZZ_REQUIRE(lt_reclog_close(l, NULL) == LEAT_OK);
  return st;
}

static void try_bytes(const uint8_t *data, size_t size) {
  lt_reclog *l;
  uint64_t torn = 0, next = 0, again = 0, sequence;
  int32_t tail = 0;
  if (size > sizeof file_bytes / 2) return;
  memcpy(file_bytes, data, size);
  file_size = size;
  leat_status st = walk(&next, &tail), opened = lt_reclog_append_open(fuzz_runtime(), "f", "FUZZ", 1, &l, &torn, NULL);
  FUZZ_REQUIRE(st == LEAT_OK || st == LEAT_E_FORMAT || st == LEAT_E_VERSION);
  FUZZ_REQUIRE(st == opened && (st == LEAT_OK) == (l != NULL));
  if (st != LEAT_OK) {
    FUZZ_REQUIRE(file_size == size && memcmp(file_bytes, data, size) == 0); /* nothing was touched */
    return;
  }
  FUZZ_REQUIRE((torn != 0) == (tail != 0) && lt_reclog_next_sequence(l) == next);
  FUZZ_REQUIRE(lt_reclog_append(l, 7, "after", 5, &sequence, NULL) == LEAT_OK && sequence == next);
  FUZZ_REQUIRE(lt_reclog_close(l, NULL) == LEAT_OK);
  FUZZ_REQUIRE(walk(&again, &tail) == LEAT_OK && !tail && again == next + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  try_bytes(data, size);
  if (size < 32 || size > sizeof file_bytes / 2) return 0;
  uint8_t *p = malloc(size);
  if (!p) return 0;
  memcpy(p, data, size);
  store(p + 24, lt_hash64(p, 24, 0));
  for (uint64_t at = 32; at + 32 <= size;) {
    uint64_t n = p[at] | (uint64_t)p[at + 1] << 8 | (uint64_t)p[at + 2] << 16 | (uint64_t)p[at + 3] << 24;
    if (n > size - at - 32) break;
    store(p + at + 24, lt_hash64(p + at + 32, n, lt_hash64(p + at, 24, 0)));
    at += 32 + (n + 7) / 8 * 8;
  }
  try_bytes(p, size);
  free(p);
  return 0;
}
