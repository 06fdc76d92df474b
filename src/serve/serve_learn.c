/* The feedback loop: one thread owns the store's learner. Requests wait for it in a queue; what it takes in one go is
 * committed once (one fsync), then all of them are answered. */
#include "serve.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEARN_ROWS = 4096, LEARN_CLASSES = 256 };
typedef enum job_kind { JOB_LEARN, JOB_LABEL, JOB_PREDICT, JOB_HAND } job_kind;
struct serve_job {
  serve_job *next;
  job_kind kind;
  serve_request q;
  char source[256], what[16], id[256];
  int has_source;
  int64_t first, version;
  size_t id_size;
  int has_id;
  serve_cells cells;
  serve_plan *plan;         /* a reference of its own */
  int code;                 /* of the answer */
  int64_t queued_ns, taken_ns, done_ns;
  struct evbuffer *answer;
  char error[600];
  json_t *reply;
};
typedef struct serve_learner {
  serve_server *server;
  leat_learner *l;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t more;
  serve_job *first, **last;
  int64_t waiting;
  int stop, running;
  leat_learner_state state; /* as of the last answers */
  int64_t asked_ns;
  json_t *metrics;
  char key[256], target[256];
  int64_t target_kind;
  leat_schema *schema;      /* to read rows with */
  leat_schema *keyed;       /* features and key, of keyed_version */
  int64_t keyed_version;
} serve_learner;

/* ---- errors of a job */

static void job_fail(serve_job *j, int code, const char *fmt, ...) SERVE_PRINTF(3, 4);
static void job_fail(serve_job *j, int code, const char *fmt, ...) {
  va_list a;
  va_start(a, fmt);
  vsnprintf(j->error, sizeof j->error, fmt, a);
  va_end(a);
  j->code = code;
}

/* ---- rows from NDJSON */

typedef struct bytes_source { const char *at, *end; } bytes_source;
static int64_t pull_bytes(void *user, void *buf, uint64_t cap) {
  bytes_source *b = user;
  size_t n = (size_t)(b->end - b->at) < cap ? (size_t)(b->end - b->at) : (size_t)cap;
  if (n) memcpy(buf, b->at, n);
  b->at += n;
  return (int64_t)n;
}

static leat_status read_params(serve_learner *n, leat_params **p, leat_error *err) {
  static const char *const set[][2] = { { "errors", "keep" }, { "raw", "true" }, { "grow", "true" }, { "stream", "1" } };
  leat_status st = leat_params_create(n->server->rt, "reader/ndjson", p, err);
  for (size_t i = 0; i < sizeof set / sizeof set[0] && !st; i++) st = leat_params_set_text(*p, set[i][0], set[i][1], err);
  return st;
}

typedef leat_status (*rows_fn)(serve_learner *n, serve_job *j, leat_batch *rows, int64_t done, leat_error *err);

static int64_t each_rows(serve_learner *n, serve_job *j, leat_schema *schema, int64_t at_once, rows_fn each,
                         leat_schema **grown) {
  leat_error err = { .struct_size = sizeof err };
  bytes_source body = { j->q.body, j->q.body + j->q.body_size };
  leat_params *p = NULL;
  leat_dataset *d = NULL;
  leat_batch *rows = NULL;
  int64_t got = 1, done = 0;
  leat_status st = read_params(n, &p, &err);
  if (!st) st = leat_dataset_from_reader(n->server->rt, schema, p, "the body", pull_bytes, &body, &d, &err);
  if (!st) st = leat_batch_create(n->server->rt, schema, &rows, &err);
  while (!st && got) {
    st = leat_dataset_next(d, at_once, rows, &got, &err);
    if (!st && got) st = each(n, j, rows, done, &err);
    if (!st) done += got;
  }
  if (st) job_fail(j, serve_code_of(st), "%.500s", err.message);
  else if (grown) (void)leat_dataset_schema(d, grown, NULL);
  leat_batch_free(rows);
  leat_dataset_free(d);
  leat_params_free(p);
  return done;
}

