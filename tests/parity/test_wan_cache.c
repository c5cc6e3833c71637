/*
 * test_wan_cache.c - what passes of the DiT leave for later steps: that a pass cut in two is the
 * same, when blocks are left out, and what that changes. Random weights answer each step anew, which
 * trained ones do not, so for the error the timestep's share in the blocks is made small.
 */
#include "models/wan/inside.h"

#include "models/noise.h"
#include "models/wan/denoise.h"
#include "models/wan/dit_inside.h"
#include "models/wan/wan.h"
#include "parity.h"

#define MODEL     ZT_FIXTURES "/wan"
#define ONE_BLOCK MODEL "/original/wan2.2_ti2v_small_fp16.safetensors"
#define RECORDED  MODEL "/ref/pipeline.safetensors"
#define PROMPT    "A red ball rolls over the hills，the camera slowly pans to the left."

#define WIDTH     96
#define HEIGHT    64
#define FRAMES    9
#define VIDEO     (FRAMES * HEIGHT * WIDTH * 3)
#define STEPS     20
#define T         3
#define PLANE     (4 * 6)
#define LATENT    (48 * T * PLANE)
#define SAME_DB   1000.0
#define STEADY    0.02F /* of the timestep's share */

static const struct zt_dit_size size = { T, 4, 6 };
static struct zt_weights *recorded;
static struct zt_wan *wan;
static struct zt_err err;

static bool ok(enum zt_code rc)
{
    if (rc != ZT_OK)
        printf("%s: %s (%s)\n", zt_code_name(rc), err.msg, err.detail);
    return rc == ZT_OK;
}

/* ---- a pass -------------------------------------------------------------------------------- */

struct model {
    struct zt_weights *weights;
    struct zt_dit *dit;
    struct zt_dit_prompt *prompt;
};

static struct model model_open(const char *path, enum zt_dit_w8a8 mode, bool exact,
                               struct zt_device *device)
{
    struct model m = { .weights = parity_open(path) };
    size_t n;
    float *rows = parity_values(recorded, "prompt.rows", &n);

    zt_device_set_exact(device, exact);
    if (!ok(zt_dit_open(m.weights, 0, mode, device, NULL, NULL, &m.dit, &err)) ||
        !ok(zt_dit_prompt_new(m.dit, rows, (int)n / zt_dit_config(m.dit)->text_dim, &m.prompt,
                              &err)))
        exit(1);
    zt_device_set_exact(device, false);
    free(rows);
    return m;
}

static void model_close(struct model *m)
{
    zt_dit_prompt_free(m->prompt);
    zt_dit_close(m->dit);
    zt_weights_close(m->weights);
}

/* The weights of the timestep's share, which are in f32 and memory of their own. */
static void steady(struct zt_dit *dit)
{
    struct ggml_tensor *w = dit->tensors.time_proj.w;
    size_t n = (size_t)ggml_nelements(w);
    zt_auto_free float *values = malloc(n * sizeof(float));

    zt_assert(w->type == GGML_TYPE_F32 && values != NULL);
    ggml_backend_tensor_get(w, values, 0, n * sizeof(float));
    for (size_t i = 0; i < n; i++)
        values[i] *= STEADY;
    ggml_backend_tensor_set(w, values, 0, n * sizeof(float));
}

static float x0[LATENT], whole[LATENT], got[LATENT]; /* of passes */

/* Held frames have timestep 0, the others t: whole and got. */
static void pass(const struct model *m, struct zt_dit_reuse *reuse, float t)
{
    const float times[T] = { 0, t, t };

    CHECK("whole", ok(zt_dit_forward(m->dit, m->prompt, size, x0, times, whole, &err)));
    CHECK("cached", ok(zt_dit_forward_cached(m->dit, m->prompt, reuse, x0, times, got, &err)));
}

static void cut(const char *path, enum zt_dit_w8a8 mode, bool exact, struct zt_device *device)
{
    const double thresholds[] = { 0, INFINITY, 1e-9 }; /* whole; nothing kept; changed by more */
    struct model m = model_open(path, mode, exact, device);
    zt_auto(dit_cache) struct zt_dit_cache *cache = NULL;

    CHECK(path, ok(zt_dit_cache_new(m.dit, size, 2, &cache, &err)));
    for (int turn = 0; turn < 3; turn++) {
        struct zt_dit_reuse reuse = { cache, turn == 1, thresholds[turn], 0, true };
        pass(&m, &reuse, (float)(500 - turn));
        CHECK(path, !reuse.reused && memcmp(got, whole, sizeof(got)) == 0);
        CHECK(path, turn == 2 ? reuse.change > 1e-9 && reuse.change < 1e9 : reuse.change > 1e9);
    }
    model_close(&m);
}

