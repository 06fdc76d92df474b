/* What is answered where: the Open Inference Protocol v2 under /v2, what goes beyond it under /v1. */
#include "serve.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const double serve_bounds[SERVE_BUCKETS - 1] = { 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3,
  100e-3, 250e-3, 500e-3, 1, 5 };
const int serve_codes[SERVE_CODES] = { 200, 400, 401, 403, 404, 405, 409, 413, 500, 501, 503, 0 };

void serve_count(uint64_t *n, uint64_t more) { __atomic_store_n(n, __atomic_load_n(n, __ATOMIC_RELAXED) + more,
                                                                __ATOMIC_RELAXED); }

void serve_observe(serve_histogram *h, double seconds) {
  double sum;
  int b = 0;
  while (b < SERVE_BUCKETS - 1 && seconds > serve_bounds[b]) b++;
  serve_count(&h->bucket[b], 1);
  serve_count(&h->count, 1);
  __atomic_load(&h->sum, &sum, __ATOMIC_RELAXED);
  sum += seconds;
  __atomic_store(&h->sum, &sum, __ATOMIC_RELAXED);
}

static int is_ready(serve_server *s) {
  leat_lease lease = { .struct_size = sizeof lease };
  if (__atomic_load_n(&s->draining, __ATOMIC_RELAXED) || __atomic_load_n(&s->stopping, __ATOMIC_RELAXED)) return 0;
  if (leat_endpoint_acquire(s->endpoint, &lease, NULL)) return 0;
  leat_endpoint_release(s->endpoint, &lease);
  return 1;
}

static void server_metadata(serve_request *q) {
  serve_json_reply(q, 200, json_pack("{s:s,s:s,s:[s,s]}", "name", "leat-serve", "version", leat_version_text(),
                                     "extensions",
                                     "binary_tensor_data", "statistics"));
}

static json_t *tensor(const char *name, const char *type, int64_t width) {
  json_t *shape = width > 0 ? json_pack("[i,I]", -1, (json_int_t)width) : json_pack("[i]", -1);
  return json_pack("{s:s,s:s,s:o}", "name", name, "datatype", type, "shape", shape);
}

static void model_metadata(serve_request *q, const serve_plan *p) {
  json_t *in = json_array(), *out = json_array(), *classes = json_array();
  char version[32];
  snprintf(version, sizeof version, "%lld", (long long)p->version);
  for (int64_t i = 0; i < p->n_columns; i++) {
    const serve_column *c = &p->column[i];
    if (c->sparse) {
      char name[300];
      snprintf(name, sizeof name, "%.250s.index", c->name);
      json_array_append_new(in, tensor(name, "INT32", -1));
      json_array_append_new(json_object_get(json_array_get(in, json_array_size(in) - 1), "shape"), json_integer(-1));
      snprintf(name, sizeof name, "%.250s.value", c->name);
      json_array_append_new(in, tensor(name, "FP32", -1));
      json_array_append_new(json_object_get(json_array_get(in, json_array_size(in) - 1), "shape"), json_integer(-1));
    } else json_array_append_new(in, tensor(c->name, serve_datatype(p, c), c->width > 1 ? c->width : 0));
  }
  if (p->n_classes) {
    json_array_append_new(out, tensor("probability", "FP32", p->n_classes));
    json_array_append_new(out, tensor("label", "BYTES", 0));
  } else json_array_append_new(out, tensor("prediction", "FP64", 0));
  for (int64_t k = 0; k < p->n_classes; k++)
    json_array_append_new(classes, json_loads(p->class_name[k], JSON_DECODE_ANY, NULL));
  serve_json_reply(q, 200, json_pack("{s:s,s:[s],s:s,s:o,s:o,s:{s:o,s:s}}", "name", q->s->name, "versions", version,
                                     "platform", p->family, "inputs",
                                     in, "outputs", out, "parameters", "classes", classes, "checksum", p->checksum));
}

