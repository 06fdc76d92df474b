/* Derived parts of a learner that sees its rows one by one: the edges of buckets come from the first values. */
#include "model/encoding.h"
#include <math.h>

static int is_online(const lt_part *p) { return lt_part_is_derived(p) && p->hashed == LT_PART_ONLINE; }

int lt_encoder_is_online(const lt_encoder *e) {
  for (int64_t k = 0; k < e->n_parts; k++)
    if (is_online(&e->part[k])) return 1;
  return 0;
}

int lt_encoder_online_fits(const lt_encoder *e) {
  for (int64_t k = 0; k < e->n_parts; k++)
    if (lt_part_is_derived(&e->part[k]) && !is_online(&e->part[k])) return 0;
  return 1;
}

int lt_encoder_same_plan(const lt_encoder *a, const lt_encoder *b) {
  if (a->n_parts != b->n_parts || a->n_dense != b->n_dense || a->hash_bits != b->hash_bits) return 0;
  for (int64_t k = 0; k < a->n_parts; k++) {
    const lt_part *p = &a->part[k], *q = &b->part[k];
    if (p->type != q->type || p->hashed != q->hashed || p->column != q->column || p->source != q->source ||
        p->other != q->other || p->cells != q->cells)
      return 0;
  }
  return 1;
}

static int64_t next_fit(int64_t n) {
  int64_t at = LT_EDGES_FIRST;
  while (at <= n) at *= 2;
  return at;
}

int64_t lt_derive_until(const lt_encoder *e) {
  int64_t least = INT64_MAX;
  for (int64_t k = 0; e->n_fitting && k < e->n_parts; k++) {
    const lt_part *p = &e->part[k];
    if (p->sample && next_fit(p->n_sample) - p->n_sample < least) least = next_fit(p->n_sample) - p->n_sample;
  }
  return least;
}

void lt_derive_observe(lt_encoder *e, const lt_encode *bind, const lt_rows *rows, int64_t r) {
  for (int64_t k = 0; e->n_fitting && k < e->n_parts; k++) {
    lt_part *p = &e->part[k];
    if (!p->sample) continue;
    double v = lt_encode_number(bind, p->source, rows, r);
    if (!isfinite(v)) continue;
    int64_t fit = next_fit(p->n_sample);
    p->sample[p->n_sample++] = v;
    if (p->n_sample < fit) continue;
    lt_derive_sort(p->sample, p->n_sample); /* their order says nothing */
    p->n_edges = lt_derive_edges(p->sample, p->n_sample, p->cells, p->edge);
    if (p->n_sample < LT_EDGES_LAST) continue;
    lt_free(e->rt, p->sample);
    p->sample = NULL;
    p->n_sample = 0;
    e->n_fitting--;
  }
}
