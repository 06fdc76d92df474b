/* What the files of the OpenCL plug-in share. It knows of leat only backend.h, and of OpenCL only the calls of 1.2. */
#ifndef LEAT_OPENCL_OCL_H
#define LEAT_OPENCL_OCL_H
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>

#include "leat/backend.h"

enum { OCL_TEXT = 256, OCL_WHY = 512 };

/* A device as the drivers tell of it, before anything is opened. */
typedef struct ocl_slot {
  cl_platform_id platform;
  cl_device_id id;
  char name[OCL_TEXT], vendor[OCL_TEXT], driver[2 * OCL_TEXT];
  char why[OCL_WHY];          /* why it cannot be used, "" when it can */
  char identity[4 * OCL_TEXT]; /* platform, its version, device, its version, driver: of what compiled code depends on */
  leat_device_props props;
  cl_ulong local_bytes;
  size_t max_group;
  cl_uint base_align;         /* bytes */
  char driver_version[OCL_TEXT];
  int32_t board;              /* it takes only images that are built beforehand */
  int32_t unified;            /* it shares the host's memory */
  int32_t vector;             /* 8 or 4: how many elements a work item of elementwise ops takes */
  int32_t fused;              /* it has a fused multiply-add in hardware */
  int32_t exact_divide;       /* it can divide and take roots correctly rounded */
} ocl_slot;
struct leat_b_instance {
  const leat_b_host *host;
  ocl_slot *slots;
  int64_t n_slots;
  /* Of gemm, for tests: 0 as the device wants, 1 packed, 2 tiles in local memory, plus 10 (1 + which size of tiles). */
  int64_t variant;
};

/* ---- programs (ocl_program.c): built once for a device, kept in memory and, as binaries, in the host's cache */
enum {
  OCL_GEMM, OCL_MATRIX, OCL_ELEMENT, OCL_ROWS, OCL_LOSS, OCL_NORM, OCL_STEP, OCL_INDEX, OCL_SPARSE, OCL_N_SOURCES
};
typedef struct ocl_source { const char *name, *text; } ocl_source;
extern const ocl_source ocl_sources[OCL_N_SOURCES];
extern const char *const ocl_common_source;
typedef struct ocl_program {
  struct ocl_program *next;
  int source;
  char options[OCL_TEXT];
  cl_program program;
} ocl_program;
/* What tuning found for a class of shapes. */
typedef struct ocl_tuned {
  struct ocl_tuned *next;
  char key[96];
  int64_t choice;
} ocl_tuned;
typedef struct ocl_board ocl_board;
struct leat_b_device {
  leat_b_instance *self;
  ocl_board *board;           /* or NULL: a device with a compiler */
  const ocl_slot *slot;
  cl_context context;
  ocl_program *programs;
  ocl_tuned *tuned;
};
struct leat_b_buffer {
  leat_b_device *device;
  cl_mem mem;
  void *host;                 /* of a board: the memory itself; borrowed when align is 0 */
  uint64_t size, align;
  cl_command_queue map_queue; /* made when it is mapped the first time */
};
enum { OCL_SCRATCH = 3, OCL_STAGES = 16 };
typedef struct ocl_stage { /* bytes on their way to the device */
  void *bytes;
  uint64_t size;
  cl_event busy;
} ocl_stage;
struct leat_b_queue {
  leat_b_device *device;
  cl_command_queue queue;
  /* Memory between the kernels of one op; the queue is in order, so one op's is free when the next one begins. */
  cl_mem scratch[OCL_SCRATCH];
  uint64_t scratch_size[OCL_SCRATCH];
  ocl_stage stage[OCL_STAGES];
  int32_t next_stage;
};
struct leat_b_event {
  leat_b_device *device;
  cl_event event;
};

