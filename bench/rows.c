/*
 * rows.c - what stands between products and convolutions in our models, on the fast CPU backend,
 * where each line is one pass over memory, and on ggml's: processor time of both, in one run.
 *
 *     bench_rows [THREADS]
 */
#include <stdio.h>
#include <stdlib.h>

#include <ggml-backend.h>

#include "base/error.h"
#include "base/str.h"
#include "devices.h"
#include "measure.h"
#include "tensor/device.h"
#include "tensor/graph.h"

#define TURNS 9

struct in {
    struct ggml_tensor *x, *residual, *a, *b; /* [n, rows] twice, [n] twice */
};
typedef struct ggml_tensor *build_fn(struct ggml_context *ctx, const struct in *in);

static struct ggml_tensor *modulate(struct ggml_context *ctx, const struct in *in)
{
    return ggml_add(ctx, ggml_mul(ctx, ggml_norm(ctx, in->x, 1e-6f), in->a), in->b);
}

static struct ggml_tensor *rms_norm(struct ggml_context *ctx, const struct in *in)
{
    struct ggml_tensor *y = ggml_rms_norm(ctx, ggml_add(ctx, in->x, in->b), 1e-6f);

    return ggml_mul(ctx, y, in->a);
}

static struct ggml_tensor *gate(struct ggml_context *ctx, const struct in *in)
{
    struct ggml_tensor *y = ggml_mul(ctx, ggml_add(ctx, in->x, in->b), in->a);

    return ggml_add(ctx, in->residual, y);
}

/* The same steps as models/ops.c, which this program does not link. */
static struct ggml_tensor *gelu(struct ggml_context *ctx, const struct in *in)
{
    struct ggml_tensor *x = ggml_add(ctx, in->x, in->b);
    struct ggml_tensor *k = ggml_scale_bias(ctx, ggml_sqr(ctx, x), 0.0713548f, 1.5957691f);

    return ggml_div(ctx, ggml_silu(ctx, ggml_mul(ctx, x, k)), k);
}

static struct ggml_tensor *l2_silu(struct ggml_context *ctx, const struct in *in)
{
    return ggml_silu(ctx, ggml_mul(ctx, ggml_l2_norm(ctx, in->x, 1e-12f), in->a));
}

static const struct row {
    const char *name;
    build_fn *build;
    int64_t n, rows;
} rows[] = {
    { "norm, scale, shift", modulate, 3072, 1560 },
    { "bias, RMS norm, weight", rms_norm, 3072, 1560 },
    { "bias, gate, add", gate, 3072, 1560 },
    { "bias, GELU", gelu, 14336, 1560 },
    { "L2 norm, weight, SiLU", l2_silu, 1024, 1560 },
    { "L2 norm, weight, SiLU", l2_silu, 256, 24960 },
};

/* In memory that graphs read where it is. */
static struct ggml_tensor *filled(struct ggml_context *ctx, int64_t n, int64_t n_rows)
{
    struct ggml_tensor *t = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, n, n_rows);
    ggml_backend_buffer_t buffer =
        ggml_backend_buft_alloc_buffer(ggml_backend_cpu_buffer_type(), ggml_nbytes(t));

    ggml_backend_tensor_alloc(buffer, t, ggml_backend_buffer_get_base(buffer));
    for (int64_t i = 0; i < n * n_rows; i++)
        ((float *)t->data)[i] = (float)(i * 7919 % 1009) / 504.5f - 1;
    return t;
}

static double once_us(struct zt_device *device, const struct row *row, const struct in *in)
{
    zt_auto(graph) struct zt_graph *g = NULL;

    must(zt_graph_new(device, 64, &g, &err));
    zt_graph_output(g, row->build(zt_graph_ctx(g), in), NULL);
    double start = cpu_us();
    must(zt_graph_run(g, &err));
    return cpu_us() - start;
}

static void compare(struct zt_device *fast, struct zt_device *ggml, const struct row *row)
{
    struct ggml_context *ctx =
        ggml_init((struct ggml_init_params){ .mem_size = 1 << 16, .no_alloc = true });
    struct in in = { filled(ctx, row->n, row->rows), filled(ctx, row->n, row->rows),
                     filled(ctx, row->n, 1), filled(ctx, row->n, 1) };
    struct ggml_tensor *const all[] = { in.x, in.residual, in.a, in.b };
    double us[2][TURNS];
    char name[64];

    once_us(ggml, row, &in);
    once_us(fast, row, &in);
    for (int t = 0; t < TURNS; t++) {
        us[0][t] = once_us(ggml, row, &in);
        us[1][t] = once_us(fast, row, &in);
    }
    double g = median(us[0], TURNS), f = median(us[1], TURNS);
    snprintf(name, sizeof(name), "%s %dx%d", row->name, (int)row->rows, (int)row->n);
    printf("%-40s %9.2f %9.2f %6.2f\n", name, g / 1e3, f / 1e3, g / f);
    fflush(stdout);
    for (size_t i = 0; i < ZT_COUNT(all); i++)
        ggml_backend_buffer_free(all[i]->buffer);
    ggml_free(ctx);
}

int main(int argc, char **argv)
{
    int64_t threads = 1;
    zt_auto(device) struct zt_device *fast = NULL, *ggml = NULL;

    if (argc > 1 && !zt_parse_int(argv[1], 1, 256, &threads)) {
        fprintf(stderr, "usage: bench_rows [THREADS]\n");
        return 2;
    }
    fast = open_device("fast", threads);
    ggml = open_device("ggml", threads);
    printf("%-40s %9s %9s %6s\n", "", "ggml ms", "fast ms", "x");
    for (size_t i = 0; i < ZT_COUNT(rows); i++)
        compare(fast, ggml, &rows[i]);
    return 0;
}
