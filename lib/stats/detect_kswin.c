/* KSWIN: the newest values against a sample of those before them in a window, by the test of Kolmogorov and Smirnov. The
 * sample is drawn by a counter, so that a detector does the same whoever runs it. */
#include "stats/detector.h"
#include <math.h>
#include <string.h>
#include "base/rng.h"

enum { KSWIN_MOST = 512 };
typedef struct kswin { double n, window, recent, alpha, drawn, value[KSWIN_MOST]; } kswin;

static void kswin_init(void *self, const leat_params *p) {
  kswin *d = self;
  memset(d, 0, sizeof *d);
  d->window = (double)lt_param_int(p, "window");
  d->recent = (double)lt_param_int(p, "recent");
  if (d->recent > d->window / 2) d->recent = floor(d->window / 2);
  d->alpha = lt_param_real(p, "alpha");
}
static void ascending(double *v, int n) { /* insertion: a few dozen values */
  for (int i = 1; i < n; i++) {
    double x = v[i];
    int j = i;
    for (; j > 0 && v[j - 1] > x; j--) v[j] = v[j - 1];
    v[j] = x;
  }
}
/* Largest distance of the two distribution functions; *above: the mean of a lies above b's. */
static double ks_distance(double *a, double *b, int n, int *above) {
  double most = 0, sum = 0;
  int i = 0, j = 0;
  ascending(a, n);
  ascending(b, n);
  for (int k = 0; k < n; k++) sum += a[k] - b[k];
  *above = sum > 0;
  while (i < n && j < n) {
    double x = a[i] < b[j] ? a[i] : b[j];
    while (i < n && a[i] <= x) i++;
    while (j < n && b[j] <= x) j++;
    double gap = fabs((double)(i - j)) / n;
    if (gap > most) most = gap;
  }
  return most;
}
static int32_t kswin_add(void *self, double x) {
  kswin *d = self;
  int window = (int)d->window, n = (int)d->recent, above = 0, old = window - n;
  double newest[KSWIN_MOST], sample[KSWIN_MOST];
  if ((int)d->n == window) {
    memmove(d->value, d->value + 1, (size_t)(window - 1) * sizeof *d->value);
    d->n -= 1;
  }
  d->value[(int)d->n] = x;
  d->n += 1;
  if ((int)d->n < window) return LT_STABLE;
  lt_rng draw;
  lt_rng_init(&draw, 0x6b7377696e, (uint64_t)d->drawn);
  d->drawn += 1;
  for (int i = 0; i < n; i++) {
    newest[i] = d->value[old + i];
    sample[i] = d->value[lt_rng_below(&draw, (uint64_t)old)];
  }
  double gap = ks_distance(newest, sample, n, &above), size = sqrt(n / 2.0); /* n n / (n + n) */
  double t = (size + 0.12 + 0.11 / size) * gap, p = 0; /* Stephens 1970 */
  for (int k = 1; k <= 20; k++) p += (k % 2 ? 2 : -2) * exp(-2.0 * k * k * t * t);
  if (!(gap > 0.1 && p < d->alpha)) return LT_STABLE;
  memmove(d->value, d->value + old, (size_t)n * sizeof *d->value);
  d->n = n;
  return above ? LT_DRIFTED : LT_STABLE;
}
static double kswin_level(const void *self) {
  const kswin *d = self;
  double sum = 0;
  for (int i = 0; i < (int)d->n; i++) sum += d->value[i];
  return d->n > 0 ? sum / d->n : 0;
}

static void kswin_put(const void *self, lt_put *w) {
  const kswin *d = self;
  lt_put_f64(w, d->drawn);
  lt_put_f64s(w, d->value, (uint64_t)d->n);
}
static void kswin_get(void *self, lt_get *r) {
  kswin *d = self;
  double drawn = lt_get_f64(r);
  uint64_t n = lt_get_count(r, sizeof(double), (uint64_t)d->window);
  if (!(drawn >= 0 && drawn < 9e15)) lt_get_fail(r, LEAT_E_FORMAT);
  for (uint64_t i = 0; i < n && !r->failed; i++) d->value[i] = lt_get_f64(r);
  if (r->failed) return;
  d->n = (double)n;
  d->drawn = drawn;
}

static const lt_param_def kswin_defs[] = {
    {"window", LEAT_PARAM_I64, "100", 4, KSWIN_MOST, NULL, "Values that it keeps.", 1},
    {"recent", LEAT_PARAM_I64, "30", 2, KSWIN_MOST / 2, NULL, "The newest of them, and how many of the others are drawn.", 1},
    {"alpha", LEAT_PARAM_F64, "0.005", 1e-300, 1, NULL, "Level of the test, which is made with every value.", 1},
};
static const lt_spec kswin_spec = LT_DETECTOR_SPEC("detector/kswin", "A Kolmogorov-Smirnov test in a sliding window.", kswin_defs);
const lt_detector_kind lt_detector_kswin = {&kswin_spec, sizeof(kswin), kswin_init, kswin_add, kswin_level, kswin_put, kswin_get};
