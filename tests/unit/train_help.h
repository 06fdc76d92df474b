/* Data and short cuts for the tests of the trainer. */
#ifndef LEAT_TESTS_TRAIN_HELP_H
#define LEAT_TESTS_TRAIN_HELP_H
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"
#include "train/state.h"

#define TR_OK(call, e) tr_ok(call, e, __FILE__, __LINE__)
static inline void tr_ok(leat_status st, const leat_error *e, const char *file, int line) {
  if (st) print_error("%s:%d: status %d: %s\n", file, line, st, e->message);
  if (st) fail();
}
static inline leat_error tr_error(void) {
  leat_error e = {0};
  e.struct_size = sizeof e;
  return e;
}
static inline leat_runtime *tr_runtime(int64_t threads) {
  leat_runtime_opts o = {0};
  leat_runtime *rt = NULL;
  o.struct_size = sizeof o;
  o.n_threads = threads;
  leat_error e = tr_error();
  TR_OK(leat_runtime_create(&o, &rt, &e), &e);
  return rt;
}

/* Rows of normal numbers, targets from true weights with noise: n_classes 0 a number, 2 labels, more classes. offset and
 * spread: column j is offset + spread^j times a normal number. */
typedef struct tr_rows { int64_t n, cols, classes; float *x; double *y, *w; } tr_rows;
static inline tr_rows tr_make(int64_t n, int64_t cols, int64_t classes, uint64_t seed, double offset, double spread) {
  tr_rows t = {n, cols, classes, NULL, NULL, NULL};
  t.x = malloc((size_t)(n * cols) * sizeof *t.x + 1);
  t.y = malloc((size_t)n * sizeof *t.y + 1);
  t.w = malloc((size_t)n * sizeof *t.w + 1);
  lt_rng r;
  lt_rng_init(&r, seed, 7);
  int64_t outs = classes > 2 ? classes : 1;
  double *beta = malloc((size_t)(outs * (cols + 1)) * sizeof *beta);
  for (int64_t i = 0; i < outs * (cols + 1); i++) beta[i] = lt_rng_normal(&r) / sqrt((double)cols);
  for (int64_t i = 0; i < n; i++) {
    double best = -1e300, scale = 1;
    int64_t arg = 0;
    float *x = t.x + i * cols;
    for (int64_t j = 0; j < cols; j++) x[j] = (float)lt_rng_normal(&r);
    for (int64_t k = 0; k < outs; k++) {
      double z = beta[k * (cols + 1) + cols];
      for (int64_t j = 0; j < cols; j++) z += 2 * beta[k * (cols + 1) + j] * (double)x[j];
      double u = lt_rng_unit(&r);
      if (classes == 0) t.y[i] = z + lt_rng_normal(&r);
      if (classes == 2) t.y[i] = u < 1 / (1 + exp(-z));
      z += -log(-log(u * 0.999999 + 1e-7)); /* the largest of z + Gumbel noise is a draw from the softmax */
      if (z > best) {
        best = z;
        arg = k;
      }
    }
    if (classes > 2) t.y[i] = (double)arg;
    t.w[i] = 0.25 * (double)(1 + (int64_t)lt_rng_below(&r, 8));
    for (int64_t j = 0; j < cols; j++) {
      x[j] = (float)(offset + scale * (double)x[j]);
      scale *= spread;
    }
  }
  free(beta);
  return t;
}
static inline void tr_drop(tr_rows *t) {
  free(t->x);
  free(t->y);
  free(t->w);
}
static inline leat_matrix tr_matrix(const void *data, int64_t rows, int64_t cols, int64_t dtype) {
  leat_matrix m = {0};
  m.struct_size = sizeof m;
  m.data = (void *)(uintptr_t)data;
  m.rows = rows;
  m.cols = cols;
  m.dtype = dtype;
  return m;
}
static inline leat_schema *tr_schema(leat_runtime *rt, int64_t cols, int64_t classes, int sparse) {
  leat_schema *s = NULL;
  leat_error e = tr_error();
  TR_OK(lt_schema_create(rt, &s, &e), &e);
  TR_OK(lt_schema_add(s, "x", LEAT_NUMBER, LEAT_ROLE_FEATURE, cols, sparse, &e), &e);
  TR_OK(lt_schema_add(s, "y", classes ? LEAT_CATEGORY : LEAT_NUMBER, LEAT_ROLE_TARGET, 1, 0, &e), &e);
  TR_OK(lt_schema_add(s, "w", LEAT_NUMBER, LEAT_ROLE_WEIGHT, 1, 0, &e), &e);
  for (int64_t k = 0; k < classes; k++) {
    char name[32];
    int64_t code;
    int n = snprintf(name, sizeof name, "class%d", (int)k);
    TR_OK(lt_dict_add(s->col[1].labels, name, (uint64_t)n, &code, &e), &e);
  }
  return s;
}
static inline leat_dataset *tr_dense(leat_runtime *rt, const tr_rows *t, int weighted) {
  leat_schema *s = tr_schema(rt, t->cols, t->classes, 0);
  leat_matrix x = tr_matrix(t->x, t->n, t->cols, LEAT_F32), y = tr_matrix(t->y, t->n, 1, LEAT_F64);
  leat_matrix w = tr_matrix(t->w, t->n, 1, LEAT_F64);
  leat_dataset *d = NULL;
  leat_error e = tr_error();
  TR_OK(lt_dataset_from_dense(rt, s, &x, &y, weighted ? &w : NULL, &d, &e), &e);
  lt_schema_free(s);
  return d;
}
/* The same rows as a sparse block of `width` columns: number j of the row goes to column j * width / cols. */
static inline leat_dataset *tr_sparse(leat_runtime *rt, const tr_rows *t, int64_t width) {
  leat_schema *s = tr_schema(rt, width, t->classes, 1);
  int64_t *start = malloc((size_t)(t->n + 1) * sizeof *start);
  int32_t *index = malloc((size_t)(t->n * t->cols) * sizeof *index);
  for (int64_t i = 0; i <= t->n; i++) start[i] = i * t->cols;
  for (int64_t i = 0; i < t->n; i++) {
    /* which of the columns of its stretch a number falls on varies from row to row */
    for (int64_t j = 0; j < t->cols; j++)
      index[i * t->cols + j] = (int32_t)(j * width / t->cols + (i * 7 + j) % ((width / t->cols) > 5 ? 5 : 1));
  }
  leat_csr x = {0};
  x.struct_size = sizeof x;
  x.row_start = start;
  x.index = index;
  x.value = t->x;
  x.rows = t->n;
  x.cols = width;
  x.dtype = LEAT_F32;
  leat_matrix y = tr_matrix(t->y, t->n, 1, LEAT_F64);
  leat_dataset *d = NULL;
  leat_error e = tr_error();
  TR_OK(lt_dataset_from_csr(rt, s, &x, &y, NULL, &d, &e), &e);
  lt_schema_free(s);
  free(start);
  free(index);
  return d;
}
/* "name=value name=value" */
static inline leat_params *tr_params(leat_runtime *rt, const char *text) {
  leat_params *p = NULL;
  leat_error e = tr_error();
  TR_OK(lt_params_create(rt, lt_family_find("linear")->spec, &p, &e), &e);
  while (*text) {
    char name[64], value[128];
    size_t n = strcspn(text, "=");
    memcpy(name, text, n);
    name[n] = 0;
    text += n + 1;
    n = strcspn(text, " ");
    memcpy(value, text, n);
    value[n] = 0;
    text += n;
    while (*text == ' ') text++;
    TR_OK(lt_params_set_text(p, name, value, &e), &e);
  }
  return p;
}
static inline leat_trainer *tr_trainer(leat_runtime *rt, const char *settings, const leat_dataset *d,
                                       const leat_dataset *valid) {
  leat_params *p = tr_params(rt, settings);
  leat_trainer *t = NULL;
  leat_error e = tr_error();
  TR_OK(lt_trainer_create(rt, p, NULL, NULL, &t, &e), &e);
  lt_params_free(p);
  if (d) TR_OK(lt_trainer_set_data(t, d, valid, &e), &e);
  return t;
}
static inline void tr_fit(leat_trainer *t) {
  leat_error e = tr_error();
  TR_OK(lt_trainer_fit(t, &e), &e);
}
/* The package's bytes (free). */
static inline uint8_t *tr_bytes(leat_trainer *t, uint64_t *size) {
  leat_model *m = NULL;
  leat_error e = tr_error();
  TR_OK(lt_trainer_snapshot(t, &m, &e), &e);
  *size = 0;
  (void)lt_model_save_bytes(m, NULL, 0, size, NULL);
  uint8_t *b = malloc(*size);
  TR_OK(lt_model_save_bytes(m, b, *size, size, &e), &e);
  lt_model_free(m);
  return b;
}
static inline void tr_same(const uint8_t *a, uint64_t na, const uint8_t *b, uint64_t nb) {
  assert_int_equal(na, nb);
  assert_memory_equal(a, b, na);
}
/* Objective and gradient norm (in units of sum of weight * |x|) at parameters of encoded features, all in double and in
 * the plainest way: what the solvers are judged by. */
