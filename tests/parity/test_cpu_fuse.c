/*
 * test_cpu_fuse.c - row operations of the fast CPU backend, and what it fuses of them: against a float64 reference, against ggml's CPU backend, against
 * itself node by node, and with 1, 2 and 3 threads to the byte. Results are poisoned with NaN before
 * each run; an inner result that is still poison afterwards was fused.
 */
#include "base/auto.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "check.h"
#include "tensor/cpu/backend.h"

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <stdlib.h>

#define ROUNDS      10
#define BOUND       1e-5 /* measured: below 1e-6 */
#define PLAIN_BOUND 2e-2 /* ggml's own, whose activations are rounded in products */
#define NODES       64

static struct zt_rng rng;
static ggml_backend_t fast[3], plain;

struct world {
    struct ggml_context *ctx;
    ggml_backend_buffer_t buffer;
    void *clean; /* the buffer before a run */
};

static struct world world_new(void)
{
    struct ggml_init_params params = { .mem_size = 1 << 21, .no_alloc = true };

    return (struct world){ .ctx = ggml_init(params) };
}

static void world_free(struct world *w)
{
    ggml_backend_buffer_free(w->buffer);
    ggml_free(w->ctx);
    free(w->clean);
}

static int64_t between(int64_t least, int64_t most)
{
    return least + (int64_t)(zt_rng_u32(&rng) % (uint32_t)(most - least + 1));
}

static bool maybe(void)
{
    return zt_rng_u32(&rng) & 1;
}

static void fill(struct ggml_tensor *t)
{
    int64_t n = ggml_nelements(t);
    zt_auto_free float *values = malloc((size_t)n * sizeof(float));

    for (int64_t i = 0; i < n; i++)
        values[i] = (float)zt_rng_unit(&rng) * 2 - 1;
    if (t->type == GGML_TYPE_F32)
        memcpy(t->data, values, (size_t)n * sizeof(float));
    else
        ggml_quantize_chunk(t->type, values, t->data, 0, n / t->ne[0], t->ne[0], NULL);
}

static void keep(struct world *w)
{
    size_t bytes = ggml_backend_buffer_get_size(w->buffer);

    free(w->clean);
    w->clean = malloc(bytes);
    memcpy(w->clean, ggml_backend_buffer_get_base(w->buffer), bytes);
}

static void world_fill(struct world *w)
{
    w->buffer = ggml_backend_alloc_ctx_tensors_from_buft(w->ctx, ggml_backend_cpu_buffer_type());
    memset(ggml_backend_buffer_get_base(w->buffer), 0xff, ggml_backend_buffer_get_size(w->buffer));
    for (struct ggml_tensor *t = ggml_get_first_tensor(w->ctx); t;
         t = ggml_get_next_tensor(w->ctx, t))
        if (t->view_src == NULL && t->op == GGML_OP_NONE)
            fill(t);
    keep(w);
}

static struct ggml_cgraph *graph_of(struct world *w, struct ggml_tensor *first,
                                    struct ggml_tensor *second)
{
    struct ggml_cgraph *graph = ggml_new_graph_custom(w->ctx, NODES, false);

    ggml_build_forward_expand(graph, first);
    if (second != NULL)
        ggml_build_forward_expand(graph, second);
    return graph;
}

static void run(const char *label, struct world *w, ggml_backend_t backend,
                struct ggml_cgraph *graph)
{
    memcpy(ggml_backend_buffer_get_base(w->buffer), w->clean,
           ggml_backend_buffer_get_size(w->buffer));
    CHECK_INT(label, ggml_backend_graph_compute(backend, graph), GGML_STATUS_SUCCESS);
}

/* ---- the reference -------------------------------------------------------------------------- */

static double *values(const struct ggml_tensor *t);

static double element(const struct ggml_tensor *t, int64_t at)
{
    size_t offset = 0;
    float value;

    for (int i = 0; i < 4; at /= t->ne[i++])
        offset += (size_t)(at % t->ne[i]) * t->nb[i];
    if (t->type == GGML_TYPE_F32)
        memcpy(&value, (const char *)t->data + offset, sizeof(value));
    else
        ggml_get_type_traits(t->type)->to_float((const char *)t->data + offset, &value, 1);
    return (double)value;
}

