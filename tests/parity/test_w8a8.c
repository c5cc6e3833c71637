/*
 * test_w8a8.c - 8-bit products: rounding, sums to the byte against plain integers with 1, 2 and 3
 * threads, the distance from unrounded products in float64, and what is no number.
 */
#include "base/auto.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "check.h"
#include "model_files.h"
#include "tensor/cpu/backend.h"
#include "tensor/device.h"
#include "tensor/graph.h"
#include "tensor/params.h"
#include "tensor/w8a8.h"
#include "tensor/weights.h"

#include <float.h>
#include <ggml-alloc.h>
#include <ggml-cpu.h>
#include <math.h>
#include <stdlib.h>

static struct zt_rng rng;
static ggml_backend_t fast[3];

static int64_t between(int64_t least, int64_t most)
{
    return least + (int64_t)(zt_rng_u32(&rng) % (uint32_t)(most - least + 1));
}

static void fill(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)zt_rng_unit(&rng) * 2 - 1;
}

/* ---- rounding ------------------------------------------------------------------------------ */

static void rounds_to_the_nearest(void)
{
    float x[300];
    int8_t q[300];

    for (size_t n = 1; n < ZT_COUNT(x); n++) {
        int most = n & 1 ? ZT_W8A8_MOST_W : ZT_W8A8_MOST_X, largest = 0;
        fill(x, (int64_t)n);
        float scale = zt_w8a8_round(x, n, most, q), far = 0;
        for (size_t i = 0; i < n; i++) {
            far = fmaxf(far, fabsf(x[i] - scale * q[i]) / scale);
            largest = abs(q[i]) > largest ? abs(q[i]) : largest;
        }
        CHECK_INT("the largest", largest, most);
        CHECK_BELOW("steps away", far, 0.50001);
    }
}

static void rounds_what_is_special(void)
{
    static const struct {
        const char *label;
        float x[3], scale;
        int q[3];
    } rows[] = {
        { "zeros", { 0, -0.0f, 0 }, 0, { 0, 0, 0 } },
        { "next to nothing", { 1e-31f, -1e-40f, 0 }, 0, { 0, 0, 0 } },
        { "small", { 2e-30f, -1e-30f, 0 }, 2e-30f / 127, { 127, -64, 0 } },
        { "the largest there is", { FLT_MAX, -FLT_MAX, 1 }, FLT_MAX / 127, { 127, -127, 0 } },
        { "as they are", { 127, -126, 63 }, 1, { 127, -126, 63 } },
        { "to even", { 127, 62.5f, 63.5f }, 1, { 127, 62, 64 } },
        { "NaN", { 1, NAN, 2 }, NAN, { 0, 0, 0 } },
        { "NaN with a sign", { 1, -NAN, 2 }, NAN, { 0, 0, 0 } },
        { "infinity", { 1, INFINITY, 2 }, NAN, { 0, 0, 0 } },
        { "less than all", { -INFINITY, 0, 0 }, NAN, { 0, 0, 0 } },
    };

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        int8_t q[3];
        float scale = zt_w8a8_round(rows[i].x, 3, ZT_W8A8_MOST_X, q);
        if (isnan(rows[i].scale))
            CHECK(rows[i].label, isnan(scale));
        else
            CHECK_NEAR(rows[i].label, scale, rows[i].scale, 0);
        for (int j = 0; j < 3; j++)
            CHECK_INT(rows[i].label, q[j], rows[i].q[j]);
    }
}

/* ---- products ------------------------------------------------------------------------------ */

/* Weights [k, n] and activations [k, m, b2, b3], these `gap` floats apart from row to row. */
struct world {
    struct ggml_context *ctx;
    ggml_backend_buffer_t weights, others;
    struct ggml_tensor *w, *x, *y;
    float *values; /* of the weights */
};

static struct world world_new(int64_t k, int64_t n, int64_t m, int64_t b2, int64_t b3, int64_t gap)
{
    struct ggml_init_params params = { .mem_size = 1 << 16, .no_alloc = true };
    struct world w = { .ctx = ggml_init(params) };
    ggml_backend_buffer_type_t type = zt_fast_w8a8_buffers();
    struct ggml_tensor *whole = ggml_new_tensor_4d(w.ctx, GGML_TYPE_F32, k + gap, m, b2, b3);

