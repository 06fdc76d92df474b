/* What training starts from: the loss's numbers, and the model that knows only the intercept. */
#include "stats/sums.h"
#include "train/state.h"
#include <math.h>
#include <string.h>

static double row_weight(const lt_design *d, int64_t r) { return d->weight ? d->weight[r] : 1; }

void lt_trainer_target(const leat_trainer *t, double *mean, double *spread) {
  const lt_design *d = t->x;
  double sum = 0, square = 0;
  for (int64_t r = 0; r < d->n; r++) sum += row_weight(d, r) * d->y[r];
  *mean = sum / d->weight_sum;
  for (int64_t r = 0; r < d->n; r++) square += row_weight(d, r) * (d->y[r] - *mean) * (d->y[r] - *mean);
  *spread = sqrt(square / d->weight_sum);
  if (!(*spread > 0) || !isfinite(*spread)) *spread = 1;
}

/* log needs a mean above 0. */
static leat_status check_counts(const leat_trainer *t, const lt_design *d, int train, leat_error *err) {
  const char *name = t->schema->col[lt_schema_role(t->schema, LEAT_ROLE_TARGET)].name;
  double sum = 0;
  for (int64_t r = 0; r < d->n; r++) {
    if (d->y[r] < 0)
      return lt_fail_at(err, LEAT_E_DATA, r + 1, 0, "the target '%.100s' is negative at row %lld: loss=poisson takes numbers from 0 up",
                        name, (long long)(r + 1));
    sum += row_weight(d, r) * d->y[r];
  }
  if (train && !(sum > 0))
    return lt_fail(err, LEAT_E_DATA, "the target '%.100s' is 0 in every row: loss=poisson has nothing to learn", name);
  return LEAT_OK;
}

leat_status lt_trainer_loss(const leat_trainer *t, lt_loss_args *args, leat_error *err) {
  leat_status st = LEAT_OK;
  const char *name = t->loss->name;
  double mean = 0, spread = 1;
  *args = (lt_loss_args){0, 0};
  if (strcmp(name, "huber") == 0 || strcmp(name, "quantile") == 0) lt_trainer_target(t, &mean, &spread);
  if (strcmp(name, "huber") == 0) {
    args->shape = lt_param_real(t->settings, "huber_delta") * spread;
  } else if (strcmp(name, "quantile") == 0) {
    args->shape = lt_param_real(t->settings, "quantile");
    args->width = spread;
  } else if (strcmp(name, "hinge") == 0) {
    args->width = 2; /* all rows are on the parabola at the margins 0 */
  } else if (strcmp(name, "poisson") == 0) {
    st = check_counts(t, t->x, 1, err);
    if (!st && t->xv) st = check_counts(t, t->xv, 0, err);
  }
  return st;
}

/* Where the sorted weights reach the share q. */
static leat_status target_quantile(const lt_design *d, double q, double *out, leat_error *err) {
  uint64_t n = (uint64_t)d->n;
  lt_scored *v = lt_array(d->rt, n, sizeof *v), *room = lt_array(d->rt, n, sizeof *room);
  leat_status st = v && room ? LEAT_OK : lt_fail_memory(err, n * sizeof *v, "the target's quantile");
  for (uint64_t r = 0; r < n && !st; r++) v[r] = (lt_scored){d->y[r], row_weight(d, (int64_t)r)};
  if (!st) lt_sort_scored(v, room, n);
  double sum = 0;
  for (uint64_t r = 0; r < n && !st; r++) {
    *out = v[r].key;
    sum += v[r].weight;
    if (sum >= q * d->weight_sum) break;
  }
  lt_free(d->rt, v);
  lt_free(d->rt, room);
  return st;
}

/* The mean (its log, the quantile), the log odds, the logs of the classes' shares. */
leat_status lt_trainer_null_margins(const leat_trainer *t, double shape, double *out, leat_error *err) {
  const lt_design *d = t->x;
  int64_t k_out = t->task.n_out;
  double *sum = lt_zarray(t->rt, (uint64_t)k_out + 1, sizeof *sum);
  leat_status st = LEAT_OK;
  if (!sum) return lt_fail_memory(err, (uint64_t)k_out * 8, "a solver's vectors");
  double total = 0;
  for (int64_t r = 0; r < d->n; r++) {
    double w = row_weight(d, r);
    total += w;
    if (k_out == 1) sum[0] += w * d->y[r];
    else sum[(int64_t)d->y[r]] += w;
  }
  for (int64_t k = 0; k < k_out && !st; k++) {
    double *b = &out[k];
    if (strcmp(t->loss->name, "quantile") == 0) st = target_quantile(d, shape, b, err);
    else if (strcmp(t->loss->name, "poisson") == 0) *b = log(sum[0] / total);
    else if (t->loss->flags & LT_LOSS_MARGIN) *b = 0;
    else if (t->task.n_classes == 0) *b = sum[0] / total;
    else if (k_out == 1) *b = log((sum[0] + 1e-3) / (total - sum[0] + 1e-3));
    else *b = log((sum[k] + 1e-3) / (total + 1e-3));
  }
  lt_free(t->rt, sum);
  return st;
}

leat_status lt_trainer_null_model(leat_trainer *t, leat_error *err) {
  int64_t k_out = t->task.n_out, n_par = t->o->n_par;
  t->null_model = lt_zarray(t->rt, (uint64_t)t->o->n, sizeof *t->null_model);
  double *margins = lt_array(t->rt, (uint64_t)k_out, sizeof *margins);
  leat_status st = t->null_model && margins ? LEAT_OK : lt_fail_memory(err, (uint64_t)t->o->n * 8, "a solver's vectors");
  if (!st && t->intercept) st = lt_trainer_null_margins(t, t->o->args.shape, margins, err);
  for (int64_t k = 0; k < k_out && t->intercept && !st; k++) t->null_model[k * n_par + n_par - 1] = margins[k];
  lt_free(t->rt, margins);
  return st;
}
