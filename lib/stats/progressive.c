/* See progressive.h. */
#include "stats/progressive.h"
#include "base/number.h"
#include <math.h>
#include <string.h>

enum { PROGRESS_CLASSES = 1024 };
typedef struct progress_row { double y, w; } progress_row;
struct lt_progressive {
  leat_runtime *rt;
  int32_t numbers;
  int64_t classes, n_out, window, half_life, rows;
  leat_metrics *all, *faded, *no_change, *majority;
  double weight;          /* of the next row in `faded`: it grows instead of the others' shrinking */
  double growth;
  progress_row *row;      /* [window] a ring: row number i is at i % window */
  double *pred;           /* [window, n_out] */
  double *count;          /* [classes] weights of the labels */
  double *guess;          /* [n_out] a baseline's prediction */
  double total, sum;      /* weights, and weighted numbers */
  double last;            /* the label before; NaN at the start */
  double repeats, pairs;
};

static const char *const progress_of_classes = "rows,loss,accuracy,brier,kappa,calibration";
static const char *const progress_of_numbers = "rows,loss,rmse,mae,r2,calibration";

leat_status lt_progressive_create(leat_runtime *rt, int numbers, int64_t window, int64_t half_life, lt_progressive **out,
                                  leat_error *err) {
  *out = NULL;
  lt_progressive *p = lt_zalloc(rt, sizeof *p);
  if (!p) return lt_fail_memory(err, sizeof *p, "progressive metrics");
  lt_runtime_ref(rt);
  p->rt = rt;
  p->numbers = numbers;
  p->window = window;
  p->half_life = half_life;
  p->weight = 1;
  p->growth = exp2(1.0 / (double)half_life);
  p->last = NAN;
  const char *names = numbers ? progress_of_numbers : progress_of_classes;
  leat_status st = lt_metrics_create(rt, names, &p->all, err);
  if (!st) st = lt_metrics_create(rt, names, &p->faded, err);
  if (!st) st = lt_metrics_create(rt, names, &p->no_change, err);
  if (!st) st = lt_metrics_create(rt, names, &p->majority, err);
  p->row = lt_zarray(rt, (uint64_t)window, sizeof *p->row);
  if (!st && !p->row) st = lt_fail_memory(err, (uint64_t)window * sizeof *p->row, "progressive metrics");
  if (!st) st = lt_progressive_grow(p, numbers ? 0 : 2, err);
  if (st) lt_progressive_free(p);
  else *out = p;
  return st;
}

void lt_progressive_free(lt_progressive *p) {
  if (!p) return;
  leat_runtime *rt = p->rt;
  lt_metrics_free(p->all);
  lt_metrics_free(p->faded);
  lt_metrics_free(p->no_change);
  lt_metrics_free(p->majority);
  lt_free(rt, p->row);
  lt_free(rt, p->pred);
  lt_free(rt, p->count);
  lt_free(rt, p->guess);
  lt_free(rt, p);
  lt_runtime_unref(rt);
}

leat_status lt_progressive_grow(lt_progressive *p, int64_t classes, leat_error *err) {
  if (p->pred && (p->numbers || classes <= p->classes)) return LEAT_OK;
  leat_metrics *const k[] = {p->all, p->faded, p->no_change, p->majority};
  int64_t n_out = classes > 2 ? classes : 1;
  uint64_t many = (uint64_t)(p->window * n_out);
  double *pred = lt_zarray(p->rt, many, sizeof *pred), *count = lt_zarray(p->rt, (uint64_t)classes, sizeof *count);
  double *guess = lt_zarray(p->rt, (uint64_t)n_out, sizeof *guess);
  leat_status st = LEAT_OK;
  if (!pred || !count || !guess) st = lt_fail_memory(err, many * sizeof *pred, "progressive metrics");
  for (int i = 0; i < 4 && !st; i++) st = p->numbers ? lt_metrics_reserve(k[i], 1, 1, err) : lt_metrics_grow(k[i], classes, err);
  if (st) { /* what has grown may stay: it is sums of classes not seen yet */
    lt_free(p->rt, pred);
    lt_free(p->rt, count);
    lt_free(p->rt, guess);
    return st;
  }
  for (int64_t r = 0; p->pred && r < p->window; r++) {
    const double *from = p->pred + r * p->n_out;
    double *to = pred + r * n_out;
    if (p->n_out == 1) {
      to[0] = 1 - from[0];
      to[1] = from[0];
    } else {
      memcpy(to, from, (size_t)p->n_out * sizeof *to);
    }
  }
  for (int64_t c = 0; c < p->classes; c++) count[c] = p->count[c];
  lt_free(p->rt, p->pred);
  lt_free(p->rt, p->count);
  lt_free(p->rt, p->guess);
  p->pred = pred;
  p->count = count;
  p->guess = guess;
  p->classes = classes;
  p->n_out = n_out;
  return LEAT_OK;
}

