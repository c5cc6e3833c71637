/*
 * vae.c - how quick is one latent frame of the full-size VAE decoder, and where does the time go?
 *
 *     bench_vae [SIDE [f16|f32 [THREADS]]]
 *
 * SIDE is that of a square of latents (16 pixels each), 4 unless given; the weights are random. The
 * first latent frame, which is cheaper, is decoded too and not counted. Each operation is timed
 * alone, so that the sum is a little above what a decode takes, and nothing is fused; then the same
 * is done as it is.
 */
#include "base/clock.h"
#include "base/str.h"
#include "vae_random.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct timing {
    clock_t cpu; /* of all threads; on a busy machine the better clock */
    int64_t started_us, us[GGML_OP_COUNT];
    double flop[GGML_OP_COUNT];
    int count[GGML_OP_COUNT];
};

static double flop_of(const struct ggml_tensor *t)
{
    double out = (double)ggml_nelements(t);

    switch (t->op) {
    case GGML_OP_CONV_3D: { /* kernel [kw, kh, kt, in * out], result [w, h, t, out] */
        const struct ggml_tensor *k = t->src[0];
        return 2 * out * (double)ggml_nelements(k) / (double)t->ne[3];
    }
    case GGML_OP_CONV_2D: /* kernel [kw, kh, in, out] */
        return 2 * out * (double)ggml_nelements(t->src[0]) / (double)t->src[0]->ne[3];
    case GGML_OP_MUL_MAT:
        return 2 * out * (double)t->src[0]->ne[0];
    default:
        return 0;
    }
}

/* Asked before each node whether it is to be computed alone, and told when it was. */
static bool on_node(struct ggml_tensor *t, bool ask, void *user)
{
    struct timing *timing = user;
    int64_t now = zt_now_mono_us();

    if (!ask) {
        timing->us[t->op] += now - timing->started_us;
        timing->flop[t->op] += flop_of(t);
        timing->count[t->op]++;
    }
    timing->started_us = now;
    return true;
}

static bool on_frame(void *user, const struct zt_vae_frame *frame)
{
    struct timing *timing = user;

    if (frame->index == 0)
        *timing = (struct timing){ .cpu = clock(), .started_us = zt_now_mono_us() };
    else if (frame->index == 1)
        timing->cpu = clock() - timing->cpu;
    return false;
}

static void report(const struct timing *t)
{
    int64_t us = 0;
    double flop = 0;

    for (int i = 0; i < GGML_OP_COUNT; i++) {
        us += t->us[i];
        flop += t->flop[i];
    }
    double cpu = (double)t->cpu / CLOCKS_PER_SEC;
    printf(
        "one latent frame: %.1f GFLOP in %.2f s, %.1f GFLOP/s; %.2f s of CPU time, %.1f GFLOP/s\n",
        flop / 1e9, (double)us / 1e6, flop / (double)us / 1e3, cpu, flop / cpu / 1e9);
    for (int i = 0; i < GGML_OP_COUNT; i++)
        if (t->us[i] * 1000 > us) {
            printf("  %-12s %4d  %6.2f s  %5.1f %%", ggml_op_name((enum ggml_op)i), t->count[i],
                   (double)t->us[i] / 1e6, 100.0 * (double)t->us[i] / (double)us);
            printf(t->flop[i] > 0 ? "  %.1f GFLOP/s\n" : "\n", t->flop[i] / (double)t->us[i] / 1e3);
        }
}

int main(int argc, char **argv)
{
    struct zt_vae_config config = {
        .z = 48,
        .enc = { 160, 160, 320, 640, 640 },
        .dec = { 1024, 1024, 1024, 512, 256 },
        .down_time = { false, true, true, false },
        .up_time = { true, true, false, false },
    };
    int side = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 4;
    bool f16 = argc < 3 || strcmp(argv[2], "f16") == 0;
    struct zt_device_options options = { .threads = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 0 };
    zt_auto(device) struct zt_device *device = NULL;
    struct zt_err err = { 0 };
    struct timing timing = { 0 };

    if (side < 1 || side > 64 || zt_device_open(&options, &device, &err) != ZT_OK) {
        fprintf(stderr, "%s\n", err.msg[0] ? err.msg : "SIDE must be 1 to 64");
        return 1;
    }
    for (size_t i = 0; i < 48; i++)
        config.std[i] = 1;
    zt_auto(vae) struct zt_vae *vae =
        vae_random(&config, ZT_VAE_DECODER, f16 ? GGML_TYPE_F16 : GGML_TYPE_F32, device);
    struct zt_vae_size size = { 2, side, side };
    zt_auto_free float *latent = calloc((size_t)48 * 2 * (size_t)(side * side), sizeof(float));
    printf("%d x %d latents, %s, %d threads\n", side, side, f16 ? "f16" : "f32",
           zt_device_threads(device));
    ggml_backend_sched_set_eval_callback(zt_device_sched(device), on_node, &timing);
    if (zt_vae_decode(vae, latent, size, NULL, on_frame, &timing, &err) != ZT_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    report(&timing);
    ggml_backend_sched_set_eval_callback(zt_device_sched(device), NULL, NULL);
    if (zt_vae_decode(vae, latent, size, NULL, on_frame, &timing, &err) != ZT_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    printf("not by parts: %.3f s of CPU time; %d splits\n", (double)timing.cpu / CLOCKS_PER_SEC,
           ggml_backend_sched_get_n_splits(zt_device_sched(device)));
    return 0;
}
