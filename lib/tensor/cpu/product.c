/*
 * product.c - GGML_OP_MUL_MAT: weights [k, n] of any type times activations [k, m] in f32. Weights
 * are unpacked to f32 a chunk of rows at a time, then multiplied tile by tile. Both factors are
 * exact f32 here, where ggml's CPU backend rounds activations to the weights' type.
 *
 * In bf16 (zt_fast_bf16) activations are rounded to it, a chunk of rows at a time; weights of BF16
 * are used as they lie, and quantised ones unpacked and rounded. F32 and F16 have more bits than
 * bf16: their products stay f32.
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
static const struct row {
    enum ggml_type type;
    int64_t least_m, most_k;
} worth[] = {
    { GGML_TYPE_F32, 32, MOST_K },
    { GGML_TYPE_F16, 128, 384 },
    { GGML_TYPE_Q8_0, INT64_MAX, 0 },
    { GGML_TYPE_COUNT, 128, MOST_K }, /* all others */
};
/*
 * And where the CPU multiplies bf16. Not measured but derived, from two cores with AMX: bf16 there
 * reaches 813 GFLOP/s and f32 405, ggml 481 with BF16, 347 with F16, 236 with Q8_0, 100 with Q4_K.
 */
static const struct row worth_bf16[] = {
    { GGML_TYPE_F32, 32, MOST_K },
    { GGML_TYPE_BF16, 32, MOST_K },
    { GGML_TYPE_COUNT, 128, MOST_K },
};

