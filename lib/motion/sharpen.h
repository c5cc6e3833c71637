/*
 * sharpen.h - puts the borders of a flow where the borders of things are. Private to flow.c.
 */
#ifndef ZT_MOTION_SHARPEN_H
#define ZT_MOTION_SHARPEN_H

#include "motion/flow.h"

#define ZT_SHARPEN_SCRATCH 2 /* planes of width * height floats */

/*
 * Descriptors see several pixels around, so what they match is too fat by as much. Here each pixel
 * near a border of the motion chooses again among the motions around it, by the pixels of its own
 * colour close by (Yoon, Kweon, "Adaptive Support-Weight Approach for Correspondence Search",
 * 2006). gain and offset take b's luma to a's.
 */
void zt_sharpen_flow(const struct zt_flow_image *a, const struct zt_flow_image *b, float gain,
                     float offset, float *u, float *v, float *scratch, struct zt_pool *pool);

#endif
