/*
 * umt5.c - the graph of the encoder, its inputs and its output.
 *
 * Each layer has its own table of position biases, unlike T5's; scores are not divided by the root
 * of a head's size. The hidden values of the feed-forward part pass f16's range.
 */
#include "models/text/umt5_inside.h"

#include "base/arena.h"
#include "base/mem.h"
#include "models/ops.h"
#include "tensor/device.h"
#include "tensor/graph.h"
#include "tensor/weights.h"

#include <ggml-backend.h>
#include <math.h>

#define EPS           1e-6f
#define DISTANCE_MAX  128 /* from here on all distances share a bucket */
#define NODES_A_LAYER 64
#define NODES_AROUND  16

struct zt_umt5 {
    struct zt_umt5_config config;
    struct zt_device *device;
    struct zt_params *params;
    const struct zt_weight *embedding;
    float embedding_scale;
    struct zt_umt5_tensors tensors;
};

/* ---- the graph ---------------------------------------------------------------------------- */

/*
 * Bucket of a key `distance` tokens after the query (Raffel et al., published code): one a distance
 * below 8, then 8 that widen with the logarithm up to DISTANCE_MAX; keys after the query have the
 * upper half.
 */
static int32_t bucket(int distance)
{
    enum { HALF = ZT_UMT5_BUCKETS / 2, EXACT = HALF / 2 };
    int32_t base = distance > 0 ? HALF : 0, far = distance < 0 ? -distance : distance;

    if (far < EXACT)
        return base + far;
    double log_ratio = log((double)far / EXACT) / log((double)DISTANCE_MAX / EXACT);
    int32_t wide = EXACT + (int32_t)(log_ratio * (HALF - EXACT));
    return base + (wide < HALF ? wide : HALF - 1);
}

/* buckets [key + n * query] */
static void fill_buckets(int n, int32_t *buckets)
{
    for (int query = 0; query < n; query++)
        for (int key = 0; key < n; key++)
            buckets[(size_t)query * (size_t)n + (size_t)key] = bucket(key - query);
}

/* [inner, n] as [inner / heads, n, heads] */
static struct ggml_tensor *split_heads(struct ggml_context *ctx, struct ggml_tensor *x, int heads)
{
    x = ggml_reshape_3d(ctx, x, x->ne[0] / heads, heads, x->ne[1]);
    return ggml_permute(ctx, x, 0, 2, 1, 3);
}

static struct ggml_tensor *attention(struct ggml_context *ctx, const struct zt_umt5_layer *layer,
                                     int heads, struct ggml_tensor *x, struct ggml_tensor *buckets)
{
    int64_t n = x->ne[1];
    struct ggml_tensor *q = split_heads(ctx, zt_op_linear(ctx, layer->q, NULL, x), heads);
    struct ggml_tensor *k = split_heads(ctx, zt_op_linear(ctx, layer->k, NULL, x), heads);
    struct ggml_tensor *v = split_heads(ctx, zt_op_linear(ctx, layer->v, NULL, x), heads);

    struct ggml_tensor *s =
        zt_op_linear(ctx, k, NULL, ggml_cont(ctx, q)); /* [keys, queries, heads] */
    struct ggml_tensor *bias = ggml_get_rows(ctx, layer->bias, buckets);
    bias = ggml_reshape_3d(ctx, bias, heads, n, n); /* [heads, keys, queries] */
    s = ggml_soft_max(ctx, ggml_add(ctx, s, ggml_permute(ctx, bias, 2, 0, 1, 3)));

    v = ggml_cont(ctx, ggml_transpose(ctx, v)); /* [n, size, heads] */
    struct ggml_tensor *y = ggml_permute(ctx, zt_op_linear(ctx, v, NULL, s), 0, 2, 1, 3);
    return zt_op_linear(ctx, layer->o, NULL, ggml_cont_2d(ctx, y, y->ne[0] * heads, n));
}

static struct ggml_tensor *feed_forward(struct ggml_context *ctx, const struct zt_umt5_layer *layer,
                                        struct ggml_tensor *x)
{
    struct ggml_tensor *gate = zt_op_gelu(ctx, zt_op_linear(ctx, layer->gate, NULL, x));
    struct ggml_tensor *y = ggml_mul(ctx, gate, zt_op_linear(ctx, layer->up, NULL, x));
    struct ggml_tensor *down = layer->down;

    if (down->type == GGML_TYPE_F16) /* else y would be rounded to f16, and overflow */
        down = ggml_cast(ctx, down, GGML_TYPE_F32);
    return zt_op_linear(ctx, down, NULL, y);
}

