/* Checkpoints: the bytes of training that was never stopped; damaged files; SIGKILL. */
#define _POSIX_C_SOURCE 200809L
#include "train_help.h"
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[256], path[300];

static int make_folder(void **state) {
  (void)state;
  const char *tmp = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/leat-ckpt-XXXXXX", tmp && *tmp ? tmp : "/tmp");
  if (!mkdtemp(folder)) return -1;
  snprintf(path, sizeof path, "%s/a.ckpt", folder);
  return 0;
}
static int drop_folder(void **state) {
  (void)state;
  (void)remove(path);
  (void)rmdir(folder);
  return 0;
}

typedef struct plan { int64_t n, cols, classes, width; int valid; const char *settings; } plan;
static const plan plans[] = {
    {6000, 8, 2, 0, 0, "solver=newton"},
    {6000, 8, 0, 0, 0, "standardize=no"},
    {6000, 8, 4, 0, 1, "solver=lbfgs max_iterations=30"},
    {6000, 8, 2, 4000, 1, "solver=tron class_weights=balanced"},
    {6000, 8, 2, 4000, 0, "solver=lbfgs lbfgs_memory=4 max_iterations=25"},
    {400000, 5, 2, 0, 0, "solver=newton tolerance=1e-4"},
    {6000, 8, 2, 0, 1, "l1=20 l2=3 calibrate=isotonic"},
    {6000, 8, 2, 4000, 0, "l1=2"},
    {3000, 10, 2, 20000, 0, "l2=1e-3"}, /* L-BFGS hands over to TRON */
    {3000, 8, 2, 0, 0, "loss=hinge"},
    {3000, 8, 0, 0, 0, "loss=quantile quantile=0.8"},
    {3000, 8, 2, 0, 0, "loss=hinge solver=dual"},
    {3000, 8, 4, 0, 0, "l1=10"},
    {3000, 8, 4, 4000, 0, "l1=2 max_iterations=12"},
    {3000, 8, 2, 4000, 1, "loss=hinge patience=0 class_weights=balanced"},
    {2000, 8, 0, 0, 0, "loss=quantile quantile=0.8 solver=dual"},
};

typedef struct rig { leat_runtime *rt; leat_dataset *d, *v; tr_rows r; } rig;
static rig rig_make(const plan *p, int64_t threads) {
  rig g = {tr_runtime(threads), NULL, NULL, tr_make(p->n, p->cols, p->classes, 51, 0, 1)};
  leat_dataset *all = p->width ? tr_sparse(g.rt, &g.r, p->width) : tr_dense(g.rt, &g.r, 0);
  leat_error e = tr_error();
  TR_OK(lt_dataset_slice(all, 0, p->n * 3 / 4, &g.d, &e), &e);
  if (p->valid) TR_OK(lt_dataset_slice(all, p->n * 3 / 4, p->n / 4, &g.v, &e), &e);
  lt_dataset_free(all);
  return g;
}
static void rig_free(rig *g) {
  lt_dataset_free(g->d);
  lt_dataset_free(g->v);
  tr_drop(&g->r);
  lt_runtime_unref(g->rt);
}

/* Saved and loaded again after every `rows` rows until done. */
static uint8_t *with_breaks(const plan *p, int64_t rows, int64_t *breaks, uint64_t *size) {
  rig g = rig_make(p, 2);
  leat_error e = tr_error();
  leat_trainer *t = tr_trainer(g.rt, p->settings, g.d, g.v);
  leat_progress pr = {0};
  pr.struct_size = sizeof pr;
  for (*breaks = 0; *breaks < 200; ++*breaks) {
    TR_OK(lt_trainer_step(t, rows, &pr, &e), &e);
    TR_OK(lt_trainer_save(t, path, &e), &e);
    int done = pr.state == LEAT_TRAIN_DONE;
    /* a break loses what an unfinished iteration has done: every other time it may go on to the end of one */
    if (*breaks % 2 == 0 || done) {
      lt_trainer_free(t);
      TR_OK(lt_trainer_load(g.rt, path, NULL, &t, &e), &e);
      TR_OK(lt_trainer_set_data(t, g.d, g.v, &e), &e);
    }
    if (done) break;
    TR_OK(lt_trainer_step(t, 0, &pr, &e), &e);
  }
  assert_true(*breaks < 200);
  TR_OK(lt_trainer_progress(t, &pr, &e), &e);
  assert_int_equal(pr.state, LEAT_TRAIN_DONE);
  uint8_t *b = tr_bytes(t, size);
  lt_trainer_free(t);
  rig_free(&g);
  return b;
}

static uint8_t *unbroken(const plan *p, uint64_t *size) {
  rig g = rig_make(p, 1);
  leat_trainer *t = tr_trainer(g.rt, p->settings, g.d, g.v);
  tr_fit(t);
  uint8_t *b = tr_bytes(t, size);
  lt_trainer_free(t);
  rig_free(&g);
  return b;
}

static void resumed_bytes(void **state) {
  (void)state;
  int64_t breaks = 0, total = 0;
  for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
    uint64_t n0, n;
    uint8_t *whole = unbroken(&plans[i], &n0);
    static const int64_t rows[] = {0, 1, 5000};
    for (int k = 0; k < 3; k++) {
      uint8_t *b = with_breaks(&plans[i], rows[k], &breaks, &n);
      if (n != n0 || memcmp(whole, b, n) != 0) print_error("%s, step %d differs\n", plans[i].settings, (int)rows[k]);
      tr_same(whole, n0, b, n);
      free(b);
      total += breaks;
    }
    free(whole);
  }
  assert_true(total >= 20);
}

