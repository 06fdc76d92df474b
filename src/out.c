/* What the user sees: errors, tables, JSON, files that appear whole. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- errors */

static void say(const char *prefix, const char *fmt, va_list ap) {
  char line[2048];
  vsnprintf(line, sizeof line, fmt, ap);
  for (char *c = line; *c; c++) /* one line, and no escape sequences out of data */
    if ((unsigned char)*c < 32 || *c == 127) *c = '?';
  fprintf(stderr, "%s%s\n", prefix, line);
}

int cli_fail(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  say("leat: ", fmt, ap);
  va_end(ap);
  return CLI_FAILED;
}

int cli_wrong(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  say("leat: ", fmt, ap);
  va_end(ap);
  return CLI_USAGE;
}

int cli_fail_error(const leat_error *err) {
  const char *what = err->message[0] ? err->message : leat_status_text(err->code);
  if (err->code == LEAT_E_MEMORY && cli_pager_needs())
    return cli_fail("%s: --memory is too little: this needs at least %lldM", what, (long long)(cli_pager_needs() >> 20) + 1);
  return cli_fail("%s", what);
}

void cli_note(const cli_args *a, const char *fmt, ...) {
  va_list ap;
  if (a->quiet) return;
  va_start(ap, fmt);
  say("", fmt, ap);
  va_end(ap);
}

void cli_error_init(leat_error *err) {
  memset(err, 0, sizeof *err);
  err->struct_size = sizeof *err;
}

void *cli_grow(void *p, size_t bytes) {
  p = realloc(p, bytes ? bytes : 1);
  if (!p) exit(cli_fail("no memory: %llu bytes are too many for this machine", (unsigned long long)bytes));
  return p;
}

void *cli_alloc(size_t bytes) {
  void *p = cli_grow(NULL, bytes);
  memset(p, 0, bytes);
  return p;
}

char *cli_text(const char *fmt, ...) {
  va_list ap, again;
  va_start(ap, fmt);
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, fmt, ap);
  char *s = cli_alloc(n < 0 ? 1 : (size_t)n + 1);
  if (n > 0) vsnprintf(s, (size_t)n + 1, fmt, again);
  va_end(again);
  va_end(ap);
  return s;
}

/* ---- tables */

struct cli_table { const char *align; size_t n_cols, n_cells, cap; char **cell; size_t *width; };

