/* Latency of predictions while the durable learner learns and publishes: predictor threads take every model that is published,
 * as a server would, and one more thread feeds the learner.
 *   bench_swap STORE [NAME=VALUE...]
 * STORE must not be there. NAME: predictors (4), rows (200000) to learn, publish=ROWS (20000) from one snapshot by hand to the
 *   next, hash_bits (18), learner (race), guard (true), calls (0: while the learner learns; else so many a thread, without a
 *   learner behind the first `publish` rows: the figure to compare with).
 * A call: ask for the model that is published now; when it is another one make a predictor of it; predict one row of 30 of
 *   2^hash_bits features. Its time is of the wall, all that the thread had to wait for in it. */
#define _GNU_SOURCE
#include <leat/leat.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "clock.h"
#include "base/rng.h"

enum { ENTRIES = 30, BATCH = 500, POOL = 4096, FINE = 32, CELLS = 64 * FINE, MOST = 64 };
typedef struct bench {
  leat_runtime *rt;
  leat_learner *learner;
  int64_t rows, publish, calls, predictors;
  int64_t width;
  int32_t *index;               /* [POOL, ENTRIES] */
  float *value;
  double *y;                    /* [POOL] */
  int32_t stop;
} bench;
typedef struct seat {
  pthread_t thread;
  bench *b;
  int64_t number, calls, models;
  int64_t cell[CELLS];          /* calls by time: FINE cells a doubling */
  double most, sum;
} seat;

