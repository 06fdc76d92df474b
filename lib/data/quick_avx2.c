/* lt_quick_entries on processors with AVX2 and BMI: both numbers of an entry in one vector of digits, which three
 * multiplications join (Mula, Lemire: "Faster Base64 encoding and decoding using AVX2 instructions", 2018, join so). */
#include "data/quick.h"

#if LT_QUICK_AVX2
#include <immintrin.h>

#define N (-1) /* nothing */
/* Lanes 0 to 7 from the n bytes at hand, the last one in lane 7. */
static const int8_t quick_whole[9][16] = {
    {N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N}, {N, N, N, N, N, N, N, 0, N, N, N, N, N, N, N, N},
    {N, N, N, N, N, N, 0, 1, N, N, N, N, N, N, N, N}, {N, N, N, N, N, 0, 1, 2, N, N, N, N, N, N, N, N},
    {N, N, N, N, 0, 1, 2, 3, N, N, N, N, N, N, N, N}, {N, N, N, 0, 1, 2, 3, 4, N, N, N, N, N, N, N, N},
    {N, N, 0, 1, 2, 3, 4, 5, N, N, N, N, N, N, N, N}, {N, 0, 1, 2, 3, 4, 5, 6, N, N, N, N, N, N, N, N},
    {0, 1, 2, 3, 4, 5, 6, 7, N, N, N, N, N, N, N, N},
};
#undef N
/* Lanes 8 to 15 from n bytes of which the one at `point` is left out: with n in the row above's place 8 - n lanes are empty,
 * and bytes from the point on come from one further. By (digits, point). */
__attribute__((target("avx2,bmi"))) static inline __m128i quick_decimal(unsigned digits, unsigned point) {
  const __m128i lane = _mm_setr_epi8(-100, -100, -100, -100, -100, -100, -100, -100, 0, 1, 2, 3, 4, 5, 6, 7);
  __m128i at = _mm_sub_epi8(lane, _mm_set1_epi8((char)(8 - digits))); /* negative: empty */
  __m128i behind = _mm_cmpgt_epi8(at, _mm_set1_epi8((char)((int)point - 1)));
  return _mm_sub_epi8(at, behind);
}

/* One entry the other way; 0: it is unusual. */
static int quick_other(const char *p, const char *point, const char *stop, uint64_t *index, double *v) {
  if (point <= p || stop <= point || (int64_t)lt_eight_digits(p, index) != point - p) return 0;
  return lt_word_decimal(point + 1, v) == stop || lt_decimal(point + 1, v) == stop;
}

__attribute__((target("avx2,bmi"))) const char *lt_quick_entries_avx2(const char *p, const char *end, const char *readable,
                                                                      lt_quick *quick) {
  const __m256i colons = _mm256_set1_epi8(':'), blanks = _mm256_set1_epi8(' '), lines = _mm256_set1_epi8('\n');
  const __m256i points = _mm256_set1_epi8('.');
  const __m128i zero = _mm_set1_epi8('0'), nine = _mm_set1_epi8(9), tens = _mm_set1_epi16(0x010a);
  const __m128i hundreds = _mm_set1_epi32(0x00010064), myriads = _mm_set1_epi32(0x00012710);
  lt_quick q = *quick; /* what it points to could be anything, for all the compiler knows */
  while (p < end && readable - p > 64 + LT_DECIMAL_ROOM) {
    const char *begin = p;
    uint64_t colon = 0, blank = 0, dots = 0;
    for (unsigned k = 0; k < 2; k++) {
      __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32 * k));
      __m256i b = _mm256_or_si256(_mm256_cmpeq_epi8(v, blanks), _mm256_cmpeq_epi8(v, lines));
      colon |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, colons)) << 32 * k;
      dots |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, points)) << 32 * k;
      blank |= (uint64_t)(uint32_t)_mm256_movemask_epi8(b) << 32 * k;
    }
    for (; colon && blank; colon &= colon - 1, blank &= blank - 1) {
      unsigned at = (unsigned)__builtin_ctzll(colon), to = (unsigned)__builtin_ctzll(blank);
      unsigned dot = dots ? (unsigned)__builtin_ctzll(dots) : 64;
      const char *value = begin + at + 1, *stop = begin + to;
      unsigned n = at - (unsigned)(p - begin), negative = *value == '-', size = to - at - 1 - negative;
      unsigned whole = dot - at - 1 - negative, behind = to - dot - 1; /* digits before and behind the point */
      __m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
      __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(value + negative));
      uint64_t index;
      double v;
      if (n - 1 < 8 && whole - 1 < 7 && behind - 1 < 7 && size < 10) {
        __m128i x = _mm_shuffle_epi8(_mm_sub_epi8(a, zero), _mm_loadu_si128((const __m128i *)(const void *)quick_whole[n]));
        x = _mm_or_si128(x, _mm_shuffle_epi8(_mm_sub_epi8(b, zero), quick_decimal(size - 1, whole)));
        if (_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(x, nine), nine)) != 0xffff) break;
        x = _mm_madd_epi16(_mm_maddubs_epi16(x, tens), hundreds);
        x = _mm_madd_epi16(_mm_packus_epi32(x, x), myriads);
        uint64_t both = (uint64_t)_mm_cvtsi128_si64(x), bits;
        index = (uint32_t)both;
        v = (double)(int32_t)(both >> 32) / lt_tens[behind];
        memcpy(&bits, &v, 8);
        bits |= (uint64_t)negative << 63;
        memcpy(&v, &bits, 8);
        dots &= dots - 1;
      } else {
        if (!quick_other(p, begin + at, stop, &index, &v)) goto out;
        if (dot < to) dots &= dots - 1;
      }
      int64_t slot = (int64_t)index - q.shift;
      if ((int64_t)index <= q.last || slot < 0 || slot >= q.width) goto out;
      if (!q.n) q.first = (int32_t)index;
      q.last = (int64_t)index;
      q.index[q.n] = (int32_t)slot;
      q.value[q.n] = (float)v;
      q.ones &= (float)v == 1.0f;
      q.n++;
      p = stop + 1;
      if (stop >= end) {
        p = end;
        goto out;
      }
    }
    if (p == begin) break;
  }
out:
  *quick = q;
  return p;
}
#else
typedef int lt_quick_avx2_is_not_for_this_processor;
#endif
