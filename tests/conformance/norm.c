/* layer_norm, batch_norm, their gradients, batch_norm_apply. */
#include <math.h>

#include "suite.h"

static const int64_t sizes[][2] = {{1, 1}, {2, 3}, {3, 7}, {17, 64}, {64, 17}, {7, 65}, {129, 33}, {300, 5},
                                   {5, 300}, {0, 5}};

/* Mean, variance and largest magnitude of row q (or column q) of x. */
typedef struct moments { double mean, var, largest, t; } moments;

static moments measure(const cf_tensor *x, int64_t q, int by_rows) {
  int64_t t = x->shape[by_rows ? 1 : 0];
  moments r = {0, 0, 0, (double)t};
  for (int64_t i = 0; i < t; i++) {
    double v = by_rows ? cf_get(x, q, i) : cf_get(x, i, q);
    r.mean += v / (double)t;
    r.largest = fmax(r.largest, fabs(v));
  }
  for (int64_t i = 0; i < t; i++) {
    double v = (by_rows ? cf_get(x, q, i) : cf_get(x, i, q)) - r.mean;
    r.var += v * v / (double)t;
  }
  return r;
}

/* Numbers around a mean of their own for each column; some columns far from 0, some constant. */
static void spread_out(cf_suite *s, cf_tensor *x) {
  int64_t n = x->shape[1];
  for (int64_t k = 0; k < cf_count(x); k++) {
    int64_t j = k % n;
    cf_put(x, k, j % 5 == 4 ? 0.5 : (double)(j % 3) * 3 + cf_between(s, -1, 1) * (j % 4 == 3 ? 20 : 1));
  }
}

static void norm_case(cf_suite *s, int by_rows, int64_t m, int64_t n, int padded) {
  cf_case c;
  double eps = 1e-5, momentum = 0.1;
  int64_t lines = by_rows ? m : n;
  if (s->broken) return;
  cf_case_begin(&c, s, by_rows ? "layer_norm" : "batch_norm");
  cf_tensor *x = cf_input(&c, cf_matrix(s, m, n, padded)), *gamma = cf_input(&c, cf_vector(s, n));
  cf_tensor *beta = cf_input(&c, cf_vector(s, n));
  spread_out(s, x);
  cf_output(&c, cf_matrix(s, m, n, !padded));
  cf_output(&c, cf_vector(s, lines)), cf_output(&c, cf_vector(s, lines));
  for (int i = 0; i < 2 && !by_rows; i++) cf_output(&c, cf_vector(s, n)); /* the running ones are read */
  cf_double(&c, eps);
  if (!by_rows) cf_double(&c, momentum);
  cf_label(&c, "%lld x %lld%s", (long long)m, (long long)n, padded ? ", padded" : "");
  cf_expect(&c);
  for (int64_t q = 0; q < lines && !s->broken; q++) {
    moments k = measure(x, q, by_rows);
    double rstd = 1 / sqrt(k.var + eps), unit = (k.t + 32) * CF_E, steep = 1 + k.largest * rstd;
    cf_want(&c, 1, q, k.mean, unit * (k.largest + 1e-30));
    cf_want(&c, 2, q, rstd, unit * rstd * steep);
    for (int64_t i = 0; i < (by_rows ? n : m); i++) {
      int64_t col = by_rows ? i : q;
      double g = cf_get(gamma, 0, col), b = cf_get(beta, 0, col), v = by_rows ? cf_get(x, q, i) : cf_get(x, i, q);
      cf_want(&c, 0, by_rows ? q * n + i : i * n + q, (v - k.mean) * rstd * g + b, unit * (1 + fabs(g) * steep + fabs(b)));
    }
    if (by_rows) continue;
    double old_mean = cf_get(&c.out[3], 0, q), old_var = cf_get(&c.out[4], 0, q);
    double var = m > 1 ? k.var * (double)m / ((double)m - 1) : k.var;
    cf_want(&c, 3, q, (1 - momentum) * old_mean + momentum * k.mean, unit * (fabs(old_mean) + k.largest));
    cf_want(&c, 4, q, (1 - momentum) * old_var + momentum * var, unit * (fabs(old_var) + (var + eps) * steep));
  }
  cf_check(&c);
}

