/*
 * dit.c - opening a DiT, keeping prompts, running forward passes. Here the latent becomes tokens
 * and back; dit_graph.c has what lies between.
 */
#include "models/wan/dit_inside.h"

#include "base/arena.h"
#include "base/mem.h"
#include "tensor/weights.h"

#include <ggml-alloc.h>
#include <math.h>
#include <string.h>

#define TIME_PERIOD 10000.0
#define TIME_MAX    1000.0f
#define GRID_MAX    1024 /* patches along an axis: as far as the reference's tables reach */
#define CHUNK_BYTES ((int64_t)128 << 20) /* of the FFN's wide intermediate */
#define FRAMES_MAX  GRID_MAX
#define PATCH       4 /* pixels: 2 x 2 */

struct tokens {
    int64_t frame, all; /* in a frame, in all */
    int row;            /* in a row */
};

static struct tokens count_tokens(struct zt_dit_size size)
{
    int64_t frame = (int64_t)(size.h / 2) * (size.w / 2);

    return (struct tokens){ frame, frame * size.t, size.w / 2 };
}

/*
 * ggml's attention on the CPU computes in F32 and gains nothing from narrower keys and values; ours
 * does from BF16 on some CPUs, and such a model's own numbers have no more bits. On GPUs it is
 * written for F16.
 */
static enum ggml_type kv_type(struct zt_device *device, enum ggml_type type)
{
    bool cpu = zt_device_is_cpu(device);

    if (zt_device_bf16(device) && type != GGML_TYPE_F32 && type != GGML_TYPE_F16)
        return GGML_TYPE_BF16;
    return cpu || type == GGML_TYPE_F32 ? GGML_TYPE_F32 : GGML_TYPE_F16;
}

/* type: that of most of the model's numbers. */
static void settle(struct zt_dit *dit, enum ggml_type type)
{
    dit->kv_type = kv_type(dit->device, type);
    dit->chunk_tokens = (int)(CHUNK_BYTES / ((int64_t)sizeof(float) * dit->config.ffn));
}

enum zt_code zt_dit_open(const struct zt_weights *weights, int head_dim, enum zt_dit_w8a8 w8a8,
                         struct zt_device *device, zt_params_progress_fn *progress, void *user,
                         struct zt_dit **ret, struct zt_err *err)
{
    zt_auto(dit) struct zt_dit *d = zt_new(struct zt_dit);
    struct zt_arena arena = { 0 };
    struct zt_param *params;

    ZT_TRY(zt_dit_config_read(weights, head_dim, &d->config, err));
    d->device = device;
    size_t n = zt_dit_params_into(&d->config, w8a8, &d->tensors, &arena, &params);
    enum zt_code rc = zt_params_load(weights, "DiT", params, n, &zt_dit_names, device, progress,
                                     user, &d->params, err);
    zt_arena_clear(&arena);
    if (rc != ZT_OK)
        return rc;
    if (w8a8 != ZT_DIT_W8A8_NONE)
        zt_weights_rest(weights); /* what was rounded is not read again */
    settle(d, d->tensors.blocks[0].cross.k.w->type);
    *ret = zt_take_dit(&d);
    return ZT_OK;
}

void zt_dit_close(struct zt_dit *dit)
{
    if (dit == NULL)
        return;
    zt_params_free(dit->params);
    free(dit);
}

void zt_dit_set_scores(struct zt_dit *dit, enum zt_dit_scores scores)
{
    dit->int8_scores = scores == ZT_DIT_SCORES_INT8 && !zt_device_exact(dit->device);
}

const struct zt_dit_config *zt_dit_config(const struct zt_dit *dit)
{
    return &dit->config;
}

size_t zt_dit_bytes(const struct zt_dit *dit)
{
    return zt_params_bytes(dit->params);
}

size_t zt_dit_mapped_bytes(const struct zt_dit *dit)
{
    return zt_params_mapped_bytes(dit->params);
}

