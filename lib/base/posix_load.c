/* POSIX: shared libraries. */
#define _POSIX_C_SOURCE 200809L
#include "base/load.h"
#include <dlfcn.h>
#include <errno.h>
#include <sys/stat.h>

leat_status lt_library_open(const char *path, void **library, leat_error *err) {
  struct stat about;
  *library = NULL;
  if (stat(path, &about)) {
    int32_t code = errno;
    return lt_fail_os(err, code == ENOENT || code == ENOTDIR ? LEAT_E_NOT_FOUND : LEAT_E_BACKEND, code,
                      "cannot load the device plug-in %s", path);
  }
  if (!S_ISREG(about.st_mode))
    return lt_fail(err, LEAT_E_BACKEND, "cannot load the device plug-in %s: it is %s, not a shared library", path,
                   S_ISDIR(about.st_mode) ? "a folder" : "no regular file");
  *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (*library) return LEAT_OK;
  const char *why = dlerror();
  return lt_fail(err, LEAT_E_BACKEND, "cannot load the device plug-in %s: %s", path, why ? why : "no reason given");
}

void *lt_library_symbol(void *library, const char *name) { return dlsym(library, name); }

void lt_library_close(void *library) {
  if (library) dlclose(library);
}
