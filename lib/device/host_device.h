/* Devices whose memory is the host's: one table of backend.h slots for "cpu" and "reference", which differ in how they
 * compute. Buffers are host blocks, queues run at once, events are over when they are made. */
#ifndef LEAT_DEVICE_HOST_DEVICE_H
#define LEAT_DEVICE_HOST_DEVICE_H
#include "base/os.h"
#include "device/device.h"
typedef struct lt_host_ops {
  const char *name, *vendor, *driver;
  leat_status (*gemm)(leat_b_instance *self, const lt_gemm *g, leat_error *err);
  leat_status (*gemv)(leat_b_instance *self, const lt_gemv *g, leat_error *err);
} lt_host_ops;
struct leat_b_device { leat_b_instance *self; };
struct leat_b_queue { leat_b_device *device; };
struct leat_b_instance {
  const leat_b_host *host;
  const lt_host_ops *ops;
  leat_b_device device;
  leat_b_queue queue;
  /* at most `width` threads are inside BLIS at once */
  lt_mutex lock;
  lt_cond free_place;
  int64_t inside, width;
};
/* Fills the table; ABI check, lock and instance are made here. */
leat_status lt_host_backend(uint32_t abi_major, const leat_b_host *host, const lt_host_ops *ops, leat_b_backend *out,
                            leat_error *err);
leat_status lt_cpu_query(uint32_t abi_major, const leat_b_host *host, leat_b_backend *out, leat_error *err);
leat_status lt_reference_query(uint32_t abi_major, const leat_b_host *host, leat_b_backend *out, leat_error *err);
leat_status lt_cpu_dgemm(leat_b_instance *self, const lt_gemm64 *g, leat_error *err);

/* ---- kernels of the CPU that do not enter BLIS (own.c): small products, and matrix times vector */
leat_status lt_own_gemm(const leat_b_host *host, const lt_gemm *g, leat_error *err);
leat_status lt_own_gemv(const leat_b_host *host, const lt_gemv *g, leat_error *err);
void lt_own_dgemm(const lt_gemm64 *g);
#endif
