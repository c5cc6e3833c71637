/*
 * vae.c - the VAE's parameters: what a file must hold, what its shapes say, loading.
 */
#include "models/wan/vae_inside.h"

#include "base/arena.h"
#include "base/fault.h"
#include "base/mem.h"
#include "tensor/weights.h"

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define CHANNELS_MAX 8192
#define ROWS_MAX     256
#define F16_MAX      65504.0f

/* Wan 2.2's statistics of latents (specs: 48 channels). */
static const float wan_mean[48] = {
    -0.2289f, -0.0052f, -0.1323f, -0.2339f, -0.2799f, 0.0174f,  0.1838f,  0.1557f,
    -0.1382f, 0.0542f,  0.2813f,  0.0891f,  0.1570f,  -0.0098f, 0.0375f,  -0.1825f,
    -0.2246f, -0.1207f, -0.0698f, 0.5109f,  0.2665f,  -0.2108f, -0.2158f, 0.2502f,
    -0.2055f, -0.0322f, 0.1109f,  0.1567f,  -0.0729f, 0.0899f,  -0.2799f, -0.1230f,
    -0.0313f, -0.1649f, 0.0117f,  0.0723f,  -0.2839f, -0.2083f, -0.0520f, 0.3748f,
    0.0152f,  0.1957f,  0.1433f,  -0.2944f, 0.3573f,  -0.0548f, -0.1681f, -0.0667f,
};
static const float wan_std[48] = {
    0.4765f, 1.0364f, 0.4514f, 1.1677f, 0.5313f, 0.4990f, 0.4818f, 0.5013f, 0.8158f, 1.0344f,
    0.5894f, 1.0901f, 0.6885f, 0.6165f, 0.8454f, 0.4978f, 0.5759f, 0.3523f, 0.7135f, 0.6804f,
    0.5833f, 1.4146f, 0.8986f, 0.5659f, 0.7069f, 0.5338f, 0.4889f, 0.4917f, 0.4069f, 0.4999f,
    0.6866f, 0.4093f, 0.5709f, 0.6065f, 0.6415f, 0.4944f, 0.5726f, 1.2042f, 0.5458f, 1.6887f,
    0.3971f, 1.0600f, 0.3943f, 0.5537f, 0.5444f, 0.4089f, 0.7468f, 0.7744f,
};

/* clang-format off */
static const struct zt_param_alias aliases[] = {
    { "conv1.", "quant_conv." },
    { "conv2.", "post_quant_conv." },
    { "encoder.conv1.", "encoder.conv_in." },
    { "decoder.conv1.", "decoder.conv_in." },
    { "encoder.downsamples.#.downsamples.#.residual.0.", "encoder.down_blocks.#.resnets.#.norm1." },
    { "encoder.downsamples.#.downsamples.#.residual.2.", "encoder.down_blocks.#.resnets.#.conv1." },
    { "encoder.downsamples.#.downsamples.#.residual.3.", "encoder.down_blocks.#.resnets.#.norm2." },
    { "encoder.downsamples.#.downsamples.#.residual.6.", "encoder.down_blocks.#.resnets.#.conv2." },
    { "encoder.downsamples.#.downsamples.#.shortcut.",
      "encoder.down_blocks.#.resnets.#.conv_shortcut." },
    { "encoder.downsamples.#.downsamples.2.resample.",
      "encoder.down_blocks.#.downsampler.resample." },
    { "encoder.downsamples.#.downsamples.2.time_conv.",
      "encoder.down_blocks.#.downsampler.time_conv." },
    { "decoder.upsamples.#.upsamples.#.residual.0.", "decoder.up_blocks.#.resnets.#.norm1." },
    { "decoder.upsamples.#.upsamples.#.residual.2.", "decoder.up_blocks.#.resnets.#.conv1." },
    { "decoder.upsamples.#.upsamples.#.residual.3.", "decoder.up_blocks.#.resnets.#.norm2." },
    { "decoder.upsamples.#.upsamples.#.residual.6.", "decoder.up_blocks.#.resnets.#.conv2." },
    { "decoder.upsamples.#.upsamples.#.shortcut.", "decoder.up_blocks.#.resnets.#.conv_shortcut." },
    { "decoder.upsamples.#.upsamples.3.resample.", "decoder.up_blocks.#.upsampler.resample." },
    { "decoder.upsamples.#.upsamples.3.time_conv.", "decoder.up_blocks.#.upsampler.time_conv." },
#define MIDDLE(half)                                                                               \
    { half ".middle.0.residual.0.", half ".mid_block.resnets.0.norm1." },                          \
    { half ".middle.0.residual.2.", half ".mid_block.resnets.0.conv1." },                          \
    { half ".middle.0.residual.3.", half ".mid_block.resnets.0.norm2." },                          \
    { half ".middle.0.residual.6.", half ".mid_block.resnets.0.conv2." },                          \
    { half ".middle.1.", half ".mid_block.attentions.0." },                                        \
    { half ".middle.2.residual.0.", half ".mid_block.resnets.1.norm1." },                          \
    { half ".middle.2.residual.2.", half ".mid_block.resnets.1.conv1." },                          \
    { half ".middle.2.residual.3.", half ".mid_block.resnets.1.norm2." },                          \
    { half ".middle.2.residual.6.", half ".mid_block.resnets.1.conv2." },                          \
    { half ".head.0.", half ".norm_out." },                                                        \
    { half ".head.2.", half ".conv_out." }
    MIDDLE("encoder"),
    MIDDLE("decoder"),
    { NULL, NULL },
};
/* clang-format on */

