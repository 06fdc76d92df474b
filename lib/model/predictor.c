/* Predictors. Every entry point ends in the family's plan, which has one order of operations: the same values give the
 * same bits however a row arrives. Calls of many rows go through it tile by tile, so that no memory depends on how many. */
#include "model/predictor.h"
#include "base/number.h"
#include "data/store.h" /* how a reader takes a field: one rule for all */
#include "model/model_inner.h"
#include <float.h>
#include <math.h>
#include <string.h>

static const lt_param_def predictor_defs[] = {
    {"max_text_bytes", LEAT_PARAM_I64, "65536", 1, 1073741824, NULL,
     "Bytes of a text or id field for which reserve makes room; longer ones allocate.", 1},
    {"precision", LEAT_PARAM_CHOICE, "f32", 0, 0, "f32|int8",
     "Weights of a network in 4 bytes, or rounded to one: faster on single rows, a little less exact.", 2},
};
const lt_spec lt_predictor_spec = {"predictor", "Prediction by a model.", predictor_defs,
                                   (int64_t)(sizeof predictor_defs / sizeof predictor_defs[0])};

struct leat_predictor {
  lt_predictor_gate gate;
  leat_runtime *rt;
  const leat_model *m;
  const lt_family *family;
  lt_plan *plan;
  int64_t in_cols, out_cols, tile, max_text;
  int32_t foreign_device, has_text, bytes;
  const leat_device *dev;    /* many rows go there; NULL: the CPU */
  const char *block;         /* a column that strings cannot give, or NULL */
  double *y;                 /* [tile, out_cols] */
  double *row;               /* [in_cols], unless the model takes no numbers */
  leat_batch *text;          /* of the model's feature columns: one row of strings */
  leat_schema *other;        /* the schema of the last batch that was not the model's own object */
  lt_encode *other_bind;     /* NULL: it equals the model's */
};

/* ---------------------------------------------------------------------------------------------- life */

static leat_status predictor_alloc(leat_predictor *q, leat_error *err) {
  const leat_model *m = q->m;
  for (int64_t i = 0; i < m->features->n; i++) {
    const lt_column *c = &m->features->col[i];
    if (c->width > 1 || c->sparse) q->block = c->name;
    if (c->kind == LEAT_TEXT) q->has_text = 1;
  }
  uint64_t n_y = (uint64_t)(q->tile * q->out_cols);
  uint64_t n_row = m->encoder->sparse_part >= 0 ? 1 : (uint64_t)q->in_cols;
  q->y = lt_zarray(q->rt, n_y, sizeof(double));
  q->row = lt_zarray(q->rt, n_row, sizeof(double));
  if (!q->y || !q->row) return lt_fail_memory(err, (n_y + n_row) * sizeof(double), "a predictor");
  leat_status st = lt_batch_create(q->rt, m->features, &q->text, err);
  if (!st && q->dev) return m->family->plan_device(m->plan, q->dev, q->bytes, &q->plan, err);
  if (st || !q->bytes) return st ? st : m->family->plan_fork(m->plan, &q->plan, err);
  if (!m->family->plan_bytes)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "precision=int8 is for networks, the model is of the family '%.60s': use f32", m->family->name);
  return m->family->plan_bytes(m->plan, &q->plan, err);
}

leat_status lt_predictor_create(const leat_model *m, const leat_params *p, const leat_device *dev, leat_predictor **out,
                                leat_error *err) {
  *out = NULL;
  if (p && lt_params_spec(p) != &lt_predictor_spec)
    return lt_fail(err, LEAT_E_ARG, "the parameters are of '%s', a predictor takes those of 'predictor'",
                   lt_params_spec(p)->name);
  if (dev && lt_device_runtime(dev) != m->rt)
    return lt_fail(err, LEAT_E_ARG, "device '%s' belongs to another runtime than the model", lt_device_name(dev));
  leat_predictor *q = lt_zalloc(m->rt, sizeof *q);
  if (!q) return lt_fail_memory(err, sizeof *q, "a predictor");
  lt_model_ref(m);
  q->m = m;
  q->rt = m->rt;
  q->gate.timing = lt_runtime_timing(m->rt);
  q->family = m->family;
  q->in_cols = lt_schema_numbers(m->schema);
  q->out_cols = lt_model_outputs(m);
  q->tile = 16384 / q->out_cols;
  q->tile = q->tile < 1 ? 1 : q->tile > 256 ? 256 : q->tile;
  q->max_text = p ? lt_param_int(p, "max_text_bytes") : 65536;
  q->bytes = p && lt_param_is(p, "precision", "int8");
  q->foreign_device = dev && dev != lt_devices_cpu(m->rt);
  if (q->foreign_device && m->family->plan_device) {
    q->foreign_device = 0;
    q->dev = dev;
    q->tile = LT_PLAN_DEVICE_ROWS;
  }
  leat_status st = predictor_alloc(q, err);
  if (st) lt_predictor_free(q);
  else *out = q;
  return st;
}

