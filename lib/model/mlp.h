/* The family "mlp": a multi-layer perceptron on encoded rows. Between mlp.c (parameters), mlp_plan.c (prediction) and the
 * trainer (train/net_*.c).
 *
 * A row's inputs are, in this order: the encoder's dense slots; `dim` numbers of each embedded column; the slots of all
 * other columns (one-hot labels, words, sparse blocks). Layer l makes z = x W + b, then (all but the last) norm(z), the
 * activation, and in training dropout. The last layer's z are the margins: of a number in units of the target. */
#ifndef LEAT_MODEL_MLP_H
#define LEAT_MODEL_MLP_H
#include "device/device.h"
#include "model/encoding.h"
#include "model/family.h"
enum { LT_MLP_LAYERS = 16, LT_MLP_WIDTH = 65536 };
enum { LT_NORM_NONE = 0, LT_NORM_LAYER = 1, LT_NORM_BATCH = 2 };
enum { LT_ACT_NONE = 0, LT_ACT_RELU = 1, LT_ACT_GELU = 2, LT_ACT_TANH = 3, LT_ACT_SIGMOID = 4 }; /* as docs/ops.md */
#define LT_LAYER_NORM_EPS 1e-5
/* Offsets of one layer's numbers among all; -1: it has none. */
typedef struct lt_mlp_layer {
  int64_t in, out, ld;               /* W [in, out], rows ld apart */
  int64_t w, b, gamma, beta, mean, var;
} lt_mlp_layer;
/* What the numbers of a network are and where they lie: first those that weight decay pulls at (embeddings, W), then
 * the other learned ones (b, gamma, beta), then running means and variances. */
typedef struct lt_mlp_shape {
  int64_t n_slots, n_dense;          /* of the encoder */
  int64_t n_embedded, dim;           /* embedded columns, numbers of each */
  int64_t n_inputs;                  /* numbers a row: n_dense, n_embedded * dim, the other slots */
  int64_t n_embed_rows;              /* rows of the table of embeddings, [n_embed_rows, dim] at 0 */
  int64_t n_layers;                  /* hidden ones and the last */
  int32_t activation, norm;
  lt_mlp_layer layer[LT_MLP_LAYERS + 1];
  int64_t n_decay, n_learned, n;     /* numbers: [0, n_decay), [n_decay, n_learned), [n_learned, n) */
} lt_mlp_shape;
typedef struct lt_mlp_part { int64_t slot, width, row; } lt_mlp_part; /* an embedded column: its slots, its first row */
typedef struct lt_mlp {
  leat_runtime *rt;
  const lt_loss *loss;
  int64_t n_classes, n_out;
  lt_mlp_shape shape;
  lt_mlp_part *embedded;             /* [n_embedded], by slot */
  float *v;                          /* [shape.n], layers without padding */
  double centre, unit;               /* numbers: the target was learned as (y - centre) / unit; the last layer has that undone */
  lt_decision decision;
  lt_calibration *calibration;       /* owned, or NULL */
} lt_mlp;
extern const lt_family lt_family_mlp;
extern const lt_spec lt_mlp_spec;
/* Lays the numbers out; rows of W are padded to a multiple of `pad` floats, wide ones to an odd multiple.
 * widths [n_layers] */
void lt_mlp_lay_out(lt_mlp_shape *s, const int64_t *widths, int64_t pad);
/* A network for these settings and this encoder, all numbers zero but gamma and variances (1). ARG: settings that do not fit. */
leat_status lt_mlp_create(leat_runtime *rt, const lt_task *task, const lt_encoder *e, const leat_params *settings,
                          lt_mlp **out, leat_error *err);
void lt_mlp_free(lt_mlp *m);
/* Numbers between a layout and one padded otherwise. */
void lt_mlp_repack(const lt_mlp_shape *from, const float *v, const lt_mlp_shape *to, float *out);
/* Where the encoder's slot, not a dense one, goes: a row of the first W, or ~(a row of the embeddings). */
int64_t lt_mlp_slot_row(const lt_mlp *m, int64_t slot);

leat_status lt_mlp_plan_create(const void *params, const lt_encoder *e, lt_plan **out, leat_error *err);
leat_status lt_mlp_plan_fork(const lt_plan *p, lt_plan **out, leat_error *err);
leat_status lt_mlp_plan_device(const lt_plan *p, const leat_device *dev, int bytes, lt_plan **out, leat_error *err);
leat_status lt_mlp_plan_bytes(const lt_plan *p, lt_plan **out, leat_error *err);
void lt_mlp_plan_free(lt_plan *p);
leat_status lt_mlp_plan_reserve(lt_plan *p, uint64_t text_bytes, leat_error *err);
leat_status lt_mlp_plan_rows(lt_plan *p, const lt_encode *bind, const lt_rows *rows, int64_t from, int64_t n, double *out,
                             leat_error *err);
leat_status lt_mlp_plan_numbers(lt_plan *p, const leat_matrix *x, int64_t from, int64_t n, double *out, leat_error *err);
leat_status lt_mlp_one_f32(lt_plan *p, const float *x, double *out);
leat_status lt_mlp_one_f64(lt_plan *p, const double *x, double *out);
leat_status lt_mlp_one_sparse(lt_plan *p, const int32_t *index, const float *value, uint64_t nnz, double *out);

/* mlp_device.c: the layers on a device. v: weights of `shape`, batch norms folded in (copied). mixed: the first layer's sums of
 * what is not dense, biases among them, come with the rows (and its weights stay floats). bytes: weights of 8 bits, a factor an output. */
enum { LT_MLP_DEVICE_ROWS = LT_PLAN_DEVICE_ROWS, LT_MLP_DEVICE_MIXED = 1, LT_MLP_DEVICE_BYTES = 2 };
typedef struct lt_mlp_device lt_mlp_device;
leat_status lt_mlp_device_create(leat_runtime *rt, const leat_device *dev, const lt_mlp_shape *shape, const float *v, int64_t n_x,
                                 uint32_t how, lt_mlp_device **out, leat_error *err);
void lt_mlp_device_free(lt_mlp_device *d);
/* x [n, n_x], sums [n, first width] (mixed) -> *margins [n, n_out], until the next call. n <= LT_MLP_DEVICE_ROWS. */
leat_status lt_mlp_device_rows(lt_mlp_device *d, const float *x, const float *sums, int64_t n, const float **margins,
                               leat_error *err);
#endif
