/* Datasets from Arrow arrays and streams. Ownership is the interface's: what was moved in is released once, by us; after
 * a failure before the first pull everything is still the caller's, later the stream is released and marked so. */
#include <string.h>

#include "data/arrow.h"

typedef struct arrow_stream { /* arrays in passes */
  leat_runtime *rt;
  leat_params *p;
  leat_schema *known;              /* the caller's, or NULL */
  struct ArrowArrayStream stream;
  struct ArrowSchema schema;
  lt_arrow_table table;
  lt_arrow_bind bind;
  int32_t (*open)(void *user, struct ArrowArrayStream *out); /* NULL: the stream comes only once */
  void *user;
  struct ArrowArray *window;       /* arrays that were pulled to learn the schema */
  uint64_t window_cap;
  int64_t n_window, next_window;
  leat_batch *block;               /* rows [given, block->n) are still to be handed on */
  int64_t given, row;
  int ended, pulled;
} arrow_stream;

static void release_arrays(struct ArrowArray *a, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (a[i].release) a[i].release(&a[i]);
}

static void close_source(arrow_stream *x) {
  lt_batch_free(x->block);
  x->block = NULL;
  release_arrays(x->window, x->n_window);
  x->n_window = x->next_window = 0;
  if (x->schema.release) x->schema.release(&x->schema);
  x->schema.release = NULL;
  if (x->stream.release) x->stream.release(&x->stream);
  x->stream.release = NULL;
}

static void arrow_free(void *self) {
  arrow_stream *x = self;
  leat_runtime *rt = x->rt;
  close_source(x);
  lt_free(rt, x->window);
  lt_arrow_bind_free(&x->bind);
  lt_arrow_table_free(&x->table);
  lt_schema_free(x->known);
  lt_params_free(x->p);
  lt_free(rt, x);
}

static leat_status producer_failed(struct ArrowArrayStream *s, int32_t rc, const char *what, leat_error *err) {
  const char *why = s->get_last_error ? s->get_last_error(s) : NULL;
  return lt_fail_os(err, LEAT_E_IO, rc, "the Arrow stream's %s failed%s%.200s", what, why ? ": " : "", why ? why : "");
}

/* The stream's columns, into x->schema and `table`. */
static leat_status pull_schema(arrow_stream *x, struct ArrowArrayStream *s, lt_arrow_table *table, leat_error *err) {
  memset(&x->schema, 0, sizeof x->schema);
  memset(table, 0, sizeof *table);
  int32_t rc = s->get_schema(s, &x->schema);
  if (rc) {
    x->schema.release = NULL;
    return producer_failed(s, rc, "get_schema", err);
  }
  return lt_arrow_table_of(x->rt, &x->schema, table, err);
}

/* The next array that has rows; a->release NULL at the end. */
static leat_status pull(arrow_stream *x, struct ArrowArray *a, leat_error *err) {
  for (;;) {
    memset(a, 0, sizeof *a);
    if (x->ended) return LEAT_OK;
    x->pulled = 1;
    int32_t rc = x->stream.get_next(&x->stream, a);
    if (rc) {
      a->release = NULL;
      x->ended = 1;
      return producer_failed(&x->stream, rc, "get_next", err);
    }
    if (!a->release) {
      x->ended = 1;
      return LEAT_OK;
    }
    leat_status st = lt_arrow_check_rows(a, &x->schema, err);
    if (!st && a->length) return LEAT_OK;
    a->release(a);
    a->release = NULL;
    if (st) return st;
  }
}

/* Arrays of at least `rows` rows, or all there are, into the window. */
static leat_status fill_window(arrow_stream *x, int64_t rows, leat_error *err) {
  for (int64_t have = 0; have < rows;) {
    struct ArrowArray a;
    leat_status st = pull(x, &a, err);
    if (st || !a.release) return st;
    st = lt_grow(x->rt, (void **)&x->window, &x->window_cap, (uint64_t)x->n_window + 1, sizeof *x->window, err);
    if (st) {
      a.release(&a);
      return st;
    }
    x->window[x->n_window++] = a;
    have += a.length;
  }
  return LEAT_OK;
}

/* ---- in passes */

