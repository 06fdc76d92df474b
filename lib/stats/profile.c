/* Reference profiles: a feature's distribution in a few frozen cells. Counts are whole numbers, so merging is exact and
 * knows no order. */
#include "stats/profile.h"
#include <float.h>
#include <math.h>
#include <string.h>
#include "base/hash.h"
#include "stats/sums.h"

enum { PROFILE_CELLS = 10, LABEL_BYTES = 24, CELLS_TABLE = 16 };
_Static_assert(PROFILE_CELLS + 4 <= CELLS_TABLE, "the limits and both infinities need room");
#define COUNT_MAX (INT64_MAX / 256) /* so that sums of counts cannot overflow */

/* Cell i is [edge[i], edge[i + 1]), the last one with its upper edge. n == 0: no finite value was in the sample; then
 * every finite value is above. */
typedef struct number_cells {
  int32_t n;
  double edge[PROFILE_CELLS + 1];
  int64_t count[PROFILE_CELLS], missing, non_finite, below, above;
} number_cells;
/* Labels are told apart by their hash; the text, perhaps shortened, is for people. */
typedef struct label_cell { uint64_t hash; int64_t count; char text[LABEL_BYTES + 1]; } label_cell;
struct lt_profile {
  leat_runtime *rt;
  int32_t type;
  char *name;
  number_cells cells[2];  /* NUMBER: one; SPARSE: non-zeros a row, norm */
  label_cell *label;      /* CATEGORY: [LT_PROFILE_LABELS], by count */
  int32_t n_labels;
  uint8_t by_hash[LT_PROFILE_LABELS];
  int64_t other, missing;
};

static leat_status profile_start(leat_runtime *rt, int32_t type, const char *name, lt_profile **out, leat_error *err) {
  *out = NULL;
  lt_profile *p = lt_zalloc(rt, sizeof *p);
  if (!p) return lt_fail_memory(err, sizeof *p, "a profile");
  p->rt = rt;
  p->type = type;
  p->name = lt_strdup(rt, name);
  if (type == LT_PROFILE_CATEGORY) p->label = lt_zarray(rt, LT_PROFILE_LABELS, sizeof *p->label);
  if (!p->name || (type == LT_PROFILE_CATEGORY && !p->label)) {
    lt_profile_free(p);
    return lt_fail_memory(err, LT_PROFILE_LABELS * sizeof(label_cell), "a profile");
  }
  *out = p;
  return LEAT_OK;
}

void lt_profile_free(lt_profile *p) {
  if (!p) return;
  lt_free(p->rt, p->label);
  lt_free(p->rt, p->name);
  lt_free(p->rt, p);
}

/* ---- numbers */
static void cells_add(number_cells *c, double v) {
  if (v != v) c->missing++;
  else if (!isfinite(v)) c->non_finite++;
  else if (!c->n || v > c->edge[c->n]) c->above++;
  else if (v < c->edge[0]) c->below++;
  else {
    int32_t i = 0;
    while (i + 1 < c->n && v >= c->edge[i + 1]) i++;
    c->count[i]++;
  }
}

/* Edges from sorted values. Few distinct values get a cell each. Else each cell takes its share of what is left; a run
 * of equal values is never cut, and goes where it disturbs the share less: so a value that holds most of the mass has a
 * cell of its own, and the rest is still spread over the others. */
static void cells_edges(number_cells *c, const lt_scored *v, uint64_t n) {
  uint64_t distinct = 0;
  c->n = 0;
  for (uint64_t i = 0; i < n && distinct <= PROFILE_CELLS; i++) distinct += i == 0 || v[i].key != v[i - 1].key;
  for (uint64_t i = 0; i < n && c->n < PROFILE_CELLS;) {
    c->edge[c->n++] = v[i].key;
    uint64_t left = (uint64_t)(PROFILE_CELLS - c->n) + 1;
    uint64_t share = distinct <= PROFILE_CELLS ? 1 : (n - i + left - 1) / left, end = i + share, first;
    if (end > n) end = n;
    first = end - 1;
    while (end < n && v[end].key == v[end - 1].key) end++;
    while (first > i && v[first - 1].key == v[first].key) first--;
    if (first > i && i + share - first < end - (i + share)) end = first;
    i = end;
  }
  /* The last cell takes all that is left by its share of one. */
  if (c->n) c->edge[c->n] = v[n - 1].key;
}

