/*
 * test_wan_pipeline.c - from a picture and a prompt to frames, against the reference's run with the
 * same noise: the networks one after the other in f32, and the engine as it is.
 */
#include "models/wan/inside.h"

#include "base/file.h"
#include "fixture_picture.h"
#include "models/wan/denoise.h"
#include "models/wan/dit_inside.h"
#include "models/wan/picture.h"
#include "models/wan/wan.h"
#include "parity.h"
#include "tensor/w8a8.h"

#include <unistd.h>

#define MODEL    ZT_FIXTURES "/wan"
#define RECORDED ZT_FIXTURES "/wan/ref/pipeline.safetensors"
#define PROMPT   "A red ball rolls over the hills，the camera slowly pans to the left."

#define WIDTH    96
#define HEIGHT   64
#define FRAMES   9
#define STEPS    4
#define T        3
#define PLANE    (4 * 6)
#define LATENT   (48 * T * PLANE)
#define VIDEO    (3 * FRAMES * WIDTH * HEIGHT)

/*
 * Each stage is within 1e-4; guidance of 5 and four steps make of an error in one velocity up to
 * four times as much (tools/reference/pipeline.py prints it).
 */
#define END_TO_END 1e-3

static struct zt_weights *recorded;
static struct zt_wan *wan;
static struct zt_err err;

static bool ok(enum zt_code rc)
{
    if (rc != ZT_OK)
        printf("%s: %s (%s)\n", zt_code_name(rc), err.msg, err.detail);
    return rc == ZT_OK;
}

static float *values(const char *name)
{
    size_t n;

    return parity_values(recorded, name, &n);
}

/* ---- the networks, one after the other ----------------------------------------------------- */

struct run {
    const char *name, *steps, *frames;
    enum zt_update update;
    double guidance;
    bool first, last; /* held */
};

static const struct run runs[] = {
    { "image to video", "i2v.steps", "i2v.frames", ZT_UPDATE_UNIPC, 5, true, false },
    { "first and last", "flf.steps", NULL, ZT_UPDATE_UNIPC, 5, true, true },
    { "Euler, no guidance", "euler.steps", NULL, ZT_UPDATE_EULER, 1, true, false },
    { "text to video", "t2v.steps", NULL, ZT_UPDATE_UNIPC, 5, false, false },
};

static void put_frame(float *given, const float *latent, int frame)
{
    for (int c = 0; c < 48; c++)
        memcpy(given + (c * T + frame) * PLANE, latent + c * PLANE, PLANE * sizeof(float));
}

struct watch {
    const struct run *run;
    const float *want; /* [STEPS][48][T][4][6] */
};

static bool on_step(void *user, int done, int steps, const float *x)
{
    const struct watch *w = user;
    char label[64];

    snprintf(label, sizeof(label), "%s, step %d of %d", w->run->name, done, steps);
    CHECK_BELOW(label, parity_error(x, w->want + (done - 1) * LATENT, LATENT), END_TO_END);
    return false;
}

static bool collect(void *user, const struct zt_vae_frame *frame)
{
    float *video = user;

    for (int i = 0; i < WIDTH * HEIGHT; i++)
        for (int c = 0; c < 3; c++)
            video[(c * FRAMES + frame->index) * WIDTH * HEIGHT + i] = frame->rgb[3 * i + c];
    return false;
}

static void denoises(const struct run *r, const struct zt_dit_prompt *cond,
                     const struct zt_dit_prompt *uncond, float *x)
{
    const struct zt_schedule schedule = {
        .grid = ZT_GRID_UNIFORM, .update = r->update, .steps = STEPS, .shift = 5
    };
    bool held[T] = { r->first, false, r->last };
    float *first = values("first.latent"), *last = values("last.latent");
    float *noise = values("noise"), *want = values(r->steps);
    float *given = calloc(LATENT, sizeof(float));
    struct watch watch = { r, want };
    const struct zt_wan_denoise d = { .dit = wan->dit,
                                      .cond = cond,
                                      .uncond = r->guidance > 1 ? uncond : NULL,
                                      .guidance = r->guidance,
                                      .guidance_interval = { 0, 1 },
                                      .schedule = &schedule,
                                      .size = { T, 4, 6 },
                                      .given = given,
                                      .held = held,
                                      .on_step = on_step,
                                      .user = &watch };

    put_frame(given, first, 0);
    put_frame(given, last, T - 1);
    memcpy(x, noise, LATENT * sizeof(float));
    CHECK(r->name, ok(zt_wan_denoise(&d, x, &err)));
    free(first);
    free(last);
    free(noise);
    free(want);
    free(given);
}

