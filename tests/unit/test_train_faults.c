/* Every allocation of a trainer's life fails once, every write of a checkpoint fails once: a clear status, nothing lost,
 * the old checkpoint stays. */
#define _POSIX_C_SOURCE 200809L
#include "hosts.h"
#include "train_help.h"
#include <unistd.h>

static char ckpt[300], dir[256];

static int fault_folder(void **state) {
  (void)state;
  const char *tmp = getenv("TMPDIR");
  snprintf(dir, sizeof dir, "%s/leat-fault-XXXXXX", tmp && *tmp ? tmp : "/tmp");
  if (!mkdtemp(dir)) return -1;
  snprintf(ckpt, sizeof ckpt, "%s/a.ckpt", dir);
  return 0;
}
static int fault_folder_end(void **state) {
  (void)state;
  (void)remove(ckpt);
  return rmdir(dir);
}

static leat_status whole_life(leat_runtime *rt, const leat_params *p, const leat_dataset *d, leat_error *e) {
  leat_trainer *t = NULL, *u = NULL, *v = NULL;
  leat_model *m = NULL;
  leat_metrics *k = NULL;
  leat_status st = lt_trainer_create(rt, p, NULL, NULL, &t, e);
  if (!st) st = lt_trainer_set_data(t, d, d, e);
  if (!st) st = lt_trainer_step(t, 0, NULL, e);
  if (!st) st = lt_trainer_save(t, ckpt, e);
  if (!st) st = lt_trainer_load(rt, ckpt, NULL, &u, e);
  if (!st) st = lt_trainer_set_data(u, d, d, e);
  if (!st) st = lt_trainer_fit(u, e);
  if (!st) st = lt_trainer_metrics(u, 0, &k, e);
  if (!st) st = lt_trainer_snapshot(u, &m, e);
  if (!st) st = lt_trainer_from_model(m, NULL, NULL, &v, e);
  if (!st) st = lt_trainer_set_data(v, d, NULL, e);
  if (!st) st = lt_trainer_fit(v, e);
  lt_metrics_free(k);
  if (m) lt_model_free(m);
  lt_trainer_free(t);
  lt_trainer_free(u);
  lt_trainer_free(v);
  return st;
}

static void memory_faults(void **state) {
  (void)state;
  static const struct { int64_t width, classes; const char *settings; } cases[] = {
      {0, 2, "solver=newton class_weights=balanced standardize=no"}, {1500, 2, "solver=tron"}, {0, 3, "solver=lbfgs"},
      {1500, 2, "loss=hinge max_iterations=3"}, {0, 2, "loss=squared_hinge solver=dual standardize=no max_iterations=3"}, {1500, 3, "l1=2 max_iterations=3"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    host_memory mem = {0};
    leat_allocator a = host_allocator(&mem, i != 1);
    leat_runtime_opts o = {0};
    leat_runtime *rt = NULL;
    leat_error e = tr_error();
    o.struct_size = sizeof o;
    o.allocator = &a;
    o.n_threads = 1;
    TR_OK(leat_runtime_create(&o, &rt, &e), &e);
    tr_rows r = tr_make(60, 4, cases[i].classes, 61, 0, 1);
    leat_dataset *d = cases[i].width ? tr_sparse(rt, &r, cases[i].width) : tr_dense(rt, &r, 0);
    leat_params *p = tr_params(rt, cases[i].settings);
    TR_OK(whole_life(rt, p, d, &e), &e);
    int64_t before = mem.blocks, failures = 0;
    for (int64_t k = 1; k < 5000; k++) {
      mem.fail_at = mem.calls + k;
      leat_status st = whole_life(rt, p, d, &e);
      int reached = mem.calls >= mem.fail_at;
      mem.fail_at = 0;
      if (mem.blocks != before || (st && st != LEAT_E_MEMORY))
        print_error("%s: allocation %lld: status %d, %lld blocks more: %s\n", cases[i].settings, (long long)k, st,
                    (long long)(mem.blocks - before), e.message);
      assert_int_equal(mem.blocks, before);
      assert_true(st == LEAT_OK || st == LEAT_E_MEMORY);
      failures += st != LEAT_OK;
      if (!reached) break;
    }
    assert_true(failures > 50);
    leat_params_free(p);
    lt_dataset_free(d);
    tr_drop(&r);
    leat_runtime_free(rt);
    assert_int_equal(mem.blocks, 0);
    assert_int_equal(mem.wrong, 0);
  }
}

static void full_disk(void **state) {
  (void)state;
  host_files files = {0};
  leat_file_system fs = host_file_system(&files);
  leat_runtime_opts o = {0};
  leat_runtime *rt = NULL;
  leat_error e = tr_error();
  o.struct_size = sizeof o;
  o.files = &fs;
  TR_OK(leat_runtime_create(&o, &rt, &e), &e);
  tr_rows r = tr_make(500, 4, 2, 62, 0, 1);
  leat_dataset *d = tr_dense(rt, &r, 0);
  leat_trainer *t = tr_trainer(rt, "solver=lbfgs", d, NULL), *u = NULL;
  TR_OK(lt_trainer_step(t, 0, NULL, &e), &e);
  TR_OK(lt_trainer_save(t, ckpt, &e), &e);
  TR_OK(lt_trainer_step(t, 0, NULL, &e), &e);
  static const char kinds[] = "owyn";
  files.code = ENOSPC;
  for (size_t i = 0; i < 4; i++) {
    files.kind = kinds[i];
    files.calls = 0;
    files.fail_at = 1;
    assert_int_equal(lt_trainer_save(t, ckpt, &e), LEAT_E_IO);
    assert_int_equal(e.os_code, ENOSPC);
    files.fail_at = 0;
    TR_OK(lt_trainer_load(rt, ckpt, NULL, &u, &e), &e); /* the old one is whole */
    TR_OK(lt_trainer_set_data(u, d, NULL, &e), &e);
    assert_int_equal(u->iterations, 1);
    lt_trainer_free(u);
  }
  assert_int_equal(files.open_now, 0);
  lt_trainer_free(t);
  lt_dataset_free(d);
  tr_drop(&r);
  leat_runtime_free(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(memory_faults), cmocka_unit_test(full_disk)};
  return cmocka_run_group_tests(tests, fault_folder, fault_folder_end);
}