const struct zt_param_names zt_vae_names = { .aliases = aliases };

/* ---- what the shapes say ------------------------------------------------------------------- */

/* The size of a tensor's slowest dimension: out channels. 0: no such tensor. */
static int64_t out_channels(const struct zt_weights *weights, const char *name)
{
    const struct zt_weight *w = zt_params_find(weights, &zt_vae_names, name);

    return w == NULL || w->n_dims < 2 ? 0 : w->ne[w->n_dims - 1];
}

static enum zt_code read_half(const struct zt_weights *weights, bool encoder, int channels[],
                              bool time[], struct zt_err *err)
{
    const char *half = encoder ? "encoder" : "decoder", *stages = encoder ? "down" : "up";
    char name[128];

    for (int s = -1; s < ZT_VAE_STAGES; s++) {
        if (s < 0)
            snprintf(name, sizeof(name), "%s.conv1.weight", half);
        else
            snprintf(name, sizeof(name), "%s.%ssamples.%d.%ssamples.0.residual.2.weight", half,
                     stages, s, stages);
        int64_t out = out_channels(weights, name);
        if (out < 1 || out > CHANNELS_MAX)
            return zt_fail(err, ZT_E_CORRUPT,
                           out == 0 ? "these weights are no VAE of Wan 2.2: %s is not in them"
                                    : "%s must have 1 to 8192 channels",
                           name);
        channels[1 + s] = (int)out;
        snprintf(name, sizeof(name), "%s.%ssamples.%d.%ssamples.%d.time_conv.weight", half, stages,
                 s, stages, encoder ? 2 : 3);
        if (s >= 0)
            time[s] = out_channels(weights, name) > 0;
    }
    return ZT_OK;
}

/* The shortcuts around stages, as vae_encode.c and vae_decode.c have them. */
static bool shortcuts_fit(const struct zt_vae_config *c)
{
    int down = 0, up = 0;

    for (int s = 0; s < ZT_VAE_STAGES; s++) {
        bool last = s == ZT_VAE_STAGES - 1;
        down += c->down_time[s];
        up += c->up_time[s];
        if (c->enc[s + 1] != c->enc[s] && !(c->down_time[s] && c->enc[s + 1] == 2 * c->enc[s]))
            return false;
        if (!last && c->dec[s + 1] != c->dec[s] &&
            (c->up_time[s] || c->dec[s] != 2 * c->dec[s + 1]))
            return false;
        if (last && (c->down_time[s] || c->up_time[s]))
            return false;
    }
    return down == 2 && up == 2;
}

enum zt_code zt_vae_config_read(const struct zt_weights *weights, struct zt_vae_config *ret,
                                struct zt_err *err)
{
    struct zt_vae_config c = { 0 };

