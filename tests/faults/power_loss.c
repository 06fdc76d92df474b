/* A learner's life on a disk that loses power at the k-th change, or fills up, for many k: what commit acknowledged is
 * there afterwards, nothing is learned twice, and learning on gives the bytes, metrics, quarantine and events of the life
 * that was never disturbed. */
#include "faults.h"
#include "power_files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_ROWS = 48, STEPS = 96, COLUMNS = 6, LOST = 77 };

/* What a life ends with. */
typedef struct outcome {
  unsigned char *model;
  uint64_t size;
  double metric[3][4];
  int64_t seen, learned, held, events, swaps, snapshots;
  uint64_t held_sum, event_sum;
} outcome;

typedef struct life {
  leat_runtime *rt;
  leat_store *store;
  leat_learner *learner;
  leat_schema *schema, *labels;
  leat_error err;
  const char *what;
  int64_t acknowledged[3]; /* of the sources */
} life;
static const char *const sources[3] = {"rows", "asked", "labels"};

static uint64_t mix(uint64_t x) {
  x += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}
static double unit(uint64_t x) { return (double)(mix(x) >> 11) / 9007199254740992.0; }

static leat_status columns(life *l, leat_schema **out, int labels_only) {
  leat_status st = leat_schema_create(l->rt, out, &l->err);
  if (!st) st = leat_schema_add_column(*out, "id", LEAT_ID, LEAT_ROLE_KEY, &l->err);
  for (int i = 0; i < 3 && !st && !labels_only; i++) {
    char name[8] = {'x', (char)('0' + i), 0};
    st = leat_schema_add_column(*out, name, LEAT_NUMBER, LEAT_ROLE_FEATURE, &l->err);
  }
  if (!st && !labels_only) st = leat_schema_add_column(*out, "plan", LEAT_CATEGORY, LEAT_ROLE_FEATURE, &l->err);
  for (int i = 0; i < 3 && !st && !labels_only; i++) {
    char name[8] = {(char)('a' + i), 0};
    st = leat_schema_add_category(*out, 4, name, &l->err);
  }
  if (!st) st = leat_schema_add_column(*out, "y", LEAT_CATEGORY, LEAT_ROLE_TARGET, &l->err);
  int64_t target = 0;
  if (!st) st = leat_schema_find(*out, "y", &target, &l->err);
  if (!st) st = leat_schema_add_category(*out, target, "no", &l->err);
  if (!st) st = leat_schema_add_category(*out, target, "yes", &l->err);
  return st;
}

/* Record i of a source: the label turns over for a while (damage), some cells are wild, some rows cannot be read. */
static leat_status add(life *l, leat_batch *b, int64_t i, int part) {
  char text[COLUMNS][32];
  const char *field[COLUMNS];
  double x[3], m = 0;
  for (int k = 0; k < 3; k++) {
    x[k] = unit((uint64_t)(i * 8 + k)) - 0.5;
    m += x[k] * (k + 1);
  }
  int y = unit((uint64_t)(i * 8 + 5)) < 0.05 ? m <= 0 : m > 0;
  if (i >= 2000 && i < 2500) y = !y;
  if (i % 97 == 41) x[1] = 1e6;
  if (part == 0 && i % 89 == 13) return leat_batch_add_bad(b, LEAT_REASON_PARSE, -1, "not,a,row", 9, &l->err);
  snprintf(text[0], sizeof text[0], "k%lld", (long long)i);
  for (int k = 0; k < 3; k++) snprintf(text[1 + k], sizeof text[0], "%.17g", x[k]);
  snprintf(text[4], sizeof text[0], "%c", 'a' + (int)(i % 3));
  snprintf(text[5], sizeof text[0], "%s", y ? "yes" : "no");
  for (int k = 0; k < COLUMNS; k++) field[k] = text[k];
  if (part == 1) field[5] = "";
  if (part != 2) return leat_batch_add_text(b, field, COLUMNS, &l->err);
  field[1] = text[5];
  return leat_batch_add_text(b, field, 2, &l->err);
}

