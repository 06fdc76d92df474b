#include "base/latency.h"
#include "base/inside.h"
#include <string.h>

_Static_assert((int)LT_LATENCY_OPS == (int)LEAT_LATENCY_OPS, "as the header says");
enum { EXACT = 64, OCTAVE = 32, FIRST_BIT = 6 };

int64_t lt_latency_bucket(int64_t ns) {
  if (ns < EXACT) return ns > 0 ? ns : 0;
  int bit = 63 - __builtin_clzll((uint64_t)ns), shift = bit - FIRST_BIT + 1; /* 2^bit <= ns; 32 <= ns >> shift < 64 */
  int64_t b = EXACT + (int64_t)(bit - FIRST_BIT) * OCTAVE + ((ns >> shift) - OCTAVE);
  return b < LT_LATENCY_BUCKETS ? b : LT_LATENCY_BUCKETS - 1;
}

int64_t lt_latency_upper(int64_t bucket) {
  if (bucket < EXACT) return bucket;
  int64_t octave = (bucket - EXACT) / OCTAVE, at = (bucket - EXACT) % OCTAVE + OCTAVE;
  return ((at + 1) << (octave + 1)) - 1;
}

void lt_latency_add(lt_latency *h, int64_t ns, int64_t count) {
  if (ns < 0) ns = 0;
  __atomic_fetch_add(&h->count[lt_latency_bucket(ns)], count, __ATOMIC_RELAXED);
  __atomic_fetch_add(&h->sum_ns, (int64_t)((uint64_t)ns * (uint64_t)count), __ATOMIC_RELAXED);
  int64_t max = __atomic_load_n(&h->max_ns, __ATOMIC_RELAXED);
  while (ns > max && !__atomic_compare_exchange_n(&h->max_ns, &max, ns, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
}

void lt_latency_look(const lt_latency *h, leat_latency *out) {
  static const double q[] = {0.5, 0.9, 0.99, 0.999};
  int64_t *to[] = {&out->p50_ns, &out->p90_ns, &out->p99_ns, &out->p999_ns}, seen = 0;
  *out = (leat_latency){.struct_size = sizeof *out};
  for (int64_t b = 0; b < LT_LATENCY_BUCKETS; b++) out->count += __atomic_load_n(&h->count[b], __ATOMIC_RELAXED);
  out->sum_ns = __atomic_load_n(&h->sum_ns, __ATOMIC_RELAXED);
  out->max_ns = __atomic_load_n(&h->max_ns, __ATOMIC_RELAXED);
  int k = 0;
  for (int64_t b = 0; b < LT_LATENCY_BUCKETS && k < 4 && out->count > 0; b++) {
    seen += __atomic_load_n(&h->count[b], __ATOMIC_RELAXED);
    for (; k < 4 && (double)seen >= q[k] * (double)out->count; k++) {
      int64_t upper = lt_latency_upper(b);
      *to[k] = b == LT_LATENCY_BUCKETS - 1 || upper > out->max_ns ? out->max_ns : upper;
    }
  }
}

lt_timing *lt_runtime_timing(leat_runtime *rt) { return &rt->timing; }

leat_status lt_timing_set(leat_runtime *rt, int64_t every, leat_error *err) {
  lt_timing *t = &rt->timing;
  if (every < 0) return lt_fail(err, LEAT_E_ARG, "every is %lld: 0 switches timing off, n times one of n predictions", (long long)every);
  if (every > 0 && !__atomic_load_n(&t->of, __ATOMIC_ACQUIRE)) {
    lt_latency *made = lt_zarray(rt, LT_LATENCY_OPS, sizeof *made), *none = NULL;
    if (!made) return lt_fail_memory(err, LT_LATENCY_OPS * sizeof *made, "histograms of latency");
    if (!__atomic_compare_exchange_n(&t->of, &none, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) lt_free(rt, made);
  }
  __atomic_store_n(&t->every, every, __ATOMIC_RELEASE);
  return LEAT_OK;
}

lt_latency *lt_latency_all(const leat_runtime *rt) { return __atomic_load_n(&rt->timing.of, __ATOMIC_ACQUIRE); }

void lt_timing_free(leat_runtime *rt) { lt_free(rt, rt->timing.of); }

int64_t lt_timing_begin(const lt_timing *t) {
  return __atomic_load_n(&t->every, __ATOMIC_ACQUIRE) ? lt_monotonic_ns(t->rt) : -1;
}

int64_t lt_timing_sample(const lt_timing *t, int64_t *tick) {
  int64_t every = __atomic_load_n(&t->every, __ATOMIC_ACQUIRE);
  if (!every || ++*tick < every) return -1;
  *tick = 0;
  return lt_monotonic_ns(t->rt);
}

void lt_timing_end(const lt_timing *t, int64_t op, int64_t begun) {
  if (begun >= 0) lt_latency_add(&t->of[op], lt_monotonic_ns(t->rt) - begun, 1);
}
