/* Dividing frames over shots, their framing, and what joins them. */
#include "motion/shots.h"

#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "media/frame.h"
#include "motion/transition.h"

static struct zt_prompt prompt_of(int shots, const float *seconds, const int *text)
{
    struct zt_prompt p = { .shots = shots };

    for (int i = 0; i < shots; i++) {
        p.shot[i].seconds = seconds != NULL ? seconds[i] : 0;
        p.shot[i].text_end = text != NULL ? text[i] : 20;
    }
    return p;
}

static void divides_frames(void)
{
    static const struct {
        const char *label;
        int shots, frames;
        float seconds[4];
        int text[4];
        int want[4], takes; /* first frames; takes */
    } rows[] = {
        { "one", 1, 121, { 0 }, { 9 }, { 0 }, 1 },
        { "two alike", 2, 121, { 0 }, { 50, 50 }, { 0, 61 }, 2 },
        { "longer text, longer shot", 2, 120, { 0 }, { 25, 100 }, { 0, 40 }, 2 },
        { "stated", 2, 121, { 2, 3 }, { 9, 9 }, { 0, 48 }, 2 },
        { "one of two stated", 2, 121, { 1, 0 }, { 9, 9 }, { 0, 24 }, 2 },
        { "stated ones too long are scaled", 2, 120, { 10, 5 }, { 9, 9 }, { 0, 80 }, 2 },
        { "stated ones too short are scaled", 2, 120, { 1, 1 }, { 9, 9 }, { 0, 60 }, 2 },
        { "none below the least", 2, 121, { 0.1F, 5 }, { 9, 9 }, { 0, ZT_TAKE_MIN_FRAMES }, 2 },
        { "too many for the frames", 4, 49, { 0 }, { 9, 9, 9, 9 }, { 0, 25 }, 2 },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_prompt p = prompt_of(rows[i].shots, rows[i].seconds, rows[i].text);
        struct zt_take take[ZT_SHOTS_MAX];
        int n = zt_shots_divide(&p, rows[i].frames, take);
        CHECK_INT(rows[i].label, n, rows[i].takes);
        for (int k = 0; k < n; k++)
            CHECK_NEAR(rows[i].label, take[k].first, rows[i].want[k], 1);
    }
}

/* Whatever was read from a prompt: all frames, in order, no shot too short. */
static void covers_all_frames(void)
{
    struct zt_rng rng;

    zt_rng_init(&rng, 3, 3);
    for (int round = 0; round < 2000; round++) {
        int shots = 1 + (int)(zt_rng_u32(&rng) % ZT_SHOTS_MAX);
        int frames = 24 * (2 + (int)(zt_rng_u32(&rng) % 11)) + 1, bad = 0;
        struct zt_prompt p = prompt_of(shots, NULL, NULL);
        struct zt_take take[ZT_SHOTS_MAX];
        for (int i = 0; i < shots; i++) {
            p.shot[i].seconds = zt_rng_u32(&rng) % 2 ? zt_rng_range(&rng, 0, 30) : 0;
            p.shot[i].text_end = (int)(zt_rng_u32(&rng) % 1000);
            p.shot[i].framing = (enum zt_framing)(zt_rng_u32(&rng) % ZT_FRAMINGS);
        }
        int n = zt_shots_divide(&p, frames, take);
        for (int i = 0; i < n; i++) {
            bad += take[i].first != (i > 0 ? take[i - 1].end : 0);
            bad += take[i].end - take[i].first < ZT_TAKE_MIN_FRAMES;
            bad += !(take[i].scale >= 1 && take[i].scale < 6);
            double ratio = i > 0 ? take[i].scale / take[i - 1].scale : 2;
            bad += i > 0 && ratio < 1.2 && ratio > 1 / 1.2;
        }
        CHECK_INT("bad takes", bad, 0);
        CHECK_INT("all frames", take[n - 1].end, frames);
    }
}

static void frames_what_was_said(void)
{
    struct zt_prompt p = prompt_of(3, NULL, NULL);
    struct zt_take take[ZT_SHOTS_MAX];

    p.shot[0].framing = ZT_FRAMING_CLOSE_UP;
    p.shot[1].framing = ZT_FRAMING_CLOSE_UP;
    p.shot[1].subject_x = -1;
    p.shot[2].framing = ZT_FRAMING_WIDE;
    zt_shots_divide(&p, 121, take);
    CHECK_NEAR("the first shot is the picture as given", take[0].scale, 1, 0);
    CHECK("a close-up is close", take[1].scale > 1.5);
    CHECK("towards the subject", take[1].focus_x < 0.3);
    CHECK_NEAR("a wide shot is all there is", take[2].scale, 1, 0);
}