    w.w = ggml_new_tensor_2d(w.ctx, GGML_TYPE_I8, k, n);
    w.weights = ggml_backend_buft_alloc_buffer(type, zt_w8a8_bytes(k, n));
    ggml_backend_tensor_alloc(w.weights, w.w, ggml_backend_buffer_get_base(w.weights));
    w.x = ggml_view_4d(w.ctx, whole, k, m, b2, b3, whole->nb[1], whole->nb[2], whole->nb[3], 0);
    w.y = ggml_mul_mat(w.ctx, w.w, w.x);
    w.others = ggml_backend_alloc_ctx_tensors_from_buft(w.ctx, ggml_backend_cpu_buffer_type());
    w.values = zt_new_array(float, (size_t)(k * n));
    fill(w.values, k * n);
    fill(whole->data, ggml_nelements(whole));
    zt_w8a8_set(w.w, 0, n / 2, w.values); /* in two parts */
    zt_w8a8_set(w.w, n / 2, n - n / 2, w.values + n / 2 * k);
    return w;
}

static void world_free(struct world *w)
{
    ggml_backend_buffer_free(w->weights);
    ggml_backend_buffer_free(w->others);
    ggml_free(w->ctx);
    free(w->values);
}

static void run(struct world *w, ggml_backend_t backend)
{
    struct ggml_cgraph *graph = ggml_new_graph_custom(w->ctx, 32, false);

    ggml_build_forward_expand(graph, w->y);
    memset(w->y->data, 0xff, ggml_nbytes(w->y));
    CHECK_INT("run", ggml_backend_graph_compute(backend, graph), GGML_STATUS_SUCCESS);
}

static float *row_of(const struct ggml_tensor *t, int64_t row)
{
    int64_t i1 = row % t->ne[1], i2 = row / t->ne[1] % t->ne[2], i3 = row / t->ne[1] / t->ne[2];

    return (float *)(void *)((char *)t->data + (size_t)i1 * t->nb[1] + (size_t)i2 * t->nb[2] +
                             (size_t)i3 * t->nb[3]);
}

/* How far a result is from its own rounding in plain integers, and from the product of floats. */
struct errors {
    double wrong, off, size; /* the first: values that differ; squares of the others */
    double beyond;           /* the largest distance as a share of what rounding can cost */
};

static void add_row(const struct world *w, int64_t row, struct errors *e)
{
    int64_t k = w->w->ne[0], n = w->w->ne[1];
    const float *x = row_of(w->x, row), *y = row_of(w->y, row), *scales = zt_w8a8_scales(w->w);
    zt_auto_free int8_t *q = malloc((size_t)k);
    float scale = zt_w8a8_round(x, (size_t)k, ZT_W8A8_MOST_X, q);

    for (int64_t j = 0; j < n; j++) {
        const int8_t *wq = (const int8_t *)w->w->data + j * k;
        const float *values = w->values + j * k;
        int32_t sum = 0;
        double all = 0, cost = 0;
        for (int64_t i = 0; i < k; i++) {
            sum += q[i] * wq[i];
            all += (double)x[i] * (double)values[i];
            cost += fabs((double)x[i]) * scales[j] / 2 + fabs((double)values[i]) * scale / 2 +
                    (double)scale * scales[j] / 4;
        }
        float want = (float)sum * scales[j] * scale;
        e->wrong += memcmp(&want, &y[j], sizeof(want)) != 0;
        e->off += (y[j] - all) * (y[j] - all);
        e->size += all * all;
        e->beyond = fmax(e->beyond, fabs(y[j] - all) / cost);
    }
}

static void product(int64_t k, int64_t n, int64_t m, int64_t b2, int64_t b3, int64_t gap)
{
    struct world w = world_new(k, n, m, b2, b3, gap);
    zt_auto_free float *first = malloc(ggml_nbytes(w.y));
    struct errors e = { 0 };
    char label[96];

    snprintf(label, sizeof(label), "k %d n %d m %d x %d x %d, gap %d", (int)k, (int)n, (int)m,
             (int)b2, (int)b3, (int)gap);
    CHECK(label, ggml_backend_supports_op(fast[0], w.y));
    for (int i = 0; i < 3; i++) {
        run(&w, fast[i]);
        if (i == 0)
            memcpy(first, w.y->data, ggml_nbytes(w.y));
        CHECK(label, memcmp(first, w.y->data, ggml_nbytes(w.y)) == 0);
    }
    for (int64_t row = 0; row < ggml_nrows(w.x); row++)
        add_row(&w, row, &e);
    CHECK_NEAR(label, e.wrong, 0, 0);
    CHECK_BELOW(label, e.beyond, 1.0001);
    if (k * n * m > 1 << 16) /* of even values in -1 ... 1; 0.9 % is what rounding makes expect */
        CHECK_BELOW(label, sqrt(e.off / e.size), 1.1e-2);
    world_free(&w);
}

