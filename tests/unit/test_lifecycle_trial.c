/* lib/lifecycle/trial.c, scores.c, endpoint_trial.c: gates, notes, labels, shadow and canary. */
#include "folder_help.h"
#include "lifecycle/endpoint.h"
#include "lifecycle/scores.h"
#include "base/number.h"
#include <pthread.h>

/* ---------------------------------------------------------------------------------------------- gates */

static leat_params *trial_params(leat_runtime *rt, const char *const *set) { /* name, value, ..., NULL */
  leat_params *p = NULL;
  OK(lt_params_create(rt, &lt_spec_trial, &p, &error_of));
  for (int i = 0; set && set[i]; i += 2) OK(lt_params_set_text(p, set[i], set[i + 1], &error_of));
  return p;
}

/* Pairs whose production loss is exponential with mean .3 and whose candidate's is `ratio` of another draw that shares half of it. */
static lt_trial_verdict run_gates(lt_trial *t, lt_rng *r, double ratio, int64_t rows) {
  char text[256];
  for (int64_t i = 0; i < rows; i++) {
    double u = lt_rng_unit(r), v = lt_rng_unit(r), w = lt_rng_unit(r);
    double both = -log(1 - u) * 0.15, a = both - log(1 - v) * 0.15, b = ratio * (both - log(1 - w) * 0.15);
    lt_trial_pair(t, b, a, 0);
    if (i % 50) continue;
    lt_trial_verdict verdict = lt_trial_decide(t, text, sizeof text);
    if (verdict != LT_TRIAL_STAY) return verdict;
  }
  return LT_TRIAL_STAY;
}

static void test_gates(void **state) {
  (void)state;
  leat_runtime *rt = new_runtime(1);
  static const char *const strict[] = {"evidence", "20", "alarm", "1000", "caution", "1000", "patience", "0", NULL};
  leat_params *p = trial_params(rt, strict);
  int forward[3] = {0}, aborted[3] = {0};
  static const double ratio[3] = {0.8, 1.1, 1.6};
  for (int k = 0; k < 3; k++)
    for (uint64_t seed = 0; seed < 200; seed++) {
      lt_trial t;
      lt_rng r;
      lt_rng_init(&r, seed, (uint64_t)k);
      OK(lt_trial_begin(&t, p, &error_of));
      lt_trial_verdict v = run_gates(&t, &r, ratio[k], 4000);
      forward[k] += v == LT_TRIAL_FORWARD;
      aborted[k] += v == LT_TRIAL_ABORT;
    }
  assert_true(forward[0] == 200 && aborted[0] == 0); /* better: always found */
  assert_true(forward[1] <= 21);                     /* worse by 10 %: 1 in 20 at most, 10 of 200 expected at the bound, 3 sigma more */
  assert_true(aborted[2] == 200 && forward[2] == 0); /* much worse: always found */
  lt_trial t;
  lt_rng r;
  lt_rng_init(&r, 7, 7);
  OK(lt_trial_begin(&t, p, &error_of)); /* equal, bit for bit: no worse */
  for (int i = 0; i < 10000; i++) {
    double loss = lt_rng_unit(&r);
    lt_trial_pair(&t, loss, loss, 1);
  }
  char text[256];
  assert_int_equal(lt_trial_decide(&t, text, sizeof text), LT_TRIAL_FORWARD);
  assert_true(t.answered == 10000 && t.labels == 10000 && strstr(text, "no worse"));
  lt_params_free(p);
  lt_runtime_unref(rt);
}

