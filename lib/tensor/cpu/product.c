/*
 * product.c - GGML_OP_MUL_MAT: weights [k, n] of any type times activations [k, m] in f32. Weights
 * are unpacked to f32 a chunk of rows at a time, then multiplied tile by tile. Both factors are
 * exact f32 here, where ggml's CPU backend rounds activations to the weights' type.
 */
#include "tensor/cpu/inside.h"

/*
 * Sides of the square of results that a task computes. Large ones are faster (oneDNN packs both
 * factors anew for each), small ones feed more threads; the choice is by shape, never by the thread
 * count.
 */
#define TILE_LARGE  512
#define TILE_SMALL  128
#define TILES_LEAST 24
/* Rows of weights that a task unpacks, and floats of a chunk: 32 MiB, or one tile's rows. */
#define UNPACK_ROWS  16
#define CHUNK_FLOATS (8 << 20)
#define LEAST_N      32
#define LEAST_K      32
#define MOST_K       (1 << 18)
/*
 * What is worth it, measured by bench/ops.c on AVX2: with few columns of activations, unpacking
 * costs more than is won; and ggml is about as good at F16, unless sums are short, and at Q8_0.
 */
static const struct {
    enum ggml_type type;
    int64_t least_m, most_k;
} worth[] = {
    { GGML_TYPE_F32, 32, MOST_K },
    { GGML_TYPE_F16, 128, 384 },
    { GGML_TYPE_Q8_0, INT64_MAX, 0 },
    { GGML_TYPE_COUNT, 128, MOST_K }, /* all others */
};

struct product {
    enum ggml_type type;
    const char *w; /* rows of the plane, w_step bytes apart */
    size_t w_step;
    const float *x; /* [m][k] */
    float *y;       /* [m][n of all] */
    int64_t m, n, k, x_step, y_step, tile;
    const float *panel; /* rows first ... first + n as f32 */
    int64_t panel_step;
    float *unpacked; /* the same, where unpacking is needed */
};

bool zt_fast_can_product(const struct ggml_tensor *op)
{
    const struct ggml_tensor *w = op->src[0], *x = op->src[1];

    if (op->op_params[1] == GGML_HINT_SRC0_IS_HADAMARD)
        return false;
    return w->ne[0] <= MOST_K && op->type == GGML_TYPE_F32 && zt_fast_rows_f32(op) &&
           zt_fast_rows_f32(x) &&
           (w->type == GGML_TYPE_F32
                ? zt_fast_rows_f32(w)
                : w->nb[0] == ggml_type_size(w->type) && zt_fast_unpacks(w->type));
}

bool zt_fast_worth_product(const struct ggml_tensor *op)
{
    int64_t n = op->ne[0], m = op->ne[1], k = op->src[0]->ne[0];
    size_t i = 0;

    while (worth[i].type != op->src[0]->type && worth[i].type != GGML_TYPE_COUNT)
        i++;
    return m >= worth[i].least_m && n >= LEAST_N && k >= LEAST_K && k <= worth[i].most_k &&
           m * n * k >= ZT_FAST_LEAST_WORK;
}

static int64_t tiles(int64_t m, int64_t n, int64_t tile)
{
    return zt_fast_parts(m, tile) * zt_fast_parts(n, tile);
}

static int64_t choose_tile(int64_t m, int64_t n)
{
    int64_t tile = TILE_LARGE;

    while (tile > TILE_SMALL && tiles(m, n, tile) < TILES_LEAST)
        tile /= 2;
    return tile;
}

static bool unpack(const void *user, int64_t task, float *scratch)
{
    const struct product *p = user;
    int64_t end = zt_fast_least((task + 1) * UNPACK_ROWS, p->n);

    (void)scratch;
    for (int64_t i = task * UNPACK_ROWS; i < end; i++)
        zt_fast_unpack(p->type, p->w + (size_t)i * p->w_step, p->unpacked + i * p->k, p->k);
    return true;
}

static bool multiply(const void *user, int64_t task, float *scratch)
{
    const struct product *p = user;
    int64_t across = zt_fast_parts(p->n, p->tile);
    int64_t i = task / across * p->tile, j = task % across * p->tile;

    (void)scratch;
    return zt_fast_gemm(&(struct zt_fast_gemm){
        .m = zt_fast_least(p->m - i, p->tile),
        .n = zt_fast_least(p->n - j, p->tile),
        .k = p->k,
        .a = p->x + i * p->x_step,
        .lda = p->x_step,
        .b = p->panel + j * p->panel_step,
        .ldb = p->panel_step,
        .b_by_column = true,
        .c = p->y + i * p->y_step + j,
        .ldc = p->y_step,
        .alpha = 1,
    });
}

static const char *plane(const struct ggml_tensor *t, int64_t i2, int64_t i3)
{
    return (const char *)t->data + (size_t)i2 * t->nb[2] + (size_t)i3 * t->nb[3];
}

/* The chunk p->w ... against every plane of activations that the plane of weights serves. */
static bool chunk(struct zt_fast *fast, struct product *p, const struct ggml_tensor *op,
                  const int64_t at[2], int64_t first)
{
    const struct ggml_tensor *w = op->src[0], *x = op->src[1];
    int64_t each2 = x->ne[2] / w->ne[2], each3 = x->ne[3] / w->ne[3];

    if (p->unpacked && !zt_fast_for(fast, zt_fast_parts(p->n, UNPACK_ROWS), 0, unpack, p))
        return false;
    for (int64_t i3 = at[1] * each3; i3 < (at[1] + 1) * each3; i3++)
        for (int64_t i2 = at[0] * each2; i2 < (at[0] + 1) * each2; i2++) {
            p->x = (const float *)(const void *)plane(x, i2, i3);
            p->y = (float *)(void *)(uintptr_t)plane(op, i2, i3) + first;
            if (!zt_fast_for(fast, tiles(p->m, p->n, p->tile), 0, multiply, p))
                return false;
        }
    return true;
}

bool zt_fast_product(struct zt_fast *fast, struct ggml_tensor *op)
{
    const struct ggml_tensor *w = op->src[0], *x = op->src[1];
    bool packed = w->type != GGML_TYPE_F32;
    int64_t rows = zt_fast_parts(CHUNK_FLOATS / w->ne[0], TILE_LARGE) * TILE_LARGE;
    struct product p = {
        .type = w->type,
        .w_step = w->nb[1],
        .m = op->ne[1],
        .k = w->ne[0],
        .tile = choose_tile(op->ne[1], op->ne[0]),
        .x_step = (int64_t)(x->nb[1] / sizeof(float)),
        .y_step = (int64_t)(op->nb[1] / sizeof(float)),
        .panel_step = packed ? w->ne[0] : (int64_t)(w->nb[1] / sizeof(float)),
    };

    rows = packed ? zt_fast_least(rows, op->ne[0]) : op->ne[0];
    if (packed) {
        p.unpacked = zt_fast_shared(fast, (size_t)(rows * p.k));
        if (p.unpacked == NULL)
            return false;
    }
    for (int64_t i = 0; i < w->ne[2] * w->ne[3]; i++)
        for (int64_t first = 0; first < op->ne[0]; first += rows) {
            int64_t at[2] = { i % w->ne[2], i / w->ne[2] };
            p.w = plane(w, at[0], at[1]) + (size_t)first * w->nb[1];
            p.n = zt_fast_least(rows, op->ne[0] - first);
            p.panel = packed ? p.unpacked : (const float *)(const void *)p.w;
            if (!chunk(fast, &p, op, at, first))
                return false;
        }
    return true;
}
