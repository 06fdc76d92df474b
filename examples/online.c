/* A model that never goes stale: records are predicted as they come, labels arrive later by key; the host is told of drift,
 * sees learned damage rolled back, and goes on after a crash where it was.
 *   cc online.c $(pkg-config --cflags --libs leat) -o online && ./online STORE */
#include <leat/leat.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 40, CALL = 50, RECORDS = 16000, LATE = 200, FLIP = 6000, FLIP_END = 7000, DRIFT = 11000 };

static leat_error err = {.struct_size = sizeof err};
static int ok(leat_status st) {
  if (st != LEAT_OK) fprintf(stderr, "online: %s: %s\n", leat_status_name(st), err.message);
  return st == LEAT_OK;
}

/* Record i of our world: numbers x and a label. From FLIP on somebody's script writes labels the wrong way round for a
 * while; from DRIFT on the world itself is another one. */
static double draw(long i, int j) {
  unsigned long long z = ((unsigned long long)i * 64 + (unsigned)j + 1) * 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0 * 2 - 1;
}
static const char *label(long i) {
  double m = 0;
  for (int j = 0; j < COLUMNS; j++) m += draw(i, j) * draw(i < DRIFT ? -1 : -2, j);
  if (draw(i, 60) > 0.9) m = -m; /* not everything can be known */
  return (m > 0) == (i >= FLIP && i < FLIP_END) ? "stay" : "leave";
}

/* CALL records from `first` on: keyed rows to predict, or (labels) their keys and labels. */
static leat_batch *records(leat_runtime *rt, const leat_schema *s, long first, int labels) {
  leat_batch *b = NULL;
  int good = ok(leat_batch_create(rt, s, &b, &err));
  for (long i = first; good && i < first + CALL; i++) {
    char text[COLUMNS + 1][32];
    const char *field[COLUMNS + 2] = {text[COLUMNS]};
    snprintf(text[COLUMNS], sizeof text[0], "customer-%ld", i);
    for (int j = 0; j < COLUMNS && !labels; j++) {
      snprintf(text[j], sizeof text[0], "%.6f", draw(i, j));
      field[1 + j] = text[j];
    }
    field[labels ? 1 : COLUMNS + 1] = labels ? label(i) : "";
    good = ok(leat_batch_add_text(b, field, labels ? 2 : COLUMNS + 2, &err));
  }
  if (good && ok(leat_batch_set_source(b, labels ? "labels" : "requests", first, &err))) return b;
  leat_batch_free(b);
  return NULL;
}

static int columns(leat_runtime *rt, int labels, leat_schema **out) {
  int good = ok(leat_schema_create(rt, out, &err)) && ok(leat_schema_add_column(*out, "id", LEAT_ID, LEAT_ROLE_KEY, &err));
  for (int j = 0; j < COLUMNS && good && !labels; j++) {
    char name[8];
    snprintf(name, sizeof name, "x%d", j);
    good = ok(leat_schema_add_column(*out, name, LEAT_NUMBER, LEAT_ROLE_FEATURE, &err));
  }
  int64_t y = labels ? 1 : COLUMNS + 1;
  return good && ok(leat_schema_add_column(*out, "churn", LEAT_CATEGORY, LEAT_ROLE_TARGET, &err)) &&
         ok(leat_schema_add_category(*out, y, "stay", &err)) && ok(leat_schema_add_category(*out, y, "leave", &err));
}

/* What has happened since the last look. */
static void tell(leat_learner *l, int64_t *cursor) {
  leat_event e = {.struct_size = sizeof e};
  while (leat_learner_next_event(l, cursor, &e, NULL) == LEAT_OK) {
    if (e.kind == LEAT_EVENT_WARNING) printf("record %6lld  the loss rises (%s)\n", (long long)e.row, e.name);
    if (e.kind == LEAT_EVENT_ALARM) printf("record %6lld  DRIFT: the loss is higher than chance allows (%s)\n", (long long)e.row, e.name);
    if (e.kind == LEAT_EVENT_RESTART) printf("record %6lld  the world has changed: a fresh model took over, %s\n", (long long)e.row, e.text);
    if (e.kind == LEAT_EVENT_ROLLBACK) printf("record %6lld  ROLLBACK: what was learned last did harm, %s\n", (long long)e.row, e.text);
    if (e.kind == LEAT_EVENT_HELD) printf("record %6lld  %s\n", (long long)e.row, e.text);
  }
}

static void score(leat_learner *l, long i) {
  leat_metrics *now = NULL;
  double accuracy = 0;
  if (ok(leat_learner_metrics(l, 2, &now, &err)) && ok(leat_metrics_value(now, "accuracy", &accuracy, &err)))
    printf("record %6ld  accuracy of the last 1000 predictions: %.3f\n", i, accuracy);
  leat_metrics_free(now);
}

/* Requests come in; the answer to each is known LATE records later. */
static int serve(leat_runtime *rt, leat_learner *l, const leat_schema *rows, const leat_schema *labels) {
  int64_t begin = 0, known = 0, cursor = 0;
  int good = ok(leat_learner_position(l, "requests", &begin, &err)) && ok(leat_learner_position(l, "labels", &known, &err));
  if (good && begin > 0) printf("going on behind request %lld\n", (long long)begin);
  for (long i = (long)begin; i < RECORDS + LATE && good; i += CALL) {
    double p[CALL];
    leat_matrix pred = {.struct_size = sizeof pred, .data = p, .rows = CALL, .cols = 1, .dtype = LEAT_F64};
    leat_batch *b = i < RECORDS ? records(rt, rows, i, 0) : NULL;
    if (b) good = ok(leat_learner_predict(l, b, &pred, &err)); /* p[k]: the probability of "leave" */
    leat_batch_free(b);
    if (!good || i < LATE || i - LATE < known) continue;
    b = records(rt, labels, i - LATE, 1);
    good = b && ok(leat_learner_label(l, b, &err)) && ok(leat_learner_commit(l, &err)); /* from here on it survives anything */
    leat_batch_free(b);
    tell(l, &cursor);
    if (good && (i - LATE + CALL) % 2000 == 0) score(l, i - LATE + CALL);
  }
  return good;
}

int main(int argc, char **argv) {
  leat_runtime *rt = NULL;
  leat_params *p = NULL;
  leat_store *store = NULL;
  leat_schema *rows = NULL, *labels = NULL;
  leat_learner *l = NULL;
  int good = ok(leat_runtime_create(NULL, &rt, &err)) && ok(leat_params_create(rt, "store", &p, &err)) &&
             ok(leat_params_set_i64(p, "create", 1, &err)) && ok(leat_store_open(rt, argc > 1 ? argv[1] : "online-store", p, &store, &err)) &&
             columns(rt, 0, &rows) && columns(rt, 1, &labels);
  leat_status st = good ? leat_learner_open(store, &l, &err) : LEAT_E_STATE;
  if (st == LEAT_E_NOT_FOUND) st = leat_learner_create(store, NULL, NULL, rows, NULL, &l, &err);
  good = good && ok(st) && serve(rt, l, rows, labels);
  leat_learner_free(l);
  leat_schema_free(rows);
  leat_schema_free(labels);
  leat_store_free(store);
  leat_params_free(p);
  leat_runtime_free(rt);
  return good ? 0 : 1;
}
