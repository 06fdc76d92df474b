/* Dense layers on a board: the kernels of an image (opencl/fpga/dense.cl) behind "gemm" and "gemm_q8". Buffers of such a
 * device are host memory; each op carries its operands to the board's own buffers, which are arguments of their kernels
 * before the first byte goes there. Weights that have been there before are found by a checksum and not carried again. */
#include <stdio.h>
#include <string.h>

#include "ocl_board.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static const char *const type_names[BOARD_TYPES] = {"f32", "i8"};
static const char *const kernel_names[BOARD_KERNELS] = {"feed", "mac", "drain"};

static int64_t padded(int64_t n) { return (n + BOARD_LANES - 1) / BOARD_LANES * BOARD_LANES; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* ---- loading */
/* The bytes of the image, checked before a driver sees them. The caller releases *size bytes. */
static leat_status image_read(const leat_b_host *host, const ocl_manifest *m, void **bytes, uint64_t *size,
                              leat_error *err) {
  char sum[65];
  uint64_t again = 0;
  *bytes = NULL;
  leat_status st = host->cache_get(host->ctx, m->image, NULL, 0, size);
  if ((st && st != LEAT_E_CAPACITY) || *size == 0)
    return ocl_fail(err, LEAT_E_NOT_FOUND, "the image opencl-%s is not in the cache folder", m->image);
  *bytes = ocl_zalloc(host, *size);
  if (!*bytes) return ocl_fail(err, LEAT_E_MEMORY, "no memory for an image of %llu bytes", (unsigned long long)*size);
  st = host->cache_get(host->ctx, m->image, *bytes, *size, &again);
  if (st || again != *size) {
    st = ocl_fail(err, LEAT_E_IO, "the image opencl-%s cannot be read", m->image);
  } else {
    ocl_sha256(*bytes, *size, sum);
    if (strcmp(sum, m->sha256))
      st = ocl_fail(err, LEAT_E_FORMAT, "the image opencl-%s is damaged or another one: its sha256 is %s, the manifest says "
                    "%s", m->image, sum, m->sha256);
  }
  if (st) {
    ocl_release(host, *bytes, *size);
    *bytes = NULL;
  }
  return st;
}

static leat_status image_load(leat_b_device *dev, ocl_board *b, leat_error *err) {
  const leat_b_host *host = dev->self->host;
  void *bytes;
  uint64_t size;
  cl_int code, state = CL_SUCCESS;
  leat_status st = image_read(host, &b->manifest, &bytes, &size, err);
  if (st) return st;
  size_t length = size;
  const unsigned char *binary = bytes;
  b->program = clCreateProgramWithBinary(dev->context, 1, &dev->slot->id, &length, &binary, &state, &code);
  ocl_release(host, bytes, size);
  if (code == CL_OUT_OF_RESOURCES)
    return ocl_fail(err, LEAT_E_DEVICE, "the board holds another image, or another process has it (CL_OUT_OF_RESOURCES)");
  if (code == CL_SUCCESS) code = state;
  if (code != CL_SUCCESS) return ocl_fail_cl(err, code, "clCreateProgramWithBinary");
  code = clBuildProgram(b->program, 1, &dev->slot->id, "", NULL, NULL);
  return code == CL_SUCCESS ? LEAT_OK : ocl_fail_cl(err, code, "clBuildProgram");
}

static leat_status kernels_make(leat_b_device *dev, ocl_board *b, leat_error *err) {
  char name[48];
  cl_int code;
  for (int t = 0; t < BOARD_TYPES; t++)
    for (int i = 0; i < BOARD_KERNELS && b->manifest.most[t][0]; i++) {
      snprintf(name, sizeof name, "dense_%s_%s", type_names[t], kernel_names[i]);
      b->kernel[t][i] = clCreateKernel(b->program, name, &code);
      if (code != CL_SUCCESS)
        return ocl_fail(err, LEAT_E_BACKEND, "the image %s has no kernel %s, which its manifest promises (%s)",
                        b->manifest.image, name, ocl_code_name(code));
      b->queue[t][i] = clCreateCommandQueue(dev->context, dev->slot->id, 0, &code);
      if (code != CL_SUCCESS) return ocl_fail_cl(err, code, "clCreateCommandQueue");
    }
  return LEAT_OK;
}

static leat_status device_memory(leat_b_device *dev, uint64_t size, cl_mem *mem, leat_error *err) {
  cl_int code;
  *mem = clCreateBuffer(dev->context, CL_MEM_READ_WRITE, size, NULL, &code);
  if (code == CL_SUCCESS) return LEAT_OK;
  *mem = NULL;
  return ocl_fail_cl(err, code == CL_OUT_OF_RESOURCES ? CL_MEM_OBJECT_ALLOCATION_FAILURE : code, "clCreateBuffer");
}

static leat_status host_memory(leat_b_device *dev, uint64_t size, void **p, leat_error *err) {
  const leat_b_host *host = dev->self->host;
  *p = host->alloc(host->ctx, size, BOARD_ALIGN);
  return *p ? LEAT_OK : ocl_fail(err, LEAT_E_MEMORY, "no memory for a board's transfers");
}

/* Buffers for the largest shapes of both types. */
static leat_status memory_make(leat_b_device *dev, ocl_board *b, leat_error *err) {
  int64_t most[3], all = 0;
  for (int d = 0; d < 3; d++) most[d] = larger(b->manifest.most[0][d], b->manifest.most[1][d]);
  most[1] = padded(most[1]);
  for (int t = 0; t < BOARD_TYPES; t++)
    all = larger(all, b->manifest.most[t][0] * padded(b->manifest.most[t][1]) / BOARD_LANES * b->manifest.most[t][2]);
  b->size_a = (uint64_t)(most[0] * most[2]) * 4;
  b->size_c = (uint64_t)(most[0] * most[1]) * 4;
  b->size_w = (uint64_t)(most[1] * most[2]) * 4;
  b->size_n = (uint64_t)most[1] * 4;
  leat_status st = device_memory(dev, b->size_a, &b->a, err);
  if (!st) st = device_memory(dev, b->size_c, &b->c, err);
  if (!st) st = device_memory(dev, b->size_n, &b->scale, err);
  if (!st) st = device_memory(dev, b->size_n, &b->bias, err);
  if (!st && !b->manifest.channels) st = device_memory(dev, (uint64_t)all * 4, &b->fifo_a, err);
  if (!st && !b->manifest.channels) st = device_memory(dev, (uint64_t)all * 4 * BOARD_LANES, &b->fifo_w, err);
  if (!st && !b->manifest.channels) st = device_memory(dev, b->size_c, &b->fifo_sum, err);
  if (!st) st = host_memory(dev, b->size_a, &b->host_a, err);
  if (!st) st = host_memory(dev, b->size_c, &b->host_c, err);
  if (!st) st = host_memory(dev, b->size_w, &b->host_w, err);
  if (!st) st = host_memory(dev, b->size_n, &b->host_scale, err);
  if (!st) st = host_memory(dev, b->size_n, &b->host_bias, err);
  return st;
}

leat_status ocl_board_open(leat_b_device *dev, leat_error *err) {
  ocl_board *b = ocl_zalloc(dev->self->host, sizeof *b);
  if (!b) return ocl_fail(err, LEAT_E_MEMORY, "no memory for a board");
  dev->board = b;
  leat_status st = ocl_manifest_find(dev->self->host, dev->slot, &b->manifest, err);
  if (!st) st = image_load(dev, b, err);
  if (!st) st = kernels_make(dev, b, err);
  if (!st) st = memory_make(dev, b, err);
  return st; /* on failure the caller closes it */
}

void ocl_board_close(leat_b_device *dev) {
  const leat_b_host *host = dev->self->host;
  ocl_board *b = dev->board;
  if (!b) return;
  cl_mem mems[] = {b->a, b->c, b->scale, b->bias, b->fifo_a, b->fifo_w, b->fifo_sum};
  void *blocks[] = {b->host_a, b->host_c, b->host_w, b->host_scale, b->host_bias};
  uint64_t sizes[] = {b->size_a, b->size_c, b->size_w, b->size_n, b->size_n};
  for (int t = 0; t < BOARD_TYPES; t++) {
    for (int i = 0; i < BOARD_KERNELS; i++) {
      if (b->queue[t][i]) {
        clFinish(b->queue[t][i]);
        clReleaseCommandQueue(b->queue[t][i]);
      }
      if (b->kernel[t][i]) clReleaseKernel(b->kernel[t][i]);
    }
    for (int i = 0; i < BOARD_WEIGHTS; i++)
      if (b->weights[t][i].mem) clReleaseMemObject(b->weights[t][i].mem);
  }
  for (size_t i = 0; i < sizeof mems / sizeof *mems; i++)
    if (mems[i]) clReleaseMemObject(mems[i]);
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
    if (blocks[i]) host->release(host->ctx, blocks[i], sizes[i], BOARD_ALIGN);
  if (b->program) clReleaseProgram(b->program);
  ocl_release(host, b, sizeof *b);
  dev->board = NULL;
}

/* ---- ops */
/* A dense layer as the op has it, its tensors in host memory. */
typedef struct layer {
  int type, act;
  int64_t m, n, k;
  const leat_b_tensor *a, *w, *scale, *bias, *c;
} layer;

static layer layer_of(const leat_b_op *op) {
  int i8 = !strcmp(op->name, "gemm_q8");
  layer l = {i8 ? BOARD_I8 : BOARD_F32, (int)ocl_i(op, 0, 0), op->out->shape[0], op->out->shape[1], op->in->shape[1],
             op->in, op->in + 1, i8 ? op->in + 2 : NULL, i8 ? op->in + 3 : op->n_in > 2 ? op->in + 2 : NULL, op->out};
  return l;
}

int ocl_board_can(const leat_b_device *dev, const leat_b_op *op) {
  if (strcmp(op->name, "gemm") && strcmp(op->name, "gemm_q8")) return 0;
  layer l = layer_of(op);
  const int64_t *most = dev->board->manifest.most[l.type];
  /* more rows than the image takes are several calls */
  return most[0] > 0 && l.n > 0 && l.k > 0 && l.n <= most[1] && l.k <= most[2];
}

static const void *at(const leat_b_tensor *t, int64_t i, int64_t j) {
  int64_t e = i * t->stride[0] + (t->rank > 1 ? j * t->stride[1] : 0);
  return (const char *)t->buffer->host + t->offset + e * ocl_size(t->dtype);
}
static float number(const leat_b_tensor *t, int64_t i, int64_t j) {
  float v;
  memcpy(&v, at(t, i, j), sizeof v);
  return v;
}

/* The weights as the kernels read them: [k, padded n], columns behind n zero. */
static uint64_t weights_lay(const ocl_board *b, const layer *l) {
  int64_t n = padded(l->n);
  if (l->type == BOARD_F32) {
    float *to = b->host_w;
    for (int64_t p = 0; p < l->k; p++)
      for (int64_t j = 0; j < n; j++) to[p * n + j] = j < l->n ? number(l->w, p, j) : 0;
    return (uint64_t)(l->k * n) * 4;
  }
  int8_t *to = b->host_w;
  for (int64_t p = 0; p < l->k; p++)
    for (int64_t j = 0; j < n; j++) to[p * n + j] = j < l->n ? *(const int8_t *)at(l->w, j, p) : 0;
  return (uint64_t)(l->k * n);
}

static void set(cl_int *code, cl_kernel k, cl_uint i, size_t size, const void *value) {
  if (*code == CL_SUCCESS) *code = clSetKernelArg(k, i, size, value);
}

/* The weights' buffer as argument of feed, then, when they are new, their transfer. */
static leat_status weights_bring(leat_b_device *dev, const layer *l, leat_error *err) {
  ocl_board *b = dev->board;
  board_weights *all = b->weights[l->type], *w = all;
  uint64_t size = weights_lay(b, l);
  XXH128_hash_t h = XXH3_128bits_withSeed(b->host_w, size, (XXH64_hash_t)(l->n << 32 | l->k));
  int known = 0;
  for (int i = 0; i < BOARD_WEIGHTS && !known; i++) {
    known = all[i].mem && all[i].low == h.low64 && all[i].high == h.high64;
    if (known || all[i].used < w->used) w = &all[i];
  }
  if (!known && !w->mem) {
    leat_status st = device_memory(dev, b->size_w, &w->mem, err);
    if (st) return st;
  }
  w->used = ++b->clock;
  cl_int code = clSetKernelArg(b->kernel[l->type][BOARD_FEED], 1, sizeof w->mem, &w->mem);
  if (code == CL_SUCCESS && !known) {
    w->low = w->high = 0;
    code = clEnqueueWriteBuffer(b->queue[l->type][BOARD_FEED], w->mem, CL_FALSE, 0, size, b->host_w, 0, NULL, NULL);
    if (code == CL_SUCCESS) w->low = h.low64, w->high = h.high64;
  }
  return code == CL_SUCCESS ? LEAT_OK : ocl_fail_cl(err, code, "carrying weights to the board");
}

/* All arguments but the weights, before any transfer: a board's driver may place buffers by them. */
static leat_status arguments(const ocl_board *b, const layer *l, int64_t rows, leat_error *err) {
  const cl_kernel *k = b->kernel[l->type];
  cl_int code = CL_SUCCESS, m = (cl_int)rows, n = (cl_int)padded(l->n), depth = (cl_int)l->k, f = l->act;
  set(&code, k[BOARD_FEED], 0, sizeof b->a, &b->a);
  set(&code, k[BOARD_FEED], 2, sizeof m, &m);
  set(&code, k[BOARD_FEED], 3, sizeof n, &n);
  set(&code, k[BOARD_FEED], 4, sizeof depth, &depth);
  set(&code, k[BOARD_MAC], 0, sizeof m, &m);
  set(&code, k[BOARD_MAC], 1, sizeof n, &n);
  set(&code, k[BOARD_MAC], 2, sizeof depth, &depth);
  set(&code, k[BOARD_DRAIN], 0, sizeof b->scale, &b->scale);
  set(&code, k[BOARD_DRAIN], 1, sizeof b->bias, &b->bias);
  set(&code, k[BOARD_DRAIN], 2, sizeof b->c, &b->c);
  set(&code, k[BOARD_DRAIN], 3, sizeof m, &m);
  set(&code, k[BOARD_DRAIN], 4, sizeof n, &n);
  set(&code, k[BOARD_DRAIN], 5, sizeof f, &f);
  if (!b->manifest.channels) {
    set(&code, k[BOARD_FEED], 5, sizeof b->fifo_a, &b->fifo_a);
    set(&code, k[BOARD_FEED], 6, sizeof b->fifo_w, &b->fifo_w);
    set(&code, k[BOARD_MAC], 3, sizeof b->fifo_a, &b->fifo_a);
    set(&code, k[BOARD_MAC], 4, sizeof b->fifo_w, &b->fifo_w);
    set(&code, k[BOARD_MAC], 5, sizeof b->fifo_sum, &b->fifo_sum);
    set(&code, k[BOARD_DRAIN], 6, sizeof b->fifo_sum, &b->fifo_sum);
  }
  return code == CL_SUCCESS ? LEAT_OK : ocl_fail_cl(err, code, "clSetKernelArg");
}

/* All kernels are enqueued before any is waited for: joined by channels, none ends without the others. */
static leat_status launch(const ocl_board *b, int type, leat_error *err) {
  cl_event done[BOARD_KERNELS] = {NULL};
  cl_int code = CL_SUCCESS;
  for (int i = 0; i < BOARD_KERNELS && code == CL_SUCCESS; i++) {
    cl_uint n_wait = i > 0 && !b->manifest.channels;
    code = clEnqueueTask(b->queue[type][i], b->kernel[type][i], n_wait, n_wait ? &done[i - 1] : NULL, &done[i]);
    if (code == CL_SUCCESS) clFlush(b->queue[type][i]);
  }
  for (int i = 0; i < BOARD_KERNELS; i++) {
    /* what was enqueued must be over before anything is tried again */
    if (!done[i]) continue;
    cl_int over = code == CL_SUCCESS || !b->manifest.channels ? clWaitForEvents(1, &done[i]) : CL_SUCCESS;
    if (code == CL_SUCCESS) code = over;
    clReleaseEvent(done[i]);
  }
  return code == CL_SUCCESS ? LEAT_OK : ocl_fail_cl(err, code, "a kernel of the board");
}

static leat_status rows_run(leat_b_device *dev, const layer *l, int64_t i0, int64_t rows, leat_error *err) {
  ocl_board *b = dev->board;
  float *a = b->host_a;
  const float *c = b->host_c;
  int64_t n = padded(l->n);
  const cl_command_queue *q = b->queue[l->type];
  for (int64_t i = 0; i < rows; i++)
    for (int64_t p = 0; p < l->k; p++) a[i * l->k + p] = number(l->a, i0 + i, p);
  leat_status st = arguments(b, l, rows, err);
  if (!st && i0 == 0) st = weights_bring(dev, l, err);
  if (st) return st;
  cl_int code = clEnqueueWriteBuffer(q[BOARD_FEED], b->a, CL_TRUE, 0, (size_t)(rows * l->k) * 4, a, 0, NULL, NULL);
  if (code == CL_SUCCESS && i0 == 0) {
    code = clEnqueueWriteBuffer(q[BOARD_DRAIN], b->scale, CL_TRUE, 0, (size_t)n * 4, b->host_scale, 0, NULL, NULL);
    if (code == CL_SUCCESS)
      code = clEnqueueWriteBuffer(q[BOARD_DRAIN], b->bias, CL_TRUE, 0, (size_t)n * 4, b->host_bias, 0, NULL, NULL);
  }
  if (code != CL_SUCCESS) return ocl_fail_cl(err, code, "clEnqueueWriteBuffer");
  st = launch(b, l->type, err);
  if (st) return st;
  code = clEnqueueReadBuffer(q[BOARD_DRAIN], b->c, CL_TRUE, 0, (size_t)(rows * n) * 4, b->host_c, 0, NULL, NULL);
  if (code != CL_SUCCESS) return ocl_fail_cl(err, code, "clEnqueueReadBuffer");
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < l->n; j++) memcpy((void *)(uintptr_t)at(l->c, i0 + i, j), &c[i * n + j], sizeof *c);
  return LEAT_OK;
}

leat_status ocl_board_run(leat_b_device *dev, const leat_b_op *op, leat_error *err) {
  ocl_board *b = dev->board;
  layer l = layer_of(op);
  int64_t most = b->manifest.most[l.type][0];
  if (l.type == BOARD_F32 && (op->attr_f[0] != 1 || op->attr_f[1] != 0))
    return ocl_fail(err, LEAT_E_UNSUPPORTED, "the board computes act(a b + bias) only: alpha must be 1 and beta 0");
  for (int64_t j = 0; j < padded(l.n); j++) {
    ((float *)b->host_scale)[j] = l.scale && j < l.n ? number(l.scale, j, 0) : 1;
    ((float *)b->host_bias)[j] = l.bias && j < l.n ? number(l.bias, j, 0) : 0;
  }
  leat_status st = LEAT_OK;
  for (int64_t i = 0; i < l.m && !st; i += most) st = rows_run(dev, &l, i, l.m - i < most ? l.m - i : most, err);
  return st;
}
