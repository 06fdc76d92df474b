/* Shadow and canary: which version is tried, the admin's say in it, and labels, which decide. */
#include "serve.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int serve_trial_runs(serve_server *s) { return (int)__atomic_load_n(&s->trial_runs, __ATOMIC_RELAXED); }

static void note_state(serve_server *s) {
  leat_trial_state t = { .struct_size = sizeof t };
  leat_endpoint_get_trial(s->endpoint, &t, NULL);
  __atomic_store_n(&s->trial_runs, t.phase == LEAT_TRIAL_SHADOW || t.phase == LEAT_TRIAL_CANARY, __ATOMIC_RELAXED);
}

/* ---- begin */

static leat_status trial_params(serve_server *s, leat_params **p, leat_error *err) {
  leat_status st = leat_params_create(s->rt, "trial", p, err);
  for (int i = 0; i < s->o.n_trial_set && !st; i++) {
    char name[64];
    const char *eq = strchr(s->o.trial_set[i], '=');
    snprintf(name, sizeof name, "%.*s", (int)(eq - s->o.trial_set[i]), s->o.trial_set[i]);
    st = leat_params_set_text(*p, name, eq + 1, err);
  }
  return st;
}

int serve_trial_check(serve_server *s) {
  leat_error err = { .struct_size = sizeof err };
  leat_params *p = NULL;
  leat_status st = trial_params(s, &p, &err);
  leat_params_free(p);
  return st ? serve_wrong("--trial-set: %s", err.message) : 0;
}

/* What the stage of --trial shows is tried when it is another version than the one that is served, and each version
 * once. */
void serve_trial_follow(serve_server *s) {
  leat_error err = { .struct_size = sizeof err };
  leat_endpoint_state e = { .struct_size = sizeof e };
  leat_params *p = NULL;
  int64_t version = 0;
  char *end = NULL;
  note_state(s);
  if (!s->o.trial || serve_trial_runs(s)) return;
  leat_endpoint_get_state(s->endpoint, &e, NULL);
  version = strtoll(s->o.trial, &end, 10);
  if (*end && leat_store_stage(s->store, s->o.trial, &version, NULL)) return;
  if (version == s->tried || version == e.version || !e.version) return;
  s->tried = version;
  leat_status st = trial_params(s, &p, &err);
  if (!st) st = leat_endpoint_try(s->endpoint, version, p, &err);
  leat_params_free(p);
  if (st) serve_note("version %lld is not tried: %s", (long long)version, err.message);
  else if (!s->o.quiet) serve_note("version %lld is tried against version %lld", (long long)version, (long long)e.version);
  note_state(s);
}

/* ---- admin: GET /admin/trial; POST /admin/trial {"version":N or stage's name, parameters of a trial}; /forward, /back,
 * /abort, /promote */

static const char *const phase_word[] = { "none", "shadow", "canary", "promoted", "aborted" };

static json_t *finite_or_null(double v) { return v - v == 0 ? json_real(v) : json_null(); }