static void test_steps(void **state) {
  (void)state;
  leat_runtime *rt = new_runtime(1);
  static const char *const set[] = {"evidence", "10", "caution", "50", "alarm", "1e6", "min_rows", "20", "shares", "0.1,0.5,1", NULL};
  leat_params *p = trial_params(rt, set);
  lt_trial t;
  char text[256];
  OK(lt_trial_begin(&t, p, &error_of));
  assert_true(t.step == 0 && t.steps == 3 && lt_trial_share(&t) == 0);
  for (int step = 0; step < 3; step++) {
    assert_int_equal(lt_trial_decide(&t, text, sizeof text), LT_TRIAL_STAY);
    for (int i = 0; i < 19; i++) lt_trial_pair(&t, 0.0, 3.0, 0);
    assert_int_equal(lt_trial_decide(&t, text, sizeof text), LT_TRIAL_STAY); /* evidence enough, rows not */
    lt_trial_pair(&t, 0.0, 3.0, 0);
    assert_int_equal(lt_trial_decide(&t, text, sizeof text), LT_TRIAL_FORWARD);
    lt_trial_step(&t, LT_TRIAL_FORWARD);
  }
  assert_true(lt_trial_share(&t) == 1 && t.step_labels == 0);
  for (int i = 0; i < 12; i++) lt_trial_pair(&t, 3.0, 0.0, 1);
  assert_int_equal(lt_trial_decide(&t, text, sizeof text), LT_TRIAL_BACK);
  lt_trial_step(&t, LT_TRIAL_BACK);
  assert_true(lt_trial_share(&t) == 0.5);
  assert_int_equal(lt_trial_decide(&t, text, sizeof text), LT_TRIAL_STAY); /* one step, not one a look */
  for (int i = 0; i < 30; i++) lt_trial_pair(&t, 3.0, 0.0, 1);
  assert_int_equal(lt_trial_decide(&t, text, sizeof text), LT_TRIAL_ABORT);
  lt_params_free(p);
  static const char *const wrong[] = {"0.1,0.1", "0.5,0.2", "0", "1.5", "x", "-1", "0.1,,0.2"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    const char *const one[] = {"shares", wrong[i], NULL};
    p = trial_params(rt, one);
    assert_int_equal(lt_trial_begin(&t, p, &error_of), LEAT_E_ARG);
    lt_params_free(p);
  }
  static const char *const hand[] = {"automatic", "false", "begin", "canary", "alarm", "100", NULL};
  p = trial_params(rt, hand);
  OK(lt_trial_begin(&t, p, &error_of));
  assert_true(t.step == 1);
  for (int i = 0; i < 1000; i++) lt_trial_pair(&t, 0.0, 3.0, 0);
  assert_int_equal(lt_trial_decide(&t, text, sizeof text), LT_TRIAL_STAY);
  for (int i = 0; i < 50; i++) lt_trial_pair(&t, 3.0, 0.0, 0);
  assert_int_equal(lt_trial_decide(&t, text, sizeof text), LT_TRIAL_ABORT); /* an alarm is one, whoever takes the steps */
  lt_params_free(p);
  lt_runtime_unref(rt);
}

/* ---------------------------------------------------------------------------------------------- an endpoint */