static double *now(const struct ggml_tensor *t)
{
    double *v = malloc((size_t)ggml_nelements(t) * sizeof(double));

    for (int64_t i = 0; i < ggml_nelements(t); i++)
        v[i] = element(t, i);
    return v;
}

/* Index of b, repeated to the shape of t. */
static int64_t repeated(const struct ggml_tensor *t, const struct ggml_tensor *b, int64_t at)
{
    int64_t index = 0, step = 1;

    for (int i = 0; i < 4; at /= t->ne[i], step *= b->ne[i++])
        index += at % t->ne[i] % b->ne[i] * step;
    return index;
}

static void reference_norm(const struct ggml_tensor *t, double *v)
{
    float eps;

    memcpy(&eps, t->op_params, sizeof(eps));
    for (int64_t r = 0; r < ggml_nrows(t); r++, v += t->ne[0]) {
        double n = (double)t->ne[0], mean = 0, squares = 0, factor;
        for (int64_t i = 0; t->op == GGML_OP_NORM && i < t->ne[0]; i++)
            mean += v[i] / n;
        for (int64_t i = 0; i < t->ne[0]; i++)
            squares += (v[i] - mean) * (v[i] - mean);
        factor = t->op == GGML_OP_L2_NORM ? 1 / fmax(sqrt(squares), (double)eps)
                                          : 1 / sqrt(squares / n + (double)eps);
        for (int64_t i = 0; i < t->ne[0]; i++)
            v[i] = (v[i] - mean) * factor;
    }
}

static double combine(const struct ggml_tensor *t, double a, double b)
{
    float par[2];

    memcpy(par, t->op_params, sizeof(par));
    switch (t->op) {
    case GGML_OP_ADD:
        return a + b;
    case GGML_OP_MUL:
        return a * b;
    case GGML_OP_DIV:
        return a / b;
    case GGML_OP_SQR:
        return a * a;
    case GGML_OP_SCALE:
        return a * (double)par[0] + (double)par[1];
    default:
        return a / (1 + exp(-a));
    }
}

static void reference_rows(const struct ggml_tensor *t, double *v)
{
    zt_auto_free double *a = values(t->src[0]), *b = t->src[1] ? values(t->src[1]) : NULL;

    for (int64_t i = 0; i < ggml_nelements(t); i++)
        v[i] = combine(t, a[i], b ? b[repeated(t, t->src[1], i)] : 0);
}

static void reference_product(const struct ggml_tensor *t, double *v)
{
    zt_auto_free double *w = values(t->src[0]), *x = values(t->src[1]);
    int64_t k = t->src[0]->ne[0];

    for (int64_t i = 0; i < ggml_nelements(t); i++) {
        const double *a = w + i % t->ne[0] * k, *b = x + i / t->ne[0] * k;
        v[i] = 0;
        for (int64_t j = 0; j < k; j++)
            v[i] += a[j] * b[j];
    }
}

/* Stride 1, padding 1 in x and y and none in time, no dilation; kernels of 3 each way. */
static void reference_conv(const struct ggml_tensor *t, double *v)
{
    zt_auto_free double *w = values(t->src[0]), *x = values(t->src[1]);
    const int64_t *ne = t->src[1]->ne;
    bool flat = t->op == GGML_OP_CONV_2D;
    int64_t in = flat ? ne[2] : ne[3], times = flat ? 1 : ne[2], kt = flat ? 1 : 3;
    int64_t to = times - kt + 1, out = flat ? t->ne[2] : t->ne[3];

    for (int64_t i = 0; i < ggml_nelements(t); i++) {
        int64_t px = i % ne[0], py = i / ne[0] % ne[1], pt = i / ne[0] / ne[1] % to;
        int64_t o = i / ne[0] / ne[1] / to % out, b = i / ne[0] / ne[1] / to / out;
        v[i] = 0;
        for (int64_t c = 0; c < in; c++)
            for (int64_t k = 0; k < 9 * kt; k++) {
                int64_t x0 = px + k % 3 - 1, y0 = py + k / 3 % 3 - 1, t0 = pt + k / 9;
                if (x0 >= 0 && y0 >= 0 && x0 < ne[0] && y0 < ne[1])
                    v[i] += w[(o * in + c) * 9 * kt + k] *
                            x[(((b * in + c) * times + t0) * ne[1] + y0) * ne[0] + x0];
            }
    }
}

