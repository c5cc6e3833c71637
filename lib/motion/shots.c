/* shots.c - see shots.h. */
#include "motion/shots.h"

#include <math.h>

#include "engine/plan.h"

/*
 * How much closer than the picture itself a framing is. The first shot is the picture as it was
 * given; later ones cut into it.
 */
static const double framing_scale[ZT_FRAMINGS] = {
    [ZT_FRAMING_NONE] = 0, /* chosen so that the cut shows */
    [ZT_FRAMING_EXTREME_WIDE] = 1, [ZT_FRAMING_WIDE] = 1,       [ZT_FRAMING_FULL] = 1.2,
    [ZT_FRAMING_MEDIUM] = 1.45,    [ZT_FRAMING_CLOSE_UP] = 1.9, [ZT_FRAMING_EXTREME_CLOSE_UP] = 2.5,
};

/* A cut between two views of one scale looks like a mistake: they differ by at least this much. */
#define CUT_RATIO 1.25

static double weight_of(const struct zt_shot *shot)
{
    double text = shot->text_end - shot->text_first;

    return text > 1 ? sqrt(text) : 1; /* a long sentence earns more, but not in proportion */
}

static void frame_takes(struct zt_take *take, int n)
{
    for (int i = 0; i < n; i++) {
        const struct zt_shot *shot = take[i].shot;
        double scale = i > 0 ? framing_scale[shot->framing] : 1;
        double before = i > 0 ? take[i - 1].scale : 0;

        if (scale <= 0)
            scale = before < 1.2 ? 1.35 : 1;
        else if (i > 0 && fabs(log(scale / before)) < log(CUT_RATIO) - 1e-9)
            scale = scale > 1.05 ? before * CUT_RATIO : before > 1.05 ? 1 : 1.3;
        take[i].scale = scale;
        take[i].focus_x = 0.5 + (double)shot->subject_x * 0.3;
        take[i].focus_y = 0.5 + (double)shot->subject_y * 0.3;
    }
}

int zt_shots_divide(const struct zt_prompt *prompt, int frames, struct zt_take *take)
{
    int n = prompt->shots, stated = 0;
    double want[ZT_SHOTS_MAX], said = 0, text = 0, sum = 0;

    if (n > frames / ZT_TAKE_MIN_FRAMES)
        n = frames / ZT_TAKE_MIN_FRAMES;
    if (n < 1)
        n = 1;
    for (int i = 0; i < n; i++) {
        const struct zt_shot *shot = &prompt->shot[i];
        stated += shot->seconds > 0;
        said += shot->seconds > 0 ? (double)shot->seconds * ZT_FPS : 0;
        text += shot->seconds > 0 ? 0 : weight_of(shot);
    }
    double spare = fmax(frames - said, (double)(n - stated) * ZT_TAKE_MIN_FRAMES);
    for (int i = 0; i < n; i++) {
        const struct zt_shot *shot = &prompt->shot[i];
        want[i] =
            shot->seconds > 0 ? (double)shot->seconds * ZT_FPS : spare * weight_of(shot) / text;
        sum += want[i];
    }
    /* Scaled to fit, then cut at whole frames, each leaving enough for those that follow. */
    double end = 0;
    for (int i = 0, at = 0; i < n; i++) {
        end += want[i] * frames / sum;
        int cut = i == n - 1 ? frames : (int)lround(end);
        int latest = frames - (n - 1 - i) * ZT_TAKE_MIN_FRAMES;
        if (cut < at + ZT_TAKE_MIN_FRAMES && i < n - 1)
            cut = at + ZT_TAKE_MIN_FRAMES;
        if (cut > latest)
            cut = latest;
        take[i] = (struct zt_take){ .shot = &prompt->shot[i], .first = at, .end = cut };
        at = cut;
    }
    frame_takes(take, n);
    return n;
}
