/* Gradients that a device computes against finite differences of the forward rules, in double. */
#include <math.h>

#include "suite.h"

static const double step = 1e-5;

/* A number that is computed from the elements of a tensor, which may be moved one at a time. */
typedef double (*cf_function)(const cf_case *c, int64_t input, int64_t moved, double by);

static double moved_get(const cf_tensor *t, int64_t i, int64_t j, int64_t moved, double by) {
  return cf_get(t, i, j) + (moved == (t->rank > 1 ? i * t->shape[1] + j : j) ? by : 0);
}

/* Output o of the finished case must be the gradient of f in input `input`. */
static void compare(cf_case *c, int64_t o, cf_function f, int64_t input) {
  const cf_tensor *t = &c->out[o];
  for (int64_t k = 0; k < cf_count(t); k++) {
    double want = (f(c, input, k, step) - f(c, input, k, -step)) / (2 * step);
    double got = cf_value(t, t->after, cf_at(t, k));
    if (fabs(got - want) <= 2e-4 * (1 + fabs(want))) continue;
    cf_fail(c->s, "%s %s: output %lld, element %lld is %.9g; finite differences give %.9g", c->op, c->what, (long long)o,
            (long long)k, got, want);
    return;
  }
  cf_pass(c->s);
}

/* ---- map: sum of d f(x); the x itself is input 1 of a case whose op sees y for some f, kept as a third tensor */
static double map_total(const cf_case *c, int64_t input, int64_t moved, double by) {
  const cf_tensor *x = &c->in[input];
  int64_t i = moved / x->shape[1], j = moved % x->shape[1];
  return cf_get(&c->in[0], i, j) * cf_f(c->i[0], cf_get(x, i, j) + by); /* the other elements do not matter */
}

static void map_gradient(cf_suite *s, int64_t f) {
  cf_case c;
  cf_case_begin(&c, s, "map_grad");
  cf_input(&c, cf_matrix(s, 3, 9, 0));
  cf_tensor *given = cf_input(&c, cf_matrix(s, 3, 9, 0)), x = cf_matrix(s, 3, 9, 0);
  int of_y = f == 1 || f == 3 || f == 4 || f == 5 || f == 8;
  for (int64_t k = 0; k < 27; k++) {
    double v = cf_between(s, 0.1, 2) * (f == 8 || f == 6 || k % 2 ? 1 : -1);
    cf_put(&x, k, v);
    cf_put(given, k, of_y ? cf_f(f, cf_get(&x, k / 9, k % 9)) : v);
  }
  cf_output(&c, cf_matrix(s, 3, 9, 0));
  cf_integer(&c, f);
  cf_label(&c, "f %lld", (long long)f);
  if (cf_run_once(&c)) {
    c.in[2] = x;
    compare(&c, 0, map_total, 2);
  }
  cf_case_end(&c);
}

/* ---- softmax_xent and loss: scale times the sum of the losses */
static double xent_total(const cf_case *c, int64_t input, int64_t moved, double by) {
  const cf_tensor *x = &c->in[input];
  int64_t n = x->shape[1], i = moved / n, label = (int64_t)cf_get(&c->in[1], 0, i);
  double sum = 0;
  for (int64_t j = 0; j < n; j++) sum += exp(moved_get(x, i, j, moved, by));
  return c->f[0] * cf_get(&c->in[2], 0, i) * (log(sum) - moved_get(x, i, label, moved, by));
}

static void xent_gradient(cf_suite *s) {
  cf_case c;
  cf_case_begin(&c, s, "softmax_xent");
  cf_uniform(s, cf_input(&c, cf_matrix(s, 7, 11, 0)), -3, 3);
  cf_input(&c, cf_ints(s, 7, 0, 1, 0, 11));
  c.in[1].shape[0] = 7;
  cf_input(&c, cf_vector(s, 7));
  cf_output(&c, cf_vector(s, 7));
  cf_output(&c, cf_matrix(s, 7, 11, 0));
  cf_double(&c, 1.5);
  cf_label(&c, "7 x 11");
  if (cf_run_once(&c)) compare(&c, 1, xent_total, 0);
  cf_case_end(&c);
}

static double loss_total(const cf_case *c, int64_t input, int64_t moved, double by) {
  double f = cf_get(&c->in[input], 0, moved) + by, y = cf_get(&c->in[1], 0, moved), shape = c->f[1], l;
  double d = f - y, s = 2 * y - 1, q = y - f;
  switch (c->i[0]) {
  case 0: l = d * d / 2; break;
  case 1: l = log(1 + exp(f)) - y * f; break;
  case 2: l = fabs(d) <= shape ? d * d / 2 : shape * (fabs(d) - shape / 2); break;
  case 3: l = fmax(shape * q, (shape - 1) * q); break;
  case 4: l = exp(f) - y * f; break;
  case 5: l = fmax(0, 1 - s * f); break;
  default: l = pow(fmax(0, 1 - s * f), 2);
  }
  return c->f[0] * cf_get(&c->in[2], 0, moved) * l;
}

