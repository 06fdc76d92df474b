/* Devices, buffers, queues, copies, events. */
#include <string.h>
#include <threads.h>
#include <time.h>

#include "ocl_board.h"

leat_status ocl_device_open(leat_b_instance *self, int64_t index, leat_b_device **out, leat_error *err) {
  const leat_b_host *host = self->host;
  if (index < 0 || index >= self->n_slots) return ocl_fail(err, LEAT_E_NOT_FOUND, "there is no such device");
  const ocl_slot *slot = &self->slots[index];
  if (slot->why[0]) return ocl_fail(err, LEAT_E_DEVICE, "%s", slot->why);
  leat_b_device *dev = ocl_zalloc(host, sizeof *dev);
  if (!dev) return ocl_fail(err, LEAT_E_MEMORY, "no memory for a device");
  cl_int code;
  const cl_context_properties props[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)slot->platform, 0};
  dev->self = self;
  dev->slot = slot;
  dev->context = clCreateContext(props, 1, &slot->id, NULL, NULL, &code);
  if (code != CL_SUCCESS) {
    ocl_release(host, dev, sizeof *dev);
    return ocl_fail_cl(err, code, "clCreateContext");
  }
  leat_status st = slot->board ? ocl_board_open(dev, err) : LEAT_OK;
  if (st) ocl_device_close(dev);
  else *out = dev;
  return st;
}

void ocl_device_close(leat_b_device *dev) {
  if (!dev) return;
  const leat_b_host *host = dev->self->host;
  ocl_board_close(dev);
  ocl_programs_free(dev);
  clReleaseContext(dev->context);
  ocl_release(host, dev, sizeof *dev);
}

/* ---- buffers */
static leat_status buffer_make(leat_b_device *dev, cl_mem_flags flags, uint64_t size, void *host_memory,
                               leat_b_buffer **out, leat_error *err) {
  const leat_b_host *host = dev->self->host;
  cl_int code;
  leat_b_buffer *b = ocl_zalloc(host, sizeof *b);
  if (!b) return ocl_fail(err, LEAT_E_MEMORY, "no memory for a buffer");
  b->device = dev;
  b->size = size;
  b->mem = clCreateBuffer(dev->context, flags, size ? size : 1, host_memory, &code);
  if (code != CL_SUCCESS) {
    ocl_release(host, b, sizeof *b);
    if (code == CL_OUT_OF_RESOURCES) code = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    ocl_fail_cl(err, code, "clCreateBuffer");
    return err->code;
  }
  *out = b;
  return LEAT_OK;
}

/* A board's: host memory. */
static leat_status buffer_host(leat_b_device *dev, uint64_t size, void *wrapped, leat_b_buffer **out, leat_error *err) {
  const leat_b_host *host = dev->self->host;
  leat_b_buffer *b = ocl_zalloc(host, sizeof *b);
  if (!b) return ocl_fail(err, LEAT_E_MEMORY, "no memory for a buffer");
  b->device = dev;
  b->size = size;
  b->align = wrapped ? 0 : BOARD_ALIGN;
  b->host = wrapped ? wrapped : host->alloc(host->ctx, size ? size : 1, BOARD_ALIGN);
  if (!b->host) {
    ocl_release(host, b, sizeof *b);
    return ocl_fail(err, LEAT_E_MEMORY, "no memory for a buffer of %llu bytes", (unsigned long long)size);
  }
  *out = b;
  return LEAT_OK;
}

