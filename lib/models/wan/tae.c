/*
 * tae.c - see tae.h. O. Boer Bohan's TAEHV: memory blocks that see the frame before, all
 * convolutions in two dimensions, one latent frame at a time.
 */
#include "models/wan/tae.h"

#include "base/arena.h"
#include "base/mem.h"
#include "models/wan/vae_inside.h"
#include "tensor/weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BLOCKS       3
#define CHANNELS_MAX 4096
#define ROWS_MAX     128
#define DROPPED      3 /* frames before the first real one */

struct memory {
    struct zt_vae_conv conv[3];
};

struct level {
    struct memory block[BLOCKS];
    struct zt_vae_conv grow, shrink; /* 1x1; to the next level's width */
};

struct zt_tae {
    struct zt_tae_config config;
    struct zt_vae traits; /* what vae_ops.c asks of the device */
    struct zt_params *params;
    struct zt_vae_conv first, last;
    struct level level[ZT_TAE_LEVELS];
};

const struct zt_param_names zt_tae_names = { 0 };

/* Places in the list of layers: a level has 3 blocks, an enlargement, a growth, a convolution. */
enum { FIRST = 1, LEVEL = 3, LEVEL_LAYERS = 6, GROW = 4, SHRINK = 5, LAST = 22 };

/* ---- what the shapes say ------------------------------------------------------------------- */

static enum zt_code channels_of(const struct zt_weights *weights, const char *suffix, int layer,
                                int64_t *ret, struct zt_err *err)
{
    char name[64];

    snprintf(name, sizeof(name), "decoder.%d.%sweight", layer, suffix);
    const struct zt_weight *w = zt_weights_find(weights, name);
    if (w == NULL || w->n_dims != 4)
        return zt_fail(err, ZT_E_CORRUPT, "these weights are no TAE of Wan 2.2: %s is not in them",
                       name);
    *ret = w->ne[3];
    if (*ret < 1 || *ret > CHANNELS_MAX)
        return zt_fail(err, ZT_E_CORRUPT, "%s must have 1 to %d channels", name, CHANNELS_MAX);
    return ZT_OK;
}

static enum zt_code read_level(const struct zt_weights *weights, int level,
                               struct zt_tae_config *config, struct zt_err *err)
{
    int at = LEVEL + level * LEVEL_LAYERS;
    int64_t grown = 0, next = 0;

    ZT_TRY(channels_of(weights, "conv.", at + GROW, &grown, err));
    ZT_TRY(channels_of(weights, "", at + SHRINK, &next, err));
    config->grow[level] = grown == config->width[level] ? 1 : 2;
    config->width[level + 1] = (int)next;
    if (grown != config->grow[level] * config->width[level])
        return zt_fail(err, ZT_E_CORRUPT, "decoder.%d.conv must have %d or %d channels, not %d",
                       at + GROW, config->width[level], 2 * config->width[level], (int)grown);
    return ZT_OK;
}

enum zt_code zt_tae_config_read(const struct zt_weights *weights, struct zt_tae_config *ret,
                                struct zt_err *err)
{
    struct zt_tae_config c = { 0 };
    int64_t first = 0, last = 0;
    int frames = 1;

    if (zt_weights_find(weights, "decoder.0.weight") != NULL)
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "this is taew2_2_super, which is not supported: use taew2_2");
    ZT_TRY(channels_of(weights, "", FIRST, &first, err));
    ZT_TRY(channels_of(weights, "", LAST, &last, err));
    c.width[0] = (int)first;
    for (int i = 0; i < ZT_TAE_LEVELS; i++) {
        ZT_TRY(read_level(weights, i, &c, err));
        frames *= c.grow[i];
    }
    int64_t z = zt_weights_find(weights, "decoder.1.weight")->ne[2];
    c.z = z > 0 && z <= ZT_VAE_Z_MAX ? (int)z : 0;
    c.patch = last == 12 ? 2 : 1;
    if (c.z == 0 || (last != 12 && last != 3))
        return zt_fail(err, ZT_E_CORRUPT,
                       "a TAE takes 1 to %d latent channels and gives 3 or 12, not %d and %d",
                       ZT_VAE_Z_MAX, (int)z, (int)last);
    if (frames != ZT_VAE_CHUNK)
        return zt_fail(err, ZT_E_UNSUPPORTED, "this TAE makes %d frames of one, not %d", frames,
                       ZT_VAE_CHUNK);
    *ret = c;
    return ZT_OK;
}

