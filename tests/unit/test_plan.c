/* From a request to size and frame count; progress. */
#include "engine/plan.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "check.h"
#include "engine/progress.h"
#include "prompt/prompt.h"

static void chooses_the_nearest_size(void)
{
    static const struct {
        const char *label;
        int width, height;
        enum zt_resolution resolution;
        int want_width, want_height;
    } rows[] = {
        { "16:9", 1920, 1080, ZT_480P, 864, 480 },
        { "16:9", 1920, 1080, ZT_720P, 1248, 704 },
        { "16:9", 1920, 1080, ZT_1080P, 1920, 1088 },
        { "4:3", 640, 480, ZT_480P, 736, 544 },
        { "4:3", 640, 480, ZT_720P, 1120, 832 },
        { "4:3", 640, 480, ZT_1080P, 1664, 1248 },
        { "1:1", 512, 512, ZT_480P, 640, 640 },
        { "1:1", 512, 512, ZT_720P, 960, 960 },
        { "1:1", 512, 512, ZT_1080P, 1440, 1440 },
        { "3:4", 480, 640, ZT_480P, 544, 736 },
        { "3:4", 480, 640, ZT_720P, 832, 1120 },
        { "3:4", 480, 640, ZT_1080P, 1248, 1664 },
        { "9:16", 1080, 1920, ZT_480P, 480, 864 },
        { "9:16", 1080, 1920, ZT_720P, 704, 1248 },
        { "9:16", 1080, 1920, ZT_1080P, 1088, 1920 },
        { "21:9", 2100, 900, ZT_480P, 960, 416 },
        { "21:9", 2100, 900, ZT_720P, 1504, 640 },
        { "21:9", 2100, 900, ZT_1080P, 2176, 928 },
        { "9:21", 900, 2100, ZT_480P, 416, 960 },
        { "9:21", 900, 2100, ZT_720P, 640, 1504 },
        { "9:21", 900, 2100, ZT_1080P, 928, 2176 },
        { "3:2 lies nearer to 4:3", 1500, 1000, ZT_480P, 736, 544 },
        { "1.6 lies nearer to 16:9", 1600, 1000, ZT_480P, 864, 480 },
        { "2:1 lies nearer to 16:9", 2000, 1000, ZT_480P, 864, 480 },
        { "2.1 lies nearer to 21:9", 2100, 1000, ZT_480P, 960, 416 },
        { "3:1 is wider than all", 3000, 1000, ZT_480P, 960, 416 },
        { "1:3 is taller than all", 1000, 3000, ZT_480P, 416, 960 },
        { "5:6 lies nearer to 3:4", 800, 1000, ZT_480P, 544, 736 },
        { "9:10 lies nearer to 1:1", 900, 1000, ZT_480P, 640, 640 },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        int width = 0, height = 0;
        zt_size_for(rows[i].resolution, rows[i].width, rows[i].height, &width, &height);
        CHECK_INT(rows[i].label, width, rows[i].want_width);
        CHECK_INT(rows[i].label, height, rows[i].want_height);
    }
}

static void lists_sizes_of_whole_blocks(void)
{
    int width, height, n = 0;
    const char *ratio;

    for (; zt_size_row(n, ZT_480P, &ratio, &width, &height); n++) {
        for (int r = ZT_480P; r <= ZT_1080P; r++) {
            int again_width, again_height;
            CHECK(ratio, zt_size_row(n, (enum zt_resolution)r, &ratio, &width, &height));
            CHECK_INT(ratio, width % 32, 0);
            CHECK_INT(ratio, height % 32, 0);
            /* A picture that already has an output's size keeps its shape. */
            zt_size_for((enum zt_resolution)r, width, height, &again_width, &again_height);
            CHECK_INT(ratio, again_width, width);
            CHECK_INT(ratio, again_height, height);
        }
    }
    CHECK_INT("ratios", n, 7);
    CHECK("none before the first", !zt_size_row(-1, ZT_480P, &ratio, &width, &height));
}

static void counts_frames(void)
{
    CHECK_INT("shortest", zt_frames_for(2), 49);
    CHECK_INT("usual", zt_frames_for(5), 121);
    CHECK_INT("longest", zt_frames_for(12), 289);
}