leat_status ocl_buffer_alloc(leat_b_device *dev, int64_t kind, uint64_t size, uint64_t align, leat_b_buffer **out,
                             leat_error *err) {
  const ocl_slot *s = dev->slot;
  if (kind) return ocl_fail(err, LEAT_E_UNSUPPORTED, "this device has no buffers of kind %lld", (long long)kind);
  if (align > s->base_align && align > 1)
    return ocl_fail(err, LEAT_E_UNSUPPORTED, "an alignment of %llu is asked for, the device gives %u",
                    (unsigned long long)align, (unsigned)s->base_align);
  if (s->props.max_alloc > 0 && size > (uint64_t)s->props.max_alloc)
    return ocl_fail(err, LEAT_E_MEMORY, "a buffer of %llu bytes is asked for, the device gives %lld at most",
                    (unsigned long long)size, (long long)s->props.max_alloc);
  return dev->board ? buffer_host(dev, size, NULL, out, err) : buffer_make(dev, CL_MEM_READ_WRITE, size, NULL, out, err);
}

leat_status ocl_buffer_wrap(leat_b_device *dev, void *host, uint64_t size, leat_b_buffer **out, leat_error *err) {
  const ocl_slot *s = dev->slot;
  if (dev->board && size) return buffer_host(dev, size, host, out, err);
  /* Host memory is worth wrapping only where nothing is copied: a device in the same memory, on its own terms. */
  if (!s->unified || s->props.kind != LEAT_CPU || size == 0 || (uintptr_t)host % (s->base_align ? s->base_align : 1) ||
      (s->props.max_alloc > 0 && size > (uint64_t)s->props.max_alloc))
    return ocl_fail(err, LEAT_E_UNSUPPORTED, "the device does not take this memory as it is");
  return buffer_make(dev, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, size, host, out, err);
}

void ocl_buffer_free(leat_b_buffer *b) {
  if (!b) return;
  const leat_b_host *host = b->device->self->host;
  if (b->map_queue) {
    clFinish(b->map_queue);
    clReleaseCommandQueue(b->map_queue);
  }
  if (b->mem) clReleaseMemObject(b->mem);
  if (b->host && b->align) host->release(host->ctx, b->host, b->size ? b->size : 1, b->align);
  ocl_release(host, b, sizeof *b);
}

/* mode: 0 read and write (the only one that interface 1.0 knows). The caller has finished the queues that write here. */
leat_status ocl_buffer_map(leat_b_buffer *b, uint64_t off, uint64_t size, int64_t mode, void **ptr, leat_error *err) {
  cl_int code;
  *ptr = NULL;
  if (mode) return ocl_fail(err, LEAT_E_UNSUPPORTED, "maps of mode %lld are not known", (long long)mode);
  if (off > b->size || size > b->size - off)
    return ocl_fail(err, LEAT_E_RANGE, "a map of %llu bytes at %llu is outside a buffer of %llu",
                    (unsigned long long)size, (unsigned long long)off, (unsigned long long)b->size);
  if (b->host) {
    *ptr = (char *)b->host + off;
    return LEAT_OK;
  }
  if (!b->map_queue) {
    b->map_queue = clCreateCommandQueue(b->device->context, b->device->slot->id, 0, &code);
    if (code != CL_SUCCESS) {
      b->map_queue = NULL;
      return ocl_fail_cl(err, code, "clCreateCommandQueue");
    }
  }
  *ptr = clEnqueueMapBuffer(b->map_queue, b->mem, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, off, size ? size : 1, 0, NULL,
                            NULL, &code);
  if (code == CL_SUCCESS) return LEAT_OK;
  *ptr = NULL;
  return ocl_fail_cl(err, code, "clEnqueueMapBuffer");
}

leat_status ocl_buffer_unmap(leat_b_buffer *b, void *ptr, leat_error *err) {
  if (b->host) return LEAT_OK;
  if (!b->map_queue) return ocl_fail(err, LEAT_E_STATE, "the buffer is not mapped");
  cl_int code = clEnqueueUnmapMemObject(b->map_queue, b->mem, ptr, 0, NULL, NULL);
  if (code == CL_SUCCESS) code = clFinish(b->map_queue);
  return code == CL_SUCCESS ? LEAT_OK : ocl_fail_cl(err, code, "clEnqueueUnmapMemObject");
}

