/* What the files of this folder share of the registry. */
#ifndef LEAT_DEVICE_REGISTRY_H
#define LEAT_DEVICE_REGISTRY_H
#include "base/os.h"
#include "device/device.h"
typedef struct lt_backend { /* one plug-in, or one of the built-in ones */
  leat_runtime *rt;
  leat_b_host host;     /* what it was lent */
  leat_b_backend table;
  char *name;
  void *library;        /* NULL: linked in */
  int32_t built_in;     /* "cpu" or "reference": named without an index, safe for any number of threads */
} lt_backend;
struct leat_device {
  lt_backend *backend;
  int64_t index;        /* in its backend */
  char *name, *vendor;
  leat_device_props props;
  lt_mutex lock;        /* for opening, and around ops of devices that are not the host's memory */
  leat_b_device *open;
};
typedef struct lt_registry {
  leat_runtime *rt;
  lt_mutex lock;
  leat_device **devices;
  uint64_t n_devices, cap_devices;
  lt_backend **backends;
  uint64_t n_backends, cap_backends;
} lt_registry;
void lt_backend_lend(lt_backend *b);              /* fills b->host */
/* A plug-in's status and words as an error of leat's. */
leat_status lt_device_failed(const leat_device *dev, const char *slot, leat_status st, leat_error *said, leat_error *err);
leat_status lt_device_ready(leat_device *dev, leat_error *err); /* opens it the first time */
leat_status lt_devices_take(leat_runtime *rt, leat_backend_query_fn query, void *library, const char *whence,
                            leat_error *err);     /* takes over library on success */
#endif
