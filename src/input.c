/* The bytes of files, one after the other, unpacked: gzip by zlib, zstd by libzstd, told by their first bytes. What
 * leat_dataset_from_reader pulls when DATA is `-`, gzip, a pipe, or several files. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { CHUNK = 1 << 18, HEAD_MOST = 1 << 26 };

struct cli_source {
  const char *const *files;
  int n, at, csv;         /* `at`: the file that is open, n when all are read */
  int fd, packing, ended; /* ended: the file gave its last byte */
  uint8_t *in;
  size_t in_at, in_size;
  z_stream z;
  int z_open, frame_open; /* frame_open: inside a gzip member or zstd frame */
  ZSTD_DStream *zstd;
  uint8_t *head;          /* a file's first line while it is compared with the header */
  size_t head_at, head_size, head_cap;
  char *first_line;       /* of the first file, without its end of line */
  uint8_t last;           /* the last byte that was given out */
  int64_t lines;          /* newlines that were given out */
  int64_t *before, *skipped; /* a file: lines given out before it, lines of it that were left out */
  char error[512];
};

static int64_t source_fail(cli_source *s, const char *what) {
  const char *name = s->at < s->n ? s->files[s->at] : "";
  snprintf(s->error, sizeof s->error, "%s: %s", strcmp(name, "-") == 0 ? "stdin" : name, what);
  return -1;
}

static int fill_input(cli_source *s) {
  if (s->in_at < s->in_size) return 1;
  ssize_t got;
  do got = read(s->fd, s->in, CHUNK); while (got < 0 && errno == EINTR && !cli_interrupted());
  if (got < 0) {
    source_fail(s, strerror(errno));
    return -1;
  }
  s->in_at = 0;
  s->in_size = (size_t)got;
  return got > 0;
}

static int packing_of(const uint8_t *p, size_t n) {
  if (n >= 2 && p[0] == 0x1f && p[1] == 0x8b) return CLI_GZIP;
  if (n >= 4 && p[0] == 0x28 && p[1] == 0xb5 && p[2] == 0x2f && p[3] == 0xfd) return CLI_ZSTD;
  return CLI_PLAIN;
}

int cli_source_packing(const char *path, int *regular) {
  uint8_t b[4] = { 0 };
  struct stat st;
  *regular = 0;
  if (strcmp(path, "-") == 0) return CLI_PLAIN;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &st)) {
    cli_fail("cannot read '%s': %s: expected a data file or - for stdin", path, strerror(errno));
    if (fd >= 0) close(fd);
    return -1;
  }
  if (S_ISDIR(st.st_mode)) {
    cli_fail("cannot read '%s': it is a folder: expected a data file or - for stdin", path);
    close(fd);
    return -1;
  }
  *regular = S_ISREG(st.st_mode);
  ssize_t got = *regular ? read(fd, b, sizeof b) : 0; /* a pipe must not lose its first bytes */
  close(fd);
  return packing_of(b, got < 0 ? 0 : (size_t)got);
}

static int open_next(cli_source *s) {
  const char *name = s->files[s->at];
  s->fd = strcmp(name, "-") == 0 ? dup(STDIN_FILENO) : open(name, O_RDONLY | O_CLOEXEC);
  if (s->fd < 0) {
    source_fail(s, strerror(errno));
    return -1;
  }
  s->in_at = s->in_size = 0;
  s->ended = s->frame_open = 0;
  /* the first bytes tell how it is packed; a pipe may give them one by one */
  while (s->in_size < 4) {
    ssize_t got = read(s->fd, s->in + s->in_size, CHUNK - s->in_size);
    if (got < 0 && errno == EINTR && !cli_interrupted()) continue;
    if (got < 0) {
      source_fail(s, strerror(errno));
      return -1;
    }
    if (got == 0) break;
    s->in_size += (size_t)got;
  }
  s->packing = packing_of(s->in, s->in_size);
  if (s->packing == CLI_GZIP) {
    if (s->z_open) inflateEnd(&s->z);
    memset(&s->z, 0, sizeof s->z);
    if (inflateInit2(&s->z, 15 + 16) != Z_OK) {
      source_fail(s, "no memory to unpack gzip");
      return -1;
    }
    s->z_open = 1;
  } else if (s->packing == CLI_ZSTD) {
    if (!s->zstd) s->zstd = ZSTD_createDStream();
    if (!s->zstd || ZSTD_isError(ZSTD_initDStream(s->zstd))) {
      source_fail(s, "no memory to unpack zstd");
      return -1;
    }
  }
  return 0;
}

