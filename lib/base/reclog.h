/* Record logs: append-only files of checksummed records. The second on-disk primitive (journal, MANIFEST, quarantine).
 * A file starts with a header (magic, kind, version, first sequence number, checksum); a record is
 * [u32 size][u16 type][u16 check][u64 sequence][u64 durable][u64 XXH3 of these and the payload][payload][zeros to 8].
 * check: of the head by itself; logs of the first magic number have none (0), and are read and continued as they are.
 * `durable` is how many bytes of the file were known to be on the disk when the record was written. It tells a crash
 * from damage: behind a bad record at offset x, a good one with durable > x proves that x had been written safely, so
 * the log is damaged (FORMAT, never truncated); with none, the bad record and all behind it are what a crash may leave
 * of writes that were not synced, in any order: a torn tail, which opening for append reports and cuts off. */
#ifndef LEAT_BASE_RECLOG_H
#define LEAT_BASE_RECLOG_H
#include "base/bytes.h"
typedef struct lt_reclog lt_reclog;
typedef struct lt_record { uint32_t type; uint64_t sequence; const void *data; uint64_t size; uint64_t offset; } lt_record;
/* Creates (STATE when the file is there; the header and the folder's entry are synced) or opens for append, which syncs:
 * what it found is durable from then on. kind: 4 characters. */
leat_status lt_reclog_create(leat_runtime *rt, const char *path, const char kind[4], uint32_t version,
                             uint64_t first_sequence, lt_reclog **out, leat_error *err);
leat_status lt_reclog_append_open(leat_runtime *rt, const char *path, const char kind[4], uint32_t reader_version,
                                  lt_reclog **out, uint64_t *torn_bytes, leat_error *err);
/* Buffers a record (less than 2 GiB); *sequence is its number. Nothing is durable before lt_reclog_sync returned OK. After a failed write
 * or sync the log refuses every further call with IO (a file is never written again after a failed fsync). */
leat_status lt_reclog_append(lt_reclog *l, uint32_t type, const void *data, uint64_t size, uint64_t *sequence,
                             leat_error *err);
leat_status lt_reclog_flush(lt_reclog *l, leat_error *err); /* to the file system */
leat_status lt_reclog_sync(lt_reclog *l, leat_error *err);  /* flush + fsync */
uint64_t lt_reclog_size(const lt_reclog *l);
uint64_t lt_reclog_next_sequence(const lt_reclog *l);
uint64_t lt_reclog_first_sequence(const lt_reclog *l); /* as the header says */
/* Reading, from the first record or from a record's offset, also while another process appends. At the end: *got 0, and
 * calling again later looks again. *torn 1: the end was torn, or is being written. out->data lives until the next call. */
leat_status lt_reclog_read_open(leat_runtime *rt, const char *path, const char kind[4], uint32_t reader_version,
                                lt_reclog **out, leat_error *err);
leat_status lt_reclog_seek(lt_reclog *l, uint64_t offset, leat_error *err);
leat_status lt_reclog_next(lt_reclog *l, lt_record *out, int32_t *got, int32_t *torn, leat_error *err);
leat_status lt_reclog_close(lt_reclog *l, leat_error *err); /* does not sync; frees l even on failure */
#endif
