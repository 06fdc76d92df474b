/* What the suite lends to a plug-in: memory that is counted, options, a cache in a folder, threads. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "suite.h"

static void *lend_alloc(void *ctx, uint64_t size, uint64_t align) {
  cf_suite *s = ctx;
  void *p = NULL;
  if (align < sizeof(void *)) align = sizeof(void *);
  if (align & (align - 1) || posix_memalign(&p, align, size ? size : 1)) return NULL;
  __atomic_add_fetch(&s->lent, size, __ATOMIC_RELAXED);
  return p;
}

static void lend_release(void *ctx, void *p, uint64_t size, uint64_t align) {
  cf_suite *s = ctx;
  (void)align;
  if (p) __atomic_sub_fetch(&s->lent, size, __ATOMIC_RELAXED);
  free(p);
}

static void lend_log(void *ctx, int32_t level, const char *text, uint64_t len) {
  cf_message(ctx, LEAT_CONFORMANCE_LOG, "level %d: %.*s", (int)level, (int)(len < 4096 ? len : 4096), text);
}

static leat_status give(const char *text, char *buf, uint64_t cap, uint64_t *needed) {
  *needed = strlen(text) + 1;
  if (*needed > cap) return LEAT_E_CAPACITY;
  memcpy(buf, text, *needed);
  return LEAT_OK;
}

static leat_status lend_option(void *ctx, const char *name, char *buf, uint64_t cap, uint64_t *needed) {
  cf_suite *s = ctx;
  char digits[32];
  if (!name || !needed) return LEAT_E_ARG;
  *needed = 0;
  snprintf(digits, sizeof digits, "%lld", (long long)s->opts.threads);
  if (!strcmp(name, "threads")) return give(digits, buf, cap, needed);
  if (!strcmp(name, "cache_folder") && s->opts.cache_folder) return give(s->opts.cache_folder, buf, cap, needed);
  return LEAT_E_NOT_FOUND;
}

static int cache_path(cf_suite *s, const char *key, const char *tail, char *path, uint64_t cap) {
  if (!s->opts.cache_folder || !key || strchr(key, '/')) return 0;
  return snprintf(path, cap, "%s/conformance-%s%s", s->opts.cache_folder, key, tail) < (int)cap;
}

static leat_status lend_cache_get(void *ctx, const char *key, void *buf, uint64_t cap, uint64_t *needed) {
  char path[4096];
  if (!needed) return LEAT_E_ARG;
  *needed = 0;
  FILE *f = cache_path(ctx, key, "", path, sizeof path) ? fopen(path, "rb") : NULL;
  if (!f) return LEAT_E_NOT_FOUND;
  leat_status st = fseek(f, 0, SEEK_END) ? LEAT_E_IO : LEAT_OK;
  long size = st ? 0 : ftell(f);
  *needed = size > 0 ? (uint64_t)size : 0;
  if (!st) st = *needed > cap ? LEAT_E_CAPACITY : LEAT_OK;
  if (!st && (fseek(f, 0, SEEK_SET) || fread(buf, 1, *needed, f) != *needed)) st = LEAT_E_IO;
  fclose(f);
  return st;
}

static leat_status lend_cache_put(void *ctx, const char *key, const void *buf, uint64_t size) {
  char path[4096], fresh[4096];
  if (!cache_path(ctx, key, "", path, sizeof path) || !cache_path(ctx, key, ".new", fresh, sizeof fresh))
    return LEAT_E_NOT_FOUND;
  FILE *f = fopen(fresh, "wb");
  if (!f) return LEAT_E_IO;
  int bad = fwrite(buf, 1, size, f) != size;
  bad |= fclose(f) != 0;
  return bad || rename(fresh, path) ? LEAT_E_IO : LEAT_OK;
}

/* ---- parallel_for: threads that wait for work; the caller works too */
typedef struct cf_threads {
  pthread_mutex_t lock;
  pthread_cond_t work, done;
  pthread_t *thread;
  int64_t count;
  void (*task)(void *arg, int64_t index);
  void *arg;
  int64_t next, n, busy; /* the loop under way */
  uint64_t loop;
  int leave;
} cf_threads;

static void work_off(cf_threads *t) {
  while (t->next < t->n) {
    int64_t index = t->next++;
    pthread_mutex_unlock(&t->lock);
    t->task(t->arg, index);
    pthread_mutex_lock(&t->lock);
  }
}

static void *worker(void *arg) {
  cf_threads *t = arg;
  pthread_mutex_lock(&t->lock);
  for (uint64_t seen = 0;;) {
    while (!t->leave && (t->loop == seen || t->next >= t->n)) pthread_cond_wait(&t->work, &t->lock);
    if (t->leave) break;
    seen = t->loop;
    t->busy++;
    work_off(t);
    if (--t->busy == 0) pthread_cond_signal(&t->done);
  }
  pthread_mutex_unlock(&t->lock);
  return NULL;
}

static leat_status lend_parallel_for(void *ctx, int64_t n_tasks, void (*task)(void *arg, int64_t index), void *arg) {
  cf_suite *s = ctx;
  cf_threads *t = s->threads;
  if (!t || t->count == 0 || n_tasks < 2) {
    for (int64_t i = 0; i < n_tasks; i++) task(arg, i);
    return LEAT_OK;
  }
  pthread_mutex_lock(&t->lock);
  t->task = task, t->arg = arg, t->next = 0, t->n = n_tasks, t->loop++;
  pthread_cond_broadcast(&t->work);
  work_off(t);
  while (t->busy) pthread_cond_wait(&t->done, &t->lock);
  pthread_mutex_unlock(&t->lock);
  return LEAT_OK;
}

static leat_status lend_proc(void *ctx, const char *name, void **fn) {
  (void)ctx, (void)name;
  if (fn) *fn = NULL;
  return LEAT_E_NOT_FOUND;
}

leat_status cf_host_open(cf_suite *s, leat_error *err) {
  cf_threads *t = calloc(1, sizeof *t);
  int64_t want = s->opts.threads > 1 ? s->opts.threads - 1 : 0;
  if (t) t->thread = calloc((size_t)want + 1, sizeof *t->thread);
  if (!t || !t->thread) {
    free(t);
    return cf_refuse(err, LEAT_E_MEMORY, "no memory for threads");
  }
  pthread_mutex_init(&t->lock, NULL);
  pthread_cond_init(&t->work, NULL);
  pthread_cond_init(&t->done, NULL);
  while (t->count < want && !pthread_create(&t->thread[t->count], NULL, worker, t)) t->count++;
  s->threads = t;
  s->host = (leat_b_host){sizeof s->host, LEAT_BACKEND_ABI_MINOR, s, lend_alloc, lend_release, lend_log, lend_option,
                          lend_cache_get, lend_cache_put, lend_parallel_for, lend_proc};
  return LEAT_OK;
}

void cf_host_close(cf_suite *s) {
  cf_threads *t = s->threads;
  if (!t) return;
  pthread_mutex_lock(&t->lock);
  t->leave = 1;
  pthread_cond_broadcast(&t->work);
  pthread_mutex_unlock(&t->lock);
  for (int64_t i = 0; i < t->count; i++) pthread_join(t->thread[i], NULL);
  pthread_cond_destroy(&t->work);
  pthread_cond_destroy(&t->done);
  pthread_mutex_destroy(&t->lock);
  free(t->thread);
  free(t);
  s->threads = NULL;
}
