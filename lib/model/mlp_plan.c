/* Prediction by a network, in float. Batch norms are folded into the weights before them; a row's sums are made in an order
 * that depends on how many rows come together, so one row equals the same row in a batch within 1e-5, not bit for bit. */
#include "device/vec.h"
#include "model/mlp.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { MLP_TILE = 64 };
typedef struct mlp_code { int64_t part; int32_t *row; int32_t embedded; } mlp_code; /* row [labels + 1] of W, or of the embeddings */
typedef struct mlp_text { int64_t part; int32_t pairs; } mlp_text;

/* What is constant: shared by all forks. */
typedef struct mlp_fold {
  lt_ref ref;
  leat_runtime *rt;
  const lt_vec *vec;
  const lt_mlp *m;           /* outlives its predictors, as e does */
  const lt_encoder *e;
  float *v;                  /* [shape.n] weights, batch norms folded in */
  mlp_code *code;
  mlp_text *text;
  int64_t n_codes, n_texts, n_x, widest;
  int64_t block_part;        /* the sparse block; -1: none */
} mlp_fold;

typedef struct mlp_plan {
  mlp_fold *f;
  float *x;                  /* [MLP_TILE, n_x] */
  float *h[2];               /* [MLP_TILE, widest] */
  double *margin;            /* [n_out] */
  int32_t *index;            /* words of a text */
  float *value;
  uint64_t text_bytes;
} mlp_plan;

/* ---------------------------------------------------------------------------------------------- folding */

static void fold_drop(mlp_fold *f) {
  if (!f || !lt_ref_drop(&f->ref)) return;
  leat_runtime *rt = f->rt;
  for (int64_t k = 0; f->code && k < f->n_codes; k++) lt_free(rt, f->code[k].row);
  lt_free(rt, f->code);
  lt_free(rt, f->text);
  lt_free(rt, f->v);
  lt_free(rt, f);
  lt_runtime_unref(rt);
}

/* y = (x W + b - mean) / sqrt(var + eps) gamma + beta is x W' + b'. */
static void fold_batch_norm(mlp_fold *f) {
  const lt_mlp_shape *s = &f->m->shape;
  for (int64_t l = 0; l + 1 < s->n_layers && s->norm == LT_NORM_BATCH; l++) {
    const lt_mlp_layer *y = &s->layer[l];
    for (int64_t j = 0; j < y->out; j++) {
      double factor = (double)f->v[y->gamma + j] / sqrt((double)f->v[y->var + j] + LT_LAYER_NORM_EPS);
      f->v[y->b + j] = (float)(((double)f->v[y->b + j] - (double)f->v[y->mean + j]) * factor + (double)f->v[y->beta + j]);
      for (int64_t i = 0; i < y->in; i++) f->v[y->w + i * y->ld + j] = (float)((double)f->v[y->w + i * y->ld + j] * factor);
    }
  }
}

static leat_status fold_code(mlp_fold *f, int64_t k, leat_error *err) {
  const lt_part *p = &f->e->part[k];
  mlp_code *c = &f->code[f->n_codes];
  c->part = k;
  c->row = lt_array(f->rt, (uint64_t)p->n_labels + 1, sizeof *c->row);
  if (!c->row) return lt_fail_memory(err, (uint64_t)(p->n_labels + 1) * 4, "a predictor's tables");
  f->n_codes++;
  for (int64_t j = 0; j <= p->n_labels; j++) {
    int64_t row = lt_mlp_slot_row(f->m, p->slot + p->slot_of[j]);
    c->embedded = row < 0;
    c->row[j] = (int32_t)(row < 0 ? ~row : row);
  }
  return LEAT_OK;
}

/* A file may say that any slots are embedded: they must be those of a column with a code. */
static leat_status check_embedded(const lt_mlp *m, const lt_encoder *e, leat_error *err) {
  int64_t found = 0;
  for (int64_t k = 0; k < e->n_parts; k++)
    for (int64_t i = 0; i < m->shape.n_embedded; i++)
      found += lt_part_has_code(&e->part[k]) && e->part[k].slot == m->embedded[i].slot && e->part[k].width == m->embedded[i].width;
  if (found == m->shape.n_embedded && m->shape.n_dense == e->n_dense && m->shape.n_slots == e->n_slots) return LEAT_OK;
  return lt_fail(err, LEAT_E_FORMAT, "the network does not fit the model's encoder: it is damaged");
}

