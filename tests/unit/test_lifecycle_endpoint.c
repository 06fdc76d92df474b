/* lib/lifecycle/endpoint.c: following a store, the swap, falling back, loans. */
#include "folder_help.h"
#include "lifecycle/endpoint.h"
#include <pthread.h>

static leat_endpoint *open_endpoint(leat_store *s, const char *stages, int64_t predictors, int64_t keep) {
  leat_endpoint *e = NULL;
  leat_params *p = NULL;
  OK(lt_params_create(lt_folder_runtime(s), &lt_spec_endpoint, &p, &error_of));
  if (stages) OK(lt_params_set_text(p, "stages", stages, &error_of));
  OK(lt_params_set_i64(p, "predictors", predictors, &error_of));
  OK(lt_params_set_i64(p, "keep_previous", keep, &error_of));
  OK(leat_endpoint_open(s, p, &e, &error_of));
  lt_params_free(p);
  return e;
}
static int64_t add(leat_store *s, uint64_t seed) {
  int64_t v;
  leat_model *m = little_model(lt_folder_runtime(s), seed);
  OK(lt_folder_add(s, m, "train", &v, &error_of));
  lt_model_free(m);
  return v;
}
static leat_endpoint_state state_of(leat_endpoint *e) {
  leat_endpoint_state t = {.struct_size = sizeof t};
  OK(leat_endpoint_get_state(e, &t, &error_of));
  return t;
}
static leat_lease lend(leat_endpoint *e) {
  leat_lease l = {.struct_size = sizeof l};
  OK(leat_endpoint_acquire(e, &l, &error_of));
  return l;
}
static float says(const leat_lease *l) {
  static const float x[3] = {0.5f, -1.0f, 2.0f};
  float y = NAN;
  OK(leat_predictor_one_f32(l->predictor, x, 3, &y, 1, &error_of));
  return y;
}
static float answer(leat_endpoint *e) {
  leat_lease l = lend(e);
  float y = says(&l);
  leat_endpoint_release(e, &l);
  return y;
}
static float model_says(leat_store *s, int64_t version) {
  leat_model *m;
  leat_lease l = {.struct_size = sizeof l};
  OK(lt_folder_load(s, version, &m, &error_of));
  OK(leat_predictor_create(m, NULL, NULL, &l.predictor, &error_of));
  float y = says(&l);
  leat_predictor_free(l.predictor);
  lt_model_free(m);
  return y;
}
static int64_t refresh(leat_endpoint *e) {
  int64_t swapped;
  OK(leat_endpoint_refresh(e, &swapped, &error_of));
  return swapped;
}
static void promote(leat_store *s, int64_t v, const char *stage) { OK(lt_folder_promote(s, v, stage, -1, NULL, &error_of)); }
/* One byte of a package is turned. */
static void damage(leat_store *s, int64_t version) {
  char name[40], *path;
  lt_folder_package(version, name);
  path = lt_folder_file(s, name);
  FILE *f = fopen(path, "r+b");
  assert_non_null(f);
  fseek(f, 200, SEEK_SET);
  int c = fgetc(f);
  fseek(f, 200, SEEK_SET);
  fputc(c ^ 1, f);
  fclose(f);
  lt_free(lt_folder_runtime(s), path);
}

