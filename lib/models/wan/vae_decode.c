/*
 * vae_decode.c - latents to frames: one latent frame at a time, in tiles, each frame handed on as
 * soon as it is whole.
 */
#include "models/wan/vae_inside.h"

#include "base/mem.h"
#include "models/wan/reel.h"

#include <math.h>
#include <string.h>

#define FINE 8 /* positions of the last stage a latent, each way */

/* The frames of one latent frame, [n][h][w][3], and what was wrong in each. */
struct canvas {
    float *rgb;
    int64_t not_finite[ZT_VAE_CHUNK];
};

struct decode {
    struct zt_vae *vae;
    const float *latent;
    struct zt_vae_size size;
    const struct zt_tile *tile;
    zt_vae_frame_fn *on_frame;
    void *user;
    struct zt_tile_grid grid;
    struct zt_vae_caches *caches; /* one a tile, or one */
    int n_caches;
    float *in, *out; /* of one tile and latent frame */
    struct canvas canvas;
    struct zt_reel *reel; /* by_tile: all frames */
};

static void decode_clear(struct decode *d)
{
    for (int i = 0; d->caches != NULL && i < d->n_caches; i++)
        zt_vae_caches_clear(&d->caches[i]);
    free(d->caches);
    zt_tile_grid_clear(&d->grid);
    zt_reel_close(d->reel);
    free(d->in);
    free(d->out);
    free(d->canvas.rgb);
}

/* Frame 0 as it is; each later one as two: channels 0 ... c - 1, then c ... 2c - 1. */
static struct ggml_tensor *double_time(struct zt_vae_build *b, const struct zt_vae_conv *time,
                                       struct ggml_tensor *x)
{
    struct zt_vae_step step = { .kt = 3, .ks = 1, .stride = 1, .stride_t = 1 };
    struct ggml_tensor *cache = zt_vae_cache(b, x, 2);

    if (b->first) /* which the convolution never sees: its cache stays zero */
        return x;
    struct ggml_tensor *all = zt_vae_after(b, cache, x);
    zt_vae_keep(b, cache, all);
    return zt_vae_unfold(b, zt_vae_conv(b, time, all, step), 2);
}

/* Half the channels: output channel o takes 2o in even rows and 2o + 1 in odd ones. */
static struct ggml_tensor *deal_rows(const struct zt_vae_build *b, struct ggml_tensor *x)
{
    struct ggml_context *ctx = b->ctx;
    int64_t out = x->ne[0] / 2, w = x->ne[1], h = x->ne[2], n = x->ne[3];
    struct ggml_tensor *pairs = ggml_reshape_4d(ctx, x, 2, out, w, h * n);
    struct ggml_tensor *rows = ggml_cont(ctx, ggml_permute(ctx, pairs, 2, 0, 1, 3));

    return zt_vae_enlarge(b, ggml_reshape_4d(ctx, rows, out, w, 2 * h, n), 2, 1, 1);
}

static struct ggml_tensor *stage(struct zt_vae_build *b, const struct zt_vae_stage *s,
                                 struct ggml_tensor *x)
{
    struct zt_vae_step step = { .kt = 1, .ks = 3, .stride = 1, .stride_t = 1, .pad = 1 };
    struct ggml_tensor *y = x;

    for (int i = 0; i < ZT_VAE_RES_MAX; i++)
        y = zt_vae_res_block(b, &s->res[i], y);
    if (s->resample.w == NULL)
        return y;
    if (s->time.w != NULL)
        y = double_time(b, &s->time, y);
    y = zt_vae_conv(b, &s->resample, zt_vae_enlarge(b, y, 2, 2, 1), step);
    x = y->ne[0] < x->ne[0] ? deal_rows(b, x)
                            : zt_vae_enlarge(b, x, 2, 2, s->time.w && !b->first ? 2 : 1);
    return ggml_add(b->ctx, y, x);
}

static struct ggml_tensor *decoder(struct zt_vae_build *b, struct ggml_tensor *x)
{
    const struct zt_vae_half *half = &b->vae->decoder;

    x = zt_vae_point(b, &half->point, x);
    x = zt_vae_middle(b, half, zt_vae_causal(b, &half->first, x));
    for (int s = 0; s < ZT_VAE_STAGES; s++)
        x = stage(b, &half->stage[s], x);
    return zt_vae_head(b, half, x);
}

