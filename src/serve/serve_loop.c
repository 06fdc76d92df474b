/* Event loops, connections and answers. evhttp reads and writes HTTP; here is what it does not do: a deadline for a whole
 * request however slowly its bytes come, a bound for the bodies that are in memory at once, a graceful end. */
#include "serve.h"
#include <arpa/inet.h>
#include <errno.h>
#include <event2/bufferevent.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* A connection. evhttp tells when it closes one, but hands it over only with its first request; until then all that is
 * known is the address of its bufferevent, which is not looked at before bytes have come through it. One that never said
 * anything is forgotten when its address is used again, or long after evhttp's own timeout has closed it. */
struct serve_conn {
  struct bufferevent *bev;
  serve_worker *w;
  int spoke;
  int64_t since_ns;  /* of the first byte of the request that is coming in or at work; 0 idle */
  int64_t idle_ns;
  int64_t bytes;     /* of it, so far */
  serve_conn *next;
};

static serve_conn **conn_place(serve_worker *w, const struct bufferevent *bev) {
  return &w->conns[((uintptr_t)bev >> 5) * 0x9e3779b97f4a7c15u >> 54];
}

static serve_conn *conn_find(serve_worker *w, const struct bufferevent *bev) {
  serve_conn *c = *conn_place(w, bev);
  while (c && c->bev != bev) c = c->next;
  return c;
}

static void conn_rest(serve_conn *c) {
  __atomic_fetch_sub(&c->w->server->held_bytes, c->bytes, __ATOMIC_RELAXED);
  if (c->since_ns) __atomic_fetch_sub(&c->w->server->pending, 1, __ATOMIC_RELAXED);
  c->bytes = 0;
  c->since_ns = 0;
  c->idle_ns = serve_now_ns();
}

static void conn_forget(serve_conn *c) {
  serve_conn **at = conn_place(c->w, c->bev);
  while (*at != c) at = &(*at)->next;
  *at = c->next;
  conn_rest(c);
  free(c);
}

static void conn_closed(struct evhttp_connection *ec, void *arg) {
  (void)ec;
  conn_forget(arg);
}

static void conn_input(struct evbuffer *b, const struct evbuffer_cb_info *info, void *arg) {
  serve_conn *c = arg;
  (void)b;
  if (!info->n_added) return;
  if (!c->spoke) { /* evhttp's callbacks have their connection as argument */
    bufferevent_data_cb read_cb, write_cb;
    bufferevent_event_cb event_cb;
    void *ec = NULL;
    bufferevent_getcb(c->bev, &read_cb, &write_cb, &event_cb, &ec);
    if (!ec) return;
    c->spoke = 1;
    evhttp_connection_set_closecb(ec, conn_closed, c);
  }
  if (!c->since_ns) {
    c->since_ns = serve_now_ns();
    __atomic_fetch_add(&c->w->server->pending, 1, __ATOMIC_RELAXED);
  }
  c->bytes += (int64_t)info->n_added;
  __atomic_fetch_add(&c->w->server->held_bytes, (int64_t)info->n_added, __ATOMIC_RELAXED);
}

static struct bufferevent *conn_new(struct event_base *base, void *arg) {
  serve_worker *w = arg;
  struct bufferevent *bev = bufferevent_socket_new(base, -1, 0);
  serve_conn *old = bev ? conn_find(w, bev) : NULL, *c;
  if (old) conn_forget(old); /* it never spoke, and is gone: its address is free again */
  c = bev ? calloc(1, sizeof *c) : NULL;
  if (!c || !evbuffer_add_cb(bufferevent_get_input(bev), conn_input, c)) {
    free(c);
    return bev;
  }
  c->bev = bev;
  c->w = w;
  c->idle_ns = serve_now_ns();
  c->next = *conn_place(w, bev);
  *conn_place(w, bev) = c;
  return bev;
}

/* Ends a connection that is too slow or too large. */
static void conn_end(serve_conn *c) {
  serve_count(&c->w->counts.timeouts, 1);
  bufferevent_trigger_event(c->bev, BEV_EVENT_TIMEOUT | BEV_EVENT_READING, 0);
}

