/*
 * attention.c - GGML_OP_FLASH_ATTN_EXT without a mask: softmax(scale * q k') v by tiles of queries
 * and keys, so that the matrix of scores is never in memory. Dao et al., "FlashAttention" (2022),
 * and Milakov & Gimelshein, "Online normalizer calculation for softmax" (2018). All sums are in
 * f32.
 *
 * Keys are taken in order, by one thread for a tile of queries: results do not depend on the number
 * of threads. A NaN among a query's scores makes its whole result NaN. Where the graph allows it
 * (attention8.h), scores are products of 8-bit integers (scores8.h). Keys and values of BF16 are,
 * with queries and weights rounded to it, multiplied as such where the CPU does that
 * (zt_fast_bf16).
 */
#include "tensor/attention8.h"
#include "tensor/cpu/inside.h"
#include "tensor/cpu/lanes.h"
#include "tensor/cpu/scores8.h"

#include <math.h>
#include <string.h>

#define QUERIES     256 /* of a task */
#define KEYS        256 /* at a time */
#define LEAST_ROWS  32
#define MOST_HEAD   512
#define KEY_STEP(n) (((n) + LANES - 1) / LANES * LANES) /* rows of scores start aligned */
#define BYTES8      (32 << 20) /* of keys in 8 bits at a time, or those of one head */

struct attention {
    const struct ggml_tensor *q, *k, *v;
    struct ggml_tensor *y; /* [head of v, heads, queries, batch] */
    float scale;
    int64_t head, head_v, queries, keys, tiles;
    int64_t first, n; /* heads of keys that are computed, counted over all batches */
    char *keys8;      /* the same in 8 bits, keys8_bytes each; NULL: scores in f32 */
    size_t keys8_bytes;
    bool bf16;
};

static bool takes_kv(const struct ggml_tensor *t)
{
    return (t->type == GGML_TYPE_F16 && t->nb[0] == sizeof(ggml_fp16_t)) || zt_fast_rows_f32(t) ||
           zt_fast_rows_bf16(t);
}

bool zt_fast_can_attention(const struct ggml_tensor *op)
{
    const struct ggml_tensor *q = op->src[0], *k = op->src[1], *v = op->src[2];
    float bias, cap;

    memcpy(&bias, &op->op_params[1], sizeof(bias));
    memcpy(&cap, &op->op_params[2], sizeof(cap));
    if (op->src[3] != NULL || op->src[4] != NULL || bias != 0 || cap != 0)
        return false;
    return zt_fast_rows_f32(q) && takes_kv(k) && takes_kv(v) && ggml_is_contiguous(op) &&
           k->ne[1] == v->ne[1] && k->ne[2] == v->ne[2] && q->ne[2] % k->ne[2] == 0 &&
           k->ne[3] == q->ne[3] && v->ne[3] == q->ne[3] && q->ne[0] <= MOST_HEAD &&
           v->ne[0] <= MOST_HEAD;
}

bool zt_fast_worth_attention(const struct ggml_tensor *op)
{
    const struct ggml_tensor *q = op->src[0], *k = op->src[1];

    return q->ne[1] >= LEAST_ROWS && k->ne[1] >= LEAST_ROWS &&
           ggml_nelements(q) * k->ne[1] >= ZT_FAST_LEAST_WORK;
}

/* The largest of a row of whole lanes; NaN is passed over, exp_row brings it in. */
static float largest(const float *row, int64_t n, float least)
{
    lanes most = all(least);
    float parts[LANES];

    for (int64_t i = 0; i < n; i += LANES) {
        lanes x = *(const lanes *)(const void *)(row + i);
        most = choose(x > most, x, most);
    }
    memcpy(parts, &most, sizeof(parts));
    for (int i = 0; i < LANES; i++)
        least = parts[i] > least ? parts[i] : least;
    return least;
}

