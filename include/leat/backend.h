/* backend.h: for authors of device plug-ins (GPUs, FPGAs, other CPUs). Hosts need only leat.h.
 *
 * A plug-in is a shared library that exports exactly one function, leat_backend_query_v1, and does not link libleat.
 * It fills a leat_b_backend: instance -> device -> buffer -> queue -> event -> kernel. Every slot returns a status but
 * close and free. A NULL slot, or op_score that gives 0, means "not supported": leat computes that op on the CPU after
 * a copy and counts it in leat_runtime_stat("fallback_ops"). The built-in devices use this same table.
 *
 * What leat promises to a plug-in
 *  - err is never NULL and has room; on failure write code, os_code and message (a sentence that names no plug-in).
 *  - done may be NULL: no event is wanted. wait may be NULL with n_wait 0. leat finishes a queue before it reads results.
 *  - One device is used by one thread at a time, different devices at the same time. A queue is in order.
 *  - Everything is freed before its parent, and the library is unloaded after close.
 *  - Numbers that it does not know in kind, mode, flags and dtype are 0 today; refuse others with LEAT_E_UNSUPPORTED.
 *  - Texts that a plug-in gives (its name, properties) live as long as the backend; leat copies none but its name.
 *  - buffer_wrap may refuse memory (alignment, kind) with LEAT_E_UNSUPPORTED: leat copies instead.
 *
 * What a plug-in promises (the conformance suite tests it, see docs/plugins.md)
 *  - What is wrong (shapes, types, counts, attributes, a tensor or copy that reaches outside its buffer, a size that there
 *    is no memory for) is refused with a negative status and words, before anything is written; the device works on.
 *  - A tensor without elements needs no buffer. Elements that belong to no output are neither read nor written.
 *  - Wrapped memory is the host's: what it holds when an op is enqueued is what the op sees, and results are in it when
 *    queue_finish returns. It outlives the buffer.
 *  - queue_copy takes the bytes at `host` before it returns; what it brings to `host` is there when queue_finish returns.
 *  - event_wait with a timeout below 0 waits for ever; else LEAT_E_BUSY when the time is over first. An event that is over
 *    may be waited for again. Events of one queue may be waited for by another of the same device.
 *
 * Operations are named by strings; see docs/ops.md for names, shapes, attributes and tolerances. */
