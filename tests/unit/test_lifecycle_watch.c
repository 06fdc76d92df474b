#define _DEFAULT_SOURCE /* mkdtemp */
/* The learner's monitors: what has moved is named, what has not is not, a crash changes nothing, old states are read. */
#include "learner_help.h"
#include "lifecycle/monitor.h"
#include "model/profiles.h"

static const char *const settings = "guard=false monitor_reference=1000 monitor_window=500 checkpoint_bytes=65536 gate=false";
static const lr_stream plain = {2, 0, 0, 5}, numbers = {0, 0, 0, 9}, four = {4, 0, 0, 6};

/* Record i; in [from, to) x1 lies higher by `shift`, and plan is mostly "c" when `plans`. */
typedef struct moved { int64_t from, to; double shift; int plans; } moved;
static void feed(lr_life *x, const lr_stream *w, leat_schema *s, const moved *m, int64_t to, int64_t call) {
  int64_t at = 0;
  LR_OK(leat_learner_position(x->l, "stream", &at, &lr_e));
  while (at < to) {
    leat_batch *b = NULL;
    int64_t n = to - at < call ? to - at : call;
    LR_OK(leat_batch_create(x->rt, s, &b, &lr_e));
    for (int64_t i = at; i < at + n; i++) {
      char text[3][32], plan[2], y[32];
      double v[3];
      lr_record(w, i, v, plan, y);
      if (m && i >= m->from && i < m->to) {
        v[1] += m->shift;
        if (m->plans && i % 3) plan[0] = 'c';
      }
      for (int k = 0; k < 3; k++) snprintf(text[k], 32, "%.17g", v[k]);
      const char *field[] = {text[0], text[1], text[2], plan, y};
      LR_OK(leat_batch_add_text(b, field, 5, &lr_e));
    }
    LR_OK(leat_batch_set_source(b, "stream", at, &lr_e));
    LR_OK(leat_learner_feed(x->l, b, NULL, &lr_e));
    leat_batch_free(b);
    at += n;
  }
}
static int64_t events(lr_life *x, int64_t kind, const char *name, int64_t *row) {
  leat_event e = {.struct_size = sizeof e};
  int64_t n = 0;
  for (int64_t cursor = 0; leat_learner_next_event(x->l, &cursor, &e, NULL) == LEAT_OK;) {
    if (e.kind != kind || (name && strcmp(e.name, name) != 0)) continue;
    if (row && n == 0) *row = e.row;
    n++;
    if (kind == LEAT_EVENT_DRIFT) assert_true(e.value > e.threshold && e.threshold > 0 && strstr(e.text, "worst cell"));
  }
  return n;
}

/* Classes, many classes, numbers: nothing has moved and nothing is said. */
static void clean(void **state) {
  const lr_stream *streams[] = {&plain, &numbers, &four};
  leat_runtime *rt = tr_runtime(1);
  (void)state;
  for (int i = 0; i < 3; i++) {
    char path[256];
    lr_life x;
    leat_drift_point p = {.struct_size = sizeof p};
    int64_t cursor = 0, points = 0, last = 0;
    lr_folder(path);
    leat_schema *s = lr_schema(rt, streams[i], 0);
    lr_create(&x, rt, path, "hash_bits=8", settings, s, NULL);
    feed(&x, streams[i], s, NULL, 12000, 700);
    assert_int_equal(events(&x, LEAT_EVENT_DRIFT, "x0", NULL) + events(&x, LEAT_EVENT_DRIFT, "x1", NULL) + events(&x, LEAT_EVENT_DRIFT, "plan", NULL) +
                     events(&x, LEAT_EVENT_DRIFT, "y", NULL), 0);
    for (; leat_store_drift(x.s, &cursor, &p, NULL) == LEAT_OK; points++) {
      assert_true(p.row >= last && p.drift.name[0]);
      last = p.row;
      assert_int_equal(p.drift.rows, i == 1 && !strcmp(p.drift.name, "(calibration)") ? 0 : 500); /* numbers have none */
    }
    /* x0, x1, x2, plan, y, prediction, calibration: each at the end of each of 22 windows */
    assert_int_equal(points, 22 * 7);
    lr_close(&x);
    leat_schema_free(s);
    lr_remove(path);
  }
  leat_runtime_free(rt);
}

