/*
 * vae.h - the causal video autoencoder of Wan 2.2: from pictures to latents (4 frames by 16 by 16
 * pixels each) and back. VAE.md in this folder says how it is computed and what it takes.
 *
 * A VAE belongs to its device's thread. Latents are normalised, f32, [z][t][h][w], w fastest, as
 * the DiT has them. A clip has 1 + 4 (t - 1) frames of 16 w by 16 h pixels.
 */
#ifndef ZT_MODELS_WAN_VAE_H
#define ZT_MODELS_WAN_VAE_H

#include "models/wan/tiles.h"
#include "tensor/params.h"

struct zt_arena;
struct zt_vae;

#define ZT_VAE_STAGES   4
#define ZT_VAE_Z_MAX    64
#define ZT_VAE_SCALE    16  /* pixels a latent, each way */
#define ZT_VAE_SIDE_MAX 512 /* latents a side */
#define ZT_VAE_TIME_MAX 512 /* latent frames */

/* What is loaded, or asked about. */
enum { ZT_VAE_ENCODER = 1, ZT_VAE_DECODER = 2, ZT_VAE_BOTH = 3 };

enum zt_vae_precision {
    ZT_VAE_AS_FILE, /* F32 stays F32, F16 and BF16 are F16 */
    ZT_VAE_F16,     /* half the memory of F32, and faster */
    ZT_VAE_F32,
};

struct zt_vae_config {
    int z;
    int enc[1 + ZT_VAE_STAGES],
        dec[1 + ZT_VAE_STAGES]; /* channels at the entry, after each stage */
    bool down_time[ZT_VAE_STAGES], up_time[ZT_VAE_STAGES]; /* stages that halve or double time */
    float mean[ZT_VAE_Z_MAX], std[ZT_VAE_Z_MAX];           /* latent = (z - mean) / std */
};

/*
 * What the shapes in the file say, checked. mean and std are those of Wan 2.2, which no file of
 * weights holds; a model with another z than 48 gets 0 and 1: its caller sets them in *ret.
 *   ZT_E_UNSUPPORTED  another autoencoder: msg names it where it is known
 *   ZT_E_CORRUPT      no autoencoder, or shapes that contradict each other
 */
enum zt_code zt_vae_config_read(const struct zt_weights *weights, struct zt_vae_config *ret,
                                struct zt_err *err);

/* The parameters such a model needs, for checks and conversions: slots are NULL. In the arena. */
size_t zt_vae_params(const struct zt_vae_config *config, int parts, struct zt_arena *arena,
                     struct zt_param **ret);
extern const struct zt_param_names zt_vae_names;

/*
 * weights and device must outlive *ret.
 * precision  of convolutions and of the caches between chunks
 * Errors as of zt_vae_config_read and zt_params_load.
 */
enum zt_code zt_vae_open(const struct zt_weights *weights, const struct zt_vae_config *config,
                         int parts, enum zt_vae_precision precision, struct zt_device *device,
                         struct zt_vae **ret, struct zt_err *err);
void zt_vae_close(struct zt_vae *vae); /* NULL is fine */
ZT_AUTO(struct zt_vae, vae, zt_vae_close)

/*
 * rgb     [3][frames][h][w], -1 ... 1; frames = 1 + 4k; h and w multiples of 16
 * latent  [z][1 + k][h / 16][w / 16]: the mean, normalised
 *   ZT_E_INVALID, ZT_E_NOMEM, ZT_E_CANCELLED
 */
enum zt_code zt_vae_encode(struct zt_vae *vae, const float *rgb, int frames, int h, int w,
                           float *latent, struct zt_err *err);

/* One decoded frame; rgb [h][w][3], -1 ... 1, lives until the callback returns. */
struct zt_vae_frame {
    int index, h, w;
    const float *rgb;
    int64_t not_finite; /* values that were NaN or infinite and are 0 in rgb */
};
typedef bool zt_vae_frame_fn(void *user, const struct zt_vae_frame *frame); /* true stops */

struct zt_vae_size {
    int t, h, w; /* of the latent */
};

/*
 * Calls on_frame once a frame, in order: 1 for the first latent frame and 4 for each after it, as
 * soon as all tiles of it are there; with tile->by_tile, after the last tile. The result does not
 * depend on when it was stopped and started again. tile NULL: the whole.
 *   ZT_E_NOMEM      it can be called again with a smaller tile. All memory is taken before the
 *                   first frame is handed on, unless a device's driver takes more of its own
 *   ZT_E_CANCELLED  on_frame or the device's stop function said so
 *   ZT_E_INVALID, ZT_E_FULL, ZT_E_IO (the temporary file of by_tile)
 */
enum zt_code zt_vae_decode(struct zt_vae *vae, const float *latent, struct zt_vae_size size,
                           const struct zt_tile *tile, zt_vae_frame_fn *on_frame, void *user,
                           struct zt_err *err);

/* What a call takes, in bytes. */
struct zt_vae_bytes {
    size_t weights; /* in memory of their own */
    size_t mapped;  /* weights that stay in the file: the system may drop and reread them */
    size_t caches;  /* of the device: features of earlier frames */
    size_t working; /* of the device: the graph */
    size_t host;    /* frames and tiles on the host */
    size_t file;    /* a temporary file, mapped; 0 but with by_tile */
};
size_t zt_vae_bytes_sum(const struct zt_vae_bytes *bytes); /* without mapped and file */

/* Measures without allocating. Errors as of the call itself. */
enum zt_code zt_vae_decode_bytes(struct zt_vae *vae, struct zt_vae_size size,
                                 const struct zt_tile *tile, struct zt_vae_bytes *ret,
                                 struct zt_err *err);
enum zt_code zt_vae_encode_bytes(struct zt_vae *vae, int frames, int h, int w,
                                 struct zt_vae_bytes *ret, struct zt_err *err);

/* The same for a model that is not loaded, with convolutions of `type` (F32 or F16). */
enum zt_code zt_vae_describe(const struct zt_vae_config *config, int parts, enum ggml_type type,
                             struct zt_device *device, struct zt_vae **ret, struct zt_err *err);

/*
 * Tiles to try, one after the other, when a decode comes back with ZT_E_NOMEM: the whole, then
 * smaller ones, then one at a time. false past the last.
 */
bool zt_vae_rung(int index, struct zt_vae_size size, struct zt_tile *ret);

#endif
