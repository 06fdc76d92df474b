/* The encoder: its layout, its statistics, its bytes. Binding and rows are in encode.c. */
#include "model/encoding.h"
#include "base/number.h"
#include <math.h>
#include <string.h>

enum { ENC_TILE = 4096, ENC_DERIVED = 2, ENC_TEXTS = 4, ENC_TEXT_ROWS = 65536 };

/* ---------------------------------------------------------------------------------------------- layout */

static leat_status enc_layout_category(lt_encoder *e, lt_part *p, const lt_column *c, leat_error *err) {
  p->n_labels = lt_dict_count(c->labels);
  if (p->n_labels >= LT_MAX_SLOTS) return lt_fail(err, LEAT_E_RANGE, "column '%s' has too many labels", c->name);
  int64_t cells = p->hashed ? (int64_t)1 << e->hash_bits : p->n_labels;
  p->width = cells + 1;
  p->slot_of = lt_array(e->rt, (uint64_t)p->n_labels + 1, sizeof *p->slot_of);
  if (!p->slot_of) return lt_fail_memory(err, ((uint64_t)p->n_labels + 1) * sizeof *p->slot_of, "label slots");
  for (int64_t i = 0; i < p->n_labels; i++) {
    p->slot_of[i] = (int32_t)i;
    if (p->hashed) {
      uint64_t n = 0;
      const char *label = lt_dict_text(c->labels, i, &n);
      p->slot_of[i] = (int32_t)(lt_hash64(label, n, 0) & (uint64_t)(cells - 1));
    }
  }
  p->slot_of[p->n_labels] = (int32_t)cells;
  return LEAT_OK;
}

leat_status lt_encoder_layout(lt_encoder *e, leat_error *err) {
  int64_t number = 0, dense = 0, sparse = 0;
  e->sparse_part = -1;
  for (int64_t k = 0; k < e->n_parts; k++) { /* once more, when parts were derived */
    lt_free(e->rt, e->part[k].slot_of);
    e->part[k].slot_of = NULL;
  }
  for (int64_t k = 0; k < e->n_parts; k++) {
    lt_part *p = &e->part[k];
    const lt_column *c = &e->schema->col[p->column];
    p->number = number;
    if (p->type == LT_PART_NUMBERS) {
      p->numbers = p->width = c->width;
      p->slot = dense;
      dense += p->width;
    } else if (p->type == LT_PART_CATEGORY) {
      p->numbers = 1;
      leat_status st = enc_layout_category(e, p, c, err);
      if (st) return st;
    } else if (p->type == LT_PART_TEXT) {
      p->width = (int64_t)1 << e->hash_bits;
      if (p->length == 0.0) p->length = 1.0;
    } else if (lt_part_is_derived(p)) {
      leat_status st = lt_derive_layout(e, p, err);
      if (st) return st;
    } else {
      p->numbers = c->width;
      p->width = p->hashed ? (int64_t)1 << e->hash_bits : c->width;
      if (e->sparse_part >= 0) return lt_fail(err, LEAT_E_UNSUPPORTED, "a model takes one sparse block, not two");
      e->sparse_part = k;
    }
    number += p->numbers;
    if (p->type != LT_PART_NUMBERS) sparse += p->width;
    if (dense + sparse > LT_MAX_SLOTS || number > LT_MAX_SLOTS)
      return lt_fail(err, LEAT_E_RANGE, "column '%s' makes more than 2147483647 encoded features", c->name);
  }
  e->n_numbers = number;
  e->n_dense = dense;
  e->n_slots = dense + sparse;
  for (int64_t k = 0; k < e->n_parts; k++)
    if (e->part[k].type != LT_PART_NUMBERS) {
      e->part[k].slot = dense;
      dense += e->part[k].width;
    }
  return LEAT_OK;
}