/* Probability `sure` for class k, the rest shared by the others. */
static void progress_guess(lt_progressive *p, int64_t k, double sure) {
  if (p->n_out == 1) {
    p->guess[0] = k == 1 ? sure : 1 - sure;
    return;
  }
  for (int64_t c = 0; c < p->n_out; c++) p->guess[c] = (1 - sure) / (double)(p->n_out - 1);
  p->guess[k] = sure;
}

/* Two classes, as most streams have: each prediction's loss is taken once, whatever sets it goes to. */
static void progress_binary(lt_progressive *p, double pred, double y, double w) {
  leat_metrics *const scored[] = {p->all, p->faded};
  const double weights[] = {w, w * p->weight};
  lt_metrics_add_binary(scored, weights, isfinite(weights[1]) ? 2 : 1, pred, (int64_t)y);
  if (isnan(p->last)) return;
  double sure = (p->repeats + 1) / (p->pairs + 2);
  sure = sure < 0.51 ? 0.51 : sure;
  lt_metrics_add_binary(&p->no_change, &w, 1, p->last == 1 ? sure : 1 - sure, (int64_t)y);
  lt_metrics_add_binary(&p->majority, &w, 1, (p->count[1] + 1) / (p->total + (double)p->classes), (int64_t)y);
}

static void progress_baselines(lt_progressive *p, double y, double w) {
  if (isnan(p->last)) return;
  if (p->numbers) {
    double mean = p->total > 0 ? p->sum / p->total : 0;
    (void)lt_metrics_add(p->no_change, &p->last, 1, y, w, NULL);
    (void)lt_metrics_add(p->majority, &mean, 1, y, w, NULL);
    return;
  }
  double sure = (p->repeats + 1) / (p->pairs + 2);
  progress_guess(p, (int64_t)p->last, sure < 0.51 ? 0.51 : sure);
  (void)lt_metrics_add(p->no_change, p->guess, p->n_out, y, w, NULL);
  double room = p->total + (double)p->classes;
  for (int64_t c = 0; c < p->n_out; c++) p->guess[c] = (p->count[p->n_out == 1 ? 1 : c] + 1) / room;
  (void)lt_metrics_add(p->majority, p->guess, p->n_out, y, w, NULL);
}

void lt_progressive_add(lt_progressive *p, const double *pred, double y, double w) {
  if (p->weight > 0x1p500) { /* an exact power of two: the ratios keep their bits */
    lt_metrics_scale(p->faded, 0x1p-500);
    p->weight *= 0x1p-500;
  }
  int64_t at = p->rows % p->window;
  p->row[at] = (progress_row){y, w};
  if (!p->numbers && p->n_out == 1) {
    progress_binary(p, *pred, y, w);
    p->pred[at] = *pred;
  } else {
    (void)lt_metrics_add(p->all, pred, p->n_out, y, w, NULL);
    (void)lt_metrics_add(p->faded, pred, p->n_out, y, w * p->weight, NULL);
    progress_baselines(p, y, w);
    memcpy(p->pred + at * p->n_out, pred, (size_t)p->n_out * sizeof *pred);
  }
  p->weight *= p->growth;
  p->rows++;
  if (!isnan(p->last)) {
    p->pairs += 1;
    p->repeats += y == p->last;
  }
  p->last = y;
  p->total += w;
  if (p->numbers) p->sum += w * y;
  else p->count[(int64_t)y] += w;
}

int64_t lt_progressive_outputs(const lt_progressive *p) { return p->n_out; }
int64_t lt_progressive_rows(const lt_progressive *p) { return p->rows; }

static leat_status progress_window(const lt_progressive *p, leat_metrics **out, leat_error *err) {
  char names[48] = "multiclass:";
  leat_metrics *k = NULL;
  if (p->numbers) memcpy(names, "regression", sizeof "regression");
  else if (p->classes <= 2) memcpy(names, "binary", sizeof "binary");
  else lt_i64_text(p->classes, names + 11);
  leat_status st = lt_metrics_create(p->rt, names, &k, err);
  int64_t from = p->rows > p->window ? p->rows - p->window : 0;
  for (int64_t i = from; i < p->rows && !st; i++) {
    int64_t at = i % p->window;
    st = lt_metrics_add(k, p->pred + at * p->n_out, p->n_out, p->row[at].y, p->row[at].w, err);
  }
  if (st) lt_metrics_free(k);
  else *out = k;
  return st;
}

leat_status lt_progressive_metrics(const lt_progressive *p, int64_t set, leat_metrics **out, leat_error *err) {
  const leat_metrics *const from[] = {p->all, p->faded, NULL, p->no_change, p->majority};
  *out = NULL;
  if (set < 0 || set >= LT_PROGRESS_SETS)
    return lt_fail(err, LEAT_E_ARG,
                   "set is %lld: 0 cumulative, 1 faded, 2 last window, 3 no-change baseline or 4 majority baseline is expected",
                   (long long)set);
  if (set == LT_PROGRESS_WINDOW) return progress_window(p, out, err);
  leat_metrics *k = NULL;
  leat_status st = lt_metrics_create(p->rt, p->numbers ? progress_of_numbers : progress_of_classes, &k, err);
  if (!st) st = lt_metrics_merge(k, from[set], err);
  /* (sum of weights)^2 / sum of squared weights of a geometric series */
  if (!st && set == LT_PROGRESS_FADED) lt_metrics_effective(k, (p->growth + 1) / (p->growth - 1));
  if (st) lt_metrics_free(k);
  else *out = k;
  return st;
}

