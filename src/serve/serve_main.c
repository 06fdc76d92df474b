/* leat-serve: options, start, following the store, the end. */
#include "serve.h"
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* ---- what all files use */

static void say(const char *fmt, va_list a) {
  char text[1200];
  vsnprintf(text, sizeof text, fmt, a);
  fprintf(stderr, "leat-serve: %s\n", text);
}
#define SERVE_SAY(fmt) do { va_list a; va_start(a, fmt); say(fmt, a); va_end(a); } while (0)
int serve_fail(const char *fmt, ...) { SERVE_SAY(fmt); return 1; }
int serve_wrong(const char *fmt, ...) { SERVE_SAY(fmt); return 2; }
void serve_note(const char *fmt, ...) { SERVE_SAY(fmt); }

void *serve_grow(void *p, size_t bytes) {
  void *q = realloc(p, bytes ? bytes : 1);
  if (q) return q;
  serve_fail("no memory for %zu bytes", bytes);
  exit(1);
}
void *serve_alloc(size_t bytes) {
  void *p = calloc(1, bytes ? bytes : 1);
  return p ? p : serve_grow(NULL, bytes);
}
static int64_t clock_ns(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
int64_t serve_now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
int64_t serve_wall_ns(void) { return clock_ns(CLOCK_REALTIME); }

/* ---- options */

enum { KEY_STORE = 256, KEY_LISTEN, KEY_ADMIN, KEY_TOKEN, KEY_THREADS, KEY_STAGES, KEY_NAME, KEY_LEARN, KEY_KEY,
  KEY_TABLE, KEY_LOG, KEY_FOLLOW,
       KEY_DRAIN, KEY_BODY, KEY_QUIET, KEY_TRIAL, KEY_TRIAL_SET, KEY_REQUEST, KEY_QUEUE, KEY_AGE, KEY_ROWS, KEY_SILENCE };
static const struct argp_option options[] = {
  { "store", KEY_STORE, "DIR", 0, "The store to serve (required)", 1 },
  { "listen", KEY_LISTEN, "HOST:PORT", 0, "Where requests come in; port 0: any that is free (default: 127.0.0.1:8080)", 1 },
  { "admin", KEY_ADMIN, "HOST:PORT", 0, "Where the store is changed; none: nowhere (default: 127.0.0.1:8081)", 1 },
  { "admin-token-file", KEY_TOKEN, "FILE", 0,
    "A file with the bearer token of the admin address; required when that is not the loopback", 1 },
  { "stages", KEY_STAGES, "NAME,...", 0,
    "What is served: the first of these that shows a version (default: production,testing,newest)", 1 },
  { "name", KEY_NAME, "NAME", 0, "The model's name (default: the folder's)", 1 },
  { "threads", KEY_THREADS, "N", 0, "Event loops (default: one a core)", 1 },
  { "learn", KEY_LEARN, NULL, 0,
    "Be the store's learner: POST /v1/learn and /v1/label learn, predictions with a key wait for their labels", 2 },
  { "key", KEY_KEY, "NAME", 0, "The key's name in requests (default: the name of the model's key column, else key)", 2 },
  { "table", KEY_TABLE, "NAME=FILE", 0,
    "A table of predictions to look up (repeatable; what is published in the store is found by itself)", 2 },
  { "trial", KEY_TRIAL, "STAGE", 0,
    "Versions that this stage shows (testing), or the version of this number, are tried: shadow, then canary, then "
    "promoted", 2 },
  { "trial-set", KEY_TRIAL_SET, "NAME=VALUE", 0, "A parameter of trials: shares, margin, evidence, ... (repeatable)", 2 },
  { "max-age", KEY_AGE, "SECONDS", 0,
    "The model is stale at this age; 0: never (default: 2592000; with --learn, since it learned: 86400)", 3 },
  { "max-rows", KEY_ROWS, "N", 0, "and when it has predicted so many rows; 0: never (default: 0)", 3 },
  { "max-silence", KEY_SILENCE, "SECONDS", 0,
    "and when labels have come before but not for so long; 0: never (default: 3600)", 3 },
  { "access-log", KEY_LOG, "FILE", 0, "One JSON object a request is appended there (-: stderr)", 3 },
  { "follow-ms", KEY_FOLLOW, "MS", 0, "How often the store is looked at (default: 200)", 3 },
  { "drain-ms", KEY_DRAIN, "MS", 0, "How long requests may go on after SIGTERM (default: 10000)", 3 },
  { "request-ms", KEY_REQUEST, "MS", 0,
    "How long a request may take from its first byte to its answer's last (default: 30000)", 3 },
  { "queue", KEY_QUEUE, "N", 0, "Requests at work or waiting, then 503 (default: 1024)", 3 },
  { "max-body", KEY_BODY, "BYTES", 0, "The longest body that is taken (default: 67108864)", 3 },
  { "quiet", KEY_QUIET, NULL, 0, "No remarks on stderr", 3 },
  { 0 },
};

static void take_i64(const char *name, const char *text, int64_t low, int64_t high, int64_t *v) {
  char *end;
  errno = 0;
  *v = strtoll(text, &end, 10);
  if (end != text && !*end && !errno && *v >= low && *v <= high) return;
  exit(serve_wrong("--%s '%s': expected a whole number from %lld to %lld", name, text, (long long)low, (long long)high));
}

static error_t take_option(int key, char *text, struct argp_state *state) {
  serve_options *o = state->input;
  switch (key) {
    case KEY_STORE: o->store = text; break;
    case KEY_LISTEN: o->listen = text; break;
    case KEY_ADMIN: o->admin = text; break;
    case KEY_TOKEN: o->token_file = text; break;
    case KEY_STAGES: o->stages = text; break;
    case KEY_NAME: o->name = text; break;
    case KEY_LEARN: o->learn = 1; break;
    case KEY_KEY: o->key = text; break;
    case KEY_LOG: o->access_log = text; break;
    case KEY_QUIET: o->quiet = 1; break;
    case KEY_THREADS: take_i64("threads", text, 1, SERVE_WORKERS - 1, &o->threads); break;
    case KEY_FOLLOW: take_i64("follow-ms", text, 10, 3600000, &o->follow_ms); break;
    case KEY_DRAIN: take_i64("drain-ms", text, 0, 3600000, &o->drain_ms); break;
    case KEY_BODY: take_i64("max-body", text, 1024, (int64_t)1 << 30, &o->max_body); break;
    case KEY_TRIAL: o->trial = text; break;
    case KEY_REQUEST: take_i64("request-ms", text, 100, 3600000, &o->request_ms); break;
    case KEY_QUEUE: take_i64("queue", text, 1, 1000000, &o->queue); break;
    case KEY_AGE: take_i64("max-age", text, 0, 1000000000, &o->max_age); break;
    case KEY_ROWS: take_i64("max-rows", text, 0, INT64_MAX, &o->max_rows); break;
    case KEY_SILENCE: take_i64("max-silence", text, 0, 1000000000, &o->max_silence); break;
    case KEY_TRIAL_SET:
      if (!strchr(text, '=') || o->n_trial_set == SERVE_TABLES)
        exit(serve_wrong("--trial-set '%s': expected NAME=VALUE, at most %d of them", text, SERVE_TABLES));
      o->trial_set[o->n_trial_set++] = text;
      break;
    case KEY_TABLE:
      if (!strchr(text, '=') || o->n_tables == SERVE_TABLES)
        exit(serve_wrong("--table '%s': expected NAME=FILE, at most %d of them", text, SERVE_TABLES));
      o->table[o->n_tables++] = text;
      break;
    case ARGP_KEY_ARG: exit(serve_wrong("'%s' is no option: the store is named with --store DIR", text));
    default: return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

/* argp's own complaints take two lines; ours take one. */
static void check_words(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    const char *a = argv[i], *near = NULL;
    size_t n = strcspn(a, "="), same = 0;
    int known = 0;
    if (strncmp(a, "--", 2) != 0 || strcmp(a, "--help") == 0 || strcmp(a, "--usage") == 0 || strcmp(a, "--version") == 0)
      continue;
    for (const struct argp_option *o = options; o->name; o++) {
      size_t k = 0, m = strlen(o->name);
      while (k < m && k < n - 2 && o->name[k] == a[2 + k]) k++;
      if (k == n - 2 && k == m) {
        known = 1;
        if (o->arg && !a[n] && ++i >= argc) exit(serve_wrong("--%s needs a value: %s", o->name, o->arg));
        break;
      }
      if (k > same) same = k, near = o->name;
    }
    if (!known && near && same > 1) exit(serve_wrong("unknown option '%.*s': did you mean '--%s'?", (int)n, a, near));
    if (!known) exit(serve_wrong("unknown option '%.*s': `leat-serve --help` lists them", (int)n, a));
  }
}

static void print_version(FILE *to, struct argp_state *state) {
  (void)state;
  fprintf(to, "leat-serve %s\n", leat_version_text());
}

/* ---- start */

static char *read_token(const char *path) {
  char line[512] = "";
  FILE *f = fopen(path, "r");
  if (!f || !fgets(line, sizeof line, f)) {
    exit(serve_fail("--admin-token-file %s: %s", path, f ? "it is empty" : strerror(errno)));
  }
  fclose(f);
  line[strcspn(line, "\r\n")] = 0;
  if (strlen(line) < 16) exit(serve_fail("--admin-token-file %s: a token has 16 characters at least", path));
  return strdup(line);
}

static char *folder_name(const char *path) {
  size_t n = strlen(path);
  while (n > 1 && path[n - 1] == '/') n--;
  size_t from = n;
  while (from && path[from - 1] != '/') from--;
  return strndup(path + from, n - from);
}

static int open_store(serve_server *s) {
  leat_error err = { .struct_size = sizeof err };
  leat_params *p = NULL, *e = NULL;
  char text[32];
  snprintf(text, sizeof text, "%lld", (long long)(s->o.threads + 2 < 16 ? 16 : s->o.threads + 2));
  leat_status st = leat_runtime_create(NULL, &s->rt, &err);
  if (!st) st = leat_runtime_set_latency(s->rt, 1, &err); /* beside a request two looks at the clock are nothing */
  if (!st) st = leat_params_create(s->rt, "store", &p, &err);
  if (!st) st = leat_params_set_i64(p, "create", 0, &err);
  if (!st) st = leat_store_open(s->rt, s->o.store, p, &s->store, &err);
  if (!st) st = leat_params_create(s->rt, "endpoint", &e, &err);
  if (!st && s->o.stages) st = leat_params_set_text(e, "stages", s->o.stages, &err);
  if (!st) st = leat_params_set_text(e, "predictors", text, &err);
  if (!st && !s->o.learn) st = leat_params_set_i64(e, "scores", 1, &err);
  if (!st) st = leat_endpoint_open(s->store, e, &s->endpoint, &err);
  leat_params_free(p);
  leat_params_free(e);
  return st ? serve_fail("%s", err.message) : 0;
}

/* ---- the store is followed here, until a signal comes */

static void follow(serve_server *s) {
  leat_error err = { .struct_size = sizeof err };
  leat_endpoint_state e = { .struct_size = sizeof e };
  int64_t swapped = 0, failures;
  leat_endpoint_get_state(s->endpoint, &e, NULL);
  failures = e.failures;
  leat_status st = leat_endpoint_refresh(s->endpoint, &swapped, &err);
  leat_endpoint_get_state(s->endpoint, &e, NULL);
  if (st && !s->o.quiet && (e.failures > failures || e.failed_version == 0)) {
    static int64_t told;
    if (serve_now_ns() - told > 10000000000ll) serve_note("%s", err.message);
    told = serve_now_ns();
  }
  if (swapped) {
    serve_counts all;
    serve_totals(s, &all);
    __atomic_store_n(&s->rows_before, (int64_t)all.rows, __ATOMIC_RELAXED);
  }
  if (swapped && !s->o.quiet)
    serve_note("version %lld (%s) is served, ready in %.1f ms", (long long)e.version, e.stage, (double)e.load_ns / 1e6);
  serve_trial_follow(s);
  serve_tables_follow(s);
  serve_drift_follow(s);
}

static void run(serve_server *s) {
  sigset_t set;
  struct timespec wait = { s->o.follow_ms / 1000, s->o.follow_ms % 1000 * 1000000 };
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  for (;;) {
    int sig = sigtimedwait(&set, NULL, &wait);
    if (sig == SIGTERM || sig == SIGINT) break;
    follow(s);
  }
  if (!s->o.quiet)
    serve_note("stopping: no new connections, %lld requests are finished first", (long long)__atomic_load_n(&s->pending,
        __ATOMIC_RELAXED));
}

static int start(serve_server *s) {
  int status = open_store(s);
  s->log_fd = -1;
  if (!status && s->o.access_log) {
    s->log_fd = strcmp(s->o.access_log, "-") == 0 ? 2 : open(s->o.access_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                                                             0644);
    if (s->log_fd < 0) status = serve_fail("--access-log %s: %s", s->o.access_log, strerror(errno));
  }
  if (!status) status = serve_trial_check(s);
  if (!status) status = serve_tables_open(s);
  if (!status && s->o.learn) status = serve_learn_start(s);
  serve_drift_start(s);
  if (!status) status = serve_start(s);
  if (status) return status;
  leat_endpoint_state e = { .struct_size = sizeof e };
  leat_endpoint_get_state(s->endpoint, &e, NULL);
  printf("leat-serve: %s at http://%s, admin %s%s, ", s->name, s->address, s->admin ? "http://" : "", s->admin
         ? s->admin_address : "none");
  if (e.version) printf("version %lld (%s)\n", (long long)e.version, e.stage);
  else printf("no version yet%s%s\n", e.failure[0] ? ": " : "", e.failure);
  fflush(stdout);
  return 0;
}

static void stop(serve_server *s) {
  serve_stop(s);
  serve_learn_stop(s);
  serve_workers_free(s);
  serve_drift_stop(s);
  serve_tables_close(s);
  for (serve_plan *p = s->plans, *next; p; p = next) {
    next = p->next;
    serve_plan_free(p);
  }
  leat_endpoint_free(s->endpoint);
  leat_store_free(s->store);
  leat_runtime_free(s->rt);
  if (s->log_fd > 2) close(s->log_fd);
  free(s->name);
  free(s->token);
}

int main(int argc, char **argv) {
  static const char doc[] = "Serves the model of a store over HTTP: the Open Inference Protocol v2 under /v2, learning, "
                            "labels and look-ups under /v1, Prometheus "
                            "metrics at /metrics, a page at /.\v"
                            "Exit status: 0 stopped by a signal, 1 the work failed, 2 wrong usage.";
  static const struct argp parser = { .options = options, .parser = take_option, .doc = doc };
  static serve_server s;
  struct rlimit files;
  sigset_t set;
  s.o = (serve_options){ .listen = "127.0.0.1:8080", .admin = "127.0.0.1:8081", .follow_ms = 200, .drain_ms = 10000,
    .max_body = SERVE_BODY_BYTES,
                        .request_ms = SERVE_MS, .queue = SERVE_QUEUE, .max_age = -1, .max_silence = 3600 };
  argp_program_version_hook = print_version;
  check_words(argc, argv);
  argp_parse(&parser, argc, argv, 0, NULL, &s.o);
  if (!s.o.store) return serve_wrong("no store: name the folder to serve with --store DIR");
  int wrong = serve_check_address("--listen", s.o.listen);
  if (!wrong && strcmp(s.o.admin, "none") != 0) wrong = serve_check_address("--admin", s.o.admin);
  if (wrong) return wrong;
  if (s.o.threads == 0) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    s.o.threads = n < 1 ? 1 : n > 32 ? 32 : n;
  }
  if (s.o.max_age < 0) s.o.max_age = s.o.learn ? 86400 : 2592000;
  if (s.o.token_file) s.token = read_token(s.o.token_file);
  s.name = s.o.name ? strdup(s.o.name) : folder_name(s.o.store);
  s.started_ns = serve_now_ns();
  pthread_mutex_init(&s.plans_lock, NULL);
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max < 65536 ? files.rlim_max : 65536;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  signal(SIGPIPE, SIG_IGN);
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, NULL); /* before the first thread: only the main one waits for them */
  int status = start(&s);
  if (!status) run(&s);
  stop(&s);
  return status;
}
