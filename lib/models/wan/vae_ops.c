/*
 * vae_ops.c - the pieces both halves of the VAE are made of: causal convolutions with their caches,
 * norms, residual blocks, attention.
 */
#include "models/wan/vae_inside.h"

#include <math.h>

#define NORM_FLOOR 1e-12f

static struct ggml_tensor *add_bias(struct ggml_context *ctx, struct ggml_tensor *y,
                                    struct ggml_tensor *bias)
{
    return ggml_add(ctx, y, bias);
}

/* One tap in time of a 3x3x3 kernel, as [3, 3, in, out]. Kernels lie [kw, kh, kt] innermost. */
static struct ggml_tensor *tap(struct ggml_context *ctx, struct ggml_tensor *w, int taps, int t)
{
    int64_t area = w->ne[0] / taps, side = area == 9 ? 3 : 1;
    struct ggml_tensor *slice = ggml_view_3d(ctx, w, area, w->ne[1], w->ne[2], w->nb[1], w->nb[2],
                                             (size_t)t * (size_t)area * ggml_element_size(w));

    if (taps > 1)
        slice = ggml_cont(ctx, slice);
    return ggml_reshape_4d(ctx, slice, side, side, w->ne[1], w->ne[2]);
}

/* Per frame: [c, w, h, n] -> [out, w, h, n]. */
static struct ggml_tensor *conv_2d(const struct zt_vae_build *b, struct ggml_tensor *kernel,
                                   struct ggml_tensor *x, struct zt_vae_step step)
{
    struct ggml_tensor *in = ggml_permute(b->ctx, x, 2, 0, 1, 3); /* [w, h, c, n] */

    if (!b->vae->strided)
        in = ggml_cont(b->ctx, in);
    struct ggml_tensor *y =
        ggml_conv_2d_direct(b->ctx, kernel, in, step.stride, step.stride, step.pad, step.pad, 1, 1);
    return ggml_cont(b->ctx, ggml_permute(b->ctx, y, 1, 2, 0, 3));
}

static struct ggml_tensor *conv_3d(const struct zt_vae_build *b, struct ggml_tensor *w,
                                   struct ggml_tensor *x, struct zt_vae_step step)
{
    struct ggml_tensor *kernel =
        ggml_reshape_4d(b->ctx, w, step.ks, step.ks, step.kt, w->ne[1] * w->ne[2]);
    struct ggml_tensor *in = ggml_permute(b->ctx, x, 3, 0, 1, 2); /* [w, h, n, c] */

    if (!b->vae->strided)
        in = ggml_cont(b->ctx, in);
    struct ggml_tensor *y =
        ggml_conv_3d_direct(b->ctx, kernel, in, step.stride, step.stride, step.stride_t, step.pad,
                            step.pad, 0, 1, 1, 1, (int)w->ne[1], 1, (int)w->ne[2]);
    return ggml_cont(b->ctx, ggml_permute(b->ctx, y, 1, 2, 3, 0));
}

/* Frames t, t + stride, ...: as many as a kernel of kt gives. */
static struct ggml_tensor *every(struct ggml_context *ctx, struct ggml_tensor *x, int t,
                                 struct zt_vae_step step)
{
    int64_t n = (x->ne[3] - step.kt) / step.stride_t + 1;

    return ggml_view_4d(ctx, x, x->ne[0], x->ne[1], x->ne[2], n, x->nb[1], x->nb[2],
                        x->nb[3] * (size_t)step.stride_t, x->nb[3] * (size_t)t);
}

/* The 3-D one as a sum of 2-D ones, for devices that have only those. */
static struct ggml_tensor *conv_by_taps(const struct zt_vae_build *b, struct ggml_tensor *w,
                                        struct ggml_tensor *x, struct zt_vae_step step)
{
    struct ggml_tensor *sum = NULL;

