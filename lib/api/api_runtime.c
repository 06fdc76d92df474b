/* Chapter 5 of leat.h: the runtime. Devices are chapter 6, loading one is a verb of the runtime. */
#include "api/api.h"
#include "base/latency.h"
#include "base/os.h"
#include "device/device.h"

leat_status lt_need(const void *argument, const char *name, leat_error *err) {
  return argument ? LEAT_OK : lt_fail(err, LEAT_E_ARG, "%s is NULL", name);
}

LEAT_API leat_status leat_runtime_create(const leat_runtime_opts *opts, leat_runtime **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  lt_fpenv env;
  if (st || (st = lt_runtime_create(opts, out, err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_devices_init(*out, err);
  lt_fpenv_leave(&env);
  if (!st) return lt_ok(err);
  lt_runtime_unref(*out);
  *out = NULL;
  return st;
}

LEAT_API void leat_runtime_free(leat_runtime *rt) { lt_runtime_unref(rt); }

LEAT_API leat_status leat_files_default(leat_file_system *files, leat_error *err) {
  leat_status st = lt_need(files, "files", err);
  leat_file_system known;
  if (!st) st = lt_take_struct(&known, sizeof known, files, files->struct_size, "leat_file_system", err);
  if (st) return st;
  lt_give_struct(files, files->struct_size, lt_os_files(), sizeof *files);
  return lt_ok(err);
}

LEAT_API leat_status leat_runtime_log_read(leat_runtime *rt, int64_t *level, int64_t *time_ns, char *buf, uint64_t cap,
                                           uint64_t *needed) {
  if (level) *level = 0;
  if (time_ns) *time_ns = 0;
  if (needed) *needed = 0;
  if (!rt || !needed || (!buf && cap)) return LEAT_E_ARG;
  return lt_log_read(rt, level, time_ns, buf, cap, needed);
}

LEAT_API leat_status leat_runtime_stat(const leat_runtime *rt, const char *name, int64_t *value, leat_error *err) {
  leat_status st = lt_need(value, "value", err);
  if (st) return st;
  *value = 0;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(name, "name", err)) != 0) return st;
  st = lt_runtime_stat(rt, name, value, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_runtime_load_backend(leat_runtime *rt, const char *path, leat_error *err) {
  leat_status st = lt_need(rt, "rt", err);
  if (st || (st = lt_need(path, "path", err)) != 0 || (st = lt_devices_load(rt, path, err)) != 0) return st;
  return lt_ok(err);
}

/* The histogram of an operation; NULL: nothing was ever counted. */
static leat_status latency_of(const leat_runtime *rt, int64_t op, lt_latency **h, leat_error *err) {
  leat_status st = lt_need(rt, "rt", err);
  *h = NULL;
  if (st) return st;
  if (op < 0 || op >= LEAT_LATENCY_OPS)
    return lt_fail(err, LEAT_E_ARG, "op is %lld: it is one of LEAT_LATENCY_*, 0 to %d", (long long)op, LEAT_LATENCY_OPS - 1);
  lt_latency *of = lt_latency_all(rt);
  *h = of ? &of[op] : NULL;
  return LEAT_OK;
}

LEAT_API leat_status leat_runtime_set_latency(leat_runtime *rt, int64_t every, leat_error *err) {
  leat_status st = lt_need(rt, "rt", err);
  if (!st) st = lt_timing_set(rt, every, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_runtime_latency(const leat_runtime *rt, int64_t op, leat_latency *out, leat_error *err) {
  lt_latency *h = NULL;
  leat_latency mine = {.struct_size = sizeof mine};
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  uint64_t given = out->struct_size;
  st = lt_take_struct(&mine, sizeof mine, out, given, "leat_latency", err);
  if (st) return st;
  mine = (leat_latency){.struct_size = sizeof mine};
  st = latency_of(rt, op, &h, err);
  if (!st && h) lt_latency_look(h, &mine);
  lt_give_struct(out, given, &mine, sizeof mine);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_runtime_latency_buckets(const leat_runtime *rt, int64_t op, int64_t *upper_ns, int64_t *count, int64_t cap,
                                                  int64_t *needed, leat_error *err) {
  lt_latency *h = NULL;
  leat_status st = lt_need(needed, "needed", err);
  if (st) return st;
  *needed = 0;
  if (cap > 0 && ((st = lt_need(upper_ns, "upper_ns", err)) != 0 || (st = lt_need(count, "count", err)) != 0)) return st;
  st = latency_of(rt, op, &h, err);
  if (st) return st;
  for (int64_t b = 0; h && b < LT_LATENCY_BUCKETS; b++) {
    int64_t n = __atomic_load_n(&h->count[b], __ATOMIC_RELAXED);
    if (!n) continue;
    if (*needed < cap) {
      upper_ns[*needed] = lt_latency_upper(b);
      count[*needed] = n;
    }
    ++*needed;
  }
  if (*needed > cap)
    return lt_fail(err, LEAT_E_CAPACITY, "%lld buckets hold something, there is room for %lld", (long long)*needed, (long long)cap);
  return lt_ok(err);
}

LEAT_API leat_status leat_runtime_latency_add(leat_runtime *rt, int64_t op, int64_t ns, int64_t count, leat_error *err) {
  lt_latency *h = NULL;
  leat_status st = latency_of(rt, op, &h, err);
  if (st) return st;
  if (ns < 0 || count < 0) return lt_fail(err, LEAT_E_ARG, "a time of %lld ns, %lld times: neither can be negative", (long long)ns, (long long)count);
  if (ns && count > INT64_MAX / ns) return lt_fail(err, LEAT_E_ARG, "%lld times %lld ns are beyond a sum of 64 bits", (long long)count, (long long)ns);
  if (!h) return lt_fail(err, LEAT_E_STATE, "latency was never switched on: call leat_runtime_set_latency first");
  lt_latency_add(h, ns, count);
  return lt_ok(err);
}
