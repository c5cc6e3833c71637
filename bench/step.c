/*
 * bench/step.c - what one block of Wan2.2-TI2V-5B's DiT costs, and where: full width, random
 * weights.
 *
 *     bench_step [--small] [TYPE [FRAMES [THREADS [W8A8 [ATTENTION]]]]]
 *
 * TYPE is that of the matrices: bf16 (default), q8_0, f16, f32, q4_K ... FRAMES of the latent at
 * 832x480: 31 (default) are 121 frames of video and 12 090 tokens; --small is 4. W8A8: which of the
 * products are of 8 bits: none (default), ffn or all. ATTENTION: full (default) or int8, the scores
 * of self attention. A pass of the whole model is 30 such blocks. Times of the parts are the
 * process's CPU time over the number of threads: what the wall clock would show on an idle machine.
 * Parts are timed node by node, which keeps our backend from fusing them; up to SMALL frames the
 * pass is then run TURNS times as it is, and with a cache between steps, and the medians shown.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <ggml-alloc.h>

#include "base/clock.h"
#include "base/rng.h"
#include "base/str.h"
#include "measure.h"
#include "models/wan/dit_inside.h"
#include "tensor/w8a8.h"

#define HEIGHT      30
#define WIDTH       52
#define PROMPT_ROWS 100
#define POOL        (1 << 20)
#define SMALL       4
#define TURNS       5

enum part { PRODUCTS, SELF, CROSS, NORMS, ROTATION, COPIES, ARITHMETIC, PARTS };
static const char *const part_names[PARTS] = { "products",        "self attention",
                                               "cross attention", "norms",
                                               "rotation",        "copies",
                                               "arithmetic, GELU" };

struct meter {
    double start_us;
    int threads;
    double us[PARTS], flop[PARTS];
};

static struct zt_err err;

static void must(enum zt_code rc, const char *what)
{
    if (rc == ZT_OK)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, err.msg, err.detail);
    exit(1);
}

static enum part part_of(const struct ggml_tensor *t)
{
    switch (t->op) {
    case GGML_OP_MUL_MAT:
        return PRODUCTS;
    case GGML_OP_FLASH_ATTN_EXT:
        return t->src[1]->ne[1] == ZT_DIT_TEXT_ROWS ? CROSS : SELF;
    case GGML_OP_NORM:
    case GGML_OP_RMS_NORM:
        return NORMS;
    case GGML_OP_ROPE:
        return ROTATION;
    case GGML_OP_CONT:
    case GGML_OP_CPY:
    case GGML_OP_REPEAT:
    case GGML_OP_GET_ROWS:
        return COPIES;
    default:
        return ARITHMETIC;
    }
}

static double flop_of(const struct ggml_tensor *t)
{
    if (t->op == GGML_OP_MUL_MAT)
        return 2.0 * (double)t->src[0]->ne[0] * (double)ggml_nelements(t);
    if (t->op == GGML_OP_FLASH_ATTN_EXT)
        return 4.0 * (double)t->src[1]->ne[1] * (double)ggml_nelements(t);
    return (double)ggml_nelements(t);
}

static double thread_us(const struct meter *m)
{
    return cpu_us() / m->threads;
}

/* ggml asks before each operation and tells after it. */
static bool measure(struct ggml_tensor *t, bool ask, void *user)
{
    struct meter *m = user;

    if (ask) {
        m->start_us = thread_us(m);
        return true;
    }
    m->us[part_of(t)] += thread_us(m) - m->start_us;
    m->flop[part_of(t)] += flop_of(t);
    return true;
}

static enum zt_dit_w8a8 w8a8_by_name(const char *name)
{
    for (int i = 0; i < ZT_DIT_W8A8S; i++)
        if (strcmp(zt_dit_w8a8_names[i], name) == 0)
            return (enum zt_dit_w8a8)i;
    fprintf(stderr, "W8A8 is none, ffn or all, not %s\n", name);
    exit(1);
}

static enum ggml_type type_by_name(const char *name)
{
    for (int i = 0; i < GGML_TYPE_COUNT; i++)
        if (ggml_type_name((enum ggml_type)i) &&
            strcmp(ggml_type_name((enum ggml_type)i), name) == 0)
            return (enum ggml_type)i;
    fprintf(stderr, "no type %s\n", name);
    exit(1);
}