json_t *serve_trial_json(serve_server *s) {
  leat_trial_state t = { .struct_size = sizeof t };
  leat_score_state c = { .struct_size = sizeof c };
  leat_endpoint_get_trial(s->endpoint, &t, NULL);
  leat_endpoint_get_scores(s->endpoint, &c, NULL);
  json_t *o = json_pack("{s:s,s:I,s:I,s:I,s:I,s:f,s:I,s:I,s:I,s:b,s:s}", "phase", phase_word[t.phase >= 0 && t.phase <= 4
                                                                                             ? t.phase : 0],
                        "version", (json_int_t)t.version, "against", (json_int_t)t.against, "step",
                        (json_int_t)t.step, "steps",
                        (json_int_t)t.steps, "share", t.share, "labels", (json_int_t)t.labels, "step_labels",
                            (json_int_t)t.step_labels,
                        "answered", (json_int_t)t.answered, "automatic", (int)t.automatic, "text", t.text);
  json_object_set_new(o, "loss", finite_or_null(t.loss));
  json_object_set_new(o, "against_loss", finite_or_null(t.against_loss));
  json_object_set_new(o, "evidence",
                      json_pack("{s:f,s:f,s:f,s:f,s:f}", "no_worse", t.no_worse, "worse", t.worse, "forward_at",
                                t.evidence, "back_at",
                                t.caution, "abort_at", t.alarm));
  json_object_set_new(o, "scores",
                      json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:o}", "noted", (json_int_t)c.noted, "dropped",
                                (json_int_t)c.dropped,
                                "waiting", (json_int_t)c.waiting, "scored", (json_int_t)c.scored, "unmatched",
                                (json_int_t)c.unmatched, "expired", (json_int_t)c.expired, "loss", finite_or_null(c.loss),
                                "calibration_error", finite_or_null(c.calibration_error), "calibration_ratio",
                                finite_or_null(c.calibration_ratio)));
  return o;
}

static leat_status body_params(serve_server *s, json_t *body, leat_params **p, leat_error *err) {
  const char *name;
  json_t *v;
  leat_status st = trial_params(s, p, err);
  json_object_foreach(body, name, v) {
    char text[64];
    if (strcmp(name, "version") == 0 || st) continue;
    if (json_is_integer(v)) snprintf(text, sizeof text, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v)) snprintf(text, sizeof text, "%.17g", json_real_value(v));
    else if (json_is_boolean(v)) snprintf(text, sizeof text, "%s", json_is_true(v) ? "true" : "false");
    st = leat_params_set_text(*p, name, json_is_string(v) ? json_string_value(v) : text, err);
  }
  return st;
}

static void begin_trial(serve_request *q) {
  leat_error err = { .struct_size = sizeof err };
  leat_params *p = NULL;
  leat_status st = LEAT_OK;
  int64_t version = -1;
  json_t *body = serve_body_json(q, 65536);
  if (!body) return;
  json_t *v = json_object_get(body, "version");
  if (json_is_integer(v)) version = json_integer_value(v);
  else if (json_is_string(v)) st = leat_store_stage(q->s->store, json_string_value(v), &version, &err);
  int code = serve_code_of(st);
  if (!st && (st = body_params(q->s, body, &p, &err)) != 0) code = 400;
  if (!st) code = serve_code_of(st = leat_endpoint_try(q->s->endpoint, version, p, &err));
  leat_params_free(p);
  json_decref(body);
  note_state(q->s);
  if (st) serve_error(q, code, "%.400s", err.message);
  else serve_json_reply(q, 200, serve_trial_json(q->s));
}

void serve_trial_admin(serve_request *q, const char *more) {
  static const char *const word[] = { "", "forward", "back", "abort", "promote" };
  leat_error err = { .struct_size = sizeof err };
  if (q->method == EVHTTP_REQ_GET && !*more) {
    serve_json_reply(q, 200, serve_trial_json(q->s));
    return;
  }
  if (!*more) {
    begin_trial(q);
    return;
  }
  for (int64_t action = LEAT_TRIAL_FORWARD; action <= LEAT_TRIAL_PROMOTE; action++)
    if (strcmp(more, word[action]) == 0) {
      leat_status st = leat_endpoint_act(q->s->endpoint, action, &err);
      note_state(q->s);
      if (st) serve_error(q, serve_code_of(st), "%.400s", err.message);
      else serve_json_reply(q, 200, serve_trial_json(q->s));
      return;
    }
  serve_error(q, 404, "there is nothing at %.200s: a trial takes forward, back, abort, promote", q->path);
}

/* ---- labels */

