/*
 * w8a8.h - numbers in 8 bits for products of 8-bit weights and activations (cpu/README.md): how
 * rows are rounded, and how the weights lie in memory. What multiplies them is cpu/w8a8.c.
 */
#ifndef ZT_TENSOR_W8A8_H
#define ZT_TENSOR_W8A8_H

#include <ggml.h>

/* Sizes of the numbers. Weights have 7 bits: with more, sums of pairs would not fit 16 bits. */
#define ZT_W8A8_MOST_W 64
#define ZT_W8A8_MOST_X 127
/* Terms of a sum, which must fit 32 bits: what a row of weights may have. */
#define ZT_W8A8_MOST_K (1 << 17)
#define ZT_W8A8_ALIGN  64

/*
 * n values to the nearest integers of -most ... most; returns what one of them is worth. NaN, with
 * zeros, for a row that is not all finite; 0 for one of nothing above 1e-30.
 */
float zt_w8a8_round(const float *x, size_t n, int most, int8_t *q);

/*
 * Weights [k, n] are a tensor of GGML_TYPE_I8 in a buffer of zt_device_w8a8: n rows of k, then a
 * scale a row. `set` rounds n rows from `first` on.
 */
size_t zt_w8a8_bytes(int64_t k, int64_t n);
const float *zt_w8a8_scales(const struct ggml_tensor *t);
void zt_w8a8_set(struct ggml_tensor *t, int64_t first, int64_t n, const float *rows);

#endif
