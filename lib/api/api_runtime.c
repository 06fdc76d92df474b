/* Chapter 5 of leat.h: the runtime. Devices are chapter 6, loading one is a verb of the runtime. */
#include "api/api.h"
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
