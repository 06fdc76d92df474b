/* Device plug-ins of the programs: libleat-NAME.so beside the program, then in the library folder's leat/. The library
 * itself never searches. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef LEAT_PLUGINS_FROM_HERE
#define LEAT_PLUGINS_FROM_HERE "../lib/leat"
#endif
enum { PLUGIN_PATH = 4096, PLUGIN_NAME = 64 };

/* The folder that the program lies in; 0: not known. */
static int own_folder(char path[PLUGIN_PATH]) {
  ssize_t n = readlink("/proc/self/exe", path, PLUGIN_PATH - 1);
  if (n <= 0) return 0;
  path[n] = 0;
  char *end = strrchr(path, '/');
  if (!end) return 0;
  *end = 0;
  return 1;
}

static int plugin_folder(int which, char path[PLUGIN_PATH]) {
  if (!own_folder(path)) return 0;
  size_t n = strlen(path);
  if (which) snprintf(path + n, PLUGIN_PATH - n, "/%s", LEAT_PLUGINS_FROM_HERE);
  return 1;
}

/* "opencl" of "opencl:0"; 0 when the device is built in or its name has no such form. */
static int plugin_of(const char *device, char name[PLUGIN_NAME]) {
  const char *end = device ? strchr(device, ':') : NULL;
  if (!end || end == device || end - device >= PLUGIN_NAME) return 0;
  for (const char *c = device; c < end; c++)
    if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-' || *c == '_')) return 0;
  memcpy(name, device, (size_t)(end - device));
  name[end - device] = 0;
  return 1;
}

int cli_plugin(leat_runtime *rt, const char *device, leat_error *err) {
  char name[PLUGIN_NAME], folder[PLUGIN_PATH], path[PLUGIN_PATH + PLUGIN_NAME + 16];
  if (!plugin_of(device, name)) return 0;
  for (int which = 0; which < 2; which++) {
    if (!plugin_folder(which, folder)) continue;
    snprintf(path, sizeof path, "%s/libleat-%s.so", folder, name);
    if (access(path, F_OK) == 0) return leat_runtime_load_backend(rt, path, err) ? -1 : 1;
  }
  return 0;
}

void cli_plugins(leat_runtime *rt, void (*failed)(void *to, const char *name, const leat_error *err), void *to) {
  char folder[PLUGIN_PATH], path[PLUGIN_PATH + 300], seen[16][PLUGIN_NAME];
  int n_seen = 0;
  for (int which = 0; which < 2; which++) {
    DIR *d = plugin_folder(which, folder) ? opendir(folder) : NULL;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
      size_t n = strlen(e->d_name);
      char name[PLUGIN_NAME];
      int known = 0;
      if (n < 13 || n - 11 >= PLUGIN_NAME || strncmp(e->d_name, "libleat-", 8) || strcmp(e->d_name + n - 3, ".so")) continue;
      memcpy(name, e->d_name + 8, n - 11);
      name[n - 11] = 0;
      for (int i = 0; i < n_seen; i++) known |= !strcmp(seen[i], name);
      if (known || n_seen == 16) continue;
      memcpy(seen[n_seen++], name, sizeof name);
      leat_error err;
      cli_error_init(&err);
      snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
      if (leat_runtime_load_backend(rt, path, &err)) failed(to, name, &err);
    }
    if (d) closedir(d);
  }
}

/* $XDG_CACHE_HOME/leat or ~/.cache/leat, made when it is not there: only for a device that wants it. */
const char *cli_cache_folder(const char *device, char *path, size_t cap) {
  char name[PLUGIN_NAME];
  const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  if (!plugin_of(device, name)) return NULL;
  if (base && base[0] == '/') snprintf(path, cap, "%s", base);
  else if (home && home[0] == '/') snprintf(path, cap, "%s/.cache", home);
  else return NULL;
  mkdir(path, 0700);
  size_t n = strlen(path);
  if (n + 6 > cap) return NULL;
  memcpy(path + n, "/leat", 6);
  mkdir(path, 0700);
  return access(path, W_OK) == 0 ? path : NULL;
}
