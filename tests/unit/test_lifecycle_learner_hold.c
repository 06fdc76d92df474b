#define _DEFAULT_SOURCE /* mkdtemp */
/* The durable learner and what goes wrong: bad records, damage, a full disk, no memory, two learners. */
#include "hosts.h"
#include "learner_help.h"

static const lr_stream plain = {2, 0, 0, 5};

/* ---- records of every kind that cannot be learned, among good ones: no trace of them in the model and the scores */

static leat_schema *odd_schema(leat_runtime *rt, int labels) {
  static const struct { const char *name; int kind, role; } col[] = {
      {"x0", LEAT_NUMBER, LEAT_ROLE_FEATURE}, {"x1", LEAT_NUMBER, LEAT_ROLE_FEATURE}, {"x2", LEAT_NUMBER, LEAT_ROLE_FEATURE},
      {"plan", LEAT_CATEGORY, LEAT_ROLE_FEATURE}, {"w", LEAT_NUMBER, LEAT_ROLE_WEIGHT}, {"t", LEAT_TIME, LEAT_ROLE_TIME},
      {"y", LEAT_CATEGORY, LEAT_ROLE_TARGET}};
  static const char *const label[] = {"no", "yes", "one too many"}, *const plans[] = {"a", "b", "c", "never seen"};
  leat_schema *s = NULL;
  LR_OK(leat_schema_create(rt, &s, &lr_e));
  for (int i = 0; i < 7; i++) LR_OK(leat_schema_add_column(s, col[i].name, col[i].kind, col[i].role, &lr_e));
  for (int i = 0; i < 4; i++) LR_OK(leat_schema_add_category(s, 3, plans[i], &lr_e));
  for (int i = 0; i < labels; i++) LR_OK(leat_schema_add_category(s, 6, label[i], &lr_e));
  return s;
}
static const int32_t odd_reasons[] = {
    0, LEAT_REASON_PARSE, LEAT_REASON_TOO_LONG, LEAT_REASON_MISSING, LEAT_REASON_TYPE, LEAT_REASON_SHAPE, LEAT_REASON_NON_FINITE,
    LEAT_REASON_RANGE, LEAT_REASON_UNSEEN_CATEGORY, LEAT_REASON_OUTLIER, LEAT_REASON_LABEL_INVALID, LEAT_REASON_WEIGHT,
    LEAT_REASON_TOO_OLD, LEAT_REASON_USER};
enum { ODD = sizeof odd_reasons / sizeof odd_reasons[0] };
static int32_t odd_of(int64_t i) { return i < 600 || i % 19 != 5 ? 0 : odd_reasons[(i / 19) % (ODD - 1) + 1]; }

static void odd_add(leat_batch *b, int64_t i, int32_t why) {
  char text[3][32], time[32], plan[2], y[32];
  double x[3];
  lr_record(&plain, i, x, plan, y);
  for (int k = 0; k < 3; k++) snprintf(text[k], 32, "%.17g", x[k]);
  snprintf(time, sizeof time, "2026-01-02T%02d:%02d:%02dZ", (int)(i / 3600 % 24), (int)(i / 60 % 60), (int)(i % 60));
  const char *f[] = {text[0], text[1], text[2], plan, "1", time, y};
  switch (why) {
    case LEAT_REASON_PARSE: case LEAT_REASON_TOO_LONG: case LEAT_REASON_TYPE: case LEAT_REASON_SHAPE: case LEAT_REASON_USER:
      LR_OK(leat_batch_add_bad(b, why, 1, "1,junk,2", 8, &lr_e));
      return;
    case LEAT_REASON_MISSING: f[2] = ""; break;
    case LEAT_REASON_NON_FINITE: f[0] = "-inf"; break;
    case LEAT_REASON_RANGE: f[1] = "7.5"; break;
    case LEAT_REASON_UNSEEN_CATEGORY: f[3] = "never seen"; break;
    case LEAT_REASON_OUTLIER: f[0] = "1e6"; break;
    case LEAT_REASON_LABEL_INVALID: f[6] = "one too many"; break;
    case LEAT_REASON_WEIGHT: f[4] = "-1"; break;
    case LEAT_REASON_TOO_OLD: f[5] = "2025-12-24T18:00:00Z"; break;
    default: break;
  }
  LR_OK(leat_batch_add_text(b, f, 7, &lr_e));
}