/* With what the fast backend takes by itself, and with all that it can compute. */
static void a_cut_pass_is_the_same(void)
{
    static const struct zt_device_options alone = { .threads = 1 };
    const char *before = getenv("ZOETROPE_CPU"), *why;
    zt_auto_free char *saved = before != NULL ? strdup(before) : NULL;
    zt_auto(device) struct zt_device *fast = NULL;

    setenv("ZOETROPE_CPU", "fast", 1);
    CHECK("device", ok(zt_device_open(&alone, &fast, &err)));
    if (saved != NULL)
        setenv("ZOETROPE_CPU", saved, 1);
    else
        unsetenv("ZOETROPE_CPU");
    for (int i = 0; i < 2; i++) {
        struct zt_device *device = i == 0 ? wan->device : fast;
        cut(MODEL "/transformer", ZT_DIT_W8A8_NONE, true, device);
        cut(MODEL "/transformer", ZT_DIT_W8A8_NONE, false, device);
        cut(ONE_BLOCK, ZT_DIT_W8A8_NONE, false, device);
        if (zt_device_w8a8(device, &why) != NULL)
            cut(MODEL "/transformer", ZT_DIT_W8A8_ALL, false, device);
    }
}

static void a_short_pass_is_near(void)
{
    struct model m = model_open(MODEL "/transformer", ZT_DIT_W8A8_NONE, true, wan->device);
    zt_auto(dit_cache) struct zt_dit_cache *cache = NULL;
    struct zt_dit_reuse reuse = { 0 };

    steady(m.dit);
    CHECK("cache", ok(zt_dit_cache_new(m.dit, size, 1, &cache, &err)));
    reuse.cache = cache;
    pass(&m, &reuse, 500);
    reuse.threshold = 1e-9;
    pass(&m, &reuse, 500);
    CHECK("reused", reuse.reused && reuse.change == 0);
    CHECK_BELOW("at the same step", parity_error(got, whole, LATENT), 1e-6);
    cache->first[0] += 1e6F;
    pass(&m, &reuse, 500);
    CHECK("a given frame does not count", reuse.reused && reuse.change == 0);
    cache->first[cache->frame_values] += 1e6F;
    pass(&m, &reuse, 500);
    CHECK("others do", !reuse.reused && reuse.change > 0.5);
    cache->first[cache->frame_values] = NAN;
    reuse.threshold = 1e9;
    pass(&m, &reuse, 500);
    CHECK("no number is no reason", !reuse.reused);
    pass(&m, &reuse, 490);
    double near = parity_error(got, whole, LATENT);
    CHECK("reused later", reuse.reused && near > 0);
    memset(cache->rest[0], 0, cache->values * sizeof(float));
    pass(&m, &reuse, 490);
    double far = parity_error(got, whole, LATENT);
    printf("10 timesteps later: changed by %.2g, off by %.2g; without the other blocks by %.2g\n",
           reuse.change, near, far);
    CHECK_BELOW("near", near, far / 4);
    model_close(&m);
}

/* ---- the steps ----------------------------------------------------------------------------- */

struct run {
    double cache, low, high; /* guided above and up to these levels */
    int steps;
    uint64_t seed;
    const struct zt_dit_prompt *cond, *uncond;
    struct zt_made made;
    char pattern[STEPS + 1]; /* a letter a step: 'a' all blocks, 'r' reused */
    int before;
    bool guesses;
    float x[LATENT];
};

static bool on_step(void *user, int done, int steps, const float *x)
{
    struct run *r = user;

    (void)steps;
    (void)x;
    r->pattern[done - 1] = r->made.passes_reused > r->before ? 'r' : 'a';
    r->before = r->made.passes_reused;
    return false;
}

static enum zt_code on_guess(void *user, const float *guess, struct zt_err *e)
{
    (void)user;
    (void)guess;
    (void)e;
    return ZT_OK;
}

