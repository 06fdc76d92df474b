#include "train/design.h"
#include "model/encoding.h"
#include <math.h>
#include <string.h>

enum {
  DENSE_SLOTS = 1024,       /* up to here a dense matrix is made ... */
  SAMPLE_ROWS = 1024,       /* rows looked at to estimate how full rows are */
  SCALE_ROWS = 8192,        /* and to see the scale of columns */
  ENCODE_TILE = 1024        /* rows that are encoded at once */
};
static const int64_t dense_bytes = (int64_t)2 << 30; /* ... unless it would take more than this */

/* One tile's compressed rows before they are put together. */
typedef struct piece { int32_t *index; float *value; int64_t nnz; int32_t ones; } piece;

typedef struct encode_job {
  const leat_dataset *data;
  lt_design *d;
  const lt_encode *encode;
  int64_t first_sparse;     /* the encoder's first sparse slot */
  int64_t n_tasks, n_tiles;
  piece *pieces;            /* [n_tiles], NULL when all slots are dense */
  leat_status *status;      /* [n_tasks] */
  leat_error *errors;       /* [n_tasks] */
} encode_job;

void lt_design_free(lt_design *d) {
  if (!d) return;
  leat_runtime *rt = d->rt;
  if (!d->borrowed) lt_free(rt, d->x);
  lt_free(rt, d->row_start);
  lt_free(rt, d->index);
  lt_free(rt, d->value);
  lt_free(rt, d->shift);
  lt_free(rt, d->scale);
  lt_free(rt, d->y);
  if (d->weight != d->sample) lt_free(rt, d->weight);
  lt_free(rt, d->sample);
  lt_free(rt, d);
}

/* Rows of a pass's unit: dense numbers that margins, gradient and Hessian read from cache, and a multiple of what the Gram
 * kernel sums at once where that fits. */
static int64_t tile_rows(int64_t ld) {
  if (ld <= 8) return 1024;
  return ld <= 512 ? 256 : 64;
}

/* By the exponents, four at a time: this runs over all the data. */
static int all_finite(const float *x, int64_t n) {
  const uint32_t inf = 0x7f800000u;
  uint32_t a = 0, b = 0, c = 0, e = 0, u[4];
  int64_t j = 0;
  for (; j + 4 <= n; j += 4) {
    memcpy(u, x + j, sizeof u);
    a |= (uint32_t)((u[0] & inf) == inf);
    b |= (uint32_t)((u[1] & inf) == inf);
    c |= (uint32_t)((u[2] & inf) == inf);
    e |= (uint32_t)((u[3] & inf) == inf);
  }
  for (; j < n; j++) a |= (uint32_t)!isfinite(x[j]);
  return !(a | b | c | e);
}

static int row_is_finite(const float *x, int64_t n, const float *v, int64_t nv) {
  return all_finite(x, n) && all_finite(v, nv);
}

static leat_status fail_not_finite(const encode_job *job, int64_t row, const float *x, const int32_t *index,
                                   const float *v, int64_t nv, const lt_encoder *e, leat_error *err) {
  int64_t slot = -1;
  for (int64_t j = 0; j < job->first_sparse && slot < 0; j++) {
    if (!isfinite(x[j])) slot = j;
  }
  for (int64_t j = 0; j < nv && slot < 0; j++) {
    if (!isfinite(v[j])) slot = index[j];
  }
  lt_put name;
  lt_put_init(&name, job->d->rt);
  if (slot >= 0) (void)lt_encoder_slot_name(e, slot, &name, NULL);
  lt_put_u8(&name, 0);
  leat_status st = lt_fail_at(err, LEAT_E_DATA, row + 1, 0,
                              "row %lld: feature '%.100s' is not finite: take the row out or leave the field empty",
                              (long long)(row + 1), name.data ? (const char *)name.data : "?");
  lt_put_free(&name);
  return st;
}

typedef struct scratch { int32_t *index; float *value; int64_t cap; } scratch;

