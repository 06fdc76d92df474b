/* The online trainer: chunks, snapshots, checkpoints, classes that come up, rows that hurt. */
#include "hosts.h"
#include "online_help.h"

static const char *const learners[] = {"race", "cheap", "adagrad", "ftrl", "coin", "ons", "alma", "gauss", "mlp", "net"};
enum { N_LEARNERS = sizeof learners / sizeof learners[0] };
static void settings_of(int k, char text[64]) { snprintf(text, 64, "learner=%s hash_bits=12", learners[k]); }

static void strict(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  tr_rows rows = tr_make(400, 5, 2, 1, 3, 4);
  leat_dataset *d = tr_dense(rt, &rows, 0);
  for (int k = 0; k < N_LEARNERS; k++) {
    char text[64];
    settings_of(k, text);
    leat_trainer *a = on_trainer(rt, text, NULL), *b = on_trainer(rt, text, NULL), *c = on_trainer(rt, text, NULL);
    double p[400], q[400], alone;
    on_run(a, d, 0, 400, 400, 1, p, 1);
    on_run(b, d, 0, 400, 7, 1, q, 1);
    assert_memory_equal(p, q, sizeof p);
    on_same_state(rt, a, b);
    for (int64_t r = 0; r < 400; r++) { /* the same by hand */
      leat_error e = tr_error();
      leat_batch *one = on_rows(d, r, 1);
      leat_matrix m = tr_matrix(&alone, 1, 1, LEAT_F64);
      if (r > 0) {
        TR_OK(leat_trainer_predict(c, one, &m, &e), &e);
        assert_memory_equal(&alone, &p[r], sizeof alone);
      }
      TR_OK(leat_trainer_learn(c, one, &e), &e);
      lt_batch_free(one);
    }
    on_predict(a, d, 0, 400, p, 1);
    on_predict(c, d, 0, 400, q, 1);
    assert_memory_equal(p, q, sizeof p);
    leat_trainer_free(a);
    leat_trainer_free(b);
    leat_trainer_free(c);
  }
  lt_dataset_free(d);
  tr_drop(&rows);
  leat_runtime_free(rt);
}

static void chunks(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  tr_rows rows = tr_make(300, 4, 3, 2, 0, 1);
  leat_dataset *d = tr_dense(rt, &rows, 1);
  leat_trainer *a = on_trainer(rt, "", NULL), *b = on_trainer(rt, "", NULL), *c = on_trainer(rt, "", NULL);
  double p[900], q[900], before[150];
  on_run(a, d, 0, 300, 300, 50, p, 3);
  on_run(b, d, 0, 300, 100, 50, q, 3);
  assert_memory_equal(p, q, sizeof p);
  on_same_state(rt, a, b);
  /* a chunk is predicted by what was known before it */
  on_run(c, d, 0, 250, 50, 50, NULL, 3);
  on_predict(c, d, 250, 50, before, 3);
  assert_memory_equal(before, p + 750, sizeof before);
  leat_trainer *s = on_trainer(rt, "", NULL);
  on_run(s, d, 0, 300, 300, 1, q, 3);
  assert_memory_not_equal(p, q, sizeof p);
  for (int64_t r = 0; r < 300; r++) assert_true(fabs(q[3 * r] + q[3 * r + 1] + q[3 * r + 2] - 1) < 1e-12);
  leat_trainer_free(a);
  leat_trainer_free(b);
  leat_trainer_free(c);
  leat_trainer_free(s);
  lt_dataset_free(d);
  tr_drop(&rows);
  leat_runtime_free(rt);
}

