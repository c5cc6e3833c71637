/* transition.c - see transition.h. */
#include "motion/transition.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"
#include "media/frame.h"
#include "motion/camera.h"

#define DISSOLVE_FRAMES 16
#define FADE_FRAMES     10
#define WHIP_FRAMES     6

/* No transition takes more than this share of a shot. */
#define SHARE_MAX 3

/* How far, in frame widths, a whip pan has swung at the cut, and how much of it is blurred. */
#define WHIP_REACH 0.9
#define WHIP_BLUR  0.5

#define GRAIN      32

static int limited(int frames, int shot_frames)
{
    return frames < shot_frames / SHARE_MAX ? frames : shot_frames / SHARE_MAX;
}

struct zt_transition_span zt_transition_span(enum zt_transition kind, int frames_before,
                                             int frames_after)
{
    switch (kind) {
    case ZT_DISSOLVE:
        return (struct zt_transition_span){ 0, limited(DISSOLVE_FRAMES, frames_after) };
    case ZT_FADE:
        return (struct zt_transition_span){ limited(FADE_FRAMES, frames_before),
                                            limited(FADE_FRAMES, frames_after) };
    case ZT_WHIP_PAN:
        return (struct zt_transition_span){ limited(WHIP_FRAMES, frames_before),
                                            limited(WHIP_FRAMES, frames_after) };
    default: /* a match cut is a cut: with one picture, things match by themselves */
        return (struct zt_transition_span){ 0, 0 };
    }
}

struct job {
    struct zt_frame_buf *frame;
    const struct zt_frame_buf *last;
    int plane;
    int width, height;
    int weight;      /* of `last`, or of black: 0 ... 256 */
    int black;       /* this plane's */
    int shift, blur; /* samples */
};

static void mix_rows(void *user, int first, int end)
{
    const struct job *j = user;

    for (int y = first; y < end; y++) {
        uint8_t *row = j->frame->plane[j->plane] + (size_t)y * j->frame->view.stride[j->plane];
        const uint8_t *from = j->last->plane[j->plane] + (size_t)y * j->last->view.stride[j->plane];
        for (int x = 0; x < j->width; x++)
            row[x] = (uint8_t)((row[x] * (256 - j->weight) + from[x] * j->weight + 128) >> 8);
    }
}

static void dim_rows(void *user, int first, int end)
{
    const struct job *j = user;

    for (int y = first; y < end; y++) {
        uint8_t *row = j->frame->plane[j->plane] + (size_t)y * j->frame->view.stride[j->plane];
        for (int x = 0; x < j->width; x++)
            row[x] = (uint8_t)((row[x] * (256 - j->weight) + j->black * j->weight + 128) >> 8);
    }
}

/* Sample x of a row that goes on as its own mirror image on both sides. */
static int mirrored(int x, int width)
{
    int period = 2 * width;

    x %= period;
    if (x < 0)
        x += period;
    return x < width ? x : period - 1 - x;
}

/* The row moved by shift, and each sample the mean of `blur` samples: a running sum. */
static void whip_rows(void *user, int first, int end)
{
    const struct job *j = user;
    uint8_t *copy = zt_new_array(uint8_t, (size_t)j->width);

    for (int y = first; y < end; y++) {
        uint8_t *row = j->frame->plane[j->plane] + (size_t)y * j->frame->view.stride[j->plane];
        int from = j->shift - j->blur / 2, sum = 0;
        for (int x = 0; x < j->width; x++)
            copy[x] = row[x];
        for (int i = 0; i < j->blur; i++)
            sum += copy[mirrored(from + i, j->width)];
        for (int x = 0; x < j->width; x++) {
            row[x] = (uint8_t)((sum + j->blur / 2) / j->blur);
            sum +=
                copy[mirrored(from + x + j->blur, j->width)] - copy[mirrored(from + x, j->width)];
        }
    }
    free(copy);
}

static void run(struct job *j, struct zt_pool *pool, zt_slice_fn *fn)
{
    for (j->plane = 0; j->plane < 3; j->plane++) {
        bool half = j->plane > 0;
        struct job part = *j;
        part.width = (j->frame->view.width_px + half) >> half;
        part.height = (j->frame->view.height_px + half) >> half;
        part.black = half ? 128 : 16;
        part.shift = j->shift / (1 + half);
        part.blur = j->blur / (1 + half) > 0 ? j->blur / (1 + half) : 1;
        zt_pool_for(pool, part.height, GRAIN, fn, &part);
    }
}

/* How far a whip pan has swung at u of its way to the cut: it sets off like a falling stone. */
static void whip(struct zt_frame_buf *frame, double u, double sign, double step,
                 struct zt_pool *pool)
{
    double width = frame->view.width_px, speed = fmin(2 * u * step * WHIP_REACH, 1);
    struct job j = { .frame = frame,
                     .shift = (int)lround(sign * WHIP_REACH * u * u * width),
                     .blur = (int)lround(WHIP_BLUR * speed * width) };

    run(&j, pool, whip_rows);
}

void zt_transition_out(enum zt_transition kind, const struct zt_transition_span *span, int index,
                       struct zt_frame_buf *frame, struct zt_pool *pool)
{
    double u = (index + 1.0) / (span->out + 1);
    struct job j = { .frame = frame, .weight = (int)lround(256 * zt_ease(u)) };

    if (kind == ZT_FADE)
        run(&j, pool, dim_rows);
    else if (kind == ZT_WHIP_PAN)
        whip(frame, u, 1, 1.0 / span->out, pool);
}

void zt_transition_in(enum zt_transition kind, const struct zt_transition_span *span, int index,
                      const struct zt_frame_buf *last, struct zt_frame_buf *frame,
                      struct zt_pool *pool)
{
    double u = 1 - (index + 1.0) / (span->in + 1);
    struct job j = { .frame = frame, .last = last, .weight = (int)lround(256 * zt_ease(u)) };

    if (kind == ZT_DISSOLVE)
        run(&j, pool, mix_rows);
    else if (kind == ZT_FADE)
        run(&j, pool, dim_rows);
    else if (kind == ZT_WHIP_PAN)
        whip(frame, u, -1, 1.0 / span->in, pool);
}