    if (zt_weights_find(weights, "decoder.upsamples.3.resample.1.weight") != NULL ||
        zt_weights_find(weights, "decoder.up_blocks.0.upsamplers.0.resample.1.weight") != NULL)
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "this is the VAE of Wan 2.1; TI2V-5B needs that of Wan 2.2");
    int64_t twice_z = out_channels(weights, "encoder.head.2.weight");
    int64_t z = out_channels(weights, "conv2.weight");
    ZT_TRY(read_half(weights, true, c.enc, c.down_time, err));
    ZT_TRY(read_half(weights, false, c.dec, c.up_time, err));
    if (z < 1 || z > ZT_VAE_Z_MAX || twice_z != 2 * z)
        return zt_fail(err, ZT_E_CORRUPT,
                       "a VAE has 1 to %d latent channels and twice as many of the encoder's, not "
                       "%d and %d",
                       ZT_VAE_Z_MAX, (int)z, (int)twice_z);
    if (!shortcuts_fit(&c))
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "this VAE's stages are not those of Wan 2.2: its widths or where it halves "
                       "time differ");
    c.z = (int)z;
    for (int i = 0; i < c.z; i++) {
        c.mean[i] = c.z == 48 ? wan_mean[i] : 0.0f;
        c.std[i] = c.z == 48 ? wan_std[i] : 1.0f;
    }
    *ret = c;
    return ZT_OK;
}

/* ---- the table ----------------------------------------------------------------------------- */

struct table {
    struct zt_param *rows;
    size_t n;
    struct zt_arena *arena;
    char prefix[96];
};

static void add(struct table *t, struct ggml_tensor **slot, enum zt_param_kind kind, int fold,
                const int64_t ne[4], const char *name)
{
    zt_assert(t->n < ROWS_MAX);
    t->rows[t->n++] = (struct zt_param){
        .name = zt_arena_printf(t->arena, "%s%s", t->prefix, name),
        .kind = kind,
        .ne = { ne[0], ne[1], ne[2], ne[3] },
        .fold = fold,
        .slot = slot,
    };
}

/*
 * taps 1: a matrix, which is brought to F16 too, for BF16 would have its inputs rounded to 8 bits.
 * name is followed by "weight" and "bias".
 */
static void add_conv(struct table *t, struct zt_vae_conv *conv, int taps, int in, int out,
                     const char *name)
{
    int fold = taps == 27 ? 3 : taps == 9 ? 2 : 1;
    int64_t kernel[4] = { taps, in, out, 1 }, matrix[4] = { in, out, 1, 1 };
    int64_t bias[4] = { out, 1, 1, 1 };
    char full[64];

    snprintf(full, sizeof(full), "%sweight", name);
    add(t, &conv->w, ZT_PARAM_F16, fold, taps > 1 ? kernel : matrix, full);
    snprintf(full, sizeof(full), "%sbias", name);
    add(t, &conv->b, ZT_PARAM_F32, 1, bias, full);
}

static void add_norm(struct table *t, struct ggml_tensor **slot, int channels, const char *name)
{
    add(t, slot, ZT_PARAM_F32, 1, (int64_t[]){ channels, 1, 1, 1 }, name);
}

static void add_res(struct table *t, struct zt_vae_res *res, int in, int out)
{
    add_norm(t, &res->norm1, in, "residual.0.gamma");
    add_conv(t, &res->conv1, 27, in, out, "residual.2.");
    add_norm(t, &res->norm2, out, "residual.3.gamma");
    add_conv(t, &res->conv2, 27, out, out, "residual.6.");
    if (in != out)
        add_conv(t, &res->shortcut, 1, in, out, "shortcut.");
}

static void add_middle(struct table *t, struct zt_vae_half *half, const char *name, int c)
{
    snprintf(t->prefix, sizeof(t->prefix), "%s.middle.0.", name);
    add_res(t, &half->middle[0], c, c);
    snprintf(t->prefix, sizeof(t->prefix), "%s.middle.1.", name);
    add_norm(t, &half->attention.norm, c, "norm.gamma");
    add_conv(t, &half->attention.qkv, 1, c, 3 * c, "to_qkv.");
    add_conv(t, &half->attention.proj, 1, c, c, "proj.");
    snprintf(t->prefix, sizeof(t->prefix), "%s.middle.2.", name);
    add_res(t, &half->middle[1], c, c);
}