/* Every learner is better than the baseline on every kind of rows it takes. */
static void all_learn(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  tr_rows two = tr_make(3000, 6, 2, 3, 100, 3), four = tr_make(3000, 6, 4, 4, -5, 2), number = tr_make(3000, 6, 0, 5, 1e4, 2);
  leat_dataset *d[4] = {tr_dense(rt, &two, 0), tr_dense(rt, &four, 0), tr_dense(rt, &number, 0),
                        on_sparse(rt, 3000, 2000, 12, 6)};
  static const double bound[] = {0.04, 0.1, 0, 0.02};
  for (int k = 0; k < N_LEARNERS; k++) {
    for (int i = 0; i < 4; i++) {
      char text[64];
      settings_of(k, text);
      leat_trainer *t = on_trainer(rt, text, NULL);
      if (i == 2 && (k == 5 || k == 6)) { /* ons and alma are for classes */
        leat_error e = tr_error();
        leat_batch *b = on_rows(d[i], 0, 10);
        assert_int_equal(leat_trainer_learn(t, b, &e), LEAT_E_ARG);
        assert_non_null(strstr(e.message, "does not learn numbers"));
        lt_batch_free(b);
      } else {
        on_run(t, d[i], 0, 3000, 1000, 1, NULL, 1);
        double gain = i == 2 ? on_metric(t, 0, "r2") - 0.6 : on_metric(t, 0, "accuracy") - on_metric(t, 4, "accuracy");
        if (!(gain > bound[i])) fail_msg("%s on %d: %g", learners[k], i, gain);
        assert_true(on_metric(t, 0, "rows") == 3000);
        assert_true(on_metric(t, 3, "rows") == 2999);
        assert_true(on_metric(t, 2, "rows") == 1000);
      }
      leat_trainer_free(t);
    }
  }
  for (int i = 0; i < 4; i++) lt_dataset_free(d[i]);
  tr_drop(&two);
  tr_drop(&four);
  tr_drop(&number);
  leat_runtime_free(rt);
}

/* A snapshot predicts what its trainer does, through its package too. */
static void snapshot_of(leat_runtime *rt, leat_trainer *t, const leat_batch *b, int64_t n, int64_t outs) {
  leat_error e = tr_error();
  double *p = malloc((size_t)(n * outs) * sizeof *p), *q = malloc((size_t)(n * outs) * sizeof *q);
  leat_matrix mp = tr_matrix(p, n, outs, LEAT_F64), mq = tr_matrix(q, n, outs, LEAT_F64);
  TR_OK(leat_trainer_predict(t, b, &mp, &e), &e);
  leat_model *m = on_snapshot(t), *again = NULL;
  uint64_t size = 0;
  (void)leat_model_save_bytes(m, NULL, 0, &size, NULL);
  void *bytes = malloc(size);
  TR_OK(leat_model_save_bytes(m, bytes, size, &size, &e), &e);
  TR_OK(leat_model_load_bytes(rt, bytes, size, &again, &e), &e);
  const leat_model *both[] = {m, again};
  for (int i = 0; i < 2; i++) {
    leat_predictor *f = NULL;
    TR_OK(leat_predictor_create(both[i], NULL, NULL, &f, &e), &e);
    TR_OK(leat_predictor_run_batch(f, b, &mq, &e), &e);
    assert_memory_equal(p, q, (size_t)(n * outs) * sizeof *p);
    leat_predictor_free(f);
  }
  free(bytes);
  free(p);
  free(q);
  leat_model_free(m);
  leat_model_free(again);
}

static void snapshots(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  tr_rows rows[3] = {tr_make(500, 5, 2, 7, 3, 4), tr_make(500, 5, 5, 8, 0, 1), tr_make(500, 5, 0, 9, 1, 2)};
  for (int k = 0; k < N_LEARNERS; k++) {
    char text[64];
    settings_of(k, text);
    for (int i = 0; i < 3; i++) {
      if (i == 2 && (k == 5 || k == 6)) continue;
      leat_dataset *d = tr_dense(rt, &rows[i], 1);
      leat_trainer *t = on_trainer(rt, text, NULL);
      leat_batch *b = on_rows(d, 0, 500);
      on_run(t, d, 0, 400, 400, 1, NULL, 1);
      snapshot_of(rt, t, b, 500, i == 1 ? 5 : 1);
      lt_batch_free(b);
      leat_trainer_free(t);
      lt_dataset_free(d);
    }
    leat_dataset *d = on_sparse(rt, 500, 30000, 20, 10); /* wider than the slots: hashed */
    leat_trainer *t = on_trainer(rt, text, NULL);
    leat_batch *b = on_rows(d, 0, 500);
    TR_OK(leat_trainer_test_then_train(t, b, 1, NULL, &e), &e);
    snapshot_of(rt, t, b, 500, 1);
    lt_batch_free(b);
    leat_trainer_free(t);
    lt_dataset_free(d);
    leat_schema *s = on_mixed_schema(rt, 3, 2);
    b = on_mixed(rt, s, 300, 2, 11);
    t = on_trainer(rt, text, s);
    TR_OK(leat_trainer_test_then_train(t, b, 1, NULL, &e), &e);
    snapshot_of(rt, t, b, 300, 1);
    assert_true(on_metric(t, 0, "accuracy") > 0.85);
    leat_batch_free(b);
    leat_schema_free(s);
    leat_trainer_free(t);
  }
  for (int i = 0; i < 3; i++) tr_drop(&rows[i]);
  leat_runtime_free(rt);
}

