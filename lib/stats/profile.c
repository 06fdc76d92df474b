/* Reference profiles: a feature's distribution in a few frozen cells. Counts are whole numbers, so merging is exact and
 * knows no order. */
#include "stats/profile.h"
#include <float.h>
#include <math.h>
#include <string.h>
#include "base/hash.h"
#include "stats/sums.h"

enum { PROFILE_CELLS = 10, LABEL_BYTES = 24, LABEL_SHORT = 14, LABELS_TEXT = 1400, CELLS_TABLE = 16 };
_Static_assert(PROFILE_CELLS + 4 <= CELLS_TABLE, "the limits and both infinities need room");
#define COUNT_MAX (INT64_MAX / 256) /* so that sums of counts cannot overflow */

/* Cell i is [edge[i], edge[i + 1]), the last one with its upper edge. n == 0: no finite value was in the sample; then
 * every finite value is above. */
typedef struct number_cells {
  int32_t n;
  double edge[PROFILE_CELLS + 1];
  int64_t count[PROFILE_CELLS], missing, non_finite, below, above;
} number_cells;
/* What a profile and its windows have in common; never changed once it is made. Labels are told apart by their hash; the text,
 * perhaps shortened, is for people. */
typedef struct profile_shape {
  lt_ref refs;
  int32_t type, n_labels;
  uint64_t *hash;    /* [n_labels], by count in the reference */
  uint16_t *at;      /* where the text of each begins */
  uint8_t *by_hash;  /* [n_labels] in the order of their hashes */
  char *text, *name;
} profile_shape;
struct lt_profile {
  leat_runtime *rt;
  profile_shape *shape;
  number_cells *cells; /* [n_cells] NUMBER: one; SPARSE: non-zeros a row, norm; behind this struct */
  int64_t *count;      /* [n_labels] CATEGORY; likewise */
  int32_t n_cells;
  int64_t other, missing;
};
typedef struct label_in { const char *text; uint64_t size, hash; int64_t count; } label_in;

static leat_status shape_make(leat_runtime *rt, int32_t type, const char *name, const label_in *label, int32_t n, profile_shape **out,
                              leat_error *err) {
  uint64_t length = strlen(name) + 1, text = 0, k = (uint64_t)n;
  for (int32_t i = 0; i < n; i++) text += label[i].size + 1;
  uint64_t size = sizeof **out + k * (sizeof(uint64_t) + sizeof(uint16_t) + 1) + text + length;
  profile_shape *s = lt_zalloc(rt, size);
  *out = s;
  if (!s) return lt_fail_memory(err, size, "a profile");
  lt_ref_init(&s->refs);
  s->type = type;
  s->n_labels = n;
  s->hash = (uint64_t *)(s + 1);
  s->at = (uint16_t *)(s->hash + k);
  s->by_hash = (uint8_t *)(s->at + k);
  s->text = (char *)(s->by_hash + k);
  s->name = s->text + text;
  memcpy(s->name, name, length);
  text = 0;
  for (int32_t i = 0; i < n; i++) {
    s->hash[i] = label[i].hash;
    s->at[i] = (uint16_t)text;
    memcpy(s->text + text, label[i].text, label[i].size);
    text += label[i].size + 1;
    int32_t at = i;
    while (at > 0 && s->hash[s->by_hash[at - 1]] > label[i].hash) s->by_hash[at] = s->by_hash[at - 1], at--;
    s->by_hash[at] = (uint8_t)i;
  }
  return LEAT_OK;
}

static void shape_drop(leat_runtime *rt, profile_shape *s) {
  if (s && lt_ref_drop(&s->refs)) lt_free(rt, s);
}

/* Without counts; takes the caller's reference to the shape, also when it fails. */
static leat_status profile_of_shape(leat_runtime *rt, profile_shape *s, lt_profile **out, leat_error *err) {
  int32_t n = s->type == LT_PROFILE_NUMBER ? 1 : s->type == LT_PROFILE_SPARSE ? 2 : 0;
  uint64_t size = sizeof **out + (uint64_t)n * sizeof(number_cells) + (uint64_t)s->n_labels * sizeof(int64_t);
  lt_profile *p = lt_zalloc(rt, size);
  *out = p;
  if (!p) {
    shape_drop(rt, s);
    return lt_fail_memory(err, size, "a profile");
  }
  p->rt = rt;
  p->shape = s;
  p->n_cells = n;
  p->cells = (number_cells *)(p + 1);
  p->count = (int64_t *)(p + 1);
  return LEAT_OK;
}

