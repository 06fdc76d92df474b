/* The course of training: which pass comes next. */
#include "train/state.h"
#include "base/number.h"
#include <math.h>
#include <string.h>

enum { SUB_STEPS = 12, FIT_ROWS = 1 << 30 };
static const double WIDTH_FACTOR = 0.2, STAGE_TOLERANCE = 1e-3;

static uint64_t f64_bits(double v) {
  uint64_t u;
  memcpy(&u, &v, sizeof u);
  return u;
}

static double bits_f64(uint64_t u) {
  double v;
  memcpy(&v, &u, sizeof v);
  return v;
}

/* What other threads read. Each number is whole; together they may be of two neighbouring moments. */
void lt_trainer_publish(leat_trainer *t) {
  atomic_store_explicit(&t->step_now, t->iterations, memory_order_relaxed);
  atomic_store_explicit(&t->rows_now, t->rows_seen, memory_order_relaxed);
  atomic_store_explicit(&t->elapsed_now, t->elapsed_ns, memory_order_relaxed);
  atomic_store_explicit(&t->loss_now, f64_bits(t->last_loss), memory_order_relaxed);
  atomic_store_explicit(&t->score_now, f64_bits(t->score), memory_order_relaxed);
}

leat_status lt_trainer_progress(const leat_trainer *t, leat_progress *out, leat_error *err) {
  leat_progress p = {0};
  leat_trainer *m = (leat_trainer *)(uintptr_t)t; /* atomic loads take no const object in C11 */
  p.struct_size = sizeof p;
  p.state = atomic_load_explicit(&m->state_now, memory_order_relaxed);
  p.step = atomic_load_explicit(&m->step_now, memory_order_relaxed);
  p.steps = t->max_iterations;
  p.rows_seen = atomic_load_explicit(&m->rows_now, memory_order_relaxed);
  p.loss = bits_f64(atomic_load_explicit(&m->loss_now, memory_order_relaxed));
  p.score = bits_f64(atomic_load_explicit(&m->score_now, memory_order_relaxed));
  p.elapsed_ns = atomic_load_explicit(&m->elapsed_now, memory_order_relaxed);
  int64_t started = atomic_load_explicit(&m->started_now, memory_order_relaxed);
  if (started) p.elapsed_ns += lt_monotonic_ns(t->rt) - started;
  leat_status st = lt_runtime_stat(t->rt, "bytes_in_use", &p.bytes_in_use, err);
  if (st) return st;
  uint64_t given = out->struct_size;
  if (given < 8) return lt_fail(err, LEAT_E_ARG, "progress: struct_size is %llu: set it to sizeof(leat_progress)",
                                (unsigned long long)given);
  lt_give_struct(out, given, &p, sizeof p);
  return LEAT_OK;
}

leat_status lt_trainer_cancel(leat_trainer *t) {
  atomic_store_explicit(&t->cancelled, 1, memory_order_relaxed);
  return LEAT_OK;
}

static void end_training(leat_trainer *t, const char *why, int32_t level) {
  char f[32], g[32];
  lt_f64_text(t->last_loss, f);
  lt_f64_text(t->solver->g0 > 0 ? lt_solver_gradient(t->solver) / t->solver->g0 : 0, g);
  lt_log(t->rt, level, "training stopped after %lld iterations: %s (mean loss %s, %s %s)",
         (long long)t->iterations, why, f, t->solver->kind == LT_SOLVER_DUAL ? "relative duality gap" : "gradient beside its first", g);
  t->phase = PHASE_DONE;
}

static int narrower(leat_trainer *t);

static void no_better(leat_trainer *t) {
  if (!narrower(t)) end_training(t, "no better point can be told apart in this arithmetic", LEAT_LOG_INFO);
}

static void set_loss(leat_trainer *t) { t->last_loss = t->solver->f / t->x->weight_sum; }

/* A loss with a corner is minimised through parabolas around it, each stage narrower than the last and begun where the last
 * one ended, until the duality gap tells that the objective itself is as near to its least value as the tolerance asks.
 * 1 when a narrower stage has been begun. */
static int narrower(leat_trainer *t) {
  lt_solver *s = t->solver;
  if (!(t->loss->flags & LT_LOSS_SMOOTHED) || s->gap <= s->tolerance * fabs(s->f) || t->o->args.width <= t->least_width)
    return 0;
  t->o->args.width *= WIDTH_FACTOR;
  lt_solver_forget(s);
  t->since_best = 0;
  t->phase = PHASE_BASE;
  return 1;
}