static int64_t pull_gzip(cli_source *s, uint8_t *buf, size_t cap) {
  s->z.next_out = buf;
  s->z.avail_out = (uInt)(cap > (1u << 30) ? 1u << 30 : cap);
  uInt room = s->z.avail_out;
  while (s->z.avail_out == room) {
    int more = fill_input(s);
    if (more < 0) return -1;
    if (!more) {
      if (s->frame_open) return source_fail(s, "the gzip data is cut off");
      return 0;
    }
    s->frame_open = 1;
    s->z.next_in = s->in + s->in_at;
    s->z.avail_in = (uInt)(s->in_size - s->in_at);
    int r = inflate(&s->z, Z_NO_FLUSH);
    s->in_at = s->in_size - s->z.avail_in;
    if (r == Z_STREAM_END) { /* members may follow each other */
      s->frame_open = 0;
      if (inflateReset(&s->z) != Z_OK) return source_fail(s, "the gzip data is damaged");
    } else if (r != Z_OK && r != Z_BUF_ERROR)
      return source_fail(s, "the gzip data is damaged");
  }
  return (int64_t)(room - s->z.avail_out);
}

static int64_t pull_zstd(cli_source *s, uint8_t *buf, size_t cap) {
  ZSTD_outBuffer out = { buf, cap, 0 };
  while (out.pos == 0) {
    int more = fill_input(s);
    if (more < 0) return -1;
    if (!more && !s->frame_open) return 0;
    ZSTD_inBuffer in = { s->in, s->in_size, s->in_at };
    size_t r = ZSTD_decompressStream(s->zstd, &out, &in);
    if (ZSTD_isError(r)) return source_fail(s, "the zstd data is damaged");
    s->in_at = in.pos;
    s->frame_open = r != 0;
    if (!more && out.pos == 0) return source_fail(s, "the zstd data is cut off");
  }
  return (int64_t)out.pos;
}

static int64_t pull_file(cli_source *s, uint8_t *buf, size_t cap) {
  if (s->packing == CLI_GZIP) return pull_gzip(s, buf, cap);
  if (s->packing == CLI_ZSTD) return pull_zstd(s, buf, cap);
  int more = fill_input(s);
  if (more <= 0) return more;
  size_t n = s->in_size - s->in_at;
  if (n > cap) n = cap;
  memcpy(buf, s->in + s->in_at, n);
  s->in_at += n;
  return (int64_t)n;
}

/* Reads the first line that is not blank of the present file into head. 0 at its end, -1 on failure. */
static int read_head(cli_source *s) {
  s->head_at = s->head_size = 0;
  for (;;) {
    size_t start = 0;
    while (start < s->head_size && (s->head[start] == '\n' || s->head[start] == '\r')) start++;
    if (start < s->head_size && memchr(s->head + start, '\n', s->head_size - start)) return 1;
    if (s->head_size > HEAD_MOST) return 1;
    if (s->head_cap - s->head_size < CHUNK) {
      s->head_cap = s->head_cap * 2 + CHUNK * 2;
      s->head = cli_grow(s->head, s->head_cap);
    }
    int64_t got = pull_file(s, s->head + s->head_size, s->head_cap - s->head_size);
    if (got < 0) return -1;
    if (got == 0) return s->head_size > 0;
    s->head_size += (size_t)got;
  }
}

/* A line whose fields could all be names: no field is a number. What the reader calls a header when it decides alone. */
static int names_only(const char *line) {
  for (const char *p = line; *p;) {
    char *end;
    while (*p == ' ' || *p == '"' || *p == '\t') p++;
    if (*p && strchr("0123456789+-.", *p)) {
      strtod(p, &end);
      while (end != p && (*end == ' ' || *end == '"')) end++;
      if (end != p && (*end == 0 || strchr(",;\t", *end))) return 0;
    }
    while (*p && !strchr(",;\t", *p)) p++;
    if (*p) p++;
  }
  return 1;
}

