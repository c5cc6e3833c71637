/*
 * test_cpu_backend.c - the fast CPU backend, operation by operation: against a float64 reference,
 * against ggml's CPU backend, with 1, 2 and 3 threads to the byte, over random shapes, strides and
 * types. Results are poisoned with NaN before each run. Attention is in test_cpu_attention.c.
 */
#include "operations.h"
#include "tensor/attention8.h"
#include "tensor/cpu/inside.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static double *product_reference(const struct ggml_tensor *y)
{
    const struct ggml_tensor *w = y->src[0], *x = y->src[1];
    double *want = malloc((size_t)ggml_nelements(y) * sizeof(double)), *to = want;

    for (int64_t i3 = 0; i3 < y->ne[3]; i3++)
        for (int64_t i2 = 0; i2 < y->ne[2]; i2++) {
            int64_t w2 = i2 / (y->ne[2] / w->ne[2]), w3 = i3 / (y->ne[3] / w->ne[3]);
            zt_auto_free double *a = plane_of(w, w2, w3, is_bf16(y));
            zt_auto_free double *b = plane_of(x, i2, i3, is_bf16(y));
            for (int64_t m = 0; m < y->ne[1]; m++)
                for (int64_t n = 0; n < y->ne[0]; n++)
                    *to++ = dot(a + n * w->ne[0], b + m * w->ne[0], w->ne[0]);
        }
    return want;
}

static void product(enum ggml_type type, const int64_t k_n_m[3], bool batch, bool views,
                    double bound)
{
    struct world w = world_new();
    int64_t n2 = batch ? between(1, 2) : 1, n3 = batch ? between(1, 2) : 1;
    int64_t w_ne[4] = { k_n_m[0], k_n_m[1], n2, n3 };
    int64_t x_ne[4] = { k_n_m[0], k_n_m[2], batch ? n2 * between(1, 2) : 1,
                        batch ? n3 * between(1, 2) : 1 };
    struct ggml_tensor *a = maybe_view(&w, type, w_ne, views);
    struct ggml_tensor *x = maybe_view(&w, GGML_TYPE_F32, x_ne, views);
    struct ggml_tensor *y = ggml_mul_mat(w.ctx, a, x);
    char label[80];

    snprintf(label, sizeof(label), "%s k %d n %d m %d batch %d views %d", ggml_type_name(type),
             (int)k_n_m[0], (int)k_n_m[1], (int)k_n_m[2], batch, views);
    world_fill(&w);
    zt_auto_free double *want = product_reference(y);
    compare(label, &w, y, want, bound);
    world_free(&w);
}

static void multiplies(void)
{
    static const enum ggml_type small[] = { GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16 };
    static const struct {
        enum ggml_type type;
        int64_t least_m;
        double bound; /* of ggml's, whose activations are rounded */
    } types[] = {
        { GGML_TYPE_F32, 32, 1e-5 },   { GGML_TYPE_BF16, 128, 1e-2 }, { GGML_TYPE_F16, 128, 2e-3 },
        { GGML_TYPE_Q8_0, 128, 2e-2 }, { GGML_TYPE_Q4_0, 128, 2e-2 }, { GGML_TYPE_Q4_K, 128, 2e-2 },
    };

    for (int round = 0; round < rounds; round++) {
        size_t i = (size_t)round % ZT_COUNT(types);
        int64_t block = ggml_blck_size(types[i].type);
        bool views = round / 6 % 3 == 1;
        int64_t k_n_m[3] = { (64 + block - 1) / block * block + block * between(0, 300 / block),
                             between(33, 300), types[i].least_m + between(0, 100) };
        product(types[i].type, k_n_m, round / 6 % 3 == 2, views, types[i].bound);
    }
    for (int64_t n = 1; n < 12; n++) /* not worth it, right all the same */
        product(small[n % 3], (int64_t[]){ between(1, 40), n, 12 - n }, n & 1, n & 2, 1e-2);
    product(GGML_TYPE_F32, (int64_t[]){ 65, 1031, 67 }, false, false, 1e-5);
    product(GGML_TYPE_BF16, (int64_t[]){ 16384, 520, 5 }, false, false, 1e-2); /* two chunks */
    if (bf16) { /* of unpacked weights; of activations */
        product(GGML_TYPE_Q8_0, (int64_t[]){ 16384, 520, 5 }, false, false, 2e-2);
        product(GGML_TYPE_BF16, (int64_t[]){ 16384, 5, 520 }, false, true, 1e-2);
    }
}

