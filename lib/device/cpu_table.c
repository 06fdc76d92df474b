/* The CPU's ops on sparse rows and tables, and products of many small or of byte matrices. */
#include "device/cpu_ops.h"
#include "device/kern.h"
#include "device/vec.h"

#include <math.h>
#include <string.h>

typedef struct table_job {
  const lt_op_args *a;
  const lt_loop *loop;
  const leat_b_host *host;
  int64_t rows; /* of a task */
  int32_t failed; /* atomic */
} table_job;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static const float *table_row(const lt_view *v, int64_t i) { return (const float *)v->data + i * v->stride[0]; }
static float *table_row_out(const lt_view *v, int64_t i) { return (float *)lt_view_out(v) + i * v->stride[0]; }
static const int32_t *whole_numbers(const lt_view *v) { return v->data; }
static int64_t task_rows(int64_t work) { return work < 16384 ? 16384 / (work ? work : 1) : 1; }

/* y = beta * y, where beta 0 does not read y. */
static void fade(float *y, float beta, int64_t n) {
  for (int64_t j = 0; j < n && beta != 1; j++) y[j] = beta == 0 ? 0 : beta * y[j];
}

/* The entries of row i of c or d: [*from, *to) of index and value, none when its row does not exist. */
static void entries(const lt_op_args *a, int64_t i, int64_t *from, int64_t *to) {
  int64_t rows = a->in[0].shape[0] - 1, nnz = a->in[1].shape[0], s = a->n_in > 4 ? whole_numbers(&a->in[4])[i] : i;
  const int32_t *start = a->in[0].data;
  *from = *to = 0;
  if (s < 0 || s >= rows || a->f[0] == 0) return;
  *from = start[s] > 0 ? start[s] : 0;
  *to = start[s + 1] < nnz ? start[s + 1] : nnz;
}

static void csr_task(void *arg, int64_t index) {
  const table_job *job = arg;
  const lt_op_args *a = job->a;
  const lt_view *b = &a->in[3], *c = &a->out[0];
  float alpha = (float)a->f[0], beta = (float)a->f[1];
  for (int64_t i = index * job->rows, from, to; i < least(c->shape[0], (index + 1) * job->rows); i++) {
    entries(a, i, &from, &to);
    for (int64_t j = 0, n; j < c->shape[1]; j += n) {
      float sum[LT_STRIP] = {0}, *out = table_row_out(c, i) + j;
      n = least(LT_STRIP, c->shape[1] - j);
      if (from < to)
        job->loop->sparse_rows(whole_numbers(&a->in[1]) + from, (const float *)a->in[2].data + from, to - from,
                               (const float *)b->data + j, b->shape[0], b->stride[0], n, sum);
      for (int64_t q = 0; q < n; q++) {
        float v = alpha == 0 ? 0 : alpha * sum[q];
        out[q] = beta == 0 ? v : v + beta * out[q];
      }
    }
  }
}

LT_CPU(csr_gemm) {
  int64_t m = a->out[0].shape[0], n = a->out[0].shape[1], nnz = a->in[1].shape[0];
  double work = ((double)nnz + (double)m) * (double)n;
  table_job job = {.a = a, .loop = lt_loop_get(), .rows = task_rows((int64_t)(work / (double)m))};
  return lt_cpu_tasks(self, (m + job.rows - 1) / job.rows, work * 0.15, csr_task, &job, err);
}

/* A strip of columns: entries in their order. */
static void csr_t_task(void *arg, int64_t index) {
  const table_job *job = arg;
  const lt_op_args *a = job->a;
  const lt_view *d = &a->in[3], *c = &a->out[0];
  const lt_vec *vec = lt_vec_get();
  const int32_t *at = a->in[1].data;
  const float *value = a->in[2].data;
  int64_t j = index * LT_STRIP, n = least(LT_STRIP, c->shape[1] - j), from, to;
  for (int64_t r = 0; r < c->shape[0]; r++) fade(table_row_out(c, r) + j, (float)a->f[1], n);
  for (int64_t i = 0; i < d->shape[0]; i++) {
    entries(a, i, &from, &to);
    for (int64_t p = from; p < to; p++)
      if (at[p] >= 0 && at[p] < c->shape[0])
        vec->axpy_ff((float)a->f[0] * value[p], table_row(d, i) + j, table_row_out(c, at[p]) + j, n);
  }
}

LT_CPU(csr_gemm_t) {
  int64_t n = a->out[0].shape[1];
  table_job job = {.a = a};
  double work = ((double)a->in[1].shape[0] + (double)a->out[0].shape[0]) * (double)n;
  return lt_cpu_tasks(self, (n + LT_STRIP - 1) / LT_STRIP, work * 0.3, csr_t_task, &job, err);
}