static void equals_the_reference_step_by_step(void)
{
    zt_auto(dit_prompt) struct zt_dit_prompt *cond = NULL;
    zt_auto(dit_prompt) struct zt_dit_prompt *uncond = NULL;
    size_t n, m;
    float *rows = parity_values(recorded, "prompt.rows", &n);
    float *negative = parity_values(recorded, "negative.rows", &m);

    CHECK("dit", ok(zt_wan_need_dit(wan, &err)) && ok(zt_wan_need_vae(wan, &err)));
    CHECK("prompt", ok(zt_dit_prompt_new(wan->dit, rows, (int)(n / 64), &cond, &err)));
    CHECK("negative", ok(zt_dit_prompt_new(wan->dit, negative, (int)(m / 64), &uncond, &err)));
    for (size_t i = 0; i < ZT_COUNT(runs); i++) {
        float x[LATENT];
        denoises(&runs[i], cond, uncond, x);
        if (runs[i].frames == NULL)
            continue;
        float *want = values(runs[i].frames), *video = calloc(VIDEO, sizeof(float));
        const struct zt_vae_size size = { T, 4, 6 };
        CHECK(runs[i].name, ok(zt_vae_decode(wan->vae, x, size, NULL, collect, video, &err)));
        double off = parity_error(video, want, VIDEO);
        printf("%s: frames differ by %.2g\n", runs[i].name, off);
        CHECK_BELOW(runs[i].name, off, END_TO_END);
        free(want);
        free(video);
    }
    free(rows);
    free(negative);
}

/* What Euler's steps and guesses have to do with each other: see guesses_lie_on_the_way. */
struct way {
    float x[LATENT], x0[LATENT]; /* before the step; where it leads */
    const double *sigma;
    int guesses, steps;
};

static enum zt_code on_guess(void *user, const float *x0, struct zt_err *e)
{
    struct way *way = user;

    (void)e;
    memcpy(way->x0, x0, sizeof(way->x0));
    way->guesses++;
    return ZT_OK;
}

/* x moves straight towards x0, as far as the noise level falls. */
static bool on_way(void *user, int done, int steps, const float *x)
{
    struct way *way = user;
    static float want[LATENT];
    float rest = (float)(way->sigma[done] / way->sigma[done - 1]);

    way->steps = done;
    if (done < steps) {
        CHECK_INT("a guess a step", way->guesses, done);
        for (int i = 0; i < LATENT; i++)
            want[i] = way->x0[i] + rest * (way->x[i] - way->x0[i]);
        CHECK_BELOW("on the way to it", parity_error(x, want, LATENT), 1e-5);
    }
    memcpy(way->x, x, sizeof(way->x));
    return false;
}

static enum zt_code refuses(void *user, const float *x0, struct zt_err *e)
{
    (void)user;
    (void)x0;
    return zt_fail(e, ZT_E_IO, "no more");
}

