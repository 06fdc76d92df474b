/* leat refresh: a static model of a store is trained again, as it was trained before, and takes production's place when it is
 * shown to be no worse. */
#include "cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REFRESH_BATCH = 4096 };

typedef struct refresh_run {
  const cli_args *a;
  leat_runtime *rt;
  leat_store *s;
  leat_params *rule, *params, *reader;
  leat_due_info due;
  leat_model *old, *m;
  leat_schema *schema;         /* of production, with the labels of DATA behind its own */
  cli_data all, valid;
  leat_dataset *train, *held;  /* train: a view of all.set; held: of all.set, or valid.set */
  leat_dataset *held_own;
  leat_trainer *t;
  leat_challenge_info shown;
  int64_t rows;
  double seconds;
} refresh_run;

/* ---- production's own settings */

static int own_settings(refresh_run *r) {
  leat_error err;
  int64_t n = 0;
  cli_error_init(&err);
  char *family = cli_model_text(r->old, "family"), *spec = cli_text("model/%s", family ? family : "?");
  leat_status st = leat_params_create(r->rt, spec, &r->params, &err);
  int status = 0;
  if (st == LEAT_E_NOT_FOUND)
    status = cli_fail("%s: production is a model of the family '%s', which learns online: `leat learn --store %s --resume` keeps it fresh",
                      r->a->store, family ? family : "?", r->a->store);
  else if (st || leat_params_count(r->params, &n, &err)) status = cli_fail_error(&err);
  for (int64_t i = 0; i < n && !status; i++) {
    leat_param_info info = { .struct_size = sizeof info };
    if (leat_params_info(r->params, i, &info, &err)) {
      status = cli_fail_error(&err);
      break;
    }
    char *name = cli_text("param:%s", info.name), *value = cli_model_text(r->old, name);
    if (value && value[0] && leat_params_set_text(r->params, info.name, value, &err)) status = cli_fail_error(&err);
    free(name);
    free(value);
  }
  free(family);
  free(spec);
  return status;
}

static int open_store(refresh_run *r) {
  leat_error err;
  cli_error_init(&err);
  if (leat_params_create(r->rt, "refresh", &r->rule, &err)) return cli_fail_error(&err);
  leat_params *place = NULL;
  if (leat_params_create(r->rt, "store", &place, &err)) return cli_fail_error(&err);
  int status = 0;
  if (leat_params_set_i64(place, "create", 0, &err) || leat_store_open(r->rt, r->a->store, place, &r->s, &err)) status = cli_fail_error(&err);
  leat_params_free(place);
  int64_t version = 0;
  if (!status && leat_store_stage(r->s, "production", &version, NULL))
    status = cli_fail("%s: the store has no production model: `leat store %s promote VERSION --stage production` makes one", r->a->store, r->a->store);
  if (!status && leat_store_load(r->s, version, &r->old, &err)) status = cli_fail_error(&err);
  return status;
}

static int apply_sets(refresh_run *r) {
  leat_params *sets[3];
  int n = 0;
  sets[n++] = r->rule;
  if (r->params) sets[n++] = r->params;
  if (r->reader) sets[n++] = r->reader;
  return cli_apply_sets(r->a, sets, n);
}

/* ---- data */

/* Labels that production has never seen are learned too: a first pass over the files collects them. */
static int grow_schema(refresh_run *r) {
  leat_error err;
  leat_params *p = NULL;
  leat_batch *b = NULL;
  leat_schema *s = NULL;
  cli_data d;
  cli_error_init(&err);
  if (!cli_params_have(r->reader, "grow")) return 0;
  for (int i = 0; i < r->a->n_files; i++)
    if (strcmp(r->a->files[i], "-") == 0) return 0;
  if (leat_params_copy(r->reader, &p, &err) || leat_params_set_i64(p, "grow", 1, &err)) return cli_fail_error(&err);
  int status = cli_data_open(r->a, r->rt, r->schema, p, r->a->files, r->a->n_files, 1, &d);
  if (!status && (leat_dataset_schema(d.set, &s, &err) || leat_batch_create(r->rt, s, &b, &err))) status = cli_fail_error(&err);
  leat_schema_free(s);
  for (int64_t got = 1; !status && got > 0;) {
    if (leat_dataset_next(d.set, REFRESH_BATCH, b, &got, &err)) status = cli_data_failed(&d, &err);
    if (!status && cli_interrupted()) status = cli_fail("stopped by a signal");
  }
  if (!status) {
    leat_schema_free(r->schema);
    r->schema = NULL;
    if (leat_dataset_schema(d.set, &r->schema, &err)) status = cli_fail_error(&err);
  }
  leat_batch_free(b);
  leat_params_free(p);
  cli_data_close(&d);
  return status;
}

