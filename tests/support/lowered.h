/*
 * AVX-512 intrinsics for machines without AVX-512: those of SIMDe (Debian's libsimde-dev), and the
 * few that its 0.7.4 lacks, from what Intel's guide says of them. For tests/avx512 alone.
 */
#ifndef ZT_TESTS_LOWERED_H
#define ZT_TESTS_LOWERED_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

typedef simde__mmask16 __mmask16;
typedef simde__mmask32 __mmask32;

union zt_lowered {
    simde__m512i v;
    int16_t i16[32];
    uint16_t u16[32];
    int32_t i32[16];
};

#define ZT_LOWERED static inline __attribute__((always_inline, unused))

ZT_LOWERED simde__m512i zt_lowered_mulhi_epu16(simde__m512i a, simde__m512i b)
{
    union zt_lowered x = { a }, y = { b };

    for (int i = 0; i < 32; i++)
        x.u16[i] = (uint16_t)(((uint32_t)x.u16[i] * y.u16[i]) >> 16);
    return x.v;
}

ZT_LOWERED simde__m512i zt_lowered_srai_epi32(simde__m512i a, int by)
{
    union zt_lowered x = { a };

    for (int i = 0; i < 16; i++)
        x.i32[i] >>= by;
    return x.v;
}

/* The order of a quarter's doublewords: two bits for each. */
ZT_LOWERED simde__m512i zt_lowered_shuffle_epi32(simde__m512i a, int order)
{
    union zt_lowered x = { a }, from = x;

    for (int i = 0; i < 16; i++)
        x.i32[i] = from.i32[i / 4 * 4 + (order >> i % 4 * 2 & 3)];
    return x.v;
}

ZT_LOWERED simde__mmask32 zt_lowered_cmpgt_epi16_mask(simde__m512i a, simde__m512i b)
{
    union zt_lowered x = { a }, y = { b };
    simde__mmask32 mask = 0;

    for (int i = 0; i < 32; i++)
        mask |= (simde__mmask32)(x.i16[i] > y.i16[i]) << i;
    return mask;
}

ZT_LOWERED simde__mmask32 zt_lowered_cmplt_epu16_mask(simde__m512i a, simde__m512i b)
{
    union zt_lowered x = { a }, y = { b };
    simde__mmask32 mask = 0;

    for (int i = 0; i < 32; i++)
        mask |= (simde__mmask32)(x.u16[i] < y.u16[i]) << i;
    return mask;
}

#define _mm512_mulhi_epu16      zt_lowered_mulhi_epu16
#define _mm512_srai_epi32       zt_lowered_srai_epi32
#define _mm512_shuffle_epi32    zt_lowered_shuffle_epi32
#define _mm512_cmpgt_epi16_mask zt_lowered_cmpgt_epi16_mask
#define _mm512_cmplt_epu16_mask zt_lowered_cmplt_epu16_mask

#endif