static void guesses_lie_on_the_way(void)
{
    const struct zt_schedule schedule = {
        .grid = ZT_GRID_UNIFORM, .update = ZT_UPDATE_EULER, .steps = STEPS, .shift = 5
    };
    static const bool held[T] = { true };
    static struct way way;
    zt_auto(dit_prompt) struct zt_dit_prompt *cond = NULL;
    zt_auto(sampler) struct zt_sampler *sampler = NULL;
    double sigma[STEPS + 1];
    size_t n;
    float *rows = parity_values(recorded, "prompt.rows", &n), *noise = values("noise");
    struct zt_wan_denoise d = { .dit = wan->dit,
                                .size = { T, 4, 6 },
                                .schedule = &schedule,
                                .given = noise,
                                .held = held,
                                .on_step = on_way,
                                .on_guess = on_guess,
                                .guess_every = 1,
                                .user = &way };
    float x[LATENT];

    CHECK("sampler", ok(zt_sampler_new(&schedule, LATENT, &sampler, &err)));
    for (int i = 0; i <= STEPS; i++)
        sigma[i] = zt_sampler_sigma(sampler, i);
    way.sigma = sigma;
    CHECK("prompt", ok(zt_dit_prompt_new(wan->dit, rows, (int)(n / 64), &cond, &err)));
    d.cond = cond;
    memcpy(x, noise, sizeof(x));
    memcpy(way.x, noise, sizeof(x));
    CHECK("denoises", ok(zt_wan_denoise(&d, x, &err)));
    CHECK_INT("none at the last step", way.guesses, STEPS - 1);
    for (int c = 0; c < 48; c++)
        CHECK("a held frame is as it is",
              memcmp(way.x0 + c * T * PLANE, noise + c * T * PLANE, PLANE * sizeof(float)) == 0);
    d.guess_every = 2;
    d.on_step = NULL;
    way.guesses = 0;
    CHECK("every other step", ok(zt_wan_denoise(&d, x, &err)));
    CHECK_INT("half as many", way.guesses, (STEPS - 1) / 2);
    d.on_guess = refuses;
    CHECK_INT("who refuses it ends all", zt_wan_denoise(&d, x, &err), ZT_E_IO);
    free(rows);
    free(noise);
}

/* The latent after STEPS of Euler; no frame is held. */
static void denoises_within(const struct zt_dit_prompt *cond, const struct zt_dit_prompt *uncond,
                            double low, double high, float *x)
{
    const struct zt_schedule schedule = {
        .grid = ZT_GRID_UNIFORM, .update = ZT_UPDATE_EULER, .steps = STEPS, .shift = 5
    };
    static const bool held[T];
    float *noise = values("noise");
    const struct zt_wan_denoise d = { .dit = wan->dit,
                                      .cond = cond,
                                      .uncond = uncond,
                                      .guidance = 5,
                                      .guidance_interval = { low, high },
                                      .schedule = &schedule,
                                      .size = { T, 4, 6 },
                                      .given = noise,
                                      .held = held };

    memcpy(x, noise, LATENT * sizeof(float));
    CHECK("interval", ok(zt_wan_denoise(&d, x, &err)));
    free(noise);
}

/* The levels of four steps shifted by 5 are 0.9998, 0.9374, 0.8331 and 0.6244. */
static void guides_within_the_interval_alone(void)
{
    static float all[LATENT], none[LATENT], some[LATENT], other[LATENT];
    zt_auto(dit_prompt) struct zt_dit_prompt *cond = NULL;
    zt_auto(dit_prompt) struct zt_dit_prompt *uncond = NULL;
    size_t n, m;
    float *rows = parity_values(recorded, "prompt.rows", &n);
    float *negative = parity_values(recorded, "negative.rows", &m);

    CHECK("prompt", ok(zt_dit_prompt_new(wan->dit, rows, (int)(n / 64), &cond, &err)));
    CHECK("negative", ok(zt_dit_prompt_new(wan->dit, negative, (int)(m / 64), &uncond, &err)));
    denoises_within(cond, uncond, 0, 1, all);
    denoises_within(cond, NULL, 0, 1, none);
    denoises_within(cond, uncond, 0.1, 0.5, some);
    CHECK("no level within: as without guidance", memcmp(some, none, sizeof(none)) == 0);
    denoises_within(cond, uncond, 0.6, 1, some);
    CHECK("all levels within: as with it", memcmp(some, all, sizeof(all)) == 0);
    denoises_within(cond, uncond, 0.7, 0.9, some);
    denoises_within(cond, uncond, 0.62, 0.92, other);
    CHECK("one level within", memcmp(some, all, sizeof(all)) != 0);
    CHECK("and not none", memcmp(some, none, sizeof(none)) != 0);
    CHECK("a further one makes another latent", memcmp(some, other, sizeof(other)) != 0);
    free(rows);
    free(negative);
}

/* ---- the engine ---------------------------------------------------------------------------- */

struct film {
    int frames;
    uint8_t *pixels; /* [FRAMES][HEIGHT][WIDTH][3] */
};