/* ---- transitions --------------------------------------------------------------------------- */

#define SIDE 64

static struct zt_frame_buf filled(int luma, int chroma)
{
    struct zt_frame_buf f;

    if (zt_frame_buf_init(&f, ZT_PIXELS_YUV420, SIDE, SIDE, NULL) != ZT_OK)
        abort();
    for (int p = 0; p < 3; p++)
        for (int y = 0; y < SIDE >> (p > 0); y++)
            memset(f.plane[p] + (size_t)y * f.view.stride[p], p > 0 ? chroma : luma,
                   (size_t)(SIDE >> (p > 0)));
    return f;
}

static int luma_at(const struct zt_frame_buf *f, int x)
{
    return f->plane[0][10 * f->view.stride[0] + (size_t)x];
}

static void dissolves(void)
{
    struct zt_transition_span span = zt_transition_span(ZT_DISSOLVE, 60, 60);
    struct zt_frame_buf last = filled(200, 90);
    int before = 200;

    CHECK_INT("nothing to the shot before", span.out, 0);
    CHECK("some frames", span.in > 5);
    for (int i = 0; i < span.in; i++) {
        struct zt_frame_buf f = filled(40, 160);
        zt_transition_in(ZT_DISSOLVE, &span, i, &last, &f, NULL);
        CHECK("from one to the other", luma_at(&f, 5) <= before && luma_at(&f, 5) >= 40);
        before = luma_at(&f, 5);
        zt_frame_buf_clear(&f);
    }
    CHECK("nearly there at its end", before < 45);
    zt_frame_buf_clear(&last);
}

static void fades_through_black(void)
{
    struct zt_transition_span span = zt_transition_span(ZT_FADE, 60, 60);
    struct zt_frame_buf f = filled(200, 90), last = filled(200, 90);

    zt_transition_out(ZT_FADE, &span, span.out - 1, &f, NULL);
    CHECK("black before the cut", luma_at(&f, 5) < 24);
    CHECK_NEAR("without colour", f.plane[1][0], 128, 3);
    zt_frame_buf_clear(&f);
    f = filled(200, 90);
    zt_transition_in(ZT_FADE, &span, 0, &last, &f, NULL);
    CHECK("black after the cut", luma_at(&f, 5) < 24);
    zt_transition_in(ZT_FADE, &span, span.in - 1, &last, &last, NULL);
    CHECK("nearly there at its end", luma_at(&last, 5) > 190);
    zt_frame_buf_clear(&f);
    zt_frame_buf_clear(&last);
}

/* A whip pan moves and blurs; what it does to a flat frame is nothing. */
static void whips(void)
{
    struct zt_transition_span span = zt_transition_span(ZT_WHIP_PAN, 60, 60);
    struct zt_frame_buf flat = filled(90, 90), line = filled(16, 128);
    int wrong = 0, peak = 0;

    for (int i = 0; i < span.out; i++)
        zt_transition_out(ZT_WHIP_PAN, &span, i, &flat, NULL);
    for (int i = 0; i < span.in; i++)
        zt_transition_in(ZT_WHIP_PAN, &span, i, &flat, &flat, NULL);
    for (int x = 0; x < SIDE; x++)
        wrong += luma_at(&flat, x) != 90;
    CHECK_INT("a flat frame stays flat", wrong, 0);
    for (int y = 0; y < SIDE; y++)
        line.plane[0][(size_t)y * line.view.stride[0] + SIDE / 2] = 235;
    zt_transition_out(ZT_WHIP_PAN, &span, span.out - 1, &line, NULL);
    for (int x = 0; x < SIDE; x++)
        peak = luma_at(&line, x) > peak ? luma_at(&line, x) : peak;
    CHECK("a line is smeared", peak < 60);
    zt_frame_buf_clear(&flat);
    zt_frame_buf_clear(&line);
}

static void spares_short_shots(void)
{
    for (int kind = 0; kind < ZT_TRANSITIONS; kind++) {
        for (int frames = 1; frames < 40; frames++) {
            struct zt_transition_span s =
                zt_transition_span((enum zt_transition)kind, frames, frames);
            CHECK("no more than a third", 3 * s.out <= frames && 3 * s.in <= frames);
        }
    }
    struct zt_transition_span cut = zt_transition_span(ZT_CUT, 60, 60);
    CHECK_INT("a cut takes nothing", cut.in + cut.out, 0);
}

int main(void)
{
    RUN(divides_frames);
    RUN(covers_all_frames);
    RUN(frames_what_was_said);
    RUN(dissolves);
    RUN(fades_through_black);
    RUN(whips);
    RUN(spares_short_shots);
    return check_done();
}
