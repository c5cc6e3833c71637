/*
 * smooth.h - spreads values with a confidence along the edges of a picture. Private to flow.c and
 * passage.c.
 */
#ifndef ZT_MOTION_SMOOTH_H
#define ZT_MOTION_SMOOTH_H

#include "motion/flow.h"

/*
 * Weighted least squares smoothing of u and v by the fast global smoother: values weigh by conf,
 * and spread over about sqrt(lambda) pixels where the guide is even, hardly across its edges. With
 * nothing confident within reach the result goes to 0. u and v are overwritten.
 *
 * scratch  3 * width * height floats
 */
void zt_smooth_flow(const struct zt_flow_image *guide, float *u, float *v, const float *conf,
                    float lambda, float sigma, float *scratch, struct zt_pool *pool);

/* Mean over a square of 2 * radius + 1, shrinking at the borders. scratch: width * height. */
void zt_smooth_mean(const float *from, float *to, int width, int height, int radius, float *scratch,
                    struct zt_pool *pool);

#endif
