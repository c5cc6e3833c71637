/*
 * lanes.h - eight floats at a time, and e^x of them. gcc and clang make of the vector types what
 * the file is compiled for.
 */
#ifndef ZT_TENSOR_CPU_LANES_H
#define ZT_TENSOR_CPU_LANES_H

#include <stdint.h>

#define LANES 8

typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
typedef int32_t bits __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
typedef uint32_t words __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

/* How vectors are passed to functions does not matter to functions that are inline. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"

static inline lanes all(float x)
{
    return (lanes){ x, x, x, x, x, x, x, x };
}

static inline lanes choose(bits which, lanes yes, lanes no)
{
    return (lanes)((which & (bits)yes) | (~which & (bits)no));
}

/* a * b + c, rounded once: an instruction where the file is compiled for one. */
static inline lanes fma_lanes(lanes a, lanes b, lanes c)
{
    lanes y = c;

    for (int i = 0; i < LANES; i++)
        y[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return y;
}

/*
 * e^x for x <= 87, NaN for NaN; relative error below 2e-7, 0 where e^x would be subnormal. x = n ln
 * 2 + r with |r| <= ln 2 / 2, n from adding 1.5 * 2^23; then Taylor's series of e^r.
 */
static inline lanes exp_lanes(lanes x)
{
    const lanes round = all(12582912.0f);
    lanes shifted = fma_lanes(x, all(1.44269504f), round), n = shifted - round;
    lanes r = fma_lanes(n, all(-0.693359375f), x); /* ln 2 in two parts */
    lanes p = all(1.0f / 5040);

    r = fma_lanes(n, all(2.12194440e-4f), r);
    p = fma_lanes(p, r, all(1.0f / 720));
    p = fma_lanes(p, r, all(1.0f / 120));
    p = fma_lanes(p, r, all(1.0f / 24));
    p = fma_lanes(p, r, all(1.0f / 6));
    p = fma_lanes(p, r, all(0.5f));
    p = fma_lanes(p, r, all(1.0f));
    p = fma_lanes(p, r, all(1.0f));
    words power = ((words)shifted << 23) + (words)all(1.0f); /* 2^n; what is above n drops out */
    return choose(x < all(-87.0f), all(0), p * (lanes)power);
}

#pragma GCC diagnostic pop

#endif
