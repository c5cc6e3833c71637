/*
 * bench/ops.c - single operations of our graphs on the fast CPU backend, on ggml's, and as a share
 * of what the machine can do: a large f32 product by oneDNN, on the same threads.
 *
 *     bench_ops [THREADS [FILTER]]
 *
 * A convolution counts the multiplications of plain sums, of which Winograd's way needs a quarter.
 *
 * Our backend gets all of them here, in f32, or in what ZOETROPE_CPU=bf16 says; which it takes by
 * itself, lib/tensor/cpu/README.md says.
 *
 * The three are measured in turns, so that a busy machine slows all of them; medians of the turns.
 * With one thread, the default, it is CPU time that is measured, which other programs hardly
 * change.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "devices.h"
#include "measure.h"
#include "tensor/attention8.h"
#include "tensor/device.h"
#include "tensor/graph.h"

#define TURNS   5
#define CEILING 1536

enum kind { PRODUCT, CONV_2D, CONV_3D, ATTENTION, ATTENTION8 };
struct row {
    enum kind kind;
    enum ggml_type type;
    int64_t a, b, c, d, e; /* see build() */
};

/* clang-format off */
static const struct row rows[] = {
    /* weights [a, b], c columns */
    { PRODUCT, GGML_TYPE_F32,  3072, 3072, 2048, 0, 0 },
    { PRODUCT, GGML_TYPE_F16,  3072, 3072, 2048, 0, 0 },
    { PRODUCT, GGML_TYPE_BF16, 3072, 3072, 2048, 0, 0 },
    { PRODUCT, GGML_TYPE_Q8_0, 3072, 3072, 2048, 0, 0 },
    { PRODUCT, GGML_TYPE_Q4_K, 3072, 3072, 2048, 0, 0 },
    { PRODUCT, GGML_TYPE_Q4_0, 3072, 3072, 2048, 0, 0 },
    { PRODUCT, GGML_TYPE_F16,  3072, 14336, 512, 0, 0 },
    { PRODUCT, GGML_TYPE_BF16, 14336, 3072, 512, 0, 0 },
    { PRODUCT, GGML_TYPE_Q8_0, 14336, 3072, 512, 0, 0 },
    { PRODUCT, GGML_TYPE_F32,  4096, 4096, 128, 0, 0 },
    { PRODUCT, GGML_TYPE_BF16, 4096, 4096, 128, 0, 0 },
    { PRODUCT, GGML_TYPE_Q8_0, 4096, 4096, 128, 0, 0 },
    { PRODUCT, GGML_TYPE_Q4_K, 4096, 4096, 128, 0, 0 },
    { PRODUCT, GGML_TYPE_Q4_0, 4096, 4096, 128, 0, 0 },
    { PRODUCT, GGML_TYPE_BF16, 4096, 4096, 256, 0, 0 },
    { PRODUCT, GGML_TYPE_Q8_0, 4096, 4096, 256, 0, 0 },
    { PRODUCT, GGML_TYPE_Q4_K, 4096, 4096, 256, 0, 0 },
    { PRODUCT, GGML_TYPE_F32,  256, 256, 64, 0, 0 },
    { PRODUCT, GGML_TYPE_F16,  96, 96, 4096, 0, 0 },
    { PRODUCT, GGML_TYPE_F16,  192, 384, 4096, 0, 0 },
    { PRODUCT, GGML_TYPE_F16,  384, 384, 4096, 0, 0 },
    { PRODUCT, GGML_TYPE_F16,  384, 1152, 4096, 0, 0 },
    /* kernel 3x3 (x 3 in time), a channels to b, c x d pixels, e frames */
    { CONV_2D, GGML_TYPE_F16,  384, 384, 104, 60, 1 },
    { CONV_2D, GGML_TYPE_F16,  96, 96, 416, 240, 1 },
    { CONV_3D, GGML_TYPE_F16,  384, 384, 52, 30, 4 },
    { CONV_3D, GGML_TYPE_F32,  192, 192, 104, 60, 4 },
    { CONV_3D, GGML_TYPE_F16,  96, 96, 208, 120, 4 },
    { CONV_3D, GGML_TYPE_F16,  96, 3, 208, 120, 4 },
    { CONV_3D, GGML_TYPE_F16,  256, 256, 104, 60, 2 },
    { CONV_3D, GGML_TYPE_F16,  512, 512, 52, 60, 1 },
    { CONV_3D, GGML_TYPE_F16,  1024, 1024, 52, 30, 1 },
    /* head of a, b heads, c queries, d keys */
    { ATTENTION, GGML_TYPE_F16, 128, 8, 2048, 2048, 0 },
    { ATTENTION, GGML_TYPE_F32, 128, 8, 2048, 2048, 0 },
    { ATTENTION, GGML_TYPE_BF16, 128, 8, 2048, 2048, 0 },
    { ATTENTION, GGML_TYPE_F16, 128, 8, 1560, 1560, 0 },
    { ATTENTION, GGML_TYPE_F16, 128, 8, 4096, 4096, 0 },
    { ATTENTION, GGML_TYPE_F16, 128, 8, 2048, 512, 0 },
    { ATTENTION, GGML_TYPE_F16, 64, 8, 2048, 2048, 0 },
    /* the same with scores in 8 bits, ours only */
    { ATTENTION8, GGML_TYPE_F16, 128, 8, 2048, 2048, 0 },
    { ATTENTION8, GGML_TYPE_F32, 128, 8, 2048, 2048, 0 },
    { ATTENTION8, GGML_TYPE_F16, 128, 8, 1560, 1560, 0 },
    { ATTENTION8, GGML_TYPE_F16, 128, 8, 4096, 4096, 0 },
    { ATTENTION8, GGML_TYPE_F16, 128, 8, 2048, 512, 0 },
    { ATTENTION8, GGML_TYPE_F16, 64, 8, 2048, 2048, 0 },
};
/* clang-format on */

