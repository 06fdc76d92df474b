/* The registry with a linked plug-in: names, properties, ops that it has and has not, and every way to be broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>

#include "../plugin/toy_plugin.c"
#include "device/device.h"

static leat_runtime *runtime(void) {
  leat_runtime *rt = NULL;
  leat_error err = {.struct_size = sizeof err};
  memset(&toy, 0, sizeof toy);
  if (leat_runtime_create(NULL, &rt, &err)) fail_msg("%s", err.message);
  return rt;
}

static const leat_device *find(leat_runtime *rt, const char *name) {
  const leat_device *dev = NULL;
  leat_error err = {.struct_size = sizeof err};
  if (leat_device_find(rt, name, &dev, &err)) fail_msg("%s", err.message);
  return dev;
}

static int64_t fallbacks(leat_runtime *rt) {
  int64_t v = -1;
  assert_int_equal(leat_runtime_stat(rt, "fallback_ops", &v, NULL), LEAT_OK);
  return v;
}

static void test_built_in(void **unused) {
  (void)unused;
  leat_runtime *rt = runtime();
  leat_error err = {.struct_size = sizeof err};
  leat_device_props props = {.struct_size = sizeof props};
  const leat_device *dev = NULL;
  int64_t count = 0;
  uint64_t needed = 0;
  char why[8] = "x";
  assert_int_equal(leat_device_count(rt, &count, &err), LEAT_OK);
  assert_int_equal(count, 2);
  assert_int_equal(leat_device_at(rt, 0, &dev, &err), LEAT_OK);
  assert_ptr_equal(dev, find(rt, "cpu"));
  assert_ptr_equal(dev, lt_devices_cpu(rt));
  assert_int_equal(leat_device_get_props(dev, &props, &err), LEAT_OK);
  assert_string_equal(props.name, "cpu");
  assert_string_equal(props.backend, "cpu");
  assert_int_equal(props.kind, LEAT_CPU);
  assert_int_equal(leat_device_state(dev, why, sizeof why, &needed, &err), LEAT_OK);
  assert_int_equal(needed, 1);
  assert_string_equal(why, "");
  assert_int_equal(leat_device_at(rt, 1, &dev, &err), LEAT_OK);
  assert_ptr_equal(dev, find(rt, "reference"));
  leat_runtime_free(rt);
}

static void test_refused_arguments(void **unused) {
  (void)unused;
  leat_runtime *rt = runtime();
  leat_error err = {.struct_size = sizeof err};
  const leat_device *dev = find(rt, "cpu");
  leat_device_props props = {.struct_size = 4};
  int64_t count = 5;
  uint64_t needed = 5;
  assert_int_equal(leat_device_count(NULL, &count, &err), LEAT_E_ARG);
  assert_int_equal(count, 0);
  assert_int_equal(leat_device_count(rt, NULL, &err), LEAT_E_ARG);
  assert_int_equal(leat_device_get_props(dev, &props, &err), LEAT_E_ARG);
  assert_int_equal(leat_device_get_props(NULL, &props, &err), LEAT_E_ARG);
  assert_int_equal(leat_device_state(dev, NULL, 4, &needed, &err), LEAT_E_ARG);
  assert_int_equal(leat_device_at(rt, 2, &dev, &err), LEAT_E_NOT_FOUND);
  assert_null(dev);
  assert_int_equal(leat_device_at(rt, -1, &dev, &err), LEAT_E_NOT_FOUND);
  assert_int_equal(leat_device_find(rt, "cpuu", &dev, &err), LEAT_E_NOT_FOUND);
  assert_null(dev);
  assert_non_null(strstr(err.message, "did you mean 'cpu'"));
  assert_int_equal(leat_device_find(rt, "opencl:0", &dev, &err), LEAT_E_NOT_FOUND);
  assert_int_equal(leat_runtime_add_backend(rt, NULL, &err), LEAT_E_ARG);
  assert_int_equal(leat_runtime_add_backend(NULL, leat_backend_query_v1, &err), LEAT_E_ARG);
  leat_runtime_free(rt);
}

static void test_newer_struct(void **unused) {
  (void)unused;
  leat_runtime *rt = runtime();
  struct { leat_device_props known; uint64_t more; } props;
  memset(&props, 0, sizeof props);
  props.known.struct_size = sizeof props;
  assert_int_equal(leat_device_get_props(find(rt, "cpu"), (leat_device_props *)(void *)&props, NULL), LEAT_OK);
  assert_string_equal(props.known.name, "cpu");
  assert_int_equal(props.known.struct_size, sizeof props);
  assert_int_equal(props.more, 0);
  leat_runtime_free(rt);
}

static leat_status multiply(const leat_device *dev, leat_error *err) {
  float a[6] = {1, 2, 3, 4, 5, 6}, b[6] = {1, 0, 2, 1, 0, 3}, c[5] = {7, 7, 7, 7, 7};
  /* a [2, 3] backwards, b [3, 2], c [2, 2] with a gap */
  lt_gemm g = {2, 2, 3, 2, 1, a + 5, b, c, -3, -1, 2, 1, 3, 1, NULL, 0};
  leat_status st = lt_device_gemm(dev, &g, err);
  if (!st) {
    static const float want[5] = {6 + 10, 5 + 12, 0, 3 + 4, 2 + 3};
    for (int i = 0; i < 5; i++) assert_true(c[i] == (i == 2 ? 7.0f : 2 * want[i] + 7));
  }
  return st;
}

