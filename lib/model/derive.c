/* Encoded features that are made of others: buckets of numbers, indicators of missing ones, crosses of categories. They are
 * parts behind those of the columns; each fills one slot of a row, as a category does. */
#include "model/encoding.h"
#include "base/number.h"
#include <math.h>
#include <string.h>

enum { DERIVE_SAMPLE = 65536, DERIVE_MOST_EDGES = 1023 };
static const int64_t derive_most_cells = 1 << 24;

static int64_t base_parts(const lt_encoder *e) {
  int64_t n = 0;
  while (n < e->n_parts && !lt_part_is_derived(&e->part[n])) n++;
  return n;
}

static leat_status derive_add(lt_encoder *e, int32_t type, int64_t source, int64_t other, lt_part **out, leat_error *err) {
  lt_part *all = lt_realloc(e->rt, e->part, (uint64_t)(e->n_parts + 1) * sizeof *all);
  if (!all) return lt_fail_memory(err, (uint64_t)(e->n_parts + 1) * sizeof *all, "the encoder");
  e->part = all;
  *out = &all[e->n_parts++];
  **out = (lt_part){.type = type, .column = all[source].column, .source = source, .other = other};
  return LEAT_OK;
}

/* ---- what the settings ask for */

typedef struct derive_word { char text[256]; char *second; } derive_word;

/* The next entry of a list at commas, cut at `at` into two names; 0 at the end. */
static int next_word(const char **list, char at, derive_word *w, leat_error *err, leat_status *st) {
  const char *p = *list;
  while (*p == ' ' || *p == ',') p++;
  uint64_t n = strcspn(p, ",");
  *list = p + n;
  if (!n) return 0;
  while (n && p[n - 1] == ' ') n--;
  if (n >= sizeof w->text) {
    *st = lt_fail(err, LEAT_E_ARG, "'%.40s...' is too long for a column's name", p);
    return 0;
  }
  memcpy(w->text, p, n);
  w->text[n] = 0;
  w->second = strrchr(w->text, at);
  if (w->second) *w->second++ = 0;
  return 1;
}

static leat_status find_part(const lt_encoder *e, const char *name, int32_t type, const char *what, int64_t *k, leat_error *err) {
  int64_t column = 0;
  leat_status st = lt_schema_find(e->schema, name, &column, err);
  if (st) return st;
  for (*k = 0; *k < base_parts(e); ++*k)
    if (e->part[*k].column == column && e->part[*k].type == type && e->schema->col[column].width == 1) return LEAT_OK;
  return lt_fail(err, LEAT_E_ARG, "column '%s' is no feature that is %s", name, what);
}

/* Values of one number column at rows spread evenly over the data, ascending. */
static leat_status sample_column(const lt_encoder *e, const lt_encode *bind, const leat_dataset *train, int64_t source, double *x,
                                 int64_t *n, leat_error *err) {
  int64_t rows = lt_dataset_rows(train), step = rows / DERIVE_SAMPLE + 1;
  leat_batch *scratch = NULL;
  *n = 0;
  leat_status st = lt_batch_create(e->rt, lt_dataset_schema(train), &scratch, err);
  for (int64_t r = 0; !st && r < rows; r += step) {
    lt_rows v;
    st = lt_dataset_view(train, r, 1, scratch, &v, err);
    if (!st) x[*n] = lt_encode_number(bind, source, &v, 0);
    if (!st && isfinite(x[*n])) ++*n;
  }
  lt_batch_free(scratch);
  lt_derive_sort(x, *n);
  return st;
}

void lt_derive_sort(double *x, int64_t n) {
  for (int64_t gap = n / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) /* shell sort */
    for (int64_t i = gap; i < n; i++) {
      double v = x[i];
      int64_t j = i;
      for (; j >= gap && x[j - gap] > v; j -= gap) x[j] = x[j - gap];
      x[j] = v;
    }
}

int64_t lt_derive_edges(const double *x, int64_t n, int64_t cells, double *edge) {
  int64_t edges = 0;
  for (int64_t c = 1; n && c < cells; c++) {
    double v = x[c * n / cells];
    if (v > x[0] && (!edges || v > edge[edges - 1])) edge[edges++] = v;
  }
  return edges;
}

