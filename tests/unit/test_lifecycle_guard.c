/* The guard: what it does to streams that stay, drift and go wrong; that its bytes depend on the rows alone. */
#include "model/online_net.h"
#include "guard_help.h"
#include "hosts.h"
#include "model/online_copy.h"

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
  assert_true(gd_count(&b, LEAT_EVENT_CERTIFIED, 0, 1 << 30) >= 2);
  assert_true(lt_guard_good_row(b.g) >= 4000);
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
    {7000, 3000, 3700, 5000, "learner=mlp hidden=12", "guard_window=250"},
    {6000, 3000, 3700, 4500, "learner=net hidden=8", "guard_window=250"},
};

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

/* Copies of touched slots only (a) and whole ones (b, which is restored all the time) are the same. */
static void copies(void **state) {
  (void)state;
  static const char *const learner[] = {"learner=race hash_bits=13", "learner=coin hash_bits=13", "learner=alma hash_bits=13",
                                        "learner=mlp hidden=8 hash_bits=13"};
  leat_runtime *rt = tr_runtime(2);
  leat_dataset *d = on_sparse(rt, 9000, 8000, 9, 4), *turned = on_sparse(rt, 9000, 8001, 9, 5);
  for (int k = 0; k < 4; k++) {
    gd_run a, b;
    gd_open(&a, rt, learner[k], "guard_window=256");
    gd_open(&b, rt, learner[k], "guard_window=256");
    for (int64_t r = 0; r < 9000; r += 300) {
      leat_batch *rows = on_rows(r < 4500 ? d : turned, r, 300);
      leat_error e = tr_error();
      if (r == 3000 || r == 7200) { /* something overwrites a stretch of the live model */
        for (int64_t i = 1; i < 3000; i++) {
          *(lt_online_at(a.o->m, 0, i) + 2) = (float)(i % 5);
          *(lt_online_at(b.o->m, 0, i) + 2) = (float)(i % 5);
          for (int64_t j = 0; j < a.o->m->n_hidden; j++)
            lt_online_net_at(a.o->m, 0, i)[j] = lt_online_net_at(b.o->m, 0, i)[j] = (float)(i % 3);
        }
        lt_guard_disturbed(a.g);
      }
      gd_learn(&a, rows, 300);
      gd_learn(&b, rows, 41);
      lt_batch_free(rows);
      lt_put w;
      lt_get g;
      lt_guard *fresh = NULL;
      lt_put_init(&w, rt);
      lt_guard_save(b.g, &w);
      TR_OK(lt_guard_create(b.o, b.settings, &fresh, &e), &e);
      lt_get_init(&g, rt, w.data, w.size);
      TR_OK(lt_guard_restore(fresh, &g, &e), &e);
      lt_guard_free(b.g);
      b.g = fresh;
      lt_put_free(&w);
    }
    gd_same(&a, &b, 1);
    assert_int_equal(a.n_events, b.n_events);
    assert_memory_equal(a.event, b.event, (size_t)a.n_events * sizeof *a.event);
    assert_true(gd_count(&a, LEAT_EVENT_CERTIFIED, 0, 1 << 30) > 2);
    gd_close(&a);
    gd_close(&b);
  }
  lt_dataset_free(d);
  lt_dataset_free(turned);
  lt_runtime_unref(rt);
}

/* Slow learners on many columns: a flip is answered by going back, a change that stays by starting anew. */
static void flip_goes_back(void **state) {
  (void)state;
  enum { COLS = 60, N = 24000, FROM = 14000, TO = 15000 };
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = tr_schema(rt, COLS, 2, 0);
  gd_run u, plain;
  gd_open(&u, rt, "learner=adagrad adagrad_rate=0.02", "guard_window=500");
  gd_open(&plain, rt, "learner=adagrad adagrad_rate=0.02", NULL);
  double right[2] = {0, 0};
  for (int64_t r = 0; r < N; r += 500) {
    leat_batch *b = gd_dense(rt, s, 500, COLS, 1, 0.1, r >= FROM && r < TO, (uint64_t)r);
    gd_learn(&u, b, 500);
    gd_learn(&plain, b, 500);
    lt_batch_free(b);
    if (r < TO || r >= TO + 3000) continue;
    for (int k = 0; k < 2; k++) {
      leat_metrics *m = NULL;
      double v = 0;
      TR_OK(lt_online_metrics(k ? plain.o : u.o, LT_PROGRESS_FADED, &m, NULL), NULL);
      TR_OK(lt_metrics_value(m, "accuracy", &v, NULL), NULL);
      lt_metrics_free(m);
      right[k] += v;
    }
  }
  int64_t back = -1;
  for (int64_t i = 0; i < u.n_events && back < 0; i++)
    if (u.event[i].kind == LEAT_EVENT_ROLLBACK && u.event[i].row > FROM) back = i;
  assert_true(back >= 0);
  assert_int_equal(u.event[back].suspects, 1);
  assert_true(u.event[back].since <= FROM && u.event[back].since > 0);
  assert_true(u.event[back].taken > u.event[back].since && u.event[back].taken <= u.event[back].row);
  assert_int_equal(gd_count(&u, 0, 0, FROM), 0);
  assert_true(right[0] > right[1]);
  gd_close(&u);
  gd_close(&plain);
  lt_schema_free(s);
  lt_runtime_unref(rt);
}

