#define _DEFAULT_SOURCE /* mkdtemp */
/* The race: a better learner becomes the champion, a worse one is dropped, each with its evidence; a crash changes nothing. */
#include "learner_help.h"

static const lr_stream plain = {2, 0, 0, 5}, turns = {2, 4000, 1 << 30, 5}, numbers = {0, 0, 0, 9}, four = {4, 0, 0, 6};
static const char *const base = "guard_window=256 checkpoint_bytes=65536 monitor=false gate=false ";

static int64_t events(lr_life *x, const char *name, char text[256]) {
  leat_event e = {.struct_size = sizeof e};
  int64_t n = 0;
  for (int64_t cursor = 0; leat_learner_next_event(x->l, &cursor, &e, NULL) == LEAT_OK;) {
    if (e.kind != LEAT_EVENT_RACE || strcmp(e.name, name) != 0) continue;
    if (strcmp(name, "memory") != 0 && strcmp(name, "refused") != 0) assert_true(e.value >= e.threshold && e.threshold > 1);
    if (text) memcpy(text, e.text, 256);
    n++;
  }
  return n;
}
static double loss_of(lr_life *x) {
  leat_metrics *k = NULL;
  double v = 0;
  LR_OK(leat_learner_metrics(x->l, 0, &k, &lr_e));
  LR_OK(leat_metrics_value(k, "loss", &v, &lr_e));
  leat_metrics_free(k);
  return v;
}
static double run(const lr_stream *w, const char *model, const char *race, lr_life *x, char path[256], leat_runtime *rt, int64_t to) {
  char settings[600];
  leat_schema *s = lr_schema(rt, w, 0);
  snprintf(settings, sizeof settings, "%s%s%s", base, race[0] ? "race=" : "", race);
  lr_folder(path);
  lr_create(x, rt, path, model, settings, s, NULL);
  lr_feed(x, w, s, to, 300);
  leat_schema_free(s);
  return loss_of(x);
}

static void champions(void **state) {
  leat_runtime *rt = tr_runtime(2);
  const lr_stream *streams[] = {&plain, &turns, &four, &numbers};
  (void)state;
  for (int i = 0; i < 4; i++) {
    lr_life x;
    char path[256], text[256] = "";
    double slow = run(streams[i], "learner=adagrad adagrad_rate=.0001 hash_bits=8", "", &x, path, rt, 8000);
    lr_close(&x);
    lr_remove(path);
    double raced = run(streams[i], "learner=adagrad adagrad_rate=.0001 hash_bits=8", i == 3 ? "learner=gauss;adagrad_rate=.00001" : "learner=race,hash_bits=9;adagrad_rate=.00001",
                       &x, path, rt, 8000);
    print_message("stream %d: the slow learner %.4f, with a race %.4f\n", i, slow, raced);
    assert_true(events(&x, "champion", text) >= 1);
    assert_true(strstr(text, i == 3 ? "learner=gauss" : "learner=race") || strstr(text, "from version") != NULL);
    assert_true(raced < 0.9 * slow);
    leat_model *m = NULL; /* what is served is the champion */
    LR_OK(leat_learner_live(x.l, &m, &lr_e));
    leat_model_free(m);
    lr_close(&x);
    lr_open(&x, rt, path);
    assert_true(fabs(loss_of(&x) - raced) < 1e-15);
    lr_close(&x);
    lr_remove(path);
  }
  leat_runtime_free(rt);
}

/* A good live model: the others are dropped and its own life is what it would be alone. */
static void losers(void **state) {
  leat_runtime *rt = tr_runtime(1);
  lr_life x, y;
  char path[256], other[256];
  (void)state;
  double alone = run(&plain, "hash_bits=8", "", &x, path, rt, 6000);
  double raced = run(&plain, "hash_bits=8", "learner=adagrad,adagrad_rate=.0001;learner=ftrl,ftrl_alpha=.00001", &y, other, rt, 6000);
  assert_true(alone == raced);
  assert_int_equal(events(&y, "dropped", NULL), 2);
  assert_int_equal(events(&y, "champion", NULL), 0);
  lr_close(&x);
  lr_close(&y);
  lr_remove(path);
  lr_remove(other);
  leat_runtime_free(rt);
}

static void memory(void **state) {
  leat_runtime *rt = tr_runtime(1);
  lr_life x;
  char path[256];
  (void)state;
  run(&plain, "hash_bits=8", "learner=coin;hash_bits=20 race_bytes=1000000", &x, path, rt, 300);
  assert_int_equal(events(&x, "memory", NULL), 1);
  lr_close(&x);
  lr_remove(path);
  leat_runtime_free(rt);
}