/* Step s: two thirds of the records come with their labels, one third is asked for first, the label comes six steps later. */
static leat_status one_step(life *l, int s) {
  const int part = s % 3 == 2 ? 1 : 0;
  for (int turn = 0; turn < 2; turn++) {
    int from = s, kind = part;
    if (turn == 1) {
      from = s - 6;
      kind = 2;
      if (from < 0 || from % 3 != 2) continue;
    }
    leat_batch *b = NULL;
    int64_t taken = 0, count = from / 3 * (kind == 0 ? 2 : 1) + (kind == 0 ? from % 3 : 0), first = count * STEP_ROWS;
    l->what = "position";
    leat_status st = leat_learner_position(l->learner, sources[kind], &taken, &l->err);
    if (!st && taken >= first + STEP_ROWS) continue;
    l->what = "batch";
    if (!st) st = leat_batch_create(l->rt, kind == 2 ? l->labels : l->schema, &b, &l->err);
    for (int r = 0; r < STEP_ROWS && !st; r++) st = add(l, b, (int64_t)from * STEP_ROWS + r, kind);
    if (!st) st = leat_batch_set_source(b, sources[kind], first, &l->err);
    l->what = kind == 0 ? "feed" : kind == 1 ? "predict" : "label";
    double out[STEP_ROWS];
    leat_matrix pred = {.struct_size = sizeof pred, .data = out, .rows = STEP_ROWS, .cols = 1, .dtype = LEAT_F64};
    if (!st && kind == 0) st = leat_learner_feed(l->learner, b, NULL, &l->err);
    if (!st && kind == 1) st = leat_learner_predict(l->learner, b, &pred, &l->err);
    if (!st && kind == 2) st = leat_learner_label(l->learner, b, &l->err);
    leat_batch_free(b);
    if (st) return st;
  }
  return LEAT_OK;
}

static leat_status commit(life *l) {
  int64_t at[3];
  leat_status st = LEAT_OK;
  l->what = "commit";
  for (int i = 0; i < 3 && !st; i++) st = leat_learner_position(l->learner, sources[i], &at[i], &l->err);
  if (!st) st = leat_learner_commit(l->learner, &l->err);
  if (!st) memcpy(l->acknowledged, at, sizeof at);
  return st;
}

static leat_status begin(life *l, power_disk *disk, int create) {
  leat_file_system files;
  power_table(&files, disk);
  leat_runtime_opts opts = {.struct_size = sizeof opts, .files = &files, .n_threads = 1};
  leat_params *settings = NULL, *model = NULL;
  l->err = (leat_error){.struct_size = sizeof l->err};
  l->what = "runtime";
  leat_status st = leat_runtime_create(&opts, &l->rt, &l->err);
  if (!st) st = columns(l, &l->schema, 0);
  if (!st) st = columns(l, &l->labels, 1);
  l->what = "store";
  if (!st) st = leat_store_open(l->rt, "store", NULL, &l->store, &l->err);
  l->what = "learner";
  if (!st) st = leat_learner_open(l->store, &l->learner, &l->err);
  if (st == LEAT_E_NOT_FOUND && create) {
    st = leat_params_create(l->rt, "learner", &settings, &l->err);
    if (!st) st = leat_params_set_i64(settings, "guard_window", 256, &l->err);
    if (!st) st = leat_params_set_f64(settings, "evidence", 100, &l->err);
    if (!st) st = leat_params_set_i64(settings, "snapshot_rows", 500, &l->err);
    if (!st) st = leat_params_set_i64(settings, "checkpoint_bytes", 40000, &l->err);
    if (!st) st = leat_params_set_f64(settings, "stop_share", 1, &l->err);
    if (!st) st = leat_params_create(l->rt, "online/linear", &model, &l->err);
    if (!st) st = leat_params_set_i64(model, "hash_bits", 5, &l->err);
    if (!st) st = leat_params_set_text(model, "learner", "adagrad", &l->err); /* slow to forget: it must roll back */
    if (!st) st = leat_params_set_f64(model, "adagrad_rate", 0.1, &l->err);
    if (!st) st = leat_learner_create(l->store, model, settings, l->schema, NULL, &l->learner, &l->err);
    leat_params_free(model);
    leat_params_free(settings);
  }
  return st;
}
static void end(life *l) {
  leat_learner_free(l->learner);
  leat_store_free(l->store);
  leat_schema_free(l->schema);
  leat_schema_free(l->labels);
  leat_runtime_free(l->rt);
  l->learner = NULL;
  l->store = NULL;
  l->schema = l->labels = NULL;
  l->rt = NULL;
}

