/*
 * dit.h - the Wan diffusion transformer: from a noisy latent, its timesteps and a prompt's
 * embedding to the velocity. Wan2.2-TI2V-5B and models of its kind (in and out channels equal, no
 * image branch). README.md in this folder has names, formulas and pitfalls.
 *
 * A DiT belongs to its device's thread. Latents are [channels][t][h][w], f32, w fastest.
 */
#ifndef ZT_MODELS_WAN_DIT_H
#define ZT_MODELS_WAN_DIT_H

#include "tensor/params.h"

struct zt_arena;
struct zt_dit;
struct zt_dit_cache;
struct zt_dit_prompt;

#define ZT_DIT_TEXT_ROWS 512 /* what cross attention sees, whatever the prompt's length */

/* What the shapes in the file say, checked. */
struct zt_dit_config {
    int layers, dim, heads, ffn;
    int channels; /* of the latent, in and out */
    int text_dim;
    const char *name; /* "Wan2.2-TI2V-5B", or "Wan" for another size of the same kind */
};

/* Which of a block's products are of 8 bits (tensor/w8a8.h). */
enum zt_dit_w8a8 { ZT_DIT_W8A8_NONE, ZT_DIT_W8A8_FFN, ZT_DIT_W8A8_ALL, ZT_DIT_W8A8S };
extern const char *const zt_dit_w8a8_names[ZT_DIT_W8A8S]; /* "none" "ffn" "all" */

/* The scores of self attention: as exact as the device has them, or in 8 bits where it can. */
enum zt_dit_scores { ZT_DIT_SCORES_FULL, ZT_DIT_SCORES_INT8, ZT_DIT_SCORES };
extern const char *const zt_dit_scores_names[ZT_DIT_SCORES]; /* "full" "int8" */

struct zt_dit_size {
    int t, h, w; /* of the latent; h and w even */
};

/*
 * head_dim  of the attention, which no shape tells: 0 is 128, as published models have
 *   ZT_E_UNSUPPORTED  another model: msg names it where it is known
 *   ZT_E_CORRUPT      no Wan DiT, or shapes that contradict each other
 */
enum zt_code zt_dit_config_read(const struct zt_weights *weights, int head_dim,
                                struct zt_dit_config *ret, struct zt_err *err);

/* The parameters such a model needs, for checks and conversions: slots are NULL. In the arena. */
size_t zt_dit_params(const struct zt_dit_config *config, struct zt_arena *arena,
                     struct zt_param **ret);
extern const struct zt_param_names zt_dit_names;

/* All of a file's tensors, checked as zt_dit_open does. */
enum zt_code zt_dit_check(const struct zt_weights *weights, int head_dim, struct zt_err *err);

/*
 * weights and device must outlive *ret. An exact device has no 8-bit products, whatever w8a8 says.
 * Errors as of zt_dit_config_read and zt_params_load.
 */
enum zt_code zt_dit_open(const struct zt_weights *weights, int head_dim, enum zt_dit_w8a8 w8a8,
                         struct zt_device *device, zt_params_progress_fn *progress, void *user,
                         struct zt_dit **ret, struct zt_err *err);
void zt_dit_close(struct zt_dit *dit); /* NULL is fine */
ZT_AUTO(struct zt_dit, dit, zt_dit_close)

/* FULL until it is called; on a device that is exact it stays. For the passes that follow. */
void zt_dit_set_scores(struct zt_dit *dit, enum zt_dit_scores scores);

const struct zt_dit_config *zt_dit_config(const struct zt_dit *dit);
size_t zt_dit_bytes(const struct zt_dit *dit);        /* parameters, in memory of their own */
size_t zt_dit_mapped_bytes(const struct zt_dit *dit); /* parameters, mapped from files */

/*
 * What every block's cross attention needs of a prompt, computed once and kept on the device.
 *
 * text  [rows][text_dim], the text encoder's real rows, 1 to 512; rows of zeros follow them
 */
