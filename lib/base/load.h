/* Shared libraries that are loaded at run time. */
#ifndef LEAT_BASE_LOAD_H
#define LEAT_BASE_LOAD_H
#include "base/error.h"
/* Opens the shared library at path (local symbols, all resolved at once). NOT_FOUND when there is no such file, BACKEND
 * when it is not a shared library that can be loaded here. */
leat_status lt_library_open(const char *path, void **library, leat_error *err);
void *lt_library_symbol(void *library, const char *name); /* NULL when it has none */
void lt_library_close(void *library);
#endif
