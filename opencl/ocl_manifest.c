/* The manifest of images for boards: the text "fpga.manifest" of the cache folder, as docs/fpga.md describes it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ocl_board.h"

enum { MANIFEST_LARGEST = 1 << 16 };

/* The value of "key value" when the line has this key, else NULL. */
static const char *value_of(const char *line, const char *key) {
  size_t n = strlen(key);
  if (strncmp(line, key, n) || line[n] != ' ') return NULL;
  for (line += n; *line == ' '; line++) {}
  return line;
}

static int keep_text(char *to, size_t cap, const char *value) {
  size_t n = strlen(value);
  if (n == 0 || n >= cap) return 0;
  memcpy(to, value, n + 1);
  return 1;
}

static int keep_sizes(int64_t most[3], const char *value) {
  for (int i = 0; i < 3; i++) {
    char *end;
    long long v = strtoll(value, &end, 10);
    if (end == value || v < 1 || v > 1 << 20) return 0;
    most[i] = v;
    value = end;
  }
  return *value == 0;
}

/* 1 taken, 0 wrong. */
static int take_line(ocl_manifest *m, const char *line) {
  const char *v;
  if ((v = value_of(line, "sha256")) != NULL) return strlen(v) == 64 && keep_text(m->sha256, sizeof m->sha256, v);
  if ((v = value_of(line, "device")) != NULL) return keep_text(m->device, sizeof m->device, v);
  if ((v = value_of(line, "driver")) != NULL) return keep_text(m->driver, sizeof m->driver, v);
  if ((v = value_of(line, "abi")) != NULL) return (m->abi = strtoll(v, NULL, 10)) > 0;
  if ((v = value_of(line, "dense_f32")) != NULL) return keep_sizes(m->most[BOARD_F32], v);
  if ((v = value_of(line, "dense_i8")) != NULL) return keep_sizes(m->most[BOARD_I8], v);
  if ((v = value_of(line, "channels")) != NULL) {
    m->channels = !strcmp(v, "yes");
    return m->channels || !strcmp(v, "no");
  }
  return 0;
}

static leat_status manifest_whole(const ocl_manifest *m, leat_error *err) {
  const char *lacks = !m->sha256[0] ? "sha256" : !m->device[0] ? "device" : !m->driver[0] ? "driver" : !m->abi ? "abi"
                      : !m->most[0][0] && !m->most[1][0] ? "dense_f32 or dense_i8" : NULL;
  if (lacks) return ocl_fail(err, LEAT_E_FORMAT, "fpga.manifest: image %s lacks the line '%s'", m->image, lacks);
  if (m->abi != 1)
    return ocl_fail(err, LEAT_E_VERSION, "fpga.manifest: the kernels of image %s have abi %lld; this leat calls abi 1",
                    m->image, (long long)m->abi);
  return LEAT_OK;
}

/* Cuts the next line off *text, without its end and trailing blanks. */
static char *next_line(char **text) {
  char *line = *text, *end = strchr(line, '\n');
  if (!*line) return NULL;
  *text = end ? end + 1 : line + strlen(line);
  if (!end) end = *text;
  *end = 0;
  while (end > line && (end[-1] == ' ' || end[-1] == '\r' || end[-1] == '\t')) *--end = 0;
  return line;
}

/* Of several images the one for this device; when there is none, err says how the last one's device or driver differs. */
static leat_status manifest_read(char *text, const ocl_slot *slot, ocl_manifest *m, leat_error *err) {
  int number = 0, inside = 0;
  leat_status other = ocl_fail(err, LEAT_E_NOT_FOUND, "fpga.manifest names no image");
  for (;;) {
    char *line = next_line(&text);
    const char *image = line ? value_of(line, "image") : NULL;
    number++;
    if (number == 1 && (!line || strcmp(line, "leat-fpga 1")))
      return ocl_fail(err, LEAT_E_FORMAT, "fpga.manifest: line 1 must be 'leat-fpga 1'");
    if (inside && (!line || image)) { /* an image's lines are all read */
      leat_status st = manifest_whole(m, err);
      if (st) return st;
      if (!strcmp(m->device, slot->name) && !strcmp(m->driver, slot->driver_version)) return LEAT_OK;
      int device = strcmp(m->device, slot->name) != 0;
      other = ocl_fail(err, LEAT_E_UNSUPPORTED, "fpga.manifest: image %s is for the %s '%.80s', this is '%.80s'", m->image,
                       device ? "device" : "driver", device ? m->device : m->driver,
                       device ? slot->name : slot->driver_version);
    }
    if (!line) return other;
    if (number == 1 || !*line || *line == '#') continue;
    if (image) {
      memset(m, 0, sizeof *m);
      inside = keep_text(m->image, sizeof m->image, image);
      if (inside) continue;
    }
    if (!inside || !take_line(m, line))
      return ocl_fail(err, LEAT_E_FORMAT, "fpga.manifest: line %d, '%.60s', is none that docs/fpga.md knows", number, line);
  }
}

leat_status ocl_manifest_find(const leat_b_host *host, const ocl_slot *slot, ocl_manifest *m, leat_error *err) {
  uint64_t needed = 0, again = 0;
  leat_status st = host->cache_get(host->ctx, "fpga.manifest", NULL, 0, &needed);
  if ((st && st != LEAT_E_CAPACITY) || needed == 0 || needed > MANIFEST_LARGEST)
    return ocl_fail(err, LEAT_E_NOT_FOUND, "the device takes only images that are built beforehand, and there is no "
                    "opencl-fpga.manifest in the cache folder that names one (docs/fpga.md)");
  char *text = ocl_zalloc(host, needed + 1);
  if (!text) return ocl_fail(err, LEAT_E_MEMORY, "no memory for the manifest");
  st = host->cache_get(host->ctx, "fpga.manifest", text, needed, &again);
  if (st || again != needed) st = ocl_fail(err, LEAT_E_IO, "fpga.manifest cannot be read");
  if (!st) st = manifest_read(text, slot, m, err);
  ocl_release(host, text, needed + 1);
  return st;
}