/* The prompt's tensors without memory. */
static enum zt_code describe_prompt(const struct zt_dit *dit, struct zt_dit_prompt *p,
                                    struct zt_err *err)
{
    const struct zt_dit_config *c = &dit->config;
    struct ggml_init_params params = {
        .mem_size = ggml_tensor_overhead() * 2 * (size_t)c->layers,
        .no_alloc = true,
    };

    p->ctx = ggml_init(params);
    if (p->ctx == NULL)
        return zt_fail(err, ZT_E_NOMEM, "no memory for a prompt's tensors");
    for (int i = 0; i < c->layers; i++) {
        struct ggml_tensor **both[] = { &p->k[i], &p->v[i] };
        for (size_t j = 0; j < ZT_COUNT(both); j++)
            *both[j] = ggml_new_tensor_3d(p->ctx, dit->kv_type, c->dim / c->heads, ZT_DIT_TEXT_ROWS,
                                          c->heads);
    }
    return ZT_OK;
}

static enum zt_code run_prompt(struct zt_dit *dit, const struct zt_dit_prompt *p, const float *text,
                               int rows, struct zt_err *err)
{
    zt_auto(graph) struct zt_graph *g = NULL;

    ZT_TRY(zt_graph_new(dit->device, zt_dit_build_prompt_nodes(dit), &g, err));
    zt_dit_build_prompt(dit, p, g,
                        zt_graph_input(g, "text", GGML_TYPE_F32,
                                       (int64_t[]){ dit->config.text_dim, rows, 1, 1 }, text));
    return zt_graph_run(g, err);
}

enum zt_code zt_dit_prompt_new(struct zt_dit *dit, const float *text, int rows,
                               struct zt_dit_prompt **ret, struct zt_err *err)
{
    zt_auto(dit_prompt) struct zt_dit_prompt *p = zt_new(struct zt_dit_prompt);
    zt_auto_free void *padded = NULL;
    size_t dim = (size_t)dit->config.text_dim;

    if (rows < 1 || rows > ZT_DIT_TEXT_ROWS)
        return zt_fail(err, ZT_E_INVALID, "a prompt has 1 to %d rows, not %d", ZT_DIT_TEXT_ROWS,
                       rows);
    ZT_TRY(describe_prompt(dit, p, err));
    p->buffer = ggml_backend_alloc_ctx_tensors_from_buft(p->ctx, zt_device_memory(dit->device));
    if (p->buffer == NULL)
        return zt_fail(err, ZT_E_NOMEM, "no memory on the device %s for a prompt",
                       zt_device_name(dit->device));
    /* One row of zeros stands for all that follow: what becomes of them is the same. */
    int given = rows < ZT_DIT_TEXT_ROWS ? rows + 1 : rows;
    ZT_TRY(zt_try_alloc((size_t)given * dim, sizeof(float), "a prompt", &padded, err));
    memcpy(padded, text, (size_t)rows * dim * sizeof(float));
    ZT_TRY(run_prompt(dit, p, padded, given, err));
    *ret = zt_take_dit_prompt(&p);
    return ZT_OK;
}

void zt_dit_prompt_free(struct zt_dit_prompt *prompt)
{
    if (prompt == NULL)
        return;
    ggml_backend_buffer_free(prompt->buffer);
    ggml_free(prompt->ctx);
    free(prompt);
}

size_t zt_dit_prompt_bytes(const struct zt_dit_prompt *prompt)
{
    return ggml_backend_buffer_get_size(prompt->buffer);
}

/* What a forward pass reads from and writes to on the host. */
struct host {
    float *patches, *out; /* [tokens][4 * channels] */
    float *sinusoids;     /* [distinct][256] */
    int32_t *place;       /* [3][tokens] */
    int32_t frame_time[FRAMES_MAX];
    int distinct;
    float *in, *kept; /* the residual stream, where a span is not the whole: a cache's memory */
};

static void host_free(struct host *host)
{
    free(host->patches);
    free(host->out);
    free(host->sinusoids);
    free(host->place);
    free(host);
}
ZT_AUTO(struct host, host, host_free)

