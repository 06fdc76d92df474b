#include "data/dataset.h"

#include <math.h>
#include <string.h>

#include "data/store.h"

leat_status lt_dataset_of(leat_batch *base, leat_dataset **out, leat_error *err) {
  *out = NULL;
  leat_dataset *d = lt_zalloc(base->rt, sizeof *d);
  if (!d) {
    lt_batch_free(base);
    return lt_fail_memory(err, sizeof *d, "a dataset");
  }
  d->rt = base->rt;
  lt_ref_init(&d->ref);
  lt_runtime_ref(d->rt);
  d->schema = base->schema;
  lt_schema_ref(d->schema);
  d->base = base;
  d->n = base->n;
  *out = d;
  return LEAT_OK;
}

static void chunks_free(lt_chunks *c) {
  if (!c || !lt_ref_drop(&c->ref)) return;
  for (int64_t i = 0; c->batch && i < c->n; i++) lt_batch_free(c->batch[i]);
  if (c->release) c->release(c->self);
  lt_free(c->rt, c->batch);
  lt_free(c->rt, c->start);
  lt_free(c->rt, c);
}

/* A dataset without rows of its own. */
static leat_status bare(leat_runtime *rt, leat_schema *s, leat_dataset **out, leat_error *err) {
  leat_dataset *d = lt_zalloc(rt, sizeof *d);
  *out = d;
  if (!d) return lt_fail_memory(err, sizeof *d, "a dataset");
  d->rt = rt;
  lt_ref_init(&d->ref);
  lt_runtime_ref(rt);
  d->schema = s;
  lt_schema_ref(s);
  return LEAT_OK;
}

leat_status lt_dataset_of_fetched(leat_runtime *rt, leat_schema *s, const lt_chunks *chunks, leat_dataset **out,
                                  leat_error *err) {
  *out = NULL;
  lt_chunks *c = lt_zalloc(rt, sizeof *c);
  leat_status st = c ? bare(rt, s, out, err) : lt_fail_memory(err, sizeof *c, "a dataset");
  if (st) {
    lt_free(rt, c);
    chunks->release(chunks->self);
    return st;
  }
  *c = *chunks;
  c->rt = rt;
  c->batch = NULL;
  c->start = NULL;
  lt_ref_init(&c->ref);
  (*out)->chunks = c;
  (*out)->n = c->rows;
  return LEAT_OK;
}

leat_status lt_dataset_of_chunks(leat_batch **batch, int64_t n, leat_dataset **out, leat_error *err) {
  *out = NULL;
  if (n == 1) return lt_dataset_of(batch[0], out, err);
  leat_runtime *rt = batch[0]->rt;
  lt_chunks *c = lt_zalloc(rt, sizeof *c);
  leat_batch **own = lt_array(rt, (uint64_t)n, sizeof *own);
  int64_t *start = lt_zarray(rt, (uint64_t)n + 1, sizeof *start);
  if (!c || !own || !start) {
    for (int64_t i = 0; i < n; i++) lt_batch_free(batch[i]);
    lt_free(rt, c);
    lt_free(rt, own);
    lt_free(rt, start);
    return lt_fail_memory(err, (uint64_t)n * 16, "a dataset");
  }
  for (int64_t i = 0; i < n; i++) {
    own[i] = batch[i];
    start[i + 1] = start[i] + batch[i]->n;
  }
  *c = (lt_chunks){.rt = rt, .n = n, .batch = own, .start = start};
  lt_ref_init(&c->ref);
  lt_ref_add(&own[0]->ref);
  leat_status st = lt_dataset_of(own[0], out, err);
  if (st) {
    chunks_free(c);
    return st;
  }
  (*out)->chunks = c;
  (*out)->n = start[n];
  return LEAT_OK;
}