static leat_status finish(life *l, outcome *o) {
  leat_model *m = NULL;
  uint64_t needed = 0;
  static const char *const names[4] = {"rows", "loss", "accuracy", "kappa"};
  leat_status st = leat_learner_live(l->learner, &m, &l->err);
  memset(o, 0, sizeof *o);
  if (!st) leat_model_save_bytes(m, NULL, 0, &needed, NULL);
  o->model = malloc(needed + 1);
  o->size = needed;
  if (!st) st = leat_model_save_bytes(m, o->model, needed, &needed, &l->err);
  leat_model_free(m);
  for (int set = 0; set < 3 && !st; set++) {
    leat_metrics *k = NULL;
    st = leat_learner_metrics(l->learner, set, &k, &l->err);
    for (int i = 0; i < 4 && !st; i++) leat_metrics_value(k, names[i], &o->metric[set][i], NULL);
    leat_metrics_free(k);
  }
  leat_learner_state state = {.struct_size = sizeof state};
  if (!st) st = leat_learner_get_state(l->learner, &state, &l->err);
  o->seen = state.rows_seen;
  o->learned = state.rows_learned;
  o->held = state.rows_quarantined;
  o->swaps = state.swaps;
  o->snapshots = state.snapshots;
  leat_event e = {.struct_size = sizeof e};
  for (int64_t cursor = 0; !st && leat_learner_next_event(l->learner, &cursor, &e, NULL) == LEAT_OK; o->events++)
    o->event_sum = mix(o->event_sum ^ (uint64_t)e.kind ^ (uint64_t)e.row << 8);
  leat_quarantine *q = NULL;
  if (!st) st = leat_quarantine_open(l->store, &q, &l->err);
  leat_held_info h = {.struct_size = sizeof h};
  for (int64_t cursor = 0; !st && leat_quarantine_next(q, 0, &cursor, &h, NULL) == LEAT_OK;)
    o->held_sum = mix(o->held_sum ^ (uint64_t)h.reason ^ (uint64_t)h.position << 16);
  leat_quarantine_free(q);
  return st;
}

static int alike(const outcome *a, const outcome *b, const char *how, int64_t k) {
  int ok = check_that(a->size == b->size && memcmp(a->model, b->model, a->size) == 0, "%s at %lld: another model", how,
                      (long long)k);
  ok &= check_that(memcmp(a->metric, b->metric, sizeof a->metric) == 0, "%s at %lld: other metrics", how, (long long)k);
  ok &= check_that(a->seen == b->seen && a->learned == b->learned && a->held == b->held,
                   "%s at %lld: seen %lld, learned %lld, held %lld; %lld, %lld, %lld are right", how, (long long)k,
                   (long long)a->seen, (long long)a->learned, (long long)a->held, (long long)b->seen, (long long)b->learned,
                   (long long)b->held);
  ok &= check_that(a->held_sum == b->held_sum, "%s at %lld: the quarantine holds other records", how, (long long)k);
  ok &= check_that(a->events == b->events && a->event_sum == b->event_sum && a->swaps == b->swaps,
                   "%s at %lld: %lld events, %lld are right", how, (long long)k, (long long)a->events,
                   (long long)b->events);
  return ok;
}

/* From where the store is to the end. */
static leat_status live_on(life *l, power_disk *disk) {
  leat_status st = begin(l, disk, 1);
  for (int s = 0; s < STEPS && !st; s++) {
    st = one_step(l, s);
    if (!st && s % 7 == 3) st = commit(l);
  }
  if (!st) st = commit(l);
  return st;
}

static int kept(life *l, const int64_t acknowledged[3], const char *how, int64_t k) {
  int ok = 1;
  for (int i = 0; i < 3; i++) {
    int64_t at = -1;
    leat_learner_position(l->learner, sources[i], &at, NULL);
    ok &= check_that(at >= acknowledged[i], "%s at %lld: %s stands at %lld, but %lld were acknowledged", how, (long long)k,
                     sources[i], (long long)at, (long long)acknowledged[i]);
  }
  return ok;
}

