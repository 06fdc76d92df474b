#define _DEFAULT_SOURCE /* mkdtemp */
/* The durable learner: the same as the trainer, the same after any crash. */
#include "learner_help.h"

enum { ROWS = 5000 };
static const lr_stream plain = {2, 0, 0, 5}, turning = {2, 2500, 3600, 5}, three = {3, 0, 0, 6}, numbers = {0, 0, 0, 7};

static leat_dataset *dataset(leat_runtime *rt, const lr_stream *w, leat_schema *s, int64_t n, leat_batch **rows) {
  (void)rt;
  *rows = lr_batch(rt, w, s, 0, n, 0, LR_PLAIN);
  return NULL;
}

/* Guard and gate off, all at once or in pieces: the model and the metrics of leat_trainer_test_then_train. */
static void strict_is_test_then_train(void **state) {
  const lr_stream *const streams[] = {&plain, &three, &numbers};
  (void)state;
  for (int k = 0; k < 3; k++)
    for (int64_t chunk = 1; chunk <= 16; chunk += 15) {
      leat_runtime *rt = tr_runtime(1);
      leat_schema *s = lr_schema(rt, streams[k], 0);
      leat_params *p = lr_params(rt, "online/linear", "");
      leat_trainer *t = NULL;
      leat_batch *all = NULL;
      char path[256], settings[128];
      lr_life x;
      lr_end o;
      lr_folder(path);
      dataset(rt, streams[k], s, 3200, &all);
      LR_OK(leat_trainer_create(rt, p, s, NULL, &t, &lr_e));
      double *want = calloc(3200 * 3, sizeof *want), *got = calloc(3200 * 3, sizeof *got);
      int64_t cols = streams[k]->classes == 3 ? 3 : 1;
      leat_matrix pm = {.struct_size = sizeof pm, .data = want, .rows = 3200, .cols = cols, .dtype = LEAT_F64};
      LR_OK(leat_trainer_test_then_train(t, all, chunk, &pm, &lr_e));
      snprintf(settings, sizeof settings, "guard=false chunk=%lld", (long long)chunk);
      lr_create(&x, rt, path, "", settings, s, NULL);
      for (int64_t at = 0, n = 0; at < 3200; at += n) { /* pieces that are not whole chunks */
        n = at % 7 == 0 ? 501 : 48;
        if (n > 3200 - at) n = 3200 - at;
        leat_batch *b = lr_batch(rt, streams[k], s, at, n, 0, LR_PLAIN);
        leat_matrix gm = {.struct_size = sizeof gm, .data = got + at * cols, .rows = n, .cols = cols, .dtype = LEAT_F64};
        LR_OK(leat_learner_feed(x.l, b, &gm, &lr_e));
        leat_batch_free(b);
      }
      assert_memory_equal(want, got, (size_t)(3200 * cols) * sizeof *want);
      lr_finish(&x, &o);
      leat_model *m = on_snapshot(t);
      uint64_t size = 0;
      leat_model_save_bytes(m, NULL, 0, &size, NULL);
      unsigned char *bytes = malloc(size);
      LR_OK(leat_model_save_bytes(m, bytes, size, &size, &lr_e));
      assert_int_equal(size, o.size);
      assert_memory_equal(bytes, o.model, size);
      for (int set = 0; set < 5; set++) assert_true(on_metric(t, set, "loss") == o.metric[set][1]);
      free(bytes);
      leat_model_free(m);
      lr_drop(&o);
      lr_close(&x);
      leat_batch_free(all);
      leat_trainer_free(t);
      leat_params_free(p);
      leat_schema_free(s);
      free(want);
      free(got);
      leat_runtime_free(rt);
      lr_remove(path);
    }
}