/* A copy of what a permutation makes of a whole result. */
static void reference_copy(const struct ggml_tensor *t, double *v)
{
    zt_auto_free double *from = values(t->src[0]->src[0]);

    for (int64_t i = 0, at = 0; i < ggml_nelements(t); at = ++i) {
        size_t offset = 0;
        for (int d = 0; d < 4; at /= t->ne[d++])
            offset += (size_t)(at % t->ne[d]) * t->src[0]->nb[d];
        v[i] = from[offset / sizeof(float)];
    }
}

/* In the order of a contiguous tensor of t's shape; before anything was run. */
static double *values(const struct ggml_tensor *t)
{
    double *v = NULL;

    if (t->op == GGML_OP_NONE || t->op == GGML_OP_VIEW || t->op == GGML_OP_PERMUTE)
        return now(t);
    if (t->op == GGML_OP_NORM || t->op == GGML_OP_RMS_NORM || t->op == GGML_OP_L2_NORM) {
        v = values(t->src[0]);
        reference_norm(t, v);
        return v;
    }
    v = malloc((size_t)ggml_nelements(t) * sizeof(double));
    if (t->op == GGML_OP_CONT)
        reference_copy(t, v);
    else if (t->op == GGML_OP_MUL_MAT)
        reference_product(t, v);
    else if (t->op == GGML_OP_CONV_2D || t->op == GGML_OP_CONV_3D)
        reference_conv(t, v);
    else
        reference_rows(t, v);
    return v;
}

/* Relative L2; t may have strides. NaN is below no bound. */
static double distance(const double *want, const struct ggml_tensor *t)
{
    double wrong = 0, size = 0;

    for (int64_t i = 0; i < ggml_nelements(t); i++) {
        double got = element(t, i);
        wrong += (got - want[i]) * (got - want[i]);
        size += want[i] * want[i];
    }
    return sqrt(wrong / size);
}

/* ---- the checks ----------------------------------------------------------------------------- */

static bool is_poison(const struct ggml_tensor *t)
{
    static const unsigned char poison[4] = { 0xff, 0xff, 0xff, 0xff };

    return memcmp(t->data, poison, sizeof(poison)) == 0;
}

static void set_outputs(struct ggml_cgraph *graph, bool on)
{
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        struct ggml_tensor *t = ggml_graph_node(graph, i);
        t->flags = on ? t->flags | GGML_TENSOR_FLAG_OUTPUT : t->flags & ~GGML_TENSOR_FLAG_OUTPUT;
    }
}

static bool same(const double *a, const double *b, const struct ggml_tensor *t)
{
    return memcmp(a, b, (size_t)ggml_nelements(t) * sizeof(double)) == 0;
}

/* An inner result that is an output, or is used by one more, is there, and nothing changes. */
static void check_inner(const char *label, struct world *w, struct ggml_tensor *y,
                        struct ggml_tensor *inner, const double *want_inner, const double *want)
{
    struct ggml_tensor *more = ggml_scale(w->ctx, inner, 2);
    struct ggml_cgraph *graph = graph_of(w, y, NULL);

    inner->flags |= GGML_TENSOR_FLAG_OUTPUT;
    run(label, w, fast[1], graph);
    inner->flags &= ~GGML_TENSOR_FLAG_OUTPUT;
    CHECK_BELOW(label, distance(want_inner, inner), BOUND);
    CHECK_BELOW(label, distance(want, y), BOUND);

    zt_auto_free float *room = malloc(ggml_nbytes(more));
    zt_auto_free double *twice = malloc((size_t)ggml_nelements(more) * sizeof(double));
    more->data = room;
    for (int64_t i = 0; i < ggml_nelements(more); i++)
        twice[i] = 2 * want_inner[i];
    for (int order = 0; order < 2; order++) {
        graph = order ? graph_of(w, y, more) : graph_of(w, more, y);
        memset(room, 0xff, ggml_nbytes(more));
        run(label, w, fast[1], graph);
        CHECK_BELOW(label, distance(twice, more), BOUND);
        CHECK_BELOW(label, distance(want, y), BOUND);
    }
}