static enum zt_code host_new(const struct zt_dit *dit, struct zt_dit_size size, struct host **ret,
                             struct zt_err *err)
{
    zt_auto(host) struct host *h = zt_new(struct host);
    size_t n = (size_t)count_tokens(size).all;
    size_t values = PATCH * (size_t)dit->config.channels;
    const struct {
        void **to;
        size_t n, size;
    } parts[] = {
        { (void **)&h->patches, n * values, sizeof(float) },
        { (void **)&h->out, n * values, sizeof(float) },
        { (void **)&h->sinusoids, (size_t)size.t * ZT_DIT_FREQ_DIM, sizeof(float) },
        { (void **)&h->place, 3 * n, sizeof(int32_t) },
    };

    for (size_t i = 0; i < ZT_COUNT(parts); i++)
        ZT_TRY(zt_try_alloc(parts[i].n, parts[i].size, "a latent's tokens", parts[i].to, err));
    *ret = zt_take_host(&h);
    return ZT_OK;
}

/* Where a pixel of a latent's channel lies, and where its value stands in its token. */
struct spot {
    size_t pixel, token, corner; /* corner: 2 * dy + dx */
};

static struct spot spot_at(struct zt_dit_size s, int f, int y, int x)
{
    size_t w = (size_t)s.w, row = (size_t)f * (size_t)s.h + (size_t)y;
    size_t token_row = (size_t)f * (size_t)(s.h / 2) + (size_t)(y / 2);

    return (struct spot){ row * w + (size_t)x, token_row * (w / 2) + (size_t)(x / 2),
                          (size_t)(y % 2 * 2 + x % 2) };
}

/*
 * Latent to tokens or back. Within a token the order is (channel, dy, dx) on the way in and
 * (dy, dx, channel) on the way out.
 */
static void patchify(const float *x, size_t channels, struct zt_dit_size size, float *patches)
{
    size_t plane = (size_t)size.t * (size_t)size.h * (size_t)size.w;

    for (size_t c = 0; c < channels; c++)
        for (int f = 0; f < size.t; f++)
            for (int y = 0; y < size.h; y++)
                for (int i = 0; i < size.w; i++) {
                    struct spot p = spot_at(size, f, y, i);
                    patches[(p.token * channels + c) * PATCH + p.corner] = x[c * plane + p.pixel];
                }
}

static void unpatchify(const float *out, size_t channels, struct zt_dit_size size, float *v)
{
    size_t plane = (size_t)size.t * (size_t)size.h * (size_t)size.w;

    for (size_t c = 0; c < channels; c++)
        for (int f = 0; f < size.t; f++)
            for (int y = 0; y < size.h; y++)
                for (int i = 0; i < size.w; i++) {
                    struct spot p = spot_at(size, f, y, i);
                    v[c * plane + p.pixel] = out[(p.token * PATCH + p.corner) * channels + c];
                }
}

/* Cosines first; in double, as at t = 999 a float's angle is off by 3e-5. */
static void sinusoid(double t, float *dst)
{
    int half = ZT_DIT_FREQ_DIM / 2;

    for (int k = 0; k < half; k++) {
        double angle = t * pow(TIME_PERIOD, -(double)k / half);
        dst[k] = (float)cos(angle);
        dst[half + k] = (float)sin(angle);
    }
}

/* Each timestep that occurs is embedded once; frames index it. */
static void embed_times(const float *t, int frames, struct host *h)
{
    int first[FRAMES_MAX]; /* the frame where a distinct timestep occurred first */

    h->distinct = 0;
    for (int f = 0; f < frames; f++) {
        int i = 0;
        while (i < h->distinct && t[first[i]] != t[f])
            i++;
        if (i == h->distinct) {
            sinusoid(t[f], h->sinusoids + (size_t)i * ZT_DIT_FREQ_DIM);
            first[h->distinct++] = f;
        }
        h->frame_time[f] = i;
    }
}

