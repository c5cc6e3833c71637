/*
 * dit_params.c - which tensors a DiT has, under which names, of which shapes; and which model a
 * file holds.
 */
#include "models/wan/dit_inside.h"

#include "base/arena.h"
#include "tensor/weights.h"

#include <stdio.h>
#include <string.h>

#define HEAD_DIM     128   /* of all published models */
#define HEAD_DIM_MAX 256   /* what ggml's attention is written for */
#define DIM_MAX      65536 /* of any dimension; the largest published is 14336 */
#define NAME_BYTES   96

const char *const zt_dit_w8a8_names[ZT_DIT_W8A8S] = { "none", "ffn", "all" };
const char *const zt_dit_scores_names[ZT_DIT_SCORES] = { "full", "int8" };

/* Sizes by meaning; a config gives their values. */
enum size { ONE, TWO, SIX, FREQ, DIM, DIM6, FFN, TEXT, PATCH, SIZES };

struct row {
    const char *name;
    enum zt_param_kind kind;
    enum size in, out;
    int fold;
    size_t slot;
    enum zt_dit_w8a8 from; /* what makes its products 8-bit ones; 0: nothing */
};

#define TOP(member) offsetof(struct zt_dit_tensors, member)
#define BLK(member) offsetof(struct zt_dit_block, member)

/*
 * Time and patch embedding and head are small or touch few columns: kept in F32, as the reference
 * computes them.
 */
