/* XXH3 and the string dictionary. */
#include "base/hash.h"
#include <string.h>
#include "base/number.h"
#define XXH_STATIC_LINKING_ONLY /* the size of the state: it then lives in our own memory */
#include <xxhash.h>

struct lt_hasher { XXH3_state_t state; };

uint64_t lt_hash64(const void *p, uint64_t n, uint64_t seed) { return XXH3_64bits_withSeed(p, n, seed); }

void lt_hash128(const void *p, uint64_t n, uint64_t out[2]) {
  XXH128_hash_t h = XXH3_128bits(p, n);
  out[0] = h.low64;
  out[1] = h.high64;
}

lt_hasher *lt_hasher_create(leat_runtime *rt) {
  lt_hasher *h = lt_zalloc(rt, sizeof *h);
  if (h) XXH3_128bits_reset(&h->state);
  return h;
}

void lt_hasher_add(lt_hasher *h, const void *p, uint64_t n) { XXH3_128bits_update(&h->state, p, n); }

void lt_hasher_end(lt_hasher *h, uint64_t out[2]) {
  XXH128_hash_t v = XXH3_128bits_digest(&h->state);
  out[0] = v.low64;
  out[1] = v.high64;
}

void lt_hasher_free(leat_runtime *rt, lt_hasher *h) { lt_free(rt, h); }

void lt_hex128(const uint64_t v[2], char hex[33]) {
  for (int i = 0; i < 32; i++) hex[i] = "0123456789abcdef"[v[1 - i / 16] >> (60 - 4 * (i % 16)) & 15];
  hex[32] = 0;
}

/* Texts lie in blocks that never move; a slot holds a code and half of its hash, so that a probe rarely leaves the
 * table for nothing. */
enum { DICT_BLOCK = 1 << 16 };
typedef struct dict_entry { const char *text; uint64_t size, hash; } dict_entry;
typedef struct dict_slot { uint32_t tag; int32_t code; } dict_slot; /* code -1: free */
typedef struct dict_block { struct dict_block *next; } dict_block;
struct lt_dict {
  leat_runtime *rt;
  dict_entry *entry;
  uint64_t n, cap;
  dict_slot *slot;
  uint64_t mask; /* slots - 1 */
  dict_block *blocks;
  char *free_text;
  uint64_t free_size;
};

leat_status lt_dict_create(leat_runtime *rt, lt_dict **out, leat_error *err) {
  *out = NULL;
  lt_dict *d = lt_zalloc(rt, sizeof *d);
  if (!d) return lt_fail_memory(err, sizeof *d, "a dictionary");
  d->rt = rt;
  d->mask = 15;
  d->slot = lt_array(rt, d->mask + 1, sizeof *d->slot);
  if (!d->slot) {
    lt_free(rt, d);
    return lt_fail_memory(err, (15 + 1) * sizeof *d->slot, "a dictionary");
  }
  memset(d->slot, 0xff, (d->mask + 1) * sizeof *d->slot);
  *out = d;
  return LEAT_OK;
}

void lt_dict_free(lt_dict *d) {
  if (!d) return;
  for (dict_block *b = d->blocks, *next; b; b = next) {
    next = b->next;
    lt_free(d->rt, b);
  }
  lt_free(d->rt, d->slot);
  lt_free(d->rt, d->entry);
  lt_free(d->rt, d);
}

static void dict_place(dict_slot *slot, uint64_t mask, uint64_t hash, int32_t code) {
  uint64_t i = hash & mask;
  while (slot[i].code >= 0) i = (i + 1) & mask;
  slot[i].tag = (uint32_t)(hash >> 32);
  slot[i].code = code;
}

static leat_status dict_widen(lt_dict *d, leat_error *err) {
  uint64_t slots = (d->mask + 1) * 2;
  dict_slot *slot = lt_array(d->rt, slots, sizeof *slot);
  if (!slot) return lt_fail_memory(err, slots * sizeof *slot, "a dictionary");
  memset(slot, 0xff, slots * sizeof *slot);
  for (uint64_t i = 0; i < d->n; i++) dict_place(slot, slots - 1, d->entry[i].hash, (int32_t)i);
  lt_free(d->rt, d->slot);
  d->slot = slot;
  d->mask = slots - 1;
  return LEAT_OK;
}

static const char *dict_keep(lt_dict *d, const char *s, uint64_t n) {
  if (n >= UINT64_MAX / 2) return NULL;
  if (n + 1 > d->free_size) {
    uint64_t room = n + 1 > DICT_BLOCK / 4 ? n + 1 : DICT_BLOCK - sizeof(dict_block);
    if (!d->blocks && room > n + 1) room = 1024 - sizeof(dict_block); /* small dictionaries stay small */
    if (room < n + 1) room = n + 1;
    dict_block *b = lt_alloc(d->rt, sizeof *b + room);
    if (!b) return NULL;
    b->next = d->blocks;
    d->blocks = b;
    d->free_text = (char *)(b + 1);
    d->free_size = room;
  }
  char *p = d->free_text;
  if (n) memcpy(p, s, n);
  p[n] = 0;
  d->free_text += n + 1;
  d->free_size -= n + 1;
  return p;
}