/* A picture with `axes` axes before its channels, lying channels first, last or apart by a gap. */
static struct ggml_tensor *picture(struct world *w, int axes, const int64_t size[3], int64_t c,
                                   int64_t batch, int layout)
{
    if (layout == 0) { /* [x, y, (time,) channels] */
        int64_t ne[4] = { size[0], size[1], axes == 2 ? c : size[2],
                          axes == 2 ? batch : c * batch };
        return maybe_view(w, GGML_TYPE_F32, ne, false);
    }
    int64_t ne[4] = { c, size[0], size[1], axes == 2 ? batch : size[2] };
    struct ggml_tensor *x = maybe_view(w, GGML_TYPE_F32, ne, layout == 2);
    return axes == 2 ? ggml_permute(w->ctx, x, 2, 0, 1, 3) : ggml_permute(w->ctx, x, 3, 0, 1, 2);
}

/* One result: o the channel out, p its place. A 2-D operation has one tap and place in time. */
static double conv_at(const struct ggml_tensor *y, int64_t o, int64_t b, const int64_t p[3],
                      int64_t in)
{
    const struct ggml_tensor *w = y->src[0], *x = y->src[1];
    int axes = y->op == GGML_OP_CONV_2D ? 2 : 3;
    const int32_t *par = y->op_params;
    int64_t taps[3] = { w->ne[0], w->ne[1], axes == 3 ? w->ne[2] : 1 };
    double sum = 0;

    for (int64_t c = 0; c < in; c++)
        for (int64_t t = 0; t < taps[0] * taps[1] * taps[2]; t++) {
            int64_t tap[3] = { t % taps[0], t / taps[0] % taps[1], t / taps[0] / taps[1] }, l[3];
            bool inside = true;
            for (int i = 0; i < axes; i++) {
                l[i] = p[i] * par[i] + tap[i] * par[2 * axes + i] - par[axes + i];
                inside = inside && l[i] >= 0 && l[i] < x->ne[i];
            }
            if (inside)
                sum += axes == 2 ? at(w, tap[0], tap[1], c, o) * at(x, l[0], l[1], c, b)
                                 : at(w, tap[0], tap[1], tap[2], o * in + c) *
                                       at(x, l[0], l[1], l[2], b * in + c);
        }
    return sum;
}

static double *conv_reference(const struct ggml_tensor *y, int64_t in, int64_t out)
{
    double *want = malloc((size_t)ggml_nelements(y) * sizeof(double)), *to = want;
    int64_t times = y->op == GGML_OP_CONV_2D ? 1 : y->ne[2];
    int64_t batch = y->op == GGML_OP_CONV_2D ? y->ne[3] : y->ne[3] / out;

    for (int64_t b = 0; b < batch; b++)
        for (int64_t o = 0; o < out; o++)
            for (int64_t p = 0; p < y->ne[0] * y->ne[1] * times; p++)
                *to++ = conv_at(
                    y, o, b,
                    (int64_t[]){ p % y->ne[0], p / y->ne[0] % y->ne[1], p / y->ne[0] / y->ne[1] },
                    in);
    return want;
}

