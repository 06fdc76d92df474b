#include "train/state.h"
#include <math.h>
#include <string.h>

enum { NEWTON_LIMIT = 2048, NEWTON_AUTO = 512, NEWTON_AUTO_SOFTMAX = 640, LBFGS_FIRST = 1 << 20, DUAL_FROM = 64 };

static const double HESSIAN_WORK = 1e10; /* l1, softmax: up to here a Hessian of all classes costs less than the sweeps it saves */

leat_status lt_trainer_alloc(leat_runtime *rt, const leat_params *settings, const leat_schema *schema,
                             const leat_device *dev, leat_trainer **out, leat_error *err) {
  *out = NULL;
  const char *spec = lt_params_spec(settings)->name;
  const lt_family *family = lt_family_of_spec(spec);
  if (!family)
    return lt_fail(err, LEAT_E_ARG,
                   "parameters of '%.60s' do not name a model to train: make them for \"model/linear\", \"model/mlp\", \"online/linear\" or "
                   "\"online/mlp\"", spec);
  int online = family == &lt_family_online;
  if (!online && family != &lt_family_linear && family != &lt_family_mlp)
    return lt_fail(err, LEAT_E_UNSUPPORTED, "the offline trainer has no solver for the family '%.60s'", family->name);
  leat_trainer *t = lt_zalloc(rt, sizeof *t);
  if (!t) return lt_fail_memory(err, sizeof *t, "a trainer");
  lt_runtime_ref(rt);
  t->rt = rt;
  t->family = family;
  t->dev = dev;
  /* linear models are trained by the CPU's kernels; the reference device stands for the plain C ones */
  t->vec = dev && strcmp(lt_device_name(dev), "reference") == 0 ? lt_vec_generic() : lt_vec_get();
  t->best_score = t->score = t->last_loss = NAN;
  if (!online) {
    t->max_iterations = lt_param_int(settings, "max_iterations");
    t->patience = lt_param_int(settings, "patience");
    t->intercept = family == &lt_family_mlp || lt_param_int(settings, "intercept") != 0;
  }
  leat_status st = online ? lt_online_settings(rt, settings, &t->settings, err) : lt_params_copy(settings, &t->settings, err);
  if (!st) {
    t->lineage = lt_strdup(rt, "");
    if (!t->lineage) st = lt_fail_memory(err, 1, "a trainer");
  }
  if (!st && online) st = lt_online_open(rt, t->settings, schema, &t->online, err);
  else if (!st && schema) st = lt_schema_copy(schema, &t->wanted, err);
  if (st) {
    lt_trainer_free(t);
    return st;
  }
  lt_trainer_publish(t);
  *out = t;
  return LEAT_OK;
}

static leat_status check_device(const leat_runtime *rt, const leat_device *dev, leat_error *err) {
  if (dev && lt_device_runtime(dev) != rt)
    return lt_fail(err, LEAT_E_ARG, "the device belongs to another runtime");
  return LEAT_OK;
}

leat_status lt_trainer_create(leat_runtime *rt, const leat_params *p, const leat_schema *s, const leat_device *dev,
                              leat_trainer **out, leat_error *err) {
  *out = NULL;
  leat_status st = check_device(rt, dev, err);
  leat_trainer *t = NULL;
  if (!st) st = lt_trainer_alloc(rt, p, s, dev, &t, err);
  if (st) {
    lt_trainer_free(t);
    return st;
  }
  *out = t;
  return LEAT_OK;
}