static leat_status fit_edges(lt_encoder *e, const lt_encode *bind, const leat_dataset *train, lt_part *p, int64_t cells,
                             leat_error *err) {
  int64_t n = 0;
  double *x = lt_array(e->rt, DERIVE_SAMPLE + 2, sizeof *x);
  p->edge = lt_array(e->rt, (uint64_t)cells, sizeof *p->edge);
  leat_status st = x && p->edge ? sample_column(e, bind, train, p->source, x, &n, err)
                                : lt_fail_memory(err, (DERIVE_SAMPLE + 2) * sizeof *x, "buckets");
  if (!st) p->n_edges = lt_derive_edges(x, n, cells, p->edge);
  lt_free(e->rt, x);
  return st;
}

/* The same for a learner that will see its rows one by one. */
static leat_status await_edges(lt_encoder *e, lt_part *p, int64_t cells, leat_error *err) {
  p->hashed = LT_PART_ONLINE;
  p->cells = cells;
  if (!cells) return LEAT_OK;
  p->edge = lt_array(e->rt, (uint64_t)cells, sizeof *p->edge);
  p->sample = lt_array(e->rt, LT_EDGES_LAST, sizeof *p->sample);
  if (!p->edge || !p->sample) return lt_fail_memory(err, LT_EDGES_LAST * sizeof *p->sample, "buckets");
  e->n_fitting++;
  return LEAT_OK;
}

static leat_status add_buckets(lt_encoder *e, const lt_encode *bind, const leat_dataset *train, const char *list, leat_error *err) {
  derive_word w;
  leat_status st = LEAT_OK;
  while (!st && next_word(&list, ':', &w, err, &st)) {
    int64_t cells = 10, source = 0;
    lt_part *p = NULL;
    if (w.second) {
      cells = 0;
      for (const char *c = w.second; *c >= '0' && *c <= '9' && cells < 100000; c++) cells = cells * 10 + (*c - '0');
    }
    if (cells < 2 || cells > DERIVE_MOST_EDGES + 1)
      return lt_fail(err, LEAT_E_ARG, "buckets: '%s:%s': a column and a number of buckets from 2 to %d, as age:10", w.text,
                     w.second ? w.second : "", DERIVE_MOST_EDGES + 1);
    st = find_part(e, w.text, LT_PART_NUMBERS, "a number", &source, err);
    if (!st) st = derive_add(e, LT_PART_BUCKETS, source, -1, &p, err);
    if (!st) st = train ? fit_edges(e, bind, train, p, cells, err) : await_edges(e, p, cells, err);
  }
  return st;
}

/* max_onehot -1: of a learner row by row. */
static leat_status add_crosses(lt_encoder *e, const char *list, int64_t max_onehot, leat_error *err) {
  derive_word w;
  leat_status st = LEAT_OK;
  while (!st && next_word(&list, '*', &w, err, &st)) {
    int64_t a = 0, b = 0;
    lt_part *p = NULL;
    if (!w.second) return lt_fail(err, LEAT_E_ARG, "cross: '%s': two columns with a star between them, as region*plan", w.text);
    st = find_part(e, w.text, LT_PART_CATEGORY, "a category", &a, err);
    if (!st) st = find_part(e, w.second, LT_PART_CATEGORY, "a category", &b, err);
    if (!st && a == b) st = lt_fail(err, LEAT_E_ARG, "cross: '%s' with itself says nothing new", w.text);
    if (!st) st = derive_add(e, LT_PART_CROSS, a, b, &p, err);
    if (!st) p->hashed = max_onehot < 0 ? LT_PART_ONLINE : (e->part[a].n_labels + 1) * (e->part[b].n_labels + 1) > max_onehot;
  }
  return st;
}

/* An indicator for each number column in which the training rows miss values. */
static leat_status add_missing(lt_encoder *e, const lt_encode *bind, const leat_dataset *train, leat_error *err) {
  enum { TILE = 512 };
  double x[TILE];
  int64_t rows = lt_dataset_rows(train), n = base_parts(e);
  leat_batch *scratch = NULL;
  uint8_t *any = lt_zalloc(e->rt, (uint64_t)n);
  leat_status st = any ? lt_batch_create(e->rt, lt_dataset_schema(train), &scratch, err) : lt_fail_memory(err, (uint64_t)n, "the encoder");
  for (int64_t r = 0; !st && r < rows; r += TILE) {
    lt_rows v;
    st = lt_dataset_view(train, r, TILE, scratch, &v, err);
    for (int64_t k = 0; !st && k < n; k++) {
      if (any[k] || e->part[k].type != LT_PART_NUMBERS || e->part[k].width != 1) continue;
      for (int64_t i = 0; i < v.n; i++) {
        x[i] = lt_encode_number(bind, k, &v, i);
        if (!isfinite(x[i])) any[k] = 1;
      }
    }
  }
  for (int64_t k = 0; !st && k < n; k++) {
    lt_part *p;
    if (any[k]) st = derive_add(e, LT_PART_BUCKETS, k, -1, &p, err);
  }
  lt_batch_free(scratch);
  lt_free(e->rt, any);
  return st;
}