/* The reader calls its rows by its own name and number, which would make the second body a repetition of the first:
 * without ?source they stand behind all before. */
static leat_status set_source(serve_learner *n, serve_job *j, leat_batch *rows, int64_t done, leat_error *err) {
  int64_t next = 0;
  leat_status st = LEAT_OK;
  if (!j->has_source) st = leat_learner_position(n->l, "leat-serve", &next, err);
  return st ? st : leat_batch_set_source(rows, j->has_source ? j->source : "leat-serve", j->has_source ? j->first + done
                                         : next, err);
}

static leat_status feed_rows(serve_learner *n, serve_job *j, leat_batch *rows, int64_t done, leat_error *err) {
  leat_status st = set_source(n, j, rows, done, err);
  return st ? st : leat_learner_feed(n->l, rows, NULL, err);
}

static leat_status label_rows(serve_learner *n, serve_job *j, leat_batch *rows, int64_t done, leat_error *err) {
  leat_status st = set_source(n, j, rows, done, err);
  return st ? st : leat_learner_label(n->l, rows, err);
}

/* ---- jobs */

static const char *mode_word(int64_t mode) { return mode == LEAT_LEARNING ? "learning" : mode == LEAT_FROZEN ? "frozen"
  : "stopped"; }

static json_t *what_changed(const leat_learner_state *a, const leat_learner_state *b, int64_t rows) {
  return json_pack("{s:I,s:I,s:I,s:I,s:I,s:s}", "rows", (json_int_t)rows, "learned",
                   (json_int_t)(b->rows_learned - a->rows_learned), "quarantined",
                   (json_int_t)(b->rows_quarantined - a->rows_quarantined), "duplicate",
                       (json_int_t)(b->rows_duplicate - a->rows_duplicate),
                   "unmatched", (json_int_t)(b->labels_unmatched - a->labels_unmatched), "mode", mode_word(b->mode));
}

static void job_rows(serve_learner *n, serve_job *j) {
  leat_learner_state a = { .struct_size = sizeof a }, b = { .struct_size = sizeof b };
  leat_error err = { .struct_size = sizeof err };
  leat_schema *schema = n->schema, *labels = NULL, *grown = NULL;
  leat_learner_get_state(n->l, &a, NULL);
  if (j->kind == JOB_LABEL) {
    leat_status st = leat_schema_create(n->server->rt, &labels, &err);
    if (!st) st = leat_schema_add_column(labels, n->key, LEAT_ID, LEAT_ROLE_KEY, &err);
    if (!st) st = leat_schema_add_column(labels, n->target, (leat_kind)n->target_kind, LEAT_ROLE_TARGET, &err);
    if (st) {
      job_fail(j, 500, "%.500s", err.message);
      leat_schema_free(labels);
      return;
    }
    schema = labels;
  }
  /* the pairs of a trial; what is wrong in it, the learner says */
  if (j->kind == JOB_LABEL && serve_trial_runs(n->server)) {
    serve_label_counts counts = { 0 };
    (void)serve_labels(n->server, j->q.body, j->q.body_size, n->key, n->target, &counts);
  }
  int64_t rows = each_rows(n, j, schema, LEARN_ROWS, j->kind == JOB_LABEL ? label_rows : feed_rows, j->kind == JOB_LEARN
                           ? &grown : NULL);
  leat_schema_free(labels);
  if (grown) {
    leat_schema_free(n->schema);
    n->schema = grown;
  }
  leat_learner_get_state(n->l, &b, NULL);
  if (j->code) return;
  j->code = 200;
  j->reply = what_changed(&a, &b, rows);
  if (j->has_source) {
    int64_t position = 0;
    leat_learner_position(n->l, j->source, &position, NULL);
    json_object_set_new(j->reply, "position", json_integer((json_int_t)position));
  }
}

