/* map, map_grad, binary, fill, copy, dropout, reduce. */
#include <math.h>

#include "base/rng.h"
#include "suite.h"

/* ---- functions in double */
double cf_f(int64_t f, double x) {
  switch (f) {
  case 1: return x > 0 ? x : x != x ? x : 0;
  case 2: return x < -40 ? 0 : 0.5 * x * erfc(-x * 0.70710678118654752440);
  case 3: return tanh(x);
  case 4: return 1 / (1 + exp(-x));
  case 5: return exp(x);
  case 6: return log1p(x);
  case 7: return x * x;
  case 8: return sqrt(x);
  case 9: return 1 / x;
  default: return x;
  }
}

double cf_f_slope(int64_t f, double x) {
  double y = cf_f(f, x);
  switch (f) {
  case 1: return x > 0;
  case 2: return 0.5 * erfc(-x * 0.70710678118654752440) + x * exp(-0.5 * x * x) * 0.39894228040143267794;
  case 3: return 1 - y * y;
  case 4: return y * (1 - y);
  case 5: return y;
  case 6: return 1 / (1 + x);
  case 7: return 2 * x;
  case 8: return 0.5 / y;
  case 9: return -y * y;
  default: return 1;
  }
}

double cf_f_tolerance(int64_t f, double x) {
  double y = fabs(cf_f(f, x));
  if (f == 2) return 32 * CF_E * (y + 0x1p-20 * fmax(1, fabs(x)));
  if (f == 3 || f == 4) return 16 * CF_E * fmax(y, 0x1p-10);
  return f ? 16 * CF_E * y : 0;
}

static const double specials[] = {0, -0.0, 1e-40, -1e-40, 1e-45, 1e-7, -1e-7, 88.5, -88.5, 104, -104, 12, -12, 1e30, -1e30,
                                  3e38, (double)INFINITY, -(double)INFINITY, (double)NAN, 0.99999994, -0.99999994, -1};
static const int64_t sizes[][2] = {{1, 1}, {1, 3}, {3, 7}, {17, 64}, {7, 65}, {129, 33}, {1, 4099}, {0, 5}, {5, 0},
                                   {64, 1}};

static void set_specials(const cf_suite *s, cf_tensor *t, int64_t n) {
  for (size_t k = 0; k < sizeof specials / sizeof *specials && (int64_t)k < n; k++)
    cf_put(t, (int64_t)k, s->flushes && fabs(specials[k]) < 0x1p-126 ? 0 : specials[k]);
}

static void map_case(cf_suite *s, int64_t f, int64_t m, int64_t n, int padded, int in_place, int special) {
  cf_case c;
  if (s->broken) return;
  cf_case_begin(&c, s, "map");
  cf_tensor *x = cf_input(&c, cf_matrix(s, m, n, padded));
  cf_uniform(s, x, f == 6 ? -0.9 : f == 8 ? 0 : -6, 6);
  if (special) set_specials(s, x, m * n);
  for (int64_t k = 0; f == 2 && k < m * n; k++) /* there the rule gives infinity times 0 */
    if (cf_get(x, k / n, k % n) < -1e38) cf_put(x, k, -40);
  if (in_place) cf_in_place(&c, 0);
  else cf_output(&c, cf_matrix(s, m, n, !padded));
  cf_integer(&c, f);
  cf_label(&c, "f %lld, %lld x %lld%s%s%s", (long long)f, (long long)m, (long long)n, padded ? ", padded" : "",
           in_place ? ", in place" : "", special ? ", special numbers" : "");
  cf_expect(&c);
  for (int64_t k = 0; k < m * n && !s->broken; k++) {
    double v = cf_get(x, k / n, k % n);
    cf_want(&c, 0, k, cf_f(f, v), cf_f_tolerance(f, v));
  }
  cf_check(&c);
}

static void map_all(cf_suite *s) {
  for (int64_t f = 0; f < 10; f++)
    for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++) {
      map_case(s, f, sizes[z][0], sizes[z][1], (int)z % 2, (int)(z / 2) % 2, 0);
      map_case(s, f, sizes[z][0], sizes[z][1], (int)(z + 1) % 2, (int)(z / 3) % 2, 1);
    }
}

