/*
 * rng.h - random numbers: an explicit generator for pictures, the system's for secrets.
 *
 * The generator is PCG32 (O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically
 * Good Algorithms for Random Number Generation", 2014): the same seed and stream give the same
 * numbers on every machine.
 */
#ifndef ZT_BASE_RNG_H
#define ZT_BASE_RNG_H

#include "base/error.h"

struct zt_rng {
    uint64_t state, stream;
};

/* Here for innermost loops. */
static inline uint32_t zt_rng_u32(struct zt_rng *rng)
{
    uint64_t old = rng->state;

    rng->state = old * UINT64_C(6364136223846793005) + rng->stream;
    uint32_t xorshifted = (uint32_t)((old >> 18 ^ old) >> 27);
    uint32_t rot = (uint32_t)(old >> 59);
    return xorshifted >> rot | xorshifted << (-rot & 31);
}

void zt_rng_init(struct zt_rng *rng, uint64_t seed, uint64_t stream);
float zt_rng_unit(struct zt_rng *rng);                        /* [0, 1) */
float zt_rng_range(struct zt_rng *rng, float min, float max); /* [min, max) */

/* Unpredictable bytes from the operating system. Ends the process if there are none to be had. */
void zt_random_bytes(void *dst, size_t n);

/* Unpredictable, even over 0 ... bound - 1; bound > 0. */
uint64_t zt_random_below(uint64_t bound);

#endif
