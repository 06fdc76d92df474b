/* DDM: the error rate p and its deviation s = sqrt(p (1 - p) / n) against where p + s was lowest. */
#include "stats/detector.h"
#include <math.h>

typedef struct ddm { double n, p, low, low_p, low_s, least, warning, drift; } ddm;

static void ddm_begin(ddm *d) {
  d->n = d->p = d->low_p = d->low_s = 0;
  d->low = INFINITY;
}
static void ddm_init(void *self, const leat_params *p) {
  ddm *d = self;
  d->least = (double)lt_param_int(p, "min_values");
  d->warning = lt_param_real(p, "warning");
  d->drift = lt_param_real(p, "drift");
  ddm_begin(d);
}
static int32_t ddm_add(void *self, double x) {
  ddm *d = self;
  d->n += 1;
  d->p += (x - d->p) / d->n;
  double s = sqrt(d->p * (1 - d->p) / d->n);
  if (d->n < d->least || !(d->p > 0)) return LT_STABLE;
  if (d->p + s <= d->low) {
    d->low = d->p + s;
    d->low_p = d->p;
    d->low_s = s;
  }
  if (d->p + s > d->low_p + d->drift * d->low_s) {
    ddm_begin(d);
    return LT_DRIFTED;
  }
  return d->p + s > d->low_p + d->warning * d->low_s ? LT_WARNED : LT_STABLE;
}
static double ddm_level(const void *self) { return ((const ddm *)self)->p; }

static const lt_param_def ddm_defs[] = {
    {"min_values", LEAT_PARAM_I64, "30", 1, 1000000000, NULL, "Values before it looks.", 1},
    {"warning", LEAT_PARAM_F64, "2", 0, 1000, NULL, "Deviations above the lowest rate for a warning.", 1},
    {"drift", LEAT_PARAM_F64, "3", 0, 1000, NULL, "Deviations above the lowest rate for a drift.", 1},
};
static const lt_spec ddm_spec = LT_DETECTOR_SPEC("detector/ddm", "DDM, on errors.", ddm_defs);
const lt_detector_kind lt_detector_ddm = {&ddm_spec, sizeof(ddm), ddm_init, ddm_add, ddm_level, NULL, NULL};
