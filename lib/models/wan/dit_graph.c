/*
 * dit_graph.c - the DiT as a graph. Numbers of formulas and pitfalls are those of README.md.
 *
 * The residual stream x [dim, tokens of a frame, frames] is one tensor that every block adds to in
 * place: each step takes the tensor the last one returned, so the order is in the graph. Tokens of
 * a frame share a timestep, so shifts, scales and gates are [dim, 1, frames] and broadcast.
 */
#include "models/wan/dit_inside.h"

#include "models/ops.h"
#include "tensor/attention8.h"

#include <math.h>

#define ROPE_BASE 10000.0f

/* Upper bounds of the tensors that the builders below use, parameters included. */
#define NODES_FORWARD 64
#define NODES_BLOCK   84
#define NODES_CHUNK   18
#define NODES_PROMPT  64

static struct ggml_tensor *linear(struct ggml_context *ctx, const struct zt_dit_linear *l,
                                  struct ggml_tensor *x)
{
    return zt_op_linear(ctx, l->w, l->b, x);
}

/* Row `row` of a table [dim, rows, frames], of n frames from `first` on: [dim, 1, n]. */
static struct ggml_tensor *table_row(struct ggml_context *ctx, struct ggml_tensor *table, int row,
                                     int64_t first, int64_t n)
{
    return ggml_view_3d(ctx, table, table->ne[0], 1, n, table->nb[1], table->nb[2],
                        (size_t)row * table->nb[1] + (size_t)first * table->nb[2]);
}

/* LN(x) * scale + shift, rows `shift` and `shift` + 1 of the table; the scale has its 1 already. */
static struct ggml_tensor *modulate(struct ggml_context *ctx, struct ggml_tensor *x,
                                    struct ggml_tensor *table, int shift, int64_t first)
{
    struct ggml_tensor *n = ggml_norm(ctx, x, ZT_DIT_EPS);

    n = ggml_mul(ctx, n, table_row(ctx, table, shift + 1, first, x->ne[2]));
    return ggml_add(ctx, n, table_row(ctx, table, shift, first, x->ne[2]));
}

/*
 * Rotates adjacent pairs of each head of q [head dim, heads, tokens] in place, the head's
 * dimensions split into frame, row and column; the columns' and rows' shares are 2 * (head dim /
 * 6) each.
 */
static struct ggml_tensor *rotate(struct ggml_context *ctx, struct ggml_tensor *q,
                                  struct ggml_tensor *const place[3])
{
    int side = 2 * ((int)q->ne[0] / 6);
    const int share[3] = { (int)q->ne[0] - 2 * side, side, side };

    for (int axis = 0, at = 0; axis < 3; at += share[axis++]) {
        q = ggml_rope_ext_inplace(ctx, q, place[axis], NULL, share[axis], GGML_ROPE_TYPE_NORMAL, 0,
                                  ROPE_BASE, 1, 0, 1, 0, 0);
        ggml_rope_set_offset(q, at);
    }
    return q;
}

/* [dim, ...] as [head dim, heads, tokens]. */
static struct ggml_tensor *split_heads(struct ggml_context *ctx, struct ggml_tensor *x, int heads)
{
    return ggml_reshape_3d(ctx, x, x->ne[0] / heads, heads, ggml_nelements(x) / x->ne[0]);
}

/* [head dim, heads, tokens] as [head dim, tokens, heads]. */
static struct ggml_tensor *by_head(struct ggml_context *ctx, struct ggml_tensor *x)
{
    return ggml_permute(ctx, x, 0, 2, 1, 3);
}

/* q [head dim, heads, tokens]; k, v [head dim, keys, heads]; returns x's shape filled anew. */
static struct ggml_tensor *attend(struct ggml_context *ctx, struct ggml_tensor *q,
                                  struct ggml_tensor *k, struct ggml_tensor *v,
                                  struct ggml_tensor *x, bool int8_scores)
{
    float scale = 1 / sqrtf((float)q->ne[0]);
    struct ggml_tensor *o = ggml_flash_attn_ext(ctx, by_head(ctx, q), k, v, NULL, scale, 0, 0);

    ggml_prec_set_acc(o, GGML_PREC_F32);
    if (int8_scores)
        zt_attention8_allow(o);
    return ggml_reshape_3d(ctx, o, x->ne[0], x->ne[1], x->ne[2]);
}

/* Contiguous per head, of the type that attention wants. */
static struct ggml_tensor *pack(struct ggml_context *ctx, struct ggml_tensor *x,
                                enum ggml_type type)
{
    x = by_head(ctx, x);
    return type == GGML_TYPE_F32 ? ggml_cont(ctx, x) : ggml_cast(ctx, x, type);
}

