/* Life of a runtime: its tables, numbers, references, owners. */
#include "base/inside.h"
#include <string.h>

/* ---- references and owners */
void lt_ref_init(lt_ref *r) { __atomic_store_n(&r->count, 1, __ATOMIC_RELAXED); }
void lt_ref_add(lt_ref *r) { __atomic_fetch_add(&r->count, 1, __ATOMIC_RELAXED); }
int lt_ref_drop(lt_ref *r) { return __atomic_fetch_sub(&r->count, 1, __ATOMIC_ACQ_REL) == 1; }

leat_status lt_owner_enter(lt_owner *o, const char *what, leat_error *err) {
  if (__builtin_expect(__atomic_exchange_n(&o->busy, 1, __ATOMIC_ACQUIRE) == 0, 1)) return LEAT_OK;
  return lt_fail(err, LEAT_E_BUSY, "another thread is inside this %s; it takes one thread at a time", what);
}
void lt_owner_leave(lt_owner *o) { __atomic_store_n(&o->busy, 0, __ATOMIC_RELEASE); }

/* ---- host tables */
static leat_status runtime_missing(const char *table, const char *field, leat_error *err) {
  return lt_fail(err, LEAT_E_ARG, "%s.%s is NULL; it must be a function", table, field);
}

static leat_status runtime_take_allocator(leat_runtime *rt, const leat_allocator *given, leat_error *err) {
  leat_status st;
  if (!given) {
    rt->allocator = *lt_os_allocator();
    rt->own_allocator = 1;
    return LEAT_OK;
  }
  st = lt_take_struct(&rt->allocator, sizeof rt->allocator, given, given->struct_size, "leat_allocator", err);
  if (st) return st;
  if (!rt->allocator.alloc) return runtime_missing("leat_allocator", "alloc", err);
  if (!rt->allocator.release) return runtime_missing("leat_allocator", "release", err);
  return LEAT_OK;
}

static leat_status runtime_take_files(leat_runtime *rt, const leat_file_system *given, leat_error *err) {
  leat_file_system *f = &rt->files;
  leat_status st;
  if (!given) {
    *f = *lt_os_files();
    return LEAT_OK;
  }
  st = lt_take_struct(f, sizeof *f, given, given->struct_size, "leat_file_system", err);
  if (st) return st;
  const char *missing = !f->open ? "open" : !f->close ? "close" : !f->size ? "size" : !f->read_at ? "read_at"
                      : !f->write_at ? "write_at" : !f->truncate ? "truncate" : !f->sync ? "sync"
                      : !f->rename ? "rename" : !f->remove ? "remove" : !f->make_folder ? "make_folder"
                      : !f->sync_folder ? "sync_folder" : !f->list ? "list" : !f->lock ? "lock"
                      : f->map && !f->unmap ? "unmap" : !f->map && f->unmap ? "map" : NULL;
  return missing ? runtime_missing("leat_file_system", missing, err) : LEAT_OK;
}

static leat_status runtime_take_rest(leat_runtime *rt, const leat_runtime_opts *o, leat_error *err) {
  leat_status st = LEAT_OK;
  rt->clock = *lt_os_clock();
  if (o->clock) {
    st = lt_take_struct(&rt->clock, sizeof rt->clock, o->clock, o->clock->struct_size, "leat_clock", err);
    if (st) return st;
    if (!rt->clock.now_ns) return runtime_missing("leat_clock", "now_ns", err);
    if (!rt->clock.monotonic_ns) return runtime_missing("leat_clock", "monotonic_ns", err);
  }
  if (o->executor) {
    st = lt_take_struct(&rt->executor, sizeof rt->executor, o->executor, o->executor->struct_size, "leat_executor", err);
    if (st) return st;
    if (!rt->executor.run) return runtime_missing("leat_executor", "run", err);
  }
  if (o->log) {
    st = lt_take_struct(&rt->sink, sizeof rt->sink, o->log, o->log->struct_size, "leat_log_sink", err);
    if (st) return st;
    if (!rt->sink.write) return runtime_missing("leat_log_sink", "write", err);
  }
  return LEAT_OK;
}

static leat_status runtime_take_number(const char *name, int64_t value, int64_t usual, int64_t min, int64_t max,
                                       int64_t *out, leat_error *err) {
  *out = value ? value : usual;
  if (*out >= min && *out <= max) return LEAT_OK;
  return lt_fail(err, LEAT_E_ARG, "leat_runtime_opts.%s is %lld; it must be 0 (%lld) or from %lld to %lld", name,
                 (long long)value, (long long)usual, (long long)min, (long long)max);
}

static leat_status runtime_take_opts(leat_runtime *rt, const leat_runtime_opts *o, int64_t *log_bytes,
                                     leat_error *err) {
  int64_t budget = 0;
  leat_status st;
  if (o->flags)
    return lt_fail(err, LEAT_E_ARG, "leat_runtime_opts.flags is %llu; this version knows no flag: 0",
                   (unsigned long long)o->flags);
  if ((st = runtime_take_number("n_threads", o->n_threads, 1, 1, 1024, &rt->n_threads, err)) != 0) return st;
  if ((st = runtime_take_number("log_level", o->log_level, LEAT_LOG_WARN, LEAT_LOG_ERROR, LEAT_LOG_DEBUG,
                                &rt->log_level, err)) != 0) return st;
  if ((st = runtime_take_number("log_bytes", o->log_bytes, 1 << 16, 256, 1 << 30, log_bytes, err)) != 0) return st;
  if ((st = runtime_take_number("load_budget_bytes", o->load_budget_bytes, (int64_t)1 << 32, 1, INT64_MAX, &budget,
                                err)) != 0) return st;
  rt->load_budget = (uint64_t)budget;
  if ((st = runtime_take_allocator(rt, o->allocator, err)) != 0) return st;
  if ((st = runtime_take_files(rt, o->files, err)) != 0) return st;
  return runtime_take_rest(rt, o, err);
}

