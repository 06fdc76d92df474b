/* POST .../infer: the request, a loan, the answer. */
#include "serve_infer.h"
#include <event2/keyvalq_struct.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { TEXT_KEEP = 8 << 20, TEXT_COPY = 65536 };

static infer_scratch *scratch_of(serve_worker *w) {
  if (!w->scratch) w->scratch = serve_alloc(sizeof(infer_scratch));
  return w->scratch;
}

static void scratch_rest(infer_scratch *t) {
  for (int i = 0; i < 2; i++) {
    infer_rows_rest(&t->rows[i]);
    if (t->cap_y[i] > TEXT_KEEP) {
      free(t->y[i]);
      t->y[i] = NULL;
      t->cap_y[i] = 0;
    }
  }
  serve_text_rest(&t->json, TEXT_KEEP);
  serve_text_rest(&t->bytes, TEXT_KEEP);
}

void serve_infer_free(serve_worker *w) {
  infer_scratch *t = w->scratch;
  if (!t) return;
  for (int i = 0; i < 2; i++) {
    infer_rows_free(&t->rows[i]);
    free(t->y[i]);
  }
  free(t->input);
  free(t->route);
  free(t->keys.text);
  free(t->keys.at);
  serve_text_rest(&t->json, 0);
  serve_text_rest(&t->bytes, 0);
  free(t);
  w->scratch = NULL;
}

/* ---- the bytes behind the JSON */

static int binary_parts(serve_request *q, infer_scratch *t, serve_json *j) {
  const char *at = j->end, *end = q->body + q->body_size;
  for (int64_t i = 0; i < t->n_inputs; i++) {
    infer_input *in = &t->input[i];
    if (!in->has_binary) continue;
    if (in->binary_size > end - at)
      return serve_json_fail(j, "input %lld says binary_data_size %lld, but %lld bytes are left", (long long)i + 1,
                             (long long)in->binary_size, (long long)(end - at));
    in->data = at;
    at += in->binary_size;
  }
  return at == end || serve_json_fail(j, "%lld bytes are behind the last input", (long long)(end - at));
}

/* The two headers that matter here, in one pass over all. */
static void two_headers(const serve_request *q, const char **length, const char **packed) {
  const struct evkeyvalq *all = evhttp_request_get_input_headers(q->r);
  const struct evkeyval *h;
  TAILQ_FOREACH(h, all, next) {
    char first = (char)(h->key[0] | 32);
    if (first == 'i' && !*length && evutil_ascii_strcasecmp(h->key, "Inference-Header-Content-Length") == 0)
      *length = h->value;
    if (first == 'c' && !*packed && evutil_ascii_strcasecmp(h->key, "Content-Encoding") == 0) *packed = h->value;
  }
}

/* The JSON of the request; 0: answered. */
static int infer_read(serve_request *q, infer_scratch *t, serve_json *j) {
  const char *header = NULL, *packed = NULL;
  size_t size = q->body_size;
  two_headers(q, &header, &packed);
  if (packed && strcmp(packed, "identity") != 0) {
    serve_error(q, 415, "Content-Encoding %.60s is not taken: send the body as it is", packed);
    return 0;
  }
  if (header) {
    char *end;
    unsigned long long n = strtoull(header, &end, 10);
    if (end == header || *end || n > size) {
      serve_error(q, 400, "Inference-Header-Content-Length is '%.40s', the body has %zu bytes", header, size);
      return 0;
    }
    size = (size_t)n;
  }
  *j = (serve_json){ .at = q->body, .end = q->body + size };
  if (infer_parse(t, j, 65536) && binary_parts(q, t, j)) return 1;
  serve_error(q, 400, "%s (at byte %zu)", j->why, (size_t)(j->at - q->body));
  return 0;
}

/* ---- the answer */

static int64_t best_class(const serve_plan *p, const double *y, int64_t cols) {
  int64_t best = 0;
  if (cols == 1) return p->n_classes > 1 && y[0] >= 0.5;
  for (int64_t k = 1; k < p->n_classes && k < cols; k++)
    if (y[k] > y[best]) best = k;
  return best;
}

static double class_probability(const double *y, int64_t cols, int64_t k) {
  return cols == 1 ? k ? y[0] : 1 - y[0] : k < cols ? y[k] : 0;
}