static void odd_life(leat_runtime *rt, leat_schema *s, int with, lr_end *o, int64_t *held, int call) {
  char path[256];
  lr_life x;
  leat_schema *two = odd_schema(rt, 2);
  lr_folder(path);
  lr_create(&x, rt, path, "max_classes=2",
            "guard_window=256 required=x2 ranges=x1=-7:7 max_age=86400 actions=unseen_category=quarantine stop_share=1", two, NULL);
  leat_schema_free(two);
  for (int64_t i = 0; i < 5000;) {
    leat_batch *b = NULL;
    LR_OK(leat_batch_create(rt, s, &b, &lr_e));
    for (int n = 0; n < call && i < 5000; i++) {
      if (odd_of(i) && !with) continue;
      odd_add(b, i, odd_of(i));
      n++;
    }
    LR_OK(leat_learner_feed(x.l, b, NULL, &lr_e));
    leat_batch_free(b);
  }
  for (int k = 0; k < ODD; k++) held[k] = lt_quarantine_count(lt_learner_quarantine(x.l), odd_reasons[k]);
  lr_finish(&x, o);
  lr_close(&x);
  lr_remove(path);
}

static void bad_records_leave_no_trace(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = odd_schema(rt, 3);
  lr_end clean, a;
  int64_t none[ODD], held[ODD];
  (void)state;
  odd_life(rt, s, 0, &clean, none, 64);
  assert_int_equal(none[0], 0);
  for (int call = 1; call < 1000; call = call * 9 + 1) {
    odd_life(rt, s, 1, &a, held, call);
    lr_same_model(&clean, &a);
    assert_int_equal(clean.state.rows_learned, a.state.rows_learned);
    for (int k = 1; k < ODD; k++)
      if (held[k] < 10) fail_msg("%lld records were held for %s", (long long)held[k], leat_reason_name(odd_reasons[k]));
    assert_int_equal(held[0], a.state.rows_quarantined);
    lr_drop(&a);
  }
  lr_drop(&clean);
  leat_schema_free(s);
  leat_runtime_free(rt);
}

/* ---- released records are as if they had come late */

static void released_is_late(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = lr_schema(rt, &plain, 0);
  char path[256], other[256];
  lr_life x, y;
  lr_end a, b;
  int64_t ids[400], n = 0;
  int8_t taken[400];
  (void)state;
  lr_folder(path);
  lr_folder(other);
  /* a bound that clean rows pass now and then */
  lr_create(&x, rt, path, NULL, "guard_window=256 ranges=x1=-1.8:1.8 stop_share=1", s, NULL);
  lr_feed(&x, &plain, s, 2000, 100);
  leat_held_info h = {.struct_size = sizeof h};
  for (int64_t c = 0; lt_quarantine_next(lt_learner_quarantine(x.l), 0, &c, &h, NULL) == LEAT_OK;) ids[n++] = h.id;
  assert_true(n > 50 && n < 400);
  int64_t positions[400];
  n = 0;
  for (int64_t c = 0; lt_quarantine_next(lt_learner_quarantine(x.l), 0, &c, &h, NULL) == LEAT_OK;) positions[n++] = h.position;
  LR_OK(lt_learner_release(x.l, ids, (uint64_t)n, taken, &lr_e));
  for (int64_t i = 0; i < n; i++) assert_int_equal(taken[i], 1);
  assert_int_equal(lt_quarantine_count(lt_learner_quarantine(x.l), 0), 0);
  LR_OK(lt_learner_release(x.l, ids, (uint64_t)n, taken, &lr_e)); /* once is enough */
  lr_feed(&x, &plain, s, 2500, 100);
  lr_create(&y, rt, other, NULL, "guard_window=256", s, NULL);
  for (int64_t i = 0, k = 0; i < 2000; i++) {
    if (k < n && positions[k] == i) {
      k++;
      continue;
    }
    leat_batch *one = lr_batch(rt, &plain, s, i, 1, 0, LR_PLAIN);
    LR_OK(leat_learner_feed(y.l, one, NULL, &lr_e));
    leat_batch_free(one);
  }
  for (int64_t k = 0; k < n; k++) {
    leat_batch *one = lr_batch(rt, &plain, s, positions[k], 1, 0, LR_PLAIN);
    LR_OK(leat_learner_feed(y.l, one, NULL, &lr_e));
    leat_batch_free(one);
  }
  lr_finish(&x, &a);
  assert_int_equal(a.state.rows_learned, 2500 - lt_quarantine_count(lt_learner_quarantine(x.l), 0));
  lr_drop(&a);
  for (int64_t i = 2000; i < 2500; i++) {
    double v[3];
    char plan[2], label[32];
    lr_record(&plain, i, v, plan, label);
    if (fabs(v[1]) > 1.8) continue;
    leat_batch *one = lr_batch(rt, &plain, s, i, 1, 0, LR_PLAIN);
    LR_OK(leat_learner_feed(y.l, one, NULL, &lr_e));
    leat_batch_free(one);
  }
  lr_finish(&x, &a);
  lr_finish(&y, &b);
  lr_same_model(&a, &b);
  lr_drop(&b);
  /* and after a crash the same */
  LR_OK(leat_learner_commit(x.l, &lr_e));
  lr_kill(&x);
  lr_open(&x, rt, path);
  lr_finish(&x, &b);
  lr_same(&a, &b);
  int64_t nobody = 123456;
  assert_int_equal(lt_learner_release(x.l, &nobody, 1, taken, &lr_e), LEAT_E_NOT_FOUND);
  lr_drop(&a);
  lr_drop(&b);
  lr_close(&x);
  lr_close(&y);
  leat_schema_free(s);
  leat_runtime_free(rt);
  lr_remove(path);
  lr_remove(other);
}