leat_status lt_encoder_plan(lt_encoder *e, int64_t max_onehot, int64_t max_width, leat_error *err) {
  const leat_schema *s = e->schema;
  e->part = lt_zarray(e->rt, (uint64_t)s->n, sizeof *e->part);
  if (!e->part) return lt_fail_memory(err, (uint64_t)s->n * sizeof *e->part, "the encoder");
  for (int64_t i = 0; i < s->n; i++) {
    const lt_column *c = &s->col[i];
    if (c->role != LEAT_ROLE_FEATURE || c->kind == LEAT_ID) continue;
    lt_part *p = &e->part[e->n_parts++];
    p->column = i;
    p->type = c->sparse                   ? LT_PART_SPARSE
              : c->kind == LEAT_CATEGORY ? LT_PART_CATEGORY
              : c->kind == LEAT_TEXT     ? LT_PART_TEXT
                                         : LT_PART_NUMBERS;
    if (p->type == LT_PART_CATEGORY) p->hashed = lt_dict_count(c->labels) > max_onehot;
    if (p->type == LT_PART_SPARSE) p->hashed = c->width > max_width;
    if (p->type == LT_PART_TEXT) p->hashed = 1;
  }
  if (e->n_parts == 0)
    return lt_fail(err, LEAT_E_DATA, "no feature column: all columns are target, key, weight, ids or ignored");
  return lt_encoder_layout(e, err);
}

leat_status lt_encoder_alloc_stats(lt_encoder *e, leat_error *err) {
  uint64_t n = (uint64_t)e->n_dense;
  e->mean = lt_zarray(e->rt, n, sizeof(double));
  e->scale = lt_zarray(e->rt, n, sizeof(double));
  e->inverse = lt_zarray(e->rt, n, sizeof(double));
  if (!e->mean || !e->scale || !e->inverse) return lt_fail_memory(err, 3 * n * sizeof(double), "the encoder's statistics");
  for (uint64_t j = 0; j < n; j++) e->scale[j] = e->inverse[j] = 1.0;
  return LEAT_OK;
}

/* ---------------------------------------------------------------------------------------------- statistics */

typedef struct enc_moment { double n, mean, m2; } enc_moment;

/* One tile of rows: moments of every dense slot, shifted by the first value that is there, so that a mean of 1e9 with a
 * deviation of 1 keeps its digits and a constant column has a deviation of exactly 0. */
typedef struct enc_stats {
  const lt_encode *bind;
  const leat_dataset *train;
  int64_t n_dense, first_tile;
  enc_moment *moment; /* [tiles of the wave, n_dense] */
  leat_status *status;
  leat_error *error;
} enc_stats;

enum { ENC_STRIP = 256 };

/* Four columns at once, which hides the adds' latency; 0 when a number is missing or not finite (nothing is added then). */
static int enc_four_moments(enc_moment *m, const double *shift, const double *x, int64_t rows, int64_t n) {
  double a = shift[0], b = shift[1], c = shift[2], d = shift[3];
  double sa = 0, sb = 0, sc = 0, sd = 0, qa = 0, qb = 0, qc = 0, qd = 0;
  for (int64_t r = 0; r < rows; r++) {
    const double *v = x + r * n;
    double da = v[0] - a, db = v[1] - b, dc = v[2] - c, dd = v[3] - d;
    sa += da, sb += db, sc += dc, sd += dd;
    qa += da * da, qb += db * db, qc += dc * dc, qd += dd * dd;
  }
  if (!isfinite(qa + qb + qc + qd)) return 0;
  const double s[4] = {sa, sb, sc, sd}, q[4] = {qa, qb, qc, qd};
  for (int k = 0; k < 4; k++) {
    m[k].n += (double)rows;
    m[k].mean += s[k];
    m[k].m2 += q[k];
  }
  return 1;
}

static void enc_strip_moments(enc_moment *m, double *shift, const double *x, int64_t rows, int64_t n) {
  for (int64_t j = 0; j < n; j++) {
    while (j + 4 <= n && enc_four_moments(m + j, shift + j, x + j, rows, n)) j += 4;
    if (j == n) break;
    double s = shift[j], sum = 0.0, square = 0.0, count = 0.0;
    for (int64_t r = 0; r < rows; r++) {
      double v = x[r * n + j];
      if (!isfinite(v)) continue;
      if (isnan(s)) s = v;
      double d = v - s;
      sum += d;
      square += d * d;
      count += 1.0;
    }
    shift[j] = s;
    m[j].n += count;
    m[j].mean += sum;
    m[j].m2 += square;
  }
}

