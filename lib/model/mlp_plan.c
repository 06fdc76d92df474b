/* Prediction by a network, in float or with weights of 8 bits. Batch norms are folded into the weights before them; layers
 * are packed for lt_dense_rows, which gives a row the same bits whatever rows are around it. */
#include "device/dense.h"
#include "device/vec.h"
#include "model/mlp.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { MLP_TILE = 64, MLP_DEVICE_FROM = 32 }; /* rows at once; fewer than so many are not worth a device's way */
typedef struct mlp_code { int64_t part; int32_t *row; int32_t embedded; } mlp_code; /* row [labels + 1] of W, or of the embeddings */
typedef struct mlp_text { int64_t part; int32_t pairs; } mlp_text;

/* What is constant: shared by all forks. */
typedef struct mlp_fold {
  lt_ref ref;
  leat_runtime *rt;
  const lt_vec *vec;
  const lt_mlp *m;           /* outlives its predictors, as e does */
  const lt_encoder *e;
  const float *v;            /* [shape.n] weights, batch norms folded in */
  float *folded;             /* their block, NULL: the model's own */
  lt_dense layer[LT_MLP_LAYERS + 1]; /* of the first one only the dense inputs */
  void *block[LT_MLP_LAYERS + 1];
  int32_t mixed;             /* the first layer has inputs that are not dense */
  mlp_code *code;
  mlp_text *text;
  int64_t n_codes, n_texts, n_x, widest;
  int64_t block_part;        /* the sparse block; -1: none */
} mlp_fold;

typedef struct mlp_plan {
  mlp_fold *f;
  int64_t tile;              /* rows of x and h */
  lt_mlp_device *device;     /* NULL: the CPU */
  float *x;                  /* [tile, n_x] */
  float *h[2];               /* [tile, widest] */
  double *margin;            /* [n_out] */
  double *row;               /* [numbers of a row] */
  lt_text_words words;
} mlp_plan;

/* ---------------------------------------------------------------------------------------------- folding */

static void fold_drop(mlp_fold *f) {
  if (!f || !lt_ref_drop(&f->ref)) return;
  leat_runtime *rt = f->rt;
  for (int64_t k = 0; f->code && k < f->n_codes; k++) lt_free(rt, f->code[k].row);
  lt_free(rt, f->code);
  lt_free(rt, f->text);
  for (int64_t l = 0; l <= LT_MLP_LAYERS; l++) lt_free(rt, f->block[l]);
  lt_free(rt, f->folded);
  lt_free(rt, f);
  lt_runtime_unref(rt);
}

/* y = (x W + b - mean) / sqrt(var + eps) gamma + beta is x W' + b'. */
static leat_status fold_batch_norm(mlp_fold *f, leat_error *err) {
  const lt_mlp_shape *s = &f->m->shape;
  f->v = f->m->v;
  if (s->norm != LT_NORM_BATCH) return LEAT_OK;
  float *v = f->folded = lt_array(f->rt, (uint64_t)s->n, sizeof *v);
  if (!v) return lt_fail_memory(err, (uint64_t)s->n * 4, "a predictor's weights");
  f->v = v;
  memcpy(v, f->m->v, (size_t)s->n * sizeof *v);
  for (int64_t l = 0; l + 1 < s->n_layers; l++) {
    const lt_mlp_layer *y = &s->layer[l];
    for (int64_t j = 0; j < y->out; j++) {
      double factor = (double)v[y->gamma + j] / sqrt((double)v[y->var + j] + LT_LAYER_NORM_EPS);
      v[y->b + j] = (float)(((double)v[y->b + j] - (double)v[y->mean + j]) * factor + (double)v[y->beta + j]);
      for (int64_t i = 0; i < y->in; i++) v[y->w + i * y->ld + j] = (float)((double)v[y->w + i * y->ld + j] * factor);
    }
  }
  return LEAT_OK;
}

