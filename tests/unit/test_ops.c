/* test_ops.c - pieces of graphs against the formulas they stand for, on ggml's CPU. */
#include "check.h"
#include "models/ops.h"

#include <ggml-cpu.h>
#include <stdlib.h>

#define N 4001

static struct ggml_context *context(void)
{
    struct ggml_init_params params = { .mem_size = (size_t)1 << 22, .mem_buffer = NULL };

    return ggml_init(params);
}

static void compute(struct ggml_context *ctx, struct ggml_tensor *y)
{
    struct ggml_cgraph *graph = ggml_new_graph(ctx);

    ggml_build_forward_expand(graph, y);
    CHECK_INT("computed", ggml_graph_compute_with_ctx(ctx, graph, 2), GGML_STATUS_SUCCESS);
}

static void fill(struct ggml_tensor *t, unsigned seed)
{
    float *v = ggml_get_data_f32(t);

    for (int64_t i = 0; i < ggml_nelements(t); i++) {
        seed = seed * 1664525u + 1013904223u;
        v[i] = (float)(seed >> 8) / (float)(1u << 23) - 1;
    }
}

/* 4e-7 is a few roundings of f32; ggml's own GELU is 1e-3 off. */
static void gelu_is_precise(void)
{
    struct ggml_context *ctx = context();
    struct ggml_tensor *x = ggml_new_tensor_1d(ctx, GGML_TYPE_F32, N);
    float *in = ggml_get_data_f32(x), worst = 0;

    for (int i = 0; i < N; i++)
        in[i] = (float)(i - N / 2) / 100; /* -20 ... 20 */
    in[0] = -1e6f;
    in[N - 1] = 1e6f;
    struct ggml_tensor *y = zt_op_gelu(ctx, x);
    compute(ctx, y);
    for (int i = 0; i < N; i++) {
        double v = in[i], want = 0.5 * v * (1 + tanh(sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
        double off = fabs(ggml_get_data_f32(y)[i] - want) / fmax(1, fabs(want));
        worst = fmaxf(worst, (float)off);
    }
    CHECK_BELOW("error", worst, 4e-7);
    ggml_free(ctx);
}

static void rms_norm_follows_the_formula(void)
{
    struct ggml_context *ctx = context();
    struct ggml_tensor *x = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 48, 5);
    struct ggml_tensor *w = ggml_new_tensor_1d(ctx, GGML_TYPE_F32, 48);

    fill(x, 1);
    fill(w, 2);
    struct ggml_tensor *y = zt_op_rms_norm(ctx, x, w, 1e-2f);
    compute(ctx, y);
    for (int row = 0; row < 5; row++) {
        const float *in = ggml_get_data_f32(x) + row * 48, *out = ggml_get_data_f32(y) + row * 48;
        double sum = 0;
        for (int i = 0; i < 48; i++)
            sum += (double)in[i] * in[i];
        for (int i = 0; i < 48; i++)
            CHECK_NEAR("value", out[i], in[i] / sqrt(sum / 48 + 1e-2) * ggml_get_data_f32(w)[i],
                       1e-6);
    }
    ggml_free(ctx);
}

static void linear_adds_its_bias(void)
{
    struct ggml_context *ctx = context();
    struct ggml_tensor *w = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 32, 7);
    struct ggml_tensor *b = ggml_new_tensor_1d(ctx, GGML_TYPE_F32, 7);
    struct ggml_tensor *x = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 32, 3);

    fill(w, 1);
    fill(b, 2);
    fill(x, 3);
    struct ggml_tensor *y = zt_op_linear(ctx, w, b, x), *z = zt_op_linear(ctx, w, NULL, x);
    compute(ctx, y);
    compute(ctx, z);
    for (int i = 0; i < 21; i++) {
        const float *row = ggml_get_data_f32(w) + i % 7 * 32,
                    *in = ggml_get_data_f32(x) + i / 7 * 32;
        double sum = 0;
        for (int k = 0; k < 32; k++)
            sum += (double)row[k] * in[k];
        CHECK_NEAR("without", ggml_get_data_f32(z)[i], sum, 2e-6);
        CHECK_NEAR("with", ggml_get_data_f32(y)[i], sum + ggml_get_data_f32(b)[i % 7], 2e-6);
    }
    ggml_free(ctx);
}

int main(void)
{
    RUN(gelu_is_precise);
    RUN(rms_norm_follows_the_formula);
    RUN(linear_adds_its_bias);
    return check_done();
}