/* clang-format off */
static const struct row top_rows[] = {
    { "patch_embedding.weight",   ZT_PARAM_F32,    PATCH, DIM,   4, TOP(patch.w), 0 },
    { "patch_embedding.bias",     ZT_PARAM_F32,    DIM,   ONE,   0, TOP(patch.b), 0 },
    { "text_embedding.0.weight",  ZT_PARAM_MATRIX, TEXT,  DIM,   0, TOP(text_in.w), 0 },
    { "text_embedding.0.bias",    ZT_PARAM_F32,    DIM,   ONE,   0, TOP(text_in.b), 0 },
    { "text_embedding.2.weight",  ZT_PARAM_MATRIX, DIM,   DIM,   0, TOP(text_out.w), 0 },
    { "text_embedding.2.bias",    ZT_PARAM_F32,    DIM,   ONE,   0, TOP(text_out.b), 0 },
    { "time_embedding.0.weight",  ZT_PARAM_F32,    FREQ,  DIM,   0, TOP(time_in.w), 0 },
    { "time_embedding.0.bias",    ZT_PARAM_F32,    DIM,   ONE,   0, TOP(time_in.b), 0 },
    { "time_embedding.2.weight",  ZT_PARAM_F32,    DIM,   DIM,   0, TOP(time_out.w), 0 },
    { "time_embedding.2.bias",    ZT_PARAM_F32,    DIM,   ONE,   0, TOP(time_out.b), 0 },
    { "time_projection.1.weight", ZT_PARAM_F32,    DIM,   DIM6,  0, TOP(time_proj.w), 0 },
    { "time_projection.1.bias",   ZT_PARAM_F32,    DIM6,  ONE,   0, TOP(time_proj.b), 0 },
    { "head.head.weight",         ZT_PARAM_F32,    DIM,   PATCH, 0, TOP(head.w), 0 },
    { "head.head.bias",           ZT_PARAM_F32,    PATCH, ONE,   0, TOP(head.b), 0 },
    { "head.modulation",          ZT_PARAM_F32,    DIM,   TWO,   0, TOP(head_modulation), 0 },
};
/* Cross attention's k and v are computed once a prompt: 8 bits would win no time. */
static const struct row block_rows[] = {
    { "modulation",                 ZT_PARAM_F32,    DIM, SIX, 0, BLK(modulation), 0 },
    { "self_attn.q.weight",         ZT_PARAM_MATRIX, DIM, DIM, 0, BLK(self.q.w), ZT_DIT_W8A8_ALL },
    { "self_attn.q.bias",           ZT_PARAM_F32,    DIM, ONE, 0, BLK(self.q.b), 0 },
    { "self_attn.k.weight",         ZT_PARAM_MATRIX, DIM, DIM, 0, BLK(self.k.w), ZT_DIT_W8A8_ALL },
    { "self_attn.k.bias",           ZT_PARAM_F32,    DIM, ONE, 0, BLK(self.k.b), 0 },
    { "self_attn.v.weight",         ZT_PARAM_MATRIX, DIM, DIM, 0, BLK(self.v.w), ZT_DIT_W8A8_ALL },
    { "self_attn.v.bias",           ZT_PARAM_F32,    DIM, ONE, 0, BLK(self.v.b), 0 },
    { "self_attn.o.weight",         ZT_PARAM_MATRIX, DIM, DIM, 0, BLK(self.o.w), ZT_DIT_W8A8_ALL },
    { "self_attn.o.bias",           ZT_PARAM_F32,    DIM, ONE, 0, BLK(self.o.b), 0 },
    { "self_attn.norm_q.weight",    ZT_PARAM_F32,    DIM, ONE, 0, BLK(self.norm_q), 0 },
    { "self_attn.norm_k.weight",    ZT_PARAM_F32,    DIM, ONE, 0, BLK(self.norm_k), 0 },
    { "norm3.weight",               ZT_PARAM_F32,    DIM, ONE, 0, BLK(norm3.w), 0 },
    { "norm3.bias",                 ZT_PARAM_F32,    DIM, ONE, 0, BLK(norm3.b), 0 },
    { "cross_attn.q.weight",        ZT_PARAM_MATRIX, DIM, DIM, 0, BLK(cross.q.w), ZT_DIT_W8A8_ALL },
    { "cross_attn.q.bias",          ZT_PARAM_F32,    DIM, ONE, 0, BLK(cross.q.b), 0 },
    { "cross_attn.k.weight",        ZT_PARAM_MATRIX, DIM, DIM, 0, BLK(cross.k.w), 0 },
    { "cross_attn.k.bias",          ZT_PARAM_F32,    DIM, ONE, 0, BLK(cross.k.b), 0 },
    { "cross_attn.v.weight",        ZT_PARAM_MATRIX, DIM, DIM, 0, BLK(cross.v.w), 0 },
    { "cross_attn.v.bias",          ZT_PARAM_F32,    DIM, ONE, 0, BLK(cross.v.b), 0 },
    { "cross_attn.o.weight",        ZT_PARAM_MATRIX, DIM, DIM, 0, BLK(cross.o.w), ZT_DIT_W8A8_ALL },
    { "cross_attn.o.bias",          ZT_PARAM_F32,    DIM, ONE, 0, BLK(cross.o.b), 0 },
    { "cross_attn.norm_q.weight",   ZT_PARAM_F32,    DIM, ONE, 0, BLK(cross.norm_q), 0 },
    { "cross_attn.norm_k.weight",   ZT_PARAM_F32,    DIM, ONE, 0, BLK(cross.norm_k), 0 },
    { "ffn.0.weight",               ZT_PARAM_MATRIX, DIM, FFN, 0, BLK(up.w), ZT_DIT_W8A8_FFN },
    { "ffn.0.bias",                 ZT_PARAM_F32,    FFN, ONE, 0, BLK(up.b), 0 },
    { "ffn.2.weight",               ZT_PARAM_MATRIX, FFN, DIM, 0, BLK(down.w), ZT_DIT_W8A8_FFN },
    { "ffn.2.bias",                 ZT_PARAM_F32,    DIM, ONE, 0, BLK(down.b), 0 },
};

/* The original's norm3 is diffusers' norm2. */
static const struct zt_param_alias aliases[] = {
    { "text_embedding.0.",     "condition_embedder.text_embedder.linear_1." },
    { "text_embedding.2.",     "condition_embedder.text_embedder.linear_2." },
    { "time_embedding.0.",     "condition_embedder.time_embedder.linear_1." },
    { "time_embedding.2.",     "condition_embedder.time_embedder.linear_2." },
    { "time_projection.1.",    "condition_embedder.time_proj." },
    { "head.head.",            "proj_out." },
    { "head.modulation",       "scale_shift_table" },
    { "blocks.#.modulation",   "blocks.#.scale_shift_table" },
    { "blocks.#.self_attn.q.", "blocks.#.attn1.to_q." },
    { "blocks.#.self_attn.k.", "blocks.#.attn1.to_k." },
    { "blocks.#.self_attn.v.", "blocks.#.attn1.to_v." },
    { "blocks.#.self_attn.o.", "blocks.#.attn1.to_out.0." },
    { "blocks.#.self_attn.",   "blocks.#.attn1." },
    { "blocks.#.cross_attn.q.", "blocks.#.attn2.to_q." },
    { "blocks.#.cross_attn.k.", "blocks.#.attn2.to_k." },
    { "blocks.#.cross_attn.v.", "blocks.#.attn2.to_v." },
    { "blocks.#.cross_attn.o.", "blocks.#.attn2.to_out.0." },
    { "blocks.#.cross_attn.",  "blocks.#.attn2." },
    { "blocks.#.norm3.",       "blocks.#.norm2." },
    { "blocks.#.ffn.0.",       "blocks.#.ffn.net.0.proj." },
    { "blocks.#.ffn.2.",       "blocks.#.ffn.net.2." },
    { "img_emb.proj.0.",       "condition_embedder.image_embedder.norm1." },
    { "img_emb.emb_pos",       "condition_embedder.image_embedder.pos_embed" },
    { NULL, NULL },
};
/* clang-format on */