static void predictor_forget(leat_predictor *q) {
  lt_encode_free(q->other_bind);
  lt_schema_free(q->other);
  q->other_bind = NULL;
  q->other = NULL;
}

void lt_predictor_free(leat_predictor *q) {
  if (!q) return;
  const leat_model *m = q->m;
  leat_runtime *rt = q->rt;
  predictor_forget(q);
  if (q->plan) q->family->plan_free(q->plan);
  lt_batch_free(q->text);
  lt_free(rt, q->y);
  lt_free(rt, q->row);
  lt_free(rt, q);
  lt_model_free(m); /* last: the model holds the runtime */
}

lt_predictor_gate *lt_predictor_gate_of(leat_predictor *q) { return &q->gate; }

/* One row of strings with the longest texts, taken out again: the batch keeps the memory. */
static leat_status reserve_text(leat_predictor *q, leat_error *err) {
  const leat_schema *s = q->m->features;
  if (q->block) return LEAT_OK; /* no row of strings for this model */
  char *longest = lt_alloc(q->rt, (uint64_t)q->max_text + 1);
  const char **field = lt_array(q->rt, (uint64_t)s->n, sizeof *field);
  leat_status st = LEAT_OK;
  if (!longest || !field) {
    st = lt_fail_memory(err, (uint64_t)q->max_text, "a predictor's row of strings");
  } else {
    memset(longest, 'x', (size_t)q->max_text);
    longest[q->max_text] = 0;
    for (int64_t i = 0; i < s->n; i++)
      field[i] = s->col[i].kind == LEAT_TEXT || s->col[i].kind == LEAT_ID ? longest : "";
    lt_batch_clear(q->text);
    st = lt_batch_add_text(q->text, field, (uint64_t)s->n, err);
    lt_batch_clear(q->text);
  }
  lt_free(q->rt, field);
  lt_free(q->rt, longest);
  return st;
}

leat_status lt_predictor_reserve(leat_predictor *q, int64_t max_rows, leat_error *err) {
  if (max_rows < 1) return lt_fail(err, LEAT_E_RANGE, "max_rows is %lld, it must be 1 or more", (long long)max_rows);
  leat_status st = q->family->plan_reserve(q->plan, (uint64_t)q->max_text, err);
  return st ? st : reserve_text(q, err);
}

leat_status lt_predictor_shape(const leat_predictor *q, int64_t *in_cols, int64_t *out_cols, leat_error *err) {
  (void)err;
  *in_cols = q->in_cols;
  *out_cols = q->out_cols;
  return LEAT_OK;
}

/* ---------------------------------------------------------------------------------------------- outputs */

static float predictor_float(double v) { return v > (double)FLT_MAX ? FLT_MAX : v < -(double)FLT_MAX ? -FLT_MAX : (float)v; }

static void predictor_write(const leat_matrix *out, int64_t row, const double *y, int64_t rows) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t k = 0; k < out->cols; k++) {
      int64_t at = (row + r) * out->row_stride + k * out->col_stride;
      if (out->dtype == LEAT_F32) ((float *)out->data)[at] = predictor_float(y[r * out->cols + k]);
      else ((double *)out->data)[at] = y[r * out->cols + k];
    }
}

static leat_status predictor_out(const leat_predictor *q, const leat_matrix *out, int64_t rows, leat_matrix *m,
                                 leat_error *err) {
  return lt_matrix_check(out, rows, q->out_cols, 1u << LEAT_F32 | 1u << LEAT_F64, "out", m, err);
}

