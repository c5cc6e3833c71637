/*
 * bench/w8a8.c - products of 8-bit weights and activations against the same products in q8_0 and
 * bf16, on ggml's CPU backend and on ours, and as a share of what the machine can do in 8 bits: a
 * large s8 x s8 product by oneDNN.
 *
 *     bench_w8a8
 *
 * One thread, in turns, medians of CPU time. Rounding the activations is part of a product.
 */
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/rng.h"
#include "measure.h"
#include "tensor/cpu/openmp.h"
#include "tensor/device.h"
#include "tensor/graph.h"
#include "tensor/w8a8.h"

#define TURNS 5
#define TOP_M 2048
#define TOP_K 3072

enum way { W8A8, GGML_Q8_0, GGML_BF16, FAST_BF16, WAYS };

static const struct {
    int64_t m, k, n; /* of the Wan DiT: attention, and the FFN's two matrices */
} shapes[] = {
    { 2048, 3072, 3072 },
    { 512, 3072, 14336 },
    { 512, 14336, 3072 },
    { 128, 3072, 3072 },
};

static struct zt_err err;

static void must(bool well)
{
    if (well)
        return;
    fprintf(stderr, "%s (%s)\n", err.msg, err.detail);
    exit(1);
}

static struct zt_device *open_device(const char *cpu)
{
    struct zt_device *d = NULL;

    setenv("ZOETROPE_CPU", cpu, 1);
    must(zt_device_open(&(struct zt_device_options){ .name = "CPU", .threads = 1 }, &d, &err) ==
         ZT_OK);
    return d;
}

/* A weight of its own buffer, freed with the context; values of mean 0. */
static struct ggml_tensor *weight(struct ggml_context *ctx, ggml_backend_buffer_type_t memory,
                                  enum ggml_type type, int64_t k, int64_t n,
                                  ggml_backend_buffer_t *ret)
{
    struct ggml_tensor *t = ggml_new_tensor_2d(ctx, type, k, n);
    zt_auto_free float *row = zt_new_array(float, (size_t)k);
    struct zt_rng rng;

    *ret = ggml_backend_alloc_ctx_tensors_from_buft(ctx, memory);
    must(*ret != NULL);
    ggml_backend_buffer_set_usage(*ret, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    zt_rng_init(&rng, 1, 0);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < k; j++)
            row[j] = (float)zt_rng_unit(&rng) - 0.5f;
        if (type == GGML_TYPE_I8)
            zt_w8a8_set(t, i, 1, row);
        else
            ggml_quantize_chunk(type, row, (char *)t->data + (size_t)i * t->nb[1], 0, 1, k, NULL);
    }
    return t;
}

static double product_us(struct zt_device *device, struct ggml_tensor *w, int64_t m, float *x)
{
    zt_auto(graph) struct zt_graph *g = NULL;

    must(zt_graph_new(device, 16, &g, &err) == ZT_OK);
    struct ggml_tensor *in =
        zt_graph_input(g, "x", GGML_TYPE_F32, (int64_t[]){ w->ne[0], m, 1, 1 }, x);
    zt_graph_output(g, ggml_mul_mat(zt_graph_ctx(g), w, in), NULL);
    double start = cpu_us();
    must(zt_graph_run(g, &err) == ZT_OK);
    return cpu_us() - start;
}

/* The machine's own: no scales, no rounding. */
static double ceiling_us(void)
{
    static int8_t a[TOP_M * TOP_K], b[TOP_K * TOP_K];
    static int32_t c[TOP_M * TOP_K];
    const int32_t none = 0;
    double start = cpu_us();

    must(dnnl_gemm_s8s8s32('N', 'T', 'F', TOP_M, TOP_K, TOP_K, 1, a, TOP_K, 0, b, TOP_K, 0, 0, c,
                           TOP_K, &none) == dnnl_success);
    return cpu_us() - start;
}

static void compare(struct zt_device *fast, struct zt_device *ggml, size_t shape)
{
    static const enum ggml_type types[WAYS] = { GGML_TYPE_I8, GGML_TYPE_Q8_0, GGML_TYPE_BF16,
                                                GGML_TYPE_BF16 };
    int64_t m = shapes[shape].m, k = shapes[shape].k, n = shapes[shape].n;
    zt_auto_free float *x = zt_new_array(float, (size_t)(m * k));
    double us[WAYS][TURNS], top[TURNS], flop = 2.0 * (double)m * (double)k * (double)n;
    struct ggml_context *ctx[WAYS];
    ggml_backend_buffer_t buffer[WAYS];
    struct ggml_tensor *w[WAYS];
    const char *why = "";

    for (int64_t i = 0; i < m * k; i++)
        x[i] = (float)(i * 7919 % 1009) / 504.5f - 1;
    for (int i = 0; i < WAYS; i++) {
        ggml_backend_buffer_type_t memory =
            i == W8A8 ? zt_device_w8a8(fast, &why) : zt_device_weights(ggml);
        must(memory != NULL);
        ctx[i] = ggml_init((struct ggml_init_params){ .mem_size = 1 << 14, .no_alloc = true });
        w[i] = weight(ctx[i], memory, types[i], k, n, &buffer[i]);
    }
    for (int turn = -1; turn < TURNS; turn++) /* the first only makes the code */
        for (int i = 0; i < WAYS; i++) {
            int at = turn < 0 ? 0 : turn;
            us[i][at] = product_us(i == W8A8 || i == FAST_BF16 ? fast : ggml, w[i], m, x);
            top[at] = i == W8A8 ? ceiling_us() : top[at];
        }
    double own = median(us[W8A8], TURNS);
    printf("%5dx%dx%-6d %9.1f", (int)m, (int)k, (int)n, flop / own / 1e3);
    for (int i = GGML_Q8_0; i < WAYS; i++)
        printf(" %9.2f", median(us[i], TURNS) / own);
    printf(" %9.0f\n", 100 * flop / own / (2.0 * TOP_M * TOP_K * TOP_K / median(top, TURNS)));
    for (int i = 0; i < WAYS; i++) {
        ggml_backend_buffer_free(buffer[i]);
        ggml_free(ctx[i]);
    }
}

int main(void)
{
    zt_auto(device) struct zt_device *fast = open_device("fast");
    zt_auto(device) struct zt_device *ggml = open_device("ggml");

    omp_set_num_threads(1);
    printf("%-18s %9s %9s %9s %9s %9s\n", "w8a8", "", "x ggml's", "x ggml's", "x our", "ceiling");
    printf("%-18s %9s %9s %9s %9s %9s\n", "", "GFLOP/s", "q8_0", "bf16", "bf16", "%");
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        compare(fast, ggml, i);
        fflush(stdout);
    }
    return 0;
}
