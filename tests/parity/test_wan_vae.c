/*
 * test_wan_vae.c - the VAE against the reference's tensors, chunk by chunk and in tiles; what it
 * does when memory is short, and how well it foresees what it takes.
 */
#include "models/wan/vae.h"

#include "base/arena.h"
#include "base/mem.h"
#include "parity.h"
#include "vae_random.h"

#include <malloc.h>
#include <sys/wait.h>

#define F32_LIMIT 1e-4 /* ten times what another order of summation costs */
#define F16_LIMIT 5e-3 /* kernels and their inputs rounded to 11 bits, through 30 layers */

#define DIFFUSERS ZT_FIXTURES "/wan/vae"
#define ORIGINAL  ZT_FIXTURES "/wan/original/wan2.2_vae.safetensors"
#define RECORDED  ZT_FIXTURES "/wan/ref/vae.safetensors"

/* Memory that is not to be had comes back as NULL, with AddressSanitizer too. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static struct zt_device *device;

struct model {
    struct zt_weights *weights;
    struct zt_vae *vae;
};

static struct model open_model(const char *path, enum zt_vae_precision precision)
{
    struct model m = { .weights = parity_open(path) };
    struct zt_vae_config config;
    struct zt_err err = { 0 };

    if (zt_vae_config_read(m.weights, &config, &err) != ZT_OK ||
        zt_vae_open(m.weights, &config, ZT_VAE_BOTH, precision, device, &m.vae, &err) != ZT_OK) {
        printf("%s: %s\n", path, err.msg);
        exit(1);
    }
    return m;
}

static void close_model(struct model *m)
{
    zt_vae_close(m->vae);
    zt_weights_close(m->weights);
}

/* Collects frames as [3][frames][h][w], as the fixtures have them. */
struct film {
    int frames, seen, stop_at; /* stop_at 0: never */
    float *rgb;
    int64_t not_finite;
    bool in_order;
};

static bool on_frame(void *user, const struct zt_vae_frame *f)
{
    struct film *film = user;
    size_t area = (size_t)f->h * (size_t)f->w;

    if (film->rgb == NULL) {
        film->rgb = calloc(3 * area * (size_t)film->frames, sizeof(float));
        film->in_order = true;
    }
    film->in_order = film->in_order && f->index == film->seen && f->index < film->frames;
    film->seen++;
    film->not_finite += f->not_finite;
    for (size_t i = 0; film->in_order && i < area; i++)
        for (size_t c = 0; c < 3; c++)
            film->rgb[(c * (size_t)film->frames + (size_t)f->index) * area + i] = f->rgb[3 * i + c];
    return film->stop_at > 0 && film->seen >= film->stop_at;
}

static struct film film_of(int t)
{
    return (struct film){ .frames = 1 + 4 * (t - 1) };
}

static struct film decoded(struct zt_vae *vae, const float *latent, struct zt_vae_size size,
                           const struct zt_tile *tile)
{
    struct film film = film_of(size.t);
    struct zt_err err = { 0 };

    CHECK_INT("decodes", zt_vae_decode(vae, latent, size, tile, on_frame, &film, &err), ZT_OK);
    CHECK_STR("no error", err.msg, "");
    CHECK_INT("frames", film.seen, film.frames);
    CHECK("in order", film.in_order);
    CHECK_INT("all finite", film.not_finite, 0);
    return film;
}

/* Bytes [frames][h][w][3] as [3][frames][h][w], -1 ... 1. */
static float *pictures(const float *bytes, size_t frames, size_t area)
{
    float *rgb = malloc(3 * frames * area * sizeof(*rgb));

    for (size_t i = 0; i < frames * area; i++)
        for (size_t c = 0; c < 3; c++)
            rgb[c * frames * area + i] = bytes[3 * i + c] / 127.5f - 1.0f;
    return rgb;
}

