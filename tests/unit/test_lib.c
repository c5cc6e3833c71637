/* The public interface as a client sees it: engines, checks, frames, stopping, repeatability. */
#include "zoetrope.h"

#include <stdlib.h>

#include "base/digest.h"
#include "check.h"

#define WIDTH  96
#define HEIGHT 54

static uint8_t pixels[WIDTH * HEIGHT * 3], end_pixels[WIDTH * HEIGHT * 3];
static const struct zt_image image = { WIDTH, HEIGHT, (size_t)WIDTH * 3, pixels };
static const struct zt_image end_image = { WIDTH, HEIGHT, (size_t)WIDTH * 3, end_pixels };

static void paint(void)
{
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            uint8_t *p = pixels + (y * WIDTH + x) * 3;
            bool box = x > 40 && x < 60 && y > 20 && y < 45;
            p[0] = (uint8_t)(box ? 220 : 40 + y * 2 + (x * 7 + y * 13) % 11);
            p[1] = (uint8_t)(box ? 60 : 90 + y);
            p[2] = (uint8_t)(160 - y * 2 + x);
        }
    }
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++)
        end_pixels[i] = pixels[i >= 9 ? i - 9 : i];
}

static struct zt_request request_for(const char *prompt)
{
    return (struct zt_request){
        .image = &image, .prompt = prompt, .resolution = ZT_480P, .duration_s = 2, .seed = 5
    };
}

static struct zt_engine *open_engine(int threads)
{
    struct zt_engine_options options = { .threads = threads };
    struct zt_engine *engine = NULL;

    CHECK_INT("open", zt_engine_open("motion", &options, &engine, NULL), ZT_OK);
    return engine;
}

/* What a run yields: counts, a digest of all pixels, and what was wrong. */
struct seen {
    int frames, wrong_order, wrong_shape, stop_at_frame, stop_at_call;
    int calls, last_percent, backward, same_as_before;
    size_t n;
    uint8_t digest[ZT_SHA256_SIZE], before[ZT_SHA256_SIZE];
    struct zt_plan plan;
};

static int on_frame(void *user, const struct zt_frame *f, int index)
{
    struct seen *s = user;
    uint8_t row[2 * ZT_SHA256_SIZE], now[ZT_SHA256_SIZE] = { 0 };

    s->wrong_order += index != s->frames++;
    s->wrong_shape += f->width_px != s->plan.width_px || f->height_px != s->plan.height_px ||
                      f->format != s->plan.pixels;
    for (int p = 0; p < 3; p++) {
        for (int y = 0; y < f->height_px >> (p > 0); y++) {
            memcpy(row, now, ZT_SHA256_SIZE);
            zt_sha256(f->plane[p] + (size_t)y * f->stride[p], (size_t)f->width_px >> (p > 0),
                      row + ZT_SHA256_SIZE);
            zt_sha256(row, sizeof(row), now);
        }
    }
    s->same_as_before += memcmp(now, s->before, sizeof(now)) == 0;
    memcpy(s->before, now, sizeof(now));
    memcpy(row, s->digest, ZT_SHA256_SIZE);
    memcpy(row + ZT_SHA256_SIZE, now, ZT_SHA256_SIZE);
    zt_sha256(row, sizeof(row), s->digest);
    return s->stop_at_frame > 0 && s->frames == s->stop_at_frame;
}

/* Luma of the first, the middle and the last of 49 frames. */
struct ends {
    uint8_t digest[3][ZT_SHA256_SIZE];
};

static int keep_ends(void *user, const struct zt_frame *f, int index)
{
    struct ends *e = user;

    if (index % 24 == 0)
        zt_sha256(f->plane[0], f->stride[0] * (size_t)f->height_px, e->digest[index / 24]);
    return 0;
}

static int on_progress(void *user, const struct zt_progress *p)
{
    struct seen *s = user;

    s->backward += p->percent < s->last_percent || p->percent > 100 || p->stage == NULL;
    s->last_percent = p->percent;
    return s->stop_at_call > 0 && ++s->calls == s->stop_at_call;
}

