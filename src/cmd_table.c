/* leat table: predictions made beforehand, in files that answer keys. One verb a function. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct table_job {
  const cli_args *a;
  leat_runtime *rt;
  leat_store *s;
  leat_table *t;
  leat_table_info info;
} table_job;

/* ---- keys and values as text */

/* A key that is no UTF-8 text would not be JSON: such bytes are shown as "\xNN" there. */
static json_t *key_json(const table_job *j, const void *key, uint64_t size) {
  const unsigned char *p = key;
  if (strcmp(j->info.key_type, "u64") == 0) {
    uint64_t v;
    memcpy(&v, key, 8);
    char *text = cli_text("%llu", (unsigned long long)v);
    json_t *s = json_string(text);
    free(text);
    return s;
  }
  json_t *s = json_stringn(key, size);
  if (s) return s;
  char *text = cli_alloc(4 * (size_t)size + 1), *to = text;
  for (uint64_t i = 0; i < size; i++) {
    if (p[i] < 0x80 && p[i] >= ' ') *to++ = (char)p[i];
    else to += snprintf(to, 5, "\\x%02x", p[i]);
  }
  *to = 0;
  s = json_string(text);
  free(text);
  return s;
}

static void put_key(const table_job *j, FILE *to, const void *key, uint64_t size) {
  if (strcmp(j->info.key_type, "u64") == 0) {
    uint64_t v;
    memcpy(&v, key, 8);
    fprintf(to, "%llu", (unsigned long long)v);
  } else
    fwrite(key, 1, (size_t)size, to);
}

static void put_float(FILE *to, float v) {
  char buf[40];
  for (int digits = 6; digits <= 9; digits++) {
    snprintf(buf, sizeof buf, "%.*g", digits, (double)v);
    if (digits == 9 || strtof(buf, NULL) == v) break;
  }
  fputs(buf, to);
}

static json_t *float_json(float v) {
  char buf[40];
  for (int digits = 6; digits <= 9; digits++) { /* 0.1, not 0.10000000149 */
    snprintf(buf, sizeof buf, "%.*g", digits, (double)v);
    if (digits == 9 || strtof(buf, NULL) == v) break;
  }
  return isfinite(v) ? json_real(strtod(buf, NULL)) : json_null();
}

/* One number, or an array of them. */
static json_t *values_json(const table_job *j, const float *v, int there) {
  if (!there) return json_null();
  if (j->info.values == 1) return float_json(v[0]);
  json_t *list = json_array();
  for (int64_t k = 0; k < j->info.values; k++) json_array_append_new(list, float_json(v[k]));
  return list;
}

static void put_values(const table_job *j, FILE *to, const float *v) {
  for (int64_t k = 0; k < j->info.values; k++) {
    putc('\t', to);
    put_float(to, v[k]);
  }
}

static const char *answer_name(int64_t found) {
  static const char *const names[] = { "?", "MISS", "HIT", "DEFAULT", "FALLBACK", "STALE" };
  return names[found >= 1 && found <= 5 ? found : 0];
}

/* A key of the command line, as the library takes it. */
static int take_key(const table_job *j, const char *text, uint64_t *number, const void **key, uint64_t *size) {
  *key = text;
  *size = strlen(text);
  if (strcmp(j->info.key_type, "u64") != 0)
    return *size ? 0 : cli_wrong("an empty key: expected some text");
  char *end;
  errno = 0;
  *number = strtoull(text, &end, 10);
  if (text[0] < '0' || text[0] > '9' || *end || errno)
    return cli_wrong("key '%s': this table's keys are whole numbers from 0 to 18446744073709551615", text);
  *key = number;
  *size = 8;
  return 0;
}

/* ---- opening, and what is printed of a table */

/* Of a store: its table of that name. */
static leat_status open_published(table_job *j, const char *name, const leat_params *p, leat_error *err) {
  leat_follower *f = NULL;
  leat_status st = leat_follower_create(j->s, name, p, &f, err);
  if (!st) st = leat_follower_table(f, &j->t, NULL, err);
  leat_follower_free(f);
  return st;
}

static int open_table(table_job *j, const char *path, int verify) {
  leat_params *p = NULL;
  leat_error err;
  cli_error_init(&err);
  j->info.struct_size = sizeof j->info;
  int status = j->a->store && !j->s ? cli_store_open(j->a, j->rt, j->a->store, 0, 0, &j->s) : 0;
  if (status) return status;
  int bad = leat_params_create(j->rt, "table/read", &p, &err) || leat_params_set_i64(p, "map", 1, &err) ||
            leat_params_set_i64(p, "verify", verify, &err) ||
            (j->s ? open_published(j, path, p, &err) : leat_table_open(j->rt, path, p, &j->t, &err)) ||
            leat_table_get_info(j->t, &j->info, &err);
  leat_params_free(p);
  return bad ? cli_fail_error(&err) : 0;
}

