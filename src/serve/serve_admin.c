/* The admin address: what changes the store. Whoever asks must be the loopback's own programs or know the token; a web
 * page that a browser has open elsewhere can be neither: changes want a JSON body (which makes browsers ask first, and
 * nobody answers), and without a token the Host must be a loopback name. */
#include "serve.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int same_secret(const char *a, const char *b) { /* in time that does not tell where they differ */
  size_t n = strlen(a), m = strlen(b);
  unsigned d = (unsigned)(n ^ m);
  for (size_t i = 0; i < m; i++) d |= (unsigned)(unsigned char)(a[n ? i % n : 0] ^ b[i]);
  return d == 0;
}

static int host_is_loopback(const char *host) {
  static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };
  for (int i = 0; i < 3; i++) {
    size_t n = strlen(names[i]);
    if (strncasecmp(host, names[i], n) == 0 && (host[n] == 0 || host[n] == ':')) return 1;
  }
  return 0;
}

static int admitted(serve_request *q) {
  const char *auth = serve_header(q, "Authorization"), *host = serve_header(q, "Host"),
      *type = serve_header(q, "Content-Type");
  if (q->s->token && (!auth || strncasecmp(auth, "Bearer ", 7) != 0 || !same_secret(auth + 7, q->s->token))) {
    serve_error(q, 401, "the bearer token is missing or wrong");
    return 0;
  }
  if (!q->s->token && (!host || !host_is_loopback(host))) {
    serve_error(q, 403, "without a token, Host must be localhost");
    return 0;
  }
  if (q->method != EVHTTP_REQ_GET && (!type || strncasecmp(type, "application/json", 16) != 0)) {
    serve_error(q, 415, "changes take Content-Type: application/json");
    return 0;
  }
  return 1;
}

/* An integer member; absent: as it was. 0: answered. */
static int member_i64(serve_request *q, const json_t *o, const char *name, int64_t *v) {
  json_t *m = json_object_get(o, name);
  if (!m) return 1;
  if (!json_is_integer(m)) {
    serve_error(q, 400, "\"%s\" must be an integer", name);
    return 0;
  }
  *v = json_integer_value(m);
  return 1;
}

static void list_versions(serve_request *q) {
  leat_error err = { .struct_size = sizeof err };
  json_t *all = json_array();
  int64_t n = 0, generation = 0;
  leat_status st = leat_store_generation(q->s->store, &generation, &err);
  if (!st) st = leat_store_count(q->s->store, &n, &err);
  for (int64_t i = 0; i < n && !st; i++) {
    leat_version_info v = { .struct_size = sizeof v };
    if (leat_store_at(q->s->store, i, &v, &err)) continue; /* removed meanwhile */
    json_array_append_new(all, json_pack("{s:I,s:I,s:s,s:s,s:s,s:I,s:I,s:f,s:b,s:b}", "version", (json_int_t)v.version,
                                         "parent", (json_int_t)v.parent,
                                         "stages", v.stages, "origin", v.origin, "checksum", v.checksum, "rows",
                                         (json_int_t)v.rows_learned, "bytes",
                                         (json_int_t)v.bytes, "created", (double)v.created_ns / 1e9, "pinned",
                                             (v.flags & LEAT_VERSION_PINNED) != 0,
                                         "certified", (v.flags & LEAT_VERSION_CERTIFIED) != 0));
  }
  if (!st) {
    serve_json_reply(q, 200, json_pack("{s:I,s:o}", "generation", (json_int_t)generation, "versions", all));
    return;
  }
  json_decref(all);
  serve_error(q, serve_code_of(st), "%.400s", err.message);
}

static void change_stage(serve_request *q, int back) {
  leat_error err = { .struct_size = sizeof err };
  int64_t version = 0, expected = -1, generation = 0, swapped = 0;
  json_t *body = serve_body_json(q, 65536);
  if (!body) return;
  const char *stage = json_string_value(json_object_get(body, "stage"));
  if (!stage) stage = "production";
  if (member_i64(q, body, "version", &version) && member_i64(q, body, "expected_generation", &expected)) {
    leat_status st = back ? leat_store_rollback(q->s->store, stage, expected, &generation, &err)
                          : leat_store_promote(q->s->store, version, stage, expected, &generation, &err);
    if (st) serve_error(q, serve_code_of(st), "%.400s", err.message);
    else {
      leat_endpoint_state e = { .struct_size = sizeof e };
      (void)leat_endpoint_refresh(q->s->endpoint, &swapped, NULL);
      leat_endpoint_get_state(q->s->endpoint, &e, NULL);
      serve_json_reply(q, 200, json_pack("{s:I,s:s,s:I}", "generation", (json_int_t)generation, "stage", stage, "served",
                                         (json_int_t)e.version));
    }
  }
  json_decref(body);
}