/* Why the family does not take a row of numbers. */
static leat_status predictor_no_numbers(const leat_predictor *q, leat_error *err) {
  const leat_schema *s = q->m->features;
  for (int64_t i = 0; i < s->n; i++) {
    if (s->col[i].sparse)
      return lt_fail(err, LEAT_E_UNSUPPORTED, "the model has a sparse block ('%s'): use leat_predictor_one_sparse or a batch",
                     s->col[i].name);
    if (s->col[i].kind == LEAT_TEXT)
      return lt_fail(err, LEAT_E_UNSUPPORTED, "column '%s' is text: use leat_predictor_one_text or a batch", s->col[i].name);
  }
  return lt_fail(err, LEAT_E_UNSUPPORTED, "this model takes no rows of numbers");
}

/* ---------------------------------------------------------------------------------------------- many rows */

static void predictor_count_fallback(const leat_predictor *q) {
  if (q->foreign_device) lt_runtime_count_fallback(q->rt, 1);
}

leat_status lt_predictor_run(leat_predictor *q, const leat_matrix *x, leat_matrix *out, leat_error *err) {
  leat_matrix mx, mo;
  const lt_family *f = q->family;
  if (q->m->encoder->sparse_part >= 0) return predictor_no_numbers(q, err);
  leat_status st = lt_matrix_check(x, -1, q->in_cols, 1u << LEAT_F32 | 1u << LEAT_F64 | 1u << LEAT_U8, "x", &mx, err);
  if (!st) st = predictor_out(q, out, mx.rows, &mo, err);
  if (st) return st;
  predictor_count_fallback(q);
  for (int64_t r = 0; f->plan_numbers && r < mx.rows && !st; r += q->tile) {
    int64_t n = mx.rows - r < q->tile ? mx.rows - r : q->tile;
    st = f->plan_numbers(q->plan, &mx, r, n, q->y, err);
    if (!st) predictor_write(&mo, r, q->y, n);
  }
  for (int64_t r = 0; !f->plan_numbers && r < mx.rows && !st; r++) {
    if (mx.dtype == LEAT_F32 && mx.col_stride == 1) {
      st = f->plan_one_f32(q->plan, (const float *)mx.data + r * mx.row_stride, q->y);
    } else if (mx.dtype == LEAT_F64 && mx.col_stride == 1) {
      st = f->plan_one_f64(q->plan, (const double *)mx.data + r * mx.row_stride, q->y);
    } else {
      for (int64_t j = 0; j < q->in_cols; j++) q->row[j] = lt_matrix_get(&mx, r, j);
      st = f->plan_one_f64(q->plan, q->row, q->y);
    }
    if (!st) predictor_write(&mo, r, q->y, 1);
  }
  return st == LEAT_E_UNSUPPORTED ? predictor_no_numbers(q, err) : st;
}

/* The binding for a batch's schema: the model's own where the schema is the same, else the one of the last batch, else a
 * new one. The schema is held, so that its address tells it. */
static leat_status predictor_bind(leat_predictor *q, leat_schema *s, const lt_encode **bind, leat_error *err) {
  const leat_model *m = q->m;
  *bind = s == m->features ? m->bind_features : m->bind;
  if (s == m->schema || s == m->features) return LEAT_OK;
  if (s != q->other) {
    lt_encode *made = NULL;
    if (!lt_schema_equal(s, m->schema)) {
      leat_status st = lt_encode_create(m->encoder, s, &made, err);
      if (st) return st;
    }
    predictor_forget(q);
    lt_schema_ref(s);
    q->other = s;
    q->other_bind = made;
  }
  if (q->other_bind) *bind = q->other_bind;
  return LEAT_OK;
}

leat_status lt_predictor_run_batch(leat_predictor *q, const leat_batch *rows, leat_matrix *out, leat_error *err) {
  const lt_encode *bind = NULL;
  leat_matrix mo;
  lt_rows v;
  lt_batch_rows(rows, &v);
  leat_status st = predictor_out(q, out, v.n, &mo, err);
  if (!st) st = predictor_bind(q, lt_batch_schema(rows), &bind, err);
  if (!st) predictor_count_fallback(q);
  for (int64_t r = 0; r < v.n && !st; r += q->tile) {
    int64_t n = v.n - r < q->tile ? v.n - r : q->tile;
    st = q->family->plan_rows(q->plan, bind, &v, r, n, q->y, err);
    if (!st) predictor_write(&mo, r, q->y, n);
  }
  return st;
}

/* A range of rows of a data set, by one task with its own plan. A row's prediction depends on the row alone: how many
 * ranges there are changes nothing. */