static void test_plug_in(void **unused) {
  (void)unused;
  leat_runtime *rt = runtime();
  leat_error err = {.struct_size = sizeof err};
  leat_device_props props = {.struct_size = sizeof props};
  int64_t count = 0;
  uint64_t needed = 0;
  char why[64];
  assert_int_equal(leat_runtime_add_backend(rt, leat_backend_query_v1, &err), LEAT_OK);
  assert_int_equal(leat_device_count(rt, &count, &err), LEAT_OK);
  assert_int_equal(count, 4);
  const leat_device *dev = find(rt, "toy:1");
  assert_int_equal(leat_device_get_props(dev, &props, &err), LEAT_OK);
  assert_string_equal(props.name, "toy:1");
  assert_string_equal(props.vendor, "Toys second toy");
  assert_string_equal(props.backend, "toy");
  assert_string_equal(props.driver, "");
  assert_int_equal(props.kind, LEAT_OTHER);
  char ops[64];
  assert_int_equal(leat_device_ops(dev, ops, 4, &needed, &err), LEAT_E_CAPACITY);
  assert_int_equal(needed, 5);
  assert_int_equal(leat_device_ops(dev, ops, sizeof ops, &needed, &err), LEAT_OK);
  assert_string_equal(ops, "gemm");
  assert_int_equal(leat_device_ops(NULL, ops, sizeof ops, &needed, &err), LEAT_E_ARG);
  assert_int_equal(leat_device_ops(dev, NULL, 3, &needed, &err), LEAT_E_ARG);
  toy.fail = "device_open";
  assert_int_equal(leat_device_ops(find(rt, "toy:0"), ops, sizeof ops, &needed, &err), LEAT_E_DEVICE);
  assert_non_null(strstr(err.message, "the toy broke"));
  toy.fail = NULL;
  toy.why = "the battery is empty";
  assert_int_equal(leat_device_state(dev, why, 4, &needed, &err), LEAT_E_CAPACITY);
  assert_int_equal(needed, strlen(toy.why) + 1);
  assert_int_equal(leat_device_state(dev, why, sizeof why, &needed, &err), LEAT_OK);
  assert_string_equal(why, toy.why);
  for (int i = 0; i < 3; i++) assert_int_equal(multiply(dev, &err), LEAT_OK);
  assert_int_equal(toy.gemms, 3);
  assert_int_equal(toy.opened, 1);
  assert_int_equal(fallbacks(rt), 0);
  float a[4] = {1, 2, 3, 4}, x[2] = {1, 1}, y[2] = {0, 0};
  lt_gemv g = {2, 2, 1, 0, a, x, y, 2, 1, 1, 1};
  assert_int_equal(lt_device_gemv(dev, &g, &err), LEAT_OK); /* it has no gemv: the CPU does it */
  assert_true(y[0] == 3 && y[1] == 7);
  assert_int_equal(fallbacks(rt), 1);
  toy.flaw = "no gemm";
  assert_int_equal(multiply(dev, &err), LEAT_OK);
  assert_int_equal(fallbacks(rt), 2);
  assert_int_equal(toy.gemms, 3);
  assert_int_equal(leat_runtime_add_backend(rt, leat_backend_query_v1, &err), LEAT_E_BACKEND); /* twice */
  assert_non_null(strstr(err.message, "toy is there already"));
  leat_runtime_free(rt);
  assert_int_equal(toy.alive, 0);
}