static json_t *info_json(const table_job *j, const char *path) {
  char created[32], until[32];
  const leat_table_info *i = &j->info;
  json_t *root = json_pack("{s:s,s:I,s:I,s:s,s:s,s:s,s:s,s:s,s:s?}", "file", path, "rows", (json_int_t)i->rows, "bytes",
                           (json_int_t)i->bytes, "layout", i->layout, "key_type", i->key_type, "model_checksum",
                           i->model_checksum, "checksum", i->checksum, "created", cli_time(i->created_ns, created),
                           "valid_until", i->valid_until_ns ? cli_time(i->valid_until_ns, until) : NULL);
  json_t *names = json_array();
  for (int64_t k = 0; k < i->values; k++) json_array_append_new(names, json_string(i->value_names[k]));
  json_object_set_new(root, "values", names);
  json_object_set_new(root, "default", values_json(j, i->default_values, i->default_values != NULL));
  return root;
}

/* Opens what was written, and tells of it. */
static int tell(table_job *j, const char *path, const char *how, double seconds) {
  int status = open_table(j, path, 0);
  if (status) return status;
  if (j->a->json) {
    json_t *root = info_json(j, path);
    if (seconds > 0) {
      json_object_set_new(root, "seconds", cli_json_real(seconds));
      json_object_set_new(root, "rows_per_second", cli_json_real((double)j->info.rows / (seconds + 1e-9)));
    }
    return cli_json_print(root);
  }
  char number[32], bytes[32];
  printf("%s %s: %lld keys (%s), %s, layout %s\n", path, how, (long long)j->info.rows, cli_count((double)j->info.rows, number),
         cli_bytes(j->info.bytes, bytes), j->info.layout);
  return cli_flush();
}

static int table_info(table_job *j) {
  const char *path = j->a->files[1];
  int status = open_table(j, path, 0);
  if (status) return status;
  if (j->a->json) return cli_json_print(info_json(j, path));
  const leat_table_info *i = &j->info;
  char number[32], bytes[32], created[32], until[32];
  cli_table *t = cli_table_create("ll", NULL);
  char *rows = cli_text("%lld", (long long)i->rows), *names = cli_text("%s", "");
  for (int64_t k = 0; k < i->values; k++) {
    char *longer = cli_text("%s%s%s", names, k ? ", " : "", i->value_names[k]);
    free(names);
    names = longer;
  }
  snprintf(number, sizeof number, "%.1f", i->rows ? (double)i->bytes / (double)i->rows : 0.0);
  const char *const facts[][2] = { { "layout", i->layout }, { "keys", rows }, { "key type", i->key_type },
    { "bytes", cli_bytes(i->bytes, bytes) }, { "bytes a key", number }, { "values", names },
    { "model", i->model_checksum[0] ? i->model_checksum : "-" }, { "created", cli_time(i->created_ns, created) },
    { "valid until", i->valid_until_ns ? cli_time(i->valid_until_ns, until) : "for ever" }, { "checksum", i->checksum } };
  for (size_t k = 0; k < sizeof facts / sizeof facts[0]; k++) cli_table_row(t, facts[k]);
  cli_table_print(t, stdout, 0);
  free(rows);
  free(names);
  return cli_flush();
}

static int table_verify(table_job *j) {
  const char *path = j->a->files[1];
  int status = open_table(j, path, 1);
  leat_table_reader *r = NULL;
  leat_error err;
  cli_error_init(&err);
  if (status) return status;
  /* every row is also read: checksums guard against accidents, this against files that were made to lie */
  char *key = cli_alloc((size_t)j->info.key_bytes + 8);
  uint64_t needed;
  int64_t rows = 0;
  leat_status e = leat_table_reader_create(j->t, 0, &r, &err);
  while (!e && !(e = leat_table_reader_next(r, key, (uint64_t)j->info.key_bytes, &needed, NULL, 0, &err))) rows++;
  if (e != LEAT_E_NOT_FOUND) status = cli_fail_error(&err);
  else if (rows != j->info.rows)
    status = cli_fail("%s: is damaged: it has %lld keys and should have %lld", path, (long long)rows, (long long)j->info.rows);
  leat_table_reader_free(r);
  free(key);
  if (status) return status;
  if (j->a->json) {
    json_t *root = info_json(j, path);
    json_object_set_new(root, "ok", json_true());
    return cli_json_print(root);
  }
  printf("%s: all %lld keys and every checksum are right\n", path, (long long)rows);
  return cli_flush();
}

/* ---- writing */

static int shard_of(const cli_args *a, leat_params *p) {
  int64_t shard, shards;
  char *text = cli_text("%s", a->shard), *slash = strchr(text, '/');
  leat_error err;
  cli_error_init(&err);
  if (slash) *slash = 0;
  int bad = !slash || !cli_parse_i64(text, &shard) || !cli_parse_i64(slash + 1, &shards) || shard < 0 || shards < 1 || shard >= shards;
  free(text);
  if (bad) return cli_wrong("--shard '%s': expected I/N, part I from 0 to N-1 of N, e.g. 0/4", a->shard);
  if (leat_params_set_i64(p, "shard", shard, &err) || leat_params_set_i64(p, "shards", shards, &err))
    return cli_wrong("--shard %s: %s", a->shard, err.message);
  return 0;
}

