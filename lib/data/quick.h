/* The usual entries of a sparse row, `index:decimal` with single blanks between them. Where each one ends is told by a mask
 * of 64 bytes, so that reading one does not wait for the one before it (the idea of Langdale and Lemire: "Parsing gigabytes
 * of JSON per second", VLDB Journal 2019). Whatever is unusual stops it, and the careful reader goes on from there. */
#ifndef LEAT_DATA_QUICK_H
#define LEAT_DATA_QUICK_H
#include "data/decimal.h"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif
typedef struct lt_quick {
  int64_t last;          /* index of the entry before, as written */
  int64_t shift, width;  /* entries with index - shift in [0, width) */
  int32_t *index;        /* where the next one goes, index - shift */
  float *value;
  int64_t n;             /* read so far */
  int32_t first;         /* the first one's index as written, when n > 0 */
  int ones;              /* every value was 1 */
} lt_quick;

#if defined(__x86_64__) && defined(__GNUC__)
#define LT_QUICK_AVX2 1
/* The same for processors that have AVX2 and BMI. */
const char *lt_quick_entries_avx2(const char *p, const char *end, const char *readable, lt_quick *q);
#define LT_QUICK_HAS_AVX2() (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi"))
#endif

/* Reads entries from p to the end of the line, `end`; bytes before `readable` can be looked at. Returns the start of the
 * first entry that was not read, or end. */
static inline const char *lt_quick_entries(const char *p, const char *end, const char *readable, lt_quick *q) {
#if defined(__SSE2__)
  const __m128i colons = _mm_set1_epi8(':'), blanks = _mm_set1_epi8(' '), lines = _mm_set1_epi8('\n');
  while (p < end && readable - p > 64 + LT_DECIMAL_ROOM) {
    const char *begin = p;
    uint64_t colon = 0, blank = 0;
    for (unsigned k = 0; k < 4; k++) {
      __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * k));
      __m128i b = _mm_or_si128(_mm_cmpeq_epi8(v, blanks), _mm_cmpeq_epi8(v, lines));
      colon |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, colons)) << 16 * k;
      blank |= (uint64_t)(unsigned)_mm_movemask_epi8(b) << 16 * k;
    }
    for (; colon && blank; colon &= colon - 1, blank &= blank - 1) {
      const char *point = begin + __builtin_ctzll(colon), *stop = begin + __builtin_ctzll(blank);
      uint64_t index;
      double v;
      if (point <= p || stop <= point || (int64_t)lt_eight_digits(p, &index) != point - p) return p;
      const char *behind = lt_word_decimal(point + 1, &v);
      if (behind != stop && lt_decimal(point + 1, &v) != stop) return p;
      int64_t slot = (int64_t)index - q->shift;
      if ((int64_t)index <= q->last || slot < 0 || slot >= q->width) return p;
      if (!q->n) q->first = (int32_t)index;
      q->last = (int64_t)index;
      q->index[q->n] = (int32_t)slot;
      q->value[q->n] = (float)v;
      q->ones &= (float)v == 1.0f;
      q->n++;
      p = stop + 1;
      if (stop >= end) return end;
    }
    if (p == begin) break;
  }
#else
  (void)end, (void)readable, (void)q;
#endif
  return p;
}
#endif
