/*
 * dit_inside.h - what the files of the DiT share: its tensors, the requirement table that fills
 * them and the builders of its graphs.
 */
#ifndef ZT_MODELS_WAN_DIT_INSIDE_H
#define ZT_MODELS_WAN_DIT_INSIDE_H

#include "models/wan/dit.h"
#include "tensor/device.h"
#include "tensor/graph.h"

#define ZT_DIT_FREQ_DIM   256
#define ZT_DIT_EPS        1e-6f
#define ZT_DIT_LAYERS_MAX 128

struct zt_dit_linear {
    struct ggml_tensor *w, *b;
};

struct zt_dit_attention {
    struct zt_dit_linear q, k, v, o;
    struct ggml_tensor *norm_q, *norm_k;
};

struct zt_dit_block {
    struct ggml_tensor *modulation; /* [dim, 6] */
    struct zt_dit_attention self, cross;
    struct zt_dit_linear norm3, up, down;
};

struct zt_dit_tensors {
    struct zt_dit_linear patch, text_in, text_out, time_in, time_out, time_proj, head;
    struct ggml_tensor *head_modulation; /* [dim, 2] */
    struct zt_dit_block blocks[ZT_DIT_LAYERS_MAX];
};

/* The same rows as zt_dit_params, with slots in `tensors`. */
size_t zt_dit_params_into(const struct zt_dit_config *config, enum zt_dit_w8a8 w8a8,
                          struct zt_dit_tensors *tensors, struct zt_arena *arena,
                          struct zt_param **ret);

/*
 * A model of these shapes with matrices of `type` and no data: for measuring, and for benchmarks,
 * which allocate the tensors and fill them. Those of 8-bit products are in ctx[1], the others in
 * ctx[0]. The caller frees *ret with free and, on failure too, both with ggml_free.
 */
enum zt_code zt_dit_describe(const struct zt_dit_config *config, enum ggml_type type,
                             enum zt_dit_w8a8 w8a8, struct zt_device *device,
                             struct ggml_context *ctx[2], struct zt_dit **ret, struct zt_err *err);

struct zt_dit {
    struct zt_dit_config config;
    struct zt_device *device;
    struct zt_params *params;
    enum ggml_type kv_type; /* of attention's keys and values */
    bool int8_scores;       /* of self attention */
    int chunk_tokens;       /* about so many pass through the FFN at once */
    struct zt_dit_tensors tensors;
};

/* ZT_E_INVALID, ZT_E_LIMIT: as of zt_dit_forward. */
enum zt_code zt_dit_check_size(const struct zt_dit_config *config, struct zt_dit_size size,
                               struct zt_err *err);

struct zt_dit_prompt {
    struct ggml_context *ctx;
    ggml_backend_buffer_t buffer;
    struct ggml_tensor *k[ZT_DIT_LAYERS_MAX], *v[ZT_DIT_LAYERS_MAX]; /* [head dim, 512, heads] */
};

/* The part of a pass that a graph is: blocks from ... to - 1, and what stands around them. */
struct zt_dit_span {
    int from, to;
    bool embeds; /* begins with patches; else with the residual stream */
    bool shows;  /* the residual stream after them is an output */
    bool ends;   /* the head follows: v is an output */
};

/* The inputs of a graph, as its tensors; those that its span does not read are NULL. */
struct zt_dit_inputs {
    struct zt_dit_span span;
    struct ggml_tensor *patches;    /* [4 * channels, tokens of a frame, t] */
    struct ggml_tensor *hidden;     /* [dim, tokens of a frame, t]: the residual stream */
    struct ggml_tensor *sinusoids;  /* [256, distinct timesteps] */
    struct ggml_tensor *frame_time; /* [t], i32: each frame's column of sinusoids */
    struct ggml_tensor *ones6;      /* [1, 6]: 0 1 0 0 1 0, what a scale is added to */
    struct ggml_tensor *ones2;      /* [1, 2]: 0 1 */
    struct ggml_tensor *place[3];   /* [tokens], i32: frame, row and column of each */
};

/* The outputs of a graph; those that its span does not make are NULL. */
struct zt_dit_outputs {
    struct ggml_tensor *hidden; /* of the input's shape */
    struct ggml_tensor *v;      /* [4 * channels, tokens], a token's values as (dy, dx, channel) */
};

struct zt_dit_outputs zt_dit_build(const struct zt_dit *dit, const struct zt_dit_prompt *prompt,
                                   struct ggml_context *ctx, const struct zt_dit_inputs *in);
int zt_dit_build_nodes(const struct zt_dit *dit, struct zt_dit_size size);

/* Adds the copies into prompt's tensors; text is [text_dim, rows], its last row repeated to 512. */
void zt_dit_build_prompt(const struct zt_dit *dit, const struct zt_dit_prompt *prompt,
                         struct zt_graph *graph, struct ggml_tensor *text);
int zt_dit_build_prompt_nodes(const struct zt_dit *dit);

/* In the host's memory; tensors are [tokens][dim]. */
struct zt_dit_cache {
    struct zt_dit_size size;
    int prompts;
    size_t values, frame_values;     /* of a tensor, in all and in a latent frame */
    float *hidden;                   /* the residual stream of the pass at hand */
    float *now;                      /* what the first block adds in it */
    float *first;                    /* place 0: what it added when all blocks last ran */
    float *rest[ZT_DIT_PROMPTS_MAX]; /* what the others added then */
    bool filled[ZT_DIT_PROMPTS_MAX];
    float *memory; /* all of these */
};

/* How far `now` is from `first`, as dit.h says. */
double zt_dit_cache_change(const struct zt_dit_cache *cache, const float *t);

#endif
