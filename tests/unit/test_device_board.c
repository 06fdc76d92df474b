/* Boards that take only images: PoCL behind a layer (tests/opencl/board_layer.c) that plays an FPGA board and its rules. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "device/op.h"
#include "device/registry.h"

#ifndef LEAT_OPENCL_PLUGIN
#define LEAT_OPENCL_PLUGIN ""
#define LEAT_BOARD_LAYER ""
#define LEAT_BOARD_IMAGE ""
#endif
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libpocl\nleak:libLLVM\nleak:libOpenCL\nleak:libclang\n"; }

/* As in the layer. */
typedef struct board_knobs {
  const char *fail;
  int64_t fail_in;
  int32_t fail_code;
  int64_t slow_ms, images, tasks, writes, busy, plain;
  char breach[256];
} board_knobs;
static board_knobs *knobs;
static char folder[] = "/tmp/leat-board-XXXXXX", device_name[256], driver[256], sum[80];

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...) {
  char command[2048];
  va_list args;
  va_start(args, format);
  vsnprintf(command, sizeof command, format, args);
  va_end(args);
  if (system(command)) fail_msg("failed: %s", command);
}

static void line_of(const char *command, char *to, size_t cap) {
  FILE *f = popen(command, "r");
  assert_non_null(f);
  if (!fgets(to, (int)cap, f)) to[0] = 0;
  pclose(f);
  to[strcspn(to, "\n")] = 0;
}

static void manifest(const char *name, const char *version, const char *sha, int abi, const char *more) {
  char path[300];
  snprintf(path, sizeof path, "%s/opencl-fpga.manifest", folder);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fprintf(f, "leat-fpga 1\n# for the tests\nimage board.bin\nsha256 %s\ndevice %s\ndriver %s\nabi %d\nchannels no\n"
          "dense_f32 8 40 50\ndense_i8 8 40 50\n%s", sha, name, version, abi, more);
  fclose(f);
}
static void good_manifest(void) { manifest(device_name, driver, sum, 1, ""); }

static leat_runtime *loaded(const leat_device **dev, const char *cache) {
  leat_runtime_opts o;
  leat_runtime *rt = NULL;
  leat_error err = {.struct_size = sizeof err};
  memset(&o, 0, sizeof o);
  o.struct_size = sizeof o;
  o.cache_folder = cache;
  if (leat_runtime_create(&o, &rt, &err) || leat_runtime_load_backend(rt, LEAT_OPENCL_PLUGIN, &err))
    fail_msg("%s", err.message);
  assert_int_equal(leat_device_find(rt, "opencl:0", dev, &err), LEAT_OK);
  return rt;
}

static int begin(void **state) {
  (void)state;
  char command[1024];
  if (!LEAT_OPENCL_PLUGIN[0]) return 0;
  if (!mkdtemp(folder)) return 1;
  setenv("POCL_CACHE_DIR", folder, 1);
  snprintf(command, sizeof command, "%s opencl/fpga/dense.cl %s/opencl-board.bin > %s/names", LEAT_BOARD_IMAGE, folder,
           folder);
  int rc = system(command);
  if (rc) return !(WIFEXITED(rc) && WEXITSTATUS(rc) == 77); /* 77: no device, all is skipped */
  snprintf(command, sizeof command, "sed -n 1p %s/names", folder);
  line_of(command, device_name, sizeof device_name);
  snprintf(command, sizeof command, "sed -n 2p %s/names", folder);
  line_of(command, driver, sizeof driver);
  snprintf(command, sizeof command, "sha256sum < %s/opencl-board.bin | cut -c1-64", folder);
  line_of(command, sum, sizeof sum);
  setenv("OPENCL_LAYERS", LEAT_BOARD_LAYER, 1);
  void *layer = dlopen(LEAT_BOARD_LAYER, RTLD_NOW);
  if (layer) knobs = dlsym(layer, "leat_board");
  return knobs == NULL;
}

static int end(void **state) {
  (void)state;
  char command[64];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return LEAT_OPENCL_PLUGIN[0] ? system(command) : 0;
}

static void fresh_board(void) {
  if (!knobs) skip();
  memset(knobs, 0, sizeof *knobs);
  good_manifest();
}

/* ---- what the device says of itself */
static void says(const char *cache, const char *text) {
  const leat_device *dev;
  leat_runtime *rt = loaded(&dev, cache);
  leat_device_props props = {.struct_size = sizeof props};
  char why[512];
  uint64_t needed;
  assert_int_equal(leat_device_get_props(dev, &props, NULL), LEAT_OK);
  assert_int_equal(props.kind, LEAT_FPGA);
  assert_int_equal(leat_device_state(dev, why, sizeof why, &needed, NULL), LEAT_OK);
  if (*text ? !strstr(why, text) : *why) fail_msg("it says '%s'", why);
  leat_runtime_free(rt);
}

