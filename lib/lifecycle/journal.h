/* The learner's journal: everything that its state depends on, in order. Segments journal/j-SEQUENCE.log (sixteen hex
 * digits: the first sequence number) of record logs; sequence numbers run on from segment to segment. A record says in
 * its first bytes nothing about the clock; what depended on the clock is a record of its own. */
#ifndef LEAT_LIFECYCLE_JOURNAL_H
#define LEAT_LIFECYCLE_JOURNAL_H
#include "base/reclog.h"
typedef struct lt_journal lt_journal;
enum {
  LT_J_SCHEMA = 1,   /* a schema: rows behind it are of it */
  LT_J_LABELS,       /* labels that a column of the schema has got since */
  LT_J_ROWS,         /* rows fed, with what travels beside them */
  LT_J_PREDICT,      /* keyed rows that wait for their labels */
  LT_J_LABEL,        /* keyed labels */
  LT_J_RELEASE,      /* held records that were released, with their rows */
  LT_J_SNAPSHOT,     /* by hand */
  LT_J_ROLLBACK,     /* by hand: a version's package checksum and number */
  LT_J_CLOCK,        /* the time moved on: labels before it expire */
  LT_J_THAW,
  LT_J_BEGIN         /* first record of all: parameters */
};
/* folder: exists. create: no segment may be there (STATE). open: finds the segments, cuts a torn tail off the last one
 * (*torn_bytes), goes on behind it; NOT_FOUND when there is none. Damage of the last one is FORMAT; the others, and that there is no hole
 * between them, are checked by whoever reads them. segment_bytes: a new segment begins behind so many. */
leat_status lt_journal_create(leat_runtime *rt, const char *folder, uint64_t segment_bytes, lt_journal **out,
                              leat_error *err);
leat_status lt_journal_open(leat_runtime *rt, const char *folder, uint64_t segment_bytes, lt_journal **out,
                            uint64_t *torn_bytes, leat_error *err);
/* Appends and flushes to the file system (kill -9 keeps it, power loss may not). After a failure every further call is IO. */
leat_status lt_journal_append(lt_journal *j, uint32_t type, const void *data, uint64_t size, uint64_t *sequence,
                              leat_error *err);
leat_status lt_journal_sync(lt_journal *j, leat_error *err); /* nothing to do when nothing came since the last one */
uint64_t lt_journal_next(const lt_journal *j);   /* sequence number of the next record; the first one is 1 */
uint64_t lt_journal_first(const lt_journal *j);  /* oldest record that it can still hold: drop goes up to here */
uint64_t lt_journal_synced(const lt_journal *j); /* all records up to and with this one are on the disk; 0 none */
int64_t lt_journal_bytes(const lt_journal *j);   /* of all segments */
/* Removes segments whose records are all before `keep`. */
leat_status lt_journal_drop(lt_journal *j, uint64_t keep, leat_error *err);
void lt_journal_close(lt_journal *j);            /* does not sync */
/* Reading, from `from` on (NOT_FOUND when it has been dropped), up to what was written when it was opened. */
typedef struct lt_journal_reader lt_journal_reader;
leat_status lt_journal_read(leat_runtime *rt, const char *folder, uint64_t from, lt_journal_reader **out, leat_error *err);
leat_status lt_journal_next_record(lt_journal_reader *r, lt_record *out, int32_t *got, leat_error *err);
void lt_journal_read_close(lt_journal_reader *r);
#endif
