/* A file-system table over POSIX whose k-th call fails as told. */
#ifndef LEAT_POSIX_FILES_H
#define LEAT_POSIX_FILES_H
#include <leat/leat.h>
typedef struct faulty_files {
  int64_t calls, fail_at; /* from 1; 0: never */
  int32_t error;          /* the errno value that the call returns */
  int sticky;             /* every later call of the same kind fails too: a disk that stays full */
  int writes_only;        /* counts writes, truncates, syncs, renames only */
  int short_io;           /* reads and writes move at most this many bytes, 0: all */
  int64_t failed;         /* how many calls failed */
  int64_t open_files;
} faulty_files;
void faulty_table(leat_file_system *table, faulty_files *state);
#endif