static void enc_tile_task(void *arg, int64_t index) {
  enc_stats *t = arg;
  leat_runtime *rt = t->bind->e->rt;
  leat_error *err = &t->error[index];
  enc_moment *m = t->moment + index * t->n_dense;
  leat_batch *scratch = NULL;
  lt_rows rows;
  double *shift = NULL, *x = NULL;
  int64_t strip = (int64_t)ENC_STRIP * 64 / (t->n_dense + 1) + 1;
  if (strip > ENC_TILE) strip = ENC_TILE;
  leat_status st = lt_batch_create(rt, t->bind->schema, &scratch, err);
  if (st) goto out;
  st = lt_dataset_view(t->train, (t->first_tile + index) * ENC_TILE, ENC_TILE, scratch, &rows, err);
  if (st) goto out;
  shift = lt_array(rt, (uint64_t)t->n_dense, sizeof(double));
  x = lt_array(rt, (uint64_t)(strip * t->n_dense), sizeof(double));
  if (!shift || !x) {
    st = lt_fail_memory(err, (uint64_t)(strip * t->n_dense) * sizeof(double), "statistics of the features");
    goto out;
  }
  for (int64_t j = 0; j < t->n_dense; j++) {
    shift[j] = NAN;
    m[j] = (enc_moment){0.0, 0.0, 0.0};
  }
  for (int64_t r = 0; r < rows.n; r += strip) {
    int64_t n = rows.n - r < strip ? rows.n - r : strip;
    lt_encode_numbers(t->bind, &rows, r, n, x, t->n_dense);
    enc_strip_moments(m, shift, x, n, t->n_dense);
  }
  for (int64_t j = 0; j < t->n_dense; j++)
    if (m[j].n > 0.0) {
      double mean = m[j].mean / m[j].n;
      m[j].m2 = fmax(0.0, m[j].m2 - m[j].mean * mean);
      m[j].mean = shift[j] + mean;
    }
out:
  t->status[index] = st;
  lt_free(rt, x);
  lt_free(rt, shift);
  lt_batch_free(scratch);
}

/* Chan, Golub, LeVeque: "Updating formulae and a pairwise algorithm for computing sample variances" (1979). */
static void enc_merge(enc_moment *a, const enc_moment *b) {
  if (b->n == 0.0) return;
  double n = a->n + b->n, d = b->mean - a->mean;
  if (a->n == 0.0) a->mean = b->mean;
  else a->mean += d * (b->n / n);
  a->m2 += b->m2 + (a->n == 0.0 ? 0.0 : d * d * (a->n * b->n / n));
  a->n = n;
}

static leat_status enc_fit_dense(lt_encoder *e, const lt_encode *bind, const leat_dataset *train, leat_error *err) {
  int64_t rows = lt_dataset_rows(train), tiles = (rows + ENC_TILE - 1) / ENC_TILE;
  int64_t wave = 2097152 / (e->n_dense + 1); /* some 50 MB of moments at a time */
  wave = wave < 1 ? 1 : wave > 64 ? 64 : wave;
  leat_status st = LEAT_OK;
  leat_status status[64];
  leat_error *error = lt_zarray(e->rt, (uint64_t)wave, sizeof *error);
  enc_moment *total = lt_zarray(e->rt, (uint64_t)e->n_dense, sizeof *total);
  enc_moment *part = lt_array(e->rt, (uint64_t)(wave * e->n_dense), sizeof *part);
  if (!error || !total || !part) {
    st = lt_fail_memory(err, (uint64_t)((wave + 1) * e->n_dense) * sizeof *part, "statistics of the features");
    goto out;
  }
  for (int64_t i = 0; i < wave; i++) error[i].struct_size = sizeof *error;
  for (int64_t first = 0; first < tiles; first += wave) {
    int64_t n = tiles - first < wave ? tiles - first : wave;
    enc_stats t = {bind, train, e->n_dense, first, part, status, error};
    st = lt_parallel_for(e->rt, n, enc_tile_task, &t);
    if (st) {
      lt_fail(err, st, "the host's executor failed");
      goto out;
    }
    for (int64_t i = 0; i < n; i++) {
      if (status[i]) {
        st = lt_fail(err, status[i], "%s", error[i].message);
        goto out;
      }
      for (int64_t j = 0; j < e->n_dense; j++) enc_merge(&total[j], &part[i * e->n_dense + j]);
    }
  }
  for (int64_t j = 0; j < e->n_dense; j++) {
    double mean = total[j].n > 0.0 ? total[j].mean : 0.0;
    double dev = total[j].n > 0.0 ? sqrt(total[j].m2 / total[j].n) : 0.0;
    e->mean[j] = isfinite(mean) ? mean : 0.0;
    if (e->standardize && dev > 0.0 && isfinite(dev) && isfinite(1.0 / dev)) {
      e->scale[j] = dev;
      e->inverse[j] = 1.0 / dev;
    }
  }
out:
  lt_free(e->rt, part);
  lt_free(e->rt, total);
  lt_free(e->rt, error);
  return st;
}

