/* The log ring: bounded, the oldest messages give way and are counted. */
#include "base/inside.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct lt_log_head { uint32_t size; int32_t level; int64_t time_ns; int64_t unsent; } lt_log_head;
enum { LOG_LINE = 1024 };

leat_status lt_ring_create(leat_runtime *rt, uint64_t bytes, leat_error *err) {
  lt_ring *g = &rt->log;
  int rc = lt_mutex_init(&g->lock);
  if (rc) return lt_fail_os(err, LEAT_E_MEMORY, rc, "a lock for the log cannot be made");
  g->process = lt_os_process();
  g->cap = bytes;
  g->bytes = lt_alloc(rt, bytes);
  if (!g->bytes) {
    lt_mutex_destroy(&g->lock);
    return lt_fail_memory(err, bytes, "log ring");
  }
  return LEAT_OK;
}

void lt_ring_free(leat_runtime *rt) {
  if (!rt->log.bytes) return;
  lt_free(rt, rt->log.bytes);
  rt->log.bytes = NULL;
  if (rt->log.process == lt_os_process()) lt_mutex_destroy(&rt->log.lock);
}

/* A thread of the parent may have held the lock when the process forked: the child starts with a lock and ring anew. */
static void ring_lock(lt_ring *g) {
  int64_t here = lt_os_process(), before = __atomic_load_n(&g->process, __ATOMIC_ACQUIRE);
  if (before != here && __atomic_compare_exchange_n(&g->process, &before, here, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    lt_mutex_init(&g->lock);
    g->head = g->used = 0;
    g->unsent = 0;
  }
  lt_mutex_lock(&g->lock);
}

static void ring_copy_in(lt_ring *g, uint64_t at, const void *src, uint64_t n) {
  uint64_t first = g->cap - at < n ? g->cap - at : n;
  memcpy(g->bytes + at, src, first);
  memcpy(g->bytes, (const uint8_t *)src + first, n - first);
}
static void ring_copy_out(const lt_ring *g, uint64_t at, void *dst, uint64_t n) {
  uint64_t first = g->cap - at < n ? g->cap - at : n;
  memcpy(dst, g->bytes + at, first);
  memcpy((uint8_t *)dst + first, g->bytes, n - first);
}

static void ring_drop(lt_ring *g) {
  lt_log_head h;
  uint64_t n;
  ring_copy_out(g, g->head, &h, sizeof h);
  n = sizeof h + h.size;
  g->head = (g->head + n) % g->cap;
  g->used -= n;
  if (h.unsent) g->unsent--;
}

void lt_log(leat_runtime *rt, int32_t level, const char *fmt, ...) {
  char line[LOG_LINE];
  lt_ring *g = &rt->log;
  lt_log_head h;
  va_list args;
  int n;
  if (level > rt->log_level || !g->bytes) return;
  va_start(args, fmt);
  n = vsnprintf(line, sizeof line, fmt, args);
  va_end(args);
  if (n < 0) return;
  if (n >= LOG_LINE) {
    n = LOG_LINE - 4;
    while (n > 0 && ((unsigned char)line[n] & 0xC0u) == 0x80u) n--;
    memcpy(line + n, "...", 4);
    n += 3;
  }
  memset(&h, 0, sizeof h);
  h.size = (uint32_t)n;
  if (h.size > g->cap - sizeof h) h.size = (uint32_t)(g->cap - sizeof h);
  h.level = level;
  h.time_ns = lt_now_ns(rt);
  h.unsent = rt->sink.write && lt_pool_on_worker();
  ring_lock(g);
  while (g->used + sizeof h + h.size > g->cap) {
    ring_drop(g);
    g->lost++;
  }
  ring_copy_in(g, (g->head + g->used) % g->cap, &h, sizeof h);
  ring_copy_in(g, (g->head + g->used + sizeof h) % g->cap, line, h.size);
  g->used += sizeof h + h.size;
  if (h.unsent) g->unsent++;
  lt_mutex_unlock(&g->lock);
  if (rt->sink.write && !h.unsent) rt->sink.write(rt->sink.user, level, line, (uint64_t)n);
}

/* Finds one message that the sink has not seen, marks it, copies it. */
static int ring_take_unsent(lt_ring *g, lt_log_head *h, char line[LOG_LINE]) {
  int found = 0;
  ring_lock(g);
  for (uint64_t at = 0; g->unsent && at < g->used && !found; at += sizeof *h + h->size) {
    uint64_t place = (g->head + at) % g->cap;
    ring_copy_out(g, place, h, sizeof *h);
    if (!h->unsent) continue;
    h->unsent = 0;
    ring_copy_in(g, place, h, sizeof *h);
    ring_copy_out(g, (place + sizeof *h) % g->cap, line, h->size);
    g->unsent--;
    found = 1;
  }
  lt_mutex_unlock(&g->lock);
  return found;
}

void lt_ring_send(leat_runtime *rt) {
  char line[LOG_LINE];
  lt_log_head h;
  if (!rt->sink.write) return;
  while (ring_take_unsent(&rt->log, &h, line)) rt->sink.write(rt->sink.user, h.level, line, h.size);
}

leat_status lt_log_read(leat_runtime *rt, int64_t *level, int64_t *time_ns, char *buf, uint64_t cap, uint64_t *needed) {
  lt_ring *g = &rt->log;
  leat_status st = LEAT_OK;
  lt_log_head h;
  if (level) *level = 0;
  if (time_ns) *time_ns = 0;
  *needed = 0;
  if (buf && cap) buf[0] = 0;
  ring_lock(g);
  if (g->used) {
    ring_copy_out(g, g->head, &h, sizeof h);
    *needed = (uint64_t)h.size + 1;
    if (!buf || cap < *needed) st = LEAT_E_CAPACITY;
    else {
      ring_copy_out(g, (g->head + sizeof h) % g->cap, buf, h.size);
      buf[h.size] = 0;
      if (level) *level = h.level;
      if (time_ns) *time_ns = h.time_ns;
      ring_drop(g);
    }
  }
  lt_mutex_unlock(&g->lock);
  return st;
}

int64_t lt_ring_lost(const leat_runtime *rt) {
  lt_ring *g = (lt_ring *)(uintptr_t)&rt->log;
  int64_t lost;
  ring_lock(g);
  lost = g->lost;
  lt_mutex_unlock(&g->lock);
  return lost;
}