static void multiplies(void)
{
    for (int64_t size = 1; size < 40; size++) /* every tail of every kernel */
        product(size, 40 - size, between(1, 40), between(1, 2), between(1, 2), size % 3);
    for (int round = 0; round < 12; round++)
        product(between(1, 700), between(1, 300), between(1, 300), between(1, 2), 1, round % 2);
    product(129, 700, 650, 1, 1, 0);        /* several tiles */
    product(ZT_W8A8_MOST_K, 3, 5, 1, 1, 0); /* the longest sums */
    product(70000, 2, 1100, 1, 1, 0);       /* three chunks of activations */
}

/* What no sum may lose: all factors at an end. */
static void is_exact_at_its_ends(void)
{
    for (int sign = 0; sign < 4; sign++) {
        const float a = sign & 1 ? -127 : 127, b = sign & 2 ? -64 : 64;
        const int64_t k = sign == 3 ? ZT_W8A8_MOST_K : 3072;
        struct world w = world_new(k, 70, 130, 1, 1, 0);
        int64_t wrong = 0;
        for (int64_t i = 0; i < ggml_nelements(w.w); i++)
            w.values[i] = b;
        for (int64_t i = 0; i < ggml_nelements(w.x); i++)
            ((float *)w.x->data)[i] = a;
        zt_w8a8_set(w.w, 0, 70, w.values);
        run(&w, fast[2]);
        for (int64_t i = 0; i < ggml_nelements(w.y); i++)
            wrong += ((float *)w.y->data)[i] != a * b * (float)k;
        CHECK_INT("wrong sums", wrong, 0);
        world_free(&w);
    }
}

/* A row's result is its own: alone it is the same to the byte. */
static void gives_a_row_what_it_gives_it_alone(void)
{
    struct world many = world_new(333, 257, 600, 1, 1, 0), one = world_new(333, 257, 1, 1, 1, 0);

    zt_w8a8_set(one.w, 0, 257, many.values);
    memcpy(one.x->data, row_of(many.x, 577), 333 * sizeof(float));
    run(&many, fast[1]);
    run(&one, fast[1]);
    CHECK("the same", memcmp(one.y->data, row_of(many.y, 577), 257 * sizeof(float)) == 0);
    world_free(&many);
    world_free(&one);
}

/* A row of activations or of weights that is no number makes NaN of all its results, and no other. */
static void passes_on_what_is_no_number(void)
{
    static const float bad[] = { NAN, INFINITY, -INFINITY };

    for (size_t i = 0; i < ZT_COUNT(bad); i++) {
        struct world w = world_new(100, 90, 80, 1, 1, 0);
        int64_t wrong = 0;
        row_of(w.x, 33)[99] = bad[i];
        memset(row_of(w.x, 34), 0, 100 * sizeof(float));
        w.values[71 * 100] = bad[i];
        zt_w8a8_set(w.w, 0, 90, w.values);
        run(&w, fast[1]);
        for (int64_t row = 0; row < 80; row++)
            for (int64_t j = 0; j < 90; j++)
                wrong += isnan(row_of(w.y, row)[j]) != (row == 33 || j == 71);
        CHECK_INT("values that should or should not be NaN", wrong, 0);
        CHECK_NEAR("a row of zeros", row_of(w.y, 34)[70], 0, 0);
        world_free(&w);
    }
}

/* ---- who computes them --------------------------------------------------------------------- */