static leat_status fold_create(const lt_mlp *m, const lt_encoder *e, mlp_fold **out, leat_error *err) {
  leat_runtime *rt = m->rt;
  leat_status st = check_embedded(m, e, err);
  if (st) return st;
  mlp_fold *f = lt_zalloc(rt, sizeof *f);
  if (!f) return lt_fail_memory(err, sizeof *f, "a predictor");
  lt_ref_init(&f->ref);
  lt_runtime_ref(rt);
  f->rt = rt;
  f->vec = lt_vec_get();
  f->m = m;
  f->e = e;
  f->block_part = -1;
  f->n_x = m->shape.n_dense + m->shape.n_embedded * m->shape.dim;
  for (int64_t l = 0; l < m->shape.n_layers; l++)
    if (m->shape.layer[l].out > f->widest) f->widest = m->shape.layer[l].out;
  f->v = lt_array(rt, (uint64_t)m->shape.n, sizeof *f->v);
  f->code = lt_zarray(rt, (uint64_t)e->n_parts, sizeof *f->code);
  f->text = lt_zarray(rt, (uint64_t)e->n_parts, sizeof *f->text);
  if (!f->v || !f->code || !f->text) st = lt_fail_memory(err, (uint64_t)m->shape.n * 4, "a predictor's weights");
  if (!st) {
    memcpy(f->v, m->v, (size_t)m->shape.n * sizeof *f->v);
    fold_batch_norm(f);
  }
  for (int64_t k = 0; k < e->n_parts && !st; k++) {
    const lt_part *p = &e->part[k];
    if (lt_part_has_code(p)) st = fold_code(f, k, err);
    else if (p->type == LT_PART_TEXT) f->text[f->n_texts++] = (mlp_text){k, p->hashed == LT_PART_PAIRS};
    else if (p->type == LT_PART_SPARSE) f->block_part = k;
  }
  if (st) fold_drop(f);
  else *out = f;
  return st;
}

/* ---------------------------------------------------------------------------------------------- life */

void lt_mlp_plan_free(lt_plan *plan) {
  mlp_plan *p = (mlp_plan *)plan;
  if (!p) return;
  leat_runtime *rt = p->f->rt;
  void *all[] = {p->x, p->h[0], p->h[1], p->margin, p->index, p->value};
  lt_runtime_ref(rt); /* the fold may hold the last reference */
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) lt_free(rt, all[i]);
  fold_drop(p->f);
  lt_free(rt, p);
  lt_runtime_unref(rt);
}

/* Takes over one reference to f, also when it fails. */
static leat_status plan_new(mlp_fold *f, lt_plan **out, leat_error *err) {
  leat_runtime *rt = f->rt;
  mlp_plan *p = lt_zalloc(rt, sizeof *p);
  if (!p) {
    fold_drop(f);
    return lt_fail_memory(err, sizeof *p, "a predictor");
  }
  p->f = f;
  uint64_t n_x = (uint64_t)(MLP_TILE * f->n_x), n_h = (uint64_t)(MLP_TILE * f->widest);
  p->x = lt_zarray(rt, n_x + 1, sizeof *p->x);
  p->h[0] = lt_zarray(rt, n_h, sizeof *p->h[0]);
  p->h[1] = lt_zarray(rt, n_h, sizeof *p->h[1]);
  p->margin = lt_zarray(rt, (uint64_t)f->m->n_out, sizeof *p->margin);
  if (!p->x || !p->h[0] || !p->h[1] || !p->margin) {
    lt_mlp_plan_free((lt_plan *)p);
    return lt_fail_memory(err, (n_x + 2 * n_h) * sizeof(float), "a predictor's scratch");
  }
  *out = (lt_plan *)p;
  return LEAT_OK;
}