static void encodes_one(struct zt_vae *vae, const char *what, double limit)
{
    struct zt_weights *ref = parity_open(RECORDED);
    struct zt_err err = { 0 };
    char name[64];
    size_t n, want_n;
    float *bytes = parity_values(ref, what, &n);
    snprintf(name, sizeof(name), "%s.latent", what);
    float *want = parity_values(ref, name, &want_n);
    size_t frames = n / (64 * 96 * 3);
    float *rgb = pictures(bytes, frames, (size_t)64 * 96);
    float *got = calloc(want_n, sizeof(*got));

    CHECK_INT(what, zt_vae_encode(vae, rgb, (int)frames, 64, 96, got, &err), ZT_OK);
    double error = parity_error(got, want, want_n);
    printf("%s of %zu: relative error %.2e\n", what, frames, error);
    CHECK_BELOW(what, error, limit);
    free(bytes);
    free(want);
    free(rgb);
    free(got);
    zt_weights_close(ref);
}

static void decodes_one(struct zt_vae *vae, const char *name, int t, double limit)
{
    struct zt_weights *ref = parity_open(RECORDED);
    size_t n, want_n;
    float *all = parity_values(ref, "latent", &n), *want = parity_values(ref, name, &want_n);
    size_t area = 24, frames = n / 48 / area;
    float *latent = malloc(48 * (size_t)t * area * sizeof(*latent));

    for (size_t c = 0; c < 48; c++)
        memcpy(latent + c * (size_t)t * area, all + c * frames * area,
               (size_t)t * area * sizeof(*latent));
    struct film film = decoded(vae, latent, (struct zt_vae_size){ t, 4, 6 }, NULL);
    double error = parity_error(film.rgb, want, want_n);
    printf("%s: relative error %.2e\n", name, error);
    CHECK_BELOW(name, error, limit);
    free(all);
    free(latent);
    free(want);
    free(film.rgb);
    zt_weights_close(ref);
}

static void all_stages(struct zt_vae *vae, double limit)
{
    encodes_one(vae, "image", limit);
    encodes_one(vae, "clip", limit);
    decodes_one(vae, "frames", 3, limit);
    decodes_one(vae, "frames.first", 1, limit);
}

static void equals_the_reference(void)
{
    struct model m = open_model(DIFFUSERS, ZT_VAE_F32);

    all_stages(m.vae, F32_LIMIT);
    close_model(&m);
}

/* What runs on devices without the 3-D operation, and on those that want their input in a row. */
static void equals_it_by_taps(void)
{
    struct model m = open_model(DIFFUSERS, ZT_VAE_F32);

    m.vae->strided = false;
    all_stages(m.vae, F32_LIMIT);
    m.vae->conv_3d = false;
    all_stages(m.vae, F32_LIMIT);
    close_model(&m);
}

static void is_close_in_f16(void)
{
    static const char *const paths[] = { DIFFUSERS, ORIGINAL };

    for (size_t i = 0; i < ZT_COUNT(paths); i++) {
        struct model m = open_model(paths[i], i == 0 ? ZT_VAE_F16 : ZT_VAE_AS_FILE);
        CHECK_INT("caches", m.vae->cache_type, GGML_TYPE_F16);
        all_stages(m.vae, F16_LIMIT);
        close_model(&m);
    }
}

/* Smooth in space, so that tiles see what pictures show. */
static float *some_latent(struct zt_vae_size s)
{
    float *latent = malloc(48 * (size_t)(s.t * s.h * s.w) * sizeof(*latent));
    size_t i = 0;

    for (int c = 0; c < 48; c++)
        for (int t = 0; t < s.t; t++)
            for (int y = 0; y < s.h; y++)
                for (int x = 0; x < s.w; x++)
                    latent[i++] = sinf(0.4f * (float)x + (float)c) +
                                  cosf(0.3f * (float)y + 2.0f * (float)c + 0.5f * (float)t);
    return latent;
}

