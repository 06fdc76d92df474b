/* The CPU's layer and batch normalisation and their gradients. Layers go by rows, batches by strips of columns. */
#include "device/cpu_ops.h"

#include <math.h>
#include <string.h>

enum { STRIP = 256, ROW_ELEMENTS = 16384 };
typedef struct norm_job {
  const lt_op_args *a;
  const lt_loop *loop;
  int64_t rows; /* of a task */
} norm_job;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static const float *norm_row(const lt_view *v, int64_t i) { return (const float *)v->data + i * v->stride[0]; }
static float *norm_row_out(const lt_view *v, int64_t i) { return (float *)lt_view_out(v) + i * v->stride[0]; }
static float *numbers(const lt_view *v) { return lt_view_out(v); }

/* ---- layers */
static void layer_task(void *arg, int64_t index) {
  const norm_job *job = arg;
  const lt_op_args *a = job->a;
  int64_t n = a->in[0].shape[1];
  for (int64_t i = index * job->rows; i < least(a->in[0].shape[0], (index + 1) * job->rows); i++) {
    const float *x = norm_row(&a->in[0], i);
    float mean = (float)(n ? job->loop->line(LT_SUM, x, n) / (double)n : 0);
    double var = n ? job->loop->spread(x, mean, n) / (double)n : 0;
    float rstd = (float)(1 / sqrt(var + a->f[0]));
    numbers(&a->out[1])[i] = mean;
    numbers(&a->out[2])[i] = rstd;
    job->loop->normal(x, mean, rstd, a->in[1].data, a->in[2].data, norm_row_out(&a->out[0], i), n);
  }
}

LT_CPU(layer_norm) {
  int64_t m = a->in[0].shape[0], n = a->in[0].shape[1];
  norm_job job = {a, lt_loop_get(), n < ROW_ELEMENTS ? ROW_ELEMENTS / (n ? n : 1) : 1};
  return lt_cpu_tasks(self, (m + job.rows - 1) / job.rows, (double)m * (double)n * 0.5, layer_task, &job, err);
}

/* The sums over rows make it one task. */
LT_CPU(layer_norm_grad) {
  const lt_loop *loop = lt_loop_get();
  int64_t n = a->in[0].shape[1];
  (void)self, (void)err;
  float *dgamma = numbers(&a->out[1]), *dbeta = numbers(&a->out[2]);
  for (int64_t j = 0; j < n; j++) dgamma[j] = dbeta[j] = 0;
  for (int64_t i = 0; i < a->in[0].shape[0]; i++)
    loop->normal_grad(norm_row(&a->in[0], i), norm_row(&a->in[1], i), a->in[2].data, numbers(&a->in[3])[i],
                      numbers(&a->in[4])[i], norm_row_out(&a->out[0], i), dgamma, dbeta, n);
  return LEAT_OK;
}

/* ---- batches */
static leat_status strips_run(leat_b_instance *self, const lt_op_args *a, void (*task)(void *arg, int64_t index),
                              leat_error *err) {
  int64_t m = a->in[0].shape[0], n = a->in[0].shape[1];
  norm_job job = {a, lt_loop_get(), 0};
  return lt_cpu_tasks(self, (n + STRIP - 1) / STRIP, (double)m * (double)n * 0.5, task, &job, err);
}

static float blend_in(double momentum, float old, double now) {
  return (float)((1 - momentum) * (double)old + momentum * now);
}

static void batch_task(void *arg, int64_t index) {
  const norm_job *job = arg;
  const lt_op_args *a = job->a;
  int64_t j = index * STRIP, m = a->in[0].shape[0], n = least(STRIP, a->in[0].shape[1] - j);
  float spread[STRIP] = {0}, *mean = numbers(&a->out[1]) + j, *rstd = numbers(&a->out[2]) + j;
  double count = m ? (double)m : 1;
  job->loop->columns(LT_SUM, m ? norm_row(&a->in[0], 0) + j : NULL, a->in[0].stride[0], m, n, mean);
  for (int64_t q = 0; q < n; q++) mean[q] = (float)((double)mean[q] / count);
  for (int64_t i = 0; i < m; i++) job->loop->spread_columns(norm_row(&a->in[0], i) + j, mean, spread, n);
  for (int64_t q = 0; q < n; q++) {
    double var = (double)spread[q] / count;
    float *run_mean = numbers(&a->out[3]) + j + q, *run_var = numbers(&a->out[4]) + j + q;
    rstd[q] = (float)(1 / sqrt(var + a->f[0]));
    *run_mean = blend_in(a->f[1], *run_mean, (double)mean[q]);
    *run_var = blend_in(a->f[1], *run_var, m > 1 ? (double)spread[q] / (count - 1) : var);
  }
  for (int64_t i = 0; i < m; i++)
    job->loop->normal_columns(norm_row(&a->in[0], i) + j, mean, rstd, numbers(&a->in[1]) + j, numbers(&a->in[2]) + j,
                              norm_row_out(&a->out[0], i) + j, n);
}

LT_CPU(batch_norm) { return strips_run(self, a, batch_task, err); }

static void batch_grad_task(void *arg, int64_t index) {
  const norm_job *job = arg;
  const lt_op_args *a = job->a;
  int64_t j = index * STRIP, m = a->in[0].shape[0], n = least(STRIP, a->in[0].shape[1] - j);
  const float *gamma = numbers(&a->in[2]) + j, *mean = numbers(&a->in[3]) + j, *rstd = numbers(&a->in[4]) + j;
  float *dgamma = numbers(&a->out[1]) + j, *dbeta = numbers(&a->out[2]) + j;
  job->loop->columns(LT_SUM, m ? norm_row(&a->in[0], 0) + j : NULL, a->in[0].stride[0], m, n, dbeta);
  for (int64_t q = 0; q < n; q++) dgamma[q] = 0;
  for (int64_t i = 0; i < m; i++)
    job->loop->dot_columns(norm_row(&a->in[0], i) + j, norm_row(&a->in[1], i) + j, mean, rstd, dgamma, n);
  for (int64_t i = 0; i < m; i++)
    job->loop->normal_columns_grad(norm_row(&a->in[0], i) + j, norm_row(&a->in[1], i) + j, mean, rstd, gamma, dbeta, dgamma,
                                   1.0f / (float)m, norm_row_out(&a->out[0], i) + j, n);
}

LT_CPU(batch_norm_grad) { return strips_run(self, a, batch_grad_task, err); }

static void batch_apply_task(void *arg, int64_t index) {
  const norm_job *job = arg;
  const lt_op_args *a = job->a;
  int64_t j = index * STRIP, n = least(STRIP, a->in[0].shape[1] - j);
  float rstd[STRIP];
  for (int64_t q = 0; q < n; q++) rstd[q] = (float)(1 / sqrt((double)numbers(&a->in[4])[j + q] + a->f[0]));
  for (int64_t i = 0; i < a->in[0].shape[0]; i++)
    job->loop->normal_columns(norm_row(&a->in[0], i) + j, numbers(&a->in[3]) + j, rstd, numbers(&a->in[1]) + j,
                              numbers(&a->in[2]) + j, norm_row_out(&a->out[0], i) + j, n);
}

LT_CPU(batch_norm_apply) { return strips_run(self, a, batch_apply_task, err); }