static void place_tokens(struct zt_dit_size size, int32_t *place)
{
    struct tokens n = count_tokens(size);

    for (int64_t i = 0; i < n.all; i++) {
        place[i] = (int32_t)(i / n.frame);
        place[n.all + i] = (int32_t)(i % n.frame / n.row);
        place[2 * n.all + i] = (int32_t)(i % n.frame % n.row);
    }
}

enum zt_code zt_dit_check_size(const struct zt_dit_config *c, struct zt_dit_size s,
                               struct zt_err *err)
{
    if (s.t < 1 || s.h < 2 || s.w < 2 || s.h % 2 != 0 || s.w % 2 != 0 || s.t > GRID_MAX ||
        s.h / 2 > GRID_MAX || s.w / 2 > GRID_MAX)
        return zt_fail(err, ZT_E_INVALID,
                       "a latent has 1 to %d frames and an even height and width of 2 to %d, "
                       "not %d frames of %d x %d",
                       GRID_MAX, 2 * GRID_MAX, s.t, s.w, s.h);
    /* ggml keeps some offsets in 32 bits. */
    int64_t most = INT32_MAX / ((int64_t)sizeof(float) * c->dim);
    if (count_tokens(s).all > most)
        return zt_fail(err, ZT_E_LIMIT,
                       "%d frames of %d x %d are %lld tokens; this model's limit is %lld", s.t, s.w,
                       s.h, (long long)count_tokens(s).all, (long long)most);
    return ZT_OK;
}

static enum zt_code check_times(const float *t, int frames, struct zt_err *err)
{
    for (int f = 0; f < frames; f++)
        if (!(t[f] >= 0 && t[f] <= TIME_MAX))
            return zt_fail(err, ZT_E_INVALID, "a timestep is 0 to %g, not %g", (double)TIME_MAX,
                           (double)t[f]);
    return ZT_OK;
}

static struct zt_dit_span whole(const struct zt_dit *dit)
{
    return (struct zt_dit_span){ .to = dit->config.layers, .embeds = true, .ends = true };
}

/* The graph with its inputs; of `h` only `distinct` is read before the graph runs. */
static enum zt_code build(const struct zt_dit *dit, const struct zt_dit_prompt *prompt,
                          struct zt_dit_size size, struct zt_dit_span span, struct host *h,
                          struct zt_graph **ret, struct zt_err *err)
{
    static const float ones[] = { 0, 1, 0, 0, 1, 0 };
    zt_auto(graph) struct zt_graph *g = NULL;
    struct tokens n = count_tokens(size);
    int64_t values = PATCH * (int64_t)dit->config.channels;
    struct zt_dit_inputs in = { .span = span };

    ZT_TRY(zt_graph_new(dit->device, zt_dit_build_nodes(dit, size), &g, err));
    if (span.embeds)
        in.patches = zt_graph_input(g, "patches", GGML_TYPE_F32,
                                    (int64_t[]){ values, n.frame, size.t, 1 }, h->patches);
    else
        in.hidden = zt_graph_input(g, "hidden", GGML_TYPE_F32,
                                   (int64_t[]){ dit->config.dim, n.frame, size.t, 1 }, h->in);
    in.sinusoids = zt_graph_input(g, "time", GGML_TYPE_F32,
                                  (int64_t[]){ ZT_DIT_FREQ_DIM, h->distinct, 1, 1 }, h->sinusoids);
    in.frame_time = zt_graph_input(g, "frame_time", GGML_TYPE_I32, (int64_t[]){ size.t, 1, 1, 1 },
                                   h->frame_time);
    in.ones6 = zt_graph_input(g, "ones6", GGML_TYPE_F32, (int64_t[]){ 1, 6, 1, 1 }, ones);
    in.ones2 = zt_graph_input(g, "ones2", GGML_TYPE_F32, (int64_t[]){ 1, 2, 1, 1 }, ones);
    for (int i = 0; i < 3; i++)
        in.place[i] = zt_graph_input(g, "place", GGML_TYPE_I32, (int64_t[]){ n.all, 1, 1, 1 },
                                     h->place + i * n.all);
    const struct zt_dit_outputs out = zt_dit_build(dit, prompt, zt_graph_ctx(g), &in);
    if (out.hidden != NULL)
        zt_graph_output(g, out.hidden, h->kept);
    if (out.v != NULL)
        zt_graph_output(g, out.v, h->out);
    *ret = zt_take_graph(&g);
    return ZT_OK;
}

