/* Runtime, parameters and DATA arguments. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_runtime(const cli_args *a, leat_runtime **rt) {
  leat_runtime_opts o;
  leat_error err;
  memset(&o, 0, sizeof o);
  o.struct_size = sizeof o;
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  o.n_threads = a->threads ? a->threads : cores > 0 ? cores : 1;
  cli_error_init(&err);
  char cache[4096];
  o.cache_folder = cli_cache_folder(a->device, cache, sizeof cache);
  leat_allocator paged;
  leat_file_system files;
  int pager = cli_pager_start(a, &paged, &files);
  if (pager < 0) return -pager;
  if (pager) {
    o.allocator = &paged;
    o.files = &files;
  }
  if (leat_runtime_create(&o, rt, &err)) return cli_fail_error(&err);
  return 0;
}

json_int_t cli_fallbacks(const leat_runtime *rt) {
  int64_t n = 0;
  return leat_runtime_stat(rt, "fallback_ops", &n, NULL) ? 0 : (json_int_t)n;
}

int cli_device(const cli_args *a, leat_runtime *rt, const leat_device **dev) {
  leat_error err;
  *dev = NULL;
  if (!a->device) return 0;
  cli_error_init(&err);
  int plugin = cli_plugin(rt, a->device, &err);
  if (plugin < 0) return cli_fail("device '%s': %s", a->device, err.message);
  if (leat_device_find(rt, a->device, dev, &err))
    return plugin ? cli_fail("device '%s': its plug-in is loaded and shows no such device (is a driver installed?); 'leat "
                             "devices' lists those that are there", a->device)
                  : cli_fail_error(&err);
  char why[512];
  uint64_t needed;
  if (leat_device_state(*dev, why, sizeof why, &needed, &err)) return cli_fail_error(&err);
  if (why[0]) return cli_fail("device '%s' cannot be used: %s", a->device, why);
  return 0;
}

/* ---- parameters */

int cli_params_have(const leat_params *p, const char *name) {
  int64_t n = 0;
  leat_params_count(p, &n, NULL);
  for (int64_t i = 0; i < n; i++) {
    leat_param_info info = { .struct_size = sizeof info };
    if (leat_params_info(p, i, &info, NULL) == LEAT_OK && strcmp(info.name, name) == 0) return 1;
  }
  return 0;
}

static int unknown_param(leat_params *const *sets, int n, const char *name) {
  const char **names = NULL;
  int64_t have = 0;
  for (int k = 0; k < n; k++) {
    int64_t count = 0;
    leat_params_count(sets[k], &count, NULL);
    names = cli_grow(names, sizeof *names * (size_t)(have + count));
    for (int64_t i = 0; i < count; i++) {
      leat_param_info info = { .struct_size = sizeof info };
      if (leat_params_info(sets[k], i, &info, NULL) == LEAT_OK) names[have++] = info.name;
    }
  }
  const char *near = cli_nearest(name, names, have);
  int status = near ? cli_wrong("--set %s: unknown parameter '%s': did you mean '%s'?", name, name, near)
                    : cli_wrong("--set %s: unknown parameter '%s': --help lists them", name, name);
  free(names);
  return status;
}

int cli_apply_sets(const cli_args *a, leat_params *const *sets, int n) {
  for (int i = 0; i < a->n_sets; i++) {
    leat_error err;
    cli_error_init(&err);
    int k = 0;
    while (k < n && !cli_params_have(sets[k], a->set_name[i])) k++;
    if (k == n) return unknown_param(sets, n, a->set_name[i]);
    if (leat_params_set_text(sets[k], a->set_name[i], a->set_value[i], &err))
      return cli_wrong("--set %s=%s: %s", a->set_name[i], a->set_value[i], err.message);
  }
  return 0;
}

/* ---- readers */

static int ends_with(const char *s, size_t n, const char *end) {
  size_t m = strlen(end);
  return n >= m && strncmp(s + n - m, end, m) == 0;
}

/* The reader that a file's name asks for. */
static const char *format_of(const char *path) {
  static const char *const table[][2] = {
    { ".csv", "csv" }, { ".tsv", "csv" }, { ".svm", "svmlight" }, { ".svmlight", "svmlight" },
    { ".libsvm", "svmlight" }, { ".npy", "npy" }, { ".idx", "idx" }, { "-idx1-ubyte", "idx" },
    { "-idx2-ubyte", "idx" }, { "-idx3-ubyte", "idx" }, { "-idx4-ubyte", "idx" }, { ".ndjson", "ndjson" },
    { ".jsonl", "ndjson" }, { ".ldat", "ldat" },
  };
  size_t n = strlen(path);
  if (ends_with(path, n, ".zst")) n -= 4;
  else if (ends_with(path, n, ".gz")) n -= 3;
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    if (ends_with(path, n, table[i][0])) return table[i][1];
  return "csv";
}

