/*
 * umt5_params.c - which tensors the encoder has, under which names, of which shapes.
 */
#include "models/text/umt5_inside.h"

#include "base/arena.h"
#include "tensor/weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LENGTH_MAX 65536   /* of a dimension; the largest published is 10240 */
#define HEADS_MAX  1024    /* published: 64 */
#define VOCAB_MAX  4194304 /* published: 256384 */
#define NAME_BYTES 512

/* Lengths by meaning; a config gives their values. */
enum length { ONE, DIM, INNER, HEADS, BUCKETS, FFN, LENGTHS };

#define SLOT(member) offsetof(struct zt_umt5_layer, member)

/* clang-format off */
static const struct row {
    const char *name;
    enum zt_param_kind kind;
    enum length in, out;
    size_t slot;
} rows[] = {
    { "norm1.weight",            ZT_PARAM_F32,    DIM,   ONE,     SLOT(norm1) },
    { "attn.q.weight",           ZT_PARAM_MATRIX, DIM,   INNER,   SLOT(q) },
    { "attn.k.weight",           ZT_PARAM_MATRIX, DIM,   INNER,   SLOT(k) },
    { "attn.v.weight",           ZT_PARAM_MATRIX, DIM,   INNER,   SLOT(v) },
    { "attn.o.weight",           ZT_PARAM_MATRIX, INNER, DIM,     SLOT(o) },
    { "pos_embedding.embedding.weight", ZT_PARAM_F32, HEADS, BUCKETS, SLOT(bias) },
    { "norm2.weight",            ZT_PARAM_F32,    DIM,   ONE,     SLOT(norm2) },
    { "ffn.gate.0.weight",       ZT_PARAM_MATRIX, DIM,   FFN,     SLOT(gate) },
    { "ffn.fc1.weight",          ZT_PARAM_MATRIX, DIM,   FFN,     SLOT(up) },
    { "ffn.fc2.weight",          ZT_PARAM_MATRIX, FFN,   DIM,     SLOT(down) },
};

/* The bias before the rest of its folder, so that names are turned back right too. */
static const struct zt_param_alias aliases[] = {
    { "token_embedding.weight",    "shared.weight" },
    { "token_embedding.weight",    "encoder.embed_tokens.weight" },
    { "blocks.#.norm1.",           "encoder.block.#.layer.0.layer_norm." },
    { "blocks.#.pos_embedding.embedding.weight",
      "encoder.block.#.layer.0.SelfAttention.relative_attention_bias.weight" },
    { "blocks.#.attn.",            "encoder.block.#.layer.0.SelfAttention." },
    { "blocks.#.norm2.",           "encoder.block.#.layer.1.layer_norm." },
    { "blocks.#.ffn.gate.0.",      "encoder.block.#.layer.1.DenseReluDense.wi_0." },
    { "blocks.#.ffn.fc1.",         "encoder.block.#.layer.1.DenseReluDense.wi_1." },
    { "blocks.#.ffn.fc2.",         "encoder.block.#.layer.1.DenseReluDense.wo." },
    { "norm.weight",               "encoder.final_layer_norm.weight" },
    { "token_embedding.weight",    "token_embd.weight" },
    { "blocks.#.norm1.",           "enc.blk.#.attn_norm." },
    { "blocks.#.attn.q.",          "enc.blk.#.attn_q." },
    { "blocks.#.attn.k.",          "enc.blk.#.attn_k." },
    { "blocks.#.attn.v.",          "enc.blk.#.attn_v." },
    { "blocks.#.attn.o.",          "enc.blk.#.attn_o." },
    { "blocks.#.pos_embedding.embedding.", "enc.blk.#.attn_rel_b." },
    { "blocks.#.norm2.",           "enc.blk.#.ffn_norm." },
    { "blocks.#.ffn.gate.0.",      "enc.blk.#.ffn_gate." },
    { "blocks.#.ffn.fc1.",         "enc.blk.#.ffn_up." },
    { "blocks.#.ffn.fc2.",         "enc.blk.#.ffn_down." },
    { "norm.weight",               "enc.output_norm.weight" },
    { NULL, NULL },
};
/* clang-format on */

const struct zt_param_names zt_umt5_names = { .aliases = aliases };

size_t zt_umt5_params_into(const struct zt_umt5_config *config, struct zt_umt5_tensors *tensors,
                           struct zt_arena *arena, struct zt_param **ret)
{
    const int64_t lengths[LENGTHS] = {
        [ONE] = 1,
        [DIM] = config->dim,
        [INNER] = config->inner,
        [HEADS] = config->heads,
        [BUCKETS] = ZT_UMT5_BUCKETS,
        [FFN] = config->ffn,
    };
    size_t layers = (size_t)config->layers, n = 0;
    struct zt_param *params =
        zt_arena_alloc(arena, (1 + layers * ZT_COUNT(rows)) * sizeof(*params));

    params[n++] = (struct zt_param){ .name = "norm.weight",
                                     .kind = ZT_PARAM_F32,
                                     .ne = { config->dim, 1, 1, 1 },
                                     .slot = tensors ? &tensors->norm : NULL };
    for (size_t l = 0; l < layers; l++)
        for (size_t i = 0; i < ZT_COUNT(rows); i++) {
            char *layer = tensors ? (char *)&tensors->layers[l] : NULL;
            params[n++] = (struct zt_param){
                .name = zt_arena_printf(arena, "blocks.%zu.%s", l, rows[i].name),
                .kind = rows[i].kind,
                .ne = { lengths[rows[i].in], lengths[rows[i].out], 1, 1 },
                .slot = layer ? (struct ggml_tensor **)(void *)(layer + rows[i].slot) : NULL,
            };
        }
    *ret = params;
    return n;
}