/* What has moved is named in its second window, and cleared in the third behind its end. */
static void named(void **state) {
  leat_runtime *rt = tr_runtime(1);
  char path[256];
  lr_life x;
  int64_t raised = 0, cleared = 0;
  moved m = {4000, 7000, 1.0, 1};
  (void)state;
  lr_folder(path);
  leat_schema *s = lr_schema(rt, &plain, 0);
  lr_create(&x, rt, path, "hash_bits=8", settings, s, NULL);
  feed(&x, &plain, s, &m, 12000, 333);
  assert_int_equal(events(&x, LEAT_EVENT_DRIFT, "x1", &raised), 1);
  assert_int_equal(raised, 5000);
  assert_int_equal(events(&x, LEAT_EVENT_DRIFT_OVER, "x1", &cleared), 1);
  assert_int_equal(cleared, 8500);
  assert_int_equal(events(&x, LEAT_EVENT_DRIFT, "plan", NULL), 1);
  assert_int_equal(events(&x, LEAT_EVENT_DRIFT, "x0", NULL) + events(&x, LEAT_EVENT_DRIFT, "x2", NULL), 0);
  /* a model of it carries the reference: a monitor can be made */
  leat_model *live = NULL;
  leat_monitor *w = NULL;
  int64_t n = 0;
  LR_OK(leat_learner_live(x.l, &live, &lr_e));
  LR_OK(leat_monitor_create(live, NULL, &w, &lr_e));
  LR_OK(leat_monitor_count(w, &n, &lr_e));
  assert_int_equal(n, 5);
  leat_monitor_free(w);
  leat_model_free(live);
  lr_close(&x);
  leat_schema_free(s);
  lr_remove(path);
  leat_runtime_free(rt);
}

static int64_t stands(void *user) {
  (void)user;
  return 1700000000000000000;
}

/* Killed in the sample, at its end, inside windows, with and without a checkpoint: the same end, the same bytes. (When a
 * window began is part of them: the two lives have one time.) */
static void killed(void **state) {
  static const int64_t at[] = {300, 999, 1000, 1001, 1499, 1500, 2217, 4999, 5100, 8400};
  leat_clock clock = {.struct_size = sizeof clock, .now_ns = stands, .monotonic_ns = stands};
  leat_runtime_opts opts = {.struct_size = sizeof opts, .clock = &clock};
  leat_runtime *rt = NULL;
  LR_OK(leat_runtime_create(&opts, &rt, &lr_e));
  moved m = {4000, 7000, 1.0, 1};
  char path[256], other[256];
  lr_life x, y;
  lr_end whole, end;
  lt_put a, b;
  (void)state;
  lr_folder(path);
  leat_schema *s = lr_schema(rt, &plain, 0);
  lr_create(&x, rt, path, "hash_bits=8", settings, s, NULL);
  feed(&x, &plain, s, &m, 9000, 450);
  lr_finish(&x, &whole);
  lt_put_init(&a, rt);
  lt_ln_watch_save(x.l, &a);
  lr_folder(other);
  lr_create(&y, rt, other, "hash_bits=8", settings, s, NULL);
  for (int k = 0; k < 10; k++) {
    feed(&y, &plain, s, &m, at[k], 97);
    if (k % 2) LR_OK(lt_ln_checkpoint(y.l, &lr_e));
    LR_OK(leat_learner_commit(y.l, &lr_e));
    lr_kill(&y);
    lr_open(&y, rt, other);
  }
  feed(&y, &plain, s, &m, 9000, 450);
  lr_finish(&y, &end);
  lt_put_init(&b, rt);
  lt_ln_watch_save(y.l, &b);
  assert_int_equal(a.size, b.size);
  assert_memory_equal(a.data, b.data, a.size);
  lr_same(&whole, &end);
  int64_t cursor = 0, points = 0;
  leat_drift_point p = {.struct_size = sizeof p};
  while (leat_store_drift(y.s, &cursor, &p, NULL) == LEAT_OK) points++;
  assert_int_equal(points, 16 * 7); /* none twice */
  lt_put_free(&a);
  lt_put_free(&b);
  lr_drop(&whole);
  lr_drop(&end);
  lr_close(&x);
  lr_close(&y);
  leat_schema_free(s);
  lr_remove(path);
  lr_remove(other);
  leat_runtime_free(rt);
}

