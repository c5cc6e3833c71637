/* scores8.c - see scores8.h. */
#include "tensor/cpu/scores8.h"

#include "base/auto.h"
#include "base/mem.h"
#include "tensor/cpu/lanes.h"
#include "tensor/cpu/openmp.h"
#include "tensor/w8a8.h"

#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MOST  90
#define ALIGN 64

_Static_assert(2 * 2 * MOST * MOST <= INT16_MAX, "pairs of products fit");

/* [m][n] = a [m][k] times b [n][k], rows of c `step` apart. */
static bool gemm(const uint8_t *a, const int8_t *b, const int64_t m_n_k[3], int32_t *c,
                 int64_t step)
{
    const int64_t m = m_n_k[0], n = m_n_k[1], k = m_n_k[2];
    const int32_t none = 0;

    return dnnl_gemm_u8s8s32('N', 'T', 'F', m, n, k, 1, a, k, 0, b, k, 0, 0, c, step, &none) ==
           dnnl_success;
}

/* The worst case, in sizes beyond what kernels take at once. */
static bool is_exact(int sign)
{
    enum { SIDE = 67, TERMS = 261 };
    zt_auto_free uint8_t *a = zt_new_array(uint8_t, (size_t)SIDE * TERMS);
    zt_auto_free int8_t *b = zt_new_array(int8_t, (size_t)SIDE * TERMS);
    zt_auto_free int32_t *c = zt_new_array(int32_t, (size_t)SIDE * SIDE);
    bool same = true;

    memset(a, 2 * MOST, (size_t)SIDE * TERMS);
    memset(b, sign * MOST, (size_t)SIDE * TERMS);
    if (!gemm(a, b, (int64_t[]){ SIDE, SIDE, TERMS }, c, SIDE))
        return false;
    for (int i = 0; i < SIDE * SIDE; i++)
        same = same && c[i] == 2 * MOST * sign * MOST * TERMS;
    return same;
}

static bool both_exact(void)
{
    return is_exact(1) && is_exact(-1);
}

static bool exact_here;

static void look(void)
{
    exact_here = zt_openmp_alone(both_exact);
}

bool zt_scores8_exact(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, look);
    return exact_here;
}

/* At least one line, and more than n. */
static size_t up(int64_t n)
{
    return (size_t)(n / ALIGN + 1) * ALIGN;
}

size_t zt_keys8_bytes(int64_t keys, int64_t head)
{
    return up(keys * head) + up(keys) * (sizeof(float) + sizeof(int32_t));
}

struct zt_keys8 zt_keys8_at(void *memory, int64_t keys, int64_t head)
{
    struct zt_keys8 k = { .q = memory };

    k.scale = (float *)(void *)(k.q + up(keys * head));
    k.shift = (int32_t *)(void *)(k.scale + up(keys));
    return k;
}

void zt_keys8_round(const struct zt_keys8 *k, int64_t key, const float *row, const float *mean,
                    int64_t head, float *spare)
{
    int8_t *q = k->q + key * head;
    int32_t sum = 0;

    for (int64_t i = 0; i < head; i++)
        spare[i] = row[i] - mean[i];
    k->scale[key] = zt_w8a8_round(spare, (size_t)head, MOST, q);
    for (int64_t i = 0; i < head; i++)
        sum += q[i];
    k->shift[key] = -MOST * sum;
}

float zt_query8_round(const float *row, int64_t head, uint8_t *q)
{
    float scale = zt_w8a8_round(row, (size_t)head, MOST, (int8_t *)q);

    for (int64_t i = 0; i < head; i++)
        q[i] = (uint8_t)(q[i] + MOST); /* modulo 256 */
    return scale;
}

bool zt_scores8(const uint8_t *q, int64_t queries, const struct zt_keys8 *k, int64_t first,
                int64_t n, int64_t head, int32_t *sums, int64_t step)
{
    return gemm(q, k->q + first * head, (int64_t[]){ queries, n, head }, sums, step);
}

void zt_scores8_row(float *row, const struct zt_keys8 *k, int64_t first, int64_t n, float scale)
{
    for (int64_t i = 0; i < n; i += LANES) {
        words sum = *(const words *)(const void *)(row + i) + /* what is beyond n wraps */
                    *(const words *)(const void *)(k->shift + first + i);
        *(lanes *)(void *)(row + i) = __builtin_convertvector((bits)sum, lanes) *
                                      *(const lanes *)(const void *)(k->scale + first + i) *
                                      all(scale);
    }
}