/* standardize=yes: the deviation of every slot of the sparse block, absent entries being 0. One thread: the order of the
 * sum is the order of the rows. */
static leat_status enc_fit_sparse(lt_encoder *e, const leat_dataset *train, leat_error *err) {
  const lt_part *p = &e->part[e->sparse_part];
  int64_t rows = lt_dataset_rows(train);
  leat_status st = LEAT_OK;
  leat_batch *scratch = NULL;
  double *sum = lt_zarray(e->rt, (uint64_t)p->width, sizeof *sum);
  e->sparse_scale = lt_zarray(e->rt, (uint64_t)p->width, sizeof *sum);
  if (!sum || !e->sparse_scale) {
    st = lt_fail_memory(err, 2 * (uint64_t)p->width * sizeof *sum, "statistics of the sparse block");
    goto out;
  }
  st = lt_batch_create(e->rt, e->schema, &scratch, err);
  for (int64_t first = 0; !st && first < rows; first += ENC_TILE) {
    lt_rows v;
    st = lt_dataset_view(train, first, ENC_TILE, scratch, &v, err);
    const lt_col *c = st ? NULL : &v.col[p->column];
    if (!c || !c->row_start) continue;
    for (int64_t k = c->row_start[0]; k < c->row_start[v.n]; k++) {
      double x = c->value ? (double)c->value[k] : 1.0;
      int32_t j = p->hashed ? lt_hash_index(c->index[k], e->hash_bits) : c->index[k];
      if (!isfinite(x) || j >= p->width) continue;
      sum[j] += x;
      e->sparse_scale[j] += x * x;
    }
  }
  for (int64_t j = 0; !st && j < p->width; j++) {
    double mean = sum[j] / (double)rows, var = e->sparse_scale[j] / (double)rows - mean * mean;
    double factor = var > 1e-12 * mean * mean ? 1.0 / sqrt(var) : 1.0;
    e->sparse_scale[j] = isfinite(factor) ? factor : 1.0;
  }
out:
  lt_batch_free(scratch);
  lt_free(e->rt, sum);
  return st;
}

/* The columns that `log` names, and whether texts give word pairs. */
static leat_status enc_settings(lt_encoder *e, const leat_params *settings, leat_error *err) {
  const char *at = lt_param_str(settings, "log");
  leat_status st = LEAT_OK;
  for (int64_t k = 0; k < e->n_parts; k++)
    if (e->part[k].type == LT_PART_TEXT && lt_param_int(settings, "words") == 2) e->part[k].hashed = LT_PART_PAIRS;
  while (!st && *at) {
    uint64_t n = strcspn(at, ","), from = 0, to = n;
    while (from < to && at[from] == ' ') from++;
    while (to > from && at[to - 1] == ' ') to--;
    char *name = lt_strndup(e->rt, at + from, to - from);
    if (!name) return lt_fail_memory(err, to - from, "a column's name");
    int64_t column = 0, k = 0;
    st = lt_schema_find(e->schema, name, &column, err);
    while (!st && k < e->n_parts && e->part[k].column != column) k++;
    if (!st && (k == e->n_parts || e->part[k].type != LT_PART_NUMBERS || e->schema->col[column].kind != LEAT_NUMBER))
      st = lt_fail(err, LEAT_E_ARG, "log=%s: column '%s' is no feature that is a number", lt_param_str(settings, "log"), name);
    if (!st) e->part[k].hashed = LT_PART_LOG;
    lt_free(e->rt, name);
    at += n + (at[n] == ',');
  }
  return st;
}