/* Killed after some calls, opened, fed on, again and again: nothing tells it from a life without that. */
static void crash_case(const lr_stream *w, const char *model, const char *settings, int64_t call, int64_t rows) {
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = lr_schema(rt, w, 0);
  char whole[256], cut[256], copy[300], small[200];
  lr_life x, y;
  lr_end a, b;
  lt_rng r;
  lr_folder(whole);
  lr_folder(cut);
  snprintf(copy, sizeof copy, "%s.copy", cut);
  snprintf(small, sizeof small, "%s%s", getenv("LEAT_QUICK") ? "hash_bits=12 " : "", model); /* sanitizers are slow with large maps */
  model = small;
  lr_create(&x, rt, whole, model, settings, NULL, NULL);
  lr_feed(&x, w, s, rows, call);
  lr_finish(&x, &a);
  lr_close(&x);
  lr_open(&x, rt, whole); /* as it was */
  lr_finish(&x, &b);
  lr_same(&a, &b);
  lr_drop(&b);
  lr_close(&x);
  lt_rng_init(&r, 99, 1);
  lr_create(&y, rt, cut, model, settings, NULL, NULL);
  for (int64_t at = 0; at < rows;) {
    at += call + (int64_t)lt_rng_below(&r, (uint64_t)rows / 8);
    if (at > rows) at = rows;
    lr_feed(&y, w, s, at, call);
    if (lt_rng_unit(&r) < 0.3) LR_OK(leat_learner_commit(y.l, &lr_e));
    lr_copy(cut, copy);
    lr_kill(&y);
    lr_remove(cut);
    lr_shell("mv", copy, cut);
    lr_open(&y, rt, cut);
    int64_t next = 0;
    LR_OK(leat_learner_position(y.l, "stream", &next, &lr_e));
    assert_int_equal(next, at);
  }
  lr_finish(&y, &b);
  lr_same(&a, &b);
  lr_drop(&a);
  lr_drop(&b);
  lr_close(&y);
  leat_schema_free(s);
  leat_runtime_free(rt);
  lr_remove(whole);
  lr_remove(cut);
}

static void crashes_change_nothing(void **state) {
  (void)state;
  crash_case(&turning, "", "guard_window=256 snapshot_rows=700 checkpoint_bytes=20000", 37, ROWS);
  crash_case(&numbers, "", "guard_window=256 checkpoint_bytes=30000", 64, 4000);
  crash_case(&three, "", "checkpoint_bytes=30000 label_delay=150", 41, 4000);
  crash_case(&three, "", "chunk=10 label_delay=999 checkpoint_bytes=25000 guard_window=300", 130, 4000);
  crash_case(&turning, "learner=mlp hidden=8", "guard_window=256 snapshot_rows=700 checkpoint_bytes=20000", 37, ROWS);
  crash_case(&three, "learner=net hidden=12", "guard_window=256 checkpoint_bytes=30000 race=learner=race;hidden=4", 64, 3000);
  crash_case(&plain, "", "guard=false checkpoint_bytes=4096", 1, 600);
  if (getenv("LEAT_QUICK")) return; /* under sanitizers: none of these goes where the others do not */
  crash_case(&turning, "", "guard_window=256 checkpoint_bytes=100000000", 200, ROWS);
  crash_case(&plain, "", "chunk=32 checkpoint_bytes=20000 guard_window=300", 25, 4000);
  crash_case(&numbers, "learner=mlp hidden=4", "checkpoint_bytes=40000 label_delay=150", 41, 3000);
}

