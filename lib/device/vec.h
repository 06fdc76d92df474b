/* Vector kernels of the CPU: the inner loops of linear models. Chosen once by what the processor has (x86-64: AVX2+FMA
 * or plain C). Each kernel set sums in its own fixed order: the set's name goes into packages (DESIGN 3.11).
 * Pointers need only their element's alignment, nothing is read past the given sizes, n = 0 and rows = 0 are fine, inputs
 * and outputs must not overlap but where "in place" is said. _ff: float in, float out. No kernel allocates or fails. */
#ifndef LEAT_DEVICE_VEC_H
#define LEAT_DEVICE_VEC_H
#include <stdint.h>
/* gram_ff sums this many rows in float before it adds to the doubles; cut rows at multiples of it. */
enum { LT_GRAM_ROWS = 128 };
typedef struct lt_vec {
  const char *name; /* "avx2" or "generic" */
  /* sum x[i] * w[i]; where x[i] is NaN, fill[i] stands for it (fill NULL: no check). |error| <= (n/16 + 20) * 2^-53 *
   * sum |x w|. dot_f32 widens x: equal to dot_f64 on the same numbers bit for bit. */
  double (*dot_f64)(const double *x, const double *w, const double *fill, int64_t n);
  double (*dot_f32)(const float *x, const double *w, const double *fill, int64_t n);
  /* The same in float: |error| <= (n/32 + 20) * 2^-24 * sum |x w|. */
  float (*dot_ff)(const float *x, const float *w, int64_t n);
  /* y[i] += a * x[i] */
  void (*axpy_f64)(double a, const double *x, double *y, int64_t n);
  void (*axpy_ff)(float a, const float *x, float *y, int64_t n);
  /* y[r] = X[r, :] . w + c for `rows` rows of `n`, row stride ld. y[r] depends on row r alone, not on the rows around
   * it. |error| <= (n/8 + 8) * 2^-24 * (sum |x w| + |c|). */
  void (*gemv_ff)(const float *x, int64_t ld, const float *w, float c, float *y, int64_t rows, int64_t n);
  /* g[j] += sum_r v[r] X[r, j]; even and odd rows are summed apart, from the first on. |error| <= (rows/2 + 4) * 2^-24 *
   * (sum |v x| + |g|): call it with at most some hundred rows and add the result to doubles. */
  void (*gemv_t_ff)(const float *x, int64_t ld, const float *v, float *g, int64_t rows, int64_t n);
  /* h[i * ldh + j] += sum_r d[r] X[r, i] X[r, j] for i <= j < n (the lower triangle is not touched); d NULL: ones. Rows
   * are summed in order in float, LT_GRAM_ROWS at a time from the first row on, and each sum is added to h in double:
   * |error| <= 132 * 2^-24 * sum |d x x|. h is the same however a caller cuts the rows, if at multiples of LT_GRAM_ROWS
   * and in order. Uses 40 KiB of stack. */
  void (*gram_ff)(const float *x, int64_t ld, const float *d, double *h, int64_t ldh, int64_t rows, int64_t n);
  /* sum[i][j] = sum_r a[r][i] * b[r][j] over `rows` <= LT_GRAM_ROWS rows of two packed panels of 16 columns (32-byte
   * aligned), for i < m <= 16 (all 16 rows of sum may be overwritten): the core of gram_ff, and of
   * products that are too small for BLIS. In order, in float. */
  void (*panel_ff)(const float *a, const float *b, int64_t rows, int64_t m, float *sum);
  /* sum value[k] * w[index[k]] (value NULL: ones), in double, four sums by k mod 4. No index is checked. */
  double (*dot_sparse)(const int32_t *index, const float *value, const float *w, int64_t nnz);
  /* The same with weights in double. */
  double (*dot_sparse_f64)(const int32_t *index, const float *value, const double *w, int64_t nnz);
  /* g[index[k]] += a * value[k] (value NULL: ones), in order of k: repeats add up. */
  void (*axpy_sparse)(double a, const int32_t *index, const float *value, double *g, int64_t nnz);
  void (*axpy_sparse_ff)(float a, const int32_t *index, const float *value, float *g, int64_t nnz);
  /* In place, over all floats with inf and NaN: exp(z), <= 2 ulp; log(1 + z), <= 4 ulp, NaN below -1;
   * 1 / (1 + exp(-z)), <= 4 ulp. */
  void (*exp_ff)(float *z, int64_t n);
  void (*log1p_ff)(float *z, int64_t n);
  void (*sigmoid_ff)(float *z, int64_t n);
  /* In place: each of `rows` rows of n margins (stride ld) to probabilities. |error| <= (n/8 + 8) ulp of float for finite
   * margins; a row with a NaN or +inf becomes NaN. */
  void (*softmax_ff)(float *z, int64_t ld, int64_t rows, int64_t n);
  /* Logistic loss of margins z and labels y (0 or 1) with weights w (NULL: ones):
   *   g[i] = w d/dz log(1 + exp(-s z)), h[i] = w d2/dz2 of it, s = 2y - 1; returns sum w log(1 + exp(-s z)) in double.
   * g and h are within 8 ulp of float also where the probability is near 0 or 1; g or h may be NULL or z itself. */
  double (*logistic_ff)(const float *z, const float *y, const float *w, float *g, float *h, int64_t n);
  /* 1 / (1 + exp(-z)), accurate to 2 ulp of double in both tails */
  double (*sigmoid)(double z);
} lt_vec;
const lt_vec *lt_vec_get(void);        /* the best set of this processor; immutable; keep the pointer in hot loops */
const lt_vec *lt_vec_generic(void);    /* plain C, for tests */
const lt_vec *lt_vec_avx2(void);       /* NULL where the processor or the build has it not */
#endif