static struct zt_vae_run decoder_run(const struct decode *d, struct zt_vae_caches *caches)
{
    return (struct zt_vae_run){
        .vae = d->vae,
        .caches = d->size.t > 1 ? caches : NULL,
        .body = decoder,
        .channels = d->vae->config.z,
        .w = d->grid.x.size,
        .h = d->grid.y.size,
        .first_frames = 1,
        .frames = 1,
    };
}

/* A tile of latent frame t as [h][w][z], no longer normalised. */
static void take(const struct decode *d, int t, int y0, int x0)
{
    const struct zt_vae_config *config = &d->vae->config;
    size_t h = (size_t)d->size.h, w = (size_t)d->size.w, frames = (size_t)d->size.t;
    float *dst = d->in;

    for (int y = y0; y < y0 + d->grid.y.size; y++)
        for (int x = x0; x < x0 + d->grid.x.size; x++)
            for (int c = 0; c < config->z; c++) {
                size_t at = (((size_t)c * frames + (size_t)t) * h + (size_t)y) * w + (size_t)x;
                *dst++ = d->latent[at] * config->std[c] + config->mean[c];
            }
}

static size_t pixels(int latents)
{
    return (size_t)latents * ZT_VAE_SCALE;
}

/* One value of a tile's frame f: patches are [c, dx, dy], dx before dy. */
static float pixel(const struct decode *d, int f, int y, int x, int c)
{
    size_t w = (size_t)d->grid.x.size * FINE, h = (size_t)d->grid.y.size * FINE;
    size_t at = ((size_t)f * h + (size_t)(y / 2)) * w + (size_t)(x / 2);

    return d->out[at * ZT_VAE_IN + (size_t)(c * 4 + x % 2 * 2 + y % 2)];
}

/* Adds a tile's frames to the canvas. */
static void blend(struct decode *d, int frames, int row, int column)
{
    const struct zt_tile_axis *ay = &d->grid.y, *ax = &d->grid.x;
    int h = ay->size * ZT_VAE_SCALE, w = ax->size * ZT_VAE_SCALE;
    size_t full_w = pixels(d->size.w), full_h = pixels(d->size.h);
    size_t y0 = pixels(ay->start[row]), x0 = pixels(ax->start[column]);

    for (int f = 0; f < frames; f++)
        for (int y = 0; y < h; y++) {
            float *dst = d->canvas.rgb + (((size_t)f * full_h + y0 + (size_t)y) * full_w + x0) * 3;
            float fade_y = ay->fade[row * h + y];
            for (int x = 0; x < w; x++)
                for (int c = 0; c < 3; c++) {
                    float v = pixel(d, f, y, x, c);
                    if (isfinite(v))
                        *dst += fade_y * ax->fade[column * w + x] * fmaxf(-1.0f, fminf(1.0f, v));
                    else
                        d->canvas.not_finite[f]++;
                    dst++;
                }
        }
}

static enum zt_code step(struct decode *d, struct zt_vae_caches *caches, int t, int row, int column,
                         struct zt_err *err)
{
    struct zt_vae_run run = decoder_run(d, caches);

    take(d, t, d->grid.y.start[row], d->grid.x.start[column]);
    return zt_vae_run_chunk(&run, t == 0, d->in, d->out, err);
}

static size_t canvas_values(const struct decode *d)
{
    return pixels(d->size.h) * pixels(d->size.w) * 3;
}

static int frames_of(int t)
{
    return t == 0 ? 1 : ZT_VAE_CHUNK;
}

static int first_of(int t)
{
    return t == 0 ? 0 : 1 + (t - 1) * ZT_VAE_CHUNK;
}

static enum zt_code hand_on(struct decode *d, int t, struct zt_err *err)
{
    for (int f = 0; f < frames_of(t); f++) {
        struct zt_vae_frame frame = {
            .index = first_of(t) + f,
            .h = d->size.h * ZT_VAE_SCALE,
            .w = d->size.w * ZT_VAE_SCALE,
            .rgb = d->canvas.rgb + (size_t)f * canvas_values(d),
            .not_finite = d->canvas.not_finite[f],
        };
        if (d->on_frame(d->user, &frame))
            return zt_fail(err, ZT_E_CANCELLED, "stopped");
    }
    return ZT_OK;
}

