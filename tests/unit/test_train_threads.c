/* The same package bytes at any number of threads and steps; cancel and progress from another thread; BUSY. Made to run
 * under ThreadSanitizer too. Uses the exported functions where threads meet. */
#define _POSIX_C_SOURCE 200809L
#include "train_help.h"
#include <pthread.h>
#include <time.h>

typedef struct shape { int64_t n, cols, classes, width; const char *settings; } shape;
static const shape shapes[] = {
    {30000, 12, 2, 0, "solver=newton"},
    {400000, 6, 2, 0, "solver=newton tolerance=1e-4"}, /* starts on a part of the rows */
    {9000, 9, 0, 0, "standardize=no"},
    {9000, 6, 4, 0, "solver=newton"},
    {9000, 6, 4, 0, "solver=lbfgs max_iterations=20"},
    {20000, 10, 2, 5000, "solver=tron"},
    {20000, 10, 2, 5000, "solver=lbfgs max_iterations=25"},
    {50, 3, 2, 0, ""},
    {9000, 9, 2, 0, "l1=20 l2=3"},
    {3000, 10, 2, 20000, "l2=1e-3"}, /* L-BFGS hands over to TRON */
    {20000, 10, 2, 5000, "l1=2"},
    {9000, 9, 2, 0, "loss=hinge"},
    {9000, 9, 2, 0, "loss=hinge solver=dual"},
    {9000, 6, 4, 0, "l1=10"},
    {6000, 8, 4, 4000, "l1=2 max_iterations=10"},
    {160000, 14, 2, 5000, "loss=hinge max_iterations=2"}, /* dual, with lanes */
    {160000, 14, 2, 5000, "solver=dual max_iterations=1 class_weights=balanced"},
    {20000, 10, 2, 5000, "loss=squared_hinge"},
    {9000, 9, 0, 0, "loss=quantile quantile=0.8"},
    {9000, 9, 0, 0, "loss=huber solver=lbfgs max_iterations=40"},
};

static uint8_t *train_bytes(const shape *s, int64_t threads, int64_t step_rows, uint64_t *size) {
  leat_runtime *rt = tr_runtime(threads);
  tr_rows r = tr_make(s->n, s->cols, s->classes, 31, 0, 1);
  leat_dataset *d = s->width ? tr_sparse(rt, &r, s->width) : tr_dense(rt, &r, 0);
  leat_trainer *t = tr_trainer(rt, s->settings, d, NULL);
  leat_error e = tr_error();
  if (step_rows < 0) {
    tr_fit(t);
  } else {
    leat_progress p = {0};
    p.struct_size = sizeof p;
    do {
      TR_OK(lt_trainer_step(t, step_rows, &p, &e), &e);
    } while (p.state == LEAT_TRAIN_RUNNING);
  }
  uint8_t *b = tr_bytes(t, size);
  lt_trainer_free(t);
  lt_dataset_free(d);
  tr_drop(&r);
  lt_runtime_unref(rt);
  return b;
}

static void same_bytes(void **state) {
  (void)state;
  static const int64_t threads[] = {1, 2, 3, 7, 1, 2, 1, 3}, steps[] = {-1, -1, -1, -1, 0, 1, 1000, INT64_MAX};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    uint64_t n0 = 0, n = 0;
    uint8_t *first = train_bytes(&shapes[i], threads[0], steps[0], &n0);
    int quick = getenv("LEAT_QUICK") != NULL, large = shapes[i].n > 100000; /* under sanitizers they take minutes */
    for (size_t k = 1; k < sizeof threads / sizeof *threads; k++) {
      if (quick && k != 1 && (large || (k != 3 && k != 6))) continue;
      uint8_t *b = train_bytes(&shapes[i], threads[k], steps[k], &n);
      if (n != n0 || memcmp(first, b, n) != 0)
        print_error("%s: %lld threads, step %lld differ\n", shapes[i].settings, (long long)threads[k], (long long)steps[k]);
      tr_same(first, n0, b, n);
      free(b);
    }
    free(first);
  }
}

typedef struct side { leat_trainer *t; leat_status busy; int64_t seen; leat_status fit; int started; } side;

static void *fit_side(void *arg) {
  side *s = arg;
  leat_error e = tr_error();
  s->fit = leat_trainer_fit(s->t, &e);
  return NULL;
}

static void cancel_from_outside(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(2);
  tr_rows r = tr_make(200000, 10, 2, 41, 0, 1);
  leat_dataset *d = tr_dense(rt, &r, 0);
  /* tolerance 0 and a wolf of a limit: it runs until it is told to stop, or until rounding stops it; then once more */
  leat_error e = tr_error();
  int cancelled = 0, busy = 0;
  for (int round = 0; round < 20 && !(cancelled && busy); round++) {
    side s = {tr_trainer(rt, "solver=lbfgs tolerance=0 max_iterations=100000", d, NULL), 0, 0, 0, 0};
    pthread_t th;
    assert_int_equal(pthread_create(&th, NULL, fit_side, &s), 0);
    leat_progress p = {0};
    p.struct_size = sizeof p;
    int64_t last = 0;
    for (int i = 0; i < 3000 && last < 2; i++) {
      TR_OK(leat_trainer_progress(s.t, &p, &e), &e);
      assert_true(p.step >= last);
      last = p.step;
      if (p.state == LEAT_TRAIN_RUNNING && !busy) {
        leat_status st = leat_trainer_step(s.t, 1, NULL, &e);
        if (st == LEAT_E_BUSY) busy = 1;
      }
      nanosleep(&(struct timespec){0, 200000}, NULL);
    }
    assert_int_equal(leat_trainer_cancel(s.t), LEAT_OK);
    pthread_join(th, NULL);
    assert_true(s.fit == LEAT_OK || s.fit == LEAT_E_CANCELLED);
    cancelled |= s.fit == LEAT_E_CANCELLED;
    leat_trainer_free(s.t);
  }
  assert_true(cancelled);
  assert_true(busy);
  lt_dataset_free(d);
  tr_drop(&r);
  lt_runtime_unref(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_bytes),
      cmocka_unit_test(cancel_from_outside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