/* Factors are floats, or bf16 in half as many bytes. */
struct product {
    enum ggml_type type;
    bool bf16;
    const char *w;       /* rows of the plane, w_step bytes apart */
    size_t w_step, size; /* of an element of the factors */
    const float *x;      /* rows of the plane, x_step apart */
    float *y;            /* [m][n of all] */
    int64_t m, n, k, x_step, y_step, tile;
    int64_t most_m;    /* rows of x at a time */
    char *rounded;     /* those, in bf16 */
    const char *panel; /* rows first ... first + n of the weights as factors */
    int64_t panel_step;
    char *unpacked; /* the same, where unpacking is needed */
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

static bool is_worth(const struct ggml_tensor *op, const struct row *row)
{
    int64_t n = op->ne[0], m = op->ne[1], k = op->src[0]->ne[0];

    while (row->type != op->src[0]->type && row->type != GGML_TYPE_COUNT)
        row++;
    return m >= row->least_m && n >= LEAST_N && k >= LEAST_K && k <= row->most_k &&
           m * n * k >= ZT_FAST_LEAST_WORK;
}

bool zt_fast_worth_product(const struct ggml_tensor *op)
{
    return is_worth(op, worth);
}

bool zt_fast_worth_product_bf16(const struct ggml_tensor *op)
{
    return is_worth(op, worth_bf16);
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

/* scratch: a row, in bf16. */
static bool unpack(const void *user, int64_t task, float *scratch)
{
    const struct product *p = user;
    int64_t end = zt_fast_least((task + 1) * UNPACK_ROWS, p->n);

    for (int64_t i = task * UNPACK_ROWS; i < end; i++) {
        char *to = p->unpacked + (size_t)(i * p->k) * p->size;
        float *row = p->bf16 ? scratch : (float *)(void *)to;
        zt_fast_unpack(p->type, p->w + (size_t)i * p->w_step, row, p->k);
        if (p->bf16)
            zt_fast_to_bf16(row, (uint16_t *)(void *)to, p->k);
    }
    return true;
}

static bool round_rows(const void *user, int64_t task, float *scratch)
{
    const struct product *p = user;
    int64_t end = zt_fast_least((task + 1) * UNPACK_ROWS, p->m);

    (void)scratch;
    for (int64_t i = task * UNPACK_ROWS; i < end; i++)
        zt_fast_to_bf16(p->x + i * p->x_step, (uint16_t *)(void *)p->rounded + i * p->k, p->k);
    return true;
}

static bool multiply(const void *user, int64_t task, float *scratch)
{
    const struct product *p = user;
    int64_t across = zt_fast_parts(p->n, p->tile);
    int64_t i = task / across * p->tile, j = task % across * p->tile;
    int64_t a_step = p->bf16 ? p->k : p->x_step;

    (void)scratch;
    return zt_fast_gemm(&(struct zt_fast_gemm){
        .m = zt_fast_least(p->m - i, p->tile),
        .n = zt_fast_least(p->n - j, p->tile),
        .k = p->k,
        .a = (p->bf16 ? p->rounded : (const char *)p->x) + (size_t)(i * a_step) * p->size,
        .lda = a_step,
        .b = p->panel + (size_t)(j * p->panel_step) * p->size,
        .ldb = p->panel_step,
        .b_by_column = true,
        .c = p->y + i * p->y_step + j,
        .ldc = p->y_step,
        .alpha = 1,
        .bf16 = p->bf16,
    });
}

/* The chunk of weights against `rows` rows of a plane. */
static bool against(struct zt_fast *fast, struct product p, int64_t rows)
{
    for (int64_t first = 0; first < rows; first += p.m) {
        p.m = zt_fast_least(p.most_m, rows - first);
        if (p.bf16 && !zt_fast_for(fast, zt_fast_parts(p.m, UNPACK_ROWS), 0, round_rows, &p))
            return false;
        if (!zt_fast_for(fast, tiles(p.m, p.n, p.tile), 0, multiply, &p))
            return false;
        p.x += p.m * p.x_step;
        p.y += p.m * p.y_step;
    }
    return true;
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

    if (p->unpacked &&
        !zt_fast_for(fast, zt_fast_parts(p->n, UNPACK_ROWS), p->bf16 ? (size_t)p->k : 0, unpack, p))
        return false;
    for (int64_t i3 = at[1] * each3; i3 < (at[1] + 1) * each3; i3++)
        for (int64_t i2 = at[0] * each2; i2 < (at[0] + 1) * each2; i2++) {
            p->x = (const float *)(const void *)plane(x, i2, i3);
            p->y = (float *)(void *)(uintptr_t)plane(op, i2, i3) + first;
            if (!against(fast, *p, op->ne[1]))
                return false;
        }
    return true;
}

/* A chunk is so many rows, or the largest tile's. */
static int64_t chunk_rows(int64_t k)
{
    return zt_fast_parts(CHUNK_FLOATS / k, TILE_LARGE) * TILE_LARGE;
}

/* Memory for `rows` rows of unpacked weights, which may be none, and for rounded activations. */
static bool settle(struct zt_fast *fast, struct product *p, int64_t rows)
{
    size_t unpacked = (size_t)(rows * p->k) * p->size;
    size_t rounded = p->bf16 ? (size_t)(p->most_m * p->k) * p->size : 0;

    if (unpacked + rounded == 0)
        return true;
    char *memory = (char *)zt_fast_shared(fast, (unpacked + rounded) / sizeof(float) + 1);
    if (memory == NULL)
        return false;
    p->rounded = memory + unpacked;
    p->unpacked = rows > 0 ? memory : NULL;
    return true;
}

bool zt_fast_product(struct zt_fast *fast, struct ggml_tensor *op)
{
    const struct ggml_tensor *w = op->src[0], *x = op->src[1];
    bool bf16 = zt_fast_bf16(fast) && w->type != GGML_TYPE_F32 && w->type != GGML_TYPE_F16;
    size_t element = bf16 ? sizeof(uint16_t) : sizeof(float);
    bool lies = w->type == GGML_TYPE_F32 || (bf16 && zt_fast_rows_bf16(w));
    struct product p = {
        .type = w->type,
        .bf16 = bf16,
        .w_step = w->nb[1],
        .size = element,
        .k = w->ne[0],
        .tile = choose_tile(op->ne[1], op->ne[0]),
        .x_step = (int64_t)(x->nb[1] / sizeof(float)),
        .y_step = (int64_t)(op->nb[1] / sizeof(float)),
        .most_m = bf16 ? zt_fast_least(chunk_rows(w->ne[0]), op->ne[1]) : op->ne[1],
        .panel_step = lies ? (int64_t)(w->nb[1] / element) : w->ne[0],
    };
    int64_t rows = lies ? op->ne[0] : zt_fast_least(chunk_rows(p.k), op->ne[0]);

    if (!settle(fast, &p, lies ? 0 : rows))
        return false;
    for (int64_t i = 0; i < w->ne[2] * w->ne[3]; i++)
        for (int64_t first = 0; first < op->ne[0]; first += rows) {
            int64_t at[2] = { i % w->ne[2], i / w->ne[2] };
            p.w = plane(w, at[0], at[1]) + (size_t)first * w->nb[1];
            p.n = zt_fast_least(rows, op->ne[0] - first);
            p.panel = p.unpacked ? p.unpacked : p.w;
            if (!chunk(fast, &p, op, at, first))
                return false;
        }
    return true;
}
