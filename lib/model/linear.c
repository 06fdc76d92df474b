/* The linear family: generalised linear models with L1 and L2 penalties. Parameters, their bytes, the settings. The
 * solvers are in train/, prediction is in linear_plan.c. */
#include "model/defs.h"
#include "model/linear.h"
#include <math.h>
#include <string.h>

static const lt_param_def linear_defs[] = {
    {"loss", LEAT_PARAM_CHOICE, "auto", 0, 0, "auto|squared|huber|quantile|poisson|logistic|hinge|squared_hinge|softmax",
     "What is minimised; auto: squared for numbers, logistic for two classes, softmax for more. Numbers: squared, huber, "
     "quantile, poisson (targets >= 0, predicts exp); two classes: logistic, hinge, squared_hinge.", 1},
    LT_DEFS_LOSS,
    {"l2", LEAT_PARAM_F64, "1", 0, 1e30, NULL,
     "Penalty: the objective is sum of weight * loss over the rows + l2 / 2 * |weights|^2, intercept free. It is 1 / C of "
     "liblinear and scikit-learn, and alpha of scikit-learn's Ridge.", 1},
    {"l1", LEAT_PARAM_F64, "0", 0, 1e30, NULL,
     "Penalty l1 * sum of |weights|, intercept free, beside l2's. It is 1 / C of liblinear's -s 6, and "
     "rows * alpha of scikit-learn's Lasso.", 1},
    {"intercept", LEAT_PARAM_BOOL, "true", 0, 0, NULL, "Learn a constant term.", 1},
    LT_DEFS_ENCODER,
    LT_DEFS_TEXT("0"),
    {"solver", LEAT_PARAM_CHOICE, "auto", 0, 0, "auto|newton|lbfgs|tron|cd|dual",
     "How the optimum is found; auto: cd (coordinate descent) with l1, dual (coordinate ascent of the dual) for hinge of more than 64 slots, newton for "
     "few dense slots, else lbfgs or tron.", 1},
    {"max_iterations", LEAT_PARAM_I64, "1000", 1, 1000000000, NULL, "The most iterations of the solver.", 1},
    {"tolerance", LEAT_PARAM_F64, "1e-6", 0, 1, NULL,
     "Stop when the gradient's norm is below tolerance times the norm at the start; dual: when the gap to the least value is below "
     "tolerance times the objective.", 1},
    {"patience", LEAT_PARAM_I64, "5", 0, 1000000000, NULL,
     "With validation rows: stop after this many iterations without a better loss on them and keep the best; 0: never.", 1},
    LT_DEFS_DECISION,
    {"lbfgs_memory", LEAT_PARAM_I64, "10", 1, 1000, NULL, "Pairs of steps that lbfgs remembers.", 1},
    {"seed", LEAT_PARAM_I64, "0", 0, 9007199254740992.0, NULL, "Seed of everything random.", 1},
};

static const lt_spec linear_spec = {
    "model/linear", "Linear model of numbers or classes with L2 and L1 penalties, trained to the optimum.", linear_defs,
    (int64_t)(sizeof linear_defs / sizeof linear_defs[0])};

/* ---------------------------------------------------------------------------------------------- task */

static const lt_loss *linear_auto_loss(int64_t n_classes) {
  return lt_loss_find(n_classes == 0 ? "squared" : n_classes == 2 ? "logistic" : "softmax");
}

int lt_linear_loss_fits(const lt_loss *loss, int64_t n_classes) {
  return loss && loss->target == (n_classes > 2 ? LT_TARGET_MANY : n_classes == 2 ? LT_TARGET_TWO : LT_TARGET_NUMBER);
}

const lt_loss *lt_linear_loss(const leat_params *settings, int64_t n_classes) {
  if (!settings || lt_param_is(settings, "loss", "auto")) return linear_auto_loss(n_classes);
  const lt_loss *loss = lt_loss_find(lt_param_str(settings, "loss"));
  return lt_linear_loss_fits(loss, n_classes) ? loss : NULL;
}

