/* lt_quick_entries on processors with AVX2 and BMI: both numbers of an entry in one vector of digits, which three
 * multiplications join (the way of
 * Mula and Lemire: "Faster Base64 encoding and decoding using AVX2 instructions", 2018); then four values at once. */
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

/* Entries whose digits are read: index and the number without its point, one after the other; digits behind the point, the
 * sign on top. */
enum { CHUNK = 64, FULL = CHUNK - 16, SIGN = 128 };
typedef struct quick_chunk {
  int64_t n;
  int32_t both[2 * CHUNK];
  uint8_t behind[CHUNK];
} quick_chunk;

/* Reads entries from p; up to CHUNK of them, each with at most eight digits of index and of value. *sound: they were digits. */
__attribute__((target("avx2,bmi"))) static const char *quick_digits(const char *p, const char *end, const char *readable,
                                                                    quick_chunk *q, int *sound) {
  const __m256i colons = _mm256_set1_epi8(':'), blanks = _mm256_set1_epi8(' '), lines = _mm256_set1_epi8('\n');
  const __m256i points = _mm256_set1_epi8('.');
  const __m128i zero = _mm_set1_epi8('0'), nine = _mm_set1_epi8(9), tens = _mm_set1_epi16(0x010a);
  const __m128i hundreds = _mm_set1_epi32(0x00010064), myriads = _mm_set1_epi32(0x00012710);
  __m128i most = nine;
  int64_t k = 0;
  while (p < end && k <= FULL && readable - p > 64 + LT_DECIMAL_ROOM) {
    const char *begin = p;
    uint64_t colon = 0, blank = 0, dots = 0;
    for (unsigned half = 0; half < 2; half++) {
      __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32 * half));
      __m256i b = _mm256_or_si256(_mm256_cmpeq_epi8(v, blanks), _mm256_cmpeq_epi8(v, lines));
      colon |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, colons)) << 32 * half;
      dots |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, points)) << 32 * half;
      blank |= (uint64_t)(uint32_t)_mm256_movemask_epi8(b) << 32 * half;
    }
    for (; colon && blank && p < end; colon &= colon - 1, blank &= blank - 1) {
      unsigned at = (unsigned)__builtin_ctzll(colon), to = (unsigned)__builtin_ctzll(blank);
      unsigned dot = (unsigned)__builtin_ctzll(dots | UINT64_C(1) << to);
      const char *value = begin + at + 1;
      unsigned n = at - (unsigned)(p - begin), negative = *value == '-', point = dot != to;
      unsigned whole = dot - at - 1 - negative, behind = to - dot - point, digits = whole + behind;
      if (n - 1 >= 8 || whole - 1 >= 8 || digits > 8) goto out; /* differences below 0 are large */
      __m128i a = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), zero);
      __m128i b = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)(value + negative)), zero);
      __m128i x = _mm_shuffle_epi8(a, _mm_loadu_si128((const __m128i *)(const void *)quick_whole[n]));
      x = _mm_or_si128(x, _mm_shuffle_epi8(b, quick_decimal(digits, whole)));
      most = _mm_max_epu8(most, x);
      x = _mm_madd_epi16(_mm_maddubs_epi16(x, tens), hundreds);
      x = _mm_madd_epi16(_mm_packus_epi32(x, x), myriads);
      _mm_storel_epi64((__m128i *)(void *)(q->both + 2 * k), x);
      q->behind[k++] = (uint8_t)(behind | negative << 7);
      dots = dots >> to << to;
      p = begin + to + 1;
    }
    if (p == begin) break;
  }
out:
  q->n = k;
  *sound = _mm_movemask_epi8(_mm_cmpeq_epi8(most, nine)) == 0xffff;
  return p < end ? p : end;
}

/* Their values, checked as lt_quick_entries does; 0: one of them is not as it should be, and nothing has changed but what is
 * behind the last entry. A double of up to eight digits is exact, so that the division rounds once. */