/* A row of numbers, of strings, of sparse pairs in any order: one prediction. */
static void one_row(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  tr_rows rows = tr_make(200, 4, 2, 12, 0, 1);
  leat_dataset *d = tr_dense(rt, &rows, 0), *w = on_sparse(rt, 200, 900, 8, 13);
  leat_trainer *t = on_trainer(rt, "", NULL), *u = on_trainer(rt, "hash_bits=10", NULL);
  double p[200], wide[4], got;
  float narrow;
  on_run(t, d, 0, 200, 200, 1, NULL, 1);
  on_predict(t, d, 0, 200, p, 1);
  leat_model *m = on_snapshot(t);
  leat_predictor *q = NULL;
  TR_OK(leat_predictor_create(m, NULL, NULL, &q, &e), &e);
  for (int64_t r = 0; r < 200; r++) {
    for (int j = 0; j < 4; j++) wide[j] = (double)rows.x[r * 4 + j];
    TR_OK(leat_predictor_one_f64(q, wide, 4, &got, 1, &e), &e);
    assert_memory_equal(&got, &p[r], sizeof got);
    TR_OK(leat_predictor_one_f32(q, rows.x + r * 4, 4, &narrow, 1, &e), &e);
    assert_true(narrow == (float)p[r]);
  }
  assert_int_equal(leat_predictor_one_sparse(q, NULL, NULL, 0, &narrow, 1, &e), LEAT_E_UNSUPPORTED);
  leat_predictor_free(q);
  leat_model_free(m);
  on_run(u, w, 0, 200, 200, 1, NULL, 1);
  on_predict(u, w, 0, 200, p, 1);
  m = on_snapshot(u);
  TR_OK(leat_predictor_create(m, NULL, NULL, &q, &e), &e);
  leat_batch *b = on_rows(w, 0, 200);
  lt_rows v;
  lt_batch_rows(b, &v);
  for (int64_t r = 0; r < 200; r++) {
    const lt_col *c = &v.col[0];
    int32_t index[9];
    float value[9];
    int64_t from = c->row_start[r];
    TR_OK(leat_predictor_one_sparse(q, c->index + from, c->value + from, 8, &narrow, 1, &e), &e);
    assert_true(narrow == (float)p[r]);
    for (int i = 0; i < 8; i++) { /* backwards, one entry in two halves */
      index[i] = c->index[from + 7 - i];
      value[i] = i == 2 ? c->value[from + 7 - i] * 0.5f : c->value[from + 7 - i];
    }
    index[8] = index[2];
    value[8] = value[2];
    TR_OK(leat_predictor_one_sparse(q, index, value, 9, &narrow, 1, &e), &e);
    assert_true(narrow == (float)p[r]);
  }
  assert_int_equal(leat_predictor_one_f32(q, rows.x, 900, &narrow, 1, &e), LEAT_E_UNSUPPORTED);
  double weights[4];
  uint64_t needed;
  assert_int_equal(leat_model_get_f64s(m, "weights", weights, 4, &needed, &e), LEAT_E_UNSUPPORTED);
  lt_batch_free(b);
  leat_predictor_free(q);
  leat_model_free(m);
  leat_trainer_free(t);
  leat_trainer_free(u);
  lt_dataset_free(d);
  lt_dataset_free(w);
  tr_drop(&rows);
  leat_runtime_free(rt);
}

