/* Prediction by a linear model. Standardisation is folded into the weights in double precision; one row is
 *   margin = intercept' + w' . numbers + sum of table look-ups (categories, in order) + text + sparse block
 * in exactly this order behind every entry point, so that the same values give the same bits however they come.
 *
 * A number far from zero compared with its deviation (|mean| > 1e4 deviations: a date, an account number) would lose its
 * digits in w' * x - w' * mean: such slots are kept out of the fold and added as (x - mean) * w'. */
#include "device/vec.h"
#include "model/linear.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { PLAN_CHUNK = 256, PLAN_TILE = 256 };

typedef struct plan_table { int64_t part, number, n_labels; double *weight; const lt_part *derived; const lt_encoder *e; } plan_table; /* weight[n_out, n_labels + 1] */
typedef struct plan_run { int64_t from, to, n; } plan_run; /* feature numbers [from, from + n) -> dense slots from `to` */
typedef struct plan_far { int64_t slot; double mean; } plan_far;
typedef struct plan_text { int64_t part, at; int32_t pairs; } plan_text;  /* its slots in `sparse` start at `at` */

/* What is constant: shared by all forks. */
typedef struct plan_fold {
  lt_ref ref;
  leat_runtime *rt;
  const lt_vec *vec;
  const lt_loss *loss;
  const lt_calibration *calibration; /* of the parameters; NULL: none */
  int64_t *logged, n_logged; /* slots of numbers that are taken the logarithm of */
  int32_t logistic, direct;  /* direct: the numbers of a row are one run */
  int32_t plain;             /* ... and there is nothing but them and one margin */
  int64_t n_out, n_user, n_dense, n_numbers, hash_bits;
  double *intercept;         /* [n_out] */
  double *weight;            /* [n_out, n_dense], 0 for far slots */
  double *far_weight;        /* [n_out, n_far] */
  double *fill;              /* [n_dense] */
  plan_far *far;
  plan_run *run;
  plan_table *table;
  plan_text *text;
  int64_t n_far, n_runs, n_tables, n_texts;
  float *sparse;             /* [n_out, n_sparse + 1]: text parts, then the sparse block, then a 0 for unseen indices */
  int64_t n_sparse;
  int64_t block_part, block_at, block_width; /* the sparse block; part -1: none */
  int32_t block_hashed;
} plan_fold;

typedef struct lin_plan {
  plan_fold *f;
  int64_t tile;       /* rows of x */
  double *x;          /* [tile, n_dense] */
  double *clean;      /* [n_dense] */
  double *margin;     /* [n_out] */
  int64_t *code;      /* [n_tables] */
  lt_text_words words;
} lin_plan;

/* ---------------------------------------------------------------------------------------------- folding */

static void fold_drop(plan_fold *f) {
  if (!f || !lt_ref_drop(&f->ref)) return;
  leat_runtime *rt = f->rt;
  for (int64_t i = 0; f->table && i < f->n_tables; i++) lt_free(rt, f->table[i].weight);
  void *all[] = {f->intercept, f->weight, f->far_weight, f->fill, f->far, f->run, f->table, f->text, f->sparse, f->logged};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) lt_free(rt, all[i]);
  lt_free(rt, f);
  lt_runtime_unref(rt);
}

static float fold_float(double w) { return w > FLT_MAX ? FLT_MAX : w < -FLT_MAX ? -FLT_MAX : (float)w; }

static double fold_finite(double w) { return isnan(w) ? 0.0 : w > DBL_MAX ? DBL_MAX : w < -DBL_MAX ? -DBL_MAX : w; }

static void fold_numbers(plan_fold *f, const lt_linear *m, const lt_encoder *e) {
  for (int64_t j = 0; j < f->n_dense; j++) {
    f->fill[j] = e->mean[j];
    int far = e->standardize && fabs(e->mean[j]) * e->inverse[j] > 1e4;
    if (far) f->far[f->n_far++] = (plan_far){j, e->mean[j]};
  }
  for (int64_t o = 0; o < f->n_out; o++) {
    const double *w = m->weight + o * m->n_slots;
    double intercept = m->intercept[o], *folded = f->weight + o * f->n_dense;
    int64_t at = 0;
    for (int64_t j = 0; j < f->n_dense; j++) {
      folded[j] = e->standardize ? fold_finite(w[j] * e->inverse[j]) : w[j];
      if (at < f->n_far && f->far[at].slot == j) {
        f->far_weight[o * f->n_far + at++] = folded[j];
        folded[j] = 0.0;
      } else if (e->standardize) {
        intercept -= folded[j] * e->mean[j];
      }
    }
    f->intercept[o] = fold_finite(intercept);
  }
}

