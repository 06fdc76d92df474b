/* ADWIN as a detector: the window is cut at any change; only one for the worse is a drift. */
#include "stats/adwin.h"
#include "stats/detector.h"

typedef struct adwin_detector { lt_adwin window; double delta; } adwin_detector;

static void adwin_begin(void *self, const leat_params *p) {
  adwin_detector *d = self;
  lt_adwin_init(&d->window, 0, (int)lt_param_int(p, "every"));
  d->delta = lt_param_real(p, "delta");
}
static int32_t adwin_value(void *self, double x) {
  adwin_detector *d = self;
  lt_adwin_add(&d->window, x);
  if (!lt_adwin_changed(&d->window, d->delta, NULL)) return LT_STABLE;
  double before = lt_adwin_mean(&d->window);
  lt_adwin_cut(&d->window, d->delta);
  return lt_adwin_mean(&d->window) > before ? LT_DRIFTED : LT_STABLE;
}
static double adwin_level(const void *self) { return lt_adwin_mean(&((const adwin_detector *)self)->window); }
static void adwin_put(const void *self, lt_put *w) { lt_adwin_save(&((const adwin_detector *)self)->window, w); }
static void adwin_get(void *self, lt_get *r) { lt_adwin_load(&((adwin_detector *)self)->window, r); }

static const lt_param_def adwin_defs[] = {
    {"delta", LEAT_PARAM_F64, "0.002", 1e-300, 1, NULL, "Confidence: chance of a false cut at a look.", 1},
    {"every", LEAT_PARAM_I64, "32", 1, 1000000, NULL, "It looks every so many values.", 1},
};
static const lt_spec adwin_spec =
    LT_DETECTOR_SPEC("detector/adwin", "ADWIN: a window that is as long as its mean has not changed, for values in [0, 1].", adwin_defs);
const lt_detector_kind lt_detector_adwin = {&adwin_spec, sizeof(adwin_detector), adwin_begin, adwin_value, adwin_level, adwin_put, adwin_get};