/* ---- queues */
leat_status ocl_queue_create(leat_b_device *dev, uint64_t flags, leat_b_queue **out, leat_error *err) {
  const leat_b_host *host = dev->self->host;
  cl_int code;
  if (flags) return ocl_fail(err, LEAT_E_UNSUPPORTED, "queues of flags %llu are not known", (unsigned long long)flags);
  leat_b_queue *q = ocl_zalloc(host, sizeof *q);
  if (!q) return ocl_fail(err, LEAT_E_MEMORY, "no memory for a queue");
  q->device = dev;
  q->queue = clCreateCommandQueue(dev->context, dev->slot->id, 0, &code);
  if (code != CL_SUCCESS) {
    ocl_release(host, q, sizeof *q);
    return ocl_fail_cl(err, code, "clCreateCommandQueue");
  }
  *out = q;
  return LEAT_OK;
}

void ocl_queue_free(leat_b_queue *q) {
  if (!q) return;
  const leat_b_host *host = q->device->self->host;
  clFinish(q->queue);
  ocl_stage_free(q);
  for (int i = 0; i < OCL_SCRATCH; i++)
    if (q->scratch[i]) clReleaseMemObject(q->scratch[i]);
  clReleaseCommandQueue(q->queue);
  ocl_release(host, q, sizeof *q);
}

/* At least `size` bytes that live until the queue's next op. A block that is replaced is kept by OpenCL for as long as
 * enqueued kernels use it. */
leat_status ocl_queue_scratch(leat_b_queue *q, int which, uint64_t size, cl_mem *out, leat_error *err) {
  cl_int code;
  if (q->scratch_size[which] < size) {
    cl_mem mem = clCreateBuffer(q->device->context, CL_MEM_READ_WRITE, size, NULL, &code);
    if (code != CL_SUCCESS) {
      if (code == CL_OUT_OF_RESOURCES) code = CL_MEM_OBJECT_ALLOCATION_FAILURE;
      return ocl_fail_cl(err, code, "clCreateBuffer");
    }
    if (q->scratch[which]) clReleaseMemObject(q->scratch[which]);
    q->scratch[which] = mem;
    q->scratch_size[which] = size;
  }
  *out = q->scratch[which];
  return LEAT_OK;
}

static int outside(const leat_b_buffer *b, uint64_t offset, uint64_t size) {
  return b && (offset > b->size || size > b->size - offset);
}

leat_status ocl_waits(leat_b_event *const *wait, int64_t n_wait, cl_event list[OCL_WAITS], leat_error *err) {
  if (n_wait < 0 || n_wait > OCL_WAITS)
    return ocl_fail(err, LEAT_E_RANGE, "%lld events to wait for; %d are the most", (long long)n_wait, OCL_WAITS);
  for (int64_t i = 0; i < n_wait; i++) list[i] = wait[i]->event;
  return LEAT_OK;
}

leat_status ocl_event_make(leat_b_device *dev, cl_event event, leat_b_event **out, leat_error *err) {
  leat_b_event *e = ocl_zalloc(dev->self->host, sizeof *e);
  if (!e) {
    if (event) clReleaseEvent(event);
    return ocl_fail(err, LEAT_E_MEMORY, "no memory for an event");
  }
  e->device = dev;
  e->event = event;
  *out = e;
  return LEAT_OK;
}

