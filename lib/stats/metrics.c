/* Running metrics: every one is a function of a few sums, so two halves of the data can be merged. */
#include "stats/metrics.h"
#include <string.h>
#include "base/number.h"
#include "stats/auc.h"

enum {
  METRIC_ROWS, METRIC_LOSS, METRIC_ACCURACY, METRIC_AUC, METRIC_BRIER, METRIC_ECE, METRIC_KAPPA, METRIC_F1, METRIC_RMSE,
  METRIC_MAE, METRIC_R2, METRIC_CALIBRATION, METRIC_N
};
enum { TASK_OPEN = 0, TASK_CLASSES = 1, TASK_NUMBERS = 2 };
enum { ECE_CELLS = 15, CLASSES_MAX = 1 << 20 };
static const char *const metric_names[METRIC_N] = {"rows", "loss", "accuracy", "auc", "brier", "ece",
                                                   "kappa", "f1", "rmse", "mae", "r2", "calibration"};
#define METRIC_BIT(m) (1u << (m))
#define OF_CLASSES (METRIC_BIT(METRIC_ACCURACY) | METRIC_BIT(METRIC_BRIER) | METRIC_BIT(METRIC_ECE) | METRIC_BIT(METRIC_KAPPA))
#define OF_TWO (METRIC_BIT(METRIC_AUC) | METRIC_BIT(METRIC_F1)) /* and calibration, which numbers have too */
#define OF_NUMBERS (METRIC_BIT(METRIC_RMSE) | METRIC_BIT(METRIC_MAE) | METRIC_BIT(METRIC_R2))
#define OF_ALL (METRIC_BIT(METRIC_ROWS) | METRIC_BIT(METRIC_LOSS))

struct leat_metrics {
  leat_runtime *rt;
  lt_owner owner;
  uint32_t wanted;
  int32_t order[METRIC_N], n;      /* as they were asked for */
  int32_t task, asked_task;
  int64_t classes, asked_classes;  /* 0: known with the first row */
  int64_t n_out;                   /* 0: no row yet */
  int64_t rows;
  /* classes: square holds the squared losses, absolute the P(class 1); numbers: loss the fourth powers of the errors,
   * right the predictions. Those serve intervals and calibration only, and carry a plain double's digits. */
  lt_sum weight, loss, right, brier, square, absolute, y, yy;
  double effective;                /* rows that count for intervals; 0: all */
  lt_sum ece_p[ECE_CELLS], ece_y[ECE_CELLS];
  lt_sum *truth, *guess;           /* [classes] weights of true and of predicted classes; truth owns both */
  lt_sum hit;                      /* two classes: weight where class 1 was predicted and true */
  lt_auc auc;
};

static leat_status metrics_want(leat_metrics *k, uint32_t set) {
  for (int32_t m = 0; m < METRIC_N; m++) {
    if (!(set & METRIC_BIT(m)) || k->wanted & METRIC_BIT(m)) continue;
    k->wanted |= METRIC_BIT(m);
    k->order[k->n++] = m;
  }
  return LEAT_OK;
}

static leat_status metrics_unknown(const char *s, uint64_t n, leat_error *err) {
  char name[64];
  const char *known[METRIC_N + 3];
  uint64_t cut = n < sizeof name - 1 ? n : sizeof name - 1;
  memcpy(name, s, cut);
  name[cut] = 0;
  memcpy(known, metric_names, sizeof metric_names);
  known[METRIC_N] = "binary";
  known[METRIC_N + 1] = "multiclass:K";
  known[METRIC_N + 2] = "regression";
  const char *near = lt_nearest(name, known, METRIC_N + 3);
  return lt_fail(err, LEAT_E_NOT_FOUND, "there is no metric '%s'%s%s%s; metrics are rows, loss, accuracy, auc, brier, ece, "
                 "kappa, f1, rmse, mae, r2, calibration, or all of binary, multiclass:K, regression", name, near ? "; did you mean '" : "",
                 near ? near : "", near ? "'?" : "");
}