/* ---- a rollback that takes the suspects out of the stream */

/* Rows of a sparse stream whose labels are turned over from record 8000 to 9000. */
static leat_batch *flipped_rows(const leat_dataset *d, int64_t at) {
  leat_batch *rows = on_rows(d, at, 100);
  lt_rows v;
  lt_batch_rows(rows, &v);
  int32_t *y = (int32_t *)(uintptr_t)v.col[lt_schema_role(v.schema, LEAT_ROLE_TARGET)].data;
  for (int i = 0; at >= 8000 && at < 9000 && i < 100; i++) y[i] = 1 - y[i];
  LR_OK(leat_batch_set_source(rows, "flips", at, &lr_e));
  return rows;
}

static void rollback_holds_suspects(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_dataset *d = on_sparse(rt, 11000, 2000, 8, 4);
  char path[256], copy[300];
  lr_life x;
  lr_end a, b;
  (void)state;
  lr_folder(path);
  snprintf(copy, sizeof copy, "%s.copy", path);
  for (int crash = 0; crash < 2; crash++) {
    lr_create(&x, rt, path, "hash_bits=12", crash ? "guard_window=500 checkpoint_bytes=50000" : "guard_window=500", NULL, NULL);
    for (int64_t at = 0; at < 11000; at += 100) {
      leat_batch *rows = flipped_rows(d, at);
      LR_OK(leat_learner_feed(x.l, rows, NULL, &lr_e));
      lt_batch_free(rows);
      if (!crash || (at % 1300 != 600 && at != 9200)) continue;
      lr_copy(path, copy);
      lr_kill(&x);
      lr_remove(path);
      lr_shell("mv", copy, path);
      lr_open(&x, rt, path);
    }
    lr_finish(&x, crash ? &b : &a);
    if (!crash) {
      int64_t flipped = 0, n = 0, last = -1, id = 0;
      leat_held_info h = {.struct_size = sizeof h};
      lt_quarantine *q = lt_learner_quarantine(x.l);
      for (int64_t c = 0; lt_quarantine_next(q, LEAT_REASON_ROLLBACK_SUSPECT, &c, &h, NULL) == LEAT_OK; n++) {
        flipped += h.position >= 8000 && h.position < 9000;
        assert_string_equal(h.source, "flips");
        assert_true(h.position > last); /* none twice */
        last = h.position;
        if (h.position == 8642) id = h.id;
      }
      assert_int_equal(flipped, 1000);
      assert_true(n < 8000); /* not everything there ever was */
      assert_true(a.state.rollbacks >= 1);
      leat_batch *row = NULL, *of = flipped_rows(d, 8600); /* the rows are those of the stream */
      lt_rows v, w;
      LR_OK(lt_quarantine_row(q, id, &row, &lr_e));
      lt_batch_rows(row, &v);
      lt_batch_rows(of, &w);
      int64_t y = lt_schema_role(v.schema, LEAT_ROLE_TARGET), k = w.col[0].row_start[42];
      assert_string_equal(lt_dict_text(v.schema->col[y].labels, (int64_t)lt_rows_target(&v, y, 0), NULL),
                          lt_dict_text(w.schema->col[y].labels, (int64_t)lt_rows_target(&w, y, 42), NULL));
      assert_int_equal(v.col[0].row_start[1] - v.col[0].row_start[0], w.col[0].row_start[43] - k);
      assert_memory_equal(v.col[0].index + v.col[0].row_start[0], w.col[0].index + k, (size_t)(w.col[0].row_start[43] - k) * 4);
      lt_batch_free(of);
      lt_batch_free(row);
    }
    lr_close(&x);
    lr_remove(path);
  }
  lr_same(&a, &b);
  lr_drop(&a);
  lr_drop(&b);
  lt_dataset_free(d);
  leat_runtime_free(rt);
}