static leat_status keyed_schema(serve_learner *n, const serve_plan *p, leat_error *err) {
  if (n->keyed && n->keyed_version == p->version) return LEAT_OK;
  leat_schema_free(n->keyed);
  n->keyed = NULL;
  leat_status st = leat_schema_create(n->server->rt, &n->keyed, err);
  for (int64_t i = 0; i < p->n_columns && !st; i++) {
    const serve_column *c = &p->column[i];
    st = leat_schema_add_column(n->keyed, c->name, (leat_kind)c->kind, LEAT_ROLE_FEATURE, err);
    for (int64_t k = 0; k < c->n_labels && !st; k++) st = leat_schema_add_category(n->keyed, i, c->label[k], err);
  }
  if (!st) st = leat_schema_add_column(n->keyed, n->key, LEAT_ID, LEAT_ROLE_KEY, err);
  n->keyed_version = p->version;
  if (st) {
    leat_schema_free(n->keyed);
    n->keyed = NULL;
  }
  return st;
}

static void job_predict(serve_learner *n, serve_job *j) {
  leat_error err = { .struct_size = sizeof err };
  leat_batch *rows = NULL;
  const serve_cells *c = &j->cells;
  int64_t cols = j->plan->n_classes > 2 ? LEARN_CLASSES : 1;
  const char **field = serve_alloc((size_t)c->columns * sizeof *field);
  double *y = serve_alloc((size_t)(c->rows * LEARN_CLASSES + 1) * sizeof *y);
  leat_status st = keyed_schema(n, j->plan, &err);
  if (!st) st = leat_batch_create(n->server->rt, n->keyed, &rows, &err);
  for (int64_t r = 0; r < c->rows && !st; r++) {
    for (int64_t k = 0; k < c->columns; k++) field[k] = serve_cell(c, r, k);
    st = leat_batch_add_text(rows, field, (uint64_t)c->columns, &err);
  }
  leat_matrix out = { .struct_size = sizeof out, .data = y, .rows = c->rows, .cols = cols, .dtype = LEAT_F64 };
  if (!st) st = leat_learner_predict(n->l, rows, &out, &err);
  if (!st) {
    j->answer = serve_answer(n->server, j->plan, 0, j->has_id ? j->id : NULL, j->id_size, c->rows, y, cols);
    j->code = 200;
    if (!j->answer) job_fail(j, 500, "the live model gave a prediction that is not finite");
  } else job_fail(j, serve_code_of(st), "%.500s", err.message);
  leat_batch_free(rows);
  free(field);
  free(y);
}

static void job_hand(serve_learner *n, serve_job *j) {
  leat_error err = { .struct_size = sizeof err };
  leat_status st;
  int64_t version = j->version;
  if (strcmp(j->what, "rollback") == 0) st = leat_learner_rollback(n->l, version ? version : -1, &err);
  else if (strcmp(j->what, "thaw") == 0) st = leat_learner_thaw(n->l, &err);
  else if (strcmp(j->what, "snapshot") == 0) st = leat_learner_snapshot(n->l, &version, &err);
  else { /* release */
    leat_quarantine *q = NULL;
    int64_t released = 0, *ids = j->version ? &j->version : NULL;
    st = leat_quarantine_open(n->server->store, &q, &err);
    if (!st) st = leat_quarantine_release(q, n->l, ids, ids ? 1 : 0, &released, &err);
    leat_quarantine_free(q);
    version = released;
  }
  if (st) job_fail(j, serve_code_of(st), "%.500s", err.message);
  else
    j->reply = json_pack("{s:s,s:I}", "done", j->what, strcmp(j->what, "release") == 0 ? "released" : "version",
                         (json_int_t)version);
  if (!st) j->code = 200;
}

/* ---- the thread */