static void test_stages(void **state) {
  (void)state;
  leat_runtime *rt = new_runtime(1);
  leat_store *s = open_store(rt, at_place("stages")), *other = open_store(rt, at_place("stages"));
  leat_endpoint *e = open_endpoint(s, NULL, 2, 1);
  leat_lease l = {.struct_size = sizeof l};
  assert_int_equal(leat_endpoint_acquire(e, &l, &error_of), LEAT_E_STATE); /* nothing there yet */
  assert_null(l.predictor);
  leat_endpoint_release(e, &l);
  assert_int_equal(state_of(e).version, 0);
  assert_int_equal(refresh(e), 0);
  add(other, 1); /* by another process, as it were */
  assert_int_equal(refresh(e), 1);
  assert_string_equal(state_of(e).stage, "newest");
  add(other, 2);
  add(other, 3);
  assert_int_equal(refresh(e), 1);
  assert_int_equal(state_of(e).version, 3);
  promote(other, 2, "testing");
  assert_int_equal(refresh(e), 1);
  assert_int_equal(state_of(e).version, 2);
  promote(other, 1, "production");
  assert_int_equal(refresh(e), 1);
  assert_int_equal(state_of(e).version, 1);
  assert_string_equal(state_of(e).stage, "production");
  assert_true(answer(e) == model_says(s, 1));
  promote(other, 3, "testing"); /* production is served: nothing changes */
  assert_int_equal(refresh(e), 0);
  promote(other, 3, "production");
  assert_int_equal(refresh(e), 1);
  assert_true(answer(e) == model_says(s, 3));
  assert_true(answer(e) != model_says(s, 1));
  OK(lt_folder_rollback(other, "production", -1, NULL, &error_of));
  assert_int_equal(refresh(e), 1);
  assert_int_equal(state_of(e).version, 1);
  assert_int_equal(state_of(e).previous_version, 3);
  assert_int_equal(state_of(e).serial, 6);
  assert_int_equal(refresh(e), 0);
  leat_endpoint_free(e);
  lt_folder_free(s);
  lt_folder_free(other);
  lt_runtime_unref(rt);
}

static void test_loans(void **state) {
  (void)state;
  leat_runtime *rt = new_runtime(1);
  leat_store *s = open_store(rt, at_place("loans"));
  add(s, 1);
  leat_endpoint *e = open_endpoint(s, "newest", 2, 0);
  float first = model_says(s, 1), fresh;
  leat_lease a = lend(e), b = lend(e), c = lend(e), none = {.struct_size = sizeof none}; /* one more than there are predictors */
  assert_true(a.predictor != b.predictor && b.predictor != c.predictor && a.predictor != c.predictor);
  assert_int_equal(state_of(e).leases, 3);
  add(s, 2);
  fresh = model_says(s, 2);
  assert_int_equal(refresh(e), 1);
  assert_int_equal(state_of(e).resident, 2); /* the old one lives as long as its loans */
  assert_true(says(&a) == first && says(&c) == first && a.version == 1);
  leat_lease d = lend(e);
  assert_int_equal(d.version, 2);
  assert_true(d.serial > a.serial && says(&d) == fresh);
  leat_endpoint_release(e, &a);
  leat_endpoint_release(e, &a); /* zeroed: it is none any more */
  leat_endpoint_release(e, &b);
  leat_endpoint_release(e, &c);
  leat_endpoint_release(e, &none);
  leat_endpoint_release(NULL, &none);
  assert_int_equal(state_of(e).leases, 1);
  refresh(e);
  assert_int_equal(state_of(e).resident, 1);
  leat_endpoint_release(e, &d);
  none.struct_size = 8;
  assert_int_equal(leat_endpoint_acquire(e, &none, &error_of), LEAT_E_ARG);
  leat_lease held[8]; /* every cell on loan: the next version waits */
  for (uint64_t i = 0; i < 8; i++) {
    held[i] = lend(e);
    add(s, 10 + i);
    int64_t swapped;
    leat_status st = leat_endpoint_refresh(e, &swapped, &error_of);
    assert_int_equal(st, i < 7 ? LEAT_OK : LEAT_E_BUSY);
  }
  assert_int_equal(state_of(e).version, 9);
  for (int i = 0; i < 8; i++) leat_endpoint_release(e, &held[i]);
  assert_int_equal(refresh(e), 1); /* without a change of the store: it is tried again */
  assert_int_equal(state_of(e).version, 10);
  assert_int_equal(state_of(e).failed_version, 0);
  leat_endpoint_free(e);
  leat_endpoint_free(NULL);
  lt_folder_free(s);
  lt_runtime_unref(rt);
}

