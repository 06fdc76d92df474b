/* lib/base/pool.c: every task once, on any number of threads; concurrent and nested callers, fork, host executors. */
#define _POSIX_C_SOURCE 200809L
#include "hosts.h"
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TASKS = 1000 };
typedef struct job { leat_runtime *rt; int64_t seen[TASKS]; int64_t threads, fp_wrong, signals_open; } job;

static void mark(void *arg, int64_t index) { __atomic_add_fetch(&((job *)arg)->seen[index], 1, __ATOMIC_RELAXED); }
static void expect_each(const job *j, int64_t n, int64_t times) {
  for (int64_t i = 0; i < TASKS; i++) assert_int_equal(j->seen[i], i < n ? times : 0);
}

static leat_runtime *pool_of(int64_t n_threads) {
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = n_threads};
  return host_runtime(&opts);
}

static void test_each_task_once(void **state) {
  const int64_t threads[] = {1, 2, 3, 7};
  (void)state;
  for (int t = 0; t < 4; t++) {
    leat_runtime *rt = pool_of(threads[t]);
    assert_int_equal(lt_runtime_threads(rt), threads[t]);
    for (int round = 0; round < 300; round++) {
      job j = {.rt = rt};
      int64_t n = round % 4 == 0 ? TASKS : round % 9;
      assert_int_equal(lt_parallel_for(rt, n, mark, &j), LEAT_OK);
      expect_each(&j, n, 1);
    }
    job none = {.rt = rt};
    assert_int_equal(lt_parallel_for(rt, 0, mark, &none), LEAT_OK);
    assert_int_equal(lt_parallel_for(rt, -3, mark, &none), LEAT_OK);
    expect_each(&none, 0, 0);
    lt_runtime_unref(rt);
  }
}

/* The call returns only when the last task, on whatever thread, is done. */
static void mark_late(void *arg, int64_t index) {
  struct timespec t = {0, 2000000};
  nanosleep(&t, NULL);
  mark(arg, index);
}
static void test_waits_for_all(void **state) {
  leat_runtime *rt = pool_of(4);
  (void)state;
  for (int round = 0; round < 50; round++) {
    job j = {.rt = rt};
    assert_int_equal(lt_parallel_for(rt, 3, mark_late, &j), LEAT_OK);
    expect_each(&j, 3, 1);
  }
  lt_runtime_unref(rt);
}

static void nested(void *arg, int64_t index) {
  job *j = arg;
  (void)index;
  assert_int_equal(lt_parallel_for(j->rt, 50, mark, j), LEAT_OK);
}
static void test_nested(void **state) {
  leat_runtime *rt = pool_of(3);
  (void)state;
  for (int round = 0; round < 50; round++) {
    job j = {.rt = rt};
    assert_int_equal(lt_parallel_for(rt, 20, nested, &j), LEAT_OK);
    expect_each(&j, 50, 20);
  }
  lt_runtime_unref(rt);
}

static void *caller(void *arg) {
  leat_runtime *rt = arg;
  for (int round = 0; round < 200; round++) {
    job j = {.rt = rt};
    if (lt_parallel_for(rt, 60, mark, &j)) return arg;
    for (int i = 0; i < 60; i++)
      if (j.seen[i] != 1) return arg;
  }
  return NULL;
}
static void test_concurrent_callers(void **state) {
  leat_runtime *rt = pool_of(3);
  pthread_t t[6];
  void *bad;
  (void)state;
  for (int i = 0; i < 6; i++) assert_int_equal(pthread_create(&t[i], NULL, caller, rt), 0);
  for (int i = 0; i < 6; i++) {
    assert_int_equal(pthread_join(t[i], &bad), 0);
    assert_null(bad);
  }
  lt_runtime_unref(rt);
}

/* Workers compute in the default floating-point environment, with signals blocked, whatever the caller has. */
static void look(void *arg, int64_t index) {
  job *j = arg;
  sigset_t set;
  (void)index;
  pthread_sigmask(SIG_SETMASK, NULL, &set);
  if (!sigismember(&set, SIGUSR1)) {
    __atomic_add_fetch(&j->signals_open, 1, __ATOMIC_RELAXED);
    return; /* the caller's own thread */
  }
  if (fegetround() != FE_TONEAREST) __atomic_add_fetch(&j->fp_wrong, 1, __ATOMIC_RELAXED);
  __atomic_add_fetch(&j->threads, 1, __ATOMIC_RELAXED);
}
static void look_slowly(void *arg, int64_t index) {
  struct timespec t = {0, 1000000};
  look(arg, index);
  nanosleep(&t, NULL);
}
static void test_workers_state(void **state) {
  leat_runtime *rt = pool_of(3);
  job j = {.rt = rt};
  (void)state;
  fesetround(FE_UPWARD);
  for (int round = 0; round < 200 && !j.threads; round++) lt_parallel_for(rt, 8, look_slowly, &j);
  fesetround(FE_TONEAREST);
  assert_true(j.threads > 0); /* the workers do take part */
  assert_int_equal(j.fp_wrong, 0);
  sigset_t set;
  pthread_sigmask(SIG_SETMASK, NULL, &set);
  assert_false(sigismember(&set, SIGUSR1)); /* the caller's mask is as it was */
  lt_runtime_unref(rt);
}