/* The dense inputs of every layer, packed. What follows at once is fused. */
static leat_status fold_layers(mlp_fold *f, int64_t kind, leat_error *err) {
  const lt_mlp_shape *s = &f->m->shape;
  for (int64_t l = 0; l < s->n_layers; l++) {
    const lt_mlp_layer *y = &s->layer[l];
    int apart = l + 1 == s->n_layers || s->norm == LT_NORM_LAYER || (l == 0 && f->mixed);
    lt_dense *d = &f->layer[l];
    *d = (lt_dense){.k = l ? y->in : f->n_x, .n = y->out, .kind = kind, .act = apart ? LT_ACT_NONE : s->activation};
    if (d->k == 0) continue; /* a first layer of compressed inputs alone */
    uint64_t size = lt_dense_size(d);
    f->block[l] = size ? lt_alloc(f->rt, size) : NULL;
    if (!size) return lt_fail(err, LEAT_E_RANGE, "a layer of %lld inputs is too large for a predictor of this precision", (long long)d->k);
    if (!f->block[l]) return lt_fail_memory(err, size, "a predictor's weights");
    lt_dense_pack(d, f->v + y->w, y->ld, 1, f->v + y->b, f->block[l]);
  }
  return LEAT_OK;
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

static leat_status fold_create(const lt_mlp *m, const lt_encoder *e, int64_t kind, mlp_fold **out, leat_error *err) {
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
  f->code = lt_zarray(rt, (uint64_t)e->n_parts, sizeof *f->code);
  f->text = lt_zarray(rt, (uint64_t)e->n_parts, sizeof *f->text);
  if (!f->code || !f->text) st = lt_fail_memory(err, (uint64_t)e->n_parts * sizeof *f->code, "a predictor");
  if (!st) st = fold_batch_norm(f, err);
  for (int64_t k = 0; k < e->n_parts && !st; k++) {
    const lt_part *p = &e->part[k];
    if (lt_part_has_code(p)) st = fold_code(f, k, err);
    else if (p->type == LT_PART_TEXT) f->text[f->n_texts++] = (mlp_text){k, p->hashed == LT_PART_PAIRS};
    else if (p->type == LT_PART_SPARSE) f->block_part = k;
  }
  f->mixed = f->n_codes > 0 || f->n_texts > 0 || f->block_part >= 0;
  if (!st) st = fold_layers(f, kind, err);
  if (st) fold_drop(f);
  else *out = f;
  return st;
}

/* ---------------------------------------------------------------------------------------------- life */

void lt_mlp_plan_free(lt_plan *plan) {
  mlp_plan *p = (mlp_plan *)plan;
  if (!p) return;
  leat_runtime *rt = p->f->rt;
  void *all[] = {p->x, p->h[0], p->h[1], p->margin, p->row};
  lt_runtime_ref(rt); /* the fold may hold the last reference */
  lt_mlp_device_free(p->device);
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) lt_free(rt, all[i]);
  lt_text_words_free(rt, &p->words);
  fold_drop(p->f);
  lt_free(rt, p);
  lt_runtime_unref(rt);
}

/* Takes over one reference to f, also when it fails. */
static leat_status plan_new(mlp_fold *f, int64_t tile, lt_plan **out, leat_error *err) {
  leat_runtime *rt = f->rt;
  mlp_plan *p = lt_zalloc(rt, sizeof *p);
  if (!p) {
    fold_drop(f);
    return lt_fail_memory(err, sizeof *p, "a predictor");
  }
  p->f = f;
  p->tile = tile;
  uint64_t n_x = (uint64_t)(tile * f->n_x), n_h = (uint64_t)(tile * f->widest);
  p->x = lt_zarray(rt, n_x + 1, sizeof *p->x);
  p->h[0] = lt_zarray(rt, n_h, sizeof *p->h[0]);
  p->h[1] = lt_zarray(rt, n_h, sizeof *p->h[1]);
  p->margin = lt_zarray(rt, (uint64_t)f->m->n_out, sizeof *p->margin);
  p->row = lt_array(rt, (uint64_t)f->e->n_numbers + 1, sizeof *p->row);
  if (!p->x || !p->h[0] || !p->h[1] || !p->margin || !p->row) {
    lt_mlp_plan_free((lt_plan *)p);
    return lt_fail_memory(err, (n_x + 2 * n_h) * sizeof(float), "a predictor's scratch");
  }
  *out = (lt_plan *)p;
  return LEAT_OK;
}

leat_status lt_mlp_plan_create(const void *params, const lt_encoder *e, lt_plan **out, leat_error *err) {
  mlp_fold *f = NULL;
  *out = NULL;
  leat_status st = fold_create(params, e, LT_DENSE_F32, &f, err);
  return st ? st : plan_new(f, MLP_TILE, out, err);
}

