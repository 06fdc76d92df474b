/* See auc.h. */
#include "stats/auc.h"
#include <string.h>

void lt_auc_init(lt_auc *a, leat_runtime *rt) {
  memset(a, 0, sizeof *a);
  a->rt = rt;
}

void lt_auc_free(lt_auc *a) {
  lt_free(a->rt, a->row);
  lt_free(a->rt, a->cell);
  lt_auc_init(a, a->rt);
}

/* The cell of a score: the leading bits of min(p, 1 - p) order it within its half. */
static uint64_t auc_cell(double p) {
  const uint64_t half = LT_AUC_CELLS / 2, low = (uint64_t)(1022 - 33) << 12;
  if (!(p > 0)) return 0;
  if (p >= 1) return LT_AUC_CELLS - 1;
  double q = p <= 0.5 ? p : 1 - p;
  uint64_t bits, i;
  memcpy(&bits, &q, 8);
  bits >>= 40; /* exponent and 12 bits of the fraction; q <= 1/2 has the exponent 1022 at most */
  i = bits < low ? 0 : bits - low;
  if (i >= half) i = half - 1;
  return p <= 0.5 ? i : LT_AUC_CELLS - 1 - i;
}

static void auc_drop(lt_auc *a, double score, int positive, double w) {
  if (score != score) w = score; /* a NaN makes the area NaN */
  a->cell[(positive ? LT_AUC_CELLS : 0) + auc_cell(score)] += w;
}

static leat_status auc_to_cells(lt_auc *a, leat_error *err) {
  if (a->cell) return LEAT_OK;
  a->cell = lt_zarray(a->rt, (uint64_t)2 * LT_AUC_CELLS, sizeof *a->cell);
  if (!a->cell) return lt_fail_memory(err, (uint64_t)2 * LT_AUC_CELLS * sizeof *a->cell, "the cells of an AUC");
  for (uint64_t i = 0; i < a->n; i++) auc_drop(a, a->row[i].key, !signbit(a->row[i].weight), fabs(a->row[i].weight));
  lt_free(a->rt, a->row);
  a->row = NULL;
  a->cap = 0;
  return LEAT_OK;
}

leat_status lt_auc_reserve(lt_auc *a, uint64_t rows, leat_error *err) {
  if (a->cell) return LEAT_OK;
  if (rows > LT_AUC_EXACT || a->n + rows > LT_AUC_EXACT) return auc_to_cells(a, err);
  void *p = a->row;
  leat_status st = lt_grow(a->rt, &p, &a->cap, a->n + rows, sizeof *a->row, err);
  a->row = p;
  return st;
}

void lt_auc_add(lt_auc *a, double score, int positive, double w) {
  if (a->cell) auc_drop(a, score, positive, w);
  else a->row[a->n] = (lt_scored){score, positive ? w : -w};
  a->n++;
}

leat_status lt_auc_merge(lt_auc *a, const lt_auc *other, leat_error *err) {
  leat_status st = other->cell ? auc_to_cells(a, err) : lt_auc_reserve(a, other->n, err);
  if (st != LEAT_OK) return st;
  if (other->cell) {
    for (uint64_t i = 0; i < (uint64_t)2 * LT_AUC_CELLS; i++) a->cell[i] += other->cell[i];
    a->n += other->n;
  } else {
    for (uint64_t i = 0; i < other->n; i++)
      lt_auc_add(a, other->row[i].key, !signbit(other->row[i].weight), fabs(other->row[i].weight));
  }
  return LEAT_OK;
}

/* Pairs won by the positives, a tie counting half; each group of equal scores at once. */
static void auc_group(double pos, double neg, lt_sum *won, lt_sum *all_pos, lt_sum *all_neg) {
  lt_sum_product(won, pos, lt_sum_value(all_neg));
  lt_sum_product(won, 0.5 * pos, neg);
  lt_sum_add(all_pos, pos);
  lt_sum_add(all_neg, neg);
}

leat_status lt_auc_value(const lt_auc *a, double *value, leat_error *err) {
  lt_sum won = {0, 0}, pos = {0, 0}, neg = {0, 0};
  *value = NAN;
  if (a->cell) {
    for (uint64_t i = 0; i < LT_AUC_CELLS; i++) auc_group(a->cell[LT_AUC_CELLS + i], a->cell[i], &won, &pos, &neg);
  } else {
    lt_scored *v = lt_array(a->rt, 2 * a->n, sizeof *v);
    if (!v) return lt_fail_memory(err, 2 * a->n * sizeof *v, "sorting scores");
    if (a->n) memcpy(v, a->row, a->n * sizeof *v);
    lt_sort_scored(v, v + a->n, a->n);
    int bad = a->n && v[a->n - 1].key != v[a->n - 1].key; /* NaN comes last */
    for (uint64_t i = 0; i < a->n && !bad;) {
      lt_sum p = {0, 0}, q = {0, 0};
      uint64_t first = i;
      for (; i < a->n && v[i].key == v[first].key; i++) {
        if (signbit(v[i].weight)) lt_sum_add(&q, -v[i].weight);
        else lt_sum_add(&p, v[i].weight);
      }
      auc_group(lt_sum_value(&p), lt_sum_value(&q), &won, &pos, &neg);
    }
    lt_free(a->rt, v);
    if (bad) return LEAT_OK;
  }
  double p = lt_sum_value(&pos), q = lt_sum_value(&neg);
  if (p > 0 && q > 0) *value = lt_sum_value(&won) / p / q;
  return LEAT_OK;
}