/* Stopped, saved, loaded, gone on with: the bytes of never having stopped. */
static void resume(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  tr_rows two = tr_make(2600, 5, 2, 14, 3, 4), five = tr_make(1300, 5, 5, 15, 0, 1), number = tr_make(1300, 5, 0, 16, 1, 2);
  leat_dataset *d[4] = {tr_dense(rt, &two, 1), tr_dense(rt, &five, 0), tr_dense(rt, &number, 0),
                        on_sparse(rt, 1300, 3000, 10, 17)};
  for (int k = 0; k < N_LEARNERS; k++)
    for (int i = 0; i < 4; i++) {
      if (i == 2 && (k == 5 || k == 6)) continue;
      char text[64], path[64];
      settings_of(k, text);
      snprintf(path, sizeof path, "/tmp/leat-resume-%d-%d-%p.ckpt", k, i, (void *)rt);
      int64_t n = lt_dataset_rows(d[i]), cut = n / 2 + 37;
      leat_error e = tr_error();
      leat_trainer *whole = on_trainer(rt, text, NULL), *first = on_trainer(rt, text, NULL), *then = NULL;
      on_run(whole, d[i], 0, n, 500, 1, NULL, 1);
      on_run(first, d[i], 0, cut, 333, 1, NULL, 1);
      TR_OK(leat_trainer_save(first, path, &e), &e);
      leat_trainer_free(first);
      TR_OK(leat_trainer_load(rt, path, NULL, &then, &e), &e);
      leat_progress g = {0};
      g.struct_size = sizeof g;
      TR_OK(leat_trainer_progress(then, &g, &e), &e);
      assert_int_equal(g.rows_seen, cut);
      assert_int_equal(g.state, LEAT_TRAIN_RUNNING);
      remove(path);
      on_run(then, d[i], cut, n, 100, 1, NULL, 1);
      on_same_state(rt, whole, then);
      for (int64_t set = 0; set < 5; set++) {
        double a = on_metric(whole, set, "loss"), b = on_metric(then, set, "loss");
        assert_memory_equal(&a, &b, sizeof a);
      }
      leat_trainer_free(whole);
      leat_trainer_free(then);
    }
  for (int i = 0; i < 4; i++) lt_dataset_free(d[i]);
  tr_drop(&two);
  tr_drop(&five);
  tr_drop(&number);
  leat_runtime_free(rt);
}

/* Labels that come up later, of the target and of a feature; one class only. */
static void new_classes(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  leat_schema *s[4];
  leat_batch *b[4];
  for (int k = 0; k < 4; k++) {
    s[k] = on_mixed_schema(rt, k + 1, k + 1);
    b[k] = on_mixed(rt, s[k], 300, k + 1, (uint64_t)(20 + k));
  }
  leat_trainer *t = on_trainer(rt, "", NULL), *u = on_trainer(rt, "max_classes=2", NULL);
  leat_model *m = NULL;
  double p[1200], one[300];
  leat_matrix mp = tr_matrix(p, 300, 4, LEAT_F64), m1 = tr_matrix(one, 300, 1, LEAT_F64);
  assert_int_equal(leat_trainer_predict(t, b[0], &m1, &e), LEAT_E_STATE);
  assert_int_equal(leat_trainer_save(t, "/tmp/leat-none.ckpt", &e), LEAT_E_STATE);
  assert_int_equal(leat_trainer_snapshot(t, &m, &e), LEAT_E_STATE);
  TR_OK(leat_trainer_test_then_train(t, b[0], 1, &m1, &e), &e);
  assert_int_equal(leat_trainer_snapshot(t, &m, &e), LEAT_E_STATE);
  assert_non_null(strstr(e.message, "one class"));
  assert_true(one[299] < 0.02);
  TR_OK(leat_trainer_test_then_train(t, b[1], 1, &m1, &e), &e);
  assert_int_equal(leat_trainer_test_then_train(t, b[2], 1, &m1, &e), LEAT_E_SHAPE); /* a third class: three numbers */
  leat_trainer *chunky = on_trainer(rt, "", NULL);
  for (int k = 0; k < 2; k++) TR_OK(leat_trainer_test_then_train(chunky, b[k], 1, NULL, &e), &e);
  TR_OK(leat_trainer_test_then_train(t, b[2], 1, &mp, &e), &e);
  for (int64_t r = 0; r < 300; r++) assert_true(p[4 * r + 3] == 0);
  assert_true(p[2] == 0 && p[4 * 299 + 2] > 0);
  TR_OK(leat_trainer_test_then_train(t, b[3], 1, &mp, &e), &e);
  /* the same whatever the calls are, also where a class comes up in their midst */
  for (int k = 2; k < 4; k++) {
    lt_rows v;
    lt_batch_rows(b[k], &v);
    for (int64_t r = 0; r < 300; r += 13) {
      leat_batch *part = NULL;
      TR_OK(lt_batch_create(rt, s[k], &part, &e), &e);
      TR_OK(lt_batch_append(part, &v, r, 300 - r < 13 ? 300 - r : 13, &e), &e);
      TR_OK(leat_trainer_test_then_train(chunky, part, 1, NULL, &e), &e);
      lt_batch_free(part);
    }
  }
  on_same_state(rt, t, chunky);
  m = on_snapshot(t);
  char label[32];
  uint64_t needed;
  TR_OK(leat_model_get_text(m, "class:3", label, sizeof label, &needed, &e), &e);
  assert_string_equal(label, "later");
  leat_model_free(m);
  snapshot_of(rt, t, b[3], 300, 4);
  assert_true(on_metric(t, 2, "accuracy") > 0.8);
  TR_OK(leat_trainer_learn(u, b[1], &e), &e);
  assert_int_equal(leat_trainer_learn(u, b[2], &e), LEAT_E_DATA);
  assert_non_null(strstr(e.message, "max_classes = 2"));
  leat_progress g = {0};
  g.struct_size = sizeof g;
  TR_OK(leat_trainer_progress(u, &g, &e), &e);
  assert_int_equal(g.rows_seen, 300);
  for (int k = 0; k < 4; k++) {
    leat_batch_free(b[k]);
    leat_schema_free(s[k]);
  }
  leat_trainer_free(t);
  leat_trainer_free(u);
  leat_trainer_free(chunky);
  leat_runtime_free(rt);
}