leat_status lt_mlp_plan_create(const void *params, const lt_encoder *e, lt_plan **out, leat_error *err) {
  mlp_fold *f = NULL;
  *out = NULL;
  leat_status st = fold_create(params, e, &f, err);
  return st ? st : plan_new(f, out, err);
}

leat_status lt_mlp_plan_fork(const lt_plan *plan, lt_plan **out, leat_error *err) {
  const mlp_plan *p = (const mlp_plan *)plan;
  *out = NULL;
  lt_ref_add(&p->f->ref);
  return plan_new(p->f, out, err);
}

leat_status lt_mlp_plan_reserve(lt_plan *plan, uint64_t text_bytes, leat_error *err) {
  mlp_plan *p = (mlp_plan *)plan;
  if (p->f->n_texts == 0 || (text_bytes <= p->text_bytes && p->index)) return LEAT_OK;
  uint64_t n = lt_text_room(text_bytes, 1);
  int32_t *index = lt_array(p->f->rt, n, sizeof *index);
  float *value = lt_array(p->f->rt, n, sizeof *value);
  if (!index || !value) {
    lt_free(p->f->rt, index);
    lt_free(p->f->rt, value);
    return lt_fail_memory(err, n * 8, "the words of a text");
  }
  lt_free(p->f->rt, p->index);
  lt_free(p->f->rt, p->value);
  p->index = index;
  p->value = value;
  p->text_bytes = text_bytes;
  return LEAT_OK;
}

/* ---------------------------------------------------------------------------------------------- layers */

static void activate(const mlp_fold *f, float *z, int64_t n) {
  switch (f->m->shape.activation) {
    case LT_ACT_RELU:
      for (int64_t j = 0; j < n; j++) z[j] = z[j] > 0 ? z[j] : 0;
      break;
    case LT_ACT_GELU:
      for (int64_t j = 0; j < n; j++) z[j] = 0.5f * z[j] * (1 + erff(z[j] * 0.70710678f));
      break;
    case LT_ACT_TANH:
      for (int64_t j = 0; j < n; j++) z[j] = tanhf(z[j]);
      break;
    default:
      f->vec->sigmoid_ff(z, n);
  }
}

static void layer_norm(const mlp_fold *f, const lt_mlp_layer *y, float *z) {
  double mean = 0, var = 0;
  for (int64_t j = 0; j < y->out; j++) mean += (double)z[j];
  mean /= (double)y->out;
  for (int64_t j = 0; j < y->out; j++) var += ((double)z[j] - mean) * ((double)z[j] - mean);
  double rstd = 1 / sqrt(var / (double)y->out + LT_LAYER_NORM_EPS);
  for (int64_t j = 0; j < y->out; j++)
    z[j] = (float)(((double)z[j] - mean) * rstd) * f->v[y->gamma + j] + f->v[y->beta + j];
}

/* z [n, out] += x [n, in] W */
static void dense(const mlp_fold *f, const float *x, int64_t n, int64_t in, const float *w, int64_t out, float *z) {
  for (int64_t r = 0; r < n; r++)
    for (int64_t i = 0; i < in; i++)
      if (x[r * in + i] != 0) f->vec->axpy_ff(x[r * in + i], w + i * out, z + r * out, out);
}

/* Rows 0 .. n of p->x, and the first layer's sums so far in h[0] -> margins in the float block returned, [n, n_out]. */
static const float *forward(mlp_plan *p, int64_t n) {
  const mlp_fold *f = p->f;
  const lt_mlp_shape *s = &f->m->shape;
  float *z = p->h[0], *next = p->h[1];
  dense(f, p->x, n, f->n_x, f->v + s->layer[0].w, s->layer[0].out, z);
  for (int64_t l = 0;; l++) {
    const lt_mlp_layer *y = &s->layer[l];
    if (l + 1 == s->n_layers) return z;
    for (int64_t r = 0; r < n && s->norm == LT_NORM_LAYER; r++) layer_norm(f, y, z + r * y->out);
    activate(f, z, n * y->out);
    const lt_mlp_layer *w = &s->layer[l + 1];
    for (int64_t r = 0; r < n; r++) memcpy(next + r * w->out, f->v + w->b, (size_t)w->out * sizeof *next);
    dense(f, z, n, w->in, f->v + w->w, w->out, next);
    float *old = z;
    z = next;
    next = old;
  }
}