static const char *const prefixes[] = { "model.diffusion_model.", NULL };
const struct zt_param_names zt_dit_names = { aliases, prefixes };

static void add(const struct row *row, enum zt_dit_w8a8 w8a8, const int64_t sizes[SIZES],
                const char *name, void *base, struct zt_param *ret)
{
    *ret = (struct zt_param){
        .name = name,
        .kind = row->from != 0 && w8a8 >= row->from ? ZT_PARAM_W8A8 : row->kind,
        .ne = { sizes[row->in], sizes[row->out], 1, 1 },
        .fold = row->fold,
        .slot = base ? (struct ggml_tensor **)(void *)((char *)base + row->slot) : NULL,
    };
}

size_t zt_dit_params_into(const struct zt_dit_config *config, enum zt_dit_w8a8 w8a8,
                          struct zt_dit_tensors *tensors, struct zt_arena *arena,
                          struct zt_param **ret)
{
    size_t n = 0, blocks = (size_t)config->layers;
    size_t all = ZT_COUNT(top_rows) + blocks * ZT_COUNT(block_rows);
    struct zt_param *params = zt_arena_alloc(arena, all * sizeof(*params));
    const int64_t sizes[SIZES] = {
        [ONE] = 1,
        [TWO] = 2,
        [SIX] = 6,
        [FREQ] = ZT_DIT_FREQ_DIM,
        [DIM] = config->dim,
        [DIM6] = 6 * (int64_t)config->dim,
        [FFN] = config->ffn,
        [TEXT] = config->text_dim,
        [PATCH] = 4 * (int64_t)config->channels,
    };

    for (size_t i = 0; i < ZT_COUNT(top_rows); i++)
        add(&top_rows[i], w8a8, sizes, top_rows[i].name, tensors, &params[n++]);
    for (size_t b = 0; b < blocks; b++)
        for (size_t i = 0; i < ZT_COUNT(block_rows); i++)
            add(&block_rows[i], w8a8, sizes,
                zt_arena_printf(arena, "blocks.%zu.%s", b, block_rows[i].name),
                tensors ? &tensors->blocks[b] : NULL, &params[n++]);
    zt_assert(n == all);
    *ret = params;
    return n;
}

size_t zt_dit_params(const struct zt_dit_config *config, struct zt_arena *arena,
                     struct zt_param **ret)
{
    return zt_dit_params_into(config, ZT_DIT_W8A8_NONE, NULL, arena, ret);
}

/* Elements of a tensor, divided by `by`, as a size; 0 when it is absent or that does not divide. */
static int size_of(const struct zt_weights *weights, const char *name, int64_t by)
{
    const struct zt_weight *w = zt_params_find(weights, &zt_dit_names, name);

    if (w == NULL || by <= 0 || w->elements % by != 0 || w->elements / by > DIM_MAX)
        return 0;
    return (int)(w->elements / by);
}

static int count_blocks(const struct zt_weights *weights)
{
    char name[NAME_BYTES];
    int n = 0;

    do
        snprintf(name, sizeof(name), "blocks.%d.modulation", n);
    while (zt_params_find(weights, &zt_dit_names, name) != NULL && n++ < ZT_DIT_LAYERS_MAX);
    return n;
}

