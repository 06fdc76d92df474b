/* HDDM_A and HDDM_W: the mean (of everything, or fading) against its own lowest part, by the bounds of Hoeffding and of
 * McDiarmid. */
#include "stats/detector.h"
#include <math.h>

static const lt_param_def hddm_a_defs[] = {
    {"drift", LEAT_PARAM_F64, "0.001", 1e-300, 1, NULL, "Confidence of a drift: chance of a false one.", 1},
    {"warning", LEAT_PARAM_F64, "0.005", 1e-300, 1, NULL, "Confidence of a warning.", 1},
};
static const lt_param_def hddm_w_defs[] = {
    {"drift", LEAT_PARAM_F64, "0.001", 1e-300, 1, NULL, "Confidence of a drift: chance of a false one.", 1},
    {"warning", LEAT_PARAM_F64, "0.005", 1e-300, 1, NULL, "Confidence of a warning.", 1},
    {"lambda", LEAT_PARAM_F64, "0.05", 1e-9, 1, NULL, "Weight of the newest value.", 1},
};

/* ---- A: the first n_low values, whose upper bound was the lowest, against all n */
typedef struct hddm_a { double n, sum, n_low, low, drift, warning; } hddm_a;

static void hddm_a_init(void *self, const leat_params *p) {
  hddm_a *d = self;
  d->n = d->sum = d->n_low = d->low = 0;
  d->drift = log(1 / lt_param_real(p, "drift"));
  d->warning = log(1 / lt_param_real(p, "warning"));
}
static int hddm_a_rose(const hddm_a *d, double logs) {
  if (d->n_low >= d->n) return 0;
  double m = (d->n - d->n_low) / (d->n_low * d->n);
  return d->sum / d->n - d->low / d->n_low >= sqrt(m / 2 * (log(2) + logs));
}
static int32_t hddm_a_add(void *self, double x) {
  hddm_a *d = self;
  d->n += 1;
  d->sum += x;
  if (d->n_low == 0 ||
      d->low / d->n_low + sqrt(d->drift / (2 * d->n_low)) >= d->sum / d->n + sqrt(d->drift / (2 * d->n))) {
    d->n_low = d->n;
    d->low = d->sum;
  }
  if (hddm_a_rose(d, d->drift)) {
    d->n = d->sum = d->n_low = d->low = 0;
    return LT_DRIFTED;
  }
  return hddm_a_rose(d, d->warning) ? LT_WARNED : LT_STABLE;
}
static double hddm_a_level(const void *self) {
  const hddm_a *d = self;
  return d->n > 0 ? d->sum / d->n : 0;
}
static const lt_spec hddm_a_spec =
    LT_DETECTOR_SPEC("detector/hddm_a", "HDDM with Hoeffding's bound on means, for values in [0, 1].", hddm_a_defs);
const lt_detector_kind lt_detector_hddm_a = {&hddm_a_spec, sizeof(hddm_a), hddm_a_init, hddm_a_add, hddm_a_level, NULL, NULL};

/* ---- W: fading means; `weight`: the sum of the squared weights of the values in one, 0 none */
typedef struct fading { double mean, weight; } fading;
typedef struct hddm_w { fading all, low, since; double cut, drift, warning, lambda; } hddm_w;

static void fade_in(fading *f, double x, double lambda) {
  double keep = 1 - lambda;
  if (f->weight == 0) {
    f->mean = x;
    f->weight = 1;
    return;
  }
  f->mean = lambda * x + keep * f->mean;
  f->weight = lambda * lambda + keep * keep * f->weight;
}
static void hddm_w_begin(hddm_w *d) {
  d->all = d->low = d->since = (fading){0, 0};
  d->cut = INFINITY;
}
static void hddm_w_init(void *self, const leat_params *p) {
  hddm_w *d = self;
  hddm_w_begin(d);
  d->drift = log(1 / lt_param_real(p, "drift"));
  d->warning = log(1 / lt_param_real(p, "warning"));
  d->lambda = lt_param_real(p, "lambda");
}
static int hddm_w_rose(const hddm_w *d, double logs) {
  if (d->low.weight == 0 || d->since.weight == 0) return 0;
  return d->since.mean - d->low.mean > sqrt((d->low.weight + d->since.weight) * logs / 2);
}
static int32_t hddm_w_add(void *self, double x) {
  hddm_w *d = self;
  fade_in(&d->all, x, d->lambda);
  double bound = sqrt(d->all.weight * d->drift / 2);
  if (d->all.mean + bound < d->cut) {
    d->cut = d->all.mean + bound;
    d->low = d->all;
    d->since = (fading){0, 0};
  } else {
    fade_in(&d->since, x, d->lambda);
  }
  if (hddm_w_rose(d, d->drift)) {
    hddm_w_begin(d);
    return LT_DRIFTED;
  }
  return hddm_w_rose(d, d->warning) ? LT_WARNED : LT_STABLE;
}
static double hddm_w_level(const void *self) { return ((const hddm_w *)self)->all.mean; }
static const lt_spec hddm_w_spec =
    LT_DETECTOR_SPEC("detector/hddm_w", "HDDM with McDiarmid's bound on fading means, for values in [0, 1].", hddm_w_defs);
const lt_detector_kind lt_detector_hddm_w = {&hddm_w_spec, sizeof(hddm_w), hddm_w_init, hddm_w_add, hddm_w_level, NULL, NULL};
