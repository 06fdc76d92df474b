/* The author of a plug-in tests it: leat/conformance.h and its library are all there is. Usage: conformance PLUGIN.so */
#include <stdio.h>
#include <string.h>

#include <leat/conformance.h>

static void print(void *ctx, int64_t kind, const char *text) {
  (void)ctx;
  if (kind == LEAT_CONFORMANCE_FAILED) puts(text);
}

int main(int argc, char **argv) {
  leat_conformance_opts opts;
  leat_conformance_result result;
  leat_error err;
  memset(&opts, 0, sizeof opts), memset(&result, 0, sizeof result), memset(&err, 0, sizeof err);
  opts.struct_size = sizeof opts, result.struct_size = sizeof result, err.struct_size = sizeof err;
  opts.message = print;
  if (leat_conformance_run_file("./no/such.so", &opts, &result, &err) != LEAT_E_BACKEND || !err.message[0]) return 2;
  if (leat_conformance_run_file(argc > 1 ? argv[1] : "", &opts, &result, &err)) {
    puts(err.message);
    return 2;
  }
  printf("%lld passed, %lld failed, %lld skipped\n", (long long)result.passed, (long long)result.failed,
         (long long)result.skipped);
  return result.failed > 0 || result.passed == 0;
}