static leat_status fold_part(plan_fold *f, const lt_linear *m, const lt_encoder *e, int64_t k, leat_error *err) {
  const lt_part *p = &e->part[k];
  if (p->type == LT_PART_NUMBERS) {
    plan_run *last = f->n_runs ? &f->run[f->n_runs - 1] : NULL;
    if (last && last->from + last->n == p->number && last->to + last->n == p->slot) last->n += p->numbers;
    else f->run[f->n_runs++] = (plan_run){p->number, p->slot, p->numbers};
    return LEAT_OK;
  }
  if (lt_part_has_code(p)) {
    plan_table *t = &f->table[f->n_tables];
    uint64_t n = (uint64_t)(p->n_labels + 1);
    t->part = k;
    t->number = p->number;
    t->n_labels = p->n_labels;
    t->derived = p; /* of the model's encoder, which outlives its predictors */
    t->e = e;
    t->weight = lt_array(f->rt, n * (uint64_t)f->n_out, sizeof(double));
    if (!t->weight) return lt_fail_memory(err, n * (uint64_t)f->n_out * sizeof(double), "a predictor's tables");
    f->n_tables++;
    for (int64_t o = 0; o < f->n_out; o++)
      for (uint64_t c = 0; c < n; c++)
        t->weight[(uint64_t)o * n + c] = m->weight[o * m->n_slots + p->slot + p->slot_of[c]];
    return LEAT_OK;
  }
  if (p->type == LT_PART_TEXT) {
    f->text[f->n_texts++] = (plan_text){k, f->n_sparse, p->hashed == LT_PART_PAIRS};
  } else {
    f->block_part = k;
    f->block_at = f->n_sparse;
    f->block_width = p->width;
    f->block_hashed = p->hashed;
  }
  f->n_sparse += p->width;
  return LEAT_OK;
}

static leat_status fold_sparse(plan_fold *f, const lt_linear *m, const lt_encoder *e, leat_error *err) {
  uint64_t ld = (uint64_t)f->n_sparse + 1;
  if (f->n_sparse == 0) return LEAT_OK;
  f->sparse = lt_zarray(f->rt, ld * (uint64_t)f->n_out, sizeof(float));
  if (!f->sparse) return lt_fail_memory(err, ld * (uint64_t)f->n_out * sizeof(float), "a predictor's sparse weights");
  for (int64_t o = 0; o < f->n_out; o++) {
    const double *w = m->weight + o * m->n_slots;
    float *to = f->sparse + (uint64_t)o * ld;
    for (int64_t i = 0; i < f->n_texts; i++) {
      const lt_part *p = &e->part[f->text[i].part];
      for (int64_t j = 0; j < p->width; j++) to[f->text[i].at + j] = fold_float(w[p->slot + j]);
    }
    if (f->block_part < 0) continue;
    const lt_part *p = &e->part[f->block_part];
    for (int64_t j = 0; j < p->width; j++)
      to[f->block_at + j] = fold_float(w[p->slot + j] * (e->sparse_scale ? e->sparse_scale[j] : 1.0));
  }
  return LEAT_OK;
}