    for (int t = 0; t < step.kt; t++) {
        struct ggml_tensor *y =
            conv_2d(b, tap(b->ctx, w, step.kt, t), every(b->ctx, x, t, step), step);
        sum = sum ? ggml_add(b->ctx, sum, y) : y;
    }
    return sum;
}

struct ggml_tensor *zt_vae_conv(const struct zt_vae_build *b, const struct zt_vae_conv *conv,
                                struct ggml_tensor *x, struct zt_vae_step step)
{
    zt_assert(conv->w->ne[0] == step.kt * step.ks * step.ks && conv->w->ne[1] == x->ne[0]);
    struct ggml_tensor *y = step.kt == 1 || !b->vae->conv_3d ? conv_by_taps(b, conv->w, x, step)
                                                             : conv_3d(b, conv->w, x, step);

    return add_bias(b->ctx, y, conv->b);
}

struct ggml_tensor *zt_vae_point(const struct zt_vae_build *b, const struct zt_vae_conv *conv,
                                 struct ggml_tensor *x)
{
    zt_assert(conv->w->ne[0] == x->ne[0]);
    struct ggml_tensor *flat = ggml_reshape_2d(b->ctx, x, x->ne[0], ggml_nelements(x) / x->ne[0]);
    struct ggml_tensor *y = ggml_mul_mat(b->ctx, conv->w, flat);

    ggml_prec_set_acc(y, GGML_PREC_F32);
    y = add_bias(b->ctx, y, conv->b);
    return ggml_reshape_4d(b->ctx, y, y->ne[0], x->ne[1], x->ne[2], x->ne[3]);
}

struct ggml_tensor *zt_vae_cache(struct zt_vae_build *b, const struct ggml_tensor *x, int frames)
{
    struct zt_vae_caches *c = b->caches;

    if (c == NULL)
        return NULL;
    if (b->planning) {
        zt_assert(c->n < ZT_VAE_CACHES_MAX);
        c->tensor[c->n++] =
            ggml_new_tensor_4d(c->ctx, b->vae->cache_type, x->ne[0], x->ne[1], x->ne[2], frames);
    }
    zt_assert(b->next < c->n);
    struct ggml_tensor *cache = c->tensor[b->next++];
    zt_assert(cache->ne[0] == x->ne[0] && cache->ne[1] == x->ne[1] && cache->ne[2] == x->ne[2]);
    return cache;
}

struct ggml_tensor *zt_vae_after(const struct zt_vae_build *b, struct ggml_tensor *cache,
                                 struct ggml_tensor *x)
{
    if (cache->type != GGML_TYPE_F32)
        cache = ggml_cast(b->ctx, cache, GGML_TYPE_F32);
    return ggml_concat(b->ctx, cache, x, 3);
}

void zt_vae_keep(const struct zt_vae_build *b, struct ggml_tensor *cache, struct ggml_tensor *x)
{
    int64_t n = x->ne[3] < cache->ne[3] ? x->ne[3] : cache->ne[3];
    struct ggml_tensor *last = ggml_view_4d(b->ctx, x, x->ne[0], x->ne[1], x->ne[2], n, x->nb[1],
                                            x->nb[2], x->nb[3], x->nb[3] * (size_t)(x->ne[3] - n));
    struct ggml_tensor *place =
        ggml_view_4d(b->ctx, cache, x->ne[0], x->ne[1], x->ne[2], n, cache->nb[1], cache->nb[2],
                     cache->nb[3], cache->nb[3] * (size_t)(cache->ne[3] - n));

    zt_graph_output(b->graph, ggml_cpy(b->ctx, last, place), NULL);
}

/*
 * In the first chunk the frames before are zeros: only the last tap sees anything, and a third of
 * the work does.
 */
struct ggml_tensor *zt_vae_causal(struct zt_vae_build *b, const struct zt_vae_conv *conv,
                                  struct ggml_tensor *x)
{
    struct zt_vae_step step = { .kt = 3, .ks = 3, .stride = 1, .stride_t = 1, .pad = 1 };
    struct ggml_tensor *cache = zt_vae_cache(b, x, 2);

