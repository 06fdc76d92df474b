/* Programs: built from source once for a device and set of options, kept in memory, and as binaries in the host's cache.
 * A cached binary is handed to the driver only when our checksum over it holds: drivers crash on damaged ones. */
#include <stdio.h>
#include <string.h>

#include "ocl.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* One cached thing: this, then `size` bytes. Numbers are the machine's own: a cache does not travel. */
typedef struct cache_head {
  char magic[8];
  uint64_t size, sum_low, sum_high;
} cache_head;
static const char cache_magic[8] = "leatocl1";

void ocl_key(const leat_b_device *dev, const char *what, const char *text, char *key, uint64_t cap) {
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  XXH3_128bits_update(&state, dev->slot->identity, strlen(dev->slot->identity) + 1);
  XXH3_128bits_update(&state, text, strlen(text) + 1);
  XXH128_hash_t h = XXH3_128bits_digest(&state);
  snprintf(key, cap, "%s-%016llx%016llx", what, (unsigned long long)h.high64, (unsigned long long)h.low64);
}

leat_status ocl_cache_read(const leat_b_host *host, const char *key, void **bytes, uint64_t *size) {
  cache_head head;
  uint64_t needed = 0;
  *bytes = NULL;
  *size = 0;
  leat_status st = host->cache_get(host->ctx, key, NULL, 0, &needed);
  if (st != LEAT_E_CAPACITY && st != LEAT_OK) return st;
  if (needed < sizeof head || needed > (UINT64_C(1) << 30)) return LEAT_E_FORMAT;
  char *all = ocl_zalloc(host, needed);
  if (!all) return LEAT_E_MEMORY;
  uint64_t again = 0;
  st = host->cache_get(host->ctx, key, all, needed, &again);
  if (!st && again != needed) st = LEAT_E_FORMAT;
  if (!st) {
    memcpy(&head, all, sizeof head);
    XXH128_hash_t h = XXH3_128bits(all + sizeof head, needed - sizeof head);
    if (memcmp(head.magic, cache_magic, sizeof cache_magic) || head.size != needed - sizeof head ||
        head.sum_low != h.low64 || head.sum_high != h.high64)
      st = LEAT_E_FORMAT;
  }
  if (!st) {
    *size = head.size;
    *bytes = ocl_zalloc(host, head.size + 1);
    if (*bytes) memcpy(*bytes, all + sizeof head, head.size);
    else st = LEAT_E_MEMORY;
  }
  ocl_release(host, all, needed);
  return st; /* the caller releases *size + 1 bytes */
}

void ocl_cache_write(const leat_b_host *host, const char *key, const void *bytes, uint64_t size) {
  cache_head head = {{0}, size, 0, 0};
  XXH128_hash_t h = XXH3_128bits(bytes, size);
  memcpy(head.magic, cache_magic, sizeof head.magic);
  head.sum_low = h.low64;
  head.sum_high = h.high64;
  char *all = ocl_zalloc(host, sizeof head + size);
  if (!all) return; /* a cache that cannot be written is no error */
  memcpy(all, &head, sizeof head);
  memcpy(all + sizeof head, bytes, size);
  host->cache_put(host->ctx, key, all, sizeof head + size);
  ocl_release(host, all, sizeof head + size);
}

/* The first lines of the compiler's words. */
static leat_status build_failed(leat_b_device *dev, cl_program program, const char *name, cl_int code,
                                leat_error *err) {
  char log[360] = "";
  size_t size = 0;
  const leat_b_host *host = dev->self->host;
  if (clGetProgramBuildInfo(program, dev->slot->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) == CL_SUCCESS && size) {
    char *whole = ocl_zalloc(host, size + 1);
    if (whole && clGetProgramBuildInfo(program, dev->slot->id, CL_PROGRAM_BUILD_LOG, size, whole, NULL) == CL_SUCCESS)
      snprintf(log, sizeof log, "%s", whole);
    ocl_release(host, whole, size + 1);
  }
  for (int i = 0, lines = 0; log[i]; i++) {
    if (log[i] == '\n' && ++lines == 4) log[i] = 0;
    else if (log[i] == '\n' || log[i] == '\r') log[i] = ' ';
    if (!log[i]) break;
  }
  ocl_fail(err, code == CL_OUT_OF_HOST_MEMORY ? LEAT_E_MEMORY : LEAT_E_DEVICE, "the kernels of %s do not build (%s %d): %s",
           name, ocl_code_name(code), (int)code, log[0] ? log : "the compiler gave no reason");
  err->os_code = code;
  return err->code;
}

