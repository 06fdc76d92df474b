/* The door: finds the devices of all platforms and fills leat's table. */
#include <stdio.h>
#include <string.h>

#include "ocl_board.h"

enum { MAX_PLATFORMS = 16, MAX_DEVICES = 64 };

static void text_of(cl_device_id id, cl_device_info what, char *to, size_t cap) {
  size_t size = 0;
  if (clGetDeviceInfo(id, what, cap, to, &size) != CL_SUCCESS || size == 0) to[0] = 0;
  to[cap - 1] = 0;
}

static cl_ulong number_of(cl_device_id id, cl_device_info what, size_t size) {
  cl_ulong wide = 0;
  cl_uint narrow = 0;
  if (size == sizeof wide) return clGetDeviceInfo(id, what, sizeof wide, &wide, NULL) == CL_SUCCESS ? wide : 0;
  return clGetDeviceInfo(id, what, sizeof narrow, &narrow, NULL) == CL_SUCCESS ? narrow : 0;
}

static void slot_why(ocl_slot *s) {
  if (!number_of(s->id, CL_DEVICE_AVAILABLE, sizeof(cl_bool)))
    snprintf(s->why, sizeof s->why, "the driver says that the device is not available");
  else if (!number_of(s->id, CL_DEVICE_ENDIAN_LITTLE, sizeof(cl_bool)))
    snprintf(s->why, sizeof s->why, "it is big-endian; leat's kernels are for little-endian devices");
}

static void slot_fill(ocl_slot *s, cl_platform_id platform, cl_device_id id) {
  char version[OCL_TEXT] = "", device_version[OCL_TEXT], driver[OCL_TEXT];
  cl_device_type type = (cl_device_type)number_of(id, CL_DEVICE_TYPE, sizeof(cl_ulong));
  cl_device_fp_config fp = (cl_device_fp_config)number_of(id, CL_DEVICE_SINGLE_FP_CONFIG, sizeof(cl_ulong));
  s->platform = platform;
  s->id = id;
  text_of(id, CL_DEVICE_NAME, s->name, sizeof s->name);
  text_of(id, CL_DEVICE_VENDOR, s->vendor, sizeof s->vendor);
  text_of(id, CL_DEVICE_VERSION, device_version, sizeof device_version);
  text_of(id, CL_DRIVER_VERSION, driver, sizeof driver);
  if (clGetPlatformInfo(platform, CL_PLATFORM_VERSION, sizeof version, version, NULL) != CL_SUCCESS) version[0] = 0;
  version[sizeof version - 1] = 0;
  snprintf(s->driver, sizeof s->driver, "%.60s, driver %.60s", version, driver);
  snprintf(s->identity, sizeof s->identity, "%s|%s|%s|%s|%s", version, s->vendor, s->name, device_version, driver);
  s->local_bytes = number_of(id, CL_DEVICE_LOCAL_MEM_SIZE, sizeof(cl_ulong));
  if (clGetDeviceInfo(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof s->max_group, &s->max_group, NULL)) s->max_group = 1;
  s->base_align = (cl_uint)number_of(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof(cl_uint)) / 8;
  s->unified = number_of(id, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof(cl_bool)) != 0;
  s->fused = (fp & CL_FP_FMA) != 0;
  s->exact_divide = (fp & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT) != 0;
  s->props.kind = type & CL_DEVICE_TYPE_GPU ? LEAT_GPU : type & CL_DEVICE_TYPE_ACCELERATOR ? LEAT_FPGA
                  : type & CL_DEVICE_TYPE_CPU ? LEAT_CPU : LEAT_OTHER;
  s->vector = s->props.kind == LEAT_CPU ? 8 : 4;
  s->props.mem_total = (int64_t)number_of(id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(cl_ulong));
  s->props.max_alloc = (int64_t)number_of(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(cl_ulong));
  s->props.alignment = s->base_align ? s->base_align : 1;
  s->props.dtype_mask = UINT64_C(1) << LEAT_F32 | UINT64_C(1) << LEAT_I32 | UINT64_C(1) << LEAT_U8 |
                        UINT64_C(1) << LEAT_I8 | UINT64_C(1) << LEAT_F16 | UINT64_C(1) << LEAT_BF16;
  memcpy(s->driver_version, driver, sizeof driver);
  s->board = s->props.kind == LEAT_FPGA || !number_of(id, CL_DEVICE_COMPILER_AVAILABLE, sizeof(cl_bool));
  if (s->board) s->props.kind = LEAT_FPGA;
  slot_why(s);
}

/* Where one processor shows up as several devices, the faster kind comes first: GPUs, boards, the rest, processors. */
static int rank_of(const ocl_slot *s) {
  return s->props.kind == LEAT_GPU ? 0 : s->props.kind == LEAT_FPGA ? 1 : s->props.kind == LEAT_CPU ? 3 : 2;
}

static void slots_sort(ocl_slot *s, int64_t n) {
  for (int64_t i = 1; i < n; i++) {
    ocl_slot moved = s[i];
    int64_t at = i;
    for (; at > 0 && rank_of(&s[at - 1]) > rank_of(&moved); at--) s[at] = s[at - 1];
    s[at] = moved;
  }
}

