/* The trainer's inside, shared by the files of this folder.
 *
 * A trainer goes through phases; each but DONE is one pass over rows at a time:
 *   NULL_MODEL  the gradient of the model that knows only the intercept: what "small" is measured against
 *   SUB_BASE, SUB_SEARCH  Newton on every n-th part of large data, for a start that is nearly there
 *   BASE        loss and gradient at the present parameters (first iteration, and after a checkpoint)
 *   FIRST_SCORE the validation loss there
 *   SEARCH      the solver's own passes for one iteration
 *   SCORE       the validation loss of the point it found
 * An iteration ends with the parameters replaced ("commit"). Checkpoints hold the state at the last commit. */
#ifndef LEAT_TRAIN_STATE_H
#define LEAT_TRAIN_STATE_H
#include <stdatomic.h>
#include "train/learn.h"
#include "train/net.h"
#include "train/solver.h"
#include "train/trainer.h"
enum { PHASE_NULL_MODEL = 1, PHASE_SUB_BASE, PHASE_SUB_SEARCH, PHASE_BASE, PHASE_FIRST_SCORE, PHASE_SEARCH, PHASE_SCORE,
       PHASE_DONE };
/* What a checkpoint brings back, until set_data has the rows to go on with. */
typedef struct lt_resume {
  int32_t kind;
  int64_t n, n_valid_rows;
  uint64_t train_sum, valid_sum;
  double *base, *metric, *s, *y, *rho; /* as in lt_solver */
  int64_t count, head;
  double g0, radius, width;
  /* networks: parameters, best, the optimiser's vectors (NULL: there is none), and where in the epoch */
  float *net[4];
  uint64_t n_net[4];
  int64_t steps, epoch_rows;
  double loss_sum;
} lt_resume;
struct leat_trainer {
  leat_runtime *rt;
  lt_online_trainer *online; /* NULL: offline; else the solution's fields below are not used */
  lt_net *net;              /* not NULL: a network; then there are no objectives and no solver */
  lt_owner owner;
  leat_params *settings;
  const lt_family *family;
  const leat_device *dev;
  const lt_vec *vec;
  leat_schema *wanted;      /* given at create, or NULL */
  leat_schema *schema;      /* of the model; NULL before set_data */
  lt_encoder *encoder;
  const leat_model *warm;   /* from_model, or NULL */
  char *lineage;
  lt_resume *resume;
  const leat_dataset *train, *valid;
  lt_design *x, *xv;
  lt_objective *o, *ov;
  lt_solver *solver;
  const lt_loss *loss;
  lt_task task;
  int32_t intercept, has_valid;
  uint64_t train_sum, valid_sum;
  int32_t summed;
  double *null_model;       /* [n] */
  /* progress of the solution */
  int32_t phase, pass_open, sub_steps;
  int32_t warm_start;       /* the start is a model's, not the null model's */
  int64_t part;             /* SUB_*: one of so many of each lane's tiles */
  int64_t iterations, max_iterations, patience;
  int64_t rows_seen, rows_seen_base; /* _base: at the last commit */
  double *best, score, best_score;
  int64_t since_best, best_iteration;
  double least_width;       /* LT_LOSS_SMOOTHED: no stage is narrower */
  double *l1;               /* [n] for the solver, or NULL */
  double last_loss;
  int64_t elapsed_ns;
  /* for other threads */
  atomic_int cancelled, state_now;
  _Atomic int64_t step_now, rows_now, elapsed_now, started_now;
  _Atomic uint64_t loss_now, score_now;
};
/* schema: of the rows to come, or NULL */
leat_status lt_trainer_alloc(leat_runtime *rt, const leat_params *settings, const leat_schema *schema,
                             const leat_device *dev, leat_trainer **out, leat_error *err);
leat_status lt_trainer_is_online(leat_error *err); /* the error of offline calls */
void lt_resume_free(leat_runtime *rt, lt_resume *r);
/* Moves on until max_rows rows are seen or, with one_iteration, an iteration has ended. */
leat_status lt_trainer_advance(leat_trainer *t, int64_t max_rows, int one_iteration, leat_error *err);
void lt_trainer_publish(leat_trainer *t);
void lt_trainer_publish_online(leat_trainer *t);
/* The present (or best) solution's margins of a set's rows (0 train, 1 valid): *out [n, n_out] (lt_free). */
leat_status lt_trainer_margins(leat_trainer *t, int set, double **out, leat_error *err);
/* Parameters of the family from the present (or best) solution. */
leat_status lt_trainer_params(leat_trainer *t, void **params, leat_error *err);
/* The loss's numbers from the settings and the training targets; FAIL: a target that the loss does not take. */
leat_status lt_trainer_loss(const leat_trainer *t, lt_loss_args *args, leat_error *err);
/* Probabilities of the solution's margins as the settings want them, NULL: the loss's link. */
leat_status lt_trainer_calibration(leat_trainer *t, lt_calibration **out, leat_error *err);
/* Threshold and interval of the solution as the settings want them; c: its calibration or NULL. */
leat_status lt_trainer_decision(leat_trainer *t, const lt_calibration *c, lt_decision *out, leat_error *err);
/* The intercept of the model that knows nothing else. */
leat_status lt_trainer_null_model(leat_trainer *t, leat_error *err);
/* Its margins, [n_out]; shape: lt_loss_args.shape. */
leat_status lt_trainer_null_margins(const leat_trainer *t, double shape, double *out, leat_error *err);
/* Weighted mean and standard deviation (1 where they are all alike) of the training targets. */
void lt_trainer_target(const leat_trainer *t, double *mean, double *spread);
/* net_trainer.c: the network of a trainer. start: from settings, model or checkpoint, when the designs are there. */
leat_status lt_trainer_net_start(leat_trainer *t, leat_error *err);
/* Some batches. *rows seen, *iteration: an epoch has ended (t->phase may be DONE). */
leat_status lt_trainer_net_pass(leat_trainer *t, int64_t max_rows, int64_t *rows, int *iteration, leat_error *err);
leat_status lt_trainer_net_put(leat_trainer *t, lt_put *w, leat_error *err);
void lt_trainer_net_get(leat_trainer *t, lt_get *g);
/* Checksums of the data, made once. */
leat_status lt_trainer_sums(leat_trainer *t, leat_error *err);
#endif