typedef struct stand { leat_runtime *rt; leat_store *s; leat_endpoint *e; } stand;
static stand set_up(const char *name, int64_t versions, int scores, const char *notes) {
  stand t = {.rt = new_runtime(1)};
  leat_params *p = NULL;
  t.s = open_store(t.rt, at_place(name));
  for (int64_t i = 1; i <= versions; i++) {
    int64_t v;
    leat_model *m = little_model(t.rt, (uint64_t)i);
    OK(lt_folder_add(t.s, m, "train", &v, &error_of));
    lt_model_free(m);
  }
  OK(lt_folder_promote(t.s, 1, "production", -1, NULL, &error_of));
  OK(lt_params_create(t.rt, &lt_spec_endpoint, &p, &error_of));
  OK(lt_params_set_i64(p, "scores", scores, &error_of));
  if (notes) OK(lt_params_set_text(p, "score_notes", notes, &error_of));
  OK(leat_endpoint_open(t.s, p, &t.e, &error_of));
  lt_params_free(p);
  return t;
}
static void take_down(stand *t) {
  leat_endpoint_free(t->e);
  lt_folder_free(t->s);
  lt_runtime_unref(t->rt);
}
static leat_trial_state trial_of(const stand *t) {
  leat_trial_state s = {.struct_size = sizeof s};
  OK(leat_endpoint_get_trial(t->e, &s, &error_of));
  return s;
}
static leat_score_state scores_of(const stand *t) {
  leat_score_state s = {.struct_size = sizeof s};
  OK(leat_endpoint_get_scores(t->e, &s, &error_of));
  return s;
}
static void refresh(const stand *t) { OK(leat_endpoint_refresh(t->e, NULL, &error_of)); }
static void begin(const stand *t, int64_t version, const char *const *set) {
  leat_params *p = trial_params(t->rt, set);
  OK(leat_endpoint_try(t->e, version, p, &error_of));
  lt_params_free(p);
}
static int64_t trial_events(const stand *t, const char *name) {
  leat_event event = {.struct_size = sizeof event};
  int64_t cursor = 0, n = 0;
  while (lt_folder_history(t->s, &cursor, &event, NULL) == LEAT_OK) n += event.kind == LEAT_EVENT_TRIAL && strcmp(event.name, name) == 0;
  return n;
}
typedef struct asked { double p[2]; int answered, beside; } asked; /* p of version 1 and of version 2 */

/* One request with a key: both predict, both are noted. */
static asked ask(leat_endpoint *e, const char *key, const double x[3]) {
  leat_lease served = {.struct_size = sizeof served}, beside = {.struct_size = sizeof beside};
  double p = 0, q = 0;
  asked a = {{0, 0}, 0, 0};
  OK(leat_endpoint_acquire_key(e, key, strlen(key), &served, &beside, &error_of));
  OK(leat_predictor_one_f64(served.predictor, x, 3, &p, 1, &error_of));
  if (beside.predictor) OK(leat_predictor_one_f64(beside.predictor, x, 3, &q, 1, &error_of));
  leat_noted note = {.struct_size = sizeof note, .key = key, .key_size = strlen(key), .served = &served, .p = &p,
                     .beside = &beside, .q = &q};
  OK(leat_endpoint_note(e, &note, &error_of));
  a.answered = served.flags == LEAT_LEASE_CANDIDATE;
  a.beside = beside.predictor != NULL;
  a.p[a.answered] = p;
  a.p[!a.answered] = q;
  leat_endpoint_release(e, &served);
  leat_endpoint_release(e, &beside);
  return a;
}

/* Requests and, a hundred later, their labels, drawn from what version `true_of` (0: the first) says. */
enum { LATE = 100 };
static int64_t feed(const stand *t, int64_t from, int64_t n, int true_of) {
  static asked past[LATE];
  lt_rng r;
  int64_t answered = 0, matched;
  char key[32];
  lt_rng_init(&r, 5, (uint64_t)from);
  for (int64_t i = from; i < from + n + LATE; i++) {
    if (i - LATE >= from) {
      snprintf(key, sizeof key, "k%lld", (long long)(i - LATE));
      OK(leat_endpoint_label(t->e, key, strlen(key), lt_rng_unit(&r) < past[i % LATE].p[true_of] ? "1" : "0", 1, &matched, &error_of));
      assert_int_equal(matched, 1);
    }
    if (i >= from + n) continue;
    double x[3] = {lt_rng_normal(&r), lt_rng_normal(&r), lt_rng_normal(&r)};
    snprintf(key, sizeof key, "k%lld", (long long)i);
    past[i % LATE] = ask(t->e, key, x);
    answered += past[i % LATE].answered;
    if (i % 50 == 0) refresh(t);
  }
  refresh(t);
  return answered;
}