typedef struct dataset_run {
  leat_predictor *q;
  const lt_encode *bind;
  const leat_dataset *d;
  const leat_matrix *out;
  int64_t rows, n_tasks;
  leat_status *status;
  leat_error *error;
} dataset_run;

enum { DATASET_TILE = 4096 };

static void dataset_task(void *arg, int64_t index) {
  dataset_run *t = arg;
  const leat_predictor *q = t->q;
  leat_error *err = &t->error[index];
  int64_t tiles = (t->rows + DATASET_TILE - 1) / DATASET_TILE;
  int64_t from = tiles * index / t->n_tasks * DATASET_TILE, to = tiles * (index + 1) / t->n_tasks * DATASET_TILE;
  lt_plan *plan = NULL;
  leat_batch *scratch = NULL;
  double *y = lt_array(q->rt, (uint64_t)(q->tile * q->out_cols), sizeof *y);
  leat_status st = y ? LEAT_OK : lt_fail_memory(err, (uint64_t)(q->tile * q->out_cols) * sizeof *y, "predictions");
  if (to > t->rows) to = t->rows;
  if (!st && q->dev) plan = q->plan; /* one task */
  else if (!st) st = q->family->plan_fork(q->plan, &plan, err);
  if (!st) st = lt_batch_create(q->rt, lt_dataset_schema(t->d), &scratch, err);
  for (int64_t r = from; r < to && !st; r += DATASET_TILE) {
    lt_rows v;
    int64_t n = to - r < DATASET_TILE ? to - r : DATASET_TILE;
    st = lt_dataset_view(t->d, r, n, scratch, &v, err);
    for (int64_t i = 0; !st && i < v.n; i += q->tile) {
      int64_t k = v.n - i < q->tile ? v.n - i : q->tile;
      st = q->family->plan_rows(plan, t->bind, &v, i, k, y, err);
      if (!st) predictor_write(t->out, r + i, y, k);
    }
  }
  t->status[index] = st;
  lt_batch_free(scratch);
  if (plan && plan != q->plan) q->family->plan_free(plan);
  lt_free(q->rt, y);
}

leat_status lt_predictor_run_dataset(leat_predictor *q, const leat_dataset *d, leat_matrix *out, leat_error *err) {
  const lt_encode *bind = NULL;
  leat_matrix mo;
  if (lt_dataset_streams(d))
    return lt_fail(err, LEAT_E_UNSUPPORTED, "the data set is a stream: use leat_dataset_next and leat_predictor_run_batch");
  int64_t rows = lt_dataset_rows(d), tiles = (rows + DATASET_TILE - 1) / DATASET_TILE;
  leat_status st = predictor_out(q, out, rows, &mo, err);
  if (!st) st = predictor_bind(q, lt_dataset_schema(d), &bind, err);
  if (st || rows == 0) return st;
  predictor_count_fallback(q);
  int64_t n = 4 * lt_runtime_threads(q->rt);
  if (n > tiles) n = tiles;
  if (q->dev) n = 1;
  leat_status *status = lt_zarray(q->rt, (uint64_t)n, sizeof *status);
  leat_error *error = lt_zarray(q->rt, (uint64_t)n, sizeof *error);
  if (!status || !error) {
    st = lt_fail_memory(err, (uint64_t)n * sizeof *error, "predictions");
  } else {
    dataset_run t = {q, bind, d, &mo, rows, n, status, error};
    for (int64_t i = 0; i < n; i++) error[i].struct_size = sizeof *error;
    st = lt_parallel_for(q->rt, n, dataset_task, &t);
    if (st) lt_fail(err, st, "the host's executor failed");
    for (int64_t i = 0; i < n && !st; i++)
      if (status[i]) st = lt_fail(err, status[i], "%s", error[i].message);
  }
  lt_free(q->rt, error);
  lt_free(q->rt, status);
  return st;
}

/* ---------------------------------------------------------------------------------------------- one row */

static leat_status predictor_room(const leat_predictor *q, uint64_t cap, leat_error *err) {
  return lt_fail(err, LEAT_E_CAPACITY, "a prediction has %lld numbers, out has room for %llu", (long long)q->out_cols,
                 (unsigned long long)cap);
}

static leat_status predictor_width(const leat_predictor *q, uint64_t n, leat_error *err) {
  return lt_fail(err, LEAT_E_SHAPE, "the row has %llu numbers, the model takes %lld", (unsigned long long)n,
                 (long long)q->in_cols);
}