static leat_status metrics_take_name(leat_metrics *k, const char *s, uint64_t n, leat_error *err) {
  int64_t classes;
  if (n == 6 && memcmp(s, "binary", 6) == 0) {
    k->asked_task = TASK_CLASSES;
    k->asked_classes = 2;
    return metrics_want(k, OF_ALL | OF_CLASSES | OF_TWO | METRIC_BIT(METRIC_CALIBRATION));
  }
  if (n == 10 && memcmp(s, "regression", 10) == 0) {
    k->asked_task = TASK_NUMBERS;
    return metrics_want(k, OF_ALL | OF_NUMBERS | METRIC_BIT(METRIC_CALIBRATION));
  }
  if (n > 11 && memcmp(s, "multiclass:", 11) == 0) {
    if (!lt_parse_i64(s + 11, s + n, &classes) || classes < 2 || classes > CLASSES_MAX)
      return lt_fail(err, LEAT_E_ARG, "multiclass:K needs a number of classes K from 2 to %d", (int)CLASSES_MAX);
    k->asked_task = TASK_CLASSES;
    k->asked_classes = classes;
    return metrics_want(k, OF_ALL | OF_CLASSES | (classes == 2 ? OF_TWO | METRIC_BIT(METRIC_CALIBRATION) : 0));
  }
  for (int32_t m = 0; m < METRIC_N; m++)
    if (strlen(metric_names[m]) == n && memcmp(metric_names[m], s, n) == 0) return metrics_want(k, METRIC_BIT(m));
  return metrics_unknown(s, n, err);
}

static leat_status metrics_take_names(leat_metrics *k, const char *names, leat_error *err) {
  const char *s = names;
  for (;;) {
    while (*s == ' ') s++;
    const char *end = s + strcspn(s, ","), *stop = end;
    while (stop > s && stop[-1] == ' ') stop--;
    leat_status st = metrics_take_name(k, s, (uint64_t)(stop - s), err);
    if (st != LEAT_OK) return st;
    if (!*end) break;
    s = end + 1;
  }
  int classes = (k->wanted & (OF_CLASSES | OF_TWO)) != 0 || k->asked_task == TASK_CLASSES;
  int numbers = (k->wanted & OF_NUMBERS) != 0 || k->asked_task == TASK_NUMBERS;
  if (classes && numbers)
    return lt_fail(err, LEAT_E_ARG, "metrics of classes and of numbers do not go together: '%s'", names);
  k->asked_task = classes ? TASK_CLASSES : numbers ? TASK_NUMBERS : TASK_OPEN;
  return LEAT_OK;
}

leat_status lt_metrics_create(leat_runtime *rt, const char *names, leat_metrics **out, leat_error *err) {
  *out = NULL;
  leat_metrics *k = lt_zalloc(rt, sizeof *k);
  if (!k) return lt_fail_memory(err, sizeof *k, "metrics");
  k->rt = rt;
  lt_runtime_ref(rt);
  lt_auc_init(&k->auc, rt);
  leat_status st = metrics_take_names(k, names, err);
  if (st != LEAT_OK) {
    lt_metrics_free(k);
    return st;
  }
  lt_metrics_reset(k);
  *out = k;
  return LEAT_OK;
}

void lt_metrics_reset(leat_metrics *k) {
  lt_auc_free(&k->auc);
  lt_free(k->rt, k->truth);
  k->truth = k->guess = NULL;
  k->task = k->asked_task;
  k->classes = k->asked_classes;
  k->n_out = k->rows = 0;
  k->effective = 0;
  k->weight = k->loss = k->right = k->brier = k->square = k->absolute = k->y = k->yy = k->hit = (lt_sum){0, 0};
  memset(k->ece_p, 0, sizeof k->ece_p);
  memset(k->ece_y, 0, sizeof k->ece_y);
}

void lt_metrics_free(leat_metrics *k) {
  if (!k) return;
  leat_runtime *rt = k->rt;
  lt_auc_free(&k->auc);
  lt_free(rt, k->truth);
  lt_free(rt, k);
  lt_runtime_unref(rt);
}