/* side of the kernel, channels in and out; the rest at random. */
static void conv(int axes, enum ggml_type type, int side, int64_t in, int64_t out, int layout)
{
    struct world w = world_new();
    int s[3], p[3], d[3];
    int64_t size[3], batch = between(1, 2);
    char label[96];

    for (int i = 0; i < 3; i++) {
        s[i] = (int)between(1, 2);
        p[i] = (int)between(0, 2);
        d[i] = (int)between(1, 2);
        size[i] = i == 2 ? between(6, 7) : between(7, 23);
    }
    if (axes == 3 && layout != 0)
        batch = 1; /* the layout has no place for more */
    struct ggml_tensor *x = picture(&w, axes, size, in, batch, layout);
    struct ggml_tensor *k = axes == 2 ? ggml_new_tensor_4d(w.ctx, type, side, side, in, out)
                                      : ggml_new_tensor_4d(w.ctx, type, side, side, 3, in * out);
    struct ggml_tensor *y =
        axes == 2 ? ggml_conv_2d_direct(w.ctx, k, x, s[0], s[1], p[0], p[1], d[0], d[1])
                  : ggml_conv_3d_direct(w.ctx, k, x, s[0], s[1], s[2], p[0], p[1], p[2], d[0], d[1],
                                        d[2], (int)in, (int)batch, (int)out);
    snprintf(label, sizeof(label), "conv %dd %s side %d, %d to %d, layout %d, strides %d %d %d",
             axes, ggml_type_name(type), side, (int)in, (int)out, layout, s[0], s[1], s[2]);
    world_fill(&w);
    zt_auto_free double *want = conv_reference(y, in, out);
    compare(label, &w, y, want, type == GGML_TYPE_F32 ? 1e-5 : 2e-3);
    world_free(&w);
}

static void convolves(void)
{
    for (int round = 0; round < rounds; round++) {
        int axes = 2 + round % 2;
        int layout = round / 2 % 3;
        enum ggml_type type = round / 6 % 2 ? GGML_TYPE_F16 : GGML_TYPE_F32;
        conv(axes, type, round % 5 == 0 && axes == 2 ? 1 : 3,
             round % 5 == 0 ? between(64, 80) : between(8, 40), between(1, 33), layout);
    }
    conv(3, GGML_TYPE_F16, 3, 500, 5, 1); /* several slabs of the sum */
    conv(2, GGML_TYPE_F16, 3, 1000, 5, 0);
}

/*
 * A NaN in a row of the activations spoils that row of the result, whole, and no other; one among
 * keys or values spoils all. Kinds 3 and 4 have scores in 8 bits. In bf16 it is the NaN that
 * rounding would make infinity of.
 */
static void passes_nan_on(void)
{
    for (int kind = 0; kind < 5; kind++) {
        const uint32_t nan = bf16 ? 0x7f800001 : 0x7fc00000;
        bool all = kind == 2 || kind == 4;
        struct world w = world_new();
        struct ggml_tensor *a =
            ggml_new_tensor_3d(w.ctx, bf16 ? GGML_TYPE_BF16 : GGML_TYPE_F32, 128, 300, 1);
        struct ggml_tensor *x = ggml_new_tensor_3d(w.ctx, GGML_TYPE_F32, 128, 70, 1);
        struct ggml_tensor *y = kind == 0 ? ggml_mul_mat(w.ctx, a, x)
                                          : ggml_flash_attn_ext(w.ctx, x, a, a, NULL, 0.1f, 0, 0);
        int64_t wrong = 0;
        if (kind > 2)
            zt_attention8_allow(y);
        world_fill(&w);
        if (all)
            memset((char *)a->data + a->nb[1] * 299 + a->nb[0] * 77, 0xff, a->nb[0]);
        else
            memcpy((float *)x->data + 128 * 33 + 77, &nan, sizeof(nan));
        CHECK("taken", takes(y));
        CHECK_INT("runs", run(&w, fast[1], y), GGML_STATUS_SUCCESS);
        for (int64_t i = 0; i < ggml_nelements(y); i++)
            wrong += isnan(((float *)y->data)[i]) != (all || i / y->ne[0] == 33);
        CHECK_INT("values that should or should not be NaN", wrong, 0);
        world_free(&w);
    }
}

