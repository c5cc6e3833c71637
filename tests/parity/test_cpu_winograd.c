/*
 * test_cpu_winograd.c - convolutions of 3 x 3 by the fast CPU backend, channels last: against
 * float64, with 1, 2 and 3 threads to the byte; sizes that are no whole number of tiles, padding,
 * several times, more channels than are taken at once.
 */
#include "operations.h"

#define LEAST_TILES 64 /* from here on it is computed so */

struct shape {
    bool flat;
    enum ggml_type type;
    int64_t in, out, size[3], batch; /* by axis: x, y, time */
    int pad[3], stride_t;
};

/* Where a result looks, or NULL in the padding; x is [in, w, h, times or batch]. */
static const float *seen(const struct shape *s, const struct ggml_tensor *x, const int64_t at[3],
                         const int64_t tap[3], int64_t batch)
{
    int64_t from[3];

    for (int i = 0; i < 3; i++) {
        from[i] = at[i] * (i == 2 ? s->stride_t : 1) + tap[i] - s->pad[i];
        if (from[i] < 0 || from[i] >= s->size[i])
            return NULL;
    }
    return (const float *)x->data + ((from[2] + batch) * x->ne[2] + from[1]) * x->ne[1] * s->in +
           from[0] * s->in;
}

/* The kernel as [out][tap][in]; the caller frees it. */
static float *turn(const struct shape *s, const struct ggml_tensor *k, int64_t n_taps)
{
    int64_t n = ggml_nelements(k);
    zt_auto_free float *values = malloc((size_t)n * sizeof(float));
    float *turned = malloc((size_t)n * sizeof(float));

    if (s->type == GGML_TYPE_F16)
        ggml_fp16_to_fp32_row(k->data, values, n);
    else
        memcpy(values, k->data, (size_t)n * sizeof(float));
    for (int64_t i = 0; i < n; i++) { /* [out][in][tap] */
        int64_t tap = i % n_taps, c = i / n_taps % s->in, o = i / n_taps / s->in;
        turned[(o * n_taps + tap) * s->in + c] = values[i];
    }
    return turned;
}

static double *reference(const struct shape *s, const struct ggml_tensor *x,
                         const struct ggml_tensor *y, const struct ggml_tensor *k)
{
    int64_t frames = s->flat ? 1 : y->ne[2], n_taps = s->flat ? 9 : 27;
    zt_auto_free float *turned = turn(s, k, n_taps);
    double *want = malloc((size_t)ggml_nelements(y) * sizeof(double)), *to = want;

    for (int64_t b = 0; b < s->batch; b++)
        for (int64_t o = 0; o < s->out; o++)
            for (int64_t p = 0; p < y->ne[0] * y->ne[1] * frames; p++, to++) {
                double sum = 0;
                for (int64_t t = 0; t < n_taps; t++) {
                    const float *from = seen(s, x,
                                             (int64_t[]){ p % y->ne[0], p / y->ne[0] % y->ne[1],
                                                          p / y->ne[0] / y->ne[1] },
                                             (int64_t[]){ t % 3, t / 3 % 3, t / 9 }, b);
                    for (int64_t c = 0; from != NULL && c < s->in; c++)
                        sum += (double)from[c] * (double)turned[(o * n_taps + t) * s->in + c];
                }
                *to = sum;
            }
    return want;
}

static struct ggml_tensor *build(struct world *w, const struct shape *s, struct ggml_tensor **ret_x,
                                 struct ggml_tensor **ret_k)
{
    struct ggml_context *c = w->ctx;
    struct ggml_tensor *x = ggml_new_tensor_4d(c, GGML_TYPE_F32, s->in, s->size[0], s->size[1],
                                               s->flat ? s->batch : s->size[2]);
    struct ggml_tensor *k = s->flat ? ggml_new_tensor_4d(c, s->type, 3, 3, s->in, s->out)
                                    : ggml_new_tensor_4d(c, s->type, 3, 3, 3, s->in * s->out);

    *ret_x = x;
    *ret_k = k;
    if (s->flat)
        return ggml_conv_2d_direct(c, k, ggml_permute(c, x, 2, 0, 1, 3), 1, 1, s->pad[0], s->pad[1],
                                   1, 1);
    return ggml_conv_3d_direct(c, k, ggml_permute(c, x, 3, 0, 1, 2), 1, 1, s->stride_t, s->pad[0],
                               s->pad[1], s->pad[2], 1, 1, 1, (int)s->in, 1, (int)s->out);
}

