/* Chapter 17 of leat.h: the durable learner. */
#include "api/api.h"
#include "base/latency.h"
#include "lifecycle/learner.h"
#include <string.h>

LEAT_API leat_status leat_learner_create(leat_store *s, const leat_params *model, const leat_params *settings, const leat_schema *schema,
                                         const leat_model *from, leat_learner **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(s, "s", err)) != 0) return st;
  lt_fpenv env;
  lt_fpenv_enter(&env);
  st = lt_learner_create(s, model, settings, schema, from, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_learner_open(leat_store *s, leat_learner **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  if ((st = lt_need(s, "s", err)) != 0) return st;
  lt_fpenv env;
  lt_fpenv_enter(&env);
  st = lt_learner_open(s, out, err);
  lt_fpenv_leave(&env);
  return st ? st : lt_ok(err);
}

LEAT_API void leat_learner_free(leat_learner *l) {
  lt_fpenv env;
  lt_fpenv_enter(&env);
  lt_learner_free(l);
  lt_fpenv_leave(&env);
}

/* One thread at a time in a learner, in the default floating-point environment. */
static leat_status learner_enter(const leat_learner *l, lt_fpenv *env, leat_error *err) {
  leat_status st = lt_need(l, "l", err);
  if (!st) st = lt_owner_enter(lt_learner_owner((leat_learner *)(uintptr_t)l), "the learner", err);
  if (!st) lt_fpenv_enter(env);
  return st;
}

static leat_status learner_leave(const leat_learner *l, const lt_fpenv *env, leat_status st, leat_error *err) {
  lt_fpenv_leave(env);
  lt_owner_leave(lt_learner_owner((leat_learner *)(uintptr_t)l));
  return st ? st : lt_ok(err);
}
/* Alerts by the clock are looked at when a call that took its time is over. */
static leat_status looked(leat_learner *l, leat_status st) {
  if (!st) lt_learner_look(l);
  return st;
}

LEAT_API leat_status leat_learner_feed(leat_learner *l, const leat_batch *rows, leat_matrix *pred, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(rows, "rows", err);
  if (!st) st = learner_enter(l, &env, err);
  if (st) return st;
  const lt_timing *t = lt_runtime_timing(lt_folder_runtime(lt_learner_store(l)));
  int64_t begun = lt_timing_begin(t);
  st = lt_learner_feed(l, rows, pred, err);
  if (!st) lt_timing_end(t, LEAT_LATENCY_FEED, begun);
  return learner_leave(l, &env, looked(l, st), err);
}

LEAT_API leat_status leat_learner_predict(leat_learner *l, const leat_batch *keyed_rows, leat_matrix *pred, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(keyed_rows, "keyed_rows", err);
  if (!st) st = lt_need(pred, "pred", err);
  if (!st) st = learner_enter(l, &env, err);
  return st ? st : learner_leave(l, &env, looked(l, lt_learner_predict(l, keyed_rows, pred, err)), err);
}

LEAT_API leat_status leat_learner_label(leat_learner *l, const leat_batch *keyed_labels, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(keyed_labels, "keyed_labels", err);
  if (!st) st = learner_enter(l, &env, err);
  return st ? st : learner_leave(l, &env, looked(l, lt_learner_label(l, keyed_labels, err)), err);
}

LEAT_API leat_status leat_learner_position(const leat_learner *l, const char *source, int64_t *position, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(position, "position", err);
  if (st) return st;
  *position = 0;
  st = lt_need(source, "source", err);
  if (!st) st = learner_enter(l, &env, err);
  return st ? st : learner_leave(l, &env, lt_learner_position(l, source, position, err), err);
}

LEAT_API leat_status leat_learner_commit(leat_learner *l, leat_error *err) {
  lt_fpenv env;
  leat_status st = learner_enter(l, &env, err);
  return st ? st : learner_leave(l, &env, looked(l, lt_learner_commit(l, err)), err);
}

LEAT_API leat_status leat_learner_model(const leat_learner *l, leat_model **out, leat_error *err) {
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  st = lt_need(l, "l", err);
  if (!st) st = lt_learner_model(l, out, err);
  return st ? st : lt_ok(err);
}

LEAT_API leat_status leat_learner_live(leat_learner *l, leat_model **out, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  st = learner_enter(l, &env, err);
  return st ? st : learner_leave(l, &env, lt_learner_live(l, out, err), err);
}

LEAT_API leat_status leat_learner_snapshot(leat_learner *l, int64_t *version, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(version, "version", err);
  if (st) return st;
  *version = 0;
  st = learner_enter(l, &env, err);
  return st ? st : learner_leave(l, &env, lt_learner_snapshot(l, version, err), err);
}

LEAT_API leat_status leat_learner_rollback(leat_learner *l, int64_t version, leat_error *err) {
  lt_fpenv env;
  leat_status st = learner_enter(l, &env, err);
  return st ? st : learner_leave(l, &env, lt_learner_rollback(l, version, err), err);
}

LEAT_API leat_status leat_learner_thaw(leat_learner *l, leat_error *err) {
  lt_fpenv env;
  leat_status st = learner_enter(l, &env, err);
  return st ? st : learner_leave(l, &env, lt_learner_thaw(l, err), err);
}

LEAT_API leat_status leat_learner_get_state(const leat_learner *l, leat_learner_state *out, leat_error *err) {
  lt_fpenv env;
  leat_learner_state state = {0};
  leat_status st = lt_need(out, "out", err);
  uint64_t given = st ? 0 : out->struct_size;
  if (!st) st = lt_take_struct(&state, sizeof state, out, given, "leat_learner_state", err);
  if (!st) st = learner_enter(l, &env, err);
  if (st) return st;
  st = learner_leave(l, &env, lt_learner_get_state(l, &state, err), err);
  if (!st) lt_give_struct(out, given, &state, sizeof state);
  return st;
}

LEAT_API leat_status leat_learner_metrics(const leat_learner *l, int64_t set, leat_metrics **out, leat_error *err) {
  lt_fpenv env;
  leat_status st = lt_need(out, "out", err);
  if (st) return st;
  *out = NULL;
  st = learner_enter(l, &env, err);
  return st ? st : learner_leave(l, &env, lt_learner_metrics(l, set, out, err), err);
}

LEAT_API leat_status leat_learner_next_event(leat_learner *l, int64_t *cursor, leat_event *out, leat_error *err) {
  lt_fpenv env;
  leat_event event = {0};
  leat_status st = lt_need(cursor, "cursor", err);
  if (!st) st = lt_need(out, "out", err);
  uint64_t given = st ? 0 : out->struct_size;
  if (!st) st = lt_take_struct(&event, sizeof event, out, given, "leat_event", err);
  if (!st) st = learner_enter(l, &env, err);
  if (st) return st;
  event.struct_size = sizeof event;
  st = learner_leave(l, &env, lt_learner_next_event(l, cursor, &event, err), err);
  if (!st) lt_give_struct(out, given, &event, sizeof event);
  return st;
}