static void output_json(serve_text *b, const serve_plan *p, int64_t what, int64_t rows, const double *y, int64_t cols) {
  serve_text_add(b, "\"data\":[", 8);
  for (int64_t r = 0; r < rows; r++) {
    const double *row = y + r * cols;
    if (r) serve_text_add(b, ",", 1);
    if (what) {
      const char *name = p->class_name[best_class(p, row, cols)];
      serve_text_add(b, name, strlen(name));
    } else if (!p->n_classes) {
      serve_text_f64(b, row[0]);
    } else {
      for (int64_t k = 0; k < p->n_classes; k++) {
        if (k) serve_text_add(b, ",", 1);
        serve_text_f32(b, (float)class_probability(row, cols, k));
      }
    }
  }
  serve_text_add(b, "]", 1);
}

static void output_bytes(serve_text *b, const serve_plan *p, int64_t what, int64_t rows, const double *y, int64_t cols) {
  for (int64_t r = 0; r < rows; r++) {
    const double *row = y + r * cols;
    if (what) {
      json_t *name = json_loads(p->class_name[best_class(p, row, cols)], JSON_DECODE_ANY, NULL);
      uint32_t n = (uint32_t)json_string_length(name);
      serve_text_add(b, &n, 4);
      serve_text_add(b, json_string_value(name), n);
      json_decref(name);
    } else if (!p->n_classes) {
      serve_text_add(b, row, 8);
    } else {
      for (int64_t k = 0; k < p->n_classes; k++) {
        float f = (float)class_probability(row, cols, k);
        serve_text_add(b, &f, 4);
      }
    }
  }
}

static int all_finite(const double *y, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!isfinite(y[i])) return 0;
  return 1;
}

static void put_shape(serve_text *b, const char *name, const char *type, int64_t rows, int64_t cols) {
  serve_text_string(b, "{\"name\":\"");
  serve_text_string(b, name);
  serve_text_string(b, "\",\"datatype\":\"");
  serve_text_string(b, type);
  serve_text_string(b, "\",\"shape\":[");
  serve_text_i64(b, rows);
  if (cols) {
    serve_text_add(b, ",", 1);
    serve_text_i64(b, cols);
  }
  serve_text_add(b, "],", 2);
}

typedef struct answer {
  const serve_plan *p;
  int64_t version;                        /* 0: the live model */
  const char *id;
  size_t id_size;
  int64_t rows, cols, candidate_rows;
  const double *y;
  const infer_output *out;
  int n_out;
} answer;

/* The JSON of an answer; the bytes of binary outputs go to `bytes`. */
static void answer_json(const serve_server *s, const answer *a, serve_text *b, serve_text *bytes) {
  const serve_plan *p = a->p;
  serve_text_string(b, "{\"model_name\":\"");
  serve_text_escaped(b, s->name, strlen(s->name));
  serve_text_string(b, "\",\"model_version\":\"");
  if (a->version > 0) serve_text_i64(b, a->version);
  else serve_text_string(b, "live");
  if (a->id) {
    serve_text_string(b, "\",\"id\":\"");
    serve_text_add(b, a->id, a->id_size); /* as it came: it was checked to be the inside of a JSON string */
  }
  serve_text_add(b, "\"", 1);
  if (a->candidate_rows) {
    serve_text_string(b, ",\"parameters\":{\"candidate_rows\":");
    serve_text_i64(b, a->candidate_rows);
    serve_text_add(b, "}", 1);
  }
  serve_text_string(b, ",\"outputs\":[");
  for (int i = 0; i < a->n_out; i++) {
    int64_t what = a->out[i].what;
    if (i) serve_text_add(b, ",", 1);
    if (p->n_classes && !what) put_shape(b, "probability", "FP32", a->rows, p->n_classes);
    else put_shape(b, what ? "label" : "prediction", what ? "BYTES" : "FP64", a->rows, 0);
    if (a->out[i].binary) {
      size_t before = bytes->n;
      output_bytes(bytes, p, what, a->rows, a->y, a->cols);
      serve_text_string(b, "\"parameters\":{\"binary_data_size\":");
      serve_text_i64(b, (int64_t)(bytes->n - before));
      serve_text_add(b, "}", 1);
    } else output_json(b, p, what, a->rows, a->y, a->cols);
    serve_text_add(b, "}", 1);
  }
  serve_text_add(b, "]}", 2);
}