leat_status lt_trainer_from_model(const leat_model *m, const leat_params *p, const leat_device *dev, leat_trainer **out,
                                  leat_error *err) {
  *out = NULL;
  leat_runtime *rt = lt_model_runtime(m);
  leat_trainer *t = NULL;
  leat_status st = check_device(rt, dev, err);
  if (!st) st = lt_trainer_alloc(rt, p ? p : lt_model_settings(m), NULL, dev, &t, err);
  if (!st && t->family != lt_model_family(m))
    st = lt_fail(err, LEAT_E_ARG, "the model is of the family '%.60s', the parameters are for '%.60s'",
                 lt_model_family(m)->name, t->family->name);
  if (!st && t->online) st = lt_online_from_model(t->online, m, err);
  if (!st && !t->online) st = lt_encoder_copy(lt_model_encoder(m), &t->encoder, err);
  if (!st) {
    char hex[40];
    uint64_t needed;
    st = lt_model_get_text(m, "checksum", hex, sizeof hex, &needed, err);
    char *lineage = st ? NULL : lt_strdup(rt, hex);
    if (!st && !lineage) st = lt_fail_memory(err, sizeof hex, "a trainer");
    if (!st) {
      lt_free(rt, t->lineage);
      t->lineage = lineage;
    }
  }
  if (st) {
    lt_trainer_free(t);
    return st;
  }
  *out = t;
  if (t->online) return LEAT_OK;
  t->schema = lt_model_schema(m);
  lt_schema_ref(t->schema);
  t->warm = m;
  t->warm_start = 1;
  lt_model_ref(m);
  return LEAT_OK;
}

void lt_resume_free(leat_runtime *rt, lt_resume *r) {
  if (!r) return;
  lt_free(rt, r->base);
  lt_free(rt, r->metric);
  lt_free(rt, r->s);
  lt_free(rt, r->y);
  lt_free(rt, r->rho);
  for (int k = 0; k < 4; k++) lt_free(rt, r->net[k]);
  lt_free(rt, r);
}

/* Gives up what set_data has made. */
static void drop_data(leat_trainer *t) {
  lt_net_free(t->net);
  lt_solver_free(t->solver);
  lt_objective_free(t->o);
  lt_objective_free(t->ov);
  lt_design_free(t->x);
  lt_design_free(t->xv);
  lt_free(t->rt, t->null_model);
  lt_free(t->rt, t->l1);
  lt_dataset_free(t->train);
  lt_dataset_free(t->valid);
  t->net = NULL;
  t->solver = NULL;
  t->o = t->ov = NULL;
  t->x = t->xv = NULL;
  t->null_model = t->l1 = NULL;
  t->train = t->valid = NULL;
  t->has_valid = 0;
  if (!t->resume) { /* a checkpoint's best point is not from set_data */
    lt_free(t->rt, t->best);
    t->best = NULL;
    if (!t->warm) {
      lt_encoder_free(t->encoder);
      t->encoder = NULL;
      lt_schema_free(t->schema);
      t->schema = NULL;
    }
  }
}

void lt_trainer_free(leat_trainer *t) {
  if (!t) return;
  leat_runtime *rt = t->rt;
  drop_data(t);
  lt_online_close(t->online);
  lt_resume_free(rt, t->resume);
  lt_free(rt, t->best);
  lt_encoder_free(t->encoder);
  lt_schema_free(t->schema);
  lt_schema_free(t->wanted);
  lt_params_free(t->settings);
  if (t->warm) lt_model_free(t->warm);
  lt_free(rt, t->lineage);
  lt_free(rt, t);
  lt_runtime_unref(rt);
}

leat_status lt_trainer_is_online(leat_error *err) {
  return lt_fail(err, LEAT_E_UNSUPPORTED,
                 "this trainer is online: give it rows by leat_trainer_learn or leat_trainer_test_then_train");
}

static leat_status not_online(const leat_trainer *t, leat_error *err) {
  return t->online ? LEAT_OK
                   : lt_fail(err, LEAT_E_UNSUPPORTED, "this trainer is offline: make one of \"online/linear\" or \"online/mlp\" to learn row by row");
}

void lt_trainer_publish_online(leat_trainer *t) {
  const lt_online_trainer *o = t->online;
  t->iterations = t->rows_seen = o->learned;
  if (o->progress) {
    t->last_loss = lt_progressive_loss(o->progress, LT_PROGRESS_ALL);
    t->score = lt_progressive_loss(o->progress, LT_PROGRESS_FADED);
  }
  atomic_store_explicit(&t->state_now, o->learned ? LEAT_TRAIN_RUNNING : LEAT_TRAIN_NEW, memory_order_relaxed);
  lt_trainer_publish(t);
}