/* ---- by hand */

static void *live_bytes(lr_life *x, uint64_t *size) {
  lt_put w;
  lt_put_init(&w, x->rt);
  lt_online_save(x->l->o->m, &w);
  *size = w.size;
  return w.data; /* lt_free */
}

static void by_hand(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = lr_schema(rt, &plain, 0);
  char path[256];
  lr_life x;
  lr_end a, b;
  int64_t version = 0, later = 0;
  uint64_t na, nb;
  leat_event e = {.struct_size = sizeof e};
  leat_model *m = NULL;
  (void)state;
  lr_folder(path);
  lr_create(&x, rt, path, NULL, "guard_window=256", s, NULL);
  assert_int_equal(leat_learner_snapshot(x.l, &version, &lr_e), LEAT_E_STATE);
  assert_int_equal(leat_learner_rollback(x.l, -1, &lr_e), LEAT_E_NOT_FOUND);
  assert_int_equal(leat_learner_model(x.l, &m, &lr_e), LEAT_E_STATE);
  lr_feed(&x, &plain, s, 150, 50);
  assert_int_equal(leat_learner_rollback(x.l, -1, &lr_e), LEAT_E_NOT_FOUND);
  assert_int_equal(leat_learner_rollback(x.l, 77, &lr_e), LEAT_E_NOT_FOUND);
  LR_OK(leat_learner_snapshot(x.l, &version, &lr_e));
  assert_int_equal(version, 1);
  void *p = live_bytes(&x, &na);
  lr_feed(&x, &plain, s, 400, 50);
  LR_OK(leat_learner_snapshot(x.l, &later, &lr_e));
  LR_OK(leat_learner_rollback(x.l, version, &lr_e));
  void *q = live_bytes(&x, &nb);
  assert_int_equal(na, nb);
  assert_memory_equal(p, q, na);
  lt_free(rt, p);
  lt_free(rt, q);
  int found = 0;
  for (int64_t c = 0; leat_learner_next_event(x.l, &c, &e, NULL) == LEAT_OK;) {
    if (e.kind != LEAT_EVENT_ROLLBACK_BY_HAND) continue;
    found++;
    assert_true(e.value == 1);
    assert_non_null(strstr(e.text, "from version 2 to 3"));
  }
  assert_int_equal(found, 1);
  LR_OK(leat_learner_model(x.l, &m, &lr_e));
  leat_model_free(m);
  lr_feed(&x, &plain, s, 3000, 50);
  LR_OK(leat_learner_rollback(x.l, -1, &lr_e)); /* last-good */
  lr_feed(&x, &plain, s, 3200, 50);
  assert_int_equal(leat_learner_thaw(x.l, &lr_e), LEAT_E_STATE);
  lr_finish(&x, &a);
  assert_int_equal(a.state.rollbacks, 2);
  LR_OK(leat_learner_commit(x.l, &lr_e));
  lr_kill(&x);
  lr_open(&x, rt, path);
  lr_finish(&x, &b);
  lr_same(&a, &b);
  LR_OK(leat_learner_model(x.l, &m, &lr_e)); /* published again */
  leat_model_free(m);
  lr_drop(&a);
  lr_drop(&b);
  lr_close(&x);
  lr_remove(path);
  /* another's model */
  lr_stream w = {2, 0, 0, 5};
  leat_schema *other = lr_schema(rt, &w, 1);
  lr_create(&x, rt, path, "learner=coin", "", other, NULL);
  leat_batch *rows = lr_batch(rt, &w, other, 0, 100, 1, LR_PLAIN);
  LR_OK(leat_learner_feed(x.l, rows, NULL, &lr_e));
  leat_batch_free(rows);
  LR_OK(leat_learner_live(x.l, &m, &lr_e));
  lr_close(&x);
  lr_remove(path);
  lr_create(&x, rt, path, NULL, "", s, NULL);
  lr_feed(&x, &plain, s, 100, 50);
  LR_OK(leat_store_add(x.s, m, "train", &version, &lr_e));
  assert_int_equal(leat_learner_rollback(x.l, version, &lr_e), LEAT_E_UNSUPPORTED);
  leat_model_free(m);
  lr_close(&x);
  leat_schema_free(other);
  leat_schema_free(s);
  leat_runtime_free(rt);
  lr_remove(path);
}