/* A racer that fits while there are two classes is dropped when two more make it too large; one in front of it stays. */
static void memory_grows(void **state) {
  leat_runtime *rt = tr_runtime(1);
  lr_life x;
  char path[256], text[256] = "";
  leat_schema *two = lr_schema(rt, &plain, 0), *more = lr_schema(rt, &four, 0);
  (void)state;
  lr_folder(path);
  /* coin: 8 floats a slot, 4 + 256 slots and 4 behind them, 8448 bytes a model; alma half of it a slot, of twice the slots */
  lr_create(&x, rt, path, "hash_bits=8", "guard_window=256 monitor=false gate=false race_bytes=40000 evidence=1e100 race=learner=coin;learner=alma,hash_bits=9", two, NULL);
  lr_feed(&x, &plain, two, 500, 100);
  assert_int_equal(events(&x, "memory", NULL), 0);
  lr_feed(&x, &four, more, 1000, 100);
  assert_int_equal(x.l->o->m->n_classes, 4);
  assert_int_equal(events(&x, "memory", text), 1);
  assert_non_null(strstr(text, "learner=alma"));
  lr_close(&x);
  lr_open(&x, rt, path);
  assert_int_equal(events(&x, "memory", NULL), 1);
  lr_close(&x);
  lr_remove(path);
  leat_schema_free(two);
  leat_schema_free(more);
  leat_runtime_free(rt);
}

/* ---- racers that see the rows in other ways */
static leat_schema *seen_schema(leat_runtime *rt) {
  leat_schema *s = NULL;
  LR_OK(leat_schema_create(rt, &s, &lr_e));
  LR_OK(leat_schema_add_column(s, "x", LEAT_NUMBER, LEAT_ROLE_FEATURE, &lr_e));
  LR_OK(leat_schema_add_column(s, "left", LEAT_CATEGORY, LEAT_ROLE_FEATURE, &lr_e));
  LR_OK(leat_schema_add_column(s, "right", LEAT_CATEGORY, LEAT_ROLE_FEATURE, &lr_e));
  LR_OK(leat_schema_add_column(s, "note", LEAT_TEXT, LEAT_ROLE_FEATURE, &lr_e));
  LR_OK(leat_schema_add_column(s, "y", LEAT_CATEGORY, LEAT_ROLE_TARGET, &lr_e));
  for (int64_t k = 1; k < 3; k++)
    for (int i = 0; i < 3; i++) LR_OK(leat_schema_add_category(s, k, (const char *[]){"u", "v", "w"}[i], &lr_e));
  LR_OK(leat_schema_add_category(s, 4, "no", &lr_e));
  LR_OK(leat_schema_add_category(s, 4, "yes", &lr_e));
  return s;
}
/* What decides: 0 left equal to right, 1 |x|, 2 the order of two words. */
static void seen_feed(lr_life *x, leat_schema *s, int rule, int64_t to, int64_t call) {
  static const char *const side[] = {"u", "v", "w"};
  int64_t at = 0;
  LR_OK(leat_learner_position(x->l, "stream", &at, &lr_e));
  while (at < to) {
    leat_batch *b = NULL;
    LR_OK(leat_batch_create(x->rt, s, &b, &lr_e));
    LR_OK(leat_batch_set_source(b, "stream", at, &lr_e));
    for (int64_t i = 0; i < call && at < to; i++, at++) {
      lt_rng r;
      char number[32];
      lt_rng_init(&r, 31, (uint64_t)at);
      double v = lt_rng_normal(&r);
      int left = (int)lt_rng_below(&r, 3), right = (int)lt_rng_below(&r, 3), first = (int)lt_rng_below(&r, 2);
      int yes = rule == 0 ? left == right : rule == 1 ? fabs(v) < 0.67 : first;
      snprintf(number, sizeof number, "%.17g", v);
      const char *field[] = {number, side[left], side[right], first ? "far away" : "away far", yes ? "yes" : "no"};
      LR_OK(leat_batch_add_text(b, field, 5, &lr_e));
    }
    LR_OK(leat_learner_feed(x->l, b, NULL, &lr_e));
    leat_batch_free(b);
  }
}

/* The racer whose encoder sees what decides becomes the champion, with labels at once and late, and serves; the history of the
 * store says so, also to who opens it later. */