static void denoises(struct run *r)
{
    const struct zt_schedule schedule = {
        .grid = ZT_GRID_UNIFORM, .update = ZT_UPDATE_UNIPC, .steps = r->steps, .shift = 5
    };
    static const bool held[T] = { true };
    size_t n;
    zt_auto_free float *given = parity_values(recorded, "noise", &n);
    const struct zt_wan_denoise d = { .dit = wan->dit,
                                      .cond = r->cond,
                                      .uncond = r->uncond,
                                      .guidance = 5,
                                      .guidance_interval = { r->low, r->high },
                                      .schedule = &schedule,
                                      .size = size,
                                      .given = given,
                                      .held = held,
                                      .cache = r->cache,
                                      .made = &r->made,
                                      .on_step = on_step,
                                      .on_guess = on_guess,
                                      .guess_every = r->guesses,
                                      .user = r };

    r->made = (struct zt_made){ 0 };
    r->before = 0;
    memset(r->pattern, 0, sizeof(r->pattern));
    zt_noise_fill(r->seed, 0, 0, LATENT, r->x);
    CHECK("denoises", ok(zt_wan_denoise(&d, r->x, &err)));
}

static double psnr(double squares, double n, double range)
{
    return squares > 0 ? 10 * log10(range * range * n / squares) : SAME_DB;
}

static double latent_psnr(const float *a, const float *b)
{
    double squares = 0, low = b[0], high = b[0];

    for (int i = 0; i < LATENT; i++) {
        squares += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        low = fmin(low, b[i]);
        high = fmax(high, b[i]);
    }
    return psnr(squares, LATENT, high - low);
}

/* Measured: 0, 12, 22 and 26 of 40 passes; 69.8, 60.0 and 51.7 dB. */
static void the_error_grows_with_the_threshold(struct run *r)
{
    static const struct {
        double threshold;
        int least, most; /* of 40 passes */
        double db;
    } rows[] = {
        { 1e-9, 0, 0, SAME_DB - 1 }, { 0.05, 2, 14, 62 }, { 0.1, 16, 24, 54 }, { 1, 26, 26, 46 }
    };
    static float want[LATENT];
    double before = SAME_DB + 1;

    denoises(r);
    memcpy(want, r->x, sizeof(want));
    CHECK_INT("nothing is reused without", r->made.passes_reused, 0);
    CHECK_INT("passes", r->made.passes, 2 * STEPS);
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        r->cache = rows[i].threshold;
        denoises(r);
        double db = latent_psnr(r->x, want);
        printf("threshold %g: %d of %d passes reused, latent %.1f dB\n", r->cache,
               r->made.passes_reused, r->made.passes, db);
        CHECK("reused",
              r->made.passes_reused >= rows[i].least && r->made.passes_reused <= rows[i].most);
        CHECK_BELOW("near", rows[i].db, db);
        CHECK_BELOW("the error grows", db, before);
        before = db;
    }
}

/* The levels of ten steps shifted by 5 are 0.9998, 0.978, 0.952, 0.921, 0.882, 0.833, 0.769 ... */
static void some_steps_are_whole_whatever_changes(struct run *r)
{
    r->cache = 1;
    r->steps = 10;
    denoises(r);
    CHECK_STR("guided", r->pattern, "aarrrarrra");
    r->low = 0.9;
    denoises(r);
    CHECK_STR("guided at first", r->pattern, "aarrrarrra");
    CHECK_INT("passes", r->made.passes, 10 + 4);
    r->low = 0;
    r->high = 0.93;
    denoises(r);
    CHECK_STR("guided at last", r->pattern, "aararrrara");
    r->high = 1;
    r->steps = 3;
    denoises(r);
    CHECK_STR("few", r->pattern, "aaa");
    r->steps = 4;
    denoises(r);
    CHECK_STR("one more", r->pattern, "aara");
    r->steps = STEPS;
}

static void nothing_is_left_to_the_next(struct run *r)
{
    static float want[LATENT];
    const struct zt_dit_prompt *cond = r->cond;

    r->cache = 0.2;
    r->steps = 8;
    denoises(r);
    CHECK("some are reused", r->made.passes_reused > 0);
    memcpy(want, r->x, sizeof(want));
    r->seed++;
    r->cond = r->uncond;
    denoises(r);
    CHECK("another latent", memcmp(r->x, want, sizeof(want)) != 0);
    r->cond = cond;
    r->seed--;
    r->guesses = true; /* which leave it alone, too */
    denoises(r);
    CHECK("the same as before", memcmp(r->x, want, sizeof(want)) == 0);
    r->guesses = false;
}

