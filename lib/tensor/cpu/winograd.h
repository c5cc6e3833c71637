/*
 * winograd.h - convolutions with kernels of 3 x 3 in a quarter of the multiplications: F(4 x 4,
 * 3 x 3) of Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks" (2016).
 */
#ifndef ZT_TENSOR_CPU_WINOGRAD_H
#define ZT_TENSOR_CPU_WINOGRAD_H

#include "tensor/cpu/inside.h"

/* Kernels of 3 x 3 x `times`; by axis: x, y, time. Strides are in floats. */
struct zt_winograd {
    enum ggml_type type;
    const char *kernel; /* [out][in][times][3][3], out's kernel_step bytes apart */
    size_t kernel_step;
    int64_t in, out, times;
    const float *x; /* channels next to each other */
    int64_t size[3], step[3], pad[3];
    float *y; /* [out][to[2]][to[1]][to[0]] */
    int64_t to[3], stride_t;
    int64_t batch, x_batch, y_batch; /* how many of all that, and how far apart */
};

/* Channels it can take, in or out. */
bool zt_winograd_takes(int64_t channels);
/* Whether there is enough of it to be faster than the plain way. */
bool zt_winograd_worth(const struct zt_winograd *w);
bool zt_winograd(struct zt_fast *fast, const struct zt_winograd *w); /* false as for zt_fast_for */

#endif