static void encoders(void **state) {
  static const char *const race = "race=cross=left*right,learner=cheap;buckets=x:8,learner=cheap;words=2,learner=cheap";
  static const char *const wins[] = {"cross=left*right", "buckets=x:8", "words=2"};
  static const char *const more[] = {"", " chunk=7 label_delay=60"};
  leat_runtime *rt = tr_runtime(2);
  (void)state;
  for (int i = 0; i < 6; i++) {
    lr_life x;
    char path[256], text[256] = "", settings[400];
    leat_schema *s = seen_schema(rt);
    snprintf(settings, sizeof settings, "%s%s%s", base, race, more[i / 3]);
    lr_folder(path);
    lr_create(&x, rt, path, "hash_bits=10 learner=cheap", settings, s, NULL);
    int64_t first = 0;
    seen_feed(&x, s, i % 3, 200, 250);
    LR_OK(leat_learner_snapshot(x.l, &first, &lr_e));
    seen_feed(&x, s, i % 3, 6000, 250);
    assert_true(events(&x, "champion", text) >= 1);
    assert_non_null(strstr(text, wins[i % 3]));
    assert_non_null(strstr(text, "from version"));
    leat_metrics *k = NULL;
    double accuracy = 0;
    LR_OK(leat_learner_metrics(x.l, 2, &k, &lr_e));
    LR_OK(leat_metrics_value(k, "accuracy", &accuracy, &lr_e));
    leat_metrics_free(k);
    print_message("%s%s: the last thousand rows %.3f\n", wins[i % 3], more[i / 3], accuracy);
    assert_true(accuracy > 0.9);
    assert_int_equal(leat_learner_rollback(x.l, first, &lr_e), LEAT_E_UNSUPPORTED); /* of another encoder */
    leat_model *m = NULL; /* what is served has the champion's encoder */
    LR_OK(leat_learner_live(x.l, &m, &lr_e));
    char value[64];
    uint64_t needed;
    static const char *const name[] = {"param:cross", "param:buckets", "param:words"};
    LR_OK(leat_model_get_text(m, name[i % 3], value, sizeof value, &needed, &lr_e));
    assert_non_null(strstr(wins[i % 3], value));
    leat_model_free(m);
    lr_close(&x);
    leat_store *store = NULL;
    leat_event e = {.struct_size = sizeof e};
    int64_t told = 0;
    LR_OK(leat_store_open(rt, path, NULL, &store, &lr_e));
    for (int64_t cursor = 0; leat_store_history(store, &cursor, &e, NULL) == LEAT_OK;)
      told += e.kind == LEAT_EVENT_RACE && strcmp(e.name, "champion") == 0 && strstr(e.text, wins[i % 3]);
    assert_true(told >= 1);
    leat_store_free(store);
    lr_remove(path);
    leat_schema_free(s);
  }
  leat_runtime_free(rt);
}

/* A learner that has no place among these columns: refused when they are known, else out with its reason; the others race. */
static void unsuited(void **state) {
  leat_runtime *rt = tr_runtime(1);
  leat_schema *s = seen_schema(rt);
  lr_life x;
  char path[256], text[256] = "";
  static const char *const settings =
      "guard_window=256 monitor=false gate=false race=cross=left*nowhere;learner=coin;log=note";
  leat_params *p = lr_params(rt, "store", "create=1"), *k = lr_params(rt, "learner", settings);
  leat_store *store = NULL;
  leat_learner *l = NULL;
  (void)state;
  lr_folder(path);
  LR_OK(leat_store_open(rt, path, p, &store, &lr_e));
  assert_int_equal(leat_learner_create(store, NULL, k, s, NULL, &l, &lr_e), LEAT_E_NOT_FOUND);
  assert_non_null(strstr(lr_e.message, "race"));
  assert_non_null(strstr(lr_e.message, "nowhere"));
  leat_store_free(store);
  lr_remove(path);
  lr_folder(path);
  lr_create(&x, rt, path, "hash_bits=10", settings, NULL, NULL);
  seen_feed(&x, s, 0, 600, 100);
  assert_int_equal(events(&x, "refused", text), 2);
  assert_non_null(strstr(text, "note"));
  lr_close(&x);
  lr_open(&x, rt, path);
  seen_feed(&x, s, 0, 900, 100);
  assert_int_equal(events(&x, "refused", NULL), 2);
  lr_close(&x);
  lr_remove(path);
  leat_params_free(p);
  leat_params_free(k);
  leat_schema_free(s);
  leat_runtime_free(rt);
}