static double psnr(const float *a, const float *b, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sum > 0 ? 10 * log10(4.0 * (double)n / sum) : 999; /* -1 ... 1: a peak of 2 */
}

static double largest(const float *a, const float *b, size_t n)
{
    double most = 0;

    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)a[i] - b[i]));
    return most;
}

/* What comes later changes nothing of what came before, bit by bit. */
static void goes_on_where_it_was(void)
{
    struct model m = open_model(DIFFUSERS, ZT_VAE_F32);
    struct zt_vae_size three = { 3, 4, 6 }, two = { 2, 4, 6 };
    float *latent = some_latent(three), *begin = malloc((size_t)48 * 2 * 24 * sizeof(float));
    struct zt_err err = { 0 };

    for (size_t c = 0; c < 48; c++)
        memcpy(begin + c * 48, latent + c * 72, 48 * sizeof(float));
    struct film all = decoded(m.vae, latent, three, NULL), some = decoded(m.vae, begin, two, NULL);
    size_t area = (size_t)64 * 96;
    for (size_t c = 0; c < 3; c++)
        CHECK("5 of 9 frames", memcmp(all.rgb + c * 9 * area, some.rgb + c * 5 * area,
                                      5 * area * sizeof(float)) == 0);
    float *nine = calloc((size_t)48 * 72, sizeof(float)), *five = calloc((size_t)48 * 48, 4);
    CHECK_INT("9", zt_vae_encode(m.vae, all.rgb, 9, 64, 96, nine, &err), ZT_OK);
    CHECK_INT("5", zt_vae_encode(m.vae, some.rgb, 5, 64, 96, five, &err), ZT_OK);
    for (size_t c = 0; c < 48; c++)
        CHECK("2 of 3 latents", memcmp(nine + c * 72, five + c * 48, 48 * sizeof(float)) == 0);
    free(latent);
    free(begin);
    free(all.rgb);
    free(some.rgb);
    free(nine);
    free(five);
    close_model(&m);
}

static void blend(bool attention)
{
    static const struct {
        const char *label;
        struct zt_tile tile;
        double psnr;
    } rows[] = {
        { "wide overlap", { 12, 6, false }, 20 },
        { "the same, one after the other", { 12, 6, true }, 20 },
        { "narrow overlap", { 8, 2, false }, 15 },
        { "larger than the picture", { 64, 8, true }, 900 },
    };
    struct model m = open_model(DIFFUSERS, ZT_VAE_F32);
    struct zt_vae_size size = { 2, 10, 20 };
    size_t n = (size_t)3 * 5 * 10 * 20 * 256;
    float *latent = some_latent(size), *by_time = NULL;

    if (!attention)
        ggml_backend_tensor_memset(m.vae->decoder.attention.proj.w, 0, 0,
                                   ggml_nbytes(m.vae->decoder.attention.proj.w));
    struct film whole = decoded(m.vae, latent, size, NULL);

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct film film = decoded(m.vae, latent, size, &rows[i].tile);
        double db = psnr(film.rgb, whole.rgb, n);
        printf("%s (%d, %d): %.1f dB%s\n", rows[i].label, rows[i].tile.size, rows[i].tile.overlap,
               db, attention ? "" : " without attention");
        CHECK_BELOW(rows[i].label, rows[i].psnr + (attention ? 0 : 10), db);
        if (i == 1)
            CHECK_BELOW("16 bits", largest(film.rgb, by_time, n), 3.1 / 32767);
        if (i == 0)
            by_time = film.rgb;
        else
            free(film.rgb);
    }
    free(by_time);
    free(latent);
    free(whole.rgb);
    close_model(&m);
}

/*
 * Random weights spread what they see as far as they can, unlike trained ones. Attention sees the
 * tile alone; without it only what lies within reach of a seam differs.
 */
static void tiles_blend(void)
{
    blend(true);
    blend(false);
}