/* Different words of some of the rows (spread evenly) of part k: their number in all, and the rows that have words. */
static leat_status enc_count_words(const lt_encode *bind, int64_t k, const leat_dataset *train, double *words, double *texts,
                                   leat_error *err) {
  const lt_encoder *e = bind->e;
  int64_t rows = lt_dataset_rows(train), step = rows / ENC_TEXT_ROWS + 1;
  uint64_t room = 0;
  int32_t *index = NULL;
  float *value = NULL;
  leat_batch *scratch = NULL;
  leat_status st = lt_batch_create(e->rt, e->schema, &scratch, err);
  *words = *texts = 0.0;
  for (int64_t r = 0; !st && r < rows; r += step) {
    lt_rows v;
    uint64_t n = 0;
    st = lt_dataset_view(train, r, 1, scratch, &v, err);
    if (st) break;
    const char *text = lt_encode_text(bind, k, &v, 0, &n);
    uint64_t need = lt_text_room(n, e->part[k].hashed == LT_PART_PAIRS);
    if (need > room) {
      lt_free(e->rt, index);
      lt_free(e->rt, value);
      room = need + need / 2;
      index = lt_array(e->rt, room, sizeof *index);
      value = lt_array(e->rt, room, sizeof *value);
      if (!index || !value) {
        st = lt_fail_memory(err, room * 8, "the words of a text");
        break;
      }
    }
    int64_t got = lt_text_slots(text, n, e->hash_bits, e->part[k].hashed == LT_PART_PAIRS, index, value);
    *words += (double)got;
    *texts += got > 0;
  }
  lt_batch_free(scratch);
  lt_free(e->rt, index);
  lt_free(e->rt, value);
  return st;
}

/* A word of a text of unit length weighs little beside a category's label, and the penalty on weights is felt the more. So a
 * text is as long as a mark (1) for each of its words would be in the mean, but all texts are of one length. */
static leat_status enc_fit_texts(lt_encoder *e, const lt_encode *bind, const leat_dataset *train, const leat_params *settings,
                                 leat_error *err) {
  double length = lt_param_real(settings, "text_length");
  leat_status st = LEAT_OK;
  for (int64_t k = 0; !st && k < e->n_parts; k++) {
    double words = 0.0, texts = 0.0;
    if (e->part[k].type != LT_PART_TEXT) continue;
    if (length == 0.0) st = enc_count_words(bind, k, train, &words, &texts, err);
    e->part[k].length = length > 0.0 ? length : texts > 0.0 ? sqrt(words / texts) : 1.0;
  }
  return st;
}

static leat_status enc_new(leat_runtime *rt, leat_schema *schema, int64_t hash_bits, lt_encoder **out, leat_error *err) {
  lt_encoder *e = lt_zalloc(rt, sizeof *e);
  if (!e) return lt_fail_memory(err, sizeof *e, "the encoder");
  lt_runtime_ref(rt);
  e->rt = rt;
  e->hash_bits = hash_bits;
  e->sparse_part = -1;
  lt_schema_ref(schema);
  e->schema = schema;
  *out = e;
  return LEAT_OK;
}