static json_t *metric_set(const leat_learner *l, int64_t set) {
  leat_metrics *k = NULL;
  json_t *o = json_object();
  int64_t n = 0;
  if (leat_learner_metrics(l, set, &k, NULL)) return o;
  leat_metrics_count(k, &n, NULL);
  for (int64_t i = 0; i < n; i++) {
    const char *name;
    double v;
    if (leat_metrics_name(k, i, &name, NULL) || leat_metrics_value(k, name, &v, NULL)) continue;
    json_object_set_new(o, name, isfinite(v) ? json_real(v) : json_null());
  }
  leat_metrics_free(k);
  return o;
}

static void publish_state(serve_learner *n) {
  static const char *const name[] = { "cumulative", "faded", "window", "no_change", "majority" };
  leat_learner_state state = { .struct_size = sizeof state };
  json_t *all = json_object();
  leat_learner_get_state(n->l, &state, NULL);
  for (int i = 0; i < 5; i++) json_object_set_new(all, name[i], metric_set(n->l, i));
  pthread_mutex_lock(&n->lock);
  n->state = state;
  n->asked_ns = serve_now_ns();
  json_decref(n->metrics);
  n->metrics = all;
  pthread_mutex_unlock(&n->lock);
}

static void job_run(serve_learner *n, serve_job *j) {
  j->taken_ns = serve_now_ns();
  switch (j->kind) {
    case JOB_PREDICT: job_predict(n, j); break;
    case JOB_HAND: job_hand(n, j); break;
    default: job_rows(n, j); break;
  }
  j->done_ns = serve_now_ns();
}

static void job_give(serve_job *j) {
  serve_worker *w = j->q.w;
  pthread_mutex_lock(&w->lock);
  j->next = w->done;
  w->done = j;
  pthread_mutex_unlock(&w->lock);
  serve_wake(w);
}

static void *learn_run(void *arg) {
  serve_learner *n = arg;
  for (;;) {
    pthread_mutex_lock(&n->lock);
    while (!n->first && !n->stop) pthread_cond_wait(&n->more, &n->lock);
    serve_job *all = n->first;
    n->first = NULL;
    n->last = &n->first;
    n->waiting = 0;
    int over = n->stop && !all;
    pthread_mutex_unlock(&n->lock);
    if (over) break;
    leat_error err = { .struct_size = sizeof err };
    for (serve_job *j = all; j; j = j->next) job_run(n, j);
    leat_status st = leat_learner_commit(n->l, &err);
    publish_state(n);
    for (serve_job *j = all, *next; j; j = next) {
      next = j->next;
      if (st && j->code == 200 && j->kind != JOB_PREDICT)
        job_fail(j, 500, "taken, but not safe on the disk: %.400s", err.message);
      job_give(j);
    }
  }
  return NULL;
}

/* ---- from the event loops */

static void job_free(serve_job *j) {
  if (j->answer) evbuffer_free(j->answer);
  json_decref(j->reply);
  free(j->cells.text);
  free(j->cells.at);
  if (j->plan) {
    pthread_mutex_lock(&j->q.s->plans_lock);
    j->plan->refs--;
    pthread_mutex_unlock(&j->q.s->plans_lock);
  }
  free(j);
}

void serve_learn_done(serve_worker *w) {
  serve_job *all = NULL;
  pthread_mutex_lock(&w->lock);
  for (serve_job *j = w->done, *next; j; j = next) { /* the oldest first */
    next = j->next;
    j->next = all;
    all = j;
  }
  w->done = NULL;
  pthread_mutex_unlock(&w->lock);
  for (serve_job *j = all, *next; j; j = next) {
    next = j->next;
    if (j->kind == JOB_PREDICT) {
      serve_observe(&w->counts.phase[PHASE_PARSE], (double)j->q.parse_ns / 1e9);
      serve_observe(&w->counts.phase[PHASE_QUEUE], (double)(j->taken_ns - j->queued_ns) / 1e9);
      serve_observe(&w->counts.phase[PHASE_COMPUTE], (double)(j->done_ns - j->taken_ns) / 1e9);
    }
    if (j->code != 200) serve_error(&j->q, j->code, "%s", j->error);
    else if (j->answer) {
      serve_reply(&j->q, 200, "application/json", j->answer);
      j->answer = NULL;
    } else {
      serve_json_reply(&j->q, 200, j->reply);
      j->reply = NULL;
    }
    job_free(j);
  }
}

