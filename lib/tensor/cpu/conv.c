/*
 * conv.c - GGML_OP_CONV_2D and GGML_OP_CONV_3D as products without the blown-up picture: a task
 * gathers what a few hundred pixels of the result see, a part of the kernel at a time, and
 * multiplies.
 *
 * The result lies [pixels] by channel, so a task's product is kernel [out][seen] times gathered
 * pixels. The picture comes in one of two layouts, each gathered in runs of memory:
 *   channels last    gathered [pixel][tap, channel]; the kernel is turned to [out][tap, channel]
 *   channels apart   gathered [channel, tap][pixel]; the kernel is [out][channel, tap] already
 * A "slab" is the part of the sum done in one go: taps of all channels, or channels of all taps.
 * Kernels of 3 x 3 with channels last are mostly winograd.c's.
 */
#include "tensor/cpu/inside.h"
#include "tensor/cpu/winograd.h"

#include <string.h>

#define TILE        256  /* pixels of a task */
#define SLAB_FLOATS 4096 /* about what a slab sums over */
#define LEAST_SEEN  64
#define MOST_SEEN   (1 << 20)
#define KERNEL_ROWS 4  /* rows of the kernel that a task unpacks */
#define LINE        16 /* floats that come into the cache at once */

struct conv {
    enum ggml_type type;
    const char *kernel;
    size_t kernel_step; /* bytes of one channel out */
    bool last;          /* channels are what lies next to each other */
    int64_t in, out, batch;
    /* by axis: x, y, time */
    int64_t size[3], pad[3], stride[3], dilation[3], taps[3], to[3], step[3];
    int64_t channel_step, batch_step; /* in floats, as step */
    const float *x;
    float *y; /* [batch][out][to[2]][to[1]][to[0]] */
    int64_t n_taps, pixels, y_batch, y_out;
    /* the slab */
    float *slab; /* [out][slab_n] */
    int64_t slab_first, slab_count, slab_n;
};

static int64_t floats_of(size_t bytes)
{
    return (int64_t)(bytes / sizeof(float));
}

/* The two operations in one description. */
static struct conv describe(const struct ggml_tensor *op)
{
    const struct ggml_tensor *w = op->src[0], *x = op->src[1];
    bool flat = op->op == GGML_OP_CONV_2D;
    int axes = flat ? 2 : 3;
    struct conv c = { .type = w->type, .kernel = w->data, .x = x->data, .y = op->data };

    for (int i = 0; i < 3; i++) {
        bool has = i < axes;
        c.size[i] = has ? x->ne[i] : 1;
        c.taps[i] = has ? w->ne[i] : 1;
        c.to[i] = has ? op->ne[i] : 1;
        c.step[i] = has ? floats_of(x->nb[i]) : 0;
        c.stride[i] = has ? op->op_params[i] : 1;
        c.pad[i] = has ? op->op_params[axes + i] : 0;
        c.dilation[i] = has ? op->op_params[2 * axes + i] : 1;
    }
    c.in = flat ? w->ne[2] : op->op_params[9];
    c.out = flat ? w->ne[3] : op->op_params[11];
    c.batch = flat ? x->ne[3] : op->op_params[10];
    c.channel_step = floats_of(x->nb[axes]);
    c.batch_step = flat ? floats_of(x->nb[3]) : c.channel_step * c.in;
    c.last = x->nb[axes] == sizeof(float) && x->nb[0] >= (size_t)c.in * sizeof(float);
    c.n_taps = c.taps[0] * c.taps[1] * c.taps[2];
    c.kernel_step = ggml_row_size(w->type, c.n_taps * c.in);
    c.pixels = c.to[0] * c.to[1] * c.to[2];
    c.y_out = c.pixels;
    c.y_batch = c.pixels * c.out;
    return c;
}

bool zt_fast_can_conv(const struct ggml_tensor *op)
{
    const struct ggml_tensor *w = op->src[0], *x = op->src[1];

    if (op->type != GGML_TYPE_F32 || x->type != GGML_TYPE_F32 || !ggml_is_contiguous(op) ||
        !ggml_is_contiguous(w) || (w->type != GGML_TYPE_F32 && w->type != GGML_TYPE_F16))
        return false;
    for (int i = 0; i < 4; i++)
        if (x->nb[i] % sizeof(float) != 0)
            return false;
    struct conv c = describe(op);
    return (c.last || x->nb[0] == sizeof(float)) && c.in * c.n_taps <= MOST_SEEN;
}

bool zt_fast_worth_conv(const struct ggml_tensor *op)
{
    struct conv c = describe(op);

    return c.in * c.n_taps >= LEAST_SEEN &&
           c.pixels * c.out * c.in * c.n_taps >= ZT_FAST_LEAST_WORK;
}