/* Nodes with memory of their own but y, and what they should be. */
static int inner_of(struct ggml_cgraph *graph, const struct ggml_tensor *y,
                    struct ggml_tensor **inner, double **want)
{
    int n = 0;

    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        struct ggml_tensor *t = ggml_graph_node(graph, i);
        if (t == y || t->view_src != NULL)
            continue;
        inner[n] = t;
        want[n++] = values(t);
    }
    return n;
}

/* unwritten: how many inner results a run must leave out. Fused is as node by node, to the byte. */
static void check(const char *label, struct world *w, struct ggml_tensor *y, int unwritten)
{
    struct ggml_cgraph *graph = graph_of(w, y, NULL);
    zt_auto_free double *want = values(y);
    struct ggml_tensor *inner[NODES];
    double *want_inner[NODES];
    int n = inner_of(graph, y, inner, want_inner), left = 0;

    for (int i = 0; i < ggml_graph_n_nodes(graph); i++)
        CHECK(label, ggml_backend_supports_op(fast[0], ggml_graph_node(graph, i)));
    run(label, w, fast[0], graph);
    zt_auto_free double *first = now(y);
    CHECK_BELOW(label, distance(want, y), BOUND);
    for (int i = 1; i < 3; i++) {
        run(label, w, fast[i], graph);
        zt_auto_free double *got = now(y);
        CHECK(label, same(first, got, y));
    }
    for (int i = 0; i < n; i++)
        left += is_poison(inner[i]);
    CHECK_INT(label, left, unwritten);
    run(label, w, plain, graph);
    CHECK_BELOW(label, distance(want, y), PLAIN_BOUND);
    set_outputs(graph, true); /* node by node */
    run(label, w, fast[0], graph);
    set_outputs(graph, false);
    zt_auto_free double *alone = now(y);
    CHECK(label, same(first, alone, y));
    CHECK_BELOW(label, distance(want, y), BOUND);
    for (int i = 0; i < n; i++)
        CHECK_BELOW(label, distance(want_inner[i], inner[i]), BOUND);
    for (int i = 0; i < n; i++) {
        check_inner(label, w, y, inner[i], want_inner[i], want);
        free(want_inner[i]);
    }
}

/* ---- single operations ---------------------------------------------------------------------- */

static struct ggml_tensor *some(struct world *w, const int64_t ne[4], bool view)
{
    struct ggml_tensor *t = ggml_new_tensor_4d(w->ctx, GGML_TYPE_F32, ne[0] + (view ? 5 : 0),
                                               ne[1] + (view ? 2 : 0), ne[2], ne[3]);

    return view ? ggml_view_4d(w->ctx, t, ne[0], ne[1], ne[2], ne[3], t->nb[1], t->nb[2], t->nb[3],
                               t->nb[1] + 2 * sizeof(float))
                : t;
}

typedef struct ggml_tensor *unary_fn(struct ggml_context *, struct ggml_tensor *);
typedef struct ggml_tensor *binary_fn(struct ggml_context *, struct ggml_tensor *,
                                      struct ggml_tensor *);
typedef struct ggml_tensor *norm_fn(struct ggml_context *, struct ggml_tensor *, float);
static binary_fn *const binary[][2] = { { ggml_add, ggml_add_inplace },
                                        { ggml_mul, ggml_mul_inplace },
                                        { ggml_div, ggml_div_inplace } };
static unary_fn *const unary[][2] = { { ggml_sqr, ggml_sqr_inplace },
                                      { ggml_silu, ggml_silu_inplace } };
static norm_fn *const norms[][2] = { { ggml_norm, ggml_norm_inplace },
                                     { ggml_rms_norm, ggml_rms_norm_inplace },
                                     { ggml_l2_norm, ggml_l2_norm_inplace } };
enum { UNARY = 3, NORMS = 5, SCALE = 8, KINDS };

