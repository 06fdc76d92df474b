/* Chapter 11 of leat.h: trainers. */
#include "api/api.h"
#include "train/trainer.h"

LEAT_API leat_status leat_trainer_create(leat_runtime *rt, const leat_params *p, const leat_schema *s,
                                         const leat_device *dev, leat_trainer **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(p, "p", err)) != 0) return st;
  lt_fpenv env;
  lt_fpenv_enter(&env);
  st = lt_trainer_create(rt, p, s, dev, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_trainer_from_model(const leat_model *m, const leat_params *p, const leat_device *dev,
                                             leat_trainer **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(m, "m", err)) != 0) return st;
  lt_fpenv env;
  lt_fpenv_enter(&env);
  st = lt_trainer_from_model(m, p, dev, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API void leat_trainer_free(leat_trainer *t) { lt_trainer_free(t); }

/* One thread at a time in a trainer, in the default floating-point environment. */
static leat_status trainer_enter(leat_trainer *t, lt_fpenv *env, leat_error *err) {
  leat_status st = lt_need(t, "t", err);
  if (!st) st = lt_owner_enter(lt_trainer_owner(t), "the trainer", err);
  if (!st) lt_fpenv_enter(env);
  return st;
}

static leat_status trainer_leave(leat_trainer *t, const lt_fpenv *env, leat_status st, leat_error *err) {
  lt_fpenv_leave(env);
  lt_owner_leave(lt_trainer_owner(t));
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_trainer_set_data(leat_trainer *t, const leat_dataset *train, const leat_dataset *valid,
                                           leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(train, "train", err);
  if (!st) st = trainer_enter(t, &env, err);
  if (st) return st;
  return trainer_leave(t, &env, lt_trainer_set_data(t, train, valid, err), err);
}

LEAT_API leat_status leat_trainer_fit(leat_trainer *t, leat_error *err) {
  lt_fpenv env;
  leat_status st = trainer_enter(t, &env, err);
  if (st) return st;
  return trainer_leave(t, &env, lt_trainer_fit(t, err), err);
}

LEAT_API leat_status leat_trainer_step(leat_trainer *t, int64_t max_rows, leat_progress *out, leat_error *err) {
  lt_fpenv env;
  leat_progress probe;
  leat_status st = out ? lt_take_struct(&probe, sizeof probe, out, out->struct_size, "leat_progress", err) : LEAT_OK;
  if (!st) st = trainer_enter(t, &env, err);
  if (st) return st;
  return trainer_leave(t, &env, lt_trainer_step(t, max_rows, out, err), err);
}

LEAT_API leat_status leat_trainer_learn(leat_trainer *t, const leat_batch *rows, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(rows, "rows", err);
  if (!st) st = trainer_enter(t, &env, err);
  if (st) return st;
  return trainer_leave(t, &env, lt_trainer_learn(t, rows, err), err);
}

LEAT_API leat_status leat_trainer_test_then_train(leat_trainer *t, const leat_batch *rows, int64_t chunk_rows,
                                                  leat_matrix *pred, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(rows, "rows", err);
  if (!st) st = trainer_enter(t, &env, err);
  if (st) return st;
  return trainer_leave(t, &env, lt_trainer_test_then_train(t, rows, chunk_rows, pred, err), err);
}

LEAT_API leat_status leat_trainer_predict(leat_trainer *t, const leat_batch *rows, leat_matrix *pred, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(rows, "rows", err);
  if (!st) st = lt_need(pred, "pred", err);
  if (!st) st = trainer_enter(t, &env, err);
  if (st) return st;
  return trainer_leave(t, &env, lt_trainer_predict(t, rows, pred, err), err);
}

LEAT_API leat_status leat_trainer_progress(const leat_trainer *t, leat_progress *out, leat_error *err) {
  leat_status st = lt_need(t, "t", err);
  if (!st) st = lt_need(out, "out", err);
  if (!st) st = lt_trainer_progress(t, out, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_trainer_cancel(leat_trainer *t) { return t ? lt_trainer_cancel(t) : LEAT_E_ARG; }

LEAT_API leat_status leat_trainer_metrics(leat_trainer *t, int64_t set, leat_metrics **out, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = trainer_enter(t, &env, err)) != 0) return st;
  return trainer_leave(t, &env, lt_trainer_metrics(t, set, out, err), err);
}

LEAT_API leat_status leat_trainer_snapshot(leat_trainer *t, leat_model **out, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = trainer_enter(t, &env, err)) != 0) return st;
  return trainer_leave(t, &env, lt_trainer_snapshot(t, out, err), err);
}

LEAT_API leat_status leat_trainer_save(leat_trainer *t, const char *path, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(path, "path", err);
  if (!st) st = trainer_enter(t, &env, err);
  if (st) return st;
  return trainer_leave(t, &env, lt_trainer_save(t, path, err), err);
}

LEAT_API leat_status leat_trainer_load(leat_runtime *rt, const char *path, const leat_device *dev, leat_trainer **out,
                                       leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(rt, "rt", err)) != 0 || (st = lt_need(path, "path", err)) != 0) return st;
  lt_fpenv_enter(&env);
  st = lt_trainer_load(rt, path, dev, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}
