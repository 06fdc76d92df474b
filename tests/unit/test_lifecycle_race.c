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
    if (strcmp(name, "memory") != 0) assert_true(e.value >= e.threshold && e.threshold > 1);
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

/* Killed at odd places, with labels that come late: the same bytes at the end. */
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
    snprintf(settings, sizeof settings, "%srace=learner=race,hash_bits=9;learner=coin;adagrad_rate=.00001%s", base, more[i % 2]);
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
                                     cmocka_unit_test(refused)};
  return cmocka_run_group_tests_name("lifecycle/race", tests, NULL, NULL);
}
