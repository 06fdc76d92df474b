/* DLPack (github.com/dmlc/dlpack): tensors of other libraries as datasets, predictions as tensors. major: 0 for a
 * DLManagedTensor, 1 for a DLManagedTensorVersioned. */
#ifndef LEAT_DATA_DLPACK_H
#define LEAT_DATA_DLPACK_H
#include "data/dataset.h"
/* x's numbers are used where they lie; y and w (NULL: none) are copied. Success takes all three over. */
leat_status lt_dataset_from_dlpack(leat_runtime *rt, const leat_schema *s, int64_t major, void *x, void *y, void *w,
                                   leat_dataset **out, leat_error *err);
/* A tensor [rows, cols] of F32 to be filled; its deleter frees it. */
leat_status lt_dlpack_make(leat_runtime *rt, int64_t major, int64_t rows, int64_t cols, void **tensor, float **data,
                           leat_error *err);
void lt_dlpack_free(int64_t major, void *tensor); /* NULL is fine */
#endif