static void change_begins_anew(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = tr_schema(rt, 20, 2, 0);
  gd_run u;
  gd_open(&u, rt, "learner=adagrad adagrad_rate=0.05", "guard_window=500");
  for (int64_t r = 0; r < 24000; r += 1000) {
    leat_batch *b = gd_dense(rt, s, 1000, 20, r >= 12000 ? 2 : 1, 0.1, 0, (uint64_t)r);
    gd_learn(&u, b, 1000);
    lt_batch_free(b);
  }
  assert_int_equal(gd_count(&u, LEAT_EVENT_ROLLBACK, 0, 1 << 30), 0);
  assert_true(gd_count(&u, LEAT_EVENT_RESTART, 12000, 14000) >= 1);
  assert_int_equal(gd_count(&u, LEAT_EVENT_FROZEN, 0, 1 << 30), 0);
  gd_close(&u);
  lt_schema_free(s);
  lt_runtime_unref(rt);
}

/* Numbers: the target's weights turn, then a third of the targets are torn off. */
static leat_batch *number_rows(leat_runtime *rt, leat_schema *s, int64_t at, int64_t n) {
  leat_error e = tr_error();
  leat_batch *b = NULL;
  double *x = malloc((size_t)(n * 6) * sizeof *x), *y = malloc((size_t)n * sizeof *y);
  lt_rng r;
  if (!x || !y) exit(1);
  lt_rng_init(&r, (uint64_t)at, 21);
  for (int64_t i = 0; i < n; i++) {
    y[i] = 100 + 0.3 * lt_rng_normal(&r);
    for (int64_t j = 0; j < 6; j++) y[i] += (at >= 8000 ? 3 - (double)j : (double)j) * (x[i * 6 + j] = lt_rng_normal(&r));
  }
  TR_OK(lt_batch_create(rt, s, &b, &e), &e);
  leat_matrix mx = tr_matrix(x, n, 6, LEAT_F64), my = tr_matrix(y, n, 1, LEAT_F64);
  TR_OK(lt_batch_set_dense(b, &mx, &e), &e);
  TR_OK(lt_batch_set_labels(b, &my, NULL, &e), &e);
  free(x);
  free(y);
  return b;
}

static void numbers(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(2);
  leat_schema *s = tr_schema(rt, 6, 0, 0);
  gd_run a, b, plain;
  gd_open(&a, rt, "learner=adagrad adagrad_rate=0.05", "guard_window=500");
  gd_open(&b, rt, "learner=adagrad adagrad_rate=0.05", "guard_window=500");
  gd_open(&plain, rt, "learner=adagrad adagrad_rate=0.05", NULL);
  for (int64_t r = 0; r < 12000; r += 500) {
    leat_batch *rows = number_rows(rt, s, r, 500);
    leat_error e = tr_error();
    gd_learn(&a, rows, 500);
    gd_learn(&b, rows, 7);
    TR_OK(lt_online_rows(plain.o, rows, 1, NULL, &e), &e);
    lt_batch_free(rows);
    if (r == 7500) {
      assert_int_equal(gd_count(&a, 0, 0, 1 << 30), 0);
      gd_same(&a, &plain, 0);
    }
  }
  gd_same(&a, &b, 1);
  assert_true(gd_count(&a, LEAT_EVENT_RESTART, 8000, 9500) >= 1);
  assert_true(lt_progressive_loss(a.o->progress, LT_PROGRESS_ALL) < lt_progressive_loss(plain.o->progress, LT_PROGRESS_ALL));
  gd_close(&a);
  gd_close(&b);
  gd_close(&plain);
  lt_schema_free(s);
  lt_runtime_unref(rt);
}

