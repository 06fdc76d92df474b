/* Softmax and losses of the reference. */
#include "device/reference.h"

#include <math.h>

static double row_max(const lt_view *x, int64_t i) {
  double max = -(double)INFINITY;
  for (int64_t j = 0; j < x->shape[1]; j++)
    if (!(lt_ref_at(x, i, j) <= max)) max = lt_ref_at(x, i, j);
  return max;
}

static double row_sum(const lt_view *x, int64_t i, double max) {
  double sum = 0;
  for (int64_t j = 0; j < x->shape[1]; j++) sum += exp(lt_ref_at(x, i, j) - max);
  return sum;
}

LT_REF(softmax) {
  (void)self, (void)err;
  for (int64_t i = 0; i < a->out[0].shape[0]; i++) {
    double max = row_max(&a->in[0], i), sum = row_sum(&a->in[0], i, max);
    for (int64_t j = 0; j < a->out[0].shape[1]; j++)
      lt_ref_row(&a->out[0], i)[j] = (float)(exp(lt_ref_at(&a->in[0], i, j) - max) / sum);
  }
  return LEAT_OK;
}

LT_REF(softmax_xent) {
  const lt_view *x = &a->in[0];
  const int32_t *label = a->in[1].data;
  int64_t n = x->shape[1];
  (void)self, (void)err;
  for (int64_t i = 0; i < x->shape[0]; i++) {
    int counts = label[i] >= 0 && label[i] < n;
    double w = a->n_in > 2 ? (double)lt_ref_floats(&a->in[2])[i] : 1, max = 0, sum = 1;
    if (counts) {
      max = row_max(x, i), sum = row_sum(x, i, max);
      lt_ref_floats(&a->out[0])[i] = (float)(w * (log(sum) + max - lt_ref_at(x, i, label[i])));
    } else {
      lt_ref_floats(&a->out[0])[i] = 0;
    }
    for (int64_t j = 0; j < n && a->n_out > 1; j++) {
      double d = counts ? exp(lt_ref_at(x, i, j) - max) / sum - (j == label[i]) : 0;
      lt_ref_row(&a->out[1], i)[j] = counts ? (float)(a->f[0] * w * d) : 0;
    }
  }
  return LEAT_OK;
}

/* l(f, y), and its slope in f. */
static double loss_value(int64_t which, double f, double y, double shape, double *slope) {
  double d = f - y, s = 2 * y - 1, t;
  switch (which) {
  case LT_LOSS_LOGISTIC: /* log(1 + exp(f)) - y f, where neither overflows nor cancels */
    *slope = f < 0 ? exp(f) / (1 + exp(f)) - y : (1 - y) - exp(-f) / (1 + exp(-f));
    return (f > 0 ? f - y * f : -y * f) + log1p(exp(-fabs(f)));
  case LT_LOSS_HUBER:
    *slope = d > shape ? shape : d < -shape ? -shape : d;
    return fabs(d) > shape ? shape * (fabs(d) - shape / 2) : d * d / 2;
  case LT_LOSS_QUANTILE:
    *slope = d < 0 ? -shape : d > 0 ? 1 - shape : d;
    return d < 0 ? -shape * d : (1 - shape) * d;
  case LT_LOSS_POISSON:
    *slope = exp(f) - y;
    return exp(f) - y * f - y + (y == 0 ? 0 : y * log(y));
  case LT_LOSS_HINGE:
    t = 1 - s * f;
    *slope = t > 0 ? -s : t <= 0 ? 0 : t;
    return t <= 0 ? 0 : t;
  case LT_LOSS_SQUARED_HINGE:
    t = 1 - s * f;
    *slope = t <= 0 ? 0 : -2 * s * t;
    return t <= 0 ? 0 : t * t;
  default:
    *slope = d;
    return d * d / 2;
  }
}

LT_REF(loss) {
  const float *f = a->in[0].data, *y = a->in[1].data, *w = a->n_in > 2 ? a->in[2].data : NULL;
  (void)self, (void)err;
  for (int64_t i = 0; i < a->in[0].shape[0]; i++) {
    double slope, weight = w ? (double)w[i] : 1, l = loss_value(a->i[0], (double)f[i], (double)y[i], a->f[1], &slope);
    lt_ref_floats(&a->out[0])[i] = (float)(weight * l);
    if (a->n_out > 1) lt_ref_floats(&a->out[1])[i] = (float)(a->f[0] * weight * slope);
  }
  return LEAT_OK;
}