/* row = exp(row - most); returns the sum. */
static float exp_row(float *row, int64_t n, float most)
{
    lanes sum = all(0);
    float parts[LANES], total = 0;

    for (int64_t i = 0; i < n; i += LANES) {
        lanes *at = (lanes *)(void *)(row + i);
        *at = exp_lanes(*at - all(most));
        sum += *at;
    }
    memcpy(parts, &sum, sizeof(parts));
    for (int i = 0; i < LANES; i++)
        total += parts[i];
    return total;
}

/* A task's scratch. */
struct tile {
    int64_t n; /* queries */
    float *scores, *k, *v, *out, *most, *sum;
    float *scale8; /* in 8 bits: of the queries */
    uint8_t *q8;   /* [n][head] */
    struct zt_keys8 k8;
    uint16_t *q16, *weights16; /* in bf16: queries and weights, rows as of the others */
};

static size_t scratch_floats(const struct attention *a)
{
    int64_t in_8_bits = a->keys8 ? QUERIES + QUERIES * a->head / 4 : 0;
    int64_t in_bf16 = a->bf16 ? QUERIES * (a->head + KEYS) / 2 : 0;

    return (size_t)(QUERIES * KEYS + KEYS * (a->head + a->head_v) + QUERIES * (a->head_v + 2) +
                    in_8_bits + in_bf16);
}

static struct tile lay_out(const struct attention *a, int64_t n, float *scratch)
{
    struct tile t = { .n = n, .scores = scratch };

    t.k = t.scores + QUERIES * KEYS;
    t.v = t.k + KEYS * a->head;
    t.out = t.v + KEYS * a->head_v;
    t.most = t.out + QUERIES * a->head_v;
    t.sum = t.most + QUERIES;
    float *rest = t.sum + QUERIES;
    if (a->keys8 != NULL) {
        t.scale8 = rest;
        t.q8 = (uint8_t *)(t.scale8 + QUERIES);
        rest = t.scale8 + QUERIES + QUERIES * a->head / 4;
    }
    if (a->bf16) {
        t.q16 = (uint16_t *)(void *)rest;
        t.weights16 = t.q16 + QUERIES * a->head;
    }
    for (int64_t i = 0; i < n; i++) {
        t.most[i] = -INFINITY;
        t.sum[i] = 0;
    }
    return t;
}

/* Rows first ... first + n of a head, as floats: where they lie, or unpacked to `room`. */
static const float *floats(const struct ggml_tensor *t, const char *head, int64_t first, int64_t n,
                           float *room, int64_t *ret_step)
{
    const char *from = head + (size_t)first * t->nb[1];

    *ret_step = t->type == GGML_TYPE_F32 ? (int64_t)(t->nb[1] / sizeof(float)) : t->ne[0];
    if (t->type == GGML_TYPE_F32)
        return (const float *)(const void *)from;
    for (int64_t i = 0; i < n; i++)
        zt_fast_unpack(t->type, from + (size_t)i * t->nb[1], room + i * t->ne[0], t->ne[0]);
    return room;
}

/* The same as factors: bf16 where that is multiplied. */
static const void *rows(const struct attention *a, const struct ggml_tensor *t, const char *head,
                        int64_t first, int64_t n, float *room, int64_t *ret_step)
{
    if (!a->bf16)
        return floats(t, head, first, n, room, ret_step);
    *ret_step = (int64_t)(t->nb[1] / sizeof(uint16_t));
    return head + (size_t)first * t->nb[1];
}