leat_status lt_encoder_fit(leat_runtime *rt, const leat_dataset *train, const leat_params *settings, lt_encoder **out,
                           leat_error *err) {
  lt_encoder *e = NULL;
  lt_encode *bind = NULL;
  *out = NULL;
  if (lt_dataset_streams(train))
    return lt_fail(err, LEAT_E_UNSUPPORTED, "this model is fitted to rows in memory; open the data set without stream=1");
  if (lt_dataset_rows(train) < 1) return lt_fail(err, LEAT_E_DATA, "no rows: a model needs at least one row to learn from");
  leat_status st = enc_new(rt, lt_dataset_schema(train), lt_param_int(settings, "hash_bits"), &e, err);
  if (!st) {
    e->standardize = !lt_param_is(settings, "standardize", "no");
    st = lt_encoder_plan(e, lt_param_int(settings, "max_onehot"), lt_param_int(settings, "max_width"), err);
    if (!st) st = enc_settings(e, settings, err);
  }
  if (!st) st = lt_encoder_alloc_stats(e, err);
  if (!st) st = lt_encode_create(e, e->schema, &bind, err);
  int64_t bound = e ? e->n_parts : 0;
  if (!st && e->n_dense > 0) st = enc_fit_dense(e, bind, train, err);
  if (!st && e->sparse_part >= 0 && lt_param_is(settings, "standardize", "yes")) st = enc_fit_sparse(e, train, err);
  if (!st) st = enc_fit_texts(e, bind, train, settings, err);
  if (!st) st = lt_derive_fit(e, bind, train, settings, err);
  if (!st && e->n_parts > bound) st = lt_encoder_layout(e, err);
  lt_encode_free(bind);
  if (st) lt_encoder_free(e);
  else *out = e;
  return st;
}

leat_status lt_encoder_unfitted(leat_runtime *rt, leat_schema *schema, const leat_params *settings, lt_encoder **out,
                                leat_error *err) {
  lt_encoder *e = NULL;
  *out = NULL;
  leat_status st = enc_new(rt, schema, lt_param_int(settings, "hash_bits"), &e, err);
  if (!st) st = lt_encoder_plan(e, LT_MAX_SLOTS, 16777216, err);
  if (!st) st = enc_settings(e, settings, err);
  if (!st) st = lt_encoder_alloc_stats(e, err);
  int64_t bound = e ? e->n_parts : 0;
  if (!st) st = lt_derive_fit(e, NULL, NULL, settings, err);
  if (!st && e->n_parts > bound) st = lt_encoder_layout(e, err);
  if (st) lt_encoder_free(e);
  else *out = e;
  return st;
}

/* ---------------------------------------------------------------------------------------------- life, bytes, names */

void lt_encoder_free(lt_encoder *e) {
  if (!e) return;
  leat_runtime *rt = e->rt;
  for (int64_t k = 0; k < e->n_parts; k++) {
    lt_free(rt, e->part[k].slot_of);
    lt_free(rt, e->part[k].edge);
    lt_free(rt, e->part[k].sample);
  }
  lt_free(rt, e->part);
  lt_free(rt, e->mean);
  lt_free(rt, e->scale);
  lt_free(rt, e->inverse);
  lt_free(rt, e->sparse_scale);
  lt_schema_free(e->schema);
  lt_free(rt, e);
  lt_runtime_unref(rt);
}

static int enc_has_lengths(const lt_encoder *e) {
  for (int64_t k = 0; k < e->n_parts; k++)
    if (e->part[k].type == LT_PART_TEXT && e->part[k].length != 1.0) return 1;
  return 0;
}

void lt_encoder_save(const lt_encoder *e, lt_put *w) {
  lt_put_i64(w, e->hash_bits);
  int64_t n = e->n_parts;
  while (n && lt_part_is_derived(&e->part[n - 1])) n--;
  int derived = n < e->n_parts, texts = enc_has_lengths(e);
  lt_put_u8(w, (uint8_t)(e->standardize | (derived ? ENC_DERIVED : 0) | (texts ? ENC_TEXTS : 0)));
  lt_put_i64(w, n);
  for (int64_t k = 0; k < n; k++) {
    lt_put_i64(w, e->part[k].column);
    lt_put_u8(w, (uint8_t)e->part[k].type);
    lt_put_u8(w, (uint8_t)e->part[k].hashed);
  }
  lt_put_f64s(w, e->mean, (uint64_t)e->n_dense);
  lt_put_f64s(w, e->scale, (uint64_t)e->n_dense);
  lt_put_f64s(w, e->sparse_scale, e->sparse_scale ? (uint64_t)e->part[e->sparse_part].width : 0);
  if (derived) lt_derive_save(e, w);
  for (int64_t k = 0; texts && k < n; k++)
    if (e->part[k].type == LT_PART_TEXT) lt_put_f64(w, e->part[k].length);
}

