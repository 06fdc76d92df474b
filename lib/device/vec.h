/* Vector kernels of the CPU: the inner loops of linear models. Chosen once by what the processor has (x86-64: AVX2+FMA
 * or plain C). Each kernel set sums in its own fixed order: the set's name goes into packages (DESIGN 3.11). */
#ifndef LEAT_DEVICE_VEC_H
#define LEAT_DEVICE_VEC_H
#include <stdint.h>
typedef struct lt_vec {
  const char *name; /* "avx2" or "generic" */
  /* sum x[i] * w[i]; where x[i] is NaN, fill[i] stands for it (fill NULL: no check) */
  double (*dot_f64)(const double *x, const double *w, const double *fill, int64_t n);
  double (*dot_f32)(const float *x, const double *w, const double *fill, int64_t n); /* x widened; = dot_f64 bit for bit on exact floats */
  float (*dot_ff)(const float *x, const float *w, int64_t n);       /* float accumulators */
  /* y[i] += a * x[i] */
  void (*axpy_f64)(double a, const double *x, double *y, int64_t n);
  void (*axpy_ff)(float a, const float *x, float *y, int64_t n);
  /* y[r] = X[r, :] . w + c for `rows` rows of `n`, row stride ld */
  void (*gemv_ff)(const float *x, int64_t ld, const float *w, float c, float *y, int64_t rows, int64_t n);
  /* g[j] += sum_r v[r] X[r, j] */
  void (*gemv_t_ff)(const float *x, int64_t ld, const float *v, float *g, int64_t rows, int64_t n);
  /* sum value[k] * w[index[k]] (value NULL: ones) */
  double (*dot_sparse)(const int32_t *index, const float *value, const float *w, int64_t nnz);
  /* in place 1 / (1 + exp(-z)); |error| <= 4 ulp of float */
  void (*sigmoid_ff)(float *z, int64_t n);
  double (*sigmoid)(double z);
} lt_vec;
const lt_vec *lt_vec_get(void);        /* the best set of this processor; immutable */
const lt_vec *lt_vec_generic(void);    /* plain C, for tests */
#endif
