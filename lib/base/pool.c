/* The thread pool, or the host's executor. One job at a time: whoever comes second (or from inside a task) runs its
 * tasks alone. A worker that wakes late finds the job closed and goes back to sleep, so nobody waits for it. */
#include "base/inside.h"
#include <string.h>

enum { POOL_SPIN_NS = 20000 };
struct lt_pool {
  lt_mutex lock;
  lt_cond work, done;
  int64_t process;
  int64_t ticket;   /* atomic: number of the job that is open, counts up */
  int32_t open, stop;
  int64_t active;   /* atomic: workers inside the job */
  int64_t next;     /* atomic: next index to hand out */
  int64_t n_tasks;
  void (*task)(void *arg, int64_t index);
  void *arg;
  int64_t n_workers;
  lt_thread *workers;
};

static _Thread_local int32_t pool_inside;   /* this thread runs a task */
static _Thread_local int32_t pool_borrowed; /* this thread did not call in */
int lt_pool_on_worker(void) { return pool_borrowed; }

static void pool_work(lt_pool *p, void (*task)(void *arg, int64_t index), void *arg, int64_t n) {
  for (;;) {
    int64_t i = __atomic_fetch_add(&p->next, 1, __ATOMIC_RELAXED);
    if (i >= n) return;
    task(arg, i);
  }
}

/* Spins for at most 20 us while *word is `value`: long enough for the next job of a tight loop, too short to cost. */
static void pool_spin(const int64_t *word, int64_t value) {
  const leat_clock *clock = lt_os_clock();
  int64_t start = clock->monotonic_ns(clock->user);
  while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value) {
    for (int i = 0; i < 16; i++) lt_os_relax();
    if (clock->monotonic_ns(clock->user) - start > POOL_SPIN_NS) return;
  }
}

static void *pool_main(void *arg) {
  lt_pool *p = arg;
  int64_t seen = 0;
  lt_fpenv env;
  lt_fpenv_enter(&env); /* a new thread inherits its creator's */
  pool_inside = pool_borrowed = 1;
  lt_mutex_lock(&p->lock);
  for (;;) {
    void (*task)(void *arg, int64_t index);
    void *task_arg;
    int64_t n;
    while (!p->stop && (!p->open || p->ticket == seen)) lt_cond_wait(&p->work, &p->lock);
    if (p->stop) break;
    seen = p->ticket;
    task = p->task;
    task_arg = p->arg;
    n = p->n_tasks;
    __atomic_fetch_add(&p->active, 1, __ATOMIC_RELAXED);
    lt_mutex_unlock(&p->lock);
    pool_work(p, task, task_arg, n);
    lt_mutex_lock(&p->lock);
    if (__atomic_sub_fetch(&p->active, 1, __ATOMIC_RELEASE) == 0 && !p->open) lt_cond_signal(&p->done);
    if (p->stop) break;
    lt_mutex_unlock(&p->lock);
    pool_spin(&p->ticket, seen);
    lt_mutex_lock(&p->lock);
  }
  lt_mutex_unlock(&p->lock);
  return NULL;
}

/* A thread that cannot be started only means fewer of them. */
static lt_pool *pool_start(leat_runtime *rt, int64_t n_workers) {
  lt_pool *p = lt_zalloc(rt, sizeof *p);
  if (!p) return NULL;
  p->workers = lt_zarray(rt, (uint64_t)n_workers, sizeof *p->workers);
  if (!p->workers) goto no_workers;
  if (lt_mutex_init(&p->lock)) goto no_lock;
  if (lt_cond_init(&p->work)) goto no_work;
  if (lt_cond_init(&p->done)) goto no_done;
  p->process = lt_os_process();
  while (p->n_workers < n_workers && lt_thread_start(&p->workers[p->n_workers], pool_main, p) == 0) p->n_workers++;
  return p;
no_done:
  lt_cond_destroy(&p->work);
no_work:
  lt_mutex_destroy(&p->lock);
no_lock:
  lt_free(rt, p->workers);
no_workers:
  lt_free(rt, p);
  return NULL;
}

void lt_pool_free(leat_runtime *rt) {
  lt_pool *p = rt->pool;
  if (!p) return;
  if (p->process == lt_os_process()) { /* in a forked child the threads are not there, and a lock may be held */
    lt_mutex_lock(&p->lock);
    p->stop = 1;
    __atomic_fetch_add(&p->ticket, 1, __ATOMIC_RELEASE);
    for (int64_t i = 0; i < p->n_workers; i++) lt_cond_signal(&p->work);
    lt_mutex_unlock(&p->lock);
    for (int64_t i = 0; i < p->n_workers; i++) lt_thread_join(&p->workers[i]);
    lt_cond_destroy(&p->done);
    lt_cond_destroy(&p->work);
    lt_mutex_destroy(&p->lock);
  }
  lt_free(rt, p->workers);
  lt_free(rt, p);
  rt->pool = NULL;
}

