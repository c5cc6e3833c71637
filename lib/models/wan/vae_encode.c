/* vae_encode.c - pictures to latents. */
#include "models/wan/vae_inside.h"

#include "base/mem.h"

/* 2x2 means: [c, w, h, n] -> [c, w / 2, h / 2, n]. */
static struct ggml_tensor *shrink(struct ggml_context *ctx, struct ggml_tensor *x)
{
    struct ggml_tensor *sum = NULL;

    for (size_t i = 0; i < 4; i++) {
        struct ggml_tensor *corner =
            ggml_view_4d(ctx, x, x->ne[0], x->ne[1] / 2, x->ne[2] / 2, x->ne[3], 2 * x->nb[1],
                         2 * x->nb[2], x->nb[3], i % 2 * x->nb[1] + i / 2 * x->nb[2]);
        sum = sum ? ggml_add(ctx, sum, corner) : ggml_cont(ctx, corner);
    }
    return ggml_scale(ctx, sum, 0.25f);
}

/* Frames first, first + 2, ... */
static struct ggml_tensor *alternate(struct ggml_context *ctx, struct ggml_tensor *x, int first)
{
    return ggml_cont(ctx, ggml_view_4d(ctx, x, x->ne[0], x->ne[1], x->ne[2], x->ne[3] / 2, x->nb[1],
                                       x->nb[2], 2 * x->nb[3], (size_t)first * x->nb[3]));
}

/*
 * The shortcut around a stage that halves time too: frames in pairs, whose means are averaged
 * (out = c) or become channels 2c and 2c + 1 (out = 2c). The first frame's partner is zero.
 */
static struct ggml_tensor *average(const struct zt_vae_build *b, struct ggml_tensor *x, int64_t out)
{
    struct ggml_context *ctx = b->ctx;
    struct ggml_tensor *later = b->first ? x : alternate(ctx, x, 1);
    struct ggml_tensor *earlier = b->first ? ggml_scale(ctx, x, 0.0f) : alternate(ctx, x, 0);

    if (out == x->ne[0])
        return ggml_scale(ctx, ggml_add(ctx, earlier, later), 0.5f);
    int64_t n = ggml_nelements(later);
    struct ggml_tensor *pair =
        ggml_concat(ctx, ggml_reshape_2d(ctx, earlier, 1, n), ggml_reshape_2d(ctx, later, 1, n), 0);
    return ggml_reshape_4d(ctx, pair, out, x->ne[1], x->ne[2], later->ne[3]);
}

/* Frame 0 as it is, then one of (2k - 2, 2k - 1, 2k). */
static struct ggml_tensor *halve_time(struct zt_vae_build *b, const struct zt_vae_conv *time,
                                      struct ggml_tensor *x)
{
    struct zt_vae_step step = { .kt = 3, .ks = 1, .stride = 1, .stride_t = 2 };
    struct ggml_tensor *cache = zt_vae_cache(b, x, 1);

    if (b->first) {
        if (cache != NULL)
            zt_vae_keep(b, cache, x);
        return x;
    }
    struct ggml_tensor *all = zt_vae_after(b, cache, x);
    zt_vae_keep(b, cache, all);
    return zt_vae_conv(b, time, all, step);
}

static struct ggml_tensor *stage(struct zt_vae_build *b, const struct zt_vae_stage *s,
                                 struct ggml_tensor *x)
{
    struct zt_vae_step step = { .kt = 1, .ks = 3, .stride = 2, .stride_t = 1 };
    struct ggml_tensor *y = x;

    for (int i = 0; i < 2; i++)
        y = zt_vae_res_block(b, &s->res[i], y);
    if (s->resample.w == NULL)
        return ggml_add(b->ctx, y, x);
    y = zt_vae_conv(b, &s->resample, ggml_pad(b->ctx, y, 0, 1, 1, 0), step);
    if (s->time.w != NULL)
        y = halve_time(b, &s->time, y);
    x = shrink(b->ctx, x);
    return ggml_add(b->ctx, y, s->time.w ? average(b, x, y->ne[0]) : x);
}

static struct ggml_tensor *encoder(struct zt_vae_build *b, struct ggml_tensor *x)
{
    const struct zt_vae_half *half = &b->vae->encoder;
    int z = b->vae->config.z;

    x = zt_vae_causal(b, &half->first, x);
    for (int s = 0; s < ZT_VAE_STAGES; s++)
        x = stage(b, &half->stage[s], x);
    x = zt_vae_head(b, half, zt_vae_middle(b, half, x));
    struct zt_vae_conv mean = {
        /* the first z rows; those of the variance are left out */
        .w = ggml_view_2d(b->ctx, half->point.w, half->point.w->ne[0], z, half->point.w->nb[1], 0),
        .b = ggml_view_1d(b->ctx, half->point.b, z, 0),
    };
    return zt_vae_point(b, &mean, x);
}

