/* Plug-ins: what leat lends to one, and loading one from a shared library. */
#include "base/load.h"
#include "device/registry.h"

#include <stdio.h>
#include <string.h>

/* ---- the host table */
static void *lend_alloc(void *ctx, uint64_t size, uint64_t align) {
  lt_backend *b = ctx;
  if (align <= 64) return lt_alloc(b->rt, size);
  /* A larger alignment (pages, for wrapped memory): the block's start lies in front of what is given out. */
  if (align & (align - 1) || size > UINT64_MAX - align - sizeof(void *)) return NULL;
  char *block = lt_alloc(b->rt, size + align + sizeof(void *));
  if (!block) return NULL;
  uintptr_t at = ((uintptr_t)block + sizeof(void *) + align - 1) & ~(uintptr_t)(align - 1);
  memcpy((void *)(at - sizeof(void *)), &block, sizeof block);
  return (void *)at;
}

static void lend_release(void *ctx, void *p, uint64_t size, uint64_t align) {
  lt_backend *b = ctx;
  (void)size;
  if (p && align > 64) memcpy(&p, (char *)p - sizeof(void *), sizeof p);
  lt_free(b->rt, p);
}

static void lend_log(void *ctx, int32_t level, const char *text, uint64_t len) {
  lt_backend *b = ctx;
  if (text) lt_log(b->rt, level, "%s: %.*s", b->name ? b->name : "plug-in", (int)(len < 4096 ? len : 4096), text);
}

static leat_status lend_option(void *ctx, const char *name, char *buf, uint64_t cap, uint64_t *needed) {
  lt_backend *b = ctx;
  char digits[32];
  const char *text = NULL;
  if (!name || !needed) return LEAT_E_ARG;
  *needed = 0;
  if (!strcmp(name, "cache_folder")) {
    text = lt_runtime_cache_folder(b->rt);
  } else if (!strcmp(name, "threads")) {
    snprintf(digits, sizeof digits, "%lld", (long long)lt_runtime_threads(b->rt));
    text = digits;
  }
  return text ? lt_give_text(text, strlen(text), buf, cap, needed, NULL) : LEAT_E_NOT_FOUND;
}

/* FOLDER/BACKEND-KEY, for keys of letters, digits, '-', '_' and '.': a plug-in cannot leave the folder. */
static leat_status cache_path(const lt_backend *b, const char *key, char *path, uint64_t cap) {
  const char *folder = lt_runtime_cache_folder(b->rt);
  if (!folder) return LEAT_E_NOT_FOUND;
  if (!key || !b->name) return LEAT_E_ARG;
  uint64_t n = 0;
  for (; key[n]; n++) {
    char c = key[n];
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
      return LEAT_E_ARG;
  }
  int size = n ? snprintf(path, cap, "%s/%s-%s", folder, b->name, key) : -1;
  return size > 0 && (uint64_t)size < cap ? LEAT_OK : LEAT_E_ARG;
}

static leat_status lend_cache_get(void *ctx, const char *key, void *buf, uint64_t cap, uint64_t *needed) {
  lt_backend *b = ctx;
  char path[4096];
  lt_file *f = NULL;
  if (!needed || (!buf && cap)) return LEAT_E_ARG;
  *needed = 0;
  leat_status st = cache_path(b, key, path, sizeof path);
  if (st || (st = lt_file_open(b->rt, path, LEAT_FILE_READ, &f, NULL)) != 0) return st;
  st = lt_file_size(f, needed, NULL);
  if (!st) st = *needed > cap ? LEAT_E_CAPACITY : lt_file_read(f, 0, buf, *needed, NULL);
  lt_file_close(f, NULL);
  return st;
}

static leat_status lend_cache_put(void *ctx, const char *key, const void *buf, uint64_t size) {
  lt_backend *b = ctx;
  char path[4096];
  leat_status st = cache_path(b, key, path, sizeof path);
  return st ? st : lt_file_replace(b->rt, path, buf, size, NULL);
}

static leat_status lend_parallel_for(void *ctx, int64_t n_tasks, void (*task)(void *arg, int64_t index), void *arg) {
  lt_backend *b = ctx;
  return lt_parallel_for(b->rt, n_tasks, task, arg);
}

static leat_status lend_proc(void *ctx, const char *name, void **fn) {
  (void)ctx, (void)name;
  if (fn) *fn = NULL;
  return LEAT_E_NOT_FOUND; /* this version lends nothing beyond the table */
}

void lt_backend_lend(lt_backend *b) {
  b->host = (leat_b_host){sizeof b->host, LEAT_BACKEND_ABI_MINOR, b, lend_alloc, lend_release, lend_log, lend_option,
                          lend_cache_get, lend_cache_put, lend_parallel_for, lend_proc};
}

/* ---- loading */
/* The interface that a library without our entry speaks, by the name of the one it has; 0 none. */
static int other_major(void *library) {
  char name[] = "leat_backend_query_v0";
  for (char digit = '2'; digit <= '9'; digit++) {
    name[sizeof name - 2] = digit;
    if (lt_library_symbol(library, name)) return digit - '0';
  }
  return 0;
}

leat_status lt_devices_load(leat_runtime *rt, const char *path, leat_error *err) {
  void *library = NULL, *symbol;
  leat_backend_query_fn query;
  if (!strchr(path, '/'))
    return lt_fail(err, LEAT_E_ARG, "the plug-in's path '%s' has no '/'; nothing is searched, give the path of the file "
                   "(./%s for one beside you)", path, path);
  leat_status st = lt_library_open(path, &library, err);
  if (st) return st;
  symbol = lt_library_symbol(library, "leat_backend_query_v1");
  if (!symbol && other_major(library)) {
    st = lt_fail(err, LEAT_E_VERSION, "%s speaks plug-in interface %d, this leat speaks %d", path, other_major(library),
                 LEAT_BACKEND_ABI_MAJOR);
  } else if (!symbol) {
    st = lt_fail(err, LEAT_E_BACKEND, "%s is a shared library but no device plug-in: it does not export "
                 "leat_backend_query_v1", path);
  } else {
    memcpy(&query, &symbol, sizeof query); /* ISO C has no cast from an object's pointer to a function's */
    st = lt_devices_take(rt, query, library, path, err);
  }
  if (st) lt_library_close(library);
  return st;
}