/* The last rows are held out: they are the newest, and what comes next is like them. */
static int hold_out(refresh_run *r) {
  const cli_args *a = r->a;
  leat_error err;
  cli_error_init(&err);
  if (a->valid) {
    leat_params *reader = NULL;
    int status = cli_reader(a, r->rt, a->valid, 0, &reader);
    if (!status) status = cli_data_open(a, r->rt, r->schema, reader, &a->valid, 1, 0, &r->valid);
    leat_params_free(reader);
    r->train = NULL;
    r->held = r->valid.set;
    return status;
  }
  double share = a->holdout > 0 ? a->holdout : 0.2;
  int64_t k = (int64_t)((double)r->rows * share + 0.5);
  if (k < 1 || k >= r->rows)
    return cli_fail("--holdout %.15g: of %lld rows that leaves none to %s: give more rows or --valid DATA", share, (long long)r->rows,
                    k < 1 ? "compare on" : "train on");
  if (leat_dataset_slice(r->all.set, 0, r->rows - k, &r->train, &err) ||
      leat_dataset_slice(r->all.set, r->rows - k, k, &r->held_own, &err))
    return cli_fail_error(&err);
  r->held = r->held_own;
  r->rows -= k;
  return 0;
}

static int read_data(refresh_run *r) {
  leat_error err;
  cli_error_init(&err);
  if (leat_model_schema(r->old, &r->schema, &err)) return cli_fail_error(&err);
  int status = grow_schema(r);
  if (!status) status = cli_data_open(r->a, r->rt, r->schema, r->reader, r->a->files, r->a->n_files, 0, &r->all);
  if (!status && leat_dataset_shape(r->all.set, &r->rows, NULL, &err)) status = cli_fail_error(&err);
  return status ? status : hold_out(r);
}

/* ---- training */

static int train(refresh_run *r) {
  leat_error err;
  leat_progress p = { .struct_size = sizeof p };
  cli_progress line;
  leat_status st;
  cli_error_init(&err);
  double begun = cli_seconds();
  st = leat_trainer_create(r->rt, r->params, r->schema, NULL, &r->t, &err);
  if (!st) st = leat_trainer_set_data(r->t, r->train ? r->train : r->all.set, NULL, &err);
  if (st) return cli_fail_error(&err);
  cli_catch_signals(r->t);
  cli_progress_begin(&line, r->a);
  do {
    st = leat_trainer_step(r->t, 0, &p, &err);
    cli_progress_show(&line, "iteration", (double)p.step, (double)p.steps, (double)p.rows_seen / (cli_seconds() - begun + 1e-9), p.loss);
  } while (!st && p.state != LEAT_TRAIN_DONE && !cli_interrupted());
  cli_progress_end(&line);
  cli_catch_signals(NULL);
  r->seconds = cli_seconds() - begun;
  if (st == LEAT_E_CANCELLED || cli_interrupted()) return cli_fail("stopped by a signal: the store is as it was");
  if (!st) st = leat_trainer_snapshot(r->t, &r->m, &err);
  return st ? cli_fail_error(&err) : 0;
}

/* ---- the answer */

static char *reasons_text(const leat_due_info *d) {
  char value[32], limit[32];
  char *drift = d->reasons & LEAT_DUE_DRIFT ? cli_text(", drift (%s: psi %s over %s)", d->feature, cli_number(d->drift, value), cli_number(d->limit, limit))
                                            : cli_text("%s", "");
  char *text = cli_text("%s%s%s", d->reasons & LEAT_DUE_AGE ? ", age" : "", d->reasons & LEAT_DUE_ROWS ? ", rows" : "", drift);
  free(drift);
  if (text[0]) memmove(text, text + 2, strlen(text) - 1);
  return text;
}

static json_t *reasons_json(const leat_due_info *d) {
  json_t *list = json_array();
  static const struct { int64_t bit; const char *name; } names[] = { { LEAT_DUE_AGE, "age" }, { LEAT_DUE_ROWS, "rows" }, { LEAT_DUE_DRIFT, "drift" } };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (d->reasons & names[i].bit) json_array_append_new(list, json_string(names[i].name));
  return list;
}