static void leaves_such_weights_to_nobody_else(void)
{
    ggml_backend_t left = zt_fast_new(1, 0, NULL, NULL), plain = ggml_backend_cpu_init();
    ggml_backend_buffer_type_t type = zt_fast_w8a8_buffers();
    struct world w = world_new(8, 8, 8, 1, 1, 0);
    struct ggml_tensor *flat = ggml_reshape_2d(w.ctx, w.w, 4, 16);
    struct ggml_tensor *x = ggml_new_tensor_2d(w.ctx, GGML_TYPE_F32, 4, 8);
    struct ggml_tensor *host = ggml_new_tensor_2d(w.ctx, GGML_TYPE_I8, 8, 8);

    CHECK("small ones too", ggml_backend_supports_op(left, w.y));
    CHECK("reads them", ggml_backend_supports_buft(left, type));
    CHECK("ggml's CPU does not", !ggml_backend_supports_buft(plain, type));
    CHECK("no host memory", !ggml_backend_buft_is_host(type));
    CHECK("not as rows of another length",
          !ggml_backend_supports_op(left, ggml_mul_mat(w.ctx, flat, x)));
    CHECK("not int8 of others", !ggml_backend_supports_op(left, ggml_mul_mat(w.ctx, host, w.x)));
    CHECK("no other operation", !ggml_backend_supports_op(left, ggml_add(w.ctx, w.w, w.w)));
    world_free(&w);
    ggml_backend_free(left);
    ggml_backend_free(plain);
}

/* ---- from a file --------------------------------------------------------------------------- */

#define K      512
#define ROWS   2100 /* more than loading takes at a time */
#define TOKENS 3

/* The loaded rows are the file's, rounded. */
static void check_rows(const char *label, const struct zt_weight *file, const struct ggml_tensor *w)
{
    zt_auto_free float *values = malloc(K * ROWS * sizeof(float));
    int8_t q[K];
    int wrong = 0;

    CHECK_INT(label, zt_weight_to_f32(file, 0, K * ROWS, values, NULL), ZT_OK);
    for (int i = 0; i < ROWS; i++) {
        float scale = zt_w8a8_round(values + i * K, K, ZT_W8A8_MOST_W, q);
        wrong += scale != zt_w8a8_scales(w)[i] ||
                 memcmp(q, (const int8_t *)w->data + i * K, sizeof(q)) != 0;
    }
    CHECK_INT(label, wrong, 0);
}

/* In a graph among others: one token and several, and what ggml's CPU backend adds. */
static void check_graph(const char *label, struct zt_device *device, struct ggml_tensor *w)
{
    static float x[TOKENS * K], y[TOKENS * ROWS], one[ROWS];
    struct zt_err err = { 0 };

    fill(x, TOKENS * K);
    for (int tokens = 1; tokens <= TOKENS; tokens += TOKENS - 1) {
        zt_auto(graph) struct zt_graph *g = NULL;
        CHECK_INT(label, zt_graph_new(device, 16, &g, &err), ZT_OK);
        struct ggml_context *ctx = zt_graph_ctx(g);
        struct ggml_tensor *in =
            zt_graph_input(g, "x", GGML_TYPE_F32, (int64_t[]){ K, tokens, 1, 1 }, x);
        in = ggml_scale(ctx, in, 2);
        struct ggml_tensor *out = ggml_mul_mat(ctx, w, in);
        zt_graph_output(g, ggml_scale(ctx, out, 0.5f), tokens == 1 ? one : y);
        CHECK_INT(label, zt_graph_run(g, &err), ZT_OK);
    }
    int8_t q[K];
    float scale = zt_w8a8_round(x, K, ZT_W8A8_MOST_X, q);
    int32_t sum = 0;
    for (int i = 0; i < K; i++)
        sum += q[i] * ((const int8_t *)w->data)[i];
    CHECK_NEAR(label, y[0], (float)sum * zt_w8a8_scales(w)[0] * scale, 1e-6 * fabsf(y[0]));
    CHECK(label, memcmp(one, y, sizeof(one)) == 0);
}