static struct ggml_tensor *self_attention(const struct zt_dit *dit, struct ggml_context *ctx,
                                          const struct zt_dit_attention *a, struct ggml_tensor *y,
                                          struct ggml_tensor *const place[3])
{
    int heads = dit->config.heads;
    struct ggml_tensor *k = zt_op_rms_norm(ctx, linear(ctx, &a->k, y), a->norm_k, ZT_DIT_EPS);
    struct ggml_tensor *q = zt_op_rms_norm(ctx, linear(ctx, &a->q, y), a->norm_q, ZT_DIT_EPS);
    struct ggml_tensor *v = linear(ctx, &a->v, y);

    k = pack(ctx, rotate(ctx, split_heads(ctx, k, heads), place), dit->kv_type);
    v = pack(ctx, split_heads(ctx, v, heads), dit->kv_type);
    q = rotate(ctx, split_heads(ctx, q, heads), place);
    return linear(ctx, &a->o, attend(ctx, q, k, v, y, dit->int8_scores));
}

static struct ggml_tensor *cross_attention(const struct zt_dit *dit, struct ggml_context *ctx,
                                           const struct zt_dit_attention *a, struct ggml_tensor *y,
                                           struct ggml_tensor *k, struct ggml_tensor *v)
{
    struct ggml_tensor *q = zt_op_rms_norm(ctx, linear(ctx, &a->q, y), a->norm_q, ZT_DIT_EPS);

    return linear(ctx, &a->o, attend(ctx, split_heads(ctx, q, dit->config.heads), k, v, y, false));
}

/* As many as chunk_tokens says, but at least one, and no more chunks than a graph has nodes for. */
static int64_t chunk_frames(const struct zt_dit *dit, int64_t frames, int64_t frame_tokens)
{
    int per_block = (ZT_GRAPH_NODES_MAX - NODES_FORWARD) / dit->config.layers;
    int64_t most = (per_block - NODES_BLOCK) / NODES_CHUNK, least = (frames + most - 1) / most;
    int64_t n = dit->chunk_tokens / frame_tokens;

    return n > least ? n : least;
}

/* A few frames at a time, so that what lies between the two matrices stays small. */
static struct ggml_tensor *add_ffn(const struct zt_dit *dit, struct ggml_context *ctx,
                                   const struct zt_dit_block *b, struct ggml_tensor *x,
                                   struct ggml_tensor *table)
{
    int64_t frames = x->ne[2], step = chunk_frames(dit, frames, x->ne[1]);

    for (int64_t f = 0; f < frames; f += step) {
        int64_t n = frames - f < step ? frames - f : step;
        size_t at = (size_t)f * x->nb[2];
        struct ggml_tensor *y = ggml_view_3d(ctx, x, x->ne[0], x->ne[1], n, x->nb[1], x->nb[2], at);

        y = linear(ctx, &b->up, modulate(ctx, y, table, 3, f));
        y = linear(ctx, &b->down, zt_op_gelu(ctx, y));
        y = ggml_mul(ctx, y, table_row(ctx, table, 5, f, n));
        x = n == frames ? ggml_add_inplace(ctx, x, y)
                        : ggml_acc_inplace(ctx, x, y, x->nb[1], x->nb[2], x->nb[3], at);
    }
    return x;
}

/* table: e0 [dim, 6, frames] and the block's own modulation; rows are m0 ... m5. */
static struct ggml_tensor *add_block(const struct zt_dit *dit, const struct zt_dit_prompt *prompt,
                                     int index, struct ggml_context *ctx, struct ggml_tensor *x,
                                     struct ggml_tensor *e0, struct ggml_tensor *const place[3])
{
    const struct zt_dit_block *b = &dit->tensors.blocks[index];
    struct ggml_tensor *table = ggml_add(ctx, e0, b->modulation);
    struct ggml_tensor *y =
        self_attention(dit, ctx, &b->self, modulate(ctx, x, table, 0, 0), place);

    x = ggml_add_inplace(ctx, x, ggml_mul(ctx, y, table_row(ctx, table, 2, 0, x->ne[2])));
    y = ggml_mul(ctx, ggml_norm(ctx, x, ZT_DIT_EPS), b->norm3.w);
    y = ggml_add(ctx, y, b->norm3.b);
    y = cross_attention(dit, ctx, &b->cross, y, prompt->k[index], prompt->v[index]);
    x = ggml_add_inplace(ctx, x, y);
    return add_ffn(dit, ctx, b, x, table);
}

/* The embedded timesteps [dim, distinct]: what e0 and the head's table are made of. */
static struct ggml_tensor *embed_time(const struct zt_dit *dit, struct ggml_context *ctx,
                                      const struct zt_dit_inputs *in)
{
    const struct zt_dit_tensors *w = &dit->tensors;

    return linear(ctx, &w->time_out, ggml_silu(ctx, linear(ctx, &w->time_in, in->sinusoids)));
}

/* The span's blocks, adding to x in place. */
static struct ggml_tensor *add_blocks(const struct zt_dit *dit, const struct zt_dit_prompt *prompt,
                                      struct ggml_context *ctx, const struct zt_dit_inputs *in,
                                      struct ggml_tensor *e, struct ggml_tensor *x)
{
    struct ggml_tensor *e0 = linear(ctx, &dit->tensors.time_proj, ggml_silu(ctx, e));