static int64_t dict_look(const lt_dict *d, const char *s, uint64_t n, uint64_t hash) {
  uint32_t tag = (uint32_t)(hash >> 32);
  for (uint64_t i = hash & d->mask; d->slot[i].code >= 0; i = (i + 1) & d->mask) {
    if (d->slot[i].tag != tag) continue;
    const dict_entry *e = &d->entry[d->slot[i].code];
    if (e->size == n && (!n || memcmp(e->text, s, n) == 0)) return d->slot[i].code;
  }
  return -1;
}

int64_t lt_dict_count(const lt_dict *d) { return (int64_t)d->n; }

int64_t lt_dict_find(const lt_dict *d, const char *s, uint64_t n) { return dict_look(d, s, n, XXH3_64bits(s, n)); }

leat_status lt_dict_add(lt_dict *d, const char *s, uint64_t n, int64_t *code, leat_error *err) {
  uint64_t hash = XXH3_64bits(s, n);
  int64_t old = dict_look(d, s, n, hash);
  if (old >= 0) {
    if (code) *code = old;
    return LEAT_OK;
  }
  if (code) *code = 0;
  if (d->n >= INT32_MAX) return lt_fail(err, LEAT_E_RANGE, "a dictionary is full: more than 2147483647 labels");
  void *entries = d->entry;
  leat_status st = lt_grow(d->rt, &entries, &d->cap, d->n + 1, sizeof *d->entry, err);
  if (st != LEAT_OK) return st;
  d->entry = entries;
  if ((d->n + 1) * 8 > (d->mask + 1) * 5) {
    st = dict_widen(d, err);
    if (st != LEAT_OK) return st;
  }
  const char *text = dict_keep(d, s, n);
  if (!text) return lt_fail_memory(err, n, "a label");
  d->entry[d->n] = (dict_entry){text, n, hash};
  dict_place(d->slot, d->mask, hash, (int32_t)d->n);
  if (code) *code = (int64_t)d->n;
  d->n++;
  return LEAT_OK;
}

const char *lt_dict_text(const lt_dict *d, int64_t code, uint64_t *n) {
  if (code < 0 || (uint64_t)code >= d->n) {
    if (n) *n = 0;
    return NULL;
  }
  if (n) *n = d->entry[code].size;
  return d->entry[code].text;
}

leat_status lt_dict_copy(const lt_dict *d, lt_dict **out, leat_error *err) {
  lt_dict *copy;
  leat_status st = lt_dict_create(d->rt, &copy, err);
  for (uint64_t i = 0; st == LEAT_OK && i < d->n; i++)
    st = lt_dict_add(copy, d->entry[i].text, d->entry[i].size, NULL, err);
  if (st != LEAT_OK) {
    lt_dict_free(copy);
    copy = NULL;
  }
  *out = copy;
  return st;
}

typedef struct sort_item { double number; int64_t code; } sort_item;

static int item_before(const lt_dict *d, const sort_item *a, const sort_item *b) {
  if (a->number != b->number) return a->number < b->number;
  const dict_entry *x = &d->entry[a->code], *y = &d->entry[b->code];
  uint64_t n = x->size < y->size ? x->size : y->size;
  int order = n ? memcmp(x->text, y->text, n) : 0;
  return order ? order < 0 : x->size < y->size;
}

/* Merge sort from runs of one: no order among equals to keep (labels differ), n log n always, no libc qsort (which may
 * call malloc). */
static sort_item *sort_items(const lt_dict *d, sort_item *from, sort_item *to, uint64_t n) {
  for (uint64_t run = 1; run < n; run *= 2) {
    for (uint64_t low = 0; low < n; low += 2 * run) {
      uint64_t mid = low + run < n ? low + run : n, high = low + 2 * run < n ? low + 2 * run : n;
      uint64_t a = low, b = mid;
      for (uint64_t i = low; i < high; i++)
        to[i] = a < mid && (b >= high || !item_before(d, &from[b], &from[a])) ? from[a++] : from[b++];
    }
    sort_item *swap = from;
    from = to;
    to = swap;
  }
  return from;
}

leat_status lt_dict_sort(lt_dict *d, int64_t *new_code, leat_error *err) {
  uint64_t n = d->n;
  leat_status st = LEAT_OK;
  sort_item *items = lt_array(d->rt, n, 2 * sizeof *items);
  dict_entry *entry = lt_array(d->rt, d->cap ? d->cap : 1, sizeof *entry);
  if (!items || !entry) {
    st = lt_fail_memory(err, n * 2 * sizeof *items, "sorting labels");
    goto out;
  }
  int numbers = 1;
  for (uint64_t i = 0; i < n && numbers; i++) {
    const dict_entry *e = &d->entry[i];
    numbers = lt_parse_f64(e->text, e->text + e->size, &items[i].number) && items[i].number == items[i].number;
  }
  for (uint64_t i = 0; i < n; i++) {
    if (!numbers) items[i].number = 0;
    items[i].code = (int64_t)i;
  }
  const sort_item *sorted = sort_items(d, items, items + n, n);
  for (uint64_t i = 0; i < n; i++) {
    entry[i] = d->entry[sorted[i].code];
    if (new_code) new_code[sorted[i].code] = (int64_t)i;
  }
  memset(d->slot, 0xff, (d->mask + 1) * sizeof *d->slot);
  for (uint64_t i = 0; i < n; i++) dict_place(d->slot, d->mask, entry[i].hash, (int32_t)i);
  dict_entry *old = d->entry;
  d->entry = entry;
  entry = old;
out:
  lt_free(d->rt, items);
  lt_free(d->rt, entry);
  return st;
}