leat_status lt_mlp_plan_bytes(const lt_plan *plan, lt_plan **out, leat_error *err) {
  const mlp_plan *p = (const mlp_plan *)plan;
  mlp_fold *f = NULL;
  *out = NULL;
  leat_status st = fold_create(p->f->m, p->f->e, LT_DENSE_Q8, &f, err);
  return st ? st : plan_new(f, MLP_TILE, out, err);
}

leat_status lt_mlp_plan_device(const lt_plan *plan, const leat_device *dev, int bytes, lt_plan **out, leat_error *err) {
  mlp_fold *f = ((const mlp_plan *)plan)->f;
  lt_plan *made = NULL;
  uint32_t how = (f->mixed ? LT_MLP_DEVICE_MIXED : 0) | (bytes ? LT_MLP_DEVICE_BYTES : 0);
  *out = NULL;
  lt_ref_add(&f->ref);
  leat_status st = plan_new(f, LT_PLAN_DEVICE_ROWS, &made, err);
  if (!st) st = lt_mlp_device_create(f->rt, dev, &f->m->shape, f->v, f->n_x, how, &((mlp_plan *)made)->device, err);
  if (st) lt_mlp_plan_free(made);
  else *out = made;
  return st;
}

leat_status lt_mlp_plan_fork(const lt_plan *plan, lt_plan **out, leat_error *err) {
  const mlp_plan *p = (const mlp_plan *)plan;
  *out = NULL;
  lt_ref_add(&p->f->ref);
  return plan_new(p->f, MLP_TILE, out, err);
}