/* ---- the table ----------------------------------------------------------------------------- */

struct table {
    struct zt_param *rows;
    size_t n;
    struct zt_arena *arena;
};

/* Kernels [out, in, 3, 3] or [out, in, 1, 1]. */
static void add(struct table *t, struct zt_vae_conv *conv, int side, int in, int out, bool bias,
                const char *name)
{
    zt_assert(t->n + 2 <= ROWS_MAX);
    t->rows[t->n++] = (struct zt_param){
        .name = zt_arena_printf(t->arena, "decoder.%sweight", name),
        .kind = ZT_PARAM_F16,
        .ne = { side == 1 ? in : side * side, side == 1 ? out : in, side == 1 ? 1 : out, 1 },
        .fold = side == 1 ? 1 : 2,
        .slot = &conv->w,
    };
    if (bias)
        t->rows[t->n++] = (struct zt_param){
            .name = zt_arena_printf(t->arena, "decoder.%sbias", name),
            .kind = ZT_PARAM_F32,
            .ne = { out, 1, 1, 1 },
            .slot = &conv->b,
        };
}

static void add_level(struct table *t, struct zt_tae *tae, int level)
{
    int at = LEVEL + level * LEVEL_LAYERS, c = tae->config.width[level];
    struct level *l = &tae->level[level];
    char name[32];

    for (int i = 0; i < BLOCKS; i++)
        for (int j = 0; j < 3; j++) {
            snprintf(name, sizeof(name), "%d.conv.%d.", at + i, 2 * j);
            add(t, &l->block[i].conv[j], 3, j == 0 ? 2 * c : c, c, true, name);
        }
    snprintf(name, sizeof(name), "%d.conv.", at + GROW);
    add(t, &l->grow, 1, c, c * tae->config.grow[level], false, name);
    snprintf(name, sizeof(name), "%d.", at + SHRINK);
    add(t, &l->shrink, 3, c, tae->config.width[level + 1], false, name);
}

static size_t params_into(struct zt_tae *tae, struct zt_arena *arena, struct zt_param **ret)
{
    const struct zt_tae_config *c = &tae->config;
    struct table t = { .arena = arena };

    t.rows = zt_arena_alloc(arena, ROWS_MAX * sizeof(*t.rows));
    add(&t, &tae->first, 3, c->z, c->width[0], true, "1.");
    for (int i = 0; i < ZT_TAE_LEVELS; i++)
        add_level(&t, tae, i);
    add(&t, &tae->last, 3, c->width[ZT_TAE_LEVELS], 3 * c->patch * c->patch, true, "22.");
    *ret = t.rows;
    return t.n;
}

size_t zt_tae_params(const struct zt_tae_config *config, struct zt_arena *arena,
                     struct zt_param **ret)
{
    struct zt_tae *tae = zt_new(struct zt_tae);

    tae->config = *config;
    size_t n = params_into(tae, arena, ret);
    for (size_t i = 0; i < n; i++)
        (*ret)[i].slot = NULL;
    free(tae);
    return n;
}

/* ---- the graph ----------------------------------------------------------------------------- */

static struct ggml_tensor *conv(const struct zt_vae_build *b, const struct zt_vae_conv *c,
                                struct ggml_tensor *x)
{
    struct zt_vae_step step = { .kt = 1, .ks = 3, .stride = 1, .stride_t = 1, .pad = 1 };

    return zt_vae_conv(b, c, x, step);
}

/* Channels [x, the block's input a frame earlier]; zeros before the first, as the cache starts. */
static struct ggml_tensor *remember(struct zt_vae_build *b, const struct memory *m,
                                    struct ggml_tensor *x)
{
    struct ggml_tensor *cache = zt_vae_cache(b, x, 1);
    struct ggml_tensor *all = zt_vae_after(b, cache, x);
    struct ggml_tensor *before = ggml_view_4d(b->ctx, all, x->ne[0], x->ne[1], x->ne[2], x->ne[3],
                                              all->nb[1], all->nb[2], all->nb[3], 0);

