/*
 * noise.h - the noise a video starts from: normal numbers that can be asked for in any order, the
 * same on every machine with the same libm and whatever the number of threads.
 *
 * Counter-based: Philox-4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as
 * 1, 2, 3", 2011), then Box & Muller, "A Note on the Generation of Random Normal Deviates" (1958),
 * in double. Numbers 4j ... 4j + 3 of a stream come from the one block with counter (j, stream) and
 * key seed, low words first; its words are two pairs (radius, angle), each giving cosine then sine.
 */
#ifndef ZT_MODELS_NOISE_H
#define ZT_MODELS_NOISE_H

#include "base/error.h"

/* The bijection itself: ten rounds of ctr under key. */
void zt_philox(const uint32_t ctr[4], const uint32_t key[2], uint32_t ret[4]);

/* Numbers first ... first + n - 1 of the stream, N(0, 1), at most 6.8 from 0. Any thread. */
void zt_noise_fill(uint64_t seed, uint64_t stream, uint64_t first, size_t n, float *dst);

/*
 * n numbers from the only tensor of a weight file (weights.h), or from its tensor "noise": to
 * compare with another implementation's.
 *   ZT_E_NOT_FOUND  no such file or tensor
 *   ZT_E_CORRUPT    damaged, another number of elements, or NaN or infinity among them
 */
enum zt_code zt_noise_load(const char *path, size_t n, float *dst, struct zt_err *err);

#endif