/* Rows of the kernel's slab as floats, in the order of what is gathered. */
static bool unpack(const void *user, int64_t task, float *scratch)
{
    const struct conv *c = user;
    int64_t end = zt_fast_least((task + 1) * KERNEL_ROWS, c->out);

    for (int64_t o = task * KERNEL_ROWS; o < end; o++) {
        const char *from = c->kernel + (size_t)o * c->kernel_step;
        float *to = c->slab + o * c->slab_n;
        if (!c->last) {
            zt_fast_unpack(c->type, from + ggml_row_size(c->type, c->slab_first * c->n_taps), to,
                           c->slab_n);
            continue;
        }
        zt_fast_unpack(c->type, from, scratch, c->in * c->n_taps);
        for (int64_t t = 0; t < c->slab_count; t++)
            for (int64_t i = 0; i < c->in; i++)
                to[t * c->in + i] = scratch[i * c->n_taps + c->slab_first + t];
    }
    return true;
}

/* Where along an axis the tap of a result's pixel looks; -1: into the padding. */
static int64_t look(const struct conv *c, int axis, int64_t at, int64_t tap)
{
    int64_t from = at * c->stride[axis] + tap * c->dilation[axis] - c->pad[axis];

    return from >= 0 && from < c->size[axis] ? from : -1;
}

/* Pixels first ... first + n as [pixel][tap, channel]. */
static void gather_last(const struct conv *c, const float *x, int64_t first, int64_t n, float *to)
{
    for (int64_t p = first; p < first + n; p++) {
        int64_t at[3] = { p % c->to[0], p / c->to[0] % c->to[1], p / c->to[0] / c->to[1] };
        for (int64_t t = c->slab_first; t < c->slab_first + c->slab_count; t++, to += c->in) {
            int64_t i = look(c, 0, at[0], t % c->taps[0]);
            int64_t j = look(c, 1, at[1], t / c->taps[0] % c->taps[1]);
            int64_t k = look(c, 2, at[2], t / c->taps[0] / c->taps[1]);
            if (i < 0 || j < 0 || k < 0)
                memset(to, 0, (size_t)c->in * sizeof(float));
            else
                memcpy(to, x + i * c->step[0] + j * c->step[1] + k * c->step[2],
                       (size_t)c->in * sizeof(float));
        }
    }
}

/* n pixels of a row of the result from column `first` on, of one channel and tap. */
static void gather_row(const struct conv *c, const float *row, int64_t first, int64_t n,
                       int64_t tap, float *to)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t from = look(c, 0, first + i, tap);
        to[i] = from < 0 ? 0 : row[from];
    }
}

/* The same pixels as [channel, tap][pixel], rows n apart. */
static void gather_apart(const struct conv *c, const float *x, int64_t first, int64_t n, float *to)
{
    for (int64_t r = 0; r < c->slab_n; r++, to += n) {
        int64_t t = r % c->n_taps;
        const float *plane = x + (c->slab_first + r / c->n_taps) * c->channel_step;
        for (int64_t p = first, run; p < first + n; p += run) {
            int64_t column = p % c->to[0];
            run = zt_fast_least(c->to[0] - column, first + n - p);
            int64_t j = look(c, 1, p / c->to[0] % c->to[1], t / c->taps[0] % c->taps[1]);
            int64_t k = look(c, 2, p / c->to[0] / c->to[1], t / c->taps[0] / c->taps[1]);
            if (j < 0 || k < 0)
                memset(to + (p - first), 0, (size_t)run * sizeof(float));
            else
                gather_row(c, plane + j * c->step[1] + k * c->step[2], column, run, t % c->taps[0],
                           to + (p - first));
        }
    }
}

static bool multiply(const void *user, int64_t task, float *scratch)
{
    const struct conv *c = user;
    int64_t across = zt_fast_parts(c->pixels, TILE);
    int64_t first = task % across * TILE, n = zt_fast_least(c->pixels - first, TILE);
    const float *x = c->x + task / across * c->batch_step;

    (c->last ? gather_last : gather_apart)(c, x, first, n, scratch);
    return zt_fast_gemm(&(struct zt_fast_gemm){
        .m = c->out,
        .n = n,
        .k = c->slab_n,
        .a = c->slab,
        .lda = c->slab_n,
        .b = scratch,
        .ldb = c->last ? c->slab_n : n,
        .b_by_column = c->last,
        .c = c->y + task / across * c->y_batch + first,
        .ldc = c->y_out,
        .alpha = 1,
        .add = c->slab_first > 0,
    });
}