/* Labels, texts and categories; labels come up in the middle of blocks. */
static void classes_grow(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  gd_run plain, off, a, b;
  gd_open(&plain, rt, "hash_bits=10", NULL);
  gd_open(&off, rt, "hash_bits=10", "guard=false");
  gd_open(&a, rt, "hash_bits=10", "guard_window=128");
  gd_open(&b, rt, "hash_bits=10", "guard_window=128");
  leat_schema *s[3];
  for (int k = 0; k < 3; k++) s[k] = on_mixed_schema(rt, 4, k + 2);
  for (int64_t i = 0; i < 24; i++) {
    int k = i < 8 ? 0 : i < 16 ? 1 : 2;
    leat_error e = tr_error();
    leat_batch *rows = on_mixed(rt, s[k], 101, k + 2, (uint64_t)i);
    TR_OK(lt_online_rows(plain.o, rows, 1, NULL, &e), &e);
    gd_learn(&off, rows, 50);
    gd_learn(&a, rows, 101);
    gd_learn(&b, rows, 3);
    lt_batch_free(rows);
  }
  assert_int_equal(a.o->m->n_classes, 4);
  gd_same(&plain, &off, 0);
  gd_same(&a, &b, 1);
  assert_true(lt_guard_good_row(a.g) > 0);
  for (int k = 0; k < 3; k++) lt_schema_free(s[k]);
  gd_close(&plain);
  gd_close(&off);
  gd_close(&a);
  gd_close(&b);
  lt_runtime_unref(rt);
}

enum { POISON_WEIGHT, POISON_UNIT, POISON_OUTPUT, POISONS };
static void poison(lt_online *m, int where, float value) {
  switch (where) {
    case POISON_WEIGHT: *(lt_online_at(m, 0, 1) + m->layout->at[LT_SLOT_ADA_W]) = value; break;
    case POISON_UNIT: lt_online_net_at(m, 0, 1)[2] = value; break;
    default: m->head[0][3] = (double)value;
  }
}

static void not_finite(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = tr_schema(rt, 8, 2, 0);
  for (int run = 0; run < 2 * POISONS; run++) {
    gd_run u;
    int early = run % 2, where = run / 2;
    gd_open(&u, rt, where == POISON_WEIGHT ? "" : "learner=mlp hidden=8", "guard_window=256 freeze_after=1");
    leat_batch *b = gd_dense(rt, s, early ? 100 : 3000, 8, 1, 0.1, 0, 1), *c = gd_dense(rt, s, 500, 8, 1, 0.1, 0, 2);
    gd_learn(&u, b, 1000);
    int64_t good = lt_guard_good_row(u.g), now = u.o->learned;
    assert_true(early ? good == -1 : good > 0);
    poison(u.o->m, where, NAN);
    lt_guard_disturbed(u.g);
    gd_learn(&u, c, 100);
    assert_int_equal(gd_count(&u, LEAT_EVENT_NON_FINITE, 0, 1 << 30), 1);
    assert_int_equal(gd_count(&u, LEAT_EVENT_FROZEN, 0, 1 << 30), 1);
    for (int64_t i = 0; i < u.n_events; i++) {
      if (u.event[i].kind != LEAT_EVENT_NON_FINITE) continue;
      assert_true(u.event[i].row <= now + LT_GUARD_BLOCK);
      assert_int_equal(u.event[i].suspects, 1);
      assert_int_equal(u.event[i].since, early ? 0 : good);
    }
    assert_true(lt_online_finite(u.o->m, NULL, 0));
    lt_batch_free(b);
    lt_batch_free(c);
    gd_close(&u);
  }
  lt_schema_free(s);
  lt_runtime_unref(rt);
}