/* Scores to weights, relative to the largest so far; what was summed before is scaled to it. */
static void soften(const struct attention *a, struct tile *t, int64_t first, int64_t n)
{
    int64_t step = KEY_STEP(n);

    for (int64_t i = 0; i < t->n; i++) {
        float *row = t->scores + i * step, was = t->most[i];
        if (a->keys8 != NULL)
            zt_scores8_row(row, &t->k8, first, step, t->scale8[i]);
        for (int64_t j = n; j < step; j++)
            row[j] = -INFINITY;
        t->most[i] = largest(row, step, was);
        float keep = was == t->most[i] ? 1 : expf(was - t->most[i]);
        t->sum[i] = t->sum[i] * keep + exp_row(row, step, t->most[i]);
        if (a->bf16)
            zt_fast_to_bf16(row, t->weights16 + i * step, step);
        if (keep != 1 && was != -INFINITY)
            for (int64_t j = 0; j < a->head_v; j++)
                t->out[i * a->head_v + j] *= keep;
    }
}

static const char *head_of(const struct ggml_tensor *t, int64_t head, int64_t batch)
{
    return (const char *)t->data + (size_t)head * t->nb[2] + (size_t)batch * t->nb[3];
}

/* t->scores = scale * q k', or in 8 bits the sums that become them. */
static bool score(const struct attention *a, struct tile *t, const float *q, const char *k,
                  int64_t first, int64_t n)
{
    int64_t k_step;

    if (a->keys8 != NULL)
        return zt_scores8(t->q8, t->n, &t->k8, first, n, a->head, (int32_t *)(void *)t->scores,
                          KEY_STEP(n));
    const void *keys = rows(a, a->k, k, first, n, t->k, &k_step);
    return zt_fast_gemm(&(struct zt_fast_gemm){
        .m = t->n,
        .n = n,
        .k = a->head,
        .a = a->bf16 ? (const void *)t->q16 : q,
        .lda = a->bf16 ? a->head : (int64_t)(a->q->nb[1] / sizeof(float)),
        .b = keys,
        .ldb = k_step,
        .b_by_column = true,
        .c = t->scores,
        .ldc = KEY_STEP(n),
        .alpha = a->scale,
        .bf16 = a->bf16,
    });
}

static bool add_keys(const struct attention *a, struct tile *t, const float *q, const char *k,
                     const char *v, int64_t first)
{
    int64_t n = zt_fast_least(a->keys - first, KEYS), v_step;

    if (!score(a, t, q, k, first, n))
        return false;
    soften(a, t, first, n);
    const void *values = rows(a, a->v, v, first, n, t->v, &v_step);
    return zt_fast_gemm(&(struct zt_fast_gemm){
        .m = t->n,
        .n = a->head_v,
        .k = n,
        .a = a->bf16 ? (const void *)t->weights16 : t->scores,
        .lda = KEY_STEP(n),
        .b = values,
        .ldb = v_step,
        .c = t->out,
        .ldc = a->head_v,
        .alpha = 1,
        .add = first > 0,
        .bf16 = a->bf16,
    });
}

/* A tile's queries, rounded, and where its keys are: of the `nth` head that is in memory. */
static void round_queries(const struct attention *a, struct tile *t, const float *q, int64_t nth)
{
    int64_t step = (int64_t)(a->q->nb[1] / sizeof(float));

    for (int64_t i = 0; i < t->n; i++, q += step)
        if (a->keys8 != NULL)
            t->scale8[i] = a->scale * zt_query8_round(q, a->head, t->q8 + i * a->head);
        else if (a->bf16)
            zt_fast_to_bf16(q, t->q16 + i * a->head, a->head);
    if (a->keys8 != NULL)
        t->k8 = zt_keys8_at(a->keys8 + (size_t)nth * a->keys8_bytes, a->keys, a->head);
}