/* x [dim, n]; buckets [n * n], i32 */
static struct ggml_tensor *build(const struct zt_umt5 *e, struct ggml_context *ctx,
                                 struct ggml_tensor *x, struct ggml_tensor *buckets)
{
    for (int l = 0; l < e->config.layers; l++) {
        const struct zt_umt5_layer *layer = &e->tensors.layers[l];
        struct ggml_tensor *a = zt_op_rms_norm(ctx, x, layer->norm1, EPS);
        x = ggml_add(ctx, x, attention(ctx, layer, e->config.heads, a, buckets));
        struct ggml_tensor *b = zt_op_rms_norm(ctx, x, layer->norm2, EPS);
        x = ggml_add(ctx, x, feed_forward(ctx, layer, b));
    }
    return zt_op_rms_norm(ctx, x, e->tensors.norm, EPS);
}

/* x and buckets may be NULL for a graph that is measured only. */
static enum zt_code new_graph(const struct zt_umt5 *e, int n, const float *x,
                              const int32_t *buckets, float *ret, struct zt_graph **ret_graph,
                              struct zt_err *err)
{
    zt_auto(graph) struct zt_graph *g = NULL;
    int64_t ne_x[4] = { e->config.dim, n, 1, 1 }, ne_buckets[4] = { (int64_t)n * n, 1, 1, 1 };

    ZT_TRY(zt_graph_new(e->device, NODES_A_LAYER * e->config.layers + NODES_AROUND, &g, err));
    struct ggml_tensor *in = zt_graph_input(g, "tokens", GGML_TYPE_F32, ne_x, x);
    struct ggml_tensor *at = zt_graph_input(g, "buckets", GGML_TYPE_I32, ne_buckets, buckets);
    zt_graph_output(g, build(e, zt_graph_ctx(g), in, at), ret);
    *ret_graph = zt_take_graph(&g);
    return ZT_OK;
}

/* ---- the encoder -------------------------------------------------------------------------- */

static enum zt_code load(struct zt_umt5 *e, const struct zt_weights *weights,
                         struct zt_arena *arena, zt_params_progress_fn *progress, void *user,
                         struct zt_err *err)
{
    struct zt_param *params;
    size_t n = zt_umt5_params(&e->config, arena, &params);

    ZT_TRY(zt_params_check(weights, "umT5", params, n, &zt_umt5_names, err));
    ZT_TRY(zt_umt5_embedding(weights, &e->embedding, &e->embedding_scale, err));
    n = zt_umt5_params_into(&e->config, &e->tensors, arena, &params);
    return zt_params_load(weights, "umT5", params, n, &zt_umt5_names, e->device, progress, user,
                          &e->params, err);
}

enum zt_code zt_umt5_open(const struct zt_weights *weights, struct zt_device *device,
                          zt_params_progress_fn *progress, void *user, struct zt_umt5 **ret,
                          struct zt_err *err)
{
    zt_auto(umt5) struct zt_umt5 *e = zt_new(struct zt_umt5);
    struct zt_arena arena = { 0 };

    e->device = device;
    ZT_TRY(zt_umt5_config_read(weights, &e->config, err));
    enum zt_code rc = load(e, weights, &arena, progress, user, err);
    zt_arena_clear(&arena);
    if (rc == ZT_OK)
        *ret = zt_take_umt5(&e);
    return rc;
}

void zt_umt5_close(struct zt_umt5 *encoder)
{
    if (encoder == NULL)
        return;
    zt_params_free(encoder->params);
    free(encoder);
}

const struct zt_umt5_config *zt_umt5_config(const struct zt_umt5 *encoder)
{
    return &encoder->config;
}

size_t zt_umt5_bytes(const struct zt_umt5 *encoder)
{
    return zt_params_bytes(encoder->params);
}

size_t zt_umt5_mapped_bytes(const struct zt_umt5 *encoder)
{
    return zt_params_mapped_bytes(encoder->params);
}

static enum zt_code check_ids(const struct zt_umt5 *e, const int32_t *ids, int n,
                              struct zt_err *err)
{
    if (n < 1 || n > ZT_UMT5_TOKENS_MAX)
        return zt_fail(err, ZT_E_INVALID, "a prompt has 1 to %d tokens, not %d", ZT_UMT5_TOKENS_MAX,
                       n);
    for (int i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= e->config.vocab)
            return zt_fail(err, ZT_E_INVALID,
                           "token %d has id %d; the text encoder knows 0 to %d: tokenizer and "
                           "encoder are not of one model",
                           i, (int)ids[i], e->config.vocab - 1);
    return ZT_OK;
}