static void test_promoted(void **state) {
  (void)state;
  stand t = set_up("promoted", 2, 0, NULL);
  static const char *const set[] = {"shares", "0.1,1", "evidence", "20", "min_rows", "50", NULL};
  OK(lt_folder_promote(t.s, 2, "testing", -1, NULL, &error_of));
  begin(&t, -1, set); /* what testing shows */
  leat_trial_state s = trial_of(&t);
  assert_true(s.phase == LEAT_TRIAL_SHADOW && s.version == 2 && s.against == 1 && s.steps == 2 && s.share == 0);
  leat_params *none = NULL;
  assert_int_equal(leat_endpoint_try(t.e, 2, none, &error_of), LEAT_E_STATE); /* one at a time */
  int64_t at = 0, answered = 0, last = 0;
  for (; trial_of(&t).phase == LEAT_TRIAL_SHADOW && at < 100000; at += 200) answered += feed(&t, at, 200, 1);
  assert_true(trial_of(&t).phase == LEAT_TRIAL_CANARY && trial_of(&t).share == 0.1);
  int64_t shadow = at;
  for (; trial_of(&t).phase == LEAT_TRIAL_CANARY && at < 200000; at += 200) answered += last = feed(&t, at, 200, 1);
  s = trial_of(&t);
  assert_true(s.phase == LEAT_TRIAL_PROMOTED && s.loss < s.against_loss && answered > 0);
  assert_int_equal(stage_of(t.s, "production"), 2);
  assert_true(at > shadow && last > 0);
  leat_endpoint_state now = {.struct_size = sizeof now};
  OK(leat_endpoint_get_state(t.e, &now, &error_of));
  assert_true(now.version == 2 && now.previous_version == 1);
  assert_true(trial_events(&t, "begun") == 1 && trial_events(&t, "forward") == 2 && trial_events(&t, "promoted") == 1);
  asked a = ask(t.e, "k", (double[3]){0, 0, 0});
  assert_true(!a.answered && !a.beside); /* it is production now */
  take_down(&t);
}

static void test_aborted(void **state) {
  (void)state;
  stand t = set_up("aborted", 2, 1, NULL);
  static const char *const set[] = {"begin", "canary", "shares", "0.3,1", "alarm", "1000", NULL};
  begin(&t, 2, set);
  int64_t at = 0, answered = 0;
  for (; trial_of(&t).phase < LEAT_TRIAL_PROMOTED && at < 100000; at += 200) answered += feed(&t, at, 200, 0);
  leat_trial_state s = trial_of(&t);
  assert_true(s.phase == LEAT_TRIAL_ABORTED && s.loss > s.against_loss && answered > 0 && s.labels > 0);
  assert_int_equal(stage_of(t.s, "production"), 1);
  assert_int_equal(trial_events(&t, "aborted"), 1);
  assert_int_equal(feed(&t, at, 100, 0), 0); /* it answers nobody any more */
  take_down(&t);
}

