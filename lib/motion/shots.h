/*
 * shots.h - which frames belong to which shot, and which part of the picture a shot shows.
 */
#ifndef ZT_MOTION_SHOTS_H
#define ZT_MOTION_SHOTS_H

#include "base/error.h"
#include "prompt/prompt.h"

struct zt_take {
    const struct zt_shot *shot;
    int first, end;          /* frames first ... end-1 */
    double scale;            /* 1: the largest view of the output's aspect; 2: half of it a side */
    double focus_x, focus_y; /* 0 ... 1 of the picture: where the view would like its middle */
};

/*
 * Divides the frames over the shots: stated seconds first, the rest by length of text; no shot is
 * shorter than ZT_TAKE_MIN_FRAMES. Shots too many for the frames are left out from the end.
 * take[] holds ZT_SHOTS_MAX. Returns their number, at least 1; they cover all frames in order.
 */
#define ZT_TAKE_MIN_FRAMES 20
int zt_shots_divide(const struct zt_prompt *prompt, int frames, struct zt_take *take);

#endif
