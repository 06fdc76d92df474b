/* Text -> hashed words, and the order of sparse slots. Memory is taken by lt_text_words_reserve alone. */
#include "model/encoding.h"
#include <math.h>

/* A word's bytes: ASCII letters and digits, the apostrophe, and every byte of a multi-byte UTF-8 character. */
static int word_byte(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '\'' || c >= 0x80;
}

/* Hash of a word in small letters, in pieces of 64 bytes so that no length needs memory. */
static uint64_t word_hash(const char *s, uint64_t n) {
  char piece[64];
  uint64_t h = 0;
  for (uint64_t at = 0; at < n; at += sizeof piece) {
    uint64_t m = n - at < sizeof piece ? n - at : sizeof piece;
    for (uint64_t i = 0; i < m; i++) {
      char c = s[at + i];
      piece[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    h = lt_hash64(piece, m, h);
  }
  return h;
}

static void slot_sift(int32_t *index, float *value, int64_t root, int64_t n) {
  for (;;) {
    int64_t child = 2 * root + 1;
    if (child >= n) return;
    if (child + 1 < n && index[child + 1] > index[child]) child++;
    if (index[root] >= index[child]) return;
    int32_t i = index[root];
    float v = value[root];
    index[root] = index[child];
    value[root] = value[child];
    index[child] = i;
    value[child] = v;
    root = child;
  }
}

/* Insertion for a few, heap for many: never quadratic on a hostile text, and no memory (the C library's qsort takes
 * some). */
static void slot_order(int32_t *index, float *value, int64_t n) {
  if (n <= 48) {
    for (int64_t i = 1; i < n; i++) {
      int32_t x = index[i];
      float v = value[i];
      int64_t j = i;
      for (; j > 0 && index[j - 1] > x; j--) {
        index[j] = index[j - 1];
        value[j] = value[j - 1];
      }
      index[j] = x;
      value[j] = v;
    }
    return;
  }
  for (int64_t i = n / 2; i-- > 0;) slot_sift(index, value, i, n);
  for (int64_t end = n - 1; end > 0; end--) {
    int32_t i = index[0];
    float v = value[0];
    index[0] = index[end];
    value[0] = value[end];
    index[end] = i;
    value[end] = v;
    slot_sift(index, value, 0, end);
  }
}

int64_t lt_sort_slots(int32_t *index, float *value, int64_t n) {
  int64_t kept = 0, sorted = 1;
  for (int64_t i = 1; i < n && sorted; i++) sorted = index[i - 1] < index[i];
  if (sorted) return n;
  slot_order(index, value, n);
  for (int64_t i = 0; i < n; i++) {
    if (kept > 0 && index[kept - 1] == index[i]) {
      value[kept - 1] += value[i];
    } else {
      index[kept] = index[i];
      value[kept++] = value[i];
    }
  }
  return kept;
}

uint64_t lt_text_room(uint64_t n, int pairs) { return pairs ? n + 2 : n / 2 + 1; }

leat_status lt_text_words_reserve(leat_runtime *rt, lt_text_words *w, uint64_t bytes, leat_error *err) {
  if (bytes <= w->bytes && w->index) return LEAT_OK;
  uint64_t n = lt_text_room(bytes, 1);
  lt_text_words more = {lt_array(rt, n, sizeof *more.index), lt_array(rt, n, sizeof *more.value), bytes};
  if (!more.index || !more.value) {
    lt_text_words_free(rt, &more);
    return lt_fail_memory(err, n * 8, "the words of a text");
  }
  lt_text_words_free(rt, w);
  *w = more;
  return LEAT_OK;
}

void lt_text_words_free(leat_runtime *rt, lt_text_words *w) {
  lt_free(rt, w->index);
  lt_free(rt, w->value);
  *w = (lt_text_words){0};
}

int64_t lt_text_slots(const char *text, uint64_t n, int64_t hash_bits, int pairs, int32_t *index, float *value) {
  uint64_t mask = ((uint64_t)1 << hash_bits) - 1, at = 0, two[2] = {0, 0};
  int64_t count = 0;
  double square = 0.0;
  while (at < n) {
    uint64_t from = at;
    while (at < n && word_byte((unsigned char)text[at])) at++;
    if (at > from) {
      two[1] = word_hash(text + from, at - from);
      index[count] = (int32_t)(two[1] & mask);
      value[count++] = 1.0f;
      if (pairs && count > 1) { /* with the word before it */
        index[count] = (int32_t)(lt_hash64(two, sizeof two, 1) & mask);
        value[count++] = 1.0f;
      }
      two[0] = two[1];
    } else {
      at++;
    }
  }
  count = lt_sort_slots(index, value, count);
  for (int64_t i = 0; i < count; i++) square += (double)value[i] * (double)value[i];
  double factor = count > 0 ? 1.0 / sqrt(square) : 0.0;
  for (int64_t i = 0; i < count; i++) value[i] = (float)((double)value[i] * factor);
  return count;
}