/* Positions that were taken before are not taken again. */
static void duplicates_are_skipped(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = lr_schema(rt, &plain, 0);
  char path[256];
  lr_life x;
  leat_learner_state st = {.struct_size = sizeof st};
  double p[60];
  leat_matrix pm = {.struct_size = sizeof pm, .data = p, .rows = 60, .cols = 1, .dtype = LEAT_F64};
  (void)state;
  lr_folder(path);
  lr_create(&x, rt, path, NULL, "", s, NULL);
  lr_feed(&x, &plain, s, 100, 50);
  leat_batch *b = lr_batch(rt, &plain, s, 70, 60, 0, LR_PLAIN);
  LR_OK(leat_batch_set_source(b, "stream", 70, &lr_e));
  LR_OK(leat_learner_feed(x.l, b, &pm, &lr_e));
  for (int i = 0; i < 60; i++) assert_int_equal(isnan(p[i]), i < 30);
  LR_OK(leat_learner_feed(x.l, b, &pm, &lr_e));
  for (int i = 0; i < 60; i++) assert_true(isnan(p[i]));
  LR_OK(leat_learner_get_state(x.l, &st, &lr_e));
  assert_int_equal(st.rows_seen, 130);
  assert_int_equal(st.rows_learned, 130);
  assert_int_equal(st.rows_duplicate, 90);
  LR_OK(leat_batch_set_source(b, "another", 3, &lr_e)); /* a gap is fine */
  LR_OK(leat_learner_feed(x.l, b, NULL, &lr_e));
  int64_t at;
  LR_OK(leat_learner_position(x.l, "another", &at, &lr_e));
  assert_int_equal(at, 63);
  LR_OK(leat_learner_position(x.l, "nobody", &at, &lr_e));
  assert_int_equal(at, 0);
  leat_batch_free(b);
  /* without a word of the caller's, rows come behind each other */
  for (int i = 0; i < 2; i++) {
    b = lr_batch(rt, &plain, s, 200, 10, 0, LR_PLAIN);
    LR_OK(leat_learner_feed(x.l, b, NULL, &lr_e));
    leat_batch_free(b);
  }
  LR_OK(leat_learner_position(x.l, "", &at, &lr_e));
  assert_int_equal(at, 20);
  lr_close(&x);
  /* to be held, when that is wished */
  lr_remove(path);
  lr_create(&x, rt, path, NULL, "actions=duplicate=quarantine", s, NULL);
  lr_feed(&x, &plain, s, 100, 50);
  b = lr_batch(rt, &plain, s, 70, 60, 0, LR_PLAIN);
  LR_OK(leat_batch_set_source(b, "stream", 70, &lr_e));
  LR_OK(leat_learner_feed(x.l, b, NULL, &lr_e));
  leat_batch_free(b);
  assert_int_equal(lt_quarantine_count(lt_learner_quarantine(x.l), LEAT_REASON_DUPLICATE), 30);
  LR_OK(leat_learner_get_state(x.l, &st, &lr_e));
  assert_int_equal(st.rows_learned, 130);
  lr_close(&x);
  leat_schema_free(s);
  leat_runtime_free(rt);
  lr_remove(path);
}

/* A label that comes by key, at once: strict test then train. Late, over crashes: one result. */
static void keyed(lr_life *x, leat_schema *rows, leat_schema *labels, int64_t from, int64_t n, int64_t behind, int64_t total) {
  double p[64];
  for (int64_t i = from; i < from + n; i++) {
    leat_matrix pm = {.struct_size = sizeof pm, .data = p, .rows = 1, .cols = 1, .dtype = LEAT_F64};
    if (i < total) {
      leat_batch *b = lr_batch(x->rt, &plain, rows, i, 1, 1, LR_NO_LABEL);
      LR_OK(leat_learner_predict(x->l, b, &pm, &lr_e));
      assert_true(p[0] > 0 && p[0] < 1);
      leat_batch_free(b);
    }
    if (i < behind) continue;
    leat_batch *b = lr_batch(x->rt, &plain, labels, i - behind, 1, 2, LR_LABELS);
    LR_OK(leat_learner_label(x->l, b, &lr_e));
    leat_batch_free(b);
  }
}