/* ---- frozen: predicted and scored, not learned */

static void frozen_and_thawed(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = lr_schema(rt, &plain, 0);
  char path[256];
  lr_life x;
  lr_end a, b;
  (void)state;
  lr_folder(path);
  lr_create(&x, rt, path, NULL, "guard_window=256 ranges=x0=-9:9 actions=range=stop", s, NULL);
  lr_feed(&x, &plain, s, 700, 50);
  leat_batch *b2 = lr_batch(rt, &plain, s, 700, 20, 0, LR_PLAIN);
  const char *field[] = {"9.5", "0", "0", "a", "yes"};
  LR_OK(leat_batch_add_text(b2, field, 5, &lr_e));
  for (int64_t i = 721; i < 760; i++) lr_add(&plain, b2, i, 0, LR_PLAIN);
  LR_OK(leat_batch_set_source(b2, "stream", 700, &lr_e));
  double p[60];
  leat_matrix pm = {.struct_size = sizeof pm, .data = p, .rows = 60, .cols = 1, .dtype = LEAT_F64};
  LR_OK(leat_learner_feed(x.l, b2, &pm, &lr_e));
  leat_batch_free(b2);
  for (int i = 0; i < 60; i++) assert_int_equal(isnan(p[i]), i == 20);
  leat_learner_state st = {.struct_size = sizeof st};
  LR_OK(leat_learner_get_state(x.l, &st, &lr_e));
  assert_int_equal(st.mode, LEAT_FROZEN);
  assert_int_equal(st.rows_learned, 720);
  assert_int_equal(st.rows_seen, 760);
  uint64_t na, nb;
  void *u = live_bytes(&x, &na);
  lr_feed(&x, &plain, s, 900, 50);
  void *v = live_bytes(&x, &nb);
  assert_int_equal(na, nb);
  assert_memory_equal(u, v, na);
  lt_free(rt, u);
  lt_free(rt, v);
  lr_finish(&x, &a);
  assert_true(a.metric[0][0] == 899); /* scored, all of them but the one that was held */
  LR_OK(leat_learner_commit(x.l, &lr_e));
  lr_kill(&x);
  lr_open(&x, rt, path);
  lr_finish(&x, &b);
  lr_same(&a, &b);
  lr_drop(&a);
  lr_drop(&b);
  LR_OK(leat_learner_thaw(x.l, &lr_e));
  lr_feed(&x, &plain, s, 1000, 50);
  lr_finish(&x, &a);
  assert_int_equal(a.state.mode, LEAT_LEARNING);
  assert_int_equal(a.state.rows_learned, 820);
  lr_close(&x);
  lr_open(&x, rt, path);
  lr_finish(&x, &b);
  lr_same(&a, &b);
  lr_drop(&a);
  lr_drop(&b);
  lr_close(&x);
  lr_remove(path);
  /* a flood of bad records stops learning by itself */
  lr_create(&x, rt, path, NULL, "ranges=x0=-0.5:0.5", s, NULL);
  lr_feed(&x, &plain, s, 1000, 50);
  LR_OK(leat_learner_get_state(x.l, &st, &lr_e));
  assert_int_equal(st.mode, LEAT_FROZEN);
  assert_true(st.rows_learned < 100);
  leat_event e = {.struct_size = sizeof e};
  int64_t c = 0;
  LR_OK(leat_learner_next_event(x.l, &c, &e, &lr_e));
  assert_int_equal(e.kind, LEAT_EVENT_FROZEN);
  assert_string_equal(e.name, "quarantine_share");
  lr_close(&x);
  leat_schema_free(s);
  leat_runtime_free(rt);
  lr_remove(path);
}