static void add_stages(struct table *t, struct zt_vae_half *half, const struct zt_vae_config *c,
                       bool encoder)
{
    const int *channels = encoder ? c->enc : c->dec;
    const bool *time = encoder ? c->down_time : c->up_time;
    int blocks = encoder ? 2 : ZT_VAE_RES_MAX;

    for (int s = 0; s < ZT_VAE_STAGES; s++) {
        int out = channels[s + 1];
        struct zt_vae_stage *stage = &half->stage[s];
        for (int i = 0; i <= blocks; i++) {
            if (encoder)
                snprintf(t->prefix, sizeof(t->prefix), "encoder.downsamples.%d.downsamples.%d.", s,
                         i);
            else
                snprintf(t->prefix, sizeof(t->prefix), "decoder.upsamples.%d.upsamples.%d.", s, i);
            if (i < blocks)
                add_res(t, &stage->res[i], i == 0 ? channels[s] : out, out);
        }
        if (s == ZT_VAE_STAGES - 1)
            continue;
        add_conv(t, &stage->resample, 9, out, out, "resample.1.");
        if (time[s])
            add_conv(t, &stage->time, 3, out, encoder ? out : 2 * out, "time_conv.");
    }
}

static void add_half(struct table *t, struct zt_vae_half *half, const struct zt_vae_config *c,
                     bool encoder)
{
    const char *name = encoder ? "encoder" : "decoder";
    const int *channels = encoder ? c->enc : c->dec;
    int first = channels[0], last = channels[ZT_VAE_STAGES];
    int point = encoder ? 2 * c->z : c->z;

    t->prefix[0] = '\0';
    add_conv(t, &half->point, 1, point, point, encoder ? "conv1." : "conv2.");
    snprintf(t->prefix, sizeof(t->prefix), "%s.", name);
    add_conv(t, &half->first, 27, encoder ? ZT_VAE_IN : c->z, first, "conv1.");
    add_norm(t, &half->head_norm, last, "head.0.gamma");
    add_conv(t, &half->last, 27, last, encoder ? point : ZT_VAE_IN, "head.2.");
    add_middle(t, half, name, encoder ? last : first);
    add_stages(t, half, c, encoder);
}

size_t zt_vae_params_into(struct zt_vae *vae, struct zt_arena *arena, struct zt_param **ret)
{
    struct table t = { .arena = arena };

    t.rows = zt_arena_alloc(arena, ROWS_MAX * sizeof(*t.rows));
    if (vae->parts & ZT_VAE_ENCODER)
        add_half(&t, &vae->encoder, &vae->config, true);
    if (vae->parts & ZT_VAE_DECODER)
        add_half(&t, &vae->decoder, &vae->config, false);
    *ret = t.rows;
    return t.n;
}

size_t zt_vae_params(const struct zt_vae_config *config, int parts, struct zt_arena *arena,
                     struct zt_param **ret)
{
    struct zt_vae *vae = zt_new(struct zt_vae);

    vae->config = *config;
    vae->parts = parts;
    size_t n = zt_vae_params_into(vae, arena, ret);
    for (size_t i = 0; i < n; i++)
        (*ret)[i].slot = NULL;
    free(vae);
    return n;
}

/* ---- loading ------------------------------------------------------------------------------- */

static struct ggml_tensor *probe(struct ggml_context *ctx, enum ggml_type type)
{
    struct ggml_tensor *kernel = ggml_new_tensor_4d(ctx, type, 3, 3, 3, 64);
    struct ggml_tensor *x = ggml_new_tensor_4d(ctx, GGML_TYPE_F32, 16, 16, 3, 8);

    return ggml_conv_3d_direct(ctx, kernel, x, 1, 1, 1, 1, 1, 0, 1, 1, 1, 8, 1, 8);
}

