/* softmax, softmax_xent, loss. */
#include <math.h>

#include "suite.h"

static const int64_t sizes[][2] = {{1, 1}, {1, 3}, {3, 7}, {17, 64}, {7, 65}, {129, 10}, {3, 1000}, {0, 5}, {5, 0},
                                   {65, 2}};

/* Log of the sum of exponentials of row i, and its largest element. */
static double log_sum(const cf_tensor *x, int64_t i, double *max) {
  double sum = 0;
  *max = -(double)INFINITY;
  for (int64_t j = 0; j < x->shape[1]; j++) *max = fmax(*max, cf_get(x, i, j));
  for (int64_t j = 0; j < x->shape[1]; j++) sum += exp(cf_get(x, i, j) - *max);
  return *max + log(sum);
}

/* Rows of usual, large and far apart numbers. */
static void logits(cf_suite *s, cf_tensor *x) {
  int64_t n = x->shape[1];
  for (int64_t i = 0; i < x->shape[0]; i++) {
    double scale = i % 4 == 1 ? 80 : i % 4 == 2 ? 1e4 : 3;
    for (int64_t j = 0; j < n; j++) cf_put(x, i * n + j, cf_between(s, -scale, scale));
    if (i % 4 == 3 && n > 1) cf_put(x, i * n, -(double)INFINITY);
  }
}

static void softmax_case(cf_suite *s, int64_t m, int64_t n, int padded, int place) {
  cf_case c;
  double max;
  if (s->broken) return;
  cf_case_begin(&c, s, "softmax");
  cf_tensor *x = cf_input(&c, cf_matrix(s, m, n, padded));
  logits(s, x);
  if (place) cf_in_place(&c, 0);
  else cf_output(&c, cf_matrix(s, m, n, !padded));
  cf_label(&c, "%lld x %lld%s%s", (long long)m, (long long)n, padded ? ", padded" : "", place ? ", in place" : "");
  cf_expect(&c);
  for (int64_t k = 0; k < m * n && !s->broken; k++)
    cf_want(&c, 0, k, exp(cf_get(x, k / n, k % n) - log_sum(x, k / n, &max)), ((double)n + 16) * CF_E);
  cf_check(&c);
}

typedef struct xent_kind { int64_t m, n; int weights, grad, place, padded; } xent_kind;

static void xent_expect(cf_case *c) {
  const cf_tensor *x = &c->in[0];
  int64_t n = x->shape[1];
  cf_expect(c);
  for (int64_t i = 0; i < x->shape[0] && !c->s->broken; i++) {
    double max, all = log_sum(x, i, &max), w = c->n_in > 2 ? cf_get(&c->in[2], 0, i) : 1, largest = 0;
    int64_t label = (int64_t)cf_get(&c->in[1], 0, i);
    int counts = label >= 0 && label < n;
    double loss = counts ? w * (all - cf_get(x, i, label)) : 0;
    for (int64_t j = 0; j < n; j++)
      if (!isinf(cf_get(x, i, j))) largest = fmax(largest, fabs(cf_get(x, i, j)));
    cf_want(c, 0, i, loss, counts ? ((double)n + 16) * CF_E * fabs(w) * (1 + largest + fabs(loss)) : 0);
    for (int64_t j = 0; j < n && c->n_out > 1; j++) {
      double p = counts ? exp(cf_get(x, i, j) - all) - (j == label) : 0;
      cf_want(c, 1, i * n + j, c->f[0] * w * p, counts ? ((double)n + 16) * CF_E * fabs(c->f[0] * w) : 0);
    }
  }
}

static void xent_case(cf_suite *s, xent_kind g) {
  cf_case c;
  if (s->broken) return;
  cf_case_begin(&c, s, "softmax_xent");
  cf_tensor *x = cf_input(&c, cf_matrix(s, g.m, g.n, g.padded));
  logits(s, x);
  cf_tensor *y = cf_input(&c, cf_ints(s, g.m, 0, 1, 0, g.n ? g.n : 1));
  for (int64_t i = 0; i < g.m; i++) {
    if (i % 4 == 3 && g.n > 1) cf_put(y, i, 1);          /* column 0 is -inf there */
    if (i % 9 == 8) cf_put(y, i, i % 2 ? -1 : (double)g.n); /* no label */
  }
  if (g.weights) cf_input(&c, cf_vector(s, g.m));
  cf_output(&c, cf_vector(s, g.m));
  if (g.grad && g.place) cf_in_place(&c, 0);
  else if (g.grad) cf_output(&c, cf_matrix(s, g.m, g.n, !g.padded));
  cf_double(&c, 0.125);
  cf_label(&c, "%lld x %lld%s%s%s", (long long)g.m, (long long)g.n, g.weights ? ", weights" : "",
           g.grad ? g.place ? ", gradient in place" : ", gradient" : "", g.padded ? ", padded" : "");
  xent_expect(&c);
  cf_check(&c);
}

