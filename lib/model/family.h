/* A model family is one file behind this table; the registry is lt_families in family.c, one line each. */
#ifndef LEAT_MODEL_FAMILY_H
#define LEAT_MODEL_FAMILY_H
#include "model/encoder.h"
#include "model/loss.h"
typedef struct lt_task { int64_t n_classes; int64_t n_out; } lt_task; /* n_classes 0: regression; n_out: margins */
typedef struct lt_plan lt_plan; /* a predictor's own state for one model: folded weights, scratch */
typedef struct lt_family {
  const char *name;      /* "linear" */
  const lt_spec *spec;   /* "model/linear" */
  /* Parameters of a fresh model (zeros) for an encoder with n_slots. */
  leat_status (*create)(leat_runtime *rt, const lt_task *task, int64_t n_slots, const leat_params *settings,
                        void **params, leat_error *err);
  leat_status (*copy)(const void *params, void **out, leat_error *err);
  void (*release)(void *params);
  void (*save)(const void *params, lt_put *w);
  leat_status (*load)(leat_runtime *rt, const lt_task *task, int64_t n_slots, lt_get *r, void **params, leat_error *err);
  /* Named arrays for leat_model_get_f64s ("weights", "intercept"): pointer and count, NOT_FOUND else. */
  leat_status (*array)(const void *params, const char *name, const double **v, uint64_t *n, leat_error *err);
  /* Prediction. A plan is made once for a predictor; after it nothing allocates. */
  leat_status (*plan_create)(const void *params, const lt_encoder *e, const leat_schema *rows_schema, lt_plan **out,
                             leat_error *err);
  void (*plan_free)(lt_plan *p);
  /* Rows [from, from + n) of rows -> out[n * n_out_user] predictions (after the link) as double. */
  leat_status (*plan_rows)(lt_plan *p, const lt_rows *rows, int64_t from, int64_t n, double *out, leat_error *err);
  /* Fast paths, each NULL when the family has none; bit-equal to plan_rows on the same values. x: feature numbers in
   * schema order, codes for categories. */
  leat_status (*plan_one_f32)(lt_plan *p, const float *x, double *out);
  leat_status (*plan_one_f64)(lt_plan *p, const double *x, double *out);
  leat_status (*plan_one_sparse)(lt_plan *p, const int32_t *index, const float *value, uint64_t nnz, double *out);
} lt_family;
const lt_family *lt_family_find(const char *name);          /* "linear", or NULL */
const lt_family *const *lt_family_all(int64_t *count);
/* The linear family's parameters, for its solvers in train/: n_out rows of n_slots weights in units of encoded
 * features, and n_out intercepts. */
typedef struct lt_linear {
  leat_runtime *rt;
  const lt_loss *loss;
  int64_t n_classes, n_out, n_slots;
  double *weight;     /* [n_out, n_slots] */
  double *intercept;  /* [n_out] */
} lt_linear;
#endif
