/* gemm, gemv, gemm_batched, gemm_q8. */
#include <math.h>

#include "suite.h"

static const double factors[][2] = {{1, 0}, {1, 1}, {-0.5, 2}, {0, 0.5}, {0, 0}, {2.5, -1}};

/* alpha * sum + beta * old + bias, act, and the tolerance for k terms. */
static void expect_product(cf_case *c, int64_t k_out, double sum, double mass, double old, double bias, int64_t k,
                           int64_t act) {
  double alpha = c->f[0], beta = c->f[1], rest = beta == 0 ? 0 : beta * old;
  double pre = (alpha == 0 ? 0 : alpha * sum) + rest + bias;
  double tol = ((double)k + 8) * CF_E * (fabs(alpha) * mass + fabs(rest) + fabs(bias));
  if (act) tol = 1.13 * tol + cf_f_tolerance(act, pre); /* no act is steeper */
  cf_want(c, 0, k_out, cf_f(act, pre), tol);
}

typedef struct gemm_kind { int64_t m, n, k, act; cf_layout a, b, c; int bias; double alpha, beta; } gemm_kind;

static void gemm_expect(cf_case *c, int64_t act) {
  const cf_tensor *a = &c->in[0], *b = &c->in[1], *out = &c->out[0];
  int64_t n = out->shape[1], k = a->shape[1];
  cf_expect(c);
  for (int64_t i = 0; i < out->shape[0] && !c->s->broken; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = 0, mass = 0;
      for (int64_t q = 0; q < k && c->f[0] != 0; q++) {
        double term = cf_get(a, i, q) * cf_get(b, q, j);
        sum += term, mass += fabs(term);
      }
      expect_product(c, i * n + j, sum, mass, cf_get(out, i, j), c->n_in > 2 ? cf_get(&c->in[2], 0, j) : 0, k, act);
    }
}

static void gemm_make(cf_case *c, cf_suite *s, gemm_kind g) {
  cf_case_begin(c, s, "gemm");
  cf_uniform(s, cf_input(c, cf_make(s, LEAT_F32, 2, (int64_t[]){g.m, g.k}, g.a)), -1, 1);
  cf_uniform(s, cf_input(c, cf_make(s, LEAT_F32, 2, (int64_t[]){g.k, g.n}, g.b)), -1, 1);
  if (g.bias) cf_input(c, cf_vector(s, g.n));
  cf_tensor *out = cf_output(c, cf_make(s, LEAT_F32, 2, (int64_t[]){g.m, g.n}, g.c));
  if (g.beta != 0) cf_uniform(s, out, -1, 1); /* beta 0: it stays full of NaN */
  cf_double(c, g.alpha), cf_double(c, g.beta);
  if (g.act || g.bias > 1) cf_integer(c, g.act);
  cf_label(c, "%lld x %lld x %lld, layouts %d %d %d, alpha %g, beta %g, bias %d, act %lld", (long long)g.m, (long long)g.n,
           (long long)g.k, (int)g.a, (int)g.b, (int)g.c, g.alpha, g.beta, g.bias, (long long)g.act);
}

static void gemm_case(cf_suite *s, gemm_kind g) {
  cf_case c;
  if (s->broken) return;
  gemm_make(&c, s, g);
  gemm_expect(&c, g.act);
  cf_check(&c);
}

static void gemm_specials(cf_suite *s) {
  static const double odd[] = {(double)NAN, (double)INFINITY, 1e-41, -0.0, 3e38};
  static const int64_t sizes[][3] = {{5, 4, 6}, {33, 40, 35}};
  for (int z = 0; z < 2; z++)
    for (int v = 0; v < 9 && !s->broken; v++) {
      cf_case c;
      gemm_kind g = {sizes[z][0], sizes[z][1], sizes[z][2], 0, CF_ROWS, CF_ROWS, CF_ROWS, 0, 1, 0};
      if (v == 5) g.alpha = (double)NAN;
      if (v == 6) g.beta = (double)NAN;
      if (v == 7) g.alpha = 0; /* a is full of NaN and not read */
      if (v == 8) g.beta = 1;  /* NaN in c */
      gemm_make(&c, s, g);
      if (v < 5) cf_put(&c.in[0], g.k + 1, odd[v]), cf_put(&c.in[1], g.n * g.k - 1, odd[v]);
      for (int64_t k = 0; v == 7 && k < cf_count(&c.in[0]); k++) cf_put(&c.in[0], k, (double)NAN);
      if (v == 8) cf_put(&c.out[0], 2, (double)NAN);
      cf_label(&c, "%lld x %lld x %lld with special number %d", (long long)g.m, (long long)g.n, (long long)g.k, v);
      gemm_expect(&c, 0);
      cf_check(&c);
    }
}