static void test_nothing_allocated(void **state) {
  (void)state;
  leat_runtime *rt = new_runtime(1);
  leat_store *s = open_store(rt, at_place("allocations"));
  int64_t before = 0, after = 0;
  add(s, 1);
  leat_endpoint *e = open_endpoint(s, NULL, 4, 1);
  answer(e);
  OK(leat_runtime_stat(rt, "allocations", &before, &error_of));
  for (int i = 0; i < 1000; i++) {
    leat_lease a = lend(e), b = lend(e);
    says(&a);
    says(&b);
    leat_endpoint_release(e, &b);
    leat_endpoint_release(e, &a);
  }
  OK(leat_runtime_stat(rt, "allocations", &after, &error_of));
  assert_int_equal(after, before);
  leat_endpoint_free(e);
  lt_folder_free(s);
  lt_runtime_unref(rt);
}

static void test_fall_back(void **state) {
  (void)state;
  leat_runtime *rt = new_runtime(1);
  leat_store *s = open_store(rt, at_place("fall"));
  int64_t swapped;
  for (uint64_t i = 1; i <= 3; i++) add(s, i);
  promote(s, 1, "production");
  leat_endpoint *e = open_endpoint(s, NULL, 1, 0);
  float first = answer(e);
  promote(s, 2, "production");
  damage(s, 2);
  assert_int_equal(leat_endpoint_refresh(e, &swapped, &error_of), LEAT_E_FORMAT);
  assert_int_equal(swapped, 0);
  leat_endpoint_state t = state_of(e);
  assert_true(t.version == 1 && t.failed_version == 2 && t.failures == 1 && answer(e) == first);
  assert_non_null(strstr(t.failure, "version 2"));
  assert_int_equal(refresh(e), 0); /* not tried again before the store changes */
  assert_int_equal(state_of(e).failures, 1);
  promote(s, 3, "production");
  assert_int_equal(refresh(e), 1);
  assert_true(state_of(e).version == 3 && state_of(e).failed_version == 0 && state_of(e).failure[0] == 0);
  leat_endpoint_free(e);
  damage(s, 3); /* opened now, production does not load: what it was before does not either, so it is the oldest one */
  e = open_endpoint(s, NULL, 1, 0);
  t = state_of(e);
  assert_true(t.version == 1 && t.failed_version == 3 && answer(e) == first);
  leat_endpoint_free(e);
  damage(s, 1); /* nothing loads at all: it opens, and says so */
  e = open_endpoint(s, NULL, 1, 0);
  leat_lease l = {.struct_size = sizeof l};
  assert_int_equal(leat_endpoint_acquire(e, &l, &error_of), LEAT_E_STATE);
  assert_int_equal(state_of(e).failed_version, 3);
  damage(s, 1); /* mended */
  add(s, 4);
  (void)leat_endpoint_refresh(e, &swapped, &error_of);
  assert_int_equal(swapped, 1);
  assert_true(state_of(e).version == 4);
  leat_endpoint_free(e);
  lt_folder_free(s);
  lt_runtime_unref(rt);
}

/* The package is whole, but its golden rows say something else than what it promised. */
static void test_self_test(void **state) {
  (void)state;
  leat_runtime *rt = new_runtime(1);
  leat_store *s = open_store(rt, at_place("golden"));
  int64_t v, swapped;
  add(s, 1);
  leat_endpoint *e = open_endpoint(s, "newest", 1, 1);
  leat_model *m = little_model(rt, 2);
  assert_true(m->n_golden > 0);
  m->golden_out[0] += 0.25;
  lt_free(rt, m->package);
  m->package = NULL;
  OK(lt_package_write(m, &error_of));
  OK(lt_folder_add(s, m, "train", &v, &error_of));
  lt_model_free(m);
  assert_int_not_equal(leat_endpoint_refresh(e, &swapped, &error_of), LEAT_OK);
  assert_int_equal(state_of(e).version, 1);
  assert_int_equal(state_of(e).failed_version, 2);
  assert_true(answer(e) == model_says(s, 1));
  leat_endpoint_free(e);
  lt_folder_free(s);
  lt_runtime_unref(rt);
}