/* Parameters of "table/write" with the options in; reader: further ones that --set may mean, or NULL. */
static int write_params(const table_job *j, leat_params *reader, leat_params **out) {
  const cli_args *a = j->a;
  leat_error err;
  leat_params *p = NULL;
  cli_error_init(&err);
  *out = NULL;
  if (leat_params_create(j->rt, "table/write", &p, &err)) return cli_fail_error(&err);
  int status = 0;
  if (a->layout && leat_params_set_text(p, "layout", a->layout, &err)) status = cli_wrong("--layout %s: %s", a->layout, err.message);
  if (!status && a->shard) status = shard_of(a, p);
  if (!status) leat_params_set_i64(p, "map", 1, NULL);
  leat_params *const sets[] = { p, reader };
  if (!status) status = cli_apply_sets(a, sets, reader ? 2 : 1);
  if (status) leat_params_free(p);
  else *out = p;
  return status;
}

static int need_output(const table_job *j) {
  if (!j->a->output) return cli_wrong("table %s: where to? expected -o T.ltab", j->a->files[0]);
  return cli_output_check("-o", j->a->output);
}

static int table_build(table_job *j) {
  const cli_args *a = j->a;
  leat_error err;
  leat_model *m = NULL;
  leat_schema *schema = NULL;
  leat_params *reader = NULL, *p = NULL;
  leat_table_writer *w = NULL;
  const leat_device *dev = NULL;
  double begun = cli_seconds();
  cli_error_init(&err);
  if (!a->key) return cli_wrong("table build: by which column are rows looked up? expected --key COL");
  int status = need_output(j);
  if (!status) status = cli_device(a, j->rt, &dev);
  if (!status) status = cli_model_load(j->rt, a->files[1], &m);
  if (!status) status = cli_reader(a, j->rt, a->files[2], 0, &reader);
  if (!status) status = write_params(j, reader, &p);
  if (!status && (leat_model_schema(m, &schema, &err) || leat_table_writer_create(j->rt, a->output, p, m, &w, &err)))
    status = cli_fail_error(&err);
  for (int i = 2; !status && i < a->n_files; i++) {
    cli_data d;
    status = cli_data_open(a, j->rt, schema, reader, &a->files[i], 1, 1, &d);
    if (status) break;
    if (leat_table_writer_score(w, d.set, dev, &err)) status = cli_data_failed(&d, &err);
    cli_data_close(&d);
  }
  if (!status && leat_table_writer_finish(w, &err)) status = cli_fail_error(&err);
  leat_table_writer_free(w);
  leat_params_free(p);
  leat_params_free(reader);
  leat_schema_free(schema);
  leat_model_free(m);
  return status ? status : tell(j, a->output, "written", cli_seconds() - begun);
}

static int table_merge(table_job *j) {
  const cli_args *a = j->a;
  leat_error err;
  leat_params *p = NULL;
  double begun = cli_seconds();
  cli_error_init(&err);
  int status = need_output(j);
  if (!status) status = open_table(j, a->files[1], 0);
  if (!status) status = write_params(j, NULL, &p);
  if (!status && !a->layout) { /* merge: as the first one is; convert: as it is not */
    int hash = strcmp(j->info.layout, "hash") == 0;
    int convert = strcmp(a->files[0], "convert") == 0;
    if (leat_params_set_text(p, "layout", hash != convert ? "hash" : "sorted", &err)) status = cli_fail_error(&err);
  }
  leat_table_free(j->t);
  j->t = NULL;
  if (!status && leat_table_merge(j->rt, a->files + 1, (uint64_t)(a->n_files - 1), a->output, p, &err)) status = cli_fail_error(&err);
  leat_params_free(p);
  return status ? status : tell(j, a->output, "written", cli_seconds() - begun);
}

/* ---- key<TAB>value lines into a table: what workers wrote */

typedef struct load_run { leat_table_writer *w; float *value; int64_t n_values; int u64; const char *file; long long line; } load_run;

static int load_line(load_run *r, char *line, size_t n) {
  leat_error err;
  char *tab = memchr(line, '\t', n), *p, *end;
  uint64_t number;
  const void *key = line;
  cli_error_init(&err);
  line[n] = 0;
  if (!n) return 0;
  if (!tab || tab == line) return cli_fail("%s: line %lld: expected key<TAB>value, got '%.60s'", r->file, r->line, line);
  uint64_t size = (uint64_t)(tab - line);
  if (r->u64) {
    *tab = 0;
    errno = 0;
    number = strtoull(line, &end, 10);
    if (*line < '0' || *line > '9' || *end || errno)
      return cli_fail("%s: line %lld: the key '%.60s' is no whole number of 64 bits", r->file, r->line, line);
    key = &number;
    size = 8;
  }
  p = tab + 1;
  for (int64_t k = 0; k < r->n_values; k++) { /* separated by tabs or commas */
    r->value[k] = strtof(p, &end);
    if (end == p || (k + 1 < r->n_values ? *end != ',' && *end != '\t' : *end && *end != '\r'))
      return cli_fail("%s: line %lld: expected %lld numbers behind the key, got '%.60s'", r->file, r->line, (long long)r->n_values, tab + 1);
    p = end + 1;
  }
  if (leat_table_writer_add(r->w, key, size, r->value, (uint64_t)r->n_values, &err)) return cli_fail_error(&err);
  return 0;
}