static leat_status fold_create(const lt_linear *m, const lt_encoder *e, plan_fold **out, leat_error *err) {
  leat_runtime *rt = m->rt;
  plan_fold *f = lt_zalloc(rt, sizeof *f);
  if (!f) return lt_fail_memory(err, sizeof *f, "a predictor");
  uint64_t parts = (uint64_t)e->n_parts, dense = (uint64_t)e->n_dense, n_out = (uint64_t)m->n_out;
  leat_status st = LEAT_OK;
  lt_ref_init(&f->ref);
  lt_runtime_ref(rt);
  f->rt = rt;
  f->vec = lt_vec_get();
  f->loss = m->loss;
  f->calibration = m->calibration;
  f->logistic = !m->calibration && strcmp(m->loss->name, "logistic") == 0;
  f->n_out = m->n_out;
  f->n_user = m->n_classes > 2 ? m->n_classes : 1;
  f->n_dense = e->n_dense;
  f->n_numbers = e->n_numbers;
  f->hash_bits = e->hash_bits;
  f->block_part = -1;
  f->intercept = lt_zarray(rt, n_out, sizeof(double));
  f->weight = lt_zarray(rt, n_out * dense, sizeof(double));
  f->far_weight = lt_zarray(rt, n_out * dense, sizeof(double));
  f->fill = lt_zarray(rt, dense, sizeof(double));
  f->far = lt_zarray(rt, dense, sizeof *f->far);
  f->run = lt_zarray(rt, parts, sizeof *f->run);
  f->table = lt_zarray(rt, parts, sizeof *f->table);
  f->text = lt_zarray(rt, parts, sizeof *f->text);
  f->logged = lt_zarray(rt, dense, sizeof *f->logged);
  if (!f->intercept || !f->weight || !f->far_weight || !f->fill || !f->far || !f->run || !f->table || !f->text ||
      !f->logged) {
    st = lt_fail_memory(err, 2 * n_out * dense * sizeof(double), "a predictor's folded weights");
    goto out;
  }
  fold_numbers(f, m, e);
  for (int64_t k = 0; k < e->n_parts && !st; k++) st = fold_part(f, m, e, k, err);
  for (int64_t k = 0; k < e->n_parts; k++)
    for (int64_t j = 0; e->part[k].type == LT_PART_NUMBERS && e->part[k].hashed && j < e->part[k].width; j++)
      f->logged[f->n_logged++] = e->part[k].slot + j;
  f->direct = f->n_runs == 1 && f->n_logged == 0;
  f->plain = f->direct && f->n_out == 1 && f->n_far == 0 && f->n_tables == 0 && f->n_sparse == 0 && f->n_dense == e->n_numbers &&
             !f->calibration && (f->logistic || m->loss->flags & LT_LOSS_IDENTITY);
  if (!st) st = fold_sparse(f, m, e, err);
out:
  if (st) fold_drop(f);
  else *out = f;
  return st;
}

/* ---------------------------------------------------------------------------------------------- life */

void lt_linear_plan_free(lt_plan *plan) {
  lin_plan *p = (lin_plan *)plan;
  if (!p) return;
  leat_runtime *rt = p->f->rt;
  void *all[] = {p->x, p->clean, p->margin, p->code};
  lt_runtime_ref(rt); /* the fold may hold the last reference */
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) lt_free(rt, all[i]);
  lt_text_words_free(rt, &p->words);
  fold_drop(p->f);
  lt_free(rt, p);
  lt_runtime_unref(rt);
}

/* Takes over one reference to f, also when it fails. */
static leat_status plan_new(plan_fold *f, lt_plan **out, leat_error *err) {
  leat_runtime *rt = f->rt;
  lin_plan *p = lt_zalloc(rt, sizeof *p);
  if (!p) {
    fold_drop(f);
    return lt_fail_memory(err, sizeof *p, "a predictor");
  }
  p->f = f;
  p->tile = 65536 / (f->n_dense + 1) + 1; /* the tile of numbers stays in the second-level cache */
  if (p->tile > PLAN_TILE) p->tile = PLAN_TILE;
  uint64_t n_x = (uint64_t)(p->tile * f->n_dense);
  p->x = lt_zarray(rt, n_x, sizeof(double));
  p->clean = lt_zarray(rt, (uint64_t)f->n_dense, sizeof(double));
  p->margin = lt_zarray(rt, (uint64_t)f->n_out, sizeof(double));
  p->code = lt_zarray(rt, (uint64_t)f->n_tables, sizeof *p->code);
  if (!p->x || !p->clean || !p->margin || !p->code) {
    lt_linear_plan_free((lt_plan *)p);
    return lt_fail_memory(err, n_x * sizeof(double), "a predictor's scratch");
  }
  *out = (lt_plan *)p;
  return LEAT_OK;
}

leat_status lt_linear_plan_create(const void *params, const lt_encoder *e, lt_plan **out, leat_error *err) {
  plan_fold *f = NULL;
  *out = NULL;
  leat_status st = fold_create(params, e, &f, err);
  return st ? st : plan_new(f, out, err);
}

leat_status lt_linear_plan_fork(const lt_plan *plan, lt_plan **out, leat_error *err) {
  const lin_plan *p = (const lin_plan *)plan;
  *out = NULL;
  lt_ref_add(&p->f->ref);
  return plan_new(p->f, out, err);
}

leat_status lt_linear_plan_reserve(lt_plan *plan, uint64_t text_bytes, leat_error *err) {
  lin_plan *p = (lin_plan *)plan;
  return p->f->n_texts ? lt_text_words_reserve(p->f->rt, &p->words, text_bytes, err) : LEAT_OK;
}

