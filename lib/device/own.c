/* The CPU's own product of matrix and vector. Nothing is allocated but copies of oddly strided operands. Tasks and the
 * order of sums follow from shapes alone. */
#include "device/host_device.h"
#include "device/kern.h"
#include "device/vec.h"

#include <string.h>

/* Below this many multiply-adds, waking other threads costs more than it saves. */
static const double own_parallel_work = 1e6;

static int64_t at_most(int64_t v, int64_t limit) { return v < limit ? v : limit; }

void lt_gemm_end(const lt_gemm *g, int64_t i, int64_t rows, int64_t j, int64_t cols) {
  const lt_kern *kern = lt_kern_get();
  if (!g->bias && !g->act) return;
  if (g->c_cs == 1 || g->n == 1) {
    kern->end(g->c + i * g->c_rs + j, g->c_rs, rows, cols, g->bias ? g->bias + j : NULL, g->act);
    return;
  }
  for (int64_t r = i; r < i + rows; r++)
    for (int64_t q = j; q < j + cols; q++)
      kern->end(g->c + r * g->c_rs + q * g->c_cs, 0, 1, 1, g->bias ? g->bias + q : NULL, g->act);
}

lt_gemm lt_gemm_of(const lt_op_args *a) {
  const lt_view *x = &a->in[0], *y = &a->in[1], *c = &a->out[0];
  return (lt_gemm){c->shape[0], c->shape[1], x->shape[1], (float)a->f[0], (float)a->f[1], x->data, y->data,
                   lt_view_out(c), x->stride[0], x->stride[1], y->stride[0], y->stride[1], c->stride[0], c->stride[1],
                   a->n_in > 2 ? a->in[2].data : NULL, a->n_i ? (int32_t)a->i[0] : 0};
}

lt_gemv lt_gemv_of(const lt_op_args *a) {
  const lt_view *m = &a->in[0], *x = &a->in[1], *y = &a->out[0];
  return (lt_gemv){m->shape[0], m->shape[1], (float)a->f[0], (float)a->f[1], m->data, x->data, lt_view_out(y),
                   m->stride[0], m->stride[1], x->stride[0], y->stride[0]};
}

static leat_status own_run(const leat_b_host *host, int64_t tasks, double work, void (*task)(void *, int64_t),
                           void *arg) {
  if (tasks > 1 && work >= own_parallel_work) return host->parallel_for(host->ctx, tasks, task, arg);
  for (int64_t i = 0; i < tasks; i++) task(arg, i);
  return LEAT_OK;
}

/* ---- gemv */
enum { GEMV_ROWS = 1024, GEMV_DEPTH = 256 };
typedef struct own_gemv_job {
  const lt_gemv *g;
  const lt_vec *vec;
  const float *x; /* packed */
  int64_t rows;   /* a task */
} own_gemv_job;

/* Sums of rows [from, from + rows): by rows where A lies in rows, by columns where it lies in columns. Other strides are
 * copied, slice by slice. */
static void gemv_sums(const own_gemv_job *job, int64_t from, int64_t rows, float *sum) {
  const lt_gemv *g = job->g;
  const float *a = g->a + from * g->a_rs;
  float part[GEMV_ROWS];
  if (g->a_cs == 1 || g->n == 1) {
    job->vec->gemv_ff(a, g->a_rs, job->x, 0, sum, rows, g->n);
    return;
  }
  for (int64_t i = 0; i < rows; i++) sum[i] = 0;
  for (int64_t k = 0; k < g->n; k += GEMV_DEPTH) {
    int64_t depth = at_most(g->n - k, GEMV_DEPTH);
    for (int64_t i = 0; i < rows; i++) part[i] = 0;
    if (g->a_rs == 1 || rows == 1) {
      job->vec->gemv_t_ff(a + k * g->a_cs, g->a_cs, job->x + k, part, depth, rows);
    } else {
      float copy[GEMV_DEPTH];
      for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < depth; j++) copy[j] = a[i * g->a_rs + (k + j) * g->a_cs];
        part[i] = job->vec->dot_ff(copy, job->x + k, depth);
      }
    }
    for (int64_t i = 0; i < rows; i++) sum[i] += part[i];
  }
}

static void gemv_task(void *arg, int64_t index) {
  const own_gemv_job *job = arg;
  const lt_gemv *g = job->g;
  int64_t from = index * job->rows, rows = at_most(g->m - from, job->rows);
  float sum[GEMV_ROWS];
  int none = g->alpha == 0 || g->n == 0; /* then a and x are not read, and may be NULL */
  if (!none) gemv_sums(job, from, rows, sum);
  for (int64_t i = 0; i < rows; i++) {
    float *out = g->y + (from + i) * g->y_s, v = none ? 0 : g->alpha * sum[i];
    *out = g->beta == 0 ? v : v + g->beta * *out;
  }
}

leat_status lt_own_gemv(const leat_b_host *host, const lt_gemv *g, leat_error *err) {
  own_gemv_job job = {g, lt_vec_get(), g->x, 0};
  uint64_t bytes = (uint64_t)g->n * sizeof(float);
  float *copy = NULL;
  if (g->n > 1 && g->x_s != 1) {
    copy = host->alloc(host->ctx, bytes, 64);
    if (!copy) return lt_fail_memory(err, bytes, "a copy of a strided vector");
    for (int64_t i = 0; i < g->n; i++) copy[i] = g->x[i * g->x_s];
    job.x = copy;
  }
  job.rows = 65536 / (g->n + 1) / 64 * 64;
  job.rows = job.rows < 64 ? 64 : at_most(job.rows, GEMV_ROWS);
  leat_status st = own_run(host, (g->m + job.rows - 1) / job.rows, (double)g->m * (double)g->n, gemv_task, &job);
  if (copy) host->release(host->ctx, copy, bytes, 64);
  return st ? lt_fail(err, st, "the host's executor failed with status %d", (int)st) : LEAT_OK;
}

/* ---- small gemm in double: plain loops, sums in order of k */
void lt_own_dgemm(const lt_gemm64 *g) {
  for (int64_t i = 0; i < g->m; i++)
    for (int64_t j = 0; j < g->n; j++) {
      const double *a = g->a + i * g->a_rs, *b = g->b + j * g->b_cs;
      double sum = 0, *out = g->c + i * g->c_rs + j * g->c_cs;
      for (int64_t k = 0; k < g->k && g->alpha != 0; k++) sum += a[k * g->a_cs] * b[k * g->b_rs];
      *out = g->beta == 0 ? g->alpha * sum : g->alpha * sum + g->beta * *out;
    }
}