static int set_role(leat_params *p, const char *format, const char *option, const char *value) {
  leat_error err;
  cli_error_init(&err);
  if (!value) return 0;
  if (!cli_params_have(p, option))
    return cli_wrong("--%s %s: %s data has no such thing: leave the option out", option, value, format);
  if (leat_params_set_text(p, option, value, &err)) return cli_wrong("--%s %s: %s", option, value, err.message);
  return 0;
}

static int unknown_format(leat_runtime *rt, const char *path, const char *format) {
  const char *names[16];
  int64_t n = 0, have = 0;
  leat_spec_count(rt, &n, NULL);
  char *list = cli_text("%s", "");
  for (int64_t i = 0; i < n && have < 16; i++) {
    const char *name;
    if (leat_spec_name(rt, i, &name, NULL) || strncmp(name, "reader/", 7) != 0) continue;
    names[have++] = name + 7;
    char *longer = cli_text("%s%s%s", list, list[0] ? ", " : "", name + 7);
    free(list);
    list = longer;
  }
  const char *near = cli_nearest(format, names, have);
  int status = near ? cli_wrong("%s: unknown format '%s': did you mean '%s'?", path, format, near)
                    : cli_wrong("%s: format '%s' cannot be read: give --format, one of %s", path, format, list);
  free(list);
  return status;
}

int cli_reader(const cli_args *a, leat_runtime *rt, const char *path, int with_roles, leat_params **out) {
  const char *format = a->format ? a->format : format_of(path);
  leat_error err;
  leat_params *p = NULL;
  cli_error_init(&err);
  if (strcmp(format, "tsv") == 0) format = "csv";
  if (strcmp(format, "libsvm") == 0) format = "svmlight";
  char *spec = cli_text("reader/%s", format);
  leat_status e = leat_params_create(rt, spec, &p, &err);
  free(spec);
  if (e == LEAT_E_NOT_FOUND) return unknown_format(rt, path, format);
  if (e) return cli_fail_error(&err);
  int status = 0;
  if (a->header >= 0) status = set_role(p, format, "header", a->header ? "yes" : "no");
  const char *const role[][2] = { { "target", a->target }, { "key", a->key }, { "weight", a->weight },
    { "time", a->time }, { "ignore", a->ignore }, { "categorical", a->categorical }, { "text", a->text },
    { "task", a->task } };
  size_t n = with_roles ? sizeof role / sizeof role[0] : 2; /* a model's schema knows the others */
  for (size_t i = 0; !status && i < n; i++) status = set_role(p, format, role[i][0], role[i][1]);
  if (status) {
    leat_params_free(p);
    p = NULL;
  }
  *out = p;
  return status;
}

/* The library reads labels by path; packed ones are unpacked beside the other temporary files. */
static int unpack_labels(const char *path, char **out) {
  int regular, packing = cli_source_packing(path, &regular);
  *out = NULL;
  if (packing < 0) return CLI_FAILED;
  if (packing != CLI_GZIP && regular) return 0;
  const char *folder = getenv("TMPDIR");
  char *name = cli_text("%s/leat-labels-XXXXXX", folder && folder[0] ? folder : "/tmp");
  int fd = mkstemp(name);
  FILE *to = fd < 0 ? NULL : fdopen(fd, "wb");
  if (!to) {
    int status = cli_fail("cannot unpack '%s' to '%s': %s", path, name, strerror(errno));
    free(name);
    return status;
  }
  cli_source *s = cli_source_open(&path, 1, -1);
  char *buf = cli_alloc(1 << 16);
  int64_t got;
  int bad = 0;
  while (!bad && (got = cli_source_pull(s, buf, 1 << 16)) != 0)
    bad = got < 0 || fwrite(buf, 1, (size_t)got, to) != (size_t)got;
  if (fclose(to)) bad = 1;
  int status = bad ? cli_fail("cannot unpack %s", cli_source_error(s)[0] ? cli_source_error(s) : path) : 0;
  cli_source_free(s);
  free(buf);
  *out = name;
  return status;
}

/* Puts `with` for every `what` in the message: users know the file they named, not our temporary one. */
static void rename_in(char *message, size_t cap, const char *what, const char *with) {
  char *hit;
  while (what && strcmp(what, with) != 0 && (hit = strstr(message, what)) != NULL) {
    char *longer = cli_text("%.*s%s%s", (int)(hit - message), message, with, hit + strlen(what));
    snprintf(message, cap, "%s", longer);
    free(longer);
    if (strstr(with, what)) return;
  }
}

int cli_data_failed(const cli_data *d, const leat_error *err) {
  leat_error e = *err;
  long long line = 0;
  if (cli_source_error(d->source)[0]) return cli_fail("cannot read %s", cli_source_error(d->source));
  if (d->temporary) rename_in(e.message, sizeof e.message, d->temporary, d->labels);
  const char *at = strstr(e.message, "(line ");
  int64_t own;
  const char *file = at && sscanf(at, "(line %lld)", &line) == 1 ? cli_source_line(d->source, line, &own) : NULL;
  if (file) return cli_fail("%s; that is line %lld of %s", e.message, (long long)own, file);
  return cli_fail_error(&e);
}