static enum zt_code generate(struct zt_engine *engine, const struct zt_request *request,
                             struct seen *seen, struct zt_err *err)
{
    struct zt_sink sink = { .on_frame = on_frame, .on_progress = on_progress, .user = seen };

    if (zt_engine_plan(engine, request, &seen->plan, err) != ZT_OK)
        return ZT_E_INVALID;
    return zt_generate(engine, request, &sink, err);
}

static void lists_engines(void)
{
    CHECK_STR("first", zt_engine_name(0), "motion");
    CHECK_HAS("it says what it is not", zt_engine_summary(0), "not a neural");
    CHECK("none before", zt_engine_name(-1) == NULL && zt_engine_summary(-1) == NULL);
    CHECK("an end", zt_engine_name(100) == NULL && zt_engine_summary(100) == NULL);
}

static void opens_by_name(void)
{
    struct zt_engine *engine = NULL;
    struct zt_err err = { 0 };
    struct zt_engine_options weights = { .model_path = "x.gguf" }, threads = { .threads = -1 };

    CHECK_INT("unknown", zt_engine_open("sora", NULL, &engine, &err), ZT_E_NOT_FOUND);
    CHECK_HAS("it names what there is", err.msg, "motion");
    CHECK_HAS("and what was asked for", err.msg, "sora");
    CHECK_INT("no name", zt_engine_open(NULL, NULL, &engine, &err), ZT_E_NOT_FOUND);
    CHECK_INT("weights", zt_engine_open("motion", &weights, &engine, &err), ZT_E_INVALID);
    CHECK_STR("weights", err.field, "model_path");
    CHECK_INT("threads", zt_engine_open("motion", &threads, &engine, &err), ZT_E_INVALID);
    CHECK_STR("threads", err.field, "threads");
    CHECK("nothing was opened", engine == NULL);
    CHECK_INT("defaults", zt_engine_open("motion", NULL, &engine, &err), ZT_OK);
    zt_engine_close(engine);
    zt_engine_close(NULL);
}

static void plans_before_any_work(void)
{
    struct zt_engine *engine = open_engine(1);
    struct zt_request request = request_for("push in");
    struct zt_plan plan = { 0 };
    struct zt_err err = { 0 };

    request.resolution = ZT_1080P;
    request.duration_s = 12;
    CHECK_INT("plan", zt_engine_plan(engine, &request, &plan, NULL), ZT_OK);
    CHECK_INT("width", plan.width_px, 1920);
    CHECK_INT("height", plan.height_px, 1088);
    CHECK_INT("frames", plan.frames, 289);
    CHECK_INT("fps", plan.fps, 24);
    request.duration_s = 60;
    CHECK_INT("too long", zt_engine_plan(engine, &request, &plan, &err), ZT_E_INVALID);
    CHECK_STR("too long", err.field, "duration");
    struct zt_sink none = { 0 };
    request.duration_s = 2;
    CHECK_INT("no sink", zt_generate(engine, &request, NULL, &err), ZT_E_INVALID);
    CHECK_INT("no on_frame", zt_generate(engine, &request, &none, &err), ZT_E_INVALID);
    zt_engine_close(engine);
}

static const char *const prompts[] = {
    "push in",
    "a box on a field",
    "pan right slowly, handheld",
    "orbit left. [cut] close-up, pull out. [cut] wide shot",
    "固定镜头",
};

/* Every frame, in order, of the planned shape, with progress that only grows. */
static void yields_every_frame(void)
{
    struct zt_engine *engine = open_engine(2);

    for (size_t i = 0; i < sizeof(prompts) / sizeof(prompts[0]); i++) {
        struct zt_request request = request_for(prompts[i]);
        struct seen seen = { 0 };
        CHECK_INT(prompts[i], generate(engine, &request, &seen, NULL), ZT_OK);
        CHECK_INT(prompts[i], seen.frames, 49);
        CHECK_INT(prompts[i], seen.wrong_order + seen.wrong_shape + seen.backward, 0);
        CHECK_INT(prompts[i], seen.last_percent, 100);
    }
    zt_engine_close(engine);
}

