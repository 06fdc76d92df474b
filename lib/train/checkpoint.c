/* Checkpoints: a sealed file of kind "CKPT". It holds the state at the end of the last iteration, so a trainer that is
 * saved amid an iteration makes that iteration again when it goes on; its numbers are the same bits. */
#include "train/state.h"
#include "base/sealed.h"
#include "model/encoding.h"
#include <math.h>
#include <string.h>

enum { CKPT_VERSION = 1, CKPT_DUAL = 2, MAX_NAME = 256 }; /* 2: with dual variables */

/* A network's trainer, at any row of an epoch. */
static leat_status put_net(leat_trainer *t, lt_put *w, leat_error *err) {
  lt_put_u32(w, (uint32_t)t->warm_start);
  lt_put_u32(w, t->phase == PHASE_DONE);
  lt_put_i64(w, t->iterations);
  lt_put_i64(w, t->rows_seen);
  lt_put_i64(w, t->xv ? t->xv->n : -1);
  lt_put_u64(w, t->train_sum);
  lt_put_u64(w, t->xv ? t->valid_sum : 0);
  lt_put_f64(w, t->last_loss);
  lt_put_f64(w, t->score);
  lt_put_f64(w, t->best_score);
  lt_put_i64(w, t->best_iteration);
  lt_put_i64(w, t->since_best);
  return lt_trainer_net_put(t, w, err);
}

static leat_status get_net(leat_trainer *t, lt_get *g, leat_error *err) {
  lt_resume *r = lt_zalloc(t->rt, sizeof *r);
  if (!r) return lt_fail_memory(err, sizeof *r, "a checkpoint");
  t->resume = r;
  uint32_t warm = lt_get_u32(g), done = lt_get_u32(g);
  t->iterations = lt_get_i64(g);
  t->rows_seen = t->rows_seen_base = lt_get_i64(g);
  r->n_valid_rows = lt_get_i64(g);
  r->train_sum = lt_get_u64(g);
  r->valid_sum = lt_get_u64(g);
  t->last_loss = lt_get_f64(g);
  t->score = lt_get_f64(g);
  t->best_score = lt_get_f64(g);
  t->best_iteration = lt_get_i64(g);
  t->since_best = lt_get_i64(g);
  if (warm > 1 || done > 1 || t->iterations < 0 || t->rows_seen < 0 || r->n_valid_rows < -1 || t->best_iteration < 0 ||
      t->since_best < 0 || (!isnan(t->best_score) && r->n_valid_rows < 0))
    lt_get_fail(g, LEAT_E_FORMAT);
  t->warm_start = (int32_t)warm;
  t->phase = done ? PHASE_DONE : 0;
  lt_trainer_net_get(t, g);
  if (!g->failed && (r->n_net[1] > 0) != !isnan(t->best_score)) lt_get_fail(g, LEAT_E_FORMAT);
  if (!g->failed && lt_get_left(g) != 0) lt_get_fail(g, LEAT_E_FORMAT);
  return lt_get_status(g, "the checkpoint's state", err);
}