/* Less than 5 KB a feature: while the reference is drawn, and behind. Counts of two processes are one's. */
static void size(void **state) {
  enum { WIDE = 200 };
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = tr_schema(rt, WIDE, 2, 0);
  leat_batch *b = NULL;
  lt_rows v;
  double *x = malloc((size_t)(600 * WIDE) * sizeof *x), y[600], shown[600];
  lt_rng r;
  (void)state;
  lt_rng_init(&r, 4, 4);
  for (int i = 0; i < 600 * WIDE; i++) x[i] = lt_rng_normal(&r);
  for (int i = 0; i < 600; i++) shown[i] = lt_rng_unit(&r), y[i] = lt_rng_unit(&r) < shown[i];
  leat_matrix mx = tr_matrix(x, 600, WIDE, LEAT_F64), my = tr_matrix(y, 600, 1, LEAT_F64);
  LR_OK(lt_batch_create(rt, s, &b, &lr_e));
  LR_OK(lt_batch_set_dense(b, &mx, &lr_e));
  LR_OK(lt_batch_set_labels(b, &my, NULL, &lr_e));
  lt_batch_rows(b, &v);
  int64_t before = 0, after = 0;
  leat_monitor *m[3] = {NULL}, *copy = NULL;
  LR_OK(leat_runtime_stat(rt, "bytes_in_use", &before, &lr_e));
  LR_OK(lt_monitor_of(&v, shown, NULL, &m[0], &lr_e));
  LR_OK(leat_runtime_stat(rt, "bytes_in_use", &after, &lr_e));
  print_message("%lld bytes a feature\n", (long long)((after - before) / WIDE));
  assert_true(after - before < 5000 * (int64_t)WIDE);
  LR_OK(lt_monitor_of(&v, shown, NULL, &m[1], &lr_e));
  LR_OK(lt_monitor_of(&v, shown, NULL, &m[2], &lr_e));
  int64_t done;
  int closed;
  lt_monitor_shown all = {shown, shown, y}, half = {shown + 300, shown + 300, y + 300};
  LR_OK(lt_monitor_rows(m[0], &v, 0, 600, 0, &all, &done, &closed, &lr_e));
  LR_OK(lt_monitor_rows(m[1], &v, 0, 300, 0, &all, &done, &closed, &lr_e));
  LR_OK(lt_monitor_rows(m[2], &v, 300, 300, 0, &half, &done, &closed, &lr_e));
  lt_put w, again;
  lt_get g;
  lt_put_init(&w, rt); /* the second one comes as bytes, from another process */
  lt_monitor_save(m[2], &w);
  lt_get_init(&g, rt, w.data, w.size);
  LR_OK(lt_monitor_load(rt, NULL, &g, &copy, &lr_e));
  LR_OK(lt_monitor_merge(m[1], copy, &lr_e));
  for (uint64_t cut = 0; cut < w.size; cut += 1 + w.size / 300) { /* cut short: an error, nothing else */
    leat_monitor *none = NULL;
    lt_get_init(&g, rt, w.data, cut);
    assert_int_equal(lt_monitor_load(rt, NULL, &g, &none, NULL), LEAT_E_FORMAT);
    assert_null(none);
  }
  lt_put_free(&w);
  for (int64_t k = 0; k < lt_monitor_count(m[0]); k++) {
    leat_drift_info i = {.struct_size = sizeof i}, j = {.struct_size = sizeof j};
    LR_OK(lt_monitor_at(m[0], k, &i, &lr_e));
    LR_OK(lt_monitor_at(m[1], k, &j, &lr_e));
    assert_string_equal(i.name, j.name);
    assert_true(i.rows == 600 && j.rows == 600 && fabs(i.value - j.value) < 1e-12);
    if (k + 1 == lt_monitor_count(m[0])) assert_string_equal(i.name, "(calibration)");
  }
  lt_put_init(&w, rt);
  lt_put_init(&again, rt);
  lt_monitor_save(m[1], &w);
  lt_get_init(&g, rt, w.data, w.size);
  lt_monitor_free(copy);
  LR_OK(lt_monitor_load(rt, NULL, &g, &copy, &lr_e));
  lt_monitor_save(copy, &again);
  assert_int_equal(w.size, again.size);
  assert_memory_equal(w.data, again.data, w.size);
  lt_put_free(&w);
  lt_put_free(&again);
  lt_monitor_free(copy);
  for (int i = 0; i < 3; i++) lt_monitor_free(m[i]);
  lt_batch_free(b);
  lt_schema_free(s);
  free(x);
  leat_runtime_free(rt);
}