/* ---------------------------------------------------------------------------------------------- margins */

/* The row has a missing or infinite number, or its sum runs out of range: mean for what is not finite; then, when the sum
 * still overflows, every product is held in a range where n of them cannot. */
static double numbers_clean(lin_plan *p, const double *x, int64_t o) {
  const plan_fold *f = p->f;
  const double *w = f->weight + o * f->n_dense;
  for (int64_t j = 0; j < f->n_dense; j++) p->clean[j] = isfinite(x[j]) ? x[j] : (double)NAN;
  double sum = f->vec->dot_f64(p->clean, w, f->fill, f->n_dense);
  if (isfinite(sum)) return sum;
  sum = 0.0;
  for (int64_t j = 0; j < f->n_dense; j++) {
    double term = (isnan(p->clean[j]) ? f->fill[j] : p->clean[j]) * w[j];
    sum += term > 1e290 ? 1e290 : term < -1e290 ? -1e290 : term;
  }
  return sum;
}

static double numbers_far(const plan_fold *f, const double *x, int64_t o) {
  double sum = 0.0;
  for (int64_t i = 0; i < f->n_far; i++) {
    double v = x[f->far[i].slot];
    if (!isfinite(v)) continue;
    double term = (v - f->far[i].mean) * f->far_weight[o * f->n_far + i];
    sum += term > 1e290 ? 1e290 : term < -1e290 ? -1e290 : term;
  }
  return sum;
}

static void margins_numbers(lin_plan *p, const double *x) {
  const plan_fold *f = p->f;
  for (int64_t o = 0; o < f->n_out; o++) {
    double sum = 0.0;
    if (f->n_dense > 0) {
      sum = f->vec->dot_f64(x, f->weight + o * f->n_dense, NULL, f->n_dense);
      if (!isfinite(sum)) sum = numbers_clean(p, x, o);
      if (f->n_far > 0) sum += numbers_far(f, x, o);
    }
    p->margin[o] = f->intercept[o] + sum;
  }
}

/* The same for floats that lie as they are needed. Rows that want more care are widened first. */
static void margins_floats(lin_plan *p, const float *x) {
  const plan_fold *f = p->f;
  if (f->n_far == 0) {
    int64_t o = 0;
    for (; o < f->n_out; o++) {
      double sum = f->vec->dot_f32(x, f->weight + o * f->n_dense, NULL, f->n_dense);
      if (!isfinite(sum)) break;
      p->margin[o] = f->intercept[o] + sum;
    }
    if (o == f->n_out) return;
  }
  for (int64_t j = 0; j < f->n_dense; j++) p->x[j] = (double)x[j];
  margins_numbers(p, p->x);
}

static void margins_codes(lin_plan *p) {
  const plan_fold *f = p->f;
  for (int64_t i = 0; i < f->n_tables; i++) {
    const plan_table *t = &f->table[i];
    for (int64_t o = 0; o < f->n_out; o++) p->margin[o] += t->weight[o * (t->n_labels + 1) + p->code[i]];
  }
}

static double sparse_clean(const plan_fold *f, const int32_t *index, const float *value, const float *w, int64_t n) {
  double sum = 0.0;
  (void)f;
  for (int64_t k = 0; k < n; k++)
    if (!value || isfinite(value[k])) sum += (double)w[index[k]] * (value ? (double)value[k] : 1.0);
  return sum;
}

/* Adds sum of value[k] * w[index[k]] in chunks of 256: each entry point cuts alike, so the order is one and the same.
 * Indices that the model does not know read the 0 behind the weights; a value that is not finite counts as absent. */
