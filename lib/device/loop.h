/* Kernels of the CPU's elementwise ops, reductions, norms, losses and optimiser steps, in two sets like vec.h's. `which`,
 * `f` and `what` are numbers of docs/ops.md. Outputs may be exactly an input where the op says "in place". Pointers need only
 * their element's alignment. No kernel allocates or fails. */
#ifndef LEAT_DEVICE_LOOP_H
#define LEAT_DEVICE_LOOP_H
#include <stdint.h>
enum { LT_STRIP = 64 }; /* columns that the kernels of tables sum at once */
typedef struct lt_sgd_step { float rate, momentum, decay, factor; int32_t nesterov; } lt_sgd_step;
/* step = rate / bias1, root = 1 / bias2; decay is what is added to g, fade the part of w that is taken off. */
typedef struct lt_adam_step { float beta1, rest1, beta2, rest2, step, root, eps, decay, fade, factor; } lt_adam_step;
typedef struct lt_loop {
  const char *name; /* "avx2" or "generic" */
  void (*map)(int64_t f, const float *x, float *y, int64_t n);
  void (*map_grad)(int64_t f, const float *d, const float *s, float *dx, int64_t n);
  void (*binary)(int64_t which, float alpha, const float *a, float beta, const float *b, float *c, int64_t n);
  /* Words of the Philox blocks [first, first + 8): 32 of them. */
  void (*philox)(uint64_t seed, uint64_t stream, uint64_t first, uint32_t word[32]);
  /* y[i] = word[i] < limit ? 0 : factor * x[i] */
  void (*keep)(const float *x, const uint32_t *word, uint32_t limit, float factor, float *y, int64_t n);
  /* out[j] = the sum, sum of squares or largest of column j, over rows in order. */
  void (*columns)(int64_t what, const float *x, int64_t ld, int64_t rows, int64_t n, float *out);
  double (*line)(int64_t what, const float *x, int64_t n); /* the same of n numbers; the sum is made in float by 4096 */
  /* One row: returns log sum exp(x) - x[label]; dx (NULL: none) = factor * (softmax - [label]). 0 <= label < n. */
  float (*xent)(const float *x, int64_t n, int64_t label, float factor, float *dx);
  void (*sgd)(const lt_sgd_step *s, const float *g, float *w, float *v, int64_t n); /* v NULL: none */
  void (*adam)(const lt_adam_step *s, const float *g, float *w, float *u, float *v, int64_t n);
  /* sum[c] += sum over p < count of value[p] * b[index[p] * ld + c] for c < n <= LT_STRIP, in order of p; indices outside
   * [0, rows) count as nothing. */
  void (*sparse_rows)(const int32_t *index, const float *value, int64_t count, const float *b, int64_t rows, int64_t ld,
                      int64_t n, float *sum);
  /* y = (x - mean) * rstd * gamma + beta over a row, all but mean and rstd with n elements. */
  void (*normal)(const float *x, float mean, float rstd, const float *gamma, const float *beta, float *y, int64_t n);
  double (*spread)(const float *x, float mean, int64_t n); /* sum of (x - mean)^2 */
  /* A row's part of layer_norm_grad: dgamma += d h, dbeta += d, then dx = rstd (g - mean g - h mean(g h)). */
  void (*normal_grad)(const float *d, const float *x, const float *gamma, float mean, float rstd, float *dx, float *dgamma,
                      float *dbeta, int64_t n);
  /* Per column: out[j] += (x - mean[j])^2, and out[j] += d (x - mean[j]) rstd[j]. */
  void (*spread_columns)(const float *x, const float *mean, float *out, int64_t n);
  void (*dot_columns)(const float *d, const float *x, const float *mean, const float *rstd, float *out, int64_t n);
  /* y = (x - mean[j]) * rstd[j] * gamma[j] + beta[j] */
  void (*normal_columns)(const float *x, const float *mean, const float *rstd, const float *gamma, const float *beta,
                         float *y, int64_t n);
  /* dx = gamma rstd (d - sum_d * share - (x - mean) rstd * sum_dh * share), all but share by column. */
  void (*normal_columns_grad)(const float *d, const float *x, const float *mean, const float *rstd, const float *gamma,
                              const float *sum_d, const float *sum_dh, float share, float *dx, int64_t n);
} lt_loop;
const lt_loop *lt_loop_get(void);     /* the best set of this processor; immutable */
const lt_loop *lt_loop_generic(void); /* plain C, for tests */
const lt_loop *lt_loop_avx2(void);    /* NULL where the processor or the build has it not */
#endif