/* Without a way to copy, the toy computes nothing: the CPU does it. */
static void test_missing_slot(void **unused) {
  (void)unused;
  leat_runtime *rt = runtime();
  toy.flaw = "queue_copy";
  assert_int_equal(leat_runtime_add_backend(rt, leat_backend_query_v1, NULL), LEAT_OK);
  assert_int_equal(multiply(find(rt, "toy:0"), NULL), LEAT_OK);
  assert_int_equal(fallbacks(rt), 1);
  assert_int_equal(toy.gemms, 0);
  leat_runtime_free(rt);
  assert_int_equal(toy.alive, 0);
}

static void test_failing_slots(void **unused) {
  (void)unused;
  static const char *const slots[] = {"device_open", "op_score",   "queue_create", "buffer_alloc",
                                      "queue_copy",  "op_prepare", "op_enqueue",   "queue_finish"};
  leat_runtime *rt = runtime();
  leat_error err = {.struct_size = sizeof err};
  assert_int_equal(leat_runtime_add_backend(rt, leat_backend_query_v1, &err), LEAT_OK);
  const leat_device *dev = find(rt, "toy:0");
  int64_t alive = toy.alive;
  for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
    toy.fail = slots[i];
    assert_int_equal(multiply(dev, &err), LEAT_E_DEVICE);
    assert_non_null(strstr(err.message, "toy:0"));
    assert_non_null(strstr(err.message, "the toy broke in "));
    assert_non_null(strstr(err.message, slots[i]));
    if (i == 0) alive++; /* it will be open from now on */
    else assert_int_equal(toy.alive, alive);
  }
  toy.fail = NULL;
  assert_int_equal(multiply(dev, &err), LEAT_OK);
  toy.fail = "device_state";
  uint64_t needed;
  assert_int_equal(leat_device_state(dev, NULL, 0, &needed, &err), LEAT_E_DEVICE);
  leat_runtime_free(rt);
  assert_int_equal(toy.alive, 0);
}

