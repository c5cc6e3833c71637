/* w8a8.c - see w8a8.h. */
#include "tensor/w8a8.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

#define LEAST_SIZE 1e-30f /* what is smaller counts as zero: its inverse must be finite */

/* The loops are written for the compiler to make vector code of. */
float zt_w8a8_round(const float *x, size_t n, int most, int8_t *q)
{
    const float shift = 12582912.0f; /* 1.5 * 2^23: the last bits of a sum are its integer */
    uint32_t largest = 0;
    float size;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof(bits));
        bits &= INT32_MAX; /* without its sign; NaN is above infinity, that above all others */
        largest = bits > largest ? bits : largest;
    }
    memcpy(&size, &largest, sizeof(size));
    if (!(size >= LEAST_SIZE && size < INFINITY)) {
        memset(q, 0, n);
        return size < LEAST_SIZE ? 0 : NAN;
    }
    float scale = (float)most / size;
    for (size_t i = 0; i < n; i++) {
        float v = x[i] * scale;
        uint32_t bits;
        v += shift;
        memcpy(&bits, &v, sizeof(bits));
        q[i] = (int8_t)(uint8_t)bits;
    }
    return size / (float)most;
}

static size_t scales_at(int64_t k, int64_t n)
{
    return (size_t)(k * n + ZT_W8A8_ALIGN - 1) / ZT_W8A8_ALIGN * ZT_W8A8_ALIGN;
}

size_t zt_w8a8_bytes(int64_t k, int64_t n)
{
    return scales_at(k, n) + (size_t)n * sizeof(float);
}

const float *zt_w8a8_scales(const struct ggml_tensor *t)
{
    return (const float *)(const void *)((const char *)t->data + scales_at(t->ne[0], t->ne[1]));
}

void zt_w8a8_set(struct ggml_tensor *t, int64_t first, int64_t n, const float *rows)
{
    int64_t k = t->ne[0];
    float *scales = (float *)(void *)((char *)t->data + scales_at(k, t->ne[1]));

    zt_assert(t->type == GGML_TYPE_I8 && first >= 0 && n >= 0 && first + n <= t->ne[1]);
    for (int64_t i = 0; i < n; i++)
        scales[first + i] = zt_w8a8_round(rows + i * k, (size_t)k, ZT_W8A8_MOST_W,
                                          (int8_t *)t->data + (first + i) * k);
}