/* ---- rows of tables */
static void gather_task(void *arg, int64_t index) {
  const table_job *job = arg;
  const lt_view *table = &job->a->in[0], *at = &job->a->in[1], *y = &job->a->out[0];
  uint64_t bytes = (uint64_t)(table->shape[1] * table->size);
  for (int64_t i = index * job->rows; i < least(at->shape[0], (index + 1) * job->rows); i++)
    for (int64_t j = 0; j < at->shape[1]; j++) {
      int64_t row = whole_numbers(at)[i * at->stride[0] + j];
      char *to = (char *)lt_view_out(y) + (i * y->stride[0] + j * table->shape[1]) * y->size;
      if (row < 0 || row >= table->shape[0]) memset(to, 0, bytes);
      else memcpy(to, (const char *)table->data + row * table->stride[0] * table->size, bytes);
    }
}

LT_CPU(gather) {
  int64_t m = a->in[1].shape[0], work = a->in[1].shape[1] * a->in[0].shape[1];
  table_job job = {.a = a, .rows = task_rows(work)};
  return lt_cpu_tasks(self, (m + job.rows - 1) / job.rows, (double)m * (double)work * 0.3, gather_task, &job, err);
}

LT_CPU(scatter_add) {
  const lt_view *d = &a->in[0], *at = &a->in[1], *table = &a->out[0];
  const lt_vec *vec = lt_vec_get();
  int64_t w = table->shape[1];
  (void)self, (void)err;
  for (int64_t r = 0; r < table->shape[0]; r++) fade(table_row_out(table, r), (float)a->f[1], w);
  for (int64_t i = 0; i < at->shape[0] && a->f[0] != 0; i++)
    for (int64_t j = 0; j < at->shape[1]; j++) {
      int64_t row = whole_numbers(at)[i * at->stride[0] + j];
      if (row >= 0 && row < table->shape[0])
        vec->axpy_ff((float)a->f[0], table_row(d, i) + j * w, table_row_out(table, row), w);
    }
  return LEAT_OK;
}

/* ---- many products */
static void batched_task(void *arg, int64_t index) {
  table_job *job = arg;
  const lt_view *x = &job->a->in[0], *y = &job->a->in[1], *c = &job->a->out[0];
  const double *f = job->a->f;
  lt_gemm g = {c->shape[1], c->shape[2], x->shape[2], (float)f[0], (float)f[1],
               (const float *)x->data + (x->data ? index * x->stride[0] : 0),
               (const float *)y->data + (y->data ? index * y->stride[0] : 0), (float *)lt_view_out(c) + index * c->stride[0],
               x->stride[1], x->stride[2], y->stride[1], y->stride[2], c->stride[1], c->stride[2], NULL, 0};
  if (lt_own_gemm(job->host, &g, NULL)) __atomic_store_n(&job->failed, 1, __ATOMIC_RELAXED);
}

LT_CPU(gemm_batched) {
  table_job job = {.a = a, .host = self->host};
  const lt_view *c = &a->out[0];
  double work = (double)c->shape[0] * (double)c->shape[1] * (double)c->shape[2] * ((double)a->in[0].shape[2] + 1);
  leat_status st = lt_cpu_tasks(self, c->shape[0], work * 0.03, batched_task, &job, err);
  return !st && job.failed ? lt_fail(err, LEAT_E_INTERNAL, "the host's executor failed") : st;
}

/* ---- weights of 8 bits: the rows of a are rounded to bytes as well, a stretch at a time */
enum { Q8_DEPTH = 4096, Q8_COLS = 64 };

static void q8_row(const lt_op_args *a, const lt_kern *kern, int64_t i) {
  const float *x = table_row(&a->in[0], i), *scale = a->in[2].data;
  int64_t k = a->in[0].shape[1], n = a->out[0].shape[1];
  float top = kern->q8_top(x, k), factor = top / 127, inverse = top == 0 ? 0 : 127 / top, *out = table_row_out(&a->out[0], i);
  int8_t q[Q8_DEPTH];
  if (k <= Q8_DEPTH) kern->q8_round(x, k, inverse, q);
  for (int64_t j = 0, cols; j < n; j += cols) {
    double sum[Q8_COLS] = {0};
    cols = least(Q8_COLS, n - j);
    for (int64_t from = 0; from < k; from += Q8_DEPTH) {
      int64_t depth = least(Q8_DEPTH, k - from);
      if (k > Q8_DEPTH) kern->q8_round(x + from, depth, inverse, q);
      for (int64_t c = 0; c < cols; c++)
        sum[c] += (double)kern->q8_dot(q, (const int8_t *)a->in[1].data + (j + c) * a->in[1].stride[0] + from, depth);
    }
    for (int64_t c = 0; c < cols; c++) out[j + c] = (float)sum[c] * (factor * scale[j + c]);
  }
  kern->end(out, n, 1, n, a->in[3].data, a->i[0]);
}

static void q8_task(void *arg, int64_t index) {
  const table_job *job = arg;
  for (int64_t i = index * job->rows; i < least(job->a->out[0].shape[0], (index + 1) * job->rows); i++)
    q8_row(job->a, lt_kern_get(), i);
}

LT_CPU(gemm_q8) {
  int64_t m = a->out[0].shape[0], n = a->out[0].shape[1], k = a->in[0].shape[1];
  table_job job = {.a = a, .rows = 4};
  return lt_cpu_tasks(self, (m + job.rows - 1) / job.rows, (double)m * (double)n * (double)k * 0.02, q8_task, &job, err);
}
