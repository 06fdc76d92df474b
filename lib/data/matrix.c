/* Callers' matrices: checked once, then read element by element. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "data/batch.h"

static int64_t dtype_bytes(int64_t dtype) {
  switch (dtype) {
    case LEAT_I8: case LEAT_U8: return 1;
    case LEAT_F16: case LEAT_BF16: case LEAT_I16: case LEAT_U16: return 2;
    case LEAT_F32: case LEAT_I32: case LEAT_U32: return 4;
    case LEAT_F64: case LEAT_I64: case LEAT_U64: return 8;
    default: return 0;
  }
}

/* The span of |stride| * (count - 1) elements, or -1 when it cannot be an address range. */
static int64_t span_of(int64_t stride, int64_t count, int64_t bytes) {
  if (count <= 1) return 0;
  if (stride == INT64_MIN) return -1;
  int64_t s = stride < 0 ? -stride : stride;
  int64_t most = INT64_MAX / 4 / bytes;
  if (s && count - 1 > most / s) return -1;
  return s * (count - 1);
}

leat_status lt_matrix_check(const leat_matrix *m, int64_t rows, int64_t cols, uint32_t dtype_mask, const char *what,
                            leat_matrix *out, leat_error *err) {
  if (!m) return lt_fail(err, LEAT_E_ARG, "%s is NULL", what);
  leat_status st = lt_take_struct(out, sizeof *out, m, m->struct_size, what, err);
  if (st) return st;
  if (out->dtype < 1 || out->dtype > 31 || !(dtype_mask >> out->dtype & 1u) || !dtype_bytes(out->dtype))
    return lt_fail(err, LEAT_E_DTYPE, "%s: dtype %lld is not taken here", what, (long long)out->dtype);
  if (out->rows < 0 || out->cols < 0)
    return lt_fail(err, LEAT_E_SHAPE, "%s is [%lld, %lld]; neither may be negative", what, (long long)out->rows,
                   (long long)out->cols);
  if ((rows >= 0 && out->rows != rows) || (cols >= 0 && out->cols != cols))
    return lt_fail(err, LEAT_E_SHAPE, "%s is [%lld, %lld], it must be [%lld, %lld] (-1: any)", what,
                   (long long)out->rows, (long long)out->cols, (long long)rows, (long long)cols);
  if (!out->row_stride && !out->col_stride) {
    out->row_stride = out->cols;
    out->col_stride = 1;
  }
  int64_t bytes = dtype_bytes(out->dtype);
  if (span_of(out->row_stride, out->rows, bytes) < 0 || span_of(out->col_stride, out->cols, bytes) < 0)
    return lt_fail(err, LEAT_E_SHAPE, "%s: shape and strides are larger than the address space", what);
  if (!out->data && out->rows && out->cols) return lt_fail(err, LEAT_E_ARG, "%s has no data", what);
  return LEAT_OK;
}

double lt_matrix_get(const leat_matrix *m, int64_t r, int64_t c) {
  int64_t i = r * m->row_stride + c * m->col_stride;
  switch (m->dtype) {
    case LEAT_F32: return ((const float *)m->data)[i];
    case LEAT_F64: return ((const double *)m->data)[i];
    case LEAT_I8: return ((const int8_t *)m->data)[i];
    case LEAT_U8: return ((const uint8_t *)m->data)[i];
    case LEAT_I16: return ((const int16_t *)m->data)[i];
    case LEAT_U16: return ((const uint16_t *)m->data)[i];
    case LEAT_I32: return ((const int32_t *)m->data)[i];
    case LEAT_U32: return ((const uint32_t *)m->data)[i];
    case LEAT_I64: return (double)((const int64_t *)m->data)[i];
    case LEAT_U64: return (double)((const uint64_t *)m->data)[i];
    default: return NAN;
  }
}

void lt_matrix_set(const leat_matrix *m, int64_t r, int64_t c, double v) {
  int64_t i = r * m->row_stride + c * m->col_stride;
  if (m->dtype == LEAT_F64) ((double *)m->data)[i] = v;
  else if (m->dtype == LEAT_F32) ((float *)m->data)[i] = (float)v;
}
