/* Steps of the optimisers: sgd, adam. */
#include <stddef.h>

#include "ocl.h"

enum { STEP_GROUP = 64 };

static int step_can(const leat_b_op *op, int64_t least_out, int64_t most_out) {
  if (op->n_in < 1 || op->n_in > 2 || op->n_out < least_out || op->n_out > most_out || !ocl_matrix(op->in)) return 0;
  if (op->n_in == 2 && (!ocl_vector(op->in + 1) || op->in[1].shape[0] != 1)) return 0;
  for (int64_t i = 0; i < op->n_out; i++)
    if (!ocl_matrix(op->out + i) || !ocl_same(op->in, op->out + i)) return 0;
  return op->attr_i[0] == 0 || op->attr_i[0] == 1;
}
static int sgd_can(const leat_b_op *op) { return step_can(op, 1, 2) && op->n_attr_f == 5; }
static int adam_can(const leat_b_op *op) { return step_can(op, 3, 3) && op->n_attr_f == 9; }

static void step_rows(const leat_b_op *op, int64_t *rows, int64_t *cols) {
  const leat_b_tensor *all[4] = {op->in};
  for (int64_t i = 0; i < op->n_out; i++) all[1 + i] = op->out + i;
  ocl_flat(all, 1 + (int)op->n_out, rows, cols);
}

static void step_tensors(ocl_run *r, const leat_b_op *op, int64_t n_out) {
  ocl_begin(r, 0);
  ocl_tensor(r, op->in);
  ocl_long(r, ocl_row(op->in));
  ocl_tensor(r, op->n_in > 1 ? op->in + 1 : NULL);
  ocl_int(r, op->n_in > 1);
  for (int64_t i = 0; i < n_out; i++) {
    ocl_tensor(r, i < op->n_out ? op->out + i : NULL);
    ocl_long(r, i < op->n_out ? ocl_row(op->out + i) : 0);
  }
}

static void step_go(ocl_run *r, int64_t rows, int64_t cols) {
  int64_t width = r->prepared->device->slot->vector;
  ocl_go(r, (cols + width - 1) / width, rows, 1, STEP_GROUP, 1);
}

static leat_status sgd_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_STEP, "", "sgd", err);
}
static leat_status sgd_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  int64_t rows, cols;
  step_rows(op, &rows, &cols);
  step_tensors(r, op, 2);
  ocl_int(r, op->n_out > 1);
  ocl_long(r, cols);
  for (int i = 0; i < 5; i++) ocl_float(r, op->attr_f[i]);
  ocl_int(r, op->attr_i[0]);
  step_go(r, rows, cols);
  return ocl_end(r, err);
}

static leat_status adam_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err) {
  (void)op;
  return ocl_kernel_make(k, 0, OCL_STEP, "", "adam", err);
}
/* attr_f: rate, beta1, beta2, eps, decay, scale, clip, bias1, bias2; 1 - beta is taken in double. */
static leat_status adam_run(ocl_run *r, const leat_b_op *op, leat_error *err) {
  int64_t rows, cols;
  const double *f = op->attr_f;
  step_rows(op, &rows, &cols);
  step_tensors(r, op, 3);
  ocl_long(r, cols);
  ocl_float(r, f[0]);
  ocl_float(r, f[1]);
  ocl_float(r, 1 - f[1]);
  ocl_float(r, f[2]);
  ocl_float(r, 1 - f[2]);
  for (int i = 3; i < 7; i++) ocl_float(r, f[i]);
  ocl_float(r, 1 / f[7]);
  ocl_float(r, 1 / f[8]);
  ocl_int(r, op->attr_i[0]);
  step_go(r, rows, cols);
  return ocl_end(r, err);
}

const ocl_op ocl_ops_step[] = {{"sgd", 5, 5, 1, 1, sgd_can, sgd_prepare, sgd_run},
                               {"adam", 9, 9, 1, 1, adam_can, adam_prepare, adam_run},
                               {.name = NULL}};
