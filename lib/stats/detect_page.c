/* Page's cumulative sums of what lies above the mean so far: CUSUM, and Page-Hinkley, whose sum fades. */
#include "stats/detector.h"

typedef struct page { double n, mean, sum, least, delta, limit, keep; } page;

static void page_begin(page *d) { d->n = d->mean = d->sum = 0; }
static void page_init(page *d, const leat_params *p, double keep) {
  d->least = (double)lt_param_int(p, "min_values");
  d->delta = lt_param_real(p, "delta");
  d->limit = lt_param_real(p, "limit");
  d->keep = keep;
  page_begin(d);
}
static void cusum_init(void *self, const leat_params *p) { page_init(self, p, 1); }
static void hinkley_init(void *self, const leat_params *p) { page_init(self, p, lt_param_real(p, "keep")); }
static int32_t page_add(void *self, double x) {
  page *d = self;
  d->n += 1;
  d->mean += (x - d->mean) / d->n;
  double sum = d->keep * d->sum + (x - d->mean - d->delta);
  d->sum = sum > 0 ? sum : 0;
  if (d->n < d->least || d->sum <= d->limit) return LT_STABLE;
  page_begin(d);
  return LT_DRIFTED;
}
static double page_level(const void *self) { return ((const page *)self)->mean; }

static const lt_param_def cusum_defs[] = {
    {"min_values", LEAT_PARAM_I64, "30", 1, 1000000000, NULL, "Values before it looks.", 1},
    {"delta", LEAT_PARAM_F64, "0.005", 0, 1e9, NULL, "How far a value may lie above the mean without counting.", 1},
    {"limit", LEAT_PARAM_F64, "50", 0, 1e12, NULL, "The sum that is a drift.", 1},
};
static const lt_param_def hinkley_defs[] = {
    {"min_values", LEAT_PARAM_I64, "30", 1, 1000000000, NULL, "Values before it looks.", 1},
    {"delta", LEAT_PARAM_F64, "0.005", 0, 1e9, NULL, "How far a value may lie above the mean without counting.", 1},
    {"limit", LEAT_PARAM_F64, "50", 0, 1e12, NULL, "The sum that is a drift.", 1},
    {"keep", LEAT_PARAM_F64, "0.9999", 0, 1, NULL, "What is left of the sum with the next value.", 1},
};
static const lt_spec cusum_spec = LT_DETECTOR_SPEC("detector/cusum", "Page's cumulative sum.", cusum_defs);
static const lt_spec hinkley_spec =
    LT_DETECTOR_SPEC("detector/page_hinkley", "The test of Page and Hinkley with a sum that fades.", hinkley_defs);
const lt_detector_kind lt_detector_cusum = {&cusum_spec, sizeof(page), cusum_init, page_add, page_level, NULL, NULL};
const lt_detector_kind lt_detector_page_hinkley = {&hinkley_spec, sizeof(page), hinkley_init, page_add, page_level, NULL, NULL};