static void test_state(void **unused) {
  (void)unused;
  fresh_board();
  says(folder, "");
  says(NULL, "no opencl-fpga.manifest");
  manifest("another board", driver, sum, 1, "");
  says(folder, "is for the device 'another board'");
  manifest(device_name, "0.0", sum, 1, "");
  says(folder, "is for the driver '0.0'");
  manifest(device_name, driver, sum, 2, "");
  says(folder, "abi 2");
  manifest(device_name, driver, sum, 1, "colour green\n");
  says(folder, "'colour green'");
  manifest(device_name, driver, "", 1, "");
  says(folder, "'sha256'");
  manifest("another board", driver, sum, 1, "image second.bin\n");
  says(folder, "image second.bin lacks the line 'sha256'");
  run("echo nonsense > %s/opencl-fpga.manifest", folder);
  says(folder, "leat-fpga 1");
}

/* ---- computing */
static float data[4096];
static void one_layer(const leat_device *dev, leat_status want, const char *text, int64_t m, int64_t n, int64_t k, int q8,
                      int64_t act) {
  static float out[2][4096];
  static int8_t small[4096];
  leat_error err = {.struct_size = sizeof err};
  const leat_device *reference;
  for (int i = 0; i < 4096; i++) data[i] = (float)((i * 37 + m * 11) % 101) / 101 - 0.4f, small[i] = (int8_t)(i * 29 % 255 - 127);
  assert_int_equal(leat_device_find(lt_device_runtime(dev), "reference", &reference, NULL), LEAT_OK);
  for (int who = 0; who < 2; who++) {
    lt_op_args a;
    double attr[2] = {1, 0};
    memset(&a, 0, sizeof a);
    memset(out[who], 0, sizeof out[who]);
    a.n_in = q8 ? 4 : 3, a.n_out = 1;
    a.in[0] = lt_view_matrix(data, m, k);
    a.in[1] = lt_view_matrix(data + 100, k, n);
    a.in[2] = a.in[3] = lt_view_vector(data + 7, n);
    if (q8) {
      a.in[1] = lt_view_matrix((const float *)(const void *)small, n, k);
      a.in[1].dtype = LEAT_I8, a.in[1].size = 1;
    }
    a.out[0] = lt_view_matrix(out[who], m, n);
    a.f = attr, a.n_f = q8 ? 0 : 2;
    a.i = &act, a.n_i = 1;
    leat_status st = lt_device_run(who ? dev : reference, q8 ? "gemm_q8" : "gemm", &a, &err);
    if (st != (who ? want : LEAT_OK)) fail_msg("status %d, %s", (int)st, err.message);
    if (st && !strstr(err.message, text)) fail_msg("it says '%s'", err.message);
  }
  for (int64_t i = 0; i < m * n && !want; i++)
    if (!(fabsf(out[0][i] - out[1][i]) <= 3e-5f * (1 + fabsf(out[0][i]))))
      fail_msg("element %d is %g, the reference has %g", (int)i, (double)out[1][i], (double)out[0][i]);
}

static int64_t fallbacks(const leat_device *dev) {
  int64_t n = 0;
  assert_int_equal(leat_runtime_stat(lt_device_runtime(dev), "fallback_ops", &n, NULL), LEAT_OK);
  return n;
}

static void test_layers(void **unused) {
  (void)unused;
  fresh_board();
  const leat_device *dev;
  leat_runtime *rt = loaded(&dev, folder);
  for (int q8 = 0; q8 < 2; q8++)
    for (int64_t act = 0; act < 5; act++) {
      one_layer(dev, LEAT_OK, "", 1, 1, 1, q8, act);
      one_layer(dev, LEAT_OK, "", 5, 17, 33, q8, act);
      one_layer(dev, LEAT_OK, "", 21, 40, 50, q8, act); /* more rows than the image takes at once */
    }
  assert_int_equal(fallbacks(dev), 0);
  assert_int_equal(knobs->images, 1);
  one_layer(dev, LEAT_OK, "", 3, 40, 50, 0, 1);
  int64_t before = knobs->writes;
  one_layer(dev, LEAT_OK, "", 3, 40, 50, 0, 1);
  assert_int_equal(knobs->writes - before, 3); /* a, scale, bias: the weights are there */
  one_layer(dev, LEAT_OK, "", 3, 41, 50, 0, 1); /* wider than the image: the CPU does it */
  assert_int_equal(fallbacks(dev), 1);
  assert_string_equal(knobs->breach, "");
  leat_runtime_free(rt);
}

/* ---- what goes wrong */
static void fails_with(leat_status want, const char *text) {
  const leat_device *dev;
  leat_runtime *rt = loaded(&dev, folder);
  one_layer(dev, want, text, 3, 17, 33, 0, 1);
  leat_runtime_free(rt);
}

static void test_damaged_image(void **unused) {
  (void)unused;
  fresh_board();
  run("cp %s/opencl-board.bin %s/good", folder, folder);
  run("printf X | dd of=%s/opencl-board.bin bs=1 seek=1000 conv=notrunc 2>/dev/null", folder);
  fails_with(LEAT_E_FORMAT, "damaged or another one");
  run("head -c 500 %s/good > %s/opencl-board.bin", folder, folder);
  fails_with(LEAT_E_FORMAT, "damaged or another one");
  run("rm %s/opencl-board.bin", folder);
  fails_with(LEAT_E_NOT_FOUND, "not in the cache folder");
  assert_int_equal(knobs->images, 0); /* the driver has seen none of them */
  run("mv %s/good %s/opencl-board.bin", folder, folder);
  fails_with(LEAT_OK, "");
}

