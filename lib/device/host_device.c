/* The slots of backend.h for devices that compute in host memory. It stands where a third party's plug-in would: all it
 * knows of leat is the host table. */
#include "device/host_device.h"

#include <stddef.h>
#include <string.h>

struct leat_b_buffer {
  leat_b_device *device;
  uint8_t *data;
  uint64_t size, align; /* align 0: borrowed */
};
struct leat_b_event { int32_t over; };
static leat_b_event event_over = {1}; /* what was enqueued is done when the call returns: one event is all there are */

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
  props->mem_total = lt_os_memory();
  props->dtype_mask = UINT64_C(1) << LEAT_F32 | UINT64_C(1) << LEAT_F16 | UINT64_C(1) << LEAT_BF16 |
                      UINT64_C(1) << LEAT_I8 | UINT64_C(1) << LEAT_U8 | UINT64_C(1) << LEAT_I32;
  return LEAT_OK;
}

static leat_status host_device_open(leat_b_instance *self, int64_t index, leat_b_device **out, leat_error *err) {
  if (index != 0) return lt_fail(err, LEAT_E_NOT_FOUND, "there is one device, 0; %lld is asked for", (long long)index);
  *out = &self->device;
  return LEAT_OK;
}

static void host_device_close(leat_b_device *dev) { (void)dev; }

/* Numbers of backend.h that are 0 today. */
static leat_status unknown_number(leat_error *err, const char *what, uint64_t v) {
  return lt_fail(err, LEAT_E_UNSUPPORTED, "the %s %llu is not known here; 0 is", what, (unsigned long long)v);
}

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
  if (kind != 0) return unknown_number(err, "kind of buffer", (uint64_t)kind);
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
  *ptr = NULL;
  if (mode != 0) return unknown_number(err, "mode of a map", (uint64_t)mode);
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
  if (flags != 0) return unknown_number(err, "flags of a queue", flags);
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

/* The kernel for an op of these shapes; NULL with an error when it is none that leat knows, or is wrong in itself. */
static leat_b_kernel *find_kernel(leat_b_instance *self, const leat_b_op *op, leat_error *err) {
  const lt_op_def *def = lt_op_find(op->name);
  lt_op_args a;
  if (op->flags) {
    unknown_number(err, "flags of an op", op->flags);
    return NULL;
  }
  if (!def) {
    lt_fail(err, LEAT_E_UNSUPPORTED, "there is no op %s", op->name);
    return NULL;
  }
  if (lt_op_take(def, op, &a, err)) return NULL;
  int64_t at = def - lt_op_at(0);
  leat_b_kernel *own = &self->own[at];
  return own->run && (!own->accept || own->accept(&a)) ? own : &self->plain[at];
}

static leat_status host_op_score(leat_b_device *dev, const leat_b_op *op, int64_t *score, leat_error *err) {
  leat_b_kernel *k = find_kernel(dev->self, op, NULL);
  (void)err;
  *score = !k ? 0 : k->own ? 100 : 10;
  return LEAT_OK;
}

static leat_status host_op_prepare(leat_b_device *dev, const leat_b_op *op, leat_b_kernel **out, leat_error *err) {
  leat_error said = {.struct_size = sizeof said};
  *out = find_kernel(dev->self, op, &said);
  return *out ? LEAT_OK : lt_fail(err, said.code, "%s", said.message);
}

/* Where the array lies, inside its buffer. An empty one lies somewhere, so that kernels need not ask. */
static leat_status bind(const leat_b_tensor *t, lt_view *v, leat_error *err) {
  static const _Alignas(64) char nothing[64];
  v->data = nothing;
  if (v->high == 0) return LEAT_OK;
  const leat_b_buffer *b = t->buffer;
  if (!b || t->offset > b->size || v->low < -(int64_t)t->offset || (uint64_t)v->high > b->size - t->offset)
    return lt_fail(err, LEAT_E_RANGE, "%s reaches outside its buffer of %llu bytes", v->name,
                   (unsigned long long)(b ? b->size : 0));
  v->data = b->data + t->offset;
  if ((uintptr_t)v->data % (uint64_t)v->size)
    return lt_fail(err, LEAT_E_RANGE, "%s does not lie at a multiple of its element's %lld bytes", v->name,
                   (long long)v->size);
  return LEAT_OK;
}

static leat_status host_op_enqueue(leat_b_queue *q, leat_b_kernel *k, const leat_b_op *op, leat_b_event *const *wait,
                                   int64_t n_wait, leat_b_event **done, leat_error *err) {
  lt_op_args a; /* its views are filled as far as the op has tensors */
  (void)wait, (void)n_wait;
  if (done) *done = NULL;
  if (op->name != k->def->name && strcmp(op->name, k->def->name))
    return lt_fail(err, LEAT_E_ARG, "the op is %s, the kernel was prepared for %s", op->name, k->def->name);
  leat_status st = lt_op_take(k->def, op, &a, err);
  for (int64_t i = 0; i < op->n_in && !st; i++) st = bind(&op->in[i], &a.in[i], err);
  for (int64_t i = 0; i < op->n_out && !st; i++) st = bind(&op->out[i], &a.out[i], err);
  if (!st && !lt_op_empty(&a)) st = k->run(q->device->self, &a, err);
  if (!st && done) *done = &event_over;
  return st;
}

static void host_op_free(leat_b_kernel *k) { (void)k; }

static lt_host_op list_find(const lt_host_op_entry *list, const char *name, const lt_host_op_entry **entry) {
  for (; list->name; list++)
    if (!strcmp(list->name, name)) {
      *entry = list;
      return list->run;
    }
  *entry = NULL;
  return NULL;
}

/* Every op has a kernel for the life of the device: preparing one costs nothing. */
static void fill_kernels(leat_b_instance *self) {
  const lt_host_op_entry *entry;
  for (int64_t i = 0; i < LT_OP_COUNT; i++) {
    const lt_op_def *def = lt_op_at(i);
    self->own[i] = (leat_b_kernel){def, list_find(self->ops->entries, def->name, &entry), NULL, 1};
    if (entry) self->own[i].accept = entry->accept;
    self->plain[i] = (leat_b_kernel){def, list_find(lt_reference_ops, def->name, &entry), NULL, 0};
  }
}

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
  fill_kernels(self);
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