static void weights_of_tiles_add_up(void)
{
    for (int length = 1; length < 70; length++)
        for (int size = 0; size < 40; size += 3) {
            struct zt_tile tile = { .size = size, .overlap = 8 };
            struct zt_tile_axis axis = { 0 };
            float sum[70 * 2] = { 0 };
            struct zt_err err = { 0 };
            bool one = true, in_place = true;
            CHECK_INT("axis", zt_tile_axis_init(&axis, &tile, length, 2, &err), ZT_OK);
            for (int i = 0; i < axis.n; i++) {
                in_place = in_place && axis.start[i] >= 0 && axis.start[i] + axis.size <= length;
                for (int x = 0; in_place && x < axis.size * 2; x++)
                    sum[axis.start[i] * 2 + x] += axis.fade[i * axis.size * 2 + x];
            }
            for (int x = 0; x < length * 2; x++)
                one = one && fabsf(sum[x] - 1.0f) < 1e-5f;
            CHECK("within", in_place);
            CHECK("adds up to 1", one);
            CHECK("no larger than asked", size == 0 || axis.size <= size);
            zt_tile_axis_clear(&axis);
        }
}

#ifdef ZT_FAULTS
/*
 * In a process of its own: the n-th allocation fails, then the next rung is tried.
 * 0: it never failed; 1: it did, and the next rung gave the picture; 2: anything else.
 */
static int fail_at(const struct model *m, const float *latent, struct zt_vae_size size,
                   const struct zt_tile *tile, const float *want, int n)
{
    char spec[32];
    struct zt_err err = { 0 };
    struct film film = film_of(size.t);
    const struct zt_tile next = { 8, 4, true };

    snprintf(spec, sizeof(spec), "alloc:%d", n);
    setenv("ZOETROPE_FAULT", spec, 1);
    enum zt_code rc = zt_vae_decode(m->vae, latent, size, tile, on_frame, &film, &err);
    unsetenv("ZOETROPE_FAULT");
    free(film.rgb);
    if (rc == ZT_OK)
        return 0;
    if (rc != ZT_E_NOMEM || err.msg[0] == '\0')
        return 2;
    film = film_of(size.t);
    rc = zt_vae_decode(m->vae, latent, size, &next, on_frame, &film, &err);
    size_t values = 3 * (size_t)film.frames * (size_t)(size.h * size.w) * 256;
    bool same = rc == ZT_OK && psnr(film.rgb, want, values) > 15;
    free(film.rgb);
    return same ? 1 : 2;
}

static void comes_back_without_memory(void)
{
    static const struct zt_tile tiles[] = { { 0, 0, false }, { 8, 4, false }, { 8, 4, true } };
    struct model m = open_model(DIFFUSERS, ZT_VAE_F32);
    struct zt_vae_size size = { 2, 4, 12 };
    float *latent = some_latent(size);
    struct film whole = decoded(m.vae, latent, size, NULL);

    for (size_t i = 0; i < ZT_COUNT(tiles); i++) {
        int n = 0, status = 1;
        while (status == 1 && n < 200) {
            n++;
            pid_t child = fork();
            if (child == 0)
                _exit(fail_at(&m, latent, size, &tiles[i], whole.rgb, n));
            waitpid(child, &status, 0);
            status = WIFEXITED(status) ? WEXITSTATUS(status) : 3;
        }
        CHECK_INT("fails as ZT_E_NOMEM, and the next rung does it", status, 0);
        printf("%d allocations failed in turn\n", n - 1);
        CHECK("there were allocations to fail", n > 6);
    }
    free(latent);
    free(whole.rgb);
    close_model(&m);
}