static int load_file(load_run *r, const char *path) {
  cli_source *s = cli_source_open(&path, 1, -1);
  size_t cap = 1 << 20, used = 0;
  char *buf = cli_alloc(cap + 1);
  int64_t got = 1;
  int status = 0;
  r->file = strcmp(path, "-") == 0 ? "stdin" : path;
  r->line = 0;
  while (!status && got > 0) {
    if (cap - used < cap / 2) buf = cli_grow(buf, (cap *= 2) + 1);
    got = cli_source_pull(s, buf + used, cap - used);
    if (got < 0) {
      status = cli_fail("cannot read %s", cli_source_error(s)[0] ? cli_source_error(s) : path);
      break;
    }
    used += (size_t)got;
    char *from = buf, *end = buf + used, *newline;
    while (!status && (newline = memchr(from, '\n', (size_t)(end - from))) != NULL) {
      r->line++;
      status = load_line(r, from, (size_t)(newline - from));
      from = newline + 1;
    }
    if (!status && got == 0 && end > from) {
      r->line++;
      status = load_line(r, from, (size_t)(end - from));
      from = end;
    }
    used = (size_t)(end - from);
    memmove(buf, from, used);
  }
  free(buf);
  cli_source_free(s);
  return status;
}

static int table_load(table_job *j) {
  const cli_args *a = j->a;
  leat_error err;
  leat_params *p = NULL;
  leat_model *m = NULL;
  load_run r = { NULL, NULL, 0, 0, NULL, 0 };
  double begun = cli_seconds();
  char type[16];
  uint64_t needed;
  cli_error_init(&err);
  int status = need_output(j);
  if (!status && a->model) status = cli_model_load(j->rt, a->model, &m);
  if (!status) status = write_params(j, NULL, &p);
  if (!status && (leat_table_writer_create(j->rt, a->output, p, m, &r.w, &err) ||
                  leat_params_get_i64(p, "values", &r.n_values, &err) ||
                  leat_params_get_text(p, "key_type", type, sizeof type, &needed, &err)))
    status = cli_fail_error(&err);
  if (!status && m) r.n_values = cli_model_i64(m, "out_cols");
  r.value = cli_alloc((size_t)(r.n_values + 1) * sizeof *r.value);
  r.u64 = !status && strcmp(type, "u64") == 0;
  for (int i = 1; !status && i < a->n_files; i++) status = load_file(&r, a->files[i]);
  if (!status && leat_table_writer_finish(r.w, &err)) status = cli_fail_error(&err);
  leat_table_writer_free(r.w);
  leat_model_free(m);
  leat_params_free(p);
  free(r.value);
  return status ? status : tell(j, a->output, "written", cli_seconds() - begun);
}

/* ---- reading */

static int get_one(table_job *j, leat_table_reader *r, const char *text, float *v) {
  leat_error err;
  uint64_t number, size;
  const void *key;
  int64_t found;
  cli_error_init(&err);
  int status = take_key(j, text, &number, &key, &size);
  if (status) return status;
  if (leat_table_reader_get(r, key, size, v, (uint64_t)j->info.values, &found, &err)) return cli_fail_error(&err);
  int there = found != LEAT_TABLE_MISS;
  if (j->a->json)
    return cli_json_print(json_pack("{s:o,s:s,s:o}", "key", key_json(j, key, size), "status", answer_name(found), "value", values_json(j, v, there)));
  put_key(j, stdout, key, size);
  printf("\t%s", answer_name(found));
  if (there) put_values(j, stdout, v);
  putchar('\n');
  return 0;
}

static int table_get(table_job *j) {
  const cli_args *a = j->a;
  leat_table_reader *r = NULL;
  leat_error err;
  cli_error_init(&err);
  int status = open_table(j, a->files[1], 0);
  float *v = cli_alloc((size_t)(status ? 1 : j->info.values) * sizeof *v);
  if (!status && leat_table_reader_create(j->t, 16 << 20, &r, &err)) status = cli_fail_error(&err);
  for (int i = 2; !status && i < a->n_files; i++) {
    if (strcmp(a->files[i], "-") != 0) {
      status = get_one(j, r, a->files[i], v);
      continue;
    }
    char *line = NULL; /* keys from stdin, one a line */
    size_t cap = 0;
    ssize_t n;
    while (!status && (n = getline(&line, &cap, stdin)) > 0) {
      while (n && (line[n - 1] == '\n' || line[n - 1] == '\r')) line[--n] = 0;
      if (n) status = get_one(j, r, line, v);
    }
    free(line);
  }
  leat_table_reader_free(r);
  free(v);
  return status ? status : cli_flush();
}