static void loads_every_type(void)
{
    static const enum ggml_type types[] = { GGML_TYPE_F32,  GGML_TYPE_F16,  GGML_TYPE_BF16,
                                            GGML_TYPE_Q8_0, GGML_TYPE_Q4_0, GGML_TYPE_Q6_K };
    char folder[] = "/tmp/zt-w8a8-XXXXXX", path[64];
    zt_auto_free float *values = malloc(K * ROWS * sizeof(float));
    zt_auto(device) struct zt_device *device = NULL;
    struct zt_err err = { 0 };

    CHECK("folder", mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/a.gguf", folder);
    CHECK_INT("device", zt_device_open(NULL, &device, &err), ZT_OK);
    fill(values, K * ROWS);
    for (size_t i = 0; i < ZT_COUNT(types); i++) {
        const char *label = ggml_type_name(types[i]);
        struct ggml_tensor *w = NULL;
        const struct zt_param param = {
            .name = "a", .kind = ZT_PARAM_W8A8, .ne = { K, ROWS, 1, 1 }, .slot = &w
        };
        struct file_tensors list = { 0 };
        zt_auto(weights) struct zt_weights *file = NULL;
        zt_auto(params) struct zt_params *params = NULL;
        file_tensors_add(&list, "a", types[i], 2, param.ne, values);
        write_gguf(path, "wan", &list);
        file_tensors_clear(&list);
        CHECK_INT(label, zt_weights_open(path, &file, &err), ZT_OK);
        CHECK_INT(label,
                  zt_params_load(file, "a", &param, 1, NULL, device, NULL, NULL, &params, &err),
                  ZT_OK);
        CHECK_STR(label, err.msg, "");
        CHECK_INT(label, zt_params_bytes(params), zt_w8a8_bytes(K, ROWS));
        CHECK_INT(label, zt_params_mapped_bytes(params), 0);
        check_rows(label, zt_weights_at(file, 0), w);
        check_graph(label, device, w);
    }
    zt_remove_tree(folder, NULL);
}

static void refuses_rows_beyond_its_sums(void)
{
    char folder[] = "/tmp/zt-w8a8-XXXXXX", path[64];
    const struct zt_param param = { .name = "a",
                                    .kind = ZT_PARAM_W8A8,
                                    .ne = { ZT_W8A8_MOST_K + 1, 1, 1, 1 } };
    zt_auto_free float *values = calloc(ZT_W8A8_MOST_K + 1, sizeof(float));
    struct file_tensors list = { 0 };
    zt_auto(weights) struct zt_weights *file = NULL;
    struct zt_err err = { 0 };

    CHECK("folder", mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/a.gguf", folder);
    file_tensors_add(&list, "a", GGML_TYPE_F16, 2, param.ne, values);
    write_gguf(path, "wan", &list);
    file_tensors_clear(&list);
    CHECK_INT("opens", zt_weights_open(path, &file, &err), ZT_OK);
    CHECK_INT("code", zt_params_check(file, "x", &param, 1, NULL, &err), ZT_E_UNSUPPORTED);
    CHECK_HAS("why", err.msg, "'a' has rows of 131073, above the 131072 of 8-bit products");
    zt_remove_tree(folder, NULL);
}

static void says_where_there_are_none(void)
{
    struct zt_err err = { 0 };
    const char *why;

    for (int ggml = 0; ggml < 2; ggml++) {
        zt_auto(device) struct zt_device *device = NULL;
        setenv("ZOETROPE_CPU", ggml ? "ggml" : "fast", 1);
        CHECK_INT("opens",
                  zt_device_open(&(struct zt_device_options){ .name = "CPU" }, &device, &err),
                  ZT_OK);
        CHECK_INT("there", zt_device_w8a8(device, &why) == NULL, ggml);
        if (ggml)
            CHECK_STR("why", why, "the fast CPU backend is not there");
    }
    unsetenv("ZOETROPE_CPU");
}

int main(void)
{
    zt_rng_init(&rng, 8, 0);
    for (int i = 0; i < 3; i++)
        fast[i] = zt_fast_new(i + 1, ZT_FAST_ALL, NULL, NULL);
    CHECK("exact here", zt_fast_w8a8_buffers() != NULL);
    RUN(rounds_to_the_nearest);
    RUN(rounds_what_is_special);
    RUN(multiplies);
    RUN(is_exact_at_its_ends);
    RUN(gives_a_row_what_it_gives_it_alone);
    RUN(passes_on_what_is_no_number);
    RUN(leaves_such_weights_to_nobody_else);
    RUN(loads_every_type);
    RUN(refuses_rows_beyond_its_sums);
    RUN(says_where_there_are_none);
    for (int i = 0; i < 3; i++)
        ggml_backend_free(fast[i]);
    return check_done();
}