/* ---- life */
static void runtime_destroy(leat_runtime *rt) {
  leat_allocator last = rt->allocator;
  if (rt->devices_release) rt->devices_release(rt->devices);
  lt_pool_free(rt);
  lt_ring_free(rt);
  lt_timing_free(rt);
  lt_free(rt, rt->cache_folder);
  last.release(last.user, rt, sizeof *rt, 64);
}

leat_status lt_runtime_create(const leat_runtime_opts *opts, leat_runtime **out, leat_error *err) {
  leat_runtime_opts known;
  leat_runtime first, *rt = NULL;
  int64_t log_bytes = 0;
  leat_status st;
  *out = NULL;
  memset(&known, 0, sizeof known);
  memset(&first, 0, sizeof first);
  if (opts) {
    st = lt_take_struct(&known, sizeof known, opts, opts->struct_size, "leat_runtime_opts", err);
    if (st) return st;
  }
  st = runtime_take_opts(&first, &known, &log_bytes, err);
  if (st) return st;
  rt = first.allocator.alloc(first.allocator.user, sizeof *rt, 64);
  if (!rt) return lt_fail_memory(err, sizeof *rt, "runtime");
  *rt = first;
  rt->timing.rt = rt;
  lt_ref_init(&rt->refs);
  rt->bytes_in_use = rt->bytes_peak = (int64_t)sizeof *rt;
  rt->allocations = 1;
  st = lt_ring_create(rt, (uint64_t)log_bytes, err);
  if (!st && known.cache_folder) {
    rt->cache_folder = lt_strdup(rt, known.cache_folder);
    if (!rt->cache_folder) st = lt_fail_memory(err, strlen(known.cache_folder) + 1, "cache_folder");
  }
  if (st) runtime_destroy(rt);
  else *out = rt;
  return st;
}

void lt_runtime_ref(leat_runtime *rt) { lt_ref_add(&rt->refs); }
void lt_runtime_unref(leat_runtime *rt) {
  if (rt && lt_ref_drop(&rt->refs)) runtime_destroy(rt);
}

/* ---- numbers */
static const char *const runtime_stats[] = {"bytes_in_use", "bytes_peak", "allocations",
                                            "threads", "log_lost", "fallback_ops"};
leat_status lt_runtime_stat(const leat_runtime *rt, const char *name, int64_t *value, leat_error *err) {
  const int64_t n = (int64_t)(sizeof runtime_stats / sizeof runtime_stats[0]);
  int64_t i = 0;
  const char *near;
  *value = 0;
  while (i < n && strcmp(runtime_stats[i], name)) i++;
  switch (i) {
    case 0: *value = __atomic_load_n(&rt->bytes_in_use, __ATOMIC_RELAXED); return LEAT_OK;
    case 1: *value = __atomic_load_n(&rt->bytes_peak, __ATOMIC_RELAXED); return LEAT_OK;
    case 2: *value = __atomic_load_n(&rt->allocations, __ATOMIC_RELAXED); return LEAT_OK;
    case 3: *value = lt_runtime_threads(rt); return LEAT_OK;
    case 4: *value = lt_ring_lost(rt); return LEAT_OK;
    case 5: *value = __atomic_load_n(&rt->fallbacks, __ATOMIC_RELAXED); return LEAT_OK;
    default: break;
  }
  near = lt_nearest(name, runtime_stats, n);
  if (near) return lt_fail(err, LEAT_E_NOT_FOUND, "a runtime has no number '%s'; did you mean '%s'?", name, near);
  return lt_fail(err, LEAT_E_NOT_FOUND, "a runtime has no number '%s'; it has bytes_in_use, bytes_peak, allocations, "
                 "threads, log_lost, fallback_ops", name);
}

int64_t lt_runtime_threads(const leat_runtime *rt) {
  if (!rt->executor.run) return rt->n_threads;
  return rt->executor.width > 1 ? rt->executor.width : 1;
}
uint64_t lt_runtime_load_budget(const leat_runtime *rt) { return rt->load_budget; }
const char *lt_runtime_cache_folder(const leat_runtime *rt) { return rt->cache_folder; }
void lt_runtime_set_devices(leat_runtime *rt, void *registry, void (*release)(void *registry)) {
  rt->devices = registry;
  rt->devices_release = release;
}
void *lt_runtime_devices(const leat_runtime *rt) { return rt->devices; }
void lt_runtime_count_fallback(leat_runtime *rt, int64_t n) {
  __atomic_fetch_add(&rt->fallbacks, n, __ATOMIC_RELAXED);
}

int64_t lt_now_ns(const leat_runtime *rt) { return rt->clock.now_ns(rt->clock.user); }
int64_t lt_monotonic_ns(const leat_runtime *rt) { return rt->clock.monotonic_ns(rt->clock.user); }
