/* detect.c - see detect.h. */
#include "models/wan/detect.h"

#include <stdio.h>

#include "base/arena.h"
#include "models/text/umt5.h"
#include "models/wan/dit.h"
#include "models/wan/tae.h"
#include "models/wan/vae.h"
#include "tensor/params.h"
#include "tensor/weights.h"

#define BLOCKS_MAX 1000
#define HEAD_DIM_EVEN                                                                              \
    8 /* no shape depends on the head's size; any that divides the width will do */

/* ---- the DiT ------------------------------------------------------------------------------- */

/* Published models: what their tensors' sizes are. Experts of one model differ in no shape. */
static const struct variant {
    const char *model;
    int64_t dim, in;
    int blocks;
    bool image, place;
} variants[] = {
    { "Wan2.2-TI2V-5B", 3072, 48, 30, false, false },
    { "Wan2.2-I2V-A14B", 5120, 36, 40, false, false },
    { "Wan2.1-I2V-14B", 5120, 36, 40, true, false },
    { "Wan2.1-FLF2V-14B", 5120, 36, 40, true, true },
    { "Wan2.1-T2V-14B or Wan2.2-T2V-A14B", 5120, 16, 40, false, false },
    { "Wan2.1-T2V-1.3B", 1536, 16, 30, false, false },
};

static const char *const dit_keep[] = { "modulation",
                                        "norm",
                                        "patch_embedding.",
                                        "text_embedding.",
                                        "time_embedding.",
                                        "time_projection.",
                                        "head.",
                                        "img_emb.",
                                        NULL };

static const struct zt_weight *find_dit(const struct zt_weights *weights, const char *name)
{
    return zt_params_find(weights, &zt_dit_names, name);
}

static int count_blocks(const struct zt_weights *weights)
{
    char name[64];
    int n = 0;

    for (; n < BLOCKS_MAX; n++) {
        snprintf(name, sizeof(name), "blocks.%d.self_attn.q.weight", n);
        if (find_dit(weights, name) == NULL)
            break;
    }
    return n;
}

static enum zt_code check_dit(const struct zt_weights *weights, struct zt_err *err)
{
    return zt_dit_check(weights, HEAD_DIM_EVEN, err);
}

static bool is_dit(const struct zt_weights *weights, struct zt_wan_found *ret)
{
    const struct zt_weight *patch = find_dit(weights, "patch_embedding.weight");
    const struct zt_weight *bias = find_dit(weights, "patch_embedding.bias");
    bool image = find_dit(weights, "img_emb.proj.0.weight") != NULL;
    bool place = find_dit(weights, "img_emb.emb_pos") != NULL;
    int blocks = count_blocks(weights);

    if (patch == NULL || bias == NULL || bias->elements == 0 || blocks == 0)
        return false;
    *ret = (struct zt_wan_found){ "dit", "", "wan", &zt_dit_names, dit_keep, NULL };
    for (size_t i = 0; i < ZT_COUNT(variants); i++) {
        const struct variant *v = &variants[i];
        if (bias->elements == v->dim && patch->elements == 4 * v->dim * v->in &&
            blocks == v->blocks && image == v->image && place == v->place)
            ret->model = v->model;
    }
    const struct zt_weight *out = find_dit(weights, "head.head.bias");
    if (out && out->elements * bias->elements == patch->elements && !image)
        ret->check = check_dit;
    return true;
}

/* ---- the others ---------------------------------------------------------------------------- */

static const char *const text_keep[] = { "norm", "pos_embedding", NULL };
static const char *const vae_keep[] = { "gamma", NULL };
static const char *const nothing[] = { NULL };

static bool is_text(const struct zt_weights *weights, struct zt_wan_found *ret)
{
    if (zt_params_find(weights, &zt_umt5_names, "token_embedding.weight") == NULL ||
        zt_params_find(weights, &zt_umt5_names, "blocks.0.ffn.gate.0.weight") == NULL)
        return false;
    *ret = (struct zt_wan_found){ "text", "", "umt5", &zt_umt5_names, text_keep, zt_umt5_check };
    const struct zt_weight *norm = zt_params_find(weights, &zt_umt5_names, "norm.weight");
    /* Plain T5 has a table of positions in its first block alone. */
    if (norm && norm->elements == 4096 &&
        zt_params_find(weights, &zt_umt5_names, "blocks.23.pos_embedding.embedding.weight"))
        ret->model = "umT5-XXL";
    return true;
}

static enum zt_code check_tae(const struct zt_weights *weights, struct zt_err *err)
{
    struct zt_arena arena = { 0 };
    struct zt_tae_config config;
    struct zt_param *params;

    ZT_TRY(zt_tae_config_read(weights, &config, err));
    size_t n = zt_tae_params(&config, &arena, &params);
    enum zt_code rc = zt_params_check(weights, "tiny decoder", params, n, &zt_tae_names, err);
    zt_arena_clear(&arena);
    return rc;
}

static enum zt_code check_vae(const struct zt_weights *weights, struct zt_err *err)
{
    struct zt_arena arena = { 0 };
    struct zt_vae_config config;
    struct zt_param *params;

    ZT_TRY(zt_vae_config_read(weights, &config, err));
    size_t n = zt_vae_params(&config, ZT_VAE_BOTH, &arena, &params);
    enum zt_code rc = zt_params_check(weights, "VAE", params, n, &zt_vae_names, err);
    zt_arena_clear(&arena);
    return rc;
}

/* One tensor, under one of two names, says what the part is; its size which model's. */
static const struct sign {
    const char *name[2];
    int64_t size; /* of its slowest dimension; 0: any */
    struct zt_wan_found found;
} signs[] = {
    { { "post_quant_conv.bias", "conv2.bias" },
      48,
      { "vae", "Wan2.2-VAE", "wan_vae", &zt_vae_names, vae_keep, check_vae } },
    { { "post_quant_conv.bias", "conv2.bias" },
      16,
      { "vae", "Wan2.1-VAE", "wan_vae", NULL, vae_keep, NULL } },
    { { "decoder.conv_in.bias", "decoder.conv1.bias" },
      0,
      { "vae", "", "wan_vae", NULL, vae_keep, NULL } },
    { { "decoder.22.bias", "taehv.decoder.22.bias" },
      12,
      { "tiny", "taew2_2", "taehv", &zt_tae_names, nothing, check_tae } },
    { { "decoder.22.bias", "taehv.decoder.22.bias" },
      3,
      { "tiny", "taew2_1", "taehv", NULL, nothing, NULL } },
    { { "visual.cls_embedding", "vision_model.embeddings.class_embedding" },
      0,
      { "clip", "", "clip", NULL, nothing, NULL } },
};

static bool is_sign(const struct zt_weights *weights, const struct sign *sign)
{
    for (size_t i = 0; i < ZT_COUNT(sign->name); i++) {
        const struct zt_weight *w = zt_weights_find(weights, sign->name[i]);
        if (w && (sign->size == 0 || w->elements == sign->size))
            return true;
    }
    return false;
}

void zt_wan_detect(const struct zt_weights *weights, struct zt_wan_found *ret)
{
    *ret = (struct zt_wan_found){ "", "", "unknown", NULL, nothing, NULL };
    if (is_dit(weights, ret) || is_text(weights, ret))
        return;
    for (size_t i = 0; i < ZT_COUNT(signs); i++) {
        if (is_sign(weights, &signs[i])) {
            *ret = signs[i].found;
            return;
        }
    }
}
