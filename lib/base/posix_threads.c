/* POSIX: threads, clocks, the process. */
#define _POSIX_C_SOURCE 200809L
#include "base/os.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(lt_mutex), "lt_mutex is too small");
_Static_assert(sizeof(pthread_cond_t) <= sizeof(lt_cond), "lt_cond is too small");
_Static_assert(sizeof(pthread_t) <= sizeof(lt_thread), "lt_thread is too small");

int lt_mutex_init(lt_mutex *m) { return pthread_mutex_init((pthread_mutex_t *)(void *)m, NULL); }
void lt_mutex_destroy(lt_mutex *m) { pthread_mutex_destroy((pthread_mutex_t *)(void *)m); }
void lt_mutex_lock(lt_mutex *m) { pthread_mutex_lock((pthread_mutex_t *)(void *)m); }
void lt_mutex_unlock(lt_mutex *m) { pthread_mutex_unlock((pthread_mutex_t *)(void *)m); }
int lt_cond_init(lt_cond *c) { return pthread_cond_init((pthread_cond_t *)(void *)c, NULL); }
void lt_cond_destroy(lt_cond *c) { pthread_cond_destroy((pthread_cond_t *)(void *)c); }
void lt_cond_wait(lt_cond *c, lt_mutex *m) {
  pthread_cond_wait((pthread_cond_t *)(void *)c, (pthread_mutex_t *)(void *)m);
}
void lt_cond_signal(lt_cond *c) { pthread_cond_signal((pthread_cond_t *)(void *)c); }

/* The host's signals are not for our threads, but for faults: those belong to the thread that makes them, and the host may
 * answer them (memory that its allocator lets in on demand, a crash report). */
int lt_thread_start(lt_thread *t, void *(*run)(void *arg), void *arg) {
  const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
  sigset_t all, before;
  int rc;
  sigfillset(&all);
  for (uint64_t i = 0; i < sizeof faults / sizeof faults[0]; i++) sigdelset(&all, faults[i]);
  rc = pthread_sigmask(SIG_SETMASK, &all, &before);
  if (rc) return rc;
  rc = pthread_create((pthread_t *)(void *)t, NULL, run, arg);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return rc;
}

void lt_thread_join(lt_thread *t) { pthread_join(*(pthread_t *)(void *)t, NULL); }

int64_t lt_os_process(void) { return (int64_t)getpid(); }

int64_t lt_os_memory(void) {
  long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
  return pages > 0 && size > 0 ? (int64_t)pages * (int64_t)size : 0;
}

void lt_os_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

void lt_sleep_ns(int64_t ns) {
  struct timespec left = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
  while (ns > 0 && nanosleep(&left, &left) && errno == EINTR) {
  }
}

static int64_t posix_clock_read(clockid_t id) {
  struct timespec t;
  if (clock_gettime(id, &t)) return 0;
  return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_nsec;
}
static int64_t posix_now(void *user) {
  (void)user;
  return posix_clock_read(CLOCK_REALTIME);
}
static int64_t posix_monotonic(void *user) {
  (void)user;
  return posix_clock_read(CLOCK_MONOTONIC);
}
static const leat_clock posix_clock_table = {sizeof(leat_clock), NULL, posix_now, posix_monotonic};
const leat_clock *lt_os_clock(void) { return &posix_clock_table; }