/* Without waiting: what is read must not be looked at before the queue, or the event, is finished. */
leat_status ocl_queue_copy(leat_b_queue *q, const leat_b_copy *copy, leat_b_event **done, leat_error *err) {
  cl_event list[OCL_WAITS], event = NULL;
  cl_int code = CL_SUCCESS;
  const char *call = "";
  if (!copy->dst && !copy->src) return ocl_fail(err, LEAT_E_ARG, "a copy needs a buffer at one end");
  if ((!copy->dst || !copy->src) && !copy->host && copy->size) return ocl_fail(err, LEAT_E_ARG, "a copy lacks one of its ends");
  if (outside(copy->dst, copy->dst_offset, copy->size) || outside(copy->src, copy->src_offset, copy->size))
    return ocl_fail(err, LEAT_E_RANGE, "a copy of %llu bytes reaches outside a buffer", (unsigned long long)copy->size);
  leat_status st = ocl_waits(copy->wait, copy->n_wait, list, err);
  if (st) return st;
  if (q->device->board) {
    char *to = copy->dst ? (char *)copy->dst->host + copy->dst_offset : copy->host;
    const char *from = copy->src ? (const char *)copy->src->host + copy->src_offset : copy->host;
    if (copy->size) memmove(to, from, copy->size);
    return done ? ocl_event_make(q->device, NULL, done, err) : LEAT_OK;
  }
  cl_uint n = (cl_uint)copy->n_wait;
  const cl_event *wait = n ? list : NULL;
  cl_event *want = done ? &event : NULL;
  if (copy->size == 0) {
    call = "clEnqueueMarkerWithWaitList";
    if (done || n) code = clEnqueueMarkerWithWaitList(q->queue, n, wait, want);
  } else if (copy->dst && copy->src) {
    call = "clEnqueueCopyBuffer";
    code = clEnqueueCopyBuffer(q->queue, copy->src->mem, copy->dst->mem, copy->src_offset, copy->dst_offset, copy->size,
                               n, wait, want);
  } else if (copy->dst) {
    st = ocl_stage_write(q, copy, n, wait, want, err);
    if (st) return st;
  } else {
    call = "clEnqueueReadBuffer";
    code = clEnqueueReadBuffer(q->queue, copy->src->mem, CL_FALSE, copy->src_offset, copy->size, copy->host, n, wait,
                               want);
  }
  if (code != CL_SUCCESS) return ocl_fail_cl(err, code, call);
  return done ? ocl_event_make(q->device, event, done, err) : LEAT_OK;
}

leat_status ocl_queue_finish(leat_b_queue *q, leat_error *err) {
  cl_int code = clFinish(q->queue);
  return code == CL_SUCCESS ? LEAT_OK : ocl_fail_cl(err, code, "clFinish");
}

/* ---- events */
static leat_status event_state(leat_b_event *e, int *over, leat_error *err) {
  cl_int state = 0;
  cl_int code = clGetEventInfo(e->event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
  *over = code == CL_SUCCESS && state <= CL_COMPLETE;
  if (code != CL_SUCCESS) return ocl_fail_cl(err, code, "clGetEventInfo");
  return state < 0 ? ocl_fail_cl(err, state, "the event's command") : LEAT_OK;
}

/* timeout_ns below 0: for ever. Else it looks again and again, sleeping between: OpenCL has no wait with a limit. */
leat_status ocl_event_wait(leat_b_event *e, int64_t timeout_ns, leat_error *err) {
  int over = 0;
  if (!e->event) return LEAT_OK; /* of a board: what was asked for is done when the call returns */
  if (timeout_ns < 0) {
    cl_int code = clWaitForEvents(1, &e->event);
    return code == CL_SUCCESS ? LEAT_OK : ocl_fail_cl(err, code, "clWaitForEvents");
  }
  int64_t waited = 0;
  for (int64_t nap = 20000;; nap = nap < 1000000 ? nap * 2 : nap) {
    leat_status st = event_state(e, &over, err);
    if (st || over) return st;
    if (waited >= timeout_ns) return ocl_fail(err, LEAT_E_BUSY, "the event is not over after %lld ns", (long long)waited);
    if (nap > timeout_ns - waited) nap = timeout_ns - waited;
    struct timespec t = {nap / 1000000000, nap % 1000000000};
    thrd_sleep(&t, NULL);
    waited += nap;
  }
}

void ocl_event_free(leat_b_event *e) {
  if (!e) return;
  const leat_b_host *host = e->device->self->host;
  if (e->event) clReleaseEvent(e->event);
  ocl_release(host, e, sizeof *e);
}