static void gemm_all(cf_suite *s) {
  static const int64_t shapes[][3] = {
      {1, 1, 1},   {1, 7, 5},     {7, 1, 5},    {3, 17, 64},   {17, 3, 65},  {7, 65, 33},   {64, 64, 64}, {65, 65, 65},
      {65, 129, 31}, {129, 17, 7}, {17, 129, 300}, {3, 3, 1000}, {0, 5, 3},    {5, 0, 3},     {4, 7, 0},    {65, 33, 0},
      {128, 128, 128}, {1, 129, 129}, {129, 1, 129}, {10, 10, 129}, {129, 129, 129}, {200, 10, 70}};
  int64_t turn = 0;
  for (size_t z = 0; z < sizeof shapes / sizeof *shapes; z++)
    for (int a = CF_ROWS; a < CF_LAYOUTS; a++, turn++) {
      gemm_kind g = {shapes[z][0], shapes[z][1], shapes[z][2], turn % 5, (cf_layout)a, (cf_layout)((a + turn) % CF_LAYOUTS),
                     (cf_layout)((turn / 3) % CF_REPEAT), (int)(turn % 3), factors[turn % 6][0], factors[turn % 6][1]};
      gemm_case(s, g);
    }
  for (int64_t act = 0; act < 5; act++)
    for (int bias = 0; bias < 3; bias++) gemm_case(s, (gemm_kind){17, 65, 40, act, CF_ROWS, CF_ROWS, CF_ROWS, bias, 1, 0});
  for (int layout = 0; layout < CF_REPEAT; layout++) /* each transpose of large enough ones */
    for (int f = 0; f < 4; f++)
      gemm_case(s, (gemm_kind){90, 70, 65, 0, (cf_layout)(f & 1 ? CF_COLUMNS : CF_ROWS), f & 2 ? CF_COLUMNS : CF_ROWS,
                               (cf_layout)layout, 0, 1, f == 3});
  gemm_specials(s);
}

static void gemv_case(cf_suite *s, int64_t m, int64_t n, cf_layout la, cf_layout lx, cf_layout ly, double alpha,
                      double beta) {
  cf_case c;
  if (s->broken) return;
  cf_case_begin(&c, s, "gemv");
  cf_tensor *a = cf_input(&c, cf_make(s, LEAT_F32, 2, (int64_t[]){m, n}, la));
  cf_tensor *x = cf_input(&c, cf_make(s, LEAT_F32, 1, &n, lx)), *y = cf_output(&c, cf_make(s, LEAT_F32, 1, &m, ly));
  cf_uniform(s, a, -1, 1), cf_uniform(s, x, -1, 1);
  if (beta != 0) cf_uniform(s, y, -1, 1);
  cf_double(&c, alpha), cf_double(&c, beta);
  cf_label(&c, "%lld x %lld, layouts %d %d %d, alpha %g, beta %g", (long long)m, (long long)n, (int)la, (int)lx, (int)ly,
           alpha, beta);
  cf_expect(&c);
  for (int64_t i = 0; i < m && !s->broken; i++) {
    double sum = 0, mass = 0;
    for (int64_t j = 0; j < n; j++) {
      double term = cf_get(a, i, j) * cf_get(x, 0, j);
      sum += term, mass += fabs(term);
    }
    expect_product(&c, i, sum, mass, cf_get(y, 0, i), 0, n, 0);
  }
  cf_check(&c);
}

static void gemv_all(cf_suite *s) {
  static const int64_t sizes[][2] = {{1, 1}, {3, 17}, {64, 65}, {129, 33}, {33, 700}, {1000, 7}, {7, 1000}, {65, 1},
                                     {1, 129}, {9, 0}, {0, 9}, {300, 300}};
  static const cf_layout lines[] = {CF_ROWS, CF_SPREAD, CF_BACKWARDS};
  for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
    for (int la = 0; la < CF_LAYOUTS; la++) {
      size_t f = (z + (size_t)la) % 6;
      gemv_case(s, sizes[z][0], sizes[z][1], (cf_layout)la, lines[(z + (size_t)la) % 3], lines[(z / 2 + (size_t)la) % 3],
                factors[f][0], factors[f][1]);
      gemv_case(s, sizes[z][0], sizes[z][1], (cf_layout)la, la == 2 ? CF_REPEAT : CF_ROWS, CF_ROWS, 1, 0);
    }
}

static double get3(const cf_tensor *t, int64_t q, int64_t i, int64_t j) {
  return cf_value(t, t->data, t->first + q * t->stride[0] + i * t->stride[1] + j * t->stride[2]);
}

