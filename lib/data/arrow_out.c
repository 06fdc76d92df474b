/* Rows as an Arrow stream. */
#include <errno.h>
#include <string.h>

#include "data/arrow.h"

typedef struct out_stream {
  leat_runtime *rt;
  leat_schema *schema;
  int32_t *dtype;
  lt_arrow_rows rows;
  leat_error error;
} out_stream;

static int errno_of(leat_status st) {
  return st == LEAT_E_MEMORY ? ENOMEM : st == LEAT_E_IO ? EIO : EINVAL;
}

static int out_get_schema(struct ArrowArrayStream *s, struct ArrowSchema *out) {
  out_stream *x = s->private_data;
  x->error.message[0] = 0;
  leat_status st = lt_arrow_put_schema(x->rt, x->schema, x->dtype, out, &x->error);
  return st ? errno_of(st) : 0;
}

static int out_get_next(struct ArrowArrayStream *s, struct ArrowArray *out) {
  out_stream *x = s->private_data;
  leat_batch *held = NULL;
  lt_rows rows;
  lt_fpenv env;
  memset(out, 0, sizeof *out);
  x->error.message[0] = 0;
  lt_fpenv_enter(&env);
  leat_status st = x->rows.next(x->rows.self, &rows, &held, &x->error);
  if (!st && held) st = lt_arrow_put_array(held, &rows, x->dtype, out, &x->error);
  lt_fpenv_leave(&env);
  lt_batch_free(held);
  return st ? errno_of(st) : 0;
}

static const char *out_last_error(struct ArrowArrayStream *s) {
  const out_stream *x = s->private_data;
  return x->error.message[0] ? x->error.message : NULL;
}

static void out_release(struct ArrowArrayStream *s) {
  out_stream *x = s->private_data;
  leat_runtime *rt = x->rt;
  x->rows.release(x->rows.self);
  lt_schema_free(x->schema);
  lt_free(rt, x->dtype);
  lt_free(rt, x);
  s->release = NULL;
  lt_runtime_unref(rt);
}

leat_status lt_arrow_export(leat_runtime *rt, leat_schema *s, const int32_t *dtype, const lt_arrow_rows *rows,
                            struct ArrowArrayStream *out, leat_error *err) {
  out_stream *x = lt_zalloc(rt, sizeof *x);
  int32_t *copy = lt_array(rt, (uint64_t)s->n, sizeof *copy);
  if (!x || !copy) {
    lt_free(rt, x);
    lt_free(rt, copy);
    rows->release(rows->self);
    return lt_fail_memory(err, sizeof *x, "an Arrow stream");
  }
  memcpy(copy, dtype, (uint64_t)s->n * sizeof *copy);
  *x = (out_stream){.rt = rt, .schema = s, .dtype = copy, .rows = *rows, .error = {.struct_size = sizeof x->error}};
  lt_schema_ref(s);
  lt_runtime_ref(rt);
  *out = (struct ArrowArrayStream){out_get_schema, out_get_next, out_last_error, out_release, x};
  return LEAT_OK;
}

/* ---- a dataset's rows */

typedef struct dataset_rows {
  leat_dataset *d;
  int64_t at, batch_rows;
  lt_col *col;        /* of the last rows */
} dataset_rows;

static void dataset_rows_free(void *self) {
  dataset_rows *x = self;
  leat_runtime *rt = x->d->rt;
  lt_runtime_ref(rt); /* the dataset may hold it last */
  lt_dataset_free(x->d);
  lt_free(rt, x->col);
  lt_free(rt, x);
  lt_runtime_unref(rt);
}

/* A stream's rows, copied as they come. */
static leat_status next_of_stream(dataset_rows *x, lt_rows *rows, leat_batch **held, leat_error *err) {
  int64_t got = 0;
  leat_batch *b = NULL;
  leat_status st = lt_owner_enter(&x->d->owner, "dataset", err);
  if (st) return st;
  st = lt_batch_create(x->d->rt, x->d->schema, &b, err);
  if (!st) st = lt_dataset_next(x->d, x->batch_rows, b, &got, err);
  lt_owner_leave(&x->d->owner);
  if (st || !got) {
    lt_batch_free(b);
    return st;
  }
  lt_batch_rows(b, rows);
  *held = b;
  return LEAT_OK;
}

