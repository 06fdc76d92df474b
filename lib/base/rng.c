/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011): ten rounds of two 32x32 multiplications, keyed by the seed. */
#include "base/rng.h"
#include <math.h>

void lt_philox(uint64_t seed, uint64_t stream, uint64_t counter, uint32_t out[4]) {
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32);
  uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

void lt_rng_init(lt_rng *r, uint64_t seed, uint64_t stream) {
  *r = (lt_rng){.seed = seed, .stream = stream, .used = 4};
}

uint32_t lt_rng_u32(lt_rng *r) {
  if (r->used >= 4) {
    lt_philox(r->seed, r->stream, r->counter++, r->block);
    r->used = 0;
  }
  return r->block[r->used++];
}

uint64_t lt_rng_u64(lt_rng *r) {
  uint64_t low = lt_rng_u32(r);
  return (uint64_t)lt_rng_u32(r) << 32 | low;
}

double lt_rng_unit(lt_rng *r) { return (double)(lt_rng_u64(r) >> 11) * 0x1p-53; }

/* Box and Muller 1958; 1 - u keeps the logarithm finite. */
double lt_rng_normal(lt_rng *r) {
  double u = lt_rng_unit(r), v = lt_rng_unit(r);
  return sqrt(-2.0 * log(1.0 - u)) * cos(6.283185307179586477 * v);
}

/* Numbers below 2^64 mod n would make small results likelier: they are drawn again. */
uint64_t lt_rng_below(lt_rng *r, uint64_t n) {
  uint64_t uneven, x;
  if (n < 2) return 0;
  uneven = (0 - n) % n;
  do x = lt_rng_u64(r);
  while (x < uneven);
  return x % n;
}

/* Fisher and Yates, in Durstenfeld's order. */
void lt_rng_shuffle(lt_rng *r, int64_t *v, uint64_t n) {
  for (uint64_t i = n; i > 1; i--) {
    uint64_t j = lt_rng_below(r, i);
    int64_t t = v[i - 1];
    v[i - 1] = v[j];
    v[j] = t;
  }
}
