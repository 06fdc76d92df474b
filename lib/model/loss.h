/* Losses: f is the linear predictor (before the link), y the target; one table entry a loss. */
#ifndef LEAT_MODEL_LOSS_H
#define LEAT_MODEL_LOSS_H
#include <stdint.h>
enum { LT_TARGET_NUMBER = 0, LT_TARGET_TWO = 2, LT_TARGET_MANY = 3 };
enum {
  LT_LOSS_IDENTITY = 1, /* the prediction is the margin itself */
  LT_LOSS_SMOOTHED = 2, /* has a corner: minimised through ever narrower smoothings (args.width) */
  LT_LOSS_MARGIN = 4,   /* the margin says nothing of probability: a model needs a calibration */
  LT_LOSS_KERNEL = 8    /* has float kernels of its own (lt_vec) */
};
typedef struct lt_loss_args {
  double shape; /* huber: delta, in units of the target; quantile: which one, in (0, 1) */
  double width; /* LT_LOSS_SMOOTHED: half the width of the stretch around the corner that is a parabola; 0: the loss itself */
} lt_loss_args;
typedef struct lt_loss {
  const char *name;  /* "squared", "logistic", ... */
  int32_t target;    /* LT_TARGET_* */
  uint32_t flags;
  /* n_out margins f[n_out] -> loss; g[n_out] = d loss / d f; h[n_out * n_out] = Hessian (row-major). g, h may be NULL;
   * args is read by huber, quantile and hinge alone.
   *   squared   (f - y)^2 / 2          logistic  log(1 + exp(-s f)), s = +-1 for y = 1, 0     softmax  logsumexp(f) - f[y]
   *   huber     d^2 / 2 up to |d| = delta, then delta (|d| - delta / 2), with d = f - y
   *   poisson   exp(f) - y f - y + y log y: half the deviance
   *   quantile  max(q r, (q - 1) r) with r = y - f       hinge  max(0, 1 - s f)       squared_hinge  its square */
  double (*eval)(const double *f, int64_t n_out, double y, const lt_loss_args *args, double *g, double *h);
  /* margins -> prediction, in place: identity, sigmoid, softmax, exponential. LT_LOSS_MARGIN: sigmoid, for want
   * of a calibration. */
  void (*link)(double *f, int64_t n_out);
  /* LT_LOSS_SMOOTHED, else NULL: how far the row's part of the duality gap is from 0 when the smoothed loss's derivative
   * is taken as its dual variable. Where the smoothed objective's gradient is 0, the weighted sum of these bounds how much
   * the objective itself is above its least value. */
  double (*gap)(double f, double y, const lt_loss_args *args);
} lt_loss;
const lt_loss *lt_loss_find(const char *name); /* NULL when unknown */
#endif
