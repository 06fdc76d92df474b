/* What a text reader notes about its rows beside their fields: the bytes they came as, and why some could not be read. */
#include <string.h>

#include "data/reader.h"

void lt_notes_free(leat_runtime *rt, lt_notes *x) {
  lt_free(rt, x->start);
  lt_free(rt, x->len);
  lt_free(rt, x->reason);
  lt_free(rt, x->column);
  memset(x, 0, sizeof *x);
}

leat_status lt_notes_room(leat_runtime *rt, int64_t n, lt_notes *x, leat_error *err) {
  uint64_t rows = (uint64_t)n;
  if (n > x->cap) {
    lt_notes_free(rt, x);
    x->start = lt_array(rt, rows, sizeof *x->start);
    x->len = lt_array(rt, rows, sizeof *x->len);
    x->reason = lt_array(rt, rows, sizeof *x->reason);
    x->column = lt_array(rt, rows, sizeof *x->column);
    if (!x->start || !x->len || !x->reason || !x->column) {
      lt_notes_free(rt, x);
      return lt_fail_memory(err, rows * 24, "notes on rows");
    }
    x->cap = n;
  }
  x->n = n;
  memset(x->len, 0, rows * sizeof *x->len);
  memset(x->reason, 0, rows * sizeof *x->reason);
  return LEAT_OK;
}

void lt_note_raw(lt_notes *x, int64_t row, const char *from, const char *to) {
  if (to > from && to[-1] == '\n') to--;
  if (to > from && to[-1] == '\r') to--;
  x->start[row] = from;
  x->len[row] = (uint64_t)(to - from);
}

void lt_note_bad(lt_notes *x, int64_t row, int32_t reason, int32_t column, const char *from, const char *to) {
  x->reason[row] = reason;
  x->column[row] = column;
  lt_note_raw(x, row, from, to);
  if (reason == LEAT_REASON_TOO_LONG && x->len[row] > LT_RAW_MOST) x->len[row] = LT_RAW_MOST;
}

typedef struct raw_job { const lt_notes *x; char *raw; const uint64_t *end; } raw_job;
enum { RAW_TILE = 4096 };

static void copy_raw(void *arg, int64_t i) {
  raw_job *job = arg;
  const lt_notes *x = job->x;
  int64_t to = (i + 1) * RAW_TILE < x->n ? (i + 1) * RAW_TILE : x->n;
  for (int64_t r = i * RAW_TILE; r < to; r++)
    if (x->len[r]) memcpy(job->raw + job->end[r], x->start[r], x->len[r]);
}

static leat_status give_bad(leat_batch *b, const lt_notes *x, leat_error *err) {
  leat_status st = LEAT_OK;
  for (int64_t r = 0; !st && r < x->n; r++)
    if (x->reason[r]) st = lt_beside_put_bad(b, x->n, r, x->reason[r], x->column[r], err);
  return st;
}

leat_status lt_notes_give(leat_batch *b, const lt_notes *x, int raw, int64_t bad, leat_error *err) {
  leat_status st = bad ? give_bad(b, x, err) : LEAT_OK;
  if (st || (!bad && !raw)) return st;
  uint64_t *end = lt_array(b->rt, (uint64_t)x->n + 1, sizeof *end), at = 0;
  if (!end) return lt_fail_memory(err, (uint64_t)x->n * sizeof *end, "the bytes of rows");
  end[0] = 0;
  for (int64_t r = 0; r < x->n; r++) end[r + 1] = at += x->len[r];
  char *bytes = lt_alloc(b->rt, at + 1);
  raw_job job = {x, bytes, end};
  if (!bytes) st = lt_fail_memory(err, at, "the bytes of rows");
  else if ((st = lt_parallel_for(b->rt, (x->n + RAW_TILE - 1) / RAW_TILE, copy_raw, &job)) != 0)
    st = lt_fail(err, st, "the bytes of rows could not be copied");
  if (!st) return lt_beside_put_raw(b, bytes, end, x->n, err);
  lt_free(b->rt, bytes);
  lt_free(b->rt, end);
  return st;
}