static struct ggml_tensor *single(struct ggml_context *c, int kind, struct ggml_tensor *a,
                                  struct ggml_tensor *b, bool in_place)
{
    if (kind < UNARY)
        return binary[kind][in_place](c, a, b);
    if (kind < NORMS)
        return unary[kind - UNARY][in_place](c, a);
    if (kind < SCALE)
        return norms[kind - NORMS][in_place](c, a, 1e-6f);
    return in_place ? ggml_scale_bias_inplace(c, a, 0.3f, -0.7f)
                    : ggml_scale_bias(c, a, 0.3f, -0.7f);
}

static void does_each_alone(void)
{
    static const int64_t lengths[] = { 2, 7, 8, 33, 100, 1024, 1500, 20000 };

    for (int round = 0; round < KINDS * 12; round++) {
        struct world w = world_new();
        bool large = round / KINDS == 11;
        int64_t ne[4] = { large ? 70 : lengths[between(0, 7)], large ? 999 : between(1, 6),
                          between(1, 4), between(1, 3) };
        int64_t less[4] = { ne[0] };
        for (int i = 1; i < 4; i++)
            less[i] = maybe() ? ne[i] : 1;
        struct ggml_tensor *a = some(&w, ne, round % KINDS != SCALE && maybe());
        struct ggml_tensor *b = some(&w, less, maybe());
        struct ggml_tensor *y = single(w.ctx, round % KINDS, a, b, maybe());
        char label[80];
        snprintf(label, sizeof(label), "%s %d x %d x %d x %d", ggml_op_desc(y), (int)ne[0],
                 (int)ne[1], (int)ne[2], (int)ne[3]);
        world_fill(&w);
        check(label, &w, y, 0);
        world_free(&w);
    }
}

/* The stated error of SiLU, value by value. */
static void rounds_silu_little(void)
{
    struct world w = world_new();
    struct ggml_tensor *x = ggml_new_tensor_1d(w.ctx, GGML_TYPE_F32, 40003);
    struct ggml_tensor *y = ggml_silu(w.ctx, x);
    double worst = 0;

    world_fill(&w);
    zt_auto_free float *in = malloc(ggml_nbytes(x));
    for (int i = 0; i < 40000; i++)
        in[i] = (float)(i - 20000) / 200;
    in[40000] = NAN;
    in[40001] = INFINITY;
    in[40002] = -1e-30f;
    memcpy(x->data, in, ggml_nbytes(x));
    keep(&w);
    run("silu", &w, fast[0], graph_of(&w, y, NULL));
    for (int i = 0; i < 40000; i++) {
        double want = (double)in[i] / (1 + exp(-(double)in[i]));
        double wrong = fabs(element(y, i) - want);
        if (in[i] < -87)
            CHECK("far below", wrong < 2e-36);
        else if (want != 0)
            worst = fmax(worst, wrong / fabs(want));
    }
    CHECK_BELOW("relative", worst, 5e-7);
    CHECK("NaN", isnan(element(y, 40000)));
    CHECK("infinity", isinf(element(y, 40001)));
    CHECK_NEAR("tiny", element(y, 40002) * 1e30, -0.5, 1e-6);
    world_free(&w);
}

/* ---- patterns ------------------------------------------------------------------------------- */

static struct ggml_tensor *vector(struct world *w, int64_t n)
{
    return ggml_new_tensor_1d(w->ctx, GGML_TYPE_F32, n);
}

static struct ggml_tensor *gelu(struct ggml_context *c, struct ggml_tensor *x)
{
    struct ggml_tensor *k = ggml_scale_bias(c, ggml_sqr(c, x), 0.0713548f, 1.5957691f);

    return ggml_div(c, ggml_silu(c, ggml_mul(c, x, k)), k);
}

/* Row 1 of a table [dim, 2, frames], as the DiT's shifts and scales lie. */
static struct ggml_tensor *table_row(struct world *w, const int64_t ne[4])
{
    struct ggml_tensor *t = ggml_new_tensor_3d(w->ctx, GGML_TYPE_F32, ne[0], 2, ne[2]);

    return ggml_view_3d(w->ctx, t, ne[0], 1, ne[2], t->nb[1], t->nb[2], t->nb[1]);
}