void zt_vae_settle(struct zt_vae *vae, enum ggml_type type)
{
    ggml_backend_t main = ggml_backend_sched_get_backend(zt_device_sched(vae->device), 0);
    struct ggml_init_params params = { .mem_size = 8 * ggml_tensor_overhead(), .no_alloc = true };
    struct ggml_context *ctx = ggml_init(params);

    vae->cache_type = type == GGML_TYPE_F16 ? GGML_TYPE_F16 : GGML_TYPE_F32;
    vae->strided = zt_device_is_cpu(vae->device);
    vae->conv_3d =
        vae->strided || (ctx != NULL && ggml_backend_supports_op(main, probe(ctx, type)));
    ggml_free(ctx);
}

/* F16 where all kernels are: caches of it lose nothing then. */
static enum ggml_type kernel_type(const struct zt_param *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].ne[1] > 1 && (*rows[i].slot)->type != GGML_TYPE_F16)
            return GGML_TYPE_F32;
    return GGML_TYPE_F16;
}

/* The kernel's values as F16, into `to`, which has a buffer. */
static enum zt_code halve(const struct zt_param *row, struct ggml_tensor *from,
                          struct ggml_tensor *to, struct zt_err *err)
{
    size_t n = (size_t)ggml_nelements(from);
    zt_auto_free void *values = NULL, *packed = NULL;

    if (from->type == GGML_TYPE_F16) {
        ZT_TRY(zt_try_alloc(n, sizeof(uint16_t), "a kernel", &packed, err));
        ggml_backend_tensor_get(from, packed, 0, n * sizeof(uint16_t));
        ggml_backend_tensor_set(to, packed, 0, n * sizeof(uint16_t));
        return ZT_OK;
    }
    zt_assert(from->type == GGML_TYPE_F32);
    ZT_TRY(zt_try_alloc(n, sizeof(float), "a kernel", &values, err));
    ZT_TRY(zt_try_alloc(n, sizeof(uint16_t), "a kernel", &packed, err));
    ggml_backend_tensor_get(from, values, 0, n * sizeof(float));
    for (size_t i = 0; i < n; i++)
        if (fabsf(((float *)values)[i]) > F16_MAX)
            return zt_fail(err, ZT_E_UNSUPPORTED, "%s holds values that F16 can't: use F32",
                           row->name);
    ggml_fp32_to_fp16_row(values, packed, (int64_t)n);
    ggml_backend_tensor_set(to, packed, 0, n * sizeof(uint16_t));
    return ZT_OK;
}

/* One kernel at a time through the loader, so that no more than one is there twice. */
static enum zt_code load_kernel(struct zt_vae *vae, const struct zt_weights *weights,
                                const struct zt_param *row, struct zt_err *err)
{
    zt_auto(params) struct zt_params *one = NULL;
    struct ggml_tensor *from = NULL;
    struct zt_param alone = *row;

    alone.slot = &from;
    ZT_TRY(zt_params_load(weights, "VAE", &alone, 1, &zt_vae_names, vae->device, NULL, NULL, &one,
                          err));
    return halve(row, from, *row->slot, err);
}

/* Tensors for the rows of kind F16, or for all, in a context of the VAE's own. */
static enum zt_code own_tensors(struct zt_vae *vae, const struct zt_param *rows, size_t n,
                                bool kernels_only, enum ggml_type type, struct zt_err *err)
{
    struct ggml_init_params params = { .mem_size = n * ggml_tensor_overhead(), .no_alloc = true };

    vae->own_ctx = ggml_init(params);
    if (vae->own_ctx == NULL)
        return zt_fail(err, ZT_E_NOMEM, "no memory for the VAE");
    for (size_t i = 0; i < n; i++) {
        if (kernels_only && rows[i].kind != ZT_PARAM_F16)
            continue;
        *rows[i].slot = ggml_new_tensor(
            vae->own_ctx, rows[i].kind == ZT_PARAM_F32 ? GGML_TYPE_F32 : type, 4, rows[i].ne);
    }
    vae->own_bytes =
        ggml_backend_alloc_ctx_tensors_from_buft_size(vae->own_ctx, zt_device_weights(vae->device));
    return ZT_OK;
}

static enum zt_code load_half(struct zt_vae *vae, const struct zt_weights *weights,
                              struct zt_param *rows, size_t n, struct zt_err *err)
{
    size_t rest = 0;