/* Values of about the size trained ones have: 1 / sqrt of what is summed. */
static void fill(struct ggml_tensor *t, const float *pool, float *row, struct zt_rng *rng)
{
    size_t bytes = ggml_row_size(t->type, t->ne[0]);
    float gain = 1 / sqrtf((float)t->ne[0]);
    void *packed = malloc(bytes);

    for (int64_t i = 0; i < ggml_nrows(t); i++) {
        const float *from = pool + zt_rng_u32(rng) % (uint32_t)(POOL - t->ne[0]);
        for (int64_t j = 0; j < t->ne[0]; j++)
            row[j] = from[j] * gain;
        if (t->type == GGML_TYPE_I8) {
            zt_w8a8_set(t, i, 1, row);
            continue;
        }
        ggml_quantize_chunk(t->type, row, packed, 0, 1, t->ne[0], NULL);
        ggml_backend_tensor_set(t, t->type == GGML_TYPE_F32 ? (void *)row : packed,
                                (size_t)i * bytes, bytes);
    }
    free(packed);
}

static void fill_all(struct ggml_context *ctx, const float *pool, struct zt_rng *rng)
{
    float *row = malloc(POOL * sizeof(float));

    for (struct ggml_tensor *t = ggml_get_first_tensor(ctx); t; t = ggml_get_next_tensor(ctx, t))
        fill(t, pool, row, rng);
    free(row);
}