leat_status lt_dataset_of_stream(leat_runtime *rt, leat_schema *s, const lt_stream *stream, leat_dataset **out,
                                 leat_error *err) {
  leat_status st = bare(rt, s, out, err);
  if (st) {
    stream->release(stream->self);
    return st;
  }
  (*out)->n = -1;
  (*out)->stream = *stream;
  return LEAT_OK;
}

void lt_dataset_ref(const leat_dataset *d) { lt_ref_add(&((leat_dataset *)(uintptr_t)d)->ref); }

static void pick_free(lt_pick *p) {
  if (!p || !lt_ref_drop(&p->ref)) return;
  lt_free(p->rt, p->row);
  lt_free(p->rt, p);
}

void lt_dataset_free(const leat_dataset *cd) {
  leat_dataset *d = (leat_dataset *)(uintptr_t)cd;
  if (!d || !lt_ref_drop(&d->ref)) return;
  leat_runtime *rt = d->rt;
  if (d->stream.release) d->stream.release(d->stream.self);
  pick_free(d->pick);
  lt_batch_free(d->base);
  chunks_free(d->chunks);
  lt_schema_free(d->schema);
  lt_free(rt, d);
  lt_runtime_unref(rt);
}

leat_runtime *lt_dataset_runtime(const leat_dataset *d) { return d->rt; }
leat_schema *lt_dataset_schema(const leat_dataset *d) { return d->schema; }
int64_t lt_dataset_rows(const leat_dataset *d) { return d->n; }
int lt_dataset_streams(const leat_dataset *d) { return !d->base && !d->chunks; }

static leat_status in_memory(const leat_dataset *d, leat_error *err) {
  if (!lt_dataset_streams(d)) return LEAT_OK;
  return lt_fail(err, LEAT_E_UNSUPPORTED, "the dataset streams, its rows come in order only; read it without stream=1");
}

/* Another dataset over the same rows. */
static leat_status sibling(const leat_dataset *d, leat_dataset **out, leat_error *err) {
  if (d->base) lt_ref_add(&d->base->ref);
  leat_status st = d->base ? lt_dataset_of(d->base, out, err) : bare(d->rt, d->schema, out, err);
  if (st) return st;
  (*out)->chunks = d->chunks;
  if (d->chunks) lt_ref_add(&d->chunks->ref);
  return LEAT_OK;
}

leat_status lt_dataset_slice(const leat_dataset *d, int64_t first, int64_t count, leat_dataset **out, leat_error *err) {
  *out = NULL;
  leat_status st = in_memory(d, err);
  if (st) return st;
  if (first < 0 || count < 0 || first > d->n || count > d->n - first)
    return lt_fail(err, LEAT_E_RANGE, "rows [%lld, +%lld) are not within [0, %lld)", (long long)first, (long long)count,
                   (long long)d->n);
  leat_dataset *s = NULL;
  st = sibling(d, &s, err);
  if (st) return st;
  s->pick = d->pick;
  if (s->pick) lt_ref_add(&s->pick->ref);
  s->first = d->first + first;
  s->n = count;
  *out = s;
  return LEAT_OK;
}

leat_status lt_dataset_take(const leat_dataset *d, const int64_t *rows, uint64_t n, leat_dataset **out,
                            leat_error *err) {
  *out = NULL;
  leat_status st = in_memory(d, err);
  if (st) return st;
  for (uint64_t k = 0; k < n; k++)
    if (rows[k] < 0 || rows[k] >= d->n)
      return lt_fail(err, LEAT_E_RANGE, "rows[%llu] is %lld, it must be in [0, %lld)", (unsigned long long)k,
                     (long long)rows[k], (long long)d->n);
  lt_pick *p = lt_zalloc(d->rt, sizeof *p);
  int64_t *row = lt_array(d->rt, n, sizeof *row);
  if (!p || !row) {
    lt_free(d->rt, p);
    lt_free(d->rt, row);
    return lt_fail_memory(err, n * sizeof *row, "a selection of rows");
  }
  for (uint64_t k = 0; k < n; k++) {
    int64_t r = d->first + rows[k];
    row[k] = d->pick ? d->pick->row[r] : r;
  }
  p->rt = d->rt;
  p->row = row;
  lt_ref_init(&p->ref);
  leat_dataset *s = NULL;
  st = sibling(d, &s, err);
  if (st) {
    pick_free(p);
    return st;
  }
  s->pick = p;
  s->n = (int64_t)n;
  *out = s;
  return LEAT_OK;
}

