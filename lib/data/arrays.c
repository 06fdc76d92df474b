/* Datasets from a host's arrays. */
#include <math.h>
#include <string.h>

#include "data/store.h"

enum { COPY_ROWS = 8192 };

/* The schema of arrays without one: a block, and a number for the target (y NULL: none). */
static leat_status plain_schema(leat_runtime *rt, const char *x, int64_t cols, int sparse, const char *y,
                                leat_schema **out, leat_error *err) {
  leat_status st = lt_schema_create(rt, out, err);
  if (!st) st = lt_schema_add(*out, x, LEAT_NUMBER, LEAT_ROLE_FEATURE, cols, sparse, err);
  if (!st && y) st = lt_schema_add(*out, y, LEAT_NUMBER, LEAT_ROLE_TARGET, 1, 0, err);
  return st;
}

static leat_status weight_column(leat_schema *s, leat_error *err) {
  if (lt_schema_role(s, LEAT_ROLE_WEIGHT) >= 0) return LEAT_OK;
  char name[8] = "w"; /* with as many _ behind it as make it new; a fourth name taken fails below */
  for (int k = 1; k < 4 && lt_dict_find(s->names, name, strlen(name)) >= 0; k++) name[k] = '_';
  return lt_schema_add(s, name, LEAT_NUMBER, LEAT_ROLE_WEIGHT, 1, 0, err);
}

/* Numbers of y and w as doubles, into the TARGET and WEIGHT columns of b (whose rows are set). */
static leat_status put_labels(leat_batch *b, const leat_matrix *y, const leat_matrix *w, leat_error *err) {
  const leat_matrix *given[2] = {y, w};
  double *values = NULL;
  leat_status st = LEAT_OK;
  for (int k = 0; k < 2 && !st; k++) {
    if (!given[k]) continue;
    uint32_t mask = 1u << LEAT_F32 | 1u << LEAT_F64;
    if (!k) mask |= 1u << LEAT_I32 | 1u << LEAT_I64 | 1u << LEAT_U8;
    leat_matrix m;
    st = lt_matrix_check(given[k], b->n, 1, mask, k ? "w" : "y", &m, err);
    if (st) break;
    values = lt_array(b->rt, (uint64_t)b->n, sizeof *values);
    if (!values) return lt_fail_memory(err, (uint64_t)b->n * sizeof *values, "the labels");
    for (int64_t r = 0; r < b->n && !st; r++) {
      values[r] = lt_matrix_get(&m, r, 0);
      if (k && !(values[r] >= 0 && isfinite(values[r])))
        st = lt_fail_at(err, LEAT_E_DATA, r + 1, 0, "row %lld: the weight is negative or not finite", (long long)r + 1);
    }
    leat_matrix copy = {.struct_size = sizeof copy, .data = values, .rows = b->n, .cols = 1, .dtype = LEAT_F64};
    if (!st) st = lt_batch_set_labels(b, k ? NULL : &copy, k ? &copy : NULL, err);
    lt_free(b->rt, values);
  }
  return st;
}

/* Labels, then what follows from them when no schema says it. */
static leat_status put_targets(leat_batch *b, int inferred, int task, const leat_matrix *y, const leat_matrix *w,
                               leat_error *err) {
  leat_status st = y || w ? put_labels(b, y, w, err) : LEAT_OK;
  if (!st && inferred && y) {
    int64_t t = lt_schema_role(b->schema, LEAT_ROLE_TARGET);
    const double *v = b->slot[t].data;
    for (int64_t r = 0; r < b->n && !st; r++)
      if (isnan(v[r])) st = lt_fail_at(err, LEAT_E_DATA, r + 1, 0, "y: row %lld has no target (NaN)", (long long)r + 1);
    if (!st) st = lt_target_to_classes(b, t, task, b->schema->col[t].name, err);
  }
  return st;
}

leat_status lt_label_batch(leat_runtime *rt, const leat_schema *s, const leat_matrix *x, const leat_matrix *y,
                           const leat_matrix *w, leat_batch **out, leat_error *err) {
  leat_schema *own = NULL;
  *out = NULL;
  int64_t numbers = s ? lt_schema_numbers(s) : x->cols;
  for (int64_t i = 0; s && i < s->n; i++)
    if (s->col[i].sparse && s->col[i].role == LEAT_ROLE_FEATURE)
      return lt_fail(err, LEAT_E_UNSUPPORTED, "the schema's features are a sparse block: give the rows as CSR");
  if (numbers != x->cols)
    return lt_fail(err, LEAT_E_SHAPE, "x is [%lld, %lld], it must be [%lld, %lld]", (long long)x->rows, (long long)x->cols,
                   (long long)x->rows, (long long)numbers);
  leat_status st = s ? lt_schema_copy(s, &own, err) : plain_schema(rt, "x", x->cols, 0, y ? "y" : NULL, &own, err);
  if (!st && w) st = weight_column(own, err);
  if (!st) st = lt_batch_create(rt, own, out, err);
  lt_schema_free(own);
  if (!st) {
    (*out)->n = x->rows;
    st = put_targets(*out, s == NULL, LT_TASK_AUTO, y, w, err);
  }
  if (!st) return LEAT_OK;
  lt_batch_free(*out);
  *out = NULL;
  return st;
}

