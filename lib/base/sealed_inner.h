/* What the two sides of sealed files share. */
#ifndef LEAT_BASE_SEALED_INNER_H
#define LEAT_BASE_SEALED_INNER_H
#include <stdint.h>
enum {
  LT_SEAL_HEAD = 64, LT_SEAL_ENTRY = 64, LT_SEAL_NAME = 16, LT_SEAL_ALIGN = 64, LT_SEAL_LAYOUT = 1,
  LT_SEAL_SECTIONS = 4096, /* names are compared pair by pair */
  LT_SEAL_LARGE = 1 << 20,
  LT_SEAL_LEVEL = 3,       /* of zstd, and for sections of LT_SEAL_LARGE bytes or more; part of what makes the bytes the */
  LT_SEAL_LEVEL_LARGE = 1  /* same each time */
};
extern const uint8_t lt_seal_magic[8];
static inline void lt_seal_store(uint8_t *p, uint64_t v) {
  for (int i = 0; i < 8; i++) p[i] = (uint8_t)(v >> (8 * i));
}
#endif