static void labels_come_by_key(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = lr_schema(rt, &plain, 0), *rows = lr_schema(rt, &plain, 1), *labels = lr_schema(rt, &plain, 2);
  char path[256], other[256], copy[300];
  lr_life x, y;
  lr_end a, b;
  (void)state;
  lr_folder(path);
  lr_folder(other);
  snprintf(copy, sizeof copy, "%s.copy", path);
  lr_create(&x, rt, path, NULL, "guard_window=300", rows, NULL);
  keyed(&x, rows, labels, 0, 1500, 0, 1500);
  lr_create(&y, rt, other, NULL, "guard_window=300", rows, NULL);
  for (int64_t i = 0; i < 1500; i++) {
    leat_batch *one = lr_batch(rt, &plain, rows, i, 1, 1, LR_PLAIN);
    LR_OK(leat_learner_feed(y.l, one, NULL, &lr_e));
    leat_batch_free(one);
  }
  lr_finish(&x, &a);
  lr_finish(&y, &b);
  lr_same_model(&a, &b);
  lr_drop(&a);
  lr_drop(&b);
  lr_close(&x);
  lr_close(&y);
  lr_remove(path);
  lr_remove(other);
  /* 40 records late */
  lr_create(&x, rt, path, NULL, "guard_window=300 checkpoint_bytes=10000", rows, NULL);
  keyed(&x, rows, labels, 0, 1540, 40, 1500);
  lr_finish(&x, &a);
  assert_int_equal(a.state.labels_pending, 0);
  assert_int_equal(a.state.rows_learned, 1500);
  lr_close(&x);
  lr_remove(path);
  lr_create(&x, rt, path, NULL, "guard_window=300 checkpoint_bytes=10000", rows, NULL);
  for (int64_t i = 0; i < 1540; i += 110) {
    keyed(&x, rows, labels, i, 110, 40, 1500);
    lr_copy(path, copy);
    lr_kill(&x);
    lr_remove(path);
    lr_shell("mv", copy, path);
    lr_open(&x, rt, path);
  }
  lr_finish(&x, &b);
  lr_same(&a, &b);
  lr_drop(&a);
  lr_drop(&b);
  /* nobody waits for this one: held, and counted */
  leat_batch *late = lr_batch(rt, &plain, labels, 5, 3, 2, LR_LABELS);
  LR_OK(leat_learner_label(x.l, late, &lr_e));
  leat_batch_free(late);
  leat_learner_state st = {.struct_size = sizeof st};
  LR_OK(leat_learner_get_state(x.l, &st, &lr_e));
  assert_int_equal(st.labels_unmatched, 3);
  assert_int_equal(lt_quarantine_count(lt_learner_quarantine(x.l), LEAT_REASON_LABEL_LATE), 3);
  /* keys are needed */
  leat_batch *none = lr_batch(rt, &plain, s, 5, 3, 0, LR_NO_LABEL);
  double p[3];
  leat_matrix pm = {.struct_size = sizeof pm, .data = p, .rows = 3, .cols = 1, .dtype = LEAT_F64};
  assert_int_equal(leat_learner_predict(x.l, none, &pm, &lr_e), LEAT_E_DATA);
  assert_int_equal(leat_learner_label(x.l, none, &lr_e), LEAT_E_DATA);
  leat_batch_free(none);
  lr_close(&x);
  leat_schema_free(s);
  leat_schema_free(rows);
  leat_schema_free(labels);
  leat_runtime_free(rt);
  lr_remove(path);
}

