/* A file system in memory that can lose power. Everything that was not synced may be lost, in any order, in pieces of 512
 * bytes; names that were made, renamed or removed in a folder that was not synced since may be lost, each for itself. */
#ifndef LEAT_POWER_FILES_H
#define LEAT_POWER_FILES_H
#include <leat/leat.h>
typedef struct power_disk power_disk;
power_disk *power_create(void);
void power_free(power_disk *d);
void power_table(leat_file_system *table, power_disk *d);
/* From the at-th change on (from 1; 0: never) every call fails with EIO; a write that is hit is half done. */
void power_fail_at(power_disk *d, int64_t at);
int64_t power_changes(const power_disk *d); /* writes, truncates, syncs, renames, ... so far */
int power_failed(const power_disk *d);
/* The disk as it is found after the loss; files that were open are closed. The chances follow from the seed. */
void power_restore(power_disk *d, uint64_t seed);
/* At most so many bytes in all files; 0: any. */
void power_limit(power_disk *d, int64_t bytes);
int64_t power_bytes(const power_disk *d);
#endif
