/* csr_gemm, csr_gemm_t, and the ops on rows of tables: gather, scatter_add. */
#include <math.h>

#include "suite.h"

static const double factors[][2] = {{1, 0}, {1, 1}, {-0.5, 2}, {0, 0.5}, {0, 0}};

typedef struct csr_kind { int64_t m, n, k, r, nnz, wild, padded; double alpha, beta; int rows; } csr_kind;

/* Indices that are none of [0, n): next to it, and far. */
static double outside_of(int64_t which, int64_t n) {
  const double list[] = {(double)n, -1, (double)n + 3, 2147483647, -2147483648.0};
  return list[which % 5];
}

/* start [r + 1] rises from 0 or later up to nnz or earlier; some indices lie outside, some rows are empty. */
static void csr_make(cf_case *c, cf_suite *s, const char *op, csr_kind g, int transposed) {
  cf_case_begin(c, s, op);
  int64_t r1 = g.r + 1, at = g.nnz > 4 ? 2 : 0;
  cf_tensor *start = cf_input(c, cf_make(s, LEAT_I32, 1, &r1, CF_ROWS));
  for (int64_t i = 0; i <= g.r; i++) {
    cf_put(start, i, (double)at);
    if (g.r) at += cf_below(s, 2 * (g.nnz / g.r) + 1);
    if (at > g.nnz) at = g.nnz;
  }
  cf_tensor index = cf_make(s, LEAT_I32, 1, &g.nnz, CF_ROWS);
  for (int64_t p = 0; p < g.nnz; p++)
    cf_put(&index, p, g.wild && p % 5 == 3 ? outside_of(p / 5, g.k) : (double)cf_below(s, g.k));
  cf_input(c, index);
  cf_input(c, cf_vector(s, g.nnz));
  cf_input(c, cf_matrix(s, transposed ? g.m : g.k, g.n, (int)g.padded));
  if (g.rows) {
    cf_tensor *rows = cf_input(c, cf_make(s, LEAT_I32, 1, &g.m, CF_ROWS));
    for (int64_t i = 0; i < g.m; i++) cf_put(rows, i, g.wild && i % 7 == 5 ? -1.0 : (double)cf_below(s, g.r));
    if (g.wild && g.m) cf_put(rows, g.m - 1, (double)g.r);
  }
  cf_tensor *out = cf_output(c, cf_make(s, LEAT_F32, 2, (int64_t[]){transposed ? g.k : g.m, g.n},
                                        g.padded ? CF_PADDED : CF_ROWS));
  if (g.beta != 0) cf_uniform(s, out, -1, 1);
  cf_double(c, g.alpha), cf_double(c, g.beta);
  cf_label(c, "m %lld, n %lld, k %lld, r %lld, nnz %lld, alpha %g, beta %g%s%s%s", (long long)g.m, (long long)g.n,
           (long long)g.k, (long long)g.r, (long long)g.nnz, g.alpha, g.beta, g.rows ? ", rows" : "",
           g.wild ? ", indices outside" : "", g.padded ? ", padded" : "");
}

/* Entries of row i of c or d. */
static void csr_range(const cf_case *c, int64_t i, int64_t *from, int64_t *to) {
  int64_t r = c->in[0].shape[0] - 1, row = c->n_in > 4 ? (int64_t)cf_get(&c->in[4], 0, i) : i;
  *from = *to = 0;
  if (row < 0 || row >= r) return;
  *from = (int64_t)cf_get(&c->in[0], 0, row), *to = (int64_t)cf_get(&c->in[0], 0, row + 1);
}

static void finish(cf_case *c, const double *sum, const double *mass, const int64_t *terms) {
  for (int64_t e = 0; e < cf_count(&c->out[0]) && !c->s->broken; e++) {
    double old = cf_value(&c->out[0], c->out[0].data, cf_at(&c->out[0], e)), rest = c->f[1] == 0 ? 0 : c->f[1] * old;
    double part = c->f[0] == 0 ? 0 : c->f[0] * sum[e];
    cf_want(c, 0, e, part + rest, ((double)terms[e] + 8) * CF_E * (fabs(c->f[0]) * mass[e] + fabs(rest)));
  }
}

static void csr_case(cf_suite *s, csr_kind g, int transposed) {
  cf_case c;
  int64_t from, to;
  if (s->broken) return;
  csr_make(&c, s, transposed ? "csr_gemm_t" : "csr_gemm", g, transposed);
  cf_expect(&c);
  uint64_t n = (uint64_t)cf_count(&c.out[0]);
  double *sum = cf_take(s, n * sizeof *sum), *mass = cf_take(s, n * sizeof *mass);
  int64_t *terms = cf_take(s, n * sizeof *terms);
  for (int64_t i = 0; i < g.m && !s->broken; i++) {
    csr_range(&c, i, &from, &to);
    for (int64_t p = from; p < to; p++) {
      int64_t col = (int64_t)cf_get(&c.in[1], 0, p);
      for (int64_t j = 0; j < g.n && col >= 0 && col < g.k; j++) {
        double term = cf_get(&c.in[2], 0, p) * cf_get(&c.in[3], transposed ? i : col, j);
        int64_t e = (transposed ? col : i) * g.n + j;
        sum[e] += term, mass[e] += fabs(term), terms[e]++;
      }
    }
  }
  finish(&c, sum, mass, terms);
  cf_check(&c);
}

