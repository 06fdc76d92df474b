/* Segment files: names, leftovers, wiping. */
#include "lifecycle/segment.h"
#include <stdio.h>
#include <string.h>

enum { SEGMENT_HEAD = 32 }; /* of a record log */

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_name(const char *name, char prefix, lt_segment *out) {
  if (name[0] != prefix || name[1] != '-') return 0;
  out->number = 0;
  for (int i = 2; i < 18; i++) {
    int d = hex_digit(name[i]);
    if (d < 0) return 0;
    out->number = out->number << 4 | (uint64_t)d;
  }
  out->generation = 0;
  name += 18;
  if (name[0] == '.' && name[1] >= '1' && name[1] <= '9') {
    uint64_t g = 0;
    for (name++; *name >= '0' && *name <= '9' && g < UINT32_MAX; name++) g = g * 10 + (uint64_t)(*name - '0');
    if (g > UINT32_MAX) return 0;
    out->generation = (uint32_t)g;
  }
  return strcmp(name, ".log") == 0;
}

static void each_name(void *arg, const char *name) {
  lt_segments *s = arg;
  lt_segment found;
  if (s->failed) return;
  if (!parse_name(name, s->prefix, &found)) {
    if (name[0] == s->prefix && name[1] == '-' && strstr(name, ".tmp")) lt_put_raw(&s->left, name, strlen(name) + 1);
    s->failed = s->left.failed;
    return;
  }
  void *at = s->at;
  if (lt_grow(s->rt, &at, &s->cap, s->n + 1, sizeof *s->at, NULL)) {
    s->failed = 1;
    return;
  }
  s->at = at;
  uint64_t i = s->n++; /* few files, and folders often list in order: insertion */
  for (; i && (s->at[i - 1].number > found.number ||
               (s->at[i - 1].number == found.number && s->at[i - 1].generation > found.generation)); i--)
    s->at[i] = s->at[i - 1];
  s->at[i] = found;
}

leat_status lt_segments_find(leat_runtime *rt, const char *folder, char prefix, lt_segments *out, leat_error *err) {
  memset(out, 0, sizeof *out);
  out->rt = rt;
  out->prefix = prefix;
  lt_put_init(&out->left, rt);
  leat_status st = lt_path_list(rt, folder, each_name, out, err);
  if (!st && out->failed) st = lt_fail_memory(err, (out->n + 1) * sizeof *out->at, "a list of files");
  if (st) lt_segments_free(out);
  return st;
}

void lt_segments_free(lt_segments *s) {
  if (!s->rt) return;
  lt_free(s->rt, s->at);
  lt_put_free(&s->left);
  s->at = NULL;
  s->n = s->cap = 0;
}

static char *join_path(leat_runtime *rt, const char *folder, const char *name, const char *suffix) {
  uint64_t a = strlen(folder), b = strlen(name), c = strlen(suffix);
  char *p = lt_alloc(rt, a + b + c + 2);
  if (!p) return NULL;
  memcpy(p, folder, a);
  p[a] = '/';
  memcpy(p + a + 1, name, b);
  memcpy(p + a + 1 + b, suffix, c + 1);
  return p;
}

char *lt_segment_path(leat_runtime *rt, const char *folder, char prefix, lt_segment name, const char *suffix) {
  char text[64];
  if (name.generation)
    snprintf(text, sizeof text, "%c-%016llx.%lu.log", prefix, (unsigned long long)name.number,
             (unsigned long)name.generation);
  else
    snprintf(text, sizeof text, "%c-%016llx.log", prefix, (unsigned long long)name.number);
  return join_path(rt, folder, text, suffix);
}

leat_status lt_segment_hollow(leat_runtime *rt, const char *path, int32_t *hollow, leat_error *err) {
  lt_file *f = NULL;
  uint64_t size = 0;
  *hollow = 0;
  leat_status st = lt_file_open(rt, path, LEAT_FILE_READ, &f, err);
  if (!st) st = lt_file_size(f, &size, err);
  (void)lt_file_close(f, NULL);
  if (!st && size < SEGMENT_HEAD) *hollow = 1;
  if (!st && size == SEGMENT_HEAD) { /* zeros: the size came to the disk, the bytes did not */
    void *data = NULL;
    uint64_t n, i = 0;
    st = lt_file_load(rt, path, SEGMENT_HEAD, &data, &n, err);
    while (!st && i < n && ((const uint8_t *)data)[i] == 0) i++;
    if (!st && i == n) *hollow = 1;
    lt_free(rt, data);
  }
  return st;
}

leat_status lt_segment_wipe(leat_runtime *rt, const char *path, leat_error *err) {
  static const uint8_t zero[1 << 13]; /* it lies in the library's file: not larger than writing needs */
  leat_error quiet = {.struct_size = sizeof quiet};
  lt_file *f = NULL;
  uint64_t size = 0;
  leat_status st = lt_file_open(rt, path, LEAT_FILE_READ | LEAT_FILE_WRITE, &f, &quiet);
  if (st == LEAT_E_NOT_FOUND) return LEAT_OK;
  if (st) return lt_fail_os(err, st, quiet.os_code, "%s", path);
  st = lt_file_size(f, &size, err);
  for (uint64_t at = 0; !st && at < size; at += sizeof zero)
    st = lt_file_write(f, at, zero, size - at < sizeof zero ? size - at : sizeof zero, err);
  if (!st) st = lt_file_sync(f, err);
  leat_status closed = lt_file_close(f, st ? NULL : err);
  if (!st) st = closed;
  if (!st) st = lt_path_remove(rt, path, err);
  return st;
}

leat_status lt_segments_tidy(const lt_segments *s, const char *folder, leat_error *err) {
  leat_status st = LEAT_OK;
  for (uint64_t at = 0; !st && at < s->left.size; at += strlen((const char *)s->left.data + at) + 1) {
    char *path = join_path(s->rt, folder, (const char *)s->left.data + at, "");
    st = path ? lt_segment_wipe(s->rt, path, err) : lt_fail_memory(err, strlen(folder), "a path");
    lt_free(s->rt, path);
  }
  return st;
}