static leat_status learn_rows(leat_trainer *t, const leat_batch *rows, int64_t chunk_rows, const leat_matrix *pred,
                              leat_error *err) {
  int64_t begun = lt_monotonic_ns(t->rt);
  leat_status st = lt_online_rows(t->online, rows, chunk_rows, pred, err);
  t->elapsed_ns += lt_monotonic_ns(t->rt) - begun;
  lt_trainer_publish_online(t);
  return st;
}

leat_status lt_trainer_learn(leat_trainer *t, const leat_batch *rows, leat_error *err) {
  leat_status st = not_online(t, err);
  return st ? st : learn_rows(t, rows, 0, NULL, err);
}

leat_status lt_trainer_test_then_train(leat_trainer *t, const leat_batch *rows, int64_t chunk_rows, leat_matrix *pred,
                                       leat_error *err) {
  leat_status st = not_online(t, err);
  if (!st && chunk_rows < 1)
    st = lt_fail(err, LEAT_E_RANGE, "chunk_rows is %lld, it must be 1 or more", (long long)chunk_rows);
  return st ? st : learn_rows(t, rows, chunk_rows, pred, err);
}

leat_status lt_trainer_predict(leat_trainer *t, const leat_batch *rows, leat_matrix *pred, leat_error *err) {
  leat_status st = not_online(t, err);
  return st ? st : lt_online_predict(t->online, rows, pred, err);
}

lt_owner *lt_trainer_owner(leat_trainer *t) { return &t->owner; }

/* ---- set_data */

static leat_status check_schema(const leat_trainer *t, const leat_schema *s, leat_error *err) {
  const leat_schema *w = t->wanted;
  if (lt_schema_role(s, LEAT_ROLE_TARGET) < 0)
    return lt_fail(err, LEAT_E_DATA, "the data has no target column: one column must have the role TARGET");
  if (!w) return LEAT_OK;
  if (w->n != s->n)
    return lt_fail(err, LEAT_E_SHAPE, "the data has %lld columns, the trainer was made for %lld", (long long)s->n,
                   (long long)w->n);
  for (int64_t i = 0; i < w->n; i++) {
    const lt_column *a = &w->col[i], *b = &s->col[i];
    if (strcmp(a->name, b->name) != 0 || a->kind != b->kind || a->role != b->role || a->width != b->width)
      return lt_fail(err, LEAT_E_SHAPE,
                     "column %lld is '%.60s' in the data and '%.60s' in the trainer's schema (or of another kind, role or width)",
                     (long long)(i + 1), b->name, a->name);
  }
  return LEAT_OK;
}

static leat_status check_classes(const leat_trainer *t, const lt_design *d, leat_error *err) {
  if (t->task.n_classes == 0) return LEAT_OK;
  int64_t seen = -1;
  for (int64_t r = 0; r < d->n; r++) {
    if (d->sample && !(d->sample[r] > 0)) continue;
    if (seen < 0) seen = (int64_t)d->y[r];
    if ((int64_t)d->y[r] != seen) return LEAT_OK;
  }
  const lt_column *c = &t->schema->col[lt_schema_role(t->schema, LEAT_ROLE_TARGET)];
  uint64_t size;
  return lt_fail(err, LEAT_E_DATA, "target '%.100s' has one class only ('%.60s'): two are needed", c->name,
                 lt_dict_text(c->labels, seen < 0 ? 0 : seen, &size));
}

static leat_status one_label(const leat_schema *s, leat_error *err) {
  const lt_column *c = &s->col[lt_schema_role(s, LEAT_ROLE_TARGET)];
  uint64_t size;
  if (lt_schema_classes(s) != 1) return LEAT_OK;
  return lt_fail(err, LEAT_E_DATA, "target '%.100s' has one class only ('%.60s'): two are needed", c->name,
                 lt_dict_text(c->labels, 0, &size));
}