static int table_scan(table_job *j) {
  const cli_args *a = j->a;
  leat_table_reader *r = NULL;
  leat_error err;
  uint64_t number = 0, last_number = 0, size = 0, last_size = 0, needed;
  const void *from = NULL, *last = NULL;
  cli_error_init(&err);
  int status = open_table(j, a->files[1], 0);
  if (status) return status;
  if (a->from) status = take_key(j, a->from, &number, &from, &size);
  if (!status && a->until) status = take_key(j, a->until, &last_number, &last, &last_size);
  if (!status && last && strcmp(j->info.layout, "sorted") != 0)
    status = cli_fail("--until: %s is in the order of hashes: ranges need the layout 'sorted' (leat table convert)", a->files[1]);
  float *v = cli_alloc((size_t)j->info.values * sizeof *v);
  char *key = cli_alloc((size_t)j->info.key_bytes + 8);
  if (!status && (leat_table_reader_create(j->t, 0, &r, &err) || leat_table_reader_seek(r, from, size, &err))) status = cli_fail_error(&err);
  for (int64_t row = 0; !status && (!a->limit || row < a->limit); row++) {
    leat_status e = leat_table_reader_next(r, key, (uint64_t)j->info.key_bytes, &needed, v, (uint64_t)j->info.values, &err);
    if (e == LEAT_E_NOT_FOUND) break;
    if (e) {
      status = cli_fail_error(&err);
      break;
    }
    if (last) { /* up to it, without it */
      uint64_t got;
      int order;
      if (strcmp(j->info.key_type, "u64") == 0) {
        memcpy(&got, key, 8);
        order = got < last_number ? -1 : 1;
      } else {
        order = memcmp(key, last, (size_t)(needed < last_size ? needed : last_size));
        if (!order) order = needed < last_size ? -1 : 1;
      }
      if (order > 0) break;
    }
    if (a->json) {
      status = cli_json_print(json_pack("{s:o,s:o}", "key", key_json(j, key, needed), "value", values_json(j, v, 1)));
      continue;
    }
    put_key(j, stdout, key, needed);
    put_values(j, stdout, v);
    putchar('\n');
    if (ferror(stdout)) break;
  }
  leat_table_reader_free(r);
  free(v);
  free(key);
  return status ? status : cli_flush();
}

/* ---- two tables */

typedef struct diff_list { const table_job *j; json_t *list; cli_table *table; int64_t left; } diff_list;

static void diff_each(void *user, int64_t what, const void *key, uint64_t size, const float *a, const float *b) {
  static const char *const names[] = { "?", "added", "removed", "changed" };
  diff_list *d = user;
  if (d->left-- <= 0) return;
  if (d->list) {
    json_array_append_new(d->list, json_pack("{s:o,s:s,s:o,s:o}", "key", key_json(d->j, key, size), "change", names[what],
                                             "from", values_json(d->j, a, a != NULL), "to", values_json(d->j, b, b != NULL)));
    return;
  }
  char from[32] = "-", to[32] = "-";
  json_t *shown = key_json(d->j, key, size);
  if (a) cli_number((double)a[0], from);
  if (b) cli_number((double)b[0], to);
  const char *row[] = { json_string_value(shown), names[what], from, to };
  cli_table_row(d->table, row);
  json_decref(shown);
}

static int table_diff(table_job *j) {
  const cli_args *a = j->a;
  table_job other = { a, j->rt, NULL, NULL, { 0 } };
  leat_table_changes c = { .struct_size = sizeof c };
  leat_error err;
  char number[32];
  static const char *const heads[] = { "key", "change", "from", "to" };
  cli_error_init(&err);
  int status = open_table(j, a->files[1], 0);
  if (!status) status = open_table(&other, a->files[2], 0);
  diff_list d = { j, a->json ? json_array() : NULL, cli_table_create("llrr", heads), a->limit ? a->limit : 10 };
  if (!status && leat_table_diff(j->t, other.t, a->tolerance, diff_each, &d, &c, &err)) status = cli_fail_error(&err);
  leat_table_free(other.t);
  if (!status && !a->json) {
    printf("%lld keys the same, %lld changed, %lld added, %lld removed; largest difference %s\n", (long long)c.same,
           (long long)c.changed, (long long)c.added, (long long)c.removed, cli_number(c.max_difference, number));
    if (c.changed + c.added + c.removed) printf("\nthe first of them\n");
  }
  cli_table_print(d.table, !status && !a->json && c.changed + c.added + c.removed ? stdout : NULL, 2);
  if (status || !a->json) {
    json_decref(d.list);
    return status ? status : cli_flush();
  }
  return cli_json_print(json_pack("{s:I,s:I,s:I,s:I,s:o,s:o}", "same", (json_int_t)c.same, "changed", (json_int_t)c.changed, "added",
                                  (json_int_t)c.added, "removed", (json_int_t)c.removed, "max_difference", cli_json_real(c.max_difference),
                                  "keys", d.list));
}

/* ---- the worker of a MapReduce: rows on stdin, key<TAB>value on stdout (the contract of Hadoop Streaming) */

enum { WORKER_ROWS = 1024 };
/* stdin behind a header that the rows of a split do not have. */
typedef struct worker_input { cli_source *s; const char *columns; char *head; size_t n, at; int asked; } worker_input;