/* The same bytes for any number of threads and either instruction set. */
static void repeats_itself(void)
{
    struct zt_request rows[3] = { request_for("orbit right, handheld, clouds"),
                                  request_for("push in then pan left. [cut] close-up"),
                                  request_for("morph") };
    rows[2].end_image = &end_image;
    for (int r = 0; r < 3; r++) {
        static const struct {
            int threads;
            const char *simd; /* NULL: the machine's best */
        } runs[3][3] = {
            { { 1, NULL }, { 3, NULL }, { 2, "scalar" } }, /* the scalar path is slow: once */
            { { 1, NULL }, { 3, NULL } },
            { { 2, NULL }, { 3, NULL } },
        };
        struct seen first = { 0 };
        for (int i = 0; i < 3 && runs[r][i].threads > 0; i++) {
            struct seen seen = { 0 };
            if (runs[r][i].simd != NULL)
                setenv("ZOETROPE_SIMD", runs[r][i].simd, 1);
            struct zt_engine *engine = open_engine(runs[r][i].threads);
            unsetenv("ZOETROPE_SIMD");
            CHECK_INT(rows[r].prompt, generate(engine, &rows[r], &seen, NULL), ZT_OK);
            zt_engine_close(engine);
            if (i == 0)
                first = seen;
            CHECK(rows[r].prompt, memcmp(seen.digest, first.digest, sizeof(seen.digest)) == 0);
        }
    }
}

static void differs_by_seed(void)
{
    struct zt_engine *engine = open_engine(2);
    struct zt_request request = request_for("a box on a field, handheld");
    struct seen a = { 0 }, b = { 0 };

    generate(engine, &request, &a, NULL);
    request.seed = 6;
    generate(engine, &request, &b, NULL);
    CHECK("other seed, other pixels", memcmp(a.digest, b.digest, sizeof(a.digest)) != 0);
    zt_engine_close(engine);
}

/* A fixed camera and a still scene: every frame is the first one, to the bit. */
static void stands_still_to_the_bit(void)
{
    struct zt_engine *engine = open_engine(2);
    struct zt_request rows[] = { request_for("push in, handheld"), request_for("固定镜头"),
                                 request_for("static shot of a box") };

    rows[0].camera_fixed = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct seen seen = { 0 };
        CHECK_INT(rows[i].prompt, generate(engine, &rows[i], &seen, NULL), ZT_OK);
        CHECK_INT(rows[i].prompt, seen.same_as_before, 48);
    }
    zt_engine_close(engine);
}

/* Over a passage it rains in between; both ends are the pictures themselves. */
static void rains_over_a_passage(void)
{
    struct zt_engine *engine = open_engine(2);
    struct zt_request dry = request_for("she walks away"), wet = request_for("heavy rain");
    struct ends a = { 0 }, b = { 0 };

    dry.end_image = wet.end_image = &end_image;
    struct zt_sink to_a = { .on_frame = keep_ends, .user = &a };
    struct zt_sink to_b = { .on_frame = keep_ends, .user = &b };
    CHECK_INT("dry", zt_generate(engine, &dry, &to_a, NULL), ZT_OK);
    CHECK_INT("wet", zt_generate(engine, &wet, &to_b, NULL), ZT_OK);
    CHECK("the first is the picture", memcmp(a.digest[0], b.digest[0], ZT_SHA256_SIZE) == 0);
    CHECK("it rains half way", memcmp(a.digest[1], b.digest[1], ZT_SHA256_SIZE) != 0);
    CHECK("the last is the end picture", memcmp(a.digest[2], b.digest[2], ZT_SHA256_SIZE) == 0);
    zt_engine_close(engine);
}

