/* The CPU device's own ops, and how they share work out. What is cut into tasks is cut by shape alone. */
#ifndef LEAT_DEVICE_CPU_OPS_H
#define LEAT_DEVICE_CPU_OPS_H
#include "device/host_device.h"
#include "device/loop.h"

/* Runs the tasks, on the host's threads when `ns`, a guess at the time of all, pays for waking them. */
leat_status lt_cpu_tasks(leat_b_instance *self, int64_t n_tasks, double ns, void (*task)(void *arg, int64_t index), void *arg,
                         leat_error *err);

/* An elementwise op as lines of equally many numbers: its rows, or pieces of all where the rows lie one behind the other. */
typedef struct lt_cpu_lines {
  const lt_op_args *a;
  const lt_loop *loop;
  const void *extra;
  int64_t count, length, last; /* lines, their numbers, those of the last line */
  int64_t in_step[LT_OP_TENSORS], out_step[LT_OP_TENSORS]; /* from line to line, in elements */
  int64_t per_task;
  void (*line)(const struct lt_cpu_lines *l, int64_t index, int64_t n);
} lt_cpu_lines;
static inline const float *lt_cpu_in(const lt_cpu_lines *l, int64_t tensor, int64_t line) {
  return (const float *)l->a->in[tensor].data + line * l->in_step[tensor];
}
static inline float *lt_cpu_out(const lt_cpu_lines *l, int64_t tensor, int64_t line) {
  return (float *)lt_view_out(&l->a->out[tensor]) + line * l->out_step[tensor];
}
/* line is called for each; element_ns: a guess at its time for a number. Vectors among the inputs are the same for all lines. */
leat_status lt_cpu_run_lines(leat_b_instance *self, const lt_op_args *a,
                             void (*line)(const lt_cpu_lines *l, int64_t index, int64_t n), const void *extra,
                             double element_ns, leat_error *err);

#define LT_CPU(name) leat_status lt_cpu_##name(leat_b_instance *self, const lt_op_args *a, leat_error *err)
LT_CPU(map);
LT_CPU(map_grad);
LT_CPU(binary);
LT_CPU(fill);
LT_CPU(copy);
LT_CPU(dropout);
LT_CPU(reduce);
LT_CPU(softmax);
LT_CPU(softmax_xent);
LT_CPU(argmax);
LT_CPU(sgd);
LT_CPU(adam);
LT_CPU(layer_norm);
LT_CPU(layer_norm_grad);
LT_CPU(batch_norm);
LT_CPU(batch_norm_grad);
LT_CPU(batch_norm_apply);
LT_CPU(csr_gemm);
LT_CPU(csr_gemm_t);
LT_CPU(gather);
LT_CPU(scatter_add);
LT_CPU(gemm_batched);
LT_CPU(gemm_q8);
#endif