#ifndef LEAT_BACKEND_H
#define LEAT_BACKEND_H
#include "leat/leat.h"
#ifdef __cplusplus
extern "C" {
#endif
enum { LEAT_BACKEND_ABI_MAJOR = 1, LEAT_BACKEND_ABI_MINOR = 0 };
typedef struct leat_b_instance leat_b_instance;
typedef struct leat_b_device leat_b_device;
typedef struct leat_b_buffer leat_b_buffer;
typedef struct leat_b_queue leat_b_queue;
typedef struct leat_b_event leat_b_event;
typedef struct leat_b_kernel leat_b_kernel;

/* A tensor inside a buffer: offset in bytes, shape and stride in elements, rank <= 4. */
typedef struct leat_b_tensor {
  uint64_t struct_size;
  leat_b_buffer *buffer;
  uint64_t offset;
  int64_t dtype, rank;
  int64_t shape[4];
  int64_t stride[4];
} leat_b_tensor;
/* One operation: name, tensors read and written, attributes in the order that docs/ops.md gives. */
typedef struct leat_b_op {
  uint64_t struct_size;
  const char *name;
  int64_t n_in, n_out;
  const leat_b_tensor *in, *out;
  const double *attr_f;
  const int64_t *attr_i;
  int64_t n_attr_f, n_attr_i;
  uint64_t flags;
} leat_b_op;
/* What leat lends to a plug-in; lives as long as the backend. All slots are thread-safe. Options: "threads" (how many
 * parallel_for uses), "cache_folder" (NOT_FOUND when there is none). The cache keeps bytes under a key of letters,
 * digits, '-', '_' and '.' in that folder; cache_put replaces atomically. */
typedef struct leat_b_host {
  uint64_t struct_size;
  uint64_t abi_minor;
  void *ctx;
  void *(*alloc)(void *ctx, uint64_t size, uint64_t align);
  void (*release)(void *ctx, void *p, uint64_t size, uint64_t align);
  void (*log)(void *ctx, int32_t level, const char *text, uint64_t len);
  leat_status (*option)(void *ctx, const char *name, char *buf, uint64_t cap, uint64_t *needed);
  leat_status (*cache_get)(void *ctx, const char *key, void *buf, uint64_t cap, uint64_t *needed);
  leat_status (*cache_put)(void *ctx, const char *key, const void *buf, uint64_t size);
  leat_status (*parallel_for)(void *ctx, int64_t n_tasks, void (*task)(void *arg, int64_t index), void *arg);
  leat_status (*proc)(void *ctx, const char *name, void **fn);
} leat_b_host;
/* A copy: exactly one of dst and src may be NULL, then `host` is the other end. */
typedef struct leat_b_copy {
  uint64_t struct_size;
  leat_b_buffer *dst, *src;
  void *host;
  uint64_t dst_offset, src_offset, size;
  leat_b_event *const *wait;
  int64_t n_wait;
} leat_b_copy;
typedef struct leat_b_backend {
  uint64_t struct_size;
  uint64_t abi_minor_min;
  const char *name;
  leat_b_instance *self;
  void (*close)(leat_b_instance *self);
  leat_status (*device_count)(leat_b_instance *self, int64_t *count, leat_error *err);
  leat_status (*device_props)(leat_b_instance *self, int64_t index, leat_device_props *props, leat_error *err);
  leat_status (*device_state)(leat_b_instance *self, int64_t index, char *why, uint64_t cap, uint64_t *needed,
                              leat_error *err);
  leat_status (*device_open)(leat_b_instance *self, int64_t index, leat_b_device **out, leat_error *err);
  void (*device_close)(leat_b_device *dev);
  leat_status (*buffer_alloc)(leat_b_device *dev, int64_t kind, uint64_t size, uint64_t align, leat_b_buffer **out,
                              leat_error *err);
  leat_status (*buffer_wrap)(leat_b_device *dev, void *host, uint64_t size, leat_b_buffer **out, leat_error *err);
  void (*buffer_free)(leat_b_buffer *b);
  leat_status (*buffer_map)(leat_b_buffer *b, uint64_t off, uint64_t size, int64_t mode, void **ptr, leat_error *err);
  leat_status (*buffer_unmap)(leat_b_buffer *b, void *ptr, leat_error *err);
  leat_status (*queue_create)(leat_b_device *dev, uint64_t flags, leat_b_queue **out, leat_error *err);
  void (*queue_free)(leat_b_queue *q);
  leat_status (*queue_copy)(leat_b_queue *q, const leat_b_copy *copy, leat_b_event **done, leat_error *err);
  leat_status (*queue_finish)(leat_b_queue *q, leat_error *err);
  leat_status (*event_wait)(leat_b_event *e, int64_t timeout_ns, leat_error *err);
  void (*event_free)(leat_b_event *e);
  leat_status (*op_score)(leat_b_device *dev, const leat_b_op *op, int64_t *score, leat_error *err);
  leat_status (*op_prepare)(leat_b_device *dev, const leat_b_op *op, leat_b_kernel **out, leat_error *err);
  leat_status (*op_enqueue)(leat_b_queue *q, leat_b_kernel *k, const leat_b_op *op, leat_b_event *const *wait,
                            int64_t n_wait, leat_b_event **done, leat_error *err);
  void (*op_free)(leat_b_kernel *k);
  leat_status (*proc)(leat_b_instance *self, const char *name, void **fn);
} leat_b_backend;

/* What a plug-in exports, under the name leat_backend_query_v1. `host` outlives the backend. It fills *out (struct_size
 * is set by leat) or returns UNSUPPORTED, VERSION or BACKEND with the reason in err. */
typedef leat_status (*leat_backend_query_fn)(uint32_t abi_major, const leat_b_host *host, leat_b_backend *out,
                                             leat_error *err);
/* Adds a backend that is linked into the host. Errors: ARG, BACKEND, VERSION, MEMORY. Thread: safe. */
LEAT_API leat_status leat_runtime_add_backend(leat_runtime *rt, leat_backend_query_fn query, leat_error *err);
#ifdef __cplusplus
}
#endif
#endif
