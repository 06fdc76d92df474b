/* Predictions for other libraries: an Arrow stream that predicts as it is pulled, a DLPack tensor. */
#include <stdio.h>
#include <string.h>

#include "data/arrow.h"
#include "data/dlpack.h"
#include "model/model_inner.h"
#include "model/predictor.h"

typedef struct predict_rows {
  leat_runtime *rt;
  leat_predictor *q;
  leat_dataset *d;
  leat_schema *schema;    /* of what is given out: key, prediction, p_CLASS... */
  int64_t at, batch_rows, key, classes, outputs;
  float *p;               /* [batch_rows, outputs] */
  uint64_t cap;
} predict_rows;

static void predict_rows_free(void *self) {
  predict_rows *x = self;
  leat_runtime *rt = x->rt;
  lt_predictor_free(x->q);
  lt_dataset_free(x->d);
  lt_schema_free(x->schema);
  lt_free(rt, x->p);
  lt_free(rt, x);
  lt_runtime_unref(rt);
}

/* The next rows: as a dataset when d is in memory (all threads predict), else as a batch. Both NULL at the end. */
static leat_status predict_input(predict_rows *x, leat_dataset **part, leat_batch **batch, int64_t *n, leat_error *err) {
  *n = 0;
  if (!lt_dataset_streams(x->d)) {
    int64_t left = lt_dataset_rows(x->d) - x->at;
    *n = left < x->batch_rows ? left : x->batch_rows;
    return *n ? lt_dataset_slice(x->d, x->at, *n, part, err) : LEAT_OK;
  }
  leat_status st = lt_batch_create(x->rt, lt_dataset_schema(x->d), batch, err);
  if (!st) st = lt_owner_enter(&x->d->owner, "dataset", err);
  if (st) return st;
  st = lt_dataset_next(x->d, x->batch_rows, *batch, n, err);
  lt_owner_leave(&x->d->owner);
  return st;
}

static leat_status copy_keys(const predict_rows *x, const leat_dataset *part, const leat_batch *batch, int64_t n,
                             leat_batch *out, leat_error *err) {
  leat_batch *scratch = NULL;
  lt_rows rows;
  leat_status st = LEAT_OK;
  if (batch) {
    lt_batch_rows(batch, &rows);
  } else {
    st = lt_batch_create(x->rt, lt_dataset_schema(part), &scratch, err);
    if (!st) st = lt_dataset_view(part, 0, n, scratch, &rows, err);
  }
  const lt_col *key = st ? NULL : &rows.col[x->key];
  uint64_t bytes = !st && key->text_end && n ? key->text_end[n - 1] - key->text_end[-1] : 0, at = 0;
  if (!st) st = lt_batch_slot_text(out, 0, n, bytes, err);
  for (int64_t r = 0; !st && r < n; r++) {
    uint64_t len;
    const char *s = lt_col_text(key, r, &len);
    if (len) memcpy(out->slot[0].text->text + at, s, len);
    out->slot[0].text->end[r + 1] = at += len;
  }
  lt_batch_free(scratch);
  return st;
}

/* Predictions as rows of x->schema. */
static leat_status predict_columns(const predict_rows *x, int64_t n, leat_batch *out, leat_error *err) {
  int64_t first = x->key >= 0;
  leat_status st = lt_batch_slot_dense(out, first, x->classes ? LEAT_I32 : LEAT_F32, n, err);
  for (int64_t k = 0; !st && k < x->classes; k++) st = lt_batch_slot_dense(out, first + 1 + k, LEAT_F32, n, err);
  if (st) return st;
  for (int64_t r = 0; r < n; r++) {
    const float *p = x->p + r * x->outputs;
    int32_t best = x->outputs == 1 && p[0] >= 0.5f;
    if (!x->classes) {
      ((float *)out->slot[first].data)[r] = p[0];
      continue;
    }
    for (int32_t k = 1; k < x->outputs; k++)
      if (p[k] > p[best]) best = k;
    ((int32_t *)out->slot[first].data)[r] = best;
    for (int64_t k = 0; k < x->classes; k++)
      ((float *)out->slot[first + 1 + k].data)[r] = x->outputs > 1 ? p[k] : k ? p[0] : 1.0f - p[0];
  }
  return LEAT_OK;
}

static leat_status predict_next(void *self, lt_rows *rows, leat_batch **held, leat_error *err) {
  predict_rows *x = self;
  leat_dataset *part = NULL;
  leat_batch *batch = NULL, *out = NULL;
  int64_t n = 0;
  leat_status st = predict_input(x, &part, &batch, &n, err);
  if (!st && n) {
    st = lt_grow(x->rt, (void **)&x->p, &x->cap, (uint64_t)(n * x->outputs), sizeof *x->p, err);
    leat_matrix p = {.struct_size = sizeof p, .data = x->p, .rows = n, .cols = x->outputs, .dtype = LEAT_F32};
    if (!st) st = part ? lt_predictor_run_dataset(x->q, part, &p, err) : lt_predictor_run_batch(x->q, batch, &p, err);
    if (!st) st = lt_batch_create(x->rt, x->schema, &out, err);
    if (!st && x->key >= 0) st = copy_keys(x, part, batch, n, out, err);
    if (!st) st = predict_columns(x, n, out, err);
  }
  lt_dataset_free(part);
  lt_batch_free(batch);
  if (st) {
    lt_batch_free(out);
    return st;
  }
  if (!out) return LEAT_OK;
  out->n = n;
  lt_batch_sync(out);
  lt_batch_rows(out, rows);
  x->at += n;
  *held = out;
  return LEAT_OK;
}

