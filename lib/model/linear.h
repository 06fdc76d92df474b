/* Between linear.c (parameters) and linear_plan.c (prediction). */
#ifndef LEAT_MODEL_LINEAR_H
#define LEAT_MODEL_LINEAR_H
#include "model/encoding.h"
#include "model/family.h"
/* lt_family.task from the settings of LT_DEFS_LOSS and LT_DEFS_DECISION: for every family that has them. */
leat_status lt_linear_task(int64_t n_classes, const leat_params *settings, lt_task *task, leat_error *err);
int lt_linear_loss_fits(const lt_loss *loss, int64_t n_classes);
enum { LT_MAX_CLASSES = 16777216 };
leat_status lt_linear_plan_create(const void *params, const lt_encoder *e, lt_plan **out, leat_error *err);
leat_status lt_linear_plan_fork(const lt_plan *p, lt_plan **out, leat_error *err);
void lt_linear_plan_free(lt_plan *p);
leat_status lt_linear_plan_reserve(lt_plan *p, uint64_t text_bytes, leat_error *err);
leat_status lt_linear_plan_rows(lt_plan *p, const lt_encode *bind, const lt_rows *rows, int64_t from, int64_t n,
                                double *out, leat_error *err);
leat_status lt_linear_one_f32(lt_plan *p, const float *x, double *out);
leat_status lt_linear_one_f64(lt_plan *p, const double *x, double *out);
leat_status lt_linear_one_sparse(lt_plan *p, const int32_t *index, const float *value, uint64_t nnz, double *out);
#endif