/* What it cannot do right it leaves alone. */
static void refuses(void)
{
    struct world w = world_new();
    struct ggml_context *c = w.ctx;
    struct ggml_tensor *a = ggml_new_tensor_2d(c, GGML_TYPE_F32, 128, 128);
    struct ggml_tensor *half = ggml_new_tensor_2d(c, GGML_TYPE_F16, 128, 128);
    struct ggml_tensor *x = ggml_new_tensor_2d(c, GGML_TYPE_F32, 128, 128);
    struct ggml_tensor *still = ggml_view_2d(c, a, 128, 128, 0, 0); /* one row, over and over */

    CHECK("a product", takes(ggml_mul_mat(c, a, x)));
    CHECK("activations in f16", !takes(ggml_mul_mat(c, half, half)));
    CHECK("rows on top of each other", !takes(ggml_mul_mat(c, a, still)));
    CHECK("attention", takes(ggml_flash_attn_ext(c, x, a, a, NULL, 1, 0, 0)));
    CHECK("a mask", !takes(ggml_flash_attn_ext(c, x, a, a, half, 1, 0, 0)));
    CHECK("capped scores", !takes(ggml_flash_attn_ext(c, x, a, a, NULL, 1, 0, 1)));
    CHECK("an addition", takes(ggml_add(c, a, x)));
    CHECK("columns as rows", !takes(ggml_add(c, a, ggml_transpose(c, x))));
    CHECK("one number a row", !takes(ggml_mul(c, a, ggml_new_tensor_2d(c, GGML_TYPE_F32, 1, 128))));
    CHECK("sums in f16", !takes(ggml_add(c, half, half)));
    CHECK("another function", !takes(ggml_tanh(c, a)));
    CHECK("another copy", !takes(ggml_cont(c, ggml_transpose(c, a))));
    world_free(&w);
}

/* Left to itself it takes what is large and what ggml is slow at. */
static void takes_what_it_is_worth(void)
{
    static const struct {
        enum ggml_type type;
        int64_t k, n, m;
        bool taken, in_bf16; /* where the CPU multiplies that */
    } rows[] = {
        { GGML_TYPE_BF16, 3072, 3072, 2048, true, true },
        { GGML_TYPE_BF16, 3072, 3072, 32, false, true },
        { GGML_TYPE_BF16, 3072, 3072, 1, false, false },
        { GGML_TYPE_Q4_K, 3072, 3072, 128, true, true },
        { GGML_TYPE_Q8_0, 3072, 3072, 2048, false, true },
        { GGML_TYPE_Q8_0, 3072, 3072, 64, false, false },
        { GGML_TYPE_F16, 3072, 3072, 2048, false, true },
        { GGML_TYPE_F16, 384, 384, 2048, true, true },
        { GGML_TYPE_F32, 512, 512, 512, true, true },
        { GGML_TYPE_F32, 32, 32, 32, false, false },
    };
    ggml_backend_t backend = zt_fast_new(1, 0, NULL, NULL);
    ggml_backend_t narrow = zt_fast_new(1, ZT_FAST_BF16, NULL, NULL);

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct world w = world_new();
        struct ggml_tensor *a = ggml_new_tensor_2d(w.ctx, rows[i].type, rows[i].k, rows[i].n);
        struct ggml_tensor *x = ggml_new_tensor_2d(w.ctx, GGML_TYPE_F32, rows[i].k, rows[i].m);
        struct ggml_tensor *y = ggml_mul_mat(w.ctx, a, x);
        const char *label = ggml_type_name(rows[i].type);
        CHECK_INT(label, ggml_backend_supports_op(backend, y), rows[i].taken);
        CHECK_INT(label, ggml_backend_supports_op(narrow, y), rows[i].in_bf16);
        world_free(&w);
    }
    ggml_backend_free(backend);
    ggml_backend_free(narrow);
}

