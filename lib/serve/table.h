/* Tables of predictions (.ltab): immutable files that answer keys. See docs/tables.md and docs/formats.md. */
#ifndef LEAT_SERVE_TABLE_H
#define LEAT_SERVE_TABLE_H
#include "model/predictor.h"
extern const lt_spec lt_table_write_spec; /* "table/write" */
extern const lt_spec lt_table_read_spec;  /* "table/read" */

/* ---- writing. One thread at a time. */
leat_status lt_table_writer_create(leat_runtime *rt, const char *path, const leat_params *p, const leat_model *m,
                                   leat_table_writer **out, leat_error *err);
void lt_table_writer_free(leat_table_writer *w);
lt_owner *lt_table_writer_owner(leat_table_writer *w);
leat_status lt_table_writer_add(leat_table_writer *w, const void *key, uint64_t size, const float *value, uint64_t n,
                                leat_error *err);
leat_status lt_table_writer_score(leat_table_writer *w, leat_dataset *d, const leat_device *dev, leat_error *err);
leat_status lt_table_writer_finish(leat_table_writer *w, leat_error *err);

/* ---- reading: any number of threads */
leat_status lt_table_open(leat_runtime *rt, const char *path, const leat_params *p, leat_table **out, leat_error *err);
leat_status lt_table_open_bytes(leat_runtime *rt, const void *data, uint64_t size, const char *name, int verify,
                                leat_table **out, leat_error *err); /* borrows data */
void lt_table_ref(const leat_table *t);
void lt_table_free(const leat_table *t);
leat_status lt_table_info(const leat_table *t, leat_table_info *info, leat_error *err);
leat_status lt_table_get(const leat_table *t, const void *key, uint64_t size, float *value, uint64_t cap, int64_t *found,
                         leat_error *err);
leat_status lt_table_get_many(const leat_table *t, const void *keys, const uint64_t *ends, uint64_t n,
                              leat_matrix *values, int64_t *found, leat_error *err);

/* ---- one thread's reader: a cache of unpacked blocks, and a place in the table */
leat_status lt_table_reader_create(const leat_table *t, uint64_t cache_bytes, leat_table_reader **out, leat_error *err);
void lt_table_reader_free(leat_table_reader *r);
lt_owner *lt_table_reader_owner(leat_table_reader *r);
leat_status lt_table_reader_get(leat_table_reader *r, const void *key, uint64_t size, float *value, uint64_t cap,
                                int64_t *found, leat_error *err);
leat_status lt_table_reader_get_rows(leat_table_reader *r, const leat_batch *rows, leat_predictor *live,
                                     leat_matrix *values, int64_t *found, leat_error *err);
leat_status lt_table_reader_seek(leat_table_reader *r, const void *from, uint64_t size, leat_error *err);
leat_status lt_table_reader_next(leat_table_reader *r, void *key, uint64_t cap, uint64_t *needed, float *value,
                                 uint64_t n, leat_error *err);

/* ---- whole tables */
leat_status lt_table_merge(leat_runtime *rt, const char *const *paths, uint64_t n, const char *to, const leat_params *p,
                           leat_error *err);
typedef void (*lt_table_each)(void *user, int64_t what, const void *key, uint64_t size, const float *a, const float *b);
leat_status lt_table_diff(const leat_table *a, const leat_table *b, double tolerance, lt_table_each each, void *user,
                          leat_table_changes *out, leat_error *err);
#endif
