/* An OpenCL layer that measures: OPENCL_LAYERS=build/libprofile_layer.so PROGRAM. At the end it writes to stderr, for every
 * kernel and kind of copy, how often it ran and how long, and how long the device paused, with work waiting for it (the
 * driver's doing) and without (the host's). Made for one thread that enqueues; events are kept until a clFinish. */
#define _POSIX_C_SOURCE 200809L
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <CL/cl_layer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KINDS = 256 };
static const cl_icd_dispatch *driver;
static cl_icd_dispatch ours;
static struct { char name[64]; double seconds; long count; } kinds[KINDS];
static struct { cl_event event; int kind; } *kept;
static size_t n_kept, cap_kept;
static double first, last, between, starved; /* pauses of a device that had work waiting, and that had none */
static cl_ulong ended;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int kind_of(const char *name) {
  int i = 0;
  for (; i < KINDS - 1 && kinds[i].name[0]; i++)
    if (!strcmp(kinds[i].name, name)) return i;
  snprintf(kinds[i].name, sizeof kinds[i].name, "%s", name);
  return i;
}

static void keep(cl_int code, cl_event event, cl_event *theirs, const char *name) {
  if (code != CL_SUCCESS) return;
  if (first == 0) first = now();
  if (theirs) {
    *theirs = event;
    driver->clRetainEvent(event);
  }
  if (n_kept == cap_kept) {
    cap_kept = cap_kept ? 2 * cap_kept : 4096;
    void *more = realloc(kept, cap_kept * sizeof *kept);
    if (!more) return;
    kept = more;
  }
  kept[n_kept].event = event;
  kept[n_kept++].kind = kind_of(name);
}

static void collect(void) {
  size_t left = 0;
  for (size_t i = 0; i < n_kept; i++) {
    cl_int state = CL_QUEUED;
    cl_ulong begin = 0, end = 0, queued = 0;
    driver->clGetEventInfo(kept[i].event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
    if (state > CL_COMPLETE) {
      kept[left++] = kept[i];
      continue;
    }
    driver->clGetEventProfilingInfo(kept[i].event, CL_PROFILING_COMMAND_START, sizeof begin, &begin, NULL);
    driver->clGetEventProfilingInfo(kept[i].event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
    driver->clGetEventProfilingInfo(kept[i].event, CL_PROFILING_COMMAND_QUEUED, sizeof queued, &queued, NULL);
    if (ended && begin > ended) *(queued < ended ? &between : &starved) += 1e-9 * (double)(begin - ended);
    ended = end;
    kinds[kept[i].kind].seconds += 1e-9 * (double)(end - begin);
    kinds[kept[i].kind].count++;
    driver->clReleaseEvent(kept[i].event);
  }
  n_kept = left;
  last = now();
}

static cl_int CL_API_CALL kernel(cl_command_queue q, cl_kernel k, cl_uint dims, const size_t *off, const size_t *global,
                                 const size_t *local, cl_uint n, const cl_event *events, cl_event *done) {
  char name[64] = "?";
  cl_event event = NULL;
  driver->clGetKernelInfo(k, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL);
  cl_int code = driver->clEnqueueNDRangeKernel(q, k, dims, off, global, local, n, events, &event);
  keep(code, event, done, name);
  return code;
}
static cl_int CL_API_CALL write_buffer(cl_command_queue q, cl_mem m, cl_bool wait, size_t off, size_t size,
                                       const void *from, cl_uint n, const cl_event *events, cl_event *done) {
  cl_event event = NULL;
  cl_int code = driver->clEnqueueWriteBuffer(q, m, wait, off, size, from, n, events, &event);
  keep(code, event, done, "(write)");
  return code;
}
static cl_int CL_API_CALL read_buffer(cl_command_queue q, cl_mem m, cl_bool wait, size_t off, size_t size, void *to,
                                      cl_uint n, const cl_event *events, cl_event *done) {
  cl_event event = NULL;
  cl_int code = driver->clEnqueueReadBuffer(q, m, wait, off, size, to, n, events, &event);
  keep(code, event, done, "(read)");
  return code;
}
static cl_int CL_API_CALL copy_buffer(cl_command_queue q, cl_mem from, cl_mem to, size_t a, size_t b, size_t size,
                                      cl_uint n, const cl_event *events, cl_event *done) {
  cl_event event = NULL;
  cl_int code = driver->clEnqueueCopyBuffer(q, from, to, a, b, size, n, events, &event);
  keep(code, event, done, "(copy)");
  return code;
}
static cl_int CL_API_CALL finish(cl_command_queue q) {
  cl_int code = driver->clFinish(q);
  collect();
  return code;
}
static cl_command_queue CL_API_CALL queue(cl_context c, cl_device_id d, cl_command_queue_properties p, cl_int *code) {
  return driver->clCreateCommandQueue(c, d, p | CL_QUEUE_PROFILING_ENABLE, code);
}

static int by_seconds(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? 1 : x > y ? -1 : 0;
}

__attribute__((destructor)) static void report(void) {
  double busy = 0, order[KINDS][2];
  int n = 0;
  for (; n < KINDS && kinds[n].name[0]; n++) order[n][0] = kinds[n].seconds, order[n][1] = n;
  if (n == 0) return;
  qsort(order, (size_t)n, sizeof order[0], by_seconds);
  for (int i = 0; i < n; i++) {
    int k = (int)order[i][1];
    busy += kinds[k].seconds;
    fprintf(stderr, "%-24s %9ld times %10.6f s %9.1f us each\n", kinds[k].name, kinds[k].count, kinds[k].seconds,
            kinds[k].count ? 1e6 * kinds[k].seconds / (double)kinds[k].count : 0);
  }
  fprintf(stderr, "at work %.6f of %.6f s from the first command to the last; pauses with work waiting %.6f s (%.1f %% of "
          "both), without %.6f s\n", busy, last - first, between, 100 * between / (busy + between), starved);
}

CL_API_ENTRY cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t cap, void *to, size_t *size) {
  const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
  if (what != CL_LAYER_API_VERSION || (to && cap < sizeof version)) return CL_INVALID_VALUE;
  if (to) memcpy(to, &version, sizeof version);
  if (size) *size = sizeof version;
  return CL_SUCCESS;
}

CL_API_ENTRY cl_int CL_API_CALL clInitLayer(cl_uint n, const cl_icd_dispatch *target, cl_uint *n_ours,
                                            const cl_icd_dispatch **layer) {
  if (n < sizeof ours / sizeof(void *)) return CL_INVALID_VALUE;
  driver = target;
  memcpy(&ours, target, sizeof ours);
  ours.clEnqueueNDRangeKernel = kernel;
  ours.clEnqueueWriteBuffer = write_buffer;
  ours.clEnqueueReadBuffer = read_buffer;
  ours.clEnqueueCopyBuffer = copy_buffer;
  ours.clFinish = finish;
  ours.clCreateCommandQueue = queue;
  *n_ours = sizeof ours / sizeof(void *);
  *layer = &ours;
  return CL_SUCCESS;
}