/* Published models of other kinds; NULL when it is none of them. */
static const char *other_model(const struct zt_weights *weights, int in, int dim)
{
    bool image = zt_params_find(weights, &zt_dit_names, "img_emb.proj.0.weight") != NULL;
    bool place = zt_params_find(weights, &zt_dit_names, "img_emb.emb_pos") != NULL;

    if (image)
        return place ? "Wan2.1-FLF2V-14B" : "Wan2.1-I2V-14B";
    if (in == 36)
        return "Wan2.2-I2V-A14B";
    if (in == 16 && dim == 5120)
        return "Wan2.1-T2V-14B or Wan2.2-T2V-A14B";
    if (in == 16 && dim == 1536)
        return "Wan2.1-T2V-1.3B";
    return NULL;
}

static enum zt_code check_kind(const struct zt_weights *weights, int in, int out, int dim,
                               struct zt_err *err)
{
    const char *other = other_model(weights, in, dim);

    if (other != NULL)
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "this is %s, which is not supported yet; Wan2.2-TI2V-5B is", other);
    if (in != out)
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "this Wan model takes %d channels and gives %d, which is not supported; "
                       "Wan2.2-TI2V-5B has 48 and 48",
                       in, out);
    return ZT_OK;
}

static enum zt_code check_heads(const struct zt_dit_config *c, int head_dim, struct zt_err *err)
{
    if (head_dim < 8 || head_dim > HEAD_DIM_MAX || head_dim % 2 != 0)
        return zt_fail(err, ZT_E_INVALID, "the head size must be even and 8 to %d, not %d",
                       HEAD_DIM_MAX, head_dim);
    if (c->dim % head_dim != 0)
        return zt_fail(err, ZT_E_CORRUPT,
                       "the DiT's width %d is not a multiple of its head size %d", c->dim,
                       head_dim);
    return ZT_OK;
}

enum zt_code zt_dit_config_read(const struct zt_weights *weights, int head_dim,
                                struct zt_dit_config *ret, struct zt_err *err)
{
    struct zt_dit_config c = { .layers = count_blocks(weights) };
    const struct {
        const char *name;
        int *size;
        int64_t by;
    } sizes[] = {
        { "patch_embedding.bias", &c.dim, 1 },
        { "blocks.0.ffn.0.bias", &c.ffn, 1 },
        { "head.head.bias", &c.channels, 4 },
    };

    for (size_t i = 0; i < ZT_COUNT(sizes); i++)
        if ((*sizes[i].size = size_of(weights, sizes[i].name, sizes[i].by)) == 0)
            return zt_fail(err, ZT_E_CORRUPT, "no Wan DiT: the tensor %s is missing or senseless",
                           sizes[i].name);
    int in = size_of(weights, "patch_embedding.weight", 4 * (int64_t)c.dim);
    c.text_dim = size_of(weights, "text_embedding.0.weight", c.dim);
    if (in == 0 || c.text_dim == 0)
        return zt_fail(err, ZT_E_CORRUPT, "no Wan DiT: the tensor %s is missing or senseless",
                       in == 0 ? "patch_embedding.weight" : "text_embedding.0.weight");
    ZT_TRY(check_kind(weights, in, c.channels, c.dim, err));
    if (c.layers < 1 || c.layers > ZT_DIT_LAYERS_MAX)
        return zt_fail(err, ZT_E_LIMIT, "a DiT has 1 to %d blocks, not %d", ZT_DIT_LAYERS_MAX,
                       c.layers);
    head_dim = head_dim > 0 ? head_dim : HEAD_DIM;
    ZT_TRY(check_heads(&c, head_dim, err));
    c.heads = c.dim / head_dim;
    bool is_5b = c.layers == 30 && c.dim == 3072 && c.ffn == 14336 && c.channels == 48;
    c.name = is_5b ? "Wan2.2-TI2V-5B" : "Wan";
    *ret = c;
    return ZT_OK;
}

enum zt_code zt_dit_check(const struct zt_weights *weights, int head_dim, struct zt_err *err)
{
    struct zt_arena arena = { 0 };
    struct zt_dit_config config = { 0 };
    struct zt_param *params;

    ZT_TRY(zt_dit_config_read(weights, head_dim, &config, err));
    size_t n = zt_dit_params(&config, &arena, &params);
    enum zt_code rc = zt_params_check(weights, "DiT", params, n, &zt_dit_names, err);
    zt_arena_clear(&arena);
    return rc;
}
