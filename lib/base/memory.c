/* Memory through the host's table: a header of one cache line in front of each block holds its size. */
#include "base/inside.h"
#include <string.h>

typedef struct lt_block { uint64_t size; uint64_t spare[7]; } lt_block; /* size: with this header */
_Static_assert(sizeof(lt_block) == 64, "the header keeps the block's alignment");
enum { MEMORY_ALIGN = 64 };
#define MEMORY_MAX ((uint64_t)INT64_MAX - 4096)

static void memory_count(leat_runtime *rt, int64_t bytes) {
  int64_t now = __atomic_add_fetch(&rt->bytes_in_use, bytes, __ATOMIC_RELAXED);
  int64_t peak = __atomic_load_n(&rt->bytes_peak, __ATOMIC_RELAXED);
  if (bytes <= 0) return;
  while (now > peak && !__atomic_compare_exchange_n(&rt->bytes_peak, &peak, now, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  __atomic_fetch_add(&rt->allocations, 1, __ATOMIC_RELAXED);
}

void *lt_alloc(leat_runtime *rt, uint64_t bytes) {
  uint64_t size = bytes + sizeof(lt_block);
  lt_block *b;
  if (bytes > MEMORY_MAX) return NULL;
  b = rt->allocator.alloc(rt->allocator.user, size, MEMORY_ALIGN);
  if (!b) return NULL;
  b->size = size;
  memory_count(rt, (int64_t)size);
  return b + 1;
}

void *lt_zalloc(leat_runtime *rt, uint64_t bytes) {
  void *p = lt_alloc(rt, bytes);
  if (p && !(rt->own_allocator && lt_os_fresh_is_zero(bytes + sizeof(lt_block)))) memset(p, 0, bytes);
  return p;
}

void *lt_realloc(leat_runtime *rt, void *p, uint64_t bytes) {
  lt_block *b = p, *q;
  uint64_t size = bytes + sizeof(lt_block), old;
  void *fresh;
  if (!p) return lt_alloc(rt, bytes);
  if (bytes > MEMORY_MAX) return NULL;
  b--;
  old = b->size;
  if (size == old) return p;
  if (rt->allocator.resize) {
    q = rt->allocator.resize(rt->allocator.user, b, old, size, MEMORY_ALIGN);
    if (!q) return NULL;
    q->size = size;
    memory_count(rt, (int64_t)size - (int64_t)old);
    return q + 1;
  }
  fresh = lt_alloc(rt, bytes);
  if (!fresh) return NULL;
  memcpy(fresh, p, (old < size ? old : size) - sizeof(lt_block));
  lt_free(rt, p);
  return fresh;
}

void lt_free(leat_runtime *rt, void *p) {
  lt_block *b = p;
  uint64_t size;
  if (!p) return;
  b--;
  size = b->size;
  rt->allocator.release(rt->allocator.user, b, size, MEMORY_ALIGN);
  memory_count(rt, -(int64_t)size);
}

static int memory_overflows(uint64_t n, uint64_t size) { return size && n > MEMORY_MAX / size; }
void *lt_array(leat_runtime *rt, uint64_t n, uint64_t size) {
  return memory_overflows(n, size) ? NULL : lt_alloc(rt, n * size);
}
void *lt_zarray(leat_runtime *rt, uint64_t n, uint64_t size) {
  return memory_overflows(n, size) ? NULL : lt_zalloc(rt, n * size);
}

char *lt_strdup(leat_runtime *rt, const char *s) { return lt_strndup(rt, s, strlen(s)); }
char *lt_strndup(leat_runtime *rt, const char *s, uint64_t n) {
  char *p;
  if (n > MEMORY_MAX - 1) return NULL;
  p = lt_alloc(rt, n + 1);
  if (!p) return NULL;
  if (n) memcpy(p, s, n);
  p[n] = 0;
  return p;
}

leat_status lt_grow(leat_runtime *rt, void **p, uint64_t *cap, uint64_t need, uint64_t size, leat_error *err) {
  uint64_t more = *cap < 8 ? 8 : *cap;
  void *q;
  if (need <= *cap && *p) return LEAT_OK;
  while (more < need && more <= MEMORY_MAX / 2) more *= 2;
  if (more < need || memory_overflows(more, size)) more = need;
  if (memory_overflows(more, size)) return lt_fail_memory(err, UINT64_MAX, "an array that overflows the address space");
  q = lt_realloc(rt, *p, more * size);
  if (!q && more > need) { /* doubling was too much: what is needed may still fit */
    more = need;
    q = lt_realloc(rt, *p, more * size);
  }
  if (!q) return lt_fail_memory(err, more * size, "a growing array");
  *p = q;
  *cap = more;
  return LEAT_OK;
}
