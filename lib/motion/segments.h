/*
 * segments.h - a small picture as a few hundred patches of one colour, and which of them touch.
 *
 * Superpixels by SLIC (Achanta et al., "SLIC Superpixels Compared to State-of-the-art Superpixel
 * Methods", 2012) in CIE Lab. What the depth estimator reasons about instead of pixels.
 */
#ifndef ZT_MOTION_SEGMENTS_H
#define ZT_MOTION_SEGMENTS_H

#include "base/error.h"

struct zt_pool;

#define ZT_SEGMENTS_MAX 512

struct zt_segment {
    float lab[3];
    float x, y;   /* middle, 0 ... 1 of the picture */
    float bottom; /* lowest row, 0 ... 1 */
    float size;   /* share of the picture */
    float border; /* share of the picture's rim that it covers */
    bool touches_top;
    float focus, haze; /* filled by the estimator */
};

struct zt_segments {
    int width, height;
    int n;
    uint16_t *label; /* [height][width], 0 ... n-1 */
    struct zt_segment segment[ZT_SEGMENTS_MAX];
    uint8_t *touch; /* [n][n], 1 where two segments are neighbours */
};

/*
 * lab [height][width][3]; about `wanted` segments, at most ZT_SEGMENTS_MAX; pool may be NULL.
 * ZT_E_NOMEM.
 */
enum zt_code zt_segments_make(const float *lab, int width, int height, int wanted,
                              struct zt_pool *pool, struct zt_segments *ret, struct zt_err *err);
void zt_segments_clear(struct zt_segments *segments);

#endif