static int64_t worker_pull(void *user, void *buf, uint64_t cap) {
  worker_input *in = user;
  if (!in->asked && in->columns) { /* the header has the separator of the first line */
    enum { FIRST = 1 << 16 };
    char *first = cli_alloc(FIRST + 1);
    int64_t got = cli_source_pull(in->s, first, FIRST);
    if (got < 0) return got;
    first[got] = 0;
    first[strcspn(first, "\n")] = strchr(first, '\n') ? 0 : first[strcspn(first, "\n")];
    size_t line = strlen(first), k = strlen(in->columns);
    char separator = strchr(first, '\t') ? '\t' : strchr(first, ',') ? ',' : strchr(first, ';') ? ';' : ',';
    if (line < (size_t)got) first[line] = '\n';
    in->head = cli_alloc(k + 1 + (size_t)got);
    memcpy(in->head, in->columns, k);
    for (size_t i = 0; i < k; i++) if (in->head[i] == ',') in->head[i] = separator;
    in->head[k] = '\n';
    memcpy(in->head + k + 1, first, (size_t)got);
    in->n = got ? k + 1 + (size_t)got : 0;
    free(first);
  }
  in->asked = 1;
  if (in->at < in->n) {
    size_t left = in->n - in->at, take = left < cap ? left : (size_t)cap;
    memcpy(buf, in->head + in->at, take);
    in->at += take;
    return (int64_t)take;
  }
  return cli_source_pull(in->s, buf, cap);
}

static int worker_batch(leat_predictor *q, const leat_batch *b, int64_t n, int64_t key, int64_t n_out, float *out, char **text, uint64_t *cap) {
  leat_error err;
  leat_matrix y = { .struct_size = sizeof y, .data = out, .rows = n, .cols = n_out, .dtype = LEAT_F32 };
  cli_error_init(&err);
  if (leat_predictor_run_batch(q, b, &y, &err)) return cli_fail_error(&err);
  for (int64_t r = 0; r < n; r++) {
    uint64_t needed;
    leat_status e = leat_batch_text(b, r, key, *text, *cap, &needed, &err);
    if (e == LEAT_E_CAPACITY) {
      *text = cli_grow(*text, *cap = needed);
      e = leat_batch_text(b, r, key, *text, *cap, &needed, &err);
    }
    if (e) return cli_fail_error(&err);
    if (!(*text)[0]) return cli_fail("a row has no key: every row needs one");
    if (strpbrk(*text, "\t\r\n")) return cli_fail("the key '%s' has a tab or an end of line in it: key<TAB>value cannot tell it", *text);
    fputs(*text, stdout);
    for (int64_t k = 0; k < n_out; k++) {
      putchar(k ? ',' : '\t');
      put_float(stdout, out[r * n_out + k]);
    }
    putchar('\n');
  }
  return ferror(stdout) ? cli_flush() : 0;
}

static int worker_rows(leat_predictor *q, leat_dataset *d, const worker_input *in, int64_t n_out, leat_runtime *rt) {
  leat_error err;
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  char *text = NULL;
  uint64_t cap = 0;
  float *out = cli_alloc((size_t)(WORKER_ROWS * n_out) * sizeof *out);
  cli_error_init(&err);
  int status = leat_dataset_schema(d, &s, &err) || leat_batch_create(rt, s, &b, &err) ? cli_fail_error(&err) : 0;
  int64_t key = s ? cli_schema_role(s, LEAT_ROLE_KEY) : -1;
  for (int64_t got = 1; !status && got > 0;) {
    leat_status e = leat_dataset_next(d, WORKER_ROWS, b, &got, &err);
    if (e) status = cli_source_error(in->s)[0] ? cli_fail("cannot read %s", cli_source_error(in->s)) : cli_fail_error(&err);
    else if (got) status = worker_batch(q, b, got, key, n_out, out, &text, &cap);
  }
  leat_batch_free(b);
  leat_schema_free(s);
  free(text);
  free(out);
  return status ? status : cli_flush();
}

static int table_worker(table_job *j) {
  const cli_args *a = j->a;
  leat_error err;
  leat_model *m = NULL;
  leat_schema *schema = NULL;
  leat_params *reader = NULL;
  leat_predictor *q = NULL;
  leat_dataset *d = NULL;
  const char *from = "-";
  worker_input in = { NULL, a->columns, NULL, 0, 0, 0 };
  int64_t in_cols, n_out = 1;
  cli_error_init(&err);
  if (!a->key) return cli_wrong("table worker: which column is the key? expected --key COL");
  int status = cli_model_load(j->rt, a->files[1], &m);
  if (!status) status = cli_reader(a, j->rt, "-", 0, &reader);
  leat_params *const sets[] = { reader };
  if (!status) status = cli_apply_sets(a, sets, 1);
  if (!status && a->columns && cli_params_have(reader, "header")) leat_params_set_text(reader, "header", "yes", NULL);
  if (!status && cli_params_have(reader, "stream")) leat_params_set_i64(reader, "stream", 1, NULL);
  if (!status && (leat_model_schema(m, &schema, &err) || leat_predictor_create(m, NULL, NULL, &q, &err) ||
                  leat_predictor_shape(q, &in_cols, &n_out, &err)))
    status = cli_fail_error(&err);
  if (!status) {
    in.s = cli_source_open(&from, 1, -1);
    leat_status e = leat_dataset_from_reader(j->rt, schema, reader, "stdin", worker_pull, &in, &d, &err);
    if (e && a->columns && in.asked && !in.n) e = LEAT_OK; /* a split without rows gives nothing */
    if (e) status = cli_source_error(in.s)[0] ? cli_fail("cannot read %s", cli_source_error(in.s)) : cli_fail_error(&err);
  }
  if (!status && d) status = worker_rows(q, d, &in, n_out, j->rt);
  leat_dataset_free(d);
  cli_source_free(in.s);
  free(in.head);
  leat_predictor_free(q);
  leat_params_free(reader);
  leat_schema_free(schema);
  leat_model_free(m);
  return status;
}

