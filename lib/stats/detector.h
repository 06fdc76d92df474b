/* Drift detectors behind one table. A detector is fed one value after the other - an error (0 or 1), or a loss - and says
 * whether it has grown. Detection is one-sided: getting better is no alarm. After a drift it begins anew.
 *   adwin   Bifet, Gavalda: Learning from time-changing data with adaptive windowing, SDM 2007
 *   ddm     Gama et al.: Learning with drift detection, SBIA 2004                       errors only
 *   eddm    Baena-Garcia et al.: Early drift detection method, 2006                     errors only; many false alarms
 *   hddm_a, hddm_w  Frias-Blanco et al.: Online and non-parametric drift detection methods based on Hoeffding's bounds,
 *           IEEE TKDE 27 (2015)                                                         values in [0, 1]
 *   page_hinkley, cusum  Page: Continuous inspection schemes, Biometrika 41 (1954); Hinkley 1971
 *   kswin   Raab et al.: Reactive soft prototype computing for concept drift streams, Neurocomputing 416 (2020)
 * State is a string of doubles, so that a detector can be saved anywhere. */
#ifndef LEAT_STATS_DETECTOR_H
#define LEAT_STATS_DETECTOR_H
#include "base/params.h"
enum { LT_STABLE = 0, LT_WARNED = 1, LT_DRIFTED = 2 };
typedef struct lt_detector_kind {
  const lt_spec *spec;         /* "detector/ddm" */
  uint64_t bytes;              /* of its state: doubles only, or put and get are there */
  void (*init)(void *self, const leat_params *p);
  int32_t (*add)(void *self, double x);
  double (*level)(const void *self);   /* the mean it now believes in */
  void (*put)(const void *self, lt_put *w);
  void (*get)(void *self, lt_get *r);
} lt_detector_kind;
typedef struct leat_detector lt_detector;
const lt_detector_kind *const *lt_detector_kinds(int64_t *count);
/* p: of "detector/NAME". */
leat_status lt_detector_create(leat_runtime *rt, const leat_params *p, lt_detector **out, leat_error *err);
void lt_detector_free(lt_detector *d);
void lt_detector_reset(lt_detector *d); /* as if it had seen nothing; the counts stay */
/* LT_STABLE, LT_WARNED or LT_DRIFTED. x must be finite. */
int32_t lt_detector_add(lt_detector *d, double x);
double lt_detector_level(const lt_detector *d);
int64_t lt_detector_seen(const lt_detector *d);
int64_t lt_detector_drifts(const lt_detector *d);
void lt_detector_save(const lt_detector *d, lt_put *w);
leat_status lt_detector_restore(lt_detector *d, lt_get *r, leat_error *err); /* into one of the same parameters */
extern const lt_detector_kind lt_detector_adwin, lt_detector_ddm, lt_detector_eddm, lt_detector_hddm_a, lt_detector_hddm_w,
    lt_detector_page_hinkley, lt_detector_cusum, lt_detector_kswin;
#define LT_DETECTOR_SPEC(title, text, table) {title, text, table, (int64_t)(sizeof table / sizeof table[0])}
#endif
