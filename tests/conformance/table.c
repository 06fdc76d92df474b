/* histogram, argmax, top_k. */
#include <math.h>

#include "suite.h"

static void histogram_case(cf_suite *s, int64_t m, int64_t f, int64_t bins, double beta, int padded) {
  cf_case c;
  if (s->broken) return;
  cf_case_begin(&c, s, "histogram");
  cf_tensor *code = cf_input(&c, cf_make(s, LEAT_U8, 2, (int64_t[]){m, f}, padded ? CF_PADDED : CF_ROWS));
  for (int64_t k = 0; k < m * f; k++) cf_put(code, k, (double)cf_below(s, k % 13 == 5 ? 256 : bins < 256 ? bins : 256));
  cf_tensor *g = cf_input(&c, cf_vector(s, m)), *h = cf_input(&c, cf_vector(s, m));
  cf_tensor *hist = cf_output(&c, cf_make(s, LEAT_F32, 3, (int64_t[]){f, bins, 2}, CF_ROWS));
  if (beta != 0) cf_uniform(s, hist, -1, 1);
  cf_double(&c, beta);
  cf_label(&c, "%lld rows, %lld columns, %lld bins, beta %g%s", (long long)m, (long long)f, (long long)bins, beta,
           padded ? ", padded" : "");
  cf_expect(&c);
  for (int64_t k = 0; k < f * bins * 2 && !s->broken; k++) {
    int64_t column = k / (2 * bins), bin = k / 2 % bins, terms = 0;
    double old = cf_value(hist, hist->data, cf_at(hist, k)), rest = beta == 0 ? 0 : beta * old, sum = 0, mass = fabs(rest);
    for (int64_t i = 0; i < m; i++) {
      if ((int64_t)cf_get(code, i, column) != bin) continue;
      double v = cf_get(k % 2 ? h : g, 0, i);
      sum += v, mass += fabs(v), terms++;
    }
    cf_want(&c, 0, k, rest + sum, ((double)terms + 8) * CF_E * mass);
  }
  cf_check(&c);
}

/* Numbers with many ties, NaN and infinities. */
static void ties(cf_suite *s, cf_tensor *x, int kind) {
  static const double odd[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, -0.0, 0};
  int64_t n = x->shape[1];
  for (int64_t k = 0; k < cf_count(x); k++) {
    double v = kind ? (double)cf_below(s, 5) - 2 : cf_between(s, -1, 1);
    if (kind == 2 && cf_below(s, 4) == 0) v = odd[cf_below(s, 5)];
    if (kind == 2 && k / n == 1) v = (double)NAN;
    cf_put(x, k, v);
  }
}

/* a before b: larger, or as large and first; a NaN is smaller than every number. */
static int before(const cf_tensor *x, int64_t i, int64_t a, int64_t b) {
  double u = cf_get(x, i, a), v = cf_get(x, i, b);
  if (isnan(u) && isnan(v)) return a < b;
  if (isnan(u) || isnan(v)) return isnan(v);
  return u > v || (u == v && a < b);
}

static void largest_case(cf_suite *s, int64_t m, int64_t n, int64_t k, int kind, int padded) { /* k -1: argmax */
  cf_case c;
  int all = k < 0;
  if (s->broken) return;
  cf_case_begin(&c, s, all ? "argmax" : "top_k");
  cf_tensor *x = cf_input(&c, cf_matrix(s, m, n, padded));
  ties(s, x, kind);
  int64_t shape[2] = {m, k};
  if (!all) cf_output(&c, cf_make(s, LEAT_F32, 2, shape, padded ? CF_ROWS : CF_PADDED));
  cf_output(&c, cf_make(s, LEAT_I32, all ? 1 : 2, shape, all || padded ? CF_ROWS : CF_PADDED));
  cf_label(&c, "%lld x %lld, k %lld, numbers of kind %d%s", (long long)m, (long long)n, (long long)k, kind,
           padded ? ", padded" : "");
  cf_expect(&c);
  for (int64_t i = 0; i < m && !s->broken; i++) {
    if (all && n == 0) cf_want(&c, 0, i, -1, 0);
    for (int64_t j = 0; j < n; j++) {
      int64_t rank = 0;
      for (int64_t q = 0; q < n; q++) rank += q != j && before(x, i, q, j);
      if (all && rank == 0) cf_want(&c, 0, i, (double)j, 0);
      if (all || rank >= k) continue;
      cf_want(&c, 0, i * k + rank, cf_get(x, i, j), 0);
      cf_want(&c, 1, i * k + rank, (double)j, 0);
    }
  }
  cf_check(&c);
}

void cf_table_ops(cf_suite *s) {
  static const int64_t hists[][3] = {{1, 1, 1}, {17, 3, 7}, {129, 5, 64}, {1000, 2, 255}, {65, 7, 256}, {0, 2, 3},
                                     {9, 0, 4}, {9, 2, 0}, {33, 1, 300}};
  static const int64_t rows[][3] = {{1, 1, 1}, {3, 7, 3}, {17, 65, 5}, {5, 129, 129}, {65, 10, 1}, {3, 300, 17}, {0, 4, 2},
                                    {4, 0, 0}, {4, 5, 0}};
  if (cf_begin(s, "histogram")) {
    for (size_t z = 0; z < sizeof hists / sizeof *hists; z++)
      for (int v = 0; v < 2; v++)
        histogram_case(s, hists[z][0], hists[z][1], hists[z][2], z % 2 ? 1 : v, (int)(z + (size_t)v) % 2);
    cf_end(s);
  }
  for (int top = 0; top < 2; top++) {
    if (!cf_begin(s, top ? "top_k" : "argmax")) continue;
    for (size_t z = 0; z < sizeof rows / sizeof *rows; z++)
      for (int v = 0; v < 3; v++)
        largest_case(s, rows[z][0], rows[z][1], top ? rows[z][2] : -1, v, (int)(z + (size_t)v) % 2);
    cf_end(s);
  }
}