/* The type that a part of a column must have; hashed must be possible for it. */
static int enc_part_fits(const lt_column *c, const lt_part *p) {
  if (c->role != LEAT_ROLE_FEATURE || c->kind == LEAT_ID) return 0;
  if (c->kind == LEAT_TEXT) return p->type == LT_PART_TEXT && (p->hashed == 1 || p->hashed == LT_PART_PAIRS);
  if (p->hashed > 1) return 0;
  if (c->sparse) return p->type == LT_PART_SPARSE;
  if (c->kind == LEAT_CATEGORY) return p->type == LT_PART_CATEGORY;
  return p->type == LT_PART_NUMBERS && (p->hashed == 0 || c->kind == LEAT_NUMBER);
}

static void enc_load_parts(lt_encoder *e, lt_get *r) {
  uint64_t n = lt_get_count(r, 10, (uint64_t)e->schema->n);
  int64_t last = -1;
  e->part = lt_zarray(e->rt, n, sizeof *e->part);
  if (!e->part) lt_get_fail(r, LEAT_E_MEMORY);
  for (uint64_t k = 0; k < n && !r->failed; k++) {
    lt_part *p = &e->part[k];
    p->column = lt_get_i64(r);
    p->type = lt_get_u8(r);
    p->hashed = lt_get_u8(r);
    if (r->failed) break;
    if (p->column <= last || p->column >= e->schema->n || !enc_part_fits(&e->schema->col[p->column], p)) {
      lt_get_fail(r, LEAT_E_FORMAT);
      break;
    }
    last = p->column;
    e->n_parts = (int64_t)k + 1;
  }
  int64_t wanted = 0;
  for (int64_t i = 0; i < e->schema->n; i++)
    wanted += e->schema->col[i].role == LEAT_ROLE_FEATURE && e->schema->col[i].kind != LEAT_ID;
  if (!r->failed && (wanted != e->n_parts || wanted == 0)) lt_get_fail(r, LEAT_E_FORMAT);
}

static void enc_load_stats(lt_encoder *e, lt_get *r) {
  uint64_t n_mean = 0, n_scale = 0, n_sparse = 0;
  e->mean = lt_get_f64s(r, &n_mean);
  e->scale = lt_get_f64s(r, &n_scale);
  e->sparse_scale = lt_get_f64s(r, &n_sparse);
  if (r->failed) return;
  uint64_t sparse_width = e->sparse_part >= 0 ? (uint64_t)e->part[e->sparse_part].width : 0;
  if (n_mean != (uint64_t)e->n_dense || n_scale != n_mean || (n_sparse != 0 && n_sparse != sparse_width)) {
    lt_get_fail(r, LEAT_E_FORMAT);
    return;
  }
  if (n_sparse == 0) {
    lt_free(e->rt, e->sparse_scale);
    e->sparse_scale = NULL;
  }
  e->inverse = lt_array(e->rt, n_mean, sizeof(double));
  if (!e->inverse) {
    lt_get_fail(r, LEAT_E_MEMORY);
    return;
  }
  for (uint64_t j = 0; j < n_mean; j++) {
    e->inverse[j] = 1.0 / e->scale[j];
    if (!isfinite(e->mean[j]) || !isfinite(e->scale[j]) || !isfinite(e->inverse[j]) || e->scale[j] <= 0.0)
      lt_get_fail(r, LEAT_E_FORMAT);
  }
  for (uint64_t j = 0; j < n_sparse; j++)
    if (!isfinite(e->sparse_scale[j]) || e->sparse_scale[j] <= 0.0) lt_get_fail(r, LEAT_E_FORMAT);
}