static void wrong_data(void **state) {
  (void)state;
  const plan *p = &plans[0];
  rig g = rig_make(p, 1);
  leat_error e = tr_error();
  leat_trainer *t = tr_trainer(g.rt, p->settings, g.d, NULL);
  leat_dataset *other = NULL;
  TR_OK(lt_trainer_step(t, 0, NULL, &e), &e);
  TR_OK(lt_trainer_save(t, path, &e), &e);
  lt_trainer_free(t);
  TR_OK(lt_dataset_slice(g.d, 1, p->n * 3 / 4 - 1, &other, &e), &e);
  TR_OK(lt_trainer_load(g.rt, path, NULL, &t, &e), &e);
  assert_int_equal(lt_trainer_set_data(t, other, NULL, &e), LEAT_E_DATA);
  assert_non_null(strstr(e.message, "checkpoint"));
  assert_int_equal(lt_trainer_set_data(t, g.d, g.d, &e), LEAT_E_DATA);
  assert_non_null(strstr(e.message, "without validation rows"));
  assert_int_equal(lt_trainer_fit(t, &e), LEAT_E_STATE);
  TR_OK(lt_trainer_set_data(t, g.d, NULL, &e), &e); /* and the right data still are welcome */
  tr_fit(t);
  lt_trainer_free(t);
  lt_dataset_free(other);
  rig_free(&g);
}

/* Cut at any byte, any bit flipped: refused, or (never seen) the same state. */
static void damaged(void **state) {
  (void)state;
  const plan *p = &plans[4];
  rig g = rig_make(p, 1);
  leat_error e = tr_error();
  leat_trainer *t = tr_trainer(g.rt, "solver=lbfgs lbfgs_memory=2", g.d, NULL);
  for (int i = 0; i < 3; i++) TR_OK(lt_trainer_step(t, 0, NULL, &e), &e);
  TR_OK(lt_trainer_save(t, path, &e), &e);
  lt_trainer_free(t);
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  fseek(f, 0, SEEK_END);
  long size = ftell(f);
  rewind(f);
  uint8_t *bytes = malloc((size_t)size);
  assert_int_equal(fread(bytes, 1, (size_t)size, f), (size_t)size);
  fclose(f);
  lt_rng r;
  lt_rng_init(&r, 1, 1);
  for (int i = 0; i < 400; i++) {
    uint64_t at = i < 120 ? (uint64_t)i * 8 + lt_rng_below(&r, 8) : lt_rng_below(&r, (uint64_t)size);
    if (at >= (uint64_t)size) at = (uint64_t)size - 1;
    int cut = i % 4 == 3;
    uint8_t old = bytes[at];
    if (!cut) bytes[at] ^= (uint8_t)(1u << lt_rng_below(&r, 8));
    f = fopen(path, "wb");
    assert_non_null(f);
    size_t n = cut ? (size_t)at : (size_t)size;
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
    bytes[at] = old;
    t = NULL;
    leat_status st = lt_trainer_load(g.rt, path, NULL, &t, &e);
    assert_true(st == LEAT_E_FORMAT || st == LEAT_E_VERSION || st == LEAT_E_MEMORY);
    assert_null(t);
  }
  free(bytes);
  rig_free(&g);
}

/* A child that saves after every iteration is killed at a random moment, the next one goes on, until one ends. */
static int child(const plan *p, int resume) {
  rig g = rig_make(p, 2);
  leat_trainer *t = NULL;
  leat_progress pr = {0};
  pr.struct_size = sizeof pr;
  if (resume && lt_trainer_load(g.rt, path, NULL, &t, NULL)) return 3;
  if (!resume) t = tr_trainer(g.rt, p->settings, NULL, NULL);
  if (lt_trainer_set_data(t, g.d, g.v, NULL)) return 4;
  do {
    if (lt_trainer_save(t, path, NULL)) return 5;
    if (lt_trainer_step(t, 0, &pr, NULL)) return 6;
  } while (pr.state == LEAT_TRAIN_RUNNING);
  if (lt_trainer_save(t, path, NULL)) return 7;
  lt_trainer_free(t);
  rig_free(&g);
  return 0;
}

static void killed(void **state) {
  (void)state;
  const plan p = {20000, 12, 3, 0, 0, "solver=lbfgs tolerance=1e-7 max_iterations=60"};
  uint64_t n0, n;
  uint8_t *whole = unbroken(&p, &n0);
  lt_rng r;
  lt_rng_init(&r, 77, 1);
  int kills = 0, ended = 0;
  (void)remove(path);
  for (int i = 0; i < 400 && !ended; i++) {
    int resume = access(path, F_OK) == 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) _exit(child(&p, resume));
    int status = 0;
    if (kills < 10) {
      nanosleep(&(struct timespec){0, (long)(5000000 + lt_rng_below(&r, 60000000))}, NULL);
      (void)kill(pid, SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
      kills++;
    } else {
      assert_true(WIFEXITED(status));
      assert_int_equal(WEXITSTATUS(status), 0);
      ended = kills >= 10;
      if (!ended) (void)remove(path); /* it was too fast for ten kills: again from the start */
    }
  }
  assert_true(ended);
  rig g = rig_make(&p, 3);
  leat_error e = tr_error();
  leat_trainer *t = NULL;
  TR_OK(lt_trainer_load(g.rt, path, NULL, &t, &e), &e);
  TR_OK(lt_trainer_set_data(t, g.d, NULL, &e), &e);
  tr_fit(t);
  uint8_t *b = tr_bytes(t, &n);
  tr_same(whole, n0, b, n);
  free(b);
  free(whole);
  lt_trainer_free(t);
  rig_free(&g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(resumed_bytes),
      cmocka_unit_test(wrong_data),
      cmocka_unit_test(damaged),
      cmocka_unit_test(killed),
  };
  return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
