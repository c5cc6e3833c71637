/* umt5_inside.h - what the files of the umT5 encoder share. */
#ifndef ZT_MODELS_TEXT_UMT5_INSIDE_H
#define ZT_MODELS_TEXT_UMT5_INSIDE_H

#include "models/text/umt5.h"

#define ZT_UMT5_LAYERS_MAX 64
#define ZT_UMT5_BUCKETS    32

struct zt_umt5_layer {
    struct ggml_tensor *norm1, *norm2;
    struct ggml_tensor *q, *k, *v, *o;
    struct ggml_tensor *bias; /* [heads, buckets] */
    struct ggml_tensor *gate, *up, *down;
};

struct zt_umt5_tensors {
    struct ggml_tensor *norm;
    struct zt_umt5_layer layers[ZT_UMT5_LAYERS_MAX];
};

/*
 * The rows of zt_umt5_params but the first, the embedding, with slots in `tensors` (NULL: slots are
 * NULL).
 */
size_t zt_umt5_params_into(const struct zt_umt5_config *config, struct zt_umt5_tensors *tensors,
                           struct zt_arena *arena, struct zt_param **ret);

/* The file's embedding, and the number its values are multiplied by. */
enum zt_code zt_umt5_embedding(const struct zt_weights *weights, const struct zt_weight **ret,
                               float *ret_scale, struct zt_err *err);

#endif