static bool attend(const void *user, int64_t task, float *scratch)
{
    const struct attention *a = user;
    int64_t heads = a->q->ne[2], kv_heads = a->k->ne[2], each = heads / kv_heads;
    int64_t first = task % a->tiles * QUERIES, r = task / a->tiles, plane = a->first + r / each;
    int64_t kv_head = plane % kv_heads, batch = plane / kv_heads, head = kv_head * each + r % each;
    struct tile t = lay_out(a, zt_fast_least(a->queries - first, QUERIES), scratch);
    const float *q =
        (const float *)(const void *)(head_of(a->q, head, batch) + (size_t)first * a->q->nb[1]);

    round_queries(a, &t, q, r / each);
    for (int64_t at = 0; at < a->keys; at += KEYS)
        if (!add_keys(a, &t, q, head_of(a->k, kv_head, batch), head_of(a->v, kv_head, batch), at))
            return false;
    for (int64_t i = 0; i < t.n; i++) {
        float *y =
            (float *)a->y->data + ((batch * a->queries + first + i) * heads + head) * a->head_v;
        for (int64_t j = 0; j < a->head_v; j++)
            y[j] = t.out[i * a->head_v + j] / t.sum[i];
    }
    return true;
}

/* The keys of a head in 8 bits; scratch is a row, the mean and another row. */
static bool round_keys(const void *user, int64_t task, float *scratch)
{
    const struct attention *a = user;
    int64_t plane = a->first + task, step;
    const char *from = head_of(a->k, plane % a->k->ne[2], plane / a->k->ne[2]);
    struct zt_keys8 k = zt_keys8_at(a->keys8 + (size_t)task * a->keys8_bytes, a->keys, a->head);
    float *mean = scratch + a->head, *spare = mean + a->head, share = 1 / (float)a->keys;

    memset(mean, 0, (size_t)a->head * sizeof(float));
    for (int64_t i = 0; i < a->keys; i++) {
        const float *row = floats(a->k, from, i, 1, scratch, &step);
        for (int64_t j = 0; j < a->head; j++)
            mean[j] += row[j] * share;
    }
    for (int64_t i = 0; i < a->keys; i++)
        zt_keys8_round(&k, i, floats(a->k, from, i, 1, scratch, &step), mean, a->head, spare);
    return true;
}

/* In 8 bits: as many heads of keys at a time as their share of memory holds. */
static bool attend8(struct zt_fast *fast, struct attention *a, int64_t planes)
{
    int64_t most = zt_fast_least(planes, BYTES8 / (int64_t)a->keys8_bytes), each;

    most = most > 0 ? most : 1;
    each = a->tiles * (a->q->ne[2] / a->k->ne[2]);
    a->keys8 = (char *)zt_fast_shared(fast, (size_t)most * a->keys8_bytes / sizeof(float));
    if (a->keys8 == NULL)
        return false;
    for (; a->first < planes; a->first += a->n) {
        a->n = zt_fast_least(most, planes - a->first);
        if (!zt_fast_for(fast, a->n, (size_t)(3 * a->head), round_keys, a) ||
            !zt_fast_for(fast, a->n * each, scratch_floats(a), attend, a))
            return false;
    }
    return true;
}

bool zt_fast_attention(struct zt_fast *fast, struct ggml_tensor *op)
{
    int64_t planes = op->src[1]->ne[2] * op->src[1]->ne[3];
    struct attention a = {
        .q = op->src[0],
        .k = op->src[1],
        .v = op->src[2],
        .y = op,
        .head = op->src[0]->ne[0],
        .head_v = op->src[2]->ne[0],
        .queries = op->src[0]->ne[1],
        .keys = op->src[1]->ne[1],
        .tiles = zt_fast_parts(op->src[0]->ne[1], QUERIES),
        .bf16 =
            zt_fast_bf16(fast) && zt_fast_rows_bf16(op->src[1]) && zt_fast_rows_bf16(op->src[2]),
    };

    memcpy(&a.scale, op->op_params, sizeof(a.scale));
    a.keys8_bytes = zt_keys8_bytes(a.keys, a.head);
    if (zt_attention8_allowed(op) && zt_scores8_exact())
        return attend8(fast, &a, planes);
    return zt_fast_for(fast, a.tiles * a.q->ne[2] * a.q->ne[3], scratch_floats(&a), attend, &a);
}
