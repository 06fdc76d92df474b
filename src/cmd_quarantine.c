/* leat quarantine: records that a store's learner held back. */
#include "cli.h"
#include <stdlib.h>
#include <string.h>

typedef struct held_job {
  const cli_args *a;
  leat_runtime *rt;
  leat_store *s;
  leat_quarantine *q;
  json_t *root;
  int64_t reason;      /* 0: all */
  int64_t *ids;        /* the words behind the verb */
  uint64_t n;
} held_job;
typedef struct held_verb { const char *name, *args; int write, least, most; int (*run)(held_job *j); } held_verb;

/* The library knows the names; numbers are three digits. */
static int64_t find_reason(const char *name, const char **near) {
  const char *names[64];
  int64_t number[64], n = 0;
  for (leat_reason r = 1; r < 1000 && n < 64; r++) {
    const char *known = leat_reason_name(r);
    if (strcmp(known, "unknown") == 0) continue;
    number[n] = r;
    names[n++] = known;
  }
  *near = cli_nearest(name, names, n);
  for (int64_t i = 0; i < n; i++)
    if (strcmp(names[i], name) == 0) return number[i];
  return 0;
}

/* ---- what is there */

static json_t *held_json(const leat_held_info *h) {
  char when[32];
  return json_pack("{s:I,s:s,s:s,s:I,s:s,s:I,s:I,s:s,s:s,s:s,s:I,s:I}", "id", (json_int_t)h->id, "reason",
                   leat_reason_name((leat_reason)h->reason), "column", h->column_name, "column_index", (json_int_t)h->column,
                   "source", h->source, "position", (json_int_t)h->position, "row", (json_int_t)h->row, "time",
                   cli_time(h->time_ns, when), "detail", h->detail, "state",
                   h->state == LEAT_HELD ? "held" : "released", "tries", (json_int_t)h->replays, "raw_bytes",
                   (json_int_t)h->raw_bytes);
}

static void held_row(cli_table *t, const leat_held_info *h) {
  char id[32], position[32], row[32];
  snprintf(id, sizeof id, "%lld", (long long)h->id);
  snprintf(position, sizeof position, "%lld", (long long)h->position);
  snprintf(row, sizeof row, "%lld", (long long)h->row);
  const char *cells[] = { id, leat_reason_name((leat_reason)h->reason), h->column_name, h->source, position, row, h->detail };
  cli_table_row(t, cells);
}

/* count and by_reason{} into j->root. */
static int add_counts(held_job *j, int print) {
  json_t *by = json_object();
  int64_t all = 0;
  leat_error err;
  cli_error_init(&err);
  leat_status st = leat_quarantine_count(j->q, 0, &all, &err);
  if (print && !st) printf("%s: %lld record%s held back\n", j->a->files[0], (long long)all, all == 1 ? " is" : "s are");
  for (leat_reason r = 1; r < 1000 && !st; r++) {
    int64_t n = 0;
    const char *name = leat_reason_name(r);
    if (strcmp(name, "unknown") == 0) continue;
    st = leat_quarantine_count(j->q, r, &n, &err);
    if (st || !n) continue;
    json_object_set_new(by, name, json_integer((json_int_t)n));
    if (print) printf("  %-16s %lld\n", name, (long long)n);
  }
  json_object_set_new(j->root, "count", json_integer((json_int_t)all));
  json_object_set_new(j->root, "by_reason", by);
  return st ? cli_fail_error(&err) : 0;
}

static int held_list(held_job *j) {
  static const char *const heads[] = { "id", "reason", "column", "source", "position", "row", "detail" };
  int64_t limit = j->a->limit > 0 ? j->a->limit : j->a->json ? INT64_MAX : 50, cursor = 0, shown = 0, all = 0;
  leat_error err;
  cli_error_init(&err);
  int status = add_counts(j, !j->a->json);
  if (status) return status;
  cli_table *t = cli_table_create("rlllrrl", heads);
  json_t *records = json_array();
  leat_status st = leat_quarantine_count(j->q, j->reason, &all, &err);
  while (!st && shown < limit) {
    leat_held_info h = { .struct_size = sizeof h };
    st = leat_quarantine_next(j->q, j->reason, &cursor, &h, &err);
    if (st) break;
    json_array_append_new(records, held_json(&h));
    if (!j->a->json) held_row(t, &h);
    shown++;
  }
  if (st == LEAT_E_NOT_FOUND) st = LEAT_OK;
  int print = !st && !j->a->json && shown;
  if (print) puts("");
  cli_table_print(t, print ? stdout : NULL, 0);
  if (print && shown < all)
    printf("and %lld more: --limit N shows more, --reason NAME fewer\n", (long long)(all - shown));
  json_object_set_new(j->root, "records", records);
  return st ? cli_fail_error(&err) : 0;
}