/* The first row says how many numbers a prediction has. */
static leat_status metrics_shape(leat_metrics *k, int64_t n_out, leat_error *err) {
  if (k->n_out)
    return n_out == k->n_out ? LEAT_OK
                             : lt_fail(err, LEAT_E_SHAPE, "predictions of %lld numbers after such of %lld",
                                       (long long)n_out, (long long)k->n_out);
  int32_t task = k->asked_task ? k->asked_task : n_out > 1 ? TASK_CLASSES : TASK_NUMBERS;
  int64_t classes = task == TASK_CLASSES ? (n_out == 1 ? 2 : n_out) : 0;
  if (n_out < 1 || n_out > CLASSES_MAX || (task == TASK_NUMBERS && n_out != 1))
    return lt_fail(err, LEAT_E_SHAPE, "predictions of %lld numbers, one is needed for metrics of numbers",
                   (long long)n_out);
  if (k->asked_classes && classes != k->asked_classes)
    return lt_fail(err, LEAT_E_SHAPE, "predictions of %lld numbers for %lld classes", (long long)n_out,
                   (long long)k->asked_classes);
  if (classes > 2 && k->wanted & OF_TWO)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "auc and f1 are for two classes, the predictions have %lld", (long long)classes);
  if (task == TASK_CLASSES && k->wanted & METRIC_BIT(METRIC_KAPPA) && !k->truth) {
    k->truth = lt_zarray(k->rt, 2 * (uint64_t)classes, sizeof *k->truth);
    if (!k->truth) return lt_fail_memory(err, 2 * (uint64_t)classes * sizeof *k->truth, "metrics");
    k->guess = k->truth + classes;
  }
  k->task = task;
  k->classes = classes;
  k->n_out = n_out;
  return LEAT_OK;
}

leat_status lt_metrics_reserve(leat_metrics *k, int64_t n_out, int64_t n, leat_error *err) {
  leat_status st = metrics_shape(k, n_out, err);
  if (st == LEAT_OK && k->wanted & METRIC_BIT(METRIC_AUC)) st = lt_auc_reserve(&k->auc, (uint64_t)n, err);
  return st;
}

leat_status lt_metrics_check(const leat_metrics *k, double y, double w, leat_error *err) {
  char text[32];
  if (!(w >= 0 && w <= 1.7976931348623157e308)) {
    (void)lt_f64_text(w, text);
    return lt_fail(err, LEAT_E_DATA, "a row's weight is %s; it must be finite and not negative", text);
  }
  if (y != y || k->task != TASK_CLASSES) return LEAT_OK;
  if (y >= 0 && y < (double)k->classes && floor(y) == y) return LEAT_OK;
  (void)lt_f64_text(y, text);
  return lt_fail(err, LEAT_E_DATA, "the target %s is not a class: one of 0 to %lld is needed", text,
                 (long long)(k->classes - 1));
}

static double metrics_log_loss(double p) {
  const double edge = 1e-15;
  return -log(p < edge ? edge : p > 1 - edge ? 1 - edge : p); /* NaN stays NaN */
}

static void metrics_calibration(leat_metrics *k, double p, double y, double w) {
  int cell = p >= 1 ? ECE_CELLS - 1 : p > 0 ? (int)(p * ECE_CELLS) : 0;
  if (cell >= ECE_CELLS) cell = ECE_CELLS - 1;
  lt_sum_product(&k->ece_p[cell], w, p);
  lt_sum_product(&k->ece_y[cell], w, y);
}

static inline void metrics_count_two(leat_metrics *k, double p, double loss, double brier, int64_t guess, int64_t truth, double w) {
  k->square.sum += w * (loss * loss);
  k->absolute.sum += w * p;
  lt_sum_product(&k->loss, w, loss);
  lt_sum_product(&k->brier, w, brier);
  if (guess == truth) lt_sum_add(&k->right, w);
  if (guess && truth) lt_sum_add(&k->hit, w);
  /* f1 needs these two sums as kappa does */
  if (truth) lt_sum_add(&k->y, w);
  if (guess) lt_sum_add(&k->yy, w);
  if (k->truth) {
    lt_sum_add(&k->truth[truth], w);
    lt_sum_add(&k->guess[guess], w);
  }
}

