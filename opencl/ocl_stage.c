/* Copies from the host into a device. The caller's bytes are taken before the call returns, so it may reuse its memory at
 * once, and the copy still goes on behind it: from a ring of blocks of our own. */
#include <string.h>

#include "ocl.h"

enum { STAGE_LARGEST = 16 << 20 }; /* above, the copy is waited for: two copies of much memory are dearer */

static leat_status stage_wait(leat_b_queue *q, ocl_stage *s, leat_error *err) {
  if (!s->busy) return LEAT_OK;
  clFlush(q->queue);
  cl_int code = clWaitForEvents(1, &s->busy);
  clReleaseEvent(s->busy);
  s->busy = NULL;
  return code == CL_SUCCESS ? LEAT_OK : ocl_fail_cl(err, code, "clWaitForEvents");
}

static leat_status stage_grow(leat_b_queue *q, ocl_stage *s, uint64_t size, leat_error *err) {
  const leat_b_host *host = q->device->self->host;
  if (s->size >= size) return LEAT_OK;
  if (s->bytes) host->release(host->ctx, s->bytes, s->size, 64);
  s->size = 0;
  s->bytes = host->alloc(host->ctx, size, 64);
  if (!s->bytes) return ocl_fail(err, LEAT_E_MEMORY, "no memory for a copy of %llu bytes", (unsigned long long)size);
  s->size = size;
  return LEAT_OK;
}

leat_status ocl_stage_write(leat_b_queue *q, const leat_b_copy *copy, cl_uint n_wait, const cl_event *wait,
                            cl_event *done, leat_error *err) {
  cl_event event = NULL;
  cl_int code;
  if (copy->size > STAGE_LARGEST) {
    code = clEnqueueWriteBuffer(q->queue, copy->dst->mem, CL_TRUE, copy->dst_offset, copy->size, copy->host, n_wait, wait,
                                done);
    return code == CL_SUCCESS ? LEAT_OK : ocl_fail_cl(err, code, "clEnqueueWriteBuffer");
  }
  ocl_stage *s = &q->stage[q->next_stage];
  q->next_stage = (q->next_stage + 1) % OCL_STAGES;
  leat_status st = stage_wait(q, s, err);
  if (!st) st = stage_grow(q, s, copy->size, err);
  if (st) return st;
  memcpy(s->bytes, copy->host, copy->size);
  code = clEnqueueWriteBuffer(q->queue, copy->dst->mem, CL_FALSE, copy->dst_offset, copy->size, s->bytes, n_wait, wait,
                              &event);
  if (code != CL_SUCCESS) return ocl_fail_cl(err, code, "clEnqueueWriteBuffer");
  s->busy = event;
  if (done) {
    clRetainEvent(event);
    *done = event;
  }
  return LEAT_OK;
}

/* The queue is finished. */
void ocl_stage_free(leat_b_queue *q) {
  const leat_b_host *host = q->device->self->host;
  for (int i = 0; i < OCL_STAGES; i++) {
    if (q->stage[i].busy) clReleaseEvent(q->stage[i].busy);
    if (q->stage[i].bytes) host->release(host->ctx, q->stage[i].bytes, q->stage[i].size, 64);
  }
}
