/*
 * test_cpu_attention.c - attention of the fast CPU backend, as test_cpu_backend.c has the other
 * operations: in f32, in bf16, and with scores in 8 bits.
 */
#include "operations.h"
#include "tensor/attention8.h"
#include "tensor/w8a8.h"

/* A query against the keys and values of its head. */
static void attend_to(const double *q, const double *k, const double *v,
                      const struct ggml_tensor *y, double scale, double *score, double *to)
{
    int64_t head = y->src[0]->ne[0], keys = y->src[1]->ne[1], head_v = y->ne[0];
    double most = -INFINITY, sum = 0;

    for (int64_t j = 0; j < keys; j++) {
        score[j] = scale * dot(q, k + j * head, head);
        most = fmax(most, score[j]);
    }
    for (int64_t j = 0; j < keys; j++)
        sum += score[j] = exp(score[j] - most);
    memset(to, 0, (size_t)head_v * sizeof(double));
    for (int64_t j = 0; j < keys; j++)
        for (int64_t d = 0; d < head_v; d++)
            to[d] += score[j] / sum * v[j * head_v + d];
}

static double *attention_reference(const struct ggml_tensor *y, double scale)
{
    const struct ggml_tensor *q = y->src[0], *k = y->src[1], *v = y->src[2];
    double *want = malloc((size_t)ggml_nelements(y) * sizeof(double));
    zt_auto_free double *score = malloc((size_t)k->ne[1] * sizeof(double));

    for (int64_t i = 0; i < q->ne[2] * q->ne[3]; i++) {
        int64_t h = i % q->ne[2], b = i / q->ne[2], kv = h / (q->ne[2] / k->ne[2]);
        zt_auto_free double *queries = plane_of(q, h, b, is_bf16(y));
        zt_auto_free double *keys = plane_of(k, kv, b, false);
        zt_auto_free double *values = plane_of(v, kv, b, false);
        for (int64_t r = 0; r < q->ne[1]; r++)
            attend_to(queries + r * q->ne[0], keys, values, y, scale, score,
                      want + ((b * q->ne[1] + r) * q->ne[2] + h) * v->ne[0]);
    }
    return want;
}

static void attention(enum ggml_type type, int64_t head, int64_t queries, int64_t keys, float scale,
                      bool in_8_bits)
{
    struct world w = world_new();
    int64_t kv_heads = between(1, 2), heads = kv_heads * between(1, 2), batch = between(1, 2);
    bool views = zt_rng_u32(&rng) & 1;
    struct ggml_tensor *q = /* as the models have it: heads before tokens */
        ggml_permute(
            w.ctx, maybe_view(&w, GGML_TYPE_F32, (int64_t[]){ head, heads, queries, batch }, views),
            0, 2, 1, 3);
    int64_t ne[4] = { head, keys, kv_heads, batch };
    struct ggml_tensor *k = maybe_view(&w, type, ne, views), *v = maybe_view(&w, type, ne, views);
    struct ggml_tensor *y = ggml_flash_attn_ext(w.ctx, q, k, v, NULL, scale, 0, 0);
    char label[96];

    ggml_prec_set_acc(y, GGML_PREC_F32);
    if (in_8_bits)
        zt_attention8_allow(y);
    snprintf(
        label, sizeof(label), "attention %s head %d x %d, %d queries, %d keys, scale %g, views %d",
        ggml_type_name(type), (int)head, (int)heads, (int)queries, (int)keys, (double)scale, views);
    world_fill(&w);
    zt_auto_free double *want = attention_reference(y, (double)scale);
    compare(label, &w, y, want, type == GGML_TYPE_F32 ? 1e-5 : 2e-2);
    world_free(&w);
}

static void attends(void)
{
    static const enum ggml_type types[] = { GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16 };

    for (int round = 0; round < rounds / 2; round++)
        attention(types[bf16 ? 2 : round % 3], round % 4 ? between(16, 48) * 4 : 128,
                  between(32, 300), between(32, 600), round % 4 ? 0.1f : 3.0f, false);
    for (int round = 0; round < 6; round++) /* with scores in 8 bits */
        attention(types[bf16 ? 2 : round % 3], between(1, 50), between(1, 300), between(1, 600),
                  0.1f, true);
}

/* ---- scores in 8 bits ---------------------------------------------------------------------- */

#define MOST8 90 /* of the integers */

