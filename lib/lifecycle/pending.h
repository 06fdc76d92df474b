/* Predictions that wait for their labels, by key, in the order in which they were made. Bounded: at most 1 M records and
 * 256 MiB; the oldest make room. */
#ifndef LEAT_LIFECYCLE_PENDING_H
#define LEAT_LIFECYCLE_PENDING_H
#include "base/bytes.h"
#include "base/hash.h"
typedef struct lt_pending lt_pending;
typedef struct lt_waiting {
  const char *key;
  uint64_t key_size;
  int64_t time_ns;
  uint32_t schema;          /* the owner's number of the schema that `row` was saved with */
  const void *row;          /* lt_rows_save of one row */
  uint64_t row_size;
  const double *served;     /* the prediction */
  int64_t n_served;
} lt_waiting;
leat_status lt_pending_create(leat_runtime *rt, int64_t max_records, int64_t max_bytes, lt_pending **out, leat_error *err);
void lt_pending_free(lt_pending *p);
/* A key that waits already: the new one, made last, takes its place (*replaced 1). *dropped: how many old ones made room; one
 * that alone is larger than max_bytes is dropped itself. Copies. On failure nothing has changed. */
leat_status lt_pending_add(lt_pending *p, const lt_waiting *w, int32_t *replaced, int64_t *dropped, leat_error *err);
/* Finds; the pointers live until the next call that changes p. 0: it is not there. */
int lt_pending_find(const lt_pending *p, const void *key, uint64_t size, lt_waiting *out);
int lt_pending_remove(lt_pending *p, const void *key, uint64_t size);
/* Takes out all that were made before time_ns; how many. */
int64_t lt_pending_expire(lt_pending *p, int64_t time_ns); /* quick, unless the clock was set back in between */
int64_t lt_pending_oldest(const lt_pending *p); /* its time; INT64_MAX when none waits */
int64_t lt_pending_count(const lt_pending *p);
int64_t lt_pending_bytes(const lt_pending *p); /* with 192 a record for what it costs beside its own bytes */
/* One after the other in order, *cursor 0 at first; 0: no more. */
int lt_pending_next(const lt_pending *p, uint32_t *cursor, lt_waiting *out);
void lt_pending_save(const lt_pending *p, lt_put *w); /* in order */
leat_status lt_pending_restore(lt_pending *p, lt_get *r, leat_error *err);
#endif