/* 1: a request is coming in or at work. */
static int conn_look(serve_conn *c, int64_t now) {
  const serve_server *s = c->w->server;
  int full = __atomic_load_n(&s->held_bytes, __ATOMIC_RELAXED) > SERVE_HELD_BYTES && c->bytes > SERVE_BODY_BYTES / 64;
  int busy = c->since_ns != 0;
  if (!c->spoke) {
    if (now - c->idle_ns > 3 * SERVE_IDLE_SECONDS * 1000000000ll) conn_forget(c);
  } else if ((busy && (now - c->since_ns > s->o.request_ms * 1000000 || full)) ||
             (!busy && now - c->idle_ns > SERVE_IDLE_SECONDS * 1000000000ll)) {
    conn_end(c);
  }
  return busy;
}

static void make_date(serve_worker *w);
/* Twice a second. */
static void worker_tick(evutil_socket_t fd, short what, void *arg) {
  serve_worker *w = arg;
  serve_server *s = w->server;
  int64_t now = serve_now_ns();
  int busy = 0;
  (void)fd;
  (void)what;
  make_date(w);
  for (int i = 0; i < SERVE_PLACES; i++)
    for (serve_conn *c = w->conns[i], *next; c; c = next) {
      next = c->next; /* looking at c may end it, no other one */
      busy |= conn_look(c, now);
    }
  if (w->log_used && s->log_fd >= 0) {
    if (write(s->log_fd, w->log, w->log_used) < 0 && errno != EAGAIN)
      serve_note("the access log cannot be written: %s", strerror(errno));
    w->log_used = 0;
  }
  if (__atomic_load_n(&s->stopping, __ATOMIC_ACQUIRE)) {
    if (w->bound) evhttp_del_accept_socket(w->http, w->bound);
    w->bound = NULL;
    if (!busy || __atomic_load_n(&s->stopping, __ATOMIC_ACQUIRE) > 1) event_base_loopbreak(w->base);
  }
}

/* ---- answers */

int serve_code_of(leat_status st) {
  switch (st) {
    case LEAT_E_MEMORY: case LEAT_E_BUSY: return 503;
    case LEAT_E_NOT_FOUND: return 404;
    case LEAT_E_STATE: return 409;
    case LEAT_E_UNSUPPORTED: return 501;
    case LEAT_E_IO: case LEAT_E_INTERNAL: case LEAT_E_NUMERIC: case LEAT_E_FORMAT: return 500;
    default: return 400;
  }
}

static const char *reason_of(int code) {
  switch (code) {
    case 200: return "OK"; case 400: return "Bad Request"; case 401: return "Unauthorized"; case 403: return "Forbidden";
    case 404: return "Not Found"; case 405: return "Method Not Allowed"; case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type"; case 500: return "Internal Server Error"; case 501: return "Not Implemented";
    case 503: return "Service Unavailable"; default: return "Status";
  }
}

static int code_place(int code) {
  for (int i = 0; i < SERVE_CODES - 1; i++)
    if (serve_codes[i] == code) return i;
  return SERVE_CODES - 1;
}

static const char *method_name(int m) {
  return m == EVHTTP_REQ_GET ? "GET" : m == EVHTTP_REQ_POST ? "POST" : m == EVHTTP_REQ_HEAD ? "HEAD"
      : m == EVHTTP_REQ_PUT ? "PUT" :
         m == EVHTTP_REQ_DELETE ? "DELETE" : "OTHER";
}