static void start_row(mlp_plan *p, int64_t r) {
  const lt_mlp_layer *y = &p->f->m->shape.layer[0];
  memcpy(p->h[0] + r * y->out, p->f->v + y->b, (size_t)y->out * sizeof(float));
}

/* One input that is not dense, of row r. */
static void add_slot(mlp_plan *p, int64_t r, int64_t row, float value) {
  const lt_mlp_layer *y = &p->f->m->shape.layer[0];
  if (isfinite(value)) p->f->vec->axpy_ff(value, p->f->v + y->w + row * y->ld, p->h[0] + r * y->out, y->out);
}

/* Column c of row r has the code; `embedded` counts the embedded columns before it in the order of slots. */
static void add_code(mlp_plan *p, int64_t r, const mlp_code *c, int64_t code) {
  const mlp_fold *f = p->f;
  const lt_mlp_shape *s = &f->m->shape;
  int64_t row = c->row[code], slot = f->e->part[c->part].slot, at = 0;
  if (!c->embedded) {
    add_slot(p, r, row, 1);
    return;
  }
  while (f->m->embedded[at].slot != slot) at++;
  memcpy(p->x + r * f->n_x + s->n_dense + at * s->dim, f->v + row * s->dim, (size_t)s->dim * sizeof(float));
}

static void add_block(mlp_plan *p, int64_t r, const int32_t *index, const float *value, int64_t nnz) {
  const lt_encoder *e = p->f->e;
  const lt_part *part = &e->part[p->f->block_part];
  for (int64_t k = 0; k < nnz; k++) {
    int64_t at = index[k];
    if (at < 0) continue;
    if (part->hashed) at = lt_hash_index(index[k], e->hash_bits);
    else if (at >= part->width) continue;
    double v = value ? (double)value[k] : 1;
    if (e->sparse_scale) v *= e->sparse_scale[at];
    add_slot(p, r, lt_mlp_slot_row(p->f->m, part->slot + at), (float)v);
  }
}

static void link_row(mlp_plan *p, const float *z, double *out) {
  const lt_mlp *m = p->f->m;
  for (int64_t o = 0; o < m->n_out; o++) {
    double v = (double)z[o];
    p->margin[o] = isfinite(v) ? v : isnan(v) ? 0 : v > 0 ? DBL_MAX : -DBL_MAX;
  }
  if (m->calibration) {
    lt_calibration_apply(m->calibration, p->margin, out);
    return;
  }
  m->loss->link(p->margin, m->n_out);
  memcpy(out, p->margin, (size_t)m->n_out * sizeof *out);
}

/* ---------------------------------------------------------------------------------------------- rows */

static leat_status row_rest(mlp_plan *p, const lt_encode *bind, const lt_rows *rows, int64_t r, int64_t at, leat_error *err) {
  const mlp_fold *f = p->f;
  start_row(p, at);
  for (int64_t k = 0; k < f->n_codes; k++) add_code(p, at, &f->code[k], lt_encode_code(bind, f->code[k].part, rows, r));
  for (int64_t k = 0; k < f->n_texts; k++) {
    uint64_t n = 0;
    const char *text = lt_encode_text(bind, f->text[k].part, rows, r, &n);
    leat_status st = lt_mlp_plan_reserve((lt_plan *)p, n, err);
    if (st) return st;
    int64_t words = lt_text_slots(text, n, f->e->hash_bits, f->text[k].pairs, p->index, p->value);
    for (int64_t j = 0; j < words; j++)
      add_slot(p, at, lt_mlp_slot_row(f->m, f->e->part[f->text[k].part].slot + p->index[j]), p->value[j]);
  }
  if (f->block_part >= 0) {
    const lt_col *v = &rows->col[bind->part[f->block_part].column];
    int64_t k = v->row_start ? v->row_start[r] : 0;
    if (v->row_start) add_block(p, at, v->index + k, v->value ? v->value + k : NULL, v->row_start[r + 1] - k);
  }
  return LEAT_OK;
}

