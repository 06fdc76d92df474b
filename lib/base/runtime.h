/* The runtime: host tables, memory, files, clock, log, threads. Floor 1. */
#ifndef LEAT_BASE_RUNTIME_H
#define LEAT_BASE_RUNTIME_H
#include "base/error.h"

/* ---- life (the api floor exports these under leat_) */
leat_status lt_runtime_create(const leat_runtime_opts *opts, leat_runtime **out, leat_error *err);
void lt_runtime_ref(leat_runtime *rt);
void lt_runtime_unref(leat_runtime *rt);
leat_status lt_runtime_stat(const leat_runtime *rt, const char *name, int64_t *value, leat_error *err);
int64_t lt_runtime_threads(const leat_runtime *rt);  /* >= 1 */
uint64_t lt_runtime_load_budget(const leat_runtime *rt);
const char *lt_runtime_cache_folder(const leat_runtime *rt); /* or NULL */
/* A place for the device floor to hang its registry; freed by `release` when the runtime goes (before the allocator). */
void lt_runtime_set_devices(leat_runtime *rt, void *registry, void (*release)(void *registry));
void *lt_runtime_devices(const leat_runtime *rt);
void lt_runtime_count_fallback(leat_runtime *rt, int64_t n);

/* ---- memory: every block is 64-byte aligned and knows its size. Zero bytes give a valid block. NULL on failure. */
void *lt_alloc(leat_runtime *rt, uint64_t bytes);
void *lt_zalloc(leat_runtime *rt, uint64_t bytes);
void *lt_realloc(leat_runtime *rt, void *p, uint64_t bytes); /* p may be NULL; on failure p stays */
void *lt_array(leat_runtime *rt, uint64_t n, uint64_t size);  /* overflow checked */
void *lt_zarray(leat_runtime *rt, uint64_t n, uint64_t size);
char *lt_strdup(leat_runtime *rt, const char *s);
char *lt_strndup(leat_runtime *rt, const char *s, uint64_t n);
void lt_free(leat_runtime *rt, void *p); /* NULL is fine */
/* Grows *p (of *cap elements of `size` bytes) to hold at least `need`, by doubling. */
leat_status lt_grow(leat_runtime *rt, void **p, uint64_t *cap, uint64_t need, uint64_t size, leat_error *err);

/* ---- clock */
int64_t lt_now_ns(const leat_runtime *rt);
int64_t lt_monotonic_ns(const leat_runtime *rt);

/* ---- log: formatted into the ring and to the sink when level <= the runtime's */
void lt_log(leat_runtime *rt, int32_t level, const char *fmt, ...) LT_PRINTF(3, 4);
leat_status lt_log_read(leat_runtime *rt, int64_t *level, int64_t *time_ns, char *buf, uint64_t cap, uint64_t *needed);

/* ---- threads: runs task(arg, i) for every i in [0, n_tasks) and returns when all are done. Tasks must not fail (they
 * record in arg) and must not depend on who runs them. Nested or concurrent calls run on the calling thread when the
 * pool is taken. The caller's thread takes part; waits block (spin <= 20 us). After fork the child restarts its pool. */
leat_status lt_parallel_for(leat_runtime *rt, int64_t n_tasks, void (*task)(void *arg, int64_t index), void *arg);

/* ---- files, through the host's table */
typedef struct lt_file lt_file;
leat_status lt_file_open(leat_runtime *rt, const char *path, uint64_t mode, lt_file **out, leat_error *err);
leat_status lt_file_close(lt_file *f, leat_error *err); /* frees f even on failure; NULL is fine */
leat_status lt_file_size(lt_file *f, uint64_t *size, leat_error *err);
/* Reads exactly `size` bytes or fails with FORMAT (cut file); lt_file_read_some gives *done < size only at the end. */
leat_status lt_file_read(lt_file *f, uint64_t offset, void *buf, uint64_t size, leat_error *err);
leat_status lt_file_read_some(lt_file *f, uint64_t offset, void *buf, uint64_t size, uint64_t *done, leat_error *err);
leat_status lt_file_write(lt_file *f, uint64_t offset, const void *buf, uint64_t size, leat_error *err);
leat_status lt_file_truncate(lt_file *f, uint64_t size, leat_error *err);
leat_status lt_file_sync(lt_file *f, leat_error *err);
leat_status lt_file_lock(lt_file *f, int64_t kind, leat_error *err); /* BUSY when taken by another process */
/* Maps the whole file for reading; *data stays valid until lt_file_unmap. UNSUPPORTED when the table has no map. */
leat_status lt_file_map(lt_file *f, uint64_t size, const void **data, leat_error *err);
void lt_file_unmap(lt_file *f, const void *data, uint64_t size);
/* The whole file into a fresh block (lt_free), at most `limit` bytes. */
leat_status lt_file_load(leat_runtime *rt, const char *path, uint64_t limit, void **data, uint64_t *size,
                         leat_error *err);
/* Atomic replacement: temporary beside it, write, fsync, rename, fsync the folder. On failure the old file stays and
 * the temporary is removed. */
leat_status lt_file_replace(leat_runtime *rt, const char *path, const void *data, uint64_t size, leat_error *err);
leat_status lt_path_rename(leat_runtime *rt, const char *from, const char *to, leat_error *err);
leat_status lt_path_remove(leat_runtime *rt, const char *path, leat_error *err);
leat_status lt_path_make_folder(leat_runtime *rt, const char *path, leat_error *err); /* there already: ok */
leat_status lt_path_sync_folder(leat_runtime *rt, const char *path, leat_error *err);
leat_status lt_path_list(leat_runtime *rt, const char *path, void (*each)(void *arg, const char *name), void *arg,
                         leat_error *err);

/* ---- owner objects: enter returns LEAT_E_BUSY when another thread is inside */
typedef struct lt_owner { int32_t busy; } lt_owner; /* zero-initialised */
leat_status lt_owner_enter(lt_owner *o, const char *what, leat_error *err);
void lt_owner_leave(lt_owner *o);

/* ---- counted references (relaxed increment, release/acquire decrement); unref returns 1 when the last one went */
typedef struct lt_ref { int64_t count; } lt_ref;
void lt_ref_init(lt_ref *r);
void lt_ref_add(lt_ref *r);
int lt_ref_drop(lt_ref *r);

/* ---- floating-point environment: enter sets the default one (round to nearest, no traps, no flush-to-zero), leave
 * restores the caller's. Cheap (a register compare) when the caller's is the default already. */
typedef struct lt_fpenv { uint64_t saved[8]; int32_t changed; } lt_fpenv;
void lt_fpenv_enter(lt_fpenv *e);
void lt_fpenv_leave(const lt_fpenv *e);
#endif