static void map_grad_case(cf_suite *s, int64_t f, int64_t m, int64_t n, int padded, int in_place) {
  cf_case c;
  if (s->broken) return;
  cf_case_begin(&c, s, "map_grad");
  cf_tensor *d = cf_input(&c, cf_matrix(s, m, n, padded)), *at = cf_input(&c, cf_matrix(s, m, n, !padded));
  int of_y = f == 1 || f == 3 || f == 4 || f == 5 || f == 8;
  cf_tensor x = cf_matrix(s, m, n, 0);
  cf_uniform(s, &x, f == 6 ? -0.9 : f == 8 || f == 9 ? 0.01 : -4, 4);
  if (f == 1 && m * n > 2) cf_put(&x, 1, 0); /* its slope there is 0 */
  for (int64_t k = 0; k < m * n && !s->broken; k++) {
    double v = cf_get(&x, k / n, k % n);
    cf_put(at, k, of_y ? cf_f(f, v) : v);
  }
  if (in_place) cf_in_place(&c, 0);
  else cf_output(&c, cf_matrix(s, m, n, padded));
  cf_integer(&c, f);
  cf_label(&c, "f %lld, %lld x %lld%s%s", (long long)f, (long long)m, (long long)n, padded ? ", padded" : "",
           in_place ? ", in place" : "");
  cf_expect(&c);
  for (int64_t k = 0; k < m * n && !s->broken; k++) {
    double y = cf_get(at, k / n, k % n), g = cf_get(d, k / n, k % n), slope;
    switch (f) { /* of what the device is given, a rounded y */
    case 1: slope = y > 0; break;
    case 3: slope = 1 - y * y; break;
    case 4: slope = y * (1 - y); break;
    case 5: slope = y; break;
    case 8: slope = 0.5 / y; break;
    default: slope = cf_f_slope(f, y);
    }
    cf_want(&c, 0, k, g * slope, 32 * CF_E * fabs(g) * fmax(1, fabs(slope)));
  }
  cf_check(&c);
}

static void map_grad_all(cf_suite *s) {
  for (int64_t f = 1; f < 10; f++)
    for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
      for (int v = 0; v < 2; v++) map_grad_case(s, f, sizes[z][0], sizes[z][1], (int)(z + (size_t)v) % 2, v);
}

/* ---- binary, fill */
static double combine(int64_t which, double x, double y) {
  switch (which) {
  case 0: return x + y;
  case 1: return x - y;
  case 2: return x * y;
  case 3: return x / y;
  case 4: return x > y ? x : y;
  default: return x < y ? x : y;
  }
}

static void binary_case(cf_suite *s, int64_t which, int64_t m, int64_t n, int row, int place, int padded) {
  cf_case c;
  if (s->broken) return;
  cf_case_begin(&c, s, "binary");
  cf_tensor *a = cf_input(&c, cf_matrix(s, m, n, padded));
  cf_tensor *b = cf_input(&c, row ? cf_vector(s, n) : cf_matrix(s, m, n, !padded));
  if (place == 1 || (place == 2 && !row)) cf_in_place(&c, place - 1);
  else cf_output(&c, cf_matrix(s, m, n, padded));
  cf_double(&c, which == 2 ? 1 : 0.75), cf_double(&c, which == 1 ? 1 : -1.5);
  cf_integer(&c, which);
  cf_label(&c, "which %lld, %lld x %lld%s%s%s", (long long)which, (long long)m, (long long)n, row ? ", a row" : "",
           padded ? ", padded" : "", place ? ", in place" : "");
  cf_expect(&c);
  for (int64_t k = 0; k < m * n && !s->broken; k++) {
    double x = c.f[0] * cf_get(a, k / n, k % n), y = c.f[1] * cf_get(b, k / n, k % n), v = combine(which, x, y);
    cf_want(&c, 0, k, v, 4 * CF_E * (which < 2 ? fabs(x) + fabs(y) : fabs(v)));
  }
  cf_check(&c);
}

static void binary_all(cf_suite *s) {
  for (int64_t which = 0; which < 6; which++)
    for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
      for (int v = 0; v < 4; v++)
        binary_case(s, which, sizes[z][0], sizes[z][1], v == 1 || v == 2, v == 1 ? 1 : v == 3 ? 2 : 0,
                    (int)(z + (size_t)v / 2) % 2);
}