static leat_status next_array(arrow_stream *x, leat_error *err) {
  struct ArrowArray own, *a = &own;
  leat_status st = LEAT_OK;
  lt_batch_free(x->block);
  x->block = NULL;
  x->given = 0;
  if (x->next_window < x->n_window) a = &x->window[x->next_window++];
  else st = pull(x, &own, err);
  if (st || !a->release) return st;
  st = lt_arrow_batches(&x->bind, a, 1, x->row, &x->block, err);
  if (st) {
    a->release(a);
    a->release = NULL;
    return st;
  }
  lt_arrow_take(x->block, a);
  x->row += x->block->n;
  return LEAT_OK;
}

static leat_status arrow_next(void *self, int64_t max_rows, leat_batch *rows, int64_t *got, leat_error *err) {
  arrow_stream *x = self;
  leat_status st = lt_batch_take_schema(rows, x->bind.schema, err);
  while (!st && *got < max_rows) {
    if (!x->block || x->given == x->block->n) {
      st = next_array(x, err);
      if (st || !x->block) break;
    }
    lt_rows view;
    lt_batch_rows(x->block, &view);
    int64_t n = x->block->n - x->given < max_rows - *got ? x->block->n - x->given : max_rows - *got;
    st = lt_batch_append(rows, &view, x->given, n, err);
    if (st) break;
    x->given += n;
    *got += n;
  }
  if (st) {
    lt_batch_clear(rows);
    *got = 0;
  }
  return st;
}

static int same_columns(const lt_arrow_table *a, const lt_arrow_table *b) {
  int same = a->n == b->n;
  for (int64_t i = 0; same && i < a->n; i++)
    same = !strcmp(a->field[i].name, b->field[i].name) && !strcmp(a->field[i].format, b->field[i].format) &&
           !memcmp(&a->field[i].type, &b->field[i].type, sizeof a->field[i].type) &&
           !memcmp(a->field[i].path, b->field[i].path, sizeof a->field[i].path) && a->field[i].depth == b->field[i].depth;
  return same;
}

static leat_status open_source(arrow_stream *x, struct ArrowArrayStream *out, leat_error *err) {
  memset(out, 0, sizeof *out);
  int32_t rc = x->open(x->user, out);
  if (!rc && out->release) return LEAT_OK;
  return lt_fail_os(err, LEAT_E_IO, rc, "the host's function that opens an Arrow stream failed");
}

static leat_status arrow_rewind(void *self, leat_error *err) {
  arrow_stream *x = self;
  lt_arrow_table again = {0};
  if (!x->row) return LEAT_OK; /* nothing was handed on yet */
  if (!x->open)
    return lt_fail(err, LEAT_E_UNSUPPORTED,
                   "an Arrow stream comes only once: read it into memory (stream=0), or use leat_dataset_from_arrow_source");
  close_source(x);
  x->row = x->given = 0;
  x->ended = 1; /* until it is open again */
  leat_status st = open_source(x, &x->stream, err);
  if (!st) st = pull_schema(x, &x->stream, &again, err);
  if (!st && !same_columns(&x->table, &again))
    st = lt_fail(err, LEAT_E_DATA, "the Arrow stream was opened again and has other columns than before");
  lt_arrow_table_free(&again);
  if (!st) x->ended = 0;
  return st;
}

/* ---- opening */

/* All arrays as a dataset in memory. */
static leat_status hold_all(arrow_stream *x, leat_dataset **out, leat_error *err) {
  leat_batch **batch = lt_zarray(x->rt, (uint64_t)x->n_window, sizeof *batch);
  if (!batch) return lt_fail_memory(err, (uint64_t)x->n_window * sizeof *batch, "Arrow arrays");
  leat_status st = lt_arrow_batches(&x->bind, x->window, x->n_window, 0, batch, err);
  for (int64_t i = 0; i < x->n_window && !st; i++) lt_arrow_take(batch[i], &x->window[i]);
  if (!st) st = lt_dataset_of_chunks(batch, x->n_window, out, err);
  lt_free(x->rt, batch);
  return st;
}

