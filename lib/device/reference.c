/* The reference device: plain loops that sum in double and round once. Slow on purpose: what others are compared with. */
#include "device/reference.h"

#define OP(name) {#name, lt_ref_##name, NULL}
const lt_host_op_entry lt_reference_ops[] = {
    OP(gemm), OP(gemv), OP(gemm_batched), OP(gemm_q8), OP(csr_gemm), OP(csr_gemm_t), OP(map), OP(map_grad), OP(binary),
    OP(fill), OP(copy), OP(dropout), OP(reduce), OP(softmax), OP(softmax_xent), OP(loss), OP(layer_norm),
    OP(layer_norm_grad), OP(batch_norm), OP(batch_norm_grad), OP(batch_norm_apply), OP(sgd), OP(adam), OP(gather),
    OP(scatter_add), OP(histogram), OP(argmax), OP(top_k), {NULL, NULL, NULL}};
#undef OP
_Static_assert(sizeof lt_reference_ops / sizeof *lt_reference_ops == LT_OP_COUNT + 1, "the reference has every op");

leat_status lt_reference_query(uint32_t abi_major, const leat_b_host *host, leat_b_backend *out, leat_error *err) {
  static const lt_host_ops ops = {"reference", "leat", "plain C, sums in double", lt_reference_ops};
  return lt_host_backend(abi_major, host, &ops, out, err);
}
