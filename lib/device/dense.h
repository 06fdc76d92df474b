/* Dense layers for prediction, y = act(x W + b): the weights are packed once, into the order in which they will be read,
 * and then serve any number of rows at once, one as well as many. Nothing here allocates, fails or enters BLIS. */
#ifndef LEAT_DEVICE_DENSE_H
#define LEAT_DEVICE_DENSE_H
#include <stdint.h>
/* How weights are kept. Q8: bytes with a factor max |w[:, j]| / 127 a column; each row of x is rounded to bytes as well, with
 * a factor max |x| / 127. The error of y[j] before act is at most
 *   max |x| / 254 * sum_k |w[k, j]| + max |w[:, j]| / 254 * sum_k |x[k]|, and rounding as in float. */
enum { LT_DENSE_F32, LT_DENSE_Q8 };
/* The first four are set by the caller, the others by lt_dense_pack. */
typedef struct lt_dense {
  int64_t k, n;   /* inputs, outputs */
  int64_t kind, act; /* act as in docs/ops.md */
  const void *panels; /* the rest points into the block */
  const float *scale, *bias;
} lt_dense;
/* Size of the block for k, n and kind, to be aligned to 64 bytes; 0: no such layer (k or n below 1, more than memory holds,
 * or k above 131072 with Q8: sums are kept in 32 bits). A layer of float takes 4 k n + 4 n bytes with n rounded up to 16. */
uint64_t lt_dense_size(const lt_dense *d);
/* w(i, j) at w[i * w_rs + j * w_cs], i < k, j < n; bias [n] or NULL. The block must live as long as d is used. Weights are
 * finite. */
void lt_dense_pack(lt_dense *d, const float *w, int64_t w_rs, int64_t w_cs, const float *bias, void *block);
/* out[i, :] = act(x[i, :] W + b) for m rows of strides x_rs and out_rs; out does not overlap x. A row's result is the same
 * bits whatever m is and whatever rows are around it. Uses 24 KiB of stack. Any number of threads at once. */
void lt_dense_rows(const lt_dense *d, const float *x, int64_t x_rs, int64_t m, float *out, int64_t out_rs);
#endif
