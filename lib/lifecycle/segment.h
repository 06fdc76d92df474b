/* The numbered segment files of a folder: PREFIX-NUMBER.log (sixteen hex digits), and PREFIX-NUMBER.G.log for the G-th
 * rewriting of one (the highest G is the one that counts). What journal and quarantine share. */
#ifndef LEAT_LIFECYCLE_SEGMENT_H
#define LEAT_LIFECYCLE_SEGMENT_H
#include "base/bytes.h"
typedef struct lt_segment { uint64_t number; uint32_t generation; } lt_segment;
typedef struct lt_segments {
  leat_runtime *rt;
  lt_segment *at;      /* by number, then generation */
  uint64_t n, cap;
  lt_put left;         /* names of what crashes left (temporaries), each with its NUL */
  char prefix;
  int32_t failed;      /* no memory while listing */
} lt_segments;
/* NOT_FOUND when there is no such folder; *out is empty then. */
leat_status lt_segments_find(leat_runtime *rt, const char *folder, char prefix, lt_segments *out, leat_error *err);
void lt_segments_free(lt_segments *s);
/* "FOLDER/NAME", fresh (lt_free); NULL without memory. */
char *lt_segment_path(leat_runtime *rt, const char *folder, char prefix, lt_segment name, const char *suffix);
/* *hollow 1: the file has no whole header, and no room behind it in which a record could be. */
leat_status lt_segment_hollow(leat_runtime *rt, const char *path, int32_t *hollow, leat_error *err);
/* Overwrites a file with zeros, syncs and removes it (absent: OK). The folder is not synced. */
leat_status lt_segment_wipe(leat_runtime *rt, const char *path, leat_error *err);
/* Wipes what crashes left. */
leat_status lt_segments_tidy(const lt_segments *s, const char *folder, leat_error *err);
#endif