static cl_program program_from_cache(leat_b_device *dev, const char *key, const char *options) {
  const leat_b_host *host = dev->self->host;
  void *bytes;
  uint64_t size;
  cl_int code, status;
  if (ocl_cache_read(host, key, &bytes, &size)) return NULL;
  size_t length = size;
  const unsigned char *binary = bytes;
  cl_program program = clCreateProgramWithBinary(dev->context, 1, &dev->slot->id, &length, &binary, &status, &code);
  if (code == CL_SUCCESS && status == CL_SUCCESS)
    code = clBuildProgram(program, 1, &dev->slot->id, options, NULL, NULL);
  ocl_release(host, bytes, size + 1);
  if (code == CL_SUCCESS && status == CL_SUCCESS) return program;
  if (program) clReleaseProgram(program);
  return NULL;
}

static void program_to_cache(leat_b_device *dev, cl_program program, const char *key) {
  const leat_b_host *host = dev->self->host;
  size_t size = 0;
  if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) != CL_SUCCESS || !size) return;
  unsigned char *binary = ocl_zalloc(host, size);
  if (!binary) return;
  if (clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
    ocl_cache_write(host, key, binary, size);
  ocl_release(host, binary, size);
}

static int host_caches(const leat_b_host *host) {
  uint64_t needed = 0;
  return host->option(host->ctx, "cache_folder", NULL, 0, &needed) != LEAT_E_NOT_FOUND;
}

static leat_status program_build(leat_b_device *dev, const ocl_source *source, const char *options, cl_program *out,
                                 leat_error *err) {
  const leat_b_host *host = dev->self->host;
  const char *texts[2] = {ocl_common_source, source->text};
  uint64_t size = strlen(texts[0]) + strlen(texts[1]) + strlen(options) + 3;
  char key[96] = "", *whole = NULL;
  cl_int code;
  if (host_caches(host)) {
    whole = ocl_zalloc(host, size);
    if (!whole) return ocl_fail(err, LEAT_E_MEMORY, "no memory for a program");
    snprintf(whole, size, "%s|%s%s", options, texts[0], texts[1]);
    ocl_key(dev, source->name, whole, key, sizeof key);
    ocl_release(host, whole, size);
    *out = program_from_cache(dev, key, options);
    if (*out) return LEAT_OK;
  }
  cl_program program = clCreateProgramWithSource(dev->context, 2, texts, NULL, &code);
  if (code != CL_SUCCESS) return ocl_fail_cl(err, code, "clCreateProgramWithSource");
  code = clBuildProgram(program, 1, &dev->slot->id, options, NULL, NULL);
  if (code != CL_SUCCESS) {
    leat_status st = build_failed(dev, program, source->name, code, err);
    clReleaseProgram(program);
    return st;
  }
  if (key[0]) program_to_cache(dev, program, key);
  *out = program;
  return LEAT_OK;
}

leat_status ocl_program_get(leat_b_device *dev, int source, const char *options, cl_program *out, leat_error *err) {
  char all[OCL_TEXT];
  *out = NULL;
  int size = snprintf(all, sizeof all, "-cl-std=CL1.2 -DVW=%d%s%s%s%s", (int)dev->slot->vector, dev->slot->fused ? " -DHAS_FMA" : "",
                      dev->slot->exact_divide ? " -cl-fp32-correctly-rounded-divide-sqrt" : "", *options ? " " : "",
                      options);
  if (size < 0 || (size_t)size >= sizeof all) return ocl_fail(err, LEAT_E_INTERNAL, "the build options are too long");
  for (ocl_program *p = dev->programs; p; p = p->next)
    if (p->source == source && !strcmp(p->options, all)) {
      *out = p->program;
      return LEAT_OK;
    }
  ocl_program *p = ocl_zalloc(dev->self->host, sizeof *p);
  if (!p) return ocl_fail(err, LEAT_E_MEMORY, "no memory for a program");
  leat_status st = program_build(dev, &ocl_sources[source], all, &p->program, err);
  if (st) {
    ocl_release(dev->self->host, p, sizeof *p);
    return st;
  }
  p->source = source;
  memcpy(p->options, all, sizeof all);
  p->next = dev->programs;
  dev->programs = p;
  *out = p->program;
  return LEAT_OK;
}

void ocl_programs_free(leat_b_device *dev) {
  while (dev->programs) {
    ocl_program *p = dev->programs;
    dev->programs = p->next;
    clReleaseProgram(p->program);
    ocl_release(dev->self->host, p, sizeof *p);
  }
  while (dev->tuned) {
    ocl_tuned *t = dev->tuned;
    dev->tuned = t->next;
    ocl_release(dev->self->host, t, sizeof *t);
  }
}
