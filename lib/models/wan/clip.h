/*
 * clip.h - whether a finished clip may count as one: frames are looked at as they are decoded.
 *
 * A damaged model or a number that overflowed gives black, flat or frozen frames, or none that are
 * numbers. Such a clip is a failure, told with what was measured, and never a success.
 */
#ifndef ZT_MODELS_WAN_CLIP_H
#define ZT_MODELS_WAN_CLIP_H

#include "base/error.h"

struct zt_clip {
    int64_t bad;          /* values that are no numbers */
    int frames, flat;     /* flat: all of one colour, to within 1/255 */
    int first_flat;       /* index of the first flat frame, -1 when there is none */
    int repeats;          /* frames equal to the one before, to the bit */
    float min, max;       /* over all frames */
    uint64_t last_digest; /* of the frame before */
};

void zt_clip_init(struct zt_clip *clip);

/* The next frame: n pixels, [n][3] of -1 ... 1; `bad` of its values were no numbers. */
void zt_clip_add(struct zt_clip *clip, const float *rgb, size_t n, int64_t bad);

/*
 * frames      how many there should be
 * input_flat  the picture itself is of one colour, so that flat frames are what was asked for
 * ZT_E_CORRUPT: no numbers, flat throughout or from its first frame on, frozen, or miscounted; msg
 * has the figures.
 */
enum zt_code zt_clip_judge(const struct zt_clip *clip, int frames, bool input_flat,
                           struct zt_err *err);

/* Whether n values are all numbers; else ZT_E_CORRUPT with their count, `what` naming them. */
enum zt_code zt_clip_numbers(const float *values, size_t n, const char *what, struct zt_err *err);

/* Whether a picture is of one colour, to within a step of 8 bits in each channel. */
bool zt_clip_is_flat(const struct zt_image *image);

#endif