/* The pool, when nobody of this process uses it. A holder of another process is a thread that a fork left behind. */
static lt_pool *pool_take(leat_runtime *rt) {
  int64_t here = lt_os_process(), holder = __atomic_load_n(&rt->pool_taken, __ATOMIC_RELAXED);
  if (holder == here) return NULL;
  if (!__atomic_compare_exchange_n(&rt->pool_taken, &holder, here, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return NULL;
  if (rt->pool && rt->pool->process != here) lt_pool_free(rt);
  if (!rt->pool) rt->pool = pool_start(rt, rt->n_threads - 1);
  if (!rt->pool) __atomic_store_n(&rt->pool_taken, 0, __ATOMIC_RELEASE);
  return rt->pool;
}

static void pool_run(lt_pool *p, int64_t n_tasks, void (*task)(void *arg, int64_t index), void *arg) {
  int64_t wake = n_tasks - 1 < p->n_workers ? n_tasks - 1 : p->n_workers;
  lt_mutex_lock(&p->lock);
  p->task = task;
  p->arg = arg;
  p->n_tasks = n_tasks;
  __atomic_store_n(&p->next, 0, __ATOMIC_RELAXED);
  p->open = 1;
  __atomic_fetch_add(&p->ticket, 1, __ATOMIC_RELEASE);
  for (int64_t i = 0; i < wake; i++) lt_cond_signal(&p->work);
  lt_mutex_unlock(&p->lock);
  pool_inside++;
  pool_work(p, task, arg, n_tasks);
  pool_inside--;
  lt_mutex_lock(&p->lock);
  p->open = 0;
  if (__atomic_load_n(&p->active, __ATOMIC_ACQUIRE)) {
    int64_t active = __atomic_load_n(&p->active, __ATOMIC_ACQUIRE);
    lt_mutex_unlock(&p->lock);
    if (active == 1) pool_spin(&p->active, 1);
    lt_mutex_lock(&p->lock);
    while (__atomic_load_n(&p->active, __ATOMIC_ACQUIRE)) lt_cond_wait(&p->done, &p->lock);
  }
  lt_mutex_unlock(&p->lock);
}

/* ---- the host's executor */
typedef struct lt_lent {
  void (*task)(void *arg, int64_t index);
  void *arg;
  const void *caller; /* an address of the calling thread's own */
  int64_t done;       /* atomic */
} lt_lent;

static void pool_lent_task(void *arg, int64_t index) {
  lt_lent *l = arg;
  int32_t inside = pool_inside, borrowed = pool_borrowed;
  lt_fpenv env;
  lt_fpenv_enter(&env);
  pool_inside = 1;
  if (l->caller != &pool_inside) pool_borrowed = 1;
  l->task(l->arg, index);
  pool_inside = inside;
  pool_borrowed = borrowed;
  lt_fpenv_leave(&env);
  __atomic_fetch_add(&l->done, 1, __ATOMIC_RELEASE);
}

static leat_status pool_lend(leat_runtime *rt, int64_t n_tasks, void (*task)(void *arg, int64_t index), void *arg) {
  lt_lent l = {task, arg, &pool_inside, 0};
  leat_status st = rt->executor.run(rt->executor.user, n_tasks, pool_lent_task, &l);
  if (st < 0) return st;
  /* An executor that says 0 and left tasks out would give wrong numbers silently. */
  return st > 0 || __atomic_load_n(&l.done, __ATOMIC_ACQUIRE) != n_tasks ? LEAT_E_ARG : LEAT_OK;
}

leat_status lt_parallel_for(leat_runtime *rt, int64_t n_tasks, void (*task)(void *arg, int64_t index), void *arg) {
  leat_status st = LEAT_OK;
  lt_pool *p = NULL;
  if (n_tasks > 1 && !pool_inside) {
    if (rt->executor.run) {
      st = pool_lend(rt, n_tasks, task, arg);
      lt_ring_send(rt);
      return st;
    }
    if (rt->n_threads > 1) p = pool_take(rt);
  }
  if (p) {
    pool_run(p, n_tasks, task, arg);
    __atomic_store_n(&rt->pool_taken, 0, __ATOMIC_RELEASE);
    lt_ring_send(rt);
  } else {
    for (int64_t i = 0; i < n_tasks; i++) task(arg, i);
  }
  return st;
}