/* ---- reading */

static void shift(const lt_column *c, const lt_col *v, int64_t first, lt_col *out) {
  *out = *v;
  if (v->data) out->data = (const char *)v->data + first * v->row_stride * lt_dtype_size(v->dtype);
  if (v->row_start) out->row_start = v->row_start + first;
  if (v->text_end) out->text_end = v->text_end + first;
  (void)c;
}

/* Chunk `i` of those that are fetched, kept by `pin` until it needs another one. */
static leat_status fetch(const lt_chunks *c, int64_t i, leat_batch *pin, leat_batch **out, leat_error *err) {
  *out = NULL;
  if (!pin->pin || pin->pin_of != c->self || pin->pin_at != i) {
    if (pin->pin && pin->pin_of != c->self) {
      lt_batch_free(pin->pin);
      pin->pin = NULL;
    }
    pin->pin_of = NULL;
    leat_status st = c->fetch(c->self, i, &pin->pin, err);
    if (st) return st;
    pin->pin_of = c->self;
    pin->pin_at = i;
  }
  *out = pin->pin;
  return LEAT_OK;
}

/* The chunk of row `at` of all rows, and where it begins and ends. What has to be fetched stays with `pin`. */
static leat_status chunk_of(const leat_dataset *d, int64_t at, leat_batch *pin, leat_batch **out, int64_t *from,
                            int64_t *to, leat_error *err) {
  const lt_chunks *c = d->chunks;
  if (!c) {
    *from = 0;
    *to = d->base->n;
    *out = d->base;
    return LEAT_OK;
  }
  if (c->fetch) {
    int64_t i = at < c->rows ? at / c->each : c->n - 1; /* at the end: the last one */
    *from = i * c->each;
    *to = c->rows - *from < c->each ? c->rows : *from + c->each;
    return fetch(c, i, pin, out, err);
  }
  int64_t lo = 0, hi = c->n - 1;
  while (lo < hi) { /* the last one that begins at or before `at` and is not empty, if there is one */
    int64_t mid = lo + (hi - lo + 1) / 2;
    if (c->start[mid] <= at) lo = mid;
    else hi = mid - 1;
  }
  *from = c->start[lo];
  *to = c->start[lo + 1];
  *out = c->batch[lo];
  return LEAT_OK;
}

/* Rows [at, at + n) of all, copied behind those of b. */
static leat_status append_rows(const leat_dataset *d, int64_t at, int64_t n, leat_batch *b, leat_error *err) {
  leat_status st = LEAT_OK;
  while (!st && n) {
    int64_t from, to;
    lt_rows part;
    leat_batch *chunk;
    st = chunk_of(d, at, b, &chunk, &from, &to, err);
    if (st) break;
    lt_batch_rows(chunk, &part);
    int64_t m = to - at < n ? to - at : n;
    st = lt_batch_append(b, &part, at - from, m, err);
    at += m;
    n -= m;
  }
  return st;
}

/* The same of rows pick[0 .. n). */
static leat_status gather_rows(const leat_dataset *d, const int64_t *pick, int64_t n, leat_batch *b, leat_error *err) {
  lt_rows part;
  if (!d->chunks) {
    lt_batch_rows(d->base, &part);
    return lt_batch_gather(b, &part, pick, n, err);
  }
  int64_t local[512], from, to;
  leat_status st = LEAT_OK;
  for (int64_t k = 0; !st && k < n;) {
    int64_t m = 0;
    leat_batch *chunk;
    st = chunk_of(d, pick[k], b, &chunk, &from, &to, err);
    if (st) break;
    lt_batch_rows(chunk, &part);
    for (; m < 512 && k < n && pick[k] >= from && pick[k] < to; k++) local[m++] = pick[k] - from;
    st = lt_batch_gather(b, &part, local, m, err);
  }
  return st;
}