/* The batch in which rows from x->at on lie in this order, *n of them at most; NULL: they do not lie in one. */
static leat_batch *lying_in(const dataset_rows *x, int64_t *n) {
  const leat_dataset *d = x->d;
  const lt_chunks *c = d->chunks;
  int64_t at = d->first + x->at, i = 0;
  if (d->pick || !d->base) return NULL;
  while (c && i + 1 < c->n && c->start[i + 1] <= at) i++;
  int64_t left = (c ? c->start[i + 1] : d->base->n) - at;
  if (*n > left) *n = left;
  return c ? c->batch[i] : d->base;
}

/* Rows of a dataset in memory: where they lie, or gathered. */
static leat_status next_of_memory(dataset_rows *x, lt_rows *rows, leat_batch **held, leat_error *err) {
  const leat_dataset *d = x->d;
  if (x->at >= d->n) return LEAT_OK;
  int64_t n = d->n - x->at < x->batch_rows ? d->n - x->at : x->batch_rows;
  leat_batch *chunk = lying_in(x, &n), *b = NULL;
  leat_status st = lt_batch_create(d->rt, d->schema, &b, err);
  if (!st) st = lt_dataset_view(d, x->at, n, b, rows, err);
  if (!st && chunk) { /* the columns outlive the scratch batch that describes them */
    memcpy(x->col, rows->col, (uint64_t)d->schema->n * sizeof *x->col);
    rows->col = x->col;
    rows->side = NULL;
    lt_batch_free(b);
    b = chunk;
    lt_ref_add(&b->ref);
  }
  if (st) {
    lt_batch_free(b);
    return st;
  }
  x->at += n;
  *held = b;
  return LEAT_OK;
}

static leat_status dataset_rows_next(void *self, lt_rows *rows, leat_batch **held, leat_error *err) {
  dataset_rows *x = self;
  return lt_dataset_streams(x->d) ? next_of_stream(x, rows, held, err) : next_of_memory(x, rows, held, err);
}

/* What number columns are written as: as they lie, unless they are copied anyway. */
static void dataset_dtypes(const leat_dataset *d, int32_t *dtype) {
  for (int64_t i = 0; i < d->schema->n; i++) {
    const lt_column *c = &d->schema->col[i];
    const lt_col *v = d->base ? &d->base->col[i] : NULL;
    int there = !v || v->data || v->row_start || v->text_end;
    dtype[i] = lt_column_dtype(c);
    if (c->role == LEAT_ROLE_IGNORE && (!there || !v)) dtype[i] = 0;
    else if (v && v->data && c->kind == LEAT_NUMBER) dtype[i] = d->pick ? lt_col_kept(c, v) : v->dtype;
  }
}

leat_status lt_dataset_to_arrow(leat_dataset *d, int64_t batch_rows, struct ArrowArrayStream *out, leat_error *err) {
  leat_runtime *rt = d->rt;
  uint64_t n = (uint64_t)d->schema->n;
  if (batch_rows < 0) return lt_fail(err, LEAT_E_RANGE, "batch_rows is %lld, it must not be negative", (long long)batch_rows);
  dataset_rows *x = lt_zalloc(rt, sizeof *x);
  lt_col *col = lt_zarray(rt, n, sizeof *col);
  int32_t *dtype = lt_zarray(rt, n, sizeof *dtype);
  if (!x || !col || !dtype) {
    lt_free(rt, x);
    lt_free(rt, col);
    lt_free(rt, dtype);
    return lt_fail_memory(err, n * sizeof *col, "an Arrow stream");
  }
  *x = (dataset_rows){d, 0, batch_rows ? batch_rows : !d->base || d->pick ? 65536 : INT64_MAX, col};
  lt_dataset_ref(d);
  dataset_dtypes(d, dtype);
  lt_arrow_rows rows = {x, dataset_rows_next, dataset_rows_free};
  leat_status st = lt_arrow_export(rt, d->schema, dtype, &rows, out, err);
  lt_free(rt, dtype);
  return st;
}