/* NaN, infinities and giants in features, missing labels, weights of 0, constant columns. */
static void rows_that_hurt(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  for (int64_t classes = 0; classes < 4; classes += 2)
    for (int k = 0; k < N_LEARNERS; k++) {
      if (classes == 0 && (k == 5 || k == 6)) continue;
      char text[64];
      settings_of(k, text);
      tr_rows rows = tr_make(600, 4, classes, 30, 0, 1);
      for (int64_t r = 0; r < 600; r++) {
        rows.x[r * 4 + 3] = 7;
        rows.w[r] = 1;
        if (r % 5 == 1) rows.x[r * 4] = NAN;
        if (r % 7 == 1) rows.x[r * 4 + 1] = r % 2 ? INFINITY : -INFINITY;
        if (r % 50 == 49) rows.x[r * 4 + 2] = r % 100 == 49 ? 3e38f : -3e38f;
        if (r % 13 == 5) rows.y[r] = NAN;
        if (r % 17 == 3) rows.w[r] = 0;
      }
      leat_dataset *d = tr_dense(rt, &rows, 1);
      leat_trainer *t = on_trainer(rt, text, NULL);
      double p[600];
      on_run(t, d, 0, 600, 600, 1, p, 1);
      for (int64_t r = 0; r < 600; r++) assert_true(isfinite(p[r]));
      assert_true(on_metric(t, 0, "rows") == 554); /* without those that have no label */
      leat_model_free(on_snapshot(t));
      leat_trainer_free(t);
      lt_dataset_free(d);
      /* what cannot be learned is refused before anything is */
      leat_trainer *u = on_trainer(rt, text, NULL);
      for (int64_t r = 0; r < 600; r++) rows.y[r] = rows.w[r] = 1;
      rows.w[500] = 2;
      if (classes == 0) rows.y[500] = INFINITY;
      d = tr_dense(rt, &rows, 1);
      leat_batch *b = on_rows(d, 0, 600);
      if (classes == 0) {
        assert_int_equal(leat_trainer_learn(u, b, &e), LEAT_E_DATA);
        assert_int_equal(e.detail[0], 501);
      } else {
        TR_OK(leat_trainer_learn(u, b, &e), &e);
        on_predict(u, d, 0, 600, p, 1);
        assert_true(p[599] > 0.9); /* one class */
      }
      lt_batch_free(b);
      lt_dataset_free(d);
      leat_trainer_free(u);
      tr_drop(&rows);
    }
  leat_runtime_free(rt);
}