static void loss_gradient(cf_suite *s, int64_t which) {
  cf_case c;
  cf_case_begin(&c, s, "loss");
  cf_tensor *f = cf_input(&c, cf_vector(s, 33)), *y = cf_input(&c, cf_vector(s, 33));
  for (int64_t k = 0; k < 33; k++) { /* never nearer to a corner than the step */
    cf_put(f, k, (double)(k - 16) * 0.17 + 0.013);
    cf_put(y, k, which == 1 || which > 4 ? (double)(k % 2) : which == 4 ? (double)(k % 5) : cf_between(s, -1, 1));
    if (which == 3 && fabs(cf_get(f, 0, k) - cf_get(y, 0, k)) < 0.01) cf_put(y, k, 3);
    if (which == 2 && fabs(fabs(cf_get(f, 0, k) - cf_get(y, 0, k)) - 0.7) < 0.01) cf_put(y, k, 3);
  }
  cf_input(&c, cf_vector(s, 33));
  cf_output(&c, cf_vector(s, 33)), cf_output(&c, cf_vector(s, 33));
  cf_double(&c, 0.5), cf_double(&c, 0.7), cf_double(&c, 0);
  cf_integer(&c, which);
  cf_label(&c, "which %lld", (long long)which);
  if (cf_run_once(&c)) compare(&c, 1, loss_total, 0);
  cf_case_end(&c);
}

/* ---- norms: the sum of d y over the line of the moved element; inputs as of the gradient op, beta is 0 */
static double line_total(const cf_case *c, int by_rows, int64_t line, int64_t input, int64_t moved, double by) {
  const cf_tensor *x = &c->in[1];
  int64_t t = x->shape[by_rows ? 1 : 0];
  double mean = 0, var = 0, total = 0;
  for (int64_t i = 0; i < t; i++)
    mean += moved_get(x, by_rows ? line : i, by_rows ? i : line, input == 1 ? moved : -1, by) / (double)t;
  for (int64_t i = 0; i < t; i++)
    var += pow(moved_get(x, by_rows ? line : i, by_rows ? i : line, input == 1 ? moved : -1, by) - mean, 2) / (double)t;
  for (int64_t i = 0; i < t; i++) {
    int64_t row = by_rows ? line : i, col = by_rows ? i : line;
    double v = moved_get(x, row, col, input == 1 ? moved : -1, by);
    double y = (v - mean) / sqrt(var + 1e-5) * moved_get(&c->in[2], 0, col, input == 2 ? moved : -1, by);
    if (input == 3 && col == moved) y += by; /* beta */
    total += cf_get(&c->in[0], row, col) * y;
  }
  return total;
}

static double norm_total(const cf_case *c, int64_t input, int64_t moved, double by) {
  int by_rows = c->op[0] == 'l';
  const cf_tensor *x = &c->in[1];
  double total = 0;
  if (input == 1) return line_total(c, by_rows, by_rows ? moved / x->shape[1] : moved % x->shape[1], 1, moved, by);
  for (int64_t q = 0; q < x->shape[by_rows ? 0 : 1]; q++) total += line_total(c, by_rows, q, input, moved, by);
  return total;
}

static void norm_gradient(cf_suite *s, int by_rows) {
  cf_case c;
  int64_t m = 9, n = 13, lines = by_rows ? m : n, t = by_rows ? n : m;
  cf_case_begin(&c, s, by_rows ? "layer_norm_grad" : "batch_norm_grad");
  cf_input(&c, cf_matrix(s, m, n, 0));
  cf_tensor *x = cf_input(&c, cf_matrix(s, m, n, 0));
  cf_input(&c, cf_vector(s, n));
  cf_tensor *mean = cf_input(&c, cf_vector(s, lines)), *rstd = cf_input(&c, cf_vector(s, lines));
  for (int64_t q = 0; q < lines; q++) {
    double mu = 0, var = 0;
    for (int64_t i = 0; i < t; i++) mu += cf_get(x, by_rows ? q : i, by_rows ? i : q) / (double)t;
    for (int64_t i = 0; i < t; i++) var += pow(cf_get(x, by_rows ? q : i, by_rows ? i : q) - mu, 2) / (double)t;
    cf_put(mean, q, mu), cf_put(rstd, q, 1 / sqrt(var + 1e-5));
  }
  cf_output(&c, cf_matrix(s, m, n, 0)), cf_output(&c, cf_vector(s, n)), cf_output(&c, cf_vector(s, n));
  cf_label(&c, "9 x 13");
  if (cf_run_once(&c))
    for (int64_t o = 0; o < 3; o++) compare(&c, o, norm_total, o + 1);
  cf_case_end(&c);
}

void cf_gradients(cf_suite *s) {
  if (!cf_begin(s, "gradients")) return;
  for (int64_t f = 1; f < 10 && !s->broken; f++) map_gradient(s, f);
  if (!s->broken) xent_gradient(s);
  for (int64_t which = 0; which < 7 && !s->broken; which++) loss_gradient(s, which);
  for (int by_rows = 0; by_rows < 2 && !s->broken; by_rows++) norm_gradient(s, by_rows);
  s->offers = 0;
  cf_end(s);
}
