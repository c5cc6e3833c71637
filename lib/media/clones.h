/*
 * clones.h - builds a hot loop twice, for any x86-64 and for AVX2, and picks one when the program
 * starts. For static functions only: clang 14 loses the name of others. Elsewhere, and under a sanitizer (whose start-up code and resolvers do not mix), once.
 *
 * AVX2 without FMA: multiplications and additions round the same in both, so the choice never
 * shows in the pixels.
 */
#ifndef ZT_MEDIA_CLONES_H
#define ZT_MEDIA_CLONES_H

#if defined(__x86_64__) && defined(__linux__) && !defined(ZT_SANITIZED)
#define ZT_MEDIA_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define ZT_MEDIA_CLONES
#endif

#endif
