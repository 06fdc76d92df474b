/* The conformance suite: opening a device, running the parts, counting. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "suite.h"

enum { CF_ARENA = 96 << 20, CF_TOLD = 6 }; /* failures that are told of one part; all are counted */

leat_error cf_error(void) {
  leat_error e;
  memset(&e, 0, sizeof e);
  e.struct_size = sizeof e;
  return e;
}

leat_status cf_refuse(leat_error *err, leat_status st, const char *fmt, ...) {
  va_list args;
  if (!err || err->struct_size < sizeof *err) return st;
  va_start(args, fmt);
  err->code = st;
  vsnprintf(err->message, sizeof err->message, fmt, args);
  va_end(args);
  return st;
}

static void say(cf_suite *s, int64_t kind, const char *fmt, va_list args) {
  char text[1024];
  vsnprintf(text, sizeof text, fmt, args);
  if (s->opts.message) s->opts.message(s->opts.ctx, kind, text);
}

void cf_message(cf_suite *s, int64_t kind, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  say(s, kind, fmt, args);
  va_end(args);
}

void cf_fail(cf_suite *s, const char *fmt, ...) {
  va_list args;
  s->result.failed++;
  if (s->part_failed++ >= CF_TOLD) return;
  va_start(args, fmt);
  say(s, LEAT_CONFORMANCE_FAILED, fmt, args);
  va_end(args);
}

void cf_pass(cf_suite *s) { s->result.passed++, s->part_passed++; }

void cf_skip(cf_suite *s, const char *why) {
  s->result.skipped++;
  if (s->part_skipped++ == 0) cf_message(s, LEAT_CONFORMANCE_SKIPPED, "%s: %s", s->part, why);
}

void cf_break(cf_suite *s, leat_status st, const char *fmt, ...) {
  va_list args;
  if (s->broken) return;
  s->broken = st;
  s->error = cf_error();
  s->error.code = st;
  va_start(args, fmt);
  vsnprintf(s->error.message, sizeof s->error.message, fmt, args);
  va_end(args);
}

int cf_begin(cf_suite *s, const char *part) {
  if (s->broken || (s->opts.op && strcmp(s->opts.op, part))) return 0;
  s->part = part;
  s->part_passed = s->part_failed = s->part_skipped = 0;
  s->offers = 0;
  return 1;
}

void cf_end(cf_suite *s) {
  s->result.ops += s->offers;
  cf_message(s, LEAT_CONFORMANCE_PART, "%s: %lld passed, %lld failed, %lld skipped", s->part, (long long)s->part_passed,
             (long long)s->part_failed, (long long)s->part_skipped);
}

/* ---- a device */
static int has_slots(const leat_b_backend *t) {
  return t->name && t->close && t->device_count && t->device_props && t->device_open && t->device_close && t->buffer_free &&
         (t->buffer_alloc || t->buffer_wrap) && t->queue_create && t->queue_free && t->queue_finish && t->op_score &&
         t->op_prepare && t->op_enqueue && t->op_free && (t->queue_copy || t->buffer_map);
}

static leat_status open_device(cf_suite *s, leat_error *err) {
  leat_error said = cf_error();
  int64_t count = 0;
  leat_status st = s->t.device_count(s->t.self, &count, &said);
  if (st) return cf_refuse(err, st, "device_count: %s", said.message);
  if (s->opts.device < 0 || s->opts.device >= count)
    return cf_refuse(err, LEAT_E_NOT_FOUND, "there is no device %lld; the backend has %lld", (long long)s->opts.device,
                     (long long)count);
  st = s->t.device_open(s->t.self, s->opts.device, &s->device, &said);
  if (st) return cf_refuse(err, st, "device_open: %s", said.message);
  leat_device_props props;
  memset(&props, 0, sizeof props);
  props.struct_size = sizeof props;
  s->flushes = !s->t.device_props(s->t.self, s->opts.device, &props, &said) && props.flags & LEAT_DEVICE_FLUSHES;
  st = s->t.queue_create(s->device, 0, &s->queue, &said);
  return st ? cf_refuse(err, st, "queue_create: %s", said.message) : LEAT_OK;
}

static leat_status suite_open(cf_suite *s, leat_backend_query_fn query, leat_error *err) {
  leat_error said = cf_error();
  if (s->opts.threads < 1) s->opts.threads = 1;
  s->random = (s->opts.seed ? s->opts.seed : 1) * UINT64_C(0x9E3779B97F4A7C15);
  s->result.struct_size = sizeof s->result;
  s->arena.size = CF_ARENA;
  s->arena.base = malloc(CF_ARENA);
  if (!s->arena.base) return cf_refuse(err, LEAT_E_MEMORY, "no memory for %d bytes", (int)CF_ARENA);
  leat_status st = cf_host_open(s, err);
  if (st) return st;
  s->t.struct_size = sizeof s->t;
  st = query(LEAT_BACKEND_ABI_MAJOR, &s->host, &s->t, &said);
  if (st) {
    s->t.close = NULL;
    return cf_refuse(err, st, "the query refused: %s", said.message);
  }
  if (s->t.struct_size > sizeof s->t || s->t.struct_size < offsetof(leat_b_backend, proc)) {
    s->t.close = NULL;
    return cf_refuse(err, LEAT_E_VERSION, "its table has %llu bytes; %llu are known", (unsigned long long)s->t.struct_size,
                     (unsigned long long)sizeof s->t);
  }
  if (!has_slots(&s->t))
    return cf_refuse(err, LEAT_E_BACKEND, "slots are missing: a device that computes has close, device_count, _props, "
                     "_open and _close, buffer_alloc or _wrap, buffer_free, the queue_ ones and the op_ ones");
  return open_device(s, err);
}