/* A weight of its own buffer, as the models have them; values of mean 0. */
static struct ggml_tensor *weight(struct ggml_context *ctx, enum ggml_type type, int64_t n0,
                                  int64_t n1, int64_t n2, int64_t n3)
{
    struct ggml_tensor *t = ggml_new_tensor_4d(ctx, type, n0, n1, n2, n3);
    zt_auto_free float *row = malloc((size_t)n0 * sizeof(float));
    struct zt_rng rng;

    ggml_backend_alloc_ctx_tensors_from_buft(ctx, ggml_backend_cpu_buffer_type());
    zt_rng_init(&rng, 1, 0);
    for (int64_t i = 0; i < ggml_nrows(t); i++) {
        for (int64_t j = 0; j < n0; j++)
            row[j] = (float)zt_rng_unit(&rng) - 0.5f;
        char *to = (char *)t->data + (size_t)i * ggml_row_size(type, n0);
        if (type == GGML_TYPE_F32)
            memcpy(to, row, (size_t)n0 * sizeof(float));
        else
            ggml_quantize_chunk(type, row, to, 0, 1, n0, NULL);
    }
    return t;
}

struct bench {
    struct ggml_context *weights;
    struct ggml_tensor *w, *k, *v;
    float *in, *out;
    int64_t ne[4];
    double flop;
};

static void prepare(const struct row *r, struct bench *b)
{
    b->weights = ggml_init((struct ggml_init_params){ .mem_size = 1 << 16, .no_alloc = true });
    int64_t n_in = 0, n_out = 0;
    switch (r->kind) {
    case PRODUCT:
        b->w = weight(b->weights, r->type, r->a, r->b, 1, 1);
        memcpy(b->ne, (int64_t[]){ r->a, r->c, 1, 1 }, sizeof(b->ne));
        n_out = r->b * r->c;
        b->flop = 2.0 * (double)r->a * (double)n_out;
        break;
    case CONV_2D:
    case CONV_3D: {
        int64_t t = r->kind == CONV_3D ? 3 : 1;
        b->w = weight(b->weights, r->type, 3, 3, t, r->a * r->b);
        memcpy(b->ne, (int64_t[]){ r->a, r->c, r->d, r->e + t - 1 }, sizeof(b->ne));
        n_out = r->b * r->c * r->d * r->e;
        b->flop = 2.0 * 9 * (double)(t * r->a) * (double)n_out;
        break;
    }
    case ATTENTION:
    case ATTENTION8:
        b->k = weight(b->weights, r->type, r->a, r->d, r->b, 1);
        b->v = weight(b->weights, r->type, r->a, r->d, r->b, 1);
        memcpy(b->ne, (int64_t[]){ r->a, r->b, r->c, 1 }, sizeof(b->ne));
        n_out = r->a * r->b * r->c;
        b->flop = 4.0 * (double)r->d * (double)n_out;
        break;
    }
    n_in = b->ne[0] * b->ne[1] * b->ne[2] * b->ne[3];
    b->in = malloc((size_t)n_in * sizeof(float));
    b->out = malloc((size_t)n_out * sizeof(float));
    for (int64_t i = 0; i < n_in; i++)
        b->in[i] = (float)(i * 7919 % 1009) / 504.5f - 1;
}

