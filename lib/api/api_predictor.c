/* Chapter 13 of leat.h: predictors. The calls of one row are the hot ones: what they check is a handful of compares. */
#include "api/api.h"
#include "model/predictor.h"

static leat_status predictor_missing(const void *q, const void *in, const char *in_name, leat_error *err) {
  leat_status st = lt_need(q, "q", err);
  if (!st) st = lt_need(in, in_name, err);
  return st ? st : lt_need(NULL, "out", err);
}

LEAT_API leat_status leat_predictor_create(const leat_model *m, const leat_params *p, const leat_device *dev,
                                           leat_predictor **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(m, "m", err)) != 0) return st;
  lt_fpenv env;
  lt_fpenv_enter(&env); /* weights are folded here */
  st = lt_predictor_create(m, p, dev, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API void leat_predictor_free(leat_predictor *q) { lt_predictor_free(q); }

LEAT_API leat_status leat_predictor_reserve(leat_predictor *q, int64_t max_rows, leat_error *err) {
  leat_status st = lt_need(q, "q", err);
  if (st || (st = lt_owner_enter(&lt_predictor_gate_of(q)->owner, "predictor", err)) != 0) return st;
  st = lt_predictor_reserve(q, max_rows, err);
  lt_owner_leave(&lt_predictor_gate_of(q)->owner);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_predictor_shape(const leat_predictor *q, int64_t *in_cols, int64_t *out_cols,
                                          leat_error *err) {
  leat_status st = lt_need(in_cols, "in_cols", err);
  if (st || (st = lt_need(out_cols, "out_cols", err)) != 0) return st;
  *in_cols = *out_cols = 0;
  if ((st = lt_need(q, "q", err)) != 0) return st;
  st = lt_predictor_shape(q, in_cols, out_cols, err);
  return st ? st : lt_ok(err);
}

/* Runs CALL inside the owner and the default floating-point environment; timed, when that is switched on. */
#define LT_PREDICT(q, in, op, call)                                                \
  do {                                                                             \
    lt_fpenv env;                                                                  \
    leat_status st;                                                                \
    if (!(q) || !(in) || !out) return predictor_missing((q), (in), #in, err);      \
    lt_predictor_gate *gate = lt_predictor_gate_of(q);                             \
    if ((st = lt_owner_enter(&gate->owner, "predictor", err)) != 0) return st;     \
    int64_t begun = -1;                                                            \
    if (lt_timing_on(gate->timing))                                                \
      begun = (op) == LEAT_LATENCY_ONE ? lt_timing_sample(gate->timing, &gate->tick) : lt_timing_begin(gate->timing); \
    lt_fpenv_enter(&env);                                                          \
    st = (call);                                                                   \
    lt_fpenv_leave(&env);                                                          \
    if (begun >= 0 && !st) lt_timing_end(gate->timing, (op), begun);               \
    lt_owner_leave(&gate->owner);                                                  \
    return st ? st : lt_ok(err);                                                   \
  } while (0)

LEAT_API leat_status leat_predictor_run(leat_predictor *q, const leat_matrix *x, leat_matrix *out, leat_error *err) {
  LT_PREDICT(q, x, LEAT_LATENCY_ROWS, lt_predictor_run(q, x, out, err));
}

LEAT_API leat_status leat_predictor_run_batch(leat_predictor *q, const leat_batch *rows, leat_matrix *out,
                                              leat_error *err) {
  LT_PREDICT(q, rows, LEAT_LATENCY_ROWS, lt_predictor_run_batch(q, rows, out, err));
}

LEAT_API leat_status leat_predictor_run_dataset(leat_predictor *q, const leat_dataset *d, leat_matrix *out,
                                                leat_error *err) {
  LT_PREDICT(q, d, LEAT_LATENCY_ROWS, lt_predictor_run_dataset(q, d, out, err));
}

LEAT_API leat_status leat_predictor_one_f32(leat_predictor *q, const float *x, uint64_t n, float *out, uint64_t cap,
                                            leat_error *err) {
  LT_PREDICT(q, x, LEAT_LATENCY_ONE, lt_predictor_one_f32(q, x, n, out, cap, err));
}

LEAT_API leat_status leat_predictor_one_f64(leat_predictor *q, const double *x, uint64_t n, double *out, uint64_t cap,
                                            leat_error *err) {
  LT_PREDICT(q, x, LEAT_LATENCY_ONE, lt_predictor_one_f64(q, x, n, out, cap, err));
}

LEAT_API leat_status leat_predictor_one_sparse(leat_predictor *q, const int32_t *idx, const float *val, uint64_t nnz,
                                               float *out, uint64_t cap, leat_error *err) {
  static const int32_t none = 0;
  if (nnz == 0 && !idx) idx = &none;
  if (nnz > (uint64_t)1 << 40)
    return lt_fail(err, LEAT_E_ARG, "nnz is %llu: more pairs than a row can have", (unsigned long long)nnz);
  LT_PREDICT(q, idx, LEAT_LATENCY_ONE, lt_predictor_one_sparse(q, idx, val, nnz, out, cap, err));
}

LEAT_API leat_status leat_predictor_one_text(leat_predictor *q, const char *const *fields, uint64_t n, float *out,
                                             uint64_t cap, leat_error *err) {
  LT_PREDICT(q, fields, LEAT_LATENCY_ONE, lt_predictor_one_text(q, fields, n, out, cap, err));
}
