/*
 * scores8.h - the scores of attention.c in 8 bits: queries and keys as integers with a scale a row,
 * the keys after their mean is taken off, which moves all scores of a query alike and so changes no
 * softmax. Zhang et al., "SageAttention" (2024), with f32 for the rest.
 */
#ifndef ZT_TENSOR_CPU_SCORES8_H
#define ZT_TENSOR_CPU_SCORES8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Both sides are in -90 ... 90, by the same rule on every machine: oneDNN's kernels without VNNI
 * add pairs of products in 16 bits, of one side unsigned, and 2 * 180 * 90 fits. With 127 and 64,
 * which fit too, rounding would cost a tenth more. False: sums are not exact on this CPU.
 */
bool zt_scores8_exact(void);

/* The keys of a head, rounded. A row that is not all finite has a scale that is NaN. */
struct zt_keys8 {
    int8_t *q;      /* [keys][head] */
    float *scale;   /* [keys], as the next, and readable up to a whole number of lanes */
    int32_t *shift; /* what brings a sum of unsigned queries back */
};
size_t zt_keys8_bytes(int64_t keys, int64_t head);
struct zt_keys8 zt_keys8_at(void *memory, int64_t keys, int64_t head);

/* One key; spare is room for `head` floats. */
void zt_keys8_round(const struct zt_keys8 *k, int64_t key, const float *row, const float *mean,
                    int64_t head, float *spare);

/* One query, as unsigned integers; returns what one of them is worth. */
float zt_query8_round(const float *row, int64_t head, uint8_t *q);

/* sums [queries][step] of q [queries][head] and n keys from `first` on. False: no memory. */
bool zt_scores8(const uint8_t *q, int64_t queries, const struct zt_keys8 *k, int64_t first,
                int64_t n, int64_t head, int32_t *sums, int64_t step);

/* A row of n such sums, a multiple of the lanes, as floats in their place. */
void zt_scores8_row(float *row, const struct zt_keys8 *k, int64_t first, int64_t n, float scale);

#endif