static void test_broken_contracts(void **unused) {
  (void)unused;
  static const struct { const char *flaw, *fail; leat_status status; const char *says; } cases[] = {
      {"refuse", NULL, LEAT_E_UNSUPPORTED, "no toy is plugged in"},
      {"silent", NULL, LEAT_E_UNSUPPORTED, "gave no reason"},
      {"positive", NULL, LEAT_E_BACKEND, "gave no reason"},
      {"nothing", NULL, LEAT_E_BACKEND, "its name"},
      {"name", NULL, LEAT_E_BACKEND, "its name"},
      {"cpu", NULL, LEAT_E_BACKEND, "cpu is there already"},
      {"device_count", NULL, LEAT_E_BACKEND, "device_count is NULL"},
      {"device_props", NULL, LEAT_E_BACKEND, "device_props is NULL"},
      {"newer table", NULL, LEAT_E_VERSION, "newer leat"},
      {"short table", NULL, LEAT_E_BACKEND, "struct_size 40"},
      {"no size", NULL, LEAT_E_BACKEND, "struct_size 0"},
      {"minor", NULL, LEAT_E_VERSION, "needs plug-in interface 1.1"},
      {"count", NULL, LEAT_E_BACKEND, "-1 devices"},
      {NULL, "device_count", LEAT_E_DEVICE, "the toy broke in device_count"},
      {NULL, "device_props", LEAT_E_DEVICE, "the toy broke in device_props"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    leat_runtime *rt = runtime();
    leat_error err = {.struct_size = sizeof err};
    int64_t count = 0;
    toy.flaw = cases[i].flaw, toy.fail = cases[i].fail;
    assert_int_equal(leat_runtime_add_backend(rt, leat_backend_query_v1, &err), cases[i].status);
    if (!strstr(err.message, cases[i].says)) fail_msg("%s: %s", cases[i].flaw, err.message);
    assert_int_equal(leat_device_count(rt, &count, &err), LEAT_OK);
    assert_int_equal(count, 2);
    assert_int_equal(toy.alive, 0);
    toy.flaw = toy.fail = NULL; /* and then a good one */
    assert_int_equal(leat_runtime_add_backend(rt, leat_backend_query_v1, &err), LEAT_OK);
    leat_runtime_free(rt);
    assert_int_equal(toy.alive, 0);
  }
}

/* What leat lends: memory at any alignment, options, a cache that keys cannot leave. */
static const leat_b_host *lent;
static leat_status borrow(uint32_t abi_major, const leat_b_host *host, leat_b_backend *out, leat_error *err) {
  lent = host;
  return leat_backend_query_v1(abi_major, host, out, err);
}

static void count_task(void *arg, int64_t index) { ((int32_t *)arg)[index]++; }

static void test_host_table(void **unused) {
  (void)unused;
  leat_runtime *rt = NULL;
  leat_runtime_opts opts = {.struct_size = sizeof opts, .n_threads = 3, .cache_folder = "build"};
  memset(&toy, 0, sizeof toy);
  assert_int_equal(leat_runtime_create(&opts, &rt, NULL), LEAT_OK);
  assert_int_equal(leat_runtime_add_backend(rt, borrow, NULL), LEAT_OK);
  for (uint64_t align = 16; align <= 65536; align *= 2) {
    char *p = lent->alloc(lent->ctx, 100, align);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % align, 0);
    memset(p, 1, 100);
    lent->release(lent->ctx, p, 100, align);
  }
  assert_null(lent->alloc(lent->ctx, UINT64_MAX - 8, 4096));
  assert_null(lent->alloc(lent->ctx, 10, 4097));
  lent->release(lent->ctx, NULL, 0, 4096);
  char text[64];
  uint64_t needed = 0;
  assert_int_equal(lent->option(lent->ctx, "threads", text, sizeof text, &needed), LEAT_OK);
  assert_string_equal(text, "3");
  assert_int_equal(lent->option(lent->ctx, "cache_folder", text, sizeof text, &needed), LEAT_OK);
  assert_string_equal(text, "build");
  assert_int_equal(lent->option(lent->ctx, "cache_folder", text, 3, &needed), LEAT_E_CAPACITY);
  assert_int_equal(lent->option(lent->ctx, "colour", text, sizeof text, &needed), LEAT_E_NOT_FOUND);
  int32_t seen[10] = {0};
  assert_int_equal(lent->parallel_for(lent->ctx, 10, count_task, seen), LEAT_OK);
  for (int i = 0; i < 10; i++) assert_int_equal(seen[i], 1);
  assert_int_equal(lent->cache_put(lent->ctx, "../escape", "x", 1), LEAT_E_ARG);
  assert_int_equal(lent->cache_put(lent->ctx, "", "x", 1), LEAT_E_ARG);
  assert_int_equal(lent->cache_put(lent->ctx, "program-1.bin", "12345", 5), LEAT_OK);
  assert_int_equal(lent->cache_get(lent->ctx, "program-1.bin", text, 4, &needed), LEAT_E_CAPACITY);
  assert_int_equal(needed, 5);
  assert_int_equal(lent->cache_get(lent->ctx, "program-1.bin", text, sizeof text, &needed), LEAT_OK);
  assert_memory_equal(text, "12345", 5);
  assert_int_equal(lt_path_remove(rt, "build/toy-program-1.bin", NULL), LEAT_OK);
  assert_int_not_equal(lent->cache_get(lent->ctx, "program-1.bin", text, sizeof text, &needed), LEAT_OK);
  lent->log(lent->ctx, LEAT_LOG_WARN, "hello", 5);
  int64_t level = 0;
  assert_int_equal(leat_runtime_log_read(rt, &level, NULL, text, sizeof text, &needed), LEAT_OK);
  assert_string_equal(text, "toy: hello");
  leat_runtime_free(rt);
  assert_int_equal(toy.alive, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_built_in),     cmocka_unit_test(test_refused_arguments), cmocka_unit_test(test_newer_struct),
      cmocka_unit_test(test_plug_in),      cmocka_unit_test(test_missing_slot),      cmocka_unit_test(test_failing_slots),
      cmocka_unit_test(test_broken_contracts), cmocka_unit_test(test_host_table)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