static int on_frame(void *user, const struct zt_frame *frame, int index)
{
    struct film *film = user;

    CHECK_INT("index", index, film->frames);
    CHECK_INT("width", frame->width_px, WIDTH);
    memcpy(film->pixels + (size_t)index * WIDTH * HEIGHT * 3, frame->plane[0], WIDTH * HEIGHT * 3);
    film->frames++;
    return 0;
}

/* The reference's frames in 8 bits. */
static int byte_of(const float *video, int frame, int pixel, int c)
{
    float v = (video[(c * FRAMES + frame) * WIDTH * HEIGHT + pixel] + 1) * 127.5F;

    return (int)lrintf(fminf(fmaxf(v, 0), 255));
}

static void make_film(struct film *film)
{
    struct zt_image first = picture(MODEL "/ref/pipeline_first.png");
    const struct zt_plan plan = {
        .width_px = WIDTH, .height_px = HEIGHT, .frames = FRAMES, .fps = 24
    };
    const struct zt_request request = {
        .image = &first, .prompt = PROMPT, .resolution = ZT_480P, .duration_s = 5
    };
    const struct zt_sink sink = { .on_frame = on_frame, .user = film };

    film->frames = 0;
    CHECK("make", ok(zt_wan_make(wan, &request, &plan, &sink, &err)));
    CHECK_INT("frames", film->frames, FRAMES);
    zt_image_clear(&first);
}

/* How many bytes are not the reference's, and by how much at most. */
static int compare_film(const struct film *film, const char *what, int *ret_most)
{
    float *want = values("i2v.frames");
    int differ = 0, most = 0;

    for (int f = 0; f < FRAMES; f++)
        for (int i = 0; i < WIDTH * HEIGHT; i++)
            for (int c = 0; c < 3; c++) {
                int got = film->pixels[(f * WIDTH * HEIGHT + i) * 3 + c];
                int off = abs(got - byte_of(want, f, i, c));
                differ += off > 0;
                most = off > most ? off : most;
            }
    printf("%s: %d of %d bytes differ from the reference's, by %d at most\n", what, differ, VIDEO,
           most);
    free(want);
    *ret_most = most;
    return differ;
}

static struct film exact = { 0 };

static void the_engine_makes_the_same_video(void)
{
    int most;

    make_film(&exact);
    int differ = compare_film(&exact, "engine", &most);
    CHECK("by one step of 8 bits at most", most <= 1);
    CHECK_BELOW("where rounding falls the other way", differ, VIDEO / 100);
}

/* ---- 8-bit products ------------------------------------------------------------------------ */

static bool has_w8a8(void)
{
    const char *why;

    return zt_device_w8a8(wan->device, &why) != NULL;
}

/* Another video, but of the same thing. Measured: by 11 at most. */
static void the_engine_makes_it_in_8_bits(void)
{
    struct film film = { .pixels = calloc(FRAMES, WIDTH * HEIGHT * 3) };
    int most;

    wan->card.w8a8 = ZT_DIT_W8A8_ALL;
    zt_wan_forget(wan, false);
    if (has_w8a8()) {
        make_film(&film);
        CHECK("another video", compare_film(&film, "in 8 bits", &most) > VIDEO / 100);
        CHECK_BELOW("off by", most, 20);
    }
    free(film.pixels);
}

/* The same with scores in 8 bits, where the backend takes sums as small as these. */
static void the_engine_attends_in_8_bits(void)
{
    struct film film = { .pixels = calloc(FRAMES, WIDTH * HEIGHT * 3) };
    const char *cpu = getenv("ZOETROPE_CPU");
    int most;

    wan->card.attention = ZT_DIT_SCORES_INT8;
    zt_wan_forget(wan, false);
    make_film(&film);
    compare_film(&film, "attention in 8 bits", &most);
    if (cpu != NULL && strcmp(cpu, "fast") == 0)
        CHECK("another video", memcmp(film.pixels, exact.pixels, VIDEO) != 0);
    CHECK_BELOW("off by", most, 5);
    wan->card.attention = ZT_DIT_SCORES_FULL;
    zt_wan_forget(wan, false);
    free(film.pixels);
}

