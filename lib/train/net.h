/* Training networks: the steps are a tape on the trainer's device. Data, parameters, activations and the optimiser's state
 * stay there; a step is enqueued without waiting for the one before, and losses come back once an epoch.
 *
 * An epoch is a permutation of the rows, drawn from (seed, epoch), cut into batches. All of training is a function of data,
 * settings and seed; what a checkpoint must hold is the parameters, the optimiser's vectors and how many rows of the
 * epoch are done. */
#ifndef LEAT_TRAIN_NET_H
#define LEAT_TRAIN_NET_H
#include "device/tape.h"
#include "model/mlp.h"
#include "train/design.h"
/* Rows on the device. `index` is the order in which they are taken; y, weight and loss are in that order. */
typedef struct lt_net_data {
  const lt_design *d;
  int64_t n;
  int32_t x, code, start, column, value; /* buffers, -1: none; code [n, n_embedded]: rows of the embeddings */
  int32_t index, y, weight, loss;
  int64_t n_csr;                         /* inputs that are compressed */
  uint32_t *y_host;                      /* [n] in the design's order: bits of a float, or of a label's int32 */
  float *w_host;                         /* [n] the same; NULL: ones */
  int32_t *column_host;                  /* borrowed by the tape */
  int32_t *start_host, *code_host;
  float *value_host;
} lt_net_data;
/* Ops for batches of m rows: what changes from batch to batch are offsets and a few numbers. */
typedef struct lt_net_move { int32_t node, tensor, out; uint64_t bytes; } lt_net_move; /* bytes a row */
typedef struct lt_net_prog {
  int64_t m;
  int32_t from, to, loss;                /* nodes; m 0: not made */
  int32_t n_moves, n_drops, n_steps;
  lt_net_move move[12];
  int32_t drop[2 * LT_MLP_LAYERS + 2], drop_layer[2 * LT_MLP_LAYERS + 2];
  int32_t step[2];
} lt_net_prog;
enum { LT_OPT_ADAM = 1, LT_OPT_ADAMW = 2, LT_OPT_SGD = 3 };
typedef struct lt_net {
  leat_runtime *rt;
  const leat_params *settings;
  lt_tape *tape;
  lt_mlp *m;                             /* the network's form; its numbers are those read last */
  lt_mlp_shape shape;                    /* as it lies on the device: rows padded */
  int32_t optimizer, loss_kind;
  double loss_shape, unit, centre;       /* numbers are learned as (y - centre) / unit */
  int64_t batch, eval_rows;
  uint64_t seed;
  int32_t v, grad, first, second, best, norm2; /* buffers of parameters; second: adam's squares, or -1; first: -1 without momentum */
  int32_t keep;                          /* the node that copies v to best, or -1 */
  int32_t a0, codes, embed_grad;
  int32_t z[LT_MLP_LAYERS + 1], a[LT_MLP_LAYERS + 1], dropped[LT_MLP_LAYERS + 1], g[LT_MLP_LAYERS + 1];
  int32_t mid[LT_MLP_LAYERS + 1];        /* in front of gelu, behind a norm */
  int32_t mean[LT_MLP_LAYERS + 1], rstd[LT_MLP_LAYERS + 1];
  lt_net_data train, valid;
  lt_net_prog step, step_rest, eval[2], eval_rest[2]; /* eval: of train, valid */
  /* the course */
  int64_t steps;                         /* made so far */
  int64_t epoch_rows;                    /* rows of this epoch that are done */
  int64_t ordered;                       /* the epoch whose order the device holds; -1: none */
  double loss_sum;                       /* of this epoch, up to loss_rows */
  int64_t loss_rows;
  int64_t *order;                        /* [n] work */
  void *staging;                         /* [n] work, 4 bytes each */
} lt_net;
typedef struct lt_net_plan {
  leat_runtime *rt;
  const leat_device *dev;
  const leat_params *settings;
  const lt_encoder *encoder;
  const lt_task *task;
  const lt_design *x, *xv;               /* xv NULL: none. They must outlive the net */
  int32_t loss_kind;
  double loss_shape, unit, centre;
  const double *null_margin;             /* [n_out] of the model that knows only the intercept, of (y - centre) / unit */
  const lt_mlp *warm;                    /* start from its numbers, or NULL */
} lt_net_plan;
leat_status lt_net_create(const lt_net_plan *plan, lt_net **out, leat_error *err);
void lt_net_free(lt_net *n);
/* net_data.c */
leat_status lt_net_upload(lt_net *n, lt_net_data *to, const lt_design *d, leat_error *err);
void lt_net_data_free(lt_net *n, lt_net_data *d);
/* The order of an epoch (-1: as the rows lie) onto the device. */
leat_status lt_net_order(lt_net *n, lt_net_data *d, int64_t epoch, leat_error *err);
/* net_build.c. Appends the ops of a batch of m rows; train: with gradients and the step. */
leat_status lt_net_build(lt_net *n, const lt_net_data *d, int64_t m, int train, lt_net_prog *p, leat_error *err);
/* net_run.c. Up to max_rows rows of epoch `epoch` (whole batches, at least one); *rows done, *end: the epoch is over. */
leat_status lt_net_rows(lt_net *n, int64_t epoch, int64_t max_rows, int64_t *rows, int *end, leat_error *err);
/* Sum of weight * loss over the epoch's rows up to now. */
leat_status lt_net_loss(lt_net *n, double *sum, leat_error *err);
/* Sum of weight * loss of the set's rows (0 train, 1 valid) by the network as it is; margins [n, n_out] in the target's
 * units or NULL. */
leat_status lt_net_evaluate(lt_net *n, int set, double *sum, double *margins, leat_error *err);
leat_status lt_net_keep_best(lt_net *n, leat_error *err);    /* the parameters of now are the best so far */
leat_status lt_net_swap_best(lt_net *n, leat_error *err);    /* the best and those of now change places */
/* Which: 0 the parameters of now, 1 the best, 2 and 3 the optimiser's vectors (-1 there is none: n is 0). Packed, [m->shape.n]. */
leat_status lt_net_get(lt_net *n, int which, float *out, leat_error *err);
leat_status lt_net_put(lt_net *n, int which, const float *v, leat_error *err);
int lt_net_has(const lt_net *n, int which);
/* A network with the numbers of now (best: the best) and the target's units in the last layer. */
leat_status lt_net_model(lt_net *n, int best, lt_mlp **out, leat_error *err);
#endif
