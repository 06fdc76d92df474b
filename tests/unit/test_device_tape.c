/* Training on a third party's device that can do next to nothing: what it lacks is done by the CPU and counted, what fails
 * is an error of the call that names the device, and nothing is left behind. */
#include "data_kit.h"
#include "train_help.h"
#include "../plugin/toy_plugin.c"

static leat_trainer *start(leat_runtime *rt, const char *device, const leat_dataset *d, leat_error *e) {
  leat_params *p = kit_params(rt, "model/mlp", "layers=9,5 norm=layer max_iterations=3 batch_size=32 clip_norm=2 dropout=0.1");
  const leat_device *dev = NULL;
  leat_trainer *t = NULL;
  TR_OK(lt_devices_find(rt, device, &dev, e), e);
  TR_OK(lt_trainer_create(rt, p, NULL, dev, &t, e), e);
  lt_params_free(p);
  leat_status st = lt_trainer_set_data(t, d, NULL, e);
  if (!st) st = lt_trainer_fit(t, e);
  assert_int_equal(st, e->code);
  return t;
}

static void test_fallback(void **state) {
  (void)state;
  leat_runtime *rt = tr_runtime(2);
  tr_rows r = tr_make(300, 6, 3, 4, 0, 1);
  leat_dataset *d = tr_dense(rt, &r, 1);
  leat_error e = tr_error();
  int64_t before = 0, after = 0;
  double *cpu = NULL, *other = NULL;
  toy = (toy_knobs){0};
  TR_OK(leat_runtime_add_backend(rt, leat_backend_query_v1, &e), &e);
  leat_trainer *a = start(rt, "cpu", d, &e);
  TR_OK(leat_runtime_stat(rt, "fallback_ops", &before, &e), &e);
  leat_trainer *b = start(rt, "toy:0", d, &e);
  TR_OK(leat_runtime_stat(rt, "fallback_ops", &after, &e), &e);
  assert_true(toy.gemms > 30);       /* the gradients' products */
  assert_true(after - before > 300); /* all the rest */
  TR_OK(lt_trainer_margins(a, 0, &cpu, &e), &e);
  TR_OK(lt_trainer_margins(b, 0, &other, &e), &e);
  for (int64_t i = 0; i < r.n * 3; i++) assert_true(fabs(cpu[i] - other[i]) < 1e-3 * (1 + fabs(cpu[i])));
  lt_free(rt, cpu);
  lt_free(rt, other);
  lt_trainer_free(a);
  lt_trainer_free(b);
  lt_dataset_free(d);
  tr_drop(&r);
  lt_runtime_unref(rt);
  assert_int_equal(toy.alive, 0);
}

static void test_failures(void **state) {
  (void)state;
  static const char *const slots[] = {"device_open", "buffer_alloc", "queue_create", "queue_copy", "queue_finish", "op_score", "op_prepare",
                                      "op_enqueue"};
  tr_rows r = tr_make(100, 6, 3, 4, 0, 1);
  for (size_t k = 0; k < sizeof slots / sizeof *slots; k++) {
    leat_runtime *rt = tr_runtime(1);
    leat_dataset *d = tr_dense(rt, &r, 0);
    leat_error e = tr_error();
    toy = (toy_knobs){0};
    TR_OK(leat_runtime_add_backend(rt, leat_backend_query_v1, &e), &e);
    toy.fail = slots[k];
    leat_trainer *t = start(rt, "toy:1", d, &e);
    if (e.code >= 0 || !strstr(e.message, "toy")) fail_msg("%s: status %d: %s", slots[k], (int)e.code, e.message);
    toy.fail = NULL;
    lt_trainer_free(t);
    lt_dataset_free(d);
    lt_runtime_unref(rt);
    if (toy.alive) fail_msg("%s: %d objects are left", slots[k], (int)toy.alive);
  }
  tr_drop(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_fallback), cmocka_unit_test(test_failures)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