struct evbuffer *serve_answer(const serve_server *s, const serve_plan *p, int64_t version, const char *id, size_t id_size,
                              int64_t rows, const double *y, int64_t cols) {
  static const infer_output both[] = { { 0, 0 }, { 1, 0 } };
  const answer a = { p, version, id, id_size, rows, cols, 0, y, both, p->n_classes ? 2 : 1 };
  serve_text text = { 0 };
  struct evbuffer *b = all_finite(y, rows * cols) ? evbuffer_new() : NULL;
  if (!b) return NULL;
  answer_json(s, &a, &text, NULL);
  evbuffer_add(b, text.s, text.n);
  serve_text_rest(&text, 0);
  return b;
}

/* Which outputs, in which form; 0: *j says why not. */
static int choose_outputs(infer_scratch *t, const serve_plan *p, serve_json *j) {
  int n = t->n_outputs ? t->n_outputs : p->n_classes ? 2 : 1;
  for (int i = 0; i < n; i++) {
    infer_output *o = &t->output[i];
    o->what = i;
    o->binary = t->binary_out;
    if (!t->n_outputs) continue;
    const char *want = t->wanted[i], *first = p->n_classes ? "probability" : "prediction";
    size_t size = t->wanted_size[i];
    if (t->wants[i] >= 0) o->binary = t->wants[i];
    if (strlen(first) == size && memcmp(want, first, size) == 0) o->what = 0;
    else if (p->n_classes && size == 5 && memcmp(want, "label", 5) == 0) o->what = 1;
    else
      return serve_json_fail(j, "there is no output \"%.*s\": the model has %s%s", size > 60 ? 60 : (int)size, want, first,
                             p->n_classes ? " and label" : "");
  }
  t->n_outputs = n;
  return 1;
}

static void text_unused(const void *data, size_t n, void *arg) {
  (void)data;
  (void)n;
  free(arg);
}

/* A long text is handed over, a short one copied. */
static int give_text(struct evbuffer *b, serve_text *t) {
  if (t->n < TEXT_COPY) return t->n == 0 || evbuffer_add(b, t->s, t->n) == 0;
  if (evbuffer_add_reference(b, t->s, t->n, text_unused, t->s)) return 0;
  *t = (serve_text){ NULL, 0, 0 };
  return 1;
}

static void infer_reply(serve_request *q, infer_scratch *t, const serve_plan *p) {
  const char *type = "application/json";
  if (!all_finite(t->y[0], q->rows * p->out_cols)) {
    serve_count(&q->w->counts.not_finite, 1);
    serve_error(q, 500, "version %lld gave a prediction that is not finite", (long long)p->version);
    return;
  }
  const answer a = { p, p->version, t->id, t->id_size, q->rows, p->out_cols, t->candidate_rows == q->rows ? 0
    : t->candidate_rows,
                     t->y[0], t->output, t->n_outputs };
  struct evbuffer *b = evbuffer_new();
  t->json.n = t->bytes.n = 0;
  answer_json(q->s, &a, &t->json, &t->bytes);
  if (b && t->bytes.n) {
    char size[32];
    snprintf(size, sizeof size, "%zu", t->json.n);
    evhttp_add_header(evhttp_request_get_output_headers(q->r), "Inference-Header-Content-Length", size);
    type = "application/octet-stream";
  }
  int kept = b && give_text(b, &t->json) && give_text(b, &t->bytes);
  if (kept) serve_reply(q, 200, type, b);
  else {
    if (b) evbuffer_free(b);
    serve_error(q, 503, "no memory for the answer");
  }
}

/* The input with the rows' keys: named as --key says, else as the model's key column, and no feature. */
static int64_t key_input(const serve_request *q, const infer_scratch *t, const serve_plan *p) {
  const char *key = q->s->o.key ? q->s->o.key : p->key_name;
  size_t n = strlen(key);
  for (int64_t i = t->n_inputs; i-- > 0;)
    if (t->input[i].name_size == n && memcmp(t->input[i].name, key, n) == 0 && serve_plan_find(p, key, n) < 0) return i;
  return -1;
}

