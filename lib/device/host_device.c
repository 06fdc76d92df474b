/* The slots of backend.h for devices that compute in host memory. It stands where a third party's plug-in would: all it
 * knows of leat is the host table. */
#include "device/host_device.h"
#include "device/op.h"

#include <stddef.h>
#include <string.h>

struct leat_b_buffer {
  leat_b_device *device;
  uint8_t *data;
  uint64_t size, align; /* align 0: borrowed */
};
struct leat_b_event { int32_t over; };
struct leat_b_kernel { int32_t is_gemv; };

static leat_b_event event_over = {1}; /* what was enqueued is done when the call returns: one event is all there are */
static leat_b_kernel kernels[2] = {{0}, {1}};

static void host_close(leat_b_instance *self) {
  const leat_b_host *host = self->host;
  lt_cond_destroy(&self->free_place);
  lt_mutex_destroy(&self->lock);
  host->release(host->ctx, self, sizeof *self, 64);
}

static leat_status host_device_count(leat_b_instance *self, int64_t *count, leat_error *err) {
  (void)self, (void)err;
  *count = 1;
  return LEAT_OK;
}

static leat_status host_device_props(leat_b_instance *self, int64_t index, leat_device_props *props, leat_error *err) {
  (void)index, (void)err;
  props->name = props->backend = self->ops->name;
  props->vendor = self->ops->vendor;
  props->driver = self->ops->driver;
  props->kind = LEAT_CPU;
  props->alignment = 4;
  props->dtype_mask = UINT64_C(1) << LEAT_F32;
  return LEAT_OK;
}

static leat_status host_device_open(leat_b_instance *self, int64_t index, leat_b_device **out, leat_error *err) {
  (void)index, (void)err;
  *out = &self->device;
  return LEAT_OK;
}

static void host_device_close(leat_b_device *dev) { (void)dev; }

static leat_status host_buffer_new(leat_b_device *dev, leat_b_buffer **out, leat_error *err) {
  const leat_b_host *host = dev->self->host;
  *out = host->alloc(host->ctx, sizeof **out, 16);
  if (!*out) return lt_fail_memory(err, sizeof **out, "a buffer");
  memset(*out, 0, sizeof **out);
  (*out)->device = dev;
  return LEAT_OK;
}

static void host_buffer_free(leat_b_buffer *b) {
  if (!b) return;
  const leat_b_host *host = b->device->self->host;
  if (b->align) host->release(host->ctx, b->data, b->size, b->align);
  host->release(host->ctx, b, sizeof *b, 16);
}

static leat_status host_buffer_alloc(leat_b_device *dev, int64_t kind, uint64_t size, uint64_t align,
                                     leat_b_buffer **out, leat_error *err) {
  const leat_b_host *host = dev->self->host;
  (void)kind;
  leat_status st = host_buffer_new(dev, out, err);
  if (st) return st;
  align = align < 64 ? 64 : align;
  (*out)->data = host->alloc(host->ctx, size, align);
  if (!(*out)->data) {
    host_buffer_free(*out);
    *out = NULL;
    return lt_fail_memory(err, size, "a buffer");
  }
  (*out)->size = size;
  (*out)->align = align;
  return LEAT_OK;
}

static leat_status host_buffer_wrap(leat_b_device *dev, void *host, uint64_t size, leat_b_buffer **out,
                                    leat_error *err) {
  leat_status st = host_buffer_new(dev, out, err);
  if (st) return st;
  (*out)->data = host;
  (*out)->size = size;
  return LEAT_OK;
}

static leat_status host_buffer_map(leat_b_buffer *b, uint64_t off, uint64_t size, int64_t mode, void **ptr,
                                   leat_error *err) {
  (void)mode;
  *ptr = NULL;
  if (off > b->size || size > b->size - off)
    return lt_fail(err, LEAT_E_RANGE, "a map of %llu bytes at %llu is outside a buffer of %llu", (unsigned long long)size,
                   (unsigned long long)off, (unsigned long long)b->size);
  *ptr = b->data + off;
  return LEAT_OK;
}

static leat_status host_buffer_unmap(leat_b_buffer *b, void *ptr, leat_error *err) {
  (void)b, (void)ptr, (void)err;
  return LEAT_OK;
}

static leat_status host_queue_create(leat_b_device *dev, uint64_t flags, leat_b_queue **out, leat_error *err) {
  (void)flags, (void)err;
  *out = &dev->self->queue; /* a queue without state serves any number of users */
  return LEAT_OK;
}

