#include "data/block.h"

#include <math.h>
#include <string.h>

#include "base/number.h"

int64_t lt_block_element(int32_t dtype) {
  switch (dtype) {
    case LEAT_I8: case LEAT_U8: return 1;
    case LEAT_I16: case LEAT_U16: return 2;
    case LEAT_F32: case LEAT_I32: case LEAT_U32: return 4;
    default: return 8;
  }
}

leat_status lt_block_fits(const char *name, const lt_block *b, uint64_t left, leat_error *err) {
  int64_t size = lt_block_element(b->dtype);
  if (b->rows < 1 || b->cols < 1) return lt_fail(err, LEAT_E_DATA, "%s: there are no rows", name);
  if (b->cols > INT32_MAX)
    return lt_fail(err, LEAT_E_FORMAT, "%s: %lld numbers a row, the most is 2147483647", name, (long long)b->cols);
  if (b->rows > INT64_MAX / 8 / b->cols || (uint64_t)(b->rows * b->cols * size) != left)
    return lt_fail(err, LEAT_E_FORMAT,
                   "%s: the header says %lld x %lld elements of %lld bytes, but %llu bytes follow; the file is cut or "
                   "damaged",
                   name, (long long)b->rows, (long long)b->cols, (long long)size, (unsigned long long)left);
  return LEAT_OK;
}

static double element(const lt_block *b, int64_t i) {
  int64_t size = lt_block_element(b->dtype);
  unsigned char raw[8] = {0};
  memcpy(raw, b->data + i * size, (uint64_t)size);
  for (int64_t k = 0; b->swapped && k < size / 2; k++) {
    unsigned char t = raw[k];
    raw[k] = raw[size - 1 - k];
    raw[size - 1 - k] = t;
  }
  leat_matrix one = {.data = NULL, .dtype = b->dtype};
  union { unsigned char c[8]; double d; } aligned;
  memcpy(aligned.c, raw, 8);
  one.data = &aligned;
  return lt_matrix_get(&one, 0, 0);
}

typedef struct block_job { const lt_block *b; double *out; } block_job;
enum { BLOCK_TILE = 1 << 16 };

static void convert_tile(void *arg, int64_t i) {
  block_job *j = arg;
  int64_t n = j->b->rows * j->b->cols, to = (i + 1) * BLOCK_TILE < n ? (i + 1) * BLOCK_TILE : n;
  for (int64_t k = i * BLOCK_TILE; k < to; k++) j->out[k] = element(j->b, k);
}

/* The block as a matrix of a type that datasets take; *own is what must be freed. */
static leat_status as_matrix(leat_runtime *rt, const lt_block *b, leat_matrix *m, double **own, leat_error *err) {
  memset(m, 0, sizeof *m);
  m->struct_size = sizeof *m;
  m->rows = b->rows;
  m->cols = b->cols;
  m->row_stride = b->by_columns ? 1 : b->cols;
  m->col_stride = b->by_columns ? b->rows : 1;
  m->dtype = b->dtype;
  m->data = (void *)(uintptr_t)b->data;
  int taken = b->dtype == LEAT_U8 || b->dtype == LEAT_F32 || b->dtype == LEAT_F64;
  if (taken && !b->swapped && (uintptr_t)b->data % (uint64_t)lt_block_element(b->dtype) == 0) return LEAT_OK;
  int64_t n = b->rows * b->cols;
  *own = lt_array(rt, (uint64_t)n, sizeof **own);
  if (!*own) return lt_fail_memory(err, (uint64_t)n * 8, "an array");
  block_job job = {b, *own};
  m->data = *own;
  m->dtype = LEAT_F64;
  return lt_parallel_for(rt, (n + BLOCK_TILE - 1) / BLOCK_TILE, convert_tile, &job);
}

/* Labels as numbers; with a schema whose target has classes, as their codes. */
static leat_status read_labels(leat_runtime *rt, const leat_schema *s, const char *path, int64_t rows, double **out,
                               leat_error *err) {
  lt_source *src = NULL;
  const char *data;
  uint64_t size;
  lt_block b;
  leat_status st = lt_source_open(rt, path, 0, &src, err);
  if (!st) st = lt_source_all(src, &data, &size, err);
  if (!st) st = (size > 6 && !memcmp(data, "\x93NUMPY", 6) ? lt_block_npy : lt_block_idx)(path, data, size, &b, err);
  if (!st && (b.cols != 1 || b.rows != rows))
    st = lt_fail(err, LEAT_E_SHAPE, "%s: labels are [%lld, %lld], they must be [%lld, 1] as the rows", path,
                 (long long)b.rows, (long long)b.cols, (long long)rows);
  double *y = st ? NULL : lt_array(rt, (uint64_t)rows, sizeof *y);
  if (!st && !y) st = lt_fail_memory(err, (uint64_t)rows * sizeof *y, "the labels");
  int64_t t = s ? lt_schema_role(s, LEAT_ROLE_TARGET) : -1;
  for (int64_t r = 0; !st && r < rows; r++) {
    y[r] = element(&b, r);
    if (t < 0 || s->col[t].kind != LEAT_CATEGORY || isnan(y[r])) continue;
    char buf[32];
    int64_t code = lt_dict_find(s->col[t].labels, buf, (uint64_t)lt_f64_text(y[r] == 0 ? 0 : y[r], buf));
    y[r] = (double)(code >= 0 ? code : lt_dict_count(s->col[t].labels)); /* behind the last: unseen */
  }
  lt_source_free(src);
  if (st) lt_free(rt, y);
  else *out = y;
  return st;
}

leat_status lt_block_open(leat_runtime *rt, const leat_schema *s, lt_source *src, const leat_params *p,
                          lt_block_fn describe, const char *block_name, leat_dataset **out, leat_error *err) {
  const char *data, *labels = lt_param_str(p, "labels"), *target = lt_param_str(p, "target");
  uint64_t size;
  lt_block b;
  leat_matrix x, y = {0};
  double *own = NULL, *values = NULL;
  const char *name = lt_source_name(src);
  leat_status st = lt_source_all(src, &data, &size, err);
  if (!st && *target && strcmp(target, "label") != 0)
    st = lt_fail(err, LEAT_E_NOT_FOUND, "%s: there is no column '%s'; the target comes from the file `labels`", name,
                 target);
  if (!st && !size) st = lt_fail(err, LEAT_E_DATA, "%s: the file is empty", name);
  if (!st) st = describe(name, data, size, &b, err);
  if (!st) st = as_matrix(rt, &b, &x, &own, err);
  if (!st && *labels) st = read_labels(rt, s, labels, b.rows, &values, err);
  if (!st && values) y = (leat_matrix){sizeof y, values, b.rows, 1, 1, 1, LEAT_F64, 0};
  if (!st) st = lt_dataset_of_matrix(rt, s, block_name, "label", lt_reader_task(p), &x, values ? &y : NULL, NULL, out, err);
  if (!st) st = lt_batch_name_source((*out)->base, name, 0, err);
  if (st && *out) {
    lt_dataset_free(*out);
    *out = NULL;
  }
  lt_free(rt, own);
  lt_free(rt, values);
  lt_source_free(src);
  return st;
}