static void margins_sparse(lin_plan *p, int64_t at, int64_t width, int32_t hashed, const int32_t *index,
                           const float *value, int64_t nnz) {
  const plan_fold *f = p->f;
  int32_t mapped[PLAN_CHUNK];
  for (int64_t k = 0; k < nnz; k += PLAN_CHUNK) {
    int64_t n = nnz - k < PLAN_CHUNK ? nnz - k : PLAN_CHUNK;
    const int32_t *idx = index + k;
    const float *val = value ? value + k : NULL;
    uint32_t top0 = 0, top1 = 0;
    int64_t i = 0;
    for (; i + 1 < n; i += 2) {
      uint32_t a = (uint32_t)idx[i], b = (uint32_t)idx[i + 1];
      top0 = a > top0 ? a : top0;
      top1 = b > top1 ? b : top1;
    }
    if (i < n && (uint32_t)idx[i] > top0) top0 = (uint32_t)idx[i];
    if (top1 > top0) top0 = top1;
    if (hashed) {
      for (i = 0; i < n; i++) mapped[i] = idx[i] < 0 ? (int32_t)(f->n_sparse - at) : lt_hash_index(idx[i], f->hash_bits);
      idx = mapped;
    } else if (top0 >= (uint64_t)width) {
      for (i = 0; i < n; i++)
        mapped[i] = idx[i] < 0 || idx[i] >= width ? (int32_t)(f->n_sparse - at) : idx[i];
      idx = mapped;
    }
    for (int64_t o = 0; o < f->n_out; o++) {
      const float *w = f->sparse + o * (f->n_sparse + 1) + at;
      double sum = f->vec->dot_sparse(idx, val, w, n);
      if (!isfinite(sum)) sum = sparse_clean(f, idx, val, w, n);
      p->margin[o] += sum;
    }
  }
}

static void plan_link(lin_plan *p, double *out) {
  const plan_fold *f = p->f;
  for (int64_t o = 0; o < f->n_out; o++) {
    double z = p->margin[o];
    if (!isfinite(z)) p->margin[o] = isnan(z) ? 0.0 : z > 0.0 ? DBL_MAX : -DBL_MAX;
  }
  if (f->logistic) {
    out[0] = f->vec->sigmoid(p->margin[0]);
    return;
  }
  if (f->calibration) {
    lt_calibration_apply(f->calibration, p->margin, out);
    return;
  }
  f->loss->link(p->margin, f->n_out);
  memcpy(out, p->margin, (size_t)f->n_out * sizeof(double));
}

/* ---------------------------------------------------------------------------------------------- one row */

/* The shortest way, for one margin of numbers alone: nothing leaves the registers. The same operations in the same order
 * as below; a sum that is not finite goes the long way. */
static int one_plain(const plan_fold *f, double sum, double *out) {
  double z = f->intercept[0] + sum;
  if (__builtin_expect(!isfinite(z), 0)) return 0;
  *out = f->logistic ? f->vec->sigmoid(z) : z;
  return 1;
}

static void take_logs(lin_plan *p) {
  for (int64_t i = 0; i < p->f->n_logged; i++) p->x[p->f->logged[i]] = lt_signed_log(p->x[p->f->logged[i]]);
}

leat_status lt_linear_one_f32(lt_plan *plan, const float *x, double *out) {
  lin_plan *p = (lin_plan *)plan;
  const plan_fold *f = p->f;
  if (f->plain && one_plain(f, f->vec->dot_f32(x, f->weight, NULL, f->n_dense), out)) return LEAT_OK;
  if (f->sparse) return LEAT_E_UNSUPPORTED;
  if (f->direct) {
    margins_floats(p, x + f->run[0].from);
  } else {
    for (int64_t i = 0; i < f->n_runs; i++)
      for (int64_t j = 0; j < f->run[i].n; j++) p->x[f->run[i].to + j] = (double)x[f->run[i].from + j];
    take_logs(p);
    margins_numbers(p, p->x);
  }
  for (int64_t i = 0; i < f->n_tables; i++) {
    const plan_table *t = &f->table[i];
    int cross = t->derived->type == LT_PART_CROSS;
    p->code[i] = lt_part_code(t->e, t->derived, (double)x[t->number], cross ? (double)x[t->e->part[t->derived->other].number] : 0.0);
  }
  margins_codes(p);
  plan_link(p, out);
  return LEAT_OK;
}

leat_status lt_linear_one_f64(lt_plan *plan, const double *x, double *out) {
  lin_plan *p = (lin_plan *)plan;
  const plan_fold *f = p->f;
  if (f->plain && one_plain(f, f->vec->dot_f64(x, f->weight, NULL, f->n_dense), out)) return LEAT_OK;
  if (f->sparse) return LEAT_E_UNSUPPORTED;
  if (f->direct) {
    margins_numbers(p, x + f->run[0].from);
  } else {
    for (int64_t i = 0; i < f->n_runs; i++)
      memcpy(p->x + f->run[i].to, x + f->run[i].from, (size_t)f->run[i].n * sizeof(double));
    take_logs(p);
    margins_numbers(p, p->x);
  }
  for (int64_t i = 0; i < f->n_tables; i++) {
    const plan_table *t = &f->table[i];
    int cross = t->derived->type == LT_PART_CROSS;
    p->code[i] = lt_part_code(t->e, t->derived, x[t->number], cross ? x[t->e->part[t->derived->other].number] : 0.0);
  }
  margins_codes(p);
  plan_link(p, out);
  return LEAT_OK;
}