/* Who is answered by the candidate stays with it while the share grows, and the share is what it says. */
static void test_keys(void **state) {
  (void)state;
  stand t = set_up("keys", 2, 0, NULL), other;
  static const char *const set[] = {"begin", "canary", "automatic", "false", NULL};
  static const double shares[] = {0.01, 0.05, 0.25, 0.5, 1};
  enum { KEYS = 20000 };
  static uint8_t with[KEYS];
  char key[32];
  memset(with, 0, sizeof with);
  begin(&t, 2, set);
  for (int step = 0; step < 5; step++) {
    int64_t n = 0;
    assert_true(trial_of(&t).share == shares[step]);
    for (int i = 0; i < KEYS; i++) {
      leat_lease served = {.struct_size = sizeof served}, beside = {.struct_size = sizeof beside};
      uint64_t size = (uint64_t)snprintf(key, sizeof key, "customer-%d", i);
      OK(leat_endpoint_acquire_key(t.e, key, size, &served, &beside, &error_of));
      int candidate = served.flags == LEAT_LEASE_CANDIDATE;
      assert_true(beside.predictor && (served.version == 2) == candidate && beside.version == 3 - served.version);
      assert_false(with[i] && !candidate);
      with[i] = (uint8_t)candidate;
      n += candidate;
      leat_endpoint_release(t.e, &served);
      leat_endpoint_release(t.e, &beside);
    }
    double sd = sqrt(KEYS * shares[step] * (1 - shares[step]));
    assert_true(fabs((double)n - KEYS * shares[step]) <= 4 * sd);
    if (step < 4) OK(leat_endpoint_act(t.e, LEAT_TRIAL_FORWARD, &error_of));
  }
  assert_int_equal(leat_endpoint_act(t.e, LEAT_TRIAL_FORWARD, &error_of), LEAT_E_STATE);
  other = set_up("keys2", 2, 0, NULL); /* another process, the same keys */
  begin(&other, 2, set);
  leat_lease served = {.struct_size = sizeof served}, beside = {.struct_size = sizeof beside};
  for (int i = 0; i < 4; i++) OK(leat_endpoint_act(t.e, LEAT_TRIAL_BACK, &error_of));
  for (int i = 0; i < 2000; i++) {
    uint64_t size = (uint64_t)snprintf(key, sizeof key, "customer-%d", i);
    uint64_t flags[2];
    for (int k = 0; k < 2; k++) {
      leat_endpoint *e = k ? other.e : t.e;
      OK(leat_endpoint_acquire_key(e, key, size, &served, &beside, &error_of));
      flags[k] = served.flags;
      leat_endpoint_release(e, &served);
      leat_endpoint_release(e, &beside);
    }
    assert_true(flags[0] == flags[1]);
  }
  take_down(&other);
  take_down(&t);
}

static void test_nothing_allocated(void **state) {
  (void)state;
  stand t = set_up("allocations", 2, 1, "4096");
  static const char *const set[] = {"begin", "canary", "shares", "0.5", "automatic", "false", NULL};
  static const double x[3] = {1, 2, 3};
  int64_t before, after;
  char key[32];
  begin(&t, 2, set);
  ask(t.e, "warm", x);
  OK(leat_runtime_stat(t.rt, "allocations", &before, &error_of));
  for (int i = 0; i < 2000; i++) {
    snprintf(key, sizeof key, "k%d", i);
    ask(t.e, key, x);
  }
  OK(leat_runtime_stat(t.rt, "allocations", &after, &error_of));
  assert_int_equal(after, before);
  for (int i = 0; i < 5000; i++) { /* nobody takes the notes out: what has no room is counted */
    snprintf(key, sizeof key, "m%d", i);
    ask(t.e, key, x);
  }
  leat_score_state s = scores_of(&t);
  assert_true(s.noted == 7001 && s.dropped == 7001 - 4096 && s.waiting == 4096);
  take_down(&t);
}

static void test_scores(void **state) {
  (void)state;
  stand t = set_up("scores", 1, 1, NULL);
  feed(&t, 0, 6000, 0); /* labels drawn from what was said: calibrated */
  leat_score_state s = scores_of(&t);
  assert_true(s.scored == 6000 && s.waiting == 0 && s.unmatched == 0 && s.dropped == 0);
  assert_true(s.loss > 0 && s.loss < 1.5);
  assert_true(s.calibration_error < 0.03 && s.calibration_ratio > 0.9 && s.calibration_ratio < 1.1);
  int64_t n = 0, matched = 1;
  for (int b = 0; b < LEAT_DELAY_BUCKETS; b++) n += s.delay[b];
  assert_true(n == 6000 && s.delay_seconds >= 0 && s.last_label_ns > 0);
  OK(leat_endpoint_label(t.e, "nobody", 6, "1", 1, &matched, &error_of));
  assert_int_equal(matched, 0);
  assert_int_equal(scores_of(&t).unmatched, 1);
  assert_int_equal(lt_delay_bucket(0), 0);
  assert_int_equal(lt_delay_bucket(2000000000), 2);
  assert_int_equal(lt_delay_bucket(INT64_MAX), LEAT_DELAY_BUCKETS - 1);
  take_down(&t);
}

