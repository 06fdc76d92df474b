/* Losses: f is the linear predictor (before the link), y the target; one table entry a loss. */
#ifndef LEAT_MODEL_LOSS_H
#define LEAT_MODEL_LOSS_H
#include <stdint.h>
typedef struct lt_loss {
  const char *name;  /* "squared", "logistic", "softmax" */
  /* n_out margins f[n_out] -> loss; g[n_out] = d loss / d f; h[n_out * n_out] = Hessian (row-major). g, h may be NULL.
   *   squared   (f - y)^2 / 2          logistic  log(1 + exp(-s f)), s = +-1 for y = 1, 0     softmax  logsumexp(f) - f[y] */
  double (*eval)(const double *f, int64_t n_out, double y, double *g, double *h);
  /* margins -> prediction, in place: identity, sigmoid, softmax */
  void (*link)(double *f, int64_t n_out);
} lt_loss;
const lt_loss *lt_loss_find(const char *name); /* NULL when unknown */
#endif