static void metrics_add_two(leat_metrics *k, double p, int64_t truth, double w) {
  double y = (double)truth;
  metrics_count_two(k, p, truth ? metrics_log_loss(p) : metrics_log_loss(1 - p), (p - y) * (p - y), p > 0.5, truth, w);
  if (k->wanted & METRIC_BIT(METRIC_ECE)) metrics_calibration(k, p, y, w);
  if (k->wanted & METRIC_BIT(METRIC_AUC)) lt_auc_add(&k->auc, p, (int)truth, w);
}

void lt_metrics_add_binary(leat_metrics *const *k, const double *w, int n, double p, int64_t truth) {
  double loss = truth ? metrics_log_loss(p) : metrics_log_loss(1 - p), miss = p - (double)truth;
  for (int i = 0; i < n; i++) {
    k[i]->rows++;
    lt_sum_add(&k[i]->weight, w[i]);
    metrics_count_two(k[i], p, loss, miss * miss, p > 0.5, truth, w[i]);
  }
}

static void metrics_add_many(leat_metrics *k, const double *p, int64_t truth, double w) {
  int64_t guess = 0;
  double brier = 0;
  for (int64_t c = 0; c < k->classes; c++) {
    double d = p[c] - (c == truth ? 1.0 : 0.0);
    brier += d * d;
    if (p[c] > p[guess]) guess = c;
  }
  double loss = metrics_log_loss(p[truth]);
  k->square.sum += w * (loss * loss);
  lt_sum_product(&k->loss, w, loss);
  lt_sum_product(&k->brier, w, brier);
  if (guess == truth) lt_sum_add(&k->right, w);
  if (k->wanted & METRIC_BIT(METRIC_ECE)) metrics_calibration(k, p[guess], guess == truth ? 1 : 0, w);
  if (k->truth) {
    lt_sum_add(&k->truth[truth], w);
    lt_sum_add(&k->guess[guess], w);
  }
}

leat_status lt_metrics_add(leat_metrics *k, const double *pred, int64_t n_out, double y, double w, leat_error *err) {
  leat_status st = lt_metrics_reserve(k, n_out, 1, err);
  if (st == LEAT_OK) st = lt_metrics_check(k, y, w, err);
  if (st != LEAT_OK || y != y) return st;
  k->rows++;
  lt_sum_add(&k->weight, w);
  if (k->task == TASK_CLASSES) {
    if (k->classes == 2) metrics_add_two(k, pred[n_out - 1], (int64_t)y, w);
    else metrics_add_many(k, pred, (int64_t)y, w);
    return LEAT_OK;
  }
  double d = pred[0] - y, square = d * d;
  k->loss.sum += w * (square * square);
  k->right.sum += w * pred[0];
  lt_sum_product(&k->square, w, square);
  lt_sum_product(&k->absolute, w, fabs(d));
  lt_sum_product(&k->y, w, y);
  double yy = y * y;
  lt_sum_product(&k->yy, w, yy);
  if (isfinite(yy)) k->yy.rest += w * fma(y, y, -yy);
  return LEAT_OK;
}

leat_status lt_metrics_merge(leat_metrics *k, const leat_metrics *other, leat_error *err) {
  if (k->wanted != other->wanted || k->asked_task != other->asked_task || k->asked_classes != other->asked_classes)
    return lt_fail(err, LEAT_E_SHAPE, "metrics of other names cannot be merged");
  if (k == other) return lt_fail(err, LEAT_E_ARG, "metrics cannot be merged with themselves");
  if (!other->n_out) return LEAT_OK;
  leat_status st = metrics_shape(k, other->n_out, err);
  if (st == LEAT_OK && k->wanted & METRIC_BIT(METRIC_AUC)) st = lt_auc_merge(&k->auc, &other->auc, err);
  if (st != LEAT_OK) return st;
  lt_sum *into[] = {&k->weight, &k->loss, &k->right, &k->brier, &k->square, &k->absolute, &k->y, &k->yy, &k->hit};
  const lt_sum *from[] = {&other->weight, &other->loss, &other->right, &other->brier, &other->square, &other->absolute,
                          &other->y, &other->yy, &other->hit};
  for (uint64_t i = 0; i < sizeof into / sizeof *into; i++) lt_sum_merge(into[i], from[i]);
  for (int i = 0; i < ECE_CELLS; i++) {
    lt_sum_merge(&k->ece_p[i], &other->ece_p[i]);
    lt_sum_merge(&k->ece_y[i], &other->ece_y[i]);
  }
  for (int64_t c = 0; k->truth && c < 2 * k->classes; c++) lt_sum_merge(&k->truth[c], &other->truth[c]);
  k->rows += other->rows;
  return LEAT_OK;
}