/* x->stream is ours from here on. */
static leat_status open_rows(arrow_stream *x, leat_dataset **out, leat_error *err) {
  int streams = lt_param_int(x->p, "stream") != 0;
  leat_status st = fill_window(x, streams ? lt_param_int(x->p, "chunk_rows") : INT64_MAX, err);
  if (!st && !x->n_window) st = lt_fail(err, LEAT_E_DATA, "the Arrow stream has no rows");
  if (!st) st = lt_arrow_plan(x->rt, &x->table, x->known, x->p, x->window, x->n_window, &x->bind, err);
  if (st || !streams) {
    if (!st) st = hold_all(x, out, err);
    arrow_free(x);
    return st;
  }
  lt_stream stream = {x, arrow_next, arrow_rewind, arrow_free};
  return lt_dataset_of_stream(x->rt, x->bind.schema, &stream, out, err);
}

static leat_status make_stream(leat_runtime *rt, const leat_schema *s, const leat_params *p, arrow_stream **out,
                               leat_error *err) {
  *out = NULL;
  if (p && lt_params_spec(p) != &lt_spec_arrow)
    return lt_fail(err, LEAT_E_ARG, "the parameter set '%s' is not 'reader/arrow'", lt_params_spec(p)->name);
  arrow_stream *x = lt_zalloc(rt, sizeof *x);
  if (!x) return lt_fail_memory(err, sizeof *x, "a stream");
  x->rt = rt;
  leat_status st = p ? lt_params_copy(p, &x->p, err) : lt_params_create(rt, &lt_spec_arrow, &x->p, err);
  if (!st && s) st = lt_schema_copy(s, &x->known, err);
  if (st) arrow_free(x);
  else *out = x;
  return st;
}

leat_status lt_dataset_from_arrow_stream(leat_runtime *rt, const leat_schema *s, const leat_params *p,
                                         struct ArrowArrayStream *stream, leat_dataset **out, leat_error *err) {
  arrow_stream *x = NULL;
  *out = NULL;
  if (!stream->release) return lt_fail(err, LEAT_E_ARG, "the Arrow stream was released already");
  leat_status st = make_stream(rt, s, p, &x, err);
  if (st) return st;
  st = pull_schema(x, stream, &x->table, err);
  if (st) { /* nothing was pulled: the stream is still the caller's */
    arrow_free(x);
    return st;
  }
  x->stream = *stream;
  stream->release = NULL;
  return open_rows(x, out, err);
}

leat_status lt_dataset_from_arrow_source(leat_runtime *rt, const leat_schema *s, const leat_params *p,
                                         int32_t (*open)(void *user, struct ArrowArrayStream *out), void *user,
                                         leat_dataset **out, leat_error *err) {
  arrow_stream *x = NULL;
  *out = NULL;
  leat_status st = make_stream(rt, s, p, &x, err);
  if (st) return st;
  x->open = open;
  x->user = user;
  st = open_source(x, &x->stream, err);
  if (!st) st = pull_schema(x, &x->stream, &x->table, err);
  if (st) {
    arrow_free(x);
    return st;
  }
  return open_rows(x, out, err);
}

leat_status lt_dataset_from_arrow(leat_runtime *rt, const leat_schema *s, const leat_params *p, struct ArrowSchema *schema,
                                  struct ArrowArray *array, leat_dataset **out, leat_error *err) {
  arrow_stream *x = NULL;
  leat_batch *b = NULL;
  *out = NULL;
  if (!array->release) return lt_fail(err, LEAT_E_ARG, "the Arrow array was released already");
  leat_status st = make_stream(rt, s, p, &x, err);
  if (st) return st;
  if (lt_param_int(x->p, "stream")) st = lt_fail(err, LEAT_E_ARG, "stream=1 is for Arrow streams, this is one array");
  if (!st) st = lt_arrow_table_of(rt, schema, &x->table, err);
  if (!st) st = lt_arrow_check_rows(array, schema, err);
  if (!st && !array->length) st = lt_fail(err, LEAT_E_DATA, "the Arrow array has no rows");
  if (!st) st = lt_arrow_plan(rt, &x->table, s, x->p, array, 1, &x->bind, err);
  if (!st) st = lt_arrow_batches(&x->bind, array, 1, 0, &b, err);
  if (!st) st = lt_dataset_of(b, out, err);
  if (!st) { /* nothing can fail any more: both are moved */
    lt_arrow_take(b, array);
    schema->release(schema);
    schema->release = NULL;
  }
  arrow_free(x);
  return st;
}
