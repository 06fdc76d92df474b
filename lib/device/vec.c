/* The plain C kernels, and the choice of a set. The sums are cut into a few independent ones so that a compiler and a
 * processor can work on them side by side; their number is part of the set's meaning. */
#include "device/vec_shared.h"

#include <math.h>
#include <stddef.h>

static double vec_dot_f64(const double *x, const double *w, const double *fill, int64_t n) {
  double s[4] = {0, 0, 0, 0};
  for (int64_t i = 0; i < n; i++) {
    double v = x[i];
    if (fill && v != v) v = fill[i];
    s[i & 3] += v * w[i];
  }
  return (s[0] + s[1]) + (s[2] + s[3]);
}

static double vec_dot_f32(const float *x, const double *w, const double *fill, int64_t n) {
  double s[4] = {0, 0, 0, 0};
  for (int64_t i = 0; i < n; i++) {
    double v = (double)x[i];
    if (fill && v != v) v = fill[i];
    s[i & 3] += v * w[i];
  }
  return (s[0] + s[1]) + (s[2] + s[3]);
}

static float vec_dot_ff(const float *x, const float *w, int64_t n) {
  float s[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int64_t i = 0; i < n; i++) s[i & 7] += x[i] * w[i];
  return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

static void vec_axpy_f64(double a, const double *x, double *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] += a * x[i];
}

static void vec_axpy_ff(float a, const float *x, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] += a * x[i];
}

static void vec_gemv_ff(const float *x, int64_t ld, const float *w, float c, float *y, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; r++) y[r] = vec_dot_ff(x + r * ld, w, n) + c;
}

static void vec_gemv_t_ff(const float *x, int64_t ld, const float *v, float *g, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; r++) vec_axpy_ff(v[r], x + r * ld, g, n);
}

/* A block of 16 x 16 products at a time, summed in float over one tile of rows. */
static void vec_gram_block(const float *x, int64_t ld, const float *d, double *h, int64_t ldh, int64_t rows,
                           const int64_t at[2], const int64_t width[2]) {
  float sum[16][16] = {{0}};
  for (int64_t r = 0; r < rows; r++) {
    const float *row = x + r * ld;
    for (int64_t i = 0; i < width[0]; i++) {
      float v = d ? d[r] * row[at[0] + i] : row[at[0] + i];
      for (int64_t j = 0; j < width[1]; j++) sum[i][j] += v * row[at[1] + j];
    }
  }
  for (int64_t i = 0; i < width[0]; i++)
    for (int64_t j = at[0] == at[1] ? i : 0; j < width[1]; j++)
      h[(at[0] + i) * ldh + at[1] + j] += (double)sum[i][j];
}

static void vec_panel_ff(const float *a, const float *b, int64_t rows, int64_t m, float *sum) {
  for (int64_t i = 0; i < m * 16; i++) sum[i] = 0;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < 16; j++) sum[i * 16 + j] += a[r * 16 + i] * b[r * 16 + j];
}

static void vec_gram_ff(const float *x, int64_t ld, const float *d, double *h, int64_t ldh, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; r += LT_GRAM_ROWS) {
    int64_t m = rows - r < LT_GRAM_ROWS ? rows - r : LT_GRAM_ROWS;
    for (int64_t i = 0; i < n; i += 16)
      for (int64_t j = i; j < n; j += 16) {
        int64_t at[2] = {i, j}, width[2] = {n - i < 16 ? n - i : 16, n - j < 16 ? n - j : 16};
        vec_gram_block(x + r * ld, ld, d ? d + r : NULL, h, ldh, m, at, width);
      }
  }
}

static double vec_dot_sparse(const int32_t *index, const float *value, const float *w, int64_t nnz) {
  double s[4] = {0, 0, 0, 0};
  int64_t k = 0;
  if (!value) {
    for (; k + 4 <= nnz; k += 4)
      for (int j = 0; j < 4; j++) s[j] += (double)w[index[k + j]];
    for (; k < nnz; k++) s[k & 3] += (double)w[index[k]];
  } else {
    for (; k + 4 <= nnz; k += 4) {
      s[0] += (double)value[k] * (double)w[index[k]];
      s[1] += (double)value[k + 1] * (double)w[index[k + 1]];
      s[2] += (double)value[k + 2] * (double)w[index[k + 2]];
      s[3] += (double)value[k + 3] * (double)w[index[k + 3]];
    }
    for (; k < nnz; k++) s[k & 3] += (double)value[k] * (double)w[index[k]];
  }
  return (s[0] + s[1]) + (s[2] + s[3]);
}

