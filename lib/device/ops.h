/* The table of operations: docs/ops.md as data. Every op that leat runs in host memory is checked against it first. */
#ifndef LEAT_DEVICE_OPS_H
#define LEAT_DEVICE_OPS_H
#include "device/op.h"
enum { LT_OP_DTYPE_ANY = 0 };
/* dims: a letter a dimension; the same small letter is the same number in all tensors of the op. 'R' is r + 1; a digit is
 * itself; other large letters and '.' are looked at by the op's own check. other: a second form, or NULL. */
typedef struct lt_tensor_def {
  const char *role, *dims, *other;
  int32_t dtype, strided; /* strided: takes any strides; else rows with unit stride inside */
} lt_tensor_def;
typedef struct lt_op_def {
  const char *name;
  int8_t in_min, in_max, out_min, out_max, f_min, f_max, i_min, i_max;
  lt_tensor_def in[LT_OP_TENSORS], out[LT_OP_TENSORS];
  leat_status (*check)(const lt_op_args *a, leat_error *err); /* what dims do not say; NULL: nothing more */
} lt_op_def;
enum { LT_OP_COUNT = 28 };
const lt_op_def *lt_op_at(int64_t index);     /* NULL outside [0, LT_OP_COUNT) */
const lt_op_def *lt_op_find(const char *name); /* NULL: no such op */
/* Fills a from what the op says of its tensors (data NULL) and checks all but the memory: counts of tensors and
 * attributes, types, ranks, shapes, strides, bounds of attributes. Errors: ARG, SHAPE, DTYPE, RANGE. */
leat_status lt_op_take(const lt_op_def *def, const leat_b_op *op, lt_op_args *a, leat_error *err);
int lt_op_empty(const lt_op_args *a); /* no output has an element */

/* act of docs/ops.md, and what map adds to it. */
enum {
  LT_F_NONE, LT_F_RELU, LT_F_GELU, LT_F_TANH, LT_F_SIGMOID, LT_F_EXP, LT_F_LOG1P, LT_F_SQUARE, LT_F_SQRT,
  LT_F_RECIPROCAL, LT_F_COUNT
};
double lt_f_value(int64_t f, double x);
/* The slope; s is f(x) for relu, tanh, sigmoid, exp and square root, x for the others. */
double lt_f_slope(int64_t f, double s);
/* IEEE 754 binary16, and the upper half of a float: rounded to nearest even. */
float lt_f16_value(uint16_t h);
uint16_t lt_f16_of(float f);
float lt_bf16_value(uint16_t h);
uint16_t lt_bf16_of(float f);
enum { LT_ADD, LT_SUBTRACT, LT_MULTIPLY, LT_DIVIDE, LT_MAX, LT_MIN, LT_BINARY_COUNT };
enum { LT_SUM, LT_SUM_SQUARES, LT_LARGEST, LT_REDUCE_COUNT };
enum {
  LT_LOSS_SQUARED, LT_LOSS_LOGISTIC, LT_LOSS_HUBER, LT_LOSS_QUANTILE, LT_LOSS_POISSON, LT_LOSS_HINGE,
  LT_LOSS_SQUARED_HINGE, LT_LOSS_COUNT
};
#endif