/* The cells of a sample, which is counted too. */
static leat_status cells_make(leat_runtime *rt, number_cells *c, const double *sample, int64_t n, leat_error *err) {
  uint64_t finite = 0, total = n > 0 ? (uint64_t)n : 0;
  lt_scored *v = lt_array(rt, 2 * total, sizeof *v);
  if (!v) return lt_fail_memory(err, 2 * total * sizeof *v, "the sample of a profile");
  for (uint64_t i = 0; i < total; i++)
    if (isfinite(sample[i])) v[finite++] = (lt_scored){sample[i] + 0.0, 0};
  lt_sort_scored(v, v + finite, finite);
  cells_edges(c, v, finite);
  lt_free(rt, v);
  for (uint64_t i = 0; i < total; i++) cells_add(c, sample[i]);
  return LEAT_OK;
}

static void cells_clear(number_cells *c) {
  memset(c->count, 0, sizeof c->count);
  c->missing = c->non_finite = c->below = c->above = 0;
}

static int cells_alike(const number_cells *a, const number_cells *b) {
  if (a->n != b->n) return 0;
  for (int32_t i = 0; a->n && i <= a->n; i++)
    if (a->edge[i] != b->edge[i]) return 0;
  return 1;
}

static void cells_merge(number_cells *a, const number_cells *b) {
  for (int32_t i = 0; i < a->n; i++) a->count[i] += b->count[i];
  a->missing += b->missing;
  a->non_finite += b->non_finite;
  a->below += b->below;
  a->above += b->above;
}

static int64_t cells_rows(const number_cells *c) {
  int64_t rows = c->missing + c->non_finite + c->below + c->above;
  for (int32_t i = 0; i < c->n; i++) rows += c->count[i];
  return rows;
}

static void cells_save(const number_cells *c, lt_put *w) {
  lt_put_u8(w, (uint8_t)c->n);
  for (int32_t i = 0; c->n && i <= c->n; i++) lt_put_f64(w, c->edge[i]);
  for (int32_t i = 0; i < c->n; i++) lt_put_i64(w, c->count[i]);
  lt_put_i64(w, c->missing);
  lt_put_i64(w, c->non_finite);
  lt_put_i64(w, c->below);
  lt_put_i64(w, c->above);
}

static int64_t profile_get_count(lt_get *r) {
  int64_t n = lt_get_i64(r);
  if (n >= 0 && n <= COUNT_MAX) return n;
  lt_get_fail(r, LEAT_E_FORMAT);
  return 0;
}

static void cells_load(number_cells *c, lt_get *r) {
  c->n = lt_get_u8(r);
  if (c->n > PROFILE_CELLS) {
    c->n = 0;
    lt_get_fail(r, LEAT_E_FORMAT);
  }
  for (int32_t i = 0; c->n && i <= c->n; i++) {
    c->edge[i] = lt_get_f64(r);
    /* ascending; the last cell may be a single value */
    int right = isfinite(c->edge[i]) && (i == 0 || c->edge[i] > c->edge[i - 1] || (i == c->n && c->edge[i] == c->edge[i - 1]));
    if (!right) lt_get_fail(r, LEAT_E_FORMAT);
  }
  for (int32_t i = 0; i < c->n; i++) c->count[i] = profile_get_count(r);
  c->missing = profile_get_count(r);
  c->non_finite = profile_get_count(r);
  c->below = profile_get_count(r);
  c->above = profile_get_count(r);
}

leat_status lt_profile_number(leat_runtime *rt, const char *name, const double *sample, int64_t n, lt_profile **out,
                              leat_error *err) {
  leat_status st = profile_start(rt, LT_PROFILE_NUMBER, name, out, err);
  if (st == LEAT_OK) st = cells_make(rt, &(*out)->cells[0], sample, n, err);
  if (st == LEAT_OK) return st;
  lt_profile_free(*out);
  *out = NULL;
  return st;
}

