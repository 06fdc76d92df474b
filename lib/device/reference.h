/* The reference's ops: plain loops, sums in double, rounded once. They compute in host memory, so that the CPU device
 * takes them too for what it has no kernel of. One list, in reference.c. */
#ifndef LEAT_DEVICE_REFERENCE_H
#define LEAT_DEVICE_REFERENCE_H
#include "device/host_device.h"
/* Element (i, j) of a matrix in rows, i of a vector, and the float there as double. */
static inline float *lt_ref_row(const lt_view *v, int64_t i) { return (float *)lt_view_out(v) + i * v->stride[0]; }
static inline double lt_ref_at(const lt_view *v, int64_t i, int64_t j) { return (double)lt_ref_row(v, i)[j]; }
static inline float *lt_ref_floats(const lt_view *v) { return lt_view_out(v); }
static inline const int32_t *lt_ref_ints(const lt_view *v) { return v->data; }
/* "beta * y" under the rule that beta 0 does not read y. */
static inline double lt_ref_rest(double beta, float y) { return beta == 0 ? 0 : beta * (double)y; }

#define LT_REF(name) leat_status lt_ref_##name(leat_b_instance *self, const lt_op_args *a, leat_error *err)
LT_REF(gemm);
LT_REF(gemv);
LT_REF(gemm_batched);
LT_REF(gemm_q8);
LT_REF(csr_gemm);
LT_REF(csr_gemm_t);
LT_REF(map);
LT_REF(map_grad);
LT_REF(binary);
LT_REF(fill);
LT_REF(copy);
LT_REF(dropout);
LT_REF(reduce);
LT_REF(softmax);
LT_REF(softmax_xent);
LT_REF(loss);
LT_REF(layer_norm);
LT_REF(layer_norm_grad);
LT_REF(batch_norm);
LT_REF(batch_norm_grad);
LT_REF(batch_norm_apply);
LT_REF(sgd);
LT_REF(adam);
LT_REF(gather);
LT_REF(scatter_add);
LT_REF(histogram);
LT_REF(argmax);
LT_REF(top_k);
#endif