/* ---- who may, and what the disk and the memory do */

static void one_at_a_time(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = lr_schema(rt, &plain, 0);
  char path[256];
  lr_life x, y;
  (void)state;
  lr_folder(path);
  assert_int_equal(lr_try_open(&y, rt, path), LEAT_E_NOT_FOUND); /* no store at all */
  lr_close(&y);
  lr_create(&x, rt, path, NULL, "", s, NULL);
  assert_int_equal(lr_try_open(&y, rt, path), LEAT_E_BUSY);
  lr_close(&y);
  leat_learner *l = NULL;
  assert_int_equal(leat_learner_open(x.s, &l, &lr_e), LEAT_E_BUSY);
  assert_int_equal(leat_learner_create(x.s, NULL, NULL, s, NULL, &l, &lr_e), LEAT_E_BUSY);
  leat_learner_free(x.l);
  assert_int_equal(leat_learner_create(x.s, NULL, NULL, s, NULL, &l, &lr_e), LEAT_E_STATE);
  LR_OK(leat_learner_open(x.s, &x.l, &lr_e));
  /* wrong arguments change nothing */
  leat_schema *odd = NULL;
  LR_OK(leat_schema_create(rt, &odd, &lr_e));
  LR_OK(leat_schema_add_column(odd, "x0", LEAT_NUMBER, LEAT_ROLE_FEATURE, &lr_e));
  leat_batch *b = NULL;
  LR_OK(leat_batch_create(rt, odd, &b, &lr_e));
  const char *one[] = {"1"};
  LR_OK(leat_batch_add_text(b, one, 1, &lr_e));
  assert_int_equal(leat_learner_feed(x.l, b, NULL, &lr_e), LEAT_E_DATA);
  leat_batch_free(b);
  b = lr_batch(rt, &plain, s, 0, 5, 0, LR_PLAIN);
  double v[10];
  leat_matrix pm = {.struct_size = sizeof pm, .data = v, .rows = 4, .cols = 1, .dtype = LEAT_F64};
  assert_int_equal(leat_learner_feed(x.l, b, &pm, &lr_e), LEAT_E_SHAPE);
  leat_learner_state st = {.struct_size = sizeof st};
  LR_OK(leat_learner_get_state(x.l, &st, &lr_e));
  assert_int_equal(st.rows_seen, 0);
  LR_OK(leat_learner_feed(x.l, b, NULL, &lr_e));
  leat_batch_free(b);
  leat_schema_free(odd);
  lr_close(&x);
  lr_remove(path);
  leat_params *p = lr_params(rt, "model/linear", ""), *k = lr_params(rt, "store", "create=1"), *q = lr_params(rt, "learner", "required=nobody");
  leat_store *store = NULL;
  LR_OK(leat_store_open(rt, path, k, &store, &lr_e));
  assert_int_equal(leat_learner_create(store, p, NULL, s, NULL, &l, &lr_e), LEAT_E_UNSUPPORTED);
  assert_int_equal(leat_learner_create(store, NULL, q, s, NULL, &l, &lr_e), LEAT_E_ARG); /* no such column */
  assert_int_equal(leat_learner_open(store, &l, &lr_e), LEAT_E_NOT_FOUND);
  LR_OK(leat_learner_create(store, NULL, NULL, s, NULL, &l, &lr_e));
  leat_learner_free(l);
  leat_store_free(store);
  leat_params_free(p);
  leat_params_free(k);
  leat_params_free(q);
  leat_schema_free(s);
  leat_runtime_free(rt);
  lr_remove(path);
}