static leat_status scratch_room(leat_runtime *rt, scratch *s, int64_t need, leat_error *err) {
  if (need <= s->cap) return LEAT_OK;
  uint64_t cap = (uint64_t)need + (uint64_t)need / 2 + 64;
  lt_free(rt, s->index);
  lt_free(rt, s->value);
  s->index = lt_array(rt, cap, sizeof *s->index);
  s->value = lt_array(rt, cap, sizeof *s->value);
  s->cap = s->index && s->value ? (int64_t)cap : 0;
  return s->cap ? LEAT_OK : lt_fail_memory(err, cap * 8, "an encoded row");
}

/* The rows of one view into x, all slots dense. */
static leat_status encode_dense(const encode_job *job, const lt_encoder *e, const lt_rows *rows, int64_t at, scratch *s,
                                leat_error *err) {
  lt_design *d = job->d;
  int64_t pad = d->ld - job->first_sparse;
  lt_encode_dense(job->encode, rows, 0, rows->n, d->x + at * d->ld, d->ld);
  for (int64_t r = 0; r < rows->n; r++) {
    float *x = d->x + (at + r) * d->ld;
    int64_t nv = 0;
    for (int64_t j = 0; j < pad; j++) x[job->first_sparse + j] = 0;
    if (job->first_sparse < d->n_slots) {
      leat_status st = scratch_room(d->rt, s, lt_encode_room(job->encode, rows, r), err);
      if (st) return st;
      nv = lt_encode_sparse(job->encode, rows, r, s->index, s->value);
      for (int64_t k = 0; k < nv; k++) x[s->index[k]] = s->value[k];
    }
    if (!row_is_finite(x, d->n_slots, NULL, 0))
      return fail_not_finite(job, rows->first + r, x, s->index, s->value, nv, e, err);
  }
  return LEAT_OK;
}

/* The rows of one tile: dense slots into x, the others into the tile's piece. */
static leat_status encode_sparse(const encode_job *job, const lt_encoder *e, const lt_rows *rows, int64_t at, piece *p,
                                 scratch *s, leat_error *err) {
  lt_design *d = job->d;
  int64_t room = 0;
  for (int64_t r = 0; r < rows->n; r++) room += lt_encode_room(job->encode, rows, r);
  leat_status st = scratch_room(d->rt, s, room, err);
  if (st) return st;
  int64_t nnz = 0;
  if (d->n_dense) lt_encode_dense(job->encode, rows, 0, rows->n, d->x + at * d->ld, d->ld);
  for (int64_t r = 0; r < rows->n; r++) {
    float *x = d->x + (at + r) * d->ld;
    int32_t *index = s->index + nnz;
    float *value = s->value + nnz;
    int64_t nv = lt_encode_sparse(job->encode, rows, r, index, value);
    for (int64_t j = d->n_dense; j < d->ld; j++) x[j] = 0;
    if (!row_is_finite(x, d->n_dense, value, nv))
      return fail_not_finite(job, rows->first + r, x, index, value, nv, e, err);
    for (int64_t k = 0; k < nv; k++) index[k] -= (int32_t)d->n_dense;
    d->row_start[at + r + 1] = nv;
    nnz += nv;
  }
  p->ones = 1;
  for (int64_t k = 0; k < nnz; k++) p->ones &= s->value[k] == 1.0f;
  p->index = lt_array(d->rt, (uint64_t)nnz, sizeof *p->index);
  p->value = p->ones ? NULL : lt_array(d->rt, (uint64_t)nnz, sizeof *p->value);
  if (!p->index || (!p->value && !p->ones)) return lt_fail_memory(err, (uint64_t)nnz * 8, "encoded rows");
  memcpy(p->index, s->index, (size_t)nnz * sizeof *p->index);
  if (p->value) memcpy(p->value, s->value, (size_t)nnz * sizeof *p->value);
  p->nnz = nnz;
  return LEAT_OK;
}

typedef struct encode_args { encode_job job; const lt_encoder *encoder; } encode_args;