leat_status ocl_devices_find(leat_b_instance *self, leat_error *err) {
  cl_platform_id platforms[MAX_PLATFORMS];
  cl_device_id ids[MAX_DEVICES];
  cl_uint n_platforms = 0;
  cl_int code = clGetPlatformIDs(MAX_PLATFORMS, platforms, &n_platforms);
  if (code != CL_SUCCESS) return LEAT_OK; /* no driver at all (CL_PLATFORM_NOT_FOUND_KHR): no devices */
  if (n_platforms > MAX_PLATFORMS) n_platforms = MAX_PLATFORMS;
  for (cl_uint p = 0; p < n_platforms; p++) {
    cl_uint n = 0;
    if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, MAX_DEVICES, ids, &n) != CL_SUCCESS) continue;
    if (n > MAX_DEVICES) n = MAX_DEVICES;
    if (n == 0) continue;
    uint64_t old = (uint64_t)self->n_slots * sizeof *self->slots;
    ocl_slot *more = ocl_zalloc(self->host, old + n * sizeof *more);
    if (!more) return ocl_fail(err, LEAT_E_MEMORY, "no memory for the list of devices");
    if (old) memcpy(more, self->slots, old);
    ocl_release(self->host, self->slots, old);
    self->slots = more;
    for (cl_uint i = 0; i < n; i++) slot_fill(&self->slots[self->n_slots++], platforms[p], ids[i]);
  }
  slots_sort(self->slots, self->n_slots);
  return LEAT_OK;
}

static void backend_close(leat_b_instance *self) {
  const leat_b_host *host = self->host;
  ocl_release(host, self->slots, (uint64_t)self->n_slots * sizeof *self->slots);
  ocl_release(host, self, sizeof *self);
}

static leat_status backend_device_count(leat_b_instance *self, int64_t *count, leat_error *err) {
  (void)err;
  *count = self->n_slots;
  return LEAT_OK;
}

static leat_status backend_device_props(leat_b_instance *self, int64_t index, leat_device_props *props,
                                        leat_error *err) {
  if (index < 0 || index >= self->n_slots) return ocl_fail(err, LEAT_E_NOT_FOUND, "there is no such device");
  const ocl_slot *s = &self->slots[index];
  props->name = s->name;
  props->vendor = s->vendor;
  props->driver = s->driver;
  props->backend = "opencl";
  props->kind = s->props.kind;
  props->mem_total = s->props.mem_total;
  props->max_alloc = s->props.max_alloc;
  props->alignment = s->props.alignment;
  props->dtype_mask = s->props.dtype_mask;
  return LEAT_OK;
}

static leat_status backend_device_state(leat_b_instance *self, int64_t index, char *why, uint64_t cap,
                                        uint64_t *needed, leat_error *err) {
  if (index < 0 || index >= self->n_slots) return ocl_fail(err, LEAT_E_NOT_FOUND, "there is no such device");
  const ocl_slot *s = &self->slots[index];
  const char *text = s->why;
  ocl_manifest manifest;
  leat_error said;
  memset(&said, 0, sizeof said);
  /* the image itself is read when the device is opened: it may be large */
  if (!text[0] && s->board && ocl_manifest_find(self->host, s, &manifest, &said)) text = said.message;
  uint64_t size = strlen(text) + 1;
  *needed = size;
  if (size > cap) return LEAT_E_CAPACITY;
  memcpy(why, text, size);
  return LEAT_OK;
}

/* For tests and measurements: "set_gemm_variant" is void (*)(leat_b_instance *, int64_t); see ocl.h. */
static void set_gemm_variant(leat_b_instance *self, int64_t variant) { self->variant = variant; }

static leat_status backend_proc(leat_b_instance *self, const char *name, void **fn) {
  void (*set)(leat_b_instance *, int64_t) = set_gemm_variant;
  (void)self;
  *fn = NULL;
  if (strcmp(name, "set_gemm_variant")) return LEAT_E_NOT_FOUND;
  memcpy(fn, &set, sizeof *fn);
  return LEAT_OK;
}

__attribute__((visibility("default")))
leat_status leat_backend_query_v1(uint32_t abi_major, const leat_b_host *host, leat_b_backend *out, leat_error *err);
leat_status leat_backend_query_v1(uint32_t abi_major, const leat_b_host *host, leat_b_backend *out, leat_error *err) {
  if (abi_major != LEAT_BACKEND_ABI_MAJOR)
    return ocl_fail(err, LEAT_E_VERSION, "plug-in interface %u is asked for, this one speaks %d", (unsigned)abi_major,
                    LEAT_BACKEND_ABI_MAJOR);
  leat_b_instance *self = ocl_zalloc(host, sizeof *self);
  if (!self) return ocl_fail(err, LEAT_E_MEMORY, "no memory to begin");
  self->host = host;
  leat_status st = ocl_devices_find(self, err);
  if (st) {
    backend_close(self);
    return st;
  }
  const leat_b_backend table = {
      sizeof table, 0, "opencl", self, backend_close, backend_device_count, backend_device_props, backend_device_state,
      ocl_device_open, ocl_device_close, ocl_buffer_alloc, ocl_buffer_wrap, ocl_buffer_free, ocl_buffer_map,
      ocl_buffer_unmap, ocl_queue_create, ocl_queue_free, ocl_queue_copy, ocl_queue_finish, ocl_event_wait,
      ocl_event_free, ocl_op_score, ocl_op_prepare, ocl_op_enqueue, ocl_op_free, backend_proc};
  *out = table;
  return LEAT_OK;
}