static char *hex_text(const unsigned char *p, uint64_t n) {
  static const char digits[] = "0123456789abcdef";
  char *s = cli_alloc((size_t)n * 2 + 1);
  for (uint64_t i = 0; i < n; i++) {
    s[2 * i] = digits[p[i] >> 4];
    s[2 * i + 1] = digits[p[i] & 15];
  }
  return s;
}

static int held_show(held_job *j) {
  leat_held_info h = { .struct_size = sizeof h };
  int64_t cursor = j->ids[0] - 1;
  uint64_t size = 0;
  leat_error err;
  char when[32];
  cli_error_init(&err);
  leat_status st = leat_quarantine_read(j->q, j->ids[0], NULL, 0, &size, &err);
  if (st && st != LEAT_E_CAPACITY) return cli_fail_error(&err);
  char *raw = cli_alloc((size_t)size + 1);
  st = leat_quarantine_read(j->q, j->ids[0], raw, size, &size, &err);
  if (!st) st = leat_quarantine_next(j->q, 0, &cursor, &h, &err);
  if (st || h.id != j->ids[0]) {
    free(raw);
    if (!st || st == LEAT_E_NOT_FOUND)
      return cli_fail("record %lld is not held any more: it was released", (long long)j->ids[0]);
    return cli_fail_error(&err);
  }
  json_t *records = json_array(), *one = held_json(&h), *text = json_stringn(raw, (size_t)size);
  if (text) {
    json_object_set_new(one, "raw", text);
  } else { /* not UTF-8 */
    char *hex = hex_text((const unsigned char *)raw, size);
    json_object_set_new(one, "raw_hex", json_string(hex));
    free(hex);
  }
  json_array_append_new(records, one);
  json_object_set_new(j->root, "records", records);
  if (!j->a->json) {
    printf("record %lld: %s%s%s\n", (long long)h.id, leat_reason_name((leat_reason)h.reason), h.detail[0] ? ": " : "", h.detail);
    printf("  column    %s\n", h.column < 0 ? "the whole record" : h.column_name);
    printf("  source    %s, position %lld\n", h.source[0] ? h.source : "(not named)", (long long)h.position);
    printf("  came      %s, behind %lld learned records\n", cli_time(h.time_ns, when), (long long)h.row);
    printf("  releases  %lld tried\n", (long long)h.replays);
    printf("  raw       ");
    for (uint64_t i = 0; i < size; i++) putchar((unsigned char)raw[i] < 32 || raw[i] == 127 ? '?' : raw[i]);
    puts("");
  }
  free(raw);
  return add_counts(j, 0);
}

/* ---- changes */

static void gather(held_job *j) {
  leat_held_info h = { .struct_size = sizeof h };
  int64_t cursor = 0;
  uint64_t cap = 0;
  while (leat_quarantine_next(j->q, j->reason, &cursor, &h, NULL) == LEAT_OK) {
    if (j->n == cap) {
      cap = cap * 2 + 64;
      j->ids = cli_grow(j->ids, (size_t)cap * sizeof *j->ids);
    }
    j->ids[j->n++] = h.id;
  }
}

/* `replay` is the release of all, or of all of one reason. */
static int held_release(held_job *j) {
  leat_learner *l = NULL;
  int64_t released = 0, asked = 0;
  leat_error err;
  int all = !j->n && !j->reason;
  cli_error_init(&err);
  if (!j->n && j->reason) gather(j);
  leat_status st = leat_learner_open(j->s, &l, &err);
  if (!st) st = all ? leat_quarantine_count(j->q, 0, &asked, &err) : LEAT_OK;
  if (!st && (all || j->n)) st = leat_quarantine_release(j->q, l, all ? NULL : j->ids, j->n, &released, &err);
  if (!st) st = leat_learner_commit(l, &err);
  leat_learner_free(l);
  if (st) return cli_fail_error(&err);
  if (!all) asked = (int64_t)j->n;
  json_object_set_new(j->root, "released", json_integer((json_int_t)released));
  if (!j->a->json) printf("%lld of %lld record%s released\n", (long long)released, (long long)asked, asked == 1 ? " was" : "s were");
  if (released < asked)
    cli_note(j->a, "the others were released before, or stay held: they could not be read when they came, or something else is wrong too");
  return add_counts(j, 0);
}