/* dx, dgamma and dbeta of what the device is given: mean and rstd rounded to float. */
static void grad_expect(cf_case *c, int by_rows) {
  const cf_tensor *d = &c->in[0], *x = &c->in[1], *gamma = &c->in[2], *mean = &c->in[3], *rstd = &c->in[4];
  int64_t m = x->shape[0], n = x->shape[1], lines = by_rows ? m : n, t = by_rows ? n : m;
  cf_expect(c);
  for (int64_t q = 0; q < lines && !c->s->broken; q++) {
    double mu = cf_get(mean, 0, q), r = cf_get(rstd, 0, q), g_sum = 0, gh_sum = 0, g_mass = 0, gh_mass = 0;
    double unit = ((double)t + 64) * CF_E;
    for (int pass = 0; pass < 2; pass++)
      for (int64_t i = 0; i < t; i++) {
        int64_t row = by_rows ? q : i, col = by_rows ? i : q;
        double g = cf_get(d, row, col) * cf_get(gamma, 0, col), v = cf_get(x, row, col), h = (v - mu) * r;
        double big = (fabs(v) + fabs(mu)) * r;
        if (!pass) g_sum += g, gh_sum += g * h, g_mass += fabs(g), gh_mass += fabs(g) * big;
        else cf_want(c, 0, row * n + col, r * (g - g_sum / (double)t - h * gh_sum / (double)t),
                     unit * r * (fabs(g) + g_mass / (double)t + big * gh_mass / (double)t));
      }
  }
  for (int64_t j = 0; j < n && !c->s->broken; j++) {
    double dg = 0, db = 0, dg_mass = 0, db_mass = 0, unit = ((double)m + 64) * CF_E;
    for (int64_t i = 0; i < m; i++) {
      double mu = cf_get(mean, 0, by_rows ? i : j), r = cf_get(rstd, 0, by_rows ? i : j), v = cf_get(x, i, j);
      dg += cf_get(d, i, j) * (v - mu) * r, db += cf_get(d, i, j);
      dg_mass += fabs(cf_get(d, i, j)) * (fabs(v) + fabs(mu)) * r, db_mass += fabs(cf_get(d, i, j));
    }
    cf_want(c, 1, j, dg, unit * dg_mass);
    cf_want(c, 2, j, db, unit * db_mass);
  }
}

static void grad_case(cf_suite *s, int by_rows, int64_t m, int64_t n, int padded, int place) {
  cf_case c;
  int64_t lines = by_rows ? m : n;
  if (s->broken) return;
  cf_case_begin(&c, s, by_rows ? "layer_norm_grad" : "batch_norm_grad");
  cf_input(&c, cf_matrix(s, m, n, padded));
  cf_tensor *x = cf_input(&c, cf_matrix(s, m, n, !padded));
  spread_out(s, x);
  cf_input(&c, cf_vector(s, n));
  cf_tensor *mean = cf_input(&c, cf_vector(s, lines)), *rstd = cf_input(&c, cf_vector(s, lines));
  for (int64_t q = 0; q < lines; q++) {
    moments k = measure(x, q, by_rows);
    cf_put(mean, q, k.mean), cf_put(rstd, q, 1 / sqrt(k.var + 1e-5));
  }
  if (place) cf_in_place(&c, 0);
  else cf_output(&c, cf_matrix(s, m, n, padded));
  cf_output(&c, cf_vector(s, n)), cf_output(&c, cf_vector(s, n));
  cf_label(&c, "%lld x %lld%s%s", (long long)m, (long long)n, padded ? ", padded" : "", place ? ", in place" : "");
  grad_expect(&c, by_rows);
  cf_check(&c);
}

static void apply_case(cf_suite *s, int64_t m, int64_t n, int padded, int place) {
  cf_case c;
  if (s->broken) return;
  cf_case_begin(&c, s, "batch_norm_apply");
  cf_tensor *x = cf_input(&c, cf_matrix(s, m, n, padded)), *gamma = cf_input(&c, cf_vector(s, n));
  cf_tensor *beta = cf_input(&c, cf_vector(s, n)), *mean = cf_input(&c, cf_vector(s, n));
  cf_tensor *var = cf_input(&c, cf_vector(s, n));
  cf_uniform(s, var, 0, 2);
  spread_out(s, x);
  if (place) cf_in_place(&c, 0);
  else cf_output(&c, cf_matrix(s, m, n, !padded));
  cf_double(&c, 1e-3);
  cf_label(&c, "%lld x %lld%s%s", (long long)m, (long long)n, padded ? ", padded" : "", place ? ", in place" : "");
  cf_expect(&c);
  for (int64_t k = 0; k < m * n && !s->broken; k++) {
    int64_t j = k % n;
    double r = 1 / sqrt(cf_get(var, 0, j) + 1e-3), g = cf_get(gamma, 0, j), b = cf_get(beta, 0, j), v = cf_get(x, k / n, j);
    double steep = 1 + (fabs(v) + fabs(cf_get(mean, 0, j))) * r;
    cf_want(&c, 0, k, (v - cf_get(mean, 0, j)) * r * g + b, 33 * CF_E * (1 + fabs(g) * steep + fabs(b)));
  }
  cf_check(&c);
}

void cf_norm_ops(cf_suite *s) {
  static const char *const names[] = {"batch_norm", "layer_norm"}, *const grads[] = {"batch_norm_grad", "layer_norm_grad"};
  size_t n = sizeof sizes / sizeof *sizes;
  for (int by_rows = 0; by_rows < 2; by_rows++) {
    if (cf_begin(s, names[by_rows])) {
      for (size_t z = 0; z < 2 * n; z++) norm_case(s, by_rows, sizes[z % n][0], sizes[z % n][1], (int)(z / n));
      cf_end(s);
    }
    if (cf_begin(s, grads[by_rows])) {
      for (size_t z = 0; z < 2 * n; z++)
        grad_case(s, by_rows, sizes[z % n][0], sizes[z % n][1], (int)(z / n), (int)(z % 2 + z / n) % 2);
      cf_end(s);
    }
  }
  if (cf_begin(s, "batch_norm_apply")) {
    for (size_t z = 0; z < 2 * n; z++)
      apply_case(s, sizes[z % n][0], sizes[z % n][1], (int)(z / n), (int)(z % 2 + z / n) % 2);
    cf_end(s);
  }
}