/* The base is settled: converged, or the solver's next iteration. */
static void leave_base(leat_trainer *t) {
  lt_solver *s = t->solver;
  int wide = t->o->args.width > 0 && t->loss->flags & LT_LOSS_SMOOTHED && s->gap > s->tolerance * fabs(s->f); /* of use only on the way */
  if (lt_solver_converged(s, wide ? fmax(s->tolerance, STAGE_TOLERANCE) : s->tolerance)) {
    if (!narrower(t)) end_training(t, "converged", LEAT_LOG_INFO);
  } else if (t->has_valid && t->patience > 0 && t->since_best >= t->patience) {
    end_training(t, "the validation loss has not improved", LEAT_LOG_INFO);
  } else if (t->iterations >= t->max_iterations) {
    end_training(t, "max_iterations reached before the gradient was small (raise max_iterations, tolerance or l2)", LEAT_LOG_WARN);
  } else if (lt_solver_change(s)) {
    t->phase = PHASE_BASE;
  } else if ((s->kind == LT_SOLVER_NEWTON || s->kind == LT_SOLVER_CD) && !s->has_h) {
    t->phase = PHASE_BASE; /* the Hessian was left out of the last pass */
  } else {
    t->phase = PHASE_SEARCH;
    if (lt_solver_begin(s) == LT_STUCK) no_better(t);
  }
}

static void note_score(leat_trainer *t, const double *point) {
  double score = t->ov->f / t->xv->weight_sum;
  t->score = score;
  if (isnan(t->best_score) || score < t->best_score) {
    t->best_score = score;
    t->best_iteration = t->iterations;
    t->since_best = 0;
    memcpy(t->best, point, (size_t)t->o->n * sizeof *t->best);
  } else {
    t->since_best++;
  }
}

static void commit(leat_trainer *t) {
  lt_solver_commit(t->solver);
  t->iterations++;
  if (t->has_valid) note_score(t, t->solver->base);
  set_loss(t);
  t->rows_seen_base = t->rows_seen;
  leave_base(t);
}

/* The start on a part of the rows goes on, or hands its point over to all rows. */
static void sub_next(leat_trainer *t) {
  lt_solver *s = t->solver;
  int small = lt_norm(s->g, s->n) <= fmax(1e-2, s->tolerance) * s->g0;
  if (!small && t->sub_steps < SUB_STEPS) {
    if (!s->has_h) {
      t->phase = PHASE_SUB_BASE;
      return;
    }
    if (lt_solver_begin(s) != LT_STUCK) {
      t->phase = PHASE_SUB_SEARCH;
      return;
    }
  }
  t->phase = PHASE_BASE;
}

static leat_status done_base(leat_trainer *t, leat_error *err) {
  lt_solver *s = t->solver;
  lt_solver_at_base(s);
  if (!isfinite(s->f) || !isfinite(lt_norm(s->g, s->n))) {
    if (t->iterations == 0 && t->warm_start)
      return lt_fail(err, LEAT_E_NUMERIC, "the loss of the model that training starts from is not finite on these rows");
    return lt_fail(err, LEAT_E_NUMERIC, "the loss is not finite at the start: the features or targets are too large");
  }
  if (t->part > 1 && t->iterations == 0) { /* was the sample misleading? then from the null model after all */
    double most = t->x->weight_sum * log(t->task.n_out > 1 ? (double)t->task.n_out : 2);
    t->part = 1;
    if (s->f > most) {
      memcpy(s->base, t->null_model, (size_t)s->n * sizeof *s->base);
      return LEAT_OK;
    }
  }
  if (s->g0 < 0) s->g0 = lt_norm(s->g, s->n);
  set_loss(t);
  if (t->iterations == 0) t->rows_seen_base = 0;
  if (t->has_valid && t->iterations == 0 && isnan(t->best_score)) t->phase = PHASE_FIRST_SCORE;
  else leave_base(t);
  return LEAT_OK;
}

/* A pass has come to its end. *iteration: so has an iteration. */
static leat_status pass_done(leat_trainer *t, int *iteration, leat_error *err) {
  lt_solver *s = t->solver;
  int got;
  switch (t->phase) {
    case PHASE_NULL_MODEL:
      s->g0 = lt_norm(t->o->g, s->n);
      if (s->kind == LT_SOLVER_LBFGS) lt_solver_at_base(s); /* keeps the metric; the base comes next */
      t->phase = PHASE_BASE;
      return LEAT_OK;
    case PHASE_SUB_BASE:
      lt_solver_at_base(s);
      if (s->g0 < 0) s->g0 = lt_norm(s->g, s->n);
      sub_next(t);
      break;
    case PHASE_SUB_SEARCH:
      got = lt_solver_after(s);
      if (got == LT_ACCEPT) {
        lt_solver_commit(s);
        t->sub_steps++;
        sub_next(t);
      } else if (got == LT_STUCK) {
        t->phase = PHASE_BASE;
      }
      break;
    case PHASE_BASE:
      return done_base(t, err);
    case PHASE_FIRST_SCORE:
      note_score(t, s->base);
      leave_base(t);
      break;
    case PHASE_SEARCH:
      got = lt_solver_after(s);
      if (got == LT_STUCK) no_better(t);
      if (got != LT_ACCEPT) break;
      if (t->has_valid) {
        t->phase = PHASE_SCORE;
      } else {
        commit(t);
        *iteration = 1;
      }
      break;
    default:
      commit(t);
      *iteration = 1;
  }
  if (t->phase == PHASE_BASE && t->part > 1 && t->iterations == 0) s->g0 = s->g0 / t->o->share;
  return LEAT_OK;
}