leat_status lt_profile_sparse(leat_runtime *rt, const char *name, const double *nnz, const double *norm, int64_t n,
                              lt_profile **out, leat_error *err) {
  leat_status st = profile_start(rt, LT_PROFILE_SPARSE, name, out, err);
  if (st == LEAT_OK) st = cells_make(rt, &(*out)->cells[0], nnz, n, err);
  if (st == LEAT_OK) st = cells_make(rt, &(*out)->cells[1], norm, n, err);
  if (st == LEAT_OK) return st;
  lt_profile_free(*out);
  *out = NULL;
  return st;
}

/* ---- categories */
/* A label of more than LABEL_BYTES bytes is shown as its beginning (whole characters), "~" and half of its hash. */
static void label_show(char text[LABEL_BYTES + 1], const char *label, uint64_t n, uint64_t hash) {
  if (n <= LABEL_BYTES) {
    memcpy(text, label, n);
    text[n] = 0;
    return;
  }
  uint64_t cut = LABEL_BYTES - 9;
  while (cut && ((uint8_t)label[cut] & 0xc0) == 0x80) cut--;
  memcpy(text, label, cut);
  text[cut++] = '~';
  for (int i = 0; i < 8; i++) text[cut++] = "0123456789abcdef"[hash >> (60 - 4 * i) & 15];
  text[cut] = 0;
}

static void labels_index(lt_profile *p) {
  for (int32_t i = 0; i < p->n_labels; i++) {
    int32_t at = i;
    while (at > 0 && p->label[p->by_hash[at - 1]].hash > p->label[i].hash) p->by_hash[at] = p->by_hash[at - 1], at--;
    p->by_hash[at] = (uint8_t)i;
  }
}

leat_status lt_profile_category(leat_runtime *rt, const char *name, const char *const *labels, const int64_t *counts,
                                int64_t n_labels, int64_t missing, lt_profile **out, leat_error *err) {
  leat_status st = profile_start(rt, LT_PROFILE_CATEGORY, name, out, err);
  if (st != LEAT_OK) return st;
  lt_profile *p = *out;
  int64_t top[LT_PROFILE_LABELS];
  int32_t n = 0;
  p->missing = missing;
  for (int64_t i = 0; i < n_labels; i++) { /* insertion into the best hundred */
    p->other += counts[i];
    int32_t at = n;
    while (at > 0 && (counts[i] > counts[top[at - 1]] ||
                      (counts[i] == counts[top[at - 1]] && strcmp(labels[i], labels[top[at - 1]]) < 0)))
      at--;
    if (at == LT_PROFILE_LABELS) continue;
    if (n < LT_PROFILE_LABELS) n++;
    memmove(top + at + 1, top + at, (size_t)(n - 1 - at) * sizeof *top);
    top[at] = i;
  }
  for (int32_t i = 0; i < n; i++) {
    uint64_t size = strlen(labels[top[i]]);
    label_cell *c = &p->label[i];
    c->hash = lt_hash64(labels[top[i]], size, 0);
    c->count = counts[top[i]];
    p->other -= c->count;
    label_show(c->text, labels[top[i]], size, c->hash);
  }
  p->n_labels = n;
  labels_index(p);
  return LEAT_OK;
}

void lt_profile_add_label(lt_profile *p, const char *label, uint64_t n, int64_t times) {
  if (!label) {
    p->missing += times;
    return;
  }
  uint64_t hash = lt_hash64(label, n, 0);
  int32_t low = 0, high = p->n_labels;
  while (low < high) {
    int32_t mid = (low + high) / 2;
    if (p->label[p->by_hash[mid]].hash < hash) low = mid + 1;
    else high = mid;
  }
  if (low < p->n_labels && p->label[p->by_hash[low]].hash == hash) p->label[p->by_hash[low]].count += times;
  else p->other += times;
}

/* ---- all kinds */
void lt_profile_add(lt_profile *p, double v) { cells_add(&p->cells[0], v); }