static void by_hand(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = tr_schema(rt, 8, 2, 0), *other = tr_schema(rt, 5, 2, 0);
  gd_run u, v;
  const lt_online *good = NULL;
  gd_open(&u, rt, "", "guard_window=256");
  gd_open(&v, rt, "", "guard_window=256");
  assert_int_equal(lt_guard_good(u.g, &good), LEAT_E_NOT_FOUND);
  leat_batch *b = gd_dense(rt, s, 3000, 8, 1, 0.1, 0, 1), *c = gd_dense(rt, other, 100, 5, 1, 0.1, 0, 2);
  leat_batch *few = gd_dense(rt, s, 20, 8, 1, 0.1, 0, 3);
  gd_learn(&u, few, 100);
  assert_int_equal(lt_guard_rollback(u.g, NULL, NULL), LEAT_E_NOT_FOUND);
  gd_learn(&u, b, 1000);
  gd_learn(&v, c, 1000);
  assert_int_equal(lt_guard_rollback(u.g, v.o->m, NULL), LEAT_E_ARG);
  assert_int_equal(lt_guard_good(u.g, &good), LEAT_OK);
  assert_int_equal(lt_guard_rollback(u.g, NULL, NULL), LEAT_OK);
  lt_put x, y;
  lt_put_init(&x, rt);
  lt_put_init(&y, rt);
  lt_online_save(good, &x);
  lt_online_save(u.o->m, &y);
  assert_int_equal(x.size, y.size);
  assert_memory_equal(x.data, y.data, x.size);
  gd_learn(&u, b, 1000);
  lt_online *kept = NULL;
  TR_OK(lt_online_copy(good, &kept, NULL), NULL);
  assert_int_equal(lt_guard_rollback(u.g, kept, NULL), LEAT_OK);
  gd_learn(&u, b, 1000);
  lt_online_free(kept);
  lt_put_free(&x);
  lt_put_free(&y);
  lt_batch_free(b);
  lt_batch_free(c);
  lt_batch_free(few);
  gd_close(&u);
  gd_close(&v);
  lt_schema_free(s);
  lt_schema_free(other);
  lt_runtime_unref(rt);
}

/* Predictions that were served are scored; live's own come back in pred. */
static void served(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = tr_schema(rt, 8, 2, 0);
  gd_run u, v;
  gd_open(&u, rt, "", "guard_window=256");
  gd_open(&v, rt, "", "guard_window=256");
  leat_batch *b = gd_dense(rt, s, 1000, 8, 1, 0.1, 0, 1);
  double *p = malloc(1000 * 2 * sizeof *p), *half = malloc(1000 * sizeof *half);
  lt_rows r;
  leat_error e = tr_error();
  int64_t done = 0;
  if (!p || !half) exit(1);
  for (int i = 0; i < 1000; i++) half[i] = 0.5;
  lt_batch_rows(b, &r);
  gd_learn(&u, b, 1000);
  TR_OK(lt_online_bind(v.o, lt_batch_schema(b), 1, &e), &e);
  for (int64_t at = 0; at < 1000; at += done) {
    lt_guard_call c = {&r, at, 1000 - at, half + at, 1, p + 2 * at, 2};
    TR_OK(lt_guard_learn(v.g, &c, &done, &e), &e);
    assert_true(at + done == 1000 || v.o->learned % LT_GUARD_BLOCK == 0);
  }
  lt_put x, y;
  lt_put_init(&x, rt);
  lt_put_init(&y, rt);
  lt_online_save(u.o->m, &x);
  lt_online_save(v.o->m, &y);
  assert_memory_equal(x.data, y.data, x.size); /* what is scored does not change what is learned */
  assert_true(fabs(lt_progressive_loss(v.o->progress, LT_PROGRESS_ALL) - log(2)) < 1e-12);
  double loss = 0;
  for (int i = 0; i < 1000; i++) {
    assert_true(fabs(p[2 * i] + p[2 * i + 1] - 1) < 1e-12);
    loss -= log(p[2 * i + (lt_online_label(v.o, &r, i) == 1)]) / 1000;
  }
  assert_true(fabs(loss - lt_progressive_loss(u.o->progress, LT_PROGRESS_ALL)) < 1e-9);
  lt_put_free(&x);
  lt_put_free(&y);
  free(p);
  free(half);
  lt_batch_free(b);
  gd_close(&u);
  gd_close(&v);
  lt_schema_free(s);
  lt_runtime_unref(rt);
}

