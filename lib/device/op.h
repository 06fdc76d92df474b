/* Operations on strided host arrays: their checks, and how they are written as leat_b_op. */
#ifndef LEAT_DEVICE_OP_H
#define LEAT_DEVICE_OP_H
#include "device/device.h"
/* A strided float array of up to 4 dimensions: what a leat_b_tensor says, before there is a buffer. */
typedef struct lt_view {
  const char *name;
  const void *data; /* element (0, 0, ...) */
  int64_t rank, shape[4], stride[4];
  int64_t size;     /* bytes an element */
  int64_t low, high; /* bytes from data to the lowest element, and behind the highest; filled by lt_view_check */
  int32_t written;
} lt_view;
/* SHAPE when a dimension is negative or the array does not fit into the address space, or when elements of one that is
 * written lie on each other; ARG when data is NULL and there are elements. */
leat_status lt_view_check(lt_view *v, leat_error *err);
int lt_view_empty(const lt_view *v);
void lt_gemm_views(const lt_gemm *g, lt_view v[3]); /* a, b, c */
void lt_gemv_views(const lt_gemv *g, lt_view v[3]); /* a, x, y */
leat_status lt_gemm_check(const lt_gemm *g, lt_view v[3], leat_error *err);
leat_status lt_gemv_check(const lt_gemv *g, lt_view v[3], leat_error *err);
#endif
