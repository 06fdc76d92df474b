/* The kernels of loop.h in plain C. */
#include "device/loop.h"
#include "base/rng.h"
#include "device/ops.h"

#include <math.h>
#include <stddef.h>

static void loop_map(int64_t f, const float *x, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = (float)lt_f_value(f, (double)x[i]);
}

static void loop_map_grad(int64_t f, const float *d, const float *s, float *dx, int64_t n) {
  for (int64_t i = 0; i < n; i++) dx[i] = (float)((double)d[i] * lt_f_slope(f, (double)s[i]));
}

static float loop_combine(int64_t which, float x, float y) {
  switch (which) {
    case LT_ADD: return x + y;
    case LT_SUBTRACT: return x - y;
    case LT_MULTIPLY: return x * y;
    case LT_DIVIDE: return x / y;
    case LT_MAX: return x > y || x != x ? x : y;
    default: return x < y || x != x ? x : y;
  }
}

static void loop_binary(int64_t which, float alpha, const float *a, float beta, const float *b, float *c, int64_t n) {
  for (int64_t i = 0; i < n; i++) c[i] = loop_combine(which, alpha * a[i], beta * b[i]);
}

static void loop_philox(uint64_t seed, uint64_t stream, uint64_t first, uint32_t word[32]) {
  for (uint64_t i = 0; i < 8; i++) lt_philox(seed, stream, first + i, word + 4 * i);
}

static void loop_keep(const float *x, const uint32_t *word, uint32_t limit, float factor, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = word[i] < limit ? 0 : factor * x[i];
}

static float loop_gather_in(int64_t what, float so_far, float x) {
  if (what == LT_LARGEST) return x > so_far || x != x ? x : so_far;
  return so_far + (what == LT_SUM ? x : x * x);
}

static void loop_columns(int64_t what, const float *x, int64_t ld, int64_t rows, int64_t n, float *out) {
  for (int64_t j = 0; j < n; j++) out[j] = what == LT_LARGEST ? -INFINITY : 0;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < n; j++) out[j] = loop_gather_in(what, out[j], x[i * ld + j]);
}

static double loop_line(int64_t what, const float *x, int64_t n) {
  double total = 0;
  float r = what == LT_LARGEST ? -INFINITY : 0;
  for (int64_t i = 0; i < n; i++) {
    r = loop_gather_in(what, r, x[i]);
    if (what != LT_LARGEST && i % 4096 == 4095) total += (double)r, r = 0;
  }
  return total + (double)r;
}

static float loop_xent(const float *x, int64_t n, int64_t label, float factor, float *dx) {
  float top = -INFINITY, sum = 0, at = x[label];
  for (int64_t j = 0; j < n; j++) top = x[j] > top || x[j] != x[j] ? x[j] : top;
  for (int64_t j = 0; j < n; j++) {
    float e = expf(x[j] - top);
    sum += e;
    if (dx) dx[j] = e;
  }
  for (int64_t j = 0; j < n && dx; j++) dx[j] = factor * (dx[j] / sum - (j == label ? 1.0f : 0.0f));
  return logf(sum) - (at - top);
}

static void loop_sgd(const lt_sgd_step *s, const float *g, float *w, float *v, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    float d = s->factor * g[i] + s->decay * w[i], step = d;
    if (v) {
      v[i] = s->momentum * v[i] + d;
      step = s->nesterov ? d + s->momentum * v[i] : v[i];
    }
    w[i] -= s->rate * step;
  }
}

static void loop_adam(const lt_adam_step *s, const float *g, float *w, float *u, float *v, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    float d = s->factor * g[i] + s->decay * w[i];
    u[i] = s->beta1 * u[i] + s->rest1 * d;
    v[i] = s->beta2 * v[i] + s->rest2 * d * d;
    w[i] -= s->fade * w[i] + s->step * u[i] / (sqrtf(v[i] * s->root) + s->eps);
  }
}

static void loop_sparse_rows(const int32_t *index, const float *value, int64_t count, const float *b, int64_t rows,
                             int64_t ld, int64_t n, float *sum) {
  for (int64_t p = 0; p < count; p++)
    for (int64_t c = 0; c < n && index[p] >= 0 && index[p] < rows; c++) sum[c] += value[p] * b[index[p] * ld + c];
}

static void loop_normal(const float *x, float mean, float rstd, const float *gamma, const float *beta, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * rstd * gamma[i] + beta[i];
}

static double loop_spread(const float *x, float mean, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (double)((x[i] - mean) * (x[i] - mean));
  return sum;
}

static void loop_normal_grad(const float *d, const float *x, const float *gamma, float mean, float rstd, float *dx,
                             float *dgamma, float *dbeta, int64_t n) {
  double sum = 0, with_h = 0;
  for (int64_t i = 0; i < n; i++) {
    float h = (x[i] - mean) * rstd, g = d[i] * gamma[i];
    dgamma[i] += d[i] * h, dbeta[i] += d[i];
    sum += (double)g, with_h += (double)(g * h);
  }
  float mean_g = (float)(sum / (double)n), mean_gh = (float)(with_h / (double)n);
  for (int64_t i = 0; i < n; i++) {
    float h = (x[i] - mean) * rstd, g = d[i] * gamma[i];
    dx[i] = rstd * (g - mean_g - h * mean_gh);
  }
}

static void loop_spread_columns(const float *x, const float *mean, float *out, int64_t n) {
  for (int64_t j = 0; j < n; j++) out[j] += (x[j] - mean[j]) * (x[j] - mean[j]);
}

static void loop_dot_columns(const float *d, const float *x, const float *mean, const float *rstd, float *out, int64_t n) {
  for (int64_t j = 0; j < n; j++) out[j] += d[j] * ((x[j] - mean[j]) * rstd[j]);
}

static void loop_normal_columns(const float *x, const float *mean, const float *rstd, const float *gamma,
                                const float *beta, float *y, int64_t n) {
  for (int64_t j = 0; j < n; j++) y[j] = (x[j] - mean[j]) * rstd[j] * gamma[j] + beta[j];
}

static void loop_normal_columns_grad(const float *d, const float *x, const float *mean, const float *rstd,
                                     const float *gamma, const float *sum_d, const float *sum_dh, float share, float *dx,
                                     int64_t n) {
  for (int64_t j = 0; j < n; j++) {
    float h = (x[j] - mean[j]) * rstd[j];
    dx[j] = gamma[j] * rstd[j] * (d[j] - sum_d[j] * share - h * (sum_dh[j] * share));
  }
}

static const lt_loop loop_generic = {
    .name = "generic",
    .map = loop_map,
    .map_grad = loop_map_grad,
    .binary = loop_binary,
    .philox = loop_philox,
    .keep = loop_keep,
    .columns = loop_columns,
    .line = loop_line,
    .xent = loop_xent,
    .sgd = loop_sgd,
    .adam = loop_adam,
    .sparse_rows = loop_sparse_rows,
    .normal = loop_normal,
    .spread = loop_spread,
    .normal_grad = loop_normal_grad,
    .spread_columns = loop_spread_columns,
    .dot_columns = loop_dot_columns,
    .normal_columns = loop_normal_columns,
    .normal_columns_grad = loop_normal_columns_grad,
};

const lt_loop *lt_loop_generic(void) { return &loop_generic; }

const lt_loop *lt_loop_get(void) {
  const lt_loop *best = lt_loop_avx2();
  return best ? best : &loop_generic;
}
