/* What the files of the conformance suite share. */
#ifndef CONFORMANCE_SUITE_H
#define CONFORMANCE_SUITE_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "leat/conformance.h"

enum { CF_TENSORS = 8, CF_NUMBERS = 12 };
#define CF_E 0x1p-24 /* docs/ops.md: e */

/* A tensor in a block of memory that is larger than it: elements around and between must not be read or written. */
typedef struct cf_tensor {
  int64_t dtype, rank, shape[4], stride[4];
  int64_t first, n;      /* of the block: where element (0, 0, ...) is, and how many elements it has */
  int64_t same;          /* an output in place of this input; -1: memory of its own */
  unsigned char *data;   /* the block before the op */
  unsigned char *after;  /* and after it */
} cf_tensor;

typedef struct cf_arena { unsigned char *base; uint64_t used, size; } cf_arena;

typedef struct cf_suite {
  leat_conformance_opts opts;
  leat_conformance_result result;
  leat_b_host host;
  uint64_t lent;           /* bytes of host memory that the plug-in holds */
  void *threads;           /* of parallel_for */
  leat_b_backend t;
  leat_b_device *device;
  leat_b_queue *queue;
  cf_arena arena;
  leat_status broken;      /* memory is out, or the device is gone: nothing further is run */
  leat_error error;
  uint64_t random;
  int64_t turn;            /* counts cases: which memory, which queue, event or finish */
  const char *part;        /* the op or part under way, and what came of it */
  int64_t part_passed, part_failed, part_skipped;
  int32_t wraps, offers, flushes;
} cf_suite;

/* One call of an op, and what it must give. */
typedef struct cf_case {
  cf_suite *s;
  const char *op;
  char what[200];
  int64_t n_in, n_out, n_f, n_i;
  cf_tensor in[CF_TENSORS], out[CF_TENSORS];
  double f[CF_NUMBERS];
  int64_t i[4];
  double *want[CF_TENSORS], *tol[CF_TENSORS]; /* by output, by element in rows */
  uint64_t mark;                              /* of the arena */
} cf_case;

/* ---- suite.c */
void cf_message(cf_suite *s, int64_t kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void cf_fail(cf_suite *s, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* counts one failed case */
void cf_pass(cf_suite *s);
void cf_skip(cf_suite *s, const char *why);
void cf_break(cf_suite *s, leat_status st, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int cf_begin(cf_suite *s, const char *part); /* 0: it is not asked for */
void cf_end(cf_suite *s);
leat_error cf_error(void);
leat_status cf_refuse(leat_error *err, leat_status st, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- host.c */
leat_status cf_host_open(cf_suite *s, leat_error *err);
void cf_host_close(cf_suite *s);

/* ---- tensor.c */
typedef enum cf_layout { CF_ROWS, CF_PADDED, CF_COLUMNS, CF_BACKWARDS, CF_SPREAD, CF_REPEAT, CF_LAYOUTS } cf_layout;
void *cf_take(cf_suite *s, uint64_t size); /* from the arena, zeroed; sets s->broken and gives NULL when it is used up */
uint64_t cf_next(cf_suite *s);
double cf_unit(cf_suite *s);               /* [0, 1) */
int64_t cf_below(cf_suite *s, int64_t n);
double cf_between(cf_suite *s, double low, double high);
int64_t cf_size(int64_t dtype);
int64_t cf_count(const cf_tensor *t);      /* elements of the tensor */
int64_t cf_at(const cf_tensor *t, int64_t k); /* where in the block the k-th element in rows lies */
double cf_value(const cf_tensor *t, const unsigned char *block, int64_t at);
double cf_get(const cf_tensor *t, int64_t i, int64_t j); /* of data; a vector: cf_get(t, 0, j) */
void cf_put(cf_tensor *t, int64_t k, double v);          /* the k-th in rows */
double cf_rounded(int64_t dtype, double v);              /* to nearest even */
cf_tensor cf_make(cf_suite *s, int64_t dtype, int64_t rank, const int64_t *shape, cf_layout layout);
cf_tensor cf_matrix(cf_suite *s, int64_t rows, int64_t cols, int padded);
cf_tensor cf_vector(cf_suite *s, int64_t n);
cf_tensor cf_ints(cf_suite *s, int64_t rows, int64_t cols, int64_t rank, int64_t low, int64_t high); /* [low, high) */
void cf_uniform(cf_suite *s, cf_tensor *t, double low, double high);

/* ---- case.c */
void cf_case_begin(cf_case *c, cf_suite *s, const char *op);
/* Adds a tensor or number in order. cf_output: fresh memory that is full of NaN; cf_in_place: input k is the output. */
cf_tensor *cf_input(cf_case *c, cf_tensor t);
cf_tensor *cf_output(cf_case *c, cf_tensor t);
cf_tensor *cf_in_place(cf_case *c, int64_t input);
void cf_double(cf_case *c, double v);
void cf_integer(cf_case *c, int64_t v);
/* Before want is set: makes room for it. */
void cf_expect(cf_case *c);
void cf_want(cf_case *c, int64_t output, int64_t k, double want, double tol);
void cf_label(cf_case *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Runs it, twice, and compares; frees what the case took of the arena. */
void cf_check(cf_case *c);
/* Runs it once and leaves the results in out[].after: 1, or 0 (counted as failed or skipped). */
int cf_run_once(cf_case *c);
void cf_case_end(cf_case *c);

/* A case on the device: buffers and kernel. */
typedef struct cf_place { leat_b_buffer *buffer; uint64_t base, size; unsigned char *host; } cf_place;
typedef struct cf_live {
  leat_b_op op;
  leat_b_tensor tensor[2 * CF_TENSORS];
  cf_place place[2 * CF_TENSORS]; /* by tensor; in place: empty */
  leat_b_buffer *shared;
  uint64_t shared_size;
  leat_b_kernel *kernel;
} cf_live;
enum { CF_OWN, CF_WRAPPED, CF_SHARED };
void cf_live_op(cf_case *c, cf_live *l);
leat_status cf_live_buffers(cf_case *c, cf_live *l, int memory, leat_error *err);
leat_status cf_live_enqueue(cf_case *c, cf_live *l, int with_event, leat_error *err);
leat_status cf_live_fetch(cf_case *c, cf_live *l, leat_error *err); /* finishes and reads everything back to after */
void cf_live_free(cf_case *c, cf_live *l);
int cf_untouched(cf_case *c, int64_t output); /* -1, or what was written though it is no element of an output */

/* ---- the parts */
void cf_matrix_ops(cf_suite *s);
void cf_sparse_ops(cf_suite *s);
void cf_map_ops(cf_suite *s);
void cf_loss_ops(cf_suite *s);
void cf_norm_ops(cf_suite *s);
void cf_step_ops(cf_suite *s);
void cf_table_ops(cf_suite *s);
void cf_gradients(cf_suite *s);
void cf_memory(cf_suite *s);
void cf_errors(cf_suite *s);
leat_status cf_performance(cf_suite *s);

/* act and f of docs/ops.md in double: value, slope and the tolerances of map. */
double cf_f(int64_t f, double x);
double cf_f_slope(int64_t f, double x);     /* at x, not at y */
double cf_f_tolerance(int64_t f, double x);
#endif