static void reuses_where_little_changes(void)
{
    struct run *r = calloc(1, sizeof(*r));
    zt_auto(dit_prompt) struct zt_dit_prompt *cond = NULL;
    zt_auto(dit_prompt) struct zt_dit_prompt *uncond = NULL;
    size_t n, m;
    zt_auto_free float *rows = parity_values(recorded, "prompt.rows", &n);
    zt_auto_free float *negative = parity_values(recorded, "negative.rows", &m);

    CHECK("prompt", ok(zt_dit_prompt_new(wan->dit, rows, (int)(n / 64), &cond, &err)));
    CHECK("negative", ok(zt_dit_prompt_new(wan->dit, negative, (int)(m / 64), &uncond, &err)));
    r->cond = cond;
    r->uncond = uncond;
    r->high = 1;
    r->steps = STEPS;
    r->seed = 1;
    the_error_grows_with_the_threshold(r);
    some_steps_are_whole_whatever_changes(r);
    nothing_is_left_to_the_next(r);
    free(r);
}

/* ---- the engine ---------------------------------------------------------------------------- */

struct film {
    struct zt_made made;
    int frames;
    bool resumed;
    uint8_t pixels[VIDEO];
};

static int on_frame(void *user, const struct zt_frame *frame, int index)
{
    struct film *film = user;

    memcpy(film->pixels + (size_t)index * WIDTH * HEIGHT * 3, frame->plane[0], WIDTH * HEIGHT * 3);
    film->frames++;
    return 0;
}

static int on_progress(void *user, const struct zt_progress *progress)
{
    struct film *film = user;

    film->resumed |= strcmp(progress->stage, "resume") == 0;
    return 0;
}

static void make_film(struct film *film, double cache, const char *prompt, const char *scratch)
{
    static uint8_t pixels[WIDTH * HEIGHT * 3];
    const struct zt_image image = { WIDTH, HEIGHT, WIDTH * 3, pixels };
    const struct zt_plan plan = {
        .width_px = WIDTH, .height_px = HEIGHT, .frames = FRAMES, .fps = 24
    };
    const struct zt_request request = { .image = &image,
                                        .prompt = prompt,
                                        .resolution = ZT_720P,
                                        .duration_s = 5,
                                        .seed = 1,
                                        .scratch_path = scratch };
    const struct zt_sink sink = {
        .on_frame = on_frame, .on_progress = on_progress, .user = film, .made = &film->made
    };

    for (int i = 0; i < WIDTH * HEIGHT * 3; i++)
        pixels[i] = (uint8_t)(i / 3 % WIDTH * 2 + i % 3 * 20);
    film->made = (struct zt_made){ 0 };
    film->frames = 0;
    film->resumed = false;
    wan->card.step_cache = cache;
    CHECK("made", ok(zt_wan_make(wan, &request, &plan, &sink, &err)));
    CHECK_INT("frames", film->frames, FRAMES);
}

static double film_psnr(const struct film *a, const struct film *b)
{
    double squares = 0;

    for (int i = 0; i < VIDEO; i++)
        squares += (a->pixels[i] - b->pixels[i]) * (a->pixels[i] - b->pixels[i]);
    return psnr(squares, VIDEO, 255);
}

static bool same(const struct film *a, const struct film *b)
{
    return memcmp(a->pixels, b->pixels, VIDEO) == 0;
}

/* Measured: 61.2, 54.6 and 49.3 dB. */
static void the_video_stays_near(void)
{
    static const double thresholds[] = { 0.05, 0.1, 0.2 };
    static struct film want, film;
    double before = 200;

    wan->card.schedule.steps = STEPS;
    make_film(&want, 0, PROMPT, NULL);
    CHECK_INT("passes", want.made.passes, 2 * STEPS);
    CHECK_INT("reused", want.made.passes_reused, 0);
    for (size_t i = 0; i < ZT_COUNT(thresholds); i++) {
        make_film(&film, thresholds[i], PROMPT, NULL);
        double db = film_psnr(&film, &want);
        printf("threshold %g: %d of %d passes reused, video %.1f dB\n", thresholds[i],
               film.made.passes_reused, film.made.passes, db);
        CHECK_BELOW("near", 40, db);
        CHECK_BELOW("the error grows", db, before);
        before = db;
    }
}