static void list_held(serve_request *q) {
  leat_error err = { .struct_size = sizeof err };
  leat_quarantine *k = NULL;
  json_t *all = json_array();
  int64_t cursor = 0;
  leat_status st = leat_quarantine_open(q->s->store, &k, &err);
  leat_held_info h = { .struct_size = sizeof h };
  for (int i = 0; !st && i < 100 && leat_quarantine_next(k, 0, &cursor, &h, &err) == LEAT_OK; i++) {
    json_t *o = json_pack("{s:I,s:s,s:s*,s:I,s:s*,s:s*}", "id", (json_int_t)h.id, "reason",
                          leat_reason_name((leat_reason)h.reason), "column", h.column_name,
                          "position", (json_int_t)h.position, "source", h.source, "detail", h.detail);
    if (o) json_array_append_new(all, o);
  }
  leat_quarantine_free(k);
  if (!st) {
    serve_json_reply(q, 200, json_pack("{s:o}", "records", all));
    return;
  }
  json_decref(all);
  serve_error(q, serve_code_of(st), "%.400s", err.message);
}

static void purge_held(serve_request *q) {
  leat_error err = { .struct_size = sizeof err };
  leat_quarantine *k = NULL;
  int64_t id = 0, purged = 0;
  json_t *body = serve_body_json(q, 65536);
  if (!body) return;
  if (member_i64(q, body, "id", &id)) {
    leat_status st = leat_quarantine_open(q->s->store, &k, &err);
    if (!st) st = leat_quarantine_purge(k, id ? &id : NULL, id ? 1 : 0, &purged, &err);
    if (st) serve_error(q, serve_code_of(st), "%.400s", err.message);
    else serve_json_reply(q, 200, json_pack("{s:I}", "purged", (json_int_t)purged));
    leat_quarantine_free(k);
  }
  json_decref(body);
}

static void by_hand(serve_request *q, const char *what, const char *name) {
  int64_t v = 0;
  json_t *body = serve_body_json(q, 65536);
  if (!body) return;
  if (member_i64(q, body, name, &v)) serve_learn_hand(q, what, v);
  json_decref(body);
}

static void set_drain(serve_request *q) {
  json_t *body = serve_body_json(q, 65536), *on;
  if (!body) return;
  on = json_object_get(body, "on");
  if (on && !json_is_boolean(on)) serve_error(q, 400, "\"on\" must be true or false");
  else {
    __atomic_store_n(&q->s->draining, !on || json_is_true(on), __ATOMIC_RELAXED);
    serve_json_reply(q, 200, json_pack("{s:b,s:I}", "draining", !on || json_is_true(on), "pending",
                                       (json_int_t)__atomic_load_n(&q->s->pending, __ATOMIC_RELAXED)));
  }
  json_decref(body);
}

/* /admin/versions, promote, rollback, quarantine[/release|/purge], learner/rollback|thaw|snapshot, drain */
void serve_admin(serve_request *q, const char *const *seg, int n) {
  const char *what = n > 1 ? seg[1] : "", *more = n > 2 ? seg[2] : "";
  int get = q->method == EVHTTP_REQ_GET, post = q->method == EVHTTP_REQ_POST;
  if (!admitted(q)) return;
  if (n == 2 && get && strcmp(what, "versions") == 0) list_versions(q);
  else if (n == 2 && post && strcmp(what, "promote") == 0) change_stage(q, 0);
  else if (n == 2 && post && strcmp(what, "rollback") == 0) change_stage(q, 1);
  else if (n == 2 && get && strcmp(what, "quarantine") == 0) list_held(q);
  else if (n == 3 && post && strcmp(what, "quarantine") == 0 && strcmp(more, "purge") == 0) purge_held(q);
  else if (n == 3 && post && strcmp(what, "quarantine") == 0 && strcmp(more, "release") == 0) by_hand(q, "release", "id");
  else if (n == 3 && post && strcmp(what, "learner") == 0 && (strcmp(more, "rollback") == 0 ||
                                                              strcmp(more, "thaw") == 0 || strcmp(more, "snapshot") == 0))
    by_hand(q, more, "version");
  else if (n <= 3 && (post || (get && n == 2)) && strcmp(what, "trial") == 0) serve_trial_admin(q, more);
  else if (n == 2 && post && strcmp(what, "drain") == 0) set_drain(q);
  else
    serve_error(q, 404,
                "there is nothing at %.200s: GET versions, quarantine, trial; POST promote, rollback, trial, "
                 "trial/forward, /back, /abort, /promote, quarantine/release, quarantine/purge, "
                   "learner/rollback, learner/thaw, learner/snapshot, drain", q->path);
}
