/* What batches and datasets are made of; for this room only. */
#ifndef LEAT_DATA_STORE_H
#define LEAT_DATA_STORE_H
#include "data/dataset.h"
typedef struct lt_slot_text { char *text; uint64_t text_cap; uint64_t *end; uint64_t end_cap; } lt_slot_text;
typedef struct lt_slot_csr {
  int64_t *row_start; uint64_t row_cap;
  int32_t *index; uint64_t index_cap;
  float *value; uint64_t value_cap; /* used when has_value */
  int32_t has_value;
} lt_slot_csr;
/* A column's memory. Numbers are row-major [n, width], packed; cap is in bytes, 0 for memory inside the batch's arena. */
typedef struct lt_slot {
  int32_t dtype, present;
  void *data;
  uint64_t cap;
  lt_slot_text *text;
  lt_slot_csr *csr;
} lt_slot;
/* What travels beside the rows; each part is there when its flag is set. */
typedef struct lt_beside {
  char source[256];
  int64_t position;
  int32_t has_source, has_raw, has_bad;
  char *raw; uint64_t raw_cap;
  uint64_t *end; uint64_t end_cap;        /* n + 1, as of a text column */
  int32_t *reason; uint64_t reason_cap;
  int32_t *column; uint64_t column_cap;
  lt_side view;
} lt_beside;
struct leat_batch {
  leat_runtime *rt;
  lt_ref ref;        /* datasets share their rows */
  leat_schema *schema;
  int64_t n;
  lt_slot *slot;     /* schema->n */
  lt_col *col;       /* the same as a view: lt_batch_sync */
  lt_col *window;    /* columns of a view that points elsewhere (lt_dataset_view) */
  lt_side window_side;
  lt_beside *beside; /* NULL: there never was anything */
  void *arena;
  void *held;        /* not NULL: `col` points into what it holds, there are no slots, and the rows never change */
  void (*held_free)(leat_runtime *rt, void *held);
  leat_batch *pin;   /* a chunk that was fetched for views of this batch, or NULL; chunk pin_at of pin_of */
  const void *pin_of;
  int64_t pin_at;
  int lent;          /* `col` points into pin: lt_batch_own copies the rows before they are changed */
};
leat_status lt_batch_own(leat_batch *b, leat_error *err);
void lt_batch_sync(leat_batch *b);
/* side.c. Rows [b->n, n) that are about to be counted have nothing beside them. */
leat_status lt_beside_rows(leat_batch *b, int64_t n, leat_error *err);
/* The same for n rows that come from rows with side s (NULL: nothing): [from, from + n), or those of pick. */
leat_status lt_beside_gather(leat_batch *b, const lt_side *s, const int64_t *pick, int64_t from, int64_t n,
                             leat_error *err);
/* A reader's finds, for a batch of n rows: raw bytes (takes over raw and end, of n + 1, also on failure) and one bad row. */
leat_status lt_beside_put_raw(leat_batch *b, char *raw, uint64_t *end, int64_t n, leat_error *err);
leat_status lt_beside_put_bad(leat_batch *b, int64_t n, int64_t row, int32_t reason, int32_t column, leat_error *err);
void lt_beside_clear(leat_batch *b);
void lt_beside_free(leat_batch *b);
void lt_beside_sync(leat_batch *b); /* part of lt_batch_sync */
const lt_side *lt_beside_view(const leat_batch *b);
/* A source's name of any length: its last 255 bytes. */
leat_status lt_batch_name_source(leat_batch *b, const char *name, int64_t first, leat_error *err);
/* Row b->n of column i is missing; a column that is absent stays so. */
leat_status lt_batch_put_missing(leat_batch *b, int64_t i, leat_error *err);
int32_t lt_column_dtype(const lt_column *c); /* NUMBER: F64 */
/* Make column i present with room for n rows (sparse: nnz entries; text: bytes). What is there already stays. */
leat_status lt_batch_slot_dense(leat_batch *b, int64_t i, int32_t dtype, int64_t n, leat_error *err);
leat_status lt_batch_slot_sparse(leat_batch *b, int64_t i, int64_t n, int64_t nnz, int has_value, leat_error *err);
leat_status lt_batch_slot_text(leat_batch *b, int64_t i, int64_t n, uint64_t bytes, leat_error *err);
/* One block for the numbers of all columns i with want[i] != 0, n rows each, in an empty batch. Columns are laid out one
 * behind the other, at offsets that do not fall into the same cache sets. */
