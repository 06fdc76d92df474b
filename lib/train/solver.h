/* Solvers: resumable state machines over passes of an objective.
 *
 * A solver stands at a base point whose loss and gradient are known, asks for passes, and at last offers a better point
 * ("accept") or gives up ("stuck": no better point can be told apart in this arithmetic). What a checkpoint must hold is
 * the state at a base point and nothing else: base, and for L-BFGS its history, for TRON its radius. All else (gradient,
 * Hessian, curvature) is made again from the base by one pass, which gives the same bits. */
#ifndef LEAT_TRAIN_SOLVER_H
#define LEAT_TRAIN_SOLVER_H
#include "train/dual.h"
/* DUAL: see dual.h. CD: coordinate descent on Newton's model with its whole Hessian (few dense slots); CD_ROWS: on the rows, column by column. */
enum { LT_SOLVER_NEWTON = 1, LT_SOLVER_LBFGS = 2, LT_SOLVER_TRON = 3, LT_SOLVER_CD = 4, LT_SOLVER_CD_ROWS = 5, LT_SOLVER_DUAL = 6 };
enum { LT_MORE = 0, LT_ACCEPT = 1, LT_STUCK = 2 };
/* A design's columns: the dense ones lie one after another, the others compressed. */
typedef struct lt_columns {
  leat_runtime *rt;
  float *dense;         /* [n_dense, n] */
  int64_t *start;       /* [n_slots - n_dense + 1] */
  int32_t *row;
  float *value;         /* NULL: all ones */
  double *moved;        /* [n_out, n] work: X direction */
} lt_columns;
typedef struct lt_solver {
  leat_runtime *rt;
  lt_objective *o;
  int32_t kind, second; /* second: TRON, when L-BFGS hands over to it; else 0 */
  int64_t n, memory;
  double tolerance;
  /* the state at the base point, kept in checkpoints */
  double *base;
  double g0;            /* norm of the gradient at zero; < 0: not known yet */
  double radius, radius_base; /* TRON: < 0: not set yet; _base: as it was at the base point */
  int64_t count, head;  /* L-BFGS: pairs held, and where the next one goes */
  double *s, *y, *rho;  /* L-BFGS: [memory, n], [memory, n], [memory] */
  double *metric;       /* L-BFGS: diagonal of the Hessian at zero, [n] */
  const double *l1;     /* CD: [n] the penalty on |u_j|; else NULL. Then f is the objective with it */
  lt_columns *columns;  /* CD_ROWS; owned */
  lt_dual *dual;        /* DUAL; owned */
  /* work */
  double f, *g, gap;    /* at the base */
  int has_h;            /* Newton: o->h is the Hessian at the base */
  double *point, *dir;  /* trial point, direction */
  double *diag;         /* TRON: of the base (o's are the trial point's) */
  double *factor;       /* Newton: [n, n] */
  double *alpha;        /* L-BFGS: [memory] */
  double *hv_dir;       /* CD: Hessian times direction */
  double *r, *hd, *z, *step;
  double step_len, slope, low, high, gz, cg_goal;
  int64_t cg, tries;
  int hv;               /* TRON: the running pass is a Hessian-vector product; DUAL: the sum over one side */
  int ascending;        /* DUAL: waves over its own rows are wanted (lt_solver_ascend), not a pass */
  const double *next_point; /* the pass that is wanted */
  uint32_t next_want;
} lt_solver;
/* The passes (LT_WANT_*) that a kind needs, for lt_objective_create. */
uint32_t lt_solver_wants(int32_t kind);
leat_status lt_solver_create(leat_runtime *rt, int32_t kind, int64_t n, int64_t memory, double tolerance, lt_solver **out,
                             leat_error *err);
/* Room for the kind that lt_solver_change may hand over to. FAIL: MEMORY. */
leat_status lt_solver_second(lt_solver *s, int32_t kind, leat_error *err);
/* At a settled base: 1 when L-BFGS gets on so slowly that the second kind has taken over; the base wants a pass again. */
int lt_solver_change(lt_solver *s);
void lt_solver_free(lt_solver *s);
/* What the pass at a base point must give. */
uint32_t lt_solver_base_want(const lt_solver *s);
/* The pass at the base is done (o has the results). Copies f and g. */
void lt_solver_at_base(lt_solver *s);
/* The norm of the (with l1: least sub-) gradient at the base, and whether it is small beside g0. */
double lt_solver_gradient(const lt_solver *s);
int lt_solver_converged(const lt_solver *s, double tolerance);
/* The objective changes under the base (a narrower smoothing): what was learned of its curvature is dropped. */
void lt_solver_forget(lt_solver *s);
/* Sets next_point and next_want for the first pass from the base. LT_MORE or LT_STUCK. */
int lt_solver_begin(lt_solver *s);
/* The wanted pass is done. LT_MORE (next_* are set), LT_ACCEPT (o holds f and g of s->point) or LT_STUCK. */
int lt_solver_after(lt_solver *s);
/* DUAL while ascending: some rows. When the iteration's sweeps are over a pass is wanted. */
leat_status lt_solver_ascend(lt_solver *s, int64_t *rows, leat_error *err);
/* The offered point becomes the base. */
void lt_solver_commit(lt_solver *s);
double lt_norm(const double *v, int64_t n);
double lt_dot(const double *a, const double *b, int64_t n);
/* The relative error to which two values of the objective can be told apart. */
double lt_solver_noise(const lt_solver *s);

int lt_newton_begin(lt_solver *s);
int lt_newton_after(lt_solver *s);
int lt_lbfgs_begin(lt_solver *s);
int lt_lbfgs_after(lt_solver *s);
void lt_lbfgs_commit(lt_solver *s);
int lt_tron_begin(lt_solver *s);
int lt_tron_after(lt_solver *s);
int lt_cd_begin(lt_solver *s);
int lt_cd_after(lt_solver *s);
double lt_cd_penalty(const lt_solver *s, const double *point); /* 0 without l1 */
double lt_cd_gradient(const lt_solver *s, const double *point, const double *g);
leat_status lt_columns_create(const lt_design *d, int64_t n_out, lt_columns **out, leat_error *err);
void lt_columns_free(lt_columns *c);
/* In place Cholesky of the symmetric a [n, n] (lower triangle used) ; 0 when it is not positive definite. solve: x = a^-1 b, in place. For tests too. */
int lt_cholesky(const lt_vec *vec, double *a, int64_t n);
void lt_cholesky_solve(const lt_vec *vec, const double *a, int64_t n, double *b);
#endif