static void fuses_rows(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        int64_t ne[4] = { round % 2 ? between(3, 70) : between(900, 3100), between(1, 40),
                          between(1, 3), 1 };
        struct world w = world_new();
        struct ggml_context *c = w.ctx;
        struct ggml_tensor *x[6], *y[6];
        for (int i = 0; i < 6; i++)
            x[i] = some(&w, ne, i < 3 && round % 3 == 1);
        y[0] = ggml_mul(c, ggml_norm(c, x[0], 1e-6f), table_row(&w, ne));
        y[0] = ggml_add(c, y[0], table_row(&w, ne));
        y[1] = ggml_rms_norm(c, ggml_add(c, x[1], vector(&w, ne[0])), 1e-6f);
        y[1] = ggml_mul(c, y[1], vector(&w, ne[0]));
        y[2] = ggml_add(c, some(&w, ne, false), vector(&w, ne[0]));
        y[2] = ggml_add_inplace(c, x[2], ggml_mul(c, y[2], table_row(&w, ne)));
        y[3] = gelu(c, ggml_add(c, x[3], vector(&w, ne[0])));
        y[4] = ggml_scale(c, vector(&w, ne[0]), 16); /* stands between */
        y[4] = ggml_silu(c, ggml_mul(c, ggml_l2_norm(c, x[4], 1e-12f), y[4]));
        y[5] = ggml_mul(c, x[5], ggml_scale(c, vector(&w, ne[0]), 16));
        world_fill(&w);
        check("norm, scale, shift", &w, y[0], 2);
        check("bias, RMS norm, weight", &w, y[1], 2);
        check("bias, gate, add in place", &w, y[2], 2);
        check("bias, GELU", &w, y[3], 5);
        check("L2 norm, weight, SiLU", &w, y[4], 2);
        check("a row, then rows", &w, y[5], ne[1] * ne[2] == 1);
        world_free(&w);
    }
}

/* More steps than one pass takes: three passes, so two inner results are written. */
static void fuses_long_chains(void)
{
    struct world w = world_new();
    struct ggml_tensor *x = ggml_new_tensor_2d(w.ctx, GGML_TYPE_F32, 50, 30), *y = x;

    for (int i = 0; i < 20; i++)
        y = i % 5 == 4 ? ggml_rms_norm(w.ctx, y, 1e-6f) : ggml_scale_bias(w.ctx, y, 1.5f, 0.1f);
    world_fill(&w);
    check("20 steps", &w, y, 17);
    world_free(&w);
}

/* A product's own result is written; what follows is a pass. */
static void fuses_after_products(void)
{
    static const enum ggml_type types[] = { GGML_TYPE_F32, GGML_TYPE_BF16, GGML_TYPE_F16 };

    for (int round = 0; round < ROUNDS; round++) {
        struct world w = world_new();
        struct ggml_context *c = w.ctx;
        int64_t k = between(8, 40), n = round == 0 ? 1100 : between(5, 200), m = between(1, 150);
        struct ggml_tensor *a = ggml_new_tensor_2d(c, types[round % 3], k, n);
        struct ggml_tensor *x = ggml_new_tensor_3d(c, GGML_TYPE_F32, k, m, round % 2 + 1);
        struct ggml_tensor *y[2];
        for (int i = 0; i < 2; i++)
            y[i] = ggml_add(c, ggml_mul_mat(c, a, x), vector(&w, n));
        y[0] = gelu(c, y[0]);
        y[1] = ggml_mul(c, ggml_rms_norm(c, y[1], 1e-6f), vector(&w, n));
        world_fill(&w);
        check("product, bias, GELU", &w, y[0], 5);
        check("product, bias, RMS norm, weight", &w, y[1], 2);
        world_free(&w);
    }
}

static struct ggml_tensor *conv(struct world *w, int axes, enum ggml_type type, int64_t in,
                                int64_t out, const int64_t size[3])
{
    struct ggml_context *c = w->ctx;
    struct ggml_tensor *x =
        ggml_new_tensor_4d(c, GGML_TYPE_F32, in, size[0], size[1], size[2] + (axes == 3 ? 2 : 0));

    if (axes == 2) {
        struct ggml_tensor *k = ggml_new_tensor_4d(c, type, 3, 3, in, out);
        x = ggml_conv_2d_direct(c, k, ggml_permute(c, x, 2, 0, 1, 3), 1, 1, 1, 1, 1, 1);
        return ggml_cont(c, ggml_permute(c, x, 1, 2, 0, 3));
    }
    struct ggml_tensor *k = ggml_new_tensor_4d(c, type, 3, 3, 3, in * out);
    x = ggml_conv_3d_direct(c, k, ggml_permute(c, x, 3, 0, 1, 2), 1, 1, 1, 1, 1, 0, 1, 1, 1,
                            (int)in, 1, (int)out);
    return ggml_cont(c, ggml_permute(c, x, 1, 2, 3, 0));
}