leat_status lt_linear_task(int64_t n_classes, const leat_params *settings, lt_task *task, leat_error *err) {
  const char *chosen = lt_param_str(settings, "loss");
  task->n_classes = task->n_out = 0;
  if (n_classes == 1)
    return lt_fail(err, LEAT_E_DATA, "the target has one class only; there is nothing to learn to tell apart");
  const lt_loss *loss = lt_linear_loss(settings, n_classes);
  if (!loss && n_classes == 0)
    return lt_fail(err, LEAT_E_ARG, "loss=%s needs classes, and the target is a number: use loss=squared", chosen);
  if (!loss)
    return lt_fail(err, LEAT_E_ARG, "loss=%s does not fit a target of %lld classes: use loss=%s", chosen,
                   (long long)n_classes, linear_auto_loss(n_classes)->name);
  double cost = fmax(lt_param_real(settings, "false_positive_cost"), lt_param_real(settings, "false_negative_cost"));
  if (n_classes != 2 && (cost > 0 || lt_param_real(settings, "threshold") != 0.5))
    return lt_fail(err, LEAT_E_ARG, "threshold and costs are for two classes, and the target is %s: leave them out",
                   n_classes ? "of more" : "a number");
  if (cost > 0 && fmin(lt_param_real(settings, "false_positive_cost"), lt_param_real(settings, "false_negative_cost")) == 0)
    return lt_fail(err, LEAT_E_ARG, "a threshold by cost needs both false_positive_cost and false_negative_cost above 0");
  if (n_classes && lt_param_real(settings, "interval") > 0)
    return lt_fail(err, LEAT_E_ARG, "interval is for numbers, and the target has %lld classes: use interval=0",
                   (long long)n_classes);
  if (n_classes == 0 && !lt_param_is(settings, "calibrate", "none"))
    return lt_fail(err, LEAT_E_ARG, "calibrate=%s needs classes, and the target is a number: use calibrate=none",
                   lt_param_str(settings, "calibrate"));
  task->n_classes = n_classes;
  task->n_out = n_classes > 2 ? n_classes : 1;
  return LEAT_OK;
}

/* ---------------------------------------------------------------------------------------------- parameters */

static void linear_release(void *params) {
  lt_linear *m = params;
  if (!m) return;
  leat_runtime *rt = m->rt;
  lt_free(rt, m->weight);
  lt_free(rt, m->intercept);
  lt_calibration_free(m->calibration);
  lt_free(rt, m);
  lt_runtime_unref(rt);
}

static leat_status linear_make(leat_runtime *rt, const lt_task *task, int64_t n_slots, lt_linear **out, leat_error *err) {
  *out = NULL;
  lt_linear *m = lt_zalloc(rt, sizeof *m);
  if (!m) return lt_fail_memory(err, sizeof *m, "a linear model");
  lt_runtime_ref(rt);
  m->rt = rt;
  m->loss = linear_auto_loss(task->n_classes);
  m->decision = LT_DECISION_NONE;
  m->n_classes = task->n_classes;
  m->n_out = task->n_out;
  m->n_slots = n_slots;
  *out = m;
  return LEAT_OK;
}

static leat_status linear_create(leat_runtime *rt, const lt_task *task, int64_t n_slots, const leat_params *settings,
                                 void **params, leat_error *err) {
  lt_linear *m = NULL;
  *params = NULL;
  leat_status st = linear_make(rt, task, n_slots, &m, err);
  if (st) return st;
  const lt_loss *chosen = lt_linear_loss(settings, task->n_classes);
  if (chosen) m->loss = chosen;
  if (n_slots > 0 && m->n_out > INT64_MAX / 8 / n_slots) {
    st = lt_fail(err, LEAT_E_RANGE, "%lld classes times %lld encoded features are too many weights", (long long)m->n_out,
                 (long long)n_slots);
  } else {
    m->weight = lt_zarray(rt, (uint64_t)(m->n_out * n_slots), sizeof(double));
    m->intercept = lt_zarray(rt, (uint64_t)m->n_out, sizeof(double));
    if (!m->weight || !m->intercept)
      st = lt_fail_memory(err, (uint64_t)(m->n_out * n_slots) * sizeof(double), "the weights of a linear model");
  }
  if (st) linear_release(m);
  else *params = m;
  return st;
}

static leat_status linear_copy(const void *params, void **out, leat_error *err) {
  const lt_linear *m = params;
  lt_task task = {m->n_classes, m->n_out};
  leat_status st = linear_create(m->rt, &task, m->n_slots, NULL, out, err);
  if (st) return st;
  lt_linear *c = *out;
  c->loss = m->loss;
  c->decision = m->decision;
  if (m->calibration) st = lt_calibration_copy(m->calibration, &c->calibration, err);
  if (st) {
    linear_release(c);
    *out = NULL;
    return st;
  }
  memcpy(c->weight, m->weight, (size_t)(m->n_out * m->n_slots) * sizeof(double));
  memcpy(c->intercept, m->intercept, (size_t)m->n_out * sizeof(double));
  return LEAT_OK;
}

static void linear_save(const void *params, lt_put *w) {
  const lt_linear *m = params;
  lt_put_text(w, m->loss->name);
  lt_put_i64(w, m->n_classes);
  lt_put_i64(w, m->n_out);
  lt_put_i64(w, m->n_slots);
  lt_put_f64s(w, m->intercept, (uint64_t)m->n_out);
  lt_put_f64s(w, m->weight, (uint64_t)(m->n_out * m->n_slots));
}