static void fill_all(cf_suite *s) {
  static const double values[] = {0, -0.0, 1.25, 3e-42, (double)INFINITY, (double)NAN};
  for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
    for (int v = 0; v < 6 && !s->broken; v++) {
      cf_case c;
      cf_case_begin(&c, s, "fill");
      cf_output(&c, cf_make(s, LEAT_F32, 2, sizes[z], v % 2 ? CF_PADDED : CF_ROWS));
      cf_double(&c, values[v]);
      cf_label(&c, "%lld x %lld with %g", (long long)sizes[z][0], (long long)sizes[z][1], values[v]);
      cf_expect(&c);
      for (int64_t k = 0; k < cf_count(&c.out[0]); k++) cf_want(&c, 0, k, (double)(float)values[v], 0);
      cf_check(&c);
    }
}

/* ---- copy */
static void copy_case(cf_suite *s, int64_t from, int64_t to, int64_t m, int64_t n, int padded) {
  static const double edges[] = {65504, 65519, 65520, -65520, 6e-8, 2.98e-8, 2.99e-8, 6.1e-5, 1.00048828125, 1.00146484375,
                                 3.3895e38, 1e-40, 1.00390625, 1.01171875};
  cf_case c;
  if (s->broken) return;
  cf_case_begin(&c, s, "copy");
  cf_tensor *x = cf_input(&c, cf_make(s, from, 2, (int64_t[]){m, n}, padded ? CF_PADDED : CF_ROWS));
  int whole = from == LEAT_U8 || from == LEAT_I32;
  for (int64_t k = 0; k < m * n; k++)
    cf_put(x, k, from == LEAT_U8 ? (double)cf_below(s, 256) : whole ? (double)(cf_below(s, 4000000) - 2000000) :
           ldexp(cf_between(s, -1, 1), (int)cf_below(s, 36) - 20));
  for (int64_t k = 0; k < 14 && k < m * n && !whole; k++) cf_put(x, k, edges[k]);
  if (!whole && m * n > 20) cf_put(x, 14, (double)NAN), cf_put(x, 15, -(double)INFINITY), cf_put(x, 16, -0.0);
  cf_output(&c, cf_make(s, to, 2, (int64_t[]){m, n}, padded ? CF_ROWS : CF_PADDED));
  cf_label(&c, "type %lld to %lld, %lld x %lld%s", (long long)from, (long long)to, (long long)m, (long long)n,
           padded ? ", padded" : "");
  cf_expect(&c);
  for (int64_t k = 0; k < m * n && !s->broken; k++) cf_want(&c, 0, k, cf_rounded(to, cf_get(x, k / n, k % n)), 0);
  cf_check(&c);
}

static void copy_all(cf_suite *s) {
  static const int64_t types[] = {LEAT_F32, LEAT_F16, LEAT_BF16};
  for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++) {
    for (int p = 0; p < 9; p++)
      copy_case(s, types[p / 3], types[p % 3], sizes[z][0], sizes[z][1], (int)(z + (size_t)p) % 2);
    copy_case(s, LEAT_I32, LEAT_I32, sizes[z][0], sizes[z][1], (int)z % 2);
    copy_case(s, LEAT_U8, LEAT_F32, sizes[z][0], sizes[z][1], (int)z % 2);
  }
}

/* ---- dropout */
static void dropout_case(cf_suite *s, int64_t m, int64_t n, double rate, int64_t seed, int64_t stream, int place,
                         int padded) {
  cf_case c;
  uint32_t word[4];
  if (s->broken) return;
  cf_case_begin(&c, s, "dropout");
  cf_tensor *x = cf_input(&c, cf_matrix(s, m, n, padded));
  if (place) cf_in_place(&c, 0);
  else cf_output(&c, cf_matrix(s, m, n, !padded));
  cf_double(&c, rate);
  cf_integer(&c, seed), cf_integer(&c, stream);
  cf_label(&c, "%lld x %lld, rate %g, seed %lld, stream %lld%s%s", (long long)m, (long long)n, rate, (long long)seed,
           (long long)stream, place ? ", in place" : "", padded ? ", padded" : "");
  cf_expect(&c);
  for (int64_t k = 0; k < m * n && !s->broken; k++) {
    lt_philox((uint64_t)seed, (uint64_t)stream, (uint64_t)k / 4, word);
    double y = (double)word[k % 4] >= floor(rate * 4294967296.0) ? cf_get(x, k / n, k % n) / (1 - rate) : 0;
    cf_want(&c, 0, k, y, 4 * CF_E * fabs(y));
  }
  cf_check(&c);
}