/* A weight of 0 learns nothing; no row at all is fine. */
static void weights(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  tr_rows rows = tr_make(200, 3, 2, 31, 0, 1);
  for (int64_t r = 0; r < 200; r++) rows.w[r] = r < 100 ? 2 : 0;
  leat_dataset *d = tr_dense(rt, &rows, 1);
  leat_trainer *a = on_trainer(rt, "", NULL), *b = on_trainer(rt, "", NULL);
  double p[200], q[200];
  on_run(a, d, 0, 200, 200, 1, NULL, 1);
  on_run(b, d, 0, 100, 100, 1, NULL, 1);
  leat_batch *none = on_rows(d, 0, 0);
  leat_error e = tr_error();
  TR_OK(leat_trainer_test_then_train(b, none, 1, NULL, &e), &e);
  TR_OK(leat_trainer_learn(b, none, &e), &e);
  lt_batch_free(none);
  on_predict(a, d, 0, 200, p, 1);
  on_predict(b, d, 0, 200, q, 1);
  assert_memory_equal(p, q, sizeof p);
  double x = on_metric(a, 0, "loss"), y = on_metric(b, 0, "loss");
  assert_memory_equal(&x, &y, sizeof x);
  leat_trainer_free(a);
  leat_trainer_free(b);
  lt_dataset_free(d);
  tr_drop(&rows);
  leat_runtime_free(rt);
}

static void from_model(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  tr_rows rows = tr_make(800, 5, 3, 32, 0, 1);
  leat_dataset *d = tr_dense(rt, &rows, 0);
  leat_trainer *a = on_trainer(rt, "", NULL), *b = NULL, *c = NULL;
  double p[2400], q[2400];
  on_run(a, d, 0, 400, 400, 1, NULL, 3);
  leat_model *m = on_snapshot(a);
  TR_OK(leat_trainer_from_model(m, NULL, NULL, &b, &e), &e);
  on_run(a, d, 400, 800, 400, 1, NULL, 3);
  on_run(b, d, 400, 800, 400, 1, NULL, 3);
  on_predict(a, d, 0, 800, p, 3);
  on_predict(b, d, 0, 800, q, 3);
  assert_memory_equal(p, q, sizeof p);
  assert_true(on_metric(b, 0, "rows") == 400);
  leat_model *next = on_snapshot(b);
  char lineage[40], sum[40];
  uint64_t needed;
  TR_OK(leat_model_get_text(next, "lineage", lineage, sizeof lineage, &needed, &e), &e);
  TR_OK(leat_model_get_text(m, "checksum", sum, sizeof sum, &needed, &e), &e);
  assert_string_equal(lineage, sum);
  leat_params *other = on_params(rt, "learner=coin");
  assert_int_equal(leat_trainer_from_model(m, other, NULL, &c, &e), LEAT_E_ARG);
  assert_null(c);
  leat_params_free(other);
  leat_model_free(m);
  leat_model_free(next);
  leat_trainer_free(a);
  leat_trainer_free(b);
  lt_dataset_free(d);
  tr_drop(&rows);
  leat_runtime_free(rt);
}