static int skip_header(cli_source *s) {
  int r = read_head(s);
  if (r <= 0) return r;
  size_t a = 0;
  while (a < s->head_size && (s->head[a] == '\n' || s->head[a] == '\r')) a++;
  const uint8_t *nl = memchr(s->head + a, '\n', s->head_size - a);
  size_t end = nl ? (size_t)(nl - s->head) : s->head_size;
  size_t len = end - a;
  if (len && s->head[end - 1] == '\r') len--;
  char *line = cli_text("%.*s", (int)len, (const char *)s->head + a);
  if (s->at == 0) {
    s->first_line = line;
    return 1;
  }
  int header = s->csv == 2 || (s->first_line && names_only(s->first_line) && names_only(line));
  if (header && s->first_line && strcmp(s->first_line, line) == 0) {
    s->head_at = nl ? end + 1 : end;
    for (size_t i = 0; i < s->head_at; i++) s->skipped[s->at] += s->head[i] == '\n';
  } else if (header)
    r = (int)source_fail(s, s->csv == 2 ? "its header is not that of the first file: expected the same columns"
                                        : "its first line looks like a header, but is not that of the first file: expected "
                                          "the same columns, or --no-header");
  free(line);
  return r;
}

static void count_lines(cli_source *s, const uint8_t *p, size_t n) {
  if (s->n < 2) return;
  for (const uint8_t *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++) s->lines++;
}

const char *cli_source_line(const cli_source *s, int64_t line, int64_t *own) {
  if (!s || s->n < 2) return NULL;
  int i = s->at < s->n ? s->at : s->n - 1;
  while (i > 0 && s->before[i] >= line) i--;
  *own = line - s->before[i] + s->skipped[i];
  return s->files[i];
}

int64_t cli_source_pull(void *source, void *buf, uint64_t cap) {
  cli_source *s = source;
  if (s->error[0]) return -1;
  while (s->at < s->n) {
    if (s->fd < 0) {
      if (open_next(s)) return -1;
      if (s->csv && s->n > 1 && skip_header(s) < 0) return -1;
      if (s->at > 0 && s->last && s->last != '\n' && s->csv >= 0) { /* a file without a last end of line */
        *(uint8_t *)buf = s->last = '\n';
        s->before[s->at] = ++s->lines;
        return 1;
      }
      s->before[s->at] = s->lines;
    }
    int64_t got;
    if (s->head_at < s->head_size) {
      size_t n = s->head_size - s->head_at;
      if (n > cap) n = cap;
      memcpy(buf, s->head + s->head_at, n);
      s->head_at += n;
      got = (int64_t)n;
    } else
      got = pull_file(s, buf, cap);
    if (got < 0) return -1;
    if (got > 0) {
      s->last = ((const uint8_t *)buf)[got - 1];
      count_lines(s, buf, (size_t)got);
      return got;
    }
    close(s->fd);
    s->fd = -1;
    s->head_at = s->head_size = 0;
    s->at++;
  }
  return 0;
}

cli_source *cli_source_open(const char *const *files, int n, int csv) {
  cli_source *s = cli_alloc(sizeof *s);
  s->files = files;
  s->n = n;
  s->csv = csv;
  s->fd = -1;
  s->in = cli_alloc(CHUNK);
  s->before = cli_alloc((size_t)n * sizeof *s->before);
  s->skipped = cli_alloc((size_t)n * sizeof *s->skipped);
  return s;
}

const char *cli_source_error(const cli_source *s) { return s ? s->error : ""; }

void cli_source_free(cli_source *s) {
  if (!s) return;
  if (s->fd >= 0) close(s->fd);
  if (s->z_open) inflateEnd(&s->z);
  ZSTD_freeDStream(s->zstd);
  free(s->in);
  free(s->head);
  free(s->first_line);
  free(s->before);
  free(s->skipped);
  free(s);
}