static void fuses_after_convolutions(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct world w = world_new();
        struct ggml_context *c = w.ctx;
        enum ggml_type type = round / 2 % 2 ? GGML_TYPE_F16 : GGML_TYPE_F32;
        int axes = 2 + round % 2;
        int64_t in = round == 1 ? 400 : between(8, 20), out = round == 1 ? 3 : between(2, 12);
        int64_t size[3] = { between(3, round == 2 ? 25 : 9), between(3, 14), between(1, 3) };
        int64_t ne[4] = { out, size[0], size[1], size[2] };
        struct ggml_tensor *y[4];
        y[0] = conv(&w, axes, type, in, out, size);
        y[1] = ggml_add(c, conv(&w, axes, type, in, out, size), vector(&w, out));
        y[2] = ggml_add(c, conv(&w, axes, type, in, out, size), vector(&w, out));
        y[2] = ggml_add(c, y[2], some(&w, ne, round % 3 == 0));
        y[3] = ggml_add(c, conv(&w, axes, type, in, out, size), vector(&w, out));
        y[3] = ggml_mul(c, ggml_l2_norm(c, y[3], 1e-12f), vector(&w, out));
        y[3] = ggml_silu(c, y[3]);
        world_fill(&w);
        check("conv, copy", &w, y[0], 0);
        check("conv, copy, bias", &w, y[1], 0);
        check("conv, copy, bias, add", &w, y[2], 1);
        check("conv, copy, bias, L2 norm, weight, SiLU", &w, y[3], 3);
        world_free(&w);
    }
}

/* ---- memory --------------------------------------------------------------------------------- */

enum moved { END, BETWEEN, LARGE_BETWEEN };

static const struct moved_row {
    const char *label;
    enum moved what; /* goes onto x, this many rows further */
    int rows, unwritten;
} moved_rows[] = {
    { "the result on x", END, 0, 1 },
    { "the result across x", END, 1, 0 },
    { "between, across x", BETWEEN, 1, 0 },
    { "between, on x", BETWEEN, 0, 0 },
    { "between, on all of x", LARGE_BETWEEN, 0, 0 },
};

/* Where the allocator may put results: on an input that nothing reads any more, exactly or not. */
static void check_moved(const struct moved_row *row)
{
    struct world w = world_new();
    struct ggml_context *c = w.ctx;
    struct ggml_tensor *big = ggml_new_tensor_2d(c, GGML_TYPE_F32, 64, 302);
    struct ggml_tensor *x = ggml_view_2d(c, big, 64, 300, big->nb[1], 0);
    struct ggml_tensor *inner = ggml_norm(c, x, 1e-6f);
    int64_t n = row->what == LARGE_BETWEEN ? 300 : 1;
    struct ggml_tensor *add =
        ggml_add(c, ggml_new_tensor_2d(c, GGML_TYPE_F32, 64, n), vector(&w, 64));
    struct ggml_tensor *end = ggml_mul(c, inner, add);

    world_fill(&w);
    zt_auto_free double *want = values(end);
    *(row->what == END ? &end->data : &add->data) =
        (char *)x->data + big->nb[1] * (size_t)row->rows;
    struct ggml_cgraph *graph = graph_of(&w, end, NULL);
    for (int k = 0; k < 3; k++) {
        run(row->label, &w, fast[k], graph);
        CHECK_INT(row->label, is_poison(inner), row->unwritten);
        CHECK_BELOW(row->label, distance(want, end), BOUND);
    }
    world_free(&w);
}

static void minds_what_lies_where(void)
{
    for (size_t i = 0; i < ZT_COUNT(moved_rows); i++)
        check_moved(&moved_rows[i]);
}