leat_status lt_batch_arena(leat_batch *b, const uint8_t *want, int64_t n, leat_error *err);
/* Rows [from, to) of the numbers x into feature columns that have room. */
void lt_batch_copy_dense(leat_batch *b, const leat_matrix *x, int64_t from, int64_t to);
/* Fails with SHAPE unless x has the schema's dense feature numbers; UNSUPPORTED for a schema without any. */
leat_status lt_batch_check_dense(const leat_schema *s, const leat_matrix *x, leat_matrix *m, leat_error *err);
/* A field of text into column i at row n of b (which is not counted yet). Missing: len 0. */
leat_status lt_batch_put_field(leat_batch *b, int64_t i, const char *s, uint64_t len, leat_error *err);
/* Do the indices of n rows from row_start[0] = 0 ascend within each, from 0 and below width? row_start itself ascends. */
int lt_indices_ascend(const int64_t *row_start, const int32_t *index, int64_t n, int64_t width);
/* How many labels a column may grow to: classes of a target, labels of others. */
int64_t lt_label_limit(const lt_column *c);
/* b becomes rows of s, which has b's columns and maybe more labels behind theirs: codes stay what they are. ARG if not. */
leat_status lt_batch_take_schema(leat_batch *b, leat_schema *s, leat_error *err);
/* Label code of a text: normalises numbers of targets ("+1" is "1"). */
int32_t lt_label_code(const lt_column *c, const char *s, uint64_t len);
/* Normalised text of a target's label: the number's shortest text when it is one. Returns s or buf. */
const char *lt_label_text(const char *s, uint64_t *len, char buf[32]);
/* 1 true, 0 false, -1 neither */
int lt_parse_bool(const char *s, uint64_t len);

typedef struct lt_chunks { /* batches of one schema object, one behind the other */
  leat_runtime *rt;
  lt_ref ref;
  int64_t n;
  leat_batch **batch;
  int64_t *start; /* n + 1: the number of each one's first row */
  /* or, without these: chunks of `each` rows (the last one may have less) that are fetched when they are looked at.
   * *pin: NULL, or what an earlier fetch gave and nobody needs any more. Safe for many threads, each with its own pin. */
  int64_t each, rows;
  void *self;
  leat_status (*fetch)(void *self, int64_t i, leat_batch **pin, leat_error *err);
  void (*release)(void *self); /* batches that were fetched outlive it */
} lt_chunks;
typedef struct lt_pick { leat_runtime *rt; lt_ref ref; int64_t *row; } lt_pick;
typedef struct lt_stream { /* rows in passes, behind a reader */
  void *self;
  leat_status (*next)(void *self, int64_t max_rows, leat_batch *rows, int64_t *got, leat_error *err);
  leat_status (*rewind)(void *self, leat_error *err);
  void (*release)(void *self);
} lt_stream;
struct leat_dataset {
  leat_runtime *rt;
  lt_ref ref;
  lt_owner owner;
  leat_schema *schema;
  leat_batch *base;  /* all rows, or the first chunk; shared by slices and takes; NULL for a stream */
  lt_chunks *chunks; /* NULL: base has all rows */
  lt_pick *pick;     /* rows in another order; NULL: all, in order */
  int64_t first, n;  /* this dataset is rows [first, first + n) of pick or all; n -1: a stream that has not ended */
  int64_t position;
  lt_stream stream;
};
/* Takes over the caller's reference to `base` (also on failure). */
leat_status lt_dataset_of(leat_batch *base, leat_dataset **out, leat_error *err);
/* The same of n >= 1 batches of one schema object, one behind the other. */
leat_status lt_dataset_of_fetched(leat_runtime *rt, leat_schema *s, const lt_chunks *chunks, leat_dataset **out,
                                  leat_error *err); /* takes over chunks->self, also on failure */
leat_status lt_dataset_of_chunks(leat_batch **batch, int64_t n, leat_dataset **out, leat_error *err);
/* Takes over the stream (also on failure: released). */
leat_status lt_dataset_of_stream(leat_runtime *rt, leat_schema *s, const lt_stream *stream, leat_dataset **out,
                                 leat_error *err);
/* The columns of from_dense(x, y, w) without those of x: a batch of x->rows rows. */
leat_status lt_label_batch(leat_runtime *rt, const leat_schema *s, const leat_matrix *x, const leat_matrix *y,
                           const leat_matrix *w, leat_batch **out, leat_error *err);
/* from_dense with names for the block and the target (when s is NULL), and a task. */
leat_status lt_dataset_of_matrix(leat_runtime *rt, const leat_schema *s, const char *block, const char *target,
                                 int task, const leat_matrix *x, const leat_matrix *y, const leat_matrix *w,
                                 leat_dataset **out, leat_error *err);

/* Targets. task: 0 auto, 1 binary, 2 multiclass, 3 regression. */
enum { LT_TASK_AUTO = 0, LT_TASK_BINARY = 1, LT_TASK_MULTICLASS = 2, LT_TASK_REGRESSION = 3 };
/* Are the numbers y[n] (NaN missing, skipped) classes? *labels: the classes, sorted by number, or NULL for regression;
 * *values (lt_free) the number of each. `where` opens the messages. */
leat_status lt_target_decide(leat_runtime *rt, const double *y, int64_t n, int task, const char *where,
                             lt_dict **labels, double **values, leat_error *err);
int32_t lt_target_code(const double *values, int64_t n, double y); /* LT_MISSING for NaN */
/* Column i of b, numbers of kind NUMBER, becomes codes of a CATEGORY when they are classes; the schema of b changes. */
leat_status lt_target_to_classes(leat_batch *b, int64_t i, int task, const char *where, leat_error *err);
/* Text targets: how many classes does the task allow? */
leat_status lt_target_check_classes(int64_t n, int task, const char *where, leat_error *err);
#endif
