/* leat-serve: online inference over HTTP. One event loop a thread, each with a listener of its own on the same port
 * (SO_REUSEPORT); the kernel spreads the connections. What can wait (loading versions, learning, admin) has threads of
 * its own. The programs use the public header only. */
#ifndef LEAT_SERVE_SERVE_H
#define LEAT_SERVE_SERVE_H
#include "leat/leat.h"
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>
#include <pthread.h>
#include <stddef.h>
#if defined(__GNUC__)
#define SERVE_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define SERVE_PRINTF(a, b)
#endif

enum {
  SERVE_DEPTH = 32,              /* of JSON */
  SERVE_QUEUE = 1024,            /* requests at work or waiting, then 503 (--queue) */
  SERVE_MS = 30000,              /* of one request, from its first byte to the last one of the answer (--request-ms) */
  SERVE_IDLE_SECONDS = 75,
  SERVE_HEADER_BYTES = 16384,
  SERVE_TABLES = 32, SERVE_WORKERS = 64, SERVE_CODES = 12, SERVE_BUCKETS = 16, SERVE_PLACES = 1024, SERVE_PHASES = 5
};
#define SERVE_BODY_BYTES (64 << 20)
#define SERVE_HELD_BYTES ((int64_t)512 << 20) /* of all request bodies that are in memory at once */

/* ---- options (serve_main.c) */
typedef struct serve_options {
  const char *store, *listen, *admin, *token_file, *stages, *name, *access_log, *key;
  const char *table[SERVE_TABLES];
  const char *trial, *trial_set[SERVE_TABLES];
  int n_tables, n_trial_set, learn, quiet;
  int64_t threads, follow_ms, drain_ms, max_body, request_ms, queue, max_age, max_rows, max_silence;
} serve_options;
/* One line `leat-serve: ...` on stderr; they return 1 and 2. */
int serve_fail(const char *fmt, ...) SERVE_PRINTF(1, 2);
int serve_wrong(const char *fmt, ...) SERVE_PRINTF(1, 2);
void serve_note(const char *fmt, ...) SERVE_PRINTF(1, 2);
void *serve_alloc(size_t bytes);          /* zeroed; never NULL: no memory ends the program with status 1 */
void *serve_grow(void *p, size_t bytes);  /* the same for realloc */
int64_t serve_now_ns(void);               /* monotonic */
int64_t serve_wall_ns(void);

/* ---- JSON of requests, read where it lies (serve_json.c): memory does not depend on what is in it */
typedef struct serve_json {
  const char *at, *end;
  char why[160];                          /* set by the first failure */
} serve_json;
int serve_json_fail(serve_json *j, const char *fmt, ...) SERVE_PRINTF(2, 3); /* 0 */
/* The next byte that is no white space, 0 at the end. */
static inline char serve_json_peek(serve_json *j) {
  while (j->at < j->end && (unsigned char)*j->at <= ' ' && (*j->at == ' ' || *j->at == '\n' || *j->at == '\r' ||
                                                            *j->at == '\t')) j->at++;
  return j->at < j->end ? *j->at : 0;
}
/* 1: it was there. */
static inline int serve_json_take(serve_json *j, char c) {
  if (serve_json_peek(j) != c || j->at >= j->end) return 0;
  j->at++;
  return 1;
}
int serve_json_skip(serve_json *j, int depth);           /* one value, checked. 1 or 0, like all below */
/* The text of a string. When it has escapes it is unescaped into buf (cap bytes; too long: fails), else *text points into
 * the request. Not NUL-terminated. buf NULL: escapes are checked and stay. */
int serve_json_string(serve_json *j, char *buf, size_t cap, const char **text, size_t *n);
/* whole (may be NULL): 1 when it has no fraction or exponent */
int serve_json_number(serve_json *j, double *v, int *whole);
int serve_json_i64(serve_json *j, int64_t *v);
int serve_json_bool(serve_json *j, int *v);
int serve_utf8(const char *s, size_t n);
void serve_put_text(struct evbuffer *to, const char *s, size_t n); /* escaped, without quotes */
void serve_put_f64(struct evbuffer *to, double v);       /* null when not finite */

/* ---- text of an answer; it grows as needed */
typedef struct serve_text { char *s; size_t n, cap; } serve_text;
void serve_text_add(serve_text *t, const void *s, size_t n);
void serve_text_string(serve_text *t, const char *s);
void serve_text_escaped(serve_text *t, const char *s, size_t n); /* the inside of a JSON string */
void serve_text_i64(serve_text *t, int64_t v);
void serve_text_f32(serve_text *t, float v);             /* the shortest that reads back; finite */
void serve_text_f64(serve_text *t, double v);            /* null when not finite */
void serve_text_rest(serve_text *t, size_t most);        /* frees it when it has grown beyond most */

