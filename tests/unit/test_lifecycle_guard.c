/* The guard: what it does to streams that stay, drift and go wrong; that its bytes depend on the rows alone. */
#include "guard_help.h"

static void off_is_the_trainer(void **state) {
  (void)state;
  static const char *const learner[] = {"learner=race hash_bits=10", "learner=coin hash_bits=10", "learner=cheap hash_bits=14"};
  leat_runtime *rt = tr_runtime(1);
  leat_dataset *d = on_sparse(rt, 3000, 5000, 9, 4);
  for (int i = 0; i < 3; i++) {
    gd_run a, b;
    leat_error e = tr_error();
    leat_batch *rows = on_rows(d, 0, 3000);
    gd_open(&a, rt, learner[i], NULL);
    gd_open(&b, rt, learner[i], "guard=false");
    TR_OK(lt_online_rows(a.o, rows, 1, NULL, &e), &e);
    gd_learn(&b, rows, 700);
    gd_same(&a, &b, 0);
    gd_close(&a);
    gd_close(&b);
    lt_batch_free(rows);
  }
  lt_dataset_free(d);
  lt_runtime_unref(rt);
}

static void stationary_is_left_alone(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = tr_schema(rt, 8, 2, 0);
  gd_run a, b;
  gd_open(&a, rt, "", NULL);
  gd_open(&b, rt, "", "guard_window=500");
  for (uint64_t k = 0; k < 10; k++) {
    leat_error e = tr_error();
    leat_batch *rows = gd_dense(rt, s, 1000, 8, 1, 0.2, 0, k);
    TR_OK(lt_online_rows(a.o, rows, 1, NULL, &e), &e);
    gd_learn(&b, rows, 333);
    lt_batch_free(rows);
  }
  assert_int_equal(gd_count(&b, 0, 0, 1 << 30), 0);
  assert_true(gd_count(&b, LEAT_EVENT_CERTIFIED, 0, 1 << 30) > 10);
  assert_true(lt_guard_good_row(b.g) >= 8000);
  gd_same(&a, &b, 0); /* contenders leave no trace on live */
  gd_close(&a);
  gd_close(&b);
  lt_schema_free(s);
  lt_runtime_unref(rt);
}

/* A stream with everything: a flip from `from` to `to`, another concept from `drift` on. */
typedef struct gd_story { int64_t n, from, to, drift; const char *model, *settings; } gd_story;

static leat_batch *story_rows(const gd_story *t, leat_runtime *rt, leat_schema *s, int64_t at, int64_t n) {
  leat_batch *all = NULL;
  leat_error e = tr_error();
  TR_OK(lt_batch_create(rt, s, &all, &e), &e);
  for (int64_t r = at; r < at + n;) { /* in hundreds, so that cuts do not matter */
    int64_t begin = r / 100 * 100, upto = begin + 100 < at + n ? begin + 100 : at + n;
    leat_batch *b = gd_dense(rt, s, 100, 8, begin >= t->drift ? 2 : 1, 0.2, begin >= t->from && begin < t->to, (uint64_t)begin);
    lt_rows v;
    lt_batch_rows(b, &v);
    TR_OK(lt_batch_append(all, &v, r - begin, upto - r, &e), &e);
    lt_batch_free(b);
    r = upto;
  }
  return all;
}

static void story_run(const gd_story *t, gd_run *u, leat_schema *s, int64_t from, int64_t to, int64_t call) {
  leat_batch *b = story_rows(t, u->rt, s, from, to - from);
  gd_learn(u, b, call);
  lt_batch_free(b);
}

static const gd_story stories[] = {
    {14000, 6000, 7500, 1 << 30, "learner=adagrad adagrad_rate=0.1", "guard_window=500"},
    {14000, 6000, 8000, 10000, "", "guard_window=500"},
    {9000, 1 << 30, 0, 5000, "learner=coin", "guard_window=1000"},
};

void flip_and_drift(void **state);
void flip_and_drift(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = tr_schema(rt, 8, 2, 0);
  gd_run u;
  gd_open(&u, rt, stories[0].model, stories[0].settings);
  story_run(&stories[0], &u, s, 0, stories[0].n, 1000);
  assert_int_equal(gd_count(&u, 0, 0, 6000), 0);
  assert_true(gd_count(&u, LEAT_EVENT_ROLLBACK, 7500, 9000) >= 1);
  for (int64_t i = 0; i < u.n_events; i++)
    if (u.event[i].kind == LEAT_EVENT_ROLLBACK) {
      assert_int_equal(u.event[i].suspects, 1);
      assert_true(u.event[i].since <= 6000 && u.event[i].since >= 5000);
      break;
    }
  gd_close(&u);
  gd_open(&u, rt, "learner=adagrad adagrad_rate=0.1", "guard_window=500");
  story_run(&stories[2], &u, s, 0, stories[2].n, 1000);
  assert_int_equal(gd_count(&u, LEAT_EVENT_ROLLBACK, 0, 1 << 30), 0);
  assert_true(gd_count(&u, LEAT_EVENT_RESTART, 5000, 6500) >= 1);
  gd_close(&u);
  lt_schema_free(s);
  lt_runtime_unref(rt);
}

/* Threads, calls and saving leave no trace. */
static void rows_alone(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof stories / sizeof *stories; k++) {
    const gd_story *t = &stories[k];
    leat_runtime *rt = tr_runtime(1), *three = tr_runtime(3);
    leat_schema *s = tr_schema(rt, 8, 2, 0), *s3 = tr_schema(three, 8, 2, 0);
    gd_run a, b;
    gd_open(&a, rt, t->model, t->settings);
    gd_open(&b, three, t->model, t->settings);
    story_run(t, &a, s, 0, t->n, t->n);
    story_run(t, &b, s3, 0, t->n / 2 + 7, 37);
    story_run(t, &b, s3, t->n / 2 + 7, t->n, 1);
    gd_same(&a, &b, 1);
    assert_int_equal(a.n_events, b.n_events);
    assert_memory_equal(a.event, b.event, (size_t)a.n_events * sizeof *a.event);
    gd_close(&b);
    lt_rng r;
    lt_rng_init(&r, k, 1);
    gd_open(&b, rt, t->model, t->settings);
    for (int64_t at = 0; at < t->n;) {
      int64_t n = 1 + (int64_t)lt_rng_below(&r, 3000);
      if (n > t->n - at) n = t->n - at;
      story_run(t, &b, s, at, at + n, 500);
      at += n;
      lt_put w, again;
      lt_get g;
      lt_guard *fresh = NULL;
      leat_error e = tr_error();
      lt_put_init(&w, rt);
      lt_put_init(&again, rt);
      lt_guard_save(b.g, &w);
      TR_OK(lt_guard_create(b.o, b.settings, &fresh, &e), &e);
      lt_get_init(&g, rt, w.data, w.size);
      TR_OK(lt_guard_restore(fresh, &g, &e), &e);
      assert_int_equal(lt_get_left(&g), 0);
      lt_guard_free(b.g);
      b.g = fresh;
      lt_guard_save(b.g, &again);
      assert_int_equal(w.size, again.size);
      assert_memory_equal(w.data, again.data, w.size);
      lt_put_free(&w);
      lt_put_free(&again);
    }
    gd_same(&a, &b, 1);
    gd_close(&a);
    gd_close(&b);
    lt_schema_free(s);
    lt_schema_free(s3);
    lt_runtime_unref(rt);
    lt_runtime_unref(three);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(off_is_the_trainer),
      cmocka_unit_test(stationary_is_left_alone),
      cmocka_unit_test(rows_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