leat_status lt_metrics_grow(leat_metrics *k, int64_t classes, leat_error *err) {
  if (k->wanted & (OF_TWO | METRIC_BIT(METRIC_ECE)) || k->asked_classes)
    return lt_fail(err, LEAT_E_INTERNAL, "these metrics are of a fixed number of classes");
  if (!k->n_out) return metrics_shape(k, classes > 2 ? classes : 1, err);
  if (classes <= k->classes) return LEAT_OK;
  if (k->truth) {
    lt_sum *truth = lt_zarray(k->rt, 2 * (uint64_t)classes, sizeof *truth);
    if (!truth) return lt_fail_memory(err, 2 * (uint64_t)classes * sizeof *truth, "metrics");
    memcpy(truth, k->truth, (size_t)k->classes * sizeof *truth);
    memcpy(truth + classes, k->guess, (size_t)k->classes * sizeof *truth);
    lt_free(k->rt, k->truth);
    k->truth = truth;
    k->guess = truth + classes;
  }
  if (k->n_out == 1) { /* of two classes it is (p - y)^2, of more the sum over the classes */
    k->brier.sum *= 2;
    k->brier.rest *= 2;
  }
  k->classes = k->n_out = classes;
  return LEAT_OK;
}

/* The sums that a fixed list of metrics keeps beside the counts of classes. */
enum { METRIC_SUMS = 9 };
static void metrics_sums(leat_metrics *k, lt_sum *sums[METRIC_SUMS]) {
  lt_sum *all[METRIC_SUMS] = {&k->weight, &k->loss, &k->right, &k->brier, &k->square, &k->absolute, &k->y, &k->yy, &k->hit};
  memcpy(sums, all, sizeof all);
}

void lt_metrics_scale(leat_metrics *k, double factor) {
  lt_sum *sums[METRIC_SUMS];
  metrics_sums(k, sums);
  for (int i = 0; i < METRIC_SUMS; i++) {
    sums[i]->sum *= factor;
    sums[i]->rest *= factor;
  }
  for (int64_t c = 0; k->truth && c < 2 * k->classes; c++) {
    k->truth[c].sum *= factor;
    k->truth[c].rest *= factor;
  }
}

void lt_metrics_save(const leat_metrics *k, lt_put *w) {
  lt_sum *sums[METRIC_SUMS];
  metrics_sums((leat_metrics *)(uintptr_t)k, sums);
  lt_put_i64(w, k->n_out);
  lt_put_i64(w, k->rows);
  for (int i = 0; i < METRIC_SUMS; i++) {
    lt_put_f64(w, sums[i]->sum);
    lt_put_f64(w, sums[i]->rest);
  }
  for (int64_t c = 0; k->truth && c < 2 * k->classes; c++) {
    lt_put_f64(w, k->truth[c].sum);
    lt_put_f64(w, k->truth[c].rest);
  }
}

leat_status lt_metrics_restore(leat_metrics *k, lt_get *r, leat_error *err) {
  lt_sum *sums[METRIC_SUMS];
  lt_metrics_reset(k);
  int64_t n_out = lt_get_i64(r), rows = lt_get_i64(r);
  if (n_out < 0 || n_out > CLASSES_MAX || n_out == 2 || rows < 0 || (n_out == 0 && rows > 0) ||
      (uint64_t)n_out > lt_get_left(r)) {
    lt_get_fail(r, LEAT_E_FORMAT);
    return LEAT_OK;
  }
  leat_status st = n_out ? metrics_shape(k, n_out, err) : LEAT_OK;
  if (st) return st;
  k->rows = rows;
  metrics_sums(k, sums);
  for (int i = 0; i < METRIC_SUMS; i++) {
    sums[i]->sum = lt_get_f64(r);
    sums[i]->rest = lt_get_f64(r);
  }
  for (int64_t c = 0; k->truth && c < 2 * k->classes; c++) {
    k->truth[c].sum = lt_get_f64(r);
    k->truth[c].rest = lt_get_f64(r);
  }
  return LEAT_OK;
}