static leat_status profile_start(leat_runtime *rt, int32_t type, const char *name, const label_in *label, int32_t n, lt_profile **out,
                                 leat_error *err) {
  profile_shape *s = NULL;
  *out = NULL;
  leat_status st = shape_make(rt, type, name, label, n, &s, err);
  if (!st) st = profile_of_shape(rt, s, out, err);
  for (int32_t i = 0; i < n && !st; i++) (*out)->count[i] = label[i].count;
  return st;
}

void lt_profile_free(lt_profile *p) {
  if (!p) return;
  shape_drop(p->rt, p->shape);
  lt_free(p->rt, p);
}

leat_status lt_profile_clone(leat_runtime *rt, const lt_profile *p, int counts, lt_profile **out, leat_error *err) {
  lt_ref_add(&p->shape->refs);
  leat_status st = profile_of_shape(rt, p->shape, out, err);
  if (st) return st;
  lt_profile *q = *out;
  if (p->n_cells) memcpy(q->cells, p->cells, (size_t)p->n_cells * sizeof *p->cells);
  if (p->shape->n_labels) memcpy(q->count, p->count, (size_t)p->shape->n_labels * sizeof *p->count);
  q->other = p->other;
  q->missing = p->missing;
  if (!counts) lt_profile_clear(q);
  return LEAT_OK;
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
  leat_status st = profile_start(rt, LT_PROFILE_NUMBER, name, NULL, 0, out, err);
  if (st == LEAT_OK) st = cells_make(rt, &(*out)->cells[0], sample, n, err);
  if (st == LEAT_OK) return st;
  lt_profile_free(*out);
  *out = NULL;
  return st;
}

leat_status lt_profile_sparse(leat_runtime *rt, const char *name, const double *nnz, const double *norm, int64_t n,
                              lt_profile **out, leat_error *err) {
  leat_status st = profile_start(rt, LT_PROFILE_SPARSE, name, NULL, 0, out, err);
  if (st == LEAT_OK) st = cells_make(rt, &(*out)->cells[0], nnz, n, err);
  if (st == LEAT_OK) st = cells_make(rt, &(*out)->cells[1], norm, n, err);
  if (st == LEAT_OK) return st;
  lt_profile_free(*out);
  *out = NULL;
  return st;
}

/* ---- categories */
/* A label of more than `most` bytes is shown as its beginning (whole characters), "~" and the first digits of its hash. */
static uint64_t label_show(char text[LABEL_BYTES + 1], const label_in *l, uint64_t most) {
  uint64_t cut = most == LABEL_BYTES ? most - 9 : most - 5;
  if (l->size <= most) {
    memcpy(text, l->text, l->size);
    return l->size;
  }
  while (cut && ((uint8_t)l->text[cut] & 0xc0) == 0x80) cut--;
  memcpy(text, l->text, cut);
  text[cut++] = '~';
  for (int i = 0; i < (most == LABEL_BYTES ? 8 : 4); i++) text[cut++] = "0123456789abcdef"[l->hash >> (60 - 4 * i) & 15];
  return cut;
}

leat_status lt_profile_category(leat_runtime *rt, const char *name, const char *const *labels, const int64_t *counts,
                                int64_t n_labels, int64_t missing, lt_profile **out, leat_error *err) {
  int64_t top[LT_PROFILE_LABELS], other = 0;
  label_in list[LT_PROFILE_LABELS];
  char shown[LT_PROFILE_LABELS][LABEL_BYTES + 1];
  int32_t n = 0;
  for (int64_t i = 0; i < n_labels; i++) { /* insertion into the best hundred */
    other += counts[i];
    int32_t at = n;
    while (at > 0 && (counts[i] > counts[top[at - 1]] ||
                      (counts[i] == counts[top[at - 1]] && strcmp(labels[i], labels[top[at - 1]]) < 0)))
      at--;
    if (at == LT_PROFILE_LABELS) continue;
    if (n < LT_PROFILE_LABELS) n++;
    memmove(top + at + 1, top + at, (size_t)(n - 1 - at) * sizeof *top);
    top[at] = i;
  }
  uint64_t text = 0;
  for (int32_t i = 0; i < n; i++) {
    uint64_t size = strlen(labels[top[i]]);
    list[i] = (label_in){labels[top[i]], size, lt_hash64(labels[top[i]], size, 0), counts[top[i]]};
    other -= list[i].count;
    text += size < LABEL_BYTES ? size : LABEL_BYTES;
  }
  for (int32_t i = 0; i < n; i++) { /* many long ones are shown shorter, so that a profile stays small */
    list[i].size = label_show(shown[i], &list[i], text <= LABELS_TEXT ? LABEL_BYTES : LABEL_SHORT);
    list[i].text = shown[i];
  }
  leat_status st = profile_start(rt, LT_PROFILE_CATEGORY, name, list, n, out, err);
  if (st) return st;
  (*out)->missing = missing;
  (*out)->other = other;
  return LEAT_OK;
}