static void wipe(struct decode *d)
{
    memset(d->canvas.rgb, 0, ZT_VAE_CHUNK * canvas_values(d) * sizeof(float));
    memset(d->canvas.not_finite, 0, sizeof(d->canvas.not_finite));
}

static enum zt_code decode_by_time(struct decode *d, struct zt_err *err)
{
    for (int t = 0; t < d->size.t; t++) {
        wipe(d);
        for (int i = 0; i < d->grid.y.n * d->grid.x.n; i++) {
            int row = i / d->grid.x.n, column = i % d->grid.x.n;
            ZT_TRY(step(d, &d->caches[i], t, row, column, err));
            blend(d, frames_of(t), row, column);
        }
        ZT_TRY(hand_on(d, t, err));
    }
    return ZT_OK;
}

/* The reel adds the tile's part of the canvas to its frames. */
static enum zt_code decode_one_tile(struct decode *d, int row, int column, struct zt_err *err)
{
    struct zt_vae_run run = decoder_run(d, d->caches);
    struct zt_reel_box box = {
        .y = d->grid.y.start[row] * ZT_VAE_SCALE,
        .x = d->grid.x.start[column] * ZT_VAE_SCALE,
        .h = d->grid.y.size * ZT_VAE_SCALE,
        .w = d->grid.x.size * ZT_VAE_SCALE,
    };

    if (run.caches != NULL)
        zt_vae_run_reset(&run);
    for (int t = 0; t < d->size.t; t++) {
        wipe(d);
        ZT_TRY(step(d, d->caches, t, row, column, err));
        blend(d, frames_of(t), row, column);
        for (int f = 0; f < frames_of(t); f++)
            zt_reel_add(d->reel, first_of(t) + f, &box,
                        d->canvas.rgb + (size_t)f * canvas_values(d), d->canvas.not_finite[f]);
    }
    return ZT_OK;
}

static enum zt_code decode_by_tile(struct decode *d, struct zt_err *err)
{
    for (int row = 0; row < d->grid.y.n; row++)
        for (int column = 0; column < d->grid.x.n; column++)
            ZT_TRY(decode_one_tile(d, row, column, err));
    for (int t = 0; t < d->size.t; t++) {
        for (int f = 0; f < frames_of(t); f++)
            d->canvas.not_finite[f] =
                zt_reel_get(d->reel, first_of(t) + f, d->canvas.rgb + (size_t)f * canvas_values(d));
        ZT_TRY(hand_on(d, t, err));
    }
    return ZT_OK;
}

static enum zt_code check(const struct decode *d, struct zt_err *err)
{
    const struct zt_vae_size *s = &d->size;

    zt_assert((d->vae->parts & ZT_VAE_DECODER) != 0);
    if (s->t < 1 || s->t > ZT_VAE_TIME_MAX || s->h < 1 || s->h > ZT_VAE_SIDE_MAX || s->w < 1 ||
        s->w > ZT_VAE_SIDE_MAX)
        return zt_fail(err, ZT_E_INVALID,
                       "the VAE decodes 1 to %d latent frames of 1 to %d each way, not %d of %d x "
                       "%d",
                       ZT_VAE_TIME_MAX, ZT_VAE_SIDE_MAX, s->t, s->w, s->h);
    return ZT_OK;
}

static bool by_tile(const struct decode *d)
{
    return d->tile != NULL && d->tile->by_tile && d->grid.y.n * d->grid.x.n > 1;
}

/* The grid, and how much the host's buffers take. */
static enum zt_code lay_out(struct decode *d, size_t ret_values[3], struct zt_err *err)
{
    ZT_TRY(check(d, err));
    ZT_TRY(zt_tile_grid_init(&d->grid, d->tile, d->size.h, d->size.w, ZT_VAE_SCALE, err));
    size_t area = (size_t)d->grid.y.size * (size_t)d->grid.x.size;
    d->n_caches = by_tile(d) ? 1 : d->grid.y.n * d->grid.x.n;
    ret_values[0] = area * (size_t)d->vae->config.z;
    ret_values[1] = area * FINE * FINE * ZT_VAE_IN * ZT_VAE_CHUNK;
    ret_values[2] = ZT_VAE_CHUNK * canvas_values(d);
    return ZT_OK;
}