/* What a pass takes, but for the residual stream. */
static enum zt_code begin(const struct zt_dit *dit, struct zt_dit_size size, const float *x,
                          const float *t, struct host **ret, struct zt_err *err)
{
    ZT_TRY(zt_dit_check_size(&dit->config, size, err));
    ZT_TRY(check_times(t, size.t, err));
    ZT_TRY(host_new(dit, size, ret, err));
    patchify(x, (size_t)dit->config.channels, size, (*ret)->patches);
    embed_times(t, size.t, *ret);
    place_tokens(size, (*ret)->place);
    return ZT_OK;
}

static enum zt_code run(const struct zt_dit *dit, const struct zt_dit_prompt *prompt,
                        struct zt_dit_size size, struct zt_dit_span span, struct host *h,
                        struct zt_err *err)
{
    zt_auto(graph) struct zt_graph *g = NULL;

    ZT_TRY(build(dit, prompt, size, span, h, &g, err));
    return zt_graph_run(g, err);
}

enum zt_code zt_dit_forward(struct zt_dit *dit, const struct zt_dit_prompt *prompt,
                            struct zt_dit_size size, const float *x, const float *t, float *v,
                            struct zt_err *err)
{
    zt_auto(host) struct host *h = NULL;

    ZT_TRY(begin(dit, size, x, t, &h, err));
    ZT_TRY(run(dit, prompt, size, whole(dit), h, err));
    unpatchify(h->out, (size_t)dit->config.channels, size, v);
    return ZT_OK;
}

/* ---- with a cache -------------------------------------------------------------------------- */

/* c->hidden: after the first block; c->now: what it added. */
static enum zt_code run_first(const struct zt_dit *dit, const struct zt_dit_prompt *prompt,
                              struct zt_dit_cache *c, struct host *h, struct zt_err *err)
{
    const struct zt_dit_span embedding = { .embeds = true, .shows = true };
    const struct zt_dit_span first = { .to = 1, .shows = true };

    h->kept = h->in = c->now;
    ZT_TRY(run(dit, prompt, c->size, embedding, h, err));
    h->kept = c->hidden;
    ZT_TRY(run(dit, prompt, c->size, first, h, err));
    for (size_t i = 0; i < c->values; i++)
        c->now[i] = c->hidden[i] - c->now[i];
    return ZT_OK;
}

static enum zt_code run_others(const struct zt_dit *dit, const struct zt_dit_prompt *prompt,
                               struct zt_dit_cache *c, int place, struct host *h,
                               struct zt_err *err)
{
    const struct zt_dit_span others = {
        .from = 1, .to = dit->config.layers, .shows = true, .ends = true
    };
    float *rest = c->rest[place];

    c->filled[place] = false; /* until all of it is there */
    h->in = c->hidden;
    h->kept = rest;
    ZT_TRY(run(dit, prompt, c->size, others, h, err));
    for (size_t i = 0; i < c->values; i++)
        rest[i] -= c->hidden[i];
    if (place == 0) {
        float *spare = c->first;
        c->first = c->now;
        c->now = spare;
    }
    c->filled[place] = true;
    return ZT_OK;
}

static enum zt_code run_short(const struct zt_dit *dit, const struct zt_dit_prompt *prompt,
                              struct zt_dit_cache *c, int place, struct host *h, struct zt_err *err)
{
    const struct zt_dit_span end = { .ends = true };

    for (size_t i = 0; i < c->values; i++)
        c->hidden[i] += c->rest[place][i];
    h->in = c->hidden;
    return run(dit, prompt, c->size, end, h, err);
}