static int open_packed(const cli_args *a, leat_runtime *rt, const leat_schema *schema, const leat_params *reader,
                       const char *const *files, int n, cli_data *out) {
  leat_error err;
  cli_error_init(&err);
  int csv = strcmp(a->format ? a->format : format_of(files[0]), "csv") == 0 ? a->header == 1 ? 2 : a->header != 0 : 0;
  const char *first = strcmp(files[0], "-") == 0 ? "stdin" : files[0];
  char *name = n > 1 ? cli_text("%s (and %d more)", first, n - 1) : cli_text("%s", first);
  out->source = cli_source_open(files, n, csv);
  leat_status e = leat_dataset_from_reader(rt, schema, reader, name, cli_source_pull, out->source, &out->set, &err);
  free(name);
  return e ? cli_data_failed(out, &err) : 0;
}

int cli_data_open(const cli_args *a, leat_runtime *rt, const leat_schema *schema, const leat_params *reader,
                  const char *const *files, int n, int stream, cli_data *out) {
  leat_error err;
  leat_params *p = NULL;
  int status = 0, regular = 0, packing = CLI_PLAIN;
  memset(out, 0, sizeof *out);
  cli_error_init(&err);
  for (int i = n - 1; i >= 0; i--) /* the first one's answer stays */
    if ((packing = cli_source_packing(files[i], &regular)) < 0) return CLI_FAILED;
  if (leat_params_copy(reader, &p, &err)) return cli_fail_error(&err);
  if (a->labels) {
    out->labels = a->labels;
    status = unpack_labels(a->labels, &out->temporary);
    const char *labels = out->temporary ? out->temporary : a->labels;
    if (!status) status = set_role(p, "this", "labels", labels);
  }
  if (status) goto out;
  if (stream && cli_params_have(p, "stream")) leat_params_set_i64(p, "stream", 1, NULL);
  if (n == 1 && regular && packing != CLI_GZIP) {
    if (cli_params_have(p, "map")) leat_params_set_i64(p, "map", packing == CLI_PLAIN, NULL);
    if (leat_dataset_open(rt, schema, files[0], p, &out->set, &err)) status = cli_data_failed(out, &err);
  } else
    status = open_packed(a, rt, schema, p, files, n, out);
out:
  leat_params_free(p);
  if (status) cli_data_close(out);
  return status;
}

void cli_data_close(cli_data *d) {
  leat_dataset_free(d->set);
  cli_source_free(d->source);
  if (d->temporary) unlink(d->temporary);
  free(d->temporary);
  memset(d, 0, sizeof *d);
}

/* ---- models */

int cli_model_load(leat_runtime *rt, const char *path, leat_model **out) {
  leat_error err;
  cli_error_init(&err);
  return leat_model_load(rt, path, out, &err) ? cli_fail_error(&err) : 0;
}

char *cli_model_text(const leat_model *m, const char *name) {
  uint64_t needed = 0;
  leat_status e = leat_model_get_text(m, name, NULL, 0, &needed, NULL);
  if ((e != LEAT_OK && e != LEAT_E_CAPACITY) || !needed) return NULL;
  char *s = cli_alloc(needed);
  if (leat_model_get_text(m, name, s, needed, &needed, NULL) == LEAT_OK) return s;
  free(s);
  return NULL;
}

int64_t cli_model_i64(const leat_model *m, const char *name) {
  int64_t v = 0;
  leat_model_get_i64(m, name, &v, NULL);
  return v;
}

uint64_t cli_model_numbers(const leat_model *m, const char *name, double *v, uint64_t cap) {
  uint64_t n = 0;
  return leat_model_get_f64s(m, name, v, cap, &n, NULL) == LEAT_OK ? n : 0;
}

int64_t cli_schema_role(const leat_schema *s, leat_role role) {
  int64_t n = 0;
  leat_schema_count(s, &n, NULL);
  for (int64_t i = 0; i < n; i++) {
    leat_column_info info = { .struct_size = sizeof info };
    if (leat_schema_column(s, i, &info, NULL) == LEAT_OK && info.role == role) return i;
  }
  return -1;
}

int cli_schema_set_weight(leat_schema *s, const char *name) {
  leat_error err;
  int64_t index, old = cli_schema_role(s, LEAT_ROLE_WEIGHT);
  cli_error_init(&err);
  if (old >= 0) leat_schema_set_role(s, old, LEAT_ROLE_IGNORE, NULL);
  leat_status e = leat_schema_find(s, name, &index, NULL);
  if (e == LEAT_OK) {
    leat_column_info info = { .struct_size = sizeof info };
    leat_schema_column(s, index, &info, NULL);
    if (info.role == LEAT_ROLE_FEATURE || info.role == LEAT_ROLE_TARGET)
      return cli_fail("--weight %s: the model uses this column as %s: choose another one", name,
                      cli_role_name(info.role));
    e = leat_schema_set_role(s, index, LEAT_ROLE_WEIGHT, &err);
  } else
    e = leat_schema_add_column(s, name, LEAT_NUMBER, LEAT_ROLE_WEIGHT, &err);
  return e ? cli_fail_error(&err) : 0;
}
