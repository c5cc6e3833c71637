/*
 * inside.h - what the files of the Wan engine share: the open model, and one generation's way
 * through it. For wan.c, words.c, memory.c, make.c, decode.c and preview.c.
 */
#ifndef ZT_MODELS_WAN_INSIDE_H
#define ZT_MODELS_WAN_INSIDE_H

#include "base/digest.h"
#include "engine/progress.h"
#include "models/text/tokenizer.h"
#include "models/text/umt5.h"
#include "models/wan/clip.h"
#include "models/wan/denoise.h"
#include "models/wan/dit.h"
#include "models/wan/files.h"
#include "models/wan/shape.h"
#include "models/wan/tae.h"
#include "models/wan/vae.h"
#include "tensor/device.h"
#include "tensor/weights.h"

/* A prompt's embedding: the text encoder's rows. */
struct zt_wan_words {
    char *text; /* what it is of */
    float *rows;
    int n;
};

/*
 * An open model. Weights are mapped when it opens and checked; networks are brought in when they
 * are first needed and stay, but for the text encoder, which is let go after each use.
 */
struct zt_wan {
    struct zt_card card;
    struct zt_wan_files files;
    struct zt_device *device;
    struct zt_weights *dit_weights, *vae_weights, *tiny_weights;
    struct zt_dit_config dit_config;
    struct zt_vae_config vae_config;
    struct zt_tokenizer *tokenizer;
    struct zt_dit *dit;
    struct zt_vae *vae;
    struct zt_tae *tiny;
    bool exact;                           /* networks in f32: after others gave what is no number */
    struct zt_wan_words prompt, negative; /* of the last request */
    char identity[ZT_SHA256_HEX];         /* of weights and card: part of a kept latent's key */
    int threads;
    char *noise_path; /* starting noise from a file, or NULL */
};

/* One generation. */
struct zt_wan_job {
    struct zt_wan *wan;
    const struct zt_request *request;
    const struct zt_plan *plan;
    struct zt_meter meter;
    int width_px, height_px; /* generated */
    struct zt_wan_part parts[ZT_WAN_PARTS_MAX];
    int n_parts, part;
    struct zt_dit_size size; /* of the part's latent */
    bool guided;             /* at some step: the negative prompt is needed */
    struct zt_dit_prompt *cond, *uncond;
    float *latent; /* the part's */
    float *tail;   /* [3][overlap][h][w]: the last frames shown, for the next part */
    int shown;     /* frames handed on */
    struct zt_clip clip;
    uint8_t *pixels; /* one frame, 8 bits, as it is handed on */
    uint8_t *small;  /* the same as generated, where the sizes differ */
};

/* words.c: fills wan->prompt and wan->negative for the request. */
enum zt_code zt_wan_words_read(struct zt_wan_job *job, struct zt_err *err);
void zt_wan_words_clear(struct zt_wan_words *words);

/* memory.c: bytes the largest stage of a plan takes, weights included. */
enum zt_code zt_wan_bytes(struct zt_wan *wan, enum zt_resolution resolution,
                          const struct zt_plan *plan, size_t *ret, struct zt_err *err);
/* ZT_E_NOMEM, saying what is needed and what is there. */
enum zt_code zt_wan_fits(struct zt_wan *wan, const struct zt_request *request,
                         const struct zt_plan *plan, struct zt_err *err);

/* wan.c: brings a network in, if it is not there. */
enum zt_code zt_wan_need_dit(struct zt_wan *wan, struct zt_err *err);
enum zt_code zt_wan_need_vae(struct zt_wan *wan, struct zt_err *err);
enum zt_code zt_wan_need_tiny(struct zt_wan *wan, struct zt_err *err);
/* The tiny decoder's weights, checked to take the DiT's latents. */
enum zt_code zt_wan_open_tiny(struct zt_wan *wan, struct zt_err *err);
/* Lets networks go, so that they come back in f32. */
void zt_wan_forget(struct zt_wan *wan, bool exact);

/* The CPU, for the job's text encoder and for a decode that fits nowhere else. */
enum zt_code zt_wan_cpu(struct zt_wan_job *job, struct zt_device **ret, struct zt_err *err);

/* make.c: the whole generation. */
enum zt_code zt_wan_make(struct zt_wan *wan, const struct zt_request *request,
                         const struct zt_plan *plan, const struct zt_sink *sink,
                         struct zt_err *err);

/* decode.c: the part's latent to frames, handed on; with less memory where it must. */
enum zt_code zt_wan_decode(struct zt_wan_job *job, struct zt_err *err);

/* Values of -1 ... 1 to bytes. */
void zt_wan_bytes_of(const float *values, size_t n, uint8_t *dst);

/* preview.c: whether previews are wanted and can be made. */
bool zt_wan_may_preview(struct zt_wan_job *job);
/* Shows a latent of the part. Fails only when the device cannot be used any more. */
enum zt_code zt_wan_preview(struct zt_wan_job *job, const float *latent, struct zt_err *err);

/* The stop function of the job's devices: tells progress, and whether the caller wants no more. */
bool zt_wan_stopped(void *job);

#endif