static leat_status make_designs(leat_trainer *t, leat_error *err) {
  int64_t classes = t->task.n_classes;
  int net = t->family == &lt_family_mlp;
  lt_design_plan plan = {.encoder = t->encoder, .centre = t->intercept, .rescale = lt_param_is(t->settings, "standardize", "no"),
                         .as_encoded = net, .keep_sparse = net && lt_param_int(t->settings, "embedding") > 0};
  double *cw = NULL;
  leat_status st = lt_design_create(t->train, &plan, &t->x, err);
  if (!st) st = lt_design_targets(t->x, t->train, t->schema, classes, err);
  if (!st) st = check_classes(t, t->x, err);
  const char *text = lt_param_str(t->settings, "class_weights");
  if (!st && text[0] && strcmp(text, "none") != 0) {
    cw = lt_array(t->rt, (uint64_t)(classes > 0 ? classes : 1), sizeof *cw);
    st = cw ? lt_class_weights(t->x, t->schema, classes, text, cw, err) : lt_fail_memory(err, 8, "class weights");
    if (!st) st = lt_design_weigh(t->x, cw, err);
  }
  if (!st && t->valid) {
    plan.like = t->x;
    st = lt_design_create(t->valid, &plan, &t->xv, err);
    if (!st) st = lt_design_targets(t->xv, t->valid, t->schema, classes, err);
    if (!st) st = lt_design_weigh(t->xv, cw, err);
  }
  lt_free(t->rt, cw);
  return st;
}

/* A model to start from has no dual variables; a checkpoint goes on with what it has, wherever the line was when it was written. */
static int auto_dual(const leat_trainer *t, int64_t n) {
  if (!lt_dual_takes(t->loss) || !(lt_param_real(t->settings, "l2") > 0) || t->warm_start) return 0;
  if (t->resume) return t->resume->kind == LT_SOLVER_DUAL;
  return strcmp(t->loss->name, "hinge") == 0 && n > DUAL_FROM;
}

static leat_status choose_solver(const leat_trainer *t, int32_t *kind, int32_t *second, leat_error *err) {
  const lt_design *d = t->x;
  int dense = d->n_dense == d->n_slots;
  int64_t n = t->task.n_out * (d->n_slots + t->intercept);
  const char *name = lt_param_str(t->settings, "solver");
  if (strcmp(name, "cd") == 0 || lt_param_real(t->settings, "l1") > 0) {
    if (strcmp(name, "cd") != 0 && strcmp(name, "auto") != 0)
      return lt_fail(err, LEAT_E_ARG, "solver=%s has no l1: use solver=auto or solver=cd", name);
    int whole = t->task.n_out == 1 || n <= NEWTON_AUTO_SOFTMAX || (double)d->n * (double)n * (double)n < HESSIAN_WORK;
    *kind = dense && n <= NEWTON_LIMIT && whole ? LT_SOLVER_CD : LT_SOLVER_CD_ROWS;
  } else if (strcmp(name, "dual") == 0) {
    if (!lt_dual_takes(t->loss))
      return lt_fail(err, LEAT_E_UNSUPPORTED, "solver dual has no loss=%s: use solver=auto", t->loss->name);
    if (!(lt_param_real(t->settings, "l2") > 0))
      return lt_fail(err, LEAT_E_ARG, "solver=dual needs l2 above 0: the dual problem is made of the penalty");
    *kind = LT_SOLVER_DUAL;
  } else if (strcmp(name, "newton") == 0) {
    if (!dense || n > NEWTON_LIMIT)
      return lt_fail(err, LEAT_E_UNSUPPORTED, "solver newton takes up to %d parameters of dense rows, here are %lld%s: use lbfgs%s",
                     NEWTON_LIMIT, (long long)n, dense ? "" : " of sparse rows", t->task.n_out == 1 ? " or tron" : "");
    *kind = LT_SOLVER_NEWTON;
  } else if (strcmp(name, "tron") == 0) {
    if (t->task.n_out != 1)
      return lt_fail(err, LEAT_E_UNSUPPORTED, "solver tron has no softmax: use newton or lbfgs");
    *kind = LT_SOLVER_TRON;
  } else if (strcmp(name, "lbfgs") == 0) {
    *kind = LT_SOLVER_LBFGS;
  } else if (auto_dual(t, n)) {
    *kind = LT_SOLVER_DUAL;
  } else if (dense && n <= (t->task.n_out == 1 ? NEWTON_AUTO : NEWTON_AUTO_SOFTMAX)) {
    *kind = LT_SOLVER_NEWTON;
  } else {
    *kind = t->task.n_out == 1 ? LT_SOLVER_TRON : LT_SOLVER_LBFGS;
    /* well-conditioned data are done with in a few steps of L-BFGS; the others need TRON's inner iterations */
    if (*kind == LT_SOLVER_TRON && !(t->loss->flags & (LT_LOSS_SMOOTHED | LT_LOSS_MARGIN)) && n <= LBFGS_FIRST) {
      *kind = LT_SOLVER_LBFGS;
      *second = LT_SOLVER_TRON;
    }
  }
  return LEAT_OK;
}