static leat_status linear_load(leat_runtime *rt, int64_t n_slots, lt_get *r, void **params, lt_task *task,
                               leat_error *err) {
  lt_linear *m = NULL;
  uint64_t n_weights = 0, n_intercepts = 0;
  *params = NULL;
  char *loss = lt_get_text(r);
  task->n_classes = lt_get_i64(r);
  task->n_out = lt_get_i64(r);
  int64_t slots = lt_get_i64(r);
  leat_status st = linear_make(rt, task, slots, &m, err);
  if (st) goto out;
  int64_t k = task->n_classes;
  m->loss = loss ? lt_loss_find(loss) : NULL;
  if (!r->failed && (!lt_linear_loss_fits(m->loss, k) || slots != n_slots || k < 0 || k == 1 || k > LT_MAX_CLASSES ||
                     task->n_out != (k > 2 ? k : 1)))
    lt_get_fail(r, LEAT_E_FORMAT);
  m->intercept = lt_get_f64s(r, &n_intercepts);
  m->weight = lt_get_f64s(r, &n_weights);
  if (!r->failed && (n_intercepts != (uint64_t)m->n_out || n_weights / n_intercepts != (uint64_t)slots ||
                     n_weights % n_intercepts != 0))
    lt_get_fail(r, LEAT_E_FORMAT);
  for (uint64_t i = 0; i < n_intercepts && !r->failed; i++)
    if (!isfinite(m->intercept[i])) lt_get_fail(r, LEAT_E_FORMAT);
  for (uint64_t i = 0; i < n_weights && !r->failed; i++)
    if (!isfinite(m->weight[i])) lt_get_fail(r, LEAT_E_FORMAT);
  st = lt_get_status(r, "the parameters", err);
out:
  lt_free(rt, loss);
  if (st) linear_release(m);
  else *params = m;
  return st;
}

static leat_status linear_array(const void *params, const char *name, const double **v, uint64_t *n, leat_error *err) {
  const lt_linear *m = params;
  static const char *const names[] = {"weights", "intercept", "threshold", "interval"};
  *v = NULL;
  *n = 0;
  if (strcmp(name, "weights") == 0) {
    *v = m->weight;
    *n = (uint64_t)(m->n_out * m->n_slots);
    return LEAT_OK;
  }
  if (strcmp(name, "intercept") == 0) {
    *v = m->intercept;
    *n = (uint64_t)m->n_out;
    return LEAT_OK;
  }
  if (strcmp(name, "threshold") == 0 && m->n_classes == 2) {
    *v = &m->decision.threshold;
    *n = 1;
    return LEAT_OK;
  }
  if (strcmp(name, "interval") == 0 && m->decision.interval[0] > 0) {
    *v = m->decision.interval;
    *n = 3;
    return LEAT_OK;
  }
  const char *near = lt_nearest(name, names, 4);
  return lt_fail(err, LEAT_E_NOT_FOUND,
                 "this linear model has no array '%.60s'; all have weights and intercept, some threshold or interval%s%s%s", name,
                 near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static void linear_describe(const void *params, lt_task *task, int64_t *n_parameters) {
  const lt_linear *m = params;
  task->n_classes = m->n_classes;
  task->n_out = m->n_out;
  *n_parameters = m->n_out * (m->n_slots + 1);
}

/* What version 1 knew keeps its version, and its bytes. */
static int64_t linear_format(const void *params, const leat_params *settings) {
  static const char *const numbers[] = {"huber_delta",         "quantile", "l1",       "threshold",
                                        "false_positive_cost", "false_negative_cost", "interval"};
  static const double defaults[] = {1.35, 0.5, 0, 0.5, 0, 0, 0};
  const lt_linear *m = params;
  int newer = m->calibration || !lt_decision_is_none(&m->decision) || m->loss != linear_auto_loss(m->n_classes) || lt_param_is(settings, "solver", "cd") || lt_param_is(settings, "solver", "dual") ||
              !lt_param_is(settings, "calibrate", "none");
  for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
    if (lt_param_real(settings, numbers[k]) != defaults[k]) newer = 1;
  return newer ? 2 : 1;
}

static const lt_calibration *linear_calibration(const void *params) {
  const lt_linear *m = params;
  return m->calibration;
}

static leat_status linear_calibrate(void *params, lt_get *r, leat_error *err) {
  lt_linear *m = params;
  if (m->n_classes == 0) {
    lt_get_fail(r, LEAT_E_FORMAT);
    return LEAT_OK;
  }
  return lt_calibration_load(m->rt, m->n_out, r, &m->calibration, err);
}

static lt_decision *linear_decision(void *params) {
  lt_linear *m = params;
  return &m->decision;
}

const lt_family lt_family_linear = {
    .name = "linear",
    .spec = &linear_spec,
    .task = lt_linear_task,
    .create = linear_create,
    .copy = linear_copy,
    .release = linear_release,
    .save = linear_save,
    .load = linear_load,
    .array = linear_array,
    .describe = linear_describe,
    .format = linear_format,
    .calibration = linear_calibration,
    .calibrate = linear_calibrate,
    .decision = linear_decision,
    .plan_create = lt_linear_plan_create,
    .plan_fork = lt_linear_plan_fork,
    .plan_free = lt_linear_plan_free,
    .plan_reserve = lt_linear_plan_reserve,
    .plan_rows = lt_linear_plan_rows,
    .plan_one_f32 = lt_linear_one_f32,
    .plan_one_f64 = lt_linear_one_f64,
    .plan_one_sparse = lt_linear_one_sparse,
};