static void job_queue(serve_request *q, serve_job *j) {
  serve_learner *n = q->s->learner;
  j->q = *q;
  j->queued_ns = serve_now_ns();
  pthread_mutex_lock(&n->lock);
  int full = n->waiting >= q->s->o.queue || n->stop;
  if (!full) {
    j->next = NULL;
    *n->last = j;
    n->last = &j->next;
    n->waiting++;
    pthread_cond_signal(&n->more);
  }
  pthread_mutex_unlock(&n->lock);
  if (!full) {
    serve_count(&q->w->counts.learn_jobs, 1);
    return;
  }
  serve_count(&q->w->counts.refused, 1);
  serve_error(q, 503, "%lld requests wait for the learner already: try again later", (long long)q->s->o.queue);
  job_free(j);
}

static serve_job *job_new(serve_request *q, job_kind kind) {
  if (!q->s->learner) {
    serve_error(q, 409, "this server does not learn: start it with --learn");
    return NULL;
  }
  if (__atomic_load_n(&q->s->draining, __ATOMIC_RELAXED)) {
    serve_error(q, 503, "the server is draining");
    return NULL;
  }
  serve_job *j = serve_alloc(sizeof *j);
  j->kind = kind;
  j->q.s = q->s;
  return j;
}

static int query_source(serve_request *q, serve_job *j) {
  struct evkeyvalq all;
  int ok = 1;
  if (!q->query || !*q->query || evhttp_parse_query_str(q->query, &all)) return 1;
  const char *source = evhttp_find_header(&all, "source"), *first = evhttp_find_header(&all, "first");
  if (source) {
    char *end = NULL;
    j->has_source = 1;
    errno = 0;
    j->first = first ? strtoll(first, &end, 10) : 0;
    ok = strlen(source) < sizeof j->source && first && end != first && !*end && !errno && j->first >= 0;
    if (ok) strcpy(j->source, source);
  }
  evhttp_clear_headers(&all);
  return ok;
}

void serve_learn(serve_request *q) {
  serve_job *j = job_new(q, JOB_LEARN);
  if (!j) return;
  if (q->body_size == 0) serve_error(q, 400, "the body is empty: expected one JSON object a line, column names to values");
  else if (!query_source(q, j))
    serve_error(q, 400, "?source=NAME needs &first=N, the position of the body's first record in it");
  else {
    job_queue(q, j);
    return;
  }
  job_free(j);
}

void serve_label(serve_request *q) {
  if (!q->s->learner) {
    serve_label_scores(q);
    return;
  }
  serve_job *j = job_new(q, JOB_LABEL);
  if (!j) return;
  if (q->body_size) {
    job_queue(q, j);
    return;
  }
  serve_error(q, 400, "the body is empty: expected one JSON object a line, with \"%s\" and \"%s\"", q->s->learner->key,
              q->s->learner->target);
  job_free(j);
}

void serve_learn_predict(serve_request *q, serve_cells *c, const serve_plan *p, const char *id, size_t id_size) {
  serve_job *j = job_new(q, JOB_PREDICT);
  if (!j) return;
  if (id && id_size > sizeof j->id) {
    serve_error(q, 400, "the id has %zu bytes; at most %zu are taken", id_size, sizeof j->id);
    job_free(j);
    return;
  }
  j->has_id = id != NULL;
  j->id_size = id_size;
  if (id) memcpy(j->id, id, id_size);
  j->cells = *c;
  memset(c, 0, sizeof *c);
  j->plan = q->w->plan[0];
  (void)p;
  pthread_mutex_lock(&q->s->plans_lock);
  j->plan->refs++;
  pthread_mutex_unlock(&q->s->plans_lock);
  job_queue(q, j);
}