/* A member that is a string, a number or a boolean, as text. 0: *j says why. */
static int value_text(serve_json *j, char *buf, size_t cap, const char **text, size_t *n) {
  char c = serve_json_peek(j);
  if (c == '"') return serve_json_string(j, buf, cap, text, n);
  if (c == '{' || c == '[' || c == 'n') return serve_json_fail(j, "expected a text or a number");
  *text = j->at;
  if (!serve_json_skip(j, 1)) return 0;
  *n = (size_t)(j->at - *text);
  return 1;
}

/* One line {"KEY":...,"TARGET":...}; other members are skipped. */
static int read_label(serve_json *j, const char *key, const char *target, char buf[2][4096], const char *text[2],
                      size_t n[2]) {
  char name[128];
  const char *s;
  size_t size;
  int have[2] = { 0, 0 };
  if (!serve_json_take(j, '{')) return serve_json_fail(j, "expected one JSON object a line");
  if (!serve_json_take(j, '}')) {
    do {
      if (!serve_json_string(j, name, sizeof name, &s, &size)) return 0;
      if (!serve_json_take(j, ':')) return serve_json_fail(j, "a ':' is missing");
      int which = strlen(key) == size && memcmp(s, key, size) == 0 ? 0 : strlen(target) == size &&
          memcmp(s, target, size) == 0 ? 1 : -1;
      if (which < 0 ? !serve_json_skip(j, 1) : !value_text(j, buf[which], 4096, &text[which], &n[which])) return 0;
      if (which >= 0) have[which] = 1;
    } while (serve_json_take(j, ','));
    if (!serve_json_take(j, '}')) return serve_json_fail(j, "a '}' or ',' is missing");
  }
  if (!have[0] || !n[0]) return serve_json_fail(j, "\"%.100s\" is missing", key);
  return have[1] || serve_json_fail(j, "\"%.100s\" is missing", target);
}

int serve_labels(serve_server *s, const char *body, size_t size, const char *key, const char *target,
                 serve_label_counts *out) {
  serve_json j = { .at = body, .end = body + size };
  char(*buf)[4096] = serve_alloc(2 * sizeof *buf);
  int ok = 1;
  while (ok && serve_json_peek(&j)) {
    leat_error err = { .struct_size = sizeof err };
    const char *text[2] = { NULL, NULL };
    size_t n[2] = { 0, 0 };
    int64_t matched = 0;
    ok = read_label(&j, key, target, buf, text, n);
    if (ok && leat_endpoint_label(s->endpoint, text[0], n[0], text[1], n[1], &matched, &err))
      ok = serve_json_fail(&j, "%.140s", err.message);
    if (!ok) break;
    out->rows++;
    out->matched += matched;
  }
  free(buf);
  if (!ok) snprintf(out->why, sizeof out->why, "label %lld: %.150s", (long long)out->rows + 1, j.why);
  return ok;
}

/* POST /v1/label where nobody learns: what was served is scored, and a trial's pairs are told. */
void serve_label_scores(serve_request *q) {
  leat_lease lease = { .struct_size = sizeof lease };
  leat_error err = { .struct_size = sizeof err };
  serve_label_counts n = { 0 };
  if (q->body_size == 0) {
    serve_error(q, 400, "the body is empty: expected one JSON object a line, with the key and the target");
    return;
  }
  if (leat_endpoint_acquire(q->s->endpoint, &lease, &err)) {
    serve_error(q, 503, "%.400s", err.message);
    return;
  }
  const serve_plan *p = serve_plan_of(q->w, &lease, &err);
  leat_endpoint_release(q->s->endpoint, &lease);
  if (!p) serve_error(q, 500, "%.400s", err.message);
  else if (!serve_labels(q->s, q->body, q->body_size, q->s->o.key ? q->s->o.key : p->key_name, p->target_name, &n))
    serve_error(q, 400, "%.200s", n.why);
  else
    serve_json_reply(q, 200, json_pack("{s:I,s:I,s:I}", "rows", (json_int_t)n.rows, "scored", (json_int_t)n.matched,
                                       "unmatched",
                                       (json_int_t)(n.rows - n.matched)));
}
