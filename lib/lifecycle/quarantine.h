/* The quarantine: held records in segments quarantine/q-N.log (record logs): records (with their schema's number), schemas,
 * changes of state. An index of all is in memory. One writer: the learner, or, while none has the store, whoever holds its
 * lock (purge). */
#ifndef LEAT_LIFECYCLE_QUARANTINE_H
#define LEAT_LIFECYCLE_QUARANTINE_H
#include "data/batch.h"
#include "base/reclog.h"
typedef struct lt_quarantine lt_quarantine;
typedef struct lt_held {
  int64_t id;                /* the learner's own count of held records, from 1: one that is there already is not added again */
  int32_t reason, column;    /* column -1: the whole record */
  int64_t position, time_ns, row; /* row: records learned before it */
  const char *source, *column_name, *detail; /* detail: "nswprice = 1000, 61 deviations from 0.058" */
  const void *raw;           /* as it came; NULL: written from the row */
  uint64_t raw_size;         /* longer than 1 MiB: cut, and the detail says so */
} lt_held;
typedef struct lt_quarantine_limits { int64_t bytes, records; double reason_share; } lt_quarantine_limits; /* 256 MiB, 1 M, .25 */
/* write 0: a reader that sees what is there. */
leat_status lt_quarantine_open(leat_runtime *rt, const char *folder, int write, const lt_quarantine_limits *limits,
                               lt_quarantine **out, leat_error *err);
void lt_quarantine_close(lt_quarantine *q);
/* Holds row r of rows (NULL: a record that could not be read). Over a limit the oldest of the reason that has most make
 * room. The result does not depend on when it is called again for an id that is there (replay). */
leat_status lt_quarantine_add(lt_quarantine *q, const lt_held *h, const lt_rows *rows, int64_t r, leat_error *err);
leat_status lt_quarantine_sync(lt_quarantine *q, leat_error *err);
int64_t lt_quarantine_last_id(const lt_quarantine *q);       /* 0 none */
int64_t lt_quarantine_dropped(const lt_quarantine *q);       /* made room */
int64_t lt_quarantine_count(const lt_quarantine *q, int64_t reason); /* held now; 0: all reasons */
leat_status lt_quarantine_next(lt_quarantine *q, int64_t reason, int64_t *cursor, leat_held_info *info, leat_error *err);
leat_status lt_quarantine_raw(lt_quarantine *q, int64_t id, void *buf, uint64_t cap, uint64_t *needed, leat_error *err);
/* The record's row again, a batch of its schema (rows of one schema share it). UNSUPPORTED when it could not be read. */
leat_status lt_quarantine_row(lt_quarantine *q, int64_t id, leat_batch **out, leat_error *err);
/* State changes: released 1, or one more failed try. Idempotent. */
leat_status lt_quarantine_mark(lt_quarantine *q, int64_t id, int released, leat_error *err);
/* Purges ids (NULL: all): new segments without their bytes replace the old ones, whose bytes are overwritten first. */
leat_status lt_quarantine_purge(lt_quarantine *q, const int64_t *ids, uint64_t n, int64_t *purged, leat_error *err);
const char *lt_reason_name(int32_t reason);   /* "outlier"; "unknown" */
int32_t lt_reason_find(const char *name);     /* 0 when there is none */
int32_t lt_reason_at(int64_t index);          /* all reasons in order; 0 behind the last */
#endif
