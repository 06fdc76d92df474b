/* Dataset: immutable chunks of rows of one frozen schema, views of them (slice, take), or a stream of chunks. */
#ifndef LEAT_DATA_DATASET_H
#define LEAT_DATA_DATASET_H
#include "data/batch.h"
#include "base/params.h"
leat_status lt_dataset_from_dense(leat_runtime *rt, const leat_schema *s, const leat_matrix *x, const leat_matrix *y,
                                  const leat_matrix *w, leat_dataset **out, leat_error *err);
leat_status lt_dataset_from_csr(leat_runtime *rt, const leat_schema *s, const leat_csr *x, const leat_matrix *y,
                                const leat_matrix *w, leat_dataset **out, leat_error *err);
leat_status lt_dataset_open(leat_runtime *rt, const leat_schema *s, const char *path, const leat_params *reader,
                            leat_dataset **out, leat_error *err);
leat_status lt_dataset_from_reader(leat_runtime *rt, const leat_schema *s, const leat_params *reader, const char *name,
                                   int64_t (*pull)(void *user, void *buf, uint64_t cap), void *user, leat_dataset **out,
                                   leat_error *err);
leat_status lt_dataset_slice(const leat_dataset *d, int64_t first, int64_t count, leat_dataset **out, leat_error *err);
leat_status lt_dataset_take(const leat_dataset *d, const int64_t *rows, uint64_t n, leat_dataset **out,
                            leat_error *err);
void lt_dataset_ref(const leat_dataset *d);
void lt_dataset_free(const leat_dataset *d);
leat_runtime *lt_dataset_runtime(const leat_dataset *d);
leat_schema *lt_dataset_schema(const leat_dataset *d); /* borrowed */
int64_t lt_dataset_rows(const leat_dataset *d);        /* -1: a stream that is not read to its end */
int lt_dataset_streams(const leat_dataset *d);
/* Random access (not for streams), safe for many threads each with its own scratch: up to n rows from `first` as a view.
 * out->n is n, or less at the end of the dataset: a view inside one chunk points into it without copying, one that
 * crosses chunks or goes through a selection is gathered into scratch (a batch of the dataset's schema). */
leat_status lt_dataset_view(const leat_dataset *d, int64_t first, int64_t n, leat_batch *scratch, lt_rows *out,
                            leat_error *err);
/* Are all rows in one piece, so that views of any of them point into it? */
int lt_dataset_is_whole(const leat_dataset *d);
leat_status lt_dataset_next(leat_dataset *d, int64_t max_rows, leat_batch *rows, int64_t *got, leat_error *err);
leat_status lt_dataset_rewind(leat_dataset *d, leat_error *err);
/* XXH3-64 over rows, schema and contents (independent of chunks and threads): a checkpoint remembers it. */
leat_status lt_dataset_checksum(const leat_dataset *d, uint64_t *sum, leat_error *err);
/* Writes the rows from the dataset's position on as a dataset file (settings: lt_spec_ldat_write, or NULL), in the memory of
 * a block, into place when it is whole. *rows (may be NULL): how many. */
leat_status lt_dataset_save(leat_dataset *d, const char *path, const leat_params *settings, int64_t *rows,
                            leat_error *err);
extern const lt_spec lt_spec_ldat_write;
/* The specs of the readers, for the registry of the api floor. */
const lt_spec *const *lt_reader_specs(int64_t *count);
#endif
