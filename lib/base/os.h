/* What the operating system gives: the default host tables, threads, errno texts. Implemented in posix_*.c, the only
 * files of the library that include POSIX headers. */
#ifndef LEAT_BASE_OS_H
#define LEAT_BASE_OS_H
#include "leat/leat.h"
const leat_allocator *lt_os_allocator(void);
const leat_file_system *lt_os_files(void);
const leat_clock *lt_os_clock(void);
/* 1 when a fresh block of `size` bytes of the default allocator is zero already. */
int lt_os_fresh_is_zero(uint64_t size);
/* "No space left on device"; NULL for codes without a text here. Static, the same in every locale. */
const char *lt_os_error_text(int32_t code);
int64_t lt_os_process(void); /* the process id */
int64_t lt_os_memory(void);  /* bytes of physical memory, 0 unknown */
void lt_os_relax(void);      /* a hint in a spinning loop */
void lt_sleep_ns(int64_t ns); /* at least about that long; a signal does not cut it short */

/* Storage is plain bytes so that no POSIX type shows; posix_threads.c asserts that it is large enough. */
typedef struct lt_mutex { _Alignas(16) unsigned char os[64]; } lt_mutex;
typedef struct lt_cond { _Alignas(16) unsigned char os[64]; } lt_cond;
typedef struct lt_thread { _Alignas(16) unsigned char os[16]; } lt_thread;
int lt_mutex_init(lt_mutex *m); /* 0, or an errno value; the same below */
void lt_mutex_destroy(lt_mutex *m);
void lt_mutex_lock(lt_mutex *m);
void lt_mutex_unlock(lt_mutex *m);
int lt_cond_init(lt_cond *c);
void lt_cond_destroy(lt_cond *c);
void lt_cond_wait(lt_cond *c, lt_mutex *m);
void lt_cond_signal(lt_cond *c);
/* Starts a thread with every signal blocked: handlers of the host run on the host's threads. */
int lt_thread_start(lt_thread *t, void *(*run)(void *arg), void *arg);
void lt_thread_join(lt_thread *t);
#endif