static void encode_task(void *arg, int64_t task) {
  encode_args *a = arg;
  encode_job *job = &a->job;
  leat_error *err = &job->errors[task];
  err->struct_size = sizeof *err;
  leat_runtime *rt = job->d->rt;
  scratch s = {0};
  leat_batch *gather = NULL;
  leat_status st = lt_batch_create(rt, lt_dataset_schema(job->data), &gather, err);
  if (!st) st = scratch_room(rt, &s, 1, err);
  int64_t from = task * job->n_tiles / job->n_tasks, to = (task + 1) * job->n_tiles / job->n_tasks;
  for (int64_t t = from; t < to && !st; t++) {
    int64_t first = t * ENCODE_TILE, count = job->d->n - first < ENCODE_TILE ? job->d->n - first : ENCODE_TILE;
    lt_rows rows;
    st = lt_dataset_view(job->data, first, count, gather, &rows, err);
    if (st) break;
    if (rows.n != count) {
      st = lt_fail(err, LEAT_E_INTERNAL, "a dataset gave %lld of %lld rows", (long long)rows.n, (long long)count);
      break;
    }
    rows.first = first;
    st = job->pieces ? encode_sparse(job, a->encoder, &rows, first, &job->pieces[t], &s, err)
                     : encode_dense(job, a->encoder, &rows, first, &s, err);
  }
  lt_batch_free(gather);
  lt_free(rt, s.index);
  lt_free(rt, s.value);
  job->status[task] = st;
}

typedef struct join_args { lt_design *d; piece *pieces; int64_t *at; } join_args;

static void join_task(void *arg, int64_t t) {
  join_args *a = arg;
  const piece *p = &a->pieces[t];
  if (p->nnz == 0) return;
  memcpy(a->d->index + a->at[t], p->index, (size_t)p->nnz * sizeof *p->index);
  if (!a->d->value) return;
  if (p->value) {
    memcpy(a->d->value + a->at[t], p->value, (size_t)p->nnz * sizeof *p->value);
  } else {
    for (int64_t k = 0; k < p->nnz; k++) a->d->value[a->at[t] + k] = 1.0f;
  }
}

static leat_status join_pieces(lt_design *d, piece *pieces, int64_t n_tiles, leat_error *err) {
  leat_runtime *rt = d->rt;
  leat_status st = LEAT_OK;
  int32_t ones = 1;
  int64_t *at = lt_array(rt, (uint64_t)n_tiles + 1, sizeof *at);
  if (!at) return lt_fail_memory(err, (uint64_t)n_tiles * 8, "encoded rows");
  int64_t nnz = 0;
  for (int64_t t = 0; t < n_tiles; t++) {
    at[t] = nnz;
    nnz += pieces[t].nnz;
    ones &= pieces[t].ones;
  }
  d->row_start[0] = 0;
  for (int64_t r = 0; r < d->n; r++) d->row_start[r + 1] += d->row_start[r];
  d->nnz = nnz;
  d->index = lt_array(rt, (uint64_t)nnz, sizeof *d->index);
  d->value = ones ? NULL : lt_array(rt, (uint64_t)nnz, sizeof *d->value);
  if (!d->index || (!d->value && !ones)) {
    st = lt_fail_memory(err, (uint64_t)nnz * 8, "the encoded rows");
    goto out;
  }
  join_args a = {d, pieces, at};
  st = lt_parallel_for(rt, n_tiles, join_task, &a);
  if (st) lt_fail(err, st, "the threads failed while rows were put together");
out:
  lt_free(rt, at);
  return st;
}

/* How many sparse slots a row fills, from rows spread evenly over the data. An upper bound. */
static leat_status sample_fill(const leat_dataset *data, const lt_encode *encode, double *fill, leat_error *err) {
  int64_t n = lt_dataset_rows(data), step = n / SAMPLE_ROWS + 1, seen = 0, room = 0;
  leat_batch *gather = NULL;
  leat_status st = lt_batch_create(lt_dataset_runtime(data), lt_dataset_schema(data), &gather, err);
  for (int64_t r = 0; r < n && !st; r += step) {
    lt_rows rows;
    st = lt_dataset_view(data, r, 1, gather, &rows, err);
    if (st) break;
    room += lt_encode_room(encode, &rows, 0);
    seen++;
  }
  lt_batch_free(gather);
  *fill = seen ? (double)room / (double)seen : 0;
  return st;
}