static void test_failing_board(void **unused) {
  (void)unused;
  static const char *const calls[] = {"clEnqueueTask", "clEnqueueWriteBuffer", "clEnqueueReadBuffer", "clSetKernelArg"};
  fresh_board();
  const leat_device *dev;
  leat_runtime *rt = loaded(&dev, folder);
  one_layer(dev, LEAT_OK, "", 3, 17, 33, 0, 1);
  for (size_t c = 0; c < sizeof calls / sizeof *calls; c++)
    for (int64_t in = 0; in < 3; in++) {
      if (!strcmp(calls[c], "clEnqueueReadBuffer") && in) continue;
      knobs->fail = calls[c], knobs->fail_in = in, knobs->fail_code = -5;
      one_layer(dev, LEAT_E_DEVICE, "CL_OUT_OF_RESOURCES", 3, 17, 33, 0, 1);
      knobs->fail = NULL;
      one_layer(dev, LEAT_OK, "", 3, 17, 33, 0, 1); /* and goes on */
    }
  leat_runtime_free(rt);
  knobs->busy = 1;
  fails_with(LEAT_E_DEVICE, "in use by another process");
  knobs->busy = 0;
  knobs->slow_ms = 300;
  fails_with(LEAT_OK, "");
  knobs->slow_ms = 0;
  knobs->fail = "clCreateProgramWithBinary", knobs->fail_in = 0, knobs->fail_code = -42;
  fails_with(LEAT_E_DEVICE, "CL_INVALID_BINARY");
  assert_string_equal(knobs->breach, "");
}

/* A board takes one image: another one is refused by the driver, and the refusal is said. */
static void test_second_image(void **unused) {
  (void)unused;
  fresh_board();
  char command[400], other[80];
  fails_with(LEAT_OK, "");
  run("cp %s/opencl-board.bin %s/opencl-other.bin && echo >> %s/opencl-other.bin", folder, folder, folder);
  snprintf(command, sizeof command, "sha256sum < %s/opencl-other.bin | cut -c1-64", folder);
  line_of(command, other, sizeof other);
  run("sed -i 's/board.bin/other.bin/; s/^sha256.*/sha256 %s/' %s/opencl-fpga.manifest", other, folder);
  fails_with(LEAT_E_DEVICE, "holds another image");
  good_manifest();
  fails_with(LEAT_OK, "");
}

/* ---- a device with a compiler whose calls fail: an error that says why, and the next call is good again */
static void test_failing_device(void **unused) {
  (void)unused;
  static const struct { const char *call; int32_t code; leat_status want; const char *says; } all[] = {
      {"clCreateBuffer", -4, LEAT_E_MEMORY, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
      {"clCreateBuffer", -5, LEAT_E_MEMORY, "not that much memory"},
      {"clEnqueueNDRangeKernel", -4, LEAT_E_MEMORY, "clEnqueueNDRangeKernel"},
      {"clEnqueueNDRangeKernel", -5, LEAT_E_DEVICE, "out of a resource"},
      {"clEnqueueWriteBuffer", -2, LEAT_E_DEVICE, "lost or in use"},
      {"clEnqueueReadBuffer", -14, LEAT_E_DEVICE, "WAIT_LIST"},
      {"clFinish", -36, LEAT_E_DEVICE, "CL_INVALID_COMMAND_QUEUE"},
      {"clSetKernelArg", -6, LEAT_E_MEMORY, "the host has not"},
  };
  fresh_board();
  knobs->plain = 1;
  const leat_device *dev;
  leat_runtime *rt = loaded(&dev, NULL);
  knobs->fail = "clBuildProgram";
  one_layer(dev, LEAT_E_DEVICE, "no_such_name", 3, 17, 33, 0, 1); /* the compiler's words */
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    for (int64_t in = 0; in < 2; in++) {
      if (in && (!strcmp(all[i].call, "clEnqueueReadBuffer") || !strcmp(all[i].call, "clFinish"))) continue;
      knobs->fail = NULL;
      one_layer(dev, LEAT_OK, "", 3, 17, 33, 0, 1);
      knobs->fail = all[i].call, knobs->fail_in = in, knobs->fail_code = all[i].code;
      one_layer(dev, all[i].want, all[i].says, 3, 17, 33, 0, 1);
    }
  knobs->fail = NULL;
  one_layer(dev, LEAT_OK, "", 3, 17, 33, 0, 1);
  assert_int_equal(fallbacks(dev), 0);
  leat_runtime_free(rt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_state),         cmocka_unit_test(test_layers),       cmocka_unit_test(test_damaged_image),
      cmocka_unit_test(test_failing_board), cmocka_unit_test(test_second_image),
      cmocka_unit_test(test_failing_device),
  };
  return cmocka_run_group_tests(tests, begin, end);
}
