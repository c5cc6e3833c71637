/* noise.c - counter-based normal numbers; see noise.h. */
#include "models/noise.h"

#include <math.h>

#define ROUNDS   10
#define M0       0xD2511F53u
#define M1       0xCD9E8D57u
#define W0       0x9E3779B9u /* golden ratio */
#define W1       0xBB67AE85u /* sqrt(3) - 1 */
#define TWO_PI   6.283185307179586476925
#define U32_STEP 0x1p-32

void zt_philox(const uint32_t ctr[4], const uint32_t key[2], uint32_t ret[4])
{
    uint32_t a = ctr[0], b = ctr[1], c = ctr[2], d = ctr[3], k0 = key[0], k1 = key[1];

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t p0 = (uint64_t)M0 * a, p1 = (uint64_t)M1 * c;
        a = (uint32_t)(p1 >> 32) ^ b ^ k0;
        b = (uint32_t)p1;
        c = (uint32_t)(p0 >> 32) ^ d ^ k1;
        d = (uint32_t)p0;
        k0 += W0;
        k1 += W1;
    }
    ret[0] = a;
    ret[1] = b;
    ret[2] = c;
    ret[3] = d;
}

/* Both words are moved to the middle of their step, so that the logarithm's is never 0. */
static void box_muller(uint32_t radius, uint32_t angle, float ret[2])
{
    double r = sqrt(-2 * log(((double)radius + 0.5) * U32_STEP));
    double t = TWO_PI * (((double)angle + 0.5) * U32_STEP);

    ret[0] = (float)(r * cos(t));
    ret[1] = (float)(r * sin(t));
}

void zt_noise_fill(uint64_t seed, uint64_t stream, uint64_t first, size_t n, float *dst)
{
    const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    size_t done = 0;

    while (done < n) {
        uint64_t at = first + done, block = at / 4;
        const uint32_t ctr[4] = { (uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream,
                                  (uint32_t)(stream >> 32) };
        uint32_t words[4];
        float four[4];

        zt_philox(ctr, key, words);
        box_muller(words[0], words[1], four);
        box_muller(words[2], words[3], four + 2);
        for (size_t i = at % 4; i < 4 && done < n; i++)
            dst[done++] = four[i];
    }
}
