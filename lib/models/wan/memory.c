/*
 * memory.c - what a generation takes, before it begins: graphs are described without being made, so
 * the figures are exact for them.
 */
#include "models/wan/inside.h"

#include "base/auto.h"

#define RESERVE_BYTES ((size_t)256 << 20) /* frames, the encoder of the video, ourselves */
#define GIB           (1024.0 * 1024 * 1024)

/* The type of the largest tensor: it decides how products round their inputs. */
static enum ggml_type main_type(const struct zt_weights *weights)
{
    const struct zt_weight *largest = NULL;

    for (size_t i = 0; i < zt_weights_count(weights); i++) {
        const struct zt_weight *w = zt_weights_at(weights, i);
        if (largest == NULL || w->elements > largest->elements)
            largest = w;
    }
    return largest != NULL && largest->type < GGML_TYPE_COUNT ? largest->type : GGML_TYPE_F16;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* What stays between steps is in the host's memory: only the CPU shares that. */
static size_t cache_bytes(const struct zt_wan *wan, struct zt_dit_size size, size_t prompts)
{
    return wan->card.step_cache > 0 && zt_device_is_cpu(wan->device)
               ? zt_dit_cache_bytes(&wan->dit_config, size, (int)prompts)
               : 0;
}

static enum zt_code denoise_bytes(struct zt_wan *wan, struct zt_dit_size size, bool guided,
                                  size_t *ret, struct zt_err *err)
{
    const struct zt_dit_config *c = &wan->dit_config;
    size_t prompts = guided ? 2 : 1, working = 0, weights = 0;

    ZT_TRY(zt_dit_working_bytes(c, main_type(wan->dit_weights), wan->card.w8a8, wan->device, size,
                                &working, err));
    ZT_TRY(zt_dit_weight_bytes(wan->dit_weights, 0, wan->card.w8a8, wan->device, &weights, err));
    size_t latent = (size_t)c->channels * (size_t)size.t * (size_t)size.h * (size_t)size.w;
    *ret = weights + working + cache_bytes(wan, size, prompts) + 10 * latent * sizeof(float) +
           prompts * 2 * ZT_DIT_TEXT_ROWS * (size_t)c->dim * (size_t)c->layers * sizeof(float);
    return ZT_OK;
}

/* With the smallest tiles: larger ones are taken where they fit. */
static enum zt_code decode_bytes(struct zt_wan *wan, struct zt_dit_size size, size_t *ret,
                                 struct zt_err *err)
{
    const struct zt_vae_size vae_size = { size.t, size.h, size.w };
    struct zt_vae *vae = NULL;
    struct zt_vae_bytes bytes;
    struct zt_tile tile = { 0 };

    for (int i = 0; zt_vae_rung(i, vae_size, &tile); i++) {
    }
    enum ggml_type type =
        main_type(wan->vae_weights) == GGML_TYPE_F32 ? GGML_TYPE_F32 : GGML_TYPE_F16;
    ZT_TRY(zt_vae_describe(&wan->vae_config, ZT_VAE_BOTH, type, wan->device, &vae, err));
    enum zt_code rc = zt_vae_decode_bytes(vae, vae_size, &tile, &bytes, err);
    zt_vae_close(vae);
    *ret = rc == ZT_OK ? zt_vae_bytes_sum(&bytes) : 0;
    return rc;
}

enum zt_code zt_wan_bytes(struct zt_wan *wan, enum zt_resolution resolution,
                          const struct zt_plan *plan, size_t *ret, struct zt_err *err)
{
    struct zt_wan_part parts[ZT_WAN_PARTS_MAX];
    size_t denoise = 0, decode = 0;
    int w, h, longest = 0;

    zt_wan_size(&wan->card, plan->width_px, plan->height_px, &w, &h);
    for (int i = zt_wan_parts(&wan->card, plan->frames, parts) - 1; i >= 0; i--)
        longest = parts[i].frames > longest ? parts[i].frames : longest;
    const struct zt_dit_size size = { (longest - 1) / 4 + 1, h / ZT_VAE_SCALE, w / ZT_VAE_SCALE };
    ZT_TRY(denoise_bytes(wan, size, zt_card_guides(&wan->card, resolution), &denoise, err));
    if (wan->card.decoder == ZT_DECODER_VAE)
        ZT_TRY(decode_bytes(wan, size, &decode, err));
    *ret = larger(denoise, decode) + RESERVE_BYTES;
    return ZT_OK;
}

enum zt_code zt_wan_fits(struct zt_wan *wan, const struct zt_request *request,
                         const struct zt_plan *plan, struct zt_err *err)
{
    size_t needed = (size_t)plan->memory_bytes, free_bytes = zt_device_free_bytes(wan->device);

    if (free_bytes == 0 || needed <= free_bytes) /* 0: the driver does not say */
        return ZT_OK;
    return zt_fail_field(err, ZT_E_NOMEM, "resolution",
                         "this video needs %.1f GiB of memory on %s, and %.1f GiB are free; choose "
                         "%sa shorter one, smaller weights (zoetrope models convert), or another "
                         "device",
                         (double)needed / GIB, zt_device_name(wan->device),
                         (double)free_bytes / GIB,
                         request->resolution > ZT_480P ? "a smaller resolution, " : "");
}
