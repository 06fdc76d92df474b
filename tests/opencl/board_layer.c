/* An OpenCL layer (OPENCL_LAYERS, ocl-icd 2.3) that plays an FPGA board over another driver: type ACCELERATOR, no compiler,
 * source refused, one image, task kernels only, one queue a kernel, buffers that are arguments before they are written,
 * aligned transfers. Calls can be made to fail or to take long. A test finds the knobs in this library by name. */
#define _POSIX_C_SOURCE 200809L
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <CL/cl_layer.h>

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- knobs and counts */
typedef struct board_knobs {
  const char *fail;  /* the call of this name fails ... */
  int64_t fail_in;   /* ... after so many good ones */
  cl_int fail_code;
  int64_t slow_ms;   /* what loading an image takes */
  int64_t images, tasks, writes; /* that came to the driver */
  int64_t busy;      /* contexts are refused: another process has the board */
  int64_t plain;     /* no board: the device as it is, whose calls may fail */
  char breach[256];  /* the first rule that was broken */
} board_knobs;
board_knobs leat_board;

static const cl_icd_dispatch *driver;
static cl_icd_dispatch ours;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char image[1 << 20];
static size_t image_size;
enum { MANY = 256 };
static cl_mem placed[MANY]; /* buffers that have been an argument */
static int n_placed;
static struct { cl_command_queue queue; cl_kernel kernel; } pairs[MANY];
static int n_pairs;

static void breach(const char *what) {
  if (!leat_board.breach[0]) snprintf(leat_board.breach, sizeof leat_board.breach, "%s", what);
}

static int fails(const char *call) {
  return leat_board.fail && !strcmp(leat_board.fail, call) && leat_board.fail_in-- == 0;
}

/* ---- calls */
static cl_int CL_API_CALL device_info(cl_device_id d, cl_device_info what, size_t cap, void *to, size_t *size) {
  cl_int code = driver->clGetDeviceInfo(d, what, cap, to, size);
  cl_device_type accelerator = CL_DEVICE_TYPE_ACCELERATOR;
  cl_bool no = CL_FALSE;
  if (code != CL_SUCCESS || !to || leat_board.plain) return code;
  if (what == CL_DEVICE_TYPE) memcpy(to, &accelerator, sizeof accelerator);
  if (what == CL_DEVICE_COMPILER_AVAILABLE || what == CL_DEVICE_LINKER_AVAILABLE) memcpy(to, &no, sizeof no);
  return code;
}

static cl_context CL_API_CALL context(const cl_context_properties *p, cl_uint n, const cl_device_id *d,
                                      void(CL_CALLBACK *say)(const char *, const void *, size_t, void *), void *ctx,
                                      cl_int *code) {
  if (!leat_board.busy) return driver->clCreateContext(p, n, d, say, ctx, code);
  if (code) *code = CL_DEVICE_NOT_AVAILABLE;
  return NULL;
}

static cl_program CL_API_CALL from_source(cl_context c, cl_uint n, const char **texts, const size_t *sizes, cl_int *code) {
  const char *junk = "kernel void broken(global float *x) { x[0] = no_such_name; }";
  int spoil = leat_board.plain && fails("clBuildProgram");
  if (leat_board.plain) return driver->clCreateProgramWithSource(c, spoil ? 1 : n, spoil ? &junk : texts, NULL, code);
  (void)sizes;
  breach("source was given to a board without compiler");
  if (code) *code = CL_INVALID_OPERATION;
  return NULL;
}

static cl_program CL_API_CALL from_binary(cl_context c, cl_uint n, const cl_device_id *d, const size_t *sizes,
                                          const unsigned char **bytes, cl_int *states, cl_int *code) {
  cl_int refuse = CL_SUCCESS;
  struct timespec nap = {leat_board.slow_ms / 1000, leat_board.slow_ms % 1000 * 1000000};
  pthread_mutex_lock(&lock);
  leat_board.images++;
  if (n != 1 || sizes[0] > sizeof image) refuse = CL_INVALID_VALUE;
  else if (image_size && (image_size != sizes[0] || memcmp(image, bytes[0], sizes[0]))) refuse = CL_OUT_OF_RESOURCES;
  else memcpy(image, bytes[0], image_size = sizes[0]);
  if (fails("clCreateProgramWithBinary")) refuse = leat_board.fail_code;
  pthread_mutex_unlock(&lock);
  nanosleep(&nap, NULL);
  if (refuse == CL_SUCCESS) return driver->clCreateProgramWithBinary(c, n, d, sizes, bytes, states, code);
  if (code) *code = refuse;
  return NULL;
}

static cl_int CL_API_CALL kernel_arg(cl_kernel k, cl_uint i, size_t size, const void *value) {
  cl_mem mem;
  if (fails("clSetKernelArg")) return leat_board.fail_code;
  cl_int code = driver->clSetKernelArg(k, i, size, value);
  if (code != CL_SUCCESS || size != sizeof mem || !value) return code;
  memcpy(&mem, value, sizeof mem);
  /* every argument of this size is a buffer: the kernels take ints besides */
  pthread_mutex_lock(&lock);
  int known = 0;
  for (int p = 0; p < n_placed; p++) known |= placed[p] == mem;
  if (!known && n_placed < MANY) placed[n_placed++] = mem;
  pthread_mutex_unlock(&lock);
  return code;
}

static void transfer_rules(cl_mem m, const void *host, const char *what) {
  int known = 0;
  if (leat_board.plain) return;
  pthread_mutex_lock(&lock);
  for (int p = 0; p < n_placed; p++) known |= placed[p] == m;
  pthread_mutex_unlock(&lock);
  if (!known) breach("a buffer was written before it was an argument of a kernel");
  if ((uintptr_t)host % 64) breach(what);
}