/* The worst there is: categories of 150 labels of 40 bytes each. In memory and as bytes less than 5 KB a feature. */
static void size_of_labels(void **state) {
  enum { WIDE = 100, LABELS = 150, ROWS = 600 };
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  leat_monitor *m = NULL;
  static char text[LABELS][48];
  double shown[ROWS];
  lt_rows v;
  lt_put w;
  int64_t before = 0, after = 0, done;
  int closed;
  (void)state;
  for (int i = 0; i < LABELS; i++) snprintf(text[i], sizeof text[i], "the label of this column with number %04d", i);
  LR_OK(leat_schema_create(rt, &s, &lr_e));
  for (int k = 0; k < WIDE; k++) {
    char name[8];
    snprintf(name, sizeof name, "c%d", k);
    LR_OK(leat_schema_add_column(s, name, LEAT_CATEGORY, LEAT_ROLE_FEATURE, &lr_e));
    for (int i = 0; i < LABELS; i++) LR_OK(leat_schema_add_category(s, k, text[i], &lr_e));
  }
  LR_OK(leat_batch_create(rt, s, &b, &lr_e));
  for (int r = 0; r < ROWS; r++) {
    const char *field[WIDE];
    for (int k = 0; k < WIDE; k++) field[k] = text[(r * (k + 1)) % LABELS];
    LR_OK(leat_batch_add_text(b, field, WIDE, &lr_e));
    shown[r] = r % 7;
  }
  lt_batch_rows(b, &v);
  LR_OK(leat_runtime_stat(rt, "bytes_in_use", &before, &lr_e));
  LR_OK(lt_monitor_of(&v, shown, NULL, &m, &lr_e));
  lt_monitor_shown all = {shown, NULL, NULL};
  LR_OK(lt_monitor_rows(m, &v, 0, ROWS, 0, &all, &done, &closed, &lr_e));
  LR_OK(leat_runtime_stat(rt, "bytes_in_use", &after, &lr_e));
  lt_put_init(&w, rt);
  lt_monitor_save(m, &w);
  print_message("a category of %d labels: %lld bytes in memory, %lld saved\n", LABELS, (long long)(after - before) / WIDE, (long long)w.size / WIDE);
  assert_true(w.size < 5000 * WIDE && after - before < 5000 * (int64_t)WIDE);
  lt_put_free(&w);
  lt_monitor_free(m);
  lt_batch_free(b);
  lt_schema_free(s);
  leat_runtime_free(rt);
}

/* A model's monitor through the public calls: bytes to another process, which merges them; damage is refused. */
static void bytes(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_dataset *d = on_sparse(rt, 900, 50, 4, 2);
  leat_params *p = lr_params(rt, "model/linear", "max_iterations=2");
  leat_trainer *t = NULL;
  leat_model *m = NULL;
  leat_schema *s = NULL;
  leat_batch *b = NULL;
  leat_monitor *all = NULL, *one = NULL, *other = NULL, *none = NULL;
  uint8_t *buf = NULL;
  uint64_t size = 0;
  int64_t got = 0, rows[2], st[2];
  (void)state;
  LR_OK(leat_trainer_create(rt, p, NULL, NULL, &t, &lr_e));
  LR_OK(leat_trainer_set_data(t, d, NULL, &lr_e));
  LR_OK(leat_trainer_fit(t, &lr_e));
  LR_OK(leat_trainer_snapshot(t, &m, &lr_e));
  LR_OK(leat_monitor_create(m, NULL, &all, &lr_e));
  LR_OK(leat_monitor_create(m, NULL, &one, &lr_e));
  LR_OK(leat_monitor_create(m, NULL, &other, &lr_e));
  LR_OK(leat_dataset_schema(d, &s, &lr_e));
  LR_OK(leat_batch_create(rt, s, &b, &lr_e));
  for (int k = 0; k < 9; k++) {
    LR_OK(leat_dataset_next(d, 100, b, &got, &lr_e));
    LR_OK(leat_monitor_update(all, b, &lr_e));
    LR_OK(leat_monitor_update(k % 2 ? one : other, b, &lr_e));
  }
  assert_int_equal(leat_monitor_save(other, NULL, 0, &size, NULL), LEAT_E_CAPACITY);
  buf = malloc(size);
  LR_OK(leat_monitor_save(other, buf, size, &size, &lr_e));
  leat_monitor_free(other);
  for (uint64_t i = 0; i < size; i++) {
    buf[i] ^= 4;
    leat_status bad = leat_monitor_load(m, buf, size, &none, NULL);
    assert_true((bad == LEAT_E_FORMAT || bad == LEAT_E_VERSION) && !none);
    buf[i] ^= 4;
  }
  assert_int_equal(leat_monitor_load(m, buf, size - 1, &none, NULL), LEAT_E_FORMAT);
  assert_int_equal(leat_monitor_load(m, buf, 3, &none, NULL), LEAT_E_FORMAT);
  LR_OK(leat_monitor_load(m, buf, size, &other, &lr_e));
  LR_OK(leat_monitor_merge(one, other, &lr_e));
  LR_OK(leat_monitor_state(all, &st[0], &rows[0], &lr_e));
  LR_OK(leat_monitor_state(one, &st[1], &rows[1], &lr_e));
  assert_true(st[0] == st[1] && rows[0] == rows[1] && rows[0] == 900);
  leat_drift_info i = {.struct_size = sizeof i}, j = {.struct_size = sizeof j};
  LR_OK(leat_monitor_at(all, 0, &i, &lr_e));
  LR_OK(leat_monitor_at(one, 0, &j, &lr_e));
  assert_memory_equal(&i, &j, sizeof i);
  free(buf);
  leat_monitor_free(all);
  leat_monitor_free(one);
  leat_monitor_free(other);
  leat_batch_free(b);
  leat_schema_free(s);
  leat_model_free(m);
  leat_trainer_free(t);
  leat_params_free(p);
  leat_dataset_free(d);
  leat_runtime_free(rt);
}

