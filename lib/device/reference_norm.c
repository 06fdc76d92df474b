/* Layer and batch normalisation of the reference (Ba, Kiros, Hinton: "Layer normalization", 2016; Ioffe and Szegedy:
 * "Batch normalization", 2015), and their gradients. */
#include "device/reference.h"

#include <math.h>

/* A row of x (by rows), or a column of it: t elements, `step` apart. */
typedef struct ref_line { const float *at; int64_t t, step; } ref_line;

static ref_line line_of(const lt_view *x, int64_t q, int by_rows) {
  if (by_rows) return (ref_line){lt_ref_row(x, q), x->shape[1], 1};
  return (ref_line){lt_ref_floats(x) + q, x->shape[0], x->shape[0] > 1 ? x->stride[0] : 0};
}

static double line_get(ref_line l, int64_t i) { return (double)l.at[i * l.step]; }

static void line_moments(ref_line l, double *mean, double *var) {
  double sum = 0, squares = 0, t = l.t ? (double)l.t : 1;
  for (int64_t i = 0; i < l.t; i++) sum += line_get(l, i);
  *mean = sum / t;
  for (int64_t i = 0; i < l.t; i++) squares += (line_get(l, i) - *mean) * (line_get(l, i) - *mean);
  *var = squares / t;
}

static void line_normalise(const lt_op_args *a, int64_t q, int by_rows, double mean, double rstd) {
  ref_line x = line_of(&a->in[0], q, by_rows), y = line_of(&a->out[0], q, by_rows);
  for (int64_t i = 0; i < x.t; i++) {
    int64_t j = by_rows ? i : q;
    double v = (line_get(x, i) - mean) * rstd * (double)lt_ref_floats(&a->in[1])[j] + (double)lt_ref_floats(&a->in[2])[j];
    ((float *)(uintptr_t)y.at)[i * y.step] = (float)v;
  }
}

LT_REF(layer_norm) {
  (void)self, (void)err;
  for (int64_t q = 0; q < a->in[0].shape[0]; q++) {
    double mean, var, rstd;
    line_moments(line_of(&a->in[0], q, 1), &mean, &var);
    rstd = 1 / sqrt(var + a->f[0]);
    lt_ref_floats(&a->out[1])[q] = (float)mean;
    lt_ref_floats(&a->out[2])[q] = (float)rstd;
    line_normalise(a, q, 1, mean, rstd);
  }
  return LEAT_OK;
}

static double blend(double momentum, float old, double now) { return (1 - momentum) * (double)old + momentum * now; }

LT_REF(batch_norm) {
  double m = (double)a->in[0].shape[0];
  (void)self, (void)err;
  for (int64_t q = 0; q < a->in[0].shape[1]; q++) {
    double mean, var, rstd;
    float *run_mean = &lt_ref_floats(&a->out[3])[q], *run_var = &lt_ref_floats(&a->out[4])[q];
    line_moments(line_of(&a->in[0], q, 0), &mean, &var);
    rstd = 1 / sqrt(var + a->f[0]);
    lt_ref_floats(&a->out[1])[q] = (float)mean;
    lt_ref_floats(&a->out[2])[q] = (float)rstd;
    line_normalise(a, q, 0, mean, rstd);
    *run_mean = (float)blend(a->f[1], *run_mean, mean);
    *run_var = (float)blend(a->f[1], *run_var, m > 1 ? var * m / (m - 1) : var);
  }
  return LEAT_OK;
}

LT_REF(batch_norm_apply) {
  (void)self, (void)err;
  for (int64_t q = 0; q < a->in[0].shape[1]; q++)
    line_normalise(a, q, 0, (double)lt_ref_floats(&a->in[3])[q],
                   1 / sqrt((double)lt_ref_floats(&a->in[4])[q] + a->f[0]));
  return LEAT_OK;
}

/* dgamma and dbeta are sums over the rows of both; made first, because dx may lie on d. */
static void parameter_grads(const lt_op_args *a, int by_rows) {
  const float *mean = a->in[3].data, *rstd = a->in[4].data;
  for (int64_t j = 0; j < a->in[0].shape[1]; j++) {
    double dgamma = 0, dbeta = 0;
    for (int64_t i = 0; i < a->in[0].shape[0]; i++) {
      int64_t q = by_rows ? i : j;
      double d = lt_ref_at(&a->in[0], i, j);
      dgamma += d * (lt_ref_at(&a->in[1], i, j) - (double)mean[q]) * (double)rstd[q];
      dbeta += d;
    }
    lt_ref_floats(&a->out[1])[j] = (float)dgamma;
    lt_ref_floats(&a->out[2])[j] = (float)dbeta;
  }
}

static void norm_grad(const lt_op_args *a, int by_rows) {
  parameter_grads(a, by_rows);
  for (int64_t q = 0; q < a->in[0].shape[by_rows ? 0 : 1]; q++) {
    ref_line d = line_of(&a->in[0], q, by_rows), x = line_of(&a->in[1], q, by_rows), dx = line_of(&a->out[0], q, by_rows);
    const float *gamma = lt_ref_floats(&a->in[2]);
    double mean = (double)lt_ref_floats(&a->in[3])[q], rstd = (double)lt_ref_floats(&a->in[4])[q], g_sum = 0, gh_sum = 0;
    double t = d.t ? (double)d.t : 1;
    for (int64_t i = 0; i < d.t; i++) {
      double g = line_get(d, i) * (double)gamma[by_rows ? i : q];
      g_sum += g;
      gh_sum += g * (line_get(x, i) - mean) * rstd;
    }
    for (int64_t i = 0; i < d.t; i++) {
      double g = line_get(d, i) * (double)gamma[by_rows ? i : q], h = (line_get(x, i) - mean) * rstd;
      ((float *)(uintptr_t)dx.at)[i * dx.step] = (float)(rstd * (g - g_sum / t - h * gh_sum / t));
    }
  }
}

LT_REF(layer_norm_grad) {
  (void)self, (void)err;
  norm_grad(a, 1);
  return LEAT_OK;
}

LT_REF(batch_norm_grad) {
  (void)self, (void)err;
  norm_grad(a, 0);
  return LEAT_OK;
}