/* Many keys in one call, twice the same, some that are not there; labels in another order, new labels. */
static void labels_in_bulk(void **state) {
  leat_runtime *rt = tr_runtime(1);
  lr_stream w = three;
  leat_schema *rows = lr_schema(rt, &w, 1), *labels = NULL;
  char path[256];
  lr_life x;
  double p[300];
  leat_matrix pm = {.struct_size = sizeof pm, .data = p, .rows = 100, .cols = 3, .dtype = LEAT_F64};
  (void)state;
  lr_folder(path);
  lr_create(&x, rt, path, NULL, "guard=false", rows, NULL);
  LR_OK(leat_schema_create(rt, &labels, &lr_e));
  LR_OK(leat_schema_add_column(labels, "y", LEAT_CATEGORY, LEAT_ROLE_TARGET, &lr_e));
  LR_OK(leat_schema_add_column(labels, "id", LEAT_ID, LEAT_ROLE_KEY, &lr_e));
  LR_OK(leat_schema_add_column(labels, "w", LEAT_NUMBER, LEAT_ROLE_WEIGHT, &lr_e));
  static const char *const order[] = {"maybe", "yes", "no"};
  for (int k = 0; k < 3; k++) LR_OK(leat_schema_add_category(labels, 0, order[k], &lr_e));
  leat_batch *b = lr_batch(rt, &w, rows, 0, 100, 1, LR_NO_LABEL), *l = NULL;
  LR_OK(leat_learner_predict(x.l, b, &pm, &lr_e));
  leat_batch_free(b);
  LR_OK(leat_batch_create(rt, labels, &l, &lr_e));
  for (int64_t i = 0; i < 110; i++) { /* 10 to 99, and 0 to 19 once more: 10 to 19 were there before */
    double v[3];
    char plan[2], y[32], key[32];
    int64_t which = i < 90 ? 10 + i : i - 90;
    lr_record(&w, which, v, plan, y);
    snprintf(key, sizeof key, "k%lld", (long long)which);
    const char *field[] = {y, key, "2"};
    LR_OK(leat_batch_add_text(l, field, 3, &lr_e));
  }
  LR_OK(leat_learner_label(x.l, l, &lr_e));
  leat_batch_free(l);
  leat_learner_state st = {.struct_size = sizeof st};
  LR_OK(leat_learner_get_state(x.l, &st, &lr_e));
  assert_int_equal(st.rows_learned, 100);
  assert_int_equal(st.labels_unmatched, 10);
  assert_int_equal(st.labels_pending, 0);
  lr_end a, c;
  lr_finish(&x, &a);
  assert_true(a.metric[0][0] == 100);
  lr_close(&x);
  lr_open(&x, rt, path);
  lr_finish(&x, &c);
  lr_same(&a, &c);
  lr_drop(&a);
  lr_drop(&c);
  lr_close(&x);
  leat_schema_free(rows);
  leat_schema_free(labels);
  leat_runtime_free(rt);
  lr_remove(path);
}

/* How the rows are cut into calls does not show, neither in the model nor in what happened. */
static void calls_do_not_matter(void **state) {
  static const char *const settings[] = {"guard_window=256 snapshot_rows=700", "guard_window=256 chunk=24 label_delay=70",
                                         "ranges=x1=-2.5:2.5 guard_window=300 stop_share=1", "guard=false actions=loss_spike=quarantine"};
  (void)state;
  for (int k = 0; k < 4; k++) {
    lr_end first = {0};
    for (int64_t call = 1; call < 5000; call = call * 7 + 3) {
      leat_runtime *rt = tr_runtime(call % 2 + 1);
      leat_schema *s = lr_schema(rt, &turning, 0);
      char path[256];
      lr_life x;
      lr_end o;
      lr_folder(path);
      lr_create(&x, rt, path, NULL, settings[k], NULL, NULL);
      lr_feed(&x, &turning, s, 3000, call);
      lr_finish(&x, &o);
      assert_true(o.state.snapshots >= 3);
      if (call > 1) {
        lr_same(&first, &o);
        lr_drop(&o);
      } else {
        first = o;
      }
      lr_close(&x);
      leat_schema_free(s);
      leat_runtime_free(rt);
      lr_remove(path);
    }
    lr_drop(&first);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(strict_is_test_then_train), cmocka_unit_test(calls_do_not_matter), cmocka_unit_test(crashes_change_nothing), cmocka_unit_test(duplicates_are_skipped),
      cmocka_unit_test(labels_come_by_key), cmocka_unit_test(labels_in_bulk),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
