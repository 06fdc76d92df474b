/* POSIX: the default allocator. Small blocks come from malloc. Large ones are mapped at huge-page boundaries and advised
 * to use huge pages (a page fault for every 4 KiB of a fresh block dominates ingest), and grow by moving their pages
 * instead of copying (mremap). */
#define _GNU_SOURCE
#include "base/os.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The leak checker does not look for pointers inside mapped blocks, so under it everything comes from malloc. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define POSIX_PLAIN_MALLOC 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || !defined(__linux__)
#define POSIX_PLAIN_MALLOC 1
#endif

#define POSIX_LARGE (4ull << 20)
#define POSIX_HUGE_PAGE (2ull << 20)
#define POSIX_MOST (1ull << 47) /* no process has a larger address space: not worth asking the system */

static int posix_large(uint64_t size) {
#ifdef POSIX_PLAIN_MALLOC
  (void)size;
  return 0;
#else
  return size >= POSIX_LARGE;
#endif
}

#ifndef POSIX_PLAIN_MALLOC
static uint64_t posix_pages(uint64_t size) { return (size + 4095) & ~4095ull; }

/* Address space of `pages` bytes at a huge-page boundary: more is reserved, both ends are given back. */
static void *posix_reserve(uint64_t pages) {
  uint64_t more = pages + POSIX_HUGE_PAGE;
  uint8_t *p = mmap(NULL, more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uint64_t head;
  if (p == MAP_FAILED) return NULL;
  head = (POSIX_HUGE_PAGE - ((uintptr_t)p & (POSIX_HUGE_PAGE - 1))) & (POSIX_HUGE_PAGE - 1);
  if (head) munmap(p, head);
  if (more - head - pages) munmap(p + head + pages, more - head - pages);
  return p + head;
}

static void *posix_map(uint64_t size) {
  uint64_t pages = posix_pages(size);
  void *p = posix_reserve(pages);
  if (p) (void)madvise(p, pages, MADV_HUGEPAGE);
  return p;
}

static void *posix_remap(void *p, uint64_t old_size, uint64_t new_size) {
  uint64_t from = posix_pages(old_size), to = posix_pages(new_size);
  void *place, *q;
  if (from == to) return p;
  if (to < from) {
    munmap((uint8_t *)p + to, from - to);
    return p;
  }
  q = mremap(p, from, to, 0); /* in place? */
  if (q != MAP_FAILED) {
    (void)madvise(q, to, MADV_HUGEPAGE);
    return q;
  }
  /* Page tables move whole only between huge-page boundaries. */
  place = posix_reserve(to);
  if (!place) return NULL;
  q = mremap(p, from, to, MREMAP_MAYMOVE | MREMAP_FIXED, place);
  if (q == MAP_FAILED) {
    munmap(place, to);
    return NULL;
  }
  (void)madvise(q, to, MADV_HUGEPAGE);
  return q;
}
#endif

int lt_os_fresh_is_zero(uint64_t size) { return posix_large(size); }

static void *posix_alloc(void *user, uint64_t size, uint64_t align) {
  void *p = NULL;
  (void)user;
  if (size > POSIX_MOST) return NULL;
#ifndef POSIX_PLAIN_MALLOC
  if (posix_large(size)) return posix_map(size);
#endif
  if (posix_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, size ? size : 1)) return NULL;
  return p;
}

static void posix_release(void *user, void *p, uint64_t size, uint64_t align) {
  (void)user;
  (void)align;
#ifndef POSIX_PLAIN_MALLOC
  if (posix_large(size)) {
    munmap(p, posix_pages(size));
    return;
  }
#endif
  (void)size;
  free(p);
}

static void *posix_resize(void *user, void *p, uint64_t old_size, uint64_t new_size, uint64_t align) {
  void *q;
  if (new_size > POSIX_MOST) return NULL;
#ifndef POSIX_PLAIN_MALLOC
  if (posix_large(old_size) && posix_large(new_size)) return posix_remap(p, old_size, new_size);
#endif
  q = posix_alloc(user, new_size, align); /* realloc would lose the alignment */
  if (!q) return NULL;
  memcpy(q, p, old_size < new_size ? old_size : new_size);
  posix_release(user, p, old_size, align);
  return q;
}

static const leat_allocator posix_allocator_table = {sizeof(leat_allocator), NULL, posix_alloc, posix_resize,
                                                     posix_release};
const leat_allocator *lt_os_allocator(void) { return &posix_allocator_table; }