/* One JSON object a line. What comes from the client is escaped and cut. */
static void log_request(serve_request *q, int code, size_t bytes, int64_t took) {
  serve_worker *w = q->w;
  char path[301], *peer = NULL;
  ev_uint16_t port = 0;
  size_t n = 0;
  if (q->s->log_fd < 0) return;
  for (const char *p = q->path; *p && n + 6 < sizeof path; p++) {
    unsigned char c = (unsigned char)*p;
    if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') n += (size_t)snprintf(path + n, sizeof path - n, "\\u%04x", c);
    else path[n++] = (char)c;
  }
  path[n] = 0;
  struct evhttp_connection *ec = evhttp_request_get_connection(q->r);
  if (ec) evhttp_connection_get_peer(ec, &peer, &port);
  if (w->log_used + 700 > sizeof w->log) {
    if (write(q->s->log_fd, w->log, w->log_used) < 0) w->log_used = 0;
    w->log_used = 0;
  }
  w->log_used += (size_t)snprintf(
      w->log + w->log_used, sizeof w->log - w->log_used,
      "{\"time\":%.6f,\"peer\":\"%.60s\",\"method\":\"%s\",\"path\":\"%s\",\"status\":%d,"
      "\"in\":%zu,\"out\":%zu,\"rows\":%lld,\"version\":%lld,\"ms\":%.3f}\n",
      (double)serve_wall_ns() / 1e9, peer ? peer : "", method_name(q->method), path, code, q->body_size, bytes,
          (long long)q->rows,
      (long long)q->version, (double)took / 1e6);
}

/* The answer is written at once, and evhttp told so when this event is over: it would have waited until the socket says
 * that it can be written to, which costs three system calls. What does not fit waits as it would have. */