static struct ggml_tensor *build(const struct row *r, const struct bench *b,
                                 struct ggml_context *ctx, struct ggml_tensor *x)
{
    switch (r->kind) {
    case PRODUCT:
        return ggml_mul_mat(ctx, b->w, x);
    case CONV_2D:
        return ggml_conv_2d_direct(ctx, ggml_reshape_4d(ctx, b->w, 3, 3, r->a, r->b),
                                   ggml_permute(ctx, x, 2, 0, 1, 3), 1, 1, 1, 1, 1, 1);
    case CONV_3D:
        return ggml_conv_3d_direct(ctx, b->w, ggml_permute(ctx, x, 3, 0, 1, 2), 1, 1, 1, 1, 1, 0, 1,
                                   1, 1, (int)r->a, 1, (int)r->b);
    case ATTENTION:
    case ATTENTION8:
        break;
    }
    struct ggml_tensor *y = ggml_flash_attn_ext(ctx, ggml_permute(ctx, x, 0, 2, 1, 3), b->k, b->v,
                                                NULL, 1 / sqrtf((float)r->a), 0, 0);
    ggml_prec_set_acc(y, GGML_PREC_F32);
    if (r->kind == ATTENTION8)
        zt_attention8_allow(y);
    return y;
}

static double now_us(const struct zt_device *device)
{
    return zt_device_threads(device) > 1 ? (double)zt_now_mono_us() : cpu_us();
}

static double once_us(struct zt_device *device, const struct row *r, const struct bench *b)
{
    zt_auto(graph) struct zt_graph *g = NULL;

    must(zt_graph_new(device, 64, &g, &err));
    struct ggml_tensor *x = zt_graph_input(g, "x", GGML_TYPE_F32, b->ne, b->in);
    zt_graph_output(g, build(r, b, zt_graph_ctx(g), x), NULL);
    double start = now_us(device);
    must(zt_graph_run(g, &err));
    return now_us(device) - start;
}

static void name_row(const struct row *r, char *to, size_t size)
{
    static const char *const kinds[] = { "product", "conv 3x3", "conv 3x3x3", "attention",
                                         "attention int8" };

    int n = snprintf(to, size, "%s %s ", kinds[r->kind], ggml_type_name(r->type));
    if (r->kind == PRODUCT)
        snprintf(to + n, size - (size_t)n, "%dx%dx%d", (int)r->c, (int)r->a, (int)r->b);
    else if (r->kind == ATTENTION || r->kind == ATTENTION8)
        snprintf(to + n, size - (size_t)n, "%dx%d, %d heads of %d", (int)r->c, (int)r->d, (int)r->b,
                 (int)r->a);
    else
        snprintf(to + n, size - (size_t)n, "%d to %d, %dx%d, %d frames", (int)r->a, (int)r->b,
                 (int)r->c, (int)r->d, (int)r->e);
}

int main(int argc, char **argv)
{
    static const struct row top = { PRODUCT, GGML_TYPE_F32, CEILING, CEILING, CEILING, 0, 0 };
    const char *filter = argc > 2 ? argv[2] : "", *asked = getenv("ZOETROPE_CPU");
    int64_t threads = 1;
    zt_auto(device) struct zt_device *fast = NULL, *ggml = NULL;
    struct bench ceiling;
    char name[80];

    if (argc > 1 && !zt_parse_int(argv[1], 1, 256, &threads)) {
        fprintf(stderr, "usage: bench_ops [THREADS [FILTER]]\n");
        return 2;
    }
    zt_auto_free char *mode = zt_strdup_or_die(asked != NULL ? asked : "fast");
    fast = open_device(mode, threads);
    ggml = open_device("ggml", threads);
    prepare(&top, &ceiling);
    printf("%-46s %9s %9s %6s %7s\n", "", "ggml", "fast", "x", "ceiling");
    printf("%-46s %9s %9s %6s %7s\n", "", "GFLOP/s", "GFLOP/s", "", "%");
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        double us[3][TURNS];
        struct bench b;
        name_row(&rows[i], name, sizeof(name));
        if (strstr(name, filter) == NULL)
            continue;
        prepare(&rows[i], &b);
        once_us(fast, &rows[i], &b);
        for (int t = 0; t < TURNS; t++) {
            us[0][t] = once_us(ggml, &rows[i], &b);
            us[1][t] = once_us(fast, &rows[i], &b);
            us[2][t] = once_us(fast, &top, &ceiling);
        }
        double g = median(us[0], TURNS), f = median(us[1], TURNS);
        double c = ceiling.flop / median(us[2], TURNS);
        printf("%-46s %9.1f %9.1f %6.2f %7.0f\n", name, b.flop / g / 1e3, b.flop / f / 1e3, g / f,
               100 * b.flop / f / c);
        fflush(stdout);
        free(b.in);
        free(b.out);
    }
    return 0;
}