    zt_vae_keep(b, cache, all);
    struct ggml_tensor *y = ggml_concat(b->ctx, x, before, 0);
    for (int i = 0; i < 3; i++) {
        y = conv(b, &m->conv[i], y);
        y = i < 2 ? ggml_relu(b->ctx, y) : ggml_add(b->ctx, y, x);
    }
    return ggml_relu(b->ctx, y);
}

static struct ggml_tensor *decoder(struct zt_vae_build *b, struct ggml_tensor *x)
{
    const struct zt_tae *tae = b->model;

    x = ggml_scale(b->ctx, ggml_tanh(b->ctx, ggml_scale(b->ctx, x, 1.0f / 3.0f)), 3.0f);
    x = ggml_relu(b->ctx, conv(b, &tae->first, x));
    for (int i = 0; i < ZT_TAE_LEVELS; i++) {
        const struct level *l = &tae->level[i];
        for (int j = 0; j < BLOCKS; j++)
            x = remember(b, &l->block[j], x);
        /* 1x1, so that it may as well come before the enlargement, on a quarter of the values */
        x = zt_vae_unfold(b, zt_vae_point(b, &l->grow, x), tae->config.grow[i]);
        x = conv(b, &l->shrink, zt_vae_enlarge(b, x, 2, 2, 1));
    }
    return conv(b, &tae->last, ggml_relu(b->ctx, x));
}

/* ---- decoding ------------------------------------------------------------------------------ */

enum zt_code zt_tae_open(const struct zt_weights *weights, enum zt_vae_precision precision,
                         struct zt_device *device, struct zt_tae **ret, struct zt_err *err)
{
    zt_auto(tae) struct zt_tae *tae = zt_new(struct zt_tae);
    __attribute__((cleanup(zt_arena_clear))) struct zt_arena arena = { 0 };
    struct zt_param *rows;

    ZT_TRY(zt_tae_config_read(weights, &tae->config, err));
    size_t n = params_into(tae, &arena, &rows);
    for (size_t i = 0; precision == ZT_VAE_F32 && i < n; i++)
        rows[i].kind = ZT_PARAM_F32;
    ZT_TRY(zt_params_load(weights, "TAE", rows, n, &zt_tae_names, device, NULL, NULL, &tae->params,
                          err));
    tae->traits.device = device;
    zt_vae_settle(&tae->traits, tae->first.w->type);
    *ret = zt_take_tae(&tae);
    return ZT_OK;
}

void zt_tae_close(struct zt_tae *tae)
{
    if (tae == NULL)
        return;
    zt_params_free(tae->params);
    free(tae);
}

const struct zt_tae_config *zt_tae_config(const struct zt_tae *tae)
{
    return &tae->config;
}

static struct zt_vae_run tae_run(const struct zt_tae *tae, struct zt_vae_caches *caches,
                                 struct zt_vae_size size)
{
    return (struct zt_vae_run){
        .vae = &tae->traits,
        .model = tae,
        .caches = caches,
        .body = decoder,
        .channels = tae->config.z,
        .w = size.w,
        .h = size.h,
        .first_frames = 1,
        .frames = 1,
    };
}

static void take(const struct zt_tae *tae, const float *latent, struct zt_vae_size size, int t,
                 float *dst)
{
    size_t area = (size_t)size.h * (size_t)size.w;

    for (size_t i = 0; i < area; i++)
        for (int c = 0; c < tae->config.z; c++)
            *dst++ = latent[((size_t)c * (size_t)size.t + (size_t)t) * area + i];
}

/* Frame f of out, [n][h][w][c, dy, dx] (dy before dx), as [h][w][3], -1 ... 1. */
static int64_t shuffle(int patch, const float *out, int f, int h, int w, float *rgb)
{
    size_t channels = (size_t)3 * (size_t)patch * (size_t)patch;
    int64_t not_finite = 0;

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            size_t cell =
                ((size_t)f * (size_t)(h / patch) + (size_t)(y / patch)) * (size_t)(w / patch) +
                (size_t)(x / patch);
            int in_cell = y % patch * patch + x % patch;
            for (int c = 0; c < 3; c++) {
                float v = out[cell * channels + (size_t)(c * patch * patch + in_cell)];
                not_finite += !isfinite(v);
                *rgb++ = isfinite(v) ? 2.0f * fmaxf(0.0f, fminf(1.0f, v)) - 1.0f : 0.0f;
            }
        }
    return not_finite;
}