double lt_progressive_loss(const lt_progressive *p, int64_t set) {
  double v = NAN;
  (void)lt_metrics_value(set == LT_PROGRESS_FADED ? p->faded : p->all, "loss", &v, NULL);
  return v;
}

void lt_progressive_save(const lt_progressive *p, lt_put *w) {
  int64_t kept = p->rows < p->window ? p->rows : p->window;
  lt_put_i64(w, p->classes);
  lt_put_i64(w, p->rows);
  lt_put_f64(w, p->weight);
  lt_put_f64(w, p->total);
  lt_put_f64(w, p->sum);
  lt_put_f64(w, p->last);
  lt_put_f64(w, p->repeats);
  lt_put_f64(w, p->pairs);
  lt_put_f64s(w, p->count, (uint64_t)p->classes);
  lt_put_f64s(w, p->pred, (uint64_t)(kept * p->n_out));
  for (int64_t i = 0; i < kept; i++) {
    lt_put_f64(w, p->row[i].y);
    lt_put_f64(w, p->row[i].w);
  }
  lt_metrics_save(p->all, w);
  lt_metrics_save(p->faded, w);
  lt_metrics_save(p->no_change, w);
  lt_metrics_save(p->majority, w);
}

static int progress_label_fits(const lt_progressive *p, double y) {
  return p->numbers ? isfinite(y) : y >= 0 && y < (double)p->classes && floor(y) == y;
}

/* A ring and counts that the saved header fits to. */
static void progress_ring(lt_progressive *p, lt_get *r) {
  uint64_t n_count = 0, n_pred = 0;
  int64_t kept = p->rows < p->window ? p->rows : p->window;
  double *count = lt_get_f64s(r, &n_count), *pred = lt_get_f64s(r, &n_pred);
  if (!r->failed && (n_count != (uint64_t)p->classes || n_pred != (uint64_t)(kept * p->n_out))) lt_get_fail(r, LEAT_E_FORMAT);
  for (uint64_t i = 0; i < n_count && !r->failed; i++) {
    if (!(count[i] >= 0) || !isfinite(count[i])) lt_get_fail(r, LEAT_E_FORMAT);
    p->count[i] = count[i];
  }
  for (uint64_t i = 0; i < n_pred && !r->failed; i++) p->pred[i] = pred[i];
  for (int64_t i = 0; i < kept && !r->failed; i++) {
    p->row[i] = (progress_row){lt_get_f64(r), 0};
    p->row[i].w = lt_get_f64(r);
    if (!progress_label_fits(p, p->row[i].y) || !(p->row[i].w >= 0) || !isfinite(p->row[i].w)) lt_get_fail(r, LEAT_E_FORMAT);
  }
  lt_free(p->rt, count);
  lt_free(p->rt, pred);
}

leat_status lt_progressive_restore(lt_progressive *p, lt_get *r, leat_error *err) {
  int64_t classes = lt_get_i64(r);
  p->rows = lt_get_i64(r);
  p->weight = lt_get_f64(r);
  p->total = lt_get_f64(r);
  p->sum = lt_get_f64(r);
  p->last = lt_get_f64(r);
  p->repeats = lt_get_f64(r);
  p->pairs = lt_get_f64(r);
  if (p->rows < 0 || classes > PROGRESS_CLASSES || (p->numbers ? classes != 0 : classes < 2) || !(p->weight >= 1e-160) ||
      !(p->weight <= 0x1p502) || !isfinite(p->total) || !isfinite(p->sum) || !(p->repeats >= 0) || !(p->pairs >= p->repeats) ||
      isinf(p->pairs)) {
    lt_get_fail(r, LEAT_E_FORMAT);
    return LEAT_OK;
  }
  leat_status st = lt_progressive_grow(p, classes, err);
  if (st) return st;
  if (!isnan(p->last) && !progress_label_fits(p, p->last)) lt_get_fail(r, LEAT_E_FORMAT);
  if (!r->failed) progress_ring(p, r);
  leat_metrics *const k[] = {p->all, p->faded, p->no_change, p->majority};
  for (int i = 0; i < 4 && !st && !r->failed; i++) {
    st = lt_metrics_restore(k[i], r, err);
    /* the class set of the sums is the header's */
    if (!st && !r->failed) st = p->numbers ? lt_metrics_reserve(k[i], 1, 1, err) : lt_metrics_grow(k[i], classes, err);
    if (!st && !r->failed && !p->numbers &&
        (lt_metrics_check(k[i], (double)(classes - 1), 1, NULL) || !lt_metrics_check(k[i], (double)classes, 1, NULL)))
      lt_get_fail(r, LEAT_E_FORMAT);
  }
  return st;
}
