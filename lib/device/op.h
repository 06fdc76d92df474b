/* Operations on strided arrays: their checks, and how they are written as leat_b_op. */
#ifndef LEAT_DEVICE_OP_H
#define LEAT_DEVICE_OP_H
#include "device/device.h"
/* A strided array of up to 4 dimensions: what a leat_b_tensor says, and where its element (0, 0, ...) lies. */
typedef struct lt_view {
  const char *name;
  const void *data;  /* element (0, 0, ...); what is written is written through lt_view_out */
  int64_t rank, shape[4], stride[4];
  int64_t size;      /* bytes an element */
  int64_t low, high; /* bytes from data to the lowest element, and behind the highest; filled by lt_view_span */
  int64_t dtype;     /* LEAT_F32 ... */
  int32_t written;
} lt_view;
enum { LT_OP_TENSORS = 8 };
/* What an op works on, inputs and outputs in the order of docs/ops.md. */
typedef struct lt_op_args {
  int64_t n_in, n_out;
  lt_view in[LT_OP_TENSORS], out[LT_OP_TENSORS];
  const double *f;
  const int64_t *i;
  int64_t n_f, n_i;
} lt_op_args;
/* Fills low and high. SHAPE when a dimension is negative or the array does not fit into the address space, or when
 * elements of one that is written lie on each other. An empty array spans nothing. */
leat_status lt_view_span(lt_view *v, leat_error *err);
int lt_view_empty(const lt_view *v);
int64_t lt_op_dtype_size(int64_t dtype); /* bytes an element, 0 for a type that no op takes */
static inline void *lt_view_out(const lt_view *v) { return (void *)(uintptr_t)v->data; }
/* A dense matrix or vector of floats in host memory. */
lt_view lt_view_matrix(const float *data, int64_t rows, int64_t cols);
lt_view lt_view_vector(const float *data, int64_t n);
/* Runs an op on host memory: the views' data, dtype, rank, shape and stride are the caller's, the rest is filled here.
 * On dev, wrapping or copying, or on the CPU, which is counted as a fallback. ARG, SHAPE, DTYPE, RANGE, NOT_FOUND when it
 * is no such op; else what the device says. */
leat_status lt_device_run(const leat_device *dev, const char *name, const lt_op_args *a, leat_error *err);
#endif
