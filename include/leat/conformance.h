/* conformance.h: does a device plug-in keep what backend.h and docs/ops.md promise? For authors of plug-ins; a library of
 * its own (leat_conformance, pkg-config leat-conformance) that neither needs nor is part of libleat.
 *
 * Every op that the device offers is run with odd shapes, strides, offsets and special numbers and compared with sums in
 * double within the tolerances of docs/ops.md; gradients with finite differences; the same input must give the same bits
 * twice; what is no part of a result must not be written; wrong shapes, types, ranges and sizes must be refused with a
 * status, with nothing written, and leave a working device behind. Buffers, copies, maps, queues and events as well. */
#ifndef LEAT_CONFORMANCE_H
#define LEAT_CONFORMANCE_H
#include "leat/backend.h"
#ifdef __cplusplus
extern "C" {
#endif
/* What a message is: a case that failed, one that the device does not support, a finished part of the suite, a figure of
 * the performance mode, what the plug-in logs. */
enum {
  LEAT_CONFORMANCE_FAILED = 1, LEAT_CONFORMANCE_SKIPPED = 2, LEAT_CONFORMANCE_PART = 3, LEAT_CONFORMANCE_FIGURE = 4,
  LEAT_CONFORMANCE_LOG = 5
};
/* op: only this one, or one of the parts "memory" and "errors"; NULL all. device: index in the backend. seed of the random
 * data, 0 one of its own. threads: that the host table's parallel_for uses, 0 one. cache_folder: lent to the plug-in,
 * NULL none. message: called on the calling thread with a line of text, NULL none. */
typedef struct leat_conformance_opts {
  uint64_t struct_size;
  const char *op;
  int64_t device;
  uint64_t seed;
  int64_t threads;
  const char *cache_folder;
  void (*message)(void *ctx, int64_t kind, const char *text);
  void *ctx;
} leat_conformance_opts;
/* Cases. ops: of docs/ops.md that the device offers for at least one of the shapes. digest: of the bits of all results, for
 * comparing runs with the same seed: another number of threads must give the same. */
typedef struct leat_conformance_result {
  uint64_t struct_size;
  int64_t passed, failed, skipped, ops;
  uint64_t digest;
} leat_conformance_result;

/* Runs the suite on one device of a backend. The status tells whether it could be run at all; what the device does wrong
 * is counted in *result (set its struct_size). opts may be NULL.
 * Errors: ARG, NOT_FOUND (no such op or device), MEMORY, VERSION, and what the query or device_open returns.
 * Thread: any. */
LEAT_API leat_status leat_conformance_run(leat_backend_query_fn query, const leat_conformance_opts *opts,
                                          leat_conformance_result *result, leat_error *err);
/* The same for the plug-in in a shared library. Errors: the same, and BACKEND. Thread: any. */
LEAT_API leat_status leat_conformance_run_file(const char *path, const leat_conformance_opts *opts,
                                               leat_conformance_result *result, leat_error *err);
/* Performance: times the ops that the device offers at usual shapes, data on the device, and reports GFLOP/s or GB/s as
 * messages LEAT_CONFORMANCE_FIGURE. Errors: as leat_conformance_run. Thread: any. */
LEAT_API leat_status leat_conformance_time(leat_backend_query_fn query, const leat_conformance_opts *opts,
                                           leat_error *err);
/* The same for the plug-in in a shared library. Errors: the same, and BACKEND. Thread: any. */
LEAT_API leat_status leat_conformance_time_file(const char *path, const leat_conformance_opts *opts, leat_error *err);
#ifdef __cplusplus
}
#endif
#endif