static void model_stats(serve_request *q, int64_t version) {
  serve_counts all;
  char text[32];
  serve_totals(q->s, &all);
  snprintf(text, sizeof text, "%lld", (long long)version);
  uint64_t fail = 0, ok = all.infer[0];
  for (int i = 1; i < SERVE_CODES; i++) fail += all.infer[i];
  json_t *stats = json_object();
  static const char *const name[] = { "success", "compute_input", "compute_infer", "compute_output", "queue" };
  for (int i = 0; i < SERVE_PHASES; i++)
    json_object_set_new(stats, name[i], json_pack("{s:I,s:I}", "count", (json_int_t)(i ? all.phase[i].count : ok), "ns",
                                                  (json_int_t)(all.phase[i].sum * 1e9)));
  json_object_set_new(stats, "fail", json_pack("{s:I,s:I}", "count", (json_int_t)fail, "ns", (json_int_t)0));
  serve_json_reply(q, 200, json_pack("{s:[{s:s,s:s,s:I,s:I,s:o,s:[]}]}", "model_stats", "name", q->s->name, "version",
                                     text, "inference_count",
                                     (json_int_t)all.rows, "execution_count", (json_int_t)ok, "inference_stats", stats,
                                         "batch_stats"));
}

/* /v2/models/{m}[/versions/{v}][/ready|/stats|/infer] */
static void route_model(serve_request *q, const char *const *seg, int n) {
  serve_server *s = q->s;
  const char *version = NULL;
  leat_lease lease = { .struct_size = sizeof lease };
  leat_error err = { .struct_size = sizeof err };
  if (strcmp(seg[2], s->name) != 0) {
    serve_error(q, 404, "there is no model '%.100s' here: the model is '%s'", seg[2], s->name);
    return;
  }
  int at = 3;
  if (n > 4 && strcmp(seg[3], "versions") == 0) version = seg[4], at = 5;
  else if (n > 3 && strcmp(seg[3], "versions") == 0) {
    serve_error(q, 404, "name a version behind 'versions/'");
    return;
  }
  const char *what = n > at ? seg[at] : "";
  if (n > at + 1 || (*what && strcmp(what, "ready") != 0 && strcmp(what, "stats") != 0 && strcmp(what, "infer") != 0)) {
    serve_error(q, 404, "there is nothing at %.200s: a model has /ready, /stats and /infer", q->path);
    return;
  }
  int infer = strcmp(what, "infer") == 0;
  if (q->method != (infer ? EVHTTP_REQ_POST : EVHTTP_REQ_GET)) {
    serve_error(q, 405, "%.200s takes %s", q->path, infer ? "POST" : "GET");
    return;
  }
  if (infer) {
    serve_infer(q, version);
    return;
  }
  if (leat_endpoint_acquire(s->endpoint, &lease, &err)) {
    serve_error(q, 503, "%.400s", err.message);
    return;
  }
  serve_plan *p = serve_plan_of(q->w, &lease, &err);
  leat_endpoint_release(s->endpoint, &lease);
  if (!p) {
    serve_error(q, 500, "%.400s", err.message);
  } else if (version && strtoll(version, NULL, 10) != p->version) {
    serve_error(q, 404, "version '%.40s' is not served: version %lld is", version, (long long)p->version);
  } else if (strcmp(what, "ready") == 0) {
    serve_json_reply(q, is_ready(s) ? 200 : 503, json_pack("{s:s,s:b}", "name", s->name, "ready", is_ready(s)));
  } else if (strcmp(what, "stats") == 0) {
    model_stats(q, p->version);
  } else {
    model_metadata(q, p);
  }
}

static void repository_index(serve_request *q) {
  leat_endpoint_state e = { .struct_size = sizeof e };
  char version[32];
  leat_endpoint_get_state(q->s->endpoint, &e, NULL);
  snprintf(version, sizeof version, "%lld", (long long)e.version);
  serve_json_reply(q, 200, json_pack("[{s:s,s:s,s:s,s:s}]", "name", q->s->name, "version", version, "state", e.version
                                     ? "READY" : "UNAVAILABLE",
                                     "reason", e.failure));
}

