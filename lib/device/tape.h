/* A tape: buffers on one device, and ops prepared for them that are run again and again. Training is written in it, so that
 * it knows nothing of the device: what the device lacks runs on the CPU after a copy, and is counted. One thread at a time. */
#ifndef LEAT_DEVICE_TAPE_H
#define LEAT_DEVICE_TAPE_H
#include "device/device.h"
typedef struct lt_tape lt_tape;
enum { LT_TAPE_TENSORS = 8, LT_TAPE_F = 12, LT_TAPE_I = 4 };
/* A part of a buffer; no stride is negative. offset in bytes. */
typedef struct lt_tensor {
  int32_t buffer, dtype;
  uint64_t offset;
  int64_t rank, shape[4], stride[4];
} lt_tensor;
/* An op as docs/ops.md says. */
typedef struct lt_tape_op {
  const char *name; /* static */
  int32_t n_in, n_out, n_f, n_i;
  lt_tensor in[LT_TAPE_TENSORS], out[LT_TAPE_TENSORS];
  double f[LT_TAPE_F];
  int64_t i[LT_TAPE_I];
} lt_tape_op;
/* Opens the device (NULL: the CPU) and a queue on it. Errors: DEVICE, MEMORY, UNSUPPORTED (no buffers or queues). */
leat_status lt_tape_create(leat_runtime *rt, const leat_device *dev, lt_tape **out, leat_error *err);
void lt_tape_free(lt_tape *t);
/* A buffer of `size` bytes, not cleared; *id names it. */
leat_status lt_tape_buffer(lt_tape *t, uint64_t size, int32_t *id, leat_error *err);
/* The same with n bytes at `host` in it: that memory itself, where the device can use it (it must outlive the tape and stay
 * as it is), else a copy. */
leat_status lt_tape_wrap(lt_tape *t, const void *host, uint64_t n, int32_t *id, leat_error *err);
/* Both wait until the copy is over. */
leat_status lt_tape_write(lt_tape *t, int32_t id, uint64_t offset, const void *from, uint64_t size, leat_error *err);
leat_status lt_tape_read(lt_tape *t, int32_t id, uint64_t offset, void *to, uint64_t size, leat_error *err);
/* Appends an op; *node is its place, one after the other from 0. */
leat_status lt_tape_add(lt_tape *t, const lt_tape_op *op, int32_t *node, leat_error *err);
int32_t lt_tape_end(const lt_tape *t); /* the place of the next op */
void lt_tape_set_f(lt_tape *t, int32_t node, int32_t k, double value);
void lt_tape_set_i(lt_tape *t, int32_t node, int32_t k, int64_t value);
void lt_tape_move_in(lt_tape *t, int32_t node, int32_t k, uint64_t offset);
void lt_tape_move_out(lt_tape *t, int32_t node, int32_t k, uint64_t offset);
/* Enqueues the ops [from, to) in order; they may still run when it returns. */
leat_status lt_tape_run(lt_tape *t, int32_t from, int32_t to, leat_error *err);
leat_status lt_tape_finish(lt_tape *t, leat_error *err);
static inline lt_tensor lt_vector(int32_t buffer, int32_t dtype, uint64_t offset, int64_t n) {
  return (lt_tensor){buffer, dtype, offset, 1, {n}, {1}};
}
static inline lt_tensor lt_rows_of(int32_t buffer, int32_t dtype, uint64_t offset, int64_t m, int64_t n, int64_t ld) {
  return (lt_tensor){buffer, dtype, offset, 2, {m, n}, {ld, 1}};
}
static inline lt_tensor lt_transposed(lt_tensor t) {
  return (lt_tensor){t.buffer, t.dtype, t.offset, 2, {t.shape[1], t.shape[0]}, {t.stride[1], t.stride[0]}};
}
#endif