static const char *age_text(int64_t ns, char buf[48]) {
  char number[32];
  double s = (double)ns / 1e9;
  snprintf(buf, 48, "%s %s", cli_number(s < 120 ? s : s < 7200 ? s / 60 : s < 172800 ? s / 3600 : s / 86400, number),
           s < 120 ? "seconds" : s < 7200 ? "minutes" : s < 172800 ? "hours" : "days");
  return buf;
}

static int answer(refresh_run *r, int tried) {
  const leat_challenge_info *c = &r->shown;
  char x[32], y[32], z[32], age[48];
  if (r->a->json)
    return cli_json_print(json_pack("{s:I,s:b,s:I,s:b,s:o,s:{s:o,s:I},s:I,s:I,s:o,s:o,s:o,s:o}", "version", (json_int_t)c->version, "promoted",
                                    c->promoted != 0, "production", (json_int_t)(c->promoted ? c->version : r->due.version), "due",
                                    r->due.reasons != 0, "reasons", reasons_json(&r->due), "since", "age_seconds",
                                    cli_json_real((double)r->due.age_ns / 1e9), "rows", (json_int_t)r->due.rows, "rows",
                                    (json_int_t)(tried ? r->rows : 0), "rows_compared", (json_int_t)c->rows, "loss",
                                    cli_json_real(tried ? c->loss : NAN), "production_loss", cli_json_real(tried ? c->against_loss : NAN),
                                    "upper", cli_json_real(tried ? c->upper : NAN), "seconds", cli_json_real(r->seconds)));
  char *why = reasons_text(&r->due);
  printf("production is version %lld, made %s ago; %s%s\n", (long long)r->due.version, age_text(r->due.age_ns, age),
         r->due.reasons ? "a refresh is due: " : "no refresh is due", why);
  free(why);
  if (!tried) return cli_flush();
  printf("version %lld: trained on %lld rows in %s s; loss %s against %s on %lld held-out rows\n", (long long)c->version, (long long)r->rows,
         cli_number(r->seconds, x), cli_number(c->loss, y), cli_number(c->against_loss, z), (long long)c->rows);
  if (c->version == c->against) puts("it is production, bit for bit: nothing has changed");
  else if (c->promoted) printf("it is no worse and is production now; `leat store %s rollback` takes that back\n", r->a->store);
  else if (c->upper > 0) printf("it is not shown to be no worse (bound %s, must be at most 0): version %lld stays production\n",
                                cli_number(c->upper, x), (long long)c->against);
  else puts("it is no worse, but production was changed meanwhile and is left alone");
  return cli_flush();
}

static int check_usage(const cli_args *a) {
  if (!a->store) return cli_wrong("refresh: no store: name it with --store DIR");
  if (a->holdout > 0 && a->valid) return cli_wrong("--holdout and --valid: take one of the two");
  if (a->if_due && a->n_files == 0) return cli_wrong("--if-due: there is no DATA to train on; without it `leat refresh --store DIR` only tells");
  return 0;
}

int cmd_refresh(const cli_args *a) {
  refresh_run r = { .a = a, .due = { .struct_size = sizeof r.due }, .shown = { .struct_size = sizeof r.shown } };
  leat_error err;
  int tried = 0;
  cli_error_init(&err);
  int status = check_usage(a);
  if (!status) status = cli_runtime(a, &r.rt);
  if (!status) status = open_store(&r);
  if (!status && a->n_files) status = own_settings(&r);
  if (!status && a->n_files) status = cli_reader(a, r.rt, a->files[0], 0, &r.reader);
  if (!status) status = apply_sets(&r);
  if (!status && leat_store_due(r.s, r.rule, &r.due, &err)) status = cli_fail_error(&err);
  if (!status && a->n_files && (!a->if_due || r.due.reasons)) {
    tried = 1;
    status = read_data(&r);
    if (!status) status = train(&r);
    if (!status && leat_store_challenge(r.s, r.m, r.held, r.rule, &r.shown, &err)) status = cli_fail_error(&err);
  }
  if (!status) status = answer(&r, tried);
  leat_model_free(r.m);
  leat_trainer_free(r.t);
  leat_dataset_free(r.train);
  leat_dataset_free(r.held_own);
  cli_data_close(&r.valid);
  cli_data_close(&r.all);
  leat_schema_free(r.schema);
  leat_model_free(r.old);
  leat_params_free(r.reader);
  leat_params_free(r.params);
  leat_params_free(r.rule);
  leat_store_free(r.s);
  leat_runtime_free(r.rt);
  return status;
}