static uint8_t pixels[64 * 64 * 3];
static const struct zt_image image = { 64, 64, 64 * 3, pixels };
static const struct zt_image flat = { 64, 0, 64 * 3, pixels };
static const struct zt_image narrow = { 64, 64, 64 * 3 - 1, pixels };
static const struct zt_image nothing = { 64, 64, 64 * 3, NULL };

static void checks_requests(void)
{
    static const struct {
        const char *label;
        struct zt_request request;
        const char *field; /* "" when it is fine */
    } rows[] = {
        { "least", { &image, NULL, "a", ZT_480P, 2, false, 0, NULL }, "" },
        { "most", { &image, &image, "\xE6\x8E\xA8", ZT_1080P, 12, true, INT32_MAX, NULL }, "" },
        { "no image", { NULL, NULL, "a", ZT_480P, 2, false, 0, NULL }, "image" },
        { "no pixels", { &nothing, NULL, "a", ZT_480P, 2, false, 0, NULL }, "image" },
        { "flat image", { &flat, NULL, "a", ZT_480P, 2, false, 0, NULL }, "image" },
        { "rows too short", { &narrow, NULL, "a", ZT_480P, 2, false, 0, NULL }, "image" },
        { "flat end image", { &image, &flat, "a", ZT_480P, 2, false, 0, NULL }, "end_image" },
        { "no prompt", { &image, NULL, NULL, ZT_480P, 2, false, 0, NULL }, "prompt" },
        { "empty prompt", { &image, NULL, "", ZT_480P, 2, false, 0, NULL }, "prompt" },
        { "blank prompt", { &image, NULL, " \n\t", ZT_480P, 2, false, 0, NULL }, "prompt" },
        { "not UTF-8", { &image, NULL, "caf\xE9", ZT_480P, 2, false, 0, NULL }, "prompt" },
        { "resolution",
          { &image, NULL, "a", (enum zt_resolution)3, 2, false, 0, NULL },
          "resolution" },
        { "too short", { &image, NULL, "a", ZT_480P, 1, false, 0, NULL }, "duration" },
        { "too long", { &image, NULL, "a", ZT_480P, 13, false, 0, NULL }, "duration" },
        { "seed below", { &image, NULL, "a", ZT_480P, 2, false, -1, NULL }, "seed" },
        { "seed above", { &image, NULL, "a", ZT_480P, 2, false, INT64_C(1) << 31, NULL }, "seed" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_err err = { 0 };
        enum zt_code rc = zt_request_check(&rows[i].request, &err);
        CHECK_INT(rows[i].label, rc, rows[i].field[0] != '\0' ? ZT_E_INVALID : ZT_OK);
        CHECK_STR(rows[i].label, err.field, rows[i].field);
    }
    CHECK_INT("err may be NULL", zt_request_check(&rows[2].request, NULL), ZT_E_INVALID);
}

static void limits_prompts_by_characters(void)
{
    char *text = malloc(3 * (ZT_PROMPT_MAX_CHARS + 1) + 1);
    struct zt_request request = { .image = &image, .prompt = text, .duration_s = 5 };

    for (int i = 0; i <= ZT_PROMPT_MAX_CHARS; i++)
        memcpy(text + 3 * i, "\xE6\x8E\xA8", 3);
    text[3 * ZT_PROMPT_MAX_CHARS] = '\0';
    CHECK_INT("as long as allowed", zt_request_check(&request, NULL), ZT_OK);
    memcpy(text + 3 * ZT_PROMPT_MAX_CHARS, "a", 2);
    struct zt_err err = { 0 };
    CHECK_INT("one more", zt_request_check(&request, &err), ZT_E_INVALID);
    CHECK_HAS("one more", err.msg, "10001");
    free(text);
}

/* ---- progress ------------------------------------------------------------------------------ */

struct told {
    atomic_int calls;
    int percent, backward, stop_at;
    const char *stage;
};

static int on_progress(void *user, const struct zt_progress *p)
{
    struct told *t = user;

    int calls = atomic_fetch_add(&t->calls, 1) + 1;
    t->backward += p->percent < t->percent;
    t->percent = p->percent;
    t->stage = p->stage;
    return t->stop_at > 0 && calls >= t->stop_at;
}

static int on_frame(void *user, const struct zt_frame *frame, int index)
{
    (void)user;
    (void)frame;
    return index == 3;
}

static void tells_progress_forward_only(void)
{
    struct told told = { 0 };
    struct zt_sink sink = { .on_frame = on_frame, .on_progress = on_progress, .user = &told };
    struct zt_meter meter;

    zt_meter_init(&meter, &sink);
    CHECK_INT("stage", zt_meter_stage(&meter, "one", 40, NULL), ZT_OK);
    CHECK_INT("end", zt_meter_step(&meter, 5, 5, NULL), ZT_OK);
    CHECK_INT("its share", told.percent, 40);
    CHECK_INT("stage", zt_meter_stage(&meter, "two", 100, NULL), ZT_OK);
    CHECK_STR("named", told.stage, "two");
    for (int i = 1; i <= 1000; i++)
        zt_meter_step(&meter, i, 1000, NULL);
    CHECK_INT("all", told.percent, 100);
    CHECK_INT("never back", told.backward, 0);
    CHECK("not at every step", told.calls < 500);
}

static void stops_when_asked(void)
{
    struct told told = { .stop_at = 2 };
    struct zt_sink sink = { .on_frame = on_frame, .on_progress = on_progress, .user = &told };
    struct zt_err err = { 0 };
    struct zt_meter meter;
    struct zt_frame frame = { 0 };

    zt_meter_init(&meter, &sink);
    CHECK_INT("goes on", zt_meter_stage(&meter, "one", 50, &err), ZT_OK);
    CHECK_INT("stops", zt_meter_stage(&meter, "two", 100, &err), ZT_E_CANCELLED);
    CHECK_INT("stays stopped", zt_meter_step(&meter, 1, 9, &err), ZT_E_CANCELLED);
    CHECK_INT("no frames any more", zt_meter_frame(&meter, &frame, 0, &err), ZT_E_CANCELLED);
    told = (struct told){ 0 };
    zt_meter_init(&meter, &sink);
    CHECK_INT("a frame", zt_meter_frame(&meter, &frame, 0, &err), ZT_OK);
    CHECK_INT("the frame that stops", zt_meter_frame(&meter, &frame, 3, &err), ZT_E_CANCELLED);
}

struct work {
    struct told *told;
    bool ran;
};

static enum zt_code wait_to_be_told(void *user, struct zt_err *err)
{
    struct work *w = user;
    int64_t until = zt_now_mono_us() + 10 * ZT_SECOND_US;

    while (atomic_load(&w->told->calls) < (w->told->stop_at > 0 ? 2 : 3) &&
           zt_now_mono_us() < until)
        sched_yield();
    w->ran = true;
    return zt_fail(err, ZT_E_NOMEM, "too large");
}

static void tells_while_work_runs(void)
{
    struct told told = { 0 };
    struct work work = { &told, false };
    struct zt_sink sink = { .on_frame = on_frame, .on_progress = on_progress, .user = &told };
    struct zt_err err = { 0 };
    struct zt_meter meter;

    zt_meter_init(&meter, &sink);
    CHECK_INT("what the work says", zt_meter_run(&meter, wait_to_be_told, &work, &err), ZT_E_NOMEM);
    CHECK_STR("and why", err.msg, "too large");
    CHECK("told meanwhile", told.calls >= 3);
    told = (struct told){ .stop_at = 2 };
    work.ran = false;
    CHECK_INT("a stop", zt_meter_run(&meter, wait_to_be_told, &work, &err), ZT_E_CANCELLED);
    CHECK("after the work has ended", work.ran);
    work.ran = false;
    CHECK_INT("stays", zt_meter_run(&meter, wait_to_be_told, &work, &err), ZT_E_CANCELLED);
    CHECK("and begins no more", !work.ran);
}

int main(void)
{
    RUN(chooses_the_nearest_size);
    RUN(lists_sizes_of_whole_blocks);
    RUN(counts_frames);
    RUN(checks_requests);
    RUN(limits_prompts_by_characters);
    RUN(tells_progress_forward_only);
    RUN(stops_when_asked);
    RUN(tells_while_work_runs);
    return check_done();
}