void lt_profile_add_label(lt_profile *p, const char *label, uint64_t n, int64_t times) {
  const profile_shape *s = p->shape;
  if (!label) {
    p->missing += times;
    return;
  }
  uint64_t hash = lt_hash64(label, n, 0);
  int32_t low = 0, high = s->n_labels;
  while (low < high) {
    int32_t mid = (low + high) / 2;
    if (s->hash[s->by_hash[mid]] < hash) low = mid + 1;
    else high = mid;
  }
  if (low < s->n_labels && s->hash[s->by_hash[low]] == hash) p->count[s->by_hash[low]] += times;
  else p->other += times;
}

/* ---- all kinds */
void lt_profile_add(lt_profile *p, double v) {
  if (p->n_cells) cells_add(&p->cells[0], v);
}

/* Without a branch: all limits in one sorted table of 16 (what is not there: NaN, below which nothing is), searched in
 * four steps; two histograms, so that equal neighbours do not wait for each other. */
void lt_profile_add_many(lt_profile *p, const double *v, int64_t n) {
  if (!p->n_cells) return;
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
  if (p->n_cells < 2) return;
  cells_add(&p->cells[0], nnz);
  cells_add(&p->cells[1], norm);
}

void lt_profile_clear(lt_profile *p) {
  for (int32_t i = 0; i < p->n_cells; i++) cells_clear(&p->cells[i]);
  if (p->shape->n_labels) memset(p->count, 0, (size_t)p->shape->n_labels * sizeof *p->count);
  p->other = p->missing = 0;
}

static int shapes_alike(const profile_shape *a, const profile_shape *b) {
  return a == b || (a->type == b->type && a->n_labels == b->n_labels && strcmp(a->name, b->name) == 0 &&
                    (!a->n_labels || memcmp(a->hash, b->hash, (size_t)a->n_labels * sizeof *a->hash) == 0));
}

leat_status lt_profile_merge(lt_profile *p, const lt_profile *other, leat_error *err) {
  int alike = shapes_alike(p->shape, other->shape);
  for (int32_t i = 0; alike && i < p->n_cells; i++) alike = cells_alike(&p->cells[i], &other->cells[i]);
  if (!alike)
    return lt_fail(err, LEAT_E_SHAPE, "profiles of '%s' and '%s' have other cells and cannot be merged", p->shape->name, other->shape->name);
  for (int32_t i = 0; i < p->shape->n_labels; i++) p->count[i] += other->count[i];
  p->other += other->other;
  p->missing += other->missing;
  for (int32_t i = 0; i < p->n_cells; i++) cells_merge(&p->cells[i], &other->cells[i]);
  return LEAT_OK;
}

int32_t lt_profile_type(const lt_profile *p) { return p->shape->type; }
const char *lt_profile_name(const lt_profile *p) { return p->shape->name; }

int64_t lt_profile_cells(const lt_profile *p) {
  if (p->shape->type == LT_PROFILE_CATEGORY) return p->shape->n_labels + 2;
  return p->cells[0].n + 4 + (p->n_cells > 1 ? p->cells[1].n + 4 : 0);
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
  const profile_shape *s = p->shape;
  *label = NULL;
  *low = *high = NAN;
  *count = 0;
  if (index < 0 || index >= lt_profile_cells(p))
    return lt_fail(err, LEAT_E_NOT_FOUND, "the profile of '%s' has %lld cells, there is none at %lld", s->name,
                   (long long)lt_profile_cells(p), (long long)index);
  int32_t i = (int32_t)index;
  if (s->type == LT_PROFILE_CATEGORY) {
    *label = i < s->n_labels ? s->text + s->at[i] : i == s->n_labels ? "(other)" : "(missing)";
    *count = i < s->n_labels ? p->count[i] : i == s->n_labels ? p->other : p->missing;
  } else if (i < p->cells[0].n + 4) {
    cells_at(&p->cells[0], i, label, low, high, count);
  } else {
    cells_at(&p->cells[1], i - p->cells[0].n - 4, label, low, high, count);
  }
  return LEAT_OK;
}

int64_t lt_profile_rows(const lt_profile *p) {
  int64_t rows = p->other + p->missing;
  if (p->n_cells) return cells_rows(&p->cells[0]);
  for (int32_t i = 0; i < p->shape->n_labels; i++) rows += p->count[i];
  return rows;
}