static cl_int CL_API_CALL write_buffer(cl_command_queue q, cl_mem m, cl_bool wait, size_t off, size_t size,
                                       const void *from, cl_uint n, const cl_event *events, cl_event *done) {
  leat_board.writes++;
  transfer_rules(m, from, "a write from memory that is not aligned to 64 bytes");
  if (fails("clEnqueueWriteBuffer")) return leat_board.fail_code;
  return driver->clEnqueueWriteBuffer(q, m, wait, off, size, from, n, events, done);
}

static cl_int CL_API_CALL read_buffer(cl_command_queue q, cl_mem m, cl_bool wait, size_t off, size_t size, void *to,
                                      cl_uint n, const cl_event *events, cl_event *done) {
  transfer_rules(m, to, "a read into memory that is not aligned to 64 bytes");
  if (fails("clEnqueueReadBuffer")) return leat_board.fail_code;
  return driver->clEnqueueReadBuffer(q, m, wait, off, size, to, n, events, done);
}

static cl_int CL_API_CALL range(cl_command_queue q, cl_kernel k, cl_uint dims, const size_t *off, const size_t *global,
                                const size_t *local, cl_uint n, const cl_event *events, cl_event *done) {
  if (fails("clEnqueueNDRangeKernel")) return leat_board.fail_code;
  if (leat_board.plain) return driver->clEnqueueNDRangeKernel(q, k, dims, off, global, local, n, events, done);
  breach("clEnqueueNDRangeKernel of a kernel for tasks");
  return CL_INVALID_GLOBAL_WORK_SIZE;
}

static cl_int CL_API_CALL task(cl_command_queue q, cl_kernel k, cl_uint n, const cl_event *events, cl_event *done) {
  pthread_mutex_lock(&lock);
  leat_board.tasks++;
  int known = 0;
  for (int p = 0; p < n_pairs; p++) {
    if ((pairs[p].queue == q) != (pairs[p].kernel == k)) breach("a queue with two kernels, or a kernel in two queues");
    known |= pairs[p].queue == q;
  }
  if (!known && n_pairs < MANY) pairs[n_pairs].queue = q, pairs[n_pairs++].kernel = k;
  pthread_mutex_unlock(&lock);
  if (fails("clEnqueueTask")) return leat_board.fail_code;
  return driver->clEnqueueTask(q, k, n, events, done);
}

/* What is gone may come back at the same address. */
static cl_int CL_API_CALL release_kernel(cl_kernel k) {
  pthread_mutex_lock(&lock);
  for (int p = 0; p < n_pairs;)
    if (pairs[p].kernel == k) pairs[p] = pairs[--n_pairs];
    else p++;
  pthread_mutex_unlock(&lock);
  return driver->clReleaseKernel(k);
}
static cl_int CL_API_CALL release_mem(cl_mem m) {
  pthread_mutex_lock(&lock);
  for (int p = 0; p < n_placed;)
    if (placed[p] == m) placed[p] = placed[--n_placed];
    else p++;
  pthread_mutex_unlock(&lock);
  return driver->clReleaseMemObject(m);
}

static cl_mem CL_API_CALL buffer(cl_context c, cl_mem_flags flags, size_t size, void *host, cl_int *code) {
  if (!fails("clCreateBuffer")) return driver->clCreateBuffer(c, flags, size, host, code);
  if (code) *code = leat_board.fail_code;
  return NULL;
}
static cl_int CL_API_CALL finish(cl_command_queue q) {
  cl_int code = driver->clFinish(q);
  return fails("clFinish") ? leat_board.fail_code : code;
}

static cl_command_queue CL_API_CALL queue(cl_context c, cl_device_id d, cl_command_queue_properties p, cl_int *code) {
  if (p & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) breach("a queue out of order");
  return driver->clCreateCommandQueue(c, d, p, code);
}

/* ---- the layer's door */
CL_API_ENTRY cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t cap, void *to, size_t *size) {
  const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
  if (what != CL_LAYER_API_VERSION) return CL_INVALID_VALUE;
  if (to && cap < sizeof version) return CL_INVALID_VALUE;
  if (to) memcpy(to, &version, sizeof version);
  if (size) *size = sizeof version;
  return CL_SUCCESS;
}

CL_API_ENTRY cl_int CL_API_CALL clInitLayer(cl_uint n, const cl_icd_dispatch *target, cl_uint *n_ours,
                                            const cl_icd_dispatch **layer) {
  if (n < sizeof ours / sizeof(void *)) return CL_INVALID_VALUE;
  driver = target;
  memcpy(&ours, target, sizeof ours); /* what is not a board's business goes straight through */
  ours.clGetDeviceInfo = device_info;
  ours.clCreateContext = context;
  ours.clCreateProgramWithSource = from_source;
  ours.clCreateProgramWithBinary = from_binary;
  ours.clSetKernelArg = kernel_arg;
  ours.clEnqueueWriteBuffer = write_buffer;
  ours.clEnqueueReadBuffer = read_buffer;
  ours.clEnqueueNDRangeKernel = range;
  ours.clEnqueueTask = task;
  ours.clCreateCommandQueue = queue;
  ours.clCreateBuffer = buffer;
  ours.clFinish = finish;
  ours.clReleaseKernel = release_kernel;
  ours.clReleaseMemObject = release_mem;
  *n_ours = sizeof ours / sizeof(void *);
  *layer = &ours;
  return CL_SUCCESS;
}
