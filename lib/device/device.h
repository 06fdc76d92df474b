/* The registry of devices, and how leat itself runs an op on one. */
#ifndef LEAT_DEVICE_DEVICE_H
#define LEAT_DEVICE_DEVICE_H
#include "base/runtime.h"
#include "leat/backend.h"
/* Registers "cpu" and "reference" in a new runtime; BACKEND when BLIS is the OpenMP build. */
leat_status lt_devices_init(leat_runtime *rt, leat_error *err);
leat_status lt_devices_add(leat_runtime *rt, leat_backend_query_fn query, leat_error *err);
leat_status lt_devices_load(leat_runtime *rt, const char *path, leat_error *err);
int64_t lt_devices_count(const leat_runtime *rt);
const leat_device *lt_devices_at(const leat_runtime *rt, int64_t index); /* NULL outside */
leat_status lt_devices_find(const leat_runtime *rt, const char *name, const leat_device **out, leat_error *err);
const leat_device *lt_devices_cpu(const leat_runtime *rt);
leat_status lt_device_props(const leat_device *dev, leat_device_props *props, leat_error *err);
const char *lt_device_name(const leat_device *dev);
leat_status lt_device_why(const leat_device *dev, char *buf, uint64_t cap, uint64_t *needed, leat_error *err);
leat_status lt_device_ops(const leat_device *dev, char *buf, uint64_t cap, uint64_t *needed, leat_error *err);
leat_runtime *lt_device_runtime(const leat_device *dev);

/* C [m, n] = act(alpha * op(A) [m, k] * op(B) [k, n] + beta * C + bias) on host memory, float32, any strides (transposes
 * are strides); bias [n] or NULL, act as docs/ops.md numbers them, 0 none. Runs the device's "gemm" (wrapping or copying),
 * or the CPU's and counts the fallback. Bit-equal at any thread count: the work is cut by shape alone. */
typedef struct lt_gemm {
  int64_t m, n, k;
  float alpha, beta;
  const float *a, *b;
  float *c;
  int64_t a_rs, a_cs, b_rs, b_cs, c_rs, c_cs;
  const float *bias;
  int32_t act;
} lt_gemm;
leat_status lt_device_gemm(const leat_device *dev, const lt_gemm *g, leat_error *err);
/* The same in float64 (normal equations): CPU only. */
typedef struct lt_gemm64 {
  int64_t m, n, k;
  double alpha, beta;
  const double *a, *b;
  double *c;
  int64_t a_rs, a_cs, b_rs, b_cs, c_rs, c_cs;
} lt_gemm64;
leat_status lt_cpu_gemm64(leat_runtime *rt, const lt_gemm64 *g, leat_error *err);
/* y [m] = alpha * A [m, n] x + beta * y, float32. */
typedef struct lt_gemv {
  int64_t m, n;
  float alpha, beta;
  const float *a, *x;
  float *y;
  int64_t a_rs, a_cs, x_s, y_s;
} lt_gemv;
leat_status lt_device_gemv(const leat_device *dev, const lt_gemv *g, leat_error *err);
#endif