static ggml_backend_buffer_t allocate(struct ggml_context *ctx, ggml_backend_buffer_type_t type)
{
    ggml_backend_buffer_t buffer =
        type != NULL ? ggml_backend_alloc_ctx_tensors_from_buft(ctx, type) : NULL;

    must(buffer ? ZT_OK : zt_fail(&err, ZT_E_NOMEM, "no such memory on this device"), "model");
    ggml_backend_buffer_set_usage(buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    return buffer;
}

static void report(const struct meter *m, double wall_us)
{
    struct rusage usage;
    double us = 0, flop = 0;

    for (int i = 0; i < PARTS; i++)
        us += m->us[i];
    printf("%-18s %9s %6s %9s\n", "", "s", "%", "GFLOP/s");
    for (int i = 0; i < PARTS; i++) {
        printf("%-18s %9.2f %6.1f", part_names[i], m->us[i] / 1e6, 100 * m->us[i] / us);
        printf(i <= CROSS ? " %9.1f\n" : "\n", m->flop[i] / m->us[i] / 1e3);
        flop += i <= CROSS ? m->flop[i] : 0;
    }
    printf("%-18s %9.2f %6.1f %9.1f\n", "all", us / 1e6, 100.0, flop / us / 1e3);
    getrusage(RUSAGE_SELF, &usage);
    printf("wall %.2f s; largest memory %.0f MiB\n", wall_us / 1e6, (double)usage.ru_maxrss / 1024);
}

static void whole(struct zt_dit *dit, struct zt_dit_prompt *prompt, struct zt_dit_size size,
                  float *x, const float *t)
{
    double wall_us[TURNS], us[TURNS];

    ggml_backend_sched_set_eval_callback(zt_device_sched(dit->device), NULL, NULL);
    for (int i = 0; i < TURNS; i++) {
        int64_t start_us = zt_now_mono_us();
        double start = cpu_us();
        must(zt_dit_forward(dit, prompt, size, x, t, x, &err), "forward");
        us[i] = cpu_us() - start;
        wall_us[i] = (double)(zt_now_mono_us() - start_us);
    }
    printf("not by parts: %.3f s of CPU time, wall %.3f s; %d splits\n", median(us, TURNS) / 1e6,
           median(wall_us, TURNS) / 1e6,
           ggml_backend_sched_get_n_splits(zt_device_sched(dit->device)));
}

/*
 * With a cache between steps: all blocks (this one), and then none but the first (this one too), so
 * that the differences from a plain pass are what the cache itself costs.
 */
static void with_cache(struct zt_dit *dit, struct zt_dit_prompt *prompt, struct zt_dit_size size,
                       float *x, const float *t)
{
    static const char *const names[] = { "all blocks", "the first" };
    zt_auto(dit_cache) struct zt_dit_cache *cache = NULL;
    struct zt_dit_reuse reuse = { 0 };
    double wall_us[TURNS], us[TURNS];

    must(zt_dit_cache_new(dit, size, 1, &cache, &err), "cache");
    reuse.cache = cache;
    for (int kind = 0; kind < 2; kind++) {
        reuse.threshold = kind == 0 ? 0 : 1e9;
        for (int i = 0; i < TURNS; i++) {
            int64_t start_us = zt_now_mono_us();
            double start = cpu_us();
            must(zt_dit_forward_cached(dit, prompt, &reuse, x, t, x, &err), "forward");
            us[i] = cpu_us() - start;
            wall_us[i] = (double)(zt_now_mono_us() - start_us);
        }
        printf("with a cache, %s: %.3f s of CPU time, wall %.3f s\n", names[kind],
               median(us, TURNS) / 1e6, median(wall_us, TURNS) / 1e6);
    }
    printf("the cache takes %.0f MiB, %.0f with guidance\n",
           (double)zt_dit_cache_bytes(&dit->config, size, 1) / 1048576,
           (double)zt_dit_cache_bytes(&dit->config, size, 2) / 1048576);
}

static void run(struct zt_dit *dit, enum ggml_type type, enum zt_dit_w8a8 w8a8, int frames,
                const float *pool)
{
    static struct meter meter;
    struct zt_dit_size size = { frames, HEIGHT, WIDTH };
    zt_auto(dit_prompt) struct zt_dit_prompt *prompt = NULL;
    size_t n = 48 * (size_t)frames * HEIGHT * WIDTH, bytes = 0;
    zt_auto_free float *x = malloc(n * sizeof(float));
    zt_auto_free float *t = malloc((size_t)frames * sizeof(float));

    meter.threads = zt_device_threads(dit->device);
    for (size_t i = 0; i < n; i++)
        x[i] = pool[i % POOL];
    for (int f = 0; f < frames; f++)
        t[f] = f == 0 ? 0 : 500;
    must(zt_dit_prompt_new(dit, pool, PROMPT_ROWS, &prompt, &err), "prompt");
    must(zt_dit_working_bytes(&dit->config, type, w8a8, dit->device, size, &bytes, &err),
         "measure");
    printf("working memory %.0f MiB, prompt %.0f MiB a block\n", (double)bytes / 1048576,
           (double)zt_dit_prompt_bytes(prompt) / 1048576);
    ggml_backend_sched_set_eval_callback(zt_device_sched(dit->device), measure, &meter);
    int64_t start_us = zt_now_mono_us();
    must(zt_dit_forward(dit, prompt, size, x, t, x, &err), "forward");
    int64_t wall_us = zt_now_mono_us() - start_us;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            must(zt_fail(&err, ZT_E_INTERNAL, "not finite"), "forward");
    report(&meter, (double)wall_us);
    if (frames <= SMALL) {
        whole(dit, prompt, size, x, t);
        with_cache(dit, prompt, size, x, t);
    }
}

int main(int argc, char **argv)
{
    static const struct zt_dit_config config = { 1, 3072, 24, 14336, 48, 4096, "one block" };
    bool small = argc > 1 && strcmp(argv[1], "--small") == 0;
    char **args = argv + (small ? 2 : 1);
    int n_args = argc - (small ? 2 : 1);
    int64_t frames = small ? 4 : 31, threads = 0;
    enum ggml_type type = type_by_name(n_args > 0 ? args[0] : "bf16");
    enum zt_dit_w8a8 w8a8 = w8a8_by_name(n_args > 3 ? args[3] : "none");
    struct zt_device_options options = { 0 };
    zt_auto(device) struct zt_device *device = NULL;
    zt_auto(dit) struct zt_dit *dit = NULL;
    struct ggml_context *ctx[2] = { NULL, NULL };
    ggml_backend_buffer_t buffers[2];
    struct zt_rng rng;
    bool int8 = n_args > 4 && strcmp(args[4], "int8") == 0;
    const char *why = "";

    if ((n_args > 1 && !zt_parse_int(args[1], 1, 1024, &frames)) ||
        (n_args > 2 && !zt_parse_int(args[2], 1, 256, &threads))) {
        fprintf(stderr,
                "usage: bench_step [--small] [TYPE [FRAMES [THREADS [W8A8 [ATTENTION]]]]]\n");
        return 2;
    }
    zt_rng_init(&rng, 1, 0);
    zt_auto_free float *pool = malloc(POOL * sizeof(float));
    for (int i = 0; i < POOL; i++)
        pool[i] = (float)zt_rng_unit(&rng) * 3.46f - 1.73f; /* mean 0, variance 1 */
    options.threads = (int)threads;
    must(zt_device_open(&options, &device, &err), "device");
    must(zt_dit_describe(&config, type, w8a8, device, ctx, &dit, &err), "model");
    buffers[0] = allocate(ctx[0], zt_device_weights(device));
    buffers[1] = w8a8 != ZT_DIT_W8A8_NONE ? allocate(ctx[1], zt_device_w8a8(device, &why)) : NULL;
    fill_all(ctx[0], pool, &rng);
    fill_all(ctx[1], pool, &rng);
    zt_dit_set_scores(dit, int8 ? ZT_DIT_SCORES_INT8 : ZT_DIT_SCORES_FULL);
    printf("one block, %s, w8a8 %s, attention %s, %" PRId64 " tokens, %s, %d threads\n",
           ggml_type_name(type), zt_dit_w8a8_names[w8a8], zt_dit_scores_names[int8],
           frames * (HEIGHT / 2) * (WIDTH / 2), zt_device_name(device), zt_device_threads(device));
    run(dit, type, w8a8, (int)frames, pool);
    for (int i = 0; i < 2; i++) {
        ggml_backend_buffer_free(buffers[i]);
        ggml_free(ctx[i]);
    }
    return 0;
}