/* A network and linear learners in one race: where lines are not enough the network wins, and the other way round. */
static void families(void **state) {
  leat_runtime *rt = tr_runtime(2);
  (void)state;
  for (int i = 0; i < 2; i++) {
    lr_life x;
    char path[256], text[256] = "";
    leat_schema *s = seen_schema(rt);
    lr_folder(path);
    lr_create(&x, rt, path, "hash_bits=10 learner=coin",
              "guard_window=256 monitor=false gate=false race=learner=net,hidden=8;learner=ons", s, NULL);
    seen_feed(&x, s, i ? 2 : 1, 6000, 250);
    int64_t champions_seen = events(&x, "champion", text);
    if (i == 0) assert_non_null(strstr(text, "learner=net"));
    else assert_true(champions_seen == 0 || !strstr(text, "learner=net"));
    lr_close(&x);
    lr_remove(path);
    leat_schema_free(s);
  }
  leat_runtime_free(rt);
}

/* Killed at odd places, with labels that come late: the same bytes at the end. The edges of buckets are being fitted then. */
static void killed(void **state) {
  static const char *const more[] = {"", " chunk=5 label_delay=77"};
  static const int64_t at[] = {10, 700, 1111, 1536, 2900, 3333, 5000};
  leat_runtime *rt = tr_runtime(1);
  (void)state;
  for (int i = 0; i < 4; i++) {
    const lr_stream *w = i / 2 ? &four : &turns;
    const char *model = "learner=adagrad adagrad_rate=.0001 hash_bits=8";
    char settings[400], path[256], other[256];
    lr_life x, y;
    lr_end whole, end;
    leat_schema *s = lr_schema(rt, w, 0);
    snprintf(settings, sizeof settings, "%srace=learner=race,hash_bits=9,buckets=x0:6,x1,missing=yes;learner=coin,log=x2;adagrad_rate=.00001%s",
             base, more[i % 2]);
    lr_folder(path);
    lr_folder(other);
    lr_create(&x, rt, path, model, settings, s, NULL);
    lr_feed(&x, w, s, 6000, 450);
    lr_finish(&x, &whole);
    lr_create(&y, rt, other, model, settings, s, NULL);
    for (int k = 0; k < 7; k++) {
      lr_feed(&y, w, s, at[k], 61);
      if (k % 2) LR_OK(lt_ln_checkpoint(y.l, &lr_e));
      LR_OK(leat_learner_commit(y.l, &lr_e));
      lr_kill(&y);
      lr_open(&y, rt, other);
    }
    lr_feed(&y, w, s, 6000, 450);
    lr_finish(&y, &end);
    assert_true(events(&x, "champion", NULL) >= 1);
    lr_same(&whole, &end);
    lr_drop(&whole);
    lr_drop(&end);
    lr_close(&x);
    lr_close(&y);
    lr_remove(path);
    lr_remove(other);
    leat_schema_free(s);
  }
  leat_runtime_free(rt);
}

static void refused(void **state) {
  static const char *const bad[] = {"learner=coyn", "nothing=1", "learner", "=2", "hash_bits=99", ";;;learner=alma,=3"};
  leat_runtime *rt = tr_runtime(1);
  (void)state;
  for (int i = 0; i < 6; i++) {
    char path[256];
    leat_store *s = NULL;
    leat_learner *l = NULL;
    leat_params *p = lr_params(rt, "store", "create=1"), *k = lr_params(rt, "learner", "");
    lr_folder(path);
    LR_OK(leat_params_set_text(k, "race", bad[i], &lr_e));
    LR_OK(leat_store_open(rt, path, p, &s, &lr_e));
    assert_int_equal(leat_learner_create(s, NULL, k, NULL, NULL, &l, &lr_e), LEAT_E_ARG);
    assert_non_null(strstr(lr_e.message, "race"));
    assert_null(l);
    LR_OK(leat_learner_create(s, NULL, NULL, NULL, NULL, &l, &lr_e)); /* nothing is left behind */
    leat_learner_free(l);
    leat_store_free(s);
    leat_params_free(p);
    leat_params_free(k);
    lr_remove(path);
  }
  leat_runtime_free(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(champions), cmocka_unit_test(losers), cmocka_unit_test(memory), cmocka_unit_test(killed),
                                     cmocka_unit_test(refused), cmocka_unit_test(memory_grows), cmocka_unit_test(encoders),
                                     cmocka_unit_test(unsuited), cmocka_unit_test(families)};
  return cmocka_run_group_tests_name("lifecycle/race", tests, NULL, NULL);
}
