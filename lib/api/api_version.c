/* Chapter 4 of leat.h: version, features, names of statuses. */
#include "api/api.h"
#include "device/vec.h"
#include <string.h>

enum { VERSION_MAJOR = 0, VERSION_MINOR = 1, VERSION_PATCH = 0 };

LEAT_API uint32_t leat_version(void) {
  return (uint32_t)VERSION_MAJOR << 16 | (uint32_t)VERSION_MINOR << 8 | (uint32_t)VERSION_PATCH;
}
LEAT_API const char *leat_version_text(void) { return "0.1.0"; }

LEAT_API leat_status leat_feature(const char *name, int64_t *value) {
  static const struct { const char *name; int64_t value; } built[] = {
      {"blis", 1}, {"zstd", 1}, {"xxhash", 1}, {"threads", 1}, {"opencl", 0}, {"arrow", 0}, {"dlpack", 0}, {"mpi", 0}};
  if (value) *value = 0;
  if (!name || !value) return LEAT_E_ARG;
  if (!strcmp(name, "avx2")) {
    *value = !strcmp(lt_vec_get()->name, "avx2");
    return LEAT_OK;
  }
  for (uint64_t i = 0; i < sizeof built / sizeof built[0]; i++)
    if (!strcmp(name, built[i].name)) {
      *value = built[i].value;
      return LEAT_OK;
    }
  return LEAT_E_NOT_FOUND;
}

/* Entry -k is status k. */
static const struct { const char *name, *text; } version_statuses[] = {
    {"LEAT_OK", "success"},
    {"LEAT_E_ARG", "an argument is NULL, misspelt or out of its domain"},
    {"LEAT_E_STATE", "the object is not in a state that allows the call"},
    {"LEAT_E_MEMORY", "there is no memory, or a memory budget is used up"},
    {"LEAT_E_IO", "the file system failed"},
    {"LEAT_E_FORMAT", "a file is damaged, cut, or not of the kind that was expected"},
    {"LEAT_E_VERSION", "a file or struct is of a newer version than this library reads"},
    {"LEAT_E_UNSUPPORTED", "valid, but not by this object"},
    {"LEAT_E_NOT_FOUND", "there is no such name, file, column, device or index"},
    {"LEAT_E_SHAPE", "rows, columns or strides do not fit together"},
    {"LEAT_E_DTYPE", "the element type is not taken here"},
    {"LEAT_E_RANGE", "a number is outside the stated bounds"},
    {"LEAT_E_CAPACITY", "the caller's buffer is too small"},
    {"LEAT_E_BUSY", "another thread is inside this object"},
    {"LEAT_E_CANCELLED", "training was cancelled"},
    {"LEAT_E_DEVICE", "a device failed"},
    {"LEAT_E_BACKEND", "a device plug-in cannot be loaded or broke its contract"},
    {"LEAT_E_DATA", "the data cannot be used"},
    {"LEAT_E_NUMERIC", "training met a number that is not finite"},
    {"LEAT_E_INTERNAL", "a bug in leat"}};
enum { VERSION_STATUSES = sizeof version_statuses / sizeof version_statuses[0] };
_Static_assert(VERSION_STATUSES == 1 - LEAT_E_INTERNAL, "every status has a name and a text");

LEAT_API const char *leat_status_name(leat_status status) {
  return status <= 0 && status > -VERSION_STATUSES ? version_statuses[-status].name : "LEAT_E_UNKNOWN";
}
LEAT_API const char *leat_status_text(leat_status status) {
  return status <= 0 && status > -VERSION_STATUSES ? version_statuses[-status].text : "a status of a newer version";
}