static void one_loss(int64_t k, uint64_t seed, const outcome *right, int losses) {
  power_disk *disk = power_create();
  life l = {0};
  outcome o = {0};
  for (int n = 0; n < losses; n++) {
    power_fail_at(disk, power_changes(disk) + k);
    const leat_status st = live_on(&l, disk);
    if (st) check_that(power_failed(disk), "loss at %lld (seed %llu): %s says %s without one", (long long)k, (unsigned long long)seed,
                       l.what, l.err.message);
    end(&l);
    power_restore(disk, seed + (uint64_t)n);
    leat_status again = begin(&l, disk, 1);
    if (!check_that(again == LEAT_OK, "loss at %lld (seed %llu): %s afterwards: %s", (long long)k, (unsigned long long)seed, l.what,
                    l.err.message)) {
      end(&l);
      power_free(disk);
      return;
    }
    kept(&l, l.acknowledged, "loss", k);
    end(&l);
  }
  power_fail_at(disk, 0);
  leat_status st = live_on(&l, disk);
  if (!st) st = finish(&l, &o);
  if (check_that(st == LEAT_OK, "loss at %lld (seed %llu): %s afterwards: %s", (long long)k, (unsigned long long)seed, l.what,
                 l.err.message)) {
    alike(&o, right, "loss", k);
    check_that(leat_store_verify(l.store, &l.err) == LEAT_OK, "loss at %lld: verify: %s", (long long)k, l.err.message);
  }
  free(o.model);
  end(&l);
  power_free(disk);
}

/* The disk is full at `bytes`: learning stops, predicting goes on; with room again, all goes on. */
static void one_full(int64_t bytes, const outcome *right) {
  power_disk *disk = power_create();
  life l = {0};
  outcome o = {0};
  power_limit(disk, bytes);
  const leat_status full = live_on(&l, disk);
  if (full) {
    check_that(full == LEAT_E_IO, "full at %lld: %s says %s: %s", (long long)bytes, l.what, leat_status_name(full),
               l.err.message);
    leat_learner_state state = {.struct_size = sizeof state};
    if (l.learner && leat_learner_get_state(l.learner, &state, NULL) == LEAT_OK && strcmp(l.what, "learner") != 0) {
      check_that(state.mode == LEAT_STOPPED, "full at %lld (%s): the mode is %lld", (long long)bytes, l.what, (long long)state.mode);
      leat_model *m = NULL;
      if (state.rows_learned > 100)
        check_that(leat_learner_live(l.learner, &m, &l.err) == LEAT_OK, "full at %lld: no model: %s", (long long)bytes, l.err.message);
      leat_model_free(m);
    }
  }
  end(&l);
  power_limit(disk, 0);
  leat_status st = begin(&l, disk, 1);
  if (check_that(st == LEAT_OK, "full at %lld: %s afterwards: %s", (long long)bytes, l.what, l.err.message))
    kept(&l, l.acknowledged, "full", bytes);
  end(&l);
  st = live_on(&l, disk);
  if (!st) st = finish(&l, &o);
  if (check_that(st == LEAT_OK, "full at %lld: %s afterwards: %s", (long long)bytes, l.what, l.err.message))
    alike(&o, right, "full", bytes);
  free(o.model);
  end(&l);
  power_free(disk);
}

int main(void) {
  const int soak = getenv("LEAT_SOAK") != NULL;
  power_disk *disk = power_create();
  life l = {0};
  outcome right = {0};
  leat_status st = live_on(&l, disk);
  if (!st) st = finish(&l, &right);
  if (!check_that(st == LEAT_OK, "undisturbed: %s: %s", l.what, l.err.message)) return finish_faults();
  const int64_t changes = power_changes(disk), bytes = power_bytes(disk);
  printf("undisturbed: %lld changes, %lld bytes, %lld learned, %lld held, %lld swaps, %lld snapshots, %lld events\n",
         (long long)changes, (long long)bytes, (long long)right.learned, (long long)right.held, (long long)right.swaps,
         (long long)right.snapshots, (long long)right.events);
  check_that(right.held > 20 && right.learned > 2000 && right.snapshots > 4 && right.swaps > 0, "the life is too quiet to show anything");
  end(&l);
  power_free(disk);
  const int64_t losses = soak ? changes : 60;
  for (int64_t i = 0; i < losses; i++) one_loss(1 + (int64_t)(mix((uint64_t)i) % (uint64_t)changes), (uint64_t)i, &right, 1 + (int)(i % 3));
  for (int64_t k = 1; k < 40 && k <= changes; k += soak ? 1 : 3) one_loss(k, (uint64_t)k, &right, 1); /* while it is made */
  const int64_t fulls = soak ? 200 : 25;
  for (int64_t i = 1; i <= fulls; i++) one_full(bytes * i / fulls + i, &right);
  free(right.model);
  return finish_faults();
}