static enum zt_code look_up(const struct zt_umt5 *e, const int32_t *ids, int n, float *x,
                            struct zt_err *err)
{
    int64_t dim = e->config.dim;

    for (int i = 0; i < n; i++) {
        float *row = x + i * dim;
        ZT_TRY(zt_weight_to_f32(e->embedding, ids[i] * dim, dim, row, err));
        for (int64_t k = 0; e->embedding_scale != 1 && k < dim; k++)
            row[k] *= e->embedding_scale;
    }
    return ZT_OK;
}

enum zt_code zt_umt5_encode(struct zt_umt5 *encoder, const int32_t *ids, int n, float *ret,
                            struct zt_err *err)
{
    zt_auto(graph) struct zt_graph *graph = NULL;
    zt_auto_free float *x = NULL;
    zt_auto_free int32_t *buckets = NULL;

    ZT_TRY(check_ids(encoder, ids, n, err));
    size_t tokens = (size_t)n, values = tokens * (size_t)encoder->config.dim;
    ZT_TRY(zt_try_alloc(values, sizeof(*x), "the prompt", (void **)&x, err));
    ZT_TRY(zt_try_alloc(tokens * tokens, sizeof(*buckets), "the prompt", (void **)&buckets, err));
    ZT_TRY(look_up(encoder, ids, n, x, err));
    fill_buckets(n, buckets);
    ZT_TRY(new_graph(encoder, n, x, buckets, ret, &graph, err));
    ZT_TRY(zt_graph_run(graph, err));
    for (size_t i = 0; i < values; i++)
        if (!isfinite(ret[i]))
            return zt_fail(err, ZT_E_CORRUPT,
                           "the text encoder gives NaN or infinity: its weights are damaged");
    return ZT_OK;
}

/* ---- measuring ---------------------------------------------------------------------------- */

/* Tensors of the parameters' shapes that look placed to the allocator, and hold nothing. */
static void describe(struct ggml_context *ctx, const struct zt_param *params, size_t n,
                     enum ggml_type type, ggml_backend_buffer_t nowhere)
{
    for (size_t i = 0; i < n; i++) {
        const struct zt_param *p = &params[i];
        bool whole = p->ne[0] % ggml_blck_size(type) == 0;
        struct ggml_tensor *t = ggml_new_tensor(
            ctx, p->kind == ZT_PARAM_MATRIX && whole ? type : GGML_TYPE_F32, 4, p->ne);
        t->buffer = nowhere;
        t->data = ggml_backend_buffer_get_base(nowhere);
        *p->slot = t;
    }
}

static enum zt_code measure(struct zt_umt5 *e, enum ggml_type type, int n, size_t *ret,
                            struct zt_err *err)
{
    zt_auto(graph) struct zt_graph *graph = NULL;
    struct zt_arena arena = { 0 };
    struct zt_param *params;
    size_t count = zt_umt5_params_into(&e->config, &e->tensors, &arena, &params);
    struct ggml_init_params init = { .mem_size = count * ggml_tensor_overhead(), .no_alloc = true };
    struct ggml_context *ctx = ggml_init(init);
    ggml_backend_buffer_t nowhere =
        ggml_backend_buft_alloc_buffer(zt_device_weights(e->device), 64);
    enum zt_code rc = ZT_E_NOMEM;

    if (ctx != NULL && nowhere != NULL) {
        ggml_backend_buffer_set_usage(nowhere, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
        describe(ctx, params, count, type, nowhere);
        rc = new_graph(e, n, NULL, NULL, NULL, &graph, err);
    } else {
        zt_fail(err, rc, "no memory to measure the text encoder");
    }
    if (rc == ZT_OK)
        *ret = zt_graph_bytes(graph);
    zt_graph_free(zt_take_graph(&graph));
    if (nowhere != NULL)
        ggml_backend_buffer_free(nowhere);
    ggml_free(ctx);
    zt_arena_clear(&arena);
    return rc;
}

enum zt_code zt_umt5_working_bytes(const struct zt_umt5_config *config, enum ggml_type type,
                                   struct zt_device *device, int n, size_t *ret, struct zt_err *err)
{
    zt_auto_free struct zt_umt5 *e = zt_new(struct zt_umt5);

    zt_assert(config->layers <= ZT_UMT5_LAYERS_MAX && n > 0 && n <= ZT_UMT5_TOKENS_MAX);
    e->config = *config;
    e->device = device;
    ZT_TRY(measure(e, type, n, ret, err));
    /* The lookup's rows and buckets. */
    *ret += (size_t)n * ((size_t)config->dim * sizeof(float) + (size_t)n * sizeof(int32_t));
    return ZT_OK;
}