static void put_state(const leat_trainer *t, lt_put *w) {
  const lt_solver *s = t->solver;
  int64_t n = s->n;
  int fresh = s->g0 < 0 || t->phase == PHASE_SUB_BASE || t->phase == PHASE_SUB_SEARCH || (t->part > 1 && t->iterations == 0);
  lt_put_u32(w, (uint32_t)s->kind);
  lt_put_i64(w, n);
  lt_put_u32(w, (uint32_t)t->warm_start);
  lt_put_u32(w, t->phase == PHASE_DONE);
  lt_put_i64(w, t->iterations);
  lt_put_i64(w, fresh ? 0 : t->rows_seen_base);
  lt_put_i64(w, t->x->n);
  lt_put_i64(w, t->xv ? t->xv->n : -1);
  lt_put_u64(w, t->train_sum);
  lt_put_u64(w, t->xv ? t->valid_sum : 0);
  lt_put_f64(w, t->last_loss);
  lt_put_f64(w, t->score);
  lt_put_f64(w, t->best_score);
  lt_put_i64(w, t->best_iteration);
  lt_put_i64(w, t->since_best);
  lt_put_f64(w, fresh ? -1 : s->g0);
  lt_put_f64(w, fresh ? -1 : s->radius_base);
  lt_put_f64s(w, fresh && !t->warm_start ? t->null_model : s->base, (uint64_t)n);
  lt_put_f64s(w, t->best, t->best && !isnan(t->best_score) ? (uint64_t)n : 0);
  if (t->loss->flags & LT_LOSS_SMOOTHED) lt_put_f64(w, t->o->args.width);
  if (s->kind == LT_SOLVER_DUAL) {
    double *limit;
    int64_t *iterations;
    lt_dual_state(s->dual, &limit, &iterations);
    lt_put_f64(w, *limit);
    lt_put_i64(w, *iterations);
    lt_put_f64s(w, lt_dual_beta(s->dual), (uint64_t)t->x->n);
  }
  if (s->kind != LT_SOLVER_LBFGS) return;
  lt_put_i64(w, s->count);
  lt_put_i64(w, s->head);
  lt_put_f64s(w, s->metric, (uint64_t)n);
  lt_put_f64s(w, s->s, (uint64_t)(n * s->count));
  lt_put_f64s(w, s->y, (uint64_t)(n * s->count));
  lt_put_f64s(w, s->rho, (uint64_t)s->count);
}

/* An online trainer: its sections, beside settings and lineage. */
static leat_status save_online(leat_trainer *t, const char *path, leat_error *err) {
  lt_seal *seal = NULL;
  if (!t->online->schema) return lt_fail(err, LEAT_E_STATE, "the trainer has seen no row yet: there is nothing to save");
  leat_status st = lt_seal_create(t->rt, "CKPT", CKPT_VERSION, CKPT_VERSION, &seal, err);
  for (int i = 0; i < 2 && !st; i++) {
    lt_put w;
    lt_put_init(&w, t->rt);
    lt_put_text(&w, i ? t->lineage : lt_params_spec(t->settings)->name);
    if (i == 0) lt_params_save(t->settings, &w);
    st = lt_put_status(&w, err);
    if (!st) st = lt_seal_add(seal, i ? "lineage" : "settings", LT_SEAL_ZSTD, w.data, w.size, err);
    lt_put_free(&w);
  }
  if (!st) st = lt_online_put(t->online, seal, err);
  if (!st) st = lt_seal_write(seal, path, err);
  lt_seal_free(seal);
  return st;
}

leat_status lt_trainer_save(leat_trainer *t, const char *path, leat_error *err) {
  if (t->online) return save_online(t, path, err);
  if (!t->train) return lt_fail(err, LEAT_E_STATE, "the trainer has no data yet: there is nothing to save");
  leat_status st = lt_trainer_sums(t, err);
  if (st) return st;
  lt_seal *seal = NULL;
  uint32_t version = t->solver && t->solver->kind == LT_SOLVER_DUAL ? CKPT_DUAL : CKPT_VERSION;
  st = lt_seal_create(t->rt, "CKPT", version, version, &seal, err);
  if (st) return st;
  static const char *const names[] = {"settings", "schema", "encoder", "state", "lineage"};
  for (size_t i = 0; i < sizeof names / sizeof *names && !st; i++) {
    lt_put w;
    lt_put_init(&w, t->rt);
    switch (i) {
      case 0:
        lt_put_text(&w, lt_params_spec(t->settings)->name);
        lt_params_save(t->settings, &w);
        break;
      case 1: lt_schema_save(t->schema, &w); break;
      case 2: lt_encoder_save(t->encoder, &w); break;
      case 3:
        if (t->net) st = put_net(t, &w, err);
        else put_state(t, &w);
        break;
      default: lt_put_text(&w, t->lineage);
    }
    if (!st) st = lt_put_status(&w, err);
    if (!st) st = lt_seal_add(seal, names[i], LT_SEAL_ZSTD, w.data, w.size, err);
    lt_put_free(&w);
  }
  if (!st) st = lt_seal_write(seal, path, err);
  lt_seal_free(seal);
  return st;
}

