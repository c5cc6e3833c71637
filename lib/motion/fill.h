/*
 * fill.h - which motion the occluded parts of a picture have. Private to flow.c.
 */
#ifndef ZT_MOTION_FILL_H
#define ZT_MOTION_FILL_H

#include "motion/flow.h"

/*
 * A part without confidence lies between two motions: one thing moves over another, and the part
 * belongs to the one behind. The border of the thing in front is an edge of the picture, the other
 * border of the part is not: the side with the fainter border is behind, and its motion is spread
 * over the part. Where both borders look the same, nothing is changed.
 *
 * sure is the weight of each pixel's flow; it is raised to `spread` where a motion was found.
 * ZT_E_NOMEM.
 */
enum zt_code zt_fill_occluded(const struct zt_flow_image *guide, float *u, float *v, float *sure,
                              float spread, struct zt_err *err);

#endif
