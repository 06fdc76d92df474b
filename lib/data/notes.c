/* What a text reader notes about its rows beside their fields: the bytes they came as, and why some could not be read. */
#include <string.h>

#include "data/reader.h"

void lt_notes_free(leat_runtime *rt, lt_notes *x) {
  lt_free(rt, x->start);
  lt_free(rt, x->end);
  lt_free(rt, x->reason);
  lt_free(rt, x->column);
  memset(x, 0, sizeof *x);
}

leat_status lt_notes_room(leat_runtime *rt, int64_t n, lt_notes *x, leat_error *err) {
  uint64_t rows = (uint64_t)n + 1;
  x->start = lt_zarray(rt, rows, sizeof *x->start);
  x->end = lt_zarray(rt, rows, sizeof *x->end);
  x->reason = lt_zarray(rt, rows, sizeof *x->reason);
  x->column = lt_zarray(rt, rows, sizeof *x->column);
  x->n = n;
  if (x->start && x->end && x->reason && x->column) return LEAT_OK;
  lt_notes_free(rt, x);
  return lt_fail_memory(err, rows * 24, "notes on rows");
}

void lt_note_raw(lt_notes *x, int64_t row, const char *from, const char *to) {
  if (to > from && to[-1] == '\n') to--;
  if (to > from && to[-1] == '\r') to--;
  x->start[row] = from;
  x->end[row + 1] = (uint64_t)(to - from);
}

void lt_note_bad(lt_notes *x, int64_t row, int32_t reason, int32_t column, const char *from, const char *to) {
  x->reason[row] = reason;
  x->column[row] = column;
  lt_note_raw(x, row, from, to);
  if (reason == LEAT_REASON_TOO_LONG && x->end[row + 1] > LT_RAW_MOST) x->end[row + 1] = LT_RAW_MOST;
}

typedef struct raw_job { const lt_notes *x; char *raw; } raw_job;
enum { RAW_TILE = 4096 };

static void copy_raw(void *arg, int64_t i) {
  raw_job *job = arg;
  const lt_notes *x = job->x;
  int64_t to = (i + 1) * RAW_TILE < x->n ? (i + 1) * RAW_TILE : x->n;
  for (int64_t r = i * RAW_TILE; r < to; r++) {
    uint64_t len = x->end[r + 1] - x->end[r];
    if (len) memcpy(job->raw + x->end[r], x->start[r], len);
  }
}

leat_status lt_notes_give(leat_batch *b, lt_notes *x, int raw, int64_t bad, leat_error *err) {
  leat_status st = LEAT_OK;
  if (bad) {
    for (int64_t r = 0; r < x->n; r++)
      if (!x->reason[r]) x->column[r] = -1;
    st = lt_beside_put_reasons(b, x->reason, x->column, x->n, err);
    x->reason = x->column = NULL;
  }
  if (st || (!bad && !raw)) return st;
  for (int64_t r = 0; r < x->n; r++) x->end[r + 1] += x->end[r];
  char *bytes = lt_alloc(b->rt, x->end[x->n] + 1);
  if (!bytes) return lt_fail_memory(err, x->end[x->n], "the bytes of rows");
  raw_job job = {x, bytes};
  st = lt_parallel_for(b->rt, (x->n + RAW_TILE - 1) / RAW_TILE, copy_raw, &job);
  if (st) {
    lt_free(b->rt, bytes);
    return lt_fail(err, st, "the bytes of rows could not be copied");
  }
  st = lt_beside_put_raw(b, bytes, x->end, x->n, err);
  x->end = NULL;
  return st;
}