/* Two heads of queries to one of keys, all f32. */
static struct ggml_tensor *scores8(struct world *w, int64_t head, int64_t queries, int64_t keys)
{
    struct ggml_tensor *q = ggml_new_tensor_3d(w->ctx, GGML_TYPE_F32, head, queries, 4);
    struct ggml_tensor *k = ggml_new_tensor_3d(w->ctx, GGML_TYPE_F32, head, keys, 2);
    struct ggml_tensor *v = ggml_new_tensor_3d(w->ctx, GGML_TYPE_F32, 24, keys, 2);
    struct ggml_tensor *y =
        ggml_flash_attn_ext(w->ctx, q, k, v, NULL, 1 / sqrtf((float)head), 0, 0);

    ggml_prec_set_acc(y, GGML_PREC_F32);
    zt_attention8_allow(y);
    world_fill(w);
    return y;
}

static float normal(void)
{
    return (float)(sqrt(-2 * log(1 - zt_rng_unit(&rng))) * cos(2 * M_PI * zt_rng_unit(&rng)));
}

/* Normal values around an offset of each channel, itself normal times `offset`. */
static void fill_normal(struct ggml_tensor *t, float offset)
{
    zt_auto_free float *mean = malloc((size_t)t->ne[0] * sizeof(float));

    for (int64_t i = 0; i < t->ne[0]; i++)
        mean[i] = offset * normal();
    for (int64_t i = 0; i < ggml_nelements(t); i++)
        ((float *)t->data)[i] = normal() + mean[i % t->ne[0]];
}

/* Rows of t, less `mean`, in the numbers that 8 bits leave of them. */
static void round_in_place(struct ggml_tensor *t, int64_t plane, const float *mean)
{
    int8_t q[512];

    for (int64_t i = 0; i < t->ne[1]; i++) {
        float *row = (float *)t->data + (plane * t->ne[1] + i) * t->ne[0];
        for (int64_t j = 0; mean != NULL && j < t->ne[0]; j++)
            row[j] -= mean[j];
        float scale = zt_w8a8_round(row, (size_t)t->ne[0], MOST8, q);
        for (int64_t j = 0; j < t->ne[0]; j++)
            row[j] = scale * q[j];
    }
}

static void smooth_in_place(struct ggml_tensor *k, int64_t plane)
{
    const float *first = (float *)k->data + plane * k->ne[1] * k->ne[0];
    float mean[512] = { 0 };

    for (int64_t i = 0; i < k->ne[1]; i++)
        for (int64_t j = 0; j < k->ne[0]; j++)
            mean[j] += first[i * k->ne[0] + j] / (float)k->ne[1];
    round_in_place(k, plane, mean);
}

/*
 * The same to the byte for any number of threads; what rounding costs it is what it costs in
 * float64; and ggml's CPU backend gives what it gives without the mark. Returns the distance from
 * the unrounded.
 */
static double check_scores8(const char *label, struct world *w, struct ggml_tensor *y)
{
    size_t n = (size_t)ggml_nelements(y);
    double scale = 1 / sqrt((double)y->src[0]->ne[0]);
    zt_auto_free float *first = malloc(n * sizeof(float));
    zt_auto_free float *plain_y = malloc(n * sizeof(float));
    zt_auto_free double *exact = attention_reference(y, scale);

    for (int i = 0; i < 3; i++) {
        CHECK_INT(label, run(w, fast[i], y), GGML_STATUS_SUCCESS);
        if (i == 0)
            memcpy(first, y->data, ggml_nbytes(y));
        CHECK(label, memcmp(first, y->data, ggml_nbytes(y)) == 0);
    }
    CHECK_INT(label, run(w, plain, y), GGML_STATUS_SUCCESS);
    memcpy(plain_y, y->data, ggml_nbytes(y));
    y->op_params[ZT_ATTENTION8_PARAM] = 0;
    CHECK_INT(label, run(w, plain, y), GGML_STATUS_SUCCESS);
    CHECK("ggml's own", memcmp(plain_y, y->data, ggml_nbytes(y)) == 0);
    for (int64_t i = 0; i < 4; i++)
        round_in_place(y->src[0], i, NULL);
    for (int64_t i = 0; i < 2; i++)
        smooth_in_place(y->src[1], i);
    zt_auto_free double *rounded = attention_reference(y, scale);
    CHECK_BELOW(label, relative(rounded, first, n), 1e-3);
    return relative(exact, first, n);
}

