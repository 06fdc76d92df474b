/* Batch: owned, growing rows of a schema. */
#ifndef LEAT_DATA_BATCH_H
#define LEAT_DATA_BATCH_H
#include "data/rows.h"
leat_status lt_batch_create(leat_runtime *rt, leat_schema *s, leat_batch **out, leat_error *err); /* refs s */
void lt_batch_free(leat_batch *b);
void lt_batch_clear(leat_batch *b);
leat_status lt_batch_set_dense(leat_batch *b, const leat_matrix *x, leat_error *err);
leat_status lt_batch_set_csr(leat_batch *b, const leat_csr *x, leat_error *err);
leat_status lt_batch_add_text(leat_batch *b, const char *const *fields, uint64_t n, leat_error *err);
leat_status lt_batch_set_labels(leat_batch *b, const leat_matrix *y, const leat_matrix *w, leat_error *err);
/* Appends rows [from, from + n) of `rows` (same schema object or equal one). */
leat_status lt_batch_append(leat_batch *b, const lt_rows *rows, int64_t from, int64_t n, leat_error *err);
/* Appends the n rows `pick[i]` of `rows`. */
leat_status lt_batch_gather(leat_batch *b, const lt_rows *rows, const int64_t *pick, int64_t n, leat_error *err);
/* What travels beside the rows: lt_rows.side of views. append and gather copy reason, column and raw. An empty batch
 * without a source takes on the source of rows that are appended, and loses it when rows come that do not follow those
 * before them there; gathered rows give none. lt_batch_clear takes all of it out. */
leat_status lt_batch_set_source(leat_batch *b, const char *source, int64_t first, leat_error *err); /* NULL: none */
leat_status lt_batch_add_bad(leat_batch *b, int32_t reason, int64_t column, const void *raw, uint64_t size, leat_error *err);
/* Rows to bytes and back with their side (the journal): whole arrays at once, about as fast as memory is copied. The
 * schema is not in the bytes: load refs s, which may have got labels since; FORMAT for bytes that are none of its rows. */
void lt_batch_save(const lt_rows *rows, lt_put *w);
leat_status lt_batch_load(leat_runtime *rt, leat_schema *s, lt_get *r, leat_batch **out, leat_error *err);
void lt_batch_rows(const leat_batch *b, lt_rows *out); /* a view, valid until b changes */
leat_runtime *lt_batch_runtime(const leat_batch *b);
leat_schema *lt_batch_schema(const leat_batch *b);
/* A caller's leat_matrix checked: struct size, pointers, shape [rows, cols] (-1: any), packed strides filled in, no
 * overflow of the address range. `what` names it in messages. */
leat_status lt_matrix_check(const leat_matrix *m, int64_t rows, int64_t cols, uint32_t dtype_mask, const char *what,
                            leat_matrix *out, leat_error *err);
double lt_matrix_get(const leat_matrix *m, int64_t r, int64_t c); /* any numeric dtype but F16, BF16 */
void lt_matrix_set(const leat_matrix *m, int64_t r, int64_t c, double v); /* F32, F64 */
#endif
