/* A device plug-in as an author of 0.1 would have written it: one device that can do nothing, which is legal. Compiled
 * with the frozen headers and loaded into today's library. */
#include <stddef.h>
#include <string.h>
#include "leat/backend.h"

struct leat_b_instance {
  const leat_b_host *host;
};
struct leat_b_device {
  leat_b_instance *self;
};

static void frozen_close(leat_b_instance *self) {
  const leat_b_host *host = self->host;
  host->release(host->ctx, self, sizeof *self, 16);
}
static leat_status frozen_count(leat_b_instance *self, int64_t *count, leat_error *err) {
  (void)self;
  (void)err;
  *count = 1;
  return LEAT_OK;
}
static leat_status frozen_props(leat_b_instance *self, int64_t index, leat_device_props *props, leat_error *err) {
  (void)self;
  (void)err;
  if (index != 0) return LEAT_E_NOT_FOUND;
  props->name = "frozen";
  props->vendor = "tests";
  props->driver = "0.1";
  props->backend = "frozen";
  props->kind = LEAT_OTHER;
  props->alignment = 64;
  props->dtype_mask = (uint64_t)1 << LEAT_F32;
  return LEAT_OK;
}
static leat_status frozen_open(leat_b_instance *self, int64_t index, leat_b_device **out, leat_error *err) {
  (void)err;
  if (index != 0) return LEAT_E_NOT_FOUND;
  *out = self->host->alloc(self->host->ctx, sizeof **out, 16);
  if (*out == NULL) return LEAT_E_MEMORY;
  (*out)->self = self;
  return LEAT_OK;
}
static void frozen_device_close(leat_b_device *dev) {
  const leat_b_host *host = dev->self->host;
  host->release(host->ctx, dev, sizeof *dev, 16);
}
static leat_status frozen_score(leat_b_device *dev, const leat_b_op *op, int64_t *score, leat_error *err) {
  (void)dev;
  (void)op;
  (void)err;
  *score = 0;
  return LEAT_OK;
}

__attribute__((visibility("default"))) leat_status leat_backend_query_v1(uint32_t abi_major, const leat_b_host *host,
                                                                        leat_b_backend *out, leat_error *err);
leat_status leat_backend_query_v1(uint32_t abi_major, const leat_b_host *host, leat_b_backend *out, leat_error *err) {
  (void)err;
  if (abi_major != LEAT_BACKEND_ABI_MAJOR) return LEAT_E_VERSION;
  if (host->struct_size < offsetof(leat_b_host, log) || out->struct_size < sizeof *out) return LEAT_E_BACKEND;
  leat_b_instance *self = host->alloc(host->ctx, sizeof *self, 16);
  if (self == NULL) return LEAT_E_MEMORY;
  self->host = host;
  const uint64_t size = out->struct_size;
  memset(out, 0, sizeof *out);
  out->struct_size = size;
  out->name = "frozen";
  out->self = self;
  out->close = frozen_close;
  out->device_count = frozen_count;
  out->device_props = frozen_props;
  out->device_open = frozen_open;
  out->device_close = frozen_device_close;
  out->op_score = frozen_score;
  if (host->log != NULL) host->log(host->ctx, LEAT_LOG_INFO, "frozen plug-in of 0.1", 21);
  return LEAT_OK;
}
