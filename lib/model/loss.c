/* Losses of the generalised linear models: value, gradient, Hessian, link. */
#include "model/loss.h"
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

static double squared_eval(const double *f, int64_t n_out, double y, const lt_loss_args *args, double *g, double *h) {
  (void)args;
  double loss = 0.0;
  for (int64_t i = 0; i < n_out; i++) {
    double d = f[i] - y;
    loss += 0.5 * d * d;
    if (g) g[i] = d;
  }
  if (h)
    for (int64_t i = 0; i < n_out * n_out; i++) h[i] = i % (n_out + 1) == 0 ? 1.0 : 0.0;
  return loss;
}

static void identity_link(double *f, int64_t n_out) {
  (void)f;
  (void)n_out;
}

/* 1 / (1 + exp(-z)) without overflow: the exponential of a number that is never positive. */
static double loss_sigmoid(double z) {
  double e = exp(-fabs(z));
  return z >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
}

static double logistic_eval(const double *f, int64_t n_out, double y, const lt_loss_args *args, double *g, double *h) {
  (void)args;
  (void)n_out;
  double z = f[0], m = y > 0.5 ? z : -z;
  /* log(1 + exp(-m)) = max(0, -m) + log1p(exp(-|m|)) */
  double loss = (m < 0.0 ? -m : 0.0) + log1p(exp(-fabs(m)));
  if (g || h) {
    double wrong = loss_sigmoid(-m); /* the probability given to the other class: keeps its digits when it is small */
    if (g) g[0] = y > 0.5 ? -wrong : wrong;
    if (h) h[0] = wrong * loss_sigmoid(m);
  }
  return loss;
}

static void logistic_link(double *f, int64_t n_out) {
  for (int64_t i = 0; i < n_out; i++) f[i] = loss_sigmoid(f[i]);
}

static double softmax_eval(const double *f, int64_t n_out, double y, const lt_loss_args *args, double *g, double *h) {
  (void)args;
  int64_t k = (int64_t)y;
  double top = f[0], sum = 0.0;
  for (int64_t i = 1; i < n_out; i++)
    if (f[i] > top) top = f[i];
  for (int64_t i = 0; i < n_out; i++) sum += exp(f[i] - top);
  double loss = top - f[k] + log(sum);
  if (g)
    for (int64_t i = 0; i < n_out; i++) g[i] = exp(f[i] - top) / sum - (i == k ? 1.0 : 0.0);
  if (h)
    for (int64_t i = 0; i < n_out; i++) {
      double p = exp(f[i] - top) / sum;
      for (int64_t j = 0; j < n_out; j++) {
        double q = exp(f[j] - top) / sum;
        h[i * n_out + j] = i == j ? p * (1.0 - p) : -p * q;
      }
    }
  return loss;
}

static void softmax_link(double *f, int64_t n_out) {
  double top = f[0], sum = 0.0;
  for (int64_t i = 1; i < n_out; i++)
    if (f[i] > top) top = f[i];
  for (int64_t i = 0; i < n_out; i++) {
    f[i] = exp(f[i] - top);
    sum += f[i];
  }
  for (int64_t i = 0; i < n_out; i++) f[i] /= sum;
}

static double huber_eval(const double *f, int64_t n_out, double y, const lt_loss_args *args, double *g, double *h) {
  (void)n_out;
  double d = f[0] - y, delta = args->shape;
  int inside = fabs(d) <= delta;
  if (g) g[0] = inside ? d : d > 0.0 ? delta : -delta;
  if (h) h[0] = inside ? 1.0 : 0.0;
  return inside ? 0.5 * d * d : delta * (fabs(d) - 0.5 * delta);
}

/* y log y - y belongs to the deviance: with it the loss is 0 for a perfect answer. */
static double poisson_eval(const double *f, int64_t n_out, double y, const lt_loss_args *args, double *g, double *h) {
  (void)n_out;
  (void)args;
  double mean = exp(f[0]);
  if (g) g[0] = mean - y;
  if (h) h[0] = mean;
  return mean - y * f[0] + (y > 0.0 ? y * log(y) - y : 0.0);
}

