/* EDDM: the distance between two errors, m + 2 s, against where it was largest. As in MOA: the largest one counts from the
 * min_errors-th value on, it looks behind as many errors, and the first error's distance is from the beginning. */
#include "stats/detector.h"
#include <math.h>

typedef struct eddm { double n, errors, last, mean, square, most, least, warning, drift; } eddm;

static void eddm_begin(eddm *d) { d->n = d->errors = d->last = d->mean = d->square = d->most = 0; }
static void eddm_init(void *self, const leat_params *p) {
  eddm *d = self;
  d->least = (double)lt_param_int(p, "min_errors");
  d->warning = lt_param_real(p, "warning");
  d->drift = lt_param_real(p, "drift");
  eddm_begin(d);
}
static int32_t eddm_add(void *self, double x) {
  eddm *d = self;
  d->n += 1;
  if (!(x > 0.5)) return LT_STABLE;
  double gap = d->n - d->last, before = d->mean;
  d->last = d->n;
  d->errors += 1;
  d->mean += (gap - before) / d->errors;
  d->square += (gap - before) * (gap - d->mean);
  double reach = d->mean + 2 * sqrt(d->square / d->errors);
  if (d->n < d->least) return LT_STABLE;
  if (reach > d->most) {
    d->most = reach;
    return LT_STABLE;
  }
  if (d->errors <= d->least) return LT_STABLE;
  if (reach < d->drift * d->most) {
    eddm_begin(d);
    return LT_DRIFTED;
  }
  return reach < d->warning * d->most ? LT_WARNED : LT_STABLE;
}
static double eddm_level(const void *self) {
  const eddm *d = self;
  return d->mean > 0 ? 1 / d->mean : 0;
}

static const lt_param_def eddm_defs[] = {
    {"min_errors", LEAT_PARAM_I64, "30", 1, 1000000000, NULL, "Errors before it looks, and values before a distance counts.", 1},
    {"warning", LEAT_PARAM_F64, "0.95", 0, 1, NULL, "Share of the largest distance below which it warns.", 1},
    {"drift", LEAT_PARAM_F64, "0.9", 0, 1, NULL, "Share of the largest distance below which it is a drift.", 1},
};
static const lt_spec eddm_spec =
    LT_DETECTOR_SPEC("detector/eddm", "EDDM, on errors. It raises many false alarms: for comparisons.", eddm_defs);
const lt_detector_kind lt_detector_eddm = {&eddm_spec, sizeof(eddm), eddm_init, eddm_add, eddm_level, NULL, NULL};
