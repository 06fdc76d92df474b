/* Dual coordinate ascent for one margin and a penalty l2 > 0 on every slot.
 *
 * The dual variables are one number a row, beta, with weights = sum beta_i x_i / penalty; what is maximised is
 *   sum_i h_i(beta_i) - 1/2 |r|^2,   r = sum beta_i x_i / sqrt(penalty),   lo_i <= beta_i <= hi_i.
 * A coordinate's best value has a closed form (Hsieh, Chang, Lin, Keerthi, Sundararajan: "A dual coordinate descent method
 * for large-scale linear SVM", ICML 2008, with their shrinking of rows that rest at a bound), for logistic a few Newton
 * steps (Yu, Huang, Lin: "Dual coordinate descent methods for logistic regression and maximum entropy models", Machine
 * Learning 85, 2011).
 *
 * An intercept free of penalty asks for sum beta_i = 0. That is reached by the method of multipliers: the intercept is
 * centre + sum beta_i / rho, coordinates are ascended with it, and at the start of an iteration the centre moves to where
 * the intercept is. The dual value of a report is that of beta with one side's variables scaled until their sum is 0, so
 * the gap to the objective is a true bound on how far it is from its least value.
 *
 * Rows that belong to large data are dealt to LANES of their own, by shape alone. A lane ascends its rows of a round
 * against its own copy of r; then the lanes' changes are added in their order, all times the one step in (0, 1] that
 * raises the dual most (Lee, Roth: "Distributed box-constrained quadratic optimization for dual linear SVM", ICML 2015).
 * Threads only decide who runs a lane. */
#ifndef LEAT_TRAIN_DUAL_H
#define LEAT_TRAIN_DUAL_H
#include "train/objective.h"
typedef struct lt_dual lt_dual;
/* Whether the loss has a dual here. */
int lt_dual_takes(const lt_loss *loss);
/* spread: the unit of margins (1 for classes, the deviation of numeric targets). FAIL: MEMORY, UNSUPPORTED (too many rows). */
leat_status lt_dual_create(lt_objective *o, double spread, lt_dual **out, leat_error *err);
void lt_dual_free(lt_dual *s);
/* One iteration from the solution `base` (objective's units) and the dual variables kept: begin, waves until *done, then the
 * new point in `point`; a wave is one round, *rows that it visited. */
void lt_dual_begin(lt_dual *s, const double *base);
leat_status lt_dual_wave(lt_dual *s, int64_t *rows, int *done, leat_error *err);
void lt_dual_point(const lt_dual *s, double *point);
/* 1: the side whose variables must be scaled is in o->curve, and lt_dual_value wants sum curve_i x_i in g (a LT_WANT_HV pass
 * at the point whose intercept alone is 1); 0: nothing needed. */
int lt_dual_prepare(lt_dual *s);
/* A lower bound of the objective: the dual value. */
double lt_dual_value(lt_dual *s, const double *g);
/* The iteration's variables become the kept ones. */
void lt_dual_commit(lt_dual *s);
/* 1: the last iteration has not moved anything by more than arithmetic's noise. */
int lt_dual_stuck(const lt_dual *s);
/* What a checkpoint keeps: the variables, one a row; how far coordinates may be from their best; iterations so far. */
double *lt_dual_beta(lt_dual *s);
void lt_dual_state(lt_dual *s, double **limit, int64_t **iterations);
/* For tests: how many lanes. */
int64_t lt_dual_lanes(const lt_dual *s);
#endif
