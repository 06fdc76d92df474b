/* The runtime's own fields, for the files of this folder only. */
#ifndef LEAT_BASE_INSIDE_H
#define LEAT_BASE_INSIDE_H
#include "base/latency.h"
#include "base/os.h"
#include "base/runtime.h"
typedef struct lt_pool lt_pool;
typedef struct lt_ring {
  lt_mutex lock;
  int64_t process;       /* the process that made the lock: a forked child makes its own */
  uint8_t *bytes;
  uint64_t cap, head, used;
  int64_t lost;
  int64_t unsent;        /* messages of worker threads that the sink has not seen */
} lt_ring;
struct leat_runtime {
  lt_ref refs;
  leat_allocator allocator;
  leat_file_system files;
  leat_clock clock;
  leat_executor executor; /* run NULL: the own pool */
  leat_log_sink sink;     /* write NULL: none */
  char *cache_folder;
  int64_t n_threads, log_level;
  uint64_t load_budget;
  int32_t own_allocator;
  int64_t bytes_in_use, bytes_peak, allocations, fallbacks; /* atomics, relaxed */
  lt_ring log;
  lt_pool *pool;
  int64_t pool_taken;     /* the process whose thread uses the pool now, 0 = nobody */
  lt_timing timing;
  void *devices;
  void (*devices_release)(void *registry);
};
leat_status lt_ring_create(leat_runtime *rt, uint64_t bytes, leat_error *err);
void lt_ring_free(leat_runtime *rt);
int64_t lt_ring_lost(const leat_runtime *rt);
void lt_ring_send(leat_runtime *rt);      /* gives the sink what the workers logged */
void lt_pool_free(leat_runtime *rt);
int lt_pool_on_worker(void);              /* 1 on a thread that did not call in */
#endif