static void disk_full(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = lr_schema(rt, &plain, 1);
  char path[256];
  lr_life x;
  lr_end a, b;
  static const char *const settings = "guard_window=256 checkpoint_bytes=20000 snapshot_rows=300";
  (void)state;
  lr_folder(path);
  lr_create(&x, rt, path, NULL, settings, s, NULL);
  for (int64_t at = 0; at < 1500; at += 50) {
    leat_batch *r = lr_batch(rt, &plain, s, at, 50, 1, LR_PLAIN);
    LR_OK(leat_batch_set_source(r, "stream", at, &lr_e));
    LR_OK(leat_learner_feed(x.l, r, NULL, &lr_e));
    leat_batch_free(r);
  }
  lr_finish(&x, &a);
  lr_close(&x);
  for (int64_t k = 1; k < 120; k += 7) {
    host_files h = {.code = ENOSPC, .kind = "wynf"[k % 4]};
    leat_file_system fs = host_file_system(&h);
    leat_runtime_opts o = {.struct_size = sizeof o, .files = &fs};
    leat_runtime *bad = host_runtime(&o);
    leat_schema *t = lr_schema(bad, &plain, 1);
    lr_remove(path);
    lr_create(&x, bad, path, NULL, settings, t, NULL);
    h.fail_at = h.calls + k;
    leat_status st = LEAT_OK;
    for (int64_t at = 0; at < 1500 && !st; at += 50) {
      leat_batch *r = lr_batch(bad, &plain, t, at, 50, 1, LR_PLAIN);
      LR_OK(leat_batch_set_source(r, "stream", at, &lr_e));
      st = leat_learner_feed(x.l, r, NULL, &lr_e);
      if (!st) st = leat_learner_commit(x.l, &lr_e);
      leat_batch_free(r);
    }
    leat_learner_state now = {.struct_size = sizeof now};
    LR_OK(leat_learner_get_state(x.l, &now, &lr_e));
    if (st) {
      int64_t calls = h.calls;
      double p[10];
      leat_matrix pm = {.struct_size = sizeof pm, .data = p, .rows = 10, .cols = 1, .dtype = LEAT_F64};
      assert_int_equal(st, LEAT_E_IO);
      assert_int_equal(now.mode, LEAT_STOPPED);
      leat_batch *r = lr_batch(bad, &plain, t, 0, 10, 1, LR_PLAIN);
      assert_int_equal(leat_learner_feed(x.l, r, NULL, &lr_e), LEAT_E_STATE);
      assert_int_equal(leat_learner_commit(x.l, &lr_e), LEAT_E_IO);
      if (now.rows_learned > 0) LR_OK(leat_learner_predict(x.l, r, &pm, &lr_e)); /* from memory */
      leat_batch_free(r);
      assert_int_equal(h.calls, calls); /* it is never written again */
    } else {
      assert_true(h.calls < h.fail_at || h.kind != 'w');
    }
    lr_close(&x);
    leat_schema_free(t);
    leat_runtime_free(bad);
    lr_open(&x, rt, path);
    int64_t at = 0;
    LR_OK(leat_learner_position(x.l, "stream", &at, &lr_e));
    for (; at < 1500; at += 50) {
      leat_batch *r = lr_batch(rt, &plain, s, at, 50, 1, LR_PLAIN);
      LR_OK(leat_batch_set_source(r, "stream", at, &lr_e));
      LR_OK(leat_learner_feed(x.l, r, NULL, &lr_e));
      leat_batch_free(r);
    }
    lr_finish(&x, &b);
    lr_same(&a, &b);
    lr_drop(&b);
    lr_close(&x);
  }
  lr_drop(&a);
  leat_schema_free(s);
  leat_runtime_free(rt);
  lr_remove(path);
}