/* Without a branch: all limits in one sorted table of 16 (what is not there: NaN, below which nothing is), searched in
 * four steps; two histograms, so that equal neighbours do not wait for each other. */
void lt_profile_add_many(lt_profile *p, const double *v, int64_t n) {
  number_cells *c = &p->cells[0];
  double limit[CELLS_TABLE];
  int64_t got[2][CELLS_TABLE] = {{0}}, missing = 0;
  int32_t m = 1;
  for (int i = 0; i < CELLS_TABLE; i++) limit[i] = (double)NAN;
  limit[m++] = -DBL_MAX;
  for (int32_t i = 0; i < c->n; i++) limit[m++] = c->edge[i];
  if (c->n) limit[m++] = nextafter(c->edge[c->n], (double)INFINITY);
  limit[m++] = (double)INFINITY;
  for (int64_t i = 0; i < n; i++) {
    double x = v[i];
    int32_t k = (x >= limit[8]) * 8;
    k += (x >= limit[k + 4]) * 4;
    k += (x >= limit[k + 2]) * 2;
    k += x >= limit[k + 1];
    got[i & 1][k]++;
    missing += x != x;
  }
  for (int i = 0; i < CELLS_TABLE; i++) got[0][i] += got[1][i];
  c->missing += missing;
  c->non_finite += got[0][0] - missing + got[0][m - 1];
  if (c->n) c->below += got[0][1];
  for (int32_t i = 0; i < c->n; i++) c->count[i] += got[0][2 + i];
  c->above += got[0][m - 2]; /* without edges: every finite value */
}

void lt_profile_add_sparse(lt_profile *p, double nnz, double norm) {
  cells_add(&p->cells[0], nnz);
  cells_add(&p->cells[1], norm);
}

void lt_profile_clear(lt_profile *p) {
  cells_clear(&p->cells[0]);
  cells_clear(&p->cells[1]);
  for (int32_t i = 0; i < p->n_labels; i++) p->label[i].count = 0;
  p->other = p->missing = 0;
}

leat_status lt_profile_merge(lt_profile *p, const lt_profile *other, leat_error *err) {
  int alike = p->type == other->type && p->n_labels == other->n_labels && strcmp(p->name, other->name) == 0 &&
              cells_alike(&p->cells[0], &other->cells[0]) && cells_alike(&p->cells[1], &other->cells[1]);
  for (int32_t i = 0; alike && i < p->n_labels; i++) alike = p->label[i].hash == other->label[i].hash;
  if (!alike)
    return lt_fail(err, LEAT_E_SHAPE, "profiles of '%s' and '%s' have other cells and cannot be merged", p->name, other->name);
  for (int32_t i = 0; i < p->n_labels; i++) p->label[i].count += other->label[i].count;
  p->other += other->other;
  p->missing += other->missing;
  cells_merge(&p->cells[0], &other->cells[0]);
  cells_merge(&p->cells[1], &other->cells[1]);
  return LEAT_OK;
}

int32_t lt_profile_type(const lt_profile *p) { return p->type; }
const char *lt_profile_name(const lt_profile *p) { return p->name; }

int64_t lt_profile_cells(const lt_profile *p) {
  if (p->type == LT_PROFILE_CATEGORY) return p->n_labels + 2;
  return p->cells[0].n + 4 + (p->type == LT_PROFILE_SPARSE ? p->cells[1].n + 4 : 0);
}

static void cells_at(const number_cells *c, int32_t i, const char **label, double *low, double *high, int64_t *count) {
  static const char *const special[] = {"missing", "non-finite", "below", "above"};
  const int64_t others[] = {c->missing, c->non_finite, c->below, c->above};
  if (i < c->n) {
    *label = NULL;
    *low = c->edge[i];
    *high = c->edge[i + 1];
    *count = c->count[i];
    return;
  }
  i -= c->n;
  *label = special[i];
  *count = others[i];
  if (i == 2 && c->n) *low = -INFINITY, *high = c->edge[0];
  if (i == 3) *low = c->n ? c->edge[c->n] : -INFINITY, *high = INFINITY;
}

