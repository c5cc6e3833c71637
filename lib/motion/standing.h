/*
 * standing.h - what stands before a sky and does not go with it: masts, cables, bare branches.
 *
 * A region's mask is too coarse for things as wide as a few grid points; a flow through it would
 * bend them. Here they are found, and how far from them, and from the region's edge, a place is.
 */
#ifndef ZT_MOTION_STANDING_H
#define ZT_MOTION_STANDING_H

#include "motion/regions.h"

/*
 * ret[height][width] of the regions' grid: 0 where a thing stands and `calm` points around it, and
 * where the mask is below a half; growing with the distance from there to 1 at `reach` points. The
 * picture's rim is no edge. picture is the one that the regions were found in.
 */
void zt_standing_ramp(const struct zt_image *picture, const struct zt_regions *regions,
                      const float *mask, float calm, float reach, struct zt_pool *pool, float *ret);

#endif