    e0 = ggml_reshape_3d(ctx, ggml_get_rows(ctx, e0, in->frame_time), x->ne[0], 6, x->ne[2]);
    e0 = ggml_add(ctx, e0, in->ones6);
    for (int i = in->span.from; i < in->span.to; i++)
        x = add_block(dit, prompt, i, ctx, x, e0, in->place);
    return x;
}

static struct ggml_tensor *head(const struct zt_dit *dit, struct ggml_context *ctx,
                                const struct zt_dit_inputs *in, struct ggml_tensor *e,
                                struct ggml_tensor *x)
{
    const struct zt_dit_tensors *w = &dit->tensors;
    int64_t dim = x->ne[0], frames = x->ne[2];

    e = ggml_reshape_3d(ctx, ggml_get_rows(ctx, e, in->frame_time), dim, 1, frames);
    e = ggml_add(ctx, ggml_repeat_4d(ctx, e, dim, 2, frames, 1), w->head_modulation);
    e = ggml_add(ctx, e, in->ones2);
    return linear(ctx, &w->head, modulate(ctx, x, e, 0, 0));
}

struct zt_dit_outputs zt_dit_build(const struct zt_dit *dit, const struct zt_dit_prompt *prompt,
                                   struct ggml_context *ctx, const struct zt_dit_inputs *in)
{
    struct ggml_tensor *e = embed_time(dit, ctx, in);
    struct ggml_tensor *x = in->span.embeds ? linear(ctx, &dit->tensors.patch, in->patches)
                                            : ggml_cont(ctx, in->hidden); /* for work in place */
    struct zt_dit_outputs out = { 0 };

    if (in->span.from < in->span.to)
        x = add_blocks(dit, prompt, ctx, in, e, x);
    if (in->span.shows)
        out.hidden = ggml_cont(ctx, x); /* x is a view of memory that is used again */
    if (in->span.ends)
        out.v = head(dit, ctx, in, e, x);
    return out;
}

int zt_dit_build_nodes(const struct zt_dit *dit, struct zt_dit_size size)
{
    int64_t step = chunk_frames(dit, size.t, (int64_t)(size.h / 2) * (size.w / 2));
    int chunks = (int)((size.t + step - 1) / step);

    return NODES_FORWARD + dit->config.layers * (NODES_BLOCK + chunks * NODES_CHUNK);
}

/* Rows first ... first + n of a cache [head dim, 512, heads]. */
static void keep(struct zt_graph *graph, struct ggml_tensor *cache, struct ggml_tensor *rows,
                 int64_t first, int64_t n)
{
    struct ggml_context *ctx = zt_graph_ctx(graph);
    struct ggml_tensor *part = ggml_view_3d(ctx, cache, cache->ne[0], n, cache->ne[2], cache->nb[1],
                                            cache->nb[2], (size_t)first * cache->nb[1]);

    zt_graph_output(graph, ggml_cpy(ctx, rows, part), NULL);
}

/* rows [dim, n] into a cache; those that are missing equal the last. */
static void fill(struct zt_graph *graph, struct ggml_tensor *cache, struct ggml_tensor *rows,
                 int heads)
{
    struct ggml_context *ctx = zt_graph_ctx(graph);
    int64_t n = rows->ne[1], missing = ZT_DIT_TEXT_ROWS - n;

    keep(graph, cache, by_head(ctx, split_heads(ctx, rows, heads)), 0, n);
    if (missing == 0)
        return;
    struct ggml_tensor *last =
        ggml_view_2d(ctx, rows, rows->ne[0], 1, rows->nb[1], (size_t)(n - 1) * rows->nb[1]);
    last = ggml_reshape_3d(ctx, last, cache->ne[0], 1, heads);
    last = ggml_repeat_4d(ctx, last, cache->ne[0], missing, heads, 1);
    keep(graph, cache, last, n, missing);
}

void zt_dit_build_prompt(const struct zt_dit *dit, const struct zt_dit_prompt *prompt,
                         struct zt_graph *graph, struct ggml_tensor *text)
{
    const struct zt_dit_tensors *w = &dit->tensors;
    struct ggml_context *ctx = zt_graph_ctx(graph);
    int heads = dit->config.heads;
    struct ggml_tensor *c =
        linear(ctx, &w->text_out, zt_op_gelu(ctx, linear(ctx, &w->text_in, text)));

    for (int i = 0; i < dit->config.layers; i++) {
        const struct zt_dit_attention *a = &w->blocks[i].cross;
        struct ggml_tensor *k = zt_op_rms_norm(ctx, linear(ctx, &a->k, c), a->norm_k, ZT_DIT_EPS);

        fill(graph, prompt->k[i], k, heads);
        fill(graph, prompt->v[i], linear(ctx, &a->v, c), heads);
    }
}

int zt_dit_build_prompt_nodes(const struct zt_dit *dit)
{
    return NODES_PROMPT + dit->config.layers * NODES_PROMPT;
}
