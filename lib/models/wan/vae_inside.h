/*
 * vae_inside.h - what the files of the VAE share: its tensors, and what builds its graphs.
 *
 * Inside a graph values are [channels, w, h, frames], f32: norms, 1x1 convolutions and attention
 * work on the fastest dimension.
 */
#ifndef ZT_MODELS_WAN_VAE_INSIDE_H
#define ZT_MODELS_WAN_VAE_INSIDE_H

#include "models/wan/vae.h"
#include "tensor/device.h"
#include "tensor/graph.h"

#define ZT_VAE_PATCH      2 /* pixels of a patch, each way */
#define ZT_VAE_IN         (3 * ZT_VAE_PATCH * ZT_VAE_PATCH)
#define ZT_VAE_CHUNK      4 /* frames a latent frame, but for the first */
#define ZT_VAE_RES_MAX    3 /* residual blocks a stage */
#define ZT_VAE_NODES      8192
#define ZT_VAE_CACHES_MAX 64

/* w: [kw * kh * kt, in, out], or [in, out] of a 1x1x1 one. */
struct zt_vae_conv {
    struct ggml_tensor *w, *b;
};

struct zt_vae_res {
    struct ggml_tensor *norm1, *norm2;
    struct zt_vae_conv conv1, conv2, shortcut; /* shortcut.w NULL: identity */
};

struct zt_vae_attention {
    struct ggml_tensor *norm;
    struct zt_vae_conv qkv, proj;
};

struct zt_vae_stage {
    struct zt_vae_res res[ZT_VAE_RES_MAX];
    struct zt_vae_conv resample, time; /* resample.w NULL: the last stage; time.w NULL: none */
};

struct zt_vae_half {
    struct zt_vae_conv point, first, last; /* the 1x1x1 one on the latent; entry; head */
    struct zt_vae_res middle[2];
    struct zt_vae_attention attention;
    struct zt_vae_stage stage[ZT_VAE_STAGES];
    struct ggml_tensor *head_norm;
};

struct zt_vae {
    struct zt_vae_config config;
    struct zt_device *device;
    int parts;
    enum ggml_type cache_type; /* F16 where all kernels are: the CPU rounds their input to it */
    bool conv_3d;              /* the device has the 3-D convolution as one operation */
    bool strided;              /* its convolutions read strided input */
    struct zt_params *params;
    struct ggml_context *own_ctx; /* kernels converted to F16, or a description's tensors */
    ggml_backend_buffer_t own_buffer;
    size_t own_bytes;
    struct zt_vae_half encoder, decoder;
};

/* The same rows as zt_vae_params, with slots in vae. */
size_t zt_vae_params_into(struct zt_vae *vae, struct zt_arena *arena, struct zt_param **ret);

struct zt_vae_bytes zt_vae_weight_bytes(const struct zt_vae *vae);

/* Tensors that a graph takes for allocated, in a buffer of no bytes: to measure a graph alone. */
void zt_vae_pretend(struct ggml_context *ctx, ggml_backend_buffer_t empty);

/* After the tensors are there: what follows from their types and the device. */
void zt_vae_settle(struct zt_vae *vae);

/*
 * Features of earlier frames, one tensor a causal convolution, in the order the graph meets them.
 * Made by building a graph once with `planning`, which adds the tensors.
 */
struct zt_vae_caches {
    struct ggml_context *ctx;
    ggml_backend_buffer_t buffer;
    int n;
    struct ggml_tensor *tensor[ZT_VAE_CACHES_MAX];
};
void zt_vae_caches_clear(struct zt_vae_caches *caches);

static inline void zt_auto_vae_caches(struct zt_vae_caches *caches)
{
    zt_vae_caches_clear(caches);
}

/* A graph under construction. */
struct zt_vae_build {
    const struct zt_vae *vae;
    struct zt_graph *graph;
    struct ggml_context *ctx;
    struct zt_vae_caches *caches; /* NULL: nothing follows this chunk */
    int next;                     /* cache */
    bool planning;                /* caches are to be made */
    bool first;                   /* the clip's first chunk: one frame, nothing before it */
};

/*
 * A convolution with its bias: kernel kt x ks x ks, no padding in time, `pad` around in space; x
 * holds the frames before, where kt is 3. What a device makes of it is decided here alone.
 */
struct zt_vae_step {
    int kt, ks, stride, stride_t, pad;
};
struct ggml_tensor *zt_vae_conv(const struct zt_vae_build *b, const struct zt_vae_conv *conv,
                                struct ggml_tensor *x, struct zt_vae_step step);
/* 1x1x1 */
struct ggml_tensor *zt_vae_point(const struct zt_vae_build *b, const struct zt_vae_conv *conv,
                                 struct ggml_tensor *x);
/* 3x3x3, padded, with the cache */
struct ggml_tensor *zt_vae_causal(struct zt_vae_build *b, const struct zt_vae_conv *conv,
                                  struct ggml_tensor *x);
struct ggml_tensor *zt_vae_norm(const struct zt_vae_build *b, struct ggml_tensor *gamma,
                                struct ggml_tensor *x);
struct ggml_tensor *zt_vae_res_block(struct zt_vae_build *b, const struct zt_vae_res *res,
                                     struct ggml_tensor *x);
struct ggml_tensor *zt_vae_middle(struct zt_vae_build *b, const struct zt_vae_half *half,
                                  struct ggml_tensor *x);
struct ggml_tensor *zt_vae_head(struct zt_vae_build *b, const struct zt_vae_half *half,
                                struct ggml_tensor *x);

/* The next cache, of `frames` frames like x's; NULL without caches. */
struct ggml_tensor *zt_vae_cache(struct zt_vae_build *b, const struct ggml_tensor *x, int frames);
/* cache ++ x, in time. */
struct ggml_tensor *zt_vae_after(const struct zt_vae_build *b, struct ggml_tensor *cache,
                                 struct ggml_tensor *x);
/*
 * The cache becomes the last frames of x; frames that x lacks are left as they are. Where the cache
 * was read, x depends on what was read.
 */
void zt_vae_keep(const struct zt_vae_build *b, struct ggml_tensor *cache, struct ggml_tensor *x);

/* A graph from an input of [channels, w, h, frames] to its output; both on the host. */
struct zt_vae_run {
    struct zt_vae *vae;
    struct zt_vae_caches *caches; /* NULL for a clip of one chunk */
    struct ggml_tensor *(*body)(struct zt_vae_build *b, struct ggml_tensor *x);
    int channels, w, h;
    int first_frames, frames; /* of the first chunk and of each later one */
};
enum zt_code zt_vae_run_chunk(const struct zt_vae_run *run, bool first, const float *in, float *out,
                              struct zt_err *err);
/* Caches for it, zeroed. */
enum zt_code zt_vae_run_plan(const struct zt_vae_run *run, struct zt_err *err);
void zt_vae_run_reset(const struct zt_vae_run *run);
/* Bytes of caches and of the graph; allocates neither. */
enum zt_code zt_vae_run_bytes(const struct zt_vae_run *run, bool more, struct zt_vae_bytes *ret,
                              struct zt_err *err);

#endif