static void wrong_calls(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  tr_rows rows = tr_make(50, 3, 2, 33, 0, 1);
  leat_dataset *d = tr_dense(rt, &rows, 0);
  leat_batch *b = on_rows(d, 0, 50);
  leat_trainer *t = on_trainer(rt, "", NULL), *off = tr_trainer(rt, "", d, NULL);
  leat_metrics *k = NULL;
  double p[100];
  leat_matrix narrow = tr_matrix(p, 49, 1, LEAT_F64), whole = tr_matrix(p, 50, 1, LEAT_I64), one = tr_matrix(p, 50, 1, LEAT_F64);
  assert_int_equal(leat_trainer_learn(NULL, b, &e), LEAT_E_ARG);
  assert_int_equal(leat_trainer_learn(t, NULL, &e), LEAT_E_ARG);
  assert_int_equal(leat_trainer_predict(t, b, NULL, &e), LEAT_E_ARG);
  assert_int_equal(leat_trainer_test_then_train(t, NULL, 1, NULL, &e), LEAT_E_ARG);
  assert_int_equal(leat_trainer_metrics(t, 0, &k, &e), LEAT_E_STATE);
  assert_int_equal(leat_trainer_test_then_train(t, b, 0, NULL, &e), LEAT_E_RANGE);
  assert_int_equal(leat_trainer_test_then_train(t, b, 1, &narrow, &e), LEAT_E_SHAPE);
  assert_int_equal(leat_trainer_test_then_train(t, b, 1, &whole, &e), LEAT_E_DTYPE);
  TR_OK(leat_trainer_test_then_train(t, b, 1, &one, &e), &e);
  assert_int_equal(leat_trainer_metrics(t, 5, &k, &e), LEAT_E_ARG);
  assert_int_equal(leat_trainer_set_data(t, d, NULL, &e), LEAT_E_UNSUPPORTED);
  assert_int_equal(leat_trainer_fit(t, &e), LEAT_E_UNSUPPORTED);
  assert_int_equal(leat_trainer_step(t, 0, NULL, &e), LEAT_E_UNSUPPORTED);
  assert_int_equal(leat_trainer_learn(off, b, &e), LEAT_E_UNSUPPORTED);
  assert_int_equal(leat_trainer_predict(off, b, &one, &e), LEAT_E_UNSUPPORTED);
  assert_int_equal(leat_trainer_test_then_train(off, b, 1, NULL, &e), LEAT_E_UNSUPPORTED);
  /* rows without a target are predicted, not learned */
  leat_schema *s = NULL;
  TR_OK(lt_schema_create(rt, &s, &e), &e);
  TR_OK(lt_schema_add(s, "x", LEAT_NUMBER, LEAT_ROLE_FEATURE, 3, 0, &e), &e);
  leat_batch *plain = NULL;
  TR_OK(leat_batch_create(rt, s, &plain, &e), &e);
  leat_matrix x = tr_matrix(rows.x, 50, 3, LEAT_F32);
  TR_OK(leat_batch_set_dense(plain, &x, &e), &e);
  TR_OK(leat_trainer_predict(t, plain, &one, &e), &e);
  assert_int_equal(leat_trainer_learn(t, plain, &e), LEAT_E_DATA);
  TR_OK(leat_trainer_learn(t, b, &e), &e);
  leat_batch_free(plain);
  lt_schema_free(s);
  /* other columns */
  tr_rows wide = tr_make(50, 4, 2, 34, 0, 1);
  leat_dataset *dw = tr_dense(rt, &wide, 0);
  leat_batch *bw = on_rows(dw, 0, 50);
  assert_int_equal(leat_trainer_learn(t, bw, &e), LEAT_E_UNSUPPORTED);
  lt_batch_free(bw);
  lt_dataset_free(dw);
  tr_drop(&wide);
  lt_batch_free(b);
  leat_trainer_free(t);
  leat_trainer_free(off);
  lt_dataset_free(d);
  tr_drop(&rows);
  leat_runtime_free(rt);
}

/* Bytes of a state with anything changed give an error, or a state that predicts without harm. */
static void damaged(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_error e = tr_error();
  tr_rows rows = tr_make(60, 3, 3, 35, 0, 1);
  leat_dataset *d = tr_dense(rt, &rows, 0);
  leat_trainer *t = on_trainer(rt, "hash_bits=4", NULL);
  on_run(t, d, 0, 60, 60, 1, NULL, 3);
  lt_put w, h;
  lt_put_init(&w, rt);
  lt_put_init(&h, rt);
  lt_online_save(t->online->m, &w);
  lt_progressive_save(t->online->progress, &h);
  lt_rng r;
  lt_rng_init(&r, 36, 1);
  int loaded = 0;
  for (int i = 0; i < 20000; i++) {
    lt_put *of = i % 2 ? &w : &h;
    uint8_t old[3];
    uint64_t at[3];
    for (int j = 0; j < 3; j++) {
      at[j] = lt_rng_below(&r, i % 4 < 2 ? (of->size < 64 ? of->size : 64) : of->size);
      old[j] = of->data[at[j]];
      of->data[at[j]] = (uint8_t)lt_rng_below(&r, 256);
    }
    lt_get g;
    lt_get_init(&g, rt, of->data, i % 16 == 3 ? lt_rng_below(&r, of->size) : of->size);
    if (i % 2) {
      lt_online *m = NULL;
      if (!lt_online_load(rt, &g, &m, &e)) loaded++;
      lt_online_free(m);
    } else {
      lt_progressive *p = NULL;
      TR_OK(lt_progressive_create(rt, 0, 1000, 1000, &p, &e), &e);
      if (!lt_progressive_restore(p, &g, &e) && !g.failed && lt_progressive_outputs(p) == 3) {
        double guess[3] = {0.2, 0.3, 0.5};
        lt_progressive_add(p, guess, 2, 1);
        loaded++;
      }
      lt_progressive_free(p);
    }
    for (int j = 2; j >= 0; j--) of->data[at[j]] = old[j];
  }
  assert_true(loaded > 100);
  lt_put_free(&w);
  lt_put_free(&h);
  leat_trainer_free(t);
  lt_dataset_free(d);
  tr_drop(&rows);
  leat_runtime_free(rt);
}