static int held_purge(held_job *j) {
  int64_t purged = 0;
  leat_error err;
  int all = !j->n && !j->reason;
  cli_error_init(&err);
  if (!j->n && j->reason) gather(j);
  if ((all || j->n) && leat_quarantine_purge(j->q, all ? NULL : j->ids, j->n, &purged, &err)) return cli_fail_error(&err);
  json_object_set_new(j->root, "purged", json_integer((json_int_t)purged));
  if (!j->a->json) printf("%lld record%s purged\n", (long long)purged, purged == 1 ? " was" : "s were");
  return add_counts(j, 0);
}

/* ---- the command */

static const held_verb verbs[] = {
  { "list", "", 0, 0, 0, held_list },
  { "show", " ID", 0, 1, 1, held_show },
  { "release", " ID...", 1, 1, 1 << 20, held_release },
  { "replay", "", 1, 0, 0, held_release },
  { "purge", " [ID...]", 1, 0, 1 << 20, held_purge },
};
enum { N_VERBS = (int)(sizeof verbs / sizeof verbs[0]) };

static int find_verb(const char *word, const held_verb **out) {
  const char *names[N_VERBS];
  for (int i = 0; i < N_VERBS; i++) {
    names[i] = verbs[i].name;
    if (strcmp(word, names[i]) != 0) continue;
    *out = &verbs[i];
    return 0;
  }
  const char *near = cli_nearest(word, names, N_VERBS);
  if (near) return cli_wrong("leat quarantine has no '%s': did you mean '%s'?", word, near);
  return cli_wrong("leat quarantine has no '%s': expected list, show, release, replay or purge", word);
}

static int check_words(held_job *j, const held_verb *v) {
  const cli_args *a = j->a;
  int n = a->n_files - 2;
  const char *near = NULL;
  if (n < v->least) return cli_wrong("too few arguments: expected `leat quarantine DIR %s%s`", v->name, v->args);
  if (n > v->most)
    return cli_wrong("too many arguments: '%s': expected `leat quarantine DIR %s%s`", a->files[2 + v->most], v->name, v->args);
  if (a->limit > 0 && v->run != held_list) return cli_wrong("--limit is not for `leat quarantine DIR %s`: it goes with list", v->name);
  if (a->reason && (n || v->least))
    return cli_wrong("--reason is not for `leat quarantine DIR %s ID`: the records are named already", v->name);
  if (a->reason && !(j->reason = find_reason(a->reason, &near)))
    return near ? cli_wrong("--reason '%s': did you mean '%s'?", a->reason, near)
                : cli_wrong("--reason '%s': expected the name of a reason, e.g. outlier, parse or type", a->reason);
  j->ids = cli_alloc(sizeof *j->ids * (size_t)(n + 1));
  for (int i = 0; i < n; i++)
    if (!cli_parse_i64(a->files[2 + i], &j->ids[j->n++]) || j->ids[i] < 1)
      return cli_wrong("record '%s': expected a number from 1; `leat quarantine DIR list` shows them", a->files[2 + i]);
  return 0;
}

int cmd_quarantine(const cli_args *a) {
  const held_verb *v = NULL;
  held_job j = { .a = a };
  leat_error err;
  cli_error_init(&err);
  int status = find_verb(a->files[1], &v);
  if (!status) status = check_words(&j, v);
  if (!status) status = cli_runtime(a, &j.rt);
  if (!status) {
    j.root = json_object();
    status = cli_store_open(a, j.rt, a->files[0], v->write, 0, &j.s);
    if (!status && leat_quarantine_open(j.s, &j.q, &err)) status = cli_fail_error(&err);
    if (!status) status = v->run(&j);
    if (!status && a->json) status = cli_json_print(json_incref(j.root));
    else if (!status) status = cli_flush();
    json_decref(j.root);
    leat_quarantine_free(j.q);
    leat_store_free(j.s);
    leat_runtime_free(j.rt);
  }
  free(j.ids);
  return status;
}