/* Saved bytes that were cut or turned: an error, or a guard that goes on. */
static void damaged(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = tr_schema(rt, 3, 2, 0);
  gd_run u;
  lt_put w;
  gd_open(&u, rt, "learner=cheap", "guard_window=128");
  leat_batch *b = gd_dense(rt, s, 1500, 3, 1, 0.1, 0, 1), *c = gd_dense(rt, s, 200, 3, 2, 0.1, 0, 1);
  gd_learn(&u, b, 1000);
  gd_learn(&u, c, 1000);
  lt_put_init(&w, rt);
  lt_guard_save(u.g, &w);
  lt_put_free(&w);
  lt_guard_save(u.g, &w);
  lt_rng r;
  lt_rng_init(&r, 1, 1);
  int64_t fine = 0;
  for (int64_t i = 0; i < 3000; i++) {
    uint64_t at = lt_rng_below(&r, w.size), cut = i % 3 == 0 ? at : w.size;
    uint8_t turn = (uint8_t)(1 + lt_rng_below(&r, 255));
    lt_guard *g = NULL;
    lt_get get;
    leat_error e = tr_error();
    w.data[at] ^= i % 3 ? turn : 0;
    TR_OK(lt_guard_create(u.o, u.settings, &g, &e), &e);
    lt_get_init(&get, rt, w.data, cut);
    leat_status st = lt_guard_restore(g, &get, &e);
    if (cut < w.size) assert_int_not_equal(st, LEAT_OK);
    if (!st) fine++;
    lt_guard_free(g);
    w.data[at] ^= i % 3 ? turn : 0;
  }
  assert_true(fine > 0);
  lt_put_free(&w);
  lt_batch_free(b);
  lt_batch_free(c);
  gd_close(&u);
  lt_schema_free(s);
  lt_runtime_unref(rt);
}

/* A call that found no memory goes on where it stopped, to the same bytes. */
static void memory_fails(void **state) {
  (void)state;
  host_memory memory = {0};
  leat_allocator al = host_allocator(&memory, 1);
  leat_runtime_opts o = {0};
  leat_runtime *rt = NULL;
  leat_error e = tr_error();
  o.struct_size = sizeof o;
  o.allocator = &al;
  TR_OK(leat_runtime_create(&o, &rt, &e), &e);
  gd_run whole;
  leat_schema *s = tr_schema(rt, 4, 2, 0);
  leat_batch *b = gd_dense(rt, s, 700, 4, 1, 0.1, 0, 1), *c = gd_dense(rt, s, 300, 4, 2, 0.1, 0, 1);
  gd_open(&whole, rt, "learner=coin", "guard_window=64");
  gd_learn(&whole, b, 1000);
  gd_learn(&whole, c, 1000);
  assert_true(whole.n_events > 3);
  int64_t failures = 0, before = memory.blocks;
  for (int64_t n = 1; n < 400; n++) {
    gd_run u;
    leat_batch *both[] = {b, c};
    gd_open(&u, rt, "learner=coin", "guard_window=64");
    TR_OK(lt_online_bind(u.o, lt_batch_schema(b), 1, &e), &e);
    memory.calls = 0;
    memory.fail_at = n;
    for (int k = 0; k < 2; k++) {
      lt_rows v;
      int64_t done = 0;
      lt_batch_rows(both[k], &v);
      for (int64_t at = 0; at < v.n; at += done) {
        lt_guard_call call = {&v, at, v.n - at, NULL, 0, NULL, 0};
        leat_status st = lt_guard_learn(u.g, &call, &done, &e);
        gd_events(&u);
        failures += st != 0;
        if (st && st != LEAT_E_MEMORY) fail_msg("allocation %lld: %s", (long long)n, e.message);
      }
    }
    int over = memory.calls < n;
    memory.fail_at = 0;
    if (u.o->n_golden == whole.o->n_golden) gd_same(&u, &whole, 1); /* a golden row that finds no memory is done without */
    assert_int_equal(u.n_events, whole.n_events);
    gd_close(&u);
    assert_int_equal(memory.blocks, before);
    if (over) break;
  }
  assert_true(failures > 5);
  gd_close(&whole);
  lt_batch_free(b);
  lt_batch_free(c);
  lt_schema_free(s);
  lt_runtime_unref(rt);
  assert_int_equal(memory.blocks, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(off_is_the_trainer),
      cmocka_unit_test(stationary_is_left_alone),
      cmocka_unit_test(rows_alone),
      cmocka_unit_test(copies),
      cmocka_unit_test(flip_goes_back),
      cmocka_unit_test(change_begins_anew),
      cmocka_unit_test(numbers),
      cmocka_unit_test(classes_grow),
      cmocka_unit_test(not_finite),
      cmocka_unit_test(by_hand),
      cmocka_unit_test(served),
      cmocka_unit_test(damaged),
      cmocka_unit_test(memory_fails),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