/* Numbers: a label that is none keeps its prediction waiting; the better one of two is promoted. */
static void test_numbers(void **state) {
  (void)state;
  stand t = {.rt = new_runtime(1)};
  leat_params *p = NULL;
  int64_t v, matched;
  t.s = open_store(t.rt, at_place("numbers"));
  for (int i = 0; i < 2; i++) {
    leat_dataset *d = dense_dataset(t.rt, 40, 3, 0);
    leat_params *settings = linear_settings(t.rt, NULL, NULL);
    leat_model *m = model_of(t.rt, d, settings, 0, 9 + (uint64_t)i);
    OK(lt_folder_add(t.s, m, "train", &v, &error_of));
    lt_params_free(settings);
    lt_dataset_free(d);
    lt_model_free(m);
  }
  OK(lt_folder_promote(t.s, 1, "production", -1, NULL, &error_of));
  OK(leat_endpoint_open(t.s, p, &t.e, &error_of));
  static const char *const set[] = {"shares", "", NULL};
  begin(&t, 2, set);
  const double x[3] = {1, 1, 1};
  ask(t.e, "k", x);
  assert_int_equal(leat_endpoint_label(t.e, "k", 1, "often", 5, &matched, &error_of), LEAT_E_DATA);
  assert_int_equal(leat_endpoint_label(t.e, "k", 1, "inf", 3, &matched, &error_of), LEAT_E_DATA);
  OK(leat_endpoint_label(t.e, "k", 1, "1.5", 3, &matched, &error_of));
  assert_int_equal(matched, 1);
  lt_rng r;
  lt_rng_init(&r, 3, 3);
  for (int i = 0; i < 20000 && trial_of(&t).phase == LEAT_TRIAL_SHADOW; i++) {
    const double at[3] = {lt_rng_normal(&r), lt_rng_normal(&r), lt_rng_normal(&r)};
    char text[40];
    asked a = ask(t.e, "k", at);
    lt_f64_text(a.p[1] + 0.1 * lt_rng_normal(&r), text);
    OK(leat_endpoint_label(t.e, "k", 1, text, strlen(text), &matched, &error_of));
    if (i % 100 == 0) refresh(&t);
  }
  assert_true(trial_of(&t).phase == LEAT_TRIAL_PROMOTED && stage_of(t.s, "production") == 2);
  take_down(&t);
}