leat_status lt_profile_cell(const lt_profile *p, int64_t index, const char **label, double *low, double *high,
                            int64_t *count, leat_error *err) {
  *label = NULL;
  *low = *high = NAN;
  *count = 0;
  if (index < 0 || index >= lt_profile_cells(p))
    return lt_fail(err, LEAT_E_NOT_FOUND, "the profile of '%s' has %lld cells, there is none at %lld", p->name,
                   (long long)lt_profile_cells(p), (long long)index);
  int32_t i = (int32_t)index;
  if (p->type == LT_PROFILE_CATEGORY) {
    *label = i < p->n_labels ? p->label[i].text : i == p->n_labels ? "(other)" : "(missing)";
    *count = i < p->n_labels ? p->label[i].count : i == p->n_labels ? p->other : p->missing;
  } else if (i < p->cells[0].n + 4) {
    cells_at(&p->cells[0], i, label, low, high, count);
  } else {
    cells_at(&p->cells[1], i - p->cells[0].n - 4, label, low, high, count);
  }
  return LEAT_OK;
}

int64_t lt_profile_rows(const lt_profile *p) {
  int64_t rows = p->other + p->missing;
  if (p->type != LT_PROFILE_CATEGORY) return cells_rows(&p->cells[0]);
  for (int32_t i = 0; i < p->n_labels; i++) rows += p->label[i].count;
  return rows;
}

void lt_profile_save(const lt_profile *p, lt_put *w) {
  lt_put_u8(w, (uint8_t)p->type);
  lt_put_text(w, p->name);
  if (p->type != LT_PROFILE_CATEGORY) {
    cells_save(&p->cells[0], w);
    if (p->type == LT_PROFILE_SPARSE) cells_save(&p->cells[1], w);
    return;
  }
  lt_put_u8(w, (uint8_t)p->n_labels);
  for (int32_t i = 0; i < p->n_labels; i++) {
    uint64_t n = strlen(p->label[i].text);
    lt_put_u64(w, p->label[i].hash);
    lt_put_i64(w, p->label[i].count);
    lt_put_u8(w, (uint8_t)n);
    lt_put_raw(w, p->label[i].text, n);
  }
  lt_put_i64(w, p->other);
  lt_put_i64(w, p->missing);
}

static void labels_load(lt_profile *p, lt_get *r) {
  int32_t n = lt_get_u8(r);
  if (n > LT_PROFILE_LABELS) lt_get_fail(r, LEAT_E_FORMAT);
  for (int32_t i = 0; i < n && lt_get_left(r); i++) {
    label_cell *c = &p->label[i];
    c->hash = lt_get_u64(r);
    c->count = profile_get_count(r);
    uint64_t size = lt_get_u8(r);
    const char *text = size <= LABEL_BYTES ? lt_get_raw(r, size) : NULL;
    if (!text || memchr(text, 0, size)) {
      lt_get_fail(r, LEAT_E_FORMAT);
      return;
    }
    memcpy(c->text, text, size);
    c->text[size] = 0;
    p->n_labels = i + 1;
  }
  p->other = profile_get_count(r);
  p->missing = profile_get_count(r);
  labels_index(p);
}

leat_status lt_profile_load(leat_runtime *rt, lt_get *r, lt_profile **out, leat_error *err) {
  *out = NULL;
  int32_t type = lt_get_u8(r);
  char *name = lt_get_text(r);
  if (type < LT_PROFILE_NUMBER || type > LT_PROFILE_SPARSE) lt_get_fail(r, LEAT_E_FORMAT);
  leat_status st = lt_get_status(r, "a profile", err);
  if (st == LEAT_OK) st = profile_start(rt, type, name, out, err);
  lt_free(rt, name);
  if (st != LEAT_OK) return st;
  lt_profile *p = *out;
  if (type == LT_PROFILE_CATEGORY) labels_load(p, r);
  else cells_load(&p->cells[0], r);
  if (type == LT_PROFILE_SPARSE) cells_load(&p->cells[1], r);
  st = lt_get_status(r, "a profile", err);
  if (st != LEAT_OK) {
    lt_profile_free(p);
    *out = NULL;
  }
  return st;
}