static void batched_case(cf_suite *s, const int64_t z[4], cf_layout la, cf_layout lb, cf_layout lc, const double f[2]) {
  cf_case c;
  int64_t p = z[0], m = z[1], n = z[2], k = z[3];
  if (s->broken) return;
  cf_case_begin(&c, s, "gemm_batched");
  cf_tensor *a = cf_input(&c, cf_make(s, LEAT_F32, 3, (int64_t[]){p, m, k}, la));
  cf_tensor *b = cf_input(&c, cf_make(s, LEAT_F32, 3, (int64_t[]){p, k, n}, lb));
  cf_tensor *out = cf_output(&c, cf_make(s, LEAT_F32, 3, (int64_t[]){p, m, n}, lc));
  cf_uniform(s, a, -1, 1), cf_uniform(s, b, -1, 1);
  if (f[1] != 0) cf_uniform(s, out, -1, 1);
  cf_double(&c, f[0]), cf_double(&c, f[1]);
  cf_label(&c, "%lld of %lld x %lld x %lld, layouts %d %d %d, alpha %g, beta %g", (long long)p, (long long)m, (long long)n,
           (long long)k, (int)la, (int)lb, (int)lc, f[0], f[1]);
  cf_expect(&c);
  for (int64_t e = 0; e < p * m * n && !s->broken; e++) {
    int64_t q = e / (m * n), i = e / n % m, j = e % n;
    double sum = 0, mass = 0;
    for (int64_t r = 0; r < k; r++) {
      double term = get3(a, q, i, r) * get3(b, q, r, j);
      sum += term, mass += fabs(term);
    }
    expect_product(&c, e, sum, mass, get3(out, q, i, j), 0, k, 0);
  }
  cf_check(&c);
}

static void batched_all(cf_suite *s) {
  static const int64_t sizes[][4] = {{1, 3, 3, 3}, {5, 8, 8, 8},  {3, 1, 17, 7}, {7, 17, 1, 33}, {0, 3, 3, 3},
                                     {4, 0, 3, 3}, {4, 3, 5, 0}, {65, 7, 3, 4}, {2, 65, 66, 40}};
  for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
    for (int la = 0; la < CF_LAYOUTS; la++)
      batched_case(s, sizes[z], (cf_layout)la, (cf_layout)((la + (int)z) % CF_LAYOUTS), (cf_layout)((la + 1) % CF_REPEAT),
                   factors[(z + (size_t)la) % 6]);
}

/* The device may round the rows of a to 8 bits too. */
static void q8_case(cf_suite *s, int64_t m, int64_t n, int64_t k, int64_t act, int padded) {
  cf_case c;
  if (s->broken) return;
  cf_case_begin(&c, s, "gemm_q8");
  cf_tensor *a = cf_input(&c, cf_matrix(s, m, k, padded));
  cf_tensor *w = cf_input(&c, cf_make(s, LEAT_I8, 2, (int64_t[]){n, k}, padded ? CF_PADDED : CF_ROWS));
  for (int64_t e = 0; e < n * k; e++) cf_put(w, e, (double)(cf_below(s, 256) - 128));
  cf_tensor *scale = cf_input(&c, cf_vector(s, n)), *bias = cf_input(&c, cf_vector(s, n));
  cf_uniform(s, scale, 0.001, 0.02);
  cf_output(&c, cf_make(s, LEAT_F32, 2, (int64_t[]){m, n}, padded ? CF_PADDED : CF_ROWS));
  cf_integer(&c, act);
  cf_label(&c, "%lld x %lld x %lld, act %lld%s", (long long)m, (long long)n, (long long)k, (long long)act,
           padded ? ", padded" : "");
  cf_expect(&c);
  for (int64_t i = 0; i < m && !s->broken; i++) {
    double largest = 0;
    for (int64_t q = 0; q < k; q++) largest = fmax(largest, fabs(cf_get(a, i, q)));
    for (int64_t j = 0; j < n; j++) {
      double sum = 0, mass = 0, weights = 0, sc = cf_get(scale, 0, j), b = cf_get(bias, 0, j);
      for (int64_t q = 0; q < k; q++) {
        double term = cf_get(a, i, q) * cf_get(w, j, q);
        sum += term, mass += fabs(term), weights += fabs(cf_get(w, j, q));
      }
      double tol = ((double)k + 8) * CF_E * (sc * mass + fabs(b)) + largest / 250 * sc * weights;
      if (act) tol = 1.13 * tol + cf_f_tolerance(act, sc * sum + b);
      cf_want(&c, 0, i * n + j, cf_f(act, sc * sum + b), tol);
    }
  }
  cf_check(&c);
}

static void q8_all(cf_suite *s) {
  static const int64_t sizes[][3] = {{1, 1, 1}, {1, 10, 784}, {3, 17, 7}, {7, 65, 64}, {65, 129, 33}, {0, 3, 3}, {3, 0, 3},
                                     {3, 3, 0}, {17, 64, 129}};
  for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
    for (int64_t act = 0; act < 5; act++)
      q8_case(s, sizes[z][0], sizes[z][1], sizes[z][2], act, (int)(act + (int64_t)z) % 2);
}

void cf_matrix_ops(cf_suite *s) {
  if (cf_begin(s, "gemm")) gemm_all(s), cf_end(s);
  if (cf_begin(s, "gemv")) gemv_all(s), cf_end(s);
  if (cf_begin(s, "gemm_batched")) batched_all(s), cf_end(s);
  if (cf_begin(s, "gemm_q8")) q8_all(s), cf_end(s);
}
