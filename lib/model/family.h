/* A model family is one file behind this table; the registry is lt_families in family.c, one line each. */
#ifndef LEAT_MODEL_FAMILY_H
#define LEAT_MODEL_FAMILY_H
#include "device/device.h"
#include "model/calibrate.h"
#include "model/decision.h"
#include "model/encoder.h"
#include "model/loss.h"
typedef struct lt_task { int64_t n_classes; int64_t n_out; } lt_task; /* n_classes 0: regression; n_out: margins */
enum { LT_PLAN_DEVICE_ROWS = 4096 };
typedef struct lt_plan lt_plan; /* folded weights (shared by forks) and one thread's scratch */
typedef struct lt_family {
  const char *name;      /* "linear" */
  const lt_spec *spec;   /* "model/linear" */
  double tolerance;      /* of golden rows on other kernels or versions, relative; 0: they are exact but for exp */
  /* What is to be learned: from the number of classes of the target (0: regression) and the settings. ARG when they do
   * not fit together, DATA for one class. */
  leat_status (*task)(int64_t n_classes, const leat_params *settings, lt_task *task, leat_error *err);
  /* Parameters of a fresh model (zeros) for an encoder with n_slots; NULL: only its trainer makes them. */
  leat_status (*create)(leat_runtime *rt, const lt_task *task, int64_t n_slots, const leat_params *settings,
                        void **params, leat_error *err);
  leat_status (*copy)(const void *params, void **out, leat_error *err);
  void (*release)(void *params);
  void (*save)(const void *params, lt_put *w);
  /* The task is the family's to read; the caller checks it against the schema. */
  leat_status (*load)(leat_runtime *rt, int64_t n_slots, lt_get *r, void **params, lt_task *task, leat_error *err);
  /* Named arrays for leat_model_get_f64s ("weights", "intercept"): pointer and count, NOT_FOUND else. */
  leat_status (*array)(const void *params, const char *name, const double **v, uint64_t *n, leat_error *err);
  void (*describe)(const void *params, lt_task *task, int64_t *n_parameters);
  /* NULL: packages are of format version 1. Else the version that this model's package needs (what
   * older readers would not know: a loss, a setting, the calibration); from 2 on it may have the
   * section "calibration", and predictions may go through the C library's exponential also where they are numbers. */
  int64_t (*format)(const void *params, const leat_params *settings);
  const lt_calibration *(*calibration)(const void *params);  /* NULL, or gives NULL: none */
  leat_status (*calibrate)(void *params, lt_get *r, leat_error *err); /* reads the section */
  lt_decision *(*decision)(void *params);                    /* NULL: never one; a package has it when it is not none */
  /* Prediction. A plan is made once for a model (params and e must outlive it) and forked for each thread that predicts;
   * forks share what is constant. After plan_reserve for the longest text nothing allocates. */
  leat_status (*plan_create)(const void *params, const lt_encoder *e, lt_plan **out, leat_error *err);
  leat_status (*plan_fork)(const lt_plan *p, lt_plan **out, leat_error *err);
  leat_status (*plan_bytes)(const lt_plan *p, lt_plan **out, leat_error *err); /* the same with weights of 8 bits; NULL: none */
  /* The same for rows in thousands on a device (bytes: with weights of 8 bits); one row stays on the CPU. NULL: it would not help. Calls of plan_rows should
   * have up to LT_PLAN_DEVICE_ROWS rows. */
  leat_status (*plan_device)(const lt_plan *p, const leat_device *dev, int bytes, lt_plan **out, leat_error *err);
  void (*plan_free)(lt_plan *p);
  leat_status (*plan_reserve)(lt_plan *p, uint64_t text_bytes, leat_error *err);
  /* Rows [from, from + n) of rows, bound by `bind` -> out[n * outputs] predictions (after the link) as double; outputs:
   * lt_task_outputs. MEMORY only for a text longer than what was reserved. */
  leat_status (*plan_rows)(lt_plan *p, const lt_encode *bind, const lt_rows *rows, int64_t from, int64_t n, double *out,
                           leat_error *err);
  /* The same from numbers in schema order (F32, F64 or U8, any strides), codes for categories; NULL: one row after the other.
   * UNSUPPORTED (without text) when the model's columns do not allow it. */
  leat_status (*plan_numbers)(lt_plan *p, const leat_matrix *x, int64_t from, int64_t n, double *out, leat_error *err);
  /* Fast paths, each NULL when the family has none; bit-equal to plan_rows on the same values. x: feature numbers in
   * schema order, codes for categories. UNSUPPORTED (without text) when the model's columns do not allow it. */
  leat_status (*plan_one_f32)(lt_plan *p, const float *x, double *out);
  leat_status (*plan_one_f64)(lt_plan *p, const double *x, double *out);
  leat_status (*plan_one_sparse)(lt_plan *p, const int32_t *index, const float *value, uint64_t nnz, double *out);
} lt_family;
const lt_family *lt_family_find(const char *name);          /* "linear", or NULL */
const lt_family *lt_family_of_spec(const char *spec);       /* "model/linear", or NULL; "online/mlp" is of the family online */
const lt_family *const *lt_family_all(int64_t *count);
int64_t lt_task_outputs(const lt_task *task);               /* numbers a prediction: 1, or the classes when > 2 */
/* The linear family's parameters, for its solvers in train/: n_out rows of n_slots weights in units of encoded
 * features, and n_out intercepts. All must be finite. */
typedef struct lt_linear {
  leat_runtime *rt;
  const lt_loss *loss;
  int64_t n_classes, n_out, n_slots;
  double *weight;     /* [n_out, n_slots] */
  double *intercept;  /* [n_out] */
  lt_decision decision;
  lt_calibration *calibration; /* owned; NULL: the loss's link gives the prediction */
} lt_linear;
/* The loss that the settings (NULL: auto) choose for a target of so many classes (0: a number), NULL when they do not fit. */
const lt_loss *lt_linear_loss(const leat_params *settings, int64_t n_classes);
extern const lt_family lt_family_linear;
#endif