static void host_queue_free(leat_b_queue *q) { (void)q; }

static leat_status host_side(leat_b_buffer *b, uint64_t offset, uint64_t size, void *host, uint8_t **side,
                             leat_error *err) {
  if (b && (offset > b->size || size > b->size - offset))
    return lt_fail(err, LEAT_E_RANGE, "a copy of %llu bytes at %llu is outside a buffer of %llu",
                   (unsigned long long)size, (unsigned long long)offset, (unsigned long long)b->size);
  *side = b ? b->data + offset : host;
  return *side || !size ? LEAT_OK : lt_fail(err, LEAT_E_ARG, "a copy lacks one of its ends");
}

static leat_status host_queue_copy(leat_b_queue *q, const leat_b_copy *copy, leat_b_event **done, leat_error *err) {
  uint8_t *to = NULL, *from = NULL;
  (void)q;
  if (!copy->dst && !copy->src) return lt_fail(err, LEAT_E_ARG, "a copy needs a buffer at one end");
  leat_status st = host_side(copy->dst, copy->dst_offset, copy->size, copy->host, &to, err);
  if (st || (st = host_side(copy->src, copy->src_offset, copy->size, copy->host, &from, err)) != 0) return st;
  if (copy->size) memmove(to, from, copy->size);
  if (done) *done = &event_over;
  return LEAT_OK;
}

static leat_status host_queue_finish(leat_b_queue *q, leat_error *err) {
  (void)q, (void)err;
  return LEAT_OK;
}

static leat_status host_event_wait(leat_b_event *e, int64_t timeout_ns, leat_error *err) {
  (void)e, (void)timeout_ns, (void)err;
  return LEAT_OK;
}

static void host_event_free(leat_b_event *e) { (void)e; }

/* 0 gemm, 1 gemv, -1 neither; shapes are looked at when the op runs. */
static int op_which(const leat_b_op *op) {
  int which = !strcmp(op->name, "gemm") ? 0 : !strcmp(op->name, "gemv") ? 1 : -1;
  if (op->n_in != 2 || op->n_out != 1 || op->n_attr_f != 2) return -1;
  for (int i = 0; i < 3; i++)
    if ((i < 2 ? op->in[i] : op->out[0]).dtype != LEAT_F32) return -1;
  return which;
}

static leat_status host_op_score(leat_b_device *dev, const leat_b_op *op, int64_t *score, leat_error *err) {
  (void)dev, (void)err;
  *score = op_which(op) >= 0 ? 100 : 0;
  return LEAT_OK;
}

static leat_status host_op_prepare(leat_b_device *dev, const leat_b_op *op, leat_b_kernel **out, leat_error *err) {
  int which = op_which(op);
  (void)dev;
  if (which < 0) return lt_fail(err, LEAT_E_UNSUPPORTED, "this device has no such op: %s", op->name);
  *out = &kernels[which];
  return LEAT_OK;
}

/* The array that a tensor says, inside its buffer. */
static leat_status tensor_view(const char *name, const leat_b_tensor *t, int64_t rank, int32_t written, lt_view *v,
                               leat_error *err) {
  memset(v, 0, sizeof *v);
  if (t->rank != rank || t->dtype != LEAT_F32)
    return lt_fail(err, LEAT_E_SHAPE, "%s has rank %lld and type %lld; the op takes rank %lld of float32", name,
                   (long long)t->rank, (long long)t->dtype, (long long)rank);
  v->name = name;
  v->rank = rank;
  v->size = 4;
  v->written = written;
  memcpy(v->shape, t->shape, sizeof v->shape);
  memcpy(v->stride, t->stride, sizeof v->stride);
  if (lt_view_empty(v)) return lt_view_check(v, err); /* a negative shape beside a zero */
  if (!t->buffer || t->offset > t->buffer->size || t->offset % 4)
    return lt_fail(err, LEAT_E_RANGE, "%s has no buffer, or its offset is outside it or odd", name);
  v->data = t->buffer->data + t->offset;
  leat_status st = lt_view_check(v, err);
  if (st) return st;
  if (v->low < -(int64_t)t->offset || (uint64_t)v->high > t->buffer->size - t->offset)
    return lt_fail(err, LEAT_E_RANGE, "%s reaches outside its buffer of %llu bytes", name,
                   (unsigned long long)t->buffer->size);
  return LEAT_OK;
}