/* Probabilities that are right raise nothing, those that are too sure do, at the cell where they are. */
static void calibrated(void **state) {
  enum { ROWS = 4000 };
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = tr_schema(rt, 1, 2, 0);
  leat_batch *b = NULL;
  lt_rows v;
  double x[ROWS], y[ROWS], p[ROWS], sure[ROWS];
  lt_rng r;
  (void)state;
  lt_rng_init(&r, 8, 8);
  for (int i = 0; i < ROWS; i++) {
    p[i] = lt_rng_unit(&r);
    x[i] = lt_rng_normal(&r);
    y[i] = lt_rng_unit(&r) < p[i];
    sure[i] = p[i] > 0.5 ? 0.5 + (p[i] - 0.5) * 0.2 + 0.39 : p[i]; /* above a half: 0.89 to 0.99 */
  }
  leat_matrix mx = tr_matrix(x, ROWS, 1, LEAT_F64), my = tr_matrix(y, ROWS, 1, LEAT_F64);
  LR_OK(lt_batch_create(rt, s, &b, &lr_e));
  LR_OK(lt_batch_set_dense(b, &mx, &lr_e));
  LR_OK(lt_batch_set_labels(b, &my, NULL, &lr_e));
  lt_batch_rows(b, &v);
  for (int k = 0; k < 2; k++) {
    leat_monitor *m = NULL;
    leat_drift_info i = {.struct_size = sizeof i};
    lt_monitor_shown shown = {p, k ? sure : p, y};
    int64_t done;
    int closed;
    LR_OK(lt_monitor_of(&v, p, NULL, &m, &lr_e));
    LR_OK(lt_monitor_rows(m, &v, 0, ROWS, 0, &shown, &done, &closed, &lr_e));
    LR_OK(lt_monitor_at(m, lt_monitor_count(m) - 1, &i, &lr_e));
    print_message("calibration error %.3f, worst cell %s: %.3f of %.3f\n", i.value, i.worst_cell, i.share, i.reference_share);
    assert_int_equal(i.state, k ? LEAT_DRIFT_ALERT : LEAT_DRIFT_OK);
    if (k) assert_true(!strcmp(i.worst_cell, "[0.9, 1)") || !strcmp(i.worst_cell, "[0.8, 0.9)"));
    lt_monitor_free(m);
  }
  lt_batch_free(b);
  lt_schema_free(s);
  leat_runtime_free(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(clean), cmocka_unit_test(named), cmocka_unit_test(killed), cmocka_unit_test(size), cmocka_unit_test(size_of_labels), cmocka_unit_test(bytes),
                                     cmocka_unit_test(calibrated)};
  return cmocka_run_group_tests_name("lifecycle/watch", tests, NULL, NULL);
}
