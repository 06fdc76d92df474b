/* Files that hold one array: a block of numbers, with labels beside it. */
#ifndef LEAT_DATA_BLOCK_H
#define LEAT_DATA_BLOCK_H
#include "data/reader.h"
/* An array as its file describes it: [rows, cols], elements of `size` bytes at data. */
typedef struct lt_block {
  int64_t rows, cols;
  int32_t dtype;      /* LEAT_* */
  int swapped;        /* bytes in the other order */
  int by_columns;     /* Fortran order */
  const char *data;
} lt_block;
/* Describe the array in `size` bytes; FORMAT when they are not one. */
leat_status lt_block_idx(const char *name, const char *data, uint64_t size, lt_block *out, leat_error *err);
leat_status lt_block_npy(const char *name, const char *data, uint64_t size, lt_block *out, leat_error *err);
/* Rows times columns elements of `size` bytes must be what is left. */
leat_status lt_block_fits(const char *name, const lt_block *b, uint64_t left, leat_error *err);
int64_t lt_block_element(int32_t dtype);
typedef leat_status (*lt_block_fn)(const char *name, const char *data, uint64_t size, lt_block *out, leat_error *err);
/* The body of both readers. */
leat_status lt_block_open(leat_runtime *rt, const leat_schema *s, lt_source *src, const leat_params *p,
                          lt_block_fn describe, const char *block_name, leat_dataset **out, leat_error *err);
#endif