/* Kernels of 3 x 3 that go from pixel to pixel, with channels enough. */
static bool is_for_winograd(const struct conv *c)
{
    bool is =
        c->last && zt_winograd_takes(c->in) && zt_winograd_takes(c->out) && c->dilation[2] == 1;

    for (int i = 0; i < 2; i++)
        is &= c->taps[i] == 3 && c->stride[i] == 1 && c->dilation[i] == 1;
    return is;
}

static struct zt_winograd winograd_of(const struct conv *c)
{
    struct zt_winograd w = {
        .type = c->type,
        .kernel = c->kernel,
        .kernel_step = c->kernel_step,
        .in = c->in,
        .out = c->out,
        .times = c->taps[2],
        .x = c->x,
        .y = c->y,
        .stride_t = c->stride[2],
        .batch = c->batch,
        .x_batch = c->batch_step,
        .y_batch = c->y_batch,
    };

    for (int i = 0; i < 3; i++) {
        w.size[i] = c->size[i];
        w.step[i] = c->step[i];
        w.pad[i] = c->pad[i];
        w.to[i] = c->to[i];
    }
    return w;
}

bool zt_fast_conv(struct zt_fast *fast, struct ggml_tensor *op)
{
    struct conv c = describe(op);
    struct zt_winograd winograd = winograd_of(&c);

    if (is_for_winograd(&c) && zt_winograd_worth(&winograd))
        return zt_winograd(fast, &winograd);
    /* A slab counts taps of all channels, or channels of all taps. */
    int64_t parts = c.last ? c.n_taps : c.in, each = c.last ? c.in : c.n_taps;
    int64_t most = zt_fast_least(parts, SLAB_FLOATS / each > 0 ? SLAB_FLOATS / each : 1);

    c.slab = zt_fast_shared(fast, (size_t)(c.out * most * each));
    if (c.slab == NULL)
        return false;
    for (c.slab_first = 0; c.slab_first < parts; c.slab_first += c.slab_count) {
        c.slab_count = zt_fast_least(most, parts - c.slab_first);
        c.slab_n = c.slab_count * each;
        if (!zt_fast_for(fast, zt_fast_parts(c.out, KERNEL_ROWS),
                         c.last ? (size_t)(c.in * c.n_taps) : 0, unpack, &c) ||
            !zt_fast_for(fast, c.batch * zt_fast_parts(c.pixels, TILE), (size_t)(TILE * c.slab_n),
                         multiply, &c))
            return false;
    }
    return true;
}

/* ---- the copy that puts channels last ------------------------------------------------------- */

static const struct ggml_tensor *turned_conv(const struct ggml_tensor *op)
{
    const struct ggml_tensor *y = op->src[0]->op == GGML_OP_PERMUTE ? op->src[0]->src[0] : NULL;

    return y != NULL && (y->op == GGML_OP_CONV_2D || y->op == GGML_OP_CONV_3D) ? y : NULL;
}

bool zt_fast_can_turn(const struct ggml_tensor *op)
{
    const struct ggml_tensor *y = turned_conv(op);

    return y != NULL && zt_fast_can_conv(y) && op->type == GGML_TYPE_F32 &&
           ggml_is_contiguous(op) && ggml_are_same_shape(op, op->src[0]) &&
           op->src[0]->nb[1] == sizeof(float);
}

bool zt_fast_worth_turn(const struct ggml_tensor *op)
{
    return zt_fast_worth_conv(turned_conv(op));
}

/* Pixels first ... first + n, of one line of the picture: next to each other in every channel. */
static void turn_pixels(const struct ggml_tensor *op, int64_t first, int64_t n)
{
    const struct ggml_tensor *from = op->src[0];
    int64_t at[3] = { first % op->ne[1], first / op->ne[1] % op->ne[2],
                      first / op->ne[1] / op->ne[2] };
    const float *in = from->data;
    float *out = (float *)op->data + first * op->ne[0];
    int64_t step = floats_of(from->nb[0]);

    for (int i = 0; i < 3; i++)
        in += at[i] * floats_of(from->nb[i + 1]);
    for (int64_t c = 0; c < op->ne[0]; c++)
        for (int64_t i = 0; i < n; i++)
            out[i * op->ne[0] + c] = in[c * step + i];
}

static bool turn(const void *user, int64_t task, float *scratch)
{
    const struct ggml_tensor *op = user;
    int64_t end = zt_fast_least((task + 1) * TILE, ggml_nrows(op)), n;

    (void)scratch;
    for (int64_t r = task * TILE; r < end; r += n) {
        n = zt_fast_least(zt_fast_least(LINE, op->ne[1] - r % op->ne[1]), end - r);
        turn_pixels(op, r, n);
    }
    return true;
}

bool zt_fast_turn(struct zt_fast *fast, struct ggml_tensor *op)
{
    return zt_fast_for(fast, zt_fast_parts(ggml_nrows(op), TILE), 0, turn, op);
}
