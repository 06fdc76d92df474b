/* The CPU's elementwise ops and optimiser steps. */
#include "device/cpu_ops.h"

#include <math.h>
#include <string.h>

enum { LINE = 16384, TASK_ELEMENTS = 32768 };
static const double worth_waking_ns = 40000;

leat_status lt_cpu_tasks(leat_b_instance *self, int64_t n_tasks, double ns, void (*task)(void *arg, int64_t index), void *arg,
                         leat_error *err) {
  leat_status st = LEAT_OK;
  if (n_tasks > 1 && ns >= worth_waking_ns) st = self->host->parallel_for(self->host->ctx, n_tasks, task, arg);
  else
    for (int64_t i = 0; i < n_tasks; i++) task(arg, i);
  return st ? lt_fail(err, st, "the host's executor failed with status %d", (int)st) : LEAT_OK;
}

/* ---- lines */
static int is_dense(const lt_view *v) { return v->rank == 2 && (v->shape[0] == 1 || v->stride[0] == v->shape[1]); }

static void lines_task(void *arg, int64_t index) {
  const lt_cpu_lines *l = arg;
  int64_t from = index * l->per_task, to = from + l->per_task < l->count ? from + l->per_task : l->count;
  for (int64_t i = from; i < to; i++) l->line(l, i, i + 1 < l->count ? l->length : l->last);
}

leat_status lt_cpu_run_lines(leat_b_instance *self, const lt_op_args *a,
                             void (*line)(const lt_cpu_lines *l, int64_t index, int64_t n), const void *extra,
                             double element_ns, leat_error *err) {
  int64_t rows = a->out[0].shape[0], cols = a->out[0].shape[1], dense = 1;
  lt_cpu_lines l = {.a = a, .loop = lt_loop_get(), .extra = extra, .line = line};
  for (int64_t i = 0; i < a->n_in; i++) dense &= is_dense(&a->in[i]) || (a->in[i].rank == 1 && a->in[i].shape[0] == 1);
  for (int64_t i = 0; i < a->n_out; i++) dense &= is_dense(&a->out[i]);
  l.count = dense ? (rows * cols + LINE - 1) / LINE : rows;
  l.length = dense ? LINE : cols;
  l.last = dense ? rows * cols - (l.count - 1) * LINE : cols;
  for (int64_t i = 0; i < a->n_in; i++) l.in_step[i] = a->in[i].rank < 2 ? 0 : dense ? LINE : a->in[i].stride[0];
  for (int64_t i = 0; i < a->n_out; i++) l.out_step[i] = dense ? LINE : a->out[i].stride[0];
  l.per_task = l.length < TASK_ELEMENTS ? TASK_ELEMENTS / l.length : 1;
  return lt_cpu_tasks(self, (l.count + l.per_task - 1) / l.per_task, (double)rows * (double)cols * element_ns, lines_task,
                      &l, err);
}

/* ---- maps */
static void map_line(const lt_cpu_lines *l, int64_t i, int64_t n) {
  l->loop->map(l->a->i[0], lt_cpu_in(l, 0, i), lt_cpu_out(l, 0, i), n);
}

LT_CPU(map) {
  int64_t f = a->i[0];
  return lt_cpu_run_lines(self, a, map_line, NULL, f == LT_F_RELU || f == LT_F_NONE ? 0.15 : 1, err);
}

static void map_grad_line(const lt_cpu_lines *l, int64_t i, int64_t n) {
  l->loop->map_grad(l->a->i[0], lt_cpu_in(l, 0, i), lt_cpu_in(l, 1, i), lt_cpu_out(l, 0, i), n);
}

LT_CPU(map_grad) { return lt_cpu_run_lines(self, a, map_grad_line, NULL, a->i[0] == LT_F_GELU ? 1.5 : 0.2, err); }

static void binary_line(const lt_cpu_lines *l, int64_t i, int64_t n) {
  l->loop->binary(l->a->i[0], (float)l->a->f[0], lt_cpu_in(l, 0, i), (float)l->a->f[1], lt_cpu_in(l, 1, i),
                  lt_cpu_out(l, 0, i), n);
}

LT_CPU(binary) {
  lt_op_args rows = *a; /* b [1] is one column of one number a row, not the same number for all of a longer line */
  if (a->in[1].rank == 1 && a->in[1].shape[0] == 1 && a->out[0].shape[0] > 1)
    rows.in[1] = (lt_view){.data = a->in[1].data, .rank = 2, .shape = {a->out[0].shape[0], 1}, .stride = {0, 1}};
  return lt_cpu_run_lines(self, &rows, binary_line, NULL, 0.2, err);
}

static void fill_line(const lt_cpu_lines *l, int64_t i, int64_t n) {
  float *y = lt_cpu_out(l, 0, i), v = (float)l->a->f[0];
  for (int64_t j = 0; j < n; j++) y[j] = v;
}