/* The model's weights, of encoded slots, in the design's units. */
static void start_from_model(leat_trainer *t) {
  const lt_linear *m = lt_model_params(t->warm);
  const lt_design *d = t->x;
  int64_t n_par = t->o->n_par;
  for (int64_t k = 0; k < m->n_out; k++) {
    double *u = t->solver->base + k * n_par;
    const double *w = m->weight + k * m->n_slots;
    double shift = 0;
    for (int64_t j = 0; j < d->n_slots; j++) {
      u[j] = j < d->n_scaled ? w[j] / d->scale[j] : w[j];
      if (j < d->n_scaled) shift += w[j] * d->shift[j];
    }
    if (t->intercept) u[n_par - 1] = m->intercept[k] + shift;
  }
}

static leat_status adopt_resume(leat_trainer *t, leat_error *err) {
  lt_resume *r = t->resume;
  lt_solver *s = t->solver;
  if ((r->kind != s->kind && (!s->second || r->kind != s->second)) || r->n != s->n)
    return lt_fail(err, LEAT_E_FORMAT, "the checkpoint's solver state does not fit its own settings: it is damaged");
  s->kind = r->kind;
  memcpy(s->base, r->base, (size_t)s->n * sizeof *s->base);
  s->g0 = r->g0;
  s->radius = s->radius_base = r->radius;
  if (t->loss->flags & LT_LOSS_SMOOTHED) t->o->args.width = r->width;
  if (s->kind == LT_SOLVER_DUAL) {
    double *limit;
    int64_t *iterations;
    if (r->count != t->x->n) return lt_fail(err, LEAT_E_FORMAT, "the checkpoint has dual variables of other rows: it is damaged");
    memcpy(lt_dual_beta(s->dual), r->metric, (size_t)r->count * sizeof *r->metric);
    lt_dual_state(s->dual, &limit, &iterations);
    *limit = r->radius;
    *iterations = r->head;
  }
  if (s->kind == LT_SOLVER_LBFGS) {
    s->count = r->count;
    s->head = r->head;
    memcpy(s->metric, r->metric, (size_t)s->n * sizeof *s->metric);
    memcpy(s->s, r->s, (size_t)(s->n * r->count) * sizeof *s->s);
    memcpy(s->y, r->y, (size_t)(s->n * r->count) * sizeof *s->y);
    memcpy(s->rho, r->rho, (size_t)r->count * sizeof *s->rho);
  }
  return LEAT_OK;
}

static leat_status check_resume(leat_trainer *t, leat_error *err) {
  const lt_resume *r = t->resume;
  if (!r) return LEAT_OK;
  if ((r->n_valid_rows >= 0) != (t->valid != NULL))
    return lt_fail(err, LEAT_E_DATA, "the checkpoint was made %s validation rows: give the same data again",
                   r->n_valid_rows >= 0 ? "with" : "without");
  leat_status st = lt_trainer_sums(t, err);
  if (st) return st;
  if (t->train_sum != r->train_sum)
    return lt_fail(err, LEAT_E_DATA, "the training rows are not those of the checkpoint (the checksums differ): give the same data again");
  if (t->valid && t->valid_sum != r->valid_sum)
    return lt_fail(err, LEAT_E_DATA, "the validation rows are not those of the checkpoint (the checksums differ): give the same data again");
  return LEAT_OK;
}

/* Whether Newton starts on a part of the rows: a sample that is large beside the number of parameters is as good a start
 * as the statistics allow, at a fraction of the passes. */