/* ---- tables of a store */

/* NAME of "folder/NAME.ltab"; fresh. */
static char *name_of(const char *path) {
  const char *slash = strrchr(path, '/');
  char *name = cli_text("%s", slash ? slash + 1 : path), *dot = strstr(name, ".ltab");
  if (dot && !dot[5]) *dot = 0;
  return name;
}

static int need_store(table_job *j, int write) {
  if (!j->a->store) return cli_wrong("table %s: in which store? expected --store DIR", j->a->files[0]);
  leat_params *p = NULL;
  leat_error err;
  cli_error_init(&err);
  /* not cli_store_open: --set is of publishing */
  leat_status st = leat_params_create(j->rt, "store", &p, &err);
  if (!st) st = leat_params_set_i64(p, "create", 0, &err);
  if (!st) st = leat_params_set_i64(p, "read_only", !write, &err);
  if (!st) st = leat_store_open(j->rt, j->a->store, p, &j->s, &err);
  leat_params_free(p);
  return st ? cli_fail_error(&err) : 0;
}

static json_t *published_json(const leat_published_info *i) {
  char when[32];
  return json_pack("{s:s,s:I,s:I,s:I,s:s,s:I,s:I,s:o,s:b,s:s,s:s}", "name", i->name, "generation", (json_int_t)i->generation, "previous",
                   (json_int_t)i->previous, "newest", (json_int_t)i->newest, "published", cli_time(i->published_ns, when), "rows", (json_int_t)i->rows, "bytes",
                   (json_int_t)i->bytes, "psi", cli_json_real(i->psi), "forced", (i->flags & LEAT_PUBLISHED_FORCED) != 0, "checksum",
                   i->checksum, "model_checksum", i->model_checksum);
}

static int table_published(table_job *j) {
  static const char *const heads[] = { "table", "generation", "previous", "published", "keys", "size", "psi", "" };
  int64_t n = 0;
  leat_error err;
  cli_error_init(&err);
  int status = need_store(j, 0);
  if (status) return status;
  cli_table *t = cli_table_create("lrrlrrrl", heads);
  json_t *list = json_array();
  leat_status st = leat_published_count(j->s, &n, &err);
  for (int64_t i = 0; i < n && !st; i++) {
    leat_published_info p = { .struct_size = sizeof p };
    char generation[32], previous[32], when[32], rows[32], bytes[32], psi[32];
    st = leat_published_at(j->s, i, &p, &err);
    if (st) break;
    json_array_append_new(list, published_json(&p));
    snprintf(generation, sizeof generation, "%lld", (long long)p.generation);
    snprintf(previous, sizeof previous, p.previous ? "%lld" : "-", (long long)p.previous);
    snprintf(rows, sizeof rows, "%lld", (long long)p.rows);
    const char *row[] = { p.name, generation, previous, cli_time(p.published_ns, when), rows, cli_bytes(p.bytes, bytes),
                          isfinite(p.psi) ? cli_number(p.psi, psi) : "-", p.flags & LEAT_PUBLISHED_FORCED ? "forced" : "" };
    cli_table_row(t, row);
  }
  cli_table_print(t, st || j->a->json || !n ? NULL : stdout, 0);
  if (st || !j->a->json) {
    json_decref(list);
    return st ? cli_fail_error(&err) : cli_flush();
  }
  return cli_json_print(json_pack("{s:o}", "tables", list));
}

static int table_publish(table_job *j) {
  const cli_args *a = j->a;
  leat_params *p = NULL;
  leat_publish_report r = { .struct_size = sizeof r };
  leat_error err;
  cli_error_init(&err);
  int status = need_store(j, 1);
  if (status) return status;
  if (leat_params_create(j->rt, "table/publish", &p, &err)) return cli_fail_error(&err);
  status = cli_apply_sets(a, &p, 1);
  if (!status && a->force) leat_params_set_i64(p, "force", 1, NULL);
  char *name = a->name ? cli_text("%s", a->name) : name_of(a->files[1]);
  leat_status st = status ? LEAT_OK : leat_table_publish(j->s, name, a->files[1], p, &r, &err);
  leat_params_free(p);
  if (st) status = cli_fail_error(&err);
  if (!status && !a->json) {
    char psi[32], limit[32];
    printf("table %s: generation %lld, %lld keys", name, (long long)r.generation, (long long)r.rows);
    if (r.previous_generation) printf("; before: generation %lld, %lld keys", (long long)r.previous_generation, (long long)r.previous_rows);
    if (isfinite(r.psi)) printf(", psi %s (limit %s)", cli_number(r.psi, psi), cli_number(r.psi_limit, limit));
    putchar('\n');
  } else if (!status)
    cli_json_print(json_pack("{s:s,s:I,s:I,s:I,s:I,s:o,s:o,s:s,s:b}", "name", name, "generation", (json_int_t)r.generation, "rows",
                             (json_int_t)r.rows, "previous_generation", (json_int_t)r.previous_generation, "previous_rows",
                             (json_int_t)r.previous_rows, "psi", cli_json_real(r.psi), "psi_limit", cli_json_real(r.psi_limit), "value",
                             r.value, "forced", a->force));
  free(name);
  return status ? status : cli_flush();
}

