/* The CPU's ops by rows: reductions, softmax, its loss, the largest of a row. */
#include "device/cpu_ops.h"
#include "device/vec.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

typedef struct rows_job {
  const lt_op_args *a;
  const lt_loop *loop;
  int64_t rows, cols; /* of a task */
  double *part;       /* of reduce over all: by task */
} rows_job;

static const float *row_in(const lt_op_args *a, int64_t tensor, int64_t i) {
  return (const float *)a->in[tensor].data + i * a->in[tensor].stride[0];
}
static float *row_out(const lt_op_args *a, int64_t tensor, int64_t i) {
  return (float *)lt_view_out(&a->out[tensor]) + i * a->out[tensor].stride[0];
}
static int64_t rows_end(const rows_job *job, int64_t index) {
  int64_t end = (index + 1) * job->rows, m = job->a->in[0].shape[0];
  return end < m ? end : m;
}

/* Rows of n numbers that make a task. */
static int64_t rows_of_task(int64_t n) { return n < 16384 ? 16384 / (n ? n : 1) : 1; }

static leat_status rows_run(leat_b_instance *self, const lt_op_args *a, void (*task)(void *arg, int64_t index),
                            double element_ns, leat_error *err) {
  int64_t m = a->in[0].shape[0], n = a->in[0].shape[1];
  rows_job job = {.a = a, .loop = lt_loop_get(), .rows = rows_of_task(n)};
  return lt_cpu_tasks(self, (m + job.rows - 1) / job.rows, (double)m * (double)n * element_ns, task, &job, err);
}

/* ---- reduce */
static void put(const lt_op_args *a, int64_t at, double r) {
  float *y = (float *)lt_view_out(&a->out[0]) + at;
  *y = (float)(a->f[0] * r + (a->f[1] == 0 ? 0 : a->f[1] * (double)*y));
}

static void columns_task(void *arg, int64_t index) {
  enum { AT_ONCE = 256 };
  const rows_job *job = arg;
  const lt_view *x = &job->a->in[0];
  int64_t from = index * job->cols, end = from + job->cols < x->shape[1] ? from + job->cols : x->shape[1];
  for (int64_t j = from, n; j < end; j += n) {
    float sum[AT_ONCE];
    n = end - j < AT_ONCE ? end - j : AT_ONCE;
    job->loop->columns(job->a->i[0], x->shape[0] ? row_in(job->a, 0, 0) + j : NULL, x->stride[0], x->shape[0], n, sum);
    for (int64_t q = 0; q < n; q++) put(job->a, j + q, (double)sum[q]);
  }
}

static void row_sums_task(void *arg, int64_t index) {
  const rows_job *job = arg;
  for (int64_t i = index * job->rows; i < rows_end(job, index); i++)
    put(job->a, i, job->loop->line(job->a->i[0], row_in(job->a, 0, i), job->a->in[0].shape[1]));
}

static double join(int64_t what, double so_far, double x) {
  if (what == LT_LARGEST) return x > so_far || x != x ? x : so_far;
  return so_far + x;
}

static void all_task(void *arg, int64_t index) {
  const rows_job *job = arg;
  double r = job->a->i[0] == LT_LARGEST ? -(double)INFINITY : 0;
  for (int64_t i = index * job->rows; i < rows_end(job, index); i++)
    r = join(job->a->i[0], r, job->loop->line(job->a->i[0], row_in(job->a, 0, i), job->a->in[0].shape[1]));
  job->part[index] = r;
}

static leat_status reduce_all(leat_b_instance *self, const lt_op_args *a, leat_error *err) {
  enum { PARTS = 64 };
  double part[PARTS], r = a->i[0] == LT_LARGEST ? -(double)INFINITY : 0;
  int64_t m = a->in[0].shape[0], n = a->in[0].shape[1];
  rows_job job = {.a = a, .loop = lt_loop_get(), .rows = rows_of_task(n), .part = part};
  if (m > job.rows * PARTS) job.rows = (m + PARTS - 1) / PARTS;
  int64_t tasks = (m + job.rows - 1) / job.rows;
  leat_status st = lt_cpu_tasks(self, tasks, (double)m * (double)n * 0.1, all_task, &job, err);
  for (int64_t i = 0; i < tasks && !st; i++) r = join(a->i[0], r, part[i]);
  if (!st) put(a, 0, r);
  return st;
}

LT_CPU(reduce) {
  int64_t m = a->in[0].shape[0], n = a->in[0].shape[1];
  if (a->i[1] == 1) return rows_run(self, a, row_sums_task, 0.1, err);
  if (a->i[1] == 2) return reduce_all(self, a, err);
  rows_job job = {.a = a, .loop = lt_loop_get(), .cols = 64};
  return lt_cpu_tasks(self, (n + job.cols - 1) / job.cols, (double)m * (double)n * 0.1, columns_task, &job, err);
}

/* ---- softmax and its loss */
static void softmax_task(void *arg, int64_t index) {
  const rows_job *job = arg;
  int64_t n = job->a->in[0].shape[1];
  for (int64_t i = index * job->rows; i < rows_end(job, index); i++) {
    memmove(row_out(job->a, 0, i), row_in(job->a, 0, i), (uint64_t)n * sizeof(float));
    lt_vec_get()->softmax_ff(row_out(job->a, 0, i), n, 1, n);
  }
}

LT_CPU(softmax) { return rows_run(self, a, softmax_task, 1.5, err); }

static void xent_task(void *arg, int64_t index) {
  const rows_job *job = arg;
  const lt_op_args *a = job->a;
  const int32_t *label = a->in[1].data;
  int64_t n = a->in[0].shape[1];
  for (int64_t i = index * job->rows; i < rows_end(job, index); i++) {
    float w = a->n_in > 2 ? ((const float *)a->in[2].data)[i] : 1, *loss = (float *)lt_view_out(&a->out[0]) + i;
    float *dx = a->n_out > 1 ? row_out(a, 1, i) : NULL;
    if (label[i] >= 0 && label[i] < n) {
      *loss = w * job->loop->xent(row_in(a, 0, i), n, label[i], (float)a->f[0] * w, dx);
    } else {
      *loss = 0;
      if (dx && n > 0) memset(dx, 0, (uint64_t)n * sizeof *dx);
    }
  }
}

LT_CPU(softmax_xent) { return rows_run(self, a, xent_task, 1.5, err); }

/* ---- argmax */
static int32_t largest(const float *x, int64_t n) {
  int64_t best = 0;
  for (int64_t j = 1; j < n; j++)
    if (x[j] > x[best] || (x[best] != x[best] && x[j] == x[j])) best = j;
  return n > 0 ? (int32_t)best : -1;
}

static void argmax_task(void *arg, int64_t index) {
  const rows_job *job = arg;
  int32_t *to = lt_view_out(&job->a->out[0]);
  for (int64_t i = index * job->rows; i < rows_end(job, index); i++)
    to[i] = largest(row_in(job->a, 0, i), job->a->in[0].shape[1]);
}

LT_CPU(argmax) { return rows_run(self, a, argmax_task, 1, err); }