static void test_ends(void **state) {
  (void)state;
  stand t = set_up("ends", 3, 0, NULL);
  static const char *const set[] = {"begin", "canary", "shares", "0.5,1", NULL};
  const double x[3] = {1, 0, 0}, bad = NAN;
  leat_lease served = {.struct_size = sizeof served}, beside = {.struct_size = sizeof beside};
  assert_int_equal(trial_of(&t).phase, LEAT_TRIAL_NONE);
  assert_int_equal(leat_endpoint_act(t.e, LEAT_TRIAL_ABORT, &error_of), LEAT_E_STATE);
  assert_int_equal(leat_endpoint_try(t.e, 1, NULL, &error_of), LEAT_E_STATE);       /* it is served */
  assert_int_equal(leat_endpoint_try(t.e, -1, NULL, &error_of), LEAT_E_STATE);      /* nothing on testing */
  assert_int_equal(leat_endpoint_try(t.e, 77, NULL, &error_of), LEAT_E_NOT_FOUND);
  begin(&t, 2, set); /* a candidate that says NaN */
  for (int i = 0; i < 50 && !(served.flags & LEAT_LEASE_CANDIDATE); i++) {
    char key[8];
    snprintf(key, sizeof key, "k%d", i);
    leat_endpoint_release(t.e, &served);
    leat_endpoint_release(t.e, &beside);
    OK(leat_endpoint_acquire_key(t.e, key, strlen(key), &served, &beside, &error_of));
  }
  leat_noted note = {.struct_size = sizeof note, .key = "k", .key_size = 1, .served = &served, .p = &bad, .beside = &beside, .q = x};
  OK(leat_endpoint_note(t.e, &note, &error_of));
  leat_endpoint_release(t.e, &served);
  leat_endpoint_release(t.e, &beside);
  for (int i = 0; i < 50; i++) { /* at once: it answers nobody */
    char key[8];
    snprintf(key, sizeof key, "k%d", i);
    assert_false(ask(t.e, key, x).answered);
  }
  refresh(&t);
  assert_int_equal(trial_of(&t).phase, LEAT_TRIAL_ABORTED);
  assert_non_null(strstr(trial_of(&t).text, "not finite"));
  begin(&t, 2, NULL); /* production changes under it */
  OK(lt_folder_promote(t.s, 3, "production", -1, NULL, &error_of));
  refresh(&t);
  assert_int_equal(trial_of(&t).phase, LEAT_TRIAL_ABORTED);
  begin(&t, 2, NULL); /* promoted by somebody else */
  OK(lt_folder_promote(t.s, 2, "production", -1, NULL, &error_of));
  refresh(&t);
  assert_int_equal(trial_of(&t).phase, LEAT_TRIAL_PROMOTED);
  begin(&t, 1, NULL); /* by hand: forward, back, out; promoted */
  OK(leat_endpoint_act(t.e, LEAT_TRIAL_FORWARD, &error_of));
  assert_int_equal(trial_of(&t).phase, LEAT_TRIAL_CANARY);
  OK(leat_endpoint_act(t.e, LEAT_TRIAL_BACK, &error_of));
  assert_int_equal(trial_of(&t).phase, LEAT_TRIAL_SHADOW);
  assert_int_equal(leat_endpoint_act(t.e, LEAT_TRIAL_BACK, &error_of), LEAT_E_STATE);
  assert_int_equal(leat_endpoint_act(t.e, 9, &error_of), LEAT_E_ARG);
  OK(leat_endpoint_act(t.e, LEAT_TRIAL_ABORT, &error_of));
  begin(&t, 1, NULL);
  OK(leat_endpoint_act(t.e, LEAT_TRIAL_PROMOTE, &error_of));
  assert_true(trial_of(&t).phase == LEAT_TRIAL_PROMOTED && stage_of(t.s, "production") == 1);
  assert_int_equal(trial_events(&t, "promoted"), 2);
  assert_int_equal(trial_events(&t, "aborted"), 3);
  leat_params *wrong = NULL;
  OK(lt_params_create(t.rt, &lt_spec_store, &wrong, &error_of));
  assert_int_equal(leat_endpoint_try(t.e, 2, wrong, &error_of), LEAT_E_ARG);
  lt_params_free(wrong);
  note.struct_size = 8;
  assert_int_equal(leat_endpoint_note(t.e, &note, &error_of), LEAT_E_ARG);
  note.struct_size = sizeof note; /* the loans were given back */
  assert_int_equal(leat_endpoint_note(t.e, &note, &error_of), LEAT_E_ARG);
  assert_int_equal(leat_endpoint_label(t.e, "k", 1, NULL, 0, NULL, &error_of), LEAT_E_ARG);
  assert_int_equal(leat_endpoint_acquire_key(t.e, NULL, 3, &served, &beside, &error_of), LEAT_E_ARG);
  leat_model *number = dense_model(t.rt, 3, 0);
  int64_t v;
  OK(lt_folder_add(t.s, number, "train", &v, &error_of));
  assert_int_equal(leat_endpoint_try(t.e, v, NULL, &error_of), LEAT_E_UNSUPPORTED);
  lt_model_free(number);
  take_down(&t);
}