static enum zt_code prepare(struct decode *d, struct zt_err *err)
{
    size_t values[3] = { 0 };
    void *buf[3] = { NULL };

    ZT_TRY(lay_out(d, values, err));
    d->caches = zt_new_array(struct zt_vae_caches, (size_t)d->n_caches);
    ZT_TRY(zt_try_alloc(values[0], sizeof(float), "a tile's latent", &buf[0], err));
    d->in = buf[0];
    ZT_TRY(zt_try_alloc(values[1], sizeof(float), "a tile's frames", &buf[1], err));
    d->out = buf[1];
    ZT_TRY(zt_try_alloc(values[2], sizeof(float), "decoded frames", &buf[2], err));
    d->canvas.rgb = buf[2];
    if (by_tile(d))
        ZT_TRY(zt_reel_open(1 + (d->size.t - 1) * ZT_VAE_CHUNK, d->size.h * ZT_VAE_SCALE,
                            d->size.w * ZT_VAE_SCALE, &d->reel, err));
    for (int i = 0; d->size.t > 1 && i < d->n_caches; i++) {
        struct zt_vae_run run = decoder_run(d, &d->caches[i]);
        ZT_TRY(zt_vae_run_plan(&run, err));
    }
    return ZT_OK;
}

enum zt_code zt_vae_decode(struct zt_vae *vae, const float *latent, struct zt_vae_size size,
                           const struct zt_tile *tile, zt_vae_frame_fn *on_frame, void *user,
                           struct zt_err *err)
{
    __attribute__((cleanup(decode_clear))) struct decode d = {
        .vae = vae,
        .latent = latent,
        .size = size,
        .tile = tile,
        .on_frame = on_frame,
        .user = user,
    };

    ZT_TRY(prepare(&d, err));
    return by_tile(&d) ? decode_by_tile(&d, err) : decode_by_time(&d, err);
}

enum zt_code zt_vae_decode_bytes(struct zt_vae *vae, struct zt_vae_size size,
                                 const struct zt_tile *tile, struct zt_vae_bytes *ret,
                                 struct zt_err *err)
{
    __attribute__((cleanup(decode_clear))) struct decode d = {
        .vae = vae,
        .size = size,
        .tile = tile,
    };
    __attribute__((cleanup(zt_auto_vae_caches))) struct zt_vae_caches caches = { 0 };
    struct zt_vae_bytes bytes = zt_vae_weight_bytes(vae);
    size_t values[3] = { 0 };

    ZT_TRY(lay_out(&d, values, err));
    struct zt_vae_run run = decoder_run(&d, &caches);
    ZT_TRY(zt_vae_run_bytes(&run, size.t > 1, &bytes, err));
    bytes.caches *= (size_t)d.n_caches;
    bytes.host = (values[0] + values[1] + values[2]) * sizeof(float);
    if (by_tile(&d))
        bytes.file = zt_reel_bytes(1 + (size.t - 1) * ZT_VAE_CHUNK, size.h * ZT_VAE_SCALE,
                                   size.w * ZT_VAE_SCALE);
    *ret = bytes;
    return ZT_OK;
}

size_t zt_vae_bytes_sum(const struct zt_vae_bytes *bytes)
{
    return bytes->weights + bytes->caches + bytes->working + bytes->host;
}

/* clang-format off */
static const struct zt_tile rungs[] = {
    /* size overlap by_tile */
    { 0,    0,      false },
    { 32,   8,      false },
    { 32,   8,      true },
    { 24,   8,      true },
    { 16,   8,      true },
    { 12,   4,      true },
    { 8,    4,      true },
};
/* clang-format on */

bool zt_vae_rung(int index, struct zt_vae_size size, struct zt_tile *ret)
{
    int side = size.h > size.w ? size.h : size.w;

    for (size_t i = 0; i < ZT_COUNT(rungs); i++) {
        if (i > 0 && rungs[i].size >= side) /* the whole again */
            continue;
        if (index-- == 0) {
            *ret = rungs[i];
            return true;
        }
    }
    return false;
}