static void says_when_the_disk_is_full(void)
{
    struct model m = open_model(DIFFUSERS, ZT_VAE_F32);
    struct zt_vae_size size = { 2, 4, 12 };
    float *latent = some_latent(size);
    struct film film = film_of(2);
    struct zt_err err = { 0 };

    setenv("ZOETROPE_FAULT", "reel:1", 1);
    CHECK_INT(
        "full",
        zt_vae_decode(m.vae, latent, size, &(struct zt_tile){ 8, 4, true }, on_frame, &film, &err),
        ZT_E_FULL);
    unsetenv("ZOETROPE_FAULT");
    CHECK_INT("no frame", film.seen, 0);
    free(latent);
    close_model(&m);
}
#endif

/* A line of /proc/self/status, in bytes. */
static size_t status_bytes(const char *key)
{
    char line[256];
    size_t n = strlen(key), bytes = 0;
    FILE *f = fopen("/proc/self/status", "re");

    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, key, n) == 0)
            bytes = (size_t)strtoull(line + n, NULL, 10) * 1024;
    if (f != NULL)
        fclose(f);
    return bytes;
}

static bool reset_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "we");
    bool done = f != NULL && fputs("5", f) >= 0;

    if (f != NULL)
        done = fclose(f) == 0 && done;
    return done;
}

static bool drop_frame(void *user, const struct zt_vae_frame *f)
{
    (void)f;
    return user != NULL;
}

/* What the fast backend keeps for itself at these sizes; it is not foreseen. */
#define BACKEND_BYTES (8 << 20)

/* Buffers as ggml has them, or the process's own peak where no sanitizer adds to it. */
static void foresees_what_it_takes(void)
{
    static const struct zt_tile tiles[] = { { 0, 0, false }, { 12, 4, false }, { 12, 4, true } };
    struct zt_vae_config config = {
        .z = 48,
        .enc = { 16, 16, 32, 64, 64 },
        .dec = { 128, 128, 128, 64, 32 },
        .down_time = { false, true, true, false },
        .up_time = { true, true, false, false },
    };
    struct zt_vae_size size = { 2, 10, 18 };
    struct zt_err err = { 0 };
    float *latent = some_latent(size);

    for (size_t i = 0; i < 48; i++)
        config.std[i] = 1;
    struct zt_vae *vae = vae_random(&config, ZT_VAE_DECODER, GGML_TYPE_F32, device);
    for (size_t i = 0; i < ZT_COUNT(tiles); i++) {
        struct zt_vae_bytes bytes;
        CHECK_INT("trims", zt_device_trim(device, &err), ZT_OK);
        CHECK_INT("measures", zt_vae_decode_bytes(vae, size, &tiles[i], &bytes, &err), ZT_OK);
        malloc_trim(0);
        size_t before = status_bytes("VmRSS:");
        bool by_process = reset_peak();
        CHECK_INT("decodes", zt_vae_decode(vae, latent, size, &tiles[i], drop_frame, NULL, &err),
                  ZT_OK);
        double peak = (double)(status_bytes("VmHWM:") - before);
        double want = (double)(bytes.caches + bytes.working + bytes.host);
        ggml_backend_sched_t sched = zt_device_sched(device);
        size_t graph =
            ggml_backend_sched_get_buffer_size(sched, ggml_backend_sched_get_backend(sched, 0));
        printf("tile %d: foreseen %.1f MiB (caches %.1f, working %.1f, host %.1f), peak %.1f MiB\n",
               tiles[i].size, want / 1048576, (double)bytes.caches / 1048576,
               (double)bytes.working / 1048576, (double)bytes.host / 1048576, peak / 1048576);
        CHECK_NEAR("working memory", (double)graph, (double)bytes.working,
                   0.01 * (double)bytes.working);
#ifdef ZT_SANITIZED
        by_process = false;
#endif
        if (by_process)
            CHECK_NEAR("peak", peak - (double)bytes.file, want, 0.15 * want + BACKEND_BYTES);
    }
    free(latent);
    zt_vae_close(vae);
}

