/* Kernels that every set shares: memory bounds them, not instructions. */
#ifndef LEAT_DEVICE_VEC_SHARED_H
#define LEAT_DEVICE_VEC_SHARED_H
#include "device/vec.h"
double lt_vec_dot_sparse(const int32_t *index, const float *value, const float *w, int64_t nnz);
double lt_vec_dot_sparse_f64(const int32_t *index, const float *value, const double *w, int64_t nnz);
void lt_vec_axpy_sparse(double a, const int32_t *index, const float *value, double *g, int64_t nnz);
void lt_vec_axpy_sparse_ff(float a, const int32_t *index, const float *value, float *g, int64_t nnz);
double lt_vec_sigmoid(double z);
#endif
