/*
 * tae.h - the tiny decoder for Wan 2.2's latents (TAEHV, taew2_2): two hundred times fewer
 * operations than the VAE's, and softer. For previews, and for whole clips where only a CPU is at
 * hand.
 *
 * A TAE belongs to its device's thread. Frames come as those of vae.h, from the same latents.
 */
#ifndef ZT_MODELS_WAN_TAE_H
#define ZT_MODELS_WAN_TAE_H

#include "models/wan/vae.h"

struct zt_tae;

#define ZT_TAE_LEVELS 3

struct zt_tae_config {
    int z, patch;                 /* a latent is 8 * patch pixels, each way */
    int width[ZT_TAE_LEVELS + 1]; /* channels of the blocks of each level, and at the end */
    int grow[ZT_TAE_LEVELS];      /* frames that one becomes */
};

/*
 *   ZT_E_UNSUPPORTED  taew2_2_super, or frames that do not become 4; ZT_E_CORRUPT: no TAE
 */
enum zt_code zt_tae_config_read(const struct zt_weights *weights, struct zt_tae_config *ret,
                                struct zt_err *err);

/* The parameters such a model needs, for checks and conversions: slots are NULL. In the arena. */
size_t zt_tae_params(const struct zt_tae_config *config, struct zt_arena *arena,
                     struct zt_param **ret);
extern const struct zt_param_names zt_tae_names;

/*
 * weights and device must outlive *ret. precision: ZT_VAE_F32, or ZT_VAE_AS_FILE.
 * Errors as of zt_tae_config_read and zt_params_load.
 */
enum zt_code zt_tae_open(const struct zt_weights *weights, enum zt_vae_precision precision,
                         struct zt_device *device, struct zt_tae **ret, struct zt_err *err);
void zt_tae_close(struct zt_tae *tae); /* NULL is fine */
ZT_AUTO(struct zt_tae, tae, zt_tae_close)

const struct zt_tae_config *zt_tae_config(const struct zt_tae *tae);

/* As zt_vae_decode, whole: its features are small. */
enum zt_code zt_tae_decode(struct zt_tae *tae, const float *latent, struct zt_vae_size size,
                           zt_vae_frame_fn *on_frame, void *user, struct zt_err *err);
enum zt_code zt_tae_decode_bytes(struct zt_tae *tae, struct zt_vae_size size,
                                 struct zt_vae_bytes *ret, struct zt_err *err);

#endif
