/* leat-conformance [OPTIONS] cpu|reference|PLUGIN.so [DEVICE]: runs the conformance suite from the shell. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/host_device.h"
#include "leat/conformance.h"

static const char usage[] =
    "Usage: leat-conformance [OPTION...] cpu|reference|PATH.so [DEVICE]\n"
    "Tests a device against include/leat/backend.h and docs/ops.md. DEVICE is its index (0).\n"
    "  --op NAME      only this op, or one of the parts memory, gradients, errors\n"
    "  --seed N       of the random data (1)\n"
    "  --threads N    that the plug-in may use through the host table (1)\n"
    "  --cache DIR    a folder for the plug-in's cache\n"
    "  --perf         times the ops instead\n"
    "  --quiet        only failures and the sum\n"
    "Exit status: 0 all passed, 1 something failed, 2 it could not be run.\n";

static int quiet;

static void message(void *ctx, int64_t kind, const char *text) {
  static const char *const words[] = {"", "FAIL ", "skip ", "     ", "     ", "log  "};
  (void)ctx;
  if (quiet && kind != LEAT_CONFORMANCE_FAILED) return;
  printf("%s%s\n", kind > 0 && kind < 6 ? words[kind] : "", text);
}

typedef struct arguments { leat_conformance_opts opts; const char *what; int perf; } arguments;

static int take(arguments *a, int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (!strcmp(argv[i], "--perf")) a->perf = 1;
    else if (!strcmp(argv[i], "--quiet")) quiet = 1;
    else if (!strcmp(argv[i], "--op") && value) a->opts.op = value, i++;
    else if (!strcmp(argv[i], "--seed") && value) a->opts.seed = strtoull(value, NULL, 10), i++;
    else if (!strcmp(argv[i], "--threads") && value) a->opts.threads = strtoll(value, NULL, 10), i++;
    else if (!strcmp(argv[i], "--cache") && value) a->opts.cache_folder = value, i++;
    else if (argv[i][0] == '-') return 0;
    else if (!a->what) a->what = argv[i];
    else a->opts.device = strtoll(argv[i], NULL, 10);
  }
  return a->what != NULL;
}

int main(int argc, char **argv) {
  arguments a = {{.struct_size = sizeof a.opts, .message = message}, NULL, 0};
  leat_error err = {.struct_size = sizeof err};
  leat_conformance_result r = {.struct_size = sizeof r};
  if (!take(&a, argc, argv)) {
    fputs(usage, stderr);
    return 2;
  }
  leat_backend_query_fn query = !strcmp(a.what, "cpu") ? lt_cpu_query : NULL;
  if (!strcmp(a.what, "reference")) query = lt_reference_query;
  leat_status st;
  if (a.perf) st = query ? leat_conformance_time(query, &a.opts, &err) : leat_conformance_time_file(a.what, &a.opts, &err);
  else st = query ? leat_conformance_run(query, &a.opts, &r, &err) : leat_conformance_run_file(a.what, &a.opts, &r, &err);
  if (st) {
    fprintf(stderr, "leat-conformance: %s\n", err.message);
    return 2;
  }
  if (!a.perf)
    printf("%lld passed, %lld failed, %lld skipped\n%s device %lld offers %lld ops of docs/ops.md; digest of its results "
           "%016llx\n", (long long)r.passed,
           (long long)r.failed, (long long)r.skipped, a.what, (long long)a.opts.device, (long long)r.ops,
           (unsigned long long)r.digest);
  return r.failed > 0;
}