/* A whole life with every allocation failing once: MEMORY, nothing lost, nothing left behind. */
static leat_status life(leat_runtime *r, const char *spec, leat_batch *const rows[3], leat_error *e) {
  leat_params *p = NULL;
  leat_trainer *t = NULL;
  leat_model *m = NULL;
  leat_metrics *k = NULL;
  double out[80];
  leat_matrix pred = tr_matrix(out, 20, 4, LEAT_F64);
  leat_status st = leat_params_create(r, spec, &p, e);
  if (!st) st = leat_params_set_text(p, "hash_bits", "4", e);
  if (!st) st = leat_params_set_text(p, "window", "10", e);
  if (!st) st = leat_trainer_create(r, p, NULL, NULL, &t, e);
  for (int i = 0; i < 3 && !st; i++) st = leat_trainer_test_then_train(t, rows[i], 5, &pred, e);
  if (!st) st = leat_trainer_snapshot(t, &m, e);
  if (!st) st = leat_trainer_metrics(t, 2, &k, e);
  if (st == LEAT_E_MEMORY && t) { /* it can still be used */
    leat_error again = tr_error();
    TR_OK(leat_trainer_test_then_train(t, rows[2], 1, &pred, &again), &again);
    if (!m) TR_OK(leat_trainer_snapshot(t, &m, &again), &again);
  }
  leat_metrics_free(k);
  leat_model_free(m);
  leat_trainer_free(t);
  leat_params_free(p);
  return st;
}

static void memory_fails_with(const char *spec) {
  host_memory memory = {0};
  leat_allocator a = host_allocator(&memory, 1);
  leat_runtime_opts o = {0};
  leat_runtime *r = NULL;
  leat_error e = tr_error();
  o.struct_size = sizeof o;
  o.allocator = &a;
  TR_OK(leat_runtime_create(&o, &r, &e), &e);
  leat_schema *s[3];
  leat_batch *b[3];
  for (int k = 0; k < 3; k++) {
    s[k] = on_mixed_schema(r, 4, k + 2);
    b[k] = on_mixed(r, s[k], 20, k + 2, (uint64_t)k);
  }
  int64_t before = memory.blocks, failures = 0;
  memory.calls = 1;
  for (int64_t n = 1; memory.calls >= memory.fail_at; n++) { /* until there is no such call */
    memory.calls = 0;
    memory.fail_at = n;
    leat_status st = life(r, spec, b, &e); /* a golden row that finds no memory is done without */
    if (st && st != LEAT_E_MEMORY) fail_msg("allocation %lld: %s", (long long)n, e.message);
    assert_int_equal(memory.blocks, before);
    failures += st != 0;
  }
  assert_true(failures > 100);
  memory.fail_at = 0;
  for (int k = 0; k < 3; k++) {
    leat_batch_free(b[k]);
    leat_schema_free(s[k]);
  }
  leat_runtime_free(r);
  assert_int_equal(memory.blocks, 0);
  assert_int_equal(memory.wrong, 0);
}

static void memory_fails(void **state) {
  (void)state;
  memory_fails_with("online/linear");
  memory_fails_with("online/mlp");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(strict),      cmocka_unit_test(chunks),         cmocka_unit_test(all_learn), cmocka_unit_test(snapshots),
      cmocka_unit_test(one_row),     cmocka_unit_test(resume),         cmocka_unit_test(new_classes),
      cmocka_unit_test(rows_that_hurt), cmocka_unit_test(weights),     cmocka_unit_test(from_model),
      cmocka_unit_test(wrong_calls), cmocka_unit_test(damaged),   cmocka_unit_test(memory_fails),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