static double vec_dot_sparse_f64(const int32_t *index, const float *value, const double *w, int64_t nnz) {
  double s[4] = {0, 0, 0, 0};
  int64_t k = 0;
  if (!value) {
    for (; k < nnz; k++) s[k & 3] += w[index[k]];
  } else {
    for (; k + 4 <= nnz; k += 4) {
      s[0] += (double)value[k] * w[index[k]];
      s[1] += (double)value[k + 1] * w[index[k + 1]];
      s[2] += (double)value[k + 2] * w[index[k + 2]];
      s[3] += (double)value[k + 3] * w[index[k + 3]];
    }
    for (; k < nnz; k++) s[k & 3] += (double)value[k] * w[index[k]];
  }
  return (s[0] + s[1]) + (s[2] + s[3]);
}

void lt_vec_axpy_sparse(double a, const int32_t *index, const float *value, double *g, int64_t nnz) {
  if (!value) {
    for (int64_t k = 0; k < nnz; k++) g[index[k]] += a;
  } else {
    for (int64_t k = 0; k < nnz; k++) g[index[k]] += a * (double)value[k];
  }
}

void lt_vec_axpy_sparse_ff(float a, const int32_t *index, const float *value, float *g, int64_t nnz) {
  if (!value) {
    for (int64_t k = 0; k < nnz; k++) g[index[k]] += a;
  } else {
    for (int64_t k = 0; k < nnz; k++) g[index[k]] += a * value[k];
  }
}

static void vec_exp_ff(float *z, int64_t n) {
  for (int64_t i = 0; i < n; i++) z[i] = expf(z[i]);
}

static void vec_log1p_ff(float *z, int64_t n) {
  for (int64_t i = 0; i < n; i++) z[i] = log1pf(z[i]);
}

/* Both tails without overflow and without cancellation. */
static float sigmoid_f32(float z) {
  float e = expf(-fabsf(z));
  return z >= 0 ? 1.0f / (1.0f + e) : e / (1.0f + e); /* NaN: e is NaN */
}

static void vec_sigmoid_ff(float *z, int64_t n) {
  for (int64_t i = 0; i < n; i++) z[i] = sigmoid_f32(z[i]);
}

static void vec_softmax_ff(float *z, int64_t ld, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; r++) {
    float *row = z + r * ld, top = -INFINITY, sum = 0;
    for (int64_t j = 0; j < n; j++) top = row[j] > top || row[j] != row[j] ? row[j] : top;
    for (int64_t j = 0; j < n; j++) sum += row[j] = expf(row[j] - top);
    for (int64_t j = 0; j < n; j++) row[j] /= sum;
  }
}

static double vec_logistic_ff(const float *z, const float *y, const float *w, float *g, float *h, int64_t n) {
  double loss = 0;
  for (int64_t i = 0; i < n; i++) {
    float weight = w ? w[i] : 1.0f, s = 2.0f * y[i] - 1.0f, t = s * z[i];
    float e = expf(-fabsf(t)), q = 1.0f / (1.0f + e);
    loss += (double)weight * (double)(log1pf(e) + (t < 0 ? -t : 0.0f));
    if (g) g[i] = -s * weight * (t >= 0 ? e * q : q);
    if (h) h[i] = weight * e * q * q;
  }
  return loss;
}

double lt_vec_sigmoid(double z) {
  double e = exp(-fabs(z));
  return z >= 0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
}

static const lt_vec vec_generic = {
    .name = "generic",
    .dot_f64 = vec_dot_f64,
    .dot_f32 = vec_dot_f32,
    .dot_ff = vec_dot_ff,
    .axpy_f64 = vec_axpy_f64,
    .axpy_ff = vec_axpy_ff,
    .gemv_ff = vec_gemv_ff,
    .gemv_t_ff = vec_gemv_t_ff,
    .gram_ff = vec_gram_ff,
    .panel_ff = vec_panel_ff,
    .dot_sparse = vec_dot_sparse,
    .dot_sparse_f64 = vec_dot_sparse_f64,
    .axpy_sparse = lt_vec_axpy_sparse,
    .axpy_sparse_ff = lt_vec_axpy_sparse_ff,
    .exp_ff = vec_exp_ff,
    .log1p_ff = vec_log1p_ff,
    .sigmoid_ff = vec_sigmoid_ff,
    .softmax_ff = vec_softmax_ff,
    .logistic_ff = vec_logistic_ff,
    .sigmoid = lt_vec_sigmoid,
};

const lt_vec *lt_vec_generic(void) { return &vec_generic; }

const lt_vec *lt_vec_get(void) {
  const lt_vec *best = lt_vec_avx2();
  return best ? best : &vec_generic;
}