static leat_status host_gemm(leat_b_instance *self, const leat_b_op *op, leat_error *err) {
  lt_view a, b, c;
  leat_status st = tensor_view("a", &op->in[0], 2, 0, &a, err);
  if (st || (st = tensor_view("b", &op->in[1], 2, 0, &b, err)) != 0 ||
      (st = tensor_view("c", &op->out[0], 2, 1, &c, err)) != 0)
    return st;
  if (a.shape[0] != c.shape[0] || b.shape[1] != c.shape[1] || a.shape[1] != b.shape[0])
    return lt_fail(err, LEAT_E_SHAPE, "gemm: shapes do not fit together; they must be a [m, k], b [k, n], c [m, n]");
  lt_gemm g = {c.shape[0], c.shape[1], a.shape[1], (float)op->attr_f[0], (float)op->attr_f[1], a.data, b.data,
               (float *)(uintptr_t)c.data, a.stride[0], a.stride[1], b.stride[0], b.stride[1], c.stride[0], c.stride[1]};
  return lt_view_empty(&c) ? LEAT_OK : self->ops->gemm(self, &g, err);
}

static leat_status host_gemv(leat_b_instance *self, const leat_b_op *op, leat_error *err) {
  lt_view a, x, y;
  leat_status st = tensor_view("a", &op->in[0], 2, 0, &a, err);
  if (st || (st = tensor_view("x", &op->in[1], 1, 0, &x, err)) != 0 ||
      (st = tensor_view("y", &op->out[0], 1, 1, &y, err)) != 0)
    return st;
  if (a.shape[0] != y.shape[0] || a.shape[1] != x.shape[0])
    return lt_fail(err, LEAT_E_SHAPE, "gemv: shapes do not fit together; they must be a [m, n], x [n], y [m]");
  lt_gemv g = {a.shape[0], a.shape[1], (float)op->attr_f[0], (float)op->attr_f[1], a.data, x.data,
               (float *)(uintptr_t)y.data, a.stride[0], a.stride[1], x.stride[0], y.stride[0]};
  return lt_view_empty(&y) ? LEAT_OK : self->ops->gemv(self, &g, err);
}

static leat_status host_op_enqueue(leat_b_queue *q, leat_b_kernel *k, const leat_b_op *op, leat_b_event *const *wait,
                                   int64_t n_wait, leat_b_event **done, leat_error *err) {
  (void)wait, (void)n_wait;
  if (op_which(op) != k->is_gemv) return lt_fail(err, LEAT_E_ARG, "the op is not what the kernel was prepared for");
  leat_status st = k->is_gemv ? host_gemv(q->device->self, op, err) : host_gemm(q->device->self, op, err);
  if (done) *done = st ? NULL : &event_over;
  return st;
}

static void host_op_free(leat_b_kernel *k) { (void)k; }

leat_status lt_host_backend(uint32_t abi_major, const leat_b_host *host, const lt_host_ops *ops, leat_b_backend *out,
                            leat_error *err) {
  leat_b_instance *self;
  if (abi_major != LEAT_BACKEND_ABI_MAJOR)
    return lt_fail(err, LEAT_E_VERSION, "plug-in interface %u is asked for, this one speaks %d", (unsigned)abi_major,
                   LEAT_BACKEND_ABI_MAJOR);
  self = host->alloc(host->ctx, sizeof *self, 64);
  if (!self) return lt_fail_memory(err, sizeof *self, "a device");
  memset(self, 0, sizeof *self);
  self->host = host;
  self->ops = ops;
  self->device.self = self;
  self->queue.device = &self->device;
  self->width = 1;
  if (lt_mutex_init(&self->lock)) goto no_lock;
  if (lt_cond_init(&self->free_place)) goto no_cond;
  const leat_b_backend table = {
      sizeof table, 0, ops->name, self, host_close, host_device_count, host_device_props, NULL, host_device_open,
      host_device_close, host_buffer_alloc, host_buffer_wrap, host_buffer_free, host_buffer_map, host_buffer_unmap,
      host_queue_create, host_queue_free, host_queue_copy, host_queue_finish, host_event_wait, host_event_free,
      host_op_score, host_op_prepare, host_op_enqueue, host_op_free, NULL};
  *out = table;
  return LEAT_OK;
no_cond:
  lt_mutex_destroy(&self->lock);
no_lock:
  host->release(host->ctx, self, sizeof *self, 64);
  return lt_fail(err, LEAT_E_MEMORY, "no memory for a lock");
}