LT_CPU(fill) { return lt_cpu_run_lines(self, a, fill_line, NULL, 0.1, err); }

static float half_value(int64_t dtype, uint16_t h) { return dtype == LEAT_F16 ? lt_f16_value(h) : lt_bf16_value(h); }
static uint16_t half_of(int64_t dtype, float f) { return dtype == LEAT_F16 ? lt_f16_of(f) : lt_bf16_of(f); }

static void copy_line(const lt_cpu_lines *l, int64_t i, int64_t n) {
  const lt_view *x = &l->a->in[0], *y = &l->a->out[0];
  int64_t from = i * l->in_step[0], to = i * l->out_step[0];
  const uint16_t *half = (const uint16_t *)x->data + from;
  float *wide = (float *)lt_view_out(y) + to;
  uint16_t *narrow = (uint16_t *)lt_view_out(y) + to;
  if (x->dtype == y->dtype) {
    memmove((char *)lt_view_out(y) + to * y->size, (const char *)x->data + from * x->size, (uint64_t)(n * y->size));
  } else if (x->dtype == LEAT_U8) {
    for (int64_t j = 0; j < n; j++) wide[j] = (float)((const uint8_t *)x->data)[from + j];
  } else if (y->dtype == LEAT_F32) {
    for (int64_t j = 0; j < n; j++) wide[j] = half_value(x->dtype, half[j]);
  } else if (x->dtype == LEAT_F32) {
    for (int64_t j = 0; j < n; j++) narrow[j] = half_of(y->dtype, ((const float *)x->data)[from + j]);
  } else {
    for (int64_t j = 0; j < n; j++) narrow[j] = half_of(y->dtype, half_value(x->dtype, half[j]));
  }
}

LT_CPU(copy) { return lt_cpu_run_lines(self, a, copy_line, NULL, 0.3, err); }

static void dropout_line(const lt_cpu_lines *l, int64_t i, int64_t n) {
  uint64_t seed = (uint64_t)l->a->i[0], stream = (uint64_t)l->a->i[1], e = (uint64_t)i * (uint64_t)l->length;
  uint32_t word[32], limit = (uint32_t)(l->a->f[0] * 4294967296.0);
  const float *x = lt_cpu_in(l, 0, i);
  float *y = lt_cpu_out(l, 0, i), factor = (float)(1 / (1 - l->a->f[0]));
  for (int64_t j = 0; j < n;) {
    int64_t skip = (int64_t)((e + (uint64_t)j) % 4), part = 32 - skip < n - j ? 32 - skip : n - j;
    l->loop->philox(seed, stream, (e + (uint64_t)j) / 4, word);
    l->loop->keep(x + j, word + skip, limit, factor, y + j, part);
    j += part;
  }
}

LT_CPU(dropout) { return lt_cpu_run_lines(self, a, dropout_line, NULL, 1, err); }

/* ---- steps */
/* scale times the clipping factor. */
static double step_factor(const lt_op_args *a, double scale, double clip) {
  if (a->n_in < 2 || !(clip > 0)) return scale;
  double c = clip / (scale * sqrt((double)*(const float *)a->in[1].data));
  return c < 1 ? scale * c : scale;
}

static void sgd_line(const lt_cpu_lines *l, int64_t i, int64_t n) {
  l->loop->sgd(l->extra, lt_cpu_in(l, 0, i), lt_cpu_out(l, 0, i), l->a->n_out > 1 ? lt_cpu_out(l, 1, i) : NULL, n);
}

LT_CPU(sgd) {
  lt_sgd_step s = {(float)a->f[0], (float)a->f[1], (float)a->f[2], (float)step_factor(a, a->f[3], a->f[4]),
                   a->i[0] != 0};
  return lt_cpu_run_lines(self, a, sgd_line, &s, 0.3, err);
}

static void adam_line(const lt_cpu_lines *l, int64_t i, int64_t n) {
  l->loop->adam(l->extra, lt_cpu_in(l, 0, i), lt_cpu_out(l, 0, i), lt_cpu_out(l, 1, i), lt_cpu_out(l, 2, i), n);
}

LT_CPU(adam) {
  double rate = a->f[0], decay = a->f[4];
  lt_adam_step s = {(float)a->f[1], (float)(1 - a->f[1]), (float)a->f[2], (float)(1 - a->f[2]), (float)(rate / a->f[7]),
                    (float)(1 / a->f[8]), (float)a->f[3], a->i[0] ? 0 : (float)decay, a->i[0] ? (float)(rate * decay) : 0,
                    (float)step_factor(a, a->f[5], a->f[6])};
  return lt_cpu_run_lines(self, a, adam_line, &s, 0.6, err);
}