/* n frames of rgb [3][frames][h][w] as patches [n][h / 2][w / 2][c, dx, dy]: dx before dy. */
static void patchify(const float *rgb, int frames, int h, int w, int first, int n, float *dst)
{
    for (int f = first; f < first + n; f++)
        for (int y = 0; y < h; y += ZT_VAE_PATCH)
            for (int x = 0; x < w; x += ZT_VAE_PATCH)
                for (int i = 0; i < ZT_VAE_IN; i++) {
                    int c = i / 4, dx = i / 2 % 2, dy = i % 2;
                    *dst++ = rgb[(((size_t)c * (size_t)frames + (size_t)f) * (size_t)h +
                                  (size_t)(y + dy)) *
                                     (size_t)w +
                                 (size_t)(x + dx)];
                }
}

/* mean [h * w][z] of frame t into latent [z][frames][h * w], normalised. */
static void put(const struct zt_vae_config *config, const float *mean, int t, int frames,
                size_t area, float *latent)
{
    for (int c = 0; c < config->z; c++) {
        float *dst = latent + ((size_t)c * (size_t)frames + (size_t)t) * area;
        for (size_t i = 0; i < area; i++)
            dst[i] = (mean[i * (size_t)config->z + (size_t)c] - config->mean[c]) / config->std[c];
    }
}

static enum zt_code check(const struct zt_vae *vae, int frames, int h, int w, struct zt_err *err)
{
    int most = ZT_VAE_SIDE_MAX * ZT_VAE_SCALE;

    zt_assert((vae->parts & ZT_VAE_ENCODER) != 0);
    if (frames < 1 || frames % ZT_VAE_CHUNK != 1 || frames / ZT_VAE_CHUNK >= ZT_VAE_TIME_MAX)
        return zt_fail(err, ZT_E_INVALID, "the VAE encodes 1, 5, 9 ... %d frames, not %d",
                       (ZT_VAE_TIME_MAX - 1) * ZT_VAE_CHUNK + 1, frames);
    if (h < 1 || w < 1 || h > most || w > most || h % ZT_VAE_SCALE != 0 || w % ZT_VAE_SCALE != 0)
        return zt_fail(err, ZT_E_INVALID,
                       "the VAE encodes sides of 16, 32, ... %d pixels, not %d x %d", most, w, h);
    return ZT_OK;
}

static struct zt_vae_run encoder_run(struct zt_vae *vae, struct zt_vae_caches *caches, int frames,
                                     int h, int w)
{
    return (struct zt_vae_run){
        .vae = vae,
        .caches = frames > 1 ? caches : NULL,
        .body = encoder,
        .channels = ZT_VAE_IN,
        .w = w / ZT_VAE_PATCH,
        .h = h / ZT_VAE_PATCH,
        .first_frames = 1,
        .frames = ZT_VAE_CHUNK,
    };
}

enum zt_code zt_vae_encode(struct zt_vae *vae, const float *rgb, int frames, int h, int w,
                           float *latent, struct zt_err *err)
{
    ZT_TRY(check(vae, frames, h, w, err));
    __attribute__((cleanup(zt_auto_vae_caches))) struct zt_vae_caches caches = { 0 };
    struct zt_vae_run run = encoder_run(vae, &caches, frames, h, w);
    int chunks = frames / ZT_VAE_CHUNK + 1, in_chunk = frames > 1 ? ZT_VAE_CHUNK : 1;
    size_t area = (size_t)(h / ZT_VAE_SCALE) * (size_t)(w / ZT_VAE_SCALE);
    zt_auto_free void *in = NULL, *out = NULL;

    ZT_TRY(zt_try_alloc((size_t)in_chunk * 3 * (size_t)h * (size_t)w, sizeof(float),
                        "pictures to encode", &in, err));
    ZT_TRY(zt_try_alloc(area * (size_t)vae->config.z, sizeof(float), "a latent", &out, err));
    if (frames > 1)
        ZT_TRY(zt_vae_run_plan(&run, err));
    for (int t = 0; t < chunks; t++) {
        patchify(rgb, frames, h, w, t == 0 ? 0 : 1 + (t - 1) * ZT_VAE_CHUNK,
                 t == 0 ? 1 : ZT_VAE_CHUNK, in);
        ZT_TRY(zt_vae_run_chunk(&run, t == 0, in, out, err));
        put(&vae->config, out, t, chunks, area, latent);
    }
    return ZT_OK;
}

enum zt_code zt_vae_encode_bytes(struct zt_vae *vae, int frames, int h, int w,
                                 struct zt_vae_bytes *ret, struct zt_err *err)
{
    ZT_TRY(check(vae, frames, h, w, err));
    __attribute__((cleanup(zt_auto_vae_caches))) struct zt_vae_caches caches = { 0 };
    struct zt_vae_run run = encoder_run(vae, &caches, frames, h, w);
    size_t area = (size_t)(h / ZT_VAE_SCALE) * (size_t)(w / ZT_VAE_SCALE);
    struct zt_vae_bytes bytes = zt_vae_weight_bytes(vae);

    ZT_TRY(zt_vae_run_bytes(&run, frames > 1, &bytes, err));
    bytes.host = ((size_t)(frames > 1 ? ZT_VAE_CHUNK : 1) * 3 * (size_t)h * (size_t)w +
                  area * (size_t)vae->config.z) *
                 sizeof(float);
    *ret = bytes;
    return ZT_OK;
}