/* Threads predict while versions come and go: every answer is that of the version on the loan. */
enum { SWAP_VERSIONS = 4, SWAP_THREADS = 3, SWAP_ROUNDS = 60 };
typedef struct swap_run { leat_endpoint *e; float want[SWAP_VERSIONS + 1]; int64_t stop, wrong, answers; } swap_run;
static void *swap_thread(void *arg) {
  swap_run *t = arg;
  int64_t n = 0;
  while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
    static const float x[3] = {0.5f, -1.0f, 2.0f};
    leat_lease l = {.struct_size = sizeof l};
    float y = NAN;
    int bad = leat_endpoint_acquire(t->e, &l, NULL) || leat_predictor_one_f32(l.predictor, x, 3, &y, 1, NULL);
    if (bad || l.version < 1 || l.version > SWAP_VERSIONS || y != t->want[l.version]) __atomic_fetch_add(&t->wrong, 1, __ATOMIC_RELAXED);
    leat_endpoint_release(t->e, &l);
    n++;
  }
  __atomic_fetch_add(&t->answers, n, __ATOMIC_RELAXED);
  return NULL;
}
static void test_swaps_under_load(void **state) {
  (void)state;
  leat_runtime *rt = new_runtime(1);
  leat_store *s = open_store(rt, at_place("swaps"));
  swap_run t = {0};
  pthread_t thread[SWAP_THREADS];
  for (uint64_t i = 1; i <= SWAP_VERSIONS; i++) t.want[i] = model_says(s, add(s, i));
  promote(s, 1, "production");
  t.e = open_endpoint(s, NULL, 2, 0); /* fewer predictors than threads */
  for (int i = 0; i < SWAP_THREADS; i++) assert_int_equal(pthread_create(&thread[i], NULL, swap_thread, &t), 0);
  for (int i = 0; i < SWAP_ROUNDS; i++) {
    promote(s, 1 + (i + 1) % SWAP_VERSIONS, "production");
    refresh(t.e);
  }
  __atomic_store_n(&t.stop, 1, __ATOMIC_RELEASE);
  for (int i = 0; i < SWAP_THREADS; i++) pthread_join(thread[i], NULL);
  assert_int_equal(t.wrong, 0);
  assert_true(t.answers > SWAP_ROUNDS);
  assert_int_equal(state_of(t.e).serial, SWAP_ROUNDS + 1);
  assert_int_equal(state_of(t.e).leases, 0);
  leat_endpoint_free(t.e);
  lt_folder_free(s);
  lt_runtime_unref(rt);
}

static void test_arguments(void **state) {
  (void)state;
  leat_runtime *rt = new_runtime(1);
  leat_store *s = open_store(rt, at_place("arguments"));
  leat_endpoint *e = (leat_endpoint *)(uintptr_t)1;
  leat_params *p;
  assert_int_equal(leat_endpoint_open(NULL, NULL, &e, &error_of), LEAT_E_ARG);
  assert_null(e);
  assert_int_equal(leat_endpoint_open(s, NULL, NULL, &error_of), LEAT_E_ARG);
  OK(lt_params_create(rt, &lt_spec_store, &p, &error_of));
  assert_int_equal(leat_endpoint_open(s, p, &e, &error_of), LEAT_E_ARG); /* of something else */
  lt_params_free(p);
  OK(lt_params_create(rt, &lt_spec_endpoint, &p, &error_of));
  OK(lt_params_set_text(p, "stages", "", &error_of));
  assert_int_equal(leat_endpoint_open(s, p, &e, &error_of), LEAT_E_ARG);
  OK(lt_params_set_text(p, "stages", "production,,testing", &error_of));
  assert_int_equal(leat_endpoint_open(s, p, &e, &error_of), LEAT_E_ARG);
  lt_params_free(p);
  assert_int_equal(leat_endpoint_refresh(NULL, NULL, &error_of), LEAT_E_ARG);
  assert_int_equal(leat_endpoint_acquire(NULL, NULL, &error_of), LEAT_E_ARG);
  assert_int_equal(leat_endpoint_get_state(NULL, NULL, &error_of), LEAT_E_ARG);
  lt_folder_free(s);
  lt_runtime_unref(rt);
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
      cmocka_unit_test(test_stages),    cmocka_unit_test(test_loans),     cmocka_unit_test(test_nothing_allocated),
      cmocka_unit_test(test_fall_back), cmocka_unit_test(test_self_test), cmocka_unit_test(test_swaps_under_load),
      cmocka_unit_test(test_arguments),
  };
  return cmocka_run_group_tests(tests, group_start, group_end);
}
