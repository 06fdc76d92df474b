/* leat generate: reproducible synthetic data on stdout or -o. */
#include "cli.h"
#include "generate.h"
#include <math.h>
#include <string.h>

/* ---- draws */

/* The finaliser of SplitMix64 (Steele, Lea and Flood 2014): a bijection of 64 bits that mixes well. */
static uint64_t gen_mix(uint64_t z) {
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

void gen_row(gen_draws *g, int64_t seed, int64_t row) {
  g->key = gen_mix(gen_mix((uint64_t)seed + UINT64_C(0x9e3779b97f4a7c15)) ^ (uint64_t)row);
  g->count = 0;
}

double gen_unit(gen_draws *g) {
  g->count += UINT64_C(0x9e3779b97f4a7c15);
  return (double)(gen_mix(g->key + g->count) >> 11) * 0x1.0p-53;
}

int64_t gen_below(gen_draws *g, int64_t n) { return (int64_t)(gen_unit(g) * (double)n); }

/* Natural logarithm by ln m = 2 atanh((m - 1) / (m + 1)): libraries differ in the last bit, this does not. */
static double gen_log(double v) {
  int e;
  double m = frexp(v, &e);
  if (m < 0.70710678118654752) { m *= 2; e--; }
  double t = (m - 1) / (m + 1), t2 = t * t, sum = 0;
  for (int k = 25; k >= 1; k -= 2) sum = sum * t2 + 1.0 / k;
  return 2 * t * sum + e * 0.69314718055994530942;
}

/* Marsaglia's polar method (1964). */
double gen_normal(gen_draws *g) {
  double u, v, s;
  do {
    u = 2 * gen_unit(g) - 1;
    v = 2 * gen_unit(g) - 1;
    s = u * u + v * v;
  } while (s >= 1 || s <= 0);
  return u * sqrt(-2 * gen_log(s) / s);
}

double gen_logistic(gen_draws *g) {
  double u;
  do u = gen_unit(g); while (u <= 0);
  return gen_log(u / (1 - u));
}

/* As many unit exponentials as fit into `mean`. */
int64_t gen_count(gen_draws *g, double mean) {
  int64_t n = -1;
  for (double left = mean; left >= 0; n++) left += gen_log(1 - gen_unit(g));
  return n;
}

void gen_put(FILE *to, char before, double v, int digits) {
  static const int64_t scale[] = { 1, 10, 100, 1000, 10000, 100000, 1000000 };
  char text[32], *p = text + sizeof text;
  double w = fabs(v) * (double)scale[digits];
  int64_t n = (int64_t)(w + 0.5), all = n;
  for (int k = 0; k < digits; k++) { *--p = (char)('0' + n % 10); n /= 10; }
  if (digits) *--p = '.';
  do { *--p = (char)('0' + n % 10); n /= 10; } while (n);
  if (v < 0 && all) *--p = '-';
  if (before) *--p = before;
  fwrite(p, 1, (size_t)(text + sizeof text - p), to);
}

/* ---- sea: three numbers in [0, 10), class 1 when the first two do not exceed a threshold (Street and Kim 2001) */

static void sea_begin(FILE *to, int64_t seed) {
  (void)seed;
  fputs("x1,x2,x3,class\n", to);
}

static void sea_row(FILE *to, int64_t seed, int64_t row, int drifted) {
  gen_draws g;
  gen_row(&g, seed, row);
  int64_t x[3]; /* in 1/10000, so that the printed row decides the class */
  for (int i = 0; i < 3; i++) x[i] = gen_below(&g, 100000);
  int is = x[0] + x[1] <= (drifted ? 95000 : 70000);
  if (gen_unit(&g) < 0.1) is = !is;
  for (int i = 0; i < 3; i++) gen_put(to, i ? ',' : 0, (double)x[i] / 10000, 4);
  fprintf(to, ",%d\n", is);
}

/* ---- hyperplane: ten numbers in [0, 1), class by the side of a plane through the centre (Hulten et al. 2001) */

static void hyperplane_begin(FILE *to, int64_t seed) {
  (void)seed;
  for (int i = 1; i <= 10; i++) fprintf(to, "x%d,", i);
  fputs("class\n", to);
}

static void hyperplane_row(FILE *to, int64_t seed, int64_t row, int drifted) {
  gen_draws g, w;
  double margin = 0;
  gen_row(&w, seed, -1); /* the plane */
  gen_row(&g, seed, row);
  for (int i = 0; i < 10; i++) {
    double x = (double)gen_below(&g, 1000000) / 1000000, weight = 2 * gen_unit(&w) - 1;
    if (drifted && i % 2 == 0) weight = -weight;
    margin += weight * (x - 0.5);
    gen_put(to, i ? ',' : 0, x, 6);
  }
  int is = margin > 0;
  if (gen_unit(&g) < 0.05) is = !is;
  fprintf(to, ",%d\n", is);
}

/* ---- dense: 30 standard normal numbers, logistic labels */

static void dense_begin(FILE *to, int64_t seed) {
  (void)seed;
  for (int i = 1; i <= 30; i++) fprintf(to, "x%d,", i);
  fputs("y\n", to);
}

static void dense_row(FILE *to, int64_t seed, int64_t row, int drifted) {
  gen_draws g, w;
  double margin = -0.3;
  gen_row(&w, seed, -2);
  gen_row(&g, seed, row);
  for (int i = 0; i < 30; i++) {
    double x = gen_normal(&g), weight = 0.5 * gen_normal(&w);
    margin += (drifted && i % 2 == 0 ? -weight : weight) * x;
    gen_put(to, i ? ',' : 0, x, 5);
  }
  fprintf(to, ",%d\n", margin + gen_logistic(&g) > 0);
}

/* ---- sparse: svmlight, 30 of 2^18 features, low numbers the most frequent; one in eight features matters */

enum { SPARSE_WIDTH = 1 << 18, SPARSE_ROW = 30 };

static void sparse_begin(FILE *to, int64_t seed) { (void)to; (void)seed; }

static double sparse_weight(int64_t seed, int64_t id) {
  gen_draws w;
  gen_row(&w, seed, -3 - id);
  return gen_unit(&w) < 0.125 ? 2 * gen_normal(&w) : 0;
}

static void sparse_row(FILE *to, int64_t seed, int64_t row, int drifted) {
  gen_draws g;
  int64_t id[SPARSE_ROW];
  double value[SPARSE_ROW], margin = -0.5;
  gen_row(&g, seed, row);
  for (int n = 0; n < SPARSE_ROW;) { /* sorted, without repeats */
    double u = gen_unit(&g);
    int64_t t = (int64_t)(SPARSE_WIDTH * (u * u * u));
    int at = n;
    while (at > 0 && id[at - 1] > t) at--;
    if (at > 0 && id[at - 1] == t) continue;
    memmove(id + at + 1, id + at, (size_t)(n - at) * sizeof *id);
    id[at] = t;
    n++;
  }
  for (int n = 0; n < SPARSE_ROW; n++) {
    value[n] = gen_normal(&g);
    margin += sparse_weight(seed, id[n]) * value[n];
  }
  if (drifted) margin = -margin;
  int is = margin + gen_logistic(&g) > 0;
  if (gen_unit(&g) < 0.05) is = !is;
  fputs(is ? "+1" : "-1", to);
  for (int n = 0; n < SPARSE_ROW; n++) {
    fprintf(to, " %lld:", (long long)id[n] + 1);
    gen_put(to, 0, value[n], 4);
  }
  fputc('\n', to);
}

static const gen_kind gen_sea = { "sea", sea_begin, sea_row };
static const gen_kind gen_hyperplane = { "hyperplane", hyperplane_begin, hyperplane_row };
static const gen_kind gen_dense = { "dense", dense_begin, dense_row };
static const gen_kind gen_sparse = { "sparse", sparse_begin, sparse_row };

int cmd_generate(const cli_args *a) {
  static const gen_kind *const kinds[] = { &gen_churn, &gen_sea, &gen_hyperplane, &gen_sparse, &gen_dense };
  enum { N = sizeof kinds / sizeof kinds[0] };
  const gen_kind *kind = NULL;
  const char *names[N];
  for (int i = 0; i < N; i++) {
    names[i] = kinds[i]->name;
    if (strcmp(names[i], a->files[0]) == 0) kind = kinds[i];
  }
  if (!kind) {
    const char *near = cli_nearest(a->files[0], names, N);
    if (near) return cli_wrong("generate: unknown kind '%s': did you mean '%s'?", a->files[0], near);
    return cli_wrong("generate: unknown kind '%s': expected churn, sea, hyperplane, sparse or dense", a->files[0]);
  }
  if (a->json && !a->output) return cli_wrong("generate: --json: the data itself goes to stdout: write it with -o FILE");
  if (a->n_sets) return cli_wrong("--set %s: `leat generate` has no parameters: leave it out", a->set_name[0]);
  cli_output o;
  cli_progress p;
  int status = cli_output_open(&o, a->output);
  if (status) return status;
  cli_catch_signals(NULL);
  cli_progress_begin(&p, a);
  if (!a->output) p.on = 0;
  double begun = cli_seconds();
  kind->begin(o.to, a->seed);
  for (int64_t r = 0; r < a->rows && !cli_interrupted() && !ferror(o.to); r++) {
    kind->row(o.to, a->seed, r, a->drift_at && r + 1 >= a->drift_at);
    if (r % 4096 == 0)
      cli_progress_show(&p, "row", (double)r, (double)a->rows, (double)r / (cli_seconds() - begun + 1e-9), NAN);
  }
  cli_progress_end(&p);
  if (cli_interrupted()) {
    cli_output_abort(&o);
    return cli_fail("stopped by a signal: nothing is written%s%s", a->output ? " at " : "", a->output ? a->output : "");
  }
  status = cli_output_commit(&o);
  if (status || !a->json) return status;
  return cli_json_print(json_pack("{s:s,s:I,s:I,s:I,s:s}", "kind", kind->name, "rows", (json_int_t)a->rows, "seed",
                                  (json_int_t)a->seed, "drift_at", (json_int_t)a->drift_at, "file", a->output));
}