leat_status lt_encoder_load(leat_runtime *rt, const leat_schema *schema, lt_get *r, lt_encoder **out, leat_error *err) {
  lt_encoder *e = NULL;
  *out = NULL;
  leat_status st = enc_new(rt, (leat_schema *)(uintptr_t)schema, lt_get_i64(r), &e, err);
  if (st) return st;
  int flags = lt_get_u8(r);
  e->standardize = flags & 1;
  if (e->hash_bits < 1 || e->hash_bits > 24 || flags > (1 | ENC_DERIVED | ENC_TEXTS)) lt_get_fail(r, LEAT_E_FORMAT);
  if (!r->failed) enc_load_parts(e, r);
  if (!r->failed) {
    st = lt_encoder_layout(e, err);
    if (!st) enc_load_stats(e, r);
    if (!st && !r->failed && flags & ENC_DERIVED) {
      st = lt_derive_load(e, r, err);
      if (!st && !r->failed) st = lt_encoder_layout(e, err);
    }
    for (int64_t k = 0; flags & ENC_TEXTS && !st && !r->failed && k < e->n_parts; k++) {
      if (e->part[k].type != LT_PART_TEXT) continue;
      double length = lt_get_f64(r);
      if (!isfinite(length) || !(length > 0.0)) lt_get_fail(r, LEAT_E_FORMAT);
      else e->part[k].length = length;
    }
  }
  if (!st) st = lt_get_status(r, "the encoder", err);
  if (st) lt_encoder_free(e);
  else *out = e;
  return st;
}

leat_status lt_encoder_copy(const lt_encoder *e, lt_encoder **out, leat_error *err) {
  return lt_encoder_copy_for(e, e->schema, out, err);
}

leat_status lt_encoder_copy_for(const lt_encoder *e, const leat_schema *schema, lt_encoder **out, leat_error *err) {
  lt_put w;
  lt_get r;
  *out = NULL;
  lt_put_init(&w, e->rt);
  lt_encoder_save(e, &w);
  leat_status st = lt_put_status(&w, err);
  if (!st) {
    lt_get_init(&r, e->rt, w.data, w.size);
    st = lt_encoder_load(e->rt, schema, &r, out, err);
  }
  lt_put_free(&w);
  return st;
}

int64_t lt_encoder_slots(const lt_encoder *e) { return e->n_slots; }
int64_t lt_encoder_dense(const lt_encoder *e) { return e->n_dense; }

static void enc_put_chars(lt_put *w, const char *s) { lt_put_raw(w, s, strlen(s)); }

leat_status lt_encoder_slot_name(const lt_encoder *e, int64_t slot, lt_put *w, leat_error *err) {
  char number[32];
  for (int64_t k = 0; k < e->n_parts; k++) {
    const lt_part *p = &e->part[k];
    if (slot < p->slot || slot >= p->slot + p->width) continue;
    const lt_column *c = &e->schema->col[p->column];
    int64_t at = slot - p->slot;
    if (lt_part_is_derived(p)) {
      lt_derive_name(e, p, at, w);
      return lt_put_status(w, err);
    }
    lt_i64_text(at, number);
    int logged = p->type == LT_PART_NUMBERS && p->hashed;
    if (logged) enc_put_chars(w, "log(");
    enc_put_chars(w, c->name);
    if (logged) enc_put_chars(w, ")");
    if (p->type == LT_PART_CATEGORY && at == p->slot_of[p->n_labels]) {
      enc_put_chars(w, "=(unseen)");
    } else if (p->type == LT_PART_CATEGORY && !p->hashed) {
      uint64_t n = 0;
      const char *label = lt_dict_text(c->labels, at, &n);
      enc_put_chars(w, "=");
      lt_put_raw(w, label, n);
    } else if (p->hashed && !logged) {
      enc_put_chars(w, "#");
      enc_put_chars(w, number);
    } else if (c->width > 1 || c->sparse) {
      enc_put_chars(w, "[");
      enc_put_chars(w, number);
      enc_put_chars(w, "]");
    }
    return lt_put_status(w, err);
  }
  return lt_fail(err, LEAT_E_NOT_FOUND, "no encoded feature %lld: there are %lld, from 0", (long long)slot,
                 (long long)e->n_slots);
}