/* Rows [at, at + n) of all lie in one chunk: a view of them. */
static leat_status point_at(const leat_dataset *d, leat_batch *chunk, int64_t at, int64_t n, leat_batch *scratch,
                            lt_rows *out, leat_error *err) {
  lt_rows all;
  lt_batch_rows(chunk, &all);
  if (scratch->schema->n != d->schema->n)
    return lt_fail(err, LEAT_E_ARG, "the scratch batch is of another schema than the dataset");
  if (!scratch->window) {
    scratch->window = lt_array(scratch->rt, (uint64_t)d->schema->n, sizeof *scratch->window);
    if (!scratch->window) return lt_fail_memory(err, (uint64_t)d->schema->n * sizeof(lt_col), "a view of rows");
  }
  for (int64_t i = 0; i < d->schema->n; i++) shift(&d->schema->col[i], &all.col[i], at, &scratch->window[i]);
  out->schema = d->schema;
  out->col = scratch->window;
  out->n = n;
  if (all.side) {
    lt_side_shift(all.side, at, &scratch->window_side);
    out->side = &scratch->window_side;
  }
  return LEAT_OK;
}

leat_status lt_dataset_view(const leat_dataset *d, int64_t first, int64_t n, leat_batch *scratch, lt_rows *out,
                            leat_error *err) {
  memset(out, 0, sizeof *out);
  leat_status st = in_memory(d, err);
  if (st) return st;
  if (first < 0 || first > d->n || n < 0)
    return lt_fail(err, LEAT_E_RANGE, "row %lld is outside [0, %lld]", (long long)first, (long long)d->n);
  if (n > d->n - first) n = d->n - first;
  int64_t at = d->first + first, from, to;
  leat_batch *chunk = NULL;
  if (!d->pick) st = chunk_of(d, at, scratch, &chunk, &from, &to, err);
  if (st) return st;
  if (chunk && n <= to - at) {
    st = point_at(d, chunk, at - from, n, scratch, out, err);
  } else {
    lt_batch_clear(scratch);
    st = d->pick ? gather_rows(d, d->pick->row + at, n, scratch, err) : append_rows(d, at, n, scratch, err);
    if (!st) lt_batch_rows(scratch, out);
    out->schema = d->schema;
  }
  if (st) return st;
  out->first = first;
  return LEAT_OK;
}

/* Rows [at, at + n) of all into `rows`: lent, not copied, when they are in one chunk that was fetched for it. */
static leat_status next_rows(const leat_dataset *d, int64_t at, int64_t n, leat_batch *rows, leat_error *err) {
  int64_t from, to;
  leat_batch *chunk;
  if (!d->chunks || !d->chunks->fetch) return append_rows(d, at, n, rows, err);
  leat_status st = chunk_of(d, at, rows, &chunk, &from, &to, err);
  if (st) return st;
  if (n > to - at) return append_rows(d, at, n, rows, err);
  st = lt_batch_take_schema(rows, d->schema, err);
  if (st) return st;
  for (int64_t i = 0; i < d->schema->n; i++) shift(&d->schema->col[i], &chunk->col[i], at - from, &rows->col[i]);
  rows->n = n;
  rows->lent = 1;
  const lt_side *side = lt_beside_view(chunk);
  return side ? lt_batch_set_source(rows, side->source, side->position + at - from, err) : LEAT_OK;
}