static int table_rollback(table_job *j) {
  int64_t generation = 0;
  leat_error err;
  cli_error_init(&err);
  int status = need_store(j, 1);
  if (status) return status;
  if (leat_table_rollback(j->s, j->a->files[1], &generation, &err)) return cli_fail_error(&err);
  if (j->a->json)
    return cli_json_print(json_pack("{s:s,s:I}", "name", j->a->files[1], "generation", (json_int_t)generation));
  printf("table %s: generation %lld again\n", j->a->files[1], (long long)generation);
  return cli_flush();
}

/* Keys on stdin, one a line; answers from the generation that is the current one then. */
static int table_follow(table_job *j) {
  leat_follower *f = NULL;
  leat_params *p = NULL;
  leat_error err;
  char *line = NULL;
  float *v = NULL;
  size_t cap = 0;
  ssize_t n;
  int64_t seen = 0;
  cli_error_init(&err);
  int status = need_store(j, 0);
  if (status) return status;
  if (leat_params_create(j->rt, "table/read", &p, &err) || leat_params_set_i64(p, "map", 1, &err) ||
      leat_follower_create(j->s, j->a->files[1], p, &f, &err))
    status = cli_fail_error(&err);
  leat_params_free(p);
  leat_table_reader *r = NULL;
  while (!status && (n = getline(&line, &cap, stdin)) > 0) {
    int64_t generation;
    leat_table *t = NULL;
    while (n && (line[n - 1] == '\n' || line[n - 1] == '\r')) line[--n] = 0;
    if (!n) continue;
    if (leat_follower_table(f, &t, &generation, &err)) status = cli_fail_error(&err);
    else if (generation != seen) {
      leat_table_reader_free(r);
      leat_table_free(j->t);
      j->t = t;
      t = NULL;
      seen = generation;
      j->info.struct_size = sizeof j->info;
      if (leat_table_get_info(j->t, &j->info, &err) || leat_table_reader_create(j->t, 16 << 20, &r, &err)) status = cli_fail_error(&err);
      v = cli_grow(v, (size_t)j->info.values * sizeof *v);
    }
    leat_table_free(t);
    if (!status) status = get_one(j, r, line, v);
    if (!status) status = cli_flush(); /* who asks waits for it */
  }
  leat_table_reader_free(r);
  leat_follower_free(f);
  free(line);
  free(v);
  return status;
}

int cmd_table(const cli_args *a) {
  static const struct { const char *name, *args; int min, max; int (*run)(table_job *j); } verbs[] = {
    { "build", "MODEL DATA... --key COL -o T", 3, 1 << 20, table_build }, { "load", "TSV... -o T", 2, 1 << 20, table_load },
    { "convert", "T -o T2", 2, 2, table_merge }, { "merge", "T... -o T2", 2, 1 << 20, table_merge },
    { "diff", "OLD NEW", 3, 3, table_diff }, { "get", "T KEY...", 3, 1 << 20, table_get }, { "scan", "T", 2, 2, table_scan },
    { "info", "T", 2, 2, table_info }, { "verify", "T", 2, 2, table_verify }, { "worker", "MODEL --key COL", 2, 2, table_worker },
    { "publish", "T --store DIR [--name NAME]", 2, 2, table_publish }, { "rollback", "NAME --store DIR", 2, 2, table_rollback },
    { "published", "--store DIR", 1, 1, table_published }, { "follow", "NAME --store DIR", 2, 2, table_follow } };
  enum { N_VERBS = (int)(sizeof verbs / sizeof verbs[0]) };
  const char *names[N_VERBS];
  table_job j = { a, NULL, NULL, NULL, { 0 } };
  for (int i = 0; i < N_VERBS; i++) {
    names[i] = verbs[i].name;
    if (strcmp(a->files[0], verbs[i].name) != 0) continue;
    if (a->n_files < verbs[i].min || a->n_files > verbs[i].max)
      return cli_wrong("table %s: too %s arguments: expected `leat table %s %s`", names[i], a->n_files < verbs[i].min ? "few" : "many",
                       names[i], verbs[i].args);
    int status = cli_runtime(a, &j.rt);
    if (!status) status = verbs[i].run(&j);
    leat_table_free(j.t);
    leat_store_free(j.s);
    leat_runtime_free(j.rt);
    return status;
  }
  const char *near = cli_nearest(a->files[0], names, N_VERBS);
  if (near) return cli_wrong("table: unknown verb '%s': did you mean '%s'?", a->files[0], near);
  return cli_wrong("table: unknown verb '%s': expected build, load, convert, merge, diff, get, scan, info, verify, worker, publish, "
                   "rollback, published or follow", a->files[0]);
}