enum zt_code zt_dit_forward_cached(struct zt_dit *dit, const struct zt_dit_prompt *prompt,
                                   struct zt_dit_reuse *reuse, const float *x, const float *t,
                                   float *v, struct zt_err *err)
{
    zt_auto(host) struct host *h = NULL;
    struct zt_dit_cache *c = reuse->cache;
    int place = reuse->place;
    bool asked = reuse->threshold > 0 && reuse->threshold < INFINITY;

    zt_assert(place >= 0 && place < c->prompts && (place == 0 || !asked));
    reuse->change = INFINITY;
    ZT_TRY(begin(dit, c->size, x, t, &h, err));
    ZT_TRY(run_first(dit, prompt, c, h, err));
    if (asked && c->filled[place])
        reuse->change = zt_dit_cache_change(c, t);
    reuse->reused =
        c->filled[place] && reuse->threshold > 0 && (!asked || reuse->change < reuse->threshold);
    ZT_TRY(reuse->reused ? run_short(dit, prompt, c, place, h, err)
                         : run_others(dit, prompt, c, place, h, err));
    unpatchify(h->out, (size_t)dit->config.channels, c->size, v);
    return ZT_OK;
}

enum zt_code zt_dit_describe(const struct zt_dit_config *config, enum ggml_type type,
                             enum zt_dit_w8a8 w8a8, struct zt_device *device,
                             struct ggml_context *ctx[2], struct zt_dit **ret, struct zt_err *err)
{
    zt_auto(dit) struct zt_dit *d = zt_new(struct zt_dit);
    struct zt_arena arena = { 0 };
    struct zt_param *params;

    d->config = *config;
    d->device = device;
    size_t n = zt_dit_params_into(config, w8a8, &d->tensors, &arena, &params);
    const struct ggml_init_params init = { .mem_size = n * ggml_tensor_overhead(),
                                           .no_alloc = true };
    ctx[0] = ggml_init(init);
    ctx[1] = ggml_init(init);
    bool made = ctx[0] != NULL && ctx[1] != NULL;
    for (size_t i = 0; made && i < n; i++) {
        const struct zt_param *p = &params[i];
        bool fits = p->kind == ZT_PARAM_MATRIX && p->ne[0] % ggml_blck_size(type) == 0;
        *p->slot = p->kind == ZT_PARAM_W8A8
                       ? ggml_new_tensor(ctx[1], GGML_TYPE_I8, 4, p->ne)
                       : ggml_new_tensor(ctx[0], fits ? type : GGML_TYPE_F32, 4, p->ne);
    }
    zt_arena_clear(&arena);
    if (!made)
        return zt_fail(err, ZT_E_NOMEM, "no memory for a model's tensors");
    settle(d, type);
    *ret = zt_take_dit(&d);
    return ZT_OK;
}