leat_status lt_dataset_next(leat_dataset *d, int64_t max_rows, leat_batch *rows, int64_t *got, leat_error *err) {
  *got = 0;
  if (max_rows < 1) return lt_fail(err, LEAT_E_ARG, "max_rows is %lld, it must be at least 1", (long long)max_rows);
  if (rows->schema != d->schema &&
      !(lt_dataset_streams(d) ? lt_schema_extends(d->schema, rows->schema) : lt_schema_equal(rows->schema, d->schema)))
    return lt_fail(err, LEAT_E_ARG, "the batch is of another schema than the dataset");
  lt_batch_clear(rows);
  if (lt_dataset_streams(d)) {
    leat_status st = d->stream.next(d->stream.self, max_rows, rows, got, err);
    d->position += *got;
    if (!st && *got && rows->schema != d->schema) { /* labels have come up */
      lt_schema_ref(rows->schema);
      lt_schema_free(d->schema);
      d->schema = rows->schema;
    }
    if (!st && !*got) d->n = d->position; /* now the number of rows is known */
    return st;
  }
  int64_t n = d->n - d->position < max_rows ? d->n - d->position : max_rows;
  if (!n) return LEAT_OK;
  int64_t at = d->first + d->position;
  leat_status st = d->pick ? gather_rows(d, d->pick->row + at, n, rows, err) : next_rows(d, at, n, rows, err);
  if (st) {
    lt_batch_clear(rows);
    return st;
  }
  d->position += n;
  *got = n;
  return LEAT_OK;
}

leat_status lt_dataset_rewind(leat_dataset *d, leat_error *err) {
  leat_status st = !lt_dataset_streams(d) ? LEAT_OK : d->stream.rewind(d->stream.self, err);
  if (st) return st;
  d->position = 0;
  return LEAT_OK;
}

int lt_dataset_is_whole(const leat_dataset *d) { return d->base && !d->chunks && !d->pick; }

/* ---- checksum: a chain of hashes a column, over tiles of a fixed number of rows, whatever holds the rows */

enum { SUM_TILE = 4096 };

/* Integers of another owner, as the doubles that a batch keeps of them. */
static uint64_t sum_integers(const lt_column *c, const lt_col *v, int64_t n, uint64_t h) {
  double d[512];
  int64_t k = 0;
  for (int64_t r = 0; r < n; r++) {
    for (int64_t j = 0; j < c->width; j++) {
      d[k++] = lt_col_number(c, v, r, j);
      if (k < 512) continue;
      h = lt_hash64(d, sizeof d, h);
      k = 0;
    }
  }
  return lt_hash64(d, (uint64_t)k * sizeof *d, h);
}

static uint64_t sum_dense(const lt_column *c, const lt_col *v, int64_t n, uint64_t h) {
  double d[512];
  float f[512];
  int floats = v->dtype == LEAT_F64 || v->dtype == LEAT_F32;
  uint64_t size = (uint64_t)lt_dtype_size(v->dtype);
  if (lt_col_kept(c, v) != v->dtype) return sum_integers(c, v, n, h);
  if (!floats) {
    if (v->col_stride == 1 && v->row_stride == c->width) return lt_hash64(v->data, (uint64_t)(n * c->width) * size, h);
    for (int64_t r = 0; r < n; r++)
      for (int64_t j = 0; j < c->width; j++)
        h = lt_hash64((const char *)v->data + (r * v->row_stride + j * v->col_stride) * (int64_t)size, size, h);
    return h;
  }
  int64_t k = 0; /* every NaN is the same NaN */
  for (int64_t r = 0; r < n; r++) {
    for (int64_t j = 0; j < c->width; j++) {
      int64_t at = r * v->row_stride + j * v->col_stride;
      if (v->dtype == LEAT_F64) {
        double x = ((const double *)v->data)[at];
        d[k++] = isnan(x) ? (double)NAN : x;
      } else {
        float x = ((const float *)v->data)[at];
        f[k++] = isnan(x) ? NAN : x;
      }
      if (k < 512) continue;
      h = v->dtype == LEAT_F64 ? lt_hash64(d, sizeof d, h) : lt_hash64(f, sizeof f, h);
      k = 0;
    }
  }
  return lt_hash64(v->dtype == LEAT_F64 ? (void *)d : (void *)f, (uint64_t)k * size, h);
}