/* An indicator for each number column: who learns row by row cannot know beforehand which of them miss values. */
static leat_status await_missing(lt_encoder *e, leat_error *err) {
  leat_status st = LEAT_OK;
  for (int64_t k = 0, n = base_parts(e); !st && k < n; k++) {
    lt_part *p;
    if (e->part[k].type != LT_PART_NUMBERS || e->part[k].width != 1) continue;
    st = derive_add(e, LT_PART_BUCKETS, k, -1, &p, err);
    if (!st) st = await_edges(e, p, 0, err);
  }
  return st;
}

leat_status lt_derive_fit(lt_encoder *e, const lt_encode *bind, const leat_dataset *train, const leat_params *settings, leat_error *err) {
  const char *buckets = lt_param_str(settings, "buckets"), *cross = lt_param_str(settings, "cross");
  leat_status st = LEAT_OK;
  if (buckets[0]) st = add_buckets(e, bind, train, buckets, err);
  if (!st && lt_param_int(settings, "missing")) st = train ? add_missing(e, bind, train, err) : await_missing(e, err);
  if (!st && cross[0]) st = add_crosses(e, cross, train ? lt_param_int(settings, "max_onehot") : -1, err);
  return st;
}

/* ---- layout, codes, names */

leat_status lt_derive_layout(const lt_encoder *e, lt_part *p, leat_error *err) {
  const lt_part *a = &e->part[p->source];
  int64_t cells = p->n_edges + 2;
  p->number = a->number;
  p->numbers = 0;
  if (p->hashed == LT_PART_ONLINE) { /* so that there is something beside the numbers */
    p->width = 1;
    return LEAT_OK;
  }
  if (p->type == LT_PART_CROSS) {
    int64_t na = a->n_labels + 1, nb = e->part[p->other].n_labels + 1;
    if (na > derive_most_cells / nb)
      return lt_fail(err, LEAT_E_RANGE, "the cross of '%s' and '%s' has too many cells", e->schema->col[a->column].name,
                     e->schema->col[e->part[p->other].column].name);
    cells = na * nb;
  }
  p->n_labels = cells - 1;
  p->width = p->hashed ? (int64_t)1 << e->hash_bits : cells;
  p->slot_of = lt_array(e->rt, (uint64_t)cells, sizeof *p->slot_of);
  if (!p->slot_of) return lt_fail_memory(err, (uint64_t)cells * sizeof *p->slot_of, "cells of a feature");
  for (int64_t c = 0; c < cells; c++) p->slot_of[c] = p->hashed ? lt_hash_index((int32_t)c, e->hash_bits) : (int32_t)c;
  return LEAT_OK;
}

static int64_t code_of(double v, int64_t n_labels) { return v >= 0.0 && v < (double)n_labels ? (int64_t)v : n_labels; }

int64_t lt_part_code(const lt_encoder *e, const lt_part *p, double v, double u) {
  if (p->type == LT_PART_CATEGORY) return code_of(v, p->n_labels);
  if (p->type == LT_PART_BUCKETS) return lt_bucket_of(p->edge, p->n_edges, v);
  int64_t na = e->part[p->source].n_labels, nb = e->part[p->other].n_labels;
  return code_of(v, na) * (nb + 1) + code_of(u, nb);
}

int64_t lt_bucket_of(const double *edge, int64_t n, double x) {
  if (!isfinite(x)) return n + 1;
  int64_t low = 0, high = n;
  while (low < high) {
    int64_t mid = low + (high - low) / 2;
    if (edge[mid] <= x) low = mid + 1;
    else high = mid;
  }
  return low;
}

