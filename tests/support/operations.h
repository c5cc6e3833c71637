/*
 * operations.h - for tests of the fast CPU backend: operations on random values, run with 1, 2 and 3
 * threads and on ggml's CPU backend, and compared with float64. Results are poisoned with NaN before
 * each run.
 */
#ifndef ZT_TEST_OPERATIONS_H
#define ZT_TEST_OPERATIONS_H

#include "base/auto.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "check.h"
#include "tensor/attention8.h"
#include "tensor/cpu/backend.h"

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <math.h>
#include <stdlib.h>

/* f32 sums of up to 10 000 terms; measured: at most 1e-6. */
#define BOUND 1e-5

/* Attention in bf16, of rounded queries: weights are rounded too. Measured: up to 1.8e-3. */
#define BOUND_BF16 3e-3
/* Attention with scores in 8 bits. */
#define BOUND_8 2e-2

static struct zt_rng rng;
static ggml_backend_t fast[3], plain;
static int rounds = 40;
static bool bf16; /* what `fast` multiplies in where it may */

static inline bool takes(const struct ggml_tensor *op)
{
    return ggml_backend_supports_op(fast[0], op);
}

struct world {
    struct ggml_context *ctx;
    ggml_backend_buffer_t buffer;
};

static inline struct world world_new(void)
{
    struct ggml_init_params params = { .mem_size = 1 << 18, .no_alloc = true };

    return (struct world){ .ctx = ggml_init(params) };
}

static inline void world_free(struct world *w)
{
    ggml_backend_buffer_free(w->buffer);
    ggml_free(w->ctx);
}

static inline int64_t between(int64_t least, int64_t most)
{
    return least + (int64_t)(zt_rng_u32(&rng) % (uint32_t)(most - least + 1));
}

/* Random values of any type; those of a view's source are filled too. */
static inline void fill(struct ggml_tensor *t)
{
    zt_auto_free float *row = malloc((size_t)t->ne[0] * sizeof(float));

    for (int64_t i = 0; i < ggml_nrows(t); i++) {
        for (int64_t j = 0; j < t->ne[0]; j++)
            row[j] = (float)zt_rng_unit(&rng) * 2 - 1;
        char *to = (char *)t->data + (size_t)i * ggml_row_size(t->type, t->ne[0]);
        if (t->type == GGML_TYPE_F32)
            memcpy(to, row, (size_t)t->ne[0] * sizeof(float));
        else
            ggml_quantize_chunk(t->type, row, to, 0, 1, t->ne[0], NULL);
    }
}

static inline void world_fill(struct world *w)
{
    w->buffer = ggml_backend_alloc_ctx_tensors_from_buft(w->ctx, ggml_backend_cpu_buffer_type());
    for (struct ggml_tensor *t = ggml_get_first_tensor(w->ctx); t;
         t = ggml_get_next_tensor(w->ctx, t))
        if (t->op == GGML_OP_NONE && t->view_src == NULL)
            fill(t);
}

static inline enum ggml_status run(struct world *w, ggml_backend_t backend, struct ggml_tensor *y)
{
    struct ggml_cgraph *graph = ggml_new_graph_custom(w->ctx, 32, false);

    ggml_build_forward_expand(graph, y);
    memset(y->data, 0xff, ggml_nbytes(y));
    return ggml_backend_graph_compute(backend, graph);
}

/* One element of any type and strides, unpacked by ggml's plain code. */
static inline double at(const struct ggml_tensor *t, int64_t i0, int64_t i1, int64_t i2, int64_t i3)
{
    const char *row = (const char *)t->data + (size_t)i1 * t->nb[1] + (size_t)i2 * t->nb[2] +
                      (size_t)i3 * t->nb[3];
    int64_t block = ggml_blck_size(t->type);
    float values[256];

    if (t->type == GGML_TYPE_F32)
        return *(const float *)(const void *)(row + (size_t)i0 * t->nb[0]);
    ggml_get_type_traits(t->type)->to_float(row + (size_t)(i0 / block) * t->nb[0], values, block);
    return values[i0 % block];
}