static uint64_t sum_rows(const lt_column *c, const lt_col *v, int64_t n, uint64_t h) {
  int32_t kept = lt_col_kept(c, v);
  if (v->data) return sum_dense(c, v, n, lt_hash64(&kept, sizeof kept, h));
  for (int64_t r = 0; v->row_start && r < n; r++) {
    int64_t from = v->row_start[r], m = v->row_start[r + 1] - from;
    h = lt_hash64(&m, sizeof m, h);
    if (m) h = lt_hash64(v->index + from, (uint64_t)m * sizeof(int32_t), h);
    for (int64_t k = from; k < from + m; k++) {
      float x = v->value ? v->value[k] : 1.0f;
      if (x != 1.0f) h = lt_hash64(&x, sizeof x, h + (uint64_t)(k - from)); /* so that NULL and ones are the same */
    }
  }
  for (int64_t r = 0; v->text_end && r < n; r++) {
    uint64_t len;
    const char *t = lt_col_text(v, r, &len);
    h = lt_hash64(&len, sizeof len, h);
    if (len) h = lt_hash64(t, len, h);
  }
  return h;
}

typedef struct sum_job { const leat_dataset *d; uint64_t *h; } sum_job;

static void sum_column(void *arg, int64_t i) {
  const sum_job *job = arg;
  const leat_dataset *d = job->d;
  const lt_col *all = &d->base->col[i];
  for (int64_t at = 0; at < d->n; at += SUM_TILE) {
    lt_col v;
    shift(&d->schema->col[i], all, d->first + at, &v);
    job->h[i] = sum_rows(&d->schema->col[i], &v, d->n - at < SUM_TILE ? d->n - at : SUM_TILE, job->h[i]);
  }
}

/* Tile by tile through views: rows that are picked, or in chunks. */
static leat_status sum_views(const leat_dataset *d, uint64_t *h, leat_error *err) {
  leat_batch *scratch = NULL;
  leat_status st = lt_batch_create(d->rt, d->schema, &scratch, err);
  for (int64_t at = 0; !st && at < d->n; at += SUM_TILE) {
    lt_rows rows;
    st = lt_dataset_view(d, at, SUM_TILE, scratch, &rows, err);
    for (int64_t i = 0; !st && i < d->schema->n; i++)
      h[i] = sum_rows(&d->schema->col[i], &rows.col[i], rows.n, h[i]);
  }
  lt_batch_free(scratch);
  return st;
}

leat_status lt_dataset_checksum(const leat_dataset *d, uint64_t *sum, leat_error *err) {
  *sum = 0;
  leat_status st = in_memory(d, err);
  if (st) return st;
  uint64_t *h = lt_zarray(d->rt, (uint64_t)d->schema->n + 1, sizeof *h);
  if (!h) return lt_fail_memory(err, ((uint64_t)d->schema->n + 1) * sizeof *h, "a checksum");
  lt_put w;
  lt_put_init(&w, d->rt);
  lt_put_i64(&w, d->n);
  lt_schema_save(d->schema, &w);
  st = lt_put_status(&w, err);
  if (!st) h[d->schema->n] = lt_hash64(w.data, w.size, 0);
  sum_job job = {d, h};
  if (!st) st = d->pick || d->chunks ? sum_views(d, h, err) : lt_parallel_for(d->rt, d->schema->n, sum_column, &job);
  if (!st) *sum = lt_hash64(h, ((uint64_t)d->schema->n + 1) * sizeof *h, 0);
  lt_put_free(&w);
  lt_free(d->rt, h);
  return st;
}