static void put_words(lt_put *w, const char *s) { lt_put_raw(w, s, strlen(s)); }

static void put_label(const lt_encoder *e, int64_t k, int64_t code, lt_put *w) {
  const lt_part *p = &e->part[k];
  uint64_t n = 0;
  put_words(w, e->schema->col[p->column].name);
  put_words(w, "=");
  if (code == p->n_labels) {
    put_words(w, "(unseen)");
  } else {
    const char *label = lt_dict_text(e->schema->col[p->column].labels, code, &n);
    lt_put_raw(w, label, n);
  }
}

void lt_derive_name(const lt_encoder *e, const lt_part *p, int64_t at, lt_put *w) {
  char number[32];
  if (p->hashed == LT_PART_ONLINE) { /* one name for all: a learner hashes its cells */
    put_words(w, e->schema->col[p->column].name);
    put_words(w, p->type == LT_PART_CROSS ? "*" : p->cells ? " in buckets" : "=(missing)");
    if (p->type == LT_PART_CROSS) put_words(w, e->schema->col[e->part[p->other].column].name);
  } else if (p->type == LT_PART_CROSS && p->hashed) {
    put_words(w, e->schema->col[p->column].name);
    put_words(w, "*");
    put_words(w, e->schema->col[e->part[p->other].column].name);
    put_words(w, "#");
    lt_i64_text(at, number);
    put_words(w, number);
  } else if (p->type == LT_PART_CROSS) {
    int64_t nb = e->part[p->other].n_labels + 1;
    put_label(e, p->source, at / nb, w);
    put_words(w, "*");
    put_label(e, p->other, at % nb, w);
  } else {
    put_words(w, e->schema->col[p->column].name);
    if (at == p->n_edges + 1) {
      put_words(w, "=(missing)");
    } else if (!p->n_edges) {
      put_words(w, "=(present)");
    } else { /* [from, to) */
      put_words(w, " in [");
      if (at > 0) lt_f64_text(p->edge[at - 1], number);
      put_words(w, at > 0 ? number : "-inf");
      put_words(w, ",");
      if (at < p->n_edges) lt_f64_text(p->edge[at], number);
      put_words(w, at < p->n_edges ? number : "inf");
      put_words(w, ")");
    }
  }
}

/* ---- bytes */

/* Cells wanted, whether edges are still fitted, the values so far. */
static void put_sample(const lt_part *p, lt_put *w) {
  lt_put_i64(w, p->cells);
  lt_put_u8(w, p->sample != NULL);
  if (p->sample) lt_put_f64s(w, p->sample, (uint64_t)p->n_sample);
}

void lt_derive_save(const lt_encoder *e, lt_put *w) {
  int64_t from = base_parts(e);
  lt_put_i64(w, e->n_parts - from);
  for (int64_t k = from; k < e->n_parts; k++) {
    const lt_part *p = &e->part[k];
    lt_put_u8(w, (uint8_t)p->type);
    lt_put_u8(w, (uint8_t)p->hashed);
    lt_put_i64(w, p->source);
    lt_put_i64(w, p->other);
    lt_put_f64s(w, p->edge, (uint64_t)p->n_edges);
    if (p->hashed == LT_PART_ONLINE && p->type == LT_PART_BUCKETS) put_sample(p, w);
  }
}

/* A part must be of what its type says, and its edges ascend. */
static int derive_fits(const lt_encoder *e, int32_t type, int32_t hashed, int64_t source, int64_t other, int64_t base) {
  if (source < 0 || source >= base) return 0;
  int online = hashed == LT_PART_ONLINE;
  if (type == LT_PART_BUCKETS)
    return e->part[source].type == LT_PART_NUMBERS && e->schema->col[e->part[source].column].width == 1 && other == -1 &&
           (!hashed || online);
  return type == LT_PART_CROSS && (hashed <= 1 || online) && other >= 0 && other < base && other != source &&
         e->part[source].type == LT_PART_CATEGORY && e->part[other].type == LT_PART_CATEGORY;
}

static int edges_ascend(const double *edge, uint64_t n) {
  for (uint64_t i = 0; i < n; i++)
    if (!isfinite(edge[i]) || (i && !(edge[i] > edge[i - 1]))) return 0;
  return 1;
}

