/* What a trainer gives: parameters, a model, metrics. */
#include "base/number.h"
#include "train/state.h"
#include "model/profiles.h"
#include <math.h>
#include <string.h>

static const double *present(const leat_trainer *t) {
  return t->has_valid && !isnan(t->best_score) ? t->best : t->solver->base;
}

/* Calibration and decision of the solution, for its parameters. */
static leat_status add_decision(leat_trainer *t, lt_calibration **c, lt_decision *decision, leat_error *err) {
  leat_status st = lt_trainer_calibration(t, c, err);
  return st ? st : lt_trainer_decision(t, *c, decision, err);
}

leat_status lt_trainer_params(leat_trainer *t, void **params, leat_error *err) {
  const lt_design *d = t->x;
  if (t->net) {
    lt_mlp *net = NULL;
    *params = NULL;
    leat_status made = lt_net_model(t->net, t->has_valid && !isnan(t->best_score), &net, err);
    if (!made) made = add_decision(t, &net->calibration, &net->decision, err);
    if (made) lt_mlp_free(net);
    else *params = net;
    return made;
  }
  leat_status st = t->family->create(t->rt, &t->task, d->n_slots, t->settings, params, err);
  if (st) return st;
  lt_linear *m = *params;
  const double *point = present(t);
  int64_t n_par = t->o->n_par;
  for (int64_t k = 0; k < t->task.n_out; k++) {
    const double *u = point + k * n_par;
    double *w = m->weight + k * d->n_slots, shift = 0;
    for (int64_t j = 0; j < d->n_slots; j++) {
      w[j] = j < d->n_scaled ? u[j] * d->scale[j] : u[j];
      if (j < d->n_scaled) shift += w[j] * d->shift[j];
    }
    m->intercept[k] = t->intercept ? u[n_par - 1] - shift : 0;
  }
  st = add_decision(t, &m->calibration, &m->decision, err);
  if (st) {
    t->family->release(m);
    *params = NULL;
  }
  return st;
}

leat_status lt_trainer_margins(leat_trainer *t, int set, double **out, leat_error *err) {
  const lt_design *d = set ? t->xv : t->x;
  int64_t n_out = t->task.n_out;
  leat_status st = LEAT_OK;
  double sum, *f = lt_array(t->rt, (uint64_t)(d->n * n_out), sizeof *f);
  *out = NULL;
  if (!f) return lt_fail_memory(err, (uint64_t)(d->n * n_out) * 8, "margins of the rows");
  if (t->net) {
    int best = t->has_valid && !isnan(t->best_score);
    if (best) st = lt_net_swap_best(t->net, err);
    int swapped = best && !st;
    if (!st) st = lt_net_evaluate(t->net, set, &sum, f, err);
    if (swapped) { /* after a failure too: training goes on from the parameters of now */
      leat_status back = lt_net_swap_best(t->net, st ? NULL : err);
      st = st ? st : back;
    }
  } else {
    for (int64_t r = 0; r < d->n; r++) lt_objective_margins(set ? t->ov : t->o, present(t), r, f + r * n_out);
  }
  if (st) lt_free(t->rt, f);
  else *out = f;
  return st;
}

/* A row's margins f [n_out] -> what a predictor gives, [n_out] in f. */
static void predicted(const leat_trainer *t, const lt_calibration *c, double *f, double *room) {
  if (!c) {
    t->loss->link(f, t->task.n_out);
    return;
  }
  lt_calibration_apply(c, f, room);
  memcpy(f, room, (size_t)t->task.n_out * sizeof *f);
}

leat_status lt_trainer_decision(leat_trainer *t, const lt_calibration *c, lt_decision *out, leat_error *err) {
  const lt_design *d = t->xv;
  double positive = lt_param_real(t->settings, "false_positive_cost"), share = lt_param_real(t->settings, "interval");
  *out = LT_DECISION_NONE;
  out->threshold = lt_param_real(t->settings, "threshold");
  if (positive == 0 && share == 0) return LEAT_OK;
  double *v = NULL, room; /* one output */
  leat_status st = lt_trainer_margins(t, 1, &v, err);
  if (st) return st;
  for (int64_t r = 0; r < d->n; r++) predicted(t, c, v + r, &room);
  if (positive > 0) {
    st = lt_decision_threshold(t->rt, v, d->y, d->sample, d->n, positive, lt_param_real(t->settings, "false_negative_cost"),
                               &out->threshold, err);
  } else {
    for (int64_t r = 0; r < d->n; r++) v[r] = d->y[r] - v[r];
    st = lt_decision_interval(t->rt, v, d->sample, d->n, share, out->interval, err);
  }
  lt_free(t->rt, v);
  return st;
}

