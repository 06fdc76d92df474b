/* What is done with a prediction: from which probability up the second class is the answer, and how far around a number the
 * truth lies; both found on rows that the model has not learned from. */
#ifndef LEAT_MODEL_DECISION_H
#define LEAT_MODEL_DECISION_H
#include "base/bytes.h"
typedef struct lt_decision {
  double threshold;   /* two classes; 0.5: as without one */
  double interval[3]; /* numbers: the share that it holds (0: none), then what is added to the prediction for its lower and
                       * upper end */
} lt_decision;
#define LT_DECISION_NONE ((lt_decision){0.5, {0, 0, 0}})
int lt_decision_is_none(const lt_decision *d);
/* The threshold that costs least on rows with P(class 1) p[n], classes y and weights w (NULL: ones), where answering class
 * 1 wrongly costs `positive`, missing it `negative`: half way between two predictions; of equal ones the nearest to
 * positive / (positive + negative), where it is for perfect probabilities (Elkan: "The foundations of cost-sensitive
 * learning", IJCAI 2001). */
leat_status lt_decision_threshold(leat_runtime *rt, const double *p, const double *y, const double *w, int64_t n,
                                  double positive, double negative, double *threshold, leat_error *err);
/* Split conformal prediction (Lei et al.: "Distribution-free predictive inference for regression", JASA 2018) with half
 * of the misses on either side: the ends are the weighted quantiles of the residuals (truth - prediction) at ranks of n + 1.
 * A new row of the same source falls inside with probability >= share. DATA: too few rows for the share. */
leat_status lt_decision_interval(leat_runtime *rt, const double *residual, const double *w, int64_t n, double share,
                                 double interval[3], leat_error *err);
void lt_decision_save(const lt_decision *d, lt_put *w);
void lt_decision_load(lt_decision *d, lt_get *r); /* fails r when it is damaged */
#endif