void serve_learn_hand(serve_request *q, const char *what, int64_t version) {
  serve_job *j = job_new(q, JOB_HAND);
  if (!j) return;
  snprintf(j->what, sizeof j->what, "%s", what);
  j->version = version;
  job_queue(q, j);
}

int serve_learn_state(serve_server *s, leat_learner_state *out) {
  if (!s->learner) return 0;
  pthread_mutex_lock(&s->learner->lock);
  *out = s->learner->state;
  pthread_mutex_unlock(&s->learner->lock);
  return 1;
}

int64_t serve_learn_asked_ns(serve_server *s) {
  pthread_mutex_lock(&s->learner->lock);
  int64_t asked = s->learner->asked_ns;
  pthread_mutex_unlock(&s->learner->lock);
  return asked;
}

void serve_learn_metrics(serve_server *s, json_t *into) {
  if (!s->learner) return;
  pthread_mutex_lock(&s->learner->lock);
  json_t *copy = json_deep_copy(s->learner->metrics);
  pthread_mutex_unlock(&s->learner->lock);
  json_object_set_new(into, "metrics", copy);
}

/* ---- life */

/* Columns are those of the live model: its key, or --key, and its target. */
static leat_status learn_columns(serve_learner *n, leat_error *err) {
  leat_model *m = NULL;
  int64_t count = 0;
  leat_status st = leat_learner_live(n->l, &m, err);
  if (!st) st = leat_model_schema(m, &n->schema, err);
  if (!st) st = leat_schema_count(n->schema, &count, err);
  if (n->server->o.key) snprintf(n->key, sizeof n->key, "%s", n->server->o.key);
  for (int64_t i = 0; i < count && !st; i++) {
    leat_column_info c = { .struct_size = sizeof c };
    st = leat_schema_column(n->schema, i, &c, err);
    if (!st && c.role == LEAT_ROLE_KEY && !n->key[0]) snprintf(n->key, sizeof n->key, "%s", c.name);
    if (!st && c.role == LEAT_ROLE_TARGET) {
      snprintf(n->target, sizeof n->target, "%s", c.name);
      n->target_kind = c.kind;
    }
  }
  if (!n->key[0]) strcpy(n->key, "key");
  n->server->o.key = n->key;
  leat_model_free(m);
  return st;
}

int serve_learn_start(serve_server *s) {
  leat_error err = { .struct_size = sizeof err };
  serve_learner *n = serve_alloc(sizeof *n);
  s->learner = n;
  n->server = s;
  n->last = &n->first;
  n->state.struct_size = sizeof n->state;
  n->metrics = json_object();
  pthread_mutex_init(&n->lock, NULL);
  pthread_cond_init(&n->more, NULL);
  leat_status st = leat_learner_open(s->store, &n->l, &err);
  if (st == LEAT_E_NOT_FOUND)
    return serve_fail("%s has no learner: begin with `leat learn DATA --target COL --store %s`", s->o.store, s->o.store);
  if (!st) st = learn_columns(n, &err);
  if (st) return serve_fail("%s", err.message);
  publish_state(n);
  if (pthread_create(&n->thread, NULL, learn_run, n)) return serve_fail("no thread for the learner");
  n->running = 1;
  return 0;
}

void serve_learn_stop(serve_server *s) {
  serve_learner *n = s->learner;
  if (!n) return;
  if (n->running) {
    pthread_mutex_lock(&n->lock);
    n->stop = 1;
    pthread_cond_signal(&n->more);
    pthread_mutex_unlock(&n->lock);
    pthread_join(n->thread, NULL);
  }
  leat_learner_free(n->l);
  leat_schema_free(n->schema);
  leat_schema_free(n->keyed);
  json_decref(n->metrics);
  pthread_cond_destroy(&n->more);
  pthread_mutex_destroy(&n->lock);
  free(n);
  s->learner = NULL;
}