static double *get_vector(lt_get *g, int64_t want) {
  uint64_t n = 0;
  double *v = lt_get_f64s(g, &n);
  if (!g->failed && n != (uint64_t)want) lt_get_fail(g, LEAT_E_FORMAT);
  for (uint64_t i = 0; v && !g->failed && i < n; i++) {
    if (!isfinite(v[i])) lt_get_fail(g, LEAT_E_FORMAT);
  }
  return v;
}

static leat_status get_state(leat_trainer *t, lt_get *g, leat_error *err) {
  lt_resume *r = lt_zalloc(t->rt, sizeof *r);
  if (!r) return lt_fail_memory(err, sizeof *r, "a checkpoint");
  t->resume = r;
  r->kind = (int32_t)lt_get_u32(g);
  r->n = lt_get_i64(g);
  uint32_t warm = lt_get_u32(g), done = lt_get_u32(g);
  t->iterations = lt_get_i64(g);
  t->rows_seen = t->rows_seen_base = lt_get_i64(g);
  int64_t rows = lt_get_i64(g);
  r->n_valid_rows = lt_get_i64(g);
  r->train_sum = lt_get_u64(g);
  r->valid_sum = lt_get_u64(g);
  t->last_loss = lt_get_f64(g);
  t->score = lt_get_f64(g);
  t->best_score = lt_get_f64(g);
  t->best_iteration = lt_get_i64(g);
  t->since_best = lt_get_i64(g);
  r->g0 = lt_get_f64(g);
  r->radius = lt_get_f64(g);
  if (warm > 1 || done > 1 || r->n < 0 || t->iterations < 0 || t->rows_seen < 0 || rows < 1 || r->n_valid_rows < -1 ||
      t->best_iteration < 0 || t->since_best < 0 || isnan(r->g0) || isnan(r->radius) || r->kind < LT_SOLVER_NEWTON ||
      r->kind > LT_SOLVER_DUAL || (done && r->g0 < 0))
    lt_get_fail(g, LEAT_E_FORMAT);
  t->warm_start = (int32_t)warm;
  t->phase = done ? PHASE_DONE : 0;
  r->base = get_vector(g, r->n);
  if (!isnan(t->best_score) && r->n_valid_rows < 0) lt_get_fail(g, LEAT_E_FORMAT);
  t->best = get_vector(g, isnan(t->best_score) ? 0 : r->n);
  if (isnan(t->best_score)) {
    lt_free(t->rt, t->best);
    t->best = NULL;
  }
  const lt_loss *loss = lt_linear_loss(t->settings, lt_schema_classes(t->schema));
  if (loss && loss->flags & LT_LOSS_SMOOTHED) {
    r->width = lt_get_f64(g);
    if (!(r->kind == LT_SOLVER_DUAL ? r->width == 0 : r->width > 0) || !isfinite(r->width)) lt_get_fail(g, LEAT_E_FORMAT);
  }
  if (r->kind == LT_SOLVER_DUAL) {
    r->radius = lt_get_f64(g);
    r->head = lt_get_i64(g);
    r->count = rows;
    r->metric = get_vector(g, rows);
    if (!(r->radius > 0) || !isfinite(r->radius) || r->head < 0) lt_get_fail(g, LEAT_E_FORMAT);
  }
  if (r->kind == LT_SOLVER_LBFGS) {
    int64_t memory = lt_param_int(t->settings, "lbfgs_memory");
    r->count = lt_get_i64(g);
    r->head = lt_get_i64(g);
    if (r->count < 0 || r->count > memory || r->head < 0 || r->head >= memory ||
        (r->count < memory && r->head != r->count) || (r->count && r->n > INT64_MAX / 16 / r->count)) {
      lt_get_fail(g, LEAT_E_FORMAT);
      r->count = r->head = 0;
    }
    r->metric = get_vector(g, r->n);
    r->s = get_vector(g, r->n * r->count);
    r->y = get_vector(g, r->n * r->count);
    r->rho = get_vector(g, r->count);
  }
  if (!g->failed && lt_get_left(g) != 0) lt_get_fail(g, LEAT_E_FORMAT);
  return lt_get_status(g, "the checkpoint's state", err);
}