static bool stop_at(void *user)
{
    int *left = user;
    return (*left)-- <= 0;
}

static void stops(void)
{
    int left = 0;
    ggml_backend_t backend = zt_fast_new(2, ZT_FAST_ALL, stop_at, &left);

    for (int questions = 0; questions < 3; questions++) { /* at once; in the first; later */
        struct world w = world_new();
        struct ggml_tensor *a = ggml_new_tensor_2d(w.ctx, GGML_TYPE_F32, 512, 3072);
        struct ggml_tensor *y = ggml_mul_mat(w.ctx, a, a);
        world_fill(&w);
        left = questions;
        CHECK_INT("stopped", run(&w, backend, y), GGML_STATUS_ABORTED);
        left = 1 << 20;
        CHECK_INT("and runs again", run(&w, backend, y), GGML_STATUS_SUCCESS);
        world_free(&w);
    }
    ggml_backend_free(backend);
}

/* Where the kernel can forbid code made at run time, the backend must not be there. */
static void needs_code(void)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        if (prctl(65 /* PR_SET_MDWE */, 1, 0, 0, 0) != 0)
            _exit(2);
        _exit(zt_fast_new(1, ZT_FAST_ALL, NULL, NULL) != NULL);
    }
    CHECK("waited", child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    if (WEXITSTATUS(status) == 2)
        printf("this kernel cannot forbid code made at run time: not tested\n");
    else
        CHECK_INT("exit", WEXITSTATUS(status), 0);
}

/* Again in bf16, whatever there is for it. */
static void works_in_bf16(void)
{
    printf("products of bf16: %s\n", zt_fast_has_bf16()     ? "the CPU's"
                                     : zt_fast_bf16_works() ? "oneDNN's on AVX-512"
                                                            : "rounded, in f32");
#if defined(__x86_64__)
    CHECK_INT("right where they are", zt_fast_bf16_works(),
              __builtin_cpu_supports("avx512bw") != 0);
#endif
    start(ZT_FAST_ALL | ZT_FAST_BF16);
    multiplies();
    passes_nan_on();
    start(ZT_FAST_ALL);
}

/* All finite floats that end in zeros are themselves; others go to the nearest, of two to the even. */
static void rounds_to_bf16(void)
{
    static const struct {
        uint32_t from;
        uint16_t to;
    } rows[] = {
        { 0x3f800000, 0x3f80 }, { 0x3f808000, 0x3f80 }, { 0x3f808001, 0x3f81 },
        { 0x3f818000, 0x3f82 }, { 0x3f817fff, 0x3f81 }, { 0xbf808001, 0xbf81 },
        { 0x80000000, 0x8000 }, { 0x00000001, 0x0000 }, { 0x00018000, 0x0002 },
        { 0x7f7fffff, 0x7f80 }, { 0x7f800000, 0x7f80 }, { 0xff800000, 0xff80 },
        { 0x7f800001, 0x7fc0 }, { 0xffffffff, 0xffff }, { 0x7fc00000, 0x7fc0 },
    };
    float from[ZT_COUNT(rows)];
    uint16_t to[ZT_COUNT(rows)];

    for (size_t i = 0; i < ZT_COUNT(rows); i++)
        memcpy(&from[i], &rows[i].from, sizeof(from[i]));
    zt_fast_to_bf16(from, to, ZT_COUNT(rows));
    for (size_t i = 0; i < ZT_COUNT(rows); i++)
        CHECK_INT("rounded", to[i], rows[i].to);
}

int main(int argc, char **argv)
{
    take_rounds(argc, argv);
    zt_rng_init(&rng, 6, 0);
    start(ZT_FAST_ALL);
    RUN(multiplies);
    RUN(convolves);
    RUN(passes_nan_on);
    RUN(rounds_to_bf16);
    RUN(works_in_bf16);
    RUN(refuses);
    RUN(takes_what_it_is_worth);
    RUN(stops);
    RUN(needs_code);
    stop_all();
    return check_done();
}
