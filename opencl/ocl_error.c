/* Failures as statuses and sentences, and memory from the host. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ocl.h"

leat_status ocl_fail(leat_error *err, leat_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(err->message, sizeof err->message, format, args);
  va_end(args);
  err->code = status;
  return status;
}

const char *ocl_code_name(cl_int code) {
  static const struct { cl_int code; const char *name; } names[] = {
      {CL_DEVICE_NOT_FOUND, "CL_DEVICE_NOT_FOUND"},
      {CL_DEVICE_NOT_AVAILABLE, "CL_DEVICE_NOT_AVAILABLE"},
      {CL_COMPILER_NOT_AVAILABLE, "CL_COMPILER_NOT_AVAILABLE"},
      {CL_MEM_OBJECT_ALLOCATION_FAILURE, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
      {CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES"},
      {CL_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY"},
      {CL_BUILD_PROGRAM_FAILURE, "CL_BUILD_PROGRAM_FAILURE"},
      {CL_MAP_FAILURE, "CL_MAP_FAILURE"},
      {CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST"},
      {CL_INVALID_VALUE, "CL_INVALID_VALUE"},
      {CL_INVALID_BINARY, "CL_INVALID_BINARY"},
      {CL_INVALID_BUILD_OPTIONS, "CL_INVALID_BUILD_OPTIONS"},
      {CL_INVALID_KERNEL_NAME, "CL_INVALID_KERNEL_NAME"},
      {CL_INVALID_KERNEL_ARGS, "CL_INVALID_KERNEL_ARGS"},
      {CL_INVALID_ARG_SIZE, "CL_INVALID_ARG_SIZE"},
      {CL_INVALID_WORK_GROUP_SIZE, "CL_INVALID_WORK_GROUP_SIZE"},
      {CL_INVALID_OPERATION, "CL_INVALID_OPERATION"},
      {CL_INVALID_BUFFER_SIZE, "CL_INVALID_BUFFER_SIZE"},
      {CL_INVALID_COMMAND_QUEUE, "CL_INVALID_COMMAND_QUEUE"},
      {CL_INVALID_CONTEXT, "CL_INVALID_CONTEXT"},
  };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].code == code) return names[i].name;
  return "an error";
}

leat_status ocl_fail_cl(leat_error *err, cl_int code, const char *call) {
  leat_status status = LEAT_E_DEVICE;
  const char *more = "";
  switch (code) {
  case CL_MEM_OBJECT_ALLOCATION_FAILURE:
  case CL_INVALID_BUFFER_SIZE:
    status = LEAT_E_MEMORY;
    more = ": the device has not that much memory left";
    break;
  case CL_OUT_OF_HOST_MEMORY:
    status = LEAT_E_MEMORY;
    more = ": the host has not that much memory left";
    break;
  case CL_OUT_OF_RESOURCES:
    more = ": the device is out of a resource, or a kernel has failed on it";
    break;
  case CL_DEVICE_NOT_AVAILABLE:
    more = ": the device is lost or in use by another process";
    break;
  default: break;
  }
  ocl_fail(err, status, "%s answers %s (%d)%s", call, ocl_code_name(code), (int)code, more);
  err->os_code = code;
  return status;
}

void *ocl_zalloc(const leat_b_host *host, uint64_t size) {
  void *p = host->alloc(host->ctx, size, 16);
  if (p) memset(p, 0, size);
  return p;
}

void ocl_release(const leat_b_host *host, void *p, uint64_t size) {
  if (p) host->release(host->ctx, p, size, 16);
}
