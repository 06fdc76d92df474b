/* Checks of strided arrays. Every op passes here before a device or BLIS sees it. */
#include "device/op.h"

/* The most elements that an array may span: far above any memory, far below where products of it overflow. */
static const int64_t op_max_span = INT64_C(1) << 46;

int lt_view_empty(const lt_view *v) {
  for (int64_t i = 0; i < v->rank; i++)
    if (v->shape[i] == 0) return 1;
  return 0;
}

int64_t lt_op_dtype_size(int64_t dtype) {
  switch (dtype) {
  case LEAT_F32:
  case LEAT_I32: return 4;
  case LEAT_F16:
  case LEAT_BF16: return 2;
  case LEAT_I8:
  case LEAT_U8: return 1;
  default: return 0;
  }
}

static int64_t magnitude(int64_t v) { return v < 0 ? -v : v; }

/* From the smallest stride on, each must step over all that those before it reach. */
static int view_distinct(const lt_view *v) {
  int64_t stride[4], shape[4], n = 0;
  for (int64_t i = 0; i < v->rank; i++) {
    if (v->shape[i] < 2) continue;
    int64_t s = magnitude(v->stride[i]), at = n++;
    for (; at > 0 && stride[at - 1] > s; at--) stride[at] = stride[at - 1], shape[at] = shape[at - 1];
    stride[at] = s, shape[at] = v->shape[i];
  }
  int64_t reach = 1;
  for (int64_t i = 0; i < n; reach = stride[i] * shape[i], i++)
    if (stride[i] < reach) return 0;
  return 1;
}

leat_status lt_view_span(lt_view *v, leat_error *err) {
  int64_t low = 0, high = 0;
  int empty = 0;
  v->low = v->high = 0;
  for (int64_t i = 0; i < v->rank; i++) {
    if (v->shape[i] < 0)
      return lt_fail(err, LEAT_E_SHAPE, "dimension %lld of %s is %lld; it must be 0 or more", (long long)i, v->name,
                     (long long)v->shape[i]);
    empty |= v->shape[i] == 0;
  }
  if (empty) return LEAT_OK;
  for (int64_t i = 0; i < v->rank; i++) {
    int64_t reach;
    if (v->shape[i] == 1) continue;
    if (v->stride[i] == INT64_MIN || __builtin_mul_overflow(v->shape[i] - 1, v->stride[i], &reach) ||
        reach > op_max_span || reach < -op_max_span || v->shape[i] > op_max_span)
      return lt_fail(err, LEAT_E_SHAPE, "%s spans %lld elements with stride %lld: more than memory holds", v->name,
                     (long long)v->shape[i], (long long)v->stride[i]);
    if (reach < 0) low += reach;
    else high += reach;
  }
  v->low = low * v->size;
  v->high = (high + 1) * v->size;
  if (v->written && !view_distinct(v))
    return lt_fail(err, LEAT_E_SHAPE, "the strides of %s make elements lie on each other; it is written", v->name);
  return LEAT_OK;
}

lt_view lt_view_matrix(const float *data, int64_t rows, int64_t cols) {
  return (lt_view){.data = data, .rank = 2, .shape = {rows, cols}, .stride = {cols, 1}, .dtype = LEAT_F32};
}

lt_view lt_view_vector(const float *data, int64_t n) {
  return (lt_view){.data = data, .rank = 1, .shape = {n}, .stride = {1}, .dtype = LEAT_F32};
}
