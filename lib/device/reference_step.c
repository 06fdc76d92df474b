/* Optimiser steps of the reference: SGD with momentum (Sutskever et al. 2013), Adam (Kingma and Ba 2015) and AdamW
 * (Loshchilov and Hutter 2019). */
#include "device/reference.h"

#include <math.h>

/* scale times the clipping factor. */
static double step_factor(const lt_op_args *a, double scale, double clip) {
  if (a->n_in < 2 || !(clip > 0)) return scale;
  double c = clip / (scale * sqrt((double)*lt_ref_floats(&a->in[1])));
  return c < 1 ? scale * c : scale;
}

LT_REF(sgd) {
  double rate = a->f[0], momentum = a->f[1], decay = a->f[2], factor = step_factor(a, a->f[3], a->f[4]);
  (void)self, (void)err;
  for (int64_t i = 0; i < a->in[0].shape[0]; i++)
    for (int64_t j = 0; j < a->in[0].shape[1]; j++) {
      float *w = &lt_ref_row(&a->out[0], i)[j];
      double g = factor * lt_ref_at(&a->in[0], i, j) + decay * (double)*w, step = g;
      if (a->n_out > 1) {
        float *v = &lt_ref_row(&a->out[1], i)[j];
        double speed = momentum * (double)*v + g;
        step = a->i[0] ? g + momentum * speed : speed;
        *v = (float)speed;
      }
      *w = (float)((double)*w - rate * step);
    }
  return LEAT_OK;
}

LT_REF(adam) {
  double rate = a->f[0], beta1 = a->f[1], beta2 = a->f[2], eps = a->f[3], decay = a->f[4];
  double factor = step_factor(a, a->f[5], a->f[6]), bias1 = a->f[7], bias2 = a->f[8];
  int64_t decoupled = a->i[0];
  (void)self, (void)err;
  for (int64_t i = 0; i < a->in[0].shape[0]; i++)
    for (int64_t j = 0; j < a->in[0].shape[1]; j++) {
      float *w = &lt_ref_row(&a->out[0], i)[j], *u = &lt_ref_row(&a->out[1], i)[j], *v = &lt_ref_row(&a->out[2], i)[j];
      double g = factor * lt_ref_at(&a->in[0], i, j) + (decoupled ? 0 : decay * (double)*w);
      double first = beta1 * (double)*u + (1 - beta1) * g, second = beta2 * (double)*v + (1 - beta2) * g * g;
      double step = first / bias1 / (sqrt(second / bias2) + eps) + (decoupled ? decay * (double)*w : 0);
      *u = (float)first;
      *v = (float)second;
      *w = (float)((double)*w - rate * step);
    }
  return LEAT_OK;
}