static void nothing_is_left_to_the_next_video(void)
{
    static struct film want, film;

    wan->card.schedule.steps = 8;
    make_film(&want, 0.2, PROMPT, NULL);
    CHECK("some are reused", want.made.passes_reused > 0);
    make_film(&film, 0.2, "A dog", NULL);
    CHECK("another video", !same(&film, &want));
    make_film(&film, 0.2, PROMPT, NULL);
    CHECK("nothing is left of it", same(&film, &want));
    wan->card.schedule.steps = 4;
    make_film(&film, 1, PROMPT, NULL);
    CHECK_INT("one step of four", film.made.passes_reused, 2);
    zt_wan_forget(wan, true);
    make_film(&want, 0, PROMPT, NULL);
    zt_wan_forget(wan, true);
    make_film(&film, 1e9, PROMPT, NULL);
    CHECK("none in f32", same(&film, &want) && film.made.passes_reused == 0);
}

static void counts_its_memory(void)
{
    static const uint8_t pixels[WIDTH * HEIGHT * 3];
    const struct zt_image image = { WIDTH, HEIGHT, WIDTH * 3, (uint8_t *)pixels };
    const struct zt_request request = {
        .image = &image, .prompt = PROMPT, .resolution = ZT_480P, .duration_s = 2
    };
    const struct zt_dit_size made = { 13, 8, 10 }; /* 49 frames of max_pixels */
    struct zt_plan without, with;
    size_t one = zt_dit_cache_bytes(&wan->dit_config, made, 1);
    size_t two = zt_dit_cache_bytes(&wan->dit_config, made, 2);

    wan->card.decoder = ZT_DECODER_TINY; /* whose memory is not in the plan */
    for (int guided = 0; guided < 2; guided++) {
        wan->card.guidance = guided ? 5 : 1;
        wan->card.step_cache = 0;
        CHECK("plan", ok(zt_wan_engine.plan(wan, &request, &without, &err)));
        wan->card.step_cache = 0.1;
        CHECK("plan", ok(zt_wan_engine.plan(wan, &request, &with, &err)));
        CHECK_INT("a cache", with.memory_bytes - without.memory_bytes, guided ? two : one);
    }
    wan->card.decoder = ZT_DECODER_VAE;
    wan->card.step_cache = 0;
}

/* The negative prompt is not encoded then, nor is one that lies there part of a kept latent's key. */
static void needs_no_negative_prompt_where_none_is_guided(void)
{
    static struct film want, film;
    char folder[] = "/tmp/zt-cache-XXXXXX";

    CHECK("folder", mkdtemp(folder) != NULL);
    wan->card.schedule.steps = 4;
    wan->card.guidance = 1;
    zt_wan_words_clear(&wan->prompt);
    zt_wan_words_clear(&wan->negative);
    make_film(&want, 0, PROMPT, NULL);
    zt_wan_words_clear(&wan->prompt);
    wan->card.guidance = 5;
    wan->card.guidance_interval[1] = 0.5; /* the levels are 0.9998, 0.9374, 0.8331, 0.6244 */
    make_film(&film, 0, PROMPT, folder);
    CHECK("as without guidance", same(&film, &want));
    CHECK_INT("a pass a step", film.made.passes, 4);
    CHECK("not encoded", wan->negative.text == NULL);
    wan->card.guidance_interval[1] = 0.7;
    make_film(&film, 0, PROMPT, NULL);
    CHECK("another where one is", !same(&film, &want) && film.made.passes == 5);
    CHECK("encoded", wan->negative.text != NULL);
    wan->card.guidance_interval[1] = 0.5;
    make_film(&film, 0, PROMPT, folder);
    CHECK("found again", film.resumed && same(&film, &want));
    wan->card.guidance_interval[1] = 1;
    zt_remove_tree(folder, NULL);
}

int main(void)
{
    const struct zt_engine_options options = { .model_path = MODEL, .threads = 1 };
    void *self = NULL;

    recorded = parity_open(RECORDED);
    if (!ok(zt_wan_engine.open(&options, &self, &err)))
        return 1;
    wan = self;
    zt_noise_fill(1, 0, 0, LATENT, x0);
    RUN(a_cut_pass_is_the_same);
    RUN(a_short_pass_is_near);
    if (!ok(zt_wan_need_dit(wan, &err)))
        return 1;
    steady(wan->dit);
    RUN(reuses_where_little_changes);
    RUN(the_video_stays_near);
    RUN(nothing_is_left_to_the_next_video);
    RUN(needs_no_negative_prompt_where_none_is_guided);
    RUN(counts_its_memory);
    zt_wan_engine.close(self);
    zt_weights_close(recorded);
    return check_done();
}