/* Columns on the screen: bytes that do not continue a UTF-8 character. */
static size_t shown_width(const char *s) {
  size_t n = 0;
  for (; *s; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
  return n;
}

void cli_table_row(cli_table *t, const char *const *cells) {
  if (t->n_cells + t->n_cols > t->cap) {
    t->cap = t->cap * 2 + t->n_cols * 16;
    t->cell = cli_grow(t->cell, t->cap * sizeof *t->cell);
  }
  for (size_t i = 0; i < t->n_cols; i++) {
    char *copy = cli_text("%s", cells[i] ? cells[i] : "");
    for (char *c = copy; *c; c++) if ((unsigned char)*c < 32 || *c == 127) *c = '?';
    size_t w = shown_width(copy);
    if (w > t->width[i]) t->width[i] = w;
    t->cell[t->n_cells++] = copy;
  }
}

cli_table *cli_table_create(const char *align, const char *const *heads) {
  cli_table *t = cli_alloc(sizeof *t);
  t->align = align;
  t->n_cols = strlen(align);
  t->width = cli_alloc(t->n_cols * sizeof *t->width);
  if (heads) cli_table_row(t, heads);
  return t;
}

void cli_table_print(cli_table *t, FILE *to, int indent) {
  for (size_t r = 0; to && r < t->n_cells; r += t->n_cols) {
    fprintf(to, "%*s", indent, "");
    size_t pending = 0; /* blanks that are printed only when something follows */
    for (size_t i = 0; i < t->n_cols; i++) {
      const char *s = t->cell[r + i];
      size_t pad = t->width[i] - shown_width(s);
      int right = t->align[i] == 'r';
      if (right) pending += pad;
      if (*s) {
        fprintf(to, "%*s%s", (int)pending, "", s);
        pending = 0;
      }
      if (!right) pending += pad;
      pending += 2;
    }
    fputc('\n', to);
  }
  for (size_t i = 0; i < t->n_cells; i++) free(t->cell[i]);
  free(t->cell);
  free(t->width);
  free(t);
}

const char *cli_number(double v, char buf[32]) {
  if (!isfinite(v)) return strcpy(buf, "-");
  snprintf(buf, 32, "%.5g", v);
  return buf;
}

const char *cli_count(double v, char buf[32]) {
  static const char *const unit[] = { "", " thousand", " million", " billion" };
  int u = 0;
  while (v >= 999.5 && u < 3) { v /= 1000; u++; }
  snprintf(buf, 32, u && v < 99.95 ? "%.1f%s" : "%.0f%s", v, unit[u]);
  return buf;
}

const char *cli_bytes(int64_t n, char buf[32]) {
  static const char *const unit[] = { "B", "kB", "MB", "GB", "TB" };
  double v = (double)n;
  int u = 0;
  while (v >= 999.5 && u < 4) { v /= 1000; u++; }
  snprintf(buf, 32, u && v < 9.95 ? "%.1f %s" : "%.0f %s", v, unit[u]);
  return buf;
}

const char *cli_kind_name(int64_t kind) {
  static const char *const name[] = { "?", "number", "category", "text", "bool", "time", "id" };
  return name[kind >= 1 && kind <= 6 ? kind : 0];
}

const char *cli_role_name(int64_t role) {
  static const char *const name[] = { "?", "feature", "target", "weight", "key", "time", "group", "ignored" };
  return name[role >= 1 && role <= 7 ? role : 0];
}

/* ---- JSON and stdout */

json_t *cli_json_real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

int cli_flush(void) {
  if (fflush(stdout) || ferror(stdout)) return cli_fail("cannot write to stdout: %s", strerror(errno));
  return CLI_DONE;
}

int cli_json_print(json_t *object) {
  char *s = object ? json_dumps(object, JSON_REAL_PRECISION(15)) : NULL;
  json_decref(object);
  if (!s) return cli_fail("no memory: for the JSON object");
  puts(s);
  free(s);
  return cli_flush();
}

/* ---- files that appear whole */

int cli_output_check(const char *option, const char *path) {
  struct stat st;
  char *folder = cli_text("%s", path);
  char *slash = strrchr(folder, '/');
  int status = 0;
  if (slash == folder) slash[1] = 0;
  else if (slash) *slash = 0;
  else strcpy(folder, path[0] ? "." : "");
  if (!path[0])
    status = cli_wrong("%s: expected the path of a file, got none", option);
  else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
    status = cli_fail("%s %s: is a folder: expected the path of a file", option, path);
  else if (stat(folder, &st) || !S_ISDIR(st.st_mode))
    status = cli_fail("%s %s: there is no folder '%s': make it first", option, path, folder);
  else if (access(folder, W_OK))
    status = cli_fail("%s %s: the folder '%s' cannot be written to: %s", option, path, folder, strerror(errno));
  free(folder);
  return status;
}

int cli_output_open(cli_output *o, const char *path) {
  struct stat st;
  memset(o, 0, sizeof *o);
  o->to = stdout;
  if (!path || strcmp(path, "-") == 0) return 0;
  o->path = cli_text("%s", path);
  /* a device or a pipe cannot be renamed over: written as it is */
  int direct = stat(path, &st) == 0 && !S_ISREG(st.st_mode);
  if (!direct) o->temporary = cli_text("%s.tmp%ld", path, (long)getpid());
  o->to = fopen(direct ? path : o->temporary, "wb");
  if (o->to) return 0;
  int status = cli_fail("cannot write '%s': %s", path, strerror(errno));
  free(o->path);
  free(o->temporary);
  memset(o, 0, sizeof *o);
  return status;
}

void cli_output_abort(cli_output *o) {
  if (o->to && o->to != stdout) fclose(o->to);
  if (o->temporary) unlink(o->temporary);
  free(o->path);
  free(o->temporary);
  memset(o, 0, sizeof *o);
}

int cli_output_commit(cli_output *o) {
  if (o->to == stdout) return cli_flush();
  int bad = fflush(o->to) || ferror(o->to) || (o->temporary && fsync(fileno(o->to)));
  int why = errno;
  bad = fclose(o->to) || bad;
  o->to = NULL;
  if (!bad && o->temporary && rename(o->temporary, o->path)) {
    bad = 1;
    why = errno;
  }
  int status = bad ? cli_fail("cannot write '%s': %s; what was there before is untouched", o->path, strerror(why)) : 0;
  if (!bad) {
    free(o->temporary);
    o->temporary = NULL;
  }
  cli_output_abort(o);
  return status;
}

/* ---- signals */

static volatile sig_atomic_t interrupted;
static leat_trainer *volatile cancel_this;

static void on_signal(int number) {
  (void)number;
  interrupted = 1;
  if (cancel_this) leat_trainer_cancel(cancel_this); /* "any": it only sets a flag */
}

int cli_interrupted(void) { return interrupted; }

void cli_catch_signals(leat_trainer *t) {
  struct sigaction sa;
  cancel_this = t;
  memset(&sa, 0, sizeof sa);
  sa.sa_handler = on_signal;
  sa.sa_flags = (int)(SA_RESTART | SA_RESETHAND);
  sigaction(SIGINT, &sa, NULL);
  sigaction(SIGTERM, &sa, NULL);
}