int64_t lt_metrics_count(const leat_metrics *k) { return k->n; }

const char *lt_metrics_name(const leat_metrics *k, int64_t index) {
  return index >= 0 && index < k->n ? metric_names[k->order[index]] : NULL;
}

lt_owner *lt_metrics_owner(const leat_metrics *k) { return (lt_owner *)(uintptr_t)&k->owner; }

leat_runtime *lt_metrics_runtime(const leat_metrics *k) { return k->rt; }

static double metrics_kappa(const leat_metrics *k, double w) {
  lt_sum chance = {0, 0};
  if (!k->truth) return NAN;
  for (int64_t c = 0; c < k->classes; c++)
    lt_sum_product(&chance, lt_sum_value(&k->truth[c]) / w, lt_sum_value(&k->guess[c]) / w);
  double expected = lt_sum_value(&chance), seen = lt_sum_value(&k->right) / w;
  return expected < 1 ? (seen - expected) / (1 - expected) : NAN;
}

static double metrics_ece(const leat_metrics *k, double w) {
  lt_sum gap = {0, 0};
  for (int i = 0; i < ECE_CELLS; i++)
    lt_sum_add(&gap, fabs((k->ece_p[i].sum - k->ece_y[i].sum) + (k->ece_p[i].rest - k->ece_y[i].rest)));
  return lt_sum_value(&gap) / w;
}

/* 1 - squares / (yy - y^2 / w); the difference is taken with the digits that the sums still have in `rest`. */
static double metrics_r2(const leat_metrics *k, double w) {
  double y = lt_sum_value(&k->y), rest = (k->y.sum - y) + k->y.rest, mean = y / w;
  double correction = fma(-mean, w, y) + rest; /* what mean * w misses of the sum */
  double part = mean * y, low = fma(mean, y, -part) + mean * (rest + correction);
  low -= mean * mean * ((k->weight.sum - w) + k->weight.rest);
  double spread = (k->yy.sum - part) + (k->yy.rest - low);
  return spread > 0 ? 1 - lt_sum_value(&k->square) / spread : NAN;
}

/* Predicted over true: of class 1, or of numbers. */
static double metrics_ratio(const leat_metrics *k) {
  double predicted = lt_sum_value(k->task == TASK_NUMBERS ? &k->right : &k->absolute), truth = lt_sum_value(&k->y);
  return k->classes > 2 || truth == 0 || predicted == 0 ? NAN : predicted / truth;
}

leat_status lt_metrics_value(const leat_metrics *k, const char *name, double *value, leat_error *err) {
  int32_t m = 0;
  *value = NAN;
  while (m < METRIC_N && !(k->wanted & METRIC_BIT(m) && strcmp(metric_names[m], name) == 0)) m++;
  if (m == METRIC_N) {
    const char *known[METRIC_N];
    for (int32_t i = 0; i < k->n; i++) known[i] = metric_names[k->order[i]];
    const char *near = lt_nearest(name, known, k->n);
    return lt_fail(err, LEAT_E_NOT_FOUND, "these metrics have no '%s'%s%s%s", name, near ? "; did you mean '" : "",
                   near ? near : "", near ? "'?" : "");
  }
  if (m == METRIC_ROWS) {
    *value = (double)k->rows;
    return LEAT_OK;
  }
  double w = lt_sum_value(&k->weight);
  if (!(w > 0)) return LEAT_OK;
  double positives = lt_sum_value(&k->y), guesses = lt_sum_value(&k->yy);
  switch (m) {
    case METRIC_LOSS: *value = lt_sum_value(k->task == TASK_CLASSES ? &k->loss : &k->square) / w; break;
    case METRIC_ACCURACY: *value = lt_sum_value(&k->right) / w; break;
    case METRIC_AUC: return lt_auc_value(&k->auc, value, err);
    case METRIC_BRIER: *value = lt_sum_value(&k->brier) / w; break;
    case METRIC_ECE: *value = metrics_ece(k, w); break;
    case METRIC_KAPPA: *value = metrics_kappa(k, w); break;
    case METRIC_F1: *value = positives + guesses > 0 ? 2 * lt_sum_value(&k->hit) / (positives + guesses) : NAN; break;
    case METRIC_RMSE: *value = sqrt(lt_sum_value(&k->square) / w); break;
    case METRIC_MAE: *value = lt_sum_value(&k->absolute) / w; break;
    case METRIC_CALIBRATION: *value = metrics_ratio(k); break;
    default: *value = metrics_r2(k, w); break;
  }
  return LEAT_OK;
}

