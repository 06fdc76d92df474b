/* Counter-based random numbers: a pure function of (seed, stream, counter), so any thread can make any of them.
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011). */
#ifndef LEAT_BASE_RNG_H
#define LEAT_BASE_RNG_H
#include <stdint.h>
typedef struct lt_rng { uint64_t seed, stream, counter; uint32_t block[4]; int32_t used; } lt_rng;
void lt_rng_init(lt_rng *r, uint64_t seed, uint64_t stream);
void lt_philox(uint64_t seed, uint64_t stream, uint64_t counter, uint32_t out[4]);
uint32_t lt_rng_u32(lt_rng *r);
uint64_t lt_rng_u64(lt_rng *r);
double lt_rng_unit(lt_rng *r);                   /* [0, 1), 53 bits */
double lt_rng_normal(lt_rng *r);                 /* mean 0, variance 1 */
uint64_t lt_rng_below(lt_rng *r, uint64_t n);    /* [0, n) without bias; n > 0 */
void lt_rng_shuffle(lt_rng *r, int64_t *v, uint64_t n);
#endif
