/* A trainer whose solution is a network: how the two fit together. An iteration is an epoch. */
#include "base/number.h"
#include "train/state.h"
#include <math.h>
#include <string.h>

/* The op "loss" knows them by number (docs/ops.md). */
static const char *const loss_names[] = {"squared", "logistic", "huber", "quantile", "poisson", "hinge", "squared_hinge"};

static int32_t loss_kind(const lt_loss *loss) {
  for (int32_t k = 0; k < (int32_t)(sizeof loss_names / sizeof *loss_names); k++)
    if (strcmp(loss->name, loss_names[k]) == 0) return k;
  return 0; /* softmax: an op of its own */
}

/* Losses of numbers that scale with the target are minimised in its deviations. */
static int scales(const lt_loss *loss) {
  return strcmp(loss->name, "squared") == 0 || strcmp(loss->name, "huber") == 0 || strcmp(loss->name, "quantile") == 0;
}

/* The loss in the target's units. */
static double in_units(const leat_trainer *t, double loss) {
  double unit = t->net->unit;
  return strcmp(t->loss->name, "quantile") == 0 ? loss * unit : loss * unit * unit;
}

static leat_status adopt(leat_trainer *t, leat_error *err) {
  lt_resume *r = t->resume;
  lt_net *n = t->net;
  leat_status st = LEAT_OK;
  for (int k = 0; k < 4 && !st; k++) {
    int there = lt_net_has(n, k);
    if (k == 1 && r->n_net[k] == 0) continue; /* no best yet */
    if (r->n_net[k] != (there ? (uint64_t)n->m->shape.n : 0) || r->epoch_rows >= n->train.n)
      return lt_fail(err, LEAT_E_FORMAT, "the checkpoint's network does not fit its own settings: it is damaged");
    if (there) st = lt_net_put(n, k, r->net[k], err);
  }
  n->steps = r->steps;
  n->epoch_rows = n->loss_rows = r->epoch_rows;
  n->loss_sum = r->loss_sum;
  return st;
}

leat_status lt_trainer_net_start(leat_trainer *t, leat_error *err) {
  lt_loss_args args;
  double *null_margin = lt_array(t->rt, (uint64_t)t->task.n_out, sizeof *null_margin), mean, spread;
  leat_status st = null_margin ? lt_trainer_loss(t, &args, err) : lt_fail_memory(err, 8, "a network");
  if (!st) st = lt_trainer_null_margins(t, args.shape, null_margin, err);
  if (!st) {
    lt_trainer_target(t, &mean, &spread);
    lt_net_plan plan = {.rt = t->rt, .dev = t->dev, .settings = t->settings, .encoder = t->encoder, .task = &t->task,
                        .x = t->x, .xv = t->xv, .loss_kind = loss_kind(t->loss), .loss_shape = args.shape, .unit = 1,
                        .null_margin = null_margin, .warm = t->warm ? lt_model_params(t->warm) : NULL};
    if (t->task.n_classes == 0 && scales(t->loss)) {
      plan.unit = spread;
      plan.centre = mean;
      null_margin[0] = (null_margin[0] - mean) / spread;
      if (plan.loss_kind == 2) plan.loss_shape /= spread;
    }
    st = lt_net_create(&plan, &t->net, err);
  }
  lt_free(t->rt, null_margin);
  return !st && t->resume ? adopt(t, err) : st;
}

static void done(leat_trainer *t, const char *why) {
  char f[32];
  lt_f64_text(t->last_loss, f);
  lt_log(t->rt, LEAT_LOG_INFO, "training stopped after %lld epochs: %s (mean loss %s)", (long long)t->iterations, why, f);
  t->phase = PHASE_DONE;
}

static leat_status epoch_score(leat_trainer *t, leat_error *err) {
  double sum;
  leat_status st = lt_net_evaluate(t->net, 1, &sum, NULL, err);
  if (st) return st;
  t->score = in_units(t, sum) / t->xv->weight_sum;
  if (!isfinite(t->score)) t->score = INFINITY;
  if (isnan(t->best_score) || t->score < t->best_score) {
    t->best_score = t->score;
    t->best_iteration = t->iterations;
    t->since_best = 0;
    return lt_net_keep_best(t->net, err);
  }
  t->since_best++;
  return LEAT_OK;
}

static leat_status epoch_end(leat_trainer *t, leat_error *err) {
  lt_net *n = t->net;
  double sum;
  leat_status st = lt_net_loss(n, &sum, err);
  if (st) return st;
  if (!isfinite(sum)) {
    t->phase = PHASE_DONE;
    return lt_fail(err, LEAT_E_NUMERIC, "the loss is not finite in epoch %lld: take a smaller learning_rate, or clip_norm",
                   (long long)(t->iterations + 1));
  }
  t->last_loss = in_units(t, sum) / t->x->weight_sum;
  n->epoch_rows = n->loss_rows = 0;
  n->loss_sum = 0;
  t->iterations++;
  t->rows_seen_base = t->rows_seen;
  if (t->has_valid) st = epoch_score(t, err);
  if (st) return st;
  if (t->has_valid && t->patience > 0 && t->since_best >= t->patience) done(t, "the validation loss has not improved");
  else if (t->iterations >= t->max_iterations) done(t, "all epochs are done");
  return LEAT_OK;
}

leat_status lt_trainer_net_pass(leat_trainer *t, int64_t max_rows, int64_t *rows, int *iteration, leat_error *err) {
  int end = 0;
  leat_status st = lt_net_rows(t->net, t->iterations, max_rows, rows, &end, err);
  if (st || !end) return st;
  *iteration = 1;
  return epoch_end(t, err);
}

/* ---- checkpoints: the state as it is, amid an epoch too */

leat_status lt_trainer_net_put(leat_trainer *t, lt_put *w, leat_error *err) {
  lt_net *n = t->net;
  uint64_t size = (uint64_t)n->m->shape.n;
  double sum;
  float *v = lt_array(t->rt, size, sizeof *v);
  leat_status st = v ? lt_net_loss(n, &sum, err) : lt_fail_memory(err, size * sizeof *v, "a checkpoint");
  if (!st) {
    lt_put_i64(w, n->steps);
    lt_put_i64(w, n->epoch_rows);
    lt_put_f64(w, n->loss_sum);
  }
  for (int k = 0; k < 4 && !st; k++) {
    int there = lt_net_has(n, k) && (k != 1 || !isnan(t->best_score));
    if (there) st = lt_net_get(n, k, v, err);
    if (!st) lt_put_f32s(w, v, there ? size : 0);
  }
  lt_free(t->rt, v);
  return st;
}

void lt_trainer_net_get(leat_trainer *t, lt_get *g) {
  lt_resume *r = t->resume;
  r->steps = lt_get_i64(g);
  r->epoch_rows = lt_get_i64(g);
  r->loss_sum = lt_get_f64(g);
  if (r->steps < 0 || r->epoch_rows < 0 || !isfinite(r->loss_sum)) lt_get_fail(g, LEAT_E_FORMAT);
  for (int k = 0; k < 4; k++) {
    r->net[k] = lt_get_f32s(g, &r->n_net[k]);
    for (uint64_t i = 0; r->net[k] && i < r->n_net[k]; i++)
      if (!isfinite(r->net[k][i])) lt_get_fail(g, LEAT_E_FORMAT);
  }
}