/* ---- a version and how requests reach its columns (serve_plan.c); immutable, shared, counted */
typedef struct serve_column {
  const char *name;
  size_t name_size;
  int64_t kind, width, offset;            /* offset: of its first number in a row of numbers; -1 none */
  int64_t n_labels, *slot, slots;         /* hash of labels: codes, -1 empty */
  const char **label;
  int sparse;
} serve_column;
typedef struct serve_plan {
  int64_t version, refs;
  leat_schema *schema;
  serve_column *column;
  int64_t n_columns, numbers;             /* features; numbers in a row of them */
  int64_t n_classes, out_cols;            /* 0 classes: a number */
  const char **class_name;                /* as JSON strings, with quotes */
  const char *key_name;                   /* of the model's key column, else "key" */
  const char *target_name;                /* or "label" */
  char family[64], checksum[40];
  int as_text, sparse;                    /* rows are strings; the one feature is a sparse block */
  struct serve_plan *next;
} serve_plan;
serve_plan *serve_plan_make(const leat_model *m, int64_t version, leat_error *err);
void serve_plan_free(serve_plan *p);
int64_t serve_plan_find(const serve_plan *p, const char *name, size_t n); /* column, -1 */
int64_t serve_label_code(const serve_column *c, const char *s, size_t n); /* n_labels when unknown */
const char *serve_datatype(const serve_plan *p, const serve_column *c);

/* Fields as strings: at[row * columns + column] is 1 + where it begins in text, 0 for a missing one. */
typedef struct serve_cells {
  char *text;
  size_t used, cap, *at, cap_at;
  int64_t rows, columns;
} serve_cells;
const char *serve_cell(const serve_cells *c, int64_t row, int64_t column);

/* ---- counters: each worker writes its own, readers add them up */
typedef struct serve_histogram { uint64_t bucket[SERVE_BUCKETS], count; double sum; } serve_histogram;
extern const double serve_bounds[SERVE_BUCKETS - 1]; /* seconds */
extern const int serve_codes[SERVE_CODES];           /* the last one: any other */
enum { PHASE_TOTAL, PHASE_PARSE, PHASE_COMPUTE, PHASE_ENCODE, PHASE_QUEUE }; /* queue: for the learner */
typedef struct serve_counts {
  uint64_t infer[SERVE_CODES], http[SERVE_CODES], rows, not_finite, candidate_rows, lookups[SERVE_TABLES][6], learn_jobs,
      refused, timeouts;
  serve_histogram phase[SERVE_PHASES];
} serve_counts;
void serve_count(uint64_t *n, uint64_t more);
void serve_observe(serve_histogram *h, double seconds);

/* ---- the server */
typedef struct serve_job serve_job;
typedef struct serve_conn serve_conn;
typedef struct serve_worker {
  struct serve_server *server;
  int id, admin, wake, running;
  pthread_t thread;
  struct event_base *base;
  struct evhttp *http;
  struct evhttp_bound_socket *bound;
  struct event *wake_event, *tick;
  serve_plan *plan[2];                    /* of the last loans: of what is served, of a trial's candidate */
  serve_counts counts;
  serve_conn *conns[SERVE_PLACES];        /* by the address of their bufferevent */
  pthread_mutex_t lock;                   /* of done */
  serve_job *done;                        /* answers of the learner, to be sent by this thread */
  void *scratch;                          /* serve_infer.c */
  leat_table_reader *reader[SERVE_TABLES];
  int64_t reader_serial[SERVE_TABLES];
  char log[16384], date[40];
  size_t log_used;
} serve_worker;
typedef struct serve_table {
  char *name, *path;
  pthread_mutex_t lock;
  leat_table *table;
  leat_follower *follower;                /* of a table that is published in the store; NULL: a file */
  int64_t serial, stamp[3], values;       /* stamp: size, time, inode of the file; or the generation */
} serve_table;
typedef struct serve_server {
  serve_options o;
  char *name, *token;
  char address[96], admin_address[96];
  leat_runtime *rt;
  leat_store *store;
  leat_endpoint *endpoint;
  serve_worker *worker[SERVE_WORKERS];
  int n_workers;                          /* without the admin's */
  serve_worker *admin;
  int draining, stopping, log_fd;
  /* rows_before: predicted when the version was swapped in */
  int64_t pending, held_bytes, started_ns, drifted_rows, trial_runs, tried, rows_before;
  pthread_mutex_t plans_lock;
  serve_plan *plans;
  serve_table table[SERVE_TABLES];
  int n_tables;
  struct serve_learner *learner;          /* NULL without --learn */
  struct serve_drift *drift;
} serve_server;
/* Requests that are being looked at. */
typedef struct serve_request {
  serve_worker *w;
  serve_server *s;
  struct evhttp_request *r;
  int method;                             /* of evhttp: EVHTTP_REQ_*; HEAD counts as GET */
  const char *path;                       /* still escaped, without the query */
  const char *query;                      /* or NULL */
  const char *body;
  size_t body_size;
  int64_t begun_ns, rows, version, parse_ns, compute_ns;
  int inferring;
} serve_request;

