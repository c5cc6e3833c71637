/*
 * w8a8.c - products of 8-bit weights and activations: weights rounded to int8 as they are loaded,
 * with a scale a row; activations as they come, with a scale a row of theirs (a token); sums in
 * int32; y = sum * scale of the weights' row * scale of the token. w8a8.h has the rounding.
 *
 * Sums are exact: oneDNN adds 128 to signed activations and, without VNNI, adds pairs of products
 * in 16 bits, and 2 * 255 * 64 fits. So a row's result depends neither on the number of threads nor
 * on the rows beside it.
 */
#include "tensor/w8a8.h"

#include "base/auto.h"
#include "base/mem.h"
#include "tensor/cpu/backend.h"
#include "tensor/cpu/inside.h"
#include "tensor/cpu/openmp.h"

#include <ggml-backend-impl.h>
#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of activations that are rounded at a time, and rows of them that a task rounds. */
#define CHUNK_BYTES (32 << 20)
#define TASK_ROWS   16
/*
 * The side of the square of results that a task computes: the largest with a few tasks a thread.
 * Large ones are faster, as oneDNN packs both factors anew for each.
 */
#define TILE_MOST    1024
#define TILE_LEAST   128
#define THREAD_TASKS 4

_Static_assert((int64_t)ZT_W8A8_MOST_K *ZT_W8A8_MOST_W *ZT_W8A8_MOST_X < INT32_MAX, "sums fit");

/* [m][n] = a [m][k] times b [n][k]; m_n_k: their sizes. */
static bool gemm(const int8_t *a, const int8_t *b, const int64_t m_n_k[3], int32_t *c)
{
    const int64_t m = m_n_k[0], n = m_n_k[1], k = m_n_k[2];
    const int32_t none = 0;

    return dnnl_gemm_s8s8s32('N', 'T', 'F', m, n, k, 1, a, k, 0, b, k, 0, 0, c, n, &none) ==
           dnnl_success;
}

/* ---- memory for weights -------------------------------------------------------------------- */

static const char *type_name(ggml_backend_buffer_type_t type)
{
    (void)type;
    return "W8A8";
}

static void buffer_free(ggml_backend_buffer_t buffer)
{
    free(buffer->context);
}

static void *buffer_base(ggml_backend_buffer_t buffer)
{
    return buffer->context;
}

static ggml_backend_buffer_t type_alloc(ggml_backend_buffer_type_t type, size_t size)
{
    const struct ggml_backend_buffer_i iface = { .free_buffer = buffer_free,
                                                 .get_base = buffer_base };
    void *data = NULL;

    if (zt_try_alloc(size, 1, "weights", &data, NULL) != ZT_OK)
        return NULL;
    return ggml_backend_buffer_init(type, iface, data, size);
}

static size_t type_alignment(ggml_backend_buffer_type_t type)
{
    (void)type;
    return ZT_W8A8_ALIGN;
}

static size_t type_size(ggml_backend_buffer_type_t type, const struct ggml_tensor *t)
{
    (void)type;
    return zt_w8a8_bytes(t->ne[0], ggml_nrows(t));
}

/* No host memory, as ggml sees it: nothing else may read or write it. */
static struct ggml_backend_buffer_type buffers = {
    .iface = { .get_name = type_name,
               .alloc_buffer = type_alloc,
               .get_alignment = type_alignment,
               .get_alloc_size = type_size },
};

/* The worst case, in sizes beyond what kernels take at once: all factors at an end. */
static bool is_exact(int a, int b)
{
    enum { SIDE = 67, TERMS = 261 };
    zt_auto_free int8_t *x = zt_new_array(int8_t, (size_t)SIDE * TERMS);
    zt_auto_free int8_t *w = zt_new_array(int8_t, (size_t)SIDE * TERMS);
    zt_auto_free int32_t *y = zt_new_array(int32_t, (size_t)SIDE * SIDE);
    bool same = true;

    memset(x, a, (size_t)SIDE * TERMS);
    memset(w, b, (size_t)SIDE * TERMS);
    if (!gemm(x, w, (int64_t[]){ SIDE, SIDE, TERMS }, y))
        return false;
    for (int i = 0; i < SIDE * SIDE; i++)
        same = same && y[i] == a * b * TERMS;
    return same;
}

static bool all_exact(void)
{
    const int x = ZT_W8A8_MOST_X, w = ZT_W8A8_MOST_W;

    return is_exact(x, w) && is_exact(x, -w) && is_exact(-x, w) && is_exact(-x, -w);
}

static bool exact_here;

static void look(void)
{
    exact_here = zt_openmp_alone(all_exact);
}

ggml_backend_buffer_type_t zt_fast_w8a8_buffers(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, look);
    return exact_here ? &buffers : NULL;
}

bool zt_fast_reads(ggml_backend_buffer_type_t type)
{
    return ggml_backend_buft_is_host(type) || type == &buffers;
}

/* ---- products ------------------------------------------------------------------------------ */