/* ---- loss */
static double loss_of(int64_t which, double f, double y, double shape, double *slope) {
  double d = f - y, s = 2 * y - 1, t = 1 - s * f;
  switch (which) {
  case 0: *slope = d; return d * d / 2;
  case 1:
    *slope = f >= 0 ? 1 / (1 + exp(-f)) - y : exp(f) / (1 + exp(f)) - y;
    if (y == 1) return f > 0 ? log1p(exp(-f)) : log1p(exp(f)) - f;
    return (f > 0 ? f + log1p(exp(-f)) : log1p(exp(f))) - y * f;
  case 2: *slope = fmin(fmax(d, -shape), shape); return fabs(d) <= shape ? d * d / 2 : shape * (fabs(d) - shape / 2);
  case 3: *slope = y > f ? -shape : y < f ? 1 - shape : 0; return fmax(shape * (y - f), (shape - 1) * (y - f));
  case 4: *slope = exp(f) - y; return exp(f) - y * f - y + (y > 0 ? y * log(y) : 0);
  case 5: *slope = t > 0 ? -s : 0; return fmax(0, t);
  default: *slope = t > 0 ? -2 * s * t : 0; return t > 0 ? t * t : 0;
  }
}

static void loss_case(cf_suite *s, int64_t which, int64_t m, int weights, int grad) {
  cf_case c;
  if (s->broken) return;
  cf_case_begin(&c, s, "loss");
  cf_tensor *f = cf_input(&c, cf_vector(s, m)), *y = cf_input(&c, cf_vector(s, m));
  cf_uniform(s, f, -5, 5);
  for (int64_t i = 0; i < m; i++) {
    if (which == 1 || which > 4) cf_put(y, i, which == 1 && i % 5 == 4 ? cf_unit(s) : (double)cf_below(s, 2));
    if (which == 4) cf_put(y, i, (double)cf_below(s, 6));
    if ((which == 0 || which == 2 || which == 3) && i % 6 == 5) cf_put(y, i, cf_get(f, 0, i)); /* exactly right */
    if (which == 1 && i % 7 == 6) cf_put(f, i, i % 2 ? -200 : 200);
  }
  if (weights) cf_input(&c, cf_vector(s, m));
  cf_output(&c, cf_vector(s, m));
  if (grad) cf_output(&c, cf_vector(s, m));
  double shape = which == 2 ? 1.5 : which == 3 ? 0.8 : 0;
  cf_double(&c, 0.25), cf_double(&c, shape), cf_double(&c, 0);
  cf_integer(&c, which);
  cf_label(&c, "which %lld, %lld rows%s%s", (long long)which, (long long)m, weights ? ", weights" : "",
           grad ? ", gradient" : "");
  cf_expect(&c);
  for (int64_t i = 0; i < m && !s->broken; i++) {
    double at = cf_get(f, 0, i), to = cf_get(y, 0, i), w = weights ? cf_get(&c.in[2], 0, i) : 1, slope;
    double l = loss_of(which, at, to, (double)(float)shape, &slope), extra = which == 4 ? 1 + exp(at) : 1;
    cf_want(&c, 0, i, w * l, 32 * CF_E * fabs(w) * (1 + fabs(l) + fabs(at) + fabs(to)) * extra);
    if (grad) cf_want(&c, 1, i, 0.25 * w * slope, 32 * CF_E * fabs(0.25 * w) * (1 + fabs(slope)) * extra);
  }
  cf_check(&c);
}

void cf_loss_ops(cf_suite *s) {
  static const int64_t rows[] = {1, 3, 17, 65, 129, 1000, 0};
  if (cf_begin(s, "softmax")) {
    for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
      for (int v = 0; v < 2; v++) softmax_case(s, sizes[z][0], sizes[z][1], (int)(z + (size_t)v) % 2, v);
    cf_end(s);
  }
  if (cf_begin(s, "softmax_xent")) {
    for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
      for (int v = 0; v < 4; v++)
        xent_case(s, (xent_kind){sizes[z][0], sizes[z][1], v % 2, v > 0, v == 3, (int)(z + (size_t)v) % 2});
    cf_end(s);
  }
  if (cf_begin(s, "loss")) {
    for (int64_t which = 0; which < 7; which++)
      for (size_t z = 0; z < sizeof rows / sizeof *rows; z++)
        for (int v = 0; v < 2; v++) loss_case(s, which, rows[z], (int)(z + (size_t)v) % 2, v);
    cf_end(s);
  }
}