static leat_status choose_layout(const leat_dataset *data, const lt_encode *encode, const lt_design_plan *plan,
                                 lt_design *d, leat_error *err) {
  int64_t first_sparse = lt_encoder_dense(plan->encoder);
  if (plan->like) {
    d->n_dense = plan->like->n_dense;
  } else if (first_sparse == d->n_slots) {
    d->n_dense = d->n_slots;
  } else if (plan->keep_sparse) {
    d->n_dense = first_sparse;
  } else {
    double fill = 0;
    leat_status st = sample_fill(data, encode, &fill, err);
    if (st) return st;
    int fits = d->n <= dense_bytes / 4 / (d->n_slots + 8);
    int full = (double)first_sparse + fill > 0.25 * (double)d->n_slots;
    d->n_dense = (d->n_slots <= DENSE_SLOTS && fits) || full ? d->n_slots : first_sparse;
  }
  d->ld = (d->n_dense + 7) / 8 * 8;
  d->tile = tile_rows(d->ld);
  d->n_tiles = (d->n + d->tile - 1) / d->tile;
  return LEAT_OK;
}

static leat_status encode_rows(const leat_dataset *data, const lt_encode *encode, const lt_encoder *encoder,
                               lt_design *d, leat_error *err) {
  leat_runtime *rt = d->rt;
  leat_status st = LEAT_OK;
  int64_t n_tiles = (d->n + ENCODE_TILE - 1) / ENCODE_TILE;
  encode_args a = {{data, d, encode, lt_encoder_dense(encoder), n_tiles < 64 ? n_tiles : 64, n_tiles, NULL, NULL, NULL},
                   encoder};
  encode_job *job = &a.job;
  job->status = lt_zarray(rt, (uint64_t)job->n_tasks, sizeof *job->status);
  job->errors = lt_zarray(rt, (uint64_t)job->n_tasks, sizeof *job->errors);
  d->x = lt_array(rt, (uint64_t)d->n * (uint64_t)d->ld, sizeof *d->x);
  int sparse = d->n_dense < d->n_slots;
  if (sparse) {
    d->row_start = lt_zarray(rt, (uint64_t)d->n + 1, sizeof *d->row_start);
    job->pieces = lt_zarray(rt, (uint64_t)n_tiles, sizeof *job->pieces);
  }
  if (!job->status || !job->errors || !d->x || (sparse && (!d->row_start || !job->pieces))) {
    st = lt_fail_memory(err, (uint64_t)d->n * (uint64_t)(d->ld + 2) * 4, "the encoded rows");
    goto out;
  }
  st = lt_parallel_for(rt, job->n_tasks, encode_task, &a);
  if (st) {
    lt_fail(err, st, "the threads failed while rows were encoded");
    goto out;
  }
  for (int64_t t = 0; t < job->n_tasks; t++) { /* the first bad row wins at any number of threads */
    if (!job->status[t]) continue;
    st = job->status[t];
    if (err) {
      uint64_t size = err->struct_size;
      lt_give_struct(err, size, &job->errors[t], sizeof job->errors[t]);
    }
    goto out;
  }
  if (sparse) st = join_pieces(d, job->pieces, n_tiles, err);
out:
  if (job->pieces) {
    for (int64_t t = 0; t < n_tiles; t++) {
      lt_free(rt, job->pieces[t].index);
      lt_free(rt, job->pieces[t].value);
    }
  }
  lt_free(rt, job->pieces);
  lt_free(rt, job->status);
  lt_free(rt, job->errors);
  return st;
}

/* ---- scale */

/* Mean and deviation of the n numbers of some of the rows (spread evenly): enough for a good scale. Sums are of x - the
 * first row's, so that large offsets cost no digits. sum, square: [n]. */
static void sample_moments(const float *x, int64_t rows, int64_t ld, int64_t n, double *mean, double *var) {
  int64_t step = rows / SCALE_ROWS + 1, seen = (rows + step - 1) / step;
  for (int64_t j = 0; j < n; j++) mean[j] = var[j] = 0;
  for (int64_t r = 0; r < rows; r += step) {
    const float *row = x + r * ld;
    for (int64_t j = 0; j < n; j++) {
      double v = (double)row[j] - (double)x[j];
      mean[j] += v;
      var[j] += v * v;
    }
  }
  for (int64_t j = 0; j < n; j++) {
    mean[j] /= (double)seen;
    var[j] = fmax(var[j] / (double)seen - mean[j] * mean[j], 0);
    mean[j] += (double)x[j];
  }
}

typedef struct scale_args { lt_design *d; int64_t n, n_tasks; } scale_args;

