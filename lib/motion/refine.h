/*
 * refine.h - sub-pixel refinement of a flow by a variational method. Private to flow.c.
 */
#ifndef ZT_MOTION_REFINE_H
#define ZT_MOTION_REFINE_H

#include "motion/flow.h"

/* The contrast-normalised luma of a picture: local mean 0, local deviation about 1. */
void zt_refine_normalise(const struct zt_flow_image *image, float *ret, float *scratch,
                         struct zt_pool *pool);

#define ZT_REFINE_SCRATCH 11 /* planes of width * height floats */

/*
 * Improves (u, v), which take a to b, in place. na and nb are the normalised lumas; data is the
 * weight of each pixel's own evidence, 0 ... 1: where it is 0, only the neighbours speak.
 */
void zt_refine_flow(const struct zt_flow_image *a, const float *na, const float *nb,
                    const float *data, float *u, float *v, float *scratch, struct zt_pool *pool);

/* Samples plane at (x, y), bicubic (Catmull-Rom), clamped to the borders. */
float zt_refine_sample(const float *plane, int width, int height, float x, float y);

#endif