static int64_t tiles(const struct ggml_tensor *y, bool flat)
{
    return (y->ne[0] + 3) / 4 * ((y->ne[1] + 3) / 4) * (flat ? 1 : y->ne[2]);
}

static void conv(const struct shape *s)
{
    struct world w = world_new();
    struct ggml_tensor *x, *k, *y = build(&w, s, &x, &k);
    char label[96];

    snprintf(label, sizeof(label), "%s %s, %d to %d, %d x %d x %d", s->flat ? "flat" : "in time",
             ggml_type_name(s->type), (int)s->in, (int)s->out, (int)s->size[0], (int)s->size[1],
             (int)s->size[2]);
    world_fill(&w);
    CHECK("tiles enough", tiles(y, s->flat) >= LEAST_TILES);
    zt_auto_free double *want = reference(s, x, y, k);
    compare(label, &w, y, want, s->type == GGML_TYPE_F32 ? 1e-5 : 2e-3);
    world_free(&w);
}

static void convolves(void)
{
    for (int round = 0; round < rounds; round++) {
        struct shape s = {
            .flat = round % 2 == 0,
            .type = round % 4 < 2 ? GGML_TYPE_F32 : GGML_TYPE_F16,
            .in = between(4, 7) * 8,
            .out = between(4, 7) * 8,
            .size = { between(33, 40), between(34, 38), 1 },
            .batch = 1,
            .pad = { (int)between(0, 2), (int)between(0, 2), 0 },
            .stride_t = 1,
        };
        if (s.flat) {
            s.batch = between(1, 2);
        } else {
            s.size[0] = between(17, 23);
            s.size[1] = between(15, 23);
            s.size[2] = between(7, 8);
            s.pad[2] = (int)between(0, 1);
            s.stride_t = (int)between(1, 2);
            s.size[2] += 2 * (s.stride_t - 1);
        }
        conv(&s);
    }
}

/* More channels in or out than are taken at once. */
static void takes_many_channels(void)
{
    static const int64_t channels[][2] = { { 520, 32 }, { 32, 264 } };

    for (size_t i = 0; i < ZT_COUNT(channels); i++)
        conv(&(struct shape){ .flat = true,
                              .type = GGML_TYPE_F32,
                              .in = channels[i][0],
                              .out = channels[i][1],
                              .size = { 30, 30, 1 },
                              .batch = 1,
                              .pad = { 1, 1, 0 },
                              .stride_t = 1 });
}

/*
 * A pixel that is NaN: all results that see it are, and no others but those of the same tiles, which
 * also shows that tiles are what is computed.
 */
static void passes_nan_on(void)
{
    const struct shape s = { .flat = true,
                             .type = GGML_TYPE_F32,
                             .in = 32,
                             .out = 32,
                             .size = { 32, 32, 1 },
                             .batch = 1,
                             .pad = { 1, 1, 0 },
                             .stride_t = 1 };
    struct world w = world_new();
    struct ggml_tensor *x, *k, *y = build(&w, &s, &x, &k);
    int64_t at[2] = { 11, 8 }, missed = 0, beyond = 0, same_tile = 0;

    world_fill(&w);
    ((float *)x->data)[(at[1] * 32 + at[0]) * 32 + 5] = NAN;
    CHECK_INT("runs", run(&w, fast[1], y), GGML_STATUS_SUCCESS);
    for (int64_t i = 0; i < ggml_nelements(y); i++) {
        int64_t px = i % 32, py = i / 32 % 32;
        bool is = isnan(((float *)y->data)[i]),
             sees = llabs(px - at[0]) < 2 && llabs(py - at[1]) < 2;
        bool near = px / 4 * 4 - 1 <= at[0] && px / 4 * 4 + 4 >= at[0] && py / 4 * 4 - 1 <= at[1] &&
                    py / 4 * 4 + 4 >= at[1];
        missed += sees && !is;
        beyond += is && !near;
        same_tile += is && !sees;
    }
    CHECK_INT("results that see it and are no NaN", missed, 0);
    CHECK_INT("NaN elsewhere", beyond, 0);
    CHECK("NaN in the rest of a tile", same_tile > 0);
    world_free(&w);
}

int main(int argc, char **argv)
{
    rounds = 6;
    take_rounds(argc, argv);
    zt_rng_init(&rng, 9, 0);
    start(ZT_FAST_ALL);
    RUN(convolves);
    RUN(takes_many_channels);
    RUN(passes_nan_on);
    stop_all();
    return check_done();
}
