/* Devices whose memory is the host's: one table of backend.h slots for "cpu" and "reference", which differ in how they
 * compute. Buffers are host blocks, queues run at once, events are over when they are made. */
#ifndef LEAT_DEVICE_HOST_DEVICE_H
#define LEAT_DEVICE_HOST_DEVICE_H
#include "base/os.h"
#include "device/ops.h"
/* An op on checked arrays that lie in memory; some output has an element. Called by any number of threads. */
typedef leat_status (*lt_host_op)(leat_b_instance *self, const lt_op_args *a, leat_error *err);
/* accept (NULL: all) is asked once, in op_prepare, with views whose data are NULL: 0 leaves the op to the reference's. */
typedef struct lt_host_op_entry {
  const char *name;
  lt_host_op run;
  int32_t (*accept)(const lt_op_args *a);
} lt_host_op_entry;
typedef struct lt_host_ops {
  const char *name, *vendor, *driver;
  const lt_host_op_entry *entries; /* up to one whose name is NULL; what is missing is taken from the reference's */
} lt_host_ops;
struct leat_b_kernel {
  const lt_op_def *def;
  lt_host_op run;
  int32_t (*accept)(const lt_op_args *a);
  int32_t own; /* of the device's list, not of the reference's */
};
struct leat_b_device { leat_b_instance *self; };
struct leat_b_queue { leat_b_device *device; };
struct leat_b_instance {
  const leat_b_host *host;
  const lt_host_ops *ops;
  leat_b_device device;
  leat_b_queue queue;
  leat_b_kernel own[LT_OP_COUNT], plain[LT_OP_COUNT]; /* by op: the device's (run NULL: none) and the reference's */
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
extern const lt_host_op_entry lt_reference_ops[];
leat_status lt_cpu_dgemm(leat_b_instance *self, const lt_gemm64 *g, leat_error *err);

/* ---- products of the CPU that do not enter BLIS: cpu_gemm.c, own.c */
leat_status lt_own_gemm(const leat_b_host *host, const lt_gemm *g, leat_error *err);
leat_status lt_own_gemv(const leat_b_host *host, const lt_gemv *g, leat_error *err);
void lt_own_dgemm(const lt_gemm64 *g);
/* The arrays of "gemm" and "gemv" as these kernels take them. */
lt_gemm lt_gemm_of(const lt_op_args *a);
lt_gemv lt_gemv_of(const lt_op_args *a);
/* Adds the bias and applies act to rows [i, i + rows) and columns [j, j + cols) of c. */
void lt_gemm_end(const lt_gemm *g, int64_t i, int64_t rows, int64_t j, int64_t cols);
#endif