size_t zt_umt5_params(const struct zt_umt5_config *config, struct zt_arena *arena,
                      struct zt_param **ret)
{
    struct zt_param *most;
    size_t n = zt_umt5_params_into(config, NULL, arena, &most);
    struct zt_param *all = zt_arena_alloc(arena, (1 + n) * sizeof(*all));

    all[0] = (struct zt_param){ .name = "token_embedding.weight",
                                .kind = ZT_PARAM_MATRIX,
                                .ne = { config->dim, config->vocab, 1, 1 } };
    memcpy(all + 1, most, n * sizeof(*all));
    *ret = all;
    return 1 + n;
}

/* A tensor's elements divided by `by`; 0 when absent, when that leaves a rest or is past max. */
static int length_of(const struct zt_weights *weights, const char *name, int64_t by, int64_t max)
{
    const struct zt_weight *w = zt_params_find(weights, &zt_umt5_names, name);

    if (w == NULL || by <= 0 || w->elements % by != 0 || w->elements / by > max)
        return 0;
    return (int)(w->elements / by);
}

static int count_layers(const struct zt_weights *weights)
{
    char name[64];
    int n = 0;

    do
        snprintf(name, sizeof(name), "blocks.%d.norm1.weight", n);
    while (zt_params_find(weights, &zt_umt5_names, name) != NULL && n++ < ZT_UMT5_LAYERS_MAX);
    return n;
}

enum zt_code zt_umt5_config_read(const struct zt_weights *weights, struct zt_umt5_config *ret,
                                 struct zt_err *err)
{
    struct zt_umt5_config c = { .layers = count_layers(weights) };

    c.dim = length_of(weights, "norm.weight", 1, LENGTH_MAX);
    const struct {
        const char *name;
        int *length;
        int64_t by, max;
    } lengths[] = {
        { "norm.weight", &c.dim, 1, LENGTH_MAX },
        { "token_embedding.weight", &c.vocab, c.dim, VOCAB_MAX },
        { "blocks.0.attn.q.weight", &c.inner, c.dim, LENGTH_MAX },
        { "blocks.0.pos_embedding.embedding.weight", &c.heads, ZT_UMT5_BUCKETS, HEADS_MAX },
        { "blocks.0.ffn.gate.0.weight", &c.ffn, c.dim, LENGTH_MAX },
    };
    for (size_t i = 0; i < ZT_COUNT(lengths); i++) {
        *lengths[i].length = length_of(weights, lengths[i].name, lengths[i].by, lengths[i].max);
        if (*lengths[i].length == 0)
            return zt_fail(err, ZT_E_CORRUPT,
                           "no umT5 text encoder: the tensor %s is missing or senseless",
                           lengths[i].name);
    }
    if (c.layers < 1 || c.layers > ZT_UMT5_LAYERS_MAX)
        return zt_fail(err, ZT_E_LIMIT, "a umT5 encoder has 1 to %d layers, not %d",
                       ZT_UMT5_LAYERS_MAX, c.layers);
    if (c.inner % c.heads != 0)
        return zt_fail(err, ZT_E_CORRUPT, "umT5: %d rows of attn.q are not %d heads", c.inner,
                       c.heads);
    *ret = c;
    return ZT_OK;
}

enum zt_code zt_umt5_check(const struct zt_weights *weights, struct zt_err *err)
{
    struct zt_arena arena = { 0 };
    struct zt_umt5_config config = { 0 };
    struct zt_param *params;

    ZT_TRY(zt_umt5_config_read(weights, &config, err));
    size_t n = zt_umt5_params(&config, &arena, &params);
    enum zt_code rc = zt_params_check(weights, "umT5", params, n, &zt_umt5_names, err);
    zt_arena_clear(&arena);
    return rc;
}

/* An 8-bit embedding may have its scale beside it: `base.scale_weight` or `base.weight_scale`. */
enum zt_code zt_umt5_embedding(const struct zt_weights *weights, const struct zt_weight **ret,
                               float *ret_scale, struct zt_err *err)
{
    const struct zt_weight *w = zt_params_find(weights, &zt_umt5_names, "token_embedding.weight");
    char name[NAME_BYTES + 16];

    zt_assert(w != NULL && strlen(w->name) <= NAME_BYTES);
    *ret = w;
    *ret_scale = 1;
    if (w->type != GGML_TYPE_COUNT)
        return ZT_OK;
    int base = (int)(strlen(w->name) - strlen("weight"));
    snprintf(name, sizeof(name), "%.*sscale_weight", base, w->name);
    const struct zt_weight *scale = zt_weights_find(weights, name);
    snprintf(name, sizeof(name), "%s_scale", w->name);
    if (scale == NULL)
        scale = zt_weights_find(weights, name);
    if (scale == NULL)
        return ZT_OK;
    if (scale->elements != 1)
        return zt_fail(err, ZT_E_CORRUPT, "the scale of %.80s is not one number", w->name);
    ZT_TRY(zt_weight_to_f32(scale, 0, 1, ret_scale, err));
    if (!isfinite(*ret_scale))
        return zt_fail(err, ZT_E_CORRUPT, "the scale of %.80s is not finite", w->name);
    return ZT_OK;
}