leat_status lt_mlp_plan_reserve(lt_plan *plan, uint64_t text_bytes, leat_error *err) {
  mlp_plan *p = (mlp_plan *)plan;
  return p->f->n_texts ? lt_text_words_reserve(p->f->rt, &p->words, text_bytes, err) : LEAT_OK;
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

/* What follows a layer's sums, where lt_dense_rows has not done it already. */
static void finish(const mlp_fold *f, int64_t l, float *z, int64_t n) {
  const lt_mlp_layer *y = &f->m->shape.layer[l];
  if (f->layer[l].act != LT_ACT_NONE) return;
  for (int64_t r = 0; r < n && f->m->shape.norm == LT_NORM_LAYER; r++) layer_norm(f, y, z + r * y->out);
  activate(f, z, n * y->out);
}

/* The dense inputs' sums of rows [0, n) of p->x into h[0]. */
static void first_sums(mlp_plan *p, int64_t n) {
  const mlp_fold *f = p->f;
  const lt_mlp_layer *y = &f->m->shape.layer[0];
  if (f->n_x > 0) lt_dense_rows(&f->layer[0], p->x, f->n_x, n, p->h[0], y->out);
  else for (int64_t r = 0; r < n; r++) memcpy(p->h[0] + r * y->out, f->v + y->b, (size_t)y->out * sizeof(float));
}

/* The first layer's sums of n rows in h[0] -> margins in the block returned, [n, n_out]. */
static const float *forward(mlp_plan *p, int64_t n) {
  const mlp_fold *f = p->f;
  const lt_mlp_shape *s = &f->m->shape;
  float *z = p->h[0], *next = p->h[1];
  for (int64_t l = 0; l + 1 < s->n_layers; l++) {
    finish(f, l, z, n);
    lt_dense_rows(&f->layer[l + 1], z, s->layer[l].out, n, next, s->layer[l + 1].out);
    float *old = z;
    z = next;
    next = old;
  }
  return z;
}

/* One input that is not dense, of row r. */
static void add_slot(mlp_plan *p, int64_t r, int64_t row, float value) {
  const lt_mlp_layer *y = &p->f->m->shape.layer[0];
  if (isfinite(value)) p->f->vec->axpy_ff(value, p->f->v + y->w + row * y->ld, p->h[0] + r * y->out, y->out);
}

/* The embedding of column c's code into row r of x. */
static void embed(mlp_plan *p, int64_t r, const mlp_code *c, int64_t code) {
  const mlp_fold *f = p->f;
  const lt_mlp_shape *s = &f->m->shape;
  int64_t row = c->row[code], slot = f->e->part[c->part].slot, at = 0;
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

/* Inputs of row r that are not dense, into the sums of row `at`. */
static leat_status row_rest(mlp_plan *p, const lt_encode *bind, const lt_rows *rows, int64_t r, int64_t at, leat_error *err) {
  const mlp_fold *f = p->f;
  for (int64_t k = 0; k < f->n_codes; k++) {
    const mlp_code *c = &f->code[k];
    if (!c->embedded) add_slot(p, at, c->row[lt_encode_code(bind, c->part, rows, r)], 1);
  }
  for (int64_t k = 0; k < f->n_texts; k++) {
    uint64_t n = 0;
    const char *text = lt_encode_text(bind, f->text[k].part, rows, r, &n);
    leat_status st = lt_mlp_plan_reserve((lt_plan *)p, n, err);
    if (st) return st;
    int64_t words = lt_text_slots(text, n, f->e->hash_bits, f->text[k].pairs, p->words.index, p->words.value);
    lt_text_stretch(p->words.value, words, bind->e->part[f->text[k].part].length);
    for (int64_t j = 0; j < words; j++)
      add_slot(p, at, lt_mlp_slot_row(f->m, f->e->part[f->text[k].part].slot + p->words.index[j]), p->words.value[j]);
  }
  if (f->block_part >= 0) {
    const lt_col *v = &rows->col[bind->part[f->block_part].column];
    int64_t k = v->row_start ? v->row_start[r] : 0;
    if (v->row_start) add_block(p, at, v->index + k, v->value ? v->value + k : NULL, v->row_start[r + 1] - k);
  }
  return LEAT_OK;
}

/* Rows [from, from + m) of rows into x, and what goes into h[0] beside. */
static leat_status take_rows(mlp_plan *p, const lt_encode *bind, const lt_rows *rows, int64_t from, int64_t m, int on_device,
                             leat_error *err) {
  const mlp_fold *f = p->f;
  const lt_mlp_layer *y = &f->m->shape.layer[0];
  leat_status st = LEAT_OK;
  if (f->e->n_dense > 0) lt_encode_dense(bind, rows, from, m, p->x, f->n_x);
  for (int64_t i = 0; i < m; i++)
    for (int64_t k = 0; k < f->n_codes; k++)
      if (f->code[k].embedded) embed(p, i, &f->code[k], lt_encode_code(bind, f->code[k].part, rows, from + i));
  if (!on_device) first_sums(p, m);
  for (int64_t i = 0; i < m && f->mixed && !st; i++) {
    if (on_device) memcpy(p->h[0] + i * y->out, f->v + y->b, (size_t)y->out * sizeof(float));
    st = row_rest(p, bind, rows, from + i, i, err);
  }
  return st;
}

leat_status lt_mlp_plan_rows(lt_plan *plan, const lt_encode *bind, const lt_rows *rows, int64_t from, int64_t n, double *out,
                             leat_error *err) {
  mlp_plan *p = (mlp_plan *)plan;
  int64_t n_user = p->f->m->n_classes > 2 ? p->f->m->n_classes : 1, n_out = p->f->m->n_out;
  for (int64_t r0 = 0; r0 < n; r0 += p->tile) {
    int64_t m = n - r0 < p->tile ? n - r0 : p->tile;
    int on_device = p->device && m >= MLP_DEVICE_FROM;
    const float *z = NULL;
    leat_status st = take_rows(p, bind, rows, from + r0, m, on_device, err);
    if (!st && on_device) st = lt_mlp_device_rows(p->device, p->x, p->h[0], m, &z, err);
    if (st) return st;
    if (!on_device) z = forward(p, m);
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

/* A row as numbers in schema order, in one of two types. */
typedef struct mlp_numbers { const double *f64; const float *f32; } mlp_numbers;
static double number(const mlp_numbers *x, int64_t j) { return x->f32 ? (double)x->f32[j] : x->f64[j]; }

static int64_t code_of(const mlp_fold *f, const mlp_code *c, const mlp_numbers *x) {
  const lt_part *part = &f->e->part[c->part];
  double other = part->type == LT_PART_CROSS ? number(x, f->e->part[part->other].number) : 0;
  return lt_part_code(f->e, part, number(x, part->number), other);
}

/* Its dense inputs into row `at` of p->x. */
static void put_row(mlp_plan *p, int64_t at, const mlp_numbers *x) {
  const mlp_fold *f = p->f;
  const lt_encoder *e = f->e;
  float *to = p->x + at * f->n_x;
  for (int64_t k = 0; k < e->n_parts; k++) {
    const lt_part *part = &e->part[k];
    for (int64_t j = 0; part->type == LT_PART_NUMBERS && j < part->width; j++)
      to[part->slot + j] = encoded(e, part, part->slot + j, number(x, part->number + j));
  }
  for (int64_t k = 0; k < f->n_codes; k++)
    if (f->code[k].embedded) embed(p, at, &f->code[k], code_of(f, &f->code[k], x));
}

/* The others onto the sums of row `at`. */
static void add_row(mlp_plan *p, int64_t at, const mlp_numbers *x) {
  for (int64_t k = 0; k < p->f->n_codes; k++) {
    const mlp_code *c = &p->f->code[k];
    if (!c->embedded) add_slot(p, at, c->row[code_of(p->f, c, x)], 1);
  }
}

static void one_row(mlp_plan *p, const mlp_numbers *x, double *out) {
  put_row(p, 0, x);
  first_sums(p, 1);
  add_row(p, 0, x);
  link_row(p, forward(p, 1), out);
}

static mlp_numbers matrix_row(mlp_plan *p, const leat_matrix *x, int64_t r) {
  if (x->dtype == LEAT_F32 && x->col_stride == 1) return (mlp_numbers){NULL, (const float *)x->data + r * x->row_stride};
  if (x->dtype == LEAT_F64 && x->col_stride == 1) return (mlp_numbers){(const double *)x->data + r * x->row_stride, NULL};
  for (int64_t j = 0; j < x->cols; j++) p->row[j] = lt_matrix_get(x, r, j);
  return (mlp_numbers){p->row, NULL};
}

leat_status lt_mlp_plan_numbers(lt_plan *plan, const leat_matrix *x, int64_t from, int64_t n, double *out, leat_error *err) {
  mlp_plan *p = (mlp_plan *)plan;
  const mlp_fold *f = p->f;
  const lt_mlp_layer *y = &f->m->shape.layer[0];
  int64_t n_user = f->m->n_classes > 2 ? f->m->n_classes : 1, n_out = f->m->n_out;
  if (f->n_texts > 0 || f->block_part >= 0) return LEAT_E_UNSUPPORTED;
  for (int64_t r0 = 0; r0 < n; r0 += p->tile) {
    int64_t m = n - r0 < p->tile ? n - r0 : p->tile;
    int on_device = p->device && m >= MLP_DEVICE_FROM;
    const float *z = NULL;
    for (int64_t i = 0; i < m; i++) {
      mlp_numbers row = matrix_row(p, x, from + r0 + i);
      put_row(p, i, &row);
      if (on_device && f->mixed) memcpy(p->h[0] + i * y->out, f->v + y->b, (size_t)y->out * sizeof(float));
    }
    if (!on_device) first_sums(p, m);
    for (int64_t i = 0; i < m && f->mixed; i++) {
      mlp_numbers row = matrix_row(p, x, from + r0 + i);
      add_row(p, i, &row);
    }
    leat_status st = on_device ? lt_mlp_device_rows(p->device, p->x, p->h[0], m, &z, err) : LEAT_OK;
    if (st) return st;
    if (!on_device) z = forward(p, m);
    for (int64_t i = 0; i < m; i++) link_row(p, z + i * n_out, out + (r0 + i) * n_user);
  }
  return LEAT_OK;
}

leat_status lt_mlp_one_f64(lt_plan *plan, const double *x, double *out) {
  mlp_plan *p = (mlp_plan *)plan;
  if (p->f->n_texts > 0 || p->f->block_part >= 0) return LEAT_E_UNSUPPORTED;
  one_row(p, &(mlp_numbers){x, NULL}, out);
  return LEAT_OK;
}

leat_status lt_mlp_one_f32(lt_plan *plan, const float *x, double *out) {
  mlp_plan *p = (mlp_plan *)plan;
  if (p->f->n_texts > 0 || p->f->block_part >= 0) return LEAT_E_UNSUPPORTED;
  one_row(p, &(mlp_numbers){NULL, x}, out);
  return LEAT_OK;
}

leat_status lt_mlp_one_sparse(lt_plan *plan, const int32_t *index, const float *value, uint64_t nnz, double *out) {
  mlp_plan *p = (mlp_plan *)plan;
  const mlp_fold *f = p->f;
  if (f->block_part < 0 || f->n_x > 0 || f->n_codes > 0 || f->n_texts > 0) return LEAT_E_UNSUPPORTED;
  first_sums(p, 1);
  add_block(p, 0, index, value, (int64_t)nnz);
  link_row(p, forward(p, 1), out);
  return LEAT_OK;
}