static void no_memory(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = lr_schema(rt, &plain, 0);
  char path[256], start[300];
  lr_life x;
  lr_end a, b;
  int64_t failures = 0;
  (void)state;
  lr_folder(path);
  snprintf(start, sizeof start, "%s.start", path);
  lr_create(&x, rt, path, NULL, "guard_window=128 checkpoint_bytes=20000 snapshot_rows=100", s, NULL);
  lr_feed(&x, &plain, s, 480, 40);
  lr_close(&x);
  lr_copy(path, start);
  lr_open(&x, rt, path);
  lr_feed(&x, &plain, s, 700, 40);
  lr_finish(&x, &a);
  lr_close(&x);
  for (int64_t k = 1; k < 2600; k += 1 + k / 12) {
    host_memory mem = {0};
    leat_allocator alloc = host_allocator(&mem, 1);
    leat_runtime_opts o = {.struct_size = sizeof o, .allocator = &alloc};
    leat_runtime *bad = host_runtime(&o);
    leat_schema *t = lr_schema(bad, &plain, 0);
    leat_batch *rows[3];
    for (int i = 0; i < 3; i++) {
      rows[i] = lr_batch(bad, &plain, t, 480 + i * 40, 40, 0, LR_PLAIN);
      LR_OK(leat_batch_set_source(rows[i], "stream", 480 + i * 40, &lr_e));
    }
    lr_copy(start, path);
    mem.fail_at = mem.calls + k;
    leat_status st = leat_store_open(bad, path, NULL, &x.s, &lr_e);
    x.l = NULL;
    x.rt = bad;
    if (!st) st = leat_learner_open(x.s, &x.l, &lr_e);
    for (int i = 0; i < 3 && !st; i++) st = leat_learner_feed(x.l, rows[i], NULL, &lr_e);
    if (st) assert_int_equal(st, LEAT_E_MEMORY);
    failures += st != LEAT_OK;
    mem.fail_at = 0;
    lr_close(&x);
    for (int i = 0; i < 3; i++) leat_batch_free(rows[i]);
    leat_schema_free(t);
    leat_runtime_free(bad);
    assert_int_equal(mem.blocks, 0);
    assert_int_equal(mem.wrong, 0);
    lr_open(&x, rt, path);
    lr_feed(&x, &plain, s, 700, 40);
    lr_finish(&x, &b);
    lr_same(&a, &b);
    lr_drop(&b);
    lr_close(&x);
  }
  assert_true(failures > 10);
  lr_drop(&a);
  leat_schema_free(s);
  leat_runtime_free(rt);
  lr_remove(path);
  lr_remove(start);
}

/* A damaged checkpoint: the one before, or the journal, gives the same. */
static void damaged_checkpoint(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = lr_schema(rt, &plain, 0);
  char path[256], file[600];
  lr_life x;
  lr_end a, b;
  (void)state;
  lr_folder(path);
  for (int both = 0; both < 2; both++) {
    lr_create(&x, rt, path, NULL, both ? "checkpoint_bytes=60000" : "checkpoint_bytes=15000", s, NULL);
    lr_feed(&x, &plain, s, both ? 2500 : 2000, 50);
    lr_finish(&x, &a);
    lt_checkpoint c[2];
    int n = 0;
    while (n < 2 && lt_folder_checkpoint_at(x.s, n, &c[n], NULL) == LEAT_OK) n++;
    assert_true(n >= 1);
    lr_kill(&x);
    for (int i = 0; i < (both ? n : 1); i++) {
      snprintf(file, sizeof file, "%s/learner/%s", path, c[i].name);
      if (truncate(file, 300)) fail();
    }
    leat_status st = lr_try_open(&x, rt, path);
    if (both && n == 2) {
      assert_int_equal(st, LEAT_E_FORMAT); /* the journal's beginning has gone by then */
    } else {
      LR_OK(st);
      lr_finish(&x, &b);
      lr_same(&a, &b);
      lr_drop(&b);
    }
    lr_drop(&a);
    lr_close(&x);
    lr_remove(path);
  }
  leat_schema_free(s);
  leat_runtime_free(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rollback_holds_suspects), cmocka_unit_test(bad_records_leave_no_trace), cmocka_unit_test(released_is_late),
      cmocka_unit_test(by_hand), cmocka_unit_test(frozen_and_thawed), cmocka_unit_test(one_at_a_time), cmocka_unit_test(disk_full),
      cmocka_unit_test(no_memory), cmocka_unit_test(damaged_checkpoint),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