static enum zt_code hand_on(const struct zt_tae *tae, const float *out, struct zt_vae_size size,
                            int t, float *rgb, zt_vae_frame_fn *on_frame, void *user,
                            struct zt_err *err)
{
    int scale = 8 * tae->config.patch;

    for (int f = t == 0 ? DROPPED : 0; f < ZT_VAE_CHUNK; f++) {
        struct zt_vae_frame frame = {
            .index = t * ZT_VAE_CHUNK + f - DROPPED,
            .h = size.h * scale,
            .w = size.w * scale,
            .rgb = rgb,
        };
        frame.not_finite = shuffle(tae->config.patch, out, f, frame.h, frame.w, rgb);
        if (on_frame(user, &frame))
            return zt_fail(err, ZT_E_CANCELLED, "stopped");
    }
    return ZT_OK;
}

static enum zt_code measure(const struct zt_tae *tae, struct zt_vae_size size, size_t ret[3],
                            struct zt_err *err)
{
    size_t area = (size_t)size.h * (size_t)size.w;
    size_t pixels = area * 64 * (size_t)(tae->config.patch * tae->config.patch);

    if (size.t < 1 || size.t > ZT_VAE_TIME_MAX || size.h < 1 || size.h > ZT_VAE_SIDE_MAX ||
        size.w < 1 || size.w > ZT_VAE_SIDE_MAX)
        return zt_fail(err, ZT_E_INVALID,
                       "the TAE decodes 1 to %d latent frames of 1 to %d each way, not %d of %d x "
                       "%d",
                       ZT_VAE_TIME_MAX, ZT_VAE_SIDE_MAX, size.t, size.w, size.h);
    ret[0] = area * (size_t)tae->config.z;
    ret[1] = pixels * 3 * ZT_VAE_CHUNK;
    ret[2] = pixels * 3;
    return ZT_OK;
}

enum zt_code zt_tae_decode(struct zt_tae *tae, const float *latent, struct zt_vae_size size,
                           zt_vae_frame_fn *on_frame, void *user, struct zt_err *err)
{
    __attribute__((cleanup(zt_auto_vae_caches))) struct zt_vae_caches caches = { 0 };
    struct zt_vae_run run = tae_run(tae, &caches, size);
    zt_auto_free void *in = NULL, *out = NULL, *rgb = NULL;
    size_t values[3] = { 0 };

    ZT_TRY(measure(tae, size, values, err));
    ZT_TRY(zt_try_alloc(values[0], sizeof(float), "a latent", &in, err));
    ZT_TRY(zt_try_alloc(values[1], sizeof(float), "decoded frames", &out, err));
    ZT_TRY(zt_try_alloc(values[2], sizeof(float), "a frame", &rgb, err));
    ZT_TRY(zt_vae_run_plan(&run, err));
    for (int t = 0; t < size.t; t++) {
        take(tae, latent, size, t, in);
        ZT_TRY(zt_vae_run_chunk(&run, t == 0, in, out, err));
        ZT_TRY(hand_on(tae, out, size, t, rgb, on_frame, user, err));
    }
    return ZT_OK;
}

enum zt_code zt_tae_decode_bytes(struct zt_tae *tae, struct zt_vae_size size,
                                 struct zt_vae_bytes *ret, struct zt_err *err)
{
    __attribute__((cleanup(zt_auto_vae_caches))) struct zt_vae_caches caches = { 0 };
    struct zt_vae_run run = tae_run(tae, &caches, size);
    struct zt_vae_bytes bytes = {
        .weights = zt_params_bytes(tae->params),
        .mapped = zt_params_mapped_bytes(tae->params),
    };
    size_t values[3] = { 0 };

    ZT_TRY(measure(tae, size, values, err));
    ZT_TRY(zt_vae_run_bytes(&run, true, &bytes, err));
    bytes.host = (values[0] + values[1] + values[2]) * sizeof(float);
    *ret = bytes;
    return ZT_OK;
}