enum zt_code zt_dit_prompt_new(struct zt_dit *dit, const float *text, int rows,
                               struct zt_dit_prompt **ret, struct zt_err *err);
void zt_dit_prompt_free(struct zt_dit_prompt *prompt); /* NULL is fine; before zt_dit_close */
ZT_AUTO(struct zt_dit_prompt, dit_prompt, zt_dit_prompt_free)
size_t zt_dit_prompt_bytes(const struct zt_dit_prompt *prompt);

/*
 * x  [channels][size.t][size.h][size.w]
 * t  one timestep a latent frame, 0 ... 1000; 0 for a frame that is given and stays
 * v  the velocity, of x's shape
 *   ZT_E_INVALID  a size or a timestep; ZT_E_LIMIT, ZT_E_NOMEM, ZT_E_CANCELLED
 */
enum zt_code zt_dit_forward(struct zt_dit *dit, const struct zt_dit_prompt *prompt,
                            struct zt_dit_size size, const float *x, const float *t, float *v,
                            struct zt_err *err);

/*
 * What passes leave for those at later steps, as from one step to the next the blocks add nearly
 * the same. For the steps of one latent, with a place for each of its prompts; in the host's
 * memory. First-block caching as in ParaAttention (Cheng, 2024), after TeaCache (Liu et al.,
 * "Timestep Embedding Tells: It's Time to Cache for Video Diffusion Model", 2024). Errors as of
 * zt_dit_forward.
 */
#define ZT_DIT_PROMPTS_MAX 2
enum zt_code zt_dit_cache_new(const struct zt_dit *dit, struct zt_dit_size size, int prompts,
                              struct zt_dit_cache **ret, struct zt_err *err);
void zt_dit_cache_free(struct zt_dit_cache *cache); /* NULL is fine */
ZT_AUTO(struct zt_dit_cache, dit_cache, zt_dit_cache_free)
size_t zt_dit_cache_bytes(const struct zt_dit_config *config, struct zt_dit_size size, int prompts);

/*
 * zt_dit_forward with a cache. The first block runs, then the others do too, or are taken to add
 * what they added when they last ran for this place: where what the first block adds differs from
 * what it added then by less than `threshold`, as mean |difference| over mean |what it added then|
 * in the frames whose timestep is not 0. With a threshold of 0 all blocks run, and v is that of
 * zt_dit_forward, bit for bit on the CPU. Place 0 alone can be asked so: others get 0, or INFINITY
 * to reuse whatever there is. Errors as of zt_dit_forward.
 */
struct zt_dit_reuse {
    struct zt_dit_cache *cache;
    int place; /* of the prompt */
    double threshold;
    double change; /* set: what was compared with a threshold; INFINITY: nothing was */
    bool reused;   /* set: only the first block ran */
};
enum zt_code zt_dit_forward_cached(struct zt_dit *dit, const struct zt_dit_prompt *prompt,
                                   struct zt_dit_reuse *reuse, const float *x, const float *t,
                                   float *v, struct zt_err *err);

/*
 * Bytes of working memory one forward pass of such a model takes, without having it; parameters,
 * prompts and a cache are not in it. type is that of most weights. Errors as of zt_dit_forward and
 * zt_dit_open.
 */
enum zt_code zt_dit_working_bytes(const struct zt_dit_config *config, enum ggml_type type,
                                  enum zt_dit_w8a8 w8a8, struct zt_device *device,
                                  struct zt_dit_size size, size_t *ret, struct zt_err *err);

/* Bytes that the parameters take, mapped ones included. Errors as of zt_dit_open. */
enum zt_code zt_dit_weight_bytes(const struct zt_weights *weights, int head_dim,
                                 enum zt_dit_w8a8 w8a8, const struct zt_device *device, size_t *ret,
                                 struct zt_err *err);

/* Bytes of device memory that each prompt of such a model keeps. */
size_t zt_dit_kept_bytes(const struct zt_dit_config *config, enum ggml_type type,
                         struct zt_device *device);

#endif