leat_status lt_predictor_one_f32(leat_predictor *q, const float *x, uint64_t n, float *out, uint64_t cap,
                                 leat_error *err) {
  if (n != (uint64_t)q->in_cols) return predictor_width(q, n, err);
  if (cap < (uint64_t)q->out_cols) return predictor_room(q, cap, err);
  if (q->family->plan_one_f32(q->plan, x, q->y)) return predictor_no_numbers(q, err);
  for (int64_t k = 0; k < q->out_cols; k++) out[k] = predictor_float(q->y[k]);
  return LEAT_OK;
}

leat_status lt_predictor_one_f64(leat_predictor *q, const double *x, uint64_t n, double *out, uint64_t cap,
                                 leat_error *err) {
  if (n != (uint64_t)q->in_cols) return predictor_width(q, n, err);
  if (cap < (uint64_t)q->out_cols) return predictor_room(q, cap, err);
  if (q->family->plan_one_f64(q->plan, x, q->y)) return predictor_no_numbers(q, err);
  memcpy(out, q->y, (size_t)q->out_cols * sizeof *out);
  return LEAT_OK;
}

leat_status lt_predictor_one_sparse(leat_predictor *q, const int32_t *idx, const float *val, uint64_t nnz, float *out,
                                    uint64_t cap, leat_error *err) {
  if (cap < (uint64_t)q->out_cols) return predictor_room(q, cap, err);
  if (q->family->plan_one_sparse(q->plan, idx, val, nnz, q->y))
    return lt_fail(err, LEAT_E_UNSUPPORTED, q->m->encoder->sparse_part < 0
                                                ? "the model has no sparse block"
                                                : "the model has other columns beside its sparse block: use a batch");
  for (int64_t k = 0; k < q->out_cols; k++) out[k] = predictor_float(q->y[k]);
  return LEAT_OK;
}

/* A row of strings as numbers and codes, by the readers' own rules for a field. 0 when a field is not what it must be:
 * then the long way tells what and where. */
static int text_numbers(leat_predictor *q, const char *const *fields) {
  const leat_schema *s = q->m->features;
  double *to = q->row;
  for (int64_t i = 0; i < s->n; i++) {
    const lt_column *c = &s->col[i];
    const char *t = fields[i] ? fields[i] : "";
    uint64_t n = strlen(t);
    double v = NAN;
    while (n && (*t == ' ' || *t == '\t')) t++, n--;
    while (n && (t[n - 1] == ' ' || t[n - 1] == '\t')) n--;
    if (c->kind == LEAT_ID) continue;
    if (c->kind == LEAT_CATEGORY) {
      v = (double)lt_label_code(c, t, n);
    } else if (n && c->kind == LEAT_NUMBER) {
      if (!lt_parse_f64(t, t + n, &v)) return 0;
    } else if (n && c->kind == LEAT_BOOL) {
      int b = lt_parse_bool(t, n);
      if (b < 0) return 0;
      v = (double)b;
    } else if (n) {
      int64_t ns = 0;
      if (!lt_parse_time(t, t + n, &ns)) return 0;
      v = (double)ns;
    }
    *to++ = v;
  }
  return 1;
}

leat_status lt_predictor_one_text(leat_predictor *q, const char *const *fields, uint64_t n, float *out, uint64_t cap,
                                  leat_error *err) {
  const leat_schema *s = q->m->features;
  lt_rows v;
  if (cap < (uint64_t)q->out_cols) return predictor_room(q, cap, err);
  if (n != (uint64_t)s->n)
    return lt_fail(err, LEAT_E_SHAPE, "%llu fields are given, the model has %lld feature columns", (unsigned long long)n,
                   (long long)s->n);
  if (q->block)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "block '%s' cannot be given as strings: use numbers, a sparse row or a batch",
                   q->block);
  leat_status st = LEAT_OK;
  if (q->has_text || !text_numbers(q, fields) || q->family->plan_one_f64(q->plan, q->row, q->y)) {
    lt_batch_clear(q->text);
    st = lt_batch_add_text(q->text, fields, n, err);
    if (st) return st;
    lt_batch_rows(q->text, &v);
    st = q->family->plan_rows(q->plan, q->m->bind_features, &v, 0, 1, q->y, err);
  }
  for (int64_t k = 0; k < q->out_cols && !st; k++) out[k] = predictor_float(q->y[k]);
  return st;
}