/* ---- errors (ocl_error.c): every failure becomes a status and a sentence */
leat_status ocl_fail(leat_error *err, leat_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A call of OpenCL failed: MEMORY, DEVICE or UNSUPPORTED by its code, which goes into os_code. */
leat_status ocl_fail_cl(leat_error *err, cl_int code, const char *call);
const char *ocl_code_name(cl_int code);
void *ocl_zalloc(const leat_b_host *host, uint64_t size);
void ocl_release(const leat_b_host *host, void *p, uint64_t size);

leat_status ocl_devices_find(leat_b_instance *self, leat_error *err);
leat_status ocl_program_get(leat_b_device *dev, int source, const char *options, cl_program *out, leat_error *err);
void ocl_programs_free(leat_b_device *dev);
/* The whole key of one cached thing: what, then a checksum of the text and of the device's identity. */
void ocl_key(const leat_b_device *dev, const char *what, const char *text, char *key, uint64_t cap);
leat_status ocl_cache_read(const leat_b_host *host, const char *key, void **bytes, uint64_t *size);
void ocl_cache_write(const leat_b_host *host, const char *key, const void *bytes, uint64_t size);

/* ---- slots of the table */
leat_status ocl_device_open(leat_b_instance *self, int64_t index, leat_b_device **out, leat_error *err);
void ocl_device_close(leat_b_device *dev);
leat_status ocl_buffer_alloc(leat_b_device *dev, int64_t kind, uint64_t size, uint64_t align, leat_b_buffer **out,
                             leat_error *err);
leat_status ocl_buffer_wrap(leat_b_device *dev, void *host, uint64_t size, leat_b_buffer **out, leat_error *err);
void ocl_buffer_free(leat_b_buffer *b);
leat_status ocl_buffer_map(leat_b_buffer *b, uint64_t off, uint64_t size, int64_t mode, void **ptr, leat_error *err);
leat_status ocl_buffer_unmap(leat_b_buffer *b, void *ptr, leat_error *err);
leat_status ocl_queue_create(leat_b_device *dev, uint64_t flags, leat_b_queue **out, leat_error *err);
void ocl_queue_free(leat_b_queue *q);
leat_status ocl_queue_copy(leat_b_queue *q, const leat_b_copy *copy, leat_b_event **done, leat_error *err);
leat_status ocl_queue_finish(leat_b_queue *q, leat_error *err);
leat_status ocl_event_wait(leat_b_event *e, int64_t timeout_ns, leat_error *err);
void ocl_event_free(leat_b_event *e);
leat_status ocl_op_score(leat_b_device *dev, const leat_b_op *op, int64_t *score, leat_error *err);
leat_status ocl_op_prepare(leat_b_device *dev, const leat_b_op *op, leat_b_kernel **out, leat_error *err);
leat_status ocl_op_enqueue(leat_b_queue *q, leat_b_kernel *k, const leat_b_op *op, leat_b_event *const *wait,
                           int64_t n_wait, leat_b_event **done, leat_error *err);
void ocl_op_free(leat_b_kernel *k);
leat_status ocl_queue_scratch(leat_b_queue *q, int which, uint64_t size, cl_mem *out, leat_error *err);
leat_status ocl_stage_write(leat_b_queue *q, const leat_b_copy *copy, cl_uint n_wait, const cl_event *wait, cl_event *done,
                            leat_error *err);
void ocl_stage_free(leat_b_queue *q);
/* Events as OpenCL's, in list (room for OCL_WAITS); CAPACITY is answered with a marker by the callers. */
enum { OCL_WAITS = 64 };
leat_status ocl_waits(leat_b_event *const *wait, int64_t n_wait, cl_event list[OCL_WAITS], leat_error *err);
leat_status ocl_event_make(leat_b_device *dev, cl_event event, leat_b_event **out, leat_error *err);

/* ---- ops (ocl_ops.c is the table; ocl_op_*.c one file a family) */
enum { OCL_KERNELS = 4 };
typedef struct ocl_op ocl_op;
struct leat_b_kernel {
  leat_b_device *device;
  const ocl_op *op;
  cl_kernel kernel[OCL_KERNELS];
  int64_t choice[4];          /* what prepare has decided, as the family likes it */
};
/* One op on its way into a queue. Arguments are set in order, the first failure stays in `code`. */
typedef struct ocl_run {
  leat_b_queue *queue;
  leat_b_kernel *prepared;
  const leat_b_op *op;
  cl_kernel kernel;
  cl_uint n_arg;
  cl_int code;
  const char *call;
  const cl_event *wait;       /* for the first kernel */
  cl_uint n_wait;
  cl_event last;              /* of the last kernel, when an event is wanted */
  int32_t want_event, enqueued;
} ocl_run;
struct ocl_op {
  const char *name;
  int64_t least_f, most_f, least_i, most_i;                /* how many attributes of each kind */
  int (*can)(const leat_b_op *op);                         /* shapes and types, never looks at buffers */
  leat_status (*prepare)(leat_b_kernel *k, const leat_b_op *op, leat_error *err);
  leat_status (*run)(ocl_run *r, const leat_b_op *op, leat_error *err);
};
extern const ocl_op ocl_ops_matrix[], ocl_ops_element[], ocl_ops_rows[], ocl_ops_norm[], ocl_ops_step[],
    ocl_ops_index[], ocl_ops_sparse[]; /* each ends with a NULL name */

leat_status ocl_kernel_make(leat_b_kernel *k, int which, int source, const char *options, const char *name,
                            leat_error *err);
void ocl_begin(ocl_run *r, int which);
void ocl_tensor(ocl_run *r, const leat_b_tensor *t);       /* memory, and the offset in elements as long; NULL: none */
void ocl_mem(ocl_run *r, cl_mem mem);
void ocl_long(ocl_run *r, int64_t v);
void ocl_int(ocl_run *r, int64_t v);
void ocl_float(ocl_run *r, double v);
void ocl_local(ocl_run *r, uint64_t bytes);
/* Enqueues global (rounded up to local) work items in two dimensions, planes many times in the third. */
void ocl_go(ocl_run *r, int64_t g0, int64_t g1, int64_t planes, int64_t l0, int64_t l1);
leat_status ocl_end(ocl_run *r, leat_error *err);          /* the status of what was set and enqueued */

/* ---- shapes */
int ocl_is(const leat_b_tensor *t, int64_t dtype, int64_t rank);
int ocl_matrix(const leat_b_tensor *t);                    /* float32 [m, n], rows dense */
int ocl_vector(const leat_b_tensor *t);                    /* float32 [n], dense */
int ocl_dense(const leat_b_tensor *t);                     /* the last dimension has stride 1, whatever the type */
int ocl_same(const leat_b_tensor *a, const leat_b_tensor *b); /* of one shape */
int64_t ocl_count(const leat_b_tensor *t);
int64_t ocl_size(int64_t dtype);                           /* bytes an element, 0: unknown */
int64_t ocl_row(const leat_b_tensor *t);                   /* stride of rows */
/* Rows and columns of elementwise work: one long row when all of the n tensors are without gaps. */
void ocl_flat(const leat_b_tensor *const *t, int n, int64_t *rows, int64_t *cols);
double ocl_f(const leat_b_op *op, int64_t i, double fallback);
int64_t ocl_i(const leat_b_op *op, int64_t i, int64_t fallback);
int64_t ocl_power2(int64_t v);                             /* the smallest power of 2 that is not below v */
/* gemm: variant 1 packed, 2 tiled; a choice is a size of tiles. */
int64_t ocl_gemm_choices(int64_t variant);
leat_status ocl_gemm_choose(leat_b_kernel *k, int64_t variant, int64_t choice, leat_error *err);
/* The fastest choice for op's class of shapes: remembered, cached, or measured now; unchanged for small products and when
 * it cannot be measured. */
void ocl_gemm_tune(leat_b_device *dev, const leat_b_op *op, int64_t variant, int64_t *choice);
leat_status ocl_gemm_prepare(leat_b_kernel *k, const leat_b_op *op, leat_error *err);
leat_status ocl_gemm_run(ocl_run *r, const leat_b_op *op, leat_error *err);
#endif