struct product {
    const int8_t *w; /* [n][k] */
    const float *w_scale;
    const float *x; /* rows of k, x_step apart */
    float *y;       /* rows of n, y_step apart */
    int8_t *q;      /* m rows of x, rounded, [m][k] */
    float *q_scale;
    int64_t m, n, k, x_step, y_step, tile;
};

bool zt_fast_can_w8a8(const struct ggml_tensor *op)
{
    const struct ggml_tensor *w = op->src[0], *x = op->src[1];

    return w->buffer != NULL && w->buffer->buft == &buffers && w->view_src == NULL &&
           w->type == GGML_TYPE_I8 && w->ne[0] <= ZT_W8A8_MOST_K && ggml_nrows(w) == w->ne[1] &&
           op->type == GGML_TYPE_F32 && zt_fast_rows_f32(op) && zt_fast_rows_f32(x);
}

static int64_t tiles(const struct product *p)
{
    return zt_fast_parts(p->m, p->tile) * zt_fast_parts(p->n, p->tile);
}

static bool round_rows(const void *user, int64_t task, float *scratch)
{
    const struct product *p = user;
    int64_t end = zt_fast_least((task + 1) * TASK_ROWS, p->m);

    (void)scratch;
    for (int64_t i = task * TASK_ROWS; i < end; i++)
        p->q_scale[i] =
            zt_w8a8_round(p->x + i * p->x_step, (size_t)p->k, ZT_W8A8_MOST_X, p->q + i * p->k);
    return true;
}

static bool multiply(const void *user, int64_t task, float *scratch)
{
    const struct product *p = user;
    int64_t across = zt_fast_parts(p->n, p->tile);
    int64_t first = task / across * p->tile, left = task % across * p->tile;
    int64_t m = zt_fast_least(p->m - first, p->tile), n = zt_fast_least(p->n - left, p->tile);
    const float *w_scale = p->w_scale + left;
    int32_t *sums = (int32_t *)(void *)scratch;

    if (!gemm(p->q + first * p->k, p->w + left * p->k, (int64_t[]){ m, n, p->k }, sums))
        return false;
    for (int64_t i = 0; i < m; i++) {
        float *y = p->y + (first + i) * p->y_step + left, q_scale = p->q_scale[first + i];
        for (int64_t j = 0; j < n; j++)
            y[j] = (float)sums[i * n + j] * w_scale[j] * q_scale;
    }
    return true;
}

/* `rows` rows of x that lie evenly, a chunk at a time. */
static bool plane(struct zt_fast *fast, struct product p, int64_t rows)
{
    int64_t step = CHUNK_BYTES / p.k / TILE_MOST * TILE_MOST;
    int64_t most = zt_fast_least(rows, step > 0 ? step : TILE_MOST);
    int64_t lead = zt_fast_parts(most, ZT_W8A8_ALIGN) * ZT_W8A8_ALIGN; /* for the scales */
    float *memory =
        zt_fast_shared(fast, (size_t)(lead + zt_fast_parts(most * p.k, (int64_t)sizeof(float))));

    if (memory == NULL)
        return false;
    p.q_scale = memory;
    p.q = (int8_t *)(void *)(memory + lead);
    for (int64_t first = 0; first < rows; first += p.m) {
        p.m = zt_fast_least(most, rows - first);
        p.tile = TILE_MOST;
        while (p.tile > TILE_LEAST && tiles(&p) < THREAD_TASKS * zt_fast_threads(fast))
            p.tile /= 2;
        if (!zt_fast_for(fast, zt_fast_parts(p.m, TASK_ROWS), 0, round_rows, &p) ||
            !zt_fast_for(fast, tiles(&p), (size_t)(p.tile * p.tile), multiply, &p))
            return false;
        p.x += p.m * p.x_step;
        p.y += p.m * p.y_step;
    }
    return true;
}

static bool lies_evenly(const struct ggml_tensor *t)
{
    return t->nb[2] == (size_t)t->ne[1] * t->nb[1] && t->nb[3] == (size_t)t->ne[2] * t->nb[2];
}

bool zt_fast_w8a8(struct zt_fast *fast, struct ggml_tensor *op)
{
    const struct ggml_tensor *w = op->src[0], *x = op->src[1];
    bool one = lies_evenly(x) && lies_evenly(op);
    struct product p = {
        .w = w->data,
        .w_scale = zt_w8a8_scales(w),
        .n = w->ne[1],
        .k = w->ne[0],
        .x_step = (int64_t)(x->nb[1] / sizeof(float)),
        .y_step = (int64_t)(op->nb[1] / sizeof(float)),
    };

    for (int64_t i = 0; i < (one ? 1 : x->ne[2] * x->ne[3]); i++) {
        size_t i2 = (size_t)(i % x->ne[2]), i3 = (size_t)(i / x->ne[2]);
        p.x = (const float *)(const void *)((const char *)x->data + i2 * x->nb[2] + i3 * x->nb[3]);
        p.y = (float *)(void *)((char *)op->data + i2 * op->nb[2] + i3 * op->nb[3]);
        if (!plane(fast, p, one ? ggml_nrows(x) : x->ne[1]))
            return false;
    }
    return true;
}