static void exponential_link(double *f, int64_t n_out) {
  for (int64_t i = 0; i < n_out; i++) f[i] = fmin(exp(f[i]), DBL_MAX);
}

/* max(q r, (q - 1) r), and within +-width the parabola that meets both arms with their slopes. *s: slope, *c: curvature. */
static double pinball(double r, double q, double width, double *s, double *c) {
  if (fabs(r) < width) {
    *s = q - 0.5 + 0.5 * r / width;
    *c = 0.5 / width;
    return 0.25 * (r * r / width + width) + (q - 0.5) * r;
  }
  *s = r > 0.0 ? q : q - 1.0;
  *c = 0.0;
  return *s * r;
}

/* The conjugate of pinball is 0 wherever it is finite, so the gap of the dual variable s is pinball(r) - s r. */
static double pinball_gap(double r, double q, double width) {
  double s, c;
  if (!(fabs(r) < width)) return 0.0;
  (void)pinball(r, q, width, &s, &c);
  return (r > 0.0 ? q * r : (q - 1.0) * r) - s * r;
}

static double quantile_eval(const double *f, int64_t n_out, double y, const lt_loss_args *args, double *g, double *h) {
  double s, c, v = pinball(y - f[0], args->shape, args->width, &s, &c);
  (void)n_out;
  if (g) g[0] = -s;
  if (h) h[0] = c;
  return v;
}

static double quantile_gap(double f, double y, const lt_loss_args *args) {
  return pinball_gap(y - f, args->shape, args->width);
}

/* max(0, t) is the pinball of the quantile 1. */
static double hinge_eval(const double *f, int64_t n_out, double y, const lt_loss_args *args, double *g, double *h) {
  double sign = y > 0.5 ? 1.0 : -1.0, s, c, v = pinball(1.0 - sign * f[0], 1.0, args->width, &s, &c);
  (void)n_out;
  if (g) g[0] = -sign * s;
  if (h) h[0] = c;
  return v;
}

static double hinge_gap(double f, double y, const lt_loss_args *args) {
  return pinball_gap(1.0 - (y > 0.5 ? f : -f), 1.0, args->width);
}

static double squared_hinge_eval(const double *f, int64_t n_out, double y, const lt_loss_args *args, double *g, double *h) {
  double sign = y > 0.5 ? 1.0 : -1.0, t = 1.0 - sign * f[0];
  (void)n_out;
  (void)args;
  if (!(t > 0.0)) t = 0.0;
  if (g) g[0] = -2.0 * sign * t;
  if (h) h[0] = t > 0.0 ? 2.0 : 0.0;
  return t * t;
}

static const lt_loss lt_losses[] = {
    {"squared", LT_TARGET_NUMBER, LT_LOSS_IDENTITY, squared_eval, identity_link, NULL},
    {"logistic", LT_TARGET_TWO, LT_LOSS_KERNEL, logistic_eval, logistic_link, NULL},
    {"softmax", LT_TARGET_MANY, LT_LOSS_KERNEL, softmax_eval, softmax_link, NULL},
    {"huber", LT_TARGET_NUMBER, LT_LOSS_IDENTITY, huber_eval, identity_link, NULL},
    {"poisson", LT_TARGET_NUMBER, 0, poisson_eval, exponential_link, NULL},
    {"quantile", LT_TARGET_NUMBER, LT_LOSS_IDENTITY | LT_LOSS_SMOOTHED, quantile_eval, identity_link, quantile_gap},
    {"hinge", LT_TARGET_TWO, LT_LOSS_MARGIN | LT_LOSS_SMOOTHED, hinge_eval, logistic_link, hinge_gap},
    {"squared_hinge", LT_TARGET_TWO, LT_LOSS_MARGIN, squared_hinge_eval, logistic_link, NULL},
};

const lt_loss *lt_loss_find(const char *name) {
  for (size_t i = 0; i < sizeof lt_losses / sizeof lt_losses[0]; i++)
    if (name && strcmp(lt_losses[i].name, name) == 0) return &lt_losses[i];
  return NULL;
}
