/* How long operations take: one log-linear histogram each (as G. Tene's HdrHistogram has it), of a fixed size, that any thread
 * adds to without a lock. Off until it is asked for: then the clock is not read. */
#ifndef LEAT_BASE_LATENCY_H
#define LEAT_BASE_LATENCY_H
#include "base/runtime.h"
/* Below 64 ns a bucket a nanosecond; above, 32 to each doubling, so that a bucket is at most 1/32 of its value wide; to 2^40 ns
 * (18 minutes), all that is longer in the last. */
enum { LT_LATENCY_BUCKETS = 64 + 34 * 32, LT_LATENCY_OPS = 16 };
typedef struct lt_latency { int64_t sum_ns, max_ns, count[LT_LATENCY_BUCKETS]; } lt_latency; /* atomics, relaxed */
typedef struct lt_timing {
  int64_t every;    /* 0: off; of predictions one in so many is timed, of the rest all */
  leat_runtime *rt;
  lt_latency *of;   /* [LT_LATENCY_OPS], from the first time it is switched on */
} lt_timing;
lt_timing *lt_runtime_timing(leat_runtime *rt); /* at one place as long as the runtime lives */
leat_status lt_timing_set(leat_runtime *rt, int64_t every, leat_error *err);
lt_latency *lt_latency_all(const leat_runtime *rt); /* [LT_LATENCY_OPS], NULL: never switched on */
void lt_timing_free(leat_runtime *rt);
int64_t lt_latency_bucket(int64_t ns);          /* its index */
int64_t lt_latency_upper(int64_t bucket);       /* the largest value that is in it */
void lt_latency_add(lt_latency *h, int64_t ns, int64_t count);
/* Counts, sum, largest value and quantiles (upper ends of buckets, at most 1/32 above the true value). */
void lt_latency_look(const lt_latency *h, leat_latency *out);
static inline int lt_timing_on(const lt_timing *t) { return __atomic_load_n(&t->every, __ATOMIC_RELAXED) != 0; }
/* begin: -1 when it is off; end with -1 does nothing. */
int64_t lt_timing_begin(const lt_timing *t);
void lt_timing_end(const lt_timing *t, int64_t op, int64_t begun);
/* For a call so short that not each one can be timed: every so many of this tick's. */
int64_t lt_timing_sample(const lt_timing *t, int64_t *tick);
#endif