/* Takes over b. */
static leat_status label_rows(leat_batch *b, int inferred, int task, const leat_matrix *y, const leat_matrix *w,
                          leat_dataset **out, leat_error *err) {
  leat_status st = put_targets(b, inferred, task, y, w, err);
  if (st) {
    lt_batch_free(b);
    return st;
  }
  return lt_dataset_of(b, out, err);
}

typedef struct copy_job { leat_batch *b; const leat_matrix *x; } copy_job;

static void copy_tile(void *arg, int64_t i) {
  copy_job *job = arg;
  int64_t from = i * COPY_ROWS, to = from + COPY_ROWS;
  lt_batch_copy_dense(job->b, job->x, from, to < job->x->rows ? to : job->x->rows);
}

leat_status lt_dataset_of_matrix(leat_runtime *rt, const leat_schema *s, const char *block, const char *target,
                                 int task, const leat_matrix *x, const leat_matrix *y, const leat_matrix *w,
                                 leat_dataset **out, leat_error *err) {
  *out = NULL;
  leat_matrix m;
  leat_schema *own = NULL;
  leat_batch *b = NULL;
  leat_status st = s ? lt_batch_check_dense(s, x, &m, err)
                     : lt_matrix_check(x, -1, -1, 1u << LEAT_F32 | 1u << LEAT_F64 | 1u << LEAT_U8, "x", &m, err);
  if (st) return st;
  if (!m.rows || !m.cols) return lt_fail(err, LEAT_E_SHAPE, "x has no rows or no columns");
  st = s ? lt_schema_copy(s, &own, err) : plain_schema(rt, block, m.cols, 0, y ? target : NULL, &own, err);
  if (!st && w) st = weight_column(own, err);
  if (!st) st = lt_batch_create(rt, own, &b, err);
  lt_schema_free(own);
  own = b ? b->schema : NULL;
  for (int64_t i = 0; !st && i < own->n; i++) {
    const lt_column *c = &own->col[i];
    if (c->role == LEAT_ROLE_FEATURE && !lt_column_is_text(c) && !c->sparse)
      st = lt_batch_slot_dense(b, i, (int32_t)m.dtype, m.rows, err);
  }
  if (st) {
    lt_batch_free(b);
    return st;
  }
  copy_job job = {b, &m};
  st = lt_parallel_for(rt, (m.rows + COPY_ROWS - 1) / COPY_ROWS, copy_tile, &job);
  b->n = m.rows;
  lt_batch_sync(b);
  if (st) {
    lt_batch_free(b);
    return st;
  }
  return label_rows(b, s == NULL, task, y, w, out, err);
}

leat_status lt_dataset_from_dense(leat_runtime *rt, const leat_schema *s, const leat_matrix *x, const leat_matrix *y,
                                  const leat_matrix *w, leat_dataset **out, leat_error *err) {
  return lt_dataset_of_matrix(rt, s, "x", "y", LT_TASK_AUTO, x, y, w, out, err);
}

leat_status lt_dataset_from_csr(leat_runtime *rt, const leat_schema *s, const leat_csr *x, const leat_matrix *y,
                                const leat_matrix *w, leat_dataset **out, leat_error *err) {
  *out = NULL;
  leat_csr m;
  if (!x) return lt_fail(err, LEAT_E_ARG, "x is NULL");
  leat_status st = lt_take_struct(&m, sizeof m, x, x->struct_size, "leat_csr", err);
  if (st) return st;
  if (m.rows < 1 || m.cols < 1) return lt_fail(err, LEAT_E_SHAPE, "x has no rows or no columns");
  leat_schema *own = NULL;
  leat_batch *b = NULL;
  st = s ? lt_schema_copy(s, &own, err) : plain_schema(rt, "x", m.cols, 1, y ? "y" : NULL, &own, err);
  if (!st && w) st = weight_column(own, err);
  if (!st) st = lt_batch_create(rt, own, &b, err);
  lt_schema_free(own);
  if (!st) st = lt_batch_set_csr(b, x, err);
  if (st) {
    lt_batch_free(b);
    return st;
  }
  return label_rows(b, s == NULL, LT_TASK_AUTO, y, w, out, err);
}
