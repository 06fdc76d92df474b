/* See adwin.h. The bound is the paper's eps_cut with the variance of the window, delta' = delta / ln n. */
#include "stats/adwin.h"
#include <math.h>
#include <string.h>

enum { ADWIN_LEAST = 10, ADWIN_PART = 5 }; /* values of a window, and of each of its parts, that are worth a look */

void lt_adwin_init(lt_adwin *a, int one_sided, int every) {
  memset(a, 0, sizeof *a);
  a->one_sided = one_sided;
  a->every = every;
  a->levels = 1;
}

/* The two oldest of level i become one of level i + 1. */
static void adwin_merge(lt_adwin *a, int i) {
  double *s = a->bucket_sum[i], *q = a->bucket_m2[i];
  double each = ldexp(1, i), d = (s[0] - s[1]) / each;
  int at = a->count[i + 1]++;
  if (i + 1 >= a->levels) a->levels = i + 2;
  a->bucket_sum[i + 1][at] = s[0] + s[1];
  a->bucket_m2[i + 1][at] = q[0] + q[1] + d * d * each * 0.5;
  a->count[i] -= 2;
  memmove(s, s + 2, (size_t)a->count[i] * sizeof *s);
  memmove(q, q + 2, (size_t)a->count[i] * sizeof *q);
}

void lt_adwin_add(lt_adwin *a, double x) {
  double n = (double)a->n, d = n > 0 ? x - a->sum / n : 0;
  a->m2 += d * d * n / (n + 1);
  a->sum += x;
  a->n++;
  a->seen++;
  a->bucket_sum[0][a->count[0]] = x;
  a->bucket_m2[0][a->count[0]++] = 0;
  for (int i = 0; i + 1 < LT_ADWIN_LEVELS && a->count[i] > LT_ADWIN_BUCKETS; i++) adwin_merge(a, i);
}

/* Difference over its threshold at the worst cut, 0 when there is none to look at; *newer: values behind that cut. */
static double adwin_worst(const lt_adwin *a, double delta, double *newer) {
  double n = (double)a->n, n0 = 0, s0 = 0, worst = 0;
  *newer = 0;
  if (a->n < ADWIN_LEAST || a->seen % a->every != 0) return 0;
  double l = log((a->one_sided ? 1 : 2) * log(n) / delta), var = a->m2 > 0 ? a->m2 / n : 0;
  for (int i = a->levels - 1; i >= 0; i--) {
    for (int b = 0; b < a->count[i]; b++) {
      n0 += ldexp(1, i);
      s0 += a->bucket_sum[i][b];
      double n1 = n - n0;
      if (n0 < ADWIN_PART || n1 < ADWIN_PART) continue;
      double up = (a->sum - s0) / n1 - s0 / n0, m = 1 / n0 + 1 / n1;
      double bound = sqrt(2 * m * var * l) + 2.0 / 3 * m * l, ratio = (a->one_sided ? up : fabs(up)) / bound;
      if (ratio > worst) {
        worst = ratio;
        *newer = n1;
      }
    }
  }
  return worst;
}

int lt_adwin_changed(const lt_adwin *a, double delta, double *gap) {
  double newer, worst = adwin_worst(a, delta, &newer);
  if (gap) *gap = worst;
  return worst > 1;
}

int64_t lt_adwin_newer(const lt_adwin *a, double delta) {
  double newer;
  adwin_worst(a, delta, &newer);
  return (int64_t)newer;
}

static void adwin_drop(lt_adwin *a) {
  int i = a->levels - 1;
  double each = ldexp(1, i), left = (double)a->n - each, s = a->bucket_sum[i][0], d = left > 0 ? s / each - (a->sum - s) / left : 0;
  a->m2 -= a->bucket_m2[i][0] + (left > 0 ? d * d * each * left / (each + left) : 0);
  if (!(a->m2 > 0)) a->m2 = 0;
  a->sum -= s;
  a->n -= (int64_t)1 << i;
  a->count[i]--;
  memmove(a->bucket_sum[i], a->bucket_sum[i] + 1, (size_t)a->count[i] * sizeof(double));
  memmove(a->bucket_m2[i], a->bucket_m2[i] + 1, (size_t)a->count[i] * sizeof(double));
  while (a->levels > 1 && a->count[a->levels - 1] == 0) a->levels--;
}

void lt_adwin_cut(lt_adwin *a, double delta) {
  while (a->n >= 2 * ADWIN_PART && lt_adwin_changed(a, delta, NULL)) adwin_drop(a);
}

double lt_adwin_mean(const lt_adwin *a) { return a->n > 0 ? a->sum / (double)a->n : 0; }

void lt_adwin_save(const lt_adwin *a, lt_put *w) {
  lt_put_i64(w, a->seen);
  lt_put_f64(w, a->sum);
  lt_put_f64(w, a->m2);
  lt_put_u32(w, (uint32_t)a->levels);
  for (int i = 0; i < a->levels; i++) {
    lt_put_u32(w, (uint32_t)a->count[i]);
    for (int b = 0; b < a->count[i]; b++) {
      lt_put_f64(w, a->bucket_sum[i][b]);
      lt_put_f64(w, a->bucket_m2[i][b]);
    }
  }
}

void lt_adwin_load(lt_adwin *a, lt_get *r) {
  int32_t one_sided = a->one_sided, every = a->every;
  lt_adwin_init(a, one_sided, every);
  a->seen = lt_get_i64(r);
  a->sum = lt_get_f64(r);
  a->m2 = lt_get_f64(r);
  uint32_t levels = lt_get_u32(r);
  if (levels < 1 || levels > LT_ADWIN_LEVELS || !isfinite(a->sum) || !(a->m2 >= 0) || isinf(a->m2)) lt_get_fail(r, LEAT_E_FORMAT);
  for (uint32_t i = 0; i < levels && !r->failed; i++) {
    uint32_t count = lt_get_u32(r);
    if (count > LT_ADWIN_BUCKETS) {
      lt_get_fail(r, LEAT_E_FORMAT);
      break;
    }
    a->count[i] = (int32_t)count;
    a->n += (int64_t)count << i;
    for (uint32_t b = 0; b < count; b++) {
      a->bucket_sum[i][b] = lt_get_f64(r);
      a->bucket_m2[i][b] = lt_get_f64(r);
      if (!isfinite(a->bucket_sum[i][b]) || !(a->bucket_m2[i][b] >= 0) || isinf(a->bucket_m2[i][b]))
        lt_get_fail(r, LEAT_E_FORMAT);
    }
  }
  if (a->seen < a->n) lt_get_fail(r, LEAT_E_FORMAT);
  if (r->failed) lt_adwin_init(a, one_sided, every);
  else a->levels = (int32_t)levels;
}
