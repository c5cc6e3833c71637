/* rng.c - see rng.h. */
#include "base/rng.h"

#include <errno.h>
#include <sys/random.h>

void zt_rng_init(struct zt_rng *rng, uint64_t seed, uint64_t stream)
{
    rng->state = 0;
    rng->stream = stream << 1 | 1;
    zt_rng_u32(rng);
    rng->state += seed;
    zt_rng_u32(rng);
}

float zt_rng_unit(struct zt_rng *rng)
{
    return (float)(zt_rng_u32(rng) >> 8) * 0x1p-24f;
}

float zt_rng_range(struct zt_rng *rng, float min, float max)
{
    return min + (max - min) * zt_rng_unit(rng);
}

void zt_random_bytes(void *dst, size_t n)
{
    char *p = dst;

    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        zt_assert(got >= 0 || errno == EINTR);
        if (got > 0) {
            p += got;
            n -= (size_t)got;
        }
    }
}

uint64_t zt_random_below(uint64_t bound)
{
    uint64_t skip = -bound % bound; /* 2^64 mod bound: values below it would be too frequent */
    uint64_t v;

    do
        zt_random_bytes(&v, sizeof(v));
    while (v < skip);
    return v % bound;
}