/* Threads ask while trials come and go, labels arrive and versions swap. */
enum { RUN_THREADS = 3 };
typedef struct run { leat_endpoint *e; int64_t stop, wrong, answers, number; } run;
static void *run_thread(void *arg) {
  run *t = arg;
  int64_t me = __atomic_fetch_add(&t->number, 1, __ATOMIC_RELAXED), n = 0;
  char key[32];
  while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
    static const double x[3] = {0.5, -1, 2};
    leat_lease served = {.struct_size = sizeof served}, beside = {.struct_size = sizeof beside};
    double p = NAN, q = NAN;
    uint64_t size = (uint64_t)snprintf(key, sizeof key, "%lld-%lld", (long long)me, (long long)(n % 500));
    int bad = leat_endpoint_acquire_key(t->e, key, size, &served, &beside, NULL) ||
              leat_predictor_one_f64(served.predictor, x, 3, &p, 1, NULL);
    if (!bad && beside.predictor) bad = beside.version == served.version || leat_predictor_one_f64(beside.predictor, x, 3, &q, 1, NULL);
    leat_noted note = {.struct_size = sizeof note, .key = key, .key_size = size, .served = &served, .p = &p, .beside = &beside, .q = &q};
    if (bad || !(p > 0 && p < 1) || leat_endpoint_note(t->e, &note, NULL)) __atomic_fetch_add(&t->wrong, 1, __ATOMIC_RELAXED);
    leat_endpoint_release(t->e, &beside);
    leat_endpoint_release(t->e, &served);
    n++;
  }
  __atomic_fetch_add(&t->answers, n, __ATOMIC_RELAXED);
  return NULL;
}
static void test_under_load(void **state) {
  (void)state;
  stand t = set_up("load", 3, 1, "256");
  run r = {.e = t.e};
  pthread_t thread[RUN_THREADS];
  char key[32];
  for (int i = 0; i < RUN_THREADS; i++) assert_int_equal(pthread_create(&thread[i], NULL, run_thread, &r), 0);
  for (int64_t i = 0; i < 40; i++) {
    static const char *const set[] = {"begin", "canary", "shares", "0.2,0.6", "automatic", "false", "alarm", "1e200", NULL};
    if (i % 4 == 0) OK(lt_folder_promote(t.s, 1 + i / 4 % 2, "production", -1, NULL, &error_of));
    refresh(&t);
    if (i % 4 == 1) begin(&t, 3, set);
    if (i % 4 == 2) OK(leat_endpoint_act(t.e, LEAT_TRIAL_FORWARD, &error_of));
    if (i % 8 == 3) OK(leat_endpoint_act(t.e, LEAT_TRIAL_ABORT, &error_of));
    for (int64_t k = 0; k < 300; k++) {
      uint64_t size = (uint64_t)snprintf(key, sizeof key, "%lld-%lld", (long long)(k % RUN_THREADS), (long long)k);
      OK(leat_endpoint_label(t.e, key, size, "1", 1, NULL, &error_of));
    }
  }
  __atomic_store_n(&r.stop, 1, __ATOMIC_RELEASE);
  for (int i = 0; i < RUN_THREADS; i++) pthread_join(thread[i], NULL);
  assert_int_equal(r.wrong, 0);
  leat_score_state s = scores_of(&t);
  leat_endpoint_state now = {.struct_size = sizeof now};
  OK(leat_endpoint_get_state(t.e, &now, &error_of));
  assert_true(r.answers == s.noted && now.leases == 0);
  take_down(&t);
}

static int group_start(void **state) {
  (void)state;
  return place_start();
}
static int group_end(void **state) {
  (void)state;
  wipe(place);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gates),   cmocka_unit_test(test_steps),  cmocka_unit_test(test_promoted),
      cmocka_unit_test(test_aborted), cmocka_unit_test(test_keys),   cmocka_unit_test(test_nothing_allocated),
      cmocka_unit_test(test_scores),  cmocka_unit_test(test_ends), cmocka_unit_test(test_numbers),  cmocka_unit_test(test_under_load),
  };
  return cmocka_run_group_tests(tests, group_start, group_end);
}