/* A weight that is no number: the second try is in f32, from the file. */
static void a_second_try_leaves_8_bits(void)
{
    struct film film = { .pixels = calloc(FRAMES, WIDTH * HEIGHT * 3) };

    if (has_w8a8()) {
        static float row[4096];
        CHECK("brought in", ok(zt_wan_need_dit(wan, &err)));
        struct ggml_tensor *w = wan->dit->tensors.blocks[0].up.w;
        CHECK_INT("in 8 bits", w->type, GGML_TYPE_I8);
        zt_assert(w->ne[0] <= (int64_t)ZT_COUNT(row));
        row[0] = NAN;
        zt_w8a8_set(w, 0, 1, row);
        make_film(&film);
        CHECK("as in f32", memcmp(film.pixels, exact.pixels, VIDEO) == 0);
        CHECK("and forgotten", !wan->exact && wan->dit == NULL);
    }
    free(film.pixels);
}

/* The model under a card of its own. */
static void link_model(const char *folder, const char *card)
{
    static const char *const parts[] = { "transformer", "vae", "text_encoder", "tokenizer" };
    char path[256], target[512];

    for (size_t i = 0; i < ZT_COUNT(parts); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, parts[i]);
        snprintf(target, sizeof(target), "%s/%s", MODEL, parts[i]);
        CHECK_INT(path, symlink(target, path), 0);
    }
    snprintf(path, sizeof(path), "%s/zoetrope.json", folder);
    FILE *f = fopen(path, "w");
    CHECK(path, f != NULL && fputs(card, f) >= 0 && fclose(f) == 0);
}

static void a_card_asks_for_8_bits_where_they_are(void)
{
    char folder[] = "/tmp/zt-w8a8-XXXXXX";
    const char *cpu = getenv("ZOETROPE_CPU");
    zt_auto_free char *before = cpu != NULL ? strdup(cpu) : NULL;
    void *self = NULL;

    CHECK("folder", mkdtemp(folder) != NULL);
    link_model(folder, "{\"w8a8\": \"ffn\"}");
    const struct zt_engine_options options = { .model_path = folder, .threads = 1 };
    if (has_w8a8()) {
        CHECK("opens", ok(zt_wan_engine.open(&options, &self, &err)));
        CHECK_INT("ffn", ((struct zt_wan *)self)->card.w8a8, ZT_DIT_W8A8_FFN);
        zt_wan_engine.close(self);
    }
    setenv("ZOETROPE_CPU", "ggml", 1);
    CHECK_INT("refused", zt_wan_engine.open(&options, &self, &err), ZT_E_UNSUPPORTED);
    CHECK_HAS("says what", err.msg, "zoetrope.json: w8a8 is ffn");
    CHECK_HAS("says why", err.msg, "the fast CPU backend is not there");
    if (before != NULL)
        setenv("ZOETROPE_CPU", before, 1);
    else
        unsetenv("ZOETROPE_CPU");
    zt_remove_tree(folder, NULL);
}

/* ---- previews ------------------------------------------------------------------------------ */

#define TINY    ZT_FIXTURES "/wan/original/taew2_2_small.safetensors"
#define FRAME_N (WIDTH * HEIGHT * 3)

struct previews {
    struct film film;
    int clips, next;                           /* complete ones; the frame that comes next */
    int stop_at;                               /* asks for no more at this frame; -1: never */
    uint8_t last[2][FRAME_N], now[2][FRAME_N]; /* first and last frame, of two clips */
};

static int take_frame(void *user, const struct zt_frame *frame, int index)
{
    struct previews *p = user;

    return on_frame(&p->film, frame, index);
}

static int on_preview(void *user, const struct zt_frame *frame, int index, int frames)
{
    struct previews *p = user;

    CHECK_INT("frames of it", frames, FRAMES);
    CHECK_INT("width of it", frame->width_px, WIDTH);
    CHECK_INT("height of it", frame->height_px, HEIGHT);
    CHECK("in order", index == 0 || index == p->next);
    CHECK_INT("before any of the video", p->film.frames, 0);
    p->next = index + 1;
    if (index == 0)
        memcpy(p->now[0], frame->plane[0], FRAME_N);
    if (index == frames - 1) {
        memcpy(p->now[1], frame->plane[0], FRAME_N);
        if (p->clips++ > 0) {
            CHECK("the given frame stays", memcmp(p->now[0], p->last[0], FRAME_N) == 0);
            CHECK("the others change", memcmp(p->now[1], p->last[1], FRAME_N) != 0);
        }
        memcpy(p->last, p->now, sizeof(p->last));
    }
    return index == p->stop_at;
}