/* key, prediction, p_CLASS... */
static leat_status predict_schema(predict_rows *x, const leat_schema *model, leat_error *err) {
  const leat_schema *d = lt_dataset_schema(x->d);
  int64_t t = lt_schema_role(model, LEAT_ROLE_TARGET);
  const lt_dict *labels = t >= 0 ? model->col[t].labels : NULL;
  x->key = lt_schema_role(d, LEAT_ROLE_KEY);
  x->classes = lt_schema_classes(model);
  leat_status st = lt_schema_create(x->rt, &x->schema, err);
  if (!st && x->key >= 0) st = lt_schema_add(x->schema, d->col[x->key].name, LEAT_ID, LEAT_ROLE_KEY, 1, 0, err);
  if (!st) st = lt_schema_add(x->schema, "prediction", x->classes ? LEAT_CATEGORY : LEAT_NUMBER, LEAT_ROLE_FEATURE, 1, 0, err);
  for (int64_t k = 0; !st && k < x->classes; k++) {
    uint64_t len;
    int64_t code;
    const char *label = lt_dict_text(labels, k, &len);
    char *name = lt_alloc(x->rt, len + 3);
    if (!name) return lt_fail_memory(err, len + 3, "a column's name");
    memcpy(name, "p_", 2);
    memcpy(name + 2, label, len + 1);
    st = lt_dict_add(x->schema->col[x->key >= 0].labels, label, len, &code, err);
    if (!st) st = lt_schema_add(x->schema, name, LEAT_NUMBER, LEAT_ROLE_FEATURE, 1, 0, err);
    lt_free(x->rt, name);
  }
  return st;
}

/* A feature that is not there is told of now, not when the stream is pulled. */
static leat_status predict_check(predict_rows *x, leat_error *err) {
  leat_batch *none = NULL;
  float row = 0;
  leat_matrix p = {.struct_size = sizeof p, .data = &row, .rows = 0, .cols = x->outputs, .dtype = LEAT_F32};
  leat_status st = lt_batch_create(x->rt, lt_dataset_schema(x->d), &none, err);
  if (!st) st = lt_predictor_run_batch(x->q, none, &p, err);
  lt_batch_free(none);
  return st;
}

leat_status lt_predict_arrow(const leat_model *m, const leat_params *p, leat_dataset *d, int64_t batch_rows,
                             struct ArrowArrayStream *out, leat_error *err) {
  if (batch_rows < 0) return lt_fail(err, LEAT_E_RANGE, "batch_rows is %lld, it must not be negative", (long long)batch_rows);
  leat_runtime *rt = lt_model_runtime(m);
  predict_rows *x = lt_zalloc(rt, sizeof *x);
  if (!x) return lt_fail_memory(err, sizeof *x, "a stream of predictions");
  int32_t *dtype = NULL;
  lt_runtime_ref(rt);
  x->rt = rt;
  x->d = d;
  x->batch_rows = batch_rows ? batch_rows : 65536;
  x->outputs = lt_model_outputs(m);
  lt_dataset_ref(d);
  leat_status st = lt_predictor_create(m, p, NULL, &x->q, err);
  if (!st) st = predict_schema(x, lt_model_schema(m), err);
  if (!st) st = predict_check(x, err);
  if (!st && !(dtype = lt_array(rt, (uint64_t)x->schema->n, sizeof *dtype)))
    st = lt_fail_memory(err, (uint64_t)x->schema->n * sizeof *dtype, "a stream of predictions");
  for (int64_t i = 0; !st && i < x->schema->n; i++)
    dtype[i] = x->schema->col[i].kind == LEAT_NUMBER ? LEAT_F32 : lt_column_dtype(&x->schema->col[i]);
  lt_arrow_rows rows = {x, predict_next, predict_rows_free};
  if (st) predict_rows_free(x);
  else st = lt_arrow_export(rt, x->schema, dtype, &rows, out, err);
  lt_free(rt, dtype);
  return st;
}

leat_status lt_predictor_run_dlpack(leat_predictor *q, const leat_dataset *d, int64_t major, void **tensor,
                                    leat_error *err) {
  float *data = NULL;
  int64_t in = 0, cols = 0, rows = lt_dataset_rows(d);
  *tensor = NULL;
  leat_status st = lt_predictor_shape(q, &in, &cols, err);
  if (!st && !lt_dataset_streams(d) && rows < 1) st = lt_fail(err, LEAT_E_RANGE, "the dataset has no rows");
  if (st) return st;
  st = lt_dlpack_make(lt_dataset_runtime(d), major, rows < 1 ? 1 : rows, cols, tensor, &data, err);
  leat_matrix out = {.struct_size = sizeof out, .data = data, .rows = rows, .cols = cols, .dtype = LEAT_F32};
  if (!st) st = lt_predictor_run_dataset(q, d, &out, err);
  if (!st) return LEAT_OK;
  lt_dlpack_free(major, *tensor);
  *tensor = NULL;
  return st;
}