/* Without the weights of classes: probabilities of the rows as they come. */
leat_status lt_trainer_calibration(leat_trainer *t, lt_calibration **out, leat_error *err) {
  int32_t kind = lt_calibration_kind(lt_param_str(t->settings, "calibrate"));
  int held_out = kind != LT_CALIBRATE_NONE;
  *out = NULL;
  if (!held_out && t->loss->flags & LT_LOSS_MARGIN) kind = LT_CALIBRATE_PLATT;
  if (kind == LT_CALIBRATE_NONE) return LEAT_OK;
  const lt_design *d = held_out ? t->xv : t->x;
  double *margins = NULL;
  leat_status st = lt_trainer_margins(t, held_out, &margins, err);
  if (!st) st = lt_calibration_fit(t->rt, kind, margins, d->n, t->task.n_out, d->y, d->sample, out, err);
  lt_free(t->rt, margins);
  return st;
}

leat_status lt_trainer_snapshot(leat_trainer *t, leat_model **out, leat_error *err) {
  *out = NULL;
  if (t->online) return lt_online_snapshot(t->online, t->lineage, out, err);
  if (!t->train) return lt_fail(err, LEAT_E_STATE, "the trainer has no data yet: call set_data first");
  void *params = NULL;
  leat_batch *golden = NULL;
  lt_profile **profiles = NULL;
  int64_t n_profiles = 0;
  leat_status st = lt_trainer_sums(t, err);
  if (!st) st = lt_trainer_params(t, &params, err);
  if (!st) st = lt_golden_pick(t->rt, t->train, &golden, err);
  if (!st) st = lt_profiles_fit(t->rt, t->train, &profiles, &n_profiles, err);
  if (!st) {
    lt_model_parts parts = {0};
    parts.schema = t->schema;
    parts.encoder = t->encoder;
    parts.family = t->family;
    parts.params = params;
    parts.settings = t->settings;
    parts.profiles = profiles;
    parts.n_profiles = n_profiles;
    parts.golden = golden;
    parts.rows_trained = t->x->n;
    parts.iterations = t->has_valid ? t->best_iteration : t->iterations;
    parts.lineage = t->lineage;
    parts.data_checksum = t->train_sum;
    st = lt_model_create(t->rt, &parts, out, err);
  }
  lt_profiles_free(t->rt, profiles, n_profiles);
  lt_batch_free(golden);
  t->family->release(params);
  return st;
}

static void task_names(const leat_trainer *t, double threshold, char names[48]) {
  const char *base = t->task.n_classes == 0 ? "regression" : t->task.n_classes == 2 ? "binary" : "multiclass:";
  size_t n = strlen(base);
  memcpy(names, base, n + 1);
  if (t->task.n_classes == 2 && threshold != 0.5) {
    names[n++] = ':';
    lt_f64_text(threshold, names + n);
  }
  if (t->task.n_classes <= 2) return;
  char digits[24];
  size_t k = 0;
  for (int64_t v = t->task.n_classes; v > 0; v /= 10) digits[k++] = (char)('0' + v % 10);
  while (k > 0) names[n++] = digits[--k];
  names[n] = 0;
}

leat_status lt_trainer_metrics(leat_trainer *t, int64_t set, leat_metrics **out, leat_error *err) {
  *out = NULL;
  if (t->online) return lt_online_metrics(t->online, set, out, err);
  if (!t->train) return lt_fail(err, LEAT_E_STATE, "the trainer has no data yet: call set_data first");
  if (set != 0 && set != 1) return lt_fail(err, LEAT_E_ARG, "set is %lld: 0 (training) or 1 (validation) is expected", (long long)set);
  if (set == 1 && !t->valid) return lt_fail(err, LEAT_E_STATE, "the trainer has no validation rows");
  char names[48];
  leat_metrics *k = NULL;
  lt_calibration *c = NULL;
  lt_decision decision;
  leat_status st = lt_trainer_calibration(t, &c, err);
  if (!st) st = lt_trainer_decision(t, c, &decision, err);
  if (!st) {
    task_names(t, decision.threshold, names);
    st = lt_metrics_create(t->rt, names, &k, err);
  }
  if (st) {
    lt_calibration_free(c);
    return st;
  }
  const lt_design *d = set ? t->xv : t->x;
  int64_t n_out = t->task.n_out;
  double *f = NULL, *room = lt_array(t->rt, (uint64_t)n_out, sizeof *room);
  st = room ? lt_trainer_margins(t, set != 0, &f, err) : lt_fail_memory(err, (uint64_t)n_out * 8, "a row's margins");
  for (int64_t r = 0; r < d->n && !st; r++) {
    predicted(t, c, f + r * n_out, room);
    st = lt_metrics_add(k, f + r * n_out, n_out, d->y[r], d->sample ? d->sample[r] : 1, err);
  }
  lt_calibration_free(c);
  lt_free(t->rt, f);
  lt_free(t->rt, room);
  if (st) lt_metrics_free(k);
  else *out = k;
  return st;
}
