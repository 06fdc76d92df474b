/* Chapter 6 of leat.h: devices; and the one function of backend.h that a host calls. */
#include "api/api.h"
#include "device/device.h"
#include <string.h>

LEAT_API leat_status leat_device_count(const leat_runtime *rt, int64_t *count, leat_error *err) {
  leat_status st = lt_need(count, "count", err);
  if (st) return st;
  *count = 0;
  if ((st = lt_need(rt, "rt", err)) != 0) return st;
  *count = lt_devices_count(rt);
  return lt_ok(err);
}

LEAT_API leat_status leat_device_at(const leat_runtime *rt, int64_t index, const leat_device **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0) return st;
  *out = lt_devices_at(rt, index);
  if (*out) return lt_ok(err);
  return lt_fail(err, LEAT_E_NOT_FOUND, "there is no device %lld; there are %lld, counted from 0", (long long)index,
                 (long long)lt_devices_count(rt));
}

LEAT_API leat_status leat_device_find(const leat_runtime *rt, const char *name, const leat_device **out,
                                      leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(name, "name", err)) != 0) return st;
  st = lt_devices_find(rt, name, out, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_device_get_props(const leat_device *dev, leat_device_props *props, leat_error *err) {
  leat_status st = lt_need(props, "props", err);
  if (st || (st = lt_need(dev, "dev", err)) != 0) return st;
  st = lt_device_props(dev, props, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_device_state(const leat_device *dev, char *buf, uint64_t cap, uint64_t *needed,
                                       leat_error *err) {
  leat_status st = lt_need(needed, "needed", err);
  if (st) return st;
  *needed = 0;
  if ((st = lt_need(dev, "dev", err)) != 0) return st;
  if (!buf && cap) return lt_fail(err, LEAT_E_ARG, "buf is NULL and cap is not 0");
  st = lt_device_why(dev, buf, cap, needed, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_device_ops(const leat_device *dev, char *buf, uint64_t cap, uint64_t *needed, leat_error *err) {
  leat_status st = lt_need(needed, "needed", err);
  if (st) return st;
  *needed = 0;
  if ((st = lt_need(dev, "dev", err)) != 0) return st;
  if (!buf && cap) return lt_fail(err, LEAT_E_ARG, "buf is NULL and cap is not 0");
  st = lt_device_ops(dev, buf, cap, needed, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_runtime_add_backend(leat_runtime *rt, leat_backend_query_fn query, leat_error *err) {
  leat_status st = lt_need(rt, "rt", err);
  if (st) return st;
  if (!query) return lt_fail(err, LEAT_E_ARG, "query is NULL");
  st = lt_devices_add(rt, query, err);
  return st ? st : lt_ok(err);
}