leat_status lt_linear_one_sparse(lt_plan *plan, const int32_t *index, const float *value, uint64_t nnz, double *out) {
  lin_plan *p = (lin_plan *)plan;
  const plan_fold *f = p->f;
  if (f->block_part < 0 || f->n_dense > 0 || f->n_tables > 0 || f->n_texts > 0) return LEAT_E_UNSUPPORTED;
  for (int64_t o = 0; o < f->n_out; o++) p->margin[o] = f->intercept[o] + 0.0;
  margins_sparse(p, f->block_at, f->block_width, f->block_hashed, index, value, (int64_t)nnz);
  plan_link(p, out);
  return LEAT_OK;
}

/* ---------------------------------------------------------------------------------------------- rows */

static leat_status rows_rest(lin_plan *p, const lt_encode *bind, const lt_rows *rows, int64_t r, leat_error *err) {
  const plan_fold *f = p->f;
  for (int64_t i = 0; i < f->n_tables; i++) p->code[i] = lt_encode_code(bind, f->table[i].part, rows, r);
  margins_codes(p);
  for (int64_t i = 0; i < f->n_texts; i++) {
    uint64_t n = 0;
    const char *text = lt_encode_text(bind, f->text[i].part, rows, r, &n);
    leat_status st = lt_linear_plan_reserve((lt_plan *)p, n, err);
    if (st) return st;
    int64_t words = lt_text_slots(text, n, f->hash_bits, f->text[i].pairs, p->words.index, p->words.value);
    lt_text_stretch(p->words.value, words, bind->e->part[f->text[i].part].length);
    margins_sparse(p, f->text[i].at, (int64_t)1 << f->hash_bits, 0, p->words.index, p->words.value, words);
  }
  if (f->block_part >= 0) {
    const lt_col *v = &rows->col[bind->part[f->block_part].column];
    if (v->row_start) {
      int64_t k = v->row_start[r];
      margins_sparse(p, f->block_at, f->block_width, f->block_hashed, v->index + k, v->value ? v->value + k : NULL,
                     v->row_start[r + 1] - k);
    }
  }
  return LEAT_OK;
}

/* All numbers of the model in one block that lies row by row: no copying. */
static const lt_col *rows_direct(const plan_fold *f, const lt_encode *bind, const lt_rows *rows) {
  const lt_encoder *e = bind->e;
  if (!f->direct || f->n_dense == 0) return NULL;
  for (int64_t k = 0; k < e->n_parts; k++) {
    if (e->part[k].type != LT_PART_NUMBERS) continue;
    const lt_col *v = &rows->col[bind->part[k].column];
    if (e->part[k].width != f->n_dense || bind->part[k].how != LT_HOW_NUMBER || !v->data || v->col_stride != 1) return NULL;
    return v->dtype == LEAT_F32 || v->dtype == LEAT_F64 ? v : NULL;
  }
  return NULL;
}

leat_status lt_linear_plan_rows(lt_plan *plan, const lt_encode *bind, const lt_rows *rows, int64_t from, int64_t n,
                                double *out, leat_error *err) {
  lin_plan *p = (lin_plan *)plan;
  const plan_fold *f = p->f;
  const lt_col *v = rows_direct(f, bind, rows);
  for (int64_t r0 = 0; r0 < n; r0 += p->tile) {
    int64_t m = n - r0 < p->tile ? n - r0 : p->tile;
    if (!v && f->n_dense > 0) lt_encode_numbers(bind, rows, from + r0, m, p->x, f->n_dense);
    for (int64_t i = 0; i < m; i++) {
      int64_t r = from + r0 + i;
      if (!v) margins_numbers(p, p->x + i * f->n_dense);
      else if (v->dtype == LEAT_F32) margins_floats(p, (const float *)v->data + r * v->row_stride);
      else margins_numbers(p, (const double *)v->data + r * v->row_stride);
      leat_status st = rows_rest(p, bind, rows, r, err);
      if (st) return st;
      plan_link(p, out + (r0 + i) * f->n_user);
    }
  }
  return LEAT_OK;
}