static void suite_close(cf_suite *s, int counts) {
  if (s->queue) s->t.queue_free(s->queue);
  if (s->device) s->t.device_close(s->device);
  if (s->t.close) s->t.close(s->t.self);
  if (counts && s->lent) {
    s->part_failed = 0;
    cf_fail(s, "after close, %llu bytes of the host's memory were not released", (unsigned long long)s->lent);
  }
  cf_host_close(s);
  free(s->arena.base);
}

static void run_parts(cf_suite *s) {
  cf_memory(s);
  cf_matrix_ops(s);
  cf_sparse_ops(s);
  cf_map_ops(s);
  cf_loss_ops(s);
  cf_norm_ops(s);
  cf_step_ops(s);
  cf_table_ops(s);
  cf_gradients(s);
  cf_errors(s);
}

static leat_status take_opts(cf_suite *s, const leat_conformance_opts *opts, leat_error *err) {
  if (err && err->struct_size >= sizeof *err) err->code = 0, err->message[0] = 0;
  if (!opts) return LEAT_OK;
  if (opts->struct_size != sizeof *opts)
    return cf_refuse(err, LEAT_E_VERSION, "opts has struct_size %llu; %llu is right", (unsigned long long)opts->struct_size,
                     (unsigned long long)sizeof *opts);
  s->opts = *opts;
  return LEAT_OK;
}

leat_status leat_conformance_run(leat_backend_query_fn query, const leat_conformance_opts *opts,
                                 leat_conformance_result *result, leat_error *err) {
  cf_suite *s = calloc(1, sizeof *s);
  if (!s) return cf_refuse(err, LEAT_E_MEMORY, "no memory");
  leat_status st = take_opts(s, opts, err);
  if (!st && (!query || !result || result->struct_size < sizeof *result))
    st = cf_refuse(err, LEAT_E_ARG, "query or result is NULL, or the result's struct_size is not set");
  if (!st) {
    st = suite_open(s, query, err);
    if (!st) run_parts(s);
    if (!st && s->broken) st = cf_refuse(err, s->broken, "%s", s->error.message);
    suite_close(s, !st);
    if (!st && s->opts.op && s->result.passed + s->result.failed + s->result.skipped == 0)
      st = cf_refuse(err, LEAT_E_NOT_FOUND, "there is no op or part of the name %s", s->opts.op);
    *result = s->result;
    result->struct_size = sizeof *result;
  }
  free(s);
  return st;
}

leat_status leat_conformance_time(leat_backend_query_fn query, const leat_conformance_opts *opts, leat_error *err) {
  cf_suite *s = calloc(1, sizeof *s);
  if (!s) return cf_refuse(err, LEAT_E_MEMORY, "no memory");
  leat_status st = take_opts(s, opts, err);
  if (!st && !query) st = cf_refuse(err, LEAT_E_ARG, "query is NULL");
  if (!st) {
    st = suite_open(s, query, err);
    if (!st && (st = cf_performance(s)) != 0) cf_refuse(err, st, "%s", s->error.message);
    suite_close(s, 0);
  }
  free(s);
  return st;
}

/* ---- from a file */
static leat_status load(const char *path, void **library, leat_backend_query_fn *query, leat_error *err) {
  if (!path || !strchr(path, '/')) return cf_refuse(err, LEAT_E_ARG, "the path of a plug-in has a '/'");
  *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!*library) return cf_refuse(err, LEAT_E_BACKEND, "%s", dlerror());
  void *symbol = dlsym(*library, "leat_backend_query_v1");
  memcpy(query, &symbol, sizeof *query); /* ISO C has no cast from an object's pointer to a function's */
  if (symbol) return LEAT_OK;
  dlclose(*library);
  return cf_refuse(err, LEAT_E_BACKEND, "%s does not export leat_backend_query_v1", path);
}

leat_status leat_conformance_run_file(const char *path, const leat_conformance_opts *opts,
                                      leat_conformance_result *result, leat_error *err) {
  void *library = NULL;
  leat_backend_query_fn query = NULL;
  leat_status st = load(path, &library, &query, err);
  if (st) return st;
  st = leat_conformance_run(query, opts, result, err);
  dlclose(library);
  return st;
}

leat_status leat_conformance_time_file(const char *path, const leat_conformance_opts *opts, leat_error *err) {
  void *library = NULL;
  leat_backend_query_fn query = NULL;
  leat_status st = load(path, &library, &query, err);
  if (st) return st;
  st = leat_conformance_time(query, opts, err);
  dlclose(library);
  return st;
}