/* serve_loop.c */
int serve_check_address(const char *option, const char *text); /* 0, or 2 with a message */
int serve_start(serve_server *s);
void serve_stop(serve_server *s);          /* the loops are over; the learner may still hold requests */
void serve_workers_free(serve_server *s);
void serve_reply(serve_request *q, int code, const char *type, struct evbuffer *body); /* frees body */
void serve_error(serve_request *q, int code, const char *fmt, ...) SERVE_PRINTF(3, 4);
int serve_code_of(leat_status st);        /* the HTTP code of a failure */
void serve_json_reply(serve_request *q, int code, json_t *o); /* frees o */
const char *serve_header(const serve_request *q, const char *name);
void serve_wake(serve_worker *w);
serve_plan *serve_plan_of(serve_worker *w, const leat_lease *lease, leat_error *err); /* borrowed until the next call */
/* The segments of a path, unescaped, into buf; 0 when it is malformed. */
int serve_segments(const char *path, char *buf, size_t cap, const char **segment, int most, int *n);
json_t *serve_body_json(serve_request *q, size_t most); /* NULL: answered */

/* serve_route.c: what is answered where */
void serve_route(serve_request *q);
/* serve_infer.c */
void serve_infer(serve_request *q, const char *version);
void serve_infer_free(serve_worker *w);
struct evbuffer *serve_answer(const serve_server *s, const serve_plan *p, int64_t version, const char *id, size_t id_size,
                              int64_t rows, const double *y, int64_t cols); /* all outputs as JSON; NULL: not finite */
/* serve_trial.c: shadow and canary */
int serve_trial_runs(serve_server *s);
int serve_trial_check(serve_server *s);   /* 0, or 2 with a message: --trial-set */
void serve_trial_follow(serve_server *s);
json_t *serve_trial_json(serve_server *s);
void serve_trial_admin(serve_request *q, const char *more);
typedef struct serve_label_counts { int64_t rows, matched; char why[200]; } serve_label_counts;
/* NDJSON of key and target, to what the endpoint has noted. 0: why says what is wrong; lines before it were taken. */
int serve_labels(serve_server *s, const char *body, size_t size, const char *key, const char *target,
                 serve_label_counts *out);
void serve_label_scores(serve_request *q);
/* serve_learn.c */
int serve_learn_start(serve_server *s);
void serve_learn_stop(serve_server *s);
void serve_learn(serve_request *q);
void serve_label(serve_request *q);
/* Rows of strings to be predicted by the learner under their keys (the last column). Takes what c holds. */
void serve_learn_predict(serve_request *q, serve_cells *c, const serve_plan *p, const char *id, size_t id_size);
void serve_learn_done(serve_worker *w);   /* sends what is finished */
int serve_learn_state(serve_server *s, leat_learner_state *out);
int64_t serve_learn_asked_ns(serve_server *s); /* when that state was taken */
void serve_learn_metrics(serve_server *s, json_t *into);
void serve_learn_hand(serve_request *q, const char *what, int64_t version);
/* serve_tables.c */
int serve_tables_open(serve_server *s);
void serve_tables_follow(serve_server *s);
void serve_tables_close(serve_server *s);
void serve_tables_worker_free(serve_worker *w);
void serve_lookup(serve_request *q, const char *table, const char *key);
void serve_lookup_many(serve_request *q, const char *table);
/* serve_drift.c: rows of served requests against the model's reference */
void serve_drift_start(serve_server *s);
void serve_drift_stop(serve_server *s);
void serve_drift_note(serve_server *s, int64_t version, const double *x, int64_t rows, int64_t cols);
void serve_drift_follow(serve_server *s);
json_t *serve_drift_json(serve_server *s);
json_t *serve_alerts_json(serve_server *s); /* those that are open: NAME: value threshold since */
json_t *serve_drift_calibration(serve_server *s); /* the learner's; NULL: not known */
/* serve_state.c: how stale the model is. state 0 fresh, 1 aging (half of a limit is used up), 2 stale */
enum { STALE_AGE, STALE_ROWS, STALE_SILENCE, STALE_LIMITS };
typedef struct serve_staleness { int state, worst; double used[STALE_LIMITS], age; } serve_staleness;
void serve_staleness_now(serve_server *s, serve_staleness *out);
extern const char *const serve_limit_words[STALE_LIMITS];
extern const char *const serve_stale_words[3];
/* serve_metrics.c */
void serve_metrics(serve_request *q);
void serve_totals(serve_server *s, serve_counts *out);
json_t *serve_stats(serve_server *s);     /* for the page */
/* serve_admin.c */
void serve_admin(serve_request *q, const char *const *segment, int n);
/* serve_page.c */
extern const char serve_page[];
#endif