static void stops_within_a_frame(void)
{
    struct zt_engine *engine = open_engine(2);
    struct zt_request request = request_for("push in");
    struct zt_err err = { 0 };

    struct seen at_frame = { .stop_at_frame = 7 };
    CHECK_INT("by a frame", generate(engine, &request, &at_frame, &err), ZT_E_CANCELLED);
    CHECK_INT("no frame after it", at_frame.frames, 7);
    for (int call = 1; call <= 4; call++) {
        struct seen at_call = { .stop_at_call = call };
        CHECK_INT("by progress", generate(engine, &request, &at_call, &err), ZT_E_CANCELLED);
        CHECK_INT("not asked again", at_call.calls, call);
        CHECK("few frames", at_call.frames < 49);
    }
    request.end_image = &end_image;
    for (int call = 1; call <= 4; call++) {
        struct seen at_call = { .stop_at_call = call };
        CHECK_INT("end image", generate(engine, &request, &at_call, &err), ZT_E_CANCELLED);
        CHECK_INT("end image", at_call.calls, call);
    }
    struct seen after = { 0 };
    request.end_image = NULL;
    CHECK_INT("ready again", generate(engine, &request, &after, &err), ZT_OK);
    zt_engine_close(engine);
}

/* Pictures of awkward shapes and sizes. */
static void takes_any_picture(void)
{
    static const struct {
        const char *label;
        int width, height;
    } rows[] = { { "one pixel", 1, 1 }, { "a row", 64, 1 }, { "a column", 1, 54 },
                 { "tiny", 3, 2 },      { "odd", 65, 47 },  { "tall", 20, 54 },
                 { "wide", 96, 20 },    { "small", 17, 16 } };
    struct zt_engine *engine = open_engine(2);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct zt_image odd = { rows[i].width, rows[i].height, (size_t)WIDTH * 3, pixels };
        struct zt_request request = request_for("push in, roll clockwise, handheld");
        struct seen seen = { 0 };
        request.image = &odd;
        CHECK_INT(rows[i].label, generate(engine, &request, &seen, NULL), ZT_OK);
        CHECK_INT(rows[i].label, seen.frames, 49);
    }
    zt_engine_close(engine);
}

static void plans_shots(void)
{
    static const struct {
        const char *label, *prompt;
        int duration_s, n;
        int end[3];
    } rows[] = {
        { "one", "slow push in", 5, 1, { 121 } },
        { "stated", "0-2s: push in. 2-5s: pan left", 5, 2, { 48, 121 } },
        { "stated, another length", "0-2s: push in. 2-5s: pan left", 10, 2, { 96, 241 } },
        { "no time for the third", "push in. Cut to a pan. Cut to a tilt.", 2, 2, { 22, 49 } },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        int end[ZT_PLAN_SHOTS_MAX] = { 0 };
        int n = 0;
        CHECK_INT(rows[i].label, zt_plan_shots(rows[i].prompt, rows[i].duration_s, end, &n, NULL),
                  ZT_OK);
        CHECK_INT(rows[i].label, n, rows[i].n);
        for (int s = 0; s < rows[i].n; s++)
            CHECK_INT(rows[i].label, end[s], rows[i].end[s]);
    }
    struct zt_err err = { 0 };
    int end[ZT_PLAN_SHOTS_MAX];
    int n = -1;
    CHECK_INT("blank", zt_plan_shots(" ", 5, end, &n, &err), ZT_E_INVALID);
    CHECK_STR("blank", err.field, "prompt");
    CHECK_INT("missing", zt_plan_shots(NULL, 5, end, &n, &err), ZT_E_INVALID);
    CHECK_INT("too long", zt_plan_shots("a", 13, end, &n, &err), ZT_E_INVALID);
    CHECK_STR("too long", err.field, "duration");
    CHECK_INT("nothing given", n, -1);
}

int main(void)
{
    paint();
    RUN(lists_engines);
    RUN(opens_by_name);
    RUN(plans_before_any_work);
    RUN(plans_shots);
    RUN(yields_every_frame);
    RUN(repeats_itself);
    RUN(differs_by_seed);
    RUN(stands_still_to_the_bit);
    RUN(rains_over_a_passage);
    RUN(stops_within_a_frame);
    RUN(takes_any_picture);
    return check_done();
}