static struct zt_vae_config published(void)
{
    return (struct zt_vae_config){
        .z = 48,
        .enc = { 160, 160, 320, 640, 640 },
        .dec = { 1024, 1024, 1024, 512, 256 },
        .down_time = { false, true, true, false },
        .up_time = { true, true, false, false },
    };
}

/* Figures that VAE.md quotes. */
static void foresees_the_published_size(void)
{
    struct zt_vae_config config = published();
    struct zt_vae_size sizes[] = { { 31, 30, 52 }, { 31, 44, 80 } };
    struct zt_arena arena = { 0 };
    struct zt_param *rows;
    struct zt_err err = { 0 };
    int64_t elements = 0;

    size_t n = zt_vae_params(&config, ZT_VAE_BOTH, &arena, &rows);
    for (size_t i = 0; i < n; i++)
        elements += rows[i].ne[0] * rows[i].ne[1] * rows[i].ne[2] * rows[i].ne[3];
    CHECK_INT("parameters", elements, 704688668);
    zt_arena_clear(&arena);
    for (size_t i = 0; i < ZT_COUNT(sizes); i++)
        for (int half = 0; half < 2; half++) {
            struct zt_vae *vae = NULL;
            struct zt_vae_bytes bytes;
            struct zt_tile tile;
            size_t last = SIZE_MAX;
            CHECK_INT("describes",
                      zt_vae_describe(&config, ZT_VAE_DECODER, half ? GGML_TYPE_F16 : GGML_TYPE_F32,
                                      device, &vae, &err),
                      ZT_OK);
            for (int r = 0; zt_vae_rung(r, sizes[i], &tile); r++) {
                CHECK_INT("measures", zt_vae_decode_bytes(vae, sizes[i], &tile, &bytes, &err),
                          ZT_OK);
                printf("%dx%d %s, tile %2d %s: weights %5zu, caches %5zu, working %5zu, host %3zu, "
                       "sum %5zu MiB; file %zu MiB\n",
                       sizes[i].w * 16, sizes[i].h * 16, half ? "f16" : "f32", tile.size,
                       tile.by_tile ? "by tile" : "by time", bytes.weights >> 20,
                       bytes.caches >> 20, bytes.working >> 20, bytes.host >> 20,
                       zt_vae_bytes_sum(&bytes) >> 20, bytes.file >> 20);
                CHECK("each rung takes less", zt_vae_bytes_sum(&bytes) < last);
                last = zt_vae_bytes_sum(&bytes);
                if (r == 0)
                    CHECK_INT("cache", bytes.caches,
                              456800 * (size_t)(sizes[i].h * sizes[i].w) * (half ? 2 : 4));
            }
            zt_vae_close(vae);
        }
}

static void foresees_an_encode(void)
{
    struct zt_vae_config config = published();
    struct zt_err err = { 0 };

    for (int half = 0; half < 2; half++) {
        struct zt_vae *vae = NULL;
        struct zt_vae_bytes one = { 0 }, five = { 0 };
        CHECK_INT("describes",
                  zt_vae_describe(&config, ZT_VAE_ENCODER, half ? GGML_TYPE_F16 : GGML_TYPE_F32,
                                  device, &vae, &err),
                  ZT_OK);
        CHECK_INT("one", zt_vae_encode_bytes(vae, 1, 480, 832, &one, &err), ZT_OK);
        CHECK_INT("five", zt_vae_encode_bytes(vae, 5, 480, 832, &five, &err), ZT_OK);
        printf("encoding 832x480 %s: weights %zu, one picture: working %zu, host %zu; more: caches "
               "%zu, working %zu, host %zu MiB\n",
               half ? "f16" : "f32", one.weights >> 20, one.working >> 20, one.host >> 20,
               five.caches >> 20, five.working >> 20, five.host >> 20);
        CHECK_INT("no caches for one", one.caches, 0);
        CHECK("more for more", five.working > one.working && five.caches > 0);
        zt_vae_close(vae);
    }
}

