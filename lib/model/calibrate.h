/* Calibration: margins of a trained model -> probabilities that come true as often as they say, fitted on rows that the
 * model has not learned from.
 *
 * Two classes: z is the margin. More: the scores are made one class at a time from z_k = m_k - log sum of exp(m_j), j != k
 * (the class's log odds under softmax), and divided by their sum; temperature keeps the softmax as a whole. */
#ifndef LEAT_MODEL_CALIBRATE_H
#define LEAT_MODEL_CALIBRATE_H
#include "base/bytes.h"
enum { LT_CALIBRATE_NONE = 0, LT_CALIBRATE_PLATT = 1, LT_CALIBRATE_ISOTONIC = 2, LT_CALIBRATE_TEMPERATURE = 3 };
/* One score's map. platt: 1 / (1 + exp(-(x[0] z + y[0]))). isotonic: the knots (x ascending, y not falling) with straight
 * lines between and constant beyond. temperature (maps[0] alone): margins times x[0]. */
typedef struct lt_calibration_map { int64_t n; double *x, *y; } lt_calibration_map;
typedef struct lt_calibration {
  leat_runtime *rt;
  int32_t kind;
  int64_t n_out, n_maps;   /* maps: 1, or n_out of more than two classes */
  lt_calibration_map *map;
} lt_calibration;
/* "none", "platt", "isotonic", "temperature" */
int32_t lt_calibration_kind(const char *name);
/* margins[n, n_out] of rows with the classes y and weights w (NULL: ones). DATA when a class that must be told apart is
 * missing (two classes only: a class of more that has no rows gets what the prior says). */
leat_status lt_calibration_fit(leat_runtime *rt, int32_t kind, const double *margins, int64_t n, int64_t n_out,
                               const double *y, const double *w, lt_calibration **out, leat_error *err);
leat_status lt_calibration_copy(const lt_calibration *c, lt_calibration **out, leat_error *err);
void lt_calibration_free(lt_calibration *c);
/* margins[n_out] -> out[n_out]: P(class 1), or the probabilities of the classes. The two must not overlap. */
void lt_calibration_apply(const lt_calibration *c, const double *margins, double *out);
void lt_calibration_save(const lt_calibration *c, lt_put *w);
leat_status lt_calibration_load(leat_runtime *rt, int64_t n_out, lt_get *r, lt_calibration **out, leat_error *err);
#endif