/* ---- to bytes and back */
void lt_profile_save(const lt_profile *p, lt_put *w) {
  const profile_shape *s = p->shape;
  lt_put_u8(w, (uint8_t)s->type);
  lt_put_text(w, s->name);
  for (int32_t i = 0; i < p->n_cells; i++) cells_save(&p->cells[i], w);
  if (p->n_cells) return;
  lt_put_u8(w, (uint8_t)s->n_labels);
  for (int32_t i = 0; i < s->n_labels; i++) {
    const char *text = s->text + s->at[i];
    uint64_t n = strlen(text);
    lt_put_u64(w, s->hash[i]);
    lt_put_i64(w, p->count[i]);
    lt_put_u8(w, (uint8_t)n);
    lt_put_raw(w, text, n);
  }
  lt_put_i64(w, p->other);
  lt_put_i64(w, p->missing);
}

static leat_status labels_load(leat_runtime *rt, const char *name, lt_get *r, lt_profile **out, leat_error *err) {
  label_in list[LT_PROFILE_LABELS];
  int32_t n = lt_get_u8(r);
  *out = NULL;
  if (n > LT_PROFILE_LABELS) lt_get_fail(r, LEAT_E_FORMAT);
  for (int32_t i = 0; i < n && !r->failed; i++) {
    label_in *l = &list[i];
    l->hash = lt_get_u64(r);
    l->count = profile_get_count(r);
    l->size = lt_get_u8(r);
    l->text = l->size <= LABEL_BYTES ? lt_get_raw(r, l->size) : NULL;
    if (!l->text || memchr(l->text, 0, l->size)) lt_get_fail(r, LEAT_E_FORMAT);
  }
  int64_t other = profile_get_count(r), missing = profile_get_count(r);
  leat_status st = lt_get_status(r, "a profile", err);
  if (!st) st = profile_start(rt, LT_PROFILE_CATEGORY, name, list, n, out, err);
  if (st) return st;
  (*out)->other = other;
  (*out)->missing = missing;
  return LEAT_OK;
}

leat_status lt_profile_load(leat_runtime *rt, lt_get *r, lt_profile **out, leat_error *err) {
  *out = NULL;
  int32_t type = lt_get_u8(r);
  char *name = lt_get_text(r);
  if (type < LT_PROFILE_NUMBER || type > LT_PROFILE_SPARSE) lt_get_fail(r, LEAT_E_FORMAT);
  leat_status st = lt_get_status(r, "a profile", err);
  if (!st && type == LT_PROFILE_CATEGORY) st = labels_load(rt, name, r, out, err);
  else if (!st) st = profile_start(rt, type, name, NULL, 0, out, err);
  lt_free(rt, name);
  if (st) return st;
  for (int32_t i = 0; i < (*out)->n_cells; i++) cells_load(&(*out)->cells[i], r);
  st = lt_get_status(r, "a profile", err);
  if (st) {
    lt_profile_free(*out);
    *out = NULL;
  }
  return st;
}

/* Counts alone, in seven bits a byte, the low ones first. */
static void put_count(lt_put *w, int64_t n) {
  uint64_t v = (uint64_t)n;
  for (; v > 127; v >>= 7) lt_put_u8(w, (uint8_t)(v & 127) | 128);
  lt_put_u8(w, (uint8_t)v);
}

static int64_t get_count(lt_get *r) {
  uint64_t v = 0;
  for (int shift = 0; shift < 63; shift += 7) {
    uint8_t b = lt_get_u8(r);
    v |= (uint64_t)(b & 127) << shift;
    if (!(b & 128)) {
      if (v > COUNT_MAX) lt_get_fail(r, LEAT_E_FORMAT);
      return r->failed ? 0 : (int64_t)v;
    }
  }
  lt_get_fail(r, LEAT_E_FORMAT);
  return 0;
}

void lt_profile_save_counts(const lt_profile *p, lt_put *w) {
  for (int32_t k = 0; k < p->n_cells; k++) {
    const number_cells *c = &p->cells[k];
    for (int32_t i = 0; i < c->n; i++) put_count(w, c->count[i]);
    put_count(w, c->missing);
    put_count(w, c->non_finite);
    put_count(w, c->below);
    put_count(w, c->above);
  }
  for (int32_t i = 0; i < p->shape->n_labels; i++) put_count(w, p->count[i]);
  put_count(w, p->other);
  put_count(w, p->missing);
}

void lt_profile_load_counts(lt_profile *p, lt_get *r) {
  for (int32_t k = 0; k < p->n_cells; k++) {
    number_cells *c = &p->cells[k];
    for (int32_t i = 0; i < c->n; i++) c->count[i] = get_count(r);
    c->missing = get_count(r);
    c->non_finite = get_count(r);
    c->below = get_count(r);
    c->above = get_count(r);
  }
  for (int32_t i = 0; i < p->shape->n_labels; i++) p->count[i] = get_count(r);
  p->other = get_count(r);
  p->missing = get_count(r);
}