static void passes_nan_on(void)
{
    struct world w = world_new();
    struct ggml_context *c = w.ctx;
    struct ggml_tensor *x = ggml_new_tensor_2d(c, GGML_TYPE_F32, 77, 300);
    struct ggml_tensor *a = ggml_new_tensor_2d(c, GGML_TYPE_F32, 77, 77);
    struct ggml_tensor *y[5];

    y[0] = ggml_add(c, ggml_mul(c, ggml_norm(c, x, 1e-6f), vector(&w, 77)), vector(&w, 77));
    y[1] = ggml_mul(c, ggml_rms_norm(c, x, 1e-6f), vector(&w, 77));
    y[2] = ggml_silu(c, ggml_mul(c, ggml_l2_norm(c, x, 1e-12f), vector(&w, 77)));
    y[3] = gelu(c, ggml_add(c, ggml_mul_mat(c, a, x), vector(&w, 77)));
    y[4] = gelu(c, x); /* of this, the one element */
    world_fill(&w);
    ((float *)x->data)[77 * 200 + 76] = NAN;
    keep(&w);
    for (int i = 0; i < 5; i++) {
        int64_t wrong = 0;
        run("NaN", &w, fast[1], graph_of(&w, y[i], NULL));
        for (int64_t k = 0; k < 77 * 300; k++)
            wrong += isnan(element(y[i], k)) != (i < 4 ? k / 77 == 200 : k == 77 * 200 + 76);
        CHECK_INT("values that should or should not be NaN", wrong, 0);
    }
    world_free(&w);
}

/* Rows that are nearly, or all, zero. */
static void norms_little(void)
{
    struct world w = world_new();
    struct ggml_tensor *x = ggml_new_tensor_2d(w.ctx, GGML_TYPE_F32, 4, 2);
    struct ggml_tensor *y = ggml_l2_norm(w.ctx, x, 1e-6f);

    world_fill(&w);
    for (int i = 0; i < 8; i++)
        ((float *)x->data)[i] = i < 4 ? 0 : 1e-9f;
    keep(&w);
    run("L2 norm", &w, fast[0], graph_of(&w, y, NULL));
    for (int i = 0; i < 8; i++)
        CHECK_NEAR("by the least that it divides by", element(y, i), i < 4 ? 0 : 1e-3, 1e-9);
    world_free(&w);
}

static bool stop_at(void *user)
{
    int *left = user;
    return (*left)-- <= 0;
}

static void stops(void)
{
    int left = 0;
    ggml_backend_t backend = zt_fast_new(1, ZT_FAST_ALL, stop_at, &left);

    for (int questions = 0; questions < 3; questions++) { /* at once; in the first task; later */
        struct world w = world_new();
        struct ggml_tensor *x = ggml_new_tensor_2d(w.ctx, GGML_TYPE_F32, 1000, 3000);
        struct ggml_cgraph *graph = graph_of(&w, gelu(w.ctx, x), NULL);
        world_fill(&w);
        left = questions;
        CHECK_INT("stopped", ggml_backend_graph_compute(backend, graph), GGML_STATUS_ABORTED);
        left = 1 << 20;
        CHECK_INT("and on", ggml_backend_graph_compute(backend, graph), GGML_STATUS_SUCCESS);
        world_free(&w);
    }
    ggml_backend_free(backend);
}

int main(void)
{
    zt_rng_init(&rng, 7, 0);
    for (int i = 0; i < 3; i++)
        fast[i] = zt_fast_new(i + 1, ZT_FAST_ALL, NULL, NULL);
    plain = ggml_backend_cpu_init();
    ggml_backend_cpu_set_n_threads(plain, 2);
    RUN(does_each_alone);
    RUN(rounds_silu_little);
    RUN(fuses_rows);
    RUN(fuses_long_chains);
    RUN(fuses_after_products);
    RUN(fuses_after_convolutions);
    RUN(minds_what_lies_where);
    RUN(passes_nan_on);
    RUN(norms_little);
    RUN(stops);
    for (int i = 0; i < 3; i++)
        ggml_backend_free(fast[i]);
    ggml_backend_free(plain);
    return check_done();
}