/* Measured: 1.1 % of normal values, and no more where the keys are far from 0, all on one side. */
static void attends_in_8_bits(void)
{
    static const struct {
        int64_t head, queries, keys;
        float offset;
    } rows[] = {
        { 128, 60, 300, 0 }, { 128, 60, 300, 30 }, { 64, 257, 255, 0 },
        { 512, 9, 270, 3 },  { 100, 17, 513, 10 }, { 36, 35, 37, 30 },
    };
    char label[80];

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct world w = world_new();
        struct ggml_tensor *y = scores8(&w, rows[i].head, rows[i].queries, rows[i].keys);
        snprintf(label, sizeof(label), "int8, head %d, %d x %d, offset %g", (int)rows[i].head,
                 (int)rows[i].queries, (int)rows[i].keys, (double)rows[i].offset);
        fill_normal(y->src[0], 0);
        fill_normal(y->src[1], rows[i].offset);
        fill_normal(y->src[2], 0);
        double off = check_scores8(label, &w, y);
        printf("%s: %.2g off\n", label, off);
        CHECK_BELOW(label, off, 2e-2);
        CHECK_BELOW("and was rounded", 3e-3, off);
        world_free(&w);
    }
}

/* All factors at an end, of both signs: what sums of pairs in 16 bits would cut. */
static void scores_in_8_bits_are_exact_at_their_ends(void)
{
    struct world w = world_new();
    struct ggml_tensor *y = scores8(&w, 512, 10, 261);
    struct ggml_tensor *q = y->src[0], *k = y->src[1];

    for (int64_t i = 0; i < ggml_nelements(q); i++)
        ((float *)q->data)[i] = i / q->ne[0] % 2 ? 0.04f : -0.04f;
    for (int64_t i = 0; i < ggml_nelements(k); i++)
        ((float *)k->data)[i] = i / k->ne[0] % 2 ? 1 : -1;
    CHECK_BELOW("exact", check_scores8("ends", &w, y), 1e-5);
    world_free(&w);
}

/* `planes` times n rows of t, each plane a row after the one before. */
static struct ggml_tensor *windows(struct world *w, struct ggml_tensor *t, int64_t n,
                                   int64_t planes)
{
    struct ggml_tensor *view = ggml_view_2d(w->ctx, t, t->ne[0], n, t->nb[1], 0);

    view->ne[2] = planes;
    view->nb[2] = view->nb[1];
    return view;
}

/* More keys than are rounded at a time: each head has what it has alone. */
static void takes_many_heads_in_8_bits(void)
{
    enum { HEAD = 512, KEYS = 4096, QUERIES = 4, LAST = 17, HEADS };
    struct world w = world_new();
    struct ggml_context *c = w.ctx;
    struct ggml_tensor *q = ggml_new_tensor_3d(c, GGML_TYPE_F32, HEAD, QUERIES, HEADS);
    struct ggml_tensor *k = ggml_new_tensor_2d(c, GGML_TYPE_F16, HEAD, KEYS + HEADS);
    struct ggml_tensor *v = ggml_new_tensor_2d(c, GGML_TYPE_F32, 4, KEYS + HEADS);
    struct ggml_tensor *y = ggml_flash_attn_ext(c, q, windows(&w, k, KEYS, HEADS),
                                                windows(&w, v, KEYS, HEADS), NULL, 0.05f, 0, 0);
    struct ggml_tensor *last = ggml_flash_attn_ext(
        c, ggml_view_2d(c, q, HEAD, QUERIES, q->nb[1], LAST * q->nb[2]),
        ggml_view_2d(c, k, HEAD, KEYS, k->nb[1], LAST * k->nb[1]),
        ggml_view_2d(c, v, 4, KEYS, v->nb[1], LAST * v->nb[1]), NULL, 0.05f, 0, 0);
    int wrong = 0;

    zt_attention8_allow(y);
    zt_attention8_allow(last);
    world_fill(&w);
    CHECK_INT("all", run(&w, fast[1], y), GGML_STATUS_SUCCESS);
    CHECK_INT("the last", run(&w, fast[1], last), GGML_STATUS_SUCCESS);
    for (int i = 0; i < QUERIES; i++) /* heads are next to each other */
        wrong += memcmp((float *)y->data + (i * HEADS + LAST) * 4, (float *)last->data + i * 4,
                        4 * sizeof(float)) != 0;
    CHECK_INT("the same", wrong, 0);
    world_free(&w);
}

int main(int argc, char **argv)
{
    take_rounds(argc, argv);
    zt_rng_init(&rng, 7, 0);
    start(ZT_FAST_ALL);
    RUN(attends);
    RUN(attends_in_8_bits);
    RUN(scores_in_8_bits_are_exact_at_their_ends);
    RUN(takes_many_heads_in_8_bits);
    start(ZT_FAST_ALL | ZT_FAST_BF16);
    RUN(attends);
    stop_all();
    return check_done();
}
