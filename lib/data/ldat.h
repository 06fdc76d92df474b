/* The dataset file (.ldat): rows as they lie in memory, in blocks, so that they can be mapped, streamed and fetched in any
 * order. A sealed file of kind DATA (docs/formats.md); what its two sides share. */
#ifndef LEAT_DATA_LDAT_H
#define LEAT_DATA_LDAT_H
#include "data/reader.h"
enum { LT_LDAT_VERSION = 1, LT_LDAT_SECTIONS = 4, LT_LDAT_ENTRY = 48, LT_LDAT_META = 24 };
/* Where the arrays of a block begin: multiples of this in the file and in the block. */
enum { LT_LDAT_ALIGN = 64 };
enum { LT_LDAT_RAW = 0, LT_LDAT_ZSTD = 1 };
enum { LT_LDAT_NONE = 0, LT_LDAT_NUMBERS = 1, LT_LDAT_SPARSE = 2, LT_LDAT_TEXT = 3 };
extern const char lt_ldat_kind[4];
extern const char *const lt_ldat_section[LT_LDAT_SECTIONS]; /* data index schema meta */
static inline uint64_t lt_ldat_up(uint64_t n) { return (n + LT_LDAT_ALIGN - 1) / LT_LDAT_ALIGN * LT_LDAT_ALIGN; }
/* The sum of a block's stored bytes: its number goes into it, so that blocks cannot change places. */
static inline uint64_t lt_ldat_sum(const void *p, uint64_t n, int64_t block) { return lt_hash64(p, n, (uint64_t)block + 1); }
#endif