static void open_pass(leat_trainer *t) {
  lt_solver *s = t->solver;
  uint32_t grad = LT_WANT_LOSS | LT_WANT_GRAD;
  switch (t->phase) {
    case PHASE_NULL_MODEL:
      lt_pass_start(t->o, t->null_model, s->kind == LT_SOLVER_LBFGS ? grad | LT_WANT_DIAG : grad, 1);
      break;
    case PHASE_SUB_BASE: lt_pass_start(t->o, s->base, lt_solver_base_want(s), t->part); break;
    case PHASE_SUB_SEARCH: lt_pass_start(t->o, s->next_point, s->next_want, t->part); break;
    case PHASE_BASE: lt_pass_start(t->o, s->base, lt_solver_base_want(s), 1); break;
    case PHASE_FIRST_SCORE: lt_pass_start(t->ov, s->base, LT_WANT_LOSS, 1); break;
    case PHASE_SCORE: lt_pass_start(t->ov, s->point, LT_WANT_LOSS, 1); break;
    default: lt_pass_start(t->o, s->next_point, s->next_want, 1);
  }
  t->pass_open = 1;
}

leat_status lt_trainer_advance(leat_trainer *t, int64_t max_rows, int one_iteration, leat_error *err) {
  leat_status st = LEAT_OK;
  int64_t seen = 0, begun = lt_monotonic_ns(t->rt);
  int iteration = 0;
  if (t->online) return lt_trainer_is_online(err);
  if (!t->train) return lt_fail(err, LEAT_E_STATE, "the trainer has no data yet: call set_data first");
  if (max_rows < 0) return lt_fail(err, LEAT_E_ARG, "max_rows is %lld: 0 (one iteration) or more is expected", (long long)max_rows);
  atomic_store_explicit(&t->started_now, begun ? begun : 1, memory_order_relaxed);
  atomic_store_explicit(&t->state_now, t->phase == PHASE_DONE ? LEAT_TRAIN_DONE : LEAT_TRAIN_RUNNING, memory_order_relaxed);
  while (t->phase != PHASE_DONE && !st && !(one_iteration ? iteration : seen >= max_rows)) {
    if (atomic_exchange_explicit(&t->cancelled, 0, memory_order_relaxed)) {
      st = lt_fail(err, LEAT_E_CANCELLED, "training was cancelled in iteration %lld", (long long)(t->iterations + 1));
      break;
    }
    if (t->net) {
      int64_t now = 0;
      st = lt_trainer_net_pass(t, one_iteration ? FIT_ROWS : max_rows - seen, &now, &iteration, err);
      seen += now;
      t->rows_seen += now;
      lt_trainer_publish(t);
      continue;
    }
    if (t->phase == PHASE_SEARCH && t->solver->ascending) {
      int64_t now = 0;
      st = lt_solver_ascend(t->solver, &now, err);
      seen += now;
      t->rows_seen += now;
      lt_trainer_publish(t);
      continue;
    }
    if (!t->pass_open) open_pass(t);
    lt_objective *o = t->phase == PHASE_SCORE || t->phase == PHASE_FIRST_SCORE ? t->ov : t->o;
    int64_t rows = 0;
    int done = 0;
    st = lt_pass_wave(o, one_iteration ? FIT_ROWS : max_rows - seen, &rows, &done, err);
    seen += rows;
    t->rows_seen += rows;
    if (!st && done) {
      t->pass_open = 0;
      st = pass_done(t, &iteration, err);
    }
    lt_trainer_publish(t);
  }
  t->elapsed_ns += lt_monotonic_ns(t->rt) - begun;
  atomic_store_explicit(&t->started_now, 0, memory_order_relaxed);
  int32_t state = st == LEAT_E_CANCELLED ? LEAT_TRAIN_CANCELLED : t->phase == PHASE_DONE ? LEAT_TRAIN_DONE : LEAT_TRAIN_RUNNING;
  atomic_store_explicit(&t->state_now, state, memory_order_relaxed);
  lt_trainer_publish(t);
  return st;
}

leat_status lt_trainer_step(leat_trainer *t, int64_t max_rows, leat_progress *out, leat_error *err) {
  leat_status st = lt_trainer_advance(t, max_rows, max_rows == 0, err);
  if (st || !out) return st;
  return lt_trainer_progress(t, out, err);
}

leat_status lt_trainer_fit(leat_trainer *t, leat_error *err) {
  leat_status st = LEAT_OK;
  do {
    st = lt_trainer_advance(t, 0, 1, err);
  } while (!st && t->phase != PHASE_DONE);
  return st;
}