/* Behind the edges, which p has already. */
static void get_sample(lt_encoder *e, lt_part *p, lt_get *r) {
  leat_runtime *rt = e->rt;
  uint64_t n = 0;
  p->cells = lt_get_i64(r);
  int open = lt_get_u8(r);
  if (open > 1 || p->cells < 0 || p->cells > DERIVE_MOST_EDGES + 1 || p->cells == 1 || (p->cells == 0 && open) ||
      p->n_edges > (p->cells > 0 ? p->cells - 1 : 0))
    lt_get_fail(r, LEAT_E_FORMAT);
  if (!open || r->failed) return;
  double *have = lt_get_f64s(r, &n), *edge = lt_array(rt, (uint64_t)p->cells, sizeof *edge);
  p->sample = lt_array(rt, LT_EDGES_LAST, sizeof *p->sample);
  if (!r->failed && (!edge || !p->sample)) lt_get_fail(r, LEAT_E_MEMORY);
  if (!r->failed && n >= LT_EDGES_LAST) lt_get_fail(r, LEAT_E_FORMAT);
  for (uint64_t i = 0; !r->failed && i < n; i++) {
    p->sample[i] = have[i];
    if (!isfinite(have[i])) lt_get_fail(r, LEAT_E_FORMAT);
  }
  if (!r->failed) { /* room for those that will be fitted */
    p->n_sample = (int64_t)n;
    e->n_fitting++;
    memcpy(edge, p->edge, (size_t)p->n_edges * sizeof *edge);
    lt_free(rt, p->edge);
    p->edge = edge;
    edge = NULL;
  }
  lt_free(rt, edge);
  lt_free(rt, have);
}

void lt_derive_put_edges(const lt_encoder *e, lt_put *w) {
  for (int64_t k = base_parts(e); k < e->n_parts; k++) {
    const lt_part *p = &e->part[k];
    if (p->type != LT_PART_BUCKETS || !p->cells) continue;
    lt_put_f64s(w, p->edge, (uint64_t)p->n_edges);
    put_sample(p, w);
  }
}

void lt_derive_get_edges(lt_encoder *e, lt_get *r) {
  for (int64_t k = base_parts(e); k < e->n_parts && !r->failed; k++) {
    lt_part *p = &e->part[k];
    int64_t cells = p->cells;
    uint64_t n = 0;
    if (p->type != LT_PART_BUCKETS || !cells) continue;
    double *edge = lt_get_f64s(r, &n);
    if (!r->failed && (n >= (uint64_t)cells || !edges_ascend(edge, n))) lt_get_fail(r, LEAT_E_FORMAT);
    if (r->failed) {
      lt_free(e->rt, edge);
      return;
    }
    lt_free(e->rt, p->edge);
    lt_free(e->rt, p->sample);
    e->n_fitting -= p->sample != NULL;
    p->edge = edge;
    p->n_edges = (int64_t)n;
    p->sample = NULL;
    p->n_sample = 0;
    get_sample(e, p, r);
    if (p->cells != cells) lt_get_fail(r, LEAT_E_FORMAT);
  }
}

leat_status lt_derive_load(lt_encoder *e, lt_get *r, leat_error *err) {
  int64_t base = e->n_parts;
  uint64_t n = lt_get_count(r, 26, 1 << 20);
  leat_status st = LEAT_OK;
  for (uint64_t k = 0; !st && k < n && !r->failed; k++) {
    int32_t type = lt_get_u8(r), hashed = lt_get_u8(r);
    int64_t source = lt_get_i64(r), other = lt_get_i64(r);
    uint64_t edges = 0;
    double *edge = lt_get_f64s(r, &edges);
    lt_part *p = NULL;
    if (!r->failed && !derive_fits(e, type, hashed, source, other, base)) lt_get_fail(r, LEAT_E_FORMAT);
    if (!r->failed && edges && (type != LT_PART_BUCKETS || edges > DERIVE_MOST_EDGES || !edges_ascend(edge, edges)))
      lt_get_fail(r, LEAT_E_FORMAT);
    if (!r->failed) st = derive_add(e, type, source, other, &p, err);
    if (st || r->failed) {
      lt_free(e->rt, edge);
      break;
    }
    p->hashed = hashed;
    p->edge = edge;
    p->n_edges = (int64_t)edges;
    if (hashed == LT_PART_ONLINE && type == LT_PART_BUCKETS) get_sample(e, p, r);
  }
  return st;
}