static void write_now(struct bufferevent *bev) {
  struct evbuffer *out = bufferevent_get_output(bev);
  if (!evbuffer_get_length(out) || evbuffer_unfreeze(out, 1)) return;
  (void)evbuffer_write(out, bufferevent_getfd(bev));
  evbuffer_freeze(out, 1);
  if (evbuffer_get_length(out)) return;
  bufferevent_disable(bev, EV_WRITE);
  bufferevent_trigger(bev, EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
}

/* One that is made twice a second saves evhttp one an answer. */
static void make_date(serve_worker *w) {
  struct tm tm;
  time_t now = time(NULL);
  gmtime_r(&now, &tm);
  strftime(w->date, sizeof w->date, "%a, %d %b %Y %H:%M:%S GMT", &tm); /* the program stays in the C locale */
}

void serve_reply(serve_request *q, int code, const char *type, struct evbuffer *body) {
  serve_worker *w = q->w;
  struct evkeyvalq *out = evhttp_request_get_output_headers(q->r);
  int64_t took = serve_now_ns() - q->begun_ns;
  size_t bytes = body ? evbuffer_get_length(body) : 0;
  serve_count(&w->counts.http[code_place(code)], 1);
  if (q->inferring) {
    serve_count(&w->counts.infer[code_place(code)], 1);
    serve_observe(&w->counts.phase[PHASE_TOTAL], (double)took / 1e9);
    if (code == 200) serve_count(&w->counts.rows, (uint64_t)q->rows);
  }
  char size[24];
  snprintf(size, sizeof size, "%zu", bytes);
  evhttp_add_header(out, "Content-Length", size);
  evhttp_add_header(out, "Date", w->date);
  if (type) evhttp_add_header(out, "Content-Type", type);
  if (code == 503) evhttp_add_header(out, "Retry-After", "1");
  if (code == 401) evhttp_add_header(out, "WWW-Authenticate", "Bearer");
  if (__atomic_load_n(&q->s->stopping, __ATOMIC_RELAXED)) evhttp_add_header(out, "Connection", "close");
  log_request(q, code, bytes, took);
  struct evhttp_connection *ec = evhttp_request_get_connection(q->r);
  struct bufferevent *bev = ec ? evhttp_connection_get_bufferevent(ec) : NULL;
  serve_conn *c = bev ? conn_find(w, bev) : NULL;
  if (c) conn_rest(c);
  evhttp_send_reply(q->r, code, reason_of(code), body);
  if (body) evbuffer_free(body);
  if (bev) write_now(bev);
}

void serve_error(serve_request *q, int code, const char *fmt, ...) {
  char text[1024];
  va_list a;
  va_start(a, fmt);
  vsnprintf(text, sizeof text, fmt, a);
  va_end(a);
  struct evbuffer *b = evbuffer_new();
  size_t n = strlen(text);
  while (n && !serve_utf8(text, n)) n--; /* cut in the middle of a letter */
  if (b) {
    evbuffer_add_printf(b, "{\"error\":\"");
    serve_put_text(b, text, n);
    evbuffer_add_printf(b, "\"}");
  }
  serve_reply(q, code, "application/json", b);
}

void serve_json_reply(serve_request *q, int code, json_t *o) {
  char *text = o ? json_dumps(o, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
  struct evbuffer *b = text ? evbuffer_new() : NULL;
  json_decref(o);
  if (b) evbuffer_add(b, text, strlen(text));
  free(text);
  if (b) serve_reply(q, code, "application/json", b);
  else serve_error(q, 500, "no memory for the answer");
}

const char *serve_header(const serve_request *q, const char *name) {
  return evhttp_find_header(evhttp_request_get_input_headers(q->r), name);
}

json_t *serve_body_json(serve_request *q, size_t most) {
  serve_json j = { q->body, q->body + q->body_size, "" };
  json_error_t why;
  if (q->body_size > most)
    return serve_error(q, 413, "the body has %zu bytes; at most %zu are taken here", q->body_size, most), NULL;
  if (q->body_size == 0) return serve_error(q, 400, "the body is empty: expected a JSON object"), NULL;
  if (!serve_json_skip(&j, 0))
    return serve_error(q, 400, "the body is no JSON: %s, at byte %zu", j.why, (size_t)(j.at - q->body)), NULL;
  json_t *o = json_loadb(q->body, q->body_size, 0, &why);
  if (o && json_is_object(o)) return o;
  json_decref(o);
  return serve_error(q, 400, o ? "expected a JSON object" : "the body is no JSON: %.120s", why.text), NULL;
}

int serve_segments(const char *path, char *buf, size_t cap, const char **segment, int most, int *n) {
  size_t used = 0;
  *n = 0;
  if (*path != '/') return 0;
  for (const char *p = path; *p == '/';) {
    if (*n == most) return 0;
    segment[*n] = buf + used;
    for (p++; *p && *p != '/'; p++) {
      unsigned char c = (unsigned char)*p;
      if (c == '%') {
        unsigned v = 0;
        if (sscanf(p + 1, "%2x", &v) != 1 || !p[1] || !p[2] || v == 0) return 0;
        c = (unsigned char)v;
        p += 2;
      }
      if (used + 2 > cap) return 0;
      buf[used++] = (char)c;
    }
    if (used + 2 > cap) return 0;
    buf[used++] = 0;
    (*n)++;
  }
  if (*n && segment[*n - 1][0] == 0) --*n; /* a slash at the end */
  return 1;
}

/* ---- a version's plan */

/* The table of plans holds one reference, each worker one to the plan it used last. What only the table holds and is not of
 * the version that is asked for goes. */
serve_plan *serve_plan_of(serve_worker *w, const leat_lease *lease, leat_error *err) {
  serve_server *s = w->server;
  serve_plan **own = &w->plan[(lease->flags & LEAT_LEASE_CANDIDATE) != 0];
  if (*own && (*own)->version == lease->version) return *own;
  pthread_mutex_lock(&s->plans_lock);
  serve_plan *p = s->plans;
  while (p && p->version != lease->version) p = p->next;
  if (!p && (p = serve_plan_make(lease->model, lease->version, err)) != NULL) {
    p->next = s->plans;
    s->plans = p;
  }
  if (p) {
    p->refs++;
    if (*own) (*own)->refs--;
    *own = p;
    for (serve_plan **at = &s->plans, *old; (old = *at) != NULL;) {
      if (old->refs > 1 || old == p) at = &old->next;
      else {
        *at = old->next;
        serve_plan_free(old);
      }
    }
  }
  pthread_mutex_unlock(&s->plans_lock);
  return p;
}

/* ---- a request */

static void on_request(struct evhttp_request *r, void *arg) {
  serve_worker *w = arg;
  serve_server *s = w->server;
  const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(r);
  struct evbuffer *in = evhttp_request_get_input_buffer(r);
  const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
  serve_request q = { .w = w, .s = s, .r = r, .method = (int)evhttp_request_get_command(r), .begun_ns = serve_now_ns() };
  q.path = path && *path ? path : "/";
  q.query = uri ? evhttp_uri_get_query(uri) : NULL;
  q.body_size = evbuffer_get_length(in);
  q.body = q.body_size ? (const char *)evbuffer_pullup(in, -1) : "";
  if (q.method == EVHTTP_REQ_HEAD) q.method = EVHTTP_REQ_GET;
  if (!q.body) {
    serve_error(&q, 503, "no memory for a body of %zu bytes", q.body_size);
  } else if (__atomic_load_n(&s->pending, __ATOMIC_RELAXED) > s->o.queue && !w->admin) {
    serve_count(&w->counts.refused, 1);
    serve_error(&q, 503, "%lld requests are waiting already: try again later", (long long)s->o.queue);
  } else {
    serve_route(&q);
  }
}

static void on_wake(evutil_socket_t fd, short what, void *arg) {
  uint64_t n;
  (void)what;
  if (read((int)fd, &n, sizeof n) < 0) n = 0;
  serve_learn_done(arg);
}

void serve_wake(serve_worker *w) {
  uint64_t one = 1;
  while (write(w->wake, &one, sizeof one) < 0 && errno == EINTR) continue;
}

/* ---- listeners and threads */

static int split_address(const char *text, char host[64], char port[16]) {
  const char *colon = strrchr(text, ':');
  size_t n = colon ? (size_t)(colon - text) : 0;
  if (!colon || n >= 64 || strlen(colon + 1) >= 16 || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1))
    return 0;
  memcpy(host, text, n);
  host[n] = 0;
  if (n > 1 && host[0] == '[' && host[n - 1] == ']') {
    memmove(host, host + 1, n - 2);
    host[n - 2] = 0;
  }
  strcpy(port, colon + 1);
  return 1;
}

int serve_check_address(const char *option, const char *text) {
  char host[64], port[16];
  return split_address(text, host, port) ? 0 : serve_wrong("%s '%s': expected HOST:PORT, for instance 127.0.0.1:8080",
                                                           option, text);
}

static int is_loopback(const struct sockaddr *a) {
  if (a->sa_family == AF_INET) return (ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24) == 127;
  return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

/* A listening socket for `text`; address becomes what it is bound to. */
static int open_listener(const char *option, const char *text, char address[96], int *loopback) {
  char host[64], port[16];
  struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV },
      *list = NULL;
  int one = 1;
  if (!split_address(text, host, port)) return -1; /* was checked before */
  int rc = getaddrinfo(host[0] ? host : NULL, port, &hints, &list);
  if (rc) return serve_fail("%s '%s': %s", option, text, gai_strerror(rc)), -1;
  int fd = socket(list->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  *loopback = is_loopback(list->ai_addr);
  if (fd >= 0) {
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* connections inherit it */
  }
  if (fd < 0 || bind(fd, list->ai_addr, list->ai_addrlen) || listen(fd, 1024)) {
    serve_fail("cannot listen at %s: %s", text, strerror(errno));
    if (fd >= 0) close(fd);
    fd = -1;
  } else {
    struct sockaddr_storage bound;
    socklen_t n = sizeof bound;
    char h[64] = "", p[16] = "";
    getsockname(fd, (struct sockaddr *)&bound, &n);
    getnameinfo((struct sockaddr *)&bound, n, h, sizeof h, p, sizeof p, NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(address, 96, strchr(h, ':') ? "[%s]:%s" : "%s:%s", h, p);
  }
  freeaddrinfo(list);
  return fd;
}

/* Changes of what is waited for are kept until the loop waits: most of a connection's undo each other before that, and
 * need no system call then. */
static struct event_base *loop_new(void) {
  struct event_config *c = event_config_new();
  struct event_base *base = NULL;
  if (c && event_config_set_flag(c, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) == 0) base = event_base_new_with_config(c);
  if (c) event_config_free(c);
  return base;
}

static serve_worker *worker_new(serve_server *s, int id, int admin, int fd) {
  serve_worker *w = serve_alloc(sizeof *w);
  struct timeval half = { 0, 500000 };
  w->server = s;
  w->id = id;
  w->admin = admin;
  pthread_mutex_init(&w->lock, NULL);
  w->base = loop_new();
  make_date(w);
  w->http = w->base ? evhttp_new(w->base) : NULL;
  w->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (!w->http || w->wake < 0) {
    serve_fail("no event loop: %s", strerror(errno));
    exit(1);
  }
  evhttp_set_bevcb(w->http, conn_new, w);
  evhttp_set_gencb(w->http, on_request, w);
  evhttp_set_max_body_size(w->http, (ev_ssize_t)s->o.max_body);
  evhttp_set_max_headers_size(w->http, SERVE_HEADER_BYTES);
  evhttp_set_timeout(w->http, SERVE_IDLE_SECONDS + 5);
  evhttp_set_allowed_methods(w->http,
                             EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE);
  w->bound = evhttp_accept_socket_with_handle(w->http, fd);
  w->wake_event = event_new(w->base, w->wake, EV_READ | EV_PERSIST, on_wake, w);
  w->tick = event_new(w->base, -1, EV_PERSIST, worker_tick, w);
  event_add(w->wake_event, NULL);
  event_add(w->tick, &half);
  return w;
}

static void worker_free(serve_worker *w) {
  if (!w) return;
  serve_learn_done(w); /* nobody is there to hear it; it frees what was asked */
  worker_tick(-1, 0, w);
  event_free(w->wake_event);
  event_free(w->tick);
  evhttp_free(w->http);
  for (int i = 0; i < SERVE_PLACES; i++)
    while (w->conns[i]) conn_forget(w->conns[i]);
  event_base_free(w->base);
  close(w->wake);
  serve_infer_free(w);
  serve_tables_worker_free(w);
  pthread_mutex_destroy(&w->lock);
  free(w);
}

static void *worker_run(void *arg) {
  serve_worker *w = arg;
  event_base_dispatch(w->base);
  return NULL;
}

int serve_start(serve_server *s) {
  int loopback = 1;
  for (int i = 0; i < s->o.threads; i++) {
    int fd = open_listener("--listen", i ? s->address : s->o.listen, s->address, &loopback);
    if (fd < 0) return 1;
    s->worker[i] = worker_new(s, i, 0, fd);
    s->n_workers++;
  }
  if (strcmp(s->o.admin, "none") != 0) {
    int fd = open_listener("--admin", s->o.admin, s->admin_address, &loopback);
    if (fd < 0) return 1;
    if (!loopback && !s->token) {
      close(fd);
      return serve_wrong("--admin %s is not the loopback: name a file with a bearer token with --admin-token-file",
                         s->o.admin);
    }
    s->admin = worker_new(s, SERVE_WORKERS - 1, 1, fd);
  }
  for (int i = 0; i < s->n_workers; i++)
    if (pthread_create(&s->worker[i]->thread, NULL, worker_run, s->worker[i]) == 0) s->worker[i]->running = 1;
    else return serve_fail("no thread for an event loop");
  if (s->admin && pthread_create(&s->admin->thread, NULL, worker_run, s->admin) == 0) s->admin->running = 1;
  return 0;
}

/* No new connections; what has begun is answered; after drain_ms the rest is cut. */
void serve_stop(serve_server *s) {
  int64_t until = serve_now_ns() + s->o.drain_ms * 1000000;
  serve_worker *all[SERVE_WORKERS + 1];
  int n = 0;
  for (int i = 0; i < s->n_workers; i++) all[n++] = s->worker[i];
  if (s->admin) all[n++] = s->admin;
  __atomic_store_n(&s->stopping, 1, __ATOMIC_RELEASE);
  for (int i = 0; i < n; i++) {
    struct timespec limit;
    if (!all[i]->running) continue;
    int64_t left = until - serve_now_ns();
    clock_gettime(CLOCK_REALTIME, &limit);
    if (left > 0) {
      limit.tv_sec += left / 1000000000;
      limit.tv_nsec += left % 1000000000;
      if (limit.tv_nsec >= 1000000000) limit.tv_nsec -= 1000000000, limit.tv_sec++;
    }
    if (pthread_timedjoin_np(all[i]->thread, NULL, &limit) != 0) {
      __atomic_store_n(&s->stopping, 2, __ATOMIC_RELEASE);
      serve_wake(all[i]);
      pthread_join(all[i]->thread, NULL);
    }
  }
}

void serve_workers_free(serve_server *s) {
  for (int i = 0; i < s->n_workers; i++) worker_free(s->worker[i]);
  worker_free(s->admin);
  s->n_workers = 0;
  s->admin = NULL;
}
