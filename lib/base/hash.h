/* Hashing: XXH3 (the xxhash library) for checksums and dictionaries, and a string dictionary. */
#ifndef LEAT_BASE_HASH_H
#define LEAT_BASE_HASH_H
#include "base/runtime.h"
uint64_t lt_hash64(const void *p, uint64_t n, uint64_t seed);
void lt_hash128(const void *p, uint64_t n, uint64_t out[2]);
typedef struct lt_hasher lt_hasher; /* streaming 128-bit */
lt_hasher *lt_hasher_create(leat_runtime *rt);
void lt_hasher_add(lt_hasher *h, const void *p, uint64_t n);
void lt_hasher_end(lt_hasher *h, uint64_t out[2]);
void lt_hasher_free(leat_runtime *rt, lt_hasher *h);
void lt_hex128(const uint64_t v[2], char hex[33]);
/* Finaliser of MurmurHash3 (Appleby, public domain): a bijection that spreads sparse indices over 2^b slots. */
static inline uint32_t lt_mix32(uint32_t h) {
  h ^= h >> 16; h *= 0x85ebca6bu; h ^= h >> 13; h *= 0xc2b2ae35u; h ^= h >> 16; return h;
}
/* Strings -> codes 0, 1, 2, ... in order of adding. Find never allocates and is safe for many threads. */
typedef struct lt_dict lt_dict;
leat_status lt_dict_create(leat_runtime *rt, lt_dict **out, leat_error *err);
void lt_dict_free(lt_dict *d);
leat_status lt_dict_copy(const lt_dict *d, lt_dict **out, leat_error *err);
int64_t lt_dict_count(const lt_dict *d);
int64_t lt_dict_find(const lt_dict *d, const char *s, uint64_t n); /* code, or -1 */
leat_status lt_dict_add(lt_dict *d, const char *s, uint64_t n, int64_t *code, leat_error *err); /* old code if there */
const char *lt_dict_text(const lt_dict *d, int64_t code, uint64_t *n); /* NUL-terminated; stable until freed */
/* Sorts by number when all labels are numbers, else by bytes; new_code[old] (count entries, may be NULL). */
leat_status lt_dict_sort(lt_dict *d, int64_t *new_code, leat_error *err);
#endif