/* Rows without keys, by what is served; 0: answered, with an error. */
static int infer_plain(serve_request *q, infer_scratch *t, const serve_plan *p, const leat_lease *lease, serve_json *j) {
  leat_error err = { .struct_size = sizeof err };
  int64_t begun = serve_now_ns();
  if (!infer_encode(t, &t->rows[0], p, q->rows, 0, j)) {
    serve_error(q, 400, "%s", j->why);
    return 0;
  }
  int64_t encoded = serve_now_ns();
  q->parse_ns += encoded - begun;
  t->y[0] = infer_room(t->y[0], &t->cap_y[0], (size_t)(q->rows * p->out_cols + 1) * sizeof(double));
  leat_status st = infer_run(&t->rows[0], p, lease->predictor, q->rows, t->y[0], &err);
  if (!st && !p->as_text && !p->sparse) serve_drift_note(q->s, p->version, t->rows[0].x, q->rows, p->numbers);
  q->compute_ns = serve_now_ns() - encoded;
  if (st) serve_error(q, serve_code_of(st), "%.400s", err.message);
  return st == LEAT_OK;
}

static void infer_with(serve_request *q, infer_scratch *t, serve_json *j, const leat_lease *lease) {
  leat_error err = { .struct_size = sizeof err };
  const serve_plan *p = serve_plan_of(q->w, lease, &err);
  if (!p) {
    serve_error(q, 500, "%.400s", err.message);
    return;
  }
  q->version = p->version;
  q->rows = t->input[0].dim[0];
  t->candidate_rows = 0;
  t->key = key_input(q, t, p);
  if (!choose_outputs(t, p, j)) {
    serve_error(q, 400, "%s", j->why);
    return;
  }
  if (t->key >= 0 && q->s->learner) {
    if (!infer_encode(t, &t->rows[0], p, q->rows, 1, j)) {
      serve_error(q, 400, "%s", j->why);
      return;
    }
    infer_rows own = t->rows[0]; /* `beside` makes its own of the same request */
    memset(&t->rows[0], 0, sizeof t->rows[0]);
    if (serve_trial_runs(q->s)) infer_beside(q, t, j);
    serve_learn_predict(q, &own.cells, p, t->id, t->id_size);
    infer_rows_free(&own);
    return;
  }
  if (t->key >= 0) {
    int64_t begun = serve_now_ns();
    p = infer_keyed(q, t, j);
    q->compute_ns = serve_now_ns() - begun;
    if (!p) return;
    q->version = p->version;
    serve_count(&q->w->counts.candidate_rows, (uint64_t)t->candidate_rows);
  } else if (!infer_plain(q, t, p, lease, j)) return;
  int64_t computed = serve_now_ns();
  infer_reply(q, t, p);
  serve_observe(&q->w->counts.phase[PHASE_PARSE], (double)q->parse_ns / 1e9);
  serve_observe(&q->w->counts.phase[PHASE_COMPUTE], (double)q->compute_ns / 1e9);
  serve_observe(&q->w->counts.phase[PHASE_ENCODE], (double)(serve_now_ns() - computed) / 1e9);
}

void serve_infer(serve_request *q, const char *version) {
  infer_scratch *t = scratch_of(q->w);
  serve_json j;
  leat_lease lease = { .struct_size = sizeof lease };
  leat_error err = { .struct_size = sizeof err };
  q->inferring = 1;
  if (__atomic_load_n(&q->s->draining, __ATOMIC_RELAXED)) {
    serve_error(q, 503, "the server is draining");
    return;
  }
  int64_t begun = serve_now_ns();
  if (!infer_read(q, t, &j)) return;
  q->parse_ns = serve_now_ns() - begun;
  if (leat_endpoint_acquire(q->s->endpoint, &lease, &err)) {
    serve_error(q, 503, "%.400s", err.message);
    return;
  }
  if (version && strtoll(version, NULL, 10) != lease.version)
    serve_error(q, 404, "version '%.40s' is not served: version %lld is", version, (long long)lease.version);
  else infer_with(q, t, &j, &lease);
  leat_endpoint_release(q->s->endpoint, &lease);
  scratch_rest(t);
}
