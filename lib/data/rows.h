/* Rows: what every consumer of data sees, and never owns. One lt_col for each column of `schema`, in its order.
 * A column without data (IGNORE, or absent) has data == NULL, row_start == NULL and text == NULL. */
#ifndef LEAT_DATA_ROWS_H
#define LEAT_DATA_ROWS_H
#include "data/schema.h"
typedef struct lt_col {
  /* NUMBER and blocks: F32, F64 (NaN missing), U8, or in rows of another owner (Arrow, DLPack) any integer type, none of
   * them missing; batches have the first three. BOOL: U8 0/1, 255 missing. CATEGORY: I32 codes of schema's labels,
   * LT_MISSING, LT_UNSEEN. TIME: I64 nanoseconds, INT64_MIN missing. Element (r, j) = data[r*row_stride + j*col_stride]
   * in elements. */
  int32_t dtype;
  int64_t row_stride, col_stride;
  const void *data;
  /* a sparse block: indices from 0, ascending within a row; value NULL: ones; F32 */
  const int64_t *row_start;
  const int32_t *index;
  const float *value;
  /* TEXT, ID, KEY columns: row r is text[text_end[r - 1] .. text_end[r]) (text_end[-1] is valid: the view points one
   * past the first entry of an array of n + 1); empty is missing */
  const char *text;
  const uint64_t *text_end;
} lt_col;
/* What may travel beside the columns; each pointer NULL when it was not kept. */
typedef struct lt_side {
  const char *source;        /* where the rows come from; row r has position `position` + r there. NULL: not said */
  int64_t position;
  const char *raw;           /* row r as it came, without its line end: raw[raw_end[r - 1] .. raw_end[r]) (raw_end[-1] is
                                valid); empty: not kept for this row */
  const uint64_t *raw_end;
  const int32_t *reason;     /* 0, or why row r could not be read (leat_reason): all its fields are missing */
  const int32_t *column;     /* the column at fault, -1 none; with reason */
} lt_side;
void lt_side_shift(const lt_side *s, int64_t first, lt_side *out); /* the side of rows from `first` on */
typedef struct lt_rows {
  const leat_schema *schema;
  int64_t n;
  int64_t first;      /* absolute number of row 0 in its dataset, from 0 */
  const lt_col *col;  /* schema->n of them */
  const lt_side *side; /* NULL: nothing */
} lt_rows;
int64_t lt_dtype_size(int32_t dtype); /* of an lt_col's elements, in bytes */
/* The type in which a batch keeps the elements of v. */
int32_t lt_col_kept(const lt_column *c, const lt_col *v);
/* Element (r, j) of a number-like column as double: NaN when missing; CATEGORY: its code, NaN missing, -2 unseen. */
double lt_col_number(const lt_column *c, const lt_col *v, int64_t r, int64_t j);
/* A label of any kind as the trainer wants it: class code (CATEGORY target) or number; NaN missing or unseen. */
double lt_rows_target(const lt_rows *rows, int64_t column, int64_t r);
const char *lt_col_text(const lt_col *v, int64_t r, uint64_t *n);
/* A field as text, as a reader would read it back. Appends to w. */
leat_status lt_rows_text(const lt_rows *rows, int64_t r, int64_t column, lt_put *w, leat_error *err);
/* Rows to bytes and back (golden rows of a package, later the journal). The schema is not in the bytes. */
void lt_rows_save(const lt_rows *rows, lt_put *w);
leat_status lt_rows_load(leat_runtime *rt, const leat_schema *s, lt_get *r, leat_batch **out, leat_error *err);
#endif