static void rescale_task(void *arg, int64_t task) {
  scale_args *a = arg;
  const lt_design *d = a->d;
  int64_t from = task * d->n_tiles / a->n_tasks * d->tile, to = (task + 1) * d->n_tiles / a->n_tasks * d->tile;
  if (to > d->n) to = d->n;
  for (int64_t r = from; r < to; r++) {
    float *x = d->x + r * d->ld;
    for (int64_t j = 0; j < a->n; j++) x[j] = (float)(((double)x[j] - d->shift[j]) * d->scale[j]);
  }
}

static leat_status scale_alloc(lt_design *d, int64_t n, leat_error *err) {
  d->shift = lt_zarray(d->rt, (uint64_t)n, sizeof *d->shift);
  d->scale = lt_zarray(d->rt, (uint64_t)n, sizeof *d->scale);
  d->n_scaled = n;
  return d->shift && d->scale ? LEAT_OK : lt_fail_memory(err, (uint64_t)n * 16, "the scale of columns");
}

static leat_status rescale(lt_design *d, int64_t n, const lt_design_plan *plan, leat_error *err) {
  if (n == 0 || (plan->like && !plan->like->shift) || (!plan->like && !plan->rescale)) return LEAT_OK;
  scale_args a = {d, n, d->n_tiles < 32 ? d->n_tiles : 32};
  leat_status st = scale_alloc(d, n, err);
  if (st) return st;
  int needed = 0;
  if (plan->like) {
    memcpy(d->shift, plan->like->shift, (size_t)n * sizeof *d->shift);
    memcpy(d->scale, plan->like->scale, (size_t)n * sizeof *d->scale);
  } else {
    sample_moments(d->x, d->n, d->ld, n, d->shift, d->scale);
    for (int64_t j = 0; j < n; j++) {
      double mean = d->shift[j], var = d->scale[j];
      if (!plan->centre) var += mean * mean; /* the column stays where it is: its length counts */
      /* powers of two, and a shift of few digits: then hardly any number is rounded, and the optimum is that of the
       * numbers as they came */
      double unit = var > 0 ? ldexp(1, (int)lround(log2(var) / 2)) : 0;
      int flat = !(unit > 0) || !isfinite(1 / unit);
      d->shift[j] = !plan->centre ? 0 : flat ? mean : nearbyint(mean / unit) * unit;
      d->scale[j] = flat ? 1 : 1 / unit;
    }
  }
  for (int64_t j = 0; j < n; j++) needed |= d->shift[j] != 0 || d->scale[j] != 1;
  st = needed ? lt_parallel_for(d->rt, a.n_tasks, rescale_task, &a) : LEAT_OK;
  return st ? lt_fail(err, st, "the threads failed while columns were scaled") : LEAT_OK;
}

/* ---- numbers that are used where they lie */

typedef struct finite_args { const float *x; int64_t rows, ld, n, n_tasks; int32_t *bad; } finite_args;

static void finite_task(void *arg, int64_t task) {
  finite_args *a = arg;
  int64_t from = task * a->rows / a->n_tasks, to = (task + 1) * a->rows / a->n_tasks;
  int good = 1;
  if (a->ld == a->n) good = all_finite(a->x + from * a->ld, (to - from) * a->ld);
  else for (int64_t r = from; r < to && good; r++) good = all_finite(a->x + r * a->ld, a->n);
  a->bad[task] = !good;
}