/* Tensors that count as having memory of this type; nothing reads them. *ret is to be freed. */
static enum zt_code pretend(struct ggml_context *ctx, ggml_backend_buffer_type_t type,
                            ggml_backend_buffer_t *ret, struct zt_err *err)
{
    struct ggml_tensor *t = ggml_get_first_tensor(ctx);

    *ret = ggml_backend_buft_alloc_buffer(type, 0);
    if (*ret == NULL)
        return zt_fail(err, ZT_E_NOMEM, "no memory to measure");
    ggml_backend_buffer_set_usage(*ret, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    for (; t != NULL; t = ggml_get_next_tensor(ctx, t)) {
        t->buffer = *ret;
        t->data = *ret;
    }
    return ZT_OK;
}

/* ggml's CPU products keep their right side a second time, in the partner type of the left. */
static size_t product_bytes(const struct zt_dit *dit, enum ggml_type type, struct zt_dit_size size)
{
    struct tokens n = count_tokens(size);
    int64_t chunk = dit->chunk_tokens > n.frame ? dit->chunk_tokens : n.frame;
    int64_t narrow = n.all * dit->config.dim;
    int64_t wide = (chunk < n.all ? chunk : n.all) * dit->config.ffn;

    return type == GGML_TYPE_F32 ? 0
                                 : sizeof(ggml_fp16_t) * (size_t)(narrow > wide ? narrow : wide);
}

static enum zt_code measure(struct zt_dit *dit, struct zt_dit_prompt *prompt,
                            struct zt_dit_size size, size_t *ret, struct zt_err *err)
{
    zt_auto(host) struct host *h = NULL;
    zt_auto(graph) struct zt_graph *g = NULL;

    ZT_TRY(describe_prompt(dit, prompt, err));
    ZT_TRY(pretend(prompt->ctx, zt_device_memory(dit->device), &prompt->buffer, err));
    ZT_TRY(host_new(dit, size, &h, err));
    h->distinct = size.t < 2 ? 1 : 2;
    ZT_TRY(build(dit, prompt, size, whole(dit), h, &g, err));
    *ret = zt_graph_bytes(g);
    return *ret > 0 ? ZT_OK : zt_fail(err, ZT_E_NOMEM, "no memory to measure a graph");
}

/* Both kinds of weights, then a pass. */
static enum zt_code measure_with(struct zt_dit *dit, struct ggml_context *const ctx[2],
                                 ggml_backend_buffer_t none[2], struct zt_dit_size size,
                                 size_t *ret, struct zt_err *err)
{
    zt_auto(dit_prompt) struct zt_dit_prompt *prompt = zt_new(struct zt_dit_prompt);
    const char *why;

    ZT_TRY(pretend(ctx[0], zt_device_weights(dit->device), &none[0], err));
    if (ggml_get_first_tensor(ctx[1]) != NULL) {
        ggml_backend_buffer_type_t type = zt_device_w8a8(dit->device, &why);
        if (type == NULL)
            return zt_fail(err, ZT_E_UNSUPPORTED, "no 8-bit products: %s", why);
        ZT_TRY(pretend(ctx[1], type, &none[1], err));
    }
    return measure(dit, prompt, size, ret, err);
}

enum zt_code zt_dit_working_bytes(const struct zt_dit_config *config, enum ggml_type type,
                                  enum zt_dit_w8a8 w8a8, struct zt_device *device,
                                  struct zt_dit_size size, size_t *ret, struct zt_err *err)
{
    zt_auto(dit) struct zt_dit *d = NULL;
    struct ggml_context *ctx[2] = { NULL, NULL };
    ggml_backend_buffer_t none[2] = { NULL, NULL };
    size_t bytes = 0;

    ZT_TRY(zt_dit_check_size(config, size, err));
    enum zt_code rc = zt_dit_describe(config, type, w8a8, device, ctx, &d, err);
    if (rc == ZT_OK) {
        zt_assert(d != NULL);
        rc = measure_with(d, ctx, none, size, &bytes, err);
        bytes += product_bytes(d, type, size);
    }
    for (int i = 0; i < 2; i++) {
        ggml_backend_buffer_free(none[i]);
        ggml_free(ctx[i]);
    }
    if (rc == ZT_OK)
        *ret = bytes;
    return rc;
}

enum zt_code zt_dit_weight_bytes(const struct zt_weights *weights, int head_dim,
                                 enum zt_dit_w8a8 w8a8, const struct zt_device *device, size_t *ret,
                                 struct zt_err *err)
{
    struct zt_dit_config config = { 0 };
    struct zt_arena arena = { 0 };
    struct zt_param *params;
    size_t own = 0, mapped = 0;

    ZT_TRY(zt_dit_config_read(weights, head_dim, &config, err));
    size_t n = zt_dit_params_into(&config, w8a8, NULL, &arena, &params);
    enum zt_code rc =
        zt_params_measure(weights, "DiT", params, n, &zt_dit_names, device, &own, &mapped, err);
    zt_arena_clear(&arena);
    if (rc == ZT_OK)
        *ret = own + mapped;
    return rc;
}

size_t zt_dit_kept_bytes(const struct zt_dit_config *config, enum ggml_type type,
                         struct zt_device *device)
{
    return 2 * (size_t)config->layers * ZT_DIT_TEXT_ROWS *
           ggml_row_size(kv_type(device, type), config->dim);
}