#if defined(__SANITIZE_THREAD__)
#define POOL_NO_FORK 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define POOL_NO_FORK 1
#endif
#endif
#ifndef POOL_NO_FORK
static int child_life(leat_runtime *rt) {
  for (int round = 0; round < 50; round++) {
    job j = {.rt = rt};
    if (lt_parallel_for(rt, 100, mark, &j)) return 1;
    for (int i = 0; i < 100; i++)
      if (j.seen[i] != 1) return 2;
  }
  job j = {.rt = rt};
  for (int round = 0; round < 500 && !j.threads; round++) lt_parallel_for(rt, 8, look_slowly, &j);
  if (!j.threads) return 3; /* the child has workers of its own */
  lt_log(rt, LEAT_LOG_ERROR, "child");
  lt_runtime_unref(rt);
  return 0;
}
static void expect_child(leat_runtime *rt) {
  int status = -1;
  pid_t pid = fork();
  if (pid == 0) {
    alarm(60);
    _exit(child_life(rt));
  }
  assert_true(pid > 0);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

#endif
static void test_fork(void **state) {
#ifdef POOL_NO_FORK
  (void)state;
  skip(); /* the thread sanitizer does not follow a forked child with threads */
#else
  leat_runtime *rt = pool_of(3);
  (void)state;
  expect_child(rt); /* before the pool is started */
  job j = {.rt = rt};
  lt_parallel_for(rt, 100, mark, &j);
  expect_child(rt); /* with sleeping workers */
  pthread_t t;
  void *bad;
  assert_int_equal(pthread_create(&t, NULL, caller, rt), 0); /* while another thread is inside the pool */
  for (int i = 0; i < 10; i++) expect_child(rt);
  assert_int_equal(pthread_join(t, &bad), 0);
  assert_null(bad);
  job after = {.rt = rt};
  lt_parallel_for(rt, 100, mark, &after);
  expect_each(&after, 100, 1);
  lt_runtime_unref(rt);
#endif
}

/* ---- the host's executor */
typedef struct host_run { int64_t calls, depth_seen; leat_status answer; int64_t leave_out; } host_run;
typedef struct host_part { void (*task)(void *arg, int64_t index); void *arg; int64_t from, to; } host_part;
static void *host_part_run(void *arg) {
  host_part *p = arg;
  for (int64_t i = p->from; i < p->to; i++) p->task(p->arg, i);
  return NULL;
}
static leat_status host_execute(void *user, int64_t n, void (*task)(void *arg, int64_t index), void *arg) {
  host_run *h = user;
  pthread_t t;
  host_part first = {task, arg, 0, n / 2}, second = {task, arg, n / 2, n - h->leave_out};
  __atomic_add_fetch(&h->calls, 1, __ATOMIC_RELAXED);
  if (h->answer) return h->answer;
  if (pthread_create(&t, NULL, host_part_run, &first)) return LEAT_E_MEMORY;
  host_part_run(&second);
  pthread_join(t, NULL);
  return 0;
}

static void test_executor(void **state) {
  host_run h = {0};
  leat_executor e = {sizeof e, &h, 2, host_execute};
  leat_runtime_opts opts = {.struct_size = sizeof opts, .executor = &e, .n_threads = 9};
  leat_runtime *rt = host_runtime(&opts);
  (void)state;
  assert_int_equal(lt_runtime_threads(rt), 2);
  job j = {.rt = rt};
  assert_int_equal(lt_parallel_for(rt, 100, mark, &j), LEAT_OK);
  expect_each(&j, 100, 1);
  assert_int_equal(h.calls, 1);
  job inner = {.rt = rt};
  assert_int_equal(lt_parallel_for(rt, 10, nested, &inner), LEAT_OK); /* the inner ones do not ask the host again */
  expect_each(&inner, 50, 10);
  assert_int_equal(h.calls, 2);
  h.answer = LEAT_E_DEVICE;
  assert_int_equal(lt_parallel_for(rt, 10, mark, &j), LEAT_E_DEVICE);
  h.answer = 7;
  assert_int_equal(lt_parallel_for(rt, 10, mark, &j), LEAT_E_ARG);
  h.answer = 0;
  h.leave_out = 1;
  assert_int_equal(lt_parallel_for(rt, 10, mark, &j), LEAT_E_ARG); /* a task was forgotten */
  lt_runtime_unref(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_task_once), cmocka_unit_test(test_waits_for_all),
      cmocka_unit_test(test_nested), cmocka_unit_test(test_concurrent_callers),
      cmocka_unit_test(test_workers_state), cmocka_unit_test(test_fork), cmocka_unit_test(test_executor)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
