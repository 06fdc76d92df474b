/* The objective of a linear model and its derivatives, as resumable passes over a design matrix.
 *
 *   F(u) = sum_i weight_i loss(X_i u_k + c_k, y_i) + 1/2 sum_k sum_j pen_j u_kj^2
 *
 * u: n_out rows of n_par numbers, the slots in the design's units and, last, the intercept (pen 0) where there is one.
 * With x = (encoded - shift) * scale a weight of the encoded slot is u * scale, so pen_j = l2 * scale_j^2.
 *
 * Work is cut by shape alone: the rows into tiles, the tiles into at most LT_LANES runs ("lanes"), each lane with its own
 * sums; lanes are added in their order. Threads only decide who runs a lane, so every number is the same at any count. */
#ifndef LEAT_TRAIN_OBJECTIVE_H
#define LEAT_TRAIN_OBJECTIVE_H
#include "device/vec.h"
#include "model/loss.h"
#include "train/design.h"
enum { LT_LANES = 16 };
enum {
  LT_WANT_LOSS = 1,
  LT_WANT_GRAD = 2,
  LT_WANT_HESS = 4,   /* h, all of it: only while every slot is dense */
  LT_WANT_DIAG = 8,   /* the Hessian's diagonal */
  LT_WANT_CURVE = 16, /* curve[k, row]: second derivative of the row's loss by margin k; for LT_WANT_HV (n_out 1) later */
  LT_WANT_HV = 32     /* g = Hessian * point with the curve; nothing else */
};
typedef struct lt_lane {
  double loss, weight, gap;
  double *g, *h, *diag;
  float *gf, *z, *v, *c;  /* scratch of a tile: gradient, margins, first and second derivatives */
  double *zd, *eval;
  int64_t first, last, next;
} lt_lane;
typedef struct lt_objective {
  leat_runtime *rt;
  const lt_vec *vec;
  const lt_design *d;
  const lt_loss *loss;
  lt_loss_args args;       /* width: of this pass, as the solution's course wants it */
  int logistic, squared;
  int wide;                /* margins in double: exact, squared, and every loss without kernels */
  int exact;               /* margins and gradients in double throughout: few rows, where that costs nothing */
  int64_t n_out, n_par, n; /* n = n_out * n_par */
  int intercept;
  double *pen;             /* [n_par] */
  float *y32, *w32;        /* [n] for the logistic kernel; w32 NULL: ones */
  int64_t n_lanes;
  lt_lane *lanes;
  /* the pass that runs */
  uint32_t want;
  const double *point;
  float *point32;          /* [n_out, ld] dense, then [n_out, n_par - n_dense] sparse and intercept */
  int64_t part;
  int running;
  /* results of the last pass */
  double f, share;         /* share: of the weights that the pass saw (1 for a whole pass) */
  double gap;              /* LT_LOSS_SMOOTHED: see lt_loss.gap */
  double *g, *h, *diag;
  float *curve, *curve_new; /* a pass writes curve_new; lt_objective_keep_curve makes it the one that LT_WANT_HV uses */
} lt_objective;
typedef struct lt_objective_plan {
  const lt_vec *vec;
  const lt_design *design;
  const lt_loss *loss;
  lt_loss_args args;
  int64_t n_out;
  int intercept;
  double l2;
  uint32_t want;           /* every LT_WANT_* that will be asked for: decides what memory is taken */
} lt_objective_plan;
leat_status lt_objective_create(const lt_objective_plan *plan, lt_objective **out, leat_error *err);
void lt_objective_free(lt_objective *o);
/* Starts a pass at point[n] (which stays as it is until the pass is done) over one of `part` of the tiles of each lane:
 * then loss, gradient and Hessian are those of these rows, with the penalty's share. */
void lt_pass_start(lt_objective *o, const double *point, uint32_t want, int64_t part);
/* One wave of at least one tile a lane and about max_rows rows. *rows: how many it was. *done: the results are there. */
leat_status lt_pass_wave(lt_objective *o, int64_t max_rows, int64_t *rows, int *done, leat_error *err);
void lt_objective_keep_curve(lt_objective *o);
/* Margins of row r, [n_out], in double. */
void lt_objective_margins(const lt_objective *o, const double *point, int64_t r, double *f);
#endif
