/*
 * bench/full_size.c - a model of Wan2.2-TI2V-5B's full size with random weights, to measure what it
 * takes where the published ones are not at hand. Its videos show nothing.
 *
 *     bench_full_size FOLDER [TYPE]
 *
 * TYPE is that of the matrices, q8_0 by default. Writes dit.gguf, text.gguf, vae.gguf (12 GB as
 * q8_0) and tiny.gguf; a tokenizer is to be put beside them. A file that is there is left as it is.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/auto.h"
#include "base/file.h"
#include "base/rng.h"
#include "base/str.h"
#include "models/text/umt5.h"
#include "models/wan/dit.h"
#include "models/wan/tae.h"
#include "models/wan/vae.h"
#include "tensor/gguf_write.h"
#include "tensor/quantise.h"

#define POOL (1 << 22) /* random numbers, used again from another place for each row */

static const struct zt_dit_config dit_config = {
    .layers = 30, .dim = 3072, .heads = 24, .ffn = 14336, .channels = 48, .text_dim = 4096
};
static const struct zt_umt5_config text_config = {
    .layers = 24, .dim = 4096, .inner = 4096, .heads = 64, .ffn = 10240, .vocab = 256384
};
static const struct zt_vae_config vae_config = {
    .z = 48,
    .enc = { 160, 160, 320, 640, 640 },
    .dec = { 1024, 1024, 1024, 512, 256 },
    .down_time = { false, true, true, false },
    .up_time = { true, true, false, false },
};

static const struct zt_tae_config tiny_config = {
    .z = 48, .patch = 2, .width = { 256, 128, 64, 64 }, .grow = { 1, 2, 2 }
};

static struct zt_err err;
static float *pool;

static void must(enum zt_code rc, const char *what)
{
    if (rc == ZT_OK)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, err.msg, err.detail);
    exit(1);
}

static void fill_pool(void)
{
    struct zt_rng rng;

    zt_rng_init(&rng, 1, 1);
    pool = malloc(2 * (size_t)POOL * sizeof(float));
    if (pool == NULL)
        exit(1);
    for (size_t i = 0; i < POOL; i++) /* near enough to normal: the sum of four */
        pool[i] = pool[i + POOL] = 1.73F *
                                   (zt_rng_range(&rng, -1, 1) + zt_rng_range(&rng, -1, 1) +
                                    zt_rng_range(&rng, -1, 1) + zt_rng_range(&rng, -1, 1)) /
                                   2;
}

static bool is_norm(const char *name)
{
    return strstr(name, "norm") != NULL || strstr(name, "gamma") != NULL;
}

static enum ggml_type type_of(const struct zt_param *p, enum ggml_type matrices)
{
    if (p->kind == ZT_PARAM_MATRIX && p->ne[0] % ggml_blck_size(matrices) == 0)
        return matrices;
    return p->kind == ZT_PARAM_F16 ? GGML_TYPE_F16 : GGML_TYPE_F32;
}

static void write_tensor(struct zt_gguf_writer *w, const struct zt_param *p, enum ggml_type type)
{
    int64_t row = p->ne[0], rows = p->ne[1] * p->ne[2] * p->ne[3];
    float inputs = (float)(row * p->ne[1] * p->ne[2]); /* of one output, where it is a kernel */
    size_t bytes = ggml_row_size(type, row);
    zt_auto_free float *values = malloc((size_t)row * sizeof(float));
    zt_auto_free char *packed = malloc(bytes);
    float spread = p->kind == ZT_PARAM_F32 ? 0.05F : 1.0F / sqrtf(inputs);

    if (p->kind == ZT_PARAM_MATRIX)
        spread = 1.0F / sqrtf((float)row);
    zt_assert(values != NULL && packed != NULL && row < POOL);
    for (int64_t r = 0; r < rows; r++) {
        const float *random = pool + (size_t)(r * 7919 + row * 31) % POOL;
        for (int64_t i = 0; i < row; i++)
            values[i] = (is_norm(p->name) ? 1 : 0) + spread * random[i];
        ggml_quantize_chunk(type, values, packed, 0, 1, row, NULL);
        must(zt_gguf_write(w, packed, bytes, &err), p->name);
    }
}

/* A kernel as files have it, [out, in, 3, 3] or [out, in, 1, 1], of one that is folded. */
static void unfold(struct zt_param *p)
{
    const int64_t *ne = p->ne;

    if (p->fold == 2)
        memcpy(p->ne, (int64_t[4]){ 3, 3, ne[1], ne[2] }, sizeof(p->ne));
    else if (p->fold == 1)
        memcpy(p->ne, (int64_t[4]){ 1, 1, ne[0], ne[1] }, sizeof(p->ne));
}

static void write_model(const char *folder, const char *name, const char *architecture,
                        const struct zt_param *params, size_t n, enum ggml_type matrices)
{
    zt_auto(gguf_writer) struct zt_gguf_writer *w = NULL;
    char path[4096];

    must(zt_format(path, sizeof(path), "%s/%s", folder, name) ? ZT_OK : ZT_E_INVALID, folder);
    if (access(path, F_OK) == 0)
        return;
    must(zt_gguf_writer_new(path, true, &w, &err), path);
    must(zt_gguf_put_text(w, "general.architecture", architecture, &err), path);
    for (size_t i = 0; i < n; i++) {
        int dims = 4;
        while (dims > 1 && params[i].ne[dims - 1] == 1)
            dims--;
        must(zt_gguf_put_tensor(w, params[i].name, type_of(&params[i], matrices), dims,
                                params[i].ne, &err),
             params[i].name);
    }
    for (size_t i = 0; i < n; i++)
        write_tensor(w, &params[i], type_of(&params[i], matrices));
    must(zt_gguf_finish(w, &err), path);
    printf("%s\n", path);
}

int main(int argc, char **argv)
{
    struct zt_arena arena = { 0 };
    struct zt_param *params;

    if (argc < 2 || argc > 3 || argv[1][0] == '-') {
        fprintf(stderr, "bench_full_size FOLDER [TYPE]\n");
        return 2;
    }
    enum ggml_type type = argc > 2 ? zt_quantise_type(argv[2]) : GGML_TYPE_Q8_0;
    if (type == GGML_TYPE_COUNT) {
        fprintf(stderr, "no type %s\n", argv[2]);
        return 2;
    }
    must(zt_make_dirs(argv[1], 0755, &err), argv[1]);
    fill_pool();
    size_t n = zt_dit_params(&dit_config, &arena, &params);
    write_model(argv[1], "dit.gguf", "wan", params, n, type);
    n = zt_vae_params(&vae_config, ZT_VAE_BOTH, &arena, &params);
    write_model(argv[1], "vae.gguf", "wan-vae", params, n, GGML_TYPE_F16);
    n = zt_tae_params(&tiny_config, &arena, &params);
    for (size_t i = 0; i < n; i++)
        unfold(&params[i]);
    write_model(argv[1], "tiny.gguf", "taehv", params, n, GGML_TYPE_F16);
    n = zt_umt5_params(&text_config, &arena, &params);
    write_model(argv[1], "text.gguf", "t5encoder", params, n, type);
    zt_arena_clear(&arena);
    free(pool);
    return 0;
}
