/* test_wan_tae.c - the tiny decoder against recorded frames. */
#include "models/wan/tae.h"

#include "base/arena.h"
#include "parity.h"
#include "tensor/device.h"

#define F32_LIMIT 1e-4 /* ten times what another order of summation costs */
#define F16_LIMIT 2e-3 /* inputs of the kernels rounded to 11 bits */

#define SMALL     ZT_FIXTURES "/wan/original/taew2_2_small.safetensors"
#define VAE       ZT_FIXTURES "/wan/original/wan2.2_vae.safetensors"
#define RECORDED  ZT_FIXTURES "/wan/ref/taehv.safetensors"

static struct zt_device *device;

struct film {
    int frames, seen;
    float *rgb; /* [3][frames][h][w], 0 ... 1, as the fixture has them */
};

static bool on_frame(void *user, const struct zt_vae_frame *f)
{
    struct film *film = user;
    size_t area = (size_t)f->h * (size_t)f->w;

    if (film->rgb == NULL)
        film->rgb = calloc(3 * area * (size_t)film->frames, sizeof(float));
    CHECK_INT("in order", f->index, film->seen);
    CHECK_INT("finite", f->not_finite, 0);
    if (film->seen++ < film->frames)
        for (size_t i = 0; i < area; i++)
            for (size_t c = 0; c < 3; c++)
                film->rgb[(c * (size_t)film->frames + (size_t)f->index) * area + i] =
                    (f->rgb[3 * i + c] + 1.0f) / 2.0f;
    return false;
}

static void equals(enum zt_vae_precision precision, double limit)
{
    struct zt_weights *weights = parity_open(SMALL), *ref = parity_open(RECORDED);
    const struct zt_weight *shape = zt_weights_find(ref, "latent");
    struct zt_tae *tae = NULL;
    struct zt_err err = { 0 };
    size_t n, want_n;
    float *latent = parity_values(ref, "latent", &n), *want = parity_values(ref, "frames", &want_n);
    struct zt_vae_size size = { (int)shape->ne[2], (int)shape->ne[1], (int)shape->ne[0] };
    struct film film = { .frames = 4 * size.t - 3 };

    CHECK_INT("opens", zt_tae_open(weights, precision, device, &tae, &err), ZT_OK);
    CHECK_INT("decodes", zt_tae_decode(tae, latent, size, on_frame, &film, &err), ZT_OK);
    CHECK_INT("frames", film.seen, film.frames);
    CHECK_INT("values", want_n, (size_t)film.frames * (size_t)(size.h * size.w) * 768);
    double error = parity_error(film.rgb, want, want_n);
    printf("frames: relative error %.2e\n", error);
    CHECK_BELOW("frames", error, limit);
    free(latent);
    free(want);
    free(film.rgb);
    zt_tae_close(tae);
    zt_weights_close(weights);
    zt_weights_close(ref);
}

static void equals_the_reference(void)
{
    equals(ZT_VAE_F32, F32_LIMIT);
    equals(ZT_VAE_AS_FILE, F16_LIMIT);
}

static void foresees_what_it_takes(void)
{
    struct zt_weights *weights = parity_open(SMALL);
    struct zt_tae *tae = NULL;
    struct zt_vae_bytes bytes = { 0 };
    struct zt_err err = { 0 };
    struct zt_vae_size size = { 2, 8, 12 };
    float *latent = calloc((size_t)48 * 2 * 96, sizeof(float));
    struct film film = { .frames = 5 };

    CHECK_INT("opens", zt_tae_open(weights, ZT_VAE_F32, device, &tae, &err), ZT_OK);
    CHECK_INT("measures", zt_tae_decode_bytes(tae, size, &bytes, &err), ZT_OK);
    CHECK_INT("trims", zt_device_trim(device, &err), ZT_OK);
    CHECK_INT("decodes", zt_tae_decode(tae, latent, size, on_frame, &film, &err), ZT_OK);
    ggml_backend_sched_t sched = zt_device_sched(device);
    CHECK_NEAR(
        "working memory",
        (double)ggml_backend_sched_get_buffer_size(sched, ggml_backend_sched_get_backend(sched, 0)),
        (double)bytes.working, 0.01 * (double)bytes.working);
    CHECK("caches", bytes.caches > 0 && bytes.host > 0);
    size.t = 0;
    CHECK_INT("no frame", zt_tae_decode(tae, latent, size, on_frame, &film, &err), ZT_E_INVALID);
    free(latent);
    free(film.rgb);
    zt_tae_close(tae);
    zt_weights_close(weights);
}

static void knows_its_files(void)
{
    struct zt_weights *small = parity_open(SMALL), *vae = parity_open(VAE);
    struct zt_tae_config config;
    struct zt_arena arena = { 0 };
    struct zt_param *rows;
    struct zt_err err = { 0 };

    CHECK_INT("reads", zt_tae_config_read(small, &config, &err), ZT_OK);
    CHECK_INT("z", config.z, 48);
    CHECK_INT("patch", config.patch, 2);
    size_t n = zt_tae_params(&config, &arena, &rows);
    CHECK_INT("rows", n, zt_weights_count(small));
    CHECK_INT("all there", zt_params_check(small, "TAE", rows, n, &zt_tae_names, &err), ZT_OK);
    CHECK_INT("no TAE", zt_tae_config_read(vae, &config, &err), ZT_E_CORRUPT);
    CHECK_HAS("says what is missing", err.msg, "decoder.1.weight");
    zt_arena_clear(&arena);
    zt_weights_close(small);
    zt_weights_close(vae);
}

static const char *super_name(const char *name, char dst[256])
{
    snprintf(dst, 256, "%s", strcmp(name, "decoder.1.weight") == 0 ? "decoder.0.weight" : name);
    return dst;
}

static void refuses_the_other_kind(void)
{
    struct zt_weights *small = parity_open(SMALL);
    struct zt_tae *tae = NULL;
    struct zt_err err = { 0 };
    const char *path = parity_path("super.gguf");

    parity_convert(small, GGML_TYPE_F32, super_name, NULL, path);
    struct zt_weights *other = parity_open(path);
    CHECK_INT("refused", zt_tae_open(other, ZT_VAE_F32, device, &tae, &err), ZT_E_UNSUPPORTED);
    CHECK_HAS("by name", err.msg, "taew2_2_super");
    zt_weights_close(other);
    zt_weights_close(small);
}

int main(void)
{
    struct zt_err err = { 0 };

    if (zt_device_open(&(struct zt_device_options){ .threads = 1 }, &device, &err) != ZT_OK) {
        printf("%s\n", err.msg);
        return 1;
    }
    RUN(knows_its_files);
    RUN(equals_the_reference);
    RUN(foresees_what_it_takes);
    RUN(refuses_the_other_kind);
    zt_device_close(device);
    return check_done();
}