static void check(leat_status st, const leat_error *e) {
  if (!st) return;
  fprintf(stderr, "%s: %s\n", leat_status_name(st), e->message);
  exit(1);
}
static leat_error fresh_error(void) {
  leat_error e = {0};
  e.struct_size = sizeof e;
  return e;
}
static double now(void) { return bench_clock(CLOCK_MONOTONIC); }
static int ascending(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

static void make_rows(bench *b) {
  lt_rng r;
  lt_rng_init(&r, 3, 1);
  b->index = malloc(sizeof *b->index * POOL * ENTRIES);
  b->value = malloc(sizeof *b->value * POOL * ENTRIES);
  b->y = malloc(sizeof *b->y * POOL);
  if (!b->index || !b->value || !b->y) exit(1);
  for (int i = 0; i < POOL; i++) {
    int32_t *id = b->index + i * ENTRIES;
    double m = 0;
    for (int k = 0; k < ENTRIES;) {
      double u = lt_rng_unit(&r);
      int32_t t = (int32_t)((double)b->width * u * u * u);
      int twice = 0;
      for (int j = 0; j < k; j++) twice |= id[j] == t;
      if (!twice) id[k++] = t;
    }
    qsort(id, ENTRIES, sizeof *id, ascending);
    for (int k = 0; k < ENTRIES; k++) {
      double x = lt_rng_normal(&r);
      b->value[i * ENTRIES + k] = (float)x;
      m += id[k] % 8 ? 0 : x * (id[k] % 3 - 1);
    }
    b->y[i] = m + lt_rng_normal(&r) > 0;
  }
}

static leat_schema *make_schema(bench *b) {
  leat_error e = fresh_error();
  leat_schema *s = NULL;
  check(leat_schema_create(b->rt, &s, &e), &e);
  check(leat_schema_add_block(s, "x", b->width, 1, &e), &e);
  check(leat_schema_add_column(s, "y", LEAT_CATEGORY, LEAT_ROLE_TARGET, &e), &e);
  check(leat_schema_add_category(s, 1, "0", &e), &e);
  check(leat_schema_add_category(s, 1, "1", &e), &e);
  return s;
}

static void feed(bench *b, leat_batch *rows, int64_t at) {
  static int64_t start[BATCH + 1];
  leat_error e = fresh_error();
  leat_csr x = {0};
  leat_matrix labels = {0};
  for (int i = 0; i <= BATCH; i++) start[i] = (int64_t)i * ENTRIES;
  at %= POOL - BATCH;
  x.struct_size = sizeof x;
  x.row_start = start;
  x.index = b->index + at * ENTRIES;
  x.value = b->value + at * ENTRIES;
  x.rows = labels.rows = BATCH;
  x.cols = b->width;
  x.dtype = LEAT_F32;
  labels.struct_size = sizeof labels;
  labels.data = b->y + at;
  labels.cols = 1;
  labels.dtype = LEAT_F64;
  check(leat_batch_clear(rows, &e), &e);
  check(leat_batch_set_csr(rows, &x, &e), &e);
  check(leat_batch_set_labels(rows, &labels, NULL, &e), &e);
  check(leat_learner_feed(b->learner, rows, NULL, &e), &e);
}

static void learn(bench *b, leat_batch *rows, int64_t from, int64_t to) {
  leat_error e = fresh_error();
  for (int64_t at = from; at < to; at += BATCH) {
    int64_t version;
    feed(b, rows, at * 7);
    if ((at + BATCH) % b->publish) continue;
    check(leat_learner_snapshot(b->learner, &version, &e), &e);
    check(leat_learner_commit(b->learner, &e), &e);
  }
}

static void count(seat *s, double time) {
  int cell = (int)(log2(time * 1e9 + 1) * FINE);
  s->cell[cell < CELLS ? cell : CELLS - 1]++;
  s->sum += time;
  if (time > s->most) s->most = time;
}

static void *predict(void *arg) {
  seat *s = arg;
  bench *b = s->b;
  leat_error e = fresh_error();
  leat_model *m = NULL;
  leat_predictor *q = NULL;
  float out[2];
  for (int64_t i = s->number * 997; !__atomic_load_n(&b->stop, __ATOMIC_RELAXED); i++) {
    leat_model *latest = NULL;
    double begun = now();
    check(leat_learner_model(b->learner, &latest, &e), &e);
    if (latest != m) {
      leat_predictor_free(q);
      leat_model_free(m);
      m = latest;
      check(leat_predictor_create(m, NULL, NULL, &q, &e), &e);
      s->models++;
    } else {
      leat_model_free(latest);
    }
    check(leat_predictor_one_sparse(q, b->index + i % POOL * ENTRIES, b->value + i % POOL * ENTRIES, ENTRIES, out, 2, &e), &e);
    count(s, now() - begun);
    if (++s->calls == b->calls) break;
  }
  leat_predictor_free(q);
  leat_model_free(m);
  return NULL;
}

static double quantile(const int64_t *cell, int64_t n, double share) {
  int64_t sum = 0;
  for (int i = 0; i < CELLS; i++)
    if ((double)(sum += cell[i]) >= share * (double)n) return exp2(((double)i + 0.5) / FINE);
  return NAN;
}

static void report(const seat *s, int64_t n, double time, double learned) {
  static int64_t all[CELLS];
  int64_t calls = 0, models = 0;
  double most = 0;
  for (int64_t k = 0; k < n; k++) {
    for (int i = 0; i < CELLS; i++) all[i] += s[k].cell[i];
    calls += s[k].calls;
    models += s[k].models;
    if (s[k].most > most) most = s[k].most;
  }
  double median = quantile(all, calls, 0.5), high = quantile(all, calls, 0.999);
  printf("%lld threads, %lld predictions of %lld models in %.2f s, %.0f rows/s learned beside them\n", (long long)n,
         (long long)calls, (long long)models, time, learned / time);
  printf("ns: median %.0f, p90 %.0f, p99 %.0f, p99.9 %.0f (%.1f times the median), p99.99 %.0f, most %.0f\n", median,
         quantile(all, calls, 0.9), quantile(all, calls, 0.99), high, high / median, quantile(all, calls, 0.9999), most * 1e9);
}

static void begin(bench *b, int n, char **args) {
  leat_error e = fresh_error();
  leat_params *model = NULL, *settings = NULL, *place = NULL;
  leat_store *store = NULL;
  check(leat_runtime_create(NULL, &b->rt, &e), &e);
  check(leat_params_create(b->rt, "online/linear", &model, &e), &e);
  check(leat_params_create(b->rt, "learner", &settings, &e), &e);
  check(leat_params_create(b->rt, "store", &place, &e), &e);
  for (int i = 2; i < n; i++) {
    char *value = strchr(args[i], '=');
    if (!value) exit(2);
    *value++ = 0;
    int64_t *own = strcmp(args[i], "predictors") == 0 ? &b->predictors : strcmp(args[i], "rows") == 0 ? &b->rows
                 : strcmp(args[i], "publish") == 0 ? &b->publish : strcmp(args[i], "calls") == 0 ? &b->calls : NULL;
    if (strcmp(args[i], "hash_bits") == 0) b->width = INT64_C(1) << atoi(value);
    if (own) *own = atoll(value);
    else if (leat_params_set_text(settings, args[i], value, NULL)) check(leat_params_set_text(model, args[i], value, &e), &e);
  }
  if (b->predictors < 1 || b->predictors > MOST || b->publish % BATCH || b->publish < BATCH || b->rows < b->publish) {
    fprintf(stderr, "predictors: 1 to %d; publish: a multiple of %d, at most rows\n", MOST, BATCH);
    exit(2);
  }
  leat_schema *s = make_schema(b);
  check(leat_params_set_i64(place, "create", 1, &e), &e);
  check(leat_store_open(b->rt, args[1], place, &store, &e), &e);
  check(leat_learner_create(store, model, settings, s, NULL, &b->learner, &e), &e);
  leat_schema_free(s);
  leat_store_free(store);
  leat_params_free(model);
  leat_params_free(settings);
  leat_params_free(place);
}

int main(int n, char **args) {
  static seat seats[MOST];
  bench b = {.rows = 200000, .publish = 20000, .predictors = 4, .width = 1 << 18};
  leat_error e = fresh_error();
  leat_batch *rows = NULL;
  if (n < 2) {
    fprintf(stderr, "bench_swap STORE [NAME=VALUE...]\n");
    return 2;
  }
  begin(&b, n, args);
  make_rows(&b);
  leat_schema *s = make_schema(&b);
  check(leat_batch_create(b.rt, s, &rows, &e), &e);
  learn(&b, rows, 0, b.publish); /* there is a model */
  double begun = now();
  for (int64_t k = 0; k < b.predictors; k++) {
    seats[k].b = &b;
    seats[k].number = k;
    if (pthread_create(&seats[k].thread, NULL, predict, &seats[k])) return 1;
  }
  if (b.calls == 0) {
    learn(&b, rows, b.publish, b.rows);
    __atomic_store_n(&b.stop, 1, __ATOMIC_RELAXED);
  }
  for (int64_t k = 0; k < b.predictors; k++) pthread_join(seats[k].thread, NULL);
  report(seats, b.predictors, now() - begun, b.calls ? 0 : (double)(b.rows - b.publish));
  leat_batch_free(rows);
  leat_schema_free(s);
  leat_learner_free(b.learner);
  leat_runtime_free(b.rt);
  free(b.index);
  free(b.value);
  free(b.y);
  return 0;
}
