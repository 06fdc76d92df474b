/* The two halves of sorting: in memory (sorter.c), on disk (runs.c). */
#ifndef LEAT_SERVE_SORTER_H
#define LEAT_SERVE_SORTER_H
#include "serve/table_inner.h"
enum { SORT_SEG_BITS = 22 }; /* a segment holds fewer bytes than 2^this */
typedef struct sort_entry { uint64_t order, at; } sort_entry;
typedef struct sort_seg { uint8_t *bytes; uint64_t used, first; } sort_seg; /* first: row */
typedef struct sort_run { uint64_t from, to; } sort_run;                     /* bytes of the file */
/* A run while it is merged. */
typedef struct sort_tape {
  uint64_t at, to;      /* of the file, behind what is in buf */
  uint8_t *buf;
  uint64_t cap, used, place;
  lt_table_row row;     /* in buf; size 0: at the end */
  uint64_t rank;        /* of its run: later ones win */
} sort_tape;
struct lt_sorter {
  leat_runtime *rt;
  char *path;
  int layout, refuse_twice;
  uint64_t value_bytes, memory, seg_bytes;
  sort_seg *seg;        /* rows: u16 length, key, values */
  uint64_t n_segs, have_segs, cap_segs, n, cap_entries;
  uint64_t common;      /* bytes that all keys in memory begin with */
  sort_entry *entry;
  uint64_t place;
  uint64_t rows, key_bytes;
  uint32_t key_min, key_max;
  lt_file *file;
  char *file_name;
  uint64_t file_size;
  sort_run *run;
  uint64_t n_runs, cap_runs;
  sort_tape *tape;      /* a heap of the runs, the next row's first */
  uint64_t n_tapes, live_tapes;
  uint8_t *last;        /* the row that was given out */
};
leat_status lt_sorter_memory_next(lt_sorter *s, lt_table_row *row, int32_t *got, leat_error *err);
leat_status lt_sorter_same(lt_sorter *s, const lt_table_row *row, leat_error *err); /* a key again: DATA if refused */
leat_status lt_sorter_spill(lt_sorter *s, leat_error *err);
leat_status lt_sorter_merge_begin(lt_sorter *s, leat_error *err);
leat_status lt_sorter_merge_next(lt_sorter *s, lt_table_row *row, int32_t *got, leat_error *err);
void lt_sorter_merge_end(lt_sorter *s);
#endif
