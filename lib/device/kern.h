/* Kernels of the CPU's ops on matrices: the inner loops of neural networks, in two sets like vec.h's. A set sums in its own
 * fixed order. A *panel* is 16 columns of a matrix [depth, n] side by side, b[k * 16 + j], zeros where it has fewer.
 * Pointers need only their element's alignment; panels lie at multiples of 32 bytes. No kernel allocates or fails. */
#ifndef LEAT_DEVICE_KERN_H
#define LEAT_DEVICE_KERN_H
#include <stdint.h>
enum { LT_PANEL = 16, LT_TILE_ROWS = 6, LT_Q8_ROWS = 4, LT_Q8_PANELS = 4 };
typedef struct lt_kern {
  const char *name; /* "avx2" or "generic" */
  /* out[i * ldo + p * 16 + j] = (add ? out : 0) + sum_k a[i * rs + k * cs] * b[p * step + k * ldb + j] for i < rows <= 6,
   * p < panels and all 16 j; ldb is 16 in a panel. One chain of multiply-adds in order of k: cutting k at any place and
   * going on with add gives the same bits, and so does any number of rows. */
  void (*tile)(const float *a, int64_t rs, int64_t cs, const float *b, int64_t ldb, int64_t step, int64_t panels,
               int64_t depth, int64_t rows, float *out, int64_t ldo, int add);
  /* c[i * ld + j] = alpha * tile[i * 16 + j] + beta * c for `rows` rows of n <= 16; beta 0: c is not read. */
  void (*blend)(const float *tile, int64_t rows, int64_t n, float alpha, float beta, float *c, int64_t ld);
  /* One row times `count` panels that lie `step` floats apart: out[p * 16 + j], the same bits as tile's. */
  void (*row)(const float *x, const float *panels, int64_t depth, int64_t step, int64_t count, float *out);
  /* Columns [0, cols) of `depth` rows to a panel: element (k, j) is b[k * rs + j * cs]. */
  void (*pack)(const float *b, int64_t rs, int64_t cs, int64_t depth, int64_t cols, float *panel);
  /* x = act(x + bias[j]) in place (bias NULL: 0) for `rows` rows of n; act as in docs/ops.md. */
  void (*end)(float *x, int64_t ld, int64_t rows, int64_t n, const float *bias, int64_t act);
  /* Weights of 8 bits: a panel is [depth / 4][16][4]. Rounds x to q, from -127 to 127, with zeros up to a multiple of 4;
   * inverse is 127 / max |x|. Returns whether a q is below 0. */
  int (*q8_round)(const float *x, int64_t n, float inverse, int8_t *q);
  float (*q8_top)(const float *x, int64_t n); /* max |x|; NaN where there is one */
  /* sum[(r * panels + p) * 16 + j] (+)= sum_k q[r * ldq + k] * panel p [k][j], exact up to depth 131072; depth a multiple
   * of 4. One of rows <= 4 and panels <= 4 is 1. positive: no q is below 0. */
  void (*q8_tile)(const int8_t *q, int64_t ldq, int64_t rows, const int8_t *panel, int64_t step, int64_t panels,
                  int64_t depth, int32_t *sum, int add, int positive);
  /* sum q[i] w[i] of n <= 131072 bytes, exact; q from -127 to 127, w any. */
  int32_t (*q8_dot)(const int8_t *q, const int8_t *w, int64_t n);
} lt_kern;
/* How many of the `left` rows the next tile takes: 6, but no tile of fewer than 3 where it can be avoided. */
static inline int64_t lt_tile_rows(int64_t left) {
  return left == 7 || left == 8 ? 4 : left < LT_TILE_ROWS ? left : LT_TILE_ROWS;
}
const lt_kern *lt_kern_get(void);     /* the best set of this processor; immutable */
const lt_kern *lt_kern_generic(void); /* plain C, for tests */
const lt_kern *lt_kern_avx2(void);    /* NULL where the processor or the build has it not */
#endif
