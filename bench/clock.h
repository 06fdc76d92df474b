/* The clocks of the benchmark programs. */
#ifndef LEAT_BENCH_CLOCK_H
#define LEAT_BENCH_CLOCK_H
#include <time.h>

/* Seconds of CLOCK_MONOTONIC (wall), CLOCK_PROCESS_CPUTIME_ID (all threads) or CLOCK_THREAD_CPUTIME_ID. */
static inline double bench_clock(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
#endif