    ZT_TRY(zt_params_check(weights, "VAE", rows, n, &zt_vae_names, err));
    ZT_TRY(own_tensors(vae, rows, n, true, GGML_TYPE_F16, err));
    if (!zt_fault("alloc"))
        vae->own_buffer =
            ggml_backend_alloc_ctx_tensors_from_buft(vae->own_ctx, zt_device_weights(vae->device));
    if (vae->own_buffer == NULL)
        return zt_fail(err, ZT_E_NOMEM, "no memory for the VAE's kernels on the device %s",
                       zt_device_name(vae->device));
    ggml_backend_buffer_set_usage(vae->own_buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    for (size_t i = 0; i < n; i++) {
        if (rows[i].kind == ZT_PARAM_F16)
            ZT_TRY(load_kernel(vae, weights, &rows[i], err));
        else
            rows[rest++] = rows[i];
    }
    return zt_params_load(weights, "VAE", rows, rest, &zt_vae_names, vae->device, NULL, NULL,
                          &vae->params, err);
}

enum zt_code zt_vae_open(const struct zt_weights *weights, const struct zt_vae_config *config,
                         int parts, enum zt_vae_precision precision, struct zt_device *device,
                         struct zt_vae **ret, struct zt_err *err)
{
    zt_auto(vae) struct zt_vae *vae = zt_new(struct zt_vae);
    __attribute__((cleanup(zt_arena_clear))) struct zt_arena arena = { 0 };
    struct zt_param *rows;

    zt_assert(parts >= ZT_VAE_ENCODER && parts <= ZT_VAE_BOTH);
    vae->config = *config;
    vae->device = device;
    vae->parts = parts;
    size_t n = zt_vae_params_into(vae, &arena, &rows);
    for (size_t i = 0; precision == ZT_VAE_F32 && i < n; i++)
        rows[i].kind = ZT_PARAM_F32;
    if (precision == ZT_VAE_F16)
        ZT_TRY(load_half(vae, weights, rows, n, err));
    else
        ZT_TRY(zt_params_load(weights, "VAE", rows, n, &zt_vae_names, device, NULL, NULL,
                              &vae->params, err));
    zt_vae_settle(vae, precision == ZT_VAE_F16 ? GGML_TYPE_F16 : kernel_type(rows, n));
    *ret = zt_take_vae(&vae);
    return ZT_OK;
}

enum zt_code zt_vae_describe(const struct zt_vae_config *config, int parts, enum ggml_type type,
                             struct zt_device *device, struct zt_vae **ret, struct zt_err *err)
{
    zt_auto(vae) struct zt_vae *vae = zt_new(struct zt_vae);
    __attribute__((cleanup(zt_arena_clear))) struct zt_arena arena = { 0 };
    struct zt_param *rows;

    vae->config = *config;
    vae->device = device;
    vae->parts = parts;
    size_t n = zt_vae_params_into(vae, &arena, &rows);
    ZT_TRY(own_tensors(vae, rows, n, false, type, err));
    vae->own_buffer = ggml_backend_buft_alloc_buffer(zt_device_weights(device), 0);
    if (vae->own_buffer == NULL)
        return zt_fail(err, ZT_E_NOMEM, "no memory to measure the VAE");
    zt_vae_pretend(vae->own_ctx, vae->own_buffer);
    zt_vae_settle(vae, kernel_type(rows, n));
    *ret = zt_take_vae(&vae);
    return ZT_OK;
}

void zt_vae_close(struct zt_vae *vae)
{
    if (vae == NULL)
        return;
    zt_params_free(vae->params);
    ggml_backend_buffer_free(vae->own_buffer);
    ggml_free(vae->own_ctx);
    free(vae);
}

struct zt_vae_bytes zt_vae_weight_bytes(const struct zt_vae *vae)
{
    struct zt_vae_bytes bytes = { 0 };

    bytes.weights = vae->own_bytes;
    if (vae->params != NULL) {
        bytes.weights += zt_params_bytes(vae->params);
        bytes.mapped += zt_params_mapped_bytes(vae->params);
    }
    return bytes;
}