static void dropout_all(cf_suite *s) {
  static const double rates[] = {0, 0.1, 0.5, 0.999};
  for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
    for (int v = 0; v < 4; v++)
      dropout_case(s, sizes[z][0], sizes[z][1], rates[v], v == 2 ? -1 : 77 + v, v == 3 ? INT64_C(0x123456789abcdef) : v,
                   v % 2, (int)z % 2);
}

/* ---- reduce */
static void reduce_case(cf_suite *s, int64_t what, int64_t axis, int64_t m, int64_t n, double alpha, double beta,
                        int padded) {
  cf_case c;
  if (s->broken) return;
  int64_t outputs = axis == 0 ? n : axis == 1 ? m : 1, terms = axis == 0 ? m : axis == 1 ? n : m * n;
  cf_case_begin(&c, s, "reduce");
  cf_tensor *x = cf_input(&c, cf_matrix(s, m, n, padded));
  cf_tensor *y = cf_output(&c, cf_make(s, LEAT_F32, 1, &outputs, CF_ROWS));
  if (beta != 0) cf_uniform(s, y, -1, 1);
  cf_double(&c, alpha), cf_double(&c, beta);
  cf_integer(&c, what), cf_integer(&c, axis);
  cf_label(&c, "what %lld, axis %lld, %lld x %lld, alpha %g, beta %g%s", (long long)what, (long long)axis, (long long)m,
           (long long)n, alpha, beta, padded ? ", padded" : "");
  cf_expect(&c);
  double *r = cf_take(s, (uint64_t)outputs * 8), *mass = cf_take(s, (uint64_t)outputs * 8);
  for (int64_t q = 0; q < outputs && !s->broken; q++) r[q] = what == 2 ? -(double)INFINITY : 0;
  for (int64_t k = 0; k < m * n && !s->broken; k++) {
    int64_t q = axis == 0 ? k % n : axis == 1 ? k / n : 0;
    double v = cf_get(x, k / n, k % n);
    if (what == 2) r[q] = fmax(r[q], v);
    else v = what ? v * v : v, r[q] += v, mass[q] += fabs(v);
  }
  for (int64_t q = 0; q < outputs && !s->broken; q++) {
    double rest = beta == 0 ? 0 : beta * cf_get(y, 0, q), part = what == 2 ? fabs(alpha * r[q]) : fabs(alpha) * mass[q];
    double tol = what == 2 && terms ? 4 * CF_E * (part + fabs(rest)) : ((double)terms + 8) * CF_E * (part + fabs(rest));
    cf_want(&c, 0, q, alpha * r[q] + rest, terms || what < 2 ? tol : 0);
  }
  cf_check(&c);
}

static void reduce_all(cf_suite *s) {
  static const double factors[][2] = {{1, 0}, {1, 1}, {-0.5, 2}};
  static const int64_t more[][2] = {{1000, 3}, {3, 1000}, {300, 300}};
  for (int64_t what = 0; what < 3; what++)
    for (int64_t axis = 0; axis < 3; axis++)
      for (size_t z = 0; z < sizeof sizes / sizeof *sizes + 3; z++) {
        const int64_t *mn = z < sizeof sizes / sizeof *sizes ? sizes[z] : more[z - sizeof sizes / sizeof *sizes];
        for (size_t v = 0; v < 2; v++)
          reduce_case(s, what, axis, mn[0], mn[1], factors[(z + v) % 3][0], factors[(z + v) % 3][1], (int)v);
      }
}

void cf_map_ops(cf_suite *s) {
  if (cf_begin(s, "map")) map_all(s), cf_end(s);
  if (cf_begin(s, "map_grad")) map_grad_all(s), cf_end(s);
  if (cf_begin(s, "binary")) binary_all(s), cf_end(s);
  if (cf_begin(s, "fill")) fill_all(s), cf_end(s);
  if (cf_begin(s, "copy")) copy_all(s), cf_end(s);
  if (cf_begin(s, "dropout")) dropout_all(s), cf_end(s);
  if (cf_begin(s, "reduce")) reduce_all(s), cf_end(s);
}
