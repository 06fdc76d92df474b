/* Radix sort of scores: least significant digit first, 11 bits at a time, digits that are all alike skipped. */
#include "stats/sums.h"
#include <string.h>

enum { SORT_BITS = 11, SORT_PASSES = 6, SORT_SIZE = 1 << SORT_BITS };

/* Doubles as integers of the same order. */
static uint64_t sort_key(double v) {
  uint64_t u;
  v += 0.0; /* -0 becomes 0 */
  memcpy(&u, &v, 8);
  if (v != v) return UINT64_MAX;
  return u >> 63 ? ~u : u | (uint64_t)1 << 63;
}

void lt_sort_scored(lt_scored *v, lt_scored *room, uint64_t n) {
  lt_scored *from = v, *to = room;
  for (int pass = 0; pass < SORT_PASSES && n > 1; pass++) {
    uint64_t at[SORT_SIZE] = {0}, next = 0;
    int shift = pass * SORT_BITS;
    for (uint64_t i = 0; i < n; i++) at[sort_key(from[i].key) >> shift & (SORT_SIZE - 1)]++;
    if (at[sort_key(from[0].key) >> shift & (SORT_SIZE - 1)] == n) continue;
    for (uint64_t b = 0; b < SORT_SIZE; b++) {
      uint64_t count = at[b];
      at[b] = next;
      next += count;
    }
    for (uint64_t i = 0; i < n; i++) to[at[sort_key(from[i].key) >> shift & (SORT_SIZE - 1)]++] = from[i];
    lt_scored *swap = from;
    from = to;
    to = swap;
  }
  if (from != v) memcpy(v, from, n * sizeof *v);
}
