/* The encoded training rows, made once: what every pass of a solver reads.
 *
 * A row is n_slots numbers. The first n_dense of them lie in `x` (float32, row-major, padded with zeros to 8 columns), the
 * rest in compressed rows. Which slots are dense is decided by the data alone: all of them while slots are few or rows are
 * full, else only those that every row fills.
 *
 * A dataset that is one float32 block of finite, well-scaled numbers is read where it lies: the dataset must outlive the
 * design. Numbers that the encoder left unscaled (standardize=no) are centred and scaled here, so that float32 sums and the
 * solvers see well-conditioned columns: x = (encoded - shift) * scale. The penalty is turned with them (see lt_objective),
 * so the optimum is that of the encoded numbers. (For borrowed numbers shift and scale undo what the encoder would do.) */
#ifndef LEAT_TRAIN_DESIGN_H
#define LEAT_TRAIN_DESIGN_H
#include "model/encoder.h"
typedef struct lt_design {
  leat_runtime *rt;
  int64_t n, n_slots, n_dense, ld;
  int64_t tile, n_tiles; /* rows of one unit of work, by shape alone */
  int64_t nnz;           /* of the compressed part */
  float *x;              /* [n, ld]; borrowed from the dataset when it is there already as the solvers want it */
  int32_t borrowed;
  int64_t *row_start;    /* [n + 1], NULL when n_dense = n_slots */
  int32_t *index;        /* slot - n_dense */
  float *value;          /* NULL: all ones */
  double *shift, *scale; /* of the slots that the encoder fills in every row; NULL: none */
  int64_t n_scaled;      /* how many those are */
  double *y;             /* [n] class codes or numbers */
  double *sample;        /* [n] weights of the data, NULL: ones */
  double *weight;        /* [n] sample weight x class weight, NULL: ones (may be the same block as sample) */
  double weight_sum;
} lt_design;
typedef struct lt_design_plan {
  const lt_encoder *encoder;
  int centre;            /* move the means of unscaled numbers to 0 (there is an intercept that takes them) */
  int rescale;           /* the encoder has not standardised */
  int as_encoded;        /* the encoder's numbers are what is wanted: nothing is borrowed or scaled */
  int keep_sparse;       /* only what every row fills is dense */
  const lt_design *like; /* the same layout, shift and scale as this one (validation rows) */
} lt_design_plan;
/* Encodes all rows of `data` (in memory) with the runtime's threads. y and weights are left empty.
 * DATA: no rows, no slots, a number that is not finite. */
leat_status lt_design_create(const leat_dataset *data, const lt_design_plan *plan, lt_design **out, leat_error *err);
void lt_design_free(lt_design *d);

/* Targets and weights of the rows of `data` into d. `schema` is the model's: labels are matched to its codes by text.
 * n_classes 0: numbers. DATA: a missing or non-finite target, an unknown label, a bad weight, all weights zero. */
leat_status lt_design_targets(lt_design *d, const leat_dataset *data, const leat_schema *schema, int64_t n_classes,
                              leat_error *err);
/* none | balanced | label=weight,... -> weight[n_classes] (balanced: rows / (classes present * rows of the class), the rows
 * counted by their sample weights). ARG: an unknown label or a junk weight. */
leat_status lt_class_weights(const lt_design *d, const leat_schema *schema, int64_t n_classes, const char *text,
                             double *weight, leat_error *err);
/* d->weight = d->sample * class_weight[y]. class_weight NULL: as the sample. */
leat_status lt_design_weigh(lt_design *d, const double *class_weight, leat_error *err);
#endif