static void route_v2(serve_request *q, const char *const *seg, int n) {
  int get = q->method == EVHTTP_REQ_GET;
  if (n >= 3 && strcmp(seg[1], "models") == 0 && !(n == 3 && strcmp(seg[2], "stats") == 0)) {
    route_model(q, seg, n);
  } else if (n == 3 && strcmp(seg[1], "repository") == 0 && strcmp(seg[2], "index") == 0) {
    repository_index(q);
  } else if (!get) {
    serve_error(q, 405, "%.200s takes GET", q->path);
  } else if (n == 1) {
    server_metadata(q);
  } else if (n == 3 && strcmp(seg[1], "health") == 0 && strcmp(seg[2], "live") == 0) {
    serve_json_reply(q, 200, json_pack("{s:b}", "live", 1));
  } else if (n == 3 && strcmp(seg[1], "health") == 0 && strcmp(seg[2], "ready") == 0) {
    serve_json_reply(q, is_ready(q->s) ? 200 : 503, json_pack("{s:b,s:b}", "ready", is_ready(q->s), "live", 1));
  } else if (n == 3) { /* models/stats */
    leat_endpoint_state e = { .struct_size = sizeof e };
    leat_endpoint_get_state(q->s->endpoint, &e, NULL);
    model_stats(q, e.version);
  } else {
    serve_error(q, 404, "there is nothing at %.200s", q->path);
  }
}

static void route_v1(serve_request *q, const char *const *seg, int n) {
  int post = q->method == EVHTTP_REQ_POST;
  if (n == 2 && (strcmp(seg[1], "learn") == 0 || strcmp(seg[1], "label") == 0)) {
    if (!post) serve_error(q, 405, "%.200s takes POST", q->path);
    else if (strcmp(seg[1], "learn") == 0) serve_learn(q);
    else serve_label(q);
  } else if (n == 2 && strcmp(seg[1], "stats") == 0 && !post) {
    serve_json_reply(q, 200, serve_stats(q->s));
  } else if (n == 4 && strcmp(seg[1], "lookup") == 0 && !post) {
    serve_lookup(q, seg[2], seg[3]);
  } else if (n == 3 && strcmp(seg[1], "lookup") == 0 && post) {
    serve_lookup_many(q, seg[2]);
  } else {
    serve_error(q, 404, "there is nothing at %.200s", q->path);
  }
}

void serve_route(serve_request *q) {
  char buf[2048];
  const char *seg[8];
  int n;
  if (!serve_segments(q->path, buf, sizeof buf, seg, 8, &n)) {
    serve_error(q, 400, "the path is malformed or too long");
  } else if (n == 0 && q->method == EVHTTP_REQ_GET) {
    struct evbuffer *b = evbuffer_new();
    if (b) evbuffer_add(b, serve_page, strlen(serve_page));
    evhttp_add_header(evhttp_request_get_output_headers(q->r), "Content-Security-Policy",
                      "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                      "connect-src 'self'; frame-ancestors 'none'");
    serve_reply(q, 200, "text/html; charset=utf-8", b);
  } else if (n == 1 && strcmp(seg[0], "metrics") == 0 && q->method == EVHTTP_REQ_GET) {
    serve_metrics(q);
  } else if (n >= 1 && strcmp(seg[0], "v2") == 0) {
    route_v2(q, seg, n);
  } else if (n >= 1 && strcmp(seg[0], "v1") == 0) {
    route_v1(q, seg, n);
  } else if (n >= 1 && strcmp(seg[0], "admin") == 0 && q->w->admin) {
    serve_admin(q, seg, n);
  } else {
    serve_error(q, 404, "there is nothing at %.200s: the page is at /, the protocol under /v2, metrics at /metrics",
                q->path);
  }
}
