/* Predictors: one thread's own plan and scratch on a shared model. */
#ifndef LEAT_MODEL_PREDICTOR_H
#define LEAT_MODEL_PREDICTOR_H
#include "base/latency.h"
#include "device/device.h"
#include "model/model.h"
leat_status lt_predictor_create(const leat_model *m, const leat_params *p, const leat_device *dev, leat_predictor **out,
                                leat_error *err);
void lt_predictor_free(leat_predictor *q);
/* What the api floor needs of every call: who is inside, and whether it is to be timed. */
typedef struct lt_predictor_gate {
  lt_owner owner;
  const lt_timing *timing;
  int64_t tick; /* of calls of one row */
} lt_predictor_gate;
lt_predictor_gate *lt_predictor_gate_of(leat_predictor *q);
leat_status lt_predictor_reserve(leat_predictor *q, int64_t max_rows, leat_error *err);
leat_status lt_predictor_shape(const leat_predictor *q, int64_t *in_cols, int64_t *out_cols, leat_error *err);
leat_status lt_predictor_run(leat_predictor *q, const leat_matrix *x, leat_matrix *out, leat_error *err);
leat_status lt_predictor_run_batch(leat_predictor *q, const leat_batch *rows, leat_matrix *out, leat_error *err);
leat_status lt_predictor_run_dataset(leat_predictor *q, const leat_dataset *d, leat_matrix *out, leat_error *err);
leat_status lt_predictor_one_f32(leat_predictor *q, const float *x, uint64_t n, float *out, uint64_t cap, leat_error *err);
leat_status lt_predictor_one_f64(leat_predictor *q, const double *x, uint64_t n, double *out, uint64_t cap, leat_error *err);
leat_status lt_predictor_one_sparse(leat_predictor *q, const int32_t *idx, const float *val, uint64_t nnz, float *out,
                                    uint64_t cap, leat_error *err);
leat_status lt_predictor_one_text(leat_predictor *q, const char *const *fields, uint64_t n, float *out, uint64_t cap,
                                  leat_error *err);
/* Predictions as an Arrow stream (predict_arrow.c), and as a DLPack tensor. */
leat_status lt_predict_arrow(const leat_model *m, const leat_params *p, leat_dataset *d, int64_t batch_rows,
                             struct ArrowArrayStream *out, leat_error *err);
leat_status lt_predictor_run_dlpack(leat_predictor *q, const leat_dataset *d, int64_t major, void **tensor,
                                    leat_error *err);
extern const lt_spec lt_predictor_spec; /* "predictor" */
#endif