leat_status lt_mlp_plan_rows(lt_plan *plan, const lt_encode *bind, const lt_rows *rows, int64_t from, int64_t n, double *out,
                             leat_error *err) {
  mlp_plan *p = (mlp_plan *)plan;
  const mlp_fold *f = p->f;
  int64_t n_user = f->m->n_classes > 2 ? f->m->n_classes : 1, n_out = f->m->n_out;
  for (int64_t r0 = 0; r0 < n; r0 += MLP_TILE) {
    int64_t m = n - r0 < MLP_TILE ? n - r0 : MLP_TILE;
    if (f->e->n_dense > 0) lt_encode_dense(bind, rows, from + r0, m, p->x, f->n_x);
    for (int64_t i = 0; i < m; i++) {
      leat_status st = row_rest(p, bind, rows, from + r0 + i, i, err);
      if (st) return st;
    }
    const float *z = forward(p, m);
    for (int64_t i = 0; i < m; i++) link_row(p, z + i * n_out, out + (r0 + i) * n_user);
  }
  return LEAT_OK;
}

/* ---------------------------------------------------------------------------------------------- one row */

static float encoded(const lt_encoder *e, const lt_part *part, int64_t slot, double raw) {
  if (part->hashed) raw = lt_signed_log(raw);
  if (!isfinite(raw)) raw = e->mean[slot];
  if (e->standardize) raw = (raw - e->mean[slot]) * e->inverse[slot];
  return (float)raw;
}

leat_status lt_mlp_one_f64(lt_plan *plan, const double *x, double *out) {
  mlp_plan *p = (mlp_plan *)plan;
  const mlp_fold *f = p->f;
  const lt_encoder *e = f->e;
  if (f->n_texts > 0 || f->block_part >= 0) return LEAT_E_UNSUPPORTED;
  start_row(p, 0);
  for (int64_t k = 0; k < e->n_parts; k++) {
    const lt_part *part = &e->part[k];
    for (int64_t j = 0; part->type == LT_PART_NUMBERS && j < part->width; j++)
      p->x[part->slot + j] = encoded(e, part, part->slot + j, x[part->number + j]);
  }
  for (int64_t k = 0; k < f->n_codes; k++) {
    const lt_part *part = &e->part[f->code[k].part];
    double other = part->type == LT_PART_CROSS ? x[e->part[part->other].number] : 0;
    add_code(p, 0, &f->code[k], lt_part_code(e, part, x[part->number], other));
  }
  link_row(p, forward(p, 1), out);
  return LEAT_OK;
}

leat_status lt_mlp_one_f32(lt_plan *plan, const float *x, double *out) {
  mlp_plan *p = (mlp_plan *)plan;
  const mlp_fold *f = p->f;
  const lt_encoder *e = f->e;
  if (f->n_texts > 0 || f->block_part >= 0) return LEAT_E_UNSUPPORTED;
  start_row(p, 0);
  for (int64_t k = 0; k < e->n_parts; k++) {
    const lt_part *part = &e->part[k];
    for (int64_t j = 0; part->type == LT_PART_NUMBERS && j < part->width; j++)
      p->x[part->slot + j] = encoded(e, part, part->slot + j, (double)x[part->number + j]);
  }
  for (int64_t k = 0; k < f->n_codes; k++) {
    const lt_part *part = &e->part[f->code[k].part];
    double other = part->type == LT_PART_CROSS ? (double)x[e->part[part->other].number] : 0;
    add_code(p, 0, &f->code[k], lt_part_code(e, part, (double)x[part->number], other));
  }
  link_row(p, forward(p, 1), out);
  return LEAT_OK;
}

leat_status lt_mlp_one_sparse(lt_plan *plan, const int32_t *index, const float *value, uint64_t nnz, double *out) {
  mlp_plan *p = (mlp_plan *)plan;
  const mlp_fold *f = p->f;
  if (f->block_part < 0 || f->n_x > 0 || f->n_codes > 0 || f->n_texts > 0) return LEAT_E_UNSUPPORTED;
  start_row(p, 0);
  add_block(p, 0, index, value, (int64_t)nnz);
  link_row(p, forward(p, 1), out);
  return LEAT_OK;
}