static int64_t sub_part(const leat_trainer *t) {
  const lt_objective *o = t->o;
  if (t->solver->kind != LT_SOLVER_NEWTON || !(t->loss->flags & LT_LOSS_KERNEL) || o->exact || t->warm_start) return 1;
  for (int64_t part = 16; part >= 4; part /= 2) {
    if (o->n_lanes == LT_LANES && o->d->n_tiles >= LT_LANES * part && o->d->n / part >= 20 * o->n) return part;
  }
  return 1;
}

/* Of the design's units, as the objective's pen. */
static leat_status make_l1(leat_trainer *t, leat_error *err) {
  const lt_design *d = t->x;
  double l1 = lt_param_real(t->settings, "l1");
  t->l1 = lt_zarray(t->rt, (uint64_t)t->o->n, sizeof *t->l1);
  if (!t->l1) return lt_fail_memory(err, (uint64_t)t->o->n * 8, "a solver's vectors");
  for (int64_t k = 0; k < t->o->n_out; k++) {
    for (int64_t j = 0; j < d->n_slots; j++) t->l1[k * t->o->n_par + j] = l1 * (j < d->n_scaled ? d->scale[j] : 1);
  }
  t->solver->l1 = t->l1;
  return t->solver->kind == LT_SOLVER_CD_ROWS ? lt_columns_create(d, t->o->n_out, &t->solver->columns, err) : LEAT_OK;
}

static leat_status make_solver(leat_trainer *t, leat_error *err) {
  int32_t kind = 0, second = 0;
  lt_objective_plan plan = {.vec = t->vec, .design = t->x, .loss = t->loss, .n_out = t->task.n_out,
                            .intercept = t->intercept, .l2 = lt_param_real(t->settings, "l2")};
  leat_status st = choose_solver(t, &kind, &second, err);
  if (!st) st = lt_trainer_loss(t, &plan.args, err);
  if (st) return st;
  plan.want = lt_solver_wants(kind) | (second ? lt_solver_wants(second) : 0);
  if (kind == LT_SOLVER_DUAL) plan.args.width = 0; /* the corner itself */
  t->least_width = 1e-9 * plan.args.width;
  st = lt_objective_create(&plan, &t->o, err);
  if (!st && t->valid) {
    plan.design = t->xv;
    plan.l2 = plan.args.width = 0;
    plan.want = LT_WANT_LOSS;
    st = lt_objective_create(&plan, &t->ov, err);
  }
  if (!st)
    st = lt_solver_create(t->rt, kind, t->o->n, lt_param_int(t->settings, "lbfgs_memory"),
                          lt_param_real(t->settings, "tolerance"), &t->solver, err);
  if (!st && second) st = lt_solver_second(t->solver, second, err);
  if (!st) st = lt_trainer_null_model(t, err);
  if (st) return st;
  t->solver->o = t->o;
  if (kind == LT_SOLVER_CD || kind == LT_SOLVER_CD_ROWS) st = make_l1(t, err);
  if (kind == LT_SOLVER_DUAL) {
    double mean = 0, spread = 1;
    if (t->task.n_classes == 0) lt_trainer_target(t, &mean, &spread);
    st = lt_dual_create(t->o, spread, &t->solver->dual, err);
  }
  if (st) return st;
  if (!t->best && t->valid) {
    t->best = lt_array(t->rt, (uint64_t)t->o->n, sizeof *t->best);
    if (!t->best) return lt_fail_memory(err, (uint64_t)t->o->n * 8, "a solver's vectors");
    t->best_score = NAN;
  }
  if (t->resume) return adopt_resume(t, err);
  if (t->warm_start && kind != LT_SOLVER_DUAL) {
    start_from_model(t);
  } else {
    memcpy(t->solver->base, t->null_model, (size_t)t->o->n * sizeof *t->solver->base);
  }
  return LEAT_OK;
}