/* Takes the dataset's own memory as the design when it can. */
static leat_status borrow(const leat_dataset *data, const lt_encode *encode, const lt_design_plan *plan, lt_design *d,
                          leat_error *err) {
  const lt_encoder *e = plan->encoder;
  if (!lt_dataset_is_whole(data) || plan->like || e->n_parts != 1 || e->part[0].type != LT_PART_NUMBERS || e->part[0].hashed || encode->part[0].how != LT_HOW_NUMBER ||
      d->n < SCALE_ROWS || (e->standardize && !plan->centre))
    return LEAT_OK;
  leat_batch *gather = NULL;
  double *mean = NULL;
  finite_args a = {NULL, d->n, 0, d->n_slots, 32, NULL};
  lt_rows rows;
  leat_status st = lt_batch_create(d->rt, lt_dataset_schema(data), &gather, err);
  if (!st) st = lt_dataset_view(data, 0, 1, gather, &rows, err);
  if (st) goto out;
  lt_col c = rows.col[encode->part[0].column];
  if (!c.data || c.dtype != LEAT_F32 || c.col_stride != 1 || c.row_stride < d->n_slots) goto out;
  a.x = c.data;
  a.ld = c.row_stride;
  /* the last row lies where it must when all rows are one block (a selection gathers each into `gather` instead) */
  st = lt_dataset_view(data, d->n - 1, 1, gather, &rows, err);
  if (st || rows.col[encode->part[0].column].data != (const void *)(a.x + (d->n - 1) * a.ld)) goto out;
  mean = lt_array(d->rt, (uint64_t)d->n_slots * 2, sizeof *mean);
  a.bad = lt_zarray(d->rt, 32, sizeof *a.bad);
  if (!mean || !a.bad) {
    st = lt_fail_memory(err, (uint64_t)d->n_slots * 16, "the moments of the rows");
    goto out;
  }
  sample_moments(a.x, d->n, a.ld, d->n_slots, mean, mean + d->n_slots);
  for (int64_t j = 0; j < d->n_slots; j++) { /* else a copy that is centred and scaled serves the solvers better */
    double var = mean[d->n_slots + j];
    if (!(var >= 0.0625 && var <= 16) || (plan->centre && mean[j] * mean[j] > var)) goto out;
  }
  st = lt_parallel_for(d->rt, a.n_tasks, finite_task, &a);
  if (st) {
    lt_fail(err, st, "the threads failed while rows were checked");
    goto out;
  }
  for (int64_t t = 0; t < a.n_tasks; t++) {
    if (a.bad[t]) goto out;
  }
  st = scale_alloc(d, d->n_slots, err);
  if (st) goto out;
  for (int64_t j = 0; j < d->n_slots; j++) {
    d->scale[j] = e->standardize ? e->scale[j] : 1;
    d->shift[j] = e->standardize ? -e->mean[j] / e->scale[j] : 0;
  }
  d->x = (float *)(uintptr_t)a.x; /* never written to */
  d->ld = a.ld;
  d->borrowed = 1;
out:
  lt_batch_free(gather);
  lt_free(d->rt, mean);
  lt_free(d->rt, a.bad);
  return st;
}

leat_status lt_design_create(const leat_dataset *data, const lt_design_plan *plan, lt_design **out, leat_error *err) {
  *out = NULL;
  leat_runtime *rt = lt_dataset_runtime(data);
  int64_t n = lt_dataset_rows(data);
  if (lt_dataset_streams(data))
    return lt_fail(err, LEAT_E_UNSUPPORTED, "a streaming dataset cannot be trained on in passes: open it with stream=no");
  if (n <= 0) return lt_fail(err, LEAT_E_DATA, "the data has no rows: at least one is needed");
  int64_t n_slots = lt_encoder_slots(plan->encoder);
  if (n_slots <= 0)
    return lt_fail(err, LEAT_E_DATA, "no feature columns: at least one column of role FEATURE that is not an id is needed");
  if (n_slots > INT32_MAX - 8)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "%lld encoded features: at most 2^31 - 9 can be trained", (long long)n_slots);
  lt_encode *encode = NULL;
  leat_status st = lt_encode_create(plan->encoder, lt_dataset_schema(data), &encode, err);
  if (st) return st;
  lt_design *d = lt_zalloc(rt, sizeof *d);
  if (!d) {
    st = lt_fail_memory(err, sizeof *d, "a design matrix");
    goto out;
  }
  d->rt = rt;
  d->n = n;
  d->n_slots = n_slots;
  st = choose_layout(data, encode, plan, d, err);
  if (!st && d->n_dense == d->n_slots && !plan->as_encoded) st = borrow(data, encode, plan, d, err);
  if (!st && !d->borrowed) st = encode_rows(data, encode, plan->encoder, d, err);
  if (!st && !d->borrowed && !plan->as_encoded) st = rescale(d, lt_encoder_dense(plan->encoder), plan, err);
  if (st) goto out;
  d->weight_sum = (double)n;
  *out = d;
  d = NULL;
out:
  lt_encode_free(encode);
  lt_design_free(d);
  return st;
}