__attribute__((target("avx2,bmi"))) static int quick_values(const quick_chunk *c, lt_quick *q) {
  const __m128i width = _mm_set1_epi32((int32_t)(q->width < INT32_MAX ? q->width : INT32_MAX));
  const __m128i shift = _mm_set1_epi32((int32_t)q->shift), low = _mm_set1_epi32(SIGN - 1);
  const __m128 one = _mm_set1_ps(1);
  __m128i before = _mm_set1_epi32((int32_t)q->last), good = _mm_set1_epi32(-1);
  int ones = 1;
  for (int64_t k = 0; k < c->n; k += 4) {
    int64_t left = c->n - k;
    uint32_t code;
    memcpy(&code, c->behind + k, 4);
    __m128 a = _mm_loadu_ps((const float *)(const void *)(c->both + 2 * k));
    __m128 b = _mm_loadu_ps((const float *)(const void *)(c->both + 2 * k + 4));
    __m128i index = _mm_castps_si128(_mm_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0)));
    __m128i whole = _mm_castps_si128(_mm_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1)));
    __m128i codes = _mm_cvtepu8_epi32(_mm_cvtsi32_si128((int32_t)code)), behind = _mm_and_si128(codes, low);
    __m256d tens = _mm256_i32gather_pd(lt_tens, behind, 8);
    __m128 value = _mm256_cvtpd_ps(_mm256_div_pd(_mm256_cvtepi32_pd(whole), tens));
    value = _mm_xor_ps(value, _mm_castsi128_ps(_mm_slli_epi32(_mm_andnot_si128(low, codes), 24)));
    __m128i slot = _mm_sub_epi32(index, shift), last = _mm_alignr_epi8(index, before, 12);
    __m128i fine = _mm_and_si128(_mm_cmpgt_epi32(index, last), _mm_cmpgt_epi32(width, slot));
    fine = _mm_andnot_si128(_mm_srai_epi32(slot, 31), fine);
    __m128 equal = _mm_cmpeq_ps(value, one);
    if (left >= 4) {
      _mm_storeu_si128((__m128i *)(void *)(q->index + q->n + k), slot);
      _mm_storeu_ps(q->value + q->n + k, value);
      good = _mm_and_si128(good, fine);
      ones &= _mm_movemask_ps(equal) == 15;
    } else { /* behind the last one is what belongs to the next row */
      int32_t slots[4];
      float values[4];
      int mask = (1 << left) - 1;
      _mm_storeu_si128((__m128i *)(void *)slots, slot);
      _mm_storeu_ps(values, value);
      memcpy(q->index + q->n + k, slots, (size_t)left * sizeof *slots);
      memcpy(q->value + q->n + k, values, (size_t)left * sizeof *values);
      if ((_mm_movemask_ps(_mm_castsi128_ps(fine)) & mask) != mask) return 0;
      ones &= (_mm_movemask_ps(equal) & mask) == mask;
    }
    before = index;
  }
  if (_mm_movemask_epi8(good) != 0xffff) return 0;
  if (!q->n) q->first = c->both[0];
  q->last = c->both[2 * (c->n - 1)];
  q->ones &= ones;
  q->n += c->n;
  return 1;
}

const char *lt_quick_entries_avx2(const char *p, const char *end, const char *readable, lt_quick *q) {
  quick_chunk c;
  int sound = 1;
  memset(c.behind, 0, sizeof c.behind); /* what is behind the last entry is looked up too */
  while (p < end) {
    const char *behind = quick_digits(p, end, readable, &c, &sound);
    if (c.n == 0 || !sound || q->last >= INT32_MAX || !quick_values(&c, q)) break;
    p = behind;
  }
  return lt_quick_entries(p, end, readable, q); /* whatever is unusual */
}
#else
typedef int lt_quick_avx2_is_not_for_this_processor;
#endif