static inline double relative(const double *want, const float *got, size_t n)
{
    double wrong = 0, size = 0;

    for (size_t i = 0; i < n; i++) {
        wrong += (got[i] - want[i]) * (got[i] - want[i]);
        size += want[i] * want[i];
    }
    return sqrt(wrong / size);
}

/* Whether the backend multiplies this operation in bf16: no factor has more bits. */
static inline bool is_bf16(const struct ggml_tensor *y)
{
    enum ggml_type type = y->src[y->op == GGML_OP_FLASH_ATTN_EXT]->type;

    return bf16 && type != GGML_TYPE_F32 && type != GGML_TYPE_F16;
}

static inline double bound_of(const struct ggml_tensor *y)
{
    if (y->op != GGML_OP_FLASH_ATTN_EXT)
        return BOUND;
    return zt_attention8_allowed(y) ? BOUND_8 : is_bf16(y) ? BOUND_BF16 : BOUND;
}

/* y is contiguous; `want` its values; plain_bound is what ggml's rounding of activations costs. */
static inline void compare(const char *label, struct world *w, struct ggml_tensor *y,
                           const double *want, double plain_bound)
{
    size_t n = (size_t)ggml_nelements(y), bytes = ggml_nbytes(y);
    zt_auto_free float *first = malloc(bytes);

    CHECK(label, takes(y));
    for (int i = 0; i < 3; i++) {
        CHECK_INT(label, run(w, fast[i], y), GGML_STATUS_SUCCESS);
        if (i == 0)
            memcpy(first, y->data, bytes);
        CHECK(label, memcmp(first, y->data, bytes) == 0);
    }
    CHECK_BELOW(label, relative(want, first, n), bound_of(y));
    CHECK_INT(label, run(w, plain, y), GGML_STATUS_SUCCESS);
    CHECK_BELOW(label, relative(want, y->data, n), plain_bound);
}

/* A tensor, or the inside of a larger one: rows and planes further apart. */
static inline struct ggml_tensor *maybe_view(struct world *w, enum ggml_type type,
                                             const int64_t ne[4], bool view)
{
    int64_t block = ggml_blck_size(type), more = view ? block * between(1, 3) : 0;
    struct ggml_tensor *t =
        ggml_new_tensor_4d(w->ctx, type, ne[0] + more, ne[1] + (view ? 2 : 0), ne[2], ne[3]);

    return view ? ggml_view_4d(w->ctx, t, ne[0], ne[1], ne[2], ne[3], t->nb[1], t->nb[2], t->nb[3],
                               t->nb[1] + ggml_type_size(type))
                : t;
}

/* A plane's values, rounded to bf16 where it is multiplied as that; the caller frees them. */
static inline double *plane_of(const struct ggml_tensor *t, int64_t i2, int64_t i3, bool rounded)
{
    double *values = malloc((size_t)(t->ne[0] * t->ne[1]) * sizeof(double)), *to = values;

    for (int64_t i1 = 0; i1 < t->ne[1]; i1++)
        for (int64_t i0 = 0; i0 < t->ne[0]; i0++, to++) {
            *to = at(t, i0, i1, i2, i3);
            if (rounded)
                *to = (double)ggml_bf16_to_fp32(ggml_fp32_to_bf16((float)*to));
        }
    return values;
}

static inline double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static inline void start(unsigned mode)
{
    for (int i = 0; i < 3; i++) {
        ggml_backend_free(fast[i]);
        fast[i] = zt_fast_new(i + 1, mode, NULL, NULL);
    }
    bf16 = (mode & ZT_FAST_BF16) != 0;
    if (plain != NULL)
        return;
    plain = ggml_backend_cpu_init();
    ggml_backend_cpu_set_n_threads(plain, 2);
}

/* PROGRAM [ROUNDS]: fewer for slow machines. */
static inline void take_rounds(int argc, char **argv)
{
    int64_t n = rounds;

    if (argc > 1 && !zt_parse_int(argv[1], 1, 1000, &n))
        exit(2);
    rounds = (int)n;
}

static inline void stop_all(void)
{
    for (int i = 0; i < 3; i++)
        ggml_backend_free(fast[i]);
    ggml_backend_free(plain);
}

#endif