void lt_metrics_effective(leat_metrics *k, double rows) { k->effective = rows; }

/* mean +- z standard errors of a mean whose squares sum up to `squares`. */
static void metrics_mean_interval(double mean, double squares, double n, double z, double *low, double *high) {
  double var = squares - mean * mean;
  if (!(squares > 0) || !(n > 1)) return;
  double half = z * sqrt((var > 0 ? var : 0) / (n - 1));
  *low = mean - half;
  *high = mean + half;
}

/* Wilson, JASA 22, 1927. */
static void metrics_share_interval(double share, double n, double z, double *low, double *high) {
  double zz = z * z, middle = (share + zz / (2 * n)) / (1 + zz / n);
  double half = z / (1 + zz / n) * sqrt(share * (1 - share) / n + zz / (4 * n * n));
  *low = middle - half > 0 ? middle - half : 0;
  *high = middle + half < 1 ? middle + half : 1;
}

/* Hanley, McNeil: The meaning and use of the area under a ROC curve, Radiology 143, 1982. */
static void metrics_auc_interval(const leat_metrics *k, double n, double w, double z, double *low, double *high) {
  double a = NAN, one = n * lt_sum_value(&k->y) / w, none = n - one;
  if (lt_auc_value(&k->auc, &a, NULL) || isnan(a) || !(one > 0) || !(none > 0)) return;
  double q1 = a / (2 - a), q2 = 2 * a * a / (1 + a);
  double half = z * sqrt((a * (1 - a) + (one - 1) * (q1 - a * a) + (none - 1) * (q2 - a * a)) / (one * none));
  *low = a - half > 0 ? a - half : 0;
  *high = a + half < 1 ? a + half : 1;
}

leat_status lt_metrics_interval(const leat_metrics *k, const char *name, double *low, double *high, leat_error *err) {
  const double z = 1.959963984540054; /* of 95 % */
  double value, w = lt_sum_value(&k->weight), n = k->effective > 0 && k->effective < (double)k->rows ? k->effective : (double)k->rows;
  int numbers = k->task == TASK_NUMBERS;
  *low = *high = NAN;
  leat_status st = lt_metrics_value(k, name, &value, err);
  if (st || isnan(value) || !(w > 0)) return st;
  if (strcmp(name, "loss") == 0 || strcmp(name, "rmse") == 0) {
    metrics_mean_interval(numbers && name[0] == 'r' ? value * value : value, (numbers ? k->loss.sum : k->square.sum) / w, n, z, low, high);
    if (*low < 0) *low = 0;
    if (name[0] == 'r') {
      *low = sqrt(*low);
      *high = sqrt(*high);
    }
  } else if (strcmp(name, "accuracy") == 0) {
    metrics_share_interval(value, n, z, low, high);
  } else if (strcmp(name, "mae") == 0) {
    metrics_mean_interval(value, lt_sum_value(&k->square) / w, n, z, low, high);
    if (*low < 0) *low = 0;
  } else if (strcmp(name, "auc") == 0) {
    metrics_auc_interval(k, n, w, z, low, high);
  }
  return LEAT_OK;
}