static void stops_and_refuses(void)
{
    struct model m = open_model(DIFFUSERS, ZT_VAE_F32);
    struct zt_vae_size size = { 3, 4, 6 };
    float *latent = some_latent(size), out[48];
    struct film film = film_of(3);
    struct zt_err err = { 0 };

    film.stop_at = 2;
    CHECK_INT("stopped", zt_vae_decode(m.vae, latent, size, NULL, on_frame, &film, &err),
              ZT_E_CANCELLED);
    CHECK_INT("at the frame", film.seen, 2);
    free(film.rgb);
    CHECK_INT("4 frames", zt_vae_encode(m.vae, latent, 4, 16, 16, out, &err), ZT_E_INVALID);
    CHECK_HAS("names them", err.msg, "1, 5, 9");
    CHECK_INT("17 pixels", zt_vae_encode(m.vae, latent, 1, 17, 16, out, &err), ZT_E_INVALID);
    size.t = 0;
    CHECK_INT("no frame", zt_vae_decode(m.vae, latent, size, NULL, on_frame, &film, &err),
              ZT_E_INVALID);
    size.t = 1;
    CHECK_INT(
        "a tile of -1",
        zt_vae_decode(m.vae, latent, size, &(struct zt_tile){ .size = -1 }, on_frame, &film, &err),
        ZT_E_INVALID);
    latent[0] = NAN;
    film = film_of(1);
    err = (struct zt_err){ 0 };
    CHECK_INT("NaN", zt_vae_decode(m.vae, latent, size, NULL, on_frame, &film, &err), ZT_OK);
    CHECK("is counted", film.not_finite > 0);
    free(film.rgb);
    free(latent);
    close_model(&m);
}

static void reads_both_namings(void)
{
    struct zt_vae_config a, b;
    struct zt_weights *diffusers = parity_open(DIFFUSERS), *original = parity_open(ORIGINAL);
    struct zt_weights *other = parity_open(RECORDED);
    struct zt_arena arena = { 0 };
    struct zt_param *rows;
    struct zt_err err = { 0 };

    CHECK_INT("diffusers", zt_vae_config_read(diffusers, &a, &err), ZT_OK);
    CHECK_INT("original", zt_vae_config_read(original, &b, &err), ZT_OK);
    CHECK_INT("same", memcmp(&a, &b, sizeof(a)), 0);
    size_t n = zt_vae_params(&a, ZT_VAE_BOTH, &arena, &rows);
    CHECK_INT("rows", n, zt_weights_count(original));
    CHECK_INT("all there", zt_params_check(original, "VAE", rows, n, &zt_vae_names, &err), ZT_OK);
    CHECK_INT("all there", zt_params_check(diffusers, "VAE", rows, n, &zt_vae_names, &err), ZT_OK);
    CHECK_INT("no VAE", zt_vae_config_read(other, &b, &err), ZT_E_CORRUPT);
    CHECK_HAS("says what is missing", err.msg, "encoder.conv1.weight");
    zt_arena_clear(&arena);
    zt_weights_close(diffusers);
    zt_weights_close(original);
    zt_weights_close(other);
}

int main(void)
{
    struct zt_err err = { 0 };

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (zt_device_open(&(struct zt_device_options){ .threads = 1 }, &device, &err) != ZT_OK) {
        printf("%s\n", err.msg);
        return 1;
    }
    RUN(reads_both_namings);
    RUN(equals_the_reference);
    RUN(equals_it_by_taps);
    RUN(is_close_in_f16);
    RUN(goes_on_where_it_was);
    RUN(tiles_blend);
    RUN(weights_of_tiles_add_up);
    RUN(stops_and_refuses);
#ifdef ZT_FAULTS
    RUN(comes_back_without_memory);
    RUN(says_when_the_disk_is_full);
#endif
    RUN(foresees_what_it_takes);
    RUN(foresees_the_published_size);
    RUN(foresees_an_encode);
    zt_device_close(device);
    return check_done();
}