static inline double tr_judge(const tr_rows *t, const double *w, const double *b, double l2, int weighted, double *grad) {
  int64_t outs = t->classes > 2 ? t->classes : 1;
  const lt_loss *loss = lt_loss_find(t->classes == 0 ? "squared" : outs == 1 ? "logistic" : "softmax");
  double *g = calloc((size_t)(outs * (t->cols + 1)), sizeof *g), *f = calloc((size_t)outs * 2, sizeof *f);
  double *size = calloc((size_t)t->cols + 1, sizeof *size);
  double total = 0, worst = 0;
  for (int64_t i = 0; i < t->n; i++) {
    const float *x = t->x + i * t->cols;
    double wi = weighted ? t->w[i] : 1;
    for (int64_t k = 0; k < outs; k++) {
      f[k] = b ? b[k] : 0;
      for (int64_t j = 0; j < t->cols; j++) f[k] += w[k * t->cols + j] * (double)x[j];
    }
    total += wi * loss->eval(f, outs, t->y[i], NULL, f + outs, NULL);
    for (int64_t k = 0; k < outs; k++) {
      for (int64_t j = 0; j < t->cols; j++) g[k * (t->cols + 1) + j] += wi * f[outs + k] * (double)x[j];
      g[k * (t->cols + 1) + t->cols] += wi * f[outs + k];
    }
    for (int64_t j = 0; j < t->cols; j++) size[j] += wi * fabs((double)x[j]);
    size[t->cols] += wi;
  }
  for (int64_t k = 0; k < outs; k++) {
    for (int64_t j = 0; j < t->cols; j++) {
      double wk = w[k * t->cols + j];
      total += 0.5 * l2 * wk * wk;
      double v = fabs(g[k * (t->cols + 1) + j] + l2 * wk) / size[j];
      worst = v > worst ? v : worst;
    }
    if (b && fabs(g[k * (t->cols + 1) + t->cols]) / size[t->cols] > worst)
      worst = fabs(g[k * (t->cols + 1) + t->cols]) / size[t->cols];
  }
  *grad = worst;
  free(g);
  free(f);
  free(size);
  return total;
}
#endif