static leat_status section(lt_sealed *f, const char *name, leat_runtime *rt, lt_get *g, leat_error *err) {
  const void *data = NULL;
  uint64_t size = 0;
  leat_status st = lt_sealed_section(f, name, &data, &size, err);
  lt_get_init(g, rt, data, st ? 0 : size);
  return st;
}

static leat_status load_settings(lt_sealed *f, leat_runtime *rt, const leat_device *dev, leat_trainer **out,
                                 leat_error *err) {
  lt_get g;
  leat_params *p = NULL;
  leat_status st = section(f, "settings", rt, &g, err);
  if (st) return st;
  char *spec = lt_get_text(&g);
  st = lt_get_status(&g, "the checkpoint's settings", err);
  const lt_family *family = st ? NULL : lt_family_of_spec(spec);
  if (!st && !family) st = lt_fail(err, LEAT_E_FORMAT, "the checkpoint is of the model '%.60s', which this library does not know", spec);
  if (!st) st = lt_params_create(rt, family->spec, &p, err);
  if (!st) st = lt_params_load(p, &g, err);
  if (!st) st = lt_trainer_alloc(rt, p, NULL, dev, out, err);
  lt_params_free(p);
  lt_free(rt, spec);
  return st;
}

static leat_status load_lineage(lt_sealed *f, leat_trainer *t, leat_error *err) {
  lt_get g;
  leat_status st = section(f, "lineage", t->rt, &g, err);
  if (st) return st;
  char *lineage = lt_get_text(&g);
  st = lt_get_status(&g, "the checkpoint's lineage", err);
  if (st) {
    lt_free(t->rt, lineage);
    return st;
  }
  lt_free(t->rt, t->lineage);
  t->lineage = lineage;
  return LEAT_OK;
}

static leat_status load_offline(lt_sealed *f, leat_trainer *t, leat_error *err) {
  lt_get g;
  leat_runtime *rt = t->rt;
  leat_status st = section(f, "schema", rt, &g, err);
  if (!st) st = lt_schema_load(rt, &g, &t->schema, err);
  if (!st && lt_schema_role(t->schema, LEAT_ROLE_TARGET) < 0)
    st = lt_fail(err, LEAT_E_FORMAT, "the checkpoint's schema has no target: it is damaged");
  if (!st) st = section(f, "encoder", rt, &g, err);
  if (!st) st = lt_encoder_load(rt, t->schema, &g, &t->encoder, err);
  if (!st && lt_encoder_is_online(t->encoder)) st = lt_fail(err, LEAT_E_FORMAT, "the checkpoint's encoder is of another family");
  if (!st) st = section(f, "state", rt, &g, err);
  return st ? st : (t->family == &lt_family_mlp ? get_net(t, &g, err) : get_state(t, &g, err));
}

leat_status lt_trainer_load(leat_runtime *rt, const char *path, const leat_device *dev, leat_trainer **out,
                            leat_error *err) {
  *out = NULL;
  if (dev && lt_device_runtime(dev) != rt) return lt_fail(err, LEAT_E_ARG, "the device belongs to another runtime");
  lt_sealed *f = NULL;
  leat_trainer *t = NULL;
  leat_status st = lt_sealed_open(rt, path, "CKPT", CKPT_DUAL, 0, &f, err);
  if (!st) st = load_settings(f, rt, dev, &t, err);
  if (!st) st = load_lineage(f, t, err);
  if (!st) st = t->online ? lt_online_get(t->online, f, err) : load_offline(f, t, err);
  lt_sealed_free(f);
  if (st) {
    lt_trainer_free(t);
    return st;
  }
  if (t->online) lt_trainer_publish_online(t);
  else lt_trainer_publish(t);
  *out = t;
  return LEAT_OK;
}