    if (b->first) {
        zt_assert(x->ne[3] == 1 && conv->w->ne[0] == 27);
        if (cache != NULL)
            zt_vae_keep(b, cache, x);
        return add_bias(b->ctx, conv_2d(b, tap(b->ctx, conv->w, 3, 2), x, step), conv->b);
    }
    struct ggml_tensor *all = zt_vae_after(b, cache, x);
    struct ggml_tensor *y = zt_vae_conv(b, conv, all, step);
    zt_vae_keep(b, cache, all);
    return y;
}

/* x / max(|x|, 1e-12) * sqrt(channels) * gamma: not an RMS norm with an epsilon. */
struct ggml_tensor *zt_vae_norm(const struct zt_vae_build *b, struct ggml_tensor *gamma,
                                struct ggml_tensor *x)
{
    struct ggml_tensor *scaled = ggml_scale(b->ctx, gamma, sqrtf((float)x->ne[0]));

    return ggml_mul(b->ctx, ggml_l2_norm(b->ctx, x, NORM_FLOOR), scaled);
}

struct ggml_tensor *zt_vae_res_block(struct zt_vae_build *b, const struct zt_vae_res *res,
                                     struct ggml_tensor *x)
{
    struct ggml_tensor *y = ggml_silu(b->ctx, zt_vae_norm(b, res->norm1, x));

    y = zt_vae_causal(b, &res->conv1, y);
    y = ggml_silu(b->ctx, zt_vae_norm(b, res->norm2, y));
    y = zt_vae_causal(b, &res->conv2, y);
    return ggml_add(b->ctx, y, res->shortcut.w ? zt_vae_point(b, &res->shortcut, x) : x);
}

/* One head over the positions of each frame. */
static struct ggml_tensor *attend(const struct zt_vae_build *b, const struct zt_vae_attention *a,
                                  struct ggml_tensor *x)
{
    struct ggml_context *ctx = b->ctx;
    int64_t c = x->ne[0], n = x->ne[1] * x->ne[2], frames = x->ne[3];
    struct ggml_tensor *qkv = zt_vae_point(b, &a->qkv, zt_vae_norm(b, a->norm, x));
    struct ggml_tensor *part[3];

    for (size_t i = 0; i < 3; i++)
        part[i] = ggml_view_3d(ctx, qkv, c, n, frames, qkv->nb[1], qkv->nb[3],
                               i * (size_t)c * sizeof(float));
    struct ggml_tensor *scores = ggml_mul_mat(ctx, part[1], part[0]); /* [keys, queries] */
    scores = ggml_soft_max_ext(ctx, scores, NULL, 1.0f / sqrtf((float)c), 0.0f);
    struct ggml_tensor *v = ggml_cont(ctx, ggml_permute(ctx, part[2], 1, 0, 2, 3));
    struct ggml_tensor *y = ggml_mul_mat(ctx, v, scores);
    y = ggml_reshape_4d(ctx, y, c, x->ne[1], x->ne[2], frames);
    return ggml_add(ctx, zt_vae_point(b, &a->proj, y), x);
}

struct ggml_tensor *zt_vae_middle(struct zt_vae_build *b, const struct zt_vae_half *half,
                                  struct ggml_tensor *x)
{
    x = zt_vae_res_block(b, &half->middle[0], x);
    x = attend(b, &half->attention, x);
    return zt_vae_res_block(b, &half->middle[1], x);
}

struct ggml_tensor *zt_vae_head(struct zt_vae_build *b, const struct zt_vae_half *half,
                                struct ggml_tensor *x)
{
    return zt_vae_causal(b, &half->last, ggml_silu(b->ctx, zt_vae_norm(b, half->head_norm, x)));
}