static void watched(const char *tiny, int every, int stop_at, const struct film *want,
                    struct previews *p)
{
    struct zt_image first = picture(MODEL "/ref/pipeline_first.png");
    const struct zt_plan plan = {
        .width_px = WIDTH, .height_px = HEIGHT, .frames = FRAMES, .fps = 24
    };
    const struct zt_request request = {
        .image = &first, .prompt = PROMPT, .resolution = ZT_480P, .duration_s = 5
    };
    const struct zt_sink sink = { .on_frame = want != NULL ? take_frame : on_frame,
                                  .user = p,
                                  .on_preview = want != NULL ? on_preview : NULL,
                                  .preview_every = every };

    memset(p, 0, sizeof(*p));
    p->stop_at = stop_at;
    p->film.pixels = calloc(FRAMES, FRAME_N);
    zt_wan_forget(wan, false);
    zt_weights_close(wan->tiny_weights);
    wan->tiny_weights = NULL;
    snprintf(wan->files.path[ZT_PART_TINY], sizeof(wan->files.path[0]), "%s", tiny);
    CHECK("made", ok(zt_wan_make(wan, &request, &plan, &sink, &err)));
    CHECK_INT("all of it", p->film.frames, FRAMES);
    if (want != NULL)
        CHECK("the same video", memcmp(p->film.pixels, want->pixels, FRAMES * FRAME_N) == 0);
    zt_image_clear(&first);
}

static void previews_change_nothing(void)
{
    struct previews *plain = calloc(1, sizeof(*plain)), *seen = calloc(1, sizeof(*seen));

    watched("", 1, -1, NULL, plain);
    watched(TINY, 1, -1, &plain->film, seen);
    CHECK_INT("a clip a step but the last", seen->clips, STEPS - 1);
    free(seen->film.pixels);
    watched(TINY, 2, -1, &plain->film, seen);
    CHECK_INT("a clip every other step", seen->clips, (STEPS - 1) / 2);
    free(seen->film.pixels);
    watched(TINY, 1, 3, &plain->film, seen);
    CHECK_INT("stopped ones are no clips", seen->clips, 0);
    CHECK_INT("and end where they are", seen->next, 4);
    free(seen->film.pixels);
    watched(TINY, 0, -1, &plain->film, seen);
    CHECK_INT("not wanted", seen->next, 0);
    free(seen->film.pixels);
    watched(MODEL "/vae/diffusion_pytorch_model.safetensors", 1, -1, &plain->film, seen);
    CHECK_INT("no tiny decoder, no clip", seen->next, 0);
    free(seen->film.pixels);
    free(plain->film.pixels);
    free(plain);
    free(seen);
}

int main(void)
{
    const struct zt_engine_options options = { .model_path = MODEL,
                                               .noise_path = RECORDED,
                                               .threads = 1 };
    void *self = NULL;

    recorded = parity_open(RECORDED);
    if (!ok(zt_wan_engine.open(&options, &self, &err)))
        return 1;
    wan = self;
    zt_wan_forget(wan, true); /* the file is in BF16: compared with the reference in f32 */
    RUN(equals_the_reference_step_by_step);
    RUN(guides_within_the_interval_alone);
    RUN(guesses_lie_on_the_way);
    exact.pixels = calloc(FRAMES, WIDTH * HEIGHT * 3);
    RUN(the_engine_makes_the_same_video);
    RUN(previews_change_nothing);
    RUN(the_engine_attends_in_8_bits);
    RUN(the_engine_makes_it_in_8_bits);
    RUN(a_second_try_leaves_8_bits);
    RUN(a_card_asks_for_8_bits_where_they_are);
    free(exact.pixels);
    zt_wan_engine.close(self);
    zt_weights_close(recorded);
    return check_done();
}
