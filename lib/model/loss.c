/* Losses of the generalised linear models: value, gradient, Hessian, link. */
#include "model/loss.h"
#include <math.h>
#include <stddef.h>
#include <string.h>

static double squared_eval(const double *f, int64_t n_out, double y, double *g, double *h) {
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

static double logistic_eval(const double *f, int64_t n_out, double y, double *g, double *h) {
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

static double softmax_eval(const double *f, int64_t n_out, double y, double *g, double *h) {
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

static const lt_loss lt_losses[] = {
    {"squared", squared_eval, identity_link},
    {"logistic", logistic_eval, logistic_link},
    {"softmax", softmax_eval, softmax_link},
};

const lt_loss *lt_loss_find(const char *name) {
  for (size_t i = 0; i < sizeof lt_losses / sizeof lt_losses[0]; i++)
    if (name && strcmp(lt_losses[i].name, name) == 0) return &lt_losses[i];
  return NULL;
}
