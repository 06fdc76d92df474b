/* Kernels that every set shares: memory bounds them, not instructions. */
#ifndef LEAT_DEVICE_VEC_SHARED_H
#define LEAT_DEVICE_VEC_SHARED_H
#include "device/vec.h"
void lt_vec_axpy_sparse(double a, const int32_t *index, const float *value, double *g, int64_t nnz);
void lt_vec_axpy_sparse_ff(float a, const int32_t *index, const float *value, float *g, int64_t nnz);
double lt_vec_sigmoid(double z);
#endif