static void csr_all(cf_suite *s, int transposed) {
  static const int64_t sizes[][5] = {/* m n k r nnz */
      {1, 1, 1, 1, 1}, {3, 7, 5, 3, 9}, {17, 64, 33, 17, 120}, {65, 10, 129, 65, 700}, {7, 3, 1000, 7, 200}, 
      {0, 3, 4, 0, 0},
            {5, 0, 4, 5, 7}, {4, 5, 6, 4, 0}, {5, 3, 0, 5, 8},       {64, 65, 3, 64, 900},  {200, 16, 50, 200, 1500}};
  for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
    for (int v = 0; v < 4; v++) {
      const double *f = factors[(z + (size_t)v) % 5];
      const int64_t *q = sizes[z];
      csr_kind g = {q[0], q[1], q[2], q[3], q[4], v >= 2, v % 2, f[0], f[1], v == 1 || v == 2};
      if (g.rows) g.m = g.m ? g.m + 3 : 0, g.r = g.r ? g.r : 1; /* rows picks, again and again too */
      csr_case(s, g, transposed);
    }
}

/* ---- rows of tables */
static void gather_case(cf_suite *s, int64_t v, int64_t d, int64_t m, int64_t f, int64_t dtype, int padded) {
  cf_case c;
  if (s->broken) return;
  cf_case_begin(&c, s, "gather");
  cf_tensor *table = cf_input(&c, cf_make(s, dtype, 2, (int64_t[]){v, d}, padded ? CF_PADDED : CF_ROWS));
  for (int64_t e = 0; e < v * d; e++)
    cf_put(table, e, dtype == LEAT_I32 ? (double)(cf_below(s, 2000000) - 1000000) : cf_between(s, -9, 9));
  if (v > 0 && d > 0 && dtype == LEAT_F32) cf_put(table, 0, (double)NAN);
  cf_tensor *index = cf_input(&c, cf_make(s, LEAT_I32, 2, (int64_t[]){m, f}, padded ? CF_PADDED : CF_ROWS));
  for (int64_t e = 0; e < m * f; e++) cf_put(index, e, e % 11 == 7 ? outside_of(e / 11, v) : (double)cf_below(s, v));
  cf_output(&c, cf_make(s, dtype, 2, (int64_t[]){m, f * d}, padded ? CF_PADDED : CF_ROWS));
  cf_label(&c, "table %lld x %lld, index %lld x %lld, type %lld%s", (long long)v, (long long)d, (long long)m, (long long)f,
           (long long)dtype, padded ? ", padded" : "");
  cf_expect(&c);
  for (int64_t e = 0; e < m * f * d && !s->broken; e++) {
    int64_t row = (int64_t)cf_get(index, e / (f * d), e / d % f);
    cf_want(&c, 0, e, row < 0 || row >= v ? 0 : cf_get(table, row, e % d), 0);
  }
  cf_check(&c);
}

static void scatter_case(cf_suite *s, int64_t v, int64_t w, int64_t m, int64_t f, const double a[2], int padded) {
  cf_case c;
  if (s->broken) return;
  cf_case_begin(&c, s, "scatter_add");
  cf_tensor *d = cf_input(&c, cf_matrix(s, m, f * w, padded));
  cf_tensor *index = cf_input(&c, cf_make(s, LEAT_I32, 2, (int64_t[]){m, f}, padded ? CF_PADDED : CF_ROWS));
  for (int64_t e = 0; e < m * f; e++) cf_put(index, e, e % 11 == 7 ? outside_of(e / 11, v) : (double)cf_below(s, v));
  cf_tensor *table = cf_output(&c, cf_make(s, LEAT_F32, 2, (int64_t[]){v, w}, padded ? CF_PADDED : CF_ROWS));
  if (a[1] != 0) cf_uniform(s, table, -1, 1);
  cf_double(&c, a[0]), cf_double(&c, a[1]);
  cf_label(&c, "table %lld x %lld, index %lld x %lld, alpha %g, beta %g%s", (long long)v, (long long)w, (long long)m,
           (long long)f, a[0], a[1], padded ? ", padded" : "");
  cf_expect(&c);
  double *sum = cf_take(s, (uint64_t)(v * w) * 8), *mass = cf_take(s, (uint64_t)(v * w) * 8);
  int64_t *terms = cf_take(s, (uint64_t)(v * w) * 8);
  for (int64_t e = 0; e < m * f * w && !s->broken; e++) {
    int64_t i = e / (f * w), row = (int64_t)cf_get(index, i, e / w % f), to = row * w + e % w;
    double term = cf_get(d, i, e % (f * w));
    if (row >= 0 && row < v) sum[to] += term, mass[to] += fabs(term), terms[to]++;
  }
  finish(&c, sum, mass, terms);
  cf_check(&c);
}

static void table_all(cf_suite *s, int scatter) {
  static const int64_t sizes[][4] = {/* v d m f */
      {1, 1, 1, 1}, {3, 7, 17, 1}, {129, 8, 65, 3}, {1000, 3, 64, 2}, {5, 64, 129, 1}, {0, 3, 4, 2}, {4, 0, 3, 2},
      {4, 3, 0, 2}, {4, 3, 5, 0},  {7, 1, 900, 1},  {17, 33, 65, 7}};
  for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
    for (int v = 0; v < 4; v++) {
      const int64_t *q = sizes[z];
      if (scatter) scatter_case(s, q[0], q[1], q[2], q[3], factors[(z + (size_t)v) % 5], v % 2);
      else gather_case(s, q[0], q[1], q[2], q[3], v < 2 ? LEAT_F32 : LEAT_I32, v % 2);
    }
}

void cf_sparse_ops(cf_suite *s) {
  if (cf_begin(s, "csr_gemm")) csr_all(s, 0), cf_end(s);
  if (cf_begin(s, "csr_gemm_t")) csr_all(s, 1), cf_end(s);
  if (cf_begin(s, "gather")) table_all(s, 0), cf_end(s);
  if (cf_begin(s, "scatter_add")) table_all(s, 1), cf_end(s);
}
