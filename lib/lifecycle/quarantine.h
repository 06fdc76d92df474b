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
/* write 0: a reader; it sees, now and later, what a writer of another process has flushed (no folder: nothing). write 1: the only writer;
 * makes the folder, cuts a torn tail off, finishes a purge. limits NULL: the defaults. */
leat_status lt_quarantine_open(leat_runtime *rt, const char *folder, int write, const lt_quarantine_limits *limits,
                               lt_quarantine **out, leat_error *err);
void lt_quarantine_close(lt_quarantine *q);
/* Holds row r of rows (NULL: a record that could not be read). Ids ascend; one up to lt_quarantine_last_id is ignored (replay). Over a
 * limit, records make room: what was released first, then the oldest of the reason that has most. It may stay in memory until
 * lt_quarantine_sync; then the journal must have been synced up to what it comes from. */
leat_status lt_quarantine_add(lt_quarantine *q, const lt_held *h, const lt_rows *rows, int64_t r, leat_error *err);
leat_status lt_quarantine_sync(lt_quarantine *q, leat_error *err);
leat_status lt_quarantine_refresh(lt_quarantine *q, leat_error *err); /* a reader takes in what came since */
int64_t lt_quarantine_last_id(const lt_quarantine *q);       /* 0 none */
int64_t lt_quarantine_dropped(const lt_quarantine *q);       /* made room */
int64_t lt_quarantine_count(const lt_quarantine *q, int64_t reason); /* held now; 0: all reasons */
/* The next held record behind id *cursor; *cursor becomes its id. NOT_FOUND: no more now. Texts are cut to fit. */
leat_status lt_quarantine_next(lt_quarantine *q, int64_t reason, int64_t *cursor, leat_held_info *info, leat_error *err);
/* LEAT_HELD, LEAT_HELD_RELEASED, or 0 when it is not (no longer) there. */
int64_t lt_quarantine_state(const lt_quarantine *q, int64_t id);
leat_status lt_quarantine_raw(lt_quarantine *q, int64_t id, void *buf, uint64_t cap, uint64_t *needed, leat_error *err);
/* The record's row again, a batch of its schema with the labels of this row and of those read before it (so the schemas of rows read one
 * after the other agree: labels are only added). UNSUPPORTED when the record could not be read when it came. */
leat_status lt_quarantine_row(lt_quarantine *q, int64_t id, leat_batch **out, leat_error *err);
/* Released 1, or (0) one more failed try. at: number of the journal's record that did it: the same or an older one again changes
 * nothing (0: always counts). An id that is no longer there is fine. */
leat_status lt_quarantine_mark(lt_quarantine *q, int64_t id, int released, uint64_t at, leat_error *err);
/* Forgets records with an id above `last`: what a power loss kept of records that the journal lost. The learner calls it
 * when it has replayed its journal, with the number of the last record that it held back. */
leat_status lt_quarantine_cut(lt_quarantine *q, int64_t last, leat_error *err);
/* Takes marks back that a record of the journal behind number `last` made: a power loss kept them, and lost that record. */
leat_status lt_quarantine_unmark(lt_quarantine *q, uint64_t last, leat_error *err);
/* Purges ids (NULL: all; NOT_FOUND when one is not there): first their number is noted and synced, which makes it all or nothing; then new
 * segments without their bytes replace the old ones, which are overwritten. A crash in between: the next writer's open goes on. */
leat_status lt_quarantine_purge(lt_quarantine *q, const int64_t *ids, uint64_t n, int64_t *purged, leat_error *err);
const char *lt_reason_name(int32_t reason);   /* "outlier"; "unknown" */
int32_t lt_reason_find(const char *name);     /* 0 when there is none */
int32_t lt_reason_at(int64_t index);          /* all reasons in order; 0 behind the last */
#endif