static leat_status use_data(leat_trainer *t, leat_error *err) {
  leat_status st = check_resume(t, err);
  if (st) return st;
  if (lt_dataset_rows(t->train) == 0)
    return lt_fail(err, LEAT_E_DATA, "the training data has no rows: at least one is needed");
  if (t->valid && lt_dataset_rows(t->valid) == 0)
    return lt_fail(err, LEAT_E_DATA, "the validation data has no rows: pass none at all, or at least one");
  if (lt_dataset_streams(t->train) || (t->valid && lt_dataset_streams(t->valid)))
    return lt_fail(err, LEAT_E_UNSUPPORTED, "training makes many passes over the rows: open the dataset without stream");
  if (!t->schema) {
    t->schema = lt_dataset_schema(t->train);
    lt_schema_ref(t->schema);
  }
  st = one_label(t->schema, err);
  if (!st) st = t->family->task(lt_schema_classes(t->schema), t->settings, &t->task, err);
  if (st) return st;
  t->loss = lt_linear_loss(t->settings, t->task.n_classes);
  if (!t->loss) return lt_fail(err, LEAT_E_INTERNAL, "the loss of the task is not in the table");
  const char *calibrate = lt_param_str(t->settings, "calibrate");
  if (strcmp(calibrate, "none") != 0 && !t->valid)
    return lt_fail(err, LEAT_E_STATE, "calibrate=%s needs validation rows, which the model does not learn from: give them, or use calibrate=none",
                   calibrate);
  if (!t->valid && (lt_param_real(t->settings, "false_positive_cost") > 0 || lt_param_real(t->settings, "interval") > 0))
    return lt_fail(err, LEAT_E_STATE,
                   "%s needs validation rows, which the model does not learn from: give them, or leave it out",
                   t->task.n_classes ? "a threshold by cost" : "interval");
  if (!t->encoder) st = lt_encoder_fit(t->rt, t->train, t->settings, &t->encoder, err);
  if (!st) st = make_designs(t, err);
  if (!st) st = t->family == &lt_family_mlp ? lt_trainer_net_start(t, err) : make_solver(t, err);
  return st;
}

leat_status lt_trainer_set_data(leat_trainer *t, const leat_dataset *train, const leat_dataset *valid, leat_error *err) {
  if (t->online) return lt_trainer_is_online(err);
  if (t->train) return lt_fail(err, LEAT_E_STATE, "the trainer has its data: make another trainer for other data");
  if (lt_dataset_runtime(train) != t->rt || (valid && lt_dataset_runtime(valid) != t->rt))
    return lt_fail(err, LEAT_E_ARG, "the dataset belongs to another runtime");
  leat_status st = check_schema(t, lt_dataset_schema(train), err);
  if (!st && valid) st = check_schema(t, lt_dataset_schema(valid), err);
  if (st) return st;
  int64_t begun = lt_monotonic_ns(t->rt);
  t->train = train;
  t->valid = valid;
  t->has_valid = valid != NULL;
  t->summed = 0;
  lt_dataset_ref(train);
  if (valid) lt_dataset_ref(valid);
  st = use_data(t, err);
  if (st) {
    drop_data(t);
    return st;
  }
  int done = t->resume && t->phase == PHASE_DONE;
  if (t->net) {
    t->phase = done ? PHASE_DONE : PHASE_SEARCH;
  } else if (t->resume && t->solver->g0 >= 0) { /* goes on behind its last commit, or stays done */
    t->phase = done ? PHASE_DONE : PHASE_BASE;
  } else {
    t->part = sub_part(t);
    t->phase = t->warm_start && t->solver->kind != LT_SOLVER_DUAL ? PHASE_NULL_MODEL : t->part > 1 ? PHASE_SUB_BASE : PHASE_BASE;
  }
  t->pass_open = 0;
  t->sub_steps = 0;
  lt_resume_free(t->rt, t->resume);
  t->resume = NULL;
  t->elapsed_ns += lt_monotonic_ns(t->rt) - begun;
  atomic_store_explicit(&t->cancelled, 0, memory_order_relaxed);
  atomic_store_explicit(&t->state_now, done ? LEAT_TRAIN_DONE : LEAT_TRAIN_NEW, memory_order_relaxed);
  lt_trainer_publish(t);
  return LEAT_OK;
}

leat_status lt_trainer_sums(leat_trainer *t, leat_error *err) {
  if (t->summed) return LEAT_OK;
  leat_status st = lt_dataset_checksum(t->train, &t->train_sum, err);
  if (!st && t->valid) st = lt_dataset_checksum(t->valid, &t->valid_sum, err);
  t->summed = !st;
  return st;
}
