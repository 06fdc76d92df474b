/* The guard against damage: three learners go through one stream side by side, guarded and unguarded with the damage, and a
 * third one that is never damaged.
 *   bench_guard SOURCE [NAME=VALUE...]
 * SOURCE: a file, or dense, sparse: stationary streams made here. NAME: a parameter of the model, the guard or the reader, or
 *   damage=flip|cell|column|rate|weights|noise|xor   from=ROW to=ROW value=X column=NAME   after=ROWS (5000)
 *   rows=N seed=N seeds=N (made streams: so many of them)  call=ROWS  quiet=1  threads=N  alone=1 (the guarded one only)
 * It prints accuracy and log-loss of all rows, accuracy of the `after` rows behind the damage, the swaps, and seconds. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/rng.h"
#include "data/dataset.h"
#include "lifecycle/guard.h"
#include "model/online_net.h"

enum { ARMS = 3, WIDTH = 1 << 18, ENTRIES = 30, COLS = 8 };
static const lt_param_def bench_defs[] = {LT_GUARD_PARAMS};
static const lt_spec bench_spec = {"bench/guard", "The guard's.", bench_defs, (int64_t)(sizeof bench_defs / sizeof bench_defs[0])};
static const char *const arm_name[ARMS] = {"guarded", "unguarded", "undamaged"};

typedef struct arm {
  lt_online_trainer *o;
  lt_guard *g;
  double time;
  int64_t right, rows;     /* behind the damage */
  int64_t swaps[8];
} arm;
typedef struct bench {
  leat_runtime *rt;
  leat_params *model, *settings, *reader;
  const char *damage, *column;
  int64_t from, to, after, rows, seeds, call, quiet, alone;
  uint64_t seed;
  double value;
  arm a[ARMS];
  int64_t at;              /* rows so far */
  double *weight;          /* of made streams */
  lt_rng draw, harm;
} bench;

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
/* Of the processor with one thread (machines are shared), else of the wall. */
static int64_t threads = 1;
static double seconds(void) {
  struct timespec t;
  if (threads == 1) return (double)clock() / CLOCKS_PER_SEC;
  timespec_get(&t, TIME_UTC);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- made streams */
static int ascending(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

static void make_sparse(bench *b, leat_batch *rows, int64_t n) {
  leat_error e = fresh_error();
  int64_t *start = calloc((size_t)n + 1, sizeof *start);
  int32_t *index = malloc((size_t)(n * ENTRIES) * sizeof *index);
  float *value = malloc((size_t)(n * ENTRIES) * sizeof *value);
  double *y = malloc((size_t)n * sizeof *y);
  if (!start || !index || !value || !y) exit(1);
  for (int64_t i = 0; i < n; i++) {
    int32_t *id = index + i * ENTRIES;
    double m = -0.5;
    for (int k = 0; k < ENTRIES;) {
      double u = lt_rng_unit(&b->draw);
      int32_t t = (int32_t)(WIDTH * u * u * u);
      int twice = 0;
      for (int j = 0; j < k; j++) twice |= id[j] == t;
      if (!twice) id[k++] = t;
    }
    qsort(id, ENTRIES, sizeof *id, ascending);
    for (int k = 0; k < ENTRIES; k++) m += b->weight[id[k]] * (double)(value[i * ENTRIES + k] = (float)lt_rng_normal(&b->draw));
    double p = 1 / (1 + exp(-m));
    y[i] = lt_rng_unit(&b->draw) < p * 0.95 + (1 - p) * 0.05;
    start[i + 1] = start[i] + ENTRIES;
  }
  leat_csr x = {0};
  leat_matrix labels = {0};
  x.struct_size = sizeof x;
  x.row_start = start;
  x.index = index;
  x.value = value;
  x.rows = n;
  x.cols = WIDTH;
  x.dtype = LEAT_F32;
  labels.struct_size = sizeof labels;
  labels.data = y;
  labels.rows = n;
  labels.cols = 1;
  labels.dtype = LEAT_F64;
  check(lt_batch_set_csr(rows, &x, &e), &e);
  check(lt_batch_set_labels(rows, &labels, NULL, &e), &e);
  free(start);
  free(index);
  free(value);
  free(y);
}

static void make_dense(bench *b, leat_batch *rows, int64_t n) {
  leat_error e = fresh_error();
  double *x = malloc((size_t)(n * COLS) * sizeof *x), *y = malloc((size_t)n * sizeof *y);
  if (!x || !y) exit(1);
  for (int64_t i = 0; i < n; i++) {
    double m = 0.3;
    for (int j = 0; j < COLS; j++) m += b->weight[j] * (x[i * COLS + j] = lt_rng_normal(&b->draw));
    double p = 1 / (1 + exp(-m));
    y[i] = lt_rng_unit(&b->draw) < p * 0.95 + (1 - p) * 0.05;
  }
  leat_matrix mx = {0}, labels = {0};
  mx.struct_size = labels.struct_size = sizeof mx;
  mx.data = x;
  labels.data = y;
  mx.rows = labels.rows = n;
  mx.cols = COLS;
  labels.cols = 1;
  mx.dtype = labels.dtype = LEAT_F64;
  check(lt_batch_set_dense(rows, &mx, &e), &e);
  check(lt_batch_set_labels(rows, &labels, NULL, &e), &e);
  free(x);
  free(y);
}

static void make_begin(bench *b, int sparse) {
  lt_rng w;
  lt_rng_init(&w, b->seed, 1);
  lt_rng_init(&b->draw, b->seed, 2);
  b->weight = realloc(b->weight, WIDTH * sizeof *b->weight);
  if (!b->weight) exit(1);
  for (int i = 0; i < WIDTH; i++) {
    double a = lt_rng_normal(&w);
    b->weight[i] = !sparse ? 1.5 * a : lt_rng_unit(&w) < 0.125 ? 2 * a : 0;
  }
}

static leat_schema *make_schema(leat_runtime *rt, int sparse) {
  leat_error e = fresh_error();
  leat_schema *s = NULL;
  check(leat_schema_create(rt, &s, &e), &e);
  check(leat_schema_add_block(s, "x", sparse ? WIDTH : COLS, sparse, &e), &e);
  check(leat_schema_add_column(s, "y", LEAT_CATEGORY, LEAT_ROLE_TARGET, &e), &e);
  check(leat_schema_add_category(s, 1, "-1", &e), &e);
  check(leat_schema_add_category(s, 1, "1", &e), &e);
  return s;
}

/* ---- damage */
static void flip_row(const lt_rows *v, int64_t target, int64_t r) {
  const lt_col *c = &v->col[target];
  int32_t *y = (int32_t *)(uintptr_t)c->data + r * c->row_stride;
  *y = *y == 0 ? 1 : *y == 1 ? 0 : *y;
}

static void times_row(const lt_rows *v, int64_t column, int64_t r, double factor, double value) {
  const lt_col *c = &v->col[column];
  if (c->dtype == LEAT_F64) {
    double *x = (double *)(uintptr_t)c->data + r * c->row_stride;
    *x = *x * factor + value;
  } else if (c->dtype == LEAT_F32) {
    float *x = (float *)(uintptr_t)c->data + r * c->row_stride;
    *x = (float)((double)*x * factor + value);
  }
}

/* Feature i becomes i xor 1: the other weights' stream. */
static void xor_row(const lt_rows *v, int64_t r) {
  for (int64_t k = 0; k < v->schema->n; k++) {
    const lt_col *c = &v->col[k];
    if (!c->row_start) continue;
    int32_t *id = (int32_t *)(uintptr_t)c->index;
    float *x = (float *)(uintptr_t)c->value;
    for (int64_t i = c->row_start[r]; i < c->row_start[r + 1]; i++) id[i] ^= 1;
    for (int64_t i = c->row_start[r]; i + 1 < c->row_start[r + 1]; i++) {
      if (id[i] < id[i + 1]) continue;
      int32_t t = id[i];
      float f = x ? x[i] : 0;
      id[i] = id[i + 1];
      id[i + 1] = t;
      if (!x) continue;
      x[i] = x[i + 1];
      x[i + 1] = f;
    }
  }
}

static void harm_rows(bench *b, const lt_rows *v) {
  int64_t target = lt_schema_role(v->schema, LEAT_ROLE_TARGET), column = -1;
  for (int64_t k = 0; b->column && k < v->schema->n; k++)
    if (strcmp(v->schema->col[k].name, b->column) == 0) column = k;
  for (int64_t r = 0; r < v->n; r++) {
    int64_t row = b->at + r;
    if (row < b->from || row >= b->to) continue;
    double share = (double)(row - b->from) / (double)(b->to - b->from);
    if (strcmp(b->damage, "flip") == 0) flip_row(v, target, r);
    if (strcmp(b->damage, "noise") == 0 && lt_rng_unit(&b->harm) < b->value * share) flip_row(v, target, r);
    if (strcmp(b->damage, "cell") == 0 && row == b->from) times_row(v, column, r, 0, b->value);
    if (strcmp(b->damage, "column") == 0) times_row(v, column, r, b->value, 0);
    if (strcmp(b->damage, "xor") == 0) xor_row(v, r);
  }
}

static void harm_model(bench *b, arm *a) {
  lt_online *m = a->o->m;
  if (strcmp(b->damage, "rate") == 0) {
    a->o->rates.adagrad *= (float)b->value;
    a->o->rates.alpha *= b->value;
    a->o->rates.net *= (float)b->value;
  }
  if (strcmp(b->damage, "weights") == 0) {
    lt_rng r;
    lt_rng_init(&r, b->seed, 9);
    for (int64_t i = 0; i < m->n_slots; i++) {
      for (int64_t k = 0; k < m->n_models; k++) {
        float v[LT_SLOT_NUMBERS];
        lt_online_numbers_of(m, 0, i, v);
        if (!(v[LT_SLOT_N] > 0)) continue;
        lt_online_numbers_of(m, k, i, v);
        v[LT_SLOT_ADA_W] = (float)(b->value * lt_rng_normal(&r));
        v[LT_SLOT_COIN_W] = (float)(b->value * lt_rng_normal(&r));
        v[LT_SLOT_COIN_TH] = v[LT_SLOT_COIN_W] * (v[LT_SLOT_COIN_L] * (v[LT_SLOT_COIN_G] + v[LT_SLOT_COIN_L])) / (0.5f + v[LT_SLOT_COIN_R]);
        v[LT_SLOT_ONS_B] = (float)(lt_rng_unit(&r) - 0.5);
        v[LT_SLOT_ALMA_W] = (float)(b->value * lt_rng_normal(&r) / m->one[k].alma_scale);
        v[LT_SLOT_GAUSS_W] = (float)(b->value * lt_rng_normal(&r));
        for (int j = 0; j < LT_SLOT_NUMBERS; j++)
          if (m->layout->at[j] < 0) v[j] = 0;
        (void)lt_online_set_numbers(m, k, i, v);
        for (int64_t j = 0; j < m->n_hidden; j++) lt_online_net_at(m, k, i)[j] = (float)(b->value * lt_rng_normal(&r));
      }
    }
    lt_guard_disturbed(a->g);
  }
}

/* ---- rows */
static void show_event(const bench *b, arm *a, const lt_guard_event *v) {
  if (v->kind >= LEAT_EVENT_ROLLBACK && v->kind <= LEAT_EVENT_NON_FINITE) a->swaps[v->kind - LEAT_EVENT_ROLLBACK]++;
  if (b->quiet > 1 || v->kind == LEAT_EVENT_CERTIFIED || (b->quiet && v->kind < LEAT_EVENT_ROLLBACK)) return;
  static const char *const kind[] = {"warning", "alarm", "certified", "ROLLBACK", "RESTART", "PIN", "UNDO", "by hand", "NON-FINITE", "FROZEN"};
  printf("  %8lld %-9s value %.3g since %lld taken %lld%s\n", (long long)v->row, kind[v->kind - LEAT_EVENT_WARNING], v->value,
         (long long)v->since, (long long)v->taken, v->suspects ? " suspects" : "");
}

static void learn(bench *b, int k, leat_batch *rows) {
  arm *a = &b->a[k];
  leat_error e = fresh_error();
  lt_rows v;
  lt_batch_rows(rows, &v);
  check(lt_online_bind(a->o, lt_batch_schema(rows), 1, &e), &e);
  check(lt_online_check(a->o, &v, NULL, &e), &e);
  double *p = malloc((size_t)v.n * sizeof *p);
  if (!p) exit(1);
  for (int64_t at = 0, done = 0; at < v.n; at += done) {
    int64_t now = b->at + at, stop = k < 2 && b->damage && now < b->from && now + v.n - at > b->from ? b->from - now : v.n - at;
    lt_guard_call c = {0};
    lt_guard_event event;
    if (k < 2 && b->damage && now == b->from) harm_model(b, a);
    c.rows = &v;
    c.from = at;
    c.n = stop;
    c.pred = p + at;
    c.pred_stride = 1;
    double begun = seconds();
    check(lt_guard_learn(a->g, &c, &done, &e), &e);
    a->time += seconds() - begun;
    while (lt_guard_event_next(a->g, &event)) show_event(b, a, &event);
  }
  for (int64_t r = 0; b->damage && r < v.n; r++) {
    int64_t row = b->at + r;
    if (row < b->to || row >= b->to + b->after) continue;
    double y = lt_online_label(a->o, &v, r);
    if (a->o->labels) y = (double)a->o->map[(int64_t)y];
    a->rows++;
    a->right += (p[r] > 0.5) == (y == 1);
  }
  free(p);
}

static void feed(bench *b, leat_batch *rows) {
  lt_rows v;
  lt_batch_rows(rows, &v);
  if (!b->alone) learn(b, 2, rows);
  if (b->damage) harm_rows(b, &v);
  learn(b, 0, rows);
  if (!b->alone) learn(b, 1, rows);
  b->at += v.n;
}

static void report(bench *b) {
  for (int k = 0; k < ARMS; k++) {
    arm *a = &b->a[k];
    leat_metrics *m = NULL;
    leat_error e = fresh_error();
    double loss = NAN, accuracy = NAN;
    if (b->alone && k) continue;
    if (!b->damage && k == 2) continue;
    check(lt_online_metrics(a->o, LT_PROGRESS_ALL, &m, &e), &e);
    (void)lt_metrics_value(m, "loss", &loss, NULL);
    (void)lt_metrics_value(m, "accuracy", &accuracy, NULL);
    lt_metrics_free(m);
    printf("%-9s loss %.4f accuracy %.4f", arm_name[k], loss, accuracy);
    if (a->rows) printf("  behind the damage %.4f (%lld rows)", (double)a->right / (double)a->rows, (long long)a->rows);
    if (k == 0) printf("  swaps: rollback %lld restart %lld pin %lld undo %lld non-finite %lld", (long long)a->swaps[0],
                       (long long)a->swaps[1], (long long)a->swaps[2], (long long)a->swaps[3], (long long)a->swaps[5]);
    printf("  %.2f s\n", a->time);
  }
}

static void arms_open(bench *b) {
  leat_error e = fresh_error();
  memset(b->a, 0, sizeof b->a);
  b->at = 0;
  lt_rng_init(&b->harm, b->seed, 3);
  for (int k = 0; k < ARMS; k++) {
    check(lt_online_open(b->rt, b->model, NULL, &b->a[k].o, &e), &e);
    check(lt_guard_create(b->a[k].o, k == 0 ? b->settings : NULL, &b->a[k].g, &e), &e);
  }
}
static void arms_close(bench *b) {
  for (int k = 0; k < ARMS; k++) {
    lt_guard_free(b->a[k].g);
    lt_online_close(b->a[k].o);
  }
}

static void run_made(bench *b, int sparse) {
  leat_error e = fresh_error();
  leat_schema *s = make_schema(b->rt, sparse);
  leat_batch *rows = NULL;
  int64_t swaps[8] = {0};
  for (int64_t i = 0; i < b->seeds; i++, b->seed++) {
    arms_open(b);
    make_begin(b, sparse);
    while (b->at < b->rows) {
      int64_t n = b->rows - b->at < b->call ? b->rows - b->at : b->call;
      check(lt_batch_create(b->rt, s, &rows, &e), &e);
      if (sparse) make_sparse(b, rows, n);
      else make_dense(b, rows, n);
      feed(b, rows);
      lt_batch_free(rows);
    }
    report(b);
    for (int k = 0; k < 8; k++) swaps[k] += b->a[0].swaps[k];
    arms_close(b);
  }
  if (b->seeds > 1)
    printf("all: rollback %lld restart %lld pin %lld undo %lld\n", (long long)swaps[0], (long long)swaps[1], (long long)swaps[2],
           (long long)swaps[3]);
  lt_schema_free(s);
}

static void run_file(bench *b, const char *path) {
  leat_error e = fresh_error();
  leat_dataset *d = NULL;
  leat_batch *rows = NULL;
  int64_t got = 1;
  check(lt_dataset_open(b->rt, NULL, path, b->reader, &d, &e), &e);
  arms_open(b);
  check(lt_batch_create(b->rt, lt_dataset_schema(d), &rows, &e), &e);
  while (got > 0 && b->at < b->rows) {
    lt_batch_clear(rows);
    check(lt_dataset_next(d, b->rows - b->at < b->call ? b->rows - b->at : b->call, rows, &got, &e), &e);
    if (got > 0) feed(b, rows);
  }
  lt_batch_free(rows);
  report(b);
  arms_close(b);
  lt_dataset_free(d);
}

static int own_option(bench *b, const char *name, const char *value) {
  struct { const char *name; int64_t *v; } number[] = {{"from", &b->from}, {"to", &b->to}, {"after", &b->after}, {"rows", &b->rows},
                                                       {"seeds", &b->seeds}, {"call", &b->call}, {"quiet", &b->quiet}, {"alone", &b->alone}};
  for (size_t i = 0; i < sizeof number / sizeof *number; i++) {
    if (strcmp(name, number[i].name) != 0) continue;
    *number[i].v = strtoll(value, NULL, 10);
    return 1;
  }
  if (strcmp(name, "damage") == 0) b->damage = value;
  else if (strcmp(name, "column") == 0) b->column = value;
  else if (strcmp(name, "value") == 0) b->value = strtod(value, NULL);
  else if (strcmp(name, "seed") == 0) b->seed = strtoull(value, NULL, 10);
  else return 0;
  return 1;
}

int main(int n, char **args) {
  bench *b = calloc(1, sizeof *b);
  leat_error e = fresh_error();
  leat_runtime_opts opts = {0};
  if (!b || n < 2) return 2;
  opts.struct_size = sizeof opts;
  for (int i = 2; i < n; i++)
    if (strncmp(args[i], "threads=", 8) == 0) threads = strtoll(args[i] + 8, NULL, 10);
  opts.n_threads = threads;
  b->after = 5000;
  b->call = 1000;
  b->rows = INT64_MAX;
  b->seeds = 1;
  b->seed = 1;
  check(leat_runtime_create(&opts, &b->rt, &e), &e);
  check(leat_params_create(b->rt, "online/linear", &b->model, &e), &e);
  check(lt_params_create(b->rt, &bench_spec, &b->settings, &e), &e);
  check(leat_params_create(b->rt, strstr(args[1], ".svm") ? "reader/svmlight" : "reader/csv", &b->reader, &e), &e);
  for (int i = 2; i < n; i++) {
    char *value = strchr(args[i], '=');
    if (!value) return 2;
    *value++ = 0;
    if (strcmp(args[i], "threads") == 0 || own_option(b, args[i], value)) continue;
    if (lt_params_set_text(b->settings, args[i], value, NULL) && lt_params_set_text(b->model, args[i], value, NULL))
      check(lt_params_set_text(b->reader, args[i], value, &e), &e);
  }
  int made = strcmp(args[1], "dense") == 0 || strcmp(args[1], "sparse") == 0;
  if (made && b->rows == INT64_MAX) b->rows = 100000;
  if (made) run_made(b, args[1][0] == 's');
  else run_file(b, args[1]);
  free(b->weight);
  leat_params_free(b->model);
  leat_params_free(b->reader);
  lt_params_free(b->settings);
  leat_runtime_free(b->rt);
  free(b);
  return 0;
}
